/* SPDX-License-Identifier: BSD-2-Clause */
/* What a socket says of its ends. Include it after toe_or_kernel.h. */
#ifndef TOE_TEST_NAMES_H
#define TOE_TEST_NAMES_H

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* "LOCAL PORT PEER PORT", addresses with their scope. */
static inline void names_of(int fd, char *out, size_t size)
{
	char host[2][64] = { "-", "-" }, port[2][16] = { "-", "-" };

	for (int i = 0; i < 2; i++) {
		struct sockaddr_storage a;
		socklen_t len = sizeof(a);

		if (!(i ? getpeername(fd, (struct sockaddr *)&a, &len)
			: getsockname(fd, (struct sockaddr *)&a, &len)))
			getnameinfo((struct sockaddr *)&a, len, host[i], sizeof(host[i]), port[i],
				    sizeof(port[i]), NI_NUMERICHOST | NI_NUMERICSERV);
	}
	snprintf(out, size, "%s %s %s %s", host[0], port[0], host[1], port[1]);
}

#endif
