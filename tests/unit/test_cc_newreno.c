/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/cc_newreno.c */
#include "tcp_env.h"

static struct toe_tcb start(bool syn_lost)
{
	struct toe_tcb t = { .mss = 1000, .cc = TOE_CC_NEWRENO };

	toe_cc(&t)->init(&t, syn_lost, 0);
	return t;
}

static void ack(struct toe_tcb *t, uint32_t acked, uint32_t flight)
{
	toe_cc(t)->ack(t, &(struct toe_ack_sample){ .acked = acked, .flight = flight });
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
		toe_cc(&t)->init(&t, false, 0);
		CU_ASSERT_EQUAL(t.cwnd, row[i].want);
	}
}

/* RFC 3465 2.2: as much as an ACK covers, but not more than a receiver's offload puts together. */
static void ack__slow_start(void)
{
	struct toe_tcb t = start(false);

	ack(&t, 500, 10000);
	CU_ASSERT_EQUAL(t.cwnd, 10500);
	ack(&t, 10000, 10000);
	CU_ASSERT_EQUAL(t.cwnd, 20500);
	ack(&t, 100000, 20000);
	CU_ASSERT_EQUAL(t.cwnd, 86036);
	t.flags |= TOE_TCB_RTO_RECOVERY;
	ack(&t, 10000, 80000);
	CU_ASSERT_EQUAL(t.cwnd, 87036);
}

static void ack__avoidance_is_one_segment_a_window(void)
{
	struct toe_tcb t = start(false);

	t.ssthresh = t.cwnd;
	for (unsigned i = 0; i < 9; i++)
		ack(&t, 1000, 10000);
	CU_ASSERT_EQUAL(t.cwnd, 10000);
	ack(&t, 1000, 10000);
	CU_ASSERT_EQUAL(t.cwnd, 11000);
}

/* An echo server never fills its window: it must not grow without end. */
static void ack__unused_window_does_not_grow(void)
{
	struct toe_tcb t = start(false);

	for (unsigned i = 0; i < 1000; i++)
		ack(&t, 64, 64);
	CU_ASSERT_EQUAL(t.cwnd, 10000);
	t.ssthresh = 5000;
	for (unsigned i = 0; i < 1000; i++)
		ack(&t, 64, 64);
	CU_ASSERT_EQUAL(t.cwnd, 10000);
}

/* RFC 5681 equation (4). */
static void loss__halves_the_window(void)
{
	struct toe_tcb t = start(false);

	t.cwnd = 9000;
	CU_ASSERT_EQUAL(toe_cc(&t)->loss(&t, 0), 4500);
	t.cwnd = 1000;
	CU_ASSERT_EQUAL(toe_cc(&t)->loss(&t, 0), 2000);
}

static void lose__leaves_whole_segments(void)
{
	static const uint32_t from_to[][2] = { { 9000, 5000 }, { 9800, 5000 }, { 3000, 2000 },
					       { 2900, 2000 }, { 1000, 2000 }, { 500, 2000 } };

	for (unsigned i = 0; i < sizeof(from_to) / sizeof(from_to[0]); i++) {
		struct toe_tcb t = start(false);

		t.cwnd = from_to[i][0];
		CU_ASSERT_EQUAL(toe_cc_lose(&t, 0), from_to[i][1]);
	}
}

static void ack__never_overflows(void)
{
	struct toe_tcb t = start(false);

	t.cwnd = TOE_CWND_MAX - 10;
	t.ssthresh = TOE_CWND_MAX;
	ack(&t, 100000, 0x7fffffff);
	CU_ASSERT_EQUAL(t.cwnd, TOE_CWND_MAX);
}

UNIT_MAIN("cc_newreno", T(init__window), T(ack__slow_start),
	  T(ack__avoidance_is_one_segment_a_window), T(ack__unused_window_does_not_grow),
	  T(loss__halves_the_window), T(lose__leaves_whole_segments), T(ack__never_overflows))
