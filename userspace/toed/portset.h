/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of port numbers, as net.ipv4.ip_local_reserved_ports writes them ("80,8000-8099"), and the
 * choice of a range among ports in use.
 */
#ifndef TOE_TOED_PORTSET_H
#define TOE_TOED_PORTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct portset {
	uint64_t word[65536 / 64];
};

static inline bool portset_has(const struct portset *s, unsigned port)
{
	return s->word[port / 64] >> port % 64 & 1;
}

/* Put lo..hi in, or take them out. */
void portset_range(struct portset *s, unsigned lo, unsigned hi, bool in);
/* Add what `text` lists. -EINVAL on anything else than ports, commas and ranges. */
int portset_parse(struct portset *s, const char *text);
/* Write as text; returns the length without the final 0, or -ENOSPC. */
int portset_format(const struct portset *s, char *out, size_t room);
/*
 * The longest run of ports in [from, 65535] that are not in `used`, at most `most` long, its upper
 * end. Returns the length, 0 when there is none.
 */
unsigned portset_gap(const struct portset *used, unsigned from, unsigned most, uint16_t *lo,
		     uint16_t *hi);

#endif
