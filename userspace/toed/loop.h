/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop: descriptors and a handful of timers. Embed struct io where the descriptor
 * belongs.
 */
#ifndef TOE_TOED_LOOP_H
#define TOE_TOED_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct toed;

struct io {
	int fd;
	void (*ready)(struct toed *t, struct io *io);
};

/* What waits for a time. If you add one, also extend the table in main.c. */
enum timer {
	TIMER_ADMIN, /* admin commands that found the ring full */
	TIMER_REAP, /* processes and applications on their way out */
	TIMER_SWEEP, /* endpoints whose last flow may have gone */
	TIMER_VIEW, /* toe_flows for people */
	TIMER_ROUTES, /* look routes up again */
	TIMER_RESYNC, /* look at everything that netlink tells again */
	TIMER_RESTART, /* toe-fw, after a crash */
	TIMER_COUNT
};

struct loop {
	int epfd;
	uint64_t at[TIMER_COUNT]; /* milliseconds of loop_now, 0 = not set */
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - __builtin_offsetof(type, member)))

/* Milliseconds, monotonic. */
uint64_t loop_now(void);

int loop_init(struct loop *l);
int loop_add(struct loop *l, struct io *io);
void loop_del(struct loop *l, struct io *io);
/* Fire once, `ms` from now; an earlier time that is set already stays. */
void loop_after(struct loop *l, enum timer which, unsigned ms);
/* Wait for events and handle them; `fire[i]` is called when timer i is due. */
void loop_step(struct toed *t, struct loop *l, void (*const fire[TIMER_COUNT])(struct toed *));

#endif
