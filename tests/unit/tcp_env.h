/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One TCB and a peer made by hand: constructors that start in any state, segments with the right
 * numbers filled in, and what left recorded. Numbers in tests are relative: our stream and the
 * peer's both start at 0.
 */
#ifndef TOE_TESTS_TCP_ENV_H
#define TOE_TESTS_TCP_ENV_H

#include <string.h>

#include "firmware/lib/errno.h"
#include "firmware/tcp/opts.h"
#include "firmware/tcp/recv.h"
#include "firmware/tcp/rto.h"
#include "tests/harness/unit.h"

enum {
	ENV_ISN = 0xfffff000u, /* both wrap soon */
	ENV_IRS = 0xffffff00u,
	ENV_MSS = 1000,
	ENV_T0 = 5000000,
};

struct env {
	struct toe_tcb t;
	struct toe_tcb_lists lists; /* its own: they follow it */
	uint64_t now;
	struct toe_out o[64]; /* what the last env_run sent */
	unsigned n;
	uint32_t act; /* what the last event returned */
};

static inline struct toe_open env_how(void)
{
	return (struct toe_open){ .isn = ENV_ISN,
				  .rcv_size = 65536,
				  .snd_size = 65536,
				  .mtu = ENV_MSS + 40,
				  .ip_hdr = 20 };
}

/* Take what is due, as the FPC does at the end of a batch; the invariants must hold. */
static inline void env_run(struct env *e, uint32_t act)
{
	const char *broken;

	e->act = act;
	e->n = 0;
	while (e->n < 64 && toe_tcp_output(&e->t, e->now, &e->o[e->n]))
		e->n++;
	CU_ASSERT(e->n < 64);
	toe_tcp_limit_note(&e->t, e->now);
	broken = toe_tcb_check(&e->t);
	if (broken) {
		printf("invariant: %s\n", broken);
		CU_FAIL_FATAL("an invariant is broken");
	}
}

/* A segment of the peer: `seq` in its stream, `ack` in ours; wnd 1000 at scale 0 means 1000. */
static inline struct toe_seg env_seg(const struct env *e, uint8_t flags, uint32_t seq, uint32_t len,
				     uint32_t ack)
{
	return (struct toe_seg){ .flags = flags,
				 .seq = ENV_IRS + 1 + seq,
				 .ack = ENV_ISN + 1 + ack,
				 .len = len,
				 .wnd = 60000 };
}

/* An event, without the end of the batch. */
static inline uint32_t env_input(struct env *e, uint8_t flags, uint32_t seq, uint32_t len,
				 uint32_t ack)
{
	struct toe_seg s = env_seg(e, flags, seq, len, ack);

	return toe_tcp_input(&e->t, &s, e->now);
}

static inline uint32_t env_in(struct env *e, uint8_t flags, uint32_t seq, uint32_t len,
			      uint32_t ack)
{
	env_run(e, env_input(e, flags, seq, len, ack));
	return e->act;
}

static inline void env_ack_wnd(struct env *e, uint32_t ack, uint16_t wnd)
{
	struct toe_seg s = env_seg(e, TOE_ACK, 0, 0, ack);

	s.wnd = wnd;
	env_run(e, toe_tcp_input(&e->t, &s, e->now));
}

static inline void env_timer(struct env *e)
{
	uint64_t at = toe_tcp_deadline(&e->t);

	CU_ASSERT_NOT_EQUAL(at, 0);
	e->now = at > e->now ? at : e->now;
	env_run(e, toe_tcp_timer(&e->t, e->now));
}

/* `end`: bytes written in all. */
static inline void env_write(struct env *e, uint64_t end)
{
	int64_t r = toe_tcp_send(&e->t, end, 0, e->now);

	CU_ASSERT(r >= 0);
	env_run(e, (uint32_t)r);
}

static inline void env_read(struct env *e, uint64_t read)
{
	int64_t r = toe_tcp_recv(&e->t, read, e->now);

	CU_ASSERT(r >= 0);
	env_run(e, (uint32_t)r);
}

static inline uint32_t env_out_seq(const struct env *e, unsigned i)
{
	return e->o[i].seq - (ENV_ISN + 1);
}

static inline uint32_t env_out_ack(const struct env *e, unsigned i)
{
	return e->o[i].ack - (ENV_IRS + 1);
}

/* One segment left, a bare ACK of `ack`. */
static inline bool env_only_ack(const struct env *e, uint32_t ack)
{
	return e->n == 1 && e->o[0].flags == TOE_ACK && !e->o[0].len && env_out_ack(e, 0) == ack;
}

/* Constructors. No options but MSS: tests that want more set the TCB's fields. */
static inline struct toe_seg env_syn(const struct env *e)
{
	struct toe_seg syn = env_seg(e, TOE_SYN, 0, 0, 0);

	syn.seq = ENV_IRS;
	syn.ack = 0;
	syn.opts = TOE_SEG_MSS;
	syn.mss = ENV_MSS;
	return syn;
}

static inline struct env env_syn_received(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	return e;
}

static inline struct env env_syn_sent(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();

	env_run(&e, toe_tcp_open_active(&e.t, &how, e.now));
	return e;
}

static inline struct env env_established(void)
{
	struct env e = env_syn_received();

	env_in(&e, TOE_ACK, 0, 0, 0);
	e.t.srtt_us = 0; /* the handshake took no time: as if unmeasured */
	e.t.rto_us = TOE_RTO_MIN_US;
	e.t.flags &= ~(uint32_t)TOE_TCB_FRESH; /* as if it had spoken before */
	return e;
}

/* After shutdown, our FIN on its way. */
static inline struct env env_fin_wait_1(void)
{
	struct env e = env_established();

	env_run(&e, toe_tcp_shutdown(&e.t, e.now));
	return e;
}

static inline struct env env_fin_wait_2(void)
{
	struct env e = env_fin_wait_1();

	env_in(&e, TOE_ACK, 0, 0, 1);
	return e;
}

static inline struct env env_close_wait(void)
{
	struct env e = env_established();

	env_in(&e, TOE_FIN | TOE_ACK, 0, 0, 0);
	return e;
}

static inline struct env env_closing(void)
{
	struct env e = env_fin_wait_1();

	env_in(&e, TOE_FIN | TOE_ACK, 0, 0, 0);
	return e;
}

static inline struct env env_last_ack(void)
{
	struct env e = env_close_wait();

	env_run(&e, toe_tcp_close(&e.t, e.now));
	return e;
}

static inline struct env env_time_wait(void)
{
	struct env e = env_fin_wait_2();

	env_in(&e, TOE_FIN | TOE_ACK, 0, 0, 1);
	return e;
}

#endif
