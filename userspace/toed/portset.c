/* SPDX-License-Identifier: BSD-2-Clause */
#include "portset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void portset_range(struct portset *s, unsigned lo, unsigned hi, bool in)
{
	for (unsigned p = lo; p <= hi && p < 65536; p++) {
		uint64_t bit = 1ull << p % 64;

		if (in)
			s->word[p / 64] |= bit;
		else
			s->word[p / 64] &= ~bit;
	}
}

int portset_parse(struct portset *s, const char *text)
{
	char *end;

	while (*text && *text != '\n') {
		unsigned long lo = strtoul(text, &end, 10), hi = lo;

		if (end == text)
			return -EINVAL;
		if (*end == '-') {
			text = end + 1;
			hi = strtoul(text, &end, 10);
			if (end == text)
				return -EINVAL;
		}
		if (hi < lo || hi > 65535)
			return -EINVAL;
		portset_range(s, (unsigned)lo, (unsigned)hi, true);
		if (*end != ',')
			return *end && *end != '\n' ? -EINVAL : 0;
		text = end + 1;
	}
	return 0;
}

int portset_format(const struct portset *s, char *out, size_t room)
{
	size_t n = 0;

	if (!room)
		return -ENOSPC;
	out[0] = 0;
	for (unsigned p = 0; p < 65536; p++) {
		unsigned first = p;

		if (!portset_has(s, p))
			continue;
		while (p < 65535 && portset_has(s, p + 1))
			p++;
		n += (size_t)snprintf(out + n, room - n, p > first ? "%s%u-%u" : "%s%u",
				      n ? "," : "", first, p);
		if (n >= room)
			return -ENOSPC;
	}
	return (int)n;
}

unsigned portset_gap(const struct portset *used, unsigned from, unsigned most, uint16_t *lo,
		     uint16_t *hi)
{
	unsigned best = 0, run = 0;

	for (unsigned p = from; p < 65536; p++) {
		run = portset_has(used, p) ? 0 : run + 1;
		if (run >= best && run) { /* of equal ones the upper */
			best = run;
			*hi = (uint16_t)p;
		}
	}
	if (best > most)
		best = most;
	*lo = (uint16_t)(*hi - (best ? best - 1 : 0));
	return best;
}
