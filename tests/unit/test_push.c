/* SPDX-License-Identifier: BSD-2-Clause */
/* push.c: where PSH stands in the midst of a long write. */
#include "sack_env.h"

/* Which of the segments that left say PSH, the first one the highest of `n` bits. */
static unsigned pushed(const struct env *e)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < e->n; i++)
		bits = bits << 1 | !!(e->o[i].flags & TOE_PSH);
	return bits;
}

static void over(struct env *e, uint32_t rtt_us)
{
	e->t.rack_rtt_us = e->t.min_rtt_us = rtt_us;
}

static void burst__what_a_millisecond_takes(void)
{
	struct env e = env_established();

	e.t.cwnd = 100 * ENV_MSS;
	over(&e, 10000); /* 10 segments in 1 ms, two such windows in slow start */
	CU_ASSERT_EQUAL(toe_push_segments(&e.t), 20);
	e.t.ssthresh = e.t.cwnd;
	CU_ASSERT_EQUAL(toe_push_segments(&e.t), 12);
	over(&e, 1000000);
	CU_ASSERT_EQUAL(toe_push_segments(&e.t), 2);
}

static void burst__longer_over_a_short_path(void)
{
	struct env e = env_established();

	e.t.cwnd = 1000 * ENV_MSS;
	e.t.rack_rtt_us = 1000000;
	e.t.min_rtt_us = 100;
	CU_ASSERT_EQUAL(toe_push_segments(&e.t), 65);
	e.t.min_rtt_us = 4 * 512;
	CU_ASSERT_EQUAL(toe_push_segments(&e.t), 6);
	e.t.min_rtt_us = UINT32_MAX;
	CU_ASSERT_EQUAL(toe_push_segments(&e.t), 2);
}

static void burst__half_of_cwnd_at_most(void)
{
	struct env e = env_established();

	e.t.rack_rtt_us = 0; /* nothing is known yet */
	for (unsigned segs = 1; segs < 12; segs++) {
		e.t.cwnd = segs * ENV_MSS;
		CU_ASSERT_EQUAL(toe_push_segments(&e.t), segs < 4 ? 1 : segs / 2);
	}
	e.t.cwnd = TOE_CWND_MAX;
	CU_ASSERT_EQUAL(toe_push_segments(&e.t), 65);
	e.t.mss = 100;
	CU_ASSERT_EQUAL(toe_push_segments(&e.t), 255);
}

static void burst__at_the_algorithm_s_own_pace(void)
{
	struct env e = env_established();

	e.t.cwnd = 1000 * ENV_MSS;
	over(&e, 1000000);
	toe_pace_set(&e.t, 10000000);
	CU_ASSERT_EQUAL(toe_push_segments(&e.t), 10);
}

static void push__at_the_end_of_each_burst(void)
{
	struct env e = env_established();

	over(&e, 1000000);
	env_write(&e, 7500);
	CU_ASSERT_EQUAL(e.n, 8);
	CU_ASSERT_EQUAL(pushed(&e), 0x55); /* that of 500 bytes ends the write */
}

/* Two ACKs at once let one segment go each: neither has company. */
static void push__not_on_one_alone(void)
{
	struct env e = env_established();

	e.t.ssthresh = e.t.cwnd = 4 * ENV_MSS;
	env_write(&e, 20000);
	CU_ASSERT_EQUAL(pushed(&e), 5);
	env_in(&e, TOE_ACK, 0, 0, 1000);
	CU_ASSERT(e.n == 1 && !pushed(&e));
	env_in(&e, TOE_ACK, 0, 0, 2000);
	CU_ASSERT(e.n == 1 && !pushed(&e));
}

/* What fills the last hole, behind what fills another or its own beginning. */
static void push__at_the_end_of_what_goes_again(void)
{
	struct env e = sack_flight(10);

	sack2(&e, 0, 2000, 4000, 6000, 10000);
	CU_ASSERT_EQUAL(e.n, 5); /* 0 to 2000, 4000 to 6000, and a new one */
	CU_ASSERT(env_out_seq(&e, 3) == 5000 && e.o[3].rexmit);
	CU_ASSERT_EQUAL(pushed(&e), 2);
	e = sack_flight(10);
	e.t.snd_end = e.t.snd_max;
	sack(&e, 0, 1000, 10000);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(pushed(&e), 0);
}

/* The window ends the burst; what is still lost follows with the next ACK. */
static void push__not_while_more_is_lost(void)
{
	struct env e = sack_flight(10);

	e.t.cwnd = e.t.ssthresh = 20 * ENV_MSS;
	sack(&e, 0, 8000, 10000);
	CU_ASSERT(e.n > 1 && e.t.lost);
	CU_ASSERT_EQUAL(pushed(&e), 0);
}

UNIT_MAIN("push", T(burst__what_a_millisecond_takes), T(burst__longer_over_a_short_path),
	  T(burst__half_of_cwnd_at_most), T(burst__at_the_algorithm_s_own_pace),
	  T(push__at_the_end_of_each_burst), T(push__not_on_one_alone),
	  T(push__at_the_end_of_what_goes_again), T(push__not_while_more_is_lost))
