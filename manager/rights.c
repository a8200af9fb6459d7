/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors in messages of UNIX sockets (SCM_RIGHTS, unix(7)). What is the kernel's passes; a
 * connection of the TOE is the process' and stays.
 */
#include "connect.h"
#include "transfer.h"

/* Else it is the kernel's to refuse. */
static bool is_whole(const struct msghdr *msg, const struct cmsghdr *h)
{
	size_t at = (size_t)((const char *)h - (const char *)msg->msg_control);

	return h->cmsg_len >= CMSG_LEN(0) && h->cmsg_len <= msg->msg_controllen - at;
}

/* The next descriptor in `msg` after *h and *i, or -1. *h NULL: the first. */
static int next_fd(const struct msghdr *msg, struct cmsghdr **h, size_t *i)
{
	size_t n;
	int fd;

	if (!*h)
		*h = CMSG_FIRSTHDR(msg);
	for (; *h; *h = CMSG_NXTHDR((struct msghdr *)msg, *h), *i = 0) {
		if (!is_whole(msg, *h))
			return -1;
		n = ((*h)->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		if ((*h)->cmsg_level != SOL_SOCKET || (*h)->cmsg_type != SCM_RIGHTS || *i >= n)
			continue;
		memcpy(&fd, CMSG_DATA(*h) + (*i)++ * sizeof(fd), sizeof(fd));
		return fd < 0 ? -1 : fd;
	}
	return -1;
}

/* An undecided socket becomes a kernel socket, as by bind. */
static int may_pass(struct tm_sock *s, int fd)
{
	int err = 0;

	tm_connect_look(s);
	tm_big_lock();
	if (tm_kind(s) == TM_FRESH)
		err = tm_materialise(s, fd);
	else if (tm_kind(s) == TM_FLOW || tm_kind(s) == TM_CONNECT)
		err = -EOPNOTSUPP;
	tm_big_unlock();
	return err;
}

int tm_rights_send(const struct msghdr *msg)
{
	struct cmsghdr *h = NULL;
	struct tm_sock *s;
	size_t i = 0;
	int fd, err = 0;

	while (!err && (fd = next_fd(msg, &h, &i)) >= 0) {
		s = tm_sock_of(fd);
		err = s ? may_pass(s, fd) : 0;
	}
	return err;
}

void tm_rights_received(const struct msghdr *msg)
{
	struct cmsghdr *h = NULL;
	size_t i = 0;
	int fd;

	while ((fd = next_fd(msg, &h, &i)) >= 0)
		tm_fd_kernel(fd);
}
