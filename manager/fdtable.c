/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptor -> object, flow id -> object, and the objects themselves.
 *
 * The tables are static and mostly never touched, so they cost address space, not memory.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctx.h"

struct tm_sock *tm_fds[TM_MAX_FD];
struct tm_sock *tm_flows[TOE_MAX_FLOWS];
struct tm_sock *tm_listeners[TOE_MAX_LISTENERS];
pthread_mutex_t tm_big = PTHREAD_MUTEX_INITIALIZER;
int tm_big_cancel;
__thread bool tm_big_held;

static struct tm_sock *socks; /* TM_MAX_SOCKS of them, reserved at the first use */
/*
 * Free ones wait in line, so that a thread which is still in a call on a descriptor that another has
 * closed does not find a new socket in the old one's place.
 */
enum { REST = 256 };
static struct tm_sock *first_free, *last_free;
static uint32_t nfree;
static struct tm_sock *reaped;
static uint32_t nsocks; /* that were ever used */
static int max_fd = -1;

static void queue_free(struct tm_sock *s)
{
	s->next_free = NULL;
	if (nfree++)
		last_free->next_free = s;
	else
		first_free = s;
	last_free = s;
}

static void take_reaped(void)
{
	struct tm_sock *s = __atomic_exchange_n(&reaped, NULL, __ATOMIC_ACQUIRE), *next;

	for (; s; s = next) {
		next = s->next_free;
		queue_free(s);
	}
}

/* One that is new, or has rested. */
static struct tm_sock *unused(void)
{
	struct tm_sock *s;

	take_reaped();
	if (nfree <= REST && nsocks < TM_MAX_SOCKS)
		return &socks[nsocks++];
	if (!nfree)
		return NULL;
	s = first_free;
	first_free = s->next_free;
	nfree--;
	return s;
}

struct tm_sock *tm_sock_new(enum tm_kind kind)
{
	struct tm_sock *s;
	uint32_t serial;

	if (!socks) {
		void *m = mmap(NULL, TM_MAX_SOCKS * sizeof(*s), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (m == MAP_FAILED)
			return NULL;
		socks = m;
	}
	s = unused();
	if (!s)
		return NULL;
	serial = s->serial + 1;
	/* Where the last flow was stays: whoever still looks there must find memory. */
	memset((char *)s + TM_SOCK_KEPT, 0, sizeof(*s) - TM_SOCK_KEPT);
	s->serial = serial;
	s->opt.linger_s = -1;
	s->bind_ctx = s->tx_ctx = TM_NO_CTX;
	s->watch.sock = s;
	toe_store_release(&s->kind, kind);
	return s;
}

void tm_sock_free(struct tm_sock *s)
{
	toe_store_release(&s->kind, TM_FREE);
	queue_free(s);
}

void tm_sock_reap(struct tm_sock *s)
{
	toe_store_release(&s->kind, TM_FREE);
	s->next_free = toe_load(&reaped);
	while (!__atomic_compare_exchange_n(&reaped, &s->next_free, s, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
}

struct tm_sock *tm_sock_at(uint32_t index)
{
	return index < nsocks ? &socks[index] : NULL;
}

uint32_t tm_sock_index(const struct tm_sock *s)
{
	return (uint32_t)(s - socks);
}

uint32_t tm_sock_count(void)
{
	return nsocks;
}

bool tm_is_sock(const void *p)
{
	return socks && (uintptr_t)p - (uintptr_t)socks < TM_MAX_SOCKS * sizeof(*socks);
}

/* An object that has a number which the kernel hands out was closed by others than toe_close. */
static void evict(int fd)
{
	if (tm_unlikely(tm_fds[fd] != NULL))
		tm_ctx_wake(tm_fd_remove(fd, tm_fds[fd]));
}

void tm_fd_install(int fd, struct tm_sock *s)
{
	evict(fd);
	s->refs++;
	if (fd > max_fd)
		max_fd = fd;
	toe_store_release(&tm_fds[fd], s);
}

int tm_fd_kernel(int fd)
{
	if (tm_likely(!tm_sock_of(fd)))
		return fd;
	tm_big_lock();
	evict(fd);
	tm_big_unlock();
	return fd;
}

void tm_each_fd(struct tm_sock *s, void (*f)(int fd, void *arg), void *arg)
{
	for (int fd = 0; fd <= max_fd; fd++)
		if (tm_fds[fd] == s)
			f(fd, arg);
}

int tm_placeholder(int flags)
{
	int fd = fcntl(tm_proc.placeholder, flags & SOCK_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);

	if (fd < 0)
		return -errno;
	if (fd >= TM_MAX_FD) {
		close(fd);
		return -EMFILE;
	}
	return fd;
}
