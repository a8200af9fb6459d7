/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/cwv.c, and the question of it that cc.h answers */
#include "tcp_env.h"

enum { RTT = 100000, RTO = 300000 };

/* Congestion avoidance with 100 segments, the window full at 1 s. */
static struct toe_tcb start(void)
{
	struct toe_tcb t = { .mss = 1000, .srtt_us = RTT, .rto_us = RTO };

	toe_cc_begin(&t, false);
	t.cwnd = 100000;
	t.ssthresh = 50000;
	CU_ASSERT(toe_cwv_used(&t, 99000, 1000000));
	return t;
}

static void used__full_within_a_round_trip(void)
{
	struct toe_tcb t = start();

	CU_ASSERT(toe_cwv_used(&t, 2000, 1000000 + RTT - 1));
	CU_ASSERT(!toe_cwv_used(&t, 2000, 1000000 + RTT));
	CU_ASSERT(!toe_cwv_used(&t, 98000, 1000000 + RTT)); /* a segment would still fit */
	CU_ASSERT_EQUAL(t.cwnd, 100000);
}

static void used__half_in_slow_start(void)
{
	struct toe_tcb t = start();

	t.ssthresh = TOE_CWND_MAX;
	CU_ASSERT(toe_cwv_used(&t, 50001, 1000000 + 5 * RTO));
	CU_ASSERT(!toe_cwv_used(&t, 50000, 1000000 + RTT));
	CU_ASSERT_EQUAL(t.cwnd, 100000);
}

/* RFC 2861 3.2: half way to the most that was used, once an RTO, and three quarters are remembered. */
static void decay__half_way_each_rto(void)
{
	struct toe_tcb t = start();

	toe_cwv_used(&t, 20000, 1000000 + RTT);
	toe_cwv_used(&t, 1000, 1000000 + RTO + 1);
	CU_ASSERT_EQUAL(t.cwnd, 60000);
	CU_ASSERT_EQUAL(t.ssthresh, 75000);
	CU_ASSERT(!toe_cwv_used(&t, 1000, 1000000 + RTO + 2)); /* that made nothing full */
	CU_ASSERT_EQUAL(t.cwnd, 60000);
	toe_cwv_used(&t, 1000, 1000000 + 2 * RTO + 2);
	CU_ASSERT_EQUAL(t.cwnd, 35000);
	for (unsigned i = 3; i < 30; i++)
		toe_cwv_used(&t, 1000, 1000000 + i * (RTO + 1ull));
	CU_ASSERT(t.cwnd >= 10000 && t.cwnd < 10010); /* the initial window is always allowed */
	CU_ASSERT_EQUAL(t.ssthresh, 75000);
}

static void decay__not_while_the_buffer_grows(void)
{
	struct toe_tcb t = start();

	t.flags |= TOE_TCB_WANT_SPACE;
	toe_cwv_used(&t, 20000, 1000000 + 2 * RTO);
	CU_ASSERT_EQUAL(t.cwnd, 100000);
}

/* RFC 5681 4.1. */
static void idle__initial_window(void)
{
	struct toe_tcb t = start();

	toe_cwv_idle(&t, 9000000);
	CU_ASSERT_EQUAL(t.cwnd, 10000);
	CU_ASSERT_EQUAL(t.sent_at, 9000000);
	t.cwnd = 3000;
	toe_cwv_idle(&t, 9000000);
	CU_ASSERT_EQUAL(t.cwnd, 3000);
}

UNIT_MAIN("cwv", T(used__full_within_a_round_trip), T(used__half_in_slow_start),
	  T(decay__half_way_each_rto), T(decay__not_while_the_buffer_grows),
	  T(idle__initial_window))
