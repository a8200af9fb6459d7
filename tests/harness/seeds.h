/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of a program that throws dice: `[SEED [COUNT]]`, a single seed if there is no count. */
#ifndef TOE_TESTS_SEEDS_H
#define TOE_TESTS_SEEDS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* *first and *n keep their values where there is nothing. What is no number ends the program, status 2. */
static inline void seeds(int argc, char **argv, uint64_t *first, unsigned *n)
{
	char none = 0, *end = &none;

	if (argc > 1) {
		*first = strtoull(argv[1], &end, 0);
		*n = 1;
	}
	if (argc > 2 && !*end)
		*n = (unsigned)strtoul(argv[2], &end, 0);
	if (argc <= 3 && !*end)
		return;
	fprintf(stderr, "usage: %s [SEED [COUNT]]\n", argv[0]);
	exit(2);
}

#endif
