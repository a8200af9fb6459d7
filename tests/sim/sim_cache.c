/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * More connections than the FPC's memory holds: 2,000 live ones over 16 TCBs lose nothing, only
 * time. Usage: sim_cache [SEED [COUNT]]
 */
#include "net.h"

static void small_cache(struct net_conf *c, unsigned nfpcs, unsigned tcbs, unsigned conns)
{
	net_defaults(c);
	c->client.nfpcs = c->server.nfpcs = nfpcs;
	c->client.tcb_cache = c->server.tcb_cache = tcbs;
	c->client.nflows = c->server.nflows = conns + conns / 4 + 16;
	c->conns = c->at_once = conns;
	c->backlog = c->live = conns;
	c->manner_client.goal = c->manner_server.goal = 4000;
	c->link.loss = 200;
}

int main(int argc, char **argv)
{
	struct tally t = { "sim_cache", 0, 0 };
	uint64_t first = 1;
	unsigned n = 20;
	struct net_conf c;

	seeds(argc, argv, &first, &n);
	small_cache(&c, 1, 16, 2000);
	tally_seed(&t, "2,000 connections, 16 TCBs", first, net_run(&c, first));
	for (uint64_t s = first; s < first + n; s++) {
		small_cache(&c, 1, 1, 40);
		tally_seed(&t, "40 connections, 1 TCB", s, net_run(&c, s));
		small_cache(&c, 2, 4, 100);
		tally_seed(&t, "100 connections, two FPCs of 4 TCBs", s, net_run(&c, s));
	}
	return tally_end(&t);
}
