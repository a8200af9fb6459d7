/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleep, doorbells and notifications as a model, in every interleaving. Two threads, each with a
 * buffer of stores that others do not see yet; a full fence waits until it is empty. On x86 it is
 * emptied in order; on a weaker machine in any, but for release stores and those to one variable.
 * The steps are those of the sources that the comments name: who changes these changes those.
 *
 * KICK: an application calls an FPC. BELL: an FPC calls a context, with a command each time.
 * NOTE: the same with the commands of one flow, of which one may be outstanding.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../harness/unit.h"

enum prog { KICK, BELL, NOTE };
enum fault { NONE, SLEEP_FENCE, CALL_FENCE, TELL_FENCE, TAKE_FENCE, RELEASE, CALLED_WHEN_EMPTY };
enum var { HEAD, TAIL, SLEEPING, RX_END, NOTIFY_SEQ, SEEN_SEQ, NVARS };
enum { ROUNDS = 3, CHOICES = 3, STORES = 6, STATES = 1 << 18, TABLE = 1 << 19 };

struct store {
	uint8_t var, val, release;
};

struct thread {
	uint8_t pc, nstores;
	struct store store[STORES];
	uint8_t head, tail; /* as this thread knows them */
};

struct caller {
	struct thread t;
	uint8_t round, listed, notify_seq, sleeping;
	uint8_t called, called_tail; /* rung and rung_tail, kicked and kick_tail */
};

struct sleeper {
	struct thread t;
	uint8_t rx_end, napping;
};

struct state {
	uint8_t mem[NVARS], event;
	struct caller c;
	struct sleeper s;
};

static struct {
	enum prog prog;
	enum fault fault;
	bool weak;
	unsigned nstates, ends, lost, suppressed;
} m;

static struct state states[STATES];
static uint32_t table[TABLE]; /* 1 + index */

static uint8_t load(const struct state *s, const struct thread *t, enum var var)
{
	for (unsigned i = t->nstores; i-- > 0;)
		if (t->store[i].var == var)
			return t->store[i].val;
	return s->mem[var];
}

/* False: the buffer is full, not yet. */
static bool store(struct thread *t, enum var var, unsigned val, bool release, unsigned next)
{
	if (t->nstores == STORES)
		return false;
	t->store[t->nstores++] = (struct store){ (uint8_t)var, (uint8_t)val, release };
	t->pc = (uint8_t)next;
	return true;
}

static bool fence(struct thread *t, enum fault without, unsigned next)
{
	if (t->nstores && m.fault != without)
		return false;
	t->pc = (uint8_t)next;
	return true;
}

static bool go(struct thread *t, unsigned next)
{
	t->pc = (uint8_t)next;
	return true;
}

/* Store i of the buffer becomes visible, if it may. */
static bool drain(struct state *s, struct thread *t, unsigned i)
{
	if (i >= t->nstores || (i && (!m.weak || t->store[i].release)))
		return false;
	for (unsigned k = 0; k < i; k++)
		if (t->store[k].var == t->store[i].var)
			return false;
	s->mem[t->store[i].var] = t->store[i].val;
	t->nstores--;
	memmove(&t->store[i], &t->store[i + 1], (t->nstores - i) * sizeof(t->store[0]));
	memset(&t->store[t->nstores], 0, sizeof(t->store[0]));
	return true;
}

/* The caller's steps. */
enum { ROUND, FLUSH, SEEN, COUNT, PUSH, DEFER };
enum { CALL = DEFER + 1, DUE, LOOK, LOOK_TAIL, LOOK_SLEEPING, WRITE, END };

/* A new command, or a call for old ones (tm_flush, tm_push_wait; a bell that is due), or the end. */
static bool begin_round(struct caller *c, unsigned choice)
{
	if (choice == 1)
		return (m.prog == KICK || c->listed) && go(&c->t, CALL);
	if (choice == 2)
		return !c->listed && go(&c->t, END);
	if (c->round == ROUNDS)
		return false;
	c->round++;
	/* toe_host_publish */
	return m.prog == NOTE ? store(&c->t, RX_END, c->round, false, FLUSH) : go(&c->t, PUSH);
}

/* toe_fpc_flush, toe_host_notify, toe_hw_push; tm_push. */
static bool tell(struct state *s, unsigned choice)
{
	struct caller *c = &s->c;
	struct thread *t = &c->t;

	switch (t->pc) {
	case ROUND:
		return begin_round(c, choice);
	case FLUSH:
		return fence(t, TELL_FENCE, SEEN);
	case SEEN:
		if (c->notify_seq != load(s, t, SEEN_SEQ))
			return go(t, c->listed ? CALL : ROUND);
		return go(t, COUNT);
	case COUNT:
		return store(t, NOTIFY_SEQ, ++c->notify_seq, false, PUSH);
	case PUSH:
		c->listed = 1;
		return store(t, HEAD, ++t->head, m.fault != RELEASE, m.prog == KICK ? DEFER : CALL);
	default: /* DEFER: c->defer */
		return go(t, choice ? ROUND : CALL);
	}
}

/* The second half of must_wake and tm_kick. BELL_AGAIN_US never passes. */
static bool decide(struct caller *c)
{
	struct thread *t = &c->t;
	bool asleep = c->sleeping, empty = t->tail == t->head;

	c->listed = c->sleeping = 0;
	if (!asleep)
		return go(t, ROUND);
	if (c->called && c->called_tail == t->tail && (m.prog != KICK || !empty)) {
		m.suppressed++;
		return go(t, ROUND);
	}
	c->called = !empty || m.fault == CALLED_WHEN_EMPTY;
	c->called_tail = t->tail;
	return go(t, WRITE);
}

/* toe_host_doorbells, must_wake; tm_kick. Nothing orders the two loads on a weak machine. */
static bool call(struct state *s, unsigned choice)
{
	struct caller *c = &s->c;
	struct thread *t = &c->t;

	switch (t->pc) {
	case CALL:
		return fence(t, CALL_FENCE, m.prog == KICK ? LOOK : DUE);
	case DUE: /* bell_due */
		return go(t, choice ? ROUND : LOOK);
	case LOOK:
		if (choice && !m.weak)
			return false;
		if (choice)
			t->tail = load(s, t, TAIL);
		else
			c->sleeping = load(s, t, SLEEPING);
		return go(t, choice ? LOOK_SLEEPING : LOOK_TAIL);
	case LOOK_TAIL:
		t->tail = load(s, t, TAIL);
		return decide(c);
	case LOOK_SLEEPING:
		c->sleeping = load(s, t, SLEEPING);
		return decide(c);
	default: /* WRITE */
		s->event = 1;
		return go(t, ROUND);
	}
}

/* The sleeper's steps, an FPC's and a context's. */
enum { POLL, RELEASE_TAIL, SLEEP, SLEEP_FENCED, PENDING, BLOCKED, AWAKE, TAKE, TAKE_FENCED, NEWS };

enum { UNCALLED = 1 };

/*
 * The event is gone when it has woken: the eventfd is read, or edge-triggered. UNCALLED: by a
 * frame, a timer, a signal, on which nobody may count.
 */
static bool wake_up(struct state *s, unsigned choice)
{
	if (choice != UNCALLED && !s->event)
		return false;
	if (choice != UNCALLED)
		s->event = 0;
	return go(&s->s.t, AWAKE);
}

/* fpc_main: toe_fpc_poll, toe_fpc_sleep_begin, ppoll, toe_fpc_awake. */
static bool fpc(struct state *s, unsigned choice)
{
	struct thread *t = &s->s.t;

	switch (t->pc) {
	case POLL: /* toe_host_commands: all of them, or the burst is over */
		t->head = load(s, t, HEAD);
		if (t->head == t->tail)
			return go(t, SLEEP);
		t->tail = choice ? t->tail + 1 : t->head;
		return go(t, RELEASE_TAIL);
	case RELEASE_TAIL: /* toe_host_release */
		return store(t, TAIL, t->tail, true, POLL);
	case SLEEP:
		return store(t, SLEEPING, 1, false, SLEEP_FENCED);
	case SLEEP_FENCED:
		return fence(t, SLEEP_FENCE, PENDING);
	case PENDING: /* toe_host_pending */
		return go(t, load(s, t, HEAD) != t->tail ? AWAKE : BLOCKED);
	case BLOCKED:
		return wake_up(s, choice);
	default: /* AWAKE */
		return store(t, SLEEPING, 0, false, POLL);
	}
}

/* tm_ctx_poll, take_batch: all that was there. What was waited for may be among it or not. */
static bool take(struct state *s, unsigned choice)
{
	struct sleeper *c = &s->s;
	struct thread *t = &c->t;

	switch (t->pc) {
	case POLL:
		t->head = load(s, t, HEAD);
		if (t->head == t->tail)
			return go(t, c->napping ? BLOCKED : SLEEP);
		return go(t, TAKE);
	case TAKE:
		t->tail++;
		return store(t, SEEN_SEQ, load(s, t, NOTIFY_SEQ), false,
			     t->tail == t->head ? RELEASE_TAIL : TAKE);
	case RELEASE_TAIL:
		return store(t, TAIL, t->tail, true, TAKE_FENCED);
	case TAKE_FENCED:
		return fence(t, TAKE_FENCE, NEWS);
	default: /* NEWS: flow_news */
		c->rx_end = load(s, t, RX_END);
		if (c->napping)
			return go(t, choice ? AWAKE : BLOCKED);
		return go(t, choice ? POLL : SLEEP);
	}
}

/* tm_wait: spin, nap. */
static bool nap(struct state *s, unsigned choice)
{
	struct thread *t = &s->s.t;

	switch (t->pc) {
	case SLEEP:
		s->s.napping = 1;
		return store(t, SLEEPING, 1, false, SLEEP_FENCED);
	case SLEEP_FENCED:
		return fence(t, SLEEP_FENCE, POLL);
	case BLOCKED:
		return wake_up(s, choice);
	case AWAKE:
		s->s.napping = 0;
		return store(t, SLEEPING, 0, false, POLL);
	default:
		return take(s, choice);
	}
}

static void add(const struct state *s)
{
	uint32_t h = 2166136261u;

	for (unsigned i = 0; i < sizeof(*s); i++)
		h = (h ^ ((const uint8_t *)s)[i]) * 16777619u;
	for (h = (h ^ h >> 15) % TABLE; table[h]; h = (h + 1) % TABLE)
		if (!memcmp(&states[table[h] - 1], s, sizeof(*s)))
			return;
	if (m.nstates == STATES) /* too many: holds() says so */
		return;
	states[m.nstates] = *s;
	table[h] = ++m.nstates;
}

/* All that can happen next. Returns how many things that is, without what may never come. */
static unsigned expand(const struct state *from)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 2 * (CHOICES + STORES); i++) {
		struct state s = *from;
		unsigned k = i / 2;
		bool moved;

		if (k >= CHOICES)
			moved = drain(&s, i & 1 ? &s.s.t : &s.c.t, k - CHOICES);
		else if (i & 1)
			moved = m.prog == KICK ? fpc(&s, k) : nap(&s, k);
		else
			moved = s.c.t.pc <= DEFER ? tell(&s, k) : s.c.t.pc != END && call(&s, k);
		n += moved && !(i & 1 && k == UNCALLED && from->s.t.pc == BLOCKED);
		if (moved)
			add(&s);
	}
	return n;
}

/* Nothing happens any more: one sleeps for good, the other has nothing to say. All told? */
static bool all_told(const struct state *s)
{
	return s->c.t.pc == END && s->s.t.pc == BLOCKED && s->s.t.tail == s->c.t.head &&
	       (m.prog != NOTE || s->s.rx_end == s->c.round);
}

/* True: in every interleaving all is told. */
static bool holds(enum prog prog, bool weak, enum fault fault)
{
	struct state first;

	memset(&m, 0, sizeof(m));
	memset(&first, 0, sizeof(first));
	memset(table, 0, sizeof(table));
	m.prog = prog;
	m.weak = weak;
	m.fault = fault;
	add(&first);
	for (unsigned i = 0; i < m.nstates && !m.lost; i++) {
		if (expand(&states[i]))
			continue;
		m.ends++;
		m.lost += !all_told(&states[i]);
	}
	CU_ASSERT_FATAL(m.nstates < STATES);
	return m.ends && !m.lost;
}

static void sleep__nothing_is_lost(void)
{
	for (int prog = KICK; prog <= NOTE; prog++)
		for (int weak = 0; weak < 2; weak++) {
			CU_ASSERT(holds((enum prog)prog, weak, NONE));
			CU_ASSERT(m.suppressed > 0);
		}
}

/* Each fence is needed, on x86 too: without it the model finds what is lost. */
static void sleep__every_fence_counts(void)
{
	for (int weak = 0; weak < 2; weak++) {
		for (int prog = KICK; prog <= NOTE; prog++) {
			CU_ASSERT(!holds((enum prog)prog, weak, SLEEP_FENCE));
			CU_ASSERT(!holds((enum prog)prog, weak, CALL_FENCE));
		}
		CU_ASSERT(!holds(NOTE, weak, TELL_FENCE));
		CU_ASSERT(!holds(NOTE, weak, TAKE_FENCE));
	}
}

/* A head that overtakes notify_seq makes the answer to it a wrong one; x86 does not do that. */
static void notify__head_is_released(void)
{
	CU_ASSERT(holds(NOTE, false, RELEASE));
	CU_ASSERT(!holds(NOTE, true, RELEASE));
}

/* Called with an empty ring, one may be asleep again before the next command. */
static void must_wake__empty_ring_is_no_call(void)
{
	CU_ASSERT(!holds(KICK, false, CALLED_WHEN_EMPTY));
	CU_ASSERT(!holds(BELL, false, CALLED_WHEN_EMPTY));
}

UNIT_MAIN("sleep_protocol", T(sleep__nothing_is_lost), T(sleep__every_fence_counts),
	  T(notify__head_is_released), T(must_wake__empty_ring_is_no_call))
