/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libtoe without a TOE: a thread answers admission requests on a UNIX socket as toed does, and a
 * model of the firmware works on the arena. The model is stepped by the test (fake_step), or by a
 * thread that sleeps and wakes by the protocol of abi/cmd.h (fake_start). The other end of each
 * connection is the test: fake_peer_*.
 */
#ifndef FAKE_TOE_H
#define FAKE_TOE_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi/arena.h"
#include "lib/atomics.h"
#include "manager/toe.h"
#include "tests/harness/unit.h"

enum {
	FAKE_BIG_SLOTS = 4,
	FAKE_FLOWS = 64,
	FAKE_CLIENTS = 32,
	FAKE_PORT = 4242,
	FAKE_SILENCE_S = 60
};

struct fake_flow {
	uint64_t told; /* last TOE_SW_RECV */
	uint64_t sent; /* last TOE_SW_SEND or SHUTDOWN */
	uint8_t ctx;
	uint8_t send_flags;
	struct toe_sock_opts born; /* with these options ... */
	uint64_t option[32]; /* ... and by enum toe_option, what came later */
	bool live, accepted, want, closed, aborted, shut;
};

extern struct fake {
	uint8_t *arena;
	struct toe_arena_hdr *hdr;
	int arena_fd, fpc_evfd, listen_fd;
	int ctx_evfd[TOE_MAX_CTXS];
	int client[FAKE_CLIENTS];
	int client_proc[FAKE_CLIENTS]; /* -1: not attached */
	unsigned nclients;
	pthread_t toed, fpc;
	pthread_mutex_t lock; /* the model */
	bool stop, running;
	char path[64];
	struct fake_flow flow[FAKE_FLOWS];
	unsigned count[16]; /* SW CMDs taken, by type */
	uint32_t wakes; /* doorbells rung by the model */
	bool keep; /* data stays unacknowledged until fake_ack */
	bool stuck; /* the model takes no commands */
	unsigned slow_us; /* toed thinks so long about a connect */
	int refuse; /* errno of the next connects */
	int assign_error;
	uint16_t asked_port; /* local port of the last connect, network order; 0 = any */
	bool kernel; /* the next connects are the kernel's */
	uint32_t listeners;
	unsigned unlistened;
} fake;

struct toe_flow_block *fake_block(uint32_t flow);

/* SIGALRM, when no command goes either way for FAKE_SILENCE_S from now on. */
void fake_watch(void);

/* toed, from now on with $TOE_SOCKET leading to it (fake_toed.c), and toe_init. */
void fake_open(void);
void fake_close(void);

/* The firmware: take all commands (how many?), or a thread that does. */
unsigned fake_step(void);
void fake_start(void);
void fake_stop(void);

/* What the firmware says; under fake.lock. `again`: also if an earlier notification is not seen yet. */
void fake_push(unsigned ctx, struct toe_cmd cmd);
void fake_notify(uint32_t flow, uint8_t type, bool again);
void fake_flags(uint32_t flow, uint8_t set);

/* A connection for listener 0's queue, hinted to context `ctx` (0xff: nobody); tells it. */
uint32_t fake_incoming(unsigned ctx);
/* A listening socket (listener 0): the kernel half on an ephemeral loopback port. */
int fake_listener(void);
/*
 * A connected pair: the descriptor, *flow the other end. Non-blocking if asked. The listener is
 * kept.
 */
int fake_pair(uint32_t *flow, int flags);
extern int fake_listening; /* fake_pair's listener */

/* The other end of a connection. */
void fake_peer_send(uint32_t flow, const void *data, uint32_t n);

/* A byte that comes `ms` from now; and does who receives it have it when it comes, not when he has waited long? */
struct fake_late {
	pthread_t thread;
	uint32_t flow;
	unsigned ms;
};
void fake_late_start(struct fake_late *l, uint32_t flow, unsigned ms);
bool fake_late_recv(struct fake_late *l, int fd);
void fake_peer_fin(uint32_t flow);
void fake_peer_rst(uint32_t flow, int error);
/* Everything written so far is acknowledged (with fake.keep). */
void fake_ack(uint32_t flow);
/* How far the model has heard of sending; what the application sent from position `pos` on. */
uint64_t fake_sent_end(uint32_t flow);
void fake_sent(uint32_t flow, uint64_t pos, void *to, uint32_t n);
/* Connections that the application has not let go. */
unsigned fake_live(void);

/* As UNIT_MAIN, around it the fake. */
#define FAKE_MAIN(suite, ...) \
	int main(void) \
	{ \
		static const struct unit_test tests[] = { __VA_ARGS__ }; \
		int r; \
\
		fake_watch(); \
		fake_open(); \
		r = unit_run(suite, tests, sizeof(tests) / sizeof(tests[0])); \
		fake_close(); \
		fflush(stdout); \
		_exit(r); \
	}

#endif
