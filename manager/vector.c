/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other forms of send and recv: all of them end in tm_tx and tm_rx.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "toe.h"
#include "transfer.h"

int tm_iter_init(struct tm_iter *it, const struct iovec *iov, size_t n)
{
	size_t left = 0;

	if (n > IOV_MAX)
		return -EINVAL;
	if (!iov && n)
		return -EFAULT;
	for (size_t i = 0; i < n; i++) {
		if (iov[i].iov_len > (size_t)SSIZE_MAX - left)
			return -EINVAL;
		if (!iov[i].iov_base && iov[i].iov_len)
			return -EFAULT;
		left += iov[i].iov_len;
	}
	*it = (struct tm_iter){ iov, 0, left };
	return 0;
}

static inline void pieces(struct tm_iter *it, char *p, size_t n, bool out)
{
	const struct iovec *v = it->iov;
	size_t off = it->off, piece;
	char *at;

	it->left -= n;
	for (;; v++, off = 0, p += piece, n -= piece) {
		at = (char *)v->iov_base + off;
		piece = v->iov_len - off;
		if (piece >= n)
			break;
		if (tm_likely(piece))
			memcpy(out ? p : at, out ? at : p, piece);
	}
	memcpy(out ? p : at, out ? at : p, n);
	it->iov = v;
	it->off = off + n;
}

tm_hot void tm_iter_out_pieces(struct tm_iter *it, void *to, size_t n)
{
	pieces(it, to, n, true);
}

tm_hot void tm_iter_in_pieces(struct tm_iter *it, const void *from, size_t n)
{
	pieces(it, (char *)from, n, false);
}

ssize_t toe_write(int fd, const void *buf, size_t len)
{
	return tm_sock_of(fd) ? toe_send(fd, buf, len, 0) : write(fd, buf, len);
}

ssize_t toe_read(int fd, void *buf, size_t len)
{
	struct tm_sock *s = tm_sock_of(fd);

	if (tm_is_kernel(s))
		return read(fd, buf, len);
	return len ? toe_recv(fd, buf, len, 0) : 0; /* recv would wait */
}

/* Of a message: the kernel has another word for too many. */
static int msg_init(struct tm_iter *it, const struct iovec *iov, size_t n)
{
	return n > IOV_MAX ? -EMSGSIZE : tm_iter_init(it, iov, n);
}

static ssize_t sock_writev(struct tm_sock *s, int fd, const struct iovec *iov, size_t n, int flags)
{
	struct tm_iter it;
	int err = msg_init(&it, iov, n);

	return tm_ret(err ? err : tm_tx_end(s, flags, tm_tx(s, fd, &it, flags)));
}

static ssize_t sock_readv(struct tm_sock *s, int fd, const struct iovec *iov, size_t n, int flags)
{
	struct tm_iter it;
	int err = msg_init(&it, iov, n);

	return tm_ret(err ? err : tm_rx(s, fd, &it, flags));
}

ssize_t toe_writev(int fd, const struct iovec *iov, int n)
{
	struct tm_sock *s = tm_sock_of(fd);
	struct tm_iter it;
	int err;

	if (tm_is_kernel(s))
		return writev(fd, iov, n);
	err = tm_iter_init(&it, iov, (size_t)n);
	return tm_ret(err || !it.left ? err : tm_tx_end(s, 0, tm_tx(s, fd, &it, 0)));
}

ssize_t toe_readv(int fd, const struct iovec *iov, int n)
{
	struct tm_sock *s = tm_sock_of(fd);
	struct tm_iter it;
	int err;

	if (tm_is_kernel(s))
		return readv(fd, iov, n);
	err = tm_iter_init(&it, iov, (size_t)n);
	return tm_ret(err || !it.left ? err : tm_rx(s, fd, &it, 0));
}

static ssize_t sock_sendmsg(struct tm_sock *s, int fd, const struct msghdr *msg, int flags)
{
	if (flags & MSG_FASTOPEN)
		return tm_ret(tm_tx_end(s, flags, tm_tx_connect(s, fd, msg, flags)));
	return sock_writev(s, fd, msg->msg_iov, msg->msg_iovlen, flags);
}

static ssize_t kernel_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	int err = msg && msg->msg_controllen ? tm_rights_send(msg) : 0;

	return err ? tm_ret(err) : sendmsg(fd, msg, flags);
}

static ssize_t kernel_recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t r = recvmsg(fd, msg, flags);

	if (r >= 0 && msg->msg_controllen)
		tm_rights_received(msg);
	return r;
}

/*
 * Control messages mean nothing on a TCP connection without their options. Of those sent only
 * SO_TIMESTAMPING's counts.
 */
ssize_t toe_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct tm_sock *s = tm_sock_of(fd);
	ssize_t r;
	int err;

	if (tm_is_kernel(s) && !(s && flags & MSG_FASTOPEN && tm_kind(s) == TM_FRESH))
		return kernel_sendmsg(fd, msg, flags);
	if (!msg)
		return tm_ret(-EFAULT);
	if (tm_likely(!msg->msg_controllen))
		return sock_sendmsg(s, fd, msg, flags);
	err = tm_stamp_call(s, msg);
	if (err)
		return tm_ret(err);
	r = sock_sendmsg(s, fd, msg, flags);
	tm_stamp_called();
	return r;
}

/*
 * TCP_INQ: how much can be read at once; 1 when all that is left is the end of the stream. The space
 * that recvmsg(2) offers for control messages takes it, or MSG_CTRUNC says that it does not.
 */
static void tell_inq(struct tm_sock *s, struct msghdr *msg, size_t room)
{
	int inq = (int)tm_rx_avail(s);

	if (!inq && toe_load_acquire(&s->fb->dev.flags) & TOE_FLOW_RX_FIN)
		inq = 1;
	tm_put_cmsg(msg, room, IPPROTO_TCP, TCP_CM_INQ, &inq, sizeof(inq));
}

/* What goes with `n` bytes of data, which may only have been looked at. */
static void tell(struct tm_sock *s, struct msghdr *msg, size_t room, size_t n, bool peek)
{
	if (tm_unlikely(tm_has(s, TM_S_STAMPS)) && n)
		tm_stamp_rx(s, msg, room, toe_load(&s->fb->app.rx_read) + (peek ? n : 0));
	if (s->opt.inq)
		tell_inq(s, msg, room);
}

ssize_t toe_recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct tm_sock *s = tm_sock_of(fd);
	size_t room;
	ssize_t r;

	if (tm_is_kernel(s))
		return kernel_recvmsg(fd, msg, flags);
	if (!msg)
		return tm_ret(-EFAULT);
	room = msg->msg_controllen;
	if (tm_unlikely(flags & MSG_ERRQUEUE) && tm_kind(s) == TM_FLOW)
		return tm_ret(tm_rx_errqueue(s, msg));
	r = sock_readv(s, fd, msg->msg_iov, msg->msg_iovlen, flags);
	if (r >= 0) {
		msg->msg_namelen = 0;
		msg->msg_controllen = 0;
		msg->msg_flags = flags & (MSG_OOB | MSG_CMSG_CLOEXEC);
		if (tm_kind(s) == TM_FLOW && !(flags & MSG_OOB))
			tell(s, msg, room, (size_t)r, flags & MSG_PEEK);
	}
	return r;
}
