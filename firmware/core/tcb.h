/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transmission control block of a connection (RFC 9293 3.3.1).
 *
 * Sequence numbers are kept as 64 bits whose low half is the number on the wire, so they never
 * wrap: the first of a connection is 2^32 + ISN. A stream position is (sequence number - first data
 * byte).
 *
 * The FPC works on a copy and commits it (core/tcb_cache.h): nothing here may point anywhere.
 * All times are microseconds of the port's clock; a deadline of 0 means "not armed".
 */
#ifndef TOE_CORE_TCB_H
#define TOE_CORE_TCB_H

#include <stdbool.h>
#include <stdint.h>

#include "../abi/arena.h"
#include "../abi/maps.h"
#include "../tcp/cc_state.h"

enum {
	TOE_MAX_HOLES = 512, /* received ranges above rcv_nxt that a TCB in the cache remembers */
	TOE_MAX_SENT = 1024, /* ranges of its send map */
	TOE_NEAR_SENT = 4, /* so many lie in the TCB itself */
	TOE_MAX_CE_EDGES = 4,
	TOE_MAX_DSACK = 4, /* reports of one batch; what is more joins the last, or is not told */
	TOE_SACK_RECENT = 4, /* blocks of a SACK option */
	TOE_MAX_EOR = 32, /* ends of records (MSG_EOR) that are not acknowledged */
	TOE_MAX_MARKS = 32, /* ends of sends whose times are wanted */
};

enum toe_tcb_flags {
	TOE_TCB_TS = 1 << 0, /* timestamps agreed, before that: wanted (RFC 7323) */
	TOE_TCB_WSCALE = 1 << 1, /* window scaling agreed */
	TOE_TCB_SACK = 1 << 2, /* SACK agreed */
	TOE_TCB_NODELAY = 1 << 3,
	TOE_TCB_GAP_FILLED = 1 << 4, /* this batch filled a gap: its ACK must not be the only one */
	TOE_TCB_FIN_QUEUED = 1 << 5, /* FIN follows snd_end */
	TOE_TCB_FIN_SENT = 1 << 6,
	TOE_TCB_FIN_ACKED = 1 << 7,
	TOE_TCB_FIN_RCVD = 1 << 8,
	TOE_TCB_ACK_NOW = 1 << 9, /* an ACK must leave with this batch */
	TOE_TCB_ACK_DELAYED = 1 << 10,
	TOE_TCB_RECOVERY = 1 << 11, /* fast recovery until recover is acknowledged */
	TOE_TCB_RTO_RECOVERY = 1 << 12,
	TOE_TCB_WANT_SPACE = 1 << 13, /* the application waits for send space */
	TOE_TCB_MORE = 1 << 14, /* the last send said MORE or CORKED */
	TOE_TCB_CLOSED_BY_APP = 1 << 15, /* no descriptor left: data arriving now resets */
	TOE_TCB_QUICKACK = 1 << 16, /* ACKs go at once up to quick_end, or until data is sent */
	TOE_TCB_PASSIVE = 1 << 17,
	/* the map holds more than data in flight, or a loss probe is out: no short way */
	TOE_TCB_DISORDER = 1 << 18,
	TOE_TCB_RST_OUT = 1 << 19, /* a RST must leave, then the flow ends */
	TOE_TCB_REXMIT =
	    1 << 20, /* the first lost segment goes whatever cwnd says (RFC 6675 4.3) */
	/* rto_at is the persist timer: data is held back with nothing in flight */
	TOE_TCB_PERSIST = 1 << 21,
	TOE_TCB_PROBE = 1 << 22, /* the persist timer fired: send what fits, or one byte */
	TOE_TCB_FIN_OOO = 1 << 23, /* the peer's FIN is known (fin_at), data before it is missing */
	TOE_TCB_FRESH = 1 << 24, /* nothing has come yet: with the first data ACKs go at once */
	TOE_TCB_TLP = 1 << 25, /* rto_at is the loss probe's (RFC 8985 7.2) */
	TOE_TCB_LOSS_PROBE = 1 << 26, /* that fired: a probe must leave */
	TOE_TCB_FRTO = 1 << 27, /* is the timeout spurious? New data goes first (RFC 5682) */
	TOE_TCB_ECN = 1 << 28, /* ECN agreed; in SYN_SENT: asked for (RFC 3168 6.1.1) */
	/* ACKs carry ECE: until CWR comes, or with DCTCP while the last data segment was marked */
	TOE_TCB_ECE = 1 << 29,
	TOE_TCB_CWR = 1 << 30, /* the next new data carries CWR: the window was reduced */
	TOE_TCB_PACED = 1u << 31, /* output keeps to pacing_rate */
};

/* Beside toe_tcb_flags: what is seldom looked at. */
enum toe_tcb_opts {
	TOE_TCB_KEEPALIVE = 1 << 0,
	TOE_TCB_KEEP_PROBE = 1 << 1, /* with TOE_TCB_PROBE: the probe is keepalive's */
	TOE_TCB_URGENT = 1 << 3, /* snd_up is not acknowledged yet */
	TOE_TCB_DEFERRED = 1 << 2, /* the handshake's last ACK came, data did not */
	/* TCP Fast Open (RFC 7413): the SYN's data counts, either way */
	TOE_TCB_FASTOPEN = 1 << 4,
	TOE_TCB_FO_OPTION = 1 << 5, /* our first SYN or SYN-ACK carries the option, with `fo` */
	TOE_TCB_SYN_DUE = 1 << 6, /* it must leave again, with data behind it in flight */
	TOE_TCB_SYN_HELD = 1 << 7, /* our SYN waits for data, or a send of nothing */
	TOE_TCB_UNFINISHED = 1 << 8, /* the last write said that it goes on: no PSH at its end */
	TOE_TCB_UNTIL_ACK = 1 << 9, /* TOE_TCB_MORE ends when an ACK comes */
	TOE_TCB_FO_ASKED = 1 << 10, /* an active open whose first SYN had the option */
	TOE_TCB_TLP_AGAIN = 1 << 11, /* the probe out (tlp_end) was no new data */
	/* or would have had it, if the application did not do without (TCP_FASTOPEN_NO_COOKIE) */
	TOE_TCB_FO_NO_COOKIE = 1 << 12,
	TOE_TCB_NO_PMTU = 1 << 13, /* what the path takes is not asked (IP_MTU_DISCOVER) */
	TOE_TCB_FRAGMENT = 1 << 14, /* IPv4: routers may fragment */
	TOE_TCB_SYN_DATA = 1 << 15, /* the SYN-ACK acknowledged data of the SYN */
	TOE_TCB_DEAF = 1 << 16, /* both directions were shut down: data arriving now resets */
	TOE_TCB_STAMP_RX = 1 << 17, /* the time of what comes is wanted */
	TOE_TCB_TX_TOLD = 1 << 18, /* writers are told how far the windows are open (tcp/send.c) */
	TOE_TCB_SND_SET = 1 << 19, /* the send buffer's size is the application's (SO_SNDBUF) */
	TOE_TCB_DF = 1 << 20, /* IPv4: routers may never fragment (IP_PMTUDISC_DO) */
	TOE_TCB_RATE_APP = 1 << 21, /* `rate` was bounded by the application, not by the path */
};

/* What bounds sending just now (tcp/limit.c). */
enum toe_limit {
	TOE_LIMIT_IDLE, /* nothing: all that was written has arrived */
	TOE_LIMIT_PATH, /* the path's rate, or the rules by which segments wait */
	TOE_LIMIT_RWND, /* the peer's window */
	TOE_LIMIT_SNDBUF, /* the send buffer: full, and all of it is on its way */
	TOE_LIMITS
};

struct toe_range {
	uint32_t lo, hi; /* wire sequence numbers, [lo, hi), all within 2^31 above rcv_nxt */
};

/*
 * A range that is neither SACKED nor LOST is in flight. LOST ends when it is sent again, so what is
 * LOST waits for its turn.
 */
enum toe_sent_flags {
	TOE_SENT_SACKED = 1 << 0,
	TOE_SENT_LOST = 1 << 1,
	TOE_SENT_APP_LIMITED = 1 << 2, /* the application had less to send than the path took */
	/* Several, of which `at` is true of the last only: its end says when something was sent. */
	TOE_SENT_JOINED = 1 << 3,
	TOE_SENT_VAGUE = 1 << 4, /* not even its end does: the front of what was joined */
	TOE_SENT_CLOSED = 1 << 5, /* something was sent again since: new data has its own range */
};

/* The end of a send, and which of its times are still to be told. */
struct toe_mark {
	uint32_t end; /* wire sequence number */
	uint32_t kinds; /* 1 << enum toe_stamp_kind each */
};

/* What is known of the bytes from the end of the range before it (snd_una for the first) up to `end`. */
struct toe_sent {
	uint32_t end; /* wire sequence number */
	uint32_t at; /* when last sent: low half of the clock, microseconds */
	uint32_t delivered; /* toe_tcb.delivered when it was sent, low half */
	uint32_t delivered_at; /* toe_tcb.delivered_at then, low half */
	uint32_t first_at; /* toe_tcb.first_sent_at then, low half */
	/*
	 * In whichever of its transmissions, its segments ended whole multiples of this before `end`,
	 * bytes; 1: nobody knows where. Means nothing of what is SACKED.
	 */
	uint16_t seg_len;
	uint8_t flags; /* enum toe_sent_flags */
	uint8_t times; /* how often it was sent, at most 255 */
};

/* A cookie of TCP Fast Open; without bytes it is the request for one (RFC 7413 4.1.1). */
enum { TOE_FO_MIN = 4, TOE_FO_MAX = 16 };
struct toe_fo_cookie {
	uint8_t len, b[TOE_FO_MAX];
	uint8_t exp; /* in the experimental option (opts.c): who asked in it is answered in it */
};

struct toe_tcb {
	/* Line 0: sending. */
	uint64_t snd_una; /* oldest unacknowledged */
	/*
	 * Next to send for the first time: snd_max, but for a SYN that is due again and for the byte of
	 * a window probe, which counts only when it is acknowledged.
	 */
	uint64_t snd_nxt;
	uint64_t snd_max; /* highest sent + 1 */
	uint64_t snd_end; /* end of what the application wrote, without FIN */
	uint64_t rto_at; /* deadline of retransmission or persist */
	uint32_t snd_wnd; /* bytes, scaled */
	uint32_t cwnd; /* bytes */
	uint32_t flags; /* enum toe_tcb_flags */
	uint16_t mss; /* payload bytes of a full segment, options already taken off */
	uint8_t state; /* enum toe_tcp_state */
	uint8_t rcv_wscale;
	uint8_t snd_wscale;
	uint8_t dupacks;
	uint8_t backoff; /* RTO doublings */
	uint8_t
	    dup_due; /* duplicate ACKs to send, one for each segment out of order (RFC 5681 4.2) */
	uint16_t nholes; /* entries of toe_ooo() */
	uint8_t cc; /* index into toe_cc_table */
	uint8_t error; /* errno with which the flow ended */
	/* Line 1: receiving. */
	uint64_t rcv_nxt;
	uint64_t rcv_adv; /* highest right edge advertised */
	uint64_t rcv_read; /* sequence number that the application has read up to */
	uint64_t ack_at; /* deadline of the delayed ACK */
	uint32_t rcv_size, snd_size; /* limits of the buffers, bytes; their rings hold as much */
	uint32_t ts_recent, ts_offset;
	uint32_t ts_recent_age_s; /* clock in seconds when ts_recent was set */
	uint32_t last_ack_sent; /* wire value, RFC 7323 4.3 */
	uint32_t snd_wl1, snd_wl2; /* wire values, RFC 9293 3.10.7.4 */

	/* What else changes when data and acknowledgements come as they should. */
	uint32_t srtt_us, rttvar_us, rto_us; /* RFC 6298 */
	uint32_t ssthresh;
	/* The send map in numbers, bytes: pipe of RFC 6675 is what is neither. */
	uint32_t sacked; /* without SACK: what the duplicate ACKs stand for */
	uint32_t lost;
	uint16_t sent_lo, nsent; /* entries of toe_sents(): from sent_lo on, so many */
	uint32_t lost_new; /* counted as lost since the last toe_ack_sample */
	uint64_t delivered; /* bytes that have arrived, in all */
	uint64_t delivered_at; /* when the last of them were acknowledged */
	uint64_t first_sent_at; /* when the last of them were sent */
	uint64_t app_limited; /* until so much is delivered, rates are the application's; 0 = no */
	uint64_t rate; /* bytes per second delivered, for TCP_INFO (tcp/ack.c) */
	uint64_t rtt_seq; /* once this is acknowledged, the next sample for the RTO is due */
	/* RACK (RFC 8985): what was sent last of all that has arrived. Low halves, wire numbers. */
	uint32_t rack_at, rack_end, rack_rtt_us;
	uint32_t rack_fack; /* highest that has arrived */
	uint32_t min_rtt_us, min_rtt_next_us; /* of this window of time and the last; of this one */
	uint32_t min_rtt_age_s; /* toe_age_s when it began */
	uint8_t reordered; /* how often the path has been seen to reorder, at most 255 */
	uint8_t rexmits; /* consecutive timeouts without progress */
	uint8_t burst; /* segments of a burst that left at sent_at (tcp/push.c) */
	uint8_t sent_far; /* the send map is in the lists, not in sent_near */
	uint32_t snd_small; /* wire number: end of the last segment sent shorter than the MSS */
	uint32_t max_snd_wnd;
	uint64_t sent_at; /* last transmission of data: idle restart */
	uint64_t rcv_at; /* last acceptable segment: keepalive */
	/* For TCP_INFO: segments in all, with SYN; when data, or the handshake before it, came last, toe_data_age. */
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out;
	uint32_t data_at;
	uint32_t opts; /* enum toe_tcb_opts */
	/* Buffers (tcp/tune.c), bytes. */
	uint64_t rcv_ring, snd_ring; /* where they lie (toe_ring_*, abi/arena.h) */
	uint32_t rcv_want, snd_want; /* limits to come to, as soon as rings hold as much */
	uint64_t tune_at; /* begin of the round trip that is being measured ... */
	uint64_t tune_read; /* ... and rcv_read then */
	uint32_t tune_bytes; /* most that was read in a round trip so far */
	uint32_t rcv_rtt_us; /* round trip as the receiver sees it, 0 = not known */
	uint32_t rtt_mark; /* wire: from this rcv_nxt on it is measured again */
	/* Without timestamps: since when a window is measured (rtt_mark), low half; 0 = not begun. */
	uint32_t rtt_at;
	uint64_t limit_at; /* since when sending is bounded by `limit`, and ... */
	uint64_t limit_us[TOE_LIMITS - 1]; /* ... how long before it was by each, from PATH on */
	uint32_t cwnd_full_at; /* when cwnd was last in full use: low half of the clock */
	uint32_t cwnd_used; /* most that was in flight since, bytes */
	union toe_cc_state cc_state; /* belongs to the congestion control */
	uint32_t cwnd_full_end; /* snd_max when cwnd was last in full use: wire number */
	uint32_t notsent_lowat; /* TCP_NOTSENT_LOWAT, 0 = none */
	uint32_t probe_end; /* wire, end of the MTU probe that is under way, 0 = none */
	uint16_t mtu_probe; /* its size, while it is to be sent too; 0 = none */
	uint8_t burst_most; /* with so many in a row the last one says PSH (tcp/push.c) */
	uint8_t limit; /* enum toe_limit */
	uint8_t ndsack; /* entries of dsack */
	uint8_t nce; /* of ce_edge */
	uint8_t neor; /* of toe_eor() */
	uint8_t nmark; /* of toe_marks() */
	uint8_t marks_lost; /* times that cannot be told any more, and are not counted yet */
	uint8_t cold_new; /* of this batch, from here on: see toe_tcb_cold */

	/*
	 * Cold: a batch that changes nothing here is spared copying it. First what every batch looks
	 * at.
	 */
	uint64_t rcv_first
	    __attribute__((aligned(TOE_CACHELINE))); /* sequence numbers of position 0 */
	uint64_t snd_first;
	uint64_t rcv_up; /* behind the peer's urgent byte, 0 = none (RFC 6093: points behind it) */
	uint64_t life_at; /* deadline of SYN give-up, FIN_WAIT_2; by state */
	uint64_t keep_at; /* deadline of keepalive */
	uint64_t mtu_at; /* deadline of the next try of a larger MTU */
	uint64_t reo_at; /* deadline: what is late by then is lost */
	uint64_t pace_at; /* deadline: output waits for its turn */
	/* Path and owner: the FPC's, TCP does not look. */
	uint8_t peer_mac[6];
	uint16_t nh; /* next hop entry, or TOE_NH_NONE: use peer_mac */
	uint8_t dev;
	uint8_t app;
	uint16_t endpoint;
	uint16_t listener;
	uint16_t link_mtu; /* of the link when it was last looked at */
	uint32_t cookie;
	uint32_t flow_label; /* of IPv6 packets */
	uint8_t tos, ttl; /* of the IP header, without ECN; ttl 0 = default */
	uint8_t ip_hdr; /* bytes of IP header */
	uint8_t mtu_tries; /* MTU probes that were lost, in a row (tcp/pmtu.c) */
	uint32_t rcv_most, snd_most; /* buffers grow by themselves up to here; 0: they do not */
	uint32_t pace_late_us; /* its turn came so much late: made up for in this burst */
	uint64_t pacing_rate; /* bytes per second */
	uint64_t pace_ns; /* nanoseconds: at pacing_rate, what was sent has left by then */
	uint64_t tlp_end; /* snd_max behind the loss probe that is out, 0 = none */
	uint64_t recover; /* snd_max when recovery began (RFC 6582) */
	uint64_t reo_round; /* snd_max when a D-SACK last widened reo_mult; 0 = may widen again */
	uint8_t reo_mult; /* quarters of min_rtt that a segment may be late */
	uint8_t reo_persist; /* recoveries until reo_mult falls back */
	uint8_t soft_error; /* errno that routers reported: why it timed out, if it does */
	/* Proportional rate reduction (RFC 6937), bytes since recovery began. */
	uint32_t prr_delivered, prr_out, prr_flight;
	/* What a spurious recovery is undone to. */
	uint32_t undo_cwnd, undo_ssthresh;
	uint32_t undo_bytes; /* sent again and not yet told to be duplicates (RFC 3708) */
	uint32_t undo_ts; /* timestamp of the first retransmission (RFC 3522), 0 = none yet */
	uint64_t undo_una; /* snd_una when recovery began, 0 = nothing to undo */
	uint64_t stall_at; /* nothing was acknowledged since, if snd_una still is ... */
	uint64_t stall_una;
	uint64_t snd_up; /* behind our urgent byte, with TOE_TCB_URGENT */
	uint64_t quick_end; /* TOE_TCB_QUICKACK holds up to here */
	uint64_t rexmit_bytes; /* sent again, in all */
	uint64_t delivered_ce; /* bytes that were acknowledged with ECE, in all */
	uint32_t rexmit_segs;
	uint32_t ooo_segs; /* that came out of order, and were not known */
	uint32_t linger2_ms;
	uint32_t user_timeout_ms; /* TCP_USER_TIMEOUT, 0 = none */
	uint16_t keep_idle_s, keep_intvl_s; /* TCP_KEEPIDLE, TCP_KEEPINTVL */
	uint8_t keep_cnt; /* TCP_KEEPCNT */
	uint8_t keep_probes; /* sent since the peer was last heard */
	uint8_t defer; /* SYN-ACK timeouts that data is waited for (TCP_DEFER_ACCEPT) */
	uint8_t syn_max; /* retransmissions of our SYN or SYN-ACK, at most */
	uint16_t maxseg; /* TCP_MAXSEG, 0 = not set */
	uint16_t mss_peer; /* MSS option received */
	uint16_t mss_own; /* the one sent */
	uint16_t mtu; /* bytes of IP packet that the path takes, as far as is known (tcp/pmtu.c) */
	uint16_t mtu_link; /* that the link and the route take */
	uint16_t dsacks; /* that the peer has told, at most 65535 */
	struct toe_fo_cookie fo; /* with TOE_TCB_FO_OPTION: ours to give, or the peer's to show */
	uint16_t reordering; /* segments by which one was overtaken at most, and itself */
	uint64_t fin_at; /* sequence number of the peer's FIN, with TOE_TCB_FIN_OOO */
	uint64_t oow_at; /* last answer to a segment without data outside the window */
	uint64_t ecn_recover; /* ECE below this was answered: snd_max when cwnd was last reduced */
	/* wire, inside the ranges that segments went to, the last one first (RFC 2018 4) */
	uint32_t sack_recent[TOE_SACK_RECENT];
	struct toe_range dsack[TOE_MAX_DSACK]; /* received twice and to be reported (RFC 2883) */
	/* DCTCP: ACKs owed, each up to a segment with which marking began or ended (RFC 8257 3.2) */
	uint32_t ce_edge[TOE_MAX_CE_EDGES];

	struct toe_sent sent_near[TOE_NEAR_SENT]; /* the send map, while it is short */

	/* Of the place, not of the connection: from the TCB's end to its lists, bytes. */
	int64_t lists;
};
/* What belongs to the connection. */
#define TOE_TCB_HEAD __builtin_offsetof(struct toe_tcb, lists)

/*
 * What few TCBs need, and those that need it most of the time not: far from the TCB, so that TCBs lie
 * close together. Only the used part is copied, and only a part is kept when the TCB is spilled
 * (toe_tcp_trim): the lists help, but no byte depends on them.
 */
struct toe_tcb_lists {
	struct toe_range
	    ooo[TOE_MAX_HOLES]; /* received above rcv_nxt, ascending, disjoint, not touching */
	/* [snd_una, snd_max), ascending, without a gap. It begins at sent_lo, so that popping is cheap. */
	struct toe_sent sent[TOE_MAX_SENT];
	uint32_t eor[TOE_MAX_EOR]; /* wire, ascending, in (snd_una, snd_end]; none when spilled */
	struct toe_mark mark[TOE_MAX_MARKS]; /* ascending; none when spilled */
};

/* A TCB whose lists follow it. */
struct toe_tcb_whole {
	struct toe_tcb t;
	struct toe_tcb_lists lists;
};
_Static_assert(__builtin_offsetof(struct toe_tcb_whole, lists) == sizeof(struct toe_tcb),
	       "with t.lists = 0");

/*
 * The part of a TCB that few batches change lies behind the other. Before a batch changes anything
 * there, it says so: else the next one may find what was there before the last commit. In the core
 * every work does (toe_work.cold) but that of packets in order, and of TOE_SW_SEND and TOE_SW_RECV:
 * on those ways TCP itself says it where they leave the short way. The simulator checks each commit
 * (sim_poll).
 */
#define TOE_TCB_COLD __builtin_offsetof(struct toe_tcb, rcv_first)
#define TOE_TCB_COLD_SIZE (__builtin_offsetof(struct toe_tcb, sent_near) - TOE_TCB_COLD)
static inline void toe_tcb_cold(struct toe_tcb *t)
{
	t->cold_new = 1;
}

static inline struct toe_tcb_lists *toe_lists(const struct toe_tcb *t)
{
	return (struct toe_tcb_lists *)((uintptr_t)(t + 1) + (uintptr_t)t->lists);
}

static inline struct toe_range *toe_ooo(const struct toe_tcb *t)
{
	return toe_lists(t)->ooo;
}

static inline uint32_t *toe_eor(const struct toe_tcb *t)
{
	return toe_lists(t)->eor;
}

static inline struct toe_mark *toe_marks(const struct toe_tcb *t)
{
	return toe_lists(t)->mark;
}

/* The send map, which has room for toe_sent_room() ranges. */
static inline struct toe_sent *toe_sents(const struct toe_tcb *t)
{
	return t->sent_far ? toe_lists(t)->sent : (struct toe_sent *)(uintptr_t)t->sent_near;
}

static inline unsigned toe_sent_room(const struct toe_tcb *t)
{
	return t->sent_far ? TOE_MAX_SENT : TOE_NEAR_SENT;
}

/* Holes that a spilled TCB keeps; of its send map, what fits the TCB itself. */
enum { TOE_SPILL_HOLES = 5 };
_Static_assert(TOE_TCB_HEAD + TOE_SPILL_HOLES * sizeof(struct toe_range) <= TOE_TCB_SIZE,
	       "a spilled TCB fits its map value");
_Static_assert(__builtin_offsetof(struct toe_tcb, rcv_nxt) == 64, "sending is one line");
_Static_assert(__builtin_offsetof(struct toe_tcb, srtt_us) == 128, "so is receiving");

#endif
