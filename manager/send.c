/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending: copy into the flow's buffer, move tx_end, tell the FPC. No system call unless the FPC
 * sleeps.
 */
#include <signal.h>
#include <string.h>

#include "connect.h"
#include "toe.h"
#include "transfer.h"

int tm_take_error(struct tm_sock *s)
{
	int err = 0;

	if (tm_kind(s) == TM_FLOW) {
		if (!(toe_load_acquire(&s->fb->dev.flags) & TOE_FLOW_ERROR) ||
		    tm_has(s, TM_S_ERROR_TAKEN))
			return 0;
		err = (int)toe_load(&s->fb->dev.error);
		tm_set(s, TM_S_ERROR_TAKEN);
	} else {
		err = s->error;
		s->error = 0;
	}
	return err;
}

ssize_t tm_part(struct tm_sock *s, ssize_t done, ssize_t r)
{
	if (!done)
		return r;
	if (r < 0 && tm_kind(s) == TM_FLOW && -r == (ssize_t)toe_load(&s->fb->dev.error))
		tm_clear(s, TM_S_ERROR_TAKEN);
	return done;
}

ssize_t tm_tx_error(ssize_t r, int flags)
{
	if (r == -EPIPE && !(flags & MSG_NOSIGNAL))
		raise(SIGPIPE);
	return r;
}

/* Bytes from tx_end on that the windows are open for. */
static uint32_t tx_free(const struct tm_sock *s)
{
	int32_t n =
	    (int32_t)(toe_load(&s->fb->dev.tx_open) - (uint32_t)toe_load(&s->fb->app.tx_end));

	return n > 0 ? (uint32_t)n : 0;
}

static uint64_t whole_bursts(uint64_t n, uint64_t burst)
{
	return (n + burst - 1) / burst * burst;
}

/*
 * TCP_NOTSENT_LOWAT: what the windows are open for, and beyond that whole bursts while less waits
 * than the mark says: a mark of a few bytes is not to make segments of a few bytes.
 */
static tm_cold uint32_t below_mark(const struct tm_sock *s, uint32_t low)
{
	uint64_t burst = toe_load(&s->fb->dev.tx_burst);
	uint32_t unsent = tm_tx_unsent(s);
	uint64_t n;

	if (unsent >= low || !burst)
		return 0;
	n = whole_bursts(low - unsent, burst) + tx_free(s);
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/*
 * A write for which the `space` that SO_SNDBUF leaves is not enough. As in Linux the limit is looked at
 * before each burst, and the last one goes beyond it. While the windows are open whole bursts leave at
 * once; of the one at their edge a part does, and is written again. Where the ring has no room for that,
 * it is filled with whole bursts: segments, too, are to be whole.
 */
static tm_cold uint32_t last_burst(const struct tm_sock *s, uint32_t space)
{
	uint64_t burst = toe_load_acquire(&s->fb->dev.tx_burst), used = tm_tx_used(s), end;
	uint64_t ring = toe_ring_size(toe_load(&s->fb->dev.tx_ring));
	uint32_t free = tx_free(s);

	if (!space || !burst)
		return space;
	if (space <= free - free % burst)
		end = used + whole_bursts(space, burst);
	else
		end = used + free + whole_bursts(space > free ? space - free : 1, burst);
	if (end > ring)
		end = ring - ring % burst;
	return end > used + space ? (uint32_t)(end - used) : space;
}

/* Why nothing can be sent any more: -errno. */
static tm_cold int over(struct tm_sock *s)
{
	int e = tm_take_error(s);

	return e ? -e : -EPIPE;
}

static inline bool is_over(const struct tm_sock *s)
{
	uint8_t fl = toe_load_acquire(&s->fb->dev.flags);

	return fl & (TOE_FLOW_ERROR | TOE_FLOW_TX_SHUT | TOE_FLOW_CLOSED) ||
	       tm_has(s, TM_S_SHUT_WR);
}

uint32_t tm_tx_room(struct tm_sock *s, size_t n, int *err)
{
	uint32_t room, low;

	if (tm_unlikely(is_over(s))) {
		*err = over(s);
		return 0;
	}
	*err = -EAGAIN;
	room = tm_tx_space(s);
	if (tm_unlikely(room < n))
		room = last_burst(s, room);
	low = tm_tx_low(s);
	if (tm_likely(low == UINT32_MAX))
		return room;
	low = below_mark(s, low);
	return room < low ? room : low;
}

/* What a send says besides its end (enum toe_send_flags). */
static tm_cold uint8_t conditions(struct tm_sock *s, bool more, bool want_space)
{
	uint8_t fl = 0;

	if (want_space) {
		tm_set(s, TM_S_WANT_SPACE);
		return TOE_SEND_WANT_SPACE; /* a full buffer is nothing to hold back */
	}
	if (more)
		fl |= TOE_SEND_MORE;
	if (tm_has(s, TM_S_CORK))
		fl |= TOE_SEND_CORKED;
	if (tm_has(s, TM_S_WANT_SPACE))
		/* An answer on its way speaks of space that these bytes may have taken. */
		fl |= TOE_SEND_WANT_SPACE;
	return fl;
}

/* `n` bytes more, and what is said of them (enum toe_send_flags). */
static inline void commit(struct tm_ctx *c, struct tm_sock *s, size_t n, uint8_t fl)
{
	uint64_t end = toe_load(&s->fb->app.tx_end) + n;

	toe_store(&s->fb->app.tx_end, end);
	s->tx_ctx = (uint8_t)c->id;
	tm_push_flow(c, s, TOE_SW_SEND, fl, end);
}

void tm_tx_commit(struct tm_ctx *c, struct tm_sock *s, size_t n, bool more, bool want_space)
{
	uint8_t fl = 0;

	if (tm_unlikely(more || want_space || tm_has(s, TM_S_CORK | TM_S_WANT_SPACE)))
		fl = conditions(s, more, want_space);
	commit(c, s, n, fl);
}

/* Copy `n` bytes behind tx_end. */
static void tx_copy(struct tm_sock *s, struct tm_iter *it, uint64_t pos, uint32_t n)
{
	uint32_t piece;
	void *to;

	for (;; pos += piece, n -= piece) {
		piece = n;
		to = tm_tx_at(s, pos, &piece);
		tm_iter_out(it, to, piece);
		if (tm_likely(piece == n))
			return;
	}
}

/*
 * The same as tm_tx_commit for data whose end may be marked: as urgent, or a record's, once all of it
 * is written; for its times, where the call ends, also if that is for want of space.
 */
static tm_cold void tx_marked(struct tm_ctx *c, struct tm_sock *s, size_t n, int flags, bool full)
{
	uint8_t fl = conditions(s, flags & MSG_MORE, full);

	if (flags & (MSG_OOB | MSG_EOR) && !full) {
		fl &= (uint8_t)~TOE_SEND_MORE;
		fl |= flags & MSG_OOB ? TOE_SEND_OOB : 0;
		fl |= flags & MSG_EOR ? TOE_SEND_EOR : 0;
	}
	if (fl & TOE_SEND_OOB)
		fl &= (uint8_t)~TOE_SEND_CORKED;
	if (!full || tm_has(s, TM_S_NONBLOCK) || flags & MSG_DONTWAIT)
		fl |= tm_stamp_kinds(s);
	commit(c, s, n, fl);
}

/* As much as fits. Bytes, or -errno; *full: it did not all fit. */
static ssize_t tx_some(struct tm_ctx *c, struct tm_sock *s, struct tm_iter *it, int flags,
		       bool *full)
{
	uint32_t room, n;
	int err;

	tm_flow_lock(s);
	room = tm_tx_room(s, it->left, &err);
	*full = room < it->left;
	n = *full ? room : (uint32_t)it->left;
	if (n || err == -EAGAIN) {
		if (tm_likely(n))
			tx_copy(s, it, toe_load(&s->fb->app.tx_end), n);
		if (tm_unlikely(flags & (MSG_OOB | MSG_EOR) || tm_has(s, TM_S_STAMPS)))
			tx_marked(c, s, n, flags, *full);
		else
			tm_tx_commit(c, s, n, flags & MSG_MORE, *full);
	}
	tm_flow_unlock(s);
	return n ? (ssize_t)n : err;
}

/* The same where it is not the only thing to do. */
static tm_cold ssize_t tx_part(struct tm_ctx *c, struct tm_sock *s, struct tm_iter *it, int flags,
			       bool *full)
{
	return tx_some(c, s, it, flags, full);
}

/* Also when the FPC has answered and its answer holds no more: who tries again asks again. */
static bool tx_ready(struct tm_sock *s)
{
	return is_over(s) || tm_writable(s) || !tm_has(s, TM_S_WANT_SPACE);
}

int tm_tx_wait(struct tm_ctx *c, struct tm_sock *s, int fd, uint64_t deadline)
{
	return tm_sock_wait(c, s, fd, tx_ready, -1, deadline);
}

/* Connecting has ended for good, or `eager`: by TCP Fast Open data can go with the SYN. */
static bool connected_by(struct tm_sock *s, uint8_t eager)
{
	if (tm_kind(s) == TM_FLOW)
		return toe_load_acquire(&s->fb->dev.flags) &
		       (TOE_FLOW_ESTABLISHED | TOE_FLOW_ERROR | eager);
	return tm_kind(s) != TM_CONNECT;
}

static bool handshake_over(struct tm_sock *s)
{
	return connected_by(s, 0);
}

static bool connecting_over(struct tm_sock *s)
{
	return connected_by(s, TOE_FLOW_EAGER);
}

int tm_tx_begin(struct tm_ctx **c, struct tm_sock *s, int fd, int flags)
{
	int err = 0;

	*c = tm_ctx_get(&err);
	if (!*c)
		return err;
	if (tm_kind(s) == TM_EPOLL)
		return -ENOTSOCK;
	tm_connect_look(s);
	if (!connecting_over(s)) {
		if (tm_has(s, TM_S_NONBLOCK) || flags & MSG_DONTWAIT)
			return -EAGAIN;
		err = tm_sock_wait(*c, s, fd, connecting_over, -1, tm_deadline(s->opt.sndtimeo_us));
		if (err)
			return err;
	}
	if (tm_kind(s) == TM_FLOW)
		return 0;
	err = tm_take_error(s);
	return err ? -err : -EPIPE;
}

static bool established(struct tm_sock *s)
{
	return tm_likely(tm_kind(s) == TM_FLOW) &&
	       tm_likely(toe_load_acquire(&s->fb->dev.flags) & TOE_FLOW_ESTABLISHED);
}

/* As much as goes with the SYN (TCP Fast Open). */
static ssize_t tx_syn(struct tm_ctx *c, struct tm_sock *s, struct tm_iter *it, int flags)
{
	struct tm_iter part = *it;
	size_t room = tm_eager_space(s);
	bool full;

	if (part.left > room)
		part.left = room;
	if (part.left)
		return tx_part(c, s, &part, flags, &full);
	tm_glance(c);
	return -EAGAIN;
}

/* What became of a handshake: 0 or -errno. */
static int tx_outcome(struct tm_sock *s)
{
	int err;

	if (tm_kind(s) == TM_FLOW && !(toe_load_acquire(&s->fb->dev.flags) & TOE_FLOW_ERROR))
		return 0;
	err = tm_take_error(s);
	return err ? -err : -EPIPE;
}

/*
 * The handshake is not done, but data can go with the SYN. A call that may block waits for the
 * answer, so as to say that there was none. Bytes or -errno.
 */
static ssize_t tx_eager(struct tm_ctx *c, struct tm_sock *s, int fd, struct tm_iter *it, int flags)
{
	uint64_t deadline = tm_deadline(s->opt.sndtimeo_us);
	ssize_t r = 0;
	bool full;
	int err;

	if (!handshake_over(s)) {
		if (tm_has(s, TM_S_NONBLOCK) || flags & MSG_DONTWAIT)
			return tx_syn(c, s, it, flags);
		r = tx_part(c, s, it, flags, &full);
		err = r < 0 ? (int)r : tm_sock_wait(c, s, fd, handshake_over, -1, deadline);
		if (err)
			return err;
	}
	err = tx_outcome(s);
	return err ? err : r;
}

bool tm_tx_release(struct tm_ctx *c, struct tm_sock *s)
{
	bool held;

	if (tm_kind(s) != TM_FLOW || handshake_over(s))
		return false;
	tm_flow_lock(s);
	held = tm_eager_space(s);
	if (held)
		tm_tx_commit(c, s, 0, false, false);
	tm_flow_unlock(s);
	return held;
}

/*
 * A write of nothing fails where any would. A SYN that waits for data (TCP Fast Open) waits no longer,
 * and the connection is an ordinary one in progress. 0 or -errno.
 */
static tm_cold int tx_nothing(struct tm_ctx *c, struct tm_sock *s, int fd, int flags)
{
	uint64_t deadline = tm_deadline(s->opt.sndtimeo_us);
	bool held;
	int err;

	if (handshake_over(s))
		return is_over(s) ? over(s) : 0;
	held = tm_tx_release(c, s);
	if (tm_has(s, TM_S_NONBLOCK) || flags & MSG_DONTWAIT)
		return held ? -EINPROGRESS : -EAGAIN;
	err = tm_sock_wait(c, s, fd, handshake_over, -1, deadline);
	return err ? err : tx_outcome(s);
}

/*
 * What one look had no room for, as far as the call may wait: `done` bytes had been written before it,
 * `r` is what it gave.
 */
static tm_cold ssize_t tx_rest(struct tm_ctx *c, struct tm_sock *s, int fd, struct tm_iter *it,
			       int flags, ssize_t done, ssize_t r)
{
	uint64_t deadline = 0;
	bool full;
	int err;

	do {
		if (r < 0 && r != -EAGAIN)
			return done ? tm_part(s, done, r) : tm_tx_error(r, flags);
		done += r > 0 ? r : 0;
		if (tm_has(s, TM_S_NONBLOCK) || flags & MSG_DONTWAIT) {
			tm_glance(c);
			return done ? done : -EAGAIN;
		}
		if (!deadline)
			deadline = tm_deadline(s->opt.sndtimeo_us);
		err = tm_tx_wait(c, s, fd, deadline);
		if (err)
			return done ? done : err;
		r = tx_part(c, s, it, flags, &full);
	} while (full || r < 0);
	return done + r;
}

/* The same when the handshake was not done at the call. */
static tm_cold ssize_t tx_early(struct tm_sock *s, int fd, struct tm_iter *it, int flags)
{
	struct tm_ctx *c;
	int err = tm_tx_begin(&c, s, fd, flags);
	ssize_t done, r;
	bool full;

	if (err)
		return tm_tx_error(err, flags);
	if (!it->left)
		return tm_tx_error(tx_nothing(c, s, fd, flags), flags);
	if (!tm_iter_valid(it))
		return -EFAULT;
	done = tx_eager(c, s, fd, it, flags);
	if (done < 0)
		return tm_tx_error(done, flags);
	if (!it->left || !established(s))
		return done;
	r = tx_part(c, s, it, flags, &full);
	return full || r < 0 ? tx_rest(c, s, fd, it, flags, done, r) : done + r;
}

tm_hot ssize_t tm_tx(struct tm_sock *s, int fd, struct tm_iter *it, int flags)
{
	struct tm_ctx *c;
	ssize_t r;
	bool full;
	int err = 0;

	if (tm_unlikely(!established(s)))
		return tx_early(s, fd, it, flags);
	c = tm_ctx_get(&err);
	if (tm_unlikely(!c))
		return tm_tx_error(err, flags);
	if (tm_unlikely(!it->left))
		return tm_tx_error(tx_nothing(c, s, fd, flags), flags);
	if (tm_unlikely(!tm_iter_valid(it)))
		return -EFAULT;
	r = tx_some(c, s, it, flags, &full);
	return tm_likely(!full && r >= 0) ? r : tx_rest(c, s, fd, it, flags, 0, r);
}

ssize_t toe_send(int fd, const void *buf, size_t len, int flags)
{
	struct tm_sock *s = tm_sock_of(fd);
	struct iovec iov = { (void *)buf, len };
	struct tm_iter it = { &iov, 0, len };

	return tm_is_kernel(s) ? send(fd, buf, len, flags)
			       : tm_ret(tm_tx_end(s, flags, tm_tx(s, fd, &it, flags)));
}
