/* SPDX-License-Identifier: BSD-2-Clause */
/* The three tables. */
#include <stdio.h>

#include "toectl.h"

static const char *size_text(long long bytes, char out[24])
{
	static const char unit[] = "BKMGT";
	unsigned u = 0;
	double v = (double)bytes;

	for (; v >= 1024 && u < 4; u++)
		v /= 1024;
	snprintf(out, 24, u ? "%.1f %c" : "%.0f %c", v, unit[u]);
	return out;
}

static void show_devices(const json_t *devices)
{
	const json_t *d, *q, *p;
	size_t i, k;

	json_array_foreach(devices, i, d)
	{
		p = json_object_get(d, "program");
		printf("device    %s (%s, %s, MTU %lld, %lld address%s)\n", str(d, "name"),
		       str(d, "driver"), num(d, "up") ? "up" : "down", num(d, "mtu"),
		       num(d, "addresses"), num(d, "addresses") == 1 ? "" : "es");
		printf("  program %lld, attached %s, %s%s\n", num(p, "id"), str(p, "attached"),
		       num(p, "generic") ? "generic" : "in the driver",
		       num(p, "frags") ? ", frags" : "");
		json_array_foreach(json_object_get(d, "queues"), k, q)
		    printf("  queue   %lld: FPC %lld, %s\n", num(q, "queue"), num(q, "fpc"),
			   str(q, "mode"));
		json_array_foreach(json_object_get(d, "vlans"), k, q)
		    printf("  VLAN    %lld (%s, %s), MTU %lld\n", num(q, "id"), str(q, "protocol"),
			   num(q, "up") ? "up" : "down", num(q, "mtu"));
	}
}

static void show_fpcs(const json_t *fpcs)
{
	const json_t *f, *cpu;
	size_t i;

	json_array_foreach(fpcs, i, f)
	{
		printf("FPC %lld     ", num(f, "fpc"));
		cpu = json_object_get(f, "cpu");
		if (json_is_integer(cpu))
			printf("CPU %lld, ", (long long)json_integer_value(cpu));
		printf("cache of %lld TCBs, %s\n", num(f, "tcb_cache"),
		       num(f, "sleeping") ? "asleep" : "awake");
	}
}

static void show_apps(const json_t *apps)
{
	const json_t *a;
	char text[24];
	size_t i;

	json_array_foreach(apps, i, a) printf(
	    "app %-5lld pid %lld, %s, processes %lld, contexts %lld, listeners %lld, flows %lld, "
	    "%s\n",
	    num(a, "app"), num(a, "pid"), str(a, "state"), num(a, "processes"), num(a, "contexts"),
	    num(a, "listeners"), num(a, "flows"), size_text(num(a, "memory"), text));
}

static void show_warnings(const json_t *rules)
{
	const json_t *r;
	size_t i;

	json_array_foreach(rules, i, r)
	    printf("warning   %s does not see the TOE's traffic\n", json_string_value(r));
}

void show_status(const json_t *j)
{
	const json_t *fw = json_object_get(j, "firmware"), *m = json_object_get(j, "memory");
	const json_t *e = json_object_get(j, "endpoints");
	char a[24], b[24], c[24], d[24];

	printf("toed      pid %lld, up %lld s, pins in %s\n", num(j, "pid"), num(j, "uptime_s"),
	       str(j, "pins"));
	printf("toe-fw    pid %lld, %s, restarts %lld\n", num(fw, "pid"),
	       num(fw, "running") ? "running" : "NOT running", num(fw, "restarts"));
	show_devices(json_object_get(j, "devices"));
	show_fpcs(json_object_get(j, "fpcs"));
	printf("endpoints %lld open, %lld closing; active opens from ports %s\n", num(e, "open"),
	       num(e, "closing"), str(j, "active_ports"));
	show_apps(json_object_get(j, "apps"));
	printf("memory    control %s, state %s, frames %s, arenas %s\n",
	       size_text(num(m, "control"), a), size_text(num(m, "state"), b),
	       size_text(num(m, "frames"), c), size_text(num(m, "arenas"), d));
	show_warnings(json_object_get(j, "input_rules"));
}

void show_flows(const json_t *j)
{
	const json_t *f;
	size_t i;

	printf("%-6s %-22s %-22s %-12s %3s %3s %-7s %8s %8s %8s %8s\n", "FLOW", "LOCAL", "REMOTE",
	       "STATE", "FPC", "APP", "TCB", "INFLIGHT", "CWND", "RCVWND", "SRTT/us");
	json_array_foreach(j, i, f) printf(
	    "%-6lld %-22s %-22s %-12s %3lld %3lld %-7s %8u %8lld %8lld %8lld\n", num(f, "flow"),
	    str(f, "local"), str(f, "remote"), str(f, "state"), num(f, "fpc"), num(f, "app"),
	    str(f, "tcb"), (unsigned)(num(f, "snd_nxt") - num(f, "snd_una")), num(f, "cwnd"),
	    num(f, "rcv_wnd"), num(f, "srtt_us"));
}

void show_stats(const json_t *j)
{
	const json_t *c;
	size_t i;

	json_array_foreach(j, i, c) if (num(c, "value"))
	    printf("%-20s %14lld  %s\n", str(c, "name"), num(c, "value"), str(c, "text"));
}
