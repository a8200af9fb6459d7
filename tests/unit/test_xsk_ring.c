/* SPDX-License-Identifier: BSD-2-Clause */
/* port/linux/xsk_ring, without AF_XDP: a datagram shows whether the socket was asked for something. */
#include "port/linux/xsk_ring.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/unit.h"

static void wake_rx__only_when_the_driver_waits(void)
{
	uint32_t flags = 0;
	struct lx_ring fill = { .flags = &flags };
	char c = 'x';
	int fd[2];

	CU_ASSERT_FATAL(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fd));
	CU_ASSERT_EQUAL(send(fd[1], &c, 1, 0), 1);
	lx_ring_wake_rx(&fill, fd[0]);
	CU_ASSERT_EQUAL(recv(fd[0], &c, 1, MSG_DONTWAIT | MSG_PEEK), 1);
	flags = XDP_RING_NEED_WAKEUP;
	lx_ring_wake_rx(&fill, fd[0]);
	CU_ASSERT_EQUAL(recv(fd[0], &c, 1, MSG_DONTWAIT | MSG_PEEK), -1);
	lx_ring_wake_rx(&fill, fd[0]); /* it is not waited for anything */
	close(fd[0]);
	close(fd[1]);
}

UNIT_MAIN("xsk_ring", T(wake_rx__only_when_the_driver_waits))
