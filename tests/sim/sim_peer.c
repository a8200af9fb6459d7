/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One engine against a scripted peer: what each segment must be answered with, to the number, with
 * metadata and without, on one FPC and on several. Usage: sim_peer [SEED [COUNT]]
 */
#include <stdio.h>
#include <string.h>

#include "../../firmware/core/fpc.h"
#include "../../firmware/wire/endian.h"
#include "net.h"
#include "peer.h"

static struct toe_flow_block *block(struct peer *p)
{
	return sim_block(p->app, peer_conn(p));
}

/* The next segment has these flags and numbers, and carries nothing. */
static void answered(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack, unsigned line)
{
	const struct peer_seg *g = peer_next(p);

	if (!g)
		peer_fail(p, "no answer", line);
	else if (g->s.flags != flags || g->s.seq != seq || g->s.ack != ack || g->s.len)
		peer_fail(p, "another answer", line);
}
#define ANSWER(p, flags, seq, ack) answered(p, flags, seq, ack, __LINE__)

static void data_on_the_last_ack(struct peer *p)
{
	if (!peer_syn(p))
		return;
	peer_send(p, TOE_ACK | TOE_PSH, p->snd, p->rcv, 0, 7);
	sim_step(p->w);
	sim_step(p->w); /* it may have come to another FPC */
	sim_app_run(p->app);
	CHECK(p, p->app->accepted == 1 && block(p)->dev.rx_end == 7);
	peer_pass(p, 45000);
	ANSWER(p, TOE_ACK, p->rcv, p->snd + 7);
}

static void closed_ports(struct peer *p)
{
	p->dport = 81;
	peer_send(p, TOE_SYN, p->snd, 0, 0, 3);
	peer_pass(p, 20);
	ANSWER(p, TOE_RST | TOE_ACK, 0, p->snd + 4);
	peer_send(p, TOE_ACK, p->snd, 99, 0, 3);
	peer_pass(p, 20);
	ANSWER(p, TOE_RST, 99, 0);
	p->dport = PEER_PORT;
	peer_send(p, TOE_ACK | TOE_FIN, p->snd, 1234, 0, 0);
	peer_pass(p, 20);
	ANSWER(p, TOE_RST, 1234, 0);
	peer_send(p, TOE_RST, p->snd, 0, 0, 0);
	peer_pass(p, 20);
	CHECK(p, !peer_next(p));
}

static void wrong_checksums(struct peer *p)
{
	p->spoil = true;
	peer_send(p, TOE_SYN, p->snd, 0, 0, 0);
	peer_pass(p, 20);
	CHECK(p, !peer_next(p));
	p->spoil = false;
	peer_handshake(p);
	p->spoil = true;
	peer_send(p, TOE_ACK, p->snd, p->rcv, 100, 33);
	peer_send(p, TOE_RST, p->snd, p->rcv, 0, 0);
	peer_pass(p, 50);
	CHECK(p, !block(p)->dev.rx_end && !block(p)->dev.error);
	CHECK(p, sim_count(p->host, TOE_CNT_drop_checksum) == 3);
}

/*
 * Overlaps of every kind, some with other bytes where something was received already: the first
 * ones count.
 */
static void overlaps(struct peer *p)
{
	static const uint16_t range[][2] = { { 0, 10 },  { 5, 20 },  { 40, 51 }, { 60, 71 },
					     { 30, 65 }, { 15, 33 }, { 0, 71 },  { 71, 72 } };

	peer_handshake(p);
	peer_conn(p)->rx_goal = 72;
	for (unsigned i = 0; i < sizeof(range) / sizeof(range[0]); i++)
		peer_send(p, TOE_ACK, p->snd + range[i][0], p->rcv, range[i][0],
			  range[i][1] - range[i][0]);
	peer_pass(p, 45000);
	CHECK(p, peer_conn(p)->rx_read == 72 && !p->app->broken);
	while (p->tail != p->head - 1)
		peer_next(p);
	ANSWER(p, TOE_ACK, p->rcv, p->snd + 72);
	peer_send(p, TOE_ACK, p->snd, p->rcv, 0, 10);
	peer_pass(p, 20);
	ANSWER(p, TOE_ACK, p->rcv, p->snd + 72);
}

static void resets(struct peer *p)
{
	peer_handshake(p);
	peer_send(p, TOE_RST, p->snd + 1, 0, 0, 0);
	peer_pass(p, 20);
	ANSWER(p, TOE_ACK, p->rcv, p->snd);
	peer_send(p, TOE_RST, p->snd - 1, 0, 0, 0);
	peer_pass(p, 20);
	CHECK(p, !peer_next(p) && !peer_conn(p)->error);
	peer_send(p, TOE_RST, p->snd, 0, 0, 0);
	peer_pass(p, 40);
	CHECK(p, !peer_next(p) && peer_conn(p)->error == 104);
	CHECK(p, !sim_leak(p->host));
}

static void zero_window(struct peer *p)
{
	const struct peer_seg *g;

	p->wnd = 0;
	peer_handshake(p);
	peer_command(p, TOE_SW_SEND, 100);
	CHECK(p, !peer_next(p));
	peer_pass(p, 1500000);
	g = peer_next(p);
	CHECK(p, g && g->s.len <= 1);
	p->wnd = 1000;
	peer_send(p, TOE_ACK, p->snd, p->rcv, 0, 0);
	peer_pass(p, 50);
	while ((g = peer_next(p)) && g->s.seq + g->s.len != p->rcv + 100)
		;
	CHECK(p, g);
}

static void simultaneous_open(struct peer *p)
{
	static struct toe_port to = { .conf.addr = 2 };
	const struct peer_seg *g;
	struct sim_conn *c = sim_app_connect(p->app, &to, p->port);

	peer_pass(p, 50);
	g = peer_next(p);
	CHECK(p, g && g->s.flags == TOE_SYN);
	if (!g)
		return;
	p->dport = g->port;
	p->rcv = g->s.seq + 1;
	peer_send(p, TOE_SYN, p->snd++, 0, 0, 0);
	peer_pass(p, 20);
	ANSWER(p, TOE_SYN | TOE_ACK, p->rcv - 1, p->snd);
	peer_send(p, TOE_SYN | TOE_ACK, p->snd - 1, p->rcv, 0, 0);
	peer_pass(p, 50);
	CHECK(p, p->app->connected == 1 && c->established);
}

/* Both FINs cross: CLOSING, then TIME_WAIT, which answers a repeated FIN. */
static void simultaneous_close(struct peer *p)
{
	peer_handshake(p);
	peer_command(p, TOE_SW_CLOSE, 0);
	ANSWER(p, TOE_ACK | TOE_FIN, p->rcv, p->snd);
	peer_send(p, TOE_ACK | TOE_FIN, p->snd, p->rcv, 0, 0);
	peer_pass(p, 20);
	ANSWER(p, TOE_ACK, p->rcv + 1, p->snd + 1);
	peer_send(p, TOE_ACK, p->snd + 1, p->rcv + 1, 0, 0);
	peer_pass(p, 20);
	CHECK(p, sim_count(p->host, TOE_CNT_time_wait_entered) == 1 && !peer_next(p));
	peer_send(p, TOE_ACK | TOE_FIN, p->snd, p->rcv + 1, 0, 0);
	peer_pass(p, 20);
	ANSWER(p, TOE_ACK, p->rcv + 1, p->snd + 1);
	p->app->conn[0].state = SIM_CONN_CLOSED;
	peer_pass(p, 61000000);
	CHECK(p, !sim_leak(p->host));
}

/* A connection that the engine closes first. */
static void into_time_wait(struct peer *p)
{
	peer_handshake(p);
	peer_command(p, TOE_SW_CLOSE, 0);
	p->app->conn[0].state = SIM_CONN_CLOSED;
	ANSWER(p, TOE_ACK | TOE_FIN, p->rcv, p->snd);
	peer_send(p, TOE_ACK | TOE_FIN, p->snd, p->rcv + 1, 0, 0);
	peer_pass(p, 20);
	ANSWER(p, TOE_ACK, p->rcv + 1, p->snd + 1);
}

/*
 * An old SYN is answered with an ACK, a new one opens above what the old connection used; a full
 * backlog keeps the entry.
 */
static void time_wait_again(struct peer *p)
{
	const struct peer_seg *g;

	into_time_wait(p);
	peer_send(p, TOE_SYN, p->snd - 1, 0, 0, 0);
	peer_pass(p, 20);
	ANSWER(p, TOE_ACK, p->rcv + 1, p->snd + 1);
	peer_send(p, TOE_SYN, p->snd + 1000, 0, 0, 0);
	peer_pass(p, 20);
	g = peer_next(p);
	CHECK(p, g && g->s.flags == (TOE_SYN | TOE_ACK) && g->s.ack == p->snd + 1001);
	CHECK(p, g && (int32_t)(g->s.seq - (p->rcv + 1)) > 0);
}

/* Half-open connections that one FPC allows here: some flow ids are left for others. */
enum { IDS = 32, HALF_OPEN = IDS - IDS / 8 };

/* What is not opened yet does not end the old connection's TIME_WAIT; the last ACK does. */
static void time_wait_and_cookie(struct peer *p)
{
	const struct peer_seg *g;

	into_time_wait(p);
	for (unsigned i = 1; i <= 4 * HALF_OPEN; i++) {
		p->port += i;
		peer_send(p, TOE_SYN, p->snd, 0, 0, 0);
		p->port -= i;
	}
	peer_pass(p, 40);
	peer_send(p, TOE_SYN, p->snd + 1000, 0, 0, 0);
	peer_pass(p, 20);
	p->tail = p->head - 1;
	g = peer_next(p);
	CHECK(p, g && g->s.flags == (TOE_SYN | TOE_ACK) && g->s.ack == p->snd + 1001);
	if (!g)
		return;
	peer_send(p, TOE_ACK | TOE_FIN, p->snd, p->rcv + 1, 0, 0);
	peer_pass(p, 20);
	ANSWER(p, TOE_ACK, p->rcv + 1, p->snd + 1);
	peer_send(p, TOE_ACK, p->snd + 1001, g->s.seq + 1, 0, 0);
	peer_pass(p, 50);
	CHECK(p, p->app->accepted == 2 && sim_count(p->host, TOE_CNT_time_wait_reused) == 1);
}

/* A source that is no host gets no answer, neither from a listener nor from a closed port. */
static void sources_that_are_none(struct peer *p)
{
	static const uint8_t none[] = { 0, 224, 239, 255 };

	for (unsigned i = 0; i < sizeof(none); i++) {
		p->net = none[i];
		for (p->dport = PEER_PORT; p->dport < PEER_PORT + 2; p->dport++)
			peer_send(p, TOE_SYN, p->snd, 0, 0, 0);
	}
	p->net = 10;
	p->last = p->host->conf.addr; /* the engine's own, both ports too: "land" */
	p->port = p->dport = PEER_PORT;
	peer_send(p, TOE_SYN, p->snd, 0, 0, 0);
	peer_pass(p, 40);
	CHECK(p, !peer_next(p));
	CHECK(p, sim_count(p->host, TOE_CNT_tx_frames) == 0);
}

/* What came to many is answered by none, but its address is good: the same to us alone is. */
static void group_frames(struct peer *p)
{
	p->group = 1;
	peer_send(p, TOE_SYN, p->snd, 0, 0, 0);
	p->dport++;
	peer_send(p, TOE_SYN, p->snd, 0, 0, 0);
	p->dport--;
	peer_pass(p, 40);
	CHECK(p, !peer_next(p));
	p->group = 0;
	peer_handshake(p);
}

static void backlog(struct peer *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 3 * HALF_OPEN; i++, p->port++)
		peer_send(p, TOE_SYN, p->snd, 0, 0, 0);
	peer_pass(p, 40);
	while (peer_next(p))
		n++;
	CHECK(p, n == 3 * HALF_OPEN);
	n = (unsigned)sim_count(p->host, TOE_CNT_cookies_sent);
	CHECK(p, n >= 3 * HALF_OPEN - IDS && n <= 2 * HALF_OPEN);
	CHECK(p, !sim_count(p->host, TOE_CNT_drop_backlog));
	CHECK(p, !sim_count(p->host, TOE_CNT_tx_rst));
}

/*
 * A flood of SYNs from sources that never answer. The handshake behind it succeeds, data on its
 * last ACK is there at once; the flood gets one answer each, and leaves no more than the half-open
 * connections there were before.
 */
static void syn_flood(struct peer *p)
{
	uint16_t mine = p->port;
	unsigned syns = 3000;

	for (unsigned i = 1; i <= syns; i++) {
		p->port = (uint16_t)(mine + i);
		peer_send(p, TOE_SYN, p->snd + i, 0, 0, 0);
		if (i % 32 == 0)
			peer_pass(p, 20);
		p->tail = p->head;
	}
	peer_pass(p, 20);
	CHECK(p, sim_count(p->host, TOE_CNT_cookies_sent) >= syns - IDS);
	CHECK(p, sim_count(p->host, TOE_CNT_tx_frames) <= syns);
	p->port = mine;
	p->tail = p->head;
	if (!peer_syn(p))
		return;
	/* Not sent again: who does not answer gets no more. */
	CHECK(p, sim_count(p->host, TOE_CNT_rto_fired) == 0);
	CHECK(p, !sim_restart(p->host));
	peer_send(p, TOE_ACK, p->snd, p->rcv + 16, 0, 0);
	peer_send(p, TOE_ACK, p->snd - 1, p->rcv, 0, 0);
	/* The second segment before the first: neither refused nor believed. */
	peer_send(p, TOE_ACK, p->snd + 7, p->rcv, 7, 7);
	peer_pass(p, 20);
	CHECK(p, sim_count(p->host, TOE_CNT_tx_rst) == 2 && !p->app->accepted);
	CHECK(p, sim_count(p->host, TOE_CNT_cookies_refused) == 3);
	p->tail = p->head;
	peer_send(p, TOE_ACK | TOE_PSH, p->snd, p->rcv, 0, 7);
	peer_pass(p, 45000);
	CHECK(p, p->app->accepted == 1 && block(p)->dev.rx_end == 7);
	CHECK(p, sim_count(p->host, TOE_CNT_cookies_opened) == 1);
	p->app->conn[0].state = SIM_CONN_CLOSED;
	peer_command(p, TOE_SW_ABORT, 0);
	peer_pass(p, 150000000);
	CHECK(p, !sim_leak(p->host));
	/* A cookie does not last. */
	p->tail = p->head;
	peer_send(p, TOE_ACK, p->snd, p->rcv, 0, 7);
	peer_pass(p, 20);
	ANSWER(p, TOE_RST, p->rcv, 0);
}

/* Segments to closed ports: an address gets so many RSTs a second, others get theirs. */
static void rst_flood(struct peer *p)
{
	unsigned sent;

	p->dport = PEER_PORT + 1;
	for (unsigned i = 0; i < 1000; i++) {
		peer_send(p, TOE_ACK, p->snd, i, 0, 0);
		if (i % 16 == 15)
			peer_pass(p, 20);
		p->tail = p->head;
	}
	peer_pass(p, 20);
	/* Port by port the same FPC, which lets 500 go at once and one more each 2 ms. */
	sent = (unsigned)sim_count(p->host, TOE_CNT_tx_rst);
	CHECK(p, sent >= 500 && sent < 510);
	CHECK(p, sim_count(p->host, TOE_CNT_answers_held_back) == 1000 - sent);
	p->net = 11;
	peer_send(p, TOE_ACK, p->snd, 1, 0, 0);
	peer_pass(p, 20);
	CHECK(p, sim_count(p->host, TOE_CNT_tx_rst) == sent + 1);
	p->net = 10;
	peer_pass(p, 100000);
	peer_send(p, TOE_ACK, p->snd, 1, 0, 0);
	peer_pass(p, 20);
	CHECK(p, sim_count(p->host, TOE_CNT_tx_rst) == sent + 2);
}

/* Each byte a segment of its own, every other one missing: what is kept of them is bounded. */
static void crumbs(struct peer *p)
{
	unsigned acks = 0;

	peer_handshake(p);
	for (unsigned i = 1; i < 4000; i += 2) {
		peer_send(p, TOE_ACK, p->snd + i, p->rcv, i, 1);
		if (i % 32 == 31)
			peer_pass(p, 20);
		while (peer_next(p))
			acks++;
	}
	peer_pass(p, 50);
	CHECK(p, acks && acks <= 2000 && !peer_conn(p)->error && !sim_check(p->host));
	peer_conn(p)->rx_goal = 4000;
	for (unsigned i = 0; i < 1000 && block(p)->dev.rx_end < 4000; i++) {
		uint32_t at = (uint32_t)block(p)->dev.rx_end;

		peer_send(p, TOE_ACK, p->snd + at, p->rcv, at, 4000 - at < 1000 ? 4000 - at : 1000);
		peer_pass(p, 20);
		p->tail = p->head;
	}
	peer_pass(p, 45000);
	CHECK(p, peer_conn(p)->rx_read == 4000 && !p->app->broken);
}

/* Let time pass in which the application accepts nothing. */
static void without_app(struct peer *p)
{
	for (unsigned i = 0; i < 4; i++, p->w->now += 5)
		sim_step(p->w);
}

/* The accept queue is full: last ACKs come to nothing, nobody is told, and it goes on later. */
static void accept_queue_full(struct peer *p)
{
	uint32_t rcv[PEER_BACKLOG + 1];

	for (unsigned i = 0; i <= PEER_BACKLOG; i++) {
		const struct peer_seg *g;

		p->port++;
		peer_send(p, TOE_SYN, p->snd, 0, 0, 0);
		without_app(p);
		g = peer_next(p);
		CHECK(p, g);
		rcv[i] = g ? g->s.seq + 1 : 0;
	}
	p->port -= PEER_BACKLOG;
	for (unsigned i = 0; i <= PEER_BACKLOG; i++, p->port++)
		peer_send(p, TOE_ACK, p->snd + 1, rcv[i], 0, 0);
	p->port--;
	without_app(p);
	CHECK(p, sim_count(p->host, TOE_CNT_passive_opens) == PEER_BACKLOG);
	CHECK(p, sim_count(p->host, TOE_CNT_drop_backlog) == 1 && !peer_next(p));
	peer_send(p, TOE_SYN, p->snd, 0, 0, 0);
	p->port += 100;
	peer_send(p, TOE_SYN, p->snd, 0, 0, 0);
	p->port -= 100;
	without_app(p);
	CHECK(p, sim_count(p->host, TOE_CNT_drop_backlog) == 2);
	peer_pass(p, 20000);
	p->port -= PEER_BACKLOG;
	for (unsigned i = 0; i <= PEER_BACKLOG; i++, p->port++)
		peer_send(p, TOE_ACK, p->snd + 1, rcv[i], 0, 0);
	peer_pass(p, 20000);
	CHECK(p, p->app->accepted == PEER_BACKLOG + 1);
}

/* Segments that are answered in the same VLAN, whatever the headers around them hold. */
static void odd_frames(struct peer *p)
{
	for (unsigned i = 0; i < 3; i++) {
		p->vlan = (uint16_t[]){ 0, 7, 7 | TOE_VLAN_STAG }[i];
		p->host->ctrl->endpoint[0].vlan = p->vlan;
		p->ip_opt = (uint8_t)(i * 4);
		p->pad = true;
		/* the two below may have come in the other order, which takes one ACK more */
		p->tail = p->head;
		peer_send(p, TOE_SYN, p->snd, 0, 0, 0);
		peer_pass(p, 20);
		CHECK(p, p->tail != p->head && p->got[p->tail % PEER_QUEUE].vlan == p->vlan);
		p->rcv = p->got[p->tail % PEER_QUEUE].s.seq + 1;
		ANSWER(p, TOE_SYN | TOE_ACK, p->rcv - 1, p->snd + 1);
		peer_send(p, TOE_ACK, p->snd + 1, p->rcv, 0, 0);
		peer_send(p, TOE_ACK, p->snd + 1, p->rcv, 0, 1);
		peer_pass(p, 45000);
		CHECK(p, p->app->accepted == i + 1 && block(p)->dev.rx_end == 1);
		CHECK(p, p->tail != p->head && p->got[p->tail % PEER_QUEUE].vlan == p->vlan);
		ANSWER(p, TOE_ACK, p->rcv, p->snd + 2);
		p->port++;
	}
}

/* The application's stream arrives, checked byte by byte; what is in order moves p->rcv. */
static void listen_to(struct peer *p, uint64_t *rx_pos, bool *fin)
{
	const struct peer_seg *g;

	while ((g = peer_next(p))) {
		uint32_t old = p->rcv - g->s.seq;

		if (g->s.flags & TOE_RST)
			peer_fail(p, "a reset", __LINE__);
		if (g->s.flags & TOE_SYN || old > g->s.len)
			continue;
		for (uint32_t i = old; i < g->s.len; i++, ++*rx_pos, p->rcv++)
			if (g->data[i] != sim_byte(p->port, false, *rx_pos))
				peer_fail(p, "a wrong byte", __LINE__);
		if (g->s.flags & TOE_FIN && !*fin) {
			*fin = true;
			p->rcv++;
		}
	}
}

/*
 * A stream in both directions over a bad link, from a peer without any sense: pieces of any size
 * from anywhere in the window, again and again, in any order. Every byte arrives once, in order.
 */
static void chaos(struct peer *p)
{
	uint64_t rx_pos = 0, end = 3000 + sim_below(p->w, 5000);
	struct sim_conn *c;
	bool fin = false;

	peer_handshake(p);
	c = peer_conn(p);
	c->rx_goal = end;
	c->tx_goal = 2000 + sim_below(p->w, 4000);
	c->look = 1;
	p->app->hold = false;
	p->link = (struct sim_link){ .delay_us = 50,
				     .loss = 5000,
				     .dup = 5000,
				     .corrupt = 2000,
				     .reorder = 9000,
				     .late_us = 700,
				     .kbit = 50000 };
	p->loss = 5000;
	for (unsigned i = 0; i < 20000 && !p->bad && (c->state == SIM_CONN_OPEN || !fin); i++) {
		uint64_t at = block(p)->dev.rx_end, len = 1 + sim_below(p->w, 1000);

		at = at > 300 ? at - 300 + sim_below(p->w, 2000) : sim_below(p->w, 2000);
		at = at < end ? at : end - 1;
		len = len < end - at ? len : end - at;
		peer_send(p, at + len == end ? TOE_ACK | TOE_FIN : TOE_ACK, p->snd + (uint32_t)at,
			  p->rcv, at, (uint32_t)len);
		p->wnd = (uint16_t)(sim_below(p->w, 8) ? 20000 : 0);
		peer_pass(p, 300);
		listen_to(p, &rx_pos, &fin);
		if (i % 64 == 63) { /* what is behind the engine's rcv_nxt acknowledges nothing */
			peer_send(p, TOE_ACK, p->snd + (uint32_t)end + 1, p->rcv, 0, 0);
			peer_pass(p, 300000);
		}
	}
	CHECK(p, c->rx_read == end && rx_pos == c->tx_goal && fin);
	p->link = (struct sim_link){ 0 };
	p->loss = 0;
	peer_send(p, TOE_ACK, p->snd + (uint32_t)end + 1, p->rcv, 0, 0);
	peer_pass(p, 62000000);
	CHECK(p, !p->app->broken && !sim_leak(p->host));
}

static const struct {
	const char *name;
	void (*run)(struct peer *p);
} scripts[] = {
	{ "data on the last ACK", data_on_the_last_ack },
	{ "closed ports", closed_ports },
	{ "wrong checksums", wrong_checksums },
	{ "overlaps", overlaps },
	{ "resets", resets },
	{ "zero window", zero_window },
	{ "simultaneous open", simultaneous_open },
	{ "simultaneous close", simultaneous_close },
	{ "TIME_WAIT again", time_wait_again },
	{ "TIME_WAIT and a cookie", time_wait_and_cookie },
	{ "sources that are none", sources_that_are_none },
	{ "group frames", group_frames },
	{ "backlog", backlog },
	{ "SYN flood", syn_flood },
	{ "accept queue full", accept_queue_full },
	{ "RST flood", rst_flood },
	{ "crumbs", crumbs },
	{ "odd frames", odd_frames },
	{ "chaos", chaos },
};

/* One script on one kind of host. Frames that came to the wrong FPC must have been handed on. */
static const char *run_one(unsigned script, uint64_t seed, unsigned nfpcs, enum sim_steer steer,
			   uint64_t *forwarded)
{
	static struct peer p;
	static char text[200];

	peer_up(&p, seed, nfpcs, steer);
	scripts[script].run(&p);
	if (!p.bad)
		p.bad = sim_check(p.host);
	*forwarded += sim_count(p.host, TOE_CNT_rx_forwarded);
	peer_down(&p);
	if (!p.bad)
		return NULL;
	snprintf(text, sizeof(text), "%u FPCs, steering %d, line %u: %s", nfpcs, (int)steer, p.line,
		 p.bad);
	return text;
}

int main(int argc, char **argv)
{
	struct tally t = { "sim_peer", 0, 0 };
	uint64_t first = 1, forwarded = 0;
	unsigned n = 6;

	seeds(argc, argv, &first, &n);
	for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		for (uint64_t s = first; s < first + n; s++)
			for (unsigned k = 0; k < 9; k++)
				tally_seed(
				    &t, scripts[i].name, s,
				    run_one(i, s, 1 + k / 3, (enum sim_steer)(k % 3), &forwarded));
	tally_seed(&t, "forwarding", first, forwarded ? NULL : "nothing was forwarded");
	return tally_end(&t);
}
