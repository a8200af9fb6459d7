/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the option area of a TCP header. */
#include <stdlib.h>
#include <string.h>

#include "tcp/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);

enum { MAX_OPTS = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct toe_seg seg = { 0 };
	uint8_t *opt;

	if (n > MAX_OPTS)
		return 0;
	opt = malloc(n ? n : 1); /* of the exact size: one byte beyond is found */
	memcpy(opt, in, n);
	if (toe_opts_parse(opt, (unsigned)n, &seg)) {
		if (seg.nsack > TOE_MAX_SACK)
			abort();
		if ((seg.opts & TOE_SEG_SACK) && !seg.nsack)
			abort();
	}
	free(opt);
	return 0;
}
