/* SPDX-License-Identifier: BSD-2-Clause */
/* toectl: what a running toed knows, for people or as JSON. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../../manager/admission.h"
#include "toectl.h"

static const struct command {
	const char *name;
	uint32_t type;
	void (*show)(const json_t *);
	const char *help;
} commands[] = {
	{ "status", TOE_ADM_REQ_STATUS, show_status,
	  "devices, queues, FPCs, applications, memory, restarts" },
	{ "flows", TOE_ADM_REQ_FLOWS, show_flows, "live connections" },
	{ "stats", TOE_ADM_REQ_STATS, show_stats,
	  "counters and drop reasons (those that are 0 only with -j)" },
};

enum { NCOMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void help(FILE *to)
{
	fprintf(to, "usage: toectl [-j] [--socket PATH] COMMAND\n\n");
	for (unsigned i = 0; i < NCOMMANDS; i++)
		fprintf(to, "  %-16s %s\n", commands[i].name, commands[i].help);
	fprintf(to, "\n"
		    "  -j, --json       print JSON\n"
		    "  --socket PATH    toed's socket (default " TOE_SOCKET_PATH ")\n"
		    "  --help           this text\n\n"
		    "Exit status: 0 done, 1 toed does not answer, 2 wrong usage.\n");
}

static int run(const struct command *c, const char *path, bool json)
{
	json_t *j = query(path, c->type);

	if (!j)
		return 1;
	if (json) {
		json_dumpf(j, stdout, JSON_INDENT(1));
		putchar('\n');
	} else {
		c->show(j);
	}
	json_decref(j);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = { { "json", no_argument, NULL, 'j' },
						  { "socket", required_argument, NULL, 's' },
						  { "help", no_argument, NULL, 'h' },
						  { NULL, 0, NULL, 0 } };
	const char *path = TOE_SOCKET_PATH;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "j", longopts, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 's')
			path = optarg;
		else if (c == 'h') {
			help(stdout);
			return 0;
		} else
			return 2;
	}
	for (unsigned i = 0; optind == argc - 1 && i < NCOMMANDS; i++)
		if (!strcmp(argv[optind], commands[i].name))
			return run(&commands[i], path, json);
	help(stderr);
	return 2;
}
