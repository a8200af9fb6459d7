/* SPDX-License-Identifier: BSD-2-Clause */
/* Network byte order. The conversion is its own inverse. */
#ifndef TOE_WIRE_ENDIAN_H
#define TOE_WIRE_ENDIAN_H

#include <stdint.h>

static inline uint16_t toe_be16(uint16_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16(v);
#else
	return v;
#endif
}

static inline uint32_t toe_be32(uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap32(v);
#else
	return v;
#endif
}

#endif
