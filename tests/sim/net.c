/* SPDX-License-Identifier: BSD-2-Clause */
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../firmware/core/isn.h"
#include "../../firmware/lib/errno.h"
#include "../../firmware/wire/endian.h"

enum { PORT = 80, STEP_US = 200, NARROW_AFTER = 400 };

void net_defaults(struct net_conf *c)
{
	struct sim_conf host = { .nfpcs = 1,
				 .tcb_cache = 64,
				 .nflows = 64,
				 .mtu = 1500,
				 .rcvbuf_max = 6 << 20,
				 .sndbuf_max = 4 << 20 };

	*c = (struct net_conf){
		.client = host,
		.server = host,
		.link = { .delay_us = 100, .late_us = 900 },
		.manner_client = { .goal = 40000 },
		.manner_server = { .goal = 40000 },
		.conns = 6,
		.at_once = 6,
		.backlog = 128,
		.limit_s = 1200,
	};
	c->client.addr = 1;
	c->server.addr = 2;
}

/* The tuple of the client's next connection, as `from` sees it. */
static struct toe_tuple next_tuple(const struct sim_app *client, const struct toe_port *from,
				   const struct toe_port *to)
{
	struct toe_tuple t = { 0 };
	bool is_client = from == client->host;
	uint16_t port = toe_be16((uint16_t)client->next_port);

	t.laddr[10] = t.laddr[11] = t.raddr[10] = t.raddr[11] = 0xff;
	t.laddr[12] = t.raddr[12] = 10;
	t.laddr[15] = from->conf.addr;
	t.raddr[15] = to->conf.addr;
	t.lport = is_client ? port : toe_be16(PORT);
	t.rport = is_client ? toe_be16(PORT) : port;
	return t;
}

/*
 * A key that makes the ISN of the next connection wrap early in the stream. Streams that would be
 * too short are skipped.
 */
static void choose_key(struct sim_app *client, struct toe_port *from, struct toe_port *to,
		       uint32_t goal)
{
	struct toe_tuple t;

	while (sim_goal((uint16_t)client->next_port, true, goal) < 20000 ||
	       sim_goal((uint16_t)client->next_port, false, goal) < 20000)
		client->next_port++;
	t = next_tuple(client, from, to);
	do {
		from->ctrl->key[1] = sim_random(from->w);
	} while (toe_isn(from->ctrl->key, &t, from->w->now) < 0u - 20000);
}

static void open_more(struct net *n, const struct net_conf *c)
{
	while (n->started < c->conns && n->client->open < c->at_once &&
	       sim_app_connect(n->client, n->server->host, PORT))
		n->started++;
}

static bool finished(const struct net *n, const struct net_conf *c)
{
	return n->started == c->conns && !n->client->open && !n->server->open;
}

/* Let everybody act until nothing moves, then let time pass. */
static void turn(struct net *n)
{
	struct sim_world *w = n->w;
	uint64_t next;
	unsigned busy = 0;

	for (int i = 0; i < 8; i++) {
		unsigned done = sim_step(w) + sim_app_run(n->client) + sim_app_run(n->server);

		busy += done;
		if (!done)
			break;
	}
	next = sim_next(w);
	/* A lazy application looks again soon, though nothing wakes it. */
	if (n->client->manner.lazy || n->server->manner.lazy || busy)
		next = next < w->now + STEP_US ? next : w->now + STEP_US;
	if (next == UINT64_MAX)
		next = w->now + 10000;
	w->now = next > w->now ? next : w->now + 1;
}

static const char *broken(const struct net *n)
{
	const char *b = n->client->broken ? n->client->broken : n->server->broken;

	if (!b)
		b = sim_check(n->client->host);
	return b ? b : sim_check(n->server->host);
}

/* Everything must come back, the last TIME_WAIT included. */
static const char *wind_up(struct net *n, const struct net_conf *c)
{
	uint64_t end = n->w->now + 400ull * 1000000;
	const char *leak = "";

	n->client->host->link.loss = n->server->host->link.loss = 0;
	n->client->host->device = n->server->host->device = (struct sim_device){ 0 };
	while (leak && n->w->now < end) {
		uint64_t next;

		turn(n);
		next = sim_next(n->w);
		leak = sim_leak(n->client->host);
		leak = leak ? leak : sim_leak(n->server->host);
		if (leak && next != UINT64_MAX && next > n->w->now)
			n->w->now = next;
	}
	return leak;
}

/* How a connection may end that does not end well: EPIPE is a reset behind the peer's FIN. */
static const char *wrong_error(const struct sim_app *a)
{
	for (unsigned i = 0; i < a->nconns; i++) {
		uint16_t error = a->conn[i].error;

		if (error && error != ECONNRESET && error != EPIPE && error != ETIMEDOUT)
			return "a connection ended with an error that says something else";
	}
	return NULL;
}

static const char *streams(const struct net *n, const struct net_conf *c)
{
	if (c->may_fail) {
		const char *bad = wrong_error(n->client);

		return bad ? bad : wrong_error(n->server);
	}
	if (n->client->errors || n->server->errors)
		return "a connection failed";
	if (n->server->accepted != c->conns || n->client->connected != c->conns)
		return "a connection is missing";
	if (c->live && (n->server->peak < c->live || n->client->peak < c->live))
		return "too few connections lived at once";
	if (c->restarts + c->kills && n->client->host->crashes + n->server->host->crashes == 0)
		return "nobody was killed";
	return NULL;
}

/* A reset that was lost leaves the other side waiting; then its application has to end it. */
static const char *give_up(struct net *n, const struct net_conf *c, uint64_t *limit)
{
	if (!c->may_fail || n->gave_up)
		return "it stalled";
	n->gave_up = true;
	sim_app_give_up(n->client);
	sim_app_give_up(n->server);
	*limit = n->w->now + c->limit_s * 1000000;
	return NULL;
}

/* Soon somebody's firmware dies: in this batch, or in one of the next. */
static void kill_some(struct net *n, unsigned *restarts, unsigned *kills)
{
	struct toe_port *a = n->client->host, *b = n->server->host;
	struct toe_port *p = sim_below(n->w, 2) ? a : b;
	bool first = !n->next_kill;

	if (a->crash_in || b->crash_in || a->kill_in || b->kill_in ||
	    (!first && sim_below(n->w, 2)))
		return;
	/* A death loses the frames of its batch: in between, some must get through. */
	if (*kills && n->w->delivered < n->next_kill)
		return;
	n->next_kill = n->w->delivered + 1 + sim_below(n->w, 100);
	if (*restarts) {
		p->crash_in = 1 + sim_below(n->w, 30);
		--*restarts;
	} else if (*kills) {
		/* From the first instructions of a batch to the middle of a long one. */
		p->kill_in = 1 + sim_below(n->w, 64u << (first ? 3 : sim_below(n->w, 9)));
		--*kills;
	}
}

/* SYNs from hosts that do not exist: their answers find the client, which resets some of them. */
static void flood(struct net *n, const struct net_conf *c)
{
	struct peer *p = n->flood;

	if (!p || sim_below(n->w, 65536) >= c->flood)
		return;
	for (unsigned i = sim_below(n->w, 32); i; i--) {
		p->net = (uint8_t)(11 + sim_below(n->w, 100));
		p->last = (uint8_t)sim_below(n->w, 256);
		p->port = (uint16_t)sim_random(n->w);
		peer_send(p, TOE_SYN, (uint32_t)sim_random(n->w), 0, 0, 0);
	}
}

static struct peer *flood_of(struct toe_port *server)
{
	struct peer *p = calloc(1, sizeof(*p));

	p->w = server->w;
	p->host = server;
	p->dport = PORT;
	p->wnd = 65535;
	return p;
}

/* Once connections are there, a device fails for a while. */
static const char *outage(struct net *n, const struct net_conf *c)
{
	if (c->outage_s && !n->outage.host && n->client->connected && !sim_below(n->w, 64))
		outage_begin(&n->outage, sim_below(n->w, 2) ? n->client->host : n->server->host,
			     c->outage_s);
	return outage_look(&n->outage);
}

/* Full segments have got through, and do so no more. */
static void narrow(struct net *n, const struct net_conf *c)
{
	if (c->narrows_to && n->w->delivered > NARROW_AFTER)
		n->client->host->link.mtu = n->server->host->link.mtu = c->narrows_to;
}

const char *net_run(const struct net_conf *c, uint64_t seed)
{
	struct net n = { .w = sim_new(seed) };
	struct toe_port *hc = sim_host(n.w, &c->client), *hs = sim_host(n.w, &c->server);
	uint64_t begin = n.w->now, limit = begin + c->limit_s * 1000000;
	unsigned restarts = c->restarts, kills = c->kills, turns = 0;
	const char *bad = NULL;

	/* Every congestion control has its share of the seeds, and ECN is asked for. */
	hc->ctrl->cc = (uint8_t)(seed % TOE_CC_COUNT);
	hs->ctrl->cc = (uint8_t)(seed / TOE_CC_COUNT % TOE_CC_COUNT);
	hc->ctrl->ecn = hs->ctrl->ecn = TOE_ECN_ON;
	sim_join(hc, hs, &c->link);
	hc->device = hs->device = c->device;
	n.client = sim_app_new(hc, 0, &c->manner_client);
	n.server = sim_app_new(hs, 0, &c->manner_server);
	n.client->hold = c->live;
	sim_app_listen(n.server, 0, PORT, c->backlog);
	if (c->flood)
		n.flood = flood_of(hs);
	sim_step(n.w);
	if (c->wrap) {
		choose_key(n.client, hc, hs, c->manner_client.goal);
		choose_key(n.client, hs, hc, c->manner_client.goal);
	}
	while (!bad && !finished(&n, c)) {
		open_more(&n, c);
		if (n.client->hold && n.client->connected == c->live &&
		    n.server->accepted == c->live)
			sim_app_release(n.client);
		kill_some(&n, &restarts, &kills);
		flood(&n, c);
		narrow(&n, c);
		turn(&n);
		bad = outage(&n, c);
		if (!bad && (turns++ % 64 == 0 || n.client->broken || n.server->broken))
			bad = broken(&n);
		if (!bad && n.w->now > limit)
			bad = give_up(&n, c, &limit);
	}
	if (!bad)
		bad = streams(&n, c);
	if (!bad && c->fast_ms && n.w->now - begin > c->fast_ms * 1000ull)
		bad = "it was too slow";
	if (!bad &&
	    sim_count(hc, TOE_CNT_buffers_grown) + sim_count(hs, TOE_CNT_buffers_grown) < c->grown)
		bad = "no ring has grown";
	if (!bad)
		bad = wind_up(&n, c);
	sim_app_free(n.client);
	sim_app_free(n.server);
	free(n.flood);
	sim_free(n.w);
	return bad;
}

void tally_seed(struct tally *t, const char *what, uint64_t seed, const char *bad)
{
	if (!bad) {
		t->passed++;
		return;
	}
	t->failed++;
	printf("%s: %s, seed %llu: %s\n", t->name, what, (unsigned long long)seed, bad);
}

int tally_end(const struct tally *t)
{
	printf("# %s: %u passed, %u failed\n", t->name, t->passed, t->failed);
	return t->failed != 0;
}

int net_main(const char *name, unsigned rows, unsigned n,
	     const char *(*conf)(struct net_conf *c, unsigned row, uint64_t seed), int argc,
	     char **argv)
{
	struct tally t = { name, 0, 0 };
	uint64_t first = 1;

	seeds(argc, argv, &first, &n);
	for (unsigned r = 0; r < rows; r++) {
		for (uint64_t s = first; s < first + n; s++) {
			struct net_conf c;
			const char *what;

			net_defaults(&c);
			what = conf(&c, r, s);
			tally_seed(&t, what, s, net_run(&c, s));
		}
	}
	return tally_end(&t);
}
