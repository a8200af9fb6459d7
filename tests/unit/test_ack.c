/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/ack.c */
#include "tcp_env.h"

/* `n` full segments in flight, cwnd just as large. */
static struct env in_flight(unsigned n)
{
	struct env e = env_established();

	e.t.cwnd = n * ENV_MSS;
	e.t.ssthresh = e.t.cwnd;
	env_write(&e, 60000);
	CU_ASSERT_EQUAL(e.n, n);
	return e;
}

static void dup(struct env *e, uint32_t ack)
{
	env_in(e, TOE_ACK, 0, 0, ack);
}

static void ack__moves_una_and_stops_the_timer(void)
{
	struct env e = env_established();

	env_write(&e, 1500);
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT_NOT_EQUAL(e.t.rto_at, 0);
	env_in(&e, TOE_ACK, 0, 0, 1000);
	CU_ASSERT(e.act & TOE_ACT_TX_UNA);
	CU_ASSERT_EQUAL(toe_tcp_tx_una(&e.t), 1000);
	env_in(&e, TOE_ACK, 0, 0, 1500);
	CU_ASSERT_EQUAL(e.t.rto_at, 0);
}

static void ack__of_fin_is_no_byte(void)
{
	struct env e = env_established();

	env_write(&e, 100);
	env_run(&e, toe_tcp_shutdown(&e.t, e.now));
	env_in(&e, TOE_ACK, 0, 0, 101);
	CU_ASSERT_EQUAL(toe_tcp_tx_una(&e.t), 100);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_FIN_WAIT_2);
}

static void ack__measures_the_round_trip(void)
{
	struct env e = env_established();

	env_write(&e, 100);
	e.now += 30000;
	env_in(&e, TOE_ACK, 0, 0, 100);
	CU_ASSERT_EQUAL(e.t.srtt_us, 30000);
	CU_ASSERT_EQUAL(e.t.rttvar_us, 15000);
}

/* RFC 6298 3: it is not known which of the two was answered. */
static void ack__does_not_measure_what_was_sent_twice(void)
{
	struct env e = env_established();

	env_write(&e, 100);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.o[0].rexmit, 1);
	e.now += 1000;
	env_in(&e, TOE_ACK, 0, 0, 100);
	CU_ASSERT_EQUAL(e.t.srtt_us, 0);
	CU_ASSERT_EQUAL(e.t.backoff, 1);
}

static void ack__measures_by_timestamp_after_a_timeout(void)
{
	struct env e = env_established();
	struct toe_seg s;

	e.t.flags |= TOE_TCB_TS;
	env_write(&e, 100);
	env_timer(&e);
	s = env_seg(&e, TOE_ACK, 0, 0, 100);
	s.opts = TOE_SEG_TS;
	s.tsecr = toe_ts_now(&e.t, e.now);
	e.now += 50000;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT(e.t.srtt_us > 48000 && e.t.srtt_us < 52000);
	CU_ASSERT_EQUAL(e.t.backoff, 0);
}

static void ack__tells_of_space_when_a_third_is_free(void)
{
	struct env e = env_established();
	int64_t act = toe_tcp_send(&e.t, 65536, TOE_SEND_WANT_SPACE, e.now);

	CU_ASSERT_EQUAL(act & TOE_ACT_TX_SPACE, 0);
	e.t.cwnd = 70000;
	env_run(&e, (uint32_t)act);
	env_in(&e, TOE_ACK, 0, 0, 20000);
	CU_ASSERT_EQUAL(e.act & TOE_ACT_TX_SPACE, 0);
	env_in(&e, TOE_ACK, 0, 0, 22000);
	CU_ASSERT(e.act & TOE_ACT_TX_SPACE);
	env_in(&e, TOE_ACK, 0, 0, 40000);
	CU_ASSERT_EQUAL(e.act & TOE_ACT_TX_SPACE, 0);
}

/* RFC 9293 3.10.7.4: an old segment does not bring back an old window. */
static void window__by_the_newest_segment(void)
{
	static const struct {
		uint32_t seq, len, ack;
		uint16_t wnd;
		uint32_t then;
	} row[] = {
		{ 0, 100, 0, 5000, 5000 },
		{ 0, 0, 1000, 6000, 6000 }, /* same number, newer ACK (number is old: see below) */
		{ 100, 0, 500, 7000, 6000 }, /* old ACK */
		{ 100, 0, 1000, 8000, 8000 },
	};
	struct env e = in_flight(3);

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct toe_seg s = env_seg(&e, TOE_ACK, row[i].seq, row[i].len, row[i].ack);

		if (i == 1)
			s.seq += 100;
		s.wnd = row[i].wnd;
		env_run(&e, toe_tcp_input(&e.t, &s, e.now));
		CU_ASSERT_EQUAL(e.t.snd_wnd, row[i].then);
	}
}

/* RFC 3042. */
static void dupack__the_first_two_let_a_segment_go_each(void)
{
	struct env e = in_flight(4);

	for (unsigned i = 0; i < 2; i++) {
		dup(&e, 0);
		CU_ASSERT_EQUAL(e.n, 1);
		CU_ASSERT_EQUAL(env_out_seq(&e, 0), 4000 + 1000 * i);
	}
	CU_ASSERT_EQUAL(e.t.cwnd, 4000);
}

static void dupack__third_retransmits(void)
{
	struct env e = in_flight(10);

	for (unsigned i = 0; i < 3; i++)
		dup(&e, 0);
	CU_ASSERT(e.act & TOE_ACT_C_FAST_REXMIT);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 0);
	CU_ASSERT_EQUAL(e.o[0].len, 1000);
	CU_ASSERT_EQUAL(e.o[0].rexmit, 1);
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000); /* limited transmit's two do not count */
	CU_ASSERT(e.t.flags & TOE_TCB_RECOVERY);
}

static void dupack__what_is_none(void)
{
	static const struct {
		const char *what;
		uint32_t len, ack;
		uint16_t wnd;
	} row[] = {
		{ "with data", 10, 0, 60000 },
		{ "window update", 0, 0, 50000 },
		{ "old", 0, (uint32_t)-10, 60000 },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct env e = in_flight(4);
		struct toe_seg s = env_seg(&e, TOE_ACK, 0, row[i].len, row[i].ack);

		s.wnd = row[i].wnd;
		env_run(&e, toe_tcp_input(&e.t, &s, e.now));
		CU_ASSERT_EQUAL(e.t.dupacks, 0);
	}
}

static void dupack__none_without_data_in_flight(void)
{
	struct env e = env_established();

	for (unsigned i = 0; i < 5; i++)
		dup(&e, 0);
	CU_ASSERT_EQUAL(e.t.dupacks, 0);
}

/* RFC 6582 3.2 steps 3 and 4: two losses, one recovery. */
static void newreno__partial_ack_retransmits_the_next_hole(void)
{
	struct env e = in_flight(10);

	for (unsigned i = 0; i < 3; i++)
		dup(&e, 0);
	e.t.snd_end = e.t.snd_max; /* nothing new */
	env_in(&e, TOE_ACK, 0, 0, 4000);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 4000);
	CU_ASSERT(e.t.flags & TOE_TCB_RECOVERY);
	env_in(&e, TOE_ACK, 0, 0, 12000);
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_RECOVERY);
	/* ssthresh, no burst beyond an initial window, and what this ACK lets it grow by */
	CU_ASSERT_EQUAL(e.t.cwnd, 6000);
	CU_ASSERT_EQUAL(e.t.rto_at, 0);
}

/* RFC 6937: in all the rest of the window, half of what arrives is answered by new data. */
static void newreno__duplicates_let_new_data_go(void)
{
	struct env e = in_flight(10);
	unsigned n = 0;

	for (unsigned i = 0; i < 9; i++) {
		dup(&e, 0);
		n += e.n;
	}
	CU_ASSERT_EQUAL(e.t.snd_max - e.t.snd_first, 10000 + 1000 * (n - 1)); /* and one again */
	CU_ASSERT(n >= 6 && n <= 8);
	CU_ASSERT(toe_pipe(&e.t) <= 6000);
}

/* RFC 6582 3.2 step 2: duplicates that echo our own retransmissions are not a loss. */
static void newreno__not_again_below_recover(void)
{
	struct env e = in_flight(10);

	env_timer(&e);
	env_in(&e, TOE_ACK, 0, 0, 3000);
	for (unsigned i = 0; i < 5; i++)
		dup(&e, 3000);
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_RECOVERY);
}

/* SACK proves what RFC 6582 has to guess. */
static void newreno__right_at_recover_only_with_sack(void)
{
	for (unsigned sack = 0; sack < 2; sack++) {
		struct env e = in_flight(4);
		struct toe_seg s;

		e.t.flags |= TOE_TCB_SACK;
		e.t.recover = e.t.snd_una;
		s = env_seg(&e, TOE_ACK, 0, 0, 0);
		s.nsack = (uint8_t)sack;
		s.sack[0] = (struct toe_range){ s.ack + 1000, s.ack + 2000 };
		for (unsigned i = 0; i < 3; i++)
			env_run(&e, toe_tcp_input(&e.t, &s, e.now));
		CU_ASSERT_EQUAL(!!(e.t.flags & TOE_TCB_RECOVERY), sack);
	}
}

/* Lost: the FIN alone. */
static void newreno__retransmits_fin(void)
{
	struct env e = in_flight(4);

	e.t.snd_end = e.t.snd_max;
	env_run(&e, toe_tcp_shutdown(&e.t, e.now));
	env_in(&e, TOE_ACK, 0, 0, 4000);
	e.t.recover = 0;
	for (unsigned i = 0; i < 3; i++)
		dup(&e, 4000);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(e.o[0].flags & TOE_FIN);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 4000);
}

/*
 * The window counts from the ACK it came with: a new ACK without its window would stretch what the
 * peer offered.
 */
static void window__of_a_new_ack_on_a_retransmission(void)
{
	struct env e = env_established();
	struct toe_seg s;

	env_write(&e, 5000);
	env_in(&e, TOE_ACK, 1000, 1000, 0);
	s = env_seg(&e, TOE_ACK, 0, 1000, 5000); /* the peer fills its hole */
	s.wnd = 7000;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.snd_wnd, 7000);
	s = env_seg(&e, TOE_ACK, 0, 0, 4000); /* and this one was late */
	s.wnd = 9000;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.snd_wnd, 7000);
}

/* Bytes count, not ACKs (RFC 3465 2): a receiver that divides them, or acknowledges too much, gains nothing. */
static void ack__divided_or_optimistic(void)
{
	struct env whole = env_established(), parts = env_established();

	env_write(&whole, 10000);
	env_write(&parts, 10000);
	env_in(&whole, TOE_ACK, 0, 0, 1000);
	for (uint32_t a = 10; a <= 1000; a += 10)
		env_in(&parts, TOE_ACK, 0, 0, a);
	CU_ASSERT(parts.t.cwnd <= whole.t.cwnd);
	for (uint32_t a = 10001; a < 40000; a += 1000)
		env_in(&parts, TOE_ACK, 0, 0, a);
	CU_ASSERT(parts.t.cwnd <= whole.t.cwnd);
	CU_ASSERT_EQUAL(parts.t.snd_una, parts.t.snd_first + 1000);
}

/* All that is in flight is acknowledged `us` later: what TCP_INFO says of the rate then. */
static struct toe_flow_info rate_after(struct env *e, uint64_t us)
{
	struct toe_flow_info i;

	e->now += us;
	env_in(e, TOE_ACK, 0, 0, (uint32_t)(e->t.snd_max - e->t.snd_first));
	toe_tcp_info(&e->t, e->now, &i);
	return i;
}

/* tcp_info's tcpi_delivery_rate: the newest, or the highest while the application is what bounds it. */
static void rate__of_application_or_path(void)
{
	struct env e = env_established();
	struct toe_flow_info i;

	env_write(&e, 500);
	i = rate_after(&e, 100000);
	CU_ASSERT_EQUAL(i.delivery_rate, 5000);
	CU_ASSERT(i.options & TOE_INFO_APP_LIMITED);
	env_write(&e, 600);
	i = rate_after(&e, 100000);
	CU_ASSERT_EQUAL(i.delivery_rate, 5000);
	env_write(&e, 30600); /* more than cwnd */
	i = rate_after(&e, 100000);
	CU_ASSERT(i.options & TOE_INFO_APP_LIMITED && i.delivery_rate == 100000);
	i = rate_after(&e, 250000);
	CU_ASSERT(!(i.options & TOE_INFO_APP_LIMITED) && i.delivery_rate == 80000);
}

UNIT_MAIN("ack", T(ack__divided_or_optimistic), T(ack__moves_una_and_stops_the_timer),
	  T(ack__of_fin_is_no_byte), T(ack__measures_the_round_trip),
	  T(ack__does_not_measure_what_was_sent_twice),
	  T(ack__measures_by_timestamp_after_a_timeout),
	  T(ack__tells_of_space_when_a_third_is_free), T(window__by_the_newest_segment),
	  T(dupack__the_first_two_let_a_segment_go_each), T(dupack__third_retransmits),
	  T(dupack__what_is_none), T(dupack__none_without_data_in_flight),
	  T(newreno__partial_ack_retransmits_the_next_hole), T(newreno__duplicates_let_new_data_go),
	  T(newreno__not_again_below_recover), T(newreno__right_at_recover_only_with_sack),
	  T(newreno__retransmits_fin), T(window__of_a_new_ack_on_a_retransmission),
	  T(rate__of_application_or_path))
