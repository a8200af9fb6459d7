/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fcntl and ioctl. Flags of the descriptor are the kernel's (a placeholder has its own), flags of
 * the open description are kept in the object: placeholders share theirs.
 */
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "connect.h"
#include "info.h"
#include "toe.h"

static void set_nonblock(struct tm_sock *s, bool on)
{
	if (on)
		tm_set(s, TM_S_NONBLOCK);
	else
		tm_clear(s, TM_S_NONBLOCK);
}

static int dup_fd(struct tm_sock *s, int fd, int cmd, long arg)
{
	int r;

	tm_big_lock();
	r = tm_fds[fd] == s ? (int)tm_sys(fcntl(fd, cmd, arg)) : -EBADF; /* closed meanwhile */
	if (r >= TM_MAX_FD) {
		close(r);
		r = -EMFILE;
	}
	if (r >= 0)
		tm_fd_install(r, s);
	tm_big_unlock();
	return r;
}

static int set_flags(struct tm_sock *s, int fd, long arg)
{
	if (arg & O_ASYNC && !tm_has(s, TM_S_KERNEL))
		return -EOPNOTSUPP;
	set_nonblock(s, arg & O_NONBLOCK);
	/*
	 * A listener's kernel socket stays non-blocking whatever the application wants (listen.c).
	 */
	if (tm_has(s, TM_S_KERNEL))
		return (int)tm_sys(
		    fcntl(fd, F_SETFL, tm_kind(s) == TM_LISTEN ? arg | O_NONBLOCK : arg));
	return 0;
}

static int get_flags(struct tm_sock *s, int fd)
{
	int fl = tm_has(s, TM_S_KERNEL) ? (int)tm_sys(fcntl(fd, F_GETFL)) : O_RDWR;

	if (fl < 0)
		return fl;
	return tm_has(s, TM_S_NONBLOCK) ? fl | O_NONBLOCK : fl & ~O_NONBLOCK;
}

int toe_fcntl(int fd, int cmd, ...)
{
	struct tm_sock *s = tm_sock_of(fd);
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
		return s ? (int)tm_ret(dup_fd(s, fd, cmd, arg)) : tm_fd_kernel(fcntl(fd, cmd, arg));
	if (!s || tm_kind(s) == TM_EPOLL)
		return fcntl(fd, cmd, arg);
	if (cmd == F_SETFL)
		return (int)tm_ret(set_flags(s, fd, (int)arg));
	if (cmd == F_GETFL)
		return (int)tm_ret(get_flags(s, fd));
	if (cmd == F_SETOWN && !tm_has(s, TM_S_KERNEL))
		return 0; /* names who gets SIGIO and SIGURG, of which there are none */
	return fcntl(fd, cmd, arg);
}

/* Values that a connection answers by itself. */
static int flow_ioctl(struct tm_sock *s, unsigned long request, int *v)
{
	struct toe_flow_info info;
	uint64_t at;
	int err;

	switch (request) {
	case FIONREAD: /* SIOCINQ is the same */
		tm_urg_look(s);
		*v = (int)tm_rx_avail(s);
		at = tm_urg_at(s);
		if (at != UINT64_MAX && !s->opt.oobinline)
			*v = (int)(at - toe_load(&s->fb->app.rx_read));
		return 0;
	case SIOCOUTQ:
		*v = (int)tm_tx_used(s);
		return 0;
	case SIOCOUTQNSD:
		err = tm_flow_info(s, &info);
		*v = (int)info.notsent;
		return err;
	case SIOCATMARK:
		tm_urg_look(s);
		*v = tm_urg_at(s) == toe_load(&s->fb->app.rx_read);
		return 0;
	case FIOASYNC:
		return *v ? -EOPNOTSUPP : 0;
	default:
		return -ENOTTY;
	}
}

/* The same of a connect whose flow is not known yet. */
static int connecting_ioctl(struct tm_sock *s, unsigned long request, int *v)
{
	switch (request) {
	case FIONREAD:
	case SIOCOUTQ:
	case SIOCOUTQNSD:
	case SIOCATMARK:
		*v = 0;
		return 0;
	default:
		return flow_ioctl(s, request, v);
	}
}

/* The placeholder of an undecided socket is of another family: a kernel socket in its stead knows. */
static int fresh_ioctl(struct tm_sock *s, int fd, unsigned long request, void *arg)
{
	int err;

	tm_big_lock();
	err = tm_materialise(s, fd);
	tm_big_unlock();
	return err ? err : (int)tm_sys(ioctl(fd, request, arg));
}

int toe_ioctl(int fd, unsigned long request, ...)
{
	struct tm_sock *s = tm_sock_of(fd);
	int none = 0, err;
	uint8_t kind;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!s || tm_kind(s) == TM_EPOLL)
		return ioctl(fd, request, arg);
	if (request == FIONBIO && !arg)
		return (int)tm_ret(-EFAULT);
	if (request == FIONBIO) {
		set_nonblock(s, *(int *)arg);
		return tm_has(s, TM_S_KERNEL) && tm_kind(s) != TM_LISTEN ? ioctl(fd, request, arg)
									 : 0;
	}
	tm_connect_look(s);
	kind = tm_kind(s);
	if (request == FIOCLEX || request == FIONCLEX || kind == TM_LISTEN)
		return ioctl(fd, request, arg);
	if (kind == TM_FRESH)
		return (int)tm_ret(fresh_ioctl(s, fd, request, arg));
	err = kind == TM_CONNECT ? connecting_ioctl(s, request, arg ? arg : &none)
				 : flow_ioctl(s, request, arg ? arg : &none);
	return (int)tm_ret(err || arg ? err : -EFAULT);
}
