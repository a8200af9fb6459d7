/* SPDX-License-Identifier: BSD-2-Clause */
/* manager/recv.c, send.c: the urgent byte, out of band and inline. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "fake_toe.h"

static int at_mark(int fd)
{
	int v = -1;

	toe_ioctl(fd, SIOCATMARK, &v);
	return v;
}

/* Five bytes, the fourth is urgent. */
static int with_urgent(uint32_t *flow)
{
	int fd = fake_pair(flow, SOCK_NONBLOCK);

	toe_store(&fake_block(*flow)->dev.rx_urg, 4);
	fake_peer_send(*flow, "abcXd", 5);
	return fd;
}

static void oob__out_of_band(void)
{
	struct epoll_event ev = { .events = EPOLLPRI };
	int ep = toe_epoll_create1(0), n = 0;
	uint32_t flow;
	int fd = with_urgent(&flow);
	char b[8];

	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(ev.events, EPOLLPRI);
	toe_ioctl(fd, FIONREAD, &n);
	CU_ASSERT_EQUAL(n, 3);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 8, 0), 3); /* stops at the mark */
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB | MSG_PEEK) == 1 && b[0] == 'X');
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) == 1 && b[0] == 'X');
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) < 0 && errno == EINVAL);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 0);
	CU_ASSERT(toe_recv(fd, b, 8, 0) == 1 && b[0] == 'd'); /* without it */
	CU_ASSERT_EQUAL(at_mark(fd), 0);
	/* Announced, not there. */
	toe_store(&fake_block(flow)->dev.rx_urg, 7);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) < 0 && errno == EAGAIN);
	fake_peer_send(flow, "eY", 2);
	CU_ASSERT(toe_recv(fd, b, 8, 0) == 1 && b[0] == 'e');
	CU_ASSERT(toe_recv(fd, b, 8, 0) < 0 && errno == EAGAIN); /* passes it */
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) < 0 && errno == EINVAL);
	toe_close(fd);
	toe_close(ep);
	fake_step();
}

static void oob__inline_and_sent(void)
{
	uint32_t flow;
	int fd = with_urgent(&flow), one = 1;
	char b[8];

	toe_setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	CU_ASSERT_EQUAL(toe_recv(fd, b, 8, 0), 3);
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) < 0 && errno == EINVAL);
	CU_ASSERT(toe_recv(fd, b, 8, 0) == 2 && b[0] == 'X');
	CU_ASSERT_EQUAL(toe_send(fd, "hey", 3, MSG_OOB), 3);
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].send_flags, TOE_SEND_OOB);
	CU_ASSERT_EQUAL(fake.flow[flow].sent, 3);
	toe_close(fd);
	fake_step();
}

/* Looking leaves the urgent byte where it is; nothing reads across it. */
static void oob__mark_of_peek_and_waitall(void)
{
	struct timeval tv = { .tv_usec = 20000 };
	struct msghdr m = { .msg_iovlen = 1 };
	uint32_t flow;
	int fd = with_urgent(&flow);
	char b[8];

	m.msg_iov = &(struct iovec){ b, 1 };
	toe_fcntl(fd, F_SETFL, 0);
	toe_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	CU_ASSERT_EQUAL(toe_recv(fd, b, 5, MSG_PEEK | MSG_WAITALL), 3);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 4, MSG_WAITALL), 3);
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_PEEK) == 1 && b[0] == 'd');
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	CU_ASSERT(toe_recvmsg(fd, &m, MSG_OOB) == 1 && b[0] == 'X' && m.msg_flags == MSG_OOB);
	CU_ASSERT(toe_recv(fd, b, 8, 0) == 1 && b[0] == 'd');
	/* It alone is nothing to look at. */
	toe_store(&fake_block(flow)->dev.rx_urg, 6);
	fake_peer_send(flow, "Y", 1);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_PEEK) < 0 && errno == EAGAIN);
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) == 1 && b[0] == 'Y');
	CU_ASSERT(toe_recv(fd, b, 8, 0) < 0 && errno == EAGAIN); /* passes it */
	/* One that comes while a read waits for more ends it. */
	toe_store(&fake_block(flow)->dev.rx_urg, 9);
	fake_peer_send(flow, "efZ", 3);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 8, MSG_WAITALL), 2);
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	toe_close(fd);
	fake_step();
}

/* `text` comes; the urgent byte is its last. */
static void urgent_comes(uint32_t flow, const char *text)
{
	struct toe_flow_block *fb = fake_block(flow);
	uint32_t n = (uint32_t)strlen(text);

	toe_store(&fb->dev.rx_urg, toe_load(&fb->dev.rx_end) + n);
	fake_peer_send(flow, text, n);
}

/* As Linux: the urgent byte at which reading stands is left out when another comes; others are in line. */
static void oob__another_comes(void)
{
	struct epoll_event ev = { .events = EPOLLPRI | EPOLLIN };
	int ep = toe_epoll_create1(0), n = -1;
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);
	char b[8];

	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	urgent_comes(flow, "X"); /* had out of band */
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) == 1 && b[0] == 'X');
	urgent_comes(flow, "dY");
	toe_ioctl(fd, FIONREAD, &n);
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT(toe_recv(fd, b, 8, 0) == 1 && b[0] == 'd'); /* comes to one that was not */
	urgent_comes(flow, "Z"); /* there is nothing else */
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(ev.events, EPOLLPRI);
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	urgent_comes(flow, "eV");
	CU_ASSERT(toe_recv(fd, b, 8, MSG_PEEK) == 1 && b[0] == 'e');
	CU_ASSERT(toe_recv(fd, b, 8, 0) == 1 && b[0] == 'e');
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) == 1 && b[0] == 'V');
	urgent_comes(flow, "fgW"); /* reading does not get so far */
	CU_ASSERT(toe_recv(fd, b, 1, 0) == 1 && b[0] == 'f');
	urgent_comes(flow, "hU");
	CU_ASSERT(toe_recv(fd, b, 1, 0) == 1 && b[0] == 'g');
	CU_ASSERT(toe_recv(fd, b, 8, 0) == 2 && b[0] == 'W' && b[1] == 'h');
	toe_close(fd);
	toe_close(ep);
	fake_step();
}

FAKE_MAIN("libtoe_oob", T(oob__out_of_band), T(oob__inline_and_sent),
	  T(oob__mark_of_peek_and_waitall), T(oob__another_comes))
