/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Life of a socket: born undecided, it becomes a listener, a TOE connection or the kernel's, and
 * ends with its last descriptor.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "connect.h"
#include "toe.h"

enum { LINGER_STEP_US = 20000 };

static void dup_over(int fd, void *arg)
{
	int flags = fcntl(fd, F_GETFD);

	dup3(*(int *)arg, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
}

int tm_materialise(struct tm_sock *s, int fd)
{
	int k;

	if (tm_fds[fd] != s)
		return -EBADF;
	if (tm_has(s, TM_S_KERNEL))
		return 0;
	if (tm_kind(s) != TM_FRESH)
		return -EINVAL;
	k = socket(s->family,
		   SOCK_STREAM | SOCK_CLOEXEC | (tm_has(s, TM_S_NONBLOCK) ? SOCK_NONBLOCK : 0), 0);
	if (k < 0)
		return -errno;
	tm_opts_to_kernel(s, k);
	tm_each_fd(s, dup_over, &k);
	close(k);
	tm_set(s, TM_S_KERNEL);
	return 0;
}

static void uninstall(int fd, void *arg)
{
	toe_store_release(&tm_fds[fd], NULL);
}

int tm_to_kernel(struct tm_sock *s, int fd)
{
	int err = tm_materialise(s, fd);

	if (!err && tm_kind(s) == TM_LISTEN)
		err = -EISCONN;
	if (err)
		return err;
	tm_ep_to_kernel(s, fd);
	tm_each_fd(s, uninstall, NULL);
	tm_sock_free(s);
	return 0;
}

void tm_flow_begin(struct tm_sock *s, uint32_t flow, uint16_t gen, uint8_t ctx)
{
	struct toe_flow_block *fb = toe_arena_flow(tm_proc.arena, flow);

	toe_store(&fb->app.rx_read, 0);
	toe_store(&fb->app.rx_told, 0);
	toe_store(&fb->app.tx_end, 0);
	toe_store(&fb->app.lock, 0);
	toe_store(&fb->app.ctx, ctx);
	toe_store(&fb->app.seen_seq, toe_load(&fb->dev.notify_seq));
	toe_store_release(&fb->app.holders, tm_proc.bit);
	toe_fence_full();
	s->fb = fb;
	s->flow = flow;
	s->gen = gen;
	s->fpc = fb->con.fpc;
	toe_store(&s->ev_rx, (uint32_t)toe_load(&fb->dev.rx_end));
	toe_store(&s->ev_flags, toe_load(&fb->dev.flags)); /* what is so already, is no news */
	toe_store(&s->oob_taken, 0);
	toe_store(&s->oob_mark, 0);
	tm_clear(s, TM_S_WANT_SPACE | TM_S_ERROR_TAKEN);
	if (tm_has(s, TM_S_STAMPS))
		tm_stamp_begin(s);
	toe_store_release(&tm_flows[flow], s);
	toe_store_release(&s->kind, TM_FLOW); /* last: from now on others may close it */
}

void tm_flow_end(struct tm_sock *s, bool abort)
{
	struct toe_flow_app *a = &s->fb->app;
	uint64_t left = __atomic_and_fetch(&a->holders, ~tm_proc.bit, __ATOMIC_ACQ_REL);
	struct tm_ctx *c;
	int err;

	toe_store_release(&tm_flows[s->flow], NULL);
	if (left)
		return;
	c = tm_ctx_get(&err);
	if (!c) /* toed resets the flow when this process ends */
		return;
	if (abort || s->opt.linger_s == 0) {
		tm_push_flow(c, s, TOE_SW_ABORT, 0, 0);
		return;
	}
	/* Repeat what another context's ring may still hold: CLOSE must not overtake it. */
	if (s->tx_ctx != TM_NO_CTX && s->tx_ctx != c->id)
		tm_push_flow(c, s, TOE_SW_SEND, 0, toe_load(&a->tx_end));
	if (toe_load(&a->rx_told) != toe_load(&a->rx_read) || s->tx_ctx != c->id)
		tm_push_flow(c, s, TOE_SW_RECV, 0, toe_load(&a->rx_read));
	tm_push_flow(c, s, TOE_SW_CLOSE, 0, toe_load(&a->tx_end));
}

int tm_unlisten(struct tm_sock *s)
{
	struct toe_listener *l = toe_arena_listener(tm_proc.arena, s->listener);
	struct toe_adm_req req = { .type = TOE_ADM_REQ_UNLISTEN, .listener = s->listener };
	struct toe_adm_ans ans;
	struct tm_ctx *c;
	int err;

	toe_store_release(&tm_listeners[s->listener], NULL);
	for (unsigned i = 0; i < TOE_MAX_CTXS; i++)
		if (toe_load(&tm_ctxs[i].used))
			__atomic_fetch_and(&l->waiters, ~(1ull << i), __ATOMIC_ACQ_REL);
	if (__atomic_and_fetch(&l->holders, ~tm_proc.bit, __ATOMIC_ACQ_REL))
		return 0;
	c = tm_ctx_get(&err);
	for (unsigned i = 0; c && i < tm_proc.nfpcs; i++)
		tm_push(c, i, TOE_SW_LISTEN, 0, 0, s->listener, 0);
	if (c)
		tm_flush(c);
	return tm_adm_call(&req, &ans, -1, NULL);
}

void tm_release(struct tm_sock *s, int fd)
{
	uint8_t kind = tm_kind(s);

	tm_ep_forget(s);
	if (kind == TM_CONNECT) {
		tm_set(s, TM_S_ORPHAN);
		toe_fence_full();
		kind = tm_kind(s); /* the flow becomes known just now: one of the two ends it */
		if (kind == TM_CONNECT || !tm_take(s, TM_S_ORPHAN))
			return;
	}
	if (kind == TM_FLOW)
		tm_flow_end(s, false);
	else if (kind == TM_LISTEN)
		tm_unlisten(s);
	else if (kind == TM_EPOLL)
		tm_ep_free(s->ep);
	tm_sock_free(s);
}

/* A socket of which nothing is decided. Descriptor or -errno. */
static int fresh(int domain, int type)
{
	struct tm_sock *s;
	int fd = tm_placeholder(type);

	if (fd < 0)
		return fd;
	s = tm_sock_new(TM_FRESH);
	if (!s) {
		close(fd);
		return -ENFILE;
	}
	s->family = (uint16_t)domain;
	s->flags = type & SOCK_NONBLOCK ? TM_S_NONBLOCK : 0;
	tm_fd_install(fd, s);
	return fd;
}

int toe_socket(int domain, int type, int protocol)
{
	int base = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), fd;

	if ((domain != AF_INET && domain != AF_INET6) || base != SOCK_STREAM ||
	    (protocol && protocol != IPPROTO_TCP))
		return tm_fd_kernel(socket(domain, type, protocol));
	if (toe_load_acquire(&tm_proc.state) == TM_UNKNOWN)
		tm_attach(NULL);
	if (!tm_attached())
		return socket(domain, type, protocol);
	tm_big_lock();
	fd = fresh(domain, type);
	tm_big_unlock();
	return (int)tm_ret(fd);
}

/* The peer has everything, our FIN too, or never will. */
static bool lingered(struct tm_sock *s)
{
	uint8_t state = toe_load_acquire(&s->fb->dev.state);

	if (toe_load_acquire(&s->fb->dev.flags) & (TOE_FLOW_ERROR | TOE_FLOW_CLOSED))
		return true;
	return state == TOE_TCP_FIN_WAIT_2 || state == TOE_TCP_TIME_WAIT || state == TOE_TCP_CLOSED;
}

/*
 * SO_LINGER with a time: the last close waits until all is acknowledged, also of a non-blocking
 * socket, as Linux has it. Acknowledgements are not notified, so it looks again now and then.
 */
static void linger(struct tm_sock *s, int fd)
{
	uint64_t end = tm_now_us() + (uint64_t)s->opt.linger_s * 1000000, step = 100, now;
	int err;
	struct tm_ctx *c = tm_ctx_get(&err);

	if (!c || toe_load(&s->fb->app.holders) != tm_proc.bit || tm_rx_avail(s))
		return;
	tm_flow_lock(s);
	tm_set(s, TM_S_SHUT_WR);
	tm_push_flow(c, s, TOE_SW_SHUTDOWN, 0, toe_load(&s->fb->app.tx_end));
	tm_flow_unlock(s);
	while (!lingered(s) && (now = tm_now_us()) < end) {
		err = tm_sock_wait(c, s, fd, lingered, -1, now + step < end ? now + step : end);
		if (err != -EAGAIN)
			return;
		step = step < LINGER_STEP_US ? step * 2 : LINGER_STEP_US;
	}
}

static void find_fd(int fd, void *arg)
{
	*(int *)arg = fd;
}

uint64_t tm_fd_remove(int fd, struct tm_sock *s)
{
	uint64_t waiters;

	toe_store_release(&tm_fds[fd], NULL);
	toe_fence_full(); /* who begins to wait sees that, or is seen here */
	waiters = toe_load(&s->waiters);
	if (tm_kind(s) == TM_EPOLL)
		waiters |= toe_load(&s->ep->waiters);
	if (tm_kind(s) == TM_EPOLL || tm_has(s, TM_S_KERNEL)) /* one that has listened, too */
		tm_ctx_forget_fd(fd);
	if (--s->refs) {
		tm_ep_fd_closed(s, fd);
		if (tm_kind(s) == TM_EPOLL && s->ep->kfd == fd)
			tm_each_fd(s, find_fd, &s->ep->kfd);
	} else {
		tm_release(s, fd);
	}
	return waiters;
}

int toe_close(int fd)
{
	struct tm_sock *s = tm_sock_of(fd);
	uint64_t waiters;
	int r;

	if (!s)
		return close(fd);
	if (tm_kind(s) == TM_FLOW && s->opt.linger_s > 0 && s->refs == 1 &&
	    toe_load_acquire(&s->fb->dev.flags) & TOE_FLOW_ESTABLISHED) {
		int cancel = tm_uncancellable(); /* it closes in any case */

		linger(s, fd);
		tm_cancellable(cancel);
	}
	/* Its flow may be known by now: nobody might look later, and the handshake would go on. */
	tm_connect_look(s);
	tm_big_lock();
	if (tm_fds[fd] != s) {
		/* Now it is the kernel's or nobody's, or a new socket's, which is not what is meant. */
		r = tm_fds[fd] ? (int)tm_ret(-EBADF) : close(fd);
		tm_big_unlock();
		return r;
	}
	waiters = tm_fd_remove(fd, s);
	r = close(fd);
	tm_big_unlock();
	if (waiters)
		tm_ctx_wake(waiters);
	return r;
}

void tm_stop_listening(struct tm_sock *s, int fd)
{
	tm_big_lock();
	if (tm_kind(s) == TM_LISTEN) {
		tm_unlisten(s);
		if (!tm_has(s, TM_S_NONBLOCK)) /* see become_listener */
			fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
		toe_store_release(&s->kind, TM_FRESH);
	}
	tm_big_unlock();
}

/*
 * Linux: shutting down a listener for reading ends its listening. toed has seen to the kernel's half, too,
 * unless other processes hold the listener: a second time it would be an error.
 */
static int shut_listener(struct tm_sock *s, int fd, int how)
{
	int listens = 1;
	socklen_t len = sizeof(listens);

	tm_stop_listening(s, fd);
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
	return listens ? shutdown(fd, how) : 0;
}

/* As Linux: of a non-blocking connect this takes note, as another connect would. */
static void shut(struct tm_ctx *c, struct tm_sock *s, int how)
{
	if (toe_load_acquire(&s->fb->dev.flags) & TOE_FLOW_ESTABLISHED)
		tm_set(s, TM_S_CONNECTED);
	if (how != SHUT_WR)
		tm_set(s, TM_S_SHUT_RD);
	if (how == SHUT_RD && !tm_has(s, TM_S_SHUT_WR)) /* what comes is taken, and acknowledged */
		return;
	tm_flow_lock(s);
	tm_set(s, TM_S_SHUT_WR);
	tm_push_flow(c, s, TOE_SW_SHUTDOWN, tm_has(s, TM_S_SHUT_RD) ? TOE_SHUT_BOTH : 0,
		     toe_load(&s->fb->app.tx_end));
	tm_flow_unlock(s);
}

int toe_shutdown(int fd, int how)
{
	struct tm_sock *s = tm_sock_of(fd);
	struct tm_ctx *c;
	int err;

	if (s && tm_kind(s) == TM_LISTEN && (how == SHUT_RD || how == SHUT_RDWR))
		return shut_listener(s, fd, how);
	if (!s || tm_has(s, TM_S_KERNEL))
		return shutdown(fd, how);
	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return (int)tm_ret(-EINVAL);
	if (tm_kind(s) == TM_EPOLL)
		return (int)tm_ret(-ENOTSOCK);
	if (tm_kind(s) == TM_FRESH)
		return (int)tm_ret(-ENOTCONN);
	c = tm_ctx_get(&err);
	if (!c)
		return (int)tm_ret(err);
	if (tm_kind(s) == TM_CONNECT)
		tm_connect_await(c, s);
	if (tm_kind(s) != TM_FLOW || tm_ended(s))
		return (int)tm_ret(-ENOTCONN);
	if (!tm_connect_give_up(s))
		shut(c, s, how);
	tm_ep_event(s, ~0u, c);
	tm_ctx_wake(toe_load(&s->waiters));
	return 0;
}
