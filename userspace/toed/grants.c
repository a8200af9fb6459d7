/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Active opens: route, source address and port, next hop, FPC. The result is a grant that one
 * TOE_SW_CONNECT uses up.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/flow_hash.h"
#include "lib/siphash.h"
#include "toed.h"

enum {
	GRANT_UNUSED_MS = 10000, /* the application that asked never came */
	ASKERS = 8192, /* a power of two */
};

/* By local port: who was granted a connection from it last. */
static struct {
	uint32_t hash_lo; /* of the tuple */
	uint8_t app, proc;
} asker[ASKERS];

static void note_asker(const struct toe_tuple *u, uint64_t hash, unsigned app, unsigned proc)
{
	unsigned i = ntohs(u->lport) % ASKERS;

	asker[i].hash_lo = (uint32_t)hash;
	asker[i].app = (uint8_t)app;
	asker[i].proc = (uint8_t)proc;
}

bool grant_was_for(const struct toe_flow_ent *e, unsigned app, unsigned proc)
{
	unsigned i = ntohs(e->tuple.lport) % ASKERS;

	return asker[i].hash_lo == e->hash_lo && asker[i].app == app && asker[i].proc == proc;
}

static int take_free(struct toed *t)
{
	for (unsigned i = 0; i < TOE_MAX_GRANTS; i++) {
		struct toe_grant *g = &t->ctrl->grant[i];

		if (g->state == TOE_GRANT_USED ||
		    (g->state == TOE_GRANT_READY && loop_now() > t->grant_at[i] + GRANT_UNUSED_MS))
			toe_store_release(&g->state, TOE_GRANT_FREE);
		if (toe_load_acquire(&g->state) == TOE_GRANT_FREE)
			return (int)i;
	}
	return -EAGAIN;
}

/* A live connection has this tuple already. */
static bool tuple_lives(struct toed *t, const struct toe_tuple *u, uint64_t hash)
{
	for (unsigned choice = 0; choice < 2; choice++) {
		struct toe_bucket *b =
		    &t->index[toe_hash_bucket(hash, choice, t->ctrl->nbuckets, t->nfpcs)];

		for (unsigned i = 0; i < TOE_BUCKET_SLOTS; i++) {
			uint64_t s = toe_load_acquire(&b->slot[i]);
			uint32_t flow = (uint32_t)s;

			if (s & TOE_SLOT_USED && flow < t->ctrl->nflows &&
			    !memcmp(&t->tcbs[flow].tuple, u, sizeof(*u)))
				return true;
		}
	}
	return false;
}

static bool tuple_granted(struct toed *t, const struct toe_tuple *u)
{
	for (unsigned i = 0; i < TOE_MAX_GRANTS; i++)
		if (t->ctrl->grant[i].state == TOE_GRANT_READY &&
		    !memcmp(&t->ctrl->grant[i].tuple, u, sizeof(*u)))
			return true;
	return false;
}

static bool usable(struct toed *t, const struct toe_tuple *u, uint64_t *hash)
{
	*hash = toe_flow_hash(t->ctrl->key, u);
	return !tuple_lives(t, u, *hash) && !tuple_granted(t, u);
}

/*
 * RFC 6056 3.3.4 (double hash): towards one destination the ports go round, so that each is used
 * again as late as possible; where that begins nobody else can know, nor how far it is by asking for
 * connections of his own.
 */
static uint32_t first_port(struct toed *t, const struct toe_tuple *u, uint32_t **step)
{
	uint64_t w[5];
	uint64_t hash;

	memcpy(w, u->laddr, 16);
	memcpy(w + 2, u->raddr, 16);
	w[4] = u->rport;
	hash = toe_siphash(t->ctrl->key, w, 5);
	*step = &t->port_step[(hash >> 32) % TOED_PORT_STEPS];
	return (uint32_t)hash;
}

static int pick_port(struct toed *t, struct toe_tuple *u, uint16_t wanted, uint64_t *hash)
{
	unsigned n = (unsigned)(t->port_hi - t->port_lo) + 1;
	uint32_t *step, offset;

	if (wanted) {
		u->lport = wanted;
		return usable(t, u, hash) ? 0 : -EADDRINUSE;
	}
	offset = first_port(t, u, &step) % n;
	for (unsigned i = 0; i < n; i++) {
		u->lport = htons((uint16_t)(t->port_lo + (offset + (*step)++) % n));
		if (usable(t, u, hash))
			return 0;
	}
	return -EADDRNOTAVAIL;
}

static bool in_range(const struct toed *t, uint16_t port)
{
	return ntohs(port) >= t->port_lo && ntohs(port) <= t->port_hi;
}

/*
 * The TOE can make this connection; otherwise it is the kernel's: another interface, a source that
 * is another's, a port outside the range.
 */
static bool for_toe(struct toed *t, const struct toe_adm_req *q, const struct route *r,
		    struct link *l)
{
	struct place p = { 0 };

	if (!r->unicast || !link_by_ifindex(t, r->ifindex, l) ||
	    (q->lport && !in_range(t, q->lport)))
		return false;
	memcpy(p.addr, r->src, 16);
	p.dev = l->dev;
	p.vlan = l->vlan;
	return place_is_local(t, &p);
}

static void fill(struct toed *t, unsigned i, unsigned app, const struct toe_tuple *u, uint64_t hash,
		 int nh, const struct link *l, const struct route *r)
{
	struct toe_grant *g = &t->ctrl->grant[i];

	g->tuple = *u;
	g->nh = (uint16_t)nh;
	g->mtu = (uint16_t)(r->mtu && r->mtu < l->mtu ? r->mtu : l->mtu);
	g->app = (uint8_t)app;
	g->fpc = (uint8_t)toe_hash_fpc(hash, t->nfpcs);
	t->grant_at[i] = loop_now();
	toe_store_release(&g->state, TOE_GRANT_READY);
}

/* A table is full: such a connection may still be the kernel's, unless its port is not. */
static int no_room(const struct toed *t, const struct toe_adm_req *q, struct toe_adm_ans *a)
{
	if (in_range(t, q->lport))
		return -EAGAIN;
	a->flags |= TOE_ADM_KERNEL;
	return 0;
}

static bool is_link_local(const uint8_t addr[16])
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/*
 * What the kernel answers itself, with the error that applications know: addresses of different
 * families, no address at all, a link-local one of no link (RFC 4007 6).
 */
static bool for_kernel(const struct toe_adm_req *q, const uint8_t *src)
{
	static const uint8_t any[16];

	return !memcmp(q->addr, any, 16) || (is_link_local(q->addr) && !q->ifindex) ||
	       (src && toe_addr_is_v4(q->addr) != toe_addr_is_v4(src));
}

/*
 * As the kernel's connect does it: once IPv4's source is chosen it is asked again, since rules may look
 * at that (ip-rule(8)). IPv6's first answer counts.
 */
static int find_route(struct toed *t, const struct toe_adm_req *q, const uint8_t *src,
		      struct route *r)
{
	uint8_t chosen[16];
	int err = route_lookup(t, q->addr, src, (int)q->ifindex, r);

	if (err || src || !r->unicast || !toe_addr_is_v4(q->addr))
		return err;
	memcpy(chosen, r->src, sizeof(chosen));
	return route_lookup(t, q->addr, chosen, (int)q->ifindex, r);
}

/* Everything about the connection but the grant itself. 1: it is the kernel's. */
static int plan(struct toed *t, const struct toe_adm_req *q, struct toe_tuple *u, struct link *l,
		struct route *r, uint64_t *hash)
{
	static const uint8_t any[16], any_v4[16] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *src =
	    memcmp(q->laddr, any, 16) && memcmp(q->laddr, any_v4, 16) ? q->laddr : NULL;
	int err;

	if (for_kernel(q, src))
		return 1;
	err = find_route(t, q, src, r);
	if (err)
		return err == -EINVAL ? -EADDRNOTAVAIL : err;
	if (!for_toe(t, q, r, l))
		return 1;
	memcpy(u->laddr, r->src, 16);
	memcpy(u->raddr, q->addr, 16);
	u->rport = q->port;
	u->dev = l->dev;
	u->vlan = l->vlan;
	return pick_port(t, u, q->lport, hash);
}

int grant_new(struct toed *t, unsigned app, unsigned proc, const struct toe_adm_req *q,
	      struct toe_adm_ans *a)
{
	struct toe_tuple u = { 0 };
	struct route r;
	struct link l;
	uint64_t hash;
	int i, nh, err = plan(t, q, &u, &l, &r, &hash);

	if (err > 0)
		a->flags |= TOE_ADM_KERNEL;
	if (err)
		return err > 0 ? 0 : err;
	i = take_free(t);
	nh = i < 0 ? i : next_hop_get(t, q->addr, &l, &r);
	if (nh < 0)
		return no_room(t, q, a);
	fill(t, (unsigned)i, app, &u, hash, nh, &l, &r);
	note_asker(&u, hash, app, proc);
	a->grant = (uint32_t)i;
	a->fpc = t->ctrl->grant[i].fpc;
	memcpy(a->laddr, u.laddr, 16);
	a->lport = u.lport;
	a->ifindex = (uint32_t)l.ifindex;
	return 0;
}

void grants_app_gone(struct toed *t, unsigned app)
{
	for (unsigned i = 0; i < TOE_MAX_GRANTS; i++)
		if (t->ctrl->grant[i].state == TOE_GRANT_READY && t->ctrl->grant[i].app == app)
			toe_store_release(&t->ctrl->grant[i].state, TOE_GRANT_FREE);
}
