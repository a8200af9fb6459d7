/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toe-fw as a child: started with a channel, started again with all it had when it dies, with a
 * growing pause.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "toed.h"

enum {
	BACKOFF_FIRST_MS = 1,
	BACKOFF_MAX_MS = 5000,
	BACKOFF_KILLED_MS = 16, /* SIGKILL comes from outside and says nothing about the firmware */
	SHORT_RUN_MS = 50, /* whoever dies sooner than this has achieved nothing */
	FIRST_TRIES = 6, /* before the first one has run */
	STOP_MS = 2000,
	SEND_TIMEOUT_S = 2
};

static void exec_fw(const struct toed *t, int channel)
{
	char num[12] = "3";
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (channel != 3 && dup2(channel, 3) < 0)
		_exit(127);
	if (channel == 3)
		fcntl(3, F_SETFD, 0);
	execl(t->opt.fw, "toe-fw", "--channel", num, (char *)NULL);
	say("cannot run %s: %s (give --fw PATH)", t->opt.fw, strerror(errno));
	_exit(127);
}

static void channel_ready(struct toed *t, struct io *io)
{
	struct lx_ho h;
	ssize_t n = recv(io->fd, &h, sizeof(h), MSG_DONTWAIT);

	if (n != sizeof(h)) {
		if (n == 0)
			loop_del(&t->loop, io); /* the pidfd tells the rest */
		return;
	}
	if (h.type == LX_HO_READY) {
		t->fw.ready = true;
		t->fw.ready_at = loop_now();
		say("toe-fw runs (pid %d, %u FPC%s)", t->fw.pid, t->nfpcs,
		    t->nfpcs == 1 ? "" : "s");
		admission_fw_done(t, t->fw.seq, 0, true);
		app_fw_done(t, t->fw.seq, true);
		admin_flush(t);
		fpc_wake_all(t);
	} else if (h.type == LX_HO_DONE) {
		admission_fw_done(t, h.seq, h.error, false);
		app_fw_done(t, h.seq, false);
	}
}

static void forget(struct toed *t)
{
	if (t->fw.io.fd >= 0) {
		loop_del(&t->loop, &t->fw.io);
		close(t->fw.io.fd);
	}
	if (t->fw.pidio.fd >= 0) {
		loop_del(&t->loop, &t->fw.pidio);
		close(t->fw.pidio.fd);
	}
	t->fw.io.fd = t->fw.pidio.fd = -1;
	t->fw.pid = 0;
	t->fw.ready = false;
}

static void tell_end(struct toed *t, int status)
{
	char often[80] = "";

	if (t->fw.short_runs > 1)
		snprintf(often, sizeof(often), "; it has not stayed up %u times in a row",
			 t->fw.short_runs);
	say("toe-fw %s %d, starting it again in %u ms (restart %u)%s",
	    WIFSIGNALED(status) ? "was killed by signal" : "ended with status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), t->fw.backoff_ms,
	    t->fw.restarts, often);
}

static void fw_died(struct toed *t, struct io *io)
{
	int status = 0;
	unsigned most;
	bool ran = t->fw.ready && loop_now() >= t->fw.ready_at + SHORT_RUN_MS;

	if (waitpid(t->fw.pid, &status, WNOHANG) == 0)
		return;
	t->fw.last_exit = (uint32_t)status;
	forget(t);
	if (t->quit)
		return;
	/*
	 * One that ran is started again at once; one that did not start, or only just, gets longer
	 * and longer pauses.
	 */
	t->fw.short_runs = ran ? 0 : t->fw.short_runs + 1;
	t->fw.backoff_ms = ran ? BACKOFF_FIRST_MS : 2 * t->fw.backoff_ms;
	most =
	    WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? BACKOFF_KILLED_MS : BACKOFF_MAX_MS;
	if (t->fw.backoff_ms > most)
		t->fw.backoff_ms = most;
	t->fw.restarts++;
	tell_end(t, status);
	if (!t->fw.ready_at && t->fw.short_runs == FIRST_TRIES) {
		say("toe-fw has never run: giving up; see what it said, or give another by --fw");
		t->quit = t->failed = true;
	}
	loop_after(&t->loop, TIMER_RESTART, t->fw.backoff_ms);
}

int fw_start(struct toed *t)
{
	struct timeval tv = { SEND_TIMEOUT_S, 0 };
	int pair[2], err;

	t->fw.io.fd = t->fw.pidio.fd = -1;
	if (!t->fw.backoff_ms)
		t->fw.backoff_ms = BACKOFF_FIRST_MS;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	t->fw.pid = fork();
	if (t->fw.pid == 0)
		exec_fw(t, pair[1]);
	close(pair[1]);
	if (t->fw.pid < 0) {
		close(pair[0]);
		t->fw.pid = 0;
		return -EAGAIN;
	}
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	t->fw.io = (struct io){ pair[0], channel_ready };
	t->fw.pidio = (struct io){ (int)syscall(SYS_pidfd_open, t->fw.pid, 0), fw_died };
	err = loop_add(&t->loop, &t->fw.pidio);
	if (!err)
		err = loop_add(&t->loop, &t->fw.io);
	if (!err)
		err = handover_all(t);
	return err;
}

/* TIMER_RESTART. */
void fw_restart(struct toed *t)
{
	int err = fw_start(t);

	if (err == -EPIPE || err == -ECONNRESET)
		return; /* it died at once: fw_died comes next */
	if (err) {
		say("cannot start toe-fw: %s", strerror(-err));
		if (t->fw.pid)
			kill(t->fw.pid, SIGKILL);
		else
			loop_after(&t->loop, TIMER_RESTART, BACKOFF_MAX_MS);
	}
}

void fw_stop(struct toed *t)
{
	uint64_t until = loop_now() + STOP_MS;
	pid_t pid = t->fw.pid;

	if (!pid)
		return;
	kill(pid, SIGTERM);
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		if (loop_now() > until)
			kill(pid, SIGKILL);
		usleep(1000);
	}
	forget(t);
}

int fw_send(struct toed *t, struct lx_ho *h, int fd)
{
	char ctl[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { h, sizeof(*h) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (t->fw.io.fd < 0)
		return -ENOTCONN;
	h->version = LX_HO_VERSION;
	if (fd >= 0) {
		m.msg_control = ctl;
		m.msg_controllen = sizeof(ctl);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(t->fw.io.fd, &m, MSG_NOSIGNAL) == sizeof(*h) ? 0 : -errno;
}
