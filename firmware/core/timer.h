/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer wheel: one deadline per flow, by the flow's number within its FPC, so that a timer
 * outlives the eviction of its TCB.
 *
 * Three levels of 1 ms, 256 ms and 16 s. A deadline that moves later leaves the flow where it is:
 * when that slot comes up the flow is put where it belongs. So the usual case, an RTO that every
 * ACK pushes on, costs one store.
 */
#ifndef TOE_CORE_TIMER_H
#define TOE_CORE_TIMER_H

#include "../lib/list.h"

enum {
	TOE_WHEEL_L0 = 256,
	TOE_WHEEL_L1 = 64,
	TOE_WHEEL_L2 = 64,
	TOE_WHEEL_SLOTS = TOE_WHEEL_L0 + TOE_WHEEL_L1 + TOE_WHEEL_L2,
	TOE_WHEEL_TICK_US = 1000,
};

#define TOE_WHEEL_NONE 0xffffffffu

struct toe_wheel {
	struct toe_node *node; /* n flows, then TOE_WHEEL_SLOTS heads */
	uint64_t *due; /* microseconds, 0 = not armed */
	uint64_t *at; /* tick of the slot that the flow is in */
	uint64_t tick; /* next one to look at */
	uint64_t map[TOE_WHEEL_L0 / 64]; /* level 0 slots that may hold something */
	uint32_t n, armed;
};

void toe_wheel_init(struct toe_wheel *w, uint64_t now);
/* Arm flow `i` for `due` (microseconds), or disarm it with 0. */
void toe_wheel_set(struct toe_wheel *w, uint32_t i, uint64_t due);
/*
 * A flow whose deadline has passed, now disarmed, or TOE_WHEEL_NONE. Each look at a flow costs one
 * of *budget.
 */
uint32_t toe_wheel_next(struct toe_wheel *w, uint64_t now, unsigned *budget);
/* Nothing is due before this time; 0 = nothing is armed. */
uint64_t toe_wheel_deadline(const struct toe_wheel *w);

#endif
