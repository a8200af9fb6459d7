/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RACK (RFC 8985 6): time tells what is lost. What was sent before something that has arrived, and
 * is still missing a round trip and a reordering window later, is lost; a retransmission too.
 */
#include "sendmap.h"

enum {
	PERSIST = 16, /* recoveries for which a widened window is kept */
	MULT_MAX = 64,
	MIN_RTT_S = 60, /* min_rtt is that of the last one or two minutes */
};

static void min_rtt(struct toe_tcb *t, uint32_t rtt, uint64_t now)
{
	if (TOE_UNLIKELY(toe_age_s(now) - t->min_rtt_age_s >= MIN_RTT_S)) {
		t->min_rtt_us =
		    toe_age_s(now) - t->min_rtt_age_s < 2 * MIN_RTT_S ? t->min_rtt_next_us : rtt;
		t->min_rtt_next_us = rtt;
		t->min_rtt_age_s = toe_age_s(now);
	}
	if (rtt < t->min_rtt_next_us)
		t->min_rtt_next_us = rtt;
	if (rtt < t->min_rtt_us)
		t->min_rtt_us = rtt;
}

/*
 * What was sent once has come behind what was sent `bytes` later. How far is for TCP_INFO alone, which counts
 * from the begin of the one to the end of the other, as Linux; what is lost, time tells.
 */
static void reordered(struct toe_tcb *t, uint32_t bytes)
{
	uint32_t segs = (bytes + t->mss - 1) / t->mss;

	toe_tcb_cold(t);
	if (t->reordered < UINT8_MAX)
		t->reordered++;
	if (segs > t->reordering)
		t->reordering = (uint16_t)toe_min32(segs, UINT16_MAX);
}

/*
 * RFC 8985 6.2, steps 1 to 3. The round trip is this ACK's: of what was sent once, if it tells of some
 * (RFC 6298 3). By that of a retransmission, which is shorter, all would be lost that is no later than
 * originals that have just arrived.
 */
void toe_rack_update(struct toe_tcb *t, const struct toe_walk *w)
{
	const struct toe_sent *n = &w->newest;

	if (w->once && toe_seq_lt(w->lowest, t->rack_fack))
		reordered(t, t->rack_fack - w->lowest);
	if (w->delivered && toe_seq_lt(t->rack_fack, w->highest))
		t->rack_fack = w->highest;
	if (!n->times)
		return;
	if (n->times == 1)
		min_rtt(t, toe_max32((uint32_t)w->now - n->at, 1), w->now);
	if (toe_sent_after(n->at, n->end, t->rack_at, t->rack_end)) {
		t->rack_at = n->at;
		t->rack_end = n->end;
		t->rack_rtt_us = (uint32_t)w->now - (w->once ? w->once_at : n->at);
	}
}

/* Step 4: how late a segment may be, microseconds. */
static uint32_t reo_wnd(const struct toe_tcb *t)
{
	bool certain = t->flags & (TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY) ||
		       t->sacked > (TOE_DUP_THRESH - 1) * (uint32_t)t->mss ||
		       t->dupacks >= TOE_DUP_THRESH;

	if (!t->reordered && certain)
		return 0;
	return (uint32_t)toe_min64((uint64_t)(t->reo_mult + 1) * t->min_rtt_us / 4, t->srtt_us);
}

/*
 * Step 5. What is not lost yet decides when to look again. Nothing behind a range that was sent once
 * left before it did: where that is too young the walk ends.
 */
void toe_rack_detect(struct toe_tcb *t, uint64_t now)
{
	uint32_t late = t->rack_rtt_us + reo_wnd(t), wait = 0, from = (uint32_t)t->snd_una;
	struct toe_sent *e = toe_sent_first(t);

	for (unsigned i = 0; i < t->nsent; i++, e++) {
		uint32_t age = (uint32_t)now - e->at, len = e->end - from;

		from = e->end;
		if (!toe_sent_after(t->rack_at, t->rack_end, e->at, e->end)) {
			if (e->times == 1)
				break;
			continue;
		}
		if (e->flags & (TOE_SENT_SACKED | TOE_SENT_LOST))
			continue;
		if (age >= late)
			toe_sent_lose(t, e, len);
		else
			wait = toe_max32(wait, late - age);
	}
	t->reo_at = wait ? now + wait : 0;
}

/* A retransmission was needless: the path may reorder further than we allowed for, once a round. */
void toe_rack_dsack(struct toe_tcb *t, const struct toe_walk *w)
{
	if (t->dsacks < UINT16_MAX)
		t->dsacks++;
	if (t->reo_round)
		return;
	t->reo_round = t->snd_max;
	t->reo_persist = PERSIST;
	if (t->reo_mult < MULT_MAX)
		t->reo_mult++;
}

void toe_rack_recovered(struct toe_tcb *t)
{
	if (t->reo_persist && !--t->reo_persist)
		t->reo_mult = 0;
}
