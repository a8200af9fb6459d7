/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets in a script: "> P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1 ecr 2>". */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

static void parse_seq(struct packet_spec *p)
{
	uint32_t end;

	p->seq = (uint32_t)parse_number();
	parse_expect(":");
	end = (uint32_t)parse_number();
	parse_expect("(");
	p->len = (uint32_t)parse_number();
	parse_expect(")");
	if (end - p->seq != p->len)
		script_fail(parse_line(), "%u:%u are not %u bytes", p->seq, end, p->len);
}

static void parse_flags(struct packet_spec *p)
{
	static const char letters[] = "FSRP.UEW";
	const char *t = parse_rest();
	size_t n = strspn(t, letters);

	if (*t == '-') {
		parse_skip(1);
		return;
	}
	if (!n)
		parse_error("flags");
	for (size_t i = 0; i < n; i++)
		p->flags |= (uint8_t)(1u << (strchr(letters, t[i]) - letters));
	parse_skip(n);
}

static void parse_sack(struct opt *o)
{
	while (parse_is_number()) {
		if (o->n == MAX_SACK)
			script_fail(parse_line(), "too many SACK blocks");
		o->v[2 * o->n] = (uint32_t)parse_number();
		parse_expect(":");
		o->v[2 * o->n + 1] = (uint32_t)parse_number();
		o->n++;
	}
}

static void parse_cookie(struct opt *o)
{
	const char *t = parse_rest();
	size_t n = strspn(t, "0123456789abcdef");

	if (parse_accept("$")) {
		o->var = parse_word();
		return;
	}
	if (n % 2 || n > 2 * MAX_COOKIE)
		parse_error("a cookie of whole bytes");
	for (size_t i = 0; i < n; i += 2) {
		char byte[3] = { t[i], t[i + 1], 0 };

		o->cookie[o->n++] = (uint8_t)strtoul(byte, NULL, 16);
	}
	parse_skip(n);
}

static void parse_opt(struct opt *o)
{
	if (parse_accept("nop")) {
		o->kind = O_NOP;
	} else if (parse_accept("eol")) {
		o->kind = O_EOL;
	} else if (parse_accept("mss")) {
		o->kind = O_MSS;
		o->v[0] = (uint32_t)parse_number();
	} else if (parse_accept("wscale")) {
		o->kind = O_WSCALE;
		o->v[0] = (uint32_t)parse_number();
	} else if (parse_accept("sackOK")) {
		o->kind = O_SACKOK;
	} else if (parse_accept("sack")) {
		o->kind = O_SACK;
		parse_sack(o);
	} else if (parse_accept("TS")) {
		o->kind = O_TS;
		parse_expect("val");
		o->v[0] = (uint32_t)parse_number();
		parse_expect("ecr");
		o->v[1] = (uint32_t)parse_number();
	} else if (parse_accept("FO")) {
		o->kind = O_FO;
		parse_cookie(o);
	} else if (parse_accept("FOEXP")) {
		o->kind = O_FOEXP;
		parse_cookie(o);
	} else {
		parse_error("a TCP option");
	}
}

static void parse_opts(struct packet_spec *p)
{
	if (!parse_accept("<"))
		return;
	if (parse_accept("...")) {
		p->any_opts = true;
		parse_expect(">");
		return;
	}
	do {
		if (p->nopts == MAX_OPT)
			script_fail(parse_line(), "too many options");
		parse_opt(&p->opt[p->nopts++]);
	} while (parse_accept(","));
	parse_expect(">");
}

static void parse_icmp(struct packet_spec *p, bool v6)
{
	char *type = parse_word(), *code = NULL;

	if (!parse_is("mtu") && !parse_is("["))
		code = parse_word();
	if (!symbol_icmp(v6, type, code ? code : "", &p->type, &p->code))
		script_fail(parse_line(), "ICMP %s %s is not known here", type, code ? code : "");
	if (parse_accept("mtu"))
		p->mtu = (uint32_t)parse_number();
	parse_expect("[");
	parse_seq(p);
	parse_expect("]");
	p->icmp = true;
	free(type);
	free(code);
}

static void parse_ip(struct packet_spec *p)
{
	static const char *const ecn[] = { "noecn", "ect1", "ect0", "ce" };

	if (!parse_accept("[") && !parse_accept("("))
		return;
	for (int i = 0; i < 4; i++)
		if (parse_accept(ecn[i]))
			p->ecn = i;
	if (parse_accept("ttl"))
		p->ttl = (int)parse_number();
	if (parse_accept("tos"))
		p->tos = (int)parse_number();
	if (parse_accept("nodf"))
		p->nodf = true;
	if (!parse_accept("]") && !parse_accept(")"))
		parse_error("noecn, ect0, ect1, ce, ttl N, tos N or nodf");
}

void parse_packet(struct packet_spec *p, bool v6)
{
	p->ecn = p->ttl = p->tos = -1;
	p->win = -1;
	p->out = parse_accept(">");
	if (!p->out)
		parse_expect("<");
	parse_ip(p);
	if (parse_accept("icmp")) {
		parse_icmp(p, v6);
		return;
	}
	if (parse_is_number()) {
		p->sport = (uint16_t)parse_number();
		parse_expect(">");
		p->dport = (uint16_t)parse_number();
	}
	parse_flags(p);
	parse_seq(p);
	if (parse_accept("ack"))
		p->ack = (uint32_t)parse_number();
	if (parse_accept("win"))
		p->win = parse_number();
	if (parse_accept("urg"))
		p->urg = (uint16_t)parse_number();
	parse_opts(p);
}
