/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TM_TRANSFER_H
#define TM_TRANSFER_H

#include <string.h>
#include <sys/uio.h>

#include "ctx.h"

struct sock_extended_err;

/* The call is the kernel's to answer; of how a connection of ours ended its socket knows nothing. */
static inline bool tm_is_kernel(const struct tm_sock *s)
{
	return !s || (tm_has(s, TM_S_KERNEL) && !s->error) || tm_kind(s) == TM_EPOLL;
}

/* A place in an iovec. */
struct tm_iter {
	const struct iovec *iov;
	size_t off; /* in the first one */
	size_t left; /* bytes in all */
};

/* Bytes at NULL are the caller's mistake, and EFAULT; other addresses are not looked at. */
static inline bool tm_iter_valid(const struct tm_iter *it)
{
	return !it->left || it->iov->iov_base || !it->iov->iov_len;
}

/* 0, or -EINVAL and -EFAULT as readv(2). */
int tm_iter_init(struct tm_iter *it, const struct iovec *iov, size_t n);
void tm_iter_out_pieces(struct tm_iter *it, void *to, size_t n);
void tm_iter_in_pieces(struct tm_iter *it, const void *from, size_t n);

/* Whether n bytes lie in one piece. */
static inline bool tm_iter_whole(const struct tm_iter *it, size_t n)
{
	return n <= it->iov->iov_len - it->off;
}

/* That piece; moves on. */
static inline void *tm_iter_take(struct tm_iter *it, size_t n)
{
	void *p = (char *)it->iov->iov_base + it->off;

	it->off += n;
	it->left -= n;
	return p;
}

/* Gather n bytes. */
static inline void tm_iter_out(struct tm_iter *it, void *to, size_t n)
{
	if (tm_likely(tm_iter_whole(it, n)))
		memcpy(to, tm_iter_take(it, n), n);
	else
		tm_iter_out_pieces(it, to, n);
}

/* Scatter n bytes. */
static inline void tm_iter_in(struct tm_iter *it, const void *from, size_t n)
{
	if (tm_likely(tm_iter_whole(it, n)))
		memcpy(tm_iter_take(it, n), from, n);
	else
		tm_iter_in_pieces(it, from, n);
}

/* The whole of send and recv on a TOE socket. Bytes or -errno. */
ssize_t tm_tx(struct tm_sock *s, int fd, struct tm_iter *it, int flags);
ssize_t tm_rx(struct tm_sock *s, int fd, struct tm_iter *it, int flags);

/* MSG_FASTOPEN, tcp(7): connect, to the message's address, and send in one (connect.c). */
ssize_t tm_tx_connect(struct tm_sock *s, int fd, const struct msghdr *msg, int flags);

/*
 * Bytes that can be written now of `n` or more (flow lock held), or 0 and *err: -EAGAIN, or why never.
 */
uint32_t tm_tx_room(struct tm_sock *s, size_t n, int *err);
/* `n` bytes were written behind tx_end: tell the FPC. The flow lock is held. */
void tm_tx_commit(struct tm_ctx *c, struct tm_sock *s, size_t n, bool more, bool want_space);
/*
 * How every writer begins: *c is the thread's context; a socket that is no flow yet becomes one, as far
 * as the call may wait for that. 0, or -errno why there is none.
 */
int tm_tx_begin(struct tm_ctx **c, struct tm_sock *s, int fd, int flags);
/* A SYN that waits for data (TCP Fast Open) waits no longer. False: there is none. */
bool tm_tx_release(struct tm_ctx *c, struct tm_sock *s);
/* Wait for room after a full buffer. */
int tm_tx_wait(struct tm_ctx *c, struct tm_sock *s, int fd, uint64_t deadline);
/*
 * A call that did `done` bytes and then met `r`, 0 or -errno, says what it did; an error of the flow
 * that it took is left to the next call. With nothing done, r.
 */
ssize_t tm_part(struct tm_sock *s, ssize_t done, ssize_t r);
/*
 * What a writer takes its data from when it has none in memory. `read` is called with the flow's lock
 * held: where a source may make it wait, it says -EAGAIN, and `wait` waits: 0 or -errno.
 */
struct tm_source {
	ssize_t (*read)(const struct tm_source *src, void *to, size_t n);
	int (*wait)(const struct tm_source *src, bool first); /* NULL: there is always something */
	int fd;
	off_t *off; /* a file: where to begin, moved on; NULL: where it stands */
	bool nonblock; /* a pipe is not to be waited for */
	bool more; /* more follows (MSG_MORE) */
};

/* `len` bytes of that, or up to its end, are sent (sendfile.c). Bytes or -errno. */
ssize_t tm_tx_from(struct tm_sock *s, int fd, const struct tm_source *src, size_t len);
/*
 * One piece of what there is to read, `len` bytes at most, is offered to `take`, which must not wait,
 * and counts as read as far as that took it. No other reader comes in between. What that returned, or
 * -EAGAIN: there is nothing.
 */
ssize_t tm_rx_piece(struct tm_ctx *c, struct tm_sock *s, size_t len,
		    ssize_t (*take)(int to, void *piece, size_t n), int to);
/* Reading has come to an urgent byte. */
bool tm_rx_at_mark(const struct tm_sock *s);
/*
 * One more control message of `msg`, which has `room` bytes for them in all, msg_controllen of them in
 * use; or MSG_CTRUNC.
 */
void tm_put_cmsg(struct msghdr *msg, size_t room, int level, int type, const void *data, size_t n);
/* IP_RECVERR or IPV6_RECVERR, in the same way. */
void tm_put_error(struct tm_sock *s, struct msghdr *msg, size_t room,
		  const struct sock_extended_err *ee);
/* A send with MSG_ZEROCOPY is done; recvmsg with MSG_ERRQUEUE tells: 0, or -EAGAIN. */
void tm_copied(struct tm_sock *s);
int tm_rx_errqueue(struct tm_sock *s, struct msghdr *msg);

/*
 * stamps.c. The times that a send wants (enum toe_send_flags): by SO_TIMESTAMPING, or by the control
 * messages of its sendmsg: those hold for this thread until the call is over. 0 or -EINVAL.
 */
uint8_t tm_stamp_kinds(const struct tm_sock *s);
int tm_stamp_call(struct tm_sock *s, const struct msghdr *msg);
void tm_stamp_called(void);
/* Is a time of what was sent there? The first of them, for MSG_ERRQUEUE: 0 or -EAGAIN. */
bool tm_stamp_any(const struct tm_sock *s);
int tm_stamp_take(struct tm_sock *s, struct msghdr *msg, size_t room);
/* When what was read came, which ends at stream position `end`. */
void tm_stamp_rx(struct tm_sock *s, struct msghdr *msg, size_t room, uint64_t end);

/*
 * rights.c. Descriptors that `msg` passes on: 0, or -EOPNOTSUPP as one is a connection of the TOE; and
 * those that it has brought, whose numbers libtoe may have known as something else's.
 */
int tm_rights_send(const struct msghdr *msg);
void tm_rights_received(const struct msghdr *msg);

/* What a send has made, on its way to the caller. */
static inline ssize_t tm_tx_end(struct tm_sock *s, int flags, ssize_t r)
{
	if (tm_unlikely(flags & MSG_ZEROCOPY) && r > 0 && s->opt.zerocopy)
		tm_copied(s);
	return r;
}

/* EPIPE goes with a signal unless MSG_NOSIGNAL. */
ssize_t tm_tx_error(ssize_t r, int flags);

#endif
