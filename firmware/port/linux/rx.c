/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receiving: bursts from the RX rings, frames from and for other FPCs, and the way back to the fill
 * rings.
 */
#include "frames.h"
#include "port_linux.h"

/* A frame on its way between FPCs, in one word; the pieces of a packet in as many. */
static uint64_t pack(const struct lx_umem *u, const struct toe_frame *f)
{
	uint64_t off = (uint64_t)(f->data - lx_frame_addr(u, f->id));

	return (uint64_t)f->id | (uint64_t)(f->dev & 7) << 24 | (uint64_t)(f->meta & 1) << 27 |
	       (uint64_t)(f->queue & 15) << 28 | (uint64_t)(f->len & 0x1fff) << 32 |
	       (uint64_t)(f->more & 7) << 45 | off << 48;
}

static void unpack(const struct toe_port *p, uint64_t v, struct toe_frame *f)
{
	f->id = v & 0xffffff;
	f->dev = v >> 24 & 7;
	f->meta = v >> 27 & 1;
	f->queue = v >> 28 & 15;
	f->len = v >> 32 & 0x1fff;
	f->more = v >> 45 & 7;
	f->data = lx_frame_addr(&p->umem[f->dev], f->id) + (v >> 48);
}

void lx_fill_put(struct toe_port *p, struct lx_queue *q, uint32_t id)
{
	struct lx_umem *u = &p->umem[q->dev];

	toe_store(&u->word[id], lx_word(LX_OWNER_FILL, q->queue, q->fill.local));
	q->fill.addr[q->fill.local++ & q->fill.mask] = (uint64_t)id << u->shift;
}

static void publish_fills(struct lx_fpc *c)
{
	for (unsigned i = 0; i < c->nqueues; i++) {
		struct lx_queue *q = &c->queue[i];

		if (q->fill.local == *q->fill.prod)
			continue;
		lx_ring_publish_prod(&q->fill);
		lx_ring_wake_rx(&q->fill, q->fd);
	}
}

void lx_rx_wake(struct toe_port *p, unsigned fpc)
{
	struct lx_fpc *c = &p->fpc[fpc];

	for (unsigned i = 0; i < c->nqueues; i++)
		lx_ring_wake_rx(&c->queue[i].fill, c->queue[i].fd);
}

/* Frames that other FPCs are done with go back to the queue they came from. */
static void take_back(struct toe_port *p, unsigned fpc)
{
	struct lx_fpc *c = &p->fpc[fpc];
	struct toe_frame f;
	uint64_t v;
	bool any = false;

	for (unsigned from = 0; from < p->nfpcs; from++) {
		while (from != fpc && lx_spsc_pop(&p->back[from][fpc], &v)) {
			unpack(p, v, &f);
			lx_fill_put(p, c->by_queue[f.dev][f.queue], f.id);
			any = true;
		}
	}
	if (any)
		publish_fills(c);
}

static unsigned take_forwarded(struct toe_port *p, unsigned fpc, struct toe_frame *f, unsigned max)
{
	unsigned n = 0;
	uint64_t v;

	for (unsigned from = 0; from < p->nfpcs; from++) {
		while (from != fpc && n + TOE_FRAME_PIECES <= max &&
		       lx_spsc_pop(&p->forward[from][fpc], &v)) {
			unpack(p, v, &f[n]);
			/* They were pushed together. */
			for (unsigned more = f[n++].more; more; more--)
				if (lx_spsc_pop(&p->forward[from][fpc], &v))
					unpack(p, v, &f[n++]);
		}
	}
	return n;
}

static void read_desc(struct toe_port *p, const struct lx_rx *rx, const struct xdp_desc *d,
		      struct toe_frame *f)
{
	struct lx_umem *u = &p->umem[rx->dev];
	const struct toe_meta *meta;

	f->id = (uint32_t)(d->addr >> u->shift);
	f->data = u->mem + d->addr;
	f->len = d->len;
	f->dev = rx->dev;
	f->queue = rx->queue;
	f->more = 0;
	meta = (const struct toe_meta *)f->data - 1;
	f->meta = meta->magic == TOE_META_WORD;
	toe_store(&u->word[f->id], lx_word(LX_OWNER_FPC, 0, 0));
}

/* A packet longer than any that our MTU allows: its frames go back unseen. */
static void skip(struct toe_port *p, unsigned fpc, struct lx_rx *rx, uint32_t pieces)
{
	struct toe_frame f;

	while (pieces--) {
		read_desc(p, rx, &rx->ring.desc[rx->ring.local++ & rx->ring.mask], &f);
		toe_port_rx_done(p, fpc, &f, 1);
	}
	toe_port_stats(p, fpc)[TOE_CNT_drop_parse]++;
}

/* How many descriptors the packet at `local` + i has; 0 = its end has not come. */
static uint32_t pieces_at(const struct lx_ring *r, uint32_t i, uint32_t ready)
{
	for (uint32_t n = 1; i + n <= ready; n++)
		if (!(r->desc[(r->local + i + n - 1) & r->mask].options & XDP_PKT_CONTD))
			return n;
	return 0;
}

/* The packets among `ready` descriptors, on a device whose packets may have several. */
static unsigned burst_pieces(struct toe_port *p, unsigned fpc, struct lx_rx *rx,
			     struct toe_frame *f, unsigned max, uint32_t ready)
{
	struct lx_ring *r = &rx->ring;
	unsigned n = 0;
	uint32_t k;

	for (; (k = pieces_at(r, 0, ready)); ready -= k) {
		if (k > TOE_FRAME_PIECES) {
			skip(p, fpc, rx, k);
			continue;
		}
		if (n + k > max)
			break;
		for (uint32_t i = 0; i < k; i++)
			read_desc(p, rx, &r->desc[r->local++ & r->mask], &f[n + i]);
		f[n].more = (uint8_t)(k - 1);
		n += k;
	}
	lx_ring_publish_cons(r);
	return n;
}

static unsigned burst(struct toe_port *p, unsigned fpc, struct lx_rx *rx, struct toe_frame *f,
		      unsigned max)
{
	struct lx_ring *r = &rx->ring;
	struct lx_umem *u = &p->umem[rx->dev];
	uint32_t ready = lx_ring_ready(r), n = ready > max ? max : ready;

	if (!n)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(u->mem + r->desc[(r->local + i) & r->mask].addr - 32);
	if (p->ctrl->dev[rx->dev].pieces)
		return burst_pieces(p, fpc, rx, f, max, ready);
	for (uint32_t i = 0; i < n; i++)
		read_desc(p, rx, &r->desc[r->local++ & r->mask], &f[i]);
	lx_ring_publish_cons(r);
	return n;
}

unsigned toe_port_rx(struct toe_port *p, unsigned fpc, struct toe_frame *f, unsigned max)
{
	struct lx_fpc *c = &p->fpc[fpc];
	unsigned n = 0;

	if (p->nfpcs > 1) {
		take_back(p, fpc);
		n = take_forwarded(p, fpc, f, max);
	}
	/* Begin with another ring each time, so that a busy one cannot starve the rest. */
	for (unsigned i = 0; i < c->nrx && n < max; i++)
		n += burst(p, fpc, &c->rx[(c->rx_turn + i) % c->nrx], f + n, max - n);
	c->rx_turn++;
	return n;
}

/* A sleeping home FPC is left alone until a good part of its queue's frames is with us. */
enum { BACK_WAKE = LX_RX_PER_QUEUE / 8 };

void toe_port_rx_done(struct toe_port *p, unsigned fpc, const struct toe_frame *f, unsigned n)
{
	struct lx_fpc *c = &p->fpc[fpc];

	for (unsigned i = 0; i < n; i++) {
		struct lx_umem *u = &p->umem[f[i].dev];
		unsigned home = lx_home(u, f[i].id);

		if (home == fpc) {
			lx_fill_put(p, c->by_queue[f[i].dev][f[i].queue], f[i].id);
			continue;
		}
		lx_spsc_push(&p->back[fpc][home], pack(u, &f[i])); /* has room for all its frames */
		if (lx_spsc_count(&p->back[fpc][home]) >= BACK_WAKE)
			lx_wake_fpc(p, home);
	}
	publish_fills(c);
}

bool toe_port_forward(struct toe_port *p, unsigned fpc, unsigned to, const struct toe_frame *f)
{
	uint64_t v[TOE_FRAME_PIECES];

	for (unsigned i = 0; i <= f->more; i++)
		v[i] = pack(&p->umem[f->dev], &f[i]);
	if (!lx_spsc_push_n(&p->forward[fpc][to], v, 1u + f->more))
		return false;
	lx_wake_fpc(p, to);
	return true;
}

bool lx_rx_waiting(const struct toe_port *p, unsigned fpc)
{
	for (unsigned from = 0; from < p->nfpcs; from++)
		if (from != fpc && (lx_spsc_count(&p->forward[from][fpc]) ||
				    lx_spsc_count(&p->back[from][fpc]) >= BACK_WAKE))
			return true;
	return false;
}
