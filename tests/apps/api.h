/* SPDX-License-Identifier: BSD-2-Clause */
/* One source, two sockets APIs: with -DUSE_TOE the calls below go to libtoe, otherwise to the kernel. */
#ifndef TOE_TESTS_API_H
#define TOE_TESTS_API_H

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef USE_TOE
#include <toe.h>
#define socket toe_socket
#define bind toe_bind
#define listen toe_listen
#define accept toe_accept
#define accept4 toe_accept4
#define connect toe_connect
#define send toe_send
#define recv toe_recv
#define read toe_read
#define write toe_write
#define close toe_close
#define shutdown toe_shutdown
#define getsockopt toe_getsockopt
#define setsockopt toe_setsockopt
#define epoll_create1 toe_epoll_create1
#define epoll_ctl toe_epoll_ctl
#define epoll_wait toe_epoll_wait
#endif

#endif
