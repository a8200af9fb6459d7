/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TM_INFO_H
#define TM_INFO_H

#include "ctx.h"

/*
 * What the FPC knows of the connection now. 0; -EAGAIN: no answer within a second; -errno: no
 * context. A connection that has ended, or not begun, has its state only.
 */
int tm_flow_info(struct tm_sock *s, struct toe_flow_info *info);
/* getsockopt(TCP_INFO). 0 or -errno. */
int tm_tcp_info(struct tm_sock *s, void *value, socklen_t *len);
/*
 * Of a listener: `value` is the kernel's, where tcpi_unacked is how many wait to be accepted. To those come
 * ours.
 */
void tm_listener_info(const struct tm_sock *s, void *value, socklen_t len);

#endif
