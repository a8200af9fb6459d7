/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcp_env.h"

enum { MB = 1 << 20, RTT = 20000 };

static uint32_t at; /* bytes received and read so far */

/* A connection of timestamps' peers with room to grow; rings are granted as they are asked for. */
static struct env tuned(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	at = 0;
	how.rcv_most = 6 * MB;
	how.snd_most = 4 * MB;
	syn.opts |= TOE_SEG_WSCALE;
	syn.wscale = 7;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	env_in(&e, TOE_ACK, 0, 0, 0);
	e.t.srtt_us = RTT;
	return e;
}

/* What the core does on TOE_ACT_GROW, with memory to spare. */
static void grow(struct env *e)
{
	unsigned rx = TOE_RING_SHIFT_MIN, tx = TOE_RING_SHIFT_MIN;

	while (1u << rx < e->t.rcv_want)
		rx++;
	while (1u << tx < e->t.snd_want)
		tx++;
	e->t.rcv_ring = toe_ring_word(0, rx, rx, 0);
	e->t.snd_ring = toe_ring_word(1, tx, tx, 0);
	env_run(e, toe_tcp_fit(&e->t));
}

/* A round trip in which the peer sends, and the application reads, `n` bytes in pieces. */
static void round_trip(struct env *e, uint32_t n)
{
	for (uint32_t end = at + n; at < end; at += ENV_MSS)
		env_in(e, TOE_ACK, at, ENV_MSS, 0);
	e->now += RTT;
	env_read(e, at);
	if (e->act & TOE_ACT_GROW)
		grow(e);
}

static void recv__follows_the_reader(void)
{
	struct env e = tuned();
	uint32_t size = e.t.rcv_size;

	CU_ASSERT_EQUAL(e.t.rcv_wscale, 8); /* for all that it may come to */
	round_trip(&e, 1000);
	for (unsigned i = 0; i < 12; i++) {
		round_trip(&e, e.t.rcv_size / ENV_MSS * ENV_MSS - 2 * ENV_MSS);
		CU_ASSERT(e.t.rcv_size >= size);
		size = e.t.rcv_size;
	}
	CU_ASSERT_EQUAL(e.t.rcv_size, 6 * MB);
	CU_ASSERT_EQUAL(e.t.rcv_adv - e.t.rcv_read, 6 * MB);
}

static void recv__half_a_window_a_round_trip_is_enough(void)
{
	struct env e = tuned();

	e.t.rcv_rtt_us = RTT;
	for (unsigned i = 0; i < 50; i++)
		round_trip(&e, 20000);
	CU_ASSERT_EQUAL(e.t.rcv_size, 65536);
	/* Where only the time of a window is known, it is taken for half a window and more, once. */
	e = tuned();
	for (unsigned i = 0; i < 200; i++)
		round_trip(&e, 20000);
	CU_ASSERT(e.t.rcv_size < 3 * 65536);
}

/* The peer could send more, but nobody reads it. */
static void recv__stalled_reader(void)
{
	struct env e = tuned();

	round_trip(&e, 1000);
	for (; at < 60000; at += ENV_MSS)
		env_in(&e, TOE_ACK, at, ENV_MSS, 0);
	for (unsigned i = 1; i < 50; i++) {
		e.now += RTT;
		env_read(&e, 1000 + 100 * i);
	}
	CU_ASSERT_EQUAL(e.t.rcv_size, 65536);
}

/* Read in one go after a long wait: that was no round trip. */
static void recv__a_pause_is_no_rate(void)
{
	struct env e = tuned();

	round_trip(&e, 1000);
	for (; at < 60000; at += ENV_MSS)
		env_in(&e, TOE_ACK, at, ENV_MSS, 0);
	e.now += 100 * RTT;
	env_read(&e, at);
	CU_ASSERT_EQUAL(e.t.rcv_want, 65536);
}

static void recv__no_further_than_the_scale(void)
{
	struct env e = env_established(); /* without window scaling */

	at = 0;
	e.t.rcv_most = 6 * MB;
	e.t.srtt_us = RTT;
	round_trip(&e, 1000);
	for (unsigned i = 0; i < 10; i++)
		round_trip(&e, 60000);
	CU_ASSERT_EQUAL(e.t.rcv_size, 65536);
}

/* Refused by the core: it goes on with what it has, and asks again. */
static void recv__asks_again(void)
{
	struct env e = tuned();

	round_trip(&e, 1000);
	for (uint32_t end = at + 60000; at < end; at += ENV_MSS)
		env_in(&e, TOE_ACK, at, ENV_MSS, 0);
	e.now += RTT;
	env_read(&e, at);
	CU_ASSERT(e.act & TOE_ACT_GROW);
	CU_ASSERT_EQUAL(e.t.rcv_size, 65536);
	for (uint32_t end = at + 10000; at < end; at += ENV_MSS)
		env_in(&e, TOE_ACK, at, ENV_MSS, 0);
	env_read(&e, at);
	CU_ASSERT(e.act & TOE_ACT_GROW);
}

/* The peer's echo of our clock says how long a round trip is; a coarse one yields to ours. */
static void rtt__by_timestamps(void)
{
	struct env e = tuned();
	struct toe_seg s;

	e.t.flags |= TOE_TCB_TS;
	s = env_seg(&e, TOE_ACK, 0, ENV_MSS, 0);
	s.opts = TOE_SEG_TS;
	s.tsval = 1;
	s.tsecr = toe_ts_now(&e.t, e.now);
	e.now += 50 * TOE_TS_TICK_US;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.rcv_rtt_us, 50 * TOE_TS_TICK_US);
	e.t.rcv_rtt_us = 0;
	e.t.rtt_mark = (uint32_t)e.t.rcv_nxt;
	e.t.srtt_us = 70;
	s.seq += ENV_MSS;
	s.tsecr = toe_ts_now(&e.t, e.now);
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.rcv_rtt_us, 70);
}

static void send__twice_cwnd_when_the_buffer_is_full(void)
{
	struct env e = tuned();

	e.t.cwnd = e.t.ssthresh = 300000;
	e.t.snd_wnd = 10000;
	env_write(&e, 65536);
	CU_ASSERT_EQUAL(e.t.snd_want, 65536); /* nobody waits */
	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 65536, TOE_SEND_WANT_SPACE, e.now));
	CU_ASSERT(e.act & TOE_ACT_GROW);
	CU_ASSERT_EQUAL(e.t.snd_want, 600000);
	e.act = toe_tcp_fit(&e.t);
	CU_ASSERT_EQUAL(e.act & TOE_ACT_TX_SPACE, 0); /* not yet: the ring is what it was */
	e.t.snd_ring = toe_ring_word(0, 20, 20, 0);
	e.act = toe_tcp_fit(&e.t);
	CU_ASSERT(e.act & TOE_ACT_TX_SPACE);
	CU_ASSERT_EQUAL(e.t.snd_size, 600000);
	CU_ASSERT_EQUAL(e.t.flags & TOE_TCB_WANT_SPACE, 0);
}

/* In slow start cwnd is twice as large by the time that the next ring may come, but for ssthresh. */
static void send__four_windows_in_slow_start(void)
{
	struct env e = tuned();

	e.t.cwnd = 300000;
	e.t.ssthresh = 400000;
	toe_tune_send(&e.t);
	CU_ASSERT_EQUAL(e.t.snd_want, 800000);
	e.t.ssthresh = TOE_CWND_MAX;
	toe_tune_send(&e.t);
	CU_ASSERT_EQUAL(e.t.snd_want, 1200000);
}

/* SACKed data takes space until the hole before it is filled, and no part of cwnd. */
static void send__room_for_what_is_sacked(void)
{
	struct env e = { .now = ENV_T0 };

	e.t.snd_most = 4 * MB;
	e.t.cwnd = e.t.ssthresh = 100000;
	e.t.sacked = 300000;
	e.t.lost = 2000;
	toe_tune_send(&e.t);
	CU_ASSERT_EQUAL(e.t.snd_want, 502000);
	e.t.sacked = 5 * MB;
	toe_tune_send(&e.t);
	CU_ASSERT_EQUAL(e.t.snd_want, 4 * MB);
}

static void send__up_to_its_limit(void)
{
	struct env e = tuned();

	e.t.cwnd = 1 << 30;
	e.t.snd_wnd = 10000;
	env_write(&e, 65536);
	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 65536, TOE_SEND_WANT_SPACE, e.now));
	CU_ASSERT_EQUAL(e.t.snd_want, 4 * MB);
}

static void set__ends_tuning(void)
{
	struct env e = tuned();

	CU_ASSERT_EQUAL(toe_tcp_option(&e.t, TOE_OPT_RCVBUF, 10000, e.now), 0);
	CU_ASSERT_EQUAL(toe_tcp_option(&e.t, TOE_OPT_SNDBUF, 1, e.now), 0);
	CU_ASSERT_EQUAL(e.t.rcv_size, 10000);
	CU_ASSERT_EQUAL(e.t.snd_want, TOE_SNDBUF_MIN);
	round_trip(&e, 1000);
	for (unsigned i = 0; i < 10; i++)
		round_trip(&e, 8000);
	CU_ASSERT_EQUAL(e.t.rcv_size, 10000);
	CU_ASSERT_EQUAL(toe_tcp_option(&e.t, TOE_OPT_RCVBUF, UINT64_MAX, e.now) & TOE_ACT_GROW,
			TOE_ACT_GROW);
	CU_ASSERT_EQUAL(e.t.rcv_want, TOE_BUF_MAX);
}

/* What was promised stays: neither the window's edge nor the space of a writer goes back. */
static void set__lower_takes_nothing_back(void)
{
	struct env e = tuned();
	uint64_t edge = e.t.rcv_adv;

	env_in(&e, TOE_ACK, 0, 1000, 0);
	toe_tcp_option(&e.t, TOE_OPT_RCVBUF, 8192, e.now);
	toe_tcp_option(&e.t, TOE_OPT_SNDBUF, 8000, e.now);
	CU_ASSERT_EQUAL(toe_send_space(&e.t), 8000);
	env_in(&e, TOE_ACK, 1000, 30000, 0); /* as it was allowed to */
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 31000);
	CU_ASSERT(e.t.rcv_adv >= edge);
	CU_ASSERT(toe_tcp_send(&e.t, 65536, 0, e.now) >= 0);
	CU_ASSERT_EQUAL(toe_tcp_send(&e.t, 65537, 0, e.now), -EINVAL);
	CU_ASSERT_EQUAL(toe_send_space(&e.t), 0);
	env_run(&e, TOE_ACT_OUTPUT);
}

static uint32_t snd_size(struct env *e, uint64_t bytes)
{
	toe_tcp_option(&e->t, TOE_OPT_SNDBUF, bytes, e->now);
	return e->t.snd_size;
}

/* A send buffer that was set ends where a segment does; but never before what was asked for. */
static void set__whole_segments(void)
{
	struct env e = env_established();

	CU_ASSERT_EQUAL(e.t.mss, 1000);
	CU_ASSERT_EQUAL(snd_size(&e, 10000), 10000);
	CU_ASSERT_EQUAL(snd_size(&e, 10001), 11000);
	CU_ASSERT_EQUAL(snd_size(&e, 65001), 65001); /* its ring has no room for the rest of one */
	CU_ASSERT_EQUAL(snd_size(&e, 1), 3000);
	toe_tcp_option(&e.t, TOE_OPT_MAXSEG, 700, e.now);
	CU_ASSERT_EQUAL(e.t.snd_size, 2100);
	env_write(&e, 2100);
	env_run(&e, toe_tcp_too_big(&e.t, ENV_ISN + 1, 600, ENV_MSS + 40, e.now));
	CU_ASSERT_EQUAL(e.t.mss, 560);
	CU_ASSERT_EQUAL(e.t.snd_size, 2240);
}

/* Nor is it ever one segment, whose ACK the peer may delay. */
static void set__two_segments_at_least(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	how.mtu = 9000;
	how.opts.sndbuf = 4096; /* before it is known how long they are */
	syn.mss = 8960;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	CU_ASSERT_EQUAL(e.t.snd_size, 2 * 8960);
}

/* Does a ring of 64 KB hold what a writer that waits goes on by? What it should hold. */
static uint32_t ring_of(struct env *e, uint32_t window, uint32_t cwnd, bool grows)
{
	e->t.max_snd_wnd = window;
	e->t.cwnd = e->t.ssthresh = cwnd;
	CU_ASSERT_EQUAL(!!(toe_tune_send(&e->t) & TOE_ACT_GROW), grows);
	return toe_tcp_snd_ring(&e->t);
}

/* Writers go beyond a size that was set, so its ring is larger, where the path has a use for that. */
static void set__ring_for_what_goes_beyond(void)
{
	struct env e = env_established();

	ring_of(&e, MB, 300000, false); /* of no set size */
	CU_ASSERT_EQUAL(snd_size(&e, 42000), 42000);
	CU_ASSERT_EQUAL(ring_of(&e, MB, 300000, true), 42000 + 65000);
	CU_ASSERT_EQUAL(ring_of(&e, 100000, 300000, true), 42000 + 50000);
	CU_ASSERT_EQUAL(ring_of(&e, 47000, 300000, false), 42000 + 23000);
	CU_ASSERT_EQUAL(ring_of(&e, MB, 40000, true), 80000);
	CU_ASSERT_EQUAL(ring_of(&e, MB, 32000, false), 64000);
	CU_ASSERT_EQUAL(ring_of(&e, MB, 10000, false), 42000);
	CU_ASSERT_EQUAL(snd_size(&e, 65536), 65536);
	CU_ASSERT_EQUAL(ring_of(&e, MB, 300000, true), 65536 + 65000);
	e.t.snd_ring = toe_ring_word(0, 17, 17, 0);
	CU_ASSERT_EQUAL(ring_of(&e, MB, 300000, false), 65536 + 65000);
	toe_tcp_option(&e.t, TOE_OPT_SNDBUF, TOE_BUF_MAX, e.now);
	CU_ASSERT_EQUAL(toe_tcp_snd_ring(&e.t), TOE_BUF_MAX);
}

static void open__scale_for_what_was_asked(void)
{
	static const struct {
		uint32_t rcvbuf;
		uint8_t shift;
	} row[] = { { 4096, 0 }, { 65535, 0 }, { 65536, 1 }, { MB, 5 }, { 16 * MB, 9 } };

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct toe_open how = env_how();
		struct toe_tcb t;

		how.rcv_most = 6 * MB;
		how.opts.rcvbuf = row[i].rcvbuf;
		toe_tcp_open_active(&t, &how, ENV_T0);
		CU_ASSERT_EQUAL(t.rcv_wscale, row[i].shift);
		CU_ASSERT_EQUAL(t.rcv_want, row[i].rcvbuf);
		CU_ASSERT_EQUAL(t.rcv_size, toe_min32(row[i].rcvbuf, 65536));
	}
}

/*
 * Without timestamps a whole window's time counts, the shortest: data that queues makes round trips
 * longer than the handshake's, and the window must follow.
 */
static void rtt__by_the_window(void)
{
	struct env e = tuned();
	uint32_t size = e.t.rcv_size;

	e.t.srtt_us = 500;
	for (unsigned i = 0; i < 200; i++, at += ENV_MSS) { /* a segment each 160 us */
		e.now += 160;
		env_in(&e, TOE_ACK, at, ENV_MSS, 0);
		env_read(&e, at + ENV_MSS);
		if (e.act & TOE_ACT_GROW)
			grow(&e);
	}
	CU_ASSERT(e.t.rcv_rtt_us >= 10000 && e.t.rcv_rtt_us <= 11000);
	CU_ASSERT(e.t.rcv_size >= 2 * size);
	/* A pause is no round trip. */
	size = e.t.rcv_rtt_us;
	e.now += 5000000;
	for (unsigned i = 0; i < 300; i++, at += ENV_MSS) {
		e.now += 160;
		env_in(&e, TOE_ACK, at, ENV_MSS, 0);
		env_read(&e, at + ENV_MSS);
	}
	CU_ASSERT_EQUAL(e.t.rcv_rtt_us, size);
}

/* The first segment is measured wherever the peer's numbers begin. */
static void rtt__from_the_first_segment(void)
{
	for (uint32_t irs = 0; irs < 2; irs++) {
		struct env e = { .now = ENV_T0 };
		struct toe_open how = env_how();
		struct toe_seg s = env_syn(&e);

		how.rcv_most = 6 * MB;
		s.seq = 0x40000000u + irs * 0x80000000u;
		s.opts |= TOE_SEG_TS;
		env_run(&e, toe_tcp_open_passive(&e.t, &how, &s, e.now));
		s = env_seg(&e, TOE_ACK, 0, 0, 0);
		s.seq = (uint32_t)e.t.rcv_nxt;
		s.opts = TOE_SEG_TS;
		env_run(&e, toe_tcp_input(&e.t, &s, e.now));
		s.len = ENV_MSS;
		s.tsecr = toe_ts_now(&e.t, e.now);
		e.now += 50 * TOE_TS_TICK_US;
		env_run(&e, toe_tcp_input(&e.t, &s, e.now));
		CU_ASSERT_EQUAL(e.t.rcv_rtt_us, 50 * TOE_TS_TICK_US);
	}
}

UNIT_MAIN("tune", T(recv__follows_the_reader), T(recv__half_a_window_a_round_trip_is_enough),
	  T(recv__stalled_reader), T(recv__a_pause_is_no_rate), T(recv__no_further_than_the_scale),
	  T(recv__asks_again), T(rtt__by_timestamps), T(send__twice_cwnd_when_the_buffer_is_full),
	  T(send__four_windows_in_slow_start), T(send__room_for_what_is_sacked),
	  T(send__up_to_its_limit), T(set__ends_tuning), T(set__lower_takes_nothing_back),
	  T(set__whole_segments), T(set__two_segments_at_least), T(set__ring_for_what_goes_beyond),
	  T(open__scale_for_what_was_asked), T(rtt__from_the_first_segment), T(rtt__by_the_window))
