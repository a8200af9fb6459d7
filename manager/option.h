/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A row of the tables of socket options: what a TOE connection makes of an option, or a socket that
 * may become one. Each level has its table (opt_socket.c, opt_tcp.c, opt_ip.c).
 */
#ifndef TM_OPTION_H
#define TM_OPTION_H

#include "ctx.h"

enum tm_opt_type {
	O_INT,
	O_BYTE, /* int, or a byte */
	O_BUF, /* int: a buffer's size, which Linux doubles when it is set */
	O_TIMEVAL,
	O_LINGER,
	O_FIELD, /* int, a field of tm_opts.so */
	O_CC, /* the name of a congestion control */
	O_RAW, /* bytes */
};

enum { TM_OPT_RAW = TOE_FO_KEYS * TOE_FO_KEY }; /* bytes of the longest that can be set */

struct tm_opt {
	int name;
	enum tm_opt_type type;
	/* New value (int, microseconds, enum toe_cc_id); 0 or -errno. NULL: cannot be set. */
	int (*set)(struct tm_sock *s, int64_t v);
	int64_t (*get)(struct tm_sock *s);
	/* The same for O_RAW; `len` in: room, out: what was written, as getsockopt(2). */
	int (*set_raw)(struct tm_sock *s, const void *value, socklen_t len);
	int (*get_raw)(struct tm_sock *s, void *value, socklen_t *len);
	/* Or a field of opt.so: where it is, what it may be, and what 0 there stands for. */
	struct {
		uint8_t option; /* enum toe_option */
		uint8_t size, at;
		int least, most, none;
	} field;
};

#define TM_FIELD(name) \
	sizeof(((struct toe_sock_opts *)0)->name), offsetof(struct toe_sock_opts, name)

struct tm_opt_level {
	int level;
	unsigned n;
	const struct tm_opt *opt;
};

/* The table of a level. tm_opts.changed has a bit for each row. */
#define TM_OPT_LEVEL(id, lvl, rows) \
	_Static_assert(sizeof(rows) / sizeof((rows)[0]) <= 32, "a bit for each"); \
	const struct tm_opt_level id = { lvl, sizeof(rows) / sizeof((rows)[0]), rows }

extern const struct tm_opt_level tm_opt_socket, tm_opt_tcp, tm_opt_ip, tm_opt_ipv6;

enum { TM_CC_NAME = 16 }; /* TCP_CA_NAME_MAX of Linux */

/* Of enum toe_cc_id: as Linux spells them. */
extern const char tm_cc_name[TOE_CC_COUNT][TM_CC_NAME];

/* tm_opts.so has changed: a listener's connections inherit it from now on. */
void tm_opt_inherit(struct tm_sock *s);
/* And the FPC of a connection is told of `option` (enum toe_option). 0 or -errno. */
int tm_opt_tell(struct tm_sock *s, uint8_t option, uint64_t v);
/* The same for a flag (enum toe_sock_flags). */
int tm_opt_flag(struct tm_sock *s, uint32_t flag, uint8_t option, bool on);

#endif
