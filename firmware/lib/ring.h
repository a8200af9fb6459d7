/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One side of a single-producer single-consumer ring (abi/cmd.h). The other side may be hostile:
 * whatever it wrote, counts never exceed the ring's size, so every index made from them stays
 * inside.
 */
#ifndef TOE_LIB_RING_H
#define TOE_LIB_RING_H

#include "../abi/cmd.h"
#include "atomics.h"

/* Consumer: entries that may be read. Pairs with toe_ring_publish. */
static inline uint32_t toe_ring_ready(const struct toe_doorbell *db, uint32_t size)
{
	uint32_t n = toe_load_acquire(&db->head) - toe_load(&db->tail);

	return n > size ? size : n;
}

/* Producer: entries that may be written. Pairs with toe_ring_release. */
static inline uint32_t toe_ring_room(const struct toe_doorbell *db, uint32_t size)
{
	uint32_t used = toe_load(&db->head) - toe_load_acquire(&db->tail);

	return used > size ? 0 : size - used;
}

/* Producer: the next `n` entries are written. */
static inline void toe_ring_publish(struct toe_doorbell *db, uint32_t n)
{
	toe_store_release(&db->head, toe_load(&db->head) + n);
}

/* Consumer: the next `n` entries are no longer needed. */
static inline void toe_ring_release(struct toe_doorbell *db, uint32_t n)
{
	toe_store_release(&db->tail, toe_load(&db->tail) + n);
}

#endif
