/* SPDX-License-Identifier: BSD-2-Clause */
/* Clock, wake-ups and the shared tables: the small parts of port.h. */
#include <time.h>
#include <unistd.h>

#include "port_linux.h"

uint64_t toe_port_now(struct toe_port *p)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* A full counter (EAGAIN) wakes as well, so the result does not matter. */
void lx_event_signal(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n;
}

void lx_wake_fpc(struct toe_port *p, unsigned fpc)
{
	toe_fence_full();
	if (toe_load(&p->ctrl->fpc[fpc].sleeping))
		lx_event_signal(p->fpc[fpc].event_fd);
}

static __thread struct lx_fpc *self;

void lx_self_set(struct lx_fpc *c)
{
	self = c;
}

void toe_port_wake(struct toe_port *p, unsigned app, unsigned ctx)
{
	int fd = toe_load(&p->ctx_fd[app][ctx]);

	if (fd < 0)
		return;
	lx_event_signal(fd);
	if (self)
		self->woke = true;
}

void *toe_port_arena(struct toe_port *p, unsigned app)
{
	return toe_load_acquire(&p->arena[app]);
}

struct toe_flow_ent *toe_port_flows(struct toe_port *p)
{
	return p->tcbs;
}

struct toe_bucket *toe_port_index(struct toe_port *p)
{
	return p->index;
}

uint64_t *toe_port_stats(struct toe_port *p, unsigned fpc)
{
	return p->stats[fpc].count;
}

struct toe_ctrl *toe_port_ctrl(struct toe_port *p)
{
	return p->ctrl;
}
