/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each congestion control keeps in a TCB. Times named _at are the low half of the clock
 * (microseconds), sequence numbers the wire's; bytes unless said otherwise.
 */
#ifndef TOE_TCP_CC_STATE_H
#define TOE_TCP_CC_STATE_H

#include <stdint.h>

struct toe_newreno {
	uint32_t counted; /* acknowledged since cwnd grew last */
};

/* HyStart++ (RFC 9406 4.2), for those who slow-start. */
struct toe_hystart {
	/* In toe_tcb.delivered: a round ends when what is sent from there on arrives, a part there. */
	uint32_t round_end, part_end;
	uint32_t least_rtt, this_rtt; /* least round trip before this part, and of it, us */
	uint32_t css_rtt; /* cssBaselineMinRtt */
	uint32_t round_at; /* when the round began ... */
	uint32_t train_at; /* ... and the last ACK of its first train came */
	uint8_t samples; /* of this part */
	uint8_t css_rounds; /* rounds in conservative slow start, 0 = not in it */
	uint8_t pad[2];
};

struct toe_cubic {
	union {
		struct toe_hystart hystart; /* of the first slow start */
		struct { /* of what follows */
			/* When this avoidance stage began, less the time the window was not used. */
			uint64_t epoch;
			uint64_t last_ack; /* of the stage */
			uint64_t est_part; /* what W_est lacks: units of 1 / (17 cwnd) bytes */
			uint32_t k_ms; /* time from epoch to w_max */
			uint32_t origin; /* window at K: w_max, or the stage's first window */
		};
	};
	uint32_t w_max; /* 0: not known, as there was no loss yet, or a timeout after it */
	uint32_t w_est; /* Reno's window from the same start */
	uint32_t prior; /* cwnd before the last reduction */
	uint32_t part; /* what cwnd has not grown by yet: units of 1 / cwnd bytes */
	struct { /* before the last reduction */
		uint64_t epoch;
		uint32_t w_max, w_est, k_ms, origin;
	} undo;
	uint8_t in_stage; /* epoch is valid */
	uint8_t undo_in_stage;
	uint8_t pad[6];
};

struct toe_dctcp {
	struct toe_newreno reno; /* growth, and what a loss costs */
	uint32_t alpha; /* part of the bytes that are marked, of 2^20 */
	uint32_t window_end; /* the observation ends when this is acknowledged */
	uint32_t acked, marked; /* during it */
};

struct toe_bbr {
	uint64_t
	    max_bw[3]; /* bytes per second: highest rate in the last BW_ROUNDS rounds, and before */
	uint64_t full_bw; /* STARTUP: bandwidth when it last grew by a quarter */
	uint32_t min_rtt, min_rtt_at; /* us; when it was seen */
	uint32_t
	    round_end; /* the round is over when what is sent from then on arrives: `delivered` */
	uint32_t cycle_at; /* when the phase of PROBE_BW began */
	uint32_t probe_done_at; /* end of PROBE_RTT */
	uint32_t prior_cwnd; /* before recovery or PROBE_RTT */
	uint32_t extra[2]; /* most that was acknowledged beyond the bandwidth, now and before */
	uint32_t extra_at, extra_acked; /* begin of the estimate, acknowledged since */
	uint8_t mode; /* enum bbr_mode */
	uint8_t phase; /* of PROBE_BW */
	uint8_t bw_rounds, extra_rounds; /* of the filters' current part */
	uint8_t full_rounds, full_reached;
	uint8_t round_start; /* this ACK began a round */
	uint8_t conserve; /* first round of recovery */
	uint8_t saved; /* prior_cwnd is of the recovery that goes on */
	uint8_t probing, probe_round; /* PROBE_RTT: the time runs; a round has passed in it */
	uint8_t idle_restart;
	uint8_t bw_round; /* a round began that the bandwidth filter has not counted */
	uint8_t pad[3];
};

union toe_cc_state {
	struct toe_newreno newreno;
	struct toe_cubic cubic;
	struct toe_dctcp dctcp;
	struct toe_bbr bbr;
	uint64_t word[13];
};

_Static_assert(sizeof(union toe_cc_state) == 104, "no algorithm needs more");

#endif
