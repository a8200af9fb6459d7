/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 (RFC 791) and IPv6 (RFC 8200) headers. Fields in network order. */
#ifndef TOE_WIRE_IP_H
#define TOE_WIRE_IP_H

#include <stdint.h>

enum toe_ip_proto { TOE_IP_ICMP = 1, TOE_IP_TCP = 6, TOE_IP_ICMPV6 = 58 };

enum { TOE_IP_DF = 0x4000, TOE_IP_MF = 0x2000, TOE_IP_OFFSET = 0x1fff, TOE_IP_TTL = 64 };

struct toe_ipv4 {
	uint8_t ver_ihl; /* version 4, header length in words */
	uint8_t tos;
	uint16_t len; /* of the packet, header included */
	uint16_t id;
	uint16_t frag; /* flags and offset in units of 8 bytes */
	uint8_t ttl, proto;
	uint16_t check;
	uint8_t src[4], dst[4];
} __attribute__((packed));

struct toe_ipv6 {
	uint32_t ver_tc_flow;
	uint16_t len; /* what follows this header */
	uint8_t next, hops;
	uint8_t src[16], dst[16];
} __attribute__((packed));

_Static_assert(sizeof(struct toe_ipv4) == 20 && sizeof(struct toe_ipv6) == 40, "wire layout");

#endif
