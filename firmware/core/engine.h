/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine as a port's main program sees it: FPCs over one block of state memory.
 *
 * State memory outlives the process that runs the firmware. It holds primary state (TCB cache
 * slots, TIME_WAIT tables), consistent at every instruction; what can be derived from it and from
 * toe_tcbs (timer wheel, free lists, queues of work) is rebuilt by toe_fpc_init.
 */
#ifndef TOE_CORE_ENGINE_H
#define TOE_CORE_ENGINE_H

#include <stddef.h>

#include "../port/port.h"

struct
    /*
     * one FPC's private view; memory of the caller, toe_fpc_size() bytes, aligned to a cache line
     */
    toe_fpc;

/*
 * Bytes of state memory for `nfpcs` FPCs with `tcb_cache` TCBs each, and `nflows` flow ids.
 * Page-aligned parts, zero at first.
 */
size_t toe_engine_state_size(unsigned nfpcs, unsigned tcb_cache, unsigned nflows);
size_t toe_fpc_size(void);

/*
 * Start FPC `id` on `state` (toe_engine_state_size bytes; sizes from toe_ctrl). On zeroed memory it
 * starts afresh, else it takes over every live flow of its part. 0, or -EINVAL when the state
 * belongs to another layout.
 */
int toe_fpc_init(struct toe_fpc *f, struct toe_port *p, void *state, unsigned id);

/*
 * One batch: packets, commands, timers, output, notifications. Returns the number of events handled
 * (0 = idle).
 */
unsigned toe_fpc_poll(struct toe_fpc *f);

/* Earliest timer, microseconds of toe_port_now; 0 = none. */
uint64_t toe_fpc_deadline(const struct toe_fpc *f);

/*
 * Sleep protocol (abi/cmd.h): announce, fence, look again. False: there is work, poll on. After the
 * wait call toe_fpc_awake.
 */
bool toe_fpc_sleep_begin(struct toe_fpc *f);
void toe_fpc_awake(struct toe_fpc *f);

/*
 * The TCB of a live flow as last committed, for observers (toectl, toe_flows): state memory may be
 * another process' mapping. Only its head: the lists of a spilled TCB are packed.
 */
const struct toe_tcb *toe_engine_peek(const void *state, const struct toe_ctrl *c,
				      const struct toe_flow_ent *e);

#endif
