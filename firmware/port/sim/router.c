/* SPDX-License-Identifier: BSD-2-Clause */
/* The ICMP error of a router whose next link is too narrow (RFC 792, RFC 1191 4; RFC 4443 3.2). */
#include <string.h>

#include "../../wire/checksum.h"
#include "../../wire/endian.h"
#include "../../wire/ip.h"
#include "sim.h"

enum { ICMP = 8, QUOTED_TCP = 8 }; /* the ICMP header; what is quoted behind that of IP */

/* The message behind an IP header, about the packet `q` with a header of `hdr` bytes. Returns its length. */
static uint32_t message(uint8_t *icmp, const uint8_t head[2], uint32_t mtu, const uint8_t *q,
			uint32_t hdr, uint64_t pseudo)
{
	uint32_t n = ICMP + hdr + QUOTED_TCP, be_mtu = toe_be32(mtu);
	uint16_t sum;

	memcpy(icmp, head, 2);
	memcpy(icmp + 4, &be_mtu, 4);
	memcpy(icmp + ICMP, q, hdr + QUOTED_TCP);
	sum = (uint16_t)~toe_csum_fold(toe_csum_add(pseudo, icmp, n));
	memcpy(icmp + 2, &sum, 2);
	return n;
}

static uint32_t error_v4(uint8_t *p, const uint8_t *q, uint32_t mtu)
{
	struct toe_ipv4 *ip = (struct toe_ipv4 *)p;
	uint32_t n = message(p + sizeof(*ip), (const uint8_t[]){ 3, 4 }, mtu, q, sizeof(*ip), 0);

	*ip = (struct toe_ipv4){ .ver_ihl = 0x45,
				 .len = toe_be16((uint16_t)(sizeof(*ip) + n)),
				 .ttl = 63,
				 .proto = TOE_IP_ICMP,
				 .src = { 10, 0, 0, 254 } };
	memcpy(ip->dst, q + 12, 4);
	ip->check = (uint16_t)~toe_csum_fold(toe_csum_add(0, ip, sizeof(*ip)));
	return (uint32_t)sizeof(*ip) + n;
}

static uint32_t error_v6(uint8_t *p, const uint8_t *q, uint32_t mtu)
{
	struct toe_ipv6 *ip = (struct toe_ipv6 *)p;
	uint16_t len = ICMP + sizeof(*ip) + QUOTED_TCP;
	uint64_t pseudo;

	*ip = (struct toe_ipv6){ .ver_tc_flow = toe_be32(6u << 28),
				 .len = toe_be16(len),
				 .next = TOE_IP_ICMPV6,
				 .hops = 63,
				 .src = { 0x20, 0x01, 0x0d, 0xb8, [15] = 254 } };
	memcpy(ip->dst, q + 8, 16);
	pseudo = toe_csum_add((uint64_t)toe_be16(TOE_IP_ICMPV6) + toe_be16(len), ip->src, 32);
	message(p + sizeof(*ip), (const uint8_t[]){ 2, 0 }, mtu, q, sizeof(*ip), pseudo);
	return (uint32_t)sizeof(*ip) + len;
}

void sim_too_big(struct toe_port *sender, const uint8_t *frame, uint32_t len, uint32_t mtu)
{
	uint8_t f[SIM_ETH + 2 * sizeof(struct toe_ipv6) + ICMP + QUOTED_TCP] = { 0 };
	const uint8_t *q = frame + SIM_ETH;
	bool v4 = frame[12] == 8 && !frame[13], v6 = frame[12] == 0x86 && frame[13] == 0xdd;

	if (!(v4 || v6) || len < SIM_ETH + sizeof(struct toe_ipv6) + QUOTED_TCP)
		return;
	memcpy(f, frame + 6, 6);
	memcpy(f + 6, frame, 6);
	memcpy(f + 12, frame + 12, 2);
	sim_send(sender, NULL, f, SIM_ETH + (v4 ? error_v4 : error_v6)(f + SIM_ETH, q, mtu));
}
