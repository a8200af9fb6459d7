/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/core/pacer.c */
#include "firmware/core/pacer.h"

#include <stdlib.h>

#include "tests/harness/unit.h"

enum { N = 50 };

static struct toe_node node[N + TOE_PACER_SLOTS];
static struct toe_pacer p;

static void start(uint64_t now)
{
	p.node = node;
	p.n = N;
	toe_pacer_init(&p, now);
}

static void set__fires_within_a_tick(void)
{
	for (uint64_t at = 1000; at < 1000 + 2 * TOE_PACER_SLOTS; at += 7) {
		start(1000);
		toe_pacer_set(&p, 3, at);
		CU_ASSERT(toe_pacer_deadline(&p) >= at);
		CU_ASSERT(toe_pacer_deadline(&p) < at + TOE_PACER_TICK_US);
		CU_ASSERT_EQUAL(toe_pacer_next(&p, at - 1), TOE_PACER_NONE);
		CU_ASSERT_EQUAL(toe_pacer_next(&p, at + TOE_PACER_TICK_US), 3);
		CU_ASSERT_EQUAL(toe_pacer_next(&p, at + TOE_PACER_TICK_US), TOE_PACER_NONE);
		CU_ASSERT_EQUAL(toe_pacer_deadline(&p), 0);
	}
}

static void set__far_away_is_the_wheels(void)
{
	start(0);
	toe_pacer_set(&p, 1, TOE_PACER_SLOTS * TOE_PACER_TICK_US);
	CU_ASSERT_EQUAL(toe_pacer_deadline(&p), 0);
	toe_pacer_set(&p, 1, (TOE_PACER_SLOTS - 1) * TOE_PACER_TICK_US);
	CU_ASSERT_EQUAL(toe_pacer_deadline(&p), (TOE_PACER_SLOTS - 1) * TOE_PACER_TICK_US);
}

/* After a look at the clock, an earlier turn than all that wait is still possible. */
static void set__earlier_than_those_who_wait(void)
{
	start(0);
	toe_pacer_set(&p, 1, 3000);
	CU_ASSERT_EQUAL(toe_pacer_next(&p, 100), TOE_PACER_NONE);
	toe_pacer_set(&p, 2, 200);
	CU_ASSERT_EQUAL(toe_pacer_deadline(&p), 208);
	CU_ASSERT_EQUAL(toe_pacer_next(&p, 208), 2);
	CU_ASSERT_EQUAL(toe_pacer_next(&p, 3008), 1);
}

/* Against a model: everybody once, not early, at most a tick late. */
static void next__many(void)
{
	uint64_t due[N] = { 0 }, now = 123456;

	srand(1);
	start(now);
	for (unsigned step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)rand() % N;

		if (rand() % 2) {
			due[i] = now + (uint64_t)(rand() % 3900);
			toe_pacer_set(&p, i, due[i]);
		} else {
			now += (uint64_t)(rand() % (rand() % 20 ? 40 : 9000));
		}
		while ((i = toe_pacer_next(&p, now)) != TOE_PACER_NONE) {
			CU_ASSERT_FATAL(due[i] && due[i] <= now);
			due[i] = 0;
		}
		for (i = 0; i < N; i++)
			CU_ASSERT_FATAL(!due[i] || due[i] + TOE_PACER_TICK_US > now);
	}
}

UNIT_MAIN("pacer", T(set__fires_within_a_tick), T(set__far_away_is_the_wheels),
	  T(set__earlier_than_those_who_wait), T(next__many))
