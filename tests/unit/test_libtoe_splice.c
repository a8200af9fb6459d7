/* SPDX-License-Identifier: BSD-2-Clause */
/* manager/splice.c, sendfile.c */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "libtoe_calls.h"

static void sendfile__reads_into_the_buffer(void)
{
	static uint8_t buf[100000], sent[TOE_BUF_DEFAULT];
	int file = memfd_create("file", 0), fd;
	off_t off = 1000;
	uint32_t flow;

	fill(buf, 0, sizeof(buf));
	CU_ASSERT_EQUAL(write(file, buf, sizeof(buf)), sizeof(buf));
	toe_store(&fake.keep, true);
	fd = fake_pair(&flow, SOCK_NONBLOCK);
	CU_ASSERT_EQUAL(toe_sendfile(fd, file, &off, sizeof(buf)), TOE_BUF_DEFAULT);
	CU_ASSERT_EQUAL(off, 1000 + TOE_BUF_DEFAULT);
	fake_sent(flow, 0, sent, sizeof(sent));
	CU_ASSERT(is_pattern(sent, 1000, sizeof(sent)));
	CU_ASSERT_EQUAL(toe_sendfile(fd, file, &off, sizeof(buf)), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	fake_ack(flow);
	CU_ASSERT_EQUAL(toe_sendfile(fd, file, &off, sizeof(buf)),
			sizeof(buf) - 1000 - TOE_BUF_DEFAULT); /* to its end */
	CU_ASSERT_EQUAL(toe_sendfile(fd, file, &off, 10), 0);
	toe_store(&fake.keep, false);
	close(file);
	toe_close(fd);
}

/* As Linux: that there is no connection concerns who has something for it. */
static void sendfile__nothing(void)
{
	int file = memfd_create("file", 0), fd = toe_socket(AF_INET, SOCK_STREAM, 0);
	off_t off = 0;

	CU_ASSERT_EQUAL(write(file, "abc", 3), 3);
	CU_ASSERT_EQUAL(toe_sendfile(fd, file, &off, 0), 0);
	CU_ASSERT_EQUAL(err((int)toe_sendfile(fd, -1, NULL, 0)), EBADF);
	signal(SIGPIPE, SIG_IGN);
	CU_ASSERT_EQUAL(err((int)toe_sendfile(fd, file, &off, 3)), EPIPE);
	signal(SIGPIPE, SIG_DFL);
	CU_ASSERT_EQUAL(off, 0);
	close(file);
	toe_close(fd);
}

static void splice__from_a_socket(void)
{
	static uint8_t buf[10000], got[10000];
	int p[2], fd;
	uint32_t flow;
	off_t off = 0;

	fill(buf, 0, sizeof(buf));
	CU_ASSERT_EQUAL(pipe(p), 0);
	fd = fake_pair(&flow, SOCK_NONBLOCK);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 100, 0), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	fake_peer_send(flow, buf, sizeof(buf));
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 9000, 0), 9000);
	CU_ASSERT_EQUAL(read(p[0], got, sizeof(got)), 9000);
	CU_ASSERT(is_pattern(got, 0, 9000));
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 9000, 0), 1000); /* what is there */
	CU_ASSERT_EQUAL(read(p[0], got, sizeof(got)), 1000);
	CU_ASSERT(is_pattern(got, 9000, 1000));
	/* A full pipe takes nothing, and nothing is lost. */
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	fake_peer_send(flow, buf, sizeof(buf));
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 9000, 0), 4096);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 9000, SPLICE_F_NONBLOCK), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_EQUAL(read(p[0], got, sizeof(got)), 4096);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 100, 0), 100);
	CU_ASSERT_EQUAL(read(p[0], got, sizeof(got)), 100);
	CU_ASSERT(is_pattern(got, 4096, 100));
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], &off, 100, 0), -1);
	CU_ASSERT_EQUAL(errno,
			ESPIPE); /* a pipe has no offset; of a socket Linux says it otherwise */
	CU_ASSERT_EQUAL(toe_splice(fd, &off, p[1], NULL, 100, 0), -1);
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, fd, NULL, 100, 0), -1);
	CU_ASSERT_EQUAL(errno, EINVAL);
	close(p[0]);
	close(p[1]);
	toe_close(fd);
}

/* What cannot be waited for, or never comes, is not waited for: the alarm ends who does. */
static void splice__does_not_wait_in_vain(void)
{
	uint8_t buf[5000] = { 0 };
	uint32_t flow;
	int p[2], fd = fake_pair(&flow, 0);

	signal(SIGPIPE, on_sigpipe);
	sigpipes = 0;
	CU_ASSERT_EQUAL(pipe2(p, O_NONBLOCK), 0);
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	fake_peer_send(flow, buf, sizeof(buf));
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, sizeof(buf), 0), 4096);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 100, 0), -1); /* full */
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[0], NULL, 100, 0), -1); /* the wrong end */
	CU_ASSERT_EQUAL(errno, EBADF);
	CU_ASSERT_EQUAL(toe_splice(p[1], NULL, fd, NULL, 100, 0), -1);
	CU_ASSERT_EQUAL(errno, EBADF);
	CU_ASSERT_EQUAL(toe_recv(fd, buf, sizeof(buf), 0), 904);
	close(p[0]);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 100, 0), -1); /* nobody reads */
	CU_ASSERT_EQUAL(errno, EPIPE);
	CU_ASSERT_EQUAL(sigpipes, 1);
	close(p[1]);
	toe_close(fd);
}

static void splice__to_a_socket(void)
{
	static uint8_t buf[60000], sent[60000];
	int p[2], fd;
	uint32_t flow;

	fill(buf, 0, sizeof(buf));
	CU_ASSERT_EQUAL(pipe(p), 0);
	fd = fake_pair(&flow, SOCK_NONBLOCK);
	CU_ASSERT_EQUAL(toe_splice(p[0], NULL, fd, NULL, 100, SPLICE_F_NONBLOCK), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_EQUAL(write(p[1], buf, sizeof(buf)), sizeof(buf));
	CU_ASSERT_EQUAL(toe_splice(p[0], NULL, fd, NULL, 1 << 20, SPLICE_F_MORE), sizeof(buf));
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].send_flags, TOE_SEND_MORE);
	fake_sent(flow, 0, sent, sizeof(sent));
	CU_ASSERT(is_pattern(sent, 0, sizeof(sent)));
	close(p[1]);
	CU_ASSERT_EQUAL(toe_splice(p[0], NULL, fd, NULL, 100, 0),
			0); /* nobody will write any more */
	close(p[0]);
	toe_close(fd);
}

/* Others empty a pipe right after it was found readable, and fill it when it is waited for again. */
static __thread int robbed[2] = { -1, -1 }, polls;

int poll_and_rob(struct pollfd *p, nfds_t n, int timeout) __asm__("poll");
int poll_and_rob(struct pollfd *p, nfds_t n, int timeout)
{
	unsigned turn = n && p->fd == robbed[0] ? ++polls : 0;
	char c;
	int r;

	if (turn == 2)
		CU_ASSERT_EQUAL(write(robbed[1], "yz", 2), 2);
	r = (int)syscall(SYS_poll, p, n, timeout);
	if (turn == 1)
		CU_ASSERT_EQUAL(read(p->fd, &c, 1), 1);
	return r;
}

static ssize_t robbed_splice(int fd)
{
	ssize_t r;

	CU_ASSERT_EQUAL(pipe(robbed), 0);
	CU_ASSERT_EQUAL(write(robbed[1], "x", 1), 1);
	polls = 0;
	r = toe_splice(robbed[0], NULL, fd, NULL, 100, 0);
	close(robbed[0]);
	close(robbed[1]);
	robbed[0] = -1;
	return r;
}

static void splice__others_empty_the_pipe(void)
{
	static uint8_t buf[TOE_BUF_DEFAULT - 10000];
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);

	CU_ASSERT_EQUAL(robbed_splice(fd), 2);
	toe_close(fd);
	/* There is room, but too little to wait for. */
	toe_store(&fake.keep, true);
	fd = fake_pair(&flow, 0);
	CU_ASSERT_EQUAL(toe_send(fd, buf, sizeof(buf), 0), sizeof(buf));
	CU_ASSERT_EQUAL(robbed_splice(fd), 2);
	toe_store(&fake.keep, false);
	toe_close(fd);
}

/* A pipe has no place to read from, and is not for sendfile. */
static void sendfile__not_from_a_pipe(void)
{
	off_t off = 0;
	uint32_t flow;
	int p[2], fd = fake_pair(&flow, SOCK_NONBLOCK);

	CU_ASSERT_EQUAL(pipe(p), 0);
	CU_ASSERT_EQUAL(toe_sendfile(fd, p[0], NULL, 1), -1);
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_EQUAL(toe_sendfile(fd, p[0], &off, 1), -1);
	CU_ASSERT_EQUAL(errno, ESPIPE);
	close(p[0]);
	close(p[1]);
	toe_close(fd);
}

struct job {
	int from, to;
	bool over;
};

/* Until the stream ends. */
static void *splicer(void *arg)
{
	struct job *j = arg;

	while (toe_splice(j->from, NULL, j->to, NULL, 3000, 0) > 0)
		;
	return NULL;
}

static void *feeder(void *arg)
{
	uint32_t flow = *(uint32_t *)arg;
	uint8_t buf[1000];

	for (uint64_t pos = 0; pos < 1000000;) {
		if (pos + sizeof(buf) - toe_load_acquire(&fake_block(flow)->app.rx_read) >
		    TOE_BUF_DEFAULT) {
			usleep(100);
			continue;
		}
		fill(buf, pos, sizeof(buf));
		fake_peer_send(flow, buf, sizeof(buf));
		pos += sizeof(buf);
	}
	fake_peer_fin(flow);
	return NULL;
}

/* Two threads splice from one socket: every byte goes into the pipe once, in order. */
static void splice__two_threads_read(void)
{
	static uint8_t buf[8192];
	struct job j;
	pthread_t t[2], peer;
	uint64_t pos = 0;
	uint32_t flow;
	ssize_t n = 1;
	int p[2];

	fake_start();
	CU_ASSERT_EQUAL(pipe(p), 0);
	j = (struct job){ .from = fake_pair(&flow, 0), .to = p[1] };
	pthread_create(&peer, NULL, feeder, &flow);
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, splicer, &j);
	while (pos < 1000000 && (n = read(p[0], buf, sizeof(buf))) > 0 &&
	       is_pattern(buf, pos, (uint32_t)n))
		pos += (uint64_t)n;
	CU_ASSERT_EQUAL(pos, 1000000);
	signal(SIGPIPE, on_sigpipe);
	close(p[0]); /* ends who writes what should not be there */
	pthread_join(peer, NULL);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	close(p[1]);
	toe_close(j.from);
	fake_stop();
}

static void *thief(void *arg)
{
	struct job *j = arg;
	struct pollfd p = { .fd = j->from, .events = POLLIN };
	char c;
	struct iovec iov = { &c, 1 };

	while (!toe_load(&j->over))
		if (poll(&p, 1, 1) > 0 && preadv2(j->from, &iov, 1, -1, RWF_NOWAIT) == 0)
			break;
	return NULL;
}

/* While one thread splices from a pipe that others empty, the socket is free to send: or the alarm rings. */
static void splice__pipe_emptied_by_another(void)
{
	struct job j = { 0 };
	pthread_t t[2];
	uint32_t flow;
	int p[2], n;

	fake_start();
	CU_ASSERT_EQUAL(pipe(p), 0);
	j = (struct job){ .from = p[0], .to = fake_pair(&flow, 0) };
	pthread_create(&t[0], NULL, splicer, &j);
	pthread_create(&t[1], NULL, thief, &j);
	for (unsigned i = 0; i < 2000; i++) {
		CU_ASSERT_EQUAL(write(p[1], "x", 1), 1);
		do
			ioctl(p[0], FIONREAD, &n);
		while (n);
		CU_ASSERT_EQUAL(toe_send(j.to, "y", 1, 0), 1);
	}
	toe_store(&j.over, true);
	close(p[1]);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	close(p[0]);
	toe_close(j.to);
	fake_stop();
}

FAKE_MAIN("libtoe_splice", T(sendfile__reads_into_the_buffer), T(sendfile__not_from_a_pipe),
	  T(sendfile__nothing), T(splice__from_a_socket), T(splice__does_not_wait_in_vain),
	  T(splice__to_a_socket), T(splice__others_empty_the_pipe), T(splice__two_threads_read),
	  T(splice__pipe_emptied_by_another))
