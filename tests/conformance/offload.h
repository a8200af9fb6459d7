/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef OFFLOAD_H
#define OFFLOAD_H

#include <stddef.h>

/*
 * The IP packet arrives; one larger than `mtu` as segments of `mss` bytes of payload each, 0: as many
 * as fit. It is TCP, without IPv6 extension headers.
 */
void offload_inject(const void *packet, size_t n, unsigned mtu, unsigned mss);

#endif
