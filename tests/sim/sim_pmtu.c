/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A path that is narrower than the link: routers say so, or do not; and that gets narrower in the
 * midst of a transfer. Usage: sim_pmtu [SEED [COUNT]]
 */
#include "net.h"

struct row {
	const char *name;
	uint32_t mtu, loss;
	bool tells;
	unsigned restarts;
	uint64_t limit_s; /* without loss nothing waits for a timeout where routers speak */
};

static const struct row rows[] = {
	{ "1400, said", 1400, 0, true, 0, 1 },
	{ "552, said, loss", 552, 655, true, 0, 120 },
	{ "1280, said, kills", 1280, 0, true, 10, 60 },
	{ "1400, a black hole", 1400, 0, false, 0, 120 },
	{ "600, a black hole", 600, 0, false, 0, 300 },
};

static const char *conf(struct net_conf *c, unsigned row, uint64_t seed)
{
	const struct row *w = &rows[row];

	c->client.nfpcs = c->server.nfpcs = 1 + seed % 2;
	c->link.mtu = w->mtu;
	c->link.tells = w->tells;
	c->link.loss = w->loss;
	c->restarts = w->restarts;
	c->limit_s = w->limit_s;
	c->manner_client.goal = c->manner_server.goal = 200000;
	return w->name;
}

int main(int argc, char **argv)
{
	return net_main("sim_pmtu", sizeof(rows) / sizeof(rows[0]), 10, conf, argc, argv);
}
