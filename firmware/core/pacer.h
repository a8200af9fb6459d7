/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows whose output waits for their pacing rate, finer than the timer wheel's tick: one ring of
 * slots, by the flow's number within its FPC. What lies beyond the ring is left to the wheel, which
 * holds every deadline anyway; an entry that is out of date costs a look at its flow.
 */
#ifndef TOE_CORE_PACER_H
#define TOE_CORE_PACER_H

#include "../lib/list.h"

enum {
	TOE_PACER_SLOTS = 256,
	TOE_PACER_TICK_US = 16, /* 4 ms around */
};

struct toe_pacer {
	struct toe_node *node; /* n flows, then a head for each slot */
	uint64_t tick; /* next one to look at */
	uint64_t map[TOE_PACER_SLOTS / 64]; /* slots that may hold something */
	uint32_t n, armed;
};

void toe_pacer_init(struct toe_pacer *p, uint64_t now);
/* Flow `i` may send again at `at` (microseconds). */
void toe_pacer_set(struct toe_pacer *p, uint32_t i, uint64_t at);
/* A flow whose turn has come, taken off; TOE_PACER_NONE when there is none. */
uint32_t toe_pacer_next(struct toe_pacer *p, uint64_t now);
/* When the next turn comes; 0 = nobody waits. */
uint64_t toe_pacer_deadline(const struct toe_pacer *p);

#define TOE_PACER_NONE 0xffffffffu

#endif
