/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a silent peer is borne with: keepalive (RFC 9293 3.8.4, with the options of tcp(7)) and
 * the user timeout (RFC 5482, as TCP_USER_TIMEOUT of tcp(7) has it).
 *
 * Nothing is done per segment but to store when it came. Keepalive's timer looks at that when it
 * fires, and sleeps on.
 */
#include "rto.h"

#include "../lib/errno.h"

enum { SECOND = 1000000 };

static uint64_t idle_us(const struct toe_tcb *t)
{
	return (uint64_t)SECOND * t->keep_idle_s;
}

void toe_keep_begin(struct toe_tcb *t, uint64_t now)
{
	t->rcv_at = now;
	t->keep_probes = 0;
	t->keep_at = t->opts & TOE_TCB_KEEPALIVE ? now + idle_us(t) : 0;
}

uint32_t toe_keep_set(struct toe_tcb *t, bool on, uint64_t now)
{
	bool was = t->opts & TOE_TCB_KEEPALIVE;

	t->opts = on ? t->opts | TOE_TCB_KEEPALIVE : t->opts & ~(uint32_t)TOE_TCB_KEEPALIVE;
	if (t->state < TOE_TCP_ESTABLISHED || t->state == TOE_TCP_TIME_WAIT)
		return 0;
	if (!on)
		t->keep_at = 0;
	else if (!was)
		t->keep_at = now + idle_us(t);
	return 0;
}

/* Another idle time counts from the last segment on. */
void toe_keep_idle(struct toe_tcb *t, uint16_t seconds, uint64_t now)
{
	t->keep_idle_s = seconds;
	if (t->keep_at)
		t->keep_at = toe_max64(t->rcv_at + idle_us(t), now);
}

static bool given_up(const struct toe_tcb *t, uint64_t quiet)
{
	if (t->user_timeout_ms)
		return t->keep_probes && quiet >= 1000ull * t->user_timeout_ms;
	return t->keep_probes >= t->keep_cnt;
}

/* Data on its way, or held back by a shut window, has a timer of its own. */
static bool has_work(const struct toe_tcb *t)
{
	return t->snd_una < t->snd_max || toe_send_pending(t);
}

/* A segment has come since the last probe, however long ago that is by now. */
static bool answered(const struct toe_tcb *t)
{
	return t->rcv_at + (uint64_t)SECOND * t->keep_intvl_s >= t->keep_at;
}

uint32_t toe_keep_timer(struct toe_tcb *t, uint64_t now)
{
	uint64_t quiet = now - t->rcv_at;

	if (has_work(t) || quiet < idle_us(t)) {
		t->keep_probes = 0;
		t->keep_at = has_work(t) ? now + idle_us(t) : t->rcv_at + idle_us(t);
		return 0;
	}
	if (answered(t))
		t->keep_probes = 0;
	if (given_up(t, quiet))
		return toe_tcp_abort(t, t->soft_error ? t->soft_error : ETIMEDOUT, now);
	if (!t->keep_probes++)
		t->soft_error = 0; /* of an earlier trouble: all was acknowledged since */
	t->keep_at = now + (uint64_t)SECOND * t->keep_intvl_s;
	t->opts |= TOE_TCB_KEEP_PROBE;
	t->flags |= TOE_TCB_PROBE;
	return TOE_ACT_OUTPUT;
}

/* Since when nothing was acknowledged: the timer that has just fired was started then. */
static uint64_t stalled_at(struct toe_tcb *t, uint64_t now)
{
	if (!t->stall_at || t->stall_una != t->snd_una) {
		t->stall_una = t->snd_una;
		t->stall_at = now - toe_min64(toe_rto(t), now);
	}
	return t->stall_at;
}

/* A SYN-ACK is nobody's yet. */
static bool bounded(const struct toe_tcb *t)
{
	return t->user_timeout_ms &&
	       !(t->state == TOE_TCP_SYN_RECEIVED && t->flags & TOE_TCB_PASSIVE);
}

bool toe_user_timeout(struct toe_tcb *t, uint64_t now)
{
	uint64_t since = stalled_at(t, now);

	return bounded(t) && now - since >= 1000ull * t->user_timeout_ms;
}

uint64_t toe_user_deadline(const struct toe_tcb *t, uint64_t at)
{
	return bounded(t) ? toe_min64(at, t->stall_at + 1000ull * t->user_timeout_ms) : at;
}
