/* SPDX-License-Identifier: BSD-2-Clause */
/* What others than the firmware ask of its state (toed, toectl): nothing here needs a port. */
#include "engine.h"

#include "../lib/atomics.h"
#include "state.h"
#include "tcb_cache.h"

size_t toe_engine_state_size(unsigned nfpcs, unsigned tcb_cache, unsigned nflows)
{
	struct toe_state_map m;

	toe_state_layout(nfpcs, tcb_cache, nflows, nfpcs - 1, &m);
	return m.end;
}

const struct toe_tcb *toe_engine_peek(const void *state, const struct toe_ctrl *c,
				      const struct toe_flow_ent *e)
{
	struct toe_state_map m;
	struct toe_flow_ent now = { .word = toe_load_acquire(&e->word) };

	if (now.life != TOE_LIFE_LIVE || now.fpc >= c->nfpcs)
		return NULL;
	if (now.loc == TOE_LOC_SPILLED)
		return (const struct toe_tcb *)e->tcb;
	if (now.loc >= c->tcb_cache)
		return NULL;
	toe_state_layout(c->nfpcs, c->tcb_cache, c->nflows, now.fpc, &m);
	return toe_cache_committed((const struct toe_tcb_slot *)((const uint8_t *)state + m.slots) +
				   now.loc);
}
