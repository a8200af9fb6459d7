/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware, as libtoe sees it, and what is behind it: the other end of each connection. */
#include <sys/time.h>
#include <time.h>

#include "fake_toe.h"

struct fake fake;
int fake_listening = -1;

struct toe_flow_block *fake_block(uint32_t flow)
{
	return toe_arena_flow(fake.arena, flow);
}

/*
 * A wake-up that is lost is silence: no command either way. How long a test takes is the machine's
 * affair, which may have others to serve first.
 */
void fake_watch(void)
{
	alarm(FAKE_SILENCE_S);
}

void fake_push(unsigned ctx, struct toe_cmd cmd)
{
	struct toe_ctx *c = toe_arena_ctx(fake.arena, ctx);
	struct toe_hw_ring *hw = &c->fpc[0].hw;
	uint32_t head = toe_load(&hw->db.head);
	uint64_t one = 1;

	fake_watch();
	hw->cmd[head & (TOE_HW_RING - 1)] = cmd;
	toe_store_release(&hw->db.head, head + 1);
	toe_fence_full();
	if (toe_load(&c->sleep.sleeping) && write(fake.ctx_evfd[ctx], &one, sizeof(one)) > 0)
		fake.wakes++;
}

void fake_notify(uint32_t flow, uint8_t type, bool again)
{
	struct toe_flow_block *b = fake_block(flow);
	uint32_t seq = toe_load(&b->dev.notify_seq);

	toe_fence_full();
	if (!fake.flow[flow].accepted || (!again && seq != toe_load(&b->app.seen_seq)))
		return;
	toe_store(&b->dev.notify_seq, seq + 1);
	fake_push(fake.flow[flow].ctx,
		  (struct toe_cmd){ .type = type, .gen = b->dev.gen, .flow = flow });
}

void fake_flags(uint32_t flow, uint8_t set)
{
	struct toe_flow_block *b = fake_block(flow);

	toe_store_release(&b->dev.flags, (uint8_t)(toe_load(&b->dev.flags) | set));
}

static uint32_t fake_birth(uint8_t flags)
{
	uint32_t flow = 0;
	struct toe_flow_block *b;

	while (flow < FAKE_FLOWS && fake.flow[flow].live)
		flow++;
	if (flow == FAKE_FLOWS)
		abort();
	fake.flow[flow] = (struct fake_flow){ .live = true };
	b = fake_block(flow);
	toe_store(&b->dev.rx_end, 0);
	toe_store(&b->dev.rx_urg, 0);
	toe_store(&b->dev.tx_una, 0);
	toe_store(&b->dev.error, 0);
	toe_store(&b->dev.state,
		  flags & TOE_FLOW_ESTABLISHED ? TOE_TCP_ESTABLISHED : TOE_TCP_SYN_SENT);
	toe_store(&b->dev.flags, flags);
	memset(b->con.laddr + 10, 0xff, 2);
	memset(b->con.raddr + 10, 0xff, 2);
	memcpy(b->con.laddr + 12, "\300\0\2\1", 4);
	memcpy(b->con.raddr + 12, "\300\0\2\2", 4);
	b->con.lport = htons(80);
	b->con.rport = htons((uint16_t)(FAKE_PORT + flow)); /* tells flows apart */
	b->dev.rx_limit = b->dev.tx_limit = TOE_BUF_DEFAULT;
	b->dev.rx_ring = b->dev.tx_ring = 0;
	toe_store_release(&b->dev.gen, (uint16_t)(b->dev.gen + 1));
	return flow;
}

static void fake_connect(unsigned ctx, const struct toe_cmd *c)
{
	struct toe_cmd a = { .type = TOE_HW_FLOW_ASSIGNED,
			     .pos = c->pos,
			     .flags = (uint8_t)fake.assign_error };

	if (!fake.assign_error) {
		a.flow = fake_birth(0);
		a.gen = fake_block(a.flow)->dev.gen;
		fake.flow[a.flow].ctx = (uint8_t)ctx;
		fake.flow[a.flow].accepted = true;
		fake.flow[a.flow].born = *toe_arena_grant_opts(fake.arena, c->flow);
	}
	fake_push(ctx, a);
}

/* TCP_NOTSENT_LOWAT: half of the mark or more waits for the windows. */
static bool fake_above_mark(const struct fake_flow *f, const struct toe_flow_block *b)
{
	int64_t unsent = (int32_t)((uint32_t)f->sent - toe_load(&b->dev.tx_open));
	uint64_t mark = f->option[TOE_OPT_NOTSENT_LOWAT];

	return mark && unsent > 0 && 2 * (uint64_t)unsent >= mark;
}

static bool fake_may_tell(const struct fake_flow *f, const struct toe_flow_block *b)
{
	return f->want && !fake_above_mark(f, b) &&
	       f->sent - toe_load(&b->dev.tx_una) <= TOE_BUF_DEFAULT - TOE_BUF_DEFAULT / 3;
}

static void fake_bind(const struct toe_cmd *c, struct toe_flow_block *b, struct fake_flow *f)
{
	uint32_t seen = toe_load(&b->app.seen_seq);
	bool elsewhere = toe_load(&b->dev.notify_seq) != seen;

	toe_store(&f->ctx, (uint8_t)c->pos);
	f->accepted = true;
	toe_store(&b->dev.notify_seq, seen);
	if (elsewhere || b->dev.rx_end != toe_load(&b->app.rx_read) ||
	    b->dev.flags & (TOE_FLOW_RX_FIN | TOE_FLOW_ERROR))
		fake_notify(c->flow, TOE_HW_DATA_RECEIVED, true);
}

static void fake_command(unsigned ctx, const struct toe_cmd *c)
{
	struct toe_flow_block *b = fake_block(c->flow);
	struct fake_flow *f = &fake.flow[c->flow % FAKE_FLOWS];

	toe_store(&fake.count[c->type & 15], fake.count[c->type & 15] + 1);
	if (c->type == TOE_SW_CONNECT) {
		fake_connect(ctx, c);
		return;
	}
	if (c->type == TOE_SW_LISTEN || !f->live || c->gen != b->dev.gen)
		return;
	switch (c->type) {
	case TOE_SW_SEND:
		f->sent = c->pos > f->sent ? c->pos : f->sent;
		f->send_flags = c->flags;
		f->want |= c->flags & TOE_SEND_WANT_SPACE;
		if (!toe_load(&fake.keep))
			toe_store_release(&b->dev.tx_una, f->sent);
		if (fake_may_tell(f, b)) {
			f->want = false;
			fake_notify(c->flow, TOE_HW_SEND_COMPLETE, false);
		}
		break;
	case TOE_SW_RECV:
		f->told = c->pos;
		break;
	case TOE_SW_BIND:
		fake_bind(c, b, f);
		break;
	case TOE_SW_SHUTDOWN:
		f->shut = true;
		f->sent = c->pos;
		fake_flags(c->flow, TOE_FLOW_TX_SHUT);
		break;
	case TOE_SW_OPTION:
		f->option[c->flags % 32] = c->pos;
		break;
	case TOE_SW_INFO: {
		struct toe_flow_info *i = &toe_arena_ctx(fake.arena, ctx)->info;

		*i = (struct toe_flow_info){ .state = TOE_TCP_ESTABLISHED,
					     .snd_mss = 1448,
					     .srtt_us = 100 + c->flow };
		toe_store_release(&i->token, (uint32_t)c->pos);
		break;
	}
	case TOE_SW_ABORT:
		f->aborted = true;
		toe_store(&f->live, false);
		break;
	case TOE_SW_CLOSE:
		f->closed = true;
		toe_store(&f->live, false);
		break;
	}
}

static unsigned fake_step_locked(void)
{
	uint64_t ctxs = toe_load(&fake.hdr->ctxs);
	unsigned n = 0;

	for (; ctxs && !toe_load(&fake.stuck); ctxs &= ctxs - 1) {
		unsigned ctx = (unsigned)__builtin_ctzll(ctxs);
		struct toe_sw_ring *sw = &toe_arena_ctx(fake.arena, ctx)->fpc[0].sw;
		uint32_t head = toe_load_acquire(&sw->db.head), tail = toe_load(&sw->db.tail);

		for (; tail != head; tail++, n++) {
			struct toe_cmd c = sw->cmd[tail & (TOE_SW_RING - 1)];

			fake_command(ctx, &c);
		}
		toe_store_release(&sw->db.tail, tail);
	}
	if (n)
		fake_watch();
	return n;
}

unsigned fake_step(void)
{
	unsigned n;

	pthread_mutex_lock(&fake.lock);
	n = fake_step_locked();
	pthread_mutex_unlock(&fake.lock);
	return n;
}

static void *fake_fpc(void *arg)
{
	struct pollfd p = { .fd = fake.fpc_evfd, .events = POLLIN };
	uint64_t junk;

	while (toe_load(&fake.running)) {
		if (fake_step())
			continue;
		toe_store(&fake.hdr->fpc[0].sleeping, 1);
		toe_fence_full();
		/* The time limit is for the end of the test only. */
		if (!fake_step() && poll(&p, 1, 500) > 0 &&
		    read(fake.fpc_evfd, &junk, sizeof(junk)) < 0)
			break;
		toe_store(&fake.hdr->fpc[0].sleeping, 0);
	}
	return NULL;
}

void fake_start(void)
{
	fake.running = true;
	pthread_create(&fake.fpc, NULL, fake_fpc, NULL);
}

void fake_stop(void)
{
	uint64_t one = 1;

	toe_store(&fake.running, false);
	if (write(fake.fpc_evfd, &one, sizeof(one)) < 0)
		abort();
	pthread_join(fake.fpc, NULL);
}

/* The other end of a connection */

void fake_peer_send(uint32_t flow, const void *data, uint32_t n)
{
	struct toe_flow_block *b = fake_block(flow);
	uint64_t off;

	pthread_mutex_lock(&fake.lock);
	for (uint32_t i = 0; i < n; i++) {
		toe_ring_piece(b->dev.rx_ring, flow, toe_arena_rx_off(flow), b->dev.rx_end + i, 1,
			       &off);
		fake.arena[off] = ((const uint8_t *)data)[i];
	}
	toe_store_release(&b->dev.rx_end, b->dev.rx_end + n);
	fake_notify(flow, TOE_HW_DATA_RECEIVED, false);
	pthread_mutex_unlock(&fake.lock);
}

static void *late_byte(void *arg)
{
	struct fake_late *l = arg;

	usleep(l->ms * 1000);
	fake_peer_send(l->flow, "x", 1);
	return NULL;
}

void fake_late_start(struct fake_late *l, uint32_t flow, unsigned ms)
{
	l->flow = flow;
	l->ms = ms;
	pthread_create(&l->thread, NULL, late_byte, l);
}

bool fake_late_recv(struct fake_late *l, int fd)
{
	struct timeval tv = { .tv_sec = 20 };
	time_t from = time(NULL);
	char b;
	ssize_t n;

	toe_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	n = toe_recv(fd, &b, 1, 0);
	pthread_join(l->thread, NULL);
	return n == 1 && time(NULL) - from < 10;
}

static void fake_peer_event(uint32_t flow, uint8_t flags, int error)
{
	pthread_mutex_lock(&fake.lock);
	if (error)
		toe_store(&fake_block(flow)->dev.error, (uint32_t)error);
	fake_flags(flow, flags);
	fake_notify(flow, error ? TOE_HW_RESET : TOE_HW_CLOSE, false);
	pthread_mutex_unlock(&fake.lock);
}

void fake_peer_fin(uint32_t flow)
{
	fake_peer_event(flow, TOE_FLOW_RX_FIN, 0);
}

void fake_peer_rst(uint32_t flow, int error)
{
	fake_peer_event(flow, TOE_FLOW_ERROR | TOE_FLOW_TX_SHUT, error);
}

void fake_ack(uint32_t flow)
{
	struct toe_flow_block *b = fake_block(flow);

	pthread_mutex_lock(&fake.lock);
	fake_step_locked();
	toe_store_release(&b->dev.tx_una, fake.flow[flow].sent);
	if (fake_may_tell(&fake.flow[flow], b)) {
		fake.flow[flow].want = false;
		fake_notify(flow, TOE_HW_SEND_COMPLETE, false);
	}
	pthread_mutex_unlock(&fake.lock);
}

uint64_t fake_sent_end(uint32_t flow)
{
	uint64_t end;

	pthread_mutex_lock(&fake.lock);
	end = fake.flow[flow].sent;
	pthread_mutex_unlock(&fake.lock);
	return end;
}

unsigned fake_live(void)
{
	unsigned n = 0;

	pthread_mutex_lock(&fake.lock);
	for (uint32_t i = 0; i < FAKE_FLOWS; i++)
		n += fake.flow[i].live;
	pthread_mutex_unlock(&fake.lock);
	return n;
}

void fake_sent(uint32_t flow, uint64_t pos, void *to, uint32_t n)
{
	struct toe_flow_block *b = fake_block(flow);
	uint64_t off;

	for (uint32_t i = 0; i < n; i++) {
		toe_ring_piece(b->dev.tx_ring, flow, toe_arena_tx_off(flow), pos + i, 1, &off);
		((uint8_t *)to)[i] = fake.arena[off];
	}
}

uint32_t fake_incoming(unsigned ctx)
{
	struct toe_listener *l = toe_arena_listener(fake.arena, 0);
	uint32_t flow, head;

	pthread_mutex_lock(&fake.lock);
	flow = fake_birth(TOE_FLOW_ESTABLISHED);
	fake.flow[flow].born = l->opts;
	head = toe_load(&l->fpc[0].db.head);
	toe_store(&l->fpc[0].entry[head & (TOE_ACCEPT_RING - 1)],
		  toe_accept_entry(flow, fake_block(flow)->dev.gen, ctx));
	toe_store_release(&l->fpc[0].db.head, head + 1);
	if (ctx < TOE_MAX_CTXS)
		fake_push(ctx, (struct toe_cmd){ .type = TOE_HW_LISTEN_ESTABLISHED,
						 .flow = 0,
						 .pos = TOE_HINT_YOURS });
	pthread_mutex_unlock(&fake.lock);
	return flow;
}

int fake_listener(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = toe_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	pthread_mutex_lock(&fake.lock);
	fake.listeners = 0;
	pthread_mutex_unlock(&fake.lock);
	if (toe_bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || toe_listen(fd, 64))
		abort();
	return fd;
}

int fake_pair(uint32_t *flow, int flags)
{
	int fd;

	if (fake_listening < 0)
		fake_listening = fake_listener();
	*flow = fake_incoming(0xff);
	fd = toe_accept4(fake_listening, NULL, NULL, flags);
	if (fd < 0)
		abort();
	if (!toe_load(&fake.running))
		fake_step();
	return fd;
}
