/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other end of server.c, on either API.
 *
 *	client get ADDR PORT BYTES		receive the pattern
 *	client put ADDR PORT BYTES		send the pattern, FIN, read the verdict
 *	client echo ADDR PORT BYTES		send and receive at the same time
 *	client open ADDR PORT COUNT		COUNT times, 64 at once: echo 64 bytes, close
 *	client names ADDR PORT 0		LOCAL PORT PEER PORT, as this side and as the server sees it
 *	client fast ADDR PORT COUNT		COUNT times: open by TCP Fast Open, echo 64 bytes, close
 *	client hold ADDR PORT COUNT SECONDS	COUNT connections echo 64 bytes in turn, until SIGTERM at most
 *
 * Prints "ok ..." and exits 0, or says what went wrong and exits 1. hold also exits 0 when
 * connections died: it prints how many lived.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../userspace/bench/toe_or_kernel.h"
#include "names.h"
#include "pattern.h"

enum { CHUNK = 65536, MSG = 64, PARALLEL = 64, MAX_CONNS = 16384 };

static struct addrinfo *peer;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int dial(void)
{
	int fd = socket(peer->ai_family, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, peer->ai_addr, peer->ai_addrlen))
		die("connect: %s", strerror(errno));
	return fd;
}

static void send_all(int fd, const void *p, size_t n)
{
	while (n) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

		if (k < 0)
			die("send: %s", strerror(errno));
		p = (const char *)p + k;
		n -= (size_t)k;
	}
}

static void request(int fd, char mode, uint64_t n)
{
	char line[32];

	send_all(fd, line,
		 (size_t)snprintf(line, sizeof(line), "%c %llu\n", mode, (unsigned long long)n));
}

static size_t receive(int fd, void *p, size_t n)
{
	ssize_t k = recv(fd, p, n, 0);

	if (k < 0)
		die("recv: %s", strerror(errno));
	return (size_t)k;
}

static void do_get(uint64_t bytes)
{
	static uint8_t buf[CHUNK];
	uint64_t got = 0;
	size_t n;
	int fd = dial();

	request(fd, 'G', bytes);
	while ((n = receive(fd, buf, sizeof(buf)))) {
		int64_t bad = pattern_check(buf, got, n);

		if (bad >= 0)
			die("wrong byte at %lld", (long long)bad);
		got += n;
	}
	if (got != bytes)
		die("%llu bytes of %llu", (unsigned long long)got, (unsigned long long)bytes);
	close(fd);
}

static void do_names(void)
{
	char mine[256], theirs[256] = "";
	size_t have = 0, n;
	int fd = dial();

	request(fd, 'N', 0);
	while ((n = receive(fd, theirs + have, sizeof(theirs) - 1 - have)))
		have += n;
	names_of(fd, mine, sizeof(mine));
	printf("%s\n%s", mine, theirs);
	close(fd);
}

static void do_put(uint64_t bytes)
{
	char line[64] = "";
	size_t have = 0, n;
	long long count, bad;
	int fd = dial();

	request(fd, 'P', 0);
	for (uint64_t pos = 0; pos < bytes; pos += n) {
		n = bytes - pos < CHUNK ? bytes - pos : CHUNK;
		send_all(fd, pattern_at(pos), n);
	}
	shutdown(fd, SHUT_WR);
	while ((n = receive(fd, line + have, sizeof(line) - 1 - have)))
		have += n;
	if (sscanf(line, "%lld %lld", &count, &bad) != 2)
		die("no verdict");
	if ((uint64_t)count != bytes || bad >= 0)
		die("the server got %lld bytes of %llu, first wrong %lld", count,
		    (unsigned long long)bytes, bad);
	close(fd);
}

static void nonblocking(int fd)
{
	int one = 1;

	if (ioctl(fd, FIONBIO, &one))
		die("FIONBIO: %s", strerror(errno));
}

static void do_echo(uint64_t bytes)
{
	static uint8_t buf[CHUNK];
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	uint64_t sent = 0, got = 0;
	int fd = dial(), ep = epoll_create1(0);

	request(fd, 'E', 0);
	nonblocking(fd);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	while (got < bytes) {
		size_t want = bytes - sent < CHUNK ? bytes - sent : CHUNK;
		ssize_t n = want ? send(fd, pattern_at(sent), want, MSG_NOSIGNAL) : 0;
		ssize_t m = recv(fd, buf, sizeof(buf), 0);

		if ((n < 0 && errno != EAGAIN) || (m < 0 && errno != EAGAIN) || !m)
			die("echo at %llu: %s", (unsigned long long)got,
			    m ? strerror(errno) : "early end");
		if (m > 0 && pattern_check(buf, got, (size_t)m) >= 0)
			die("wrong byte after %llu", (unsigned long long)got);
		sent += n > 0 ? (uint64_t)n : 0;
		got += m > 0 ? (uint64_t)m : 0;
		if (n <= 0 && m <= 0 && epoll_wait(ep, &ev, 1, 20000) != 1)
			die("echo stands still at %llu", (unsigned long long)got);
	}
	close(fd);
	close(ep);
}

static void do_open(unsigned long count)
{
	uint8_t buf[MSG];

	for (unsigned long done = 0; done < count; done += PARALLEL) {
		int fd[PARALLEL], n = count - done < PARALLEL ? (int)(count - done) : PARALLEL;

		for (int i = 0; i < n; i++) {
			fd[i] = dial();
			request(fd[i], 'E', 0);
			send_all(fd[i], pattern_at(done + (unsigned)i), MSG);
		}
		for (int i = 0; i < n; i++) {
			size_t have = 0;

			while (have < MSG) {
				size_t k = receive(fd[i], buf + have, MSG - have);

				if (!k)
					die("connection %lu ended early", done + (unsigned)i);
				have += k;
			}
			if (pattern_check(buf, done + (unsigned)i, MSG) >= 0)
				die("connection %lu: wrong echo", done + (unsigned)i);
			close(fd[i]);
		}
	}
}

/* The request goes with the SYN, by either way of asking for that. */
static int dial_fast(bool by_connect)
{
	struct iovec v = { "E 0\n", 4 };
	struct msghdr m = { .msg_name = peer->ai_addr,
			    .msg_namelen = peer->ai_addrlen,
			    .msg_iov = &v,
			    .msg_iovlen = 1 };
	int fd = socket(peer->ai_family, SOCK_STREAM, 0), one = 1;

	if (by_connect) {
		if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)) ||
		    connect(fd, peer->ai_addr, peer->ai_addrlen))
			die("connect: %s", strerror(errno));
		send_all(fd, "E 0\n", 4);
	} else if (sendmsg(fd, &m, MSG_FASTOPEN | MSG_NOSIGNAL) != 4) {
		die("sendmsg: %s", strerror(errno));
	}
	return fd;
}

/* One round on a connection; false when it has died. A pause longer than 20 s is death too. */
static bool round_trip(int fd, uint64_t pos)
{
	uint8_t buf[MSG];
	size_t have = 0;

	if (send(fd, pattern_at(pos), MSG, MSG_NOSIGNAL) != MSG)
		return false;
	while (have < MSG) {
		ssize_t k = recv(fd, buf + have, MSG - have, 0);

		if (k <= 0)
			return false;
		have += (size_t)k;
	}
	return pattern_check(buf, pos, MSG) < 0;
}

static void do_fast(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		int fd = dial_fast(i % 2);

		if (!round_trip(fd, i))
			die("connection %lu: no echo", i);
		close(fd);
	}
}

static void set_tcp(int fd, int name, int v)
{
	if (setsockopt(fd, IPPROTO_TCP, name, &v, sizeof(v)))
		die("option %d: %s", name, strerror(errno));
}

/* A connection that has echoed once, for the test to cut. */
static int echoed(void)
{
	int fd = dial();

	request(fd, 'E', 0);
	if (!round_trip(fd, 0))
		die("no echo");
	printf("connected\n");
	fflush(stdout);
	return fd;
}

/* Keepalive after a second, two probes a second apart: says nothing, and listens for so long. */
static void do_idle(double limit)
{
	struct timeval tv = { .tv_sec = (time_t)limit };
	int fd = echoed(), one = 1;
	double t = seconds();
	char b;

	set_tcp(fd, TCP_KEEPIDLE, 1);
	set_tcp(fd, TCP_KEEPINTVL, 1);
	set_tcp(fd, TCP_KEEPCNT, 2);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (recv(fd, &b, 1, 0) >= 0 || errno != EAGAIN)
		die("ended: %s after %.2f s", strerror(errno), seconds() - t);
	if (!round_trip(fd, 1))
		die("no echo afterwards");
	close(fd);
}

/* Sends every now and then until TCP_USER_TIMEOUT, milliseconds, ends the connection. */
static void do_stall(int timeout_ms)
{
	int fd = echoed();
	double t = seconds();

	set_tcp(fd, TCP_USER_TIMEOUT, timeout_ms);
	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1 && seconds() - t < 60)
		usleep(100000);
	die("ended: %s after %.2f s", strerror(errno), seconds() - t);
}

/* A SIGTERM has come, which waits until the round is over. */
static bool told_to_end(void)
{
	sigset_t pending;

	return !sigpending(&pending) && sigismember(&pending, SIGTERM);
}

static void do_hold(unsigned long count, double limit)
{
	static int fd[MAX_CONNS];
	sigset_t term;
	struct timeval tv = { .tv_sec = 20 };
	unsigned long alive = count, rounds = 0;
	double end;

	if (count > MAX_CONNS)
		die("at most %d connections", MAX_CONNS);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	for (unsigned long i = 0; i < count; i++) {
		fd[i] = dial();
		setsockopt(fd[i], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		request(fd[i], 'E', 0);
	}
	printf("connected\n");
	fflush(stdout);
	end = seconds() + limit;
	do {
		for (unsigned long i = 0; i < count; i++) {
			if (fd[i] < 0 || round_trip(fd[i], rounds * count + i))
				continue;
			close(fd[i]);
			fd[i] = -1;
			alive--;
		}
		rounds++;
	} while (seconds() < end && alive && !told_to_end());
	for (unsigned long i = 0; i < count; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	printf("alive %lu of %lu, %lu rounds\n", alive, count, rounds);
}

int main(int argc, char **argv)
{
	struct addrinfo hint = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM };
	double t = seconds();

	if (argc < 5) {
		fprintf(stderr,
			"usage: client get|put|echo|open|fast|names|hold ADDR PORT N [SECONDS]\n");
		return 2;
	}
	pattern_init();
	if (getaddrinfo(argv[2], argv[3], &hint, &peer))
		die("bad address %s", argv[2]);
	if (!strcmp(argv[1], "get"))
		do_get(strtoull(argv[4], NULL, 10));
	else if (!strcmp(argv[1], "put"))
		do_put(strtoull(argv[4], NULL, 10));
	else if (!strcmp(argv[1], "echo"))
		do_echo(strtoull(argv[4], NULL, 10));
	else if (!strcmp(argv[1], "open"))
		do_open(strtoul(argv[4], NULL, 10));
	else if (!strcmp(argv[1], "fast"))
		do_fast(strtoul(argv[4], NULL, 10));
	else if (!strcmp(argv[1], "idle"))
		do_idle(atof(argv[4]));
	else if (!strcmp(argv[1], "stall"))
		do_stall(atoi(argv[4]));
	else if (!strcmp(argv[1], "names"))
		do_names();
	else if (!strcmp(argv[1], "hold") && argc > 5)
		do_hold(strtoul(argv[4], NULL, 10), atof(argv[5]));
	else
		die("unknown command %s", argv[1]);
	printf("ok %s %s, %.3f s\n", argv[1], argv[4], seconds() - t);
	return 0;
}
