/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread of an FPC: poll while there is work, look on for a little while, then sleep. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "../../core/engine.h"
#include "port_linux.h"

struct lx_thread {
	pthread_t thread;
	struct toe_port *port;
	struct toe_fpc *core;
	unsigned id;
	struct pollfd pfd[1 + TOE_MAX_DEVS * TOE_MAX_QUEUES];
};

static struct lx_thread threads[TOE_MAX_FPCS];

/* Every descriptor that may bring work: the eventfd first. */
static nfds_t sleep_fds(struct lx_thread *t)
{
	struct lx_fpc *c = &t->port->fpc[t->id];
	nfds_t n = 0;

	t->pfd[n++] = (struct pollfd){ .fd = c->event_fd, .events = POLLIN };
	for (unsigned i = 0; i < c->nrx; i++)
		t->pfd[n++] =
		    (struct pollfd){ .fd = c->rx[i].dead ? -1 : c->rx[i].fd, .events = POLLIN };
	return n;
}

static void after_sleep(struct lx_thread *t, nfds_t n)
{
	struct lx_fpc *c = &t->port->fpc[t->id];
	uint64_t count;
	ssize_t got;

	if (t->pfd[0].revents & POLLIN) {
		got = read(c->event_fd, &count, sizeof(count));
		(void)got;
	}
	for (nfds_t i = 1; i < n; i++) {
		if (!(t->pfd[i].revents & (POLLERR | POLLHUP | POLLNVAL)))
			continue;
		c->rx[i - 1].dead = true; /* else poll would return at once for ever */
		fprintf(stderr, "toe-fw: FPC %u: device %u queue %u has gone\n", t->id,
			c->rx[i - 1].dev, c->rx[i - 1].queue);
	}
}

/* Timers decide how long; without any, until something comes. */
static struct timespec *timeout_of(struct lx_thread *t, struct timespec *ts)
{
	uint64_t at = toe_fpc_deadline(t->core), now = toe_port_now(t->port);

	if (!at)
		return NULL;
	at = at > now ? at - now : 0;
	ts->tv_sec = (time_t)(at / 1000000);
	ts->tv_nsec = (long)(at % 1000000) * 1000;
	return ts;
}

static void fpc_sleep(struct lx_thread *t)
{
	struct toe_port *p = t->port;
	struct lx_fpc *c = &p->fpc[t->id];
	struct timespec ts, *limit;
	nfds_t n;

	if (!toe_fpc_sleep_begin(t->core))
		return;
	if (!lx_rx_waiting(p, t->id) && !toe_load(&p->quit)) {
		n = sleep_fds(t);
		limit = timeout_of(t, &ts);
		toe_store_release(&c->rounds, c->rounds + 1);
		if (ppoll(t->pfd, n, limit, NULL) > 0)
			after_sleep(t, n);
		toe_store(&c->rounds, c->rounds + 1);
		toe_fence_full();
	}
	toe_fpc_awake(t->core);
}

/*
 * Moderation, as NICs do it: while events come thick, what arrives during a short nap is handled in
 * one batch, with one transmit call and one doorbell, instead of being waited for by spinning. Few
 * flows never get there, for each of their round trips takes longer than a nap.
 */
enum { NAP_US = 50, NAP_EVENTS = 16 };

struct pace {
	uint64_t since; /* begin of the window that is counted */
	unsigned events;
};

/* An idle moment: is the window over, and was it a busy one? */
static bool nap_pays(struct pace *w, uint64_t now)
{
	bool busy = w->events >= NAP_EVENTS && now - w->since < 4 * NAP_US;

	if (now - w->since < NAP_US)
		return false;
	*w = (struct pace){ .since = now };
	return busy;
}

/* Nothing to do. True: the time for spinning is over. */
static bool idle(struct toe_port *p, struct pace *w, uint64_t *idle_since)
{
	static const struct timespec nap = { .tv_nsec = NAP_US * 1000 };
	uint64_t now = toe_port_now(p);

	if (!*idle_since)
		*idle_since = now;
	if (nap_pays(w, now))
		nanosleep(&nap, NULL);
	else if (now - *idle_since < p->ctrl->spin_us)
		sched_yield();
	else
		return true;
	return false;
}

static void *fpc_main(void *arg)
{
	struct lx_thread *t = arg;
	struct toe_port *p = t->port;
	struct lx_fpc *c = &p->fpc[t->id];
	struct pace window = { 0 };
	uint64_t idle_since = 0;

	prctl(PR_SET_TIMERSLACK, 1000); /* ns: naps are to be as short as they say */
	lx_self_set(c);
	toe_store(&c->rounds, 1);
	while (!toe_load(&p->quit)) {
		unsigned n = toe_fpc_poll(t->core);

		toe_store_release(&c->rounds, c->rounds + 2);
		window.events += n;
		if (n) {
			idle_since = 0;
			if (c->woke) /* the context that was woken may want this CPU */
				sched_yield();
			c->woke = false;
			continue;
		}
		lx_rx_wake(p, t->id);
		if (lx_tx_pending(p, t->id) || p->ctrl->poll_busy) {
			sched_yield();
			continue;
		}
		if (!idle(p, &window, &idle_since))
			continue;
		fpc_sleep(t);
		idle_since = 0;
	}
	toe_store_release(&c->rounds, 0);
	return NULL;
}

static int pin(pthread_attr_t *attr, uint32_t cpu)
{
	cpu_set_t set;

	if (cpu == LX_CPU_ANY)
		return 0;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return -pthread_attr_setaffinity_np(attr, sizeof(set), &set);
}

static int start_one(struct toe_port *p, unsigned id)
{
	struct lx_thread *t = &threads[id];
	pthread_attr_t attr;
	char name[16];
	int err;

	t->port = p;
	t->id = id;
	t->core = aligned_alloc(TOE_CACHELINE, TOE_ALIGN_UP(toe_fpc_size(), TOE_CACHELINE));
	if (!t->core)
		return -ENOMEM;
	err = toe_fpc_init(t->core, p, p->state, id);
	if (err)
		return err;
	pthread_attr_init(&attr);
	err = pin(&attr, p->fpc[id].cpu);
	if (!err)
		err = -pthread_create(&t->thread, &attr, fpc_main, t);
	pthread_attr_destroy(&attr);
	if (err)
		return err;
	snprintf(name, sizeof(name), "toe-fpc%u", id % TOE_MAX_FPCS);
	pthread_setname_np(t->thread, name);
	return 0;
}

int lx_threads_start(struct toe_port *p)
{
	int err = 0;

	for (unsigned i = 0; i < p->nfpcs && !err; i++)
		err = start_one(p, i);
	return err;
}

void lx_threads_stop(struct toe_port *p)
{
	toe_store_release(&p->quit, 1);
	for (unsigned i = 0; i < p->nfpcs; i++)
		lx_event_signal(p->fpc[i].event_fd);
	for (unsigned i = 0; i < p->nfpcs; i++)
		pthread_join(threads[i].thread, NULL);
}

void lx_quiesce(struct toe_port *p)
{
	toe_fence_full();
	for (unsigned i = 0; i < p->nfpcs; i++) {
		uint32_t before = toe_load_acquire(&p->fpc[i].rounds);

		/* Even: it sleeps or does not run, and will see what is new when it is back. */
		while (before % 2 && toe_load_acquire(&p->fpc[i].rounds) == before)
			usleep(50);
	}
}
