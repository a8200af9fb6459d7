/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which segment leaves next (RFC 9293 3.7.4, 3.8.6; RFC 1122 4.2.3.4; RFC 5681 4.1), and what follows
 * for the send map and the timer. What it looks like is for segment.c.
 */
#include "rto.h"
#include "segment.h"
#include "sendmap.h"

enum {
	CORK_US = 200000, /* tcp(7): longest that a corked segment waits with nothing in flight */
};

/* Bytes in flight; the byte of a window probe is none. */
static uint32_t pipe(const struct toe_tcb *t)
{
	return toe_pipe(t) - (uint32_t)(t->snd_max - t->snd_nxt);
}

/*
 * Bytes that cwnd lets go (RFC 5681 3.1). In recovery what is left of it counts as a full segment, as
 * proportional rate reduction counts segments: what that is too much the next ones wait for (prr_out). So
 * with a pace: there cwnd is but a bound.
 */
static uint32_t cwnd_room(const struct toe_tcb *t)
{
	uint32_t flight = pipe(t), left = t->cwnd - flight;

	if (flight >= t->cwnd)
		return 0;
	if (TOE_UNLIKELY(t->flags & (TOE_TCB_RECOVERY | TOE_TCB_PACED)))
		return toe_max32(left, t->mss);
	return left;
}

/*
 * Bytes that both windows let go from snd_nxt on. What was SACKed, or duplicates stand for, is in flight
 * no more: that is limited transmit (RFC 3042), too.
 */
static uint64_t room(const struct toe_tcb *t)
{
	uint64_t used = t->snd_nxt - t->snd_una;

	return used < t->snd_wnd ? toe_min64(cwnd_room(t), t->snd_wnd - used) : 0;
}

uint64_t toe_tcp_tx_open(const struct toe_tcb *t)
{
	uint64_t sent = t->snd_nxt > t->snd_first ? t->snd_nxt - t->snd_first : 0, open;

	if (t->pace_at || t->state < TOE_TCP_ESTABLISHED)
		return sent;
	open = room(t);
	/* A segment that is not full waits for more of the window. */
	return sent + open - open % t->mss;
}

/* Bytes that are left to send for the first time. */
static uint64_t unsent(const struct toe_tcb *t)
{
	return t->snd_nxt < t->snd_end ? t->snd_end - t->snd_nxt : 0;
}

/* How many of them one segment may take along, where the windows let `may` bytes go. */
static inline uint32_t next_len(const struct toe_tcb *t, uint64_t may)
{
	uint32_t len = (uint32_t)toe_min64(toe_min64(unsent(t), may), toe_full_len(t));

	return TOE_UNLIKELY(t->neor) ? toe_record_len(t, t->snd_nxt, len) : len;
}

/* A short segment is in flight. snd_small may be of long ago: then it is not below snd_nxt. */
static bool short_out(const struct toe_tcb *t)
{
	return toe_seq_lt((uint32_t)t->snd_una, t->snd_small) &&
	       toe_seq_leq(t->snd_small, (uint32_t)t->snd_nxt);
}

/*
 * May a segment shorter than the MSS go? Nagle, cork, and the sender's part against silly windows
 * (RFC 9293 3.7.4, 3.8.6.2.1). `all`: it is everything there is: it waits only for another short
 * one (Minshall's reading of Nagle), so the end of a write of many segments does not wait.
 */
static bool may_send_short(const struct toe_tcb *t, uint32_t len, bool all)
{
	bool at_once =
	    t->snd_nxt == t->snd_una || t->flags & TOE_TCB_NODELAY || t->opts & TOE_TCB_URGENT;

	if (all && t->flags & TOE_TCB_FIN_QUEUED)
		return true;
	if (!len)
		return false;
	if (all)
		return !(t->flags & TOE_TCB_MORE) && (at_once || !short_out(t));
	return at_once && len >= t->max_snd_wnd / 2;
}

/* A record ends here and there is more behind it: waiting would not make the segment longer. */
static bool record_whole(const struct toe_tcb *t, uint32_t len)
{
	return TOE_UNLIKELY(t->neor) && len && len < unsent(t) &&
	       toe_record_ends(t, t->snd_nxt + len);
}

/* May a segment of `len` bytes go? `all`: it is everything there is. */
static bool may_go(const struct toe_tcb *t, uint32_t len, bool all)
{
	return len >= toe_full_len(t) || may_send_short(t, len, all) || record_whole(t, len);
}

/*
 * What the window or the device had held back goes. If nothing else is in flight, the peer has had
 * nothing to acknowledge: timeouts and time until now say nothing about it.
 */
static void persisted(struct toe_tcb *t)
{
	t->flags &= ~(uint32_t)TOE_TCB_PERSIST;
	t->backoff = 0;
	t->rto_at = 0;
	if (t->nsent == 1 && toe_sent_first(t)->times == 1) {
		toe_tcb_cold(t);
		t->rexmits = 0;
		t->stall_at = 0;
	}
}

/* Something that counts as in flight has left: the timer must run, and be no persist timer. */
static inline void in_flight(struct toe_tcb *t, uint64_t now)
{
	if (TOE_UNLIKELY(t->flags & TOE_TCB_PERSIST))
		persisted(t);
	toe_rto_sent(t, now);
}

/* The next data, and FIN, leave in the regular way: snd_nxt moves on. */
static inline void send_next(struct toe_tcb *t, uint64_t now, struct toe_out *o, uint32_t len)
{
	uint32_t seq_len;

	toe_make_data(t, now, o, t->snd_nxt, len);
	if (TOE_UNLIKELY(t->flags & TOE_TCB_ECN) && len && !o->rexmit) {
		o->ecn = toe_cc(t)->ignores_ecn ? 0 : TOE_ECT0;
		if (t->flags & TOE_TCB_CWR)
			o->flags |= TOE_CWR;
		t->flags &= ~(uint32_t)TOE_TCB_CWR;
	}
	seq_len = len + !!(o->flags & TOE_FIN);
	t->snd_nxt += seq_len;
	if (len < toe_full_len(t))
		t->snd_small = (uint32_t)t->snd_nxt;
	if (TOE_UNLIKELY(o->rexmit)) /* the byte of a window probe: it counts from now on */
		t->sacked = t->lost = t->nsent = 0;
	toe_sent_add(t, (uint32_t)t->snd_nxt, seq_len, now);
	t->snd_max = t->snd_nxt;
	if (TOE_UNLIKELY(t->flags & TOE_TCB_RECOVERY)) {
		toe_tcb_cold(t);
		t->prr_out += len;
	}
	in_flight(t, now);
}

/* By the application's wish, not by the peer's window. */
static bool held_back(const struct toe_tcb *t)
{
	return t->flags & TOE_TCB_MORE && t->snd_wnd >= unsent(t);
}

static void persist(struct toe_tcb *t, uint64_t now)
{
	if (!toe_stuck(t) || t->flags & TOE_TCB_PERSIST)
		return;
	t->flags = (t->flags | TOE_TCB_PERSIST) & ~(uint32_t)TOE_TCB_TLP;
	if (!t->rto_at)
		t->rto_at = now + (held_back(t) ? CORK_US : toe_rto(t));
}

/*
 * Of how many segments a burst is that begins now, `may` bytes of which the windows let go: half of
 * cwnd at most, so where no more than two may go nothing need be computed.
 */
static inline uint8_t burst_most(const struct toe_tcb *t, uint64_t may)
{
	if (may > 2u * t->mss)
		return toe_push_segments(t);
	return t->cwnd >= 4u * t->mss ? 2 : 1;
}

/*
 * A segment left where the windows had let `may` bytes go, and `left` bytes more of what was written are
 * to follow. PSH is on the last one of a burst (push.c).
 */
static inline void push(struct toe_tcb *t, uint64_t may, uint64_t left, struct toe_out *o)
{
	uint64_t next = toe_min64(left, t->mss);

	if (!t->burst)
		t->burst_most = burst_most(t, may);
	t->burst++;
	if (t->burst < t->burst_most && (may >= o->len + next || room(t) >= next))
		return;
	if (t->burst > 1)
		o->flags |= TOE_PSH;
	t->burst = 0;
}

/* New data, if the windows and Nagle's algorithm let it go. */
static inline bool send_new(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	uint64_t left = unsent(t), may = room(t);
	uint32_t len = next_len(t, may);
	bool on = t->sent_at == now;

	if (TOE_UNLIKELY(t->mtu_probe) && !t->nholes && !t->neor) {
		toe_tcb_cold(t);
		len = toe_pmtu_probe(t, len, left, may);
	}
	if (t->snd_nxt >= t->snd_end + !!(t->flags & TOE_TCB_FIN_QUEUED) ||
	    !may_go(t, len, len == left))
		return false;
	send_next(t, now, o, len);
	if (!on || len == left)
		t->burst = 0;
	if (len < left)
		push(t, may, left - len, o);
	return true;
}

/*
 * The pace would let more go, but a hole at its left edge keeps the peer's window as it is: what lies behind
 * it cannot be read. What is measured until what is in flight now has arrived says as little about the path
 * as if the application had written too little. A window that is full without that is the peer's choice, and
 * its bound as good as the path's.
 */
static void note_window(struct toe_tcb *t)
{
	if (t->sacked && t->snd_nxt - t->snd_una + t->mss > t->snd_wnd &&
	    toe_pipe(t) + t->mss <= t->cwnd)
		toe_rate_limited(t);
}

static bool send_data(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	if (t->snd_max == t->snd_una && t->sent_at && now - t->sent_at > t->rto_us)
		toe_cwv_idle(t, now);
	if (!t->lost && send_new(t, now, o)) /* else what is lost waits for cwnd, and goes first */
		return true;
	if (t->flags & TOE_TCB_PACED)
		note_window(t);
	persist(t, now);
	return false;
}

/* RFC 9293 3.8.4: a number below the peer's window makes it answer. */
static bool send_keepalive(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	if (!(t->opts & TOE_TCB_KEEP_PROBE))
		return false;
	t->opts &= ~(uint32_t)TOE_TCB_KEEP_PROBE;
	toe_make(t, now, o, t->snd_una - 1, TOE_ACK);
	return true;
}

/*
 * The persist timer fired: what fits, however short; or one byte beyond the window (RFC 9293
 * 3.8.6.1).
 */
static bool send_probe(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	uint32_t len = next_len(t, room(t));

	t->flags &= ~(uint32_t)TOE_TCB_PROBE;
	if (!toe_stuck(t)) /* while it waited for a frame */
		return false;
	if (t->lost && t->snd_una < t->snd_end) {
		toe_make_again(t, now, o, t->snd_una, 1, false);
		return true;
	}
	if (!unsent(t))
		return send_keepalive(t, now, o);
	if (len) {
		send_next(t, now, o, len);
		o->flags |= TOE_PSH; /* nothing has come to join it */
		return true;
	}
	persist(t, now); /* it was keepalive's timer */
	toe_make_again(t, now, o, t->snd_nxt, 1, false);
	if (t->snd_max > t->snd_nxt) {
		toe_sent_repeat(t, now);
	} else {
		toe_sent_add(t, (uint32_t)t->snd_nxt + 1, 1, now);
		t->snd_max = t->snd_nxt + 1;
		o->rexmit = 0;
	}
	return true;
}

/* A part of what was sent before, at most one segment of it. */
static bool send_again(struct toe_tcb *t, uint64_t now, struct toe_out *o, uint32_t from,
		       uint32_t len)
{
	uint64_t seq = toe_seq_expand(t->snd_una, from), right = t->snd_una + t->snd_wnd;
	uint32_t bytes;
	bool fin;

	len = toe_min32(len, toe_full_len(t));
	if (TOE_UNLIKELY(t->neor))
		len = toe_record_len(t, seq, len);
	if (seq + len > right && seq < t->snd_end)
		len = seq < right ? (uint32_t)(right - seq) : 0;
	if (!len)
		return false;
	fin = seq + len > t->snd_end;
	bytes = len - fin;
	toe_make_again(t, now, o, seq, bytes, fin);
	toe_sent_again(t, from, len, now);
	toe_undo_resent(t, len, now);
	if (t->flags & TOE_TCB_RECOVERY)
		t->prr_out += len;
	in_flight(t, now);
	return true;
}

/*
 * Something lost has left again, `on`: behind another. A burst of such that leaves nothing to go
 * again ends with PSH: the peer has what lies behind it.
 */
static void push_again(struct toe_tcb *t, bool on, struct toe_out *o)
{
	if (on && !t->lost)
		o->flags |= TOE_PSH;
	t->burst = !!t->lost;
}

/*
 * Retransmission: the first lost range, if cwnd allows it or recovery just began. F-RTO wants to
 * see new data first; if there is none that may go, it cannot know.
 */
static bool send_lost(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	bool first = t->flags & TOE_TCB_REXMIT, on = t->sent_at == now && t->burst;
	uint32_t from, len;

	if (!first && !cwnd_room(t))
		return false;
	if (!first && toe_recovery_new_first(t)) {
		if (send_new(t, now, o))
			return true;
		if (t->snd_max > t->recover)
			return false;
		t->flags &= ~(uint32_t)TOE_TCB_FRTO;
	}
	t->flags &= ~(uint32_t)TOE_TCB_REXMIT;
	if (!toe_sent_lost(t, &from, &len))
		return false;
	if (!first && cwnd_room(t) < toe_min32(len, toe_full_len(t)))
		return false;
	if (!send_again(t, now, o, from, len))
		return false;
	push_again(t, on, o);
	return true;
}

/* RFC 8985 7.3: new data if there is some and the peer has room, else the last segment again. */
static bool send_loss_probe(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	uint64_t used = t->snd_nxt - t->snd_una;
	uint32_t len = next_len(t, UINT64_MAX), tail;

	t->flags &= ~(uint32_t)TOE_TCB_LOSS_PROBE;
	if (t->snd_una == t->snd_max || t->snd_nxt != t->snd_max || t->lost)
		return false;
	if (len && used + len <= t->snd_wnd && may_go(t, len, true)) {
		t->opts &= ~(uint32_t)TOE_TCB_TLP_AGAIN;
		send_next(t, now, o, len);
	} else {
		t->opts |= TOE_TCB_TLP_AGAIN;
		tail = toe_min32(toe_sent_tail(t), toe_full_len(t));
		if (TOE_UNLIKELY(t->neor))
			tail = toe_record_tail(t, tail);
		if (!tail || !send_again(t, now, o, (uint32_t)t->snd_max - tail, tail))
			return false;
	}
	t->tlp_end = t->snd_max;
	t->flags = (t->flags | TOE_TCB_DISORDER) & ~(uint32_t)TOE_TCB_TLP;
	t->rto_at = now + toe_rto(t);
	return true;
}

/*
 * Data that goes with our first SYN (RFC 7413 4.2.1). If it must go again it leaves as it was, and is
 * pushed: it is what a server may begin with.
 */
static void add_early(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	o->len = toe_fo_syn_len(t);
	if (!o->len)
		return;
	t->snd_nxt = t->snd_max = t->snd_first + o->len;
	toe_sent_append(t, (uint32_t)t->snd_max, o->len, now);
	if (!t->neor && t->snd_max < t->snd_end)
		toe_record_end(t, t->snd_max);
	t->sent_at = now;
	t->data_segs_out++;
}

static void send_syn(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	bool again = t->snd_max >= t->snd_first;

	toe_make_syn(t, now, o, again);
	if (again) {
		toe_sent_repeat(t, now);
	} else {
		toe_sent_add(t, (uint32_t)t->snd_first, 1, now);
		t->rto_at = t->rexmits = t->backoff = 0; /* of the wait for the device */
	}
	t->opts &= ~(uint32_t)TOE_TCB_SYN_DUE;
	if (t->snd_max <= t->snd_first)
		t->snd_nxt = t->snd_max = t->snd_first;
	if (!again && toe_tcp_eager(t))
		add_early(t, now, o);
	if (!t->rto_at)
		t->rto_at = now + toe_rto(t);
}

/* An ACK of its own, if nothing else carried it. */
static bool send_ack(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	if (!(t->flags & TOE_TCB_ACK_NOW))
		return false;
	toe_make_ack(t, now, o);
	return true;
}

/* A SYN, or the answer to one, must leave. */
static bool syn_due(const struct toe_tcb *t)
{
	return t->state != TOE_TCP_CLOSED && !(t->opts & TOE_TCB_SYN_HELD) &&
	       (t->snd_nxt < t->snd_first || t->opts & TOE_TCB_SYN_DUE);
}

static bool send_rst(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	if (!(t->flags & TOE_TCB_RST_OUT))
		return false;
	toe_make_rst(t, now, o);
	return true;
}

/* It is not yet the turn of data. */
static inline bool paced(struct toe_tcb *t, uint64_t now)
{
	return TOE_UNLIKELY(t->flags & TOE_TCB_PACED) && toe_pace_holds(t, now);
}

/* Before ESTABLISHED, and after the end. */
static bool output_unsynchronized(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	if (t->state == TOE_TCP_CLOSED)
		return send_rst(t, now, o);
	if (syn_due(t)) {
		send_syn(t, now, o);
		return true;
	}
	if (t->state != TOE_TCP_SYN_RECEIVED)
		return false;
	if (toe_tcp_early(t) && !paced(t, now) && toe_send_pending(t) && send_data(t, now, o))
		return true;
	return send_ack(t, now, o);
}

/* New data, or an ACK. */
static inline bool output_new(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	if (toe_send_pending(t) && send_data(t, now, o))
		return true;
	return send_ack(t, now, o);
}

/* What comes before that, in this order. */
static bool output_rare(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	toe_tcb_cold(t);
	if (t->state < TOE_TCP_ESTABLISHED)
		return output_unsynchronized(t, now, o);
	if (t->nce) {
		toe_make_edge(t, now, o);
		return true;
	}
	if (t->dup_due) { /* duplicates count for the peer only as bare ACKs */
		toe_make_ack(t, now, o);
		return true;
	}
	if (paced(t, now))
		return send_ack(t, now, o);
	if (t->lost && send_lost(t, now, o))
		return true;
	if (t->flags & TOE_TCB_LOSS_PROBE && send_loss_probe(t, now, o))
		return true;
	if (t->flags & TOE_TCB_PROBE && send_probe(t, now, o))
		return true;
	return output_new(t, now, o);
}

bool toe_tcp_output(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	const uint32_t probes = TOE_TCB_LOSS_PROBE | TOE_TCB_PROBE;

	if (TOE_UNLIKELY(t->state < TOE_TCP_ESTABLISHED || t->flags & probes ||
			 t->lost | t->nce | t->dup_due))
		return output_rare(t, now, o);
	return paced(t, now) ? send_ack(t, now, o) : output_new(t, now, o);
}

void toe_tcp_refused(struct toe_tcb *t, uint64_t now)
{
	if (t->rto_at)
		return;
	if (t->state >= TOE_TCP_ESTABLISHED && toe_send_pending(t))
		persist(t, now);
	else if (t->state < TOE_TCP_ESTABLISHED && syn_due(t))
		t->rto_at = now + toe_rto(t);
}
