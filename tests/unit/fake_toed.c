/* SPDX-License-Identifier: BSD-2-Clause */
/* toed, as libtoe sees it: a thread that answers admission requests on a UNIX socket. */
#define _GNU_SOURCE
#include <sys/un.h>

#include "fake_toe.h"
#include "manager/admission_answer.h"

static void fake_context(struct toe_adm_ans *ans)
{
	uint64_t used = toe_load(&fake.hdr->ctxs);

	if (!~used) {
		ans->error = EUSERS;
		return;
	}
	ans->ctx = (uint32_t)__builtin_ctzll(~used);
	if (!toe_load(&fake.ctx_evfd[ans->ctx]))
		fake.ctx_evfd[ans->ctx] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	__atomic_fetch_or(&fake.hdr->ctxs, 1ull << ans->ctx, __ATOMIC_SEQ_CST);
}

/* Sockets that came with TOE_ADM_REQ_LISTEN, plus one; by index. */
static int held[TOE_MAX_LISTENERS];

/* Their end, as toed has it: shut down for everybody. */
static void let_go(uint32_t i)
{
	if (held[i]) {
		shutdown(held[i] - 1, SHUT_RD);
		close(held[i] - 1);
	}
	held[i] = 0;
}

static void fake_listen(int fd, struct toe_adm_ans *ans)
{
	ans->listener = fake.listeners++;
	let_go(ans->listener);
	held[ans->listener] = fd + 1;
}

/* `fd`: what came along; kept or closed. */
static void fake_answer(unsigned i, const struct toe_adm_req *q, int fd)
{
	int fds[2] = { fake.arena_fd, fake.fpc_evfd };
	struct toe_adm_ans ans = { 0 };
	unsigned n = 0;

	switch (q->type) {
	case TOE_ADM_REQ_ATTACH:
		ans.proc = q->app == TOE_ADM_NEW ? 0 : q->proc;
		ans.nfpcs = 1;
		ans.token = 77;
		ans.arena_size = toe_arena_size(FAKE_BIG_SLOTS);
		ans.error = q->app != TOE_ADM_NEW && q->token != 77 ? EACCES : 0;
		fake.client_proc[i] = (int)ans.proc;
		n = 2;
		break;
	case TOE_ADM_REQ_CTX:
		fake_context(&ans);
		fds[0] = fake.ctx_evfd[ans.ctx];
		n = !ans.error;
		break;
	case TOE_ADM_REQ_CTX_FREE:
		__atomic_fetch_and(&fake.hdr->ctxs, ~(1ull << q->ctx), __ATOMIC_SEQ_CST);
		break;
	case TOE_ADM_REQ_LISTEN:
		fake_listen(fd, &ans);
		fd = -1;
		break;
	case TOE_ADM_REQ_UNLISTEN:
		let_go(q->listener);
		toe_store(&fake.unlistened, fake.unlistened + 1);
		break;
	case TOE_ADM_REQ_CONNECT:
		usleep(toe_load(&fake.slow_us));
		toe_store(&fake.asked_port, q->lport);
		ans.error = fake.refuse;
		ans.flags = toe_load(&fake.kernel) ? TOE_ADM_KERNEL : 0;
		ans.lport = htons(5555);
		break;
	}
	if (fd >= 0)
		close(fd);
	toe_adm_answer(fake.client[i], &ans, fds, n);
}

static void fake_client(unsigned i)
{
	struct toe_adm_req q;
	char ctl[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { &q, sizeof(q) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)
	};
	int fd = -1;

	if (recvmsg(fake.client[i], &m, MSG_DONTWAIT) == sizeof(q)) {
		if (CMSG_FIRSTHDR(&m))
			memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
		pthread_mutex_lock(&fake.lock);
		fake_answer(i, &q, fd);
		pthread_mutex_unlock(&fake.lock);
		return;
	}
	close(fake.client[i]);
	fake.client[i] = -1;
	if (fake.client_proc[i] >= 0)
		__atomic_fetch_and(&fake.hdr->procs, ~(1ull << fake.client_proc[i]),
				   __ATOMIC_SEQ_CST);
}

static void *fake_toed(void *arg)
{
	while (!toe_load(&fake.stop)) {
		struct pollfd p[1 + FAKE_CLIENTS] = { { .fd = fake.listen_fd, .events = POLLIN } };

		for (unsigned i = 0; i < fake.nclients; i++)
			p[1 + i] = (struct pollfd){ .fd = fake.client[i], .events = POLLIN };
		if (poll(p, 1 + fake.nclients, 20) <= 0)
			continue;
		for (unsigned i = 0; i < fake.nclients; i++)
			if (p[1 + i].revents)
				fake_client(i);
		if (p[0].revents && fake.nclients < FAKE_CLIENTS) {
			fake.client_proc[fake.nclients] = -1;
			fake.client[fake.nclients] = accept(fake.listen_fd, NULL, NULL);
			fake.nclients++;
		}
	}
	return NULL;
}

void fake_open(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	pthread_mutex_init(&fake.lock, NULL);
	snprintf(fake.path, sizeof(fake.path), "/tmp/fake-toed.%d", getpid());
	strcpy(sa.sun_path, fake.path);
	unlink(fake.path);
	fake.arena_fd = memfd_create("arena", MFD_CLOEXEC);
	if (ftruncate(fake.arena_fd, (off_t)toe_arena_size(FAKE_BIG_SLOTS)))
		abort();
	fake.arena = mmap(NULL, toe_arena_size(FAKE_BIG_SLOTS), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_NORESERVE, fake.arena_fd, 0);
	fake.hdr = (struct toe_arena_hdr *)fake.arena;
	fake.hdr->magic = TOE_ARENA_MAGIC;
	fake.hdr->version = TOE_ABI_VERSION;
	fake.hdr->nfpcs = 1;
	fake.hdr->procs = 1;
	fake.fpc_evfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	fake.listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(fake.listen_fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fake.listen_fd, 8))
		abort();
	pthread_create(&fake.toed, NULL, fake_toed, NULL);
	setenv("TOE_SOCKET", fake.path, 1);
	if (toe_init(NULL))
		abort();
}

void fake_close(void)
{
	toe_store(&fake.stop, true);
	pthread_join(fake.toed, NULL);
	unlink(fake.path);
}
