/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Applications come and go while the FPCs run: arenas are mapped, eventfds taken, and let go of
 * when nobody uses them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "port_linux.h"

int lx_app_add(struct toe_port *p, unsigned app, int fd, uint64_t size)
{
	void *m;

	if (app >= TOE_MAX_APPS || fd < 0 || size < toe_arena_size(p->ctrl->big_slots) ||
	    p->arena_fd[app] >= 0)
		return -EINVAL;
	m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (m == MAP_FAILED)
		return -errno;
	pthread_mutex_lock(&p->arena_lock);
	p->arena_fd[app] = fd;
	pthread_mutex_unlock(&p->arena_lock);
	p->arena_size[app] = size;
	toe_store_release(&p->arena[app], m);
	return 0;
}

int lx_ctx_add(struct toe_port *p, unsigned app, unsigned ctx, int fd)
{
	if (app >= TOE_MAX_APPS || ctx >= TOE_MAX_CTXS || fd < 0 || p->ctx_fd[app][ctx] >= 0)
		return -EINVAL;
	toe_store_release(&p->ctx_fd[app][ctx], fd);
	return 0;
}

static void let_go(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int lx_ctx_gone(struct toe_port *p, unsigned app, unsigned ctx)
{
	int fd;

	if (app >= TOE_MAX_APPS || ctx >= TOE_MAX_CTXS)
		return -EINVAL;
	fd = p->ctx_fd[app][ctx];
	toe_store(&p->ctx_fd[app][ctx], -1);
	lx_quiesce(p); /* an FPC may be about to write to it */
	let_go(&fd, 1);
	return 0;
}

int lx_app_gone(struct toe_port *p, unsigned app)
{
	int fd[TOE_MAX_CTXS + 1];
	void *m;

	if (app >= TOE_MAX_APPS || p->arena_fd[app] < 0)
		return -EINVAL;
	for (unsigned i = 0; i < TOE_MAX_CTXS; i++) {
		fd[i] = p->ctx_fd[app][i];
		toe_store(&p->ctx_fd[app][i], -1);
	}
	m = p->arena[app];
	toe_store(&p->arena[app], NULL);
	pthread_mutex_lock(&p->arena_lock);
	fd[TOE_MAX_CTXS] = p->arena_fd[app];
	p->arena_fd[app] = -1;
	pthread_mutex_unlock(&p->arena_lock);
	lx_quiesce(p);
	munmap(m, p->arena_size[app]);
	let_go(fd, TOE_MAX_CTXS + 1);
	return 0;
}
