/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every state meets every segment. What must come of it is worked out here a second time, from the
 * text of RFC 9293 3.10.7 (and RFC 5961, RFC 1337 where they replace it), and compared with what
 * TCP did.
 *
 * Where the RFC leaves a choice, ours is in the model, marked "choice".
 */
#include "tcp_env.h"

enum { SENT = 500 };

enum reply { NOTHING, ACKED, RESET, SYN_ACK, LATER };
static const char *const reply_name[] = { "nothing", "ACK", "RST", "SYN-ACK", "ACK later" };

/* What is compared. Numbers as in tcp_env.h: both SYNs stand at -1. */
struct seen {
	int state;
	enum reply reply;
	int64_t rcv_nxt, snd_una;
	bool established, peer_fin, error, over;
};

/* A connection as the RFC sees it. */
struct model {
	struct seen s;
	int64_t snd_nxt, right; /* right edge of the receive window */
	int64_t fin; /* number of our FIN, if sent */
	bool fin_sent, passive;
};

struct segment {
	uint8_t flags;
	int64_t seq, ack;
	uint32_t len;
};

static struct env env_simultaneous(void)
{
	struct env e = env_syn_sent();
	struct toe_seg s = env_syn(&e);

	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	return e;
}

static struct env env_sending(void)
{
	struct env e = env_established();

	env_write(&e, SENT);
	return e;
}

static struct env env_shut(void)
{
	struct env e = env_established();

	e.t.rcv_adv = e.t.rcv_nxt;
	return e;
}

static struct env env_sending_close_wait(void)
{
	struct env e = env_close_wait();

	env_write(&e, SENT);
	return e;
}

static struct env env_last_ack_with_data(void)
{
	struct env e = env_sending_close_wait();

	env_run(&e, toe_tcp_close(&e.t, e.now));
	return e;
}

static struct model model_of(const struct env *e)
{
	const struct toe_tcb *t = &e->t;
	uint64_t first = t->snd_first, peer = t->rcv_first;
	struct model m = { .s.state = t->state };

	if (t->state == TOE_TCP_SYN_SENT)
		peer = 0;
	m.s.snd_una = (int64_t)(t->snd_una - first);
	m.snd_nxt = (int64_t)(t->snd_max - first);
	m.s.rcv_nxt = (int64_t)(t->rcv_nxt - peer);
	m.right = (int64_t)(t->rcv_adv - peer);
	m.fin_sent = t->flags & TOE_TCB_FIN_SENT;
	m.fin = m.snd_nxt - 1;
	m.passive = t->flags & TOE_TCB_PASSIVE;
	return m;
}

static void finish(struct model *m, bool error)
{
	m->s.state = TOE_TCP_CLOSED;
	m->s.error = error;
	m->s.over = true;
}

/*
 * 3.10.7.4, first check, table 6. Choice: at rcv_nxt, and at the right edge where a full window in
 * flight puts the peer's ACKs, what a segment says besides its text is heard, however little of
 * that there is room for.
 */
static bool rfc_acceptable(const struct model *m, const struct segment *g)
{
	int64_t n = g->len + !!(g->flags & TOE_FIN) + !!(g->flags & TOE_SYN);
	int64_t nxt = m->s.rcv_nxt, last = g->seq + n - 1;

	if (!n)
		return nxt <= g->seq && g->seq <= m->right;
	return (nxt <= g->seq && g->seq < m->right) || (g->seq <= nxt && last >= nxt) ||
	       (nxt <= last && last < m->right);
}

/*
 * Choice: RFC 1337, no RST; what may not occur is answered by the last ACK; 3.6.1, MAY-2: a SYN from
 * beyond is for a listener, and this connection is no more.
 */
static void rfc_time_wait(struct model *m, const struct segment *g)
{
	int64_t n = g->len + !!(g->flags & TOE_FIN) + !!(g->flags & TOE_SYN);

	if ((g->flags & (TOE_SYN | TOE_ACK | TOE_RST)) == TOE_SYN && g->seq > m->s.rcv_nxt)
		m->s.state = TOE_TCP_CLOSED;
	else if (!(g->flags & TOE_RST) && (n || g->seq != m->s.rcv_nxt))
		m->s.reply = ACKED;
}

/* Second check, with RFC 5961 3.2. */
static void rfc_rst(struct model *m, const struct segment *g)
{
	if (g->seq != m->s.rcv_nxt)
		m->s.reply = ACKED;
	else if (m->s.state == TOE_TCP_SYN_RECEIVED)
		finish(m, !m->passive);
	else if (m->s.state == TOE_TCP_CLOSING || m->s.state == TOE_TCP_LAST_ACK)
		finish(m, m->s.snd_una < m->fin); /* choice: lost data is an error here too */
	else
		finish(m, true);
}

/* Fifth check. False: the segment is dropped. */
static bool rfc_ack(struct model *m, const struct segment *g)
{
	if (m->s.state == TOE_TCP_SYN_RECEIVED) {
		if (g->ack <= m->s.snd_una || g->ack > m->snd_nxt) {
			m->s.reply = RESET;
			return false;
		}
		m->s.state = TOE_TCP_ESTABLISHED;
		m->s.established = true;
	}
	/* RFC 5961 5.2; choice: nor what is below all that was ever sent, the SYN */
	if (g->ack > m->snd_nxt || g->ack < m->s.snd_una - 60000 || g->ack < -1) {
		m->s.reply = ACKED;
		return false;
	}
	if (g->ack > m->s.snd_una)
		m->s.snd_una = g->ack;
	if (!m->fin_sent || m->s.snd_una <= m->fin)
		return true;
	switch (m->s.state) {
	case TOE_TCP_FIN_WAIT_1:
		m->s.state = TOE_TCP_FIN_WAIT_2;
		return true;
	case TOE_TCP_CLOSING:
		m->s.state = TOE_TCP_TIME_WAIT;
		return true;
	case TOE_TCP_LAST_ACK:
		finish(m, false);
		return false;
	default:
		return true;
	}
}

static void rfc_fin(struct model *m)
{
	m->s.rcv_nxt++;
	m->s.peer_fin = true;
	m->s.reply = ACKED;
	if (m->s.state == TOE_TCP_ESTABLISHED)
		m->s.state = TOE_TCP_CLOSE_WAIT;
	else if (m->s.state == TOE_TCP_FIN_WAIT_1)
		m->s.state = TOE_TCP_CLOSING;
	else
		m->s.state = TOE_TCP_TIME_WAIT;
}

/* Seventh and eighth check. */
static void rfc_text(struct model *m, const struct segment *g)
{
	int64_t end = g->seq + g->len;
	bool fin = g->flags & TOE_FIN;

	if (!g->len && !fin)
		return;
	if (m->s.state != TOE_TCP_ESTABLISHED && m->s.state != TOE_TCP_FIN_WAIT_1 &&
	    m->s.state != TOE_TCP_FIN_WAIT_2) {
		m->s.reply = ACKED; /* choice: the RFC ignores text here */
		return;
	}
	if (g->seq > m->s.rcv_nxt || (end > m->s.rcv_nxt && m->s.rcv_nxt == m->right)) {
		m->s.reply = ACKED; /* RFC 5681 4.2; RFC 9293 3.8.6.1 */
		return;
	}
	/* Choice: nothing was sent yet that ACKs could be expected to ride on. */
	m->s.reply = m->s.established ? ACKED : LATER;
	if (end > m->right) {
		end = m->right;
		fin = false;
	}
	if (end > m->s.rcv_nxt)
		m->s.rcv_nxt = end;
	if (fin)
		rfc_fin(m);
}

/* 3.10.7.3 */
static void rfc_syn_sent(struct model *m, const struct segment *g)
{
	struct segment text = { .seq = 0 };
	bool acks = g->flags & TOE_ACK;

	if (acks && (g->ack <= -1 || g->ack > m->snd_nxt)) {
		m->s.reply = g->flags & TOE_RST ? NOTHING : RESET;
		return;
	}
	if (g->flags & TOE_RST) {
		if (acks)
			finish(m, true);
		return;
	}
	if (!(g->flags & TOE_SYN))
		return;
	m->s.rcv_nxt = 0;
	m->right = 65535; /* the window of a SYN */
	if (acks) {
		m->s.snd_una = g->ack;
		m->s.state = TOE_TCP_ESTABLISHED;
		m->s.established = true;
		m->s.reply = ACKED;
		text.flags = g->flags;
		text.len = g->len;
		rfc_text(m, &text);
	} else { /* choice: what rides on a SYN alone is left for retransmission */
		m->s.state = TOE_TCP_SYN_RECEIVED;
		m->s.reply = SYN_ACK;
	}
}

static void rfc(struct model *m, struct segment g)
{
	bool crossed = false;

	if (m->s.state == TOE_TCP_SYN_SENT) {
		rfc_syn_sent(m, &g);
		return;
	}
	if (m->s.state == TOE_TCP_TIME_WAIT) {
		rfc_time_wait(m, &g);
		return;
	}
	/* 3.5 figure 7, and a SYN-ACK that was lost. */
	if (m->s.state == TOE_TCP_SYN_RECEIVED && (g.flags & (TOE_SYN | TOE_RST)) == TOE_SYN &&
	    g.seq == -1) {
		if (!(g.flags & TOE_ACK)) {
			m->s.reply = SYN_ACK;
			return;
		}
		g = (struct segment){ TOE_ACK, 0, g.ack, 0 };
		crossed = true; /* 3.10.7.4, first check: its SYN is no news, and answered */
	}
	/* Choice: the number of its FIN, with which macOS resets, stands for the next one. */
	if (g.flags & TOE_RST && m->s.state >= TOE_TCP_CLOSE_WAIT && g.seq == m->s.rcv_nxt - 1)
		g.seq++;
	if (!rfc_acceptable(m, &g)) {
		m->s.reply = g.flags & TOE_RST ? NOTHING : ACKED;
		return;
	}
	if (g.flags & TOE_RST) {
		rfc_rst(m, &g);
	} else if (g.flags & TOE_SYN) { /* RFC 5961 4.2; choice: in SYN_RECEIVED too */
		m->s.reply = ACKED;
	} else if (g.flags & TOE_ACK && rfc_ack(m, &g)) {
		rfc_text(m, &g);
		if (crossed)
			m->s.reply = ACKED;
	}
}

static struct seen did(const struct env *e)
{
	struct model m = model_of(e);
	struct seen s = m.s;

	s.established = e->act & TOE_ACT_ESTABLISHED;
	s.peer_fin = e->act & TOE_ACT_PEER_FIN;
	s.error = e->t.error;
	s.over = e->t.state == TOE_TCP_CLOSED && e->act & TOE_ACT_FREE;
	if (e->act & TOE_ACT_RST)
		s.reply = RESET;
	else if (e->n)
		s.reply = e->o[0].flags & TOE_SYN ? SYN_ACK : ACKED;
	else if (e->t.flags & TOE_TCB_ACK_DELAYED)
		s.reply = LATER;
	CU_ASSERT(e->n <= 1);
	return s;
}

static bool same(const struct seen *a, const struct seen *b)
{
	return a->state == b->state && a->reply == b->reply && a->rcv_nxt == b->rcv_nxt &&
	       a->snd_una == b->snd_una && a->established == b->established &&
	       a->peer_fin == b->peer_fin && a->error == b->error && a->over == b->over;
}

static void print(const char *who, const struct seen *s)
{
	printf("  %s: state %d, %s, rcv_nxt %lld, snd_una %lld%s%s%s%s\n", who, s->state,
	       reply_name[s->reply], (long long)s->rcv_nxt, (long long)s->snd_una,
	       s->established ? ", established" : "", s->peer_fin ? ", peer's FIN" : "",
	       s->error ? ", error" : "", s->over ? ", over" : "");
}

static const struct {
	const char *name;
	struct env (*make)(void);
} start[] = {
	{ "SYN_SENT", env_syn_sent },
	{ "SYN_RECEIVED", env_syn_received },
	{ "SYN_RECEIVED, simultaneous", env_simultaneous },
	{ "ESTABLISHED", env_established },
	{ "ESTABLISHED, data in flight", env_sending },
	{ "ESTABLISHED, receive window shut", env_shut },
	{ "FIN_WAIT_1", env_fin_wait_1 },
	{ "FIN_WAIT_2", env_fin_wait_2 },
	{ "CLOSE_WAIT", env_close_wait },
	{ "CLOSE_WAIT, data in flight", env_sending_close_wait },
	{ "CLOSING", env_closing },
	{ "LAST_ACK", env_last_ack },
	{ "LAST_ACK, data in flight", env_last_ack_with_data },
	{ "TIME_WAIT", env_time_wait },
};

/* True: they agree. */
static bool meet(unsigned i, const struct segment *g)
{
	struct env e = start[i].make();
	struct model m = model_of(&e);
	struct toe_seg s = env_seg(&e, g->flags, (uint32_t)g->seq, g->len, (uint32_t)g->ack);
	struct seen got;

	m.s.over = false;
	rfc(&m, *g);
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	got = did(&e);
	/* An end that the application has not closed yet keeps its TCB; an error always ends it. */
	if (m.s.over && !m.s.error && !(e.t.flags & TOE_TCB_CLOSED_BY_APP))
		m.s.over = got.over;
	if (got.state == TOE_TCP_CLOSED)
		m.s.snd_una = got.snd_una;
	if (same(&m.s, &got))
		return true;
	printf("%s, flags %02x seq %lld len %u ack %lld:\n", start[i].name, g->flags,
	       (long long)g->seq, g->len, (long long)g->ack);
	print("RFC", &m.s);
	print("did", &got);
	return false;
}

static void states__every_segment(void)
{
	static const int64_t seqs[] = { -2147483000, -70000, -100,  -50,   -2,        -1,
					0,           1,      2,     50,    1000,      65434,
					65535,       65536,  65537, 70000, 2147483000 };
	static const int64_t acks[] = { -2147483000, -70000,   -50000, -2,        -1,
					0,           1,        2,      250,       SENT,
					SENT + 1,    SENT + 2, 70000,  2147483000 };
	static const uint32_t lens[] = { 0, 1, 2, 100 };
	unsigned bad = 0;

	for (unsigned i = 0; i < sizeof(start) / sizeof(start[0]); i++)
		for (unsigned flags = 0; flags < 32; flags++)
			for (unsigned n = 0; n < 17 * 14 * 4; n++) {
				struct segment g = { (uint8_t)flags, seqs[n % 17],
						     acks[n / 17 % 14], lens[n / 17 / 14] };

				bad += !meet(i, &g);
				if (bad > 20)
					CU_FAIL_FATAL("and more");
			}
	CU_ASSERT_EQUAL(bad, 0);
}

UNIT_MAIN("states", T(states__every_segment))
