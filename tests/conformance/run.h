/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RUN_H
#define RUN_H

#include "script.h"

/* Run it in a world of its own; returns when all went as it says, exits with a message if not. */
void run_script(const struct script *s);

#endif
