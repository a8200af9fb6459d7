/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A segment arrives: the predicted way, and the order of checks of RFC 9293 3.10.7 with those of
 * RFC 7323 5.3 and RFC 5961.
 */
#include "recv.h"

#include "../lib/errno.h"

enum {
	OOW_US = 100000, /* pause between answers to bare segments outside the window */
	TS_IDLE = 24 * 86400ll * 1000000 >>
		  20, /* in toe_age_s units: an older ts_recent is void (RFC 7323 5.5) */
};

/* The newest timestamp to echo (RFC 7323 4.3 (2)). */
static inline void ts_update(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now)
{
	if (toe_seq_leq(seg->seq, t->last_ack_sent) && toe_seq_leq(t->ts_recent, seg->tsval)) {
		t->ts_recent = seg->tsval;
		t->ts_recent_age_s = toe_age_s(now);
	}
}

/*
 * Header prediction: established, the next segment in order, nothing but ACK and PSH, timestamp not
 * older, and either new data or a new acknowledgement. Then most checks below cannot fail.
 */
static inline bool predicted(const struct toe_tcb *t, const struct toe_seg *seg)
{
	const uint8_t control = TOE_FIN | TOE_SYN | TOE_RST | TOE_URG | TOE_ACK | TOE_ECE | TOE_CWR;
	uint32_t acked = seg->ack - (uint32_t)t->snd_una;

	return t->state == TOE_TCP_ESTABLISHED && (seg->flags & control) == TOE_ACK &&
	       seg->seq == (uint32_t)t->rcv_nxt && !(t->flags & TOE_TCB_RARE) && !t->nholes &&
	       seg->opts == (t->flags & TOE_TCB_TS) && seg->len <= t->rcv_adv - t->rcv_nxt &&
	       acked <= t->snd_max - t->snd_una && (seg->len || acked) &&
	       (!(t->flags & TOE_TCB_TS) || toe_seq_leq(t->ts_recent, seg->tsval));
}

_Static_assert((int)TOE_TCB_TS == (int)TOE_SEG_TS, "predicted() compares the two");

static inline uint32_t input_predicted(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now)
{
	uint64_t ack = t->snd_una + (seg->ack - (uint32_t)t->snd_una);
	uint32_t act = 0;

	t->rcv_at = now;
	if (t->flags & TOE_TCB_TS)
		ts_update(t, seg, now);
	if (ack != t->snd_una)
		act = toe_ack_advance(t, seg, ack, now);
	if (toe_wnd_update(t, seg) | act)
		act |= toe_send_pending(t) ? TOE_ACT_OUTPUT : 0;
	if (seg->len) {
		t->data_at = toe_data_age(now);
		t->rcv_nxt += seg->len;
		if (TOE_UNLIKELY(!toe_seq_lt((uint32_t)t->rcv_nxt, t->rtt_mark)))
			toe_tune_rtt(t, seg, now);
		act |= TOE_ACT_RX | toe_recv_ack_policy(t, seg, now);
	}
	return act;
}

/*
 * RFC 5961 7: ACKs that challenge are few. Each connection has a limit of its own and there is none
 * beside it, so that nobody can find out by what he is sent about the connections of others
 * (CVE-2016-5696).
 */
static uint32_t challenge(struct toe_tcb *t, uint64_t now)
{
	if (t->oow_at && now - t->oow_at < OOW_US)
		return 0;
	t->oow_at = now;
	return toe_ack_now(t);
}

/*
 * An ACK that tells the peer where we are. Segments without data get few of them: two ends that
 * disagree would otherwise answer each other for ever.
 */
static uint32_t out_of_place(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now)
{
	bool bare = !seg->len && !(seg->flags & TOE_FIN);

	return bare || seg->flags & TOE_SYN ? challenge(t, now) : toe_ack_now(t);
}

/* Timestamps were agreed on, and this segment has one: on the way some lose theirs. */
static bool stamped(const struct toe_tcb *t, const struct toe_seg *seg)
{
	return t->flags & TOE_TCB_TS && seg->opts & TOE_SEG_TS;
}

/*
 * RFC 7323 5.3 R1. A segment without a timestamp stands as it would on a connection without them: what
 * 3.2 would have us drop, a path that strips options has the peer send again for ever.
 */
static bool paws_refuses(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now, uint32_t *act)
{
	if (!stamped(t, seg) || seg->flags & TOE_RST || !toe_seq_lt(seg->tsval, t->ts_recent) ||
	    toe_age_s(now) - t->ts_recent_age_s > TS_IDLE)
		return false;
	*act = TOE_ACT_C_PAWS | out_of_place(t, seg, now);
	return true;
}

static uint32_t unacceptable(struct toe_tcb *t, const struct toe_seg *seg, uint64_t seq,
			     uint64_t now)
{
	uint32_t count = seg->len && seq < t->rcv_nxt ? TOE_ACT_C_DUP : TOE_ACT_C_UNACCEPTABLE;

	if (count == TOE_ACT_C_DUP && !(seg->flags & (TOE_RST | TOE_SYN)) && seq >= t->rcv_first)
		toe_recv_twice(t, seq, toe_min64(seq + seg->len, t->rcv_nxt));
	return seg->flags & TOE_RST ? count : count | out_of_place(t, seg, now);
}

/*
 * SYN_RECEIVED sees the peer's SYN again: our SYN-ACK was lost, or both ends opened at once and
 * this is the peer's SYN-ACK. True: the segment is used up; else it goes on as a bare ACK.
 */
static bool syn_again(struct toe_tcb *t, struct toe_seg *seg, uint64_t seq, uint32_t *act)
{
	if (t->state != TOE_TCP_SYN_RECEIVED || !(seg->flags & TOE_SYN) || seg->flags & TOE_RST ||
	    seq + 1 != t->rcv_first)
		return false;
	if (seg->flags & TOE_ACK) {
		/* What came with the SYN is left for retransmission: it did not count when that came. */
		if (!toe_ecn_syn_ack(seg))
			t->flags &= ~(uint32_t)TOE_TCB_ECN;
		seg->flags &= (uint8_t) ~(TOE_SYN | TOE_FIN | TOE_ECE | TOE_CWR);
		seg->seq++;
		seg->len = 0;
		/* The window of a SYN is not scaled (RFC 7323 2.2); from here on it will be. */
		seg->wnd = (uint16_t)(seg->wnd >> t->snd_wscale);
		return false;
	}
	/* RFC 3168 6.1.1: one SYN without it is a no for the connection. */
	if (!toe_ecn_syn(seg))
		t->flags &= ~(uint32_t)TOE_TCB_ECN;
	toe_fo_syn_due(t);
	*act = TOE_ACT_OUTPUT | TOE_ACT_C_DUP;
	return true;
}

/*
 * RFC 9293 3.10.7.4, second check, with RFC 5961 3.2: only the exact number resets. Behind a FIN that
 * FIN's own does so, too: there are systems (macOS) that send it and answer few challenges.
 */
static bool resets(const struct toe_tcb *t, uint64_t seq)
{
	return seq == t->rcv_nxt || (t->flags & TOE_TCB_FIN_RCVD && seq + 1 == t->rcv_nxt);
}

/* RFC 7323 4.3, of a segment whose ACK is believed: one that was made up leaves no mark. */
static void take_timestamp(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now)
{
	if (toe_seq_lt(seg->tsval, t->ts_recent))
		t->ts_recent = seg->tsval; /* too old to forbid this one */
	ts_update(t, seg, now);
}

/*
 * RFC 5961 5.2: an ACK from too far below was made up; so was one from below all that was ever sent (the SYN
 * before the first byte), which the largest window would bear on a young connection.
 */
static bool ack_possible(const struct toe_tcb *t, uint64_t ack)
{
	return ack <= t->snd_max && ack + 1 >= t->snd_first && ack + t->max_snd_wnd >= t->snd_una;
}

/* Fifth check. False: the segment ends here. */
static bool input_ack(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now, uint32_t *act)
{
	uint64_t ack = toe_seq_expand(t->snd_una, seg->ack);
	bool late = false;

	if (t->state == TOE_TCP_SYN_RECEIVED) {
		if (ack <= t->snd_una || ack > t->snd_max) {
			*act |= TOE_ACT_RST;
			return false;
		}
		if (t->defer && toe_defers(t, seg))
			return false;
		/* A SYN that crosses ours acknowledges no data. */
		late = t->rexmits || !(t->flags & TOE_TCB_PASSIVE);
		*act |= toe_fsm_established(t, seg, now);
	}
	if (!ack_possible(t, ack)) {
		*act |= TOE_ACT_C_UNACCEPTABLE | challenge(t, now);
		return false;
	}
	t->rcv_at = now;
	if (stamped(t, seg))
		take_timestamp(t, seg, now);
	if (seg->flags & TOE_ECE && t->flags & TOE_TCB_ECN)
		*act |= toe_ecn_echo(t, ack, now);
	*act |= toe_ack_input(t, seg, ack, now);
	if (TOE_UNLIKELY(late))
		*act |= toe_fo_established(t);
	return t->state != TOE_TCP_CLOSED && !(*act & (TOE_ACT_FREE | TOE_ACT_TIME_WAIT));
}

/*
 * Sixth check. The urgent byte stays in the stream at its place; only where it is, is taken note of:
 * the newest one's, and only ahead of what has been received.
 */
static void input_urg(struct toe_tcb *t, const struct toe_seg *seg, uint64_t seq)
{
	uint64_t up = seq + toe_max32(seg->urg, 1);

	if (up > t->rcv_nxt && up > t->rcv_up)
		t->rcv_up = up;
}

/* RFC 1122 4.2.2.13: nobody will read what comes. */
static bool unwanted(const struct toe_tcb *t)
{
	return t->flags & TOE_TCB_CLOSED_BY_APP || t->opts & TOE_TCB_DEAF;
}

/* Seventh and eighth: data and FIN, in the states that take them. */
static uint32_t input_data(struct toe_tcb *t, const struct toe_seg *seg, uint64_t seq, uint64_t now)
{
	uint32_t act = 0;

	if (!toe_recv_can(t)) {
		/* Beyond its FIN the peer has nothing to say. */
		return seg->len || seg->flags & TOE_FIN ? toe_ack_now(t) : 0;
	}
	if (unwanted(t) && seg->len && seq + seg->len > t->rcv_nxt)
		return TOE_ACT_RST | toe_fsm_fail(t, ECONNRESET);
	if (t->flags & TOE_TCB_ECN && seg->len)
		act = toe_ecn_data(t, seg);
	if (seg->flags & TOE_URG)
		input_urg(t, seg, seq);
	return act | toe_recv_segment(t, seg, seq, now);
}

/*
 * A connection in TIME_WAIT whose application has not closed yet: nothing but the last ACK, repeated;
 * and a SYN that may open anew is not kept waiting for that.
 */
static uint32_t input_time_wait(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now)
{
	struct toe_out o;
	struct toe_tw w;
	enum toe_tw_verdict v;

	toe_tw_from_tcb(&w, t, now);
	v = toe_tw_input(&w, seg, now, &o);
	t->ts_recent = w.ts_recent; /* which the answer echoes */
	switch (v) {
	case TOE_TW_ACK_RESTART:
		t->life_at = now + 2000ull * TOE_MSL_MS;
		return toe_ack_now(t);
	case TOE_TW_ACK:
		return challenge(t, now);
	case TOE_TW_NEW_SYN:
		t->state = TOE_TCP_CLOSED;
		t->life_at = 0;
		return TOE_ACT_TIME_WAIT;
	case TOE_TW_DROP:
		break;
	}
	return 0;
}

/*
 * Both ends opened, and this was the peer's SYN-ACK: its SYN is known, so it is answered as what comes
 * twice is. The peer may be without ours, which this ACK then stands for.
 */
static uint32_t crossed(struct toe_tcb *t)
{
	toe_recv_twice(t, t->rcv_first - 1, t->rcv_first);
	return toe_ack_now(t);
}

static uint32_t input_synchronized(struct toe_tcb *t, const struct toe_seg *in, uint64_t now)
{
	struct toe_seg seg = *in;
	uint64_t seq = toe_seq_expand(t->rcv_nxt, seg.seq);
	uint32_t act = 0;

	if (paws_refuses(t, &seg, now, &act))
		return act;
	act = 0;
	if (syn_again(t, &seg, seq, &act))
		return act;
	seq = toe_seq_expand(t->rcv_nxt, seg.seq);
	if (seg.flags & TOE_RST && resets(t, seq))
		return toe_fsm_reset(t);
	if (!toe_recv_acceptable(t, &seg, seq))
		return unacceptable(t, &seg, seq, now);
	if (seg.flags & TOE_RST)
		return challenge(t, now);
	if (seg.flags & TOE_SYN) /* RFC 5961 4.2 */
		return TOE_ACT_C_UNACCEPTABLE | challenge(t, now);
	if (!(seg.flags & TOE_ACK))
		return 0;
	if (!input_ack(t, &seg, now, &act))
		return act;
	act |= input_data(t, &seg, seq, now);
	return act | (TOE_UNLIKELY(in->flags & TOE_SYN) ? crossed(t) : 0);
}

/* RFC 5961 5.2, and for the peer's number as much in both directions. */
static bool knows_synchronized(const struct toe_tcb *t, const struct toe_seg *seg)
{
	uint64_t seq = toe_seq_expand(t->rcv_nxt, seg->seq);
	uint64_t ack = toe_seq_expand(t->snd_una, seg->ack);
	bool old = t->flags & TOE_TCB_TS &&
		   (!(seg->opts & TOE_SEG_TS) || toe_seq_lt(seg->tsval, t->ts_recent));

	return !old && seq + t->rcv_size >= t->rcv_nxt &&
	       seq <= toe_max64(t->rcv_adv, t->rcv_nxt) && ack_possible(t, ack);
}

bool toe_tcp_knows(const struct toe_tcb *t, const struct toe_seg *seg)
{
	bool answers = (seg->flags & (TOE_ACK | TOE_RST)) == TOE_ACK &&
		       toe_seq_lt((uint32_t)t->snd_una, seg->ack) &&
		       toe_seq_leq(seg->ack, (uint32_t)t->snd_max);

	switch (t->state) {
	case TOE_TCP_SYN_SENT:
		return answers;
	case TOE_TCP_SYN_RECEIVED:
		return answers || (seg->flags & TOE_SYN && seg->seq + 1 == (uint32_t)t->rcv_first);
	default:
		return (seg->flags & (TOE_ACK | TOE_RST | TOE_SYN)) == TOE_ACK &&
		       knows_synchronized(t, seg);
	}
}

/*
 * RFC 9293 3.10.7.3. What comes with a SYN-ACK goes on as if it came behind it; with a SYN alone it is
 * left for retransmission.
 */
static uint32_t input_syn_sent(struct toe_tcb *t, const struct toe_seg *in, uint64_t now)
{
	uint32_t act = toe_fsm_syn_sent(t, in, now);
	struct toe_seg seg = *in;

	if (!(act & TOE_ACT_ESTABLISHED))
		return act;
	seg.flags &= (uint8_t)~TOE_SYN;
	seg.seq++;
	return act | input_data(t, &seg, t->rcv_nxt, now);
}

uint32_t toe_tcp_input(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now)
{
	t->segs_in++;
	t->data_segs_in += !!seg->len;
	if (TOE_LIKELY(predicted(t, seg)))
		return input_predicted(t, seg, now);
	toe_tcb_cold(t);
	switch (t->state) {
	case TOE_TCP_CLOSED:
		return t->flags & TOE_TCB_RST_OUT ? TOE_ACT_OUTPUT : TOE_ACT_RST;
	case TOE_TCP_SYN_SENT:
		return input_syn_sent(t, seg, now);
	case TOE_TCP_TIME_WAIT:
		return input_time_wait(t, seg, now);
	default:
		return input_synchronized(t, seg, now);
	}
}
