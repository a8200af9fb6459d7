/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "../../firmware/core/time_wait.h"
#include "../harness/unit.h"

enum { N = 8, HASH = 8 };

static struct toe_tw_entry e[N];
static struct toe_node list[N + 2];
static uint32_t chain[N], head[HASH], high;
static struct toe_tw_table tw;

static void set_up(void)
{
	memset(e, 0, sizeof(e));
	high = 0;
	tw = (struct toe_tw_table){ .e = e,
				    .list = list,
				    .chain = chain,
				    .head = head,
				    .n = N,
				    .nhash = HASH,
				    .high = &high };
	toe_tw_rebuild(&tw, 1);
}

static struct toe_tuple tuple(uint16_t port)
{
	return (struct toe_tuple){ .rport = port };
}

/* All in one chain. */
static uint32_t add(uint16_t port, uint64_t now)
{
	uint32_t i = toe_tw_alloc(&tw);

	if (i == TOE_TW_NONE)
		return i;
	e[i].hash = 3 << 16;
	e[i].tuple = tuple(port);
	toe_tw_commit(&tw, i, now);
	return i;
}

static uint32_t find(uint16_t port)
{
	struct toe_tuple t = tuple(port);

	return toe_tw_find(&tw, 3 << 16, &t);
}

static void table__add_find_free(void)
{
	uint32_t a, b;

	set_up();
	a = add(1, 10);
	b = add(2, 20);
	CU_ASSERT_EQUAL(find(1), a);
	CU_ASSERT_EQUAL(find(2), b);
	CU_ASSERT_EQUAL(find(3), TOE_TW_NONE);
	CU_ASSERT_EQUAL(toe_tw_oldest(&tw), a);
	toe_tw_free(&tw, a);
	CU_ASSERT_EQUAL(find(1), TOE_TW_NONE);
	CU_ASSERT_EQUAL(find(2), b);
	CU_ASSERT_EQUAL(tw.used, 1);
}

static void table__full(void)
{
	set_up();
	for (uint16_t i = 0; i < N; i++)
		CU_ASSERT_NOT_EQUAL(add(i, i), TOE_TW_NONE);
	CU_ASSERT_EQUAL(add(99, 99), TOE_TW_NONE);
	toe_tw_free(&tw, toe_tw_oldest(&tw));
	CU_ASSERT_NOT_EQUAL(add(99, 99), TOE_TW_NONE);
	CU_ASSERT_EQUAL(find(0), TOE_TW_NONE);
}

static void table__restart_goes_to_the_end(void)
{
	uint32_t a, b;

	set_up();
	a = add(1, 10);
	b = add(2, 20);
	toe_tw_restart(&tw, a, 30);
	CU_ASSERT_EQUAL(toe_tw_oldest(&tw), b);
	CU_ASSERT_EQUAL(e[a].expires, 30 + TOE_TW_TIME_US);
}

/* Segments out of place: ten answers a second. */
static void answers__are_few(void)
{
	unsigned n = 0;
	uint32_t a;

	set_up();
	a = add(1, 10);
	for (uint64_t now = 0; now < 1000000; now += 1000)
		n += toe_tw_answers(&e[a], now);
	CU_ASSERT(n >= 9 && n <= 11);
}

/* A successor finds the entries, in order of expiry, and not one that was being written. */
static void rebuild__keeps_committed_entries(void)
{
	uint32_t a, b;

	set_up();
	b = add(2, 500);
	a = add(1, 100);
	e[toe_tw_alloc(&tw)].tuple = tuple(3);
	memset(list, 0xee, sizeof(list));
	memset(chain, 0xee, sizeof(chain));
	memset(head, 0xee, sizeof(head));
	toe_tw_rebuild(&tw, 600);
	CU_ASSERT_EQUAL(tw.used, 2);
	CU_ASSERT_EQUAL(find(1), a);
	CU_ASSERT_EQUAL(find(2), b);
	CU_ASSERT_EQUAL(find(3), TOE_TW_NONE);
	CU_ASSERT_EQUAL(toe_tw_oldest(&tw), a);
}

UNIT_MAIN("time_wait", T(table__add_find_free), T(table__full), T(table__restart_goes_to_the_end),
	  T(rebuild__keeps_committed_entries), T(answers__are_few))
