/* SPDX-License-Identifier: BSD-2-Clause */
#include "calls.h"

#include <errno.h>

#include "manager/toe.h"

int call_epoll_create(int size)
{
	if (size > 0)
		return toe_epoll_create1(0);
	errno = EINVAL;
	return -1;
}

/* The events of poll have the values of epoll's. */
static int take_events(struct pollfd *f, nfds_t n, const struct epoll_event *ev, int nev)
{
	int ready = 0;

	for (int i = 0; i < nev; i++)
		f[ev[i].data.u32].revents = (short)ev[i].events;
	for (nfds_t i = 0; i < n; i++)
		ready += f[i].revents != 0;
	return ready;
}

int call_poll(struct pollfd *f, nfds_t n, int timeout_ms)
{
	struct epoll_event ev[64];
	int ep = toe_epoll_create1(0), r, bad = 0;

	for (nfds_t i = 0; i < n; i++) {
		struct epoll_event e = { .events = (uint16_t)f[i].events, .data.u32 = (uint32_t)i };

		f[i].revents = 0;
		if (f[i].fd >= 0 && toe_epoll_ctl(ep, EPOLL_CTL_ADD, f[i].fd, &e)) {
			f[i].revents = POLLNVAL;
			bad++;
		}
	}
	r = toe_epoll_wait(ep, ev, 64, bad ? 0 : timeout_ms);
	if (r >= 0)
		r = take_events(f, n, ev, r);
	toe_close(ep);
	return r;
}

/* send(2): an address on a connected stream is an error of its own. */
ssize_t call_sendto(int fd, const void *b, size_t n, int flags, const struct sockaddr *a,
		    socklen_t len)
{
	struct iovec v = { (void *)b, n };
	struct msghdr m = {
		.msg_name = (void *)a, .msg_namelen = len, .msg_iov = &v, .msg_iovlen = 1
	};

	return toe_sendmsg(fd, &m, flags);
}
