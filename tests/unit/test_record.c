/* SPDX-License-Identifier: BSD-2-Clause */
/* record.c: segments keep to ends of records. */
#include "tcp_env.h"

static void record(struct env *e, uint64_t end)
{
	env_run(e, (uint32_t)toe_tcp_send(&e->t, end, TOE_SEND_EOR, e->now));
}

static void record__whole_ones_do_not_wait_for_each_other(void)
{
	struct env e = env_established();

	env_write(&e, 10);
	record(&e, 20);
	record(&e, 30);
	CU_ASSERT_EQUAL(e.n, 1); /* the first of them, since there is more behind it */
	CU_ASSERT(e.o[0].pos == 10 && e.o[0].len == 10 && e.o[0].flags & TOE_PSH);
	env_ack_wnd(&e, 20, 60000);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(e.o[0].pos == 20 && e.o[0].len == 10);
	CU_ASSERT_EQUAL(e.t.neor, 1);
	env_ack_wnd(&e, 30, 60000);
	CU_ASSERT_EQUAL(e.t.neor, 0);
}

static void record__too_many_are_joined(void)
{
	struct env e = env_established();
	unsigned n = 0;

	e.t.snd_wnd = e.t.max_snd_wnd = 0;
	for (unsigned i = 1; i <= TOE_MAX_EOR + 8; i++)
		record(&e, i);
	CU_ASSERT_EQUAL(e.t.neor, TOE_MAX_EOR);
	env_ack_wnd(&e, 0, 60000);
	for (unsigned i = 0; i < e.n; i++)
		n += e.o[i].len;
	CU_ASSERT_EQUAL(n, TOE_MAX_EOR); /* the rest waits as Nagle has it */
}

/* A spilled TCB keeps none. */
static void record__trimmed(void)
{
	struct env e = env_established();

	record(&e, 10);
	toe_tcp_trim(&e.t, 8, 8);
	CU_ASSERT_EQUAL(e.t.neor, 0);
	CU_ASSERT(!toe_tcb_check(&e.t));
}

UNIT_MAIN("record", T(record__whole_ones_do_not_wait_for_each_other),
	  T(record__too_many_are_joined), T(record__trimmed))
