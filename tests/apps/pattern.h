/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The byte stream of all transfers: a table of pseudo-random bytes, repeated. Its length is a
 * prime, so the stream is out of step with every buffer, and a byte that is lost, repeated or moved
 * shows at its exact position.
 */
#ifndef TOE_TESTS_PATTERN_H
#define TOE_TESTS_PATTERN_H

#include <stdint.h>
#include <string.h>

enum { PATTERN_LEN = 1000003, PATTERN_MAX = 1 << 17 };
static uint8_t pattern_table[PATTERN_LEN + PATTERN_MAX];

static inline void pattern_init(void)
{
	uint64_t x = 88172645463325252ull;

	for (unsigned i = 0; i < PATTERN_LEN; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		pattern_table[i] = (uint8_t)(x >> 24);
	}
	memcpy(pattern_table + PATTERN_LEN, pattern_table, PATTERN_MAX);
}

/* At least PATTERN_MAX bytes of the stream from `pos`. */
static inline const uint8_t *pattern_at(uint64_t pos)
{
	return pattern_table + pos % PATTERN_LEN;
}

/* Position of the first wrong byte, or -1. n <= PATTERN_MAX. */
static inline int64_t pattern_check(const uint8_t *p, uint64_t pos, size_t n)
{
	const uint8_t *want = pattern_at(pos);

	if (!memcmp(p, want, n))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (p[i] != want[i])
			return (int64_t)(pos + i);
	return -1;
}

#endif
