/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared memory that outlives toe-fw: control region, engine state, the eventfds of the FPCs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/engine.h"
#include "toed.h"

enum { SPIN_US = 60 }; /* idle time before an FPC sleeps: more than a wake-up across CPUs costs */

int memory_fd(const char *name, uint64_t size, void **map)
{
	int err, fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *m;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		goto fail;
	m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (m == MAP_FAILED)
		goto fail;
	*map = m;
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

void random_bytes(void *p, size_t n)
{
	while (getrandom(p, n, 0) != (ssize_t)n)
		;
}

static void fill_ctrl(struct toed *t)
{
	struct toe_ctrl *c = t->ctrl;

	c->magic = TOE_CTRL_MAGIC;
	c->version = TOE_ABI_VERSION;
	c->nfpcs = t->nfpcs;
	c->nflows = TOE_MAX_FLOWS;
	c->tcb_cache = t->opt.tcb_cache;
	c->nbuckets = TOE_BUCKETS;
	random_bytes(c->key, sizeof(c->key));
	c->port_lo = t->port_lo;
	c->port_hi = t->port_hi;
	c->rcvbuf_max = (uint32_t)t->opt.rcvbuf_max;
	c->sndbuf_max = (uint32_t)t->opt.sndbuf_max;
	c->app_buffers = t->opt.app_buffers;
	c->big_slots = TOE_MAX_BIG_SLOTS;
	c->poll_busy = t->opt.poll_busy;
	c->spin_us = SPIN_US;
	c->cc = (uint8_t)t->opt.cc;
	c->ecn = (uint8_t)t->opt.ecn;
	c->no_ts = !t->opt.timestamps;
	for (unsigned i = 0; i < t->ndevs; i++) {
		struct toe_dev *d = &c->dev[i];

		d->ifindex = (uint32_t)t->dev[i].ifindex;
		d->mtu = t->dev[i].mtu;
		memcpy(d->mac, t->dev[i].mac, 6);
		d->software = t->dev[i].software;
		d->pieces = t->dev[i].pieces;
		d->nqueues = (uint8_t)t->dev[i].nqueues;
		memcpy(d->name, t->dev[i].name, sizeof(d->name));
	}
}

int memory_make(struct toed *t)
{
	t->ctrl_fd = memory_fd("toe-ctrl", sizeof(*t->ctrl), (void **)&t->ctrl);
	if (t->ctrl_fd < 0) {
		say("no memory for the control region: %s", strerror(-t->ctrl_fd));
		return t->ctrl_fd;
	}
	fill_ctrl(t);
	t->state_size = toe_engine_state_size(t->nfpcs, t->opt.tcb_cache, TOE_MAX_FLOWS);
	t->state_fd = memory_fd("toe-state", t->state_size, &t->state);
	if (t->state_fd < 0) {
		say("no memory for the engine's state (%llu bytes): %s",
		    (unsigned long long)t->state_size, strerror(-t->state_fd));
		return t->state_fd;
	}
	for (unsigned i = 0; i < t->nfpcs; i++) {
		t->fpc_event[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (t->fpc_event[i] < 0)
			return -errno;
	}
	return 0;
}
