/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The four rings of an AF_XDP socket that somebody else made and bound: mapped from its descriptor
 * alone. (libxdp's helpers only map rings of sockets that they made.)
 *
 * Indices run freely. We produce FILL and TX, and consume RX and COMPLETION; `local` is our own
 * index, ahead of the shared one by what has not been published yet.
 */
#ifndef TOE_PORT_LINUX_XSK_RING_H
#define TOE_PORT_LINUX_XSK_RING_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../lib/atomics.h"

/* Option of a descriptor: the packet goes on in the next one. */
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD 1 /* Linux 6.6 */
#endif

enum lx_ring_kind { LX_RING_RX, LX_RING_TX, LX_RING_FILL, LX_RING_COMPLETION };

struct lx_ring {
	uint32_t *prod, *cons, *flags; /* shared with the kernel */
	union {
		uint64_t *addr; /* FILL, COMPLETION */
		struct xdp_desc *desc; /* RX, TX */
	};
	uint32_t mask;
	uint32_t local;
};

/*
 * Map one ring of socket `fd` with `n` entries (a power of two, as when it was made). 0 or -errno.
 */
int lx_ring_map(struct lx_ring *r, int fd, enum lx_ring_kind kind, uint32_t n);

/* Entries that wait for us in a ring that the kernel produces. */
static inline uint32_t lx_ring_ready(const struct lx_ring *r)
{
	return toe_load_acquire(r->prod) - r->local;
}

static inline void lx_ring_publish_cons(struct lx_ring *r)
{
	toe_store_release(r->cons, r->local);
}

static inline void lx_ring_publish_prod(struct lx_ring *r)
{
	toe_store_release(r->prod, r->local);
}

static inline bool lx_ring_needs_wakeup(const struct lx_ring *r)
{
	return toe_load(r->flags) & XDP_RING_NEED_WAKEUP;
}

/*
 * A driver that works without copies and found the fill ring empty, as it does at the start, takes
 * frames from it again only when it is told to: by poll(2), or here, for who does not sleep.
 * Elsewhere a look at a word. `fd`: the socket of the fill ring.
 */
void lx_ring_wake_rx(const struct lx_ring *fill, int fd);

#endif
