/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a thread waits: spin for a while, yielding the CPU between looks, then sleep on the context's
 * eventfd by the protocol of abi/cmd.h. An idle process uses no CPU.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "connect.h"

enum {
	LOOK_EVERY = 16
}; /* yields of a spin between looks at kernel descriptors, which cost a system call */

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&p, 1, 0) > 0;
}

/* 0: cond; 1: kfd; -EAGAIN: deadline; -EBUSY: nothing happened for TM_SPIN_US. */
static int spin(struct tm_ctx *c, bool (*cond)(void *), void *arg, int kfd, uint64_t deadline)
{
	uint64_t now = tm_now_us(), end = now + TM_SPIN_US;

	for (unsigned i = 1; now < end; i++) {
		sched_yield();
		tm_ctx_poll(c);
		if (cond(arg))
			return 0;
		if (i % LOOK_EVERY == 0 && readable(kfd))
			return 1;
		now = tm_now_us();
		if (deadline && now >= deadline)
			return -EAGAIN;
	}
	return -EBUSY;
}

/*
 * The context's own epoll waits for its eventfd and for one descriptor more, which seldom changes.
 */
static void wait_for_too(struct tm_ctx *c, int kfd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = kfd };
	int before = toe_load(&c->kfd);

	if (tm_likely(before == kfd))
		return;
	/* First: who closes it meanwhile must see that it is waited for. */
	toe_store(&c->kfd, kfd);
	if (before >= 0)
		epoll_ctl(c->cfd, EPOLL_CTL_DEL, before, NULL);
	if (kfd >= 0)
		epoll_ctl(c->cfd, EPOLL_CTL_ADD, kfd, &ev);
}

void tm_ctx_forget_fd(int fd)
{
	for (unsigned i = 0; i < TOE_MAX_CTXS; i++) {
		struct tm_ctx *c = &tm_ctxs[i];

		if (!toe_load_acquire(&c->used) || toe_load(&c->kfd) != fd)
			continue;
		epoll_ctl(c->cfd, EPOLL_CTL_DEL, fd, NULL);
		toe_store(&c->kfd, -1);
	}
}

/* One sleep. As tm_wait; -EBUSY: woken, but not by anything that was waited for. */
static int nap(struct tm_ctx *c, bool (*cond)(void *), void *arg, int kfd, uint64_t deadline,
	       const sigset_t *mask)
{
	struct epoll_event ev[3];
	struct timespec t, *timeout = NULL;
	uint64_t now;
	bool kernel = false;
	int r = 0;

	if (deadline) {
		now = tm_now_us();
		if (now >= deadline)
			return -EAGAIN;
		t.tv_sec = (time_t)((deadline - now) / 1000000);
		t.tv_nsec = (long)((deadline - now) % 1000000 * 1000);
		timeout = &t;
	}
	wait_for_too(c, kfd);
	toe_store(&c->sh->sleep.sleeping, 1);
	toe_fence_full();
	tm_ctx_poll(c);
	if (!cond(arg))
		r = (int)tm_sys(epoll_pwait2(c->cfd, ev, 3, timeout, mask));
	toe_store(&c->sh->sleep.sleeping, 0);
	for (int i = 0; i < r; i++)
		if (ev[i].data.fd == kfd)
			kernel = true;
		else if (tm_unlikely(ev[i].data.fd == tm_proc.adm))
			tm_toed_lost(c);
	tm_ctx_poll(c);
	if (cond(arg))
		return 0;
	if (kernel)
		return 1;
	return r < 0 ? r : -EBUSY;
}

/*
 * An FPC on this very CPU can only run while we do not: spinning would take from it what we wait
 * for. It wakes us for batches, which costs less than to look for them.
 */
static bool fpc_is_here(const struct tm_ctx *c)
{
	uint32_t cpu = (uint32_t)sched_getcpu() + 1;

	for (unsigned i = 0; i < c->nfpcs; i++)
		if (toe_load(&tm_proc.hdr->fpc[i].cpu) == cpu)
			return true;
	return false;
}

/*
 * Signals are blocked while spinning and let in by the sleep, so that one that arrives at any
 * moment of the wait ends it.
 */
static int spin_and_nap(struct tm_ctx *c, bool (*cond)(void *), void *arg, int kfd,
			uint64_t deadline)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = spin(c, cond, arg, kfd, deadline);
	while (r == -EBUSY)
		r = nap(c, cond, arg, kfd, deadline, &old);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

int tm_wait(struct tm_ctx *c, bool (*cond)(void *), void *arg, int kfd, uint64_t deadline)
{
	int r;

	tm_flush(c);
	tm_ctx_poll(c);
	if (cond(arg))
		return 0;
	if (!fpc_is_here(c))
		return spin_and_nap(c, cond, arg, kfd, deadline);
	do
		r = nap(c, cond, arg, kfd, deadline, NULL);
	while (r == -EBUSY);
	return r;
}

struct sock_cond {
	struct tm_sock *s;
	uint32_t serial; /* the life of it that is waited for */
	int fd;
	bool (*cond)(struct tm_sock *s);
};

static bool closed(const struct sock_cond *w)
{
	return tm_sock_of(w->fd) != w->s || toe_load(&w->s->serial) != w->serial;
}

static bool sock_cond(void *arg)
{
	struct sock_cond *w = arg;

	return tm_unlikely(closed(w)) || w->cond(w->s);
}

/* A BIND that another context's ring still holds would undo ours: let the FPC take it first. */
static void await_bind(struct tm_ctx *c, struct tm_sock *s)
{
	struct toe_doorbell *db;
	uint64_t end = tm_now_us() + 1000000;

	if (s->bind_ctx == TM_NO_CTX || s->bind_ctx == c->id)
		return;
	db = &toe_arena_ctx(tm_proc.arena, s->bind_ctx)->fpc[s->fpc].sw.db;
	for (unsigned i = 0;
	     (int32_t)(toe_load_acquire(&db->tail) - s->bind_pos) < 0 && tm_now_us() < end; i++) {
		if (i % 64 == 0 && !tm_ring(tm_proc.fpc_evfd[s->fpc]) && errno != EAGAIN)
			return;
		tm_relax(i);
	}
}

void tm_bind(struct tm_ctx *c, struct tm_sock *s, unsigned to)
{
	if (toe_load(&s->fb->app.ctx) == to)
		return;
	tm_flow_lock(s);
	await_bind(c, s);
	/*
	 * What is on its way to the other context counts as seen: whoever binds looks at the flow
	 * next.
	 */
	toe_store(&s->fb->app.seen_seq, toe_load(&s->fb->dev.notify_seq));
	toe_store(&s->fb->app.ctx, to);
	toe_fence_full();
	tm_push_flow(c, s, TOE_SW_BIND, 0, to);
	if (tm_has(s, TM_S_WANT_SPACE)) /* the answer may have gone to the other context */
		tm_push_flow(c, s, TOE_SW_SEND, TOE_SEND_WANT_SPACE, toe_load(&s->fb->app.tx_end));
	s->bind_ctx = (uint8_t)c->id;
	s->bind_pos = c->r[s->fpc].sw_head;
	tm_flow_unlock(s);
}

/* Start to wait: whoever waits first gets the notifications, and wakes the others. */
static void wait_begin(struct tm_ctx *c, struct tm_sock *s)
{
	uint64_t me = 1ull << c->id;
	uint64_t before = __atomic_fetch_or(&s->waiters, me, __ATOMIC_SEQ_CST);

	if (tm_kind(s) == TM_FLOW && !(before & ~me))
		tm_bind(c, s, c->id);
	else if (tm_kind(s) == TM_LISTEN)
		__atomic_fetch_or(&toe_arena_listener(tm_proc.arena, s->listener)->waiters, me,
				  __ATOMIC_SEQ_CST);
}

static void wait_end(struct tm_ctx *c, struct tm_sock *s)
{
	uint64_t me = 1ull << c->id;
	uint64_t left = __atomic_and_fetch(&s->waiters, ~me, __ATOMIC_SEQ_CST);
	unsigned to;

	if (tm_kind(s) == TM_FLOW) {
		to = left ? (unsigned)__builtin_ctzll(left) : tm_ep_wants(s);
		if (to != TM_NO_CTX)
			tm_bind(c, s, to);
	} else if (tm_kind(s) == TM_LISTEN && tm_ep_wants(s) != c->id) {
		__atomic_fetch_and(&toe_arena_listener(tm_proc.arena, s->listener)->waiters, ~me,
				   __ATOMIC_SEQ_CST);
	}
}

/* The thread is cancelled: others do not wait for what would come to it. */
static void cancelled(void *arg)
{
	struct sock_cond *w = arg;

	if (tm_kind(w->s) == TM_CONNECT)
		tm_connect_await(tm_self, w->s);
	tm_big_lock(); /* it may have been closed meanwhile */
	wait_end(tm_self, w->s);
	tm_big_unlock();
}

enum { SHARED_LOOK_US = 50000 };

/*
 * The news of a flow go to one process. Where others hold it, which may have that and do nothing with it,
 * a waiting thread looks itself now and then: until when it sleeps first.
 */
static uint64_t next_look(const struct tm_sock *s, uint64_t deadline)
{
	uint64_t next;

	if (tm_likely(tm_kind(s) != TM_FLOW || toe_load(&s->fb->app.holders) == tm_proc.bit))
		return deadline;
	next = tm_now_us() + SHARED_LOOK_US;
	return deadline && deadline < next ? deadline : next;
}

int tm_sock_wait(struct tm_ctx *c, struct tm_sock *s, int fd, bool (*cond)(struct tm_sock *),
		 int kfd, uint64_t deadline)
{
	struct sock_cond w = { s, toe_load(&s->serial), fd, cond };
	uint64_t until;
	int r;

	wait_begin(c, s);
	pthread_cleanup_push(cancelled, &w);
	do {
		until = next_look(s, deadline);
		r = tm_wait(c, sock_cond, &w, kfd, until);
	} while (r == -EAGAIN && until != deadline);
	pthread_cleanup_pop(0);
	if (tm_unlikely(closed(&w))) {
		/* It may live on in another descriptor: who waits there must have what was ours. */
		tm_big_lock();
		wait_end(c, s);
		tm_big_unlock();
		return tm_sock_of(fd) == s ? -EPIPE : -EBADF;
	}
	wait_end(c, s);
	return r;
}
