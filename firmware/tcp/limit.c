/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What bounds sending, as TCP_INFO tells it: the path, the peer's window, or the send buffer. Who
 * looks for a bottleneck compares the times.
 *
 * It is looked at at the end of a batch, when all that may leave has left. Only a change costs more
 * than a look.
 */
#include "rooms.h"

/* Something was written that waits to be sent for the first time: what keeps it back? */
static enum toe_limit of_unsent(const struct toe_tcb *t)
{
	uint64_t used = t->snd_nxt - t->snd_una;
	uint64_t next = toe_min64(t->snd_end - t->snd_nxt, t->mss);

	if (t->pace_at || t->lost || toe_pipe(t) + next > t->cwnd)
		return TOE_LIMIT_PATH;
	return used + next > t->snd_wnd ? TOE_LIMIT_RWND : TOE_LIMIT_PATH;
}

enum toe_limit toe_tcp_limit(const struct toe_tcb *t)
{
	if (t->state == TOE_TCP_CLOSED || toe_max64(t->snd_una, t->snd_first) >= t->snd_end)
		return TOE_LIMIT_IDLE;
	if (t->state < TOE_TCP_ESTABLISHED)
		return TOE_LIMIT_PATH;
	if (t->snd_nxt < t->snd_end)
		return of_unsent(t);
	return t->flags & TOE_TCB_WANT_SPACE && toe_pipe(t) + t->mss <= t->cwnd ? TOE_LIMIT_SNDBUF
										: TOE_LIMIT_PATH;
}

void toe_tcp_limit_change(struct toe_tcb *t, enum toe_limit limit, uint64_t now)
{
	if (t->limit != TOE_LIMIT_IDLE)
		t->limit_us[t->limit - 1] += now - t->limit_at;
	t->limit = (uint8_t)limit;
	t->limit_at = now;
}
