/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * splice between a socket of the TOE and a pipe. It copies: the socket's buffers are no pages that a
 * pipe could take over.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "toe.h"
#include "transfer.h"

static bool is_pipe(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISFIFO(st.st_mode);
}

/* Until the pipe can be read or written, if it is to be waited for. 1: it can; -EAGAIN, -errno. */
static int pipe_wait(int pipe, short events, bool wait)
{
	struct pollfd p = { .fd = pipe, .events = events };
	int r = (int)tm_sys(poll(&p, 1, wait ? -1 : 0));

	return r ? r : -EAGAIN;
}

/* What was looked at goes to the pipe, and is read then: as much as a pipe with any room takes. */
static ssize_t rx_piece(struct tm_sock *s, int fd, int pipe, size_t left, int flags)
{
	char buf[PIPE_BUF];
	struct iovec iov = { buf, left < sizeof(buf) ? left : sizeof(buf) };
	struct tm_iter it = { &iov, 0, iov.iov_len };
	ssize_t r = tm_rx(s, fd, &it, flags | MSG_PEEK);

	if (r <= 0)
		return r;
	r = tm_sys(write(pipe, buf, (size_t)r));
	if (r <= 0)
		return r;
	it = (struct tm_iter){ &iov, 0, (size_t)r };
	return tm_rx(s, fd, &it, MSG_TRUNC | MSG_DONTWAIT);
}

/* It ends before an urgent byte, which is not in the stream. */
static ssize_t rx_pipe(struct tm_sock *s, int fd, int pipe, size_t len, bool nonblock)
{
	ssize_t done = 0, r;

	while ((size_t)done < len && !(done && tm_rx_at_mark(s))) {
		if (tm_rx_at_mark(s) && !s->opt.oobinline)
			return 0;
		r = pipe_wait(pipe, POLLOUT, !done && !nonblock);
		if (r > 0)
			r = rx_piece(s, fd, pipe, len - (size_t)done, done ? MSG_DONTWAIT : 0);
		if (r <= 0)
			return tm_part(s, done, r);
		done += r;
	}
	return done;
}

static ssize_t tx_pipe(struct tm_sock *s, int fd, int pipe, size_t len, unsigned flags)
{
	uint64_t deadline = s->opt.sndtimeo_us ? tm_now_us() + s->opt.sndtimeo_us : 0;
	ssize_t done = 0, r;
	int err = 0;
	struct tm_ctx *c = tm_ctx_get(&err);

	if (c)
		err = tm_tx_begin(c, s, fd, 0);
	if (err)
		return err;
	while ((size_t)done < len) {
		r = pipe_wait(pipe, POLLIN, !done && !(flags & SPLICE_F_NONBLOCK));
		if (r < 0)
			return tm_part(s, done, r);
		r = tm_tx_file(c, s, pipe, NULL, len - (size_t)done, flags & SPLICE_F_MORE);
		if (r == -EAGAIN && !tm_has(s, TM_S_NONBLOCK)) {
			err = tm_tx_wait(c, s, fd, deadline);
			if (!err)
				continue;
			r = err;
		}
		if (r <= 0)
			return tm_part(s, done, r);
		done += r;
	}
	return done;
}

ssize_t toe_splice(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t len, unsigned flags)
{
	struct tm_sock *in = tm_sock_of(fd_in), *out = tm_sock_of(fd_out);
	int pipe = tm_is_kernel(in) ? fd_in : fd_out;

	if (tm_is_kernel(in) && tm_is_kernel(out))
		return splice(fd_in, off_in, fd_out, off_out, len, flags);
	if (off_in || off_out)
		return tm_ret(-ESPIPE);
	if (!is_pipe(pipe))
		return tm_ret(-EINVAL);
	if (!len)
		return 0;
	return tm_ret(pipe == fd_out ? rx_pipe(in, fd_in, pipe, len, flags & SPLICE_F_NONBLOCK)
				     : tm_tx_error(tx_pipe(out, fd_out, pipe, len, flags), 0));
}
