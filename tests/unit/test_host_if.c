/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands of an application that cannot be believed. */
#include "core_env.h"

#include "../harness/unit.h"

static struct env e;
static struct sim_conn *c;

static void up(void)
{
	env_up(&e);
	c = env_connection(&e);
	CU_ASSERT_EQUAL(c->established, 1);
}

static void give(uint8_t type, uint32_t flow, uint16_t gen, uint64_t pos)
{
	struct toe_cmd cmd = { .type = type, .flow = flow, .gen = gen, .pos = pos };

	CU_ASSERT(sim_cmd(e.ca, 0, &cmd));
	env_pass(&e, 50, false);
}

static void command__unknown_type(void)
{
	up();
	give(0, c->flow, c->gen, 0);
	give(200, c->flow, c->gen, 0);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_refuse_type), 2);
	env_down(&e);
}

static void command__flow_that_is_not_its_own(void)
{
	up();
	give(TOE_SW_CLOSE, c->flow ^ 1, c->gen, 0);
	give(TOE_SW_CLOSE, 0xfffffff0u, c->gen, 0);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_refuse_flow), 2);
	e.c->ent[c->flow].app = 7;
	give(TOE_SW_ABORT, c->flow, c->gen, 0);
	e.c->ent[c->flow].app = 0;
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_refuse_flow), 3);
	CU_ASSERT_EQUAL(sim_block(e.ca, c)->dev.state, TOE_TCP_ESTABLISHED);
	env_down(&e);
}

static void command__earlier_life(void)
{
	up();
	give(TOE_SW_ABORT, c->flow, (uint16_t)(c->gen - 1), 0);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_refuse_gen), 1);
	CU_ASSERT_EQUAL(sim_block(e.ca, c)->dev.state, TOE_TCP_ESTABLISHED);
	env_down(&e);
}

static void command__positions_outside(void)
{
	up();
	give(TOE_SW_SEND, c->flow, c->gen, TOE_BUF_DEFAULT + 1);
	give(TOE_SW_SEND, c->flow, c->gen, UINT64_MAX);
	give(TOE_SW_RECV, c->flow, c->gen, 1);
	give(TOE_SW_RECV, c->flow, c->gen, UINT64_MAX);
	give(TOE_SW_SHUTDOWN, c->flow, c->gen, 1ull << 40);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_refuse_pos), 5);
	CU_ASSERT_EQUAL(sim_block(e.ca, c)->dev.state, TOE_TCP_ESTABLISHED);
	env_down(&e);
}

static void command__bad_listener_context_and_grant(void)
{
	up();
	give(TOE_SW_LISTEN, TOE_MAX_LISTENERS, 0, 5);
	give(TOE_SW_LISTEN, 3, 0, 5); /* without an endpoint nothing can arrive */
	give(TOE_SW_BIND, c->flow, c->gen, TOE_MAX_CTXS);
	give(TOE_SW_CONNECT, TOE_MAX_GRANTS, 0, 0);
	give(TOE_SW_CONNECT, 5, 0, 0); /* not granted */
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_refuse_grant), 4);
	env_down(&e);
}

/* A head that lies costs as many entries as the ring has, no more. */
static void ring__impossible_head(void)
{
	struct toe_sw_ring *r;

	up();
	r = &toe_arena_ctx(e.ca->arena, 0)->fpc[0].sw;
	r->db.head = r->db.tail + 0x7fffffff;
	for (int i = 0; i < 100; i++)
		sim_poll(e.c, 1);
	CU_ASSERT_EQUAL(sim_block(e.ca, c)->dev.state, TOE_TCP_ESTABLISHED);
	env_down(&e);
}

/* The tail moves once the batch is committed, and a command that comes twice changes nothing. */
static void command__twice_is_harmless(void)
{
	struct sim_conn *s;

	up();
	s = &e.sa->conn[0];
	give(TOE_SW_SEND, c->flow, c->gen, 1000);
	give(TOE_SW_SEND, c->flow, c->gen, 1000);
	env_pass(&e, 100, false);
	CU_ASSERT_EQUAL(sim_block(e.sa, s)->dev.rx_end, 1000);
	give(TOE_SW_SHUTDOWN, c->flow, c->gen, 1000);
	give(TOE_SW_SHUTDOWN, c->flow, c->gen, 1000);
	env_pass(&e, 100, false);
	CU_ASSERT_EQUAL(sim_block(e.sa, s)->dev.flags & TOE_FLOW_RX_FIN, TOE_FLOW_RX_FIN);
	CU_ASSERT_EQUAL(sim_block(e.sa, s)->dev.rx_end, 1000);
	env_down(&e);
}

/*
 * The flow's block stays until the application has closed, then the id is free and late commands
 * are refused.
 */
static void close__after_reset_frees(void)
{
	struct toe_flow_block *b;

	up();
	b = sim_block(e.ca, c);
	give(TOE_SW_BIND, c->flow, c->gen, 0);
	CU_ASSERT(sim_cmd(
	    e.sa, 0,
	    &(struct toe_cmd){ .type = TOE_SW_ABORT, .flow = e.sa->conn[0].flow, .gen = 1 }));
	env_pass(&e, 100, false);
	CU_ASSERT_EQUAL(b->dev.flags & TOE_FLOW_ERROR, TOE_FLOW_ERROR);
	CU_ASSERT_EQUAL(b->dev.error, 104);
	CU_ASSERT_EQUAL(e.c->ent[c->flow].life, TOE_LIFE_LIVE);
	give(TOE_SW_CLOSE, c->flow, c->gen, 0);
	CU_ASSERT_EQUAL(e.c->ent[c->flow].life, TOE_LIFE_FREE);
	CU_ASSERT_EQUAL(b->dev.flags & TOE_FLOW_CLOSED, TOE_FLOW_CLOSED);
	give(TOE_SW_CLOSE, c->flow, c->gen, 0);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_refuse_flow), 1);
	env_down(&e);
}

/*
 * No room for the answer to a connect: the FPC may sleep, and takes the command when there is some.
 */
static void connect__waits_for_room(void)
{
	struct toe_hw_ring *r;

	env_up(&e);
	sim_app_listen(e.sa, 0, 80, 8);
	env_pass(&e, 50, true);
	r = &toe_arena_ctx(e.ca->arena, 0)->fpc[0].hw;
	r->db.head = r->db.tail + TOE_HW_RING;
	sim_app_connect(e.ca, e.s, 80);
	env_pass(&e, 50, false);
	CU_ASSERT_EQUAL(toe_fpc_poll(e.c->fpc[0]), 0);
	CU_ASSERT(toe_fpc_sleep_begin(e.c->fpc[0]));
	toe_fpc_awake(e.c->fpc[0]);
	CU_ASSERT(toe_fpc_deadline(e.c->fpc[0]) > e.w->now);
	CU_ASSERT(toe_fpc_deadline(e.c->fpc[0]) <= e.w->now + 1000);
	r->db.tail = r->db.head;
	env_pass(&e, 300, true);
	CU_ASSERT_EQUAL(e.ca->connected, 1);
	CU_ASSERT_EQUAL(toe_fpc_deadline(e.c->fpc[0]), 0);
	env_down(&e);
}

UNIT_MAIN("host_if", T(command__unknown_type), T(command__flow_that_is_not_its_own),
	  T(command__earlier_life), T(command__positions_outside),
	  T(command__bad_listener_context_and_grant), T(ring__impossible_head),
	  T(command__twice_is_harmless), T(close__after_reset_frees), T(connect__waits_for_room))
