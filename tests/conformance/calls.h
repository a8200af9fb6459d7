/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that libtoe leaves to its users, made of those that it has. Inside stack_enter. */
#ifndef CALLS_H
#define CALLS_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

/* As poll(2), over an epoll set that lives as long as the call. */
int call_poll(struct pollfd *f, nfds_t n, int timeout_ms);
int call_epoll_create(int size);
ssize_t call_sendto(int fd, const void *b, size_t n, int flags, const struct sockaddr *a,
		    socklen_t len);

#endif
