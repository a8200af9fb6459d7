/* SPDX-License-Identifier: BSD-2-Clause */
/* Inputs that are a head and then records of one size: mutation by whole records. */
#ifndef TOE_TESTS_FUZZ_STEPS_H
#define TOE_TESTS_FUZZ_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct steps_shape {
	size_t head, rec; /* bytes */
	size_t most; /* records */
	void (*fresh)(uint8_t *rec, uint32_t random); /* make a likely record */
};

/* As LLVMFuzzerCustomMutator and LLVMFuzzerCustomCrossOver. */
size_t steps_mutate(const struct steps_shape *s, uint8_t *data, size_t n, size_t max,
		    unsigned seed);
size_t steps_cross(const struct steps_shape *s, const uint8_t *a, size_t na, const uint8_t *b,
		   size_t nb, uint8_t *out, size_t max, unsigned seed);

/* libFuzzer's own mutation. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max);

#endif
