/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/cc_dctcp.c */
#include "tcp_env.h"

static struct toe_tcb start(void)
{
	struct toe_tcb t = { .mss = 1000, .cc = TOE_CC_DCTCP, .srtt_us = 100 };

	toe_cc(&t)->init(&t, false, 0);
	t.cwnd = 100000;
	t.ssthresh = 100000;
	return t;
}

static double alpha(const struct toe_tcb *t)
{
	return t->cc_state.dctcp.alpha / (double)(1 << 20);
}

/* A window of data of which `marked` of 100 segments met congestion. */
static void window(struct toe_tcb *t, unsigned marked)
{
	t->snd_nxt = t->snd_una + 100000;
	t->cc_state.dctcp.window_end = (uint32_t)t->snd_nxt;
	for (unsigned i = 0; i < 100; i++) {
		t->snd_una += 1000;
		toe_cc(t)->ack(
		    t, &(struct toe_ack_sample){ .acked = 1000, .ce = i < marked ? 1000 : 0 });
	}
}

/* RFC 8257 3.3: alpha = (1 - g) alpha + g M, once per window; it begins at 1. */
static void ack__alpha(void)
{
	static const unsigned marked[] = { 0, 0, 100, 50, 25, 10, 1, 0 };
	struct toe_tcb t = start();
	double want = 1;

	CU_ASSERT_DOUBLE_EQUAL(alpha(&t), 1, 0);
	for (unsigned i = 0; i < 200; i++) {
		unsigned m = marked[i % 8];

		want = want * 15 / 16 + m / 100.0 / 16;
		window(&t, m);
		CU_ASSERT_DOUBLE_EQUAL(alpha(&t), want, 0.0001);
	}
	for (unsigned i = 0; i < 300; i++)
		window(&t, 0);
	CU_ASSERT(alpha(&t) < 0.0001);
	for (unsigned i = 0; i < 300; i++)
		window(&t, 100);
	CU_ASSERT_DOUBLE_EQUAL(alpha(&t), 1, 0.0001);
}

/* The SYN is no window without marks: alpha is 1 when the first data is acknowledged (RFC 8257 4.2). */
static void ack__the_syn_is_no_data(void)
{
	struct toe_tcb t = start();

	t.snd_una = t.snd_first = 1;
	toe_cc(&t)->ack(&t, &(struct toe_ack_sample){ .acked = 1 });
	CU_ASSERT_DOUBLE_EQUAL(alpha(&t), 1, 0);
	t.snd_una = t.cc_state.dctcp.window_end = 1001;
	toe_cc(&t)->ack(&t, &(struct toe_ack_sample){ .acked = 1000 });
	CU_ASSERT_DOUBLE_EQUAL(alpha(&t), 15 / 16.0, 0);
}

/* RFC 8257 3.3, step 1: SACK options count for nothing. */
static void ack__what_is_sacked_waits(void)
{
	struct toe_tcb t = start();

	t.cc_state.dctcp.window_end = 100000;
	toe_cc(&t)->ack(&t, &(struct toe_ack_sample){ .delivered = 50000, .ce = 50000 });
	t.snd_una = 100000;
	toe_cc(&t)->ack(&t, &(struct toe_ack_sample){ .acked = 50000, .delivered = 50000 });
	CU_ASSERT_DOUBLE_EQUAL(alpha(&t), 15 / 16.0, 0);
}

/* Equation (1). */
static void ecn__cuts_by_half_of_alpha(void)
{
	struct toe_tcb t = start();

	CU_ASSERT_EQUAL(toe_cc(&t)->ecn(&t, 0), 50000);
	t.cc_state.dctcp.alpha = 1 << 18;
	CU_ASSERT_EQUAL(toe_cc(&t)->ecn(&t, 0), 87500);
	t.cwnd = 2000;
	CU_ASSERT_EQUAL(toe_cc(&t)->ecn(&t, 0), 2000);
}

/* RFC 8257 3.5. */
static void loss__is_as_usual(void)
{
	struct toe_tcb t = start();

	t.cc_state.dctcp.alpha = 0;
	CU_ASSERT_EQUAL(toe_cc(&t)->loss(&t, 0), t.cwnd / 2);
}

UNIT_MAIN("cc_dctcp", T(ack__alpha), T(ack__the_syn_is_no_data), T(ack__what_is_sacked_waits),
	  T(ecn__cuts_by_half_of_alpha), T(loss__is_as_usual))
