/* SPDX-License-Identifier: BSD-2-Clause */
#include "pacer.h"

enum { WORDS = TOE_PACER_SLOTS / 64 };

void toe_pacer_init(struct toe_pacer *p, uint64_t now)
{
	for (uint32_t i = 0; i < p->n + TOE_PACER_SLOTS; i++)
		toe_list_init(p->node, i);
	for (unsigned i = 0; i < WORDS; i++)
		p->map[i] = 0;
	p->tick = now / TOE_PACER_TICK_US;
	p->armed = 0;
}

void toe_pacer_set(struct toe_pacer *p, uint32_t i, uint64_t at)
{
	uint64_t tick = (at + TOE_PACER_TICK_US - 1) / TOE_PACER_TICK_US;
	uint32_t s;

	if (!toe_list_empty(p->node, i)) {
		toe_list_remove(p->node, i);
		p->armed--;
	}
	if (tick < p->tick)
		tick = p->tick;
	if (tick - p->tick >= TOE_PACER_SLOTS)
		return;
	s = (uint32_t)(tick % TOE_PACER_SLOTS);
	p->map[s / 64] |= 1ull << (s % 64);
	toe_list_push_back(p->node, p->n + s, i);
	p->armed++;
}

/* Ticks from the next one on to the first that may hold something; all of them when none does. */
static uint32_t ahead(const struct toe_pacer *p)
{
	uint32_t from = (uint32_t)(p->tick % TOE_PACER_SLOTS), bit = from % 64;

	/* The first word comes twice: its upper part now, its lower part in the end. */
	for (uint32_t k = 0; k <= WORDS; k++) {
		uint64_t w = p->map[(from / 64 + k) % WORDS];

		if (k == 0)
			w = w >> bit << bit;
		if (w)
			return k * 64 + (uint32_t)__builtin_ctzll(w) - bit;
	}
	return TOE_PACER_SLOTS;
}

uint32_t toe_pacer_next(struct toe_pacer *p, uint64_t now)
{
	uint64_t end = now / TOE_PACER_TICK_US;

	while (p->armed && p->tick <= end) {
		uint32_t s = (uint32_t)(p->tick % TOE_PACER_SLOTS), i = p->node[p->n + s].next;

		if (i != p->n + s) {
			toe_list_remove(p->node, i);
			p->armed--;
			return i;
		}
		p->map[s / 64] &= ~(1ull << (s % 64));
		p->tick += ahead(p);
	}
	/* Not beyond: who comes now may have an earlier turn than all that wait. */
	if (!p->armed || p->tick > end + 1)
		p->tick = end + 1;
	return TOE_PACER_NONE;
}

uint64_t toe_pacer_deadline(const struct toe_pacer *p)
{
	return p->armed ? (p->tick + ahead(p)) * TOE_PACER_TICK_US : 0;
}
