/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/core/isn.h: numbers that nobody outside can guess. */
#include "../../firmware/core/isn.h"
#include "../harness/unit.h"

static const uint64_t key[2] = { 0x0123456789abcdef, 0xfedcba9876543210 };
static const struct toe_tuple flow = { .laddr = { 1 }, .raddr = { 2 }, .lport = 80, .rport = 9 };

static void isn__goes_with_the_clock(void)
{
	uint32_t isn = toe_isn(key, &flow, 1000);

	CU_ASSERT_EQUAL(toe_isn(key, &flow, 1003), isn);
	CU_ASSERT_EQUAL(toe_isn(key, &flow, 1004), isn + 1);
	/* It comes round in 4.8 hours, and not before. */
	CU_ASSERT_EQUAL(toe_isn(key, &flow, 1000 + (4ull << 32)), isn);
}

/* Each end's address and port, and the key, make another space of numbers. */
static void isn__differs(void)
{
	const uint64_t other_key[2] = { key[0], key[1] + 1 };
	struct toe_tuple t[4] = { flow, flow, flow, flow };
	uint32_t isn = toe_isn(key, &flow, 0);

	t[0].laddr[15]++;
	t[1].raddr[15]++;
	t[2].lport++;
	t[3].rport++;
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_NOT_EQUAL(toe_isn(key, &t[i], 0), isn);
	CU_ASSERT_NOT_EQUAL(toe_isn(other_key, &flow, 0), isn);
}

/* RFC 6437 3: one label for all of a flow, another for the next, within 20 bits. */
static void label__is_the_flows(void)
{
	struct toe_tuple t[2] = { flow, flow };
	uint32_t label = toe_flow_label(key, &flow);

	CU_ASSERT(label && label < 1u << 20);
	CU_ASSERT_EQUAL(toe_flow_label(key, &flow), label);
	t[0].rport++;
	t[1].raddr[0]++;
	for (unsigned i = 0; i < 2; i++)
		CU_ASSERT_NOT_EQUAL(toe_flow_label(key, &t[i]), label);
}

/* Who knows one of a flow's secrets knows none of the others. */
static void secret__is_for_one_purpose(void)
{
	for (unsigned i = TOE_SECRET_ISN; i <= TOE_SECRET_FASTOPEN; i++)
		for (unsigned j = TOE_SECRET_ISN; j < i; j++)
			CU_ASSERT_NOT_EQUAL(toe_tuple_secret(key, &flow, (enum toe_secret)i),
					    toe_tuple_secret(key, &flow, (enum toe_secret)j));
}

UNIT_MAIN("isn", T(isn__goes_with_the_clock), T(isn__differs), T(label__is_the_flows),
	  T(secret__is_for_one_purpose))
