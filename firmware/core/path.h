/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What routers have said about the way to an address: its MTU, for flows to come. A small table of
 * each FPC, where a newcomer takes the place of whoever was there: forgetting costs one error more.
 * Not kept over a restart.
 */
#ifndef TOE_CORE_PATH_H
#define TOE_CORE_PATH_H

#include "tcb.h"

enum { TOE_PATHS = 256 }; /* a power of two */

struct toe_path {
	uint8_t addr[16];
	uint64_t until; /* microseconds; RFC 1191 6.3: ten minutes */
	uint16_t mtu;
	uint16_t vlan;
	uint8_t dev;
};

/* How a cookie was asked for in vain. */
enum toe_fast_asked {
	TOE_FAST_ASKED_NOT,
	TOE_FAST_ASKED, /* the next request is in the experimental option */
	TOE_FAST_ASKED_EXP, /* in that, too */
};

/*
 * What servers have said about TCP Fast Open (RFC 7413 4.1.3): the cookie for one of our addresses,
 * and the MSS option that came with it. Of the same kind: who forgets it asks again.
 */
struct toe_fast_path {
	uint8_t laddr[16], raddr[16];
	uint64_t off; /* microseconds; until then it is not used: the path may drop such SYNs */
	struct toe_fo_cookie fo; /* without bytes: none is known */
	uint8_t dev;
	uint8_t asked; /* enum toe_fast_asked, while no cookie is known */
	uint8_t lost; /* SYNs with the option in a row that were of no use (core/fastopen.c) */
	uint16_t mss;
	uint16_t vlan;
};

#endif
