/* SPDX-License-Identifier: BSD-2-Clause */
#include "path.h"

#include "../lib/siphash.h"
#include "fpc.h"

enum { KEEP_US = 600 * 1000000 };

static struct toe_path *place(struct toe_fpc *f, const struct toe_tuple *t)
{
	uint64_t w[2];

	memcpy(w, t->raddr, 16);
	return &f->path[toe_siphash(f->ctrl->key, w, 2) & (TOE_PATHS - 1)];
}

static bool is_for(const struct toe_path *p, const struct toe_tuple *t, uint64_t now)
{
	return p->until > now && p->vlan == t->vlan && p->dev == t->dev &&
	       !memcmp(p->addr, t->raddr, 16);
}

void toe_path_learn(struct toe_fpc *f, const struct toe_tuple *t, uint16_t mtu)
{
	struct toe_path *p = place(f, t);

	memcpy(p->addr, t->raddr, 16);
	p->vlan = t->vlan;
	p->dev = t->dev;
	p->mtu = mtu;
	p->until = f->now + KEEP_US;
}

uint16_t toe_path_mtu(struct toe_fpc *f, const struct toe_tuple *t, uint16_t link)
{
	const struct toe_path *p = place(f, t);

	return is_for(p, t, f->now) && p->mtu < link ? p->mtu : link;
}
