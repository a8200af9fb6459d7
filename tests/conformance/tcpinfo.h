/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TCPINFO_H
#define TCPINFO_H

#include "script.h"

/* NULL, or what does not hold; static. Driver, outside stack_enter. */
const char *tcpinfo_check(const struct check *c, int fd);

#endif
