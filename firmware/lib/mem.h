/* SPDX-License-Identifier: BSD-2-Clause */
/* The four functions that the freestanding firmware expects from whoever links it. */
#ifndef TOE_LIB_MEM_H
#define TOE_LIB_MEM_H

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/*
 * -ffreestanding hides from the compiler what these do; an eight-byte memcpy must stay one load and
 * one store.
 */
#define memcpy __builtin_memcpy
#define memmove __builtin_memmove
#define memset __builtin_memset
#define memcmp __builtin_memcmp

#endif
