/* SPDX-License-Identifier: BSD-2-Clause */
/* Building packets, and what is known of connections. */
#include "wire.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

enum { IP4 = 20, IP6 = 40, TCP = 20, PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_ICMP6 = 58 };

static struct conn *conns;

static const uint8_t local4[4] = { 192, 168, 0, 1 }, remote4[4] = { 192, 0, 2, 1 };
static const uint8_t local6[16] = { 0xfd, 0x3d, 0x0a, 0x0b, 0x17, 0xd6, [15] = 1 };
static const uint8_t remote6[16] = { 0xfd, 0x3d, 0xfa, 0x7b, 0xd1, 0x7d, [15] = 1 };

const uint8_t *wire_local(bool v6)
{
	return v6 ? local6 : local4;
}

const uint8_t *wire_remote(bool v6)
{
	return v6 ? remote6 : remote4;
}

uint8_t wire_byte(bool local, uint64_t pos)
{
	return (uint8_t)((pos * 2654435761u >> 16) + pos + local);
}

struct conn *wire_conn(uint16_t sport, uint16_t dport)
{
	struct conn *c = conns;

	while (c && (c->sport != sport || c->dport != dport))
		c = c->next;
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	c->sport = sport;
	c->dport = dport;
	c->next = conns;
	conns = c;
	return c;
}

/* Packets without ports are of the connection that was begun last. */
struct conn *wire_conn_of(const struct packet_spec *p)
{
	if (p->sport)
		return p->out ? wire_conn(p->dport, p->sport) : wire_conn(p->sport, p->dport);
	return conns && (conns->active || !(p->flags & TH_S) || p->flags & TH_A)
		   ? conns
		   : wire_conn(REMOTE_PORT, LOCAL_PORT);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t sum(uint32_t acc, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		acc += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (n & 1)
		acc += (uint32_t)p[n - 1] << 8;
	return acc;
}

static uint16_t fold(uint32_t acc)
{
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return (uint16_t)~acc;
}

/* Over the pseudo-header of `ip` as well. */
uint16_t wire_checksum(const uint8_t *ip, uint8_t proto, const uint8_t *p, size_t n)
{
	uint32_t acc = proto + (uint32_t)n;

	if (*ip >> 4 == 6)
		acc = sum(acc, ip + 8, 32);
	else
		acc = sum(acc, ip + 12, 8);
	return fold(sum(acc, p, n));
}

/* Returns the length of the header. */
static size_t put_ip(const struct script *s, uint8_t *ip, bool to_us, uint8_t proto, size_t n,
		     unsigned ecn, unsigned ttl)
{
	bool v6 = s->family == F_V6;
	const uint8_t *src = to_us ? wire_remote(v6) : wire_local(v6);
	const uint8_t *dst = to_us ? wire_local(v6) : wire_remote(v6);

	if (v6) {
		memset(ip, 0, IP6);
		ip[0] = 0x60;
		ip[1] = (uint8_t)(ecn << 4);
		put16(ip + 4, (uint32_t)n);
		ip[6] = proto;
		ip[7] = (uint8_t)ttl;
		memcpy(ip + 8, src, 16);
		memcpy(ip + 24, dst, 16);
		return IP6;
	}
	memset(ip, 0, IP4);
	ip[0] = 0x45;
	ip[1] = (uint8_t)ecn;
	put16(ip + 2, (uint32_t)(IP4 + n));
	ip[6] = 0x40;
	ip[8] = (uint8_t)ttl;
	ip[9] = proto;
	memcpy(ip + 12, src, 4);
	memcpy(ip + 16, dst, 4);
	put16(ip + 10, fold(sum(0, ip, IP4)));
	return IP4;
}

/* A cookie that a packet of ours has shown. */
static struct {
	char *name;
	uint8_t n, b[MAX_COOKIE];
} cookie[8];

void wire_learn_cookie(const char *name, const uint8_t *b, uint8_t n)
{
	unsigned i = 0;

	while (cookie[i].name && strcmp(cookie[i].name, name))
		i++;
	cookie[i].name = strdup(name);
	cookie[i].n = n;
	memcpy(cookie[i].b, b, n);
}

static size_t put_cookie(const struct opt *o, uint8_t *p)
{
	const unsigned head = o->kind == O_FOEXP ? 4 : 2;
	const uint8_t *b = o->cookie;
	uint8_t n = o->n;

	for (unsigned i = 0; o->var && cookie[i].name; i++) {
		if (!strcmp(cookie[i].name, o->var)) {
			b = cookie[i].b;
			n = cookie[i].n;
		}
	}
	if (o->kind == O_FOEXP)
		put16(p + 2, EXID_FO);
	memcpy(p + head, b, n);
	return head + n;
}

static size_t put_opt(const struct conn *c, const struct opt *o, uint8_t *p)
{
	size_t n = 2;

	p[0] = o->kind;
	switch (o->kind) {
	case O_EOL:
	case O_NOP:
		return 1;
	case O_MSS:
		put16(p + 2, o->v[0]);
		n = 4;
		break;
	case O_WSCALE:
		p[2] = (uint8_t)o->v[0];
		n = 3;
		break;
	case O_TS:
		put32(p + 2, o->v[0]);
		put32(p + 6, o->v[1] && c->has_ts ? o->v[1] + c->ts : o->v[1]);
		n = 10;
		break;
	case O_SACK:
		for (unsigned i = 0; i < 2u * o->n; i++)
			put32(p + 2 + 4 * i, o->v[i] + c->isn);
		n = 2 + 8u * o->n;
		break;
	case O_FO:
	case O_FOEXP:
		n = put_cookie(o, p);
		break;
	}
	p[1] = (uint8_t)n;
	return n;
}

static size_t build_tcp(const struct script *s, const struct packet_spec *p, uint8_t *ip)
{
	size_t hdr = s->family == F_V6 ? IP6 : IP4, n = TCP;
	uint8_t *t = ip + hdr;
	struct conn *c = wire_conn_of(p);

	if (p->flags & TH_S) {
		c->has_remote = true;
		c->remote = p->seq;
		if (!(p->flags & TH_A) && !c->active)
			c->has_isn = c->has_ts = false; /* a new life of the connection */
	}
	memset(t, 0, TCP + MAX_OPT);
	put16(t, c->sport);
	put16(t + 2, c->dport);
	put32(t + 4, p->seq);
	put32(t + 8, p->flags & TH_A ? p->ack + c->isn : p->ack);
	t[13] = p->flags;
	put16(t + 14, p->win < 0 ? 65535 : (uint32_t)p->win);
	put16(t + 18, p->urg);
	for (unsigned i = 0; i < p->nopts; i++)
		n += put_opt(c, &p->opt[i], t + n);
	n = (n + 3) & ~(size_t)3;
	if (n > TCP + MAX_OPT)
		script_fail(0, "more than 40 bytes of options");
	t[12] = (uint8_t)(n / 4 << 4);
	for (uint32_t i = 0; i < p->len; i++)
		t[n + i] =
		    wire_byte(false, (uint32_t)(p->seq + i + !!(p->flags & TH_S) - c->remote - 1));
	n += p->len;
	put_ip(s, ip, true, PROTO_TCP, n, p->ecn < 0 ? 0 : (unsigned)p->ecn,
	       p->ttl < 0 ? 255 : (unsigned)p->ttl);
	put16(t + 16, wire_checksum(ip, PROTO_TCP, t, n));
	return hdr + n;
}

/* An error about a segment of ours: its headers follow, without its payload. */
static size_t build_icmp(const struct script *s, const struct packet_spec *p, uint8_t *ip)
{
	bool v6 = s->family == F_V6;
	size_t hdr = v6 ? IP6 : IP4, inner;
	uint8_t *m = ip + hdr, *t;
	struct conn *c = wire_conn_of(p);

	memset(m, 0, 8);
	m[0] = p->type;
	m[1] = p->code;
	put32(m + 4, p->mtu);
	inner = put_ip(s, m + 8, false, PROTO_TCP, TCP + p->len, 0, 64);
	t = m + 8 + inner;
	memset(t, 0, TCP);
	put16(t, c->dport);
	put16(t + 2, c->sport);
	put32(t + 4, p->seq + c->isn);
	t[12] = TCP / 4 << 4;
	t[13] = TH_A;
	inner += 8 + TCP;
	put_ip(s, ip, true, v6 ? PROTO_ICMP6 : PROTO_ICMP, inner, 0, 255);
	put16(m + 2, v6 ? wire_checksum(ip, PROTO_ICMP6, m, inner) : fold(sum(0, m, inner)));
	return hdr + inner;
}

size_t wire_build(const struct script *s, const struct packet_spec *p, uint8_t *buf)
{
	return p->icmp ? build_icmp(s, p, buf) : build_tcp(s, p, buf);
}
