/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOE_TOED_NETLINK_H
#define TOE_TOED_NETLINK_H

#include "toed.h"

struct nlattr;

/*
 * An address attribute in our form (IPv4 as ::ffff:a.b.c.d). False when its length does not fit the
 * family.
 */
bool netlink_addr(const struct nlattr *attr, uint8_t family, uint8_t out[16]);
/* And back: 4 bytes of IPv4, or 16. */
void netlink_put_addr(struct nlmsghdr *h, uint16_t type, const uint8_t addr[16]);

#endif
