/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that wait for a socket or in a set, while another closes, connects or adds what they wait for, or
 * cancels them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>

#include "fake_toe.h"
#include "manager/epoll_set.h"
#include "manager/sock.h"

struct left {
	int fd;
	pthread_barrier_t step;
};

/* It waits until its descriptor is closed, and then for nothing of the socket any more. */
static void *cut_off(void *arg)
{
	struct left *l = arg;
	char b;
	ssize_t r = toe_recv(l->fd, &b, 1, 0);

	pthread_barrier_wait(&l->step);
	pthread_barrier_wait(&l->step);
	return r < 0 && errno == EBADF ? NULL : arg;
}

/* Closed under one that waits, the socket lives on in another descriptor, with its notifications. */
static void wait__closed_descriptor(void)
{
	struct fake_late late;
	struct left l;
	uint32_t flow;
	pthread_t t;
	void *failed;
	int other;

	fake_start();
	l.fd = fake_pair(&flow, 0);
	other = toe_fcntl(l.fd, F_DUPFD, 0);
	pthread_barrier_init(&l.step, NULL, 2);
	pthread_create(&t, NULL, cut_off, &l);
	while (!toe_load(&fake.flow[flow].ctx)) /* until it waits */
		usleep(1000);
	usleep(5000);
	CU_ASSERT_EQUAL(toe_close(l.fd), 0);
	pthread_barrier_wait(&l.step);
	fake_late_start(&late, flow, 30);
	CU_ASSERT(fake_late_recv(&late, other));
	pthread_barrier_wait(&l.step);
	pthread_join(t, &failed);
	CU_ASSERT_PTR_NULL(failed);
	toe_close(other);
	fake_stop();
	fake_step();
}

/* The descriptor's number comes again at once, and is another socket: no business of who waits. */
static void wait__closed_and_opened(void)
{
	struct left l;
	uint32_t flow, other;
	pthread_t t;
	void *failed;
	int fd;
	char b;

	fake_start();
	for (unsigned i = 0; i < 20; i++) {
		l.fd = fake_pair(&flow, 0);
		pthread_barrier_init(&l.step, NULL, 2);
		pthread_create(&t, NULL, cut_off, &l);
		while (!toe_load(&fake.flow[flow].ctx)) /* until it waits */
			usleep(1000);
		usleep(i % 2 ? 2000 : 0);
		other = fake_incoming(0xff);
		CU_ASSERT_EQUAL(toe_close(l.fd), 0);
		fd = toe_accept4(fake_listening, NULL, NULL, 0);
		CU_ASSERT_EQUAL(fd, l.fd);
		fake_peer_send(other, "x", 1);
		pthread_barrier_wait(&l.step);
		CU_ASSERT_EQUAL(toe_recv(fd, &b, 1, 0), 1);
		pthread_barrier_wait(&l.step);
		pthread_join(t, &failed);
		CU_ASSERT_PTR_NULL(failed);
		toe_close(fd);
	}
	fake_stop();
	fake_step();
}

struct cancelled {
	int fd, ep;
	unsigned how;
	bool waits;
};

/* A call that has nothing to do, and is cancelled. */
static void *to_be_cancelled(void *arg)
{
	struct cancelled *k = arg;
	struct epoll_event ev;
	static char buf[65536];

	toe_store(&k->waits, true);
	if (k->how == 0)
		toe_recv(k->fd, buf, 1, 0);
	else if (k->how == 1)
		toe_epoll_wait(k->ep, &ev, 1, -1);
	else if (k->how == 2)
		while (toe_send(k->fd, buf, sizeof(buf), 0) > 0)
			;
	else
		toe_accept(fake_listening, NULL, NULL);
	return arg;
}

/* What the cancelled thread waited for or with, others wait for with success; nothing is held. */
static void after_cancel(struct cancelled *k, uint32_t flow)
{
	struct fake_late late;
	struct epoll_event ev;
	int fd;

	fake_late_start(&late, flow, 30);
	CU_ASSERT_EQUAL(toe_epoll_wait(k->ep, &ev, 1, 20000), 1);
	CU_ASSERT(fake_late_recv(&late, k->fd));
	fake_late_start(&late, flow, 30);
	CU_ASSERT(fake_late_recv(&late, k->fd));
	CU_ASSERT_EQUAL(toe_load(&tm_sock_of(k->fd)->waiters), 0);
	CU_ASSERT_EQUAL(toe_load(&tm_sock_of(k->ep)->ep->waiters), 0);
	fake_incoming(0xff);
	fd = toe_accept(fake_listening, NULL, NULL);
	CU_ASSERT(fd >= 0);
	toe_close(fd);
}

/* pthread_cancel while a call waits: it ends there, as the namesake's would. */
static void wait__cancelled(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct cancelled k;
	uint32_t flow;
	pthread_t t;
	void *r;

	fake_start();
	for (unsigned how = 0; how < 4; how++) {
		k = (struct cancelled){ .how = how, .ep = toe_epoll_create1(0) };
		k.fd = fake_pair(&flow, 0);
		toe_fcntl(fake_listening, F_SETFL, 0);
		toe_epoll_ctl(k.ep, EPOLL_CTL_ADD, k.fd, &ev);
		toe_store(&fake.keep, how == 2);
		pthread_create(&t, NULL, to_be_cancelled, &k);
		while (!toe_load(&k.waits))
			usleep(1000);
		usleep(20000);
		pthread_cancel(t);
		pthread_join(t, &r);
		CU_ASSERT(r == PTHREAD_CANCELED);
		toe_store(&fake.keep, false);
		after_cancel(&k, flow);
		toe_close(k.fd);
		toe_close(k.ep);
	}
	toe_fcntl(fake_listening, F_SETFL, O_NONBLOCK);
	fake_stop();
	fake_step();
}

/* Adds to a set whatever has the number, all the time. */
static void *adder(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN };
	const int *to = arg;

	while (toe_load(&to[2]))
		toe_epoll_ctl(to[0], EPOLL_CTL_ADD, to[1], &ev);
	return NULL;
}

/* Sockets are closed while another thread adds them to a set: it still knows its own, and no others. */
static void wait__added_while_closed(void)
{
	int ep = toe_epoll_create1(0), arg[3] = { ep, -1, 1 }, fd, last, n, seen = 0;
	struct epoll_event ev[4] = { { .events = EPOLLIN, .data.u32 = 7 } };
	uint32_t flow;
	pthread_t t;

	fake_start();
	last = fake_pair(&flow, SOCK_NONBLOCK);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, last, ev);
	for (unsigned i = 0; i < 2000; i++) {
		uint32_t other;

		fd = fake_pair(&other, SOCK_NONBLOCK);
		if (arg[1] < 0) {
			arg[1] = fd;
			pthread_create(&t, NULL, adder, arg);
		}
		toe_close(fd);
		while (toe_load(&fake.flow[other].live))
			sched_yield();
		toe_epoll_wait(ep, ev, 4, 0);
	}
	toe_store(&arg[2], 0);
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, ev, 4, 0), 0);
	fake_peer_send(flow, "x", 1);
	for (unsigned i = 0; i < 100 && !seen; i++) {
		n = toe_epoll_wait(ep, ev, 4, 100);
		while (n-- > 0)
			seen |= ev[n].data.u32 == 7;
	}
	CU_ASSERT(seen);
	toe_close(last);
	toe_close(ep);
	fake_stop();
	fake_step();
}

/* A set that another thread adds to a set, as soon as its number is there, is one of ours at once. */
static void wait__set_added_while_made(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = toe_epoll_create1(0), arg[3] = { ep, -1, 1 }, inner, fd, missed = 0;
	uint32_t flow;
	pthread_t t;

	fake_start();
	fd = fake_pair(&flow, SOCK_NONBLOCK);
	fake_peer_send(flow, "x", 1);
	arg[1] = inner = toe_epoll_create1(0);
	toe_close(inner);
	pthread_create(&t, NULL, adder, arg);
	for (unsigned i = 0; i < 3000; i++) {
		inner = toe_epoll_create1(0);
		CU_ASSERT_EQUAL_FATAL(inner, arg[1]);
		toe_epoll_ctl(inner, EPOLL_CTL_ADD, fd, &ev);
		toe_epoll_ctl(ep, EPOLL_CTL_ADD, inner, &ev);
		missed += toe_epoll_wait(ep, &ev, 1, 0) != 1;
		toe_close(inner);
	}
	toe_store(&arg[2], 0);
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(missed, 0);
	toe_close(fd);
	toe_close(ep);
	fake_stop();
	fake_step();
}

/* It connects, and calls nothing any more. */
static void *connector(void *arg)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = 80, .sin_addr.s_addr = 1 };
	struct left *l = arg;
	uint32_t flow = 0;
	int r = toe_connect(l->fd, (struct sockaddr *)&sa, sizeof(sa));

	r = r < 0 && errno == EINPROGRESS ? 0 : -1;
	pthread_barrier_wait(&l->step);
	usleep(30000); /* until the other waits */
	pthread_mutex_lock(&fake.lock);
	while (flow < FAKE_FLOWS - 1 && !fake.flow[flow].live) /* connect has waited for it */
		flow++;
	fake_flags(flow, TOE_FLOW_ESTABLISHED);
	fake_notify(flow, TOE_HW_CONNECT_ESTABLISHED, false);
	pthread_mutex_unlock(&fake.lock);
	pthread_barrier_wait(&l->step);
	return r ? arg : NULL;
}

/* One thread connects, another waits in a set that had the socket before. */
static void wait__connected_elsewhere(void)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET };
	int ep = toe_epoll_create1(0);
	struct left l = { .fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	pthread_t t;
	void *failed;

	fake_start();
	pthread_barrier_init(&l.step, NULL, 2);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, l.fd, &ev);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 1); /* not connected */
	pthread_create(&t, NULL, connector, &l);
	pthread_barrier_wait(&l.step);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 20000), 1);
	CU_ASSERT_EQUAL(ev.events, EPOLLOUT);
	pthread_barrier_wait(&l.step);
	pthread_join(t, &failed);
	CU_ASSERT_PTR_NULL(failed);
	toe_close(l.fd);
	toe_close(ep);
	fake_stop();
	fake_step();
}

static void *writer(void *arg)
{
	static const char b[20000];

	return (void *)(intptr_t)toe_send(*(int *)arg, b, sizeof(b), 0);
}

/* Somebody waits for room of the flow, within ten seconds. */
static bool asked(uint32_t flow)
{
	bool want = false;

	for (unsigned i = 0; i < 10000 && !want; i++) {
		usleep(1000);
		pthread_mutex_lock(&fake.lock);
		want = fake.flow[flow].want;
		pthread_mutex_unlock(&fake.lock);
	}
	return want;
}

/* The FPC tells of room: the windows are open up to `open`, and then only up to `then`. */
static void tell_room(uint32_t flow, uint32_t open, uint32_t then)
{
	struct toe_flow_dev *d = &fake_block(flow)->dev;

	pthread_mutex_lock(&fake.lock);
	fake.flow[flow].want = false;
	toe_store(&d->tx_open, open);
	fake_notify(flow, TOE_HW_SEND_COMPLETE, false);
	toe_store(&d->tx_open, then);
	pthread_mutex_unlock(&fake.lock);
}

/* TCP_NOTSENT_LOWAT: the windows have closed again when the writer that waits looks. */
static void wait__room_that_is_gone_again(void)
{
	uint32_t flow;
	int fd = fake_pair(&flow, 0), mark = 1000;
	struct toe_flow_dev *d = &fake_block(flow)->dev;
	pthread_t t;
	void *n;

	toe_store(&fake.keep, true);
	toe_store(&d->tx_open, 0);
	toe_store(&d->tx_burst, 10000);
	toe_setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &mark, sizeof(mark));
	fake_start();
	pthread_create(&t, NULL, writer, &fd);
	CU_ASSERT_TRUE(asked(flow));
	tell_room(flow, 10000, 9000);
	CU_ASSERT_TRUE(asked(flow));
	tell_room(flow, 40000, 40000);
	pthread_join(t, &n);
	CU_ASSERT_EQUAL((intptr_t)n, 20000);
	toe_store(&fake.keep, false);
	toe_store(&d->tx_burst, 0);
	toe_close(fd);
	fake_stop();
	fake_step();
}

FAKE_MAIN("libtoe_waiters", T(wait__closed_descriptor), T(wait__closed_and_opened),
	  T(wait__cancelled), T(wait__added_while_closed), T(wait__set_added_while_made),
	  T(wait__connected_elsewhere), T(wait__room_that_is_gone_again))
