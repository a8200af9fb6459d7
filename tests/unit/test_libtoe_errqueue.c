/* SPDX-License-Identifier: BSD-2-Clause */
/* manager/errqueue.c: what sends with MSG_ZEROCOPY leave there. */
#define _GNU_SOURCE
#include <time.h>

#include <linux/errqueue.h>
#include <netinet/in.h>

#include "fake_toe.h"

/* What the error queue says of sends with MSG_ZEROCOPY: their numbers, 1 + the last << 32; or -errno. */
static int64_t told(int fd, bool room)
{
	char ctl[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in))];
	struct msghdr m = { .msg_control = ctl, .msg_controllen = room ? sizeof(ctl) : 0 };
	struct sock_extended_err e;

	if (toe_recvmsg(fd, &m, MSG_ERRQUEUE))
		return -errno;
	CU_ASSERT_EQUAL(m.msg_flags, room ? MSG_ERRQUEUE : MSG_ERRQUEUE | MSG_CTRUNC);
	if (!room)
		return 0;
	CU_ASSERT_EQUAL(CMSG_FIRSTHDR(&m)->cmsg_level, IPPROTO_IP);
	CU_ASSERT_EQUAL(CMSG_FIRSTHDR(&m)->cmsg_type, IP_RECVERR);
	memcpy(&e, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(e));
	CU_ASSERT(!e.ee_errno && e.ee_origin == SO_EE_ORIGIN_ZEROCOPY &&
		  e.ee_code == SO_EE_CODE_ZEROCOPY_COPIED);
	return (int64_t)e.ee_info | (int64_t)(e.ee_data + 1) << 32;
}

static void zerocopy__tells_that_it_has_copied(void)
{
	int one = 1, ep = toe_epoll_create1(0), fd;
	struct epoll_event ev = { .events = EPOLLET }, got;
	uint32_t flow;

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	CU_ASSERT_EQUAL(toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, MSG_ZEROCOPY), 2); /* not asked for */
	CU_ASSERT_EQUAL(told(fd, true), -EAGAIN);
	CU_ASSERT_EQUAL(toe_setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)), 0);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 0);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, MSG_ZEROCOPY), 2);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, 0), 2);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, MSG_ZEROCOPY), 2);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 1);
	CU_ASSERT_EQUAL(got.events, EPOLLERR);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 0);
	CU_ASSERT_EQUAL(told(fd, true), 0 | 2ll << 32);
	CU_ASSERT_EQUAL(told(fd, true), -EAGAIN);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, MSG_ZEROCOPY), 2);
	CU_ASSERT_EQUAL(told(fd, true), 2 | 3ll << 32);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, MSG_ZEROCOPY), 2);
	CU_ASSERT_EQUAL(told(fd, false), 0);
	toe_close(fd);
	toe_close(ep);
}

enum { COPIES = 20000 };

struct asked {
	int fd;
	bool over; /* nothing more will be sent */
	uint32_t n; /* that this thread was told of */
};

static void *ask(void *arg)
{
	struct asked *a = arg;
	int64_t r;
	bool over;

	do {
		over = toe_load_acquire(&a->over);
		r = told(a->fd, true);
		CU_ASSERT(r == -EAGAIN || (r & 0xffffffff) < r >> 32);
		a->n += r < 0 ? 0 : (uint32_t)((r >> 32) - (r & 0xffffffff));
	} while (r >= 0 || !over);
	return NULL;
}

/* However many threads ask, each number is told once. */
static void zerocopy__many_ask(void)
{
	int one = 1;
	uint32_t flow;
	struct asked a[2] = { 0 };
	pthread_t t[2];

	fake_start();
	a[0].fd = a[1].fd = fake_pair(&flow, SOCK_NONBLOCK);
	toe_setsockopt(a[0].fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, ask, &a[i]);
	for (unsigned i = 0; i < COPIES; i++)
		CU_ASSERT_EQUAL(toe_send(a[0].fd, "x", 1, MSG_ZEROCOPY), 1);
	for (unsigned i = 0; i < 2; i++)
		toe_store_release(&a[i].over, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(a[0].n + a[1].n, COPIES);
	toe_close(a[0].fd);
	fake_stop();
}

FAKE_MAIN("libtoe_errqueue", T(zerocopy__tells_that_it_has_copied), T(zerocopy__many_ask))
