/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whose is it? First the flow index, which answers for every live flow without looking into a
 * hash map, then the owned endpoints. The index is a hint that other cores write at any time: a
 * slot counts only if the flow entry it names has the same tuple, generation and a life.
 */
#ifndef TOE_BPF_FLOW_KEY_H
#define TOE_BPF_FLOW_KEY_H

#include "lib/flow_hash.h"
#include "maps.h"
#include "parse.h"

enum toe_owner { TOE_OWNER_UNKNOWN, TOE_OWNER_KERNEL, TOE_OWNER_TOE };

/* Where a frame goes; becomes metadata. */
struct toe_steer {
	uint64_t hash;
	uint32_t fpc;
	uint32_t flow; /* flow or endpoint, as flags say */
	uint16_t gen;
	uint8_t flags; /* TOE_META_FLOW, TOE_META_ENDPOINT */
};

static __always_inline uint64_t toe_pkt_hash(const struct toe_config *cfg, const struct toe_pkt *p)
{
	const uint64_t *l = (const uint64_t *)p->t.laddr, *r = (const uint64_t *)p->t.raddr;

	if (p->flags & TOE_META_IPV6)
		return toe_flow_hash_v6(cfg->key, l, r, p->t.lport, p->t.rport);
	return toe_flow_hash_v4(cfg->key, ((const uint32_t *)l)[3], ((const uint32_t *)r)[3],
				p->t.lport, p->t.rport);
}

static __always_inline bool toe_same_tuple(const struct toe_tuple *a, const struct toe_tuple *b)
{
	const uint64_t *x = (const uint64_t *)a, *y = (const uint64_t *)b;

	return x[4] == y[4] && x[3] == y[3] && x[2] == y[2] && x[1] == y[1] && x[0] == y[0];
}

/* Does the slot name the flow of this tuple? */
static __always_inline enum toe_owner toe_try_slot(uint64_t slot, const struct toe_pkt *p,
						   struct toe_steer *s)
{
	uint32_t flow = (uint32_t)slot;
	struct toe_flow_ent *ent, word;

	ent = bpf_map_lookup_elem(&toe_tcbs, &flow);
	if (!ent)
		return TOE_OWNER_UNKNOWN;
	word.word = *(volatile uint64_t *)&ent->word;
	if (word.gen != (uint16_t)(slot >> 32) || !toe_same_tuple(&ent->tuple, &p->t))
		return TOE_OWNER_UNKNOWN;
	if (word.life == TOE_LIFE_KERNEL)
		return TOE_OWNER_KERNEL;
	if (word.life != TOE_LIFE_LIVE || word.fpc >= TOE_MAX_FPCS)
		return TOE_OWNER_UNKNOWN;
	s->flow = flow;
	s->gen = word.gen;
	s->fpc = word.fpc;
	s->flags = TOE_META_FLOW;
	return TOE_OWNER_TOE;
}

static __always_inline enum toe_owner toe_find_flow(const struct toe_config *cfg,
						    const struct toe_pkt *p, struct toe_steer *s)
{
	uint16_t want = toe_slot(s->hash, 0, 0) >> 48;
	enum toe_owner owner;
	struct toe_bucket *b;
	uint32_t i;

	for (unsigned choice = 0; choice < 2; choice++) {
		i = toe_hash_bucket(s->hash, choice, cfg->nbuckets, cfg->nfpcs);
		b = bpf_map_lookup_elem(&toe_flow_index, &i);
		if (!b)
			continue;
#pragma clang loop unroll(disable)
		for (uint64_t n = 0; n < TOE_BUCKET_SLOTS; n++) {
			uint64_t slot = *(volatile uint64_t *)&b->slot[n];

			if (slot >> 48 != want)
				continue;
			owner = toe_try_slot(slot, p, s);
			if (owner != TOE_OWNER_UNKNOWN)
				return owner;
		}
	}
	return TOE_OWNER_UNKNOWN;
}

/*
 * An endpoint is owned as such, or by its port's being among those for active opens at an address
 * of ours.
 */
static __always_inline enum toe_owner toe_find_endpoint(const struct toe_config *cfg,
							const struct toe_pkt *p, uint32_t ifindex,
							struct toe_steer *s)
{
	struct toe_port_key k = { .ifindex = ifindex, .vlan = p->t.vlan, .port = p->t.lport };
	uint16_t port = bpf_ntohs(p->t.lport);
	struct toe_port_val *v;

	__builtin_memcpy(k.addr, p->t.laddr, sizeof(k.addr));
	v = bpf_map_lookup_elem(&toe_ports, &k);
	if (v) {
		s->flow = v->endpoint;
		s->flags = TOE_META_ENDPOINT;
	} else {
		if (port < cfg->port_lo || port > cfg->port_hi)
			return TOE_OWNER_KERNEL;
		k.port = 0;
		if (!bpf_map_lookup_elem(&toe_ports, &k))
			return TOE_OWNER_KERNEL;
		s->flow = TOE_FLOW_NONE;
		s->flags = 0;
	}
	s->fpc = toe_hash_fpc(s->hash, cfg->nfpcs);
	return TOE_OWNER_TOE;
}

#endif
