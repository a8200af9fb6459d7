/* SPDX-License-Identifier: BSD-2-Clause */
/* stamp.c: which times of what was sent are told, and when. */
#include "tcp_env.h"

enum { SND = 1 << TOE_STAMP_SND, SCHED = 1 << TOE_STAMP_SCHED, ACKED = 1 << TOE_STAMP_ACK };

static void send_marked(struct env *e, uint64_t end, uint8_t kinds)
{
	uint8_t flags = (uint8_t)(kinds << TOE_SEND_STAMP_SHIFT);

	env_run(e, (uint32_t)toe_tcp_send(&e->t, end, flags, e->now));
}

/* The next that is told: position * 10 + kind, or -1. */
static int64_t told(struct env *e)
{
	struct toe_stamp s;

	return toe_tcp_stamp(&e->t, &s) ? (int64_t)s.pos * 10 + s.kind : -1;
}

static void stamp__each_once_in_order(void)
{
	struct env e = env_established();

	send_marked(&e, 100, SND | SCHED | ACKED);
	env_write(&e, 200);
	send_marked(&e, 1000, SCHED);
	CU_ASSERT_EQUAL(told(&e), 1000 + TOE_STAMP_SCHED);
	CU_ASSERT_EQUAL(told(&e), 1000 + TOE_STAMP_SND);
	CU_ASSERT_EQUAL(told(&e), -1); /* Nagle holds the rest back */
	env_in(&e, TOE_ACK, 0, 0, 100);
	CU_ASSERT_EQUAL(told(&e), 1000 + TOE_STAMP_ACK);
	CU_ASSERT_EQUAL(told(&e), 10000 + TOE_STAMP_SCHED);
	CU_ASSERT_EQUAL(told(&e), -1);
	CU_ASSERT_EQUAL(e.t.nmark, 0);
}

static void stamp__not_of_what_goes_again(void)
{
	struct env e = env_established();

	send_marked(&e, 100, SND | ACKED);
	CU_ASSERT_EQUAL(told(&e), 1000 + TOE_STAMP_SND);
	env_timer(&e);
	CU_ASSERT(e.n == 1 && e.o[0].rexmit);
	CU_ASSERT_EQUAL(told(&e), -1);
	env_in(&e, TOE_ACK, 0, 0, 100);
	CU_ASSERT_EQUAL(told(&e), 1000 + TOE_STAMP_ACK);
}

/* A part of it does not count. */
static void stamp__the_last_byte(void)
{
	struct env e = env_established();

	e.t.snd_wnd = e.t.max_snd_wnd = 2000;
	send_marked(&e, 2001, SND | ACKED);
	CU_ASSERT_EQUAL(told(&e), -1);
	env_ack_wnd(&e, 2000, 2000);
	CU_ASSERT_EQUAL(told(&e), 20010 + TOE_STAMP_SND);
	CU_ASSERT_EQUAL(told(&e), -1);
	env_ack_wnd(&e, 2001, 2000);
	CU_ASSERT_EQUAL(told(&e), 20010 + TOE_STAMP_ACK);
}

/* A command that comes twice marks once; one of nothing has no last byte. */
static void stamp__repeated(void)
{
	struct env e = env_established();

	send_marked(&e, 100, ACKED);
	send_marked(&e, 100, ACKED);
	CU_ASSERT_EQUAL(e.t.nmark, 1);
}

static void stamp__too_many_or_trimmed(void)
{
	struct env e = env_established();

	e.t.snd_wnd = e.t.max_snd_wnd = 0;
	for (unsigned i = 1; i <= TOE_MAX_MARKS + 8; i++)
		send_marked(&e, i, SND | ACKED);
	CU_ASSERT_EQUAL(e.t.nmark, TOE_MAX_MARKS);
	CU_ASSERT_EQUAL(toe_tcp_stamps_lost(&e.t), 8 * 2);
	CU_ASSERT_EQUAL(toe_tcp_stamps_lost(&e.t), 0);
	toe_tcp_trim(&e.t, 8, 8);
	CU_ASSERT_EQUAL(e.t.nmark, 0);
	CU_ASSERT_EQUAL(toe_tcp_stamps_lost(&e.t), TOE_MAX_MARKS * 2);
	CU_ASSERT(!toe_tcb_check(&e.t));
}

UNIT_MAIN("stamp", T(stamp__each_once_in_order), T(stamp__not_of_what_goes_again),
	  T(stamp__the_last_byte), T(stamp__repeated), T(stamp__too_many_or_trimmed))
