/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * firmware/tcp/cc_bbr.c, over a path of one bottleneck with a queue without end: what is sent by the
 * algorithm's pace and window is delivered at the path's rate, and each delivery is an ACK.
 */
#include "sack_env.h"

enum { MSS = 1000, FLIGHT = 1 << 16 };

/* Values of toe_bbr.mode. */
enum { STARTUP, DRAIN, PROBE_BW, PROBE_RTT };

struct packet {
	uint64_t sent_at, ack_at, first_at;
	uint64_t delivered, delivered_at;
};

static struct path {
	struct toe_tcb t;
	uint64_t now, rate, rtt; /* bytes per second, us */
	uint64_t free_at, send_at; /* ns: bottleneck; us: next transmission */
	uint64_t first_at;
	unsigned head, tail;
	struct packet p[FLIGHT];
	uint32_t most; /* in flight, in bytes, since last cleared */
	uint32_t seen[4]; /* ACKs by mode */
} w;

static struct toe_bbr *bbr(void)
{
	return &w.t.cc_state.bbr;
}

static uint32_t flight(void)
{
	return (w.tail - w.head) * MSS;
}

static void start(uint64_t rate, uint64_t rtt)
{
	memset(&w, 0, sizeof(w));
	w.rate = rate;
	w.rtt = rtt;
	w.now = 1ull << 33;
	w.t = (struct toe_tcb){ .mss = MSS, .cc = TOE_CC_BBR, .srtt_us = (uint32_t)rtt };
	w.t.state = TOE_TCP_ESTABLISHED;
	w.t.delivered_at = w.first_at = w.now;
	toe_cc(&w.t)->init(&w.t, false, w.now);
}

static void send(void)
{
	struct packet *p = &w.p[w.tail++ % FLIGHT];
	uint64_t at = w.now * 1000;

	if (w.tail - w.head == 1) {
		w.t.delivered_at = w.now;
		w.first_at = w.now;
	}
	w.free_at = (w.free_at > at ? w.free_at : at) + MSS * 1000000000ull / w.rate;
	*p = (struct packet){ .sent_at = w.now,
			      .ack_at = w.free_at / 1000 + w.rtt,
			      .first_at = w.first_at,
			      .delivered = w.t.delivered,
			      .delivered_at = w.t.delivered_at };
	w.send_at = w.now + MSS * 1000000ull / w.t.pacing_rate;
	w.most = flight() > w.most ? flight() : w.most;
}

static bool slow_application; /* it, not the path, bounds what is sent */

static void arrive(uint32_t lost)
{
	struct packet *p = &w.p[w.head % FLIGHT];
	uint64_t out = p->sent_at - p->first_at, in = w.now - p->delivered_at;
	struct toe_ack_sample s = { .now = w.now,
				    .acked = MSS,
				    .delivered = MSS,
				    .lost = lost,
				    .flight = flight(),
				    .rtt_us = (uint32_t)(w.now - p->sent_at),
				    .prior_delivered = (uint32_t)p->delivered,
				    .app_limited = slow_application };

	w.head++;
	w.t.delivered += MSS;
	w.t.delivered_at = w.now;
	w.first_at = p->sent_at;
	s.rate = (w.t.delivered - p->delivered) * 1000000 / (out > in ? out : in);
	w.t.snd_una += MSS;
	w.t.snd_nxt = w.t.snd_max = w.t.snd_una + flight();
	toe_cc(&w.t)->ack(&w.t, &s);
	w.seen[bbr()->mode]++;
	CU_ASSERT_FATAL(w.t.cwnd >= MSS && w.t.cwnd <= TOE_CWND_MAX && w.t.pacing_rate);
}

static void run(uint64_t us)
{
	uint64_t end = w.now + us;

	while (w.now < end) {
		uint64_t ack = w.head == w.tail ? UINT64_MAX : w.p[w.head % FLIGHT].ack_at;

		if (flight() < w.t.cwnd && w.tail - w.head < FLIGHT && w.send_at <= ack) {
			w.now = w.send_at > w.now ? w.send_at : w.now;
			send();
		} else {
			w.now = ack > w.now ? ack : w.now;
			arrive(0);
		}
	}
}

static uint64_t bandwidth(void)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < 3; i++)
		most = bbr()->max_bw[i] > most ? bbr()->max_bw[i] : most;
	return most;
}

/* 12.5 MB/s, 20 ms: the pipe holds 250 KB, 25 initial windows: full after some five rounds. */
static void startup__finds_the_bandwidth_and_drains(void)
{
	start(12500000, 20000);
	CU_ASSERT_EQUAL(bbr()->mode, STARTUP);
	CU_ASSERT_DOUBLE_EQUAL(w.t.pacing_rate, 10000 / 0.02 * 2.885, 5000);
	run(400000);
	CU_ASSERT(w.seen[STARTUP] && w.seen[DRAIN]);
	CU_ASSERT_EQUAL(bbr()->mode, PROBE_BW);
	CU_ASSERT_DOUBLE_EQUAL(bandwidth(), 12500000, 300000);
	CU_ASSERT_DOUBLE_EQUAL(bbr()->min_rtt, 20080, 100);
	/* High gain overshoots by less than three pipes, and DRAIN ends with one. */
	CU_ASSERT(w.most < 3.3 * 250000);
}

/* The rate of the path within 3%, and a queue of at most a pipe (cwnd gain 2), mostly next to none. */
static void probe_bw__keeps_the_pipe_full_and_the_queue_short(void)
{
	uint64_t was;

	start(12500000, 20000);
	run(1000000);
	was = w.t.delivered;
	w.most = 0;
	run(4000000);
	CU_ASSERT(w.t.delivered - was > 0.97 * 4 * 12500000);
	CU_ASSERT(w.most < 1.5 * 250000);
	CU_ASSERT(bbr()->mode == PROBE_BW && bbr()->phase < 8);
}

static void probe_bw__follows_the_path(void)
{
	uint64_t was;

	start(12500000, 20000);
	run(1000000);
	w.rate = 25000000; /* a quarter more in each cycle of eight round trips */
	run(1500000);
	was = w.t.delivered;
	run(1000000);
	CU_ASSERT(w.t.delivered - was > 0.95 * 25000000);
	w.rate = 6250000; /* the filter forgets after a dozen rounds */
	run(4000000);
	CU_ASSERT_DOUBLE_EQUAL(bandwidth(), 6250000, 300000);
	w.most = 0;
	run(500000);
	CU_ASSERT(w.most < 2.2 * 125000 + 20000);
}

/* The bandwidth is not forgotten while the application sends little. */
static void probe_bw__slow_application(void)
{
	start(12500000, 20000);
	run(1000000);
	slow_application = true;
	w.rate = 1250000;
	run(2000000);
	slow_application = false;
	CU_ASSERT_DOUBLE_EQUAL(bandwidth(), 12500000, 300000);
}

/* After ten seconds without a lower round trip, 200 ms with four segments; then on as before. */
static void probe_rtt__every_ten_seconds(void)
{
	uint64_t cwnd;

	start(12500000, 20000);
	run(5000000);
	w.rtt = 30000; /* the path became longer */
	CU_ASSERT_EQUAL(w.seen[PROBE_RTT], 0);
	cwnd = w.t.cwnd;
	for (unsigned i = 0; i < 12000 && bbr()->mode != PROBE_RTT; i++)
		run(1000);
	CU_ASSERT_EQUAL(bbr()->mode, PROBE_RTT);
	run(100000);
	CU_ASSERT_EQUAL(w.t.cwnd, 4 * MSS);
	CU_ASSERT(flight() <= 4 * MSS);
	run(200000);
	CU_ASSERT_EQUAL(bbr()->mode, PROBE_BW);
	CU_ASSERT(w.t.cwnd >= cwnd * 9 / 10);
	CU_ASSERT_DOUBLE_EQUAL(bbr()->min_rtt, 30080, 200);
	run(1000000);
	CU_ASSERT_DOUBLE_EQUAL(bandwidth(), 12500000, 300000);
}

/* A loss costs what was lost, for the time of recovery. */
static void loss__is_no_signal(void)
{
	uint32_t cwnd;

	start(12500000, 20000);
	run(1000000);
	cwnd = w.t.cwnd;
	w.t.ssthresh = toe_cc(&w.t)->loss(&w.t, w.now);
	w.t.snd_una = 0;
	w.t.snd_max = flight();
	toe_cc(&w.t)->event(&w.t, TOE_CC_RECOVERY, w.now);
	arrive(MSS);
	CU_ASSERT(w.t.cwnd <= cwnd);
	run(20000);
	toe_cc(&w.t)->event(&w.t, TOE_CC_RECOVERED, w.now);
	CU_ASSERT(w.t.cwnd >= cwnd);
	CU_ASSERT_DOUBLE_EQUAL(bandwidth(), 12500000, 300000);
}

static void event__timeout_and_undo(void)
{
	uint32_t cwnd;

	start(12500000, 20000);
	run(1000000);
	cwnd = w.t.cwnd;
	toe_cc(&w.t)->loss(&w.t, w.now);
	w.t.cwnd = MSS;
	toe_cc(&w.t)->event(&w.t, TOE_CC_TIMEOUT, w.now);
	toe_cc(&w.t)->undo(&w.t);
	CU_ASSERT_EQUAL(w.t.cwnd, cwnd);
}

/* 1 kbit/s to 400 Gbit/s, 1 us to 60 s: no overflow (UBSan), and a window that makes sense. */
static void ack__extremes(void)
{
	static const uint64_t rate[] = { 125, 12500000, 50000000000ull };
	static const uint32_t rtt[] = { 1, 1000, 60000000 };

	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 3; k++) {
			start(12500000, rtt[k]);
			for (unsigned n = 0; n < 5000; n++) {
				struct toe_ack_sample s = { .now = w.now += rtt[k],
							    .acked = MSS,
							    .delivered = 1 << 20,
							    .lost = n % 7 ? 0 : 1 << 19,
							    .flight = 1 << 30,
							    .rtt_us = rtt[k],
							    .rate = rate[i],
							    .prior_delivered =
								(uint32_t)w.t.delivered };

				w.t.delivered += s.delivered;
				toe_cc(&w.t)->ack(&w.t, &s);
				CU_ASSERT_FATAL(w.t.cwnd >= MSS && w.t.cwnd <= TOE_CWND_MAX);
			}
		}
}

/* An ACK that does not tell when what it acknowledges was sent begins no round: after 2 GB it did. */
static void round__not_by_an_unknown_time(void)
{
	struct toe_ack_sample s;

	start(12500000, 20000);
	run(1000000);
	w.t.delivered = bbr()->round_end = 0x90000000u;
	bbr()->conserve = 1;
	s = (struct toe_ack_sample){ .now = w.now, .delivered = MSS, .flight = flight() };
	toe_cc(&w.t)->ack(&w.t, &s);
	CU_ASSERT_EQUAL(bbr()->round_start, 0);
	CU_ASSERT_EQUAL(bbr()->conserve, 1);
}

/* Before the handshake's round trip is known a millisecond is assumed: corrected as soon as it is. */
static void startup__paces_by_the_first_round_trip(void)
{
	struct toe_ack_sample s;

	start(12500000, 100000);
	w.t.srtt_us = 0;
	toe_cc(&w.t)->init(&w.t, false, w.now);
	CU_ASSERT_DOUBLE_EQUAL(w.t.pacing_rate, 10000 / 0.001 * 2.885, 50000);
	w.t.srtt_us = 100000;
	s = (struct toe_ack_sample){ .now = w.now, .delivered = 1, .rtt_us = 100000 };
	toe_cc(&w.t)->ack(&w.t, &s);
	CU_ASSERT_DOUBLE_EQUAL(w.t.pacing_rate, 10000 / 0.1 * 2.885, 1000);
}

/* When STARTUP is over, so is slow start for those who ask ssthresh. */
static void startup__ends_slow_start(void)
{
	start(12500000, 20000);
	run(50000);
	CU_ASSERT_EQUAL(bbr()->mode, STARTUP);
	CU_ASSERT(w.t.cwnd < w.t.ssthresh);
	run(1000000);
	CU_ASSERT_EQUAL(bbr()->mode, PROBE_BW);
	CU_ASSERT(w.t.cwnd >= w.t.ssthresh);
}

/*
 * A recovery that finds what was sent during it lost as well goes on: only its first round keeps to
 * what arrives. Not where round trips show a queue: then the loss is the queue's.
 */
static struct env second_loss(uint32_t srtt_us)
{
	struct env e = sack_flight(10);

	e.t.cc = TOE_CC_BBR;
	toe_cc(&e.t)->init(&e.t, false, e.now);
	e.t.cc_state.bbr.min_rtt = 20000;
	e.now += 20000;
	sack(&e, 0, 1000, 4000); /* 0 is lost, and goes again; 10000 leaves */
	CU_ASSERT(e.t.flags & TOE_TCB_RECOVERY && e.t.recover == e.t.snd_first + 10000);
	CU_ASSERT_EQUAL(e.t.cc_state.bbr.conserve, 1);
	env_write(&e, 20000);
	e.now += 10000;
	sack2(&e, 0, 1000, 10000, 0, 0);
	env_run(&e, TOE_ACT_OUTPUT);
	e.now += 15000;
	sack2(&e, 0, 11000, e.t.snd_max - e.t.snd_first, 1000, 10000); /* 10000 as well */
	CU_ASSERT(e.t.snd_max > e.t.recover + 1000);
	env_run(&e, toe_tcp_timer(&e.t, e.now));
	e.t.cc_state.bbr.conserve = 0;
	e.t.srtt_us = srtt_us;
	e.now += 1000;
	sack(&e, 10000, 11000, (uint32_t)(e.t.snd_max - e.t.snd_first)); /* 0 is repaired */
	CU_ASSERT(e.t.flags & TOE_TCB_RECOVERY);
	return e;
}

static void recovery__goes_on(void)
{
	struct env e = second_loss(2000); /* the least was one */

	CU_ASSERT(e.t.recover > e.t.snd_first + 10000);
	CU_ASSERT_EQUAL(e.t.cc_state.bbr.conserve, 0);
	env_in(&e, TOE_ACK, 0, 0, (uint32_t)(e.t.snd_max - e.t.snd_first));
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_RECOVERY);
	e = second_loss(40000);
	CU_ASSERT_EQUAL(e.t.cc_state.bbr.conserve, 1); /* another one */
}

UNIT_MAIN("cc_bbr", T(startup__finds_the_bandwidth_and_drains),
	  T(probe_bw__keeps_the_pipe_full_and_the_queue_short), T(probe_bw__follows_the_path),
	  T(probe_bw__slow_application), T(probe_rtt__every_ten_seconds), T(loss__is_no_signal),
	  T(event__timeout_and_undo), T(ack__extremes), T(round__not_by_an_unknown_time),
	  T(startup__paces_by_the_first_round_trip), T(startup__ends_slow_start),
	  T(recovery__goes_on))
