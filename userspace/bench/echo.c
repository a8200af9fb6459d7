/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The benchmark's server: sends back what it gets. One thread, one epoll set, on either socket API.
 * Serves until SIGTERM or SIGINT, then prints what it served and the CPU time of its thread for
 * each request.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "toe_or_kernel.h"

enum { MAX_EVENTS = 256, CHUNK = 16384, BACKLOG = 4096 };

/*
 * A connection. What could not be sent yet waits in `held`; meanwhile nothing more is read from it.
 */
struct conn {
	int fd;
	uint32_t off, len; /* of held */
	char *held;
};

static volatile sig_atomic_t stop;
static uint64_t requests, bytes, accepted;
static uint32_t edge; /* EPOLLET or 0 */
static char buf[CHUNK];

static void on_signal(int sig)
{
	stop = 1;
}

static void watch(int ep, int op, struct conn *c, uint32_t events)
{
	struct epoll_event ev = { .events = events | edge, .data.ptr = c };

	if (epoll_ctl(ep, op, c->fd, &ev) < 0)
		perror("epoll_ctl");
}

static void end(struct conn *c)
{
	close(c->fd);
	free(c->held);
	free(c);
}

static void take_connections(int ep, int listener)
{
	int one = 1, fd;
	struct conn *c;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		c = calloc(1, sizeof(*c));
		if (!c) {
			close(fd);
			return;
		}
		c->fd = fd;
		accepted++;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		watch(ep, EPOLL_CTL_ADD, c, EPOLLIN);
	}
}

/* Keep what the socket did not take. False: no memory. */
static bool hold(int ep, struct conn *c, const char *data, size_t n)
{
	c->held = malloc(n);
	if (!c->held)
		return false;
	memcpy(c->held, data, n);
	c->off = 0;
	c->len = (uint32_t)n;
	watch(ep, EPOLL_CTL_MOD, c, EPOLLOUT);
	return true;
}

/* True: nothing is held any more. False with errno EAGAIN: later; else: the connection is over. */
static bool send_held(int ep, struct conn *c)
{
	while (c->off < c->len) {
		ssize_t n = send(c->fd, c->held + c->off, c->len - c->off, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		c->off += (uint32_t)n;
	}
	free(c->held);
	c->held = NULL;
	c->off = c->len = 0;
	watch(ep, EPOLL_CTL_MOD, c, EPOLLIN);
	return true;
}

/* False: the connection is over. */
static bool serve(int ep, struct conn *c)
{
	ssize_t n, sent;

	if (c->len && !send_held(ep, c))
		return errno == EAGAIN;
	do {
		n = recv(c->fd, buf, sizeof(buf), 0);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		requests++;
		bytes += (uint64_t)n;
		sent = send(c->fd, buf, (size_t)n, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN)
			return false;
		if (sent < n)
			return hold(ep, c, buf + (sent < 0 ? 0 : sent),
				    (size_t)(n - (sent < 0 ? 0 : sent)));
	} while (edge);
	return true;
}

static void run(int ep, int listener)
{
	struct epoll_event ev[MAX_EVENTS];

	while (!stop) {
		int n = epoll_wait(ep, ev, MAX_EVENTS, -1);

		if (n < 0 && errno != EINTR) {
			perror("epoll_wait");
			return;
		}
		for (int i = 0; i < n; i++) {
			if (!ev[i].data.ptr)
				take_connections(ep, listener);
			else if (!serve(ep, ev[i].data.ptr))
				end(ev[i].data.ptr);
		}
	}
}

static int listen_on(const char *addr, int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int one = 1, fd;

	if (inet_pton(AF_INET, addr, &sa.sin_addr) != 1) {
		fprintf(stderr, "echo: %s is no IPv4 address\n", addr);
		return -1;
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, BACKLOG) < 0) {
		perror("echo");
		return -1;
	}
	return fd;
}

static void report(void)
{
	struct rusage u;
	double cpu;

	getrusage(RUSAGE_THREAD, &u);
	cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	      (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	printf("echo (%s): %llu connections, %llu requests, %llu bytes, %.3f us CPU per request\n",
	       SOCKET_API, (unsigned long long)accepted, (unsigned long long)requests,
	       (unsigned long long)bytes, requests ? cpu / (double)requests : 0);
}

static const struct option options[] = {
	{ "addr", required_argument, NULL, 'a' },
	{ "port", required_argument, NULL, 'p' },
	{ "edge", no_argument, NULL, 'e' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct sigaction sa = { .sa_handler = on_signal };
	const char *addr = "0.0.0.0";
	int port = 7000, listener, ep, o;

	while ((o = getopt_long(argc, argv, "a:p:eh", options, NULL)) != -1) {
		if (o == 'a')
			addr = optarg;
		else if (o == 'p')
			port = atoi(optarg);
		else if (o == 'e')
			edge = EPOLLET;
		else {
			printf("usage: echo [-a ADDR] [-p PORT] [-e (edge-triggered)] [PORT]\n");
			return o != 'h';
		}
	}
	if (optind < argc)
		port = atoi(argv[optind]);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	listener = listen_on(addr, port);
	if (listener < 0)
		return 1;
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) < 0) {
		perror("epoll");
		return 1;
	}
	run(ep, listener);
	report();
	return 0;
}
