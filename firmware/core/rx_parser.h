/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The RX parser: from a frame to a segment and the tuple it belongs to.
 *
 * The frame's headers are always parsed here, with every length checked; what the XDP program found
 * out saves the look-ups, not the checks.
 */
#ifndef TOE_CORE_RX_PARSER_H
#define TOE_CORE_RX_PARSER_H

#include "../lib/mem.h"
#include "../port/port.h"
#include "../tcp/tcp.h"

struct toe_rx {
	struct toe_seg seg; /* of an ICMP message (TOE_CNT_drop_icmp) only its length */
	struct toe_tuple tuple;
	uint8_t *payload;
	const uint8_t *tcp; /* header */
	const uint8_t *eth;
	uint32_t tcp_hdr; /* bytes of TCP header */
	uint32_t first; /* bytes of payload in the first piece of the frame ... */
	const struct toe_frame *piece; /* ... and the pieces with the rest */
	uint64_t pseudo; /* sum of the pseudo-header */
	uint32_t flow; /* from the metadata: flow id, or TOE_FLOW_NONE */
	uint32_t endpoint; /* from the metadata, or TOE_FLOW_NONE */
	uint16_t gen;
	uint8_t dev;
	uint8_t ce; /* the IP header says Congestion Experienced */
	uint8_t reparsed; /* there was no usable metadata */
};

/*
 * 0, or the counter (enum toe_counter) under which the frame is dropped. The metadata's magic is
 * erased. TOE_CNT_drop_icmp: `payload` is an ICMP message to tuple.laddr, for core/icmp.c.
 */
int toe_rx_parse(const struct toe_frame *fr, struct toe_rx *rx);

/*
 * Is the TCP checksum right? With `partial_ok` (software devices) the bare pseudo-header sum counts
 * too: a kernel on the same machine leaves the rest to hardware that is not there.
 */
bool toe_rx_checksum(const struct toe_rx *rx, bool partial_ok);

/* A flow's receive or send buffer, as toe_ring_piece takes it. */
struct toe_place {
	uint8_t *arena;
	uint64_t ring, base;
	uint32_t flow;
};

/* The same, and store the payload's spans into the receive buffer in the same pass. */
bool toe_rx_store(const struct toe_rx *rx, bool partial_ok, const struct toe_span *span, unsigned n,
		  const struct toe_place *to);

/* ::ffff:a.b.c.d */
static inline void toe_map_v4(uint8_t dst[16], const uint8_t src[4])
{
	memset(dst, 0, 10);
	dst[10] = dst[11] = 0xff;
	memcpy(dst + 12, src, 4);
}

#endif
