/* SPDX-License-Identifier: BSD-2-Clause */
/* Names that scripts may use for numbers. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/errqueue.h> /* needs time.h */
#include <linux/net_tstamp.h>

#include "script.h"

#define N(name) \
	{ \
#name, name \
	}

static const struct {
	const char *name;
	int64_t value;
} names[] = {
	N(AF_INET),
	N(AF_INET6),
	N(AF_UNSPEC),
	N(SOCK_STREAM),
	N(SOCK_DGRAM),
	N(SOCK_NONBLOCK),
	N(SOCK_CLOEXEC),
	N(IPPROTO_TCP),
	N(IPPROTO_IP),
	N(IPPROTO_IPV6),
	N(SOL_SOCKET),
	{ "SOL_TCP", IPPROTO_TCP },
	{ "SOL_IP", IPPROTO_IP },
	{ "SOL_IPV6", IPPROTO_IPV6 },
	N(SO_REUSEADDR),
	N(SO_REUSEPORT),
	N(SO_ERROR),
	N(SO_TYPE),
	N(SO_KEEPALIVE),
	N(SO_LINGER),
	N(SO_RCVBUF),
	N(SO_SNDBUF),
	N(SO_RCVLOWAT),
	N(SO_RCVTIMEO),
	N(SO_SNDTIMEO),
	N(SO_OOBINLINE),
	N(SO_ACCEPTCONN),
	N(SO_DOMAIN),
	N(SO_PROTOCOL),
	N(SO_BROADCAST),
	N(TCP_NODELAY),
	N(TCP_MAXSEG),
	N(TCP_CORK),
	N(TCP_KEEPIDLE),
	N(TCP_KEEPINTVL),
	N(TCP_KEEPCNT),
	N(TCP_SYNCNT),
	N(TCP_LINGER2),
	N(TCP_DEFER_ACCEPT),
	N(TCP_INQ),
	N(TCP_CM_INQ),
	N(TCP_WINDOW_CLAMP),
	N(TCP_INFO),
	N(TCP_QUICKACK),
	N(TCP_CONGESTION),
	N(TCP_USER_TIMEOUT),
	N(TCP_FASTOPEN),
	N(TCP_FASTOPEN_CONNECT),
	N(TCP_FASTOPEN_KEY),
	N(TCP_FASTOPEN_NO_COOKIE),
	N(TCP_NOTSENT_LOWAT),
	N(TCP_TIMESTAMP),
	N(IPV6_V6ONLY),
	N(IPV6_TCLASS),
	N(IPV6_UNICAST_HOPS),
	N(IP_TOS),
	N(IP_TTL),
	N(IP_MTU_DISCOVER),
	N(IP_PMTUDISC_DONT),
	N(IP_PMTUDISC_WANT),
	N(IP_PMTUDISC_DO),
	N(IP_PMTUDISC_PROBE),
	N(IP_FREEBIND),
	N(IP_MTU),
	N(IPV6_MTU),
	N(MSG_OOB),
	N(MSG_PEEK),
	N(MSG_TRUNC),
	N(MSG_DONTWAIT),
	N(MSG_WAITALL),
	N(MSG_NOSIGNAL),
	N(MSG_MORE),
	N(MSG_FASTOPEN),
	N(MSG_ERRQUEUE),
	N(MSG_EOR),
	N(MSG_ZEROCOPY),
	N(SO_TIMESTAMP),
	N(SO_TIMESTAMPNS),
	N(SO_TIMESTAMPING),
	N(SCM_TIMESTAMP),
	N(SCM_TIMESTAMPNS),
	N(SCM_TIMESTAMPING),
	N(SOF_TIMESTAMPING_TX_SOFTWARE),
	N(SOF_TIMESTAMPING_TX_SCHED),
	N(SOF_TIMESTAMPING_TX_ACK),
	N(SOF_TIMESTAMPING_RX_SOFTWARE),
	N(SOF_TIMESTAMPING_SOFTWARE),
	N(SOF_TIMESTAMPING_OPT_ID),
	N(SOF_TIMESTAMPING_OPT_TSONLY),
	N(SOF_TIMESTAMPING_OPT_STATS),
	{ "SOF_TIMESTAMPING_OPT_ID_TCP", 1 << 16 }, /* newer than some headers */
	N(SCM_TSTAMP_SND),
	N(SCM_TSTAMP_SCHED),
	N(SCM_TSTAMP_ACK),
	N(IP_RECVERR),
	N(IPV6_RECVERR),
	N(SO_EE_ORIGIN_TIMESTAMPING),
	N(SO_EE_ORIGIN_ZEROCOPY),
	N(SO_EE_CODE_ZEROCOPY_COPIED),
	N(SHUT_RD),
	N(SHUT_WR),
	N(SHUT_RDWR),
	N(F_GETFL),
	N(F_SETFL),
	N(F_GETFD),
	N(F_SETFD),
	N(O_RDWR),
	N(O_RDONLY),
	N(O_NONBLOCK),
	N(FIONREAD),
	N(FIONBIO),
	N(SIOCINQ),
	N(SIOCOUTQ),
	N(SIOCATMARK),
	N(SIOCOUTQNSD),
	N(POLLIN),
	N(POLLOUT),
	N(POLLPRI),
	N(POLLERR),
	N(POLLHUP),
	N(POLLNVAL),
	N(POLLRDNORM),
	N(POLLWRNORM),
	N(POLLRDBAND),
	N(POLLRDHUP),
	N(EPOLLIN),
	N(EPOLLOUT),
	N(EPOLLPRI),
	N(EPOLLERR),
	N(EPOLLHUP),
	N(EPOLLRDHUP),
	N(EPOLLRDNORM),
	N(EPOLLWRNORM),
	{ "EPOLLET", (uint32_t)EPOLLET },
	N(EPOLLONESHOT),
	N(EPOLL_CTL_ADD),
	N(EPOLL_CTL_MOD),
	N(EPOLL_CTL_DEL),
	N(TCP_CA_Open),
	N(TCP_CA_Disorder),
	N(TCP_CA_CWR),
	N(TCP_CA_Recovery),
	N(TCP_CA_Loss),
	N(TCPI_OPT_TIMESTAMPS),
	N(TCPI_OPT_SACK),
	N(TCPI_OPT_WSCALE),
	N(TCPI_OPT_ECN),
	{ "TCP_ESTABLISHED", 1 },
	{ "TCP_SYN_SENT", 2 },
	{ "TCP_SYN_RECV", 3 },
	{ "TCP_FIN_WAIT1", 4 },
	{ "TCP_FIN_WAIT2", 5 },
	{ "TCP_TIME_WAIT", 6 },
	{ "TCP_CLOSE", 7 },
	{ "TCP_CLOSE_WAIT", 8 },
	{ "TCP_LAST_ACK", 9 },
	{ "TCP_LISTEN", 10 },
	{ "TCP_CLOSING", 11 },
	{ "NULL", 0 },
};

static const struct {
	const char *name;
	int value;
} errors[] = {
	N(EACCES),
	N(EADDRINUSE),
	N(EADDRNOTAVAIL),
	N(EAFNOSUPPORT),
	N(EAGAIN),
	N(EALREADY),
	N(EBADF),
	N(ECONNABORTED),
	N(ECONNREFUSED),
	N(ECONNRESET),
	N(EDESTADDRREQ),
	N(EFAULT),
	N(EHOSTUNREACH),
	N(EINPROGRESS),
	N(EINTR),
	N(EINVAL),
	N(EISCONN),
	N(EMSGSIZE),
	N(ENETUNREACH),
	N(ENOBUFS),
	N(ENOENT),
	N(ENOMEM),
	N(ENOPROTOOPT),
	N(ENOTCONN),
	N(ENOTSOCK),
	N(EOPNOTSUPP),
	N(EPIPE),
	N(EPROTO),
	N(EPROTONOSUPPORT),
	N(ETIMEDOUT),
	N(ENOTTY),
	N(EDOM),
	N(EPERM),
	N(ENOMSG),
	N(ENETDOWN),
	N(EHOSTDOWN),
	{ "EWOULDBLOCK", EAGAIN },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

bool symbol_value(const char *name, int64_t *v)
{
	for (unsigned i = 0; i < COUNT(names); i++) {
		if (!strcmp(names[i].name, name)) {
			*v = names[i].value;
			return true;
		}
	}
	*v = symbol_errno_of(name);
	return *v != 0;
}

int symbol_errno_of(const char *name)
{
	for (unsigned i = 0; i < COUNT(errors); i++)
		if (!strcmp(errors[i].name, name))
			return errors[i].value;
	return 0;
}

const char *symbol_errno(int err)
{
	for (unsigned i = 0; i < COUNT(errors); i++)
		if (errors[i].value == err)
			return errors[i].name;
	return "an error without a name";
}

static const struct {
	bool v6;
	const char *type, *code;
	uint8_t t, c;
} icmp[] = {
	{ false, "unreachable", "net_unreachable", 3, 0 },
	{ false, "unreachable", "host_unreachable", 3, 1 },
	{ false, "unreachable", "protocol_unreachable", 3, 2 },
	{ false, "unreachable", "port_unreachable", 3, 3 },
	{ false, "unreachable", "frag_needed", 3, 4 },
	{ false, "unreachable", "source_route_failed", 3, 5 },
	{ false, "unreachable", "admin_prohibited", 3, 13 },
	{ false, "source_quench", "", 4, 0 },
	{ false, "redirect", "", 5, 1 },
	{ false, "time_exceeded", "", 11, 0 },
	{ false, "parameter_problem", "", 12, 0 },
	{ true, "unreachable", "no_route", 1, 0 },
	{ true, "unreachable", "admin_prohibited", 1, 1 },
	{ true, "unreachable", "address_unreachable", 1, 3 },
	{ true, "unreachable", "port_unreachable", 1, 4 },
	{ true, "packet_too_big", "", 2, 0 },
	{ true, "time_exceeded", "", 3, 0 },
	{ true, "parameter_problem", "", 4, 0 },
};

bool symbol_icmp(bool v6, const char *type, const char *code, uint8_t *t, uint8_t *c)
{
	for (unsigned i = 0; i < COUNT(icmp); i++) {
		if (icmp[i].v6 != v6 || strcmp(icmp[i].type, type) || strcmp(icmp[i].code, code))
			continue;
		*t = icmp[i].t;
		*c = icmp[i].c;
		return true;
	}
	return false;
}
