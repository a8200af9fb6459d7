/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOE_TOECTL_H
#define TOE_TOECTL_H

#include <jansson.h>
#include <stdint.h>

/* Ask the toed at `path`; `type` is a TOE_ADM_REQ_*. NULL after saying what is wrong on stderr. */
json_t *query(const char *path, uint32_t type);

/* Print for people. */
void show_status(const json_t *j);
void show_flows(const json_t *j);
void show_stats(const json_t *j);

/* Members of an object: 0, "" when there is no such. */
long long num(const json_t *o, const char *key);
const char *str(const json_t *o, const char *key);

#endif
