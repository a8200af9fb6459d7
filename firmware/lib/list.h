/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Doubly linked rings of indices. Items and list heads are nodes of one array, so that adding and
 * removing have no special cases, and nothing is a pointer. A node that is on no list points to
 * itself.
 */
#ifndef TOE_LIB_LIST_H
#define TOE_LIB_LIST_H

#include <stdbool.h>
#include <stdint.h>

struct toe_node {
	uint32_t next, prev;
};

static inline void toe_list_init(struct toe_node *v, uint32_t i)
{
	v[i].next = v[i].prev = i;
}

/* Of a head: the list is empty. Of an item: it is on no list. */
static inline bool toe_list_empty(const struct toe_node *v, uint32_t i)
{
	return v[i].next == i;
}

static inline void toe_list_remove(struct toe_node *v, uint32_t i)
{
	v[v[i].prev].next = v[i].next;
	v[v[i].next].prev = v[i].prev;
	toe_list_init(v, i);
}

/* Put the loose item `i` before `at`; before a head means last. */
static inline void toe_list_insert(struct toe_node *v, uint32_t at, uint32_t i)
{
	v[i].next = at;
	v[i].prev = v[at].prev;
	v[v[at].prev].next = i;
	v[at].prev = i;
}

static inline void toe_list_push_back(struct toe_node *v, uint32_t head, uint32_t i)
{
	toe_list_insert(v, head, i);
}

static inline void toe_list_push_front(struct toe_node *v, uint32_t head, uint32_t i)
{
	toe_list_insert(v, v[head].next, i);
}

#endif
