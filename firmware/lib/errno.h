/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error numbers that the firmware reports, with the values that Linux gives them on every
 * architecture served here. The host's headers are not to be had in freestanding code.
 */
#ifndef TOE_LIB_ERRNO_H
#define TOE_LIB_ERRNO_H

#ifndef EINVAL
#define EACCES 13
#define EINVAL 22
#define EPIPE 32
#define ENONET 64
#define EPROTO 71
#define ENOPROTOOPT 92
#define EOPNOTSUPP 95
#define EADDRNOTAVAIL 99
#define ENETUNREACH 101
#define ECONNABORTED 103
#define ECONNRESET 104
#define ENOBUFS 105
#define ETIMEDOUT 110
#define ECONNREFUSED 111
#define EHOSTDOWN 112
#define EHOSTUNREACH 113
#endif

#endif
