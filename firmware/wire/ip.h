/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 (RFC 791) and IPv6 (RFC 8200) headers. Fields in network order. */
#ifndef TOE_WIRE_IP_H
#define TOE_WIRE_IP_H

#include <stdint.h>

enum toe_ip_proto {
	TOE_IP_HOPOPTS = 0,
	TOE_IP_ICMP = 1,
	TOE_IP_TCP = 6,
	TOE_IP_ROUTING = 43,
	TOE_IP_FRAGMENT = 44,
	TOE_IP_ICMPV6 = 58,
	TOE_IP_DSTOPTS = 60,
};

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

/* What extension headers have in common, and the words of some (RFC 8200 4). */
struct toe_ip6_ext {
	uint8_t next;
	uint8_t len; /* in units of 8 bytes, without the first 8; not of a fragment header */
	union {
		uint16_t frag; /* fragment header: offset and flags */
		struct {
			uint8_t type, segments_left; /* routing header */
		};
	};
	uint32_t rest;
} __attribute__((packed));

enum { TOE_IP6_OFFSET = 0xfff8, TOE_IP6_MF = 1, TOE_IP6_EXT_MAX = 6 };

_Static_assert(sizeof(struct toe_ip6_ext) == 8, "the smallest extension header");
_Static_assert(sizeof(struct toe_ipv4) == 20 && sizeof(struct toe_ipv6) == 40, "wire layout");

#endif
