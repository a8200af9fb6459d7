/* SPDX-License-Identifier: BSD-2-Clause */
/* toed: start everything in order, serve, and put everything back. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "toed.h"

enum { RESET_MS = 2000 }; /* for the FPCs to reset what lives */

static struct toed toed;

static void (*const fire[TIMER_COUNT])(struct toed *) = {
	[TIMER_ADMIN] = admin_flush,        [TIMER_REAP] = apps_reap,
	[TIMER_SWEEP] = endpoints_sweep,    [TIMER_VIEW] = flows_view_refresh,
	[TIMER_ROUTES] = next_hops_reroute, [TIMER_RESYNC] = netlink_resync,
	[TIMER_RESTART] = fw_restart,
};

static int check_host(const struct options *o)
{
	if (geteuid()) {
		say("must be run as root (it loads BPF programs and creates AF_XDP sockets)");
		return -EPERM;
	}
	if (access(o->fw, X_OK)) {
		say("%s: %s; give --fw PATH", o->fw, strerror(errno));
		return -ENOENT;
	}
	return 0;
}

/* Pins have one place per host; a toed with a socket of its own gets pins of its own. */
static void choose_pins(struct toed *t)
{
	struct stat st = { 0 };

	if (!strcmp(t->opt.socket, TOE_SOCKET_PATH)) {
		snprintf(t->pin_dir, sizeof(t->pin_dir), "%s", TOE_PIN_DIR);
		return;
	}
	stat("/proc/self/ns/net", &st);
	snprintf(t->pin_dir, sizeof(t->pin_dir), "%s-%lu", TOE_PIN_DIR, (unsigned long)st.st_ino);
}

static int open_program(struct toed *t)
{
	int ifindex[TOE_MAX_DEVS], err;

	for (unsigned i = 0; i < t->ndevs; i++)
		ifindex[i] = t->dev[i].ifindex;
	choose_pins(t);
	err = toe_xdp_open(&t->xdp, t->opt.bpf_obj, t->pin_dir, ifindex, t->ndevs);
	if (!err) {
		err = toe_maps_clear(&t->xdp.maps);
		if (err)
			snprintf(t->xdp.error, sizeof(t->xdp.error),
				 "the maps cannot be cleared: %s", strerror(-err));
	}
	if (err) {
		say("%s", t->xdp.error);
		return err;
	}
	t->config = toe_map_mmap(TOE_MAP_CONFIG, t->xdp.maps.fd[TOE_MAP_CONFIG]);
	t->tcbs = toe_map_mmap(TOE_MAP_TCBS, t->xdp.maps.fd[TOE_MAP_TCBS]);
	t->index = toe_map_mmap(TOE_MAP_FLOW_INDEX, t->xdp.maps.fd[TOE_MAP_FLOW_INDEX]);
	t->stats = toe_map_mmap(TOE_MAP_STATS, t->xdp.maps.fd[TOE_MAP_STATS]);
	if (!t->config || !t->tcbs || !t->index || !t->stats) {
		say("the BPF maps cannot be mapped: %s", strerror(errno));
		return -ENOMEM;
	}
	return 0;
}

/* A descriptor for every client, context and listener: as many as may be had. */
static void raise_nofile(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* The program passes everything until the magic is there. */
static void fill_config(struct toed *t)
{
	struct toe_config *c = t->config;

	c->version = TOE_ABI_VERSION;
	c->nfpcs = t->nfpcs;
	c->nbuckets = TOE_BUCKETS;
	memcpy(c->key, t->ctrl->key, sizeof(c->key));
	c->port_lo = t->port_lo;
	c->port_hi = t->port_hi;
	for (unsigned i = 0; i < t->ndevs; i++)
		c->dev_ifindex[i] = (uint32_t)t->dev[i].ifindex;
	toe_store_release(&c->magic, TOE_CONFIG_MAGIC);
}

static int attach_device(struct toed *t, unsigned i)
{
	int err = toe_xdp_attach(&t->xdp, i, false);

	if (err == -EOPNOTSUPP) {
		say("%s: no XDP in the driver (%s), running in the slower generic mode",
		    t->dev[i].name, t->xdp.error);
		err = toe_xdp_attach(&t->xdp, i, true);
	}
	if (!err && t->dev[i].pieces && !t->xdp.dev[i].frags && !t->xdp.dev[i].generic) {
		say("%s has MTU %u: the program attached there must be that of section xdp.frags",
		    t->dev[i].name, t->dev[i].mtu);
		return -EMSGSIZE;
	}
	if (err)
		say("%s: %s", t->dev[i].name, t->xdp.error);
	else
		say("%s: XDP program %u (%s%s)", t->dev[i].name, t->xdp.dev[i].prog_id,
		    toe_xdp_how_name(t->xdp.dev[i].how), t->xdp.dev[i].generic ? ", generic" : "");
	return err;
}

static int open_devices(struct toed *t)
{
	int err = 0;

	for (unsigned i = 0; i < t->opt.ndevs && !err; i++) {
		err = device_open(t, i, t->opt.dev[i]);
		t->ndevs = i + 1;
	}
	if (!err)
		undo_begin();
	for (unsigned i = 0; i < t->ndevs && !err; i++)
		err = device_prepare(t, &t->dev[i]);
	return err;
}

static int start(struct toed *t)
{
	int err = open_devices(t);

	if (!err)
		err = admission_open(t);
	if (!err)
		err = open_program(t);
	if (!err)
		err = reserve_ports(t);
	if (!err)
		err = memory_make(t);
	for (unsigned i = 0; i < t->ndevs && !err; i++) {
		err = attach_device(t, i);
		if (!err)
			err = xsk_make(t, &t->dev[i]);
	}
	if (err)
		return err;
	fill_config(t);
	err = netlink_open(t);
	if (!err)
		err = links_load(t);
	if (!err) {
		next_hops_clean(t);
		err = addrs_load(t);
	}
	if (err) {
		say("netlink: %s", strerror(-err));
		return err;
	}
	err = fw_start(t);
	if (err)
		say("toe-fw cannot be started: %s", strerror(-err));
	loop_after(&t->loop, TIMER_VIEW, 0);
	return err;
}

/* Peers shall know that their connections are over. */
static void reset_flows(struct toed *t)
{
	uint64_t until = loop_now() + RESET_MS;
	bool done;

	if (!t->fw.ready)
		return;
	admin_send_all(t, TOE_ADM_RESET_ALL, 0, 0);
	do {
		done = true;
		for (unsigned i = 0; i < t->nfpcs; i++)
			done &= toe_load_acquire(&t->ctrl->reset_done[i]) != 0;
		admin_flush(t);
		usleep(1000);
	} while (!done && loop_now() < until);
}

static void stop(struct toed *t)
{
	t->quit = true;
	if (t->ctrl)
		reset_flows(t);
	if (t->fw.pid)
		fw_stop(t);
	if (t->config)
		toe_store_release(&t->config->magic, 0); /* from here on everything passes */
	if (t->tcbs)
		toe_maps_clear(&t->xdp.maps);
	for (unsigned i = 0; i < t->ndevs; i++) {
		if (t->tcbs)
			toe_xdp_detach(&t->xdp, i);
		xsk_remove(t, &t->dev[i]);
		device_restore(&t->dev[i]);
	}
	if (t->ctrl)
		next_hops_drop(t);
	netlink_close(t);
	if (t->pin_dir[0])
		toe_xdp_close(&t->xdp);
	reserve_restore(t);
	undo_end();
	admission_close(t);
}

static void signal_ready(struct toed *t, struct io *io)
{
	struct signalfd_siginfo s;

	if (read(io->fd, &s, sizeof(s)) == sizeof(s))
		say("signal %u: resetting connections and detaching", s.ssi_signo);
	t->quit = true;
}

static int catch_signals(struct toed *t)
{
	static struct io io;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	io = (struct io){ signalfd(-1, &set, SFD_CLOEXEC), signal_ready };
	return loop_add(&t->loop, &io);
}

int main(int argc, char **argv)
{
	struct toed *t = &toed;
	int err = options_parse(&t->opt, argc, argv);

	if (err)
		return err - 1;
	t->nfpcs = t->opt.nfpcs;
	t->started = loop_now();
	t->fw.io.fd = t->fw.pidio.fd = -1;
	toe_maps_init(&t->xdp.maps);
	err = check_host(&t->opt);
	if (err)
		return 1;
	raise_nofile();
	err = loop_init(&t->loop);
	if (!err)
		err = catch_signals(t);
	if (!err)
		err = start(t);
	while (!err && !t->quit)
		loop_step(t, &t->loop, fire);
	stop(t);
	return err || t->failed ? 1 : 0;
}
