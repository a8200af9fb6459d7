/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that meet at one socket or set: connected, bound, listened on or closed by one while another is
 * about to do the same. Where the moment matters, a barrier at the lock that both take makes it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/time.h>

#include "fake_toe.h"
#include "manager/sock.h"

struct left {
	int fd;
	unsigned after; /* it pauses so long first: microseconds, or turns */
	pthread_barrier_t step;
	bool meets; /* its thread */
};

static void *closes_again_and_again(void *arg)
{
	struct left *l = arg;

	for (pthread_barrier_wait(&l->step); l->fd >= 0; pthread_barrier_wait(&l->step)) {
		for (volatile unsigned i = 0; i < l->after; i++)
			;
		toe_close(l->fd);
		pthread_barrier_wait(&l->step);
	}
	return NULL;
}

/* Closed just when the FPC says which flow it is: one of the two sees to it that the flow ends. */
static void connect__closed_with_its_flow(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = 80, .sin_addr.s_addr = 1 };
	struct left l;
	pthread_t t;

	fake_start();
	pthread_barrier_init(&l.step, NULL, 2);
	pthread_create(&t, NULL, closes_again_and_again, &l);
	for (unsigned i = 0; i < 3000; i++) {
		l.fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		l.after = i % 300 * 1000;
		pthread_barrier_wait(&l.step);
		toe_connect(l.fd, (struct sockaddr *)&sa, sizeof(sa));
		pthread_barrier_wait(&l.step);
	}
	l.fd = -1;
	pthread_barrier_wait(&l.step);
	pthread_join(t, NULL);
	for (int i = 0; i < 1000 && fake_live(); i++)
		usleep(1000);
	CU_ASSERT_EQUAL(fake_live(), 0);
	fake_stop();
}

/* Threads that are to meet go on together when each is about to take tm_big. */
static pthread_barrier_t meeting;
static bool met;
static __thread unsigned meets; /* so many times from now */

int pthread_mutex_lock(pthread_mutex_t *m)
{
	static int (*real)(pthread_mutex_t *);

	if (!toe_load(&real))
		toe_store(&real, dlsym(RTLD_NEXT, "pthread_mutex_lock"));
	if (m == &tm_big && meets && toe_load(&met) && !--meets)
		pthread_barrier_wait(&meeting);
	return toe_load(&real)(m);
}

/* Two threads connect one socket: one begins, the other one finds that begun. */
static void *one_of_two(void *arg)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = 80, .sin_addr.s_addr = 1 };
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = toe_epoll_create1(0);
	struct left *l = arg;

	toe_epoll_ctl(ep, EPOLL_CTL_ADD, l->fd, &ev);
	toe_epoll_wait(ep, &ev, 1, 0); /* toed gives the thread its context */
	toe_close(ep);
	pthread_barrier_wait(&l->step);
	meets = l->meets;
	return toe_connect(l->fd, (struct sockaddr *)&sa, sizeof(sa)) ? (void *)(intptr_t)errno
								      : NULL;
}

static void connect__by_two_threads(void)
{
	unsigned before = toe_load(&fake.count[TOE_SW_CONNECT]), said = 0;
	struct left l = { .meets = false };
	pthread_t t[2];
	void *r;

	toe_store(&fake.slow_us, 20000); /* both have asked what the socket is by then */
	fake_start();
	for (int i = 0; i < 3; i++) {
		l.fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		pthread_barrier_init(&l.step, NULL, 2);
		pthread_create(&t[0], NULL, one_of_two, &l);
		pthread_create(&t[1], NULL, one_of_two, &l);
		for (int j = 0; j < 2; j++) {
			pthread_join(t[j], &r);
			said |= r == (void *)EINPROGRESS ? 1 : r == (void *)EALREADY ? 2 : 4;
		}
		CU_ASSERT_EQUAL(said, 3);
		toe_close(l.fd);
	}
	for (int i = 0; i < 1000 && fake_live(); i++)
		usleep(1000);
	CU_ASSERT_EQUAL(fake_live(), 0);
	fake_stop();
	toe_store(&fake.slow_us, 0);
	CU_ASSERT_EQUAL(toe_load(&fake.count[TOE_SW_CONNECT]) - before, 3);
}

static void *listens(void *arg)
{
	struct left *l = arg;

	pthread_barrier_wait(&l->step);
	usleep(l->after);
	return toe_listen(l->fd, 1) ? (void *)(intptr_t)errno : NULL;
}

/* One connects while the other listens. With many descriptors there is time between check and deed. */
static void connect_or_listen(unsigned after_us)
{
	struct left l = { .fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
			  .after = after_us };
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int dups[500];
	pthread_t t[2];
	void *r[2];

	CU_ASSERT_EQUAL(toe_bind(l.fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	for (unsigned i = 0; i < 500; i++)
		dups[i] = toe_fcntl(l.fd, F_DUPFD, 0);
	pthread_barrier_init(&l.step, NULL, 2);
	pthread_create(&t[0], NULL, one_of_two, &l);
	pthread_create(&t[1], NULL, listens, &l);
	pthread_join(t[0], &r[0]);
	pthread_join(t[1], &r[1]);
	CU_ASSERT_EQUAL((r[0] == (void *)EISCONN) + (r[1] == (void *)EINVAL), 1);
	for (unsigned i = 0; i < 500; i++)
		toe_close(dups[i]);
	toe_close(l.fd);
}

/* Whoever is first, the other one finds that. */
static void connect__while_another_listens(void)
{
	fake_start();
	for (unsigned i = 0; i < 30; i++)
		connect_or_listen(10 * i);
	for (int i = 0; i < 1000 && fake_live(); i++)
		usleep(1000);
	CU_ASSERT_EQUAL(fake_live(), 0);
	fake_stop();
}

static void *closes(void *arg)
{
	struct left *l = arg;

	pthread_barrier_wait(&l->step);
	usleep(5000);
	toe_close(l->fd);
	return NULL;
}

/* Closed while toed is asked: there is nothing to connect any more, nor to open in its place. */
static void connect__closed_meanwhile(void)
{
	unsigned before = toe_load(&fake.count[TOE_SW_CONNECT]);
	struct left l = { .fd = toe_socket(AF_INET, SOCK_STREAM, 0) };
	pthread_t t;

	toe_store(&fake.slow_us, 20000);
	fake_start();
	pthread_barrier_init(&l.step, NULL, 2);
	pthread_create(&t, NULL, closes, &l);
	CU_ASSERT_EQUAL((intptr_t)one_of_two(&l), EBADF);
	pthread_join(t, NULL);
	fake_stop();
	toe_store(&fake.slow_us, 0);
	CU_ASSERT_EQUAL(toe_load(&fake.count[TOE_SW_CONNECT]), before);
}

/* Closed while the FPC has not said yet which flow it is: who waits for that finds no socket any more. */
static void connect__closed_before_its_flow(void)
{
	struct left l = { .fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	pthread_t t[2];
	void *r;

	toe_store(&fake.stuck, true);
	fake_start();
	pthread_barrier_init(&l.step, NULL, 2);
	pthread_create(&t[0], NULL, one_of_two, &l);
	pthread_create(&t[1], NULL, closes, &l);
	pthread_join(t[1], NULL);
	toe_store(&fake.stuck, false);
	pthread_join(t[0], &r);
	CU_ASSERT_PTR_EQUAL(r, (void *)EBADF);
	fake_stop();
	CU_ASSERT_EQUAL(fake_live(), 0);
}

/* Both threads wait for one connect, and see it fail before either has ended the flow: it ends once. */
static void connect__fails_for_two_threads(void)
{
	unsigned before = toe_load(&fake.count[TOE_SW_CLOSE & 15]);
	struct left l = { .fd = toe_socket(AF_INET, SOCK_STREAM, 0), .meets = true };
	int said[2];
	pthread_t t[2];
	void *r;

	fake_start();
	pthread_barrier_init(&l.step, NULL, 1);
	pthread_barrier_init(&meeting, NULL, 2);
	pthread_create(&t[0], NULL, one_of_two, &l);
	while (!fake_live())
		usleep(1000);
	pthread_create(&t[1], NULL, one_of_two, &l);
	toe_store(&met, true);
	fake_peer_rst(0, ECONNREFUSED);
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], &r);
		said[i] = (int)(intptr_t)r;
	}
	toe_store(&met, false);
	CU_ASSERT(said[0] == ECONNREFUSED || said[1] == ECONNREFUSED);
	CU_ASSERT(said[0] == ECONNABORTED || said[1] == ECONNABORTED);
	toe_close(l.fd);
	fake_stop();
	fake_step();
	CU_ASSERT_EQUAL(toe_load(&fake.count[TOE_SW_CLOSE & 15]) - before, 1);
}

/* What it gets, or errno. */
static void *waits_in_a_set(void *arg)
{
	struct epoll_event ev;
	int n = toe_epoll_wait(*(int *)arg, &ev, 1, -1);

	return (void *)(intptr_t)(n < 0 ? errno : n);
}

/*
 * A set is closed under one that waits in it; who makes a new one has its news for himself. ThreadSanitizer
 * takes the closing of a descriptor that is in use for a race, which it is, but the kernel's.
 */
static void wait__closed_set(void)
{
#ifdef __SANITIZE_THREAD__
	return;
#endif
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	uint32_t flow, other;
	int fd, fd2, ep, next;
	pthread_t t;
	void *r;

	fake_start();
	for (int i = 0; i < 8; i++) {
		ep = toe_epoll_create1(0);
		fd = fake_pair(&flow, SOCK_NONBLOCK);
		fd2 = fake_pair(&other, SOCK_NONBLOCK);
		toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
		pthread_create(&t, NULL, waits_in_a_set, &ep);
		while (!toe_load(&tm_sock_of(ep)->ep->waiters))
			usleep(1000);
		toe_close(ep);
		next = toe_epoll_create1(0);
		CU_ASSERT_EQUAL(next, ep);
		toe_epoll_ctl(next, EPOLL_CTL_ADD, fd2, &ev);
		fake_peer_send(other, "x", 1);
		CU_ASSERT_EQUAL(toe_epoll_wait(next, &ev, 1, 1000), 1);
		pthread_join(t, &r);
		CU_ASSERT_EQUAL((int)(intptr_t)r, EBADF);
		toe_close(next);
		toe_close(fd);
		toe_close(fd2);
	}
	fake_stop();
	fake_step();
}

static void *waits_and_meets(void *arg)
{
	meets = 1;
	return waits_in_a_set(arg);
}

/*
 * One that waited in the kernel alone is called back by a socket of ours, and comes to put that in order
 * when the set is closed: the number of what it was called by is another's.
 */
static void wait__called_back_to_a_closed_set(void)
{
#ifdef __SANITIZE_THREAD__
	return; /* see above */
#endif
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = toe_epoll_create1(0), fd[3];
	uint32_t flow;
	pthread_t t;
	void *r;

	fake_start();
	fd[0] = fake_pair(&flow, SOCK_NONBLOCK);
	pthread_barrier_init(&meeting, NULL, 2);
	toe_store(&met, true);
	pthread_create(&t, NULL, waits_and_meets, &ep);
	usleep(20000);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev);
	usleep(20000); /* it is on its way */
	toe_close(ep);
	for (int i = 1; i < 3; i++)
		fd[i] = toe_socket(AF_INET, SOCK_STREAM, 0);
	pthread_barrier_wait(&meeting);
	toe_store(&met, false);
	pthread_join(t, &r);
	CU_ASSERT_EQUAL((int)(intptr_t)r, EBADF);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(toe_close(fd[i]), 0);
	fake_stop();
	fake_step();
}

struct late {
	int fd;
	bool listens; /* or binds */
};

/* It finds a fresh socket, and comes late. */
static void *comes_late(void *arg)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct late *l = arg;
	int r;

	meets = 1;
	r = l->listens ? toe_listen(l->fd, 1) : toe_bind(l->fd, (struct sockaddr *)&sa, sizeof(sa));
	return r ? (void *)(intptr_t)errno : NULL;
}

static int came_late(struct late *l, void (*first)(int fd))
{
	pthread_t t;
	void *r;

	l->fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	pthread_barrier_init(&meeting, NULL, 2);
	toe_store(&met, true);
	pthread_create(&t, NULL, comes_late, l);
	usleep(20000); /* until it waits to meet us */
	first(l->fd);
	pthread_barrier_wait(&meeting);
	toe_store(&met, false);
	pthread_join(t, &r);
	return (int)(intptr_t)r;
}

static void connects(int fd)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = 80, .sin_addr.s_addr = 1 };

	CU_ASSERT_EQUAL(toe_connect(fd, (struct sockaddr *)&sa, sizeof(sa)), -1);
}

static void shuts(int fd)
{
	toe_close(fd);
}

/* What became of a socket while a thread was about to listen on it, or to bind it, stays so. */
static void socket__decided_meanwhile(void)
{
	struct late l = { .listens = true };
	uint32_t listeners = toe_load(&fake.listeners);

	fake_start();
	CU_ASSERT_EQUAL(came_late(&l, shuts), EBADF);
	CU_ASSERT_EQUAL(came_late(&l, connects), EINVAL);
	CU_ASSERT_EQUAL(toe_load(&fake.listeners), listeners);
	toe_close(l.fd);
	l.listens = false;
	CU_ASSERT_EQUAL(came_late(&l, shuts), EBADF);
	CU_ASSERT_EQUAL(came_late(&l, connects), EINVAL);
	CU_ASSERT_EQUAL(fake_live(), 1);
	connects(l.fd);
	CU_ASSERT_EQUAL(errno, EALREADY);
	toe_close(l.fd);
	fake_stop();
	fake_step();
	CU_ASSERT_EQUAL(fake_live(), 0);
}

/* To a port of loopback that nobody has, by the kernel. */
static void *connects_to_nobody(int fd)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(1),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return toe_connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ? (void *)(intptr_t)errno : NULL;
}

static void *connects_late(void *arg)
{
	meets = 2; /* when it is clear that it is the kernel's business */
	return connects_to_nobody(*(int *)arg);
}

/* It listens when a thread is about to make it the kernel's, in order to connect: it goes on listening. */
static void connect__listens_meanwhile(void)
{
	int fd = toe_socket(AF_INET, SOCK_STREAM, 0);
	unsigned before = toe_load(&fake.unlistened);
	pthread_t t;
	void *r;

	fake_start();
	toe_store(&fake.kernel, true);
	pthread_barrier_init(&meeting, NULL, 2);
	toe_store(&met, true);
	pthread_create(&t, NULL, connects_late, &fd);
	usleep(20000);
	CU_ASSERT_EQUAL(toe_listen(fd, 1), 0);
	pthread_barrier_wait(&meeting);
	toe_store(&met, false);
	toe_store(&fake.kernel, false);
	pthread_join(t, &r);
	CU_ASSERT_PTR_EQUAL(r, (void *)EISCONN);
	toe_close(fd);
	CU_ASSERT_EQUAL(toe_load(&fake.unlistened), before + 1);
	fake_stop();
}

static void *closes_late(void *arg)
{
	meets = 1;
	return toe_close(*(int *)arg) ? (void *)(intptr_t)errno : NULL;
}

/* A socket becomes the kernel's while a thread is about to close it: it is closed. */
static void close__decided_meanwhile(void)
{
	int fd = toe_socket(AF_INET, SOCK_STREAM, 0);
	pthread_t t;
	void *r;

	fake_start();
	pthread_barrier_init(&meeting, NULL, 2);
	toe_store(&met, true);
	pthread_create(&t, NULL, closes_late, &fd);
	usleep(20000);
	toe_store(&fake.kernel, true);
	CU_ASSERT_PTR_EQUAL(connects_to_nobody(fd), (void *)ECONNREFUSED);
	toe_store(&fake.kernel, false);
	pthread_barrier_wait(&meeting);
	toe_store(&met, false);
	pthread_join(t, &r);
	CU_ASSERT_PTR_NULL(r);
	CU_ASSERT_EQUAL(close(fd), -1);
	fake_stop();
}

static void *accepts_twice(void *arg)
{
	struct left *l = arg;
	int r = toe_accept(l->fd, NULL, NULL);

	CU_ASSERT_EQUAL(r, -1);
	pthread_barrier_wait(&l->step); /* the next one is made */
	pthread_barrier_wait(&l->step);
	return (void *)(intptr_t)toe_accept(l->fd, NULL, NULL);
}

/* A listener is shut down, and closed; who waited for it waits for the next one, which has its number. */
static void accept__number_of_one_shut_down(void)
{
	struct left l = { .fd = fake_listener() };
	struct timeval limit = { .tv_sec = 1 };
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	int k = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t t;
	void *r;

	fake_start();
	toe_fcntl(l.fd, F_SETFL, 0);
	pthread_barrier_init(&l.step, NULL, 2);
	pthread_create(&t, NULL, accepts_twice, &l);
	usleep(20000);
	CU_ASSERT_EQUAL(toe_shutdown(l.fd, SHUT_RD), 0);
	pthread_barrier_wait(&l.step);
	toe_close(l.fd);
	CU_ASSERT_EQUAL_FATAL(fake_listener(), l.fd);
	toe_fcntl(l.fd, F_SETFL, 0);
	toe_setsockopt(l.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	pthread_barrier_wait(&l.step);
	usleep(20000);
	toe_getsockname(l.fd, (struct sockaddr *)&sa, &len);
	CU_ASSERT_EQUAL(connect(k, (struct sockaddr *)&sa, sizeof(sa)), 0);
	pthread_join(t, &r);
	CU_ASSERT((int)(intptr_t)r >= 0);
	toe_close((int)(intptr_t)r);
	toe_close(l.fd);
	close(k);
	fake_stop();
}

static void *accepts_late(void *arg)
{
	meets = 1;
	return (void *)(intptr_t)toe_accept(*(int *)arg, NULL, NULL);
}

/* A listener is closed, and its place is another's, while a thread is about to take a connection of it. */
static void accept__closed_meanwhile(void)
{
	int fd = fake_listener(), other, got;
	pthread_t t;
	void *r;

	fake_start();
	fake_incoming(0xff);
	pthread_barrier_init(&meeting, NULL, 2);
	toe_store(&met, true);
	pthread_create(&t, NULL, accepts_late, &fd);
	usleep(20000);
	toe_close(fd);
	other = fake_listener();
	fake_incoming(0xff);
	pthread_barrier_wait(&meeting);
	toe_store(&met, false);
	pthread_join(t, &r);
	CU_ASSERT_EQUAL((int)(intptr_t)r, -1);
	got = toe_accept(other, NULL, NULL);
	CU_ASSERT(got >= 0);
	toe_close(got);
	toe_close(other);
	fake_stop();
}

static void *meets_and_listens(void *arg)
{
	meets = 1;
	toe_listen(*(int *)arg, 1);
	return NULL;
}

/* A kernel socket that listens is closed meanwhile, and its number is one of ours. */
static void listen__number_changes_hands(void)
{
	int k = socket(AF_INET, SOCK_STREAM, 0), fd;
	struct tm_sock *s;
	pthread_t t;

	fake_start();
	pthread_barrier_init(&meeting, NULL, 2);
	toe_store(&met, true);
	pthread_create(&t, NULL, meets_and_listens, &k);
	usleep(20000); /* it has seen a socket of the kernel's */
	close(k);
	fd = toe_socket(AF_INET, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL_FATAL(fd, k);
	s = tm_fds[fd];
	pthread_barrier_wait(&meeting);
	pthread_join(t, NULL);
	toe_store(&met, false);
	CU_ASSERT_PTR_EQUAL(tm_fds[fd], s);
	toe_close(fd);
	fake_stop();
}

FAKE_MAIN("libtoe_threads", T(connect__by_two_threads), T(connect__while_another_listens),
	  T(connect__closed_meanwhile), T(connect__closed_before_its_flow),
	  T(connect__closed_with_its_flow), T(connect__fails_for_two_threads),
	  T(socket__decided_meanwhile), T(close__decided_meanwhile), T(connect__listens_meanwhile),
	  T(accept__closed_meanwhile), T(accept__number_of_one_shut_down), T(wait__closed_set),
	  T(wait__called_back_to_a_closed_set), T(listen__number_changes_hands))
