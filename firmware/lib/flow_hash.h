/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyed hash of a flow's tuple: chooses FPC, index buckets and slot tag (abi/maps.h). One
 * definition for the XDP program, the firmware and toed.
 */
#ifndef TOE_LIB_FLOW_HASH_H
#define TOE_LIB_FLOW_HASH_H

#include "../abi/maps.h"
#include "siphash.h"

/* Addresses and ports only: what VLAN or device a flow uses does not change its FPC. */
static inline __attribute__((always_inline)) uint64_t toe_flow_hash_v4(
    const uint64_t key[2], uint32_t laddr, uint32_t raddr, uint16_t lport, uint16_t rport)
{
	uint64_t w[2] = { (uint64_t)laddr << 32 | raddr, (uint64_t)lport << 16 | rport };

	return toe_siphash(key, w, 2);
}

static inline __attribute__((always_inline)) uint64_t toe_flow_hash_v6(const uint64_t key[2],
								       const uint64_t laddr[2],
								       const uint64_t raddr[2],
								       uint16_t lport,
								       uint16_t rport)
{
	uint64_t w[5] = { laddr[0], laddr[1], raddr[0], raddr[1], (uint64_t)lport << 16 | rport };

	return toe_siphash(key, w, 5);
}

static inline int toe_addr_is_v4(const uint8_t a[16])
{
	uint64_t zero;
	uint32_t mark; /* every target is little-endian */

	__builtin_memcpy(&zero, a, 8);
	__builtin_memcpy(&mark, a + 8, 4);
	return !zero && mark == 0xffff0000;
}

/* All fields as they lie in memory (network order): both sides read the bytes the same way. */
static inline uint64_t toe_flow_hash(const uint64_t key[2], const struct toe_tuple *t)
{
	if (toe_addr_is_v4(t->laddr)) {
		uint32_t l, r;

		__builtin_memcpy(&l, t->laddr + 12, 4);
		__builtin_memcpy(&r, t->raddr + 12, 4);
		return toe_flow_hash_v4(key, l, r, t->lport, t->rport);
	}
	uint64_t l[2], r[2];

	__builtin_memcpy(l, t->laddr, 16);
	__builtin_memcpy(r, t->raddr, 16);
	return toe_flow_hash_v6(key, l, r, t->lport, t->rport);
}

#endif
