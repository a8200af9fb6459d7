// SPDX-License-Identifier: BSD-2-Clause
/*
 * How processes and applications end.
 *
 * A process whose connection closed is first drained: commands that it had queued are still taken,
 * so that what it sent and closed in order reaches the peer. Then it is taken out of every holders
 * set; connections and listeners that nobody holds any more are reset. An application without
 * processes lingers while closes are under way, then its remains are reset and its arena goes.
 */
#include "core/tcb.h"
#include "toed.h"

enum {
	POLL_MS = 5,
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

/* An active open that no descriptor stands for yet belongs to the context that asked for it. */
static bool asked_by(struct app *a, const struct toe_flow_ent *e, struct toe_flow_block *b,
		     unsigned proc)
{
	uint32_t ctx = toe_load(&b->app.ctx);

	return e->endpoint == 0xffff && toe_load(&b->dev.state) == TOE_TCP_SYN_SENT &&
	       !toe_load(&b->app.holders) && ctx < TOE_MAX_CTXS && a->ctx[ctx].used &&
	       a->ctx[ctx].proc == proc;
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
		e.endpoint = t->tcbs[id].endpoint;
		if (leave(&b->app.holders, proc) || asked_by(a, &e, b, proc))
			admin_send(t, e.fpc, TOE_ADM_ABORT, id, e.gen, 0);
	}
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

/* One step of an application's end. True while there is something to wait for. */
static bool step(struct toed *t, unsigned app)
{
	struct app *a = &t->app[app];
	uint64_t now = loop_now();

	switch (a->life) {
	case APP_STARTING:
	case APP_RUNNING:
		if (has_proc(a, true))
			return has_proc(a, true) && !has_proc(a, false);
		a->life = APP_ORPHANED;
		a->until = toe_load(&header(a)->procs) ? now + FORK_MS : now;
		return true;
	case APP_ORPHANED:
		if (now >= a->until)
			begin_linger(t, app);
		return true;
	case APP_LINGERING:
		if (now >= a->until || !has_flow(t, app))
			begin_reset(t, app);
		return true;
	case APP_RESETTING:
		if (all_gone(t, app)) {
			a->life = APP_LEAVING;
			a->seq = handover_app_gone(t, app);
		}
		return true;
	default:
		return false;
	}
}

void apps_reap(struct toed *t)
{
	bool more = false;

	for (unsigned i = 0; i < TOE_MAX_APPS; i++) {
		struct app *a = &t->app[i];

		if (a->life == APP_NONE)
			continue;
		for (unsigned p = 0; p < TOE_MAX_PROCS; p++) {
			if (a->proc[p].state != PROC_DRAINING)
				continue;
			if (drained(t, a, p) || loop_now() >= a->proc[p].until)
				finish_proc(t, i, p);
			else
				more = true;
		}
		more |= step(t, i);
	}
	if (more)
		loop_after(&t->loop, TIMER_REAP, POLL_MS);
}
