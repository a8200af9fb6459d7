/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "../../firmware/wire/checksum.h"
#include "../harness/unit.h"

/* RFC 1071, word by word. */
static uint16_t slow(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t stored(uint16_t folded)
{
	uint8_t b[2];

	memcpy(b, &folded, 2);
	return (uint16_t)(b[0] << 8 | b[1]);
}

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(rand() % 3 ? rand() : 0xff);
}

static void csum_add__every_length_and_alignment(void)
{
	uint8_t buf[400];

	fill(buf, sizeof(buf));
	for (size_t off = 0; off < 9; off++)
		for (size_t n = 0; n < 300; n++)
			CU_ASSERT_EQUAL(stored(toe_csum_fold(toe_csum_add(0, buf + off, n))),
					slow(buf + off, n));
}

static void csum_copy__copies_and_sums(void)
{
	uint8_t src[400], dst[400];

	fill(src, sizeof(src));
	for (size_t n = 0; n < 300; n++) {
		memset(dst, 0xee, sizeof(dst));
		CU_ASSERT_EQUAL(stored(toe_csum_fold(toe_csum_copy(0, dst, src + 3, n))),
				slow(src + 3, n));
		CU_ASSERT(!memcmp(dst, src + 3, n));
		CU_ASSERT_EQUAL(dst[n], 0xee);
	}
}

/* Pieces at odd offsets add up to the whole. */
static void csum_odd__pieces(void)
{
	uint8_t buf[200];

	fill(buf, sizeof(buf));
	for (size_t cut = 0; cut < sizeof(buf); cut++) {
		uint64_t a = toe_csum_add(0, buf, cut),
			 b = toe_csum_add(0, buf + cut, sizeof(buf) - cut);

		a = toe_csum_plus(a, cut & 1 ? toe_csum_odd(b) : b);
		CU_ASSERT_EQUAL(stored(toe_csum_fold(a)), slow(buf, sizeof(buf)));
	}
}

static void csum_fold__carries(void)
{
	CU_ASSERT_EQUAL(toe_csum_fold(0), 0);
	CU_ASSERT_EQUAL(toe_csum_fold(UINT64_MAX), 0xffff);
	CU_ASSERT_EQUAL(toe_csum_fold(0x10000), 1);
	CU_ASSERT_EQUAL(toe_csum_plus(UINT64_MAX, 1), 1);
}

UNIT_MAIN("checksum", T(csum_add__every_length_and_alignment), T(csum_copy__copies_and_sums),
	  T(csum_odd__pieces), T(csum_fold__carries))
