/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock of a flow's sending side, shared by the threads and processes of an application. It is a
 * thread id in the arena, so that one left behind by a dead process can be told from one that is
 * held.
 */
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sock.h"

__thread uint32_t tm_tid;

uint32_t tm_tid_make(void)
{
	return tm_tid = (uint32_t)syscall(SYS_gettid);
}

/* Locks may be held: usleep is a cancellation point. */
void tm_relax(unsigned spins)
{
	int cancel;

	if (spins <= 1000) {
		sched_yield();
		return;
	}
	cancel = tm_uncancellable();
	usleep(100);
	tm_cancellable(cancel);
}

bool tm_ring(int evfd)
{
	uint64_t one = 1;

	return syscall(SYS_write, evfd, &one, sizeof(one)) >= 0;
}

void tm_flow_lock_slow(uint32_t *lock)
{
	uint32_t me = tm_tid;

	for (unsigned i = 1;; i++) {
		uint32_t owner = toe_load(lock);

		if (owner && i % 256 == 0 && kill((pid_t)owner, 0) < 0 && errno == ESRCH)
			__atomic_compare_exchange_n(lock, &owner, 0, false, __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED);
		owner = 0;
		if (__atomic_compare_exchange_n(lock, &owner, me, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return;
		tm_relax(i);
	}
}
