/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP options: MSS (RFC 9293 3.7.1), window scale and timestamps (RFC 7323), SACK (RFC 2018), Fast
 * Open (RFC 7413, and the experimental option it was before: RFC 6994 with the number 0xf989).
 */
#include "opts.h"
#include "recv.h"

#include "../lib/mem.h"

enum kind {
	END = 0,
	NOP = 1,
	MSS = 2,
	WSCALE = 3,
	SACK_OK = 4,
	SACK = 5,
	TS = 8,
	FASTOPEN = 34,
	EXPERIMENT = 254
};

enum { EXID_FASTOPEN = 0xf989 };

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void parse_sack(const uint8_t *opt, unsigned len, struct toe_seg *seg)
{
	unsigned n = (len - 2) / 8;

	if (len % 8 != 2 || !n || n > TOE_MAX_SACK)
		return;
	for (unsigned i = 0; i < n; i++) {
		seg->sack[i].lo = get32(opt + 2 + 8 * i);
		seg->sack[i].hi = get32(opt + 6 + 8 * i);
	}
	seg->nsack = (uint8_t)n;
	seg->opts |= TOE_SEG_SACK;
}

/* RFC 7413 4.1.1: no cookie, which asks for one, or an even number of bytes. */
static void parse_fastopen(const uint8_t *opt, unsigned len, struct toe_seg *seg)
{
	bool exp = opt[0] == EXPERIMENT;
	unsigned head = exp ? 4 : 2, n = len - head;

	if (n && (n < TOE_FO_MIN || n > TOE_FO_MAX || n % 2))
		return;
	seg->fo.len = (uint8_t)n;
	seg->fo.exp = exp;
	memcpy(seg->fo.b, opt + head, n);
	seg->opts |= TOE_SEG_FASTOPEN;
}

/* One option of a length that was checked. A known kind of a wrong length is as good as unknown. */
static void parse_one(const uint8_t *opt, unsigned len, struct toe_seg *seg)
{
	if (opt[0] == MSS && len == 4) {
		seg->mss = get16(opt + 2);
		seg->opts |= TOE_SEG_MSS;
	} else if (opt[0] == WSCALE && len == 3) {
		seg->wscale = opt[2];
		seg->opts |= TOE_SEG_WSCALE;
	} else if (opt[0] == SACK_OK && len == 2) {
		seg->opts |= TOE_SEG_SACK_OK;
	} else if (opt[0] == SACK) {
		parse_sack(opt, len, seg);
	} else if (opt[0] == TS && len == 10) {
		seg->tsval = get32(opt + 2);
		seg->tsecr = get32(opt + 6);
		seg->opts |= TOE_SEG_TS;
	} else if (opt[0] == FASTOPEN ||
		   (opt[0] == EXPERIMENT && len >= 4 && get16(opt + 2) == EXID_FASTOPEN)) {
		parse_fastopen(opt, len, seg);
	}
}

bool toe_opts_parse(const uint8_t *opt, unsigned n, struct toe_seg *seg)
{
	unsigned len;

	seg->opts = 0;
	seg->nsack = 0;
	if (TOE_LIKELY(n == TOE_TS_OPT_LEN && get32(opt) == 0x0101080a)) {
		seg->tsval = get32(opt + 4);
		seg->tsecr = get32(opt + 8);
		seg->opts = TOE_SEG_TS;
		return true;
	}
	for (unsigned i = 0; i < n && opt[i] != END; i += len) {
		len = 1;
		if (opt[i] == NOP)
			continue;
		if (n - i < 2 || opt[i + 1] < 2 || opt[i + 1] > n - i)
			return false;
		len = opt[i + 1];
		parse_one(opt + i, len, seg);
	}
	return true;
}

/* At most 20 bytes, as many as the others leave. */
static uint8_t put_fastopen(const struct toe_fo_cookie *c, uint8_t *opt)
{
	uint8_t head = c->exp ? 4 : 2, n = (uint8_t)(head + c->len);

	opt[0] = c->exp ? EXPERIMENT : FASTOPEN;
	opt[1] = n;
	if (c->exp) {
		opt[2] = EXID_FASTOPEN >> 8;
		opt[3] = EXID_FASTOPEN & 0xff;
	}
	memcpy(opt + head, c->b, c->len);
	for (; n % 4; n++)
		opt[n] = NOP;
	return n;
}

/* The offer of a SYN; a SYN-ACK takes up what was offered, and nothing else. */
uint8_t toe_opts_syn(const struct toe_tcb *t, uint64_t now, uint8_t *opt)
{
	bool offer = t->state == TOE_TCP_SYN_SENT;
	bool ts = t->flags & TOE_TCB_TS;
	uint8_t n = 4, pad = n;

	toe_put32(opt, (uint32_t)MSS << 24 | 4 << 16 | toe_own_mss(t));
	if (ts)
		n += toe_opts_ts(opt + n, toe_ts_now(t, now), t->ts_recent);
	if (offer || t->flags & TOE_TCB_SACK) {
		/* Two bytes: where a timestamp has its padding. */
		if (!ts) {
			toe_put32(opt + n, NOP << 24 | NOP << 16);
			n += 4;
			pad += 2;
		}
		opt[pad] = SACK_OK;
		opt[pad + 1] = 2;
	}
	if (offer || t->flags & TOE_TCB_WSCALE) {
		toe_put32(opt + n, NOP << 24 | WSCALE << 16 | 3 << 8 | t->rcv_wscale);
		n += 4;
	}
	if ((t->opts & (TOE_TCB_FO_OPTION | TOE_TCB_FO_NO_COOKIE)) == TOE_TCB_FO_OPTION)
		n += put_fastopen(&t->fo, opt + n);
	return n;
}

static uint8_t *put_range(uint8_t *p, struct toe_range r)
{
	toe_put32(p, r.lo);
	toe_put32(p + 4, r.hi);
	return p + 8;
}

/*
 * What came twice stands first (RFC 2883 4); then the ranges that segments went to last, so that each
 * is named in several ACKs (RFC 2018 4); then the lowest ones, which the peer needs most.
 */
uint8_t toe_opts_sack(const struct toe_tcb *t, uint8_t *opt)
{
	unsigned most = toe_opts_sack_most(t), n = 0, done = 0;
	const struct toe_range *said[TOE_SACK_RECENT + 1], *r;
	uint8_t *p = opt + 4;

	if (t->ndsack) {
		p = put_range(p, t->dsack[0]);
		n++;
	}
	for (unsigned i = 0; i < TOE_SACK_RECENT + most && n < most; i++) {
		bool recent = i < TOE_SACK_RECENT;
		bool again = false;

		if (!recent && i - TOE_SACK_RECENT >= t->nholes)
			break;
		r = recent ? toe_recv_range(t, t->sack_recent[i])
			   : &toe_ooo(t)[i - TOE_SACK_RECENT];
		for (unsigned k = 0; k < done; k++)
			again = again || said[k] == r;
		if (!r || again)
			continue;
		said[done++] = r;
		p = put_range(p, *r);
		n++;
	}
	toe_put32(opt, NOP << 24 | NOP << 16 | SACK << 8 | (2 + 8 * n));
	return (uint8_t)(p - opt);
}
