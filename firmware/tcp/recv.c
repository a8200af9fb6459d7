/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiving side: what lies in the window, where it goes, reassembly, and the window itself
 * (RFC 9293 3.8.6, 3.10.7.4). Payload out of order lies at its place in the buffer already; only
 * its range is kept here.
 */
#include "recv.h"

#include <stddef.h>

#include "../lib/errno.h"

/*
 * First check of RFC 9293 3.10.7.4, a little wider: at the right edge a bare ACK is welcome,
 * because a full window in flight puts the peer's ACKs there; and a closed window still takes ACK,
 * RST and FIN at rcv_nxt.
 */
bool toe_recv_acceptable(const struct toe_tcb *t, const struct toe_seg *seg, uint64_t seq)
{
	uint64_t end = seq + seg->len + !!(seg->flags & TOE_FIN) + !!(seg->flags & TOE_SYN);

	if (seq == t->rcv_nxt)
		return true;
	if (end == seq)
		return seq > t->rcv_nxt && seq <= toe_max64(t->rcv_adv, t->rcv_nxt);
	return end > t->rcv_nxt && seq < t->rcv_adv;
}

/* States in which the peer has not said FIN. */
bool toe_recv_can(const struct toe_tcb *t)
{
	return t->state == TOE_TCP_ESTABLISHED || t->state == TOE_TCP_FIN_WAIT_1 ||
	       t->state == TOE_TCP_FIN_WAIT_2;
}

struct part {
	uint64_t lo, hi;
};

/*
 * What of the payload counts: inside the window, not received, not beyond a known FIN. lo >= hi:
 * nothing.
 */
static struct part window_part(const struct toe_tcb *t, uint64_t seq, uint32_t len)
{
	struct part p = { toe_max64(seq, t->rcv_nxt), toe_min64(seq + len, t->rcv_adv) };

	if (t->flags & TOE_TCB_FIN_OOO)
		p.hi = toe_min64(p.hi, t->fin_at);
	return p;
}

/* The parts of p that are not in ooo, ascending, at most TOE_MAX_SPANS. */
static unsigned missing(const struct toe_tcb *t, struct part p, struct part *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->nholes && p.lo < p.hi; i++) {
		uint64_t lo = toe_seq_expand(t->rcv_nxt, toe_ooo(t)[i].lo);
		uint64_t hi = toe_seq_expand(t->rcv_nxt, toe_ooo(t)[i].hi);

		if (hi <= p.lo)
			continue;
		if (lo >= p.hi)
			break;
		if (lo > p.lo) {
			m[n++] = (struct part){ p.lo, lo };
			if (n == TOE_MAX_SPANS)
				return n;
		}
		p.lo = hi;
	}
	if (p.lo < p.hi)
		m[n++] = p;
	return n;
}

/* Bytes of what comes with a SYN-ACK that fit the window which our SYN has offered. */
static uint32_t syn_part(const struct toe_tcb *t, const struct toe_seg *seg)
{
	if ((seg->flags & (TOE_SYN | TOE_ACK | TOE_RST)) != (TOE_SYN | TOE_ACK))
		return 0;
	return toe_min32(seg->len, toe_min32(t->rcv_size, UINT16_MAX));
}

unsigned toe_tcp_place(const struct toe_tcb *t, const struct toe_seg *seg,
		       struct toe_span span[TOE_MAX_SPANS])
{
	uint64_t seq = toe_seq_expand(t->rcv_nxt, seg->seq);
	struct part m[TOE_MAX_SPANS];
	unsigned n;

	if (TOE_UNLIKELY(t->state == TOE_TCP_SYN_SENT)) {
		span[0] = (struct toe_span){ 0, 0, syn_part(t, seg) };
		return span[0].len != 0;
	}
	if (!seg->len || seg->flags & (TOE_SYN | TOE_RST) || t->flags & TOE_TCB_CLOSED_BY_APP ||
	    (t->state != TOE_TCP_SYN_RECEIVED && !toe_recv_can(t)))
		return 0;
	if (TOE_LIKELY(seq == t->rcv_nxt && !t->nholes && seg->len <= t->rcv_adv - seq)) {
		span[0] = (struct toe_span){ seq - t->rcv_first, 0, seg->len };
		return 1;
	}
	n = missing(t, window_part(t, seq, seg->len), m);
	for (unsigned i = 0; i < n; i++)
		span[i] = (struct toe_span){ m[i].lo - t->rcv_first, (uint32_t)(m[i].lo - seq),
					     (uint32_t)(m[i].hi - m[i].lo) };
	return n;
}

/* The range that `seq` lies in, or NULL. */
const struct toe_range *toe_recv_range(const struct toe_tcb *t, uint32_t seq)
{
	unsigned lo = 0, n = t->nholes;

	while (n) {
		unsigned mid = lo + n / 2;

		if (toe_seq_leq(toe_ooo(t)[mid].hi, seq)) {
			n -= n / 2 + 1;
			lo = mid + 1;
		} else {
			n /= 2;
		}
	}
	return lo < t->nholes && toe_seq_leq(toe_ooo(t)[lo].lo, seq) ? &toe_ooo(t)[lo] : NULL;
}

static void ooo_remove(struct toe_tcb *t, unsigned at, unsigned n)
{
	t->nholes = (uint16_t)(t->nholes - n);
	for (unsigned i = at; i < t->nholes; i++)
		toe_ooo(t)[i] = toe_ooo(t)[i + n];
}

/* A segment went to the range r, which may have swallowed others: it is reported first. */
static void touched(struct toe_tcb *t, struct toe_range r)
{
	uint32_t was, next = r.lo;

	for (unsigned i = 0; i < TOE_SACK_RECENT; i++) {
		was = t->sack_recent[i];
		t->sack_recent[i] = next;
		if (toe_seq_leq(r.lo, was) && toe_seq_lt(was, r.hi)) /* its old place */
			return;
		next = was;
	}
}

/* Join p with the ranges it overlaps or touches. With the list full a new range is forgotten. */
static void ooo_add(struct toe_tcb *t, struct part p)
{
	uint32_t lo = (uint32_t)p.lo, hi = (uint32_t)p.hi;
	unsigned i = 0, j;

	while (i < t->nholes && toe_seq_lt(toe_ooo(t)[i].hi, lo))
		i++;
	for (j = i; j < t->nholes && toe_seq_leq(toe_ooo(t)[j].lo, hi); j++) {
		lo = toe_seq_lt(toe_ooo(t)[j].lo, lo) ? toe_ooo(t)[j].lo : lo;
		hi = toe_seq_lt(hi, toe_ooo(t)[j].hi) ? toe_ooo(t)[j].hi : hi;
	}
	if (j > i) {
		ooo_remove(t, i + 1, j - i - 1);
	} else {
		if (t->nholes == TOE_MAX_HOLES)
			return;
		for (unsigned k = t->nholes++; k > i; k--)
			toe_ooo(t)[k] = toe_ooo(t)[k - 1];
	}
	toe_ooo(t)[i] = (struct toe_range){ lo, hi };
	touched(t, toe_ooo(t)[i]);
}

/* rcv_nxt moves to `to`, and over what was waiting there. */
static uint32_t in_order(struct toe_tcb *t, const struct toe_seg *seg, uint64_t to, uint64_t now)
{
	uint32_t act = TOE_ACT_RX;
	unsigned n = 0;

	t->rcv_nxt = to;
	if (!t->nholes)
		return act | toe_recv_ack_policy(t, seg, now);
	for (; n < t->nholes && toe_seq_leq(toe_ooo(t)[n].lo, (uint32_t)t->rcv_nxt); n++)
		t->rcv_nxt = toe_max64(t->rcv_nxt, toe_seq_expand(t->rcv_nxt, toe_ooo(t)[n].hi));
	ooo_remove(t, 0, n);
	/* RFC 5681 4.2: at once when a gap is filled. Duplicates owed for it are owed no more. */
	t->dup_due = (uint8_t)(t->ndsack + toe_recv_behind_gap(t));
	t->flags |= TOE_TCB_GAP_FILLED;
	return act | toe_ack_now(t);
}

static uint32_t out_of_order(struct toe_tcb *t, struct part p)
{
	ooo_add(t, p);
	t->ooo_segs++;
	if (t->dup_due < UINT8_MAX)
		t->dup_due++;
	return TOE_ACT_C_OOO | toe_ack_now(t);
}

/*
 * RFC 2883 4: the peer is told what it sent in vain, segment by segment, each by a bare ACK, as data
 * that leaves has no room for it.
 */
void toe_recv_twice(struct toe_tcb *t, uint64_t lo, uint64_t hi)
{
	if (!(t->flags & TOE_TCB_SACK) || lo >= hi)
		return;
	if (t->ndsack == TOE_MAX_DSACK) {
		if (t->dsack[t->ndsack - 1].hi == (uint32_t)lo)
			t->dsack[t->ndsack - 1].hi = (uint32_t)hi;
		return;
	}
	t->dsack[t->ndsack++] = (struct toe_range){ (uint32_t)lo, (uint32_t)hi };
	if (t->dup_due < UINT8_MAX)
		t->dup_due++;
}

static uint32_t payload(struct toe_tcb *t, const struct toe_seg *seg, uint64_t seq, uint64_t now)
{
	struct part p = window_part(t, seq, seg->len), m[TOE_MAX_SPANS];
	unsigned n = p.lo < p.hi ? missing(t, p, m) : 0;
	uint32_t act = 0;

	if (TOE_UNLIKELY(seq < t->rcv_nxt)) {
		toe_recv_twice(t, seq, toe_min64(seq + seg->len, t->rcv_nxt));
		if (t->ndsack) /* speaks of the last segment: it does not wait behind new data */
			act = toe_ack_now(t);
	} else if (!n && p.lo < p.hi) {
		toe_recv_twice(t, p.lo, p.hi);
		touched(t, *toe_recv_range(t, (uint32_t)p.lo)); /* the range around it follows */
	}
	/* All of it known, or the window is shut and this was a probe. */
	if (!n)
		return TOE_ACT_C_DUP | toe_ack_now(t);
	if (n == TOE_MAX_SPANS)
		p.hi = m[n - 1].hi;
	return act | (p.lo == t->rcv_nxt ? in_order(t, seg, p.hi, now) : out_of_order(t, p));
}

/* A FIN counts inside the window, once, and only if nothing is known to follow it. */
static bool fin_counts(const struct toe_tcb *t, uint64_t fin)
{
	if (t->flags & TOE_TCB_FIN_OOO || fin < t->rcv_nxt ||
	    (fin > t->rcv_adv && fin > t->rcv_nxt))
		return false;
	return !t->nholes || toe_seq_leq(toe_ooo(t)[t->nholes - 1].hi, (uint32_t)fin);
}

/* Seventh and eighth check: payload, then FIN, which waits until all before it has come. */
uint32_t toe_recv_segment(struct toe_tcb *t, const struct toe_seg *seg, uint64_t seq, uint64_t now)
{
	uint64_t fin = seq + seg->len;
	uint32_t act = 0;

	if (seg->flags & TOE_FIN && fin_counts(t, fin)) {
		t->fin_at = fin;
		t->flags |= TOE_TCB_FIN_OOO;
	}
	if (seg->len) {
		t->data_at = toe_data_age(now);
		act = payload(t, seg, seq, now);
	} else if (seg->flags & TOE_FIN) {
		act = toe_ack_now(t);
	}
	if (t->flags & TOE_TCB_FIN_OOO && t->rcv_nxt == t->fin_at) {
		t->rcv_nxt++;
		act |= toe_fsm_fin_received(t, now);
	}
	return act;
}

/*
 * The window field of a segment that leaves now. The edge moves only by a useful step (RFC 9293
 * 3.8.6.2.2), never back, and never beyond the buffer, where scaling makes the choice: it rounds up
 * if there is room.
 */
uint16_t toe_recv_window(struct toe_tcb *t)
{
	uint64_t cap = t->rcv_read + t->rcv_size;
	uint64_t edge = t->rcv_adv;
	uint32_t wnd, field;

	if (edge < cap && cap - edge >= toe_min32(t->mss, t->rcv_size / 2))
		edge = cap;
	wnd = edge > t->rcv_nxt ? (uint32_t)(edge - t->rcv_nxt) : 0;
	field = wnd >> t->rcv_wscale;
	if (field << t->rcv_wscale < wnd &&
	    t->rcv_nxt + ((uint64_t)(field + 1) << t->rcv_wscale) <= cap)
		field++;
	field = toe_min32(field, 65535);
	if (field) /* else a FIN may stand beyond the edge */
		t->rcv_adv = toe_max64(t->rcv_adv, t->rcv_nxt + ((uint64_t)field << t->rcv_wscale));
	return (uint16_t)field;
}

/*
 * Reading opens the window; the peer is told when that is news to it and no data will carry it
 * soon.
 */
bool toe_recv_window_news(const struct toe_tcb *t)
{
	uint64_t cap = t->rcv_read + t->rcv_size;
	uint64_t gain = cap > t->rcv_adv ? cap - t->rcv_adv : 0;
	uint64_t left = t->rcv_adv > t->rcv_nxt ? t->rcv_adv - t->rcv_nxt : 0;
	uint32_t quarter = toe_max32(t->rcv_size / 4, toe_min32(t->mss, t->rcv_size / 2));

	return gain >= quarter ||
	       (left < t->rcv_size / 4 && gain >= toe_min32(2u * t->mss, t->rcv_size / 2));
}

int64_t toe_tcp_recv(struct toe_tcb *t, uint64_t read, uint64_t now)
{
	uint32_t act;

	if (read > toe_tcp_rx_end(t))
		return -EINVAL;
	if (t->rcv_first + read <= t->rcv_read)
		return 0; /* a command repeated */
	t->rcv_read = t->rcv_first + read;
	act = toe_tune_recv(t, now);
	if (toe_recv_can(t) && toe_recv_window_news(t))
		act |= toe_ack_now(t);
	return act;
}
