/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An epoll set: a real epoll instance for kernel descriptors, and a list of watches on TOE sockets
 * that may have something to tell (ready list). TOE connections are never in the real one.
 */
#ifndef TM_EPOLL_SET_H
#define TM_EPOLL_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct tm_sock;
struct tm_ep;
struct tm_ctx;

/*
 * Interest of one set in one (socket, descriptor). A watch that is on no ready list has ready_next
 * == NULL.
 */
struct tm_watch {
	struct tm_ep *ep; /* NULL: unused */
	struct tm_watch *ready_next, *ready_prev;
	struct tm_sock *sock;
	uint32_t
	    events; /* as given to epoll_ctl; only the flag bits remain of a spent EPOLLONESHOT */
	int32_t fd; /* -1: closed, the number may be another's; the socket has others */
	uint64_t data;
	uint32_t kernel; /* events that the real epoll reported for it: listeners, nested sets */
	uint32_t in_kernel; /* it is in the real one as well */
	struct tm_watch *more; /* next watch of the same socket */
	struct tm_watch *all_next, *all_prev; /* all watches of the set; under tm_big */
};

enum { TM_NO_CTX = 0xff };

struct tm_ep {
	uint32_t lock; /* ready list and the watches' events */
	uint32_t
	    nkernel; /* descriptors in the real epoll; close() takes them out unseen: or less */
	uint32_t nwatches; /* watches on TOE sockets */
	uint32_t calls; /* since the real one was looked at */
	uint64_t waiters; /* contexts that wait in toe_epoll_wait */
	uint32_t owner; /* context that the set's flows are bound to, or TM_NO_CTX */
	int32_t kfd; /* the real one */
	uint32_t ksleepers; /* threads that wait in the real one alone: there is no TOE socket */
	uint32_t shared; /* with a forked process: what changes in the real one, changes for both */
	int32_t nudge; /* eventfd that calls them back, or -1 */
	struct tm_watch ready; /* head of the ready list */
	struct tm_watch *all;
	struct tm_sock *sock; /* the set's own object: sets nest */
	struct tm_ep *next_free;
};

/* In tm_watch.events: a one-shot watch that has fired. */
#define TM_SPENT (1u << 27)

enum {
	TM_EVENTS = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM |
		    EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG | EPOLLRDHUP
};

/* What a watch wants to hear of. */
static inline uint32_t tm_interest(uint32_t events)
{
	return events & TM_SPENT ? 0 : (events & TM_EVENTS) | EPOLLERR | EPOLLHUP;
}

static inline void tm_ready_add(struct tm_ep *ep, struct tm_watch *w)
{
	w->ready_next = &ep->ready;
	w->ready_prev = ep->ready.ready_prev;
	__atomic_store_n(&ep->ready.ready_prev->ready_next, w,
			 __ATOMIC_RELEASE); /* see tm_ready_any */
	ep->ready.ready_prev = w;
}

static inline void tm_ready_del(struct tm_watch *w)
{
	__atomic_store_n(&w->ready_prev->ready_next, w->ready_next, __ATOMIC_RELAXED);
	w->ready_next->ready_prev = w->ready_prev;
	w->ready_next = w->ready_prev = NULL;
}

static inline bool tm_ready_any(const struct tm_ep *ep)
{
	return __atomic_load_n(&ep->ready.ready_next, __ATOMIC_ACQUIRE) != &ep->ready;
}

/* The FPC will tell when there is room to send; for a watch that waits for EPOLLOUT in vain. */
void tm_ask_space(struct tm_ctx *c, struct tm_sock *s);
bool tm_may_ask(const struct tm_sock *s);

/*
 * The set's watches of a socket may have news: `key` is what changed (EPOLL*). Any thread, no lock
 * held.
 */
void tm_ep_event(struct tm_sock *s, uint32_t key, struct tm_ctx *c);

/* What poll(2) would say about a TOE socket to context `ctx`. */
uint32_t tm_poll(struct tm_sock *s, unsigned ctx);

/* All under tm_big. */
void tm_ep_forget(struct tm_sock *s); /* take the socket out of all sets: we have it no more */
/* One of its descriptors is closed, others are left: it stays in the sets, as in the kernel's. */
void tm_ep_fd_closed(struct tm_sock *s, int fd);
void tm_ep_to_kernel(struct tm_sock *s, int fd); /* its watches move to the real sets */
void tm_ep_listen(struct tm_sock *s,
		  int fd); /* it listens now: its kernel socket joins the real sets */
void tm_ep_free(struct tm_ep *ep);

/*
 * The context that should hear of the socket's flow: the owner of a set that watches it, or
 * TM_NO_CTX.
 */
unsigned tm_ep_wants(struct tm_sock *s);

#endif
