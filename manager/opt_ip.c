/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of IP and IPv6: a connection has one value for both, in the headers of the family that it
 * speaks.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <string.h>

#include "info.h"
#include "option.h"

enum { TTL_DEFAULT = 64 };

/* Linux cuts to a byte and keeps the ECN field for itself. */
static int set_tos(struct tm_sock *s, int64_t v)
{
	s->opt.so.tos = (uint8_t)(v & 0xfc);
	return tm_opt_tell(s, TOE_OPT_TOS, s->opt.so.tos);
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
	return tm_opt_tell(s, TOE_OPT_TTL, s->opt.so.ttl);
}

static int64_t get_ttl(struct tm_sock *s)
{
	return s->opt.so.ttl ? s->opt.so.ttl : TTL_DEFAULT;
}

/* ipv6(7): not once the socket has an address. */
static int set_v6only(struct tm_sock *s, int64_t v)
{
	if (tm_kind(s) != TM_FRESH && tm_kind(s) != TM_LISTEN)
		return -EINVAL;
	s->opt.v6only = v != 0;
	return 0;
}

static int64_t get_v6only(struct tm_sock *s)
{
	return s->opt.v6only;
}

static int set_pmtudisc(struct tm_sock *s, int64_t v)
{
	if (v < 0 || v >= TOE_PMTUDISC_COUNT)
		return -EINVAL;
	s->opt.so.pmtudisc = (uint8_t)(1 + v);
	return tm_opt_tell(s, TOE_OPT_PMTUDISC, (uint64_t)v);
}

static int64_t get_pmtudisc(struct tm_sock *s)
{
	return s->opt.so.pmtudisc ? s->opt.so.pmtudisc - 1 : TOE_PMTUDISC_WANT;
}

/* ip(7): what is known of the path's, of a connection. */
static int get_mtu(struct tm_sock *s, void *value, socklen_t *len)
{
	struct toe_flow_info info;
	int err = tm_kind(s) == TM_FLOW ? tm_flow_info(s, &info) : -ENOTCONN, mtu;

	if (!err && !info.mtu) /* it has ended, and nobody knows any more */
		err = -ENOTCONN;
	if (err)
		return err;
	mtu = (int)info.mtu;
	*len = *len < sizeof(mtu) ? *len : sizeof(mtu);
	memcpy(value, &mtu, *len);
	return 0;
}

/* The kernel socket's matter, like the address that it is bound to. */
static int set_freebind(struct tm_sock *s, int64_t v)
{
	s->opt.freebind = v != 0;
	return 0;
}

static int64_t get_freebind(struct tm_sock *s)
{
	return s->opt.freebind;
}

static const struct tm_opt rows[] = {
	{ IP_TOS, O_BYTE, .set = set_tos, .get = get_tos },
	{ IP_TTL, O_BYTE, .set = set_ttl, .get = get_ttl },
	{ IP_MTU_DISCOVER, O_BYTE, .set = set_pmtudisc, .get = get_pmtudisc },
	{ IP_MTU, O_RAW, .get_raw = get_mtu },
	{ IP_FREEBIND, O_BYTE, .set = set_freebind, .get = get_freebind },
};

static const struct tm_opt rows6[] = {
	{ IPV6_TCLASS, O_INT, .set = set_tclass, .get = get_tos },
	{ IPV6_V6ONLY, O_INT, .set = set_v6only, .get = get_v6only },
	{ IPV6_UNICAST_HOPS, O_INT, .set = set_ttl, .get = get_ttl },
	{ IPV6_MTU_DISCOVER, O_INT, .set = set_pmtudisc, .get = get_pmtudisc },
	{ IPV6_MTU, O_RAW, .get_raw = get_mtu },
	{ IPV6_FREEBIND, O_INT, .set = set_freebind, .get = get_freebind },
};

TM_OPT_LEVEL(tm_opt_ip, IPPROTO_IP, rows);
TM_OPT_LEVEL(tm_opt_ipv6, IPPROTO_IPV6, rows6);
