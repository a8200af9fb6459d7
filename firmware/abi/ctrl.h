/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control region: one memfd that toed and the firmware map. toed writes policy (devices,
 * endpoints, next hops, grants), the firmware reads it, and answers in the words that are marked as
 * its own.
 */
#ifndef TOE_ABI_CTRL_H
#define TOE_ABI_CTRL_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd.h"
#include "maps.h"

#define TOE_CTRL_MAGIC 0x4c4f4354u

struct toe_dev {
	uint32_t ifindex; /* 0: unused */
	uint32_t mtu; /* bytes of IP packet */
	union {
		uint64_t word; /* read and written as a whole: the link address may change */
		struct {
			uint8_t mac[6];
			uint8_t
			    software; /* 1: peers may leave the TCP checksum partial (veth, tap) */
			uint8_t nqueues;
		};
	};
	uint8_t pieces; /* 1: packets may span several frames (MTU above 3498) */
	char name[16];
};

/* A VLAN interface on a device (eth0.100), which has an index and an MTU of its own. */
struct toe_vif {
	uint32_t ifindex; /* 0: unused; stored last */
	uint32_t mtu;
	uint16_t vlan; /* as in toe_tuple */
	uint8_t dev;
	uint8_t down; /* 1: set down; nothing is sent or received, its connections wait */
};

/*
 * A listening endpoint: one local address and port on one device. A listener on a wildcard address
 * has one for each address of each device. toed fills it, then stores state.
 */
enum toe_endpoint_state { TOE_EP_FREE = 0, TOE_EP_OPEN = 1, TOE_EP_CLOSING = 2 };
struct toe_endpoint {
	uint8_t addr[16];
	uint16_t port; /* network order */
	uint16_t vlan;
	uint8_t dev;
	uint8_t app;
	uint8_t state; /* enum toe_endpoint_state, stored last. CLOSING: no new flows */
	uint8_t listener; /* index in the application's arena */
	uint32_t flows
	    /* firmware's: flows and TIME_WAIT entries that still use the endpoint */
	    [TOE_MAX_FPCS];
};

/* A connect that toed admitted: route, source address and port are chosen. */
enum toe_grant_state { TOE_GRANT_FREE = 0, TOE_GRANT_READY = 1, TOE_GRANT_USED = 2 };
struct toe_grant {
	struct toe_tuple tuple;
	uint16_t nh; /* index of the next hop */
	uint16_t mtu; /* of the route */
	uint8_t app;
	uint8_t fpc;
	uint8_t state; /* toed: FREE -> READY; FPC: READY -> USED; toed: USED -> FREE */
	uint8_t pad;
};

/*
 * A next hop: link address and state in one word, so that one store changes both.
 * Bits 0..47 MAC (first byte lowest), 48..55 enum toe_nh_state, 56..63 device index.
 */
enum toe_nh_state { TOE_NH_FREE = 0, TOE_NH_INCOMPLETE = 1, TOE_NH_VALID = 2, TOE_NH_FAILED = 3 };

/* toed's own commands to an FPC, in struct toe_cmd. */
enum toe_admin_cmd {
	TOE_ADM_ABORT = 129, /* flow, gen: reset it (its last holder died) */
	/* flow = app: reset all its flows, forget its arena; answered in toe_ctrl.app_gone */
	TOE_ADM_APP_GONE = 130,
	TOE_ADM_LISTENER_GONE = 131, /* flow = listener, pos = app: reset what nobody accepted */
	TOE_ADM_RESET_ALL = 132, /* reset every flow (SIGTERM); answered in toe_ctrl.reset_done */
	TOE_ADM_RESET = 133, /* flow, gen: reset it and tell its holders (its interface has gone) */
};

struct toe_admin_ring {
	struct toe_doorbell db;
	struct toe_cmd cmd[TOE_SW_RING];
};

enum toe_app_state { TOE_APP_FREE = 0, TOE_APP_READY = 1, TOE_APP_GOING = 2 };

struct toe_ctrl {
	uint32_t magic, version;
	uint32_t nfpcs;
	uint32_t
	    /*
	     * flow ids in use, at most TOE_MAX_FLOWS; FPC i owns ids [i * nflows / nfpcs, (i + 1) *
	     * nflows / nfpcs)
	     */
	    nflows;
	uint32_t tcb_cache; /* TCBs per FPC */
	uint32_t nbuckets;
	uint64_t key[2]; /* as in toe_config; also keys the ISNs (RFC 6528) */
	uint16_t port_lo, port_hi;
	uint32_t starts; /* times the firmware was started on this state */
	uint32_t poll_busy; /* 1: never sleep */
	uint32_t spin_us; /* idle time before an FPC sleeps */
	uint8_t cc; /* enum toe_cc_id of connections that do not choose */
	uint8_t ecn; /* enum toe_ecn_policy */
	uint8_t no_ts; /* 1: connections are without timestamps (RFC 7323) */
	uint8_t vifs_down; /* how many of vif[] are: mostly none, and then nobody looks further */
	uint8_t pad[4];
	/* Up to where buffers are sized automatically, bytes; 0: they stay as they are. */
	uint32_t rcvbuf_max, sndbuf_max;
	uint64_t app_buffers; /* what rings beyond the default may hold, bytes per app; 0 = any */
	uint32_t big_slots; /* of each arena (abi/arena.h), at most TOE_MAX_BIG_SLOTS; constant */
	struct toe_dev dev[TOE_MAX_DEVS];
	struct toe_vif vif[TOE_MAX_VIFS];
	uint8_t app_state[TOE_MAX_APPS]; /* enum toe_app_state, toed's */
	uint8_t app_gone[TOE_MAX_APPS]
			[TOE_MAX_FPCS]; /* firmware's: 1 = nothing of the app is left on this FPC */
	uint8_t reset_done[TOE_MAX_FPCS]; /* firmware's */
	struct toe_sleep fpc[TOE_MAX_FPCS]; /* firmware's, as in toe_arena_hdr */
	uint64_t nh[TOE_MAX_NEXT_HOPS];
	struct toe_endpoint endpoint[TOE_MAX_ENDPOINTS];
	struct toe_grant grant[TOE_MAX_GRANTS];
	struct toe_admin_ring admin[TOE_MAX_FPCS];
};

/* The VLAN interface, NULL for an untagged one. */
static inline const struct toe_vif *toe_vif_of(const struct toe_ctrl *c, uint8_t dev, uint16_t vlan)
{
	for (unsigned i = 0; vlan && i < TOE_MAX_VIFS; i++)
		if (c->vif[i].ifindex && c->vif[i].dev == dev && c->vif[i].vlan == vlan)
			return &c->vif[i];
	return NULL;
}

/* MTU and interface index of the interface that a tuple belongs to. */
static inline uint32_t toe_link_mtu(const struct toe_ctrl *c, uint8_t dev, uint16_t vlan)
{
	const struct toe_vif *v = toe_vif_of(c, dev, vlan);

	return v && v->mtu < c->dev[dev].mtu ? v->mtu : c->dev[dev].mtu;
}

static inline uint32_t toe_link_ifindex(const struct toe_ctrl *c, uint8_t dev, uint16_t vlan)
{
	const struct toe_vif *v = toe_vif_of(c, dev, vlan);

	return v ? v->ifindex : c->dev[dev].ifindex;
}

/* Is the interface that a tuple belongs to in use? A device that is down says so itself. */
static inline bool toe_link_up(const struct toe_ctrl *c, uint8_t dev, uint16_t vlan)
{
	const struct toe_vif *v = vlan && c->vifs_down ? toe_vif_of(c, dev, vlan) : NULL;

	return !v || !v->down;
}

static inline uint64_t toe_nh_word(const uint8_t mac[6], enum toe_nh_state state, uint8_t dev)
{
	uint64_t w = (uint64_t)state << 48 | (uint64_t)dev << 56;

	for (int i = 0; i < 6; i++)
		w |= (uint64_t)mac[i] << (8 * i);
	return w;
}

#endif
