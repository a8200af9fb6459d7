/* SPDX-License-Identifier: BSD-2-Clause */
/* The congestion controls there are, and what they share. */
#include "rooms.h"

#define TOE_CC(id, object, name) extern const struct toe_cc toe_cc_##object;
#include "../abi/cc.def"
#undef TOE_CC

const struct toe_cc *const toe_cc_table[TOE_CC_COUNT] = {
#define TOE_CC(id, object, name) [TOE_CC_##id] = &toe_cc_##object,
#include "../abi/cc.def"
#undef TOE_CC
};

uint32_t toe_cc_initial_window(const struct toe_tcb *t)
{
	return toe_min32(10u * t->mss, toe_max32(2u * t->mss, 14600));
}

uint32_t toe_cc_lose(struct toe_tcb *t, uint64_t now)
{
	uint32_t before = t->cwnd / t->mss, to = toe_cc(t)->loss(t, now);

	if (toe_cc(t)->own_recovery)
		return to;
	to = (to + t->mss - 1) / t->mss;
	return toe_max32(toe_min32(to, toe_max32(before, 1) - 1), 2) * t->mss;
}

void toe_cc_switch(struct toe_tcb *t, uint8_t cc, uint64_t now)
{
	uint32_t cwnd = t->cwnd, ssthresh = t->ssthresh;
	bool own_recovery = toe_cc(t)->own_recovery;

	t->cc = cc;
	toe_pace_set(t, 0);
	if (t->state < TOE_TCP_ESTABLISHED)
		return; /* begun when the handshake is done */
	toe_cc(t)->init(t, false, now);
	t->cwnd = cwnd;
	t->ssthresh = ssthresh;
	/* A recovery goes on: who had one of its own leaves nothing that cwnd could come down to. */
	if (own_recovery && !toe_cc(t)->own_recovery && t->flags & TOE_TCB_RECOVERY) {
		t->ssthresh = toe_cc_lose(t, now);
		toe_prr_begin(t);
	}
}
