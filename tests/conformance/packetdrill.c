/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack behind packetdrill's interface for shared objects (--so_filename). --so_flags repeats
 * what packetdrill does not tell: local=ADDRESS[,local=ADDRESS][,mtu=BYTES][,mss=BYTES][,sysctls=FILE].
 * `mss`: of a packet that is larger than the MTU.
 *
 * Scripts set Linux' sysctls, also in their midst. The tools that packetdrill.sh puts in the place of
 * sysctl, ip and tc append NAME=VALUE lines to FILE; what the engine or libtoe have the like of is set.
 * A queue of length 0 is a device that gives no frame back, for good.
 *
 * Preloaded too, it takes the calls that packetdrill makes on its own.
 *
 * Time only moves while packetdrill sleeps, waits for a packet, or asks what time it is.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "manager/toe.h"
#include "abi/ctrl.h"
#include "core/fpc.h"
#include "port/sim/sim.h"
#include "calls.h"
#include "offload.h"
#include "stack.h"

/* The table that packetdrill has filled in; the order of the members is its. */
struct packetdrill_interface {
	void *userdata;
	void (*free)(void *u);
	int (*socket)(void *u, int domain, int type, int protocol);
	int (*bind)(void *u, int fd, const struct sockaddr *a, socklen_t len);
	int (*listen)(void *u, int fd, int backlog);
	int (*accept)(void *u, int fd, struct sockaddr *a, socklen_t *len);
	int (*connect)(void *u, int fd, const struct sockaddr *a, socklen_t len);
	ssize_t (*read)(void *u, int fd, void *b, size_t n);
	ssize_t (*readv)(void *u, int fd, const struct iovec *v, int n);
	ssize_t (*recv)(void *u, int fd, void *b, size_t n, int flags);
	ssize_t (*recvfrom)(void *u, int fd, void *b, size_t n, int flags, struct sockaddr *a,
			    socklen_t *len);
	ssize_t (*recvmsg)(void *u, int fd, struct msghdr *m, int flags);
	ssize_t (*write)(void *u, int fd, const void *b, size_t n);
	ssize_t (*writev)(void *u, int fd, const struct iovec *v, int n);
	ssize_t (*send)(void *u, int fd, const void *b, size_t n, int flags);
	ssize_t (*sendto)(void *u, int fd, const void *b, size_t n, int flags,
			  const struct sockaddr *a, socklen_t len);
	ssize_t (*sendmsg)(void *u, int fd, const struct msghdr *m, int flags);
	int (*fcntl)(void *u, int fd, int cmd, ...);
	int (*ioctl)(void *u, int fd, unsigned long request, ...);
	int (*close)(void *u, int fd);
	int (*shutdown)(void *u, int fd, int how);
	int (*getsockopt)(void *u, int fd, int level, int name, void *v, socklen_t *len);
	int (*setsockopt)(void *u, int fd, int level, int name, const void *v, socklen_t len);
	int (*poll)(void *u, struct pollfd *f, nfds_t n, int timeout);
	int (*netdev_send)(void *u, const void *ip, size_t n);
	int (*netdev_receive)(void *u, void *b, size_t *n, long long *at_us);
	int (*usleep)(void *u, useconds_t us);
	int (*gettimeofday)(void *u, struct timeval *tv, struct timezone *tz);
	int (*epoll_create)(void *u, int size);
	int (*epoll_ctl)(void *u, int ep, int op, int fd, struct epoll_event *e);
	int (*epoll_wait)(void *u, int ep, struct epoll_event *e, int max, int timeout);
	int (*pipe)(void *u, int fd[2]);
	int (*splice)(void *u, int in, loff_t *in_off, int out, loff_t *out_off, size_t n,
		      unsigned int flags);
};

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *ifc);

enum {
	SILENCE_US = 300000000, /* without a packet */
	FDS = 1024, /* descriptors that scripts come to */
	RETURN_SPINS =
	    20000, /* looks at whether a thread that came out of a call has noted the time */
};

/* Of net.ipv4.tcp_fastopen. */
enum {
	FASTOPEN_CLIENT = 0x1,
	FASTOPEN_SERVER = 0x2,
	FASTOPEN_CLIENT_NO_COOKIE = 0x4,
	FASTOPEN_SERVER_NO_COOKIE = 0x200,
	FASTOPEN_LISTENERS = 0x400, /* without TCP_FASTOPEN too */
};

static struct {
	char *file;
	long seen; /* bytes of it */
	unsigned fastopen;
	unsigned notsent_lowat; /* of sockets that have no TCP_NOTSENT_LOWAT; 0: none */
} sysctls = { .fastopen = FASTOPEN_CLIENT | FASTOPEN_SERVER };

/* By descriptor: the script has set TCP_NOTSENT_LOWAT, here or on the listener. */
static bool own_lowat[FDS];

static pthread_t main_thread;
static bool is_open;
static unsigned link_mtu, offload_mss;
/* A call of another thread has returned, and that thread has not asked yet what time it is. */
static uint32_t returned;

static bool is_main(void)
{
	return pthread_equal(pthread_self(), main_thread);
}

static void set(const char *name, unsigned v)
{
	static const uint8_t ecn[] = { TOE_ECN_OFF, TOE_ECN_ON, TOE_ECN_PASSIVE };
	struct toe_port *p = stack_port();

	if (!strcmp(name, "net.ipv4.tcp_ecn"))
		p->ctrl->ecn = ecn[v < 3 ? v : 2];
	else if (!strcmp(name, "net.ipv4.tcp_timestamps"))
		p->ctrl->no_ts = !v;
	else if (!strcmp(name, "net.ipv4.tcp_fastopen"))
		sysctls.fastopen = v;
	else if (!strcmp(name, "net.ipv4.tcp_notsent_lowat"))
		sysctls.notsent_lowat = v == UINT32_MAX ? 0 : v;
	else if (!strcmp(name, "net.ipv4.tcp_fastopen_cookies") || !strcmp(name, "tcp_metrics"))
		memset(p->fpc[0]->fast, 0, sizeof(p->fpc[0]->fast));
	else if (!strcmp(name, "qdisc_limit") && !v)
		p->nfree = p->fpc[0]->spare[0].n = 0;
}

static void read_sysctls(void)
{
	FILE *f = sysctls.file ? fopen(sysctls.file, "r") : NULL;
	char line[256], *value;

	if (!f)
		return;
	fseek(f, sysctls.seen, SEEK_SET);
	while (fgets(line, sizeof(line), f)) {
		value = strchr(line, '=');
		if (!value)
			continue;
		*value = 0;
		set(line, (unsigned)strtoul(value + 1, NULL, 0));
	}
	sysctls.seen = ftell(f);
	fclose(f);
}

static void follow_sysctls(void)
{
	stack_enter();
	read_sysctls();
	stack_leave();
}

static void enter(void)
{
	stack_enter();
	read_sysctls();
}

static void leave(void)
{
	int err = errno;

	if (!is_main())
		__atomic_store_n(&returned, 1, __ATOMIC_RELEASE);
	stack_leave();
	errno = err;
}

/* Time stands still until a call that returned has been stamped. */
static void await_stamp(void)
{
	for (unsigned i = 0; __atomic_load_n(&returned, __ATOMIC_ACQUIRE) && i < RETURN_SPINS; i++)
		poll(NULL, 0, i < 100 ? 0 : 1);
}

static void run_to(uint64_t t, bool packet)
{
	await_stamp();
	while (stack_now() < t && !(packet && stack_pending())) {
		stack_run(t, packet);
		await_stamp();
	}
}

#define CALL(expression) \
	({ \
		enter(); \
		__typeof__(expression) r_ = (expression); \
		leave(); \
		r_; \
	})

static void do_free(void *u)
{
}

static bool has_own_lowat(int fd)
{
	return fd >= 0 && fd < FDS && own_lowat[fd];
}

static void mark_lowat(int fd, bool own)
{
	if (fd >= 0 && fd < FDS)
		own_lowat[fd] = own;
}

/* A socket begins with what the sysctl says; a listener's connections take it over. */
static int new_socket(int domain, int type, int protocol)
{
	int fd = toe_socket(domain, type, protocol);

	mark_lowat(fd, false);
	if (fd >= 0 && sysctls.notsent_lowat)
		toe_setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &sysctls.notsent_lowat,
			       sizeof(sysctls.notsent_lowat));
	return fd;
}

static int accept_socket(int listener, struct sockaddr *a, socklen_t *len)
{
	int fd = toe_accept(listener, a, len);

	mark_lowat(fd, has_own_lowat(listener));
	return fd;
}

static int do_socket(void *u, int domain, int type, int protocol)
{
	return CALL(new_socket(domain, type, protocol));
}

static int do_bind(void *u, int fd, const struct sockaddr *a, socklen_t len)
{
	return CALL(toe_bind(fd, a, len));
}

/* What the sysctl says of all sockets. */
static void no_cookie(int fd, unsigned flag)
{
	int on = 1;

	if (sysctls.fastopen & flag)
		toe_setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &on, sizeof(on));
}

static int listen_fast(int fd, int backlog)
{
	const unsigned all = FASTOPEN_SERVER | FASTOPEN_LISTENERS;
	socklen_t len = sizeof(int);
	int had, err = toe_listen(fd, backlog);

	no_cookie(fd, FASTOPEN_SERVER_NO_COOKIE);
	if (err || (sysctls.fastopen & all) != all)
		return err;
	if (!toe_getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &had, &len) && !had)
		toe_setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &backlog, sizeof(backlog));
	return 0;
}

static int do_listen(void *u, int fd, int backlog)
{
	return CALL(listen_fast(fd, backlog));
}

static int do_accept(void *u, int fd, struct sockaddr *a, socklen_t *len)
{
	return CALL(accept_socket(fd, a, len));
}

static int do_connect(void *u, int fd, const struct sockaddr *a, socklen_t len)
{
	return CALL(toe_connect(fd, a, len));
}

static ssize_t do_read(void *u, int fd, void *b, size_t n)
{
	return CALL(toe_read(fd, b, n));
}

static ssize_t do_readv(void *u, int fd, const struct iovec *v, int n)
{
	return CALL(toe_readv(fd, v, n));
}

static ssize_t do_recv(void *u, int fd, void *b, size_t n, int flags)
{
	return CALL(toe_recv(fd, b, n, flags));
}

static ssize_t do_recvfrom(void *u, int fd, void *b, size_t n, int flags, struct sockaddr *a,
			   socklen_t *len)
{
	return CALL(toe_recv(fd, b, n, flags));
}

static ssize_t do_recvmsg(void *u, int fd, struct msghdr *m, int flags)
{
	return CALL(toe_recvmsg(fd, m, flags));
}

static ssize_t do_write(void *u, int fd, const void *b, size_t n)
{
	return CALL(toe_write(fd, b, n));
}

static ssize_t do_writev(void *u, int fd, const struct iovec *v, int n)
{
	return CALL(toe_writev(fd, v, n));
}

static ssize_t do_send(void *u, int fd, const void *b, size_t n, int flags)
{
	return CALL(toe_send(fd, b, n, flags));
}

static ssize_t sendto_fast(int fd, const void *b, size_t n, int flags, const struct sockaddr *a,
			   socklen_t len)
{
	if (flags & MSG_FASTOPEN)
		no_cookie(fd, FASTOPEN_CLIENT_NO_COOKIE);
	return call_sendto(fd, b, n, flags, a, len);
}

static ssize_t do_sendto(void *u, int fd, const void *b, size_t n, int flags,
			 const struct sockaddr *a, socklen_t len)
{
	follow_sysctls();
	if (flags & MSG_FASTOPEN && !(sysctls.fastopen & FASTOPEN_CLIENT)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return CALL(sendto_fast(fd, b, n, flags, a, len));
}

static ssize_t do_sendmsg(void *u, int fd, const struct msghdr *m, int flags)
{
	return CALL(toe_sendmsg(fd, m, flags));
}

static int do_fcntl(void *u, int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return CALL(toe_fcntl(fd, cmd, arg));
}

static int do_ioctl(void *u, int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return CALL(toe_ioctl(fd, request, arg));
}

static int do_close(void *u, int fd)
{
	return CALL(toe_close(fd));
}

static int do_shutdown(void *u, int fd, int how)
{
	return CALL(toe_shutdown(fd, how));
}

/* What a socket has of the sysctl is no option of its own. */
static int get_option(int fd, int level, int name, void *v, socklen_t *len)
{
	int err = toe_getsockopt(fd, level, name, v, len);

	if (!err && level == IPPROTO_TCP && name == TCP_NOTSENT_LOWAT && !has_own_lowat(fd))
		memset(v, 0, *len);
	return err;
}

static int do_getsockopt(void *u, int fd, int level, int name, void *v, socklen_t *len)
{
	return CALL(get_option(fd, level, name, v, len));
}

static int set_option(int fd, int level, int name, const void *v, socklen_t len)
{
	int err = toe_setsockopt(fd, level, name, v, len);

	if (!err && level == IPPROTO_TCP && name == TCP_NOTSENT_LOWAT)
		mark_lowat(fd, true);
	return err;
}

static int do_setsockopt(void *u, int fd, int level, int name, const void *v, socklen_t len)
{
	follow_sysctls();
	if (level == IPPROTO_TCP && name == TCP_FASTOPEN_CONNECT &&
	    !(sysctls.fastopen & FASTOPEN_CLIENT)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return CALL(set_option(fd, level, name, v, len));
}

static int do_poll(void *u, struct pollfd *f, nfds_t n, int timeout)
{
	return CALL(call_poll(f, n, timeout));
}

static int do_epoll_create(void *u, int size)
{
	return CALL(call_epoll_create(size));
}

static int do_epoll_ctl(void *u, int ep, int op, int fd, struct epoll_event *e)
{
	return CALL(toe_epoll_ctl(ep, op, fd, e));
}

static int do_epoll_wait(void *u, int ep, struct epoll_event *e, int max, int timeout)
{
	return CALL(toe_epoll_wait(ep, e, max, timeout));
}

static int do_pipe(void *u, int fd[2])
{
	return pipe(fd);
}

/* The offsets are what a script says in their place: NULL is 0. */
static int do_splice(void *u, int in, loff_t *in_off, int out, loff_t *out_off, size_t n,
		     unsigned int flags)
{
	return CALL(
	    (int)toe_splice(in, *in_off ? in_off : NULL, out, *out_off ? out_off : NULL, n, flags));
}

/* libtoe's own calls come here too. */
ssize_t sendfile(int out, int in, off_t *off, size_t n)
{
	if (!is_open || stack_inside())
		return syscall(SYS_sendfile, out, in, off, n);
	return CALL(toe_sendfile(out, in, off, n));
}

static int do_netdev_send(void *u, const void *ip, size_t n)
{
	follow_sysctls();
	offload_inject(ip, n, link_mtu, offload_mss);
	stack_run(stack_now(), false);
	await_stamp();
	return 0;
}

static int do_netdev_receive(void *u, void *b, size_t *n, long long *at_us)
{
	uint64_t at, end = stack_now() + SILENCE_US;
	size_t len;

	while (!(len = stack_packet(b, *n, &at)) && stack_now() < end)
		run_to(end, true);
	if (!len) { /* it would ask again for ever */
		fprintf(stderr, "no packet leaves the stack any more\n");
		exit(1);
	}
	*n = len;
	*at_us = (long long)at + STACK_EPOCH_S * 1000000ll;
	return 0;
}

static int do_usleep(void *u, useconds_t us)
{
	run_to(stack_now() + us, false);
	return 0;
}

/*
 * Packetdrill spins on this before an event, in whatever thread will make the call: each look takes
 * a microsecond. A thread that comes out of a call that may block asks when that was.
 */
static int do_gettimeofday(void *u, struct timeval *tv, struct timezone *tz)
{
	uint64_t now;

	if (is_main() || !__atomic_load_n(&returned, __ATOMIC_ACQUIRE))
		run_to(stack_now() + 1, false);
	now = stack_now();
	if (!is_main())
		__atomic_store_n(&returned, 0, __ATOMIC_RELEASE);
	tv->tv_sec = (time_t)(now / 1000000 + STACK_EPOCH_S);
	tv->tv_usec = (suseconds_t)(now % 1000000);
	return 0;
}

static void parse_flags(const char *flags, struct stack_conf *c)
{
	char *text = strdup(flags ? flags : ""), *save = NULL;

	for (char *t = strtok_r(text, ",", &save); t; t = strtok_r(NULL, ",", &save)) {
		if (!strncmp(t, "mtu=", 4))
			c->mtu = (unsigned)atoi(t + 4);
		else if (!strncmp(t, "sysctls=", 8))
			sysctls.file = strdup(t + 8);
		else if (!strncmp(t, "mss=", 4))
			offload_mss = (unsigned)atoi(t + 4);
		else if (!strncmp(t, "local=", 6) && strchr(t, ':'))
			inet_pton(AF_INET6, t + 6, c->local6);
		else if (!strncmp(t, "local=", 6))
			inet_pton(AF_INET, t + 6, c->local4);
		else
			fprintf(stderr, "packetdrill_toe: what is '%s'?\n", t);
	}
	free(text);
}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *ifc)
{
	struct stack_conf c = { .mtu = 1500, .ecn = TOE_ECN_PASSIVE };
	int err;

	main_thread = pthread_self();
	munlockall(); /* or the whole arena would be made resident */
	parse_flags(flags, &c);
	err = stack_open(&c);
	if (err) {
		fprintf(stderr, "packetdrill_toe: %s\n", strerror(-err));
		exit(1);
	}
	link_mtu = c.mtu;
	is_open = true;
	*ifc = (struct packetdrill_interface){
		.free = do_free,
		.socket = do_socket,
		.bind = do_bind,
		.listen = do_listen,
		.accept = do_accept,
		.connect = do_connect,
		.read = do_read,
		.readv = do_readv,
		.recv = do_recv,
		.recvfrom = do_recvfrom,
		.recvmsg = do_recvmsg,
		.write = do_write,
		.writev = do_writev,
		.send = do_send,
		.sendto = do_sendto,
		.sendmsg = do_sendmsg,
		.fcntl = do_fcntl,
		.ioctl = do_ioctl,
		.close = do_close,
		.shutdown = do_shutdown,
		.getsockopt = do_getsockopt,
		.setsockopt = do_setsockopt,
		.poll = do_poll,
		.netdev_send = do_netdev_send,
		.netdev_receive = do_netdev_receive,
		.usleep = do_usleep,
		.gettimeofday = do_gettimeofday,
		.epoll_create = do_epoll_create,
		.epoll_ctl = do_epoll_ctl,
		.epoll_wait = do_epoll_wait,
		.pipe = do_pipe,
		.splice = do_splice,
	};
}
