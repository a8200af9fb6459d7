/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcp_env.h"

/* Four full segments of 1000 bytes under way. */
static struct env sending(void)
{
	struct env e = env_established();

	env_write(&e, 4000);
	CU_ASSERT_EQUAL(e.n, 4);
	return e;
}

static void too_big(struct env *e, uint32_t seq, uint32_t mtu)
{
	env_run(e, toe_tcp_too_big(&e->t, ENV_ISN + 1 + seq, mtu, ENV_MSS + 40, e->now));
}

/* All that is under way goes again in segments that fit, and cwnd is what it was. */
static void too_big__resends_at_once(void)
{
	struct env e = sending();
	uint32_t cwnd = e.t.cwnd, ssthresh = e.t.ssthresh, at = 0;

	too_big(&e, 1000, 640);
	CU_ASSERT_EQUAL(e.t.mtu, 640);
	CU_ASSERT_EQUAL(e.t.mss, 600);
	CU_ASSERT_EQUAL(e.t.cwnd, cwnd);
	CU_ASSERT_EQUAL(e.t.ssthresh, ssthresh);
	for (unsigned i = 0; i < e.n; at += e.o[i++].len) {
		CU_ASSERT_EQUAL(env_out_seq(&e, i), at);
		CU_ASSERT(e.o[i].len <= 600);
	}
	CU_ASSERT_EQUAL(at, 4000);
	/* The same from the other segments' errors: nothing new. */
	too_big(&e, 2000, 640);
	CU_ASSERT_EQUAL(e.n, 0);
	env_in(&e, TOE_ACK, 0, 0, 4000);
	CU_ASSERT_EQUAL(e.t.ssthresh, ssthresh);
}

/* RFC 5927 4.1: what quotes nothing that is under way was made up. */
static void too_big__outside_the_window(void)
{
	struct env e = sending();

	env_in(&e, TOE_ACK, 0, 0, 1000);
	too_big(&e, 999, 640);
	CU_ASSERT_EQUAL(e.act, TOE_ACT_C_UNACCEPTABLE);
	too_big(&e, 4000, 640);
	CU_ASSERT_EQUAL(e.act, TOE_ACT_C_UNACCEPTABLE);
	CU_ASSERT_EQUAL(e.t.mss, ENV_MSS);
	CU_ASSERT_EQUAL(e.n, 0);
	too_big(&e, 3999, 640);
	CU_ASSERT_EQUAL(e.t.mss, 600);
}

static void too_big__not_below_the_least(void)
{
	struct env e = sending();

	too_big(&e, 0, 68);
	CU_ASSERT_EQUAL(e.t.mtu, 552);
}

/* An old router does not say how large: the next size that is common. */
static void too_big__without_a_size(void)
{
	struct env e = sending();

	too_big(&e, 0, 0);
	CU_ASSERT_EQUAL(e.t.mtu, 1006);
	/* The others that were under way then were as large as the first: no news of the new size. */
	for (uint32_t seq = 1000; seq < 4000; seq += 1000) {
		too_big(&e, seq, 0);
		CU_ASSERT_EQUAL(e.t.mtu, 1006);
		CU_ASSERT_EQUAL(e.n, 0);
	}
	env_run(&e, toe_tcp_too_big(&e.t, ENV_ISN + 1, 0, 1006, e.now));
	CU_ASSERT_EQUAL(e.t.mtu, 552);
}

/* Very old ones quote a length that is none of ours (RFC 1191 5). */
static void too_big__without_a_size_and_quoting_more(void)
{
	struct env e = sending();

	env_run(&e, toe_tcp_too_big(&e.t, ENV_ISN + 1, 0, ENV_MSS + 60, e.now));
	CU_ASSERT_EQUAL(e.t.mtu, 1006);
}

/* A short packet that would have fitted is quoted: of what cannot be, the size is the likelier part. */
static void too_big__short_enough(void)
{
	struct env e = sending();

	env_run(&e, toe_tcp_too_big(&e.t, ENV_ISN + 1, 900, 600, e.now));
	CU_ASSERT_EQUAL(e.t.mtu, 900);
}

/* A path never gets larger by an error. */
static void too_big__larger(void)
{
	struct env e = sending();

	too_big(&e, 0, 640);
	too_big(&e, 0, 900);
	CU_ASSERT_EQUAL(e.t.mtu, 640);
}

/* Ten minutes later one segment is larger, and if it arrives, all are. */
static void probe__arrives(void)
{
	struct env e = sending();

	too_big(&e, 0, 640);
	env_in(&e, TOE_ACK, 0, 0, 4000);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), e.now + 600000000);
	env_timer(&e);
	env_write(&e, 7966);
	CU_ASSERT_EQUAL(e.o[0].len, 966);
	CU_ASSERT_EQUAL(e.o[1].len, 600);
	CU_ASSERT_EQUAL(e.t.mtu, 640);
	env_in(&e, TOE_ACK, 0, 0, 4965);
	CU_ASSERT_EQUAL(e.t.mtu, 640);
	env_in(&e, TOE_ACK, 0, 0, 7966);
	CU_ASSERT_EQUAL(e.t.mtu, 1006);
	CU_ASSERT_EQUAL(e.t.mss, 966);
	/* And on, to what the link takes. */
	env_timer(&e);
	env_write(&e, 8966);
	CU_ASSERT_EQUAL(e.o[0].len, 1000);
	env_in(&e, TOE_ACK, 0, 0, 8966);
	CU_ASSERT_EQUAL(e.t.mtu, ENV_MSS + 40);
	CU_ASSERT_EQUAL(e.t.mtu_at, 0);
}

/* The peer's window takes no probe, whatever arrives: nothing waits for that. */
static void probe__larger_than_the_window(void)
{
	struct env e = sending();

	too_big(&e, 0, 640);
	env_ack_wnd(&e, 4000, 800);
	env_timer(&e);
	env_write(&e, 7966);
	CU_ASSERT_EQUAL(e.o[0].len, 600);
	env_ack_wnd(&e, 4300, 900); /* 300 bytes are in flight */
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 600);
}

/* One that waits for ACKs to make room fits when TCP_MAXSEG makes it smaller: nothing else would ask for it. */
static void probe__smaller_while_it_waits(void)
{
	struct env e = sending();
	int64_t act;

	too_big(&e, 0, 640);
	env_ack_wnd(&e, 4000, 1500);
	env_timer(&e);
	env_write(&e, 4600);
	CU_ASSERT_EQUAL(e.o[0].len, 600);
	env_write(&e, 7600);
	CU_ASSERT_EQUAL(e.n, 0);
	act = toe_tcp_option(&e.t, TOE_OPT_MAXSEG, 700, e.now);
	CU_ASSERT(act > 0 && act & TOE_ACT_OUTPUT);
	env_run(&e, (uint32_t)act);
	CU_ASSERT(e.n && e.o[0].len == 700);
}

static void probe__is_lost(void)
{
	struct env e = sending();

	too_big(&e, 0, 640);
	env_in(&e, TOE_ACK, 0, 0, 4000);
	env_timer(&e);
	env_write(&e, 5000);
	CU_ASSERT_EQUAL(e.o[0].len, 966);
	while (!e.n || !e.o[0].rexmit)
		env_timer(&e);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 4000);
	CU_ASSERT_EQUAL(e.o[0].len, 600);
	env_in(&e, TOE_ACK, 0, 0, 5000);
	CU_ASSERT_EQUAL(e.t.mtu, 640);
	/* Perhaps it was the path's load: again, twice, before the path is left alone. */
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT(e.t.mtu_at <= e.now + 10000000);
		env_timer(&e);
		e.t.cwnd = 10000;
		env_write(&e, 10000 + 5000 * i);
		CU_ASSERT_EQUAL(e.o[0].len, 966);
		while (!e.n || !e.o[0].rexmit)
			env_timer(&e);
		env_in(&e, TOE_ACK, 0, 0, 10000 + 5000 * i);
	}
	CU_ASSERT_EQUAL(e.t.mtu, 640);
	CU_ASSERT(e.t.mtu_at > e.now + 500000000);
}

/* 600 bytes are under way, then a probe of 966 and 1800 bytes more. */
static struct env probing(void)
{
	struct env e = sending();

	too_big(&e, 0, 640);
	env_in(&e, TOE_ACK, 0, 0, 4000);
	env_write(&e, 4400);
	env_in(&e, TOE_ACK, 0, 0, 4400);
	env_write(&e, 5000);
	e.t.mtu_at = e.now;
	env_timer(&e);
	env_write(&e, 7766);
	CU_ASSERT_EQUAL(e.o[0].len, 966);
	CU_ASSERT_EQUAL(e.n, 4);
	return e;
}

static void three_times(struct env *e, uint32_t ack)
{
	for (int i = 0; i < 3; i++)
		env_in(e, TOE_ACK, 0, 0, ack);
}

/* The segment before the probe is lost: that says nothing about the probe, which arrives. */
static void probe__loss_before(void)
{
	struct env e = probing();

	three_times(&e, 4400);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 4400);
	CU_ASSERT(e.o[0].rexmit && e.t.probe_end);
	env_in(&e, TOE_ACK, 0, 0, 7766);
	CU_ASSERT_EQUAL(e.t.mtu, 1006);
}

/* RFC 4821 7.6.4: lost together with what was before it. Soon again, behind that, and not counted. */
static void probe__in_doubt(void)
{
	struct env e = probing();

	three_times(&e, 4400);
	env_in(&e, TOE_ACK, 0, 0, 5000);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 5000);
	CU_ASSERT_EQUAL(e.o[0].len, 600);
	CU_ASSERT_EQUAL(e.t.probe_end, 0);
	CU_ASSERT_EQUAL(e.t.mtu_tries, 0);
	CU_ASSERT_EQUAL(e.t.mtu_at, e.now + 1000000);
	e.t.rto_at = e.t.mtu_at + 1;
	env_timer(&e);
	CU_ASSERT_EQUAL(e.t.mtu_probe, 1006);
	e.t.cwnd = 20000;
	env_write(&e, 12000);
	CU_ASSERT_EQUAL(e.o[0].len, 600); /* in the midst of a recovery */
	env_in(&e, TOE_ACK, 0, 0, 12000);
	env_write(&e, 15000);
	CU_ASSERT_EQUAL(e.o[0].len, 966);
}

/* Full segments vanish, nobody says why: shorter ones are tried. */
static struct env black_hole(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	how.mtu = 1500;
	syn.mss = 1460;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	env_in(&e, TOE_ACK, 0, 0, 0);
	env_write(&e, 5000);
	do
		env_timer(&e);
	while (e.t.rexmits < 2); /* two in a row may be a burst of losses */
	CU_ASSERT_EQUAL(e.t.mtu, 1500);
	do
		env_timer(&e);
	while (e.t.rexmits < 3);
	CU_ASSERT_EQUAL(e.t.mtu, 1280);
	CU_ASSERT_EQUAL(e.o[0].len, 1240);
	do
		env_timer(&e);
	while (e.t.rexmits < 4);
	CU_ASSERT_EQUAL(e.t.mtu, 1006);
	do
		env_timer(&e);
	while (e.t.rexmits < 7);
	CU_ASSERT_EQUAL(e.t.mtu, 552);
	/* They arrive; new data has the old size, once. */
	env_in(&e, TOE_ACK, 0, 0, 5000);
	e.t.cwnd = 5000;
	env_write(&e, 8000);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 5000);
	CU_ASSERT_EQUAL(e.o[0].len, 1460);
	CU_ASSERT_EQUAL(e.t.mtu, 552);
	return e;
}

static void timeout__black_hole(void)
{
	struct env e = black_hole();

	while (!e.n || !e.o[0].rexmit)
		env_timer(&e);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 5000);
	CU_ASSERT_EQUAL(e.o[0].len, 512);
	env_in(&e, TOE_ACK, 0, 0, 8000);
	CU_ASSERT_EQUAL(e.t.mtu, 552);
	CU_ASSERT_NOT_EQUAL(e.t.mtu_at, 0);
}

static void timeout__burst_of_losses(void)
{
	struct env e = black_hole();

	env_in(&e, TOE_ACK, 0, 0, 6460);
	CU_ASSERT_EQUAL(e.t.mtu, 1500);
	CU_ASSERT_EQUAL(e.t.mss, 1460);
	CU_ASSERT_EQUAL(e.t.mtu_at, 0);
}

/* A short segment that is lost says nothing about the size. */
static void timeout__short_segments(void)
{
	struct env e = env_established();

	env_write(&e, 100);
	while (e.t.rexmits < 6)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.t.mtu, ENV_MSS + 40);
}

static void unreachable__ends_a_connect(void)
{
	struct env e = env_syn_sent();

	env_run(&e, toe_tcp_unreachable(&e.t, ENV_ISN + 1, EHOSTUNREACH, e.now));
	CU_ASSERT_EQUAL(e.act, TOE_ACT_C_UNACCEPTABLE);
	env_run(&e, toe_tcp_unreachable(&e.t, ENV_ISN, EHOSTUNREACH, e.now));
	CU_ASSERT(e.act & TOE_ACT_ERROR && e.act & TOE_ACT_FREE);
	CU_ASSERT_EQUAL(e.t.error, EHOSTUNREACH);
}

/* RFC 9293 3.9.2.2: it may be a route that changes; but if nothing helps, it was the reason. */
static void unreachable__is_soft_later(void)
{
	struct env e = sending();

	while (e.t.rexmits < 2)
		env_timer(&e);
	env_run(&e, toe_tcp_unreachable(&e.t, ENV_ISN + 1, EHOSTUNREACH, e.now));
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	while (e.t.state != TOE_TCP_CLOSED)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.t.error, EHOSTUNREACH);
}

/* What was said before the peer answered again is forgotten. */
static void unreachable__is_over(void)
{
	struct env e = sending();

	env_run(&e, toe_tcp_unreachable(&e.t, ENV_ISN + 1, EHOSTUNREACH, e.now));
	env_in(&e, TOE_ACK, 0, 0, 1000);
	while (e.t.state != TOE_TCP_CLOSED)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
}

static void unreachable__half_open(void)
{
	struct env e = env_syn_received();

	env_run(&e, toe_tcp_unreachable(&e.t, ENV_ISN, ENETUNREACH, e.now));
	CU_ASSERT(e.act & TOE_ACT_FREE && !(e.act & TOE_ACT_ERROR));
}

static void link_mtu__both_ways(void)
{
	struct env e = sending();

	env_run(&e, toe_tcp_link_mtu(&e.t, 700, e.now));
	CU_ASSERT_EQUAL(e.t.mss, 660);
	env_in(&e, TOE_ACK, 0, 0, 4000);
	env_run(&e, toe_tcp_link_mtu(&e.t, 9000, e.now));
	CU_ASSERT_EQUAL(e.t.mss, ENV_MSS); /* the peer's bound */
}

/* The application sets TCP_MAXSEG while a probe is under way: it still means its own size. */
static void probe__maxseg_meanwhile(void)
{
	struct env e = sending();

	too_big(&e, 0, 640);
	env_in(&e, TOE_ACK, 0, 0, 4000);
	env_timer(&e);
	env_write(&e, 4966);
	CU_ASSERT_EQUAL(e.o[0].len, 966);
	CU_ASSERT(toe_tcp_option(&e.t, TOE_OPT_MAXSEG, 500, e.now) >= 0);
	env_write(&e, 5466);
	CU_ASSERT_EQUAL(e.o[0].len, 500);
	env_in(&e, TOE_ACK, 0, 0, 5466);
	CU_ASSERT_EQUAL(e.t.mtu, 1006);
	CU_ASSERT_EQUAL(e.t.mss, 500);
}

/* It means less than the link takes: what a burst of losses made of that is over. */
static void timeout__maxseg(void)
{
	struct env e = env_established();

	CU_ASSERT(toe_tcp_option(&e.t, TOE_OPT_MAXSEG, 900, e.now) >= 0);
	env_write(&e, 4500);
	while (e.t.rexmits < 4)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.t.mss, 512);
	env_in(&e, TOE_ACK, 0, 0, 4500);
	e.t.cwnd = 5000;
	env_write(&e, 6300);
	CU_ASSERT_EQUAL(e.o[0].len, 900);
	env_in(&e, TOE_ACK, 0, 0, 6300);
	CU_ASSERT_EQUAL(e.t.mss, 900);
	CU_ASSERT_EQUAL(e.t.mtu, ENV_MSS + 40);
}

/* It is the segments' size that counts, not what the path was thought to take. */
static void timeout__small_mss(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	how.mtu = 1500;
	syn.mss = 536;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	env_in(&e, TOE_ACK, 0, 0, 0);
	env_write(&e, 5000);
	do
		env_timer(&e);
	while (e.t.rexmits < 3);
	CU_ASSERT_EQUAL(e.t.mtu, 552);
	CU_ASSERT_EQUAL(e.o[0].len, 512);
}

/* A probe larger than what the link takes by now must not raise anything when it arrives. */
static void probe__link_shrinks_meanwhile(void)
{
	struct env e = sending();

	too_big(&e, 0, 640);
	env_in(&e, TOE_ACK, 0, 0, 4000);
	env_timer(&e);
	env_write(&e, 4966);
	CU_ASSERT_EQUAL(e.o[0].len, 966);
	env_run(&e, toe_tcp_link_mtu(&e.t, 700, e.now));
	env_in(&e, TOE_ACK, 0, 0, 4966);
	CU_ASSERT_EQUAL(e.t.mtu, 640);
	CU_ASSERT_EQUAL(e.t.mss, 600);
}

/* The link takes more, and larger ones are to be tried: what arrives has shown its own size only. */
static void probe__link_grows_meanwhile(void)
{
	struct env e = sending();

	too_big(&e, 0, 640);
	env_in(&e, TOE_ACK, 0, 0, 4000);
	env_run(&e, toe_tcp_link_mtu(&e.t, 700, e.now));
	env_timer(&e);
	env_write(&e, 4660);
	CU_ASSERT_EQUAL(e.o[0].len, 660);
	env_run(&e, toe_tcp_link_mtu(&e.t, 1500, e.now));
	e.t.rto_at = e.t.mtu_at + 1; /* the path is long */
	env_timer(&e);
	env_in(&e, TOE_ACK, 0, 0, 4660);
	CU_ASSERT_EQUAL(e.t.mtu, 700);
}

/* Nor may it leave, when it was only planned. */
static void probe__link_shrinks_before(void)
{
	struct env e = sending();

	too_big(&e, 0, 640);
	env_in(&e, TOE_ACK, 0, 0, 4000);
	env_timer(&e);
	env_run(&e, toe_tcp_link_mtu(&e.t, 700, e.now));
	env_write(&e, 8000);
	for (unsigned i = 0; i < e.n; i++)
		CU_ASSERT(e.o[i].len <= 660);
}

/* Longer segments in the midst of a recovery: it ends with a window for more than one (RFC 5681 eq. 4). */
static void link_mtu__larger_in_recovery(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	how.mtu = 128;
	syn.mss = 1460;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	env_in(&e, TOE_ACK, 0, 0, 0);
	env_write(&e, 400);
	while (!e.t.lost)
		env_timer(&e);
	env_run(&e, toe_tcp_link_mtu(&e.t, 1500, e.now));
	env_in(&e, TOE_ACK, 0, 0, 400);
	CU_ASSERT_EQUAL(e.t.mss, 1460);
	CU_ASSERT(e.t.ssthresh >= 2 * 1460);
}

/* IP_MTU_DISCOVER: who does without discovery believes no router, and no timeout. */
static void choose__no_discovery(void)
{
	struct env e = sending();

	too_big(&e, 1000, 640);
	CU_ASSERT_EQUAL(e.t.mss, 600);
	env_run(&e, (uint32_t)toe_tcp_option(&e.t, TOE_OPT_PMTUDISC, TOE_PMTUDISC_PROBE, e.now));
	CU_ASSERT_EQUAL(e.t.mss, ENV_MSS);
	CU_ASSERT_EQUAL(e.t.mtu_at, 0);
	CU_ASSERT_FALSE(e.t.opts & TOE_TCB_FRAGMENT);
	too_big(&e, 1000, 640);
	CU_ASSERT(e.act & TOE_ACT_C_UNACCEPTABLE);
	for (unsigned i = 0; i < 6; i++)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.t.mss, ENV_MSS);
	CU_ASSERT(toe_tcp_option(&e.t, TOE_OPT_PMTUDISC, TOE_PMTUDISC_WANT, e.now) >= 0);
	too_big(&e, 0, 640);
	CU_ASSERT_EQUAL(e.t.mss, 600);
	CU_ASSERT_EQUAL(toe_tcp_option(&e.t, TOE_OPT_PMTUDISC, TOE_PMTUDISC_COUNT, e.now), -EINVAL);
}

/* Routers may fragment what IPv4 sends; nobody does so for IPv6. */
static void choose__dont(void)
{
	struct env e = sending();

	CU_ASSERT(toe_tcp_option(&e.t, TOE_OPT_PMTUDISC, TOE_PMTUDISC_DONT, e.now) >= 0);
	CU_ASSERT(e.t.opts & TOE_TCB_FRAGMENT && e.t.opts & TOE_TCB_NO_PMTU);
	e.t.ip_hdr = 40;
	CU_ASSERT(toe_tcp_option(&e.t, TOE_OPT_PMTUDISC, TOE_PMTUDISC_DONT, e.now) >= 0);
	CU_ASSERT_FALSE(e.t.opts & (TOE_TCB_FRAGMENT | TOE_TCB_NO_PMTU));
}

UNIT_MAIN("pmtu", T(too_big__resends_at_once), T(too_big__outside_the_window),
	  T(too_big__not_below_the_least), T(too_big__without_a_size),
	  T(too_big__without_a_size_and_quoting_more), T(too_big__short_enough), T(too_big__larger),
	  T(probe__arrives), T(probe__larger_than_the_window), T(probe__smaller_while_it_waits),
	  T(probe__is_lost), T(probe__loss_before), T(probe__in_doubt), T(timeout__black_hole),
	  T(timeout__burst_of_losses), T(timeout__short_segments), T(unreachable__ends_a_connect),
	  T(unreachable__is_soft_later), T(unreachable__is_over), T(unreachable__half_open),
	  T(link_mtu__both_ways), T(probe__maxseg_meanwhile), T(timeout__maxseg),
	  T(probe__link_grows_meanwhile), T(timeout__small_mss), T(probe__link_shrinks_meanwhile),
	  T(probe__link_shrinks_before), T(link_mtu__larger_in_recovery), T(choose__no_discovery),
	  T(choose__dont))
