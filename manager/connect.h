/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TM_CONNECT_H
#define TM_CONNECT_H

#include "ctx.h"

/* TOE_HW_FLOW_ASSIGNED arrived. The socket whose state changed, or NULL. */
struct tm_sock *tm_connect_assigned(struct tm_ctx *c, unsigned fpc, const struct toe_cmd *cmd);

/* Until it is known which flow a connect has become: the FPC says so at once, to who connects. */
void tm_connect_await(struct tm_ctx *c, struct tm_sock *s);

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
