/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accepting. A listener has one queue per FPC in shared memory; contexts of all processes claim
 * entries from it by compare-and-swap. Each entry hints at the context that was told of it, which
 * spreads connections over workers; nobody else takes it unless that context is gone, lets 2 ms
 * pass, or the FPC says "anybody".
 *
 * What arrives on other ways (loopback, other devices) waits in the kernel socket of the same
 * descriptor.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "connect.h"
#include "toe.h"

enum { STALE_US = 2000 };

/* Whoever finds claimed entries at the tail gives their room back. */
static void advance(struct toe_listener *l, unsigned fpc)
{
	struct toe_doorbell *db = &l->fpc[fpc].db;

	for (;;) {
		uint32_t tail = toe_load_acquire(&db->tail);

		if (tail == toe_load_acquire(&db->head) ||
		    toe_load(&l->fpc[fpc].entry[tail & (TOE_ACCEPT_RING - 1)]))
			return;
		__atomic_compare_exchange_n(&db->tail, &tail, tail + 1, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED);
	}
}

static bool for_me(struct tm_sock *s, uint64_t entry, unsigned ctx)
{
	unsigned hint = (entry >> 48) & 0xff;

	if (hint == ctx || hint >= TOE_MAX_CTXS || tm_has(s, TM_S_HINT_ANY))
		return true;
	return !(toe_load(&tm_proc.hdr->ctxs) >> hint & 1);
}

/* Somebody else's entry: mine only if it still lies there after STALE_US. */
static bool is_stale(struct tm_sock *s, uint64_t entry)
{
	uint64_t now = tm_now_us();

	if (toe_load(&s->stale_entry) != entry) {
		toe_store(&s->stale_entry, entry);
		toe_store(&s->stale_at, now);
		return false;
	}
	return now - toe_load(&s->stale_at) > STALE_US;
}

/* An entry that context `ctx` may take, or NULL. */
static uint64_t *find(struct tm_sock *s, unsigned ctx, unsigned *fpc, uint64_t *val)
{
	struct toe_listener *l = toe_arena_listener(tm_proc.arena, s->listener);
	uint64_t *other = NULL, other_val = 0;
	unsigned other_fpc = 0;

	for (unsigned i = 0; i < tm_proc.nfpcs; i++) {
		uint32_t head = toe_load_acquire(&l->fpc[i].db.head),
			 t = toe_load(&l->fpc[i].db.tail);

		for (; t != head; t++) {
			uint64_t *e = &l->fpc[i].entry[t & (TOE_ACCEPT_RING - 1)], v = toe_load(e);

			if (!(v & TOE_ACCEPT_VALID))
				continue;
			if (for_me(s, v, ctx)) {
				*fpc = i;
				*val = v;
				return e;
			}
			if (!other) {
				other = e;
				other_val = v;
				other_fpc = i;
			}
		}
	}
	*fpc = other_fpc;
	*val = other_val;
	if (other && is_stale(s, other_val))
		return other;
	if (!other && tm_has(s, TM_S_HINT_ANY))
		tm_clear(s, TM_S_HINT_ANY);
	return NULL;
}

bool tm_accept_ready(struct tm_sock *s, unsigned ctx)
{
	uint64_t val;
	unsigned fpc;

	return find(s, ctx, &fpc, &val);
}

uint32_t tm_accept_waiting(const struct tm_sock *s)
{
	struct toe_listener *l = toe_arena_listener(tm_proc.arena, s->listener);
	uint32_t n = 0;

	for (unsigned i = 0; i < tm_proc.nfpcs; i++) {
		uint32_t head = toe_load_acquire(&l->fpc[i].db.head);

		for (uint32_t t = toe_load(&l->fpc[i].db.tail); t != head; t++)
			n += !!toe_load(&l->fpc[i].entry[t & (TOE_ACCEPT_RING - 1)]);
	}
	return n;
}

/* Claim a live connection. */
static bool take(struct tm_sock *s, unsigned ctx, uint32_t *flow, uint16_t *gen)
{
	struct toe_listener *l = toe_arena_listener(tm_proc.arena, s->listener);
	uint64_t *e, val;
	unsigned fpc;

	while ((e = find(s, ctx, &fpc, &val))) {
		if (!__atomic_compare_exchange_n(e, &val, 0, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_RELAXED))
			continue;
		advance(l, fpc);
		*flow = (uint32_t)val;
		*gen = (uint16_t)(val >> 32);
		if (*flow < TOE_MAX_FLOWS &&
		    toe_load_acquire(&toe_arena_flow(tm_proc.arena, *flow)->dev.gen) == *gen)
			return true;
	}
	return false;
}

/* Entries of the listener's earlier life are nobody's. */
void tm_accept_drain(struct toe_listener *l)
{
	for (unsigned i = 0; i < tm_proc.nfpcs; i++) {
		uint32_t head = toe_load_acquire(&l->fpc[i].db.head);

		for (uint32_t t = toe_load(&l->fpc[i].db.tail); t != head; t++)
			toe_store(&l->fpc[i].entry[t & (TOE_ACCEPT_RING - 1)], 0);
		advance(l, i);
	}
}

/* A descriptor for the next TOE connection, or -errno; under tm_big. */
static int accept_next(struct tm_ctx *c, struct tm_sock *l, int flags)
{
	struct tm_sock *s;
	uint32_t flow;
	uint16_t gen;
	int fd;

	if (tm_kind(l) != TM_LISTEN) /* closed meanwhile; the kernel has the word for it */
		return -EAGAIN;
	s = tm_sock_new(TM_FRESH);
	if (!s)
		return -ENFILE;
	fd = tm_placeholder(flags);
	if (fd >= 0 && !take(l, c->id, &flow, &gen)) {
		close(fd);
		fd = -EAGAIN;
	}
	if (fd < 0) {
		tm_sock_free(s);
		return fd;
	}
	s->family = l->family;
	s->opt = l->opt;
	s->lowat = l->lowat;
	s->flags = TM_S_CONNECTED | (flags & SOCK_NONBLOCK ? TM_S_NONBLOCK : 0) |
		   (l->flags & (TM_S_CORK | TM_S_STAMPS));
	tm_flow_begin(s, flow, gen, (uint8_t)c->id);
	tm_fd_install(fd, s);
	tm_push_flow(c, s, TOE_SW_BIND, 0, c->id);
	s->bind_ctx = (uint8_t)c->id;
	s->bind_pos = c->r[s->fpc].sw_head;
	return fd;
}

static int accept_toe(struct tm_ctx *c, struct tm_sock *l, int flags)
{
	int fd;

	if (!tm_accept_ready(l, c->id))
		return -EAGAIN;
	tm_big_lock();
	fd = accept_next(c, l, flags);
	tm_big_unlock();
	return fd;
}

static bool accept_cond(struct tm_sock *s)
{
	return tm_kind(s) != TM_LISTEN || tm_accept_ready(s, tm_self->id);
}

static int do_accept(struct tm_sock *s, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	uint64_t deadline = tm_deadline(s->opt.rcvtimeo_us);
	struct tm_ctx *c;
	int r, err;

	if (tm_kind(s) != TM_LISTEN)
		return tm_kind(s) == TM_EPOLL ? -ENOTSOCK : -EINVAL;
	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	r = addr ? tm_addr_room(addr, len) : 0;
	if (r)
		return r;
	c = tm_ctx_get(&err);
	if (!c) {
		r = (int)tm_sys(tm_fd_kernel(accept4(fd, addr, len, flags)));
		return r == -EAGAIN && !tm_has(s, TM_S_NONBLOCK) ? err : r;
	}
	for (;;) {
		tm_ctx_poll(c);
		r = accept_toe(c, s, flags);
		if (r >= 0) {
			if (addr) {
				const struct toe_flow_const *con = &tm_sock_of(r)->fb->con;

				tm_addr_out(s->family, con->raddr, con->rport, con->ifindex, addr,
					    len);
			}
			return r;
		}
		if (r == -EAGAIN) /* the kernel socket never blocks: see toe_listen */
			r = (int)tm_sys(tm_fd_kernel(accept4(fd, addr, len, flags)));
		if (r != -EAGAIN || tm_has(s, TM_S_NONBLOCK))
			return r;
		err = tm_sock_wait(c, s, fd, accept_cond, fd, deadline);
		if (err < 0)
			return err;
	}
}

int toe_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct tm_sock *s = tm_sock_of(fd);

	return s ? (int)tm_ret(do_accept(s, fd, addr, len, flags))
		 : tm_fd_kernel(accept4(fd, addr, len, flags));
}

int toe_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return toe_accept4(fd, addr, len, 0);
}
