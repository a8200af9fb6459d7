/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP_INFO. The FPC knows, so it is asked: it writes into the asking thread's context, and the
 * request's token says that the answer is ours. Nothing is kept up to date meanwhile.
 */
#include <linux/tcp.h>
#include <stddef.h>
#include <string.h>

#include "info.h"

enum { ANSWER_US = 1000000 };

static bool over(const struct tm_sock *s)
{
	return toe_load_acquire(&s->fb->dev.flags) & (TOE_FLOW_ERROR | TOE_FLOW_CLOSED);
}

int tm_flow_info(struct tm_sock *s, struct toe_flow_info *info)
{
	uint64_t end = tm_now_us() + ANSWER_US;
	struct tm_ctx *c;
	int err = 0;

	memset(info, 0, sizeof(*info));
	info->state = tm_kind(s) == TM_CONNECT ? TOE_TCP_SYN_SENT : TOE_TCP_CLOSED;
	c = tm_kind(s) == TM_FLOW ? tm_ctx_get(&err) : NULL;
	if (!c)
		return err;
	c->info_token++;
	c->info_token += !c->info_token;
	tm_push_flow(c, s, TOE_SW_INFO, 0, c->info_token);
	tm_flush(c);
	for (unsigned i = 0; toe_load_acquire(&c->sh->info.token) != c->info_token; i++) {
		if (over(s)) /* nobody may be left to answer, and there is nothing to tell */
			return 0;
		if (tm_now_us() > end)
			return -EAGAIN;
		tm_kick(c, s->fpc);
		tm_relax(i);
	}
	memcpy(info, (const void *)&c->sh->info, sizeof(*info));
	return 0;
}

/* Values that both sides number alike need no table. */
static const uint8_t state_of[] = {
	[TOE_TCP_CLOSED] = 7,      [TOE_TCP_SYN_SENT] = 2,   [TOE_TCP_SYN_RECEIVED] = 3,
	[TOE_TCP_ESTABLISHED] = 1, [TOE_TCP_FIN_WAIT_1] = 4, [TOE_TCP_FIN_WAIT_2] = 5,
	[TOE_TCP_CLOSE_WAIT] = 8,  [TOE_TCP_CLOSING] = 11,   [TOE_TCP_LAST_ACK] = 9,
	[TOE_TCP_TIME_WAIT] = 6,   [TOE_TCP_LISTEN] = 10,
};

static const uint8_t ca_state_of[] = {
	[TOE_INFO_OPEN] = TCP_CA_Open,
	[TOE_INFO_DISORDER] = TCP_CA_Disorder,
	[TOE_INFO_RECOVERY] = TCP_CA_Recovery,
	[TOE_INFO_LOSS] = TCP_CA_Loss,
};

static void fill_small(const struct toe_flow_info *i, struct tcp_info *o)
{
	o->tcpi_state = i->state < sizeof(state_of) ? state_of[i->state] : 7;
	o->tcpi_ca_state = ca_state_of[i->recovery % sizeof(ca_state_of)];
	o->tcpi_retransmits = i->rexmits;
	o->tcpi_probes = i->probes;
	o->tcpi_backoff = i->backoff;
	o->tcpi_options = (i->options & TOE_INFO_TS ? TCPI_OPT_TIMESTAMPS : 0) |
			  (i->options & TOE_INFO_SACK ? TCPI_OPT_SACK : 0) |
			  (i->options & TOE_INFO_WSCALE ? TCPI_OPT_WSCALE : 0) |
			  (i->options & TOE_INFO_ECN ? TCPI_OPT_ECN : 0) |
			  (i->options & TOE_INFO_SYN_DATA ? TCPI_OPT_SYN_DATA : 0);
	o->tcpi_snd_wscale = i->snd_wscale & 15;
	o->tcpi_rcv_wscale = i->rcv_wscale & 15;
	o->tcpi_delivery_rate_app_limited = !!(i->options & TOE_INFO_APP_LIMITED);
}

static void fill_counts(const struct toe_flow_info *i, struct tcp_info *o)
{
	o->tcpi_total_retrans = i->rexmit_segs;
	o->tcpi_segs_in = i->segs_in;
	o->tcpi_segs_out = i->segs_out;
	o->tcpi_data_segs_in = i->data_segs_in;
	o->tcpi_data_segs_out = i->data_segs_out;
	o->tcpi_bytes_acked = i->bytes_acked;
	o->tcpi_bytes_received = i->bytes_received;
	o->tcpi_bytes_sent = i->bytes_sent;
	o->tcpi_bytes_retrans = i->bytes_rexmit;
	o->tcpi_delivered = i->delivered;
	o->tcpi_delivered_ce = i->delivered_ce;
	o->tcpi_dsack_dups = i->dsacks;
	o->tcpi_reord_seen = i->reordered;
	o->tcpi_rcv_ooopack = i->ooo_segs;
}

static void fill(const struct toe_flow_info *i, struct tcp_info *o)
{
	fill_small(i, o);
	fill_counts(i, o);
	o->tcpi_rto = i->rto_us;
	o->tcpi_ato = i->ato_us;
	o->tcpi_snd_mss = i->snd_mss;
	o->tcpi_unacked = i->unacked;
	o->tcpi_sacked = i->sacked;
	o->tcpi_lost = i->lost;
	o->tcpi_retrans = i->again_out;
	o->tcpi_reordering = i->reordering;
	o->tcpi_last_data_sent = i->sent_ms;
	o->tcpi_last_data_recv = i->data_ms;
	o->tcpi_last_ack_recv = i->rcv_ms;
	o->tcpi_pmtu = i->mtu;
	o->tcpi_rtt = i->srtt_us;
	o->tcpi_rttvar = i->rttvar_us;
	o->tcpi_snd_ssthresh = i->ssthresh;
	o->tcpi_snd_cwnd = i->cwnd;
	o->tcpi_advmss = i->adv_mss;
	o->tcpi_rcv_ssthresh = i->rcv_wnd_max;
	o->tcpi_rcv_space = i->rcv_wnd;
	o->tcpi_rcv_rtt = i->rcv_rtt_us;
	o->tcpi_pacing_rate = i->pacing_rate ? i->pacing_rate : UINT64_MAX;
	o->tcpi_max_pacing_rate = UINT64_MAX;
	o->tcpi_delivery_rate = i->delivery_rate;
	o->tcpi_busy_time = i->busy_us;
	o->tcpi_rwnd_limited = i->rwnd_us;
	o->tcpi_sndbuf_limited = i->sndbuf_us;
	o->tcpi_notsent_bytes = i->notsent;
	o->tcpi_min_rtt = i->min_rtt_us;
	o->tcpi_snd_wnd = i->snd_wnd;
}

int tm_tcp_info(struct tm_sock *s, void *value, socklen_t *len)
{
	struct toe_flow_info info;
	struct tcp_info out = { 0 };
	int err = tm_flow_info(s, &info);

	if (err)
		return err;
	fill(&info, &out);
	if (*len > sizeof(out))
		*len = sizeof(out);
	memcpy(value, &out, *len);
	return 0;
}

void tm_listener_info(const struct tm_sock *s, void *value, socklen_t len)
{
	struct tcp_info o;

	if (len < offsetof(struct tcp_info, tcpi_sacked))
		return;
	memcpy(&o, value, offsetof(struct tcp_info, tcpi_sacked));
	o.tcpi_unacked += tm_accept_waiting(s);
	memcpy(value, &o, offsetof(struct tcp_info, tcpi_sacked));
}
