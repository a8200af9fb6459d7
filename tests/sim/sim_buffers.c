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
	{ .name = "a small send buffer",
	  .link = { LONG_PATH },
	  .manner = { .bulk = 2 * MB, .sndbuf = 16384 },
	  .nfpcs = 1,
	  .conns = 1,
	  .fast_ms = 1400,
	  .grown = 2 },
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

static const char *conf(struct net_conf *c, unsigned row, uint64_t seed)
{
	const struct row *w = &rows[row];

	c->link = w->link;
	c->manner_client = c->manner_server = w->manner;
	c->client.nfpcs = c->server.nfpcs = w->nfpcs;
	c->client.app_buffers = c->server.app_buffers = w->app_buffers;
	c->client.big_slots = c->server.big_slots = w->big_slots;
	c->conns = c->at_once = w->conns;
	c->fast_ms = w->fast_ms;
	c->grown = w->grown;
	c->restarts = w->restarts;
	c->kills = w->kills;
	return w->name;
}

int main(int argc, char **argv)
{
	return net_main("sim_buffers", sizeof(rows) / sizeof(rows[0]), 3, conf, argc, argv);
}
