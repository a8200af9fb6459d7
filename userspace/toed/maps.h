/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program's maps as user space sees them: descriptors, definitions, and memory for the
 * mappable ones.
 */
#ifndef TOE_TOED_MAPS_H
#define TOE_TOED_MAPS_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/maps.h"

#define TOE_BPFFS "/sys/fs/bpf"
#define TOE_PIN_DIR TOE_BPFFS "/toe"

enum toe_map_id {
	TOE_MAP_CONFIG, /* struct toe_config, mappable */
	TOE_MAP_PORTS, /* struct toe_port_key -> struct toe_port_val */
	TOE_MAP_FLOW_INDEX, /* struct toe_bucket, mappable */
	TOE_MAP_TCBS, /* struct toe_flow_ent, mappable */
	TOE_MAP_FLOWS, /* flow id -> struct toe_flow_view */
	TOE_MAP_XSKS, /* toe_xsk_index() -> AF_XDP socket */
	TOE_MAP_STATS, /* struct toe_stats_row, mappable */
	TOE_MAPS
};

struct toe_maps {
	int fd[TOE_MAPS]; /* -1: none */
};

/* All descriptors to -1. */
void toe_maps_init(struct toe_maps *m);
/* Close what is open. */
void toe_maps_close(struct toe_maps *m);

/* Name of a map in the object and in bpffs; never NULL for a valid id. */
const char *toe_map_name(enum toe_map_id id);
/* Id of a map by name, -ENOENT when it is none of ours. */
int toe_map_by_name(const char *name);
/*
 * 0 when the descriptor's map is defined as this program expects, else -EINVAL or the kernel's
 * error.
 */
int toe_map_check(enum toe_map_id id, int fd);

/* Bytes that toe_map_mmap() maps; 0 for a map that cannot be mapped. */
size_t toe_map_bytes(enum toe_map_id id);
/*
 * Map a mappable map read-write and shared: an array of its value type. NULL with errno on error.
 */
void *toe_map_mmap(enum toe_map_id id, int fd);

/* Own an endpoint, or give it back. 0 or -errno; giving back what is not owned is no error. */
int toe_maps_port_set(const struct toe_maps *m, const struct toe_port_key *k, uint32_t endpoint);
int toe_maps_port_del(const struct toe_maps *m, const struct toe_port_key *k);

/*
 * Place an AF_XDP socket at (device, queue, FPC), or remove it. The socket must be bound there. 0
 * or -errno.
 */
int toe_maps_xsk_set(const struct toe_maps *m, unsigned dev, unsigned queue, unsigned fpc, int xsk);
int toe_maps_xsk_del(const struct toe_maps *m, unsigned dev, unsigned queue, unsigned fpc);

/*
 * Cold start: toe_config (which makes the program pass everything), ports, sockets, flow views,
 * index, flow entries and counters, in this order. Not to be called while a toe-fw lives on them.
 * 0 or -errno.
 */
int toe_maps_clear(const struct toe_maps *m);

/* Mount bpffs on TOE_BPFFS unless it is mounted. 0 or -errno. */
int toe_bpffs_mount(void);
/*
 * Pin all maps in `dir` under their names, replacing stale pins; the directory is made. 0 or
 * -errno.
 */
int toe_maps_pin(const struct toe_maps *m, const char *dir);
/* Remove the pins and the directory if it is empty then. */
void toe_maps_unpin(const char *dir);

#endif
