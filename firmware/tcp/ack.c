/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an acknowledgement means: progress, round trip, delivery rate, duplicates, window (RFC 9293
 * 3.10.7.4, RFC 6298, RFC 5681). What is lost, and what follows from that, is for rack.c and
 * recovery.c.
 */
#include "rto.h"
#include "sendmap.h"

/*
 * RFC 6298 3 (Karn): only what was sent once is timed, once a round trip, and not if the ACK had to
 * wait for something that was sent again. Timestamps give a valid
 * sample where that has none, and any valid sample ends the back-off.
 */
static inline void measure(struct toe_tcb *t, const struct toe_seg *seg, const struct toe_walk *w)
{
	uint64_t rtt;

	if (TOE_LIKELY(w->once && !w->again)) {
		if (t->snd_una < t->rtt_seq && !t->backoff)
			return;
		rtt = (uint32_t)w->now - w->oldest_at;
	} else {
		if (!t->backoff || !(t->flags & TOE_TCB_TS) || !(seg->opts & TOE_SEG_TS) ||
		    !seg->tsecr)
			return;
		rtt = (uint64_t)(toe_ts_now(t, w->now) - seg->tsecr) * TOE_TS_TICK_US;
		if (rtt > TOE_RTO_MAX_US)
			return; /* not an echo of ours */
	}
	t->rtt_seq = t->snd_max;
	toe_rto_sample(t, rtt);
	t->backoff = 0;
}

/* Has the writer that waits for it got space again? */
static uint32_t space(struct toe_tcb *t)
{
	uint32_t act;

	if (!(t->flags & TOE_TCB_WANT_SPACE))
		return 0;
	act = toe_tune_send(t);
	if (!toe_send_roomy(t))
		return act;
	t->flags &= ~(uint32_t)TOE_TCB_WANT_SPACE;
	return act | TOE_ACT_TX_SPACE;
}

/*
 * Bytes per second between the sending of what arrived last and now; the slower of both ends counts,
 * since ACKs may come in bursts.
 */
static inline uint64_t delivery_rate(struct toe_tcb *t, const struct toe_walk *w)
{
	const struct toe_sent *n = &w->newest;
	uint32_t us;

	t->first_sent_at = w->now - ((uint32_t)w->now - n->at);
	us = toe_max32(n->at - n->first_at, (uint32_t)w->now - n->delivered_at);
	if (!us || us < t->min_rtt_us)
		return 0;
	return (uint64_t)((uint32_t)t->delivered - n->delivered) * 1000000 / us;
}

/* For TCP_INFO: the newest rate; of those that the application bounded the highest, as in Linux. */
static inline void note_rate(struct toe_tcb *t, const struct toe_ack_sample *s)
{
	if (!s->rate || (s->app_limited && s->rate < t->rate))
		return;
	t->rate = s->rate;
	if (TOE_UNLIKELY(s->app_limited != !!(t->opts & TOE_TCB_RATE_APP)))
		t->opts ^= TOE_TCB_RATE_APP;
}

static inline bool is_ece(const struct toe_tcb *t, const struct toe_seg *seg)
{
	return seg->flags & TOE_ECE && t->flags & TOE_TCB_ECN;
}

/* Tell congestion control. `flight`: pipe before this acknowledgement. */
static inline void sample(struct toe_tcb *t, const struct toe_walk *w, bool ece, uint32_t acked,
			  uint32_t flight)
{
	const struct toe_sent *n = &w->newest;
	struct toe_ack_sample s = { .now = w->now,
				    .acked =
					t->reordered > 1 ? acked : toe_min32(acked, w->delivered),
				    .delivered = w->delivered,
				    .lost = t->lost_new,
				    .flight = flight,
				    .ce = ece ? w->delivered : 0 };

	t->lost_new = 0;
	t->delivered += w->delivered;
	t->delivered_at = w->now;
	if (ece)
		t->delivered_ce += w->delivered;
	if (t->app_limited && t->delivered > t->app_limited)
		t->app_limited = 0;
	if (TOE_LIKELY(n->times)) {
		s.rtt_us = n->times == 1 && !w->again ? toe_max32((uint32_t)w->now - n->at, 1) : 0;
		s.rate = delivery_rate(t, w);
		s.prior_delivered = n->delivered;
		s.app_limited = n->flags & TOE_SENT_APP_LIMITED;
		note_rate(t, &s);
	}
	toe_cc(t)->ack(t, &s);
}

/* snd_una moves up to `ack`. */
static inline void advance(struct toe_tcb *t, const struct toe_seg *seg, uint64_t ack,
			   struct toe_walk *w)
{
	toe_sent_pop(t, (uint32_t)ack, w);
	t->snd_una = ack;
	if (t->snd_nxt < ack)
		t->snd_nxt = ack;
	t->rexmits = 0;
	t->dupacks = 0;
	t->burst = 0;
	if (TOE_UNLIKELY(t->probe_end))
		toe_pmtu_acked(t, w->now);
	if (TOE_UNLIKELY(t->neor))
		toe_record_acked(t);
	measure(t, seg, w);
}

/*
 * What follows once congestion control knows. MSG_MORE holds back what it is said of until the next
 * ACK at most, as in Linux: then Nagle's algorithm decides. TCP_CORK goes on.
 */
static inline uint32_t advanced(struct toe_tcb *t, uint64_t now)
{
	t->flags &= ~(uint32_t)(TOE_TCB_PERSIST | TOE_TCB_PROBE);
	if (TOE_UNLIKELY(t->flags & TOE_TCB_MORE) && t->opts & TOE_TCB_UNTIL_ACK)
		t->flags &= ~(uint32_t)TOE_TCB_MORE;
	if (t->snd_una == t->snd_max)
		t->rto_at = 0;
	else
		toe_rto_arm(t, now);
	return TOE_ACT_TX_UNA | space(t);
}

/*
 * The short way: nothing was out of order, and is not now. ECE comes here on a SYN-ACK only, where it is
 * no echo.
 */
uint32_t toe_ack_advance(struct toe_tcb *t, const struct toe_seg *seg, uint64_t ack, uint64_t now)
{
	struct toe_walk w = { .now = now };
	uint32_t flight = toe_pipe(t), acked = (uint32_t)(ack - t->snd_una);

	advance(t, seg, ack, &w);
	toe_rack_update(t, &w);
	sample(t, &w, false, acked, flight);
	return advanced(t, now);
}

/* RFC 5681 2, without SACK. With a zero window they are answers to probes. */
static bool is_duplicate(const struct toe_tcb *t, const struct toe_seg *seg)
{
	return !seg->len && !(seg->flags & TOE_FIN) && t->snd_max > t->snd_una && t->snd_wnd &&
	       !(t->flags & TOE_TCB_PERSIST) && (uint32_t)seg->wnd << t->snd_wscale == t->snd_wnd;
}

static void count_duplicate(struct toe_tcb *t)
{
	if (t->dupacks < UINT8_MAX)
		t->dupacks++;
}

/* It says that a segment has arrived, not which one. */
static void duplicate(struct toe_tcb *t, struct toe_walk *w)
{
	uint32_t flight = (uint32_t)(t->snd_max - t->snd_una);

	count_duplicate(t);
	w->delivered = toe_min32(t->mss, flight - t->sacked - t->lost);
	t->sacked += w->delivered;
}

/* An ACK covers what duplicates had stood for: all but the segment that was missing. */
static void settle_duplicates(struct toe_tcb *t, struct toe_walk *w, uint32_t acked)
{
	bool on = t->flags & TOE_TCB_RECOVERY && t->snd_una < t->recover;
	uint32_t known = toe_min32(t->sacked, acked > t->mss ? acked - t->mss : 0);
	uint32_t left = (uint32_t)(t->snd_max - t->snd_una) - t->lost;

	w->delivered -= toe_min32(known, w->delivered);
	t->sacked = on ? toe_min32(t->sacked - known, left) : 0;
}

static void note_disorder(struct toe_tcb *t)
{
	if (t->sacked | t->lost || t->reo_at || t->tlp_end || t->dupacks)
		t->flags |= TOE_TCB_DISORDER;
	else
		t->flags &= ~(uint32_t)TOE_TCB_DISORDER;
	if (!t->lost) /* it arrived before it went again */
		t->flags &= ~(uint32_t)TOE_TCB_REXMIT;
}

/* Is cwnd now the recovery's? */
static bool recovers(const struct toe_tcb *t)
{
	return t->flags & TOE_TCB_RECOVERY && !toe_cc(t)->own_recovery;
}

/*
 * The long way. Congestion control hears of an ACK in the state that it finds; the one that ends a
 * recovery counts as the first behind it. One that another has overtaken still tells what was SACKed
 * (RFC 2018 5).
 */
static uint32_t acknowledge(struct toe_tcb *t, const struct toe_seg *seg, uint64_t ack,
			    uint64_t now)
{
	uint64_t prior = t->snd_una;
	uint32_t acked = ack > prior ? (uint32_t)(ack - prior) : 0;
	uint32_t flight = toe_pipe(t), known = t->lost_new, lost, act = 0;
	struct toe_walk w = { .now = now };
	bool sack = t->flags & TOE_TCB_SACK, told, over;

	if (acked)
		advance(t, seg, ack, &w);
	else if (!sack && ack == prior && is_duplicate(t, seg))
		duplicate(t, &w);
	if (sack && seg->nsack)
		toe_sack_input(t, seg, &w);
	if (w.sacked && ack == prior) /* RFC 6675 2: with SACK this is one, and no other */
		count_duplicate(t);
	/* Once: what is SACKED above what this ACK covers does not make that late. */
	if (acked || w.sacked)
		toe_rack_update(t, &w);
	if (acked && !sack)
		settle_duplicates(t, &w, acked);
	if (t->nsent && (w.delivered || t->dupacks))
		toe_recovery_detect(t, acked, now);
	else if (!t->nsent)
		t->reo_at = 0;
	lost = t->lost_new - known; /* the reordering timer may have told of some */
	told = w.delivered || lost;
	over = recovers(t) && t->snd_una >= t->recover;
	if (told && !over)
		sample(t, &w, is_ece(t, seg), acked, flight);
	if (told || w.dsack || acked || t->tlp_end)
		act = toe_recovery_ack(t, seg, &w, acked, lost, now);
	if (told && over)
		sample(t, &w, is_ece(t, seg), acked, flight);
	if (acked) {
		if (t->flags & TOE_TCB_PERSIST) /* it was the window's, not the path's */
			t->backoff = 0;
		act |= advanced(t, now);
	}
	note_disorder(t);
	return act;
}

/* RFC 9293 3.10.7.4, fifth check, ESTABLISHED and above. */
uint32_t toe_ack_input(struct toe_tcb *t, const struct toe_seg *seg, uint64_t ack, uint64_t now)
{
	uint32_t act;

	/*
	 * RFC 1122 4.2.2.17: a peer that answers is alive, however long its window stays shut. But
	 * it cannot hold a connection that nobody else holds.
	 */
	if ((t->flags & TOE_TCB_PERSIST || !t->snd_wnd) && !(t->flags & TOE_TCB_CLOSED_BY_APP))
		t->rexmits = 0;
	if (ack < t->snd_una && !seg->nsack)
		return 0;
	act = acknowledge(t, seg, ack, now);
	if (ack >= t->snd_una)
		toe_wnd_update(t, seg);
	if (toe_send_pending(t))
		act |= TOE_ACT_OUTPUT;
	if (t->flags & TOE_TCB_FIN_SENT && !(t->flags & TOE_TCB_FIN_ACKED) &&
	    t->snd_una == t->snd_end + 1)
		act |= toe_fsm_fin_acked(t, now);
	return act;
}
