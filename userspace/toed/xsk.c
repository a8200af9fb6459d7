/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UMEM and AF_XDP sockets. One UMEM per device, in a memfd. Queue q belongs to FPC q % nfpcs: its
 * socket there has all four rings. Every other FPC has a receive-only socket on the queue, which
 * shares the first one's pool.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_xdp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "toed.h"

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9 /* Linux 6.17: descriptors per sendto in copy mode */
#endif
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4) /* Linux 6.6: packets of several descriptors */
#endif
enum {
	TX_BUDGET = 256,
	/* Bytes. In copy mode frames on their way count against it: a full TX ring must fit. */
	SNDBUF = 16 << 20,
	BUSY_MS = 3000,
};

static int make_umem(struct toed *t, struct device *d)
{
	unsigned per_fpc = (d->nqueues + t->nfpcs - 1) / t->nfpcs;

	d->frame_size = d->mtu + LX_FRAME_HEADROOM + 64 <= 2048 ? 2048 : 4096;
	d->frames = t->nfpcs * (LX_TX_PER_FPC + per_fpc * LX_RX_PER_QUEUE);
	d->umem_size = lx_umem_size(d->frames, d->frame_size);
	d->umem_fd = memory_fd("toe-umem", d->umem_size, &d->umem);
	if (d->umem_fd < 0)
		say("%s: no memory for frames (%llu bytes): %s", d->name,
		    (unsigned long long)d->umem_size, strerror(-d->umem_fd));
	return d->umem_fd < 0 ? d->umem_fd : 0;
}

static int set_ring(int fd, int which, unsigned entries)
{
	return setsockopt(fd, SOL_XDP, which, &entries, sizeof(entries)) ? -errno : 0;
}

static int set_umem(int fd, const struct device *d)
{
	struct xdp_umem_reg reg = { .addr = (uintptr_t)d->umem,
				    .len = lx_umem_words_off(d->frames, d->frame_size),
				    .chunk_size = d->frame_size };

	return setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) ? -errno : 0;
}

static int set_rings(int fd, bool owner)
{
	int err = set_ring(fd, XDP_RX_RING, LX_RX_RING);

	if (!owner || err)
		return err;
	err = set_ring(fd, XDP_TX_RING, LX_TX_RING);
	if (!err)
		err = set_ring(fd, XDP_UMEM_FILL_RING, LX_FILL_RING);
	if (!err)
		err = set_ring(fd, XDP_UMEM_COMPLETION_RING, LX_TX_RING);
	return err;
}

/* The first socket of a device decides the mode: zero copy where the driver can, else copy. */
static int bind_first(int fd, const struct device *d, unsigned queue)
{
	static const uint16_t mode[] = { XDP_ZEROCOPY, XDP_COPY };
	struct sockaddr_xdp a = { .sxdp_family = AF_XDP,
				  .sxdp_ifindex = (uint32_t)d->ifindex,
				  .sxdp_queue_id = queue };
	int err = 0;

	for (unsigned i = d->software; i < 2; i++) {
		a.sxdp_flags =
		    (uint16_t)(mode[i] | XDP_USE_NEED_WAKEUP | (d->pieces ? XDP_USE_SG : 0));
		if (!bind(fd, (struct sockaddr *)&a, sizeof(a)))
			return 0;
		err = -errno;
	}
	return err;
}

static int bind_shared(int fd, const struct device *d, unsigned queue, int with)
{
	struct sockaddr_xdp a = { .sxdp_family = AF_XDP,
				  .sxdp_flags = XDP_SHARED_UMEM,
				  .sxdp_ifindex = (uint32_t)d->ifindex,
				  .sxdp_queue_id = queue,
				  .sxdp_shared_umem_fd = (uint32_t)with };

	return bind(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
}

static bool is_zerocopy(int fd)
{
	struct xdp_options o = { 0 };
	socklen_t len = sizeof(o);

	return !getsockopt(fd, SOL_XDP, XDP_OPTIONS, &o, &len) && o.flags & XDP_OPTIONS_ZEROCOPY;
}

/*
 * The queue may still be in the hands of a toe-fw whose toed was killed: it ends by itself, and its
 * sockets a moment later.
 */
static int bind_patiently(int fd, const struct device *d, unsigned queue)
{
	uint64_t until = loop_now() + BUSY_MS;
	int err = bind_first(fd, d, queue);

	while (err == -EBUSY && loop_now() < until) {
		usleep(20000);
		err = bind_first(fd, d, queue);
	}
	return err;
}

/* toe-fw, and each that follows it, maps the rings of sockets that are bound. */
static int can_map_bound(int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *m = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, XDP_PGOFF_RX_RING);
	int err = errno;

	if (m != MAP_FAILED) {
		munmap(m, page);
		return 0;
	}
	say("AF_XDP rings cannot be handed to toe-fw (%s): Linux 6.4 or later is needed",
	    strerror(err));
	return -err;
}

/* `with`: socket to share the UMEM with, -1 for the device's first. */
static int make_socket(struct toed *t, struct device *d, struct xsk *x, int with)
{
	int err, budget = TX_BUDGET, sndbuf = SNDBUF,
		 fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		say("no AF_XDP: the kernel needs CONFIG_XDP_SOCKETS (%s)", strerror(errno));
		return -errno;
	}
	x->fd = fd;
	err = with < 0 ? set_umem(fd, d) : 0;
	if (!err)
		err = set_rings(fd, x->fpc == x->owner);
	if (!err)
		err =
		    with < 0 ? bind_patiently(fd, d, x->queue) : bind_shared(fd, d, x->queue, with);
	if (err) {
		say("%s queue %u: AF_XDP socket refused: %s%s", d->name, x->queue, strerror(-err),
		    err == -EBUSY ? " (another program has the queue)"
		    : d->pieces   ? " (an MTU of more than 3498 needs Linux 6.6 and a driver with "
				    "multi-buffer XDP)"
				  : "");
		return err;
	}
	err = can_map_bound(fd);
	if (err)
		return err;
	/* Before Linux 6.17 there is no such option, and the firmware calls more often. */
	setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf));
	x->zerocopy = is_zerocopy(fd);
	err = toe_maps_xsk_set(&t->xdp.maps, device_index(t, d), x->queue, x->fpc, fd);
	if (err)
		say("%s queue %u: cannot be put into toe_xsks: %s", d->name, x->queue,
		    strerror(-err));
	return err;
}

/* The owner's socket of a queue comes first: the others share its rings. */
static int make_queue(struct toed *t, struct device *d, unsigned q)
{
	unsigned owner = q % t->nfpcs;
	int with = d->nxsks ? d->xsk[0].fd : -1;
	int err = 0;

	for (unsigned i = 0; i < t->nfpcs && !err; i++) {
		struct xsk *x = &d->xsk[d->nxsks];

		*x = (struct xsk){ .fd = -1, .queue = (uint8_t)q, .owner = (uint8_t)owner };
		x->fpc = (uint8_t)((owner + i) % t->nfpcs);
		d->nxsks++;
		err = make_socket(t, d, x, with);
		if (i == 0)
			with = x->fd;
	}
	return err;
}

int xsk_make(struct toed *t, struct device *d)
{
	int err = make_umem(t, d);

	for (unsigned q = 0; q < d->nqueues && !err; q++)
		err = make_queue(t, d, q);
	if (!err)
		say("%s: %s, %u queue%s, %s, %u frames of %u bytes", d->name, d->driver, d->nqueues,
		    d->nqueues == 1 ? "" : "s", d->xsk[0].zerocopy ? "zero copy" : "copy mode",
		    d->frames, d->frame_size);
	return err;
}

void xsk_remove(struct toed *t, struct device *d)
{
	for (unsigned i = 0; i < d->nxsks; i++) {
		if (d->xsk[i].fd < 0)
			continue;
		toe_maps_xsk_del(&t->xdp.maps, device_index(t, d), d->xsk[i].queue, d->xsk[i].fpc);
		close(d->xsk[i].fd);
	}
	d->nxsks = 0;
	if (d->umem_fd >= 0) {
		munmap(d->umem, d->umem_size);
		close(d->umem_fd);
	}
	d->umem_fd = -1;
}
