/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "../../firmware/core/tcb_cache.h"
#include "../harness/unit.h"

enum { SLOTS = 4, FLOWS = 16 };

static struct toe_tcb_slot slot[SLOTS];
static struct toe_slot_lists lists[SLOTS];
static struct toe_flow_ent ent[FLOWS];
static uint32_t owner[2 * SLOTS];
static uint16_t work[SLOTS];
static uint8_t mark[SLOTS];
static struct toe_cache c;

static void set_up(void)
{
	memset(ent, 0, sizeof(ent));
	memset(slot, 0, sizeof(slot));
	c = (struct toe_cache){ .slot = slot,
				.lists = lists,
				.owner = owner,
				.work = work,
				.mark = mark,
				.free = owner + SLOTS,
				.n = SLOTS };
	toe_cache_init(&c);
	toe_cache_ready(&c);
}

/* Flow `i` takes a slot, and its TCB says so. */
static uint32_t enter(uint32_t i)
{
	unsigned evicted;
	uint32_t s = toe_cache_take(&c, ent, i, &evicted);

	if (s == TOE_SLOT_NONE)
		return s;
	ent[i].word = toe_ent_word(TOE_LIFE_LIVE, 0, 1, s);
	slot[s].sel = 1;
	memset(&slot[s].copy[1], 0, TOE_TCB_HEAD);
	toe_cache_open(&c, s)->snd_una = 1000 + i;
	toe_cache_commit(&slot[s]);
	return s;
}

static void take__prefers_idle_victim(void)
{
	set_up();
	for (uint32_t i = 0; i < SLOTS; i++)
		mark[enter(i)] = i == 2 ? TOE_SLOT_IDLE : 0;
	enter(7);
	CU_ASSERT_EQUAL(ent[2].loc, TOE_LOC_SPILLED);
	CU_ASSERT_EQUAL(*(uint64_t *)ent[2].tcb, 1002); /* snd_una comes first */
	CU_ASSERT_NOT_EQUAL(ent[7].loc, TOE_LOC_SPILLED);
}

static void take__second_chance_for_used(void)
{
	set_up();
	for (uint32_t i = 0; i < SLOTS; i++)
		mark[enter(i)] = TOE_SLOT_IDLE | (i == 0 ? 0 : TOE_SLOT_REF);
	enter(7);
	CU_ASSERT_EQUAL(ent[0].loc, TOE_LOC_SPILLED);
}

static void take__none_when_all_pinned(void)
{
	set_up();
	for (uint32_t i = 0; i < SLOTS; i++)
		mark[enter(i)] = TOE_SLOT_PINNED | TOE_SLOT_IDLE;
	CU_ASSERT_EQUAL(enter(7), TOE_SLOT_NONE);
	mark[1] = TOE_SLOT_REF;
	CU_ASSERT_EQUAL(enter(7), 1);
}

static void promote__brings_the_spilled_tcb_back(void)
{
	unsigned evicted;
	uint32_t s;

	set_up();
	for (uint32_t i = 0; i < SLOTS + 1; i++)
		mark[enter(i)] = TOE_SLOT_IDLE;
	for (uint32_t i = 0; i < FLOWS; i++) {
		if (ent[i].life != TOE_LIFE_LIVE || ent[i].loc != TOE_LOC_SPILLED)
			continue;
		s = toe_cache_take(&c, ent, i, &evicted);
		CU_ASSERT_EQUAL(evicted, 1);
		toe_cache_promote(&c, s, &ent[i]);
		CU_ASSERT_EQUAL(ent[i].loc, s);
		CU_ASSERT_EQUAL(toe_cache_committed(&slot[s])->snd_una, 1000 + i);
	}
}

/* A spilled TCB has room for a part of the lists; the rest is forgotten, not mixed up. */
static void spill__keeps_part_of_the_lists(void)
{
	struct toe_tcb *t;
	unsigned evicted;
	uint32_t s;

	set_up();
	s = enter(0);
	t = toe_cache_open(&c, s);
	for (unsigned i = 0; i < TOE_SPILL_HOLES + 5; i++)
		toe_ooo(t)[i] = (struct toe_range){ 10 * i + 10, 10 * i + 15 };
	t->nholes = TOE_SPILL_HOLES + 5;
	toe_cache_commit(&slot[s]);
	mark[s] = TOE_SLOT_IDLE;
	for (uint32_t i = 1; i < SLOTS + 1; i++)
		enter(i);
	CU_ASSERT_EQUAL(ent[0].loc, TOE_LOC_SPILLED);
	s = toe_cache_take(&c, ent, 0, &evicted);
	toe_cache_promote(&c, s, &ent[0]);
	t = toe_cache_open(&c, s);
	CU_ASSERT_EQUAL(t->nholes, TOE_SPILL_HOLES);
	CU_ASSERT_EQUAL(toe_ooo(t)[TOE_SPILL_HOLES - 1].hi, 10 * TOE_SPILL_HOLES + 5);
}

/* What is worked on is not seen before the commit, and the commit is one word. */
static void commit__flips_copies(void)
{
	uint32_t s;
	struct toe_tcb *t;

	set_up();
	s = enter(3);
	t = toe_cache_open(&c, s);
	CU_ASSERT_EQUAL(t->snd_una, 1003);
	t->snd_una = 5;
	CU_ASSERT_EQUAL(toe_cache_committed(&slot[s])->snd_una, 1003);
	toe_cache_commit(&slot[s]);
	CU_ASSERT_EQUAL(toe_cache_committed(&slot[s])->snd_una, 5);
}

/* What is cold is copied after a batch that has changed it, and by then both have it. */
static void open__copies_what_is_cold_when_it_is_new(void)
{
	uint32_t s;
	struct toe_tcb *t;

	set_up();
	s = enter(3);
	t = toe_cache_open(&c, s);
	toe_tcb_cold(t);
	t->user_timeout_ms = 7;
	toe_cache_commit(&slot[s]);
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT(toe_cache_sound(&slot[s]));
		t = toe_cache_open(&c, s);
		CU_ASSERT_EQUAL(t->user_timeout_ms, 7);
		CU_ASSERT(!t->cold_new);
		toe_cache_commit(&slot[s]);
	}
	toe_cache_open(&c, s)->user_timeout_ms = 8;
	toe_cache_commit(&slot[s]);
	CU_ASSERT(!toe_cache_sound(&slot[s]));
}

/* The predecessor may have been killed when it had changed the copy that was not committed. */
static void adopt__trusts_the_committed_copy_alone(void)
{
	uint32_t s;

	set_up();
	s = enter(3);
	toe_cache_open(&c, s)->user_timeout_ms = 9;
	toe_cache_init(&c);
	CU_ASSERT(toe_cache_adopt(&c, s, 3));
	CU_ASSERT_EQUAL(toe_cache_open(&c, s)->user_timeout_ms, 0);
}

static void copy__head_and_used_lists(void)
{
	static struct toe_tcb_whole a, b;

	memset(&a, 0x5a, sizeof(a));
	a.t.lists = 0;
	a.t.nholes = 3;
	a.t.nsent = 2;
	a.t.sent_lo = 7;
	a.t.neor = 2;
	a.t.nmark = 1;
	toe_tcb_copy(&b.t, &a.t);
	CU_ASSERT(!memcmp(&a.t, &b.t, offsetof(struct toe_tcb, sent_near)));
	CU_ASSERT(!memcmp(a.lists.ooo, b.lists.ooo, 3 * sizeof(a.lists.ooo[0])));
	CU_ASSERT(!memcmp(a.lists.sent + 7, b.lists.sent + 7, 2 * sizeof(a.lists.sent[0])));
	CU_ASSERT_EQUAL(b.lists.ooo[3].lo, 0);
	CU_ASSERT_EQUAL(b.lists.sent[9].end, 0);
	CU_ASSERT(!memcmp(a.lists.eor, b.lists.eor, 2 * sizeof(uint32_t)) && !b.lists.eor[2]);
	CU_ASSERT(b.lists.mark[0].kinds == a.lists.mark[0].kinds && !b.lists.mark[1].kinds);
	CU_ASSERT_EQUAL(b.t.cookie, a.t.cookie);
	CU_ASSERT_EQUAL(b.t.peer_mac[0], 0x5a);
}

static void adopt__refuses_what_cannot_be(void)
{
	set_up();
	toe_cache_init(&c);
	CU_ASSERT(toe_cache_adopt(&c, 2, 5));
	CU_ASSERT(!toe_cache_adopt(&c, 2, 6));
	CU_ASSERT(!toe_cache_adopt(&c, SLOTS, 6));
	toe_cache_ready(&c);
	CU_ASSERT_EQUAL(c.nfree, SLOTS - 1);
}

UNIT_MAIN("tcb_cache", T(take__prefers_idle_victim), T(take__second_chance_for_used),
	  T(take__none_when_all_pinned), T(promote__brings_the_spilled_tcb_back),
	  T(spill__keeps_part_of_the_lists), T(commit__flips_copies), T(copy__head_and_used_lists),
	  T(open__copies_what_is_cold_when_it_is_new), T(adopt__trusts_the_committed_copy_alone),
	  T(adopt__refuses_what_cannot_be))
