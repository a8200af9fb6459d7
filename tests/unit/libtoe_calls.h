/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of libtoe share besides the fake: calls whose result is an errno, a stream, SIGPIPE. */
#ifndef LIBTOE_CALLS_H
#define LIBTOE_CALLS_H

#include <netinet/in.h>
#include <sys/single_threaded.h>

#include "fake_toe.h"

static inline int err(int r)
{
	return r < 0 ? errno : 0;
}

static inline struct sockaddr_in addr_of(const char *ip, int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = inet_addr(ip) };
}

static inline int do_connect(int fd, const char *ip, int port)
{
	struct sockaddr_in sa = addr_of(ip, port);
	char single = __libc_single_threaded;
	int r;

	if (!toe_load(
		&fake.running)) /* nobody answers before the next fake_step: not to be waited for */
		__libc_single_threaded = true;
	r = err(toe_connect(fd, (struct sockaddr *)&sa, sizeof(sa)));
	__libc_single_threaded = single;
	return r;
}

/* The flow that was assigned last. */
static inline uint32_t newest(void)
{
	uint32_t best = 0;

	pthread_mutex_lock(&fake.lock);
	for (uint32_t i = 0; i < FAKE_FLOWS; i++)
		if (fake.flow[i].live)
			best = i;
	pthread_mutex_unlock(&fake.lock);
	return best;
}

/* Bytes that tell their place in a stream. */
static inline uint8_t pattern(uint64_t pos)
{
	return (uint8_t)(pos * 31 + pos / 251);
}

static inline void fill(uint8_t *p, uint64_t pos, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		p[i] = pattern(pos + i);
}

static inline bool is_pattern(const uint8_t *p, uint64_t pos, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (p[i] != pattern(pos + i))
			return false;
	return true;
}

static __attribute__((unused)) volatile int sigpipes;

static inline void on_sigpipe(int sig)
{
	sigpipes++;
}

#endif
