/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timestamps of what is sent: ends of sends are marked, and what becomes of a mark is told once, with
 * the first segment that reaches it. When there are too many marks, or the TCB is spilled, some are
 * never told, and counted.
 */
#include "rooms.h"

#include "../lib/mem.h"

enum {
	SENT = 1 << TOE_STAMP_SND | 1 << TOE_STAMP_SCHED,
	ACKED = 1 << TOE_STAMP_ACK,
};

static void lose(struct toe_tcb *t, uint32_t kinds)
{
	for (; kinds && t->marks_lost < UINT8_MAX; kinds &= kinds - 1)
		t->marks_lost++;
}

void toe_stamp_mark(struct toe_tcb *t, uint64_t end, uint32_t kinds)
{
	if (t->nmark < TOE_MAX_MARKS)
		toe_marks(t)[t->nmark++] = (struct toe_mark){ (uint32_t)end, kinds };
	else
		lose(t, kinds);
}

void toe_stamp_forget(struct toe_tcb *t)
{
	for (unsigned i = 0; i < t->nmark; i++)
		lose(t, toe_marks(t)[i].kinds);
	t->nmark = 0;
}

unsigned toe_tcp_stamps_lost(struct toe_tcb *t)
{
	unsigned n = t->marks_lost;

	t->marks_lost = 0;
	return n;
}

/* What can be told of it by now. */
static uint32_t due(const struct toe_tcb *t, const struct toe_mark *m)
{
	uint32_t kinds = toe_seq_leq(m->end, (uint32_t)t->snd_max) ? SENT : 0;

	return m->kinds & (toe_seq_leq(m->end, (uint32_t)t->snd_una) ? kinds | ACKED : kinds);
}

/* Those with nothing left to tell are forgotten. */
static void settle(struct toe_tcb *t)
{
	struct toe_mark *m = toe_marks(t);
	unsigned n = 0;

	for (unsigned i = 0; i < t->nmark; i++)
		if (m[i].kinds)
			m[n++] = m[i];
	t->nmark = (uint8_t)n;
}

static bool take(struct toe_tcb *t, uint32_t kinds, struct toe_stamp *s)
{
	struct toe_mark *m = toe_marks(t), *end = m + t->nmark;
	uint32_t now = 0;

	while (m < end && !(now = due(t, m) & kinds))
		m++;
	if (m == end)
		return false;
	/* A segment is made, then handed on. */
	s->kind = now >> TOE_STAMP_SCHED & 1 ? TOE_STAMP_SCHED : (uint8_t)__builtin_ctz(now);
	s->pos = m->end - (uint32_t)t->snd_first;
	m->kinds &= ~(1u << s->kind);
	return true;
}

/* What came is of before what has left in this batch. */
bool toe_tcp_stamp(struct toe_tcb *t, struct toe_stamp *s)
{
	if (take(t, ACKED, s) || take(t, SENT, s))
		return true;
	settle(t);
	return false;
}
