/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the simulator programs share: two hosts with an application each, and the verdict at the
 * end.
 */
#ifndef TOE_TESTS_SIM_NET_H
#define TOE_TESTS_SIM_NET_H

#include "../../firmware/port/sim/app.h"
#include "../harness/seeds.h"
#include "outage.h"
#include "peer.h"

struct net_conf {
	struct sim_conf client, server;
	struct sim_link link;
	struct sim_device device; /* of both hosts */
	struct sim_manner manner_client, manner_server;
	unsigned conns; /* altogether */
	unsigned at_once; /* open at the same time, at most */
	unsigned live; /* if set, nothing is closed before so many are open */
	uint32_t backlog;
	unsigned restarts; /* times that a firmware is killed, at random calls into its port */
	unsigned kills; /* and at random instructions */
	uint32_t narrows_to; /* if set, the link's MTU from the midst of the streams on */
	bool wrap; /* the first connection's ISNs lie just below 2^32 */
	uint32_t flood; /* chance in 65536, each turn, of SYNs from everywhere */
	uint32_t outage_s; /* if set, one of the devices takes nothing for so long, once */
	bool may_fail; /* errors are part of the game (aborts): streams need not be complete */
	uint64_t limit_s; /* simulated seconds until the run counts as stalled */
	uint32_t fast_ms; /* if set, all streams must be through by then */
	uint32_t grown; /* if set, so many rings at least must have grown */
};

struct net {
	struct sim_world *w;
	struct sim_app *client, *server;
	unsigned started;
	uint64_t next_kill; /* not before so many frames were delivered */
	struct peer *flood; /* NULL: none */
	struct outage outage;
	bool gave_up;
};

/* A plain run: defaults to build on. */
void net_defaults(struct net_conf *c);
/* Run one seed. NULL, or what went wrong. */
const char *net_run(const struct net_conf *c, uint64_t seed);

/* Count passes and failures of seeds and print the line at the end. */
struct tally {
	const char *name;
	unsigned passed, failed;
};
void tally_seed(struct tally *t, const char *what, uint64_t seed, const char *broken);
int tally_end(const struct tally *t);

/*
 * main() of a program of rows: each with `n` seeds, or those of the command line. conf() says how a
 * row differs from a plain run, and returns its name.
 */
int net_main(const char *name, unsigned rows, unsigned n,
	     const char *(*conf)(struct net_conf *c, unsigned row, uint64_t seed), int argc,
	     char **argv);

#endif
