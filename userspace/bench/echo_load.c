/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Load for the echo server: N connections, one request under way on each. Prints requests/s and the
 * distribution of round trips. Checks that what comes back is what was sent.
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

enum { MAX_EVENTS = 256, MAX_SIZE = 1 << 20, CHUNK = 65536 };

struct conn {
	int fd; /* -1: broken */
	uint32_t sent, got; /* bytes of the current request */
	uint64_t began; /* ns */
};

static char *message;
static uint32_t size = 64;
static uint64_t requests, errors;

/* Round trips by their logarithm, 16 steps an octave: a quantile is right to 3%. */
static uint64_t histogram[64 * 16];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void record(uint64_t ns)
{
	unsigned e = 63 - (unsigned)__builtin_clzll(ns | 16);

	histogram[e * 16 + ((ns >> (e - 4)) & 15)]++;
}

/* Upper middle of the bin that holds the quantile, us. */
static double quantile(double q)
{
	uint64_t want = (uint64_t)((double)requests * q), seen = 0;

	for (unsigned i = 0; i < 64 * 16; i++) {
		seen += histogram[i];
		if (seen > want)
			return (double)((16ull + i % 16) << (i / 16)) / 16 * (1 + 1 / 32.0) / 1000;
	}
	return 0;
}

static void broken(struct conn *c)
{
	errors++;
	close(c->fd);
	c->fd = -1;
}

static void push(int ep, struct conn *c)
{
	bool partial = c->sent != 0;

	while (c->sent < size) {
		ssize_t n = send(c->fd, message + c->sent, size - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			broken(c);
			return;
		}
		c->sent += (uint32_t)n;
	}
	if (partial || c->sent < size) {
		struct epoll_event ev = { .events = EPOLLIN | (c->sent < size ? EPOLLOUT : 0),
					  .data.ptr = c };

		epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
	}
}

static void begin(int ep, struct conn *c)
{
	c->sent = c->got = 0;
	c->began = now_ns();
	push(ep, c);
}

static void pull(int ep, struct conn *c)
{
	static char buf[CHUNK];
	uint32_t left = size - c->got;
	ssize_t n = recv(c->fd, buf, left < CHUNK ? left : CHUNK, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || memcmp(buf, message + c->got, (size_t)n)) {
		broken(c);
		return;
	}
	c->got += (uint32_t)n;
	if (c->got < size)
		return;
	requests++;
	record(now_ns() - c->began);
	begin(ep, c);
}

static bool open_one(int ep, struct conn *c, const struct sockaddr_in *sa)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	struct timeval patience = { .tv_sec = 5 };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return false;
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(c->fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0) {
		close(c->fd);
		c->fd = -1;
		return false;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return ioctl(c->fd, FIONBIO, &one) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == 0;
}

static void run(int ep, uint64_t end)
{
	struct epoll_event ev[MAX_EVENTS];

	while (now_ns() < end) {
		int n = epoll_wait(ep, ev, MAX_EVENTS, 10);

		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;

			if (c->fd >= 0 && ev[i].events & EPOLLOUT)
				push(ep, c);
			if (c->fd >= 0 && ev[i].events & ~EPOLLOUT)
				pull(ep, c);
		}
	}
}

static void print(bool json, unsigned conns, double seconds)
{
	const char *fmt =
	    json ? "{\"connections\": %u, \"size\": %u, \"seconds\": %.3f, \"requests\": %llu, "
		   "\"rps\": %.0f, \"p50\": %.1f, \"p99\": %.1f, \"errors\": %llu}\n"
		 : "connections=%u size=%u seconds=%.3f requests=%llu rps=%.0f p50=%.1f p99=%.1f "
		   "errors=%llu\n";

	printf(fmt, conns, size, seconds, (unsigned long long)requests, (double)requests / seconds,
	       quantile(0.5), quantile(0.99), (unsigned long long)errors);
}

static int usage(void)
{
	fprintf(stderr, "usage: echo_load [-j] ADDR PORT [CONNECTIONS=64 [SECONDS=5 [SIZE=64]]]\n"
			"Times are in microseconds; -j: JSON.\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	unsigned conns = 64, alive = 0;
	double seconds = 5;
	struct conn *c;
	bool json = false;
	uint64_t start;
	int ep, o;

	while ((o = getopt(argc, argv, "j")) != -1) {
		if (o != 'j')
			return usage();
		json = true;
	}
	argc -= optind;
	argv += optind;
	if (argc < 2 || argc > 5 || inet_pton(AF_INET, argv[0], &sa.sin_addr) != 1)
		return usage();
	sa.sin_port = htons((uint16_t)atoi(argv[1]));
	if (argc > 2)
		conns = (unsigned)atoi(argv[2]);
	if (argc > 3)
		seconds = atof(argv[3]);
	if (argc > 4)
		size = (uint32_t)atoi(argv[4]);
	if (!conns || seconds <= 0 || !size || size > MAX_SIZE)
		return usage();
	message = malloc(size);
	c = calloc(conns, sizeof(*c));
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (!message || !c || ep < 0) {
		perror("echo_load");
		return 1;
	}
	for (uint32_t i = 0; i < size; i++)
		message[i] = (char)(i * 7 + i / 251);
	for (unsigned i = 0; i < conns; i++) {
		if (open_one(ep, &c[i], &sa))
			alive++;
		else
			errors++;
	}
	start = now_ns();
	for (unsigned i = 0; i < conns; i++)
		if (c[i].fd >= 0)
			begin(ep, &c[i]);
	if (alive)
		run(ep, start + (uint64_t)(seconds * 1e9));
	print(json, conns, (double)(now_ns() - start) / 1e9);
	return errors != 0;
}
