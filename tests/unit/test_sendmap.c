/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/sendmap.c, sack.c. toe_tcb_check compares map and counters after every event. */
#include "sack_env.h"

static void add__one_flight_is_one_range(void)
{
	struct env e = sack_flight(10);

	CU_ASSERT_EQUAL(e.t.nsent, 1);
	e.now += 5000;
	e.t.cwnd += 2000;
	env_run(&e, 0);
	CU_ASSERT_EQUAL(e.t.nsent, 2);
}

static void sack__splits_and_joins(void)
{
	struct env e = sack_flight(10);

	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	sack(&e, 0, 4000, 5000);
	CU_ASSERT_EQUAL(e.t.nsent, 3);
	CU_ASSERT_EQUAL(e.t.sacked, 1000);
	sack(&e, 0, 6000, 7000);
	CU_ASSERT_EQUAL(e.t.nsent, 5);
	CU_ASSERT(e.t.sent_far);
	sack(&e, 0, 4000, 7000);
	CU_ASSERT_EQUAL(e.t.nsent, 3);
	CU_ASSERT_EQUAL(e.t.sacked, 3000);
	sack(&e, 0, 2000, 9000);
	CU_ASSERT_EQUAL(e.t.sacked, 7000);
	env_in(&e, TOE_ACK, 0, 0, 10000);
	CU_ASSERT_EQUAL(e.t.sacked, 0);
	CU_ASSERT_EQUAL(e.t.nsent, 0);
	CU_ASSERT_FALSE(e.t.sent_far);
}

/*
 * With more ranges in flight than the map holds some are joined: what tells less about time must not
 * make round trips look shorter. Two segments every 100 us, acknowledged one by one 200 ms later.
 */
static void join__round_trips_stay_true(void)
{
	enum { N = 2 * TOE_MAX_SENT, STEP = 100, RTT = 200000 };
	struct env e = env_established();
	uint64_t t0 = e.now;
	unsigned sent = 0;

	e.t.flags |= TOE_TCB_NODELAY;
	e.t.min_rtt_us = e.t.min_rtt_next_us = UINT32_MAX; /* not the handshake's */
	e.t.snd_size = 16u << 20;
	e.t.cwnd = e.t.snd_wnd = e.t.max_snd_wnd = 1 << 30;
	for (unsigned i = 0; i < N; i++, e.now = t0 + i * STEP) {
		e.t.snd_end += 1000;
		for (struct toe_out o; toe_tcp_output(&e.t, e.now, &o);)
			sent += o.len;
	}
	CU_ASSERT_EQUAL(sent, N * 1000);
	CU_ASSERT(e.t.nsent <= TOE_MAX_SENT);
	e.t.snd_wl1 = e.t.snd_wl2 = 0;
	for (unsigned i = 0; i < N; i++) {
		struct toe_seg s = env_seg(&e, TOE_ACK, 0, 0, (i + 1) * 1000);

		e.now = t0 + i * STEP + RTT;
		toe_tcp_input(&e.t, &s, e.now);
	}
	CU_ASSERT_EQUAL(e.t.snd_una, e.t.snd_max);
	CU_ASSERT(e.t.min_rtt_us >= RTT);
	CU_ASSERT(e.t.srtt_us >= RTT && e.t.srtt_us < RTT + 2000);
}

static void sack__nonsense_is_ignored(void)
{
	static const uint32_t row[][2] = {
		{ 0, 1000 }, { 5000, 5000 }, { 6000, 5000 }, { 9000, 11000 }, { 70000, 80000 },
	};
	struct env e = sack_flight(10);

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		sack2(&e, 0, 3000, 3000, row[i][0], row[i][1]);
		CU_ASSERT_EQUAL(e.t.sacked, 0);
	}
}

/* An ACK that another has overtaken tells nothing but its blocks: it is no duplicate, and no window. */
static void sack__of_an_ack_that_was_overtaken(void)
{
	struct env e = sack_flight(10);
	uint32_t wnd = e.t.snd_wnd;

	env_in(&e, TOE_ACK, 0, 0, 4000);
	sack(&e, 3000, 6000, 7000);
	CU_ASSERT_EQUAL(e.t.sacked, 1000);
	CU_ASSERT_EQUAL(toe_tcp_tx_una(&e.t), 4000);
	CU_ASSERT_EQUAL(e.t.dupacks, 0);
	CU_ASSERT_EQUAL(e.t.snd_wnd, wnd);
	sack(&e, 3000, 3500, 3900);
	CU_ASSERT_EQUAL(e.t.sacked, 1000);
	env_in(&e, TOE_ACK, 0, 0, 3000);
	CU_ASSERT_EQUAL(e.t.dupacks, 0);
	CU_ASSERT(!toe_tcb_check(&e.t));
}

/* The peer forgot what it had SACKed: a timeout believes it (RFC 2018 8). */
static void renege__everything_goes_again(void)
{
	struct env e = sack_flight(4);

	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	sack(&e, 0, 1000, 4000);
	env_in(&e, TOE_ACK, 0, 0, 1000);
	CU_ASSERT_EQUAL(e.t.sacked, 3000);
	env_timer(&e);
	CU_ASSERT(e.act & TOE_ACT_C_RTO);
	CU_ASSERT_EQUAL(e.t.sacked, 0);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 1000);
}

static void trim__keeps_the_sums_right(void)
{
	for (unsigned keep = 1; keep < 8; keep++) {
		struct env e = sack_flight(40);

		e.t.snd_end = e.t.snd_max;
		e.now += 20000;
		for (uint32_t s = 1; s < 38; s += 2)
			sack(&e, 0, s * 1000, s * 1000 + 700);
		CU_ASSERT(e.t.nsent > 20);
		toe_tcp_trim(&e.t, 16, keep);
		CU_ASSERT(e.t.nsent <= keep);
		CU_ASSERT_EQUAL(e.t.sent_far, e.t.nsent > TOE_NEAR_SENT);
		CU_ASSERT_PTR_NULL(toe_tcb_check(&e.t));
	}
}

/* The lost segment is SACKED before its turn to go again has come. */
static void lost__arrives_before_it_went_again(void)
{
	struct env e = sack_flight(10);
	struct toe_seg s = env_seg(&e, TOE_ACK, 0, 0, 0);

	e.now += 20000;
	s.opts |= TOE_SEG_SACK;
	s.nsack = 1;
	s.sack[0] = (struct toe_range){ s.ack + 2000, s.ack + 6000 };
	toe_tcp_input(&e.t, &s, e.now);
	CU_ASSERT(e.t.flags & TOE_TCB_REXMIT);
	env_in(&e, TOE_ACK, 0, 0, 6000);
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_REXMIT);
}

/* More ranges than the map holds: blocks of one byte each. */
static void full__goes_on(void)
{
	struct env e = sack_flight(30);

	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	for (uint32_t s = 1; s < 29990; s += 20)
		sack(&e, 0, s, s + 1);
	CU_ASSERT(e.t.nsent <= TOE_MAX_SENT);
	env_in(&e, TOE_ACK, 0, 0, 30000);
	CU_ASSERT_EQUAL(e.t.nsent, 0);
}

/* Without SACK: more counts as lost than before, so less can be what duplicates stand for. */
static void trim__without_sack(void)
{
	struct env e = env_established();
	uint32_t left;

	e.t.cwnd = 20000;
	for (uint32_t n = 0; n < 10; n++) {
		e.now += 2000;
		env_write(&e, (n + 1) * 1000);
	}
	for (unsigned i = 0; i < 9; i++)
		env_input(&e, TOE_ACK, 0, 0, 0); /* one batch: what is lost has not left again */
	CU_ASSERT_EQUAL(e.t.lost, 1000);
	CU_ASSERT_EQUAL(e.t.sacked, 9000);
	toe_tcp_trim(&e.t, 16, 4);
	left = (uint32_t)(e.t.snd_max - e.t.snd_una);
	CU_ASSERT(e.t.sacked + e.t.lost <= left);
	CU_ASSERT(toe_pipe(&e.t) <= left);
	CU_ASSERT_PTR_NULL(toe_tcb_check(&e.t));
	toe_tcp_trim(&e.t, 16, 1);
	CU_ASSERT_PTR_NULL(toe_tcb_check(&e.t));
}

UNIT_MAIN("sendmap", T(add__one_flight_is_one_range), T(sack__splits_and_joins),
	  T(join__round_trips_stay_true), T(sack__nonsense_is_ignored),
	  T(sack__of_an_ack_that_was_overtaken), T(renege__everything_goes_again),
	  T(trim__keeps_the_sums_right), T(lost__arrives_before_it_went_again), T(full__goes_on),
	  T(trim__without_sack))
