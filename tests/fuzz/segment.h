/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments of a peer that has no TCP of its own: any numbers, any options. */
#ifndef TOE_TESTS_FUZZ_SEGMENT_H
#define TOE_TESTS_FUZZ_SEGMENT_H

#include "../../firmware/tcp/tcp.h"

enum { SEGMENT_ENGINE = 1, SEGMENT_PEER = 2 }; /* last bytes of addresses and link addresses */

struct segment {
	uint16_t sport, dport; /* host order */
	uint32_t seq, ack, len;
	uint16_t wnd, urg;
	uint8_t flags; /* enum toe_th_flags */
	bool v6;
	uint16_t vlan; /* the tag, 0 = none */
	/* Options, in this order as far as they fit. */
	uint16_t mss; /* 0 = none */
	uint8_t wscale; /* 1 + shift, 0 = none */
	bool sack_ok, ts, junk;
	uint32_t tsval, tsecr;
	const struct toe_fo_cookie
	    *fo; /* of at most 8 bytes, without bytes a request; NULL: none */
	uint8_t nsack;
	struct toe_range sack[TOE_MAX_SACK];
	bool ce; /* congestion experienced */
	bool spoil; /* wrong checksum */
};

/* The frame, from the peer to the engine. Returns its length, at most 1600. */
uint32_t segment_build(const struct segment *s, uint8_t *frame);
/* An ICMP (ICMPv6) error from a router that quotes `s`, which the engine sent. */
uint32_t segment_icmp(const struct segment *s, uint8_t type, uint8_t code, uint16_t mtu,
		      uint8_t *frame);
void segment_addr(bool v6, uint8_t host, uint8_t addr[16]);

#endif
