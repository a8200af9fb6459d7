/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Death of the firmware at any instruction (toe_port.kill_in). Where the processor cannot step: at
 * a call into the port.
 */
#ifndef TOE_SIM_KILL_H
#define TOE_SIM_KILL_H

#include "sim.h"

/* Around a batch of the firmware that counts p->kill_in down. */
void sim_kill_begin(struct toe_port *p);
void sim_kill_end(struct toe_port *p);
/* Around the port's functions: they are not interrupted. */
extern struct toe_port *sim_victim; /* whose instructions are counted */
void sim_kill_pause(void);
void sim_kill_resume(void);

static inline void sim_port_enter(void)
{
	if (__builtin_expect(!!sim_victim, 0))
		sim_kill_pause();
}

static inline void sim_port_leave(void)
{
	if (__builtin_expect(!!sim_victim, 0))
		sim_kill_resume();
}

#endif
