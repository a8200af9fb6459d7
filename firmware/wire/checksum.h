/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071), summed in the machine's own byte order: a folded sum is stored
 * as it is. Sums are 64 bits wide with end-around carry and can be chained.
 */
#ifndef TOE_WIRE_CHECKSUM_H
#define TOE_WIRE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t toe_csum_plus(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

/*
 * Add a header: a multiple of four bytes, and so few that carries fit the upper half: summed as
 * words of 32 bits. Inlined; with a constant length nothing is left of the loop.
 */
static inline uint64_t toe_csum_header(uint64_t sum, const void *p, size_t n)
{
	const uint8_t *b = (const uint8_t *)p;
	uint64_t words = 0;
	uint32_t w;

#pragma GCC unroll 10
	for (size_t i = 0; i < n; i += 4) {
		__builtin_memcpy(&w, b + i, 4);
		words += w;
	}
	return toe_csum_plus(sum, words);
}

/* Add `n` bytes that begin at an even offset of what is summed. */
uint64_t toe_csum_add(uint64_t sum, const void *p, size_t n);

/* Of an IPv4 header: few have options. */
static inline uint64_t toe_csum_ipv4(const void *p, size_t n)
{
	return n == 20 ? toe_csum_header(0, p, 20) : toe_csum_add(0, p, n);
}

/* Of a TCP header: most have no options, or a timestamp. */
static inline uint64_t toe_csum_tcp(uint64_t sum, const void *p, size_t n)
{
	if (n == 32)
		return toe_csum_header(sum, p, 32);
	return n == 20 ? toe_csum_header(sum, p, 20) : toe_csum_add(sum, p, n);
}

/* The same, and copy them to `dst` in the same pass. */
uint64_t toe_csum_copy(uint64_t sum, void *dst, const void *src, size_t n);

/*
 * The sum of bytes as if they had begun one byte later: for pieces at odd offsets (RFC 1071 2.B).
 */
static inline uint64_t toe_csum_odd(uint64_t sum)
{
	return sum << 8 | sum >> 56;
}

/* 16 bits, not complemented. */
static inline uint16_t toe_csum_fold(uint64_t sum)
{
	uint32_t half;

	/* Added to itself with its halves exchanged: the lower sum's carry is the end-around one. */
	half = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);
	return (uint16_t)((half + (half << 16 | half >> 16)) >> 16);
}

#endif
