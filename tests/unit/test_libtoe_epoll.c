/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manager/epoll_ctl.c, epoll_wait.c, poll.c: the same scripts run on a kernel TCP connection over
 * loopback with the kernel's epoll, and on a TOE connection with libtoe's. Events and errors must
 * be the same.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>

#include "fake_toe.h"

/* One side of the comparison: the calls, a connection, and its far end. */
struct side {
	bool toe;
	int ep, fd;
	int peer; /* kernel: the far end's descriptor */
	uint32_t flow; /* TOE: the flow */
};

enum { PEER_ROOM = 1 << 20 };

static void side_kernel(struct side *s)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	bind(l, (struct sockaddr *)&sa, sizeof(sa));
	listen(l, 1);
	getsockname(l, (struct sockaddr *)&sa, &len);
	s->peer = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(s->peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(s->peer, (struct sockaddr *)&sa, sizeof(sa)))
		abort();
	s->fd = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	s->ep = epoll_create1(0);
	close(l);
}

static void side_toe(struct side *s)
{
	s->toe = true;
	s->fd = fake_pair(&s->flow, SOCK_NONBLOCK);
	s->ep = toe_epoll_create1(0);
}

static void side_end(struct side *s)
{
	if (s->toe) {
		toe_close(s->fd);
		toe_close(s->ep);
		fake_step();
	} else {
		close(s->fd);
		close(s->peer);
		close(s->ep);
	}
}

static int ctl(struct side *s, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = 0x1234567890ull };
	int r = s->toe ? toe_epoll_ctl(s->ep, op, s->fd, &ev) : epoll_ctl(s->ep, op, s->fd, &ev);

	return r ? -errno : 0;
}

/* The events of the one descriptor; 0 = none; -errno; -1000: not one event or wrong data. */
static int wait_one(struct side *s)
{
	struct epoll_event ev[4];
	int n;

	if (s->toe) {
		fake_step();
		n = toe_epoll_wait(s->ep, ev, 4, 0);
	} else {
		n = epoll_wait(s->ep, ev, 4, 15);
	}
	if (n < 0)
		return -errno;
	if (n > 1 || (n == 1 && ev[0].data.u64 != 0x1234567890ull))
		return -1000;
	return n ? (int)ev[0].events : 0;
}

static void peer_send(struct side *s)
{
	if (s->toe)
		fake_peer_send(s->flow, "0123456789", 10);
	else if (send(s->peer, "0123456789", 10, 0) != 10)
		abort();
}

static void peer_fin(struct side *s)
{
	if (s->toe)
		fake_peer_fin(s->flow);
	else
		shutdown(s->peer, SHUT_WR);
}

static void peer_rst(struct side *s)
{
	struct linger l = { 1, 0 };

	if (s->toe) {
		fake_peer_rst(s->flow, ECONNRESET);
		return;
	}
	setsockopt(s->peer, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(s->peer);
	s->peer = -1;
}

static void peer_drain(struct side *s)
{
	static char buf[PEER_ROOM];

	if (s->toe) {
		toe_store(&fake.keep, false);
		fake_ack(s->flow);
		return;
	}
	for (int i = 0; i < 20; i++, usleep(1000))
		while (recv(s->peer, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
}

static void fill_up(struct side *s)
{
	static char buf[65536];

	if (s->toe)
		toe_store(&fake.keep, true);
	for (int i = 0; i < 3;
	     i++, s->toe ? 0 : usleep(2000)) /* until loopback has moved what it can */
		while ((s->toe ? toe_send(s->fd, buf, sizeof(buf), 0)
			       : send(s->fd, buf, sizeof(buf), 0)) > 0)
			;
}

static int read_some(struct side *s, size_t n)
{
	static char buf[PEER_ROOM];
	ssize_t r = s->toe ? toe_recv(s->fd, buf, n, 0) : recv(s->fd, buf, n, 0);

	return r < 0 ? -errno : (int)r;
}

static int so_error(struct side *s)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return (s->toe ? toe_getsockopt : getsockopt)(s->fd, SOL_SOCKET, SO_ERROR, &v, &len)
		   ? -errno
		   : v;
}

/* A step of a script: a letter, and events for A(dd) and M(od). */
struct step {
	char what;
	uint32_t events;
};

static int run_step(struct side *s, const struct step *t)
{
	switch (t->what) {
	case 'A':
		return ctl(s, EPOLL_CTL_ADD, t->events);
	case 'M':
		return ctl(s, EPOLL_CTL_MOD, t->events);
	case 'D':
		return ctl(s, EPOLL_CTL_DEL, 0);
	case 'X':
		return ctl(s, 99, 0);
	case 'W':
		return wait_one(s);
	case 's':
		peer_send(s);
		return 0;
	case 'f':
		peer_fin(s);
		return 0;
	case 'x':
		peer_rst(s);
		return 0;
	case 'd':
		peer_drain(s);
		return 0;
	case 'F':
		fill_up(s);
		return 0;
	case 'r':
		return read_some(s, 4);
	case 'R':
		return read_some(s, PEER_ROOM);
	case 'e':
		return so_error(s);
	case 'h':
		return (s->toe ? toe_shutdown : shutdown)(s->fd, SHUT_WR);
	case 'H':
		return (s->toe ? toe_shutdown : shutdown)(s->fd, SHUT_RD);
	default:
		abort();
	}
}

#define IN EPOLLIN
#define OUT EPOLLOUT
#define ET EPOLLET
#define ONE EPOLLONESHOT
#define RDHUP EPOLLRDHUP
#define EXCL EPOLLEXCLUSIVE

static const struct {
	const char *name;
	struct step step[20];
} scripts[] = {
	{ "level: in until read",
	  { { 'A', IN },
	    { 'W', 0 },
	    { 's', 0 },
	    { 'W', 0 },
	    { 'W', 0 },
	    { 'r', 0 },
	    { 'W', 0 },
	    { 'R', 0 },
	    { 'W', 0 } } },
	{ "level: data before add",
	  { { 's', 0 }, { 'A', IN }, { 'W', 0 }, { 'R', 0 }, { 'W', 0 } } },
	{ "level: out always",
	  { { 'A', IN | OUT },
	    { 'W', 0 },
	    { 'W', 0 },
	    { 's', 0 },
	    { 'W', 0 },
	    { 'R', 0 },
	    { 'W', 0 } } },
	{ "edge: once a segment",
	  { { 'A', IN | ET },
	    { 'W', 0 },
	    { 's', 0 },
	    { 'W', 0 },
	    { 'W', 0 },
	    { 's', 0 },
	    { 'W', 0 },
	    { 'W', 0 },
	    { 'R', 0 },
	    { 'W', 0 } } },
	{ "edge: data before add", { { 's', 0 }, { 'A', IN | ET }, { 'W', 0 }, { 'W', 0 } } },
	{ "edge: both",
	  { { 'A', IN | OUT | RDHUP | ET },
	    { 'W', 0 },
	    { 'W', 0 },
	    { 's', 0 },
	    { 'W', 0 },
	    { 'W', 0 } } },
	{ "edge: mod tells again",
	  { { 'A', IN | ET },
	    { 's', 0 },
	    { 'W', 0 },
	    { 'W', 0 },
	    { 'M', IN | ET },
	    { 'W', 0 },
	    { 'W', 0 } } },
	{ "edge: only out is not told of data",
	  { { 'A', OUT | ET }, { 'W', 0 }, { 's', 0 }, { 'W', 0 } } },
	{ "one-shot",
	  { { 'A', IN | ONE },
	    { 's', 0 },
	    { 'W', 0 },
	    { 's', 0 },
	    { 'W', 0 },
	    { 'M', IN | ONE },
	    { 'W', 0 },
	    { 'W', 0 } } },
	{ "one-shot hides errors too",
	  { { 'A', IN | ONE },
	    { 's', 0 },
	    { 'W', 0 },
	    { 'x', 0 },
	    { 'W', 0 },
	    { 'M', IN | ONE },
	    { 'W', 0 } } },
	{ "mod to less and more",
	  { { 'A', IN },
	    { 's', 0 },
	    { 'M', 0 },
	    { 'W', 0 },
	    { 'M', OUT },
	    { 'W', 0 },
	    { 'M', IN },
	    { 'W', 0 } } },
	{ "del", { { 'A', IN }, { 's', 0 }, { 'D', 0 }, { 'W', 0 }, { 'A', IN }, { 'W', 0 } } },
	{ "fin",
	  { { 'A', IN | RDHUP }, { 'f', 0 }, { 'W', 0 }, { 'W', 0 }, { 'R', 0 }, { 'W', 0 } } },
	{ "fin without rdhup",
	  { { 'A', IN }, { 's', 0 }, { 'f', 0 }, { 'W', 0 }, { 'R', 0 }, { 'W', 0 } } },
	{ "fin, edge",
	  { { 'A', IN | RDHUP | ET },
	    { 's', 0 },
	    { 'W', 0 },
	    { 'f', 0 },
	    { 'W', 0 },
	    { 'W', 0 } } },
	{ "only rdhup", { { 'A', RDHUP }, { 's', 0 }, { 'W', 0 }, { 'f', 0 }, { 'W', 0 } } },
	{ "both ways shut is hup",
	  { { 'A', IN | OUT | RDHUP },
	    { 'f', 0 },
	    { 'h', 0 },
	    { 'W', 0 },
	    { 'R', 0 },
	    { 'W', 0 } } },
	{ "hup unasked", { { 'A', 0 }, { 'f', 0 }, { 'W', 0 }, { 'h', 0 }, { 'W', 0 } } },
	{ "own shutdown", { { 'A', IN | OUT }, { 'h', 0 }, { 'W', 0 } } },
	{ "own shutdown of reading", { { 'A', IN | RDHUP }, { 'H', 0 }, { 'W', 0 }, { 'R', 0 } } },
	{ "reset",
	  { { 'A', IN | OUT | RDHUP },
	    { 'x', 0 },
	    { 'W', 0 },
	    { 'R', 0 },
	    { 'W', 0 },
	    { 'R', 0 } } },
	{ "reset unasked",
	  { { 'A', 0 }, { 'x', 0 }, { 'W', 0 }, { 'e', 0 }, { 'W', 0 }, { 'e', 0 } } },
	{ "reset with data",
	  { { 'A', IN }, { 's', 0 }, { 'x', 0 }, { 'W', 0 }, { 'e', 0 }, { 'W', 0 } } },
	{ "full buffer", { { 'A', OUT }, { 'F', 0 }, { 'W', 0 }, { 'd', 0 }, { 'W', 0 } } },
	{ "full buffer, edge",
	  { { 'A', OUT | ET },
	    { 'W', 0 },
	    { 'F', 0 },
	    { 'W', 0 },
	    { 'd', 0 },
	    { 'W', 0 },
	    { 'W', 0 } } },
	{ "full buffer before add",
	  { { 'F', 0 }, { 'A', IN | OUT }, { 'W', 0 }, { 'd', 0 }, { 'W', 0 } } },
	{ "full buffer before mod",
	  { { 'A', IN }, { 'F', 0 }, { 'M', OUT | ET }, { 'W', 0 }, { 'd', 0 }, { 'W', 0 } } },
	{ "exclusive",
	  { { 'A', IN | EXCL },
	    { 's', 0 },
	    { 'W', 0 },
	    { 'M', IN },
	    { 'M', IN | EXCL },
	    { 'W', 0 } } },
	{ "exclusive by mod of what is absent", { { 'M', IN | EXCL } } },
	{ "exclusive with one-shot", { { 'A', IN | EXCL | ONE }, { 'A', IN | EXCL | RDHUP } } },
	{ "add twice, absent, unknown",
	  { { 'M', IN },
	    { 'D', 0 },
	    { 'A', IN },
	    { 'A', IN },
	    { 'X', 0 },
	    { 'D', 0 },
	    { 'D', 0 },
	    { 'M', IN } } },
};

static void epoll__as_the_kernel(void)
{
	for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct side k = { 0 }, t = { 0 };

		side_kernel(&k);
		side_toe(&t);
		for (unsigned j = 0; scripts[i].step[j].what; j++) {
			const struct step *st = &scripts[i].step[j];
			int want = run_step(&k, st), got = run_step(&t, st);

			if (got != want)
				printf("  %s: step %u (%c %x): kernel %d (%#x), libtoe %d (%#x)\n",
				       scripts[i].name, j + 1, st->what, st->events, want, want,
				       got, got);
			CU_ASSERT_EQUAL(got, want);
		}
		side_end(&k);
		side_end(&t);
		toe_store(&fake.keep, false);
	}
}

static int err(int r)
{
	return r < 0 ? errno : 0;
}

static void epoll_ctl__errors(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK), ep = toe_epoll_create1(0),
	    ep2 = toe_epoll_create1(EPOLL_CLOEXEC);
	int file = memfd_create("file", 0);

	CU_ASSERT_EQUAL(err(toe_epoll_ctl(ep, EPOLL_CTL_ADD, 9999, &ev)), EBADF);
	CU_ASSERT_EQUAL(err(toe_epoll_ctl(9999, EPOLL_CTL_ADD, file, &ev)), EBADF);
	CU_ASSERT_EQUAL(err(toe_epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev)), EINVAL);
	CU_ASSERT_EQUAL(err(toe_epoll_ctl(9999, EPOLL_CTL_ADD, fd, &ev)), EBADF);
	CU_ASSERT_EQUAL(err(toe_epoll_ctl(file, EPOLL_CTL_ADD, fd, &ev)), EINVAL);
	CU_ASSERT_EQUAL(err(toe_epoll_ctl(fd, EPOLL_CTL_ADD, ep, &ev)), EINVAL);
	CU_ASSERT_EQUAL(err(toe_epoll_ctl(ep, EPOLL_CTL_ADD, file, &ev)), EPERM);
	CU_ASSERT_EQUAL(err(toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, NULL)), EFAULT);
	CU_ASSERT_EQUAL(err(toe_epoll_ctl(ep, EPOLL_CTL_ADD, ep2, &ev)), 0);
	CU_ASSERT_EQUAL(err(toe_epoll_ctl(ep2, EPOLL_CTL_ADD, ep, &ev)), ELOOP);
	CU_ASSERT_EQUAL(err(toe_epoll_wait(ep, &ev, 0, 0)), EINVAL);
	CU_ASSERT_EQUAL(err(toe_epoll_wait(fd, &ev, 1, 0)), EINVAL);
	CU_ASSERT_EQUAL(err(toe_epoll_wait(9999, &ev, 1, 0)), EBADF);
	close(file);
	toe_close(fd);
	toe_close(ep);
	toe_close(ep2);
}

/*
 * A pipe and TOE connections in one set; the pipe must not starve while connections are always
 * ready.
 */
static void epoll_wait__kernel_descriptors_too(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 1 }, got[2];
	int ep = toe_epoll_create1(0), fd, p[2];
	unsigned pipes = 0, socks = 0;
	uint32_t flow;

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	CU_ASSERT_EQUAL(pipe(p), 0);
	CU_ASSERT_EQUAL(toe_epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), 0);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, got, 2, 0), 0);
	CU_ASSERT_EQUAL(write(p[1], "x", 1), 1);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, got, 2, -1), 1);
	CU_ASSERT_EQUAL(got[0].data.u32, 1);
	ev.data.u32 = 2;
	CU_ASSERT_EQUAL(toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	fake_peer_send(flow, "abc", 3);
	for (int i = 0; i < 64; i++) {
		int n = toe_epoll_wait(ep, got, 1, -1);

		CU_ASSERT_EQUAL(n, 1);
		*(got[0].data.u32 == 1 ? &pipes : &socks) += 1;
	}
	CU_ASSERT(pipes >= 2 && socks >= 32);
	close(p[0]);
	close(p[1]);
	toe_close(fd);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, got, 2, 5), 0); /* closing took both out */
	toe_close(ep);
}

/* Many ready sockets, few places: everybody gets a turn. */
static void epoll_wait__is_fair(void)
{
	enum { N = 10 };
	struct epoll_event ev = { .events = EPOLLIN }, got[3];
	int ep = toe_epoll_create1(0), fd[N], seen[N] = { 0 };
	uint32_t flow[N];

	for (int i = 0; i < N; i++) {
		fd[i] = fake_pair(&flow[i], SOCK_NONBLOCK);
		ev.data.u32 = (uint32_t)i;
		toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &ev);
		fake_peer_send(flow[i], "x", 1);
	}
	for (int i = 0; i < N; i++) {
		int n = toe_epoll_wait(ep, got, 3, 0);

		CU_ASSERT_EQUAL(n, 3);
		for (int j = 0; j < n; j++)
			seen[got[j].data.u32]++;
	}
	for (int i = 0; i < N; i++) {
		CU_ASSERT(seen[i] == 3);
		toe_close(fd[i]);
	}
	toe_close(ep);
}

static void epoll__nests(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 7 };
	int outer = toe_epoll_create1(0), inner = toe_epoll_create1(0), fd;
	char b[8];
	uint32_t flow;

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	toe_epoll_ctl(inner, EPOLL_CTL_ADD, fd, &ev);
	toe_epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev);
	CU_ASSERT_EQUAL(toe_epoll_wait(outer, &ev, 1, 5), 0);
	fake_step();
	fake_peer_send(flow, "x", 1);
	CU_ASSERT_EQUAL(toe_epoll_wait(outer, &ev, 1, 1000), 1);
	CU_ASSERT_EQUAL(toe_epoll_wait(inner, &ev, 1, 0), 1);
	toe_recv(fd, b, sizeof(b), 0);
	CU_ASSERT_EQUAL(toe_epoll_wait(outer, &ev, 1, 0), 0);
	toe_close(inner);
	toe_close(outer);
	toe_close(fd);
}

/*
 * Nobody harvests the nested set, so what has been ready stays on its list: the outer one hears of it
 * again, and again.
 */
static void epoll__nested_news_again(void)
{
	struct epoll_event ev = { .events = EPOLLIN }, got;
	int outer = toe_epoll_create1(0), inner = toe_epoll_create1(0), fd;
	char b[50000] = { 0 };
	uint32_t flow;

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	toe_epoll_ctl(inner, EPOLL_CTL_ADD, fd, &ev);
	toe_epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev);
	for (int i = 0; i < 3; i++) {
		fake_peer_send(flow, "x", 1);
		CU_ASSERT_EQUAL(toe_epoll_wait(outer, &got, 1, 0), 1);
		toe_recv(fd, b, sizeof(b), 0);
		CU_ASSERT_EQUAL(toe_epoll_wait(outer, &got, 1, 0), 0);
		fake_step();
	}
	ev.events = EPOLLOUT;
	toe_epoll_ctl(inner, EPOLL_CTL_MOD, fd, &ev);
	fake.keep = true;
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(toe_epoll_wait(outer, &got, 1, 0), 1);
		CU_ASSERT_EQUAL(toe_send(fd, b, sizeof(b), 0), sizeof(b));
		CU_ASSERT_EQUAL(toe_epoll_wait(outer, &got, 1, 0), 0);
		fake_ack(flow);
	}
	fake.keep = false;
	toe_close(inner);
	toe_close(outer);
	toe_close(fd);
	fake_step();
}

/* What a nested set watches from now on, or in another way, makes the outer one ready too. */
static void epoll__nested_set_changes(void)
{
	struct epoll_event ev = { .events = EPOLLIN }, got;
	int outer = toe_epoll_create1(0), inner = toe_epoll_create1(0), fd;
	uint32_t flow;

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	toe_epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev);
	CU_ASSERT_EQUAL(toe_epoll_wait(outer, &got, 1, 0), 0);
	ev.events = EPOLLOUT;
	toe_epoll_ctl(inner, EPOLL_CTL_ADD, fd, &ev);
	CU_ASSERT_EQUAL(toe_epoll_wait(outer, &got, 1, 0), 1);
	ev.events = EPOLLIN;
	toe_epoll_ctl(inner, EPOLL_CTL_MOD, fd, &ev);
	CU_ASSERT_EQUAL(toe_epoll_wait(outer, &got, 1, 0), 0);
	ev.events = EPOLLOUT;
	toe_epoll_ctl(inner, EPOLL_CTL_MOD, fd, &ev);
	CU_ASSERT_EQUAL(toe_epoll_wait(outer, &got, 1, 0), 1);
	toe_close(inner);
	toe_close(outer);
	toe_close(fd);
}

/* Behind many that wait for room, more than are asked for at once, one that has news is found. */
static void epoll__nested_and_many_wait_for_room(void)
{
	enum { N = 40 };
	struct epoll_event ev = { .events = EPOLLOUT }, got;
	int outer = toe_epoll_create1(0), inner = toe_epoll_create1(0), fd[N + 1];
	static const char b[TOE_BUF_DEFAULT];
	uint32_t flow;

	fake.keep = true;
	for (unsigned i = 0; i < N; i++) {
		fd[i] = fake_pair(&flow, SOCK_NONBLOCK);
		toe_epoll_ctl(inner, EPOLL_CTL_ADD, fd[i], &ev);
		toe_send(fd[i], b, sizeof(b), 0);
	}
	toe_epoll_ctl(outer, EPOLL_CTL_ADD, inner, &(struct epoll_event){ .events = EPOLLIN });
	fd[N] = fake_pair(&flow, SOCK_NONBLOCK);
	toe_epoll_ctl(inner, EPOLL_CTL_ADD, fd[N], &ev);
	CU_ASSERT_EQUAL(toe_epoll_wait(outer, &got, 1, 0), 1);
	fake.keep = false;
	for (unsigned i = 0; i <= N; i++)
		toe_close(fd[i]);
	toe_close(inner);
	toe_close(outer);
	fake_step();
}

/* The windows are open up to `open`; the FPC tells who has asked. */
static void open_windows(uint32_t flow, uint32_t open)
{
	toe_store(&fake_block(flow)->dev.tx_open, open);
	fake.flow[flow].want = false;
	fake_notify(flow, TOE_HW_SEND_COMPLETE, false);
}

/* TCP_NOTSENT_LOWAT: what the FPC has told is not so any more when the application looks. */
static void epoll__room_that_is_gone_again(void)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET }, got;
	int ep = toe_epoll_create1(0), mark = 1000, fd;
	static const char b[TOE_BUF_DEFAULT];
	struct toe_flow_dev *d;
	uint32_t flow;

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	d = &fake_block(flow)->dev;
	fake.keep = true;
	toe_setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &mark, sizeof(mark));
	toe_store(&d->tx_open, 0);
	toe_store(&d->tx_burst, 10000);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 1);
	CU_ASSERT_EQUAL(toe_send(fd, b, sizeof(b), 0), 10000);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 0);
	fake_step();
	CU_ASSERT_TRUE(fake.flow[flow].want);
	open_windows(flow, 10000);
	toe_store(&d->tx_open, 9000);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 0);
	fake_step();
	CU_ASSERT_TRUE(fake.flow[flow].want);
	open_windows(flow, 10000);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 1);
	CU_ASSERT_EQUAL(got.events, EPOLLOUT);
	fake.keep = false;
	toe_store(&d->tx_burst, 0);
	toe_close(fd);
	toe_close(ep);
	fake_step();
}

/* A duplicate that was added and closed is watched on; its number is another's, which stays, too. */
static void epoll__number_of_a_closed_duplicate(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int outer = toe_epoll_create1(0), a = toe_epoll_create1(0), b;

	b = toe_fcntl(a, F_DUPFD_CLOEXEC, 0);
	CU_ASSERT_EQUAL(toe_epoll_ctl(outer, EPOLL_CTL_ADD, b, &ev), 0);
	toe_close(b);
	CU_ASSERT_EQUAL_FATAL(toe_epoll_create1(0), b);
	CU_ASSERT_EQUAL(toe_epoll_ctl(outer, EPOLL_CTL_ADD, b, &ev), 0);
	toe_close(a);
	CU_ASSERT_EQUAL(toe_epoll_ctl(b, EPOLL_CTL_ADD, outer, &ev),
			-1); /* it would be in itself */
	CU_ASSERT_EQUAL(errno, ELOOP);
	toe_close(b);
	toe_close(outer);
}

/* What a child takes out of the kernel's sets, which are its own as well, is still in ours. */
static void epoll__nests_and_forks(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep[6], status;
	pid_t pid;

	for (int i = 0; i < 6; i++)
		ep[i] = toe_epoll_create1(0);
	for (int i = 1; i < 5; i++)
		CU_ASSERT_EQUAL(toe_epoll_ctl(ep[i], EPOLL_CTL_ADD, ep[i - 1], &ev), 0);
	pid = fork();
	if (!pid)
		_exit(toe_epoll_ctl(ep[2], EPOLL_CTL_DEL, ep[1], NULL) ? 1 : 0);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (int i = 0; i < 6; i += 5) { /* in itself; too deep */
		CU_ASSERT_EQUAL(toe_epoll_ctl(ep[i], EPOLL_CTL_ADD, ep[4], &ev), -1);
		CU_ASSERT_EQUAL(errno, ELOOP);
	}
	for (int i = 0; i < 6; i++)
		toe_close(ep[i]);
}

/*
 * A child closes its copies of a set, of a listener and of a set in the set: in ours the listener is
 * heard of as before, and so is the inner set.
 */
static void closed_by_a_child(bool set)
{
	struct epoll_event ev[2] = { { .events = EPOLLIN } };
	int ep = toe_epoll_create1(0), inner = toe_epoll_create1(0), l = fake_listener();
	int k = socket(AF_INET, SOCK_STREAM, 0), p[2], status;
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, l, ev);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, inner, ev);
	toe_epoll_ctl(inner, EPOLL_CTL_ADD, p[0], ev);
	pid = fork();
	if (!pid)
		_exit(set ? toe_close(ep) : toe_close(l) || toe_close(inner));
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	toe_getsockname(l, (struct sockaddr *)&sa, &len);
	CU_ASSERT_EQUAL(connect(k, (struct sockaddr *)&sa, sizeof(sa)), 0);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, ev, 1, 1000), 1);
	CU_ASSERT_EQUAL(write(p[1], "x", 1), 1);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, ev, 2, 1000), 2);
	close(k);
	close(p[0]);
	close(p[1]);
	toe_close(l);
	toe_close(inner);
	toe_close(ep);
}

static void epoll__closed_by_a_child(void)
{
	closed_by_a_child(true);
	closed_by_a_child(false);
}

static void epoll__two_sets_and_dups(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u32 = 1 };
	int a = toe_epoll_create1(0), b = toe_epoll_create1(0), fd, copy;
	uint32_t flow;

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	copy = toe_fcntl(fd, F_DUPFD, 0);
	CU_ASSERT(copy > fd);
	toe_epoll_ctl(a, EPOLL_CTL_ADD, fd, &ev);
	toe_epoll_ctl(b, EPOLL_CTL_ADD, fd, &ev);
	ev.data.u32 = 2;
	CU_ASSERT_EQUAL(toe_epoll_ctl(b, EPOLL_CTL_ADD, copy, &ev), 0);
	fake_peer_send(flow, "x", 1);
	CU_ASSERT_EQUAL(toe_epoll_wait(a, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(toe_epoll_wait(b, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(toe_epoll_wait(b, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(toe_epoll_wait(b, &ev, 1, 0), 0);
	toe_close(fd);
	fake_step();
	CU_ASSERT(fake.flow[flow].live); /* the copy is left */
	toe_close(copy);
	fake_step();
	CU_ASSERT(fake.flow[flow].closed);
	toe_close(a);
	toe_close(b);
}

static void epoll_wait__timeout(void)
{
	struct timespec a, b;
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = toe_epoll_create1(0), fd;
	uint32_t flow;
	long ms;

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	clock_gettime(CLOCK_MONOTONIC, &a);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 50), 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
	CU_ASSERT(ms >= 49 && ms < 10000);
	toe_close(fd);
	toe_close(ep);
}

FAKE_MAIN("libtoe_epoll", T(epoll__as_the_kernel), T(epoll_ctl__errors),
	  T(epoll_wait__kernel_descriptors_too), T(epoll_wait__is_fair), T(epoll__nests),
	  T(epoll__nested_news_again), T(epoll__nested_set_changes),
	  T(epoll__nested_and_many_wait_for_room), T(epoll__room_that_is_gone_again),
	  T(epoll__number_of_a_closed_duplicate), T(epoll__nests_and_forks),
	  T(epoll__closed_by_a_child), T(epoll__two_sets_and_dups), T(epoll_wait__timeout))
