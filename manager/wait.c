/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a thread waits: spin for a while, yielding the CPU between looks, then sleep on the context's eventfd by the
 * protocol of abi/cmd.h. An idle process uses no CPU.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "ctx.h"

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

/* One sleep. As tm_wait; -EBUSY: woken, but not by anything that was waited for. */
static int nap(struct tm_ctx *c, bool (*cond)(void *), void *arg, int kfd, uint64_t deadline,
	       const sigset_t *mask)
{
	struct pollfd p[2] = { { .fd = c->evfd, .events = POLLIN },
			       { .fd = kfd, .events = POLLIN } };
	struct timespec t, *timeout = NULL;
	uint64_t now, junk;
	int r = 0;

	if (deadline) {
		now = tm_now_us();
		if (now >= deadline)
			return -EAGAIN;
		t.tv_sec = (time_t)((deadline - now) / 1000000);
		t.tv_nsec = (long)((deadline - now) % 1000000 * 1000);
		timeout = &t;
	}
	toe_store(&c->sh->sleep.sleeping, 1);
	toe_fence_full();
	tm_ctx_poll(c);
	if (!cond(arg))
		r = (int)tm_sys(ppoll(p, 2, timeout, mask));
	toe_store(&c->sh->sleep.sleeping, 0);
	if (r > 0 && p[0].revents && read(c->evfd, &junk, sizeof(junk)) < 0 && errno != EAGAIN)
		return -errno;
	tm_ctx_poll(c);
	if (cond(arg))
		return 0;
	if (r > 0 && p[1].revents)
		return 1;
	return r < 0 ? r : -EBUSY;
}

/*
 * Signals are blocked while spinning and let in by the sleep, so that one that arrives at any moment of the wait
 * ends it.
 */
int tm_wait(struct tm_ctx *c, bool (*cond)(void *), void *arg, int kfd, uint64_t deadline)
{
	sigset_t all, old;
	int r;

	tm_flush(c);
	tm_ctx_poll(c);
	if (cond(arg))
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = spin(c, cond, arg, kfd, deadline);
	while (r == -EBUSY)
		r = nap(c, cond, arg, kfd, deadline, &old);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

struct sock_cond {
	struct tm_sock *s;
	int fd;
	bool (*cond)(struct tm_sock *s);
};

static bool sock_cond(void *arg)
{
	struct sock_cond *w = arg;

	return tm_unlikely(tm_sock_of(w->fd) != w->s) || w->cond(w->s);
}

/* A BIND that another context's ring still holds would undo ours: let the FPC take it first. */
static void await_bind(struct tm_ctx *c, struct tm_sock *s)
{
	struct toe_doorbell *db;
	uint64_t end = tm_now_us() + 1000000, one = 1;

	if (s->bind_ctx == TM_NO_CTX || s->bind_ctx == c->id)
		return;
	db = &toe_arena_ctx(tm_proc.arena, s->bind_ctx)->fpc[s->fpc].sw.db;
	for (unsigned i = 0;
	     (int32_t)(toe_load_acquire(&db->tail) - s->bind_pos) < 0 && tm_now_us() < end; i++) {
		if (i % 64 == 0 && write(tm_proc.fpc_evfd[s->fpc], &one, sizeof(one)) < 0 &&
		    errno != EAGAIN)
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
	toe_store(&s->fb->app.ctx, to);
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

int tm_sock_wait(struct tm_ctx *c, struct tm_sock *s, int fd, bool (*cond)(struct tm_sock *),
		 int kfd, uint64_t deadline)
{
	struct sock_cond w = { s, fd, cond };
	int r;

	wait_begin(c, s);
	r = tm_wait(c, sock_cond, &w, kfd, deadline);
	if (tm_sock_of(fd) != s)
		return -EBADF;
	wait_end(c, s);
	return r;
}
