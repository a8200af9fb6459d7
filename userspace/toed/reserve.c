/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports for active opens: a range that no kernel socket uses, reserved in the network namespace so
 * that the kernel does not give them out either. What was reserved before stays, and is all that is
 * left at the end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "portset.h"
#include "toed.h"

#define RESERVED_PORTS "/proc/sys/net/ipv4/ip_local_reserved_ports"

enum {
	PORTS_FROM = 32768, /* services have theirs below */
	PORTS_MOST = 8192,
	PORTS_LEAST = 256,
};

/*
 * The second column of /proc/net/tcp: local address and port in hexadecimal. TIME_WAIT is listed,
 * too.
 */
static void add_used(struct portset *s, const char *path)
{
	FILE *f = fopen(path, "re");
	char line[512];
	unsigned port;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%4X", &port) == 1)
			portset_range(s, port, port, true);
	fclose(f);
}

static int read_reserved(struct portset *s)
{
	static char text[65536];
	FILE *f = fopen(RESERVED_PORTS, "re");

	memset(s, 0, sizeof(*s));
	if (!f)
		return -errno;
	if (!fgets(text, sizeof(text), f))
		text[0] = 0;
	fclose(f);
	return portset_parse(s, text);
}

static int write_reserved(const struct portset *s)
{
	static char text[65536];
	int n = portset_format(s, text, sizeof(text) - 1);
	int fd, err;

	if (n < 0)
		return n;
	text[n++] = '\n'; /* an empty line clears the list */
	fd = open(RESERVED_PORTS, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write(fd, text, (size_t)n) < 0 ? -errno : 0;
	close(fd);
	return err;
}

int reserve_ports(struct toed *t)
{
	struct portset used, reserved;
	int err = read_reserved(&reserved);

	if (err) {
		say("%s: %s", RESERVED_PORTS, strerror(-err));
		return err;
	}
	used = reserved;
	add_used(&used, "/proc/net/tcp");
	add_used(&used, "/proc/net/tcp6");
	if (portset_gap(&used, PORTS_FROM, PORTS_MOST, &t->port_lo, &t->port_hi) < PORTS_LEAST) {
		say("no %d free ports in a row from %d on for active opens: see ss -tan and %s",
		    PORTS_LEAST, PORTS_FROM, RESERVED_PORTS);
		t->port_lo = t->port_hi = 0;
		return -EADDRINUSE;
	}
	portset_range(&reserved, t->port_lo, t->port_hi, true);
	undo_note("ports %u-%u\n", t->port_lo, t->port_hi);
	err = write_reserved(&reserved);
	if (err) {
		say("%s cannot be written: %s", RESERVED_PORTS, strerror(-err));
		t->port_lo = t->port_hi = 0;
	}
	return err;
}

void reserve_give_back(uint16_t lo, uint16_t hi)
{
	struct portset reserved;

	if (read_reserved(&reserved))
		return;
	portset_range(&reserved, lo, hi, false);
	if (write_reserved(&reserved))
		say("%s: %u-%u could not be given back", RESERVED_PORTS, lo, hi);
}

void reserve_restore(struct toed *t)
{
	if (t->port_lo)
		reserve_give_back(t->port_lo, t->port_hi);
}
