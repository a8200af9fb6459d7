/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/undo.c: recoveries that were needless. */
#include "sack_env.h"

static void dsack__for_all_that_was_sent_again(void)
{
	struct env e = sack_flight(10);

	e.now += 20000;
	sack(&e, 0, 1000, 4000);
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
	e.now += 1000;
	env_in(&e, TOE_ACK, 0, 0, 4000); /* the original was late */
	e.now += 19000;
	sack(&e, 4000, 0, 1000);
	CU_ASSERT_EQUAL(e.t.ssthresh, 10000);
	CU_ASSERT(e.t.cwnd >= 10000);
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_RECOVERY);
	CU_ASSERT_EQUAL(e.t.reo_mult, 1);
}

/* Two ACKs in one batch: what the first has counted as lost, the second acknowledges. */
static void ack__before_anything_went_again(void)
{
	struct env e = sack_flight(10);
	struct toe_seg late, all;

	e.now += 20000;
	late = env_seg(&e, TOE_ACK, 0, 0, 0);
	late.opts |= TOE_SEG_SACK;
	late.nsack = 1;
	late.sack[0] = (struct toe_range){ ENV_ISN + 1 + 1000, ENV_ISN + 1 + 5000 };
	all = env_seg(&e, TOE_ACK, 0, 0, 5000);
	toe_tcp_input(&e.t, &late, e.now);
	CU_ASSERT(e.t.flags & TOE_TCB_RECOVERY);
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
	env_run(&e, toe_tcp_input(&e.t, &all, e.now));
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_RECOVERY);
	CU_ASSERT_EQUAL(e.t.ssthresh, 10000);
	CU_ASSERT(e.t.cwnd >= 10000);
	CU_ASSERT_EQUAL(e.t.reordered, 1);
}

/* RFC 3522: the echo is older than the retransmission. */
static void eifel__after_a_timeout(void)
{
	for (unsigned spurious = 0; spurious < 2; spurious++) {
		struct env e = sack_flight(10);
		struct toe_seg s;
		uint32_t first = toe_ts_now(&e.t, e.now);

		e.t.flags = (e.t.flags | TOE_TCB_TS) & ~(uint32_t)TOE_TCB_TLP;
		e.now = e.t.rto_at = e.now + 300000;
		env_run(&e, toe_tcp_timer(&e.t, e.now));
		CU_ASSERT_EQUAL(e.t.cwnd, 1000);
		s = env_seg(&e, TOE_ACK, 0, 0, 2000);
		s.opts = TOE_SEG_TS;
		s.tsecr = spurious ? first : toe_ts_now(&e.t, e.now);
		e.now += 5000;
		env_run(&e, toe_tcp_input(&e.t, &s, e.now));
		CU_ASSERT_EQUAL(e.t.cwnd >= 10000, spurious);
		CU_ASSERT_EQUAL(e.t.lost == 0, spurious);
		CU_ASSERT_EQUAL(!(e.t.flags & TOE_TCB_RTO_RECOVERY), spurious);
	}
}

/* RFC 5682: without timestamps two new segments ask, and the originals answer. */
static void frto__originals_arrive(void)
{
	struct env e = sack_flight(10);

	e.t.flags &= ~(uint32_t)TOE_TCB_TLP;
	e.now = e.t.rto_at = e.now + 300000;
	env_run(&e, toe_tcp_timer(&e.t, e.now));
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 0);
	e.now += 1000;
	env_in(&e, TOE_ACK, 0, 0, 1000);
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 10000);
	env_in(&e, TOE_ACK, 0, 0, 2000);
	CU_ASSERT_EQUAL(e.t.lost, 0);
	CU_ASSERT(e.t.cwnd >= 10000);
}

/* Duplicates instead: the loss was real, and the rest goes again. */
static void frto__they_do_not(void)
{
	struct env e = sack_flight(10);

	e.t.flags &= ~(uint32_t)TOE_TCB_TLP;
	e.now = e.t.rto_at = e.now + 300000;
	env_run(&e, toe_tcp_timer(&e.t, e.now));
	e.now += 20000;
	env_in(&e, TOE_ACK, 0, 0, 1000);
	e.now += 20000;
	sack(&e, 1000, 10000, 11000);
	CU_ASSERT(e.t.flags & TOE_TCB_RTO_RECOVERY);
	CU_ASSERT(e.n >= 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 1000);
}

/* The D-SACK counts however much was sent before: its numbers have wrapped half way round. */
static void dsack__two_gigabytes_later(void)
{
	struct env e = sack_flight(10);

	e.t.snd_first -= 0x90000000ull;
	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	sack(&e, 0, 1000, 4000);
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
	e.now += 1000;
	env_in(&e, TOE_ACK, 0, 0, 4000);
	e.now += 19000;
	sack(&e, 4000, 0, 1000);
	CU_ASSERT_EQUAL(e.t.ssthresh, 10000);
	CU_ASSERT_EQUAL(e.t.reo_mult, 1);
}

/* A recovery is over and was needed: nothing undoes it weeks later, when timestamps have wrapped. */
static void eifel__not_after_recovery(void)
{
	struct env e = sack_flight(10);
	struct toe_seg s;

	e.t.flags |= TOE_TCB_TS;
	e.now += 20000;
	s = env_seg(&e, TOE_ACK, 0, 0, 0);
	s.opts = TOE_SEG_TS | TOE_SEG_SACK;
	s.nsack = 1;
	s.sack[0] = (struct toe_range){ s.ack + 1000, s.ack + 10000 };
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_NOT_EQUAL(e.t.undo_ts, 0);
	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	s = env_seg(&e, TOE_ACK, 0, 0, (uint32_t)(e.t.snd_max - e.t.snd_first));
	s.opts = TOE_SEG_TS;
	s.tsecr = toe_ts_now(&e.t, e.now);
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_RECOVERY);
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
	e.now += 1000ull * 0x80000000u;
	env_write(&e, e.t.snd_end - e.t.snd_first + 1000);
	e.t.flags |= TOE_TCB_DISORDER; /* the long way */
	s = env_seg(&e, TOE_ACK, 0, 0, (uint32_t)(e.t.snd_max - e.t.snd_first));
	s.opts = TOE_SEG_TS;
	s.tsecr = toe_ts_now(&e.t, e.now);
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT_EQUAL(e.t.snd_una, e.t.snd_max);
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
}

/* Nor do duplicates of another gigabyte whose numbers are the same on the wire. */
static void dsack__not_after_a_wrap(void)
{
	struct env e = sack_flight(10);

	e.now += 20000;
	sack(&e, 0, 1000, 4000);
	e.now += 20000;
	env_in(&e, TOE_ACK, 0, 0, (uint32_t)(e.t.snd_max - e.t.snd_first));
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
	e.t.undo_una -= 1ull << 32;
	e.t.recover -= 1ull << 32;
	sack(&e, (uint32_t)(e.t.snd_una - e.t.snd_first), 0, 1000);
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
}

UNIT_MAIN("undo", T(ack__before_anything_went_again), T(dsack__for_all_that_was_sent_again),
	  T(eifel__after_a_timeout), T(frto__originals_arrive), T(frto__they_do_not),
	  T(dsack__two_gigabytes_later), T(eifel__not_after_recovery), T(dsack__not_after_a_wrap))
