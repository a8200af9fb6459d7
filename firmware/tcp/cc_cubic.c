/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CUBIC (RFC 9438) in integers: bytes, and milliseconds for the curve. Slow start is HyStart++
 * (hystart.c). beta = 0.7, C = 0.4 segments / s^3, alpha = 3 (1 - beta) / (1 + beta) = 9 / 17.
 */
#include "cc.h"

#include "hystart.h"
#include "seq.h"

enum { ALPHA_NUM = 9, ALPHA_DEN = 17 };

/* Part of the window that a round trip adds at least while w_max is not known. */
enum { BLIND_PART = 20 };

/*
 * C t^3 in bytes is 4 mss ms^3 / 10^10. The window never exceeds 2^30 bytes: cut off where that is
 * reached, the product fits 64 bits.
 */
#define CURVE_DEN 10000000000ull
enum { CURVE_MS_MAX = 1000000 };

static struct toe_cubic *state(struct toe_tcb *t)
{
	return &t->cc_state.cubic;
}

static void init(struct toe_tcb *t, bool syn_lost, uint64_t now)
{
	toe_cc_begin(t, syn_lost);
	*state(t) = (struct toe_cubic){ 0 };
	toe_hystart_begin(&state(t)->hystart, t, now);
}

/* Largest integer whose cube is not above x; bit by bit from the top. */
static uint32_t cube_root(uint64_t x)
{
	uint64_t y = 0;

	for (int s = 63; s >= 0; s -= 3) {
		uint64_t b;

		y *= 2;
		b = 3 * y * (y + 1) + 1;
		if (x >> s >= b) {
			x -= b << s;
			y++;
		}
	}
	return (uint32_t)y;
}

/* Bytes that the curve gains, or lacks, `ms` away from its origin. */
static uint32_t curve(uint16_t mss, uint64_t ms)
{
	uint64_t most = TOE_CWND_MAX * CURVE_DEN / (4ull * mss), cube;

	ms = toe_min64(ms, CURVE_MS_MAX);
	cube = toe_min64(ms * ms * ms, most);
	return (uint32_t)(cube * (4ull * mss) / CURVE_DEN);
}

/* RFC 9438 4.2: W_cubic, `ms` into the stage. */
static uint32_t w_cubic(const struct toe_cubic *c, uint16_t mss, uint64_t ms)
{
	uint32_t d;

	if (ms >= c->k_ms)
		return toe_min32(c->origin + curve(mss, ms - c->k_ms), TOE_CWND_MAX);
	d = curve(mss, c->k_ms - ms);
	return c->origin > d ? c->origin - d : 0;
}

/*
 * Congestion avoidance begins: after a loss on the way back to w_max, else (timeout, or slow start
 * that ended by itself) from the top of the curve (RFC 9438 4.2, 4.8, 4.10).
 */
static void begin_stage(struct toe_cubic *c, struct toe_tcb *t, uint64_t now)
{
	c->in_stage = 1;
	c->epoch = c->last_ack = now;
	c->w_est = t->cwnd;
	c->est_part = c->part = 0;
	c->k_ms = 0;
	c->origin = t->cwnd;
	if (c->w_max > t->cwnd) {
		c->origin = c->w_max;
		c->k_ms = cube_root((c->w_max - t->cwnd) * CURVE_DEN / (4ull * t->mss));
	}
}

/* RFC 9438 4.3: what Reno would have, had it the same average window. */
static void grow_reno(struct toe_cubic *c, const struct toe_tcb *t, uint32_t acked)
{
	uint64_t den = (uint64_t)ALPHA_DEN * t->cwnd;
	uint32_t num = c->w_est < c->prior ? ALPHA_NUM : ALPHA_DEN;

	c->est_part += (uint64_t)acked * t->mss * num;
	c->w_est = (uint32_t)toe_min64(c->w_est + c->est_part / den, TOE_CWND_MAX);
	c->est_part %= den;
}

/*
 * The curve is flat at first, as if the path's capacity were near. Where that is not known, as slow
 * start ended without a loss, long paths would stay empty for many seconds; so there a round trip
 * adds a twentieth at least, as in Linux. If the path reorders, where the loss that ends this is
 * found late, only until a queue begins to stand.
 */
static bool blind(const struct toe_cubic *c, const struct toe_tcb *t)
{
	bool queue = t->srtt_us > t->min_rtt_us + t->min_rtt_us / 4;

	return !c->w_max && !(t->reordered && queue);
}

/* RFC 9438 4.2: cwnd reaches the target, at most half as much again, in one round trip. */
static void grow_cubic(struct toe_cubic *c, struct toe_tcb *t, uint32_t acked, uint64_t ms)
{
	uint32_t target = w_cubic(c, t->mss, ms + t->srtt_us / 1000);
	uint64_t gain;

	target = toe_max32(target, t->cwnd + (blind(c, t) ? t->cwnd / BLIND_PART : 0));
	target = toe_min32(target, t->cwnd + t->cwnd / 2);
	gain = c->part + (uint64_t)toe_min32(acked, t->cwnd) * (target - t->cwnd);
	c->part = (uint32_t)(gain % t->cwnd);
	t->cwnd = (uint32_t)toe_min64(t->cwnd + gain / t->cwnd, TOE_CWND_MAX);
}

static void avoid_congestion(struct toe_cubic *c, struct toe_tcb *t, const struct toe_ack_sample *s)
{
	uint64_t ms;
	bool reno;

	if (!c->in_stage)
		begin_stage(c, t, s->now);
	ms = (s->now - c->epoch) / 1000;
	c->last_ack = s->now;
	grow_reno(c, t, s->acked);
	reno = w_cubic(c, t->mss, ms) < c->w_est;
	if (reno)
		t->cwnd = toe_max32(t->cwnd, c->w_est);
	if (!reno || blind(c, t))
		grow_cubic(c, t, s->acked, ms);
}

/*
 * RFC 9438 5.8: time in which the window was not used does not count. If that made it shrink (cwv.c),
 * Reno's would have done so, too.
 */
static void leave_out(struct toe_cubic *c, const struct toe_tcb *t, uint64_t now)
{
	c->epoch += now - c->last_ack;
	c->last_ack = now;
	c->w_est = toe_min32(c->w_est, t->cwnd);
}

static void ack(struct toe_tcb *t, const struct toe_ack_sample *s)
{
	struct toe_cubic *c = state(t);
	bool grows = toe_cc_may_grow(t, s);

	if (t->cwnd < t->ssthresh) {
		toe_hystart_ack(&c->hystart, t, s, grows);
		c->w_est = t->cwnd; /* as Reno's */
	} else if (grows) {
		avoid_congestion(c, t, s);
	}
	if (!grows && !toe_hystart_on(t))
		leave_out(c, t, s->now);
}

static void remember(struct toe_cubic *c)
{
	c->undo.epoch = c->epoch;
	c->undo.w_max = c->w_max;
	c->undo.w_est = c->w_est;
	c->undo.k_ms = c->k_ms;
	c->undo.origin = c->origin;
	c->undo_in_stage = c->in_stage;
}

/*
 * RFC 9438 4.6, 4.7: back to 0.7; w_max a little lower than the window was when the one before was
 * higher, to leave room for others (fast convergence).
 */
static uint32_t loss(struct toe_tcb *t, uint64_t now)
{
	struct toe_cubic *c = state(t);
	uint32_t cwnd = t->cwnd;

	remember(c);
	c->w_max = c->w_max > cwnd ? cwnd / 20 * 17 : cwnd;
	c->prior = cwnd;
	c->in_stage = 0;
	return toe_max32((uint32_t)(cwnd * 7ull / 10), 2u * t->mss);
}

/* RFC 9438 4.9. */
static void undo(struct toe_tcb *t)
{
	struct toe_cubic *c = state(t);

	c->epoch = c->undo.epoch;
	c->w_max = c->undo.w_max;
	c->w_est = c->undo.w_est;
	c->k_ms = c->undo.k_ms;
	c->origin = c->undo.origin;
	c->in_stage = c->undo_in_stage;
	if (toe_hystart_on(t))
		toe_hystart_begin(&c->hystart, t, t->delivered_at);
}

static void event(struct toe_tcb *t, enum toe_cc_event e, uint64_t now)
{
	struct toe_cubic *c = state(t);

	if (e == TOE_CC_TIMEOUT) {
		c->in_stage = c->w_max = 0; /* RFC 9438 4.8 */
	} else if (e == TOE_CC_IDLE) {
		if (toe_hystart_on(t))
			toe_hystart_begin(&c->hystart, t, now);
		else
			leave_out(c, t, now);
	}
}

extern const struct toe_cc toe_cc_cubic;
const struct toe_cc toe_cc_cubic = {
	.name = "cubic",
	.init = init,
	.ack = ack,
	.loss = loss,
	.undo = undo,
	.event = event,
};
