/* SPDX-License-Identifier: BSD-2-Clause */
/* manager/accept.c, listen.c: who gets a connection. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "fake_toe.h"

static int listener = -1;

static int my_ctx(void)
{
	/* The only thread with a context so far, or the one that the test made last. */
	return 63 - __builtin_clzll(toe_load(&fake.hdr->ctxs));
}

static int try_accept(void)
{
	int fd = toe_accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	fake_step();
	return fd;
}

static uint32_t flow_of_port(int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	if (toe_getpeername(fd, (struct sockaddr *)&sa, &len))
		return TOE_FLOW_NONE;
	return (uint32_t)ntohs(sa.sin_port) - FAKE_PORT;
}

static void accept__in_order_with_addresses(void)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	int fd;

	listener = fake_listener();
	CU_ASSERT_EQUAL(try_accept(), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	fake_incoming(0xff);
	fd = toe_accept(listener, (struct sockaddr *)&sa, &len);
	CU_ASSERT(fd >= 0 && len == sizeof(sa) && sa.sin_family == AF_INET);
	CU_ASSERT_EQUAL(sa.sin_addr.s_addr, inet_addr("192.0.2.2"));
	CU_ASSERT_EQUAL(toe_getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	CU_ASSERT_EQUAL(sa.sin_port, htons(80));
	CU_ASSERT_EQUAL(toe_fcntl(fd, F_GETFL) & O_NONBLOCK, 0); /* not inherited */
	CU_ASSERT_EQUAL(toe_fcntl(fd, F_GETFD), 0);
	toe_close(fd);
	fake_incoming(0xff);
	fd = toe_accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	CU_ASSERT(toe_fcntl(fd, F_GETFL) & O_NONBLOCK);
	CU_ASSERT_EQUAL(toe_fcntl(fd, F_GETFD), FD_CLOEXEC);
	toe_close(fd);
	CU_ASSERT_EQUAL(toe_accept4(listener, NULL, NULL, 0x40), -1);
	CU_ASSERT_EQUAL(errno, EINVAL);
	fake_step();
}

/* TCP_INFO of a listener, as Linux has it: its queue, and how long that may be. */
static void info__of_a_listener(void)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	fake_incoming(0xff);
	fake_incoming(0xff);
	CU_ASSERT_EQUAL(toe_getsockopt(listener, IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CU_ASSERT_EQUAL(ti.tcpi_state, TCP_LISTEN);
	CU_ASSERT_EQUAL(ti.tcpi_unacked, 2);
	CU_ASSERT_EQUAL(ti.tcpi_sacked, 64);
	toe_close(try_accept());
	CU_ASSERT_EQUAL(toe_getsockopt(listener, IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	CU_ASSERT_EQUAL(ti.tcpi_unacked, 1);
	toe_close(try_accept());
	fake_step();
}

struct other {
	int ctx;
	pthread_barrier_t done;
};

/* A thread with a context of its own, until the barrier. */
static void *other_thread(void *arg)
{
	struct other *o = arg;

	toe_accept(listener, NULL, NULL); /* finds nothing, but needs a context */
	toe_store(&o->ctx, my_ctx());
	pthread_barrier_wait(&o->done);
	return NULL;
}

/* Another context is alive: what is hinted at it is left to it, for a while. */
static void accept__hints(void)
{
	struct other o = { 0 };
	int mine = my_ctx(), fd;
	uint32_t a, b;
	pthread_t t;

	pthread_barrier_init(&o.done, NULL, 2);
	pthread_create(&t, NULL, other_thread, &o);
	for (int i = 0; i < 1000 && !toe_load(&o.ctx); i++)
		usleep(1000);
	CU_ASSERT_NOT_EQUAL(toe_load(&o.ctx), mine);
	a = fake_incoming((unsigned)toe_load(&o.ctx));
	CU_ASSERT_EQUAL(try_accept(), -1); /* not for us */
	b = fake_incoming((unsigned)mine);
	fd = try_accept();
	CU_ASSERT_EQUAL(flow_of_port(fd), b); /* ours first, though later */
	toe_close(fd);
	CU_ASSERT_EQUAL(try_accept(), -1);
	usleep(3000);
	fd = try_accept();
	CU_ASSERT_EQUAL(flow_of_port(fd), a); /* left lying: anybody's */
	toe_close(fd);

	a = fake_incoming((unsigned)toe_load(&o.ctx));
	CU_ASSERT_EQUAL(try_accept(), -1);
	pthread_mutex_lock(&fake.lock);
	fake_push((unsigned)mine,
		  (struct toe_cmd){ .type = TOE_HW_LISTEN_ESTABLISHED, .pos = TOE_HINT_ANY });
	pthread_mutex_unlock(&fake.lock);
	fd = try_accept();
	CU_ASSERT_EQUAL(flow_of_port(fd), a);
	toe_close(fd);
	CU_ASSERT_EQUAL(try_accept(), -1);

	a = fake_incoming((unsigned)toe_load(&o.ctx));
	fake_start(); /* a thread that ends wants its commands taken */
	pthread_barrier_wait(&o.done);
	pthread_join(t, NULL);
	fake_stop();
	fd = try_accept(); /* its context is gone */
	CU_ASSERT_EQUAL(flow_of_port(fd), a);
	toe_close(fd);
	fake_step();
}

/* A connection that ended and whose id lives again: the entry is of the earlier life. */
static void accept__skips_earlier_lives(void)
{
	uint32_t a = fake_incoming(0xff), b = fake_incoming(0xff);
	int fd;

	fake_block(a)->dev.gen++;
	fd = try_accept();
	CU_ASSERT_EQUAL(flow_of_port(fd), b);
	CU_ASSERT_EQUAL(try_accept(), -1);
	fake.flow[a].live = false;
	toe_close(fd);
	fake_step();
}

static void accept__inherits_options(void)
{
	struct timeval tv = { .tv_sec = 3 }, got;
	socklen_t len = sizeof(got);
	int one = 1, fd;
	uint32_t flow;

	toe_setsockopt(listener, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
	toe_setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	flow = fake_incoming(0xff);
	fd = try_accept();
	CU_ASSERT(fake.flow[flow].born.flags & TOE_SO_NODELAY);
	CU_ASSERT_EQUAL(toe_getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &len), 0);
	CU_ASSERT_EQUAL(got.tv_sec, 3);
	toe_close(fd);
	fake_step();
}

static void accept__kernel_half(void)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	int c = socket(AF_INET, SOCK_STREAM, 0), fd;
	char b[4];

	toe_getsockname(listener, (struct sockaddr *)&sa, &len);
	CU_ASSERT_EQUAL(connect(c, (struct sockaddr *)&sa, sizeof(sa)), 0);
	fd = toe_accept(listener, NULL, NULL);
	CU_ASSERT(fd >= 0);
	CU_ASSERT_EQUAL(toe_send(fd, "abcd", 4, 0), 4);
	CU_ASSERT_EQUAL(recv(c, b, 4, 0), 4);
	toe_close(fd);
	close(c);
}

/* No descriptor left: the connection stays in the queue. */
static void accept__out_of_descriptors(void)
{
	struct rlimit old, low;
	uint32_t flow = fake_incoming(0xff);
	int spare = dup(0), fd;

	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)spare;
	close(spare);
	setrlimit(RLIMIT_NOFILE, &low);
	CU_ASSERT_EQUAL(try_accept(), -1);
	CU_ASSERT_EQUAL(errno, EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
	fd = try_accept();
	CU_ASSERT_EQUAL(flow_of_port(fd), flow);
	toe_close(fd);
	fake_step();
}

enum { TAKERS = 4, ROUNDS = 3000 };

static unsigned taken, claimed_twice;
static uint8_t busy[FAKE_FLOWS];

static void *taker(void *arg)
{
	for (;;) {
		int fd = toe_accept(listener, NULL, NULL);
		uint32_t flow;

		if (fd < 0)
			return NULL;
		flow = flow_of_port(fd);
		if (flow >= FAKE_FLOWS || __atomic_exchange_n(&busy[flow], 1, __ATOMIC_ACQ_REL))
			__atomic_fetch_add(&claimed_twice, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&busy[flow], 0, __ATOMIC_RELEASE);
		toe_close(fd);
		if (__atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED) > ROUNDS - TAKERS)
			return NULL;
	}
}

/*
 * Blocking accept in several threads: every connection goes to exactly one, none is left, nobody
 * hangs.
 */
static void accept__threads(void)
{
	struct toe_listener *l = toe_arena_listener(fake.arena, 0);
	pthread_t t[TAKERS];
	int zero = 0;

	fake_start();
	toe_ioctl(listener, FIONBIO, &zero);
	for (int i = 0; i < TAKERS; i++)
		pthread_create(&t[i], NULL, taker, NULL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t waiters;

		while (fake_live() > FAKE_FLOWS - 8)
			usleep(50);
		waiters = toe_load(&l->waiters);
		/* Spread as the firmware does: the next of those that wait. */
		fake_incoming(waiters ? (unsigned)__builtin_ctzll(waiters) : 0xff);
		if (i % 64 == 0)
			usleep(500);
	}
	for (int i = 0; i < TAKERS; i++)
		pthread_join(t[i], NULL);
	fake_stop();
	CU_ASSERT_EQUAL(taken, ROUNDS);
	CU_ASSERT_EQUAL(claimed_twice, 0);
	CU_ASSERT_EQUAL(l->fpc[0].db.tail, l->fpc[0].db.head);
	CU_ASSERT_EQUAL(l->waiters, 0);
}

static void close__ends_listening(void)
{
	unsigned before = toe_load(&fake.unlistened);

	toe_close(listener);
	CU_ASSERT_EQUAL(toe_load(&fake.unlistened), before + 1);
	CU_ASSERT_EQUAL(toe_arena_listener(fake.arena, 0)->holders, 0);
}

FAKE_MAIN("libtoe_accept", T(accept__in_order_with_addresses), T(info__of_a_listener),
	  T(accept__hints), T(accept__skips_earlier_lives), T(accept__inherits_options),
	  T(accept__kernel_half), T(accept__out_of_descriptors), T(accept__threads),
	  T(close__ends_listening))
