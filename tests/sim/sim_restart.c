/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware is killed at random calls into its port and at random instructions, in the middle of
 * traffic, and its successor carries on: no connection is lost, no byte is wrong, nothing leaks.
 * Usage: sim_restart [SEED [COUNT]]
 */
#include "net.h"

struct row {
	const char *name;
	unsigned nfpcs, tcbs, conns, restarts, kills;
	uint32_t loss, goal;
	unsigned mtu;
};

static const struct row rows[] = {
	{ "one kill", 1, 64, 6, 1, 0, 0, 100000, 1500 },
	{ "many kills", 1, 64, 6, 40, 0, 0, 200000, 1500 },
	{ "many kills, loss, two FPCs", 2, 64, 8, 40, 0, 655, 100000, 1500 },
	{ "many kills, small cache", 1, 3, 24, 60, 0, 100, 100000, 1500 },
	{ "at any instruction", 1, 64, 24, 0, 20, 0, 20000, 1500 },
	{ "at any instruction, loss, two FPCs", 2, 64, 24, 0, 20, 655, 20000, 1500 },
	{ "at any instruction, small cache", 1, 3, 24, 0, 20, 100, 20000, 1500 },
	{ "at any instruction, MTU 9000, two FPCs", 2, 64, 24, 0, 20, 100, 100000, 9000 },
};

static const char *conf(struct net_conf *c, unsigned row, uint64_t seed)
{
	const struct row *w = &rows[row];

	c->client.nfpcs = c->server.nfpcs = w->nfpcs;
	c->client.tcb_cache = c->server.tcb_cache = w->tcbs;
	c->client.mtu = c->server.mtu = w->mtu;
	c->conns = c->at_once = w->conns;
	c->restarts = w->restarts;
	c->kills = w->kills;
	c->link.loss = w->loss;
	c->manner_client.goal = c->manner_server.goal = w->goal;
	c->manner_client.max_write = c->manner_server.max_write = 5000;
	c->manner_client.max_read = c->manner_server.max_read = 5000;
	return w->name;
}

int main(int argc, char **argv)
{
	return net_main("sim_restart", sizeof(rows) / sizeof(rows[0]), 60, conf, argc, argv);
}
