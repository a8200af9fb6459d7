/* SPDX-License-Identifier: BSD-2-Clause */
/* The receiving side, and when it acknowledges. */
#ifndef TOE_TCP_RECV_H
#define TOE_TCP_RECV_H

#include "rooms.h"

enum {
	TOE_DELACK_US = 40000,
	TOE_QUICK_SEGS = 16,
};

/* `seq` is seg->seq expanded. */
bool toe_recv_acceptable(const struct toe_tcb *t, const struct toe_seg *seg, uint64_t seq);
uint32_t toe_recv_segment(struct toe_tcb *t, const struct toe_seg *seg, uint64_t seq, uint64_t now);
void toe_recv_twice(struct toe_tcb *t, uint64_t lo, uint64_t hi);
uint16_t toe_recv_window(struct toe_tcb *t);
bool toe_recv_window_news(const struct toe_tcb *t);
bool toe_recv_can(const struct toe_tcb *t);
const struct toe_range *toe_recv_range(const struct toe_tcb *t, uint32_t seq);

/* From `seq` on ACKs go at once, for so many segments or until something is sent (tcp(7)). */
static inline void toe_recv_quick(struct toe_tcb *t, uint64_t seq)
{
	toe_tcb_cold(t);
	t->flags |= TOE_TCB_QUICKACK;
	t->quick_end = seq + TOE_QUICK_SEGS * t->mss;
}

/*
 * Does this segment come in one batch behind one that filled a gap? Then the ACK goes twice: if the only
 * one is lost the peer, in recovery and hence without a loss probe, waits for its timeout.
 */
static inline bool toe_recv_behind_gap(const struct toe_tcb *t)
{
	return t->flags & TOE_TCB_GAP_FILLED;
}

/*
 * Must this segment be acknowledged at once? A connection begins so until it has answered, as the peer's
 * Nagle may hold back the rest of its first request, or its slow start wait for us. What was sent before
 * anything came is no answer. Behind a filled gap it is acknowledged twice.
 */
static inline bool toe_recv_is_quick(struct toe_tcb *t)
{
	if (toe_recv_behind_gap(t))
		t->dup_due = (uint8_t)(t->ndsack + 1);
	if (t->flags & TOE_TCB_FRESH) {
		t->flags &= ~(uint32_t)TOE_TCB_FRESH;
		toe_recv_quick(t, t->rcv_first);
	}
	if (t->rcv_nxt <= t->quick_end)
		return true;
	t->flags &= ~(uint32_t)TOE_TCB_QUICKACK;
	return false;
}

/*
 * RFC 1122 4.2.3.2: every second full segment is acknowledged at once, anything else within 40 ms.
 * The peer's path may be narrower than ours: a segment without PSH is full too, unless it is too
 * short for any path.
 */
static inline uint32_t toe_recv_ack_policy(struct toe_tcb *t, const struct toe_seg *seg,
					   uint64_t now)
{
	const uint32_t rare = TOE_TCB_FRESH | TOE_TCB_QUICKACK | TOE_TCB_GAP_FILLED;
	bool rest = seg->flags & TOE_PSH || seg->len < TOE_MSS_V4;
	uint32_t full = rest ? t->mss : toe_min32(seg->len, t->mss);

	if (TOE_UNLIKELY(t->flags & rare) && toe_recv_is_quick(t))
		return toe_ack_now(t);
	if ((uint32_t)t->rcv_nxt - t->last_ack_sent >= 2 * full)
		return toe_ack_now(t);
	if (!(t->flags & TOE_TCB_ACK_DELAYED)) {
		t->flags |= TOE_TCB_ACK_DELAYED;
		t->ack_at = now + TOE_DELACK_US;
	}
	return 0;
}

#endif
