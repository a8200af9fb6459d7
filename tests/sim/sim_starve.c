/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices that refuse frames at both ends, one by one, in bursts and for seconds, whatever else goes
 * on: nothing is lost by it, and nobody waits for more than the device.
 * Usage: sim_starve [SEED [COUNT]]
 */
#include "net.h"

struct row {
	const char *name;
	struct sim_device device;
	struct sim_link link;
	struct sim_manner manner;
	enum sim_steer steer;
	unsigned nfpcs, mtu, conns, at_once, tcb_cache; /* 0: see conf() */
	unsigned restarts, kills;
	uint32_t backlog, flood, outage_s;
	bool may_fail;
};

static const struct row rows[] = {
	{ .name = "refused at random", .device = { .refuse = 20000 }, .nfpcs = 2 },
	{ .name = "nearly always refused, loss",
	  .device = { .refuse = 58000 },
	  .link = { .delay_us = 200, .loss = 655 } },
	{ .name = "bursts of refusals, loss",
	  .device = { .jam = 2000, .jam_us = 20000 },
	  .link = { .delay_us = 200, .loss = 655 } },
	{ .name = "outages of seconds, 3% loss",
	  .device = { .jam = 500, .jam_us = 8000000 },
	  .link = { .delay_us = 200, .loss = 2000 } },
	{ .name = "three frames",
	  .device = { .frames = 3 },
	  .link = { .delay_us = 50 },
	  .manner = { .goal = 300000 },
	  .at_once = 16 },
	{ .name = "everything",
	  .device = { .frames = 20, .refuse = 6000, .jam = 300, .jam_us = 3000000 },
	  .link = { .delay_us = 300,
		    .loss = 1000,
		    .dup = 1000,
		    .corrupt = 500,
		    .reorder = 4000,
		    .late_us = 2000 },
	  .manner = { .goal = 200000 },
	  .steer = SIM_STEER_RAW,
	  .nfpcs = 3 },
	{ .name = "slow readers, shut windows, loss",
	  .device = { .refuse = 10000, .jam = 200, .jam_us = 3000000 },
	  .link = { .delay_us = 100, .loss = 655 },
	  .manner = { .goal = 150000, .max_read = 3000, .lazy = 60000 } },
	{ .name = "tiny reads and writes",
	  .device = { .refuse = 20000, .jam = 200, .jam_us = 1000000 },
	  .link = { .delay_us = 100, .loss = 655 },
	  .manner = { .goal = 30000, .max_read = 700, .max_write = 300 } },
	{ .name = "slow link, short queue",
	  .device = { .refuse = 10000, .jam = 200, .jam_us = 1000000 },
	  .link = { .delay_us = 1000, .kbit = 20000, .queue = 18000 },
	  .manner = { .goal = 200000 } },
	{ .name = "MTU 9000, sixteen frames",
	  .device = { .frames = 16, .refuse = 20000, .jam = 100, .jam_us = 1000000 },
	  .link = { .delay_us = 100, .loss = 655 },
	  .manner = { .goal = 2000000 },
	  .mtu = 9000 },
	{ .name = "close without shutdown",
	  .device = { .refuse = 20000, .jam = 500, .jam_us = 3000000 },
	  .link = { .delay_us = 100, .loss = 655 },
	  .manner = { .goal = 150000, .bare_close = true } },
	{ .name = "many over few TCBs",
	  .device = { .frames = 40, .refuse = 10000, .jam = 100, .jam_us = 2000000 },
	  .link = { .delay_us = 100, .loss = 655 },
	  .manner = { .goal = 3000 },
	  .tcb_cache = 8,
	  .conns = 200,
	  .at_once = 50 },
	{ .name = "backlog of two",
	  .device = { .refuse = 20000, .jam = 500, .jam_us = 2000000 },
	  .manner = { .goal = 3000 },
	  .conns = 40,
	  .at_once = 12,
	  .backlog = 2 },
	/* The device takes most of the answers: else no client gets in. */
	{ .name = "a flood of SYNs",
	  .device = { .frames = 40, .refuse = 10000, .jam = 10, .jam_us = 1000000 },
	  .link = { .delay_us = 100, .loss = 655 },
	  .manner = { .goal = 150000 },
	  .nfpcs = 2,
	  .flood = 30000 },
	{ .name = "kills",
	  .device = { .refuse = 20000, .jam = 500, .jam_us = 1000000 },
	  .link = { .delay_us = 100, .loss = 300 },
	  .restarts = 10,
	  .kills = 5,
	  .conns = 12 },
	{ .name = "aborts",
	  .device = { .refuse = 20000, .jam = 500, .jam_us = 3000000 },
	  .link = { .delay_us = 100, .loss = 655 },
	  .manner = { .goal = 150000, .abort = 30000 },
	  .conns = 20,
	  .at_once = 8,
	  .may_fail = true },
	{ .name = "a device that fails, user timeouts",
	  .device = { .refuse = 6000, .jam = 100, .jam_us = 1000000 },
	  .link = { .delay_us = 200, .loss = 655 },
	  .manner = { .goal = 200000, .user_timeout_ms = 5000 },
	  .conns = 20,
	  .outage_s = 40,
	  .may_fail = true },
	{ .name = "a device that fails beside shut windows, user timeouts",
	  .link = { .delay_us = 200 },
	  .manner = { .goal = 1500000, .max_read = 3000, .lazy = 60000, .user_timeout_ms = 5000 },
	  .conns = 20,
	  .outage_s = 40,
	  .may_fail = true },
};

static const char *conf(struct net_conf *c, unsigned row, uint64_t seed)
{
	const struct row *w = &rows[row];

	c->device = w->device;
	if (w->link.delay_us)
		c->link = w->link;
	c->manner_client = c->manner_server = w->manner;
	if (!w->manner.goal)
		c->manner_client.goal = c->manner_server.goal = 2000000;
	if (w->nfpcs)
		c->client.nfpcs = c->server.nfpcs = w->nfpcs;
	if (w->mtu)
		c->client.mtu = c->server.mtu = w->mtu;
	if (w->tcb_cache) {
		c->client.tcb_cache = c->server.tcb_cache = w->tcb_cache;
		c->client.nflows = c->server.nflows = 256;
	}
	c->client.steer = c->server.steer = w->steer;
	c->client.v6 = c->server.v6 = !w->flood && seed % 3 == 2;
	c->conns = w->conns ? w->conns : 24;
	c->at_once = w->at_once ? w->at_once : 8;
	if (w->backlog)
		c->backlog = w->backlog;
	c->restarts = w->restarts;
	c->kills = w->kills;
	c->flood = w->flood;
	c->outage_s = w->outage_s;
	if (w->may_fail) /* those with nothing to say wait for the other end */
		c->limit_s = 100;
	c->may_fail = w->may_fail;
	return w->name;
}

int main(int argc, char **argv)
{
	return net_main("sim_starve", sizeof(rows) / sizeof(rows[0]), 25, conf, argc, argv);
}
