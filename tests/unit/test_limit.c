/* SPDX-License-Identifier: BSD-2-Clause */
/* limit.c: for how long what bounded sending (RFC 4898: tcpEStatsPerfSndLimTime*). */
#include "tcp_env.h"

static struct toe_flow_info info(const struct env *e)
{
	struct toe_flow_info i;

	toe_tcp_info(&e->t, e->now, &i);
	return i;
}

#define TIMES(e, busy, rwnd, sndbuf) \
	do { \
		struct toe_flow_info i_ = info(e); \
		CU_ASSERT_EQUAL(i_.busy_us, busy); \
		CU_ASSERT_EQUAL(i_.rwnd_us, rwnd); \
		CU_ASSERT_EQUAL(i_.sndbuf_us, sndbuf); \
	} while (0)

static void limit__nothing_was_written(void)
{
	struct env e = env_established();

	e.now += 1000;
	env_in(&e, TOE_ACK | TOE_PSH, 0, 100, 0);
	e.now += 1000;
	TIMES(&e, 0, 0, 0);
	CU_ASSERT_EQUAL(e.t.limit, TOE_LIMIT_IDLE);
}

static void limit__busy_until_all_has_arrived(void)
{
	struct env e = env_established();

	env_write(&e, 1500);
	e.now += 300;
	TIMES(&e, 300, 0, 0);
	env_ack_wnd(&e, 1000, 60000);
	e.now += 200;
	env_ack_wnd(&e, 1500, 60000);
	e.now += 5000;
	TIMES(&e, 500, 0, 0);
	env_write(&e, 1600);
	e.now += 10;
	TIMES(&e, 510, 0, 0);
	/* The FIN is nothing that was written. */
	env_ack_wnd(&e, 1600, 60000);
	env_run(&e, toe_tcp_shutdown(&e.t, e.now));
	e.now += 1000;
	TIMES(&e, 510, 0, 0);
}

static void limit__the_peers_window(void)
{
	struct env e = env_established();

	env_ack_wnd(&e, 0, 0);
	env_write(&e, 2500);
	e.now += 100;
	TIMES(&e, 100, 100, 0);
	/* The byte of a probe changes nothing. */
	env_timer(&e);
	CU_ASSERT_EQUAL(e.o[0].len, 1);
	TIMES(&e, e.now - ENV_T0, e.now - ENV_T0, 0);
	env_ack_wnd(&e, 0, 1500); /* not all: a part waits for more of the window */
	e.now += 50;
	TIMES(&e, e.now - ENV_T0, e.now - ENV_T0, 0);
	env_ack_wnd(&e, 0, 60000);
	e.now += 50;
	TIMES(&e, e.now - ENV_T0, e.now - ENV_T0 - 50, 0);
}

/* What cwnd keeps back is the path's. */
static void limit__the_path_before_the_window(void)
{
	struct env e = env_established();

	env_ack_wnd(&e, 0, 10000);
	e.t.cwnd = 10 * ENV_MSS;
	env_write(&e, 20000);
	CU_ASSERT_EQUAL(e.n, 10);
	e.now += 100;
	TIMES(&e, 100, 0, 0);
	e.t.cwnd = 11 * ENV_MSS;
	env_run(&e, 0);
	CU_ASSERT_EQUAL(e.n, 0);
	e.now += 100;
	TIMES(&e, 200, 100, 0);
}

static void limit__the_send_buffer(void)
{
	struct env e = env_established();

	e.t.cwnd = 100 * ENV_MSS;
	e.t.snd_most = 0;
	e.t.snd_size = e.t.snd_want = 4096;
	env_run(&e, (uint32_t)toe_tcp_send(&e.t, 4096, TOE_SEND_WANT_SPACE, e.now));
	e.now += 300;
	TIMES(&e, 300, 0, 300);
	/* A third is free: the writer goes on, and is late from here on. */
	env_ack_wnd(&e, 2000, 60000);
	CU_ASSERT(e.act & TOE_ACT_TX_SPACE);
	e.now += 200;
	TIMES(&e, 500, 0, 300);
}

static void limit__ends_with_the_connection(void)
{
	struct env e = env_established();

	env_write(&e, 100);
	e.now += 100;
	env_run(&e, toe_tcp_abort(&e.t, ECONNRESET, e.now));
	e.now += 100;
	TIMES(&e, 100, 0, 0);
}

UNIT_MAIN("limit", T(limit__nothing_was_written), T(limit__busy_until_all_has_arrived),
	  T(limit__the_peers_window), T(limit__the_path_before_the_window),
	  T(limit__the_send_buffer), T(limit__ends_with_the_connection))
