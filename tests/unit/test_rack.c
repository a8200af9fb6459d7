/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/rack.c, tlp.c: loss by time, the reordering timer, loss probes. */
#include "sack_env.h"

static void lost__three_segments_later(void)
{
	struct env e = sack_flight(10);

	e.now += 20000;
	sack(&e, 0, 1000, 4000);
	CU_ASSERT(e.act & TOE_ACT_C_FAST_REXMIT);
	CU_ASSERT(e.o[0].rexmit && env_out_seq(&e, 0) == 0 && e.o[0].len == 1000);
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
}

/* One segment later is not proof yet; a quarter of the round trip later it is. */
static void lost__by_the_reordering_timer(void)
{
	struct env e = sack_flight(10);

	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	sack(&e, 0, 1000, 2000);
	CU_ASSERT_EQUAL(e.n, 0);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), e.now + 5000);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(e.t.flags & TOE_TCB_RECOVERY);
}

static void lost__not_when_it_was_only_late(void)
{
	struct env e = sack_flight(10);

	e.t.snd_end = e.t.snd_max;
	e.now += 20000;
	sack(&e, 0, 1000, 2000);
	e.now += 1000;
	env_in(&e, TOE_ACK, 0, 0, 2000);
	CU_ASSERT_EQUAL(e.t.reo_at, 0);
	CU_ASSERT_EQUAL(e.t.reordered, 1);
	/* From now on three segments prove nothing either. */
	sack(&e, 2000, 3000, 6000);
	CU_ASSERT_EQUAL(e.n, 0);
	CU_ASSERT_NOT_EQUAL(e.t.reo_at, 0);
}

/* What duplicates cannot tell: that the retransmission was lost, too. */
static void lost__the_retransmission_again(void)
{
	struct env e = sack_flight(10);
	unsigned again = 0;

	e.now += 20000;
	sack(&e, 0, 1000, 4000);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 0);
	for (uint32_t hi = 5000; hi <= 10000; hi += 1000) {
		e.now += 1000;
		sack(&e, 0, 1000, hi);
	}
	CU_ASSERT_EQUAL(e.t.snd_max - e.t.snd_first > 10000, 1);
	e.now += 25000;
	sack(&e, 0, 1000, (uint32_t)(e.t.snd_max - e.t.snd_first));
	for (unsigned i = 0; i < e.n; i++)
		again += env_out_seq(&e, i) == 0 && e.o[i].len;
	CU_ASSERT_EQUAL(again, 1);
	CU_ASSERT_EQUAL(e.t.ssthresh, 5000);
}

static void tlp__the_last_segment_again(void)
{
	struct env e = sack_flight(10);
	uint64_t sent = e.now;

	e.t.snd_end = e.t.snd_max;
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), sent + 40000);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 9000);
	CU_ASSERT_EQUAL(e.t.rexmits, 0);
	CU_ASSERT(toe_tcp_deadline(&e.t) >= e.now + TOE_RTO_MIN_US);
	/* It shows that all before it is missing. */
	e.now += 20000;
	sack(&e, 0, 9000, 10000);
	CU_ASSERT(e.act & TOE_ACT_C_FAST_REXMIT || e.t.reo_at);
}

static void tlp__new_data_first(void)
{
	struct env e = sack_flight(10);

	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 10000);
	CU_ASSERT_EQUAL(e.o[0].rexmit, 0);
}

/* Two segments in flight, the last of which a probe has repeated. */
static struct env probed(void)
{
	struct env e = sack_flight(10);

	e.t.snd_end = e.t.snd_max;
	env_in(&e, TOE_ACK, 0, 0, 8000);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 9000);
	e.now += 20000;
	return e;
}

/* What was sent after the probe is acknowledged. */
static void newer_data(struct env *e)
{
	env_write(e, 12000);
	CU_ASSERT_EQUAL(e->n, 2);
	e->now += 20000;
	env_in(e, TOE_ACK, 0, 0, 12000);
	CU_ASSERT_EQUAL(e->t.tlp_end, 0);
}

/* RFC 8985 7.4.2: the probe repaired the loss of the last segment, which still has its price. */
static void tlp__a_hidden_loss_reduces(void)
{
	struct env e = probed();
	uint32_t cwnd = e.t.cwnd;

	env_in(&e, TOE_ACK, 0, 0, 10000);
	CU_ASSERT(e.t.cwnd >= cwnd); /* a D-SACK may follow */
	cwnd = e.t.cwnd;
	newer_data(&e);
	CU_ASSERT(e.t.ssthresh <= cwnd / 2 + ENV_MSS);
	CU_ASSERT_EQUAL(e.t.cwnd, e.t.ssthresh);
}

static void tlp__both_arrived(void)
{
	struct env e = probed();
	uint32_t cwnd = e.t.cwnd;

	sack(&e, 10000, 9000, 10000);
	CU_ASSERT_EQUAL(e.t.tlp_end, 0);
	newer_data(&e);
	CU_ASSERT(e.t.cwnd >= cwnd);
}

/* A D-SACK may come after the ACK; a peer that has none sends a bare duplicate. */
static void tlp__both_arrived_one_by_one(void)
{
	for (unsigned bare = 0; bare < 2; bare++) {
		struct env e = probed();
		uint32_t cwnd = e.t.cwnd;

		env_in(&e, TOE_ACK, 0, 0, 10000);
		CU_ASSERT_NOT_EQUAL(e.t.tlp_end, 0);
		if (bare)
			env_in(&e, TOE_ACK, 0, 0, 10000);
		else
			sack(&e, 10000, 9000, 10000);
		CU_ASSERT_EQUAL(e.t.tlp_end, 0);
		newer_data(&e);
		CU_ASSERT(e.t.cwnd >= cwnd);
	}
}

/* One ACK covers two segments sent one after the other, and SACKs a third: nothing was late. */
static void reordered__not_by_an_ack_with_sack(void)
{
	struct env e = sack_flight(4);

	e.t.cwnd = 20000;
	for (uint32_t n = 4; n < 10; n++) {
		e.t.snd_end = e.t.snd_max;
		e.now += 2000;
		env_write(&e, (n + 1) * 1000);
	}
	CU_ASSERT_EQUAL(e.t.nsent, 7);
	e.now += 20000;
	sack(&e, 6000, 7000, 8000);
	CU_ASSERT_EQUAL(e.t.rack_fack, ENV_ISN + 1 + 8000);
	CU_ASSERT_EQUAL(e.t.reordered, 0);
}

/*
 * New data leaves just before and just after a retransmission. That the retransmission has arrived says
 * nothing of what was sent behind it.
 */
static void detect__tells_what_left_behind_a_retransmission(void)
{
	struct env e = sack_flight(20);

	e.now += 20000;
	env_in(&e, TOE_ACK, 0, 0, 1000); /* [20000, 21000) leaves */
	e.now += 100;
	sack(&e, 1000, 2000, 11000); /* [1000, 2000) again */
	CU_ASSERT_EQUAL(e.t.rexmit_segs, 1);
	e.now += 100;
	sack(&e, 1000, 2000, 20000);
	CU_ASSERT(e.t.snd_max - e.t.snd_una > 20000); /* and more that is new */
	e.now += 19800;
	sack(&e, 1000, 2000, 21000);
	e.now += 100;
	env_in(&e, TOE_ACK, 0, 0, 21000);
	CU_ASSERT_EQUAL(e.t.lost, 0);
	CU_ASSERT_EQUAL(e.t.rexmit_segs, 1);
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_RECOVERY);
}

UNIT_MAIN("rack", T(lost__three_segments_later), T(lost__by_the_reordering_timer),
	  T(lost__not_when_it_was_only_late), T(lost__the_retransmission_again),
	  T(tlp__the_last_segment_again), T(tlp__new_data_first), T(tlp__a_hidden_loss_reduces),
	  T(reordered__not_by_an_ack_with_sack), T(tlp__both_arrived),
	  T(tlp__both_arrived_one_by_one), T(detect__tells_what_left_behind_a_retransmission))
