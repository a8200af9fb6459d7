/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manager/wait.c, context.c: threads that wait, the firmware's model as a thread of its own. A
 * wake-up that is lost shows as a test that hangs (fake_watch).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "fake_toe.h"
#include "manager/sock.h"

enum { ROUNDS = 4000 };

struct pair {
	int fd;
	uint32_t flow;
	unsigned rounds;
	unsigned seed;
};

/*
 * The far end: a byte, its echo, the next; now and then a pause that lets everybody fall asleep, or
 * nearly.
 */
static void *far_end(void *arg)
{
	struct pair *p = arg;

	for (unsigned i = 1; i <= p->rounds; i++) {
		p->seed = p->seed * 1103515245 + 12345;
		if ((p->seed >> 16) % 8 == 0)
			usleep((p->seed >> 20) % 120);
		fake_peer_send(p->flow, "x", 1);
		while (fake_sent_end(p->flow) < i)
			sched_yield();
	}
	fake_peer_fin(p->flow);
	return NULL;
}

static void wait__recv_ping_pong(void)
{
	struct pair p = { .rounds = ROUNDS, .seed = 1 };
	pthread_t t;
	unsigned n = 0;
	char b;

	fake_start();
	p.fd = fake_pair(&p.flow, 0);
	pthread_create(&t, NULL, far_end, &p);
	while (toe_recv(p.fd, &b, 1, 0) == 1 && toe_send(p.fd, &b, 1, 0) == 1)
		n++;
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(n, ROUNDS);
	toe_close(p.fd);
	fake_stop();
}

enum { PAIRS = 8 };

static void wait__epoll_ping_pong(void)
{
	struct pair p[PAIRS];
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET }, got[4];
	int ep = toe_epoll_create1(0), open = PAIRS;
	pthread_t t[PAIRS];
	char b[4];

	fake_start();
	for (unsigned i = 0; i < PAIRS; i++) {
		p[i] = (struct pair){ .rounds = ROUNDS / PAIRS, .seed = i };
		p[i].fd = fake_pair(&p[i].flow, SOCK_NONBLOCK);
		ev.data.ptr = &p[i];
		toe_epoll_ctl(ep, EPOLL_CTL_ADD, p[i].fd, &ev);
		pthread_create(&t[i], NULL, far_end, &p[i]);
	}
	while (open) {
		int n = toe_epoll_wait(ep, got, 4, -1);

		for (int i = 0; i < n; i++) {
			struct pair *q = got[i].data.ptr;
			ssize_t r;

			while ((r = toe_recv(q->fd, b, sizeof(b), 0)) > 0)
				toe_send(q->fd, b, (size_t)r, 0);
			if (!r) {
				toe_close(q->fd);
				open--;
			}
		}
	}
	for (unsigned i = 0; i < PAIRS; i++)
		pthread_join(t[i], NULL);
	toe_close(ep);
	fake_stop();
}

static int shared_ep, shared_done[2];

/* One set, several threads, one-shot watches. */
static void *shared_server(void *arg)
{
	struct epoll_event ev;
	char b[4];

	while (toe_epoll_wait(shared_ep, &ev, 1, -1) == 1) {
		struct pair *q = ev.data.ptr;
		ssize_t r;

		if (!q) /* the pipe: all is done */
			return NULL;
		r = toe_recv(q->fd, b, sizeof(b), MSG_DONTWAIT);
		if (r > 0)
			toe_send(q->fd, b, (size_t)r, 0);
		ev.events = r ? EPOLLIN | EPOLLONESHOT : 0;
		toe_epoll_ctl(shared_ep, r ? EPOLL_CTL_MOD : EPOLL_CTL_DEL, q->fd, &ev);
	}
	return arg;
}

static void wait__shared_set(void)
{
	struct pair p[PAIRS];
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };
	pthread_t t[PAIRS], server[3];

	shared_ep = toe_epoll_create1(0);
	fake_start();
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&server[i], NULL, shared_server, NULL);
	for (unsigned i = 0; i < PAIRS; i++) {
		p[i] = (struct pair){ .rounds = ROUNDS / PAIRS / 2, .seed = i };
		p[i].fd = fake_pair(&p[i].flow, 0);
		ev.data.ptr = &p[i];
		toe_epoll_ctl(shared_ep, EPOLL_CTL_ADD, p[i].fd, &ev);
		pthread_create(&t[i], NULL, far_end, &p[i]);
	}
	for (unsigned i = 0; i < PAIRS; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(pipe(shared_done), 0);
	ev = (struct epoll_event){ .events = EPOLLIN };
	toe_epoll_ctl(shared_ep, EPOLL_CTL_ADD, shared_done[0], &ev);
	CU_ASSERT_EQUAL(write(shared_done[1], "x", 1), 1);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(server[i], NULL);
	for (unsigned i = 0; i < PAIRS; i++) {
		CU_ASSERT_EQUAL(fake_sent_end(p[i].flow), p[i].rounds);
		toe_close(p[i].fd);
	}
	toe_close(shared_ep);
	fake_stop();
}

/* Accepted here, served there: the flow's notifications follow whoever waits. */
static void *borrower(void *arg)
{
	struct pair *p = arg;
	char b;

	for (unsigned i = 0; i < p->rounds; i++)
		if (toe_recv(p->fd, &b, 1, 0) != 1 || toe_send(p->fd, &b, 1, 0) != 1)
			return arg;
	return NULL;
}

static void wait__socket_changes_threads(void)
{
	struct pair p = { .rounds = 40 * 3, .seed = 9 };
	struct pair part;
	pthread_t t, far;
	void *failed = NULL;

	fake_start();
	p.fd = fake_pair(&p.flow, 0);
	part = p;
	part.rounds = 3;
	pthread_create(&far, NULL, far_end, &p);
	for (unsigned i = 0; i < 40; i++) {
		if (i % 2) {
			failed = borrower(&part);
		} else {
			pthread_create(&t, NULL, borrower, &part);
			pthread_join(t, &failed);
		}
		CU_ASSERT_PTR_NULL(failed);
	}
	pthread_join(far, NULL);
	toe_close(p.fd);
	fake_stop();
}

static void on_alarm(int sig)
{
}

/*
 * A signal ends every kind of wait, at whatever moment it comes: while spinning and while asleep.
 */
static void wait__signals(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = toe_epoll_create1(0), fd;
	uint32_t flow;
	char b;

	fake_start();
	fd = fake_pair(&flow, 0);
	sigaction(SIGUSR1, &sa, NULL);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	for (unsigned i = 0; i < 60; i++) {
		struct sigevent se = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
		/* Again and again: a first one may come before the call has begun. */
		struct itimerspec it = { { 0, 20000000 }, { 0, 10000 + i * 3000 } };
		timer_t timer;

		timer_create(CLOCK_MONOTONIC, &se, &timer);
		timer_settime(timer, 0, &it, NULL);
		CU_ASSERT_EQUAL(
		    i % 2 ? (int)toe_recv(fd, &b, 1, 0) : toe_epoll_wait(ep, &ev, 1, -1), -1);
		CU_ASSERT_EQUAL(errno, EINTR);
		timer_delete(timer);
	}
	toe_close(fd);
	toe_close(ep);
	fake_stop();
}

static long cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
	       u.ru_stime.tv_usec;
}

static void wait__idle_costs_nothing(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = toe_epoll_create1(0), fd;
	uint32_t flow;
	long before;

	fd = fake_pair(&flow, 0);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	before = cpu_us();
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 300), 0);
	CU_ASSERT(cpu_us() - before < 3000);
	toe_close(fd);
	toe_close(ep);
	fake_step();
}

/* A thread that ends gives its context back, and what it had said is heard. */
static void *short_life(void *arg)
{
	struct pair *p = arg;

	toe_send(p->fd, "x", 1, 0);
	return NULL;
}

static void context__ends_with_its_thread(void)
{
	uint64_t ctxs = toe_load(&fake.hdr->ctxs);
	struct pair p;
	pthread_t t;

	fake_start();
	p.fd = fake_pair(&p.flow, 0);
	for (unsigned i = 0; i < 200; i++) { /* more than there are contexts */
		pthread_create(&t, NULL, short_life, &p);
		pthread_join(t, NULL);
	}
	CU_ASSERT_EQUAL(fake_sent_end(p.flow), 200);
	CU_ASSERT_EQUAL(toe_load(&fake.hdr->ctxs), ctxs);
	toe_close(p.fd);
	fake_stop();
}

static void *look(void *arg)
{
	char b;

	return toe_recv(*(int *)arg, &b, 1, MSG_DONTWAIT) < 0 ? (void *)(intptr_t)errno : NULL;
}

static int looked(int fd)
{
	pthread_t t;
	void *r;

	pthread_create(&t, NULL, look, &fd);
	pthread_join(t, &r);
	return (int)(intptr_t)r;
}

/* A thread that finds no descriptors for its context says so, and the context is not lost. */
static void context__without_descriptors(void)
{
	uint64_t ctxs = toe_load(&fake.hdr->ctxs);
	unsigned next = (unsigned)__builtin_ctzll(~ctxs), n = 0;
	struct rlimit was, few;
	int taken[256];
	uint32_t flow;
	int fd = fake_pair(&flow, 0);

	fake_start();
	getrlimit(RLIMIT_NOFILE, &was);
	few = was;
	few.rlim_cur = 256;
	pthread_mutex_lock(&fake.lock);
	while (fake.ctx_evfd[next]) /* never used: its number is not known here */
		next++;
	fake.ctx_evfd[next] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	pthread_mutex_unlock(&fake.lock);
	toe_store(&fake.hdr->ctxs, (1ull << next) - 1);
	setrlimit(RLIMIT_NOFILE, &few);
	while (n < 256 && (taken[n] = dup(fake.fpc_evfd)) >= 0)
		n++;
	CU_ASSERT_EQUAL(looked(fd), EMFILE); /* none for its eventfd */
	close(taken[--n]);
	CU_ASSERT_EQUAL(looked(fd), EMFILE); /* none for what it sleeps in */
	close(taken[--n]);
	CU_ASSERT_EQUAL(looked(fd), EAGAIN);
	CU_ASSERT_EQUAL(toe_load(&fake.hdr->ctxs), (1ull << next) - 1);
	toe_store(&fake.hdr->ctxs, ctxs);
	setrlimit(RLIMIT_NOFILE, &was);
	while (n)
		close(taken[--n]);
	toe_close(fd);
	fake_stop();
}

static void *accepts(void *arg)
{
	return toe_accept(*(int *)arg, NULL, NULL) < 0 ? (void *)(intptr_t)errno : NULL;
}

/* With one thread more than there are contexts: a listener that may be waited for does not say EAGAIN. */
static void context__none_left(void)
{
	uint64_t ctxs = toe_load(&fake.hdr->ctxs);
	int fd = toe_socket(AF_INET, SOCK_STREAM, 0);
	pthread_t t;
	void *r;

	fake_start();
	CU_ASSERT_EQUAL(toe_listen(fd, 1), 0);
	toe_store(&fake.hdr->ctxs, ~0ull);
	pthread_create(&t, NULL, accepts, &fd);
	pthread_join(t, &r);
	CU_ASSERT_EQUAL((intptr_t)r, EUSERS);
	toe_store(&fake.hdr->ctxs, ctxs);
	toe_close(fd);
	fake_stop();
}

FAKE_MAIN("libtoe_wait", T(wait__recv_ping_pong), T(wait__epoll_ping_pong), T(wait__shared_set),
	  T(wait__socket_changes_threads), T(wait__signals), T(wait__idle_costs_nothing),
	  T(context__ends_with_its_thread), T(context__without_descriptors), T(context__none_left))
