/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options. A table says for each what a TOE connection makes of it. What is not in the
 * table, a connection refuses (ENOPROTOOPT); set on a socket that is still undecided, it makes that
 * socket the kernel's, so that it is honoured.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "connect.h"
#include "info.h"
#include "toe.h"
#include "transfer.h"

enum {
	TTL_DEFAULT = 64,
	SYNACK_MAX_S = 120,
	LINGER2_DEFAULT_S = 60,
	LINGER2_MAX_S = 120,
	MAXSEG_DEFAULT = 536, /* RFC 9293 3.7.1 */
	MAXSEG_MIN = 88, /* Linux' bounds */
	MAXSEG_MAX = 32767,
};

enum opt_type { O_INT, O_TIMEVAL, O_LINGER, O_FIELD, O_CC };

struct opt {
	int level, name;
	enum opt_type type;
	/* New value (int, microseconds, enum toe_cc_id); 0 or -errno. NULL: cannot be set. */
	int (*set)(struct tm_sock *s, int64_t v);
	int64_t (*get)(struct tm_sock *s);
	/* Or a field of opt.so: where it is, what it may be, and what 0 there stands for. */
	struct {
		uint8_t option; /* enum toe_option */
		uint8_t size, at;
		int least, most, none;
	} field;
};

#define FIELD(name) sizeof(((struct toe_sock_opts *)0)->name), offsetof(struct toe_sock_opts, name)

static void inherit(struct tm_sock *s)
{
	if (tm_kind(s) == TM_LISTEN)
		toe_arena_listener(tm_proc.arena, s->listener)->opts = s->opt.so;
}

/*
 * An option in opt.so has changed: a listener's connections inherit it from now on; a connection's
 * FPC is told.
 */
static int tell(struct tm_sock *s, uint8_t option, uint64_t v)
{
	int err = 0;
	struct tm_ctx *c = tm_kind(s) == TM_FLOW ? tm_ctx_get(&err) : NULL;

	inherit(s);
	if (c)
		tm_push_flow(c, s, TOE_SW_OPTION, option, v);
	return err;
}

static int set_flag(struct tm_sock *s, uint32_t flag, uint8_t option, bool on)
{
	s->opt.so.flags = on ? s->opt.so.flags | flag : s->opt.so.flags & ~flag;
	return tell(s, option, on);
}

static int set_nodelay(struct tm_sock *s, int64_t v)
{
	return set_flag(s, TOE_SO_NODELAY, TOE_OPT_NODELAY, v);
}

static int64_t get_nodelay(struct tm_sock *s)
{
	return s->opt.so.flags & TOE_SO_NODELAY;
}

/* While corked, sends say MORE; letting go is a send of nothing that does not. */
static int set_cork(struct tm_sock *s, int64_t v)
{
	int err = 0;
	struct tm_ctx *c;

	if (v) {
		tm_set(s, TM_S_CORK);
		return 0;
	}
	if (!tm_has(s, TM_S_CORK))
		return 0;
	tm_clear(s, TM_S_CORK);
	c = tm_kind(s) == TM_FLOW ? tm_ctx_get(&err) : NULL;
	if (c) {
		tm_flow_lock(s);
		tm_tx_commit(c, s, 0, false, false);
		tm_flow_unlock(s);
	}
	return err;
}

static int64_t get_cork(struct tm_sock *s)
{
	return tm_has(s, TM_S_CORK);
}

static int set_quickack(struct tm_sock *s, int64_t v)
{
	s->opt.delack = !v;
	return tell(s, TOE_OPT_QUICKACK, v != 0);
}

static int64_t get_quickack(struct tm_sock *s)
{
	return !s->opt.delack;
}

static int set_keepalive(struct tm_sock *s, int64_t v)
{
	return set_flag(s, TOE_SO_KEEPALIVE, TOE_OPT_KEEPALIVE, v);
}

static int64_t get_keepalive(struct tm_sock *s)
{
	return !!(s->opt.so.flags & TOE_SO_KEEPALIVE);
}

static int set_field(struct tm_sock *s, const struct opt *o, int64_t v)
{
	if (v < o->field.least || v > o->field.most)
		return -EINVAL;
	memcpy((uint8_t *)&s->opt.so + o->field.at, &v, o->field.size); /* little-endian */
	return tell(s, o->field.option, (uint64_t)v);
}

static int64_t get_field(const struct tm_sock *s, const struct opt *o)
{
	int64_t v = 0;

	memcpy(&v, (const uint8_t *)&s->opt.so + o->field.at, o->field.size);
	return v ? v : o->field.none;
}

/* tcp(7): in FIN_WAIT_2 after close; below 0 it is left out, 0 is the default, at most two minutes. */
static int set_linger2(struct tm_sock *s, int64_t v)
{
	int32_t ms = v < 0 ? -1 : v > LINGER2_MAX_S ? LINGER2_MAX_S * 1000 : (int32_t)v * 1000;

	s->opt.so.linger2_ms = ms;
	return tell(s, TOE_OPT_LINGER2, (uint64_t)(int64_t)ms);
}

static int64_t get_linger2(struct tm_sock *s)
{
	int32_t ms = s->opt.so.linger2_ms;

	return ms < 0 ? -1 : ms ? ms / 1000 : LINGER2_DEFAULT_S;
}

/* As Linux: 0 gives up what was set. */
static int set_maxseg(struct tm_sock *s, int64_t v)
{
	if (v && (v < MAXSEG_MIN || v > MAXSEG_MAX))
		return -EINVAL;
	s->opt.so.maxseg = (uint16_t)v;
	return tell(s, TOE_OPT_MAXSEG, (uint64_t)v);
}

static int64_t get_error(struct tm_sock *s)
{
	return tm_take_error(s);
}

static int64_t get_type(struct tm_sock *s)
{
	return SOCK_STREAM;
}

static int64_t get_family(struct tm_sock *s)
{
	return s->family;
}

static int64_t get_protocol(struct tm_sock *s)
{
	return IPPROTO_TCP;
}

static int64_t get_zero(struct tm_sock *s)
{
	return 0;
}

static int64_t get_one(struct tm_sock *s)
{
	return 1;
}

/* Bounds as socket(7) has them: silently applied. What is negative counts as much too large. */
static uint32_t buf_size(int64_t v)
{
	return v >= 0 && v < TOE_BUF_MIN  ? TOE_BUF_MIN
	       : v < 0 || v > TOE_BUF_MAX ? TOE_BUF_MAX
					  : (uint32_t)v;
}

static int set_rcvbuf(struct tm_sock *s, int64_t v)
{
	s->opt.so.rcvbuf = buf_size(v);
	return tell(s, TOE_OPT_RCVBUF, s->opt.so.rcvbuf);
}

static int set_sndbuf(struct tm_sock *s, int64_t v)
{
	s->opt.so.sndbuf = buf_size(v);
	return tell(s, TOE_OPT_SNDBUF, s->opt.so.sndbuf);
}

/*
 * The size that was set, or that the buffer has now; twice, as Linux says it, because programs
 * count on that.
 */
static int64_t get_rcvbuf(struct tm_sock *s)
{
	uint32_t now = tm_kind(s) == TM_FLOW ? toe_load(&s->fb->dev.rx_limit) : TOE_BUF_DEFAULT;

	return 2 * (int64_t)(s->opt.so.rcvbuf ? s->opt.so.rcvbuf : now);
}

static int64_t get_sndbuf(struct tm_sock *s)
{
	uint32_t now = tm_kind(s) == TM_FLOW ? toe_load(&s->fb->dev.tx_limit) : TOE_BUF_DEFAULT;

	return 2 * (int64_t)(s->opt.so.sndbuf ? s->opt.so.sndbuf : now);
}

static int set_nothing(struct tm_sock *s, int64_t v)
{
	return 0;
}

/* Options that may be switched off, which they are, but not on. */
static int set_off_only(struct tm_sock *s, int64_t v)
{
	return v ? -ENOPROTOOPT : 0;
}

static int set_one_only(struct tm_sock *s, int64_t v)
{
	return v > 1 ? -ENOPROTOOPT : 0;
}

static int set_oobinline(struct tm_sock *s, int64_t v)
{
	s->opt.oobinline = v != 0;
	return 0;
}

static int64_t get_oobinline(struct tm_sock *s)
{
	return s->opt.oobinline;
}

static int set_rcvtimeo(struct tm_sock *s, int64_t v)
{
	s->opt.rcvtimeo_us = (uint64_t)v;
	return 0;
}

static int64_t get_rcvtimeo(struct tm_sock *s)
{
	return (int64_t)s->opt.rcvtimeo_us;
}

static int set_sndtimeo(struct tm_sock *s, int64_t v)
{
	s->opt.sndtimeo_us = (uint64_t)v;
	return 0;
}

static int64_t get_sndtimeo(struct tm_sock *s)
{
	return (int64_t)s->opt.sndtimeo_us;
}

static int set_linger(struct tm_sock *s, int64_t v)
{
	s->opt.linger_s = (int32_t)v;
	return 0;
}

static int64_t get_linger(struct tm_sock *s)
{
	return s->opt.linger_s;
}

/*
 * TCP_DEFER_ACCEPT counts in SYN-ACK timeouts, as Linux does: 1, 3, 7 ... seconds. It concerns a
 * listener's connections only.
 */
static int set_defer(struct tm_sock *s, int64_t v)
{
	int64_t period = 1, timeout = 1;
	uint8_t n = v > 0;

	for (; n && v > period && n < UINT8_MAX; n++) {
		timeout = timeout * 2 < SYNACK_MAX_S ? timeout * 2 : SYNACK_MAX_S;
		period += timeout;
	}
	s->opt.so.defer_accept = n;
	inherit(s);
	return 0;
}

static int64_t get_defer(struct tm_sock *s)
{
	int64_t period = 0, timeout = 1;

	for (uint8_t n = s->opt.so.defer_accept; n; n--) {
		period += timeout;
		timeout = timeout * 2 < SYNACK_MAX_S ? timeout * 2 : SYNACK_MAX_S;
	}
	return period;
}

/* A listener takes so many connections at once that begin with data (RFC 7413). */
static int set_fastopen(struct tm_sock *s, int64_t v)
{
	if (v < 0 || (tm_kind(s) != TM_FRESH && tm_kind(s) != TM_LISTEN))
		return -EINVAL;
	s->opt.so.fastopen = (uint32_t)v;
	inherit(s);
	return 0;
}

static int64_t get_fastopen(struct tm_sock *s)
{
	return s->opt.so.fastopen;
}

/* Linux cuts to a byte and keeps the ECN field for itself. */
static int set_tos(struct tm_sock *s, int64_t v)
{
	s->opt.so.tos = (uint8_t)(v & 0xfc);
	return tell(s, TOE_OPT_TOS, s->opt.so.tos);
}

static int set_tclass(struct tm_sock *s, int64_t v)
{
	return v < -1 || v > 255 ? -EINVAL : set_tos(s, v < 0 ? 0 : v);
}

static int64_t get_tos(struct tm_sock *s)
{
	return s->opt.so.tos;
}

static int set_ttl(struct tm_sock *s, int64_t v)
{
	if (v < -1 || v == 0 || v > 255)
		return -EINVAL;
	s->opt.so.ttl = v < 0 ? 0 : (uint8_t)v;
	return tell(s, TOE_OPT_TTL, s->opt.so.ttl);
}

static int64_t get_ttl(struct tm_sock *s)
{
	return s->opt.so.ttl ? s->opt.so.ttl : TTL_DEFAULT;
}

static int64_t get_maxseg(struct tm_sock *s)
{
	struct toe_flow_info info;

	if (tm_kind(s) == TM_FLOW && !tm_flow_info(s, &info) && info.snd_mss)
		return info.snd_mss;
	return s->opt.so.maxseg ? s->opt.so.maxseg : MAXSEG_DEFAULT;
}

enum { CC_NAME = 16 }; /* TCP_CA_NAME_MAX of Linux */

static const char cc_name[TOE_CC_COUNT][CC_NAME] = {
#define TOE_CC(id, object, name) [TOE_CC_##id] = name,
#include "abi/cc.def"
#undef TOE_CC
};

static int set_cc(struct tm_sock *s, int64_t v)
{
	s->opt.so.cc = (uint8_t)(1 + v);
	return tell(s, TOE_OPT_CC, (uint64_t)v);
}

static int64_t get_cc(struct tm_sock *s)
{
	uint32_t cc = tm_proc.hdr ? tm_proc.hdr->cc : TOE_CC_CUBIC;

	if (s->opt.so.cc)
		return s->opt.so.cc - 1;
	return cc < TOE_CC_COUNT ? cc : TOE_CC_NEWRENO;
}

/* A name, whose end may be the end of the value. */
static int parse_cc(const void *value, socklen_t len, int64_t *v)
{
	char name[CC_NAME] = { 0 };

	if (len < 1)
		return -EINVAL;
	memcpy(name, value, len < CC_NAME ? len : CC_NAME - 1);
	for (*v = 0; *v < TOE_CC_COUNT; ++*v)
		if (!strncmp(name, cc_name[*v], CC_NAME))
			return 0;
	return -ENOENT;
}

static const struct opt opts[] = {
	{ SOL_SOCKET, SO_ERROR, O_INT, .get = get_error },
	{ SOL_SOCKET, SO_TYPE, O_INT, .get = get_type },
	{ SOL_SOCKET, SO_DOMAIN, O_INT, .get = get_family },
	{ SOL_SOCKET, SO_PROTOCOL, O_INT, .get = get_protocol },
	{ SOL_SOCKET, SO_ACCEPTCONN, O_INT, .get = get_zero },
	{ SOL_SOCKET, SO_LINGER, O_LINGER, .set = set_linger, .get = get_linger },
	{ SOL_SOCKET, SO_RCVTIMEO, O_TIMEVAL, .set = set_rcvtimeo, .get = get_rcvtimeo },
	{ SOL_SOCKET, SO_SNDTIMEO, O_TIMEVAL, .set = set_sndtimeo, .get = get_sndtimeo },
	{ SOL_SOCKET, SO_RCVBUF, O_INT, .set = set_rcvbuf, .get = get_rcvbuf },
	{ SOL_SOCKET, SO_SNDBUF, O_INT, .set = set_sndbuf, .get = get_sndbuf },
	{ SOL_SOCKET, SO_RCVLOWAT, O_INT, .set = set_one_only, .get = get_one },
	{ SOL_SOCKET, SO_SNDLOWAT, O_INT, .get = get_one },
	{ SOL_SOCKET, SO_KEEPALIVE, O_INT, .set = set_keepalive, .get = get_keepalive },
	{ SOL_SOCKET, SO_OOBINLINE, O_INT, .set = set_oobinline, .get = get_oobinline },
	{ SOL_SOCKET, SO_BROADCAST, O_INT, .set = set_nothing,
	  .get = get_zero }, /* means nothing on TCP */
	{ SOL_SOCKET, SO_DONTROUTE, O_INT, .set = set_off_only, .get = get_zero },
	{ IPPROTO_TCP, TCP_NODELAY, O_INT, .set = set_nodelay, .get = get_nodelay },
	{ IPPROTO_TCP, TCP_CORK, O_INT, .set = set_cork, .get = get_cork },
	{ IPPROTO_TCP, TCP_QUICKACK, O_INT, .set = set_quickack, .get = get_quickack },
	{ IPPROTO_TCP, TCP_LINGER2, O_INT, .set = set_linger2, .get = get_linger2 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, O_FIELD,
	  .field = { TOE_OPT_KEEPIDLE, FIELD(keep_idle_s), 1, 32767, 7200 } },
	{ IPPROTO_TCP, TCP_KEEPINTVL, O_FIELD,
	  .field = { TOE_OPT_KEEPINTVL, FIELD(keep_intvl_s), 1, 32767, 75 } },
	{ IPPROTO_TCP, TCP_KEEPCNT, O_FIELD,
	  .field = { TOE_OPT_KEEPCNT, FIELD(keep_cnt), 1, 127, 9 } },
	{ IPPROTO_TCP, TCP_SYNCNT, O_FIELD, .field = { TOE_OPT_SYNCNT, FIELD(syncnt), 1, 127, 7 } },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, O_FIELD,
	  .field = { TOE_OPT_USER_TIMEOUT, FIELD(user_timeout_ms), 0, INT32_MAX, 0 } },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, O_INT, .set = set_defer, .get = get_defer },
	{ IPPROTO_TCP, TCP_FASTOPEN, O_INT, .set = set_fastopen, .get = get_fastopen },
	{ IPPROTO_IP, IP_TOS, O_INT, .set = set_tos, .get = get_tos },
	{ IPPROTO_IP, IP_TTL, O_INT, .set = set_ttl, .get = get_ttl },
	{ IPPROTO_IPV6, IPV6_TCLASS, O_INT, .set = set_tclass, .get = get_tos },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, O_INT, .set = set_ttl, .get = get_ttl },
	{ IPPROTO_TCP, TCP_MAXSEG, O_INT, .set = set_maxseg, .get = get_maxseg },
	{ IPPROTO_TCP, TCP_CONGESTION, O_CC, .set = set_cc, .get = get_cc },
};

/*
 * What concerns only the kernel socket beneath a listener, or has no effect on a connection: set
 * there when there is one, without making the socket the kernel's alone.
 */
static const struct {
	int level, name;
} harmless[] = {
	{ SOL_SOCKET, SO_REUSEADDR },
	{ SOL_SOCKET, SO_REUSEPORT },
	{ IPPROTO_IPV6, IPV6_V6ONLY },
};

_Static_assert(sizeof(opts) / sizeof(opts[0]) <= 64, "tm_opts.changed has a bit for each");

static const struct opt *find(int level, int name)
{
	for (size_t i = 0; i < sizeof(opts) / sizeof(opts[0]); i++)
		if (opts[i].level == level && opts[i].name == name)
			return &opts[i];
	return NULL;
}

static bool is_harmless(int level, int name)
{
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (harmless[i].level == level && harmless[i].name == name)
			return true;
	return false;
}

static int parse(const struct opt *o, const void *value, socklen_t len, int64_t *v)
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
		*v = tv.tv_sec < 0 ? 0 : (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
		return 0;
	case O_LINGER:
		if (len < sizeof(l))
			return -EINVAL;
		memcpy(&l, value, sizeof(l));
		*v = l.l_onoff ? (l.l_linger < 0 ? INT32_MAX : l.l_linger) : -1;
		return 0;
	default:
		if (len < sizeof(i))
			return -EINVAL;
		memcpy(&i, value, sizeof(i));
		*v = i;
		return 0;
	}
}

/* A connection, or a socket on its way to one. */
static int set_toe(struct tm_sock *s, int level, int name, const void *value, socklen_t len)
{
	const struct opt *o = find(level, name);
	int64_t v;
	int err;

	if (is_harmless(level, name))
		return 0;
	if (!o || (!o->set && o->type != O_FIELD))
		return -ENOPROTOOPT;
	err = parse(o, value, len, &v);
	if (!err)
		err = o->type == O_FIELD ? set_field(s, o, v) : o->set(s, v);
	if (!err)
		s->opt.changed |= 1ull << (o - opts);
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
	tm_big_unlock();
	if (!err)
		err = (int)tm_sys(setsockopt(fd, level, name, value, len));
	/* A congestion control that this kernel lacks does not concern a listener of the TOE. */
	if (err && level == IPPROTO_TCP && name == TCP_CONGESTION && !tm_has(s, TM_S_KERNEL_ONLY) &&
	    !set_toe(s, level, name, value, len))
		return 0;
	if (!err && !is_harmless(level, name) && set_toe(s, level, name, value, len) &&
	    tm_kind(s) == TM_FRESH)
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
	    !(kind == TM_FRESH && is_harmless(level, name))) {
		err = set_toe(s, level, name, value, len);
		if (kind != TM_FRESH || err != -ENOPROTOOPT)
			return (int)tm_ret(err);
	}
	return (int)tm_ret(set_kernel(s, fd, level, name, value, len));
}

static int64_t value_of(struct tm_sock *s, const struct opt *o)
{
	return o->type == O_FIELD ? get_field(s, o) : o->get(s);
}

static void give(const struct opt *o, int64_t v, void *value, socklen_t *len)
{
	struct timeval tv = { (time_t)(v / 1000000), (suseconds_t)(v % 1000000) };
	struct linger l = { v >= 0, v >= 0 ? (int)v : 0 };
	int i = (int)v;
	const void *from = o->type == O_TIMEVAL  ? (const void *)&tv
			   : o->type == O_LINGER ? (const void *)&l
			   : o->type == O_CC     ? (const void *)cc_name[v]
						 : (const void *)&i;
	socklen_t n = o->type == O_TIMEVAL  ? sizeof(tv)
		      : o->type == O_LINGER ? sizeof(l)
		      : o->type == O_CC     ? CC_NAME
					    : sizeof(i);

	if (*len > n)
		*len = n;
	memcpy(value, from, *len);
}

int toe_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct tm_sock *s = tm_sock_of(fd);
	const struct opt *o = s ? find(level, name) : NULL;
	int err = 0;

	if (s && tm_kind(s) == TM_FRESH && !o) {
		tm_big_lock();
		err = tm_materialise(s, fd);
		tm_big_unlock();
	}
	if (err)
		return (int)tm_ret(err);
	if (tm_is_kernel(s) && !(s && s->error))
		return getsockopt(fd, level, name, value, len);
	if (s && level == IPPROTO_TCP && name == TCP_INFO && (int)*len >= 0)
		return (int)tm_ret(tm_tcp_info(s, value, len));
	if (!o || (int)*len < 0)
		return (int)tm_ret(o ? -EINVAL : -ENOPROTOOPT);
	give(o, value_of(s, o), value, len);
	return 0;
}

void tm_opts_to_kernel(struct tm_sock *s, int fd)
{
	for (uint64_t left = s->opt.changed; left; left &= left - 1) {
		const struct opt *o = &opts[__builtin_ctzll(left)];
		char value[sizeof(struct timeval)];
		socklen_t len = sizeof(value);
		int64_t v = value_of(s, o);

		if (o->get == get_rcvbuf || o->get == get_sndbuf)
			v /= 2; /* the kernel will double it */
		give(o, v, value, &len);
		setsockopt(fd, o->level, o->name, value, len);
	}
}
