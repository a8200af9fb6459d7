/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow index that the XDP program reads: two candidate buckets by hash, one line each, one word
 * a slot. An FPC writes only the buckets of its own part, and an entry changes by one store.
 */
#include "fpc.h"

static struct toe_bucket *bucket(const struct toe_fpc *f, uint64_t hash, unsigned choice)
{
	return &f->index[toe_hash_bucket(hash, choice, f->nbuckets, f->nfpcs)];
}

static bool tuple_equal(const struct toe_tuple *a, const struct toe_tuple *b)
{
	uint64_t x[5], y[5];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

/* Does the slot name a live flow of this FPC with this tuple? */
static bool slot_matches(const struct toe_fpc *f, uint64_t slot, const struct toe_tuple *t)
{
	uint32_t flow = (uint32_t)slot;
	const struct toe_flow_ent *e;

	if (!toe_owns(f, flow))
		return false;
	e = &f->ent[flow];
	return e->life == TOE_LIFE_LIVE && e->gen == (uint16_t)(slot >> 32) &&
	       tuple_equal(&e->tuple, t);
}

/* The flow with this tuple, or TOE_FLOW_NONE. */
uint32_t toe_index_find(const struct toe_fpc *f, uint64_t hash, const struct toe_tuple *t)
{
	uint64_t tag = toe_slot(hash, 0, 0) >> 48;

	for (unsigned choice = 0; choice < 2; choice++) {
		const struct toe_bucket *b = bucket(f, hash, choice);

		for (unsigned i = 0; i < TOE_BUCKET_SLOTS; i++)
			if (b->slot[i] >> 48 == tag && slot_matches(f, b->slot[i], t))
				return (uint32_t)b->slot[i];
	}
	return TOE_FLOW_NONE;
}

static uint64_t *free_slot(struct toe_bucket *b, unsigned *nfree)
{
	uint64_t *s = NULL;

	*nfree = 0;
	for (unsigned i = 0; i < TOE_BUCKET_SLOTS; i++) {
		if (!b->slot[i]) {
			s = &b->slot[i];
			++*nfree;
		}
	}
	return s;
}

/* A slot in the emptier of the two buckets, NULL: both are full. */
static uint64_t *choose_slot(const struct toe_fpc *f, uint64_t hash)
{
	unsigned n0, n1;
	uint64_t *s0 = free_slot(bucket(f, hash, 0), &n0);
	uint64_t *s1 = free_slot(bucket(f, hash, 1), &n1);

	return n0 >= n1 ? s0 : s1;
}

bool toe_index_room(const struct toe_fpc *f, uint64_t hash)
{
	return choose_slot(f, hash);
}

/* False: both buckets are full. */
bool toe_index_add(struct toe_fpc *f, uint64_t hash, uint16_t gen, uint32_t flow)
{
	uint64_t *s = choose_slot(f, hash);

	if (!s)
		return false;
	toe_store_release(s, toe_slot(hash, gen, flow));
	return true;
}

void toe_index_remove(struct toe_fpc *f, uint64_t hash, uint32_t flow)
{
	for (unsigned choice = 0; choice < 2; choice++) {
		struct toe_bucket *b = bucket(f, hash, choice);

		for (unsigned i = 0; i < TOE_BUCKET_SLOTS; i++)
			if (b->slot[i] & TOE_SLOT_USED && (uint32_t)b->slot[i] == flow)
				toe_store_release(&b->slot[i], 0);
	}
}

/* Does the slot's flow live, and belong into this bucket? */
static bool slot_holds(const struct toe_fpc *f, uint64_t slot, uint32_t b)
{
	uint32_t flow = (uint32_t)slot;
	const struct toe_flow_ent *e = &f->ent[flow];
	uint64_t hash;

	if (!toe_owns(f, flow) || e->life != TOE_LIFE_LIVE)
		return false;
	hash = (uint64_t)e->hash_hi << 32 | e->hash_lo;
	return slot == toe_slot(hash, e->gen, flow) &&
	       (b == toe_hash_bucket(hash, 0, f->nbuckets, f->nfpcs) ||
		b == toe_hash_bucket(hash, 1, f->nbuckets, f->nfpcs));
}

/*
 * Forget what is wrong in this FPC's part. What is right stays where it is: it might not fit in
 * another order.
 */
void toe_index_tidy(struct toe_fpc *f)
{
	uint32_t part = f->nbuckets / f->nfpcs;

	for (uint32_t b = f->id * part; b < (f->id + 1) * part; b++)
		for (unsigned i = 0; i < TOE_BUCKET_SLOTS; i++)
			if (f->index[b].slot[i] && !slot_holds(f, f->index[b].slot[i], b))
				toe_store(&f->index[b].slot[i], 0);
}
