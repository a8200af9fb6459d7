/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proportional rate reduction (RFC 6937): during fast recovery what leaves follows what arrives, so
 * that cwnd glides to ssthresh over one round trip.
 */
#include "rooms.h"

/* Before anything counts as lost or is sent again. */
void toe_prr_begin(struct toe_tcb *t)
{
	t->prr_delivered = t->prr_out = 0;
	t->prr_flight = toe_max32((uint32_t)(t->snd_max - t->snd_una) - t->sacked, 1);
}

/*
 * `delivered` bytes arrived. `safe`: the ACK moved snd_una and told of no further loss; then the
 * window below ssthresh may grow as in slow start, else it only keeps what is in flight.
 */
void toe_prr_ack(struct toe_tcb *t, uint32_t delivered, bool safe)
{
	uint32_t pipe = toe_pipe(t);
	int64_t may;

	t->prr_delivered += delivered;
	if (pipe > t->ssthresh) {
		may = (int64_t)(((uint64_t)t->prr_delivered * t->ssthresh + t->prr_flight - 1) /
				t->prr_flight) -
		      t->prr_out;
	} else {
		may = (int64_t)t->prr_delivered - t->prr_out;
		if (may < delivered)
			may = delivered;
		if (safe)
			may += t->mss;
		if (may > t->ssthresh - pipe)
			may = t->ssthresh - pipe;
	}
	t->cwnd = (uint32_t)toe_min64(pipe + (may > 0 ? (uint64_t)may : 0), TOE_CWND_MAX);
	t->cwnd = toe_max32(t->cwnd, t->mss);
}
