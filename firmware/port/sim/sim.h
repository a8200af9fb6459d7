/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulator port: hosts, links and time in one process, all decided by one seed.
 *
 *   app -> rings -> FPCs -> link -> FPCs -> rings -> app
 *
 * A host is a struct toe_port: the shared tables, one arena per application, and its FPCs. Time is
 * a variable that sim_run moves from event to event.
 */
#ifndef TOE_SIM_H
#define TOE_SIM_H

#include <setjmp.h>

#include "../../core/engine.h"

enum {
	SIM_FRAMES = 2048, /* frames of a host */
	SIM_FRAME_SIZE = 2048,
	SIM_HEADROOM = 64,
	SIM_ROOM = SIM_FRAME_SIZE - SIM_HEADROOM,
	SIM_PACKET = 9216, /* the longest on a link: of several frames */
	SIM_QUEUE = 1024, /* received frames waiting for an FPC */
	SIM_HOSTS = 4,
	SIM_BIG_SLOTS = 64, /* of an arena */
	SIM_ETH = 14, /* bytes in front of the IP packet */
};

/* Chances are in 1/65536. */
struct sim_link {
	uint32_t loss, dup, corrupt;
	uint32_t reorder; /* chance that a frame takes `late_us` longer */
	uint32_t late_us, delay_us;
	uint32_t kbit; /* rate, 0 = unlimited */
	uint32_t mtu; /* larger IP packets are dropped, 0 = unlimited */
	bool tells; /* and an ICMP error says so */
	uint32_t queue; /* bytes that wait for the rate, at most; 0 = unlimited */
	uint32_t
	    mark; /* with more than so many waiting, what is ECN-capable is marked; 0 = never */
	uint32_t waited; /* most bytes that have waited, the link's own; may be set to 0 */
	/* The link's own: when the rate is free again (ns), its dice, the frame's number. */
	uint64_t busy_until, seed, number;
};

/* What a device does to who wants to send. Chances are in 1/65536. */
struct sim_device {
	uint32_t frames; /* packets' frames that wait in it, at most; 0 = all that the host has */
	uint32_t refuse; /* that it has none to fill, when it is asked for one */
	/* That from then on it takes nothing, and keeps what it has; for how long at most. */
	uint32_t jam, jam_us;
	uint64_t since, until; /* the last time that it did so: its own */
};

/* How frames come to the FPCs of a host. */
enum sim_steer {
	SIM_STEER_META, /* as the XDP program does: to the right FPC, with metadata */
	SIM_STEER_RAW, /* no metadata, to any FPC: they parse and hand on themselves */
	SIM_STEER_PARTIAL, /* with metadata; TCP checksums left partial, as on veth */
};

struct sim_conf {
	unsigned nfpcs, tcb_cache, nflows, mtu;
	enum sim_steer steer;
	uint8_t addr; /* last byte of 10.0.0.x or 2001:db8::x, and of the MAC */
	bool v6;
	uint16_t vlan; /* frames carry this tag (toe_tuple.vlan), 0 = none */
	uint32_t rcvbuf_max, sndbuf_max; /* as in toe_ctrl */
	uint64_t app_buffers;
	uint32_t big_slots; /* 0 = SIM_BIG_SLOTS */
};

struct sim_world {
	uint64_t now; /* microseconds */
	uint64_t rng;
	struct toe_port *host[SIM_HOSTS];
	unsigned nhosts;
	struct sim_packet **heap; /* frames under way, by time of arrival */
	unsigned nheap, heap_room;
	uint64_t order;
	uint64_t lost, delivered;
};

struct toe_port {
	struct sim_world *w;
	struct sim_conf conf;
	struct toe_ctrl *ctrl;
	struct toe_flow_ent *ent;
	struct toe_bucket *index;
	uint64_t (*stats)[128];
	void *state;
	uint8_t *arena[TOE_MAX_APPS];
	struct toe_fpc *fpc[TOE_MAX_FPCS];
	/* Frames: free, or in one of the queues, or with an FPC. */
	uint8_t *frames;
	uint32_t free[SIM_FRAMES];
	unsigned nfree;
	struct {
		struct toe_frame f[SIM_QUEUE];
		unsigned head, tail;
	} rx[TOE_MAX_FPCS];
	struct toe_frame tx[SIM_FRAMES];
	unsigned ntx;
	struct sim_device device;
	/* Where frames go: to a host over a link, or to a function. */
	struct toe_port *peer;
	struct sim_link link;
	void (*sink)(struct toe_port *p, const uint8_t *frame, uint32_t len);
	void *arg;
	uint32_t trimmed[64];
	unsigned ntrimmed;
	/* Death at the n-th call into the port, or at the n-th instruction outside it (kill.h). */
	unsigned crash_in, kill_in; /* 0 = never */
	bool can_crash;
	jmp_buf crash;
	unsigned crashes;
	uint64_t woken[TOE_MAX_APPS]; /* contexts that toe_port_wake was called for */
};

uint64_t sim_random(struct sim_world *w);
/* A number below n. */
static inline uint32_t sim_below(struct sim_world *w, uint32_t n)
{
	return (uint32_t)(sim_random(w) >> 32) % n;
}

struct sim_world *sim_new(uint64_t seed);
void sim_free(struct sim_world *w);
void sim_drop_frames(struct sim_world *w);
struct toe_port *sim_host(struct sim_world *w, const struct sim_conf *conf);
/* Join two hosts by a link of the same kind both ways. */
void sim_join(struct toe_port *a, struct toe_port *b, const struct sim_link *link);
/* What a router would answer to a frame that `mtu` is too small for; nothing for those with a tag. */
void sim_too_big(struct toe_port *sender, const uint8_t *frame, uint32_t len, uint32_t mtu);
/* The host's device takes nothing for so long, and keeps what it has. */
void sim_jam(struct toe_port *p, uint64_t us);
/* A frame for `to` arrives after `link`; NULL: at once, unharmed. */
void sim_send(struct toe_port *to, struct sim_link *link, const uint8_t *frame, uint32_t len);
/* Give the arrived frame to an FPC now. */
void sim_receive(struct toe_port *to, const uint8_t *frame, uint32_t len);

/*
 * Let all FPCs do what there is to do now, at most `rounds` batches each. Returns the number of
 * events.
 */
unsigned sim_poll(struct toe_port *p, unsigned rounds);
/* Deliver what has arrived by now, poll every host. */
unsigned sim_step(struct sim_world *w);
/* When something happens next without anybody's doing; UINT64_MAX = never. */
uint64_t sim_next(struct sim_world *w);
/* Kill the firmware of a host and start it again on the same state. 0 or what toe_fpc_init says. */
int sim_restart(struct toe_port *p);
/* The port's part in that: frames that the dead firmware held are free again. */
void sim_reclaim_frames(struct toe_port *p);

/* The bytes of a packet in one place: where they are, or together in `room`. */
const uint8_t *sim_gather(const struct toe_frame *f, uint8_t *room, uint32_t *len);

/* Frames that are neither free nor queued, beyond those that an FPC may keep per device. */
unsigned sim_frames_missing(const struct toe_port *p);
/* Everything that was lent is back: NULL, or what is missing. TIME_WAIT entries count as lent. */
const char *sim_leak(const struct toe_port *p);
/* A live flow's TCB, spilled or not, until the next call; NULL: not live. */
const struct toe_tcb *sim_tcb(const struct toe_port *p, uint32_t flow);
/* The invariants of every live TCB: NULL, or what is broken. */
const char *sim_check(const struct toe_port *p);
/* Sum of a counter over the FPCs. */
uint64_t sim_count(const struct toe_port *p, enum toe_counter c);

#endif
