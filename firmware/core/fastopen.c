/* SPDX-License-Identifier: BSD-2-Clause */
#include "fastopen.h"

#include "fpc.h"

#include "../lib/flow_hash.h"
#include "isn.h"

enum {
	OFF_US = 600 * 1000000,
	OFF_SILENT_US = 60 * 1000000,
	/*
	 * Points: a SYN with option and data counts double; it is not one loss of a request, or of a SYN
	 * without option, that shows a path.
	 */
	LOST_MOST = 2,
};

static void make(struct toe_fo_cookie *c, uint64_t seal)
{
	c->len = sizeof(seal);
	c->exp = 0;
	memcpy(c->b, &seal, sizeof(seal));
}

void toe_fast_cookie(const uint64_t key[2], const struct toe_tuple *t, uint64_t period,
		     struct toe_fo_cookie *c)
{
	uint64_t w[4];

	memcpy(w, t->raddr, 16);
	w[2] = period;
	w[3] = TOE_SECRET_FASTOPEN;
	make(c, toe_siphash(key, w, 4));
}

void toe_fast_cookie_keyed(const uint64_t key[2], const struct toe_tuple *t,
			   struct toe_fo_cookie *c)
{
	uint64_t w[4];

	if (toe_addr_is_v4(t->laddr)) {
		memcpy(w, t->raddr + 12, 4);
		memcpy((uint8_t *)w + 4, t->laddr + 12, 4);
		make(c, toe_siphash(key, w, 1));
		return;
	}
	memcpy(w, t->raddr, 16);
	memcpy(w + 2, t->laddr, 16);
	make(c, toe_siphash(key, w, 4));
}

static bool same(const struct toe_fo_cookie *a, const struct toe_fo_cookie *b)
{
	return a->len == b->len && !memcmp(a->b, b->b, a->len);
}

/* The cookie that `t`'s peer is given, and the one before, which is taken too. False: there is none. */
static bool cookies(const struct toe_fpc *f, const struct toe_fo_keys *k, const struct toe_tuple *t,
		    struct toe_fo_cookie *now, struct toe_fo_cookie *before)
{
	uint64_t period = f->now >> TOE_FAST_PERIOD_LOG;

	if (k->n) {
		toe_fast_cookie_keyed(k->key[0], t, now);
		toe_fast_cookie_keyed(k->key[1], t, before);
		return k->n > 1;
	}
	toe_fast_cookie(f->ctrl->key, t, period, now);
	toe_fast_cookie(f->ctrl->key, t, period - 1, before);
	return period;
}

/* RFC 7413 4.2.2, 5.1. Who shows the cookie of the last period, or key, gets the new one beside. */
void toe_fast_passive(const struct toe_fpc *f, const struct toe_rx *rx,
		      const struct toe_endpoint *ep, struct toe_open *o)
{
	bool asked = rx->seg.opts & TOE_SEG_FASTOPEN;
	bool no_cookie = o->opts.flags & TOE_SO_FASTOPEN_NO_COOKIE;
	struct toe_fo_cookie before;
	struct toe_fo_keys keys;
	bool two;

	if (!o->opts.fastopen || !(asked || (no_cookie && rx->seg.len)) ||
	    toe_fast_full(f, ep->app, ep->listener, o->opts.fastopen))
		return;
	if (no_cookie) {
		o->fast = TOE_FAST_DATA;
		return;
	}
	memcpy(&keys, &toe_arena_listener(toe_port_arena(f->port, ep->app), ep->listener)->fo_keys,
	       sizeof(keys));
	__asm__ volatile("" ::: "memory"); /* the application may write meanwhile */
	two = cookies(f, &keys, &rx->tuple, &o->fo, &before);
	o->fo.exp = rx->seg.fo.exp;
	if (same(&rx->seg.fo, &o->fo)) {
		o->fast = TOE_FAST_DATA;
		return;
	}
	o->fast = TOE_FAST_OPTION;
	if (two && same(&rx->seg.fo, &before))
		o->fast |= TOE_FAST_DATA;
}

static struct toe_fast_path *place(struct toe_fpc *f, const struct toe_tuple *t)
{
	uint64_t w[4];

	memcpy(w, t->laddr, 16);
	memcpy(w + 2, t->raddr, 16);
	return &f->fast[toe_siphash(f->ctrl->key, w, 4) & (TOE_PATHS - 1)];
}

static bool is_for(const struct toe_fast_path *p, const struct toe_tuple *t)
{
	return p->vlan == t->vlan && p->dev == t->dev && !memcmp(p->raddr, t->raddr, 16) &&
	       !memcmp(p->laddr, t->laddr, 16);
}

/* The entry of the tuple's addresses, which may take another's place. */
static struct toe_fast_path *own(struct toe_fpc *f, const struct toe_tuple *t)
{
	struct toe_fast_path *p = place(f, t);

	if (is_for(p, t))
		return p;
	memset(p, 0, sizeof(*p));
	memcpy(p->laddr, t->laddr, 16);
	memcpy(p->raddr, t->raddr, 16);
	p->vlan = t->vlan;
	p->dev = t->dev;
	return p;
}

/* RFC 7413 4.1.3, 4.2.1 */
void toe_fast_active(struct toe_fpc *f, const struct toe_tuple *t, struct toe_open *o)
{
	const struct toe_fast_path *p = place(f, t);
	bool no_cookie = o->opts.flags & TOE_SO_FASTOPEN_NO_COOKIE;
	bool bare = o->opts.flags & TOE_SO_FASTOPEN_BARE;

	if (!(o->opts.flags & TOE_SO_FASTOPEN) || (no_cookie && bare))
		return;
	memset(&o->fo, 0, sizeof(o->fo));
	o->fo_mss = UINT16_MAX; /* as much as the path takes */
	if (is_for(p, t)) {
		if (p->off > f->now)
			return;
		o->fo = p->fo;
		o->fo.exp |= !p->fo.len && p->asked == TOE_FAST_ASKED;
		o->fo_mss = p->mss;
	}
	o->fast = TOE_FAST_OPTION;
	if (no_cookie)
		o->fast |= TOE_FAST_DATA | TOE_FAST_NO_COOKIE;
	else if (o->fo.len && !bare)
		o->fast |= TOE_FAST_DATA;
}

/*
 * RFC 7413 4.1.3.1: a SYN of this kind was of no use, but an ordinary one was. Once more of that, and
 * there are none for ten minutes.
 */
static void lost(struct toe_fpc *f, struct toe_fast_path *p, bool data)
{
	p->lost = (uint8_t)(p->lost + (data ? 2 : 1));
	if (p->lost < LOST_MOST)
		return;
	p->lost = 0;
	p->off = f->now + OFF_US;
}

/*
 * A request was in vain. There are servers that know the experimental option only: that is asked for
 * once, and if that SYN was lost, too, never again. A cookie for another address is worth more than this.
 */
static void asked(struct toe_fpc *f, const struct toe_tuple *tuple, bool exp)
{
	struct toe_fast_path *p = place(f, tuple);
	uint8_t how = exp ? TOE_FAST_ASKED_EXP : TOE_FAST_ASKED;

	if (!is_for(p, tuple) && (p->fo.len || p->off > f->now))
		return;
	p = own(f, tuple);
	p->asked = p->asked > how ? p->asked : how;
}

void toe_fast_learn(struct toe_fpc *f, const struct toe_tuple *tuple, const struct toe_tcb *t,
		    const struct toe_seg *syn_ack)
{
	bool no_cookie = t->opts & TOE_TCB_FO_NO_COOKIE; /* and none that was not asked for */
	bool cookie = syn_ack->opts & TOE_SEG_FASTOPEN && syn_ack->fo.len && !no_cookie;
	bool again = !(t->opts & TOE_TCB_FO_OPTION); /* it went again without */
	bool data = t->opts & TOE_TCB_FASTOPEN;
	struct toe_fast_path *p = place(f, tuple);

	if (!cookie && !no_cookie && !t->fo.len && (!again || t->fo.exp))
		asked(f, tuple, t->fo.exp);
	if (!cookie && !no_cookie && !again && !is_for(p, tuple))
		return;
	p = own(f, tuple);
	p->mss = t->mss_peer;
	if (cookie)
		p->fo = syn_ack->fo;
	if (again && !cookie && t->snd_una <= t->snd_first)
		lost(f, p, data && !no_cookie);
	else
		p->lost = 0;
}

/* RFC 7413 4.1.3.1 counts that too; but then the server may be down, which a minute will show. */
void toe_fast_silent(struct toe_fpc *f, const struct toe_tuple *t)
{
	own(f, t)->off = f->now + OFF_SILENT_US;
}
