/* SPDX-License-Identifier: BSD-2-Clause */
/* Applications: their arena, the processes that share it, and the contexts of their threads. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "toed.h"

static struct toe_arena_hdr *header(struct app *a)
{
	return a->arena;
}

/* The header's sets are changed by the application's processes too. */
static void set_bit(uint64_t *set, unsigned bit)
{
	__atomic_fetch_or(set, 1ull << bit, __ATOMIC_SEQ_CST);
}

static int make_arena(struct toed *t, struct app *a, unsigned index)
{
	struct toe_arena_hdr *h;

	a->arena_fd = memory_fd("toe-arena", toe_arena_size(t->ctrl->big_slots), &a->arena);
	if (a->arena_fd < 0)
		return a->arena_fd;
	h = header(a);
	h->magic = TOE_ARENA_MAGIC;
	h->version = TOE_ABI_VERSION;
	h->app = index;
	h->nfpcs = t->nfpcs;
	h->cc = t->opt.cc;
	h->size = toe_arena_size(t->ctrl->big_slots);
	h->procs = 1;
	for (unsigned i = 0; i < t->nfpcs; i++) {
		/*
		 * An FPC that sleeps has not seen this arena: until it says otherwise, ring its
		 * bell.
		 */
		h->fpc[i].sleeping = 1;
		if (t->opt.cpu[i] != OPT_CPU_ANY)
			h->fpc[i].cpu = (uint32_t)t->opt.cpu[i] + 1;
	}
	return 0;
}

int app_new(struct toed *t, pid_t pid, uid_t uid, uint32_t *seq)
{
	unsigned i = 0;
	struct app *a;
	int err;

	while (i < TOE_MAX_APPS && t->app[i].life != APP_NONE)
		i++;
	if (i == TOE_MAX_APPS)
		return -EUSERS;
	a = &t->app[i];
	memset(a, 0, sizeof(*a));
	err = make_arena(t, a, i);
	if (err)
		return err;
	a->pid = pid;
	a->uid = uid;
	random_bytes(&a->token, sizeof(a->token));
	a->proc[0].state = PROC_ATTACHED;
	memset(t->ctrl->app_gone[i], 0, sizeof(t->ctrl->app_gone[i]));
	a->life = APP_STARTING;
	*seq = handover_app(t, i);
	return (int)i;
}

void app_ready(struct toed *t, unsigned app)
{
	if (t->app[app].life != APP_STARTING)
		return;
	t->app[app].life = APP_RUNNING;
	toe_store_release(&t->ctrl->app_state[app], TOE_APP_READY);
	fpc_wake_all(t);
}

/* A slot that the parent announced, or (TOE_ADM_NEW) any free one. */
static int take_slot(struct app *a, uint32_t proc)
{
	uint64_t procs;

	if (proc != TOE_ADM_NEW)
		return proc < TOE_MAX_PROCS && a->proc[proc].state == PROC_NONE ? (int)proc
										: -EINVAL;
	procs = toe_load(&header(a)->procs);
	for (unsigned i = 0; i < TOE_MAX_PROCS; i++)
		if (!(procs >> i & 1) && a->proc[i].state == PROC_NONE)
			return (int)i;
	return -EUSERS;
}

int app_attach(struct toed *t, unsigned app, uint32_t proc, uint64_t token)
{
	struct app *a;
	int slot;

	if (app >= TOE_MAX_APPS)
		return -EINVAL;
	a = &t->app[app];
	if ((a->life != APP_RUNNING && a->life != APP_ORPHANED) || token != a->token)
		return -EACCES;
	slot = take_slot(a, proc);
	if (slot < 0)
		return slot;
	set_bit(&header(a)->procs, (unsigned)slot);
	a->proc[slot].state = PROC_ATTACHED;
	a->life = APP_RUNNING;
	return slot;
}

/* A ring that an earlier context left: what it had not read is no news for the new one. */
static void clean_ctx(struct toed *t, struct toe_ctx *c, unsigned proc)
{
	for (unsigned f = 0; f < t->nfpcs; f++) {
		toe_store(&c->fpc[f].sw.db.head, toe_load(&c->fpc[f].sw.db.tail));
		toe_store(&c->fpc[f].hw.db.tail, toe_load(&c->fpc[f].hw.db.head));
	}
	toe_store(&c->sleep.sleeping, 0);
	c->proc = proc;
	c->flows_hint = 0;
}

int ctx_new(struct toed *t, unsigned app, unsigned proc, uint32_t *seq)
{
	struct app *a = &t->app[app];
	unsigned i = 0;

	while (i < TOE_MAX_CTXS && a->ctx[i].used)
		i++;
	if (i == TOE_MAX_CTXS)
		return -EUSERS;
	a->ctx[i].event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->ctx[i].event_fd < 0)
		return -errno;
	a->ctx[i].used = true;
	a->ctx[i].proc = (uint8_t)proc;
	clean_ctx(t, toe_arena_ctx(a->arena, i), proc);
	*seq = handover_ctx(t, app, i);
	return (int)i;
}

void ctx_ready(struct toed *t, unsigned app, unsigned ctx)
{
	set_bit(&header(&t->app[app])->ctxs, ctx);
	fpc_wake_all(t);
}

/*
 * Hints of connections go round among those who wait; one for a thread that was killed would keep its
 * connection back from all others for a while.
 */
static void no_more_hints(struct app *a, unsigned ctx)
{
	for (unsigned i = 0; i < TOE_MAX_LISTENERS; i++)
		__atomic_fetch_and(&toe_arena_listener(a->arena, i)->waiters, ~(1ull << ctx),
				   __ATOMIC_SEQ_CST);
}

int ctx_free(struct toed *t, unsigned app, unsigned proc, unsigned ctx)
{
	struct app *a = &t->app[app];

	if (ctx >= TOE_MAX_CTXS || !a->ctx[ctx].used || a->ctx[ctx].proc != proc)
		return -EINVAL;
	__atomic_fetch_and(&header(a)->ctxs, ~(1ull << ctx), __ATOMIC_SEQ_CST);
	no_more_hints(a, ctx);
	handover_ctx_gone(t, app, ctx);
	close(a->ctx[ctx].event_fd);
	a->ctx[ctx].used = false;
	return 0;
}

/* toe-fw has let go of an arena (or was restarted without it): the application's number is free. */
void app_fw_done(struct toed *t, uint32_t seq, bool all)
{
	for (unsigned i = 0; i < TOE_MAX_APPS; i++) {
		struct app *a = &t->app[i];

		if (a->life != APP_LEAVING || (all ? (int32_t)(seq - a->seq) < 0 : seq != a->seq))
			continue;
		munmap(a->arena, toe_arena_size(t->ctrl->big_slots));
		close(a->arena_fd);
		a->life = APP_NONE;
		toe_store_release(&t->ctrl->app_state[i], TOE_APP_FREE);
	}
}
