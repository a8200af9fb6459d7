/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the application has written, how long the end of it may be held back, and when there is room
 * for more (RFC 9293 3.10.2). What leaves of it, and when, is for output.c.
 */
#include "rooms.h"

#include "../lib/errno.h"

/*
 * Bytes that the ring can still take: as much as the application may have been promised, even if
 * the limit is lower by now.
 */
static uint64_t grantable(const struct toe_tcb *t)
{
	uint64_t una = toe_max64(t->snd_una, t->snd_first);
	uint64_t used = t->snd_end > una ? t->snd_end - una : 0;

	return toe_max64(t->snd_size, toe_ring_size(t->snd_ring)) - used;
}

/* A send says whether a partial segment waits, and for how long. */
static void hold(struct toe_tcb *t, uint8_t send_flags, bool data)
{
	const uint8_t both = TOE_SEND_MORE | TOE_SEND_CORKED;

	t->flags &= ~(uint32_t)TOE_TCB_MORE;
	t->opts &= ~(uint32_t)TOE_TCB_UNTIL_ACK;
	if (data)
		t->opts &= ~(uint32_t)TOE_TCB_UNFINISHED;
	if (TOE_LIKELY(!(send_flags & both)))
		return;
	t->flags |= TOE_TCB_MORE;
	if (!(send_flags & TOE_SEND_CORKED))
		t->opts |= TOE_TCB_UNTIL_ACK;
	if (send_flags & TOE_SEND_MORE && data)
		t->opts |= TOE_TCB_UNFINISHED;
}

/*
 * More is written: did the path wait for it? Then rates are the application's until what is in flight
 * now has arrived. Data that waits for its time (pace.c) or for cwnd keeps the path busy.
 */
static void note_bubble(struct toe_tcb *t, uint64_t now)
{
	bool paced = t->flags & TOE_TCB_PACED && toe_pace_ahead(t, now);

	if (t->snd_nxt >= t->snd_end && !t->lost && !paced && toe_pipe(t) < t->cwnd)
		toe_rate_limited(t);
}

enum { TOE_SEND_ENDS = TOE_SEND_EOR | TOE_SEND_OOB | TOE_SEND_STAMPS };

/* What a send says of where it ends. */
static void mark_end(struct toe_tcb *t, uint8_t send_flags)
{
	if (send_flags & TOE_SEND_EOR)
		toe_record_end(t, t->snd_end);
	if (send_flags & TOE_SEND_OOB) {
		toe_tcb_cold(t);
		t->snd_up = t->snd_end;
		t->opts |= TOE_TCB_URGENT;
	}
	if (send_flags & TOE_SEND_STAMPS)
		toe_stamp_mark(t, t->snd_end, send_flags >> TOE_SEND_STAMP_SHIFT);
}

int64_t toe_tcp_send(struct toe_tcb *t, uint64_t end, uint8_t send_flags, uint64_t now)
{
	uint64_t had = t->snd_end - t->snd_first;
	uint32_t act = 0;

	if (end > had && end - had > grantable(t))
		return -EINVAL;
	if (end > had && (t->flags & TOE_TCB_FIN_QUEUED || t->state < TOE_TCP_SYN_SENT))
		return -EPIPE;
	if (end >= had) {
		/* Less is a command repeated; its flags are as old. */
		hold(t, send_flags, end > had);
		if (end > had)
			note_bubble(t, now);
		t->snd_end = t->snd_first + end;
		if (TOE_UNLIKELY(send_flags & TOE_SEND_ENDS) && end > had)
			mark_end(t, send_flags);
		act = TOE_ACT_OUTPUT;
		if (TOE_UNLIKELY(t->opts & TOE_TCB_SYN_HELD)) /* also by a write of nothing */
			toe_fo_release(t);
	}
	if (send_flags & TOE_SEND_WANT_SPACE) {
		if (toe_send_roomy(t))
			return act | TOE_ACT_TX_SPACE;
		t->flags |= TOE_TCB_WANT_SPACE;
		act |= toe_tune_send(t);
	}
	return act;
}

uint16_t toe_tcp_tx_burst(const struct toe_tcb *t)
{
	bool soft = t->opts & TOE_TCB_SND_SET && t->snd_size < toe_ring_size(t->snd_ring);

	if (t->state < TOE_TCP_ESTABLISHED || !(t->notsent_lowat || soft))
		return 0;
	return toe_half_window(t);
}

uint32_t toe_tcp_space(struct toe_tcb *t)
{
	uint64_t written = t->snd_end - t->snd_first, open;

	if (!(t->flags & TOE_TCB_WANT_SPACE) || toe_send_space(t) < t->snd_size / 3)
		return 0;
	if (t->notsent_lowat) {
		open = toe_tcp_tx_open(t);
		if (written > open && 2 * (written - open) >= t->notsent_lowat)
			return 0;
	}
	t->flags &= ~(uint32_t)TOE_TCB_WANT_SPACE;
	return TOE_ACT_TX_SPACE;
}
