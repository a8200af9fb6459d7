/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/rto.c */
#include "tcp_env.h"

/* RFC 6298 2.2, 2.3, worked by hand. */
static void toe_rto_sample__by_the_book(void)
{
	struct toe_tcb t = { 0 };

	toe_rto_sample(&t, 400000);
	CU_ASSERT_EQUAL(t.srtt_us, 400000);
	CU_ASSERT_EQUAL(t.rttvar_us, 200000);
	CU_ASSERT_EQUAL(t.rto_us, 1200000);
	toe_rto_sample(&t, 800000);
	CU_ASSERT_EQUAL(t.rttvar_us, 250000);
	CU_ASSERT_EQUAL(t.srtt_us, 450000);
	CU_ASSERT_EQUAL(t.rto_us, 1450000);
}

/* A steady path has no variance, but its peers delay ACKs all the same. */
static void toe_rto_sample__leaves_room_for_a_delayed_ack(void)
{
	struct toe_tcb t = { 0 };

	for (unsigned i = 0; i < 100; i++)
		toe_rto_sample(&t, 190000);
	CU_ASSERT(t.rto_us >= 190000 + TOE_RTO_MIN_US);
}

static void toe_rto_sample__bounds(void)
{
	struct toe_tcb t = { 0 };

	toe_rto_sample(&t, 0);
	CU_ASSERT(t.rto_us - TOE_RTO_MIN_US <= 1);
	CU_ASSERT_NOT_EQUAL(t.srtt_us, 0);
	for (unsigned i = 0; i < 100; i++)
		toe_rto_sample(&t, UINT64_MAX);
	CU_ASSERT(t.rto_us <= TOE_RTO_MAX_US);
	CU_ASSERT(t.rto_us >= TOE_RTT_MAX_US / 2);
}

static void deadline__is_the_earliest(void)
{
	struct toe_tcb t = { 0 };

	CU_ASSERT_EQUAL(toe_tcp_deadline(&t), 0);
	t.life_at = 9;
	CU_ASSERT_EQUAL(toe_tcp_deadline(&t), 9);
	t.rto_at = 12;
	CU_ASSERT_EQUAL(toe_tcp_deadline(&t), 9);
	t.ack_at = 3;
	CU_ASSERT_EQUAL(toe_tcp_deadline(&t), 3);
}

static void timer__leaves_alone_what_is_not_due(void)
{
	struct env e = env_established();

	env_write(&e, 100);
	e.now = e.t.rto_at - 1;
	CU_ASSERT_EQUAL(toe_tcp_timer(&e.t, e.now), 0);
	CU_ASSERT_EQUAL(e.t.rexmits, 0);
}

static void rto__goes_back_and_starts_slowly(void)
{
	struct env e = env_established();

	env_write(&e, 8000);
	CU_ASSERT_EQUAL(e.n, 8);
	env_timer(&e);
	CU_ASSERT(e.act & TOE_ACT_C_RTO);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(e.o[0].rexmit && env_out_seq(&e, 0) == 0 && e.o[0].len == 1000);
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
	CU_ASSERT_EQUAL(e.t.cwnd, 1000);
	/* The peer had the second and third: they do not go again. */
	e.t.flags &= ~(uint32_t)TOE_TCB_FRTO;
	env_in(&e, TOE_ACK, 0, 0, 3000);
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 3000);
	env_in(&e, TOE_ACK, 0, 0, 8000);
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_RTO_RECOVERY);
}

/* What goes again keeps to cwnd as well, to the byte. */
static void rto__what_goes_again_fits(void)
{
	struct env e = env_established();

	env_write(&e, 8000);
	env_timer(&e);
	e.t.flags &= ~(uint32_t)TOE_TCB_FRTO;
	env_in(&e, TOE_ACK, 0, 0, 300);
	CU_ASSERT_EQUAL(e.t.cwnd, 1300);
	CU_ASSERT_EQUAL(e.n, 0);
	env_in(&e, TOE_ACK, 0, 0, 1000);
	CU_ASSERT_EQUAL(e.t.cwnd, 2000);
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT(e.o[0].rexmit && env_out_seq(&e, 0) == 1000 && e.o[1].rexmit);
}

/* What is left of cwnd is too little for what is lost: nothing new, though short enough, overtakes it. */
static void rto__new_data_waits_behind_what_is_lost(void)
{
	struct env e = env_established();

	e.t.flags |= TOE_TCB_NODELAY;
	env_write(&e, 8000);
	env_timer(&e);
	e.t.flags &= ~(uint32_t)TOE_TCB_FRTO;
	env_in(&e, TOE_ACK, 0, 0, 300);
	env_write(&e, 8100);
	CU_ASSERT_EQUAL(e.n, 0);
	env_in(&e, TOE_ACK, 0, 0, 7000);
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT(e.o[0].rexmit && env_out_seq(&e, 0) == 7000 && env_out_seq(&e, 1) == 8000);
}

/* RFC 6298 5.5, 5.7 and RFC 5681 3.1: the timer doubles, ssthresh falls once. */
static void rto__backs_off(void)
{
	struct env e = env_established();
	uint64_t at = e.now, want = TOE_RTO_MIN_US;

	env_write(&e, 8000);
	for (unsigned i = 0; i < TOE_MAX_REXMITS; i++) {
		CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t) - at, want);
		env_timer(&e);
		at = e.now;
		want = toe_min64(2 * want, TOE_RTO_MAX_US);
		CU_ASSERT_EQUAL(e.n, 1);
		CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
	}
	env_timer(&e);
	CU_ASSERT_EQUAL(e.act & (TOE_ACT_ERROR | TOE_ACT_FREE), TOE_ACT_ERROR | TOE_ACT_FREE);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
	CU_ASSERT_EQUAL(e.n, 0);
}

static void rto__progress_starts_the_count_anew(void)
{
	struct env e = env_established();

	env_write(&e, 2000);
	for (unsigned i = 0; i < 10; i++)
		env_timer(&e);
	env_in(&e, TOE_ACK, 0, 0, 1000);
	CU_ASSERT_EQUAL(e.t.rexmits, 0);
}

/*
 * RFC 6298 5.1, 5.3: sending starts it, only an ACK starts it anew; else a talker never times out.
 */
static void rto__more_data_does_not_put_it_off(void)
{
	struct env e = env_established();
	uint64_t at;

	env_write(&e, 1000);
	at = e.t.rto_at;
	e.now += 50000;
	env_write(&e, 3000);
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT_EQUAL(e.t.rto_at, at);
	env_in(&e, TOE_ACK, 0, 0, 1000);
	CU_ASSERT_EQUAL(e.t.rto_at, e.now + toe_rto(&e.t));
}

/* A frame may be short when the timer fires: the next one must be armed already. */
static void rto__is_armed_before_anything_is_sent(void)
{
	struct env e = env_established();

	env_write(&e, 100);
	e.now = e.t.rto_at;
	toe_tcp_timer(&e.t, e.now);
	CU_ASSERT(e.t.rto_at > e.now);
}

static void syn__gives_up_after_three_minutes(void)
{
	struct env e = env_syn_sent();
	unsigned n = 1;
	uint64_t start = e.now;

	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), e.now + TOE_RTO_INIT_US);
	while (e.t.state == TOE_TCP_SYN_SENT) {
		env_timer(&e);
		n += e.n;
	}
	CU_ASSERT_EQUAL(n, 8);
	CU_ASSERT_EQUAL(e.act & (TOE_ACT_ERROR | TOE_ACT_FREE), TOE_ACT_ERROR | TOE_ACT_FREE);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
	CU_ASSERT_EQUAL(e.now - start, 247000000);
}

static void syn_ack__gives_up_without_a_word(void)
{
	struct env e = env_syn_received();
	uint64_t start = e.now;

	while (e.t.state == TOE_TCP_SYN_RECEIVED)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.now - start, 63000000);
	CU_ASSERT(e.act & TOE_ACT_FREE);
	CU_ASSERT_EQUAL(e.act & TOE_ACT_ERROR, 0);
}

/* RFC 6298 5.7, RFC 5681 3.1. */
static void syn__lost_makes_a_cautious_start(void)
{
	struct env e = env_syn_received();

	env_timer(&e);
	env_in(&e, TOE_ACK, 0, 0, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_EQUAL(e.t.cwnd, ENV_MSS);
	CU_ASSERT_EQUAL(e.t.rto_us, TOE_RTO_SYN_LOST_US);
}

/* RFC 6298 5.7: data begins with 3 s, not with 3 s doubled as often as the SYN was. */
static void syn__lost_leaves_no_backoff(void)
{
	struct env e = env_syn_sent();
	struct toe_seg s;

	env_timer(&e);
	env_timer(&e);
	s = env_syn(&e);
	s.flags |= TOE_ACK;
	s.ack = ENV_ISN + 1;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	env_write(&e, 100);
	CU_ASSERT_EQUAL(e.t.rto_at, e.now + TOE_RTO_SYN_LOST_US);
}

static void fin_wait_2__ends_only_when_nobody_holds_it(void)
{
	struct env e = env_fin_wait_2();

	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), 0);
	toe_tcp_option(&e.t, TOE_OPT_LINGER2, 5000, e.now);
	toe_tcp_close(&e.t, e.now);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), e.now + 5000000);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.act, TOE_ACT_FREE);
}

static void fin_wait_2__closed_before_the_ack(void)
{
	struct env e = env_established();

	env_run(&e, toe_tcp_close(&e.t, e.now));
	env_in(&e, TOE_ACK, 0, 0, 1);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_FIN_WAIT_2);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), e.now + 1000ull * TOE_FIN_WAIT_2_MS);
}

/*
 * TCP_DEFER_ACCEPT: the peer's ACK came at once, its data later. That is no round trip, and the timer
 * that ran meanwhile told of no loss.
 */
static void sample__not_the_wait_for_data(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	how.opts.defer_accept = 3;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	e.now += 10000;
	env_in(&e, TOE_ACK, 0, 0, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_SYN_RECEIVED);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 0);
	e.now += 1500000;
	env_in(&e, TOE_ACK, 0, 100, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_EQUAL(e.t.srtt_us, 0);
	CU_ASSERT_EQUAL(e.t.min_rtt_us, UINT32_MAX);
	CU_ASSERT_EQUAL(toe_rto(&e.t), TOE_RTO_INIT_US);
}

/* A shut window's probes back off by themselves; what follows when it opens is timed as ever. */
static void backoff__ends_with_the_shut_window(void)
{
	struct env e = env_established();

	env_write(&e, 1000);
	env_ack_wnd(&e, 1000, 0);
	env_write(&e, 5000);
	for (int i = 0; i < 6; i++)
		env_timer(&e);
	env_ack_wnd(&e, 1001, 60000);
	CU_ASSERT_EQUAL(e.t.backoff, 0);
	CU_ASSERT(e.t.rto_at - e.now <= TOE_RTO_INIT_US);
}

/* However long an application wants to wait for data, it ends. */
static void defer_accept__ends(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	how.opts.defer_accept = UINT8_MAX;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	env_in(&e, TOE_ACK, 0, 0, 0);
	for (int i = 0; i < 600 && e.t.state != TOE_TCP_CLOSED; i++)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_CLOSED);
}

/* Nor does the wait make a lost SYN-ACK of one that a cookie answered for. */
static void defer_accept__by_cookie_is_no_loss(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	how.opts.defer_accept = 3;
	env_run(&e, toe_tcp_open_answered(&e.t, &how, &syn, e.now));
	env_in(&e, TOE_ACK, 0, 0, 0);
	env_timer(&e);
	env_in(&e, TOE_ACK, 0, 100, 0);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_EQUAL(e.t.srtt_us, 0);
	CU_ASSERT_EQUAL(toe_rto(&e.t), TOE_RTO_INIT_US);
	CU_ASSERT_EQUAL(e.t.cwnd, toe_cc_initial_window(&e.t));
}

/*
 * A timeout that was needless, and a window that shut: first all that is under way counts as lost and
 * cannot go, then a D-SACK says that it is on its way. From then on the timer is that of the data.
 */
static void persist__ends_with_the_undo(void)
{
	struct env e = env_established();
	struct toe_seg s;

	e.t.flags |= TOE_TCB_SACK;
	env_ack_wnd(&e, 0, 4000);
	env_write(&e, 5000);
	while (!e.t.lost)
		env_timer(&e);
	env_ack_wnd(&e, 1000, 0);
	CU_ASSERT(e.t.flags & TOE_TCB_PERSIST);
	s = env_seg(&e, TOE_ACK, 0, 0, 1000);
	s.wnd = 0;
	s.opts = TOE_SEG_SACK;
	s.nsack = 1;
	s.sack[0] = (struct toe_range){ ENV_ISN + 1, ENV_ISN + 1 + 1000 };
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.lost, 0);
	env_timer(&e);
	env_timer(&e);
	env_ack_wnd(&e, 1000, 60000);
	while (e.t.snd_una < e.t.snd_max) {
		env_timer(&e);
		if (e.n && env_out_seq(&e, 0) == 1000)
			env_in(&e, TOE_ACK, 0, 0, 4000);
		CU_ASSERT_FATAL(e.t.state == TOE_TCP_ESTABLISHED);
		env_in(&e, TOE_ACK, 0, 0, e.t.snd_una == e.t.snd_first + 4000 ? 5000 : 1000);
	}
}

/* The device takes no packet, `times` timers long. */
static void refused(struct env *e, unsigned times)
{
	toe_tcp_refused(&e->t, e->now);
	while (times-- && !e->t.error) {
		e->now = toe_tcp_deadline(&e->t);
		CU_ASSERT_FATAL(e->now);
		toe_tcp_timer(&e->t, e->now);
		toe_tcp_refused(&e->t, e->now);
	}
}

/* It ends as one to a silent peer does, and not sooner. */
static void refused__gives_up(void)
{
	struct env e = env_established();

	CU_ASSERT_EQUAL(toe_tcp_send(&e.t, 100, 0, e.now), TOE_ACT_OUTPUT);
	refused(&e, 100);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
	CU_ASSERT(e.now - ENV_T0 > 100000000);
	e = env_established();
	toe_tcp_shutdown(&e.t, e.now);
	refused(&e, 100);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
}

/* What leaves at last has all its tries before it, and no loss behind it. */
static void refused__is_no_loss(void)
{
	struct env e = env_established();
	uint32_t cwnd = e.t.cwnd;

	CU_ASSERT_EQUAL(toe_tcp_send(&e.t, 100, 0, e.now), TOE_ACT_OUTPUT);
	refused(&e, 6);
	CU_ASSERT(e.t.backoff && e.t.rexmits);
	env_run(&e, TOE_ACT_OUTPUT);
	CU_ASSERT(e.n == 1 && e.o[0].len == 100 && !e.o[0].rexmit);
	CU_ASSERT_EQUAL(e.t.rto_at, e.now + e.t.rto_us);
	CU_ASSERT(!e.t.backoff && !e.t.rexmits && !(e.t.flags & TOE_TCB_PERSIST));
	CU_ASSERT_EQUAL(e.t.cwnd, cwnd);
}

/* Data in flight has a timer, and an idle connection needs none. */
static void refused__arms_nothing_else(void)
{
	struct env e = env_established();
	uint64_t at;

	toe_tcp_refused(&e.t, e.now);
	CU_ASSERT_EQUAL(e.t.rto_at, 0);
	env_write(&e, 100);
	at = e.t.rto_at;
	e.now += 1000;
	CU_ASSERT_EQUAL(toe_tcp_send(&e.t, 200, 0, e.now), TOE_ACT_OUTPUT);
	toe_tcp_refused(&e.t, e.now);
	CU_ASSERT_EQUAL(e.t.rto_at, at);
	CU_ASSERT(!(e.t.flags & TOE_TCB_PERSIST));
}

/* What goes again waits for a frame: that is no shut window, and takes nothing off the back-off. */
static void refused__keeps_the_backoff(void)
{
	struct env e = env_established();

	env_write(&e, 100);
	for (unsigned i = 1; i < 5; i++) {
		e.now = toe_tcp_deadline(&e.t);
		toe_tcp_timer(&e.t, e.now);
		toe_tcp_refused(&e.t, e.now);
		CU_ASSERT(!(e.t.flags & TOE_TCB_PERSIST));
		env_run(&e, TOE_ACT_OUTPUT);
		CU_ASSERT(e.n == 1 && e.o[0].rexmit);
		CU_ASSERT_EQUAL(e.t.rto_at, e.now + ((uint64_t)e.t.rto_us << i));
	}
}

static void refused__syn(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();

	toe_tcp_open_active(&e.t, &how, e.now);
	refused(&e, 100);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
	CU_ASSERT(e.now - ENV_T0 > 100000000);
	e = (struct env){ .now = ENV_T0 };
	toe_tcp_open_active(&e.t, &how, e.now);
	refused(&e, 2);
	env_run(&e, TOE_ACT_OUTPUT);
	CU_ASSERT(e.n == 1 && e.o[0].flags == TOE_SYN && !e.o[0].rexmit);
	CU_ASSERT_EQUAL(e.t.rto_at, e.now + TOE_RTO_INIT_US);
	CU_ASSERT_EQUAL(e.t.rexmits, 0);
}

UNIT_MAIN("rto", T(toe_rto_sample__by_the_book), T(toe_rto_sample__leaves_room_for_a_delayed_ack),
	  T(toe_rto_sample__bounds), T(deadline__is_the_earliest),
	  T(timer__leaves_alone_what_is_not_due), T(rto__goes_back_and_starts_slowly),
	  T(rto__what_goes_again_fits), T(rto__new_data_waits_behind_what_is_lost),
	  T(rto__backs_off), T(rto__progress_starts_the_count_anew),
	  T(rto__more_data_does_not_put_it_off), T(rto__is_armed_before_anything_is_sent),
	  T(syn__gives_up_after_three_minutes), T(syn_ack__gives_up_without_a_word),
	  T(syn__lost_makes_a_cautious_start), T(syn__lost_leaves_no_backoff),
	  T(fin_wait_2__ends_only_when_nobody_holds_it), T(fin_wait_2__closed_before_the_ack),
	  T(sample__not_the_wait_for_data), T(backoff__ends_with_the_shut_window),
	  T(defer_accept__ends), T(defer_accept__by_cookie_is_no_loss),
	  T(persist__ends_with_the_undo), T(refused__gives_up), T(refused__is_no_loss),
	  T(refused__arms_nothing_else), T(refused__keeps_the_backoff), T(refused__syn))
