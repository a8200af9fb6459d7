/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendfile, and what splicing from a pipe has in common with it: data is read straight into the flow's
 * send buffer.
 */
#include <sys/sendfile.h>
#include <unistd.h>

#include "toe.h"
#include "transfer.h"

/* As much as there is room for (*full: none), in one piece. Bytes, 0 at the source's end, -errno. */
static ssize_t tx_piece(struct tm_ctx *c, struct tm_sock *s, const struct tm_source *src,
			size_t left, bool *full)
{
	uint32_t room, n;
	ssize_t r;
	void *to;
	int err, cancel = tm_uncancellable();

	tm_flow_lock(s);
	room = tm_tx_room(s, left, &err);
	n = room < left ? room : (uint32_t)left;
	to = tm_tx_at(s, toe_load(&s->fb->app.tx_end), &n);
	*full = !room;
	r = room ? src->read(src, to, n) : err;
	if (r > 0)
		tm_tx_commit(c, s, (size_t)r, src->more, (size_t)r < left && (size_t)r == room);
	else if (r == -EAGAIN && !room)
		tm_tx_commit(c, s, 0, false, true);
	tm_flow_unlock(s);
	tm_cancellable(cancel);
	return r;
}

ssize_t tm_tx_from(struct tm_sock *s, int fd, const struct tm_source *src, size_t len)
{
	uint64_t deadline = tm_deadline(s->opt.sndtimeo_us);
	struct tm_ctx *c;
	ssize_t done = 0, n;
	int err = tm_tx_begin(&c, s, fd, 0);
	bool full;

	while (!err && (size_t)done < len) {
		err = src->wait ? src->wait(src, !done) : 0;
		if (err)
			break;
		n = tx_piece(c, s, src, len - (size_t)done, &full);
		if (!n)
			break;
		if (n == -EAGAIN && !full && src->wait) /* others were faster: wait again */
			continue;
		if (n > 0)
			done += n;
		else if (n == -EAGAIN && !tm_has(s, TM_S_NONBLOCK))
			err = tm_tx_wait(c, s, fd, deadline);
		else
			err = (int)n;
	}
	return tm_part(s, done, err);
}

static ssize_t read_file(const struct tm_source *src, void *to, size_t n)
{
	ssize_t r = tm_sys(src->off ? pread(src->fd, to, n, *src->off) : read(src->fd, to, n));

	if (r > 0 && src->off)
		*src->off += r;
	return r;
}

ssize_t toe_sendfile(int out_fd, int in_fd, off_t *offset, size_t count)
{
	struct tm_sock *s = tm_sock_of(out_fd);
	const struct tm_source src = { .read = read_file, .fd = in_fd, .off = offset };

	if (tm_is_kernel(s))
		return sendfile(out_fd, in_fd, offset, count);
	/* What has no place to read from, as a pipe, might have to be waited for. */
	if (tm_sock_of(in_fd) || (!offset && lseek(in_fd, 0, SEEK_CUR) < 0 && errno == ESPIPE))
		return tm_ret(-EINVAL);
	if (!count) /* the source's matter alone: a connection need not be there */
		return tm_ret(read_file(&src, NULL, 0));
	return tm_ret(tm_tx_error(tm_tx_from(s, out_fd, &src, count), 0));
}
