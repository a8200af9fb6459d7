/* SPDX-License-Identifier: BSD-2-Clause */
#include "segment.h"

#include <string.h>

#include "../../firmware/wire/checksum.h"
#include "../../firmware/wire/endian.h"
#include "../../firmware/wire/eth.h"
#include "../../firmware/wire/ip.h"
#include "../../firmware/wire/tcp.h"

void segment_addr(bool v6, uint8_t host, uint8_t addr[16])
{
	static const uint8_t v4_net[16] = { [10] = 0xff, [11] = 0xff, [12] = 10 };
	static const uint8_t v6_net[16] = { 0x20, 0x01, 0x0d, 0xb8 };

	memcpy(addr, v6 ? v6_net : v4_net, 16);
	addr[15] = host;
}

static uint8_t *put(uint8_t *p, const void *v, size_t n)
{
	memcpy(p, v, n);
	return p + n;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	v = toe_be32(v);
	return put(p, &v, 4);
}

static uint8_t *put_eth(uint8_t *p, const struct segment *s)
{
	uint16_t type = s->v6 ? TOE_ETH_IPV6 : TOE_ETH_IPV4;

	p = put(p, (uint8_t[]){ 2, 0, 0, 0, 0, SEGMENT_ENGINE, 2, 0, 0, 0, 0, SEGMENT_PEER }, 12);
	if (s->vlan)
		p = put32(p, (uint32_t)TOE_ETH_VLAN << 16 | s->vlan);
	return put(p, (uint8_t[]){ (uint8_t)(type >> 8), (uint8_t)type }, 2);
}

/* IP header from host `from` to `to`; *sum gets the sum of the pseudo-header. */
static uint8_t *put_ip(uint8_t *p, bool v6, uint8_t from, uint8_t to, uint8_t proto, uint8_t tos,
		       uint32_t len, uint64_t *sum)
{
	uint8_t src[16], dst[16];

	segment_addr(v6, from, src);
	segment_addr(v6, to, dst);
	*sum = toe_be16(proto) + (uint64_t)toe_be16((uint16_t)len);
	if (v6) {
		struct toe_ipv6 ip = { .ver_tc_flow = toe_be32(6u << 28 | (uint32_t)tos << 20),
				       .len = toe_be16((uint16_t)len),
				       .next = proto,
				       .hops = 64 };

		memcpy(ip.src, src, 16);
		memcpy(ip.dst, dst, 16);
		*sum = toe_csum_add(*sum, ip.src, 32);
		return put(p, &ip, sizeof(ip));
	}
	struct toe_ipv4 ip = { .ver_ihl = 0x45,
			       .tos = tos,
			       .len = toe_be16((uint16_t)(20 + len)),
			       .ttl = 64,
			       .proto = proto };

	memcpy(ip.src, src + 12, 4);
	memcpy(ip.dst, dst + 12, 4);
	ip.check = (uint16_t)~toe_csum_fold(toe_csum_add(0, &ip, sizeof(ip)));
	*sum = toe_csum_add(*sum, ip.src, 8);
	return put(p, &ip, sizeof(ip));
}

/* RFC 7413 4.1.1 */
static uint8_t *put_cookie(uint8_t *p, const struct toe_fo_cookie *c)
{
	p = put(p, (uint8_t[]){ 1, 1, 34, (uint8_t)(2 + c->len) }, 4);
	return put(p, c->b, c->len);
}

static unsigned put_options(const struct segment *s, uint8_t *o)
{
	uint8_t *p = o;

	if (s->mss)
		p = put32(p, 0x02040000u | s->mss);
	if (s->wscale)
		p = put32(p, 0x01030300u | (uint8_t)(s->wscale - 1));
	if (s->sack_ok)
		p = put32(p, 0x01010402);
	if (s->ts)
		p = put32(put32(put32(p, 0x0101080a), s->tsval), s->tsecr);
	if (s->fo)
		p = put_cookie(p, s->fo);
	if (s->junk && p - o <= 36)
		p = put32(p, 0xfd0400ff);
	for (unsigned i = 0, n = s->nsack; i < n && p - o <= 28; i++) {
		unsigned fit = (unsigned)(36 - (p - o)) / 8;

		n = n < fit ? n : fit;
		if (!i)
			p = put32(p, 0x01010500u | (2 + 8 * n));
		p = put32(put32(p, s->sack[i].lo), s->sack[i].hi);
	}
	return (unsigned)(p - o);
}

static uint8_t *put_tcp(uint8_t *p, const struct segment *s, const uint8_t *opt, unsigned n)
{
	struct toe_tcph th = { .sport = toe_be16(s->sport),
			       .dport = toe_be16(s->dport),
			       .seq = toe_be32(s->seq),
			       .ack = toe_be32(s->ack),
			       .doff = (uint8_t)((20 + n) / 4 << 4),
			       .flags = s->flags,
			       .wnd = toe_be16(s->wnd),
			       .urg = toe_be16(s->urg) };

	return put(put(p, &th, sizeof(th)), opt, n);
}

uint32_t segment_build(const struct segment *s, uint8_t *frame)
{
	uint8_t opt[64], *p, *l4;
	unsigned n = put_options(s, opt);
	uint64_t sum;

	p = put_eth(frame, s);
	p = put_ip(p, s->v6, SEGMENT_PEER, SEGMENT_ENGINE, TOE_IP_TCP, s->ce ? 3 : 0,
		   20 + n + s->len, &sum);
	l4 = p;
	p = put_tcp(p, s, opt, n);
	memset(p, (int)(s->seq & 0xff), s->len);
	sum = toe_csum_add(sum, l4, 20 + n + s->len);
	((struct toe_tcph *)l4)->check =
	    (uint16_t)~toe_csum_fold(sum) ^ (uint16_t)(s->spoil ? 0x0100 : 0);
	return (uint32_t)(p + s->len - frame);
}

uint32_t segment_icmp(const struct segment *s, uint8_t type, uint8_t code, uint16_t mtu,
		      uint8_t *frame)
{
	uint8_t quote[64], *q, *p, *l4;
	uint64_t sum, ignored;
	uint32_t len;

	q = put_ip(quote, s->v6, SEGMENT_ENGINE, SEGMENT_PEER, TOE_IP_TCP, 0, 1000, &ignored);
	q = put(q, (uint16_t[]){ toe_be16(s->sport), toe_be16(s->dport) }, 4);
	q = put32(q, s->seq);
	len = 8 + (uint32_t)(q - quote);
	p = put_eth(frame, s);
	p = put_ip(p, s->v6, SEGMENT_PEER, SEGMENT_ENGINE, s->v6 ? TOE_IP_ICMPV6 : TOE_IP_ICMP, 0,
		   len, &sum);
	l4 = p;
	p = put32(p, (uint32_t)type << 24 | (uint32_t)code << 16);
	p = put32(p, mtu);
	p = put(p, quote, (size_t)(q - quote));
	sum = toe_csum_add(s->v6 ? sum : 0, l4, len);
	memcpy(l4 + 2, &(uint16_t){ (uint16_t)~toe_csum_fold(sum) }, 2);
	return (uint32_t)(p - frame);
}
