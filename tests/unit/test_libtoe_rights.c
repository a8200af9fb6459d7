/* SPDX-License-Identifier: BSD-2-Clause */
/* manager/rights.c: descriptors that are passed over UNIX sockets. */
#include <netinet/in.h>

#include "fake_toe.h"
#include "manager/sock.h"

enum { MOST = 3 };

/* `n` descriptors with one byte. 0 or errno. */
static int pass(int to, const int *fd, unsigned n)
{
	char ctl[CMSG_SPACE(MOST * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl,
			    .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fd, n * sizeof(int));
	return toe_sendmsg(to, &m, 0) < 0 ? errno : 0;
}

/* How many have come. */
static unsigned take(int from, int *fd)
{
	char ctl[CMSG_SPACE(MOST * sizeof(int))] __attribute__((aligned(8)));
	char b;
	struct iovec iov = { &b, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)
	};
	unsigned n;

	if (toe_recvmsg(from, &m, MSG_DONTWAIT) != 1 || !CMSG_FIRSTHDR(&m))
		return 0;
	n = (unsigned)((CMSG_FIRSTHDR(&m)->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), n * sizeof(int));
	return n;
}

/* It would lead nowhere there; here nothing has happened to it. */
static void sendmsg__a_connection_stays(void)
{
	uint32_t flow;
	int fd[MOST], got[MOST], pair[2];
	char b;

	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fd[0] = pair[1];
	fd[1] = pair[0];
	fd[2] = fake_pair(&flow, 0);
	CU_ASSERT_EQUAL(pass(pair[0], fd + 2, 1), EOPNOTSUPP);
	CU_ASSERT_EQUAL(pass(pair[0], fd, 3), EOPNOTSUPP);
	CU_ASSERT_EQUAL(take(pair[1], got), 0);
	fake_peer_send(flow, "x", 1);
	CU_ASSERT_EQUAL(toe_recv(fd[2], &b, 1, 0), 1);
	toe_close(fd[2]);
	close(pair[0]);
	close(pair[1]);
	fake_step();
}

static void sendmsg__an_undecided_socket_is_the_kernels(void)
{
	int fd[2] = { toe_socket(AF_INET, SOCK_STREAM, 0), fake_listener() }, got[MOST], pair[2];
	int domain = 0, listens = 0;
	socklen_t len = sizeof(int);

	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CU_ASSERT_EQUAL(pass(pair[0], fd, 2), 0);
	CU_ASSERT_EQUAL_FATAL(take(pair[1], got), 2);
	getsockopt(got[0], SOL_SOCKET, SO_DOMAIN, &domain, &len);
	CU_ASSERT_EQUAL(domain, AF_INET);
	getsockopt(got[1], SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
	CU_ASSERT_EQUAL(listens, 1);
	for (unsigned i = 0; i < 2; i++) {
		close(got[i]);
		toe_close(fd[i]);
		close(pair[i]);
	}
	fake_step();
}

/* What comes has the number of a connection that a plain close(2) took. */
static void recvmsg__numbers_that_were_others(void)
{
	int pair[2], got[MOST], fd;
	unsigned live;
	uint32_t flow;

	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	live = fake_live();
	CU_ASSERT_EQUAL(pass(pair[0], pair, 1), 0);
	fd = fake_pair(&flow, 0);
	CU_ASSERT_EQUAL(fake_live(), live + 1);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(take(pair[1], got), 1);
	CU_ASSERT_EQUAL(got[0], fd);
	CU_ASSERT_PTR_NULL(tm_sock_of(fd));
	fake_step();
	CU_ASSERT_EQUAL(fake_live(), live);
	CU_ASSERT_EQUAL(toe_send(fd, "y", 1, 0), 1);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

FAKE_MAIN("libtoe_rights", T(sendmsg__a_connection_stays),
	  T(sendmsg__an_undecided_socket_is_the_kernels), T(recvmsg__numbers_that_were_others))
