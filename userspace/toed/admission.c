/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The UNIX socket on which processes attach. A client has at most one request under way; an answer
 * that depends on toe-fw (it must map memory first) waits for the sequence number of the message.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "manager/admission_answer.h"
#include "toed.h"

/* Every process that may attach, and some that only ask (toectl). */
enum { MAX_CLIENTS = TOE_MAX_APPS * TOE_MAX_PROCS + 64 };

struct client {
	struct io io;
	struct client *next;
	struct ucred cred;
	int app, proc; /* -1: not attached */
	uint32_t wait_seq; /* toe-fw must answer this before we do; 0 = not waiting */
	uint32_t type; /* of the request that waits */
	struct toe_adm_ans ans;
};

static struct client *clients;
static unsigned nclients;
static struct io listen_io = { .fd = -1 };
static int spare_fd = -1;

static void reply(struct client *c, const int *fds, unsigned n)
{
	toe_adm_answer(c->io.fd, &c->ans, fds, n);
}

static void refuse(struct client *c, int err)
{
	c->ans = (struct toe_adm_ans){ .error = -err };
	reply(c, NULL, 0);
}

static void reply_attach(struct toed *t, struct client *c)
{
	int fds[TOE_ADM_ANSWER_FDS];

	fds[0] = t->app[c->app].arena_fd;
	memcpy(fds + 1, t->fpc_event, t->nfpcs * sizeof(int));
	c->ans.app = (uint32_t)c->app;
	c->ans.proc = (uint32_t)c->proc;
	c->ans.token = t->app[c->app].token;
	c->ans.nfpcs = t->nfpcs;
	c->ans.arena_size = toe_arena_size(t->ctrl->big_slots);
	reply(c, fds, 1 + t->nfpcs);
}

static bool same_netns(pid_t pid)
{
	char path[32];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return !stat(path, &theirs) && !stat("/proc/self/ns/net", &ours) &&
	       theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

static void attach(struct toed *t, struct client *c, const struct toe_adm_req *q)
{
	int i;

	if (c->app >= 0) {
		refuse(c, -EISCONN);
	} else if (!same_netns(c->cred.pid)) {
		say("process %d refused: it is in another network namespace", c->cred.pid);
		refuse(c, -EXDEV);
	} else if (q->app != TOE_ADM_NEW) {
		i = app_attach(t, q->app, q->proc, q->token);
		if (i < 0) {
			refuse(c, i);
			return;
		}
		c->app = (int)q->app;
		c->proc = i;
		reply_attach(t, c);
	} else {
		i = app_new(t, c->cred.pid, c->cred.uid, &c->wait_seq);
		if (i < 0) {
			c->wait_seq = 0;
			refuse(c, i);
			return;
		}
		c->app = i;
		c->proc = 0;
	}
}

static void context(struct toed *t, struct client *c)
{
	int i = ctx_new(t, (unsigned)c->app, (unsigned)c->proc, &c->wait_seq);

	if (i < 0) {
		c->wait_seq = 0;
		refuse(c, i);
		return;
	}
	c->ans.ctx = (uint32_t)i;
}

static void listen_on(struct toed *t, struct client *c, int *fd)
{
	int i;

	if (*fd < 0) {
		refuse(c, -EBADF);
		return;
	}
	i = listener_new(t, (unsigned)c->app, (unsigned)c->proc, *fd);
	*fd = -1; /* kept or closed */
	if (i == -ENOENT)
		c->ans.flags = TOE_ADM_KERNEL;
	else if (i < 0)
		c->ans.error = -i;
	else
		c->ans.listener = (uint32_t)i;
	reply(c, NULL, 0);
}

static void query(struct toed *t, struct client *c, uint32_t type)
{
	int fd = status_make(t, type);

	if (fd < 0) {
		refuse(c, fd);
		return;
	}
	reply(c, &fd, 1);
	close(fd);
}

static void result(struct client *c, int err)
{
	c->ans.error = -err;
	reply(c, NULL, 0);
}

static void handle(struct toed *t, struct client *c, const struct toe_adm_req *q, int *fd)
{
	c->ans = (struct toe_adm_ans){ 0 };
	c->type = q->type;
	if (q->version != TOE_ABI_VERSION) {
		say("process %d refused: it was built for version %u of the TOE, toed for %u",
		    c->cred.pid, q->version, TOE_ABI_VERSION);
		refuse(c, -EPROTO);
		return;
	}
	switch (q->type) {
	case TOE_ADM_REQ_ATTACH:
		attach(t, c, q);
		return;
	case TOE_ADM_REQ_STATUS:
	case TOE_ADM_REQ_FLOWS:
	case TOE_ADM_REQ_STATS:
		query(t, c, q->type);
		return;
	}
	if (c->app < 0) {
		refuse(c, -ENOTCONN);
		return;
	}
	switch (q->type) {
	case TOE_ADM_REQ_CTX:
		context(t, c);
		break;
	case TOE_ADM_REQ_CTX_FREE:
		result(c, ctx_free(t, (unsigned)c->app, (unsigned)c->proc, q->ctx));
		break;
	case TOE_ADM_REQ_LISTEN:
		listen_on(t, c, fd);
		break;
	case TOE_ADM_REQ_UNLISTEN:
		result(c, listener_close(t, (unsigned)c->app, q->listener));
		break;
	case TOE_ADM_REQ_CONNECT:
		result(c, grant_new(t, (unsigned)c->app, (unsigned)c->proc, q, &c->ans));
		break;
	default:
		refuse(c, -EPROTO);
	}
}

static void drop(struct toed *t, struct client *c)
{
	struct client **p = &clients;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	nclients--;
	loop_del(&t->loop, &c->io);
	close(c->io.fd);
	if (c->app >= 0)
		app_proc_gone(t, (unsigned)c->app, (unsigned)c->proc);
	free(c);
}

/*
 * A message; `fd` gets a descriptor that came along, or -1. What recvmsg gave: bytes, 0 (the end,
 * or an empty message), or -1.
 */
static ssize_t receive(struct client *c, struct toe_adm_req *q, int *fd)
{
	char ctl[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { q, sizeof(*q) };
	/* CMSG_SPACE has room for a second descriptor, which nobody would ever close. */
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl,
			    .msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n = recvmsg(c->io.fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *h = n < 0 ? NULL : CMSG_FIRSTHDR(&m);

	*fd = -1;
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(h), sizeof(*fd));
	return n;
}

/*
 * One request at a time: whoever sends the next without having read the answer to the last would
 * make us keep answers, and the memory of them, for ever.
 */
static bool in_turn(struct client *c)
{
	int unread = 0;

	return !c->wait_seq && !ioctl(c->io.fd, SIOCOUTQ, &unread) && !unread;
}

static void client_ready(struct toed *t, struct io *io)
{
	struct client *c = container_of(io, struct client, io);
	struct toe_adm_req q = { 0 };
	int fd;
	ssize_t n = receive(c, &q, &fd);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == sizeof(q) && in_turn(c))
		handle(t, c, &q, &fd);
	else
		drop(t, c);
	if (fd >= 0)
		close(fd);
}

/*
 * No descriptor is left: the connection would keep the loop busy for ever. Use the one put aside
 * for this to refuse it.
 */
static void refuse_one(int listener)
{
	int fd;

	close(spare_fd);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		say("no descriptors left: a process is refused");
		close(fd);
	}
	spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_client(struct toed *t, struct io *io)
{
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *c;
	socklen_t len = sizeof(c->cred);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		refuse_one(io->fd);
	if (fd < 0)
		return;
	c = nclients < MAX_CLIENTS ? calloc(1, sizeof(*c)) : NULL;
	if (!c || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->cred, &len)) {
		free(c);
		close(fd);
		return;
	}
	c->io = (struct io){ fd, client_ready };
	c->app = c->proc = -1;
	c->next = clients;
	clients = c;
	nclients++;
	loop_add(&t->loop, &c->io);
}

static void finish(struct toed *t, struct client *c, int error)
{
	c->wait_seq = 0;
	if (error) {
		if (c->type == TOE_ADM_REQ_CTX)
			ctx_free(t, (unsigned)c->app, (unsigned)c->proc, c->ans.ctx);
		refuse(c, error);
	} else if (c->type == TOE_ADM_REQ_ATTACH) {
		app_ready(t, (unsigned)c->app);
		reply_attach(t, c);
	} else {
		ctx_ready(t, (unsigned)c->app, c->ans.ctx);
		reply(c, &t->app[c->app].ctx[c->ans.ctx].event_fd, 1);
	}
}

void admission_fw_done(struct toed *t, uint32_t seq, int error, bool all)
{
	for (struct client *c = clients; c; c = c->next)
		if (c->wait_seq && (all || c->wait_seq == seq))
			finish(t, c, error);
}

static int make_directory(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = 0;
	return mkdir(dir, 0755) && errno != EEXIST ? -errno : 0;
}

/* A socket file that nobody answers on is left over; one that answers is another toed's. */
static int clear_stale(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int taken;

	if (fd < 0)
		return -errno;
	taken = !connect(fd, (const struct sockaddr *)a, sizeof(*a));
	close(fd);
	if (taken)
		return -EADDRINUSE;
	unlink(a->sun_path);
	return 0;
}

static int set_owner(const struct options *o)
{
	struct group *g = o->group ? getgrnam(o->group) : NULL;

	if (o->group && !g) {
		say("--group %s: there is no such group", o->group);
		return -ENOENT;
	}
	if ((g && chown(o->socket, (uid_t)-1, g->gr_gid)) || chmod(o->socket, 0660))
		return -errno;
	return 0;
}

int admission_open(struct toed *t)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *path = t->opt.socket;
	int err = strlen(path) < sizeof(a.sun_path) ? make_directory(path) : -ENAMETOOLONG;

	spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (err)
		goto out;
	strcpy(a.sun_path, path);
	err = clear_stale(&a);
	if (err)
		goto out;
	listen_io = (struct io){ socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
				 accept_client };
	umask(0117);
	if (listen_io.fd < 0 || bind(listen_io.fd, (struct sockaddr *)&a, sizeof(a)))
		err = -errno;
	umask(022);
	if (!err)
		err = set_owner(&t->opt);
	if (!err && listen(listen_io.fd, 128))
		err = -errno;
	if (!err)
		err = loop_add(&t->loop, &listen_io);
out:
	if (err)
		say("%s: %s", path,
		    err == -EADDRINUSE ? "another toed answers there; give --socket PATH"
				       : strerror(-err));
	return err;
}

void admission_close(struct toed *t)
{
	while (clients) {
		clients->app = -1; /* everything ends, nothing to reap */
		drop(t, clients);
	}
	if (listen_io.fd >= 0) {
		close(listen_io.fd);
		unlink(t->opt.socket);
	}
	listen_io.fd = -1;
}
