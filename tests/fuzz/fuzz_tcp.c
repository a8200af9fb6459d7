/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer that knows TCP and means ill, and an application that does odd things, against one engine
 * in the simulator.
 *
 * The input is a start (which options the peer agrees to, which state the first connection is
 * brought to) and a program of steps (struct step): segments whose numbers are relative to the
 * connection's own variables, commands, passing time, ICMP errors, restarts of the firmware, a
 * device that takes no frames. The mutator works on whole steps, so that what it changes stays a
 * segment near the window.
 *
 * After every round of the engine (behind a segment, a command, the timers that are due together) all
 * TCBs are sound and what left the engine is well formed; at the end everything that was lent comes back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../firmware/core/fastopen.h"
#include "../../firmware/core/fpc.h"
#include "../../firmware/port/sim/app.h"
#include "../../firmware/tcp/cc.h"
#include "../../firmware/wire/endian.h"
#include "segment.h"
#include "steps.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
				 uint8_t *out, size_t max, unsigned seed);

enum { FLOWS = 16, CONNS = 3, PORT = 80, BACKLOG = 3, MAX_STEPS = 120, PEER = 2 };

enum step_kind {
	STEP_SEGMENT, /* the likeliest: see kind_of() */
	STEP_COMMAND,
	STEP_TIME,
	STEP_SYN,
	STEP_CONNECT,
	STEP_ICMP,
	STEP_RESTART,
	STEP_STARVE,
	STEP_KINDS
};

struct step {
	uint8_t kind; /* see kind_of() */
	uint8_t conn; /* which connection, modulo */
	uint8_t flags; /* of the segment; the command's type */
	uint8_t base; /* bits 0..2 what seq is relative to, bits 3..5 the same of ack */
	int16_t seq, ack; /* added to it */
	uint16_t len, wnd;
	uint8_t opts; /* bits of enum seg_opts */
	uint8_t sack; /* blocks: bits 0..2 how many, the rest which */
	uint16_t value;
};
_Static_assert(sizeof(struct step) == 16, "no padding");

enum seg_opts {
	OPT_NO_TS = 1, /* leave the timestamp out though it is agreed */
	OPT_OLD_TS = 2, /* one that PAWS refuses, or nearly */
	OPT_JUNK = 4, /* an option that nobody knows */
	OPT_CE = 8, /* congestion experienced in the IP header */
	OPT_BAD_SUM = 16,
	OPT_URG = 32,
};

struct start {
	uint8_t state; /* how the first connection begins, see bring_up() */
	uint8_t offer; /* enum offer */
	uint8_t cc; /* congestion control, and the peer's window scale */
	uint8_t cache; /* TCBs in the cache, and the MTU */
	uint16_t wnd, mss;
};

enum offer {
	OFFER_TS = 1,
	OFFER_SACK = 2,
	OFFER_WSCALE = 4,
	OFFER_ECN = 8,
	OFFER_V6 = 16,
	OFFER_FASTOPEN = 32, /* data in SYNs, without a cookie */
	OFFER_COOKIE = 64, /* with one, both ways */
};

/* What the peer remembers of a connection, also when the engine has forgotten it. */
struct conn {
	uint16_t lport, rport;
	struct toe_tcb last; /* as of the last look */
	struct toe_tcb_lists lists; /* they follow it */
	uint32_t isn; /* the peer's */
	uint32_t ts; /* its clock */
	struct toe_fo_cookie fo; /* shown in SYNs, given in SYN-ACKs */
	bool begun;
};

struct ground {
	struct sim_world *w;
	struct toe_port *host;
	struct sim_app *app;
	struct start start;
	struct conn conn[CONNS];
	uint64_t in, out; /* bytes of frames */
};

static void __attribute__((noreturn)) found(const char *what)
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

	if (len > SIM_ETH + host->conf.mtu)
		found("a frame longer than the MTU");
	memcpy(copy, frame, len);
	if (toe_rx_parse(&f, &rx) || !toe_rx_checksum(&rx, false))
		found("a malformed frame");
	for (unsigned i = 0; i < CONNS; i++)
		if (rx.tuple.lport == toe_be16(g->conn[i].rport) && rx.seg.opts & TOE_SEG_TS)
			g->conn[i].ts = rx.seg.tsval;
	g->out += len;
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

static void look(struct ground *g)
{
	const struct toe_tcb *t;
	const char *bad = sim_check(g->host);
	uint32_t flow;

	if (bad)
		found(bad);
	for (unsigned i = 0; i < CONNS; i++) {
		t = tcb_of(g, &g->conn[i], &flow);
		if (t)
			toe_tcb_copy(&g->conn[i].last, t);
	}
}

/* Let the engine do what there is to do now, and look after each round of it. */
static void work(struct ground *g)
{
	enum { ROUNDS = 4 };

	for (int i = 0; i < ROUNDS && sim_poll(g->host, 1); i++)
		look(g);
}

/* The application takes what is in its rings; only commands of the program answer. */
static void drain(struct ground *g)
{
	struct toe_hw_ring *hw = &toe_arena_ctx(g->app->arena, 0)->fpc[0].hw;
	struct toe_listener *l = toe_arena_listener(g->app->arena, 0);

	hw->db.tail = hw->db.head;
	while (l->fpc[0].db.tail != l->fpc[0].db.head)
		l->fpc[0].entry[l->fpc[0].db.tail++ & (TOE_ACCEPT_RING - 1)] = 0;
}

static void pass(struct ground *g, uint64_t us)
{
	for (uint64_t end = g->w->now + us; g->w->now < end;) {
		/* The engine asks a device that takes nothing again and again. */
		uint64_t least = g->w->now + (g->host->device.until > g->w->now ? us / 200 : 0);
		uint64_t next;

		work(g);
		drain(g);
		next = sim_next(g->w);
		next = next < least ? least : next;
		g->w->now = next > g->w->now && next < end ? next : g->w->now + us / 50 + 1;
	}
	work(g);
}

static void send_segment(struct ground *g, const struct conn *c, struct segment *s)
{
	uint8_t frame[SIM_FRAME_SIZE];
	uint32_t n;

	s->v6 = g->start.offer & OFFER_V6;
	s->sport = c->rport;
	s->dport = c->lport;
	n = segment_build(s, frame);
	g->in += n;
	sim_receive(g->host, frame, n);
	work(g);
}

static void syn_options(const struct ground *g, const struct conn *c, struct segment *s)
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

static void syn(struct ground *g, struct conn *c, const struct step *st)
{
	struct segment s = { .flags = TOE_SYN, .seq = c->isn };

	if (st && st->flags & 1)
		s.flags |= st->flags;
	if (st && st->flags & 2)
		s.seq = c->isn = (uint32_t)c->last.rcv_nxt + (uint32_t)(int32_t)st->seq;
	s.tsval = ++c->ts;
	s.len = st ? st->len % 600 : 0;
	syn_options(g, c, &s);
	c->begun = true;
	send_segment(g, c, &s);
	look(g);
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
		syn_options(g, c, &s);
	}
	send_segment(g, c, &s);
	look(g);
}

static void command(struct ground *g, const struct conn *c, uint8_t type, uint8_t flags,
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
	sim_cmd(g->app, 0, &cmd);
	work(g);
	drain(g);
	look(g);
}

static void connect_out(struct ground *g, struct conn *c)
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
	gr->nh = PEER;
	gr->mtu = (uint16_t)g->host->conf.mtu;
	gr->app = (uint8_t)g->app->app;
	gr->state = TOE_GRANT_READY;
	if (g->start.offer &
	    OFFER_COOKIE) /* the first asks for a cookie, data waits for the others' */
		toe_arena_grant_opts(g->app->arena, grant)->flags |=
		    TOE_SO_FASTOPEN | (c == g->conn ? TOE_SO_FASTOPEN_BARE : 0);
	sim_cmd(g->app, 0, &cmd);
	work(g);
	drain(g);
	look(g);
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
		command(g, c, TOE_SW_SHUTDOWN, 0, 0);
	if (to == TOE_TCP_FIN_WAIT_2)
		polite(g, c, 0, 0);
	if (to == TOE_TCP_CLOSING)
		cross_fin(g, c);
	if (to == TOE_TCP_TIME_WAIT)
		polite(g, c, TOE_FIN, 0);
}

/* Bring the first connection to where the program begins. */
static void bring_up(struct ground *g)
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
		connect_out(g, c);
	else
		syn(g, c, NULL);
	if (how == SYN_RCVD || how == SYN_SENT)
		return;
	polite(g, c, 0, 0);
	command(g, c, TOE_SW_BIND, 0, 0);
	if (how >= CLOSES) {
		close_down(g, c, closes[how - CLOSES]);
		return;
	}
	if (how >= FLIGHT)
		command(g, c, TOE_SW_SEND, 0, 30000);
	if (how == FIN_OUT || how == BOTH)
		command(g, c, TOE_SW_SHUTDOWN, 0, 0);
	if (how == FIN_IN || how == BOTH)
		polite(g, c, TOE_FIN, 100);
}

static uint32_t seq_base(const struct toe_tcb *t, unsigned which, unsigned i, uint16_t raw)
{
	const struct toe_range *r = t->nholes ? &toe_ooo(t)[i % t->nholes] : NULL;

	switch (which) {
	default:
		return (uint32_t)t->rcv_nxt;
	case 2:
		return (uint32_t)t->rcv_adv;
	case 3:
		return r ? r->lo : (uint32_t)t->rcv_nxt;
	case 4:
		return r ? r->hi : (uint32_t)t->rcv_nxt;
	case 5:
		return (uint32_t)t->rcv_first;
	case 6:
		return (uint32_t)t->rcv_nxt + raw;
	case 7:
		return (uint32_t)raw << 16;
	}
}

static uint32_t sent_end(const struct toe_tcb *t, unsigned i)
{
	return t->nsent ? toe_sents(t)[t->sent_lo + i % t->nsent].end : (uint32_t)t->snd_max;
}

static uint32_t ack_base(const struct toe_tcb *t, unsigned which, unsigned i, uint16_t raw)
{
	switch (which) {
	default:
		return (uint32_t)t->snd_una;
	case 2:
		return (uint32_t)t->snd_max;
	case 3:
	case 4:
		return sent_end(t, i);
	case 5:
		return (uint32_t)t->snd_first;
	case 6:
		return (uint32_t)t->snd_una + raw;
	case 7:
		return (uint32_t)raw << 16;
	}
}

static void sack_blocks(const struct toe_tcb *t, const struct step *st, struct segment *s)
{
	unsigned n = st->sack & 7, which = st->sack >> 3;

	s->nsack = (uint8_t)(n > TOE_MAX_SACK ? 0 : n);
	for (unsigned i = 0; i < s->nsack; i++) {
		uint32_t lo = sent_end(t, which + 2 * i);

		/* Some are smaller, larger, empty, below what is acknowledged, or made up. */
		if (which & 16)
			lo = (uint32_t)t->snd_una + st->value % 20000 + 3000 * i;
		s->sack[i] = (struct toe_range){ lo, sent_end(t, which + 2 * i + 1) };
		if (which & 8)
			s->sack[i].hi = lo + (uint32_t)(int32_t)st->ack;
	}
}

static void segment(struct ground *g, struct conn *c, const struct step *st)
{
	const struct toe_tcb *t = &c->last;
	struct segment s = { .flags = st->flags, .wnd = st->wnd };

	s.seq = seq_base(t, st->base & 7, st->conn >> 4, st->value) + (uint32_t)(int32_t)st->seq;
	s.ack =
	    ack_base(t, st->base >> 3 & 7, st->conn >> 4, st->value) + (uint32_t)(int32_t)st->ack;
	s.len = st->len % 1461;
	s.ts = t->flags & TOE_TCB_TS && !(st->opts & OPT_NO_TS);
	s.tsval = t->ts_recent + (st->opts & OPT_OLD_TS ? (uint32_t)(int32_t)st->seq : 1);
	s.tsecr = c->ts - (st->opts & OPT_OLD_TS ? st->value : 0);
	s.junk = st->opts & OPT_JUNK;
	s.ce = st->opts & OPT_CE;
	s.spoil = st->opts & OPT_BAD_SUM;
	if (st->opts & OPT_URG) {
		s.flags |= TOE_URG;
		s.urg = st->value;
	}
	if (s.flags & TOE_SYN)
		syn_options(g, c, &s);
	else
		sack_blocks(t, st, &s);
	send_segment(g, c, &s);
}

/* An ICMP error about a segment that the engine may have sent. */
static void icmp(struct ground *g, struct conn *c, const struct step *st)
{
	struct segment s = { .v6 = g->start.offer & OFFER_V6,
			     .sport = c->lport,
			     .dport = c->rport,
			     .seq = ack_base(&c->last, st->base & 7, st->conn >> 4, st->value) +
				    (uint32_t)(int32_t)st->seq };
	uint8_t frame[SIM_FRAME_SIZE];

	sim_receive(g->host, frame,
		    segment_icmp(&s, st->flags & 0x1f, st->opts & 7, st->wnd, frame));
	work(g);
}

/*
 * From now on the device refuses frames at random, or has a few only, or both or none; and at first
 * it may take nothing, for 10 us to two minutes.
 */
static void starve(struct ground *g, const struct step *st)
{
	g->host->device =
	    (struct sim_device){ .frames = st->base % 4, .refuse = st->sack % 4 * 20000u };
	if (st->flags & 1)
		sim_jam(g->host, 10ull << st->value % 24);
}

static enum step_kind kind_of(const struct step *st)
{
	static const uint8_t kinds[16] = {
		[7] = STEP_STARVE,   [8] = STEP_COMMAND, [9] = STEP_COMMAND,
		[10] = STEP_COMMAND, [11] = STEP_TIME,   [12] = STEP_SYN,
		[13] = STEP_CONNECT, [14] = STEP_ICMP,   [15] = STEP_RESTART,
	};

	return (enum step_kind)kinds[st->kind % 16];
}

static void act(struct ground *g, const struct step *st)
{
	struct conn *c = &g->conn[st->conn % CONNS];

	switch (kind_of(st)) {
	case STEP_SEGMENT:
		segment(g, c, st);
		break;
	case STEP_COMMAND:
		command(g, c, (uint8_t)(TOE_SW_SEND + st->flags % 8), (uint8_t)st->opts,
			st->flags & 0x80 ? st->value : st->seq);
		break;
	case STEP_TIME:
		/* From 10 us to two minutes. */
		pass(g, 10ull << st->value % 24);
		break;
	case STEP_SYN:
		syn(g, c, st);
		break;
	case STEP_CONNECT:
		connect_out(g, c);
		break;
	case STEP_ICMP:
		icmp(g, c, st);
		break;
	case STEP_RESTART:
		if (sim_restart(g->host))
			found("the firmware does not start again");
		break;
	case STEP_STARVE:
		starve(g, st);
		break;
	case STEP_KINDS:
		break;
	}
	look(g);
	drain(g);
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

static void set_up(struct ground *g)
{
	static const struct sim_manner silent = { .goal = 0 };
	static const unsigned mtu[] = { 1500, 576, 1280, 9000 };
	unsigned which = g->start.cache / 4 % 4;
	struct sim_conf conf = { .nfpcs = 1,
				 .tcb_cache = 1 + g->start.cache % 4,
				 .nflows = FLOWS,
				 /* IPv6 has no link of 576 (RFC 8200 5). */
				 .mtu = mtu[g->start.offer & OFFER_V6 && which == 1 ? 2 : which],
				 .rcvbuf_max = 6 << 20,
				 .sndbuf_max = 4 << 20,
				 .addr = SEGMENT_ENGINE };

	g->w = sim_new(1);
	g->host = sim_host(g->w, &conf);
	g->host->sink = heard;
	g->host->arg = g;
	g->app = sim_app_new(g->host, 0, &silent);
	g->host->ctrl->nh[PEER] = toe_nh_word((uint8_t[6]){ 2, 0, 0, 0, 0, PEER }, TOE_NH_VALID, 0);
	sim_app_listen(g->app, 0, PORT, BACKLOG);
	choose(g);
	segment_addr(g->start.offer & OFFER_V6, SEGMENT_ENGINE, g->host->ctrl->endpoint[0].addr);
	work(g);
	for (unsigned i = 0; i < CONNS; i++) {
		g->conn[i].lport = PORT;
		g->conn[i].rport = (uint16_t)(5000 + i);
		g->conn[i].isn = 0u - 2000 * i; /* numbers that wrap */
		if (i != 1) /* the second only asks */
			cookie(g, &g->conn[i].fo);
	}
	/* The third is reached by an active open only. */
	g->conn[CONNS - 1].lport = (uint16_t)g->host->ctrl->port_lo;
}

/* Once the application is gone nothing of it may be left. */
static void tear_down(struct ground *g)
{
	struct toe_cmd gone = { .type = TOE_ADM_APP_GONE };
	const char *bad;

	g->host->device = (struct sim_device){ 0 };
	g->host->ctrl->endpoint[0].state = TOE_EP_CLOSING;
	g->host->ctrl->app_state[0] = TOE_APP_GOING;
	sim_admin(g->host, 0, &gone);
	for (int i = 0; i < 100 && !g->host->ctrl->app_gone[0][0]; i++)
		pass(g, 1000);
	if (!g->host->ctrl->app_gone[0][0])
		found("the application does not go");
	for (int i = 0; i < 20 && sim_leak(g->host); i++)
		pass(g, 10000000);
	bad = sim_leak(g->host);
	if (bad)
		found(bad);
	sim_app_free(g->app);
	sim_free(g->w);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	static struct ground g;
	struct step st;

	if (n < sizeof(g.start) || n > sizeof(g.start) + MAX_STEPS * sizeof(st))
		return 0;
	memset(&g, 0, sizeof(g));
	memcpy(&g.start, in, sizeof(g.start));
	in += sizeof(g.start);
	n -= sizeof(g.start);
	set_up(&g);
	bring_up(&g);
	for (; n >= sizeof(st); n -= sizeof(st), in += sizeof(st)) {
		memcpy(&st, in, sizeof(st));
		act(&g, &st);
	}
	tear_down(&g);
	return 0;
}

/* A step that a peer or an application might really take. */
static void fresh(uint8_t *rec, uint32_t random)
{
	static const uint8_t flags[] = { TOE_ACK, TOE_ACK, TOE_ACK | TOE_PSH, TOE_ACK | TOE_FIN,
					 TOE_RST, TOE_ACK, TOE_ACK | TOE_ECE, TOE_SYN };
	struct step st = { .kind = (uint8_t)random, .conn = (uint8_t)(random >> 4 & 0x30) };

	st.flags = kind_of(&st) == STEP_SEGMENT ? flags[random >> 8 & 7] : (uint8_t)(random >> 8);
	st.base = (uint8_t)(random >> 11 & 0x1b);
	st.len = random & 0x10000 ? 0 : (uint16_t)(random >> 10 & 0x7ff);
	st.wnd = random & 0x20000 ? 65535 : (uint16_t)(random >> 6);
	st.sack = random & 0x40000 ? (uint8_t)(random >> 12) : 0;
	st.value = (uint16_t)(random >> 5);
	memcpy(rec, &st, sizeof(st));
}

static const struct steps_shape shape = {
	.head = sizeof(struct start), .rec = sizeof(struct step), .most = MAX_STEPS, .fresh = fresh
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
	return steps_mutate(&shape, data, n, max, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
				 uint8_t *out, size_t max, unsigned seed)
{
	return steps_cross(&shape, a, na, b, nb, out, max, seed);
}
