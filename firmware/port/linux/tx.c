/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending: frames from the FPC's own stack, one sendto for a batch, completions back to the stack.
 */
#include <errno.h>
#include <sys/socket.h>

#include "frames.h"
#include "port_linux.h"

/* In copy mode one sendto takes at least this many descriptors, then says EAGAIN. */
enum { TX_PER_CALL = 32, TX_CALLS_EXTRA = 2 };

void lx_tx_reap(struct toe_port *p, unsigned fpc, struct lx_queue *q)
{
	struct lx_fpc *c = &p->fpc[fpc];
	struct lx_umem *u = &p->umem[q->dev];
	struct lx_ring *r = &q->comp;
	uint32_t n = lx_ring_ready(r);

	if (!n)
		return;
	while (n--) {
		uint32_t id = (uint32_t)(r->addr[r->local++ & r->mask] >> u->shift);

		toe_store(&u->word[id], lx_word(LX_OWNER_FPC, 0, 0));
		c->free_ids[q->dev][c->nfree[q->dev]++] = id;
	}
	lx_ring_publish_cons(r);
}

bool toe_port_tx_alloc(struct toe_port *p, unsigned fpc, unsigned dev, struct toe_frame *f)
{
	struct lx_fpc *c = &p->fpc[fpc];

	if (!c->txq[dev])
		return false;
	if (!c->nfree[dev])
		lx_tx_reap(p, fpc, c->txq[dev]);
	if (!c->nfree[dev])
		return false;
	f->id = c->free_ids[dev][--c->nfree[dev]];
	f->data = lx_frame_addr(&p->umem[dev], f->id) + LX_FRAME_HEADROOM;
	f->len = (1u << p->umem[dev].shift) - LX_FRAME_HEADROOM;
	f->dev = (uint8_t)dev;
	f->queue = c->txq[dev]->queue;
	f->meta = 0;
	f->more = 0;
	return true;
}

/*
 * The ring has an entry for every frame an FPC can send, so there is room. The kernel sees the
 * pieces of a packet together, when the index passes them all (toe_port_tx_kick).
 */
void toe_port_tx(struct toe_port *p, unsigned fpc, const struct toe_frame *f)
{
	struct lx_umem *u = &p->umem[f->dev];
	struct lx_queue *q = p->fpc[fpc].txq[f->dev];

	for (unsigned i = 0; i <= f->more; i++) {
		struct xdp_desc *d = &q->tx.desc[q->tx.local & q->tx.mask];

		toe_store(&u->word[f[i].id], lx_word(LX_OWNER_TX, q->queue, q->tx.local));
		d->addr = (uint64_t)(f[i].data - u->mem);
		d->len = f[i].len;
		d->options = i < f->more ? XDP_PKT_CONTD : 0;
		q->tx.local++;
	}
	q->kick = true;
}

/* Worth another call soon: the batch was cut, or the socket's or the device's queue is full. */
static bool try_again(int err)
{
	return err == EAGAIN || err == ENOBUFS || err == EBUSY;
}

/*
 * Let the kernel send what is in the ring. What it leaves stays marked for the next time, but not
 * when the device is down: then it leaves with whatever TCP sends once it is up.
 */
static void kick(struct lx_queue *q)
{
	uint32_t left = q->tx.local - toe_load_acquire(q->tx.cons);
	int err = 0;

	for (unsigned calls = left / TX_PER_CALL + TX_CALLS_EXTRA; left && calls; calls--) {
		if (!lx_ring_needs_wakeup(&q->tx))
			break;
		err = sendto(q->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? errno : 0;
		if (err && err != EAGAIN)
			break;
		left = q->tx.local - toe_load_acquire(q->tx.cons);
	}
	q->kick = left && lx_ring_needs_wakeup(&q->tx) && (!err || try_again(err));
}

void toe_port_tx_kick(struct toe_port *p, unsigned fpc)
{
	struct lx_fpc *c = &p->fpc[fpc];

	for (unsigned i = 0; i < c->nqueues; i++) {
		struct lx_queue *q = &c->queue[i];

		if (!q->kick)
			continue;
		lx_ring_publish_prod(&q->tx);
		kick(q);
		lx_tx_reap(p, fpc, q);
	}
}

bool lx_tx_pending(struct toe_port *p, unsigned fpc)
{
	struct lx_fpc *c = &p->fpc[fpc];
	bool left = false;

	toe_port_tx_kick(p, fpc);
	for (unsigned i = 0; i < c->nqueues; i++) {
		lx_tx_reap(p, fpc, &c->queue[i]); /* the peer may have been late to let go */
		left |= c->queue[i].kick;
	}
	return left;
}
