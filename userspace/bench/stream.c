/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bulk data for the goodput benchmark, on either API.
 *
 *	stream recv PORT SECONDS FLOWS
 *	stream send ADDR PORT SECONDS FLOWS [CONGESTION-CONTROL]
 *
 * The receiver counts what arrives on each of FLOWS connections during SECONDS from the moment that
 * data has come on all of them, prints {"seconds": S, "bytes": [...]} in the order of acceptance,
 * and resets them. The sender sends until then, at most SECONDS.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "toe_or_kernel.h"

enum { MAX_FLOWS = 256, CHUNK = 65536, TURN = 16 };

struct flow {
	int fd;
	uint64_t bytes;
};

static struct flow flow[MAX_FLOWS];
static uint8_t buf[CHUNK];

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void watch(int ep, unsigned i, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u32 = i };
	int one = 1;

	if (ioctl(flow[i].fd, FIONBIO, &one) || epoll_ctl(ep, EPOLL_CTL_ADD, flow[i].fd, &ev))
		die("epoll_ctl");
}

static int listener(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, MAX_FLOWS))
		die("listen");
	return fd;
}

/* What has come on a flow; some at a time, so that all get their turn. */
static void drain(struct flow *f)
{
	for (int i = 0; i < TURN; i++) {
		ssize_t n = recv(f->fd, buf, sizeof(buf), 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			fprintf(stderr, "a connection ended early: %s\n",
				n ? strerror(errno) : "EOF");
			exit(1);
		}
		f->bytes += (uint64_t)n;
	}
}

static bool all_began(unsigned flows)
{
	for (unsigned i = 0; i < flows; i++)
		if (!flow[i].bytes)
			return false;
	return true;
}

/* Receive until `end`; 0: until there was data on all flows. */
static void receive(int ep, unsigned flows, double end)
{
	struct epoll_event ev[MAX_FLOWS];

	while (end > 0 ? seconds() < end : !all_began(flows)) {
		int n = epoll_wait(ep, ev, MAX_FLOWS, 50);

		for (int i = 0; i < n; i++)
			drain(&flow[ev[i].data.u32]);
	}
}

static void do_recv(int port, double limit, unsigned flows)
{
	int l = listener(port), ep = epoll_create1(0);
	double start;

	printf("ready\n");
	fflush(stdout);
	for (unsigned i = 0; i < flows; i++) {
		flow[i].fd = accept4(l, NULL, NULL, 0);
		if (flow[i].fd < 0)
			die("accept4");
		watch(ep, i, EPOLLIN);
	}
	receive(ep, flows, 0);
	for (unsigned i = 0; i < flows; i++)
		flow[i].bytes = 0;
	start = seconds();
	receive(ep, flows, start + limit);
	printf("{\"seconds\": %.3f, \"bytes\": [", seconds() - start);
	for (unsigned i = 0; i < flows; i++)
		printf("%s%llu", i ? ", " : "", (unsigned long long)flow[i].bytes);
	printf("]}\n");
	fflush(stdout);
	for (unsigned i = 0; i < flows; i++) {
		struct linger now = { .l_onoff = 1 };

		setsockopt(flow[i].fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(flow[i].fd);
	}
}

/* Fill a flow's send buffer. False: the receiver has had enough. */
static bool fill(struct flow *f)
{
	for (int i = 0; i < TURN; i++) {
		ssize_t n = send(f->fd, buf, sizeof(buf), MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		f->bytes += (uint64_t)n;
	}
	return true;
}

static void dial(struct flow *f, const struct sockaddr_in *to, const char *cc)
{
	f->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (f->fd < 0 ||
	    (cc && setsockopt(f->fd, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc))))
		die("TCP_CONGESTION");
	if (connect(f->fd, (const struct sockaddr *)to, sizeof(*to)))
		die("connect");
}

static void do_send(const struct sockaddr_in *to, double limit, unsigned flows, const char *cc)
{
	struct epoll_event ev[MAX_FLOWS];
	double end = seconds() + limit;
	unsigned open = flows;
	int ep = epoll_create1(0);

	for (unsigned i = 0; i < flows; i++) {
		dial(&flow[i], to, cc);
		watch(ep, i, EPOLLOUT);
	}
	while (open && seconds() < end) {
		int n = epoll_wait(ep, ev, MAX_FLOWS, 50);

		for (int i = 0; i < n; i++) {
			struct flow *f = &flow[ev[i].data.u32];

			if (f->fd >= 0 && !fill(f)) {
				close(f->fd);
				f->fd = -1;
				open--;
			}
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	if (argc == 5 && !strcmp(argv[1], "recv") && atoi(argv[4]) <= MAX_FLOWS) {
		do_recv(atoi(argv[2]), atof(argv[3]), (unsigned)atoi(argv[4]));
	} else if (argc >= 6 && !strcmp(argv[1], "send") && atoi(argv[5]) <= MAX_FLOWS &&
		   inet_pton(AF_INET, argv[2], &to.sin_addr) == 1) {
		to.sin_port = htons((uint16_t)atoi(argv[3]));
		do_send(&to, atof(argv[4]), (unsigned)atoi(argv[5]), argc > 6 ? argv[6] : NULL);
	} else {
		fprintf(stderr,
			"usage: stream recv PORT SECONDS FLOWS\n"
			"       stream send ADDR PORT SECONDS FLOWS [CONGESTION-CONTROL]\n");
		return 2;
	}
	return 0;
}
