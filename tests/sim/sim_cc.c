/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion controls at a bottleneck that they share: how much of it they use, how long its queue
 * gets, whether it drops, and how evenly two flows that began a second apart divide it.
 */
#include "net.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../firmware/core/fpc.h"

enum { PORT = 80, MBIT = 10, RTT_MS = 20, BDP = MBIT * RTT_MS * 125, WARM_S = 10, RUN_S = 30 };

struct row {
	const char *name;
	uint8_t cc, ecn; /* enum toe_cc_id, enum toe_ecn_policy */
	uint32_t mark; /* bytes */
	double use; /* of the bottleneck, at least */
	uint32_t queue; /* bytes, at most, once warm */
	bool drops; /* are part of it */
	double jain; /* fairness, at least */
};

static const struct row rows[] = {
	{ "reno", TOE_CC_NEWRENO, TOE_ECN_OFF, 0, 0.92, BDP, true, 0.95 },
	{ "cubic", TOE_CC_CUBIC, TOE_ECN_OFF, 0, 0.92, BDP, true, 0.95 },
	{ "cubic, marks at half a BDP", TOE_CC_CUBIC, TOE_ECN_ON, BDP / 2, 0.92, BDP, false, 0.95 },
	{ "dctcp, marks at a third", TOE_CC_DCTCP, TOE_ECN_OFF, BDP / 3, 0.92, BDP * 3 / 4, false,
	  0.95 },
	{ "bbr", TOE_CC_BBR, TOE_ECN_OFF, 0, 0.92, BDP, true, 0.95 },
};

static void turn(struct sim_world *w, struct sim_app *a, struct sim_app *b)
{
	uint64_t next;

	while (sim_step(w) + sim_app_run(a) + sim_app_run(b))
		;
	next = sim_next(w);
	w->now = next > w->now && next != UINT64_MAX ? next : w->now + 1;
}

static void turn_until(struct sim_world *w, struct sim_app *a, struct sim_app *b, uint64_t until)
{
	while (w->now < until)
		turn(w, a, b);
}

/* Bytes that each of the two connections has received so far. */
static void received(const struct sim_app *server, double got[2])
{
	const struct toe_port *p = server->host;
	unsigned n = 0;

	for (uint32_t i = 0; i < p->conf.nflows && n < 2; i++) {
		const struct toe_tcb *t;

		if (p->ent[i].life != TOE_LIFE_LIVE)
			continue;
		t = toe_engine_peek(p->state, p->ctrl, &p->ent[i]);
		got[n++] = (double)(t->rcv_nxt - t->rcv_first);
	}
}

static bool holds(bool ok, const struct row *r, const char *what, double got)
{
	if (!ok)
		printf("%s: %s is %.2f\n", r->name, what, got);
	return ok;
}

static bool judge(const struct row *r, struct sim_app *client, const double got[2], uint64_t lost)
{
	double sum = got[0] + got[1], use = sum * 8 / (MBIT * 1e6 * RUN_S);
	double jain = sum * sum / (2 * (got[0] * got[0] + got[1] * got[1]) + 1);
	uint32_t queue = client->host->link.waited;

	printf("%-28s use %.2f, queue %.2f BDP, drops %llu, Jain %.2f\n", r->name, use,
	       (double)queue / BDP, (unsigned long long)lost, jain);
	return holds(use >= r->use, r, "use", use) & holds(queue <= r->queue, r, "queue", queue) &
	       holds(r->drops || !lost, r, "drops", (double)lost) &
	       holds(jain >= r->jain, r, "Jain's index", jain);
}

static bool run(const struct row *r, uint64_t seed)
{
	struct sim_manner m = { .bulk = UINT64_MAX };
	struct sim_world *w = sim_new(seed);
	struct sim_link l = {
		.kbit = MBIT * 1000, .delay_us = RTT_MS * 500, .queue = BDP, .mark = r->mark
	};
	struct sim_app *client, *server;
	struct net_conf c;
	double was[2] = { 0 }, got[2] = { 0 };
	uint64_t lost;
	bool ok;

	net_defaults(&c);
	c.client.nflows = c.client.tcb_cache = c.server.nflows = c.server.tcb_cache = 4;
	client = sim_app_new(sim_host(w, &c.client), 0, &m);
	server = sim_app_new(sim_host(w, &c.server), 0, &m);
	client->host->ctrl->cc = server->host->ctrl->cc = r->cc;
	client->host->ctrl->ecn = r->ecn;
	server->host->ctrl->ecn = TOE_ECN_PASSIVE;
	sim_join(client->host, server->host, &l);
	sim_app_listen(server, 0, PORT, 4);
	sim_step(w);
	for (unsigned i = 0; i < 2; i++) {
		if (!sim_app_connect(client, server->host, PORT))
			abort();
		turn_until(w, client, server, w->now + 1000000);
	}
	turn_until(w, client, server, w->now + WARM_S * 1000000ull);
	client->host->link.waited = 0;
	lost = w->lost;
	received(server, was);
	turn_until(w, client, server, w->now + RUN_S * 1000000ull);
	received(server, got);
	for (unsigned i = 0; i < 2; i++)
		got[i] -= was[i];
	ok = judge(r, client, got, w->lost - lost);
	sim_app_free(client);
	sim_app_free(server);
	sim_free(w);
	return ok;
}

int main(int argc, char **argv)
{
	struct tally t = { "sim_cc", 0, 0 };
	uint64_t first = 1;
	unsigned n = 2;

	seeds(argc, argv, &first, &n);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (uint64_t s = first; s < first + n; s++) {
			bool ok = run(&rows[i], s);

			t.passed += ok;
			t.failed += !ok;
		}
	}
	return tally_end(&t);
}
