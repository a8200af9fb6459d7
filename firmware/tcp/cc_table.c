/* SPDX-License-Identifier: BSD-2-Clause */
/* The congestion controls there are. */
#include "cc.h"

#include "seq.h"

extern const struct toe_cc toe_cc_newreno;

const struct toe_cc *const toe_cc_table[TOE_CC_COUNT] = {
	[TOE_CC_NEWRENO] = &toe_cc_newreno,
};

uint32_t toe_cc_initial_window(const struct toe_tcb *t)
{
	return toe_min32(10u * t->mss, toe_max32(2u * t->mss, 14600));
}
