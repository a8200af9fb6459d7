/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of SOL_SOCKET: what the socket is, buffers, time limits, how it closes.
 */
#include <netinet/in.h>

#include "option.h"

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

/* Bounds are silently applied (socket(7)). What is negative counts as much too large. */
static uint32_t buf_size(int64_t v, uint32_t least)
{
	return v >= 0 && v < least ? least : v < 0 || v > TOE_BUF_MAX ? TOE_BUF_MAX : (uint32_t)v;
}

static int set_rcvbuf(struct tm_sock *s, int64_t v)
{
	s->opt.so.rcvbuf = buf_size(v, TOE_RCVBUF_MIN);
	return tm_opt_tell(s, TOE_OPT_RCVBUF, s->opt.so.rcvbuf);
}

static int set_sndbuf(struct tm_sock *s, int64_t v)
{
	s->opt.so.sndbuf = buf_size(v < 0 ? v : 2 * v, TOE_SNDBUF_MIN);
	return tm_opt_tell(s, TOE_OPT_SNDBUF, s->opt.so.sndbuf);
}

/*
 * socket(7): what is set is doubled, and that is what is read back. Linux' overhead takes half of a
 * receive buffer, so here that holds as much data as was set; next to nothing of a send buffer, which
 * takes twice as much.
 */
static int64_t get_rcvbuf(struct tm_sock *s)
{
	uint32_t now = tm_kind(s) == TM_FLOW ? toe_load(&s->fb->dev.rx_limit) : TOE_BUF_DEFAULT;

	return 2 * (int64_t)(s->opt.so.rcvbuf ? s->opt.so.rcvbuf : now);
}

static int64_t get_sndbuf(struct tm_sock *s)
{
	uint32_t now = tm_kind(s) == TM_FLOW ? toe_load(&s->fb->dev.tx_limit) : TOE_BUF_DEFAULT;

	return s->opt.so.sndbuf ? s->opt.so.sndbuf : now;
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

/* As Linux: at most half of the buffer, 0 is 1, what is negative is much. */
static int set_rcvlowat(struct tm_sock *s, int64_t v)
{
	int64_t most = (s->opt.so.rcvbuf ? s->opt.so.rcvbuf : TOE_BUF_MAX) / 2;

	s->opt.rcvlowat = (uint32_t)(v < 0 || v > most ? most : v);
	s->lowat = s->opt.rcvlowat > 1;
	if (tm_kind(s) == TM_FLOW) /* what lies there may be enough by now */
		tm_ep_event(s, EPOLLIN | EPOLLRDNORM, tm_self);
	return 0;
}

static int64_t get_rcvlowat(struct tm_sock *s)
{
	return s->opt.rcvlowat ? s->opt.rcvlowat : 1;
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

static const struct tm_opt rows[] = {
	{ SO_ERROR, O_INT, .get = get_error },
	{ SO_TYPE, O_INT, .get = get_type },
	{ SO_DOMAIN, O_INT, .get = get_family },
	{ SO_PROTOCOL, O_INT, .get = get_protocol },
	{ SO_ACCEPTCONN, O_INT, .get = get_zero },
	{ SO_LINGER, O_LINGER, .set = set_linger, .get = get_linger },
	{ SO_RCVTIMEO, O_TIMEVAL, .field = { TM_FIELD(rcvtimeo_us) } },
	{ SO_SNDTIMEO, O_TIMEVAL, .field = { TM_FIELD(sndtimeo_us) } },
	{ SO_RCVBUF, O_BUF, .set = set_rcvbuf, .get = get_rcvbuf },
	{ SO_SNDBUF, O_BUF, .set = set_sndbuf, .get = get_sndbuf },
	{ SO_RCVLOWAT, O_INT, .set = set_rcvlowat, .get = get_rcvlowat },
	{ SO_SNDLOWAT, O_INT, .get = get_one },
	{ SO_KEEPALIVE, O_BOOL, .flag = TOE_SO_KEEPALIVE, .field.option = TOE_OPT_KEEPALIVE },
	{ SO_OOBINLINE, O_BOOL, .field = { TM_FIELD(oobinline) } },
	/* They say who may bind; a connection keeps what it was told, or its listener was. */
	{ SO_REUSEADDR, O_BOOL, .field = { TM_FIELD(reuseaddr) } },
	{ SO_REUSEPORT, O_BOOL, .field = { TM_FIELD(reuseport) } },
	/* Sends with MSG_ZEROCOPY tell when they are done with what they send: at once (errqueue.c). */
	{ SO_ZEROCOPY, O_INT, .field = { TM_FIELD(zerocopy), .most = 1 } },
	{ SO_TIMESTAMPING, O_INT, .set = tm_stamp_set, .get = tm_stamp_get },
	{ SO_TIMESTAMP, O_INT, .set = tm_stamp_set_us, .get = tm_stamp_get_us },
	{ SO_TIMESTAMPNS, O_INT, .set = tm_stamp_set_ns, .get = tm_stamp_get_ns },
	{ SO_BROADCAST, O_INT, .set = set_nothing, .get = get_zero }, /* means nothing on TCP */
	{ SO_DONTROUTE, O_INT, .set = set_off_only, .get = get_zero },
};

TM_OPT_LEVEL(tm_opt_socket, SOL_SOCKET, rows);
