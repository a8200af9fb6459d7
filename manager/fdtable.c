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

#include "sock.h"

struct tm_sock *tm_fds[TM_MAX_FD];
struct tm_sock *tm_flows[TOE_MAX_FLOWS];
struct tm_sock *tm_listeners[TOE_MAX_LISTENERS];
pthread_mutex_t tm_big = PTHREAD_MUTEX_INITIALIZER;
__thread bool tm_big_held;

static struct tm_sock *socks; /* TM_MAX_SOCKS of them, reserved at the first use */
static struct tm_sock *free_list;
static struct tm_sock *reaped;
static uint32_t nsocks; /* that were ever used */
static int max_fd = -1;

struct tm_sock *tm_sock_new(enum tm_kind kind)
{
	struct tm_sock *s = free_list;

	if (!socks) {
		void *m = mmap(NULL, TM_MAX_SOCKS * sizeof(*s), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (m == MAP_FAILED)
			return NULL;
		socks = m;
	}
	if (!s)
		s = free_list = __atomic_exchange_n(&reaped, NULL, __ATOMIC_ACQUIRE);
	if (s)
		free_list = s->next_free;
	else if (nsocks < TM_MAX_SOCKS)
		s = &socks[nsocks++];
	else
		return NULL;

	uint32_t serial = s->serial + 1;

	memset(s, 0, sizeof(*s));
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
	s->next_free = free_list;
	free_list = s;
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

void tm_fd_install(int fd, struct tm_sock *s)
{
	if (s) {
		s->refs++;
		if (fd > max_fd)
			max_fd = fd;
	}
	toe_store_release(&tm_fds[fd], s);
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
