/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of nobody's TCP: a segment with timestamp or without, from any address. */
#ifndef TOE_TESTS_RAW_FRAME_H
#define TOE_TESTS_RAW_FRAME_H

#include <string.h>

#include "../../firmware/core/rx_parser.h"
#include "../../firmware/lib/flow_hash.h"
#include "../../firmware/wire/checksum.h"
#include "../../firmware/wire/endian.h"
#include "../../firmware/wire/eth.h"
#include "../../firmware/wire/ip.h"
#include "../../firmware/wire/tcp.h"

enum { RAW_MAX = 256 };

static inline uint32_t raw_tcp(uint8_t *p, const struct toe_tuple *t, const struct toe_seg *s,
			       uint64_t pseudo)
{
	uint32_t opts = s->opts & TOE_SEG_TS ? 12 : 0, n = 20 + opts + s->len;
	struct toe_tcph *th = (struct toe_tcph *)p;
	uint32_t ts[3] = { toe_be32(0x0101080a), toe_be32(s->tsval), toe_be32(s->tsecr) };

	*th = (struct toe_tcph){ .sport = t->rport,
				 .dport = t->lport,
				 .seq = toe_be32(s->seq),
				 .ack = toe_be32(s->ack),
				 .doff = (uint8_t)((20 + opts) / 4 << 4),
				 .flags = s->flags,
				 .wnd = toe_be16(s->wnd) };
	memcpy(th + 1, ts, opts);
	pseudo += (uint64_t)toe_be16(TOE_IP_TCP) + toe_be16((uint16_t)n);
	th->check = (uint16_t)~toe_csum_fold(toe_csum_add(pseudo, p, n));
	return n;
}

/*
 * The segment `s` from the tuple's remote end to the local one; of options it has a timestamp at
 * most, and it may have met congestion. `to`, `from`: link addresses. Returns the frame's length.
 */
static inline uint32_t raw_frame(uint8_t frame[RAW_MAX], const uint8_t to[6], const uint8_t from[6],
				 const struct toe_tuple *t, const struct toe_seg *s)
{
	uint32_t len = 20 + (s->opts & TOE_SEG_TS ? 12 : 0) + s->len;
	struct toe_eth *eth = (struct toe_eth *)frame;
	struct toe_ipv4 *ip = (struct toe_ipv4 *)(eth + 1);
	struct toe_ipv6 *ip6 = (struct toe_ipv6 *)(eth + 1);
	bool v4 = toe_addr_is_v4(t->laddr);
	uint8_t ecn = s->opts & TOE_SEG_CE ? TOE_CE : 0;

	memset(frame, 0, RAW_MAX);
	memcpy(eth->dst, to, 6);
	memcpy(eth->src, from, 6);
	eth->type = toe_be16(v4 ? TOE_ETH_IPV4 : TOE_ETH_IPV6);
	if (!v4) {
		*ip6 = (struct toe_ipv6){ .ver_tc_flow = toe_be32(6u << 28 | (uint32_t)ecn << 20),
					  .len = toe_be16((uint16_t)len),
					  .next = TOE_IP_TCP,
					  .hops = 64 };
		memcpy(ip6->src, t->raddr, 16);
		memcpy(ip6->dst, t->laddr, 16);
		return 14 + 40 + raw_tcp((uint8_t *)(ip6 + 1), t, s, toe_csum_add(0, ip6->src, 32));
	}
	*ip = (struct toe_ipv4){ .ver_ihl = 0x45,
				 .tos = ecn,
				 .len = toe_be16((uint16_t)(20 + len)),
				 .ttl = 64,
				 .proto = TOE_IP_TCP };
	memcpy(ip->src, t->raddr + 12, 4);
	memcpy(ip->dst, t->laddr + 12, 4);
	ip->check = (uint16_t)~toe_csum_fold(toe_csum_add(0, ip, 20));
	return 14 + 20 + raw_tcp((uint8_t *)(ip + 1), t, s, toe_csum_add(0, ip->src, 8));
}

#endif
