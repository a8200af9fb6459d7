/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PSH in the midst of a long write. Its end has one (RFC 9293 3.9.1.2), but a peer whose driver or
 * firmware gathers segments, as Linux' GRO does, hands them up at PSH, or else waits for what may
 * follow. So data says PSH where a sender that leaves segmentation to its device would say it: at the
 * end of each burst of two segments and more. Such a burst has what the pacing rate yields in a
 * millisecond, more over short paths, and half of cwnd at most. What goes again does so, too, where the
 * last of it leaves (output.c).
 */
#include "rooms.h"

enum {
	SEGMENTS_MIN = 2,
	RATE_US = 1 << 10, /* a burst lasts so long at the pacing rate */
	NEAR_SHIFT = 9, /* of min_rtt: over how short a path bursts of TOE_CC_AGGREGATE go */
};

/*
 * Bytes that leave in RATE_US. Unless the algorithm has a pace of its own it is two windows in a round
 * trip as long as the last one, so that slow start can double it, then 1.2.
 */
static uint64_t paced(const struct toe_tcb *t)
{
	uint64_t wnd = toe_max64(t->cwnd, t->snd_max - t->snd_una);

	if (t->flags & TOE_TCB_PACED)
		return t->pacing_rate * RATE_US / 1000000;
	if (!t->rack_rtt_us)
		return TOE_CC_AGGREGATE;
	return (t->cwnd < t->ssthresh / 2 ? 2 * wnd : wnd + wnd / 5) * RATE_US / t->rack_rtt_us;
}

/* A burst that begins now has so many segments. */
uint8_t toe_push_segments(const struct toe_tcb *t)
{
	uint32_t near = t->min_rtt_us >> NEAR_SHIFT, half = t->cwnd / t->mss / 2, n;
	uint64_t bytes = paced(t) + (near < 32 ? (uint32_t)TOE_CC_AGGREGATE >> near : 0);

	n = (uint32_t)toe_min64(bytes, TOE_CC_AGGREGATE) / t->mss;
	n = toe_min32(toe_max32(n, SEGMENTS_MIN), toe_max32(half, 1));
	return (uint8_t)toe_min32(n, UINT8_MAX);
}
