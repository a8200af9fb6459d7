/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RSTs for segments without a connection. Each is no longer than what it answers, but sources can
 * be forged, and so every address gets only so many. Addresses share an allowance by a keyed hash:
 * who watches his own learns nothing about another's.
 */
#include "../lib/flow_hash.h"
#include "../lib/siphash.h"
#include "fpc.h"

enum { RATE = 500 }; /* a second, and at once */

/* An IPv6 host has a whole /64. */
static struct toe_allowance *allowance_of(struct toe_fpc *f, const uint8_t addr[16])
{
	uint64_t w[2];

	memcpy(w, addr, 16);
	if (!toe_addr_is_v4(addr))
		w[1] = 0;
	return &f->allowance[toe_siphash(f->ctrl->key, w, 2) & (TOE_ALLOWANCES - 1)];
}

static bool allowed(struct toe_fpc *f, const uint8_t addr[16])
{
	struct toe_allowance *a = allowance_of(f, addr);
	uint32_t ms = (uint32_t)(f->now >> 10) + 1, more = (ms - a->at) / 2;

	_Static_assert(RATE == 1000 / 2, "one every two milliseconds");
	if (!a->at || more) {
		a->left = a->at && more < RATE - a->left ? a->left + more : RATE;
		a->at = ms;
	}
	if (!a->left)
		return false;
	a->left--;
	return true;
}

void toe_answer_reset(struct toe_fpc *f, const struct toe_rx *rx)
{
	struct toe_out o;

	if (!toe_tcp_rst_for(&rx->seg, &o))
		return;
	if (!allowed(f, rx->tuple.raddr)) {
		toe_count(f, TOE_CNT_answers_held_back);
		return;
	}
	toe_count(f, TOE_CNT_tx_rst);
	toe_gen_reply(f, rx, &o);
}
