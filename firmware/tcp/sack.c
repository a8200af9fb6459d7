/* SPDX-License-Identifier: BSD-2-Clause */
/* What the peer's SACK blocks say (RFC 2018 5, RFC 2883). Whatever else they say is ignored. */
#include "sendmap.h"

static bool inside(struct toe_range r, struct toe_range of)
{
	return toe_seq_leq(of.lo, r.lo) && toe_seq_leq(r.hi, of.hi);
}

/*
 * RFC 2883 4: the first block reports a duplicate if it lies below the acknowledged, or inside the
 * second. It counts only if it can be about something that was sent.
 */
static bool is_dsack(const struct toe_tcb *t, const struct toe_seg *seg)
{
	struct toe_range r = seg->sack[0];

	if (!toe_seq_lt(r.lo, r.hi) || toe_seq_expand(t->snd_una, r.lo) < t->snd_first ||
	    (uint32_t)t->snd_max - r.lo > t->max_snd_wnd + (uint32_t)(t->snd_max - t->snd_una))
		return false;
	if (toe_seq_leq(r.hi, seg->ack))
		return true;
	return seg->nsack > 1 && inside(r, seg->sack[1]) && toe_seq_lt(seg->ack, r.lo);
}

void toe_sack_input(struct toe_tcb *t, const struct toe_seg *seg, struct toe_walk *w)
{
	unsigned i = 0;

	if (is_dsack(t, seg)) {
		w->dsack = true;
		w->dup = seg->sack[0];
		i = 1;
	}
	if (t->snd_nxt < t->snd_max)
		return; /* the byte of a window probe */
	for (; i < seg->nsack; i++) {
		struct toe_range r = seg->sack[i];

		if (toe_seq_lt((uint32_t)t->snd_una, r.lo) && toe_seq_lt(r.lo, r.hi) &&
		    toe_seq_leq(r.hi, (uint32_t)t->snd_max))
			toe_sent_sack(t, r.lo, r.hi, w);
	}
}
