/* SPDX-License-Identifier: BSD-2-Clause */
/* Beginning: on zeroed state, or on what a predecessor left, at whatever instruction it ended. */
#include "fpc.h"

#include "../lib/errno.h"

size_t toe_fpc_size(void)
{
	return sizeof(struct toe_fpc);
}

static bool sizes_ok(const struct toe_ctrl *c, unsigned id)
{
	return c->magic == TOE_CTRL_MAGIC && c->version == TOE_ABI_VERSION && c->nfpcs &&
	       c->nfpcs <= TOE_MAX_FPCS && id < c->nfpcs && c->nflows >= c->nfpcs &&
	       c->nflows <= TOE_MAX_FLOWS && c->tcb_cache && c->nbuckets >= c->nfpcs;
}

/*
 * Is the state empty, or laid out as we would? Several FPCs may find it empty and write the same.
 */
static int check_header(struct toe_state_hdr *h, const struct toe_ctrl *c, bool *fresh)
{
	*fresh = !toe_load_acquire(&h->magic);
	if (*fresh) {
		h->version = TOE_ABI_VERSION;
		h->nfpcs = c->nfpcs;
		h->tcb_cache = c->tcb_cache;
		h->nflows = c->nflows;
		h->tcb_size = sizeof(struct toe_tcb);
		toe_store_release(&h->magic, TOE_STATE_MAGIC);
		return 0;
	}
	return h->magic == TOE_STATE_MAGIC && h->version == TOE_ABI_VERSION &&
		       h->nfpcs == c->nfpcs && h->tcb_cache == c->tcb_cache &&
		       h->nflows == c->nflows && h->tcb_size == sizeof(struct toe_tcb)
		   ? 0
		   : -EINVAL;
}

static void attach_state(struct toe_fpc *f, uint8_t *state)
{
	struct toe_state_map m;

	for (unsigned i = 0; i < f->nfpcs; i++) {
		toe_state_layout(f->nfpcs, f->ctrl->tcb_cache, f->ctrl->nflows, i, &m);
		f->pending[i] = (struct toe_backlog *)(state + m.pending);
	}
	toe_state_layout(f->nfpcs, f->ctrl->tcb_cache, f->ctrl->nflows, f->id, &m);
	f->first = m.first;
	f->nflows = m.nflows;
	f->listen = (uint32_t *)(state + m.listen);
	f->cookie_until = (uint64_t *)(state + m.cookie);
	f->soft = (struct toe_soft *)(state + m.soft);
	f->ids = (struct toe_node *)(state + m.ids);
	f->retry = (struct toe_node *)(state + m.retry);
	f->cache.n = f->ctrl->tcb_cache;
	f->cache.slot = (struct toe_tcb_slot *)(state + m.slots);
	f->cache.lists = (struct toe_slot_lists *)(state + m.lists);
	f->cache.owner = (uint32_t *)(state + m.slot_owner);
	f->cache.free = f->cache.owner + f->cache.n;
	f->cache.work = (uint16_t *)(state + m.slot_work);
	f->cache.mark = state + m.slot_mark;
	f->wheel.n = m.nflows;
	f->wheel.node = (struct toe_node *)(state + m.wheel);
	f->wheel.due = (uint64_t *)(state + m.due);
	f->wheel.at = (uint64_t *)(state + m.at);
	f->pacer.n = m.nflows;
	f->pacer.node = (struct toe_node *)(state + m.pacer);
	f->tw.n = m.ntw;
	f->tw.nhash = m.ntw_hash;
	f->tw.high = (uint32_t *)(state + m.tw_high);
	f->tw.e = (struct toe_tw_entry *)(state + m.tw);
	f->tw.list = (struct toe_node *)(state + m.tw_list);
	f->tw.chain = (uint32_t *)(state + m.tw_chain);
	f->tw.head = (uint32_t *)(state + m.tw_hash);
}

static void clear_derived(struct toe_fpc *f, bool fresh)
{
	for (unsigned app = 0; app < TOE_MAX_APPS; app++)
		toe_big_init(f, app, !fresh && toe_port_arena(f->port, app));
	f->big_at = f->now;
	memset(f->soft, 0, f->nflows * sizeof(*f->soft));
	for (unsigned i = 0; i < TOE_MAX_APPS * TOE_MAX_LISTENERS; i++) {
		toe_store(&f->pending[f->id][i].half, 0);
		toe_store(&f->pending[f->id][i].queued, 0);
		toe_store(&f->pending[f->id][i].fast, 0);
	}
	for (uint32_t i = 0; i < f->nflows + 2; i++)
		toe_list_init(f->retry, i);
	toe_ids_init(f);
	toe_wheel_init(&f->wheel, f->now);
	toe_pacer_init(&f->pacer, f->now);
	toe_cache_init(&f->cache);
	toe_tw_rebuild(&f->tw, f->now);
	toe_index_tidy(f);
}

/* Did the predecessor get to write the flow's entry into the accept ring? Else this one will. */
static void recover_accept(struct toe_fpc *f, uint32_t flow, const struct toe_endpoint *ep,
			   void *arena, const struct toe_tcb *t)
{
	struct toe_flow_ent *e = &f->ent[flow];
	struct toe_listener *l = toe_arena_listener(arena, ep->listener % TOE_MAX_LISTENERS);
	struct toe_lst_view *v = &f->lst[ep->app % TOE_MAX_APPS][ep->listener % TOE_MAX_LISTENERS];

	toe_backlog_enter(f, flow, t->state == TOE_TCP_SYN_RECEIVED && !toe_tcp_early(t));
	if (e->accept_pos && (int32_t)(toe_load(&l->fpc[f->id].db.head) - (e->accept_pos - 1)) <= 0)
		e->accept_pos = 0;
	if (!v->hint_at) {
		v->hint_at = f->now;
		f->nhints++;
	}
}

static void recover_index(struct toe_fpc *f, uint32_t flow, bool live)
{
	const struct toe_flow_ent *e = &f->ent[flow];
	uint64_t hash = (uint64_t)e->hash_hi << 32 | e->hash_lo;

	if (!live)
		toe_index_remove(f, hash, flow);
	else if (toe_index_find(f, hash, &e->tuple) != flow)
		toe_index_add(f, hash, e->gen, flow);
}

/* A live flow of the predecessor's. False: it cannot be taken over. */
static bool recover_flow(struct toe_fpc *f, uint32_t flow)
{
	struct toe_flow_ent *e = &f->ent[flow];
	struct toe_soft *s = toe_soft(f, flow);
	uint8_t *arena = toe_port_arena(f->port, e->app);
	const struct toe_tcb *t;

	if (!arena || (e->loc != TOE_LOC_SPILLED && !toe_cache_adopt(&f->cache, e->loc, flow)))
		return false;
	t = toe_flow_tcb(f, flow);
	s->kind = t->state == TOE_TCP_CLOSED ? TOE_SOFT_DEAD : TOE_SOFT_LIVE;
	s->ctx = TOE_CTX_NONE;
	toe_big_adopt(f, e->app, t->rcv_ring);
	toe_big_adopt(f, e->app, t->snd_ring);
	if (e->accepted && toe_load(&toe_arena_flow(arena, flow)->app.ctx) < TOE_MAX_CTXS)
		s->ctx = (uint8_t)toe_arena_flow(arena, flow)->app.ctx;
	if (e->endpoint < TOE_MAX_ENDPOINTS) {
		f->endpoint_flows[e->endpoint]++;
		if (!e->accepted)
			recover_accept(f, flow, &f->ctrl->endpoint[e->endpoint], arena, t);
		if (toe_tcp_early(t))
			toe_fast_enter(f, flow);
	}
	toe_store_release(&toe_arena_flow(arena, flow)->dev.gen, e->gen);
	recover_index(f, flow, s->kind == TOE_SOFT_LIVE);
	if (s->kind == TOE_SOFT_LIVE) {
		toe_wheel_set(&f->wheel, flow - f->first, toe_tcp_deadline(t));
		toe_fpc_pend(f, flow,
			     TOE_PEND_TAKEN |
				 (t->nh < TOE_MAX_NEXT_HOPS && t->state == TOE_TCP_SYN_SENT
				      ? TOE_PEND_NH
				      : 0));
	} else if (t->flags & TOE_TCB_CLOSED_BY_APP ||
		   (e->endpoint < TOE_MAX_ENDPOINTS && !e->accept_pos)) {
		/* Ended just now; a passive one that was never queued is nobody's. */
		toe_fpc_pend(f, flow, TOE_PEND_FREE);
		return true;
	} else {
		/* The predecessor may have counted a notification that it never queued. */
		s->note = TOE_HW_RESET | TOE_NOTE_AGAIN;
		toe_fpc_pend(f, flow, TOE_PEND_NOTIFY);
	}
	if (!e->accepted && !e->accept_pos && (t->state >= TOE_TCP_ESTABLISHED || toe_tcp_early(t)))
		toe_fpc_pend(f, flow, TOE_PEND_ACCEPT);
	return true;
}

static void recover_flows(struct toe_fpc *f)
{
	for (uint32_t flow = f->first; flow < f->first + f->nflows; flow++) {
		struct toe_flow_ent *e = &f->ent[flow];

		if (e->life == TOE_LIFE_LIVE && recover_flow(f, flow)) {
			toe_count(f, TOE_CNT_recovered_flows);
			continue;
		}
		if (e->life == TOE_LIFE_KERNEL)
			continue;
		if (e->life == TOE_LIFE_LIVE)
			toe_count(f, TOE_CNT_lost_flows);
		if (e->life != TOE_LIFE_FREE)
			toe_store_release(&e->word,
					  toe_ent_word(TOE_LIFE_FREE, (uint8_t)f->id, e->gen, 0));
		/* Never used: nothing of it is in anybody's memory. */
		toe_id_free(f, flow, e->gen ? e->app : TOE_MAX_APPS);
	}
	toe_cache_ready(&f->cache);
}

static void recover_endpoints(struct toe_fpc *f)
{
	for (uint32_t i = 0; i < *f->tw.high; i++)
		if (f->tw.e[i].expires && f->tw.e[i].endpoint < TOE_MAX_ENDPOINTS)
			f->endpoint_flows[f->tw.e[i].endpoint]++;
	for (unsigned i = 0; i < TOE_MAX_ENDPOINTS; i++)
		toe_store(&f->ctrl->endpoint[i].flows[f->id], f->endpoint_flows[i]);
}

int toe_fpc_init(struct toe_fpc *f, struct toe_port *p, void *state, unsigned id)
{
	struct toe_ctrl *c = toe_port_ctrl(p);
	bool fresh;
	int err;

	if (!sizes_ok(c, id))
		return -EINVAL;
	err = check_header(state, c, &fresh);
	if (err)
		return err;
	memset(f, 0, sizeof(*f));
	f->port = p;
	f->ctrl = c;
	f->id = id;
	f->nfpcs = c->nfpcs;
	f->nbuckets = c->nbuckets;
	f->ent = toe_port_flows(p);
	f->index = toe_port_index(p);
	f->cnt = toe_port_stats(p, id);
	f->now = toe_port_now(p);
	f->ip_id = (uint16_t)f->now; /* not what a predecessor has just used */
	attach_state(f, state);
	clear_derived(f, fresh);
	recover_flows(f);
	recover_endpoints(f);
	toe_host_sleeping(f, 0);
	return 0;
}

bool toe_fpc_sleep_begin(struct toe_fpc *f)
{
	uint64_t due;

	if (f->nbells || f->nwork)
		return false;
	f->now = toe_port_now(f->port);
	due = toe_fpc_deadline(f);
	if (due && due <= f->now)
		return false;
	toe_host_sleeping(f, 1);
	toe_fence_full();
	if (toe_host_pending(f)) {
		toe_host_sleeping(f, 0);
		return false;
	}
	toe_count(f, TOE_CNT_fpc_sleeps);
	return true;
}

void toe_fpc_awake(struct toe_fpc *f)
{
	toe_host_sleeping(f, 0);
}
