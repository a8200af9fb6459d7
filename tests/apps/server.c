/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server for tests, on either API: server PORT [WORKERS [ADDR]]. ADDR "::" takes IPv4 as well,
 * "::only" does not; link-local addresses have a scope (fe80::1%eth0).
 *
 * One epoll loop per worker process, forked after listen. A connection begins with a line that says
 * what it wants:
 *
 *	E	echo until the end of the stream
 *	G n	send n bytes of the pattern, then FIN; swallow what comes until the peer's FIN
 *	P	receive pattern until FIN, answer "COUNT FIRST-WRONG-POSITION\n", close
 *	R	reset (SO_LINGER 0)
 *	C	close at once
 *	W	answer "PID\n", close
 *	N	answer "LOCAL PORT PEER PORT\n" as its socket says, close
 *	S	answer "BYTES\n": what G connections have swallowed, close
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/bench/toe_or_kernel.h"
#include "names.h"
#include "pattern.h"

enum { MAX_FD = 20000, CHUNK = 65536, ECHO_BUF = 16384 };

struct conn {
	int fd;
	char mode; /* 0: the line is not complete yet */
	bool eof, tx_done;
	char line[32];
	unsigned nline;
	uint64_t want; /* G: bytes to send */
	uint64_t sent, rcvd;
	int64_t bad; /* P: first wrong position */
	char *out; /* bytes to send (E and answers) */
	unsigned nout, outpos;
};

static struct conn *conns[MAX_FD];
static uint64_t swallowed;
static int ep;

static void drop(struct conn *c)
{
	conns[c->fd] = NULL;
	close(c->fd);
	free(c->out);
	free(c);
}

static void reset(struct conn *c)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	drop(c);
}

static void answer(struct conn *c, const char *fmt, long long a, long long b)
{
	c->nout = (unsigned)snprintf(c->out, ECHO_BUF, fmt, a, b);
	c->outpos = 0;
}

/* The command line is complete. False: the connection has gone. */
static bool begin(struct conn *c)
{
	c->mode = c->line[0];
	c->bad = -1;
	switch (c->mode) {
	case 'G':
		c->want = strtoull(c->line + 1, NULL, 10);
		break;
	case 'W':
		answer(c, "%lld\n", getpid(), 0);
		break;
	case 'N':
		names_of(c->fd, c->out, ECHO_BUF - 1);
		c->nout = (unsigned)strlen(strcat(c->out, "\n"));
		break;
	case 'S':
		answer(c, "%lld\n", (long long)swallowed, 0);
		break;
	case 'R':
		reset(c);
		return false;
	case 'E':
	case 'P':
		break;
	default:
		drop(c);
		return false;
	}
	return true;
}

static void take(struct conn *c, const uint8_t *p, size_t n)
{
	if (c->mode == 'P' && c->bad < 0)
		c->bad = pattern_check(p, c->rcvd, n);
	if (c->mode == 'G')
		swallowed += n;
	if (c->mode == 'E') {
		memcpy(c->out, p, n);
		c->nout = (unsigned)n;
		c->outpos = 0;
	}
	c->rcvd += n;
}

/*
 * Read the command, byte by byte; then whatever the mode lets in. False: gone, or nothing more to
 * read now.
 */
static bool pull(struct conn *c)
{
	static uint8_t buf[CHUNK];
	ssize_t n;

	if (c->eof || c->nout != c->outpos)
		return false;
	n = recv(c->fd, buf, !c->mode ? 1 : c->mode == 'E' ? ECHO_BUF : CHUNK, 0);
	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0 || (!n && !c->mode)) {
		drop(c);
		return false;
	}
	if (!n) {
		c->eof = true;
		if (c->mode == 'P')
			answer(c, "%lld %lld\n", (long long)c->rcvd, (long long)c->bad);
	} else if (c->mode) {
		take(c, buf, (size_t)n);
	} else if (buf[0] == '\n') {
		return begin(c);
	} else if (c->nline < sizeof(c->line) - 1) {
		c->line[c->nline++] = (char)buf[0];
	}
	return true;
}

/* Send what there is. False: gone, or nothing more to send now. */
static bool push(struct conn *c)
{
	const void *p = c->out + c->outpos;
	size_t left = c->nout - c->outpos;
	ssize_t n;

	if (c->mode == 'G') {
		p = pattern_at(c->sent);
		left = c->want - c->sent < CHUNK ? c->want - c->sent : CHUNK;
	}
	if (!left)
		return false;
	n = send(c->fd, p, left, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (n < 0) {
		drop(c);
		return false;
	}
	c->sent += (uint64_t)n;
	if (c->mode != 'G')
		c->outpos += (unsigned)n;
	return true;
}

/* Nothing left to send: FIN or close, by mode. */
static void finish(struct conn *c)
{
	bool sent = c->mode == 'G' ? c->sent == c->want : c->nout == c->outpos;

	if (!c->mode || !sent)
		return;
	if (c->mode == 'W' || c->mode == 'N' || c->mode == 'S' || c->eof)
		drop(c);
	else if (c->mode == 'G' && !c->tx_done) {
		shutdown(c->fd, SHUT_WR);
		c->tx_done = true;
	}
}

static void serve(struct conn *c)
{
	int fd = c->fd;

	while (conns[fd] == c && (pull(c) || (conns[fd] == c && push(c))))
		;
	if (conns[fd] == c)
		finish(c);
}

static void take_connections(int l)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	int fd;

	while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct conn *c = fd < MAX_FD ? calloc(1, sizeof(*c)) : NULL;

		if (!c || !(c->out = malloc(ECHO_BUF))) {
			free(c);
			close(fd);
			continue;
		}
		c->fd = fd;
		conns[fd] = c;
		ev.data.fd = fd;
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	}
}

static void loop(int l)
{
	struct epoll_event ev[256], lev = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = l };

	ep = epoll_create1(0);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, l, &lev)) {
		perror("epoll_ctl");
		exit(1);
	}
	for (;;) {
		int n = epoll_wait(ep, ev, 256, -1);

		for (int i = 0; i < n; i++)
			if (ev[i].data.fd == l)
				take_connections(l);
			else if (conns[ev[i].data.fd])
				serve(conns[ev[i].data.fd]);
	}
}

static int listener(const char *port, const char *addr)
{
	struct addrinfo hint = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
				 .ai_socktype = SOCK_STREAM },
			*a;
	int only = !strcmp(addr, "::only"), one = 1, fast = 16, fd;

	if (getaddrinfo(only ? "::" : addr, port, &hint, &a)) {
		fprintf(stderr, "bad address %s\n", addr);
		exit(2);
	}
	fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &fast, sizeof(fast));
	if (fd < 0 || bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, 4096)) {
		perror("listen");
		exit(1);
	}
	freeaddrinfo(a);
	return fd;
}

int main(int argc, char **argv)
{
	int l, workers = argc > 2 ? atoi(argv[2]) : 0;

	if (argc < 2) {
		fprintf(stderr, "usage: server PORT [WORKERS [ADDR]]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	pattern_init();
	l = listener(argv[1], argc > 3 ? argv[3] : "0.0.0.0");
	for (int i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			loop(l);
		}
		printf("worker %d\n", pid);
	}
	printf("ready\n");
	if (!workers)
		loop(l);
	for (;;) /* a worker that dies is not replaced: tests look at those that live */
		pause();
}
