/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bad wire: forwards frames between two devices and, by a seeded dice, loses, repeats or delays
 * some.
 *
 *	lossy DEV DEV SEED LOSS [DUP [REORDER]]	(the last three in 1/1000)
 *
 * A delayed frame is sent after the next one of its direction. Only TCP over IPv4 is harmed, so ARP
 * is not. The devices' peers must send frames as they go onto a wire: no offloads. SIGTERM ends it;
 * it then prints what it did.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME = 10000, SOCK_BUF = 16 << 20 };

struct port {
	int fd;
	uint8_t held[FRAME]; /* a frame that waits to be overtaken */
	size_t nheld;
};

static struct port port[2];
static uint64_t dice;
static unsigned loss, dup_rate, reorder;
static unsigned long forwarded, lost, repeated, delayed;
static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	stop = 1;
}

/* True in `permille` of 1000 cases (xorshift64). */
static bool strikes(unsigned permille)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (dice >> 20) % 1000 < permille;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void open_port(struct port *p, const char *dev)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int one = 1, size = SOCK_BUF;

	a.sll_ifindex = (int)if_nametoindex(dev);
	p->fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	if (!a.sll_ifindex || p->fd < 0 || bind(p->fd, (struct sockaddr *)&a, sizeof(a)))
		fail(dev);
	setsockopt(p->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

static void emit(int fd, const uint8_t *f, size_t n)
{
	/* A full device queue is one more way to lose a frame. */
	if (send(fd, f, n, 0) == (ssize_t)n)
		forwarded++;
}

static bool is_tcp4(const uint8_t *f, size_t n)
{
	return n > 34 && f[12] == 8 && f[13] == 0 && f[23] == IPPROTO_TCP;
}

/* One frame from `in` on its way to `out`. */
static void forward(struct port *in, struct port *out, const uint8_t *f, size_t n)
{
	bool tcp = is_tcp4(f, n);

	if (tcp && strikes(loss)) {
		lost++;
		return;
	}
	if (tcp && !in->nheld && strikes(reorder)) {
		memcpy(in->held, f, n);
		in->nheld = n;
		delayed++;
		return;
	}
	emit(out->fd, f, n);
	if (tcp && strikes(dup_rate)) {
		emit(out->fd, f, n);
		repeated++;
	}
	if (in->nheld) {
		emit(out->fd, in->held, in->nheld);
		in->nheld = 0;
	}
}

static void drain(struct port *in, struct port *out)
{
	static uint8_t f[FRAME];
	ssize_t n;

	while ((n = recv(in->fd, f, sizeof(f), MSG_DONTWAIT)) > 0)
		forward(in, out, f, (size_t)n);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };

	if (argc < 5) {
		fprintf(stderr, "usage: lossy DEV DEV SEED LOSS [DUP [REORDER]]\n");
		return 2;
	}
	sigaction(SIGTERM, &sa, NULL);
	open_port(&port[0], argv[1]);
	open_port(&port[1], argv[2]);
	dice = strtoull(argv[3], NULL, 10) * 0x9e3779b97f4a7c15ull + 1;
	loss = (unsigned)atoi(argv[4]);
	dup_rate = argc > 5 ? (unsigned)atoi(argv[5]) : 0;
	reorder = argc > 6 ? (unsigned)atoi(argv[6]) : 0;
	printf("ready\n");
	fflush(stdout);
	while (!stop) {
		struct pollfd pf[2] = { { .fd = port[0].fd, .events = POLLIN },
					{ .fd = port[1].fd, .events = POLLIN } };

		if (poll(pf, 2, -1) < 0 && errno != EINTR)
			fail("poll");
		drain(&port[0], &port[1]);
		drain(&port[1], &port[0]);
	}
	printf("forwarded %lu, lost %lu, repeated %lu, delayed %lu\n", forwarded, lost, repeated,
	       delayed);
	return 0;
}
