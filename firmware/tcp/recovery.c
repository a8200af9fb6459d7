/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The states of loss recovery (RFC 6675 5, RFC 6582 for peers without SACK, RFC 5681 3.1 after a
 * timeout). What is lost is known from the send map; here it is decided what that means for cwnd.
 *
 *            lost > 0                      snd_una >= recover
 *   (open) -----------> RECOVERY --------------------------------> (open)
 *      \----- RTO ------> RTO_RECOVERY ------/      either way, or it was spurious (undo.c)
 *
 * Nothing is LOST outside these two.
 */
#include "rto.h"
#include "sendmap.h"

enum { HOST_DELAY_US = 1000 }; /* of scheduling, at both ends */

static void tell(struct toe_tcb *t, enum toe_cc_event e, uint64_t now)
{
	if (toe_cc(t)->event)
		toe_cc(t)->event(t, e, now);
}

static void reduce(struct toe_tcb *t, uint64_t now)
{
	toe_undo_begin(t);
	toe_ecn_reduced(t);
	t->ssthresh = toe_cc_lose(t, now);
}

static uint32_t begin(struct toe_tcb *t, uint64_t now)
{
	reduce(t, now);
	t->recover = t->snd_max;
	t->flags |= TOE_TCB_RECOVERY | TOE_TCB_REXMIT;
	t->flags &= ~(uint32_t)TOE_TCB_LOSS_PROBE;
	t->tlp_end = 0;
	toe_prr_begin(t);
	t->rto_at = now + toe_rto(t);
	t->flags &= ~(uint32_t)TOE_TCB_TLP;
	tell(t, TOE_CC_RECOVERY, now);
	return TOE_ACT_OUTPUT | TOE_ACT_C_FAST_REXMIT;
}

/* All that is outstanding counts as lost and goes again, with cwnd as it is. */
void toe_recovery_again(struct toe_tcb *t)
{
	bool reneged = t->nsent && toe_sent_first(t)->flags & TOE_SENT_SACKED;

	if (!(t->flags & TOE_TCB_SACK))
		t->sacked = 0;
	if (t->snd_nxt < t->snd_max || t->snd_una == t->snd_max)
		return;
	toe_sent_lose_all(t, reneged);
	t->dupacks = 0;
	t->recover = t->snd_max;
	t->reo_at = t->tlp_end = t->undo_una = 0;
	t->flags &= ~(uint32_t)(TOE_TCB_RECOVERY | TOE_TCB_LOSS_PROBE | TOE_TCB_TLP | TOE_TCB_FRTO);
	t->flags |= TOE_TCB_RTO_RECOVERY | TOE_TCB_REXMIT;
}

/*
 * RFC 6675 5.1, RFC 5681 3.1. One window is reduced once: not again for a timeout in the midst of its
 * recovery.
 */
void toe_recovery_timeout(struct toe_tcb *t, uint64_t now)
{
	bool fresh = !(t->flags & (TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY));
	uint64_t una;

	if (!(t->flags & TOE_TCB_RECOVERY) && t->rexmits == 1)
		reduce(t, now);
	una = t->undo_una;
	toe_recovery_again(t);
	t->undo_una = una;
	if (fresh && t->rexmits == 1)
		t->flags |= TOE_TCB_FRTO;
	t->cwnd = t->mss;
	tell(t, TOE_CC_TIMEOUT, now);
}

/*
 * It is over. Where the buffer or the peer's window held new data back, little is in flight now: the
 * initial window more, or half of ssthresh, leaves in one burst, and slow start does the rest (RFC 6582
 * 3.2, step 3). Two segments more would wait for a delayed ACK.
 */
static uint32_t window_after(const struct toe_tcb *t)
{
	uint32_t burst = toe_max32(toe_cc_initial_window(t), t->ssthresh / 2);

	return toe_min32(t->ssthresh, toe_pipe(t) + burst);
}

static void leave(struct toe_tcb *t, uint64_t now)
{
	bool fast = t->flags & TOE_TCB_RECOVERY;

	t->flags &=
	    ~(uint32_t)(TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY | TOE_TCB_FRTO | TOE_TCB_REXMIT);
	if (fast && !toe_cc(t)->own_recovery)
		t->cwnd = window_after(t);
	if (fast)
		toe_rack_recovered(t);
	tell(t, TOE_CC_RECOVERED, now);
}

/* Round trips have grown by half, and by more than hosts are late: a queue stands on the path. */
static bool queue_stands(const struct toe_tcb *t)
{
	return t->srtt_us > t->min_rtt_us + t->min_rtt_us / 2 + HOST_DELAY_US;
}

/*
 * What was sent during the recovery is missing as well, and was found to be lost: the next one follows
 * without a break. Where a queue stands the loss is likely its, and others share it: no.
 */
static bool goes_on(struct toe_tcb *t)
{
	const struct toe_sent *e = toe_sent_first(t);

	return t->flags & TOE_TCB_RECOVERY && t->nsent && t->sacked && !queue_stands(t) &&
	       (e->flags & TOE_SENT_LOST || e->times > 1);
}

/*
 * All is acknowledged that was outstanding when recovery began. An algorithm with a recovery of its own
 * reacts to the first loss of a row; with others each window that lost something costs.
 */
static void reached(struct toe_tcb *t, uint64_t now)
{
	if (!toe_cc(t)->own_recovery || !goes_on(t)) {
		leave(t, now);
		return;
	}
	reduce(t, now);
	/* What was sent again before is on the way: its echo would look like that of an original. */
	t->undo_una = 0;
	t->recover = t->snd_max;
}

/*
 * RFC 5682 3: after the first ACK behind a timeout, up to two segments of new data show whether the
 * old ones are still coming.
 */
bool toe_recovery_new_first(const struct toe_tcb *t)
{
	return t->flags & TOE_TCB_FRTO && t->snd_una > t->undo_una;
}

/* After a timeout: a duplicate, or a second ACK that told nothing of the originals, ends F-RTO. */
static void after_timeout(struct toe_tcb *t, uint32_t acked)
{
	if (!acked || t->snd_max > t->recover)
		t->flags &= ~(uint32_t)TOE_TCB_FRTO;
}

/* RFC 6582 3.2, step 2: duplicates that our own retransmissions made are none. */
static bool newreno_lost(const struct toe_tcb *t)
{
	return t->dupacks >= TOE_DUP_THRESH && t->snd_una > t->recover;
}

/* The peer has no SACK: what is lost is the segment at snd_una, one per round trip. */
static void newreno(struct toe_tcb *t, uint32_t acked)
{
	if (t->flags & TOE_TCB_RTO_RECOVERY || !t->nsent)
		return;
	if (t->flags & TOE_TCB_RECOVERY ? acked && t->snd_una < t->recover : newreno_lost(t))
		toe_sent_lose_head(t, t->mss);
	t->sacked = toe_min32(t->sacked, (uint32_t)(t->snd_max - t->snd_una) - t->lost);
}

/* After an acknowledgement: mark what is lost. */
void toe_recovery_detect(struct toe_tcb *t, uint32_t acked, uint64_t now)
{
	if (t->flags & TOE_TCB_SACK)
		toe_rack_detect(t, now);
	else
		newreno(t, acked);
}

static bool undone(struct toe_tcb *t, const struct toe_seg *seg, const struct toe_walk *w,
		   uint32_t acked)
{
	if (w->dsack) {
		if (!t->tlp_end || w->dup.hi != (uint32_t)t->tlp_end)
			toe_rack_dsack(t, w);
		if (toe_undo_dsack(t, w))
			return true;
	}
	return toe_undo_ack(t, seg, w, acked);
}

uint32_t toe_recovery_ack(struct toe_tcb *t, const struct toe_seg *seg, const struct toe_walk *w,
			  uint32_t acked, uint32_t lost, uint64_t now)
{
	const uint32_t in = TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY;
	uint32_t was = t->flags & in, act = 0;

	if (t->reo_round && t->snd_una >= t->reo_round)
		t->reo_round = 0;
	if (undone(t, seg, w, acked) && was)
		tell(t, TOE_CC_RECOVERED, now);
	if (t->tlp_end)
		toe_tlp_ack(t, w, !acked && !seg->len && !seg->nsack, now);
	if (t->flags & TOE_TCB_RTO_RECOVERY)
		after_timeout(t, acked);
	if (t->flags & in && t->snd_una >= t->recover)
		reached(t, now);
	if (!t->lost) /* what was to go again has arrived before it left */
		t->flags &= ~(uint32_t)TOE_TCB_REXMIT;
	if (t->lost && !(t->flags & in))
		act = begin(t, now);
	if (t->flags & TOE_TCB_RECOVERY && !toe_cc(t)->own_recovery)
		toe_prr_ack(t, w->delivered, acked && !lost);
	return act;
}

/* The reordering timer fired: what is late is lost. */
uint32_t toe_recovery_late(struct toe_tcb *t, uint64_t now)
{
	uint32_t act;

	toe_rack_detect(t, now);
	if (!t->lost)
		return 0;
	if (t->flags & (TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY)) {
		/* Else nothing would let it go: no ACK may be coming. */
		t->flags |= TOE_TCB_REXMIT;
		return TOE_ACT_OUTPUT;
	}
	act = begin(t, now);
	if (!toe_cc(t)->own_recovery)
		toe_prr_ack(t, 0, false);
	return act;
}
