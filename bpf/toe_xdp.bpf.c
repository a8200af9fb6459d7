/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The receive parser and the steering: a frame of an endpoint that the TOE owns goes to an FPC's
 * AF_XDP socket with what was found about it in front; everything else goes to the kernel
 * untouched.
 *
 *	parse.h     frame -> tuple, offsets, faults
 *	flow_key.h  tuple -> flow or endpoint, FPC
 *	here        verdict, metadata, redirect
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

#include "flow_key.h"
#include "maps.h"
#include "parse.h"

/* `bpftool prog show` prints it; toed adopts a program only with the ABI it was built for. */
const volatile uint32_t bpf_metadata_toe_abi SEC(".rodata") = TOE_ABI_VERSION;

static __always_inline void toe_count(struct toe_stats_row *row, enum toe_counter c)
{
	row->count[c]++;
}

/*
 * This CPU's counters. Machines with more than TOE_XDP_ROWS CPUs share rows, and may then lose
 * counts.
 */
static __always_inline struct toe_stats_row *toe_row(void)
{
	uint32_t i = TOE_MAX_FPCS + bpf_get_smp_processor_id() % TOE_XDP_ROWS;

	return bpf_map_lookup_elem(&toe_stats, &i);
}

/* The configuration if toed has completed it, else NULL. */
static __always_inline struct toe_config *toe_active_config(void)
{
	uint32_t zero = 0;
	struct toe_config *cfg = bpf_map_lookup_elem(&toe_config, &zero);

	if (!cfg || *(volatile uint32_t *)&cfg->magic != TOE_CONFIG_MAGIC ||
	    cfg->version != TOE_ABI_VERSION)
		return NULL;
	if (!cfg->nfpcs || cfg->nfpcs > TOE_MAX_FPCS)
		return NULL;
	return cfg;
}

/* Index of the device, TOE_MAX_DEVS if it is not served. */
static __always_inline uint32_t toe_dev_index(const struct toe_config *cfg, uint32_t ifindex)
{
	for (uint32_t i = 0; i < TOE_MAX_DEVS; i++)
		if (cfg->dev_ifindex[i] == ifindex)
			return i;
	return TOE_MAX_DEVS;
}

/*
 * Metadata lies right before the frame, so the room is made to fit: an earlier program of a
 * dispatcher may have left some. *moved is by how much. False when the driver has no room for it.
 */
static __always_inline bool toe_put_meta(struct xdp_md *ctx, const struct toe_pkt *p,
					 const struct toe_steer *s, int *moved)
{
	int room = (void *)(long)ctx->data - (void *)(long)ctx->data_meta;
	struct toe_meta *m;

	*moved = room - (int)sizeof(*m);
	if (*moved && bpf_xdp_adjust_meta(ctx, *moved)) {
		*moved = 0;
		return false;
	}
	m = (void *)(long)ctx->data_meta;
	if ((void *)(m + 1) > (void *)(long)ctx->data)
		return false;
	m->magic = TOE_META_WORD;
	m->flow = s->flow;
	m->gen = s->gen;
	m->flags = p->flags | s->flags;
	m->tcp_flags = p->tcp_flags;
	m->l3_off = p->l3_off;
	m->l4_off = p->l4_off;
	m->payload_off = p->payload_off;
	m->payload_len = p->payload_len;
	m->hash_hi = s->hash >> 32;
	m->hash_lo = s->hash;
	return true;
}

/*
 * To the FPC's socket on this queue; without one to any other FPC's on it, who forwards the
 * frame; without any, to the kernel, so that a TOE that is not running is no black hole.
 */
static __always_inline int toe_redirect(struct xdp_md *ctx, uint32_t dev, uint32_t fpc,
					struct toe_stats_row *row)
{
	uint32_t queue = ctx->rx_queue_index;
	uint32_t first = toe_xsk_index(dev, queue, 0);

	if (queue >= TOE_MAX_QUEUES)
		return XDP_PASS;
	if (bpf_redirect_map(&toe_xsks, first + fpc, XDP_PASS) == XDP_REDIRECT)
		return XDP_REDIRECT;
	for (uint32_t i = 0; i < TOE_MAX_FPCS; i++)
		if (bpf_redirect_map(&toe_xsks, first + i, XDP_PASS) == XDP_REDIRECT) {
			toe_count(row, TOE_CNT_xdp_other_fpc);
			return XDP_REDIRECT;
		}
	return XDP_PASS;
}

static __always_inline int toe_deliver(struct xdp_md *ctx, const struct toe_pkt *p,
				       const struct toe_steer *s, struct toe_stats_row *row)
{
	int verdict, moved;

	if (!toe_put_meta(ctx, p, s, &moved))
		toe_count(row, TOE_CNT_xdp_no_meta);
	verdict = toe_redirect(ctx, p->t.dev, s->fpc, row);
	if (verdict == XDP_REDIRECT) {
		toe_count(row, TOE_CNT_xdp_redirect);
		return verdict;
	}
	/* The kernel would keep packets with different metadata apart (GRO). */
	if (moved)
		bpf_xdp_adjust_meta(ctx, -moved);
	toe_count(row, TOE_CNT_xdp_no_socket);
	return verdict;
}

static __always_inline int toe_verdict(struct xdp_md *ctx, const struct toe_config *cfg,
				       uint32_t dev, struct toe_stats_row *row)
{
	struct toe_pkt p = { .t.dev = dev };
	struct toe_steer s = {};
	enum toe_owner owner;

	if (!toe_parse(ctx, &p))
		return XDP_PASS;
	s.hash = toe_pkt_hash(cfg, &p);
	owner = toe_find_flow(cfg, &p, &s);
	if (owner == TOE_OWNER_UNKNOWN) {
		owner = toe_find_endpoint(cfg, &p, ctx->ingress_ifindex, &s);
		if (owner == TOE_OWNER_TOE)
			toe_count(row, TOE_CNT_xdp_flow_miss);
	} else if (owner == TOE_OWNER_TOE) {
		toe_count(row, TOE_CNT_xdp_flow_hit);
	}
	if (owner == TOE_OWNER_KERNEL)
		return XDP_PASS;
	if (p.fault) {
		if (p.fault < TOE_CNT_COUNT)
			toe_count(row, p.fault);
		return XDP_DROP;
	}
	return toe_deliver(ctx, &p, &s, row);
}

static __always_inline int toe_run(struct xdp_md *ctx)
{
	struct toe_config *cfg = toe_active_config();
	struct toe_stats_row *row;
	int verdict;
	uint32_t dev;

	if (!cfg)
		return XDP_PASS;
	dev = toe_dev_index(cfg, ctx->ingress_ifindex);
	row = toe_row();
	if (dev >= TOE_MAX_DEVS || !row)
		return XDP_PASS;
	verdict = toe_verdict(ctx, cfg, dev, row);
	if (verdict == XDP_PASS)
		toe_count(row, TOE_CNT_xdp_pass);
	return verdict;
}

SEC("xdp")
int toe_xdp(struct xdp_md *ctx)
{
	return toe_run(ctx);
}

/* The same for devices whose frames span several buffers (MTU above 3.5 KB). */
SEC("xdp.frags")
int toe_xdp_frags(struct xdp_md *ctx)
{
	return toe_run(ctx);
}

/* In a dispatcher: after filters (which have 50 or less), and what we pass goes on to the next. */
struct {
	__uint(priority, 60);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(toe_xdp);

struct {
	__uint(priority, 60);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(toe_xdp_frags);

char LICENSE[] SEC("license") = "Dual BSD/GPL";
