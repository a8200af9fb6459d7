/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HyStart++ (RFC 9406): slow start that ends when the round trip grows, by way of conservative slow
 * start (CSS), which may turn out to have been a false alarm. On a path that reorders also by the first
 * HyStart's train of ACKs.
 */
#ifndef TOE_TCP_HYSTART_H
#define TOE_TCP_HYSTART_H

#include "cc.h"

/* Only the first slow start is watched: a later one knows where to end (RFC 9406 4.3). */
static inline bool toe_hystart_on(const struct toe_tcb *t)
{
	return t->ssthresh == TOE_CWND_MAX;
}

/* The connection begins, slow start goes on behind a pause, or what had ended it was no loss. */
void toe_hystart_begin(struct toe_hystart *h, const struct toe_tcb *t, uint64_t now);
/*
 * One acknowledgement in slow start: cwnd grows if it may (toe_cc_may_grow), and ssthresh becomes cwnd
 * when slow start is over.
 */
void toe_hystart_ack(struct toe_hystart *h, struct toe_tcb *t, const struct toe_ack_sample *s,
		     bool grows);

#endif
