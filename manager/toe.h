/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libtoe: the TOE Manager's socket API. Every call has the signature, the errors and the meaning of
 * its POSIX or Linux namesake; descriptors are real ones, and kernel descriptors may be passed to
 * every call.
 *
 * toe_init attaches the process to toed; without it the first TCP toe_socket does so. Where no toed
 * answers, sockets are the kernel's. libtoe(3) has the differences and limits.
 */
#ifndef TOE_H
#define TOE_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * Attach to the toed whose control socket is `path` (NULL: $TOE_SOCKET, else /run/toe/toed.sock).
 * 0, or -1 with errno (ECONNREFUSED, ENOENT: no toed; EACCES: not admitted; EPROTO: other version;
 * EUSERS: too many applications). Nothing happens when the process is attached already.
 */
int toe_init(const char *path);
/* Close what is left, wait up to 2 s for what was sent to be acknowledged, detach. */
void toe_terminate(void);

int toe_socket(int domain, int type, int protocol);
int toe_bind(int fd, const struct sockaddr *addr, socklen_t len);
int toe_listen(int fd, int backlog);
int toe_accept(int fd, struct sockaddr *addr, socklen_t *len);
int toe_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int toe_connect(int fd, const struct sockaddr *addr, socklen_t len);
ssize_t toe_send(int fd, const void *buf, size_t len, int flags);
ssize_t toe_recv(int fd, void *buf, size_t len, int flags);
ssize_t toe_read(int fd, void *buf, size_t len);
ssize_t toe_write(int fd, const void *buf, size_t len);
ssize_t toe_readv(int fd, const struct iovec *iov, int n);
ssize_t toe_writev(int fd, const struct iovec *iov, int n);
ssize_t toe_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t toe_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t toe_sendfile(int out_fd, int in_fd, off_t *offset, size_t count);
ssize_t toe_splice(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t len,
		   unsigned flags);
int toe_shutdown(int fd, int how);
int toe_close(int fd);
int toe_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int toe_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int toe_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
int toe_getpeername(int fd, struct sockaddr *addr, socklen_t *len);
int toe_fcntl(int fd, int cmd, ...);
int toe_ioctl(int fd, unsigned long request, ...);
int toe_epoll_create1(int flags);
int toe_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int toe_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
