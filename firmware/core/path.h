/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What routers have said about the way to an address: its MTU, for flows to come. A small table of
 * each FPC, where a newcomer takes the place of whoever was there: forgetting costs one error more.
 * Not kept over a restart.
 */
#ifndef TOE_CORE_PATH_H
#define TOE_CORE_PATH_H

#include "../abi/maps.h"

enum { TOE_PATHS = 256 }; /* a power of two */

struct toe_path {
	uint8_t addr[16];
	uint64_t until; /* microseconds; RFC 1191 6.3: ten minutes */
	uint16_t mtu;
	uint16_t vlan;
	uint8_t dev;
};

#endif
