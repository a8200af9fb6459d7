/* SPDX-License-Identifier: BSD-2-Clause */
/* The world: time, who runs, and the wire. */
#define _GNU_SOURCE
#include "stack.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/isn.h"
#include "port/sim/sim.h"
#include "manager/toe.h"
#include "wire/endian.h"
#include "wire/eth.h"

enum {
	SETTLE_ROUNDS = 1000, /* an engine that is never done by then is broken */
	HINT_US = 20, /* how long an engine is left alone that says it was due already */
	DRIVER_PATIENCE_US = 1000000, /* a driver's own blocking call is interrupted after this */
};

/* A thread inside epoll_pwait2. */
struct nap {
	int epfd;
	uint64_t deadline;
	bool over;
	struct nap *next;
};

struct packet {
	struct packet *next;
	uint64_t at;
	uint32_t len;
	uint8_t data[];
};

static struct {
	struct sim_world *w;
	struct toe_port *p;
	uint64_t start;
	pthread_mutex_t lock;
	pthread_cond_t turn;
	pthread_t driver;
	struct nap *naps;
	unsigned running; /* threads that were woken and have not come to rest */
	bool returned; /* one of them has left its call */
	struct packet *first, **last;
} s = { .lock = PTHREAD_MUTEX_INITIALIZER, .turn = PTHREAD_COND_INITIALIZER };

static __thread unsigned depth; /* of stack_enter */
static __thread bool woken; /* this thread counts in s.running */

uint64_t stack_clock(void)
{
	return __atomic_load_n(&s.w->now, __ATOMIC_RELAXED);
}

uint64_t stack_now(void)
{
	return stack_clock() - s.start;
}

struct toe_port *stack_port(void)
{
	return s.p;
}

bool stack_inside(void)
{
	return depth;
}

void stack_enter(void)
{
	if (!depth++)
		pthread_mutex_lock(&s.lock);
}

static void rest(void)
{
	if (woken) {
		woken = false;
		s.running--;
		pthread_cond_broadcast(&s.turn);
	}
}

void stack_leave(void)
{
	if (depth == 1) {
		stack_settle();
		s.returned |= woken;
		rest();
	}
	if (!--depth)
		pthread_mutex_unlock(&s.lock);
}

static void take_frame(struct toe_port *port, const uint8_t *frame, uint32_t len)
{
	uint32_t n = len - sizeof(struct toe_eth);
	struct packet *k = malloc(sizeof(*k) + n);

	k->next = NULL;
	k->at = stack_now();
	k->len = n;
	memcpy(k->data, frame + sizeof(struct toe_eth), n);
	*s.last = k;
	s.last = &k->next;
}

size_t stack_packet(void *buf, size_t room, uint64_t *at)
{
	struct packet *k = s.first;
	size_t n;

	if (!k)
		return 0;
	n = k->len < room ? k->len : room;
	memcpy(buf, k->data, n);
	*at = k->at;
	s.first = k->next;
	if (!s.first)
		s.last = &s.first;
	free(k);
	return n;
}

bool stack_pending(void)
{
	return s.first;
}

bool stack_inject(const void *ip, size_t len)
{
	uint8_t frame[sizeof(struct toe_eth) + STACK_PACKET];
	struct toe_eth *e = (struct toe_eth *)frame;
	unsigned free_before;

	if (sizeof(*e) + len > SIM_PACKET)
		return false;
	memcpy(e->dst, s.p->ctrl->dev[0].mac, 6);
	memcpy(e->src, (uint8_t[]){ 2, 0, 0, 0, 0, 254 }, 6);
	e->type = toe_be16(*(const uint8_t *)ip >> 4 == 6 ? TOE_ETH_IPV6 : TOE_ETH_IPV4);
	memcpy(frame + sizeof(*e), ip, len);
	stack_enter();
	free_before = s.p->nfree;
	sim_receive(s.p, frame, (uint32_t)(sizeof(*e) + len));
	bool taken = s.p->nfree < free_before;
	stack_leave();
	return taken;
}

void stack_settle(void)
{
	for (unsigned i = 0; i < SETTLE_ROUNDS; i++) {
		unsigned n = sim_step(s.w);

		toed_wake();
		if (!n)
			return;
	}
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Those whose waiting is over run, one at a time, until they wait again or have left. */
static void wake_naps(void)
{
	for (struct nap **n = &s.naps; *n;) {
		struct nap *k = *n;

		if (!readable(k->epfd) && stack_now() < k->deadline) {
			n = &k->next;
			continue;
		}
		*n = k->next;
		k->over = true;
		s.running++;
		pthread_cond_broadcast(&s.turn);
		while (s.running)
			pthread_cond_wait(&s.turn, &s.lock);
		n = &s.naps; /* the list may have changed */
	}
}

/* The next moment at which something happens by itself, at most `t` (on the stack's clock). */
static uint64_t next_event(uint64_t t)
{
	uint64_t e = sim_next(s.w);

	if (e != UINT64_MAX && e - s.start < t)
		t = e > s.start ? e - s.start : 0;
	for (struct nap *k = s.naps; k; k = k->next)
		if (k->deadline < t)
			t = k->deadline;
	return t;
}

static void step(uint64_t t)
{
	uint64_t now = stack_now(), e = next_event(t);

	/* A deadline of the engine that has passed was served already: it is a hint, not a promise. */
	if (e <= now)
		e = now + HINT_US < t ? now + HINT_US : t;
	__atomic_store_n(&s.w->now, s.start + e, __ATOMIC_RELAXED);
	stack_settle();
	wake_naps();
}

void stack_run(uint64_t t, bool packet)
{
	stack_enter();
	s.returned = false;
	stack_settle();
	wake_naps();
	while (stack_now() < t && !s.returned && !(packet && s.first))
		step(t);
	stack_leave();
}

unsigned stack_waiting(void)
{
	unsigned n = 0;

	stack_enter();
	for (struct nap *k = s.naps; k; k = k->next)
		n++;
	stack_leave();
	return n;
}

static bool driver_waits(int epfd, uint64_t deadline)
{
	uint64_t end = stack_now() + DRIVER_PATIENCE_US;

	if (deadline < end)
		end = deadline;
	while (stack_now() < end && !readable(epfd))
		step(end);
	return stack_now() < end;
}

bool stack_wait(int epfd, uint64_t deadline)
{
	struct nap me = { epfd, deadline, false, s.naps };

	if (pthread_equal(pthread_self(), s.driver))
		return driver_waits(epfd, deadline);
	s.naps = &me;
	rest();
	while (!me.over)
		pthread_cond_wait(&s.turn, &s.lock);
	woken = true;
	return stack_now() < deadline;
}

/* A thread that makes calls for the driver. */
struct worker {
	struct stack_call *call;
	struct worker *next;
};

static struct worker *workers;

static void *work(void *arg)
{
	struct worker *me = arg;

	pthread_mutex_lock(&s.lock);
	depth = 1;
	for (;;) {
		while (!me->call)
			pthread_cond_wait(&s.turn, &s.lock);
		woken = true;
		me->call->f(me->call->arg);
		stack_settle();
		me->call->at = stack_now();
		me->call->done = true;
		me->call = NULL;
		s.returned = true;
		rest();
	}
	return NULL;
}

static struct worker *idle_worker(void)
{
	struct worker *w = workers;
	pthread_t t;

	while (w && w->call)
		w = w->next;
	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	w->next = workers;
	workers = w;
	if (pthread_create(&t, NULL, work, w))
		abort();
	pthread_detach(t);
	return w;
}

void stack_call(struct stack_call *c)
{
	stack_enter();
	c->done = false;
	s.running++;
	idle_worker()->call = c;
	pthread_cond_broadcast(&s.turn);
	while (s.running)
		pthread_cond_wait(&s.turn, &s.lock);
	stack_leave();
}

static void make_world(const struct sim_conf *c, uint64_t later)
{
	s.w = sim_new(1);
	s.w->now += later;
	s.start = s.w->now;
	s.p = sim_host(s.w, c);
}

int stack_open(const struct stack_conf *conf)
{
	struct sim_conf c = {
		.nfpcs = conf->nfpcs ? conf->nfpcs : 1,
		.tcb_cache = 64,
		.nflows = conf->nflows ? conf->nflows : 256,
		.mtu = conf->mtu,
		.rcvbuf_max = 6 << 20, /* as toed's */
		.sndbuf_max = 4 << 20,
		.steer = SIM_STEER_META,
		.addr = 1,
	};
	int err;

	s.driver = pthread_self();
	s.last = &s.first;
	make_world(&c, 0);
	if (conf->isn_of) {
		uint32_t isn = toe_isn(s.p->ctrl->key, conf->isn_of, s.start);

		/* It counts 4 us; the second world has the same key. */
		sim_free(s.w);
		make_world(&c, (uint64_t)(conf->isn - isn) * 4);
	}
	s.p->sink = take_frame;
	err = toed_open(s.p, conf);
	if (err)
		return err;
	stack_enter();
	err = toe_init(NULL) ? -errno : 0;
	stack_leave();
	toed_attached();
	return err;
}
