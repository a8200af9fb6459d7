/* SPDX-License-Identifier: BSD-2-Clause */
/* Links: what happens to a frame between two hosts, and the queue of frames under way. */
#include "sim.h"

#include "../../tcp/tcp.h"
#include "../../wire/checksum.h"
#include "../../wire/ip.h"

#include <stdlib.h>
#include <string.h>

struct sim_packet {
	uint64_t at, order;
	struct toe_port *to;
	uint32_t len;
	uint8_t data[];
};

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* splitmix64 */
uint64_t sim_random(struct sim_world *w)
{
	return mix(w->rng += 0x9e3779b97f4a7c15ull);
}

/* Which of a link's dice is thrown. */
enum die { DIE_LOSS, DIE_DUP, DIE_CORRUPT, DIE_REORDER, DIE_REORDER_COPY };

/*
 * How a die falls for the link's present frame: a function of seed and number, so that it is the
 * same frames that suffer whatever else happens in the world.
 */
static bool chance(const struct sim_link *l, enum die die, uint32_t in_65536)
{
	return in_65536 && (mix(mix(l->seed + l->number * 8 + die)) & 0xffff) < in_65536;
}

static bool before(const struct sim_packet *a, const struct sim_packet *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_push(struct sim_world *w, struct sim_packet *p)
{
	unsigned i = w->nheap++;

	if (w->nheap > w->heap_room) {
		w->heap_room = w->heap_room ? w->heap_room * 2 : 256;
		w->heap = realloc(w->heap, w->heap_room * sizeof(*w->heap));
	}
	while (i && before(p, w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = p;
}

static struct sim_packet *heap_pop(struct sim_world *w)
{
	struct sim_packet *top = w->heap[0], *last = w->heap[--w->nheap];
	unsigned i = 0, c;

	while ((c = 2 * i + 1) < w->nheap) {
		if (c + 1 < w->nheap && before(w->heap[c + 1], w->heap[c]))
			c++;
		if (!before(w->heap[c], last))
			break;
		w->heap[i] = w->heap[c];
		i = c;
	}
	w->heap[i] = last;
	return top;
}

static void put(struct toe_port *to, uint64_t at, const uint8_t *frame, uint32_t len)
{
	struct sim_packet *p = malloc(sizeof(*p) + len);

	p->at = at;
	p->order = to->w->order++;
	p->to = to;
	p->len = len;
	memcpy(p->data, frame, len);
	heap_push(to->w, p);
}

/* Congestion Experienced, if the sender speaks ECN (RFC 3168 5). Without VLAN tag. */
static void mark_ce(uint8_t *frame)
{
	struct toe_ipv4 *v4 = (struct toe_ipv4 *)(frame + SIM_ETH);
	uint8_t *tc = frame + SIM_ETH + 1;

	if (frame[SIM_ETH] >> 4 == 6) {
		*tc |= *tc & 0x30 ? 0x30 : 0;
	} else if (v4->tos & TOE_CE) {
		v4->tos |= TOE_CE;
		v4->check = 0;
		v4->check = (uint16_t)~toe_csum_fold(toe_csum_add(0, v4, sizeof(*v4)));
	}
}

/*
 * Wait for the rate: tail drop in a queue of bytes. False: dropped. busy_until: when the last byte
 * of what is queued has left.
 */
static bool enqueue_rate(const struct sim_world *w, struct sim_link *l, uint32_t len,
			 uint64_t *wait_us, bool *mark)
{
	uint64_t now = w->now * 1000;
	uint32_t waiting;

	*wait_us = 0;
	*mark = false;
	if (!l->kbit)
		return true;
	if (l->busy_until < now)
		l->busy_until = now;
	waiting = (uint32_t)((l->busy_until - now) * l->kbit / 8000000) + len;
	if (l->queue && waiting > l->queue)
		return false;
	*mark = l->mark && waiting > l->mark;
	if (waiting > l->waited)
		l->waited = waiting;
	l->busy_until += (uint64_t)len * 8000000 / l->kbit;
	*wait_us = (l->busy_until - now) / 1000;
	return true;
}

void sim_send(struct toe_port *to, struct sim_link *l, const uint8_t *frame, uint32_t len)
{
	struct sim_world *w = to->w;
	uint64_t wait;
	uint8_t changed[SIM_PACKET];
	bool mark;

	if (!l) {
		put(to, w->now, frame, len);
		return;
	}
	l->number++;
	if (l->mtu && len > l->mtu + SIM_ETH) {
		w->lost++;
		if (l->tells && to->peer)
			sim_too_big(to->peer, frame, len, l->mtu);
		return;
	}
	if (chance(l, DIE_LOSS, l->loss) || !enqueue_rate(w, l, len, &wait, &mark)) {
		w->lost++;
		return;
	}
	if (mark) {
		memcpy(changed, frame, len);
		mark_ce(changed);
		frame = changed;
	}
	if (chance(l, DIE_CORRUPT, l->corrupt)) {
		memmove(changed, frame, len);
		changed[14 + sim_below(w, len - 14)] ^= (uint8_t)(1u << sim_below(w, 8));
		frame = changed;
	}
	wait += w->now + l->delay_us;
	put(to, wait + (chance(l, DIE_REORDER, l->reorder) ? l->late_us : 0), frame, len);
	if (chance(l, DIE_DUP, l->dup))
		put(to, wait + (chance(l, DIE_REORDER_COPY, l->reorder) ? l->late_us : 0), frame,
		    len);
}

/* Hand over every frame whose time has come. */
static unsigned deliver(struct sim_world *w)
{
	unsigned n = 0;

	while (w->nheap && w->heap[0]->at <= w->now) {
		struct sim_packet *p = heap_pop(w);

		sim_receive(p->to, p->data, p->len);
		w->delivered++;
		free(p);
		n++;
	}
	return n;
}

unsigned sim_step(struct sim_world *w)
{
	unsigned n = deliver(w);

	for (unsigned i = 0; i < w->nhosts; i++)
		n += sim_poll(w->host[i], 4);
	return n;
}

uint64_t sim_next(struct sim_world *w)
{
	uint64_t next = w->nheap ? w->heap[0]->at : UINT64_MAX;

	for (unsigned i = 0; i < w->nhosts; i++) {
		if (w->host[i]->ntx && w->host[i]->device.until < next)
			next = w->host[i]->device.until;
		for (unsigned k = 0; k < w->host[i]->conf.nfpcs; k++) {
			uint64_t d = toe_fpc_deadline(w->host[i]->fpc[k]);

			if (d && d < next)
				next = d;
		}
	}
	return next;
}

struct sim_world *sim_new(uint64_t seed)
{
	struct sim_world *w = calloc(1, sizeof(*w));

	w->rng = seed;
	w->now = 1000000 + (sim_random(w) & 0xffffffff);
	return w;
}

void sim_drop_frames(struct sim_world *w)
{
	while (w->nheap)
		free(heap_pop(w));
	free(w->heap);
}
