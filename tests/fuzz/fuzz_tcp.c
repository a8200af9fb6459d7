/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer that knows TCP and means ill, and an application that does odd things, against one engine
 * in the simulator.
 *
 * The input is a start (struct start) and a program of steps (struct step): segments whose numbers are
 * relative to the connection's own variables, commands, passing time, ICMP errors, restarts of the
 * firmware, a device that takes no frames. The mutator works on whole steps, so that what it changes
 * stays a segment near the window.
 *
 * After every round of the engine (behind a segment, a command, the timers that are due together) all
 * TCBs are sound and what left the engine is well formed; at the end everything that was lent comes back.
 */
#include <string.h>

#include "../../firmware/core/fpc.h"
#include "ground.h"
#include "steps.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
				 uint8_t *out, size_t max, unsigned seed);

enum { MAX_STEPS = 120 };

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
		ground_syn_options(g, c, &s);
	else
		sack_blocks(t, st, &s);
	ground_send(g, c, &s);
}

/* A SYN, mostly one of a new connection. */
static void syn(struct ground *g, struct conn *c, const struct step *st)
{
	if (st->flags & 2)
		c->isn = (uint32_t)c->last.rcv_nxt + (uint32_t)(int32_t)st->seq;
	ground_syn(g, c, st->flags & 1 ? st->flags : 0, st->len % 600);
}

/* An ICMP error about a segment that the engine may have sent. */
static void icmp(struct ground *g, struct conn *c, const struct step *st)
{
	struct segment s = { .v6 = g->start.offer & OFFER_V6,
			     .vlan = g->host->conf.vlan,
			     .sport = c->lport,
			     .dport = c->rport,
			     .seq = ack_base(&c->last, st->base & 7, st->conn >> 4, st->value) +
				    (uint32_t)(int32_t)st->seq };
	uint8_t frame[SIM_FRAME_SIZE];

	sim_receive(g->host, frame,
		    segment_icmp(&s, st->flags & 0x1f, st->opts & 7, st->wnd, frame));
	ground_work(g);
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
	struct conn *c = &g->conn[st->conn % GROUND_CONNS];

	switch (kind_of(st)) {
	case STEP_SEGMENT:
		segment(g, c, st);
		break;
	case STEP_COMMAND:
		ground_command(g, c, (uint8_t)(TOE_SW_SEND + st->flags % 8), (uint8_t)st->opts,
			       st->flags & 0x80 ? st->value : st->seq);
		break;
	case STEP_TIME:
		/* From 10 us to two minutes. */
		ground_pass(g, 10ull << st->value % 24);
		break;
	case STEP_SYN:
		syn(g, c, st);
		break;
	case STEP_CONNECT:
		ground_connect(g, c);
		break;
	case STEP_ICMP:
		icmp(g, c, st);
		break;
	case STEP_RESTART:
		if (sim_restart(g->host))
			ground_found("the firmware does not start again");
		break;
	case STEP_STARVE:
		starve(g, st);
		break;
	case STEP_KINDS:
		break;
	}
	ground_look(g);
	ground_drain(g);
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
	ground_set_up(&g);
	ground_bring_up(&g);
	for (; n >= sizeof(st); n -= sizeof(st), in += sizeof(st)) {
		memcpy(&st, in, sizeof(st));
		act(&g, &st);
	}
	ground_tear_down(&g);
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
