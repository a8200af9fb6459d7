/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers of every size: paths that hold far more than 64 KB are filled, rings change under loss,
 * reordering and death, small and stalled readers get along, and every slot comes back.
 * Usage: sim_buffers [SEED [COUNT]]
 */
#include "net.h"

enum { MB = 1 << 20 };

struct row {
	const char *name;
	struct sim_link link;
	struct sim_manner manner;
	unsigned nfpcs, conns;
	uint32_t fast_ms, grown;
	unsigned restarts, kills;
	uint64_t app_buffers;
	uint32_t big_slots;
};

/* 200 Mbit/s and a round trip of 40 ms hold 1 MB; through a window of 64 KB go 13 Mbit/s. */
#define LONG_PATH .kbit = 200000, .delay_us = 20000

static const struct row rows[] = {
	{ .name = "long path is filled",
	  .link = { LONG_PATH },
	  .manner = { .bulk = 16 * MB },
	  .nfpcs = 1,
	  .conns = 1,
	  .fast_ms = 1400,
	  .grown = 6 },
	{ .name = "sizes that were asked for",
	  .link = { LONG_PATH },
	  .manner = { .bulk = 16 * MB, .rcvbuf = 4 * MB, .sndbuf = 4 * MB },
	  .nfpcs = 1,
	  .conns = 1,
	  .fast_ms = 1400,
	  .grown = 2 },
	{ .name = "16 MB",
	  .link = { LONG_PATH },
	  .manner = { .bulk = 8 * MB, .rcvbuf = 16 * MB, .sndbuf = 16 * MB },
	  .nfpcs = 2,
	  .conns = 2,
	  .fast_ms = 1400,
	  .grown = 4 },
	{ .name = "loss",
	  .link = { LONG_PATH, .loss = 6 },
	  .manner = { .bulk = 4 * MB },
	  .nfpcs = 1,
	  .conns = 2,
	  .grown = 4 },
	{ .name = "reordering, duplicates, corruption",
	  .link = { .kbit = 400000,
		    .delay_us = 5000,
		    .reorder = 600,
		    .late_us = 300,
		    .dup = 300,
		    .corrupt = 3 },
	  .manner = { .bulk = 2 * MB },
	  .nfpcs = 2,
	  .conns = 2,
	  .grown = 2 },
	{ .name = "lazy reader, odd pieces",
	  .link = { .kbit = 400000, .delay_us = 5000 },
	  .manner = { .bulk = 2 * MB, .max_read = 90000, .max_write = 70001, .lazy = 50000 },
	  .nfpcs = 1,
	  .conns = 2 },
	{ .name = "4 KB",
	  .link = { .delay_us = 200 },
	  .manner = { .goal = 60000, .rcvbuf = 4096, .sndbuf = 4096 },
	  .nfpcs = 1,
	  .conns = 6 },
	{ .name = "4 KB, loss",
	  .link = { .delay_us = 200, .loss = 655 },
	  .manner = { .goal = 20000, .rcvbuf = 4096, .sndbuf = 4096 },
	  .nfpcs = 1,
	  .conns = 6 },
	{ .name = "little memory",
	  .link = { LONG_PATH },
	  .manner = { .bulk = 1 * MB },
	  .nfpcs = 1,
	  .conns = 8,
	  .grown = 1,
	  .app_buffers = 640 << 10 },
	{ .name = "few slots",
	  .link = { LONG_PATH },
	  .manner = { .bulk = 1 * MB },
	  .nfpcs = 1,
	  .conns = 8,
	  .grown = 1,
	  .big_slots = 3 },
	{ .name = "kills while rings grow",
	  .link = { LONG_PATH },
	  .manner = { .bulk = 4 * MB },
	  .nfpcs = 1,
	  .conns = 2,
	  .grown = 2,
	  .restarts = 40 },
	{ .name = "kills at any instruction",
	  .link = { .kbit = 400000, .delay_us = 5000 },
	  .manner = { .bulk = 1 * MB, .rcvbuf = 600000, .sndbuf = 400000 },
	  .nfpcs = 2,
	  .conns = 2,
	  .grown = 2,
	  .kills = 20 },
};

int main(int argc, char **argv)
{
	struct tally t = { "sim_buffers", 0, 0 };
	uint64_t first = 1;
	unsigned n = 3;

	seeds(argc, argv, &first, &n);
	for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		for (uint64_t s = first; s < first + n; s++) {
			struct net_conf c;

			net_defaults(&c);
			c.link = rows[r].link;
			c.manner_client = c.manner_server = rows[r].manner;
			c.client.nfpcs = c.server.nfpcs = rows[r].nfpcs;
			c.client.app_buffers = c.server.app_buffers = rows[r].app_buffers;
			c.client.big_slots = c.server.big_slots = rows[r].big_slots;
			c.conns = c.at_once = rows[r].conns;
			c.fast_ms = rows[r].fast_ms;
			c.grown = rows[r].grown;
			c.restarts = rows[r].restarts;
			c.kills = rows[r].kills;
			tally_seed(&t, rows[r].name, s, net_run(&c, s));
		}
	}
	return tally_end(&t);
}
