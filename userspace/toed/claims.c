/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections that nobody holds. Accepting takes two steps: the entry of the accept queue is
 * claimed, then the process enters itself in the connection's holders. One that dies in between
 * leaves a connection that is neither queued nor held.
 *
 * A process that lives may be between the two steps as well. So what looks lost when a process has
 * died is only suspect, and is reset if it is still the same after SETTLE_MS.
 */
#include "toed.h"

enum { SETTLE_MS = 1000 };

/* The generation that is suspect, + 1. A flow belongs to one application only. */
static uint32_t suspect[TOE_MAX_FLOWS];

/* As toe_accept_claimed of the firmware, seen from here. */
static bool is_claimed(struct app *a, const struct toe_endpoint *ep, unsigned fpc, uint32_t at)
{
	const struct toe_listener *l = toe_arena_listener(a->arena, ep->listener);

	return (int32_t)(toe_load(&l->fpc[fpc].db.tail) - at) > 0 ||
	       !toe_load(&l->fpc[fpc].entry[at & (TOE_ACCEPT_RING - 1)]);
}

static bool is_lost(struct toed *t, unsigned app, uint32_t id, struct toe_flow_ent *e)
{
	const struct toe_flow_ent *f = &t->tcbs[id];
	uint32_t accept_pos;

	e->word = toe_load_acquire(&f->word);
	if (e->life != TOE_LIFE_LIVE || f->app != app || f->endpoint >= TOE_MAX_ENDPOINTS ||
	    e->fpc >= t->nfpcs)
		return false;
	accept_pos = toe_load_acquire(&f->accept_pos);
	return accept_pos && !toe_load(&f->accepted) &&
	       !toe_load(&toe_arena_flow(t->app[app].arena, id)->app.holders) &&
	       is_claimed(&t->app[app], &t->ctrl->endpoint[f->endpoint], e->fpc, accept_pos - 1);
}

void claims_look(struct toed *t, unsigned app)
{
	struct app *a = &t->app[app];
	struct toe_flow_ent e;

	if (a->claims_at) {
		a->claims_again = true;
		return;
	}
	for (uint32_t id = 0; id < t->ctrl->nflows; id++) {
		if (!is_lost(t, app, id, &e))
			continue;
		suspect[id] = e.gen + 1u;
		a->claims_at = loop_now() + SETTLE_MS;
	}
}

unsigned claims_reap(struct toed *t, unsigned app)
{
	struct app *a = &t->app[app];
	struct toe_flow_ent e;

	if (!a->claims_at)
		return 0;
	if (loop_now() < a->claims_at)
		return (unsigned)(a->claims_at - loop_now()) + 1;
	for (uint32_t id = 0; id < t->ctrl->nflows; id++) {
		if (!suspect[id] || t->tcbs[id].app != app)
			continue;
		if (is_lost(t, app, id, &e) && suspect[id] == e.gen + 1u)
			admin_send(t, e.fpc, TOE_ADM_ABORT, id, e.gen, 0);
		suspect[id] = 0;
	}
	a->claims_at = 0;
	if (a->claims_again) {
		a->claims_again = false;
		claims_look(t, app);
	}
	return a->claims_at ? SETTLE_MS : 0;
}
