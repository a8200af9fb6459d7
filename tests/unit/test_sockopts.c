/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp/options.c: what a connection is born with, and what changes later. */
#include "sack_env.h"

static struct env born(struct toe_sock_opts opts)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();

	how.opts = opts;
	env_run(&e, toe_tcp_open_active(&e.t, &how, e.now));
	return e;
}

static void options__defaults(void)
{
	struct env e = born((struct toe_sock_opts){ 0 });

	CU_ASSERT(!(e.t.flags & TOE_TCB_NODELAY));
	CU_ASSERT_EQUAL(e.t.linger2_ms, TOE_FIN_WAIT_2_MS);
	CU_ASSERT_EQUAL(e.t.mss, ENV_MSS);
}

static void options__nonsense_is_clamped(void)
{
	struct toe_sock_opts o;
	struct env e;

	memset(&o, 0xff, sizeof(o));
	e = born(o);
	CU_ASSERT(e.t.cc < TOE_CC_COUNT);
	CU_ASSERT(e.t.flags & TOE_TCB_NODELAY);
	CU_ASSERT_EQUAL(e.t.mss, ENV_MSS);
	CU_ASSERT_EQUAL(e.t.linger2_ms, 0);
	memset(&o, 0x7f, sizeof(o));
	e = born(o);
	CU_ASSERT_EQUAL(e.t.linger2_ms, TOE_LINGER2_MAX_MS);
	CU_ASSERT_EQUAL(born((struct toe_sock_opts){ .maxseg = 1 }).t.mss, TOE_MSS_MIN);
}

static void options__maxseg_bounds_both_ways(void)
{
	struct env e = born((struct toe_sock_opts){ .maxseg = 600 });
	struct toe_seg s = env_syn(&e);

	CU_ASSERT_EQUAL(e.o[0].opt[2] << 8 | e.o[0].opt[3], 600);
	s.flags |= TOE_ACK;
	s.ack = ENV_ISN + 1;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.mss, 600);
	/* Later it can still shrink. */
	CU_ASSERT_EQUAL(toe_tcp_option(&e.t, TOE_OPT_MAXSEG, 500, e.now), TOE_ACT_OUTPUT);
	env_write(&e, 1200);
	CU_ASSERT_EQUAL(e.o[0].len, 500);
	CU_ASSERT_EQUAL(toe_tcp_option(&e.t, TOE_OPT_MAXSEG, 900, e.now), 0);
	CU_ASSERT_EQUAL(e.t.mss, 500);
}

/* What waited to become a full segment is one now. */
static void option__maxseg_lets_go(void)
{
	struct env e = env_established();

	e.t.snd_wnd = e.t.max_snd_wnd = 1800;
	env_write(&e, 3000);
	CU_ASSERT(e.n == 1 && e.o[0].len == 1000);
	env_run(&e, (uint32_t)toe_tcp_option(&e.t, TOE_OPT_MAXSEG, 400, e.now));
	CU_ASSERT(e.act & TOE_ACT_OUTPUT && e.n == 2 && e.o[0].len == 400);
}

/* Another algorithm does not pace: what the old one's pace held has no timer any more. */
static void option__congestion_lets_go(void)
{
	struct env e = env_established();

	CU_ASSERT(toe_tcp_option(&e.t, TOE_OPT_CC, TOE_CC_BBR, e.now) >= 0);
	toe_pace_set(&e.t, 1000);
	env_write(&e, 4000);
	env_in(&e, TOE_ACK, 0, 0, 1000);
	CU_ASSERT(e.t.snd_una == e.t.snd_max && e.t.pace_at);
	env_run(&e, (uint32_t)toe_tcp_option(&e.t, TOE_OPT_CC, TOE_CC_CUBIC, e.now));
	CU_ASSERT(e.act & TOE_ACT_OUTPUT && e.n == 3);
}

/* BBR knows no ssthresh to come down to: who takes over in the midst of a recovery makes one. */
static void option__congestion_in_recovery(void)
{
	struct env e = sack_flight(20);

	CU_ASSERT(toe_tcp_option(&e.t, TOE_OPT_CC, TOE_CC_BBR, e.now) >= 0);
	e.t.ssthresh = TOE_CWND_MAX; /* as in its STARTUP */
	e.now += 20000;
	sack(&e, 0, 1000, 5000);
	CU_ASSERT(e.t.flags & TOE_TCB_RECOVERY);
	env_run(&e, (uint32_t)toe_tcp_option(&e.t, TOE_OPT_CC, TOE_CC_CUBIC, e.now));
	CU_ASSERT(e.t.ssthresh < 20 * ENV_MSS);
	e.now += 20000;
	env_in(&e, TOE_ACK, 0, 0, (uint32_t)(e.t.snd_max - e.t.snd_first));
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_RECOVERY);
	CU_ASSERT(e.t.cwnd <= 20 * ENV_MSS);
}

/* The handshake is not done, but what is written leaves already (RFC 7413): at no pace of the old one. */
static void option__congestion_in_handshake(void)
{
	struct env e = { 0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	e.now = ENV_T0;
	how.cc = TOE_CC_BBR;
	how.fast = TOE_FAST_DATA;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	CU_ASSERT(toe_tcp_early(&e.t) && e.t.flags & TOE_TCB_PACED);
	env_run(&e, (uint32_t)toe_tcp_option(&e.t, TOE_OPT_CC, TOE_CC_CUBIC, e.now));
	env_in(&e, TOE_ACK, 0, 0, 0);
	CU_ASSERT(e.t.state == TOE_TCP_ESTABLISHED && !(e.t.flags & TOE_TCB_PACED));
}

static void info__of_a_connection(void)
{
	struct env e = env_established();
	struct toe_flow_info i;

	toe_tcp_info(&e.t, e.now, &i);
	CU_ASSERT_EQUAL(i.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_EQUAL(i.snd_mss, ENV_MSS);
	CU_ASSERT(!i.unacked && !i.bytes_sent && !i.rexmit_segs && !i.options);
	env_write(&e, 2500);
	e.now += 100000;
	env_in(&e, TOE_ACK | TOE_PSH, 0, 70, 1000);
	e.now += 5000;
	toe_tcp_info(&e.t, e.now, &i);
	CU_ASSERT_EQUAL(i.bytes_acked, 1000);
	CU_ASSERT_EQUAL(i.bytes_received, 70);
	CU_ASSERT(i.unacked >= 1 && i.rcv_ms == 5);
	CU_ASSERT(i.srtt_us == 100000);
	env_timer(&e);
	if (!i.rexmit_segs) /* the delayed ACK was first */
		env_timer(&e);
	toe_tcp_info(&e.t, e.now, &i);
	CU_ASSERT(i.rexmit_segs >= 1 && i.bytes_rexmit > 0);
	CU_ASSERT_EQUAL(i.bytes_sent, e.t.snd_max - e.t.snd_first + i.bytes_rexmit);
	CU_ASSERT_EQUAL(i.recovery, TOE_INFO_LOSS);
}

/* Every segment counts once, either way; what came out of order and what the peer got twice besides. */
static void info__counts(void)
{
	struct env e = env_established();
	struct toe_seg s = env_seg(&e, TOE_ACK, 2000, 100, 0);
	struct toe_flow_info i, was;

	toe_tcp_info(&e.t, e.now, &was);
	CU_ASSERT(was.segs_in && was.segs_out && !was.data_segs_in && !was.data_segs_out);
	env_write(&e, 2500); /* three segments */
	e.now += 10000;
	env_in(&e, TOE_ACK | TOE_PSH, 0, 70, 2500);
	e.now += 3000;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now)); /* out of order: a duplicate ACK */
	e.now += 5120;
	toe_tcp_info(&e.t, e.now, &i);
	CU_ASSERT_EQUAL(i.segs_in, was.segs_in + 2);
	CU_ASSERT_EQUAL(i.data_segs_in, 2);
	CU_ASSERT_EQUAL(i.data_segs_out, 3);
	CU_ASSERT(i.segs_out >= was.segs_out + 4);
	CU_ASSERT_EQUAL(i.ooo_segs, 1);
	CU_ASSERT_EQUAL(i.delivered, was.delivered + 3);
	CU_ASSERT_EQUAL(i.delivery_rate, 250000); /* 2500 bytes in 10 ms */
	CU_ASSERT(i.min_rtt_us && i.min_rtt_us <= 10000);
	CU_ASSERT(i.data_ms >= 5 && i.data_ms <= 6);
	CU_ASSERT(!i.sacked && !i.lost && !i.dsacks && !i.reordered);
}

/* tcp(7): a corked segment waits 200 ms at most, however long the round trip. */
static void cork__has_a_ceiling(void)
{
	struct env e = env_established();

	e.t.rto_us = 900000;
	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 100, TOE_SEND_CORKED, e.now));
	CU_ASSERT_EQUAL(e.n, 0);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.now, ENV_T0 + 200000);
	CU_ASSERT(e.n == 1 && e.o[0].len == 100);
	/* Also with TCP_NODELAY: cork is the stronger; and letting go sends. */
	e = env_established();
	toe_tcp_option(&e.t, TOE_OPT_NODELAY, 1, e.now);
	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 100, TOE_SEND_CORKED, e.now));
	CU_ASSERT_EQUAL(e.n, 0);
	env_write(&e, 100);
	CU_ASSERT(e.n == 1 && e.o[0].len == 100);
}

static void quickack__is_not_for_good(void)
{
	struct env e = env_established();
	uint32_t seq = 0;

	toe_tcp_option(&e.t, TOE_OPT_QUICKACK, 1, e.now);
	for (; seq < 1000; seq += 100) {
		env_in(&e, TOE_ACK | TOE_PSH, seq, 100, 0);
		CU_ASSERT(env_only_ack(&e, seq + 100));
	}
	env_write(&e, 10);
	env_in(&e, TOE_ACK | TOE_PSH, seq, 100, 10);
	CU_ASSERT_EQUAL(e.n, 0);
	/* What was delayed leaves when it is switched on. */
	env_run(&e, (uint32_t)toe_tcp_option(&e.t, TOE_OPT_QUICKACK, 1, e.now));
	CU_ASSERT(env_only_ack(&e, seq + 100));
}

static void urgent__sent(void)
{
	struct env e = env_established();

	env_write(&e, 10); /* in flight: Nagle would hold back what follows */
	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 14, TOE_SEND_OOB, e.now));
	CU_ASSERT(e.n == 1 && e.o[0].len == 4 && e.o[0].flags & TOE_URG && e.o[0].urg == 4);
	env_write(&e, 14);
	env_in(&e, TOE_ACK, 0, 0, 14);
	env_write(&e, 20);
	CU_ASSERT(e.n == 1 && !(e.o[0].flags & TOE_URG));
}

static void urgent__received(void)
{
	struct env e = env_established();
	struct toe_seg s = env_seg(&e, TOE_ACK | TOE_URG | TOE_PSH, 0, 10, 0);

	s.urg = 4; /* BSD's pointer: behind the byte at 3 */
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.rcv_up - e.t.rcv_first, 4);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 10);
	/* One that was received already is no news; one ahead of its data is. */
	s = env_seg(&e, TOE_ACK | TOE_URG, 0, 10, 0);
	s.urg = 9;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.rcv_up - e.t.rcv_first, 4);
	s = env_seg(&e, TOE_ACK | TOE_URG | TOE_PSH, 10, 5, 0);
	s.urg = 100;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.rcv_up - e.t.rcv_first, 110);
	/* What follows without the flag takes the short way again. */
	env_in(&e, TOE_ACK | TOE_PSH, 15, 5, 0);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 20);
}

static struct env deferring(uint8_t timeouts)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	how.opts.defer_accept = timeouts;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	env_in(&e, TOE_ACK, 0, 0, 0);
	CU_ASSERT(e.n == 0 && !e.act && e.t.state == TOE_TCP_SYN_RECEIVED);
	return e;
}

static void defer_accept__data_makes_the_connection(void)
{
	struct env e = deferring(3);

	env_in(&e, TOE_ACK | TOE_PSH, 0, 100, 0);
	CU_ASSERT(e.act & TOE_ACT_ESTABLISHED && e.act & TOE_ACT_RX);
	e = deferring(3);
	env_in(&e, TOE_ACK | TOE_FIN, 0, 0, 0);
	CU_ASSERT(e.act & TOE_ACT_ESTABLISHED && e.act & TOE_ACT_PEER_FIN);
}

static void defer_accept__until_the_time_is_over(void)
{
	struct env e = deferring(3);

	for (unsigned i = 0; i < 2; i++) {
		env_timer(&e); /* the SYN-ACK arrived: it is not sent again */
		CU_ASSERT_EQUAL(e.n, 0);
		env_in(&e, TOE_ACK, 0, 0, 0);
		CU_ASSERT_EQUAL(e.t.state, TOE_TCP_SYN_RECEIVED);
	}
	env_timer(&e);
	CU_ASSERT_EQUAL(e.now, ENV_T0 + 7000000);
	CU_ASSERT(e.n == 1 && e.o[0].flags == (TOE_SYN | TOE_ACK));
	env_in(&e, TOE_ACK, 0, 0, 0);
	CU_ASSERT(e.act & TOE_ACT_ESTABLISHED);
	e = deferring(1);
	while (!e.t.error && e.now < ENV_T0 + 1000000000ull)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT); /* a peer that has gone is not waited for */
}

/* Waiting for data is no lost SYN-ACK: the window begins as ever. */
static void defer_accept__is_no_loss(void)
{
	struct env e = deferring(3);

	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 0);
	env_in(&e, TOE_ACK | TOE_PSH, 0, 100, 0);
	CU_ASSERT(e.act & TOE_ACT_ESTABLISHED);
	CU_ASSERT_EQUAL(e.t.cwnd, toe_cc_initial_window(&e.t));
}

static void toe_tcp_option__unknown(void)
{
	struct env e = env_established();

	CU_ASSERT_EQUAL(toe_tcp_option(&e.t, 99, 1, e.now), -ENOPROTOOPT);
	CU_ASSERT_EQUAL(toe_tcp_option(&e.t, 0, 1, e.now), -ENOPROTOOPT);
	CU_ASSERT_EQUAL(toe_tcp_option(&e.t, TOE_OPT_LINGER2, 5000, e.now), 0);
	CU_ASSERT_EQUAL(e.t.linger2_ms, 5000);
}

UNIT_MAIN("sockopts", T(options__defaults), T(options__nonsense_is_clamped),
	  T(options__maxseg_bounds_both_ways), T(option__maxseg_lets_go),
	  T(option__congestion_lets_go), T(option__congestion_in_recovery),
	  T(option__congestion_in_handshake), T(toe_tcp_option__unknown), T(info__of_a_connection),
	  T(info__counts), T(cork__has_a_ceiling), T(quickack__is_not_for_good), T(urgent__sent),
	  T(urgent__received), T(defer_accept__data_makes_the_connection),
	  T(defer_accept__until_the_time_is_over), T(defer_accept__is_no_loss))
