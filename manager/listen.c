/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bind and listen: the kernel socket decides whether the port may be had, toed whether the TOE
 * serves it.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "connect.h"
#include "toe.h"

static bool port_is_zero(const struct sockaddr *addr, socklen_t len)
{
	if (addr->sa_family == AF_INET6)
		return len >= sizeof(struct sockaddr_in6) &&
		       !((const struct sockaddr_in6 *)addr)->sin6_port;
	return len >= sizeof(struct sockaddr_in) && !((const struct sockaddr_in *)addr)->sin_port;
}

static int do_bind(struct tm_sock *s, int fd, const struct sockaddr *addr, socklen_t len)
{
	int err;

	if (tm_kind(s) == TM_EPOLL)
		return -ENOTSOCK;
	if (tm_kind(s) != TM_FRESH)
		tm_connect_renew(s);
	if (tm_kind(s) != TM_FRESH)
		return -EINVAL;
	tm_big_lock();
	err = tm_materialise(s, fd);
	if (!err)
		err = (int)tm_sys(bind(fd, addr, len));
	if (!err)
		tm_set(s, TM_S_BOUND | (port_is_zero(addr, len) ? TM_S_ANY_PORT : 0));
	tm_big_unlock();
	return err;
}

int toe_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct tm_sock *s = tm_sock_of(fd);

	return s ? (int)tm_ret(do_bind(s, fd, addr, len)) : bind(fd, addr, len);
}

/* As listen(2): silently at most somaxconn, and what the queues in the arena hold. */
static uint32_t clamp_backlog(int backlog)
{
	if (backlog < 0 || backlog > TOE_ACCEPT_RING)
		return TOE_ACCEPT_RING;
	return backlog ? (uint32_t)backlog : 1;
}

static void tell_backlog(struct tm_ctx *c, struct tm_sock *s, int backlog)
{
	uint32_t n = clamp_backlog(backlog);

	toe_store(&toe_arena_listener(tm_proc.arena, s->listener)->backlog, n);
	for (unsigned i = 0; i < tm_proc.nfpcs; i++)
		tm_push(c, i, TOE_SW_LISTEN, 0, 0, s->listener, n);
	tm_ctx_drain(c); /* after listen(2) nobody is refused */
}

/* toed took the port: the object is a listener now. Under tm_big. */
static void become_listener(struct tm_ctx *c, struct tm_sock *s, int fd, uint32_t index,
			    int backlog)
{
	struct toe_listener *l = toe_arena_listener(tm_proc.arena, index);

	tm_accept_drain(l);
	l->opts = s->opt.so;
	l->fo_keys = s->opt.fo_keys;
	toe_store(&l->waiters, 0);
	toe_store_release(&l->holders, tm_proc.bit);
	s->listener = index;
	/* accept looks at the kernel's queue too, and must not hang there. */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	toe_store_release(&s->kind, TM_LISTEN);
	toe_store_release(&tm_listeners[index], s);
	tell_backlog(c, s, backlog);
	tm_ep_listen(s, fd);
}

static int do_listen(struct tm_sock *s, int fd, int backlog)
{
	struct toe_adm_req req = { .type = TOE_ADM_REQ_LISTEN };
	struct toe_adm_ans ans;
	struct tm_ctx *c;
	int err;

	if (tm_kind(s) == TM_EPOLL)
		return -ENOTSOCK;
	if (tm_kind(s) != TM_FRESH && tm_kind(s) != TM_LISTEN)
		return -EINVAL;
	tm_big_lock();
	err = tm_materialise(s, fd);
	if (!err)
		err = (int)tm_sys(listen(fd, backlog));
	c = err ? NULL : tm_ctx_get(&err);
	if (err)
		goto out;
	if (tm_kind(s) == TM_LISTEN) {
		tell_backlog(c, s, backlog);
		goto out;
	}
	err = tm_has(s, TM_S_KERNEL_ONLY) ? -EOPNOTSUPP : tm_adm_call(&req, &ans, fd, NULL);
	if (!err && !(ans.flags & TOE_ADM_KERNEL) && ans.listener < TOE_MAX_LISTENERS) {
		become_listener(c, s, fd, ans.listener, backlog);
		goto out;
	}
	/* The kernel serves this socket alone, unless another owner of the port is in the way. */
	if (err != -EADDRINUSE && err != -EACCES)
		err = tm_to_kernel(s, fd);
out:
	tm_big_unlock();
	return err;
}

/* Of which family it is, 0: no kernel TCP socket. */
static int tcp_family(int fd)
{
	int domain = 0, proto = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &proto, &len) < 0 || proto != IPPROTO_TCP ||
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
		return 0;
	return domain;
}

/*
 * A kernel TCP socket from elsewhere (inherited over exec) may become a listener as well. Its number may
 * have become an object's meanwhile.
 */
static struct tm_sock *adopt(int fd)
{
	struct tm_sock *s;
	int family;

	if ((unsigned)fd >= TM_MAX_FD || !tm_attached())
		return NULL;
	tm_big_lock();
	s = tm_fds[fd];
	family = s ? 0 : tcp_family(fd);
	if (family)
		s = tm_sock_new(TM_FRESH);
	if (family && s) {
		s->family = (uint16_t)family;
		s->flags = TM_S_KERNEL | (fcntl(fd, F_GETFL) & O_NONBLOCK ? TM_S_NONBLOCK : 0);
		tm_fd_install(fd, s);
	}
	tm_big_unlock();
	return s;
}

int toe_listen(int fd, int backlog)
{
	struct tm_sock *s = tm_sock_of(fd);

	if (!s)
		s = adopt(fd);
	return s ? (int)tm_ret(do_listen(s, fd, backlog)) : listen(fd, backlog);
}
