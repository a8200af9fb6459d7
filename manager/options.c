/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options. Tables say for each what a TOE connection makes of it. What is not in a table, a
 * connection refuses (ENOPROTOOPT); set on a socket that is still undecided, it makes that socket
 * the kernel's, so that it is honoured.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "connect.h"
#include "info.h"
#include "option.h"
#include "toe.h"
#include "transfer.h"

void tm_opt_inherit(struct tm_sock *s)
{
	struct toe_listener *l;

	if (tm_kind(s) != TM_LISTEN)
		return;
	l = toe_arena_listener(tm_proc.arena, s->listener);
	l->opts = s->opt.so;
	l->fo_keys = s->opt.fo_keys;
}

int tm_opt_tell(struct tm_sock *s, uint8_t option, uint64_t v)
{
	int err = 0;
	struct tm_ctx *c = NULL;

	if (tm_kind(s) == TM_FLOW || tm_kind(s) == TM_CONNECT)
		c = tm_ctx_get(&err);
	if (c && tm_kind(s) == TM_CONNECT) /* what it was opened with is out already */
		tm_connect_await(c, s);
	tm_opt_inherit(s);
	if (c && tm_kind(s) == TM_FLOW)
		tm_push_flow(c, s, TOE_SW_OPTION, option, v);
	return err;
}

void tm_opt_flag(struct tm_sock *s, uint32_t flag, bool on)
{
	s->opt.so.flags = on ? s->opt.so.flags | flag : s->opt.so.flags & ~flag;
}

static int set_field(struct tm_sock *s, const struct tm_opt *o, int64_t v)
{
	if (o->type == O_INT && (v < o->field.least || v > o->field.most))
		return -EINVAL;
	if (o->flag)
		tm_opt_flag(s, o->flag, v);
	else
		memcpy((uint8_t *)&s->opt + o->field.at, &v, o->field.size); /* little-endian */
	return o->field.option ? tm_opt_tell(s, o->field.option, (uint64_t)v) : 0;
}

static int64_t get_field(const struct tm_sock *s, const struct tm_opt *o)
{
	int64_t v = 0;

	if (o->flag)
		return !!(s->opt.so.flags & o->flag);
	memcpy(&v, (const uint8_t *)&s->opt + o->field.at, o->field.size);
	return v ? v : o->field.none;
}

/* A name, whose end may be the end of the value. */
static int parse_cc(const void *value, socklen_t len, int64_t *v)
{
	char name[TM_CC_NAME] = { 0 };

	if (len < 1)
		return -EINVAL;
	memcpy(name, value, len < TM_CC_NAME ? len : TM_CC_NAME - 1);
	for (*v = 0; *v < TOE_CC_COUNT; ++*v)
		if (!strncmp(name, tm_cc_name[*v], TM_CC_NAME))
			return 0;
	return -ENOENT;
}

/*
 * What concerns who may bind, and nothing else: a fresh socket becomes a kernel socket, as it would
 * by bind, and is told.
 */
static const struct {
	int level, name;
} of_bind[] = {
	{ SOL_SOCKET, SO_REUSEADDR },    { SOL_SOCKET, SO_REUSEPORT },
	{ IPPROTO_IPV6, IPV6_V6ONLY },   { IPPROTO_IP, IP_FREEBIND },
	{ IPPROTO_IPV6, IPV6_FREEBIND },
};

static const struct tm_opt_level *const levels[TM_OPT_LEVELS] = { &tm_opt_socket, &tm_opt_tcp,
								  &tm_opt_ip, &tm_opt_ipv6 };

/*
 * The row of an option, and in which table; NULL: a connection of this family has it not. *table stays
 * when not even the level is known.
 */
static const struct tm_opt *find(const struct tm_sock *s, int level, int name, unsigned *table)
{
	for (unsigned l = 0; l < TM_OPT_LEVELS; l++) {
		if (levels[l]->level != level || (level == IPPROTO_IPV6 && s->family != AF_INET6))
			continue;
		*table = l;
		for (unsigned i = 0; i < levels[l]->n; i++)
			if (levels[l]->opt[i].name == name)
				return &levels[l]->opt[i];
	}
	return NULL;
}

static bool is_of_bind(int level, int name)
{
	for (size_t i = 0; i < sizeof(of_bind) / sizeof(of_bind[0]); i++)
		if (of_bind[i].level == level && of_bind[i].name == name)
			return true;
	return false;
}

/*
 * Microseconds; 0: for ever, as is what no clock reaches. A time that has passed is over at once.
 */
static int64_t timeout(const struct timeval *tv)
{
	if (tv->tv_sec < 0)
		return 1;
	return tv->tv_sec > INT32_MAX ? 0 : (int64_t)tv->tv_sec * 1000000 + tv->tv_usec;
}

static int parse(const struct tm_opt *o, const void *value, socklen_t len, int64_t *v)
{
	struct timeval tv;
	struct linger l;
	int i;

	switch (o->type) {
	case O_CC:
		return parse_cc(value, len, v);
	case O_TIMEVAL:
		if (len < sizeof(tv))
			return -EINVAL;
		memcpy(&tv, value, sizeof(tv));
		if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
			return -EDOM;
		*v = timeout(&tv);
		return 0;
	case O_LINGER:
		if (len < sizeof(l))
			return -EINVAL;
		memcpy(&l, value, sizeof(l));
		*v = l.l_onoff ? (l.l_linger < 0 ? INT32_MAX : l.l_linger) : -1;
		return 0;
	case O_BYTE:
		if (len > 0 && len < sizeof(i)) {
			*v = *(const uint8_t *)value;
			return 0;
		} /* fall through */
	default:
		if (len < sizeof(i))
			return -EINVAL;
		memcpy(&i, value, sizeof(i));
		*v = o->type == O_BOOL ? i != 0 : i;
		return 0;
	}
}

static int set_value(struct tm_sock *s, const struct tm_opt *o, const void *value, socklen_t len)
{
	int64_t v = 0;
	int err;

	if (o->type == O_RAW)
		return o->set_raw(s, value, len);
	err = parse(o, value, len, &v);
	if (err)
		return err;
	return o->set ? o->set(s, v) : set_field(s, o, v);
}

/* A connection, or a socket on its way to one. */
static int set_toe(struct tm_sock *s, int level, int name, const void *value, socklen_t len)
{
	unsigned table;
	const struct tm_opt *o = find(s, level, name, &table);
	int err;

	if ((int)len < 0)
		return -EINVAL;
	if (!value && len)
		return -EFAULT;
	if (!o || (!o->set && !o->set_raw && !o->flag && !o->field.size))
		return -ENOPROTOOPT;
	err = set_value(s, o, value, len);
	if (!err)
		s->opt.changed[table] |= 1u << (o - levels[table]->opt);
	return err;
}

/*
 * An undecided socket or a listener: the kernel socket has its say, and what we keep is kept too.
 */
static int set_kernel(struct tm_sock *s, int fd, int level, int name, const void *value,
		      socklen_t len)
{
	int err;

	tm_big_lock();
	err = tm_materialise(s, fd);
	if (!err)
		err = (int)tm_sys(setsockopt(fd, level, name, value, len));
	tm_big_unlock();
	/* A congestion control that this kernel lacks does not concern a listener of the TOE. */
	if (err && level == IPPROTO_TCP && name == TCP_CONGESTION && !tm_has(s, TM_S_KERNEL_ONLY) &&
	    !set_toe(s, level, name, value, len))
		return 0;
	if (!err && set_toe(s, level, name, value, len) && tm_kind(s) == TM_FRESH)
		tm_set(s, TM_S_KERNEL_ONLY);
	return err;
}

int toe_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct tm_sock *s = tm_sock_of(fd);
	uint8_t kind = s ? tm_kind(s) : TM_EPOLL;
	int err;

	if (kind == TM_EPOLL)
		return setsockopt(fd, level, name, value, len);
	if (kind != TM_LISTEN && !tm_has(s, TM_S_KERNEL) &&
	    !(kind == TM_FRESH && is_of_bind(level, name))) {
		err = set_toe(s, level, name, value, len);
		if (kind != TM_FRESH || err != -ENOPROTOOPT)
			return (int)tm_ret(err);
	}
	return (int)tm_ret(set_kernel(s, fd, level, name, value, len));
}

static int64_t value_of(struct tm_sock *s, const struct tm_opt *o)
{
	return o->get ? o->get(s) : get_field(s, o);
}

static void give(const struct tm_opt *o, int64_t v, void *value, socklen_t *len)
{
	struct timeval tv = { (time_t)(v / 1000000), (suseconds_t)(v % 1000000) };
	struct linger l = { v >= 0, v >= 0 ? (int)v : 0 };
	int i = (int)v;
	const void *from = o->type == O_TIMEVAL  ? (const void *)&tv
			   : o->type == O_LINGER ? (const void *)&l
			   : o->type == O_CC     ? (const void *)tm_cc_name[v]
						 : (const void *)&i;
	socklen_t n = o->type == O_TIMEVAL  ? sizeof(tv)
		      : o->type == O_LINGER ? sizeof(l)
		      : o->type == O_CC     ? TM_CC_NAME
					    : sizeof(i);

	if (*len > n)
		*len = n;
	memcpy(value, from, *len);
}

int toe_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct tm_sock *s = tm_sock_of(fd);
	unsigned table = TM_OPT_LEVELS;
	const struct tm_opt *o = s ? find(s, level, name, &table) : NULL;
	int err = 0;

	if (s)
		tm_connect_look(s);
	if (s && tm_kind(s) == TM_FRESH && !o) {
		tm_big_lock();
		err = tm_materialise(s, fd);
		tm_big_unlock();
	}
	if (err)
		return (int)tm_ret(err);
	if (tm_is_kernel(s) || (!o && tm_has(s, TM_S_KERNEL))) {
		err = getsockopt(fd, level, name, value, len);
		if (!err && s && tm_kind(s) == TM_LISTEN && o && o->get_raw == tm_tcp_info)
			tm_listener_info(s, value, *len);
		return err;
	}
	if (!o)
		return (int)tm_ret(table < TM_OPT_LEVELS ? -ENOPROTOOPT : -EOPNOTSUPP);
	if (!len || (!value && *len))
		return (int)tm_ret(-EFAULT);
	if ((int)*len <= 0) /* no room: nothing to give */
		return (int)tm_ret(*len ? -EINVAL : 0);
	if (o->type == O_RAW)
		return (int)tm_ret(o->get_raw(s, value, len));
	give(o, value_of(s, o), value, len);
	return 0;
}

static void to_kernel(struct tm_sock *s, int fd, int level, const struct tm_opt *o)
{
	char value[TM_OPT_RAW];
	socklen_t len = sizeof(value);
	int64_t v;

	if (o->type == O_RAW) {
		o->get_raw(s, value, &len);
	} else {
		v = value_of(s, o);
		if (o->type == O_BUF)
			v /= 2; /* the kernel will double it */
		give(o, v, value, &len);
	}
	setsockopt(fd, level, o->name, value, len);
}

void tm_opts_to_kernel(struct tm_sock *s, int fd)
{
	for (unsigned l = 0; l < TM_OPT_LEVELS; l++)
		for (uint32_t left = s->opt.changed[l]; left; left &= left - 1)
			to_kernel(s, fd, levels[l]->level, &levels[l]->opt[__builtin_ctz(left)]);
}
