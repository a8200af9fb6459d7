/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ordered access to shared memory: aligned loads and stores of at most eight bytes, and fences.
 * Nothing that reads, modifies and writes: memory behind PCIe cannot.
 */
#ifndef TOE_LIB_ATOMICS_H
#define TOE_LIB_ATOMICS_H

#define toe_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define toe_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define toe_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define toe_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define toe_fence_full() __atomic_thread_fence(__ATOMIC_SEQ_CST)

#endif
