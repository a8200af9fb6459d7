/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/cwv.c, and the question of it that cc.h answers */
#include "tcp_env.h"

enum { RTT = 100000, RTO = 300000 };

#define SEQ 0xffff0000ull

/* Congestion avoidance with 100 segments, all of them under way at 1 s. */
static struct toe_tcb start(void)
{
	struct toe_tcb t = {
		.mss = 1000, .srtt_us = RTT, .rto_us = RTO, .snd_una = SEQ, .snd_max = SEQ + 100000
	};

	toe_cc_begin(&t, false);
	t.cwnd = 100000;
	t.ssthresh = 50000;
	CU_ASSERT(toe_cwv_note(&t, 99000, 1000000));
	return t;
}

/* All that was under way with a full window is acknowledged, and more. */
static struct toe_tcb later(void)
{
	struct toe_tcb t = start();

	t.snd_una = t.snd_max + 1;
	return t;
}

static void note__as_long_as_what_filled_it(void)
{
	struct toe_tcb t = start();

	t.snd_una = t.snd_max;
	CU_ASSERT(toe_cwv_note(&t, 2000, 1000000 + RTT));
	t.snd_una++;
	CU_ASSERT(!toe_cwv_note(&t, 2000, 1000000 + RTT));
	CU_ASSERT(!toe_cwv_note(&t, 98000, 1000000 + RTT)); /* a segment would still fit */
	CU_ASSERT_EQUAL(t.cwnd, 100000);
}

/* However much a window that is not used carries. */
static void note__numbers_come_round(void)
{
	struct toe_tcb t = later();

	for (unsigned i = 0; i < 100; i++) {
		t.snd_una += 100000000;
		CU_ASSERT(!toe_cwv_note(&t, 2000, 1000000 + (i + 1) * (RTO + 1ull)));
	}
}

static void note__half_in_slow_start(void)
{
	struct toe_tcb t = later();

	t.ssthresh = TOE_CWND_MAX;
	CU_ASSERT(toe_cwv_note(&t, 50001, 1000000 + 5 * RTO));
	CU_ASSERT(!toe_cwv_note(&t, 50000, 1000000 + RTT));
	CU_ASSERT_EQUAL(t.cwnd, 100000);
}

/* RFC 2861 3.2: half way to the most that was used, once an RTO, and three quarters are remembered. */
static void decay__half_way_each_rto(void)
{
	struct toe_tcb t = later();

	toe_cwv_note(&t, 20000, 1000000 + RTT);
	toe_cwv_note(&t, 1000, 1000000 + RTO + 1);
	CU_ASSERT_EQUAL(t.cwnd, 60000);
	CU_ASSERT_EQUAL(t.ssthresh, 75000);
	CU_ASSERT(!toe_cwv_note(&t, 1000, 1000000 + RTO + 2)); /* that made nothing full */
	CU_ASSERT_EQUAL(t.cwnd, 60000);
	toe_cwv_note(&t, 1000, 1000000 + 2 * RTO + 2);
	CU_ASSERT_EQUAL(t.cwnd, 35000);
	for (unsigned i = 3; i < 30; i++)
		toe_cwv_note(&t, 1000, 1000000 + i * (RTO + 1ull));
	CU_ASSERT(t.cwnd >= 10000 && t.cwnd < 10010); /* the initial window is always allowed */
	CU_ASSERT_EQUAL(t.ssthresh, 75000);
}

static void decay__not_while_the_buffer_grows(void)
{
	struct toe_tcb t = later();

	t.flags |= TOE_TCB_WANT_SPACE;
	toe_cwv_note(&t, 20000, 1000000 + 2 * RTO);
	CU_ASSERT_EQUAL(t.cwnd, 100000);
}

/* RFC 5681 4.1; the way back is slow start's (RFC 2861 3.2). */
static void idle__initial_window(void)
{
	struct toe_tcb t = later();

	toe_cwv_idle(&t, 9000000);
	CU_ASSERT_EQUAL(t.cwnd, 10000);
	CU_ASSERT_EQUAL(t.ssthresh, 75000);
	CU_ASSERT_EQUAL(t.sent_at, 9000000);
	t.cwnd = 3000;
	t.ssthresh = 2000;
	toe_cwv_idle(&t, 9000000);
	CU_ASSERT_EQUAL(t.cwnd, 3000);
	CU_ASSERT_EQUAL(t.ssthresh, 2000);
}

UNIT_MAIN("cwv", T(note__as_long_as_what_filled_it), T(note__numbers_come_round),
	  T(note__half_in_slow_start), T(decay__half_way_each_rto),
	  T(decay__not_while_the_buffer_grows), T(idle__initial_window))
