/* SPDX-License-Identifier: BSD-2-Clause */
/* toed's commands, and what ends many flows at once: in steps, so that no batch is long. */
#include "fpc.h"

#include "../lib/errno.h"

enum { ADMIN_BURST = 16 };

static bool of_listener(struct toe_fpc *f, uint32_t flow, const struct toe_sweep *s)
{
	uint16_t ep = f->ent[flow].endpoint;

	return ep < TOE_MAX_ENDPOINTS && f->ctrl->endpoint[ep].app == s->app &&
	       f->ctrl->endpoint[ep].listener == s->listener && !toe_accept_claimed(f, flow);
}

static bool swept(struct toe_fpc *f, uint32_t i, const struct toe_sweep *s)
{
	uint8_t kind = f->soft[i].kind;
	uint32_t flow = i + f->first;

	if (kind != TOE_SOFT_LIVE && kind != TOE_SOFT_DEAD)
		return false;
	switch (s->kind) {
	case TOE_SWEEP_LISTENER:
		return of_listener(f, flow, s);
	case TOE_SWEEP_APP:
		return f->ent[flow].app == s->app;
	default:
		return kind == TOE_SOFT_LIVE;
	}
}

static bool same_sweep(const struct toe_sweep *a, const struct toe_sweep *b)
{
	return a->kind == b->kind && a->app == b->app && a->listener == b->listener;
}

/*
 * Its command no longer asks for steps when its application went, or overwrote its ring: then it is
 * never finished.
 */
static bool asked_for(const struct toe_fpc *f, const struct toe_sweep *s)
{
	return s->kind != TOE_SWEEP_NONE && f->batch - s->batch <= 1;
}

/*
 * One sweep at a time, and by turns: an application that closes listeners without end must not keep
 * others, and toed, from theirs.
 */
static bool take_turn(struct toe_fpc *f, enum toe_sweep_kind kind, unsigned app, unsigned listener)
{
	struct toe_sweep me = {
		.kind = kind, .app = (uint8_t)app, .listener = (uint8_t)listener, .batch = f->batch
	};
	bool first = !asked_for(f, &f->next_sweep) || same_sweep(&f->next_sweep, &me);

	if (!same_sweep(&f->sweep, &me)) {
		if (asked_for(f, &f->sweep) || !first) {
			if (first)
				f->next_sweep = me;
			return false;
		}
		f->next_sweep.kind = TOE_SWEEP_NONE;
		f->sweep = me;
	}
	f->sweep.batch = f->batch;
	return true;
}

bool toe_sweep_step(struct toe_fpc *f, enum toe_sweep_kind kind, unsigned app, unsigned listener)
{
	struct toe_sweep *s = &f->sweep;
	uint32_t end, n = 0;

	if (!take_turn(f, kind, app, listener))
		return false;
	end = f->nflows - s->cursor > TOE_SWEEP_STEP ? s->cursor + TOE_SWEEP_STEP : f->nflows;
	for (; s->cursor < end && n < TOE_SWEEP_FLOWS; s->cursor++) {
		if (!swept(f, s->cursor, s))
			continue;
		toe_flow_abort(f, s->cursor + f->first, ECONNRESET, kind != TOE_SWEEP_ALL);
		n++;
	}
	if (s->cursor < f->nflows)
		return false;
	s->kind = TOE_SWEEP_NONE;
	return true;
}

/* Forget what was known of the application beside its flows. */
static void forget_app(struct toe_fpc *f, unsigned app)
{
	uint32_t keep = 0;

	for (unsigned l = 0; l < TOE_MAX_LISTENERS; l++) {
		if (f->lst[app][l].hint_at)
			f->nhints--;
		f->lst[app][l] = (struct toe_lst_view){ 0 };
		toe_backlog_clear(f, app, l);
	}
	for (uint32_t i = 0; i < f->nbells; i++)
		if (f->bells[i] / TOE_MAX_CTXS != app)
			f->bells[keep++] = f->bells[i];
	f->nbells = keep;
	memset(&f->ctx[app * TOE_MAX_CTXS], 0, TOE_MAX_CTXS * sizeof(f->ctx[0]));
	toe_ids_forget_app(f, app);
	toe_big_init(f, app, false);
	f->app_known[app] = 0;
}

static bool app_gone(struct toe_fpc *f, uint32_t app)
{
	/* Answered before a restart already: the number may be another application's by now. */
	if (app >= TOE_MAX_APPS || toe_load_acquire(&f->ctrl->app_state[app]) != TOE_APP_GOING)
		return true;
	for (unsigned l = 0; l < TOE_MAX_LISTENERS; l++)
		toe_store(&f->listen[app * TOE_MAX_LISTENERS + l], 0);
	if (!toe_sweep_step(f, TOE_SWEEP_APP, app, 0))
		return false;
	toe_fpc_flush(f);
	forget_app(f, app);
	toe_store_release(&f->ctrl->app_gone[app][f->id], 1);
	return true;
}

static bool listener_gone(struct toe_fpc *f, uint64_t app, uint32_t listener)
{
	if (app >= TOE_MAX_APPS || listener >= TOE_MAX_LISTENERS)
		return true;
	toe_store(&f->listen[app * TOE_MAX_LISTENERS + listener], 0);
	return toe_sweep_step(f, TOE_SWEEP_LISTENER, (unsigned)app, listener);
}

static bool reset_all(struct toe_fpc *f)
{
	f->resetting = 1;
	if (!toe_sweep_step(f, TOE_SWEEP_ALL, 0, 0))
		return false;
	toe_fpc_flush(f);
	toe_store_release(&f->ctrl->reset_done[f->id], 1);
	return true;
}

static void abort_flow(struct toe_fpc *f, const struct toe_cmd *c, bool by_app)
{
	if (toe_owns(f, c->flow) && f->ent[c->flow].life == TOE_LIFE_LIVE &&
	    f->ent[c->flow].gen == c->gen)
		toe_flow_abort(f, c->flow, ECONNRESET, by_app);
}

/* False: not finished, the command stays where it is. */
static bool command(struct toe_fpc *f, const struct toe_cmd *c)
{
	switch (c->type) {
	case TOE_ADM_ABORT:
		abort_flow(f, c, true);
		return true;
	case TOE_ADM_RESET:
		abort_flow(f, c, false);
		return true;
	case TOE_ADM_APP_GONE:
		return app_gone(f, c->flow);
	case TOE_ADM_LISTENER_GONE:
		return listener_gone(f, c->pos, c->flow);
	case TOE_ADM_RESET_ALL:
		return reset_all(f);
	default:
		toe_count(f, TOE_CNT_refuse_type);
		return true;
	}
}

unsigned toe_admin_commands(struct toe_fpc *f)
{
	struct toe_admin_ring *r = &f->ctrl->admin[f->id];
	uint32_t n = toe_ring_ready(&r->db, TOE_SW_RING), tail = toe_load(&r->db.tail), i;

	if (n > ADMIN_BURST)
		n = ADMIN_BURST;
	for (i = 0; i < n; i++)
		if (!command(f, &r->cmd[(tail + i) & (TOE_SW_RING - 1)]))
			break;
	if (i)
		toe_host_taken(f, &r->db, i);
	return n;
}
