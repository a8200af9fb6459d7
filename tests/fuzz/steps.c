/* SPDX-License-Identifier: BSD-2-Clause */
#include "steps.h"

#include <string.h>

enum { CHANGE, INSERT, DELETE, DOUBLE, SWAP, HEAD, KINDS };

static uint32_t next(unsigned *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static size_t count(const struct steps_shape *s, size_t n)
{
	n = n > s->head ? (n - s->head) / s->rec : 0;
	return n < s->most ? n : s->most;
}

/* A record more, at `i`: a new one, or that at `from` again. */
static void insert(const struct steps_shape *s, uint8_t *rec, size_t n, size_t i, size_t from,
		   uint32_t random)
{
	uint8_t *at = rec + i * s->rec;

	memmove(at + s->rec, at, (n - i) * s->rec);
	if (from < n)
		memcpy(at, rec + (from < i ? from : from + 1) * s->rec, s->rec);
	else
		s->fresh(at, random);
}

static void swap(const struct steps_shape *s, uint8_t *a, uint8_t *b)
{
	for (size_t i = 0; i < s->rec; i++) {
		uint8_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

static size_t change_one(const struct steps_shape *s, uint8_t *data, size_t n, bool room,
			 unsigned *seed)
{
	uint8_t *rec = data + s->head;
	uint32_t what = next(seed) % KINDS;
	size_t i = n ? next(seed) % n : 0;

	if (!n && what != HEAD)
		what = INSERT;
	switch (what) {
	case CHANGE:
		LLVMFuzzerMutate(rec + i * s->rec, s->rec, s->rec);
		return n;
	case INSERT:
	case DOUBLE:
		if (!room)
			return n;
		insert(s, rec, n, i, what == DOUBLE ? next(seed) % n : n, next(seed));
		return n + 1;
	case DELETE:
		memmove(rec + i * s->rec, rec + (i + 1) * s->rec, (n - i - 1) * s->rec);
		return n - 1;
	case SWAP:
		swap(s, rec + i * s->rec, rec + next(seed) % n * s->rec);
		return n;
	default:
		LLVMFuzzerMutate(data, s->head, s->head);
		return n;
	}
}

size_t steps_mutate(const struct steps_shape *s, uint8_t *data, size_t n, size_t max, unsigned seed)
{
	size_t recs = count(s, n);

	if (max < s->head + s->rec)
		return 0;
	if (n < s->head)
		memset(data + n, 0, s->head - n);
	for (unsigned k = 1 + next(&seed) % 4; k; k--)
		recs = change_one(s, data, recs,
				  recs < s->most && s->head + (recs + 1) * s->rec <= max, &seed);
	return s->head + recs * s->rec;
}

size_t steps_cross(const struct steps_shape *s, const uint8_t *a, size_t na, const uint8_t *b,
		   size_t nb, uint8_t *out, size_t max, unsigned seed)
{
	size_t ka = count(s, na), kb = count(s, nb), room = (max - s->head) / s->rec;

	if (na < s->head || nb < s->head || max < s->head)
		return 0;
	ka = ka ? next(&seed) % (ka + 1) : 0;
	kb = kb ? next(&seed) % (kb + 1) : 0;
	room = room < s->most ? room : s->most;
	ka = ka < room ? ka : room;
	kb = kb < room - ka ? kb : room - ka;
	memcpy(out, a, s->head + ka * s->rec);
	memcpy(out + s->head + ka * s->rec, b + s->head + (count(s, nb) - kb) * s->rec,
	       kb * s->rec);
	return s->head + (ka + kb) * s->rec;
}
