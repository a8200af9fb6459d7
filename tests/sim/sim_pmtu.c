/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A path that is narrower than the link: routers say so, or do not; and that gets narrower in the
 * midst of a transfer. Every other seed by IPv6 where that may be so narrow. Usage: sim_pmtu [SEED [COUNT]]
 */
#include "net.h"

enum { LEAST_V6 = 1280 }; /* RFC 8200 5 */

struct row {
	const char *name;
	uint32_t mtu, loss;
	bool later; /* not from the beginning, but in the midst of the streams */
	bool tells;
	unsigned restarts;
	uint64_t limit_s; /* without loss nothing waits for a timeout where routers speak */
};

static const struct row rows[] = {
	{ "1400, said", 1400, 0, false, true, 0, 1 },
	{ "552, said, loss", 552, 655, false, true, 0, 120 },
	{ "1280, said, kills", 1280, 0, false, true, 10, 60 },
	{ "1400, a black hole", 1400, 0, false, false, 0, 120 },
	{ "600, a black hole", 600, 0, false, false, 0, 300 },
	{ "1300 later, said", 1300, 0, true, true, 0, 2 },
	{ "1280 later, said, loss", 1280, 655, true, true, 0, 120 },
	{ "1300 later, a black hole", 1300, 0, true, false, 0, 120 },
};

static const char *conf(struct net_conf *c, unsigned row, uint64_t seed)
{
	const struct row *w = &rows[row];

	c->client.v6 = c->server.v6 = seed % 4 < 2 && w->mtu >= LEAST_V6;
	c->client.nfpcs = c->server.nfpcs = 1 + seed % 2;
	*(w->later ? &c->narrows_to : &c->link.mtu) = w->mtu;
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
