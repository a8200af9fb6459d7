/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One CUnit program per test file. A test is a function named `function__case`; the file ends with
 *
 *	UNIT_MAIN("seq", T(seq_lt__wraps), T(seq_lt__equal))
 *
 * The last line printed is "# seq: N passed, N failed", which tests/harness/run adds up.
 */
#ifndef TOE_TESTS_UNIT_H
#define TOE_TESTS_UNIT_H

#include <CUnit/Basic.h>
#include <stdio.h>

struct unit_test {
	const char *name;
	void (*fn)(void);
};

#define T(fn) \
	{ \
#fn, fn \
	}

static inline int unit_run(const char *suite, const struct unit_test *t, unsigned n)
{
	CU_pSuite s;
	unsigned failed;

	if (CU_initialize_registry() != CUE_SUCCESS || !(s = CU_add_suite(suite, NULL, NULL)))
		return 2;
	for (unsigned i = 0; i < n; i++)
		if (!CU_add_test(s, t[i].name, t[i].fn))
			return 2;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_tests_failed();
	printf("# %s: %u passed, %u failed\n", suite, n - failed, failed);
	CU_cleanup_registry();
	return failed != 0;
}

#define UNIT_MAIN(suite, ...) \
	int main(void) \
	{ \
		static const struct unit_test tests[] = { __VA_ARGS__ }; \
		return unit_run(suite, tests, sizeof(tests) / sizeof(tests[0])); \
	}

#endif
