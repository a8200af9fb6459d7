/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DCTCP (RFC 8257): the window shrinks by half the part of the bytes that met congestion, once per
 * window. Growth and the answer to a loss are NewReno's; without ECN that is all there is. The
 * receiver's side is in ecn.c.
 */
#include "cc.h"

#include "seq.h"

enum { ONE = 1 << 20, G_SHIFT = 4 }; /* alpha's unit; g = 1/16 */

extern const struct toe_cc toe_cc_newreno;

static void observe(struct toe_dctcp *d, const struct toe_tcb *t)
{
	d->window_end = (uint32_t)t->snd_nxt;
	d->acked = d->marked = 0;
}

static void init(struct toe_tcb *t, bool syn_lost, uint64_t now)
{
	toe_cc_newreno.init(t, syn_lost, now);
	t->cc_state.dctcp = (struct toe_dctcp){ .alpha = ONE }; /* RFC 8257 4.2 */
	observe(&t->cc_state.dctcp, t);
}

/* RFC 8257 3.3, equation (2): a window of data has been observed. */
static void update_alpha(struct toe_dctcp *d)
{
	d->alpha -= d->alpha >> G_SHIFT;
	d->alpha += (uint32_t)(((uint64_t)d->marked << 20) / d->acked) >> G_SHIFT;
	d->alpha = toe_min32(d->alpha, ONE);
}

/*
 * Steps 1 to 4: what cumulative acknowledgements cover, not what is SACKed. Our SYN is no data: counted as a
 * window without marks it would have alpha fall before there is any (4.2).
 */
static void ack(struct toe_tcb *t, const struct toe_ack_sample *s)
{
	struct toe_dctcp *d = &t->cc_state.dctcp;
	uint32_t acked = (uint32_t)toe_min64(s->acked, t->snd_una - t->snd_first);

	d->acked += acked;
	d->marked += s->ce ? acked : 0;
	if (d->acked && !toe_seq_lt((uint32_t)t->snd_una, d->window_end)) {
		update_alpha(d);
		observe(d, t);
	}
	toe_cc_newreno.ack(t, s);
}

/* RFC 8257 3.5: like any other loss. */
static uint32_t loss(struct toe_tcb *t, uint64_t now)
{
	return toe_cc_newreno.loss(t, now);
}

/* Equation (1): cwnd (1 - alpha / 2). */
static uint32_t ecn(struct toe_tcb *t, uint64_t now)
{
	uint32_t cut = (uint32_t)((uint64_t)t->cwnd * t->cc_state.dctcp.alpha / (2 * ONE));

	return toe_max32(t->cwnd - cut, 2u * t->mss);
}

/* RFC 8257 3.5 leaves a timeout to TCP; what was marked before it says nothing about what follows. */
static void event(struct toe_tcb *t, enum toe_cc_event e, uint64_t now)
{
	if (e == TOE_CC_TIMEOUT)
		observe(&t->cc_state.dctcp, t);
}

extern const struct toe_cc toe_cc_dctcp;
const struct toe_cc toe_cc_dctcp = {
	.name = "dctcp",
	.wants_ecn = true,
	.init = init,
	.ack = ack,
	.loss = loss,
	.ecn = ecn,
	.event = event,
};
