/* SPDX-License-Identifier: BSD-2-Clause */
#include "frames.h"

#include <stdbool.h>

#include "../../lib/atomics.h"

/* The producer index has passed `pos`, so the kernel has seen the entry. Indices wrap at 2^32. */
static bool submitted(uint32_t prod, uint32_t pos)
{
	return (int32_t)(prod - pos) > 0;
}

enum place { PLACE_FREE, PLACE_FILL, PLACE_TX };

static enum place place_of(const struct lx_frames_in *in, uint32_t id, unsigned *queue)
{
	uint64_t w = in->word[id];
	uint8_t waiting = in->waiting[id - in->lo];

	*queue = lx_word_queue(w) % LX_FRAME_QUEUES;
	if (waiting == LX_WAIT_COMPLETION)
		return PLACE_TX;
	if (waiting >= LX_WAIT_RX) {
		*queue = (waiting - LX_WAIT_RX) % LX_FRAME_QUEUES;
		return PLACE_FILL;
	}
	switch (lx_word_owner(w)) {
	case LX_OWNER_FILL:
		return submitted(in->fill_prod[*queue], lx_word_pos(w)) ? PLACE_FILL : PLACE_FREE;
	case LX_OWNER_TX:
		return submitted(in->tx_prod[*queue], lx_word_pos(w)) ? PLACE_TX : PLACE_FREE;
	default:
		return PLACE_FREE;
	}
}

uint32_t lx_frames_recover(const struct lx_frames_in *in, uint32_t *free_ids,
			   uint32_t in_fill[LX_FRAME_QUEUES])
{
	uint32_t n = 0;
	unsigned queue;

	for (unsigned q = 0; q < LX_FRAME_QUEUES; q++)
		in_fill[q] = 0;
	for (uint32_t id = in->lo; id < in->hi; id++) {
		switch (place_of(in, id, &queue)) {
		case PLACE_FREE:
			/* A ring position that was staged for it will soon be passed. */
			toe_store(&in->word[id], lx_word(LX_OWNER_FPC, 0, 0));
			free_ids[n++] = id;
			break;
		case PLACE_FILL:
			in_fill[queue]++;
			break;
		case PLACE_TX:
			break;
		}
	}
	return n;
}
