/* SPDX-License-Identifier: BSD-2-Clause */
/* Death of the firmware at any instruction (toe_port.kill_in). Where the processor cannot step: at a call into the port. */
#ifndef TOE_SIM_KILL_H
#define TOE_SIM_KILL_H

#include "sim.h"

/* Around a batch of the firmware that counts p->kill_in down. */
void sim_kill_begin(struct toe_port *p);
void sim_kill_end(struct toe_port *p);
/* Around the port's functions: they are not interrupted. */
void sim_port_enter(void);
void sim_port_leave(void);

#endif
