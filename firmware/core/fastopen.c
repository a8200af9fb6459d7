/* SPDX-License-Identifier: BSD-2-Clause */
#include "fastopen.h"

#include "fpc.h"
#include "isn.h"

enum { OFF_US = 600 * 1000000 };

void toe_fast_cookie(const uint64_t key[2], const struct toe_tuple *t, uint64_t period,
		     struct toe_fo_cookie *c)
{
	uint64_t w[4], seal;

	memcpy(w, t->raddr, 16);
	w[2] = period;
	w[3] = TOE_SECRET_FASTOPEN;
	seal = toe_siphash(key, w, 4);
	c->len = sizeof(seal);
	c->exp = 0;
	memcpy(c->b, &seal, sizeof(seal));
}

static bool same(const struct toe_fo_cookie *a, const struct toe_fo_cookie *b)
{
	return a->len == b->len && !memcmp(a->b, b->b, a->len);
}

/* RFC 7413 4.2.2, 5.1. Who shows the cookie of the last period gets the new one beside. */
void toe_fast_passive(const struct toe_fpc *f, const struct toe_rx *rx,
		      const struct toe_endpoint *ep, struct toe_open *o)
{
	uint64_t period = f->now >> TOE_FAST_PERIOD_LOG;
	struct toe_fo_cookie before;

	if (!o->opts.fastopen || !(rx->seg.opts & TOE_SEG_FASTOPEN) ||
	    toe_fast_full(f, ep->app, ep->listener, o->opts.fastopen))
		return;
	toe_fast_cookie(f->ctrl->key, &rx->tuple, period, &o->fo);
	o->fo.exp = rx->seg.fo.exp;
	if (same(&rx->seg.fo, &o->fo)) {
		o->fast = TOE_FAST_DATA;
		return;
	}
	o->fast = TOE_FAST_OPTION;
	if (!period)
		return;
	toe_fast_cookie(f->ctrl->key, &rx->tuple, period - 1, &before);
	if (same(&rx->seg.fo, &before))
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

	if (!(o->opts.flags & TOE_SO_FASTOPEN))
		return;
	memset(&o->fo, 0, sizeof(o->fo));
	if (is_for(p, t)) {
		if (p->off > f->now)
			return;
		o->fo = p->fo;
		o->fo_mss = p->mss;
	}
	o->fast = TOE_FAST_OPTION | (o->fo.len ? TOE_FAST_DATA : 0);
}

void toe_fast_learn(struct toe_fpc *f, const struct toe_tuple *tuple, const struct toe_tcb *t,
		    const struct toe_seg *syn_ack)
{
	struct toe_fast_path *p;

	if (!(syn_ack->opts & TOE_SEG_FASTOPEN) || !syn_ack->fo.len)
		return;
	p = own(f, tuple);
	p->fo = syn_ack->fo;
	p->mss = t->mss_peer;
}

void toe_fast_lost(struct toe_fpc *f, const struct toe_tuple *t)
{
	own(f, t)->off = f->now + OFF_US;
}
