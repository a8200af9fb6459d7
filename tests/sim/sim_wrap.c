/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams whose sequence numbers wrap around: the hosts' keys are searched until both ISNs lie just
 * below 2^32. Usage: sim_wrap [SEED [COUNT]]
 */
#include "net.h"

static const char *conf(struct net_conf *c, unsigned row, uint64_t seed)
{
	c->wrap = true;
	c->conns = c->at_once = 1;
	c->manner_client.goal = c->manner_server.goal = 150000;
	c->link.loss = seed % 2 ? 1000 : 0;
	c->link.reorder = seed % 3 ? 3000 : 0;
	return "wrap-around";
}

int main(int argc, char **argv)
{
	return net_main("sim_wrap", 1, 60, conf, argc, argv);
}
