/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sequence numbers. Inside TCP they have 64 bits and never wrap; on the wire there are the low 32
 * (RFC 9293 3.4). A number from the wire means the one nearest to a reference that is already
 * known.
 */
#ifndef TOE_TCP_SEQ_H
#define TOE_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/* The 64-bit number nearest to `ref` whose low half is `wire`. */
static inline uint64_t toe_seq_expand(uint64_t ref, uint32_t wire)
{
	return ref + (uint64_t)(int64_t)(int32_t)(wire - (uint32_t)ref);
}

/* Comparisons modulo 2^32, also for timestamps (RFC 7323 5.2). */
static inline bool toe_seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool toe_seq_leq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline uint64_t toe_min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t toe_max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint32_t toe_min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t toe_max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

#endif
