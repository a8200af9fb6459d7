/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP header (RFC 9293 3.1). Fields in network order. */
#ifndef TOE_WIRE_TCP_H
#define TOE_WIRE_TCP_H

#include <stdint.h>

struct toe_tcph {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t doff; /* high half: header length in words */
	uint8_t flags;
	uint16_t wnd;
	uint16_t check;
	uint16_t urg;
} __attribute__((packed));

_Static_assert(sizeof(struct toe_tcph) == 20, "wire layout");

#endif
