/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections in TIME_WAIT, without TCB, flow id or buffers (RFC 9293 3.10.7.4).
 *
 * All entries live equally long, so the list in order of expiry is a queue. When the table is full
 * the oldest goes.
 */
#ifndef TOE_CORE_TIME_WAIT_H
#define TOE_CORE_TIME_WAIT_H

#include "../abi/maps.h"
#include "../lib/list.h"
#include "../tcp/tcp.h"

#define TOE_TW_NONE 0xffffffffu
#define TOE_TW_TIME_US (2ull * TOE_MSL_MS * 1000)

/* Primary. `expires` commits the entry: 0 = free. */
struct toe_tw_entry {
	uint64_t expires; /* microseconds */
	uint64_t hash;
	struct toe_tuple tuple;
	struct toe_tw w;
	uint16_t endpoint;
	uint8_t pad[2];
	uint32_t
	    answered; /* clock in milliseconds, nearly, of the last ACK out of turn; 0 = none */
};

struct toe_tw_table {
	struct toe_tw_entry *e;
	struct toe_node *list; /* n entries, then the heads: queue by expiry, free */
	uint32_t *chain; /* next of the same hash */
	uint32_t *head; /* by hash */
	uint32_t *high; /* primary: entries from here on were never used, nor touched */
	uint32_t n, nhash, used;
};

/* Fill lists and chains from the entries. */
void toe_tw_rebuild(struct toe_tw_table *tw, uint64_t now);
uint32_t toe_tw_find(const struct toe_tw_table *tw, uint64_t hash, const struct toe_tuple *t);
/* A free entry, TOE_TW_NONE when full. The caller fills it, then toe_tw_commit. */
uint32_t toe_tw_alloc(struct toe_tw_table *tw);
void toe_tw_commit(struct toe_tw_table *tw, uint32_t i, uint64_t now);
void toe_tw_restart(struct toe_tw_table *tw, uint32_t i, uint64_t now);
/* May a segment out of place be answered? Two ends that disagree must not talk for ever. */
bool toe_tw_answers(struct toe_tw_entry *e, uint64_t now);
void toe_tw_free(struct toe_tw_table *tw, uint32_t i);
/* The entry that ends first, TOE_TW_NONE = empty table. */
uint32_t toe_tw_oldest(const struct toe_tw_table *tw);

#endif
