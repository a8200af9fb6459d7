/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler: which flow does a segment belong to, and which FPC. What has no flow is a SYN to a
 * listener, a straggler of a connection in TIME_WAIT, or is answered by RST.
 */
#include "fpc.h"

#include "../lib/flow_hash.h"
#include "../lib/errno.h"
#include "isn.h"

static bool tuple_is(const struct toe_flow_ent *e, const struct toe_tuple *t)
{
	return !memcmp(&e->tuple, t, sizeof(*t));
}

/* The XDP program's guess, if it holds. */
static uint32_t flow_from_meta(const struct toe_fpc *f, const struct toe_rx *rx)
{
	const struct toe_flow_ent *e;

	if (rx->flow == TOE_FLOW_NONE || !toe_owns(f, rx->flow))
		return TOE_FLOW_NONE;
	e = &f->ent[rx->flow];
	if (e->life != TOE_LIFE_LIVE || e->gen != rx->gen || !tuple_is(e, &rx->tuple) ||
	    f->soft[rx->flow - f->first].kind != TOE_SOFT_LIVE)
		return TOE_FLOW_NONE;
	return rx->flow;
}

static bool endpoint_is(const struct toe_endpoint *ep, const struct toe_tuple *t)
{
	return toe_load_acquire(&ep->state) == TOE_EP_OPEN && ep->port == t->lport &&
	       ep->dev == t->dev && ep->vlan == t->vlan && ep->app < TOE_MAX_APPS &&
	       ep->listener < TOE_MAX_LISTENERS && !memcmp(ep->addr, t->laddr, sizeof(ep->addr));
}

/* The listening endpoint of the segment, TOE_MAX_ENDPOINTS = none. */
static uint32_t find_endpoint(const struct toe_fpc *f, const struct toe_rx *rx)
{
	uint32_t i;

	if (rx->endpoint < TOE_MAX_ENDPOINTS &&
	    endpoint_is(&f->ctrl->endpoint[rx->endpoint], &rx->tuple))
		return rx->endpoint;
	for (i = 0; i < TOE_MAX_ENDPOINTS; i++)
		if (endpoint_is(&f->ctrl->endpoint[i], &rx->tuple))
			break;
	return i;
}

/*
 * A SYN for an address that has gone while its listener goes on at others. It may be back before we
 * know: who asks in vain asks again, who is reset does not.
 */
static bool address_gone(const struct toe_fpc *f, const struct toe_rx *rx)
{
	const struct toe_endpoint *ep = f->ctrl->endpoint, *at;

	if (rx->endpoint >= TOE_MAX_ENDPOINTS || rx->seg.flags & TOE_ACK)
		return false;
	at = &ep[rx->endpoint];
	if (toe_load_acquire(&at->state) != TOE_EP_CLOSING)
		return false;
	for (uint32_t i = 0; i < TOE_MAX_ENDPOINTS; i++)
		if (toe_load_acquire(&ep[i].state) == TOE_EP_OPEN && ep[i].app == at->app &&
		    ep[i].listener == at->listener && ep[i].port == at->port)
			return true;
	return false;
}

/* RFC 9293 3.10.7.1; 3.10.7.2: a listener drops what has neither ACK nor SYN. */
static void refuse(struct toe_fpc *f, const struct toe_rx *rx)
{
	toe_count(f, TOE_CNT_drop_no_endpoint);
	if (address_gone(f, rx))
		return;
	if (rx->seg.flags & (TOE_ACK | TOE_SYN) || find_endpoint(f, rx) == TOE_MAX_ENDPOINTS)
		toe_answer_reset(f, rx);
}

/* The application may write while we read: checks and use must see the same copy. */
static void copy_opts(struct toe_sock_opts *to, const struct toe_sock_opts *from)
{
	memcpy(to, from, sizeof(*to));
	__asm__ volatile("" ::: "memory");
}

static void open_params(struct toe_fpc *f, const struct toe_tuple *t, uint16_t mtu, uint32_t isn,
			struct toe_open *o)
{
	o->isn = isn;
	o->ts_offset = toe_tuple_secret(f->ctrl->key, t, TOE_SECRET_TS);
	o->rcv_size = o->snd_size = TOE_BUF_DEFAULT;
	o->rcv_most = f->ctrl->rcvbuf_max;
	o->snd_most = f->ctrl->sndbuf_max;
	o->mtu = mtu < TOE_MTU_MIN ? TOE_MTU_MIN : mtu;
	o->path_mtu = toe_path_mtu(f, t, o->mtu);
	o->ip_hdr = toe_addr_is_v4(t->laddr) ? 20 : 40;
	o->cc = f->ctrl->cc;
	o->ecn = f->ctrl->ecn;
	o->no_ts = f->ctrl->no_ts;
	o->fast = 0;
}

/* Does the listener take connections? If not, that is answered. */
static bool listening(struct toe_fpc *f, const struct toe_rx *rx, const struct toe_endpoint *ep)
{
	if (f->listen[ep->app * TOE_MAX_LISTENERS + ep->listener] && !f->resetting &&
	    toe_port_arena(f->port, ep->app))
		return true;
	refuse(f, rx);
	return false;
}

static void passive_params(struct toe_fpc *f, const struct toe_rx *rx,
			   const struct toe_endpoint *ep, uint32_t isn, struct toe_open *o)
{
	void *arena = toe_port_arena(f->port, ep->app);

	open_params(f, &rx->tuple, (uint16_t)toe_link_mtu(f->ctrl, rx->dev, rx->tuple.vlan), isn,
		    o);
	copy_opts(&o->opts, &toe_arena_listener(arena, ep->listener)->opts);
}

/* Whose the flow is, and where its segments go. */
static void place_passive(struct toe_work *w, const struct toe_endpoint *ep,
			  const struct toe_rx *rx)
{
	w->t->listener = ep->listener;
	w->t->nh = TOE_NH_NONE;
	memcpy(w->t->peer_mac, rx->eth + 6, 6);
}

/* Data that came with the SYN, as far as it counts: before the flow is born with it. */
static void store_early(struct toe_fpc *f, const struct toe_rx *rx, const struct toe_work *w)
{
	struct toe_span span = { .len = (uint32_t)toe_tcp_rx_end(w->t) };
	struct toe_place to = { w->arena, w->t->rcv_ring, toe_arena_rx_off(w->flow), w->flow };

	if (span.len)
		toe_rx_store(rx, f->ctrl->dev[rx->dev].software, &span, 1, &to);
	toe_count(f, TOE_CNT_fast_opens);
	toe_count_n(f, TOE_CNT_rx_bytes, span.len);
}

/* A SYN for `ep`. True: a flow begins, its first answer leaves with the batch. */
static bool open_passive(struct toe_fpc *f, const struct toe_rx *rx, uint64_t hash, uint32_t epi,
			 uint32_t isn)
{
	const struct toe_endpoint *ep = &f->ctrl->endpoint[epi];
	struct toe_work *w = NULL;
	struct toe_open o;

	if (!listening(f, rx, ep))
		return false;
	if (toe_backlog_full(f, ep->app, ep->listener)) {
		toe_count(f, TOE_CNT_drop_backlog);
		return false;
	}
	passive_params(f, rx, ep, isn, &o);
	if (!toe_half_open_full(f, ep->app, ep->listener))
		w = toe_flow_new(f, ep->app, &rx->tuple, hash, (uint16_t)epi);
	if (!w) {
		toe_cookie_answer(f, rx, &o);
		return false;
	}
	toe_fast_passive(f, rx, ep, &o);
	w->act |= toe_tcp_open_passive(w->t, &o, &rx->seg, f->now);
	place_passive(w, ep, rx);
	if (o.fast & TOE_FAST_DATA)
		store_early(f, rx, w);
	toe_flow_born(f, w);
	toe_backlog_enter(f, w->flow, !(o.fast & TOE_FAST_DATA));
	if (o.fast & TOE_FAST_DATA)
		toe_fast_enter(f, w->flow);
	return true;
}

static void end_time_wait(struct toe_fpc *f, uint32_t i)
{
	toe_endpoint_count(f, f->tw.e[i].endpoint, -1);
	toe_tw_free(&f->tw, i);
}

/* A new connection has the place of one in TIME_WAIT. */
static void reuse_time_wait(struct toe_fpc *f, uint32_t i)
{
	toe_count(f, TOE_CNT_time_wait_reused);
	end_time_wait(f, i);
}

/* RFC 6191: above all that the old connection used. */
static void lift_isn(uint32_t *isn, const struct toe_tw_entry *e)
{
	if ((int32_t)(*isn - e->w.snd_nxt) <= 0)
		*isn = e->w.snd_nxt + 128 * 1024;
}

/* Does this ACK bring back a cookie of ours? Then `syn` is what it was given for. */
static bool cookie_of(struct toe_fpc *f, const struct toe_rx *rx, struct toe_seg *syn)
{
	return f->now <= *f->cookie_until &&
	       (rx->seg.flags & (TOE_SYN | TOE_ACK | TOE_RST)) == TOE_ACK &&
	       toe_cookie_check(f->ctrl->key, &rx->tuple, &rx->seg, f->now, syn);
}

void toe_sched_reopen(struct toe_fpc *f, struct toe_work *w, const struct toe_rx *rx)
{
	const struct toe_endpoint *ep = &f->ctrl->endpoint[w->e->endpoint];
	uint32_t label = w->t->flow_label;
	struct toe_seg syn;
	struct toe_open o;

	/* Of the same SYN: else it is an earlier connection's. */
	if (rx->seg.ack == (uint32_t)w->t->snd_first || rx->seg.seq != (uint32_t)w->t->rcv_first ||
	    !cookie_of(f, rx, &syn) || !toe_rx_checksum(rx, f->ctrl->dev[rx->dev].software))
		return;
	passive_params(f, rx, ep, rx->seg.ack - 1, &o);
	w->act |= toe_tcp_open_answered(w->t, &o, &syn, f->now);
	place_passive(w, ep, rx);
	w->t->endpoint = w->e->endpoint;
	w->t->app = w->e->app;
	w->t->dev = w->e->tuple.dev;
	w->t->flow_label = label;
	toe_count(f, TOE_CNT_cookies_opened);
}

/*
 * RFC 9293 3.6.1: is the SYN that a cookie was given for none that could follow the connection in
 * TIME_WAIT? Then it was that connection's own, and the network has kept its ACK back.
 */
static bool is_of_the_past(const struct toe_fpc *f, uint32_t tw, const struct toe_seg *syn)
{
	struct toe_out o;

	return tw != TOE_TW_NONE && toe_tw_input(&f->tw.e[tw].w, syn, f->now, &o) != TOE_TW_NEW_SYN;
}

/*
 * The last ACK of a handshake that a SYN cookie began: the flow is born as if it had been there all
 * the time, and the segment goes on to it; `tw`: an earlier connection's TIME_WAIT entry. False: it
 * is none, and to be answered as such.
 */
static bool open_by_cookie(struct toe_fpc *f, struct toe_rx *rx, uint64_t hash, uint32_t tw)
{
	const struct toe_endpoint *ep;
	struct toe_work *w;
	struct toe_seg syn;
	struct toe_open o;
	uint32_t epi;

	if (f->now > *f->cookie_until || (rx->seg.flags & (TOE_SYN | TOE_ACK | TOE_RST)) != TOE_ACK)
		return false;
	epi = find_endpoint(f, rx);
	if (epi == TOE_MAX_ENDPOINTS)
		return false;
	if (!cookie_of(f, rx, &syn)) {
		toe_count(f, TOE_CNT_cookies_refused);
		/* It may stand behind the one that does bring the cookie, which will come again. */
		return tw == TOE_TW_NONE && (rx->seg.len || rx->seg.flags & TOE_FIN);
	}
	if (is_of_the_past(f, tw, &syn))
		return false;
	ep = &f->ctrl->endpoint[epi];
	if (!listening(f, rx, ep))
		return true;
	/* With a full queue it is half-open for a while: its SYN-ACK goes again. */
	if (toe_backlog_full(f, ep->app, ep->listener) &&
	    toe_half_open_full(f, ep->app, ep->listener)) {
		toe_count(f, TOE_CNT_drop_backlog);
		return true;
	}
	w = toe_flow_new(f, ep->app, &rx->tuple, hash, (uint16_t)epi);
	if (!w) {
		toe_count(f, TOE_CNT_drop_no_flow_id);
		return true;
	}
	passive_params(f, rx, ep, rx->seg.ack - 1, &o);
	w->act |= toe_tcp_open_answered(w->t, &o, &syn, f->now);
	place_passive(w, ep, rx);
	toe_flow_born(f, w);
	toe_backlog_enter(f, w->flow, true);
	toe_count(f, TOE_CNT_cookies_opened);
	if (tw != TOE_TW_NONE)
		reuse_time_wait(f, tw);
	toe_fpc_input(f, w->flow, rx);
	return true;
}

/*
 * A segment of a connection in TIME_WAIT. True: it is a SYN that may open a new one, whose ISN must
 * be at least *isn.
 */
static bool time_wait_input(struct toe_fpc *f, uint32_t i, const struct toe_rx *rx, uint32_t *isn)
{
	struct toe_tw_entry *e = &f->tw.e[i];
	struct toe_out o;
	enum toe_tw_verdict v = toe_tw_input(&e->w, &rx->seg, f->now, &o);

	switch (v) {
	case TOE_TW_ACK_RESTART:
		toe_tw_restart(&f->tw, i, f->now);
		toe_gen_reply(f, rx, &o);
		return false;
	case TOE_TW_ACK:
		if (toe_tw_answers(e, f->now))
			toe_gen_reply(f, rx, &o);
		else
			toe_count(f, TOE_CNT_answers_held_back);
		return false;
	case TOE_TW_NEW_SYN:
		lift_isn(isn, e);
		return true;
	case TOE_TW_DROP:
		break;
	}
	return false;
}

/*
 * From another host, and to us alone: neither multicast, broadcast nor unspecified, not our own
 * address, and no loopback address, whose bearer applications trust. The rest is never answered (RFC
 * 9293 3.9.2.3, RFC 1122 3.2.1.3, 4.2.3.10, RFC 4291 2.5).
 */
static bool from_a_host(const struct toe_rx *rx)
{
	static const uint8_t none[12];
	const struct toe_tuple *t = &rx->tuple;

	if (rx->eth[0] & 1 || !memcmp(t->laddr, t->raddr, sizeof(t->laddr)))
		return false;
	if (!toe_addr_is_v4(t->raddr)) /* :: and ::1 are in ::/96, where no host is any more */
		return t->raddr[0] != 0xff && memcmp(t->raddr, none, sizeof(none));
	return t->raddr[12] && t->raddr[12] != 127 && t->raddr[12] < 224;
}

/* A segment without a flow. */
static void no_flow(struct toe_fpc *f, struct toe_rx *rx, uint64_t hash)
{
	bool syn = (rx->seg.flags & (TOE_SYN | TOE_ACK | TOE_RST)) == TOE_SYN;
	uint32_t isn = toe_isn(f->ctrl->key, &rx->tuple, f->now);
	uint32_t tw, ep;

	if (!from_a_host(rx)) {
		toe_count(f, TOE_CNT_drop_parse);
		return;
	}

	if (!toe_rx_checksum(rx, f->ctrl->dev[rx->dev].software)) {
		toe_count(f, TOE_CNT_drop_checksum);
		return;
	}
	tw = toe_tw_find(&f->tw, hash, &rx->tuple);
	if (open_by_cookie(f, rx, hash, tw))
		return;
	if (tw != TOE_TW_NONE && !time_wait_input(f, tw, rx, &isn))
		return;
	ep = syn ? find_endpoint(f, rx) : TOE_MAX_ENDPOINTS;
	if (ep == TOE_MAX_ENDPOINTS)
		refuse(f, rx);
	else if (open_passive(f, rx, hash, ep, isn) && tw != TOE_TW_NONE)
		reuse_time_wait(f, tw);
}

/* To the FPC that the hash names. */
bool toe_sched_hand_on(struct toe_fpc *f, const struct toe_frame *fr, unsigned to)
{
	if (!toe_port_forward(f->port, f->id, to, fr)) {
		toe_count(f, TOE_CNT_drop_forward_full);
		return false;
	}
	toe_count(f, TOE_CNT_rx_forwarded);
	return true;
}

bool toe_sched_frame(struct toe_fpc *f, struct toe_frame *fr)
{
	struct toe_rx rx;
	uint64_t hash;
	uint32_t flow;
	int drop;

	drop = fr->dev < TOE_MAX_DEVS ? toe_rx_parse(fr, &rx) : TOE_CNT_drop_parse;
	if ((!drop || drop == TOE_CNT_drop_icmp) && !toe_link_up(f->ctrl, fr->dev, rx.tuple.vlan))
		drop = TOE_CNT_drop_link_down;
	if (drop == TOE_CNT_drop_icmp)
		return toe_icmp_frame(f, fr, &rx);
	if (drop) {
		toe_count(f, (enum toe_counter)drop);
		return false;
	}
	if (rx.reparsed)
		toe_count(f, TOE_CNT_rx_reparsed);
	flow = flow_from_meta(f, &rx);
	if (flow == TOE_FLOW_NONE) {
		unsigned to;

		hash = toe_flow_hash(f->ctrl->key, &rx.tuple);
		to = toe_hash_fpc(hash, f->nfpcs);
		if (to != f->id)
			return toe_sched_hand_on(f, fr, to);
		flow = toe_index_find(f, hash, &rx.tuple);
		if (flow == TOE_FLOW_NONE) {
			no_flow(f, &rx, hash);
			return false;
		}
	}
	if (!toe_fpc_input(f, flow, &rx)) {
		toe_fpc_flush(f);
		no_flow(f, &rx, toe_flow_hash(f->ctrl->key, &rx.tuple));
	}
	return false;
}

/* A grant that this application may use here now. */
static bool grant_ok(const struct toe_fpc *f, const struct toe_grant *g, unsigned app,
		     uint64_t hash)
{
	return g->app == app && g->fpc == f->id && g->tuple.dev < TOE_MAX_DEVS &&
	       toe_hash_fpc(hash, f->nfpcs) == f->id &&
	       (g->nh < TOE_MAX_NEXT_HOPS || g->nh == TOE_NH_NONE);
}

/*
 * May a new connection take the place of one in TIME_WAIT? With timestamps, after a second (RFC
 * 6191, seen from the other side).
 */
static bool displace_time_wait(struct toe_fpc *f, uint64_t hash, const struct toe_tuple *t,
			       uint32_t *isn)
{
	uint32_t i = toe_tw_find(&f->tw, hash, t);
	const struct toe_tw_entry *e;

	if (i == TOE_TW_NONE)
		return true;
	e = &f->tw.e[i];
	if (!e->w.ts || e->expires > f->now + TOE_TW_TIME_US - 1000000)
		return false;
	lift_isn(isn, e);
	reuse_time_wait(f, i);
	return true;
}

static void begin_active(struct toe_fpc *f, struct toe_work *w, const struct toe_grant *g,
			 uint32_t isn, unsigned ctx, uint32_t cookie)
{
	struct toe_open o;

	open_params(f, &g->tuple, g->mtu, isn, &o);
	copy_opts(&o.opts, toe_arena_grant_opts(w->arena, (uint32_t)(g - f->ctrl->grant)));
	toe_fast_active(f, &g->tuple, &o);
	w->act |= toe_tcp_open_active(w->t, &o, f->now);
	w->t->nh = g->nh;
	w->t->cookie = cookie;
	w->t->listener = 0xffff;
	w->e->accepted = 1;
	/*
	 * The application's word, but it does not know the flow yet, and a successor must know whom
	 * to tell.
	 */
	toe_store(&w->b->app.ctx, ctx);
	toe_flow_born(f, w);
	if (g->nh != TOE_NH_NONE && toe_nh_state(f, g->nh) != TOE_NH_VALID)
		toe_fpc_pend(f, w->flow, TOE_PEND_NH);
	toe_count(f, TOE_CNT_active_opens);
}

int toe_sched_connect(struct toe_fpc *f, unsigned app, unsigned ctx, uint32_t grant,
		      uint32_t cookie, uint32_t *flow)
{
	struct toe_grant *g = grant < TOE_MAX_GRANTS ? &f->ctrl->grant[grant] : NULL;
	struct toe_work *w;
	uint64_t hash;
	uint32_t isn;

	if (!g || toe_load_acquire(&g->state) == TOE_GRANT_FREE)
		return -EINVAL;
	hash = toe_flow_hash(f->ctrl->key, &g->tuple);
	if (!grant_ok(f, g, app, hash))
		return -EINVAL;
	*flow = toe_index_find(f, hash, &g->tuple);
	if (*flow != TOE_FLOW_NONE) {
		/* The command again, after a restart that came before its ring's tail moved? */
		w = f->ent[*flow].app == app ? toe_fpc_open(f, *flow) : NULL;
		if (!w || w->t->cookie != cookie || w->t->flags & TOE_TCB_PASSIVE)
			return -EADDRNOTAVAIL;
	} else {
		if (g->state != TOE_GRANT_READY || f->resetting)
			return -EINVAL;
		isn = toe_isn(f->ctrl->key, &g->tuple, f->now);
		if (!displace_time_wait(f, hash, &g->tuple, &isn))
			return -EADDRNOTAVAIL;
		w = toe_flow_new(f, app, &g->tuple, hash, 0xffff);
		if (!w)
			return -ENOBUFS;
		*flow = w->flow;
		begin_active(f, w, g, isn, ctx, cookie);
	}
	toe_soft(f, *flow)->ctx = (uint8_t)ctx;
	toe_store_release(&g->state, TOE_GRANT_USED);
	return 0;
}

unsigned toe_sched_time_wait(struct toe_fpc *f)
{
	unsigned n = 0;
	uint32_t i;

	while (n < TOE_TIMER_BURST && (i = toe_tw_oldest(&f->tw)) != TOE_TW_NONE &&
	       f->tw.e[i].expires <= f->now) {
		end_time_wait(f, i);
		n++;
	}
	return n;
}

void toe_sched_enter_time_wait(struct toe_fpc *f, const struct toe_work *w)
{
	uint64_t hash = (uint64_t)w->e->hash_hi << 32 | w->e->hash_lo;
	struct toe_tw_entry *e;
	uint32_t i;

	/*
	 * After a restart it may already be there, or an earlier connection's that this one
	 * replaced.
	 */
	i = toe_tw_find(&f->tw, hash, &w->e->tuple);
	if (i != TOE_TW_NONE)
		end_time_wait(f, i);
	if (toe_tw_alloc(&f->tw) == TOE_TW_NONE) {
		end_time_wait(f, toe_tw_oldest(&f->tw));
		toe_count(f, TOE_CNT_time_wait_evicted);
	}
	i = toe_tw_alloc(&f->tw);
	e = &f->tw.e[i];
	e->hash = hash;
	e->tuple = w->e->tuple;
	e->endpoint = w->e->endpoint;
	toe_tw_from_tcb(&e->w, w->t, f->now);
	toe_tw_commit(&f->tw, i, f->now);
	toe_endpoint_count(f, e->endpoint, 1);
	toe_count(f, TOE_CNT_time_wait_entered);
}
