/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "../../firmware/core/timer.h"
#include "../harness/unit.h"

enum { N = 500, START = 777777 };

static struct toe_node node[N + TOE_WHEEL_SLOTS];
static uint64_t due[N], at[N];
static struct toe_wheel w;

static void set_up(void)
{
	w = (struct toe_wheel){ .node = node, .due = due, .at = at, .n = N };
	toe_wheel_init(&w, START);
}

static uint32_t next(uint64_t now)
{
	unsigned budget = 10000;

	return toe_wheel_next(&w, now, &budget);
}

static void wheel__never_early_at_most_a_tick_late(void)
{
	set_up();
	toe_wheel_set(&w, 3, START + 5500);
	CU_ASSERT_EQUAL(next(START + 5499), TOE_WHEEL_NONE);
	CU_ASSERT_EQUAL(next(START + 5500 + TOE_WHEEL_TICK_US), 3);
	CU_ASSERT_EQUAL(next(START + 100000), TOE_WHEEL_NONE);
	CU_ASSERT_EQUAL(w.armed, 0);
}

static void wheel__later_deadline_stays_linked_and_fires_late(void)
{
	set_up();
	toe_wheel_set(&w, 1, START + 2000);
	toe_wheel_set(&w, 1, START + 900000);
	CU_ASSERT_EQUAL(next(START + 890000), TOE_WHEEL_NONE);
	CU_ASSERT_EQUAL(next(START + 901000), 1);
}

static void wheel__earlier_deadline_moves(void)
{
	set_up();
	toe_wheel_set(&w, 1, START + 900000);
	toe_wheel_set(&w, 1, START + 2000);
	CU_ASSERT_EQUAL(next(START + 3000), 1);
}

static void wheel__disarm(void)
{
	set_up();
	toe_wheel_set(&w, 1, START + 2000);
	toe_wheel_set(&w, 1, 0);
	CU_ASSERT_EQUAL(next(START + 10000000), TOE_WHEEL_NONE);
	CU_ASSERT_EQUAL(toe_wheel_deadline(&w), 0);
}

static void wheel__beyond_its_reach(void)
{
	uint64_t far = START + 3ull * 3600 * 1000000;

	set_up();
	toe_wheel_set(&w, 9, far);
	for (uint64_t now = START; now < far; now += 60000000)
		CU_ASSERT_EQUAL(next(now), TOE_WHEEL_NONE);
	CU_ASSERT_EQUAL(next(far + 1000), 9);
}

/* The budget bounds the work of one call, and nothing is forgotten. */
static void wheel__budget(void)
{
	unsigned fired = 0, calls = 0;

	set_up();
	for (uint32_t i = 0; i < N; i++)
		toe_wheel_set(&w, i, START + 300000 + i % 3);
	while (fired < N && calls++ < 1000) {
		unsigned budget = 7, mine = 0;

		while (toe_wheel_next(&w, START + 400000, &budget) != TOE_WHEEL_NONE)
			mine++;
		CU_ASSERT(mine <= 7);
		fired += mine;
	}
	CU_ASSERT_EQUAL(fired, N);
}

/*
 * Random deadlines and steps against the plain definition; the announced deadline is never too
 * late.
 */
static void wheel__random_against_definition(void)
{
	static const uint64_t spans[] = { 3000, 200000, 3000000, 40000000, 2000000000 };
	uint64_t now = START;

	srand(7);
	set_up();
	for (int step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)rand() % N;
		uint64_t least = UINT64_MAX;

		toe_wheel_set(&w, i,
			      rand() % 5 ? now + 1 + (uint64_t)rand() % spans[rand() % 5] : 0);
		now += (uint64_t)rand() % (rand() % 50 ? 3000 : 5000000);
		for (uint32_t k; (k = next(now)) != TOE_WHEEL_NONE;)
			CU_ASSERT_EQUAL(due[k], 0);
		if (step % 16)
			continue;
		for (uint32_t k = 0; k < N; k++) {
			if (due[k] && due[k] + TOE_WHEEL_TICK_US <= now)
				CU_FAIL("a deadline was missed");
			if (due[k] && due[k] < least)
				least = due[k];
		}
		if (least != UINT64_MAX)
			CU_ASSERT(toe_wheel_deadline(&w) &&
				  toe_wheel_deadline(&w) <= least + TOE_WHEEL_TICK_US);
	}
}

UNIT_MAIN("timer", T(wheel__never_early_at_most_a_tick_late),
	  T(wheel__later_deadline_stays_linked_and_fires_late), T(wheel__earlier_deadline_moves),
	  T(wheel__disarm), T(wheel__beyond_its_reach), T(wheel__budget),
	  T(wheel__random_against_definition))
