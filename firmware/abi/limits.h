/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sizes that the device, its host and the BPF programs agree on.
 * Changing one changes the ABI: bump TOE_ABI_VERSION.
 */
#ifndef TOE_ABI_LIMITS_H
#define TOE_ABI_LIMITS_H

#include <stdint.h>

#define TOE_ABI_VERSION 12u

#define TOE_CACHELINE 64

enum {
	TOE_MAX_FPCS = 8,
	TOE_MAX_DEVS = 4, /* network devices served at once */
	TOE_MAX_VIFS = 64, /* VLAN interfaces on them */
	TOE_MAX_QUEUES = 8, /* receive queues of one device */
	TOE_MAX_APPS = 32, /* applications (a process and its forks) */
	TOE_MAX_CTXS = 64, /* contexts (threads) of one application: fits a 64-bit set */
	TOE_MAX_PROCS = 64, /* processes of one application: fits a 64-bit set */
	TOE_MAX_LISTENERS = 64, /* listening sockets of one application */
	TOE_MAX_FLOWS = 65536, /* flow ids: the capacity of toe_tcbs */
	/* listening endpoints (address, port, device), all applications */
	TOE_MAX_ENDPOINTS = 1024,
	TOE_MAX_GRANTS = 1024, /* connects that are admitted but not begun */
	TOE_MAX_NEXT_HOPS = 1024,
};

#define TOE_FLOW_NONE 0xffffffffu
#define TOE_NH_NONE 0xffffu /* no next-hop entry: use the link address learned from the peer */

#endif
