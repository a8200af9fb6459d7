/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork. The child holds every socket that the parent holds, so it is entered among their holders
 * before it exists: whoever closes last, closes. Its control connection is made by the parent as
 * well; it ends with the child and nobody else, however early that dies. Contexts are not
 * inherited: a thread has its own.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "connect.h"
#include "ctx.h"
#include "toe.h"

/* Under tm_big: several threads may fork. */
static struct {
	int adm; /* the child's control connection, or -1 */
	uint32_t proc; /* its slot */
} child;

static __thread bool prepared; /* we hold the locks; another thread may attach meanwhile */

static int reserve_slot(void)
{
	uint64_t used = toe_load(&tm_proc.hdr->procs);

	do {
		if (used == ~0ull)
			return -1;
	} while (!__atomic_compare_exchange_n(&tm_proc.hdr->procs, &used, used | (used + 1), false,
					      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return __builtin_ctzll(~used);
}

/* The set of holders that a socket is entered in, or NULL. */
static uint64_t *holders(struct tm_sock *s)
{
	if (tm_kind(s) == TM_FLOW)
		return &s->fb->app.holders;
	if (tm_kind(s) == TM_LISTEN)
		return &toe_arena_listener(tm_proc.arena, s->listener)->holders;
	return NULL;
}

static void hold_all(uint64_t bit)
{
	for (uint32_t i = 0; i < tm_sock_count(); i++) {
		struct tm_sock *s = tm_sock_at(i);
		uint64_t *h = holders(s);

		if (h)
			__atomic_fetch_or(h, bit, __ATOMIC_ACQ_REL);
		if (tm_kind(s) == TM_EPOLL)
			s->ep->shared = true;
	}
}

static void prepare(void)
{
	int slot;

	prepared = tm_attached();
	if (!prepared)
		return;
	if (tm_self)
		tm_flush(tm_self);
	tm_big_lock();
	pthread_mutex_lock(&tm_adm_lock);
	child.adm = -1;
	slot = reserve_slot();
	if (slot < 0)
		return;
	child.proc = (uint32_t)slot;
	child.adm = tm_adm_fork(child.proc);
	if (child.adm < 0)
		__atomic_fetch_and(&tm_proc.hdr->procs, ~(1ull << slot), __ATOMIC_ACQ_REL);
	else
		hold_all(1ull << slot);
}

static void in_parent(void)
{
	if (!prepared)
		return;
	if (child.adm >= 0)
		close(child.adm); /* if fork failed that was the last end: toed releases the slot */
	pthread_mutex_unlock(&tm_adm_lock);
	tm_big_unlock();
}

/* Without a place at toed the child has no TOE: its connections look reset. */
static void give_up(struct tm_sock *s)
{
	if (tm_kind(s) == TM_FLOW || tm_kind(s) == TM_CONNECT) {
		s->error = ECONNABORTED;
		tm_set(s, TM_S_FAILED);
		toe_store_release(&s->kind, TM_FRESH);
	} else if (tm_kind(s) == TM_LISTEN) {
		toe_store_release(&s->kind, TM_FRESH);
	}
}

/* Only this thread exists here. What belonged to others, or to a moment, is put in order. */
static void in_child(void)
{
	if (!tm_attached())
		return;
	if (!prepared)
		child.adm = -1;
	pthread_mutex_init(&tm_adm_lock, NULL);
	pthread_mutex_init(&tm_big, NULL);
	tm_big_held = false;
	if (prepared)
		tm_cancellable(tm_big_cancel);
	tm_ctx_drop_all();
	close(tm_proc.adm);
	tm_proc.adm = child.adm;
	tm_proc.proc = child.proc;
	tm_proc.bit = child.adm < 0 ? 0 : 1ull << child.proc;
	for (uint32_t i = 0; i < tm_sock_count(); i++) {
		struct tm_sock *s = tm_sock_at(i);

		s->waiters = 0;
		s->rlock = 0;
		if (s->ep) {
			s->ep->lock = 0;
			s->ep->waiters = 0;
			s->ep->ksleepers = 0;
			s->ep->owner = TM_NO_CTX;
		}
		if (tm_kind(s) == TM_CONNECT || child.adm < 0)
			give_up(s);
	}
	if (child.adm < 0)
		toe_store(&tm_proc.state, TM_KERNEL);
}

void tm_fork_init(void)
{
	static bool done;

	if (!done)
		pthread_atfork(prepare, in_parent, in_child);
	done = true;
}

/*
 * Data that was sent and not yet acknowledged would be lost if toed found the whole application
 * gone. What other processes still hold is their business.
 */
static bool delivered(struct tm_sock *s)
{
	return toe_load(&s->fb->app.holders) ||
	       toe_load_acquire(&s->fb->dev.tx_una) >= toe_load(&s->fb->app.tx_end) ||
	       toe_load_acquire(&s->fb->dev.flags) & (TOE_FLOW_ERROR | TOE_FLOW_CLOSED) ||
	       toe_load(&s->fb->dev.gen) != s->gen;
}

static void await_delivery(uint64_t end)
{
	for (uint32_t i = 0; i < tm_sock_count(); i++) {
		struct tm_sock *s = tm_sock_at(i);

		for (unsigned k = 0; tm_kind(s) == TM_FLOW && !delivered(s) && tm_now_us() < end;
		     k++)
			tm_relax(k);
	}
}

enum { EXIT_WAIT_US = 2000000 };

/*
 * exit() closes what is open, as the kernel does with its sockets: in order, data first. Bounded,
 * since a peer need not ever take it. A process that is killed gets its connections reset by toed.
 */
static void close_all(void)
{
	if (!tm_attached())
		return;
	tm_big_lock();
	for (uint32_t i = 0; i < tm_sock_count(); i++)
		if (tm_kind(tm_sock_at(i)) == TM_FLOW)
			tm_flow_end(tm_sock_at(i), false);
	tm_big_unlock();
	await_delivery(tm_now_us() + EXIT_WAIT_US);
}

__attribute__((destructor)) static void at_exit(void)
{
	struct tm_ctx *c = tm_self;

	close_all();
	if (c)
		tm_ctx_drain(c);
}

void toe_terminate(void)
{
	if (!tm_attached())
		return;
	for (int fd = 0; fd < TM_MAX_FD; fd++)
		if (tm_fds[fd] && tm_kind(tm_fds[fd]) != TM_FLOW)
			toe_close(fd);
	close_all();
	for (int fd = 0; fd < TM_MAX_FD; fd++) {
		if (!tm_fds[fd])
			continue;
		tm_fds[fd] = NULL;
		close(fd);
	}
	if (tm_self)
		tm_ctx_drain(tm_self);
	tm_detach();
}
