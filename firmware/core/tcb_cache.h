/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FPC's local memory for TCBs: a bounded number of slots; the rest of the TCBs lie in toe_tcbs.
 *
 * Each slot holds two copies. A batch works on one and commits it by one store of `sel`;
 * toe_flow_ent.word tells whether a flow is in a slot or spilled, and moving it is again one store.
 * So at every instruction there is exactly one valid TCB of each flow.
 */
#ifndef TOE_CORE_TCB_CACHE_H
#define TOE_CORE_TCB_CACHE_H

#include "state.h"

#define TOE_SLOT_NONE 0xffffffffu
enum { TOE_WORK_NONE = 0xffff };

enum toe_slot_mark {
	TOE_SLOT_REF = 1, /* used since the hand came by */
	TOE_SLOT_IDLE = 2, /* nothing in flight: the better victim */
	TOE_SLOT_PINNED = 4, /* open in this batch */
};

struct toe_cache {
	struct toe_tcb_slot *slot;
	struct toe_slot_lists *lists; /* by slot, too */
	uint32_t *owner; /* flow id, TOE_FLOW_NONE = free */
	uint16_t *work; /* index of the work that has it open */
	uint8_t *mark; /* enum toe_slot_mark */
	uint32_t *free; /* stack of free slots */
	uint32_t n, nfree, hand;
};

/* All slots free. Then toe_cache_adopt those that flows are in, then toe_cache_ready. */
void toe_cache_init(struct toe_cache *c);
bool toe_cache_adopt(struct toe_cache *c, uint32_t slot, uint32_t flow);
void toe_cache_ready(struct toe_cache *c);

/*
 * A slot for `flow`: a free one, or that of a victim, which is spilled. TOE_SLOT_NONE when every
 * slot is pinned. *evicted is set to 1 when somebody had to go.
 */
uint32_t toe_cache_take(struct toe_cache *c, struct toe_flow_ent *ents, uint32_t flow,
			unsigned *evicted);
void toe_cache_give(struct toe_cache *c, uint32_t slot);

/* The spilled TCB of `e` becomes the one in `slot`. */
void toe_cache_promote(struct toe_cache *c, uint32_t slot, struct toe_flow_ent *e);

/* The committed TCB; the working copy, brought up to date; and the commit of the latter. */
const struct toe_tcb *toe_cache_committed(const struct toe_tcb_slot *s);
struct toe_tcb *toe_cache_open(struct toe_cache *c, uint32_t slot);
void toe_cache_commit(struct toe_tcb_slot *s);
/* After a commit: nothing cold was changed without toe_tcb_cold. */
bool toe_cache_sound(const struct toe_tcb_slot *s);

/* Copy a TCB to one whose `lists` is set; of the lists only what is used. */
void toe_tcb_copy(struct toe_tcb *dst, const struct toe_tcb *src);

/* A spilled TCB as a whole one again; t->lists is set. */
void toe_tcb_unpack(struct toe_tcb *t, const uint8_t *from);

/* One store: the flow's life, owner, generation and place. */
static inline uint64_t toe_ent_word(uint8_t life, uint8_t fpc, uint16_t gen, uint32_t loc)
{
	struct toe_flow_ent e = { .life = life, .fpc = fpc, .gen = gen, .loc = loc };

	return e.word;
}

#endif
