/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast is the firmware alone? One engine sends 128-byte segments to another in the same memory;
 * only the receiver's polls are timed: parsing, checksum and copy, TCP, the application's
 * TOE_SW_RECV, notifications and the ACKs it builds. Moving frames from host to host, the sender
 * and the applications are not.
 *
 * Usage: sim_bench [-j] [-r ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../firmware/lib/ring.h"
#include "../../firmware/port/sim/app.h"

enum {
	PAYLOAD = 128,
	MTU = 20 + 20 + 12 + PAYLOAD, /* timestamps take 12 */
	PORT = 80,
};

struct shape {
	const char *name, *text;
	unsigned flows;
	unsigned segs; /* of a flow, back to back */
};

/* The first one is the row of the benchmark. */
static const struct shape shapes[] = {
	{ "fw_segments", "many flows, some segments of each at a time", 64, 8 },
	{ "fw_segments_bulk", "one flow", 1, 256 },
	{ "fw_segments_single", "a flow's next segment comes after all others'", 512, 1 },
};

struct bench {
	struct sim_world *w;
	struct sim_app *tx, *rx;
	double seconds;
	uint64_t bytes;
};

/* Frames that have left, until they are carried over: outside the time that counts. */
static struct {
	struct toe_port *to;
	uint32_t len;
	uint8_t data[256];
} wire[4096];
static unsigned nwire;

static void leave(struct toe_port *p, const uint8_t *frame, uint32_t len)
{
	if (nwire == sizeof(wire) / sizeof(wire[0]) || len > sizeof(wire[0].data))
		abort();
	wire[nwire].to = p->peer;
	wire[nwire].len = len;
	memcpy(wire[nwire++].data, frame, len);
}

static void carry(void)
{
	for (unsigned i = 0; i < nwire; i++)
		sim_receive(wire[i].to, wire[i].data, wire[i].len);
	nwire = 0;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void quiet(struct bench *b)
{
	unsigned busy;

	do {
		busy = sim_poll(b->tx->host, 8) + sim_poll(b->rx->host, 8) + sim_app_run(b->tx) +
		       sim_app_run(b->rx) + nwire;
		carry();
		b->w->now += 5;
	} while (busy);
}

static void set_up(struct bench *b, const struct shape *s)
{
	struct sim_conf c = { .nfpcs = 1,
			      .tcb_cache = 1024,
			      .nflows = 1024,
			      .mtu = MTU,
			      .addr = 1,
			      .rcvbuf_max = 6 << 20,
			      .sndbuf_max = 4 << 20 };
	struct sim_manner idle = { .goal = 0 };
	struct toe_port *tx, *rx;

	b->w = sim_new(1);
	tx = sim_host(b->w, &c);
	c.addr = 2;
	rx = sim_host(b->w, &c);
	tx->peer = rx;
	rx->peer = tx;
	tx->sink = rx->sink = leave;
	b->tx = sim_app_new(tx, 0, &idle);
	b->rx = sim_app_new(rx, 0, &idle);
	b->tx->hold = b->rx->hold = true;
	sim_app_listen(b->rx, 0, PORT, s->flows);
	sim_poll(rx, 4);
	for (unsigned i = 0; i < s->flows; i++) {
		if (!sim_app_connect(b->tx, rx, PORT))
			abort();
		quiet(b);
	}
	b->seconds = 0;
	b->bytes = 0;
}

static void command(struct sim_app *a, const struct sim_conn *c, enum toe_sw_cmd type, uint64_t pos)
{
	struct toe_cmd cmd = { .type = (uint8_t)type, .gen = c->gen, .flow = c->flow, .pos = pos };

	if (!sim_cmd(a, c->fpc, &cmd))
		abort();
}

/* The receiver's application: takes note of the notifications, and reads everything. */
static void read_all(struct bench *b)
{
	struct toe_hw_ring *r = &toe_arena_ctx(b->rx->arena, 0)->fpc[0].hw;

	toe_ring_release(&r->db, toe_ring_ready(&r->db, TOE_HW_RING));
	for (unsigned i = 0; i < b->rx->nconns; i++) {
		struct sim_conn *c = &b->rx->conn[i];
		struct toe_flow_block *f = sim_block(b->rx, c);

		f->app.seen_seq = f->dev.notify_seq;
		if (f->dev.rx_end == c->rx_read)
			continue;
		b->bytes += f->dev.rx_end - c->rx_read;
		c->rx_read = f->app.rx_read = f->dev.rx_end;
		command(b->rx, c, TOE_SW_RECV, c->rx_read);
	}
}

static __attribute__((noinline)) void timed_polls(struct bench *b)
{
	double t = now_s();

	while (toe_fpc_poll(b->rx->host->fpc[0]))
		;
	b->seconds += now_s() - t;
}

static void round_of(struct bench *b, const struct shape *s)
{
	for (unsigned i = 0; i < b->tx->nconns; i++) {
		struct sim_conn *c = &b->tx->conn[i];

		c->tx_end += s->segs * PAYLOAD;
		command(b->tx, c, TOE_SW_SEND, c->tx_end);
	}
	do {
		sim_poll(b->tx->host, 8);
		carry();
		timed_polls(b);
		carry();
		read_all(b);
		b->w->now += 20;
	} while (b->rx->host->rx[0].head != b->rx->host->rx[0].tail ||
		 b->tx->host->rx[0].head != b->tx->host->rx[0].tail);
}

static double run(const struct shape *s, unsigned rounds)
{
	struct bench b;
	double rate;

	set_up(&b, s);
	for (unsigned i = 0; i < rounds / 10; i++)
		round_of(&b, s);
	b.seconds = 0;
	b.bytes = 0;
	for (unsigned i = 0; i < rounds; i++)
		round_of(&b, s);
	rate = (double)b.bytes / PAYLOAD / b.seconds / 1e6;
	if (b.bytes < (uint64_t)rounds * s->flows * s->segs * PAYLOAD / 2)
		fprintf(stderr, "sim_bench: %s: only %llu bytes arrived\n", s->name,
			(unsigned long long)b.bytes);
	sim_app_free(b.tx);
	sim_app_free(b.rx);
	sim_free(b.w);
	return rate;
}

int main(int argc, char **argv)
{
	bool json = false;
	unsigned rounds = 4000;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-j")) {
			json = true;
		} else if (!strcmp(argv[i], "-r") && i + 1 < argc) {
			rounds = (unsigned)strtoul(argv[++i], NULL, 0);
		} else {
			fprintf(stderr, "usage: %s [-j] [-r ROUNDS]\n", argv[0]);
			return 2;
		}
	}
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		double v = run(&shapes[i], rounds);

		if (json)
			printf("%s{\"name\": \"%s\", \"value\": %.3f, \"unit\": \"million "
			       "segments/s\"}%s",
			       i ? ",\n " : "[", shapes[i].name, v,
			       i + 1 == sizeof(shapes) / sizeof(shapes[0]) ? "]\n" : "");
		else
			printf("%-20s %6.2f million segments/s (%u flows x %u: %s)\n",
			       shapes[i].name, v, shapes[i].flows, shapes[i].segs, shapes[i].text);
	}
	return 0;
}
