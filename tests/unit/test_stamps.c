/* SPDX-License-Identifier: BSD-2-Clause */
/* core/stamps.c: timestamps reach the flow's rings. */
#include "core_env.h"

#include "../harness/unit.h"

static struct env e;
static struct sim_conn *c;
static struct toe_flow_stamps *rings;

static void up(void)
{
	env_up(&e);
	c = env_connection(&e);
	rings = toe_arena_stamps(e.ca->arena, c->flow);
}

static void give(uint8_t type, uint8_t flags, uint64_t pos)
{
	struct toe_cmd cmd = {
		.type = type, .flags = flags, .gen = c->gen, .flow = c->flow, .pos = pos
	};

	CU_ASSERT(sim_cmd(e.ca, 0, &cmd));
	env_pass(&e, 200, false);
}

/* The application is told of each, also while it takes nothing. */
static void tx__a_full_ring_loses_the_newest(void)
{
	const uint8_t snd = 1 << (TOE_STAMP_SND + TOE_SEND_STAMP_SHIFT);
	uint64_t before;

	up();
	give(TOE_SW_OPTION, TOE_OPT_NODELAY, 1);
	before = e.w->now;
	for (unsigned i = 1; i <= TOE_STAMPS + 3; i++)
		give(TOE_SW_SEND, snd, i);
	CU_ASSERT_EQUAL(rings->tx_db.head, TOE_STAMPS);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_stamps_lost), 3);
	for (unsigned i = 0; i < TOE_STAMPS; i++) {
		CU_ASSERT_EQUAL(rings->tx[i].pos, i + 1);
		CU_ASSERT_EQUAL(rings->tx[i].kind, TOE_STAMP_SND);
		CU_ASSERT_EQUAL(rings->tx[i].gen, c->gen);
		CU_ASSERT(rings->tx[i].at >= before && rings->tx[i].at < e.w->now);
		before = rings->tx[i].at;
	}
	rings->tx_db.tail = TOE_STAMPS;
	give(TOE_SW_SEND, snd, TOE_STAMPS + 4);
	CU_ASSERT_EQUAL(rings->tx[0].pos, TOE_STAMPS + 4);
	env_down(&e);
}

/* More sends at once than marks are kept: the rest is counted. */
static void tx__too_many_at_once(void)
{
	struct toe_cmd cmd = { .type = TOE_SW_SEND, .flags = 1 << TOE_SEND_STAMP_SHIFT };

	up();
	cmd.gen = c->gen;
	cmd.flow = c->flow;
	for (unsigned i = 1; i <= TOE_MAX_MARKS + 8; i++) {
		cmd.pos = i;
		CU_ASSERT(sim_cmd(e.ca, 0, &cmd));
	}
	env_pass(&e, 200, false);
	CU_ASSERT_EQUAL(rings->tx_db.head, TOE_MAX_MARKS);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_stamps_lost), 8);
	env_down(&e);
}

/* Nothing is written for who does not ask. */
static void rx__only_when_asked(void)
{
	struct toe_flow_stamps *r;
	uint64_t now;

	up();
	r = toe_arena_stamps(e.sa->arena, e.sa->conn[0].flow);
	give(TOE_SW_SEND, 0, 10);
	CU_ASSERT_EQUAL(r->rx_head, 0);
	CU_ASSERT_EQUAL(rings->tx_db.head, 0);
	now = e.w->now;
	struct toe_cmd on = { .type = TOE_SW_OPTION,
			      .flags = TOE_OPT_STAMP_RX,
			      .gen = e.sa->conn[0].gen,
			      .flow = e.sa->conn[0].flow,
			      .pos = 1 };
	CU_ASSERT(sim_cmd(e.sa, 0, &on));
	env_pass(&e, 50, false);
	give(TOE_SW_SEND, 0, 20);
	CU_ASSERT_EQUAL(r->rx_head, 1);
	CU_ASSERT_EQUAL(r->rx[0].pos, 20);
	CU_ASSERT(r->rx[0].at > now && r->rx[0].at < e.w->now);
	on.pos = 0;
	CU_ASSERT(sim_cmd(e.sa, 0, &on));
	env_pass(&e, 50, false);
	give(TOE_SW_SEND, 0, 30);
	CU_ASSERT_EQUAL(r->rx_head, 1);
	env_down(&e);
}

UNIT_MAIN("stamps", T(tx__a_full_ring_loses_the_newest), T(tx__too_many_at_once),
	  T(rx__only_when_asked))
