/* SPDX-License-Identifier: BSD-2-Clause */
/* The ABI's version and where things lie in an arena, as JSON, for tests that play an application without libtoe. */
#include <stddef.h>
#include <stdio.h>

#include "../../firmware/abi/arena.h"

int main(void)
{
	const struct {
		const char *name;
		size_t value;
	} row[] = {
		{ "version", TOE_ABI_VERSION },
		{ "ctx", TOE_ARENA_CTX_OFF },
		{ "ctx_size", TOE_ARENA_CTX_SIZE },
		{ "sw_ring", offsetof(struct toe_ctx, fpc[0].sw) },
		{ "sw_cmd", offsetof(struct toe_sw_ring, cmd) },
		{ "listener", TOE_ARENA_LISTENER_OFF },
		{ "listener_size", TOE_ARENA_LISTENER_SIZE },
		{ "accept_ring", offsetof(struct toe_listener, fpc[0]) },
		{ "accept_entry", offsetof(struct toe_listener, fpc[0].entry) -
				      offsetof(struct toe_listener, fpc[0]) },
		{ "flow", TOE_ARENA_FLOW_OFF },
		{ "flow_size", sizeof(struct toe_flow_block) },
		{ "holders", offsetof(struct toe_flow_block, app.holders) },
		{ "procs", offsetof(struct toe_arena_hdr, procs) },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		printf("%c\"%s\": %zu\n", i ? ',' : '{', row[i].name, row[i].value);
	puts("}");
	return 0;
}
