/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile application: whatever it writes into its arena (commands, ring indices, flow blocks,
 * accept queues) costs it its own connections and nothing else.
 *
 * Two hosts in the simulator. On the second, an honest server and the hostile one share an FPC;
 * clients on the first talk to both. The input is a program of steps (struct step). After it: no
 * sanitizer finding, all TCBs sound, the honest streams complete, and everything that was lent
 * comes back once the hostile application is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../firmware/port/sim/app.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);

enum { HONEST = 0, HOSTILE = 1, PORT = 80, CONNS = 3, FLOWS = 32, MAX_STEPS = 64 };

enum step_kind {
	STEP_CMD,
	STEP_INDEX,
	STEP_FLOW,
	STEP_LISTENER,
	STEP_CTX,
	STEP_TIME,
	STEP_PLAY,
	STEPS
};

struct step {
	uint8_t kind; /* enum step_kind, modulo */
	uint8_t a, b, c;
	uint32_t flow;
	uint64_t value;
};

struct ground {
	struct sim_world *w;
	struct toe_port *peer, *victim;
	struct sim_app *clients[2], *servers[2];
	bool
	    /* the hostile application's own view of its rings is broken: it can no longer behave */
	    wild;
};

static void __attribute__((noreturn)) found(const char *what)
{
	fprintf(stderr, "fuzz_host_if: %s\n", what);
	abort();
}

static void set_up(struct ground *g)
{
	struct sim_conf conf = { .nfpcs = 1,
				 .tcb_cache = 8,
				 .nflows = FLOWS,
				 .mtu = 1500,
				 .addr = 1,
				 .rcvbuf_max = 6 << 20,
				 .sndbuf_max = 4 << 20 };
	struct sim_link link = { .delay_us = 50 };
	struct sim_manner m = { .goal = 20000 };

	g->w = sim_new(1);
	g->peer = sim_host(g->w, &conf);
	conf.addr = 2;
	g->victim = sim_host(g->w, &conf);
	sim_join(g->peer, g->victim, &link);
	for (unsigned i = 0; i < 2; i++) {
		g->clients[i] = sim_app_new(g->peer, i, &m);
		g->servers[i] = sim_app_new(g->victim, i, &m);
		sim_app_listen(g->servers[i], i, (uint16_t)(PORT + i), 16);
	}
	sim_step(g->w);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < CONNS; k++)
			sim_app_connect(g->clients[i], g->victim, (uint16_t)(PORT + i));
}

/* Everybody acts, `hostile` included or not. */
static unsigned turn(struct ground *g, bool hostile)
{
	unsigned busy = sim_step(g->w) + sim_app_run(g->clients[0]) + sim_app_run(g->servers[0]);

	busy += sim_app_run(g->clients[1]);
	return busy + (hostile ? sim_app_run(g->servers[1]) : 0);
}

static void pass_time(struct ground *g, bool hostile, unsigned turns)
{
	while (turns--) {
		uint64_t next;

		if (turn(g, hostile))
			continue;
		next = sim_next(g->w);
		if (next == UINT64_MAX)
			next = g->w->now + 10000;
		g->w->now = next > g->w->now ? next : g->w->now + 1;
	}
}

/* A store of 1 to 8 bytes, aligned, somewhere in an object of the arena. */
static void poke(void *obj, size_t size, const struct step *s)
{
	size_t n = 1u << (s->b & 3);
	size_t at = ((size_t)s->c * n) % (size - size % n);

	memcpy((uint8_t *)obj + at, &s->value, n);
}

static void command(struct ground *g, const struct step *s)
{
	struct toe_flow_block *b = toe_arena_flow(g->servers[1]->arena, s->flow % FLOWS);
	struct toe_cmd c = { .type = s->a, .flags = s->b, .flow = s->flow, .pos = s->value };

	/* Half of them with the right generation, else nothing gets past that check. */
	c.gen = s->c & 1 ? b->dev.gen : (uint16_t)s->value;
	if (s->c & 2)
		c.flow %= FLOWS;
	if (s->c & 4)
		c.pos = b->app.tx_end + (int8_t)s->value;
	if (s->c & 8)
		c.type = TOE_SW_LISTEN + s->a % TOE_SW_BIND;
	sim_cmd(g->servers[1], 0, &c);
}

static void act(struct ground *g, const struct step *s)
{
	void *arena = g->servers[1]->arena;
	struct toe_ctx *ctx = toe_arena_ctx(arena, s->a & 8 ? s->a % TOE_MAX_CTXS : 0);
	struct toe_doorbell *db = s->a & 1 ? &ctx->fpc[0].sw.db : &ctx->fpc[0].hw.db;

	switch (s->kind % STEPS) {
	case STEP_CMD:
		command(g, s);
		break;
	case STEP_INDEX:
		g->wild = true;
		if (s->b & 1)
			db->head += (uint32_t)s->value;
		else
			db->tail += (uint32_t)s->value;
		break;
	case STEP_FLOW:
		poke(toe_arena_flow(arena, s->flow % FLOWS), sizeof(struct toe_flow_block), s);
		break;
	case STEP_LISTENER:
		poke(toe_arena_listener(arena, s->a & 1), 1024, s);
		break;
	case STEP_CTX:
		g->wild = true;
		poke(s->a & 2 ? arena : (void *)ctx, 512, s);
		break;
	case STEP_TIME:
		pass_time(g, false, s->a);
		break;
	case STEP_PLAY:
		/* It behaves for a while, so that there are connections in all states. */
		pass_time(g, !g->wild && !g->servers[1]->broken, s->a & 31);
		break;
	}
}

static void execute_app(struct ground *g)
{
	struct toe_cmd gone = { .type = TOE_ADM_APP_GONE, .flow = HOSTILE };

	g->victim->ctrl->endpoint[HOSTILE].state = TOE_EP_CLOSING;
	g->victim->ctrl->app_state[HOSTILE] = TOE_APP_GOING;
	sim_admin(g->victim, 0, &gone);
	for (int i = 0; i < 1000 && !g->victim->ctrl->app_gone[HOSTILE][0]; i++)
		pass_time(g, false, 1);
	if (!g->victim->ctrl->app_gone[HOSTILE][0])
		found("the application does not go");
}

static void verdict(struct ground *g)
{
	const char *bad;

	for (int i = 0; i < 4000 && (g->clients[0]->open || g->servers[0]->open); i++)
		pass_time(g, false, 1);
	if (g->clients[0]->broken || g->servers[0]->broken)
		found(g->clients[0]->broken ? g->clients[0]->broken : g->servers[0]->broken);
	if (g->clients[0]->open || g->clients[0]->errors || g->servers[0]->errors)
		found("an honest connection suffered");
	bad = sim_check(g->victim);
	for (int i = 0; !bad && i < 2000 && sim_leak(g->victim); i++)
		pass_time(g, false, 1);
	bad = bad ? bad : sim_leak(g->victim);
	if (bad)
		found(bad);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct ground g = { 0 };
	struct step s;

	if (n < sizeof(s) || n > MAX_STEPS * sizeof(s))
		return 0;
	set_up(&g);
	for (; n >= sizeof(s); n -= sizeof(s), in += sizeof(s)) {
		memcpy(&s, in, sizeof(s));
		act(&g, &s);
		turn(&g, false);
	}
	execute_app(&g);
	verdict(&g);
	for (unsigned i = 0; i < 2; i++) {
		sim_app_free(g.clients[i]);
		sim_app_free(g.servers[i]);
	}
	sim_free(g.w);
	return 0;
}
