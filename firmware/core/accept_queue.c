/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accept queues. The queue belongs to the listener; contexts that wait get a hint in turn, and when
 * nobody takes the oldest entry for a while the next context gets one.
 */
#include "fpc.h"

enum {
	HINT_AGAIN_US = 10000,
	HALF_OPEN_MIN = 128,
	HALF_OPEN_KEEP = 8, /* of an FPC's flow ids, the part that they leave for others */
	RESET_LOG = 26, /* microseconds: 67 s, longer than a SYN-ACK is sent again */
};

static struct toe_endpoint *endpoint_of(struct toe_fpc *f, uint32_t flow)
{
	uint16_t ep = f->ent[flow].endpoint;

	return ep < TOE_MAX_ENDPOINTS ? &f->ctrl->endpoint[ep] : NULL;
}

static struct toe_lst_view *view_of(struct toe_fpc *f, const struct toe_endpoint *ep)
{
	return &f->lst[ep->app % TOE_MAX_APPS][ep->listener % TOE_MAX_LISTENERS];
}

static unsigned backlog_index(unsigned app, unsigned listener)
{
	return app % TOE_MAX_APPS * TOE_MAX_LISTENERS + listener % TOE_MAX_LISTENERS;
}

static void count(uint32_t *n, int more)
{
	if (more > 0 || *n)
		toe_store(n, *n + (uint32_t)more);
}

/* The flow belongs to its listener: half-open, or in its queue. */
void toe_backlog_enter(struct toe_fpc *f, uint32_t flow, bool half_open)
{
	const struct toe_endpoint *ep = endpoint_of(f, flow);
	struct toe_backlog *own = &f->pending[f->id][backlog_index(ep->app, ep->listener)];

	toe_soft(f, flow)->half_open = half_open;
	count(half_open ? &own->half : &own->queued, 1);
}

static void leave(struct toe_fpc *f, uint32_t flow, const struct toe_endpoint *ep)
{
	struct toe_backlog *own = &f->pending[f->id][backlog_index(ep->app, ep->listener)];

	count(toe_soft(f, flow)->half_open ? &own->half : &own->queued, -1);
	toe_soft(f, flow)->half_open = 0;
}

/* It has begun by fast open: such flows have a bound of their own (RFC 7413 5.1). */
void toe_fast_enter(struct toe_fpc *f, uint32_t flow)
{
	const struct toe_endpoint *ep = endpoint_of(f, flow);

	toe_soft(f, flow)->fast = 1;
	count(&f->pending[f->id][backlog_index(ep->app, ep->listener)].fast, 1);
}

/*
 * A RST has ended it. Whoever shows a stolen cookie has its owner send one: were that the end of it,
 * the bound would hold back nobody (RFC 7413 5.1). So it goes on counting for one to two periods.
 */
void toe_fast_reset(struct toe_fpc *f, uint32_t flow)
{
	const struct toe_endpoint *ep = endpoint_of(f, flow);
	uint32_t period = (uint32_t)(f->now >> RESET_LOG), known;
	struct toe_backlog *own;

	if (!toe_soft(f, flow)->fast || !ep)
		return;
	own = &f->pending[f->id][backlog_index(ep->app, ep->listener)];
	known = period - own->reset_period < 2 ? own->resets : 0;
	if (own->reset_period != period) {
		toe_store(&own->resets_before, known);
		toe_store(&own->reset_period, period);
		known = 0;
	}
	toe_store(&own->resets, known + 1);
}

static uint32_t resets(const struct toe_backlog *b, uint64_t now)
{
	uint32_t age = (uint32_t)(now >> RESET_LOG) - toe_load(&b->reset_period);

	if (age > 1)
		return 0;
	return toe_load(&b->resets) + (age ? 0 : toe_load(&b->resets_before));
}

/* Its handshake is done, or it is over. */
void toe_fast_leave(struct toe_fpc *f, uint32_t flow)
{
	const struct toe_endpoint *ep = endpoint_of(f, flow);

	if (toe_soft(f, flow)->fast && ep)
		count(&f->pending[f->id][backlog_index(ep->app, ep->listener)].fast, -1);
	toe_soft(f, flow)->fast = 0;
}

bool toe_fast_full(const struct toe_fpc *f, unsigned app, unsigned listener, uint32_t most)
{
	const struct toe_backlog *b;
	uint32_t n = 0;

	for (unsigned i = 0; i < f->nfpcs; i++) {
		b = &f->pending[i][backlog_index(app, listener)];
		n += toe_load(&b->fast) + resets(b, f->now);
	}
	return n >= most;
}

void toe_backlog_established(struct toe_fpc *f, uint32_t flow)
{
	const struct toe_endpoint *ep = endpoint_of(f, flow);

	toe_fast_leave(f, flow);
	if (!ep || !toe_soft(f, flow)->half_open)
		return;
	leave(f, flow, ep);
	toe_backlog_enter(f, flow, false);
}

void toe_backlog_clear(struct toe_fpc *f, unsigned app, unsigned listener)
{
	struct toe_backlog *own = &f->pending[f->id][backlog_index(app, listener)];

	toe_store(&own->half, 0);
	toe_store(&own->queued, 0);
	toe_store(&own->fast, 0);
	toe_store(&own->resets, 0);
	toe_store(&own->resets_before, 0);
}

/* As the application set it; 0: it does not listen. */
static uint32_t backlog_of(const struct toe_fpc *f, unsigned app, unsigned listener)
{
	return f->listen[backlog_index(app, listener)];
}

bool toe_backlog_full(const struct toe_fpc *f, unsigned app, unsigned listener)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < f->nfpcs; i++)
		n += toe_load(&f->pending[i][backlog_index(app, listener)].queued);
	return n >= backlog_of(f, app, listener);
}

/*
 * Half-open connections are not the application's doing: a listener may have many of them with a
 * small backlog, and never so many that no flow ids are left for others.
 */
bool toe_half_open_full(const struct toe_fpc *f, unsigned app, unsigned listener)
{
	uint32_t most = backlog_of(f, app, listener), n = 0;

	if (most < HALF_OPEN_MIN)
		most = HALF_OPEN_MIN;
	for (unsigned i = 0; i < f->nfpcs; i++)
		n += toe_load(&f->pending[i][backlog_index(app, listener)].half);
	return n >= most || f->nfree <= f->nflows / HALF_OPEN_KEEP;
}

/* The next waiting context after the last one hinted, or TOE_CTX_NONE. */
static unsigned next_waiter(struct toe_lst_view *v, const struct toe_listener *l)
{
	uint64_t waiters = toe_load(&l->waiters), later;

	if (!waiters)
		return TOE_CTX_NONE;
	later = waiters >> v->next_ctx << v->next_ctx;
	v->next_ctx = (uint8_t)(__builtin_ctzll(later ? later : waiters) + 1) % TOE_MAX_CTXS;
	return (v->next_ctx + TOE_MAX_CTXS - 1u) % TOE_MAX_CTXS;
}

static void hint(struct toe_fpc *f, unsigned app, unsigned listener, unsigned ctx,
		 enum toe_hint kind)
{
	struct toe_cmd c = { .type = TOE_HW_LISTEN_ESTABLISHED, .flow = listener, .pos = kind };

	if (ctx != TOE_CTX_NONE)
		toe_hw_push(f, app, ctx, &c);
}

/* The flow is established: queue it for accept. When the ring is full it is tried again. */
void toe_accept_push(struct toe_fpc *f, uint32_t flow)
{
	struct toe_flow_ent *e = &f->ent[flow];
	struct toe_endpoint *ep = endpoint_of(f, flow);
	void *arena = toe_port_arena(f->port, e->app);
	struct toe_lst_view *v;
	struct toe_listener *l;
	struct toe_doorbell *db;
	unsigned ctx;
	uint32_t head;

	if (!ep || !arena || e->accepted || e->accept_pos)
		return;
	v = view_of(f, ep);
	l = toe_arena_listener(arena, ep->listener % TOE_MAX_LISTENERS);
	db = &l->fpc[f->id].db;
	if (!toe_ring_room(db, TOE_ACCEPT_RING)) {
		toe_fpc_pend(f, flow, TOE_PEND_ACCEPT);
		return;
	}
	head = toe_load(&db->head);
	ctx = next_waiter(v, l);
	toe_store_release(&e->accept_pos, head + 1);
	toe_store(&l->fpc[f->id].entry[head & (TOE_ACCEPT_RING - 1)],
		  toe_accept_entry(flow, e->gen, ctx));
	toe_ring_publish(db, 1);
	hint(f, e->app, ep->listener, ctx, TOE_HINT_YOURS);
	if (!v->hint_at) {
		v->hint_at = f->now + HINT_AGAIN_US;
		v->seen_tail = toe_load(&db->tail);
		f->nhints++;
	}
}

/* Accepted, or gone before: it no longer counts against the backlog. */
void toe_accept_taken(struct toe_fpc *f, uint32_t flow)
{
	struct toe_flow_ent *e = &f->ent[flow];
	struct toe_endpoint *ep = endpoint_of(f, flow);

	if (e->accepted)
		return;
	e->accepted = 1;
	if (ep)
		leave(f, flow, ep);
}

/* Has a context claimed the flow's entry, though its TOE_SW_BIND is still on the way? */
bool toe_accept_claimed(struct toe_fpc *f, uint32_t flow)
{
	const struct toe_flow_ent *e = &f->ent[flow];
	const struct toe_endpoint *ep = endpoint_of(f, flow);
	void *arena = toe_port_arena(f->port, e->app);
	const struct toe_listener *l;
	uint32_t at = e->accept_pos - 1;

	if (e->accepted)
		return true;
	if (!ep || !arena || !e->accept_pos)
		return false;
	l = toe_arena_listener(arena, ep->listener % TOE_MAX_LISTENERS);
	return (int32_t)(toe_load(&l->fpc[f->id].db.tail) - at) > 0 ||
	       !toe_load(&l->fpc[f->id].entry[at & (TOE_ACCEPT_RING - 1)]);
}

static void hint_again(struct toe_fpc *f, unsigned app, unsigned listener)
{
	struct toe_lst_view *v = &f->lst[app][listener];
	void *arena = toe_port_arena(f->port, app);
	struct toe_listener *l = arena ? toe_arena_listener(arena, listener) : NULL;
	uint32_t tail = l ? toe_load(&l->fpc[f->id].db.tail) : 0;

	if (!l || tail == toe_load(&l->fpc[f->id].db.head)) {
		v->hint_at = 0;
		f->nhints--;
		return;
	}
	if (tail == v->seen_tail)
		hint(f, app, listener, next_waiter(v, l), TOE_HINT_ANY);
	v->seen_tail = tail;
	v->hint_at = f->now + HINT_AGAIN_US;
}

void toe_accept_hints(struct toe_fpc *f)
{
	if (!f->nhints || f->now < f->hints_at)
		return;
	f->hints_at = f->now + HINT_AGAIN_US / 2;
	for (unsigned a = 0; a < TOE_MAX_APPS; a++) {
		if (!f->app_known[a])
			continue;
		for (unsigned l = 0; l < TOE_MAX_LISTENERS; l++)
			if (f->lst[a][l].hint_at && f->now >= f->lst[a][l].hint_at)
				hint_again(f, a, l);
	}
}
