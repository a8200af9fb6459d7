/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options as an application sees them, on either API: what setting says and getting gives,
 * before connect and on the connection.
 *
 *	options ADDR PORT	one line for each, to be compared with the other API's
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

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
	close(fd);
	return 0;
}
