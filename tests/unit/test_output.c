/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/output.c */
#include "tcp_env.h"

static void output__segments_and_push(void)
{
	struct env e = env_established();

	env_run(&e, (uint32_t)toe_tcp_option(&e.t, TOE_OPT_NODELAY, 1, e.now));
	env_write(&e, 2500);
	CU_ASSERT_EQUAL(e.n, 3);
	CU_ASSERT(e.o[0].len == 1000 && e.o[0].pos == 0 && e.o[0].flags == TOE_ACK);
	CU_ASSERT(e.o[2].len == 500 && e.o[2].pos == 2000 && e.o[2].flags == (TOE_ACK | TOE_PSH));
	CU_ASSERT_EQUAL(e.o[2].opt_len, 0);
}

static void output__numbers_wrap(void)
{
	struct env e = env_established();

	e.t.cwnd = 60000;
	env_write(&e, 10000);
	CU_ASSERT_EQUAL(e.n, 10);
	CU_ASSERT_EQUAL(e.o[9].seq, (uint32_t)(ENV_ISN + 1 + 9000));
	CU_ASSERT(e.o[9].seq < e.o[0].seq);
	env_in(&e, TOE_ACK, 0, 0, 10000);
	CU_ASSERT_EQUAL(toe_tcp_tx_una(&e.t), 10000);
}

static void output__stays_inside_both_windows(void)
{
	struct env e = env_established();

	env_ack_wnd(&e, 0, 3000);
	env_write(&e, 60000);
	CU_ASSERT_EQUAL(e.n, 3);
	e = env_established();
	CU_ASSERT_EQUAL(e.t.cwnd, 10 * ENV_MSS);
	env_write(&e, 60000);
	CU_ASSERT_EQUAL(e.n, 10);
}

/* Not even by a part of a segment is more in flight than a window lets (RFC 5681 3.1). */
static void output__rest_of_a_window_waits_for_more(void)
{
	struct env e = env_established();

	e.t.cwnd = 2 * ENV_MSS;
	env_write(&e, 100);
	env_write(&e, 5000);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 1000);
	env_in(&e, TOE_ACK, 0, 0, 100);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 1000);
	e = env_established();
	env_ack_wnd(&e, 0, 1500);
	env_write(&e, 100);
	env_write(&e, 5000);
	CU_ASSERT_EQUAL(e.n, 1);
	env_ack_wnd(&e, 0, 1400);
	CU_ASSERT_EQUAL(e.n, 0);
}

static void nagle__holds_a_short_segment_while_data_is_in_flight(void)
{
	struct env e = env_established();

	env_write(&e, 10);
	CU_ASSERT_EQUAL(e.n, 1);
	env_write(&e, 20);
	CU_ASSERT_EQUAL(e.n, 0);
	env_write(&e, 30);
	CU_ASSERT_EQUAL(e.n, 0);
	env_in(&e, TOE_ACK, 0, 0, 10);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 20);
}

static void nagle__lets_full_segments_go(void)
{
	struct env e = env_established();

	env_write(&e, 10);
	env_write(&e, 1500);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 1000);
}

/* Minshall: what is short waits for what was short, not for full segments. */
static void nagle__lets_the_end_of_a_long_write_go(void)
{
	struct env e = env_established();

	env_write(&e, 1500);
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT_EQUAL(e.o[1].len, 500);
	env_write(&e, 1520);
	CU_ASSERT_EQUAL(e.n, 0);
	env_in(&e, TOE_ACK, 0, 0, 1000);
	CU_ASSERT_EQUAL(e.n, 0);
	env_in(&e, TOE_ACK, 0, 0, 1500);
	CU_ASSERT_EQUAL(e.n, 1);
}

/* What the windows are open for is what leaves: whole segments, from the first one on. */
static void open__whole_segments(void)
{
	struct env e = env_established();

	e.t.cwnd = 10000;
	e.t.snd_wnd = 2500;
	CU_ASSERT_EQUAL(toe_tcp_tx_open(&e.t), 2000);
	env_write(&e, 9000);
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT_EQUAL(toe_tcp_tx_open(&e.t), 2000);
	env_ack_wnd(&e, 1000, 3500);
	CU_ASSERT_EQUAL(toe_tcp_tx_open(&e.t), 4000);
	e.t.pace_at = e.now + 100;
	e.t.snd_wnd = 60000;
	CU_ASSERT_EQUAL(toe_tcp_tx_open(&e.t), 4000);
	e = env_syn_sent();
	CU_ASSERT_EQUAL(toe_tcp_tx_open(&e.t), 0);
}

static void nagle__off(void)
{
	struct env e = env_established();

	env_write(&e, 10);
	env_write(&e, 20);
	CU_ASSERT_EQUAL(e.n, 0);
	env_run(&e, (uint32_t)toe_tcp_option(&e.t, TOE_OPT_NODELAY, 1, e.now));
	CU_ASSERT_EQUAL(e.n, 1);
	env_write(&e, 30);
	CU_ASSERT_EQUAL(e.n, 1);
}

static void nagle__fin_takes_the_rest_along(void)
{
	struct env e = env_established();

	env_write(&e, 10);
	env_write(&e, 20);
	env_run(&e, toe_tcp_shutdown(&e.t, e.now));
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 10);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_FIN | TOE_ACK | TOE_PSH);
}

static void cork__holds_until_taken_out(void)
{
	struct env e = env_established();

	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 1010, TOE_SEND_CORKED, e.now));
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 1000);
	env_in(&e, TOE_ACK, 0, 0, 1000);
	CU_ASSERT_EQUAL(e.n, 0);
	env_write(&e, 1010); /* says so no more */
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 10);
}

static void cork__forgotten_is_pushed_after_a_while(void)
{
	struct env e = env_established();

	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 10, TOE_SEND_CORKED, e.now));
	CU_ASSERT_EQUAL(e.n, 0);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.now, ENV_T0 + TOE_RTO_MIN_US);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 10);
}

static void more__holds_until_the_next_send(void)
{
	struct env e = env_established();

	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 10, TOE_SEND_MORE, e.now));
	CU_ASSERT_EQUAL(e.n, 0);
	env_write(&e, 20);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 20);
	CU_ASSERT_EQUAL(e.t.rto_at, e.now + toe_rto(&e.t)); /* persist has given way */
}

static void more__holds_until_an_ack_and_cork_beyond(void)
{
	struct env e = env_established();

	env_write(&e, 10);
	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 30, TOE_SEND_MORE, e.now));
	CU_ASSERT_EQUAL(e.n, 0);
	env_ack_wnd(&e, 10, 60000);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 20);
	CU_ASSERT(!(e.o[0].flags & TOE_PSH));
	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 50, TOE_SEND_CORKED, e.now));
	env_ack_wnd(&e, 30, 60000);
	CU_ASSERT_EQUAL(e.n, 0);
	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 50, 0, e.now));
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(e.o[0].flags & TOE_PSH);
}

/* RFC 9293 3.8.6.2.1. */
static void sws__waits_for_half_the_largest_window(void)
{
	struct env e = env_established();

	env_ack_wnd(&e, 0, 300);
	e.t.max_snd_wnd = 800;
	env_write(&e, 5000);
	CU_ASSERT_EQUAL(e.n, 0);
	env_ack_wnd(&e, 0, 400);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 400);
}

static void sws__gives_in_after_a_while(void)
{
	struct env e = env_established();

	env_ack_wnd(&e, 0, 300);
	env_write(&e, 5000);
	CU_ASSERT_EQUAL(e.n, 0);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 300);
}

static void probe__one_byte_and_then_the_rest(void)
{
	struct env e = env_established();

	env_ack_wnd(&e, 0, 0);
	env_write(&e, 2000);
	CU_ASSERT_EQUAL(e.n, 0);
	env_timer(&e);
	CU_ASSERT(e.act & TOE_ACT_C_PROBE);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(e.o[0].len == 1 && env_out_seq(&e, 0) == 0);
	env_ack_wnd(&e, 0, 60000); /* it opened, the byte was not taken */
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 0);
	CU_ASSERT_EQUAL(e.o[0].len, 1000);
}

static void probe__byte_is_taken(void)
{
	struct env e = env_established();

	env_ack_wnd(&e, 0, 0);
	env_write(&e, 2000);
	env_timer(&e);
	env_ack_wnd(&e, 1, 60000);
	CU_ASSERT(e.n >= 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 1);
	CU_ASSERT_EQUAL(e.o[0].len, 1000);
}

/* The last byte of the stream goes out as a probe; FIN does not ride on it, but must follow. */
static void probe__last_byte_before_fin(void)
{
	struct env e = env_established();

	env_ack_wnd(&e, 0, 0);
	env_write(&e, 1);
	env_run(&e, toe_tcp_shutdown(&e.t, e.now));
	CU_ASSERT_EQUAL(e.n, 0);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 1);
	CU_ASSERT_FALSE(e.o[0].flags & TOE_FIN);
	env_ack_wnd(&e, 1, 60000);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_FIN | TOE_ACK);
	env_in(&e, TOE_ACK, 0, 0, 2);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_FIN_WAIT_2);
}

/* RFC 1122 4.2.2.17: no time is too long, as long as the peer answers. */
static void probe__never_gives_up_on_a_live_peer(void)
{
	struct env e = env_established();
	uint64_t before = 0;

	env_ack_wnd(&e, 0, 0);
	env_write(&e, 2000);
	for (unsigned i = 0; i < 200; i++) {
		before = e.now;
		env_timer(&e);
		CU_ASSERT_EQUAL(e.n, 1);
		CU_ASSERT(e.now - before <= TOE_RTO_MAX_US);
		env_ack_wnd(&e, 0, 0);
	}
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_EQUAL(e.now - before, TOE_RTO_MAX_US);
}

/*
 * Nobody waits for the end of a closed connection: a peer may not keep it for ever by shutting its
 * window.
 */
static void probe__gives_up_for_a_closed_application(void)
{
	static const uint32_t written[] = { 0, 100 }; /* FIN alone, and FIN behind data */

	for (unsigned i = 0; i < 2; i++) {
		struct env e = env_established();
		unsigned n = 0;

		env_ack_wnd(&e, 0, 0);
		env_write(&e, written[i]);
		env_run(&e, toe_tcp_close(&e.t, e.now));
		for (; n < 100 && e.t.state != TOE_TCP_CLOSED; n++) {
			env_timer(&e);
			if (e.t.state != TOE_TCP_CLOSED)
				env_ack_wnd(&e, 0, 0);
		}
		CU_ASSERT_EQUAL(n, TOE_MAX_REXMITS + 1);
		CU_ASSERT(e.act & TOE_ACT_FREE);
	}
}

static void probe__gives_up_on_a_dead_one(void)
{
	struct env e = env_established();
	unsigned n = 0;

	env_ack_wnd(&e, 0, 0);
	env_write(&e, 2000);
	while (e.t.state == TOE_TCP_ESTABLISHED && n++ < 100)
		env_timer(&e);
	CU_ASSERT_EQUAL(n, TOE_MAX_REXMITS + 1);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
}

/* The window shut on data in flight: probes must go on where retransmission cannot. */
static void probe__after_a_timeout_into_a_shut_window(void)
{
	struct env e = env_established();

	env_write(&e, 3000);
	env_ack_wnd(&e, 1000, 0);
	for (unsigned i = 0; i < 50; i++) {
		env_timer(&e);
		env_ack_wnd(&e, 1000, 0);
	}
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(e.o[0].len == 1 && env_out_seq(&e, 0) == 1000);
	env_ack_wnd(&e, 1000, 60000);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 1000);
	CU_ASSERT_EQUAL(e.o[0].len, 1000);
}

static void idle__window_restarts(void)
{
	struct env e = env_established();

	env_write(&e, 1000);
	env_in(&e, TOE_ACK, 0, 0, 1000);
	e.t.cwnd = 50000;
	e.now += 100000;
	env_write(&e, 31000);
	CU_ASSERT_EQUAL(e.n, 30);
	env_in(&e, TOE_ACK, 0, 0, 31000);
	e.t.cwnd = 50000;
	e.now += 5000000;
	env_write(&e, 61000);
	CU_ASSERT_EQUAL(e.n, 10);
}

/* A short segment of gigabytes ago is not in flight, though its number looks so by now. */
static void nagle__short_one_long_ago(void)
{
	struct env e = env_established();

	e.t.snd_small = (uint32_t)e.t.snd_una - 0xc0000000u;
	env_write(&e, 1500);
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT_EQUAL(e.o[1].len, 500);
}

/*
 * The persist timer fired, but there was no frame to send the probe in; then the window opened for
 * what is lost, and not for more. The probe is off, or its byte would stand behind data in flight.
 */
static void probe__not_behind_data(void)
{
	struct env e = env_established();

	env_write(&e, 1000);
	env_ack_wnd(&e, 0, 0);
	while (!(e.t.flags & TOE_TCB_PERSIST))
		env_timer(&e);
	e.now = toe_tcp_deadline(&e.t);
	toe_tcp_timer(&e.t, e.now);
	CU_ASSERT(toe_tcp_send(&e.t, 9000, 0, e.now) >= 0);
	env_ack_wnd(&e, 0, 1000);
	CU_ASSERT_EQUAL(e.t.snd_nxt, e.t.snd_max);
}

UNIT_MAIN("output", T(output__segments_and_push), T(output__numbers_wrap),
	  T(output__stays_inside_both_windows), T(output__rest_of_a_window_waits_for_more),
	  T(nagle__holds_a_short_segment_while_data_is_in_flight), T(nagle__lets_full_segments_go),
	  T(nagle__lets_the_end_of_a_long_write_go), T(nagle__off), T(open__whole_segments),
	  T(nagle__fin_takes_the_rest_along), T(cork__holds_until_taken_out),
	  T(cork__forgotten_is_pushed_after_a_while), T(more__holds_until_the_next_send),
	  T(more__holds_until_an_ack_and_cork_beyond), T(sws__waits_for_half_the_largest_window),
	  T(sws__gives_in_after_a_while), T(probe__one_byte_and_then_the_rest),
	  T(probe__byte_is_taken), T(probe__last_byte_before_fin),
	  T(probe__never_gives_up_on_a_live_peer), T(probe__gives_up_for_a_closed_application),
	  T(probe__gives_up_on_a_dead_one), T(probe__after_a_timeout_into_a_shut_window),
	  T(idle__window_restarts), T(nagle__short_one_long_ago), T(probe__not_behind_data))
