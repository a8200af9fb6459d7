/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One source, two socket APIs: with -DUSE_TOE the calls below are libtoe's, otherwise the kernel's.
 * Include it after every system header.
 */
#ifndef TOE_OR_KERNEL_H
#define TOE_OR_KERNEL_H

#ifdef USE_TOE
#include <toe.h>
#define socket toe_socket
#define bind toe_bind
#define listen toe_listen
#define accept4 toe_accept4
#define connect toe_connect
#define send toe_send
#define sendmsg toe_sendmsg
#define recvmsg toe_recvmsg
#define recv toe_recv
#define shutdown toe_shutdown
#define close toe_close
#define getsockname toe_getsockname
#define getpeername toe_getpeername
#define ioctl toe_ioctl
#define setsockopt toe_setsockopt
#define getsockopt toe_getsockopt
#define epoll_create1 toe_epoll_create1
#define epoll_ctl toe_epoll_ctl
#define epoll_wait toe_epoll_wait
#define SOCKET_API "toe"
#else
#define SOCKET_API "kernel"
#endif

#endif
