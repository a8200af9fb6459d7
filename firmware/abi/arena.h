/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An application's arena: one sealed memfd that the application and the firmware map.
 *
 * All parts lie at fixed offsets and are indexed by context, listener or flow id, so nobody
 * allocates in it. The memfd is sparse: memory is committed when it is first touched. The firmware
 * treats whatever the application can write as untrusted input.
 *
 *   header | contexts | listeners | options by grant | flow blocks | timestamps | data buffers | big slots
 */
#ifndef TOE_ABI_ARENA_H
#define TOE_ABI_ARENA_H

#include "cmd.h"

#define TOE_ARENA_MAGIC 0x41454f54u /* "TOEA" */

struct toe_arena_hdr {
	uint32_t magic, version;
	uint32_t app; /* application id */
	uint32_t nfpcs;
	uint64_t size; /* bytes of the whole arena */
	uint64_t
	    /*
	     * process slots in use: set by toed (attach) or by a parent about to fork; host atomics
	     */
	    procs;
	uint64_t
	    /*
	     * context slots in use: set and cleared by toed, once the firmware has their eventfds
	     */
	    ctxs;
	uint32_t cc; /* enum toe_cc_id of connections that do not choose */
	struct toe_sleep fpc
	    [TOE_MAX_FPCS]; /* written by each FPC before it sleeps, read by producers of SW CMDs */
};

enum toe_info_options {
	TOE_INFO_TS = 1,
	TOE_INFO_SACK = 2,
	TOE_INFO_WSCALE = 4,
	TOE_INFO_ECN = 8,
	TOE_INFO_APP_LIMITED = 16, /* delivery_rate is the application's */
	TOE_INFO_SYN_DATA = 32, /* data of the SYN counted (RFC 7413) */
};
enum toe_info_recovery { TOE_INFO_OPEN, TOE_INFO_DISORDER, TOE_INFO_RECOVERY, TOE_INFO_LOSS };

/* Answer to TOE_SW_INFO: a connection as TCP_INFO shows it. */
struct toe_flow_info {
	uint32_t token; /* the request's; stored last */
	uint8_t state; /* enum toe_tcp_state */
	uint8_t recovery; /* enum toe_info_recovery */
	uint8_t rexmits; /* consecutive timeouts without progress */
	uint8_t probes; /* persist or keepalive probes without answer */
	uint8_t backoff; /* RTO doublings */
	uint8_t options; /* enum toe_info_options */
	uint8_t snd_wscale, rcv_wscale;
	uint32_t rto_us, ato_us, srtt_us, rttvar_us, min_rtt_us;
	uint32_t snd_mss, adv_mss, mtu; /* bytes */
	uint32_t unacked, sacked, lost, cwnd, ssthresh; /* segments */
	uint32_t rexmit_segs; /* segments sent again, in all */
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out; /* in all, with SYN */
	uint32_t ooo_segs, dsacks, reordered; /* events: received, told by the peer, seen by ACKs */
	uint32_t reordering; /* segments by which one was overtaken at most, and 3 at least */
	uint32_t again_out; /* segments that were sent again and are on their way */
	uint32_t delivered; /* segments that have arrived, in all */
	uint32_t delivered_ce; /* of them, acknowledged with ECE */
	uint32_t rcv_rtt_us; /* round trip as the receiver sees it, 0 = not known */
	uint32_t data_ms; /* since data last came, or the handshake was done */
	uint32_t notsent, snd_wnd, rcv_wnd, rcv_wnd_max; /* bytes */
	uint32_t sent_ms, rcv_ms; /* since data was last sent; since a segment last came */
	uint64_t bytes_acked, bytes_received, bytes_sent, bytes_rexmit;
	uint64_t pacing_rate; /* bytes per second, 0 = not paced */
	uint64_t delivery_rate; /* bytes per second, 0 = not known */
	/*
	 * Microseconds for which something that was written had not been acknowledged; of them, for
	 * which the peer's window, or the size of the send buffer, kept more from being sent.
	 */
	uint64_t busy_us, rwnd_us, sndbuf_us;
};

/* What a context shares with all FPCs. */
struct toe_ctx {
	struct toe_sleep sleep; /* written by the context, read by FPCs */
	uint32_t proc; /* process slot that owns the context */
	uint32_t flows_hint; /* flows in its epoll sets: the FPC's doorbell moderation uses it */
	/* written by the FPC that was asked */
	struct toe_flow_info info __attribute__((aligned(TOE_CACHELINE)));
	struct {
		struct toe_sw_ring sw;
		struct toe_hw_ring hw;
	} fpc[TOE_MAX_FPCS];
};

/*
 * Accept queue of a listener: one ring per FPC (its only producer). Several contexts consume: each
 * claims an entry by compare-and-swap to 0 (host-side atomics only), then whoever finds claimed
 * entries at the tail advances it. The FPC holds at most `backlog` unclaimed ones. The FPC zeroes
 * nothing: it overwrites entries between tail and tail + TOE_ACCEPT_RING only.
 */
enum { TOE_ACCEPT_RING = 4096 };

enum toe_sock_flags {
	TOE_SO_NODELAY = 1, /* TCP_NODELAY */
	TOE_SO_KEEPALIVE = 2, /* SO_KEEPALIVE */
	TOE_SO_FASTOPEN = 4, /* active opens: TCP_FASTOPEN_CONNECT, MSG_FASTOPEN */
	TOE_SO_FASTOPEN_BARE = 8, /* with it: there is no data, the SYN does not wait for any */
	/* TCP_FASTOPEN_NO_COOKIE: data goes, and is taken, with any SYN */
	TOE_SO_FASTOPEN_NO_COOKIE = 16,
	TOE_SO_STAMP_RX = 32, /* what comes is stamped with its time (struct toe_flow_stamps) */
};

/*
 * Socket options that a flow is born with: a listener's are inherited, an active open's are at its
 * grant. Written by the application; the firmware copies them, then clamps each. Zero is the
 * default of each.
 */
struct toe_sock_opts {
	uint32_t flags; /* enum toe_sock_flags */
	uint8_t cc; /* 0 = default, else 1 + enum toe_cc_id */
	uint8_t keep_cnt; /* TCP_KEEPCNT: probes */
	uint8_t syncnt; /* TCP_SYNCNT: retransmissions of a SYN */
	uint8_t tos; /* IP_TOS, IPV6_TCLASS */
	uint8_t ttl; /* IP_TTL, IPV6_UNICAST_HOPS */
	uint8_t defer_accept; /* TCP_DEFER_ACCEPT, as SYN-ACK timeouts; 0 = off */
	uint16_t maxseg; /* TCP_MAXSEG: bytes */
	uint32_t rcvbuf, sndbuf; /* bytes; 0 = sized automatically */
	uint16_t keep_idle_s, keep_intvl_s; /* TCP_KEEPIDLE, TCP_KEEPINTVL */
	uint32_t user_timeout_ms; /* TCP_USER_TIMEOUT */
	int32_t linger2_ms; /* TCP_LINGER2; -1: no FIN_WAIT_2 after close */
	uint32_t fastopen; /* TCP_FASTOPEN: how many may be on their way, 0 = off */
	uint32_t notsent_lowat; /* TCP_NOTSENT_LOWAT: bytes, 0 = none */
	uint8_t pmtudisc; /* IP_MTU_DISCOVER: 1 + enum toe_pmtudisc, 0 = default */
	uint8_t pad[3];
	uint32_t spare[5];
};
_Static_assert(sizeof(struct toe_sock_opts) == TOE_CACHELINE, "one line");

/*
 * TCP_FASTOPEN_KEY: a listener's own keys for cookies, as two little-endian words each. Cookies are
 * made with the first; those made with the second are taken. Written by the application.
 */
enum { TOE_FO_KEY = 16, TOE_FO_KEYS = 2 };
struct toe_fo_keys {
	uint32_t n; /* 0: toed's key is used */
	uint32_t pad;
	uint64_t key[TOE_FO_KEYS][2];
};

/* Entry: bit 63 valid, bits 48..55 context hinted, bits 32..47 generation, bits 0..31 flow id. */
#define TOE_ACCEPT_VALID (1ull << 63)
static inline uint64_t toe_accept_entry(uint32_t flow, uint16_t gen, unsigned ctx)
{
	return TOE_ACCEPT_VALID | (uint64_t)(ctx & 0xff) << 48 | (uint64_t)gen << 32 | flow;
}

struct toe_listener {
	uint64_t waiters __attribute__((
	    aligned(TOE_CACHELINE))); /* contexts that want hints (bit set); host atomics */
	uint64_t holders; /* processes that hold a descriptor of it (bit set); host atomics */
	uint32_t in_use; /* set by toed at admission, cleared by toed when given back */
	uint32_t backlog; /* per listen(2), at most TOE_ACCEPT_RING */
	/* what its connections inherit: the application's, for SYNs that come later */
	struct toe_sock_opts opts __attribute__((aligned(TOE_CACHELINE)));
	struct toe_fo_keys fo_keys;
	struct {
		struct toe_doorbell db;
		uint64_t entry[TOE_ACCEPT_RING];
	} fpc[TOE_MAX_FPCS];
};

/* Names as RFC 9293 3.3.2. Also shown by bpftool and toectl. */
enum toe_tcp_state {
	TOE_TCP_CLOSED,
	TOE_TCP_LISTEN,
	TOE_TCP_SYN_SENT,
	TOE_TCP_SYN_RECEIVED,
	TOE_TCP_ESTABLISHED,
	TOE_TCP_FIN_WAIT_1,
	TOE_TCP_FIN_WAIT_2,
	TOE_TCP_CLOSE_WAIT,
	TOE_TCP_CLOSING,
	TOE_TCP_LAST_ACK,
	TOE_TCP_TIME_WAIT,
};

enum toe_flow_flags {
	/*
	 * handshake done, or the peer's SYN brought a Fast Open cookie: the application may write
	 * (stays set)
	 */
	TOE_FLOW_ESTABLISHED = 1,
	TOE_FLOW_RX_FIN = 2, /* rx_end is the end of the stream */
	TOE_FLOW_ERROR = 4, /* toe_flow_dev.error is set; the flow is gone */
	TOE_FLOW_CLOSED = 8, /* the firmware has let go of the flow */
	TOE_FLOW_TX_SHUT = 16, /* nothing more can be sent */
	/*
	 * there is a Fast Open cookie for our SYN: the application may write, and up to tx_open
	 * that goes with it (stays set)
	 */
	TOE_FLOW_EAGER = 32,
};

/*
 * Line 0: written by the firmware only, each word with one store; gen is stored last when a flow is
 * born.
 */
struct toe_flow_dev {
	uint64_t rx_end; /* position: in-order data received */
	uint64_t tx_una; /* position: acknowledged by the peer, buffer below it is free */
	uint32_t notify_seq; /* last notification sent; pending while != toe_flow_app.seen_seq */
	uint16_t error; /* errno, valid with TOE_FLOW_ERROR */
	/*
	 * with TCP_NOTSENT_LOWAT, and where SO_SNDBUF was set and the ring holds more: bytes by
	 * which writers go on at a time; else 0
	 */
	uint16_t tx_burst;
	uint16_t gen;
	uint8_t state; /* enum toe_tcp_state */
	uint8_t flags; /* enum toe_flow_flags */
	uint32_t rx_limit; /* size of the receive buffer, bytes */
	uint64_t rx_ring; /* where it lies (toe_ring_*): stored before rx_end reaches a new ring */
	uint64_t tx_ring; /* the same for sending: stored before tx_una and tx_limit let one in */
	uint32_t tx_limit; /* size of the send buffer, bytes */
	/*
	 * with tx_burst: the windows are open up to here, what is beyond waits; with TOE_FLOW_EAGER
	 * before TOE_FLOW_ESTABLISHED: up to here data goes with the SYN (position, low half)
	 */
	uint32_t tx_open;
	uint64_t
	    rx_urg; /* position behind the urgent byte; 0 = none. Stored before rx_end reaches it */
} __attribute__((aligned(TOE_CACHELINE)));

/* Line 1: written by the application only; the firmware sets ctx when an active open is born. */
struct toe_flow_app {
	uint64_t rx_read; /* position read up to */
	uint64_t rx_told; /* last position sent by TOE_SW_RECV */
	uint64_t tx_end; /* position written up to */
	uint32_t seen_seq; /* stored, then a full fence, then line 0 is read */
	/* context that gets its notifications: stored before TOE_SW_BIND, read after a restart */
	uint32_t ctx;
	uint64_t holders; /* processes that hold a descriptor (bit set); host atomics */
	uint32_t
	    /* sending lock among the application's processes and threads (thread id, 0 = free) */
	    lock;
} __attribute__((aligned(TOE_CACHELINE)));

/*
 * Line 2: written by the firmware when the flow is born, constant afterwards. Addresses: IPv4 as
 * ::ffff:a.b.c.d.
 */
struct toe_flow_const {
	uint8_t laddr[16], raddr[16];
	uint16_t lport, rport; /* network order */
	uint8_t fpc;
	uint8_t dev; /* index into toe_ctrl.dev */
	uint16_t listener; /* index, 0xffff for an active open */
	uint32_t ifindex; /* interface: the scope of link-local addresses */
} __attribute__((aligned(TOE_CACHELINE)));

struct toe_flow_block {
	struct toe_flow_dev dev;
	struct toe_flow_app app;
	struct toe_flow_const con;
};
_Static_assert(sizeof(struct toe_flow_block) == 3 * TOE_CACHELINE, "three lines, one writer each");

/*
 * Timestamps (SO_TIMESTAMPING), for flows that ask for them. What is told of the last byte of a
 * send: a segment with it was handed on, was made; it was acknowledged. Linux' numbers.
 */
enum toe_stamp_kind { TOE_STAMP_SND, TOE_STAMP_SCHED, TOE_STAMP_ACK };

struct toe_stamp {
	uint64_t at; /* microseconds of the host's CLOCK_MONOTONIC */
	uint32_t pos; /* stream position behind the byte, low half */
	uint16_t gen; /* the flow's: entries of an earlier life of its id mean nothing */
	uint8_t kind; /* enum toe_stamp_kind, of what was sent */
	uint8_t pad;
};

/*
 * tx: events in their order; the FPC drops what finds the ring full. rx: of each batch that brought
 * data, up to where and when; the FPC writes over what is old. Entries before rx_head (release), and
 * that before rx_end reaches them. Memory that was touched stays the application's as long as it lives.
 */
enum { TOE_STAMPS = 64 }; /* a power of two */
struct toe_flow_stamps {
	struct toe_doorbell tx_db;
	uint32_t rx_head __attribute__((aligned(TOE_CACHELINE)));
	struct toe_stamp tx[TOE_STAMPS] __attribute__((aligned(TOE_CACHELINE)));
	struct toe_stamp rx[TOE_STAMPS];
};

/* Sizes of a send or receive buffer, bytes. The least of a send buffer is socket(7)'s. */
enum {
	TOE_SNDBUF_MIN = 2048,
	TOE_RCVBUF_MIN = 4096,
	TOE_BUF_DEFAULT = 65536,
	TOE_BUF_MAX = 1 << 24
};

/*
 * What a flow needs beyond the default ring comes from a pool: big slots of sparse memory, one for
 * a flow's receiving and one for its sending side. toed says how many there are (toe_ctrl.big_slots);
 * each FPC gives out its own share of them. A ring
 * of 2^n bytes lies 2^n bytes behind the start of its slot, so that the rings of a slot never
 * overlap.
 */
enum { TOE_MAX_BIG_SLOTS = 1024, TOE_BIG_SLOT_SHIFT = 25 };

#define TOE_ALIGN_UP(x, a) (((x) + (a)-1) / (a) * (a))

enum { TOE_ARENA_CTX_OFF = 4096 };
#define TOE_ARENA_CTX_SIZE TOE_ALIGN_UP(sizeof(struct toe_ctx), 4096ull)
#define TOE_ARENA_LISTENER_OFF (TOE_ARENA_CTX_OFF + TOE_MAX_CTXS * TOE_ARENA_CTX_SIZE)
#define TOE_ARENA_LISTENER_SIZE TOE_ALIGN_UP(sizeof(struct toe_listener), 4096ull)
#define TOE_ARENA_GRANT_OFF (TOE_ARENA_LISTENER_OFF + TOE_MAX_LISTENERS * TOE_ARENA_LISTENER_SIZE)
#define TOE_ARENA_FLOW_OFF (TOE_ARENA_GRANT_OFF + TOE_MAX_GRANTS * sizeof(struct toe_sock_opts))
#define TOE_ARENA_STAMPS_OFF \
	TOE_ALIGN_UP(TOE_ARENA_FLOW_OFF + TOE_MAX_FLOWS * sizeof(struct toe_flow_block), 4096ull)
#define TOE_ARENA_BUF_OFF \
	TOE_ALIGN_UP(TOE_ARENA_STAMPS_OFF + TOE_MAX_FLOWS * sizeof(struct toe_flow_stamps), \
		     1ull << 21)
#define TOE_ARENA_BIG_OFF (TOE_ARENA_BUF_OFF + TOE_MAX_FLOWS * 2ull * TOE_BUF_DEFAULT)

/* Bytes of an arena with so many big slots. */
static inline uint64_t toe_arena_size(uint32_t big_slots)
{
	return TOE_ARENA_BIG_OFF + ((uint64_t)big_slots << TOE_BIG_SLOT_SHIFT);
}

_Static_assert(sizeof(struct toe_arena_hdr) <= TOE_ARENA_CTX_OFF, "header fits its page");

static inline struct toe_ctx *toe_arena_ctx(void *arena, uint32_t ctx)
{
	return (struct toe_ctx *)((uint8_t *)arena + TOE_ARENA_CTX_OFF + ctx * TOE_ARENA_CTX_SIZE);
}

static inline struct toe_listener *toe_arena_listener(void *arena, uint32_t listener)
{
	return (struct toe_listener *)((uint8_t *)arena + TOE_ARENA_LISTENER_OFF +
				       listener * TOE_ARENA_LISTENER_SIZE);
}

/* Options of an active open: written before TOE_SW_CONNECT. */
static inline struct toe_sock_opts *toe_arena_grant_opts(void *arena, uint32_t grant)
{
	return (struct toe_sock_opts *)((uint8_t *)arena + TOE_ARENA_GRANT_OFF) + grant;
}

static inline struct toe_flow_block *toe_arena_flow(void *arena, uint32_t flow)
{
	return (struct toe_flow_block *)((uint8_t *)arena + TOE_ARENA_FLOW_OFF) + flow;
}

static inline struct toe_flow_stamps *toe_arena_stamps(void *arena, uint32_t flow)
{
	return (struct toe_flow_stamps *)((uint8_t *)arena + TOE_ARENA_STAMPS_OFF) + flow;
}

/* Default buffers of a flow: receive, then send. */
static inline uint64_t toe_arena_rx_off(uint32_t flow)
{
	return TOE_ARENA_BUF_OFF + (uint64_t)flow * 2 * TOE_BUF_DEFAULT;
}

static inline uint64_t toe_arena_tx_off(uint32_t flow)
{
	return toe_arena_rx_off(flow) + TOE_BUF_DEFAULT;
}

/*
 * Where a buffer lies, in one word, so that who reads it never sees half a change:
 *
 *   bits 0..41   stream position (modulo 2^42) from which on bytes lie in the current ring; those
 *                below it are still in the ring before
 *   bits 42..45  log2 of the current ring's size, less 16; 0: the default ring
 *   bits 46..49  the same of the ring before
 *   bits 50..63  the big slot, unless both are the default ring
 *
 * The FPC chooses the position so that no byte was or can have been written there by anybody who
 * does not know the new word yet. It changes rings again only when all bytes below are done with.
 */
enum { TOE_RING_SHIFT_MIN = 16, TOE_RING_SHIFT_MAX = 24 };
#define TOE_RING_POS ((1ull << 42) - 1)

static inline uint64_t toe_ring_word(uint32_t slot, unsigned now, unsigned before, uint64_t from)
{
	return (from & TOE_RING_POS) | (uint64_t)(now - TOE_RING_SHIFT_MIN) << 42 |
	       (uint64_t)(before - TOE_RING_SHIFT_MIN) << 46 | (uint64_t)slot << 50;
}

static inline unsigned toe_ring_now(uint64_t ring)
{
	return TOE_RING_SHIFT_MIN + (ring >> 42 & 15);
}

static inline unsigned toe_ring_before(uint64_t ring)
{
	return TOE_RING_SHIFT_MIN + (ring >> 46 & 15);
}

static inline uint32_t toe_ring_slot(uint64_t ring)
{
	return (uint32_t)(ring >> 50);
}

/* Bytes that the current ring holds. */
static inline uint32_t toe_ring_size(uint64_t ring)
{
	return 1u << toe_ring_now(ring);
}

/* Bytes from `pos` to where the current ring begins; 0: it is past that. */
static inline uint64_t toe_ring_left(uint64_t ring, uint64_t pos)
{
	uint64_t left = ((ring & TOE_RING_POS) - pos) & TOE_RING_POS;

	return left >> 41 ? 0 : left;
}

/*
 * The memory of the bytes from stream position `pos` on: how many of `n` (> 0) lie in one piece,
 * and *off from the start of the arena. `base`: the default ring, toe_arena_rx_off or
 * toe_arena_tx_off. Rings begin at powers of two: without the shift by flow id equal positions of
 * all flows would fall into the same cache sets.
 */
static inline uint32_t toe_ring_piece(uint64_t ring, uint32_t flow, uint64_t base, uint64_t pos,
				      uint32_t n, uint64_t *off)
{
	uint32_t size = TOE_BUF_DEFAULT, at;
	uint64_t left;

	if (__builtin_expect(ring != 0, 0)) {
		unsigned shift = toe_ring_now(ring);

		left = toe_ring_before(ring) != shift ? toe_ring_left(ring, pos) : 0;
		if (left) {
			shift = toe_ring_before(ring);
			n = n < left ? n : (uint32_t)left;
		}
		size = 1u << shift;
		if (shift > TOE_RING_SHIFT_MIN)
			base = TOE_ARENA_BIG_OFF +
			       ((uint64_t)(toe_ring_slot(ring) % TOE_MAX_BIG_SLOTS)
				<< TOE_BIG_SLOT_SHIFT) +
			       size;
	}
	at = (uint32_t)(pos + (uint64_t)flow * 13 * TOE_CACHELINE) & (size - 1);
	*off = base + at;
	return n < size - at ? n : size - at;
}

/*
 * Memory that can be given back to the system, by number (toe_port_trim): a flow's default buffers
 * by its id, and behind those the big slots of each application.
 */
static inline uint32_t toe_trim_big(unsigned app, uint32_t slot)
{
	return TOE_MAX_FLOWS + app * TOE_MAX_BIG_SLOTS + slot;
}

/* Its length, and *off in the arena. */
static inline uint64_t toe_trim_range(uint32_t id, uint64_t *off)
{
	if (id < TOE_MAX_FLOWS) {
		*off = toe_arena_rx_off(id);
		return 2 * TOE_BUF_DEFAULT;
	}
	*off = TOE_ARENA_BIG_OFF +
	       ((uint64_t)((id - TOE_MAX_FLOWS) % TOE_MAX_BIG_SLOTS) << TOE_BIG_SLOT_SHIFT);
	return 1ull << TOE_BIG_SLOT_SHIFT;
}

#endif
