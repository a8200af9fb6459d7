/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendfile: the file is read straight into the flow's send buffer.
 */
#include <sys/sendfile.h>
#include <unistd.h>

#include "toe.h"
#include "transfer.h"

static ssize_t fill(struct tm_sock *s, int in, off_t *off, uint32_t n, uint64_t pos)
{
	void *to = tm_tx_at(s, pos, &n);
	ssize_t r = tm_sys(off ? pread(in, to, n, *off) : read(in, to, n));

	if (r > 0 && off)
		*off += r;
	return r;
}

ssize_t tm_tx_file(struct tm_ctx *c, struct tm_sock *s, int in, off_t *off, size_t left, bool more)
{
	uint32_t room;
	ssize_t r;
	int err;

	tm_flow_lock(s);
	room = tm_tx_room(s, &err);
	r = room ? fill(s, in, off, room < left ? room : (uint32_t)left,
			toe_load(&s->fb->app.tx_end))
		 : err;
	if (r > 0)
		tm_tx_commit(c, s, (size_t)r, more, (size_t)r < left && (size_t)r == room);
	else if (r == -EAGAIN)
		tm_tx_commit(c, s, 0, false, true);
	tm_flow_unlock(s);
	return r;
}

static ssize_t sendfile_toe(struct tm_sock *s, int fd, int in, off_t *off, size_t count)
{
	uint64_t deadline = 0;
	ssize_t done = 0, r;
	int err = 0;
	struct tm_ctx *c = tm_ctx_get(&err);

	if (c)
		err = tm_tx_begin(c, s, fd, 0);
	if (err)
		return tm_tx_error(err, 0);
	while ((size_t)done < count) {
		r = tm_tx_file(c, s, in, off, count - (size_t)done, false);
		if (r > 0) {
			done += r;
			continue;
		}
		if (r != -EAGAIN)
			return done || !r ? tm_part(s, done, r) : tm_tx_error(r, 0);
		if (tm_has(s, TM_S_NONBLOCK))
			return done ? done : -EAGAIN;
		if (!deadline && s->opt.sndtimeo_us)
			deadline = tm_now_us() + s->opt.sndtimeo_us;
		err = tm_tx_wait(c, s, fd, deadline);
		if (err)
			return done ? done : err;
	}
	return done;
}

ssize_t toe_sendfile(int out_fd, int in_fd, off_t *offset, size_t count)
{
	struct tm_sock *s = tm_sock_of(out_fd);

	if (tm_is_kernel(s))
		return sendfile(out_fd, in_fd, offset, count);
	return tm_ret(tm_sock_of(in_fd) ? -EINVAL : sendfile_toe(s, out_fd, in_fd, offset, count));
}
