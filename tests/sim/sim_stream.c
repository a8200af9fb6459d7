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
	unsigned mtu; /* 0: 1500 */
	bool v6;
	uint16_t vlan;
};

static const struct row rows[] = {
	{ .name = "clean",
	  .link = { .delay_us = 50 },
	  .manner = { .goal = 200000 },
	  .steer = SIM_STEER_META,
	  .nfpcs = 1 },
	{ .name = "clean, two FPCs",
	  .link = { .delay_us = 50 },
	  .manner = { .goal = 100000 },
	  .steer = SIM_STEER_META,
	  .nfpcs = 2 },
	{ .name = "clean, three FPCs, no metadata",
	  .link = { .delay_us = 50 },
	  .manner = { .goal = 60000 },
	  .steer = SIM_STEER_RAW,
	  .nfpcs = 3 },
	{ .name = "partial checksums",
	  .link = { .delay_us = 50 },
	  .manner = { .goal = 60000 },
	  .steer = SIM_STEER_PARTIAL,
	  .nfpcs = 1 },
	{ .name = "1% loss",
	  .link = { .delay_us = 200, .loss = 655 },
	  .manner = { .goal = 60000 },
	  .steer = SIM_STEER_META,
	  .nfpcs = 2 },
	{ .name = "10% loss",
	  .link = { .delay_us = 200, .loss = 6554 },
	  .manner = { .goal = 20000 },
	  .steer = SIM_STEER_META,
	  .nfpcs = 1 },
	{ .name = "duplication",
	  .link = { .delay_us = 100, .dup = 20000 },
	  .manner = { .goal = 60000 },
	  .steer = SIM_STEER_META,
	  .nfpcs = 1 },
	{ .name = "reordering",
	  .link = { .delay_us = 100, .reorder = 16000, .late_us = 700 },
	  .manner = { .goal = 60000 },
	  .steer = SIM_STEER_META,
	  .nfpcs = 1 },
	{ .name = "corruption",
	  .link = { .delay_us = 100, .corrupt = 2000 },
	  .manner = { .goal = 40000 },
	  .steer = SIM_STEER_META,
	  .nfpcs = 1 },
	{ .name = "everything",
	  .link = { .delay_us = 300,
		    .loss = 1000,
		    .dup = 1000,
		    .corrupt = 500,
		    .reorder = 4000,
		    .late_us = 2000 },
	  .manner = { .goal = 30000 },
	  .steer = SIM_STEER_RAW,
	  .nfpcs = 2 },
	{ .name = "slow link, short queue",
	  .link = { .delay_us = 1000, .kbit = 20000, .queue = 18000 },
	  .manner = { .goal = 60000 },
	  .steer = SIM_STEER_META,
	  .nfpcs = 1 },
	{ .name = "tiny reads and writes",
	  .link = { .delay_us = 100 },
	  .manner = { .goal = 20000, .max_read = 700, .max_write = 300 },
	  .steer = SIM_STEER_META,
	  .nfpcs = 1 },
	{ .name = "slow reader, full windows, loss",
	  .link = { .delay_us = 100, .loss = 655 },
	  .manner = { .goal = 150000, .max_read = 3000, .lazy = 60000 },
	  .steer = SIM_STEER_META,
	  .nfpcs = 1 },
	{ .name = "close without shutdown",
	  .link = { .delay_us = 100, .loss = 300 },
	  .manner = { .goal = 20000, .bare_close = true },
	  .steer = SIM_STEER_META,
	  .nfpcs = 1 },
	{ .name = "IPv6, everything",
	  .link = { .delay_us = 300,
		    .loss = 1000,
		    .dup = 1000,
		    .corrupt = 500,
		    .reorder = 4000,
		    .late_us = 2000 },
	  .manner = { .goal = 30000 },
	  .steer = SIM_STEER_RAW,
	  .nfpcs = 2,
	  .v6 = true },
	{ .name = "IPv6 on a VLAN, partial checksums",
	  .link = { .delay_us = 50 },
	  .manner = { .goal = 60000 },
	  .steer = SIM_STEER_PARTIAL,
	  .nfpcs = 1,
	  .v6 = true,
	  .vlan = 100 },
	{ .name = "service tag, loss, MTU 1280",
	  .link = { .delay_us = 200, .loss = 655 },
	  .manner = { .goal = 60000 },
	  .nfpcs = 1,
	  .mtu = 1280,
	  .vlan = 100 | TOE_VLAN_STAG },
	{ .name = "MTU 9000",
	  .link = { .delay_us = 50 },
	  .manner = { .goal = 400000 },
	  .nfpcs = 1,
	  .mtu = 9000 },
	{ .name = "MTU 9000, IPv6 on a VLAN, odd writes, everything",
	  .link = { .delay_us = 300,
		    .loss = 1000,
		    .dup = 1000,
		    .corrupt = 500,
		    .reorder = 4000,
		    .late_us = 2000 },
	  .manner = { .goal = 100000, .max_write = 7777 },
	  .steer = SIM_STEER_RAW,
	  .nfpcs = 2,
	  .mtu = 9000,
	  .v6 = true,
	  .vlan = 4094 },
};

static const char *conf(struct net_conf *c, unsigned row, uint64_t seed)
{
	const struct row *w = &rows[row];

	c->link = w->link;
	c->manner_client = c->manner_server = w->manner;
	c->client.nfpcs = c->server.nfpcs = w->nfpcs;
	c->client.v6 = c->server.v6 = w->v6;
	c->client.vlan = c->server.vlan = w->vlan;
	if (w->mtu)
		c->client.mtu = c->server.mtu = w->mtu;
	c->client.steer = c->server.steer = w->steer;
	return w->name;
}

int main(int argc, char **argv)
{
	return net_main("sim_stream", sizeof(rows) / sizeof(rows[0]), 40, conf, argc, argv);
}
