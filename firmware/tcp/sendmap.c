/* SPDX-License-Identifier: BSD-2-Clause */
/* The send map: ranges are split, joined and dropped here, and nowhere else. */
#include "sendmap.h"

#include "../lib/mem.h"

enum { STATE = TOE_SENT_SACKED | TOE_SENT_LOST };

/* The range `i`, counted from snd_una on. */
static struct toe_sent *nth(struct toe_tcb *t, unsigned i)
{
	return toe_sents(t) + t->sent_lo + i;
}

static uint32_t start(const struct toe_tcb *t, unsigned i)
{
	return i ? toe_sents(t)[t->sent_lo + i - 1].end : (uint32_t)t->snd_una;
}

static void take_out(struct toe_tcb *t, unsigned i, unsigned n)
{
	struct toe_sent *e = nth(t, i);

	t->nsent = (uint16_t)(t->nsent - n);
	if (i < t->nsent)
		memmove(e, e + n, (t->nsent - i) * sizeof(*e));
}

/* The seg_len of `a` when it goes on with its neighbour `b`, up to `end`. */
static uint16_t seg_len(const struct toe_sent *a, const struct toe_sent *b, uint32_t end)
{
	return a->seg_len == b->seg_len && (b->end - end) % b->seg_len == 0 ? a->seg_len : 1;
}

/* `to` takes over its neighbour `e`, and counts as sent when the last of them was. */
static void absorb(struct toe_sent *to, const struct toe_sent *e)
{
	uint8_t times = to->times > e->times ? to->times : e->times;
	uint8_t flags = (to->flags | e->flags) & TOE_SENT_VAGUE;
	uint16_t len = seg_len(to, e, e->end);
	uint32_t end = e->end;

	if (to->at != e->at)
		flags |= toe_seq_lt(to->at, e->at) ? TOE_SENT_JOINED : TOE_SENT_VAGUE;
	flags |= (to->flags | e->flags) & TOE_SENT_JOINED;
	if (toe_seq_lt(to->at, e->at))
		*to = *e;
	to->end = end;
	to->seg_len = len;
	to->times = times;
	to->flags |= flags;
}

/* Join pairs of neighbours of the same state, until `most` ranges are left or all have been seen. */
static void join_pairs(struct toe_tcb *t, unsigned most, bool all)
{
	unsigned n = 1, total = t->nsent;
	bool joined = false; /* the last one kept has its partner */

	for (unsigned i = 1; i < total; i++) {
		struct toe_sent *e = nth(t, i), *to = nth(t, n - 1);
		bool same = (e->flags & STATE) == (to->flags & STATE) &&
			    (all || (e->flags & STATE && (e->times > 1) == (to->times > 1)));

		joined = same && !joined && n + (total - i) > most;
		if (joined)
			absorb(to, e);
		else
			*nth(t, n++) = *e;
	}
	t->nsent = (uint16_t)(total ? n : 0);
}

/*
 * Until `most` ranges are left, if that can be: where time means nothing more, and nothing is
 * forgotten; `all`: also what is in flight. In pairs, as what is joined tells less about time.
 */
static void join(struct toe_tcb *t, unsigned most, bool all)
{
	unsigned before;

	do {
		before = t->nsent;
		join_pairs(t, most, all);
	} while (t->nsent > most && t->nsent < before);
}

/* The map becomes a long one. */
static void go_far(struct toe_tcb *t)
{
	memcpy(toe_lists(t)->sent, nth(t, 0), t->nsent * sizeof(struct toe_sent));
	t->sent_lo = 0;
	t->sent_far = 1;
}

/* Make room for `n` more ranges behind the last. */
static bool make_room(struct toe_tcb *t, unsigned n)
{
	if (t->sent_lo + t->nsent + n <= toe_sent_room(t))
		return true;
	if (t->sent_lo >= n) {
		memmove(toe_sents(t), nth(t, 0), t->nsent * sizeof(struct toe_sent));
		t->sent_lo = 0;
		return true;
	}
	if (!t->sent_far) {
		go_far(t);
		return true;
	}
	/* A quarter at once, so that this is not done for each. */
	join(t, TOE_MAX_SENT * 3 / 4, false);
	if (t->nsent > TOE_MAX_SENT * 3 / 4)
		join(t, TOE_MAX_SENT * 3 / 4, true);
	return t->sent_lo + t->nsent + n <= TOE_MAX_SENT;
}

/* A copy of range i in front of it, which ends at `end`, maybe inside a segment. There is room. */
static void split(struct toe_tcb *t, unsigned i, uint32_t end)
{
	struct toe_sent *e = nth(t, i);

	memmove(e + 1, e, (t->nsent - i) * sizeof(*e));
	t->nsent++;
	e->end = end;
	if ((e[1].end - end) % e->seg_len)
		e->seg_len = 1;
	if (e->flags & TOE_SENT_JOINED)
		e->flags |= TOE_SENT_VAGUE;
}

/* Range i is in flight from now on, whatever it was. */
static void forget(struct toe_tcb *t, unsigned i)
{
	struct toe_sent *e = nth(t, i);
	uint32_t len = e->end - start(t, i);

	if (e->flags & TOE_SENT_SACKED) {
		t->sacked -= len;
		e->seg_len = 1;
	}
	if (e->flags & TOE_SENT_LOST)
		t->lost -= len;
	e->flags &= (uint8_t)~STATE;
}

void toe_sent_append(struct toe_tcb *t, uint32_t end, uint32_t len, uint64_t now)
{
	struct toe_sent *e;

	if (make_room(t, 1)) {
		e = nth(t, t->nsent++);
		e->seg_len = (uint16_t)len;
		e->times = 1;
	} else {
		forget(t, t->nsent - 1u);
		e = toe_sent_last(t);
		e->seg_len = 1;
	}
	e->end = end;
	toe_sent_stamp(t, e, now);
}

void toe_sent_repeat(struct toe_tcb *t, uint64_t now)
{
	struct toe_sent *e = toe_sent_first(t);

	forget(t, 0);
	toe_sent_stamp(t, e, now);
	e->times += e->times < UINT8_MAX;
}

/*
 * The first range that ends above `seq`. Ends ascend.
 */
static unsigned find(const struct toe_tcb *t, uint32_t seq)
{
	unsigned lo = 0, hi = t->nsent;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (toe_seq_leq(toe_sents(t)[t->sent_lo + mid].end, seq))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is(const struct toe_sent *e, uint8_t state)
{
	return (e->flags & STATE) == state;
}

/*
 * [lo, hi) inside range i, which is not SACKED, becomes so. It joins SACKED neighbours, where
 * often only a boundary moves. Returns where to go on; the rest of a range that cannot be split,
 * because the map is full, stays as it is.
 */
static unsigned mark_sacked(struct toe_tcb *t, unsigned i, uint32_t lo, uint32_t hi,
			    struct toe_walk *w)
{
	struct toe_sent *e = nth(t, i);
	bool left = i && is(e - 1, TOE_SENT_SACKED) && lo == start(t, i);
	bool right = i + 1u < t->nsent && is(e + 1, TOE_SENT_SACKED) && hi == e->end;
	unsigned splits = (lo != start(t, i)) + (hi != e->end);

	if (!left && !right && splits && t->sent_lo + t->nsent + 2u > toe_sent_room(t))
		return UINT32_MAX;
	toe_sent_arrived(t, w, e, lo, hi);
	w->sacked = true;
	t->sacked += hi - lo;
	if (e->flags & TOE_SENT_LOST)
		t->lost -= hi - lo;
	if (left) {
		e[-1].end = hi;
		if (right)
			e[-1].end = e[1].end;
		if (hi == e->end)
			take_out(t, i, right ? 2 : 1);
		return i;
	}
	if (right) {
		if (lo != start(t, i)) {
			e->end = lo;
			return i + 1;
		}
		take_out(t, i, 1);
		return i;
	}
	if (lo != start(t, i))
		split(t, i++, lo);
	if (hi != nth(t, i)->end)
		split(t, i, hi);
	e = nth(t, i);
	e->flags = (uint8_t)((e->flags & ~STATE) | TOE_SENT_SACKED);
	return i + 1;
}

/* Where the first segment of range `e` that lies behind `seq` begins. */
static uint32_t next_segment(const struct toe_sent *e, uint32_t seq)
{
	return e->end - (e->end - seq) / e->seg_len * e->seg_len;
}

/* Where the last one before it ends. A peer may have all of a segment but its FIN. */
static uint32_t last_segment(const struct toe_tcb *t, const struct toe_sent *e, uint32_t seq)
{
	uint32_t behind = e->end - seq + e->seg_len - 1u;

	return seq == (uint32_t)t->snd_end ? seq : e->end - behind / e->seg_len * e->seg_len;
}

void toe_sent_sack(struct toe_tcb *t, uint32_t lo, uint32_t hi, struct toe_walk *w)
{
	unsigned i;

	make_room(t, 2);
	i = find(t, lo);
	while (i < t->nsent && toe_seq_lt(lo, hi) && toe_seq_lt(start(t, i), hi)) {
		struct toe_sent *e = nth(t, i);
		uint32_t from = start(t, i), to = e->end;

		if (toe_seq_lt(from, lo)) /* else it joined what was SACKED behind it */
			from = next_segment(e, lo);
		if (toe_seq_lt(hi, to))
			to = last_segment(t, e, hi);
		lo = e->end;
		if (is(e, TOE_SENT_SACKED) || !toe_seq_lt(from, to))
			i++;
		else
			i = mark_sacked(t, i, from, to, w);
	}
}

void toe_sent_lose_head(struct toe_tcb *t, uint32_t most)
{
	struct toe_sent *e = toe_sent_first(t);
	uint32_t len = e->end - (uint32_t)t->snd_una;

	if (!t->nsent || e->flags & STATE)
		return;
	if (len > most && make_room(t, 1)) {
		split(t, 0, (uint32_t)t->snd_una + most);
		e = toe_sent_first(t);
		len = most;
	}
	toe_sent_lose(t, e, len);
}

void toe_sent_lose_all(struct toe_tcb *t, bool sacked_too)
{
	for (unsigned i = 0; i < t->nsent; i++) {
		struct toe_sent *e = nth(t, i);

		if (sacked_too && e->flags & TOE_SENT_SACKED)
			forget(t, i);
		if (is(e, 0))
			toe_sent_lose(t, e, e->end - start(t, i));
	}
	join(t, 0, false);
}

void toe_sent_find_all(struct toe_tcb *t)
{
	for (unsigned i = 0; i < t->nsent; i++)
		if (nth(t, i)->flags & TOE_SENT_LOST)
			forget(t, i);
}

bool toe_sent_lost(const struct toe_tcb *t, uint32_t *from, uint32_t *len)
{
	const struct toe_sent *e = toe_sents(t) + t->sent_lo;

	*from = (uint32_t)t->snd_una;
	for (unsigned i = 0; i < t->nsent; i++, e++) {
		*len = e->end - *from;
		if (e->flags & TOE_SENT_LOST)
			return true;
		*from = e->end;
	}
	return false;
}

/*
 * Can what is sent again now join `e`, which was sent again just before? Not if new data has left since:
 * its arrival would tell that what joins is lost.
 */
static bool joins_again(const struct toe_tcb *t, const struct toe_sent *e, uint64_t now)
{
	const struct toe_sent *tail = toe_sents(t) + t->sent_lo + t->nsent - 1;

	return is(e, 0) && e->times > 1 && toe_sent_near(t, e, now) && toe_seq_leq(tail->at, e->at);
}

/*
 * Something is sent again. New data that joined the last range now would count as sent before it, and
 * as lost as soon as it has arrived.
 */
static void close_tail(struct toe_tcb *t)
{
	toe_sent_last(t)->flags |= TOE_SENT_CLOSED;
}

void toe_sent_again(struct toe_tcb *t, uint32_t from, uint32_t len, uint64_t now)
{
	unsigned i = find(t, from);
	struct toe_sent *e = nth(t, i);
	uint32_t end = from + len;
	bool room;

	if (i && is(e, TOE_SENT_LOST) && from == start(t, i) && joins_again(t, e - 1, now)) {
		t->lost -= len;
		e[-1].seg_len = seg_len(e - 1, e, end);
		e[-1].end = end;
		if (end == e->end)
			take_out(t, i, 1);
		close_tail(t);
		return;
	}
	/* Without room the whole range counts as sent again. */
	room = make_room(t, 2);
	i = find(t, from);
	if (room && from != start(t, i))
		split(t, i++, from);
	if (room && end != nth(t, i)->end)
		split(t, i, end);
	forget(t, i);
	e = nth(t, i);
	if (!room)
		e->seg_len = 1;
	toe_sent_stamp(t, e, now);
	e->times += e->times < UINT8_MAX;
	close_tail(t);
}

/* Any two neighbours become one; what is in doubt is in flight, but what is lost stays lost. */
static void squash(struct toe_tcb *t, unsigned i)
{
	struct toe_sent *e = nth(t, i);
	bool lost = (e->flags | e[1].flags) & TOE_SENT_LOST;

	forget(t, i);
	forget(t, i + 1);
	absorb(e, e + 1);
	take_out(t, i + 1, 1);
	if (lost) {
		e->flags |= TOE_SENT_LOST;
		t->lost += e->end - start(t, i);
	}
}

/* The map, which has become short, moves back into the TCB. */
static void come_near(struct toe_tcb *t)
{
	if (!t->sent_far || t->nsent > TOE_NEAR_SENT)
		return;
	memcpy(t->sent_near, nth(t, 0), t->nsent * sizeof(struct toe_sent));
	t->sent_lo = t->sent_far = 0;
}

void toe_tcp_trim(struct toe_tcb *t, unsigned holes, unsigned sent)
{
	t->neor = 0;
	toe_stamp_forget(t);
	if (t->nholes > holes)
		t->nholes = (uint16_t)holes;
	if (t->nsent > sent)
		join(t, sent, false);
	if (t->nsent > sent)
		join(t, sent, true);
	while (t->nsent > sent)
		squash(t, t->nsent - 2u);
	come_near(t);
	/* Without SACK it is a mere number, and squashing may have made more lost. */
	if (!(t->flags & TOE_TCB_SACK))
		t->sacked = toe_min32(t->sacked, (uint32_t)(t->snd_max - t->snd_una) - t->lost);
}
