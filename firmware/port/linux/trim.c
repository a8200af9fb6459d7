/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving buffers back: a thread of its own punches holes into the arenas, because one hole costs
 * tens of microseconds. It sleeps when nothing is asked of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "port_linux.h"

enum { TRIM_RING = 1024 };

bool toe_port_trim(struct toe_port *p, unsigned fpc, unsigned app, uint32_t flow)
{
	if (!lx_spsc_push(&p->trim.ask[fpc], (uint64_t)app << 32 | flow))
		return false;
	toe_fence_full();
	if (toe_load(&p->trim.sleeping))
		lx_event_signal(p->trim.event_fd);
	return true;
}

bool toe_port_trimmed(struct toe_port *p, unsigned fpc, uint32_t *flow)
{
	uint64_t v;

	if (!lx_spsc_pop(&p->trim.done[fpc], &v))
		return false;
	*flow = (uint32_t)v;
	return true;
}

/* An arena that has gone took its memory along. */
static void punch(struct toe_port *p, unsigned app, uint32_t id)
{
	uint64_t off, len = toe_trim_range(id, &off);

	pthread_mutex_lock(&p->arena_lock);
	if (app < TOE_MAX_APPS && p->arena_fd[app] >= 0)
		fallocate(p->arena_fd[app], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
			  (off_t)len);
	pthread_mutex_unlock(&p->arena_lock);
}

static unsigned trim_round(struct toe_port *p)
{
	unsigned n = 0;
	uint64_t v;

	for (unsigned f = 0; f < p->nfpcs; f++) {
		/* What is done must find room first, so that an id is never lost. */
		while (lx_spsc_count(&p->trim.done[f]) < TRIM_RING &&
		       lx_spsc_pop(&p->trim.ask[f], &v)) {
			punch(p, (unsigned)(v >> 32), (uint32_t)v);
			lx_spsc_push(&p->trim.done[f], (uint32_t)v);
			n++;
		}
	}
	return n;
}

static bool trim_asked(struct toe_port *p)
{
	for (unsigned f = 0; f < p->nfpcs; f++)
		if (lx_spsc_count(&p->trim.ask[f]))
			return true;
	return false;
}

static void *trim_thread(void *arg)
{
	struct toe_port *p = arg;
	uint64_t count;

	while (!toe_load(&p->quit)) {
		if (trim_round(p))
			continue;
		if (trim_asked(p)) { /* an FPC must take what is done first */
			usleep(1000);
			continue;
		}
		toe_store(&p->trim.sleeping, 1);
		toe_fence_full();
		if (!trim_asked(p) && !toe_load(&p->quit) &&
		    read(p->trim.event_fd, &count, sizeof(count)) < 0 && errno != EINTR)
			break;
		toe_store(&p->trim.sleeping, 0);
	}
	return NULL;
}

int lx_trim_start(struct toe_port *p)
{
	for (unsigned f = 0; f < p->nfpcs; f++)
		if (!lx_spsc_init(&p->trim.ask[f], TRIM_RING) ||
		    !lx_spsc_init(&p->trim.done[f], TRIM_RING))
			return -ENOMEM;
	return -pthread_create(&p->trim.thread, NULL, trim_thread, p);
}

void lx_trim_stop(struct toe_port *p)
{
	lx_event_signal(p->trim.event_fd);
	pthread_join(p->trim.thread, NULL);
}
