/* SPDX-License-Identifier: BSD-2-Clause */
#include "rx_parser.h"

#include "../lib/mem.h"
#include "../wire/checksum.h"
#include "../wire/endian.h"
#include "../wire/eth.h"
#include "../wire/ip.h"
#include "../wire/tcp.h"

/* What is left of the frame. Nothing is read that was not taken from here. */
struct cursor {
	uint8_t *p;
	uint32_t left; /* in the first piece, which has all headers */
	uint32_t beyond; /* in the further ones */
};

static uint8_t *take(struct cursor *c, uint32_t n)
{
	uint8_t *p = c->p;

	if (n > c->left)
		return NULL;
	c->p += n;
	c->left -= n;
	return p;
}

/* The packet ends after `len` more bytes: what follows is padding. False: it has less. */
static bool end_after(struct cursor *c, uint32_t len)
{
	if (len > c->left + c->beyond)
		return false;
	c->beyond = len > c->left ? len - c->left : 0;
	c->left = len - c->beyond;
	return true;
}

/*
 * Ethernet and at most one tag, as in the XDP program. Returns the type of what follows, 0 =
 * truncated, or from a group address: nobody has that, and an answer would go to the whole link.
 */
static uint16_t parse_eth(struct cursor *c, struct toe_rx *rx)
{
	const struct toe_eth *eth = (const struct toe_eth *)take(c, sizeof(*eth));
	uint16_t type;

	if (!eth || eth->src[0] & 1)
		return 0;
	rx->eth = (const uint8_t *)eth;
	type = toe_be16(eth->type);
	if (type == TOE_ETH_VLAN || type == TOE_ETH_QINQ) {
		const struct toe_vlan *tag = (const struct toe_vlan *)take(c, sizeof(*tag));

		if (!tag)
			return 0;
		rx->tuple.vlan = toe_be16(tag->tci) & 0xfff;
		if (type == TOE_ETH_QINQ)
			rx->tuple.vlan |= TOE_VLAN_STAG;
		type = toe_be16(tag->type);
	}
	return type;
}

static inline uint64_t pseudo_sum(const uint8_t *addrs, unsigned n, uint8_t proto, uint32_t len)
{
	uint64_t sum = toe_csum_header(0, addrs, n);

	return toe_csum_plus(sum, (uint64_t)toe_be16(proto) + toe_be16((uint16_t)len));
}

/* An ICMP message; ICMPv6 sums a pseudo-header, too. Errors are short: they have one piece. */
static int icmp(struct toe_rx *rx, const struct cursor *c, uint64_t pseudo)
{
	rx->payload = c->p;
	rx->seg.len = c->left;
	rx->pseudo = pseudo;
	return c->beyond ? TOE_CNT_drop_parse : TOE_CNT_drop_icmp;
}

static int parse_v4(struct cursor *c, struct toe_rx *rx)
{
	const struct toe_ipv4 *ip = (const struct toe_ipv4 *)c->p;
	uint32_t hdr, len;

	if (c->left < sizeof(*ip) || ip->ver_ihl >> 4 != 4)
		return TOE_CNT_drop_parse;
	hdr = (ip->ver_ihl & 15) * 4u;
	len = toe_be16(ip->len);
	if (hdr < sizeof(*ip) || len < hdr || !end_after(c, len) || !take(c, hdr))
		return TOE_CNT_drop_parse;
	if (toe_csum_fold(toe_csum_ipv4(ip, hdr)) != 0xffff)
		return TOE_CNT_drop_checksum;
	if (toe_be16(ip->frag) & (TOE_IP_MF | TOE_IP_OFFSET))
		return TOE_CNT_drop_parse;
	toe_map_v4(rx->tuple.laddr, ip->dst);
	toe_map_v4(rx->tuple.raddr, ip->src);
	if (ip->proto == TOE_IP_ICMP)
		return icmp(rx, c, 0);
	if (ip->proto != TOE_IP_TCP)
		return TOE_CNT_drop_parse;
	rx->ce = (ip->tos & TOE_CE) == TOE_CE;
	rx->pseudo = pseudo_sum(ip->src, 8, ip->proto, len - hdr);
	return 0;
}

/*
 * Skip IPv6 extension headers from *next on, as the XDP program does (RFC 8200 4). False for what is
 * not TCP of this host alone: fragments, a way that leads on, headers without end.
 */
static bool skip_ext(struct cursor *c, uint8_t *next)
{
	for (unsigned i = 0; i <= TOE_IP6_EXT_MAX; i++) {
		const struct toe_ip6_ext *e = (const struct toe_ip6_ext *)c->p;
		bool fragment = *next == TOE_IP_FRAGMENT;

		if (!fragment && *next != TOE_IP_HOPOPTS && *next != TOE_IP_ROUTING &&
		    *next != TOE_IP_DSTOPTS)
			return true;
		if (!take(c, sizeof(*e)))
			return false;
		if (fragment ? toe_be16(e->frag) & (TOE_IP6_OFFSET | TOE_IP6_MF)
			     : *next == TOE_IP_ROUTING && e->segments_left)
			return false;
		if (!fragment && !take(c, e->len * 8u))
			return false;
		*next = e->next;
	}
	return false;
}

static int parse_v6(struct cursor *c, struct toe_rx *rx)
{
	const struct toe_ipv6 *ip = (const struct toe_ipv6 *)take(c, sizeof(*ip));
	uint32_t len;
	uint8_t next;

	if (!ip || *(const uint8_t *)ip >> 4 != 6)
		return TOE_CNT_drop_parse;
	len = toe_be16(ip->len);
	if (!end_after(c, len))
		return TOE_CNT_drop_parse;
	next = ip->next;
	if (!skip_ext(c, &next))
		return TOE_CNT_drop_parse;
	memcpy(rx->tuple.laddr, ip->dst, 16);
	memcpy(rx->tuple.raddr, ip->src, 16);
	rx->pseudo = pseudo_sum(ip->src, 32, next, c->left + c->beyond);
	if (next == TOE_IP_ICMPV6)
		return icmp(rx, c, rx->pseudo);
	if (next != TOE_IP_TCP)
		return TOE_CNT_drop_parse;
	rx->ce = (toe_be32(ip->ver_tc_flow) >> 20 & TOE_CE) == TOE_CE;
	return 0;
}

static int parse_tcp(struct cursor *c, struct toe_rx *rx)
{
	const struct toe_tcph *th = (const struct toe_tcph *)c->p;
	struct toe_seg *s = &rx->seg;

	if (c->left < sizeof(*th))
		return TOE_CNT_drop_parse;
	rx->tcp = c->p;
	rx->tcp_hdr = (th->doff >> 4) * 4u;
	if (rx->tcp_hdr < sizeof(*th) || !take(c, rx->tcp_hdr))
		return TOE_CNT_drop_parse;
	rx->payload = c->p;
	rx->tuple.lport = th->dport;
	rx->tuple.rport = th->sport;
	s->seq = toe_be32(th->seq);
	s->ack = toe_be32(th->ack);
	s->wnd = toe_be16(th->wnd);
	s->urg = toe_be16(th->urg);
	s->flags = th->flags;
	rx->first = c->left;
	s->len = c->left + c->beyond;
	s->opts = 0;
	s->nsack = 0;
	if (!toe_opts_parse(rx->tcp + sizeof(*th), rx->tcp_hdr - (uint32_t)sizeof(*th), s))
		return TOE_CNT_drop_parse;
	if (rx->ce)
		s->opts |= TOE_SEG_CE;
	return 0;
}

/* Is there metadata, and does it speak of the frame that was parsed here? */
static void use_meta(const struct toe_frame *fr, struct toe_rx *rx)
{
	struct toe_meta m;

	rx->reparsed = 1;
	rx->flow = rx->endpoint = TOE_FLOW_NONE;
	if (!fr->meta)
		return;
	memcpy(&m, fr->data - sizeof(m), sizeof(m));
	memset(fr->data - sizeof(m), 0, sizeof(m.magic));
	if (m.magic != TOE_META_WORD || m.payload_off != rx->payload - fr->data ||
	    m.payload_len != rx->seg.len)
		return;
	rx->reparsed = 0;
	rx->gen = m.gen;
	if (m.flags & TOE_META_FLOW)
		rx->flow = m.flow;
	else if (m.flags & TOE_META_ENDPOINT)
		rx->endpoint = m.flow;
}

static int parse_headers(const struct toe_frame *fr, struct toe_rx *rx)
{
	struct cursor c = { fr->data, fr->len, 0 };
	uint16_t type;
	int drop;

	for (unsigned i = 1; i <= fr->more; i++)
		c.beyond += fr[i].len;
	rx->piece = fr + 1;
	rx->dev = rx->tuple.dev = fr->dev;
	rx->tuple.vlan = 0;
	rx->tuple.zero = 0;
	type = parse_eth(&c, rx);
	if (type == TOE_ETH_IPV4)
		drop = parse_v4(&c, rx);
	else if (type == TOE_ETH_IPV6)
		drop = parse_v6(&c, rx);
	else
		drop = TOE_CNT_drop_parse;
	return drop ? drop : parse_tcp(&c, rx);
}

int toe_rx_parse(const struct toe_frame *fr, struct toe_rx *rx)
{
	int drop = parse_headers(fr, rx);

	if (!drop)
		use_meta(fr, rx);
	else if (fr->meta)
		memset(fr->data - sizeof(struct toe_meta), 0, sizeof(uint32_t));
	return drop;
}

static bool is_partial(const struct toe_rx *rx)
{
	return ((const struct toe_tcph *)rx->tcp)->check == toe_csum_fold(rx->pseudo);
}

/* The payload at `off`; *n is cut to what lies in the same piece. */
static inline const uint8_t *payload_at(const struct toe_rx *rx, uint32_t off, uint32_t *n)
{
	const struct toe_frame *f = rx->piece;

	if (off < rx->first) {
		if (*n > rx->first - off)
			*n = rx->first - off;
		return rx->payload + off;
	}
	for (off -= rx->first; off >= f->len; f++)
		off -= f->len;
	if (*n > f->len - off)
		*n = f->len - off;
	return f->data + off;
}

/* `total` and the sum over n bytes of payload; the header before it has an even length. */
static uint64_t sum_payload(uint64_t total, const struct toe_rx *rx, uint32_t off, uint32_t n)
{
	uint32_t len;

	for (; n; off += len, n -= len) {
		const uint8_t *p;
		uint64_t s;

		len = n;
		p = payload_at(rx, off, &len);
		s = toe_csum_add(0, p, len);
		total = toe_csum_plus(total, off & 1 ? toe_csum_odd(s) : s);
	}
	return total;
}

bool toe_rx_checksum(const struct toe_rx *rx, bool partial_ok)
{
	uint64_t sum;

	if (partial_ok && is_partial(rx))
		return true;
	sum = toe_csum_add(rx->pseudo, rx->tcp, rx->tcp_hdr + rx->first);
	if (rx->first < rx->seg.len)
		sum = sum_payload(sum, rx, rx->first, rx->seg.len - rx->first);
	return toe_csum_fold(sum) == 0xffff;
}

/* Copy a span of the payload into the receive buffer; the sum of it is added to *total. */
static void store(const struct toe_place *to, const struct toe_rx *rx, const struct toe_span *span,
		  uint64_t *total)
{
	uint32_t off = span->off, left = span->len, n;
	uint64_t pos = span->pos, at, s;

	for (; left; off += n, pos += n, left -= n) {
		const uint8_t *p;

		n = left;
		p = payload_at(rx, off, &n);
		n = toe_ring_piece(to->ring, to->flow, to->base, pos, n, &at);
		if (!total) {
			memcpy(to->arena + at, p, n);
			continue;
		}
		s = toe_csum_copy(0, to->arena + at, p, n);
		*total = toe_csum_plus(*total, off & 1 ? toe_csum_odd(s) : s);
	}
}

/* All of the payload to one place, which is the most common: what store() makes of it. */
static inline bool store_whole(const struct toe_rx *rx, const struct toe_span *span,
			       const struct toe_place *to, uint64_t *total)
{
	uint32_t len = rx->seg.len;
	uint64_t at;

	if (span->len != len || rx->first != len ||
	    toe_ring_piece(to->ring, to->flow, to->base, span->pos, len, &at) != len)
		return false;
	if (total)
		*total = toe_csum_copy(*total, to->arena + at, rx->payload, len);
	else
		memcpy(to->arena + at, rx->payload, len);
	return true;
}

bool toe_rx_store(const struct toe_rx *rx, bool partial_ok, const struct toe_span *span, unsigned n,
		  const struct toe_place *to)
{
	bool sum = !(partial_ok && is_partial(rx));
	uint64_t total = sum ? toe_csum_tcp(rx->pseudo, rx->tcp, rx->tcp_hdr) : 0;
	uint32_t at = 0; /* payload summed so far */

	if (n == 1 && store_whole(rx, span, to, sum ? &total : NULL))
		return !sum || toe_csum_fold(total) == 0xffff;

	for (unsigned i = 0; i < n; i++) {
		if (sum && span[i].off > at)
			total = sum_payload(total, rx, at, span[i].off - at);
		store(to, rx, &span[i], sum ? &total : NULL);
		at = span[i].off + span[i].len;
	}
	if (!sum)
		return true;
	if (at < rx->seg.len)
		total = sum_payload(total, rx, at, rx->seg.len - at);
	return toe_csum_fold(total) == 0xffff;
}
