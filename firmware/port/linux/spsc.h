/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring between two threads of toe-fw: one producer, one consumer. It holds nothing that a
 * successor needs (frames are accounted for by their owner words), so it lives in ordinary memory.
 *
 * The producer's release store of head pairs with the consumer's acquire load; tail likewise the
 * other way.
 */
#ifndef TOE_PORT_LINUX_SPSC_H
#define TOE_PORT_LINUX_SPSC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../abi/limits.h"
#include "../../lib/atomics.h"

struct lx_spsc {
	uint32_t head __attribute__((aligned(TOE_CACHELINE)));
	uint32_t tail __attribute__((aligned(TOE_CACHELINE)));
	uint32_t mask;
	uint64_t *slot;
};

/* `n` is a power of two. False without memory. */
static inline bool lx_spsc_init(struct lx_spsc *r, uint32_t n)
{
	r->head = r->tail = 0;
	r->mask = n - 1;
	r->slot = calloc(n, sizeof(*r->slot));
	return r->slot != NULL;
}

/* All n, or none of them: the other side finds them together. */
static inline bool lx_spsc_push_n(struct lx_spsc *r, const uint64_t *v, uint32_t n)
{
	uint32_t head = r->head;

	if (head + n - 1 - toe_load_acquire(&r->tail) > r->mask)
		return false;
	for (uint32_t i = 0; i < n; i++)
		r->slot[(head + i) & r->mask] = v[i];
	toe_store_release(&r->head, head + n);
	return true;
}

static inline bool lx_spsc_push(struct lx_spsc *r, uint64_t v)
{
	return lx_spsc_push_n(r, &v, 1);
}

static inline bool lx_spsc_pop(struct lx_spsc *r, uint64_t *v)
{
	uint32_t tail = r->tail;

	if (tail == toe_load_acquire(&r->head))
		return false;
	*v = r->slot[tail & r->mask];
	toe_store_release(&r->tail, tail + 1);
	return true;
}

/* Entries in it, as seen from either side. */
static inline uint32_t lx_spsc_count(const struct lx_spsc *r)
{
	return toe_load_acquire(&r->head) - toe_load_acquire(&r->tail);
}

#endif
