/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TIME_WAIT after the TCB is gone (RFC 9293 3.10.7.4 and 3.6.1; RFC 6191; RFC 1337: a RST does not
 * end it).
 */
#include "opts.h"

#include "../lib/mem.h"

void toe_tw_from_tcb(struct toe_tw *w, const struct toe_tcb *t, uint64_t now)
{
	uint64_t wnd = t->rcv_adv > t->rcv_nxt ? t->rcv_adv - t->rcv_nxt : 0;

	w->snd_nxt = (uint32_t)t->snd_max;
	w->rcv_nxt = (uint32_t)t->rcv_nxt;
	w->ts_recent = t->ts_recent;
	w->ts_offset = t->ts_offset;
	w->wnd = (uint16_t)toe_min64(wnd >> t->rcv_wscale, 65535);
	w->ts = !!(t->flags & TOE_TCB_TS);
	w->pad = 0;
}

static enum toe_tw_verdict answer(const struct toe_tw *w, uint64_t now, struct toe_out *o,
				  enum toe_tw_verdict verdict)
{
	memset(o, 0, sizeof(*o));
	o->seq = w->snd_nxt;
	o->ack = w->rcv_nxt;
	o->wnd = w->wnd;
	o->flags = TOE_ACK;
	if (w->ts) {
		o->opt_len = toe_opts_ts(o->opt, toe_ts_clock(w->ts_offset, now), w->ts_recent);
	}
	return verdict;
}

/*
 * RFC 6191 2: a SYN opens anew when its timestamp, or else its number, lies beyond the old
 * connection's. With timestamps where there were none PAWS refuses all that is old.
 */
static bool syn_is_new(const struct toe_tw *w, const struct toe_seg *seg)
{
	if (seg->opts & TOE_SEG_TS && !(w->ts && seg->tsval == w->ts_recent))
		return !w->ts || toe_seq_lt(w->ts_recent, seg->tsval);
	return toe_seq_lt(w->rcv_nxt, seg->seq);
}

enum toe_tw_verdict toe_tw_input(struct toe_tw *w, const struct toe_seg *seg, uint64_t now,
				 struct toe_out *o)
{
	uint32_t end = seg->seq + seg->len + !!(seg->flags & TOE_FIN);
	bool stamped = w->ts && seg->opts & TOE_SEG_TS;
	bool again = seg->flags & TOE_FIN && end == w->rcv_nxt;

	if (seg->flags & TOE_RST)
		return TOE_TW_DROP;
	if (seg->flags & TOE_SYN)
		return !(seg->flags & TOE_ACK) && syn_is_new(w, seg)
			   ? TOE_TW_NEW_SYN
			   : answer(w, now, o, TOE_TW_ACK);
	if (stamped && toe_seq_lt(seg->tsval, w->ts_recent))
		return answer(w, now, o, TOE_TW_ACK);
	/* RFC 7323 5.3: from nothing that is not acceptable, which anybody may have sent. */
	if (stamped && (again || seg->seq == w->rcv_nxt))
		w->ts_recent = seg->tsval;
	/* The FIN again: our last ACK was lost. */
	if (again)
		return answer(w, now, o, TOE_TW_ACK_RESTART);
	if (seg->seq == w->rcv_nxt && end == seg->seq)
		return TOE_TW_DROP;
	return answer(w, now, o, TOE_TW_ACK);
}
