/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How calls that wait come to an end, on either API: by SO_RCVTIMEO and SO_SNDTIMEO, by signals, and in
 * an epoll set with a pipe and a kernel socket; and what passes to other processes.
 *
 *	waits compare ADDR PORT HOLE	one line for each, to be compared with the other API's. At ADDR
 *					and PORT somebody accepts, sends "abc" and reads nothing;
 *					nobody has the address HOLE.
 *	waits pass ADDR PORT		what sending a connection and an undecided socket by SCM_RIGHTS says
 *	waits exec ADDR PORT		become `sleep 5` with the connection open
 *	waits spawn ADDR PORT		send "x", close, while a child that is `sleep 5` has it open
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../../userspace/bench/toe_or_kernel.h"

enum { WAIT_MS = 200, HUGE_WRITE = 64 << 20 };

static struct sockaddr_in there = { .sin_family = AF_INET };

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* `r` is what the call gave that began at `from`. */
static void say(const char *what, double from, ssize_t r)
{
	int err = errno;

	printf("%s: %s, %s\n", what, r < 0 ? strerror(err) : (r ? "some" : "nothing"),
	       now_ms() - from < WAIT_MS / 2 ? "at once" : "after a while");
}

#define SAY(what, call) \
	do { \
		double from = now_ms(); \
\
		say(what, from, call); \
	} while (0)

static int open_to(struct in_addr addr)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	there.sin_addr = addr;
	if (fd < 0 || connect(fd, (struct sockaddr *)&there, sizeof(there))) {
		perror("connect");
		exit(1);
	}
	return fd;
}

static void time_limit(int fd, int which, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, which, &tv, sizeof(tv));
}

static void on_signal(int sig)
{
}

/* A signal after WAIT_MS, and again, should the first come before the call; or no more of them. */
static void signals(bool on, int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };
	struct itimerval it = { { 0, WAIT_MS * 1000 }, { 0, WAIT_MS * 1000 } };

	if (!on)
		memset(&it, 0, sizeof(it));
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static void reading(struct in_addr addr)
{
	int fd = open_to(addr);
	char b[8];

	time_limit(fd, SO_RCVTIMEO, WAIT_MS);
	SAY("recv of more than comes, with a time limit", recv(fd, b, sizeof(b), MSG_WAITALL));
	SAY("recv with a time limit", recv(fd, b, sizeof(b), 0));
	SAY("peek with a time limit", recv(fd, b, sizeof(b), MSG_PEEK));
	time_limit(fd, SO_RCVTIMEO, 0);
	signals(true, 0);
	SAY("recv and a signal", recv(fd, b, sizeof(b), 0));
	time_limit(fd, SO_RCVTIMEO, 60000);
	signals(true, SA_RESTART);
	SAY("recv with a time limit and a signal that restarts", recv(fd, b, sizeof(b), 0));
	signals(false, 0);
	close(fd);
}

/* Until nothing was taken twice: at the end of one wait there may be room that was too little to wake. */
static void fill(int fd, const char *data)
{
	for (int failed = 0; failed < 2;)
		failed = send(fd, data, HUGE_WRITE, 0) < 0 ? failed + 1 : 0;
}

static void writing(struct in_addr addr)
{
	char *huge = calloc(1, HUGE_WRITE);
	int fd = open_to(addr);

	time_limit(fd, SO_SNDTIMEO, WAIT_MS);
	SAY("send of more than fits, with a time limit", send(fd, huge, HUGE_WRITE, 0));
	fill(fd, huge);
	SAY("send with a time limit", send(fd, huge, HUGE_WRITE, 0));
	close(fd);
	fd = open_to(addr);
	signals(true, 0);
	SAY("send of more than fits, and a signal", send(fd, huge, HUGE_WRITE, 0));
	fill(fd, huge);
	SAY("send and a signal", send(fd, huge, HUGE_WRITE, 0));
	signals(false, 0);
	close(fd);
	free(huge);
}

static void connecting(struct in_addr hole)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	there.sin_addr = hole;
	time_limit(fd, SO_SNDTIMEO, WAIT_MS);
	SAY("connect with a time limit", connect(fd, (struct sockaddr *)&there, sizeof(there)));
	SAY("the same again", connect(fd, (struct sockaddr *)&there, sizeof(there)));
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	signals(true, 0);
	SAY("connect and a signal", connect(fd, (struct sockaddr *)&there, sizeof(there)));
	SAY("the same again", connect(fd, (struct sockaddr *)&there, sizeof(there)));
	signals(false, 0);
	close(fd);
}

static int listener(uint32_t addr, struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*at);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(addr) };
	if (bind(fd, (struct sockaddr *)at, sizeof(*at)) || listen(fd, 4) ||
	    getsockname(fd, (struct sockaddr *)at, &len)) {
		perror("listen");
		exit(1);
	}
	return fd;
}

static void accepting(void)
{
	struct sockaddr_in at;
	int fd = listener(INADDR_ANY, &at);

	time_limit(fd, SO_RCVTIMEO, WAIT_MS);
	SAY("accept with a time limit", accept4(fd, NULL, NULL, 0));
	time_limit(fd, SO_RCVTIMEO, 0);
	signals(true, 0);
	SAY("accept and a signal", accept4(fd, NULL, NULL, 0));
	signals(false, 0);
	close(fd);
}

static void watch(int ep, int fd, int tag)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.u32 = (uint32_t)tag };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		perror("epoll_ctl");
}

/* What comes within a minute, by its tag. */
static void next_event(int ep)
{
	struct epoll_event ev = { 0 };
	double from = now_ms();
	int n = epoll_wait(ep, &ev, 1, 60000);

	say("the next event", from, n);
	printf("of %u: %x\n", ev.data.u32, ev.events);
}

/* A connection, a pipe and a listening socket on the loopback, of which only the first can be the TOE's. */
static void mixed_set(struct in_addr addr)
{
	int fd = open_to(addr), ep = epoll_create1(0), lo, dial, p[2];
	struct epoll_event ev, both[2] = { 0 };
	struct sockaddr_in at;
	char b[8];

	lo = listener(INADDR_LOOPBACK, &at);
	if (pipe(p))
		exit(1);
	watch(ep, p[0], 1);
	watch(ep, lo, 2);
	watch(ep, fd, 3);
	next_event(ep); /* "abc" */
	recv(fd, b, 3, MSG_WAITALL);
	SAY("epoll_wait that only looks", epoll_wait(ep, &ev, 1, 0));
	SAY("epoll_wait with a time limit", epoll_wait(ep, &ev, 1, WAIT_MS));
	for (int i = 0; i < 2; i++) {
		signals(true, i ? SA_RESTART : 0);
		SAY("epoll_wait and a signal", epoll_wait(ep, &ev, 1, -1));
		signals(false, 0);
	}
	SAY("write to the pipe", write(p[1], "x", 1));
	next_event(ep);
	SAY("read from the pipe", read(p[0], b, 1));
	dial = socket(AF_INET, SOCK_STREAM, 0);
	SAY("connect to the loopback", connect(dial, (struct sockaddr *)&at, sizeof(at)));
	next_event(ep);
	close(accept4(lo, NULL, NULL, 0));
	SAY("epoll_wait that only looks", epoll_wait(ep, &ev, 1, 0));
	shutdown(fd, SHUT_RD);
	next_event(ep);
	close(p[1]);
	/* A set looks at the kernel's now and then while others have something. */
	for (int i = 0, n = 0; i < 100 && n < 2; i++)
		n = epoll_wait(ep, both, 2, 60000);
	printf("both: %x\n", both[0].events | both[1].events);
	close(p[0]);
	close(dial);
	close(lo);
	close(fd);
	close(ep);
}

static void pass(const char *what, int to, int fd)
{
	char ctl[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	SAY(what, sendmsg(to, &m, 0));
}

static void passing(struct in_addr addr)
{
	int fd = open_to(addr), fresh = socket(AF_INET, SOCK_STREAM, 0), pair[2];
	char b[8];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		exit(1);
	pass("a connection", pair[0], fd);
	SAY("which goes on", recv(fd, b, 3, MSG_WAITALL));
	pass("an undecided socket", pair[0], fresh);
}

static void spawning(struct in_addr addr)
{
	int fd = open_to(addr);
	char b[3];
	pid_t pid;

	recv(fd, b, sizeof(b), MSG_WAITALL); /* else closing resets */
	pid = fork();
	if (!pid) {
		execlp("sleep", "sleep", "5", NULL);
		_exit(127);
	}
	usleep(500000); /* until it is another program */
	SAY("send", send(fd, "x", 1, 0));
	close(fd);
}

int main(int argc, char **argv)
{
	struct in_addr addr, hole = { 0 };

	if (argc < 4 || !inet_aton(argv[2], &addr) || (argc > 4 && !inet_aton(argv[4], &hole))) {
		fprintf(stderr, "usage: %s compare|pass|exec|spawn ADDR PORT [HOLE]\n", argv[0]);
		return 2;
	}
	there.sin_port = htons((uint16_t)atoi(argv[3]));
	setlinebuf(stdout);
	if (!strcmp(argv[1], "pass")) {
		passing(addr);
	} else if (!strcmp(argv[1], "spawn")) {
		spawning(addr);
	} else if (!strcmp(argv[1], "exec")) {
		open_to(addr);
		execlp("sleep", "sleep", "5", NULL);
	} else {
		reading(addr);
		writing(addr);
		accepting();
		mixed_set(addr);
		connecting(hole);
	}
	return 0;
}
