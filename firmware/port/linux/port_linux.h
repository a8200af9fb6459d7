/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct toe_port on Linux: one for the process, one part per FPC. What belongs to an FPC is
 * touched by its thread only, except the lx_spsc rings and what says otherwise.
 */
#ifndef TOE_PORT_LINUX_H
#define TOE_PORT_LINUX_H

#include <pthread.h>

#include "../port.h"
#include "handover.h"
#include "spsc.h"
#include "xsk_ring.h"

/* A device's frames. */
struct lx_umem {
	uint8_t *mem; /* frames; NULL: no such device */
	uint64_t *word; /* owner words (frames.h) */
	uint32_t frames;
	uint32_t shift; /* log2 of the frame size */
	uint32_t per_fpc; /* frames that have an FPC as their home */
};

/* A receive ring: of a queue that the FPC owns, or of another's (RX-only socket). */
struct lx_rx {
	int fd;
	uint8_t dev, queue;
	bool dead; /* the device has gone: do not poll it */
	struct lx_ring ring;
};

/* A queue that the FPC owns: it alone fills, sends and reaps. */
struct lx_queue {
	int fd;
	uint8_t dev, queue;
	bool kick; /* descriptors wait for the kernel to look */
	struct lx_ring fill, tx, comp;
};

struct lx_fpc {
	struct lx_rx rx[TOE_MAX_DEVS * TOE_MAX_QUEUES];
	unsigned nrx, rx_turn;
	struct lx_queue queue[TOE_MAX_DEVS * TOE_MAX_QUEUES];
	unsigned nqueues;
	struct lx_queue *by_queue[TOE_MAX_DEVS][TOE_MAX_QUEUES];
	struct lx_queue *txq[TOE_MAX_DEVS]; /* the queue it sends through */
	uint32_t *free_ids[TOE_MAX_DEVS]; /* stack: the frame used last is the warmest */
	uint32_t nfree[TOE_MAX_DEVS];
	int event_fd;
	uint32_t cpu; /* LX_CPU_ANY: not pinned */
	bool woke; /* a context was woken in this batch */
	uint32_t rounds __attribute__((
	    aligned(TOE_CACHELINE))); /* odd while in a batch; read by the main thread */
} __attribute__((aligned(TOE_CACHELINE)));

struct lx_trimmer {
	pthread_t thread;
	int event_fd;
	uint32_t sleeping;
	struct lx_spsc ask[TOE_MAX_FPCS], done[TOE_MAX_FPCS];
};

struct toe_port {
	struct toe_ctrl *ctrl;
	void *state;
	uint64_t state_size;
	struct toe_flow_ent *tcbs;
	struct toe_bucket *index;
	struct toe_stats_row *stats;
	unsigned nfpcs;
	int channel; /* to toed */
	uint32_t quit;
	struct lx_umem umem[TOE_MAX_DEVS];
	struct lx_fpc fpc[TOE_MAX_FPCS];
	struct lx_spsc forward[TOE_MAX_FPCS][TOE_MAX_FPCS]; /* [from][to]: frames to be handled */
	struct lx_spsc back[TOE_MAX_FPCS][TOE_MAX_FPCS]; /* [from][home]: frames that are done */
	void *arena[TOE_MAX_APPS]; /* written by the main thread */
	uint64_t arena_size[TOE_MAX_APPS];
	int arena_fd[TOE_MAX_APPS]; /* under arena_lock */
	int ctx_fd[TOE_MAX_APPS][TOE_MAX_CTXS]; /* eventfds, -1 = none; main thread writes */
	pthread_mutex_t arena_lock; /* main thread and trimmer */
	struct lx_trimmer trim;
};

static inline unsigned lx_home(const struct lx_umem *u, uint32_t id)
{
	return id / u->per_fpc;
}

static inline uint8_t *lx_frame_addr(const struct lx_umem *u, uint32_t id)
{
	return u->mem + ((uint64_t)id << u->shift);
}

/*
 * queues.c: after the handover; maps the rings, accounts for every frame, tops up the fill rings. 0
 * or -errno.
 */
int lx_queues_start(struct toe_port *p);

/*
 * tx.c: reap completions of the queue; send again what the kernel left. True while something is
 * left.
 */
void lx_tx_reap(struct toe_port *p, unsigned fpc, struct lx_queue *q);
bool lx_tx_pending(struct toe_port *p, unsigned fpc);

/* rx.c: drivers that wait to be told of frames in the fill rings are. */
void lx_rx_wake(struct toe_port *p, unsigned fpc);
/* Frames or returned frames from other FPCs wait. */
bool lx_rx_waiting(const struct toe_port *p, unsigned fpc);
/* Give a frame of our own to a queue's fill ring; publish with lx_ring_publish_prod. */
void lx_fill_put(struct toe_port *p, struct lx_queue *q, uint32_t id);

/* wake.c: eventfd write, and the same for an FPC that may sleep (full fence inside). */
void lx_event_signal(int fd);
void lx_wake_fpc(struct toe_port *p, unsigned fpc);
/* The calling thread is this FPC. */
void lx_self_set(struct lx_fpc *c);

/* trim.c */
int lx_trim_start(struct toe_port *p);
void lx_trim_stop(struct toe_port *p);

/* apps.c: messages about applications, main thread. 0 or -errno. */
int lx_app_add(struct toe_port *p, unsigned app, int fd, uint64_t size);
int lx_app_gone(struct toe_port *p, unsigned app);
int lx_ctx_add(struct toe_port *p, unsigned app, unsigned ctx, int fd);
int lx_ctx_gone(struct toe_port *p, unsigned app, unsigned ctx);

/* channel.c: one message of toed. Returns its type, 0 when the channel is closed, or -errno. */
int lx_channel_step(struct toe_port *p);
int lx_channel_answer(struct toe_port *p, uint32_t type, uint32_t seq, int error);

/* fpc_thread.c */
int lx_threads_start(struct toe_port *p);
void lx_threads_stop(struct toe_port *p);
/*
 * Wait until every FPC has passed the end of a batch: nothing that was unpublished before is in use
 * any more.
 */
void lx_quiesce(struct toe_port *p);

#endif
