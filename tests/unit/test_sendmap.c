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

/* A part of a segment is no sign that the segment has come. */
static void sack__whole_segments_count(void)
{
	static const uint32_t row[][3] = {
		{ 9999, 10000, 0 },    { 3000, 3999, 0 },    { 3500, 4500, 0 },
		{ 3001, 5000, 1000 },  { 3500, 6500, 2000 }, { 2000, 4000, 2000 },
		{ 8001, 10000, 1000 }, { 1, 10000, 9000 },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct env e = sack_flight(10);

		sack(&e, 0, row[i][0], row[i][1]);
		CU_ASSERT_EQUAL(e.t.sacked, row[i][2]);
		CU_ASSERT(e.t.sacked || e.t.nsent == 1);
		env_in(&e, TOE_ACK, 0, 0, 10000);
		CU_ASSERT_EQUAL(e.t.sacked, 0);
	}
}

/* What is SACKed counts from where it is known, also where an ACK has come up to the midst of a segment. */
static void sack__behind_an_ack_inside_a_segment(void)
{
	struct env e = sack_flight(10);

	sack(&e, 500, 700, 1000);
	CU_ASSERT_EQUAL(e.t.sacked, 0);
	sack(&e, 500, 900, 4000);
	CU_ASSERT_EQUAL(e.t.sacked, 3000);
}

/* `n` writes, each a segment. */
static struct env writes(const uint32_t *len, unsigned n)
{
	struct env e = sack_idle();
	uint32_t end = 0;

	e.t.flags |= TOE_TCB_NODELAY;
	for (unsigned i = 0; i < n; i++)
		env_write(&e, end += len[i]);
	return e;
}

/* The short segment at the end of a burst has a range, where segments of all sizes lie together bytes count. */
static void sack__short_segments(void)
{
	struct env end = writes((uint32_t[]){ 1000, 1000, 400 }, 3);
	struct env same = writes((uint32_t[]){ 300, 300, 300, 300 }, 4);
	struct env any = writes((uint32_t[]){ 400, 700, 20, 1000, 30, 5 }, 6);

	CU_ASSERT_EQUAL(end.t.nsent, 2);
	sack(&end, 0, 2000, 2399);
	CU_ASSERT_EQUAL(end.t.sacked, 0);
	sack(&end, 0, 1500, 2400);
	CU_ASSERT_EQUAL(end.t.sacked, 400);
	CU_ASSERT_EQUAL(same.t.nsent, 1);
	sack(&same, 0, 301, 901);
	CU_ASSERT_EQUAL(same.t.sacked, 300);
	CU_ASSERT_EQUAL(any.t.nsent, 1);
	sack(&any, 0, 1100, 1120);
	CU_ASSERT_EQUAL(any.t.sacked, 20);
}

/* Some receivers leave out the FIN that came with what they SACK. */
static void sack__all_but_the_fin(void)
{
	struct env e = sack_idle();

	e.t.snd_end = e.t.snd_first + 1400;
	env_run(&e, toe_tcp_shutdown(&e.t, e.now));
	CU_ASSERT(e.t.flags & TOE_TCB_FIN_SENT);
	sack(&e, 0, 1000, 1399);
	CU_ASSERT_EQUAL(e.t.sacked, 0);
	sack(&e, 0, 1000, 1400);
	CU_ASSERT_EQUAL(e.t.sacked, 400);
	sack(&e, 0, 1000, 1401);
	CU_ASSERT_EQUAL(e.t.sacked, 401);
}

/* Sent again in other pieces: what the peer has of either counts, to the byte. */
static void again__in_other_pieces(void)
{
	struct env e = sack_flight(6), s = sack_flight(6);

	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	sack(&e, 0, 4000, 6000); /* it may be late */
	e.t.mss = 600;
	env_timer(&e);
	CU_ASSERT(e.n && e.o[0].len == 600);
	sack(&e, 0, 1000, 2000);
	CU_ASSERT_EQUAL(e.t.sacked, 3000);
	sack(&e, 0, 600, 2000);
	CU_ASSERT_EQUAL(e.t.sacked, 3400);

	s.t.snd_end = s.t.snd_max;
	s.now += 20000;
	sack(&s, 0, 4000, 6000);
	env_timer(&s); /* in the same pieces */
	CU_ASSERT(s.n && s.o[0].len == 1000);
	sack(&s, 0, 1500, 2500);
	CU_ASSERT_EQUAL(s.t.sacked, 2000);
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

/* RFC 6675 2: the echo of a needless retransmission is no duplicate, and three of them make nothing certain. */
static void sack__echoes_are_no_duplicates(void)
{
	struct env e = sack_flight(10);

	env_in(&e, TOE_ACK, 0, 0, 4000);
	for (unsigned i = 0; i < 3; i++)
		sack(&e, 4000, 1000 * i, 1000 * i + 1000);
	CU_ASSERT_EQUAL(e.t.dupacks, 0);
	sack(&e, 4000, 5000, 6000);
	CU_ASSERT_EQUAL(e.t.dupacks, 1);
	sack(&e, 4000, 5000, 6000);
	CU_ASSERT_EQUAL(e.t.dupacks, 1);
}

/* What was SACKed grew over segments of all sizes: once the peer has forgotten it, nobody knows theirs. */
static void renege__boundaries_are_forgotten(void)
{
	struct env e = writes((uint32_t[]){ 1000, 1000, 1000, 400 }, 4);

	e.now += 20000;
	sack(&e, 0, 1000, 3400);
	env_in(&e, TOE_ACK, 0, 0, 1000);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.t.sacked, 0);
	sack(&e, 1000, 2000, 3000);
	CU_ASSERT_EQUAL(e.t.sacked, 1000);
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
			sack(&e, 0, s * 1000, s * 1000 + 1000);
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

/* More ranges than the map holds: blocks of one byte each, where segments may have ended anywhere. */
static void full__goes_on(void)
{
	struct env e = sack_flight(30);

	toe_sent_first(&e.t)->seg_len = 1;
	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	for (uint32_t s = 1; s < 29990; s += 20)
		sack(&e, 0, s, s + 1);
	CU_ASSERT(e.t.nsent <= TOE_MAX_SENT);
	env_in(&e, TOE_ACK, 0, 0, 30000);
	CU_ASSERT_EQUAL(e.t.nsent, 0);
}

/*
 * Without room for another range all of a hole counts as sent again: what the peer has of the piece that was,
 * counts to the byte.
 */
static void full__again_in_other_pieces(void)
{
	struct env e = sack_idle();
	struct toe_seg s = env_seg(&e, TOE_ACK, 0, 0, 0);
	struct toe_out o;
	uint32_t known;

	e.t.snd_size = 16u << 20;
	e.t.cwnd = e.t.snd_wnd = e.t.max_snd_wnd = 1 << 30;
	e.t.snd_end += 2 * TOE_MAX_SENT * 1000;
	while (toe_tcp_output(&e.t, e.now, &o))
		;
	s.opts |= TOE_SEG_SACK;
	s.nsack = 1;
	for (uint32_t i = 1; i < 2 * TOE_MAX_SENT; i += 2) {
		s.sack[0] = (struct toe_range){ s.ack + i * 1000, s.ack + i * 1000 + 1000 };
		toe_tcp_input(&e.t, &s, e.now);
	}
	CU_ASSERT(e.t.nsent > TOE_MAX_SENT - 2);
	e.now = e.t.rto_at;
	toe_tcp_timer(&e.t, e.now);
	e.t.mss = 600;
	e.t.cwnd = 1 << 30;
	for (unsigned i = 0; i < 2; i++)
		CU_ASSERT(toe_tcp_output(&e.t, e.now, &o) && o.len == 600);
	CU_ASSERT_EQUAL(o.seq, s.ack + 2000);
	known = e.t.sacked;
	s.sack[0] = (struct toe_range){ s.ack + 1000, s.ack + 2600 };
	toe_tcp_input(&e.t, &s, e.now);
	CU_ASSERT_EQUAL(e.t.sacked, known + 600);
	CU_ASSERT_PTR_NULL(toe_tcb_check(&e.t));
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
	  T(sack__whole_segments_count), T(sack__behind_an_ack_inside_a_segment),
	  T(sack__short_segments), T(sack__all_but_the_fin), T(again__in_other_pieces),
	  T(sack__of_an_ack_that_was_overtaken), T(sack__echoes_are_no_duplicates),
	  T(renege__boundaries_are_forgotten), T(renege__everything_goes_again),
	  T(trim__keeps_the_sums_right), T(lost__arrives_before_it_went_again), T(full__goes_on),
	  T(full__again_in_other_pieces), T(trim__without_sack))
