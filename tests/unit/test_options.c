/* SPDX-License-Identifier: BSD-2-Clause */
#include "userspace/toed/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "tests/harness/unit.h"

static struct options o;

#define PARSE(...) parse((char *[]){ "toed", __VA_ARGS__, NULL })

static int parse(char **argv)
{
	int n = 0;

	while (argv[n])
		n++;
	optind = 0; /* begin anew */
	return options_parse(&o, n, argv);
}

static void options_cpus__lists_and_ranges(void)
{
	int cpu[8];

	CU_ASSERT_EQUAL(options_cpus("1", cpu, 8), 1);
	CU_ASSERT_EQUAL(cpu[0], 1);
	CU_ASSERT_EQUAL(options_cpus("0,2-4", cpu, 8), 4);
	CU_ASSERT(cpu[0] == 0 && cpu[1] == 2 && cpu[3] == 4);
}

static void options_cpus__refuses(void)
{
	int cpu[2];
	static const char *const bad[] = { "", "a", "1,", "3-1", "1;2", "0-2", "-1" };

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(options_cpus(bad[i], cpu, 2), -EINVAL);
}

static void options_parse__defaults(void)
{
	CU_ASSERT_EQUAL(PARSE("--dev", "eth0"), 0);
	CU_ASSERT(o.ndevs == 1 && o.nfpcs == 1 && o.tcb_cache == 1024 && !o.poll_busy);
	CU_ASSERT_EQUAL(o.cpu[0], OPT_CPU_ANY);
	CU_ASSERT(o.cc == TOE_CC_CUBIC && o.ecn == TOE_ECN_PASSIVE && o.timestamps);
	CU_ASSERT_STRING_EQUAL(o.socket, "/run/toe/toed.sock");
	CU_ASSERT(o.rcvbuf_max == 6 << 20 && o.sndbuf_max == 4 << 20 && o.app_buffers > 1 << 20);
}

static void options_parse__sizes(void)
{
	CU_ASSERT_EQUAL(
	    PARSE("--dev", "a", "--rcvbuf-max", "16M", "--sndbuf-max", "0", "--app-buffers", "3G"),
	    0);
	CU_ASSERT(o.rcvbuf_max == 16 << 20 && !o.sndbuf_max && o.app_buffers == 3ull << 30);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--rcvbuf-max", "70000"), 0);
	CU_ASSERT_EQUAL(o.rcvbuf_max, 70000);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--rcvbuf-max", "17M"), 3);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--rcvbuf-max", "1K"), 3);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--rcvbuf-max", "1MB"), 3);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--rcvbuf-max", "-1"), 3);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--rcvbuf-max", "M"), 3);
}

static void options_parse__everything(void)
{
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--dev=b", "--fpcs", "2", "--cpus", "1,0",
			      "--tcb-cache", "16", "--congestion", "dctcp", "--ecn", "on",
			      "--timestamps", "off", "--poll=busy", "--socket", "/tmp/x"),
			0);
	CU_ASSERT(o.ndevs == 2 && !strcmp(o.dev[1], "b") && o.nfpcs == 2 && o.tcb_cache == 16);
	CU_ASSERT(o.cpu[0] == 1 && o.cpu[1] == 0 && o.poll_busy);
	CU_ASSERT(o.cc == TOE_CC_DCTCP && o.ecn == TOE_ECN_ON && !o.timestamps);
}

static void options_parse__wrong_usage_is_status_2(void)
{
	CU_ASSERT_EQUAL(parse((char *[]){ "toed", NULL }), 3);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--fpcs", "0"), 3);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--fpcs", "x"), 3);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--poll=lazy"), 3);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--congestion", "vegas"), 3);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "--ecn", "maybe"), 3);
	CU_ASSERT_EQUAL(PARSE("--dev", "a", "more"), 3);
	CU_ASSERT_EQUAL(PARSE("--nonsense"), 3);
}

UNIT_MAIN("options", T(options_cpus__lists_and_ranges), T(options_cpus__refuses),
	  T(options_parse__defaults), T(options_parse__sizes), T(options_parse__everything),
	  T(options_parse__wrong_usage_is_status_2))
