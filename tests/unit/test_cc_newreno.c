/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/cc_newreno.c */
#include "tcp_env.h"

static struct toe_tcb start(bool syn_lost)
{
	struct toe_tcb t = { .mss = 1000, .cc = TOE_CC_NEWRENO };

	toe_cc(&t)->init(&t, syn_lost);
	return t;
}

/* RFC 6928 2. */
static void init__window(void)
{
	static const struct {
		uint16_t mss;
		uint32_t want;
	} row[] = { { 1000, 10000 }, { 1460, 14600 }, { 2000, 14600 }, { 8960, 17920 } };
	struct toe_tcb t = start(true);

	CU_ASSERT_EQUAL(t.cwnd, 1000);
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		t.mss = row[i].mss;
		toe_cc(&t)->init(&t, false);
		CU_ASSERT_EQUAL(t.cwnd, row[i].want);
	}
}

/* RFC 3465 2.2: at most two segments an ACK, however much it covers. */
static void acked__slow_start(void)
{
	struct toe_tcb t = start(false);

	toe_cc(&t)->acked(&t, 500, 10000, 0);
	CU_ASSERT_EQUAL(t.cwnd, 10500);
	toe_cc(&t)->acked(&t, 10000, 10000, 0);
	CU_ASSERT_EQUAL(t.cwnd, 12500);
	t.flags |= TOE_TCB_RTO_RECOVERY;
	toe_cc(&t)->acked(&t, 10000, 10000, 0);
	CU_ASSERT_EQUAL(t.cwnd, 13500);
}

static void acked__avoidance_is_one_segment_a_window(void)
{
	struct toe_tcb t = start(false);

	t.ssthresh = t.cwnd;
	for (unsigned i = 0; i < 9; i++)
		toe_cc(&t)->acked(&t, 1000, 10000, 0);
	CU_ASSERT_EQUAL(t.cwnd, 10000);
	toe_cc(&t)->acked(&t, 1000, 10000, 0);
	CU_ASSERT_EQUAL(t.cwnd, 11000);
}

/* An echo server never fills its window: it must not grow without end. */
static void acked__unused_window_does_not_grow(void)
{
	struct toe_tcb t = start(false);

	for (unsigned i = 0; i < 1000; i++)
		toe_cc(&t)->acked(&t, 64, 64, 0);
	CU_ASSERT_EQUAL(t.cwnd, 10000);
	t.ssthresh = 5000;
	for (unsigned i = 0; i < 1000; i++)
		toe_cc(&t)->acked(&t, 64, 64, 0);
	CU_ASSERT_EQUAL(t.cwnd, 10000);
}

/* RFC 5681 equation (4). */
static void loss__halves_what_was_in_flight(void)
{
	struct toe_tcb t = start(false);

	CU_ASSERT_EQUAL(toe_cc(&t)->loss(&t, 9000, 0), 4500);
	CU_ASSERT_EQUAL(toe_cc(&t)->loss(&t, 1000, 0), 2000);
}

static void acked__never_overflows(void)
{
	struct toe_tcb t = start(false);

	t.cwnd = TOE_CWND_MAX - 10;
	t.ssthresh = UINT32_MAX;
	toe_cc(&t)->acked(&t, 100000, 0x7fffffff, 0);
	CU_ASSERT_EQUAL(t.cwnd, TOE_CWND_MAX);
}

UNIT_MAIN("cc_newreno", T(init__window), T(acked__slow_start),
	  T(acked__avoidance_is_one_segment_a_window), T(acked__unused_window_does_not_grow),
	  T(loss__halves_what_was_in_flight), T(acked__never_overflows))
