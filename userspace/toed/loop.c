/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

uint64_t loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int loop_init(struct loop *l)
{
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	return l->epfd < 0 ? -errno : 0;
}

int loop_add(struct loop *l, struct io *io)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = io };

	return epoll_ctl(l->epfd, EPOLL_CTL_ADD, io->fd, &e) ? -errno : 0;
}

void loop_del(struct loop *l, struct io *io)
{
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, io->fd, NULL);
}

void loop_after(struct loop *l, enum timer which, unsigned ms)
{
	uint64_t at = loop_now() + ms;

	if (!l->at[which] || at < l->at[which])
		l->at[which] = at;
}

static int wait_ms(const struct loop *l)
{
	uint64_t first = 0, now = loop_now();

	for (unsigned i = 0; i < TIMER_COUNT; i++)
		if (l->at[i] && (!first || l->at[i] < first))
			first = l->at[i];
	if (!first)
		return -1;
	return first <= now ? 0 : (int)(first - now);
}

void loop_step(struct toed *t, struct loop *l, void (*const fire[TIMER_COUNT])(struct toed *))
{
	/* One at a time: a handler may free what a later event of the same call would point to. */
	struct epoll_event e;

	if (epoll_wait(l->epfd, &e, 1, wait_ms(l)) == 1) {
		struct io *io = e.data.ptr;

		io->ready(t, io);
	}
	for (unsigned i = 0; i < TIMER_COUNT; i++) {
		if (l->at[i] && l->at[i] <= loop_now()) {
			l->at[i] = 0;
			fire[i](t);
		}
	}
}
