/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/hystart.c, as CUBIC uses it (RFC 9406 4.2). */
#include "tcp_env.h"

static struct toe_tcb t;

static void start(void)
{
	t = (struct toe_tcb){ .mss = 1000, .cc = TOE_CC_CUBIC, .srtt_us = 50000 };
	toe_cc(&t)->init(&t, false, 0);
}

static bool in_css(void)
{
	return t.cc_state.cubic.hystart.css_rounds;
}

/* One segment more arrives. `sent`: what had arrived when it left. */
static void acked(uint32_t sent, uint64_t now, uint32_t rtt)
{
	t.snd_una += 1000;
	t.delivered += 1000;
	toe_cc(&t)->ack(&t, &(struct toe_ack_sample){ .now = now,
						      .acked = 1000,
						      .delivered = 1000,
						      .flight = t.cwnd,
						      .prior_delivered = sent,
						      .rtt_us = rtt });
}

/* A round trip of `n` ACKs of one segment each, all as late. The first ends the round before. */
static void round_of(unsigned n, uint32_t rtt)
{
	uint32_t sent = (uint32_t)t.delivered;

	t.snd_nxt = t.snd_max = t.snd_una + n * 1000;
	for (unsigned i = 0; i < n; i++)
		acked(sent, 1, rtt);
}

/* The round trip grows from 10 to 30 ms. */
static void start_css(void)
{
	start();
	round_of(10, 10000);
	round_of(10, 10000);
	round_of(10, 30000);
	CU_ASSERT(in_css());
}

static void slow_start__doubles(void)
{
	start();
	round_of(10, 50000);
	CU_ASSERT_EQUAL(t.cwnd, 20000);
	round_of(10, 50000);
	CU_ASSERT_EQUAL(t.cwnd, 30000);
	CU_ASSERT(!in_css());
}

/* 64 KB an ACK, what a receiver's offload puts together; not beyond ssthresh. */
static void slow_start__bounds_an_ack(void)
{
	start();
	toe_cc(&t)->ack(&t, &(struct toe_ack_sample){ .acked = 100000, .flight = 10000 });
	CU_ASSERT_EQUAL(t.cwnd, 75536);
	t.ssthresh = 80000;
	toe_cc(&t)->ack(&t, &(struct toe_ack_sample){ .acked = 100000, .flight = 75536 });
	CU_ASSERT_EQUAL(t.cwnd, 80000);
}

/* The threshold is an eighth of the round trip, within 4 and 16 ms. */
static void css__threshold(void)
{
	static const struct {
		uint32_t before, after;
		bool css;
	} row[] = {
		{ 10000, 13999, false }, { 10000, 14000, true },    { 80000, 89999, false },
		{ 80000, 90000, true },  { 400000, 415999, false }, { 400000, 416000, true },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		start();
		round_of(10, row[i].before);
		round_of(10, row[i].before);
		round_of(9, row[i].after);
		CU_ASSERT_EQUAL(in_css(), row[i].css);
	}
}

static void css__needs_eight_samples(void)
{
	start();
	round_of(10, 10000);
	round_of(10, 10000);
	round_of(8, 30000);
	CU_ASSERT(!in_css());
}

/* In CSS a quarter of the growth; five rounds of it end slow start. */
static void css__five_rounds_end_slow_start(void)
{
	uint32_t was;

	start_css();
	was = t.cwnd;
	round_of(10, 30000);
	CU_ASSERT_EQUAL(t.cwnd, was + 2500);
	for (unsigned i = 0; i < 10 && t.ssthresh == TOE_CWND_MAX; i++) {
		round_of(10, 30000);
		CU_ASSERT(i < 5);
	}
	CU_ASSERT(t.ssthresh <= t.cwnd);
}

/* In CSS the round trip has grown by the threshold again: that is no jitter. */
static void css__ends_where_delay_grows_again(void)
{
	for (uint32_t rtt = 33999; rtt <= 34000; rtt++) {
		start_css();
		round_of(10, rtt);
		CU_ASSERT_EQUAL(t.ssthresh < TOE_CWND_MAX, rtt == 34000);
	}
}

/*
 * The round trip is what it was before: it was jitter, slow start goes on. A little less than when CSS
 * began is no proof, as the parts of a round meet unequal queues.
 */
static void css__false_alarm(void)
{
	start_css();
	round_of(10, 13000);
	round_of(10, 13000);
	CU_ASSERT(in_css());
	round_of(10, 11000);
	CU_ASSERT(!in_css());
	CU_ASSERT_EQUAL(t.ssthresh, TOE_CWND_MAX);
}

/* Later slow starts know where to end. */
static void later_slow_start__is_not_watched(void)
{
	start();
	t.ssthresh = 1000000;
	round_of(10, 10000);
	round_of(10, 10000);
	round_of(10, 30000);
	CU_ASSERT(!in_css());
}

/* The queue in which CSS had begun is gone when a pause is over: what is left of its rounds counts no more. */
static void css__ends_with_a_pause(void)
{
	start_css();
	toe_cwv_idle(&t, 1000000);
	CU_ASSERT(!in_css());
	CU_ASSERT_EQUAL(t.cwnd, 10000);
	round_of(10, 10000);
	CU_ASSERT_EQUAL(t.cwnd, 20000);
}

/* Also if the first one ended in CSS: they double, and reach ssthresh. */
static void later_slow_start__doubles(void)
{
	start_css();
	t.ssthresh = 25001;
	t.cwnd = 10000;
	round_of(10, 30000);
	CU_ASSERT_EQUAL(t.cwnd, 20000);
	round_of(6, 30000);
	CU_ASSERT_EQUAL(t.cwnd, 25001);
}

/*
 * The queue begins to grow in the midst of a round: that is seen before the round, whose first segments
 * met none, is over.
 */
static void css__within_the_round(void)
{
	uint32_t sent;

	start();
	round_of(10, 80000);
	t.snd_nxt = t.snd_max = t.snd_una + 160000;
	sent = (uint32_t)t.delivered;
	for (unsigned i = 0; i < 160 && !in_css(); i++) {
		acked(sent, 1, 80000 + i * 500);
		CU_ASSERT(i < 80);
	}
	CU_ASSERT(in_css());
}

/*
 * A round of `n` ACKs, `gap` microseconds apart, on a path of 20 ms without a queue. Where it reorders,
 * each fourth is of a segment that others have overtaken, and comes in the midst of a gap.
 */
static void train(unsigned n, uint32_t gap, uint64_t *now)
{
	uint32_t sent = (uint32_t)t.delivered;

	*now += 20000;
	t.snd_nxt = t.snd_max = t.snd_una + n * 1000;
	for (unsigned i = 0; i < n; i++) {
		t.rack_at = (uint32_t)*now - 20000;
		t.first_sent_at = t.rack_at;
		acked(sent, *now, 20000);
		if (t.reordered && i % 4 == 3) {
			t.first_sent_at = t.rack_at - 2500;
			acked(sent, *now + gap / 2, 22500 + gap / 2);
		}
		*now += gap;
	}
}

/* ACKs without a gap for half a round trip: what is sent now fills the path. */
static void train__ends_slow_start_where_path_reorders(void)
{
	static const struct {
		unsigned n;
		uint32_t gap;
		uint8_t reordered;
		bool over;
	} row[] = {
		{ 11, 1000, 1, false }, { 12, 1000, 1, true }, { 60, 1000, 0, false },
		{ 5, 2500, 1, false },  { 6, 2500, 1, false }, { 60, 2600, 1, false },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint64_t now = 1000000;

		start();
		t.reordered = row[i].reordered;
		train(1, 1000, &now);
		train(row[i].n, row[i].gap, &now);
		CU_ASSERT_EQUAL(t.ssthresh < TOE_CWND_MAX, row[i].over);
	}
}

/* ACKs that let no window grow, as they only SACK, tell of the queue all the same. */
static void css__by_sacks(void)
{
	uint32_t sent;

	start();
	round_of(10, 10000);
	sent = (uint32_t)t.delivered;
	for (unsigned i = 0; i < 9; i++) {
		t.delivered += 1000;
		toe_cc(&t)->ack(&t, &(struct toe_ack_sample){ .delivered = 1000,
							      .flight = t.cwnd,
							      .prior_delivered = sent,
							      .rtt_us = 30000 });
	}
	CU_ASSERT(in_css());
}

/* What had ended slow start was no loss: nothing of congestion avoidance is left in what watches it. */
static void undo__watches_again(void)
{
	start();
	round_of(10, 10000);
	t.ssthresh = toe_cc(&t)->loss(&t, 2);
	t.cwnd = t.ssthresh;
	round_of(10, 10000);
	t.ssthresh = TOE_CWND_MAX;
	toe_cc(&t)->undo(&t);
	round_of(10, 10000);
	round_of(10, 10000);
	CU_ASSERT(!in_css());
	round_of(10, 30000);
	CU_ASSERT(in_css());
}

UNIT_MAIN("hystart", T(slow_start__doubles), T(slow_start__bounds_an_ack), T(css__threshold),
	  T(css__needs_eight_samples), T(css__within_the_round), T(css__five_rounds_end_slow_start),
	  T(css__ends_where_delay_grows_again), T(css__false_alarm),
	  T(later_slow_start__is_not_watched), T(later_slow_start__doubles),
	  T(css__ends_with_a_pause), T(css__by_sacks),
	  T(train__ends_slow_start_where_path_reorders), T(undo__watches_again))
