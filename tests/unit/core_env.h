/* SPDX-License-Identifier: BSD-2-Clause */
/* Two simulated hosts with an application each, for tests of the core's rooms. */
#ifndef TOE_TESTS_CORE_ENV_H
#define TOE_TESTS_CORE_ENV_H

#include <string.h>

#include "../../firmware/core/fpc.h"
#include "../../firmware/port/sim/app.h"
#include "../../firmware/wire/endian.h"

struct env {
	struct sim_world *w;
	struct toe_port *c, *s; /* client, server */
	struct sim_app *ca, *sa;
};

static inline void env_up_with(struct env *e, unsigned nflows, unsigned nfpcs)
{
	static const struct sim_manner silent = { .goal = 0 };
	struct sim_conf conf = { .nfpcs = nfpcs,
				 .tcb_cache = 8,
				 .nflows = nflows,
				 .mtu = 1500,
				 .addr = 1,
				 .rcvbuf_max = 6 << 20,
				 .sndbuf_max = 4 << 20 };
	struct sim_link link = { .delay_us = 10 };

	e->w = sim_new(42);
	e->c = sim_host(e->w, &conf);
	conf.addr = 2;
	e->s = sim_host(e->w, &conf);
	sim_join(e->c, e->s, &link);
	e->ca = sim_app_new(e->c, 0, &silent);
	e->sa = sim_app_new(e->s, 0, &silent);
	e->ca->hold = e->sa->hold = true;
}

static inline void env_up(struct env *e)
{
	env_up_with(e, 16, 1);
}

static inline void env_down(struct env *e)
{
	sim_app_free(e->ca);
	sim_app_free(e->sa);
	sim_free(e->w);
}

/* Let `us` pass. Applications only act when `apps`. */
static inline void env_pass(struct env *e, uint64_t us, bool apps)
{
	for (uint64_t end = e->w->now + us; e->w->now < end; e->w->now += 5) {
		sim_step(e->w);
		if (apps) {
			sim_app_run(e->ca);
			sim_app_run(e->sa);
		}
	}
}

/*
 * A connection, established and accepted. The client's end; the server's is
 * e->sa->conn[e->sa->nconns - 1].
 */
static inline struct sim_conn *env_connection(struct env *e)
{
	struct sim_conn *c;

	sim_app_listen(e->sa, 0, 80, 8);
	env_pass(e, 50, true);
	c = sim_app_connect(e->ca, e->s, 80);
	env_pass(e, 300, true);
	return c;
}

#endif
