/* SPDX-License-Identifier: BSD-2-Clause */
#include "state.h"

#include "pacer.h"
#include "timer.h"

enum { PAGE = 4096 };

/* TIME_WAIT entries per flow id: the table costs memory only as far as it is used. */
enum { TW_PER_FLOW = 8, TW_MIN = 1024 };

static size_t part(size_t *off, size_t bytes)
{
	size_t at = *off;

	*off += (bytes + PAGE - 1) / PAGE * PAGE;
	return at;
}

static uint32_t pow2_at_least(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static void layout_one(unsigned nfpcs, unsigned tcb_cache, unsigned nflows, unsigned fpc,
		       size_t off, struct toe_state_map *m)
{
	m->first = (uint32_t)((uint64_t)fpc * nflows / nfpcs);
	m->nflows = (uint32_t)((uint64_t)(fpc + 1) * nflows / nfpcs) - m->first;
	m->ntw = m->nflows * TW_PER_FLOW < TW_MIN ? TW_MIN : m->nflows * TW_PER_FLOW;
	m->ntw_hash = pow2_at_least(m->ntw);

	m->listen = part(&off, sizeof(uint32_t) * TOE_MAX_APPS * TOE_MAX_LISTENERS);
	m->slots = part(&off, sizeof(struct toe_tcb_slot) * tcb_cache);
	m->lists = part(&off, sizeof(struct toe_slot_lists) * tcb_cache);
	m->tw = part(&off, sizeof(struct toe_tw_entry) * m->ntw);
	m->tw_high = part(&off, sizeof(uint32_t));
	m->cookie = part(&off, sizeof(uint64_t));
	m->pending = part(&off, sizeof(struct toe_backlog) * TOE_MAX_APPS * TOE_MAX_LISTENERS);
	m->soft = part(&off, sizeof(struct toe_soft) * m->nflows);
	m->due = part(&off, sizeof(uint64_t) * m->nflows);
	m->at = part(&off, sizeof(uint64_t) * m->nflows);
	m->wheel = part(&off, sizeof(struct toe_node) * (m->nflows + TOE_WHEEL_SLOTS));
	m->pacer = part(&off, sizeof(struct toe_node) * (m->nflows + TOE_PACER_SLOTS));
	m->ids = part(&off, sizeof(struct toe_node) * (m->nflows + TOE_MAX_APPS + 1));
	m->retry = part(&off, sizeof(struct toe_node) * (m->nflows + 2));
	m->tw_list = part(&off, sizeof(struct toe_node) * (m->ntw + 2));
	m->tw_chain = part(&off, sizeof(uint32_t) * m->ntw);
	m->tw_hash = part(&off, sizeof(uint32_t) * m->ntw_hash);
	m->slot_owner = part(&off, sizeof(uint32_t) * tcb_cache * 2);
	m->slot_work = part(&off, sizeof(uint16_t) * tcb_cache);
	m->slot_mark = part(&off, tcb_cache);
	m->end = off;
}

void toe_state_layout(unsigned nfpcs, unsigned tcb_cache, unsigned nflows, unsigned fpc,
		      struct toe_state_map *m)
{
	size_t off = PAGE;

	_Static_assert(sizeof(struct toe_state_hdr) <= PAGE, "header fits its page");
	for (unsigned i = 0; i <= fpc; i++) {
		layout_one(nfpcs, tcb_cache, nflows, i, off, m);
		off = m->end;
	}
}
