/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections that end badly, and many that come and go: resets at any moment, restarts of the
 * firmware among them, short backlogs. What was received is right, and everything comes back.
 * Usage: sim_abort [SEED [COUNT]]
 */
#include "net.h"

struct row {
	const char *name;
	unsigned conns, at_once, restarts;
	uint32_t backlog, abort, loss, goal;
	bool may_fail;
};

static const struct row rows[] = {
	{ "aborts", 20, 8, 0, 128, 30000, 0, 20000, true },
	{ "aborts and loss", 20, 8, 0, 128, 30000, 2000, 20000, true },
	{ "aborts and kills", 20, 8, 10, 128, 20000, 300, 20000, true },
	{ "coming and going", 200, 16, 0, 128, 0, 0, 500, false },
	{ "backlog of two", 40, 12, 0, 2, 0, 0, 3000, false },
};

static const char *conf(struct net_conf *c, unsigned row, uint64_t seed)
{
	const struct row *w = &rows[row];

	c->conns = w->conns;
	c->at_once = w->at_once;
	c->restarts = w->restarts;
	c->backlog = w->backlog;
	c->may_fail = w->may_fail;
	c->link.loss = w->loss;
	c->manner_client.goal = c->manner_server.goal = w->goal;
	c->manner_client.abort = c->manner_server.abort = w->abort;
	return w->name;
}

int main(int argc, char **argv)
{
	return net_main("sim_abort", sizeof(rows) / sizeof(rows[0]), 40, conf, argc, argv);
}
