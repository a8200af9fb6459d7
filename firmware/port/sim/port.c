/* SPDX-License-Identifier: BSD-2-Clause */
/* The hardware contract (port.h) over plain memory. */
#define _GNU_SOURCE
#include "kill.h"

#include <string.h>
#include <sys/mman.h>

#include "../../core/fpc.h"

/* Every call into the port is a place to die at. */
static void maybe_crash(struct toe_port *p)
{
	if (!p->can_crash || !p->crash_in || --p->crash_in)
		return;
	p->crashes++;
	p->can_crash = false;
	longjmp(p->crash, 1);
}

static inline void left(const int *guard)
{
	sim_port_leave();
}

/* The rest of the function is done whole. */
#define UNINTERRUPTED \
	int guard __attribute__((cleanup(left), unused)) = 0; \
	sim_port_enter()

uint64_t toe_port_now(struct toe_port *p)
{
	return p->w->now;
}

unsigned toe_port_rx(struct toe_port *p, unsigned fpc, struct toe_frame *f, unsigned max)
{
	unsigned n = 0;

	UNINTERRUPTED;
	maybe_crash(p);
	while (p->rx[fpc].tail != p->rx[fpc].head) {
		unsigned pieces = 1u + p->rx[fpc].f[p->rx[fpc].tail % SIM_QUEUE].more;

		if (n + pieces > max)
			break;
		while (pieces--)
			f[n++] = p->rx[fpc].f[p->rx[fpc].tail++ % SIM_QUEUE];
	}
	return n;
}

void toe_port_rx_done(struct toe_port *p, unsigned fpc, const struct toe_frame *f, unsigned n)
{
	UNINTERRUPTED;

	for (unsigned i = 0; i < n; i++)
		p->free[p->nfree++] = f[i].id;
	maybe_crash(p);
}

bool toe_port_forward(struct toe_port *p, unsigned fpc, unsigned to, const struct toe_frame *f)
{
	UNINTERRUPTED;

	if (p->rx[to].head - p->rx[to].tail + f->more >= SIM_QUEUE)
		return false;
	for (unsigned i = 0; i <= f->more; i++)
		p->rx[to].f[p->rx[to].head++ % SIM_QUEUE] = f[i];
	maybe_crash(p);
	return true;
}

void sim_jam(struct toe_port *p, uint64_t us)
{
	p->device.since = p->w->now;
	p->device.until = p->w->now + us;
}

/* Has the device no frame to fill, now? */
static bool refuses(struct toe_port *p)
{
	struct sim_device *d = &p->device;

	if (p->w->now < d->until || (d->frames && p->ntx >= d->frames))
		return true;
	if (d->jam && sim_below(p->w, 65536) < d->jam) {
		sim_jam(p, 1 + sim_below(p->w, 1 + (d->jam_us >> sim_below(p->w, 8))));
		return true;
	}
	return d->refuse && sim_below(p->w, 65536) < d->refuse;
}

bool toe_port_tx_alloc(struct toe_port *p, unsigned fpc, unsigned dev, struct toe_frame *f)
{
	UNINTERRUPTED;

	maybe_crash(p);
	if (!p->nfree || refuses(p))
		return false;
	memset(f, 0, sizeof(*f));
	f->id = p->free[--p->nfree];
	f->data = p->frames + (size_t)f->id * SIM_FRAME_SIZE + SIM_HEADROOM;
	f->len = SIM_ROOM;
	f->dev = (uint8_t)dev;
	return true;
}

void toe_port_tx(struct toe_port *p, unsigned fpc, const struct toe_frame *f)
{
	UNINTERRUPTED;

	for (unsigned i = 0; i <= f->more; i++)
		p->tx[p->ntx++] = f[i];
	maybe_crash(p);
}

const uint8_t *sim_gather(const struct toe_frame *f, uint8_t *room, uint32_t *len)
{
	*len = f->len;
	if (!f->more)
		return f->data;
	*len = 0;
	for (unsigned i = 0; i <= f->more; *len += f[i++].len)
		memcpy(room + *len, f[i].data, f[i].len);
	return room;
}

void toe_port_tx_kick(struct toe_port *p, unsigned fpc)
{
	unsigned n = p->ntx;
	static uint8_t room[SIM_PACKET];
	const uint8_t *packet;
	uint32_t len;

	UNINTERRUPTED;
	maybe_crash(p);
	if (p->w->now < p->device.until)
		return;
	p->ntx = 0;
	for (unsigned i = 0; i < n; i += 1u + p->tx[i].more) {
		for (unsigned k = 0; k <= p->tx[i].more; k++)
			p->free[p->nfree++] = p->tx[i + k].id;
		packet = sim_gather(&p->tx[i], room, &len);
		if (p->sink)
			p->sink(p, packet, len);
		else if (p->peer)
			sim_send(p->peer, &p->link, packet, len);
	}
}

void toe_port_wake(struct toe_port *p, unsigned app, unsigned ctx)
{
	UNINTERRUPTED;

	p->woken[app] |= 1ull << ctx;
	maybe_crash(p);
}

void *toe_port_arena(struct toe_port *p, unsigned app)
{
	return app < TOE_MAX_APPS ? p->arena[app] : NULL;
}

bool toe_port_trim(struct toe_port *p, unsigned fpc, unsigned app, uint32_t flow)
{
	uint64_t off, len;

	UNINTERRUPTED;

	maybe_crash(p);
	if (!p->arena[app] || p->ntrimmed == sizeof(p->trimmed) / sizeof(p->trimmed[0]))
		return false;
	len = toe_trim_range(flow, &off);
	madvise(p->arena[app] + off, len, MADV_DONTNEED);
	p->trimmed[p->ntrimmed++] = flow;
	return true;
}

bool toe_port_trimmed(struct toe_port *p, unsigned fpc, uint32_t *flow)
{
	UNINTERRUPTED;

	for (unsigned i = 0; i < p->ntrimmed; i++) {
		*flow = p->trimmed[i];
		if (*flow < TOE_MAX_FLOWS ? !toe_owns(p->fpc[fpc], *flow)
					  : !toe_big_mine(p->fpc[fpc], *flow))
			continue;
		p->trimmed[i] = p->trimmed[--p->ntrimmed];
		return true;
	}
	return false;
}

struct toe_flow_ent *toe_port_flows(struct toe_port *p)
{
	return p->ent;
}

struct toe_bucket *toe_port_index(struct toe_port *p)
{
	return p->index;
}

uint64_t *toe_port_stats(struct toe_port *p, unsigned fpc)
{
	return p->stats[fpc];
}

struct toe_ctrl *toe_port_ctrl(struct toe_port *p)
{
	return p->ctrl;
}

/* Frames that the dead firmware held go back, as the owner words of a real port's frames allow. */
void sim_reclaim_frames(struct toe_port *p)
{
	uint8_t used[SIM_FRAMES] = { 0 };

	for (unsigned k = 0; k < p->conf.nfpcs; k++)
		for (unsigned i = p->rx[k].tail; i != p->rx[k].head; i++)
			used[p->rx[k].f[i % SIM_QUEUE].id] = 1;
	for (unsigned i = 0; i < p->ntx; i++)
		used[p->tx[i].id] = 1;
	p->nfree = 0;
	for (unsigned i = 0; i < SIM_FRAMES; i++)
		if (!used[i])
			p->free[p->nfree++] = i;
}
