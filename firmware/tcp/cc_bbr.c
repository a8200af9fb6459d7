/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00): a model of the path, its
 * bandwidth and its round trip, decides how fast is sent (pacing) and how much may be in flight;
 * a loss is no signal. It is the version that Linux has under this name. Left out is the detection
 * of token-bucket policers.
 *
 *   STARTUP --bandwidth grows no more--> DRAIN --queue is empty--> PROBE_BW <--> PROBE_RTT
 *
 * Gains are in 1/256. Rounds are counted by what was delivered: one is over when something arrives
 * that was sent after it began.
 */
#include "rooms.h"

enum bbr_mode { STARTUP, DRAIN, PROBE_BW, PROBE_RTT };

enum {
	UNIT = 256,
	HIGH_GAIN = 739, /* 2 / ln 2: the least that doubles the rate each round */
	DRAIN_GAIN = 88, /* its inverse */
	CWND_GAIN = 512,
	FULL_BW_ROUNDS = 3, /* without a quarter more bandwidth: the pipe is full */
	BW_ROUNDS = 4, /* per part of the bandwidth filter: it reaches back 8 to 12 */
	EXTRA_ROUNDS = 5, /* per part of the aggregation filter */
	EXTRA_US = 100000, /* ACKs that come at once stand for no more than this */
	MIN_RTT_US = 10000000, /* how long the least round trip is believed */
	PROBE_RTT_US = 200000,
	CYCLE = 8,
	MIN_SEGMENTS = 4, /* in flight: less would wait for delayed ACKs */
	BURST_US = 250, /* what pace.c lets go at once */
	EPOCH_US = 1000000, /* of the aggregation estimate, at most */
};

static const uint16_t cycle_gain[CYCLE] = { 320, 192, 256, 256, 256, 256, 256, 256 };

static struct toe_bbr *state(struct toe_tcb *t)
{
	return &t->cc_state.bbr;
}

/* Bytes per second. */
static uint64_t bandwidth(const struct toe_bbr *b)
{
	return toe_max64(b->max_bw[0], toe_max64(b->max_bw[1], b->max_bw[2]));
}

static uint32_t least(const struct toe_tcb *t)
{
	return MIN_SEGMENTS * (uint32_t)t->mss;
}

/* Bandwidth-delay product times `gain`, bytes; before there is one, the initial window. */
static uint32_t bdp(struct toe_tcb *t, uint32_t gain)
{
	struct toe_bbr *b = state(t);
	uint64_t bytes;

	if (!b->min_rtt || !bandwidth(b))
		return toe_cc_initial_window(t);
	bytes = bandwidth(b) * b->min_rtt / 1000000;
	return (uint32_t)toe_min64(toe_min64(bytes, TOE_CWND_MAX) * gain / UNIT, TOE_CWND_MAX);
}

/* Room for what leaves and is acknowledged in bursts, on top of the product. */
static uint32_t quantum(struct toe_tcb *t)
{
	uint64_t burst = toe_min64(t->pacing_rate, 1ull << 40) * BURST_US / 1000000;
	uint32_t two = state(t)->mode == PROBE_BW && !state(t)->phase ? 2u * t->mss : 0;

	return 3 * (uint32_t)toe_min64(toe_max64(burst, t->mss), 1 << 20) + two;
}

static uint32_t target(struct toe_tcb *t, uint32_t gain)
{
	return toe_min32(bdp(t, gain) + quantum(t), TOE_CWND_MAX);
}

static uint32_t pacing_gain(const struct toe_bbr *b)
{
	switch (b->mode) {
	case STARTUP:
		return HIGH_GAIN;
	case DRAIN:
		return DRAIN_GAIN;
	case PROBE_BW:
		return cycle_gain[b->phase];
	default:
		return UNIT;
	}
}

static uint32_t cwnd_gain(const struct toe_bbr *b)
{
	return b->mode == STARTUP || b->mode == DRAIN ? HIGH_GAIN
	       : b->mode == PROBE_BW                  ? CWND_GAIN
						      : UNIT;
}

/* One percent below, so that a queue that is there can drain; until the pipe is full only upwards. */
static void set_pacing(struct toe_tcb *t)
{
	struct toe_bbr *b = state(t);
	uint64_t bw = toe_min64(bandwidth(b), 1ull << 48), rate;

	rate = bw * pacing_gain(b) / UNIT * 99 / 100;
	if (rate && (b->full_reached || rate > t->pacing_rate))
		toe_pace_set(t, rate);
}

/* Before there is a rate: the initial window in one round trip, or in a millisecond. */
static void init_pacing(struct toe_tcb *t)
{
	uint32_t rtt = t->srtt_us ? t->srtt_us : 1000;

	toe_pace_set(t, (uint64_t)t->cwnd * 1000000 / rtt * HIGH_GAIN / UNIT);
}

static void init(struct toe_tcb *t, bool syn_lost, uint64_t now)
{
	toe_cc_begin(t, syn_lost);
	*state(t) = (struct toe_bbr){
		.mode = STARTUP,
		.min_rtt_at = (uint32_t)now,
		.extra_at = (uint32_t)now,
		.cycle_at = (uint32_t)now,
		.round_end = (uint32_t)t->delivered,
	};
	init_pacing(t);
}

static void update_round(struct toe_bbr *b, const struct toe_tcb *t, const struct toe_ack_sample *s)
{
	b->round_start =
	    s->delivered && s->prior_delivered && !toe_seq_lt(s->prior_delivered, b->round_end);
	if (!b->round_start)
		return;
	b->round_end = (uint32_t)t->delivered;
	b->conserve = 0;
	b->bw_round = 1;
	if (++b->extra_rounds == EXTRA_ROUNDS) {
		b->extra_rounds = 0;
		b->extra[1] = b->extra[0];
		b->extra[0] = 0;
	}
}

/*
 * A rate that the application bounded counts only if it is higher all the same; a round without any
 * that counts makes the filter no older.
 */
static void update_bw(struct toe_bbr *b, const struct toe_ack_sample *s)
{
	if (!s->rate || (s->app_limited && s->rate < bandwidth(b)))
		return;
	b->bw_rounds += b->bw_round;
	b->bw_round = 0;
	if (b->bw_rounds == BW_ROUNDS) {
		b->bw_rounds = 0;
		b->max_bw[2] = b->max_bw[1];
		b->max_bw[1] = b->max_bw[0];
		b->max_bw[0] = 0;
	}
	b->max_bw[0] = toe_max64(b->max_bw[0], s->rate);
}

/* How much more is acknowledged at once than the bandwidth explains. */
static void update_aggregation(struct toe_bbr *b, const struct toe_tcb *t,
			       const struct toe_ack_sample *s)
{
	uint32_t us = toe_min32((uint32_t)s->now - b->extra_at, EPOCH_US);
	uint64_t expected = bandwidth(b) * us / 1000000;

	if (b->extra_acked <= expected || us == EPOCH_US) {
		b->extra_acked = 0;
		b->extra_at = (uint32_t)s->now;
		expected = 0;
	}
	b->extra_acked = toe_min32(b->extra_acked + s->delivered, TOE_CWND_MAX);
	if (b->extra_acked > expected)
		b->extra[0] = toe_max32(b->extra[0],
					toe_min32((uint32_t)(b->extra_acked - expected), t->cwnd));
}

static uint32_t aggregation(const struct toe_bbr *b)
{
	uint64_t most = bandwidth(b) * EXTRA_US / 1000000;

	if (!b->full_reached)
		return 0;
	return (uint32_t)toe_min64(toe_max32(b->extra[0], b->extra[1]), most);
}

static void begin_probe_bw(struct toe_tcb *t, uint64_t now)
{
	struct toe_bbr *b = state(t);
	/* Flows must not cycle in step: any number that they do not share. Not with the drain phase. */
	uint32_t at = ((uint32_t)t->snd_nxt ^ (uint32_t)now) * 2654435761u >> 16;

	b->mode = PROBE_BW;
	b->phase = (uint8_t)(at % (CYCLE - 1));
	b->phase += b->phase > 0;
	b->cycle_at = (uint32_t)now;
}

/* `flight`: pipe before this acknowledgement. */
static void update_cycle(struct toe_tcb *t, const struct toe_ack_sample *s, uint32_t flight)
{
	struct toe_bbr *b = state(t);
	uint32_t gain = cycle_gain[b->phase];
	bool full = (uint32_t)s->now - b->cycle_at > b->min_rtt;
	bool next = full;

	if (b->mode != PROBE_BW)
		return;
	if (gain > UNIT)
		next = full && (s->lost || flight >= target(t, gain));
	else if (gain < UNIT)
		next = full || flight <= target(t, UNIT);
	if (!next)
		return;
	b->phase = (b->phase + 1) % CYCLE;
	b->cycle_at = (uint32_t)s->now;
}

/* STARTUP: three rounds without a quarter more. */
static void check_full(struct toe_bbr *b, const struct toe_ack_sample *s)
{
	uint64_t bw = bandwidth(b);

	if (b->full_reached || !b->round_start || s->app_limited)
		return;
	if (bw >= b->full_bw + b->full_bw / 4) {
		b->full_bw = bw;
		b->full_rounds = 0;
	} else if (++b->full_rounds >= FULL_BW_ROUNDS) {
		b->full_reached = 1;
	}
}

static void check_drain(struct toe_tcb *t, const struct toe_ack_sample *s, uint32_t inflight)
{
	struct toe_bbr *b = state(t);

	if (b->mode == STARTUP && b->full_reached) {
		b->mode = DRAIN;
		t->ssthresh = target(t, UNIT); /* for those who ask whether it is slow start */
	}
	if (b->mode == DRAIN && inflight <= target(t, UNIT))
		begin_probe_bw(t, s->now);
}

static void leave_probe_rtt(struct toe_tcb *t, uint64_t now)
{
	struct toe_bbr *b = state(t);

	b->min_rtt_at = (uint32_t)now;
	t->cwnd = toe_max32(t->cwnd, b->prior_cwnd);
	if (b->full_reached)
		begin_probe_bw(t, now);
	else
		b->mode = STARTUP;
}

/* 200 ms, and a round, with next to nothing in flight show the round trip without a queue. */
static void probe_rtt(struct toe_tcb *t, const struct toe_ack_sample *s, uint32_t inflight)
{
	struct toe_bbr *b = state(t);

	t->app_limited = toe_max64(t->delivered + inflight, 1);
	if (!b->probing && inflight <= least(t)) {
		b->probing = 1;
		b->probe_round = 0;
		b->probe_done_at = (uint32_t)s->now + PROBE_RTT_US;
		b->round_end = (uint32_t)t->delivered;
	} else if (b->probing) {
		b->probe_round |= b->round_start;
		if (b->probe_round && (int32_t)((uint32_t)s->now - b->probe_done_at) >= 0)
			leave_probe_rtt(t, s->now);
	}
}

static void save_cwnd(struct toe_tcb *t)
{
	struct toe_bbr *b = state(t);

	b->prior_cwnd =
	    b->saved || b->mode == PROBE_RTT ? toe_max32(b->prior_cwnd, t->cwnd) : t->cwnd;
}

static void update_min_rtt(struct toe_tcb *t, const struct toe_ack_sample *s, uint32_t inflight)
{
	struct toe_bbr *b = state(t);
	bool expired = (uint32_t)s->now - b->min_rtt_at > MIN_RTT_US;

	if (s->rtt_us && (!b->min_rtt || s->rtt_us <= b->min_rtt || expired)) {
		b->min_rtt = s->rtt_us;
		b->min_rtt_at = (uint32_t)s->now;
	}
	if (expired && !b->idle_restart && b->mode != PROBE_RTT) {
		save_cwnd(t);
		b->mode = PROBE_RTT;
		b->probing = 0;
	}
	if (b->mode == PROBE_RTT)
		probe_rtt(t, s, inflight);
	if (s->delivered)
		b->idle_restart = 0;
}

static void set_cwnd(struct toe_tcb *t, const struct toe_ack_sample *s, uint32_t inflight)
{
	struct toe_bbr *b = state(t);
	uint32_t want = toe_min32(target(t, cwnd_gain(b)) + aggregation(b), TOE_CWND_MAX);

	if (s->lost)
		t->cwnd = t->cwnd > s->lost + t->mss ? t->cwnd - s->lost : t->mss;
	if (b->conserve) {
		/* First round of recovery: as much as arrives. */
		t->cwnd = toe_max32(t->cwnd, inflight + s->delivered);
	} else if (b->full_reached) {
		t->cwnd = toe_min32(t->cwnd + s->delivered, want);
	} else if (t->cwnd < want || t->delivered < toe_cc_initial_window(t)) {
		t->cwnd = toe_min32(t->cwnd + s->delivered, TOE_CWND_MAX);
	}
	if (!b->conserve)
		t->cwnd = toe_max32(t->cwnd, least(t));
	if (b->mode == PROBE_RTT)
		t->cwnd = toe_min32(t->cwnd, least(t));
}

static void ack(struct toe_tcb *t, const struct toe_ack_sample *s)
{
	struct toe_bbr *b = state(t);
	uint32_t gone = s->delivered + s->lost;
	uint32_t inflight = s->flight > gone ? s->flight - gone : 0;
	bool first = !b->min_rtt;

	update_round(b, t, s);
	update_bw(b, s);
	if (s->delivered)
		update_aggregation(b, t, s);
	update_cycle(t, s, s->flight);
	check_full(b, s);
	check_drain(t, s, inflight);
	update_min_rtt(t, s, inflight);
	if (first && b->min_rtt)
		init_pacing(t);
	set_pacing(t);
	set_cwnd(t, s, inflight);
}

/* The threshold only says whether the pipe was found full: what is in flight is the model's matter. */
static uint32_t loss(struct toe_tcb *t, uint64_t now)
{
	save_cwnd(t);
	return t->ssthresh;
}

static void restore(struct toe_tcb *t)
{
	struct toe_bbr *b = state(t);

	b->saved = b->conserve = 0;
	t->cwnd = toe_max32(t->cwnd, b->prior_cwnd);
}

/* The loss was none, so neither was the end of STARTUP that it may have feigned. */
static void undo(struct toe_tcb *t)
{
	struct toe_bbr *b = state(t);

	b->full_bw = 0;
	b->full_rounds = 0;
	restore(t);
}

static void begin_recovery(struct toe_tcb *t)
{
	struct toe_bbr *b = state(t);

	b->saved = b->conserve = 1;
	b->round_end = (uint32_t)t->delivered;
	t->cwnd = toe_max32(toe_min32(t->cwnd, toe_pipe(t) + t->mss), t->mss);
}

static void event(struct toe_tcb *t, enum toe_cc_event e, uint64_t now)
{
	struct toe_bbr *b = state(t);

	switch (e) {
	case TOE_CC_RECOVERY:
		begin_recovery(t);
		break;
	case TOE_CC_TIMEOUT:
		b->saved = 1;
		b->conserve = 0;
		b->full_bw = 0;
		break;
	case TOE_CC_RECOVERED:
		restore(t);
		break;
	case TOE_CC_IDLE:
		/* It resumes at the bandwidth, not above it, and needs no PROBE_RTT for the pause. */
		b->idle_restart = 1;
		b->extra_at = (uint32_t)now;
		b->extra_acked = 0;
		break;
	case TOE_CC_ECN:
		break;
	}
}

extern const struct toe_cc toe_cc_bbr;
const struct toe_cc toe_cc_bbr = {
	.name = "bbr",
	.ignores_ecn = true,
	.init = init,
	.ack = ack,
	.loss = loss,
	.undo = undo,
	.event = event,
	.own_recovery = true,
};
