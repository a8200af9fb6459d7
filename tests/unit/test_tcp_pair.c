/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole connections between two TCBs over a bad network, by seed: every byte once and in order,
 * both ends closed, no timer or notification missing, invariants after every event.
 *
 * Usage: test_tcp_pair [SEED [COUNT]]; a single one is traced.
 */
#include "tcp_pair.h"
#include "tests/harness/seeds.h"
#include "tests/harness/unit.h"

static uint64_t first_seed = 1;
static unsigned nseeds = 1500;
static bool trace;

static void random_open(struct pair *p, struct toe_open *o)
{
	static const uint16_t mtu[] = { 1500, 1500, 576, 296, 1280 };

	memset(o, 0, sizeof(*o));
	o->isn = pair_chance(p, 30000) ? 0u - pair_rnd(p, 100000) : pair_rnd(p, UINT32_MAX);
	o->ts_offset = pair_chance(p, 20000) ? 0u - pair_rnd(p, 3000) : pair_rnd(p, UINT32_MAX);
	o->rcv_size = 2048u << pair_rnd(p, 7);
	o->snd_size = 2048u << pair_rnd(p, 7);
	o->mtu = mtu[pair_rnd(p, 5)];
	o->ip_hdr = pair_chance(p, 20000) ? 40 : 20;
}

static void random_world(struct pair *p)
{
	static const uint32_t delays[] = { 20, 100, 1000, 20000, 100000 };
	static const uint32_t chunks[] = { 64, 700, 8192, 100000 };

	p->delay = delays[pair_rnd(p, 5)];
	p->jitter = pair_chance(p, 30000) ? p->delay / 2 : 0;
	p->loss = pair_chance(p, 16000) ? 0 : pair_rnd(p, 6000);
	p->dup = pair_chance(p, 30000) ? pair_rnd(p, 4000) : 0;
	p->reorder = pair_chance(p, 30000) ? pair_rnd(p, 8000) : 0;
	p->rate = pair_chance(p, 20000) ? pair_rnd(p, 200) : 0;
	p->app_delay = delays[pair_rnd(p, 4)];
	p->app_chunk = chunks[pair_rnd(p, 4)];
	p->strip = pair_chance(p, 40000)
		       ? 0
		       : (uint8_t)pair_rnd(p, 32) &
			     (TOE_SEG_TS | TOE_SEG_WSCALE | TOE_SEG_SACK_OK | TOE_SEG_MSS);
	for (int i = 0; i < 2; i++) {
		uint32_t most = p->app_chunk < 500 ? 30000 : 300000;

		p->e[i].total = pair_chance(p, 8000) ? 0 : pair_rnd(p, most);
		p->e[i].shut_first = !pair_chance(p, 20000);
	}
	p->e[0].shut_first |= !p->e[1].shut_first;
}

static void random_options(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		if (pair_chance(p, 20000))
			toe_tcp_option(&p->e[i].t, TOE_OPT_NODELAY, 1, p->now);
		if (pair_chance(p, 8000))
			toe_tcp_option(&p->e[i].t, TOE_OPT_QUICKACK, 1, p->now);
	}
}

static bool run_seed(uint64_t seed)
{
	struct toe_open o[2] = { { .rcv_size = PAIR_BUF_MAX, .snd_size = PAIR_BUF_MAX },
				 { .rcv_size = PAIR_BUF_MAX, .snd_size = PAIR_BUF_MAX } };
	static struct pair p;
	bool both;

	pair_init(&p, seed, o);
	p.verbose = trace;
	random_open(&p, &o[0]);
	random_open(&p, &o[1]);
	random_world(&p);
	both = pair_chance(&p, 6000);
	p.now = pair_chance(&p, 10000) ? 1ull << 42 : 1000000;
	if (both) {
		o[1].ip_hdr = o[0].ip_hdr;
		p.e[1].open = true;
		toe_tcp_open_active(&p.e[1].t, &o[1], p.now);
	}
	o[1].mtu = o[1].mtu < o[0].mtu ? o[1].mtu : o[0].mtu;
	o[0].mtu = pair_chance(&p, 50000) ? o[1].mtu : o[0].mtu;
	pair_open(&p, 0, &o[0]);
	if (both)
		pair_output(&p, 1);
	random_options(&p);
	pair_run(&p, o, 3000000);
	for (int i = 0; i < 2; i++) {
		struct end *e = &p.e[i];

		if (e->error)
			PAIR_FAIL(&p, "end %d ended with error %d", i, e->error);
		if (e->read != p.e[!i].total)
			PAIR_FAIL(&p, "end %d read %llu of %llu", i, (unsigned long long)e->read,
				  (unsigned long long)p.e[!i].total);
	}
	if (!p.fail[0] && !p.e[0].time_wait && !p.e[1].time_wait)
		PAIR_FAIL(&p, "nobody keeps TIME_WAIT");
	if (trace)
		printf("took %.3f s, segments %llu %llu, again %llu %llu, rto %llu %llu, fast %llu "
		       "%llu\n",
		       (double)(p.now - 1000000) / 1e6, (unsigned long long)p.e[0].sent_segments,
		       (unsigned long long)p.e[1].sent_segments, (unsigned long long)p.e[0].rexmits,
		       (unsigned long long)p.e[1].rexmits, (unsigned long long)p.e[0].rtos,
		       (unsigned long long)p.e[1].rtos, (unsigned long long)p.e[0].fasts,
		       (unsigned long long)p.e[1].fasts);
	if (p.fail[0])
		printf("seed %llu: %s\n", (unsigned long long)seed, p.fail);
	pair_free(&p);
	return !p.fail[0];
}

static void pair__every_byte_once_over_a_bad_network(void)
{
	unsigned bad = 0;

	for (uint64_t s = first_seed; s < first_seed + nseeds && bad < 10; s++)
		bad += !run_seed(s);
	CU_ASSERT_EQUAL(bad, 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		T(pair__every_byte_once_over_a_bad_network),
	};

	seeds(argc, argv, &first_seed, &nseeds);
	trace = nseeds == 1;
	return unit_run("tcp_pair", tests, sizeof(tests) / sizeof(tests[0]));
}
