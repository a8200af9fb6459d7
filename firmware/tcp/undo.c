/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Was the recovery needless? Four witnesses: everything has come before any of it went again; a
 * timestamp older than our retransmission (Eifel, RFC 3522); data that was never sent again and
 * arrives after a timeout (F-RTO, RFC 5682); and D-SACKs for everything that was sent again (RFC
 * 3708). Then cwnd and ssthresh go back (RFC 4015).
 */
#include "sendmap.h"

/* A recovery begins; cwnd and ssthresh are those of before. */
void toe_undo_begin(struct toe_tcb *t)
{
	t->undo_cwnd = t->cwnd;
	t->undo_ssthresh = t->ssthresh;
	t->undo_una = t->snd_una;
	t->undo_bytes = t->undo_ts = 0;
}

void toe_undo_resent(struct toe_tcb *t, uint32_t len, uint64_t now)
{
	uint32_t ts = toe_ts_now(t, now);

	if (!t->undo_una)
		return;
	t->undo_bytes += len;
	if (!t->undo_ts)
		t->undo_ts = ts ? ts : 1;
}

static void undo(struct toe_tcb *t)
{
	const struct toe_cc *cc = toe_cc(t);

	t->cwnd = toe_max32(t->cwnd, t->undo_cwnd);
	t->ssthresh = toe_max32(t->ssthresh, t->undo_ssthresh);
	if (cc->undo)
		cc->undo(t);
	t->undo_una = 0;
	t->flags &=
	    ~(uint32_t)(TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY | TOE_TCB_FRTO | TOE_TCB_REXMIT);
	toe_sent_find_all(t);
	t->backoff = 0;
}

/*
 * The ACK moved snd_una over what was sent first, not over what was sent again. Once recovery is over
 * nobody asks: weeks later any timestamp would look older.
 */
static bool eifel(const struct toe_tcb *t, const struct toe_seg *seg, uint32_t acked)
{
	return acked && t->flags & (TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY) &&
	       t->flags & TOE_TCB_TS && seg->opts & TOE_SEG_TS && t->undo_ts && seg->tsecr &&
	       toe_seq_lt(seg->tsecr, t->undo_ts);
}

/* RFC 5682 3, step 3b: not the first ACK since, which may cover what had arrived long before. */
static bool frto(const struct toe_tcb *t, const struct toe_walk *w, uint32_t acked)
{
	return t->flags & TOE_TCB_FRTO && t->snd_una - acked > t->undo_una && w->once &&
	       toe_seq_lt(w->lowest, (uint32_t)t->recover);
}

/* What counted as lost has come before any of it went again. */
static bool forestalled(const struct toe_tcb *t)
{
	return t->flags & TOE_TCB_RECOVERY && !t->lost && !t->undo_ts;
}

bool toe_undo_ack(struct toe_tcb *t, const struct toe_seg *seg, const struct toe_walk *w,
		  uint32_t acked)
{
	if (!t->undo_una || (!forestalled(t) && !eifel(t, seg, acked) && !frto(t, w, acked)))
		return false;
	/* What was taken for lost was late. */
	if (t->flags & TOE_TCB_RECOVERY)
		t->reordered += !t->reordered;
	undo(t);
	return true;
}

bool toe_undo_dsack(struct toe_tcb *t, const struct toe_walk *w)
{
	uint64_t lo = toe_seq_expand(t->snd_una, w->dup.lo);
	uint32_t len = w->dup.hi - w->dup.lo;

	if (!t->undo_una || !t->undo_bytes || lo < t->undo_una || lo + len > t->recover)
		return false;
	t->undo_bytes -= toe_min32(t->undo_bytes, len);
	if (t->undo_bytes)
		return false;
	undo(t);
	return true;
}
