/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls by which libtoe meets time and toed, in simulated time. The linker puts these in the
 * place of the C library's (--wrap).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "stack.h"

int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_epoll_pwait2(int epfd, struct epoll_event *ev, int max, const struct timespec *timeout,
			const sigset_t *mask);
int __wrap_epoll_wait(int epfd, struct epoll_event *ev, int max, int timeout);
int __wrap_sched_yield(void);
int __wrap_usleep(useconds_t us);
int __wrap_sched_getcpu(void);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);
int __real_epoll_pwait2(int epfd, struct epoll_event *ev, int max, const struct timespec *timeout,
			const sigset_t *mask);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	uint64_t now =
	    clock == CLOCK_REALTIME ? stack_now() + STACK_EPOCH_S * 1000000ull : stack_clock();

	t->tv_sec = (time_t)(now / 1000000);
	t->tv_nsec = (long)(now % 1000000 * 1000);
	return 0;
}

int __wrap_epoll_pwait2(int epfd, struct epoll_event *ev, int max, const struct timespec *timeout,
			const sigset_t *mask)
{
	const struct timespec zero = { 0 };
	uint64_t deadline = UINT64_MAX;
	int n;

	if (timeout)
		deadline = stack_now() + (uint64_t)timeout->tv_sec * 1000000 +
			   (uint64_t)(timeout->tv_nsec + 999) / 1000;
	do {
		stack_settle();
		n = __real_epoll_pwait2(epfd, ev, max, &zero, NULL);
		if (n || stack_now() >= deadline)
			return n;
	} while (stack_wait(epfd, deadline));
	n = __real_epoll_pwait2(epfd, ev, max, &zero, NULL);
	if (n || stack_now() >= deadline)
		return n;
	errno = EINTR;
	return -1;
}

int __wrap_epoll_wait(int epfd, struct epoll_event *ev, int max, int timeout)
{
	struct timespec t = { timeout / 1000, timeout % 1000 * 1000000L };

	return __wrap_epoll_pwait2(epfd, ev, max, timeout < 0 ? NULL : &t, NULL);
}

/* Whoever gives way waits for the engine; at the end of the process (fork.c) for time to pass. */
int __wrap_sched_yield(void)
{
	if (stack_inside())
		stack_settle();
	else
		stack_run(stack_now() + 1000, false);
	return 0;
}

int __wrap_usleep(useconds_t us)
{
	return __wrap_sched_yield();
}

/* The FPC's CPU is this one (admission.c): nobody spins. */
int __wrap_sched_getcpu(void)
{
	return 0;
}

/* libtoe waits for an answer of toed. */
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	toed_serve();
	return __real_recvmsg(fd, m, flags);
}
