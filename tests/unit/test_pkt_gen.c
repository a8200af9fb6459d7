/* SPDX-License-Identifier: BSD-2-Clause */
/* core/pkt_gen.c: what the frames say that TCP does not decide. */
#include <errno.h>

#include "core_env.h"
#include "raw_frame.h"
#include "../harness/unit.h"

enum { CONNS = 6, HEARD = 512 };

/* What left a host: the identification of each IPv4 packet, by the connection's own port. */
static struct {
	uint16_t id[HEARD], port[HEARD];
	bool fragment[HEARD];
	unsigned n;
} heard;

static void listen_in(struct toe_port *p, const uint8_t *frame, uint32_t len)
{
	const struct toe_ipv4 *ip = (const void *)(frame + SIM_ETH);
	const struct toe_tcph *th = (const void *)(ip + 1);

	if (heard.n < HEARD) {
		heard.id[heard.n] = toe_be16(ip->id);
		heard.fragment[heard.n] = !(toe_be16(ip->frag) & TOE_IP_DF);
		heard.port[heard.n++] = toe_be16(th->sport);
	}
	sim_send(p->peer, NULL, frame, len);
}

/* Connections of the client, which takes turns in writing on them. */
static void talk(struct env *e, uint8_t pmtudisc, struct sim_conn *c[CONNS])
{
	heard.n = 0;
	e->c->sink = listen_in;
	sim_app_listen(e->sa, 0, 80, 8);
	env_pass(e, 50, true);
	for (unsigned i = 0; i < CONNS; i++) {
		for (unsigned g = 0; g < TOE_MAX_GRANTS; g++)
			toe_arena_grant_opts(e->c->arena[0], g)->pmtudisc = pmtudisc;
		c[i] = sim_app_connect(e->ca, e->s, 80);
		env_pass(e, 300, true);
	}
	for (unsigned i = 0; i < 10 * CONNS; i++) {
		struct sim_conn *s = c[i % CONNS];
		struct toe_cmd cmd = { TOE_SW_SEND, 0, s->gen, s->flow, s->tx_end + i / CONNS + 1 };

		sim_cmd(e->ca, s->fpc, &cmd);
		env_pass(e, 100, true);
	}
}

/* A connection's packets tell nothing of what goes to others. */
static void id__of_each_connection(void)
{
	struct sim_conn *c[CONNS];
	struct env e;

	env_up(&e);
	talk(&e, 0, c);
	for (unsigned i = 0; i < CONNS; i++) {
		uint16_t last = 0;
		unsigned n = 0;

		for (unsigned k = 0; k < heard.n; k++) {
			if (heard.port[k] != c[i]->port)
				continue;
			CU_ASSERT(!heard.fragment[k] &&
				  (!n || heard.id[k] == (uint16_t)(last + 1)));
			last = heard.id[k];
			n++;
		}
		CU_ASSERT(n > 10);
	}
	env_down(&e);
}

/* RFC 6864 4.3: between two hosts those that may be fragmented have all different ones, whatever the FPC. */
static void id__of_fragments(void)
{
	struct sim_conn *c[CONNS];
	unsigned fpcs = 0;
	struct env e;

	env_up_with(&e, 16, 2);
	talk(&e, 1 + TOE_PMTUDISC_DONT, c);
	for (unsigned i = 0; i < CONNS; i++)
		fpcs |= 1u << c[i]->fpc;
	CU_ASSERT_EQUAL(fpcs, 3);
	CU_ASSERT(heard.n > 10 * CONNS && heard.n < HEARD);
	for (unsigned k = 0; k < heard.n; k++) {
		CU_ASSERT(heard.fragment[k]);
		for (unsigned i = 0; i < k; i++)
			CU_ASSERT(heard.id[i] != heard.id[k]);
	}
	env_down(&e);
}

/* Each FPC keeps to its own, however far it has come: also where they are no power of two. */
static void id__of_three_fpcs(void)
{
	struct sim_conn *c[CONNS];
	uint16_t rest[TOE_MAX_FPCS] = { 0 };
	unsigned seen = 0;
	struct env e;

	env_up_with(&e, 16, 3);
	for (unsigned i = 0; i < 3; i++)
		e.c->fpc[i]->ip_id = 65534; /* numbers come round on the way */
	talk(&e, 1 + TOE_PMTUDISC_DONT, c);
	for (unsigned i = 0; i < CONNS; i++)
		rest[c[i]->fpc] = 1;
	CU_ASSERT(rest[0] + rest[1] + rest[2] > 1);
	for (unsigned k = 0; k < heard.n; k++)
		for (unsigned i = 0; i < CONNS; i++)
			if (heard.port[k] == c[i]->port) {
				CU_ASSERT_EQUAL(heard.id[k] % 3, c[i]->fpc);
				seen++;
			}
	CU_ASSERT(seen > 10 * CONNS);
	env_down(&e);
}

/* Who asks at a closed port cannot count what we send. */
static void id__of_answers(void)
{
	struct toe_tuple t = { 0 };
	struct toe_seg syn = { .flags = TOE_SYN, .seq = 1000, .wnd = 1000 };
	uint8_t frame[RAW_MAX], mac[6] = { 2, 0, 0, 0, 0, 2 };
	struct env e;

	env_up(&e);
	heard.n = 0;
	e.c->sink = listen_in;
	memset(t.laddr + 10, 0xff, 2);
	memset(t.raddr + 10, 0xff, 2);
	memcpy(t.laddr + 12, "\12\0\0\1", 4);
	memcpy(t.raddr + 12, "\12\0\0\2", 4);
	t.rport = toe_be16(1000);
	for (unsigned i = 0; i < 3; i++) {
		t.lport = toe_be16((uint16_t)(81 + i));
		sim_receive(e.c, frame, raw_frame(frame, e.c->ctrl->dev[0].mac, mac, &t, &syn));
		env_pass(&e, 100, false);
	}
	CU_ASSERT_EQUAL(heard.n, 3);
	for (unsigned i = 0; i < heard.n; i++)
		CU_ASSERT_EQUAL(heard.id[i], 0);
	env_down(&e);
}

/* No frame is free, nor comes free. */
static void jam(struct toe_port *p, unsigned *had)
{
	*had = p->nfree + p->fpc[0]->spare[0].n;
	for (unsigned i = 0; i < p->fpc[0]->spare[0].n; i++)
		p->free[p->nfree + i] = p->fpc[0]->spare[0].f[i].id;
	p->nfree = p->fpc[0]->spare[0].n = p->fpc[0]->spare[0].room = 0;
}

/* A device that takes nothing is given up on as a silent peer is, also with nothing in flight. */
static void device__takes_nothing(void)
{
	struct toe_cmd cmd = { .type = TOE_SW_OPTION, .flags = TOE_OPT_USER_TIMEOUT, .pos = 1000 };
	struct sim_conn *c;
	unsigned had;
	struct env e;

	env_up(&e);
	c = env_connection(&e);
	cmd.gen = c->gen;
	cmd.flow = c->flow;
	sim_cmd(e.ca, c->fpc, &cmd);
	env_pass(&e, 300, true);
	jam(e.c, &had);
	cmd = (struct toe_cmd){ TOE_SW_SEND, 0, c->gen, c->flow, c->tx_end + 100 };
	sim_cmd(e.ca, c->fpc, &cmd);
	env_pass(&e, 900000, true);
	CU_ASSERT_EQUAL(c->error, 0);
	env_pass(&e, 600000, true);
	CU_ASSERT_EQUAL(c->error, ETIMEDOUT);
	e.c->nfree = had;
	CU_ASSERT_EQUAL(sim_frames_missing(e.c), 0);
	env_down(&e);
}

/* A duplicate ACK takes the last frame. For the data behind it, with nothing in flight, a timer runs from then on. */
static void device__takes_an_ack_only(void)
{
	struct toe_seg s = { .flags = TOE_ACK, .opts = TOE_SEG_TS, .wnd = 500, .len = 10 };
	uint8_t frame[RAW_MAX], mac[6] = { 2, 0, 0, 0, 0, 2 };
	const struct toe_tcb *t;
	struct sim_conn *c;
	struct toe_cmd cmd;
	unsigned had;
	struct env e;

	env_up(&e);
	c = env_connection(&e);
	t = sim_tcb(e.c, c->flow);
	s.seq = (uint32_t)t->rcv_nxt + 100;
	s.ack = (uint32_t)t->snd_una;
	s.tsval = t->ts_recent;
	jam(e.c, &had);
	e.c->nfree = 1;
	sim_receive(e.c, frame,
		    raw_frame(frame, e.c->ctrl->dev[0].mac, mac, &e.c->ent[c->flow].tuple, &s));
	cmd = (struct toe_cmd){ TOE_SW_SEND, 0, c->gen, c->flow, c->tx_end + 100 };
	sim_cmd(e.ca, c->fpc, &cmd);
	sim_poll(e.c, 1);
	t = sim_tcb(e.c, c->flow);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_rx_out_of_order), 1);
	CU_ASSERT_EQUAL(t->dup_due, 0);
	CU_ASSERT(t->snd_end > t->snd_max && t->snd_max == t->snd_una);
	CU_ASSERT(t->rto_at);
	e.c->nfree = had;
	CU_ASSERT_EQUAL(sim_frames_missing(e.c), 0);
	env_down(&e);
}

UNIT_MAIN("pkt_gen", T(id__of_each_connection), T(id__of_fragments), T(id__of_three_fpcs),
	  T(id__of_answers), T(device__takes_nothing), T(device__takes_an_ack_only))
