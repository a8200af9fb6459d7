/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of a script: options, then events; calls and checks. Packets: parse_packet.c. */
#define _GNU_SOURCE
#include "parse.h"

#include "abi/ctrl.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	const char *path;
	char *text, *p;
	struct script *script;
} in;

void script_fail(int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", in.path, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1); /* libtoe would wait for what was sent to be acknowledged */
}

int parse_line(void)
{
	int n = 1;

	for (const char *c = in.text; c < in.p; c++)
		n += *c == '\n';
	return n;
}

void parse_error(const char *what)
{
	int n = (int)strcspn(in.p, "\n");

	script_fail(parse_line(), "%s expected, not '%.*s'", what, n > 30 ? 30 : n, in.p);
}

static void skip(void)
{
	for (;;) {
		in.p += strspn(in.p, " \t\r\n");
		if (!strncmp(in.p, "//", 2)) {
			in.p += strcspn(in.p, "\n");
		} else if (!strncmp(in.p, "/*", 2)) {
			in.p = strstr(in.p, "*/");
			in.p = in.p ? in.p + 2 : in.text + strlen(in.text);
		} else {
			return;
		}
	}
}

const char *parse_rest(void)
{
	skip();
	return in.p;
}

void parse_skip(size_t n)
{
	in.p += n;
}

bool parse_is(const char *token)
{
	skip();
	return !strncmp(in.p, token, strlen(token));
}

bool parse_accept(const char *token)
{
	if (!parse_is(token))
		return false;
	if (isalpha((unsigned char)token[0])) {
		unsigned char after = (unsigned char)in.p[strlen(token)];

		if (isalnum(after) || after == '_')
			return false;
	}
	in.p += strlen(token);
	return true;
}

void parse_expect(const char *token)
{
	if (!parse_accept(token)) {
		char what[64];

		snprintf(what, sizeof(what), "'%s'", token);
		parse_error(what);
	}
}

char *parse_word(void)
{
	size_t n = 0;

	skip();
	while (isalnum((unsigned char)in.p[n]) || in.p[n] == '_')
		n++;
	if (!n || isdigit((unsigned char)in.p[0]))
		parse_error("a name");
	in.p += n;
	return strndup(in.p - n, n);
}

bool parse_is_number(void)
{
	skip();
	return isdigit((unsigned char)*in.p) || (*in.p == '-' && isdigit((unsigned char)in.p[1]));
}

int64_t parse_number(void)
{
	char *end;
	int64_t v;

	if (!parse_is_number())
		parse_error("a number");
	v = strtoll(in.p, &end, 0);
	in.p = end;
	return v;
}

/* Seconds, with a fraction or without. */
static uint64_t parse_time(void)
{
	char *end, text[32];
	size_t n;
	double v;

	skip();
	/* "0...0.2": the dots are not the number's. */
	n = strspn(in.p, "0123456789");
	if (in.p[n] == '.' && in.p[n + 1] != '.')
		n += 1 + strspn(in.p + n + 1, "0123456789");
	snprintf(text, sizeof(text), "%.*s", (int)n, in.p);
	v = strtod(text, &end);
	if (end == text)
		parse_error("a time");
	in.p += n;
	return (uint64_t)(v * 1e6 + 0.5);
}

static struct expr *new_expr(enum expr_kind kind)
{
	struct expr *x = calloc(1, sizeof(*x));

	x->kind = kind;
	return x;
}

static struct expr *parse_expr(void);

static struct expr *parse_list(const char *close, bool keys)
{
	struct expr *first = NULL, **last = &first;

	while (!parse_accept(close)) {
		char *key = NULL;

		if (keys && isalpha((unsigned char)*parse_rest())) {
			char *before = in.p;

			key = parse_word();
			if (!parse_accept("=")) {
				in.p = before;
				key = NULL;
			}
		}
		*last = parse_expr();
		(*last)->key = key;
		last = &(*last)->next;
		if (!parse_is(close))
			parse_expect(",");
	}
	return first;
}

static struct expr *parse_string(void)
{
	struct expr *x = new_expr(X_STRING);
	size_t n;

	parse_expect("\"");
	n = strcspn(in.p, "\"\n");
	x->str = strndup(in.p, n);
	in.p += n;
	parse_expect("\"");
	return x;
}

static int64_t parse_symbol(void)
{
	char *name = parse_word();
	int64_t v;

	if (!strcmp(name, "htons") || !strcmp(name, "inet_addr")) {
		parse_error("a plain value"); /* those belong into an address: call.c */
	}
	if (!symbol_value(name, &v))
		script_fail(parse_line(), "'%s' is not a name that is known here", name);
	free(name);
	return v;
}

static struct expr *parse_simple(void)
{
	struct expr *x;

	if (parse_accept("..."))
		return new_expr(X_ANY);
	if (parse_is("\""))
		return parse_string();
	if (parse_accept("[")) {
		x = new_expr(X_LIST);
		x->child = parse_list("]", false);
		return x;
	}
	if (parse_accept("{")) {
		x = new_expr(X_STRUCT);
		x->child = parse_list("}", true);
		return x;
	}
	if (parse_accept("htons(") || parse_accept("inet_addr(")) {
		x = parse_expr();
		parse_expect(")");
		return x;
	}
	x = new_expr(X_INT);
	x->num = parse_is_number() ? parse_number() : parse_symbol();
	return x;
}

static struct expr *parse_expr(void)
{
	struct expr *x = parse_simple();

	while (x->kind == X_INT && parse_accept("|"))
		x->num |= parse_simple()->num;
	return x;
}

static void parse_call(struct event *e)
{
	e->kind = EV_CALL;
	e->call.name = parse_word();
	parse_expect("(");
	e->call.arg = parse_list(")", false);
	parse_expect("=");
	e->call.result = parse_expr();
	if (e->call.result->kind == X_INT && e->call.result->num == -1) {
		char *name = parse_word();

		e->call.err = symbol_errno_of(name);
		if (!e->call.err)
			script_fail(parse_line(), "'%s' is no error", name);
		free(name);
	}
	if (parse_accept("(")) /* the error in words */
		in.p = strchr(in.p, ')') ? strchr(in.p, ')') + 1 : in.p;
}

static void parse_check(struct event *e)
{
	struct check **last = &e->check;

	e->kind = EV_CHECK;
	while (!parse_accept("}%")) {
		parse_expect("assert");
		do {
			struct check *c = *last = calloc(1, sizeof(*c));
			size_t n;

			last = &c->next;
			c->field = parse_word();
			n = strspn(parse_rest(), "=!<>");
			if (!n || n > 2)
				parse_error("a comparison");
			memcpy(c->op, in.p, n);
			in.p += n;
			c->value = parse_expr();
		} while (parse_accept("and"));
		if (parse_accept(",")) /* what Python would print */
			in.p += strcspn(in.p, "\n;}");
		parse_accept(";");
	}
}

static void parse_when(struct event *e)
{
	if (parse_accept("*")) {
		e->time = T_ANY;
		return;
	}
	e->time = parse_accept("+") ? T_RELATIVE : T_ABSOLUTE;
	e->at = parse_time();
	if (parse_accept("~")) {
		parse_accept("+");
		e->range = true;
		e->until = parse_time();
	}
	if (parse_accept("...")) {
		parse_accept("+");
		e->call.blocks = true;
		e->call.end = parse_time();
	}
}

static struct event *parse_event(void)
{
	struct event *e = calloc(1, sizeof(*e));

	skip();
	e->line = parse_line();
	parse_when(e);
	if (parse_is("<") || parse_is(">")) {
		e->kind = EV_PACKET;
		parse_packet(&e->pkt, in.script->family == F_V6);
	} else if (parse_accept("%{")) {
		parse_check(e);
	} else {
		parse_call(e);
	}
	return e;
}

static void parse_option(struct script *s)
{
	char name[32], value[64] = "";
	size_t n = strcspn(in.p, "= \t\n");

	snprintf(name, sizeof(name), "%.*s", (int)n, in.p);
	in.p += n;
	if (*in.p == '=') {
		n = strcspn(in.p + 1, " \t\n");
		snprintf(value, sizeof(value), "%.*s", (int)n, in.p + 1);
		in.p += 1 + n;
	}
	if (!strcmp(name, "--tolerance_usecs")) {
		s->tolerance = strtoul(value, NULL, 0);
	} else if (!strcmp(name, "--ip_version")) {
		s->family = !strcmp(value, "ipv6")   ? F_V6
			    : !strcmp(value, "ipv4") ? F_V4
						     : F_MAPPED;
	} else if (!strcmp(name, "--mtu")) {
		s->mtu = (unsigned)strtoul(value, NULL, 0);
	} else if (!strcmp(name, "--flows")) {
		s->nflows = (unsigned)strtoul(value, NULL, 0);
	} else if (!strcmp(name, "--ecn")) {
		s->ecn = !strcmp(value, "on") ? TOE_ECN_ON : TOE_ECN_OFF;
	} else if (!strcmp(name, "--timestamps")) {
		s->no_ts = !strcmp(value, "off");
	} else if (!strcmp(name, "--local_isn")) {
		s->has_isn = true;
		s->isn = (uint32_t)strtoul(value, NULL, 0);
	} else if (!strcmp(name, "--any_payload")) {
		s->payload_any = true;
	} else {
		script_fail(parse_line(), "option %s is not known here", name);
	}
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t n = 0;

	if (!f || getdelim(&text, &n, 0, f) < 0) {
		perror(path);
		exit(2);
	}
	fclose(f);
	return text;
}

struct script *script_load(const char *path)
{
	struct script *s = calloc(1, sizeof(*s));
	struct event **last = &s->first;

	s->path = in.path = path;
	s->tolerance = 4000;
	s->mtu = 1500;
	s->ecn = TOE_ECN_PASSIVE;
	in.script = s;
	in.p = in.text = slurp(path);
	while (parse_is("--"))
		parse_option(s);
	for (skip(); *in.p; skip()) {
		*last = parse_event();
		last = &(*last)->next;
	}
	if (!s->first)
		script_fail(1, "nothing to do");
	return s;
}
