/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has a UMEM frame: one word each, in the UMEM's memfd, so that it outlives the process.
 *
 *   FPC   the firmware: free, being processed, or waiting to be sent
 *   FILL  given to the kernel at position `pos` of a queue's fill ring; back through an RX ring
 *   TX    given to the kernel at position `pos` of a queue's TX ring; back by completion ring
 *
 * The word is written before the ring index moves that makes it true:
 *
 *   to the kernel    word = FILL or TX with pos, then the producer index passes pos
 *   from the kernel  word = FPC, then the consumer index of the RX or completion ring moves
 *
 * So after a kill at any instruction words and indices together say where every frame is
 * (lx_frames_recover). Zeroed words mean "all frames are the firmware's", which is how a new UMEM
 * begins.
 */
#ifndef TOE_PORT_LINUX_FRAMES_H
#define TOE_PORT_LINUX_FRAMES_H

#include <stdint.h>

enum lx_owner { LX_OWNER_FPC = 0, LX_OWNER_FILL = 1, LX_OWNER_TX = 2 };

/* Bits 0..7 owner, 8..15 queue, 32..63 ring position. */
static inline uint64_t lx_word(enum lx_owner owner, unsigned queue, uint32_t pos)
{
	return (uint64_t)pos << 32 | (uint64_t)(queue & 0xff) << 8 | owner;
}

static inline enum lx_owner lx_word_owner(uint64_t w)
{
	return (enum lx_owner)(w & 0xff);
}

static inline unsigned lx_word_queue(uint64_t w)
{
	return w >> 8 & 0xff;
}

static inline uint32_t lx_word_pos(uint64_t w)
{
	return (uint32_t)(w >> 32);
}

enum { LX_FRAME_QUEUES = 8 };

/*
 * What recovery is told about a device: indices of the rings, and what waits in those that lead
 * back.
 */
struct lx_frames_in {
	uint64_t *word;
	uint32_t lo, hi; /* frames to account for */
	uint32_t fill_prod[LX_FRAME_QUEUES]; /* by queue */
	uint32_t tx_prod[LX_FRAME_QUEUES];
	const uint8_t *waiting; /* by frame - lo: enum lx_waiting */
};

/* A frame that stands unread in an RX or completion ring is not free, whatever its word says. */
enum lx_waiting { LX_WAIT_NONE = 0, LX_WAIT_COMPLETION = 1, LX_WAIT_RX = 2 /* + queue */ };

/*
 * Account for the frames [lo, hi). Those that are the firmware's are marked so and listed in
 * `free_ids` (room for hi - lo); returns how many. `in_fill[q]` is set to how many circulate through queue q (fill ring,
 * kernel, RX ring).
 */
uint32_t lx_frames_recover(const struct lx_frames_in *in, uint32_t *free_ids,
			   uint32_t in_fill[LX_FRAME_QUEUES]);

#endif
