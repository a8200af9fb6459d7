/* SPDX-License-Identifier: BSD-2-Clause */
/* What TCP_INFO asks for: from what the TCB knows anyway, but for some counters. */
#include "recv.h"
#include "rto.h"
#include "sendmap.h"

#include "../lib/mem.h"

static uint32_t segments(const struct toe_tcb *t, uint64_t bytes)
{
	return t->mss ? (uint32_t)((bytes + t->mss - 1) / t->mss) : 0;
}

/* Of a window: a part of a segment does not leave. */
static uint32_t whole(const struct toe_tcb *t, uint32_t window)
{
	return t->mss ? window / t->mss : 0;
}

/* Milliseconds since `at`, 0 if that never was. */
static uint32_t ago_ms(uint64_t at, uint64_t now)
{
	return at && at < now ? (uint32_t)toe_min64((now - at) / 1000, UINT32_MAX) : 0;
}

/*
 * How many segments a range of the map was sent in. Where the map does not know that, they count as full
 * ones: several sizes in one range, and what was SACKed.
 */
static uint32_t segments_of(const struct toe_tcb *t, const struct toe_sent *e, uint32_t len)
{
	if (e->flags & TOE_SENT_SACKED || e->seg_len == 1)
		return toe_max32(segments(t, len), 1);
	return (len + e->seg_len - 1) / e->seg_len;
}

/*
 * Is the range on its way again, as it was lost? Loss probes and the byte of a window probe were not, and as in
 * Linux they do not count.
 */
static bool again(const struct toe_tcb *t, const struct toe_sent *e)
{
	bool probe = t->flags & TOE_TCB_PERSIST ||
		     (t->opts & TOE_TCB_TLP_AGAIN && t->tlp_end && e->end == (uint32_t)t->tlp_end);

	return e->times > 1 && !(e->flags & (TOE_SENT_SACKED | TOE_SENT_LOST)) && !probe;
}

/*
 * What is out, by its fate. As in Linux what is lost stays so while it is on its way again: in flight is unacked
 * - sacked - lost + again_out.
 */
static void outstanding(const struct toe_tcb *t, struct toe_flow_info *i)
{
	const struct toe_sent *e = toe_sents(t) + t->sent_lo;
	uint32_t from = (uint32_t)t->snd_una;

	for (unsigned n = 0; n < t->nsent; from = e->end, n++, e++) {
		uint32_t segs = segments_of(t, e, e->end - from);

		i->unacked += segs;
		i->sacked += e->flags & TOE_SENT_SACKED ? segs : 0;
		i->lost += e->flags & TOE_SENT_LOST || again(t, e) ? segs : 0;
		i->again_out += again(t, e) ? segs : 0;
	}
	if (!(t->flags & TOE_TCB_SACK))
		i->sacked = segments(t, t->sacked);
}

static void sending(const struct toe_tcb *t, uint64_t now, struct toe_flow_info *i)
{
	uint64_t sent = t->snd_max > t->snd_first ? t->snd_max - t->snd_first : 0;

	i->bytes_sent = toe_min64(sent, t->snd_end - t->snd_first) + t->rexmit_bytes;
	i->bytes_acked = toe_tcp_tx_una(t);
	i->bytes_rexmit = t->rexmit_bytes;
	i->rexmit_segs = t->rexmit_segs;
	i->segs_out = t->segs_out;
	i->data_segs_out = t->data_segs_out;
	i->dsacks = t->dsacks;
	i->reordered = t->reordered;
	i->reordering = toe_max32(t->reordering, TOE_DUP_THRESH);
	i->delivered = t->delivered ? 1 + segments(t, t->delivered - 1) : 0; /* SYN */
	i->delivered_ce = segments(t, t->delivered_ce);
	i->delivery_rate = t->rate;
	i->min_rtt_us = t->min_rtt_us;
	i->notsent = t->snd_max < t->snd_end ? (uint32_t)(t->snd_end - t->snd_max) : 0;
	outstanding(t, i);
	i->sent_ms = ago_ms(t->sent_at, now);
	i->snd_wnd = t->snd_wnd;
	i->cwnd = whole(t, t->cwnd);
	i->ssthresh = t->ssthresh && t->ssthresh < TOE_CWND_MAX ? whole(t, t->ssthresh) : INT32_MAX;
	i->snd_mss = t->mss;
	i->pacing_rate = t->flags & TOE_TCB_PACED ? t->pacing_rate : 0;
	i->probes = t->flags & TOE_TCB_PERSIST ? t->rexmits : t->keep_probes;
	i->rexmits = t->flags & TOE_TCB_PERSIST ? 0 : t->rexmits;
	i->backoff = t->backoff;
	if (t->flags & TOE_TCB_RTO_RECOVERY)
		i->recovery = TOE_INFO_LOSS;
	else if (t->flags & TOE_TCB_RECOVERY)
		i->recovery = TOE_INFO_RECOVERY;
	else
		i->recovery = t->dupacks ? TOE_INFO_DISORDER : TOE_INFO_OPEN;
}

/* Microseconds for which sending was bounded so, up to now. */
static uint64_t limited_us(const struct toe_tcb *t, enum toe_limit by, uint64_t now)
{
	return t->limit_us[by - 1] + (t->limit == by ? now - t->limit_at : 0);
}

static void limits(const struct toe_tcb *t, uint64_t now, struct toe_flow_info *i)
{
	i->rwnd_us = limited_us(t, TOE_LIMIT_RWND, now);
	i->sndbuf_us = limited_us(t, TOE_LIMIT_SNDBUF, now);
	i->busy_us = limited_us(t, TOE_LIMIT_PATH, now) + i->rwnd_us + i->sndbuf_us;
}

static void receiving(const struct toe_tcb *t, uint64_t now, struct toe_flow_info *i)
{
	i->segs_in = t->segs_in;
	if (!t->rcv_first) /* nothing was heard yet */
		return;
	i->bytes_received = toe_tcp_rx_end(t);
	i->rcv_wnd_max = t->rcv_size;
	i->rcv_wnd = t->rcv_adv > t->rcv_nxt ? (uint32_t)(t->rcv_adv - t->rcv_nxt) : 0;
	i->rcv_ms = ago_ms(t->rcv_at, now);
	if (t->data_at)
		i->data_ms = (uint32_t)(((uint64_t)(toe_data_age(now) - t->data_at) << 10) / 1000);
	i->data_segs_in = t->data_segs_in;
	i->ooo_segs = t->ooo_segs;
	i->rcv_rtt_us = t->rcv_rtt_us;
}

void toe_tcp_info(const struct toe_tcb *t, uint64_t now, struct toe_flow_info *i)
{
	memset(i, 0, sizeof(*i));
	i->state = t->state;
	i->rto_us = (uint32_t)toe_rto(t);
	i->ato_us = TOE_DELACK_US;
	i->srtt_us = t->srtt_us;
	i->rttvar_us = t->rttvar_us;
	i->mtu = t->mtu;
	i->adv_mss = t->mss_own;
	i->snd_wscale = t->flags & TOE_TCB_WSCALE ? t->snd_wscale : 0;
	i->rcv_wscale = t->flags & TOE_TCB_WSCALE ? t->rcv_wscale : 0;
	i->options = (uint8_t)((t->flags & TOE_TCB_TS ? TOE_INFO_TS : 0) |
			       (t->flags & TOE_TCB_SACK ? TOE_INFO_SACK : 0) |
			       (t->flags & TOE_TCB_WSCALE ? TOE_INFO_WSCALE : 0) |
			       (t->flags & TOE_TCB_ECN ? TOE_INFO_ECN : 0) |
			       (t->opts & TOE_TCB_RATE_APP ? TOE_INFO_APP_LIMITED : 0) |
			       (t->opts & TOE_TCB_SYN_DATA ? TOE_INFO_SYN_DATA : 0));
	sending(t, now, i);
	limits(t, now, i);
	receiving(t, now, i);
}
