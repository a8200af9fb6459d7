/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SW CMDs: the host's side of the command path. Nothing in an arena is believed: a command is
 * copied out of its ring, then checked. The ring's tail moves after the commits of the batch, so a
 * command may come twice, which its absolute positions make harmless.
 */
#include "fpc.h"

#include "../lib/errno.h"

static void refuse(struct toe_fpc *f, enum toe_counter why)
{
	toe_count(f, why);
}

/* The flow that a command speaks of, if it is the application's and lives. */
static bool flow_ok(struct toe_fpc *f, unsigned app, const struct toe_cmd *c)
{
	const struct toe_flow_ent *e;

	if (!toe_owns(f, c->flow)) {
		refuse(f, TOE_CNT_refuse_flow);
		return false;
	}
	e = &f->ent[c->flow];
	if (e->life != TOE_LIFE_LIVE || e->app != app) {
		refuse(f, TOE_CNT_refuse_flow);
		return false;
	}
	if (e->gen != c->gen) {
		refuse(f, TOE_CNT_refuse_gen);
		return false;
	}
	return true;
}

/* What TCP made of a command: actions, or a negative errno. */
static void carry(struct toe_fpc *f, struct toe_work *w, int64_t r)
{
	if (r < 0)
		refuse(f, TOE_CNT_refuse_pos);
	else
		w->act |= (uint32_t)r;
}

/*
 * `end`: of the data, for an application whose TOE_SW_SEND may still lie in another ring; ignored
 * if it is not ahead.
 */
static void do_close(struct toe_fpc *f, struct toe_work *w, uint64_t end)
{
	int64_t r = toe_tcp_send(w->t, end, 0, f->now);

	if (r > 0)
		w->act |= (uint32_t)r;
	/* What was read but not told yet is not unread. */
	r = toe_tcp_recv(w->t, toe_load(&w->b->app.rx_read), f->now);
	if (r > 0)
		w->act |= (uint32_t)r;
	w->act |= toe_tcp_close(w->t, f->now);
	w->t->flags |= TOE_TCB_CLOSED_BY_APP;
}

static void do_shutdown(struct toe_fpc *f, struct toe_work *w, const struct toe_cmd *c)
{
	int64_t r = toe_tcp_send(w->t, c->pos, 0, f->now);

	carry(f, w, r);
	if (r < 0)
		return;
	w->act |= toe_tcp_shutdown(w->t, f->now);
	if (c->flags & TOE_SHUT_BOTH)
		w->t->opts |= TOE_TCB_DEAF;
}

/*
 * The context takes the flow's notifications. What it may have missed is told again; one that is
 * still on its way to another context, where perhaps nobody will ever take it, must not keep back
 * those that follow.
 */
static void do_bind(struct toe_fpc *f, unsigned app, uint32_t flow, uint64_t ctx)
{
	struct toe_flow_block *b = toe_arena_flow(toe_port_arena(f->port, app), flow);
	uint32_t seen;
	bool elsewhere;

	if (ctx >= TOE_MAX_CTXS) {
		refuse(f, TOE_CNT_refuse_grant);
		return;
	}
	toe_accept_taken(f, flow);
	toe_soft(f, flow)->ctx = (uint8_t)ctx;
	seen = toe_load(&b->app.seen_seq);
	elsewhere = b->dev.notify_seq != seen;
	toe_store(&b->dev.notify_seq, seen);
	if (b->dev.flags & TOE_FLOW_ERROR)
		toe_host_notify(f, flow, TOE_HW_RESET, true);
	else if (elsewhere || b->dev.rx_end != toe_load(&b->app.rx_read) ||
		 b->dev.flags & TOE_FLOW_RX_FIN)
		toe_host_notify(f, flow, TOE_HW_DATA_RECEIVED, true);
}

/* A context asks about a flow: its token in the answer says that all of it is there. */
static void do_info(struct toe_fpc *f, unsigned app, unsigned ctx, const struct toe_tcb *t,
		    uint64_t token)
{
	struct toe_flow_info *to = &toe_arena_ctx(toe_port_arena(f->port, app), ctx)->info;
	struct toe_flow_info i;

	toe_tcp_info(t, f->now, &i);
	memcpy((uint8_t *)to + sizeof(to->token), (uint8_t *)&i + sizeof(i.token),
	       sizeof(i) - sizeof(i.token));
	toe_store_release(&to->token, (uint32_t)token);
}

/*
 * The connection is over. After an error nobody waits for the answer, which might come between one of
 * another FPC and who reads that.
 */
static void info_dead(struct toe_fpc *f, unsigned app, unsigned ctx, const struct toe_cmd *c)
{
	const struct toe_tcb *t = toe_flow_tcb(f, c->flow);

	if (!t->error)
		do_info(f, app, ctx, t, c->pos);
}

static void flow_command(struct toe_fpc *f, unsigned app, unsigned ctx, const struct toe_cmd *c)
{
	struct toe_work *w;

	if (!flow_ok(f, app, c))
		return;
	if (c->type == TOE_SW_BIND) {
		do_bind(f, app, c->flow, c->pos);
		return;
	}
	if (toe_soft(f, c->flow)->kind == TOE_SOFT_DEAD) {
		if (c->type == TOE_SW_CLOSE || c->type == TOE_SW_ABORT)
			toe_flow_free(f, c->flow);
		else if (c->type == TOE_SW_INFO)
			info_dead(f, app, ctx, c);
		return;
	}
	if (c->type == TOE_SW_ABORT) {
		toe_flow_abort(f, c->flow, ECONNABORTED, true);
		return;
	}
	w = toe_fpc_open_hot(f, c->flow);
	if (!w)
		return;
	w->cold |= (c->type != TOE_SW_SEND && c->type != TOE_SW_RECV) ||
		   w->t->state != TOE_TCP_ESTABLISHED;
	switch (c->type) {
	case TOE_SW_SEND:
		carry(f, w, toe_tcp_send(w->t, c->pos, c->flags, f->now));
		break;
	case TOE_SW_RECV:
		carry(f, w, toe_tcp_recv(w->t, c->pos, f->now));
		break;
	case TOE_SW_CLOSE:
		do_close(f, w, c->pos);
		break;
	case TOE_SW_SHUTDOWN:
		do_shutdown(f, w, c);
		break;
	case TOE_SW_OPTION:
		carry(f, w, toe_tcp_option(w->t, c->flags, c->pos, f->now));
		break;
	case TOE_SW_INFO:
		do_info(f, app, ctx, w->t, c->pos);
		break;
	}
}

/* False: closing is not finished, the command stays in the ring. */
static bool listen_command(struct toe_fpc *f, unsigned app, const struct toe_cmd *c)
{
	uint32_t *backlog;

	if (c->flow >= TOE_MAX_LISTENERS) {
		refuse(f, TOE_CNT_refuse_grant);
		return true;
	}
	backlog = &f->listen[app * TOE_MAX_LISTENERS + c->flow];
	if (!c->pos) {
		toe_store(backlog, 0);
		return toe_sweep_step(f, TOE_SWEEP_LISTENER, app, c->flow);
	}
	toe_store(backlog, c->pos < TOE_ACCEPT_RING ? (uint32_t)c->pos : (uint32_t)TOE_ACCEPT_RING);
	return true;
}

/* False: there is no room for the answer yet. */
static bool connect_command(struct toe_fpc *f, unsigned app, unsigned ctx, const struct toe_cmd *c)
{
	struct toe_cmd answer = { .type = TOE_HW_FLOW_ASSIGNED,
				  .flow = TOE_FLOW_NONE,
				  .pos = c->pos };
	int err;

	if (!toe_hw_room(f, app, ctx))
		return false;
	err = toe_sched_connect(f, app, ctx, c->flow, (uint32_t)c->pos, &answer.flow);
	if (err) {
		refuse(f, TOE_CNT_refuse_grant);
		answer.flags = (uint8_t)-err;
		answer.flow = TOE_FLOW_NONE;
	} else {
		answer.gen = f->ent[answer.flow].gen;
	}
	toe_hw_push(f, app, ctx, &answer);
	return true;
}

/* False: the command must wait, and those behind it. */
static bool command(struct toe_fpc *f, unsigned app, unsigned ctx, const struct toe_cmd *c)
{
	switch (c->type) {
	case TOE_SW_LISTEN:
		return listen_command(f, app, c);
	case TOE_SW_CONNECT:
		return connect_command(f, app, ctx, c);
	case TOE_SW_SEND:
	case TOE_SW_RECV:
	case TOE_SW_CLOSE:
	case TOE_SW_SHUTDOWN:
	case TOE_SW_ABORT:
	case TOE_SW_OPTION:
	case TOE_SW_BIND:
	case TOE_SW_INFO:
		flow_command(f, app, ctx, c);
		return true;
	default:
		refuse(f, TOE_CNT_refuse_type);
		return true;
	}
}

/* The ring's entries may be overwritten once the batch is committed. */
void toe_host_taken(struct toe_fpc *f, struct toe_doorbell *db, uint32_t n)
{
	if (f->ntaken == TOE_TAKEN) {
		toe_fpc_flush(f);
		toe_host_release(f);
	}
	f->taken[f->ntaken].db = db;
	f->taken[f->ntaken++].n = n;
}

void toe_host_release(struct toe_fpc *f)
{
	for (uint32_t i = 0; i < f->ntaken; i++)
		toe_ring_release(f->taken[i].db, f->taken[i].n);
	f->ntaken = 0;
}

static unsigned drain(struct toe_fpc *f, unsigned app, unsigned ctx, struct toe_sw_ring *r)
{
	uint32_t n = toe_ring_ready(&r->db, TOE_SW_RING), tail, i, begun = 0;

	if (!n)
		return 0;
	if (n > TOE_CMD_BURST)
		n = TOE_CMD_BURST;
	tail = toe_load(&r->db.tail);
	for (i = 0; i < n; i++) {
		struct toe_cmd c;

		memcpy(&c, (const void *)&r->cmd[(tail + i) & (TOE_SW_RING - 1)], sizeof(c));
		__asm__ volatile("" ::: "memory"); /* checks and use must see the same copy */
		if (!command(f, app, ctx, &c)) {
			if (c.type == TOE_SW_CONNECT)
				f->blocked++;
			else
				begun = 1; /* it goes on in the next batch */
			break;
		}
	}
	toe_count_n(f, TOE_CNT_cmd_sw, i);
	if (i)
		toe_host_taken(f, &r->db, i);
	return i + begun;
}

/* The application's arena, if it may speak. A new one learns that this FPC is awake. */
static struct toe_arena_hdr *app_arena(struct toe_fpc *f, unsigned app)
{
	struct toe_arena_hdr *h;

	if (toe_load_acquire(&f->ctrl->app_state[app]) != TOE_APP_READY)
		return NULL;
	h = toe_port_arena(f->port, app);
	if (h && !f->app_known[app]) {
		f->app_known[app] = 1;
		toe_store(&h->fpc[f->id].sleeping, 0);
	}
	return h;
}

unsigned toe_host_commands(struct toe_fpc *f)
{
	unsigned n = 0;

	f->blocked = 0;
	for (unsigned app = 0; app < TOE_MAX_APPS; app++) {
		struct toe_arena_hdr *h = app_arena(f, app);
		uint64_t ctxs = h ? toe_load(&h->ctxs) : 0;

		for (; ctxs; ctxs &= ctxs - 1) {
			unsigned ctx = (unsigned)__builtin_ctzll(ctxs);

			n += drain(f, app, ctx, &toe_arena_ctx(h, ctx)->fpc[f->id].sw);
		}
	}
	return n;
}

/*
 * Is there a command that nobody has taken, and that could be? Those that wait for room are looked
 * at in time.
 */
bool toe_host_pending(struct toe_fpc *f)
{
	uint32_t ready = 0;

	for (unsigned app = 0; app < TOE_MAX_APPS; app++) {
		struct toe_arena_hdr *h = app_arena(f, app);
		uint64_t ctxs = h ? toe_load(&h->ctxs) : 0;

		for (; ctxs; ctxs &= ctxs - 1) {
			struct toe_ctx *c = toe_arena_ctx(h, (unsigned)__builtin_ctzll(ctxs));

			ready += toe_ring_ready(&c->fpc[f->id].sw.db, TOE_SW_RING) != 0;
		}
	}
	return ready > f->blocked || toe_ring_ready(&f->ctrl->admin[f->id].db, TOE_SW_RING);
}

/* Tell every application whether its commands need a doorbell. */
void toe_host_sleeping(struct toe_fpc *f, uint32_t sleeping)
{
	toe_store(&f->ctrl->fpc[f->id].sleeping, sleeping);
	for (unsigned app = 0; app < TOE_MAX_APPS; app++) {
		struct toe_arena_hdr *h = app_arena(f, app);

		if (h)
			toe_store(&h->fpc[f->id].sleeping, sleeping);
	}
}
