/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "env.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static void give_up(const char *suite, const char *what)
{
	printf("%s: %s: %s. Run as root on a kernel with BPF and AF_XDP.\n", suite, what,
	       strerror(errno));
	printf("# %s: 0 passed, 1 failed\n", suite);
	exit(1);
}

void env_enter(const char *suite)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		give_up(suite, "no namespaces");
	while (!umount2("/sys/fs/bpf", MNT_DETACH))
		;
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL) != 1)
		give_up(suite, "XDP programs cannot be loaded");
}

const char *env_object(void)
{
	static char path[512];
	const char *env = getenv("TOE_BPF_OBJ");
	ssize_t n;

	if (env)
		return env;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n < 0)
		return NULL;
	path[n] = 0;
	for (int up = 0; up < 3; up++) /* build/tests/bpf/PROGRAM */
		*strrchr(path, '/') = 0;
	strcat(path, "/toe_xdp.bpf.o");
	return path;
}

int env_sh(const char *fmt, ...)
{
	char cmd[512], quiet[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(quiet, sizeof(quiet), "{ %s; } >/dev/null 2>&1", cmd);
	return system(quiet);
}

int env_xsk(void)
{
	return socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
}
