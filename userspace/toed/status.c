/* SPDX-License-Identifier: BSD-2-Clause */
/* What toectl asks for, as JSON. */
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rules.h"
#include "toed.h"

#define TOE_COUNTER(name, text) { #name, text },
static const struct {
	const char *name, *text;
} counters[] = {
#include "abi/counters.def"
};
#undef TOE_COUNTER

static json_t *queues(const struct device *d)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < d->nxsks; i++)
		if (d->xsk[i].fpc == d->xsk[i].owner)
			json_array_append_new(a,
					      json_pack("{s:i, s:i, s:s}", "queue", d->xsk[i].queue,
							"fpc", d->xsk[i].fpc, "mode",
							d->xsk[i].zerocopy ? "zero-copy" : "copy"));
	return a;
}

static json_t *vlans(struct toed *t, unsigned dev)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < TOE_MAX_VIFS; i++) {
		const struct toe_vif *v = &t->ctrl->vif[i];

		if (v->ifindex && v->dev == dev)
			json_array_append_new(
			    a, json_pack("{s:i, s:s, s:b, s:i}", "id", v->vlan & 0xfff, "protocol",
					 v->vlan & TOE_VLAN_STAG ? "802.1ad" : "802.1Q", "up",
					 !v->down, "mtu", v->mtu));
	}
	return a;
}

static int count_addresses(const struct toed *t, unsigned dev)
{
	int n = 0;

	for (unsigned i = 0; i < t->nlocals; i++)
		n += t->local[i].dev == dev;
	return n;
}

static json_t *devices(struct toed *t)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < t->ndevs; i++) {
		struct device *d = &t->dev[i];
		struct toe_xdp_dev *x = &t->xdp.dev[i];

		json_array_append_new(
		    a, json_pack("{s:s, s:s, s:b, s:i, s:i, s:{s:s, s:i, s:b, s:b}, s:o, s:o}",
				 "name", d->name, "driver", d->driver, "up", d->up, "mtu", d->mtu,
				 "addresses", count_addresses(t, i), "program", "attached",
				 toe_xdp_how_name(x->how), "id", x->prog_id, "generic", x->generic,
				 "frags", x->frags, "queues", queues(d), "vlans", vlans(t, i)));
	}
	return a;
}

static json_t *fpcs(struct toed *t)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < t->nfpcs; i++)
		json_array_append_new(
		    a, json_pack("{s:i, s:o, s:b, s:i}", "fpc", i, "cpu",
				 t->opt.cpu[i] == OPT_CPU_ANY ? json_null()
							      : json_integer(t->opt.cpu[i]),
				 "sleeping", toe_load(&t->ctrl->fpc[i].sleeping) != 0, "tcb_cache",
				 t->opt.tcb_cache));
	return a;
}

/* Bytes that a memfd has committed. */
static json_int_t committed(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : (json_int_t)st.st_blocks * 512;
}

static json_t *memory(struct toed *t)
{
	json_int_t umem = 0, arenas = 0;

	for (unsigned i = 0; i < t->ndevs; i++)
		umem += committed(t->dev[i].umem_fd);
	for (unsigned i = 0; i < TOE_MAX_APPS; i++)
		if (t->app[i].life != APP_NONE)
			arenas += committed(t->app[i].arena_fd);
	return json_pack("{s:I, s:I, s:I, s:I}", "control", committed(t->ctrl_fd), "state",
			 committed(t->state_fd), "frames", umem, "arenas", arenas);
}

static unsigned count_procs(const struct app *a)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TOE_MAX_PROCS; i++)
		n += a->proc[i].state != PROC_NONE;
	return n;
}

static unsigned count_ctxs(const struct app *a)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TOE_MAX_CTXS; i++)
		n += a->ctx[i].used;
	return n;
}

static unsigned count_listeners(const struct app *a)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TOE_MAX_LISTENERS; i++)
		n += a->listener[i].used && !a->listener[i].leaving;
	return n;
}

static const char *life_name(enum app_life life)
{
	static const char *const name[] = { "none",      "starting",  "running", "orphaned",
					    "lingering", "resetting", "leaving" };

	return name[life];
}

static unsigned count_flows(struct toed *t, unsigned app)
{
	unsigned n = 0;

	for (uint32_t id = 0; id < t->ctrl->nflows; id++) {
		struct toe_flow_ent e = { .word = toe_load_acquire(&t->tcbs[id].word) };

		n += e.life == TOE_LIFE_LIVE && t->tcbs[id].app == app;
	}
	return n;
}

static json_t *apps(struct toed *t)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < TOE_MAX_APPS; i++) {
		struct app *p = &t->app[i];

		if (p->life == APP_NONE)
			continue;
		json_array_append_new(
		    a, json_pack("{s:i, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:I}", "app", i, "state",
				 life_name(p->life), "pid", p->pid, "uid", p->uid, "processes",
				 count_procs(p), "contexts", count_ctxs(p), "listeners",
				 count_listeners(p), "flows", count_flows(t, i), "memory",
				 committed(p->arena_fd)));
	}
	return a;
}

static json_t *endpoints(struct toed *t)
{
	json_int_t n[3] = { 0 };

	for (unsigned i = 0; i < TOE_MAX_ENDPOINTS; i++)
		n[t->ctrl->endpoint[i].state % 3]++;
	return json_pack("{s:I, s:I}", "open", n[TOE_EP_OPEN], "closing", n[TOE_EP_CLOSING]);
}

static json_t *firmware(struct toed *t)
{
	uint32_t s = t->fw.last_exit;

	return json_pack("{s:i, s:b, s:i, s:i}", "pid", t->fw.pid, "running", t->fw.ready,
			 "restarts", t->fw.restarts, "last_signal",
			 WIFSIGNALED(s) ? WTERMSIG(s) : 0);
}

static json_t *make_status(struct toed *t)
{
	char range[16];

	snprintf(range, sizeof(range), "%u-%u", t->port_lo, t->port_hi);
	return json_pack("{s:i, s:i, s:I, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "version", TOE_ABI_VERSION, "pid", getpid(), "uptime_s",
			 (json_int_t)(loop_now() - t->started) / 1000, "pins", t->pin_dir,
			 "active_ports", range, "poll_busy", t->opt.poll_busy, "firmware",
			 firmware(t), "devices", devices(t), "fpcs", fpcs(t), "endpoints",
			 endpoints(t), "apps", apps(t), "memory", memory(t), "input_rules",
			 rules_list());
}

static const char *state_name(unsigned state)
{
	static const char *const name[] = { "CLOSED",       "LISTEN",      "SYN_SENT",
					    "SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1",
					    "FIN_WAIT_2",   "CLOSE_WAIT",  "CLOSING",
					    "LAST_ACK",     "TIME_WAIT" };

	return state < sizeof(name) / sizeof(name[0]) ? name[state] : "?";
}

static json_t *make_flows(struct toed *t)
{
	json_t *a = json_array();

	for (uint32_t id = 0; id < t->ctrl->nflows; id++) {
		struct toe_flow_ent e = { .word = toe_load_acquire(&t->tcbs[id].word) };
		struct toe_flow_view v;

		if (e.life != TOE_LIFE_LIVE)
			continue;
		flow_view_fill(t, id, &v);
		json_array_append_new(
		    a,
		    json_pack(
			"{s:I, s:s, s:s, s:s, s:i, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			"flow", (json_int_t)id, "local", v.local, "remote", v.remote, "state",
			state_name(v.state), "fpc", v.fpc, "app", v.app, "tcb",
			v.tcb == spilled ? "spilled" : "cached", "snd_una", (json_int_t)v.snd_una,
			"snd_nxt", (json_int_t)v.snd_nxt, "snd_wnd", (json_int_t)v.snd_wnd,
			"rcv_nxt", (json_int_t)v.rcv_nxt, "rcv_wnd", (json_int_t)v.rcv_wnd, "cwnd",
			(json_int_t)v.cwnd, "srtt_us", (json_int_t)v.srtt_us));
	}
	return a;
}

static json_t *make_stats(struct toed *t)
{
	json_t *a = json_array();

	for (unsigned c = 0; c < TOE_CNT_COUNT; c++) {
		uint64_t sum = 0;

		for (unsigned row = 0; row < TOE_STATS_ROWS; row++)
			sum += toe_load(&t->stats[row].count[c]);
		json_array_append_new(a, json_pack("{s:s, s:I, s:s}", "name", counters[c].name,
						   "value", (json_int_t)sum, "text",
						   counters[c].text));
	}
	return a;
}

int status_make(struct toed *t, uint32_t type)
{
	json_t *j = type == TOE_ADM_REQ_STATUS  ? make_status(t)
		    : type == TOE_ADM_REQ_FLOWS ? make_flows(t)
						: make_stats(t);
	int err, fd = memfd_create("toe-status", MFD_CLOEXEC);

	if (fd < 0)
		err = -errno;
	else
		err = j && !json_dumpfd(j, fd, JSON_INDENT(1)) ? fd : -ENOMEM;
	if (err < 0 && fd >= 0)
		close(fd);
	json_decref(j);
	return err;
}
