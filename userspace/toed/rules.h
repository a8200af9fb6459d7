/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOE_TOED_RULES_H
#define TOE_TOED_RULES_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Packet filters on incoming packets in this network namespace, one line of text each. A new array.
 */
json_t *rules_list(void);

#endif
