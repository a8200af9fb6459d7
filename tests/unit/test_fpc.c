/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/core/fpc.c: whose segments say where the peer is on the link; what it counts; its sleep. */
#include "core_env.h"
#include "raw_frame.h"

#include "../harness/unit.h"

static struct env e;
static uint8_t other[6] = { 2, 0, 0, 0, 0, 0x66 };

static const struct toe_tcb *tcb(void)
{
	return toe_engine_peek(e.s->state, e.s->ctrl, &e.s->ent[e.sa->conn[0].flow]);
}

/* A connection that has received something. */
static void up(void)
{
	struct sim_conn *c;

	env_up(&e);
	c = env_connection(&e);
	c->tx_goal = 3000;
	c->look = 1;
	env_pass(&e, 2000, true);
	CU_ASSERT(tcb()->rcv_nxt - tcb()->rcv_first >= 3000);
}

/* A segment arrives from another link address, with numbers so far from those that are next. */
static void arrive(const struct toe_seg *off)
{
	const struct toe_tuple *t = &e.s->ent[e.sa->conn[0].flow].tuple;
	struct toe_seg s = *off;
	uint8_t frame[RAW_MAX];

	s.seq += (uint32_t)tcb()->rcv_nxt;
	s.ack += (uint32_t)tcb()->snd_una;
	s.tsval += tcb()->ts_recent;
	s.opts |= TOE_SEG_TS;
	s.wnd = 500;
	other[5]++;
	sim_receive(e.s, frame, raw_frame(frame, e.s->ctrl->dev[0].mac, other, t, &s));
	env_pass(&e, 20, false);
}

/* Is such a segment taken for the peer's? */
static bool moves(uint8_t flags, int32_t seq, int32_t ack, int32_t tsval, uint32_t len)
{
	struct toe_seg off = { .flags = flags,
			       .seq = (uint32_t)seq,
			       .ack = (uint32_t)ack,
			       .tsval = (uint32_t)tsval,
			       .len = len };
	uint8_t was[6];

	memcpy(was, tcb()->peer_mac, 6);
	arrive(&off);
	return memcmp(tcb()->peer_mac, was, 6) != 0;
}

/* Who guesses at a connection does not draw its segments to himself. */
static void link_address__not_by_guessing(void)
{
	up();
	CU_ASSERT_FALSE(moves(TOE_ACK, -1000000000, 0, 0, 10)); /* wholly old */
	CU_ASSERT_FALSE(
	    moves(TOE_ACK, -10, 1000000000, 0, 10)); /* acknowledges what was not sent */
	CU_ASSERT_FALSE(moves(TOE_ACK, -10, -1000000000, 0, 10)); /* or long ago */
	CU_ASSERT_FALSE(moves(TOE_ACK, -10, 0, -1000, 10)); /* PAWS */
	CU_ASSERT_FALSE(moves(TOE_RST, 100, 0, 0, 0)); /* inside the window, and challenged */
	CU_ASSERT_FALSE(moves(TOE_RST | TOE_ACK, 100, 0, 0, 0));
	CU_ASSERT_FALSE(moves(TOE_SYN, 100, 0, 0, 0));
	CU_ASSERT_FALSE(moves(TOE_PSH, 0, 0, 0, 10)); /* without ACK */
	env_down(&e);
}

/* The peer is behind another router now: whatever comes from there first says so. */
static void link_address__follows_the_peer(void)
{
	static const struct {
		int32_t seq;
		uint32_t len;
	} row[] = { { 0, 10 }, { 0, 0 }, { -10, 10 }, { -1, 0 }, { 1000, 10 } };

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		up();
		CU_ASSERT_TRUE(moves(TOE_ACK, row[i].seq, 0, 0, row[i].len));
		env_down(&e);
	}
}

/* What a router has marked is counted, whether or not the connection has agreed to ECN. */
static void input__counts_marks(void)
{
	struct toe_seg s = { .flags = TOE_ACK, .len = 10 };

	up();
	arrive(&s);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_rx_ce), 0);
	s.opts = TOE_SEG_CE;
	arrive(&s);
	arrive(&s);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_rx_ce), 2);
	env_down(&e);
}

/* An FPC that asks a device which takes nothing has done nothing: it sleeps for a millisecond. */
static void poll__sleeps_while_the_device_refuses(void)
{
	struct toe_cmd cmd = { .type = TOE_SW_SEND, .pos = 30000 };
	struct sim_conn *c;
	struct toe_fpc *f;

	env_up(&e);
	c = env_connection(&e);
	cmd.gen = c->gen;
	cmd.flow = c->flow;
	f = e.c->fpc[c->fpc];
	sim_jam(e.c, 100000);
	sim_cmd(e.ca, c->fpc, &cmd);
	CU_ASSERT(toe_fpc_poll(f));
	CU_ASSERT_EQUAL(toe_fpc_poll(f), 0);
	CU_ASSERT_EQUAL(toe_fpc_deadline(f), e.w->now + 1000);
	e.w->now += 100000;
	CU_ASSERT(toe_fpc_poll(f));
	env_down(&e);
}

UNIT_MAIN("fpc", T(poll__sleeps_while_the_device_refuses), T(link_address__not_by_guessing),
	  T(link_address__follows_the_peer), T(input__counts_marks))
