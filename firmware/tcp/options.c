/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options that TCP itself honours: those a connection is born with, and changes of a living
 * one. They come from an application: each is clamped to what TCP can bear.
 */
#include "opts.h"
#include "recv.h"

#include "../lib/errno.h"

enum {
	ECN_MASK = 3, /* of the IP header's TOS */
	SYN_REXMITS = 7, /* RFC 9293 3.8.3: for at least 3 minutes */
	KEEP_IDLE_S = 7200, /* RFC 9293 3.8.4: no less than two hours by default */
	KEEP_INTVL_S = 75,
	KEEP_CNT = 9,
	KEEP_MAX_S = 32767,
	CNT_MAX = 127, /* TCP_KEEPCNT, TCP_SYNCNT */
};

static void set_linger2(struct toe_tcb *t, int64_t ms)
{
	t->linger2_ms = ms < 0                    ? 0
			: ms == 0                 ? TOE_FIN_WAIT_2_MS
			: ms < TOE_LINGER2_MAX_MS ? (uint32_t)ms
						  : TOE_LINGER2_MAX_MS;
}

/*
 * A connection that lives sends no longer segments from now on, and never longer ones again. What was
 * too short to leave may be a whole segment now.
 */
static uint32_t set_maxseg(struct toe_tcb *t, uint64_t bytes)
{
	uint32_t most = (uint32_t)toe_min64(toe_max64(bytes, TOE_MSS_MIN), UINT16_MAX);

	if (!bytes)
		return 0;
	t->maxseg = (uint16_t)most;
	most -= t->flags & TOE_TCB_TS ? TOE_TS_OPT_LEN : 0;
	if (t->mss <= most) /* an MTU probe that waits for room is smaller now */
		return t->mtu_probe ? TOE_ACT_OUTPUT : 0;
	t->mss = (uint16_t)most;
	toe_buf_whole(t);
	return TOE_ACT_OUTPUT;
}

/* 0: none. Writers who were told of the windows are told on: also that there is no mark any more. */
static void set_lowat(struct toe_tcb *t, uint32_t bytes)
{
	t->notsent_lowat = bytes;
	t->opts |= bytes ? TOE_TCB_TX_TOLD : 0;
}

/* 0 is the default of each. */
static uint16_t seconds(uint64_t value, uint16_t none)
{
	return value ? (uint16_t)toe_min64(value, KEEP_MAX_S) : none;
}

static uint8_t count(uint64_t value, uint8_t none)
{
	return value ? (uint8_t)toe_min64(value, CNT_MAX) : none;
}

void toe_tcp_options(struct toe_tcb *t, const struct toe_sock_opts *o)
{
	t->flags |= o->flags & TOE_SO_NODELAY ? TOE_TCB_NODELAY : 0;
	if (o->cc && o->cc <= TOE_CC_COUNT)
		t->cc = (uint8_t)(o->cc - 1);
	t->opts |= o->flags & TOE_SO_KEEPALIVE ? TOE_TCB_KEEPALIVE : 0;
	t->opts |= o->flags & TOE_SO_STAMP_RX ? TOE_TCB_STAMP_RX : 0;
	t->keep_idle_s = seconds(o->keep_idle_s, KEEP_IDLE_S);
	t->keep_intvl_s = seconds(o->keep_intvl_s, KEEP_INTVL_S);
	t->keep_cnt = count(o->keep_cnt, KEEP_CNT);
	t->syn_max = count(o->syncnt, SYN_REXMITS);
	t->user_timeout_ms = o->user_timeout_ms;
	t->tos = o->tos & (uint8_t)~ECN_MASK;
	t->ttl = o->ttl;
	t->defer = count(o->defer_accept, 0);
	set_lowat(t, o->notsent_lowat);
	set_linger2(t, o->linger2_ms);
	set_maxseg(t, o->maxseg);
	if (o->pmtudisc)
		toe_pmtu_choose(t, o->pmtudisc - 1);
}

/* tcp(7): what waits by now goes, though corked; what is written from now on waits again. */
static uint32_t set_nodelay(struct toe_tcb *t, bool on)
{
	if (on)
		t->flags = (t->flags | TOE_TCB_NODELAY) & ~(uint32_t)TOE_TCB_MORE;
	else
		t->flags &= ~(uint32_t)TOE_TCB_NODELAY;
	return TOE_ACT_OUTPUT;
}

/* 0 also ends the quick ACKs with which a connection begins. */
static uint32_t set_quickack(struct toe_tcb *t, bool on)
{
	if (on)
		toe_recv_quick(t, t->rcv_nxt);
	else
		t->flags &= ~(uint32_t)(TOE_TCB_FRESH | TOE_TCB_QUICKACK);
	if (on && t->flags & TOE_TCB_ACK_DELAYED)
		t->flags |= TOE_TCB_ACK_NOW;
	return TOE_ACT_OUTPUT;
}

int64_t toe_tcp_option(struct toe_tcb *t, uint8_t option, uint64_t value, uint64_t now)
{
	switch (option) {
	case TOE_OPT_NODELAY:
		return set_nodelay(t, value);
	case TOE_OPT_QUICKACK:
		return set_quickack(t, value);
	case TOE_OPT_KEEPALIVE:
		return toe_keep_set(t, value, now);
	case TOE_OPT_KEEPIDLE:
		toe_keep_idle(t, seconds(value, KEEP_IDLE_S), now);
		return 0;
	case TOE_OPT_KEEPINTVL:
		t->keep_intvl_s = seconds(value, KEEP_INTVL_S);
		return 0;
	case TOE_OPT_KEEPCNT:
		t->keep_cnt = count(value, KEEP_CNT);
		return 0;
	case TOE_OPT_SYNCNT:
		t->syn_max = count(value, SYN_REXMITS);
		return 0;
	case TOE_OPT_USER_TIMEOUT:
		t->user_timeout_ms = (uint32_t)toe_min64(value, UINT32_MAX);
		return 0;
	case TOE_OPT_TOS:
		t->tos = (uint8_t)value & (uint8_t)~ECN_MASK;
		return 0;
	case TOE_OPT_TTL:
		t->ttl = (uint8_t)value;
		return 0;
	case TOE_OPT_PMTUDISC:
		if (value >= TOE_PMTUDISC_COUNT)
			return -EINVAL;
		toe_pmtu_choose(t, (enum toe_pmtudisc)value);
		return TOE_ACT_OUTPUT;
	case TOE_OPT_STAMP_RX:
		t->opts &= ~(uint32_t)TOE_TCB_STAMP_RX;
		t->opts |= value ? TOE_TCB_STAMP_RX : 0;
		return 0;
	case TOE_OPT_NOTSENT_LOWAT:
		set_lowat(t, (uint32_t)toe_min64(value, UINT32_MAX));
		return toe_tcp_space(t);
	case TOE_OPT_LINGER2:
		set_linger2(t, (int64_t)value);
		return 0;
	case TOE_OPT_RCVBUF:
		return toe_buf_set_rcv(t, value);
	case TOE_OPT_SNDBUF:
		return toe_buf_set_snd(t, value);
	case TOE_OPT_MAXSEG:
		return set_maxseg(t, value);
	case TOE_OPT_CC:
		if (value >= TOE_CC_COUNT)
			return -EINVAL;
		if (value == t->cc)
			return 0;
		toe_cc_switch(t, (uint8_t)value, now);
		return TOE_ACT_OUTPUT; /* the pace that held it is no more */
	default:
		return -ENOPROTOOPT;
	}
}
