/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contexts: made when a thread first needs one, given back when it ends. Commands from the FPCs are
 * taken here and told to the sockets and epoll sets that they concern.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "connect.h"
#include "ctx.h"
#include "transfer.h"

struct tm_ctx tm_ctxs[TOE_MAX_CTXS];
__thread struct tm_ctx *tm_self;

enum { GLANCE_EVERY = 1024 };

static pthread_key_t key;

void tm_ctx_drain(struct tm_ctx *c)
{
	uint64_t end = tm_now_us() + 1000000;

	tm_flush(c);
	for (unsigned i = 0; i < c->nfpcs; i++) {
		for (unsigned k = 0; toe_load_acquire(&c->sh->fpc[i].sw.db.tail) != c->r[i].sw_head;
		     k++) {
			if (tm_now_us() > end || toe_load(&tm_proc.lost))
				return;
			tm_kick(c, i);
			tm_relax(k);
		}
	}
}

static void disown(struct tm_ctx *c)
{
	for (uint32_t i = 0; i < tm_sock_count(); i++) {
		struct tm_sock *s = tm_sock_at(i);

		if (tm_kind(s) == TM_EPOLL && s->ep->owner == c->id)
			toe_store(&s->ep->owner, TM_NO_CTX);
		if (tm_kind(s) == TM_LISTEN)
			__atomic_fetch_and(&toe_arena_listener(tm_proc.arena, s->listener)->waiters,
					   ~(1ull << c->id), __ATOMIC_ACQ_REL);
	}
}

static void give_back(uint32_t id)
{
	struct toe_adm_req req = { .type = TOE_ADM_REQ_CTX_FREE, .ctx = id };
	struct toe_adm_ans ans;

	tm_adm_call(&req, &ans, -1, NULL);
}

static void ctx_end(void *arg)
{
	struct tm_ctx *c = arg;

	tm_ctx_drain(c);
	tm_big_lock();
	disown(c);
	toe_store(&c->used, false);
	close(c->cfd);
	tm_big_unlock();
	tm_self = NULL;
	give_back(c->id);
}

void tm_ctx_init(void)
{
	static bool done;

	if (!done)
		pthread_key_create(&key, ctx_end);
	done = true;
}

void tm_ctx_drop_all(void)
{
	for (unsigned i = 0; i < TOE_MAX_CTXS; i++) {
		struct tm_ctx *c = &tm_ctxs[i];

		if (c->used)
			close(c->cfd);
		if (c->slot_taken)
			close(c->evfd);
		c->used = c->slot_taken = false;
	}
	tm_self = NULL;
	tm_tid = 0;
	pthread_setspecific(key, NULL);
}

/* Edge-triggered, the eventfd need not be read. */
static int sleep_fd(int evfd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.fd = evfd };
	int fd = tm_fd_high((int)tm_sys(epoll_create1(EPOLL_CLOEXEC)));

	if (fd < 0)
		return fd;
	epoll_ctl(fd, EPOLL_CTL_ADD, evfd, &ev);
	/* Only its hang-up: answers are for whoever asked. */
	ev = (struct epoll_event){ .data.fd = tm_proc.adm };
	if (!toe_load(&tm_proc.lost))
		epoll_ctl(fd, EPOLL_CTL_ADD, tm_proc.adm, &ev);
	return fd;
}

/*
 * Who wakes a context that has just ended must not write to some other file: a slot keeps its
 * descriptor for good.
 */
static void keep_number(struct tm_ctx *c, int evfd)
{
	if (c->slot_taken) {
		dup3(evfd, c->evfd, O_CLOEXEC);
		close(evfd);
	} else {
		c->evfd = tm_fd_high(evfd);
		c->slot_taken = true;
	}
}

/* What the thread wakes by and sleeps in. 0 or -errno. */
static int take_descriptors(struct tm_ctx *c, int evfd)
{
	if (evfd < 0) /* there was no number left to receive it by */
		return -EMFILE;
	keep_number(c, evfd);
	c->kfd = -1;
	c->cfd = sleep_fd(c->evfd);
	return c->cfd < 0 ? c->cfd : 0;
}

static struct tm_ctx *make(int *err)
{
	struct toe_adm_req req = { .type = TOE_ADM_REQ_CTX };
	struct toe_adm_ans ans;
	struct tm_ctx *c;
	int evfd;

	*err = tm_attached() ? tm_adm_call(&req, &ans, -1, &evfd) : -ENOTCONN;
	if (*err)
		return NULL;
	if (ans.ctx >= TOE_MAX_CTXS) {
		*err = -EPROTO;
		return NULL;
	}
	c = &tm_ctxs[ans.ctx];
	*err = take_descriptors(c, evfd);
	if (*err) {
		give_back(ans.ctx);
		return NULL;
	}
	c->sh = toe_arena_ctx(tm_proc.arena, ans.ctx);
	c->id = ans.ctx;
	c->nfpcs = tm_proc.nfpcs;
	c->defer = c->dirty = 0;
	for (unsigned i = 0; i < c->nfpcs; i++) {
		struct tm_ring *r = &c->r[i];

		r->sw_head = toe_load(&c->sh->fpc[i].sw.db.head);
		r->sw_tail = toe_load_acquire(&c->sh->fpc[i].sw.db.tail);
		r->hw_tail = toe_load(&c->sh->fpc[i].hw.db.tail);
		r->kicked = false;
	}
	toe_store(&c->sh->sleep.sleeping, 0);
	toe_store(&c->sh->proc, tm_proc.proc);
	toe_store_release(&c->used, true);
	pthread_setspecific(key, c);
	return tm_self = c;
}

struct tm_ctx *tm_ctx_make(int *err)
{
	int cancel = tm_uncancellable();
	struct tm_ctx *c = make(err);

	tm_cancellable(cancel);
	return c;
}

/*
 * An FPC that was called and has not moved since is still on its way; calling it again for each
 * command would cost more than the command.
 */
void tm_kick(struct tm_ctx *c, unsigned fpc)
{
	struct tm_ring *r = &c->r[fpc];

	toe_fence_full();
	if (tm_likely(!toe_load(&tm_proc.hdr->fpc[fpc].sleeping)))
		return;

	uint32_t tail = toe_load_acquire(&c->sh->fpc[fpc].sw.db.tail);

	if (r->kicked && r->kick_tail == tail && tail != r->sw_head)
		return;
	r->kicked = tail != r->sw_head;
	r->kick_tail = tail;
	if (!tm_ring(tm_proc.fpc_evfd[fpc]) && errno != EAGAIN)
		r->kicked = false;
}

static bool toed_hung_up(void)
{
	struct pollfd p = { .fd = tm_proc.adm };
	int cancel = tm_uncancellable(), n = poll(&p, 1, 0);

	tm_cancellable(cancel);
	return n > 0 && p.revents & POLLHUP;
}

/*
 * The ring is full. An FPC never waits for us, so room comes; our own ring is kept moving
 * meanwhile. Only when toed has gone nobody takes anything any more.
 */
void tm_push_wait(struct tm_ctx *c, unsigned fpc)
{
	struct tm_ring *r = &c->r[fpc];

	for (unsigned i = 0;; i++) {
		r->sw_tail = toe_load_acquire(&c->sh->fpc[fpc].sw.db.tail);
		if (r->sw_head - r->sw_tail < TOE_SW_RING)
			return;
		if (i % 1024 == 1023 && toed_hung_up())
			toe_store(&tm_proc.lost, 1);
		if (toe_load(&tm_proc.lost)) {
			r->sw_tail = r->sw_head;
			return;
		}
		tm_kick(c, fpc);
		if (!tm_big_held)
			tm_ctx_poll(c);
		tm_relax(i);
	}
}

void tm_ctx_wake(uint64_t set)
{
	toe_fence_full();
	for (; set; set &= set - 1) {
		struct tm_ctx *c = &tm_ctxs[__builtin_ctzll(set)];

		if (toe_load_acquire(&c->used) && toe_load(&c->sh->sleep.sleeping) &&
		    !tm_ring(c->evfd))
			return;
	}
}

/*
 * The FPC has told of room, or may have. With TCP_NOTSENT_LOWAT or a set SO_SNDBUF that may be gone
 * again by now: windows close, the limit becomes another one. Who still wants room then looks, finds
 * none, and asks anew; nobody else would.
 */
static bool space_news(const struct tm_sock *s)
{
	return tm_writable(s) || toe_load(&s->fb->dev.tx_burst);
}

/* What has changed for those who watch the flow. */
static uint32_t flow_news(struct tm_sock *s)
{
	uint8_t fl = toe_load_acquire(&s->fb->dev.flags);
	uint32_t rx = (uint32_t)toe_load_acquire(&s->fb->dev.rx_end), what = 0;

	if (rx != toe_load(&s->ev_rx)) {
		toe_store(&s->ev_rx, rx);
		what = EPOLLIN | EPOLLRDNORM | EPOLLPRI;
	}
	if (tm_unlikely(fl != toe_load(&s->ev_flags))) {
		toe_store(&s->ev_flags, fl);
		what = ~0u;
	}
	if (tm_unlikely(tm_has(s, TM_S_WANT_SPACE)) && space_news(s)) {
		tm_clear(s, TM_S_WANT_SPACE);
		what |= EPOLLOUT | EPOLLWRNORM;
	}
	if (tm_unlikely(tm_has(s, TM_S_STAMPS)) && tm_stamp_any(s)) {
		tm_set(s, TM_S_ERRQUEUE);
		what |= EPOLLERR;
	}
	return what;
}

static void sock_news(struct tm_ctx *c, struct tm_sock *s, uint32_t what)
{
	uint64_t others = toe_load(&s->waiters) & ~(1ull << c->id);

	if (tm_unlikely(others))
		tm_ctx_wake(others);
	if (what && toe_load_acquire(&s->watch.ep))
		tm_ep_event(s, what, c);
}

/* What the firmware would say, were it there. */
static bool end_by_reset(struct tm_sock *s)
{
	struct toe_flow_dev *d;

	if (tm_kind(s) == TM_CONNECT) {
		s->error = ECONNRESET;
		tm_set(s, TM_S_FAILED);
		toe_store_release(&s->kind, TM_FRESH);
		return true;
	}
	if (tm_kind(s) != TM_FLOW)
		return false;
	d = &s->fb->dev;
	if (d->gen == s->gen && !(toe_load(&d->flags) & (TOE_FLOW_ERROR | TOE_FLOW_CLOSED))) {
		toe_store(&d->error, ECONNRESET);
		toe_store_release(&d->flags,
				  (uint8_t)(d->flags | TOE_FLOW_ERROR | TOE_FLOW_CLOSED));
	}
	return true;
}

void tm_toed_lost(struct tm_ctx *c)
{
	toe_store(&tm_proc.lost, 1);
	epoll_ctl(c->cfd, EPOLL_CTL_DEL, tm_proc.adm, NULL);
	tm_big_lock();
	for (uint32_t i = 0; i < tm_sock_count(); i++)
		if (end_by_reset(tm_sock_at(i)))
			sock_news(c, tm_sock_at(i), ~0u);
	tm_big_unlock();
}

void tm_glance(struct tm_ctx *c)
{
	if (++c->glances % GLANCE_EVERY)
		return;
	tm_ctx_poll(c);
	if (!toe_load(&tm_proc.lost) && toed_hung_up())
		tm_toed_lost(c);
}

static void listener_news(struct tm_ctx *c, const struct toe_cmd *cmd)
{
	struct tm_sock *s =
	    cmd->flow < TOE_MAX_LISTENERS ? toe_load_acquire(&tm_listeners[cmd->flow]) : NULL;

	if (!s)
		return;
	if (cmd->pos == TOE_HINT_ANY)
		tm_set(s, TM_S_HINT_ANY);
	sock_news(c, s, EPOLLIN | EPOLLRDNORM);
}

static struct tm_sock *flow_of(const struct toe_cmd *cmd)
{
	struct tm_sock *s =
	    cmd->flow < TOE_MAX_FLOWS ? toe_load_acquire(&tm_flows[cmd->flow]) : NULL;

	return s && tm_kind(s) == TM_FLOW && s->gen == cmd->gen ? s : NULL;
}

enum { BATCH = 32 };

/*
 * Up to BATCH commands of one ring. A notification is answered by seen_seq before the flow's block
 * is read: with one fence for the whole batch either we see what the FPC published, or it sees that
 * it may notify again.
 */
static unsigned take_batch(struct tm_ctx *c, unsigned fpc, uint32_t head)
{
	struct toe_hw_ring *hw = &c->sh->fpc[fpc].hw;
	struct tm_sock *flow[BATCH];
	unsigned n = 0, nflow = 0;
	uint32_t tail = c->r[fpc].hw_tail;

	for (; tail != head && n < BATCH; tail++, n++) {
		struct toe_cmd cmd = hw->cmd[tail & (TOE_HW_RING - 1)];
		struct tm_sock *s;

		if (tm_unlikely(cmd.type == TOE_HW_LISTEN_ESTABLISHED)) {
			listener_news(c, &cmd);
		} else if (tm_unlikely(cmd.type == TOE_HW_FLOW_ASSIGNED)) {
			s = tm_connect_assigned(c, fpc, &cmd);
			if (s)
				sock_news(c, s, ~0u);
		} else {
			s = flow_of(&cmd);
			if (!s)
				continue;
			toe_store(&s->fb->app.seen_seq, toe_load(&s->fb->dev.notify_seq));
			flow[nflow++] = s;
		}
	}
	c->r[fpc].hw_tail = tail;
	toe_store_release(&hw->db.tail, tail);
	toe_fence_full();
	for (unsigned i = 0; i < nflow; i++)
		sock_news(c, flow[i], flow_news(flow[i]));
	return n;
}

unsigned tm_ctx_poll(struct tm_ctx *c)
{
	unsigned n = 0;

	if (c->dispatching)
		return 0;
	c->dispatching = true;
	for (unsigned i = 0; i < c->nfpcs; i++) {
		uint32_t head = toe_load_acquire(&c->sh->fpc[i].hw.db.head);

		while (c->r[i].hw_tail != head)
			n += take_batch(c, i, head);
	}
	c->dispatching = false;
	return n;
}
