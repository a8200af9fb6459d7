/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of CUnit that our tests use, for cross builds: Debian has CUnit for the machine itself
 * only. Native builds take the real one. A failed _FATAL assertion leaves the test by longjmp, as
 * there.
 */
#ifndef TOE_TESTS_CROSS_CUNIT_H
#define TOE_TESTS_CROSS_CUNIT_H

#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CUE_SUCCESS = 0, CU_BRM_NORMAL = 0, CU_CROSS_MAX_TESTS = 512 };
typedef int *CU_pSuite;

static struct {
	const char *name;
	void (*fn)(void);
} cu_test[CU_CROSS_MAX_TESTS];
static unsigned cu_ntests, cu_failures, cu_tests_failed;
static int cu_suite;
static jmp_buf cu_leave;

static inline void cu_check(bool ok, bool fatal, const char *what, const char *file, int line)
{
	if (ok)
		return;
	cu_failures++;
	printf("    %s:%d  - %s\n", file, line, what);
	if (fatal)
		longjmp(cu_leave, 1);
}

static inline int CU_initialize_registry(void)
{
	return CUE_SUCCESS;
}

static inline CU_pSuite CU_add_suite(const char *name, int (*init)(void), int (*clean)(void))
{
	return &cu_suite;
}

static inline bool CU_add_test(CU_pSuite s, const char *name, void (*fn)(void))
{
	if (cu_ntests == CU_CROSS_MAX_TESTS)
		return false;
	cu_test[cu_ntests].name = name;
	cu_test[cu_ntests++].fn = fn;
	return true;
}

static inline void CU_basic_set_mode(int mode)
{
}

static inline void cu_run_one(void (*fn)(void))
{
	if (!setjmp(cu_leave))
		fn();
}

static inline void CU_basic_run_tests(void)
{
	for (unsigned i = 0; i < cu_ntests; i++) {
		cu_failures = 0;
		cu_run_one(cu_test[i].fn);
		if (cu_failures) {
			printf("  Test: %s FAILED\n", cu_test[i].name);
			cu_tests_failed++;
		}
	}
}

static inline unsigned CU_get_number_of_tests_failed(void)
{
	return cu_tests_failed;
}

static inline void CU_cleanup_registry(void)
{
}

#define CU_CHECK(cond, fatal, what) cu_check((cond), (fatal), (what), __FILE__, __LINE__)
#define CU_PASS(msg) ((void)0)
#define CU_FAIL(msg) CU_CHECK(false, false, msg)
#define CU_FAIL_FATAL(msg) CU_CHECK(false, true, msg)
#define CU_ASSERT(x) CU_CHECK(x, false, #x)
#define CU_ASSERT_FATAL(x) CU_CHECK(x, true, #x)
#define CU_TEST(x) CU_ASSERT(x)
#define CU_TEST_FATAL(x) CU_ASSERT_FATAL(x)
#define CU_ASSERT_TRUE(x) CU_ASSERT(x)
#define CU_ASSERT_TRUE_FATAL(x) CU_ASSERT_FATAL(x)
#define CU_ASSERT_FALSE(x) CU_CHECK(!(x), false, "!" #x)
#define CU_ASSERT_FALSE_FATAL(x) CU_CHECK(!(x), true, "!" #x)
#define CU_ASSERT_EQUAL(a, b) CU_CHECK((a) == (b), false, #a " == " #b)
#define CU_ASSERT_EQUAL_FATAL(a, b) CU_CHECK((a) == (b), true, #a " == " #b)
#define CU_ASSERT_NOT_EQUAL(a, b) CU_CHECK((a) != (b), false, #a " != " #b)
#define CU_ASSERT_NOT_EQUAL_FATAL(a, b) CU_CHECK((a) != (b), true, #a " != " #b)
#define CU_ASSERT_PTR_EQUAL(a, b) CU_ASSERT_EQUAL(a, b)
#define CU_ASSERT_PTR_EQUAL_FATAL(a, b) CU_ASSERT_EQUAL_FATAL(a, b)
#define CU_ASSERT_PTR_NOT_EQUAL(a, b) CU_ASSERT_NOT_EQUAL(a, b)
#define CU_ASSERT_PTR_NULL(p) CU_CHECK(!(p), false, #p " is NULL")
#define CU_ASSERT_PTR_NULL_FATAL(p) CU_CHECK(!(p), true, #p " is NULL")
#define CU_ASSERT_PTR_NOT_NULL(p) CU_CHECK((p) != NULL, false, #p " is not NULL")
#define CU_ASSERT_PTR_NOT_NULL_FATAL(p) CU_CHECK((p) != NULL, true, #p " is not NULL")
#define CU_ASSERT_STRING_EQUAL(a, b) CU_CHECK(!strcmp((a), (b)), false, #a " equals " #b)
#define CU_ASSERT_STRING_EQUAL_FATAL(a, b) CU_CHECK(!strcmp((a), (b)), true, #a " equals " #b)
#define CU_ASSERT_STRING_NOT_EQUAL(a, b) CU_CHECK(strcmp((a), (b)), false, #a " differs from " #b)
#define CU_ASSERT_NSTRING_EQUAL(a, b, n) CU_CHECK(!strncmp((a), (b), (n)), false, #a " begins " #b)
#define CU_ASSERT_DOUBLE_EQUAL(a, b, d) \
	CU_CHECK(fabs((double)(a) - (b)) <= fabs((double)(d)), false, #a " ~ " #b)

#endif
