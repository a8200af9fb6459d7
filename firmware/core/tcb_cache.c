/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcb_cache.h"

#include "../lib/atomics.h"
#include "../lib/mem.h"
#include "../tcp/tcp.h"

/* How far the hand looks for an idle victim before it takes what it has. */
enum { SEARCH = 64 };

/*
 * memcpy of a length that the compiler does not know: it would emit a string instruction, at twice the
 * time.
 */
static inline void copy(void *dst, const void *src, size_t n)
{
	__asm__("" : "+r"(n));
	memcpy(dst, src, n);
}

static void copy_cold(struct toe_tcb *dst, const struct toe_tcb *src)
{
	copy((uint8_t *)dst + TOE_TCB_COLD, (const uint8_t *)src + TOE_TCB_COLD, TOE_TCB_COLD_SIZE);
}

/* All but that. */
static inline void copy_hot(struct toe_tcb *dst, const struct toe_tcb *src)
{
	copy(dst, src, TOE_TCB_COLD);
	if (src->nholes)
		memcpy(toe_ooo(dst), toe_ooo(src), src->nholes * sizeof(struct toe_range));
	if (src->nsent)
		memcpy(toe_sents(dst) + src->sent_lo, toe_sents(src) + src->sent_lo,
		       src->nsent * sizeof(struct toe_sent));
	if (src->neor)
		memcpy(toe_eor(dst), toe_eor(src), src->neor * sizeof(uint32_t));
	if (src->nmark)
		memcpy(toe_marks(dst), toe_marks(src), src->nmark * sizeof(struct toe_mark));
}

void toe_tcb_copy(struct toe_tcb *dst, const struct toe_tcb *src)
{
	copy_cold(dst, src);
	copy_hot(dst, src);
}

/* A spilled TCB: head, then what is kept of the holes. */
static void pack(uint8_t *to, const struct toe_tcb *t)
{
	memcpy(to, t, TOE_TCB_HEAD);
	memcpy(to + TOE_TCB_HEAD, toe_ooo(t), t->nholes * sizeof(struct toe_range));
}

void toe_tcb_unpack(struct toe_tcb *t, const uint8_t *from)
{
	memcpy(t, from, TOE_TCB_HEAD);
	if (t->nholes > TOE_SPILL_HOLES)
		t->nholes = 0;
	t->neor = t->nmark = 0;
	t->sent_far = 0;
	if (t->sent_lo + t->nsent > TOE_NEAR_SENT)
		t->sent_lo = t->nsent = 0;
	memcpy(toe_ooo(t), from + TOE_TCB_HEAD, t->nholes * sizeof(struct toe_range));
}

void toe_cache_init(struct toe_cache *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		c->owner[i] = TOE_FLOW_NONE;
		c->work[i] = TOE_WORK_NONE;
		c->mark[i] = 0;
	}
	c->nfree = c->hand = 0;
}

/* Both copies of a slot that is taken learn where their lists lie. */
static void join_lists(struct toe_cache *c, uint32_t slot)
{
	for (unsigned k = 0; k < 2; k++) {
		struct toe_tcb *t = &c->slot[slot].copy[k];

		t->lists = (int64_t)((uintptr_t)&c->lists[slot].copy[k] - (uintptr_t)(t + 1));
	}
}

bool toe_cache_adopt(struct toe_cache *c, uint32_t slot, uint32_t flow)
{
	if (slot >= c->n || c->owner[slot] != TOE_FLOW_NONE || c->slot[slot].sel > 1)
		return false;
	c->owner[slot] = flow;
	/* The predecessor may have ended while it changed the other copy. */
	c->slot[slot].copy[c->slot[slot].sel].cold_new = 1;
	join_lists(c, slot);
	return true;
}

void toe_cache_ready(struct toe_cache *c)
{
	for (uint32_t i = c->n; i-- > 0;)
		if (c->owner[i] == TOE_FLOW_NONE)
			c->free[c->nfree++] = i;
}

const struct toe_tcb *toe_cache_committed(const struct toe_tcb_slot *s)
{
	return &s->copy[toe_load_acquire(&s->sel) & 1];
}

struct toe_tcb *toe_cache_open(struct toe_cache *c, uint32_t slot)
{
	uint32_t sel = c->slot[slot].sel;
	const struct toe_tcb *from = &c->slot[slot].copy[sel];
	struct toe_tcb *t = &c->slot[slot].copy[!sel];

	if (from->cold_new) {
		toe_tcb_copy(t, from);
		t->cold_new = 0;
	} else {
		copy_hot(t, from);
	}
	return t;
}

bool toe_cache_sound(const struct toe_tcb_slot *s)
{
	const uint8_t *now = (const uint8_t *)&s->copy[s->sel],
		      *other = (const uint8_t *)&s->copy[!s->sel];

	return s->copy[s->sel].cold_new ||
	       !memcmp(now + TOE_TCB_COLD, other + TOE_TCB_COLD, TOE_TCB_COLD_SIZE);
}

void toe_cache_commit(struct toe_tcb_slot *s)
{
	toe_store_release(&s->sel, !s->sel);
}

/*
 * CLOCK: who was not used since the last round and has nothing in flight; failing that, who was not
 * used.
 */
static uint32_t find_victim(struct toe_cache *c)
{
	uint32_t second = TOE_SLOT_NONE;

	for (uint32_t steps = 0; steps < 2 * c->n; steps++) {
		uint32_t i = c->hand;
		uint8_t m = c->mark[i];

		if (steps >= SEARCH && second != TOE_SLOT_NONE)
			return second;
		c->hand = i + 1 == c->n ? 0 : i + 1;
		if (m & TOE_SLOT_PINNED)
			continue;
		if (m & TOE_SLOT_REF)
			c->mark[i] = m & (uint8_t)~TOE_SLOT_REF;
		else if (m & TOE_SLOT_IDLE)
			return i;
		if (second == TOE_SLOT_NONE || !(m & TOE_SLOT_REF))
			second = i;
	}
	return second;
}

/* The copy that is not committed is free for the trimming. */
static void spill(struct toe_cache *c, uint32_t slot, struct toe_flow_ent *e)
{
	struct toe_tcb *t = toe_cache_open(c, slot);

	toe_tcp_trim(t, TOE_SPILL_HOLES, TOE_NEAR_SENT);
	pack(e->tcb, t);
	toe_store_release(&e->word, toe_ent_word(e->life, e->fpc, e->gen, TOE_LOC_SPILLED));
}

uint32_t toe_cache_take(struct toe_cache *c, struct toe_flow_ent *ents, uint32_t flow,
			unsigned *evicted)
{
	uint32_t slot;

	*evicted = 0;
	if (c->nfree) {
		slot = c->free[--c->nfree];
	} else {
		slot = find_victim(c);
		if (slot == TOE_SLOT_NONE)
			return slot;
		spill(c, slot, &ents[c->owner[slot]]);
		*evicted = 1;
	}
	c->owner[slot] = flow;
	c->mark[slot] = TOE_SLOT_REF;
	join_lists(c, slot);
	return slot;
}

void toe_cache_give(struct toe_cache *c, uint32_t slot)
{
	c->owner[slot] = TOE_FLOW_NONE;
	c->mark[slot] = 0;
	c->work[slot] = TOE_WORK_NONE;
	c->free[c->nfree++] = slot;
}

void toe_cache_promote(struct toe_cache *c, uint32_t slot, struct toe_flow_ent *e)
{
	struct toe_tcb_slot *s = &c->slot[slot];

	s->sel = 0;
	toe_tcb_unpack(&s->copy[0], e->tcb);
	s->copy[0].cold_new = 1;
	toe_store_release(&e->word, toe_ent_word(e->life, e->fpc, e->gen, slot));
}
