/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams whose sequence numbers wrap around: the hosts' keys are searched until both ISNs lie just
 * below 2^32. Usage: sim_wrap [SEED [COUNT]]
 */
#include "net.h"

int main(int argc, char **argv)
{
	struct tally t = { "sim_wrap", 0, 0 };
	uint64_t first = 1;
	unsigned n = 60;

	seeds(argc, argv, &first, &n);
	for (uint64_t s = first; s < first + n; s++) {
		struct net_conf c;

		net_defaults(&c);
		c.wrap = true;
		c.conns = c.at_once = 1;
		c.manner_client.goal = c.manner_server.goal = 150000;
		c.link.loss = s % 2 ? 1000 : 0;
		c.link.reorder = s % 3 ? 3000 : 0;
		tally_seed(&t, "wrap-around", s, net_run(&c, s));
	}
	return tally_end(&t);
}
