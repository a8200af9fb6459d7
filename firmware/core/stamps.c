/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timestamps (SO_TIMESTAMPING), of flows that ask for them. What came is of the time when its batch
 * began, as are ACKs; what leaves, of when its segment was made: the batch is on its way some
 * microseconds later.
 */
#include "fpc.h"

static void put(struct toe_stamp *to, const struct toe_stamp *s)
{
	toe_store(&to->at, s->at);
	toe_store(&to->pos, s->pos);
	toe_store(&to->gen, s->gen);
	toe_store(&to->kind, s->kind);
}

void toe_stamp_tx(struct toe_fpc *f, struct toe_work *w)
{
	struct toe_flow_stamps *ring = toe_arena_stamps(w->arena, w->flow);
	uint64_t made = toe_port_now(f->port);
	struct toe_stamp s = { .gen = w->e->gen };

	while (toe_tcp_stamp(w->t, &s)) {
		s.at = s.kind == TOE_STAMP_ACK ? f->now : made;
		if (!toe_ring_room(&ring->tx_db, TOE_STAMPS)) {
			toe_count(f, TOE_CNT_stamps_lost);
			continue;
		}
		put(&ring->tx[toe_load(&ring->tx_db.head) & (TOE_STAMPS - 1)], &s);
		toe_ring_publish(&ring->tx_db, 1);
		w->act |= TOE_ACT_STAMP;
	}
	toe_count_n(f, TOE_CNT_stamps_lost, toe_tcp_stamps_lost(w->t));
}

void toe_stamp_rx(struct toe_fpc *f, struct toe_work *w)
{
	struct toe_flow_stamps *ring = toe_arena_stamps(w->arena, w->flow);
	struct toe_stamp s = { .at = f->now,
			       .pos = (uint32_t)toe_tcp_rx_end(w->t),
			       .gen = w->e->gen };
	uint32_t head = toe_load(&ring->rx_head);

	put(&ring->rx[head & (TOE_STAMPS - 1)], &s);
	toe_store_release(&ring->rx_head, head + 1);
}
