/* SPDX-License-Identifier: BSD-2-Clause */
/* A script, parsed: events in the order of the text. README.md describes the language. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

enum { MAX_SACK = 4, MAX_COOKIE = 16, MAX_OPT = 40 };

/* An argument or result of a call. */
enum expr_kind {
	X_ANY, /* ... */
	X_INT,
	X_STRING,
	X_LIST, /* [a, b] */
	X_STRUCT, /* {a = b, ...} or {a, b} */
};

struct expr {
	enum expr_kind kind;
	int64_t num;
	char *str;
	char *key; /* in a struct: what stands before '=' */
	struct expr *child; /* of a list or a struct */
	struct expr *next; /* in the same list */
};

struct call {
	char *name;
	struct expr *arg;
	struct expr *result;
	int err; /* errno that goes with -1 */
	bool blocks; /* the time of its return was given */
	uint64_t end; /* that time, from the event's base */
};

enum tcp_flag {
	TH_F = 0x01,
	TH_S = 0x02,
	TH_R = 0x04,
	TH_P = 0x08,
	TH_A = 0x10,
	TH_U = 0x20,
	TH_E = 0x40,
	TH_W = 0x80,
};

enum opt_kind {
	O_EOL = 0,
	O_NOP,
	O_MSS,
	O_WSCALE,
	O_SACKOK,
	O_SACK,
	O_TS = 8,
	O_FO = 34,
	O_FOEXP = 254, /* with the number that Fast Open had as an experiment (RFC 6994) */
};

enum { EXID_FO = 0xf989 };

struct opt {
	uint8_t kind;
	uint8_t n; /* SACK blocks; bytes of a cookie */
	uint32_t v[2 * MAX_SACK]; /* MSS; shift; TS val, ecr; SACK blocks */
	uint8_t cookie[MAX_COOKIE];
	char *var; /* FO $var: a cookie that is learnt, or used again */
};

struct packet_spec {
	bool out;
	bool icmp;
	int ecn; /* ECN field, or -1: outgoing any, incoming 0 */
	int ttl; /* -1: any */
	int tos; /* IPv4's, or IPv6's traffic class, but for ECN's bits; -1: any */
	bool nodf; /* IPv4, outgoing: routers may fragment it */
	uint16_t sport, dport; /* 0: the usual */
	uint8_t flags;
	uint32_t seq, len, ack;
	int64_t win; /* -1: any */
	uint16_t urg;
	bool any_opts; /* <...> */
	unsigned nopts;
	struct opt opt[MAX_OPT];
	/* ICMP: about the segment seq, len */
	uint8_t type, code;
	uint32_t mtu;
};

/* %{ assert tcpi_x == 1 and ... }% */
struct check {
	char *field;
	char op[3];
	struct expr *value;
	struct check *next;
};

enum event_kind { EV_CALL, EV_PACKET, EV_CHECK };
enum time_kind { T_ABSOLUTE, T_RELATIVE, T_ANY };

struct event {
	enum event_kind kind;
	int line;
	enum time_kind time;
	bool range;
	uint64_t at, until; /* us; until: with range */
	struct call call;
	struct packet_spec pkt;
	struct check *check;
	struct event *next;
};

enum family { F_V4, F_V6, F_MAPPED };

struct script {
	const char *path;
	uint64_t tolerance; /* us */
	enum family family;
	unsigned mtu;
	unsigned nflows;
	uint8_t ecn; /* enum toe_ecn_policy */
	bool no_ts; /* the engine is without timestamps */
	bool payload_any; /* do not look at payload */
	bool has_isn;
	uint32_t isn; /* of the first connection */
	struct event *first;
};

/* Parse or exit with a message. */
struct script *script_load(const char *path);

/* "path:line: message" to stderr, then exit. */
void script_fail(int line, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

/* The value of a name in C's headers; false: unknown. `af6`: ICMP names are ICMPv6's. */
bool symbol_value(const char *name, int64_t *v);
const char *symbol_errno(int err);
int symbol_errno_of(const char *name); /* 0: unknown */
bool symbol_icmp(bool v6, const char *type, const char *code, uint8_t *t, uint8_t *c);

#endif
