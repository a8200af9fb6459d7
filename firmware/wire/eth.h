/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet (IEEE 802.3) and VLAN tags (802.1Q, 802.1ad). */
#ifndef TOE_WIRE_ETH_H
#define TOE_WIRE_ETH_H

#include <stdbool.h>
#include <stdint.h>

enum toe_eth_type {
	TOE_ETH_IPV4 = 0x0800,
	TOE_ETH_IPV6 = 0x86dd,
	TOE_ETH_VLAN = 0x8100,
	TOE_ETH_QINQ = 0x88a8,
};

struct toe_eth {
	uint8_t dst[6], src[6];
	uint16_t type; /* network order */
} __attribute__((packed));

struct toe_vlan {
	uint16_t tci; /* network order; low 12 bits: VLAN id */
	uint16_t type;
} __attribute__((packed));

/* Two link addresses; for six bytes the compiler would call memcmp. */
static inline bool toe_mac_equal(const uint8_t *a, const uint8_t *b)
{
	uint32_t a4, b4;
	uint16_t a2, b2;

	__builtin_memcpy(&a4, a, 4);
	__builtin_memcpy(&b4, b, 4);
	__builtin_memcpy(&a2, a + 4, 2);
	__builtin_memcpy(&b2, b + 4, 2);
	return !((a4 ^ b4) | (uint32_t)(a2 ^ b2));
}

_Static_assert(sizeof(struct toe_eth) == 14 && sizeof(struct toe_vlan) == 4, "wire layout");

#endif
