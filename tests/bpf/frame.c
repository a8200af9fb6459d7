/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

static uint8_t *put(struct frame *f, unsigned n)
{
	uint8_t *p = f->b + f->len;

	memset(p, 0, n);
	f->len += n;
	return p;
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned or_default(unsigned v, unsigned def)
{
	return v ? v : def;
}

static void put_eth(struct frame *f, const struct shape *s)
{
	unsigned type = or_default(s->ethertype, s->ip6 ? ETH_P_IPV6 : ETH_P_IP);
	uint8_t *p = put(f, 12);

	memcpy(p, "\x02\0\0\0\0\1\x02\0\0\0\0\2", 12);
	for (int i = 0; i < 2; i++)
		if (s->tpid[i]) {
			p = put(f, 4);
			put16(p, s->tpid[i]);
			put16(p + 2, s->tci[i]);
		}
	put16(put(f, 2), type);
}

static void put_addr(uint8_t *p, bool ip6, unsigned host)
{
	memcpy(p, ip6 ? "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0" : "\xc0\0\2", ip6 ? 15 : 3);
	p[ip6 ? 15 : 3] = (uint8_t)host;
}

static uint8_t *put_ip4(struct frame *f, unsigned options, unsigned proto, unsigned src,
			unsigned dst)
{
	uint8_t *p = put(f, 20);

	p[0] = (uint8_t)(0x40 | (20 + options) / 4);
	p[8] = 64;
	p[9] = (uint8_t)proto;
	put_addr(p + 12, false, src);
	put_addr(p + 16, false, dst);
	memset(put(f, options), 1, options); /* NOP */
	return p;
}

static uint8_t *put_ip6(struct frame *f, unsigned next, unsigned src, unsigned dst)
{
	uint8_t *p = put(f, 40);

	p[0] = 0x60;
	p[6] = (uint8_t)next;
	p[7] = 64;
	put_addr(p + 8, true, src);
	put_addr(p + 24, true, dst);
	return p;
}

static void put_exts(struct frame *f, const struct shape *s, unsigned proto)
{
	for (unsigned i = 0; i < s->exts; i++) {
		uint8_t *p = put(f, 8);

		p[0] = i + 1u < s->exts ? s->ext[i + 1] : (uint8_t)proto;
		if (s->ext[i] == EXT_FRAGMENT) {
			put16(p + 2, s->frag);
		} else if (s->ext[i] == EXT_DEST) { /* 16 bytes long, to see the length used */
			p[1] = 1;
			put(f, 8);
		}
	}
}

static void put_tcp(struct frame *f, const struct shape *s, unsigned sport, unsigned dport)
{
	uint8_t *p = put(f, 20u + s->tcp_options);

	put16(p, sport);
	put16(p + 2, dport);
	p[12] = (uint8_t)((20 + s->tcp_options) / 4 << 4);
	p[13] = (uint8_t)or_default(s->tcp_flags, TCP_ACK);
	memset(p + 20, 1, s->tcp_options);
}

/* ICMP header and the quotation: the IP header and 8 bytes of a segment that we sent. */
static void put_icmp(struct frame *f, const struct shape *s, unsigned local)
{
	unsigned src = or_default(s->quote_host, local);
	uint8_t *p = put(f, 8);

	p[0] = s->icmp_type;
	f->payload = f->len;
	if (s->ip6)
		put_ip6(f, IPPROTO_TCP, src, 2);
	else
		put_ip4(f, s->ip_options, IPPROTO_TCP, src, 2);
	p = put(f, 8);
	put16(p, or_default(s->lport, 80));
	put16(p + 2, or_default(s->rport, 40000));
	f->payload_len = f->len - f->payload;
}

static void put_l4(struct frame *f, const struct shape *s, unsigned local)
{
	f->l4 = f->len;
	if (s->icmp_error) {
		put_icmp(f, s, local);
		return;
	}
	put_tcp(f, s, or_default(s->rport, 40000), or_default(s->lport, 80));
	f->payload = f->len;
	f->payload_len = s->payload;
	memset(put(f, s->payload), 'x', s->payload);
}

void frame_build(struct frame *f, const struct shape *s)
{
	unsigned icmp = s->ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	unsigned proto = s->icmp_error ? icmp : or_default(s->proto, IPPROTO_TCP);
	unsigned local = or_default(s->local_host, 1);
	uint8_t *ip;

	f->len = 0;
	put_eth(f, s);
	f->l3 = f->len;
	if (s->ip6) {
		ip = put_ip6(f, s->exts ? s->ext[0] : proto, 2, local);
		put_exts(f, s, proto);
	} else {
		ip = put_ip4(f, s->icmp_error ? 0 : s->ip_options, proto, 2, local);
		put16(ip + 6, s->frag);
	}
	put_l4(f, s, local);
	put16(ip + (s->ip6 ? 4 : 2), f->len - f->l3 - (s->ip6 ? 40 : 0));
	memset(put(f, s->padding), 'p', s->padding);
	for (int i = 0; i < 2; i++)
		if (s->poke[i].from)
			f->b[(s->poke[i].from == POKE_L3 ? f->l3 : f->l4) + s->poke[i].off] =
			    s->poke[i].value;
}
