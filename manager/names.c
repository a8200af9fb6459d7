/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses: sixteen bytes inside, sockaddr_in or sockaddr_in6 at the edge.
 */
#include <netinet/in.h>
#include <string.h>

#include "connect.h"
#include "toe.h"

static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool tm_addr_is_v4(const uint8_t addr[16])
{
	return !memcmp(addr, v4_prefix, 12);
}

bool tm_addr_any(const uint8_t addr[16])
{
	static const uint8_t zero[16];

	return !memcmp(addr, zero, 16) || (tm_addr_is_v4(addr) && !memcmp(addr + 12, zero, 4));
}

static bool is_link_local(const uint8_t addr[16])
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

void tm_addr_out(uint16_t family, const uint8_t addr[16], uint16_t port, uint32_t ifindex,
		 struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = port };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = port };
	const void *from = &in;
	socklen_t n = sizeof(in);

	memcpy(&in.sin_addr, addr + 12, 4);
	if (family == AF_INET6) {
		memcpy(&in6.sin6_addr, addr, 16);
		in6.sin6_scope_id = is_link_local(addr) ? ifindex : 0;
		from = &in6;
		n = sizeof(in6);
	}
	if (*len) /* else there may be no place */
		memcpy(sa, from, *len < n ? *len : n);
	*len = n;
}

int tm_addr_in(uint16_t family, const struct sockaddr *sa, socklen_t len, struct tm_addr *a)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (len < (socklen_t)(family == AF_INET6 ? 24 : sizeof(*in))) /* RFC 2133 had no scope id */
		return -EINVAL;
	if (sa->sa_family != family)
		return -EAFNOSUPPORT;
	a->ifindex = 0;
	if (family == AF_INET6) {
		memcpy(a->ip, &in6->sin6_addr, 16);
		a->port = in6->sin6_port;
		if (len >= (socklen_t)sizeof(*in6) && is_link_local(a->ip))
			a->ifindex = in6->sin6_scope_id;
	} else {
		memcpy(a->ip, v4_prefix, 12);
		memcpy(a->ip + 12, &in->sin_addr, 4);
		a->port = in->sin_port;
	}
	return 0;
}

int tm_addr_room(const struct sockaddr *sa, const socklen_t *len)
{
	if (!len || (!sa && *len))
		return -EFAULT;
	return (int)*len < 0 ? -EINVAL : 0;
}

int toe_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	static const uint8_t zero[16];
	struct tm_sock *s = tm_sock_of(fd);
	int err;

	if (s && tm_has(s, TM_S_ANY_PORT)) /* it is told which, and may count on that */
		tm_clear(s, TM_S_ANY_PORT);
	if (!s || tm_has(s, TM_S_KERNEL) || tm_kind(s) == TM_EPOLL)
		return getsockname(fd, addr, len);
	err = tm_addr_room(addr, len);
	if (err)
		return (int)tm_ret(err);
	if (tm_kind(s) == TM_FLOW)
		tm_addr_out(s->family, s->fb->con.laddr, s->fb->con.lport, s->fb->con.ifindex, addr,
			    len);
	else if (tm_kind(s) == TM_CONNECT)
		tm_addr_out(s->family, s->laddr, s->lport, s->ifindex, addr, len);
	else
		tm_addr_out(s->family, zero, 0, 0, addr, len);
	return 0;
}

int toe_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct tm_sock *s = tm_sock_of(fd);
	uint8_t fl;
	int err;

	if (!s || tm_has(s, TM_S_KERNEL) || tm_kind(s) == TM_EPOLL)
		return getpeername(fd, addr, len);
	tm_connect_look(s);
	fl = tm_kind(s) == TM_FLOW ? toe_load_acquire(&s->fb->dev.flags) : 0;
	if (!(fl & TOE_FLOW_ESTABLISHED) || tm_ended(s))
		return (int)tm_ret(-ENOTCONN);
	err = tm_addr_room(addr, len);
	if (err)
		return (int)tm_ret(err);
	tm_addr_out(s->family, s->fb->con.raddr, s->fb->con.rport, s->fb->con.ifindex, addr, len);
	return 0;
}
