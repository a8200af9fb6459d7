/* SPDX-License-Identifier: BSD-2-Clause */
/* The pool of big slots: who gets one, how much, and how it comes back. */
#include "core_env.h"

#include "tests/harness/unit.h"
#include "firmware/core/fpc.h"

static struct env e;

static struct toe_fpc *fpc(void)
{
	return e.c->fpc[0];
}

/* A flow of application 0 that wants so much to receive into. */
static uint64_t grown(struct toe_tcb *t, uint32_t want)
{
	struct toe_flow_ent ent = { .app = 0 };
	struct toe_work w = { .t = t, .e = &ent };

	t->state = TOE_TCP_ESTABLISHED;
	t->rcv_want = want;
	toe_big_grow(fpc(), &w);
	return t->rcv_ring;
}

static struct toe_tcb tcb(void)
{
	return (struct toe_tcb){
		.rcv_size = 65536, .snd_size = 65536, .snd_want = 65536, .mss = 1448, .cwnd = 14480
	};
}

static void grow__all_slots_and_back(void)
{
	static struct toe_tcb t[SIM_BIG_SLOTS + 1];

	env_up(&e);
	for (unsigned i = 0; i <= SIM_BIG_SLOTS; i++) {
		t[i] = tcb();
		CU_ASSERT_EQUAL(grown(&t[i], 100000) != 0, i < SIM_BIG_SLOTS);
		CU_ASSERT_EQUAL(t[i].rcv_size, i < SIM_BIG_SLOTS ? 100000 : 65536);
	}
	CU_ASSERT_EQUAL(toe_big_free(fpc(), 0), 0);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_buffers_refused), 1);
	toe_big_give(fpc(), 0, &t[40]);
	CU_ASSERT_EQUAL(toe_ring_slot(grown(&t[SIM_BIG_SLOTS], 100000)),
			toe_ring_slot(t[40].rcv_ring));
	t[40] = t[SIM_BIG_SLOTS];
	for (unsigned i = 0; i < SIM_BIG_SLOTS; i++)
		toe_big_give(fpc(), 0, &t[i]);
	CU_ASSERT_EQUAL(toe_big_free(fpc(), 0), SIM_BIG_SLOTS);
	CU_ASSERT_EQUAL(fpc()->big[0].bytes, 0);
	env_down(&e);
}

static void grow__within_the_budget(void)
{
	struct toe_tcb a = tcb(), b = tcb();

	env_up(&e);
	e.c->ctrl->app_buffers = 1 << 20;
	CU_ASSERT_EQUAL(toe_ring_size(grown(&a, 700000)), 1 << 20);
	CU_ASSERT_EQUAL(grown(&b, 100000), 0);
	toe_big_give(fpc(), 0, &a);
	CU_ASSERT_EQUAL(toe_ring_size(grown(&b, 5000000)), 1 << 20); /* what there is */
	CU_ASSERT_EQUAL(b.rcv_size, 1 << 20);
	toe_big_give(fpc(), 0, &b);
	env_down(&e);
}

/* A ring is left only when nothing in it is needed any more. */
static void grow__one_change_at_a_time(void)
{
	struct toe_tcb t = tcb();

	env_up(&e);
	t.rcv_first = t.rcv_nxt = t.rcv_read = 1000;
	t.rcv_adv = 1000 + 65535;
	CU_ASSERT_EQUAL(toe_ring_size(grown(&t, 200000)), 1 << 18);
	CU_ASSERT_EQUAL(toe_ring_left(t.rcv_ring, 0), 65535);
	CU_ASSERT_EQUAL(toe_ring_size(grown(&t, 500000)), 1 << 18);
	t.rcv_nxt = t.rcv_adv = t.rcv_read = 1000 + 65535;
	CU_ASSERT_EQUAL(toe_ring_size(grown(&t, 500000)), 1 << 19);
	CU_ASSERT_EQUAL(toe_ring_before(t.rcv_ring), 18);
	toe_big_settle(&t);
	CU_ASSERT_EQUAL(toe_ring_before(t.rcv_ring), 19);
	toe_big_give(fpc(), 0, &t);
	env_down(&e);
}

/* Memory goes back to the system; until the port says so, nobody gets the slot. */
static void trim__after_a_while(void)
{
	struct toe_tcb t = tcb();

	env_up(&e);
	grown(&t, 200000);
	toe_big_give(fpc(), 0, &t);
	CU_ASSERT_EQUAL(fpc()->big[0].ndirty, 1);
	e.w->now += 2000000;
	sim_poll(e.c, 4);
	CU_ASSERT_EQUAL(fpc()->big[0].ndirty, 0);
	CU_ASSERT_EQUAL(fpc()->big_flight, 0);
	CU_ASSERT(sim_count(e.c, TOE_CNT_trimmed_buffers) > 0);
	CU_ASSERT_EQUAL(toe_big_free(fpc(), 0), SIM_BIG_SLOTS);
	env_down(&e);
}

/* The number is another application's by now, but the memory is still being given back. */
static void trim__outlives_the_application(void)
{
	env_up(&e);
	fpc()->big[0].flight[0] = 1;
	fpc()->big_flight = 1;
	toe_big_init(fpc(), 0, false);
	for (unsigned i = 1; i < SIM_BIG_SLOTS; i++) {
		struct toe_tcb t = tcb();

		CU_ASSERT_NOT_EQUAL(toe_ring_slot(grown(&t, 100000)), 0);
	}
	toe_big_trimmed(fpc(), toe_trim_big(0, 0));
	toe_big_init(fpc(), 0, false);
	env_down(&e);
}

UNIT_MAIN("big", T(grow__all_slots_and_back), T(grow__within_the_budget),
	  T(grow__one_change_at_a_time), T(trim__after_a_while), T(trim__outlives_the_application))
