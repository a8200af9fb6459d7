/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Goodput of one connection over bandwidth x round trip x queue x harm x congestion control, in
 * Mbit/s of payload, the mean over some seeds.
 *
 *	sim_goodput		compare with tests/sim/goodput.snapshot
 *	sim_goodput -w		write the snapshot anew (make snapshot)
 *	sim_goodput SEED [COUNT]	other dice, fewer of them, no comparison
 *
 * A value that is worse than the snapshot's by more than the tolerance fails. Better ones are
 * named: then the snapshot wants to be written anew. With a sanitizer, which is four times slower and
 * finds the same in one run as in five, there is one of each and no comparison.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../firmware/tcp/cc.h"
#include "net.h"

enum { PORT = 80, FRAME = 1514, FIELD = 10 };

#define SNAPSHOT "tests/sim/goodput.snapshot"
/* Percent: luck alone moves the means by less. */
#define TOLERANCE 10

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* Harm to the packets, both ways: 1/65536. */
struct harm {
	const char *name;
	uint32_t loss, reorder;
	uint32_t seeds; /* the mean of so many: the more, the more a loss weighs */
};

static const struct harm harms[] = {
	{ "none", 0, 0, 1 },       { "loss 0.1%", 66, 0, 3 },    { "loss 1%", 655, 0, 3 },
	{ "loss 5%", 3277, 0, 5 }, { "reorder 5%", 0, 3277, 3 },
};

struct path {
	uint32_t mbit, rtt_ms;
	const char *queue;
	uint32_t quarters; /* of a bandwidth-delay product: the queue */
	uint32_t seconds;
	uint32_t batch_us; /* if set, hosts act on what has come at multiples of it only */
};

static const struct path paths[] = {
	{ 10, 2, "4 BDP", 16, 10, 0 },    { 10, 20, "1 BDP", 4, 10, 0 },
	{ 10, 100, "1/4 BDP", 1, 20, 0 }, { 10, 100, "1 BDP", 4, 20, 0 },
	{ 100, 2, "1 BDP", 4, 2, 0 },     { 100, 20, "1/4 BDP", 1, 3, 0 },
	{ 100, 20, "1 BDP", 4, 3, 0 },    { 100, 100, "1 BDP", 4, 6, 0 },
	{ 1000, 2, "1 BDP", 4, 1, 0 },    { 100, 20, "batches", 4, 3, 1000 },
};

enum { PATHS = sizeof(paths) / sizeof(paths[0]), HARMS = sizeof(harms) / sizeof(harms[0]) };

static struct sim_link link_of(const struct path *p, const struct harm *h)
{
	uint32_t frame_us = FRAME * 8 / p->mbit;
	uint32_t queue = p->mbit * p->rtt_ms * 125 * p->quarters / 4;

	return (struct sim_link){
		.kbit = p->mbit * 1000,
		.delay_us = p->rtt_ms * 500,
		.queue = queue > 2 * FRAME ? queue : 2 * FRAME,
		.loss = h->loss,
		.reorder = h->reorder,
		/* an eighth of the round trip, and at least three packets */
		.late_us = p->rtt_ms * 125 > 3 * frame_us ? p->rtt_ms * 125 : 3 * frame_us,
	};
}

/* Act until nothing moves, then let time pass until something happens, and a batch is over. */
static void turn(struct sim_world *w, struct sim_app *a, struct sim_app *b, uint32_t batch_us)
{
	uint64_t next;

	while (sim_step(w) + sim_app_run(a) + sim_app_run(b))
		;
	next = sim_next(w);
	w->now = next > w->now && next != UINT64_MAX ? next : w->now + 1;
	if (batch_us)
		w->now = (w->now + batch_us - 1) / batch_us * batch_us;
}

/* Payload that one connection carries in the path's time, Mbit/s. */
static double goodput(const struct path *p, const struct harm *h, unsigned cc, uint64_t seed)
{
	struct sim_manner m = { .bulk = UINT64_MAX };
	struct sim_world *w = sim_new(seed);
	struct net_conf c;
	struct sim_link l = link_of(p, h);
	struct sim_app *client, *server;
	uint64_t end = w->now + p->seconds * 1000000ull;
	double bytes;

	net_defaults(&c);
	c.client.nflows = c.client.tcb_cache = c.server.nflows = c.server.tcb_cache = 4;
	client = sim_app_new(sim_host(w, &c.client), 0, &m);
	server = sim_app_new(sim_host(w, &c.server), 0, &m);
	sim_join(client->host, server->host, &l);
	sim_app_listen(server, 0, PORT, 4);
	sim_step(w);
	toe_arena_grant_opts(client->arena, client->next_grant)->cc = (uint8_t)(1 + cc);
	if (!sim_app_connect(client, server->host, PORT))
		abort();
	while (w->now < end)
		turn(w, client, server, p->batch_us);
	bytes = (double)server->rx_bytes;
	if (client->broken || server->broken || client->errors || server->errors)
		bytes = 0;
	sim_app_free(client);
	sim_app_free(server);
	sim_free(w);
	return bytes * 8 / (p->seconds * 1e6);
}

static double mean(const struct path *p, const struct harm *h, unsigned cc, uint64_t first,
		   unsigned n)
{
	double sum = 0;

	if (n > h->seeds)
		n = h->seeds;
	for (uint64_t s = first; s < first + n; s++)
		sum += goodput(p, h, cc, s);
	return sum / n;
}

static void row_name(char *to, size_t n, const struct path *p, const struct harm *h)
{
	snprintf(to, n, "%4u Mbit/s %3u ms %-8s %-11s", p->mbit, p->rtt_ms, p->queue, h->name);
}

static void print_head(FILE *f)
{
	fprintf(f, "%-39s", "rate, round trip, queue, harm");
	for (unsigned cc = 0; cc < TOE_CC_COUNT; cc++)
		fprintf(f, "%*s", FIELD, toe_cc_table[cc]->name);
	fprintf(f, "\n");
}

/* The snapshot's value for a row and a congestion control; -1: it has none. */
static double expected(const char *snapshot, const char *row, unsigned cc)
{
	const char *head = strchr(snapshot, '\n'), *line = strstr(snapshot, row), *col;
	char name[32];
	double v;

	snprintf(name, sizeof(name), " %s", toe_cc_table[cc]->name);
	col = strstr(snapshot, name);
	while (col && col < head && !strchr(" \n", col[strlen(name)]))
		col = strstr(col + 1, name);
	if (!line || !col || col > head)
		return -1;
	/* Columns are flush right. */
	col += strlen(name);
	return sscanf(line + (col - snapshot) - FIELD, "%10lf", &v) == 1 ? v : -1;
}

/* One value against the snapshot's (0: any will do): counted, and named if it is not alike. */
static void judge(struct tally *t, const char *row, unsigned cc, double got, double want,
		  unsigned *better)
{
	if (want && got >= want * (100 + TOLERANCE) / 100 + 0.01) {
		printf("better: %s %s: %.2f, was %.2f\n", row, toe_cc_table[cc]->name, got, want);
		++*better;
	}
	if (got > 0 && got >= want * (100 - TOLERANCE) / 100 - 0.01) {
		t->passed++;
		return;
	}
	t->failed++;
	printf("%s: %s %s: %.2f Mbit/s, the snapshot has %.2f\n", t->name, row,
	       toe_cc_table[cc]->name, got, want);
}

static char *read_snapshot(void)
{
	static char text[65536];
	FILE *f = fopen(SNAPSHOT, "r");
	size_t n;

	if (!f) {
		perror(SNAPSHOT);
		exit(1);
	}
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	return text;
}

/* Print the table; with a snapshot, compare. */
static int table(FILE *out, const char *snapshot, uint64_t first, unsigned n)
{
	struct tally t = { "sim_goodput", 0, 0 };
	unsigned better = 0;

	print_head(out);
	for (unsigned i = 0; i < PATHS * HARMS; i++) {
		const struct path *p = &paths[i / HARMS];
		const struct harm *h = &harms[i % HARMS];
		double v[TOE_CC_COUNT];
		char row[64];

		row_name(row, sizeof(row), p, h);
		fprintf(out, "%s", row);
		for (unsigned cc = 0; cc < TOE_CC_COUNT; cc++) {
			v[cc] = mean(p, h, cc, first, n);
			fprintf(out, "%*.2f", FIELD, v[cc]);
		}
		fprintf(out, "\n");
		fflush(out);
		for (unsigned cc = 0; cc < TOE_CC_COUNT; cc++)
			judge(&t, row, cc, v[cc], snapshot ? expected(snapshot, row, cc) : 0,
			      &better);
	}
	if (better)
		printf("%u values are better than the snapshot's: `make snapshot`\n", better);
	return tally_end(&t);
}

int main(int argc, char **argv)
{
	uint64_t first = 1;
	unsigned n = SANITIZED ? 1 : UINT32_MAX;
	FILE *f;

	if (argc == 2 && !strcmp(argv[1], "-w")) {
		f = fopen(SNAPSHOT, "w");
		if (!f) {
			perror(SNAPSHOT);
			return 1;
		}
		return table(f, NULL, first, n);
	}
	seeds(argc, argv, &first, &n);
	return table(stdout, argc > 1 || SANITIZED ? NULL : read_snapshot(), first, n);
}
