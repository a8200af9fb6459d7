/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOE_TOED_OPTIONS_H
#define TOE_TOED_OPTIONS_H

#include <stdbool.h>

#include "abi/cmd.h"

enum { OPT_CPU_ANY = -1 };

struct options {
	const char *dev[TOE_MAX_DEVS];
	unsigned ndevs;
	unsigned nfpcs;
	int cpu[TOE_MAX_FPCS]; /* of each FPC, OPT_CPU_ANY = not pinned */
	unsigned tcb_cache; /* TCBs per FPC */
	unsigned cc; /* enum toe_cc_id */
	unsigned ecn; /* enum toe_ecn_policy */
	unsigned timestamps; /* 0: none (RFC 7323) */
	uint64_t rcvbuf_max, sndbuf_max; /* bytes, 0 = buffers are not sized automatically */
	uint64_t app_buffers; /* bytes of an application's buffers beyond 64 KB, 0 = any */
	bool poll_busy;
	const char *socket; /* path of the admission socket */
	const char *group; /* whose members may use it, NULL = root's */
	char bpf_obj[256];
	char fw[256];
};

/*
 * Read the command line. 0: go on; else the process' exit status + 1 (help was shown, or an error
 * was said).
 */
int options_parse(struct options *o, int argc, char **argv);

/* "0,2-3" -> cpu[0..]; returns how many, or -EINVAL. At most `max`. */
int options_cpus(const char *list, int *cpu, unsigned max);

#endif
