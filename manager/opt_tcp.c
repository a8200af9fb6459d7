/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of TCP. Most are in the record that the firmware reads (struct toe_sock_opts), where zero
 * is the default of each.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "info.h"
#include "option.h"
#include "transfer.h"

enum {
	SYNACK_MAX_S = 120,
	LINGER2_DEFAULT_S = 60,
	LINGER2_MAX_S = 120,
	MAXSEG_DEFAULT = 536, /* RFC 9293 3.7.1 */
	MAXSEG_MIN = 88, /* Linux' bounds */
	MAXSEG_MAX = 32767,
};

const char tm_cc_name[TOE_CC_COUNT][TM_CC_NAME] = {
#define TOE_CC(id, object, name) [TOE_CC_##id] = name,
#include "abi/cc.def"
#undef TOE_CC
};

/* While corked, sends say so; letting go is a send of nothing that does not. */
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
	return tm_opt_tell(s, TOE_OPT_QUICKACK, v != 0);
}

static int64_t get_quickack(struct tm_sock *s)
{
	return !s->opt.delack;
}

/* tcp(7): in FIN_WAIT_2 after close; below 0 it is left out, 0 is the default, at most two minutes. */
static int set_linger2(struct tm_sock *s, int64_t v)
{
	int32_t ms = v < 0 ? -1 : v > LINGER2_MAX_S ? LINGER2_MAX_S * 1000 : (int32_t)v * 1000;

	s->opt.so.linger2_ms = ms;
	return tm_opt_tell(s, TOE_OPT_LINGER2, (uint64_t)(int64_t)ms);
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
	return tm_opt_tell(s, TOE_OPT_MAXSEG, (uint64_t)v);
}

static int64_t get_maxseg(struct tm_sock *s)
{
	struct toe_flow_info info;

	if (tm_kind(s) == TM_FLOW && !tm_flow_info(s, &info) && info.snd_mss)
		return info.snd_mss;
	return s->opt.so.maxseg ? s->opt.so.maxseg : MAXSEG_DEFAULT;
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
	tm_opt_inherit(s);
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
	tm_opt_inherit(s);
	return 0;
}

static int64_t get_fastopen(struct tm_sock *s)
{
	return s->opt.so.fastopen;
}

/* connect leaves the SYN to the first write, when the peer's cookie is known (RFC 7413, tcp(7)). */
static int set_fastopen_connect(struct tm_sock *s, int64_t v)
{
	if (v < 0 || v > 1 || tm_kind(s) != TM_FRESH)
		return -EINVAL;
	tm_opt_flag(s, TOE_SO_FASTOPEN, v);
	return 0;
}

/* Without a cookie, on either side: where the network is trusted to tell true addresses (tcp(7)). */
static int set_fastopen_no_cookie(struct tm_sock *s, int64_t v)
{
	if (v < 0 || v > 1 || (tm_kind(s) != TM_FRESH && tm_kind(s) != TM_LISTEN))
		return -EINVAL;
	tm_opt_flag(s, TOE_SO_FASTOPEN_NO_COOKIE, v);
	tm_opt_inherit(s);
	return 0;
}

/*
 * A listener's own key for cookies, and with as many bytes again one whose cookies are still taken:
 * those that Linux makes with the same keys.
 */
static int set_fastopen_key(struct tm_sock *s, const void *value, socklen_t len)
{
	struct toe_fo_keys *k = &s->opt.fo_keys;

	if ((len != TOE_FO_KEY && len != TOE_FO_KEYS * TOE_FO_KEY) ||
	    (tm_kind(s) != TM_FRESH && tm_kind(s) != TM_LISTEN))
		return -EINVAL;
	memset(k, 0, sizeof(*k));
	k->n = len / TOE_FO_KEY;
	memcpy(k->key, value, len); /* little-endian */
	tm_opt_inherit(s);
	return 0;
}

static int get_fastopen_key(struct tm_sock *s, void *value, socklen_t *len)
{
	socklen_t n = s->opt.fo_keys.n * TOE_FO_KEY;

	*len = *len < n ? *len : n;
	memcpy(value, s->opt.fo_keys.key, *len);
	return 0;
}

static int set_cc(struct tm_sock *s, int64_t v)
{
	s->opt.so.cc = (uint8_t)(1 + v);
	return tm_opt_tell(s, TOE_OPT_CC, (uint64_t)v);
}

static int64_t get_cc(struct tm_sock *s)
{
	uint32_t cc = tm_proc.hdr ? tm_proc.hdr->cc : TOE_CC_CUBIC;

	if (s->opt.so.cc)
		return s->opt.so.cc - 1;
	return cc < TOE_CC_COUNT ? cc : TOE_CC_NEWRENO;
}

static const struct tm_opt rows[] = {
	{ TCP_NODELAY, O_BOOL, .flag = TOE_SO_NODELAY, .field.option = TOE_OPT_NODELAY },
	{ TCP_CORK, O_INT, .set = set_cork, .get = get_cork },
	{ TCP_QUICKACK, O_INT, .set = set_quickack, .get = get_quickack },
	{ TCP_LINGER2, O_INT, .set = set_linger2, .get = get_linger2 },
	{ TCP_KEEPIDLE, O_INT,
	  .field = { TM_FIELD(so.keep_idle_s), TOE_OPT_KEEPIDLE, 1, 32767, 7200 } },
	{ TCP_KEEPINTVL, O_INT,
	  .field = { TM_FIELD(so.keep_intvl_s), TOE_OPT_KEEPINTVL, 1, 32767, 75 } },
	{ TCP_KEEPCNT, O_INT, .field = { TM_FIELD(so.keep_cnt), TOE_OPT_KEEPCNT, 1, 127, 9 } },
	{ TCP_SYNCNT, O_INT, .field = { TM_FIELD(so.syncnt), TOE_OPT_SYNCNT, 1, 127, 7 } },
	{ TCP_USER_TIMEOUT, O_INT,
	  .field = { TM_FIELD(so.user_timeout_ms), TOE_OPT_USER_TIMEOUT, 0, INT32_MAX, 0 } },
	/* Negative: as good as none. */
	{ TCP_NOTSENT_LOWAT, O_INT,
	  .field = { TM_FIELD(so.notsent_lowat), TOE_OPT_NOTSENT_LOWAT, INT32_MIN, INT32_MAX, 0 } },
	{ TCP_DEFER_ACCEPT, O_INT, .set = set_defer, .get = get_defer },
	{ TCP_FASTOPEN, O_INT, .set = set_fastopen, .get = get_fastopen },
	{ TCP_FASTOPEN_CONNECT, O_INT, .set = set_fastopen_connect, .flag = TOE_SO_FASTOPEN },
	{ TCP_FASTOPEN_NO_COOKIE, O_INT, .set = set_fastopen_no_cookie,
	  .flag = TOE_SO_FASTOPEN_NO_COOKIE },
	{ TCP_FASTOPEN_KEY, O_RAW, .set_raw = set_fastopen_key, .get_raw = get_fastopen_key },
	{ TCP_MAXSEG, O_INT, .set = set_maxseg, .get = get_maxseg },
	/* recvmsg tells what is left to read (TCP_CM_INQ). */
	{ TCP_INQ, O_INT, .field = { TM_FIELD(inq), .most = 1 } },
	{ TCP_CONGESTION, O_CC, .set = set_cc, .get = get_cc },
	{ TCP_INFO, O_RAW, .get_raw = tm_tcp_info },
};

TM_OPT_LEVEL(tm_opt_tcp, IPPROTO_TCP, rows);
