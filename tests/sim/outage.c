/* SPDX-License-Identifier: BSD-2-Clause */
#include "outage.h"

#include "../../firmware/core/fpc.h"

enum { SECOND = 1000000 };

void outage_begin(struct outage *o, struct toe_port *host, uint32_t seconds)
{
	uint64_t now = host->w->now;

	*o = (struct outage){ .host = host };
	sim_jam(host, (uint64_t)seconds * SECOND);
	o->last_look = now + (uint64_t)(seconds - 1) * SECOND;
	o->first_look = o->last_look - OUTAGE_MOST_S * SECOND;
}

/* A word that changes with the flow, and with what is acknowledged; 0: nothing is due. */
static uint64_t due(const struct toe_port *p, uint32_t flow)
{
	const struct toe_flow_ent *e = &p->ent[flow];
	const struct toe_tcb *t = sim_tcb(p, flow);

	if (!t || toe_soft(p->fpc[e->fpc], flow)->kind != TOE_SOFT_LIVE)
		return 0;
	if (t->state == TOE_TCP_SYN_SENT ||
	    (t->state >= TOE_TCP_ESTABLISHED &&
	     t->snd_una < t->snd_end + !!(t->flags & TOE_TCB_FIN_QUEUED)))
		return 1ull << 63 | (uint64_t)e->gen << 40 | (t->snd_una & 0xffffffff);
	return 0;
}

/* Is `look` called for flows that wait still, as they did at the first look? */
static const char *look(struct outage *o, bool first)
{
	const struct toe_port *p[2] = { o->host, o->host->peer };

	for (unsigned h = 0; h < 2; h++) {
		for (uint32_t i = 0; i < p[h]->conf.nflows; i++) {
			uint64_t now = due(p[h], i);

			if (first)
				o->due[h][i] = now;
			else if (now && now == o->due[h][i])
				return "a connection outlived its device";
		}
	}
	return NULL;
}

const char *outage_look(struct outage *o)
{
	uint64_t now = o->host ? o->host->w->now : 0;

	if (o->first_look && now >= o->first_look) {
		o->first_look = 0;
		return look(o, true);
	}
	if (o->last_look && now >= o->last_look) {
		o->last_look = 0;
		return look(o, false);
	}
	return NULL;
}
