/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer and an application that both mean ill, by seed: segments and commands near every edge, in
 * every state. After each event the invariants hold, what leaves is well formed, what is delivered
 * was stored, nothing runs backwards; and once the application has closed, the connection ends
 * whatever the peer does. In half of the seeds the peer only says what one in trouble might, so that
 * the connection lives long and gets into it, too. When the peer is friendly in the end, all that was
 * written arrives.
 *
 * Usage: test_hostile [SEED [COUNT]]
 */
#include "tcp_env.h"
#include "tests/harness/seeds.h"

enum { BUF = TOE_BUF_DEFAULT, STEPS = 60, ENDLESS = 4000 };

struct war {
	struct toe_tcb t;
	struct toe_tcb_lists lists; /* its own: they follow it */
	struct toe_open how;
	uint64_t rng, now;
	uint64_t rx_end, tx_una, right; /* as last seen: none goes back */
	uint64_t acked; /* highest number acknowledged to the peer */
	bool over, time_wait;
	bool
	    crumbs; /* the peer sends small pieces all over the window, and long ones across them */
	bool
	    mild; /* the peer says what it might: the connection lives long and gets into trouble */
	uint8_t stored[BUF]; /* 1: the buffer holds the byte of this position */
	const char *fail;
};

static uint32_t rnd(struct war *w, uint32_t below)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return (uint32_t)((w->rng >> 20) % below);
}

static bool chance(struct war *w, uint32_t percent)
{
	return rnd(w, 100) < percent;
}

static uint32_t pick(struct war *w, const uint32_t *of, unsigned n)
{
	return of[rnd(w, n)];
}

#define PICK(w, ...) \
	pick(w, (const uint32_t[]){ __VA_ARGS__ }, \
	     sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

#define HOLDS(w, condition) \
	do { \
		if (!(condition) && !(w)->fail) \
			(w)->fail = #condition; \
	} while (0)

static void check(struct war *w)
{
	const struct toe_tcb *t = &w->t;
	const char *broken = toe_tcb_check(t);

	if (broken && !w->fail)
		w->fail = broken;
	HOLDS(w, toe_tcp_rx_end(t) >= w->rx_end);
	HOLDS(w, toe_tcp_tx_una(t) >= w->tx_una);
	for (uint64_t p = w->rx_end; p < toe_tcp_rx_end(t) && !w->fail; p++)
		HOLDS(w, w->stored[p & (BUF - 1)]);
	w->rx_end = toe_tcp_rx_end(t);
	w->tx_una = toe_tcp_tx_una(t);
}

static void check_out(struct war *w, const struct toe_out *o)
{
	const struct toe_tcb *t = &w->t;
	uint64_t seq = toe_seq_expand(t->snd_una, o->seq), ack, right;

	HOLDS(w, o->len <= t->mss || (t->mtu_probe && o->len + o->opt_len <= t->mss_peer));
	HOLDS(w, o->len + o->opt_len + 20u + t->ip_hdr <= toe_max32(t->mtu, t->mtu_probe));
	HOLDS(w, o->opt_len <= 40 && o->opt_len % 4 == 0);
	HOLDS(w, !o->len || o->pos + o->len <= t->snd_end - t->snd_first);
	seq += !!(o->flags & TOE_SYN);
	HOLDS(w, !o->len || t->snd_first + o->pos == seq);
	/* Keepalive asks from one below. */
	HOLDS(w, seq + ((o->flags & ~TOE_ECE) == TOE_ACK && !o->len) >= t->snd_una);
	HOLDS(w, seq + o->len <= t->snd_max);
	HOLDS(w, !(o->flags & TOE_FIN) || seq + o->len == t->snd_end);
	HOLDS(w, !o->last == !(o->flags & TOE_RST));
	if (t->state == TOE_TCP_SYN_SENT)
		return;
	ack = toe_seq_expand(t->rcv_nxt, o->ack);
	HOLDS(w, ack == t->rcv_nxt || (toe_cc(t)->wants_ecn && ack < t->rcv_nxt));
	HOLDS(w, ack >= w->acked);
	w->acked = ack;
	if (o->flags & TOE_SYN)
		return;
	right = ack + ((uint64_t)o->wnd << t->rcv_wscale);
	HOLDS(w, right <= t->rcv_read + TOE_BUF_DEFAULT || !o->wnd);
	HOLDS(w, right + (1u << t->rcv_wscale) > w->right || t->flags & TOE_TCB_FIN_RCVD);
	w->right = toe_max64(w->right, right);
}

static void act(struct war *w, uint32_t a)
{
	bool frames = !chance(w, 10); /* the FPC may have none, or run out of them */
	struct toe_out o;
	unsigned n = 0;

	check(w);
	while (frames && !w->over && !chance(w, 2) && toe_tcp_output(&w->t, w->now, &o)) {
		check_out(w, &o);
		check(w);
		w->over = o.last;
		HOLDS(w, ++n < 2000);
		if (w->fail)
			return;
	}
	if (!frames && !w->over)
		toe_tcp_refused(&w->t, w->now);
	check(w);
	if (a & (TOE_ACT_FREE | TOE_ACT_TIME_WAIT))
		w->over = true;
	w->time_wait |= !!(a & TOE_ACT_TIME_WAIT);
}

/* All that is due has left: then something must be armed, or the connection sleeps for ever. */
static void settle(struct war *w)
{
	struct toe_out o;
	unsigned n = 0;

	while (!w->over && toe_tcp_output(&w->t, w->now, &o)) {
		check_out(w, &o);
		w->over = o.last;
		HOLDS(w, ++n < 2000);
		if (w->fail)
			return;
	}
	check(w);
	HOLDS(w, w->over || w->t.state < TOE_TCP_ESTABLISHED || !toe_send_pending(&w->t) ||
		     w->t.rto_at || w->t.pace_at);
	HOLDS(w, w->over || w->t.state < TOE_TCP_ESTABLISHED ||
		     !(w->t.flags & (TOE_TCB_ACK_NOW | (w->t.pace_at ? 0 : TOE_TCB_REXMIT))));
}

static uint32_t near(struct war *w, uint64_t a, uint64_t b)
{
	uint32_t base = (uint32_t)(chance(w, 50) ? a : b);

	switch (rnd(w, 8)) {
	case 0:
		return base + rnd(w, 65536) - 32768;
	case 1:
		return base + PICK(w, 0x7fffffff, 0x80000000, 0x80000001);
	case 2:
		return base + (rnd(w, 40) - 20) * 100;
	case 3:
		return base + rnd(w, 5) - 2;
	default:
		return base;
	}
}

/* The boundary of a segment under way, or a number near it. */
static uint32_t boundary(struct war *w)
{
	const struct toe_tcb *t = &w->t;
	uint32_t flight = (uint32_t)(t->snd_max - t->snd_una), at;

	if (t->nsent && chance(w, 50))
		return toe_sents(t)[t->sent_lo + rnd(w, t->nsent)].end;
	at = rnd(w, flight / t->mss + 2) * t->mss;
	return (uint32_t)t->snd_una + toe_min32(at, flight);
}

/* Acknowledgements, SACK blocks, data and windows that a peer in trouble might send. */
static struct toe_seg mild_seg(struct war *w)
{
	const struct toe_tcb *t = &w->t;
	struct toe_seg s = { .flags = TOE_ACK, .ack = (uint32_t)t->snd_una };

	s.seq = (uint32_t)t->rcv_nxt;
	if (chance(w, 30))
		s.ack = boundary(w);
	if (chance(w, 30)) {
		s.len = PICK(w, 1, 100, t->mss, 1448);
		s.seq += chance(w, 50) ? 0 : rnd(w, 6) * 1448;
	}
	s.wnd = (uint16_t)(PICK(w, 0, 1, 100, t->mss, 3 * t->mss, 20000, 65535, 65535, 65535) >>
			   (chance(w, 50) ? t->snd_wscale : 0));
	if (chance(w, 60) && t->snd_wnd >> t->snd_wscale <= 65535)
		s.wnd = (uint16_t)(t->snd_wnd >> t->snd_wscale);
	if (t->flags & TOE_TCB_TS) {
		s.opts |= TOE_SEG_TS;
		s.tsval = t->ts_recent + rnd(w, 2);
		s.tsecr = toe_ts_now(t, w->now) - PICK(w, 0, 1, 10, 300);
	}
	if (chance(w, 40)) {
		s.opts |= TOE_SEG_SACK;
		s.nsack = (uint8_t)(1 + rnd(w, 3));
		for (unsigned i = 0; i < s.nsack; i++) {
			uint32_t lo = boundary(w), hi = boundary(w);

			s.sack[i] = toe_seq_lt(lo, hi) ? (struct toe_range){ lo, hi }
						       : (struct toe_range){ hi, lo };
		}
	}
	s.flags |= chance(w, 10) ? TOE_ECE : 0;
	s.opts |= chance(w, 10) ? TOE_SEG_CE : 0;
	s.flags |= s.len && chance(w, 10) ? TOE_CWR : 0;
	return s;
}

static struct toe_seg random_seg(struct war *w)
{
	const struct toe_tcb *t = &w->t;
	struct toe_seg s = { .flags = (uint8_t)PICK(w, TOE_ACK, TOE_ACK, TOE_ACK, TOE_ACK | TOE_PSH,
						    TOE_ACK | TOE_FIN, TOE_SYN, TOE_SYN | TOE_ACK,
						    rnd(w, 256)) };

	if (chance(w, 3))
		s.flags |= TOE_RST;
	s.seq = near(w, t->rcv_nxt, t->rcv_adv);
	if (t->nholes && chance(w, 30))
		s.seq = toe_ooo(t)[rnd(w, t->nholes)].hi + rnd(w, 3) - 1;
	if (t->flags & TOE_TCB_FIN_OOO && chance(w, 30))
		s.seq = (uint32_t)t->fin_at - rnd(w, 300);
	s.ack = near(w, t->snd_una, t->snd_max);
	s.len = chance(w, 50) ? 0 : PICK(w, 1, 2, 100, t->mss, 1448, rnd(w, 9000));
	if (w->crumbs && chance(w, 80)) {
		bool crumb = chance(w, 90);

		s.flags = TOE_ACK;
		s.ack = (uint32_t)t->snd_una;
		s.seq = (uint32_t)t->rcv_nxt + (crumb ? 1 + rnd(w, 2000) : rnd(w, 500));
		s.len = crumb ? 1 + rnd(w, 30) : 8000;
	}
	s.wnd = (uint16_t)PICK(w, 0, 1, 100, 65535, rnd(w, 65536));
	if (!(t->flags & TOE_TCB_TS) == chance(w, 5))
		s.opts |= TOE_SEG_TS;
	s.tsval = t->ts_recent + PICK(w, 0, 0, 1, 1000, -1u, 0x80000000, rnd(w, UINT32_MAX));
	s.tsecr = toe_ts_now(t, w->now) - PICK(w, 0, 1, 1000, -1u, rnd(w, UINT32_MAX));
	if (s.flags & TOE_SYN) {
		s.opts |= (uint8_t)(rnd(w, 32) & ~TOE_SEG_SACK);
		s.mss = (uint16_t)PICK(w, 0, 1, 64, 536, 1460, 65535);
		s.wscale = (uint8_t)PICK(w, 0, 1, 7, 14, 15, 255);
	} else if (chance(w, 20)) {
		s.opts |= TOE_SEG_SACK;
		s.nsack = (uint8_t)(1 + rnd(w, TOE_MAX_SACK));
		for (unsigned i = 0; i < s.nsack; i++)
			s.sack[i] = (struct toe_range){ near(w, t->snd_una, t->snd_max),
							near(w, t->snd_una, t->snd_max) };
	}
	return s;
}

/* The bytes that count are those that toe_tcp_place named for a segment that was then taken. */
static void segment(struct war *w, const struct toe_seg *s)
{
	struct toe_tcb *t = &w->t, old = w->t;
	struct toe_tcb_lists lists = w->lists;
	struct toe_span span[TOE_MAX_SPANS];
	unsigned n = toe_tcp_place(t, s, span);
	uint64_t from = w->rx_end;
	uint32_t a;

	HOLDS(w, !memcmp(t, &old, sizeof(old)) && !memcmp(&w->lists, &lists, sizeof(lists)));
	for (unsigned i = 0; i < n; i++) {
		HOLDS(w, span[i].len && span[i].off + span[i].len <= s->len);
		HOLDS(w, span[i].pos >= from);
		from = span[i].pos + span[i].len;
		HOLDS(w, from <= t->rcv_read - t->rcv_first + TOE_BUF_DEFAULT);
	}
	if (w->fail)
		return;
	for (unsigned i = 0; i < n; i++)
		for (uint64_t p = span[i].pos; p < span[i].pos + span[i].len; p++)
			w->stored[p & (BUF - 1)] = 1;
	a = toe_tcp_input(t, s, w->now);
	if (!(a & TOE_ACT_RX) &&
	    (!(a & TOE_ACT_C_OOO) ||
	     (t->nholes == old.nholes && !memcmp(w->lists.ooo, lists.ooo, sizeof(lists.ooo)))))
		for (unsigned i = 0; i < n; i++)
			for (uint64_t p = span[i].pos; p < span[i].pos + span[i].len; p++)
				w->stored[p & (BUF - 1)] = 0;
	act(w, a);
	/* More of the same batch may come for a flow that has just ended. */
	if (w->over && chance(w, 20)) {
		toe_tcp_input(t, s, w->now);
		check(w);
	}
}

/* The application reads all that is there. */
static void read_all(struct war *w)
{
	struct toe_tcb *t = &w->t;
	int64_t r;

	for (uint64_t p = t->rcv_read - t->rcv_first; p < toe_tcp_rx_end(t); p++)
		w->stored[p & (BUF - 1)] = 0;
	r = toe_tcp_recv(t, toe_tcp_rx_end(t), w->now);
	HOLDS(w, r >= 0);
	act(w, r < 0 ? 0 : (uint32_t)r);
}

static void command(struct war *w)
{
	struct toe_tcb *t = &w->t;
	uint64_t wrote = t->snd_end - t->snd_first, end;
	int64_t r = 0;

	switch (rnd(w, 12)) {
	case 0:
		r = toe_tcp_shutdown(t, w->now);
		break;
	case 1:
		r = chance(w, 30) ? toe_tcp_close(t, w->now) : 0;
		break;
	case 2:
		r = chance(w, 10) ? toe_tcp_abort(t, chance(w, 50) ? ECONNRESET : 0, w->now) : 0;
		break;
	case 3:
	case 4:
		r = toe_tcp_option(t, (uint8_t)rnd(w, 256) & PICK(w, 7, 255), rnd(w, 2), w->now);
		break;
	case 5:
		r = toe_tcp_send(t, wrote + ((uint64_t)rnd(w, UINT32_MAX) << rnd(w, 33)) - 70000,
				 (uint8_t)rnd(w, 256), w->now);
		break;
	case 6:
		end = ((uint64_t)rnd(w, UINT32_MAX) << rnd(w, 33)) - 10;
		r = toe_tcp_recv(t, end, w->now);
		HOLDS(w, r < 0 || end <= toe_tcp_rx_end(t));
		break;
	case 7:
	case 8:
		read_all(w);
		break;
	default:
		r = toe_tcp_send(t, wrote + rnd(w, toe_send_space(t) + 1), (uint8_t)rnd(w, 4),
				 w->now);
		HOLDS(w, r >= 0 || t->flags & TOE_TCB_FIN_QUEUED || t->state == TOE_TCP_CLOSED);
	}
	act(w, r < 0 ? 0 : (uint32_t)r);
}

static void timers(struct war *w)
{
	uint64_t at = toe_tcp_deadline(&w->t);

	if (chance(w, 50) && at > w->now)
		w->now = at - chance(w, 20);
	else
		w->now += rnd(w, 1u << rnd(w, 26));
	act(w, toe_tcp_timer(&w->t, w->now));
	HOLDS(w, w->over || !toe_tcp_deadline(&w->t) || toe_tcp_deadline(&w->t) > w->now);
}

static void begin(struct war *w)
{
	struct toe_seg syn;
	uint32_t a;

	w->now = PICK(w, 1, 1000000, UINT32_MAX) + ((uint64_t)rnd(w, 3) << 40);
	w->how = (struct toe_open){ .isn = -rnd(w, 20000),
				    .ts_offset = rnd(w, UINT32_MAX),
				    .rcv_size = 16384u >> rnd(w, 4),
				    .snd_size = 2048u << rnd(w, 6),
				    .rcv_most = 1u << rnd(w, 24),
				    .snd_most = 1u << rnd(w, 24),
				    .mtu = (uint16_t)PICK(w, 576, 1500, 1500, 9000),
				    .cc = (uint8_t)rnd(w, TOE_CC_COUNT),
				    .ecn = (uint8_t)rnd(w, 3),
				    .fast = (uint8_t)(chance(w, 20) ? rnd(w, 4) : 0),
				    .fo_mss = (uint16_t)PICK(w, 64, 536, 1460),
				    .ip_hdr = (uint8_t)PICK(w, 20, 20, 40) };
	if (chance(w, 30)) {
		act(w, toe_tcp_open_active(&w->t, &w->how, w->now));
		w->t.rcv_nxt = 0;
		return;
	}
	syn = random_seg(w);
	syn.flags = TOE_SYN | (chance(w, 50) ? TOE_ECE | TOE_CWR : 0);
	syn.seq = -rnd(w, 20000);
	a = toe_tcp_open_passive(&w->t, &w->how, &syn, w->now);
	memset(w->stored, 1, toe_tcp_rx_end(&w->t));
	act(w, a);
}

/* Most seeds should get past the handshake. */
static void handshake(struct war *w)
{
	struct toe_seg s = random_seg(w);
	bool active = w->t.state == TOE_TCP_SYN_SENT;

	if (w->mild) {
		s.mss = (uint16_t)PICK(w, 64, 536, 1460, 1460, 8960);
		s.wscale = (uint8_t)PICK(w, 0, 7, 14);
		s.wnd = (uint16_t)PICK(w, 0, 1, 500, 65535);
	}

	s.flags = TOE_ACK | (active ? TOE_SYN : 0);
	s.opts = active ? (uint8_t)(rnd(w, 16)) : w->t.flags & TOE_TCB_TS ? TOE_SEG_TS : 0;
	s.seq = active ? -rnd(w, 20000) : (uint32_t)w->t.rcv_nxt;
	s.ack = (uint32_t)w->t.snd_max;
	s.tsval = w->t.ts_recent + 1;
	s.len = active ? 0 : s.len;
	segment(w, &s);
}

/* The peer goes on answering, or not, but takes nothing. */
static void end_it(struct war *w)
{
	bool answers = chance(w, 50);
	unsigned n = 0;

	act(w, toe_tcp_recv(&w->t, toe_tcp_rx_end(&w->t), w->now) > 0 ? TOE_ACT_OUTPUT : 0);
	if (!w->over)
		act(w, toe_tcp_close(&w->t, w->now));
	for (; !w->over && !w->fail; n++) {
		struct toe_seg s = { .flags = TOE_ACK, .tsecr = rnd(w, UINT32_MAX) };

		settle(w);
		if (w->over || w->fail)
			return;
		HOLDS(w, toe_tcp_deadline(&w->t));
		HOLDS(w, n < ENDLESS);
		w->now = toe_max64(toe_tcp_deadline(&w->t), w->now);
		act(w, toe_tcp_timer(&w->t, w->now));
		if (w->over || !answers)
			continue;
		s.seq = (uint32_t)w->t.rcv_nxt;
		s.ack = (uint32_t)w->t.snd_una;
		s.opts = w->t.flags & TOE_TCB_TS ? TOE_SEG_TS : 0;
		s.tsval = w->t.ts_recent;
		segment(w, &s);
	}
}

static void after(struct war *w)
{
	struct toe_tw tw;
	struct toe_out o;

	toe_tw_from_tcb(&tw, &w->t, w->now);
	for (unsigned i = 0; i < 20; i++) {
		struct toe_seg s = random_seg(w);

		o.flags = 0;
		switch (toe_tw_input(&tw, &s, w->now, &o)) {
		case TOE_TW_ACK:
		case TOE_TW_ACK_RESTART:
			HOLDS(w, o.flags == TOE_ACK && o.ack == tw.rcv_nxt && !o.len);
			break;
		default:
			HOLDS(w, !o.flags);
		}
	}
}

/* An ICMP error, which may quote anything. */
static void router(struct war *w)
{
	uint32_t span = (uint32_t)(w->t.snd_max - w->t.snd_una) + 3;
	uint32_t seq = (uint32_t)w->t.snd_una - 1 + rnd(w, span);
	uint32_t size = rnd(w, 3) ? rnd(w, 10000) : w->t.mtu;

	if (w->t.state == TOE_TCP_CLOSED)
		return;
	if (chance(w, 95))
		act(w,
		    toe_tcp_too_big(&w->t, seq, chance(w, 20) ? 0 : rnd(w, 10000), size, w->now));
	else
		act(w, toe_tcp_unreachable(&w->t, seq, EHOSTUNREACH, w->now));
	if (chance(w, 10) && !w->over)
		act(w, toe_tcp_link_mtu(&w->t, 128 + rnd(w, 9000), w->now));
}

/* The next thing that a peer without fault does: shake hands, acknowledge all, send what is missing. */
static void friendly(struct war *w)
{
	struct toe_tcb *t = &w->t;
	struct toe_seg s = { .flags = TOE_ACK, .wnd = 65535, .ack = (uint32_t)t->snd_max };
	uint64_t fin = t->flags & TOE_TCB_FIN_OOO ? t->fin_at : UINT64_MAX;

	s.seq = (uint32_t)t->rcv_nxt;
	if (t->state == TOE_TCP_SYN_SENT) {
		s.flags |= TOE_SYN;
		s.seq = 77;
		s.opts = TOE_SEG_MSS | TOE_SEG_TS | TOE_SEG_SACK_OK;
		s.mss = 1460;
	} else if (toe_recv_can(t) && t->rcv_adv > t->rcv_nxt) {
		s.len =
		    (uint32_t)toe_min64(toe_min64(500, fin - t->rcv_nxt), t->rcv_adv - t->rcv_nxt);
	}
	s.opts |= t->flags & TOE_TCB_TS ? TOE_SEG_TS : 0;
	s.tsval = t->ts_recent;
	s.tsecr = toe_ts_now(t, w->now);
	segment(w, &s);
}

/* Timers, until `at`. */
static void pass(struct war *w, uint64_t until)
{
	uint64_t at;

	while (!w->over && !w->fail && (at = toe_tcp_deadline(&w->t)) && at <= until) {
		w->now = toe_max64(at, w->now);
		act(w, toe_tcp_timer(&w->t, w->now));
		settle(w);
	}
	w->now = toe_max64(w->now, until);
}

/* Whatever has happened, with a good peer and path all comes to its end, and soon. */
static void peace(struct war *w)
{
	struct toe_tcb *t = &w->t;
	uint64_t begun = w->now;

	for (unsigned n = 0; !w->over && !w->fail && t->state != TOE_TCP_CLOSED; n++) {
		if (t->state >= TOE_TCP_ESTABLISHED && !toe_send_pending(t) &&
		    t->snd_una == t->snd_max && n > 20)
			break;
		HOLDS(w, n < 400 && w->now - begun < 300000000);
		settle(w);
		if (t->opts & TOE_TCB_SYN_HELD) { /* nothing but its application's */
			HOLDS(w, toe_tcp_send(t, 0, 0, w->now) > 0);
			settle(w);
		}
		/* Only the persist timer goes on from here. */
		if (toe_send_pending(t) && t->snd_una == t->snd_max) {
			HOLDS(w, toe_tcp_deadline(t));
			pass(w, toe_tcp_deadline(t));
		}
		pass(w, w->now + 10000);
		if (!w->over && t->state != TOE_TCP_CLOSED)
			friendly(w);
		if (!w->over && t->rcv_first)
			read_all(w);
	}
	HOLDS(w, w->over || t->state == TOE_TCP_CLOSED ||
		     toe_tcp_tx_una(t) == t->snd_end - t->snd_first);
}

static bool war(uint64_t seed)
{
	static struct war w;

	memset(&w, 0, sizeof(w));
	w.rng = seed * 0x9e3779b97f4a7c15ull + 0x7654321;
	w.crumbs = chance(&w, 20);
	w.mild = chance(&w, 50);
	begin(&w);
	if (chance(&w, 85))
		handshake(&w);
	for (unsigned i = 0; i < (w.mild ? 4 * STEPS : STEPS) && !w.over && !w.fail; i++) {
		struct toe_seg s;

		w.now += rnd(&w, 1000);
		switch (rnd(&w, 9)) {
		case 0:
			timers(&w);
			break;
		case 1:
		case 2:
			command(&w);
			break;
		case 3:
			settle(&w);
			break;
		case 4:
			router(&w);
			break;
		default:
			s = w.mild && chance(&w, 98) && w.t.state >= TOE_TCP_ESTABLISHED
				? mild_seg(&w)
				: random_seg(&w);
			segment(&w, &s);
		}
		if (chance(&w, 3) && !w.over)
			toe_tcp_trim(&w.t, TOE_SPILL_HOLES, TOE_NEAR_SENT);
	}
	if (!w.over && !w.fail && chance(&w, 70))
		peace(&w);
	if (!w.over && !w.fail)
		end_it(&w);
	if (w.time_wait && !w.fail)
		after(&w);
	if (w.fail)
		printf("seed %llu, state %d: %s\n", (unsigned long long)seed, w.t.state, w.fail);
	return !w.fail;
}

static uint64_t first_seed = 1;
static unsigned nseeds = 60000;

static void hostile__peer_and_application(void)
{
	unsigned bad = 0;

	for (uint64_t s = first_seed; s < first_seed + nseeds && bad < 10; s++)
		bad += !war(s);
	CU_ASSERT_EQUAL(bad, 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = { T(hostile__peer_and_application) };

	seeds(argc, argv, &first_seed, &nseeds);
	return unit_run("hostile", tests, sizeof(tests) / sizeof(tests[0]));
}
