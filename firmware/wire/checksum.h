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

/* Add `n` bytes that begin at an even offset of what is summed. */
uint64_t toe_csum_add(uint64_t sum, const void *p, size_t n);

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
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

#endif
