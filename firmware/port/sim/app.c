/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "app.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../lib/flow_hash.h"
#include "../../lib/ring.h"
#include "../../wire/endian.h"

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint8_t sim_byte(uint16_t port, bool from_client, uint64_t pos)
{
	uint64_t x = (pos >> 3) * 0x9e3779b97f4a7c15ull + port * 2u + from_client;

	return (uint8_t)((x ^ x >> 29) >> (pos % 8 * 5));
}

uint64_t sim_goal(uint16_t port, bool from_client, uint32_t max)
{
	uint64_t r = mix(port * 4ull + from_client + 77);

	/* Many small streams, some long ones, some empty. */
	return max ? (r >> 8) % (r & 3 ? max / 16 + 2 : max) : 0;
}

struct sim_app *sim_app_new(struct toe_port *host, unsigned app, const struct sim_manner *m)
{
	struct sim_app *a = calloc(1, sizeof(*a));

	a->host = host;
	a->app = app;
	a->manner = *m;
	a->conn = calloc(SIM_CONNS, sizeof(*a->conn));
	a->of_flow = calloc(host->conf.nflows, sizeof(*a->of_flow));
	a->next_port = host->ctrl->port_lo + sim_below(host->w, 20000);
	host->arena[app] = mmap(NULL, toe_arena_size(host->conf.big_slots), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host->arena[app] == MAP_FAILED)
		abort();
	a->arena = (struct toe_arena_hdr *)host->arena[app];
	a->arena->magic = TOE_ARENA_MAGIC;
	a->arena->version = TOE_ABI_VERSION;
	a->arena->app = app;
	a->arena->nfpcs = host->conf.nfpcs;
	a->arena->ctxs = 1;
	host->ctrl->app_gone[app][0] = 0;
	host->ctrl->app_state[app] = TOE_APP_READY;
	return a;
}

void sim_app_free(struct sim_app *a)
{
	free(a->conn);
	free(a->of_flow);
	free(a);
}

bool sim_cmd(struct sim_app *a, unsigned fpc, const struct toe_cmd *c)
{
	struct toe_sw_ring *r = &toe_arena_ctx(a->arena, 0)->fpc[fpc].sw;

	if (!toe_ring_room(&r->db, TOE_SW_RING))
		return false;
	r->cmd[r->db.head & (TOE_SW_RING - 1)] = *c;
	toe_ring_publish(&r->db, 1);
	return true;
}

void sim_admin(struct toe_port *p, unsigned fpc, const struct toe_cmd *c)
{
	struct toe_admin_ring *r = &p->ctrl->admin[fpc];

	r->cmd[r->db.head & (TOE_SW_RING - 1)] = *c;
	toe_ring_publish(&r->db, 1);
}

struct toe_flow_block *sim_block(struct sim_app *a, const struct sim_conn *c)
{
	return toe_arena_flow(a->arena, c->flow);
}

static bool flow_cmd(struct sim_app *a, struct sim_conn *c, enum toe_sw_cmd type, uint8_t flags,
		     uint64_t pos)
{
	struct toe_cmd cmd = {
		.type = (uint8_t)type, .flags = flags, .gen = c->gen, .flow = c->flow, .pos = pos
	};

	return sim_cmd(a, c->fpc, &cmd);
}

static void local_addr(const struct toe_port *p, uint8_t addr[16])
{
	static const uint8_t v4[16] = { [10] = 0xff, [11] = 0xff, [12] = 10 },
			     v6[16] = { 0x20, 0x01, 0x0d, 0xb8 };

	memcpy(addr, p->conf.v6 ? v6 : v4, 16);
	addr[15] = p->conf.addr;
}

static void wish(const struct sim_app *a, struct toe_sock_opts *o)
{
	o->rcvbuf = a->manner.rcvbuf;
	o->sndbuf = a->manner.sndbuf;
	o->user_timeout_ms = a->manner.user_timeout_ms;
}

void sim_app_listen(struct sim_app *a, unsigned listener, uint16_t port, uint32_t backlog)
{
	struct toe_endpoint *ep = &a->host->ctrl->endpoint[listener];
	struct toe_cmd c = { .type = TOE_SW_LISTEN, .flow = listener, .pos = backlog };

	local_addr(a->host, ep->addr);
	ep->port = toe_be16(port);
	ep->vlan = a->host->conf.vlan;
	ep->app = (uint8_t)a->app;
	ep->listener = (uint8_t)listener;
	ep->state = TOE_EP_OPEN;
	toe_arena_listener(a->arena, listener)->in_use = 1;
	toe_arena_listener(a->arena, listener)->waiters = 1;
	wish(a, &toe_arena_listener(a->arena, listener)->opts);
	for (unsigned f = 0; f < a->host->conf.nfpcs; f++)
		sim_cmd(a, f, &c);
}

void sim_app_unlisten(struct sim_app *a, unsigned listener)
{
	struct toe_cmd c = { .type = TOE_SW_LISTEN, .flow = listener, .pos = 0 };

	a->host->ctrl->endpoint[listener].state = TOE_EP_CLOSING;
	for (unsigned f = 0; f < a->host->conf.nfpcs; f++)
		sim_cmd(a, f, &c);
}

static struct sim_conn *conn_new(struct sim_app *a, bool client, uint16_t port)
{
	struct sim_conn *c;

	if (a->nconns == SIM_CONNS)
		return NULL;
	c = &a->conn[a->nconns++];
	c->client = client;
	c->port = port;
	c->tx_goal = sim_goal(port, client, a->manner.goal);
	c->rx_goal = sim_goal(port, !client, a->manner.goal);
	if (a->manner.bulk) {
		c->tx_goal = client ? a->manner.bulk : 0;
		c->rx_goal = client ? 0 : a->manner.bulk;
	}
	c->abort_at = UINT64_MAX;
	if (a->manner.abort && sim_below(a->host->w, 65536) < a->manner.abort)
		c->abort_at = c->rx_goal ? sim_random(a->host->w) % c->rx_goal : 0;
	a->open++;
	if (a->open > a->peak)
		a->peak = a->open;
	return c;
}

static void fill_grant(struct sim_app *a, struct toe_grant *g, struct toe_port *to, uint16_t local,
		       uint16_t port)
{
	local_addr(a->host, g->tuple.laddr);
	local_addr(to, g->tuple.raddr);
	g->tuple.lport = toe_be16(local);
	g->tuple.rport = toe_be16(port);
	g->tuple.vlan = a->host->conf.vlan;
	g->nh = to->conf.addr;
	g->mtu = (uint16_t)a->host->conf.mtu;
	g->app = (uint8_t)a->app;
	g->fpc = (uint8_t)toe_hash_fpc(toe_flow_hash(a->host->ctrl->key, &g->tuple),
				       a->host->conf.nfpcs);
	g->state = TOE_GRANT_READY;
}

struct sim_conn *sim_app_connect(struct sim_app *a, struct toe_port *to, uint16_t port)
{
	struct toe_ctrl *ctrl = a->host->ctrl;
	uint32_t grant = a->next_grant++ % TOE_MAX_GRANTS;
	struct toe_cmd cmd = { .type = TOE_SW_CONNECT, .flow = grant };
	struct sim_conn *c;
	uint32_t local = a->next_port++;

	if (a->next_port > ctrl->port_hi)
		a->next_port = ctrl->port_lo;
	if (ctrl->grant[grant].state == TOE_GRANT_READY)
		return NULL;
	c = conn_new(a, true, (uint16_t)local);
	if (!c)
		return NULL;
	if (!ctrl->nh[to->conf.addr])
		ctrl->nh[to->conf.addr] = toe_nh_word(to->ctrl->dev[0].mac, TOE_NH_VALID, 0);
	fill_grant(a, &ctrl->grant[grant], to, (uint16_t)local, port);
	c->state = SIM_CONN_ASKED;
	c->grant = grant;
	c->fpc = ctrl->grant[grant].fpc;
	wish(a, toe_arena_grant_opts(a->arena, grant));
	cmd.pos = (uint64_t)(c - a->conn);
	if (!sim_cmd(a, c->fpc, &cmd))
		a->broken = "no room for TOE_SW_CONNECT";
	return c;
}

/* The flow is this connection's from now on. */
static void take_flow(struct sim_app *a, struct sim_conn *c, uint32_t flow, uint16_t gen,
		      unsigned fpc)
{
	struct toe_flow_block *b = toe_arena_flow(a->arena, flow);

	c->flow = flow;
	c->gen = gen;
	c->fpc = (uint8_t)fpc;
	c->state = SIM_CONN_OPEN;
	c->look = 1;
	a->of_flow[flow] = (uint32_t)(c - a->conn) + 1;
	b->app.rx_read = b->app.rx_told = b->app.tx_end = 0;
	b->app.ctx = 0;
	if (!b->dev.rx_limit || !b->dev.tx_limit || b->con.fpc != fpc || b->dev.gen != gen)
		a->broken = "flow block does not describe the flow";
}

static void accept_one(struct sim_app *a, unsigned fpc, uint64_t entry)
{
	uint32_t flow = (uint32_t)entry;
	struct sim_conn *c =
	    conn_new(a, false, toe_be16(toe_arena_flow(a->arena, flow)->con.rport));

	if (!c) {
		a->broken = "too many connections";
		return;
	}
	take_flow(a, c, flow, (uint16_t)(entry >> 32), fpc);
	c->established = 1;
	a->accepted++;
}

static void accept_all(struct sim_app *a, unsigned listener)
{
	struct toe_listener *l = toe_arena_listener(a->arena, listener % TOE_MAX_LISTENERS);

	for (unsigned f = 0; f < a->host->conf.nfpcs; f++) {
		struct toe_doorbell *db = &l->fpc[f].db;

		while (toe_ring_ready(db, TOE_ACCEPT_RING)) {
			uint64_t *e = &l->fpc[f].entry[db->tail & (TOE_ACCEPT_RING - 1)];

			if (*e & TOE_ACCEPT_VALID)
				accept_one(a, f, *e);
			*e = 0;
			toe_ring_release(db, 1);
		}
	}
}

static void assigned(struct sim_app *a, unsigned fpc, const struct toe_cmd *cmd)
{
	struct sim_conn *c = &a->conn[cmd->pos % SIM_CONNS];

	if (c->state != SIM_CONN_ASKED)
		return; /* the same answer again, after a restart */
	a->host->ctrl->grant[c->grant].state = TOE_GRANT_FREE;
	if (cmd->flags) {
		c->state = SIM_CONN_CLOSED;
		c->error = cmd->flags;
		a->errors++;
		a->open--;
		return;
	}
	take_flow(a, c, cmd->flow, cmd->gen, fpc);
	c->bound = 1;
}

static void told(struct sim_app *a, unsigned fpc, const struct toe_cmd *cmd)
{
	struct sim_conn *c;

	if (cmd->type == TOE_HW_LISTEN_ESTABLISHED) {
		accept_all(a, cmd->flow);
	} else if (cmd->type == TOE_HW_FLOW_ASSIGNED) {
		assigned(a, fpc, cmd);
	} else if (cmd->flow < a->host->conf.nflows && a->of_flow[cmd->flow]) {
		c = &a->conn[a->of_flow[cmd->flow] - 1];
		if (c->gen == cmd->gen)
			c->look = 1;
	}
}

static unsigned drain(struct sim_app *a, unsigned fpc)
{
	struct toe_hw_ring *r = &toe_arena_ctx(a->arena, 0)->fpc[fpc].hw;
	unsigned n = 0;

	while (toe_ring_ready(&r->db, TOE_HW_RING)) {
		struct toe_cmd c = r->cmd[r->db.tail & (TOE_HW_RING - 1)];

		toe_ring_release(&r->db, 1);
		told(a, fpc, &c);
		n++;
	}
	return n;
}

/* Read and check what has come. */
static bool read_some(struct sim_app *a, struct sim_conn *c, uint64_t end)
{
	uint64_t ring = toe_load(&sim_block(a, c)->dev.rx_ring), off;
	uint32_t max =
	    a->manner.max_read ? 1 + sim_below(a->host->w, a->manner.max_read) : UINT32_MAX;

	if (end > c->rx_goal)
		a->broken = "more bytes than were sent";
	if (a->manner.bulk == UINT64_MAX) {
		a->rx_bytes += end - c->rx_read;
		c->rx_read = end;
	}
	for (; c->rx_read < end && max--; c->rx_read++, a->rx_bytes++) {
		toe_ring_piece(ring, c->flow, toe_arena_rx_off(c->flow), c->rx_read, 1, &off);
		if (((uint8_t *)a->arena)[off] != sim_byte(c->port, !c->client, c->rx_read))
			a->broken = "a wrong byte";
	}
	sim_block(a, c)->app.rx_read = c->rx_read;
	if (!flow_cmd(a, c, TOE_SW_RECV, 0, c->rx_read) || c->rx_read < end)
		c->look = 1;
	return true;
}

static bool write_some(struct sim_app *a, struct sim_conn *c, uint64_t una)
{
	struct toe_flow_dev *d = &sim_block(a, c)->dev;
	uint64_t end = una + toe_load_acquire(&d->tx_limit), left = c->tx_goal - c->tx_end;
	uint64_t room = end > c->tx_end ? end - c->tx_end : 0;
	uint64_t ring = toe_load(&d->tx_ring), n, off;

	/* Beyond a limit that was set (manager/send.c): the engine must bear all that the ring holds. */
	if (room && room < left && toe_load(&d->tx_burst))
		room = una + toe_ring_size(ring) - c->tx_end;
	n = room < left ? room : left;
	if (a->manner.max_write && n > a->manner.max_write)
		n = 1 + sim_below(a->host->w, a->manner.max_write);
	if (a->manner.bulk == UINT64_MAX)
		c->tx_end += n;
	for (uint64_t i = 0; i < n && a->manner.bulk != UINT64_MAX; i++, c->tx_end++) {
		toe_ring_piece(ring, c->flow, toe_arena_tx_off(c->flow), c->tx_end, 1, &off);
		((uint8_t *)a->arena)[off] = sim_byte(c->port, c->client, c->tx_end);
	}
	sim_block(a, c)->app.tx_end = c->tx_end;
	/* Out of space with more to say: ask to be told. Otherwise go on by itself. */
	if (!flow_cmd(a, c, TOE_SW_SEND, n == room && n < left ? TOE_SEND_WANT_SPACE : 0,
		      c->tx_end))
		c->look = 1;
	if (c->tx_end < c->tx_goal && n < room)
		c->look = 1;
	return true;
}

static void end_conn(struct sim_app *a, struct sim_conn *c, enum toe_sw_cmd how)
{
	if (!flow_cmd(a, c, how, 0, 0)) {
		c->look = 1;
		return;
	}
	c->state = SIM_CONN_CLOSED;
	a->of_flow[c->flow] = 0;
	a->open--;
}

/* Everything is sent and, on the side that closes after the other, received: say so. */
static void finish(struct sim_app *a, struct sim_conn *c)
{
	bool all_read = c->rx_fin && c->rx_read == c->rx_goal;

	if (c->rx_fin && c->rx_read != c->rx_goal && sim_block(a, c)->dev.rx_end == c->rx_read)
		a->broken = "the stream ended early";
	if (c->tx_end < c->tx_goal || a->hold)
		return;
	if (all_read) {
		end_conn(a, c, TOE_SW_CLOSE);
	} else if (!c->told_end && (c->client || !a->manner.bare_close)) {
		c->told_end = flow_cmd(a, c, TOE_SW_SHUTDOWN, 0, c->tx_end);
		c->look |= !c->told_end;
	}
}

static void look(struct sim_app *a, struct sim_conn *c)
{
	struct toe_flow_block *b = sim_block(a, c);
	uint8_t flags;

	c->look = 0;
	if (!c->bound) {
		c->bound = flow_cmd(a, c, TOE_SW_BIND, 0, 0);
		c->look = 1;
		if (!c->bound)
			return;
	}
	toe_store(&b->app.seen_seq, toe_load(&b->dev.notify_seq));
	toe_fence_full();
	flags = toe_load_acquire(&b->dev.flags);
	if (flags & TOE_FLOW_ERROR) {
		c->error = (uint16_t)b->dev.error;
		a->errors++;
		end_conn(a, c, TOE_SW_CLOSE);
		return;
	}
	if (!(flags & TOE_FLOW_ESTABLISHED))
		return;
	if (!c->established)
		a->connected++;
	c->established = 1;
	if (c->rx_read >= c->abort_at) {
		end_conn(a, c, TOE_SW_ABORT);
		return;
	}
	c->rx_fin = !!(flags & TOE_FLOW_RX_FIN);
	if (c->rx_read < toe_load_acquire(&b->dev.rx_end))
		read_some(a, c, toe_load(&b->dev.rx_end));
	if (c->tx_end < c->tx_goal)
		write_some(a, c, toe_load_acquire(&b->dev.tx_una));
	finish(a, c);
}

void sim_app_release(struct sim_app *a)
{
	a->hold = false;
	for (unsigned i = 0; i < a->nconns; i++)
		a->conn[i].look = 1;
}

void sim_app_give_up(struct sim_app *a)
{
	for (unsigned i = 0; i < a->nconns; i++)
		if (a->conn[i].state == SIM_CONN_OPEN)
			end_conn(a, &a->conn[i], TOE_SW_ABORT);
}

unsigned sim_app_run(struct sim_app *a)
{
	unsigned n = 0;

	if (a->manner.lazy && sim_below(a->host->w, 65536) < a->manner.lazy)
		return 0;
	for (unsigned f = 0; f < a->host->conf.nfpcs; f++)
		n += drain(a, f);
	for (unsigned i = 0; i < a->nconns; i++) {
		if (a->conn[i].state == SIM_CONN_OPEN && a->conn[i].look) {
			look(a, &a->conn[i]);
			n++;
		}
	}
	return n;
}
