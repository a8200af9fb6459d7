/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The maps. Their values are described in firmware/abi/maps.h. No pinning attribute on purpose: a
 * loader that pins by name (iproute2 does, in a place of its own) would bind a new program to
 * whatever an older one left behind. toed finds maps by program id instead.
 *
 * If you change a definition, also change the table in userspace/toed/maps.c.
 */
#ifndef TOE_BPF_MAPS_H
#define TOE_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi/maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct toe_config);
} toe_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TOE_MAX_PORTS);
	__type(key, struct toe_port_key);
	__type(value, struct toe_port_val);
} toe_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TOE_BUCKETS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct toe_bucket);
} toe_flow_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TOE_MAX_FLOWS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct toe_flow_ent);
} toe_tcbs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TOE_MAX_FLOWS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, struct toe_flow_view);
} toe_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, TOE_XSKS);
	__type(key, uint32_t);
	__type(value, uint32_t);
} toe_xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TOE_STATS_ROWS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct toe_stats_row);
} toe_stats SEC(".maps");

#endif
