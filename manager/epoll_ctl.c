/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Epoll sets: making them, and who is watched.
 *
 * A listener (its kernel socket) and a nested set are in the real epoll as well, tagged with the
 * address of their watch. Whatever else is there carries the application's data, which cannot be an
 * address of ours.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ctx.h"
#include "toe.h"

/*
 * Free ones are never given back to the system, as who dispatches may still look at one; and wait in line
 * for a new life, as sockets do.
 */
enum { REST = 32 };
enum { MAX_NESTS = 4 }; /* sets beneath a set, as in Linux */
static struct tm_ep *first_free, *last_free;
static unsigned nfree;

static void rest(struct tm_ep *ep)
{
	ep->next_free = NULL;
	if (nfree++)
		last_free->next_free = ep;
	else
		first_free = ep;
	last_free = ep;
}

static struct tm_ep *rested(void)
{
	struct tm_ep *ep = first_free;

	if (nfree <= REST)
		return aligned_alloc(TOE_CACHELINE, TOE_ALIGN_UP(sizeof(*ep), TOE_CACHELINE));
	first_free = ep->next_free;
	nfree--;
	return ep;
}

static struct tm_ep *ep_new(struct tm_sock *s, int kfd)
{
	struct tm_ep *ep = rested();

	if (!ep)
		return NULL;
	*ep = (struct tm_ep){ .owner = TM_NO_CTX, .kfd = kfd, .nudge = -1, .sock = s };
	ep->ready.ready_next = ep->ready.ready_prev = &ep->ready;
	return ep;
}

/* The object of a set whose descriptor is there. 0 or -ENOMEM. */
static int set_new(int fd)
{
	struct tm_sock *s = tm_sock_new(TM_EPOLL);

	if (!s)
		return -ENOMEM;
	s->ep = ep_new(s, fd);
	if (!s->ep) {
		tm_sock_free(s);
		return -ENOMEM;
	}
	tm_fd_install(fd, s);
	return 0;
}

int toe_epoll_create1(int flags)
{
	int fd, err;

	if (toe_load_acquire(&tm_proc.state) == TM_KERNEL)
		return epoll_create1(flags);
	tm_big_lock(); /* a number without an object is the kernel's for other threads */
	fd = (int)tm_sys(epoll_create1(flags));
	err = fd >= 0 && fd < TM_MAX_FD ? set_new(fd) : 0;
	if (err)
		close(fd);
	tm_big_unlock();
	return (int)tm_ret(err ? err : fd);
}

static struct tm_watch *find(struct tm_sock *s, const struct tm_ep *ep, int fd)
{
	for (struct tm_watch *w = &s->watch; w; w = w->more)
		if (w->ep == ep && w->fd == fd)
			return w;
	return NULL;
}

static struct tm_watch *watch_new(struct tm_sock *s)
{
	struct tm_sock *box;

	if (!s->watch.ep)
		return &s->watch;
	box = tm_sock_new(TM_WATCH);
	if (!box)
		return NULL;
	box->watch.sock = s;
	box->watch.more = s->watch.more;
	toe_store_release(&s->watch.more, &box->watch);
	return &box->watch;
}

static void watch_free(struct tm_sock *s, struct tm_watch *w)
{
	struct tm_watch *p = &s->watch;

	if (w == p)
		return;
	while (p->more != w)
		p = p->more;
	toe_store_release(&p->more, w->more);
	tm_sock_free((struct tm_sock *)((char *)w - offsetof(struct tm_sock, watch)));
}

static int kernel_ctl(struct tm_ep *ep, int op, struct tm_watch *w)
{
	struct epoll_event ev = { .events = w->events & (EPOLLIN | EPOLLRDNORM | EPOLLET |
							 EPOLLONESHOT | EPOLLEXCLUSIVE) };

	ev.data.ptr = w;
	if (epoll_ctl(ep->kfd, op, w->fd, &ev) < 0)
		return -errno;
	w->in_kernel = op != EPOLL_CTL_DEL;
	if (op != EPOLL_CTL_MOD)
		__atomic_fetch_add(&ep->nkernel, op == EPOLL_CTL_ADD ? 1 : -1u, __ATOMIC_RELAXED);
	return 0;
}

/* Interest of the set's owner in a listener's hints, as it is after a change. */
static void set_hints(struct tm_sock *s, unsigned ctx)
{
	uint64_t *waiters = &toe_arena_listener(tm_proc.arena, s->listener)->waiters;
	bool wanted = false;

	if (ctx == TM_NO_CTX)
		return;
	for (struct tm_watch *w = &s->watch; w; w = w->more)
		wanted |= w->ep && w->ep->owner == ctx;
	if (wanted)
		__atomic_fetch_or(waiters, 1ull << ctx, __ATOMIC_ACQ_REL);
	else
		__atomic_fetch_and(waiters, ~(1ull << ctx), __ATOMIC_ACQ_REL);
}

static void watch_del(struct tm_watch *w)
{
	struct tm_sock *s = w->sock;
	struct tm_ep *ep = w->ep;

	if (w->in_kernel)
		kernel_ctl(ep, EPOLL_CTL_DEL, w);
	w->in_kernel = 0;
	tm_spin_lock(&ep->lock);
	if (w->ready_next)
		tm_ready_del(w);
	w->kernel = 0;
	toe_store_release(&w->ep, NULL);
	tm_spin_unlock(&ep->lock);
	if (w->all_prev)
		w->all_prev->all_next = w->all_next;
	else
		ep->all = w->all_next;
	if (w->all_next)
		w->all_next->all_prev = w->all_prev;
	toe_store(&ep->nwatches, ep->nwatches - 1);
	if (tm_kind(s) == TM_LISTEN)
		set_hints(s, ep->owner);
	watch_free(s, w);
}

/* The kernel itself takes a set out of others when the last process has closed it. */
static bool held_elsewhere(const struct tm_sock *s)
{
	if (tm_kind(s) == TM_LISTEN)
		return toe_load_acquire(&toe_arena_listener(tm_proc.arena, s->listener)->holders) &
		       ~tm_proc.bit;
	return tm_kind(s) == TM_EPOLL;
}

static void forget(struct tm_watch *w)
{
	if (w->ep->shared && held_elsewhere(w->sock))
		w->in_kernel = 0; /* it stays in the real set, for them */
	watch_del(w);
}

void tm_ep_forget(struct tm_sock *s)
{
	while (s->watch.more)
		if (s->watch.more->ep)
			forget(s->watch.more);
	if (s->watch.ep)
		forget(&s->watch);
}

void tm_ep_fd_closed(struct tm_sock *s, int fd)
{
	for (struct tm_watch *w = &s->watch; w; w = w->more)
		if (w->fd == fd)
			w->fd = -1;
}

void tm_ep_free(struct tm_ep *ep)
{
	/* Of the real set, which other processes may have as well, nothing is taken out. */
	while (ep->all) {
		ep->all->in_kernel = 0;
		watch_del(ep->all);
	}
	if (ep->nudge >= 0)
		close(ep->nudge);
	ep->nudge = -1; /* who still waits must not close the number again */
	/* Threads that still wait in it keep it: a new life would be none of theirs. */
	if (!toe_load(&ep->waiters) && !toe_load(&ep->ksleepers))
		rest(ep);
}

void tm_ep_to_kernel(struct tm_sock *s, int fd)
{
	for (struct tm_watch *w = &s->watch; w; w = w->more) {
		struct epoll_event ev = { .events = w->events & ~TM_SPENT, .data.u64 = w->data };

		if (!w->ep)
			continue;
		if (w->events & TM_SPENT)
			ev.events &= ~(uint32_t)TM_EVENTS;
		if (!epoll_ctl(w->ep->kfd, EPOLL_CTL_ADD, w->fd, &ev))
			__atomic_fetch_add(&w->ep->nkernel, 1, __ATOMIC_RELAXED);
	}
	tm_ep_forget(s);
}

void tm_ep_listen(struct tm_sock *s, int fd)
{
	for (struct tm_watch *w = &s->watch; w; w = w->more) {
		if (!w->ep)
			continue;
		kernel_ctl(w->ep, EPOLL_CTL_ADD, w);
		set_hints(s, w->ep->owner);
	}
}

/* The set's owner hears of the socket; what is there is ready at once, also in sets around it. */
static void watch_begin(struct tm_ep *ep, struct tm_watch *w)
{
	struct tm_sock *s = w->sock;
	uint32_t mask, owner = toe_load(&ep->owner);
	uint64_t waiters = 0;
	struct tm_ctx *c = NULL;
	bool news;
	int err;

	if (tm_kind(s) == TM_LISTEN)
		set_hints(s, owner);
	else if (tm_kind(s) == TM_FLOW)
		c = tm_ctx_get(&err);
	if (c && owner != TM_NO_CTX)
		tm_bind(c, s, owner);
	mask = tm_poll(s, owner);
	tm_spin_lock(&ep->lock);
	news = mask & tm_interest(w->events);
	if (news && !w->ready_next) {
		tm_ready_add(ep, w);
		waiters = toe_load(&ep->waiters);
	}
	tm_spin_unlock(&ep->lock);
	if (news && ep->sock->watch.ep)
		tm_ep_event(ep->sock, EPOLLIN | EPOLLRDNORM, c);
	if (c && toe_load(&w->events) & EPOLLOUT && !(mask & EPOLLOUT))
		tm_ask_space(c, s);
	if (waiters)
		tm_ctx_wake(waiters);
}

/* Threads that sleep in the real epoll alone do not hear of TOE sockets: call them back. */
static void nudge(struct tm_ep *ep)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = ep->sock };

	toe_fence_full();
	if (!toe_load(&ep->ksleepers) || ep->nudge >= 0)
		return;
	ep->nudge = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ep->nudge >= 0)
		epoll_ctl(ep->kfd, EPOLL_CTL_ADD, ep->nudge, &ev);
	__atomic_fetch_add(&ep->nkernel, 1, __ATOMIC_RELAXED);
}

/* How many sets lie in this one, one in the other. */
static unsigned depth_of(const struct tm_ep *ep)
{
	unsigned most = 0, n;

	for (const struct tm_watch *w = ep->all; w; w = w->all_next) {
		n = tm_kind(w->sock) == TM_EPOLL ? 1 + depth_of(w->sock->ep) : 0;
		most = n > most ? n : most;
	}
	return most;
}

/*
 * Were `inner` in `ep`, with `depth` sets beneath that, a set would lie in itself, or have more than
 * MAX_NESTS beneath it.
 */
static bool loops(const struct tm_ep *ep, const struct tm_ep *inner, unsigned depth)
{
	if (ep == inner || depth > MAX_NESTS)
		return true;
	for (const struct tm_watch *w = &ep->sock->watch; w; w = w->more)
		if (w->ep && loops(w->ep, inner, depth + 1))
			return true;
	return false;
}

static int add(struct tm_ep *ep, struct tm_sock *s, int fd, const struct epoll_event *ev)
{
	struct tm_watch *w;
	int err;

	if (ev->events & EPOLLEXCLUSIVE &&
	    (tm_kind(s) == TM_EPOLL || ev->events & ~(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP |
						      EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)))
		return -EINVAL;
	/* The kernel looks at the real sets; but a forked child shares those, and may change them. */
	if (tm_kind(s) == TM_EPOLL && loops(ep, s->ep, 1 + depth_of(s->ep)))
		return -ELOOP;
	if (find(s, ep, fd))
		return -EEXIST;
	w = watch_new(s);
	if (!w)
		return -ENOMEM;
	w->events = ev->events & ~TM_SPENT;
	w->data = ev->data.u64;
	w->fd = fd;
	w->kernel = 0;
	if (tm_kind(s) == TM_LISTEN || tm_kind(s) == TM_EPOLL) {
		err = kernel_ctl(ep, EPOLL_CTL_ADD, w);
		if (err) {
			watch_free(s, w);
			return err;
		}
	}
	w->all_prev = NULL;
	w->all_next = ep->all;
	if (ep->all)
		ep->all->all_prev = w;
	ep->all = w;
	toe_store_release(&w->ep, ep);
	toe_store(&ep->nwatches, ep->nwatches + 1);
	watch_begin(ep, w);
	nudge(ep);
	return 0;
}

static int mod(struct tm_ep *ep, struct tm_sock *s, int fd, const struct epoll_event *ev)
{
	struct tm_watch *w = find(s, ep, fd);

	if (ev->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	if (!w)
		return -ENOENT;
	if (w->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	tm_spin_lock(&ep->lock);
	toe_store(&w->events, ev->events & ~TM_SPENT);
	w->data = ev->data.u64;
	tm_spin_unlock(&ep->lock);
	if (w->in_kernel)
		kernel_ctl(ep, EPOLL_CTL_MOD, w);
	watch_begin(ep, w);
	return 0;
}

static int del(struct tm_ep *ep, struct tm_sock *s, int fd)
{
	struct tm_watch *w = find(s, ep, fd);

	if (!w)
		return -ENOENT;
	watch_del(w);
	return 0;
}

static int ctl(struct tm_ep *ep, int op, struct tm_sock *s, int fd, const struct epoll_event *ev)
{
	if (op != EPOLL_CTL_DEL && !ev)
		return -EFAULT;
	switch (op) {
	case EPOLL_CTL_ADD:
		return add(ep, s, fd, ev);
	case EPOLL_CTL_MOD:
		return mod(ep, s, fd, ev);
	case EPOLL_CTL_DEL:
		return del(ep, s, fd);
	default:
		return -EINVAL;
	}
}

/* The same for a descriptor that the kernel knows all about. */
static int ctl_kernel(struct tm_ep *ep, int epfd, int op, int fd, struct epoll_event *ev)
{
	int r = (int)tm_sys(epoll_ctl(epfd, op, fd, ev));

	if (!r && op != EPOLL_CTL_MOD)
		__atomic_fetch_add(&ep->nkernel, op == EPOLL_CTL_ADD ? 1 : -1u, __ATOMIC_RELAXED);
	return r;
}

/*
 * Whose descriptor it is, is asked under tm_big: one that another thread is closing must not get into
 * the kernel's set as the placeholder that it is.
 */
static int do_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	struct tm_sock *e, *s;
	int err;

	tm_big_lock();
	e = tm_sock_of(epfd);
	s = tm_sock_of(fd);
	if (!e)
		err = -EBADF;
	else if (tm_kind(e) != TM_EPOLL)
		err = -EINVAL;
	else
		err = s ? ctl(e->ep, op, s, fd, ev) : ctl_kernel(e->ep, epfd, op, fd, ev);
	tm_big_unlock();
	return err;
}

int toe_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (epfd == fd || (!tm_sock_of(epfd) && !tm_sock_of(fd)))
		return epoll_ctl(epfd, op, fd, event);
	if (!tm_sock_of(epfd)) /* the kernel's set cannot watch a socket of the TOE */
		return (int)tm_ret(fcntl(epfd, F_GETFD) < 0 ? -EBADF : -EINVAL);
	return (int)tm_ret(do_ctl(epfd, op, fd, event));
}
