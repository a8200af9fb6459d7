/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device takes nothing for a long while. Connections over it that have something to send or to be
 * acknowledged must end meanwhile, at both ends, by their user timeout.
 */
#ifndef TOE_TESTS_SIM_OUTAGE_H
#define TOE_TESTS_SIM_OUTAGE_H

#include "../../firmware/port/sim/sim.h"

/* Seconds that no connection may wait longer than; user timeouts are a few. */
enum { OUTAGE_FLOWS = 64, OUTAGE_MOST_S = 20 };

struct outage {
	struct toe_port *host; /* whose device it is; NULL: not yet */
	uint64_t first_look, last_look; /* microseconds; 0 = done */
	uint64_t due[2][OUTAGE_FLOWS]; /* what waited then, by flow: 0, or how far it had come */
};

/* The hosts have at most OUTAGE_FLOWS flows; `seconds` are more than OUTAGE_MOST_S. */
void outage_begin(struct outage *o, struct toe_port *host, uint32_t seconds);
/* As time goes by: NULL, or what is wrong. */
const char *outage_look(struct outage *o);

#endif
