/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/fsm.c: every arrow of RFC 9293 figure 5, and how connections end by force. */
#include "tcp_env.h"

static void open__passive(void)
{
	struct env e = env_syn_received();

	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_SYN_RECEIVED);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN | TOE_ACK);
	CU_ASSERT_EQUAL(e.o[0].seq, ENV_ISN);
	CU_ASSERT_EQUAL(e.o[0].ack, (uint32_t)(ENV_IRS + 1));
	CU_ASSERT_EQUAL(e.o[0].wnd, 65535);
	env_in(&e, TOE_ACK, 0, 0, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT(e.act & TOE_ACT_ESTABLISHED);
	CU_ASSERT_EQUAL(e.n, 0);
}

static void open__active(void)
{
	struct env e = env_syn_sent();
	struct toe_seg s = env_syn(&e);

	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN);
	CU_ASSERT_EQUAL(e.o[0].ack, 0);
	s.flags |= TOE_ACK;
	s.ack = ENV_ISN + 1;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT(e.act & TOE_ACT_ESTABLISHED);
	CU_ASSERT_TRUE(env_only_ack(&e, 0));
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), 0);
}

/* RFC 9293 3.5 figure 7. */
static void open__simultaneous(void)
{
	struct env e = env_syn_sent();
	struct toe_seg s = env_syn(&e);

	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_SYN_RECEIVED);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN | TOE_ACK);
	CU_ASSERT_EQUAL(e.o[0].seq, ENV_ISN);
	s.flags |= TOE_ACK;
	s.ack = ENV_ISN + 1;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_TRUE(env_only_ack(&e, 0)); /* its SYN is no news (3.10.7.4, first check) */
}

/* RFC 7323 2.2: the window of a SYN-ACK is not scaled, whichever state it meets. */
static void open__simultaneous_window_is_not_scaled(void)
{
	struct env e = env_syn_sent();
	struct toe_seg s = env_syn(&e);

	s.opts |= TOE_SEG_WSCALE;
	s.wscale = 7;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	s.flags |= TOE_ACK;
	s.ack = ENV_ISN + 1;
	s.wnd = 2560;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_EQUAL(e.t.snd_wnd, 2560);
	CU_ASSERT_EQUAL(e.t.max_snd_wnd, 2560);
}

static void open__syn_received_syn_again_sends_syn_ack_again(void)
{
	struct env e = env_syn_received();
	struct toe_seg s = env_syn(&e);

	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN | TOE_ACK);
	CU_ASSERT_EQUAL(e.o[0].rexmit, 1);
}

/* RFC 9293 3.10.7.3, first check. */
static void syn_sent__bad_ack_is_reset(void)
{
	struct env e = env_syn_sent();

	CU_ASSERT_EQUAL(env_in(&e, TOE_SYN | TOE_ACK, 0, 0, 5), TOE_ACT_RST);
	CU_ASSERT_EQUAL(env_in(&e, TOE_ACK, 0, 0, (uint32_t)-1), TOE_ACT_RST);
	CU_ASSERT_EQUAL(env_in(&e, TOE_RST | TOE_ACK, 0, 0, 5) & TOE_ACT_RST, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_SYN_SENT);
}

static void syn_sent__refused(void)
{
	struct env e = env_syn_sent();

	env_in(&e, TOE_RST, 0, 0, 0); /* without ACK it proves nothing */
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_SYN_SENT);
	env_in(&e, TOE_RST | TOE_ACK, 0, 0, 0);
	CU_ASSERT_EQUAL(e.act, TOE_ACT_ERROR | TOE_ACT_FREE);
	CU_ASSERT_EQUAL(e.t.error, ECONNREFUSED);
}

static void syn_received__data_on_the_last_ack(void)
{
	struct env e = env_syn_received();

	env_in(&e, TOE_ACK | TOE_PSH, 0, 64, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT(e.act & TOE_ACT_RX);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 64);
}

static void syn_received__data_and_fin_on_the_last_ack(void)
{
	struct env e = env_syn_received();

	env_in(&e, TOE_ACK | TOE_FIN, 0, 64, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_CLOSE_WAIT);
	CU_ASSERT(e.act & TOE_ACT_RX && e.act & TOE_ACT_PEER_FIN && e.act & TOE_ACT_ESTABLISHED);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 64);
	CU_ASSERT_TRUE(env_only_ack(&e, 65));
}

static void syn_received__bad_ack_is_reset(void)
{
	struct env e = env_syn_received();

	CU_ASSERT_EQUAL(env_in(&e, TOE_ACK, 0, 0, 1), TOE_ACT_RST);
	CU_ASSERT_EQUAL(env_in(&e, TOE_ACK, 0, 0, (uint32_t)-1), TOE_ACT_RST);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_SYN_RECEIVED);
}

static void syn_received__rst_frees_without_a_word(void)
{
	struct env e = env_syn_received();

	CU_ASSERT_EQUAL(env_in(&e, TOE_RST, 0, 0, 0), TOE_ACT_FREE);
}

static void syn_received__rst_after_simultaneous_open_is_refusal(void)
{
	struct env e = env_syn_sent();
	struct toe_seg s = env_syn(&e);

	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(env_in(&e, TOE_RST, 0, 0, 0), TOE_ACT_FREE | TOE_ACT_ERROR);
	CU_ASSERT_EQUAL(e.t.error, ECONNREFUSED);
}

static void close__active_then_time_wait(void)
{
	struct env e = env_established();

	env_run(&e, toe_tcp_close(&e.t, e.now));
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_FIN_WAIT_1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_FIN | TOE_ACK);
	env_in(&e, TOE_ACK, 0, 0, 1);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_FIN_WAIT_2);
	env_in(&e, TOE_FIN | TOE_ACK, 0, 0, 1);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_TIME_WAIT);
	CU_ASSERT(e.act & TOE_ACT_TIME_WAIT && e.act & TOE_ACT_OUTPUT);
	CU_ASSERT_TRUE(env_only_ack(&e, 1));
}

static void close__fin_and_ack_in_one(void)
{
	struct env e = env_fin_wait_1();

	env_in(&e, TOE_FIN | TOE_ACK, 0, 0, 1);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_TIME_WAIT);
	CU_ASSERT_TRUE(env_only_ack(&e, 1));
}

/* RFC 9293 3.6 figure 13. */
static void close__simultaneous(void)
{
	struct env e = env_closing();

	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_CLOSING);
	CU_ASSERT_TRUE(env_only_ack(&e, 1));
	env_in(&e, TOE_ACK, 1, 0, 1);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_TIME_WAIT);
}

static void close__passive(void)
{
	struct env e = env_close_wait();

	CU_ASSERT(e.act & TOE_ACT_PEER_FIN);
	CU_ASSERT_TRUE(env_only_ack(&e, 1));
	env_run(&e, toe_tcp_close(&e.t, e.now));
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_LAST_ACK);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_FIN | TOE_ACK);
	env_in(&e, TOE_ACK, 1, 0, 1);
	CU_ASSERT(e.act & TOE_ACT_FREE);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), 0);
}

static void close__in_syn_sent(void)
{
	struct env e = env_syn_sent();

	CU_ASSERT_EQUAL(toe_tcp_close(&e.t, e.now), TOE_ACT_FREE);
}

static void close__in_syn_received_sends_fin_after_the_handshake(void)
{
	struct env e = env_syn_received();

	env_run(&e, toe_tcp_close(&e.t, e.now));
	CU_ASSERT_EQUAL(e.n, 0);
	env_in(&e, TOE_ACK, 0, 0, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_FIN_WAIT_1);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_FIN | TOE_ACK);
}

static void close__fin_waits_for_the_data(void)
{
	struct env e = env_established();

	env_ack_wnd(&e, 0, 1500);
	env_write(&e, 2000);
	CU_ASSERT_EQUAL(e.n, 1);
	env_run(&e, toe_tcp_close(&e.t, e.now));
	CU_ASSERT_EQUAL(e.n, 0);
	env_ack_wnd(&e, 1000, 60000);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 1000);
	CU_ASSERT(e.o[0].flags & TOE_FIN);
}

/* RFC 2525 2.17. */
static void close__with_unread_data_resets(void)
{
	struct env e = env_established();

	env_in(&e, TOE_ACK, 0, 10, 0);
	env_run(&e, toe_tcp_close(&e.t, e.now));
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(e.o[0].flags & TOE_RST);
	CU_ASSERT_EQUAL(e.o[0].last, 1);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_CLOSED);
}

static void close__with_all_read_does_not(void)
{
	struct env e = env_established();

	env_in(&e, TOE_ACK, 0, 10, 0);
	env_read(&e, 10);
	env_run(&e, toe_tcp_close(&e.t, e.now));
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_FIN | TOE_ACK);
}

/* RFC 1122 4.2.2.13. */
static void close__data_afterwards_is_reset(void)
{
	struct env e = env_fin_wait_2();

	toe_tcp_close(&e.t, e.now);
	env_in(&e, TOE_ACK, 0, 10, 1);
	CU_ASSERT(e.act & TOE_ACT_RST && e.act & TOE_ACT_FREE);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), 0);
}

static void shutdown__receiving_goes_on(void)
{
	struct env e = env_fin_wait_2();

	env_in(&e, TOE_ACK, 0, 10, 1);
	CU_ASSERT_EQUAL(e.act & (TOE_ACT_RX | TOE_ACT_RST), TOE_ACT_RX);
	env_in(&e, TOE_ACK | TOE_FIN, 10, 5, 1);
	CU_ASSERT(e.act & TOE_ACT_PEER_FIN);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 15);
}

/* Unread bytes lie in the flow's buffer: it must not be freed before the application has closed. */
static void end__waits_for_the_application(void)
{
	struct env e = env_close_wait();

	env_run(&e, toe_tcp_shutdown(&e.t, e.now));
	env_in(&e, TOE_ACK, 1, 0, 1);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_CLOSED);
	CU_ASSERT_EQUAL(e.act & TOE_ACT_FREE, 0);
	CU_ASSERT_EQUAL(toe_tcp_close(&e.t, e.now), TOE_ACT_FREE);
	e = env_time_wait();
	CU_ASSERT_EQUAL(e.act & TOE_ACT_TIME_WAIT, 0);
	CU_ASSERT_EQUAL(toe_tcp_close(&e.t, e.now), TOE_ACT_TIME_WAIT);
}

static void rst__by_state(void)
{
	static const struct {
		struct env (*make)(void);
		uint32_t seq;
		int error;
	} row[] = {
		{ env_established, 0, ECONNRESET },
		{ env_fin_wait_1, 0, ECONNRESET },
		{ env_fin_wait_2, 0, ECONNRESET },
		{ env_close_wait, 1, EPIPE },
		{ env_last_ack, 1, 0 },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct env e = row[i].make();

		env_in(&e, TOE_RST, row[i].seq, 0, 0);
		CU_ASSERT(e.act & TOE_ACT_FREE);
		CU_ASSERT_EQUAL(!!(e.act & TOE_ACT_ERROR), row[i].error != 0);
		CU_ASSERT_EQUAL(e.t.error, row[i].error);
		CU_ASSERT_EQUAL(e.t.state, TOE_TCP_CLOSED);
	}
}

/* RFC 9293 3.10.5. */
static void abort__by_state(void)
{
	static const struct {
		struct env (*make)(void);
		bool rst;
	} row[] = {
		{ env_syn_sent, false },  { env_syn_received, true }, { env_established, true },
		{ env_fin_wait_1, true }, { env_fin_wait_2, true },   { env_close_wait, true },
		{ env_closing, false },   { env_last_ack, false },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct env e = row[i].make();

		env_run(&e, toe_tcp_abort(&e.t, 0, e.now));
		CU_ASSERT_EQUAL(!!(e.act & TOE_ACT_FREE), !row[i].rst);
		CU_ASSERT_EQUAL(e.n, row[i].rst);
		if (row[i].rst)
			CU_ASSERT(e.o[0].last && e.o[0].flags & TOE_RST);
		CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), 0);
	}
}

static void abort__says_its_error(void)
{
	struct env e = env_established();

	CU_ASSERT(toe_tcp_abort(&e.t, EHOSTUNREACH, e.now) & TOE_ACT_ERROR);
	CU_ASSERT_EQUAL(e.t.error, EHOSTUNREACH);
}

/* RFC 9293 3.10.7.1. */
static void toe_tcp_rst_for__rules(void)
{
	struct toe_seg s = { .flags = TOE_ACK, .seq = 5, .ack = 77, .len = 3 };
	struct toe_out o;

	CU_ASSERT_TRUE(toe_tcp_rst_for(&s, &o));
	CU_ASSERT(o.flags == TOE_RST && o.seq == 77);
	s.flags = TOE_SYN | TOE_FIN;
	CU_ASSERT_TRUE(toe_tcp_rst_for(&s, &o));
	CU_ASSERT(o.flags == (TOE_RST | TOE_ACK) && o.seq == 0 && o.ack == 10);
	s.flags = TOE_RST;
	CU_ASSERT_FALSE(toe_tcp_rst_for(&s, &o));
}

static void open__mss_rules(void)
{
	static const struct {
		uint16_t peer, mtu;
		uint8_t ip_hdr, opts;
		uint16_t mss;
	} row[] = {
		{ 1460, 1500, 20, TOE_SEG_MSS, 1460 },
		{ 1460, 1500, 20, TOE_SEG_MSS | TOE_SEG_TS, 1448 },
		{ 9000, 1500, 20, TOE_SEG_MSS, 1460 },
		{ 0, 1500, 20, 0, 536 }, /* RFC 9293 3.7.1 */
		{ 0, 1500, 40, 0, 1220 },
		{ 1, 1500, 20, TOE_SEG_MSS | TOE_SEG_TS, 52 }, /* an attack: a CPU burner */
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct env e = { .now = ENV_T0 };
		struct toe_open how = env_how();
		struct toe_seg syn = env_syn(&e);

		how.mtu = row[i].mtu;
		how.ip_hdr = row[i].ip_hdr;
		syn.mss = row[i].peer;
		syn.opts = row[i].opts;
		toe_tcp_open_passive(&e.t, &how, &syn, e.now);
		CU_ASSERT_EQUAL(e.t.mss, row[i].mss);
	}
}

/* RFC 7323 2.2 and 2.3. */
static void open__window_scale(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e), ack;

	how.rcv_size = 1 << 20;
	syn.opts |= TOE_SEG_WSCALE;
	syn.wscale = 200; /* means 14 */
	syn.wnd = 4000;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	CU_ASSERT_EQUAL(e.t.snd_wscale, 14);
	CU_ASSERT_EQUAL(e.t.snd_wnd, 4000);
	CU_ASSERT_EQUAL(e.o[0].wnd, 65535);
	ack = env_seg(&e, TOE_ACK, 0, 0, 0);
	ack.wnd = 3;
	env_run(&e, toe_tcp_input(&e.t, &ack, e.now));
	CU_ASSERT_EQUAL(e.t.snd_wnd, 3 << 14);
	env_in(&e, TOE_ACK, 0, 3000, 0);
	CU_ASSERT(((uint32_t)e.o[0].wnd << e.t.rcv_wscale) > 1000000);
}

UNIT_MAIN("fsm", T(open__passive), T(open__active), T(open__simultaneous),
	  T(open__simultaneous_window_is_not_scaled),
	  T(open__syn_received_syn_again_sends_syn_ack_again), T(open__mss_rules),
	  T(open__window_scale), T(syn_sent__bad_ack_is_reset), T(syn_sent__refused),
	  T(syn_received__data_on_the_last_ack), T(syn_received__data_and_fin_on_the_last_ack),
	  T(syn_received__bad_ack_is_reset), T(syn_received__rst_frees_without_a_word),
	  T(syn_received__rst_after_simultaneous_open_is_refusal), T(close__active_then_time_wait),
	  T(close__fin_and_ack_in_one), T(close__simultaneous), T(close__passive),
	  T(close__in_syn_sent), T(close__in_syn_received_sends_fin_after_the_handshake),
	  T(close__fin_waits_for_the_data), T(close__with_unread_data_resets),
	  T(close__with_all_read_does_not), T(close__data_afterwards_is_reset),
	  T(shutdown__receiving_goes_on), T(end__waits_for_the_application), T(rst__by_state),
	  T(abort__by_state), T(abort__says_its_error), T(toe_tcp_rst_for__rules))
