/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * firmware/tcp/sack.c and sendmap.c against a receiver made by hand, by seed. Segments of all sizes leave, go again
 * in other pieces, with FIN or without, and come in any order; TCBs are trimmed. Whatever an honest receiver SACKs
 * counts to the byte. Where a box on the way cuts segments less may count, but all arrives.
 *
 * Usage: test_sack [SEED [COUNT]]
 */
#include "sack_env.h"
#include "tests/harness/seeds.h"

enum { MOST = 30000, SEGS = 256, STEPS = 120, PATIENCE = 4000 };

static uint64_t first_seed = 1;
static unsigned nseeds = 800;

struct world {
	struct env e;
	uint64_t rng;
	struct {
		uint32_t seq, len; /* with FIN */
	} seg[SEGS]; /* that left, some of them */
	unsigned n;
	uint32_t end; /* bytes written, the FIN's number */
	bool fin; /* FIN has its place behind them */
	bool mute; /* the receiver leaves a FIN out of its blocks */
	bool cut; /* a box cuts segments */
	uint8_t have[MOST + 1]; /* 1: has come; the FIN has a place of its own */
};

static uint32_t rnd(struct world *w, uint32_t below)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return (uint32_t)((w->rng >> 20) % below);
}

static void arrive(struct world *w, uint32_t seq, uint32_t len)
{
	uint32_t at = w->cut ? rnd(w, len) : 0;

	if (at && rnd(w, 8))
		memset(w->have + seq, 1, at);
	if (!at || rnd(w, 8))
		memset(w->have + seq + at, 1, len - at);
}

/* What the last event sent may arrive later. */
static void note(struct world *w)
{
	for (unsigned i = 0; i < w->e.n; i++) {
		const struct toe_out *o = &w->e.o[i];
		uint32_t len = o->len + !!(o->flags & TOE_FIN);
		unsigned to;

		if (!len)
			continue;
		to = w->n < SEGS ? w->n++ : rnd(w, SEGS);
		w->seg[to].seq = env_out_seq(&w->e, i);
		w->seg[to].len = len;
	}
}

static bool is_told(const struct world *w, uint32_t i)
{
	return i <= MOST && w->have[i] && !(w->mute && w->fin && i == w->end);
}

static uint32_t una(const struct world *w)
{
	uint32_t i = 0;

	while (i <= MOST && w->have[i])
		i++;
	return i;
}

static void send_ack(struct world *w, struct toe_seg *s)
{
	s->opts |= s->nsack ? TOE_SEG_SACK : 0;
	env_run(&w->e, toe_tcp_input(&w->e.t, s, w->e.now));
	note(w);
	s->nsack = 0;
}

/* As many ACKs as it takes to tell all; returns how many bytes there are above the hole. */
static uint32_t acknowledge(struct world *w)
{
	uint32_t told = 0, i = una(w);
	struct toe_seg s = env_seg(&w->e, TOE_ACK, 0, 0, i);

	while (++i <= MOST) {
		uint32_t lo = i;

		while (is_told(w, i))
			i++;
		if (i == lo)
			continue;
		told += i - lo;
		s.sack[s.nsack++] = (struct toe_range){ ENV_ISN + 1 + lo, ENV_ISN + 1 + i };
		if (s.nsack == 4)
			send_ack(w, &s);
	}
	send_ack(w, &s);
	return told;
}

static void write_some(struct world *w)
{
	uint32_t len = 1 + rnd(w, rnd(w, 2) ? 300 : 3500);

	if (w->fin || w->end + len > MOST)
		return;
	env_write(&w->e, w->end += len);
	note(w);
}

static void shut(struct world *w)
{
	if (w->fin)
		return;
	w->fin = true;
	env_run(&w->e, toe_tcp_shutdown(&w->e.t, w->e.now));
	note(w);
}

static void timer(struct world *w)
{
	if (w->e.t.snd_una == w->e.t.snd_max || w->e.t.rexmits > 5)
		return;
	env_timer(&w->e);
	note(w);
}

static void set_mss(struct world *w, uint16_t mss)
{
	w->e.t.mss = mss;
	w->e.t.cwnd = toe_max32(w->e.t.cwnd, mss);
	w->e.t.ssthresh = toe_max32(w->e.t.ssthresh, 2u * mss);
}

static void step(struct world *w)
{
	uint32_t what = rnd(w, 100), i = w->n ? rnd(w, w->n) : 0;

	w->e.now += rnd(w, 2) ? rnd(w, 4000) : 0;
	if (what < 40)
		write_some(w);
	else if (what < 75 && w->n)
		arrive(w, w->seg[i].seq, w->seg[i].len);
	else if (what < 85)
		timer(w);
	else if (what < 90)
		set_mss(w, (uint16_t)(400 + rnd(w, 600)));
	else if (what < 95)
		toe_tcp_trim(&w->e.t, 5, 1 + rnd(w, TOE_NEAR_SENT));
	else if (what < 96)
		shut(w);
}

/* A quarter is lost from now on. */
static bool finishes(struct world *w)
{
	shut(w);
	for (unsigned i = 0; i < PATIENCE && una(w) <= w->end; i++) {
		if (!w->n) {
			env_timer(&w->e);
			note(w);
		}
		for (; w->n; w->n--) {
			if (rnd(w, 4))
				arrive(w, w->seg[w->n - 1].seq, w->seg[w->n - 1].len);
		}
		acknowledge(w);
	}
	return una(w) == w->end + 1 && w->e.t.flags & TOE_TCB_FIN_ACKED;
}

static bool run(uint64_t seed)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	w.rng = seed * 0x9e3779b97f4a7c15ull + 1;
	w.e = sack_idle();
	w.e.t.cwnd = w.e.t.ssthresh = 15000;
	w.e.t.flags |= rnd(&w, 4) ? TOE_TCB_NODELAY : 0;
	w.mute = rnd(&w, 2);
	w.cut = !rnd(&w, 4);
	for (unsigned i = 0; i < STEPS; i++) {
		uint32_t told;

		step(&w);
		told = acknowledge(&w);
		if (w.e.t.sacked != told && !w.cut) {
			printf("seed %llu, step %u: %u bytes are SACKed, %u count\n",
			       (unsigned long long)seed, i, told, w.e.t.sacked);
			return false;
		}
	}
	if (finishes(&w))
		return true;
	printf("seed %llu: does not end\n", (unsigned long long)seed);
	return false;
}

static void sack__honest_blocks_count(void)
{
	unsigned bad = 0;

	for (uint64_t s = first_seed; s < first_seed + nseeds && bad < 10; s++)
		bad += !run(s);
	CU_ASSERT_EQUAL(bad, 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = { T(sack__honest_blocks_count) };

	seeds(argc, argv, &first_seed, &nseeds);
	return unit_run("sack", tests, sizeof(tests) / sizeof(tests[0]));
}
