/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings larger than the default: who has which big slot of an application's arena, and when a flow
 * changes rings.
 *
 * A slot's owner is in its TCB (rcv_ring, snd_ring) and nowhere else. What is kept here can be
 * rebuilt from there: which slots are free, and which of those hold memory. A flow that gets none
 * goes on with what it has.
 *
 * No byte moves when a flow changes rings: up to a position that was promised already (advertised
 * to the peer, or to the application as space) the old one holds, from there on the new one.
 */
#include "fpc.h"

enum {
	KEEP =
	    8, /* free slots of an application and FPC whose memory stays for the next user ... */
	KEEP_US = 1000000, /* ... as long as there is one */
	FLIGHT = 8, /* slots being given back at once */
	RETRY_US = 10000,
};

static uint32_t share(const struct toe_fpc *f)
{
	return f->ctrl->big_slots / f->nfpcs;
}

static void set(uint64_t *map, uint32_t i)
{
	map[i / 64] |= 1ull << (i % 64);
}

static void clear(uint64_t *map, uint32_t i)
{
	map[i / 64] &= ~(1ull << (i % 64));
}

static bool has(const uint64_t *map, uint32_t i)
{
	return map[i / 64] >> (i % 64) & 1;
}

/* The lowest member, TOE_MAX_BIG_SLOTS = none. */
static uint32_t lowest(const uint64_t *map)
{
	for (uint32_t i = 0; i < TOE_MAX_BIG_SLOTS / 64; i++)
		if (map[i])
			return i * 64 + (uint32_t)__builtin_ctzll(map[i]);
	return TOE_MAX_BIG_SLOTS;
}

static uint32_t count(uint64_t word)
{
	uint32_t n = 0;

	for (; word; word &= word - 1)
		n++;
	return n;
}

/* The FPC's slots in word `w` of a map. */
static uint64_t members(const struct toe_fpc *f, uint32_t w)
{
	uint32_t n = share(f) > 64 * w ? share(f) - 64 * w : 0;

	return n < 64 ? (1ull << n) - 1 : UINT64_MAX;
}

void toe_big_init(struct toe_fpc *f, unsigned app, bool used)
{
	struct toe_big *b = &f->big[app];

	b->ndirty = 0;
	b->bytes = 0;
	for (uint32_t w = 0; w < TOE_MAX_BIG_SLOTS / 64; w++) {
		/* The port will tell of those in flight. */
		uint64_t idle = members(f, w) & ~b->flight[w];

		b->dirty[w] = used ? idle : 0;
		b->clean[w] = used ? 0 : idle;
		b->ndirty += count(b->dirty[w]);
	}
}

uint32_t toe_big_free(const struct toe_fpc *f, unsigned app)
{
	const struct toe_big *b = &f->big[app];
	uint32_t n = 0;

	for (uint32_t w = 0; w < TOE_MAX_BIG_SLOTS / 64; w++)
		n += count(b->clean[w] | b->dirty[w] | b->flight[w]);
	return n;
}

/* A live flow's ring, found at a restart. */
void toe_big_adopt(struct toe_fpc *f, unsigned app, uint64_t ring)
{
	struct toe_big *b = &f->big[app];
	uint32_t i = toe_ring_slot(ring) - f->id * share(f);

	if (!ring || i >= share(f))
		return;
	b->ndirty -= has(b->dirty, i);
	clear(b->dirty, i);
	clear(b->clean, i);
	b->bytes += toe_ring_size(ring);
}

static uint32_t take(struct toe_fpc *f, struct toe_big *b)
{
	uint32_t i = b->ndirty ? lowest(b->dirty) : lowest(b->clean);

	if (i == TOE_MAX_BIG_SLOTS)
		return i;
	b->ndirty -= has(b->dirty, i);
	clear(b->dirty, i);
	clear(b->clean, i);
	return f->id * share(f) + i;
}

static void give(struct toe_fpc *f, unsigned app, uint64_t ring)
{
	struct toe_big *b = &f->big[app];

	if (!ring)
		return;
	set(b->dirty, toe_ring_slot(ring) - f->id * share(f));
	b->ndirty++;
	b->bytes -= toe_ring_size(ring);
	f->big_at = f->now + (b->ndirty > KEEP ? 0 : KEEP_US);
}

void toe_big_give(struct toe_fpc *f, unsigned app, const struct toe_tcb *t)
{
	give(f, app, t->rcv_ring);
	give(f, app, t->snd_ring);
}

/* Bytes below `pos` are done with: is the ring before the current one out of use? */
static bool settled(uint64_t ring, uint64_t pos)
{
	return toe_ring_now(ring) == toe_ring_before(ring) || !toe_ring_left(ring, pos);
}

static uint64_t settle(uint64_t ring, uint64_t pos)
{
	if (!ring || toe_ring_now(ring) == toe_ring_before(ring) || !settled(ring, pos))
		return ring;
	return toe_ring_word(toe_ring_slot(ring), toe_ring_now(ring), toe_ring_now(ring), 0);
}

static uint64_t read_pos(const struct toe_tcb *t)
{
	return t->rcv_read - t->rcv_first;
}

void toe_big_settle(struct toe_tcb *t)
{
	t->rcv_ring = settle(t->rcv_ring, read_pos(t));
	t->snd_ring = settle(t->snd_ring, toe_tcp_tx_una(t));
}

/* What the application may have of big rings on this FPC. */
static uint64_t budget(const struct toe_fpc *f)
{
	return f->ctrl->app_buffers ? f->ctrl->app_buffers / f->nfpcs : UINT64_MAX;
}

/*
 * A ring for `want` bytes in the stead of `ring`, from position `from` on; a smaller one when the
 * application's share of memory is used up. `ring` itself when there is none larger.
 */
static uint64_t larger(struct toe_fpc *f, unsigned app, uint64_t ring, uint32_t want, uint64_t from)
{
	struct toe_big *b = &f->big[app];
	unsigned had = toe_ring_now(ring), shift = had;
	uint64_t others = b->bytes - (ring ? toe_ring_size(ring) : 0);
	uint32_t slot = toe_ring_slot(ring);

	while (shift < TOE_RING_SHIFT_MAX && 1u << shift < want &&
	       others + (2ull << shift) <= budget(f))
		shift++;
	if (shift > had && !ring)
		slot = take(f, b);
	if (shift == had || slot == TOE_MAX_BIG_SLOTS) {
		toe_count(f, TOE_CNT_buffers_refused);
		return ring;
	}
	b->bytes = others + (1u << shift);
	toe_count(f, TOE_CNT_buffers_grown);
	return toe_ring_word(slot, shift, had, from);
}

void toe_big_grow(struct toe_fpc *f, struct toe_work *w)
{
	struct toe_tcb *t = w->t;
	uint64_t edge = t->rcv_adv > t->rcv_nxt ? t->rcv_adv : t->rcv_nxt;

	if (t->state < TOE_TCP_ESTABLISHED)
		return;
	if (t->rcv_want > toe_ring_size(t->rcv_ring) && settled(t->rcv_ring, read_pos(t)))
		t->rcv_ring = larger(f, w->e->app, t->rcv_ring, t->rcv_want, edge - t->rcv_first);
	if (toe_tcp_snd_ring(t) > toe_ring_size(t->snd_ring) &&
	    settled(t->snd_ring, toe_tcp_tx_una(t)))
		t->snd_ring = larger(f, w->e->app, t->snd_ring, toe_tcp_snd_ring(t),
				     toe_tcp_tx_una(t) + toe_ring_size(t->snd_ring));
	w->act |= toe_tcp_fit(t);
}

/* Slots in the order of toe_port_trim's ids. */
static uint32_t trim_id(const struct toe_fpc *f, unsigned app, uint32_t i)
{
	return toe_trim_big(app, f->id * share(f) + i);
}

bool toe_big_mine(const struct toe_fpc *f, uint32_t id)
{
	return (id - TOE_MAX_FLOWS) % TOE_MAX_BIG_SLOTS - f->id * share(f) < share(f);
}

void toe_big_trimmed(struct toe_fpc *f, uint32_t id)
{
	struct toe_big *b = &f->big[(id - TOE_MAX_FLOWS) / TOE_MAX_BIG_SLOTS % TOE_MAX_APPS];
	uint32_t i = (id - TOE_MAX_FLOWS) % TOE_MAX_BIG_SLOTS - f->id * share(f);

	clear(b->flight, i);
	set(b->clean, i);
	f->big_flight--;
	toe_count(f, TOE_CNT_trimmed_buffers);
}

static bool trim_one(struct toe_fpc *f, unsigned app)
{
	struct toe_big *b = &f->big[app];
	uint32_t i = lowest(b->dirty);

	if (!toe_port_trim(f->port, f->id, app, trim_id(f, app, i)))
		return false;
	clear(b->dirty, i);
	set(b->flight, i);
	b->ndirty--;
	f->big_flight++;
	return true;
}

unsigned toe_big_trim(struct toe_fpc *f)
{
	unsigned n = 0, left = 0;

	if (!f->big_at || f->now < f->big_at)
		return 0;
	for (unsigned app = 0; app < TOE_MAX_APPS; app++) {
		while (f->big[app].ndirty && f->big_flight < FLIGHT && trim_one(f, app))
			n++;
		left += f->big[app].ndirty;
	}
	f->big_at = left ? f->now + RETRY_US : 0;
	return n;
}
