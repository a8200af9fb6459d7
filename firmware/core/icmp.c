/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors about our connections (RFC 792, RFC 4443). The packet that an error quotes names the
 * connection, and its sequence number shows whether who sent the error can see it: TCP checks that.
 * What is wrong is dropped in silence; an ICMP error is never answered.
 */
#include "fpc.h"

#include "../lib/errno.h"
#include "../lib/flow_hash.h"
#include "../wire/checksum.h"
#include "../wire/endian.h"
#include "../wire/ip.h"

enum {
	ICMP4_UNREACHABLE = 3,
	ICMP4_FRAG_NEEDED = 4, /* code of the above */
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER = 12,
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER = 4,
};

struct icmp {
	uint8_t type, code;
	uint16_t check;
	uint32_t rest; /* the next hop's MTU: low half (RFC 1191 4), or all of it (RFC 4443 3.2) */
} __attribute__((packed));

struct quoted_tcp {
	uint16_t sport, dport;
	uint32_t seq;
} __attribute__((packed));

struct report {
	struct toe_tuple tuple;
	uint32_t seq;
	uint32_t mtu, quoted; /* bytes of IP packet: the next hop's, that of the lost packet */
	int error; /* errno, 0 = only the size is wrong */
};

/* What Linux tells an application by the code (RFC 1122 4.2.3.9). */
static int error_v4(const struct icmp *h)
{
	static const uint8_t unreachable[] = {
		ENETUNREACH,  EHOSTUNREACH, ENOPROTOOPT,  ECONNREFUSED, 0,
		EOPNOTSUPP,   ENETUNREACH,  EHOSTDOWN,    ENONET,       ENETUNREACH,
		EHOSTUNREACH, ENETUNREACH,  EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH,
		EHOSTUNREACH,
	};

	switch (h->type) {
	case ICMP4_UNREACHABLE:
		return h->code < sizeof(unreachable) ? unreachable[h->code] : -1;
	case ICMP4_TIME_EXCEEDED:
		return EHOSTUNREACH;
	case ICMP4_PARAMETER:
		return EPROTO;
	default:
		return -1; /* source quench is one of them (RFC 6633) */
	}
}

static int error_v6(const struct icmp *h)
{
	static const uint8_t unreachable[] = { ENETUNREACH,  EACCES, EHOSTUNREACH, EHOSTUNREACH,
					       ECONNREFUSED, EACCES, EACCES };

	switch (h->type) {
	case ICMP6_UNREACHABLE:
		return h->code < sizeof(unreachable) ? unreachable[h->code] : -1;
	case ICMP6_TOO_BIG:
		return 0;
	case ICMP6_TIME_EXCEEDED:
		return EHOSTUNREACH;
	case ICMP6_PARAMETER:
		return EPROTO;
	default:
		return -1;
	}
}

/* The quoted packet's addresses; returns the length of its header, 0: not TCP of ours. */
static uint32_t quoted_v4(const uint8_t *p, uint32_t n, struct report *r)
{
	const struct toe_ipv4 *ip = (const struct toe_ipv4 *)p;
	uint32_t hdr;

	if (n < sizeof(*ip) || ip->ver_ihl >> 4 != 4 || ip->proto != TOE_IP_TCP ||
	    toe_be16(ip->frag) & TOE_IP_OFFSET)
		return 0;
	hdr = (ip->ver_ihl & 15) * 4u;
	toe_map_v4(r->tuple.raddr, ip->dst);
	r->quoted = toe_be16(ip->len);
	return memcmp(ip->src, r->tuple.laddr + 12, 4) || hdr < sizeof(*ip) ? 0 : hdr;
}

static uint32_t quoted_v6(const uint8_t *p, uint32_t n, struct report *r)
{
	const struct toe_ipv6 *ip = (const struct toe_ipv6 *)p;

	if (n < sizeof(*ip) || *p >> 4 != 6 || ip->next != TOE_IP_TCP)
		return 0;
	memcpy(r->tuple.raddr, ip->dst, 16);
	r->quoted = toe_be16(ip->len) + (uint32_t)sizeof(*ip);
	return memcmp(ip->src, r->tuple.laddr, 16) ? 0 : sizeof(*ip);
}

static bool parse(const struct toe_rx *rx, struct report *r)
{
	const struct icmp *h = (const struct icmp *)rx->payload;
	bool v4 = toe_addr_is_v4(rx->tuple.laddr);
	const struct quoted_tcp *th;
	const uint8_t *p = rx->payload + sizeof(*h);
	uint32_t n = rx->seg.len, hdr;

	if (n < sizeof(*h) || toe_csum_fold(toe_csum_add(rx->pseudo, h, n)) != 0xffff)
		return false;
	n -= (uint32_t)sizeof(*h);
	r->tuple = rx->tuple;
	hdr = v4 ? quoted_v4(p, n, r) : quoted_v6(p, n, r);
	if (!hdr || n < hdr + sizeof(*th))
		return false;
	th = (const struct quoted_tcp *)(p + hdr);
	r->tuple.lport = th->sport;
	r->tuple.rport = th->dport;
	r->seq = toe_be32(th->seq);
	r->error = v4 ? error_v4(h) : error_v6(h);
	r->mtu = v4 ? toe_be32(h->rest) & 0xffff : toe_be32(h->rest);
	return r->error >= 0;
}

/* The flow learns of it; and so do later ones to the same address. */
static void deliver(struct toe_fpc *f, uint32_t flow, const struct report *r)
{
	struct toe_work *w = toe_fpc_open(f, flow);
	uint32_t act;

	if (!w)
		return;
	if (r->error)
		act = toe_tcp_unreachable(w->t, r->seq, r->error, f->now);
	else
		act = toe_tcp_too_big(w->t, r->seq, r->mtu, r->quoted, f->now);
	if (act & TOE_ACT_C_UNACCEPTABLE) {
		toe_count(f, TOE_CNT_drop_icmp);
		return;
	}
	w->act |= act;
	toe_count(f, r->error ? TOE_CNT_icmp_unreachable : TOE_CNT_icmp_too_big);
	if (!r->error)
		toe_path_learn(f, &r->tuple, w->t->mtu);
}

bool toe_icmp_frame(struct toe_fpc *f, const struct toe_frame *fr, const struct toe_rx *rx)
{
	struct report r;
	uint64_t hash;
	uint32_t flow;
	unsigned to;

	if (!parse(rx, &r)) {
		toe_count(f, TOE_CNT_drop_icmp);
		return false;
	}
	hash = toe_flow_hash(f->ctrl->key, &r.tuple);
	to = toe_hash_fpc(hash, f->nfpcs);
	if (to != f->id)
		return toe_sched_hand_on(f, fr, to);
	flow = toe_index_find(f, hash, &r.tuple);
	if (flow == TOE_FLOW_NONE)
		toe_count(f, TOE_CNT_drop_icmp);
	else
		deliver(f, flow, &r);
	return false;
}
