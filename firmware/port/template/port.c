/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest port: copy it to begin another. One FPC, static memory, and a wire that leads back
 * to itself. It needs no operating system; what a real machine must replace is marked REPLACE.
 */
#include "../port.h"

#include "../../lib/atomics.h"
#include "../../lib/mem.h"
#include "port_template.h"

/* REPLACE: a counter of the machine. The main loop of this port sets it. */
uint64_t toe_port_now(struct toe_port *p)
{
	return p->now;
}

static uint8_t *frame_data(struct toe_port *p, uint32_t id)
{
	return p->frame[id] + TOE_TEMPLATE_HEADROOM;
}

/* REPLACE: the receive ring of the network device. */
unsigned toe_port_rx(struct toe_port *p, unsigned fpc, struct toe_frame *f, unsigned max)
{
	unsigned n = 0;

	while (n < max && p->wire_tail != p->wire_head)
		f[n++] = p->wire[p->wire_tail++ % TOE_TEMPLATE_FRAMES];
	return n;
}

/* The frames go back to the pool they came from. */
void toe_port_rx_done(struct toe_port *p, unsigned fpc, const struct toe_frame *f, unsigned n)
{
	while (n--)
		p->free[p->nfree++] = f[n].id;
}

/* REPLACE when there is more than one FPC: a single-producer ring to each other one. */
bool toe_port_forward(struct toe_port *p, unsigned fpc, unsigned to, const struct toe_frame *f)
{
	return false;
}

bool toe_port_tx_alloc(struct toe_port *p, unsigned fpc, unsigned dev, struct toe_frame *f)
{
	if (!p->nfree)
		return false;
	*f = (struct toe_frame){ .id = p->free[--p->nfree],
				 .dev = (uint8_t)dev,
				 .len = TOE_FRAME_ROOM };
	f->data = frame_data(p, f->id);
	return true;
}

/*
 * REPLACE: a descriptor of the transmit ring. There are never more frames than places, so this
 * cannot fail.
 */
void toe_port_tx(struct toe_port *p, unsigned fpc, const struct toe_frame *f)
{
	p->wire[p->tx_head++ % TOE_TEMPLATE_FRAMES] = *f;
}

/* REPLACE: the doorbell of the transmit ring. */
void toe_port_tx_kick(struct toe_port *p, unsigned fpc)
{
	p->wire_head = p->tx_head;
}

/* REPLACE: an interrupt to the host. Here the application polls this word. */
void toe_port_wake(struct toe_port *p, unsigned app, unsigned ctx)
{
	toe_store_release(&p->woken, 1);
}

/* REPLACE: the window onto host memory. */
void *toe_port_arena(struct toe_port *p, unsigned app)
{
	return app ? NULL : p->arena;
}

/* Memory that cannot be given back is simply kept. */
bool toe_port_trim(struct toe_port *p, unsigned fpc, unsigned app, uint32_t flow)
{
	return false;
}

bool toe_port_trimmed(struct toe_port *p, unsigned fpc, uint32_t *flow)
{
	return false;
}

struct toe_flow_ent *toe_port_flows(struct toe_port *p)
{
	return p->flows;
}

struct toe_bucket *toe_port_index(struct toe_port *p)
{
	return p->index;
}

uint64_t *toe_port_stats(struct toe_port *p, unsigned fpc)
{
	return p->stats.count;
}

struct toe_ctrl *toe_port_ctrl(struct toe_port *p)
{
	return p->ctrl;
}

void toe_template_init(struct toe_port *p, struct toe_ctrl *ctrl, struct toe_flow_ent *flows,
		       struct toe_bucket *index, void *arena)
{
	memset(p, 0, sizeof(*p));
	p->ctrl = ctrl;
	p->flows = flows;
	p->index = index;
	p->arena = arena;
	while (p->nfree < TOE_TEMPLATE_FRAMES) {
		p->free[p->nfree] = p->nfree;
		p->nfree++;
	}
}

void toe_template_run(struct toe_port *p, struct toe_fpc *f, uint64_t now)
{
	p->now = now;
	while (toe_fpc_poll(f))
		;
}
