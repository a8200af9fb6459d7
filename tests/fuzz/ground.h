/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An engine in the simulator, an application that does as it is told, and a peer without a TCP of its
 * own: made by a start, looked at after every round of the engine.
 */
#ifndef TOE_TESTS_FUZZ_GROUND_H
#define TOE_TESTS_FUZZ_GROUND_H

#include "../../firmware/port/sim/app.h"
#include "segment.h"

enum { GROUND_CONNS = 3 };

struct start {
	uint8_t state; /* how the first connection begins, see ground_bring_up() */
	uint8_t offer; /* enum offer */
	uint8_t cc; /* congestion control, and the peer's window scale */
	uint8_t
	    place; /* TCBs in the cache, MTU, VLAN, how many FPCs and what they get, see conf_of() */
	uint16_t wnd, mss;
};

enum offer {
	OFFER_TS = 1,
	OFFER_SACK = 2,
	OFFER_WSCALE = 4,
	OFFER_ECN = 8,
	OFFER_V6 = 16,
	OFFER_FASTOPEN = 32, /* data in SYNs, without a cookie */
	OFFER_COOKIE = 64, /* with one, both ways */
};

/* What the peer remembers of a connection, also when the engine has forgotten it. */
struct conn {
	uint16_t lport, rport;
	struct toe_tcb last; /* as of the last look */
	struct toe_tcb_lists lists; /* they follow it */
	uint32_t isn; /* the peer's */
	uint32_t ts; /* its clock */
	struct toe_fo_cookie fo; /* shown in SYNs, given in SYN-ACKs */
};

struct ground {
	struct sim_world *w;
	struct toe_port *host;
	struct sim_app *app;
	struct start start;
	struct conn conn[GROUND_CONNS];
};

/* Report a finding, and abort. */
void ground_found(const char *what) __attribute__((noreturn));

/* By g->start. */
void ground_set_up(struct ground *g);
/* Bring the first connection to where the program begins. */
void ground_bring_up(struct ground *g);
/* The application goes; nothing of it may be left. */
void ground_tear_down(struct ground *g);

/* Let the engine do what there is to do now, and look after each round of it. */
void ground_work(struct ground *g);
/* All TCBs are sound, or it is a finding; take down what the connections' variables are. */
void ground_look(struct ground *g);
/* The application takes what is in its rings; only commands of the program answer. */
void ground_drain(struct ground *g);
/* Let `us` microseconds pass. */
void ground_pass(struct ground *g, uint64_t us);

/* The peer sends a segment of the connection, whose ports are filled in. */
void ground_send(struct ground *g, const struct conn *c, struct segment *s);
/* What the peer offers in a SYN, or agrees to in a SYN-ACK. */
void ground_syn_options(const struct ground *g, const struct conn *c, struct segment *s);
/* A SYN with c->isn, `flags` besides and so many bytes of data. */
void ground_syn(struct ground *g, struct conn *c, uint8_t flags, uint32_t len);
/* The application's command; `delta` counts from where its variable is. */
void ground_command(struct ground *g, const struct conn *c, uint8_t type, uint8_t flags,
		    int32_t delta);
/* An active open. */
void ground_connect(struct ground *g, struct conn *c);

#endif
