/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow processing core: one batch after the other.
 *
 * A batch takes packets, commands and timers; each flow that any of them touches is opened once,
 * and at the end of the batch its output is made, its TCB committed, its frames queued, its block
 * published and its context notified, in this order. Frames leave after the commit because an ACK
 * must never speak of what a successor would not know.
 */
#include "fpc.h"

#include "../lib/errno.h"
#include "../wire/eth.h"

enum { NH_POLL_US = 10000, RETRY_US = 1000 };

static uint32_t retry_head(const struct toe_fpc *f)
{
	return f->nflows;
}

static uint32_t nh_head(const struct toe_fpc *f)
{
	return f->nflows + 1;
}

/* Remember that something is left to do for the flow. */
void toe_fpc_pend(struct toe_fpc *f, uint32_t flow, unsigned what)
{
	struct toe_soft *s = toe_soft(f, flow);
	uint32_t i = flow - f->first;

	if (s->pend)
		toe_list_remove(f->retry, i);
	s->pend |= (uint8_t)what;
	toe_list_push_back(f->retry, s->pend & TOE_PEND_NH ? nh_head(f) : retry_head(f), i);
}

static void pend_done(struct toe_fpc *f, uint32_t flow)
{
	toe_soft(f, flow)->pend = 0;
	toe_list_remove(f->retry, flow - f->first);
}

/*
 * A slot that stays with the flow until the flush. When all are pinned, the batch so far is
 * finished first.
 */
static uint32_t take_slot(struct toe_fpc *f, uint32_t flow)
{
	unsigned evicted;
	uint32_t slot = toe_cache_take(&f->cache, f->ent, flow, &evicted);

	if (slot == TOE_SLOT_NONE) {
		toe_fpc_flush(f);
		slot = toe_cache_take(&f->cache, f->ent, flow, &evicted);
	}
	if (evicted)
		toe_count(f, TOE_CNT_tcb_evictions);
	return slot;
}

static struct toe_work *work_add(struct toe_fpc *f, uint32_t flow, uint32_t slot, uint8_t *arena)
{
	struct toe_work *w = &f->work[f->nwork];

	w->flow = flow;
	w->slot = slot;
	w->act = 0;
	w->cold = false;
	w->t = toe_cache_open(&f->cache, slot);
	w->e = &f->ent[flow];
	w->arena = arena;
	w->b = toe_arena_flow(arena, flow);
	f->cache.work[slot] = (uint16_t)f->nwork++;
	f->cache.mark[slot] |= TOE_SLOT_REF | TOE_SLOT_PINNED;
	return w;
}

struct toe_work *toe_fpc_open_hot(struct toe_fpc *f, uint32_t flow)
{
	struct toe_flow_ent *e = &f->ent[flow];
	uint32_t slot = e->loc;
	uint8_t *arena;

	if (slot != TOE_LOC_SPILLED) {
		toe_count(f, TOE_CNT_tcb_hits);
		if (f->cache.work[slot] != TOE_WORK_NONE)
			return &f->work[f->cache.work[slot]];
	}
	arena = toe_port_arena(f->port, e->app);
	if (!arena)
		return NULL;
	if (f->nwork == TOE_BATCH_FLOWS)
		toe_fpc_flush(f);
	if (slot == TOE_LOC_SPILLED) {
		slot = take_slot(f, flow);
		toe_cache_promote(&f->cache, slot, e);
		toe_count(f, TOE_CNT_tcb_misses);
	}
	return work_add(f, flow, slot, arena);
}

struct toe_work *toe_fpc_open(struct toe_fpc *f, uint32_t flow)
{
	struct toe_work *w = toe_fpc_open_hot(f, flow);

	if (w)
		w->cold = true;
	return w;
}

/* The same for a flow that is about to be born: its TCB has no content yet. */
struct toe_work *toe_fpc_open_new(struct toe_fpc *f, uint32_t flow, unsigned app)
{
	uint8_t *arena = toe_port_arena(f->port, app);
	struct toe_work *w;

	if (!arena)
		return NULL;
	if (f->nwork == TOE_BATCH_FLOWS)
		toe_fpc_flush(f);
	w = work_add(f, flow, take_slot(f, flow), arena);
	w->cold = true;
	return w;
}

static void count_acts(struct toe_fpc *f, uint32_t act)
{
	static const struct {
		uint32_t act;
		enum toe_counter counter;
	} table[] = {
		{ TOE_ACT_C_OOO, TOE_CNT_rx_out_of_order },
		{ TOE_ACT_C_DUP, TOE_CNT_rx_duplicate },
		{ TOE_ACT_C_UNACCEPTABLE, TOE_CNT_drop_not_acceptable },
		{ TOE_ACT_C_PAWS, TOE_CNT_drop_paws },
		{ TOE_ACT_C_RTO, TOE_CNT_rto_fired },
		{ TOE_ACT_C_FAST_REXMIT, TOE_CNT_fast_retransmits },
		{ TOE_ACT_C_PROBE, TOE_CNT_persist_probes },
		{ TOE_ACT_C_ECN, TOE_CNT_ecn_reductions },
	};

	if (!(act >> 16 & 0xff))
		return;
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (act & table[i].act)
			toe_count(f, table[i].counter);
}

/*
 * The segment comes from another link address than the last one did: may answers go there? Not for
 * whoever guesses at a connection on the same link, and would then see all that we send.
 */
static bool peer_moved(const struct toe_tcb *t, const struct toe_rx *rx)
{
	return !toe_mac_equal(t->peer_mac, rx->eth + 6) && toe_tcp_knows(t, &rx->seg);
}

/* The last ACK of a handshake must come again: the accept queue has no room for it. */
static bool not_yet(struct toe_fpc *f, struct toe_work *w, const struct toe_rx *rx)
{
	const struct toe_endpoint *ep;

	if (!(w->t->flags & TOE_TCB_PASSIVE) || w->e->endpoint >= TOE_MAX_ENDPOINTS ||
	    (rx->seg.flags & (TOE_SYN | TOE_ACK | TOE_RST)) != TOE_ACK || toe_tcp_early(w->t))
		return false;
	toe_sched_reopen(f, w, rx);
	ep = &f->ctrl->endpoint[w->e->endpoint];
	if (!toe_backlog_full(f, ep->app, ep->listener))
		return false;
	toe_count(f, TOE_CNT_drop_backlog);
	return true;
}

/* Nothing is left of the connection but what its application may still read. */
static bool is_over(struct toe_work *w)
{
	if (w->t->state != TOE_TCP_CLOSED || w->t->flags & TOE_TCB_RST_OUT)
		return false;
	w->act |= TOE_ACT_FREE;
	return true;
}

bool toe_fpc_input(struct toe_fpc *f, uint32_t flow, struct toe_rx *rx)
{
	struct toe_work *w = toe_fpc_open_hot(f, flow);
	struct toe_span span[TOE_MAX_SPANS];
	struct toe_place to;
	uint64_t had;
	uint32_t act;
	bool asked, moved, waits;
	unsigned n;

	if (!w)
		return true;
	if (w->t->state != TOE_TCP_ESTABLISHED) {
		w->cold = true;
		if (is_over(w))
			return false;
		if (w->t->state == TOE_TCP_SYN_RECEIVED && not_yet(f, w, rx))
			return true;
	}
	n = rx->seg.len ? toe_tcp_place(w->t, &rx->seg, span) : 0;
	to = (struct toe_place){ w->arena, w->t->rcv_ring, toe_arena_rx_off(flow), flow };
	if (!toe_rx_store(rx, f->ctrl->dev[rx->dev].software, span, n, &to)) {
		toe_count(f, TOE_CNT_drop_checksum);
		return true;
	}
	moved = peer_moved(w->t, rx);
	waits = w->t->state == TOE_TCP_TIME_WAIT;
	had = w->t->rcv_nxt;
	asked = w->t->state == TOE_TCP_SYN_SENT && w->t->opts & TOE_TCB_FO_ASKED;
	act = toe_tcp_input(w->t, &rx->seg, f->now);
	w->act |= act & ~(uint32_t)TOE_ACT_RST;
	toe_count(f, TOE_CNT_rx_segments);
	if (rx->seg.opts & TOE_SEG_CE)
		toe_count(f, TOE_CNT_rx_ce);
	if (act & TOE_ACT_RX)
		toe_count_n(f, TOE_CNT_rx_bytes, w->t->rcv_nxt - (had ? had : w->t->rcv_first));
	count_acts(f, act);
	if (act & TOE_ACT_ESTABLISHED)
		toe_backlog_established(f, flow);
	if (asked && act & TOE_ACT_ESTABLISHED)
		toe_fast_learn(f, &w->e->tuple, w->t, &rx->seg);
	if (act & TOE_ACT_RST)
		toe_answer_reset(f, rx);
	if (moved) {
		w->cold = true;
		memcpy(w->t->peer_mac, rx->eth + 6, 6);
	}
	return !waits || !(act & TOE_ACT_TIME_WAIT);
}

/* First half of a flow's end of batch: output, commit, frames. */
static void settle(struct toe_fpc *f, struct toe_work *w)
{
	struct toe_tcb *t = w->t;
	uint32_t i = w->flow - f->first;

	if (w->act & TOE_ACT_GROW)
		toe_big_grow(f, w);
	if (t->rcv_ring | t->snd_ring)
		toe_big_settle(t);
	if (w->act & (TOE_ACT_OUTPUT | TOE_ACT_END_NOW))
		toe_gen_output(f, w);
	if (t->notsent_lowat)
		w->act |= toe_tcp_space(t);
	if (t->nmark | t->marks_lost)
		toe_stamp_tx(f, w);
	if (t->opts & TOE_TCB_STAMP_RX && w->act & (TOE_ACT_RX | TOE_ACT_ACCEPT))
		toe_stamp_rx(f, w);
	if (w->act & TOE_ACT_END_NOW)
		w->act |= TOE_ACT_FREE;
	if (w->act & TOE_ACT_FREE)
		t->state = TOE_TCP_CLOSED;
	toe_tcp_limit_note(t, f->now);
	toe_wheel_set(&f->wheel, i, toe_tcp_deadline(t));
	if (t->pace_at)
		toe_pacer_set(&f->pacer, i, t->pace_at);
	if (w->cold)
		toe_tcb_cold(t);
	toe_cache_commit(&f->cache.slot[w->slot]);
	f->cache.work[w->slot] = TOE_WORK_NONE;
	f->cache.mark[w->slot] = TOE_SLOT_REF | (t->snd_una == t->snd_max ? TOE_SLOT_IDLE : 0);
	toe_gen_transmit(f);
	toe_host_publish(w);
}

/* Which notification, if any; the application reads everything else in the flow's block. */
static enum toe_hw_cmd what_to_say(const struct toe_work *w)
{
	uint32_t a = w->act;

	if (a & TOE_ACT_ERROR || (a & TOE_ACT_END_NOW && w->t->error))
		return TOE_HW_RESET;
	if (a & TOE_ACT_ESTABLISHED && !(w->t->flags & TOE_TCB_PASSIVE))
		return TOE_HW_CONNECT_ESTABLISHED;
	if (a & TOE_ACT_PEER_FIN)
		return TOE_HW_CLOSE;
	if (a & (TOE_ACT_RX | TOE_ACT_STAMP | TOE_ACT_NOTIFY_ALL))
		return TOE_HW_DATA_RECEIVED;
	return a & TOE_ACT_TX_SPACE ? TOE_HW_SEND_COMPLETE : 0;
}

/* Second half, after a fence for all: tell, then let go of what has ended. */
static void conclude(struct toe_fpc *f, struct toe_work *w)
{
	enum toe_hw_cmd say = what_to_say(w);

	if (w->act & TOE_ACT_ESTABLISHED && w->t->flags & TOE_TCB_PASSIVE)
		toe_count(f, TOE_CNT_passive_opens);
	if (w->act & (TOE_ACT_ESTABLISHED | TOE_ACT_ACCEPT) && w->t->flags & TOE_TCB_PASSIVE)
		toe_accept_push(f, w->flow);
	if (say && !(w->t->flags & TOE_TCB_CLOSED_BY_APP))
		toe_host_notify(f, w->flow, say, w->act & TOE_ACT_NOTIFY_ALL);
	if (w->act & (TOE_ACT_FREE | TOE_ACT_TIME_WAIT))
		toe_flow_over(f, w);
}

void toe_fpc_flush(struct toe_fpc *f)
{
	uint32_t n = f->nwork;

	if (!n)
		return;
	for (uint32_t i = 0; i < n; i++)
		settle(f, &f->work[i]);
	toe_fence_full();
	for (uint32_t i = 0; i < n; i++)
		conclude(f, &f->work[i]);
	f->nwork = 0;
}

static unsigned receive(struct toe_fpc *f)
{
	unsigned n = toe_port_rx(f->port, f->id, f->rx, TOE_RX_BURST), kept = 0, packets = 0, end;

	if (!n)
		return 0;
	for (unsigned i = 0; i < n; i = end, packets++) {
		end = i + 1 + f->rx[i].more;
		if (toe_sched_frame(f, &f->rx[i]))
			continue;
		for (unsigned k = i; k < end; k++, kept++)
			if (kept != k)
				f->rx[kept] = f->rx[k];
	}
	toe_count_n(f, TOE_CNT_rx_frames, packets);
	toe_port_rx_done(f->port, f->id, f->rx, kept);
	return packets;
}

/* What is due of the flow's deadlines. */
static void timer(struct toe_fpc *f, uint32_t i)
{
	struct toe_work *w;
	uint32_t act;
	bool asked;

	if (f->soft[i].kind != TOE_SOFT_LIVE)
		return;
	w = toe_fpc_open(f, i + f->first);
	if (!w)
		return;
	asked = w->t->state == TOE_TCP_SYN_SENT && w->t->opts & TOE_TCB_FO_ASKED;
	act = toe_tcp_timer(w->t, f->now);
	w->act |= act;
	if (asked && w->t->state == TOE_TCP_CLOSED)
		toe_fast_silent(f, &w->e->tuple);
	count_acts(f, act);
}

static unsigned run_timers(struct toe_fpc *f)
{
	unsigned budget = TOE_TIMER_BURST, n = 0;
	uint32_t i;

	for (; (i = toe_wheel_next(&f->wheel, f->now, &budget)) != TOE_WHEEL_NONE; n++)
		timer(f, i);
	for (budget = TOE_TIMER_BURST;
	     budget && (i = toe_pacer_next(&f->pacer, f->now)) != TOE_PACER_NONE; budget--, n++)
		timer(f, i);
	return n + toe_sched_time_wait(f);
}

/*
 * What was put off. A flow that must wait longer puts itself back. True: it does not, as far as is
 * known before output is made.
 */
static bool again(struct toe_fpc *f, uint32_t flow)
{
	struct toe_soft *s = toe_soft(f, flow);
	unsigned what = s->pend;
	struct toe_work *w;

	pend_done(f, flow);
	if (what & TOE_PEND_FREE) {
		toe_flow_free(f, flow);
		return true;
	}
	if (what & TOE_PEND_ACCEPT)
		toe_accept_push(f, flow);
	if (what & TOE_PEND_NOTIFY)
		toe_host_notify(f, flow, s->note, false);
	if (!(what & (TOE_PEND_OUTPUT | TOE_PEND_TAKEN)) || s->kind != TOE_SOFT_LIVE)
		return !s->pend;
	w = toe_fpc_open(f, flow);
	if (!w)
		return false;
	w->act |= TOE_ACT_OUTPUT;
	if (what & TOE_PEND_TAKEN) {
		w->act |= TOE_ACT_NOTIFY_ALL;
		if (w->t->state == TOE_TCP_TIME_WAIT && w->t->flags & TOE_TCB_CLOSED_BY_APP)
			w->act |= TOE_ACT_TIME_WAIT;
		if (w->t->state >= TOE_TCP_ESTABLISHED)
			w->t->flags |= TOE_TCB_ACK_NOW;
	}
	return false;
}

static unsigned retry(struct toe_fpc *f)
{
	uint32_t last = f->retry[retry_head(f)].prev, i;
	unsigned n = 0, done = 0;

	/*
	 * Not those that put themselves back just now: they are no event, else a stalled
	 * application would keep us awake. Of output that is an event which does leave.
	 */
	while (n < TOE_RETRY_BURST && (i = f->retry[retry_head(f)].next) != retry_head(f)) {
		done += again(f, i + f->first);
		n++;
		if (i == last)
			break;
	}
	return done;
}

/* Flows whose SYN waits for a link address. */
static unsigned wait_next_hop(struct toe_fpc *f)
{
	uint32_t i, next, last = f->retry[nh_head(f)].prev;
	unsigned n = 0;

	if (f->now < f->nh_at || toe_list_empty(f->retry, nh_head(f)))
		return 0;
	f->nh_at = f->now + NH_POLL_US;
	for (i = f->retry[nh_head(f)].next; i != nh_head(f) && n < TOE_BATCH_FLOWS / 2;
	     i = next, n++) {
		struct toe_work *w = toe_fpc_open(f, i + f->first);
		unsigned state = TOE_NH_FAILED;

		next = i == last ? nh_head(f) : f->retry[i].next;
		if (w && w->t->nh < TOE_MAX_NEXT_HOPS)
			state = toe_nh_state(f, w->t->nh);
		if (state == TOE_NH_VALID) {
			unsigned what = f->soft[i].pend & ~(unsigned)TOE_PEND_NH;

			pend_done(f, i + f->first);
			toe_fpc_pend(f, i + f->first, what | TOE_PEND_OUTPUT);
		} else if (state != TOE_NH_INCOMPLETE) {
			pend_done(f, i + f->first);
			toe_flow_abort(f, i + f->first, EHOSTUNREACH, false);
		} else {
			toe_fpc_pend(f, i + f->first, TOE_PEND_NH); /* others first, next time */
		}
	}
	return n;
}

unsigned toe_fpc_poll(struct toe_fpc *f)
{
	unsigned n;

	f->now = toe_port_now(f->port);
	f->batch++;
	n = receive(f);
	n += toe_admin_commands(f);
	n += toe_host_commands(f);
	n += run_timers(f);
	n += wait_next_hop(f);
	n += retry(f);
	toe_fpc_flush(f);
	n += f->kick;
	toe_host_release(f);
	toe_accept_hints(f);
	n += toe_ids_trim(f) + toe_big_trim(f);
	if (f->kick) {
		toe_port_tx_kick(f->port, f->id);
		toe_count(f, TOE_CNT_tx_kicks);
		f->kick = 0;
	}
	toe_host_doorbells(f);
	return n;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a | b;
	return a < b ? a : b;
}

uint64_t toe_fpc_deadline(const struct toe_fpc *f)
{
	uint64_t d = earlier(toe_wheel_deadline(&f->wheel), toe_pacer_deadline(&f->pacer));
	uint32_t tw = toe_tw_oldest(&f->tw);

	if (tw != TOE_TW_NONE)
		d = earlier(d, f->tw.e[tw].expires);
	if (f->blocked || !toe_list_empty(f->retry, retry_head(f)))
		d = earlier(d, f->now + RETRY_US);
	if (!toe_list_empty(f->retry, nh_head(f)))
		d = earlier(d, f->nh_at > f->now ? f->nh_at : f->now);
	if (f->nhints)
		d = earlier(d, f->now + NH_POLL_US);
	if (f->nused && f->trim_at > f->now)
		d = earlier(d, f->trim_at);
	if (f->big_at)
		d = earlier(d, f->big_at);
	if (f->ntrim + f->big_flight)
		d = earlier(d, f->now + RETRY_US);
	return d;
}
