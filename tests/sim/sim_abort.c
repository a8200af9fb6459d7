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

int main(int argc, char **argv)
{
	struct tally t = { "sim_abort", 0, 0 };
	uint64_t first = 1;
	unsigned n = 40;

	seeds(argc, argv, &first, &n);
	for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		for (uint64_t s = first; s < first + n; s++) {
			struct net_conf c;

			net_defaults(&c);
			c.conns = rows[r].conns;
			c.at_once = rows[r].at_once;
			c.restarts = rows[r].restarts;
			c.backlog = rows[r].backlog;
			c.may_fail = rows[r].may_fail;
			c.link.loss = rows[r].loss;
			c.manner_client.goal = c.manner_server.goal = rows[r].goal;
			c.manner_client.abort = c.manner_server.abort = rows[r].abort;
			tally_seed(&t, rows[r].name, s, net_run(&c, s));
		}
	}
	return tally_end(&t);
}
