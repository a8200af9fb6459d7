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

int main(int argc, char **argv)
{
	struct tally t = { "sim_pmtu", 0, 0 };
	uint64_t first = 1;
	unsigned n = 10;

	seeds(argc, argv, &first, &n);
	for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		for (uint64_t s = first; s < first + n; s++) {
			struct net_conf c;

			net_defaults(&c);
			c.client.nfpcs = c.server.nfpcs = 1 + s % 2;
			c.link.mtu = rows[r].mtu;
			c.link.tells = rows[r].tells;
			c.link.loss = rows[r].loss;
			c.restarts = rows[r].restarts;
			c.limit_s = rows[r].limit_s;
			c.manner_client.goal = c.manner_server.goal = 200000;
			tally_seed(&t, rows[r].name, s, net_run(&c, s));
		}
	}
	return tally_end(&t);
}
