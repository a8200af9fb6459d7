/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Birth and death of flows. toe_tcbs[id].word commits both: before it says LIVE everything else is
 * in place, and after it says FREE nothing refers to the id.
 *
 * Free ids are reused last in, first out, and an application prefers ids whose buffers it has
 * touched before. What lies above a watermark is given back to the system, the longest unused
 * first.
 */
#include "fpc.h"

#include "../lib/errno.h"
#include "../lib/flow_hash.h"
#include "isn.h"

enum {
	TRIM_ABOVE = 256, /* free ids per FPC whose buffers may stay in memory */
	TRIM_FLIGHT = 8, /* ids being given back at once */
	TRIM_RETRY_US = 10000,
};

static uint32_t used_head(const struct toe_fpc *f, unsigned app)
{
	return f->nflows + app;
}

static uint32_t fresh_head(const struct toe_fpc *f)
{
	return f->nflows + TOE_MAX_APPS;
}

void toe_ids_init(struct toe_fpc *f)
{
	for (uint32_t i = 0; i < f->nflows + TOE_MAX_APPS + 1; i++)
		toe_list_init(f->ids, i);
	f->nfree = f->nused = f->ntrim = 0;
}

static uint32_t pop(struct toe_fpc *f, uint32_t head)
{
	uint32_t i = f->ids[head].next;

	if (i == head)
		return TOE_FLOW_NONE;
	toe_list_remove(f->ids, i);
	if (head != fresh_head(f))
		f->nused--;
	return i + f->first;
}

/* An id for `app`, or TOE_FLOW_NONE: its own touched ones, then untouched ones, then others'. */
uint32_t toe_id_alloc(struct toe_fpc *f, unsigned app)
{
	uint32_t id = pop(f, used_head(f, app));

	if (id == TOE_FLOW_NONE)
		id = pop(f, fresh_head(f));
	for (unsigned a = 0; id == TOE_FLOW_NONE && a < TOE_MAX_APPS; a++)
		id = pop(f, used_head(f, a));
	f->nfree -= id != TOE_FLOW_NONE;
	return id;
}

void toe_id_free(struct toe_fpc *f, uint32_t flow, unsigned app)
{
	toe_soft(f, flow)->kind = TOE_SOFT_FREE;
	f->nfree++;
	if (app < TOE_MAX_APPS && toe_load(&f->ctrl->app_state[app]) != TOE_APP_FREE) {
		toe_list_push_front(f->ids, used_head(f, app), flow - f->first);
		f->nused++;
	} else {
		toe_list_push_front(f->ids, fresh_head(f), flow - f->first);
	}
}

/* The application's arena goes: nothing of it is in memory any more. */
void toe_ids_forget_app(struct toe_fpc *f, unsigned app)
{
	uint32_t id;

	while ((id = pop(f, used_head(f, app))) != TOE_FLOW_NONE)
		toe_list_push_back(f->ids, fresh_head(f), id - f->first);
}

static void set_life(struct toe_fpc *f, uint32_t flow, enum toe_flow_life life)
{
	struct toe_flow_ent *e = &f->ent[flow];

	toe_store_release(&e->word, toe_ent_word(life, (uint8_t)f->id, e->gen, 0));
}

/* Ask for the buffers of the id that was free longest. */
static bool trim_one(struct toe_fpc *f)
{
	for (unsigned app = 0; app < TOE_MAX_APPS; app++) {
		uint32_t i = f->ids[used_head(f, app)].prev;

		if (i >= f->nflows)
			continue;
		set_life(f, i + f->first, TOE_LIFE_TRIM);
		if (!toe_port_trim(f->port, f->id, app, i + f->first)) {
			set_life(f, i + f->first, TOE_LIFE_FREE);
			return false;
		}
		toe_list_remove(f->ids, i);
		f->soft[i].kind = TOE_SOFT_TRIM;
		f->nused--;
		f->ntrim++;
		return true;
	}
	return false;
}

unsigned toe_ids_trim(struct toe_fpc *f)
{
	unsigned n = 0;
	uint32_t id;

	while (f->ntrim + f->big_flight && n < TRIM_FLIGHT &&
	       toe_port_trimmed(f->port, f->id, &id)) {
		if (id >= TOE_MAX_FLOWS) {
			toe_big_trimmed(f, id);
			n++;
			continue;
		}
		if (!toe_owns(f, id) || toe_soft(f, id)->kind != TOE_SOFT_TRIM)
			continue;
		set_life(f, id, TOE_LIFE_FREE);
		toe_soft(f, id)->kind = TOE_SOFT_FREE;
		toe_list_push_back(f->ids, fresh_head(f), id - f->first);
		toe_count(f, TOE_CNT_trimmed_buffers);
		f->ntrim--;
		n++;
	}
	if (f->nused > TRIM_ABOVE && f->ntrim < TRIM_FLIGHT && f->now >= f->trim_at) {
		if (trim_one(f))
			n++;
		else
			f->trim_at = f->now + TRIM_RETRY_US;
	}
	return n;
}

void toe_endpoint_count(struct toe_fpc *f, uint16_t endpoint, int n)
{
	if (endpoint >= TOE_MAX_ENDPOINTS)
		return;
	f->endpoint_flows[endpoint] += (uint32_t)n;
	toe_store_release(&f->ctrl->endpoint[endpoint].flows[f->id], f->endpoint_flows[endpoint]);
}

struct toe_work *toe_flow_new(struct toe_fpc *f, unsigned app, const struct toe_tuple *tuple,
			      uint64_t hash, uint16_t endpoint)
{
	uint32_t flow = toe_index_room(f, hash) ? toe_id_alloc(f, app) : TOE_FLOW_NONE;
	struct toe_flow_ent *e;
	struct toe_work *w;

	if (flow == TOE_FLOW_NONE)
		return NULL;
	e = &f->ent[flow];
	e->tuple = *tuple;
	e->hash_hi = (uint32_t)(hash >> 32);
	e->hash_lo = (uint32_t)hash;
	e->app = (uint8_t)app;
	e->endpoint = endpoint;
	e->accepted = 0;
	e->accept_pos = 0;
	w = toe_fpc_open_new(f, flow, app);
	if (!w) {
		toe_id_free(f, flow, app);
		return NULL;
	}
	memset(w->t, 0, TOE_TCB_HEAD); /* of the lists nothing is used */
	w->t->endpoint = endpoint;
	w->t->app = (uint8_t)app;
	w->t->dev = tuple->dev;
	return w;
}

/*
 * Order: block, TCB, word, index. The batch commits the TCB again with what it sends; killed in
 * between, the flow is there and its timers send the SYN.
 */
void toe_flow_born(struct toe_fpc *f, struct toe_work *w)
{
	struct toe_flow_ent *e = w->e;
	struct toe_tcb_slot *s = &f->cache.slot[w->slot];
	uint16_t gen = (uint16_t)(e->gen + 1);
	uint64_t hash = (uint64_t)e->hash_hi << 32 | e->hash_lo;
	struct toe_soft *soft = toe_soft(f, w->flow);

	soft->kind = TOE_SOFT_LIVE;
	soft->pend = 0;
	soft->ctx = TOE_CTX_NONE;
	soft->half_open = soft->fast = 0;
	if (!toe_addr_is_v4(e->tuple.laddr))
		w->t->flow_label = toe_flow_label(f->ctrl->key, &e->tuple);
	toe_host_birth(f, w);
	toe_tcb_cold(w->t);
	toe_cache_commit(s);
	w->t = toe_cache_open(&f->cache, w->slot);
	toe_store_release(&e->word, toe_ent_word(TOE_LIFE_LIVE, (uint8_t)f->id, gen, w->slot));
	toe_store_release(&w->b->dev.gen, gen);
	toe_index_add(f, hash, gen, w->flow);
	toe_endpoint_count(f, e->endpoint, 1);
}

static void unindex(struct toe_fpc *f, uint32_t flow)
{
	const struct toe_flow_ent *e = &f->ent[flow];

	toe_index_remove(f, (uint64_t)e->hash_hi << 32 | e->hash_lo, flow);
}

static void unpend(struct toe_fpc *f, uint32_t flow)
{
	if (toe_soft(f, flow)->pend)
		toe_list_remove(f->retry, flow - f->first);
	toe_soft(f, flow)->pend = 0;
}

const struct toe_tcb *toe_flow_tcb(const struct toe_fpc *f, uint32_t flow)
{
	const struct toe_flow_ent *e = &f->ent[flow];

	return e->loc == TOE_LOC_SPILLED ? (const struct toe_tcb *)e->tcb
					 : toe_cache_committed(&f->cache.slot[e->loc]);
}

void toe_flow_free(struct toe_fpc *f, uint32_t flow)
{
	struct toe_flow_ent *e = &f->ent[flow];
	const struct toe_tcb *t = toe_flow_tcb(f, flow);
	uint8_t *arena = toe_port_arena(f->port, e->app);

	unindex(f, flow);
	unpend(f, flow);
	toe_accept_taken(f, flow);
	toe_fast_leave(f, flow);
	toe_wheel_set(&f->wheel, flow - f->first, 0);
	if (arena) {
		struct toe_flow_dev *d = &toe_arena_flow(arena, flow)->dev;

		toe_store_release(&d->flags, d->flags | TOE_FLOW_CLOSED);
	}
	toe_endpoint_count(f, e->endpoint, -1);
	if (e->loc != TOE_LOC_SPILLED)
		toe_cache_give(&f->cache, e->loc);
	set_life(f, flow, TOE_LIFE_FREE);
	toe_big_give(f, e->app, t);
	toe_id_free(f, flow, e->app);
}

/*
 * The peer's side is over: nothing arrives for this flow any more, but its block stays until the
 * application closes.
 */
static void detach(struct toe_fpc *f, uint32_t flow)
{
	struct toe_soft *soft = toe_soft(f, flow);

	unindex(f, flow);
	toe_fast_leave(f, flow);
	toe_wheel_set(&f->wheel, flow - f->first, 0);
	soft->kind = TOE_SOFT_DEAD;
	if (soft->pend & ~(TOE_PEND_NOTIFY | TOE_PEND_ACCEPT)) {
		unsigned keep = soft->pend & (TOE_PEND_NOTIFY | TOE_PEND_ACCEPT);

		unpend(f, flow);
		if (keep)
			toe_fpc_pend(f, flow, keep);
	}
}

void toe_flow_over(struct toe_fpc *f, struct toe_work *w)
{
	bool half_open =
	    !w->e->accepted && !w->e->accept_pos && !(toe_soft(f, w->flow)->pend & TOE_PEND_ACCEPT);

	toe_count(f, w->t->error ? TOE_CNT_flows_reset : TOE_CNT_flows_ended);
	if (w->t->error == ECONNRESET)
		toe_fast_reset(f, w->flow);
	if (w->act & TOE_ACT_TIME_WAIT)
		toe_sched_enter_time_wait(f, w);
	if (half_open || w->t->flags & TOE_TCB_CLOSED_BY_APP)
		toe_flow_free(f, w->flow);
	else
		detach(f, w->flow);
}

void toe_flow_abort(struct toe_fpc *f, uint32_t flow, int error, bool by_app)
{
	struct toe_work *w;

	if (toe_soft(f, flow)->kind == TOE_SOFT_DEAD) {
		if (by_app)
			toe_flow_free(f, flow);
		return;
	}
	w = toe_fpc_open(f, flow);
	if (!w) {
		toe_flow_free(f, flow);
		return;
	}
	w->act |= toe_tcp_abort(w->t, error, f->now) | TOE_ACT_OUTPUT | TOE_ACT_END_NOW;
	if (by_app)
		w->t->flags |= TOE_TCB_CLOSED_BY_APP;
}
