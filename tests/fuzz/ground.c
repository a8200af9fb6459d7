/* SPDX-License-Identifier: BSD-2-Clause */
/* The world that a program of fuzz_tcp runs in, and how its first connection gets to where it begins. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../firmware/core/fastopen.h"
#include "../../firmware/core/fpc.h"
#include "../../firmware/lib/flow_hash.h"
#include "../../firmware/tcp/cc.h"
#include "../../firmware/wire/endian.h"
#include "../../firmware/wire/eth.h"
#include "ground.h"

enum { FLOWS = 16, PORT = 80, BACKLOG = 3 };

void ground_found(const char *what)
{
	fprintf(stderr, "fuzz_tcp: %s\n", what);
	abort();
}

static void heard(struct toe_port *host, const uint8_t *frame, uint32_t len)
{
	struct ground *g = host->arg;
	static uint8_t copy[SIM_PACKET];
	struct toe_frame f = { .data = copy, .len = len };
	struct toe_rx rx;

	if (len > SIM_ETH + (host->conf.vlan ? sizeof(struct toe_vlan) : 0) + host->conf.mtu)
		ground_found("a frame longer than the MTU");
	memcpy(copy, frame, len);
	if (toe_rx_parse(&f, &rx) || !toe_rx_checksum(&rx, false) ||
	    rx.tuple.vlan != host->conf.vlan)
		ground_found("a malformed frame");
	for (unsigned i = 0; i < GROUND_CONNS; i++)
		if (rx.tuple.lport == toe_be16(g->conn[i].rport) && rx.seg.opts & TOE_SEG_TS)
			g->conn[i].ts = rx.seg.tsval;
}

/* The TCB of the connection, NULL when the engine has none. */
static const struct toe_tcb *tcb_of(struct ground *g, const struct conn *c, uint32_t *flow)
{
	for (uint32_t i = 0; i < FLOWS; i++) {
		const struct toe_flow_ent *e = &g->host->ent[i];

		if (e->life == TOE_LIFE_LIVE && e->tuple.lport == toe_be16(c->lport) &&
		    e->tuple.rport == toe_be16(c->rport)) {
			*flow = i;
			return sim_tcb(g->host, i);
		}
	}
	return NULL;
}

void ground_look(struct ground *g)
{
	const struct toe_tcb *t;
	const char *bad = sim_check(g->host);
	uint32_t flow;

	if (bad)
		ground_found(bad);
	for (unsigned i = 0; i < GROUND_CONNS; i++) {
		t = tcb_of(g, &g->conn[i], &flow);
		if (t)
			toe_tcb_copy(&g->conn[i].last, t);
	}
}

/* Let the engine do what there is to do now, and look after each round of it. */
void ground_work(struct ground *g)
{
	enum { ROUNDS = 4 };

	for (int i = 0; i < ROUNDS && sim_poll(g->host, 1); i++)
		ground_look(g);
}

/* The application takes what is in its rings; only commands of the program answer. */
void ground_drain(struct ground *g)
{
	struct toe_listener *l = toe_arena_listener(g->app->arena, 0);

	for (unsigned f = 0; f < g->host->conf.nfpcs; f++) {
		struct toe_doorbell *hw = &toe_arena_ctx(g->app->arena, 0)->fpc[f].hw.db;
		struct toe_doorbell *accepted = &l->fpc[f].db;

		hw->tail = hw->head;
		while (accepted->tail != accepted->head)
			l->fpc[f].entry[accepted->tail++ & (TOE_ACCEPT_RING - 1)] = 0;
	}
}

void ground_pass(struct ground *g, uint64_t us)
{
	for (uint64_t end = g->w->now + us; g->w->now < end;) {
		/* The engine asks a device that takes nothing again and again. */
		uint64_t least = g->w->now + (g->host->device.until > g->w->now ? us / 200 : 0);
		uint64_t next;

		ground_work(g);
		ground_drain(g);
		next = sim_next(g->w);
		next = next < least ? least : next;
		g->w->now = next > g->w->now && next < end ? next : g->w->now + us / 50 + 1;
	}
	ground_work(g);
}

void ground_send(struct ground *g, const struct conn *c, struct segment *s)
{
	uint8_t frame[SIM_FRAME_SIZE];

	s->v6 = g->start.offer & OFFER_V6;
	s->vlan = g->host->conf.vlan;
	s->sport = c->rport;
	s->dport = c->lport;
	sim_receive(g->host, frame, segment_build(s, frame));
	ground_work(g);
}

void ground_syn_options(const struct ground *g, const struct conn *c, struct segment *s)
{
	const struct start *st = &g->start;

	s->wnd = st->wnd;
	s->mss = st->mss;
	s->wscale = st->offer & OFFER_WSCALE ? 1 + st->cc / TOE_CC_COUNT % 16 : 0;
	s->sack_ok = st->offer & OFFER_SACK;
	s->ts = st->offer & OFFER_TS;
	s->fo = st->offer & OFFER_COOKIE ? &c->fo : NULL;
	if (st->offer & OFFER_ECN)
		s->flags |= TOE_ECE | (s->flags & TOE_ACK ? 0 : TOE_CWR);
}

void ground_syn(struct ground *g, struct conn *c, uint8_t flags, uint32_t len)
{
	struct segment s = { .flags = TOE_SYN | flags, .seq = c->isn, .len = len };

	s.tsval = ++c->ts;
	ground_syn_options(g, c, &s);
	ground_send(g, c, &s);
	ground_look(g);
}

/* The answer that a well-behaved peer would give now. */
static void polite(struct ground *g, struct conn *c, uint8_t flags, uint32_t len)
{
	struct segment s = { .flags = (uint8_t)(flags | TOE_ACK), .wnd = g->start.wnd };

	s.seq = (uint32_t)c->last.rcv_nxt;
	s.ack = (uint32_t)c->last.snd_max;
	s.len = len;
	s.ts = c->last.flags & TOE_TCB_TS;
	s.tsval = c->last.ts_recent + 1;
	s.tsecr = c->ts;
	if (c->last.state == TOE_TCP_SYN_SENT) {
		s.flags |= TOE_SYN;
		s.seq = c->isn;
		ground_syn_options(g, c, &s);
	}
	ground_send(g, c, &s);
	ground_look(g);
}

void ground_command(struct ground *g, const struct conn *c, uint8_t type, uint8_t flags,
		    int32_t delta)
{
	struct toe_cmd cmd = { .type = type, .flags = flags, .pos = (uint64_t)(int64_t)delta };
	const struct toe_tcb *t = tcb_of(g, c, &cmd.flow);

	if (!t)
		return;
	cmd.gen = toe_arena_flow(g->app->arena, cmd.flow)->dev.gen;
	if (type == TOE_SW_SEND || type == TOE_SW_CLOSE || type == TOE_SW_SHUTDOWN)
		cmd.pos += t->snd_end - t->snd_first;
	if (type == TOE_SW_RECV)
		cmd.pos += t->rcv_read - t->rcv_first;
	if (type == TOE_SW_BIND)
		cmd.pos = 0;
	sim_cmd(g->app, g->host->ent[cmd.flow].fpc, &cmd);
	ground_work(g);
	ground_drain(g);
	ground_look(g);
}

void ground_connect(struct ground *g, struct conn *c)
{
	uint32_t grant = g->app->next_grant++ % TOE_MAX_GRANTS;
	struct toe_grant *gr = &g->host->ctrl->grant[grant];
	struct toe_cmd cmd = { .type = TOE_SW_CONNECT, .flow = grant, .pos = grant };

	if (gr->state == TOE_GRANT_READY)
		return;
	memset(gr, 0, sizeof(*gr));
	segment_addr(g->start.offer & OFFER_V6, SEGMENT_ENGINE, gr->tuple.laddr);
	segment_addr(g->start.offer & OFFER_V6, SEGMENT_PEER, gr->tuple.raddr);
	gr->tuple.lport = toe_be16(c->lport);
	gr->tuple.rport = toe_be16(c->rport);
	gr->tuple.vlan = g->host->conf.vlan;
	gr->fpc = (uint8_t)toe_hash_fpc(toe_flow_hash(g->host->ctrl->key, &gr->tuple),
					g->host->conf.nfpcs);
	gr->nh = SEGMENT_PEER;
	gr->mtu = (uint16_t)g->host->conf.mtu;
	gr->app = (uint8_t)g->app->app;
	gr->state = TOE_GRANT_READY;
	/* The first asks for a cookie; the others' data waits for one. */
	if (g->start.offer & OFFER_COOKIE)
		toe_arena_grant_opts(g->app->arena, grant)->flags |=
		    TOE_SO_FASTOPEN | (c == g->conn ? TOE_SO_FASTOPEN_BARE : 0);
	sim_cmd(g->app, gr->fpc, &cmd);
	ground_work(g);
	ground_drain(g);
	ground_look(g);
}

/* The peer closes while the engine's FIN is under way: both ends are in CLOSING. */
static void cross_fin(struct ground *g, struct conn *c)
{
	c->last.snd_max = c->last.snd_una;
	polite(g, c, TOE_FIN, 0);
}

/* From an open connection with nothing under way to the state that the program begins in. */
static void close_down(struct ground *g, struct conn *c, enum toe_tcp_state to)
{
	if (to == TOE_TCP_CLOSE_WAIT || to == TOE_TCP_LAST_ACK)
		polite(g, c, TOE_FIN, 0);
	if (to != TOE_TCP_CLOSE_WAIT)
		ground_command(g, c, TOE_SW_SHUTDOWN, 0, 0);
	if (to == TOE_TCP_FIN_WAIT_2)
		polite(g, c, 0, 0);
	if (to == TOE_TCP_CLOSING)
		cross_fin(g, c);
	if (to == TOE_TCP_TIME_WAIT)
		polite(g, c, TOE_FIN, 0);
}

/* Bring the first connection to where the program begins. */
void ground_bring_up(struct ground *g)
{
	enum { NOTHING, SYN_RCVD, OPEN, SYN_SENT, OPENED, FLIGHT, FIN_OUT, FIN_IN, BOTH, CLOSES };
	static const enum toe_tcp_state closes[] = { TOE_TCP_FIN_WAIT_1, TOE_TCP_FIN_WAIT_2,
						     TOE_TCP_CLOSE_WAIT, TOE_TCP_CLOSING,
						     TOE_TCP_LAST_ACK,   TOE_TCP_TIME_WAIT };
	struct conn *c = &g->conn[0];
	unsigned how = g->start.state % (CLOSES + sizeof(closes) / sizeof(*closes));

	if (how == NOTHING)
		return;
	if (how == SYN_SENT || how == OPENED)
		ground_connect(g, c);
	else
		ground_syn(g, c, 0, 0);
	if (how == SYN_RCVD || how == SYN_SENT)
		return;
	polite(g, c, 0, 0);
	ground_command(g, c, TOE_SW_BIND, 0, 0);
	if (how >= CLOSES) {
		close_down(g, c, closes[how - CLOSES]);
		return;
	}
	if (how >= FLIGHT)
		ground_command(g, c, TOE_SW_SEND, 0, 30000);
	if (how == FIN_OUT || how == BOTH)
		ground_command(g, c, TOE_SW_SHUTDOWN, 0, 0);
	if (how == FIN_IN || how == BOTH)
		polite(g, c, TOE_FIN, 100);
}

/* What the host and the listener are set to. */
static void choose(struct ground *g)
{
	struct toe_sock_opts *o = &toe_arena_listener(g->app->arena, 0)->opts;

	g->host->ctrl->cc = g->start.cc % TOE_CC_COUNT;
	g->host->ctrl->ecn = g->start.offer & OFFER_ECN ? TOE_ECN_ON : TOE_ECN_OFF;
	if (g->start.offer & (OFFER_FASTOPEN | OFFER_COOKIE))
		o->fastopen = BACKLOG;
	if (g->start.offer & OFFER_FASTOPEN)
		o->flags |= TOE_SO_FASTOPEN_NO_COOKIE;
}

/* The cookie that the listener gives the peer. */
static void cookie(const struct ground *g, struct toe_fo_cookie *c)
{
	struct toe_tuple t = { 0 };

	segment_addr(g->start.offer & OFFER_V6, SEGMENT_PEER, t.raddr);
	toe_fast_cookie(g->host->ctrl->key, &t, g->w->now >> TOE_FAST_PERIOD_LOG, c);
}

/* Bits 0..1 of `place`: the cache; 2..3: the MTU; 4: VLAN; 5: two FPCs; 6..7: how frames come to them. */
static struct sim_conf conf_of(const struct start *st)
{
	static const unsigned mtu[] = { 1500, 576, 1280, 9000 };
	unsigned which = st->place >> 2 & 3;

	return (struct sim_conf){ .nfpcs = st->place & 0x20 ? 2 : 1,
				  .tcb_cache = 1 + (st->place & 3),
				  .nflows = FLOWS,
				  /* IPv6 has no link of 576 (RFC 8200 5). */
				  .mtu = mtu[st->offer & OFFER_V6 && which == 1 ? 2 : which],
				  .steer = (st->place >> 6) % 3,
				  .vlan = st->place & 0x10 ? 7 : 0,
				  .rcvbuf_max = 6 << 20,
				  .sndbuf_max = 4 << 20,
				  .addr = SEGMENT_ENGINE };
}

void ground_set_up(struct ground *g)
{
	static const struct sim_manner silent = { .goal = 0 };
	struct sim_conf conf = conf_of(&g->start);

	g->w = sim_new(1);
	g->host = sim_host(g->w, &conf);
	g->host->sink = heard;
	g->host->arg = g;
	g->app = sim_app_new(g->host, 0, &silent);
	g->host->ctrl->nh[SEGMENT_PEER] =
	    toe_nh_word((uint8_t[6]){ 2, 0, 0, 0, 0, SEGMENT_PEER }, TOE_NH_VALID, 0);
	sim_app_listen(g->app, 0, PORT, BACKLOG);
	choose(g);
	segment_addr(g->start.offer & OFFER_V6, SEGMENT_ENGINE, g->host->ctrl->endpoint[0].addr);
	ground_work(g);
	for (unsigned i = 0; i < GROUND_CONNS; i++) {
		g->conn[i].lport = PORT;
		g->conn[i].rport = (uint16_t)(5000 + i);
		g->conn[i].isn = 0u - 2000 * i; /* numbers that wrap */
		if (i != 1) /* the second only asks */
			cookie(g, &g->conn[i].fo);
	}
	/* The third is reached by an active open only. */
	g->conn[GROUND_CONNS - 1].lport = (uint16_t)g->host->ctrl->port_lo;
}

static bool is_gone(const struct ground *g)
{
	for (unsigned f = 0; f < g->host->conf.nfpcs; f++)
		if (!g->host->ctrl->app_gone[0][f])
			return false;
	return true;
}

/* Once the application is gone nothing of it may be left. */
void ground_tear_down(struct ground *g)
{
	struct toe_cmd gone = { .type = TOE_ADM_APP_GONE };
	const char *bad;

	g->host->device = (struct sim_device){ 0 };
	g->host->ctrl->endpoint[0].state = TOE_EP_CLOSING;
	g->host->ctrl->app_state[0] = TOE_APP_GOING;
	for (unsigned f = 0; f < g->host->conf.nfpcs; f++)
		sim_admin(g->host, f, &gone);
	for (int i = 0; i < 100 && !is_gone(g); i++)
		ground_pass(g, 1000);
	if (!is_gone(g))
		ground_found("the application does not go");
	for (int i = 0; i < 20 && sim_leak(g->host); i++)
		ground_pass(g, 10000000);
	bad = sim_leak(g->host);
	if (bad)
		ground_found(bad);
	sim_app_free(g->app);
	sim_free(g->w);
}
