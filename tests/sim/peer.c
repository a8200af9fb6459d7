/* SPDX-License-Identifier: BSD-2-Clause */
#include "peer.h"

#include <string.h>

#include "../../firmware/wire/checksum.h"
#include "../../firmware/wire/endian.h"
#include "../../firmware/wire/eth.h"
#include "../../firmware/wire/ip.h"
#include "../../firmware/wire/tcp.h"

enum { ENGINE = 1, PEER = 2 };

void peer_fail(struct peer *p, const char *what, unsigned line)
{
	if (p->bad)
		return;
	p->bad = what;
	p->line = line;
}

/* The engine sent a frame. */
static void heard(struct toe_port *host, const uint8_t *frame, uint32_t len)
{
	struct peer *p = host->arg;
	struct peer_seg *g = &p->got[p->head % PEER_QUEUE];
	uint8_t copy[2048];
	struct toe_frame f = { .data = copy, .len = len };
	struct toe_rx rx;

	memcpy(copy, frame, len);
	if (toe_rx_parse(&f, &rx) || !toe_rx_checksum(&rx, false)) {
		peer_fail(p, "a malformed frame", 0);
		return;
	}
	if (p->head - p->tail == PEER_QUEUE || sim_below(p->w, 65536) < p->loss)
		return;
	g->s = rx.seg;
	g->port = toe_be16(rx.tuple.rport);
	g->vlan = rx.tuple.vlan;
	memcpy(g->data, rx.payload, rx.seg.len);
	p->head++;
}

void peer_up(struct peer *p, uint64_t seed, unsigned nfpcs, enum sim_steer steer)
{
	static const struct sim_manner silent = { .goal = 0 };
	struct sim_conf conf = { .nfpcs = nfpcs,
				 .tcb_cache = 1 + seed % 4,
				 .nflows = 32,
				 .mtu = 1500,
				 .steer = steer,
				 .addr = ENGINE };

	memset(p, 0, sizeof(*p));
	p->w = sim_new(seed);
	p->host = sim_host(p->w, &conf);
	p->host->sink = heard;
	p->host->arg = p;
	p->app = sim_app_new(p->host, 0, &silent);
	p->app->hold = true;
	p->host->ctrl->nh[PEER] = toe_nh_word((uint8_t[6]){ 2, 0, 0, 0, 0, PEER }, TOE_NH_VALID, 0);
	sim_app_listen(p->app, 0, PEER_PORT, PEER_BACKLOG);
	p->port = (uint16_t)(1024 + sim_below(p->w, 30000));
	p->dport = PEER_PORT;
	/* Some begin shortly before the numbers wrap. */
	p->snd = seed % 2 ? (uint32_t)sim_random(p->w) : 0u - sim_below(p->w, 20);
	p->wnd = 65535;
	p->net = 10;
	p->last = PEER;
	peer_pass(p, 20);
}

void peer_down(struct peer *p)
{
	sim_app_free(p->app);
	sim_free(p->w);
}

void peer_pass(struct peer *p, uint64_t us)
{
	for (uint64_t end = p->w->now + us, step = us > 10000 ? 1000 : 5; p->w->now < end;
	     p->w->now += step) {
		sim_step(p->w);
		sim_app_run(p->app);
	}
}

static uint8_t *put_eth(const struct peer *p, uint8_t *d)
{
	const uint8_t engine = p->host->conf.addr;

	memcpy(d, (uint8_t[]){ 2 | p->group, 0, 0, 0, 0, engine, 2, 0, 0, 0, 0, PEER }, 12);
	d += 12;
	if (p->vlan) {
		uint16_t tag[2] = { toe_be16(p->vlan & TOE_VLAN_STAG ? TOE_ETH_QINQ : TOE_ETH_VLAN),
				    toe_be16(p->vlan & 0xfff) };

		memcpy(d, tag, 4);
		d += 4;
	}
	memcpy(d, (uint8_t[]){ 8, 0 }, 2);
	return d + 2;
}

static uint64_t put_ip(const struct peer *p, uint8_t *d, uint32_t tcp_len)
{
	struct toe_ipv4 *ip = (struct toe_ipv4 *)d;
	uint32_t hdr = 20u + p->ip_opt;

	*ip = (struct toe_ipv4){ .ver_ihl = (uint8_t)(0x40 + hdr / 4),
				 .len = toe_be16((uint16_t)(hdr + tcp_len)),
				 .ttl = 64,
				 .proto = TOE_IP_TCP,
				 .src = { p->net, 0, 0, p->last },
				 .dst = { 10, 0, 0, p->host->conf.addr } };
	memset(d + 20, 1, p->ip_opt);
	ip->check = (uint16_t)~toe_csum_fold(toe_csum_add(0, ip, hdr));
	return toe_csum_add(toe_be16(TOE_IP_TCP) + (uint64_t)toe_be16((uint16_t)tcp_len), ip->src,
			    8);
}

void peer_send(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack, uint64_t pos,
	       uint32_t len)
{
	uint8_t frame[TOE_FRAME_ROOM] = { 0 }, *d = put_eth(p, frame);
	uint64_t sum = put_ip(p, d, 20 + len);
	struct toe_tcph *th = (struct toe_tcph *)(d + 20 + p->ip_opt);
	uint8_t *data = (uint8_t *)(th + 1);
	uint32_t n;

	*th = (struct toe_tcph){ .sport = toe_be16(p->port),
				 .dport = toe_be16(p->dport),
				 .seq = toe_be32(seq),
				 .ack = toe_be32(ack),
				 .doff = 5 << 4,
				 .flags = flags,
				 .wnd = toe_be16(p->wnd) };
	for (uint32_t i = 0; i < len; i++)
		data[i] = sim_byte(p->port, true, pos + i);
	sum = toe_csum_add(sum, th, 20 + len);
	th->check = (uint16_t)~toe_csum_fold(sum) ^ (p->spoil ? 0x0100 : 0);
	n = (uint32_t)(data + len - frame);
	if (p->pad && n < 60) {
		memset(frame + n, 0xdb, 60 - n);
		n = 60;
	}
	sim_send(p->host, &p->link, frame, n);
}

const struct peer_seg *peer_next(struct peer *p)
{
	return p->tail == p->head ? NULL : &p->got[p->tail++ % PEER_QUEUE];
}

bool peer_syn(struct peer *p)
{
	const struct peer_seg *g;

	peer_send(p, TOE_SYN, p->snd++, 0, 0, 0);
	peer_pass(p, 20);
	g = peer_next(p);
	CHECK(p, g && g->s.flags == (TOE_SYN | TOE_ACK) && g->s.ack == p->snd);
	if (g)
		p->rcv = g->s.seq + 1;
	return g;
}

void peer_handshake(struct peer *p)
{
	if (!peer_syn(p))
		return;
	peer_send(p, TOE_ACK, p->snd, p->rcv, 0, 0);
	peer_pass(p, 50);
	CHECK(p, p->app->accepted == 1 && !peer_next(p));
}

struct sim_conn *peer_conn(struct peer *p)
{
	return &p->app->conn[p->app->nconns - 1];
}

void peer_command(struct peer *p, enum toe_sw_cmd type, uint64_t pos)
{
	struct sim_conn *c = peer_conn(p);
	struct toe_cmd cmd = { .type = (uint8_t)type, .gen = c->gen, .flow = c->flow, .pos = pos };

	sim_cmd(p->app, c->fpc, &cmd);
	peer_pass(p, 20);
}
