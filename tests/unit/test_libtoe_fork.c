/* SPDX-License-Identifier: BSD-2-Clause */
/* manager/fork.c: processes that share connections. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "fake_toe.h"

/* The child sends and closes; the connection stays until the parent closes too. */
static void fork__last_one_closes(void)
{
	uint64_t procs = toe_load(&fake.hdr->procs);
	uint32_t flow;
	int fd = fake_pair(&flow, 0), status;
	char b[3];
	pid_t pid;

	fake_start();
	pid = fork();
	if (!pid) {
		if (toe_recv(fd, b, 3, MSG_WAITALL) != 3 || toe_send(fd, b, 3, 0) != 3)
			_exit(1);
		_exit(toe_close(fd) ? 2 : 0);
	}
	CU_ASSERT_EQUAL(__builtin_popcountll(toe_load(&fake_block(flow)->app.holders)), 2);
	usleep(20000);
	fake_peer_send(flow, "abc", 3); /* the child waits: it has the flow */
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fake_step(); /* its commands may still lie there */
	CU_ASSERT_EQUAL(fake_sent_end(flow), 3);
	CU_ASSERT_EQUAL(toe_load(&fake_block(flow)->app.holders), 1);
	CU_ASSERT_EQUAL(toe_send(fd, "d", 1, 0), 1);
	toe_close(fd);
	fake_stop();
	fake_step();
	CU_ASSERT(fake.flow[flow].closed && fake.flow[flow].sent == 4);
	for (int i = 0; i < 2000 && toe_load(&fake.hdr->procs) != procs; i++)
		usleep(10000);
	CU_ASSERT_EQUAL(toe_load(&fake.hdr->procs), procs); /* its slot is free again */
}

/* Parent and child wait for one connection. The child hears of data, and leaves it to the parent. */
static void fork__both_wait(void)
{
	struct fake_late late;
	uint32_t flow;
	int fd = fake_pair(&flow, 0), status;
	pid_t pid;
	char b;

	fake_start();
	pid = fork();
	if (!pid) {
		usleep(50000);
		toe_recv(fd, &b, 1, MSG_PEEK);
		for (;;)
			pause();
	}
	fake_late_start(&late, flow, 200); /* when both wait, the child last */
	CU_ASSERT(fake_late_recv(&late, fd));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	__atomic_fetch_and(&fake_block(flow)->app.holders, 1, __ATOMIC_SEQ_CST); /* as toed does */
	toe_close(fd);
	fake_stop();
	fake_step();
}

/* A child that ends by exit() without closing: its hold goes, the connection stays the parent's. */
static void fork__child_exits(void)
{
	uint32_t flow;
	int fd = fake_pair(&flow, 0), status;
	pid_t pid;

	fake_start();
	fflush(stdout);
	pid = fork();
	if (!pid)
		exit(0);
	waitpid(pid, &status, 0);
	CU_ASSERT_EQUAL(toe_load(&fake_block(flow)->app.holders), 1);
	CU_ASSERT(fake_live() > 0);
	CU_ASSERT_EQUAL(toe_send(fd, "x", 1, 0), 1);
	toe_close(fd);
	fake_stop();
	fake_step();
}

/* Data that nobody acknowledges yet is waited for by the last process that has the connection. */
static void fork__child_does_not_wait(void)
{
	struct timespec from, to;
	uint32_t flow;
	int fd = fake_pair(&flow, 0), status;
	pid_t pid;

	fake_start();
	toe_store(&fake.keep, true);
	CU_ASSERT_EQUAL(toe_send(fd, "x", 1, 0), 1);
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &from);
	pid = fork();
	if (!pid)
		exit(0);
	waitpid(pid, &status, 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	CU_ASSERT(to.tv_sec - from.tv_sec < 2);
	toe_store(&fake.keep, false);
	toe_close(fd);
	fake_stop();
	fake_step();
}

FAKE_MAIN("libtoe_fork", T(fork__last_one_closes), T(fork__both_wait), T(fork__child_exits),
	  T(fork__child_does_not_wait))
