/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the rooms of TCP tell each other. A segment goes: input.c (order of RFC 9293 3.10.7.4) ->
 * ack.c -> recv.c -> fsm.c; whatever must leave is only marked in the TCB, and output.c finds it there.
 */
#ifndef TOE_TCP_ROOMS_H
#define TOE_TCP_ROOMS_H

#include "cc.h"
#include "seq.h"
#include "tcp.h"

#define TOE_LIKELY(x) __builtin_expect(!!(x), 1)
#define TOE_UNLIKELY(x) __builtin_expect(!!(x), 0)

enum {
	TOE_FIN_WAIT_2_MS = 60000,
	TOE_LINGER2_MAX_MS = 120000,
	TOE_DUP_THRESH = 3, /* so many duplicates are no reordering (RFC 5681 3.2, 6675 2) */
};

/* Flags of a TCB for which neither prediction nor the short way of sending holds. */
enum {
	TOE_TCB_RARE = TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY | TOE_TCB_FIN_OOO | TOE_TCB_PERSIST |
		       TOE_TCB_FIN_RCVD | TOE_TCB_ECE | TOE_TCB_DISORDER,
};

static inline uint32_t toe_ts_now(const struct toe_tcb *t, uint64_t now)
{
	return toe_ts_clock(t->ts_offset, now);
}

/* The clock for ts_recent_age_s: units of 2^20 us, a second nearly. */
static inline uint32_t toe_age_s(uint64_t now)
{
	return (uint32_t)(now >> 20);
}

/* The clock for data_at: units of 2^10 us, a millisecond nearly. */
static inline uint32_t toe_data_age(uint64_t now)
{
	return (uint32_t)(now >> 10);
}

/* Something is left to send for the first time, or again. */
static inline bool toe_send_pending(const struct toe_tcb *t)
{
	return t->lost || t->snd_nxt < t->snd_end + !!(t->flags & TOE_TCB_FIN_QUEUED);
}

/* Bytes that are on their way, as far as is known (RFC 6675 4: pipe). */
static inline uint32_t toe_pipe(const struct toe_tcb *t)
{
	return (uint32_t)(t->snd_max - t->snd_una) - t->sacked - t->lost;
}

/* Something else than the path bounds what is measured, until what is in flight now has arrived. */
static inline void toe_rate_limited(struct toe_tcb *t)
{
	t->app_limited = toe_max64(t->delivered + toe_pipe(t), 1);
}

/*
 * With nothing in flight, or nothing but what is lost, no ACK will come to ask again: when the
 * windows let nothing go the persist timer asks. The byte of a window probe is not in flight.
 */
static inline bool toe_stuck(const struct toe_tcb *t)
{
	return t->snd_nxt == t->snd_una ||
	       (t->lost && toe_pipe(t) == (uint32_t)(t->snd_max - t->snd_nxt));
}

/* Bytes that the send buffer can still take. */
static inline uint32_t toe_send_space(const struct toe_tcb *t)
{
	uint64_t una = toe_max64(t->snd_una, t->snd_first);
	uint64_t used = t->snd_end > una ? t->snd_end - una : 0;

	return used < t->snd_size ? t->snd_size - (uint32_t)used : 0;
}

/*
 * A third of the send buffer is free: worth waking a writer. With TCP_NOTSENT_LOWAT only the end of
 * the batch tells (toe_tcp_space).
 */
static inline bool toe_send_roomy(const struct toe_tcb *t)
{
	return !t->notsent_lowat && toe_send_space(t) >= t->snd_size / 3;
}

/* Half of the peer's largest window, in whole segments: by so much writers go on beyond a soft limit. */
static inline uint16_t toe_half_window(const struct toe_tcb *t)
{
	uint32_t half = toe_min32(t->max_snd_wnd / 2, UINT16_MAX);

	return half < t->mss ? t->mss : (uint16_t)(half - half % t->mss);
}

/* An ACK must leave at the end of this batch. */
static inline uint32_t toe_ack_now(struct toe_tcb *t)
{
	t->flags |= TOE_TCB_ACK_NOW;
	return TOE_ACT_OUTPUT;
}

/*
 * RFC 9293 3.10.7.4, ACK bit, ESTABLISHED: the send window follows the newest segment. That is also
 * one whose ACK is new though its number is not: a retransmission, whose window counts from that
 * ACK.
 */
static inline bool toe_wnd_update(struct toe_tcb *t, const struct toe_seg *seg)
{
	uint32_t wnd = (uint32_t)seg->wnd << t->snd_wscale;
	bool grew;

	if (!toe_seq_lt(t->snd_wl1, seg->seq) && !toe_seq_lt(t->snd_wl2, seg->ack) &&
	    (t->snd_wl1 != seg->seq || t->snd_wl2 != seg->ack))
		return false;
	grew = wnd > t->snd_wnd;
	t->snd_wnd = wnd;
	t->snd_wl1 = seg->seq;
	t->snd_wl2 = seg->ack;
	if (wnd > t->max_snd_wnd)
		t->max_snd_wnd = wnd;
	return grew;
}

/* fsm.c */
uint32_t toe_own_mss(const struct toe_tcb *t);
uint32_t toe_fsm_fail(struct toe_tcb *t, int error);
uint32_t toe_fsm_give_up(struct toe_tcb *t);
uint32_t toe_fsm_syn_sent(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now);
bool toe_defers(struct toe_tcb *t, const struct toe_seg *seg);
uint32_t toe_fsm_established(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now);
uint32_t toe_fsm_fin_acked(struct toe_tcb *t, uint64_t now);
uint32_t toe_fsm_fin_received(struct toe_tcb *t, uint64_t now);
uint32_t toe_fsm_reset(struct toe_tcb *t);

/* ack.c: `ack` is seg->ack expanded, not above snd_max. */
uint32_t toe_ack_advance(struct toe_tcb *t, const struct toe_seg *seg, uint64_t ack, uint64_t now);
uint32_t toe_ack_input(struct toe_tcb *t, const struct toe_seg *seg, uint64_t ack, uint64_t now);

struct toe_walk;

/* sack.c: blocks become marks in the send map. */
void toe_sack_input(struct toe_tcb *t, const struct toe_seg *seg, struct toe_walk *w);

/* rack.c */
void toe_rack_update(struct toe_tcb *t, const struct toe_walk *w);
void toe_rack_detect(struct toe_tcb *t, uint64_t now);
void toe_rack_dsack(struct toe_tcb *t, const struct toe_walk *w);
void toe_rack_recovered(struct toe_tcb *t);

/* tlp.c */
uint32_t toe_tlp_fired(struct toe_tcb *t, uint64_t now);
void toe_tlp_ack(struct toe_tcb *t, const struct toe_walk *w, bool bare, uint64_t now);

/* recovery.c: snd_una moved by `acked`; `lost` more bytes are known to be. */
void toe_recovery_detect(struct toe_tcb *t, uint32_t acked, uint64_t now);
uint32_t toe_recovery_ack(struct toe_tcb *t, const struct toe_seg *seg, const struct toe_walk *w,
			  uint32_t acked, uint32_t lost, uint64_t now);
uint32_t toe_recovery_late(struct toe_tcb *t, uint64_t now);
void toe_recovery_timeout(struct toe_tcb *t, uint64_t now);
void toe_recovery_again(struct toe_tcb *t);
bool toe_recovery_new_first(const struct toe_tcb *t);

/* prr.c */
void toe_prr_begin(struct toe_tcb *t);
void toe_prr_ack(struct toe_tcb *t, uint32_t delivered, bool safe);

/* undo.c */
void toe_undo_begin(struct toe_tcb *t);
void toe_undo_resent(struct toe_tcb *t, uint32_t len, uint64_t now);
bool toe_undo_ack(struct toe_tcb *t, const struct toe_seg *seg, const struct toe_walk *w,
		  uint32_t acked);
bool toe_undo_dsack(struct toe_tcb *t, const struct toe_walk *w);

/* keepalive.c: the handshake is done; SO_KEEPALIVE, TCP_KEEPIDLE; the deadline has come. */
void toe_keep_begin(struct toe_tcb *t, uint64_t now);
uint32_t toe_keep_set(struct toe_tcb *t, bool on, uint64_t now);
void toe_keep_idle(struct toe_tcb *t, uint16_t seconds, uint64_t now);
uint32_t toe_keep_timer(struct toe_tcb *t, uint64_t now);
/*
 * A retransmission or persist timer has fired: is the user's time over? And when that will be, if
 * it is before `at`.
 */
bool toe_user_timeout(struct toe_tcb *t, uint64_t now);
uint64_t toe_user_deadline(const struct toe_tcb *t, uint64_t at);

/* pace.c */
void toe_pace_charge(struct toe_tcb *t, uint32_t bytes, uint64_t now);
void toe_pace_due(struct toe_tcb *t, uint64_t now);
bool toe_pace_ahead(const struct toe_tcb *t, uint64_t now);
bool toe_pace_holds(struct toe_tcb *t, uint64_t now);

/* ecn.c: what a SYN or SYN-ACK says; `ask` is what was agreed or asked for so far. */
bool toe_ecn_syn(const struct toe_seg *syn);
bool toe_ecn_syn_ack(const struct toe_seg *syn);
void toe_ecn_passive(struct toe_tcb *t, const struct toe_seg *syn, enum toe_ecn_policy policy);
void toe_ecn_reduced(struct toe_tcb *t);
uint32_t toe_ecn_echo(struct toe_tcb *t, uint64_t ack, uint64_t now);
uint32_t toe_ecn_data(struct toe_tcb *t, const struct toe_seg *seg);
bool toe_ecn_edge(struct toe_tcb *t, struct toe_out *o);

/* tune.c: sizes of the buffers. Those that return something return actions. */
void toe_buf_open(struct toe_tcb *t, const struct toe_open *o);
/* SO_RCVBUF, SO_SNDBUF: clamped, and tuned no more. */
uint32_t toe_buf_set_rcv(struct toe_tcb *t, uint64_t bytes);
uint32_t toe_buf_set_snd(struct toe_tcb *t, uint64_t bytes);
/* The MSS is another one. */
void toe_buf_whole(struct toe_tcb *t);
uint32_t toe_buf_wants(const struct toe_tcb *t);
/* The largest window that the connection may come to: the scale is chosen for it. */
uint32_t toe_buf_window_max(const struct toe_tcb *t);
uint32_t toe_tune_recv(struct toe_tcb *t, uint64_t now);
uint32_t toe_tune_send(struct toe_tcb *t);
void toe_tune_rtt(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now);

/* fastopen.c */
uint32_t toe_fo_passive(struct toe_tcb *t, const struct toe_open *o, const struct toe_seg *syn,
			uint64_t now);
void toe_fo_active(struct toe_tcb *t, const struct toe_open *o);
uint32_t toe_fo_release(struct toe_tcb *t);
uint32_t toe_fo_syn_len(const struct toe_tcb *t);
void toe_fo_syn_due(struct toe_tcb *t);
uint32_t toe_fo_too_big(struct toe_tcb *t, uint64_t now);
uint32_t toe_fo_established(struct toe_tcb *t);

/* pmtu.c */
void toe_pmtu_choose(struct toe_tcb *t, enum toe_pmtudisc how);
void toe_pmtu_begin(struct toe_tcb *t, uint64_t now);
void toe_pmtu_timeout(struct toe_tcb *t, uint64_t now);
void toe_pmtu_timer(struct toe_tcb *t);
uint32_t toe_pmtu_probe(struct toe_tcb *t, uint32_t len, uint64_t left, uint64_t may);
void toe_pmtu_resent(struct toe_tcb *t, uint64_t seq, uint64_t now);
void toe_pmtu_acked(struct toe_tcb *t, uint64_t now);

/* push.c */
uint8_t toe_push_segments(const struct toe_tcb *t);

/* record.c */
/* A record ends at `end`, above those before it. */
void toe_record_end(struct toe_tcb *t, uint64_t end);
/* Of `len` bytes from `seq` on, those that belong to one record. */
uint32_t toe_record_len(const struct toe_tcb *t, uint64_t seq, uint32_t len);
bool toe_record_ends(const struct toe_tcb *t, uint64_t seq);
/* Of the last `len` bytes that were sent, those behind the end of a record. */
uint32_t toe_record_tail(const struct toe_tcb *t, uint32_t len);
void toe_record_acked(struct toe_tcb *t);

/* stamp.c: when the data below `end` is sent and acknowledged, is to be told (1 << enum toe_stamp_kind). */
void toe_stamp_mark(struct toe_tcb *t, uint64_t end, uint32_t kinds);
void toe_stamp_forget(struct toe_tcb *t); /* all of them, which are lost */

#endif
