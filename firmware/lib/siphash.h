/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-2-4 (Aumasson, Bernstein) over whole 64-bit words, with no secret-dependent branch. In a
 * header because the BPF program and the firmware must compute the same flow hash.
 */
#ifndef TOE_LIB_SIPHASH_H
#define TOE_LIB_SIPHASH_H

#include <stdint.h>

static inline __attribute__((always_inline)) uint64_t toe_rotl64(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

#define TOE_SIPROUND(v0, v1, v2, v3) \
	do { \
		v0 += v1; \
		v1 = toe_rotl64(v1, 13) ^ v0; \
		v0 = toe_rotl64(v0, 32); \
		v2 += v3; \
		v3 = toe_rotl64(v3, 16) ^ v2; \
		v0 += v3; \
		v3 = toe_rotl64(v3, 21) ^ v0; \
		v2 += v1; \
		v1 = toe_rotl64(v1, 17) ^ v2; \
		v2 = toe_rotl64(v2, 32); \
	} while (0)

/*
 * Hash of `n` words (n a compile-time constant for the BPF program). The length is mixed in as
 * SipHash does for 8 * n bytes.
 */
static inline __attribute__((always_inline)) uint64_t toe_siphash(const uint64_t key[2],
								  const uint64_t *w, unsigned n)
{
	uint64_t v0 = key[0] ^ 0x736f6d6570736575ull, v1 = key[1] ^ 0x646f72616e646f6dull;
	uint64_t v2 = key[0] ^ 0x6c7967656e657261ull, v3 = key[1] ^ 0x7465646279746573ull;
	uint64_t last = (uint64_t)(n * 8) << 56;

	for (unsigned i = 0; i < n; i++) {
		v3 ^= w[i];
		TOE_SIPROUND(v0, v1, v2, v3);
		TOE_SIPROUND(v0, v1, v2, v3);
		v0 ^= w[i];
	}
	v3 ^= last;
	TOE_SIPROUND(v0, v1, v2, v3);
	TOE_SIPROUND(v0, v1, v2, v3);
	v0 ^= last;
	v2 ^= 0xff;
	TOE_SIPROUND(v0, v1, v2, v3);
	TOE_SIPROUND(v0, v1, v2, v3);
	TOE_SIPROUND(v0, v1, v2, v3);
	TOE_SIPROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}

#endif
