/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/ecn.c and its places in input.c, fsm.c, segment.c and output.c. */
#include "tcp_env.h"

enum { NEGOTIATION = TOE_ECE | TOE_CWR };

static struct env passive(enum toe_ecn_policy policy, uint8_t cc, uint8_t syn_flags)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	how.ecn = policy;
	how.cc = cc;
	syn.flags |= syn_flags;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	return e;
}

static struct env active(enum toe_ecn_policy policy, uint8_t cc)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();

	how.ecn = policy;
	how.cc = cc;
	env_run(&e, toe_tcp_open_active(&e.t, &how, e.now));
	return e;
}

static struct env agreed(uint8_t cc)
{
	struct env e = passive(TOE_ECN_PASSIVE, cc, NEGOTIATION);

	env_in(&e, TOE_ACK, 0, 0, 0);
	e.t.flags &= ~(uint32_t)TOE_TCB_FRESH;
	return e;
}

/* A data segment of the peer, perhaps marked; no end of the batch. */
static uint32_t data(struct env *e, uint32_t seq, bool ce, uint8_t flags)
{
	struct toe_seg s = env_seg(e, TOE_ACK | flags, seq, 1000, 0);

	s.opts = ce ? TOE_SEG_CE : 0;
	return toe_tcp_input(&e->t, &s, e->now);
}

/* RFC 3168 6.1.1. */
static void passive__who_agrees(void)
{
	static const struct {
		enum toe_ecn_policy policy;
		uint8_t cc, syn;
		bool yes;
	} row[] = {
		{ TOE_ECN_OFF, TOE_CC_NEWRENO, NEGOTIATION, false },
		{ TOE_ECN_OFF, TOE_CC_DCTCP, NEGOTIATION, true },
		{ TOE_ECN_PASSIVE, TOE_CC_NEWRENO, NEGOTIATION, true },
		{ TOE_ECN_ON, TOE_CC_CUBIC, NEGOTIATION, true },
		{ TOE_ECN_ON, TOE_CC_CUBIC, 0, false },
		{ TOE_ECN_ON, TOE_CC_CUBIC, TOE_ECE, false },
		{ TOE_ECN_ON, TOE_CC_CUBIC, TOE_CWR, false },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct env e = passive(row[i].policy, row[i].cc, row[i].syn);

		CU_ASSERT_EQUAL(e.o[0].flags & NEGOTIATION, row[i].yes ? TOE_ECE : 0);
		CU_ASSERT_EQUAL(e.o[0].ecn, 0);
		env_in(&e, TOE_ACK, 0, 0, 0);
		env_write(&e, 1000);
		CU_ASSERT_EQUAL(e.o[0].ecn, row[i].yes ? TOE_ECT0 : 0);
	}
}

static void active__who_asks(void)
{
	CU_ASSERT_EQUAL(active(TOE_ECN_OFF, TOE_CC_CUBIC).o[0].flags, TOE_SYN);
	CU_ASSERT_EQUAL(active(TOE_ECN_PASSIVE, TOE_CC_CUBIC).o[0].flags, TOE_SYN);
	CU_ASSERT_EQUAL(active(TOE_ECN_ON, TOE_CC_CUBIC).o[0].flags, TOE_SYN | NEGOTIATION);
	CU_ASSERT_EQUAL(active(TOE_ECN_OFF, TOE_CC_DCTCP).o[0].flags, TOE_SYN | NEGOTIATION);
	CU_ASSERT_EQUAL(active(TOE_ECN_ON, TOE_CC_CUBIC).o[0].ecn, 0);
}

static void active__answers(void)
{
	static const struct {
		uint8_t flags;
		bool yes;
	} row[] = { { TOE_ECE, true }, { 0, false }, { NEGOTIATION, false }, { TOE_CWR, false } };

	for (unsigned i = 0; i < 4; i++) {
		struct env e = active(TOE_ECN_ON, TOE_CC_NEWRENO);

		env_in(&e, TOE_SYN | TOE_ACK | row[i].flags, UINT32_MAX, 0, 0);
		CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
		CU_ASSERT_EQUAL(e.o[0].flags, TOE_ACK);
		CU_ASSERT_EQUAL(e.t.ssthresh, TOE_CWND_MAX); /* its ECE is no echo */
		env_write(&e, 1000);
		CU_ASSERT_EQUAL(e.o[0].ecn, row[i].yes ? TOE_ECT0 : 0);
	}
}

/* RFC 3168 6.1.1.1: a path that drops ECN-setup SYNs. An answer to the first comes too late. */
static void active__second_syn_is_plain(void)
{
	struct env e = active(TOE_ECN_ON, TOE_CC_NEWRENO);

	env_timer(&e);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN);
	env_in(&e, TOE_SYN | TOE_ACK | TOE_ECE, UINT32_MAX, 0, 0);
	env_write(&e, 1000);
	CU_ASSERT_EQUAL(e.o[0].ecn, 0);
}

static void passive__second_syn_is_plain(void)
{
	struct env e = passive(TOE_ECN_ON, TOE_CC_NEWRENO, NEGOTIATION);
	struct toe_seg syn = env_syn(&e);

	env_run(&e, toe_tcp_input(&e.t, &syn, e.now));
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN | TOE_ACK);
	env_in(&e, TOE_ACK, 0, 0, 0);
	env_write(&e, 1000);
	CU_ASSERT_EQUAL(e.o[0].ecn, 0);
}

/* Both open at once, both with ECN. */
static void active__simultaneous(void)
{
	struct env e = active(TOE_ECN_ON, TOE_CC_NEWRENO);
	struct toe_seg syn = env_syn(&e);

	syn.flags |= NEGOTIATION;
	env_run(&e, toe_tcp_input(&e.t, &syn, e.now));
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN | TOE_ACK | TOE_ECE);
	env_in(&e, TOE_SYN | TOE_ACK | TOE_ECE, UINT32_MAX, 0, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_EQUAL(e.t.ssthresh, TOE_CWND_MAX);
	env_write(&e, 1000);
	CU_ASSERT_EQUAL(e.o[0].ecn, TOE_ECT0);
}

/* RFC 3168 6.1.4 to 6.1.6: only new data is ECN-capable. */
static void output__ect_on_new_data_only(void)
{
	struct env e = agreed(TOE_CC_NEWRENO);

	env_write(&e, 2000);
	CU_ASSERT(e.n == 2 && e.o[0].ecn == TOE_ECT0 && e.o[1].ecn == TOE_ECT0);
	env_in(&e, TOE_ACK | TOE_PSH, 0, 2000, 0);
	CU_ASSERT(env_only_ack(&e, 2000) && e.o[0].ecn == 0);
	e.now = e.t.rto_at;
	env_run(&e, toe_tcp_timer(&e.t, e.now));
	CU_ASSERT(e.n >= 1 && e.o[0].len && e.o[0].rexmit && e.o[0].ecn == 0);
}

/* Who does not answer to marks must not ask for them. */
static void output__not_where_marks_mean_nothing(void)
{
	struct env e = agreed(TOE_CC_BBR);

	env_write(&e, 1000);
	CU_ASSERT(e.n == 1 && e.o[0].ecn == 0);
}

static void output__window_probe_is_not_ect(void)
{
	struct env e = agreed(TOE_CC_NEWRENO);

	env_ack_wnd(&e, 0, 0);
	env_write(&e, 2000);
	env_timer(&e);
	CU_ASSERT(e.n == 1 && e.o[0].len == 1 && e.o[0].ecn == 0);
}

/* RFC 3168 6.1.3: every ACK echoes until CWR comes. */
static void data__echo_until_cwr(void)
{
	struct env e = agreed(TOE_CC_NEWRENO);

	env_run(&e, data(&e, 0, true, 0));
	CU_ASSERT(e.n == 1 && e.o[0].flags == (TOE_ACK | TOE_ECE)); /* at once */
	env_in(&e, TOE_ACK | TOE_PSH, 1000, 1000, 0);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_ACK | TOE_ECE);
	env_write(&e, 10);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_ACK | TOE_PSH | TOE_ECE);
	env_run(&e, data(&e, 2000, false, TOE_CWR));
	CU_ASSERT(e.n == 1 && e.o[0].flags == TOE_ACK);
	/* Marked again already. */
	env_run(&e, data(&e, 3000, true, TOE_CWR));
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_ACK | TOE_ECE);
}

/* Marks count on what is ECN's and on data that is acceptable. */
static void data__marks_without_ecn(void)
{
	struct env e = env_established();

	env_run(&e, data(&e, 0, true, 0));
	e.t.flags |= TOE_TCB_ACK_NOW;
	env_run(&e, TOE_ACT_OUTPUT);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_ACK);
	e = agreed(TOE_CC_NEWRENO);
	env_run(&e, data(&e, 200000, true, 0));
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_ACK);
}

/* RFC 3168 6.1.2: one reduction per window, CWR on the first new data after it. */
static void echo__once_per_window(void)
{
	struct env e = agreed(TOE_CC_NEWRENO);

	env_write(&e, 30000);
	CU_ASSERT_EQUAL(e.n, 10);
	env_in(&e, TOE_ACK | TOE_ECE, 0, 0, 1000);
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
	CU_ASSERT_EQUAL(e.t.cwnd, 5000);
	CU_ASSERT(e.act & TOE_ACT_C_ECN);
	for (uint32_t a = 2000; a <= 5000; a += 1000) {
		env_in(&e, TOE_ACK | TOE_ECE, 0, 0, a);
		CU_ASSERT(!(e.act & TOE_ACT_C_ECN));
		CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
	}
	env_in(&e, TOE_ACK | TOE_ECE, 0, 0, 6000);
	CU_ASSERT(e.n == 1 && e.o[0].flags & TOE_CWR && e.o[0].ecn == TOE_ECT0);
	env_in(&e, TOE_ACK, 0, 0, 7000);
	CU_ASSERT(e.n == 1 && !(e.o[0].flags & TOE_CWR));
	/* All that was in flight then is acknowledged: the next window may be cut again. */
	env_in(&e, TOE_ACK | TOE_ECE, 0, 0, 10000);
	CU_ASSERT(!(e.act & TOE_ACT_C_ECN));
	env_in(&e, TOE_ACK | TOE_ECE, 0, 0, 11000);
	CU_ASSERT(e.act & TOE_ACT_C_ECN);
	CU_ASSERT(e.t.cwnd < 5000);
}

/* Like any loss it leaves whole segments: a part of one would not leave. */
static void echo__leaves_whole_segments(void)
{
	struct env e = agreed(TOE_CC_CUBIC);

	e.t.cwnd = 4000;
	env_write(&e, 30000);
	env_in(&e, TOE_ACK | TOE_ECE, 0, 0, 1000);
	CU_ASSERT_EQUAL(e.t.cwnd, 3000);
	CU_ASSERT_EQUAL(e.t.ssthresh, 3000);
}

static void echo__not_without_ecn(void)
{
	struct env e = env_established();

	env_write(&e, 30000);
	env_in(&e, TOE_ACK | TOE_ECE, 0, 0, 1000);
	CU_ASSERT_EQUAL(e.t.ssthresh, TOE_CWND_MAX);
}

/* A loss reduces too, so it is told, and an echo of the same window reduces no more. */
static void echo__after_a_timeout(void)
{
	struct env e = agreed(TOE_CC_NEWRENO);
	uint32_t ssthresh;

	env_write(&e, 5000);
	e.now = e.t.rto_at;
	env_run(&e, toe_tcp_timer(&e.t, e.now));
	ssthresh = e.t.ssthresh;
	env_in(&e, TOE_ACK | TOE_ECE, 0, 0, 1000);
	CU_ASSERT_EQUAL(e.t.ssthresh, ssthresh);
	CU_ASSERT(!(e.act & TOE_ACT_C_ECN));
	env_in(&e, TOE_ACK, 0, 0, 5000);
	env_write(&e, 6000);
	CU_ASSERT(e.n == 1 && e.o[0].flags & TOE_CWR);
}

/* RFC 8257 3.2, Figure 1: the echo is each segment's mark; a change acknowledges what came before. */
static void dctcp__immediate_ack_at_a_change(void)
{
	struct env e = agreed(TOE_CC_DCTCP);
	uint32_t act;

	env_run(&e, data(&e, 0, false, 0)); /* delayed */
	CU_ASSERT_EQUAL(e.n, 0);
	env_run(&e, data(&e, 1000, true, 0));
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT(env_out_ack(&e, 0) == 1000 && e.o[0].flags == TOE_ACK);
	CU_ASSERT(env_out_ack(&e, 1) == 2000 && e.o[1].flags == (TOE_ACK | TOE_ECE));
	CU_ASSERT_EQUAL(e.o[0].ack + e.o[0].wnd, e.o[1].ack + e.o[1].wnd);
	/* Several changes in one batch: each stretch has its own ACK. */
	act = data(&e, 2000, true, 0);
	act |= data(&e, 3000, false, 0);
	act |= data(&e, 4000, false, 0);
	act |= data(&e, 5000, true, 0);
	env_run(&e, act);
	CU_ASSERT_EQUAL(e.n, 3);
	CU_ASSERT(env_out_ack(&e, 0) == 3000 && e.o[0].flags == (TOE_ACK | TOE_ECE));
	CU_ASSERT(env_out_ack(&e, 1) == 5000 && e.o[1].flags == TOE_ACK);
	CU_ASSERT(env_out_ack(&e, 2) == 6000 && e.o[2].flags == (TOE_ACK | TOE_ECE));
}

/* More changes than a TCB remembers: fewer ACKs, and the last mark is right. */
static void dctcp__many_changes_in_a_batch(void)
{
	struct env e = agreed(TOE_CC_DCTCP);
	uint32_t act = 0;

	for (unsigned i = 0; i < 15; i++)
		act |= data(&e, i * 1000, i % 2, 0);
	env_run(&e, act);
	CU_ASSERT(e.n >= 3 && e.n <= TOE_MAX_CE_EDGES + 1);
	CU_ASSERT(env_out_ack(&e, 0) == 1000 && e.o[0].flags == TOE_ACK);
	CU_ASSERT(env_out_ack(&e, 1) == 2000 && e.o[1].flags == (TOE_ACK | TOE_ECE));
	CU_ASSERT(env_out_ack(&e, e.n - 1) == 15000 && e.o[e.n - 1].flags == TOE_ACK);
}

/* The network has said that it is congested: what a loss before that was does not matter any more. */
static void echo__is_not_undone(void)
{
	struct env e = agreed(TOE_CC_NEWRENO);
	struct toe_seg s;

	e.t.flags |= TOE_TCB_SACK;
	e.t.srtt_us = e.t.min_rtt_us = 20000;
	env_write(&e, 10000);
	e.now += 20000;
	s = env_seg(&e, TOE_ACK, 0, 0, 0);
	s.nsack = 1;
	s.sack[0] = (struct toe_range){ s.ack + 1000, s.ack + 4000 };
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
	e.now += 20000;
	env_in(&e, TOE_ACK, 0, 0, (uint32_t)(e.t.snd_max - e.t.snd_first));
	env_write(&e, 30000);
	e.now += 20000;
	env_in(&e, TOE_ACK | TOE_ECE, 0, 0, (uint32_t)(e.t.snd_una - e.t.snd_first) + 1000);
	CU_ASSERT(e.act & TOE_ACT_C_ECN);
	CU_ASSERT(e.t.ssthresh < 5000);
	s.ack = (uint32_t)e.t.snd_una;
	s.sack[0] = (struct toe_range){ ENV_ISN + 1, ENV_ISN + 1 + 1000 };
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT(e.t.ssthresh < 5000);
}

UNIT_MAIN("ecn", T(passive__who_agrees), T(active__who_asks), T(active__answers),
	  T(active__second_syn_is_plain), T(passive__second_syn_is_plain), T(active__simultaneous),
	  T(output__ect_on_new_data_only), T(output__window_probe_is_not_ect),
	  T(output__not_where_marks_mean_nothing), T(data__echo_until_cwr),
	  T(data__marks_without_ecn), T(echo__once_per_window), T(echo__leaves_whole_segments),
	  T(echo__not_without_ecn), T(echo__after_a_timeout), T(dctcp__immediate_ack_at_a_change),
	  T(dctcp__many_changes_in_a_batch), T(echo__is_not_undone))
