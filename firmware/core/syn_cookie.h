/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN cookies (RFC 4987 3.6): while a listener has no room for half-open connections, its SYN-ACK
 * carries all that is needed to open the connection when the last ACK brings it back.
 *
 *   sequence number  SipHash(key; tuple, the peer's number, minute) ^ index into a table of MSS
 *   timestamp        its low bits: window scale, SACK, ECN; without timestamps these are not used
 *
 * The key is toed's (toe_ctrl.key), so a cookie outlives the firmware that gave it. It is good for
 * one to two periods of the time counter.
 */
#ifndef TOE_CORE_SYN_COOKIE_H
#define TOE_CORE_SYN_COOKIE_H

#include "rx_parser.h"

struct toe_fpc;

enum {
	TOE_COOKIE_PERIOD_LOG = 26, /* microseconds: 67 s */
	TOE_COOKIE_MSS_BITS = 4,
	TOE_COOKIE_TS_BITS = 6, /* 64 ticks: the timestamp is up to 65 ms older than the clock */
};

/* How long after the last cookie was given ACKs are tried as cookies. */
#define TOE_COOKIE_LIFE_US (2ull << TOE_COOKIE_PERIOD_LOG)

/*
 * Reduce `syn` to what a cookie can say of it, and make the cookie: our initial sequence number.
 * `ts` gets the low bits of our timestamp.
 */
uint32_t toe_cookie_make(const uint64_t key[2], const struct toe_tuple *t, struct toe_seg *syn,
			 uint64_t now, uint32_t *ts);

/*
 * Is `ack` the last ACK of a handshake that a cookie began? Then `syn` gets the SYN as
 * toe_cookie_make left it.
 */
bool toe_cookie_check(const uint64_t key[2], const struct toe_tuple *t, const struct toe_seg *ack,
		      uint64_t now, struct toe_seg *syn);

/* Answer a SYN with a cookie: one SYN-ACK, of which nothing is remembered. */
void toe_cookie_answer(struct toe_fpc *f, const struct toe_rx *rx, const struct toe_open *o);

#endif
