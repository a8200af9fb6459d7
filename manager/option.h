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
	O_BOOL, /* int: 0, or anything else */
	O_BYTE, /* int, or a byte */
	O_BUF, /* int: a buffer's size, which Linux doubles when it is set */
	O_TIMEVAL,
	O_LINGER,
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
	/* Where there is none: a flag (enum toe_sock_flags), or a field of tm_opts. */
	uint32_t flag;
	struct {
		uint8_t size, at; /* TM_FIELD */
		uint8_t option; /* enum toe_option, if the FPC of a connection is told */
		int least, most, none; /* of O_INT: what it may be, and what 0 stands for */
	} field;
};

#define TM_FIELD(name) sizeof(((struct tm_opts *)0)->name), offsetof(struct tm_opts, name)

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

/* stamps.c: SO_TIMESTAMPING, SO_TIMESTAMP and SO_TIMESTAMPNS */
int tm_stamp_set(struct tm_sock *s, int64_t v);
int64_t tm_stamp_get(struct tm_sock *s);
int tm_stamp_set_us(struct tm_sock *s, int64_t v);
int64_t tm_stamp_get_us(struct tm_sock *s);
int tm_stamp_set_ns(struct tm_sock *s, int64_t v);
int64_t tm_stamp_get_ns(struct tm_sock *s);

/* tm_opts.so has changed: a listener's connections inherit it from now on. */
void tm_opt_inherit(struct tm_sock *s);
/* And the FPC of a connection is told of `option` (enum toe_option). 0 or -errno. */
int tm_opt_tell(struct tm_sock *s, uint8_t option, uint64_t v);
void tm_opt_flag(struct tm_sock *s, uint32_t flag, bool on);

#endif
