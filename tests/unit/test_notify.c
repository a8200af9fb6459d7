/* SPDX-License-Identifier: BSD-2-Clause */
/* Notifications, accept hints, doorbells and the FPC's sleep. */
#include "core_env.h"

#include "../harness/unit.h"

static struct env e;

static struct toe_ctx *ctx(struct sim_app *a, unsigned i)
{
	return toe_arena_ctx(a->arena, i);
}

static uint32_t queued(struct sim_app *a)
{
	return toe_ring_ready(&ctx(a, 0)->fpc[0].hw.db, TOE_HW_RING);
}

static void client_writes(uint64_t end)
{
	struct sim_conn *c = &e.ca->conn[0];
	struct toe_cmd cmd = { .type = TOE_SW_SEND, .flow = c->flow, .gen = c->gen, .pos = end };
	struct toe_cmd nodelay = { TOE_SW_OPTION, TOE_OPT_NODELAY, c->gen, c->flow, 1 };

	sim_cmd(e.ca, 0, &nodelay);
	sim_cmd(e.ca, 0, &cmd);
	env_pass(&e, 60, false);
}

/* One on its way is enough: the rest is in the block. */
static void notify__one_outstanding(void)
{
	struct toe_flow_block *b;

	env_up(&e);
	env_connection(&e);
	b = sim_block(e.sa, &e.sa->conn[0]);
	CU_ASSERT_EQUAL(queued(e.sa), 0);
	client_writes(100);
	client_writes(200);
	CU_ASSERT_EQUAL(queued(e.sa), 1);
	CU_ASSERT_EQUAL(b->dev.rx_end, 200);
	b->app.seen_seq = b->dev.notify_seq;
	client_writes(300);
	CU_ASSERT_EQUAL(queued(e.sa), 2);
	env_down(&e);
}

static void notify__full_ring_waits(void)
{
	struct toe_hw_ring *r;

	env_up(&e);
	env_connection(&e);
	r = &ctx(e.sa, 0)->fpc[0].hw;
	r->db.head = r->db.tail + TOE_HW_RING;
	client_writes(100);
	CU_ASSERT(sim_count(e.s, TOE_CNT_hw_ring_full) > 0);
	CU_ASSERT(toe_fpc_deadline(e.s->fpc[0]) != 0);
	CU_ASSERT_EQUAL(r->db.head - r->db.tail, TOE_HW_RING);
	/* It may sleep meanwhile, and looks again. */
	CU_ASSERT_EQUAL(toe_fpc_poll(e.s->fpc[0]), 0);
	CU_ASSERT(toe_fpc_deadline(e.s->fpc[0]) > e.w->now);
	r->db.tail = r->db.head;
	env_pass(&e, 20, false);
	CU_ASSERT_EQUAL(queued(e.sa), 1);
	env_down(&e);
}

/*
 * Killed between counting a notification and queueing it: the successor tells what the flow's end
 * was.
 */
static void notify__lost_by_a_kill(void)
{
	struct toe_cmd abort = { .type = TOE_SW_ABORT };
	struct toe_flow_block *b;
	uint32_t before;

	env_up(&e);
	env_connection(&e);
	b = sim_block(e.sa, &e.sa->conn[0]);
	abort.flow = e.ca->conn[0].flow;
	abort.gen = e.ca->conn[0].gen;
	sim_cmd(e.ca, 0, &abort);
	env_pass(&e, 60, false);
	CU_ASSERT(b->dev.flags & TOE_FLOW_ERROR);
	b->app.seen_seq = b->dev.notify_seq++;
	before = queued(e.sa);
	CU_ASSERT_EQUAL(sim_restart(e.s), 0);
	env_pass(&e, 20, false);
	CU_ASSERT_EQUAL(queued(e.sa), before + 1);
	env_down(&e);
}

/*
 * Where the windows are open: only for a send buffer that was set, as batches go on, and after a restart.
 */
static void publish__how_far_writers_may_go(void)
{
	struct toe_cmd sndbuf = { .type = TOE_SW_OPTION, .flags = TOE_OPT_SNDBUF, .pos = 30000 };
	struct toe_flow_dev *d;
	uint32_t open;

	env_up(&e);
	env_connection(&e);
	d = &sim_block(e.ca, &e.ca->conn[0])->dev;
	client_writes(100);
	CU_ASSERT_EQUAL(d->tx_burst, 0);
	CU_ASSERT_EQUAL(d->tx_open, 0);
	sndbuf.flow = e.ca->conn[0].flow;
	sndbuf.gen = e.ca->conn[0].gen;
	sim_cmd(e.ca, 0, &sndbuf);
	env_pass(&e, 20, false);
	CU_ASSERT(d->tx_burst > 30000);
	open = d->tx_open;
	CU_ASSERT(open > 100);
	client_writes(40000); /* beyond the limit, as the ring has room */
	env_pass(&e, 300, false);
	CU_ASSERT_EQUAL(d->tx_una, 40000);
	CU_ASSERT(d->tx_open > open);
	CU_ASSERT_EQUAL(sim_restart(e.c), 0);
	env_pass(&e, 20, false);
	client_writes(60000);
	env_pass(&e, 300, false);
	CU_ASSERT_EQUAL(d->tx_una, 60000);
	CU_ASSERT(d->tx_burst > 30000 && d->tx_open >= 60000);
	env_down(&e);
}

/* A flow that moves to another context is told there what is new. */
static void bind__tells_the_new_context(void)
{
	struct sim_conn *s;
	struct toe_cmd bind = { .type = TOE_SW_BIND, .pos = 5 };

	env_up(&e);
	env_connection(&e);
	s = &e.sa->conn[0];
	client_writes(100);
	e.sa->arena->ctxs |= 1 << 5;
	bind.flow = s->flow;
	bind.gen = s->gen;
	sim_cmd(e.sa, 0, &bind);
	env_pass(&e, 20, false);
	CU_ASSERT_EQUAL(toe_ring_ready(&ctx(e.sa, 5)->fpc[0].hw.db, TOE_HW_RING), 1);
	env_down(&e);
}

static void doorbell__only_for_sleepers(void)
{
	env_up(&e);
	env_connection(&e);
	e.s->woken[0] = 0;
	client_writes(100);
	CU_ASSERT_EQUAL(e.s->woken[0], 0);
	e.sa->conn[0].look = 1;
	sim_app_run(e.sa);
	ctx(e.sa, 0)->sleep.sleeping = 1;
	client_writes(200);
	CU_ASSERT_EQUAL(e.s->woken[0], 1);
	env_down(&e);
}

/* With many flows a sleeping context is woken after 20 us, not for the first command. */
static void doorbell__moderated(void)
{
	uint64_t at;

	env_up(&e);
	env_connection(&e);
	ctx(e.sa, 0)->flows_hint = 64;
	ctx(e.sa, 0)->sleep.sleeping = 1;
	e.s->woken[0] = 0;
	client_writes(0);
	sim_cmd(e.ca, 0,
		&(struct toe_cmd){
		    .type = TOE_SW_SEND, .flow = e.ca->conn[0].flow, .gen = 1, .pos = 9 });
	while (!queued(e.sa)) {
		sim_step(e.w);
		e.w->now++;
	}
	at = e.w->now;
	CU_ASSERT_EQUAL(e.s->woken[0], 0);
	while (!e.s->woken[0] && e.w->now < at + 100) {
		sim_step(e.w);
		e.w->now++;
	}
	CU_ASSERT(e.w->now - at >= 15 && e.w->now - at <= 25);
	env_down(&e);
}

/* Nobody takes the connection: after 10 ms the next waiting context is told. */
static void accept__hints_go_round(void)
{
	struct toe_cmd c;

	env_up(&e);
	sim_app_listen(e.sa, 0, 80, 8);
	e.sa->arena->ctxs = 1 << 3 | 1 << 9;
	toe_arena_listener(e.sa->arena, 0)->waiters = 1 << 3 | 1 << 9;
	e.sa->arena->ctxs |= 1;
	env_pass(&e, 20, false);
	sim_app_connect(e.ca, e.s, 80);
	env_pass(&e, 200, false);
	CU_ASSERT_EQUAL(ctx(e.sa, 3)->fpc[0].hw.db.head, 1);
	CU_ASSERT_EQUAL(ctx(e.sa, 9)->fpc[0].hw.db.head, 0);
	CU_ASSERT_EQUAL(ctx(e.sa, 3)->fpc[0].hw.cmd[0].pos, TOE_HINT_YOURS);
	env_pass(&e, 21000, false);
	CU_ASSERT(ctx(e.sa, 9)->fpc[0].hw.db.head >= 1);
	c = ctx(e.sa, 9)->fpc[0].hw.cmd[0];
	CU_ASSERT_EQUAL(c.type, TOE_HW_LISTEN_ESTABLISHED);
	CU_ASSERT_EQUAL(c.pos, TOE_HINT_ANY);
	env_down(&e);
}

static void sleep__not_with_work_waiting(void)
{
	struct toe_fpc *f;

	env_up(&e);
	env_connection(&e);
	f = e.c->fpc[0];
	env_pass(&e, 300000, true);
	CU_ASSERT(toe_fpc_sleep_begin(f));
	CU_ASSERT_EQUAL(e.ca->arena->fpc[0].sleeping, 1);
	CU_ASSERT_EQUAL(e.c->ctrl->fpc[0].sleeping, 1);
	toe_fpc_awake(f);
	CU_ASSERT_EQUAL(e.ca->arena->fpc[0].sleeping, 0);
	sim_cmd(e.ca, 0, &(struct toe_cmd){ .type = 99 });
	CU_ASSERT(!toe_fpc_sleep_begin(f));
	CU_ASSERT_EQUAL(e.ca->arena->fpc[0].sleeping, 0);
	env_down(&e);
}

UNIT_MAIN("notify", T(publish__how_far_writers_may_go), T(notify__one_outstanding),
	  T(notify__full_ring_waits), T(notify__lost_by_a_kill), T(bind__tells_the_new_context),
	  T(doorbell__only_for_sleepers), T(doorbell__moderated), T(accept__hints_go_round),
	  T(sleep__not_with_work_waiting))
