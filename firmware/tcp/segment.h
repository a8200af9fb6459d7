/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a segment that leaves looks like: numbers, flags, options; and what it changes in the TCB just
 * by saying that. Which one leaves is for output.c. In this header is what every segment needs.
 */
#ifndef TOE_TCP_SEGMENT_H
#define TOE_TCP_SEGMENT_H

#include "opts.h"
#include "recv.h"

/* RFC 2018 4: while something is missing, every ACK says what is not. D-SACKs have ACKs of their own. */
static inline bool toe_says_sack(const struct toe_tcb *t)
{
	return TOE_UNLIKELY(t->nholes) && t->flags & TOE_TCB_SACK && !t->ndsack;
}

/* Payload bytes of a full segment just now: SACK blocks take room. */
static inline uint32_t toe_full_len(const struct toe_tcb *t)
{
	return toe_says_sack(t) ? t->mss - toe_opts_sack_len(t) : t->mss;
}

/* Without data. After the handshake each tells the peer all that we have received. */
static inline void toe_make(struct toe_tcb *t, uint64_t now, struct toe_out *o, uint64_t seq,
			    uint8_t flags)
{
	o->seq = (uint32_t)seq;
	o->pos = seq - t->snd_first;
	o->len = 0;
	o->flags = flags | (t->flags & TOE_TCB_ECE ? TOE_ECE : 0);
	o->rexmit = 0;
	t->segs_out++;
	o->ack = (uint32_t)t->rcv_nxt;
	o->wnd = toe_recv_window(t);
	o->opt_len =
	    t->flags & TOE_TCB_TS ? toe_opts_ts(o->opt, toe_ts_now(t, now), t->ts_recent) : 0;
	if (toe_says_sack(t) && !(o->flags & TOE_RST))
		o->opt_len += toe_opts_sack(t, o->opt + o->opt_len);
	o->last = 0;
	o->ecn = 0;
	t->last_ack_sent = o->ack;
	t->flags &= ~(uint32_t)(TOE_TCB_ACK_NOW | TOE_TCB_ACK_DELAYED | TOE_TCB_GAP_FILLED);
	t->ack_at = 0;
}

/* What few segments with data need. */
void toe_make_rare(struct toe_tcb *t, uint64_t now, struct toe_out *o, uint64_t seq);

/*
 * `len` bytes from `seq`, with FIN if it stands right behind them. PSH says that a write ends here
 * (RFC 9293 3.9.1.2), which one with MSG_MORE does not.
 */
static inline void toe_make_data(struct toe_tcb *t, uint64_t now, struct toe_out *o, uint64_t seq,
				 uint32_t len)
{
	uint8_t flags = TOE_ACK;

	if (seq + len == t->snd_end) {
		if (len && (!(t->opts & TOE_TCB_UNFINISHED) || t->flags & TOE_TCB_FIN_QUEUED))
			flags |= TOE_PSH;
		if (t->flags & TOE_TCB_FIN_QUEUED) {
			flags |= TOE_FIN;
			t->flags |= TOE_TCB_FIN_SENT;
		}
	} else if (TOE_UNLIKELY(t->neor) && toe_record_ends(t, seq + len)) {
		flags |= TOE_PSH;
	}
	toe_make(t, now, o, seq, flags);
	o->len = len;
	o->rexmit = seq < t->snd_max;
	if (TOE_UNLIKELY(o->rexmit || t->flags & TOE_TCB_PACED || t->opts & TOE_TCB_URGENT))
		toe_make_rare(t, now, o, seq);
	t->sent_at = now;
	t->data_segs_out += !!len;
	/* A FIN alone is no answer, and none will follow. */
	if (len && !o->rexmit)
		t->flags &= ~(uint32_t)TOE_TCB_QUICKACK;
}

/* What was sent before goes again; FIN only if it is part of that. */
void toe_make_again(struct toe_tcb *t, uint64_t now, struct toe_out *o, uint64_t seq, uint32_t len,
		    bool fin);
void toe_make_ack(struct toe_tcb *t, uint64_t now, struct toe_out *o);
/* DCTCP: an ACK that is owed for a change of the mark; the one for all that has come follows. */
void toe_make_edge(struct toe_tcb *t, uint64_t now, struct toe_out *o);
void toe_make_rst(struct toe_tcb *t, uint64_t now, struct toe_out *o);
/* SYN or SYN-ACK, by the state. `again`: one has left before. */
void toe_make_syn(struct toe_tcb *t, uint64_t now, struct toe_out *o, bool again);

#endif
