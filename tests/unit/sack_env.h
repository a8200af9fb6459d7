/* SPDX-License-Identifier: BSD-2-Clause */
/* One TCB whose peer speaks SACK: flights, ACKs with blocks, time that passes. */
#ifndef TOE_TESTS_SACK_ENV_H
#define TOE_TESTS_SACK_ENV_H

#include "firmware/tcp/sendmap.h"
#include "tcp_env.h"

/* Nothing in flight, room for 60 segments in cwnd; the round trip is 20 ms. */
static inline struct env sack_idle(void)
{
	struct env e = env_established();

	e.t.flags |= TOE_TCB_SACK;
	e.t.srtt_us = 20000;
	e.t.rttvar_us = 10;
	e.t.min_rtt_us = e.t.min_rtt_next_us = 20000;
	e.t.rtt_seq = e.t.snd_una + 100000;
	e.t.min_rtt_age_s = toe_age_s(e.now);
	e.t.ssthresh = e.t.cwnd = 60 * ENV_MSS;
	return e;
}

/* `n` full segments in flight, cwnd just as large. */
static inline struct env sack_flight(unsigned n)
{
	struct env e = sack_idle();

	e.t.ssthresh = e.t.cwnd = n * ENV_MSS;
	env_write(&e, 60000);
	CU_ASSERT_EQUAL(e.n, n);
	return e;
}

/* An ACK of `ack` with one block, or with two when lo2 < hi2. */
static inline void sack2(struct env *e, uint32_t ack, uint32_t lo, uint32_t hi, uint32_t lo2,
			 uint32_t hi2)
{
	struct toe_seg s = env_seg(e, TOE_ACK, 0, 0, ack);

	s.opts |= TOE_SEG_SACK;
	s.nsack = lo2 < hi2 ? 2 : 1;
	s.sack[0] = (struct toe_range){ ENV_ISN + 1 + lo, ENV_ISN + 1 + hi };
	s.sack[1] = (struct toe_range){ ENV_ISN + 1 + lo2, ENV_ISN + 1 + hi2 };
	env_run(e, toe_tcp_input(&e->t, &s, e->now));
}

static inline void sack(struct env *e, uint32_t ack, uint32_t lo, uint32_t hi)
{
	sack2(e, ack, lo, hi, 0, 0);
}

#endif
