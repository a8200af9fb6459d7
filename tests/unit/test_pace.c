/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/pace.c and its place in output.c. */
#include "tcp_env.h"

/* An established connection with much to send, and nothing but its pace to hold it back. */
static struct env eager(uint64_t rate)
{
	struct env e = env_established();

	e.t.cwnd = 1000000;
	e.t.snd_wnd = e.t.max_snd_wnd = 1000000;
	toe_pace_set(&e.t, rate);
	return e;
}

/* Bytes that leave in `us` microseconds from a second's end on, looked at every `step`. */
static double rate_over(struct env *e, uint64_t us, uint64_t step)
{
	uint64_t sent = e->t.snd_nxt, end = e->now + us;

	while (e->now < end) {
		struct toe_out o;

		toe_tcp_send(&e->t, e->t.snd_una - e->t.snd_first + 60000, 0, e->now);
		for (unsigned n = 0; n < 1000 && toe_tcp_output(&e->t, e->now, &o); n++)
			e->t.snd_una = e->t.snd_nxt; /* all arrives at once */
		CU_ASSERT(!toe_send_pending(&e->t) || e->t.pace_at > e->now);
		e->now += step;
	}
	return (double)(e->t.snd_nxt - sent) * 1e6 / (double)us;
}

/* The rate is kept, also when the timer comes late by a tick of the wheel. */
static void output__keeps_the_rate(void)
{
	static const struct {
		uint64_t rate, us, step;
	} row[] = { { 125000000, 20000, 16 },   { 125000000, 20000, 100 },
		    { 12500000, 100000, 120 },  { 1250000, 1000000, 100 },
		    { 125000, 10000000, 1000 }, { 1250, 60000000, 1000 } };

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct env e = eager(row[i].rate);
		double got = rate_over(&e, row[i].us, row[i].step);

		CU_ASSERT(got > 0.97 * (double)row[i].rate);
		CU_ASSERT(got < 1.05 * (double)row[i].rate);
	}
}

/* At 1 Gbit/s no burst is longer than a quarter of a millisecond. */
static void output__bursts_are_short(void)
{
	struct env e = eager(125000000);
	struct toe_out o;
	unsigned n = 0;

	toe_tcp_send(&e.t, 60000, 0, e.now);
	while (toe_tcp_output(&e.t, e.now, &o))
		n += o.len;
	CU_ASSERT(n <= 33000);
	CU_ASSERT(e.t.pace_at > e.now && e.t.pace_at <= e.now + 260);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), e.t.pace_at);
	e.now = e.t.pace_at;
	CU_ASSERT(toe_tcp_timer(&e.t, e.now) & TOE_ACT_OUTPUT);
	CU_ASSERT(toe_tcp_output(&e.t, e.now, &o));
}

/* A CPU that is not to be had for 3 ms at a time: the rate is kept all the same. */
static void output__late_timers(void)
{
	struct env e = eager(12500000);
	uint64_t t0 = e.now, sent = e.t.snd_nxt;
	struct toe_out o;

	while (e.now < t0 + 1000000) {
		if (e.t.pace_at && e.t.pace_at <= e.now)
			toe_tcp_timer(&e.t, e.now);
		toe_tcp_send(&e.t, e.t.snd_una - e.t.snd_first + 60000, 0, e.now);
		while (toe_tcp_output(&e.t, e.now, &o))
			e.t.snd_una = e.t.snd_nxt;
		e.now += 3000;
	}
	CU_ASSERT_DOUBLE_EQUAL((double)(e.t.snd_nxt - sent), 12500000, 500000);
}

/* ACKs do not wait, and neither does a flow that has nothing to say. */
static void output__acks_are_not_paced(void)
{
	struct env e = eager(1000);

	env_write(&e, 10000);
	CU_ASSERT(e.n >= 1 && e.t.pace_at);
	env_in(&e, TOE_ACK | TOE_FIN, 0, 1000, 0);
	CU_ASSERT(env_only_ack(&e, 1001));
	e = eager(1000);
	env_write(&e, 1000);
	CU_ASSERT_EQUAL(e.t.pace_at, 0);
}

static void set__off_again(void)
{
	struct env e = eager(1000);

	env_write(&e, 10000);
	toe_pace_set(&e.t, 0);
	CU_ASSERT_EQUAL(e.t.pace_at, 0);
	env_run(&e, TOE_ACT_OUTPUT);
	CU_ASSERT(e.n >= 8);
}

/* 1 kbit/s to 400 Gbit/s, any segment: no overflow, and the wait is bounded. */
static void charge__extremes(void)
{
	static const uint64_t rate[] = { 1, 125, 50000000000ull, UINT64_MAX };

	for (unsigned i = 0; i < 4; i++) {
		struct env e = eager(rate[i]);

		e.now = 1ull << 50;
		toe_pace_charge(&e.t, 65535, e.now);
		toe_pace_charge(&e.t, 65535, e.now);
		CU_ASSERT(e.t.pace_ns <= e.now * 1000 + 120000000000ull);
	}
}

/*
 * What was written is on its way, or waits for its time: then the path is busy, and a rate is its own.
 * When the time has come and there was nothing, it is the application's.
 */
static void output__whose_rate_it_is(void)
{
	struct env e = env_established();

	e.t.cwnd = 1 << 20;
	toe_pace_set(&e.t, 1000000);
	env_write(&e, 1000);
	CU_ASSERT_EQUAL(e.t.app_limited, e.t.delivered ? e.t.delivered : 1);
	e.t.app_limited = 0;
	CU_ASSERT_EQUAL(e.t.snd_nxt, e.t.snd_end);
	e.now += 200; /* it takes a millisecond, of which half may run ahead */
	env_write(&e, 2000);
	CU_ASSERT_EQUAL(e.t.app_limited, 0);
	e.now += 10000;
	env_run(&e, toe_tcp_timer(&e.t, e.now));
	CU_ASSERT_EQUAL(e.t.snd_nxt, e.t.snd_end);
	e.now += 10000;
	CU_ASSERT_EQUAL(e.t.app_limited, 0);
	env_write(&e, 3000);
	CU_ASSERT_EQUAL(e.t.app_limited, e.t.delivered + 2000);
}

/* A hole keeps the peer's window shut: what it bounds says nothing about the path. */
static void rate__bounded_by_a_hole(void)
{
	struct env e = env_established();
	struct toe_seg seg;

	e.t.flags |= TOE_TCB_SACK;
	e.t.srtt_us = e.t.min_rtt_us = e.t.min_rtt_next_us = 20000;
	e.t.reordered = 1; /* what is late is not lost */
	toe_pace_set(&e.t, 1000000000);
	e.t.cwnd = 10000;
	env_ack_wnd(&e, 0, 20000);
	env_write(&e, 40000);
	CU_ASSERT_EQUAL(e.n, 10);
	e.t.app_limited = 0; /* the write came late */
	e.t.cwnd = 30000;
	e.now += 1000;
	env_run(&e, TOE_ACT_OUTPUT);
	CU_ASSERT_EQUAL(e.t.snd_max - e.t.snd_una, 20000);
	CU_ASSERT_EQUAL(e.t.app_limited, 0); /* it is full, and that is all */
	seg = env_seg(&e, TOE_ACK, 0, 0, 0);
	seg.wnd = 20000;
	seg.opts |= TOE_SEG_SACK;
	seg.nsack = 1;
	seg.sack[0] = (struct toe_range){ seg.ack + 1000, seg.ack + 2000 };
	env_run(&e, toe_tcp_input(&e.t, &seg, e.now));
	CU_ASSERT_EQUAL(e.t.app_limited, e.t.delivered + 19000);
}

UNIT_MAIN("pace", T(output__keeps_the_rate), T(output__bursts_are_short), T(output__late_timers),
	  T(output__acks_are_not_paced), T(set__off_again), T(charge__extremes),
	  T(output__whose_rate_it_is), T(rate__bounded_by_a_hole))
