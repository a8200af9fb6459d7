/* SPDX-License-Identifier: BSD-2-Clause */
/* The Linux errno values that cross the host interface: there is no <errno.h> in freestanding code. */
#ifndef TOE_CORE_ERRNO_H
#define TOE_CORE_ERRNO_H

enum toe_errno {
	TOE_EINVAL = 22,
	TOE_EADDRNOTAVAIL = 99,
	TOE_ENETRESET = 102,
	TOE_ECONNABORTED = 103,
	TOE_ECONNRESET = 104,
	TOE_ENOBUFS = 105,
	TOE_EHOSTUNREACH = 113,
};

#endif
