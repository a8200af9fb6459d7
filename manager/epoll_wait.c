/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting on an epoll set.
 *
 * The ready list holds watches that may have something to tell. Harvesting asks each socket
 * (poll.c): what has nothing leaves the list, what is level-triggered stays on it. The real epoll
 * is looked at when the list has nothing, and every LOOK_EVERY calls otherwise.
 */
#include <unistd.h>

#include "ctx.h"
#include "toe.h"

enum {
	LOOK_EVERY = 16, /* a look costs a system call */
	MAX_ASK = 32, /* sockets that wait for room, asked for after one harvest */
};

/* A wait: its set may be closed meanwhile, and others have its number, or its memory. */
struct wait {
	struct tm_sock *s;
	struct tm_ep *ep;
	int fd;
};

static bool closed(const struct wait *w)
{
	return tm_unlikely(tm_sock_of(w->fd) != w->s);
}

static bool has_news(void *wait)
{
	const struct wait *w = wait;

	return closed(w) || tm_ready_any(w->ep);
}

/*
 * Sockets whose watch wants EPOLLOUT and has no room: the FPC is asked when the lock is released.
 */
struct asks {
	struct tm_sock *s[MAX_ASK];
	unsigned n;
};

static uint32_t ask_set(struct tm_ep *ep, unsigned ctx, struct asks *a);

/* One watch of a ready list: its events, 0 = nothing. Whether it stays there is the caller's. */
static uint32_t ask(struct tm_watch *w, unsigned ctx, struct asks *a)
{
	uint32_t want = tm_interest(w->events), mask = w->kernel;
	struct tm_sock *s = w->sock;

	mask |= tm_unlikely(tm_kind(s) == TM_EPOLL) ? ask_set(s->ep, ctx, a) : tm_poll(s, ctx);
	if (tm_unlikely(want & EPOLLOUT & ~mask) && a->n < MAX_ASK && tm_may_ask(s))
		a->s[a->n++] = s;
	return mask & want;
}

/* A nested set is readable when it would report something. Its list stays, for who waits on it. */
static tm_cold uint32_t ask_set(struct tm_ep *ep, unsigned ctx, struct asks *a)
{
	struct tm_watch *w;
	uint32_t any = 0;

	tm_spin_lock(&ep->lock);
	for (w = ep->ready.ready_next; w != &ep->ready && !any; w = w->ready_next)
		any = ask(w, ctx, a);
	tm_spin_unlock(&ep->lock);
	return any ? EPOLLIN | EPOLLRDNORM : 0;
}

static int harvest(struct tm_ctx *c, struct tm_ep *ep, struct epoll_event *ev, int max)
{
	struct asks a = { .n = 0 };
	struct tm_watch *w, *last;
	int n = 0;

	if (!tm_ready_any(ep))
		return 0;
	tm_spin_lock(&ep->lock);
	last = ep->ready.ready_prev; /* what is put back behind it waits for the next call */
	while (n < max && a.n < MAX_ASK && (w = ep->ready.ready_next) != &ep->ready) {
		uint32_t mask = ask(w, c->id, &a);
		bool end = w == last;

		tm_ready_del(w);
		w->kernel = 0;
		if (mask) {
			ev[n].events = mask;
			ev[n++].data.u64 = w->data;
			if (tm_unlikely(w->events & EPOLLONESHOT))
				toe_store(&w->events, w->events | TM_SPENT);
			else if (!(w->events & EPOLLET))
				tm_ready_add(ep, w);
		} else if (tm_unlikely(a.n == MAX_ASK)) {
			tm_ready_add(ep, w); /* a nested set may have more to ask for */
		}
		if (end)
			break;
	}
	tm_spin_unlock(&ep->lock);
	for (unsigned i = 0; i < a.n; i++)
		tm_ask_space(c, a.s[i]);
	return n;
}

/* The nudge has done its work when nobody is left in the real epoll. */
static void end_nudge(struct tm_ep *ep)
{
	tm_big_lock();
	if (ep->nudge >= 0 && !toe_load(&ep->ksleepers)) {
		epoll_ctl(ep->kfd, EPOLL_CTL_DEL, ep->nudge, NULL);
		close(ep->nudge);
		ep->nudge = -1;
		__atomic_fetch_sub(&ep->nkernel, 1, __ATOMIC_RELAXED);
	}
	tm_big_unlock();
}

/* Take our own tags out of what the real epoll gave; they make their watches ready. */
static int sift(struct tm_ep *ep, struct epoll_event *ev, int n)
{
	int kept = 0;

	for (int i = 0; i < n; i++) {
		struct tm_watch *w = ev[i].data.ptr;

		if (tm_likely(!tm_is_sock(w))) {
			ev[kept++] = ev[i];
		} else if ((void *)w == ep->sock) {
			end_nudge(ep);
		} else {
			tm_spin_lock(&ep->lock);
			if (w->ep == ep && w->in_kernel) {
				w->kernel |= ev[i].events;
				if (!w->ready_next)
					tm_ready_add(ep, w);
			}
			tm_spin_unlock(&ep->lock);
		}
	}
	return kept;
}

static int look(struct tm_ep *ep, int epfd, struct epoll_event *ev, int max)
{
	int n = epoll_wait(epfd, ev, max, 0);

	toe_store(&ep->calls, 0);
	return n > 0 ? sift(ep, ev, n) : 0;
}

static void bind_all(struct tm_ctx *c, struct tm_ep *ep, unsigned to)
{
	uint32_t from = ep->owner;

	toe_store(&ep->owner, to);
	toe_fence_full(); /* a flow that begins just now sees that, or is seen here */
	for (struct tm_watch *w = ep->all; w; w = w->all_next) {
		struct tm_sock *s = w->sock;
		uint8_t kind = tm_kind(s);

		if (kind == TM_FLOW && !toe_load(&s->waiters)) {
			tm_bind(c, s, to);
		} else if (kind == TM_EPOLL) {
			bind_all(c, s->ep, to);
		} else if (kind == TM_LISTEN) {
			uint64_t *waiters =
			    &toe_arena_listener(tm_proc.arena, s->listener)->waiters;

			if (from != TM_NO_CTX)
				__atomic_fetch_and(waiters, ~(1ull << from), __ATOMIC_ACQ_REL);
			__atomic_fetch_or(waiters, 1ull << to, __ATOMIC_ACQ_REL);
		}
	}
}

/* Connections that came before anybody wanted hints were told to nobody. */
static void look_at_listeners(struct tm_ep *ep)
{
	tm_spin_lock(&ep->lock);
	for (struct tm_watch *w = ep->all; w; w = w->all_next)
		if (tm_kind(w->sock) == TM_LISTEN && !w->ready_next)
			tm_ready_add(ep, w);
	tm_spin_unlock(&ep->lock);
}

/* The set's flows notify this context from now on, unless another thread waits and has them. */
static void own(struct tm_ctx *c, struct tm_ep *ep)
{
	tm_big_lock();
	if (ep->owner != c->id &&
	    (ep->owner == TM_NO_CTX || !(toe_load(&ep->waiters) >> ep->owner & 1))) {
		bind_all(c, ep, c->id);
		look_at_listeners(ep);
	}
	tm_big_unlock();
}

/* Leaving a set that others wait on: they must not depend on this thread coming back. */
static void leave(struct tm_ctx *c, struct tm_ep *ep, uint64_t others)
{
	if (toe_load(&ep->owner) == c->id) {
		tm_big_lock();
		bind_all(c, ep, (unsigned)__builtin_ctzll(others));
		tm_big_unlock();
		tm_flush(c);
	}
	if (tm_ready_any(ep))
		tm_ctx_wake(others);
}

/*
 * What there is now. The real epoll is looked at when `look_now`, or when that was not done for
 * some calls; a wait looks at it anyway.
 */
static int collect(struct tm_ctx *c, struct tm_ep *ep, int epfd, struct epoll_event *ev, int max,
		   bool look_now)
{
	int n = 0;

	tm_ctx_poll(c);
	toe_store(&ep->calls, toe_load(&ep->calls) + 1);
	if (look_now || toe_load(&ep->calls) >= LOOK_EVERY)
		n = toe_load(&ep->nkernel) ? look(ep, epfd, ev, max) : 0;
	return n < max ? n + harvest(c, ep, ev + n, max - n) : n;
}

/* A wait on the set that may be cancelled: others go on waiting. */
static void cancelled(void *arg)
{
	struct tm_ep *ep = arg;
	uint64_t others =
	    __atomic_and_fetch(&ep->waiters, ~(1ull << tm_self->id), __ATOMIC_SEQ_CST);

	if (others)
		leave(tm_self, ep, others);
}

static int wait_news(struct tm_ctx *c, struct wait *w, uint64_t deadline)
{
	int r;

	pthread_cleanup_push(cancelled, w->ep);
	r = tm_wait(c, has_news, w, w->fd, deadline);
	pthread_cleanup_pop(0);
	return r;
}

static void kernel_cancelled(void *arg)
{
	struct tm_ep *ep = arg;

	__atomic_fetch_sub(&ep->ksleepers, 1, __ATOMIC_SEQ_CST);
}

static int wait_alone(const struct wait *w, struct epoll_event *ev, int max, int timeout)
{
	int n;

	pthread_cleanup_push(kernel_cancelled, w->ep);
	n = (int)tm_sys(epoll_wait(w->fd, ev, max, timeout));
	pthread_cleanup_pop(0);
	return n;
}

static int wait_toe(struct tm_ctx *c, struct wait *w, struct epoll_event *ev, int max,
		    uint64_t deadline, bool poll)
{
	uint64_t me = 1ull << c->id, others;
	struct tm_ep *ep = w->ep;
	bool last = poll;
	int n, r = 0;

	tm_flush(c);
	if (tm_unlikely(toe_load(&ep->owner) != c->id))
		own(c, ep);
	if (tm_unlikely(toe_load(&c->sh->flows_hint) != toe_load(&ep->nwatches)))
		toe_store(&c->sh->flows_hint, toe_load(&ep->nwatches));
	for (;;) {
		n = closed(w) ? -EBADF : collect(c, ep, w->fd, ev, max, last || r == 1);
		if (n || last)
			break;
		__atomic_fetch_or(&ep->waiters, me, __ATOMIC_SEQ_CST);
		if (tm_unlikely(toe_load(&ep->owner) !=
				c->id)) /* the owner may have left before it saw us */
			own(c, ep);
		r = wait_news(c, w, deadline);
		others = __atomic_and_fetch(&ep->waiters, ~me, __ATOMIC_SEQ_CST);
		last = r < 0;
	}
	if (!n && r == -EINTR)
		n = r;
	if (!n && poll)
		tm_glance(c);
	others = toe_load(&ep->waiters);
	if (tm_unlikely(others))
		leave(c, ep, others);
	/*
	 * All but the last answer to these events may wait for their doorbell; the next call rings
	 * it at the latest.
	 */
	c->defer = n > 1 ? (uint32_t)n - 1 : 0;
	return n;
}

/* No TOE socket in the set: the kernel alone waits. -EAGAIN: that has changed. */
static int wait_kernel(const struct wait *w, struct epoll_event *ev, int max, int timeout)
{
	struct tm_ep *ep = w->ep;
	int n = 0;

	__atomic_fetch_add(&ep->ksleepers, 1, __ATOMIC_SEQ_CST);
	if (closed(w))
		n = -EBADF;
	else if (!toe_load(&ep->nwatches))
		n = wait_alone(w, ev, max, timeout);
	else
		timeout = -1;
	__atomic_fetch_sub(&ep->ksleepers, 1, __ATOMIC_SEQ_CST);
	if (n > 0)
		n = sift(ep, ev, n);
	else if (!n && timeout >= 0 && !toe_load(&ep->nwatches))
		return 0;
	return n ? n : -EAGAIN;
}

static int do_wait(struct tm_sock *s, int epfd, struct epoll_event *ev, int max, int timeout)
{
	struct wait w = { s, s->ep, epfd };
	uint64_t deadline = timeout > 0 ? tm_now_us() + (uint64_t)timeout * 1000 : 0;
	struct tm_ctx *c;
	int n, err;

	if (max <= 0)
		return -EINVAL;
	if (!ev)
		return -EFAULT;
	if (!toe_load(&w.ep->nwatches)) {
		if (tm_self)
			tm_flush(tm_self);
		n = wait_kernel(&w, ev, max, timeout);
		if (n != -EAGAIN)
			return n;
	}
	c = tm_ctx_get(&err);
	return c ? wait_toe(c, &w, ev, max, deadline, !timeout) : err;
}

int toe_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
{
	struct tm_sock *s = tm_sock_of(epfd);

	if (!s || tm_kind(s) != TM_EPOLL)
		return epoll_wait(epfd, events, max, timeout_ms);
	return (int)tm_ret(do_wait(s, epfd, events, max, timeout_ms));
}
