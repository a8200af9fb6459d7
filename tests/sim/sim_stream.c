/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two engines over a bad link: every byte once and in order both ways, half-closes included, and
 * everything that was lent comes back. Usage: sim_stream [SEED [COUNT]]
 */
#include "net.h"

struct row {
	const char *name;
	struct sim_link link;
	struct sim_manner manner;
	enum sim_steer steer;
	unsigned nfpcs;
};

static const struct row rows[] = {
	{ "clean", { .delay_us = 50 }, { .goal = 200000 }, SIM_STEER_META, 1 },
	{ "clean, two FPCs", { .delay_us = 50 }, { .goal = 100000 }, SIM_STEER_META, 2 },
	{ "clean, three FPCs, no metadata",
	  { .delay_us = 50 },
	  { .goal = 60000 },
	  SIM_STEER_RAW,
	  3 },
	{ "partial checksums", { .delay_us = 50 }, { .goal = 60000 }, SIM_STEER_PARTIAL, 1 },
	{ "1% loss", { .delay_us = 200, .loss = 655 }, { .goal = 60000 }, SIM_STEER_META, 2 },
	{ "10% loss", { .delay_us = 200, .loss = 6554 }, { .goal = 20000 }, SIM_STEER_META, 1 },
	{ "duplication", { .delay_us = 100, .dup = 20000 }, { .goal = 60000 }, SIM_STEER_META, 1 },
	{ "reordering",
	  { .delay_us = 100, .reorder = 16000, .late_us = 700 },
	  { .goal = 60000 },
	  SIM_STEER_META,
	  1 },
	{ "corruption",
	  { .delay_us = 100, .corrupt = 2000 },
	  { .goal = 40000 },
	  SIM_STEER_META,
	  1 },
	{ "everything",
	  { .delay_us = 300,
	    .loss = 1000,
	    .dup = 1000,
	    .corrupt = 500,
	    .reorder = 4000,
	    .late_us = 2000 },
	  { .goal = 30000 },
	  SIM_STEER_RAW,
	  2 },
	{ "slow link, short queue",
	  { .delay_us = 1000, .kbit = 20000, .queue = 18000 },
	  { .goal = 60000 },
	  SIM_STEER_META,
	  1 },
	{ "tiny reads and writes",
	  { .delay_us = 100 },
	  { .goal = 20000, .max_read = 700, .max_write = 300 },
	  SIM_STEER_META,
	  1 },
	{ "slow reader, full windows, loss",
	  { .delay_us = 100, .loss = 655 },
	  { .goal = 150000, .max_read = 3000, .lazy = 60000 },
	  SIM_STEER_META,
	  1 },
	{ "close without shutdown",
	  { .delay_us = 100, .loss = 300 },
	  { .goal = 20000, .bare_close = true },
	  SIM_STEER_META,
	  1 },
};

int main(int argc, char **argv)
{
	struct tally t = { "sim_stream", 0, 0 };
	uint64_t first = 1;
	unsigned n = 40;

	seeds(argc, argv, &first, &n);
	for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		for (uint64_t s = first; s < first + n; s++) {
			struct net_conf c;

			net_defaults(&c);
			c.link = rows[r].link;
			c.manner_client = c.manner_server = rows[r].manner;
			c.client.nfpcs = c.server.nfpcs = rows[r].nfpcs;
			c.client.steer = c.server.steer = rows[r].steer;
			tally_seed(&t, rows[r].name, s, net_run(&c, s));
		}
	}
	return tally_end(&t);
}
