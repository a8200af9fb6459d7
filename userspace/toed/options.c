/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../manager/admission.h"
#include "abi/arena.h"
#include "log.h"

static const char help[] =
    "usage: toed --dev DEV [options]\n"
    "The TOE's control plane: attaches the XDP program, starts the firmware (toe-fw) and admits "
    "applications.\n"
    "Runs in the foreground and logs to stderr; SIGTERM resets what lives and puts everything "
    "back.\n"
    "\n"
    "  --dev DEV        network device to serve (repeat for several)\n"
    "  --fpcs N         flow processing cores, one thread each (default 1)\n"
    "  --cpus LIST      CPUs for them, such as 0,2-3 (default: where the scheduler likes)\n"
    "  --tcb-cache N    TCBs that each FPC keeps in its cache (default 1024)\n"
    "  --congestion NAME  congestion control of connections that do not choose: reno, cubic,\n"
    "                   dctcp, bbr (default cubic)\n"
    "  --ecn off|passive|on  ECN: never, when the peer asks, always ask (default passive)\n"
    "  --timestamps on|off   timestamps in segments (default on)\n"
    "  --rcvbuf-max N   size up to which receive buffers grow by themselves (default 6M; 0: not "
    "at\n"
    "                   all)\n"
    "  --sndbuf-max N   the same of send buffers (default 4M)\n"
    "  --app-buffers N  memory for an application's buffers beyond 64K, such as 1G (0: any; "
    "default\n"
    "                   a quarter of the machine's)\n"
    "  --poll=busy      never sleep, even when idle\n"
    "  --socket PATH    where applications attach (default " TOE_SOCKET_PATH ")\n"
    "  --group NAME     group that may attach (default: root only)\n"
    "  --bpf-obj PATH   XDP object (default: toe_xdp.bpf.o beside toed, or as installed)\n"
    "  --fw PATH        firmware program (default: toe-fw beside toed, or as installed)\n"
    "  --help           this text\n"
    "\n"
    "Exit status: 0 ended by a signal, 1 could not start or go on, 2 wrong usage.\n";

enum {
	OPT_DEV = 256,
	OPT_FPCS,
	OPT_CPUS,
	OPT_CACHE,
	OPT_CONGESTION,
	OPT_ECN,
	OPT_TIMESTAMPS,
	OPT_RCVBUF,
	OPT_SNDBUF,
	OPT_BUFFERS,
	OPT_POLL,
	OPT_SOCKET,
	OPT_GROUP,
	OPT_OBJ,
	OPT_FW,
	OPT_HELP
};

static const struct option longopts[] = {
	{ "dev", required_argument, NULL, OPT_DEV },
	{ "fpcs", required_argument, NULL, OPT_FPCS },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "tcb-cache", required_argument, NULL, OPT_CACHE },
	{ "congestion", required_argument, NULL, OPT_CONGESTION },
	{ "ecn", required_argument, NULL, OPT_ECN },
	{ "timestamps", required_argument, NULL, OPT_TIMESTAMPS },
	{ "rcvbuf-max", required_argument, NULL, OPT_RCVBUF },
	{ "sndbuf-max", required_argument, NULL, OPT_SNDBUF },
	{ "app-buffers", required_argument, NULL, OPT_BUFFERS },
	{ "poll", required_argument, NULL, OPT_POLL },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "group", required_argument, NULL, OPT_GROUP },
	{ "bpf-obj", required_argument, NULL, OPT_OBJ },
	{ "fw", required_argument, NULL, OPT_FW },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

int options_cpus(const char *list, int *cpu, unsigned max)
{
	unsigned n = 0;
	const char *s = list;
	char *end;

	do {
		long lo = strtol(s, &end, 10), hi = lo;

		if (end == s || lo < 0 || lo > 1023)
			return -EINVAL;
		if (*end == '-') {
			s = end + 1;
			hi = strtol(s, &end, 10);
			if (end == s || hi < lo || hi > 1023)
				return -EINVAL;
		}
		for (; lo <= hi; lo++) {
			if (n == max)
				return -EINVAL;
			cpu[n++] = (int)lo;
		}
		s = end + 1;
	} while (*end == ',');
	return *end ? -EINVAL : (int)n;
}

static int number(const char *what, const char *arg, long lo, long hi, unsigned *out)
{
	char *end;
	long v = strtol(arg, &end, 10);

	if (end == arg || *end || v < lo || v > hi) {
		say("--%s %s: give a number from %ld to %ld", what, arg, lo, hi);
		return -EINVAL;
	}
	*out = (unsigned)v;
	return 0;
}

static const char *const cc_names[TOE_CC_COUNT] = {
#define TOE_CC(id, object, name) [TOE_CC_##id] = name,
#include "abi/cc.def"
#undef TOE_CC
};

static const char *const off_on[] = { "off", "on" };

static const char *const ecn_names[] = {
	[TOE_ECN_OFF] = "off",
	[TOE_ECN_PASSIVE] = "passive",
	[TOE_ECN_ON] = "on",
};

/* One of `n` names; *out gets its index. */
static int name(const char *what, const char *arg, const char *const *names, unsigned n,
		unsigned *out)
{
	for (unsigned i = 0; i < n; i++) {
		if (!strcmp(arg, names[i])) {
			*out = i;
			return 0;
		}
	}
	say("--%s %s: not known; see toed --help", what, arg);
	return -EINVAL;
}

/* Bytes; K, M and G stand for their powers of 1024. 0, or 64K up to `hi`. */
static int size(const char *what, const char *arg, uint64_t hi, uint64_t *out)
{
	static const char units[] = "KMG";
	char *end;
	unsigned long long v = strtoull(arg, &end, 10);
	const char *unit = end > arg && *end ? strchr(units, *end) : NULL;

	if (unit && v <= hi) {
		v <<= 10 * (unit - units + 1);
		end++;
	}
	if (end == arg || *arg == '-' || *end || v > hi || (v && v < TOE_BUF_DEFAULT)) {
		say("--%s %s: give 0, or a size from 64K to %lluK", what, arg,
		    (unsigned long long)hi >> 10);
		return -EINVAL;
	}
	*out = v;
	return 0;
}

/* A file beside our own program (a build tree), else where `make install` puts it. */
static void find_beside(char *out, size_t room, const char *name)
{
	char self[200];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = 0;
	slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	snprintf(out, room, "%s/%s", self, name);
	if (access(out, R_OK))
		snprintf(out, room, "%s/../lib/toe/%s", self, name);
}

static int add_dev(struct options *o, const char *name)
{
	if (o->ndevs == TOE_MAX_DEVS) {
		say("--dev %s: at most %d devices", name, TOE_MAX_DEVS);
		return -EINVAL;
	}
	o->dev[o->ndevs++] = name;
	return 0;
}

static int set_cpus(struct options *o, const char *list)
{
	if (options_cpus(list, o->cpu, TOE_MAX_FPCS) < 0) {
		say("--cpus %s: give CPU numbers such as 0,2-3, at most %d", list, TOE_MAX_FPCS);
		return -EINVAL;
	}
	return 0;
}

static int one(struct options *o, int c, const char *arg)
{
	switch (c) {
	case OPT_DEV:
		return add_dev(o, arg);
	case OPT_FPCS:
		return number("fpcs", arg, 1, TOE_MAX_FPCS, &o->nfpcs);
	case OPT_CPUS:
		return set_cpus(o, arg);
	case OPT_CACHE:
		return number("tcb-cache", arg, 8, TOE_MAX_FLOWS, &o->tcb_cache);
	case OPT_CONGESTION:
		return name("congestion", arg, cc_names, TOE_CC_COUNT, &o->cc);
	case OPT_ECN:
		return name("ecn", arg, ecn_names, sizeof(ecn_names) / sizeof(ecn_names[0]),
			    &o->ecn);
	case OPT_TIMESTAMPS:
		return name("timestamps", arg, off_on, sizeof(off_on) / sizeof(off_on[0]),
			    &o->timestamps);
	case OPT_RCVBUF:
		return size("rcvbuf-max", arg, TOE_BUF_MAX, &o->rcvbuf_max);
	case OPT_SNDBUF:
		return size("sndbuf-max", arg, TOE_BUF_MAX, &o->sndbuf_max);
	case OPT_BUFFERS:
		return size("app-buffers", arg, 1ull << 40, &o->app_buffers);
	case OPT_POLL:
		o->poll_busy = !strcmp(arg, "busy");
		if (!o->poll_busy)
			say("--poll=%s: only --poll=busy is known", arg);
		return o->poll_busy ? 0 : -EINVAL;
	case OPT_SOCKET:
		o->socket = arg;
		return 0;
	case OPT_GROUP:
		o->group = arg;
		return 0;
	case OPT_OBJ:
		snprintf(o->bpf_obj, sizeof(o->bpf_obj), "%s", arg);
		return 0;
	case OPT_FW:
		snprintf(o->fw, sizeof(o->fw), "%s", arg);
		return 0;
	default:
		return -EINVAL;
	}
}

int options_parse(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options){ .nfpcs = 1,
			       .tcb_cache = 1024,
			       .cc = TOE_CC_CUBIC,
			       .ecn = TOE_ECN_PASSIVE,
			       .timestamps = 1,
			       .socket = TOE_SOCKET_PATH };
	o->rcvbuf_max = 6 << 20;
	o->sndbuf_max = 4 << 20;
	o->app_buffers = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 4;
	for (unsigned i = 0; i < TOE_MAX_FPCS; i++)
		o->cpu[i] = OPT_CPU_ANY;
	find_beside(o->bpf_obj, sizeof(o->bpf_obj), "toe_xdp.bpf.o");
	find_beside(o->fw, sizeof(o->fw), "toe-fw");
	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		if (c == OPT_HELP) {
			fputs(help, stdout);
			return 1;
		}
		if (one(o, c, optarg))
			return 3;
	}
	if (optind < argc || !o->ndevs) {
		say("%s; see toed --help", o->ndevs ? "unexpected argument" : "no --dev DEV given");
		return 3;
	}
	return 0;
}
