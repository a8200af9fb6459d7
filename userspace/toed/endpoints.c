/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Endpoints: (device, VLAN, local address, port) owned by the TOE. An entry of toe_ctrl.endpoint, and its
 * key in toe_ports, which steers packets. An endpoint that closes keeps both until its last flow
 * and TIME_WAIT entry are gone, and with them the kernel socket that keeps the port taken.
 */
#include <errno.h>
#include <string.h>

#include "toed.h"

enum {
	SWEEP_MS = 250,
	SETTLE_MS =
	    100 /* a SYN may be on its way through an FPC when the endpoint begins to close */
};

static struct toe_port_key key_of(struct toed *t, const struct place *p, uint16_t port)
{
	struct toe_port_key k = { .ifindex = (uint32_t)t->dev[p->dev].ifindex,
				  .vlan = p->vlan,
				  .port = port };

	memcpy(k.addr, p->addr, 16);
	return k;
}

static struct place place_of(const struct toe_endpoint *e)
{
	struct place p = { .dev = e->dev, .vlan = e->vlan };

	memcpy(p.addr, e->addr, 16);
	return p;
}

static bool is_at(const struct toe_endpoint *e, const struct place *p, uint16_t port)
{
	struct place q = place_of(e);

	return e->port == port && same_place(&q, p);
}

/* The open endpoint at a place, or -ENOENT. */
static int find_open(struct toed *t, const struct place *p, uint16_t port)
{
	for (unsigned i = 0; i < TOE_MAX_ENDPOINTS; i++)
		if (t->ctrl->endpoint[i].state == TOE_EP_OPEN &&
		    is_at(&t->ctrl->endpoint[i], p, port))
			return (int)i;
	return -ENOENT;
}

static int take_entry(struct toed *t, unsigned app, unsigned listener, const struct place *p,
		      uint16_t port, struct hold *h)
{
	struct toe_endpoint *e;
	unsigned i = 0;

	while (i < TOE_MAX_ENDPOINTS && t->ctrl->endpoint[i].state != TOE_EP_FREE)
		i++;
	if (i == TOE_MAX_ENDPOINTS)
		return -ENOSPC;
	e = &t->ctrl->endpoint[i];
	memcpy(e->addr, p->addr, 16);
	e->port = port;
	e->vlan = p->vlan;
	e->dev = p->dev;
	e->app = (uint8_t)app;
	e->listener = (uint8_t)listener;
	toe_store_release(&e->state, TOE_EP_OPEN);
	t->ep_hold[i] = h;
	h->refs++;
	return (int)i;
}

static void free_entry(struct toed *t, unsigned i)
{
	toe_store_release(&t->ctrl->endpoint[i].state, TOE_EP_FREE);
	hold_put(t->ep_hold[i]);
	t->ep_hold[i] = NULL;
}

int endpoint_open(struct toed *t, unsigned app, unsigned listener, const struct place *p,
		  uint16_t port, struct hold *h)
{
	struct toe_port_key k = key_of(t, p, port);
	int err, i;

	if (find_open(t, p, port) >= 0)
		return -EADDRINUSE;
	i = take_entry(t, app, listener, p, port, h);
	if (i < 0)
		return i;
	/*
	 * Replaces the key of an endpoint that still closes at this place: its flows are found by
	 * the index.
	 */
	err = toe_maps_port_set(&t->xdp.maps, &k, (uint32_t)i);
	if (err)
		free_entry(t, (unsigned)i);
	return err ? err : i;
}

void endpoints_close(struct toed *t, unsigned app, unsigned listener, const struct place *p)
{
	for (unsigned i = 0; i < TOE_MAX_ENDPOINTS; i++) {
		const struct toe_endpoint *e = &t->ctrl->endpoint[i];
		struct place at = place_of(e);

		if (e->state != TOE_EP_OPEN || e->app != app || e->listener != listener)
			continue;
		if (p && !same_place(&at, p))
			continue;
		toe_store_release(&t->ctrl->endpoint[i].state, TOE_EP_CLOSING);
		listeners_take_over(t, &at, e->port);
		t->ep_closed[i] = loop_now();
		loop_after(&t->loop, TIMER_SWEEP, SETTLE_MS);
	}
}

static bool in_use(struct toed *t, const struct toe_endpoint *e)
{
	for (unsigned f = 0; f < t->nfpcs; f++)
		if (toe_load_acquire(&e->flows[f]))
			return true;
	return false;
}

/*
 * Give up the key of an endpoint that ends: it goes to another one at the same place that has not
 * ended, if any.
 */
static void release_key(struct toed *t, unsigned self)
{
	const struct toe_endpoint *e = &t->ctrl->endpoint[self];
	struct place at = place_of(e);
	struct toe_port_key k = key_of(t, &at, e->port);
	int heir = find_open(t, &at, e->port);

	for (unsigned i = 0; i < TOE_MAX_ENDPOINTS && heir < 0; i++)
		if (i != self && t->ctrl->endpoint[i].state == TOE_EP_CLOSING &&
		    is_at(&t->ctrl->endpoint[i], &at, e->port))
			heir = (int)i;
	if (heir < 0)
		toe_maps_port_del(&t->xdp.maps, &k);
	else
		toe_maps_port_set(&t->xdp.maps, &k, (uint32_t)heir);
}

void endpoints_sweep(struct toed *t)
{
	bool more = false;

	for (unsigned i = 0; i < TOE_MAX_ENDPOINTS; i++) {
		struct toe_endpoint *e = &t->ctrl->endpoint[i];

		if (e->state != TOE_EP_CLOSING)
			continue;
		if (in_use(t, e) || loop_now() < t->ep_closed[i] + SETTLE_MS) {
			more = true;
			continue;
		}
		release_key(t, i);
		free_entry(t, i);
	}
	if (more)
		loop_after(&t->loop, TIMER_SWEEP, SWEEP_MS);
}

void endpoint_range(struct toed *t, const struct place *p, bool own)
{
	struct toe_port_key k = key_of(t, p, 0);

	if (own)
		toe_maps_port_set(&t->xdp.maps, &k, TOE_FLOW_NONE);
	else
		toe_maps_port_del(&t->xdp.maps, &k);
}
