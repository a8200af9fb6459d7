/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manager/options.c, opt_*.c: what setsockopt and getsockopt make of a connection, and of a socket
 * that may become one.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "libtoe_calls.h"

static void options__of_a_connection(void)
{
	struct linger l = { 1, 0 };
	uint32_t flow;
	int fd = fake_pair(&flow, 0), one = 1, v;
	socklen_t len = sizeof(v);

	CU_ASSERT_EQUAL(toe_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	fake_step();
	CU_ASSERT(fake.flow[flow].option[TOE_OPT_NODELAY] == 1);
	CU_ASSERT_EQUAL(toe_setsockopt(fd, IPPROTO_TCP, TCP_CORK, &one, sizeof(one)), 0);
	toe_send(fd, "x", 1, 0);
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].send_flags, TOE_SEND_CORKED);
	v = 0;
	CU_ASSERT_EQUAL(toe_setsockopt(fd, IPPROTO_TCP, TCP_CORK, &v, sizeof(v)), 0);
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].send_flags, 0); /* pushed */
	CU_ASSERT_EQUAL(toe_getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, &len), 0);
	CU_ASSERT_EQUAL(v, TOE_BUF_DEFAULT);
	fake_block(flow)->dev.tx_limit = 300000; /* it has grown */
	CU_ASSERT_EQUAL(toe_getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, &len), 0);
	CU_ASSERT_EQUAL(v, 300000);
	v = 20000;
	CU_ASSERT_EQUAL(toe_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)), 0);
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].option[TOE_OPT_SNDBUF], 40000);
	CU_ASSERT_EQUAL(toe_getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, &len), 0);
	CU_ASSERT_EQUAL(v, 40000);
	v = 100;
	CU_ASSERT_EQUAL(toe_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)), 0);
	CU_ASSERT_EQUAL(toe_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)), 0);
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].option[TOE_OPT_SNDBUF], TOE_SNDBUF_MIN);
	v = 1 << 30;
	CU_ASSERT_EQUAL(toe_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)), 0);
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].option[TOE_OPT_RCVBUF], TOE_RCVBUF_MIN);
	CU_ASSERT_EQUAL(fake.flow[flow].option[TOE_OPT_SNDBUF], TOE_BUF_MAX);
	CU_ASSERT_EQUAL(toe_getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &v, &len), 0);
	CU_ASSERT_EQUAL(v, 2 * TOE_RCVBUF_MIN);
	CU_ASSERT_EQUAL(toe_getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &len), 0);
	CU_ASSERT_EQUAL(v, SOCK_STREAM);
	CU_ASSERT_EQUAL(toe_setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)), 0);
	v = 1234;
	CU_ASSERT_EQUAL(toe_setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &v, sizeof(v)), 0);
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].option[TOE_OPT_KEEPALIVE], 1);
	CU_ASSERT_EQUAL(fake.flow[flow].option[TOE_OPT_USER_TIMEOUT], 1234);
	CU_ASSERT_EQUAL(err(toe_setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &one, sizeof(one))),
			ENOPROTOOPT);
	CU_ASSERT_EQUAL(err(toe_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, 1)), EINVAL);
	CU_ASSERT_EQUAL(toe_setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	toe_close(fd);
	fake_step();
	CU_ASSERT(fake.flow[flow].aborted);
}

/* What is set before connect goes along with it, and is told by getsockopt. */
static void options__before_connect(void)
{
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1, v;
	static const struct {
		int name, bad, good;
	} t[] = { { TCP_MAXSEG, 87, 1000 },    { TCP_LINGER2, -1, 7 },  { TCP_KEEPIDLE, 32768, 5 },
		  { TCP_KEEPINTVL, 32768, 6 }, { TCP_KEEPCNT, 128, 3 }, { TCP_SYNCNT, 128, 4 },
		  { TCP_DEFER_ACCEPT, -1, 7 } };
	socklen_t len = sizeof(v);
	uint32_t flow;

	toe_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (t[i].bad > 0)
			CU_ASSERT_EQUAL(
			    err(toe_setsockopt(fd, IPPROTO_TCP, t[i].name, &t[i].bad, sizeof(int))),
			    EINVAL);
		CU_ASSERT_EQUAL(toe_setsockopt(fd, IPPROTO_TCP, t[i].name, &t[i].good, sizeof(int)),
				0);
		CU_ASSERT_EQUAL(toe_getsockopt(fd, IPPROTO_TCP, t[i].name, &v, &len), 0);
		CU_ASSERT_EQUAL(v, t[i].good);
	}
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	fake_step();
	flow = newest();
	CU_ASSERT_EQUAL(fake.flow[flow].born.flags, TOE_SO_NODELAY);
	CU_ASSERT_EQUAL(fake.flow[flow].born.maxseg, 1000);
	CU_ASSERT_EQUAL(fake.flow[flow].born.linger2_ms, 7000);
	CU_ASSERT_EQUAL(fake.flow[flow].born.keep_idle_s, 5);
	CU_ASSERT_EQUAL(fake.flow[flow].born.syncnt, 4);
	toe_close(fd);
	fake_step();
}

/*
 * Set after connect, by a program with one thread, which has not heard yet which flow it has become: told
 * to the FPC all the same.
 */
static void options__right_after_connect(void)
{
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	uint32_t flow;

	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	fake_start();
	CU_ASSERT_EQUAL(toe_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	fake_stop();
	fake_step();
	flow = newest();
	CU_ASSERT_EQUAL(fake.flow[flow].born.flags, 0);
	CU_ASSERT_EQUAL(fake.flow[flow].option[TOE_OPT_NODELAY], 1);
	toe_close(fd);
	fake_step();
}

/* Linux says whether it is the option or already the level that is unknown. */
static void options__unknown(void)
{
	socklen_t len = sizeof(int);
	uint32_t flow;
	int fd = fake_pair(&flow, 0), v;

	CU_ASSERT_EQUAL(err(toe_getsockopt(fd, SOL_SOCKET, 9999, &v, &len)), ENOPROTOOPT);
	CU_ASSERT_EQUAL(err(toe_getsockopt(fd, IPPROTO_TCP, 9999, &v, &len)), ENOPROTOOPT);
	CU_ASSERT_EQUAL(err(toe_getsockopt(fd, 77, 1, &v, &len)), EOPNOTSUPP);
	CU_ASSERT_EQUAL(err(toe_setsockopt(fd, 77, 1, &v, len)), ENOPROTOOPT);
	toe_close(fd);
	fake_step();
}

/* By name, as Linux spells them; what a listener has, its connections inherit. */
static void options__congestion(void)
{
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	char name[16] = "";
	socklen_t len = sizeof(name);
	uint32_t flow;

	CU_ASSERT_EQUAL(err(toe_setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "no-such-thing", 13)),
			ENOENT);
	CU_ASSERT_EQUAL(err(toe_setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0)), EINVAL);
	CU_ASSERT_EQUAL(toe_setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "dctcp", 5), 0);
	CU_ASSERT_EQUAL(toe_getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	CU_ASSERT_EQUAL(len, 16);
	CU_ASSERT_STRING_EQUAL(name, "dctcp");
	CU_ASSERT_EQUAL(do_connect(fd, "192.0.2.2", 80), EINPROGRESS);
	fake_step();
	flow = newest();
	CU_ASSERT_EQUAL(fake.flow[flow].born.cc, 1 + TOE_CC_DCTCP);
	len = 3;
	CU_ASSERT_EQUAL(toe_getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	CU_ASSERT_EQUAL(len, 3);
	toe_close(fd);
	fake_step();
}

static int set_int(int fd, int level, int name, int v)
{
	return err(toe_setsockopt(fd, level, name, &v, sizeof(v)));
}

static int get_int(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return toe_getsockopt(fd, level, name, &v, &len) ? -errno : v;
}

/* ip(7): a byte will do for a byte. What is IPv6's, a socket of IPv4 has not. */
static void options__of_ip(void)
{
	int fd = toe_socket(AF_INET, SOCK_STREAM, 0), fd6 = toe_socket(AF_INET6, SOCK_STREAM, 0);
	uint8_t byte = 0x48;

	CU_ASSERT_EQUAL(toe_setsockopt(fd, IPPROTO_IP, IP_TOS, &byte, 1), 0);
	CU_ASSERT_EQUAL(get_int(fd, IPPROTO_IP, IP_TOS), 0x48);
	byte = 9;
	CU_ASSERT_EQUAL(toe_setsockopt(fd, IPPROTO_IP, IP_TTL, &byte, 1), 0);
	CU_ASSERT_EQUAL(get_int(fd, IPPROTO_IP, IP_TTL), 9);
	CU_ASSERT_EQUAL(err(toe_setsockopt(fd, IPPROTO_IP, IP_TTL, &byte, 0)), EINVAL);
	CU_ASSERT_EQUAL(err(toe_setsockopt(fd6, IPPROTO_IPV6, IPV6_TCLASS, &byte, 1)), EINVAL);
	CU_ASSERT_EQUAL(set_int(fd6, IPPROTO_IPV6, IPV6_TCLASS, 0x20), 0);
	CU_ASSERT_EQUAL(get_int(fd6, IPPROTO_IPV6, IPV6_TCLASS), 0x20);
	CU_ASSERT_EQUAL(set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, 0x20), ENOPROTOOPT);
	CU_ASSERT(get_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS) < 0); /* as the kernel says it */
	toe_close(fd);
	toe_close(fd6);
}

/* socket(7): zero is for ever, and so is what no clock reaches; a time that has passed is over. */
static void options__time_limits(void)
{
	struct timeval tv = { .tv_sec = INT64_MAX / 100 };
	socklen_t len = sizeof(tv);
	uint32_t flow;
	int fd = fake_pair(&flow, 0);
	char b;

	CU_ASSERT_EQUAL(toe_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	fake_peer_send(flow, "x", 1);
	CU_ASSERT_EQUAL(toe_recv(fd, &b, 1, 0), 1);
	CU_ASSERT_EQUAL(toe_getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len), 0);
	CU_ASSERT_EQUAL(tv.tv_sec, 0);
	tv = (struct timeval){ -1, 0 };
	CU_ASSERT_EQUAL(toe_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	CU_ASSERT_EQUAL(err((int)toe_recv(fd, &b, 1, 0)), EAGAIN);
	tv.tv_usec = 1000000;
	CU_ASSERT_EQUAL(err(toe_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv))), EDOM);
	toe_close(fd);
	fake_step();
}

/* A connection has what its listener had; IPV6_V6ONLY comes too late for it, as on Linux. */
static void options__of_bind(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int l = toe_socket(AF_INET6, SOCK_STREAM, 0), fd = toe_socket(AF_INET6, SOCK_STREAM, 0);
	uint32_t flow;
	int c = fake_pair(&flow, 0);

	CU_ASSERT_EQUAL(get_int(c, SOL_SOCKET, SO_REUSEADDR), 0);
	CU_ASSERT_EQUAL(set_int(c, SOL_SOCKET, SO_REUSEADDR, 7), 0);
	CU_ASSERT_EQUAL(set_int(c, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	CU_ASSERT_EQUAL(get_int(c, SOL_SOCKET, SO_REUSEADDR), 1);
	CU_ASSERT_EQUAL(get_int(c, SOL_SOCKET, SO_REUSEPORT), 1);
	CU_ASSERT_EQUAL(set_int(c, IPPROTO_IPV6, IPV6_V6ONLY, 1), ENOPROTOOPT); /* IPv4 */
	CU_ASSERT_EQUAL(set_int(l, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CU_ASSERT_EQUAL(set_int(l, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
	CU_ASSERT_EQUAL(toe_bind(l, (struct sockaddr *)&a, sizeof(a)), 0);
	CU_ASSERT_EQUAL(get_int(l, SOL_SOCKET, SO_REUSEADDR), 1);
	CU_ASSERT_EQUAL(get_int(l, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	CU_ASSERT_EQUAL(set_int(l, IPPROTO_IPV6, IPV6_V6ONLY, 0), EINVAL);
	CU_ASSERT_EQUAL(get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	toe_close(c);
	toe_close(l);
	toe_close(fd);
	fake_step();
}

/* ip(7): how the path's MTU is found, and what is known of it. */
static void options__of_the_path(void)
{
	int fresh = toe_socket(AF_INET, SOCK_STREAM, 0), v;
	socklen_t len = sizeof(v);
	uint8_t byte = IP_PMTUDISC_DONT;
	uint32_t flow;
	int fd = fake_pair(&flow, 0);

	CU_ASSERT_EQUAL(get_int(fresh, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_WANT);
	CU_ASSERT_EQUAL(toe_setsockopt(fresh, IPPROTO_IP, IP_MTU_DISCOVER, &byte, 1), 0);
	CU_ASSERT_EQUAL(get_int(fresh, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT);
	CU_ASSERT_EQUAL(set_int(fresh, IPPROTO_IP, IP_MTU_DISCOVER, 6), EINVAL);
	CU_ASSERT_EQUAL(err(toe_getsockopt(fresh, IPPROTO_IP, IP_MTU, &v, &len)), ENOTCONN);
	CU_ASSERT_EQUAL(set_int(fresh, IPPROTO_IP, IP_MTU, 1400), ENOPROTOOPT);
	CU_ASSERT_EQUAL(set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE), 0);
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].option[TOE_OPT_PMTUDISC], TOE_PMTUDISC_PROBE);
	fake_peer_rst(flow, ECONNRESET);
	CU_ASSERT_EQUAL(err(toe_getsockopt(fd, IPPROTO_IP, IP_MTU, &v, &len)), ENOTCONN);
	toe_close(fresh);
	toe_close(fd);
}

/* What was set goes to the kernel's socket when the connection is its. */
static void options__follow_to_the_kernel(void)
{
	int fd = toe_socket(AF_INET, SOCK_STREAM, 0), v;
	socklen_t len = sizeof(v);

	CU_ASSERT_EQUAL(set_int(fd, SOL_SOCKET, SO_RCVBUF, 20000), 0);
	CU_ASSERT_EQUAL(set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 77), 0);
	CU_ASSERT_EQUAL(set_int(fd, IPPROTO_IP, IP_TTL, 9), 0);
	CU_ASSERT_EQUAL(set_int(fd, SOL_SOCKET, SO_PRIORITY, 1), 0); /* the kernel's now */
	CU_ASSERT(!getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &v, &len) && v == 40000);
	CU_ASSERT(!getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &v, &len) && v == 77);
	CU_ASSERT(!getsockopt(fd, IPPROTO_IP, IP_TTL, &v, &len) && v == 9);
	toe_close(fd);
}

/* As the kernel: what points nowhere is EFAULT, on a fresh socket, a listener and a connection. */
static void options__without_a_value(void)
{
	socklen_t len = sizeof(int), none = 0;
	uint32_t flow;
	int fds[3] = { toe_socket(AF_INET, SOCK_STREAM, 0), fake_listener(), fake_pair(&flow, 0) },
	    v;

	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(err(toe_setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, NULL, len)),
				EFAULT);
		CU_ASSERT_EQUAL(err(toe_setsockopt(fds[i], IPPROTO_TCP, TCP_CONGESTION, NULL, 4)),
				EFAULT);
		CU_ASSERT_EQUAL(err(toe_setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, NULL, 0)),
				EINVAL);
		CU_ASSERT_EQUAL(err(toe_getsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, NULL, &len)),
				EFAULT);
		CU_ASSERT_EQUAL(err(toe_getsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &v, NULL)),
				EFAULT);
		CU_ASSERT_EQUAL(toe_getsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, NULL, &none), 0);
		CU_ASSERT_EQUAL(err(toe_setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &v, -1)),
				EINVAL);
		toe_close(fds[i]);
	}
}

FAKE_MAIN("libtoe_options", T(options__of_a_connection), T(options__before_connect),
	  T(options__right_after_connect), T(options__unknown), T(options__congestion),
	  T(options__of_ip), T(options__time_limits), T(options__of_bind), T(options__of_the_path),
	  T(options__follow_to_the_kernel), T(options__without_a_value))
