/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State memory (engine.h) by offsets. Per FPC it holds
 *
 *   primary: the LISTEN table, the TCB cache slots and their lists, the TIME_WAIT entries, since when SYN cookies
 *            are out
 *   derived: arrays by flow id or entry that toe_fpc_init fills anew: lists, deadlines, hash chains
 */
#ifndef TOE_CORE_STATE_H
#define TOE_CORE_STATE_H

#include <stddef.h>

#include "../lib/list.h"
#include "tcb.h"
#include "time_wait.h"

#define TOE_STATE_MAGIC 0x54414554u

struct toe_state_hdr {
	uint32_t magic; /* stored last */
	uint32_t version;
	uint32_t nfpcs, tcb_cache, nflows;
	uint32_t tcb_size;
};

/*
 * A TCB in the cache: two copies, of which copy[sel] is committed and the other is being worked on.
 */
struct toe_tcb_slot {
	struct toe_tcb copy[2] __attribute__((aligned(TOE_CACHELINE)));
	uint32_t sel __attribute__((aligned(TOE_CACHELINE))); /* stored with release: the commit */
};

/* The lists of the two. They lie apart: heads that are used close together share pages of the TLB. */
struct toe_slot_lists {
	struct toe_tcb_lists copy[2];
};

/* What an FPC knows about a flow beside its TCB, by flow id. All of it can be rebuilt. */
enum toe_soft_kind {
	TOE_SOFT_FREE = 0,
	TOE_SOFT_LIVE = 1,
	TOE_SOFT_DEAD = 2, /* the connection is over, the application has not closed it yet */
	TOE_SOFT_TRIM = 3,
};

enum toe_pend {
	TOE_PEND_OUTPUT = 1, /* no frame was free, or the batch's share was used up */
	TOE_PEND_NOTIFY = 2, /* the HW CMD ring was full */
	TOE_PEND_ACCEPT = 4, /* the accept ring was full */
	TOE_PEND_NH = 8, /* the SYN waits for the next hop's address */
	TOE_PEND_TAKEN = 16, /* taken over after a restart: ACK, output and notify */
	TOE_PEND_FREE = 32, /* taken over when all that was missing was to free it */
};

enum { TOE_CTX_NONE = 0xff };

/* In toe_soft.note: notify even if a notification is outstanding. */
enum { TOE_NOTE_AGAIN = 0x80 };

struct toe_soft {
	uint8_t kind; /* enum toe_soft_kind */
	uint8_t pend; /* enum toe_pend; nonzero: on the retry or the next-hop list */
	uint8_t note; /* with TOE_PEND_NOTIFY: enum toe_hw_cmd, TOE_NOTE_AGAIN */
	uint8_t ctx; /* context that gets the notifications */
	uint8_t half_open; /* counts in toe_backlog.half, not yet in .queued */
	uint8_t fast; /* counts in toe_backlog.fast */
};

/* Of one listener, on one FPC. */
struct toe_backlog {
	uint32_t half; /* flows in SYN_RECEIVED */
	uint32_t queued; /* established, or begun by fast open; not accepted */
	uint32_t fast; /* begun by fast open, and the handshake is not done */
	/* Of such, those that a RST ended in the last period of time that saw one, and in that before. */
	uint32_t resets, resets_before, reset_period;
};

/* Where the parts of one FPC lie, from the start of the state. */
struct toe_state_map {
	uint32_t first, nflows; /* the FPC's flow ids */
	uint32_t ntw, ntw_hash; /* TIME_WAIT entries and hash chains */
	size_t listen, slots, lists, tw, tw_high, cookie;
	size_t pending, soft, due, at, wheel, pacer, ids, retry, tw_list, tw_chain, tw_hash,
	    slot_owner, slot_work, slot_mark;
	size_t end;
};

void toe_state_layout(unsigned nfpcs, unsigned tcb_cache, unsigned nflows, unsigned fpc,
		      struct toe_state_map *m);

#endif
