/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet generator: from a segment to a frame. Payload is copied and summed in one pass. */
#include "fpc.h"

#include "../lib/flow_hash.h"
#include "../wire/checksum.h"
#include "../wire/endian.h"
#include "../wire/eth.h"
#include "../wire/ip.h"
#include "../wire/tcp.h"
#include "isn.h"

enum { TS_OPTION = 12 }; /* bytes of options of most segments: a timestamp */

/* Where a segment goes. */
struct path {
	const struct toe_tuple *t;
	const uint8_t *mac;
	uint32_t label; /* IPv6 flow label */
	uint8_t dev;
	uint8_t tos, ttl; /* IP_TOS, IP_TTL; ttl 0 = default */
	uint16_t id; /* of an IPv4 packet */
	bool fragment; /* IPv4: routers may (IP_MTU_DISCOVER) */
};

static uint8_t *put_eth(struct toe_fpc *f, uint8_t *p, const struct path *to, uint16_t type)
{
	struct toe_eth *eth = (struct toe_eth *)p;
	uint64_t ours = toe_load(&f->ctrl->dev[to->dev].word); /* little-endian: mac comes first */

	memcpy(eth->dst, to->mac, 6);
	memcpy(eth->src, &ours, 6);
	p += sizeof(*eth);
	if (to->t->vlan) {
		struct toe_vlan *tag = (struct toe_vlan *)p;

		eth->type = toe_be16(to->t->vlan & TOE_VLAN_STAG ? TOE_ETH_QINQ : TOE_ETH_VLAN);
		tag->tci = toe_be16(to->t->vlan & 0xfff);
		tag->type = toe_be16(type);
		return p + sizeof(*tag);
	}
	eth->type = toe_be16(type);
	return p;
}

/* IPv4 header; returns the pseudo-header's sum. */
static uint64_t put_v4(uint8_t *p, const struct path *to, uint8_t ecn, uint32_t tcp_len)
{
	const struct toe_tuple *t = to->t;
	struct toe_ipv4 *ip = (struct toe_ipv4 *)p;

	ip->ver_ihl = 0x45;
	ip->tos = to->tos | ecn;
	ip->len = toe_be16((uint16_t)(sizeof(*ip) + tcp_len));
	ip->id = toe_be16(to->id);
	ip->frag = to->fragment ? 0 : toe_be16(TOE_IP_DF);
	ip->ttl = to->ttl ? to->ttl : TOE_IP_TTL;
	ip->proto = TOE_IP_TCP;
	ip->check = 0;
	memcpy(ip->src, t->laddr + 12, 4);
	memcpy(ip->dst, t->raddr + 12, 4);
	ip->check = (uint16_t)~toe_csum_fold(toe_csum_header(0, ip, sizeof(*ip)));
	return toe_csum_header(toe_be16(TOE_IP_TCP) + (uint64_t)toe_be16((uint16_t)tcp_len),
			       ip->src, 8);
}

static uint64_t put_v6(uint8_t *p, const struct path *to, uint8_t ecn, uint32_t tcp_len)
{
	const struct toe_tuple *t = to->t;
	struct toe_ipv6 *ip = (struct toe_ipv6 *)p;

	ip->ver_tc_flow = toe_be32(6u << 28 | (uint32_t)(to->tos | ecn) << 20 | to->label);
	ip->len = toe_be16((uint16_t)tcp_len);
	ip->next = TOE_IP_TCP;
	ip->hops = to->ttl ? to->ttl : TOE_IP_TTL;
	memcpy(ip->src, t->laddr, 16);
	memcpy(ip->dst, t->raddr, 16);
	return toe_csum_header(toe_be16(TOE_IP_TCP) + (uint64_t)toe_be16((uint16_t)tcp_len),
			       ip->src, 32);
}

static uint8_t *put_tcp(uint8_t *p, const struct toe_tuple *t, const struct toe_out *o)
{
	struct toe_tcph *th = (struct toe_tcph *)p;

	th->sport = t->lport;
	th->dport = t->rport;
	th->seq = toe_be32(o->seq);
	th->ack = toe_be32(o->ack);
	th->doff = (uint8_t)((sizeof(*th) + o->opt_len) / 4 << 4);
	th->flags = o->flags;
	th->wnd = toe_be16(o->wnd);
	th->check = 0;
	th->urg = o->flags & TOE_URG ? toe_be16(o->urg) : 0;
	if (o->opt_len == TS_OPTION)
		memcpy(p + sizeof(*th), o->opt, TS_OPTION);
	else if (o->opt_len)
		memcpy(p + sizeof(*th), o->opt, o->opt_len);
	return p + sizeof(*th) + o->opt_len;
}

/* The `len` bytes from stream position `pos` on, but for the first `at`, whose sum is `sum`. */
static uint64_t put_rest(uint64_t sum, uint32_t at, uint8_t *p, uint64_t pos, uint32_t len,
			 const struct toe_place *from)
{
	for (uint32_t piece; at < len; at += piece) {
		uint64_t off, s;

		piece =
		    toe_ring_piece(from->ring, from->flow, from->base, pos + at, len - at, &off);
		s = toe_csum_copy(0, p + at, from->arena + off, piece);
		sum = toe_csum_plus(sum, at & 1 ? toe_csum_odd(s) : s);
	}
	return sum;
}

/* Bytes of the send buffer from stream position `pos` on; their sum. Few wrap around its end. */
static inline uint64_t put_part(uint8_t *p, uint64_t pos, uint32_t len,
				const struct toe_place *from)
{
	uint64_t off, sum;
	uint32_t piece = toe_ring_piece(from->ring, from->flow, from->base, pos, len, &off);

	sum = toe_csum_copy(0, p, from->arena + off, piece);
	return piece == len ? sum : put_rest(sum, piece, p, pos, len, from);
}

/*
 * Payload from p on, in the first frame, and into further ones when that is full. `fr` have the room
 * in len, and get what they hold.
 */
static uint64_t put_payload(uint64_t sum, struct toe_frame *fr, uint8_t *p, const struct toe_out *o,
			    const struct toe_place *from)
{
	struct toe_frame *piece = fr;
	uint32_t room = fr->len - (uint32_t)(p - fr->data), at = 0, n;

	if (o->len <= room) {
		fr->len = (uint32_t)(p - fr->data) + o->len;
		fr->more = 0;
		return o->len ? toe_csum_plus(sum, put_part(p, o->pos, o->len, from)) : sum;
	}
	for (;;) {
		n = o->len - at < room ? o->len - at : room;
		if (n) {
			uint64_t s = put_part(p, o->pos + at, n, from);

			sum = toe_csum_plus(sum, at & 1 ? toe_csum_odd(s) : s);
		}
		at += n;
		piece->len = (uint32_t)(p + n - piece->data);
		piece->more = 0;
		if (at == o->len)
			break;
		piece++;
		p = piece->data;
		room = piece->len;
	}
	fr->more = (uint8_t)(piece - fr);
	return sum;
}

static bool more_frames(struct toe_fpc *f, unsigned dev, struct toe_spare *s, uint32_t need)
{
	while (s->room < need || !s->n) {
		if (s->n == TOE_FRAME_PIECES ||
		    !toe_port_tx_alloc(f->port, f->id, dev, &s->f[s->n])) {
			toe_count(f, TOE_CNT_drop_no_frame);
			return false;
		}
		s->room += s->f[s->n++].len;
	}
	return true;
}

/* Frames of device `dev` that hold a packet of its MTU, perhaps some that were left over. */
static inline bool get_frames(struct toe_fpc *f, unsigned dev, struct toe_spare *s)
{
	uint32_t need = toe_load(&f->ctrl->dev[dev].mtu) + TOE_LINK_HEADER;

	if (!s->n && toe_port_tx_alloc(f->port, f->id, dev, &s->f[0])) {
		s->n = 1;
		s->room = s->f[0].len;
	}
	return (s->n && s->room >= need) || more_frames(f, dev, s, need);
}

/* The first frames of the spare ones have been filled. */
static inline unsigned take_frames(struct toe_spare *s, struct toe_frame *out)
{
	unsigned used = 1u + s->f[0].more;

	if (s->n == 1) {
		*out = s->f[0];
		s->n = s->room = 0;
		return 1;
	}
	for (unsigned i = 0; i < used; i++)
		out[i] = s->f[i];
	s->n -= used;
	s->room = 0;
	for (unsigned i = 0; i < s->n; i++) {
		s->f[i] = s->f[i + used];
		s->room += s->f[i].len;
	}
	return used;
}

/* Into fr and, when that is full, its neighbours. `from`: the send buffer, for segments with payload. */
static void build(struct toe_fpc *f, struct toe_frame *fr, const struct path *to,
		  const struct toe_out *o, const struct toe_place *from)
{
	bool v4 = toe_addr_is_v4(to->t->laddr);
	uint32_t tcp_len = (uint32_t)sizeof(struct toe_tcph) + o->opt_len + o->len;
	uint8_t *p = put_eth(f, fr->data, to, v4 ? TOE_ETH_IPV4 : TOE_ETH_IPV6);
	struct toe_tcph *th;
	uint64_t sum;
	uint8_t *data;

	if (v4) {
		sum = put_v4(p, to, o->ecn, tcp_len);
		p += sizeof(struct toe_ipv4);
	} else {
		sum = put_v6(p, to, o->ecn, tcp_len);
		p += sizeof(struct toe_ipv6);
	}
	th = (struct toe_tcph *)p;
	data = put_tcp(p, to->t, o);
	sum = toe_csum_tcp(sum, p, sizeof(*th) + o->opt_len);
	sum = put_payload(sum, fr, data, o, from);
	th->check = (uint16_t)~toe_csum_fold(sum);
}

static void count_out(struct toe_fpc *f, const struct toe_out *o)
{
	if (o->flags & TOE_RST)
		toe_count(f, TOE_CNT_tx_rst);
	else if (!o->len)
		toe_count(f, TOE_CNT_tx_acks);
	if (o->len)
		toe_count(f, TOE_CNT_tx_segments);
	if (o->rexmit)
		toe_count(f, TOE_CNT_tx_retransmits);
	else
		toe_count_n(f, TOE_CNT_tx_bytes, o->len);
}

/* Link address of the next hop; the one last learned from the peer while the entry is not valid. */
static const uint8_t *next_mac(struct toe_fpc *f, struct toe_work *w)
{
	struct toe_tcb *t = w->t;
	uint64_t nh;

	if (t->nh >= TOE_MAX_NEXT_HOPS)
		return t->peer_mac;
	nh = toe_load(&f->ctrl->nh[t->nh]);
	/* First byte lowest; every target is little-endian. */
	if ((nh >> 48 & 0xff) == TOE_NH_VALID &&
	    !toe_mac_equal(t->peer_mac, (const uint8_t *)&nh)) {
		w->cold = true;
		memcpy(t->peer_mac, &nh, 6);
	}
	return t->peer_mac;
}

/*
 * The link's MTU is not what it was. A route's that is smaller stays as it is, until the link's is
 * smaller still.
 */
static void follow_link(struct toe_fpc *f, struct toe_work *w)
{
	uint32_t mtu = toe_link_mtu(f->ctrl, w->t->dev, w->e->tuple.vlan);

	if (mtu < TOE_MTU_MIN)
		mtu = TOE_MTU_MIN;
	if (w->t->link_mtu && (mtu < w->t->mtu_link || w->t->mtu_link == w->t->link_mtu))
		w->act |= toe_tcp_link_mtu(w->t, mtu, f->now);
	w->t->link_mtu = (uint16_t)mtu;
	w->cold = true;
}

/*
 * RFC 6864: what routers may fragment has a number that comes again as late as possible: a counter
 * that only such packets use, of whose values each FPC has its own. Elsewhere the field means
 * nothing, and each connection counts for itself: a common counter would tell everybody how much is
 * sent to others. Answers without a connection have 0.
 */
static uint16_t next_id(struct toe_fpc *f, const struct toe_tcb *t)
{
	if (t->opts & TOE_TCB_FRAGMENT) {
		f->ip_id = (uint16_t)((f->ip_id + 1u) % (65536 / f->nfpcs));
		return (uint16_t)(f->ip_id * f->nfpcs + f->id);
	}
	return (uint16_t)(t->ts_offset + t->segs_out);
}

/* What the flow may send now gets nowhere: its interface is down. For TCP it is lost on the way. */
static void output_nowhere(struct toe_fpc *f, struct toe_work *w)
{
	struct toe_out o;

	for (unsigned n = 0; n < TOE_FLOW_BURST; n++) {
		if (!toe_tcp_output(w->t, f->now, &o))
			return;
		toe_count(f, TOE_CNT_drop_link_down);
		if (o.last) {
			w->act |= TOE_ACT_FREE;
			return;
		}
	}
	toe_fpc_pend(f, w->flow, TOE_PEND_OUTPUT);
}

/* Everything the flow may send now, into frames that wait for the commit. */
void toe_gen_output(struct toe_fpc *f, struct toe_work *w)
{
	struct toe_tcb *t = w->t;
	struct path to = {
		.t = &w->e->tuple,
		.mac = next_mac(f, w),
		.label = t->flow_label,
		.dev = t->dev,
		.tos = t->tos,
		.ttl = t->ttl,
		.fragment = t->opts & TOE_TCB_FRAGMENT,
	};
	struct toe_place from = { w->arena, t->snd_ring, toe_arena_tx_off(w->flow), w->flow };
	struct toe_spare *s = &f->spare[t->dev];
	struct toe_out o;
	bool frames;

	if (toe_soft(f, w->flow)->pend & TOE_PEND_NH)
		return;
	if (!toe_link_up(f->ctrl, t->dev, w->e->tuple.vlan)) {
		output_nowhere(f, w);
		return;
	}
	if (t->link_mtu != toe_link_mtu(f->ctrl, t->dev, w->e->tuple.vlan))
		follow_link(f, w);
	while ((frames = get_frames(f, t->dev, s)) && f->nout + s->n <= TOE_FLOW_BURST) {
		if (!toe_tcp_output(t, f->now, &o))
			return;
		to.id = next_id(f, t);
		build(f, s->f, &to, &o, &from);
		f->nout += take_frames(s, &f->out[f->nout]);
		count_out(f, &o);
		if (o.last) {
			w->act |= TOE_ACT_FREE;
			return;
		}
	}
	if (!frames)
		toe_tcp_refused(t, f->now);
	toe_fpc_pend(f, w->flow, TOE_PEND_OUTPUT);
}

static void transmit(struct toe_fpc *f, const struct toe_frame *fr)
{
	toe_port_tx(f->port, f->id, fr);
	f->kick = 1;
}

/* The commit is done: frames may leave. */
void toe_gen_transmit(struct toe_fpc *f)
{
	uint32_t packets = 0;

	for (uint32_t i = 0; i < f->nout; i += 1u + f->out[i].more, packets++)
		transmit(f, &f->out[i]);
	if (packets)
		toe_count_n(f, TOE_CNT_tx_frames, packets);
	f->nout = 0;
}

void toe_gen_reply(struct toe_fpc *f, const struct toe_rx *rx, const struct toe_out *o)
{
	struct path to = { .t = &rx->tuple, .mac = rx->eth + 6, .dev = rx->dev };
	struct toe_spare *s = &f->spare[rx->dev];
	struct toe_frame fr;

	if (!get_frames(f, rx->dev, s))
		return;
	if (!toe_addr_is_v4(rx->tuple.laddr))
		to.label = toe_flow_label(f->ctrl->key, &rx->tuple);
	build(f, s->f, &to, o, NULL);
	take_frames(s, &fr); /* no payload: one */
	transmit(f, &fr);
	toe_count(f, TOE_CNT_tx_frames);
	if (!(o->flags & TOE_RST))
		toe_count(f, TOE_CNT_tx_acks);
}
