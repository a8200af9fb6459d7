/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an acknowledgement means: progress, round trip, window, duplicates, and NewReno recovery
 * from a loss (RFC 5681 3.2, RFC 6582, RFC 3042 through send.c).
 */
#include "rooms.h"

enum { DUP_THRESH = 3 };

/*
 * RFC 6298 3 (Karn): only what was sent once is timed. Timestamps give a valid sample where that
 * has none, and any valid sample ends the back-off.
 */
static void measure(struct toe_tcb *t, const struct toe_seg *seg, uint64_t ack, uint64_t now)
{
	uint64_t rtt;

	if (t->flags & TOE_TCB_RTT_TIMING) {
		if (ack < t->rtt_seq)
			return;
		t->flags &= ~(uint32_t)TOE_TCB_RTT_TIMING;
		rtt = now - t->rtt_at;
	} else {
		if (!t->backoff || !(t->flags & TOE_TCB_TS) || !(seg->opts & TOE_SEG_TS) ||
		    !seg->tsecr)
			return;
		rtt = (uint64_t)(toe_ts_now(t, now) - seg->tsecr) * TOE_TS_TICK_US;
		if (rtt > TOE_RTO_MAX_US)
			return; /* not an echo of ours */
	}
	toe_rto_sample(t, rtt);
	t->backoff = 0;
}

/* Has the writer that waits for it got space again? */
static uint32_t space(struct toe_tcb *t)
{
	if (!(t->flags & TOE_TCB_WANT_SPACE) || !toe_send_roomy(t))
		return 0;
	t->flags &= ~(uint32_t)TOE_TCB_WANT_SPACE;
	return TOE_ACT_TX_SPACE;
}

/* snd_una moves up to `ack`. */
uint32_t toe_ack_advance(struct toe_tcb *t, const struct toe_seg *seg, uint64_t ack, uint64_t now)
{
	uint32_t flight = (uint32_t)(t->snd_max - t->snd_una);
	uint32_t acked = (uint32_t)(ack - t->snd_una);

	t->snd_una = ack;
	if (t->snd_nxt < ack)
		t->snd_nxt = ack;
	t->rexmits = 0;
	t->dupacks = 0;
	if (TOE_UNLIKELY(t->probe_end))
		toe_pmtu_acked(t, now);
	measure(t, seg, ack, now);
	toe_cc(t)->ack(t, &(struct toe_ack_sample){
			      .now = now,
			      .acked = acked,
			      .delivered = acked,
			      .flight = flight,
			      .ce = seg->flags & TOE_ECE && t->flags & TOE_TCB_ECN ? acked : 0 });
	if (TOE_UNLIKELY(t->flags & (TOE_TCB_RTO_RECOVERY | TOE_TCB_PERSIST))) {
		if (ack >= t->recover)
			t->flags &= ~(uint32_t)TOE_TCB_RTO_RECOVERY;
		t->flags &= ~(uint32_t)(TOE_TCB_PERSIST | TOE_TCB_PROBE);
	}
	t->rto_at = ack == t->snd_max ? 0 : now + toe_rto(t);
	return TOE_ACT_TX_UNA | space(t);
}

/*
 * A dozen losses in one window need as many round trips here; the timer starts anew with each of
 * them ("slow but steady", RFC 6582 4), because a timeout is a thousand round trips in a data
 * centre.
 */
static void recover_more(struct toe_tcb *t, uint32_t acked)
{
	uint32_t flight = (uint32_t)(t->snd_max - t->snd_una);

	if (t->snd_una >= t->recover) {
		t->flags &= ~(uint32_t)(TOE_TCB_RECOVERY | TOE_TCB_REXMIT);
		/* Two segments more, as in RFC 6582 3.2, would wait for a delayed ACK. */
		t->cwnd = toe_min32(t->ssthresh, flight + toe_cc_initial_window(t));
		return;
	}
	t->flags |= TOE_TCB_REXMIT;
	t->cwnd -= toe_min32(t->cwnd, acked);
	t->cwnd = toe_max32(t->cwnd + (acked >= t->mss ? t->mss : 0), t->mss);
}

static uint32_t enter_recovery(struct toe_tcb *t, uint64_t now)
{
	t->ssthresh = toe_cc(t)->loss(t, (uint32_t)(t->snd_max - t->snd_una), now);
	t->recover = t->snd_max;
	toe_ecn_reduced(t);
	t->cwnd = t->ssthresh + DUP_THRESH * t->mss;
	t->flags &= ~(uint32_t)TOE_TCB_RTT_TIMING;
	t->flags |= TOE_TCB_RECOVERY | TOE_TCB_REXMIT;
	t->rto_at = now + toe_rto(t);
	return TOE_ACT_OUTPUT | TOE_ACT_C_FAST_REXMIT;
}

/* The peer holds data above snd_una: this is a hole, not the echo of a needless retransmission. */
static bool sacks_above(const struct toe_tcb *t, const struct toe_seg *seg)
{
	return t->flags & TOE_TCB_SACK && seg->nsack &&
	       toe_seq_lt((uint32_t)t->snd_una, seg->sack[0].lo);
}

/* RFC 5681 2. With a zero window they are answers to probes. */
static bool is_duplicate(const struct toe_tcb *t, const struct toe_seg *seg)
{
	return !seg->len && !(seg->flags & TOE_FIN) && t->snd_max > t->snd_una && t->snd_wnd &&
	       !(t->flags & TOE_TCB_PERSIST) &&
	       ((uint32_t)seg->wnd << t->snd_wscale == t->snd_wnd || sacks_above(t, seg));
}

static uint32_t duplicate(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now)
{
	if (t->flags & TOE_TCB_RECOVERY) {
		t->cwnd = toe_min32(t->cwnd + t->mss, TOE_CWND_MAX);
		return TOE_ACT_OUTPUT;
	}
	if (t->dupacks < UINT8_MAX)
		t->dupacks++;
	if (t->dupacks < DUP_THRESH)
		return TOE_ACT_OUTPUT;
	/* RFC 6582 3.2 step 2, and what SACK adds to it. */
	if (t->snd_una > t->recover || (!(t->flags & TOE_TCB_RTO_RECOVERY) && sacks_above(t, seg)))
		return enter_recovery(t, now);
	return 0;
}

static uint32_t progress(struct toe_tcb *t, const struct toe_seg *seg, uint64_t ack, uint64_t now)
{
	uint32_t acked = (uint32_t)(ack - t->snd_una);
	uint32_t act = toe_ack_advance(t, seg, ack, now);

	if (t->flags & TOE_TCB_RECOVERY) {
		recover_more(t, acked);
		act |= TOE_ACT_OUTPUT;
	}
	if (t->flags & TOE_TCB_FIN_SENT && ack == t->snd_end + 1)
		act |= toe_fsm_fin_acked(t, now);
	return act;
}

/* RFC 9293 3.10.7.4, fifth check, ESTABLISHED and above. */
uint32_t toe_ack_input(struct toe_tcb *t, const struct toe_seg *seg, uint64_t ack, uint64_t now)
{
	uint32_t act = 0;

	/*
	 * RFC 1122 4.2.2.17: a peer that answers is alive, however long its window stays shut. But
	 * it cannot hold a connection that nobody else holds.
	 */
	if ((t->flags & TOE_TCB_PERSIST || !t->snd_wnd) && !(t->flags & TOE_TCB_CLOSED_BY_APP))
		t->rexmits = 0;
	if (ack < t->snd_una)
		return 0;
	if (ack > t->snd_una)
		act = progress(t, seg, ack, now);
	else if (is_duplicate(t, seg))
		act = duplicate(t, seg, now);
	if ((toe_wnd_update(t, seg) | act) && toe_send_pending(t))
		act |= TOE_ACT_OUTPUT;
	return act;
}
