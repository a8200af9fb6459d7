/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The send map: what became of every byte of [snd_una, snd_max). Neighbours with the same fate that
 * were sent at nearly the same time are one range, so a window is a few dozen of them. A range begins
 * where the one before it ends.
 */
#ifndef TOE_TCP_SENDMAP_H
#define TOE_TCP_SENDMAP_H

#include "rooms.h"

/* What one acknowledgement found in the map. */
struct toe_walk {
	uint64_t now;
	uint32_t delivered; /* bytes that are news: acknowledged or SACKed */
	uint32_t highest; /* with `delivered`: where the highest of them end */
	uint32_t lowest; /* with `once`: where the lowest of those begin that were sent once only */
	/* With `once`: when the first of those by number was sent, and the last by time. */
	uint32_t oldest_at, once_at;
	struct toe_sent newest; /* of them, what was sent last; times is 0 if that is not known */
	bool once;
	bool again; /* some of it was sent again: who knows which of the two was acknowledged? */
	bool sacked; /* SACK blocks told something new */
	bool dsack; /* and that [dup.lo, dup.hi) arrived twice (RFC 2883) */
	struct toe_range dup;
};

static inline struct toe_sent *toe_sent_first(struct toe_tcb *t)
{
	return toe_sents(t) + t->sent_lo;
}

static inline struct toe_sent *toe_sent_last(struct toe_tcb *t)
{
	return toe_sents(t) + t->sent_lo + t->nsent - 1;
}

/* The length of the last range, 0 when the peer has SACKed it. */
static inline uint32_t toe_sent_tail(const struct toe_tcb *t)
{
	const struct toe_sent *e = toe_sents(t) + t->sent_lo + t->nsent - 1;

	if (e->flags & TOE_SENT_SACKED)
		return 0;
	return e->end - (t->nsent > 1 ? e[-1].end : (uint32_t)t->snd_una);
}

/* Is the range so young that what is sent now can join it? */
static inline bool toe_sent_near(const struct toe_tcb *t, const struct toe_sent *e, uint64_t now)
{
	return (uint32_t)now - e->at <= toe_min32(t->srtt_us / 64, 1000);
}

static inline void toe_sent_stamp(const struct toe_tcb *t, struct toe_sent *e, uint64_t now)
{
	e->at = (uint32_t)now;
	e->delivered = (uint32_t)t->delivered;
	e->delivered_at = (uint32_t)t->delivered_at;
	e->first_at = (uint32_t)t->first_sent_at;
	e->flags = t->app_limited ? TOE_SENT_APP_LIMITED : 0;
}

/* Of two transmissions, was the first one made later? (RFC 8985 6.1: RACK_sent_after) */
static inline bool toe_sent_after(uint32_t at, uint32_t end, uint32_t at2, uint32_t end2)
{
	return at == at2 ? toe_seq_lt(end2, end) : toe_seq_lt(at2, at);
}

/*
 * The `len` bytes before `end` leave for the first time, in one segment. It has a range of its own if it is
 * shorter than those before it: most often it ends what was written.
 */
void toe_sent_append(struct toe_tcb *t, uint32_t end, uint32_t len, uint64_t now);

static inline void toe_sent_add(struct toe_tcb *t, uint32_t end, uint32_t len, uint64_t now)
{
	struct toe_sent *e;

	if (!t->nsent) {
		/* Nothing was in flight: rates and RACK begin anew. */
		t->delivered_at = t->first_sent_at = now;
		t->rack_at = (uint32_t)now;
		t->rack_end = t->rack_fack = (uint32_t)t->snd_una;
		t->sent_lo = t->sent_far = 0;
	} else {
		e = toe_sent_last(t);
		if (toe_sent_near(t, e, now) && e->times == 1 && len >= e->seg_len &&
		    e->flags == (t->app_limited ? TOE_SENT_APP_LIMITED : 0)) {
			if (len != e->seg_len)
				e->seg_len = 1;
			e->end = end;
			return;
		}
		if (t->sent_lo + t->nsent == toe_sent_room(t)) {
			toe_sent_append(t, end, len, now);
			return;
		}
	}
	e = toe_sents(t) + t->sent_lo + t->nsent++;
	e->end = end;
	e->seg_len = (uint16_t)len;
	e->times = 1;
	toe_sent_stamp(t, e, now);
}

/* The sole range leaves again: a SYN, or the byte of a window probe. */
void toe_sent_repeat(struct toe_tcb *t, uint64_t now);

/*
 * Bytes [from, to) of the range `e` have arrived, which is news. What was sent again less than a
 * round trip ago did not arrive: it was the original (RFC 8985 6.2, step 2).
 */
static inline void toe_sent_arrived(const struct toe_tcb *t, struct toe_walk *w,
				    const struct toe_sent *e, uint32_t from, uint32_t to)
{
	const uint8_t joined = TOE_SENT_JOINED | TOE_SENT_VAGUE;
	bool timed =
	    TOE_LIKELY(!(e->flags & joined)) || (to == e->end && !(e->flags & TOE_SENT_VAGUE));
	bool clear = timed && (e->times == 1 || (uint32_t)w->now - e->at >= t->min_rtt_us);

	if (clear && (!w->newest.times || toe_sent_after(e->at, to, w->newest.at, w->newest.end))) {
		w->newest = *e;
		w->newest.end = to;
	}
	if (!w->delivered || toe_seq_lt(w->highest, to))
		w->highest = to;
	w->delivered += to - from;
	if (e->times == 1 && timed) {
		if (!w->once)
			w->oldest_at = w->once_at = e->at;
		if (!w->once || toe_seq_lt(from, w->lowest))
			w->lowest = from;
		if (toe_seq_lt(w->once_at, e->at))
			w->once_at = e->at;
		w->once = true;
	} else if (e->times > 1) {
		w->again = true;
	}
}

/* snd_una, not yet moved, goes up to `ack`. */
static inline void toe_sent_pop(struct toe_tcb *t, uint32_t ack, struct toe_walk *w)
{
	uint32_t from = (uint32_t)t->snd_una;

	while (from != ack && t->nsent) {
		struct toe_sent *e = toe_sent_first(t);
		bool all = toe_seq_leq(e->end, ack);
		uint32_t to = all ? e->end : ack;

		if (TOE_UNLIKELY(e->flags & TOE_SENT_SACKED)) {
			t->sacked -= to - from;
		} else {
			if (TOE_UNLIKELY(e->flags & TOE_SENT_LOST))
				t->lost -= to - from;
			toe_sent_arrived(t, w, e, from, to);
		}
		if (all) {
			t->sent_lo++;
			t->nsent--;
		}
		from = to;
	}
	if (!t->nsent)
		t->sent_lo = t->sent_far = 0;
}

/*
 * The peer has [lo, hi), which lies inside (snd_una, snd_max] (RFC 2018 5). Whole segments count: who has
 * a part of one may have made it up, and gets the rest with that part again.
 */
void toe_sent_sack(struct toe_tcb *t, uint32_t lo, uint32_t hi, struct toe_walk *w);

/* Count the range `e`, of `len` bytes in flight, as lost. */
static inline void toe_sent_lose(struct toe_tcb *t, struct toe_sent *e, uint32_t len)
{
	e->flags |= TOE_SENT_LOST;
	t->lost += len;
	t->lost_new += len;
}

/* The first `most` bytes at snd_una are lost, as far as they are in flight. */
void toe_sent_lose_head(struct toe_tcb *t, uint32_t most);

/* Everything that was not SACKED is lost (RFC 6675 5.1); `forget`: the SACKED too (RFC 2018 8). */
void toe_sent_lose_all(struct toe_tcb *t, bool forget);

/* What counted as lost and was not sent again is in flight after all. */
void toe_sent_find_all(struct toe_tcb *t);

/* Where the first lost range begins and how long it is; false: nothing is lost. */
bool toe_sent_lost(const struct toe_tcb *t, uint32_t *from, uint32_t *len);

/* [from, from + len), inside one range, leaves again. */
void toe_sent_again(struct toe_tcb *t, uint32_t from, uint32_t len, uint64_t now);

#endif
