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

/* O_NONBLOCK of a pipe, if this is the end of it that is asked for: O_RDONLY, O_WRONLY; or -errno. */
static int pipe_mode(int fd, int end)
{
	int fl = fcntl(fd, F_GETFL);
	struct stat st;

	if (fl < 0 || ((fl & O_ACCMODE) != end && (fl & O_ACCMODE) != O_RDWR))
		return -EBADF;
	return !fstat(fd, &st) && S_ISFIFO(st.st_mode) ? fl & O_NONBLOCK : -EINVAL;
}

/*
 * Until the pipe can be read or written, if it is to be waited for. 1: it can; -EAGAIN, -errno, -EPIPE
 * when nobody reads it.
 */
static int pipe_wait(int pipe, short events, bool wait)
{
	struct pollfd p = { .fd = pipe, .events = events };
	int r = (int)tm_sys(poll(&p, 1, wait ? -1 : 0));

	if (r > 0 && p.revents & POLLERR)
		return -EPIPE;
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
	bool rx = !tm_is_kernel(in);
	ssize_t r;

	if (!rx && tm_is_kernel(out))
		return splice(fd_in, off_in, fd_out, off_out, len, flags);
	if (off_in || off_out)
		return tm_ret(-ESPIPE);
	r = rx ? pipe_mode(fd_out, O_WRONLY) : pipe_mode(fd_in, O_RDONLY);
	if (r < 0 || !len)
		return tm_ret(r < 0 ? r : 0);
	r = rx ? rx_pipe(in, fd_in, fd_out, len, r || flags & SPLICE_F_NONBLOCK)
	       : tx_pipe(out, fd_out, fd_in, len, flags);
	return tm_ret(tm_tx_error(r, 0));
}
