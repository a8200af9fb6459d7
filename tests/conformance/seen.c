/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of the stack: taken apart, compared with what the script expects, shown. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static bool see_opt(const uint8_t *p, unsigned n, struct opt *o)
{
	*o = (struct opt){ .kind = p[0] };
	switch (p[0]) {
	case O_MSS:
		o->v[0] = get16(p + 2);
		return n == 4;
	case O_WSCALE:
		o->v[0] = p[2];
		return n == 3;
	case O_TS:
		o->v[0] = get32(p + 2);
		o->v[1] = get32(p + 6);
		return n == 10;
	case O_SACK:
		o->n = (uint8_t)((n - 2) / 8);
		for (unsigned i = 0; i < 2u * o->n; i++)
			o->v[i] = get32(p + 2 + 4 * i);
		return o->n && o->n <= MAX_SACK && n % 8 == 2;
	case O_FO:
		o->n = (uint8_t)(n - 2);
		memcpy(o->cookie, p + 2, o->n);
		return o->n <= MAX_COOKIE;
	case O_FOEXP:
		if (n < 4 || n - 4 > MAX_COOKIE || get16(p + 2) != EXID_FO)
			return false;
		o->n = (uint8_t)(n - 4);
		memcpy(o->cookie, p + 4, o->n);
		return true;
	default:
		return p[0] == O_SACKOK && n == 2;
	}
}

static bool see_opts(const uint8_t *p, unsigned n, struct seen *k)
{
	for (unsigned i = 0; i < n;) {
		unsigned len = 1;

		if (p[i] <= O_NOP) {
			k->opt[k->nopts++] = (struct opt){ .kind = p[i] };
		} else {
			len = i + 1 < n ? p[i + 1] : 0;
			if (len < 2 || i + len > n || !see_opt(p + i, len, &k->opt[k->nopts++]))
				return false;
		}
		i += len;
	}
	return true;
}

/* NULL, or what is malformed. */
static const char *see(const struct script *s, const uint8_t *ip, size_t len, struct seen *k)
{
	bool v6 = *ip >> 4 == 6;
	size_t hdr = v6 ? 40 : 20;
	const uint8_t *t = ip + hdr;
	size_t off;

	memset(k, 0, sizeof(*k));
	if (v6 != (s->family == F_V6) || len < hdr + 20)
		return "not a packet of this IP version";
	if (len != (v6 ? get16(ip + 4) + hdr : get16(ip + 2)))
		return "IP length";
	if (ip[v6 ? 6 : 9] != 6)
		return "not TCP";
	if (memcmp(ip + (v6 ? 8 : 12), wire_local(v6), v6 ? 16 : 4) ||
	    memcmp(ip + (v6 ? 24 : 16), wire_remote(v6), v6 ? 16 : 4))
		return "addresses";
	if (wire_checksum(ip, 6, t, len - hdr))
		return "TCP checksum";
	k->ecn = v6 ? ip[1] >> 4 & 3 : ip[1] & 3;
	k->tos = (v6 ? get16(ip) >> 4 : ip[1]) & 0xfc;
	k->ttl = ip[v6 ? 7 : 8];
	k->nodf = !v6 && !(ip[6] & 0x40);
	k->sport = get16(t);
	k->dport = get16(t + 2);
	k->seq = get32(t + 4);
	k->ack = get32(t + 8);
	off = (size_t)(t[12] >> 4) * 4;
	k->flags = t[13];
	k->win = get16(t + 14);
	k->urg = get16(t + 18);
	k->payload = t + off;
	if (off < 20 || hdr + off > len)
		return "data offset";
	k->len = (uint32_t)(len - hdr - off);
	return see_opts(t + 20, (unsigned)off - 20, k) ? NULL : "malformed options";
}

/* Text */

static char text[1024];
static size_t ntext;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (ntext < sizeof(text))
		ntext += (size_t)vsnprintf(text + ntext, sizeof(text) - ntext, fmt, ap);
	va_end(ap);
}

static void say_opt(const struct opt *o)
{
	switch (o->kind) {
	case O_EOL:
		say("eol");
		break;
	case O_NOP:
		say("nop");
		break;
	case O_MSS:
		say("mss %u", o->v[0]);
		break;
	case O_WSCALE:
		say("wscale %u", o->v[0]);
		break;
	case O_SACKOK:
		say("sackOK");
		break;
	case O_TS:
		say("TS val %u ecr %u", o->v[0], o->v[1]);
		break;
	case O_SACK:
		say("sack");
		for (unsigned i = 0; i < o->n; i++)
			say(" %u:%u", o->v[2 * i], o->v[2 * i + 1]);
		break;
	case O_FO:
	case O_FOEXP:
		say(o->kind == O_FO ? "FO " : "FOEXP ");
		if (o->var)
			say("$%s", o->var);
		for (unsigned i = 0; i < o->n; i++)
			say("%02x", o->cookie[i]);
		break;
	}
}

static void say_opts(const struct opt *o, unsigned n)
{
	if (!n)
		return;
	say(" <");
	for (unsigned i = 0; i < n; i++) {
		say("%s", i ? "," : "");
		say_opt(&o[i]);
	}
	say(">");
}

static void say_flags(uint8_t flags)
{
	for (int i = 0; i < 8; i++) {
		static const char order[] = "SFRPUEW.";
		static const uint8_t bit[] = { TH_S, TH_F, TH_R, TH_P, TH_U, TH_E, TH_W, TH_A };

		if (flags & bit[i])
			say("%c", order[i]);
	}
	if (!flags)
		say("-");
}

static const char *const ecn_names[] = { "noecn", "ect1", "ect0", "ce" };

/* Our numbers as the script counts them. */
static void to_script(const struct conn *c, struct seen *k)
{
	if (c->has_isn)
		k->seq -= c->isn;
	for (unsigned i = 0; i < k->nopts; i++)
		if (k->opt[i].kind == O_TS && c->has_ts)
			k->opt[i].v[0] -= c->ts;
}

const char *wire_text(const struct script *s, const uint8_t *buf, size_t len)
{
	struct seen k;
	const char *bad = see(s, buf, len, &k);

	ntext = 0;
	if (bad) {
		say("%zu bytes: %s", len, bad);
		return text;
	}
	to_script(wire_conn(k.dport, k.sport), &k);
	say("> ");
	if (k.ecn)
		say("[%s] ", ecn_names[k.ecn]);
	if (k.nodf)
		say("[nodf] ");
	if (k.sport != LOCAL_PORT || k.dport != REMOTE_PORT)
		say("%u > %u ", k.sport, k.dport);
	say_flags(k.flags);
	say(" %u:%u(%u)", k.seq, k.seq + k.len, k.len);
	if (k.flags & TH_A)
		say(" ack %u", k.ack);
	say(" win %u", k.win);
	if (k.urg)
		say(" urg %u", k.urg);
	say_opts(k.opt, k.nopts);
	return text;
}

const char *wire_spec_text(const struct packet_spec *p)
{
	ntext = 0;
	say("%s ", p->out ? ">" : "<");
	if (p->ecn >= 0)
		say("[%s] ", ecn_names[p->ecn]);
	if (p->nodf)
		say("[nodf] ");
	if (p->sport)
		say("%u > %u ", p->sport, p->dport);
	say_flags(p->flags);
	say(" %u:%u(%u)", p->seq, p->seq + p->len, p->len);
	if (p->flags & TH_A)
		say(" ack %u", p->ack);
	if (p->win >= 0)
		say(" win %lld", (long long)p->win);
	if (p->urg)
		say(" urg %u", p->urg);
	if (p->any_opts)
		say(" <...>");
	say_opts(p->opt, p->nopts);
	return text;
}

/* Comparison */

/* Milliseconds of a timestamp may be off by what packets may be. */
static bool same_ts(const struct script *s, struct conn *c, const struct opt *want,
		    const struct opt *got)
{
	uint32_t ms = (uint32_t)(s->tolerance / 1000), diff;

	if (!c->has_ts) {
		c->ts = got->v[0] - want->v[0];
		c->has_ts = true;
	}
	diff = got->v[0] - c->ts - want->v[0];
	return (diff <= ms || -diff <= ms) && got->v[1] == want->v[1];
}

static bool same_opt(const struct script *s, struct conn *c, const struct opt *want,
		     const struct opt *got)
{
	if (want->kind != got->kind)
		return false;
	if (want->kind == O_TS)
		return same_ts(s, c, want, got);
	if ((want->kind == O_FO || want->kind == O_FOEXP) && want->var) {
		wire_learn_cookie(want->var, got->cookie, got->n);
		return got->n > 0;
	}
	return want->n == got->n && !memcmp(want->v, got->v, sizeof(want->v)) &&
	       !memcmp(want->cookie, got->cookie, sizeof(want->cookie));
}

static const char *compare_opts(const struct script *s, struct conn *c, const struct packet_spec *p,
				const struct seen *k)
{
	if (p->any_opts)
		return NULL;
	if (p->nopts != k->nopts)
		return "number of options";
	for (unsigned i = 0; i < p->nopts; i++)
		if (!same_opt(s, c, &p->opt[i], &k->opt[i]))
			return "options";
	return NULL;
}

static const char *compare_payload(const struct script *s, const struct conn *c,
				   const struct seen *k)
{
	uint32_t at = k->seq - c->isn - 1 + !!(k->flags & TH_S);

	for (uint32_t i = 0; !s->payload_any && i < k->len; i++)
		if (k->payload[i] != wire_byte(true, (uint32_t)(at + i)))
			return "payload";
	return NULL;
}

const char *wire_compare(const struct script *s, const struct packet_spec *p, const uint8_t *buf,
			 size_t len)
{
	struct seen k;
	const char *bad = see(s, buf, len, &k);
	struct conn *c;
	bool active_syn;

	if (bad)
		return bad;
	if (p->flags != k.flags)
		return "flags";
	active_syn = (k.flags & (TH_S | TH_A)) == TH_S;
	c = wire_conn(k.dport, k.sport);
	if (p->sport ? p->sport != k.sport || p->dport != k.dport
		     : !active_syn && c != wire_conn_of(p))
		return "ports";
	if (k.flags & TH_S && !c->has_isn) {
		c->active = !(k.flags & TH_A);
		c->isn = k.seq - p->seq;
		c->has_isn = true;
	}
	if (k.seq - c->isn != p->seq)
		return "sequence number";
	if (k.len != p->len)
		return "length";
	if (k.ack != p->ack)
		return "acknowledgement number";
	if (p->win >= 0 && k.win != p->win)
		return "window";
	if (k.urg != p->urg)
		return "urgent pointer";
	if (p->ecn >= 0 && k.ecn != p->ecn)
		return "ECN field";
	if (p->ttl >= 0 && k.ttl != p->ttl)
		return "TTL";
	if (p->tos >= 0 && k.tos != p->tos)
		return "TOS";
	if (k.nodf != p->nodf)
		return "DF";
	bad = compare_opts(s, c, p, &k);
	return bad ? bad : compare_payload(s, c, &k);
}
