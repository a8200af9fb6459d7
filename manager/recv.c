/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receiving: copy out of the flow's buffer, move rx_read; the FPC is told now and then, when the
 * window is worth opening.
 */
#include <string.h>

#include "connect.h"
#include "toe.h"
#include "transfer.h"

enum { TWO_SEGMENTS = 2 * 1460 };

static __thread uint64_t peek_goal; /* for peek_ready */

/*
 * Tell the FPC when a quarter of the buffer was read, so that a stream of small messages costs no
 * command each. A peer that has little window left hears of it after two segments' worth.
 */
static void rx_tell(struct tm_ctx *c, struct tm_sock *s, uint64_t read)
{
	struct toe_flow_app *a = &s->fb->app;
	uint64_t told = toe_load(&a->rx_told), size = toe_load(&s->fb->dev.rx_limit);
	uint64_t window = told + size - toe_load(&s->fb->dev.rx_end);

	if (tm_likely(read - told < size / 4) &&
	    (tm_likely(window >= size / 4) || read - told < TWO_SEGMENTS))
		return;
	toe_store(&a->rx_told, read);
	tm_push_flow(c, s, TOE_SW_RECV, 0, read);
}

/* No lock: readers have come from the same place, or have passed it. */
tm_cold void tm_urg_look(struct tm_sock *s)
{
	uint64_t urg = toe_load(&s->fb->dev.rx_urg), mark = toe_load(&s->oob_mark);
	uint64_t from = mark - 1, at;

	if (mark && mark < urg && !s->opt.oobinline)
		__atomic_compare_exchange_n(&s->fb->app.rx_read, &from, mark, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	at = tm_urg_at(s);
	if (at == toe_load(&s->fb->app.rx_read))
		toe_store(&s->oob_mark, at + 1);
}

static void rx_copy(struct tm_sock *s, struct tm_iter *it, uint64_t pos, uint32_t n)
{
	const void *from;
	uint32_t piece;

	for (;; pos += piece, n -= piece) {
		piece = n;
		from = tm_rx_at(s, pos, &piece);
		tm_iter_in(it, from, piece);
		if (tm_likely(piece == n))
			return;
	}
}

/*
 * tcp(7): reading stops before the urgent byte, and starting there leaves it out, or with
 * SO_OOBINLINE does not. What of `avail` bytes from *read on may be read; `want` are going to be. Who
 * only looks passes nothing.
 */
static tm_cold uint64_t to_the_mark(struct tm_ctx *c, struct tm_sock *s, uint64_t *read,
				    uint64_t avail, uint64_t want, bool peek)
{
	uint64_t end = *read + avail, at;

	tm_urg_look(s);
	*read = toe_load(&s->fb->app.rx_read);
	avail = end - *read;
	at = tm_urg_at(s);
	if (at == UINT64_MAX || at >= end)
		return avail;
	if (at > *read) {
		if (!peek && want >= at - *read)
			toe_store(&s->oob_mark, at + 1);
		return at - *read;
	}
	if (s->opt.oobinline)
		return avail;
	++*read;
	if (!peek) {
		toe_store_release(&s->fb->app.rx_read, *read);
		rx_tell(c, s, *read);
	}
	return avail - 1;
}

/* recv with MSG_OOB, under the lock: 1, 0 or -errno. */
static ssize_t rx_urgent(struct tm_sock *s, struct tm_iter *it, int flags)
{
	uint64_t urg = toe_load(&s->fb->dev.rx_urg), at = tm_urg_at(s);
	uint32_t n = 1;

	tm_urg_look(s);
	if (s->opt.oobinline || !urg || toe_load(&s->oob_taken) == urg)
		return -EINVAL;
	if (at == UINT64_MAX)
		return urg > toe_load(&s->fb->app.rx_read) ? -EAGAIN : -EINVAL;
	if (!it->left)
		return 0;
	if (!(flags & MSG_PEEK))
		toe_store(&s->oob_taken, at + 1);
	tm_iter_in(it, tm_rx_at(s, at, &n), 1);
	return 1;
}

static ssize_t rx_oob(struct tm_sock *s, struct tm_iter *it, int flags)
{
	ssize_t r;

	tm_spin_lock(&s->rlock);
	r = rx_urgent(s, it, flags);
	tm_spin_unlock(&s->rlock);
	return r;
}

/* What is there. Bytes; 0: the stream has ended; -errno, among them -EAGAIN. */
static ssize_t rx_some(struct tm_ctx *c, struct tm_sock *s, struct tm_iter *it, int flags)
{
	uint8_t fl = toe_load_acquire(
	    &s->fb->dev.flags); /* before rx_end: with the FIN seen, that is final */
	uint64_t read = toe_load(&s->fb->app.rx_read);
	uint64_t avail = toe_load_acquire(&s->fb->dev.rx_end) - read;
	uint32_t n;
	int err;

	if (tm_unlikely(toe_load(&s->fb->dev.rx_urg) > read) && avail && avail <= TOE_BUF_MAX)
		avail = to_the_mark(c, s, &read, avail, it->left, flags & MSG_PEEK);
	if (tm_unlikely(!avail || avail > TOE_BUF_MAX)) {
		/* As Linux: the end of the stream has come, whatever came after it. */
		err = (fl & (TOE_FLOW_ERROR | TOE_FLOW_RX_FIN)) == TOE_FLOW_ERROR ? tm_take_error(s)
										  : 0;
		if (err)
			return -err;
		return fl & (TOE_FLOW_ERROR | TOE_FLOW_RX_FIN | TOE_FLOW_CLOSED) ||
			       tm_has(s, TM_S_SHUT_RD)
			   ? 0
			   : -EAGAIN;
	}
	n = avail < it->left ? (uint32_t)avail : (uint32_t)it->left;
	if (tm_likely(!(flags & MSG_TRUNC))) {
		if (tm_unlikely(!tm_iter_valid(it)))
			return -EFAULT;
		if (tm_likely(n)) /* else there may be no piece */
			rx_copy(s, it, read, n);
	} else {
		it->left -= n;
	}
	if (tm_likely(!(flags & MSG_PEEK))) {
		toe_store_release(&s->fb->app.rx_read, read + n);
		rx_tell(c, s, read + n);
	}
	return n;
}

ssize_t tm_rx_piece(struct tm_ctx *c, struct tm_sock *s, size_t len,
		    ssize_t (*take)(int to, void *piece, size_t n), int to)
{
	int cancel = tm_uncancellable();
	uint64_t read, avail;
	ssize_t r = -EAGAIN;
	uint32_t n;
	void *p;

	tm_spin_lock(&s->rlock);
	read = toe_load(&s->fb->app.rx_read);
	avail = toe_load_acquire(&s->fb->dev.rx_end) - read;
	if (avail && avail <= TOE_BUF_MAX)
		avail = to_the_mark(c, s, &read, avail, len, false);
	if (avail && avail <= TOE_BUF_MAX) {
		n = avail < len ? (uint32_t)avail : (uint32_t)len;
		p = tm_rx_at(s, read, &n);
		r = take(to, p, n);
	}
	if (r > 0) {
		toe_store_release(&s->fb->app.rx_read, read + (size_t)r);
		rx_tell(c, s, read + (size_t)r);
	}
	tm_spin_unlock(&s->rlock);
	tm_cancellable(cancel);
	return r;
}

/* No more will come; another thread may also have given up the connect or dissolved what it led to. */
static bool rx_over(struct tm_sock *s)
{
	return toe_load_acquire(&s->fb->dev.flags) &
		   (TOE_FLOW_ERROR | TOE_FLOW_RX_FIN | TOE_FLOW_CLOSED) ||
	       tm_has(s, TM_S_SHUT_RD) || tm_kind(s) != TM_FLOW;
}

static bool rx_ready(struct tm_sock *s)
{
	return tm_rx_avail(s) || rx_over(s);
}

bool tm_rx_at_mark(const struct tm_sock *s)
{
	return tm_kind(s) == TM_FLOW && toe_load(&s->fb->dev.rx_urg) &&
	       tm_urg_at(s) == toe_load(&s->fb->app.rx_read);
}

/* As much as is asked for lies there, or all before the urgent byte; or no more will come. */
static bool peek_ready(struct tm_sock *s)
{
	bool mark = tm_rx_at_mark(s), hole = mark && !s->opt.oobinline;

	return tm_rx_avail(s) >= peek_goal + hole || (!mark && tm_urg_at(s) != UINT64_MAX) ||
	       rx_over(s);
}

/* MSG_PEEK takes nothing, so all that is waited for has to lie there first. 0: look. */
static int peek_wait(struct tm_ctx *c, struct tm_sock *s, int fd, size_t want)
{
	uint64_t most = toe_load(&s->fb->dev.rx_limit) - 1; /* besides an urgent byte */
	uint64_t deadline = tm_deadline(s->opt.rcvtimeo_us);
	int err;

	peek_goal = want < most ? want : most;
	if (peek_ready(s))
		return 0;
	err = tm_sock_wait(c, s, fd, peek_ready, -1, deadline);
	return tm_rx_any(s) && err != -EBADF ? 0 : err;
}

static bool flow_known(struct tm_sock *s)
{
	return tm_kind(s) != TM_CONNECT;
}

/* The socket is no flow. 0: by now it is one, which may be connecting: that is waited for as data is. */
static int rx_begin(struct tm_ctx *c, struct tm_sock *s, int fd, int flags, bool wait)
{
	int err = 0;

	if (flags & MSG_OOB && tm_kind(s) != TM_LISTEN && tm_kind(s) != TM_EPOLL)
		return -EINVAL; /* there is none, nor can it come */
	if (tm_kind(s) == TM_EPOLL)
		return -ENOTSOCK;
	tm_connect_look(s);
	if (!flow_known(s))
		err = wait ? tm_sock_wait(c, s, fd, flow_known, -1, tm_deadline(s->opt.rcvtimeo_us))
			   : -EAGAIN;
	if (err || tm_kind(s) == TM_FLOW)
		return err == -EPIPE ? -ENOTCONN : err;
	err = tm_take_error(s);
	return err ? -err : -ENOTCONN;
}

/* What a call that waits wants of `len` bytes: all with MSG_WAITALL, else SO_RCVLOWAT. */
static size_t rx_want(const struct tm_sock *s, size_t len, int flags)
{
	size_t low = tm_likely(!s->lowat) ? 1 : tm_rx_low(s);

	return flags & MSG_WAITALL || len < low ? len : low;
}

static ssize_t rx_look(struct tm_ctx *c, struct tm_sock *s, struct tm_iter *it, int flags)
{
	ssize_t r;

	tm_spin_lock(&s->rlock);
	r = rx_some(c, s, it, flags);
	tm_spin_unlock(&s->rlock);
	return r;
}

/* All of tm_rx, with waiting. */
static tm_cold ssize_t rx_wait(struct tm_ctx *c, struct tm_sock *s, int fd, struct tm_iter *it,
			       int flags)
{
	uint64_t deadline = 0;
	ssize_t done = 0, r;
	bool wait = !(flags & MSG_DONTWAIT) && !tm_has(s, TM_S_NONBLOCK);
	size_t want;
	int err = 0;

	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (tm_kind(s) != TM_FLOW)
		err = rx_begin(c, s, fd, flags, wait);
	if (err)
		return err;
	if (flags & MSG_OOB)
		return rx_oob(s, it, flags);
	want = rx_want(s, it->left ? it->left : 1, flags);
	if (wait) /* else for ever: who waits to read is not going to write */
		tm_tx_release(c, s);
	if (flags & MSG_PEEK && wait)
		err = peek_wait(c, s, fd, want);
	if (err)
		return err;
	for (;;) {
		if (tm_kind(s) != TM_FLOW) { /* another thread renewed it */
			err = done ? 0 : rx_begin(c, s, fd, flags, wait);
			if (done || err)
				return done ? done : err;
			continue;
		}
		if (done && tm_rx_at_mark(s)) /* MSG_WAITALL ends there, too */
			return done;
		r = rx_look(c, s, it, flags);
		if (r > 0)
			done += r;
		if (r > 0 && ((size_t)done >= want || flags & MSG_PEEK))
			return done;
		if (r <= 0 && r != -EAGAIN)
			return tm_part(s, done, r);
		if (!wait) {
			tm_glance(c);
			return done ? done : -EAGAIN;
		}
		if (!deadline)
			deadline = tm_deadline(s->opt.rcvtimeo_us);
		err =
		    tm_sock_wait(c, s, fd, flags & MSG_PEEK ? peek_ready : rx_ready, -1, deadline);
		if (err)
			return done ? done : err;
	}
}

/* Most calls are content with what is there, and there is something. */
tm_hot ssize_t tm_rx(struct tm_sock *s, int fd, struct tm_iter *it, int flags)
{
	ssize_t r = -EAGAIN;
	int err = 0;
	struct tm_ctx *c = tm_ctx_get(&err);

	if (tm_unlikely(err))
		return flags & MSG_ERRQUEUE ? -EAGAIN : err;
	if (tm_likely(tm_kind(s) == TM_FLOW && !(flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL)) &&
		      !s->lowat && it->left))
		r = rx_look(c, s, it, 0);
	return tm_likely(r != -EAGAIN) ? r : rx_wait(c, s, fd, it, flags);
}

ssize_t toe_recv(int fd, void *buf, size_t len, int flags)
{
	struct tm_sock *s = tm_sock_of(fd);
	struct iovec iov = { buf, len };
	struct tm_iter it = { &iov, 0, len };

	return tm_is_kernel(s) ? recv(fd, buf, len, flags) : tm_ret(tm_rx(s, fd, &it, flags));
}
