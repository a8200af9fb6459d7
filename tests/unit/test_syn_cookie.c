/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_env.h"
#include "raw_frame.h"

#include "../../firmware/core/isn.h"
#include "../../firmware/core/syn_cookie.h"
#include "../harness/unit.h"

static const uint64_t key[2] = { 0x0123456789abcdefull, 0xfedcba9876543210ull };
static const uint64_t t0 = 5ull << TOE_COOKIE_PERIOD_LOG;
static struct toe_tuple v4 = { .laddr = { [10] = 0xff, 0xff, 10, 0, 0, 1 },
			       .raddr = { [10] = 0xff, 0xff, 10, 0, 0, 2 },
			       .lport = 80,
			       .rport = 4711 };

static struct toe_seg full_syn(void)
{
	return (struct toe_seg){ .flags = TOE_SYN | TOE_ECE | TOE_CWR,
				 .seq = 0xfffffffe,
				 .opts =
				     TOE_SEG_MSS | TOE_SEG_WSCALE | TOE_SEG_SACK_OK | TOE_SEG_TS,
				 .mss = 1460,
				 .wscale = 7,
				 .tsval = 1000 };
}

/* The ACK that answers a cookie, timestamps as the engine stamps them. */
static struct toe_seg ack_of(const struct toe_seg *syn, uint32_t cookie, uint32_t bits)
{
	return (struct toe_seg){ .flags = TOE_ACK,
				 .seq = syn->seq + 1,
				 .ack = cookie + 1,
				 .wnd = 500,
				 .opts = syn->opts & TOE_SEG_TS,
				 .tsval = 1010,
				 .tsecr =
				     64 * 99 + bits + toe_tuple_secret(key, &v4, TOE_SECRET_TS) };
}

static void make__everything_comes_back(void)
{
	struct toe_seg syn = full_syn(), ack, got;
	uint32_t bits, cookie = toe_cookie_make(key, &v4, &syn, t0, &bits);

	CU_ASSERT(bits < 1u << TOE_COOKIE_TS_BITS);
	CU_ASSERT_EQUAL(syn.opts, full_syn().opts);
	ack = ack_of(&syn, cookie, bits);
	CU_ASSERT(toe_cookie_check(key, &v4, &ack, t0, &got));
	CU_ASSERT_EQUAL(got.seq, syn.seq);
	CU_ASSERT_EQUAL(got.flags, syn.flags);
	CU_ASSERT_EQUAL(got.opts, syn.opts);
	CU_ASSERT_EQUAL(got.mss, 1460);
	CU_ASSERT_EQUAL(got.wscale, 7);
	CU_ASSERT_EQUAL(got.tsval, 1010);
	CU_ASSERT_EQUAL(got.wnd, 500);
}

static void make__each_option_by_itself(void)
{
	for (unsigned i = 0; i < 8; i++) {
		struct toe_seg syn = full_syn(), ack, got;
		uint32_t bits, cookie;

		syn.opts = (uint8_t)(TOE_SEG_TS | TOE_SEG_MSS | (i & 1 ? TOE_SEG_WSCALE : 0) |
				     (i & 2 ? TOE_SEG_SACK_OK : 0));
		syn.flags = TOE_SYN | (i & 4 ? TOE_ECE | TOE_CWR : 0);
		syn.wscale = 14;
		cookie = toe_cookie_make(key, &v4, &syn, t0, &bits);
		ack = ack_of(&syn, cookie, bits);
		CU_ASSERT(toe_cookie_check(key, &v4, &ack, t0, &got));
		CU_ASSERT_EQUAL(got.opts, syn.opts);
		CU_ASSERT_EQUAL(got.flags, syn.flags);
		CU_ASSERT_EQUAL(got.wscale, i & 1 ? 14 : 0);
	}
}

/* What cannot be said is not agreed either. */
static void make__without_timestamps(void)
{
	struct toe_seg syn = full_syn(), ack, got;
	uint32_t bits, cookie;

	syn.opts &= (uint8_t)~TOE_SEG_TS;
	cookie = toe_cookie_make(key, &v4, &syn, t0, &bits);
	CU_ASSERT_EQUAL(syn.opts, TOE_SEG_MSS);
	CU_ASSERT_EQUAL(syn.flags, TOE_SYN);
	ack = ack_of(&syn, cookie, 0);
	CU_ASSERT(toe_cookie_check(key, &v4, &ack, t0, &got));
	CU_ASSERT_EQUAL(got.opts, TOE_SEG_MSS);
	CU_ASSERT_EQUAL(got.mss, 1460);
}

/* Never more than the peer takes, and close to it. */
static void make__mss(void)
{
	for (uint32_t mss = TOE_MSS_MIN; mss < 65536; mss += 7) {
		struct toe_seg syn = full_syn(), ack, got;
		uint32_t bits, cookie;

		syn.mss = (uint16_t)mss;
		cookie = toe_cookie_make(key, &v4, &syn, t0, &bits);
		ack = ack_of(&syn, cookie, bits);
		CU_ASSERT(toe_cookie_check(key, &v4, &ack, t0, &got));
		CU_ASSERT(got.mss <= mss && got.mss == syn.mss);
		CU_ASSERT(mss > 1500 || got.mss * 5 >= mss * 2);
	}
}

static void make__no_mss_option(void)
{
	struct toe_tuple v6 = v4;
	struct toe_seg syn = full_syn();
	uint32_t bits;

	syn.opts &= (uint8_t)~TOE_SEG_MSS;
	toe_cookie_make(key, &v4, &syn, t0, &bits);
	CU_ASSERT_EQUAL(syn.mss, 536);
	v6.laddr[0] = v6.raddr[0] = 0x20;
	syn = full_syn();
	syn.opts &= (uint8_t)~TOE_SEG_MSS;
	toe_cookie_make(key, &v6, &syn, t0, &bits);
	CU_ASSERT_EQUAL(syn.mss, 1220);
}

static void check__one_to_two_periods(void)
{
	struct toe_seg syn = full_syn(), ack, got;
	uint32_t bits, cookie = toe_cookie_make(key, &v4, &syn, t0, &bits);
	uint64_t period = 1ull << TOE_COOKIE_PERIOD_LOG;

	ack = ack_of(&syn, cookie, bits);
	CU_ASSERT(toe_cookie_check(key, &v4, &ack, t0 + 2 * period - 1, &got));
	CU_ASSERT_FALSE(toe_cookie_check(key, &v4, &ack, t0 + 2 * period, &got));
	CU_ASSERT_FALSE(toe_cookie_check(key, &v4, &ack, t0 - 1, &got));
}

static void check__another_connection(void)
{
	struct toe_seg syn = full_syn(), ack, got;
	uint32_t bits, cookie = toe_cookie_make(key, &v4, &syn, t0, &bits);
	uint64_t other_key[2] = { key[0], key[1] ^ 1 };
	struct toe_tuple other = v4;

	ack = ack_of(&syn, cookie, bits);
	other.rport++;
	CU_ASSERT_FALSE(toe_cookie_check(key, &other, &ack, t0, &got));
	CU_ASSERT_FALSE(toe_cookie_check(other_key, &v4, &ack, t0, &got));
	ack.seq++;
	CU_ASSERT_FALSE(toe_cookie_check(key, &v4, &ack, t0, &got));
}

/* A guess is right with a chance of 2^-27. */
static void check__guesses(void)
{
	struct toe_seg syn = full_syn(), ack, got;
	unsigned right = 0;

	for (uint32_t i = 0; i < 1000000; i++) {
		ack = ack_of(&syn, i * 2654435761u, 0);
		right += toe_cookie_check(key, &v4, &ack, t0, &got);
	}
	CU_ASSERT(right <= 1);
}

/* Ids are scarce: the connection opens by cookie, with everything that was agreed. */
static void answer__options_survive(void)
{
	struct env e;
	const struct toe_tcb *t;
	uint32_t flow = 0;
	uint32_t bound;

	env_up_with(&e, 16, 1);
	sim_app_listen(e.sa, 0, 80, 8);
	env_pass(&e, 20, true);
	bound = e.s->fpc[0]->nfree;
	e.s->fpc[0]->nfree = 2; /* few ids are left */
	CU_ASSERT_PTR_NOT_NULL(sim_app_connect(e.ca, e.s, 80));
	env_pass(&e, 300, true);
	e.s->fpc[0]->nfree = bound - 1;
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_cookies_sent), 1);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_cookies_opened), 1);
	CU_ASSERT_EQUAL(e.ca->connected, 1);
	CU_ASSERT_EQUAL(e.sa->accepted, 1);
	while (flow < e.s->conf.nflows && e.s->ent[flow].life != TOE_LIFE_LIVE)
		flow++;
	CU_ASSERT_FATAL(flow < e.s->conf.nflows);
	t = toe_engine_peek(e.s->state, e.s->ctrl, &e.s->ent[flow]);
	CU_ASSERT_EQUAL(t->flags & (TOE_TCB_TS | TOE_TCB_SACK | TOE_TCB_WSCALE),
			TOE_TCB_TS | TOE_TCB_SACK | TOE_TCB_WSCALE);
	CU_ASSERT_EQUAL(t->mss, 1448);
	env_down(&e);
}

/*
 * An ACK for a cookie that the SYN with number `irs` was given, on a flow whose peer began at `own`; `broken`:
 * and its checksum is wrong.
 */
static uint32_t reopened(uint32_t own, uint32_t irs, bool broken, uint32_t *label)
{
	uint8_t raw[RAW_MAX];
	struct toe_frame frame = { .data = raw };
	struct toe_seg syn, ack;
	struct toe_rx rx;
	struct toe_work *w;
	struct env e;
	uint32_t bits, first;

	env_up(&e);
	env_connection(&e);
	w = toe_fpc_open(e.s->fpc[0], e.sa->conn[0].flow);
	w->t->rcv_first = (1ull << 32) + own + 1;
	w->t->flow_label = *label;
	syn = full_syn();
	syn.seq = irs;
	v4 = w->e->tuple;
	ack = ack_of(&syn, toe_cookie_make(e.s->ctrl->key, &v4, &syn, e.w->now, &bits), bits);
	ack.tsecr += toe_tuple_secret(e.s->ctrl->key, &v4, TOE_SECRET_TS) -
		     toe_tuple_secret(key, &v4, TOE_SECRET_TS);
	frame.len = raw_frame(raw, e.s->ctrl->dev[0].mac, e.c->ctrl->dev[0].mac, &v4, &ack);
	raw[frame.len - 1] ^= broken; /* what options it says were agreed */
	CU_ASSERT_EQUAL(toe_rx_parse(&frame, &rx), 0);
	*e.s->fpc[0]->cookie_until = UINT64_MAX;
	toe_sched_reopen(e.s->fpc[0], w, &rx);
	*label = w->t->flow_label;
	first = (uint32_t)w->t->snd_first - rx.seg.ack;
	env_down(&e);
	return first;
}

/* Only the SYN that is being answered: another one's is of an earlier connection. */
static void reopen__same_syn(void)
{
	uint32_t label = 77;

	CU_ASSERT_EQUAL(reopened(5000, 5000, false, &label), 0);
	CU_ASSERT_EQUAL(label, 77);
	CU_ASSERT_NOT_EQUAL(reopened(5000, 900, false, &label), 0);
}

static void reopen__checksum(void)
{
	uint32_t label = 0;

	CU_ASSERT_NOT_EQUAL(reopened(5000, 5000, true, &label), 0);
}

UNIT_MAIN("syn_cookie", T(make__everything_comes_back), T(make__each_option_by_itself),
	  T(make__without_timestamps), T(make__mss), T(make__no_mss_option),
	  T(check__one_to_two_periods), T(check__another_connection), T(check__guesses),
	  T(answer__options_survive), T(reopen__same_syn), T(reopen__checksum))
