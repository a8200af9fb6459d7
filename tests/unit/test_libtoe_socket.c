/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manager/socket.c, control.c, info.c: what a socket is and leaves behind.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/single_threaded.h>

#include <linux/sockios.h>

#include "libtoe_calls.h"

static void socket__others_are_the_kernels(void)
{
	struct stat st;
	int fd = toe_socket(AF_INET, SOCK_DGRAM, 0), u = toe_socket(AF_UNIX, SOCK_STREAM, 0), s;

	CU_ASSERT(fd >= 0 && u >= 0);
	CU_ASSERT_EQUAL(toe_close(fd), 0);
	CU_ASSERT_EQUAL(toe_close(u), 0);
	CU_ASSERT_EQUAL(err(toe_close(u)), EBADF);
	CU_ASSERT_EQUAL(err(toe_listen(u, 1)), EBADF);
	s = toe_socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP);
	CU_ASSERT(fstat(s, &st) == 0 && S_ISSOCK(st.st_mode));
	toe_close(s);
}

static void *acker(void *arg)
{
	uint32_t flow = *(uint32_t *)arg;

	usleep(30000);
	pthread_mutex_lock(&fake.lock);
	toe_store(&fake_block(flow)->dev.state, TOE_TCP_FIN_WAIT_2);
	pthread_mutex_unlock(&fake.lock);
	return NULL;
}

static double seconds_to_close(int fd)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	toe_close(fd);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* A close with a linger time waits, also of a non-blocking socket, until the FIN is acknowledged. */
static void linger__waits(void)
{
	struct linger l = { 1, 20 };
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);
	pthread_t t;
	double s;

	fake_start();
	toe_setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	toe_send(fd, "x", 1, 0);
	pthread_create(&t, NULL, acker, &flow);
	CU_ASSERT(seconds_to_close(fd) < 10); /* much less than the time allowed */
	CU_ASSERT(toe_load(&fake_block(flow)->dev.state) == TOE_TCP_FIN_WAIT_2);
	pthread_join(t, NULL);
	fake_stop();
	fake_step();
	CU_ASSERT(fake.flow[flow].closed && !fake.flow[flow].aborted);
	toe_store(&fake_block(flow)->dev.state, TOE_TCP_ESTABLISHED);

	fd = fake_pair(&flow, 0);
	fake_start();
	l.l_linger = 1;
	toe_setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	toe_store(&fake_block(flow)->dev.state, TOE_TCP_ESTABLISHED);
	s = seconds_to_close(fd);
	CU_ASSERT(s >= 0.99);
	fake_stop();
	fake_step();
	CU_ASSERT(fake.flow[flow].closed && !fake.flow[flow].aborted);
}

/* There is nothing to wait for while the handshake is not over. */
static void linger__not_while_connecting(void)
{
	struct linger l = { 1, 20 };
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = toe_epoll_create1(0);
	uint32_t flow;

	toe_setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	fake_step();
	flow = newest();
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 0); /* takes the answer */
	CU_ASSERT(seconds_to_close(fd) < 10);
	fake_step();
	CU_ASSERT(fake.flow[flow].closed);
	toe_close(ep);
}

static void *ask_info(void *arg)
{
	const int *fd = arg;

	for (unsigned i = 0; i < 2000; i++) {
		struct tcp_info ti;
		socklen_t len = sizeof(ti);

		if (toe_getsockopt(fd[i % 2], IPPROTO_TCP, TCP_INFO, &ti, &len) ||
		    ti.tcpi_state != TCP_ESTABLISHED ||
		    ti.tcpi_rtt != 100 + (unsigned)fd[2 + i % 2])
			return arg;
	}
	return NULL;
}

/* Threads that ask at the same time get each its own answer. */
static void info__many_threads(void)
{
	uint32_t flow[2];
	int fd[4] = { fake_pair(&flow[0], 0), fake_pair(&flow[1], 0) };
	struct tcp_info ti;
	socklen_t len = 4;
	pthread_t t[3];
	void *bad;

	fd[2] = (int)flow[0];
	fd[3] = (int)flow[1];
	fake_start();
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, ask_info, fd);
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(t[i], &bad);
		CU_ASSERT_PTR_NULL(bad);
	}
	CU_ASSERT_EQUAL(toe_getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CU_ASSERT_EQUAL(len, 4);
	fake_stop();
	/* Nobody answers for a connection that has ended. */
	fake_peer_rst(flow[0], ECONNRESET);
	len = sizeof(ti);
	toe_store(&fake.stuck, true);
	CU_ASSERT_EQUAL(toe_getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CU_ASSERT_EQUAL(ti.tcpi_state, TCP_CLOSE);
	toe_store(&fake.stuck, false);
	toe_close(fd[0]);
	toe_close(fd[1]);
	fake_step();
}

static void control__flags_and_counts(void)
{
	uint32_t flow;
	int fd = fake_pair(&flow, 0), one = 1, v = -1;

	CU_ASSERT_EQUAL(toe_ioctl(fd, FIONREAD, &v), 0);
	CU_ASSERT_EQUAL(v, 0);
	fake_peer_send(flow, "abc", 3);
	toe_ioctl(fd, FIONREAD, &v);
	CU_ASSERT_EQUAL(v, 3);
	CU_ASSERT_EQUAL(toe_fcntl(fd, F_GETFL), O_RDWR);
	CU_ASSERT_EQUAL(toe_fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	CU_ASSERT_EQUAL(toe_fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	v = 0;
	toe_ioctl(fd, FIONBIO, &v);
	CU_ASSERT_EQUAL(toe_fcntl(fd, F_GETFL), O_RDWR);
	CU_ASSERT_EQUAL(err(toe_ioctl(fd, FIOASYNC, &one)), EOPNOTSUPP);
	CU_ASSERT_EQUAL(err(toe_ioctl(fd, 0x5555, &one)), ENOTTY);
	CU_ASSERT_EQUAL(toe_fcntl(fd, F_SETOWN, getpid()), 0);
	CU_ASSERT_EQUAL(toe_fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
	CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
	toe_close(fd);
	fake_step();
}

/* Counts before there is a connection, and of a listener. */
static void control__counts_of_what_is_no_connection(void)
{
	static const unsigned long count[] = { FIONREAD, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK };
	int fresh = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), l = fake_listener();
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), v;

	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	for (unsigned i = 0; i < 4; i++) {
		v = -1;
		CU_ASSERT(!toe_ioctl(fresh, count[i], &v) && !v);
		v = -1;
		CU_ASSERT(!toe_ioctl(fd, count[i], &v) && !v);
		if (count[i] != SIOCATMARK)
			CU_ASSERT_EQUAL(err(toe_ioctl(l, count[i], &v)), EINVAL);
	}
	CU_ASSERT_EQUAL(err(toe_ioctl(fd, 0x5555, &v)), ENOTTY);
	CU_ASSERT_EQUAL(do_connect(fresh, "192.0.2.2", 80), EINPROGRESS); /* and the TOE's */
	fake_step();
	toe_close(fresh);
	toe_close(fd);
	toe_close(l);
	fake_step();
}

/* A connection in a set, with news; closed by those who do not know of libtoe. */
static int closed_by_others(int ep, uint32_t *flow, int linger_s)
{
	struct linger l = { linger_s >= 0, linger_s };
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = fake_pair(flow, SOCK_NONBLOCK);

	toe_setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	CU_ASSERT_EQUAL(toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	fake_peer_send(*flow, "x", 1);
	CU_ASSERT_EQUAL(close(fd), 0);
	return fd;
}

/* The number comes again: what it was of ends as by toe_close. */
static void close__by_others(void)
{
	struct epoll_event ev;
	int ep = toe_epoll_create1(0), fd, copy;
	uint32_t flow;

	fd = closed_by_others(ep, &flow, -1);
	CU_ASSERT_EQUAL_FATAL(toe_socket(AF_INET, SOCK_STREAM, 0), fd);
	fake_step();
	CU_ASSERT(fake.flow[flow].closed);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 0);
	toe_close(fd);

	fd = closed_by_others(ep, &flow, 0);
	CU_ASSERT_EQUAL_FATAL(toe_socket(AF_INET, SOCK_DGRAM, 0), fd);
	fake_step();
	CU_ASSERT(fake.flow[flow].aborted);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 0);
	CU_ASSERT_EQUAL(err((int)toe_send(fd, "x", 1, 0)), EDESTADDRREQ); /* the kernel's */
	toe_close(fd);

	/* A duplicate, whose number becomes that of another: the connection has two, not three. */
	fd = fake_pair(&flow, 0);
	copy = toe_fcntl(fd, F_DUPFD, 0);
	close(copy);
	CU_ASSERT_EQUAL_FATAL(toe_fcntl(fd, F_DUPFD, 0), copy);
	toe_close(copy);
	toe_close(fd);
	fake_step();
	CU_ASSERT(fake.flow[flow].closed);
	toe_close(ep);
}

FAKE_MAIN("libtoe_socket", T(socket__others_are_the_kernels), T(info__many_threads),
	  T(linger__waits), T(linger__not_while_connecting), T(control__flags_and_counts),
	  T(control__counts_of_what_is_no_connection), T(close__by_others))
