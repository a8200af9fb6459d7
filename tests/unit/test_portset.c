/* SPDX-License-Identifier: BSD-2-Clause */
#include "userspace/toed/portset.h"

#include <errno.h>
#include <string.h>

#include "tests/harness/unit.h"

static struct portset s;

static const char *round_trip(const char *text)
{
	static char out[256];

	memset(&s, 0, sizeof(s));
	if (portset_parse(&s, text) || portset_format(&s, out, sizeof(out)) < 0)
		return "error";
	return out;
}

static void portset_parse__as_the_kernel_writes_it(void)
{
	CU_ASSERT_STRING_EQUAL(round_trip(""), "");
	CU_ASSERT_STRING_EQUAL(round_trip("\n"), "");
	CU_ASSERT_STRING_EQUAL(round_trip("80\n"), "80");
	CU_ASSERT_STRING_EQUAL(round_trip("80,8000-8099,65535\n"), "80,8000-8099,65535");
}

static void portset_parse__neighbours_join(void)
{
	CU_ASSERT_STRING_EQUAL(round_trip("5,6,7-9,10"), "5-10");
}

static void portset_parse__refuses(void)
{
	static const char *const bad[] = { "x", "1,,2", "9-3", "65536", "1-", "1 2" };

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(portset_parse(&s, bad[i]), -EINVAL);
}

/* What was reserved by others stays when our range is taken out again. */
static void portset_range__add_and_take_out(void)
{
	char out[64];

	CU_ASSERT_STRING_EQUAL(round_trip("80,60000-60010"), "80,60000-60010");
	portset_range(&s, 60100, 60200, true);
	portset_format(&s, out, sizeof(out));
	CU_ASSERT_STRING_EQUAL(out, "80,60000-60010,60100-60200");
	portset_range(&s, 60100, 60200, false);
	portset_format(&s, out, sizeof(out));
	CU_ASSERT_STRING_EQUAL(out, "80,60000-60010");
}

static void portset_format__no_room(void)
{
	char out[5];

	round_trip("1000,2000");
	CU_ASSERT_EQUAL(portset_format(&s, out, sizeof(out)), -ENOSPC);
}

static void portset_gap__longest_below_its_cap(void)
{
	uint16_t lo, hi;

	memset(&s, 0, sizeof(s));
	CU_ASSERT_EQUAL(portset_gap(&s, 32768, 8192, &lo, &hi), 8192);
	CU_ASSERT(lo == 57344 && hi == 65535);
	portset_range(&s, 60000, 60000, true);
	CU_ASSERT_EQUAL(portset_gap(&s, 32768, 8192, &lo, &hi), 8192);
	CU_ASSERT(lo == 51808 && hi == 59999);
	portset_range(&s, 33000, 65530, true);
	CU_ASSERT_EQUAL(portset_gap(&s, 32768, 8192, &lo, &hi), 232);
	CU_ASSERT(lo == 32768 && hi == 32999);
}

static void portset_gap__none(void)
{
	uint16_t lo = 0, hi = 0;

	memset(&s, 0, sizeof(s));
	portset_range(&s, 0, 65535, true);
	CU_ASSERT_EQUAL(portset_gap(&s, 32768, 8192, &lo, &hi), 0);
}

UNIT_MAIN("portset", T(portset_parse__as_the_kernel_writes_it), T(portset_parse__neighbours_join),
	  T(portset_parse__refuses), T(portset_range__add_and_take_out), T(portset_format__no_room),
	  T(portset_gap__longest_below_its_cap), T(portset_gap__none))
