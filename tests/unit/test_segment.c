/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/segment.c */
#include "tcp_env.h"

/* After going back the bare ACK's number must not: the peer would refuse it. */
static void ack__number_is_the_highest_sent(void)
{
	struct env e = env_established();

	env_write(&e, 5000);
	e.now = e.t.rto_at;
	toe_tcp_timer(&e.t, e.now);
	e.t.cwnd = ENV_MSS;
	env_run(&e, 0);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 0);
	env_in(&e, TOE_ACK, 0, 2000, (uint32_t)-1);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 5000);
}

static void ack__number_stays_in_the_peers_window(void)
{
	struct env e = env_established();

	env_ack_wnd(&e, 0, 0);
	env_write(&e, 2000);
	env_timer(&e);
	env_in(&e, TOE_ACK, 1000, 100, 0);
	CU_ASSERT(e.n >= 1);
	e.t.snd_wnd = 0;
	e.t.flags |= TOE_TCB_ACK_NOW;
	env_run(&e, 0);
	CU_ASSERT_EQUAL(env_out_seq(&e, e.n - 1), 0);
}

/* RFC 9293 3.5.2: a RST outside its window means nothing to the peer. */
static void rst__number_stays_in_the_peers_window(void)
{
	struct env e = env_established();

	env_ack_wnd(&e, 0, 0);
	env_write(&e, 2000);
	env_timer(&e); /* a probe, which the peer does not take */
	env_run(&e, toe_tcp_abort(&e.t, 0, e.now));
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(e.o[0].flags & TOE_RST);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 0);
}

/* A SYN takes no window: behind it we stand, whatever the peer's own SYN said. */
static void rst__number_after_a_syn_with_a_shut_window(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	syn.wnd = 0;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	env_run(&e, toe_tcp_abort(&e.t, 0, e.now));
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 0);
}

UNIT_MAIN("segment", T(ack__number_is_the_highest_sent), T(ack__number_stays_in_the_peers_window),
	  T(rst__number_stays_in_the_peers_window), T(rst__number_after_a_syn_with_a_shut_window))
