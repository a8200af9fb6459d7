/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion control: a table of functions over toe_tcb.cc_state. What is common to all algorithms,
 * loss detection and the window during recovery, lives in rack.c, recovery.c and prr.c; an
 * algorithm decides how cwnd grows and what a loss costs.
 */
#ifndef TOE_TCP_CC_H
#define TOE_TCP_CC_H

#include "../core/tcb.h"
#include "seq.h"

/* What one acknowledgement told. Bytes; a rate or a time that is not known is 0. */
struct toe_ack_sample {
	uint64_t now;
	/*
	 * snd_una moved by so much, and it is news: what had been SACKed lets no window grow, but on a
	 * path that was seen to reorder more than once, where a SACK is no sign of loss.
	 */
	uint32_t acked;
	uint32_t delivered; /* newly known to have arrived: acknowledged or SACKed */
	uint32_t lost; /* newly counted as lost */
	uint32_t flight; /* outstanding before this acknowledgement: pipe of RFC 6675 */
	uint32_t ce; /* of `delivered`, what the peer echoed congestion for (ECE) */
	uint32_t rtt_us; /* round trip of what was sent once, or 0 */
	uint64_t rate; /* delivery rate, bytes per second */
	uint32_t
	    prior_delivered; /* toe_tcb.delivered, low half, when what is acknowledged was sent */
	bool app_limited; /* the rate was bounded by the application, not by the path */
};

/* What befalls the window besides acknowledgements. */
enum toe_cc_event {
	TOE_CC_RECOVERY, /* fast recovery begins (ssthresh was asked before) */
	TOE_CC_RECOVERED, /* and is over */
	TOE_CC_TIMEOUT, /* RTO (ssthresh was asked before the first of a row) */
	TOE_CC_ECN, /* the peer echoed congestion: once per window (ssthresh was asked before) */
	TOE_CC_IDLE, /* sending goes on after a pause of an RTO or more */
};

struct toe_cc {
	const char *name; /* as TCP_CONGESTION spells it */
	bool ignores_ecn; /* has no answer to ECE, so its data is not ECN-capable (BBR) */
	bool wants_ecn; /* asks for ECN whatever toe_open.ecn says (DCTCP) */
	/*
	 * The handshake is done. syn_lost: a SYN had to be sent again. Sets cwnd, ssthresh,
	 * cc_state, and pacing_rate if it paces.
	 */
	void (*init)(struct toe_tcb *t, bool syn_lost, uint64_t now);
	/* After every acknowledgement that told something, outside and inside recovery. */
	void (*ack)(struct toe_tcb *t, const struct toe_ack_sample *s);
	/*
	 * The window after a loss, bytes: becomes ssthresh. What undo needs is kept in cc_state.
	 */
	uint32_t (*loss)(struct toe_tcb *t, uint64_t now);
	/*
	 * The window after the peer echoed congestion, asked for at most once per window; NULL:
	 * what a loss makes of it.
	 */
	uint32_t (*ecn)(struct toe_tcb *t, uint64_t now);
	/* The loss was none: cwnd and ssthresh were put back by the caller. May be NULL. */
	void (*undo)(struct toe_tcb *t);
	/* May be NULL. */
	void (*event)(struct toe_tcb *t, enum toe_cc_event e, uint64_t now);
	/* cwnd during recovery is the algorithm's own, not proportional rate reduction's (BBR). */
	bool own_recovery;
};

extern const struct toe_cc *const toe_cc_table[TOE_CC_COUNT];

static inline const struct toe_cc *toe_cc(const struct toe_tcb *t)
{
	return toe_cc_table[t->cc];
}

/* Above this cwnd means nothing: no window can be larger (RFC 7323 2.3). */
enum { TOE_CWND_MAX = 1 << 30 };

/* Most bytes that a receiver's offload hands up as one segment. */
enum { TOE_CC_AGGREGATE = 65536 };

/* Initial window, bytes (RFC 6928 2); also the restart window after idling (RFC 5681 4.1). */
uint32_t toe_cc_initial_window(const struct toe_tcb *t);

/*
 * The window after a loss, or an ECE that counts as one, bytes. A part of a segment does not leave, and of a
 * window of a few it is a lot: whole ones, rounded up, but one less than there were; two at least (RFC 5681
 * 3.1).
 */
uint32_t toe_cc_lose(struct toe_tcb *t, uint64_t now);

/*
 * The algorithm of a connection changes. What the path has taught stays: cwnd, ssthresh, round
 * trips.
 */
void toe_cc_switch(struct toe_tcb *t, uint8_t cc, uint64_t now);

/* cwv.c: the window was not in full use for an RTO; sending begins again after a pause of one. */
void toe_cwv_decay(struct toe_tcb *t, uint64_t now);
void toe_cwv_idle(struct toe_tcb *t, uint64_t now);

/*
 * Note, and tell, whether the window is in use. One that is not says nothing about the path: it must
 * not grow (RFC 7661 4.3, RFC 9438 5.8), and shrinks. Within a batch several ACKs come before the window
 * is filled again, so what counts is that it was full when something was under way that is being
 * acknowledged; in slow start, where one burst can double it, half of it is enough. `flight` as in the
 * sample.
 */
static inline bool toe_cwv_note(struct toe_tcb *t, uint32_t flight, uint64_t now)
{
	bool slow = t->cwnd < t->ssthresh;

	if (flight + (slow ? 0 : t->mss) >= t->cwnd) {
		t->cwnd_full_at = (uint32_t)now;
		t->cwnd_full_end = (uint32_t)t->snd_max;
		t->cwnd_used = 0;
		return true;
	}
	t->cwnd_used = toe_max32(t->cwnd_used, flight);
	if (toe_seq_leq((uint32_t)t->snd_una, t->cwnd_full_end) ||
	    (slow && t->cwnd < 2ull * flight))
		return true;
	if ((uint32_t)now - t->cwnd_full_at > t->rto_us)
		toe_cwv_decay(t, now);
	return false;
}

/* cwnd and ssthresh of a new connection (RFC 5681 3.1: one segment after a lost SYN). */
static inline void toe_cc_begin(struct toe_tcb *t, bool syn_lost)
{
	t->cwnd = syn_lost ? t->mss : toe_cc_initial_window(t);
	t->ssthresh = TOE_CWND_MAX;
	t->cwnd_full_end = (uint32_t)t->snd_una - 1;
}

/*
 * What one acknowledgement of `acked` bytes adds to the window in slow start. RFC 3465 2.3 bounds it
 * to L bytes, against bursts: two segments, as receivers acknowledged in its time. Today their
 * offload puts up to 64 KB together before TCP sees it, and one ACK answers that; counted in part,
 * the window would not double. After a timeout, where an ACK may cover what was received before, L is
 * one segment. Above ssthresh begins congestion avoidance (RFC 5681 3.1). Only if cwnd < ssthresh.
 */
static inline uint32_t toe_cc_slow_start(const struct toe_tcb *t, uint32_t acked)
{
	uint32_t l = toe_max32(TOE_CC_AGGREGATE, 2u * t->mss);

	l = t->flags & TOE_TCB_RTO_RECOVERY ? t->mss : l;
	return toe_min32(toe_min32(acked, l), t->ssthresh - t->cwnd);
}

/*
 * May a loss-based algorithm's window grow with this acknowledgement? Not in fast recovery, where
 * it is the caller's, not when the ACK itself reports congestion, not while it is not used.
 */
static inline bool toe_cc_may_grow(struct toe_tcb *t, const struct toe_ack_sample *s)
{
	bool used = toe_cwv_note(t, s->flight, s->now);

	return used && s->acked && !s->ce && !(t->flags & TOE_TCB_RECOVERY);
}

/*
 * pace.c: output keeps to `rate` bytes per second from now on; 0: it need not. What leaves at once
 * is what the rate yields in 250 microseconds, or one segment.
 */
void toe_pace_set(struct toe_tcb *t, uint64_t rate);

#endif
