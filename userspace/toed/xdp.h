/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Load, adopt, attach and detach the XDP program. One set of maps serves all devices.
 *
 *	toe_xdp_open()    look at the devices; take over maps that are there, or load the object
 *	toe_xdp_attach()  per device: keep the program that is there, or attach one
 *	toe_xdp_detach()  per device: leave what a person attached, take away what toed attached
 *	toe_xdp_close()
 *
 * Failing functions return -errno and leave a sentence for people in toe_xdp.error.
 */
#ifndef TOE_TOED_XDP_H
#define TOE_TOED_XDP_H

#include "maps.h"

/* How the program came to the device's hook. */
enum toe_xdp_how {
	TOE_XDP_NONE,
	TOE_XDP_DISPATCHER, /* by toed through libxdp, other programs may run beside it */
	TOE_XDP_DIRECT, /* by toed, alone on the hook */
	TOE_XDP_BY_HAND, /* by `ip link set ... xdp`, adopted; stays when toed ends */
};

struct toe_xdp_dev {
	int ifindex;
	enum toe_xdp_how how;
	bool generic; /* runs in the skb path, not in the driver */
	bool frags; /* multi-buffer program (MTU above TOE_XDP_MAX_LINEAR_MTU) */
	uint32_t prog_id; /* ours, 0 = none. In a dispatcher not the one that `ip link` shows */
};

/* A page, less headroom, skb_shared_info and two VLAN tags. */
enum { TOE_XDP_MAX_LINEAR_MTU = 3498 };

struct toe_xdp {
	const char *obj_path;
	const char *pin_dir;
	struct toe_maps maps;
	unsigned ndevs;
	struct toe_xdp_dev dev[TOE_MAX_DEVS]; /* index = toe_config.dev_ifindex index */
	bool adopted; /* the maps were those of a program found on a device */
	char error[256];
};

/*
 * Find or make the maps for these devices. `obj_path` and `pin_dir` must outlive x. bpffs is
 * mounted if it is not. The maps are checked and pinned in pin_dir; adopted ones keep their
 * contents: toe_maps_clear() is the caller's. A new map is empty, and the program passes
 * everything until toe_config.magic is set. -EPERM without CAP_BPF and CAP_NET_ADMIN, -ENOENT
 * without the object, -EINVAL for too many devices.
 */
int toe_xdp_open(struct toe_xdp *x, const char *obj_path, const char *pin_dir, const int *ifindex,
		 unsigned ndevs);

/*
 * See that device `dev` (index) runs the program over x->maps. If a toe_xdp program is there with
 * these maps, it is adopted; with other maps (second device attached by hand), it is replaced in
 * one step by the same program over x->maps; if there is none, it is attached: through libxdp's
 * dispatcher, else alone. `generic`: attach in the skb path. -EBUSY when another program holds
 * the hook, -EOPNOTSUPP when the driver has no native XDP (try generic).
 */
int toe_xdp_attach(struct toe_xdp *x, unsigned dev, bool generic);

/*
 * Take the program away unless a person attached it (then it stays, inert once toe_config is
 * cleared).
 */
int toe_xdp_detach(struct toe_xdp *x, unsigned dev);

/* Close the maps and remove the pins. Does not detach. */
void toe_xdp_close(struct toe_xdp *x);

/* "dispatcher", "direct", "by hand", "none". */
const char *toe_xdp_how_name(enum toe_xdp_how how);

#endif
