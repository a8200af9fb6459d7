/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options as an application sees them, on either API: what setting says and getting gives,
 * before connect and on the connection. Then what is told of the times of a request and its answer.
 *
 *	options ADDR PORT	one line for each, to be compared with the other API's
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h> /* needs time.h */
#include <linux/net_tstamp.h>

#include "../../userspace/bench/toe_or_kernel.h"
#include "names.h"

static const struct {
	const char *name;
	int level, option, value[5];
} table[] = {
	{ "NODELAY", IPPROTO_TCP, TCP_NODELAY, { 1, 0, 7 } },
	{ "KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, { 1, 0, 5 } },
	{ "KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, { 5, 0, -1, 32767, 32768 } },
	{ "KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, { 5, 0, -1, 32767, 32768 } },
	{ "KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, { 5, 0, -1, 127, 128 } },
	{ "SYNCNT", IPPROTO_TCP, TCP_SYNCNT, { 5, 0, -1, 127, 128 } },
	{ "USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, { 5000, 0, -1 } },
	{ "LINGER2", IPPROTO_TCP, TCP_LINGER2, { 5, 0, -1, 1000 } },
	{ "DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT, { 1, 2, 5, 0, -1 } },
	{ "MAXSEG", IPPROTO_TCP, TCP_MAXSEG, { 87, 32768, -1 } },
	{ "RCVBUF", SOL_SOCKET, SO_RCVBUF, { 8192, 65536, 200000, 8192, 65536 } },
	{ "SNDBUF", SOL_SOCKET, SO_SNDBUF, { 8192, 65536, 200000, 8192, 65536 } },
	{ "REUSEADDR", SOL_SOCKET, SO_REUSEADDR, { 1, 0, 7, 0 } },
	{ "REUSEPORT", SOL_SOCKET, SO_REUSEPORT, { 1, 0, 7, 0 } },
	{ "V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, { 1, 0 } },
	{ "NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, { 1, 5000, -1, 0 } },
	{ "RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, { 100, 0, 5, 1 } },
	{ "CORK", IPPROTO_TCP, TCP_CORK, { 1, 0 } },
	{ "OOBINLINE", SOL_SOCKET, SO_OOBINLINE, { 1, 0 } },
	{ "TIMESTAMP", SOL_SOCKET, SO_TIMESTAMP, { 1, 0, 7 } },
	{ "TIMESTAMPNS", SOL_SOCKET, SO_TIMESTAMPNS, { 1, 0, 7 } },
	{ "TIMESTAMP again", SOL_SOCKET, SO_TIMESTAMP, { 1, 0 } },
	{ "TIMESTAMPING", SOL_SOCKET, SO_TIMESTAMPING, { 0x1f, 0x80, 0x10000, -1, 0 } },
	{ "TOS", IPPROTO_IP, IP_TOS, { 0x10, 0x13, 0 } },
	{ "TTL", IPPROTO_IP, IP_TTL, { 5, -1, 0, 256, 255 } },
};

static void show(int fd, const char *when)
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (unsigned k = 0; k < 5; k++) {
			int v = table[i].value[k], got = -1;
			socklen_t len = sizeof(got);
			int set = setsockopt(fd, table[i].level, table[i].option, &v, sizeof(v));
			int e = set ? errno : 0;
			int get = getsockopt(fd, table[i].level, table[i].option, &got, &len);

			printf("%s %s %d: %d, %d %d\n", when, table[i].name, v, e, get, got);
		}
	}
}

/* The control messages of a recvmsg; times of about now are all that matters. */
static void show_control(struct msghdr *m)
{
	struct scm_timestamping t;
	struct sock_extended_err e;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING) {
			memcpy(&t, CMSG_DATA(c), sizeof(t));
			printf(" time %s", labs(t.ts[0].tv_sec - time(NULL)) < 5 ? "now" : "wrong");
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) {
			memcpy(&e, CMSG_DATA(c), sizeof(e));
			printf(" error %u of %u: %u, %u", e.ee_errno, e.ee_origin, e.ee_info,
			       e.ee_data);
		}
	}
	puts("");
}

static void show_times(int fd)
{
	int ask = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE |
		  SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_RX_SOFTWARE |
		  SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
	char b[16], control[256];
	struct iovec v = { b, sizeof(b) };

	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &ask, sizeof(ask));
	usleep(100000); /* Linux begins later to stamp what comes */
	send(fd, "W\n", 2, 0);
	for (unsigned i = 0; i < 4; i++) {
		struct msghdr m = { .msg_iov = &v,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };
		bool answer = !i;

		printf("times: %s, flags 0x%x",
		       recvmsg(fd, &m, answer ? 0 : MSG_ERRQUEUE) >= 0 ? "some" : "none",
		       m.msg_flags);
		show_control(&m);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 3 || inet_pton(AF_INET, argv[1], &sa.sin_addr) != 1)
		return 2;
	sa.sin_port = htons((uint16_t)atoi(argv[2]));
	show(fd, "fresh");
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		perror("connect");
		return 1;
	}
	show(fd, "connected");
	show_times(fd);
	close(fd);
	return 0;
}
