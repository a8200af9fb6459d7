/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Initial sequence numbers, timestamp offsets and flow labels that nobody outside can guess (RFC
 * 6528, RFC 7323 5.4, RFC 6437).
 */
#ifndef TOE_CORE_ISN_H
#define TOE_CORE_ISN_H

#include "../abi/maps.h"
#include "../lib/mem.h"
#include "../lib/siphash.h"

enum toe_secret {
	TOE_SECRET_ISN = 1,
	TOE_SECRET_TS = 2,
	TOE_SECRET_COOKIE = 3,
	TOE_SECRET_LABEL = 4,
	TOE_SECRET_FASTOPEN = 5
};

static inline uint32_t toe_tuple_secret(const uint64_t key[2], const struct toe_tuple *t,
					enum toe_secret what)
{
	uint64_t w[6];

	memcpy(w, t, sizeof(*t));
	w[5] = what;
	return (uint32_t)toe_siphash(key, w, 6);
}

/* M + F(tuple, key), where M counts 4 microseconds. */
static inline uint32_t toe_isn(const uint64_t key[2], const struct toe_tuple *t, uint64_t now)
{
	return (uint32_t)(now >> 2) + toe_tuple_secret(key, t, TOE_SECRET_ISN);
}

/* The IPv6 flow label: 20 bits, the same for all packets of a flow, never 0 (RFC 6437 3). */
static inline uint32_t toe_flow_label(const uint64_t key[2], const struct toe_tuple *t)
{
	uint32_t label = toe_tuple_secret(key, t, TOE_SECRET_LABEL) & 0xfffff;

	return label ? label : 1;
}

#endif
