/* SPDX-License-Identifier: BSD-2-Clause */
/* What the forwarder has to know of an Ethernet frame. */
#ifndef TOE_TESTS_FRAME_H
#define TOE_TESTS_FRAME_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* TCP in IPv4 or IPv6, without extension headers. */
static inline bool frame_is_tcp(const uint8_t *f, uint32_t n)
{
	if (n >= 34 && f[12] == 0x08 && f[13] == 0x00)
		return f[23] == IPPROTO_TCP;
	return n >= 54 && f[12] == 0x86 && f[13] == 0xdd && f[20] == IPPROTO_TCP;
}

/* Congestion experienced, if the transport can hear it (RFC 3168, 5). True: marked. */
static inline bool frame_mark_ce(uint8_t *f)
{
	bool v6 = f[12] == 0x86;
	uint8_t ecn = v6 ? f[15] >> 4 & 3 : f[15] & 3;
	uint32_t sum;

	if (ecn == 0)
		return false;
	if (ecn == 3)
		return true;
	if (v6) {
		f[15] |= 0x30;
		return true;
	}
	/* RFC 1624: the checksum grows by what the word m loses. */
	sum = (uint32_t)(f[24] << 8 | f[25]) + (uint32_t)ecn + 0xffffu - 3u;
	f[15] |= 3;
	sum = (sum & 0xffff) + (sum >> 16);
	f[24] = (uint8_t)(sum >> 8);
	f[25] = (uint8_t)sum;
	return true;
}

#endif
