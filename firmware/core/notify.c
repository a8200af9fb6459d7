/* SPDX-License-Identifier: BSD-2-Clause */
/* Device to host: flow blocks, HW CMDs, doorbells. */
#include "fpc.h"

enum {
	BELL_AT = 16, /* commands that are worth a wake-up */
	BELL_US = 20, /* longest time that a sleeping context is left asleep */
	BELL_AGAIN_US = 1000,
};

/* Rings come before the positions that lie in them, limits after. */
static void publish_rings(struct toe_flow_dev *d, const struct toe_tcb *t)
{
	toe_store(&d->rx_ring, t->rcv_ring);
	toe_store(&d->tx_ring, t->snd_ring);
}

static void publish_limits(struct toe_flow_dev *d, const struct toe_tcb *t)
{
	toe_store_release(&d->rx_limit, t->rcv_size);
	toe_store_release(&d->tx_limit, t->snd_size);
}

/* What libtoe needs to know for TCP_NOTSENT_LOWAT and SO_SNDBUF. */
static void publish_unsent(struct toe_flow_dev *d, const struct toe_tcb *t)
{
	toe_store(&d->tx_open, (uint32_t)toe_tcp_tx_open(t));
	toe_store_release(&d->tx_burst, toe_tcp_tx_burst(t));
}

/* The flow's block as of the commit. Positions before the flags that speak of them. */
void toe_host_publish(struct toe_work *w)
{
	struct toe_flow_dev *d = &w->b->dev;
	const struct toe_tcb *t = w->t;
	uint8_t flags = d->flags & (TOE_FLOW_ESTABLISHED | TOE_FLOW_EAGER);

	if (t->state >= TOE_TCP_ESTABLISHED || toe_tcp_early(t))
		flags |= TOE_FLOW_ESTABLISHED;
	if (t->flags & TOE_TCB_FIN_RCVD)
		flags |= TOE_FLOW_RX_FIN;
	if (t->flags & (TOE_TCB_FIN_QUEUED | TOE_TCB_FIN_SENT) || t->state == TOE_TCP_CLOSED)
		flags |= TOE_FLOW_TX_SHUT;
	if (t->error) {
		toe_store(&d->error, t->error);
		flags |= TOE_FLOW_ERROR;
	}
	if (t->state >= TOE_TCP_ESTABLISHED || flags & (TOE_FLOW_ESTABLISHED | TOE_FLOW_EAGER)) {
		if ((d->rx_ring ^ t->rcv_ring) | (d->tx_ring ^ t->snd_ring))
			publish_rings(d, t);
		if (t->rcv_up | d->rx_urg)
			toe_store(&d->rx_urg, t->rcv_up ? t->rcv_up - t->rcv_first : 0);
		toe_store_release(&d->rx_end, toe_tcp_rx_end(t));
		toe_store_release(&d->tx_una, toe_tcp_tx_una(t));
		if (toe_tcp_eager(t))
			toe_store_release(&d->tx_open, toe_tcp_eager_len(t));
		else if (t->opts & TOE_TCB_TX_TOLD)
			publish_unsent(d, t);
		if ((d->rx_limit ^ t->rcv_size) | (d->tx_limit ^ t->snd_size))
			publish_limits(d, t);
	}
	if (d->state != t->state)
		toe_store_release(&d->state, t->state);
	if (d->flags != flags)
		toe_store_release(&d->flags, flags);
}

/* A new life of the flow's block; its generation follows when the flow exists. */
void toe_host_birth(struct toe_fpc *f, struct toe_work *w)
{
	struct toe_flow_block *b = w->b;
	const struct toe_tuple *t = &w->e->tuple;

	/* Its id is told before the batch is published. */
	toe_store(&b->dev.flags, toe_tcp_eager(w->t) ? TOE_FLOW_EAGER : 0);
	toe_store(&b->dev.tx_open, toe_tcp_eager(w->t) ? toe_tcp_eager_len(w->t) : 0);
	toe_store(&b->dev.state, w->t->state);
	toe_store(&b->dev.rx_end, 0);
	toe_store(&b->dev.rx_urg, 0);
	toe_store(&b->dev.tx_una, 0);
	toe_store(&b->dev.error, 0);
	toe_store(&b->dev.tx_burst, 0);
	publish_rings(&b->dev, w->t);
	publish_limits(&b->dev, w->t);
	toe_store(&b->dev.notify_seq, toe_load(&b->app.seen_seq));
	memcpy(b->con.laddr, t->laddr, sizeof(b->con.laddr));
	memcpy(b->con.raddr, t->raddr, sizeof(b->con.raddr));
	b->con.ifindex = toe_link_ifindex(f->ctrl, t->dev, t->vlan);
	b->con.lport = t->lport;
	b->con.rport = t->rport;
	b->con.fpc = (uint8_t)f->id;
	b->con.dev = t->dev;
	b->con.listener = w->t->listener;
}

/* The context's HW ring with this FPC, NULL when nobody reads it. */
static struct toe_hw_ring *ring_of(struct toe_fpc *f, unsigned app, unsigned ctx)
{
	struct toe_arena_hdr *h = toe_port_arena(f->port, app);

	if (!h || ctx >= TOE_MAX_CTXS || !(toe_load(&h->ctxs) >> ctx & 1))
		return NULL;
	return &toe_arena_ctx(h, ctx)->fpc[f->id].hw;
}

static struct toe_ctx_view *view_of(struct toe_fpc *f, unsigned app, unsigned ctx)
{
	return &f->ctx[app * TOE_MAX_CTXS + ctx];
}

/* The consumer's line is read only when the ring looks full by what was seen last. */
static bool has_room(const struct toe_hw_ring *r, struct toe_ctx_view *v)
{
	uint32_t head = toe_load(&r->db.head);

	if (head - v->tail < TOE_HW_RING)
		return true;
	v->tail = toe_load_acquire(&r->db.tail);
	return head - v->tail < TOE_HW_RING;
}

bool toe_hw_room(struct toe_fpc *f, unsigned app, unsigned ctx)
{
	struct toe_hw_ring *r = ring_of(f, app, ctx);

	return r && has_room(r, view_of(f, app, ctx));
}

/* Queue a command; the doorbell comes at the end of the batch. False: full, or nobody there. */
bool toe_hw_push(struct toe_fpc *f, unsigned app, unsigned ctx, const struct toe_cmd *c)
{
	struct toe_hw_ring *r = ring_of(f, app, ctx);
	struct toe_ctx_view *v;
	uint32_t head;

	if (!r)
		return false;
	v = view_of(f, app, ctx);
	if (!has_room(r, v))
		return false;
	head = toe_load(&r->db.head);
	r->cmd[head & (TOE_HW_RING - 1)] = *c;
	toe_store_release(&r->db.head, head + 1);
	toe_count(f, TOE_CNT_cmd_hw);
	if (!v->listed) {
		v->listed = 1;
		v->queued = 0;
		v->since = f->now;
		f->bells[f->nbells++] = (uint16_t)(app * TOE_MAX_CTXS + ctx);
	}
	v->queued++;
	return true;
}

static uint64_t note_pos(const struct toe_flow_dev *d, enum toe_hw_cmd type)
{
	switch (type) {
	case TOE_HW_SEND_COMPLETE:
		return d->tx_una;
	case TOE_HW_RESET:
		return d->error;
	default:
		return d->rx_end;
	}
}

/*
 * One notification of a flow at a time: while the application has not looked (seen_seq), it will
 * find in the block whatever comes meanwhile. `again` sends one in any case: the other may lie in
 * another context's ring.
 */
void toe_host_notify(struct toe_fpc *f, uint32_t flow, enum toe_hw_cmd type, bool again)
{
	struct toe_soft *s = toe_soft(f, flow);
	const struct toe_flow_ent *e = &f->ent[flow];
	struct toe_hw_ring *r = ring_of(f, e->app, s->ctx);
	struct toe_flow_dev *d;
	struct toe_cmd c;

	again |= !!(type & TOE_NOTE_AGAIN);
	type &= ~(unsigned)TOE_NOTE_AGAIN;
	if (!r)
		return;
	d = &toe_arena_flow(toe_port_arena(f->port, e->app), flow)->dev;
	if (!again &&
	    d->notify_seq !=
		toe_load(&toe_arena_flow(toe_port_arena(f->port, e->app), flow)->app.seen_seq))
		return;
	if (!has_room(r, view_of(f, e->app, s->ctx))) {
		toe_count(f, TOE_CNT_hw_ring_full);
		s->note = (uint8_t)(type | (again ? TOE_NOTE_AGAIN : 0));
		toe_fpc_pend(f, flow, TOE_PEND_NOTIFY);
		return;
	}
	c = (struct toe_cmd){
		.type = (uint8_t)type, .gen = e->gen, .flow = flow, .pos = note_pos(d, type)
	};
	toe_store(&d->notify_seq, d->notify_seq + 1);
	toe_hw_push(f, e->app, s->ctx, &c);
}

/* Is the context asleep, and not already on its way because of us? */
static bool must_wake(struct toe_fpc *f, const struct toe_ctx *c, struct toe_ctx_view *v)
{
	uint32_t tail;

	if (!toe_load(&c->sleep.sleeping))
		return false;
	tail = toe_load(&c->fpc[f->id].hw.db.tail);
	if (v->rung && v->rung_tail == tail && f->now - v->rung_at < BELL_AGAIN_US)
		return false;
	/*
	 * With nothing left in the ring it was on its way already: this bell may be over before the
	 * next command.
	 */
	v->rung = tail != toe_load(&c->fpc[f->id].hw.db.head);
	v->rung_tail = tail;
	v->rung_at = f->now;
	return true;
}

/* Enough commands for what the context has to do, or they have waited long enough? */
static bool bell_due(struct toe_fpc *f, const struct toe_ctx *c, const struct toe_ctx_view *v)
{
	uint32_t at = toe_load(&c->flows_hint) / 4;

	return v->queued >= (at < BELL_AT ? at : BELL_AT) || f->now - v->since >= BELL_US;
}

void toe_host_doorbells(struct toe_fpc *f)
{
	uint32_t keep = 0;

	if (!f->nbells)
		return;
	toe_fence_full(); /* heads before the sleeping words */
	for (uint32_t i = 0; i < f->nbells; i++) {
		unsigned app = f->bells[i] / TOE_MAX_CTXS, ctx = f->bells[i] % TOE_MAX_CTXS;
		struct toe_ctx_view *v = &f->ctx[f->bells[i]];
		uint8_t *arena = toe_port_arena(f->port, app);

		if (arena && !bell_due(f, toe_arena_ctx(arena, ctx), v)) {
			f->bells[keep++] = f->bells[i];
			continue;
		}
		v->listed = 0;
		if (arena && must_wake(f, toe_arena_ctx(arena, ctx), v)) {
			toe_port_wake(f->port, app, ctx);
			toe_count(f, TOE_CNT_doorbells);
		}
	}
	f->nbells = keep;
}
