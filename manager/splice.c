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
#include <sys/uio.h>
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
 * Until the pipe can be read or written, if it is to be waited for. 0: it can; -EAGAIN, -errno, -EPIPE
 * when nobody reads it.
 */
static int pipe_wait(int pipe, short events, bool wait)
{
	struct pollfd p = { .fd = pipe, .events = events };
	int r = (int)tm_sys(poll(&p, 1, wait ? -1 : 0));

	if (r > 0 && p.revents & POLLERR)
		return -EPIPE;
	if (r < 0)
		return r;
	return r ? 0 : -EAGAIN;
}

/*
 * Read or write what can be without waiting: locks are held. Named pipes do not know RWF_NOWAIT: as there
 * was something to read, or room, a moment ago, only who shares one with others may wait.
 */
static ssize_t pipe_io(int pipe, short event, void *p, size_t n)
{
	struct iovec iov = { p, n };
	bool out = event == POLLOUT;
	ssize_t r = tm_sys(out ? pwritev2(pipe, &iov, 1, -1, RWF_NOWAIT)
			       : preadv2(pipe, &iov, 1, -1, RWF_NOWAIT));

	if (r != -EOPNOTSUPP)
		return r;
	n = n < PIPE_BUF ? n : PIPE_BUF;
	return tm_sys(out ? write(pipe, p, n) : read(pipe, p, n));
}

static ssize_t to_pipe(int pipe, void *piece, size_t n)
{
	return pipe_io(pipe, POLLOUT, piece, n);
}

/* Until the socket can be read and the pipe be written. 1; 0: the stream has ended; -errno. */
static ssize_t rx_await(struct tm_sock *s, int fd, int pipe, bool sock_waits, bool pipe_waits)
{
	char c;
	struct iovec iov = { &c, 1 };
	struct tm_iter it = { &iov, 0, 1 };
	int err = pipe_wait(pipe, POLLOUT, pipe_waits);

	return err ? err : tm_rx(s, fd, &it, MSG_PEEK | (sock_waits ? 0 : MSG_DONTWAIT));
}

/*
 * It ends before an urgent byte, which is not in the stream. Where others were faster, and read the
 * socket or filled the pipe, that is waited for again.
 */
static ssize_t rx_pipe(struct tm_sock *s, int fd, int pipe, size_t len, bool nonblock)
{
	ssize_t done = 0, r;

	while ((size_t)done < len && !(done && tm_rx_at_mark(s))) {
		if (tm_rx_at_mark(s) && !s->opt.oobinline)
			return 0;
		r = rx_await(s, fd, pipe, !done, !done && !nonblock);
		if (r > 0) {
			r = tm_rx_piece(tm_self, s, len - (size_t)done, to_pipe, pipe);
			if (r == -EAGAIN)
				continue;
		}
		if (r <= 0)
			return tm_part(s, done, r);
		done += r;
	}
	return done;
}

static ssize_t from_pipe(const struct tm_source *src, void *to, size_t n)
{
	return pipe_io(src->fd, POLLIN, to, n);
}

static int from_pipe_wait(const struct tm_source *src, bool first)
{
	return pipe_wait(src->fd, POLLIN, first && !src->nonblock);
}

ssize_t toe_splice(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t len, unsigned flags)
{
	struct tm_sock *in = tm_sock_of(fd_in), *out = tm_sock_of(fd_out);
	const struct tm_source src = { .read = from_pipe,
				       .wait = from_pipe_wait,
				       .fd = fd_in,
				       .nonblock = flags & SPLICE_F_NONBLOCK,
				       .more = flags & SPLICE_F_MORE };
	bool rx = !tm_is_kernel(in);
	ssize_t r;

	if (!rx && tm_is_kernel(out))
		return splice(fd_in, off_in, fd_out, off_out, len, flags);
	if (off_in || off_out) /* a pipe's, or a socket's */
		return tm_ret((rx ? off_out : off_in) ? -ESPIPE : -EINVAL);
	r = rx ? pipe_mode(fd_out, O_WRONLY) : pipe_mode(fd_in, O_RDONLY);
	if (r < 0 || !len)
		return tm_ret(r < 0 ? r : 0);
	r = rx ? rx_pipe(in, fd_in, fd_out, len, r || flags & SPLICE_F_NONBLOCK)
	       : tm_tx_from(out, fd_out, &src, len);
	return tm_ret(tm_tx_error(r, 0));
}
