/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/recv.c */
#include "tcp_env.h"

static unsigned place(struct env *e, uint32_t seq, uint32_t len, struct toe_span *span)
{
	struct toe_seg s = env_seg(e, TOE_ACK, seq, len, 0);

	return toe_tcp_place(&e->t, &s, span);
}

static void toe_tcp_place__in_order(void)
{
	struct env e = env_established();
	struct toe_span s[TOE_MAX_SPANS];

	CU_ASSERT_EQUAL(place(&e, 0, 100, s), 1);
	CU_ASSERT(s[0].pos == 0 && s[0].off == 0 && s[0].len == 100);
	CU_ASSERT_EQUAL(place(&e, 0, 0, s), 0);
}

static void toe_tcp_place__trims_to_the_window(void)
{
	struct env e = env_established();
	struct toe_span s[TOE_MAX_SPANS];

	env_in(&e, TOE_ACK, 0, 100, 0);
	CU_ASSERT_EQUAL(place(&e, 40, 100, s), 1);
	CU_ASSERT(s[0].pos == 100 && s[0].off == 60 && s[0].len == 40);
	CU_ASSERT_EQUAL(place(&e, 0, 100, s), 0);
	CU_ASSERT_EQUAL(place(&e, 65000, 1000, s), 1);
	CU_ASSERT_EQUAL(s[0].len, 535);
	CU_ASSERT_EQUAL(place(&e, 65535, 10, s), 0);
}

/* Bytes that were received must not be written again: this segment's sum is not known yet. */
static void toe_tcp_place__only_what_is_missing(void)
{
	struct env e = env_established();
	struct toe_span s[TOE_MAX_SPANS];

	env_in(&e, TOE_ACK, 100, 100, 0);
	env_in(&e, TOE_ACK, 300, 100, 0);
	CU_ASSERT_EQUAL(place(&e, 50, 500, s), 3);
	CU_ASSERT(s[0].pos == 50 && s[0].off == 0 && s[0].len == 50);
	CU_ASSERT(s[1].pos == 200 && s[1].off == 150 && s[1].len == 100);
	CU_ASSERT(s[2].pos == 400 && s[2].off == 350 && s[2].len == 150);
	CU_ASSERT_EQUAL(place(&e, 120, 60, s), 0);
}

static void toe_tcp_place__more_gaps_than_spans(void)
{
	struct env e = env_established();
	struct toe_span s[TOE_MAX_SPANS];

	for (uint32_t i = 0; i < 6; i++)
		env_in(&e, TOE_ACK, 100 + 20 * i, 10, 0);
	CU_ASSERT_EQUAL(place(&e, 0, 500, s), TOE_MAX_SPANS);
	CU_ASSERT(s[3].pos == 150 && s[3].len == 10);
	env_in(&e, TOE_ACK | TOE_FIN, 0, 500, 0);
	/*
	 * What had no span is not received, but what was there counts; and so does the FIN, when
	 * all is there.
	 */
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 170);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	env_in(&e, TOE_ACK, 170, 330, 0);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 500);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_CLOSE_WAIT);
}

static void toe_tcp_place__not_after_fin_or_close(void)
{
	struct toe_span s[TOE_MAX_SPANS];
	struct env e = env_close_wait();

	CU_ASSERT_EQUAL(place(&e, 1, 10, s), 0);
	e = env_fin_wait_2();
	CU_ASSERT_EQUAL(place(&e, 0, 10, s), 1);
	toe_tcp_close(&e.t, e.now);
	CU_ASSERT_EQUAL(place(&e, 0, 10, s), 0);
	e = env_syn_sent();
	CU_ASSERT_EQUAL(place(&e, 0, 10, s), 0);
	e = env_syn_received();
	CU_ASSERT_EQUAL(place(&e, 0, 10, s), 1);
}

/* Ranges as text, "lo-hi lo-hi". */
static const char *holes(const struct env *e)
{
	static char text[400];
	unsigned n = 0;

	text[0] = 0;
	for (unsigned i = 0; i < e->t.nholes; i++)
		n += (unsigned)snprintf(text + n, sizeof(text) - n, "%s%u-%u", i ? " " : "",
					e->lists.ooo[i].lo - ENV_IRS - 1,
					e->lists.ooo[i].hi - ENV_IRS - 1);
	return text;
}

static void ooo__joins_and_sorts(void)
{
	static const struct {
		uint32_t seq, len;
		const char *then;
	} row[] = {
		{ 300, 100, "300-400" },
		{ 100, 100, "100-200 300-400" },
		{ 500, 10, "100-200 300-400 500-510" },
		{ 200, 50, "100-250 300-400 500-510" }, /* touches on the left */
		{ 280, 20, "100-250 280-400 500-510" }, /* touches on the right */
		{ 240, 60, "100-400 500-510" }, /* bridges */
		{ 90, 500, "90-590" }, /* swallows */
		{ 100, 100, "90-590" },
	};
	struct env e = env_established();

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		env_in(&e, TOE_ACK, row[i].seq, row[i].len, 0);
		CU_ASSERT_STRING_EQUAL(holes(&e), row[i].then);
	}
	env_in(&e, TOE_ACK, 0, 95, 0);
	CU_ASSERT_STRING_EQUAL(holes(&e), "");
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 590);
	CU_ASSERT(e.act & TOE_ACT_RX);
	CU_ASSERT_TRUE(
	    env_only_ack(&e, 590)); /* RFC 5681 4.2: a gap filled is acknowledged at once */
}

static void ooo__full_list_forgets(void)
{
	struct env e = env_established();
	uint32_t i;

	for (i = 0; i < TOE_MAX_HOLES + 5; i++)
		env_in(&e, TOE_ACK, 100 + 20 * i, 10, 0);
	CU_ASSERT_EQUAL(e.t.nholes, TOE_MAX_HOLES);
	env_in(&e, TOE_ACK, 110, 10, 0); /* joining needs no entry */
	CU_ASSERT_EQUAL(e.t.nholes, TOE_MAX_HOLES - 1);
	for (i = 0; i < TOE_MAX_HOLES + 6; i++)
		env_in(&e, TOE_ACK, 20 * i, 20, 0);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 20 * i);
	CU_ASSERT_EQUAL(e.t.nholes, 0);
}

/* RFC 5681 4.2, and a peer without SACK needs three of them, even when one batch brought all. */
static void ooo__a_duplicate_ack_for_each_segment(void)
{
	struct env e = env_established();
	uint32_t act = 0;

	act |= env_input(&e, TOE_ACK, 0, 100, 0);
	for (uint32_t i = 2; i < 6; i++)
		act |= env_input(&e, TOE_ACK, 100 * i, 100, 0);
	env_run(&e, act);
	CU_ASSERT_EQUAL(e.n, 5);
	for (unsigned i = 0; i < e.n; i++)
		CU_ASSERT(env_out_ack(&e, i) == 100 && e.o[i].flags == TOE_ACK && !e.o[i].len);
}

static void ooo__none_when_the_gap_closed_in_the_same_batch(void)
{
	struct env e = env_established();
	uint32_t act = 0;

	for (uint32_t i = 1; i < 6; i++)
		act |= env_input(&e, TOE_ACK, 100 * i, 100, 0);
	act |= env_input(&e, TOE_ACK, 0, 100, 0);
	env_run(&e, act);
	CU_ASSERT_TRUE(env_only_ack(&e, 600));
}

/* RFC 5681 4.2 has every second one acknowledged. In recovery an ACK that is the only one costs a timeout. */
static void ooo__two_acks_when_more_follows_in_the_batch(void)
{
	struct env e = env_established();
	uint32_t act;

	env_in(&e, TOE_ACK, 100, 100, 0);
	act = env_input(&e, TOE_ACK, 0, 100, 0);
	for (uint32_t i = 2; i < 5; i++)
		act |= env_input(&e, TOE_ACK, 100 * i, 100, 0);
	env_run(&e, act);
	CU_ASSERT_EQUAL(e.n, 2);
	for (unsigned i = 0; i < e.n; i++)
		CU_ASSERT(env_out_ack(&e, i) == 500 && e.o[i].flags == TOE_ACK && !e.o[i].len);
	/* So when several gaps are filled; and the next batch is as ever. */
	env_in(&e, TOE_ACK, 600, 100, 0);
	env_in(&e, TOE_ACK, 800, 100, 0);
	act = env_input(&e, TOE_ACK, 500, 100, 0);
	act |= env_input(&e, TOE_ACK, 700, 100, 0);
	env_run(&e, act);
	CU_ASSERT_EQUAL(e.n, 2);
	env_in(&e, TOE_ACK, 900, 2 * ENV_MSS, 0);
	CU_ASSERT_TRUE(env_only_ack(&e, 900 + 2 * ENV_MSS));
}

static void fin__out_of_order_is_remembered(void)
{
	struct env e = env_established();

	env_in(&e, TOE_FIN | TOE_ACK, 200, 100, 0);
	CU_ASSERT_EQUAL(e.act & TOE_ACT_PEER_FIN, 0);
	env_in(&e, TOE_ACK, 0, 200, 0);
	CU_ASSERT(e.act & TOE_ACT_PEER_FIN);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 300);
	CU_ASSERT_TRUE(env_only_ack(&e, 301));
}

static void fin__bare_before_its_data(void)
{
	struct env e = env_established();

	env_in(&e, TOE_FIN | TOE_ACK, 100, 0, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	env_in(&e, TOE_ACK, 0, 100, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_CLOSE_WAIT);
}

static void fin__nothing_counts_beyond_it(void)
{
	struct env e = env_established();

	env_in(&e, TOE_FIN | TOE_ACK, 100, 0, 0);
	env_in(&e, TOE_ACK, 0, 300, 0);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 100);
	env_in(&e, TOE_ACK, 101, 50, 0);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 100);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_CLOSE_WAIT);
}

static void fin__beyond_the_window_waits(void)
{
	struct env e = env_established();

	e.t.rcv_adv = e.t.rcv_nxt + 50;
	env_in(&e, TOE_FIN | TOE_ACK, 0, 100, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 50);
}

static void fin__again_is_acknowledged_again(void)
{
	struct env e = env_close_wait();

	env_in(&e, TOE_FIN | TOE_ACK, 0, 0, 0);
	CU_ASSERT_TRUE(env_only_ack(&e, 1));
	CU_ASSERT_EQUAL(e.act & TOE_ACT_PEER_FIN, 0);
}

static void ack__every_second_full_segment(void)
{
	struct env e = env_established();

	env_in(&e, TOE_ACK, 0, 1000, 0);
	CU_ASSERT_EQUAL(e.n, 0);
	env_in(&e, TOE_ACK, 1000, 1000, 0);
	CU_ASSERT_TRUE(env_only_ack(&e, 2000));
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), 0);
}

/* RFC 5681 4.2: of the peer's segments, which a path may hold below what the handshake allowed. */
static void ack__every_second_segment_of_a_narrow_path(void)
{
	struct env e = env_established();

	e.t.mss = 8960;
	env_in(&e, TOE_ACK, 0, 1448, 0);
	CU_ASSERT_EQUAL(e.n, 0);
	env_in(&e, TOE_ACK, 1448, 1448, 0);
	CU_ASSERT_TRUE(env_only_ack(&e, 2896));
	/* Messages are no segments of a stream: their ACK rides on the answer. */
	for (unsigned i = 0; i < 10; i++) {
		env_in(&e, TOE_ACK | TOE_PSH, 2896 + i * 64, 64, 0);
		CU_ASSERT_EQUAL(e.n, 0);
	}
}

static void ack__rides_on_data(void)
{
	struct env e = env_established();
	uint32_t act = env_input(&e, TOE_ACK, 0, 2000, 0);

	act |= (uint32_t)toe_tcp_send(&e.t, 10, 0, e.now);
	env_run(&e, act);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 10);
	CU_ASSERT_EQUAL(env_out_ack(&e, 0), 2000);
	CU_ASSERT_EQUAL(e.t.ack_at, 0);
}

/* Else the second half of a request, held back by the peer's Nagle, would wait for the timer. */
static void ack__at_once_until_we_have_spoken(void)
{
	struct env e = env_syn_received();

	env_in(&e, TOE_ACK, 0, 0, 0);
	env_in(&e, TOE_ACK | TOE_PSH, 0, 10, 0);
	CU_ASSERT_TRUE(env_only_ack(&e, 10));
	env_in(&e, TOE_ACK | TOE_PSH, 10, 10, 0);
	CU_ASSERT_TRUE(env_only_ack(&e, 20));
	env_write(&e, 10);
	env_in(&e, TOE_ACK | TOE_PSH, 20, 10, 10);
	CU_ASSERT_EQUAL(e.n, 0);
}

/* What we say first is no answer: the peer's is acknowledged at once, and no other. */
static void ack__at_once_until_we_have_answered(void)
{
	struct env e = env_syn_received();
	unsigned acks = 0;

	env_in(&e, TOE_ACK, 0, 0, 0);
	env_write(&e, 10);
	for (uint32_t i = 0; i < 100; i++) {
		env_in(&e, TOE_ACK | TOE_PSH, 10 * i, 10, 10 * (i + 1));
		acks += e.n;
		env_write(&e, 10 * (i + 2));
		CU_ASSERT_EQUAL(e.n, 1);
		CU_ASSERT_EQUAL(env_out_ack(&e, 0), 10 * (i + 1));
	}
	CU_ASSERT_EQUAL(acks, 1);
}

/* Who only receives is no reason for more ACKs than every second segment asks for. */
static void ack__at_once_for_sixteen_segments(void)
{
	struct env e = env_syn_received();
	uint32_t at = 0;

	env_in(&e, TOE_ACK, 0, 0, 0);
	for (; at < TOE_QUICK_SEGS * ENV_MSS; at += ENV_MSS) {
		env_in(&e, TOE_ACK, at, ENV_MSS, 0);
		CU_ASSERT_EQUAL(e.n, 1);
	}
	env_in(&e, TOE_ACK, at, ENV_MSS, 0);
	CU_ASSERT_EQUAL(e.n, 0);
}

static void ack__quickack(void)
{
	struct env e = env_established();

	env_in(&e, TOE_ACK, 0, 10, 0);
	env_run(&e, (uint32_t)toe_tcp_option(&e.t, TOE_OPT_QUICKACK, 1, e.now));
	CU_ASSERT_TRUE(env_only_ack(&e, 10));
	env_in(&e, TOE_ACK, 10, 10, 0);
	CU_ASSERT_TRUE(env_only_ack(&e, 20));
}

/* RFC 9293 3.8.6.2.2: the edge does not creep. */
static void window__opens_in_useful_steps(void)
{
	struct env e = env_established();

	for (uint32_t at = 0; at < 65000; at += 1000)
		env_in(&e, TOE_ACK, at, 1000, 0);
	env_in(&e, TOE_ACK, 65000, 535, 0);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.o[0].wnd, 0);
	for (uint64_t at = 100; at <= 1900; at += 100) {
		env_read(&e, at);
		CU_ASSERT_EQUAL(e.n, 0);
	}
	env_read(&e, 2000);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].wnd, 2001);
}

static void window__wide_open_is_no_news(void)
{
	struct env e = env_established();

	env_in(&e, TOE_ACK, 0, 1000, 0);
	env_read(&e, 1000);
	CU_ASSERT_EQUAL(e.n, 0);
}

static void window__edge_never_goes_back(void)
{
	struct env e = env_established();
	uint64_t edge = 0;

	e.t.flags |= TOE_TCB_WSCALE;
	e.t.rcv_wscale = 7;
	for (uint32_t at = 0; at < 60000; at += 333) {
		env_in(&e, TOE_ACK, at, 333, 0);
		for (unsigned i = 0; i < e.n; i++) {
			uint64_t now_at = env_out_ack(&e, i) + ((uint64_t)e.o[i].wnd << 7);

			CU_ASSERT(now_at + 127 >= edge); /* rounding, where the buffer ends */
			CU_ASSERT(now_at <= 65536);
			edge = now_at > edge ? now_at : edge;
		}
	}
}

/* A FIN fits behind a full buffer: it needs no room. */
static void window__shut_takes_a_fin(void)
{
	struct env e = env_established();

	env_in(&e, TOE_ACK, 0, 65535, 0);
	env_in(&e, TOE_ACK, 65535, 1, 0);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 65535);
	env_in(&e, TOE_FIN | TOE_ACK, 65535, 0, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_CLOSE_WAIT);
	CU_ASSERT_TRUE(env_only_ack(&e, 65536));
	CU_ASSERT_EQUAL(e.t.rcv_adv - e.t.rcv_first, 65535);
}

/* RFC 9293 3.10.7.4: the ACK of a probe counts, its byte does not. */
static void window__shut_takes_the_ack_of_a_probe(void)
{
	struct env e = env_established();

	env_write(&e, 100);
	e.t.rcv_adv = e.t.rcv_nxt;
	e.t.rcv_size = 0;
	env_in(&e, TOE_ACK, 0, 1, 100);
	CU_ASSERT_EQUAL(toe_tcp_tx_una(&e.t), 100);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 0);
	CU_ASSERT_TRUE(env_only_ack(&e, 0));
	CU_ASSERT_EQUAL(e.o[0].wnd, 0);
}

static void toe_tcp_recv__positions(void)
{
	struct env e = env_established();

	env_in(&e, TOE_ACK | TOE_FIN, 0, 100, 0);
	CU_ASSERT_EQUAL(toe_tcp_recv(&e.t, 101, e.now), -EINVAL); /* FIN is no byte */
	CU_ASSERT_EQUAL(toe_tcp_recv(&e.t, UINT64_MAX, e.now), -EINVAL);
	CU_ASSERT_EQUAL(toe_tcp_recv(&e.t, 100, e.now), 0);
	CU_ASSERT_EQUAL(toe_tcp_recv(&e.t, 50, e.now), 0); /* repeated */
	CU_ASSERT_EQUAL(e.t.rcv_read - e.t.rcv_first, 100);
}

/* Does segment i carry [lo, hi) as its first SACK block? */
static bool reports(const struct env *e, unsigned i, uint32_t lo, uint32_t hi)
{
	struct toe_seg s = { 0 };

	toe_opts_parse(e->o[i].opt, e->o[i].opt_len, &s);
	return s.nsack && s.sack[0].lo == ENV_IRS + 1 + lo && s.sack[0].hi == ENV_IRS + 1 + hi;
}

/* RFC 2883 4: every duplicate of a batch, not only the last; more than fit join or are let go. */
static void dsack__each_of_a_batch(void)
{
	struct env e = env_established();

	e.t.flags |= TOE_TCB_SACK;
	for (uint32_t seq = 0; seq < 8000; seq += 1000)
		env_in(&e, TOE_ACK, seq, 1000, 0);
	env_input(&e, TOE_ACK, 0, 1000, 0);
	env_input(&e, TOE_ACK, 2000, 1000, 0);
	env_run(&e, TOE_ACT_OUTPUT);
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT(reports(&e, 0, 0, 1000) && reports(&e, 1, 2000, 3000));
	for (uint32_t seq = 0; seq < 8000; seq += 1000)
		env_input(&e, TOE_ACK, seq, 1000, 0);
	env_run(&e, TOE_ACT_OUTPUT);
	CU_ASSERT_EQUAL(e.n, TOE_MAX_DSACK);
	CU_ASSERT(reports(&e, 0, 0, 1000) && reports(&e, TOE_MAX_DSACK - 1, 3000, 8000));
	CU_ASSERT_EQUAL(e.t.ndsack, 0);
}

/* Data that arrives in the same batch does not swallow the report. */
static void dsack__with_data_that_fills_a_hole(void)
{
	struct env e = env_established();

	e.t.flags |= TOE_TCB_SACK;
	env_in(&e, TOE_ACK, 0, 1000, 0);
	env_in(&e, TOE_ACK, 2000, 1000, 0);
	env_input(&e, TOE_ACK, 0, 1000, 0);
	env_input(&e, TOE_ACK, 1000, 1000, 0);
	env_run(&e, TOE_ACT_OUTPUT);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(reports(&e, 0, 0, 1000));
	CU_ASSERT_EQUAL(env_out_ack(&e, 0), 3000);
}

/* New data in the same segment would wait for the delayed ACK. */
static void dsack__with_new_data_in_order(void)
{
	struct env e = env_established();

	e.t.flags |= TOE_TCB_SACK;
	env_in(&e, TOE_ACK, 0, 600, 0);
	CU_ASSERT_EQUAL(e.n, 0);
	CU_ASSERT(env_in(&e, TOE_ACK, 500, 200, 0) & TOE_ACT_OUTPUT);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(reports(&e, 0, 500, 600));
	CU_ASSERT_EQUAL(env_out_ack(&e, 0), 700);
}

UNIT_MAIN("recv", T(dsack__each_of_a_batch), T(dsack__with_data_that_fills_a_hole),
	  T(dsack__with_new_data_in_order), T(toe_tcp_place__in_order),
	  T(toe_tcp_place__trims_to_the_window), T(toe_tcp_place__only_what_is_missing),
	  T(toe_tcp_place__more_gaps_than_spans), T(toe_tcp_place__not_after_fin_or_close),
	  T(ooo__joins_and_sorts), T(ooo__full_list_forgets),
	  T(ooo__a_duplicate_ack_for_each_segment),
	  T(ooo__none_when_the_gap_closed_in_the_same_batch),
	  T(ooo__two_acks_when_more_follows_in_the_batch), T(fin__out_of_order_is_remembered),
	  T(fin__bare_before_its_data), T(fin__nothing_counts_beyond_it),
	  T(fin__beyond_the_window_waits), T(fin__again_is_acknowledged_again),
	  T(ack__every_second_full_segment), T(ack__every_second_segment_of_a_narrow_path),
	  T(ack__rides_on_data), T(ack__at_once_until_we_have_spoken),
	  T(ack__at_once_until_we_have_answered), T(ack__at_once_for_sixteen_segments),
	  T(ack__quickack), T(window__opens_in_useful_steps), T(window__wide_open_is_no_news),
	  T(window__edge_never_goes_back), T(window__shut_takes_a_fin),
	  T(window__shut_takes_the_ack_of_a_probe), T(toe_tcp_recv__positions))
