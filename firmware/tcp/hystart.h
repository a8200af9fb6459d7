/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HyStart++ (RFC 9406): slow start that ends when the round trip grows, by way of conservative slow
 * start (CSS), which may turn out to have been a false alarm.
 */
#ifndef TOE_TCP_HYSTART_H
#define TOE_TCP_HYSTART_H

#include "cc.h"

/* The connection begins; or slow start does again, behind a pause. */
void toe_hystart_begin(struct toe_hystart *h, const struct toe_tcb *t);
/*
 * Slow start's growth for one acknowledgement: cwnd moves, and ssthresh becomes cwnd when slow start
 * is over. Only the first slow start of a connection is watched: later ones know where to end (RFC
 * 9406 4.3).
 */
void toe_hystart_ack(struct toe_hystart *h, struct toe_tcb *t, const struct toe_ack_sample *s);

#endif
