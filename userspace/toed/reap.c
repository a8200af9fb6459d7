/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How processes and applications end.
 *
 * A process whose connection closed is first drained: commands that it had queued are still taken,
 * so that what it sent and closed in order reaches the peer. Then it is taken out of every holders
 * set; connections and listeners that nobody holds any more are reset, and connections that it had
 * taken from an accept queue without entering itself (claims.c). An application without processes
 * lingers while closes are under way, then its remains are reset and its arena goes.
 */
#include "core/engine.h"
#include "core/tcb.h"
#include "toed.h"

enum {
	POLL_MS = 5,
	SLOW_POLL_MS = 100, /* for what lasts: each look at an application reads the flow table */
	DRAIN_MS = 1000, /* for the FPCs to take a dead process' commands */
	FORK_MS = 5000, /* for an announced child to attach */
	LINGER_MS = 60000 /* for orderly closes after the last process */
};

static struct toe_arena_hdr *header(struct app *a)
{
	return a->arena;
}

void app_proc_gone(struct toed *t, unsigned app, unsigned proc)
{
	t->app[app].proc[proc].state = PROC_DRAINING;
	t->app[app].proc[proc].until = loop_now() + DRAIN_MS;
	fpc_wake_all(t);
	loop_after(&t->loop, TIMER_REAP, 1);
}

static bool drained(struct toed *t, struct app *a, unsigned proc)
{
	if (a->life == APP_STARTING)
		return true;
	for (unsigned c = 0; c < TOE_MAX_CTXS; c++) {
		struct toe_ctx *x = toe_arena_ctx(a->arena, c);

		if (!a->ctx[c].used || a->ctx[c].proc != proc)
			continue;
		for (unsigned f = 0; f < t->nfpcs; f++)
			if (toe_load(&x->fpc[f].sw.db.tail) != toe_load(&x->fpc[f].sw.db.head))
				return false;
	}
	return true;
}

/* True when `proc` was the last in the set. */
static bool leave(uint64_t *holders, unsigned proc)
{
	uint64_t bit = 1ull << proc;
	uint64_t was = __atomic_fetch_and(holders, ~bit, __ATOMIC_SEQ_CST);

	return was == bit;
}

/*
 * An active open that no descriptor stands for yet, because the process did not read the answer. It
 * is not one that was closed in order.
 */
static bool never_held(struct toed *t, uint32_t id, unsigned app, unsigned proc)
{
	const struct toe_flow_ent *e = &t->tcbs[id];
	const struct toe_tcb *tcb;

	if (e->endpoint != 0xffff || !grant_was_for(e, app, proc) ||
	    toe_load(&toe_arena_flow(t->app[app].arena, id)->app.holders))
		return false;
	tcb = toe_engine_peek(t->state, t->ctrl, e);
	return tcb && !(tcb->flags & TOE_TCB_CLOSED_BY_APP);
}

static void leave_flows(struct toed *t, unsigned app, unsigned proc)
{
	struct app *a = &t->app[app];

	for (uint32_t id = 0; id < t->ctrl->nflows; id++) {
		struct toe_flow_ent e = { .word = toe_load_acquire(&t->tcbs[id].word) };
		struct toe_flow_block *b;

		if (e.life != TOE_LIFE_LIVE || t->tcbs[id].app != app)
			continue;
		b = toe_arena_flow(a->arena, id);
		if (leave(&b->app.holders, proc) || never_held(t, id, app, proc))
			admin_send(t, e.fpc, TOE_ADM_ABORT, id, e.gen, 0);
	}
}

/*
 * Slots that were announced for a child that has not attached. Whoever announced one attaches it at
 * once, unless it is the process that has just died.
 */
static uint64_t announced(struct app *a)
{
	uint64_t set = toe_load(&header(a)->procs);

	for (unsigned i = 0; i < TOE_MAX_PROCS; i++)
		if (a->proc[i].state != PROC_NONE)
			set &= ~(1ull << i);
	return set;
}

/* True while there is something to wait for. */
static bool reap_unborn(struct app *a)
{
	a->unborn &= announced(a);
	if (a->unborn && loop_now() >= a->unborn_until) {
		__atomic_fetch_and(&header(a)->procs, ~a->unborn, __ATOMIC_SEQ_CST);
		a->unborn = 0;
	}
	return a->unborn;
}

static void finish_proc(struct toed *t, unsigned app, unsigned proc)
{
	struct app *a = &t->app[app];

	leave_flows(t, app, proc);
	for (unsigned i = 0; i < TOE_MAX_LISTENERS; i++)
		if (a->listener[i].used && !a->listener[i].leaving &&
		    leave(&toe_arena_listener(a->arena, i)->holders, proc))
			listener_close(t, app, i);
	for (unsigned c = 0; c < TOE_MAX_CTXS; c++)
		if (a->ctx[c].used && a->ctx[c].proc == proc)
			ctx_free(t, app, proc, c);
	__atomic_fetch_and(&header(a)->procs, ~(1ull << proc), __ATOMIC_SEQ_CST);
	a->proc[proc].state = PROC_NONE;
	a->unborn = announced(a);
	a->unborn_until = loop_now() + FORK_MS;
	claims_look(t, app);
	admin_flush(t);
}

static bool has_proc(const struct app *a, bool draining)
{
	for (unsigned i = 0; i < TOE_MAX_PROCS; i++)
		if (a->proc[i].state == PROC_ATTACHED ||
		    (draining && a->proc[i].state == PROC_DRAINING))
			return true;
	return false;
}

static bool has_flow(struct toed *t, unsigned app)
{
	for (uint32_t id = 0; id < t->ctrl->nflows; id++) {
		struct toe_flow_ent e = { .word = toe_load_acquire(&t->tcbs[id].word) };

		if (e.life == TOE_LIFE_LIVE && t->tcbs[id].app == app)
			return true;
	}
	return false;
}

static bool all_gone(struct toed *t, unsigned app)
{
	for (unsigned f = 0; f < t->nfpcs; f++)
		if (!toe_load_acquire(&t->ctrl->app_gone[app][f]))
			return false;
	return true;
}

static void begin_linger(struct toed *t, unsigned app)
{
	struct app *a = &t->app[app];

	for (unsigned i = 0; i < TOE_MAX_LISTENERS; i++)
		if (a->listener[i].used && !a->listener[i].leaving)
			listener_close(t, app, i);
	grants_app_gone(t, app);
	a->life = APP_LINGERING;
	a->until = loop_now() + LINGER_MS;
}

static void begin_reset(struct toed *t, unsigned app)
{
	t->app[app].life = APP_RESETTING;
	toe_store_release(&t->ctrl->app_state[app], TOE_APP_GOING);
	admin_send_all(t, TOE_ADM_APP_GONE, app, 0);
}

/* One step of an application's end. Milliseconds until the next, 0 = nothing to wait for. */
static unsigned step(struct toed *t, unsigned app)
{
	struct app *a = &t->app[app];
	uint64_t now = loop_now();

	switch (a->life) {
	case APP_STARTING:
	case APP_RUNNING:
		if (has_proc(a, true))
			return 0;
		a->life = APP_ORPHANED;
		a->until = toe_load(&header(a)->procs) ? now + FORK_MS : now;
		return POLL_MS;
	case APP_ORPHANED:
		if (now >= a->until)
			begin_linger(t, app);
		return POLL_MS;
	case APP_LINGERING:
		if (now >= a->until || !has_flow(t, app))
			begin_reset(t, app);
		return now + LINGER_MS < a->until + SLOW_POLL_MS ? POLL_MS : SLOW_POLL_MS;
	case APP_RESETTING:
		if (all_gone(t, app)) {
			a->life = APP_LEAVING;
			a->seq = handover_app_gone(t, app);
		}
		return POLL_MS;
	default:
		return 0;
	}
}

/* Take note of a wish to look again in `ms` (0: none). */
static void again(unsigned *next, unsigned ms)
{
	if (ms && (!*next || ms < *next))
		*next = ms;
}

static unsigned reap(struct toed *t, unsigned app)
{
	struct app *a = &t->app[app];
	unsigned next = 0;

	for (unsigned p = 0; p < TOE_MAX_PROCS; p++) {
		if (a->proc[p].state != PROC_DRAINING)
			continue;
		if (drained(t, a, p) || loop_now() >= a->proc[p].until)
			finish_proc(t, app, p);
		else
			again(&next, POLL_MS);
	}
	if (reap_unborn(a))
		again(&next, SLOW_POLL_MS);
	again(&next, claims_reap(t, app));
	again(&next, step(t, app));
	return next;
}

void apps_reap(struct toed *t)
{
	unsigned next = 0;

	for (unsigned i = 0; i < TOE_MAX_APPS; i++)
		if (t->app[i].life != APP_NONE)
			again(&next, reap(t, i));
	if (next)
		loop_after(&t->loop, TIMER_REAP, next);
}
