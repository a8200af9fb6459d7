/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/cc_cubic.c */
#include <math.h>

#include "tcp_env.h"

/* A connection in avoidance after one loss at `w_max` bytes, window in full use. */
static struct toe_tcb after_loss(uint16_t mss, uint32_t w_max, uint32_t srtt_us, uint64_t now)
{
	struct toe_tcb t = {
		.mss = mss, .cc = TOE_CC_CUBIC, .srtt_us = srtt_us, .rto_us = UINT32_MAX
	};

	toe_cc(&t)->init(&t, false, now);
	t.cwnd = w_max;
	t.ssthresh = toe_cc(&t)->loss(&t, now);
	t.cwnd = t.ssthresh;
	return t;
}

static void ack(struct toe_tcb *t, uint32_t acked, uint64_t now)
{
	toe_cc(t)->ack(t,
		       &(struct toe_ack_sample){ .now = now, .acked = acked, .flight = t->cwnd });
}

/* One round trip: the whole window, two segments an ACK. */
static void round_trip(struct toe_tcb *t, uint64_t *now)
{
	uint32_t n = t->cwnd / (2 * t->mss);

	for (uint32_t i = 0; i < n; i++)
		ack(t, 2 * t->mss, *now + (uint64_t)t->srtt_us * i / n);
	*now += t->srtt_us;
}

/* RFC 9438 4.2, equation (1), in floating point. */
static double closed_form(double w_max, double mss, double seconds)
{
	double k = cbrt(w_max / mss * 0.3 / 0.4);

	return (0.4 * pow(seconds - k, 3) + w_max / mss) * mss;
}

static void ack__follows_the_curve(void)
{
	static const struct {
		uint16_t mss;
		uint32_t w_max, srtt_us;
	} row[] = { { 1460, 1460 * 500, 100000 },
		    { 1448, 1448 * 8000, 100000 },
		    { 536, 536 * 2000, 50000 },
		    { 8960, 8960 * 1000, 200000 } };

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint64_t t0 = 1000000, now = t0;
		struct toe_tcb t = after_loss(row[i].mss, row[i].w_max, row[i].srtt_us, now);

		CU_ASSERT_DOUBLE_EQUAL(t.cwnd, 0.7 * row[i].w_max, 1);
		for (unsigned r = 0; r < 200; r++) {
			double want, k;

			round_trip(&t, &now);
			k = closed_form(row[i].w_max, row[i].mss, (double)(now - t0) / 1e6);
			want = k;
			if (want > 2 * row[i].w_max)
				break;
			/* Within a round trip's growth, as the target lies one ahead. */
			CU_ASSERT_DOUBLE_EQUAL(t.cwnd, want, 0.03 * row[i].w_max);
		}
	}
}

/* RFC 9438 4.3: where Reno would be faster, CUBIC is as fast. alpha is 9/17 below the old window. */
static void ack__reno_friendly_region(void)
{
	uint64_t now = 1000000;
	struct toe_tcb t = after_loss(1000, 20000, 1000, now);

	/* 14 segments grow to 20 by 9/17 each round: 11.33 rounds. */
	for (unsigned r = 0; r < 11; r++)
		round_trip(&t, &now);
	CU_ASSERT(t.cwnd > 19000 && t.cwnd < 20500);
	for (unsigned r = 0; r < 10; r++)
		round_trip(&t, &now);
	/* From there on, one each. */
	CU_ASSERT(t.cwnd > 27500 && t.cwnd < 30500);
}

/* Slow start ended by itself, or by a timeout: nobody knows how much more the path takes. */
static void ack__a_twentieth_while_w_max_is_unknown(void)
{
	uint64_t now = 1000000;
	struct toe_tcb t = after_loss(1000, 500000, 100000, now);
	uint32_t was;

	toe_cc(&t)->event(&t, TOE_CC_TIMEOUT, now);
	t.cwnd = t.ssthresh = 100000;
	for (unsigned r = 0; r < 10; r++)
		round_trip(&t, &now);
	CU_ASSERT_DOUBLE_EQUAL(t.cwnd, 100000 * pow(1.05, 10), 3000);
	t.reordered = 1; /* where a loss is found late */
	was = t.cwnd;
	round_trip(&t, &now);
	CU_ASSERT(t.cwnd < was + was / 40);
	t.reordered = 0;
	t.ssthresh = toe_cc(&t)->loss(&t, now);
	t.cwnd = t.ssthresh;
	round_trip(&t, &now);
	CU_ASSERT(t.cwnd < t.ssthresh + t.ssthresh / 25);
}

/* RFC 9438 4.6 and 4.7. */
static void loss__beta_and_fast_convergence(void)
{
	struct toe_tcb t = after_loss(1000, 100000, 1000, 0);

	CU_ASSERT_EQUAL(t.cwnd, 70000);
	CU_ASSERT_EQUAL(t.cc_state.cubic.w_max, 100000);
	CU_ASSERT_EQUAL(toe_cc(&t)->loss(&t, 0), 49000);
	CU_ASSERT_EQUAL(t.cc_state.cubic.w_max, 59500); /* 0.85 */
	t.cwnd = 80000;
	CU_ASSERT_EQUAL(toe_cc(&t)->loss(&t, 0), 56000);
	CU_ASSERT_EQUAL(t.cc_state.cubic.w_max, 80000);
	t.cwnd = 1000;
	CU_ASSERT_EQUAL(toe_cc(&t)->loss(&t, 0), 2000);
}

/* RFC 9438 4.8: after a timeout the curve starts at its top. */
static void event__timeout(void)
{
	uint64_t now = 1000000;
	struct toe_tcb t = after_loss(1000, 500000, 100000, now);

	toe_cc(&t)->event(&t, TOE_CC_TIMEOUT, now);
	ack(&t, 1000, now);
	CU_ASSERT_EQUAL(t.cc_state.cubic.k_ms, 0);
	CU_ASSERT_EQUAL(t.cc_state.cubic.origin, 350000);
}

/* RFC 9438 4.9: growth goes on as if there had been no loss. */
static void undo__restores_the_curve(void)
{
	uint64_t now = 1000000;
	struct toe_tcb t = after_loss(1000, 500000, 100000, now), was;

	for (unsigned r = 0; r < 20; r++)
		round_trip(&t, &now);
	was = t;
	toe_cc(&t)->loss(&t, now);
	t.cwnd = 5000;
	toe_cc(&t)->undo(&t);
	t.cwnd = was.cwnd;
	for (unsigned r = 0; r < 20; r++) {
		uint64_t at = now;

		round_trip(&was, &at);
		round_trip(&t, &now);
		CU_ASSERT_DOUBLE_EQUAL(t.cwnd, was.cwnd, 2000);
	}
}

/* RFC 9438 5.8: the clock of the curve stands still while the window is not used. */
static void ack__idle_time_does_not_count(void)
{
	uint64_t now = 1000000;
	struct toe_tcb t = after_loss(1000, 500000, 100000, now);
	uint32_t was;

	for (unsigned r = 0; r < 10; r++)
		round_trip(&t, &now);
	was = t.cwnd;
	t.snd_una = t.snd_max + 1;
	for (unsigned i = 0; i < 600; i++) { /* a minute of small talk */
		now += 100000;
		toe_cc(&t)->ack(
		    &t, &(struct toe_ack_sample){ .now = now, .acked = 100, .flight = 100 });
	}
	CU_ASSERT_EQUAL(t.cwnd, was);
	round_trip(&t, &now);
	CU_ASSERT(t.cwnd < was + was / 10);
}

/* Whatever the numbers: no overflow (UBSan), cwnd never above the maximum nor below itself. */
static void ack__extremes(void)
{
	static const uint32_t rtt[] = { 1, 1000, 60000000 };
	static const uint16_t mss[] = { 52, 1460, 65483 };

	for (unsigned r = 0; r < 3; r++)
		for (unsigned m = 0; m < 3; m++) {
			uint64_t now = 1ull << 50;
			struct toe_tcb t = after_loss(mss[m], TOE_CWND_MAX, rtt[r], now);

			for (unsigned i = 0; i < 1000; i++) {
				uint32_t was = t.cwnd;

				now += rtt[r] * 100ull;
				ack(&t, i % 2 ? mss[m] : TOE_CWND_MAX, now);
				CU_ASSERT_FATAL(t.cwnd >= was && t.cwnd <= TOE_CWND_MAX);
			}
			CU_ASSERT(toe_cc(&t)->loss(&t, now) <= TOE_CWND_MAX);
		}
}

/* RFC 9438 5.8: a pause is no time in which the window could have grown. */
static void idle__does_not_count(void)
{
	uint64_t now = 1000000;
	struct toe_tcb t = after_loss(1000, 100000, 20000, now), on;

	for (unsigned r = 0; r < 20; r++)
		round_trip(&t, &now);
	on = t;
	for (unsigned idle = 0; idle < 2; idle++) {
		uint64_t then = now;

		t = on;
		if (idle) {
			then += 60000000;
			toe_cc(&t)->event(&t, TOE_CC_IDLE, then);
		}
		for (unsigned r = 0; r < 5; r++)
			round_trip(&t, &then);
		CU_ASSERT(t.cwnd < on.cwnd + on.cwnd / 5);
	}
}

/* Where Reno's window is the larger one: it shrinks as well, and there is no leap back to where it was. */
static void idle__reno_shrinks_as_well(void)
{
	uint64_t now = 1000000;
	struct toe_tcb t = after_loss(1000, 20000, 1000, now);

	for (unsigned r = 0; r < 60; r++)
		round_trip(&t, &now);
	CU_ASSERT_EQUAL(t.cwnd, t.cc_state.cubic.w_est);
	CU_ASSERT(t.cwnd > 40000);
	now += 1000000;
	toe_cwv_idle(&t, now);
	CU_ASSERT_EQUAL(t.cwnd, 10000);
	while (t.cwnd < t.ssthresh)
		ack(&t, 1000, now);
	CU_ASSERT_EQUAL(t.cwnd, t.ssthresh);
	ack(&t, 1000, now);
	CU_ASSERT(t.cwnd <= t.ssthresh + 1000);
}

/* The same where the window is only half used: an ACK later it is not the old one again. */
static void decay__reno_shrinks_as_well(void)
{
	uint64_t now = 1000000;
	struct toe_tcb t = after_loss(1000, 20000, 1000, now);
	uint32_t was;

	for (unsigned r = 0; r < 60; r++)
		round_trip(&t, &now);
	was = t.cwnd;
	t.rto_us = 200000;
	t.snd_una = t.snd_max + 1;
	now += 300000;
	toe_cc(&t)->ack(
	    &t, &(struct toe_ack_sample){ .now = now, .acked = 1000, .flight = was / 4 * 3 });
	CU_ASSERT(t.cwnd < was && t.cwnd >= t.ssthresh);
	was = t.cwnd;
	ack(&t, 1000, now);
	CU_ASSERT(t.cwnd <= was + 1000);
}

UNIT_MAIN("cc_cubic", T(ack__follows_the_curve), T(ack__reno_friendly_region),
	  T(ack__a_twentieth_while_w_max_is_unknown), T(loss__beta_and_fast_convergence),
	  T(event__timeout), T(undo__restores_the_curve), T(ack__idle_time_does_not_count),
	  T(ack__extremes), T(idle__does_not_count), T(idle__reno_shrinks_as_well),
	  T(decay__reno_shrinks_as_well))
