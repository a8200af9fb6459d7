/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp/keepalive.c: the silent peer. */
#include "tcp_env.h"

enum { S = 1000000 };

static struct env keeping(uint32_t idle, uint32_t intvl, uint32_t cnt)
{
	struct env e = env_established();

	toe_tcp_option(&e.t, TOE_OPT_KEEPIDLE, idle, e.now);
	toe_tcp_option(&e.t, TOE_OPT_KEEPINTVL, intvl, e.now);
	toe_tcp_option(&e.t, TOE_OPT_KEEPCNT, cnt, e.now);
	toe_tcp_option(&e.t, TOE_OPT_KEEPALIVE, 1, e.now);
	return e;
}

static bool is_probe(const struct env *e)
{
	return e->n == 1 && e->o[0].flags == TOE_ACK && !e->o[0].len &&
	       e->o[0].seq == (uint32_t)e->t.snd_una - 1;
}

static void keepalive__probes_then_gives_up(void)
{
	struct env e = keeping(10, 2, 3);
	uint64_t t0 = e.now;

	for (unsigned i = 0; i < 3; i++) {
		env_timer(&e);
		CU_ASSERT_EQUAL(e.now, t0 + (10 + 2 * i) * (uint64_t)S);
		CU_ASSERT(is_probe(&e));
	}
	env_timer(&e);
	CU_ASSERT_EQUAL(e.now, t0 + 16 * (uint64_t)S);
	CU_ASSERT(e.n == 1 && e.o[0].flags & TOE_RST);
	CU_ASSERT(e.act & TOE_ACT_ERROR && e.t.error == ETIMEDOUT);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), 0);
}

/* RFC 1122 4.2.3.9: what routers said of the probes is why. */
static void keepalive__reports_the_soft_error(void)
{
	struct env e = keeping(10, 2, 1);
	uint32_t probe = ENV_ISN;

	CU_ASSERT(toe_tcp_unreachable(&e.t, probe, EHOSTUNREACH, e.now) & TOE_ACT_C_UNACCEPTABLE);
	env_timer(&e);
	CU_ASSERT(is_probe(&e) && e.o[0].seq == probe);
	CU_ASSERT(toe_tcp_unreachable(&e.t, probe - 1, EHOSTUNREACH, e.now) &
		  TOE_ACT_C_UNACCEPTABLE);
	CU_ASSERT_EQUAL(toe_tcp_unreachable(&e.t, probe, EHOSTUNREACH, e.now), 0);
	env_timer(&e);
	CU_ASSERT(e.act & TOE_ACT_ERROR && e.t.error == EHOSTUNREACH);
}

/* What they said of data that has arrived all the same is not. */
static void keepalive__forgets_the_soft_error(void)
{
	struct env e = keeping(10, 2, 1);

	env_write(&e, 100);
	CU_ASSERT_EQUAL(toe_tcp_unreachable(&e.t, ENV_ISN + 1, EHOSTUNREACH, e.now), 0);
	env_in(&e, TOE_ACK, 0, 100, 0);
	while (e.t.state != TOE_TCP_CLOSED)
		env_timer(&e);
	CU_ASSERT(e.act & TOE_ACT_ERROR && e.t.error == ETIMEDOUT);
}

static void keepalive__an_answer_starts_anew(void)
{
	struct env e = keeping(10, 2, 1);

	env_timer(&e);
	CU_ASSERT(is_probe(&e));
	e.now += S;
	env_in(&e, TOE_ACK, 0, 0, 0);
	env_timer(&e); /* the interval is over: nothing to do */
	CU_ASSERT_EQUAL(e.n, 0);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), e.t.rcv_at + 10 * (uint64_t)S);
	env_timer(&e);
	CU_ASSERT(is_probe(&e) && !e.t.error);
}

/* An interval as long as the idle time, and longer: each answer counts, though it is as old by then. */
static void keepalive__answers_to_slow_probes(void)
{
	for (uint32_t intvl = 10; intvl <= 75; intvl += 65) {
		struct env e = keeping(10, intvl, 2);
		unsigned probes = 0;

		for (unsigned i = 0; i < 12 && !e.t.error; i++) {
			e.now = toe_tcp_deadline(&e.t) + 4000; /* timers come late */
			env_run(&e, toe_tcp_timer(&e.t, e.now));
			probes += is_probe(&e);
			if (is_probe(&e))
				env_in(&e, TOE_ACK, 0, 0, 0);
		}
		CU_ASSERT(probes > 6 && !e.t.error);
		for (unsigned i = 0; i < 4 && !e.t.error; i++)
			env_timer(&e);
		CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
	}
}

static void keepalive__data_counts_as_life(void)
{
	struct env e = keeping(10, 2, 1);
	uint64_t t0 = e.now;

	e.now += 9 * S;
	env_in(&e, TOE_ACK | TOE_PSH, 0, 100, 0);
	e.now = t0 + 10 * S;
	env_run(&e, toe_tcp_timer(&e.t, e.now));
	CU_ASSERT(!is_probe(&e));
	CU_ASSERT_EQUAL(e.t.keep_at, t0 + 19 * (uint64_t)S);
}

/* Data outstanding has the retransmission timer, a shut window the persist timer. */
static void keepalive__not_while_data_waits(void)
{
	struct env e = keeping(1, 1, 1);

	env_write(&e, 100);
	for (unsigned i = 0; i < 6; i++) {
		env_timer(&e);
		CU_ASSERT(!is_probe(&e) && !e.t.keep_probes);
	}
	e = keeping(1, 1, 1);
	env_ack_wnd(&e, 0, 0);
	env_write(&e, 100);
	for (unsigned i = 0; i < 6; i++) {
		env_timer(&e);
		CU_ASSERT(!is_probe(&e) && !e.t.keep_probes);
		env_ack_wnd(&e, 0, 0);
	}
	CU_ASSERT(!e.t.error);
}

static void keepalive__off_and_on(void)
{
	struct env e = keeping(10, 1, 1);

	toe_tcp_option(&e.t, TOE_OPT_KEEPALIVE, 0, e.now);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), 0);
	e.now += 20 * S;
	toe_tcp_option(&e.t, TOE_OPT_KEEPALIVE, 1, e.now);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), e.now + 10 * (uint64_t)S);
	/* A shorter idle time that is over already. */
	toe_tcp_option(&e.t, TOE_OPT_KEEPIDLE, 5, e.now);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), e.now);
	env_timer(&e);
	CU_ASSERT(is_probe(&e));
}

static void keepalive__user_timeout_overrides_the_count(void)
{
	struct env e = keeping(2, 1, 1);
	uint64_t t0 = e.now;

	toe_tcp_option(&e.t, TOE_OPT_USER_TIMEOUT, 6000, e.now);
	while (!e.t.error)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.now, t0 + 6 * (uint64_t)S);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
	/* Longer than the idle time and two probes, shorter than the idle time: at the second one. */
	e = keeping(4, 1, 9);
	t0 = e.now;
	toe_tcp_option(&e.t, TOE_OPT_USER_TIMEOUT, 1000, e.now);
	while (!e.t.error)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.now, t0 + 5 * (uint64_t)S);
}

static void user_timeout__unacknowledged_data(void)
{
	struct env e = env_established();
	uint64_t t0 = e.now;

	toe_tcp_option(&e.t, TOE_OPT_USER_TIMEOUT, 3000, e.now);
	env_write(&e, 100);
	while (!e.t.error)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.now, t0 + 3 * (uint64_t)S);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
}

static void user_timeout__progress_restarts_it(void)
{
	struct env e = env_established();
	uint64_t t0 = e.now;

	toe_tcp_option(&e.t, TOE_OPT_USER_TIMEOUT, 3000, e.now);
	env_write(&e, 200);
	while (e.now < t0 + S)
		env_timer(&e);
	CU_ASSERT(!e.t.error);
	env_in(&e, TOE_ACK, 0, 0, 100);
	t0 = e.now;
	while (!e.t.error)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.now, t0 + 3 * (uint64_t)S);
}

/* tcp(7): the count of retransmissions does not matter then. */
static void user_timeout__longer_than_the_count(void)
{
	struct env e = env_established();
	uint64_t t0 = e.now;

	toe_tcp_option(&e.t, TOE_OPT_USER_TIMEOUT, 3600000, e.now);
	env_write(&e, 100);
	while (!e.t.error)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.now, t0 + 3600 * (uint64_t)S);
}

/* Also of a peer that answers each probe with a shut window. */
static void user_timeout__zero_window(void)
{
	struct env e = env_established();

	toe_tcp_option(&e.t, TOE_OPT_USER_TIMEOUT, 5000, e.now);
	env_ack_wnd(&e, 0, 0);
	env_write(&e, 100);
	for (unsigned i = 0; i < 50 && !e.t.error; i++) {
		env_timer(&e);
		if (!e.t.error)
			env_ack_wnd(&e, 0, 0);
	}
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
	CU_ASSERT(e.now <= ENV_T0 + 5 * (uint64_t)S + TOE_RTO_INIT_US);
}

/* Then it opens: what leaves has its time for itself. */
static void user_timeout__begins_when_a_window_opens(void)
{
	struct env e = env_established();
	uint64_t t0;

	toe_tcp_option(&e.t, TOE_OPT_USER_TIMEOUT, 3000, e.now);
	env_ack_wnd(&e, 0, 0);
	env_write(&e, 100);
	while (e.now < ENV_T0 + S)
		env_timer(&e);
	CU_ASSERT(e.t.stall_at && !e.t.error);
	env_ack_wnd(&e, 0, 60000);
	CU_ASSERT_EQUAL(e.n, 1);
	t0 = e.now;
	while (!e.t.error)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.now, t0 + 3 * (uint64_t)S);
}

/* The device takes no packet: its time begins with the first that the timer asks for. */
static void user_timeout__of_a_device_that_takes_nothing(void)
{
	struct env e = env_established();
	uint64_t t0;

	toe_tcp_option(&e.t, TOE_OPT_USER_TIMEOUT, 3000, e.now);
	CU_ASSERT_EQUAL(toe_tcp_send(&e.t, 100, 0, e.now), TOE_ACT_OUTPUT);
	toe_tcp_refused(&e.t, e.now);
	t0 = e.now + e.t.rto_us;
	while (!e.t.error) {
		e.now = toe_tcp_deadline(&e.t);
		CU_ASSERT_FATAL(e.now);
		toe_tcp_timer(&e.t, e.now);
		toe_tcp_refused(&e.t, e.now);
	}
	CU_ASSERT_EQUAL(e.now, t0 + 3 * (uint64_t)S);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
}

static void user_timeout__handshake(void)
{
	struct env e = env_syn_sent();

	toe_tcp_option(&e.t, TOE_OPT_USER_TIMEOUT, 2500, e.now);
	while (!e.t.error)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.now, ENV_T0 + 2500000);
	e = env_syn_sent();
	toe_tcp_option(&e.t, TOE_OPT_SYNCNT, 2, e.now);
	while (!e.t.error)
		env_timer(&e);
	CU_ASSERT_EQUAL(e.now, ENV_T0 + 7 * (uint64_t)S); /* 1 + 2 + 4 */
}

/* Its probe waited for a frame, and there is data for a shut window now: that probe has a timer. */
static void probe__becomes_that_of_a_shut_window(void)
{
	struct env e = env_established();
	struct toe_out o;

	CU_ASSERT(toe_tcp_option(&e.t, TOE_OPT_KEEPALIVE, 1, e.now) >= 0);
	env_ack_wnd(&e, 0, 0);
	e.now = toe_tcp_deadline(&e.t);
	toe_tcp_timer(&e.t, e.now);
	CU_ASSERT(toe_tcp_send(&e.t, 100, 0, e.now) >= 0);
	CU_ASSERT(toe_tcp_output(&e.t, e.now, &o));
	CU_ASSERT_EQUAL(o.len, 1);
	CU_ASSERT_PTR_NULL(toe_tcb_check(&e.t));
}

UNIT_MAIN("keepalive", T(keepalive__probes_then_gives_up), T(keepalive__reports_the_soft_error),
	  T(keepalive__forgets_the_soft_error), T(keepalive__an_answer_starts_anew),
	  T(keepalive__answers_to_slow_probes), T(keepalive__data_counts_as_life),
	  T(keepalive__not_while_data_waits), T(keepalive__off_and_on),
	  T(keepalive__user_timeout_overrides_the_count), T(user_timeout__unacknowledged_data),
	  T(user_timeout__progress_restarts_it), T(user_timeout__longer_than_the_count),
	  T(user_timeout__zero_window), T(user_timeout__begins_when_a_window_opens),
	  T(user_timeout__of_a_device_that_takes_nothing), T(user_timeout__handshake),
	  T(probe__becomes_that_of_a_shut_window))
