/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hardware contract: all that the core asks of the machine it runs on. A port defines struct
 * toe_port and these functions; template/ is the place to start from. They are called by one FPC's
 * thread with that FPC's number, never concurrently for the same FPC. None may block.
 */
#ifndef TOE_PORT_H
#define TOE_PORT_H

#include <stdbool.h>

#include "../abi/arena.h"
#include "../abi/ctrl.h"
#include "../abi/maps.h"

struct toe_port;

/*
 * A packet buffer of the port, which holds an Ethernet frame or, where the MTU is more than a buffer
 * has room for, a piece of one. The pieces of a packet are neighbours in an array: the first says
 * how many follow it (`more`), and has all headers. Writable when received.
 */
struct toe_frame {
	uint8_t *data;
	uint32_t len;
	uint32_t id; /* the port's own handle */
	uint8_t dev; /* index into toe_ctrl.dev */
	uint8_t queue; /* receive queue it came from */
	uint8_t meta; /* 1: a struct toe_meta stands right before data */
	uint8_t more; /* further pieces of the packet; 0 in those */
};
enum {
	/* At most, of a packet: the device's MTU, the link header and a tag must fit. */
	TOE_FRAME_PIECES = 8,
	TOE_LINK_HEADER = 18, /* Ethernet and a VLAN tag */
	/* Room enough for an MTU of 1500: what ports with buffers of one size give. */
	TOE_FRAME_ROOM = 1600,
};

/* Microseconds, monotonic. */
uint64_t toe_port_now(struct toe_port *p);

/*
 * Up to max received frames (at least TOE_FRAME_PIECES), own queue and those forwarded by other
 * FPCs; packets are whole. Each frame goes back by rx_done or forward.
 */
unsigned toe_port_rx(struct toe_port *p, unsigned fpc, struct toe_frame *f, unsigned max);
void toe_port_rx_done(struct toe_port *p, unsigned fpc, const struct toe_frame *f, unsigned n);
/*
 * Hand a packet (f[0] to f[f->more]) to the FPC that owns its flow. False: its ring is full, the
 * frames stay the caller's.
 */
bool toe_port_forward(struct toe_port *p, unsigned fpc, unsigned to, const struct toe_frame *f);

/*
 * A frame to fill: f->data, f->id, f->dev set, f->len is the room; false when none is free. Then tx
 * of a packet, f[0] to f[f->more], with f->len set; packets leave at the kick.
 */
bool toe_port_tx_alloc(struct toe_port *p, unsigned fpc, unsigned dev, struct toe_frame *f);
void toe_port_tx(struct toe_port *p, unsigned fpc, const struct toe_frame *f);
void toe_port_tx_kick(struct toe_port *p, unsigned fpc);

/* Wake a context that sleeps (its toe_sleep word was seen set). */
void toe_port_wake(struct toe_port *p, unsigned app, unsigned ctx);

/*
 * The application's arena, mapped; NULL if it has gone. Constant from TOE_APP_READY until
 * toe_ctrl.app_gone.
 */
void *toe_port_arena(struct toe_port *p, unsigned app);

/*
 * Ask for memory of the arena to be given back to the system: the buffers of a free flow id, or a
 * big slot (toe_trim_range). toe_port_trimmed returns ids that are done.
 */
bool toe_port_trim(struct toe_port *p, unsigned fpc, unsigned app, uint32_t id);
bool toe_port_trimmed(struct toe_port *p, unsigned fpc, uint32_t *id);

/*
 * Shared tables: the TCB store and flow table (toe_tcbs), the index (toe_flow_index), a counter
 * row, the control region.
 */
struct toe_flow_ent *toe_port_flows(struct toe_port *p);
struct toe_bucket *toe_port_index(struct toe_port *p);
uint64_t *toe_port_stats(struct toe_port *p, unsigned fpc);
struct toe_ctrl *toe_port_ctrl(struct toe_port *p);

#endif
