/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From descriptors to working queues: map the rings, find out where every frame is, fill what must
 * be filled.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "port_linux.h"

static int map_rings(struct toe_port *p, unsigned fpc)
{
	struct lx_fpc *c = &p->fpc[fpc];
	int err = 0;

	for (unsigned i = 0; i < c->nrx && !err; i++)
		err = lx_ring_map(&c->rx[i].ring, c->rx[i].fd, LX_RING_RX, LX_RX_RING);
	for (unsigned i = 0; i < c->nqueues && !err; i++) {
		struct lx_queue *q = &c->queue[i];

		err = lx_ring_map(&q->fill, q->fd, LX_RING_FILL, LX_FILL_RING);
		if (!err)
			err = lx_ring_map(&q->tx, q->fd, LX_RING_TX, LX_TX_RING);
		if (!err)
			err = lx_ring_map(&q->comp, q->fd, LX_RING_COMPLETION, LX_TX_RING);
		c->by_queue[q->dev][q->queue] = q;
		if (!c->txq[q->dev] || q->queue == fpc)
			c->txq[q->dev] = q;
		q->kick = true; /* a predecessor may have left descriptors */
	}
	return err;
}

static void mark(uint8_t *waiting, const struct lx_umem *u, uint32_t lo, uint64_t addr,
		 uint8_t what)
{
	uint32_t id = (uint32_t)(addr >> u->shift);

	if (id >= lo && id < lo + u->per_fpc)
		waiting[id - lo] = what;
}

/*
 * Frames of `home` that stand unread in an RX ring of any FPC or in a completion ring of its own.
 */
static void mark_waiting(struct toe_port *p, unsigned dev, unsigned home, uint8_t *waiting)
{
	const struct lx_umem *u = &p->umem[dev];
	uint32_t lo = home * u->per_fpc;

	for (unsigned f = 0; f < p->nfpcs; f++) {
		for (unsigned i = 0; i < p->fpc[f].nrx; i++) {
			struct lx_rx *rx = &p->fpc[f].rx[i];
			struct lx_ring *r = &rx->ring;

			for (uint32_t k = 0; rx->dev == dev && k < lx_ring_ready(r); k++)
				mark(waiting, u, lo, r->desc[(r->local + k) & r->mask].addr,
				     LX_WAIT_RX + rx->queue);
		}
	}
	for (unsigned i = 0; i < p->fpc[home].nqueues; i++) {
		struct lx_queue *q = &p->fpc[home].queue[i];
		struct lx_ring *r = &q->comp;

		for (uint32_t k = 0; q->dev == dev && k < lx_ring_ready(r); k++)
			mark(waiting, u, lo, r->addr[(r->local + k) & r->mask], LX_WAIT_COMPLETION);
	}
}

static void top_up(struct toe_port *p, struct lx_fpc *c, struct lx_queue *q, uint32_t have)
{
	for (; have < LX_RX_PER_QUEUE && c->nfree[q->dev]; have++)
		lx_fill_put(p, q, c->free_ids[q->dev][--c->nfree[q->dev]]);
	lx_ring_publish_prod(&q->fill);
	lx_ring_wake_rx(&q->fill, q->fd);
}

static int recover(struct toe_port *p, unsigned dev, unsigned home)
{
	struct lx_fpc *c = &p->fpc[home];
	struct lx_umem *u = &p->umem[dev];
	struct lx_frames_in in = { .word = u->word,
				   .lo = home * u->per_fpc,
				   .hi = (home + 1) * u->per_fpc };
	uint32_t in_fill[LX_FRAME_QUEUES], sending;
	uint8_t *waiting = calloc(u->per_fpc, 1);

	c->free_ids[dev] = calloc(u->per_fpc, sizeof(uint32_t));
	if (!waiting || !c->free_ids[dev]) {
		free(waiting);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < c->nqueues; i++) {
		if (c->queue[i].dev != dev)
			continue;
		in.fill_prod[c->queue[i].queue] = c->queue[i].fill.local;
		in.tx_prod[c->queue[i].queue] = c->queue[i].tx.local;
	}
	mark_waiting(p, dev, home, waiting);
	in.waiting = waiting;
	c->nfree[dev] = lx_frames_recover(&in, c->free_ids[dev], in_fill);
	sending = u->per_fpc - c->nfree[dev];
	for (unsigned i = 0; i < c->nqueues; i++) {
		if (c->queue[i].dev != dev)
			continue;
		sending -= in_fill[c->queue[i].queue];
		top_up(p, c, &c->queue[i], in_fill[c->queue[i].queue]);
	}
	/* Never more frames for sending than the TX ring has entries. */
	if (c->nfree[dev] + sending > LX_TX_RING)
		c->nfree[dev] = LX_TX_RING - sending;
	free(waiting);
	return 0;
}

/* Rings between FPCs: `back` holds all frames of a home, so that a push never fails. */
static int make_spsc(struct toe_port *p)
{
	uint32_t frames = 0, n = 1;

	for (unsigned d = 0; d < TOE_MAX_DEVS; d++)
		frames += p->umem[d].per_fpc;
	while (n < frames)
		n *= 2;
	for (unsigned a = 0; a < p->nfpcs; a++)
		for (unsigned b = 0; b < p->nfpcs; b++)
			if (a != b && (!lx_spsc_init(&p->forward[a][b], LX_RX_RING) ||
				       !lx_spsc_init(&p->back[a][b], n)))
				return -ENOMEM;
	return 0;
}

int lx_queues_start(struct toe_port *p)
{
	int err = 0;

	for (unsigned f = 0; f < p->nfpcs && !err; f++)
		err = map_rings(p, f);
	if (!err)
		err = make_spsc(p);
	for (unsigned f = 0; f < p->nfpcs && !err; f++)
		for (unsigned d = 0; d < TOE_MAX_DEVS && !err; d++)
			if (p->umem[d].mem)
				err = recover(p, d, f);
	return err;
}
