/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between packets of a script and packets on the wire. The peer's sequence numbers and timestamps
 * are the script's; ours are counted from the first packet that shows them.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>

#include "script.h"

enum { LOCAL_PORT = 8080, REMOTE_PORT = 40000 };

struct conn {
	uint16_t sport, dport; /* the peer's, ours; host order */
	bool has_isn, has_ts;
	bool has_remote; /* the peer's SYN was seen */
	uint32_t isn; /* ours on the wire less ours in the script */
	uint32_t remote; /* the peer's first */
	uint32_t ts; /* the same for timestamps */
	bool active; /* ports from its SYN */
	struct conn *next;
};

/* A TCP packet that was taken apart. */
struct seen {
	uint8_t ecn, ttl, tos; /* tos without ecn */
	bool nodf;
	uint16_t sport, dport;
	uint8_t flags;
	uint32_t seq, ack, len;
	uint16_t win, urg;
	unsigned nopts;
	struct opt opt[MAX_OPT];
	const uint8_t *payload;
};

/* Addresses by family, in the order of bytes of the wire. */
const uint8_t *wire_local(bool v6);
const uint8_t *wire_remote(bool v6);

/* The packet as it goes into the stack; its length. Payload is the stream's (wire_byte). */
size_t wire_build(const struct script *s, const struct packet_spec *p, uint8_t *buf);

/*
 * NULL: the packet is what the script says, or the reason why not (static). What is the script's
 * to learn is learnt.
 */
const char *wire_compare(const struct script *s, const struct packet_spec *p, const uint8_t *buf,
			 size_t len);

/* In the script's words; static. */
const char *wire_text(const struct script *s, const uint8_t *buf, size_t len);
const char *wire_spec_text(const struct packet_spec *p);

/* Byte `pos` of a stream that `local` writes. */
uint8_t wire_byte(bool local, uint64_t pos);

#endif
