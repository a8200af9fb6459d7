/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What toed does for one application: memory, contexts, listeners, grants. Requests come over a
 * real socket, as libtoe sends them, and are answered in the thread that waits for the answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/flow_hash.h"
#include "manager/admission_answer.h"
#include "port/sim/sim.h"
#include "stack.h"

enum { APP = 0, CLIENTS = 4, NEXT_HOP = 1 };

static struct {
	struct toe_port *p;
	struct stack_conf conf;
	int listen_fd, arena_fd, fpc_evfd;
	int client[CLIENTS];
	unsigned nclients;
	int ctx_evfd[TOE_MAX_CTXS];
	uint16_t next_port;
} d;

static struct toe_arena_hdr *hdr(void)
{
	return (struct toe_arena_hdr *)d.p->arena[APP];
}

static void reply(int fd, const struct toe_adm_ans *ans, const int *fds, unsigned n)
{
	if (toe_adm_answer(fd, ans, fds, n) < 0)
		perror("toed: sendmsg");
}

static void attach(int fd)
{
	struct toe_adm_ans ans = { .nfpcs = d.p->conf.nfpcs,
				   .arena_size = toe_arena_size(d.p->conf.big_slots) };
	int fds[1 + TOE_MAX_FPCS] = { d.arena_fd };

	for (unsigned i = 0; i < ans.nfpcs; i++)
		fds[1 + i] = d.fpc_evfd;
	reply(fd, &ans, fds, 1 + ans.nfpcs);
}

static void context(int fd)
{
	struct toe_adm_ans ans = { .ctx = (uint32_t)__builtin_ctzll(~hdr()->ctxs) };

	if (d.ctx_evfd[ans.ctx] < 0)
		d.ctx_evfd[ans.ctx] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	hdr()->ctxs |= 1ull << ans.ctx;
	reply(fd, &ans, &d.ctx_evfd[ans.ctx], 1);
}

static bool is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* Our address of a family, as the tuple has it. False: none. */
static bool local_addr(bool v6, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (v6) {
		memcpy(addr, d.conf.local6, 16);
		return !is_zero(addr, 16);
	}
	addr[10] = addr[11] = 0xff;
	memcpy(addr + 12, d.conf.local4, 4);
	return !is_zero(addr + 12, 4);
}

static bool is_v4(const uint8_t addr[16])
{
	return is_zero(addr, 10) && addr[10] == 0xff && addr[11] == 0xff;
}

static void endpoint(const uint8_t addr[16], uint16_t port, uint32_t listener)
{
	struct toe_endpoint *e = d.p->ctrl->endpoint;

	while (e->state == TOE_EP_OPEN || e->flows[0])
		e++;
	memcpy(e->addr, addr, 16);
	e->port = port;
	e->app = APP;
	e->listener = (uint8_t)listener;
	e->state = TOE_EP_OPEN;
}

/* Endpoints at each address that the socket covers. Returns how many. */
static unsigned endpoints(int fd, uint32_t listener)
{
	struct sockaddr_in6 a = { 0 };
	struct sockaddr_in *a4 = (struct sockaddr_in *)&a;
	socklen_t len = sizeof(a);
	uint8_t mine[16], want[16] = { 0 };
	int v6only = 0;
	unsigned n = 0;

	getsockname(fd, (struct sockaddr *)&a, &len);
	if (a.sin6_family == AF_INET6) {
		memcpy(want, &a.sin6_addr, 16);
		len = sizeof(v6only);
		getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &len);
	} else {
		want[10] = want[11] = 0xff;
		memcpy(want + 12, &a4->sin_addr, 4);
	}
	for (int v6 = 0; v6 < 2; v6++) {
		if (!local_addr(v6, mine) || (v6 && a.sin6_family != AF_INET6) || (!v6 && v6only))
			continue;
		if (!is_zero(want, 16) && !(is_v4(want) && is_zero(want + 12, 4)) &&
		    memcmp(want, mine, 16))
			continue;
		endpoint(mine, a.sin6_port, listener);
		n++;
	}
	return n;
}

static void listen_on(int fd, int sock)
{
	struct toe_adm_ans ans = { 0 };

	while (toe_arena_listener(hdr(), ans.listener)->in_use)
		ans.listener++;
	if (endpoints(sock, ans.listener))
		toe_arena_listener(hdr(), ans.listener)->in_use = 1;
	else
		ans.flags = TOE_ADM_KERNEL;
	reply(fd, &ans, NULL, 0);
}

static void unlisten(int fd, uint32_t listener)
{
	struct toe_adm_ans ans = { 0 };

	for (unsigned i = 0; i < TOE_MAX_ENDPOINTS; i++) {
		struct toe_endpoint *e = &d.p->ctrl->endpoint[i];

		if (e->state == TOE_EP_OPEN && e->listener == listener)
			e->state = TOE_EP_CLOSING;
	}
	toe_arena_listener(hdr(), listener)->in_use = 0;
	reply(fd, &ans, NULL, 0);
}

static uint16_t pick_port(uint16_t wanted)
{
	uint16_t port = d.next_port;

	if (wanted)
		return wanted;
	d.next_port = port == d.p->ctrl->port_hi ? d.p->ctrl->port_lo : (uint16_t)(port + 1);
	return htons(port);
}

static void connect_to(int fd, const struct toe_adm_req *q)
{
	struct toe_adm_ans ans = { 0 };
	struct toe_grant *g;

	while (d.p->ctrl->grant[ans.grant].state == TOE_GRANT_READY)
		ans.grant++;
	g = &d.p->ctrl->grant[ans.grant];
	if (!local_addr(!is_v4(q->addr), ans.laddr)) {
		ans.error = ENETUNREACH;
		reply(fd, &ans, NULL, 0);
		return;
	}
	ans.lport = pick_port(q->lport);
	memcpy(g->tuple.laddr, ans.laddr, 16);
	memcpy(g->tuple.raddr, q->addr, 16);
	g->tuple.lport = ans.lport;
	g->tuple.rport = q->port;
	g->nh = NEXT_HOP;
	g->mtu = (uint16_t)d.conf.mtu;
	g->app = APP;
	ans.fpc = toe_hash_fpc(toe_flow_hash(d.p->ctrl->key, &g->tuple), d.p->conf.nfpcs);
	g->fpc = (uint8_t)ans.fpc;
	g->state = TOE_GRANT_READY;
	reply(fd, &ans, NULL, 0);
}

static void answer(int fd, const struct toe_adm_req *q, int sock)
{
	struct toe_adm_ans ans = { 0 };

	switch (q->type) {
	case TOE_ADM_REQ_ATTACH:
		attach(fd);
		break;
	case TOE_ADM_REQ_CTX:
		context(fd);
		break;
	case TOE_ADM_REQ_CTX_FREE:
		hdr()->ctxs &= ~(1ull << q->ctx);
		reply(fd, &ans, NULL, 0);
		break;
	case TOE_ADM_REQ_LISTEN:
		listen_on(fd, sock);
		break;
	case TOE_ADM_REQ_UNLISTEN:
		unlisten(fd, q->listener);
		break;
	case TOE_ADM_REQ_CONNECT:
		connect_to(fd, q);
		break;
	default:
		ans.error = EPROTO;
		reply(fd, &ans, NULL, 0);
	}
}

/* One request of a client, if there is one. */
static bool serve(int client)
{
	struct toe_adm_req q;
	char ctl[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { &q, sizeof(q) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)
	};
	int sock = -1;

	if (__real_recvmsg(client, &m, MSG_DONTWAIT) != sizeof(q))
		return false;
	if (CMSG_FIRSTHDR(&m))
		memcpy(&sock, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(sock));
	answer(client, &q, sock);
	if (sock >= 0)
		close(sock);
	return true;
}

void toed_serve(void)
{
	int fd = accept4(d.listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 && d.nclients < CLIENTS)
		d.client[d.nclients++] = fd;
	for (unsigned i = 0; i < d.nclients; i++)
		while (serve(d.client[i]))
			;
}

void toed_attached(void)
{
	unlink(getenv("TOE_SOCKET"));
}

void toed_wake(void)
{
	uint64_t one = 1, set = d.p->woken[APP];

	d.p->woken[APP] = 0;
	for (; set; set &= set - 1)
		if (write(d.ctx_evfd[__builtin_ctzll(set)], &one, sizeof(one)) < 0)
			perror("toed: eventfd");
}

static int make_arena(void)
{
	d.arena_fd = memfd_create("arena", MFD_CLOEXEC);
	if (d.arena_fd < 0 || ftruncate(d.arena_fd, (off_t)toe_arena_size(d.p->conf.big_slots)))
		return -errno;
	d.p->arena[APP] = mmap(NULL, toe_arena_size(d.p->conf.big_slots), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_NORESERVE, d.arena_fd, 0);
	if (d.p->arena[APP] == MAP_FAILED)
		return -errno;
	hdr()->magic = TOE_ARENA_MAGIC;
	hdr()->version = TOE_ABI_VERSION;
	hdr()->app = APP;
	hdr()->nfpcs = d.p->conf.nfpcs;
	hdr()->procs = 1;
	for (unsigned i = 0; i < d.p->conf.nfpcs; i++)
		hdr()->fpc[i].cpu = 1;
	return 0;
}

static int open_socket(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	/* The abstract name would do, but libtoe knows paths only. */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/tmp/toe-stack.%d", getpid());
	unlink(sa.sun_path);
	d.listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d.listen_fd < 0 || bind(d.listen_fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    listen(d.listen_fd, CLIENTS))
		return -errno;
	return setenv("TOE_SOCKET", sa.sun_path, 1) ? -errno : 0;
}

int toed_open(struct toe_port *p, const struct stack_conf *conf)
{
	static const uint8_t gateway[6] = { 2, 0, 0, 0, 0, 254 };
	int err;

	d.p = p;
	d.conf = *conf;
	for (unsigned i = 0; i < TOE_MAX_CTXS; i++)
		d.ctx_evfd[i] = -1;
	err = make_arena();
	if (err)
		return err;
	d.next_port = p->ctrl->port_lo = STACK_PORT_LO;
	d.fpc_evfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	p->ctrl->nh[NEXT_HOP] = toe_nh_word(gateway, TOE_NH_VALID, 0);
	p->ctrl->cc = TOE_CC_CUBIC; /* toed's default */
	p->ctrl->ecn = conf->ecn;
	p->ctrl->no_ts = conf->no_ts;
	p->ctrl->app_gone[APP][0] = 0;
	p->ctrl->app_state[APP] = TOE_APP_READY;
	return open_socket();
}
