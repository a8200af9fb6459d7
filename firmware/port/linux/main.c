/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toe-fw: the firmware as a Linux process. toed starts it, hands over all memory and sockets, and
 * starts it again when it dies: it keeps nothing of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "port_linux.h"

static struct toe_port port = { .arena_lock = PTHREAD_MUTEX_INITIALIZER };

static void init_port(int channel)
{
	port.channel = channel;
	port.trim.event_fd = eventfd(0, EFD_CLOEXEC);
	for (unsigned a = 0; a < TOE_MAX_APPS; a++) {
		port.arena_fd[a] = -1;
		for (unsigned c = 0; c < TOE_MAX_CTXS; c++)
			port.ctx_fd[a][c] = -1;
	}
	for (unsigned f = 0; f < TOE_MAX_FPCS; f++)
		port.fpc[f].event_fd = -1;
}

/* The firmware needs no privilege: what it works on comes as descriptors. */
static int drop_privileges(void)
{
	enum { NOBODY = 65534 };

	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
			       setresuid(NOBODY, NOBODY, NOBODY)))
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

static int take_over(void)
{
	int type, err;

	do {
		type = lx_channel_step(&port);
	} while (type > 0 && type != LX_HO_START);
	if (type <= 0)
		return type ? type : -ECONNRESET;
	toe_store(&port.ctrl->starts, port.ctrl->starts + 1);
	err = lx_queues_start(&port);
	if (!err)
		err = lx_trim_start(&port);
	if (!err)
		err = lx_threads_start(&port);
	if (!err)
		err = lx_channel_answer(&port, LX_HO_READY, 0, 0);
	return err;
}

/* Until toed says so or is gone. */
static void serve(int signals)
{
	struct pollfd pfd[2] = { { .fd = port.channel, .events = POLLIN },
				 { .fd = signals, .events = POLLIN } };

	for (;;) {
		if (poll(pfd, 2, -1) < 0)
			continue;
		if (pfd[1].revents)
			return;
		if (pfd[0].revents && lx_channel_step(&port) <= 0)
			return;
	}
}

static int usage(FILE *to, int status)
{
	fprintf(to, "usage: toe-fw --channel FD\n"
		    "The TOE's firmware. It is started by toed, which hands it all it works on\n"
		    "over the descriptor FD; see toed --help.\n");
	return status;
}

int main(int argc, char **argv)
{
	sigset_t set;
	int err, signals;

	if (argc == 2 && !strcmp(argv[1], "--help"))
		return usage(stdout, 0);
	if (argc != 3 || strcmp(argv[1], "--channel"))
		return usage(stderr, 2);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	init_port(atoi(argv[2]));
	err = drop_privileges();
	if (!err)
		err = take_over();
	if (err) {
		fprintf(stderr, "toe-fw: cannot start: %s\n", strerror(-err));
		return 1;
	}
	serve(signals);
	lx_threads_stop(&port);
	lx_trim_stop(&port);
	return 0;
}
