/* SPDX-License-Identifier: BSD-2-Clause */
#include "syn_cookie.h"

#include "../lib/flow_hash.h"
#include "fpc.h"
#include "isn.h"

enum {
	TS_MASK = (1 << TOE_COOKIE_TS_BITS) - 1,
	TS_WSCALE = 15, /* bits 0..3: shift, this value = none */
	TS_SACK = 1 << 4,
	TS_ECN = 1 << 5,
};

/*
 * MSS that a cookie can say: the largest that does not exceed the peer's counts. Small links, the
 * defaults of both families (RFC 9293 3.7.1), tunnels, Ethernet with and without PPPoE, jumbo.
 */
static const uint16_t mss_table[1 << TOE_COOKIE_MSS_BITS] = {
	TOE_MSS_MIN, 128,  256,  TOE_MSS_V4, 984,  TOE_MSS_V6, 1300, 1340,
	1380,        1400, 1420, 1440,       1452, 1460,       4312, 8940,
};

static unsigned mss_index(const struct toe_seg *syn, bool v4)
{
	uint32_t mss = v4 ? TOE_MSS_V4 : TOE_MSS_V6;
	unsigned i = sizeof(mss_table) / sizeof(mss_table[0]) - 1;

	if (syn->opts & TOE_SEG_MSS)
		mss = syn->mss;
	while (i && mss_table[i] > mss)
		i--;
	return i;
}

static uint32_t seal(const uint64_t key[2], const struct toe_tuple *t, uint32_t irs,
		     uint64_t period)
{
	uint64_t w[7];

	memcpy(w, t, sizeof(*t));
	w[5] = (uint64_t)irs << 32 | TOE_SECRET_COOKIE;
	w[6] = period;
	return (uint32_t)toe_siphash(key, w, 7);
}

static uint32_t ts_bits(const struct toe_seg *syn)
{
	uint32_t bits = TS_WSCALE;

	if (syn->opts & TOE_SEG_WSCALE)
		bits = syn->wscale < TOE_WSCALE_MAX ? syn->wscale : (uint32_t)TOE_WSCALE_MAX;
	if (syn->opts & TOE_SEG_SACK_OK)
		bits |= TS_SACK;
	if ((syn->flags & (TOE_ECE | TOE_CWR)) == (TOE_ECE | TOE_CWR))
		bits |= TS_ECN;
	return bits;
}

static void from_ts_bits(uint32_t bits, struct toe_seg *syn)
{
	if ((bits & TS_WSCALE) != TS_WSCALE) {
		syn->opts |= TOE_SEG_WSCALE;
		syn->wscale = bits & TS_WSCALE;
	}
	if (bits & TS_SACK)
		syn->opts |= TOE_SEG_SACK_OK;
	if (bits & TS_ECN)
		syn->flags |= TOE_ECE | TOE_CWR;
}

uint32_t toe_cookie_make(const uint64_t key[2], const struct toe_tuple *t, struct toe_seg *syn,
			 uint64_t now, uint32_t *ts)
{
	unsigned mss = mss_index(syn, toe_addr_is_v4(t->laddr));

	*ts = ts_bits(syn);
	syn->opts &= syn->opts & TOE_SEG_TS ? (uint8_t)~TOE_SEG_SACK : (uint8_t)0;
	if (!(syn->opts & TOE_SEG_TS))
		syn->flags &= (uint8_t) ~(TOE_ECE | TOE_CWR);
	syn->opts |= TOE_SEG_MSS;
	syn->mss = mss_table[mss];
	return seal(key, t, syn->seq, now >> TOE_COOKIE_PERIOD_LOG) ^ mss;
}

bool toe_cookie_check(const uint64_t key[2], const struct toe_tuple *t, const struct toe_seg *ack,
		      uint64_t now, struct toe_seg *syn)
{
	uint64_t period = now >> TOE_COOKIE_PERIOD_LOG;
	uint32_t cookie = ack->ack - 1, irs = ack->seq - 1, mss;

	mss = cookie ^ seal(key, t, irs, period);
	if (mss >> TOE_COOKIE_MSS_BITS && period)
		mss = cookie ^ seal(key, t, irs, period - 1);
	if (mss >> TOE_COOKIE_MSS_BITS)
		return false;
	memset(syn, 0, sizeof(*syn));
	syn->seq = irs;
	syn->flags = TOE_SYN;
	syn->wnd = ack->wnd;
	syn->opts = TOE_SEG_MSS | (ack->opts & TOE_SEG_TS);
	syn->mss = mss_table[mss];
	if (ack->opts & TOE_SEG_TS) {
		syn->tsval = ack->tsval;
		from_ts_bits(ack->tsecr - toe_tuple_secret(key, t, TOE_SECRET_TS), syn);
	}
	return true;
}

/* The offset with which the timestamp of `now` ends in `bits`, and is no newer than the clock. */
static uint32_t shifted(uint32_t offset, uint64_t now, uint32_t bits)
{
	uint32_t clock = toe_ts_clock(0, now), want = (clock & ~(uint32_t)TS_MASK) | bits;

	if (want > clock)
		want -= 1 << TOE_COOKIE_TS_BITS;
	return offset + want - clock;
}

void toe_cookie_answer(struct toe_fpc *f, const struct toe_rx *rx, const struct toe_open *o)
{
	struct toe_open how = *o;
	struct toe_seg syn = rx->seg;
	struct toe_out out;
	uint32_t bits;

	if (o->no_ts)
		syn.opts &= (uint8_t)~TOE_SEG_TS;
	how.isn = toe_cookie_make(f->ctrl->key, &rx->tuple, &syn, f->now, &bits);
	how.ts_offset = shifted(o->ts_offset, f->now, bits);
	toe_tcp_open_passive(&f->scratch.t, &how, &syn, f->now);
	if (!toe_tcp_output(&f->scratch.t, f->now, &out))
		return;
	toe_store(f->cookie_until, f->now + TOE_COOKIE_LIFE_US);
	toe_count(f, TOE_CNT_cookies_sent);
	toe_gen_reply(f, rx, &out);
}
