/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This process' side of the attachment to toed: the arena, the control connection, small helpers.
 */
#ifndef TM_PROC_H
#define TM_PROC_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "abi/arena.h"
#include "admission.h"
#include "lib/atomics.h"

#define tm_likely(x) __builtin_expect(!!(x), 1)
#define tm_unlikely(x) __builtin_expect(!!(x), 0)
/* The data path is one function for each call, without what it seldom does. */
#define tm_hot __attribute__((flatten))
#define tm_cold __attribute__((noinline, cold))

enum tm_attach_state {
	TM_UNKNOWN = 0, /* not tried yet */
	TM_ATTACHED = 1,
	TM_KERNEL = 2, /* no toed answers: all sockets are the kernel's */
};

struct tm_proc {
	uint32_t state; /* enum tm_attach_state */
	uint32_t nfpcs;
	uint8_t *arena;
	struct toe_arena_hdr *hdr;
	uint64_t bit; /* this process in sets of holders */
	uint32_t app, proc;
	uint64_t token; /* of the app: who has it may join */
	int adm; /* control connection; open for as long as the process lives */
	uint32_t lost; /* toed has gone, and with it the firmware */
	int placeholder; /* what descriptors of TOE connections are duplicates of */
	int fpc_evfd[TOE_MAX_FPCS];
	uint64_t arena_size;
	char path[108];
};

extern struct tm_proc tm_proc;

/*
 * Serializes what is rare: life and death of sockets, watches, contexts. Never taken with a spin
 * lock held.
 */
extern pthread_mutex_t tm_big;
extern int tm_big_cancel; /* whether its holder could be cancelled before */
extern __thread bool tm_big_held __attribute__((tls_model("initial-exec")));

/*
 * pthread_cancel acts where a call waits, in tm_sock_wait and toe_epoll_wait, which clean up. What holds a
 * lock, or something that nobody else would release, either makes no system call that is a cancellation
 * point or is kept from being cancelled; tm_cancellable takes what tm_uncancellable gave.
 */
static inline int tm_uncancellable(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	return old;
}

static inline void tm_cancellable(int old)
{
	pthread_setcancelstate(old, NULL);
}

static inline void tm_big_lock(void)
{
	int cancel = tm_uncancellable();

	pthread_mutex_lock(&tm_big);
	tm_big_cancel = cancel;
	tm_big_held = true;
}

static inline void tm_big_unlock(void)
{
	int cancel = tm_big_cancel;

	tm_big_held = false;
	pthread_mutex_unlock(&tm_big);
	tm_cancellable(cancel);
}

/* One request at a time on the control connection. Taken after tm_big, if both. */
extern pthread_mutex_t tm_adm_lock;

/* Attach unless that was tried before. 0, or -errno (then sockets are the kernel's). */
int tm_attach(const char *path);
void tm_detach(void);

static inline bool tm_attached(void)
{
	return toe_load_acquire(&tm_proc.state) == TM_ATTACHED;
}

/*
 * One request to toed; app, proc and version are filled in. `fd` >= 0 goes along. `got` gets one
 * descriptor of the answer, or -1, when not NULL. 0 or -errno; toed's own errors among them.
 */
int tm_adm_call(struct toe_adm_req *req, struct toe_adm_ans *ans, int fd, int *got);

/*
 * A second process of this app: a connection that is attached in slot `proc`. The descriptor, or
 * -errno.
 */
int tm_adm_fork(uint32_t proc);

/* Move a descriptor of our own out of the way of the application's, close-on-exec. */
int tm_fd_high(int fd);

void tm_fork_init(void);

static inline uint64_t tm_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The end of a wait that may last `us` microseconds; 0 = for ever, of both. */
static inline uint64_t tm_deadline(uint64_t us)
{
	return us ? tm_now_us() + us : 0;
}

/* The public convention: -1 and errno. */
static inline ssize_t tm_ret(ssize_t r)
{
	if (tm_likely(r >= 0))
		return r;
	errno = (int)-r;
	return -1;
}

/* The kernel's answer as ours. */
static inline ssize_t tm_sys(ssize_t r)
{
	return r < 0 ? -errno : r;
}

void tm_relax(unsigned spins);

/* Write to an eventfd, which is no cancellation point. False: errno. */
bool tm_ring(int evfd);

/*
 * Held for a few hundred nanoseconds, or while a pipe takes what it has room for (splice.c); a holder
 * that lost its CPU is waited for by yielding.
 */
static inline void tm_spin_lock(uint32_t *l)
{
	for (unsigned i = 0; tm_unlikely(__atomic_exchange_n(l, 1, __ATOMIC_ACQUIRE)); i++)
		tm_relax(i);
}

static inline void tm_spin_unlock(uint32_t *l)
{
	toe_store_release(l, 0);
}

#endif
