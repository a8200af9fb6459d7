/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The admission client: the connection to toed, and what it hands over.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctx.h"
#include "toe.h"

struct tm_proc tm_proc = { .adm = -1, .placeholder = -1 };
pthread_mutex_t tm_adm_lock = PTHREAD_MUTEX_INITIALIZER;

int tm_fd_high(int fd)
{
	struct rlimit r;
	int min = 512, high;

	if (fd < 0)
		return fd;
	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur != RLIM_INFINITY)
		min = r.rlim_cur > 4096 ? 4096 - 128 : (int)(r.rlim_cur - r.rlim_cur / 8);
	high = fcntl(fd, F_DUPFD_CLOEXEC, min);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

static int adm_connect(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno == EINTR)
			continue;
		err = -errno;
		close(fd);
		return err;
	}
	return tm_fd_high(fd);
}

static int adm_send(int adm, const struct toe_adm_req *req, int fd)
{
	struct iovec iov = { (void *)req, sizeof(*req) };
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} c = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	if (fd >= 0) {
		m.msg_control = &c;
		m.msg_controllen = sizeof(c.room);
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.h), &fd, sizeof(fd));
	}
	do
		r = sendmsg(adm, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

enum { MAX_FDS = 1 + TOE_MAX_FPCS };

/* An answer and up to MAX_FDS descriptors. 0; -EPIPE when the other end has gone; -EPROTO. */
static int adm_recv(int adm, struct toe_adm_ans *ans, int fds[MAX_FDS], unsigned *nfds)
{
	struct iovec iov = { ans, sizeof(*ans) };
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} c;
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &c,
			    .msg_controllen = sizeof(c.room) };
	ssize_t r;

	do
		r = recvmsg(adm, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	*nfds = 0;
	if (r <= 0)
		return r < 0 && errno != ECONNRESET ? -errno : -EPIPE;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		*nfds = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(h), *nfds * sizeof(int));
	}
	return r == sizeof(*ans) ? 0 : -EPROTO;
}

static int adm_roundtrip(int adm, const struct toe_adm_req *req, int fd, struct toe_adm_ans *ans,
			 int fds[MAX_FDS], unsigned *nfds)
{
	int err = adm_send(adm, req, fd);

	*nfds = 0;
	return err ? err : adm_recv(adm, ans, fds, nfds);
}

static void close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* Join an app that exists already, descriptors of which we have. The connection, or -errno. */
static int adm_join(uint32_t proc)
{
	struct toe_adm_req req = { .type = TOE_ADM_REQ_ATTACH,
				   .version = TOE_ABI_VERSION,
				   .app = tm_proc.app,
				   .proc = proc,
				   .token = tm_proc.token };
	struct toe_adm_ans ans;
	int fds[MAX_FDS], err;
	unsigned nfds;
	int adm = adm_connect(tm_proc.path);

	if (adm < 0)
		return adm;
	err = adm_roundtrip(adm, &req, -1, &ans, fds, &nfds);
	close_all(fds, nfds);
	if (!err)
		err = -ans.error;
	if (!err)
		return adm;
	close(adm);
	return err;
}

int tm_adm_fork(uint32_t proc)
{
	return adm_join(proc);
}

int tm_adm_call(struct toe_adm_req *req, struct toe_adm_ans *ans, int fd, int *got)
{
	int fds[MAX_FDS], err, cancel = tm_uncancellable();
	unsigned nfds, first = 0;

	req->version = TOE_ABI_VERSION;
	req->app = tm_proc.app;
	req->proc = tm_proc.proc;
	pthread_mutex_lock(&tm_adm_lock);
	err = adm_roundtrip(tm_proc.adm, req, fd, ans, fds, &nfds);
	if (err == -EPIPE || err == -ECONNRESET) { /* another toed may have taken over */
		int adm = adm_join(tm_proc.proc);

		if (adm >= 0) {
			close(tm_proc.adm);
			tm_proc.adm = adm;
			err = adm_roundtrip(adm, req, fd, ans, fds, &nfds);
		}
	}
	pthread_mutex_unlock(&tm_adm_lock);
	if (!err)
		err = -ans->error;
	if (got) {
		*got = -1;
		if (!err && nfds) {
			*got = fds[0];
			first = 1;
		}
	}
	close_all(fds + first, nfds - first);
	tm_cancellable(cancel);
	return err;
}

/* Map what the first answer of toed brought. */
static int take_arena(const struct toe_adm_ans *ans, const int *fds, unsigned nfds)
{
	void *m;

	if (!ans->nfpcs || ans->nfpcs > TOE_MAX_FPCS || nfds != 1 + ans->nfpcs ||
	    ans->arena_size < toe_arena_size(0))
		return -EPROTO;
	m = mmap(NULL, ans->arena_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fds[0],
		 0);
	if (m == MAP_FAILED)
		return -errno;
	tm_proc.hdr = m;
	if (tm_proc.hdr->magic != TOE_ARENA_MAGIC || tm_proc.hdr->version != TOE_ABI_VERSION) {
		munmap(m, ans->arena_size);
		return -EPROTO;
	}
	tm_proc.arena = m;
	tm_proc.arena_size = ans->arena_size;
	tm_proc.app = ans->app;
	tm_proc.proc = ans->proc;
	tm_proc.bit = 1ull << (ans->proc & 63);
	tm_proc.token = ans->token;
	tm_proc.nfpcs = ans->nfpcs;
	for (unsigned i = 0; i < ans->nfpcs; i++)
		tm_proc.fpc_evfd[i] = tm_fd_high(fds[1 + i]);
	close(fds[0]);
	return 0;
}

static int attach_to(const char *path)
{
	struct toe_adm_req req = { .type = TOE_ADM_REQ_ATTACH,
				   .version = TOE_ABI_VERSION,
				   .app = TOE_ADM_NEW };
	struct toe_adm_ans ans;
	int fds[MAX_FDS], err, adm, placeholder;
	unsigned nfds;

	if (strlen(path) >= sizeof(tm_proc.path))
		return -ENAMETOOLONG;
	adm = adm_connect(path);
	if (adm < 0)
		return adm;
	/* A UNIX socket: fstat says socket, poll says nothing alarming, and no data can pass. */
	placeholder = (int)tm_sys(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (placeholder < 0) {
		close(adm);
		return placeholder;
	}
	err = adm_roundtrip(adm, &req, -1, &ans, fds, &nfds);
	if (!err)
		err = -ans.error;
	if (!err)
		err = take_arena(&ans, fds, nfds);
	if (err) {
		close_all(fds, nfds);
		close(placeholder);
		close(adm);
		return err;
	}
	tm_proc.placeholder = tm_fd_high(placeholder);
	tm_proc.adm = adm;
	strcpy(tm_proc.path, path);
	return 0;
}

int tm_attach(const char *path)
{
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
	int err = 0, cancel;

	if (tm_attached())
		return 0;
	if (!path)
		path = getenv("TOE_SOCKET");
	cancel = tm_uncancellable();
	pthread_mutex_lock(&once);
	if (!tm_attached()) {
		err = attach_to(path ? path : TOE_SOCKET_PATH);
		if (!err) {
			tm_ctx_init();
			tm_fork_init();
		}
		toe_store_release(&tm_proc.state, err ? TM_KERNEL : TM_ATTACHED);
	}
	pthread_mutex_unlock(&once);
	tm_cancellable(cancel);
	return err;
}

int toe_init(const char *path)
{
	return (int)tm_ret(tm_attach(path));
}

void tm_detach(void)
{
	toe_store_release(&tm_proc.state, TM_UNKNOWN);
	tm_ctx_drop_all();
	close(tm_proc.adm);
	close(tm_proc.placeholder);
	for (unsigned i = 0; i < tm_proc.nfpcs; i++)
		close(tm_proc.fpc_evfd[i]);
	munmap(tm_proc.arena, tm_proc.arena_size);
	tm_proc.adm = tm_proc.placeholder = -1;
	tm_proc.lost = 0;
}
