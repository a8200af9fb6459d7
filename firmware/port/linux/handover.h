/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What toed hands to toe-fw: messages of a SOCK_SEQPACKET pair, at most one descriptor each
 * (SCM_RIGHTS).
 *
 * Everything that must outlive toe-fw is in these descriptors and belongs to toed. A restarted toe-
 * fw is given the same ones again, followed by LX_HO_START, and answers LX_HO_READY once its FPCs
 * run. Later messages (applications, contexts) carry a sequence number and are answered by
 * LX_HO_DONE with the same number.
 */
#ifndef TOE_PORT_LINUX_HANDOVER_H
#define TOE_PORT_LINUX_HANDOVER_H

#include <stdint.h>

enum { LX_HO_VERSION = 1 };

/*
 * If you add one, also extend the dispatch in channel.c and the sender in
 * userspace/toed/handover.c.
 */
enum lx_ho_type {
	/* toed -> toe-fw */
	LX_HO_CTRL = 1, /* memfd of struct toe_ctrl; size */
	LX_HO_STATE, /* memfd of the engine's state; size */
	LX_HO_TCBS, /* map toe_tcbs; size */
	LX_HO_INDEX, /* map toe_flow_index; size */
	LX_HO_STATS, /* map toe_stats; size */
	LX_HO_UMEM, /* dev, frames, frame_size: memfd of frames, then their owner words */
	LX_HO_XSK, /* dev, queue, fpc, and owner: FPC that fills the queue and sends through it */
	LX_HO_FPC, /* fpc, cpu: eventfd that wakes the FPC */
	LX_HO_START, /* all is there: run */
	LX_HO_APP, /* app: memfd of its arena; size */
	LX_HO_APP_GONE, /* app */
	LX_HO_CTX, /* app, ctx: eventfd */
	LX_HO_CTX_GONE, /* app, ctx */
	/* toe-fw -> toed */
	LX_HO_READY = 65, /* FPCs run */
	LX_HO_DONE, /* seq; error */
};

#define LX_CPU_ANY 0xffffffffu

struct lx_ho {
	uint32_t type; /* enum lx_ho_type */
	uint32_t version;
	uint32_t seq;
	int32_t error; /* 0 or -errno, in answers */
	uint32_t dev, queue, fpc, owner;
	uint32_t cpu;
	uint32_t app, ctx;
	uint32_t frames, frame_size;
	uint64_t size; /* bytes to map */
};

/* Frames of one UMEM, bytes and counts. Each FPC is home to an equal share of a device's frames. */
enum {
	LX_FRAME_HEADROOM = 256, /* XDP_PACKET_HEADROOM: metadata stands at its end */
	LX_RX_PER_QUEUE = 2048, /* frames that circulate through a queue's fill and RX rings */
	LX_TX_PER_FPC = 4096, /* frames an FPC has for sending */
	LX_FILL_RING = 4096, /* descriptors, powers of two */
	LX_RX_RING = 2048,
	LX_TX_RING = 4096,
};

/* Where the owner words begin in the UMEM's memfd, and how long it is. */
static inline uint64_t lx_umem_words_off(uint64_t frames, uint64_t frame_size)
{
	return frames * frame_size;
}

static inline uint64_t lx_umem_size(uint64_t frames, uint64_t frame_size)
{
	return lx_umem_words_off(frames, frame_size) + (frames * 8 + 4095) / 4096 * 4096;
}

#endif
