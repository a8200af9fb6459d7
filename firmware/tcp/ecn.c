/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Explicit Congestion Notification (RFC 3168): who agrees to it, what a marked segment makes of the
 * ACKs, and what their echo makes of the window. With DCTCP the echo follows each mark (RFC 8257
 * 3.2) instead of standing until CWR.
 *
 * ECT(0) goes on new data only: not on SYN, bare ACK, retransmission or probe (RFC 3168 6.1.1 to
 * 6.1.6).
 */
#include "rooms.h"

enum { NEGOTIATION = TOE_ECE | TOE_CWR };

/* An ECN-setup SYN; on a SYN-ACK ECE stands alone (RFC 3168 6.1.1). */
bool toe_ecn_syn(const struct toe_seg *syn)
{
	return (syn->flags & NEGOTIATION) == NEGOTIATION;
}

bool toe_ecn_syn_ack(const struct toe_seg *syn)
{
	return (syn->flags & NEGOTIATION) == TOE_ECE;
}

/* The peer's SYN came to a listener. */
void toe_ecn_passive(struct toe_tcb *t, const struct toe_seg *syn, enum toe_ecn_policy policy)
{
	if (toe_ecn_syn(syn) && (policy != TOE_ECN_OFF || toe_cc(t)->wants_ecn))
		t->flags |= TOE_TCB_ECN;
}

/*
 * cwnd was reduced, for whatever reason: say so with the next new data, and leave what is in flight
 * now without another answer (RFC 3168 6.1.2).
 */
void toe_ecn_reduced(struct toe_tcb *t)
{
	if (!(t->flags & TOE_TCB_ECN))
		return;
	t->flags |= TOE_TCB_CWR;
	t->ecn_recover = t->snd_max;
}

/* An ACK with ECE. Once per window it reduces cwnd; in recovery that has been done. */
uint32_t toe_ecn_echo(struct toe_tcb *t, uint64_t ack, uint64_t now)
{
	const struct toe_cc *cc = toe_cc(t);
	uint32_t wnd;

	if (ack <= t->ecn_recover || t->snd_max == t->snd_una ||
	    t->flags & (TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY))
		return 0;
	wnd = cc->ecn ? cc->ecn(t, now) : toe_cc_lose(t, now);
	if (!cc->own_recovery) {
		t->ssthresh = wnd;
		t->cwnd = toe_min32(t->cwnd, wnd);
	}
	if (cc->event)
		cc->event(t, TOE_CC_ECN, now);
	t->undo_una = 0; /* whatever an earlier recovery was: this is the window now */
	toe_ecn_reduced(t);
	return TOE_ACT_C_ECN;
}

/* RFC 8257 3.2: the state changes, and what came before it must be acknowledged by itself. */
static void ce_changes(struct toe_tcb *t)
{
	t->flags ^= TOE_TCB_ECE;
	if ((uint32_t)t->rcv_nxt == t->last_ack_sent && !t->nce)
		return;
	/* Nothing between two changes; or too many of them: the last stretch joins its neighbours. */
	if (t->nce == TOE_MAX_CE_EDGES ||
	    (t->nce && t->ce_edge[t->nce - 1] == (uint32_t)t->rcv_nxt))
		t->nce--;
	else
		t->ce_edge[t->nce++] = (uint32_t)t->rcv_nxt;
}

/* A segment with data, acceptable, before it counts. */
uint32_t toe_ecn_data(struct toe_tcb *t, const struct toe_seg *seg)
{
	bool ce = seg->opts & TOE_SEG_CE, echo = t->flags & TOE_TCB_ECE;

	if (toe_cc(t)->wants_ecn) {
		if (ce == echo)
			return 0;
		ce_changes(t);
		return toe_ack_now(t);
	}
	if (seg->flags & TOE_CWR)
		t->flags &= ~(uint32_t)TOE_TCB_ECE;
	if (ce)
		t->flags |= TOE_TCB_ECE;
	/* At once: a window that was reduced may be down to this segment. */
	return seg->flags & TOE_CWR || (ce && !echo) ? toe_ack_now(t) : 0;
}

/*
 * A bare ACK becomes the first that is owed for a change of the mark. False: none is. The window
 * counts from its own number.
 */
bool toe_ecn_edge(struct toe_tcb *t, struct toe_out *o)
{
	uint32_t edge = t->ce_edge[0];
	bool same = t->nce % 2 == 0; /* each change flips the mark */

	if (!t->nce)
		return false;
	for (unsigned i = 1; i < t->nce; i++)
		t->ce_edge[i - 1] = t->ce_edge[i];
	t->nce--;
	o->ack = edge;
	o->wnd = (uint16_t)toe_min32(((uint32_t)t->rcv_adv - edge) >> t->rcv_wscale, 65535);
	if (!same)
		o->flags ^= TOE_ECE;
	return true;
}
