/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/prr.c */
#include "sack_env.h"

/* A loss at the head of a window of 20: what leaves is half of what arrives, and cwnd ends at half. */
static void prr__glides_to_ssthresh(void)
{
	struct env e = sack_flight(20);
	unsigned n = 0;

	for (uint32_t hi = 2000; hi <= 20000; hi += 1000) {
		e.now += hi == 2000 ? 20000 : 100;
		sack(&e, 0, 1000, hi);
		n += e.n;
	}
	CU_ASSERT(n >= 9 && n <= 13);
	CU_ASSERT(toe_pipe(&e.t) >= 8000 && toe_pipe(&e.t) <= 11000);
	e.now += 20000;
	sack(&e, 20000, 21000, 22000);
	CU_ASSERT_EQUAL(e.t.ssthresh, 10000);
	CU_ASSERT(e.t.cwnd <= 10000 + 2000);
}

/* Many losses: below ssthresh no more leaves than arrives, unless the ACK is good news. */
static void prr__never_bursts(void)
{
	struct env e = sack_flight(20);

	e.now += 20000;
	sack(&e, 0, 16000, 20000);
	CU_ASSERT(e.n <= 5);
	CU_ASSERT(e.n >= 1);
}

/* Recovery that the reordering timer begins sends one segment; the rest follows what arrives. */
static void prr__after_the_reordering_timer(void)
{
	struct env e = sack_flight(20);

	e.t.reordered = 1;
	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	sack(&e, 0, 10000, 20000);
	CU_ASSERT_EQUAL(e.n, 0);
	env_timer(&e);
	CU_ASSERT(e.t.flags & TOE_TCB_RECOVERY);
	CU_ASSERT_EQUAL(e.t.lost, 9000);
	CU_ASSERT_EQUAL(e.n, 1);
	e.now += 20000;
	sack2(&e, 1000, 10000, 20000, 0, 0);
	CU_ASSERT(e.n >= 1 && e.n <= 2);
}

/* What the reordering timer took for lost is no news with the next ACK, which is a safe one. */
static void prr__safe_after_the_reordering_timer(void)
{
	struct env e = sack_flight(20);

	e.t.reordered = 1;
	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	sack(&e, 0, 3000, 20000);
	env_timer(&e);
	CU_ASSERT(e.t.flags & TOE_TCB_RECOVERY && e.t.lost == 2000);
	CU_ASSERT_EQUAL(e.n, 1);
	e.now += 20000;
	sack(&e, 1000, 3000, 20000);
	CU_ASSERT_EQUAL(e.n, 2); /* one for what has arrived, one more */
}

/* The buffer was full of what had arrived: nothing is in flight at the end, and much may leave. */
static void recovery__ends_with_nothing_in_flight(void)
{
	struct env e = sack_flight(60);

	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	sack(&e, 0, 1000, 60000);
	CU_ASSERT_EQUAL(e.t.ssthresh, 30000);
	e.now += 20000;
	env_in(&e, TOE_ACK, 0, 0, 60000);
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_RECOVERY);
	CU_ASSERT_EQUAL(e.t.cwnd, 15000 + 1000); /* what it told of that was news */
}

/*
 * In one batch: half of the window is acknowledged, and in the other half something is missing. What
 * the first ACKs let go has not left yet, but the window was in full use.
 */
static void recovery__halves_the_window_of_before_the_batch(void)
{
	struct env e = sack_flight(40);
	struct toe_seg s = env_seg(&e, TOE_ACK, 0, 0, 20000);

	e.now += 20000;
	for (uint32_t ack = 2000; ack <= 20000; ack += 2000)
		env_input(&e, TOE_ACK, 0, 0, ack);
	s.opts |= TOE_SEG_SACK;
	s.nsack = 1;
	s.sack[0] = (struct toe_range){ s.ack + 1000, s.ack + 20000 };
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT(e.t.flags & TOE_TCB_RECOVERY);
	CU_ASSERT_EQUAL(e.t.ssthresh, 20000);
}

/* What the ACK that ends it tells of is acknowledged after it (RFC 5681 3.1). */
static void recovery__last_ack_lets_the_window_grow(void)
{
	struct env e = sack_flight(10);
	uint64_t end;

	e.now += 20000;
	sack(&e, 0, 1000, 10000);
	CU_ASSERT(e.t.flags & TOE_TCB_RECOVERY);
	end = e.t.snd_max - e.t.snd_first;
	env_in(&e, TOE_ACK, 0, 0, (uint32_t)end);
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_RECOVERY);
	CU_ASSERT_EQUAL(e.t.cwnd, e.t.ssthresh + 1000);
}

/* What was SACKed has been told before; but where SACKs are often no sign of loss it counts now. */
static void ack__counts_what_is_news(void)
{
	for (unsigned reorders = 0; reorders < 2; reorders++) {
		struct env e = sack_flight(10);
		uint32_t cwnd = e.t.cwnd;

		e.t.ssthresh = 1 << 30;
		e.t.reordered = reorders ? 2 : 0;
		e.now += 20000;
		sack(&e, 0, 1000, 3000);
		CU_ASSERT_EQUAL(e.t.cwnd, cwnd);
		env_in(&e, TOE_ACK, 0, 0, 3000);
		CU_ASSERT_EQUAL(e.t.cwnd, cwnd + (reorders ? 3000 : 1000));
	}
}

UNIT_MAIN("prr", T(prr__glides_to_ssthresh), T(prr__never_bursts),
	  T(prr__after_the_reordering_timer), T(prr__safe_after_the_reordering_timer),
	  T(recovery__ends_with_nothing_in_flight),
	  T(recovery__halves_the_window_of_before_the_batch),
	  T(recovery__last_ack_lets_the_window_grow), T(ack__counts_what_is_news))
