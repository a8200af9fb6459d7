/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What toed changes in the system is written to a file while it lasts, so that the next toed can
 * put it back if this one is killed. One file per toed, named by the network namespace (whose
 * cookie is never used twice) and locked by its owner: a file that can be locked is of a dead one.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "toed.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define UNDO_DIR "/run/toe"

static int own_fd = -1;
static char own_path[128];

uint64_t netns_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
	return cookie;
}

static uint64_t own_cookie(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = fd < 0 ? 0 : netns_cookie(fd);

	if (fd >= 0)
		close(fd);
	return cookie;
}

/* One line of a dead toed's file. */
static void put_back(const char *line)
{
	struct device d = { .umem_fd = -1 };
	unsigned lo, hi;

	if (sscanf(line, "ports %u-%u", &lo, &hi) == 2 && lo <= hi && hi <= 65535)
		reserve_give_back((uint16_t)lo, (uint16_t)hi);
	else if (sscanf(line, "queues %15s %u", d.name, &d.queues_were) == 2)
		device_restore(&d);
	else if (sscanf(line, "rxvlan %15s", d.name) == 1) {
		d.rxvlan_was = true;
		device_restore(&d);
	}
}

static void settle(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char line[128];
	FILE *f;

	if (fd < 0)
		return;
	f = flock(fd, LOCK_EX | LOCK_NB) ? NULL : fdopen(fd, "r");
	if (!f) {
		close(fd);
		return;
	}
	say("an earlier toed was killed: putting back what it had changed");
	while (fgets(line, sizeof(line), f))
		put_back(line);
	unlink(path);
	fclose(f);
}

static void settle_all(const char *prefix)
{
	DIR *dir = opendir(UNDO_DIR);
	struct dirent *e;
	char path[sizeof(UNDO_DIR) + sizeof(e->d_name)];

	while (dir && (e = readdir(dir))) {
		if (strncmp(e->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(path, sizeof(path), UNDO_DIR "/%s", e->d_name);
		settle(path);
	}
	if (dir)
		closedir(dir);
}

void undo_begin(void)
{
	char prefix[48];

	snprintf(prefix, sizeof(prefix), "undo-%llx-", (unsigned long long)own_cookie());
	settle_all(prefix);
	if (mkdir(UNDO_DIR, 0755) && errno != EEXIST)
		return;
	snprintf(own_path, sizeof(own_path), UNDO_DIR "/%s%d", prefix, getpid());
	own_fd = open(own_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (own_fd >= 0 && flock(own_fd, LOCK_EX | LOCK_NB)) {
		close(own_fd);
		own_fd = -1;
	}
}

void undo_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (own_fd >= 0)
		vdprintf(own_fd, fmt, ap);
	va_end(ap);
}

void undo_end(void)
{
	if (own_fd < 0)
		return;
	unlink(own_path);
	close(own_fd);
	own_fd = -1;
}
