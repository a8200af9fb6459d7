/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/send.c */
#include "tcp_env.h"

static void toe_tcp_send__positions(void)
{
	struct env e = env_established();

	CU_ASSERT_EQUAL(toe_tcp_send(&e.t, 65537, 0, e.now), -EINVAL); /* more than the buffer */
	CU_ASSERT_EQUAL(toe_tcp_send(&e.t, UINT64_MAX, 0, e.now), -EINVAL);
	CU_ASSERT(toe_tcp_send(&e.t, 65536, 0, e.now) > 0);
	CU_ASSERT_EQUAL(toe_tcp_send(&e.t, 100, 0, e.now), 0); /* repeated */
	CU_ASSERT_EQUAL(e.t.snd_end - e.t.snd_first, 65536);
}

static void toe_tcp_send__not_after_fin(void)
{
	struct env e = env_fin_wait_1();

	CU_ASSERT_EQUAL(toe_tcp_send(&e.t, 10, 0, e.now), -EPIPE);
	CU_ASSERT(toe_tcp_send(&e.t, 0, 0, e.now) >= 0);
}

static void toe_tcp_send__before_the_handshake_waits(void)
{
	struct env e = env_syn_sent();
	struct toe_seg s = env_syn(&e);

	env_write(&e, 100);
	CU_ASSERT_EQUAL(e.n, 0);
	s.flags |= TOE_ACK;
	s.ack = ENV_ISN + 1;
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 100);
}

static void toe_tcp_send__space_at_once(void)
{
	struct env e = env_established();

	CU_ASSERT(toe_tcp_send(&e.t, 100, TOE_SEND_WANT_SPACE, e.now) & TOE_ACT_TX_SPACE);
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_WANT_SPACE);
}

static uint16_t burst_at(struct env *e, uint32_t window)
{
	e->t.max_snd_wnd = window;
	return toe_tcp_tx_burst(&e->t);
}

/* Half of the peer's largest window, for those whom it concerns. */
static void toe_tcp_tx_burst__half_a_window(void)
{
	struct env e = env_established();

	CU_ASSERT_EQUAL(burst_at(&e, 50000), 0);
	toe_tcp_option(&e.t, TOE_OPT_SNDBUF, 42000, e.now);
	CU_ASSERT_EQUAL(burst_at(&e, 50000), 25000);
	CU_ASSERT_EQUAL(burst_at(&e, 51999), 25000); /* whole segments */
	CU_ASSERT_EQUAL(burst_at(&e, 1500), 1000);
	CU_ASSERT_EQUAL(burst_at(&e, 1 << 20), 65000);
	toe_tcp_option(&e.t, TOE_OPT_SNDBUF, 65536, e.now); /* all of its ring */
	CU_ASSERT_EQUAL(burst_at(&e, 50000), 0);
	toe_tcp_option(&e.t, TOE_OPT_NOTSENT_LOWAT, 1000, e.now);
	CU_ASSERT_EQUAL(burst_at(&e, 50000), 25000);
	e.t.state = TOE_TCP_SYN_RECEIVED;
	CU_ASSERT_EQUAL(burst_at(&e, 50000), 0);
}

/* A limit that was set is the writer's to keep to; the ring is the engine's. */
static void toe_tcp_send__beyond_a_set_limit(void)
{
	struct env e = env_established();

	toe_tcp_option(&e.t, TOE_OPT_SNDBUF, 42000, e.now);
	CU_ASSERT_EQUAL(toe_tcp_send(&e.t, 65537, 0, e.now), -EINVAL);
	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 60000, TOE_SEND_WANT_SPACE, e.now));
	CU_ASSERT(e.t.flags & TOE_TCB_WANT_SPACE);
	env_in(&e, TOE_ACK, 0, 0, 10000);
	env_in(&e, TOE_ACK, 0, 0, 30000);
	CU_ASSERT_FALSE(e.act & TOE_ACT_TX_SPACE);
	env_in(&e, TOE_ACK, 0, 0, 32000); /* 28,000 wait: a third is free */
	CU_ASSERT(e.act & TOE_ACT_TX_SPACE);
}

UNIT_MAIN("send", T(toe_tcp_tx_burst__half_a_window), T(toe_tcp_send__beyond_a_set_limit),
	  T(toe_tcp_send__positions), T(toe_tcp_send__not_after_fin),
	  T(toe_tcp_send__before_the_handshake_waits), T(toe_tcp_send__space_at_once))
