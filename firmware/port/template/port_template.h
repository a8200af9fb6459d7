/* SPDX-License-Identifier: BSD-2-Clause */
/* What a port keeps: frames, its way to the wire, and where the shared tables are. */
#ifndef TOE_PORT_TEMPLATE_H
#define TOE_PORT_TEMPLATE_H

#include "../../core/engine.h"

enum {
	TOE_TEMPLATE_FRAMES = 64,
	TOE_TEMPLATE_HEADROOM = 64, /* room for struct toe_meta in front of a received frame */
};

struct toe_port {
	uint64_t now; /* microseconds */
	struct toe_ctrl *ctrl;
	struct toe_flow_ent *flows;
	struct toe_bucket *index;
	void *arena; /* of application 0 */
	struct toe_stats_row stats;
	uint32_t woken;
	/* Each frame is in one place: free, on the wire, or with the FPC. */
	uint8_t frame[TOE_TEMPLATE_FRAMES][TOE_TEMPLATE_HEADROOM + TOE_FRAME_ROOM];
	uint32_t free[TOE_TEMPLATE_FRAMES], nfree;
	struct toe_frame wire[TOE_TEMPLATE_FRAMES];
	uint32_t wire_head, wire_tail, tx_head;
};

/* The tables are zeroed memory of the caller; `ctrl` is filled in. Then toe_fpc_init. */
void toe_template_init(struct toe_port *p, struct toe_ctrl *ctrl, struct toe_flow_ent *flows,
		       struct toe_bucket *index, void *arena);
/* Let the FPC do all that there is to do at `now`. */
void toe_template_run(struct toe_port *p, struct toe_fpc *f, uint64_t now);

#endif
