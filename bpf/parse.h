/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From frame to tuple, with a cursor that never passes the frame's end. A parser returns false
 * for what the TOE cannot own (not TCP, no ports to be seen): such a frame is the kernel's. A
 * frame that shows its endpoint but is malformed carries the reason in toe_pkt.fault, so that
 * only an owned one is dropped for it.
 */
#ifndef TOE_BPF_PARSE_H
#define TOE_BPF_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi/maps.h"

enum { TOE_MAX_EXT_HEADERS = 6 }; /* of IPv6; a frame with more is the kernel's */

/* <linux/icmp.h> would pull in the C library. RFC 792, RFC 4443. */
enum {
	TOE_ICMP_UNREACHABLE = 3,
	TOE_ICMP_TIME_EXCEEDED = 11,
	TOE_ICMP_PARAMETER = 12,
	TOE_ICMP6_FIRST_ERROR = 1,
	TOE_ICMP6_LAST_ERROR = 4,
};

struct toe_icmp {
	uint8_t type, code;
	__be16 checksum;
	__be32 rest;
};

struct toe_cursor {
	void *start, *pos, *end;
};

/* What the parse found: all that look-up and metadata need. */
struct toe_pkt {
	struct toe_tuple t __attribute__((aligned(8))); /* local side = receiver */
	uint32_t fault; /* counter of the reason why the frame is malformed, 0 = well-formed */
	uint16_t l3_off, l4_off, payload_off, payload_len;
	uint8_t flags; /* TOE_META_IPV6, TOE_META_ICMP */
	uint8_t tcp_flags;
};

struct toe_vlan_tag {
	__be16 tci, proto;
};

struct toe_ip6_ext {
	uint8_t next, len; /* len: in units of 8 bytes, without the first 8 */
	uint8_t type, segments_left; /* of a routing header */
	uint32_t rest;
};

struct toe_ip6_frag {
	uint8_t next, reserved;
	__be16 off; /* bits 3..15 offset, bit 0 "more" */
	__be32 id;
};

/* The next n bytes, or NULL; moves on. */
static __always_inline void *toe_take(struct toe_cursor *c, uint32_t n)
{
	void *p = c->pos;

	if (p + n > c->end)
		return NULL;
	c->pos = p + n;
	return p;
}

static __always_inline uint16_t toe_offset(const struct toe_cursor *c)
{
	return c->pos - c->start;
}

/* The first fault found is the one that counts. */
static __always_inline void toe_fault(struct toe_pkt *p, uint32_t counter)
{
	if (!p->fault)
		p->fault = counter;
}

/* Ethernet and at most one VLAN tag; false with two tags. The type that follows goes to *proto. */
static __always_inline bool toe_parse_eth(struct toe_cursor *c, struct toe_pkt *p, __be16 *proto)
{
	struct ethhdr *eth = toe_take(c, sizeof(*eth));
	struct toe_vlan_tag *tag;

	if (!eth)
		return false;
	*proto = eth->h_proto;
	if (*proto == bpf_htons(ETH_P_8021Q) || *proto == bpf_htons(ETH_P_8021AD)) {
		tag = toe_take(c, sizeof(*tag));
		if (!tag)
			return false;
		p->t.vlan = bpf_ntohs(tag->tci) & 0xfff;
		if (*proto == bpf_htons(ETH_P_8021AD))
			p->t.vlan |= TOE_VLAN_STAG;
		*proto = tag->proto;
	}
	p->l3_off = toe_offset(c);
	return true;
}

/*
 * Is a packet of len bytes, from l3_off on, longer than the frame? Fragments of a multi-buffer
 * frame count.
 */
static __always_inline bool toe_beyond(struct xdp_md *ctx, const struct toe_cursor *c,
				       const struct toe_pkt *p, uint32_t len)
{
	if (len <= c->end - c->start - p->l3_off)
		return false;
	return len > bpf_xdp_get_buff_len(ctx) - p->l3_off;
}

/* TCP of `len` bytes as IP says. */
static __always_inline bool toe_parse_tcp(struct toe_cursor *c, struct toe_pkt *p, int32_t len)
{
	struct toe_cursor ports = *c;
	struct tcphdr *th;
	__be16 *port;
	int32_t doff;

	p->l4_off = toe_offset(c);
	port = toe_take(&ports, 4);
	if (!port)
		return false;
	p->t.rport = port[0];
	p->t.lport = port[1];
	th = toe_take(c, sizeof(*th));
	if (!th || len < (int32_t)sizeof(*th)) {
		toe_fault(p, TOE_CNT_drop_xdp_tcp_header);
		return true;
	}
	doff = th->doff * 4;
	if (doff < (int32_t)sizeof(*th) || doff > len)
		toe_fault(p, TOE_CNT_drop_xdp_tcp_header);
	p->tcp_flags = ((uint8_t *)th)[13];
	p->payload_off = p->l4_off + doff;
	p->payload_len = len - doff;
	return true;
}

/*
 * The packet quoted by an ICMP error was sent by us: its source is our side. payload_off and
 * payload_len are those of the quoted packet. Only the ports must be there (RFC 792 promises 8
 * bytes).
 */
static __always_inline bool toe_quoted_ports(struct toe_cursor *c, struct toe_pkt *p)
{
	__be16 *port = toe_take(c, 4);

	if (!port)
		return false;
	p->t.lport = port[0];
	p->t.rport = port[1];
	p->flags |= TOE_META_ICMP;
	return true;
}

static __always_inline void toe_v4_mapped(uint8_t *addr, __be32 v4)
{
	uint32_t *w = (uint32_t *)addr;

	w[0] = 0;
	w[1] = 0;
	w[2] = bpf_htonl(0xffff);
	w[3] = v4;
}

static __always_inline bool toe_is_v4_mapped(const uint8_t *addr)
{
	const uint32_t *w = (const uint32_t *)addr;

	return !w[0] && !w[1] && w[2] == bpf_htonl(0xffff);
}

/* Behind the IPv4 options; the header has at least 20 bytes. The mask is for the verifier. */
static __always_inline bool toe_skip_options(struct toe_cursor *c, const struct iphdr *ip)
{
	return toe_take(c, (ip->ihl * 4 - sizeof(*ip)) & 0x3f);
}

/*
 * RFC 1122 3.2.2: destination unreachable, time exceeded, parameter problem. The rest is the
 * kernel's.
 */
static __always_inline bool toe_parse_icmp4(struct toe_cursor *c, struct toe_pkt *p, int32_t len,
					    __be32 daddr)
{
	struct toe_icmp *icmp;
	struct iphdr *ip;

	p->l4_off = toe_offset(c);
	icmp = toe_take(c, sizeof(*icmp));
	if (!icmp || (icmp->type != TOE_ICMP_UNREACHABLE && icmp->type != TOE_ICMP_TIME_EXCEEDED &&
		      icmp->type != TOE_ICMP_PARAMETER))
		return false;
	p->payload_off = toe_offset(c);
	p->payload_len = len - (int32_t)sizeof(*icmp);
	ip = toe_take(c, sizeof(*ip));
	if (!ip || ip->version != 4 || ip->ihl < 5 || ip->protocol != IPPROTO_TCP)
		return false;
	if (ip->saddr != daddr || (ip->frag_off & bpf_htons(0x1fff)))
		return false;
	toe_v4_mapped(p->t.raddr, ip->daddr);
	return toe_skip_options(c, ip) && toe_quoted_ports(c, p);
}

/* RFC 791. With a bad version or length of the header, the ports are looked for behind 20 bytes. */
static __always_inline bool toe_parse_ipv4(struct xdp_md *ctx, struct toe_cursor *c,
					   struct toe_pkt *p)
{
	struct iphdr *ip = toe_take(c, sizeof(*ip));
	int32_t ihl, len;
	uint16_t frag;

	if (!ip)
		return false;
	ihl = ip->ihl * 4;
	len = bpf_ntohs(ip->tot_len);
	frag = bpf_ntohs(ip->frag_off);
	if (frag & 0x1fff)
		return false;
	if (ip->version != 4 || ihl < (int32_t)sizeof(*ip)) {
		toe_fault(p, TOE_CNT_drop_xdp_ip_header);
		ihl = sizeof(*ip);
	}
	if (len < ihl)
		toe_fault(p, TOE_CNT_drop_xdp_ip_header);
	if (toe_beyond(ctx, c, p, len))
		toe_fault(p, TOE_CNT_drop_xdp_ip_length);
	if (frag & 0x2000)
		toe_fault(p, TOE_CNT_drop_xdp_fragment);
	toe_v4_mapped(p->t.laddr, ip->daddr);
	toe_v4_mapped(p->t.raddr, ip->saddr);
	if (ihl > (int32_t)sizeof(*ip) && !toe_skip_options(c, ip))
		return false;
	if (ip->protocol == IPPROTO_TCP)
		return toe_parse_tcp(c, p, len - ihl);
	if (ip->protocol == IPPROTO_ICMP)
		return toe_parse_icmp4(c, p, len - ihl, ip->daddr);
	return false;
}

/*
 * Skip IPv6 extension headers from *next on (RFC 8200 4). False when the frame ends in them, when
 * there are too many, or in a later fragment. *next is the first header that is none.
 */
static __always_inline bool toe_skip_ext(struct toe_cursor *c, struct toe_pkt *p, uint8_t *next)
{
	struct toe_ip6_frag *frag;
	struct toe_ip6_ext *ext;

	for (int i = 0; i <= TOE_MAX_EXT_HEADERS; i++) {
		switch (*next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			ext = toe_take(c, sizeof(*ext));
			if (!ext || !toe_take(c, ext->len * 8))
				return false;
			if (*next == IPPROTO_ROUTING && ext->segments_left)
				return false; /* it leads on: the kernel forwards or refuses it */
			*next = ext->next;
			break;
		case IPPROTO_FRAGMENT:
			frag = toe_take(c, sizeof(*frag));
			if (!frag || (frag->off & bpf_htons(0xfff8)))
				return false;
			if (frag->off & bpf_htons(1))
				toe_fault(p, TOE_CNT_drop_xdp_fragment);
			*next = frag->next;
			break;
		default:
			return true;
		}
	}
	return false;
}

/* RFC 4443 3: types 1 to 4 (unreachable, packet too big, time exceeded, parameter problem). */
static __always_inline bool toe_parse_icmp6(struct toe_cursor *c, struct toe_pkt *p, int32_t len)
{
	struct toe_icmp *icmp;
	struct ipv6hdr *ip;
	uint64_t *mine, *quoted;

	p->l4_off = toe_offset(c);
	icmp = toe_take(c, sizeof(*icmp));
	if (!icmp || icmp->type < TOE_ICMP6_FIRST_ERROR || icmp->type > TOE_ICMP6_LAST_ERROR)
		return false;
	p->payload_off = toe_offset(c);
	p->payload_len = len - (int32_t)sizeof(*icmp);
	ip = toe_take(c, sizeof(*ip));
	if (!ip || ip->version != 6 || ip->nexthdr != IPPROTO_TCP)
		return false;
	mine = (uint64_t *)p->t.laddr;
	quoted = (uint64_t *)&ip->saddr;
	if (mine[0] != quoted[0] || mine[1] != quoted[1])
		return false;
	__builtin_memcpy(p->t.raddr, &ip->daddr, 16);
	return toe_quoted_ports(c, p);
}

/*
 * RFC 8200. Mapped IPv4 addresses never appear on a wire: they would be taken for those of an IPv4
 * flow.
 */
static __always_inline bool toe_parse_ipv6(struct xdp_md *ctx, struct toe_cursor *c,
					   struct toe_pkt *p)
{
	struct ipv6hdr *ip = toe_take(c, sizeof(*ip));
	int32_t len;
	uint8_t next;

	if (!ip)
		return false;
	len = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	if (ip->version != 6)
		toe_fault(p, TOE_CNT_drop_xdp_ip_header);
	if (toe_beyond(ctx, c, p, len))
		toe_fault(p, TOE_CNT_drop_xdp_ip_length);
	__builtin_memcpy(p->t.laddr, &ip->daddr, 16);
	__builtin_memcpy(p->t.raddr, &ip->saddr, 16);
	if (toe_is_v4_mapped(p->t.laddr) || toe_is_v4_mapped(p->t.raddr))
		return false;
	p->flags = TOE_META_IPV6;
	next = ip->nexthdr;
	if (!toe_skip_ext(c, p, &next))
		return false;
	len -= toe_offset(c) - p->l3_off;
	if (next == IPPROTO_TCP)
		return toe_parse_tcp(c, p, len);
	if (next == IPPROTO_ICMPV6)
		return toe_parse_icmp6(c, p, len);
	return false;
}

/* The whole frame. p is zeroed by the caller, who knows the device. */
static __always_inline bool toe_parse(struct xdp_md *ctx, struct toe_pkt *p)
{
	void *data = (void *)(long)ctx->data;
	struct toe_cursor c = { data, data, (void *)(long)ctx->data_end };
	__be16 proto;

	if (!toe_parse_eth(&c, p, &proto))
		return false;
	if (proto == bpf_htons(ETH_P_IP))
		return toe_parse_ipv4(ctx, &c, p);
	if (proto == bpf_htons(ETH_P_IPV6))
		return toe_parse_ipv6(ctx, &c, p);
	return false;
}

#endif
