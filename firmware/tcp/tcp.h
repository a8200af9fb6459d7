/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP itself, pure: (TCB, event, now) -> actions. No I/O, no clock, no memory but the TCB:
 * simulator, fuzzers and unit tests run the very objects that run in production.
 *
 * Every event function returns actions (enum toe_act) that the FPC carries out at the end of its
 * batch. `now` is in microseconds of a clock that never goes back.
 */
#ifndef TOE_TCP_TCP_H
#define TOE_TCP_TCP_H

#include "../core/tcb.h"

enum toe_th_flags {
	TOE_FIN = 1,
	TOE_SYN = 2,
	TOE_RST = 4,
	TOE_PSH = 8,
	TOE_ACK = 16,
	TOE_URG = 32,
	TOE_ECE = 64,
	TOE_CWR = 128
};

enum toe_seg_opts {
	TOE_SEG_TS = 1,
	TOE_SEG_MSS = 2,
	TOE_SEG_WSCALE = 4,
	TOE_SEG_SACK_OK = 8,
	TOE_SEG_SACK = 16,
	TOE_SEG_FASTOPEN = 32,
	TOE_SEG_CE = 128 /* not an option: the IP header says Congestion Experienced */
};

/* Codepoints of the IP header's ECN field (RFC 3168 5). */
enum { TOE_ECT0 = 2, TOE_CE = 3 };

enum { TOE_MAX_SACK = 4 };

enum {
	TOE_MSS_V4 = 536, /* RFC 9293 3.7.1: without an MSS option */
	TOE_MSS_V6 = 1220,
	TOE_MSS_MIN = 64, /* an MSS option below is taken for this */
	TOE_WSCALE_MAX = 14, /* RFC 7323 2.3 */
	TOE_TS_TICK_US = 1000, /* timestamp clock (RFC 7323 5.4) */
};

/* The clock of timestamps, with a connection's offset (RFC 7323 5.4). */
static inline uint32_t toe_ts_clock(uint32_t offset, uint64_t now)
{
	return (uint32_t)(now / TOE_TS_TICK_US) + offset;
}

/* A received segment, parsed (core/rx_parser). Host order. */
struct toe_seg {
	uint32_t seq, ack;
	uint32_t len; /* payload bytes */
	uint16_t wnd; /* as on the wire */
	uint16_t urg; /* urgent pointer, with TOE_URG */
	uint8_t flags; /* enum toe_th_flags */
	uint8_t opts; /* enum toe_seg_opts */
	uint32_t tsval, tsecr;
	uint16_t mss;
	uint8_t wscale;
	uint8_t nsack;
	struct toe_range sack[TOE_MAX_SACK];
	struct toe_fo_cookie fo; /* with TOE_SEG_FASTOPEN */
};

enum toe_act {
	TOE_ACT_OUTPUT = 1 << 0, /* call toe_tcp_output until it returns false */
	TOE_ACT_RX = 1 << 1, /* in-order data grew: TOE_HW_DATA_RECEIVED */
	/* the application waited for space and there is some: TOE_HW_SEND_COMPLETE */
	TOE_ACT_TX_SPACE = 1 << 2,
	TOE_ACT_ESTABLISHED = 1 << 3, /* handshake done */
	TOE_ACT_PEER_FIN = 1 << 4, /* TOE_HW_CLOSE */
	TOE_ACT_ERROR = 1 << 5, /* tcb.error is set; notify TOE_HW_RESET */
	TOE_ACT_TIME_WAIT = 1 << 6, /* move to the TIME_WAIT table, free the flow */
	TOE_ACT_FREE = 1 << 7, /* the connection is over: free the flow */
	TOE_ACT_RST = 1 << 8, /* answer the segment by RST (toe_tcp_rst_for) */
	TOE_ACT_TX_UNA = 1 << 9, /* snd_una moved: update the flow block, no notification */
	TOE_ACT_GROW = 1 << 10, /* rcv_want or snd_want is more than its ring holds */
	/* the application may have the connection, its handshake is not done (RFC 7413) */
	TOE_ACT_ACCEPT = 1 << 11,
	TOE_ACT_STAMP = 1 << 12, /* a timestamp of what was sent is there (core/stamps.c) */
	/* For the counters of the FPC. */
	TOE_ACT_C_OOO = 1 << 16,
	TOE_ACT_C_DUP = 1 << 17,
	TOE_ACT_C_UNACCEPTABLE = 1 << 18,
	TOE_ACT_C_PAWS = 1 << 19,
	TOE_ACT_C_RTO = 1 << 20,
	TOE_ACT_C_FAST_REXMIT = 1 << 21,
	TOE_ACT_C_PROBE = 1 << 22,
	TOE_ACT_C_ECN = 1 << 23,
};

/* TCP Fast Open, in toe_open.fast. */
enum toe_fast {
	TOE_FAST_OPTION = 1, /* the SYN or SYN-ACK carries the option, with toe_open.fo */
	/* data in the SYN counts: its cookie is right, or ours is known, and the SYN waits for data */
	TOE_FAST_DATA = 2,
	TOE_FAST_NO_COOKIE = 4, /* active, with both: there is no need of the option itself */
};

/* How to begin: what the scheduler knows about the flow, and what its application wants. */
struct toe_open {
	struct toe_sock_opts opts;
	uint32_t isn; /* RFC 6528, made by the engine */
	uint32_t ts_offset; /* added to the clock in timestamps (RFC 7323 5.4) */
	uint32_t rcv_size, snd_size; /* buffers to begin with, bytes */
	/* sized automatically up to so much, unless opts says otherwise; 0 = not at all */
	uint32_t rcv_most, snd_most;
	uint16_t mtu; /* bytes of IP packet that link and route take */
	uint16_t path_mtu; /* that the path takes, if it was heard before; 0 = as mtu */
	uint8_t ip_hdr; /* bytes of IP header: 20 or 40 */
	uint8_t cc; /* enum toe_cc_id */
	uint8_t ecn; /* enum toe_ecn_policy */
	uint8_t no_ts; /* 1: timestamps are neither offered nor taken up (RFC 7323) */
	uint8_t fast; /* enum toe_fast */
	struct toe_fo_cookie fo;
	uint16_t fo_mss; /* active, with TOE_FAST_DATA: the MSS option of the last SYN-ACK */
};

/*
 * Passive open: `syn` is the acceptable SYN that came to a listener. Data on it is left for
 * retransmission, but with TOE_FAST_DATA: then it counts up to rcv_nxt (position 0 on) and is to be
 * stored before the TCB is committed. -> SYN_RECEIVED
 */
uint32_t toe_tcp_open_passive(struct toe_tcb *t, const struct toe_open *o,
			      const struct toe_seg *syn, uint64_t now);

/*
 * The same when the SYN-ACK has been sent already, without a TCB (SYN cookies): `o` as for that,
 * the ACK is about to come.
 */
uint32_t toe_tcp_open_answered(struct toe_tcb *t, const struct toe_open *o,
			       const struct toe_seg *syn, uint64_t now);

/* Active open. -> SYN_SENT */
uint32_t toe_tcp_open_active(struct toe_tcb *t, const struct toe_open *o, uint64_t now);

/*
 * Where a segment's payload goes: the parts of it that lie in the receive window and have not been
 * received. Changes nothing, so that bytes are stored before the checksum is known, and count
 * (toe_tcp_input) only if it is right. `span` gets stream positions and offsets into the payload,
 * ascending; returns how many (at most TOE_MAX_SPANS; when more would be needed, the rest is left
 * for retransmission: toe_tcp_input computes the same).
 */
struct toe_span {
	uint64_t pos; /* stream position of the first byte */
	uint32_t off; /* in the payload */
	uint32_t len;
};
enum { TOE_MAX_SPANS = 4 };
unsigned toe_tcp_place(const struct toe_tcb *t, const struct toe_seg *seg,
		       struct toe_span span[TOE_MAX_SPANS]);

/* A segment arrived, checksum right, payload stored where toe_tcp_place said. RFC 9293 3.10.7. */
uint32_t toe_tcp_input(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now);

/*
 * Does who sent it see the connection? By its numbers: near those that are next, also a little below
 * them, as of what is sent again because our answer was lost; in a handshake exactly those.
 */
bool toe_tcp_knows(const struct toe_tcb *t, const struct toe_seg *seg);

/*
 * The application wrote up to stream position `end` / read up to `read`. -EINVAL (as a negative
 * int64) on a bad position, else actions.
 */
int64_t toe_tcp_send(struct toe_tcb *t, uint64_t end, uint8_t send_flags, uint64_t now);
int64_t toe_tcp_recv(struct toe_tcb *t, uint64_t read, uint64_t now);

/*
 * The rings are what they are now (rcv_ring, snd_ring): bring the limits to what is wanted, as far
 * as they hold it. Actions.
 */
uint32_t toe_tcp_fit(struct toe_tcb *t);
/*
 * Bytes that the send buffer's ring should hold: snd_want, and behind a size that was set what a writer
 * goes on by (toe_tcp_tx_burst), as far as two windows make use of it.
 */
uint32_t toe_tcp_snd_ring(const struct toe_tcb *t);

/*
 * How a flow ends. After an error TOE_ACT_FREE comes at once. After an orderly end it (or
 * TOE_ACT_TIME_WAIT) comes once toe_tcp_close was called: before, the application may still read
 * what lies in the buffer, so the TCB stays, in state CLOSED or TIME_WAIT, and toe_tcp_close then
 * returns TOE_ACT_FREE or TOE_ACT_TIME_WAIT. A SYN that may open anew has the latter come at once, and
 * is not used up. Call toe_tcp_recv with the block's rx_read before toe_tcp_close: what it takes for
 * unread is reset.
 */
/*
 * FIN after the data written so far; the second form also gives up receiving (RFC 9293 3.10.4, RFC
 * 1122 4.2.2.13).
 */
uint32_t toe_tcp_shutdown(struct toe_tcb *t, uint64_t now);
uint32_t toe_tcp_close(struct toe_tcb *t, uint64_t now);
/* RST now. The next toe_tcp_output makes it (if the state wants one), then TOE_ACT_FREE holds. */
uint32_t toe_tcp_abort(struct toe_tcb *t, int error, uint64_t now);
/* For TCP_INFO; all but the token. */
void toe_tcp_info(const struct toe_tcb *t, uint64_t now, struct toe_flow_info *i);
/* What a connection is born with, each value clamped. */
void toe_tcp_options(struct toe_tcb *t, const struct toe_sock_opts *o);
/* enum toe_option. -ENOPROTOOPT or actions. */
int64_t toe_tcp_option(struct toe_tcb *t, uint8_t option, uint64_t value, uint64_t now);

/*
 * The earliest deadline of the TCB, 0 = none. Timers: what is due at `now` is done, the rest left
 * alone.
 */
uint64_t toe_tcp_deadline(const struct toe_tcb *t);
uint32_t toe_tcp_timer(struct toe_tcb *t, uint64_t now);

/*
 * An ICMP error quotes the segment with the number `seq`: no way for it (`error`, RFC 9293 3.9.2.2),
 * or it is larger (`quoted`, bytes of IP packet) than the `mtu` of some link (0 = not said; RFC 1191,
 * RFC 8201). TOE_ACT_C_UNACCEPTABLE: it is not believed.
 */
uint32_t toe_tcp_unreachable(struct toe_tcb *t, uint32_t seq, int error, uint64_t now);
uint32_t toe_tcp_too_big(struct toe_tcb *t, uint32_t seq, uint32_t mtu, uint32_t quoted,
			 uint64_t now);
/* The link's MTU is another now. */
uint32_t toe_tcp_link_mtu(struct toe_tcb *t, uint32_t mtu, uint64_t now);

/*
 * What the flow block shows (abi/arena.h): stream position up to which data was received in order /
 * was acknowledged by the peer.
 */
static inline uint64_t toe_tcp_rx_end(const struct toe_tcb *t)
{
	return t->rcv_nxt - t->rcv_first - !!(t->flags & TOE_TCB_FIN_RCVD);
}

/*
 * In SYN_RECEIVED, but the application may read, write and close: the peer has shown by its cookie
 * that it is where it says (RFC 7413 4.2.2).
 */
static inline bool toe_tcp_early(const struct toe_tcb *t)
{
	return t->state == TOE_TCP_SYN_RECEIVED && t->opts & TOE_TCB_FASTOPEN &&
	       t->flags & TOE_TCB_PASSIVE;
}

/* In SYN_SENT, but the application may write: its data goes with the SYN (RFC 7413 4.2.1). */
static inline bool toe_tcp_eager(const struct toe_tcb *t)
{
	return t->state == TOE_TCP_SYN_SENT && t->opts & TOE_TCB_FASTOPEN;
}

/* Of such a connection: bytes that go with the SYN; once that has left, those that did. */
uint32_t toe_tcp_eager_len(const struct toe_tcb *t);

/*
 * Up to which stream position the windows are open: once output was made, what was written beyond it
 * waits. And by how many bytes a writer goes on at a time: half of the peer's largest window. For
 * TCP_NOTSENT_LOWAT (tcp(7)), and a send buffer of a set size whose ring holds more; else that is 0.
 */
uint64_t toe_tcp_tx_open(const struct toe_tcb *t);
uint16_t toe_tcp_tx_burst(const struct toe_tcb *t);
/* After output: TOE_ACT_TX_SPACE if a writer waits, and with that option too may go on. */
uint32_t toe_tcp_space(struct toe_tcb *t);

/* What bounds sending, once output was made; and the time until `now` is that of what it was before. */
enum toe_limit toe_tcp_limit(const struct toe_tcb *t);
void toe_tcp_limit_change(struct toe_tcb *t, enum toe_limit limit, uint64_t now);

/* The end of a batch, after all else: for TCP_INFO (RFC 4898: tcpEStatsPerfSndLimTime*). */
static inline void toe_tcp_limit_note(struct toe_tcb *t, uint64_t now)
{
	enum toe_limit limit;

	if (t->limit == TOE_LIMIT_IDLE && t->snd_una >= t->snd_end)
		return;
	limit = toe_tcp_limit(t);
	if (limit != t->limit)
		toe_tcp_limit_change(t, limit, now);
}

static inline uint64_t toe_tcp_tx_una(const struct toe_tcb *t)
{
	if (t->snd_una < t->snd_first)
		return 0;
	return (t->snd_una < t->snd_end ? t->snd_una : t->snd_end) - t->snd_first;
}

enum { TOE_TCP_MAX_OPT = 40 }; /* bytes of options that a header takes */

/*
 * The next segment to send, or false when nothing is due. Changes the TCB as if it had left. What
 * is due is a function of the TCB alone: after a restart call it once for every flow. Data is [pos,
 * pos + len) of the send stream.
 */
struct toe_out {
	uint32_t seq, ack;
	uint64_t pos;
	uint32_t len;
	uint16_t wnd; /* as on the wire */
	uint8_t flags; /* enum toe_th_flags */
	uint8_t opt_len; /* bytes in opt, a multiple of 4 */
	uint8_t rexmit; /* 1: sent before */
	uint8_t last; /* 1: the flow ends with this segment (RST): TOE_ACT_FREE */
	uint8_t ecn; /* the IP header's ECN field: 0 or TOE_ECT0 */
	uint16_t urg; /* urgent pointer, with TOE_URG */
	uint8_t opt[TOE_TCP_MAX_OPT] __attribute__((aligned(4)));
};
bool toe_tcp_output(struct toe_tcb *t, uint64_t now, struct toe_out *o);

/*
 * Output could not be asked for, as the device takes no packet. Where nothing is in flight a timer runs
 * from now on: a device that goes on so ends the connection as a silent peer does, by TCP_USER_TIMEOUT
 * too.
 */
void toe_tcp_refused(struct toe_tcb *t, uint64_t now);

/*
 * RST that answers `seg`, for closed flows too (RFC 9293 3.10.7.1). False when seg is itself a RST.
 */
bool toe_tcp_rst_for(const struct toe_seg *seg, struct toe_out *o);

/*
 * With nmark, after output: the next time of what was sent that is to be told (kind and pos), or
 * false. Once each.
 */
bool toe_tcp_stamp(struct toe_tcb *t, struct toe_stamp *s);
/* With marks_lost: how many times cannot be told, since the last call. */
unsigned toe_tcp_stamps_lost(struct toe_tcb *t);

/*
 * Forget what the TCB can do without, until at most `holes` ranges of ooo and `sent` of the send map
 * are left. Data out of order that is forgotten comes again (RFC 2018 8); a range of the send map
 * that takes over its neighbours counts as sent when the last of them was.
 */
void toe_tcp_trim(struct toe_tcb *t, unsigned holes, unsigned sent);

/*
 * TIME_WAIT, compact (40 bytes or so): what RFC 9293 3.10.7.4, RFC 6191 and RFC 7323 need after the
 * TCB is gone.
 */
enum { TOE_MSL_MS = 30000 };
struct toe_tw {
	uint32_t snd_nxt, rcv_nxt, ts_recent, ts_offset;
	uint16_t wnd; /* as last sent */
	uint8_t ts;
	uint8_t pad;
};
void toe_tw_from_tcb(struct toe_tw *w, const struct toe_tcb *t, uint64_t now);
enum toe_tw_verdict { TOE_TW_DROP, TOE_TW_ACK, TOE_TW_ACK_RESTART, TOE_TW_NEW_SYN };
/*
 * ACK: `o` is the answer; ACK_RESTART: and 2 MSL begin anew; NEW_SYN: the SYN may open a new
 * connection (RFC 6191), isn must exceed snd_nxt. A RST ends nothing (RFC 1337).
 */
enum toe_tw_verdict toe_tw_input(struct toe_tw *w, const struct toe_seg *seg, uint64_t now,
				 struct toe_out *o);

/*
 * The invariants that hold after every event; used by simulator, tests and fuzzers. NULL or what is
 * broken.
 */
const char *toe_tcb_check(const struct toe_tcb *t);

/*
 * Parse the option bytes of a TCP header (n = data offset - 20) into seg. False on malformed
 * lengths.
 */
bool toe_opts_parse(const uint8_t *opt, unsigned n, struct toe_seg *seg);

#endif
