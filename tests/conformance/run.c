/* SPDX-License-Identifier: BSD-2-Clause */
/* One script, event by event. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/sim/sim.h"
#include "syscalls.h"
#include "tcpinfo.h"
#include "wire/endian.h"
#include "wire.h"

static struct {
	const struct script *script;
	struct running *running; /* calls that have not returned, or not been looked at */
	uint64_t base; /* what the next relative time counts from */
} run;

bool run_verbose;

static double seconds(uint64_t us)
{
	return (double)us / 1e6;
}

static void check_return(const struct running *r)
{
	const char *bad = syscall_verdict(r);
	uint64_t tol = run.script->tolerance, at = r->thread.at;

	if (bad)
		script_fail(r->e->line, "%s (at %.6f)", bad, seconds(at));
	if (r->e->call.blocks && (at + tol < r->end || at > r->end + tol))
		script_fail(r->e->line, "%s: expected to return at %.6f, returned at %.6f",
			    r->e->call.name, seconds(r->end), seconds(at));
}

/* Calls that have returned, and those that should have. */
static void look_at_calls(void)
{
	for (struct running **p = &run.running; *p;) {
		struct running *r = *p;

		if (r->thread.done) {
			check_return(r);
			*p = r->next;
			free(r);
			continue;
		}
		if (stack_now() > r->end + run.script->tolerance)
			script_fail(r->e->line, "%s: expected to return at %.6f, has not at %.6f",
				    r->e->call.name, seconds(r->end), seconds(stack_now()));
		p = &r->next;
	}
}

static void run_to(uint64_t t)
{
	do {
		stack_run(t, false);
		look_at_calls();
	} while (stack_now() < t);
}

static void run_call(struct event *e, uint64_t end)
{
	struct running *r = calloc(1, sizeof(*r));

	r->script = run.script;
	r->e = e;
	r->start = stack_now();
	r->end = e->call.blocks ? end : r->start;
	r->thread = (struct stack_call){ .f = syscall_run, .arg = r };
	stack_call(&r->thread);
	if (!r->thread.done && !e->call.blocks)
		script_fail(e->line, "%s: expected to return at once, waits", e->call.name);
	r->next = run.running;
	run.running = r;
	look_at_calls();
}

static void run_inbound(const struct event *e)
{
	uint8_t buf[STACK_PACKET];
	size_t n = wire_build(run.script, &e->pkt, buf);

	if (!stack_inject(buf, n))
		script_fail(e->line, "the engine dropped the packet");
	run_to(stack_now());
}

enum { AFTER_US = 5000000 };

/* For whoever writes a script: what the stack would have sent next. */
static void show_more(void)
{
	uint8_t buf[STACK_PACKET];
	uint64_t at, end = stack_now() + AFTER_US;
	size_t n;

	do {
		while ((n = stack_packet(buf, sizeof(buf), &at)))
			fprintf(stderr, "%10.6f %s\n", seconds(at), wire_text(run.script, buf, n));
		stack_run(end, true);
	} while (stack_now() < end);
}

/* The next packet, waited for until `limit`. */
static void run_outbound(const struct event *e, uint64_t from, uint64_t limit)
{
	uint8_t buf[STACK_PACKET];
	uint64_t at;
	size_t n;
	const char *bad;
	char want[1024];

	while (!(n = stack_packet(buf, sizeof(buf), &at)) && stack_now() < limit) {
		stack_run(limit, true);
		look_at_calls();
	}
	snprintf(want, sizeof(want), "%s", wire_spec_text(&e->pkt));
	bad = n ? wire_compare(run.script, &e->pkt, buf, n) : NULL;
	if (run_verbose && n)
		fprintf(stderr, "%10.6f %s\n", seconds(at), wire_text(run.script, buf, n));
	if (run_verbose && (bad || !n || at < from || at > limit))
		show_more();
	if (!n)
		script_fail(e->line, "expected %s, got nothing until %.6f", want,
			    seconds(stack_now()));
	if (bad)
		script_fail(e->line, "%s: expected %s, got %s (at %.6f)", bad, want,
			    wire_text(run.script, buf, n), seconds(at));
	if (at < from || at > limit)
		script_fail(e->line, "time: expected %s between %.6f and %.6f, got it at %.6f",
			    want, seconds(from), seconds(limit), seconds(at));
}

enum { FOREVER_US = 600000000 }; /* a packet at any time comes by then */

static void run_packet(const struct event *e, uint64_t at, uint64_t until)
{
	uint64_t tol = run.script->tolerance;

	if (!e->pkt.out) {
		run_to(at);
		run_inbound(e);
	} else if (e->time == T_ANY) {
		run_outbound(e, 0, stack_now() + FOREVER_US);
	} else {
		run_outbound(e, at > tol ? at - tol : 0, until + tol);
	}
}

static void run_event(struct event *e)
{
	uint64_t base = e->time == T_RELATIVE ? run.base : 0;
	uint64_t at = base + e->at, until = e->range ? base + e->until : at;

	if (e->time == T_ANY)
		at = until = stack_now();
	switch (e->kind) {
	case EV_CALL:
		run_to(at);
		run_call(e, base + e->call.end);
		break;
	case EV_PACKET:
		run_packet(e, at, until);
		break;
	case EV_CHECK:
		run_to(at);
		const char *bad = tcpinfo_check(e->check, syscall_last_fd());

		if (bad)
			script_fail(e->line, "%s", bad);
		break;
	}
	run.base = e->time == T_ANY || e->range ? stack_now() : at;
}

/* Nothing may be left that the script did not tell. */
static void run_end(void)
{
	uint8_t buf[STACK_PACKET];
	uint64_t at, calls_end = 0;
	int last = 0;
	size_t n;
	const char *bad = sim_check(stack_port());

	for (const struct event *e = run.script->first; e; e = e->next)
		last = e->line;
	for (const struct running *r = run.running; r; r = r->next)
		calls_end = r->end > calls_end ? r->end : calls_end;
	if (run.running) /* which takes them off the list */
		run_to(calls_end + run.script->tolerance + 1);
	n = stack_packet(buf, sizeof(buf), &at);
	if (n)
		script_fail(last, "after the end: got %s (at %.6f)", wire_text(run.script, buf, n),
			    seconds(at));
	if (bad)
		script_fail(last, "TCB: %s", bad);
}

/* The first connection, as the engine will know it: active if its first packet is ours. */
static struct toe_tuple first_tuple(const struct script *s)
{
	const struct event *e = s->first;
	bool v6 = s->family == F_V6;
	struct toe_tuple t = { 0 };

	while (e && e->kind != EV_PACKET)
		e = e->next;
	memcpy(t.laddr + (v6 ? 0 : 12), wire_local(v6), v6 ? 16 : 4);
	memcpy(t.raddr + (v6 ? 0 : 12), wire_remote(v6), v6 ? 16 : 4);
	if (!v6)
		t.laddr[10] = t.laddr[11] = t.raddr[10] = t.raddr[11] = 0xff;
	t.lport = toe_be16(e && e->pkt.out ? STACK_PORT_LO : LOCAL_PORT);
	t.rport = toe_be16(e && e->pkt.out ? LOCAL_PORT : REMOTE_PORT);
	return t;
}

void run_script(const struct script *s)
{
	struct stack_conf c = {
		.mtu = s->mtu, .isn = s->isn, .ecn = s->ecn, .no_ts = s->no_ts, .nflows = s->nflows
	};
	struct toe_tuple first = first_tuple(s);

	if (s->family == F_V6)
		memcpy(c.local6, wire_local(true), 16);
	else
		memcpy(c.local4, wire_local(false), 4);
	if (s->has_isn)
		c.isn_of = &first;
	if (stack_open(&c))
		script_fail(0, "no stack");
	run.script = s;
	for (struct event *e = s->first; e; e = e->next)
		run_event(e);
	run_end();
}
