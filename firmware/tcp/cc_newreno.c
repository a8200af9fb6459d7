/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NewReno (RFC 5681) with appropriate byte counting (RFC 3465): growth follows the bytes
 * acknowledged, so neither delayed ACKs nor one ACK per batch slow it down.
 */
#include "cc.h"

#include "seq.h"

static void init(struct toe_tcb *t, bool syn_lost, uint64_t now)
{
	toe_cc_begin(t, syn_lost);
	t->cc_state.newreno = (struct toe_newreno){ 0 };
}

static void avoid_congestion(struct toe_tcb *t, uint32_t acked)
{
	struct toe_newreno *r = &t->cc_state.newreno;

	r->counted += acked;
	if (r->counted < t->cwnd)
		return;
	r->counted -= t->cwnd;
	t->cwnd = toe_min32(t->cwnd + t->mss, TOE_CWND_MAX);
}

/* In fast recovery the window is the caller's. */
static void ack(struct toe_tcb *t, const struct toe_ack_sample *s)
{
	if (!toe_cc_may_grow(t, s))
		return;
	if (t->cwnd < t->ssthresh)
		t->cwnd += toe_cc_slow_start(t, s->acked);
	else
		avoid_congestion(t, s->acked);
}

/* RFC 5681 equation (4), of a window that is in use (cwv.c). */
static uint32_t loss(struct toe_tcb *t, uint64_t now)
{
	t->cc_state.newreno.counted = 0;
	return toe_max32(t->cwnd / 2, 2u * t->mss);
}

extern const struct toe_cc toe_cc_newreno;
const struct toe_cc toe_cc_newreno = {
	.name = "reno",
	.init = init,
	.ack = ack,
	.loss = loss,
};
