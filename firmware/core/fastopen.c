/* SPDX-License-Identifier: BSD-2-Clause */
#include "fastopen.h"

#include "fpc.h"
#include "isn.h"

void toe_fast_cookie(const uint64_t key[2], const struct toe_tuple *t, uint64_t period,
		     struct toe_fo_cookie *c)
{
	uint64_t w[4], seal;

	memcpy(w, t->raddr, 16);
	w[2] = period;
	w[3] = TOE_SECRET_FASTOPEN;
	seal = toe_siphash(key, w, 4);
	c->len = sizeof(seal);
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
