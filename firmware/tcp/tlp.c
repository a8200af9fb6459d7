/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tail loss probe (RFC 8985 7): when no acknowledgement comes, one segment more makes the peer say
 * what it has, so that RACK and not the timeout repairs the end of a flight.
 */
#include "rto.h"
#include "sendmap.h"

/* The probe goes out with the next output; from now on it is the RTO that waits. */
uint32_t toe_tlp_fired(struct toe_tcb *t, uint64_t now)
{
	t->flags = (t->flags & ~(uint32_t)TOE_TCB_TLP) | TOE_TCB_LOSS_PROBE | TOE_TCB_DISORDER;
	t->rto_at = now + toe_rto(t);
	return TOE_ACT_OUTPUT;
}

/* A loss that the probe repaired costs what any loss does, at once. */
static void reduce(struct toe_tcb *t, uint64_t now)
{
	const struct toe_cc *cc = toe_cc(t);

	t->undo_una = 0;
	toe_ecn_reduced(t);
	t->ssthresh = toe_cc_lose(t, now);
	if (!cc->own_recovery)
		t->cwnd = toe_min32(t->cwnd, t->ssthresh);
}

/*
 * RFC 8985 7.4.2: did the original arrive as well as the repetition? A D-SACK says so, or a `bare`
 * duplicate of a peer that has none. If neither has come when newer data is acknowledged, the probe
 * has hidden a loss.
 */
void toe_tlp_ack(struct toe_tcb *t, const struct toe_walk *w, bool bare, uint64_t now)
{
	bool both = w->dsack ? w->dup.hi == (uint32_t)t->tlp_end : bare && t->snd_una == t->tlp_end;

	if (t->snd_una < t->tlp_end && !both)
		return;
	if (t->opts & TOE_TCB_TLP_AGAIN && !both) {
		if (t->snd_una <= t->tlp_end)
			return;
		if (!(t->flags & (TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY)))
			reduce(t, now);
	}
	t->tlp_end = 0;
}
