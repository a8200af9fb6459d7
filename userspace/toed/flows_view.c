// SPDX-License-Identifier: BSD-2-Clause
/*
 * toe_flows: the live flows as people read them (`bpftool map dump`), refreshed once a second while there are
 * any. An idle TOE costs nothing: without births in the counters the flow table is not looked at.
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

/* Flows begun since the counters were zeroed: changes exactly when there may be a flow that we do not know. */
static uint64_t births(const struct toed *t)
{
	uint64_t n = 0;

	for (unsigned f = 0; f < t->nfpcs; f++)
		n += t->stats[f].count[TOE_CNT_passive_opens] +
		     t->stats[f].count[TOE_CNT_active_opens];
	return n;
}

/* TIMER_VIEW. */
void flows_view_refresh(struct toed *t)
{
	static bool shown[TOE_MAX_FLOWS];
	static uint64_t seen;
	uint64_t now = births(t);
	int fd = t->xdp.maps.fd[TOE_MAP_FLOWS];

	loop_after(&t->loop, TIMER_VIEW, VIEW_MS);
	if (!t->live_flows && now == seen)
		return;
	seen = now;
	t->live_flows = 0;
	for (uint32_t id = 0; id < t->ctrl->nflows; id++) {
		struct toe_flow_ent e = { .word = toe_load_acquire(&t->tcbs[id].word) };
		struct toe_flow_view v;

		if (e.life == TOE_LIFE_LIVE) {
			flow_view_fill(t, id, &v);
			shown[id] = !bpf_map_update_elem(fd, &id, &v, BPF_ANY);
			t->live_flows++;
		} else if (shown[id]) {
			bpf_map_delete_elem(fd, &id);
			shown[id] = false;
		}
	}
}
