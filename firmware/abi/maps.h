/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of the BPF maps and the XDP metadata: shared by the XDP program, the firmware, toed and
 * toectl. Freestanding, and compiled for the BPF target too. Multi-byte header fields keep network
 * order where the comment says so; everything else is in host order.
 */
#ifndef TOE_ABI_MAPS_H
#define TOE_ABI_MAPS_H

#include "limits.h"

#define TOE_CONFIG_MAGIC 0x43454f54u /* "TOEC" */
#define TOE_META_MAGIC 0x4d00454fu /* low byte: version, see TOE_META_WORD */
#define TOE_META_WORD (TOE_META_MAGIC ^ (TOE_ABI_VERSION << 8))

/* toe_config, one entry. Written by toed before toe_ports holds anything. */
struct toe_config {
	uint32_t magic, version;
	uint32_t nfpcs;
	uint32_t nbuckets; /* of toe_flow_index, a power of two, divided evenly among the FPCs */
	uint64_t key[2]; /* SipHash key of the flow hash */
	uint16_t port_lo,
	    /*
	     * ports for active opens, host order, inclusive: owned at addresses with a port-0 entry
	     */
	    port_hi;
	uint32_t dev_ifindex[TOE_MAX_DEVS]; /* ifindex of device i, 0 = none */
};

/*
 * An 802.1ad (service) tag is another VLAN than the 802.1Q tag of the same id. Frames with two tags
 * are the kernel's.
 */
#define TOE_VLAN_STAG 0x8000u

/* Addresses are always 16 bytes; IPv4 as ::ffff:a.b.c.d. */
struct toe_tuple {
	uint8_t laddr[16], raddr[16];
	uint16_t lport, rport; /* network order */
	uint16_t
	    vlan; /* host order: VLAN id, plus TOE_VLAN_STAG for an 802.1ad tag; 0 = untagged */
	uint8_t dev; /* device index (toe_config.dev_ifindex) */
	uint8_t zero;
};
_Static_assert(sizeof(struct toe_tuple) == 40, "hashable: no padding");

/*
 * toe_ports: hash map, key -> value. Port 0: this address's share of [port_lo, port_hi] is owned.
 */
struct toe_port_key {
	uint32_t ifindex;
	uint16_t vlan; /* as in toe_tuple */
	uint16_t port; /* network order */
	uint8_t addr[16];
};
_Static_assert(sizeof(struct toe_port_key) == 24, "hashable: no padding");

enum { TOE_MAX_PORTS = 4 * TOE_MAX_ENDPOINTS };
struct toe_port_val {
	uint32_t
	    /* id of the listening endpoint (toe_ctrl.endpoint), TOE_FLOW_NONE for port 0 */
	    endpoint;
};

/*
 * toe_flow_index: array of buckets, one cache line each. A slot: bit 63 used, bits 48..62 tag
 * (hash), bits 32..47 generation, bits 0..31 flow id; 0 = empty, one eight-byte store changes it.
 */
enum { TOE_BUCKET_SLOTS = 8, TOE_BUCKETS = 32768 };
struct toe_bucket {
	uint64_t slot[TOE_BUCKET_SLOTS];
};
#define TOE_SLOT_USED (1ull << 63)

static inline uint64_t toe_slot(uint64_t hash, uint16_t gen, uint32_t flow)
{
	return TOE_SLOT_USED | (hash >> 49) << 48 | (uint64_t)gen << 32 | flow;
}

/* How a 64-bit flow hash is spent; each FPC writes only buckets of its own part. */
static inline uint32_t toe_hash_fpc(uint64_t hash, uint32_t nfpcs)
{
	return (uint32_t)((hash & 0xffff) * nfpcs >> 16);
}

static inline uint32_t toe_hash_bucket(uint64_t hash, unsigned choice, uint32_t nbuckets,
				       uint32_t nfpcs)
{
	uint32_t part = nbuckets / nfpcs;
	uint32_t h = choice ? (uint32_t)(hash >> 32) : (uint32_t)(hash >> 16);

	return toe_hash_fpc(hash, nfpcs) * part + (uint32_t)((uint64_t)h * part >> 32);
}

/* Life of a flow id. */
enum toe_flow_life {
	TOE_LIFE_FREE = 0,
	TOE_LIFE_LIVE = 1,
	/* the kernel's connection on a port that was taken over: XDP passes it */
	TOE_LIFE_KERNEL = 2,
	TOE_LIFE_TRIM = 3, /* free; its buffers are being given back */
};

#define TOE_LOC_SPILLED 0xffffffffu
enum { TOE_TCB_SIZE = 1024 };

/*
 * toe_tcbs, by flow id: identity and steering (read by XDP), and the place of the spilled TCB.
 * `word` commits: birth, death, eviction and promotion each end with one eight-byte store of it.
 */
struct toe_flow_ent {
	union {
		uint64_t word;
		struct {
			uint8_t life; /* enum toe_flow_life */
			uint8_t fpc; /* owner */
			uint16_t gen;
			uint32_t
			    /*
			     * TCB cache slot of the owner, or TOE_LOC_SPILLED: then tcb[] below is
			     * the TCB
			     */
			    loc;
		};
	};
	struct toe_tuple tuple;
	uint32_t hash_hi, hash_lo; /* the tuple's flow hash */
	uint8_t app;
	uint8_t accepted; /* 0: still in an accept queue */
	uint16_t endpoint; /* passive opens; 0xffff otherwise */
	uint32_t
	    /* place in the accept ring + 1, stored before the entry is; 0: not queued */
	    accept_pos;
	uint8_t tcb[TOE_TCB_SIZE] __attribute__((aligned(TOE_CACHELINE)));
};
_Static_assert(sizeof(struct toe_flow_ent) == 64 + TOE_TCB_SIZE,
	       "one line of identity, then the TCB");

/*
 * XDP metadata in front of the frame. The FPC erases `magic` after use. Offsets are from the start
 * of the frame.
 */
enum toe_meta_flags {
	TOE_META_FLOW = 1, /* flow and gen are set (index hit; advisory) */
	TOE_META_ENDPOINT = 2, /* endpoint is set: a listening endpoint, no flow found */
	TOE_META_IPV6 = 4,
	TOE_META_ICMP = 8, /* an ICMP error about an owned flow */
};

struct toe_meta {
	uint32_t magic; /* TOE_META_WORD */
	uint32_t flow; /* flow id, or endpoint id with TOE_META_ENDPOINT */
	uint16_t gen;
	uint8_t flags; /* enum toe_meta_flags */
	uint8_t tcp_flags;
	uint16_t l3_off, l4_off, payload_off, payload_len;
	uint32_t hash_hi, hash_lo;
};
_Static_assert(sizeof(struct toe_meta) == 28 && sizeof(struct toe_meta) % 4 == 0,
	       "bpf_xdp_adjust_meta wants multiples of 4, at most 32");

enum { TOE_XSKS = TOE_MAX_DEVS * TOE_MAX_QUEUES * TOE_MAX_FPCS };
/*
 * toe_xsks: queue q's socket of FPC f is entry q * TOE_MAX_FPCS + f, plus TOE_MAX_QUEUES *
 * TOE_MAX_FPCS per device.
 */
static inline uint32_t toe_xsk_index(uint32_t dev, uint32_t queue, uint32_t fpc)
{
	return (dev * TOE_MAX_QUEUES + queue) * TOE_MAX_FPCS + fpc;
}

/*
 * Counters (counters.def). Rows 0..TOE_MAX_FPCS-1 of toe_stats are the FPCs', the next TOE_XDP_ROWS
 * the XDP program's, by CPU.
 */
#define TOE_COUNTER(name, text) TOE_CNT_##name,
enum toe_counter {
#include "counters.def"
	TOE_CNT_COUNT
};
#undef TOE_COUNTER

enum { TOE_XDP_ROWS = 64, TOE_STATS_ROWS = TOE_MAX_FPCS + TOE_XDP_ROWS };

struct toe_stats_row {
	uint64_t count[128];
};
_Static_assert(TOE_CNT_COUNT <= 128, "grow toe_stats_row");

/*
 * toe_flows, for people: `bpftool map dump` prints char arrays as text and enums by name. Key: flow
 * id.
 */
enum toe_residency { cached, spilled };
enum toe_state_name {
	CLOSED,
	LISTEN,
	SYN_SENT,
	SYN_RECEIVED,
	ESTABLISHED,
	FIN_WAIT_1,
	FIN_WAIT_2,
	CLOSE_WAIT,
	CLOSING,
	LAST_ACK,
	TIME_WAIT,
};

struct toe_flow_view {
	char local[48], remote[48]; /* "192.0.2.1:80", "[2001:db8::1]:80" */
	enum toe_state_name state; /* same values as enum toe_tcp_state */
	enum toe_residency tcb;
	uint32_t fpc, app;
	uint32_t snd_una, snd_nxt, snd_wnd, rcv_nxt, rcv_wnd, cwnd,
	    srtt_us; /* RFC 9293 3.3.1; bytes */
};

#endif
