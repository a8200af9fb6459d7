/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What toe-fw is given (firmware/port/linux/handover.h): all of it at a start, then what comes and
 * goes.
 */
#include <errno.h>

#include "toed.h"

static int send_maps(struct toed *t)
{
	static const struct {
		uint32_t type;
		enum toe_map_id map;
	} m[] = { { LX_HO_TCBS, TOE_MAP_TCBS },
		  { LX_HO_INDEX, TOE_MAP_FLOW_INDEX },
		  { LX_HO_STATS, TOE_MAP_STATS } };
	int err = 0;

	for (unsigned i = 0; i < 3 && !err; i++) {
		struct lx_ho h = { .type = m[i].type, .size = toe_map_bytes(m[i].map) };

		err = fw_send(t, &h, t->xdp.maps.fd[m[i].map]);
	}
	return err;
}

static int send_device(struct toed *t, unsigned dev)
{
	struct device *d = &t->dev[dev];
	struct lx_ho h = { .type = LX_HO_UMEM,
			   .dev = dev,
			   .frames = d->frames,
			   .frame_size = d->frame_size,
			   .size = d->umem_size };
	int err = fw_send(t, &h, d->umem_fd);

	for (unsigned i = 0; i < d->nxsks && !err; i++) {
		struct xsk *x = &d->xsk[i];

		h = (struct lx_ho){ .type = LX_HO_XSK,
				    .dev = dev,
				    .queue = x->queue,
				    .fpc = x->fpc,
				    .owner = x->owner };
		err = fw_send(t, &h, x->fd);
	}
	return err;
}

static int send_app(struct toed *t, unsigned app, uint32_t seq)
{
	struct lx_ho h = { .type = LX_HO_APP,
			   .app = app,
			   .size = toe_arena_size(t->ctrl->big_slots),
			   .seq = seq };

	return fw_send(t, &h, t->app[app].arena_fd);
}

static int send_ctx(struct toed *t, unsigned app, unsigned ctx, uint32_t seq)
{
	struct lx_ho h = { .type = LX_HO_CTX, .app = app, .ctx = ctx, .seq = seq };

	return fw_send(t, &h, t->app[app].ctx[ctx].event_fd);
}

static int send_apps(struct toed *t)
{
	int err = 0;

	for (unsigned a = 0; a < TOE_MAX_APPS && !err; a++) {
		if (t->app[a].life == APP_NONE || t->app[a].life == APP_LEAVING)
			continue;
		err = send_app(t, a, 0);
		for (unsigned c = 0; c < TOE_MAX_CTXS && !err; c++)
			if (t->app[a].ctx[c].used)
				err = send_ctx(t, a, c, 0);
	}
	return err;
}

int handover_all(struct toed *t)
{
	struct lx_ho h = { .type = LX_HO_CTRL, .size = sizeof(*t->ctrl) };
	int err = fw_send(t, &h, t->ctrl_fd);

	h = (struct lx_ho){ .type = LX_HO_STATE, .size = t->state_size };
	if (!err)
		err = fw_send(t, &h, t->state_fd);
	if (!err)
		err = send_maps(t);
	for (unsigned i = 0; i < t->nfpcs && !err; i++) {
		h = (struct lx_ho){ .type = LX_HO_FPC,
				    .fpc = i,
				    .cpu = t->opt.cpu[i] == OPT_CPU_ANY ? LX_CPU_ANY
									: (uint32_t)t->opt.cpu[i] };
		err = fw_send(t, &h, t->fpc_event[i]);
	}
	for (unsigned i = 0; i < t->ndevs && !err; i++)
		err = send_device(t, i);
	if (!err)
		err = send_apps(t);
	h = (struct lx_ho){ .type = LX_HO_START };
	return err ? err : fw_send(t, &h, -1);
}

/*
 * What cannot be sent now is part of the handover at the next start, and counts as answered then.
 */
uint32_t handover_app(struct toed *t, unsigned app)
{
	send_app(t, app, ++t->fw.seq);
	return t->fw.seq;
}

uint32_t handover_ctx(struct toed *t, unsigned app, unsigned ctx)
{
	send_ctx(t, app, ctx, ++t->fw.seq);
	return t->fw.seq;
}

uint32_t handover_app_gone(struct toed *t, unsigned app)
{
	struct lx_ho h = { .type = LX_HO_APP_GONE, .app = app, .seq = ++t->fw.seq };

	fw_send(t, &h, -1);
	return t->fw.seq;
}

void handover_ctx_gone(struct toed *t, unsigned app, unsigned ctx)
{
	struct lx_ho h = { .type = LX_HO_CTX_GONE, .app = app, .ctx = ctx, .seq = ++t->fw.seq };

	fw_send(t, &h, -1);
}
