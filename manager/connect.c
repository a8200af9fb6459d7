/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Active opens. toed chooses route, source and next hop (a grant); the FPC does the handshake.
 * Destinations that the TOE does not serve get a kernel socket, on the same descriptor.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <unistd.h>

#include "connect.h"
#include "toe.h"
#include "transfer.h"

enum { ASSIGN_US = 1000000 }; /* an FPC that takes longer is not waited for */

static bool connect_done(struct tm_sock *s)
{
	uint8_t kind = tm_kind(s);

	if (kind == TM_FLOW)
		return toe_load_acquire(&s->fb->dev.flags) &
		       (TOE_FLOW_ESTABLISHED | TOE_FLOW_EAGER | TOE_FLOW_ERROR);
	return kind != TM_CONNECT;
}

/* The SYN waits for data, or has left with some, and no answer has come (TCP Fast Open). */
static bool eager(struct tm_sock *s)
{
	return tm_kind(s) == TM_FLOW &&
	       (toe_load_acquire(&s->fb->dev.flags) &
		(TOE_FLOW_ESTABLISHED | TOE_FLOW_EAGER | TOE_FLOW_ERROR)) == TOE_FLOW_EAGER;
}

/* Such a SYN waits for data no longer; it may have left without any. */
static bool syn_released(struct tm_sock *s)
{
	return toe_load(&s->fb->app.tx_end) || !tm_eager_space(s);
}

/* What connect reports of a failure; then the socket is as new. */
static int take_failure(struct tm_sock *s)
{
	int err = tm_take_error(s);

	tm_clear(s, TM_S_FAILED);
	return -(err ? err : ECONNABORTED);
}

/* The socket is without its flow, and undecided again. Under tm_big. */
static void renew(struct tm_sock *s, bool abort)
{
	tm_flow_end(s, abort);
	tm_clear(s, TM_S_SHUT_RD | TM_S_SHUT_WR);
	toe_store_release(&s->kind, TM_FRESH);
}

/* The handshake has an outcome: report it. After a failure the socket can be used again. */
static int connect_result(struct tm_sock *s)
{
	uint8_t kind = tm_kind(s);
	int err;

	if (kind == TM_FRESH)
		return take_failure(s);
	if (kind != TM_FLOW) /* another thread has closed it, and it may be something else by now */
		return kind == TM_LISTEN ? -EISCONN : -EBADF;
	if (toe_load_acquire(&s->fb->dev.flags) & TOE_FLOW_ERROR) {
		err = take_failure(s);
		tm_big_lock();
		if (tm_kind(s) == TM_FLOW) /* nobody else has asked meanwhile, or closed it */
			renew(s, false);
		tm_big_unlock();
		return err;
	}
	if (!eager(s))
		tm_set(s, TM_S_CONNECTED);
	return 0;
}

static bool assigned(void *s)
{
	return tm_kind(s) != TM_CONNECT;
}

void tm_connect_await(struct tm_ctx *c, struct tm_sock *s)
{
	tm_flush(c);
	tm_wait(c, assigned, s, -1, tm_now_us() + ASSIGN_US);
}

/*
 * If others may wait for the socket, the thread that connects must not leave before it knows the flow:
 * it may never look again.
 */
static void let_go(struct tm_ctx *c, struct tm_sock *s)
{
	if (__libc_single_threaded)
		tm_flush(c);
	else
		tm_connect_await(c, s);
}

/* `pending`: what to say while there is no outcome, when it is not, or no longer, waited for. */
static int connect_wait(struct tm_ctx *c, struct tm_sock *s, int fd, bool nonblock, int pending)
{
	uint64_t deadline = tm_deadline(s->opt.sndtimeo_us);
	int err;

	if (!connect_done(s) && nonblock) {
		let_go(c, s);
		if (!connect_done(s))
			return pending;
	} else if (!connect_done(s)) {
		err = tm_sock_wait(c, s, fd, connect_done, -1, deadline);
		if (err)
			return err == -EAGAIN ? pending : err;
	}
	return connect_result(s);
}

/*
 * A kernel socket that was only bound: its address goes into the request, its port is given back.
 * 1: it has another interface than the destination, which the kernel knows how to refuse.
 */
static int take_bound(struct tm_sock *s, int fd, struct toe_adm_req *req)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct tm_addr a = { 0 };

	if (!tm_has(s, TM_S_KERNEL) || !tm_has(s, TM_S_BOUND))
		return 0;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	tm_addr_in(s->family, (struct sockaddr *)&ss, len, &a);
	if (a.ifindex && req->ifindex && a.ifindex != req->ifindex)
		return 1;
	if (a.ifindex)
		req->ifindex = a.ifindex;
	req->lport = tm_has(s, TM_S_ANY_PORT) ? 0 : a.port;
	if (!tm_addr_any(a.ip))
		memcpy(req->laddr, a.ip, sizeof(req->laddr));
	return 0;
}

/* IPV6_V6ONLY keeps a socket from IPv4-mapped addresses: the kernel says how. */
static bool v6only(struct tm_sock *s, int fd, const struct tm_addr *to)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return s->family == AF_INET6 && tm_has(s, TM_S_KERNEL) && tm_addr_is_v4(to->ip) &&
	       !getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, &len) && on;
}

static void to_placeholder(int fd, void *arg)
{
	int flags = fcntl(fd, F_GETFD);

	dup3(tm_proc.placeholder, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
}

/* toed's word on a connect. 0: *ans has a grant; 1: the kernel's business; -errno. */
static int ask_toed(struct tm_sock *s, int fd, const struct sockaddr *addr, socklen_t len,
		    struct toe_adm_req *req, struct toe_adm_ans *ans)
{
	struct tm_addr to;
	int err = tm_addr_in(s->family, addr, len, &to);

	if (err)
		return err;
	memcpy(req->addr, to.ip, sizeof(req->addr));
	req->port = to.port;
	req->ifindex = to.ifindex;
	err = v6only(s, fd, &to) ? 1 : take_bound(s, fd, req);
	if (err)
		return err;
	err = tm_adm_call(req, ans, -1, NULL);
	if (err == -EPIPE || err == -ECONNRESET || (!err && ans->flags & TOE_ADM_KERNEL))
		return 1;
	if (err)
		return err;
	return ans->fpc < tm_proc.nfpcs && ans->grant < TOE_MAX_GRANTS ? 0 : -EPROTO;
}

/* The grant is used: TOE_SW_CONNECT is out. Under tm_big. */
static void begin(struct tm_ctx *c, struct tm_sock *s, const struct toe_adm_req *req,
		  const struct toe_adm_ans *ans, uint32_t fast)
{
	if (tm_has(s, TM_S_KERNEL)) {
		tm_each_fd(s, to_placeholder, NULL);
		tm_clear(s, TM_S_KERNEL | TM_S_BOUND | TM_S_ANY_PORT);
	}
	memcpy(s->laddr, ans->laddr, 16);
	memcpy(s->raddr, req->addr, 16);
	s->lport = ans->lport;
	s->rport = req->port;
	s->ifindex = ans->ifindex;
	s->error = 0;
	s->fpc = (uint8_t)ans->fpc;
	tm_clear(s, TM_S_FAILED | TM_S_ERROR_TAKEN | TM_S_CONNECTED);
	toe_store_release(&s->kind, TM_CONNECT);
	*toe_arena_grant_opts(tm_proc.arena, ans->grant) = s->opt.so;
	toe_arena_grant_opts(tm_proc.arena, ans->grant)->flags |= fast;
	tm_push(c, ans->fpc, TOE_SW_CONNECT, 0, 0, ans->grant,
		(uint64_t)s->serial << 32 | tm_sock_index(s));
}

enum { KERNELS = 1, BEGUN = 2 };

/*
 * 0: TOE_SW_CONNECT is out; KERNELS: the kernel's business; BEGUN: another thread was faster, a grant
 * that we got meanwhile expires; -errno. `fast`: TOE_SO_FASTOPEN and kin.
 */
static int connect_start(struct tm_ctx *c, struct tm_sock *s, int fd, const struct sockaddr *addr,
			 socklen_t len, uint32_t fast)
{
	struct toe_adm_req req = { .type = TOE_ADM_REQ_CONNECT, .ctx = c->id };
	uint32_t serial = toe_load(&s->serial);
	struct toe_adm_ans ans;
	int err = ask_toed(s, fd, addr, len, &req, &ans);

	tm_big_lock();
	if (!tm_fds[fd])
		err = KERNELS; /* made so, or closed: the kernel knows */
	else if (tm_fds[fd] != s || s->serial != serial)
		err = -EBADF;
	else if (tm_kind(s) != TM_FRESH)
		err = BEGUN;
	else if (!err)
		begin(c, s, &req, &ans, fast);
	tm_big_unlock();
	/* Only the FPC knows whether it has a cookie, and it is about to say so. */
	if (!err && fast)
		tm_wait(c, assigned, s, -1, tm_now_us() + ASSIGN_US);
	return err;
}

/* It was closed before its flow was known (tm_release). */
static void orphaned(struct tm_sock *s)
{
	if (!tm_take(s, TM_S_ORPHAN))
		return;
	if (tm_kind(s) == TM_FLOW)
		tm_flow_end(s, true);
	tm_sock_reap(s);
}

/* Who waits for the socket already gets the flow's notifications. */
static void hand_over(struct tm_ctx *c, struct tm_sock *s)
{
	uint64_t waiters;
	unsigned to;

	/* Who begins to wait sees the flow, or is seen here. */
	waiters = toe_load(&s->waiters);
	if (waiters >> c->id & 1)
		return;
	to = waiters ? (unsigned)__builtin_ctzll(waiters) : tm_ep_wants(s);
	if (to != TM_NO_CTX)
		tm_bind(c, s, to);
}

struct tm_sock *tm_connect_assigned(struct tm_ctx *c, unsigned fpc, const struct toe_cmd *cmd)
{
	struct tm_sock *s = tm_sock_at((uint32_t)cmd->pos);

	if (!s || tm_kind(s) != TM_CONNECT || s->serial != cmd->pos >> 32 ||
	    (!cmd->flags && cmd->flow >= TOE_MAX_FLOWS))
		return NULL;
	if (cmd->flags) {
		s->error = cmd->flags;
		tm_set(s, TM_S_FAILED);
		toe_store_release(&s->kind, TM_FRESH);
	} else {
		s->bind_ctx = (uint8_t)c->id;
		s->bind_pos = c->r[fpc].sw_tail;
		tm_flow_begin(s, cmd->flow, cmd->gen, (uint8_t)c->id);
	}
	toe_fence_full();
	if (tm_has(s, TM_S_ORPHAN)) {
		orphaned(s);
		return NULL;
	}
	if (!cmd->flags)
		hand_over(c, s);
	return s;
}

/* connect on a socket that has begun or finished one. */
static int connect_again(struct tm_ctx *c, struct tm_sock *s, int fd)
{
	tm_connect_look(s);
	if (tm_kind(s) == TM_LISTEN || tm_has(s, TM_S_CONNECTED))
		return -EISCONN;
	if (eager(s))
		return syn_released(s) ? -EALREADY : -EISCONN;
	return connect_wait(c, s, fd, tm_has(s, TM_S_NONBLOCK), -EALREADY);
}

/*
 * AF_UNSPEC dissolves the association: the connection is reset, a listener listens no more, the socket is
 * as new.
 */
static int disconnect(struct tm_sock *s, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct tm_ctx *c;
	uint8_t kind;
	int err;

	if (tm_kind(s) == TM_LISTEN) {
		tm_stop_listening(s, fd);
		return (int)tm_sys(connect(fd, addr, len));
	}
	c = tm_kind(s) == TM_CONNECT ? tm_ctx_get(&err) : NULL;
	if (c)
		tm_connect_await(c, s);
	tm_big_lock();
	kind = tm_kind(s);
	if (kind == TM_FLOW) {
		/* As Linux: for the next call or SO_ERROR; who waits has EPIPE (tm_sock_wait). */
		s->error = tm_ended(s) ? tm_take_error(s) : ECONNRESET;
		toe_store(&s->serial, s->serial + 1);
		renew(s, true);
		tm_clear(s, TM_S_CONNECTED);
	}
	tm_big_unlock();
	if (kind != TM_FLOW)
		return kind == TM_FRESH ? 0 : -EOPNOTSUPP;
	tm_ep_event(s, ~0u, tm_self);
	tm_ctx_wake(toe_load(&s->waiters));
	return 0;
}

void tm_connect_renew(struct tm_sock *s)
{
	tm_connect_look(s);
	tm_big_lock();
	if (tm_kind(s) == TM_FLOW && !tm_has(s, TM_S_CONNECTED) &&
	    toe_load_acquire(&s->fb->dev.flags) & TOE_FLOW_ERROR) {
		s->error = tm_take_error(s);
		tm_set(s, TM_S_FAILED);
		renew(s, false);
	}
	tm_big_unlock();
}

bool tm_connect_give_up(struct tm_sock *s)
{
	bool connecting;

	tm_big_lock();
	connecting = tm_kind(s) == TM_FLOW && !connect_done(s);
	if (connecting) {
		s->error = ECONNRESET;
		renew(s, true);
	}
	tm_big_unlock();
	return connecting;
}

/* The kernel makes the connection; another thread may have seen to that. */
static int to_kernel(struct tm_sock *s, int fd)
{
	int err;

	tm_big_lock();
	err = tm_fds[fd] ? tm_to_kernel(s, fd) : 0;
	tm_big_unlock();
	return err;
}

static int kernel_connect(struct tm_sock *s, int fd, const struct sockaddr *addr, socklen_t len)
{
	int err = to_kernel(s, fd);

	return err ? err : (int)tm_sys(connect(fd, addr, len));
}

static int do_connect(struct tm_sock *s, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct tm_ctx *c;
	int err;

	if (tm_kind(s) == TM_EPOLL)
		return -ENOTSOCK;
	if (len < (socklen_t)sizeof(sa_family_t) || len > sizeof(struct sockaddr_storage))
		return -EINVAL;
	if (!addr)
		return -EFAULT;
	if (addr->sa_family == AF_UNSPEC)
		return disconnect(s, fd, addr, len);
	if (tm_kind(s) == TM_FRESH && tm_has(s, TM_S_FAILED) && s->error)
		return take_failure(s);
	c = tm_has(s, TM_S_KERNEL_ONLY) ? NULL : tm_ctx_get(&err);
	if (!c)
		return kernel_connect(s, fd, addr, len);
	if (tm_kind(s) != TM_FRESH)
		return connect_again(c, s, fd);
	err = connect_start(c, s, fd, addr, len, s->opt.so.flags & TOE_SO_FASTOPEN);
	if (err == BEGUN)
		return connect_again(c, s, fd);
	if (err == KERNELS)
		return kernel_connect(s, fd, addr, len);
	return err ? err : connect_wait(c, s, fd, tm_has(s, TM_S_NONBLOCK), -EINPROGRESS);
}

static ssize_t kernel_sendmsg(struct tm_sock *s, int fd, const struct msghdr *msg, int flags)
{
	int err = to_kernel(s, fd);

	return err ? err : tm_sys(sendmsg(fd, msg, flags));
}

/* What MSG_FASTOPEN finds of a connect that has begun: 0 if there is one to send by. */
static int fast_again(struct tm_sock *s)
{
	if (!connect_done(s))
		return -EALREADY;
	if (eager(s))
		return syn_released(s) ? -EALREADY : 0;
	return tm_has(s, TM_S_CONNECTED) ? -EISCONN : connect_result(s);
}

/* The connecting half of tm_tx_connect. KERNELS; 0 or -errno. */
static int connect_first(struct tm_sock *s, int fd, const struct msghdr *msg, int flags,
			 uint32_t fast)
{
	const struct sockaddr *addr = msg->msg_name;
	bool nonblock = tm_has(s, TM_S_NONBLOCK) || flags & MSG_DONTWAIT;
	struct tm_ctx *c;
	int err;

	if (addr && msg->msg_namelen >= sizeof(sa_family_t) && addr->sa_family == AF_UNSPEC)
		return -EOPNOTSUPP;
	tm_connect_look(s);
	if (tm_kind(s) != TM_FRESH)
		return fast_again(s);
	if (!addr || msg->msg_namelen < sizeof(sa_family_t))
		return -EINVAL;
	if (tm_has(s, TM_S_FAILED) && s->error)
		return take_failure(s);
	c = tm_has(s, TM_S_KERNEL_ONLY) ? NULL : tm_ctx_get(&err);
	if (!c)
		return KERNELS;
	err = connect_start(c, s, fd, addr, msg->msg_namelen, fast);
	if (err == BEGUN)
		return fast_again(s);
	return err ? err : connect_wait(c, s, fd, nonblock, -EINPROGRESS);
}

ssize_t tm_tx_connect(struct tm_sock *s, int fd, const struct msghdr *msg, int flags)
{
	struct tm_iter it;
	int err = tm_iter_init(&it, msg->msg_iov, msg->msg_iovlen);

	if (!err)
		err = connect_first(s, fd, msg, flags,
				    TOE_SO_FASTOPEN | (it.left ? 0 : TOE_SO_FASTOPEN_BARE));
	if (err == KERNELS)
		return kernel_sendmsg(s, fd, msg, flags);
	return err ? tm_tx_error(err, flags) : tm_tx(s, fd, &it, flags & ~MSG_FASTOPEN);
}

int toe_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct tm_sock *s = tm_sock_of(fd);

	return s ? (int)tm_ret(do_connect(s, fd, addr, len)) : connect(fd, addr, len);
}
