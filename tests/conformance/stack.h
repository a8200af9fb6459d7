/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libtoe, an engine of the simulator port and a toed of a few lines, in one process and in simulated
 * time: the product's own socket calls on one side, IP packets on the other.
 *
 *   toe_* -> libtoe -> rings in an arena -> FPC -> packets          (stack_packet)
 *                                           FPC <- packets          (stack_inject)
 *
 * One thread, the driver, moves time. Others may make calls that block: such a call gives way until
 * time has brought what it waits for. Only one thread runs at any moment, so a run is the same every
 * time.
 */
#ifndef STACK_H
#define STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct toe_port;
struct toe_tuple;

struct stack_conf {
	uint8_t local4[4]; /* all zero: none */
	uint8_t local6[16];
	unsigned mtu; /* bytes of an IP packet */
	unsigned nfpcs;
	unsigned nflows; /* 0: enough */
	uint8_t ecn; /* enum toe_ecn_policy */
	bool no_ts; /* as in toe_ctrl */
	/*
	 * The clock starts so that this connection, opened at time 0, gets the initial sequence
	 * number `isn`. NULL: anything.
	 */
	const struct toe_tuple *isn_of;
	uint32_t isn;
};

enum { STACK_PORT_LO = 32768 }; /* source port of the first active open */

enum { STACK_EPOCH_S = 1000000 }; /* the time of day at the beginning */

enum { STACK_PACKET = 65536 };

/* Make the world; the calling thread is its driver. 0 or -errno. */
int stack_open(const struct stack_conf *conf);
/* The engine, for counters and checks. */
struct toe_port *stack_port(void);

/* Microseconds since stack_open. Any thread. */
uint64_t stack_now(void);
/* The engine's clock, which does not begin at 0. */
uint64_t stack_clock(void);

/* Around every toe_* call, on any thread: whoever has entered runs alone. */
void stack_enter(void);
void stack_leave(void);

/*
 * The driver, outside stack_enter: let everything happen until `t`, or until a call of another
 * thread that was waiting returns, or, when `packet` is set, a packet has left.
 */
void stack_run(uint64_t t, bool packet);

/* A call on a thread of its own. */
struct stack_call {
	void (*f)(void *arg);
	void *arg;
	bool done;
	uint64_t at; /* when it returned */
};

/* The driver: start it, and come back when it has returned or waits. `c` must stay until it has. */
void stack_call(struct stack_call *c);

/* An IP packet arrives now. False: the engine had no room for it. Driver. */
bool stack_inject(const void *ip, size_t len);
/* The oldest IP packet that has left, and when. Its length, or 0: there is none. Driver. */
size_t stack_packet(void *buf, size_t room, uint64_t *at);

/* A packet waits to be taken. */
bool stack_pending(void);

/* Threads that a call of theirs keeps waiting. */
unsigned stack_waiting(void);

/* For wrap.c: one thing that may end a wait of this thread happens. False: `deadline` has passed. */
bool stack_wait(int epfd, uint64_t deadline);
/* For wrap.c: what others have to do now is done. */
void stack_settle(void);
/* True: the calling thread is inside. */
bool stack_inside(void);

struct msghdr;
ssize_t __real_recvmsg(int fd, struct msghdr *m, int flags);

/* toed's part (admission.c): answer the requests that have come, attach included. */
int toed_open(struct toe_port *p, const struct stack_conf *conf);
void toed_serve(void);
/* Nobody else will come: the socket's path is removed. */
void toed_attached(void);
/* The firmware has called contexts that sleep: ring their eventfds. */
void toed_wake(void);

#endif
