/* SPDX-License-Identifier: BSD-2-Clause */
/* The ICMP error of a router whose next link is too narrow (RFC 792, RFC 1191 4). */
#include <string.h>

#include "../../wire/checksum.h"
#include "../../wire/endian.h"
#include "../../wire/ip.h"
#include "sim.h"

enum { ICMP = 8, QUOTED = 28 }; /* the ICMP header; an IPv4 header and 8 bytes behind it */

void sim_too_big(struct toe_port *sender, const uint8_t *frame, uint32_t len, uint32_t mtu)
{
	uint8_t f[SIM_ETH + 20 + ICMP + QUOTED] = { 0 };
	struct toe_ipv4 *ip = (struct toe_ipv4 *)(f + SIM_ETH);
	uint8_t *icmp = (uint8_t *)(ip + 1);
	uint16_t sum;

	if (len < SIM_ETH + QUOTED || frame[12] != 8 || frame[13])
		return;
	memcpy(f, frame + 6, 6);
	memcpy(f + 6, frame, 6);
	f[12] = 8;
	*ip = (struct toe_ipv4){ .ver_ihl = 0x45,
				 .len = toe_be16(sizeof(f) - SIM_ETH),
				 .ttl = 63,
				 .proto = TOE_IP_ICMP,
				 .src = { 10, 0, 0, 254 } };
	memcpy(ip->dst, frame + SIM_ETH + 12, 4);
	ip->check = (uint16_t)~toe_csum_fold(toe_csum_add(0, ip, 20));
	icmp[0] = 3;
	icmp[1] = 4;
	icmp[6] = (uint8_t)(mtu >> 8);
	icmp[7] = (uint8_t)mtu;
	memcpy(icmp + ICMP, frame + SIM_ETH, QUOTED);
	sum = (uint16_t)~toe_csum_fold(toe_csum_add(0, icmp, ICMP + QUOTED));
	memcpy(icmp + 2, &sum, 2);
	sim_send(sender, NULL, f, sizeof(f));
}
