/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of a header that leaves: built into `opt`; each returns a length, a multiple of 4. */
#ifndef TOE_TCP_OPTS_H
#define TOE_TCP_OPTS_H

#include "rooms.h"

enum { TOE_TS_OPT_LEN = 12 }; /* with its padding */

uint8_t toe_opts_syn(const struct toe_tcb *t, uint64_t now, uint8_t *opt);
uint8_t toe_opts_sack(const struct toe_tcb *t, uint8_t *opt);
/* How many blocks fit beside the other options; what they take without a D-SACK, bytes. */
static inline uint32_t toe_opts_sack_most(const struct toe_tcb *t)
{
	return t->flags & TOE_TCB_TS ? 3 : 4;
}

static inline uint32_t toe_opts_sack_len(const struct toe_tcb *t)
{
	return 4 + 8 * toe_min32(t->nholes, toe_opts_sack_most(t));
}

static inline void toe_put32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v); /* every target is little-endian */
	__builtin_memcpy(p, &v, 4);
}

static inline uint8_t toe_opts_ts(uint8_t *opt, uint32_t val, uint32_t ecr)
{
	toe_put32(opt, 0x0101080a);
	toe_put32(opt + 4, val);
	toe_put32(opt + 8, ecr);
	return TOE_TS_OPT_LEN;
}

#endif
