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

UNIT_MAIN("send", T(toe_tcp_send__positions), T(toe_tcp_send__not_after_fin),
	  T(toe_tcp_send__before_the_handshake_waits), T(toe_tcp_send__space_at_once))
