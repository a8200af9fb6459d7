/* SPDX-License-Identifier: BSD-2-Clause */
#include "timer.h"

/* Ticks that the levels reach. */
enum {
	SPAN_L0 = TOE_WHEEL_L0,
	SPAN_L1 = TOE_WHEEL_L1 * SPAN_L0,
	SPAN_L2 = TOE_WHEEL_L2 * SPAN_L1,
};

static uint32_t head_l1(const struct toe_wheel *w, uint64_t tick)
{
	return w->n + TOE_WHEEL_L0 + (uint32_t)(tick / SPAN_L0 % TOE_WHEEL_L1);
}

static uint32_t head_l2(const struct toe_wheel *w, uint64_t tick)
{
	return w->n + TOE_WHEEL_L0 + TOE_WHEEL_L1 + (uint32_t)(tick / SPAN_L1 % TOE_WHEEL_L2);
}

static uint64_t tick_of(uint64_t due)
{
	return (due + TOE_WHEEL_TICK_US - 1) / TOE_WHEEL_TICK_US;
}

void toe_wheel_init(struct toe_wheel *w, uint64_t now)
{
	for (uint32_t i = 0; i < w->n + TOE_WHEEL_SLOTS; i++)
		toe_list_init(w->node, i);
	for (uint32_t i = 0; i < w->n; i++)
		w->due[i] = 0;
	for (unsigned i = 0; i < TOE_WHEEL_L0 / 64; i++)
		w->map[i] = 0;
	w->tick = now / TOE_WHEEL_TICK_US;
	w->armed = 0;
}

/* Put a loose flow into the slot of its deadline. */
static void link_flow(struct toe_wheel *w, uint32_t i)
{
	uint64_t at = tick_of(w->due[i]);
	uint32_t head;

	if (at < w->tick)
		at = w->tick;
	if (at - w->tick >= SPAN_L2)
		at = w->tick + SPAN_L2 - 1;
	if (at - w->tick < SPAN_L0) {
		uint32_t s = (uint32_t)(at % SPAN_L0);

		w->map[s / 64] |= 1ull << (s % 64);
		head = w->n + s;
	} else {
		head = at - w->tick < SPAN_L1 ? head_l1(w, at) : head_l2(w, at);
	}
	w->at[i] = at;
	toe_list_push_back(w->node, head, i);
}

void toe_wheel_set(struct toe_wheel *w, uint32_t i, uint64_t due)
{
	bool linked = !toe_list_empty(w->node, i);

	if (linked && due && w->at[i] <= tick_of(due)) {
		w->due[i] = due;
		return;
	}
	w->due[i] = due;
	if (linked) {
		toe_list_remove(w->node, i);
		w->armed--;
	}
	if (due) {
		link_flow(w, i);
		w->armed++;
	}
}

/* First flow of a list, taken off; TOE_WHEEL_NONE when it is empty. */
static uint32_t take(struct toe_wheel *w, uint32_t head)
{
	uint32_t i = w->node[head].next;

	if (i == head)
		return TOE_WHEEL_NONE;
	toe_list_remove(w->node, i);
	return i;
}

/* Hand flows of the coarser levels down. False: the budget ended first. */
static bool cascade(struct toe_wheel *w, unsigned *budget)
{
	uint32_t heads[2] = { head_l2(w, w->tick), head_l1(w, w->tick) };
	uint32_t i;

	if (w->tick % SPAN_L0)
		return true;
	for (unsigned l = w->tick % SPAN_L1 ? 1 : 0; l < 2; l++) {
		while (*budget && (i = take(w, heads[l])) != TOE_WHEEL_NONE) {
			link_flow(w, i);
			--*budget;
		}
		if (!toe_list_empty(w->node, heads[l]))
			return false;
	}
	return true;
}

/*
 * Level 0 ticks from the current one to the next that may hold something, at most to the next
 * cascade.
 */
static uint64_t skip(const struct toe_wheel *w)
{
	uint64_t t = w->tick + 1;

	for (; t % SPAN_L0; t = t / 64 * 64 + 64) {
		uint64_t bits = w->map[t % SPAN_L0 / 64] >> (t % 64);

		if (bits)
			return t + (unsigned)__builtin_ctzll(bits);
	}
	return t;
}

uint32_t toe_wheel_next(struct toe_wheel *w, uint64_t now, unsigned *budget)
{
	uint64_t end = now / TOE_WHEEL_TICK_US;

	if (!w->armed && w->tick <= end)
		w->tick = end + 1;
	while (w->tick <= end && *budget) {
		uint32_t s = (uint32_t)(w->tick % SPAN_L0), i;

		if (!cascade(w, budget))
			break;
		i = take(w, w->n + s);
		if (i == TOE_WHEEL_NONE) {
			uint64_t to = skip(w);

			w->map[s / 64] &= ~(1ull << (s % 64));
			w->tick = to <= end ? to : end + 1;
			continue;
		}
		--*budget;
		if (w->due[i] > now) {
			link_flow(w, i);
			continue;
		}
		w->due[i] = 0;
		w->armed--;
		return i;
	}
	return TOE_WHEEL_NONE;
}

uint64_t toe_wheel_deadline(const struct toe_wheel *w)
{
	uint64_t t = w->tick;

	if (!w->armed)
		return 0;
	if (!toe_list_empty(w->node, w->n + (uint32_t)(t % SPAN_L0)) || t % SPAN_L0 == 0)
		return t * TOE_WHEEL_TICK_US;
	t = skip(w);
	if (t % SPAN_L0)
		return t * TOE_WHEEL_TICK_US;
	/* Up to the cascade nothing is due; look on from there without touching anything. */
	for (unsigned k = 0; k < TOE_WHEEL_L1; k++, t += SPAN_L0) {
		if (!toe_list_empty(w->node, head_l1(w, t)) ||
		    !toe_list_empty(w->node, head_l2(w, t)))
			break;
		for (unsigned i = 0; i < TOE_WHEEL_L0 / 64 && !k; i++)
			if (w->map[i])
				return t * TOE_WHEEL_TICK_US;
	}
	return t * TOE_WHEEL_TICK_US;
}
