/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A context: a thread's command rings, and how it waits.
 */
#ifndef TM_CTX_H
#define TM_CTX_H

#include "sock.h"

/*
 * Idle time before a waiting thread sleeps: a wake-up across CPUs costs both sides more than this
 * spin.
 */
enum { TM_SPIN_US = 50 };

struct tm_ring {
	uint32_t sw_head; /* ours; published in the doorbell */
	uint32_t sw_tail; /* as last seen */
	uint32_t hw_tail;
	uint32_t kick_tail; /* the FPC's position when its eventfd was last written ... */
	bool kicked; /* ... and that was ever done */
};

struct tm_ctx {
	struct toe_ctx *sh;
	struct tm_ring r[TOE_MAX_FPCS];
	uint32_t nfpcs;
	uint32_t id;
	uint32_t glances; /* calls that found nothing */
	uint32_t info_token; /* of the last TOE_SW_INFO */
	uint32_t
	    defer; /* commands that may still be pushed without looking whether the FPC sleeps */
	uint32_t dirty; /* FPCs with such commands */
	int evfd; /* what FPCs and threads wake it by; the slot keeps the number (keep_number) */
	int cfd; /* epoll of evfd and ... */
	int kfd; /* ... of what else was waited for last, or -1 */
	bool dispatching;
	bool used;
	bool slot_taken; /* evfd is open */
};

extern struct tm_ctx tm_ctxs[TOE_MAX_CTXS];
extern __thread struct tm_ctx *tm_self __attribute__((tls_model("initial-exec")));

/* The calling thread's context, made when there is none. NULL with *err = -errno. */
struct tm_ctx *tm_ctx_make(int *err);

static inline struct tm_ctx *tm_ctx_get(int *err)
{
	return tm_likely(tm_self != NULL) ? tm_self : tm_ctx_make(err);
}

void tm_kick(struct tm_ctx *c, unsigned fpc);
void tm_push_wait(struct tm_ctx *c, unsigned fpc);

/*
 * Give an FPC a command. The head store makes it visible to an FPC that is awake. Whether one has
 * to be woken is looked at here too, but for c->defer commands: those wait for tm_flush (see
 * toe_epoll_wait).
 */
static inline void tm_push(struct tm_ctx *c, unsigned fpc, uint8_t type, uint8_t flags,
			   uint16_t gen, uint32_t flow, uint64_t pos)
{
	struct tm_ring *r = &c->r[fpc];
	struct toe_sw_ring *sw = &c->sh->fpc[fpc].sw;

	if (tm_unlikely(r->sw_head - r->sw_tail >= TOE_SW_RING))
		tm_push_wait(c, fpc);
	sw->cmd[r->sw_head & (TOE_SW_RING - 1)] = (struct toe_cmd){ type, flags, gen, flow, pos };
	toe_store_release(&sw->db.head, ++r->sw_head);
	if (c->defer) {
		c->defer--;
		c->dirty |= 1u << fpc;
	} else {
		tm_kick(c, fpc);
	}
}

static inline void tm_push_flow(struct tm_ctx *c, struct tm_sock *s, uint8_t type, uint8_t flags,
				uint64_t pos)
{
	tm_push(c, s->fpc, type, flags, s->gen, s->flow, pos);
}

/* Ring the doorbells that were deferred. */
static inline void tm_flush(struct tm_ctx *c)
{
	c->defer = 0;
	for (unsigned i = 0; c->dirty; i++, c->dirty >>= 1)
		if (c->dirty & 1)
			tm_kick(c, i);
}

/* Take what the FPCs have sent and tell sockets and sets. Returns the number of commands. */
unsigned tm_ctx_poll(struct tm_ctx *c);

/* Wake contexts of this process that sleep. */
void tm_ctx_wake(uint64_t set);

/*
 * Wait until cond(arg), `kfd` (unless -1) is readable, or `deadline` (us, 0 = never) has passed.
 * Spins first. 0: the condition holds; 1: kfd is readable; -EAGAIN: deadline; -EINTR.
 */
int tm_wait(struct tm_ctx *c, bool (*cond)(void *), void *arg, int kfd, uint64_t deadline);

/*
 * The same for a socket: its flow is bound to this context meanwhile. -EBADF when `fd` was closed, -EPIPE
 * when the socket was dissolved (connect to AF_UNSPEC).
 */
int tm_sock_wait(struct tm_ctx *c, struct tm_sock *s, int fd, bool (*cond)(struct tm_sock *),
		 int kfd, uint64_t deadline);

/* Let the flow's notifications go to context `to`. */
void tm_bind(struct tm_ctx *c, struct tm_sock *s, unsigned to);

/* After fork: the parent's contexts are not ours. */
void tm_ctx_drop_all(void);
/* A descriptor that may have been waited for is about to be closed; its number will come again. */
void tm_ctx_forget_fd(int fd);

/*
 * Wait (a second at most) until the FPCs have taken all commands: they stop looking when the
 * context is given back.
 */
void tm_ctx_drain(struct tm_ctx *c);
/*
 * A call found nothing and does not wait: now and then, look whether toed is still there, and take
 * what has come. Who never waits would not learn of either.
 */
void tm_glance(struct tm_ctx *c);
/* toed's end of the control connection has closed: every connection ends with ECONNRESET. */
void tm_toed_lost(struct tm_ctx *c);
void tm_ctx_init(void);

#endif
