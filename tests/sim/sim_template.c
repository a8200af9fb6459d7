/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The template port carries a connection: its one FPC connects to itself over the wire that leads
 * back.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../firmware/lib/flow_hash.h"
#include "../../firmware/lib/ring.h"
#include "../../firmware/port/template/port.c"
#include "../../firmware/wire/endian.h"

enum { FLOWS = 16, BUCKETS = 64, SENT = 3000 };

static const uint8_t addr[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1 };
static const uint8_t client[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2 };

static struct toe_port port;
static struct toe_ctrl ctrl;
static struct toe_flow_ent flows[FLOWS];
static struct toe_bucket buckets[BUCKETS];
static uint64_t now = 1000000;

static void command(void *arena, uint8_t type, uint32_t flow, uint16_t gen, uint64_t pos)
{
	struct toe_sw_ring *r = &toe_arena_ctx(arena, 0)->fpc[0].sw;

	r->cmd[r->db.head % TOE_SW_RING] =
	    (struct toe_cmd){ .type = type, .flow = flow, .gen = gen, .pos = pos };
	toe_ring_publish(&r->db, 1);
}

static void fill_ctrl(void)
{
	struct toe_grant *g = &ctrl.grant[0];

	ctrl = (struct toe_ctrl){ .magic = TOE_CTRL_MAGIC, .version = TOE_ABI_VERSION, .nfpcs = 1 };
	ctrl.nflows = FLOWS;
	ctrl.tcb_cache = 4;
	ctrl.nbuckets = BUCKETS;
	ctrl.dev[0] = (struct toe_dev){ .ifindex = 1, .mtu = 1500 };
	ctrl.app_state[0] = TOE_APP_READY;
	ctrl.nh[1] = toe_nh_word((uint8_t[6]){ 2, 0, 0, 0, 0, 1 }, TOE_NH_VALID, 0);
	ctrl.endpoint[0] = (struct toe_endpoint){ .port = toe_be16(80), .state = TOE_EP_OPEN };
	memcpy(ctrl.endpoint[0].addr, addr, 16);
	*g = (struct toe_grant){ .nh = 1, .mtu = 1500, .state = TOE_GRANT_READY };
	memcpy(g->tuple.laddr, client, 16);
	memcpy(g->tuple.raddr, addr, 16);
	g->tuple.lport = toe_be16(40000);
	g->tuple.rport = toe_be16(80);
}

static void run(struct toe_fpc *f)
{
	for (int i = 0; i < 100; i++)
		toe_template_run(&port, f, now += 1000);
}

int main(void)
{
	uint8_t *arena = mmap(NULL, toe_arena_size(0), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct toe_fpc *f =
	    aligned_alloc(TOE_CACHELINE, TOE_ALIGN_UP(toe_fpc_size(), TOE_CACHELINE));
	void *state = calloc(1, toe_engine_state_size(1, 4, FLOWS));
	struct toe_flow_block *server = NULL;
	const struct toe_cmd *assigned;
	bool ok;

	((struct toe_arena_hdr *)arena)->ctxs = 1;
	fill_ctrl();
	toe_template_init(&port, &ctrl, flows, buckets, arena);
	ok = !toe_fpc_init(f, &port, state, 0);
	command(arena, TOE_SW_LISTEN, 0, 0, 4);
	command(arena, TOE_SW_CONNECT, 0, 0, 7);
	run(f);
	assigned = &toe_arena_ctx(arena, 0)->fpc[0].hw.cmd[0];
	ok = ok && assigned->type == TOE_HW_FLOW_ASSIGNED && assigned->pos == 7 && !assigned->flags;
	command(arena, TOE_SW_SEND, assigned->flow, assigned->gen, SENT);
	run(f);
	for (uint32_t i = 0; i < FLOWS; i++)
		if (flows[i].life == TOE_LIFE_LIVE && flows[i].endpoint == 0)
			server = toe_arena_flow(arena, i);
	ok = ok && server && server->dev.state == TOE_TCP_ESTABLISHED && server->dev.rx_end == SENT;
	printf("# sim_template: %d passed, %d failed\n", ok, !ok);
	free(state);
	free(f);
	munmap(arena, toe_arena_size(0));
	return !ok;
}
