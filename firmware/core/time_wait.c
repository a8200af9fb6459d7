/* SPDX-License-Identifier: BSD-2-Clause */
#include "time_wait.h"

#include "../lib/atomics.h"
#include "../lib/mem.h"

enum { ANSWER_MS = 100 }; /* pause between ACKs out of turn */

static uint32_t queue_head(const struct toe_tw_table *tw)
{
	return tw->n;
}

static uint32_t free_head(const struct toe_tw_table *tw)
{
	return tw->n + 1;
}

static uint32_t *chain_of(const struct toe_tw_table *tw, uint64_t hash)
{
	return &tw->head[(hash >> 16) & (tw->nhash - 1)];
}

static void chain_add(struct toe_tw_table *tw, uint32_t i)
{
	uint32_t *h = chain_of(tw, tw->e[i].hash);

	tw->chain[i] = *h;
	*h = i;
}

static void chain_remove(struct toe_tw_table *tw, uint32_t i)
{
	uint32_t *p = chain_of(tw, tw->e[i].hash);

	while (*p != TOE_TW_NONE && *p != i)
		p = &tw->chain[*p];
	if (*p == i)
		*p = tw->chain[i];
}

/*
 * Place a recovered entry by its time of expiry. Entries mostly come in order, so the search from
 * the end is short.
 */
static void queue_sorted(struct toe_tw_table *tw, uint32_t i)
{
	uint32_t at = queue_head(tw), steps = 64;

	while (steps-- && tw->list[at].prev != queue_head(tw) &&
	       tw->e[tw->list[at].prev].expires > tw->e[i].expires)
		at = tw->list[at].prev;
	toe_list_insert(tw->list, at, i);
}

void toe_tw_rebuild(struct toe_tw_table *tw, uint64_t now)
{
	tw->used = 0;
	toe_list_init(tw->list, queue_head(tw));
	toe_list_init(tw->list, free_head(tw));
	memset(tw->head, 0xff, tw->nhash * sizeof(*tw->head));
	if (*tw->high > tw->n)
		*tw->high = tw->n;
	for (uint32_t i = 0; i < *tw->high; i++) {
		if (tw->e[i].expires > now + TOE_TW_TIME_US)
			tw->e[i].expires = now + TOE_TW_TIME_US;
		if (tw->e[i].expires) {
			queue_sorted(tw, i);
			chain_add(tw, i);
			tw->used++;
		} else {
			toe_list_push_back(tw->list, free_head(tw), i);
		}
	}
}

uint32_t toe_tw_find(const struct toe_tw_table *tw, uint64_t hash, const struct toe_tuple *t)
{
	uint32_t i = *chain_of(tw, hash);

	while (i != TOE_TW_NONE &&
	       (tw->e[i].hash != hash || memcmp(&tw->e[i].tuple, t, sizeof(*t))))
		i = tw->chain[i];
	return i;
}

uint32_t toe_tw_alloc(struct toe_tw_table *tw)
{
	uint32_t i = tw->list[free_head(tw)].next;

	if (i != free_head(tw))
		return i;
	if (*tw->high == tw->n)
		return TOE_TW_NONE;
	i = *tw->high;
	toe_list_init(tw->list, i);
	toe_list_push_back(tw->list, free_head(tw), i);
	toe_store_release(tw->high, i + 1);
	return i;
}

void toe_tw_commit(struct toe_tw_table *tw, uint32_t i, uint64_t now)
{
	toe_list_remove(tw->list, i);
	toe_list_push_back(tw->list, queue_head(tw), i);
	chain_add(tw, i);
	tw->used++;
	tw->e[i].answered = 0;
	toe_store_release(&tw->e[i].expires, now + TOE_TW_TIME_US);
}

void toe_tw_restart(struct toe_tw_table *tw, uint32_t i, uint64_t now)
{
	toe_list_remove(tw->list, i);
	toe_list_push_back(tw->list, queue_head(tw), i);
	toe_store(&tw->e[i].expires, now + TOE_TW_TIME_US);
}

bool toe_tw_answers(struct toe_tw_entry *e, uint64_t now)
{
	uint32_t ms = (uint32_t)(now >> 10) | 1;

	if (e->answered && ms - e->answered < ANSWER_MS)
		return false;
	e->answered = ms;
	return true;
}

void toe_tw_free(struct toe_tw_table *tw, uint32_t i)
{
	toe_store_release(&tw->e[i].expires, 0);
	chain_remove(tw, i);
	toe_list_remove(tw->list, i);
	toe_list_push_front(tw->list, free_head(tw), i);
	tw->used--;
}

uint32_t toe_tw_oldest(const struct toe_tw_table *tw)
{
	uint32_t i = tw->list[queue_head(tw)].next;

	return i == queue_head(tw) ? TOE_TW_NONE : i;
}
