/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls of a script, made through libtoe. */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include "script.h"
#include "stack.h"

/* A call that was begun. */
struct running {
	const struct script *script;
	struct event *e;
	uint64_t start, end; /* end: when it must return, if e->call.blocks */
	struct stack_call thread;
	int64_t ret;
	int err;
	char why[256]; /* what is wrong with what it gave back besides the result; empty: nothing */
	struct running *next;
};

/* Makes the call; for stack_call. */
void syscall_run(void *running);
/* NULL, or what differs from the script; static. */
const char *syscall_verdict(const struct running *r);
/* The descriptor that a check is about: the connection that the script got last. -1: none. */
int syscall_last_fd(void);

#endif
