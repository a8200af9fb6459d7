/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts: memory, steering of arriving frames, polling, death and restart, and the checks at the
 * end.
 */
#define _GNU_SOURCE
#include "kill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../core/fpc.h"
#include "../../lib/flow_hash.h"
#include "../../wire/tcp.h"
#include "../../wire/checksum.h"

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static size_t state_size(const struct sim_conf *c)
{
	return toe_engine_state_size(c->nfpcs, c->tcb_cache, c->nflows);
}

enum { BUCKETS_PER_FLOW_INV = 2, MIN_BUCKETS = 64 };

static void set_up_ctrl(struct toe_port *p)
{
	struct toe_ctrl *c = p->ctrl;
	uint32_t buckets = MIN_BUCKETS;

	while (buckets < p->conf.nflows / BUCKETS_PER_FLOW_INV)
		buckets *= 2;
	c->magic = TOE_CTRL_MAGIC;
	c->version = TOE_ABI_VERSION;
	c->nfpcs = p->conf.nfpcs;
	c->nflows = p->conf.nflows;
	c->tcb_cache = p->conf.tcb_cache;
	c->nbuckets = buckets;
	c->key[0] = sim_random(p->w);
	c->key[1] = sim_random(p->w);
	c->rcvbuf_max = p->conf.rcvbuf_max;
	c->sndbuf_max = p->conf.sndbuf_max;
	c->app_buffers = p->conf.app_buffers;
	c->big_slots = p->conf.big_slots;
	c->port_lo = 32768;
	c->port_hi = 60999;
	c->dev[0].ifindex = 1;
	c->dev[0].mtu = p->conf.mtu;
	c->dev[0].software = p->conf.steer == SIM_STEER_PARTIAL;
	c->dev[0].nqueues = (uint8_t)p->conf.nfpcs;
	memcpy(c->dev[0].mac, (uint8_t[]){ 2, 0, 0, 0, 0, p->conf.addr }, 6);
	p->index = map(buckets * sizeof(*p->index));
}

static int start_fpcs(struct toe_port *p)
{
	int err = 0;

	for (unsigned i = 0; i < p->conf.nfpcs && !err; i++)
		err = toe_fpc_init(p->fpc[i], p, p->state, i);
	return err;
}

struct toe_port *sim_host(struct sim_world *w, const struct sim_conf *conf)
{
	struct toe_port *p = calloc(1, sizeof(*p));

	p->w = w;
	p->conf = *conf;
	if (!p->conf.big_slots)
		p->conf.big_slots = SIM_BIG_SLOTS;
	p->ctrl = map(sizeof(*p->ctrl));
	p->ent = map(conf->nflows * sizeof(*p->ent));
	p->state = map(state_size(conf));
	p->stats = calloc(TOE_MAX_FPCS, sizeof(*p->stats));
	p->frames = map((size_t)SIM_FRAMES * SIM_FRAME_SIZE);
	for (unsigned i = 0; i < SIM_FRAMES; i++)
		p->free[p->nfree++] = i;
	set_up_ctrl(p);
	for (unsigned i = 0; i < conf->nfpcs; i++)
		p->fpc[i] = map(toe_fpc_size());
	w->host[w->nhosts++] = p;
	if (start_fpcs(p))
		abort();
	return p;
}

static void host_free(struct toe_port *p)
{
	for (unsigned i = 0; i < p->conf.nfpcs; i++)
		munmap(p->fpc[i], toe_fpc_size());
	for (unsigned i = 0; i < TOE_MAX_APPS; i++)
		if (p->arena[i])
			munmap(p->arena[i], toe_arena_size(p->conf.big_slots));
	munmap(p->index, p->ctrl->nbuckets * sizeof(*p->index));
	munmap(p->ctrl, sizeof(*p->ctrl));
	munmap(p->ent, p->conf.nflows * sizeof(*p->ent));
	munmap(p->state, state_size(&p->conf));
	munmap(p->frames, (size_t)SIM_FRAMES * SIM_FRAME_SIZE);
	free(p->stats);
	free(p);
}

void sim_free(struct sim_world *w)
{
	sim_drop_frames(w);
	for (unsigned i = 0; i < w->nhosts; i++)
		host_free(w->host[i]);
	free(w);
}

void sim_join(struct toe_port *a, struct toe_port *b, const struct sim_link *link)
{
	a->peer = b;
	b->peer = a;
	a->link = b->link = *link;
	a->link.seed = sim_random(a->w);
	b->link.seed = sim_random(b->w);
}

/* What the XDP program would have found: the index hit, or the endpoint. */
static void find_meta(const struct toe_port *p, const struct toe_rx *rx, uint64_t hash,
		      struct toe_meta *m)
{
	for (unsigned c = 0; c < 2; c++) {
		const struct toe_bucket *b =
		    &p->index[toe_hash_bucket(hash, c, p->ctrl->nbuckets, p->conf.nfpcs)];

		for (unsigned i = 0; i < TOE_BUCKET_SLOTS; i++) {
			uint32_t flow = (uint32_t)b->slot[i];

			if (!b->slot[i] || flow >= p->conf.nflows ||
			    memcmp(&p->ent[flow].tuple, &rx->tuple, sizeof(rx->tuple)))
				continue;
			m->flags = TOE_META_FLOW;
			m->flow = flow;
			m->gen = (uint16_t)(b->slot[i] >> 32);
			return;
		}
	}
	for (uint32_t i = 0; i < TOE_MAX_ENDPOINTS; i++) {
		const struct toe_endpoint *ep = &p->ctrl->endpoint[i];

		if (ep->state == TOE_EP_FREE || ep->port != rx->tuple.lport)
			continue;
		m->flags = TOE_META_ENDPOINT;
		m->flow = i;
		return;
	}
}

/*
 * Leave the checksum as a kernel does whose device would complete it: only on frames that were
 * right.
 */
static void make_partial(struct toe_rx *rx)
{
	if (toe_rx_checksum(rx, false))
		((struct toe_tcph *)rx->tcp)->check = toe_csum_fold(rx->pseudo);
}

/* The XDP program's part. False: it drops the frame. */
static bool steer(struct toe_port *p, struct toe_frame *f, unsigned *fpc)
{
	struct toe_meta m = { .magic = TOE_META_WORD };
	struct toe_rx rx;
	uint64_t hash;
	int drop;

	if (p->conf.steer == SIM_STEER_RAW) {
		*fpc = sim_below(p->w, p->conf.nfpcs);
		return true;
	}
	drop = toe_rx_parse(f, &rx);
	if (drop == TOE_CNT_drop_icmp) /* to any: they hand it on */
		*fpc = sim_below(p->w, p->conf.nfpcs);
	if (drop)
		return drop == TOE_CNT_drop_icmp;
	if (p->conf.steer == SIM_STEER_PARTIAL)
		make_partial(&rx);
	hash = toe_flow_hash(p->ctrl->key, &rx.tuple);
	m.payload_off = (uint16_t)(rx.payload - f->data);
	m.payload_len = (uint16_t)rx.seg.len;
	m.hash_hi = (uint32_t)(hash >> 32);
	m.hash_lo = (uint32_t)hash;
	find_meta(p, &rx, hash, &m);
	*fpc = m.flags & TOE_META_FLOW ? p->ent[m.flow].fpc : toe_hash_fpc(hash, p->conf.nfpcs);
	memcpy(f->data - sizeof(m), &m, sizeof(m));
	f->meta = 1;
	return true;
}

/* Into as many of the free frames as it takes; they stay free until the packet is queued. */
static unsigned scatter(struct toe_port *p, struct toe_frame *f, const uint8_t *packet,
			uint32_t len)
{
	unsigned n = 0;

	for (uint32_t at = 0; at < len; n++) {
		uint32_t part = len - at < SIM_ROOM ? len - at : SIM_ROOM;

		if (n == p->nfree || n == TOE_FRAME_PIECES)
			return 0;
		f[n] = (struct toe_frame){ .id = p->free[p->nfree - 1 - n], .len = part };
		f[n].data = p->frames + (size_t)f[n].id * SIM_FRAME_SIZE + SIM_HEADROOM;
		memcpy(f[n].data, packet + at, part);
		at += part;
	}
	f[0].more = (uint8_t)(n - 1);
	return n;
}

void sim_receive(struct toe_port *p, const uint8_t *packet, uint32_t len)
{
	struct toe_frame f[TOE_FRAME_PIECES];
	unsigned fpc, n = scatter(p, f, packet, len);

	if (!n || !steer(p, f, &fpc) || p->rx[fpc].head - p->rx[fpc].tail + n > SIM_QUEUE)
		return;
	p->nfree -= n;
	for (unsigned i = 0; i < n; i++)
		p->rx[fpc].f[p->rx[fpc].head++ % SIM_QUEUE] = f[i];
}

/* Is there more to do than to find that there is nothing? */
static bool has_work(struct toe_port *p, unsigned fpc)
{
	uint64_t due = toe_fpc_deadline(p->fpc[fpc]);

	return p->rx[fpc].head != p->rx[fpc].tail || toe_host_pending(p->fpc[fpc]) ||
	       (due && due <= p->w->now + 1000);
}

enum { LOOKED_AT = 64 };

/* TCBs as the batch left them; of a large cache some each time. */
static void check_slots(const struct toe_fpc *f)
{
	const struct toe_cache *c = &f->cache;
	uint32_t n = c->n < LOOKED_AT ? c->n : LOOKED_AT, first = (uint32_t)f->batch * n;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t slot = (first + i) % c->n;

		if (c->owner[slot] != TOE_FLOW_NONE && !toe_cache_sound(&c->slot[slot])) {
			fprintf(stderr, "flow %u: toe_tcb_cold was forgotten\n", c->owner[slot]);
			abort();
		}
	}
}

/* One batch, which may be the last of this life of the firmware. */
static unsigned poll_one(struct toe_port *p, unsigned fpc)
{
	unsigned n;

	if (setjmp(p->crash)) {
		sim_kill_end(p);
		if (sim_restart(p))
			abort();
		return 1;
	}
	p->can_crash = true;
	if (p->kill_in && has_work(p, fpc))
		sim_kill_begin(p);
	n = toe_fpc_poll(p->fpc[fpc]);
	sim_kill_end(p);
	p->can_crash = false;
	check_slots(p->fpc[fpc]);
	return n;
}

unsigned sim_poll(struct toe_port *p, unsigned rounds)
{
	unsigned all = 0;

	if (p->ntx) /* what the device has kept */
		toe_port_tx_kick(p, 0);
	for (unsigned i = 0; i < p->conf.nfpcs; i++) {
		for (unsigned r = 0; r < rounds; r++) {
			unsigned n = poll_one(p, i);

			all += n;
			if (!n)
				break;
		}
	}
	return all;
}

int sim_restart(struct toe_port *p)
{
	p->can_crash = false;
	for (unsigned i = 0; i < p->conf.nfpcs; i++)
		memset(p->fpc[i], 0xa5, toe_fpc_size());
	p->ntrimmed = 0;
	sim_reclaim_frames(p);
	return start_fpcs(p);
}

unsigned sim_frames_missing(const struct toe_port *p)
{
	unsigned n = p->nfree + p->ntx;

	for (unsigned k = 0; k < p->conf.nfpcs; k++) {
		n += p->rx[k].head - p->rx[k].tail;
		for (unsigned d = 0; d < TOE_MAX_DEVS; d++)
			n += p->fpc[k]->spare[d].n;
	}
	return SIM_FRAMES - n;
}

static const char *fpc_leak(const struct toe_fpc *f)
{
	unsigned ids = 0;

	for (uint32_t i = 0; i < f->nflows; i++) {
		if (f->ent[i + f->first].life == TOE_LIFE_LIVE)
			return "a flow id";
		ids += !toe_list_empty(f->ids, i);
		if (!toe_list_empty(f->retry, i))
			return "an entry of the retry list";
	}
	if (ids + f->ntrim != f->nflows)
		return "a flow id of the free list";
	if (f->cache.nfree != f->cache.n)
		return "a TCB slot";
	for (unsigned a = 0; a < TOE_MAX_APPS; a++)
		if (f->big[a].bytes || toe_big_free(f, a) != f->ctrl->big_slots / f->nfpcs)
			return "a big slot";
	if (f->wheel.armed)
		return "a timer";
	if (f->tw.used)
		return "a TIME_WAIT entry";
	for (unsigned i = 0; i < TOE_MAX_ENDPOINTS; i++)
		if (f->endpoint_flows[i])
			return "an endpoint's flow";
	for (unsigned a = 0; a < TOE_MAX_APPS; a++)
		for (unsigned l = 0; l < TOE_MAX_LISTENERS; l++)
			if (f->pending[f->id][a * TOE_MAX_LISTENERS + l].half ||
			    f->pending[f->id][a * TOE_MAX_LISTENERS + l].queued ||
			    f->pending[f->id][a * TOE_MAX_LISTENERS + l].fast)
				return "a place in a backlog";
	for (uint32_t b = f->id * (f->nbuckets / f->nfpcs);
	     b < (f->id + 1) * (f->nbuckets / f->nfpcs); b++)
		for (unsigned i = 0; i < TOE_BUCKET_SLOTS; i++)
			if (f->index[b].slot[i])
				return "an index entry";
	return NULL;
}

const char *sim_leak(const struct toe_port *p)
{
	const char *leak = NULL;

	for (unsigned i = 0; i < p->conf.nfpcs && !leak; i++)
		leak = fpc_leak(p->fpc[i]);
	return leak ? leak : sim_frames_missing(p) ? "a frame" : NULL;
}

const struct toe_tcb *sim_tcb(const struct toe_port *p, uint32_t flow)
{
	static struct toe_tcb_whole whole;
	const struct toe_tcb *t = toe_engine_peek(p->state, p->ctrl, &p->ent[flow]);

	if (t != (const struct toe_tcb *)p->ent[flow].tcb)
		return t;
	toe_tcb_unpack(&whole.t, p->ent[flow].tcb);
	return &whole.t;
}

/*
 * The device has taken nothing for so long that each flow has asked it alone. Who waits for it, with
 * nothing in flight that has a timer, must not wait for ever.
 */
static bool waits_for_ever(const struct toe_port *p, const struct toe_tcb *t)
{
	enum { ASKED_US = 10000 };
	bool waits = t->state < TOE_TCP_ESTABLISHED
			 ? t->state != TOE_TCP_CLOSED && !(t->opts & TOE_TCB_SYN_HELD)
			 : t->snd_una < t->snd_end + !!(t->flags & TOE_TCB_FIN_QUEUED);

	return p->w->now < p->device.until && p->w->now - p->device.since > ASKED_US && waits &&
	       !(t->rto_at | t->pace_at);
}

/*
 * Between batches: what may leave but has not is asked for again, and each deadline has a timer. Else
 * it would wait for what perhaps never comes.
 */
static const char *forgotten(const struct toe_port *p, uint32_t flow, const struct toe_tcb *t)
{
	struct toe_fpc *f = p->fpc[p->ent[flow].fpc];
	const struct toe_soft *s = toe_soft(f, flow);
	static struct toe_tcb_whole copy;
	struct toe_out o;

	if (s->kind != TOE_SOFT_LIVE)
		return NULL;
	if (toe_tcp_deadline(t) && !f->wheel.due[flow - f->first])
		return "a deadline without a timer";
	if (s->pend & TOE_PEND_NH)
		return NULL;
	if (waits_for_ever(p, t))
		return "what waits for the device has no timer";
	if (t->pace_at || s->pend & (TOE_PEND_OUTPUT | TOE_PEND_TAKEN))
		return NULL;
	if (t->lost && p->conf.tcb_cache < p->conf.nflows)
		return NULL; /* spilled, it has joined ranges: more may count as lost than did */
	toe_tcb_copy(&copy.t, t);
	return toe_tcp_output(&copy.t, f->now, &o) ? "a segment that nobody asks for" : NULL;
}

const char *sim_check(const struct toe_port *p)
{
	for (uint32_t i = 0; i < p->conf.nflows; i++) {
		const struct toe_tcb *t = sim_tcb(p, i);
		const char *bad = t ? toe_tcb_check(t) : NULL;

		if (t && !bad)
			bad = forgotten(p, i, t);
		if (bad)
			return bad;
	}
	return NULL;
}

uint64_t sim_count(const struct toe_port *p, enum toe_counter c)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < p->conf.nfpcs; i++)
		n += p->stats[i][c];
	return n;
}
