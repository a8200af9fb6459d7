/* SPDX-License-Identifier: BSD-2-Clause */
/* The retransmission timer and the loss probe that goes in its place (RFC 6298, RFC 8985 7). */
#ifndef TOE_TCP_RTO_H
#define TOE_TCP_RTO_H

#include "rooms.h"

/* Microseconds. */
enum {
	TOE_RTO_MIN_US = 200000,
	TOE_RTO_MAX_US = 120000000,
	TOE_RTO_INIT_US = 1000000, /* RFC 6298 2.1 */
	TOE_RTO_SYN_LOST_US = 3000000, /* RFC 6298 5.7 */
	TOE_RTT_MAX_US = 60000000, /* longer samples are taken for this */
	TOE_DELACK_MAX_US = 200000, /* how late peers acknowledge (RFC 8985 7.2) */
	TOE_PTO_MIN_US = 2000, /* a peer that is not on its CPU just now is no loss */
};

enum { TOE_MAX_REXMITS = 15 };

/* The retransmission timeout with its back-off, microseconds. */
static inline uint64_t toe_rto(const struct toe_tcb *t)
{
	return toe_min64((uint64_t)t->rto_us << t->backoff, TOE_RTO_MAX_US);
}

/* RFC 8985 7.2: may the timer be a loss probe's? Not while anything is unclear. */
static inline bool toe_tlp_may(const struct toe_tcb *t)
{
	const uint32_t unclear = TOE_TCB_RARE & ~(uint32_t)TOE_TCB_FIN_RCVD & ~TOE_TCB_FIN_OOO;

	return (t->flags & (TOE_TCB_SACK | unclear)) == TOE_TCB_SACK && t->srtt_us;
}

/*
 * RFC 8985 7.2: the peer may acknowledge a single segment late; and where the RTO is shorter, the
 * probe goes in its place.
 */
static inline uint64_t toe_pto(const struct toe_tcb *t)
{
	uint32_t late = t->snd_max - t->snd_una > t->mss ? 0 : TOE_DELACK_MAX_US;

	return toe_min64(toe_max32(2 * t->srtt_us, TOE_PTO_MIN_US) + late, toe_rto(t));
}

/* RFC 6298 5.1, 5.3; RFC 8985 7.2. */
static inline void toe_rto_arm(struct toe_tcb *t, uint64_t now)
{
	bool probe = toe_tlp_may(t);

	t->flags = probe ? t->flags | TOE_TCB_TLP : t->flags & ~(uint32_t)TOE_TCB_TLP;
	t->rto_at = now + (probe ? toe_pto(t) : toe_rto(t));
}

/*
 * New data left: the probe is put off, as it is to repeat the last segment; but not beyond the
 * timeout of the first.
 */
static inline void toe_rto_sent(struct toe_tcb *t, uint64_t now)
{
	uint64_t at = now + toe_pto(t);

	if (!t->rto_at) {
		toe_rto_arm(t, now);
	} else if (toe_tlp_may(t) && (t->flags & TOE_TCB_TLP || at < t->rto_at) &&
		   at <=
		       now - (uint32_t)((uint32_t)now - toe_sents(t)[t->sent_lo].at) + toe_rto(t)) {
		t->flags |= TOE_TCB_TLP;
		t->rto_at = at;
	}
}

/* A round trip was measured. */
void toe_rto_sample(struct toe_tcb *t, uint64_t rtt_us);

#endif
