/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for the table: a shape says what is in a frame, frame_build() lays it out and notes
 * where things are.
 */
#ifndef TOE_TESTS_BPF_FRAME_H
#define TOE_TESTS_BPF_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum { FRAME_MAX = 9216, FRAME_EXTS = 8 };
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };
enum { EXT_HOP = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_AUTH = 51, EXT_DEST = 60 };

/* Overwrite one byte, counted from the IP or the TCP header, after everything else is in place. */
struct poke {
	enum { POKE_NONE, POKE_L3, POKE_L4 } from;
	uint16_t off;
	uint8_t value;
};

struct shape {
	uint16_t tpid[2], tci[2]; /* VLAN tags, outermost first; tpid 0 = none */
	uint16_t ethertype; /* 0: as ip6 says */
	bool ip6;
	uint8_t proto; /* 0 = TCP */
	uint8_t ip_options; /* bytes, a multiple of 4 */
	uint8_t exts; /* IPv6 extension headers in ext[] */
	uint8_t ext[FRAME_EXTS];
	uint16_t frag; /* IPv4 fragment word, or that of an IPv6 fragment header in ext[] */
	uint8_t local_host; /* last byte of the local address, 0 = 1 */
	uint16_t lport, rport; /* host order, 0 = 80, 40000 */
	uint8_t tcp_flags; /* 0 = ACK */
	uint8_t tcp_options; /* bytes, a multiple of 4 */
	uint16_t payload; /* bytes */
	uint8_t padding; /* bytes behind the IP packet */
	bool icmp_error; /* the frame is an ICMP error that quotes a segment of ours */
	uint8_t icmp_type;
	uint8_t quote_host; /* with icmp_error: the quoted source, if not the local address */
	struct poke poke[2];
};

struct frame {
	uint8_t b[FRAME_MAX];
	unsigned len;
	unsigned l3, l4, payload, payload_len;
};

void frame_build(struct frame *f, const struct shape *s);

#endif
