/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RUN_H
#define RUN_H

#include "script.h"

/* Show packets on stderr, and after a mismatch those of five seconds more. */
extern bool run_verbose;

/* Run it in a world of its own; returns when all went as it says, exits with a message if not. */
void run_script(const struct script *s);

#endif
