/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NewReno (RFC 5681) with appropriate byte counting (RFC 3465): growth follows the bytes
 * acknowledged, so neither delayed ACKs nor one ACK per batch slow it down.
 */
#include "cc.h"

#include "seq.h"

/* cc_state words. */
enum { BYTES_ACKED };

static void init(struct toe_tcb *t, bool syn_lost)
{
	/* RFC 5681 3.1: one segment after a lost SYN. */
	t->cwnd = syn_lost ? t->mss : toe_cc_initial_window(t);
	t->ssthresh = TOE_CWND_MAX;
	t->cc_state[BYTES_ACKED] = 0;
}

/*
 * A window that was not used says nothing about the path: it does not grow (RFC 7661 4.3). In slow
 * start half of it must have been in use, because one burst can double it.
 */
static void slow_start(struct toe_tcb *t, uint32_t acked, uint32_t flight)
{
	/* RFC 3465 2.3: L is 1 after a timeout, where an ACK may cover what was received before. */
	uint32_t most = t->flags & TOE_TCB_RTO_RECOVERY ? t->mss : 2u * t->mss;

	if (t->cwnd < 2 * flight)
		t->cwnd = toe_min32(t->cwnd + toe_min32(acked, most), TOE_CWND_MAX);
}

static void avoid_congestion(struct toe_tcb *t, uint32_t acked, uint32_t flight)
{
	if (flight + t->mss < t->cwnd)
		return;
	t->cc_state[BYTES_ACKED] += acked;
	if (t->cc_state[BYTES_ACKED] < t->cwnd)
		return;
	t->cc_state[BYTES_ACKED] -= t->cwnd;
	t->cwnd = toe_min32(t->cwnd + t->mss, TOE_CWND_MAX);
}

/* In fast recovery the window is the caller's. */
static void ack(struct toe_tcb *t, const struct toe_ack_sample *s)
{
	if (!s->acked || t->flags & TOE_TCB_RECOVERY)
		return;
	if (t->cwnd < t->ssthresh)
		slow_start(t, s->acked, s->flight);
	else
		avoid_congestion(t, s->acked, s->flight);
}

/* RFC 5681 equation (4). */
static uint32_t loss(struct toe_tcb *t, uint32_t flight, uint64_t now)
{
	t->cc_state[BYTES_ACKED] = 0;
	return toe_max32(flight / 2, 2u * t->mss);
}

extern const struct toe_cc toe_cc_newreno;
const struct toe_cc toe_cc_newreno = {
	.name = "reno",
	.init = init,
	.ack = ack,
	.loss = loss,
};
