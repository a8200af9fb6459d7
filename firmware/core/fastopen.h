/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cookies of TCP Fast Open (RFC 7413 4.1.2): SipHash(key; the peer's address, period), 8 bytes. Who
 * shows it can receive packets at that address. The key is toed's (toe_ctrl.key), so a cookie
 * outlives the firmware that gave it; it is good for one to two periods.
 *
 * A listener with a key of its own (TCP_FASTOPEN_KEY) makes the cookies that Linux makes with it, of both
 * addresses, so that machines behind one address can share a key; they are good as long as the key is.
 */
#ifndef TOE_CORE_FASTOPEN_H
#define TOE_CORE_FASTOPEN_H

#include "tcb.h"

enum { TOE_FAST_PERIOD_LOG = 37 }; /* microseconds: 38 hours */

void toe_fast_cookie(const uint64_t key[2], const struct toe_tuple *t, uint64_t period,
		     struct toe_fo_cookie *c);
void toe_fast_cookie_keyed(const uint64_t key[2], const struct toe_tuple *t,
			   struct toe_fo_cookie *c);

#endif
