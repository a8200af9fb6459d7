/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An application in miniature, speaking through the real rings, accept queues and flow blocks as
 * libtoe does. It acts only on what it was told (HW CMDs), so a lost notification shows as a
 * stalled connection.
 *
 * What a connection carries follows from its client's port: byte p of a stream is a function of
 * port, direction and p. So the receiver can check every byte without any side channel.
 */
#ifndef TOE_SIM_APP_H
#define TOE_SIM_APP_H

#include "sim.h"

enum { SIM_CONNS = 4096 };

enum sim_conn_state {
	SIM_CONN_FREE = 0,
	SIM_CONN_ASKED, /* TOE_SW_CONNECT sent */
	SIM_CONN_OPEN,
	SIM_CONN_CLOSED, /* TOE_SW_CLOSE or ABORT sent */
};

struct sim_conn {
	uint8_t state; /* enum sim_conn_state */
	uint8_t client;
	uint8_t established; /* seen so */
	uint8_t look; /* something was said, or is left to do */
	uint8_t told_end; /* the stream's end was shut down */
	uint8_t rx_fin;
	uint8_t bound;
	uint8_t fpc;
	uint16_t gen;
	uint16_t error; /* errno it ended with */
	uint32_t flow;
	uint16_t port; /* the client's, host order */
	uint32_t grant;
	uint64_t tx_goal, rx_goal; /* bytes of the streams */
	uint64_t tx_end, rx_read;
	uint64_t abort_at; /* received bytes at which it aborts, UINT64_MAX = never */
};

/* How the application behaves. */
struct sim_manner {
	uint32_t max_read, max_write; /* bytes at a time; 0 = all */
	uint32_t lazy; /* chance in 65536 that it does nothing now */
	uint32_t goal; /* streams have up to so many bytes */
	/* If not 0: clients send so much, servers nothing. UINT64_MAX: and nobody looks at it. */
	uint64_t bulk;
	uint32_t rcvbuf, sndbuf; /* SO_RCVBUF, SO_SNDBUF; 0 = not set */
	uint32_t user_timeout_ms; /* TCP_USER_TIMEOUT */
	uint32_t abort; /* chance in 65536 that a connection is aborted */
	bool bare_close; /* close without shutdown first */
};

struct sim_app {
	struct toe_port *host;
	unsigned app;
	struct toe_arena_hdr *arena;
	struct sim_manner manner;
	struct sim_conn *conn;
	unsigned nconns, open; /* connections so far; not yet closed */
	unsigned peak; /* most that were open at once */
	uint32_t *of_flow; /* conn index + 1 by flow id */
	uint32_t next_port, next_grant;
	uint64_t rx_bytes, accepted, connected, errors;
	bool hold; /* nothing is closed yet: sim_app_release ends that */
	const char *broken; /* what went wrong, NULL = nothing */
};

struct sim_app *sim_app_new(struct toe_port *host, unsigned app, const struct sim_manner *m);
void sim_app_free(struct sim_app *a);
/* Listen on a port as listener `listener` and endpoint of the same number. */
void sim_app_listen(struct sim_app *a, unsigned listener, uint16_t port, uint32_t backlog);
/* Give a listening port up. */
void sim_app_unlisten(struct sim_app *a, unsigned listener);
/* Connect to another host's port. The connection, or NULL. */
struct sim_conn *sim_app_connect(struct sim_app *a, struct toe_port *to, uint16_t port);
/* One look at the rings and at what is left to do. Returns how much was done. */
unsigned sim_app_run(struct sim_app *a);
void sim_app_release(struct sim_app *a);
/* Abort every open connection: for those whose peer's reset was lost. */
void sim_app_give_up(struct sim_app *a);
/* A SW CMD to an FPC; false when the ring is full. */
bool sim_cmd(struct sim_app *a, unsigned fpc, const struct toe_cmd *c);
struct toe_flow_block *sim_block(struct sim_app *a, const struct sim_conn *c);
/* toed's command. */
void sim_admin(struct toe_port *p, unsigned fpc, const struct toe_cmd *c);

/* The bytes of a stream. */
uint8_t sim_byte(uint16_t port, bool from_client, uint64_t pos);
uint64_t sim_goal(uint16_t port, bool from_client, uint32_t max);

#endif
