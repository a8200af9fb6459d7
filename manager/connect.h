/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TM_CONNECT_H
#define TM_CONNECT_H

#include "ctx.h"

/* TOE_HW_FLOW_ASSIGNED arrived. The socket whose state changed, or NULL. */
struct tm_sock *tm_connect_assigned(struct tm_ctx *c, unsigned fpc, const struct toe_cmd *cmd);

/* Until it is known which flow a connect has become: the FPC says so at once, to who connects. */
void tm_connect_await(struct tm_ctx *c, struct tm_sock *s);

/*
 * The FPC's answer to a connect may lie unread in our ring: who asks what became of it, without waiting,
 * sees it. No lock held.
 */
static inline void tm_connect_look(const struct tm_sock *s)
{
	if (tm_unlikely(tm_kind(s) == TM_CONNECT) && tm_self)
		tm_ctx_poll(tm_self);
}

/* A connect that has failed leaves an undecided socket, also if nobody has asked yet: the error is kept. */
void tm_connect_renew(struct tm_sock *s);

/*
 * shutdown(2) on a socket whose handshake is not done: the attempt is over, as in Linux, and the error
 * (ECONNRESET) is for who waits for it, or for SO_ERROR. False: there is none.
 */
bool tm_connect_give_up(struct tm_sock *s);

/*
 * This process gives up its hold of the flow; the last one closes it, or aborts it. Under tm_big.
 */
void tm_flow_end(struct tm_sock *s, bool abort);

#endif
