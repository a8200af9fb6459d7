/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toe_flows: the live flows as people read them (`bpftool map dump`), refreshed once a second while
 * anything happens. An idle TOE costs nothing: the counters tell whether the flow table must be
 * looked at.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>

#include "core/engine.h"
#include "core/tcb.h"
#include "lib/flow_hash.h"
#include "toed.h"

enum { VIEW_MS = 1000 };

static void address(char out[48], const uint8_t addr[16], uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	if (toe_addr_is_v4(addr)) {
		inet_ntop(AF_INET, addr + 12, text, sizeof(text));
		snprintf(out, 48, "%.15s:%u", text, ntohs(port));
	} else {
		inet_ntop(AF_INET6, addr, text, sizeof(text));
		snprintf(out, 48, "[%.39s]:%u", text, ntohs(port));
	}
}

void flow_view_fill(struct toed *t, uint32_t flow, struct toe_flow_view *v)
{
	const struct toe_flow_ent *e = &t->tcbs[flow];
	struct toe_flow_ent head = { .word = toe_load_acquire(&e->word) };
	const struct toe_tcb *tcb = toe_engine_peek(t->state, t->ctrl, e);

	memset(v, 0, sizeof(*v));
	address(v->local, e->tuple.laddr, e->tuple.lport);
	address(v->remote, e->tuple.raddr, e->tuple.rport);
	v->tcb = head.loc == TOE_LOC_SPILLED ? spilled : cached;
	v->fpc = head.fpc;
	v->app = e->app;
	if (!tcb)
		return;
	v->state = (enum toe_state_name)tcb->state;
	v->snd_una = (uint32_t)tcb->snd_una;
	v->snd_nxt = (uint32_t)tcb->snd_nxt;
	v->snd_wnd = tcb->snd_wnd;
	v->rcv_nxt = (uint32_t)tcb->rcv_nxt;
	v->rcv_wnd = (uint32_t)(tcb->rcv_adv - tcb->rcv_nxt);
	v->cwnd = tcb->cwnd;
	v->srtt_us = tcb->srtt_us;
}

/*
 * Changes whenever a flow may have been born, moved or died: without it there is nothing to
 * refresh.
 */
static uint64_t activity(const struct toed *t)
{
	static const enum toe_counter counted[] = { TOE_CNT_rx_segments,   TOE_CNT_tx_frames,
						    TOE_CNT_passive_opens, TOE_CNT_active_opens,
						    TOE_CNT_flows_ended,   TOE_CNT_flows_reset,
						    TOE_CNT_tcb_misses,    TOE_CNT_tcb_evictions };
	uint64_t n = 0;

	for (unsigned f = 0; f < t->nfpcs; f++)
		for (unsigned i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
			n += toe_load(&t->stats[f].count[counted[i]]);
	return n;
}

/* TIMER_VIEW. */
void flows_view_refresh(struct toed *t)
{
	static bool shown[TOE_MAX_FLOWS];
	static uint64_t seen;
	/* A birth or death may be counted just before or after it is seen: look twice. */
	static bool settled;
	uint64_t now = activity(t);
	int fd = t->xdp.maps.fd[TOE_MAP_FLOWS];

	loop_after(&t->loop, TIMER_VIEW, VIEW_MS);
	if (now == seen && settled)
		return;
	settled = now == seen;
	seen = now;
	for (uint32_t id = 0; id < t->ctrl->nflows; id++) {
		struct toe_flow_ent e = { .word = toe_load_acquire(&t->tcbs[id].word) };
		struct toe_flow_view v;

		if (e.life == TOE_LIFE_LIVE) {
			flow_view_fill(t, id, &v);
			shown[id] = !bpf_map_update_elem(fd, &id, &v, BPF_ANY);
		} else if (shown[id]) {
			bpf_map_delete_elem(fd, &id);
			shown[id] = false;
		}
	}
}
