/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two TCBs, their applications and a bad network between them, in virtual time. Everything follows
 * from a seed. The applications act only on what toe_tcp_* reports: a notification that is missing
 * hangs the run.
 */
#ifndef TOE_TESTS_TCP_PAIR_H
#define TOE_TESTS_TCP_PAIR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/tcp/tcp.h"

enum { PAIR_BUF_MAX = 262144, PAIR_FLIGHT = 4096, PAIR_MTU_MAX = 1500 };

struct packet {
	uint64_t at;
	uint64_t order; /* ties: first sent, first received */
	int to;
	struct toe_out o;
	uint8_t data[PAIR_MTU_MAX];
};

struct end {
	struct toe_tcb t;
	struct toe_tcb_lists lists; /* its own: they follow it */
	bool open, gone, time_wait, established, peer_fin;
	int error;
	uint8_t *tx, *rx;
	/* The application. */
	uint64_t total; /* bytes it will write */
	uint64_t wrote, read;
	uint64_t app_at; /* when it looks next, 0 = it waits for a notification */
	bool wants_space, shut, closed;
	/* 1: shutdown, then close at the peer's FIN; 0: close once all is written and read. */
	uint8_t shut_first;
	uint64_t sent_segments, rexmits, acks, rtos, fasts;
};

struct pair {
	uint64_t now, rng, order;
	struct end e[2];
	struct packet *flight[PAIR_FLIGHT];
	unsigned nflight;
	/* The network: probabilities of 1/65536, microseconds. */
	uint32_t loss, dup, reorder;
	uint32_t delay, jitter;
	uint32_t rate; /* microseconds a packet; 0: any */
	uint32_t app_delay; /* an application comes this late at most */
	uint32_t app_chunk; /* bytes it reads or writes at once at most */
	uint8_t strip; /* enum toe_seg_opts taken out of SYNs */
	uint64_t busy[2];
	bool verbose, stop;
	char fail[200];
};

static inline uint32_t pair_rnd(struct pair *p, uint32_t below)
{
	p->rng ^= p->rng << 13;
	p->rng ^= p->rng >> 7;
	p->rng ^= p->rng << 17;
	return below ? (uint32_t)((p->rng >> 11) % below) : 0;
}

static inline bool pair_chance(struct pair *p, uint32_t of65536)
{
	return pair_rnd(p, 65536) < of65536;
}

/* Byte `pos` of the stream that end `i` sends. */
static inline uint8_t pair_byte(int i, uint64_t pos)
{
	uint64_t x = (pos + 1) * 0x9e3779b97f4a7c15ull + (uint64_t)i * 77;

	return (uint8_t)(x >> 37);
}

#define PAIR_FAIL(p, ...) \
	do { \
		if (!(p)->fail[0]) \
			snprintf((p)->fail, sizeof((p)->fail), __VA_ARGS__); \
	} while (0)

static inline void pair_check(struct pair *p, int i, const char *when)
{
	const char *broken = toe_tcb_check(&p->e[i].t);

	if (broken)
		PAIR_FAIL(p, "end %d after %s at %llu: %s", i, when, (unsigned long long)p->now,
			  broken);
}

static inline void pair_trace(struct pair *p, int from, const struct toe_out *o, const char *fate)
{
	if (!p->verbose)
		return;
	printf("%10llu %d> %s%s%s%s%s seq %u len %u ack %u wnd %u%s %s\n",
	       (unsigned long long)p->now, from, o->flags & TOE_SYN ? "S" : "",
	       o->flags & TOE_FIN ? "F" : "", o->flags & TOE_RST ? "R" : "",
	       o->flags & TOE_ACK ? "A" : "", o->flags & TOE_PSH ? "P" : "",
	       o->seq - (uint32_t)p->e[from].t.snd_first, o->len,
	       o->ack - (uint32_t)p->e[from].t.rcv_first, o->wnd, o->rexmit ? " again" : "", fate);
}

static inline void pair_enqueue(struct pair *p, int to, const struct toe_out *o,
				const uint8_t *data)
{
	struct packet *k;

	if (p->nflight == PAIR_FLIGHT)
		return;
	k = malloc(sizeof(*k));
	k->at = p->now + p->delay + pair_rnd(p, p->jitter);
	if (p->rate) {
		if (p->busy[to] < k->at)
			p->busy[to] = k->at;
		p->busy[to] += p->rate;
		k->at = p->busy[to];
	}
	if (pair_chance(p, p->reorder))
		k->at += pair_rnd(p, 4 * p->delay + 1000);
	k->order = p->order++;
	k->to = to;
	k->o = *o;
	memcpy(k->data, data, o->len);
	p->flight[p->nflight++] = k;
}

static inline void pair_send(struct pair *p, int from, const struct toe_out *o)
{
	struct end *e = &p->e[from];
	uint8_t data[PAIR_MTU_MAX];

	e->sent_segments += o->len > 0;
	e->acks += !o->len;
	e->rexmits += o->rexmit;
	if (o->len + o->opt_len + e->t.ip_hdr + 20u > (e->t.mtu_probe ? e->t.mtu_probe : e->t.mtu))
		PAIR_FAIL(p, "end %d sends %u bytes, mtu %u", from, o->len, e->t.mtu);
	if (o->pos + o->len > e->wrote && o->len)
		PAIR_FAIL(p, "end %d sends beyond what was written", from);
	for (uint32_t i = 0; i < o->len; i++)
		data[i] = e->tx[(o->pos + i) & (PAIR_BUF_MAX - 1)];
	if (pair_chance(p, p->loss)) {
		pair_trace(p, from, o, "lost");
		return;
	}
	pair_trace(p, from, o, "");
	pair_enqueue(p, !from, o, data);
	if (pair_chance(p, p->dup))
		pair_enqueue(p, !from, o, data);
}

static inline void pair_output(struct pair *p, int i)
{
	struct end *e = &p->e[i];
	struct toe_out o;
	unsigned n = 0;

	while (!e->gone && toe_tcp_output(&e->t, p->now, &o)) {
		pair_send(p, i, &o);
		if (o.last)
			e->gone = true;
		if (++n > 2000) {
			PAIR_FAIL(p, "end %d never stops sending", i);
			return;
		}
	}
	pair_check(p, i, "output");
}

static inline void pair_wake(struct pair *p, struct end *e)
{
	uint64_t at = p->now + 1 + pair_rnd(p, p->app_delay);

	if (!e->app_at || at < e->app_at)
		e->app_at = at;
}

static inline void pair_act(struct pair *p, int i, uint32_t act)
{
	struct end *e = &p->e[i];

	e->rtos += !!(act & TOE_ACT_C_RTO);
	e->fasts += !!(act & TOE_ACT_C_FAST_REXMIT);
	if (act & TOE_ACT_ESTABLISHED) {
		if (e->established)
			PAIR_FAIL(p, "end %d established twice", i);
		e->established = true;
	}
	if (act & TOE_ACT_PEER_FIN)
		e->peer_fin = true;
	if (act & TOE_ACT_TX_SPACE)
		e->wants_space = false;
	if (act & TOE_ACT_ERROR)
		e->error = e->t.error;
	if (act & (TOE_ACT_ESTABLISHED | TOE_ACT_PEER_FIN | TOE_ACT_TX_SPACE | TOE_ACT_RX))
		pair_wake(p, e);
	pair_check(p, i, "event");
	if (act & TOE_ACT_OUTPUT)
		pair_output(p, i);
	if (act & (TOE_ACT_FREE | TOE_ACT_TIME_WAIT))
		e->gone = true;
	if (act & TOE_ACT_TIME_WAIT)
		e->time_wait = true;
}

static inline void pair_seg(struct toe_seg *s, const struct toe_out *o)
{
	memset(s, 0, sizeof(*s));
	toe_opts_parse(o->opt, o->opt_len, s);
	s->seq = o->seq;
	s->ack = o->ack;
	s->len = o->len;
	s->wnd = o->wnd;
	s->flags = o->flags;
}

/*
 * What an endpoint without TCB answers: TIME_WAIT is not played here, its last ACK comes from the
 * old TCB.
 */
static inline void pair_input_gone(struct pair *p, int i, const struct toe_seg *s)
{
	struct end *e = &p->e[i];
	struct toe_out o;
	struct toe_tw w;

	if (e->time_wait) {
		toe_tw_from_tcb(&w, &e->t, p->now);
		if (toe_tw_input(&w, s, p->now, &o) != TOE_TW_DROP)
			pair_send(p, i, &o);
		return;
	}
	if (toe_tcp_rst_for(s, &o))
		pair_send(p, i, &o);
}

/* Returns actions, to be carried out at the end of the batch. */
static inline uint32_t pair_input(struct pair *p, struct packet *k, const struct toe_open *o)
{
	int i = k->to;
	struct end *e = &p->e[i];
	struct toe_span span[TOE_MAX_SPANS];
	struct toe_seg s;
	struct toe_out rst;
	uint32_t act;
	unsigned n;

	pair_seg(&s, &k->o);
	if (s.flags & TOE_SYN)
		s.opts &= (uint8_t)~p->strip;
	if (!e->open) {
		if ((s.flags & (TOE_SYN | TOE_ACK | TOE_RST)) != TOE_SYN)
			return 0;
		e->open = true;
		return toe_tcp_open_passive(&e->t, o, &s, p->now);
	}
	if (e->gone) {
		pair_input_gone(p, i, &s);
		return 0;
	}
	n = toe_tcp_place(&e->t, &s, span);
	for (unsigned j = 0; j < n; j++)
		for (uint32_t b = 0; b < span[j].len; b++) {
			uint64_t pos = span[j].pos + b;

			if (pos < toe_tcp_rx_end(&e->t) ||
			    pos >= e->t.rcv_read - e->t.rcv_first + e->t.rcv_size)
				PAIR_FAIL(p, "end %d writes at %llu", i, (unsigned long long)pos);
			e->rx[pos & (e->t.rcv_size - 1)] = k->data[span[j].off + b];
		}
	act = toe_tcp_input(&e->t, &s, p->now);
	if (act & TOE_ACT_RST && toe_tcp_rst_for(&s, &rst))
		pair_send(p, i, &rst);
	pair_check(p, i, "input");
	return act;
}

static inline uint32_t pair_app_read(struct pair *p, int i)
{
	struct end *e = &p->e[i];
	uint64_t have = toe_tcp_rx_end(&e->t) - e->read;
	uint64_t n = 1 + pair_rnd(p, p->app_chunk);
	int64_t r;

	n = n < have ? n : have;
	for (uint64_t b = 0; b < n; b++, e->read++)
		if (e->rx[e->read & (e->t.rcv_size - 1)] != pair_byte(!i, e->read)) {
			PAIR_FAIL(p, "end %d byte %llu is wrong", i, (unsigned long long)e->read);
			return 0;
		}
	if (have > n)
		pair_wake(p, e);
	if (!n)
		return 0;
	r = toe_tcp_recv(&e->t, e->read, p->now);
	if (r < 0)
		PAIR_FAIL(p, "recv %lld", (long long)r);
	return (uint32_t)r;
}

static inline uint32_t pair_app_write(struct pair *p, int i)
{
	struct end *e = &p->e[i];
	uint64_t used = e->wrote - toe_tcp_tx_una(&e->t);
	uint64_t space = used < e->t.snd_size ? e->t.snd_size - used : 0;
	uint64_t n = 1 + pair_rnd(p, p->app_chunk);
	uint8_t flags = 0;
	int64_t r;

	if (e->wrote == e->total || e->wants_space || e->shut)
		return 0;
	n = n < space ? n : space;
	n = n < e->total - e->wrote ? n : e->total - e->wrote;
	for (uint64_t b = 0; b < n; b++, e->wrote++)
		e->tx[e->wrote & (PAIR_BUF_MAX - 1)] = pair_byte(i, e->wrote);
	if (n == space && e->wrote < e->total) {
		flags = TOE_SEND_WANT_SPACE;
		e->wants_space = true;
	} else if (e->wrote < e->total) {
		flags = pair_chance(p, 9000) ? TOE_SEND_MORE : 0;
		pair_wake(p, e);
	}
	flags |= pair_chance(p, 4000) ? TOE_SEND_EOR : 0;
	r = toe_tcp_send(&e->t, e->wrote, flags, p->now);
	if (r < 0)
		PAIR_FAIL(p, "send %lld", (long long)r);
	return (uint32_t)r;
}

static inline uint32_t pair_app_close(struct pair *p, int i)
{
	struct end *e = &p->e[i];
	bool read_all = e->peer_fin && e->read == toe_tcp_rx_end(&e->t);
	uint32_t act = 0;

	if (e->wrote == e->total && !e->shut && (e->shut_first || read_all)) {
		e->shut = true;
		act |= toe_tcp_shutdown(&e->t, p->now);
	}
	if (e->shut && read_all && !e->closed) {
		e->closed = true;
		act |= toe_tcp_close(&e->t, p->now);
	}
	return act;
}

static inline void pair_app(struct pair *p, int i)
{
	struct end *e = &p->e[i];
	uint32_t act;

	e->app_at = 0;
	if (e->gone || !e->established)
		return;
	act = pair_app_read(p, i);
	act |= pair_app_write(p, i);
	act |= pair_app_close(p, i);
	pair_act(p, i, act);
}

static inline uint64_t pair_next(const struct pair *p)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < p->nflight; i++)
		next = p->flight[i]->at < next ? p->flight[i]->at : next;
	for (int i = 0; i < 2; i++) {
		uint64_t d = p->e[i].open && !p->e[i].gone ? toe_tcp_deadline(&p->e[i].t) : 0;

		if (d && d < next)
			next = d;
		if (p->e[i].app_at && !p->e[i].gone && p->e[i].app_at < next)
			next = p->e[i].app_at;
	}
	return next;
}

static inline struct packet *pair_due(struct pair *p, int to)
{
	unsigned best = UINT32_MAX;
	struct packet *k;

	for (unsigned i = 0; i < p->nflight; i++) {
		k = p->flight[i];
		if (k->to != to || k->at > p->now)
			continue;
		if (best == UINT32_MAX || k->at < p->flight[best]->at ||
		    (k->at == p->flight[best]->at && k->order < p->flight[best]->order))
			best = i;
	}
	if (best == UINT32_MAX)
		return NULL;
	k = p->flight[best];
	p->flight[best] = p->flight[--p->nflight];
	return k;
}

/* One batch of each end at the next moment when anything happens. False: nothing ever will. */
static inline bool pair_step(struct pair *p, const struct toe_open o[2])
{
	uint64_t next = pair_next(p);

	if (next == UINT64_MAX)
		return false;
	p->now = next > p->now ? next : p->now;
	for (int i = 0; i < 2; i++) {
		struct end *e = &p->e[i];
		struct packet *k;
		uint32_t act = 0;

		while ((k = pair_due(p, i))) {
			act |= pair_input(p, k, &o[i]);
			free(k);
			if (act & (TOE_ACT_FREE | TOE_ACT_TIME_WAIT)) {
				pair_act(p, i, act);
				act = 0;
			}
		}
		if (e->open && !e->gone && toe_tcp_deadline(&e->t) &&
		    toe_tcp_deadline(&e->t) <= p->now)
			act |= toe_tcp_timer(&e->t, p->now);
		if (e->open && !e->gone)
			pair_act(p, i, act);
		if (e->app_at && e->app_at <= p->now)
			pair_app(p, i);
	}
	return true;
}

static inline void pair_init(struct pair *p, uint64_t seed, const struct toe_open o[2])
{
	memset(p, 0, sizeof(*p));
	p->rng = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
	p->now = 1000000;
	p->delay = 50;
	p->app_delay = 10;
	p->app_chunk = 8192;
	for (int i = 0; i < 2; i++) {
		p->e[i].tx = malloc(PAIR_BUF_MAX);
		p->e[i].rx = malloc(o[i].rcv_size);
		p->e[i].shut_first = 1;
	}
}

static inline void pair_open(struct pair *p, int i, const struct toe_open *o)
{
	p->e[i].open = true;
	pair_act(p, i, toe_tcp_open_active(&p->e[i].t, o, p->now));
}

static inline void pair_free(struct pair *p)
{
	while (p->nflight)
		free(p->flight[--p->nflight]);
	for (int i = 0; i < 2; i++) {
		free(p->e[i].tx);
		free(p->e[i].rx);
	}
}

/* Run until both ends are gone. */
static inline void pair_run(struct pair *p, const struct toe_open o[2], unsigned steps)
{
	uint64_t limit = p->now + 3600ull * 1000000;

	while (!p->fail[0] && !(p->e[0].gone && p->e[1].gone)) {
		if (!steps-- || p->now > limit)
			PAIR_FAIL(p, "does not end: states %d %d, at %llu us", p->e[0].t.state,
				  p->e[1].t.state, (unsigned long long)p->now);
		else if (!pair_step(p, o))
			PAIR_FAIL(p, "hangs: states %d %d, at %llu us", p->e[0].t.state,
				  p->e[1].t.state, (unsigned long long)p->now);
	}
}

#endif
