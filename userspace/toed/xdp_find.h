/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding our program on a device by what the kernel says: name, then program id -> map ids.
 * Never by a pin: iproute2 pins in a place of its own, and a pin outlives what it was made for.
 */
#ifndef TOE_TOED_XDP_FIND_H
#define TOE_TOED_XDP_FIND_H

#include <linux/bpf.h>

#include "maps.h"

#define TOE_XDP_PROG "toe_xdp"
#define TOE_XDP_PROG_FRAGS "toe_xdp_frags"

/* A program of ours found on a device. */
struct toe_xdp_found {
	int fd; /* -1: none */
	uint32_t id;
	bool dispatcher, frags, generic;
	struct toe_maps maps; /* those it uses, after toe_xdp_found_maps() */
};

/* The program on the hook (0 = none), and whether it runs in the skb path. 0 or -errno. */
int toe_xdp_query(int ifindex, uint32_t *id, bool *generic);
/*
 * Look for a program of ours, on the hook itself or in a dispatcher there. *hook: what holds the
 * hook. 0 or -errno.
 */
int toe_xdp_find(int ifindex, struct toe_xdp_found *f, uint32_t *hook);
/*
 * Open its maps. toe_flows may be missing: the program does not use it. -EINVAL for another
 * build's program.
 */
int toe_xdp_found_maps(struct toe_xdp_found *f);
void toe_xdp_found_close(struct toe_xdp_found *f);

/* What the kernel knows of a program: 0 or -errno. info's array fields say what to fill. */
int toe_prog_info(int fd, struct bpf_prog_info *info);
/* Two descriptors of one map? */
bool toe_same_map(int a, int b);

#endif
