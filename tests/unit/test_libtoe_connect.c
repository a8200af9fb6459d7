/* SPDX-License-Identifier: BSD-2-Clause */
/* manager/connect.c: connecting, and what undoes it or listening: AF_UNSPEC, shutdown. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/single_threaded.h>

#include "libtoe_calls.h"

static int so_error(int fd)
{
	int v = -1;
	socklen_t len = sizeof(v);

	toe_getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &len);
	return v;
}

static void establish(uint32_t flow)
{
	pthread_mutex_lock(&fake.lock);
	fake_flags(flow, TOE_FLOW_ESTABLISHED);
	fake_notify(flow, TOE_HW_CONNECT_ESTABLISHED, false);
	pthread_mutex_unlock(&fake.lock);
}

static void connect__nonblocking(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT };
	struct sockaddr_in sa;
	struct iovec nothing = { &sa, 0 };
	socklen_t len = sizeof(sa);
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = toe_epoll_create1(0);
	uint32_t flow;

	CU_ASSERT_EQUAL(err((int)toe_send(fd, "x", 1, MSG_NOSIGNAL)), EPIPE);
	CU_ASSERT_EQUAL(err((int)toe_recv(fd, &sa, 1, 0)), ENOTCONN);
	CU_ASSERT_EQUAL(err((int)toe_recv(fd, &sa, 1, MSG_OOB)), EINVAL);
	CU_ASSERT_EQUAL(toe_writev(fd, &nothing, 1), 0); /* writev(2) of nothing asks no socket */
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EALREADY);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	fake_step();
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 0);
	CU_ASSERT_EQUAL(err((int)toe_send(fd, "x", 1, 0)), EAGAIN);
	CU_ASSERT_EQUAL(err(toe_getpeername(fd, (struct sockaddr *)&sa, &len)), ENOTCONN);
	flow = newest();
	establish(flow);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(ev.events, EPOLLOUT);
	CU_ASSERT_EQUAL(so_error(fd), 0);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), 0);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EISCONN);
	CU_ASSERT_EQUAL(toe_getpeername(fd, (struct sockaddr *)&sa, &len), 0);
	CU_ASSERT_EQUAL(toe_send(fd, "x", 1, 0), 1);
	toe_close(fd);
	fake_step();
	CU_ASSERT(fake.flow[flow].closed);
	toe_close(ep);
}

static void connect__refused(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT };
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = toe_epoll_create1(0);

	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	fake_step();
	fake_peer_rst(newest(), ECONNREFUSED);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(ev.events, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
	CU_ASSERT_EQUAL(so_error(fd), ECONNREFUSED);
	CU_ASSERT_EQUAL(so_error(fd), 0);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80),
			ECONNABORTED); /* as Linux: the failure is taken note of */
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(ev.events, EPOLLOUT | EPOLLHUP); /* as of a new socket */
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80),
			EINPROGRESS); /* then it may be tried again */
	fake_step();
	toe_close(fd);
	toe_close(ep);
	fake_step();

	fd = toe_socket(AF_INET, SOCK_STREAM, 0);
	pthread_mutex_lock(&fake.lock);
	fake.refuse = EHOSTUNREACH;
	pthread_mutex_unlock(&fake.lock);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EHOSTUNREACH);
	pthread_mutex_lock(&fake.lock);
	fake.refuse = 0;
	fake.assign_error = EMFILE;
	pthread_mutex_unlock(&fake.lock);
	fake_start();
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EMFILE);
	fake_stop();
	fake.assign_error = 0;
	toe_close(fd);
}

/* It may be bound and tried again, also before anybody has asked what became of it. */
static void connect__bound_after_it_failed(void)
{
	struct sockaddr_in sa = addr_of("127.0.0.1", 0);
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	fake_step();
	CU_ASSERT_EQUAL(err(toe_bind(fd, (struct sockaddr *)&sa, sizeof(sa))), EINVAL);
	fake_peer_rst(newest(), ECONNREFUSED);
	CU_ASSERT_EQUAL(toe_bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), ECONNREFUSED);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	fake_step();
	toe_close(fd);
	fake_step();
}

/* A descriptor that is bound to `port`, on its way, and reset before it gets there. */
static void bind_and_fail(int fd, int port, bool ask)
{
	struct sockaddr_in sa = addr_of("127.0.0.1", port);
	socklen_t len = sizeof(sa);

	CU_ASSERT_EQUAL(toe_bind(fd, (struct sockaddr *)&sa, len), 0);
	if (ask)
		toe_getsockname(fd, (struct sockaddr *)&sa, &len);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	CU_ASSERT_EQUAL(toe_load(&fake.asked_port), sa.sin_port);
	fake_step();
	fake_peer_rst(newest(), ECONNREFUSED);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), ECONNREFUSED);
}

/* Any port is one that toed chooses, unless the application has seen which the kernel chose. */
static void connect__from_the_port_that_was_told(void)
{
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	bind_and_fail(fd, 0, false);
	CU_ASSERT_EQUAL(fake.asked_port, 0);
	bind_and_fail(fd, 0, true);
	CU_ASSERT_NOT_EQUAL(fake.asked_port, 0);
	bind_and_fail(fd, 0, false);
	bind_and_fail(fd, 33333, false);
	CU_ASSERT_EQUAL(fake.asked_port, htons(33333));
	toe_close(fd);
	fake_step();
}

/*
 * With one thread nothing looks at what the FPC has answered but the calls themselves, and an application
 * need not wait by epoll: it may ask again later.
 */
static void connect__asked_again(void)
{
	struct sockaddr_in sa = addr_of("192.0.2.2", 80);
	socklen_t len = sizeof(sa);
	struct tcp_info ti;
	int fd[5], v;

	for (unsigned i = 0; i < 5; i++) {
		fd[i] = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		CU_ASSERT_EQUAL(do_connect(fd[i], "192.0.2.2", 80), EINPROGRESS);
		fake_step();
		establish(newest());
	}
	fake_peer_send(newest(), "abc", 3);
	CU_ASSERT_EQUAL(toe_send(fd[0], "x", 1, 0), 1);
	CU_ASSERT_EQUAL(do_connect(fd[1], "192.0.2.2", 80), 0);
	CU_ASSERT_EQUAL(toe_getpeername(fd[2], (struct sockaddr *)&sa, &len), 0);
	len = sizeof(ti);
	fake_start();
	CU_ASSERT_EQUAL(toe_getsockopt(fd[3], IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CU_ASSERT_EQUAL(ti.tcpi_state, TCP_ESTABLISHED);
	fake_stop();
	CU_ASSERT_EQUAL(toe_ioctl(fd[4], FIONREAD, &v), 0);
	CU_ASSERT_EQUAL(v, 3);
	for (unsigned i = 0; i < 5; i++)
		toe_close(fd[i]);
	fake_step();
}

/* The flow of the connect before which so many had been taken up. */
static uint32_t connect_taken(unsigned before)
{
	while (toe_load(&fake.count[TOE_SW_CONNECT]) == before)
		usleep(1000);
	return newest();
}

static void *establisher(void *arg)
{
	uint32_t flow = connect_taken(*(unsigned *)arg);

	usleep(20000);
	establish(flow);
	return NULL;
}

static void connect__blocking(void)
{
	unsigned before = toe_load(&fake.count[TOE_SW_CONNECT]);
	struct timeval tv = { .tv_usec = 20000 };
	int fd = toe_socket(AF_INET, SOCK_STREAM, 0);
	pthread_t t;

	fake_start();
	toe_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80),
			EINPROGRESS); /* the time limit, as Linux says it */
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EALREADY);
	toe_close(fd);
	connect_taken(before);
	before = toe_load(&fake.count[TOE_SW_CONNECT]);
	fd = toe_socket(AF_INET, SOCK_STREAM, 0);
	pthread_create(&t, NULL, establisher, &before);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), 0);
	pthread_join(t, NULL);
	toe_close(fd);
	fake_stop();
	fake_step();
}

/* Closed before the flow was known: the flow is aborted when it is. */
static void connect__orphan(void)
{
	unsigned before = fake.count[TOE_SW_ABORT];
	struct epoll_event ev;
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = toe_epoll_create1(0),
	    other;
	uint32_t flow;

	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	toe_close(fd);
	fake_step();
	other = fake_pair(&flow, SOCK_NONBLOCK);
	ev = (struct epoll_event){ .events = EPOLLIN };
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, other, &ev);
	toe_epoll_wait(ep, &ev, 1, 0); /* takes the answer */
	fake_step();
	CU_ASSERT_EQUAL(fake.count[TOE_SW_ABORT], before + 1);
	toe_close(other);
	toe_close(ep);
	fake_step();
}

/*
 * The TOE does not serve the destination: the same descriptor is a kernel socket, with its options,
 * in its sets.
 */
static void connect__through_the_kernel(void)
{
	struct sockaddr_in sa = addr_of("127.0.0.1", 0);
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 5 };
	socklen_t len = sizeof(sa);
	int l = socket(AF_INET, SOCK_STREAM, 0),
	    fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, a;
	int ep = toe_epoll_create1(0), v = 0;

	bind(l, (struct sockaddr *)&sa, sizeof(sa));
	listen(l, 1);
	getsockname(l, (struct sockaddr *)&sa, &len);
	toe_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	CU_ASSERT_EQUAL(toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	toe_store(&fake.kernel, true);
	CU_ASSERT_EQUAL(toe_connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	toe_store(&fake.kernel, false);
	len = sizeof(v);
	CU_ASSERT_EQUAL(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, &len), 0);
	CU_ASSERT_EQUAL(v, 1);
	CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
	a = accept(l, NULL, NULL);
	CU_ASSERT_EQUAL(send(a, "hi", 2, 0), 2);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 1000), 1);
	CU_ASSERT_EQUAL(ev.data.u32, 5);
	toe_close(fd);
	close(a);
	close(l);
	toe_close(ep);

	/* An option that only the kernel knows decides as well. */
	fd = toe_socket(AF_INET, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL(toe_setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &one, sizeof(one)), 0);
	CU_ASSERT_EQUAL(toe_read(fd, &v, 0), 0); /* where recv(2) says ENOTCONN */
	CU_ASSERT_EQUAL(do_connect(fd, "127.0.0.1", 1), ECONNREFUSED);
	toe_close(fd);
}

/* connect to AF_UNSPEC resets; who still asks hears so, once, and the socket is as new. */
static void connect__dissolved(void)
{
	struct sockaddr_in sa = { .sin_family = AF_UNSPEC };
	struct epoll_event ev = { .events = EPOLLIN };
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK), ep = toe_epoll_create1(0);
	char b;

	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 0);
	CU_ASSERT_EQUAL(toe_connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(ev.events, EPOLLERR | EPOLLHUP);
	fake_step();
	CU_ASSERT(fake.flow[flow].aborted);
	CU_ASSERT_EQUAL(err((int)toe_recv(fd, &b, 1, 0)), ECONNRESET);
	CU_ASSERT_EQUAL(err((int)toe_recv(fd, &b, 1, 0)), ENOTCONN);
	CU_ASSERT_EQUAL(so_error(fd), 0);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	fake_step();
	toe_close(fd);
	toe_close(ep);
	fake_step();
}

/* Also where an option that is the kernel's, or bind, has put a kernel socket beneath it. */
static void connect__dissolved_and_bound(void)
{
	struct sockaddr_in none = { .sin_family = AF_UNSPEC }, any = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN };
	int fd[2], ep = toe_epoll_create1(0), v;
	socklen_t len = sizeof(v);
	uint32_t flow;
	char b = 0;

	for (unsigned i = 0; i < 2; i++) {
		fd[i] = fake_pair(&flow, 0);
		toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &ev);
		CU_ASSERT_EQUAL(toe_connect(fd[i], (struct sockaddr *)&none, sizeof(none)), 0);
		CU_ASSERT_EQUAL(toe_bind(fd[i], (struct sockaddr *)&any, sizeof(any)), 0);
		CU_ASSERT_EQUAL(toe_getsockopt(fd[i], SOL_SOCKET, SO_PRIORITY, &v, &len), 0);
	}
	CU_ASSERT_EQUAL(err((int)toe_read(fd[0], &b, 1)), ECONNRESET);
	CU_ASSERT_EQUAL(err((int)toe_read(fd[0], &b, 1)), ENOTCONN);
	CU_ASSERT_EQUAL(err((int)toe_write(fd[1], &b, 1)), ECONNRESET);
	CU_ASSERT_EQUAL(err((int)toe_send(fd[1], &b, 1, MSG_NOSIGNAL)), EPIPE);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(ev.events, EPOLLHUP);
	for (unsigned i = 0; i < 2; i++)
		toe_close(fd[i]);
	toe_close(ep);
	fake_step();
}

struct waiter {
	int fd;
	bool send; /* or it reads */
};

/* Waits for a socket that has nothing for it. Returns the errno that it was told. */
static void *waiter(void *arg)
{
	struct waiter *w = arg;
	static char b[TOE_BUF_DEFAULT];
	ssize_t r;

	do
		r = w->send ? toe_send(w->fd, b, sizeof(b), MSG_NOSIGNAL)
			    : toe_recv(w->fd, b, sizeof(b), 0);
	while (r > 0);
	return (void *)(intptr_t)errno;
}

/*
 * `end` while another thread waits: that waits no more and is told, or the alarm rings; SO_ERROR has what
 * is left. Closes.
 */
static void told_while_waiting(int fd, bool send, int (*end)(int fd), int told, int left)
{
	struct waiter w = { fd, send };
	pthread_t t;
	void *said;

	pthread_create(&t, NULL, waiter, &w);
	usleep(50000); /* until it sleeps */
	CU_ASSERT_EQUAL(end(fd), 0);
	pthread_join(t, &said);
	CU_ASSERT_EQUAL((int)(intptr_t)said, told);
	CU_ASSERT_EQUAL(so_error(fd), left);
	toe_close(fd);
}

static int dissolve(int fd)
{
	struct sockaddr_in sa = { .sin_family = AF_UNSPEC };

	return toe_connect(fd, (struct sockaddr *)&sa, sizeof(sa));
}

static int shut(int fd)
{
	return toe_shutdown(fd, SHUT_RDWR);
}

/* As Linux says it: a shutdown while connecting is told to who waits, an AF_UNSPEC is left for the next. */
static void connect__dissolved_while_others_wait(void)
{
	uint32_t flow;
	int fd;

	toe_store(&fake.keep, true);
	fake_start();
	told_while_waiting(fake_pair(&flow, 0), false, dissolve, EPIPE, ECONNRESET);
	told_while_waiting(fake_pair(&flow, 0), true, dissolve, EPIPE, ECONNRESET);
	fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	toe_fcntl(fd, F_SETFL, 0);
	told_while_waiting(fd, false, shut, ECONNRESET, 0);
	toe_store(&fake.keep, false);
	fake_stop();
	fake_step();
}

static int listens(int fd)
{
	int v = -1;
	socklen_t len = sizeof(v);

	toe_getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &v, &len);
	return v;
}

/*
 * `end` ends the listening of a blocking socket, which also the kernel's half then is, and says so in sets
 * as Linux does; it may listen again.
 */
static void ends_listening(int (*end)(int fd))
{
	unsigned before = toe_load(&fake.unlistened);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP };
	int fd = fake_listener(), ep = toe_epoll_create1(0);

	toe_fcntl(fd, F_SETFL, 0);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	CU_ASSERT_EQUAL(end(fd), 0);
	CU_ASSERT_EQUAL(toe_load(&fake.unlistened), before + 1);
	CU_ASSERT_EQUAL(listens(fd), 0);
	CU_ASSERT_EQUAL(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	if (!listens(fd)) /* else it waits for ever */
		CU_ASSERT_EQUAL(err(toe_accept(fd, NULL, NULL)), EINVAL);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(ev.events, EPOLLHUP);
	CU_ASSERT_EQUAL(toe_listen(fd, 1), 0);
	CU_ASSERT_EQUAL(listens(fd), 1);
	toe_close(fd);
	CU_ASSERT_EQUAL(toe_load(&fake.unlistened), before + 2);
	toe_close(ep);
	fake_step();
}

/*
 * A listener stops listening when its reading is shut down, or it is to be connected to nowhere, and not
 * by a call that makes no sense.
 */
static void shutdown__of_a_listener(void)
{
	unsigned before = toe_load(&fake.unlistened);
	int fd = fake_listener();

	CU_ASSERT_EQUAL(err(toe_shutdown(fd, 3)), EINVAL);
	CU_ASSERT_EQUAL(toe_load(&fake.unlistened), before);
	toe_close(fd);
	ends_listening(shut);
	ends_listening(dissolve);
}

/* A non-blocking connect whose flow nobody knows yet: with one thread it waits for nothing. */
static int just_connecting(void)
{
	char single = __libc_single_threaded;
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CU_ASSERT_EQUAL(err(toe_shutdown(fd, SHUT_RDWR)), ENOTCONN);
	__libc_single_threaded = true; /* but for the firmware's */
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	__libc_single_threaded = single;
	return fd;
}

static void ends_connecting(int (*end)(int fd))
{
	unsigned before = fake.count[TOE_SW_ABORT];
	int fd;

	fake_start();
	fd = just_connecting();
	CU_ASSERT_EQUAL(end(fd), 0);
	CU_ASSERT_EQUAL(so_error(fd), ECONNRESET);
	fake_stop();
	fake_step();
	CU_ASSERT_EQUAL(fake.count[TOE_SW_ABORT], before + 1);
	toe_close(fd);
}

/* Connect does not wait for the FPC's answer, so who ends it does. */
static void shutdown__right_after_connect(void)
{
	ends_connecting(shut);
	ends_connecting(dissolve);
}

/* Who reads waits as long as SO_RCVTIMEO says, also for a handshake that comes to no end. */
static void recv__right_after_connect(void)
{
	struct timeval tv = { .tv_usec = 20000 };
	uint32_t flow;
	char b;
	int fd;

	fake_start();
	fd = just_connecting();
	toe_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	CU_ASSERT_EQUAL(err((int)toe_recv(fd, &b, 1, 0)), EAGAIN);
	toe_fcntl(fd, F_SETFL, 0);
	CU_ASSERT_EQUAL(err((int)toe_recv(fd, &b, 1, 0)), EAGAIN);
	CU_ASSERT_EQUAL(err((int)toe_recv(fd, &b, 1, MSG_PEEK)), EAGAIN);
	flow = newest();
	fake_peer_send(flow, "x", 1);
	establish(flow);
	CU_ASSERT_EQUAL(toe_recv(fd, &b, 1, 0), 1);
	toe_close(fd);
	fake_stop();
	fake_step();
}

/* A shutdown takes note that a non-blocking connect has succeeded: there will not be another connection. */
static void shutdown__of_a_nonblocking_connect(void)
{
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	fake_step();
	establish(newest());
	CU_ASSERT_EQUAL(so_error(fd), 0);
	CU_ASSERT_EQUAL(toe_shutdown(fd, SHUT_WR), 0);
	fake_peer_rst(newest(), ECONNRESET);
	CU_ASSERT_EQUAL(so_error(fd), ECONNRESET);
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EISCONN);
	toe_close(fd);
	fake_step();
}

FAKE_MAIN("libtoe_connect", T(connect__nonblocking), T(connect__refused), T(connect__blocking),
	  T(connect__bound_after_it_failed), T(connect__from_the_port_that_was_told),
	  T(connect__asked_again), T(connect__orphan), T(connect__through_the_kernel),
	  T(connect__dissolved), T(connect__dissolved_and_bound),
	  T(connect__dissolved_while_others_wait), T(shutdown__of_a_listener),
	  T(shutdown__right_after_connect), T(recv__right_after_connect),
	  T(shutdown__of_a_nonblocking_connect))
