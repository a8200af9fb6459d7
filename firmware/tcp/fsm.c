/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens, state transitions, closes and resets (RFC 9293 3.3.2, 3.10.1, 3.10.4, 3.10.5, 3.10.7.3).
 *
 *   open_active -> SYN_SENT ---SYN-ACK---> ESTABLISHED --shutdown--> FIN_WAIT_1 --ack--> FIN_WAIT_2
 *                     | SYN                 ^   | FIN                    | FIN             | FIN
 *                     v                     |   v                        v                 v
 *   open_passive -> SYN_RECEIVED ----ACK----+  CLOSE_WAIT             CLOSING --ack--> TIME_WAIT
 *                                               | shutdown
 *                                               v
 *                                              LAST_ACK --ack--> CLOSED
 */
#include "recv.h"
#include "rto.h"
#include "sendmap.h"

#include "../lib/errno.h"
#include "../lib/mem.h"

enum { SYN_ACK_REXMITS = 5 }; /* a minute: half-open flows are what a flood leaves */

/* Nothing of the connection is left but what the application may still read. */
static uint32_t end(struct toe_tcb *t)
{
	t->state = TOE_TCP_CLOSED;
	t->rto_at = t->ack_at = t->life_at = t->keep_at = t->pace_at = t->mtu_at = t->reo_at = 0;
	return t->flags & TOE_TCB_CLOSED_BY_APP ? TOE_ACT_FREE : 0;
}

/* The connection ends with an error. */
uint32_t toe_fsm_fail(struct toe_tcb *t, int error)
{
	end(t);
	t->error = (uint8_t)error;
	return TOE_ACT_FREE | (t->flags & TOE_TCB_CLOSED_BY_APP ? 0 : TOE_ACT_ERROR);
}

/* Nobody answers: that it timed out, or what routers had to say about it (RFC 1122 4.2.3.9). */
uint32_t toe_fsm_give_up(struct toe_tcb *t)
{
	return toe_fsm_fail(t, t->soft_error ? t->soft_error : ETIMEDOUT);
}

/* A RST leaves with the next output, and that is the end. */
static uint32_t reset_peer(struct toe_tcb *t)
{
	end(t);
	t->flags |= TOE_TCB_RST_OUT;
	return TOE_ACT_OUTPUT;
}

static uint32_t enter_time_wait(struct toe_tcb *t, uint64_t now)
{
	t->state = TOE_TCP_TIME_WAIT;
	t->rto_at = t->keep_at = t->pace_at = t->mtu_at = t->reo_at = 0;
	t->life_at = now + 2000ull * TOE_MSL_MS;
	return t->flags & TOE_TCB_CLOSED_BY_APP ? TOE_ACT_TIME_WAIT : 0;
}

/* FIN_WAIT_2 ends by itself only when nobody holds the connection any more. */
static void linger2(struct toe_tcb *t, uint64_t now)
{
	if (t->state == TOE_TCP_FIN_WAIT_2 && t->flags & TOE_TCB_CLOSED_BY_APP)
		t->life_at = now + 1000ull * t->linger2_ms;
}

/*
 * The smallest shift with which the whole buffer can be advertised: coarse windows shrink by
 * rounding.
 */
static uint8_t choose_wscale(uint32_t window)
{
	uint8_t shift = 0;

	while (shift < TOE_WSCALE_MAX && window >> shift > 65535)
		shift++;
	return shift;
}

static void init(struct toe_tcb *t, const struct toe_open *o)
{
	memset(t, 0, TOE_TCB_HEAD);
	t->snd_una = t->snd_nxt = t->snd_max = (1ull << 32) + o->isn;
	t->recover = t->snd_una;
	t->flags = o->no_ts ? 0 : TOE_TCB_TS;
	t->snd_small = (uint32_t)t->snd_una;
	t->snd_first = t->snd_end = t->snd_una + 1;
	t->ts_offset = o->ts_offset;
	t->mtu_link = o->mtu;
	t->mtu = o->path_mtu ? o->path_mtu : o->mtu;
	t->ip_hdr = o->ip_hdr;
	t->cc = o->cc < TOE_CC_COUNT ? o->cc : TOE_CC_NEWRENO;
	t->rto_us = TOE_RTO_INIT_US;
	t->min_rtt_us = t->min_rtt_next_us = UINT32_MAX;
	toe_tcp_options(t, &o->opts);
	toe_buf_open(t, o);
	t->rcv_wscale = choose_wscale(toe_buf_window_max(t));
}

/*
 * The MSS to offer. It bounds what comes, of which a router on the way from here says nothing for certain
 * (RFC 8201 5.4). But what narrows a path is mostly a tunnel, in both directions, and its other end may
 * not be heard by the peer.
 */
uint32_t toe_own_mss(const struct toe_tcb *t)
{
	uint32_t path = t->mtu - t->ip_hdr - 20u;

	return t->maxseg ? toe_min32(path, t->maxseg) : path;
}

/*
 * Take over what the peer's SYN says: its number, its options (RFC 9293 3.7.1, RFC 7323 2.2 and
 * 3.2).
 */
static void learn_syn(struct toe_tcb *t, const struct toe_seg *syn, uint64_t now)
{
	uint32_t mss = t->ip_hdr == 20 ? TOE_MSS_V4 : TOE_MSS_V6;

	if (syn->opts & TOE_SEG_MSS)
		mss = toe_max32(syn->mss, TOE_MSS_MIN);
	t->mss_peer = (uint16_t)mss;
	if (!(syn->opts & TOE_SEG_TS))
		t->flags &= ~(uint32_t)TOE_TCB_TS;
	if (t->flags & TOE_TCB_TS) {
		t->ts_recent = syn->tsval;
		t->ts_recent_age_s = toe_age_s(now);
	}
	toe_pmtu_begin(t, now);
	if (syn->opts & TOE_SEG_WSCALE) {
		t->flags |= TOE_TCB_WSCALE;
		t->snd_wscale = (uint8_t)toe_min32(syn->wscale, TOE_WSCALE_MAX);
	} else {
		t->rcv_wscale = 0;
		t->rcv_want = toe_min32(t->rcv_want, toe_max32(t->rcv_size, UINT16_MAX));
	}
	if (syn->opts & TOE_SEG_SACK_OK)
		t->flags |= TOE_TCB_SACK;
	t->rcv_first = t->rcv_nxt = t->rcv_read = (1ull << 32) + syn->seq + 1;
	t->rcv_adv = t->rcv_first + toe_min32(t->rcv_size, 65535);
	t->last_ack_sent = t->rtt_mark = (uint32_t)t->rcv_nxt;
	t->snd_wnd = t->max_snd_wnd = syn->wnd; /* never scaled in a SYN */
	t->snd_wl1 = syn->seq;
	t->snd_wl2 = (uint32_t)t->snd_una;
}

uint32_t toe_tcp_open_passive(struct toe_tcb *t, const struct toe_open *o,
			      const struct toe_seg *syn, uint64_t now)
{
	init(t, o);
	learn_syn(t, syn, now);
	toe_ecn_passive(t, syn, o->ecn);
	t->segs_in = 1;
	t->flags |= TOE_TCB_PASSIVE;
	t->syn_max = o->opts.syncnt ? t->syn_max : SYN_ACK_REXMITS;
	t->state = TOE_TCP_SYN_RECEIVED;
	return TOE_ACT_OUTPUT | toe_fo_passive(t, o, syn, now);
}

uint32_t toe_tcp_open_answered(struct toe_tcb *t, const struct toe_open *o,
			       const struct toe_seg *syn, uint64_t now)
{
	struct toe_out sent;

	toe_tcp_open_passive(t, o, syn, now);
	toe_tcp_output(t, now, &sent);
	toe_sent_first(t)->flags |= TOE_SENT_VAGUE; /* nobody knows when it was sent */
	return 0;
}

uint32_t toe_tcp_open_active(struct toe_tcb *t, const struct toe_open *o, uint64_t now)
{
	init(t, o);
	t->mss = (uint16_t)toe_own_mss(t);
	if (o->ecn == TOE_ECN_ON || toe_cc(t)->wants_ecn)
		t->flags |= TOE_TCB_ECN;
	t->state = TOE_TCP_SYN_SENT;
	toe_fo_active(t, o);
	return TOE_ACT_OUTPUT;
}

/*
 * TCP_DEFER_ACCEPT: a handshake's last ACK without data is taken note of, and no more: data or the
 * end of the time, by then with another SYN-ACK, makes the connection.
 */
bool toe_defers(struct toe_tcb *t, const struct toe_seg *seg)
{
	if (!(t->flags & TOE_TCB_PASSIVE) || seg->len || seg->flags & TOE_FIN ||
	    t->rexmits >= t->defer || toe_tcp_early(t))
		return false;
	t->opts |= TOE_TCB_DEFERRED;
	/* The ACK that will count is no end of a round trip. */
	toe_sent_first(t)->flags |= TOE_SENT_VAGUE;
	return true;
}

/* Our SYN is acknowledged; the ACK itself is still to be processed. FIN may be waiting already. */
uint32_t toe_fsm_established(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now)
{
	uint8_t shift = seg->flags & TOE_SYN ? 0 : t->snd_wscale;
	/* While data is waited for (TCP_DEFER_ACCEPT) the timer fires, but nothing is sent again. */
	bool syn_lost = t->rexmits && toe_sent_first(t)->times > 1;

	toe_cc(t)->init(t, syn_lost, now);
	if (syn_lost) {
		t->rto_us = TOE_RTO_SYN_LOST_US;
		if (!(t->flags & TOE_TCB_TS)) /* with them, this ACK is yet to be measured */
			t->backoff = 0;
	} else {
		t->backoff = 0;
	}
	t->snd_wnd = t->max_snd_wnd = (uint32_t)seg->wnd << shift;
	t->snd_wl1 = seg->seq;
	t->snd_wl2 = seg->ack;
	if (t->rcv_nxt == t->rcv_first)
		t->flags |= TOE_TCB_FRESH;
	else if (t->snd_max <= t->snd_first) /* the SYN's data is not answered yet (RFC 7413) */
		toe_recv_quick(t, t->rcv_first);
	toe_keep_begin(t, now);
	if (!t->data_at)
		t->data_at = toe_data_age(now);
	t->state = t->flags & TOE_TCB_FIN_QUEUED ? TOE_TCP_FIN_WAIT_1 : TOE_TCP_ESTABLISHED;
	return TOE_ACT_ESTABLISHED | TOE_ACT_OUTPUT | toe_buf_wants(t);
}

/* RFC 7323 3.2: a SYN-ACK echoes the timestamp of one of our SYNs, if it echoes any. */
static bool echoes(const struct toe_tcb *t, const struct toe_seg *seg, uint64_t now)
{
	uint32_t first = toe_ts_now(t, t->first_sent_at);

	return !(t->flags & TOE_TCB_TS) || !(seg->opts & TOE_SEG_TS) || !seg->tsecr ||
	       seg->tsecr - first <= toe_ts_now(t, now) - first;
}

/* RFC 9293 3.10.7.3, but for data and FIN. */
uint32_t toe_fsm_syn_sent(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now)
{
	uint64_t ack = toe_seq_expand(t->snd_una, seg->ack);
	bool acks = seg->flags & TOE_ACK;
	uint32_t act;

	if (acks && (ack <= t->snd_una || ack > t->snd_max || !echoes(t, seg, now)))
		return seg->flags & TOE_RST ? TOE_ACT_C_UNACCEPTABLE : TOE_ACT_RST;
	if (seg->flags & TOE_RST)
		return acks ? toe_fsm_fail(t, ECONNREFUSED) : TOE_ACT_C_UNACCEPTABLE;
	if (!(seg->flags & TOE_SYN))
		return TOE_ACT_C_UNACCEPTABLE;
	learn_syn(t, seg, now);
	if (!(acks ? toe_ecn_syn_ack(seg) : toe_ecn_syn(seg)))
		t->flags &= ~(uint32_t)TOE_TCB_ECN;
	if (acks) {
		act = toe_fsm_established(t, seg, now);
		t->ecn_recover = ack; /* the SYN-ACK's ECE is no echo */
		act |= toe_ack_advance(t, seg, ack, now) | toe_ack_now(t);
		t->opts |= ack > t->snd_first ? TOE_TCB_SYN_DATA : 0;
		/* More than the SYN had room for waits: an answer that takes the ACK along (RFC 7413). */
		if (t->snd_una == t->snd_max && toe_send_pending(t))
			t->flags &= ~(uint32_t)TOE_TCB_FRESH;
		return act | toe_fo_established(t);
	}
	/* Both ends opened: our SYN goes again, with an ACK. */
	t->state = TOE_TCP_SYN_RECEIVED;
	toe_fo_release(t);
	toe_fo_syn_due(t);
	return TOE_ACT_OUTPUT;
}

uint32_t toe_fsm_fin_acked(struct toe_tcb *t, uint64_t now)
{
	t->flags |= TOE_TCB_FIN_ACKED;
	switch (t->state) {
	case TOE_TCP_FIN_WAIT_1:
		t->state = TOE_TCP_FIN_WAIT_2;
		linger2(t, now);
		return 0;
	case TOE_TCP_CLOSING:
		return enter_time_wait(t, now);
	case TOE_TCP_LAST_ACK:
		return end(t);
	default:
		return 0;
	}
}

/* Every byte up to the peer's FIN is here, and rcv_nxt is past it. */
uint32_t toe_fsm_fin_received(struct toe_tcb *t, uint64_t now)
{
	uint32_t act = TOE_ACT_PEER_FIN | toe_ack_now(t);

	t->flags = (t->flags | TOE_TCB_FIN_RCVD) & ~(uint32_t)TOE_TCB_FIN_OOO;
	switch (t->state) {
	case TOE_TCP_ESTABLISHED:
		t->state = TOE_TCP_CLOSE_WAIT;
		return act;
	case TOE_TCP_FIN_WAIT_1:
		t->state = TOE_TCP_CLOSING;
		return act;
	case TOE_TCP_FIN_WAIT_2:
		return act | enter_time_wait(t, now);
	default:
		return act;
	}
}

/* A RST with the right number. */
uint32_t toe_fsm_reset(struct toe_tcb *t)
{
	switch (t->state) {
	case TOE_TCP_SYN_RECEIVED:
		if (!(t->flags & TOE_TCB_PASSIVE))
			return toe_fsm_fail(t, ECONNREFUSED);
		if (toe_tcp_early(t))
			return toe_fsm_fail(t, ECONNRESET);
		end(t); /* back to LISTEN: the application never saw it */
		return TOE_ACT_FREE;
	case TOE_TCP_CLOSING:
	case TOE_TCP_LAST_ACK:
		/* All was said but the last ACK. */
		return t->snd_una < t->snd_end ? toe_fsm_fail(t, ECONNRESET) : end(t);
	case TOE_TCP_CLOSE_WAIT:
		return toe_fsm_fail(t, EPIPE); /* as Linux: only a writer has lost anything */
	default:
		return toe_fsm_fail(t, ECONNRESET);
	}
}

uint32_t toe_tcp_shutdown(struct toe_tcb *t, uint64_t now)
{
	switch (t->state) {
	case TOE_TCP_ESTABLISHED:
		t->state = TOE_TCP_FIN_WAIT_1;
		break;
	case TOE_TCP_CLOSE_WAIT:
		t->state = TOE_TCP_LAST_ACK;
		break;
	case TOE_TCP_SYN_SENT:
	case TOE_TCP_SYN_RECEIVED: /* the state follows when the handshake is done */
		break;
	default:
		return 0;
	}
	t->flags |= TOE_TCB_FIN_QUEUED;
	toe_fo_release(t);
	return TOE_ACT_OUTPUT;
}

uint32_t toe_tcp_close(struct toe_tcb *t, uint64_t now)
{
	t->flags |= TOE_TCB_CLOSED_BY_APP;
	switch (t->state) {
	case TOE_TCP_CLOSED:
		return t->flags & TOE_TCB_RST_OUT ? TOE_ACT_OUTPUT : TOE_ACT_FREE;
	case TOE_TCP_SYN_SENT:
		if (!toe_tcp_eager(t) || t->snd_end == t->snd_first)
			return end(t);
		break; /* what was written goes to the peer first */
	case TOE_TCP_TIME_WAIT:
		return TOE_ACT_TIME_WAIT;
	default:
		break;
	}
	/* RFC 2525 2.17: the peer must learn that data it sent was not read. */
	if (t->rcv_read < t->rcv_first + toe_tcp_rx_end(t))
		return reset_peer(t);
	linger2(t, now);
	return toe_tcp_shutdown(t, now);
}

uint32_t toe_tcp_abort(struct toe_tcb *t, int error, uint64_t now)
{
	uint32_t act = error ? TOE_ACT_ERROR : 0;

	t->error = (uint8_t)error;
	switch (t->state) {
	case TOE_TCP_CLOSED:
		return act | (t->flags & TOE_TCB_RST_OUT ? TOE_ACT_OUTPUT : TOE_ACT_FREE);
	case TOE_TCP_TIME_WAIT:
		return act | TOE_ACT_TIME_WAIT;
	case TOE_TCP_SYN_SENT:
	case TOE_TCP_CLOSING:
	case TOE_TCP_LAST_ACK:
		end(t);
		return act | TOE_ACT_FREE;
	default:
		return act | reset_peer(t);
	}
}

bool toe_tcp_rst_for(const struct toe_seg *seg, struct toe_out *o)
{
	if (seg->flags & TOE_RST)
		return false;
	memset(o, 0, sizeof(*o));
	if (seg->flags & TOE_ACK) {
		o->seq = seg->ack;
		o->flags = TOE_RST;
		return true;
	}
	o->ack = seg->seq + seg->len + !!(seg->flags & TOE_SYN) + !!(seg->flags & TOE_FIN);
	o->flags = TOE_RST | TOE_ACK;
	return true;
}
