/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options that TCP itself honours: those a connection is born with, and changes of a living
 * one. They come from an application: each is clamped to what TCP can bear.
 */
#include "rooms.h"

#include "../lib/errno.h"

static void set_flag(struct toe_tcb *t, uint32_t flag, bool on)
{
	t->flags = on ? t->flags | flag : t->flags & ~flag;
}

static void set_linger2(struct toe_tcb *t, int64_t ms)
{
	t->linger2_ms = ms < 0                    ? 0
			: ms == 0                 ? TOE_FIN_WAIT_2_MS
			: ms < TOE_LINGER2_MAX_MS ? (uint32_t)ms
						  : TOE_LINGER2_MAX_MS;
}

/* A connection that lives sends no longer segments from now on, and never longer ones again. */
static void set_maxseg(struct toe_tcb *t, uint64_t bytes)
{
	uint32_t most = (uint32_t)toe_min64(toe_max64(bytes, TOE_MSS_MIN), UINT16_MAX);

	if (!bytes)
		return;
	t->maxseg = (uint16_t)most;
	most -= t->flags & TOE_TCB_TS ? TOE_TS_OPT_LEN : 0;
	if (t->mss > most)
		t->mss = (uint16_t)most;
}

void toe_tcp_options(struct toe_tcb *t, const struct toe_sock_opts *o)
{
	set_flag(t, TOE_TCB_NODELAY, o->flags & TOE_SO_NODELAY);
	if (o->cc && o->cc <= TOE_CC_COUNT)
		t->cc = (uint8_t)(o->cc - 1);
	set_linger2(t, o->linger2_ms);
	set_maxseg(t, o->maxseg);
}

static uint32_t set_cork(struct toe_tcb *t, bool on)
{
	set_flag(t, TOE_TCB_CORK, on);
	if (!on)
		t->flags &= ~(uint32_t)TOE_TCB_MORE;
	return TOE_ACT_OUTPUT;
}

static uint32_t set_quickack(struct toe_tcb *t, bool on)
{
	set_flag(t, TOE_TCB_QUICKACK, on);
	if (on && t->flags & TOE_TCB_ACK_DELAYED)
		t->flags |= TOE_TCB_ACK_NOW;
	return TOE_ACT_OUTPUT;
}

int64_t toe_tcp_option(struct toe_tcb *t, uint8_t option, uint64_t value, uint64_t now)
{
	switch (option) {
	case TOE_OPT_NODELAY:
		set_flag(t, TOE_TCB_NODELAY, value);
		return TOE_ACT_OUTPUT;
	case TOE_OPT_CORK:
		return set_cork(t, value);
	case TOE_OPT_QUICKACK:
		return set_quickack(t, value);
	case TOE_OPT_LINGER2:
		set_linger2(t, (int64_t)value);
		return 0;
	case TOE_OPT_MAXSEG:
		set_maxseg(t, value);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}
