/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rarer segments look like: those that go again, bare ACKs, SYN, RST. */
#include "segment.h"

#include "../lib/mem.h"

/* RFC 6093: every segment from below says so, until the urgent byte is acknowledged. */
static void mark_urgent(struct toe_tcb *t, struct toe_out *o, uint64_t seq)
{
	if (t->snd_una >= t->snd_up) {
		t->opts &= ~(uint32_t)TOE_TCB_URGENT;
	} else if (seq < t->snd_up && t->snd_up - seq <= UINT16_MAX) {
		o->flags |= TOE_URG;
		o->urg = (uint16_t)(t->snd_up - seq);
	}
}

void toe_make_rare(struct toe_tcb *t, uint64_t now, struct toe_out *o, uint64_t seq)
{
	if (t->flags & TOE_TCB_PACED)
		toe_pace_charge(t, o->len, now);
	if (o->rexmit) {
		toe_tcb_cold(t);
		t->rexmit_segs++;
		t->rexmit_bytes += o->len;
		if (t->probe_end)
			toe_pmtu_resent(t, seq, now);
	}
	if (t->opts & TOE_TCB_URGENT)
		mark_urgent(t, o, seq);
}

void toe_make_again(struct toe_tcb *t, uint64_t now, struct toe_out *o, uint64_t seq, uint32_t len,
		    bool fin)
{
	toe_make_data(t, now, o, seq, len);
	o->rexmit = 1;
	t->burst = 0;
	if (o->flags & TOE_FIN && !fin) {
		o->flags &= (uint8_t)~TOE_FIN;
		if (t->snd_max <= t->snd_end)
			t->flags &= ~(uint32_t)TOE_TCB_FIN_SENT;
	}
}

/*
 * The number of a segment without data: the highest sent, as the peer refuses what lies below its
 * rcv_nxt; but not beyond the peer's window, which it refuses too (probes, FIN).
 */
static uint64_t bare_seq(const struct toe_tcb *t)
{
	return toe_min64(t->snd_max, toe_max64(t->snd_una, t->snd_first) + t->snd_wnd);
}

void toe_make_ack(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	bool owed = t->dup_due && (t->last_ack_sent == (uint32_t)t->rcv_nxt || t->ndsack);

	toe_make(t, now, o, bare_seq(t), TOE_ACK);
	if (owed)
		t->dup_due--;
	if (t->ndsack && t->flags & TOE_TCB_SACK)
		o->opt_len += toe_opts_sack(t, o->opt + o->opt_len);
	if (t->ndsack)
		memmove(t->dsack, t->dsack + 1, --t->ndsack * sizeof(t->dsack[0]));
}

void toe_make_edge(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	toe_make(t, now, o, bare_seq(t), TOE_ACK);
	toe_ecn_edge(t, o);
	t->last_ack_sent = o->ack;
	t->flags |= TOE_TCB_ACK_NOW;
}

void toe_make_rst(struct toe_tcb *t, uint64_t now, struct toe_out *o)
{
	toe_make(t, now, o, bare_seq(t), TOE_RST | TOE_ACK);
	t->flags &= ~(uint32_t)TOE_TCB_RST_OUT;
	o->last = 1;
}

void toe_make_syn(struct toe_tcb *t, uint64_t now, struct toe_out *o, bool again)
{
	uint64_t wnd = t->rcv_size;

	toe_make(t, now, o, t->snd_una, TOE_SYN);
	if (t->state == TOE_TCP_SYN_RECEIVED) {
		o->flags |= TOE_ACK | (t->flags & TOE_TCB_ECN ? TOE_ECE : 0);
		wnd = t->rcv_adv - t->rcv_nxt; /* what came with the peer's SYN has its part */
	} else {
		/* RFC 3168 6.1.1.1: a path that drops such SYNs lets the second pass. */
		if (again)
			t->flags &= ~(uint32_t)TOE_TCB_ECN;
		o->flags |= t->flags & TOE_TCB_ECN ? TOE_ECE | TOE_CWR : 0;
		o->ack = 0;
	}
	o->pos = 0;
	o->wnd = (uint16_t)toe_min64(wnd, 65535); /* RFC 7323 2.2: not scaled */
	if (again) /* RFC 7413 4.1.3: a path may drop what carries the option */
		t->opts &= ~(uint32_t)TOE_TCB_FO_OPTION;
	o->opt_len = toe_opts_syn(t, now, o->opt);
	t->mss_own = (uint16_t)toe_own_mss(t);
	o->rexmit = again;
}
