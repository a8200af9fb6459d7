/* SPDX-License-Identifier: BSD-2-Clause */
#include "checksum.h"

#include "../lib/mem.h"

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static inline void store64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

/* The last 0..7 bytes; a missing one counts as zero. */
static inline uint64_t tail(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;
	uint32_t w4;
	uint16_t w2;

	if (n & 4) {
		memcpy(&w4, p, 4);
		sum += w4;
		p += 4;
	}
	if (n & 2) {
		memcpy(&w2, p, 2);
		sum += w2;
		p += 2;
	}
	if (n & 1) {
		w2 = 0;
		memcpy(&w2, p, 1);
		sum += w2;
	}
	return sum;
}

static inline void copy_tail(uint8_t *d, const uint8_t *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		d[i] = s[i];
}

/* Four independent chains: one add-with-carry waits for no other. */
uint64_t toe_csum_add(uint64_t sum, const void *ptr, size_t n)
{
	const uint8_t *p = ptr;
	uint64_t b = 0, c = 0, d = 0;

	for (; n >= 32; n -= 32, p += 32) {
		sum = toe_csum_plus(sum, load64(p));
		b = toe_csum_plus(b, load64(p + 8));
		c = toe_csum_plus(c, load64(p + 16));
		d = toe_csum_plus(d, load64(p + 24));
	}
	for (; n >= 8; n -= 8, p += 8)
		sum = toe_csum_plus(sum, load64(p));
	sum = toe_csum_plus(sum, toe_csum_plus(b, toe_csum_plus(c, d)));
	return toe_csum_plus(sum, tail(p, n));
}

uint64_t toe_csum_copy(uint64_t sum, void *dst, const void *src, size_t n)
{
	const uint8_t *s = src;
	uint8_t *t = dst;
	uint64_t b = 0, c = 0, d = 0;

	for (; n >= 32; n -= 32, s += 32, t += 32) {
		uint64_t w0 = load64(s), w1 = load64(s + 8), w2 = load64(s + 16),
			 w3 = load64(s + 24);

		store64(t, w0);
		store64(t + 8, w1);
		store64(t + 16, w2);
		store64(t + 24, w3);
		sum = toe_csum_plus(sum, w0);
		b = toe_csum_plus(b, w1);
		c = toe_csum_plus(c, w2);
		d = toe_csum_plus(d, w3);
	}
	for (; n >= 8; n -= 8, s += 8, t += 8) {
		uint64_t w = load64(s);

		store64(t, w);
		sum = toe_csum_plus(sum, w);
	}
	copy_tail(t, s, n);
	sum = toe_csum_plus(sum, toe_csum_plus(b, toe_csum_plus(c, d)));
	return toe_csum_plus(sum, tail(s, n));
}
