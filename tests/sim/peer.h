/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scripted TCP peer: sends the segments it is told to, and looks at what the engine answers. It
 * has no TCP of its own.
 */
#ifndef TOE_TESTS_SIM_PEER_H
#define TOE_TESTS_SIM_PEER_H

#include "../../firmware/core/rx_parser.h"
#include "../../firmware/port/sim/app.h"

enum { PEER_QUEUE = 256, PEER_PORT = 80, PEER_BACKLOG = 4 };

struct peer_seg {
	struct toe_seg s;
	uint16_t port; /* the engine's, host order */
	uint16_t vlan;
	uint8_t data[1600];
};

struct peer {
	struct sim_world *w;
	struct toe_port *host;
	struct sim_app *app;
	struct sim_link link; /* towards the engine */
	uint32_t loss; /* from it: chance in 65536 */
	uint16_t port, dport; /* the peer's, the engine's; host order */
	uint16_t vlan;
	uint32_t snd, rcv; /* next sequence number to send, next expected */
	uint16_t wnd;
	uint8_t net, last; /* first and last byte of its address */
	uint8_t group; /* bit 0: frames go to a group address of the link */
	uint8_t ip_opt; /* bytes of IP options */
	bool pad; /* frames have at least 60 bytes */
	bool spoil; /* wrong TCP checksum */
	struct peer_seg got[PEER_QUEUE];
	unsigned head, tail;
	const char *bad; /* what went wrong, NULL = nothing */
	unsigned line;
};

void peer_up(struct peer *p, uint64_t seed, unsigned nfpcs, enum sim_steer steer);
void peer_down(struct peer *p);
/* Let time pass in small steps, the application acts too. */
void peer_pass(struct peer *p, uint64_t us);
/*
 * A segment with these numbers; `p->snd` stays. Stream bytes are those of sim_byte from position
 * `pos` on.
 */
void peer_send(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack, uint64_t pos,
	       uint32_t len);
/* The next segment that the engine sent, NULL = none. */
const struct peer_seg *peer_next(struct peer *p);
/* SYN, SYN-ACK; false: none came. */
bool peer_syn(struct peer *p);
/* And ACK. */
void peer_handshake(struct peer *p);
/* The engine's end of the only connection. */
struct sim_conn *peer_conn(struct peer *p);
void peer_command(struct peer *p, enum toe_sw_cmd type, uint64_t pos);

void peer_fail(struct peer *p, const char *what, unsigned line);
#define CHECK(p, x) \
	do { \
		if (!(x)) \
			peer_fail(p, #x, __LINE__); \
	} while (0)

#endif
