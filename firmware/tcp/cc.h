/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion control: a table of functions over toe_tcb.cc_state. What is common to all algorithms,
 * loss detection and the window during recovery, lives in ack.c; an algorithm decides how cwnd
 * grows and what a loss costs.
 */
#ifndef TOE_TCP_CC_H
#define TOE_TCP_CC_H

#include "../core/tcb.h"

/* Values of toe_open.cc. If you add one, also add its row to toe_cc_table (cc_table.c). */
enum toe_cc_id { TOE_CC_NEWRENO, TOE_CC_COUNT };

/* What one acknowledgement told. Bytes; a rate or a time that is not known is 0. */
struct toe_ack_sample {
	uint64_t now;
	uint32_t acked; /* snd_una moved by so much */
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
	bool ecn; /* wants ECN even where the path's default is off (DCTCP) */
	/*
	 * The handshake is done. syn_lost: a SYN had to be sent again. Sets cwnd, ssthresh,
	 * cc_state, and pacing_rate if it paces.
	 */
	void (*init)(struct toe_tcb *t, bool syn_lost);
	/* After every acknowledgement that told something, outside and inside recovery. */
	void (*ack)(struct toe_tcb *t, const struct toe_ack_sample *s);
	/*
	 * The window after a loss, bytes, given what was in flight: becomes ssthresh. What undo
	 * needs is kept in cc_state.
	 */
	uint32_t (*loss)(struct toe_tcb *t, uint32_t flight, uint64_t now);
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

/* Initial window, bytes (RFC 6928 2); also the restart window after idling (RFC 5681 4.1). */
uint32_t toe_cc_initial_window(const struct toe_tcb *t);

/* Above this cwnd means nothing: no window can be larger (RFC 7323 2.3). */
enum { TOE_CWND_MAX = 1 << 30 };

#endif
