/* SPDX-License-Identifier: BSD-2-Clause */
/* manager/stamps.c: what an application is told of the times that the engine has written. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <sys/epoll.h>
#include <time.h>

#include <linux/errqueue.h> /* needs time.h */
#include <linux/net_tstamp.h>

#include "fake_toe.h"

enum { ASK = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID };

static uint64_t clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The clocks are read one after the other. */
static bool near(uint64_t a, uint64_t b)
{
	return a - b < 20000 || b - a < 20000;
}

static int set(int fd, int name, int v)
{
	return toe_setsockopt(fd, SOL_SOCKET, name, &v, sizeof(v)) ? -errno : 0;
}

/* The engine has a time of what was sent up to `pos`. */
static void sent(uint32_t flow, uint32_t pos, uint16_t gen, uint64_t at)
{
	struct toe_flow_stamps *r = toe_arena_stamps(fake.arena, flow);
	uint32_t head = r->tx_db.head;

	r->tx[head % TOE_STAMPS] =
	    (struct toe_stamp){ .at = at, .pos = pos, .gen = gen, .kind = TOE_STAMP_SND };
	toe_store_release(&r->tx_db.head, head + 1);
}

static void came(uint32_t flow, uint32_t pos, uint16_t gen, uint64_t at)
{
	struct toe_flow_stamps *r = toe_arena_stamps(fake.arena, flow);

	r->rx[r->rx_head % TOE_STAMPS] = (struct toe_stamp){ .at = at, .pos = pos, .gen = gen };
	toe_store_release(&r->rx_head, r->rx_head + 1);
}

/* The next of the error queue: its number, and when, or -errno. */
static int64_t told(int fd, uint64_t *at_us)
{
	uint8_t control[256] __attribute__((aligned(8)));
	struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct sock_extended_err ee = { 0 };
	struct scm_timestamping t = { 0 };
	struct cmsghdr *c;

	if (toe_recvmsg(fd, &m, MSG_ERRQUEUE) < 0)
		return -errno;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_type == SCM_TIMESTAMPING)
			memcpy(&t, CMSG_DATA(c), sizeof(t));
		if (c->cmsg_type == IP_RECVERR)
			memcpy(&ee, CMSG_DATA(c), sizeof(ee));
	}
	CU_ASSERT(ee.ee_errno == ENOMSG && ee.ee_origin == SO_EE_ORIGIN_TIMESTAMPING);
	*at_us = (uint64_t)t.ts[0].tv_sec * 1000000 + (uint64_t)t.ts[0].tv_nsec / 1000;
	return ee.ee_data;
}

static void send__says_what_is_wanted(void)
{
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);

	CU_ASSERT(toe_send(fd, "ab", 2, 0) == 2 && fake_step());
	CU_ASSERT_EQUAL(fake.flow[flow].send_flags & TOE_SEND_STAMPS, 0);
	CU_ASSERT_EQUAL(set(fd, SO_TIMESTAMPING, ASK | SOF_TIMESTAMPING_TX_ACK), 0);
	CU_ASSERT(toe_send(fd, "ab", 2, 0) == 2 && fake_step());
	CU_ASSERT_EQUAL(fake.flow[flow].send_flags, (1 << TOE_STAMP_SND | 1 << TOE_STAMP_ACK)
							<< TOE_SEND_STAMP_SHIFT);
	CU_ASSERT(toe_send(fd, "ab", 2, MSG_MORE) == 2 && fake_step());
	CU_ASSERT(fake.flow[flow].send_flags & TOE_SEND_MORE);
	CU_ASSERT_EQUAL(set(fd, SO_TIMESTAMPING, 0), 0);
	CU_ASSERT(toe_send(fd, "ab", 2, 0) == 2 && fake_step());
	CU_ASSERT_EQUAL(fake.flow[flow].send_flags, 0);
	toe_close(fd);
	fake_step();
}

/* A time of the monotonic clock is told as one of day. */
static void errqueue__tells_in_order(void)
{
	uint64_t mono = clock_us(CLOCK_MONOTONIC), real = clock_us(CLOCK_REALTIME), at = 0;
	int ep = toe_epoll_create1(0), fd;
	struct epoll_event ev = { .events = EPOLLET }, got;
	uint32_t flow;
	uint16_t gen;

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	gen = fake_block(flow)->dev.gen;
	sent(flow, 90, (uint16_t)(gen - 1), mono); /* nobody had taken that */
	CU_ASSERT_EQUAL(toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	CU_ASSERT_EQUAL(set(fd, SO_TIMESTAMPING, ASK), 0);
	CU_ASSERT_EQUAL(told(fd, &at), -EAGAIN);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 0);
	sent(flow, 70, (uint16_t)(gen - 1), mono); /* of the id's earlier life */
	sent(flow, 100, gen, mono - 3000000);
	sent(flow, 200, gen, mono);
	fake_notify(flow, TOE_HW_DATA_RECEIVED, false);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 1);
	CU_ASSERT_EQUAL(got.events, EPOLLERR);
	CU_ASSERT_EQUAL(told(fd, &at), 99);
	CU_ASSERT(near(at, real - 3000000));
	CU_ASSERT_EQUAL(told(fd, &at), 199);
	CU_ASSERT(near(at, real));
	CU_ASSERT_EQUAL(told(fd, &at), -EAGAIN);
	CU_ASSERT_EQUAL(toe_epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev), 0);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 0);
	toe_close(fd);
	toe_close(ep);
	fake_step();
}

/* When what is read came, so that it ends at `n` bytes more; 0: not told. */
static uint64_t received(int fd, size_t n)
{
	uint8_t control[64] __attribute__((aligned(8)));
	char b[256];
	struct iovec v = { b, n };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct timespec t;

	CU_ASSERT_EQUAL(toe_recvmsg(fd, &m, 0), (ssize_t)n);
	if (!m.msg_controllen)
		return 0;
	CU_ASSERT_EQUAL(((struct cmsghdr *)control)->cmsg_type, SCM_TIMESTAMPNS);
	memcpy(&t, CMSG_DATA((struct cmsghdr *)control), sizeof(t));
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 -
	       (clock_us(CLOCK_REALTIME) - clock_us(CLOCK_MONOTONIC));
}

static void recv__of_what_is_read_last(void)
{
	uint64_t t = clock_us(CLOCK_MONOTONIC);
	char data[200] = { 0 };
	uint32_t flow;
	uint16_t gen;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);

	gen = fake_block(flow)->dev.gen;
	CU_ASSERT_EQUAL(set(fd, SO_TIMESTAMPNS, 1), 0);
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].option[TOE_OPT_STAMP_RX], 1);
	came(flow, 60, (uint16_t)(gen - 1), t - 9000000); /* of the id's earlier life */
	came(flow, 50, gen, t - 5000000);
	came(flow, 80, gen, t - 4000000);
	came(flow, 120, gen, t - 3000000);
	fake_peer_send(flow, data, 180);
	CU_ASSERT(near(received(fd, 30), t - 5000000));
	CU_ASSERT(near(received(fd, 20), t - 5000000));
	CU_ASSERT(near(received(fd, 1), t - 4000000));
	CU_ASSERT(near(received(fd, 69), t - 3000000));
	CU_ASSERT_EQUAL(received(fd, 1), 0);
	/* The ring has gone round since: the oldest that it has is nearest. */
	for (unsigned i = 0; i < TOE_STAMPS; i++)
		came(flow, 122 + i, gen, t - 2000000 + i * 10000);
	CU_ASSERT(near(received(fd, 1), t - 2000000 + 10000));
	toe_close(fd);
	fake_step();
}

/* The end of the stream came with no data, and has no time; nor is there one where there is no place. */
static void recv__nothing_to_stamp(void)
{
	char b[10];
	struct iovec v = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_controllen = 64 };
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);

	CU_ASSERT_EQUAL(set(fd, SO_TIMESTAMPNS, 1), 0);
	came(flow, 3, fake_block(flow)->dev.gen, clock_us(CLOCK_MONOTONIC));
	fake_peer_send(flow, "abc", 3);
	fake_peer_fin(flow);
	CU_ASSERT_EQUAL(toe_recvmsg(fd, &m, 0), 3);
	CU_ASSERT(m.msg_flags == MSG_CTRUNC && !m.msg_controllen);
	CU_ASSERT_EQUAL(received(fd, 0), 0);
	toe_close(fd);
	fake_step();
}

FAKE_MAIN("libtoe_stamps", T(send__says_what_is_wanted), T(errqueue__tells_in_order),
	  T(recv__of_what_is_read_last), T(recv__nothing_to_stamp))
