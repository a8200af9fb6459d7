/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Death at any instruction: the firmware's own object code, as it runs in production, is stepped by
 * the processor's trap flag, and the n-th instruction outside the port is its last. What the port
 * does counts as one step: a real port's rings have owner words of their own.
 */
#define _GNU_SOURCE
#include "kill.h"

#include <signal.h>
#include <stddef.h>

struct toe_port *sim_victim;

#if defined(__x86_64__)

static volatile sig_atomic_t in_port;

static inline void trap_on(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::
			     : "cc", "memory");
}

static inline void trap_off(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::
			     : "cc", "memory");
}

static void stepped(int sig)
{
	struct toe_port *p = sim_victim;

	if (!p || in_port || !p->kill_in || --p->kill_in)
		return;
	sim_victim = NULL;
	p->crashes++;
	p->can_crash = false;
	longjmp(p->crash, 1);
}

void sim_kill_begin(struct toe_port *p)
{
	static bool ready;

	if (!ready) {
		struct sigaction a = { .sa_handler = stepped, .sa_flags = SA_NODEFER };

		sigaction(SIGTRAP, &a, NULL);
		ready = true;
	}
	in_port = 0;
	sim_victim = p;
	trap_on();
}

void sim_kill_end(struct toe_port *p)
{
	if (!sim_victim)
		return;
	trap_off();
	sim_victim = NULL;
}

void sim_kill_pause(void)
{
	in_port = 1;
	trap_off();
}

void sim_kill_resume(void)
{
	in_port = 0;
	trap_on();
}

#else

/* No trap flag: the next call into the port is the last. */
void sim_kill_begin(struct toe_port *p)
{
	p->crash_in = 1 + p->kill_in % 30;
	p->kill_in = 0;
}

void sim_kill_end(struct toe_port *p)
{
}

void sim_kill_pause(void)
{
}

void sim_kill_resume(void)
{
}

#endif
