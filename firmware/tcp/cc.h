/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion control: a table of functions over toe_tcb.cc_state. What is common to all algorithms,
 * loss detection and the window during recovery, lives in ack.c; an algorithm decides how cwnd
 * grows and what a loss costs.
 */
#ifndef TOE_TCP_CC_H
#define TOE_TCP_CC_H

#include "../core/tcb.h"

/* Values of toe_open.cc. If you add one, also add its row to toe_cc_table (cc_table.c). */
enum toe_cc_id { TOE_CC_NEWRENO, TOE_CC_COUNT };

struct toe_cc {
	const char *name; /* as TCP_CONGESTION spells it */
	/*
	 * The handshake is done. syn_lost: a SYN had to be sent again. Sets cwnd, ssthresh,
	 * cc_state.
	 */
	void (*init)(struct toe_tcb *t, bool syn_lost);
	/*
	 * `acked` bytes were acknowledged outside fast recovery; `flight` bytes were outstanding
	 * before.
	 */
	void (*acked)(struct toe_tcb *t, uint32_t acked, uint32_t flight, uint64_t now);
	/* The window after a loss, bytes: becomes ssthresh. */
	uint32_t (*loss)(struct toe_tcb *t, uint32_t flight, uint64_t now);
};

extern const struct toe_cc *const toe_cc_table[TOE_CC_COUNT];

static inline const struct toe_cc *toe_cc(const struct toe_tcb *t)
{
	return toe_cc_table[t->cc];
}

/* Initial window, bytes (RFC 6928 2); also the restart window after idling (RFC 5681 4.1). */
uint32_t toe_cc_initial_window(const struct toe_tcb *t);

/* Above this cwnd means nothing: no window can be larger (RFC 7323 2.3). */
enum { TOE_CWND_MAX = 1 << 30 };

#endif
