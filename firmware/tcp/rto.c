/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers, each a deadline in the TCB:
 *
 *   rto_at   retransmission (RFC 6298); loss probe (RFC 8985 7.2) with TOE_TCB_TLP; persist (RFC
 *            9293 3.8.6.1) with TOE_TCB_PERSIST
 *   reo_at   reordering: what is late by then is lost (RFC 8985 6.2)
 *   ack_at   delayed ACK
 *   pace_at  data waits for the pacing rate (pace.c)
 *   mtu_at   try a larger segment (pmtu.c)
 *   life_at  FIN_WAIT_2 that nobody holds; TIME_WAIT that the application has not closed
 *   keep_at  keepalive (keepalive.c)
 */
#include "rto.h"

#include "../lib/errno.h"

/* RFC 6298 2.2, 2.3: one round trip was measured. */
void toe_rto_sample(struct toe_tcb *t, uint64_t rtt_us)
{
	uint32_t rtt = (uint32_t)toe_min64(toe_max64(rtt_us, 1), TOE_RTT_MAX_US);
	uint32_t err, rto;

	if (!t->srtt_us) {
		t->srtt_us = rtt;
		t->rttvar_us = rtt / 2;
	} else {
		err = rtt > t->srtt_us ? rtt - t->srtt_us : t->srtt_us - rtt;
		t->rttvar_us = t->rttvar_us - t->rttvar_us / 4 + err / 4;
		t->srtt_us = toe_max32(t->srtt_us - t->srtt_us / 8 + rtt / 8, 1);
	}
	/* The least is for what comes on top of the round trip: the peer's delayed ACK. */
	rto = t->srtt_us + toe_max32(4 * t->rttvar_us, TOE_RTO_MIN_US);
	t->rto_us = toe_min32(rto, TOE_RTO_MAX_US);
}

/* A deadline, so that "not armed" is later than all others. */
static inline uint64_t when(uint64_t at)
{
	return at - 1;
}

uint64_t toe_tcp_deadline(const struct toe_tcb *t)
{
	uint64_t first = toe_min64(when(t->rto_at), when(t->ack_at));

	first = toe_min64(first, when(t->pace_at));
	first = toe_min64(first, when(t->reo_at));
	first = toe_min64(first, when(t->life_at));
	first = toe_min64(first, when(t->keep_at));
	return toe_min64(first, when(t->mtu_at)) + 1;
}

/* A SYN was not answered in time. */
static uint32_t syn_timeout(struct toe_tcb *t)
{
	bool passive = t->flags & TOE_TCB_PASSIVE;

	/* The peer has our SYN-ACK; it gets another when the time for data is over. */
	if (t->opts & TOE_TCB_DEFERRED && t->rexmits < t->defer)
		return 0;
	if (t->rexmits > toe_max32(t->syn_max, t->opts & TOE_TCB_DEFERRED ? t->defer : 0)) {
		if (passive && !toe_tcp_early(t)) /* the application never saw it */
			t->flags |= TOE_TCB_CLOSED_BY_APP;
		return toe_fsm_give_up(t);
	}
	toe_fo_syn_due(t);
	return TOE_ACT_OUTPUT | TOE_ACT_C_RTO;
}

/* RFC 6298 5.4 to 5.7. */
static uint32_t data_timeout(struct toe_tcb *t, uint64_t now)
{
	toe_pmtu_timeout(t, now);
	toe_recovery_timeout(t, now);
	return TOE_ACT_OUTPUT | TOE_ACT_C_RTO;
}

static uint32_t persist_timeout(struct toe_tcb *t)
{
	t->flags |= TOE_TCB_PROBE;
	return TOE_ACT_OUTPUT | TOE_ACT_C_PROBE;
}

/* A user timeout stands in for the count (RFC 5482 3.1). */
static bool gives_up(struct toe_tcb *t, uint64_t now)
{
	if (toe_user_timeout(t, now))
		return true;
	return t->state >= TOE_TCP_ESTABLISHED && !t->user_timeout_ms &&
	       t->rexmits > TOE_MAX_REXMITS;
}

/*
 * The persist timer lets go what only we hold back: nothing waits for the peer, and no time of its.
 * What has not left by the next time the device has refused for an RTO.
 */
static bool lets_go(const struct toe_tcb *t)
{
	return t->flags & TOE_TCB_PERSIST && !(t->flags & TOE_TCB_PROBE) &&
	       t->snd_max == t->snd_una && t->snd_wnd;
}

static uint32_t rto_fired(struct toe_tcb *t, uint64_t now)
{
	if (t->flags & TOE_TCB_TLP)
		return toe_tlp_fired(t, now);
	if (lets_go(t)) {
		t->rto_at = now + toe_rto(t);
		return persist_timeout(t);
	}
	t->rexmits++;
	if (gives_up(t, now))
		return toe_fsm_give_up(t);
	if (toe_rto(t) < TOE_RTO_MAX_US)
		t->backoff++;
	/* Armed here and not when it is sent again: that may have to wait for a frame. */
	t->rto_at = toe_user_deadline(t, now + toe_rto(t));
	if (t->state < TOE_TCP_ESTABLISHED)
		return syn_timeout(t);
	if (!toe_stuck(t)) /* what counted as lost was on its way */
		t->flags &= ~(uint32_t)TOE_TCB_PERSIST;
	return t->flags & TOE_TCB_PERSIST ? persist_timeout(t) : data_timeout(t, now);
}

static bool due(uint64_t at, uint64_t now)
{
	return at && at <= now;
}

uint32_t toe_tcp_timer(struct toe_tcb *t, uint64_t now)
{
	uint32_t act = 0;

	if (due(t->ack_at, now)) {
		t->ack_at = 0;
		t->flags &= ~(uint32_t)TOE_TCB_ACK_DELAYED;
		act |= toe_ack_now(t);
	}
	if (due(t->pace_at, now)) {
		toe_pace_due(t, now);
		act |= TOE_ACT_OUTPUT;
	}
	if (due(t->life_at, now)) {
		t->life_at = t->mtu_at = t->rto_at = t->ack_at = t->keep_at = t->pace_at = 0;
		t->reo_at = 0;
		t->state = TOE_TCP_CLOSED;
		return t->flags & TOE_TCB_CLOSED_BY_APP ? TOE_ACT_FREE : 0;
	}
	if (due(t->reo_at, now))
		act |= toe_recovery_late(t, now);
	if (due(t->rto_at, now))
		act |= rto_fired(t, now);
	if (due(t->mtu_at, now))
		toe_pmtu_timer(t);
	if (due(t->keep_at, now))
		act |= toe_keep_timer(t, now);
	return act;
}
