/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tail loss probe (RFC 8985 7): when no acknowledgement comes, one segment more makes the peer say
 * what it has, so that RACK and not the timeout repairs the end of a flight.
 */
#include "sendmap.h"

/* The probe goes out with the next output; from now on it is the RTO that waits. */
uint32_t toe_tlp_fired(struct toe_tcb *t, uint64_t now)
{
	t->flags = (t->flags & ~(uint32_t)TOE_TCB_TLP) | TOE_TCB_LOSS_PROBE | TOE_TCB_DISORDER;
	t->rto_at = now + toe_rto(t);
	return TOE_ACT_OUTPUT;
}

/* RFC 8985 7.4.2: a repeated segment that was needed has hidden a loss, which has its price. */
void toe_tlp_ack(struct toe_tcb *t, const struct toe_walk *w, uint64_t now)
{
	const struct toe_cc *cc = toe_cc(t);
	bool both = w->dsack && w->dup.hi == (uint32_t)t->tlp_end;

	if (t->snd_una < t->tlp_end && !both)
		return;
	if (t->tlp_again && t->snd_una > t->tlp_end && !both &&
	    !(t->flags & (TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY))) {
		t->ssthresh = cc->loss(t, t->cwnd, now);
		if (!cc->own_recovery)
			t->cwnd = toe_min32(t->cwnd, t->ssthresh);
	}
	t->tlp_end = 0;
}
