/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/input.c: which segments are believed (RFC 9293 3.10.7.4, RFC 7323 5, RFC 5961). */
#include "tcp_env.h"

static struct env stamped(void)
{
	struct env e = env_established();

	e.t.flags |= TOE_TCB_TS;
	e.t.ts_recent = 1000;
	e.t.ts_recent_age_s = toe_age_s(e.now);
	e.t.mss -= TOE_TS_OPT_LEN;
	return e;
}

static uint32_t stamped_in(struct env *e, uint8_t flags, uint32_t seq, uint32_t len, uint32_t tsval)
{
	struct toe_seg s = env_seg(e, flags, seq, len, 0);

	s.opts = TOE_SEG_TS;
	s.tsval = tsval;
	env_run(e, toe_tcp_input(&e->t, &s, e->now));
	return e->act;
}

static void input__in_order_is_predicted_and_acked_late(void)
{
	struct env e = env_established();

	CU_ASSERT_EQUAL(env_in(&e, TOE_ACK | TOE_PSH, 0, 100, 0), TOE_ACT_RX);
	CU_ASSERT_EQUAL(e.n, 0);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), e.now + TOE_DELACK_US);
	env_timer(&e);
	CU_ASSERT_TRUE(env_only_ack(&e, 100));
}

/* The table of RFC 9293 3.10.7.4 and its neighbourhood; window [0, 65536). */
static void input__acceptability(void)
{
	static const struct {
		const char *what;
		uint32_t seq, len;
		bool rx, ack;
	} row[] = {
		{ "old duplicate", (uint32_t)-100, 100, false, true },
		{ "half old", (uint32_t)-50, 100, true, false },
		{ "beyond the window", 65536, 10, false, true },
		{ "last byte of the window", 65534, 10, false, true },
		{ "bare ACK at the right edge", 65535, 0, false, false },
		{ "bare ACK beyond", 65600, 0, false, true },
		{ "keep-alive", (uint32_t)-1, 0, false, true },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct env e = env_established();

		env_in(&e, TOE_ACK, row[i].seq, row[i].len, 0);
		CU_ASSERT_EQUAL(!!(e.act & TOE_ACT_RX), row[i].rx);
		CU_ASSERT_EQUAL(e.n, row[i].ack);
		CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), row[i].rx ? 50 : 0);
	}
}

static void input__without_ack_is_dropped(void)
{
	struct env e = env_established();

	CU_ASSERT_EQUAL(env_in(&e, 0, 0, 10, 0), 0);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 0);
}

/* RFC 5961 3.2. */
static void input__rst_needs_the_exact_number(void)
{
	struct env e = env_established();

	env_in(&e, TOE_RST, 1, 0, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_TRUE(env_only_ack(&e, 0));
	env_in(&e, TOE_RST, 70000, 0, 0);
	CU_ASSERT_EQUAL(e.n, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	env_in(&e, TOE_RST, 0, 0, 0);
	CU_ASSERT_EQUAL(e.act, TOE_ACT_ERROR | TOE_ACT_FREE);
	CU_ASSERT_EQUAL(e.t.error, ECONNRESET);
}

/* RFC 5961 4.2. */
static void input__syn_in_window_is_challenged(void)
{
	struct env e = env_established();

	env_in(&e, TOE_SYN, 5, 0, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_TRUE(env_only_ack(&e, 0));
}

static void input__ack_of_what_was_not_sent(void)
{
	struct env e = env_established();

	env_in(&e, TOE_ACK, 0, 10, 1);
	CU_ASSERT_TRUE(env_only_ack(&e, 0));
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 0);
}

/* RFC 5961 5.2. */
static void input__ack_from_the_distant_past(void)
{
	struct env e = env_established();

	for (uint32_t end = 10000; end <= 80000; end += 10000) {
		env_write(&e, end);
		env_in(&e, TOE_ACK, 0, 0, end);
	}
	env_in(&e, TOE_ACK, 0, 10, 10000);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 0);
	env_in(&e, TOE_ACK, 0, 10, 30000); /* old, but possible */
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 10);
}

/* Inside the bounds of RFC 5961 5.2, but below the first byte that there was: made up as well. */
/* The SYN's own number is the lowest one that was sent. */
static void input__ack_from_before_the_syn(void)
{
	struct env e = env_established();

	env_in(&e, TOE_ACK, 0, 10, UINT32_MAX - 1);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 0);
	CU_ASSERT(env_only_ack(&e, 0));
	env_in(&e, TOE_ACK, 0, 10, UINT32_MAX);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 10);
}

/* Two ends that disagree must not answer each other for ever. */
static void input__bare_segments_outside_are_answered_rarely(void)
{
	struct env e = env_established();
	unsigned answers = 0;

	for (unsigned i = 0; i < 1000; i++, e.now += 1000) {
		env_in(&e, TOE_ACK, 100000, 0, 0);
		answers += e.n;
	}
	CU_ASSERT_EQUAL(answers, 10);
}

static void input__paws(void)
{
	struct env e = stamped();

	stamped_in(&e, TOE_ACK, 0, 10, 999);
	CU_ASSERT(e.act & TOE_ACT_C_PAWS);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 0);
	CU_ASSERT_TRUE(env_only_ack(&e, 0));
	stamped_in(&e, TOE_ACK, 0, 10, 1000);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 10);
}

static void input__paws_does_not_stop_rst(void)
{
	struct env e = stamped();

	stamped_in(&e, TOE_RST, 0, 0, 1);
	CU_ASSERT(e.act & TOE_ACT_FREE);
}

/* RFC 7323 5.5: after 24 days of silence a peer's clock may have gone half round. */
static void input__paws_forgets(void)
{
	struct env e = stamped();

	e.now += 25ull * 86400 * 1000000;
	stamped_in(&e, TOE_ACK, 0, 10, 999);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 10);
	CU_ASSERT_EQUAL(e.t.ts_recent, 999);
}

/* It lost its timestamp on the way: what stands in that field is none, neither for PAWS nor as an echo. */
static void input__timestamp_missing(void)
{
	struct env e = stamped();

	CU_ASSERT_FALSE(env_in(&e, TOE_ACK, 0, 10, 0) & TOE_ACT_C_PAWS);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 10);
	CU_ASSERT_EQUAL(e.t.ts_recent, 1000);
}

/* All other checks hold. */
static void input__timestamp_missing_out_of_window(void)
{
	struct env e = stamped();

	CU_ASSERT(env_in(&e, TOE_ACK, 100000, 10, 0) & TOE_ACT_C_UNACCEPTABLE);
	CU_ASSERT(env_in(&e, TOE_ACK, 0, 10, 100000) & TOE_ACT_C_UNACCEPTABLE);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 0);
}

/* RFC 7323 4.3: the echo is of the segment that the ACK answers first, not of the latest. */
static void input__ts_recent(void)
{
	struct env e = stamped();

	stamped_in(&e, TOE_ACK, 0, 10, 1005);
	CU_ASSERT_EQUAL(e.t.ts_recent, 1005);
	stamped_in(&e, TOE_ACK, 10, 10, 1007); /* the first is not acknowledged yet */
	CU_ASSERT_EQUAL(e.t.ts_recent, 1005);
	env_timer(&e);
	stamped_in(&e, TOE_ACK, 100, 10, 1009); /* a hole before it */
	CU_ASSERT_EQUAL(e.t.ts_recent, 1005);
	stamped_in(&e, TOE_ACK, 20, 80, 1011);
	CU_ASSERT_EQUAL(e.t.ts_recent, 1011);
}

static void input__closed_answers_rst(void)
{
	struct env e = env_last_ack();

	env_in(&e, TOE_ACK, 1, 0, 1);
	CU_ASSERT_EQUAL(env_in(&e, TOE_ACK, 1, 0, 1), TOE_ACT_RST);
}

static void input__time_wait_before_close(void)
{
	struct env e = env_time_wait();
	uint64_t end = toe_tcp_deadline(&e.t);

	e.now += 1000000;
	env_in(&e, TOE_FIN | TOE_ACK, 0, 0, 1);
	CU_ASSERT_TRUE(env_only_ack(&e, 1));
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), end + 1000000);
	env_in(&e, TOE_RST, 1, 0, 1); /* RFC 1337 */
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_TIME_WAIT);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_CLOSED);
	CU_ASSERT_EQUAL(toe_tcp_close(&e.t, e.now), TOE_ACT_FREE);
}

/* Whatever comes, in whatever state, the invariants hold (env_run looks). */
static void input__any_segment_in_any_state(void)
{
	static struct env (*const make[])(void) = {
		env_syn_received, env_syn_sent, env_established, env_fin_wait_1, env_fin_wait_2,
		env_close_wait,   env_closing,  env_last_ack,    env_time_wait
	};
	uint64_t x = 1;

	for (unsigned i = 0; i < 30000; i++) {
		struct env e = make[i % 9]();

		env_write(&e, i % 9 == 2 ? 5000 : 0);
		for (unsigned j = 0; j < 12; j++) {
			struct toe_seg s;

			x = x * 6364136223846793005ull + 1442695040888963407ull;
			s = env_seg(&e, (uint8_t)(x >> 20 & x >> 33) | (x >> 50 & TOE_ACK),
				    (uint32_t)(x >> 41 & 3) * 1000 - 1 + (x >> 60 & 3),
				    (uint32_t)(x >> 45 & 3) * 1000,
				    (uint32_t)(x >> 55 & 7) * 1000 - (x >> 62));
			s.wnd = (uint16_t)((x >> 30 & 3) * 1000);
			e.now += (x >> 35 & 7) == 7 ? 300000 : 10;
			env_run(&e, toe_tcp_input(&e.t, &s, e.now));
			if (toe_tcp_deadline(&e.t) && toe_tcp_deadline(&e.t) <= e.now)
				env_run(&e, toe_tcp_timer(&e.t, e.now));
		}
	}
}

/* RFC 5961 7: data does not buy a challenge. */
static void input__challenges_are_limited(void)
{
	struct env e = env_established();
	unsigned acks = 0;

	for (unsigned i = 0; i < 1000; i++, e.now += 1000) {
		env_in(&e, (uint8_t[]){ TOE_SYN, TOE_RST, TOE_ACK }[i % 3], 100, 10, 1000000);
		acks += e.n;
	}
	CU_ASSERT(acks >= 9 && acks <= 11);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
}

UNIT_MAIN("input", T(input__in_order_is_predicted_and_acked_late), T(input__acceptability),
	  T(input__without_ack_is_dropped), T(input__rst_needs_the_exact_number),
	  T(input__syn_in_window_is_challenged), T(input__challenges_are_limited),
	  T(input__ack_of_what_was_not_sent), T(input__ack_from_the_distant_past),
	  T(input__ack_from_before_the_syn), T(input__bare_segments_outside_are_answered_rarely),
	  T(input__paws), T(input__paws_does_not_stop_rst), T(input__paws_forgets),
	  T(input__timestamp_missing), T(input__timestamp_missing_out_of_window),
	  T(input__ts_recent), T(input__closed_answers_rst), T(input__time_wait_before_close),
	  T(input__any_segment_in_any_state))
