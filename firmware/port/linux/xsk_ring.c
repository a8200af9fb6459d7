/* SPDX-License-Identifier: BSD-2-Clause */
#include "xsk_ring.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>

static const struct {
	off_t pgoff;
	size_t entry;
} ring_kind[] = {
	[LX_RING_RX] = { XDP_PGOFF_RX_RING, sizeof(struct xdp_desc) },
	[LX_RING_TX] = { XDP_PGOFF_TX_RING, sizeof(struct xdp_desc) },
	[LX_RING_FILL] = { XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t) },
	[LX_RING_COMPLETION] = { XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(uint64_t) },
};

static const struct xdp_ring_offset *ring_offset(const struct xdp_mmap_offsets *o,
						 enum lx_ring_kind kind)
{
	switch (kind) {
	case LX_RING_RX:
		return &o->rx;
	case LX_RING_TX:
		return &o->tx;
	case LX_RING_FILL:
		return &o->fr;
	default:
		return &o->cr;
	}
}

int lx_ring_map(struct lx_ring *r, int fd, enum lx_ring_kind kind, uint32_t n)
{
	const struct xdp_ring_offset *o;
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);
	uint8_t *m;

	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len))
		return -errno;
	if (len != sizeof(off))
		return -EPROTO; /* a kernel before 5.4 has no flags word */
	o = ring_offset(&off, kind);
	m = mmap(NULL, o->desc + n * ring_kind[kind].entry, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_POPULATE, fd, ring_kind[kind].pgoff);
	if (m == MAP_FAILED)
		return -errno;
	r->prod = (uint32_t *)(m + o->producer);
	r->cons = (uint32_t *)(m + o->consumer);
	r->flags = (uint32_t *)(m + o->flags);
	r->addr = (uint64_t *)(m + o->desc);
	r->mask = n - 1;
	/*
	 * The shared index that is ours: what a predecessor published counts, what it had staged
	 * does not.
	 */
	r->local = kind == LX_RING_TX || kind == LX_RING_FILL ? *r->prod : *r->cons;
	return 0;
}

void lx_ring_wake_rx(const struct lx_ring *fill, int fd)
{
	if (lx_ring_needs_wakeup(fill))
		recvfrom(fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}
