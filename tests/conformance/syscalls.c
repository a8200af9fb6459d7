/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "syscalls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "calls.h"
#include "manager/toe.h"
#include "wire.h"

enum { MAX_FD = 256, MAX_IOV = 8, MAX_POLL = 8 };

/* By the script's number. */
static struct {
	int fd; /* -1: not open */
	uint64_t tx, rx; /* bytes of the streams so far */
} fds[MAX_FD];
static int last_fd = -1;
static bool ready;

int syscall_last_fd(void)
{
	return last_fd;
}

void wrong(struct running *r, const char *fmt, ...)
{
	va_list ap;

	if (r->why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
}

/* Arguments */

static struct expr *arg(const struct running *r, unsigned i)
{
	struct expr *x = r->e->call.arg;

	while (x && i--)
		x = x->next;
	if (!x)
		script_fail(r->e->line, "%s: too few arguments", r->e->call.name);
	return x;
}

static bool has_arg(const struct running *r, unsigned i)
{
	struct expr *x = r->e->call.arg;

	while (x && i--)
		x = x->next;
	return x;
}

static int64_t num(const struct running *r, unsigned i)
{
	struct expr *x = arg(r, i);

	if (x->kind != X_INT)
		script_fail(r->e->line, "%s: argument %u must be a number", r->e->call.name, i + 1);
	return x->num;
}

static int live_fd(int64_t fd)
{
	return fd >= 0 && fd < MAX_FD && fds[fd].fd >= 0 ? fds[fd].fd : 1000000 + (int)fd;
}

static int fd_arg(const struct running *r, unsigned i)
{
	return live_fd(num(r, i));
}

static void add_fd(const struct running *r, int64_t live)
{
	struct expr *x = r->e->call.result;

	if (live < 0 || x->kind != X_INT || x->num < 0 || x->num >= MAX_FD)
		return;
	fds[x->num].fd = (int)live;
	fds[x->num].tx = fds[x->num].rx = 0;
}

static socklen_t address(const struct running *r, struct expr *x, bool local,
			 struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *a4 = (struct sockaddr_in *)ss;
	enum family f = r->script->family;

	memset(ss, 0, sizeof(*ss));
	if (x->kind == X_STRUCT) {
		a4->sin_family = (sa_family_t)field_num(r, x, "sa_family");
		a4->sin_port =
		    htons((uint16_t)(field(x, "sin_port") ? field_num(r, x, "sin_port") : 0));
		if (field(x, "sin_addr"))
			inet_pton(AF_INET, field(x, "sin_addr")->str, &a4->sin_addr);
		return sizeof(*a4);
	}
	if (f == F_V4) {
		*a4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(LOCAL_PORT) };
		memcpy(&a4->sin_addr, local ? wire_local(false) : wire_remote(false), 4);
		return sizeof(*a4);
	}
	*a6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(LOCAL_PORT) };
	if (f == F_V6) {
		memcpy(&a6->sin6_addr, local ? wire_local(true) : wire_remote(true), 16);
	} else {
		memset(a6->sin6_addr.s6_addr + 10, 0xff, 2);
		memcpy(a6->sin6_addr.s6_addr + 12, local ? wire_local(false) : wire_remote(false),
		       4);
	}
	return sizeof(*a6);
}

/* Streams */

static void fill(const struct running *r, uint8_t *b, size_t n)
{
	uint64_t at = fds[num(r, 0) & (MAX_FD - 1)].tx;

	for (size_t i = 0; i < n; i++)
		b[i] = wire_byte(true, (uint32_t)(at + i));
}

static void sent(const struct running *r, int64_t n)
{
	if (n > 0)
		fds[num(r, 0) & (MAX_FD - 1)].tx += (uint64_t)n;
}

static void check_read(struct running *r, const uint8_t *b, int64_t n, int64_t flags)
{
	uint64_t *at = &fds[num(r, 0) & (MAX_FD - 1)].rx;

	for (int64_t i = 0; i < n && !r->script->payload_any && !(flags & MSG_TRUNC); i++)
		if (b[i] != wire_byte(false, (uint32_t)(*at + (uint64_t)i)))
			wrong(r, "byte %llu of the stream is not what was sent",
			      (unsigned long long)(*at + (uint64_t)i));
	if (n > 0 && !(flags & (MSG_PEEK | MSG_OOB)))
		*at += (uint64_t)n;
}

static int64_t call_send(struct running *r, int64_t n, int flags, bool plain)
{
	uint8_t *b = malloc((size_t)n + 1);
	int64_t ret;

	fill(r, b, (size_t)n);
	ret = plain ? toe_write(fd_arg(r, 0), b, (size_t)n)
		    : toe_send(fd_arg(r, 0), b, (size_t)n, flags);
	sent(r, ret);
	free(b);
	return ret;
}

static int64_t call_recv(struct running *r, int64_t n, int flags, bool plain)
{
	uint8_t *b = malloc((size_t)n + 1);
	int64_t ret;
	int err;

	ret = plain ? toe_read(fd_arg(r, 0), b, (size_t)n)
		    : toe_recv(fd_arg(r, 0), b, (size_t)n, flags);
	err = errno;
	check_read(r, b, ret, flags);
	free(b);
	errno = err;
	return ret;
}

static int64_t sys_write(struct running *r)
{
	return call_send(r, num(r, 2), 0, true);
}

static int64_t sys_send(struct running *r)
{
	return call_send(r, num(r, 2), (int)num(r, 3), false);
}

static int64_t sys_sendto(struct running *r)
{
	size_t n = (size_t)num(r, 2);
	struct sockaddr_storage ss;
	socklen_t len = 0;
	uint8_t *b = malloc(n + 1);
	int64_t ret;

	fill(r, b, n);
	if (arg(r, 4)->kind != X_INT)
		len = address(r, arg(r, 4), false, &ss);
	ret = call_sendto(fd_arg(r, 0), b, n, (int)num(r, 3), len ? (struct sockaddr *)&ss : NULL,
			  len);
	sent(r, ret);
	free(b);
	return ret;
}

static int64_t sys_read(struct running *r)
{
	return call_recv(r, num(r, 2), 0, true);
}

static int64_t sys_recv(struct running *r)
{
	return call_recv(r, num(r, 2), (int)num(r, 3), false);
}

/* [{..., 100}, {..., 200}]: buffers one behind the other. Their sum. */
static size_t iovec_arg(const struct running *r, struct expr *x, struct iovec *v, int *n)
{
	size_t all = 0;

	*n = 0;
	for (x = x->child; x && *n < MAX_IOV; x = x->next) {
		if (!x->child || !x->child->next || x->child->next->kind != X_INT)
			script_fail(r->e->line, "an iovec is {..., LENGTH}");
		v[*n].iov_len = (size_t)x->child->next->num;
		all += v[(*n)++].iov_len;
	}
	return all;
}

static uint8_t *iovec_buffer(struct iovec *v, int n, size_t all)
{
	uint8_t *b = malloc(all + 1), *p = b;

	for (int i = 0; i < n; p += v[i++].iov_len)
		v[i].iov_base = p;
	return b;
}

/* `m`: sendmsg's or recvmsg's, else NULL. */
static int64_t vector(struct running *r, struct expr *x, int flags, bool out, struct msghdr *m)
{
	struct iovec v[MAX_IOV];
	int n, err;
	size_t all = iovec_arg(r, x, v, &n);
	uint8_t *b = iovec_buffer(v, n, all);
	int fd = fd_arg(r, 0);
	int64_t ret;

	if (out)
		fill(r, b, all);
	if (m) {
		m->msg_iov = v;
		m->msg_iovlen = (size_t)n;
		ret = out ? toe_sendmsg(fd, m, flags) : toe_recvmsg(fd, m, flags);
	} else {
		ret = out ? toe_writev(fd, v, n) : toe_readv(fd, v, n);
	}
	err = errno;
	if (out)
		sent(r, ret);
	else
		check_read(r, b, ret, flags);
	free(b);
	errno = err;
	return ret;
}

static int64_t sys_writev(struct running *r)
{
	return vector(r, arg(r, 1), 0, true, NULL);
}

static int64_t sys_readv(struct running *r)
{
	return vector(r, arg(r, 1), 0, false, NULL);
}

static int64_t sys_sendmsg(struct running *r)
{
	uint8_t b[MAX_CONTROL] __attribute__((aligned(8)));
	struct msghdr m = { 0 };

	control_make(r, field(arg(r, 1), "msg_control"), &m, b);
	return vector(r, field(arg(r, 1), "msg_iov"), (int)num(r, 2), true, &m);
}

static int64_t sys_recvmsg(struct running *r)
{
	uint8_t b[MAX_CONTROL] __attribute__((aligned(8)));
	struct expr *flags = field(arg(r, 1), "msg_flags");
	struct msghdr m = { .msg_control = b, .msg_controllen = sizeof(b) };
	int64_t ret = vector(r, field(arg(r, 1), "msg_iov"), (int)num(r, 2), false, &m);

	if (ret >= 0 && flags && m.msg_flags != flags->num)
		wrong(r, "msg_flags: expected 0x%x, got 0x%x", (unsigned)flags->num, m.msg_flags);
	if (ret >= 0)
		control_check(r, field(arg(r, 1), "msg_control"), &m);
	return ret;
}

/* Life */

static int64_t sys_socket(struct running *r)
{
	int64_t domain = arg(r, 0)->kind == X_INT    ? num(r, 0)
			 : r->script->family == F_V4 ? AF_INET
						     : AF_INET6;
	int fd = toe_socket((int)domain, (int)num(r, 1), (int)num(r, 2));

	add_fd(r, fd);
	if (fd >= 0)
		last_fd = fd;
	return fd;
}

static int64_t sys_bind(struct running *r)
{
	struct sockaddr_storage ss;
	socklen_t len = address(r, arg(r, 1), true, &ss);

	return toe_bind(fd_arg(r, 0), (struct sockaddr *)&ss, len);
}

static int64_t sys_listen(struct running *r)
{
	return toe_listen(fd_arg(r, 0), (int)num(r, 1));
}

static int64_t accepted(struct running *r, int flags)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd = toe_accept4(fd_arg(r, 0), (struct sockaddr *)&ss, &len, flags);

	add_fd(r, fd);
	if (fd >= 0)
		last_fd = fd;
	return fd;
}

static int64_t sys_accept(struct running *r)
{
	return accepted(r, 0);
}

static int64_t sys_accept4(struct running *r)
{
	return accepted(r, (int)num(r, 3));
}

static int64_t sys_connect(struct running *r)
{
	struct sockaddr_storage ss;
	socklen_t len = address(r, arg(r, 1), false, &ss);

	return toe_connect(fd_arg(r, 0), (struct sockaddr *)&ss, len);
}

static int64_t sys_shutdown(struct running *r)
{
	return toe_shutdown(fd_arg(r, 0), (int)num(r, 1));
}

static int64_t sys_close(struct running *r)
{
	int fd = fd_arg(r, 0);
	int64_t ret = toe_close(fd);

	if (!ret) {
		fds[num(r, 0)].fd = -1;
		if (last_fd == fd)
			last_fd = -1;
	}
	return ret;
}

static int64_t sys_dup(struct running *r)
{
	int64_t fd = toe_fcntl(fd_arg(r, 0), F_DUPFD, 0);

	add_fd(r, fd);
	return fd;
}

/* Options */

static size_t option_value(const struct running *r, struct expr *x, uint8_t *b)
{
	struct timeval tv;
	int v[2];

	if (x->kind == X_LIST)
		x = x->child;
	if (!x || x->kind == X_ANY)
		return 0;
	if (x->kind == X_STRING) {
		strcpy((char *)b, x->str);
		return strlen(x->str);
	}
	if (x->kind == X_STRUCT && field(x, "onoff")) {
		v[0] = (int)field_num(r, x, "onoff");
		v[1] = (int)field_num(r, x, "linger");
		memcpy(b, v, sizeof(v));
		return sizeof(v);
	}
	if (x->kind == X_STRUCT) {
		tv.tv_sec = field_num(r, x, "tv_sec");
		tv.tv_usec = field_num(r, x, "tv_usec");
		memcpy(b, &tv, sizeof(tv));
		return sizeof(tv);
	}
	v[0] = (int)x->num;
	memcpy(b, v, sizeof(*v));
	return sizeof(*v);
}

static int64_t sys_setsockopt(struct running *r)
{
	uint8_t b[256] = { 0 };

	option_value(r, arg(r, 3), b);
	return toe_setsockopt(fd_arg(r, 0), (int)num(r, 1), (int)num(r, 2), b,
			      (socklen_t)num(r, 4));
}

static void compare_option(struct running *r, const uint8_t *want, size_t n, const uint8_t *got,
			   socklen_t len)
{
	int a, b;

	if (len < n) {
		wrong(r, "%u bytes of value", len);
	} else if (memcmp(want, got, n) || (arg(r, 3)->kind == X_STRING && got[n])) {
		memcpy(&a, want, sizeof(a));
		memcpy(&b, got, sizeof(b));
		if (arg(r, 3)->kind == X_STRING)
			wrong(r, "value: expected \"%s\", got \"%.*s\"", want, (int)len, got);
		else
			wrong(r, "value: expected %d, got %d", a, b);
	}
}

static int64_t sys_getsockopt(struct running *r)
{
	uint8_t want[256] = { 0 }, got[256] = { 0 };
	size_t n = option_value(r, arg(r, 3), want);
	struct expr *x = arg(r, 4);
	socklen_t len = (socklen_t)(x->kind == X_LIST ? x->child->num : x->num);
	int64_t ret = toe_getsockopt(fd_arg(r, 0), (int)num(r, 1), (int)num(r, 2), got, &len);
	int err = errno;

	if (!ret)
		compare_option(r, want, n, got, len);
	errno = err;
	return ret;
}

static int64_t sys_fcntl(struct running *r)
{
	return toe_fcntl(fd_arg(r, 0), (int)num(r, 1), has_arg(r, 2) ? (long)num(r, 2) : 0l);
}

static int64_t sys_ioctl(struct running *r)
{
	struct expr *x = arg(r, 2);
	int v = x->kind == X_LIST && x->child->kind == X_INT ? (int)x->child->num : 0, want = v;
	int64_t ret = toe_ioctl(fd_arg(r, 0), (unsigned long)num(r, 1), &v);

	if (!ret && num(r, 1) != FIONBIO && v != want)
		wrong(r, "value: expected %d, got %d", want, v);
	return ret;
}

/* Waiting */

static int64_t sys_poll(struct running *r)
{
	struct pollfd p[MAX_POLL];
	struct expr *x = arg(r, 0)->child;
	unsigned n = 0;
	int64_t ret;

	for (; x && n < MAX_POLL; x = x->next)
		p[n++] = (struct pollfd){ .fd = live_fd(field_num(r, x, "fd")),
					  .events = (short)field_num(r, x, "events") };
	ret = call_poll(p, n, (int)num(r, 2));
	x = arg(r, 0)->child;
	for (unsigned i = 0; i < n; i++, x = x->next)
		if (field(x, "revents") && p[i].revents != field_num(r, x, "revents"))
			wrong(r, "revents: expected 0x%x, got 0x%x",
			      (unsigned)field_num(r, x, "revents"), (unsigned)p[i].revents);
	return ret;
}

static int64_t sys_epoll_create(struct running *r)
{
	int fd = call_epoll_create((int)num(r, 0));

	add_fd(r, fd);
	return fd;
}

static int64_t sys_epoll_ctl(struct running *r)
{
	struct epoll_event ev = { 0 };

	if (arg(r, 3)->kind == X_STRUCT) {
		ev.events = (uint32_t)field_num(r, arg(r, 3), "events");
		ev.data.u64 = (uint64_t)num(r, 2);
	}
	return toe_epoll_ctl(fd_arg(r, 0), (int)num(r, 1), fd_arg(r, 2), &ev);
}

static int64_t sys_epoll_wait(struct running *r)
{
	struct epoll_event ev = { 0 };
	struct expr *x = arg(r, 1);
	int64_t ret = toe_epoll_wait(fd_arg(r, 0), &ev, 1, (int)num(r, 3));

	if (ret > 0 && x->kind == X_STRUCT && ev.events != field_num(r, x, "events"))
		wrong(r, "events: expected 0x%x, got 0x%x", (unsigned)field_num(r, x, "events"),
		      ev.events);
	if (ret > 0 && x->kind == X_STRUCT && field(x, "fd") &&
	    ev.data.u64 != (uint64_t)field_num(r, x, "fd"))
		wrong(r, "fd: got %u", ev.data.u32);
	return ret;
}

static const struct {
	const char *name;
	int64_t (*f)(struct running *r);
	bool fd; /* gives a descriptor: its number is the script's */
} calls[] = {
	{ "socket", sys_socket, true },
	{ "bind", sys_bind, false },
	{ "listen", sys_listen, false },
	{ "accept", sys_accept, true },
	{ "accept4", sys_accept4, true },
	{ "connect", sys_connect, false },
	{ "read", sys_read, false },
	{ "recv", sys_recv, false },
	{ "readv", sys_readv, false },
	{ "recvmsg", sys_recvmsg, false },
	{ "write", sys_write, false },
	{ "send", sys_send, false },
	{ "sendto", sys_sendto, false },
	{ "writev", sys_writev, false },
	{ "sendmsg", sys_sendmsg, false },
	{ "shutdown", sys_shutdown, false },
	{ "close", sys_close, false },
	{ "dup", sys_dup, true },
	{ "setsockopt", sys_setsockopt, false },
	{ "getsockopt", sys_getsockopt, false },
	{ "fcntl", sys_fcntl, false },
	{ "ioctl", sys_ioctl, false },
	{ "poll", sys_poll, false },
	{ "epoll_create", sys_epoll_create, true },
	{ "epoll_ctl", sys_epoll_ctl, false },
	{ "epoll_wait", sys_epoll_wait, false },
};

static unsigned find(const struct running *r)
{
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, r->e->call.name))
			return i;
	script_fail(r->e->line, "%s: no such call here", r->e->call.name);
}

void syscall_run(void *running)
{
	struct running *r = running;

	for (int i = 0; i < MAX_FD && !ready; i++)
		fds[i].fd = -1;
	ready = true;
	errno = 0;
	r->ret = calls[find(r)].f(r);
	r->err = r->ret < 0 ? errno : 0;
}

const char *syscall_verdict(const struct running *r)
{
	static char text[512];
	const struct call *c = &r->e->call;
	char got[64];

	if (r->ret < 0)
		snprintf(got, sizeof(got), "-1 %s", symbol_errno(r->err));
	else
		snprintf(got, sizeof(got), "%lld", (long long)r->ret);
	if (c->result->kind == X_INT) {
		bool fd = calls[find(r)].fd && c->result->num >= 0;

		if (c->result->num < 0 && (r->ret >= 0 || r->err != c->err))
			snprintf(text, sizeof(text), "%s: expected -1 %s, got %s", c->name,
				 symbol_errno(c->err), got);
		else if (c->result->num >= 0 && (fd ? r->ret < 0 : r->ret != c->result->num))
			snprintf(text, sizeof(text), "%s: expected %lld, got %s", c->name,
				 (long long)c->result->num, got);
		else if (!r->why[0])
			return NULL;
		else
			snprintf(text, sizeof(text), "%s: %s", c->name, r->why);
		return text;
	}
	if (!r->why[0])
		return NULL;
	snprintf(text, sizeof(text), "%s: %s", c->name, r->why);
	return text;
}
