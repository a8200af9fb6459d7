/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/seq.h */
#include "firmware/tcp/seq.h"
#include "tests/harness/unit.h"

static void toe_seq_expand__same_lap(void)
{
	CU_ASSERT_EQUAL(toe_seq_expand(0x100000010ull, 0x20), 0x100000020ull);
	CU_ASSERT_EQUAL(toe_seq_expand(0x100000010ull, 0x10), 0x100000010ull);
	CU_ASSERT_EQUAL(toe_seq_expand(0x100000010ull, 0x08), 0x100000008ull);
}

static void toe_seq_expand__next_lap(void)
{
	CU_ASSERT_EQUAL(toe_seq_expand(0x1fffffff0ull, 0x10), 0x200000010ull);
}

static void toe_seq_expand__previous_lap(void)
{
	CU_ASSERT_EQUAL(toe_seq_expand(0x200000010ull, 0xfffffff0), 0x1fffffff0ull);
}

static void toe_seq_expand__farthest(void)
{
	CU_ASSERT_EQUAL(toe_seq_expand(0x300000000ull, 0x7fffffff), 0x37fffffffull);
	CU_ASSERT_EQUAL(toe_seq_expand(0x300000000ull, 0x80000000), 0x280000000ull);
}

static void toe_seq_lt__wraps(void)
{
	CU_ASSERT_TRUE(toe_seq_lt(0xffffffff, 0));
	CU_ASSERT_FALSE(toe_seq_lt(0, 0xffffffff));
	CU_ASSERT_FALSE(toe_seq_lt(7, 7));
	CU_ASSERT_TRUE(toe_seq_leq(7, 7));
	CU_ASSERT_TRUE(toe_seq_leq(0xfffffff0, 5));
}

UNIT_MAIN("seq", T(toe_seq_expand__same_lap), T(toe_seq_expand__next_lap),
	  T(toe_seq_expand__previous_lap), T(toe_seq_expand__farthest), T(toe_seq_lt__wraps))
