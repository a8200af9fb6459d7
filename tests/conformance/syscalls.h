/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls of a script, made through libtoe. */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include <string.h>
#include <sys/socket.h>

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

/* What a call gave back is not what the script says; the first word counts. */
void wrong(struct running *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A member of a struct that is an argument, NULL: it is not there; a number that must be. */
static inline struct expr *field(struct expr *x, const char *name)
{
	for (struct expr *c = x->child; c; c = c->next)
		if (c->key && !strcmp(c->key, name))
			return c;
	return NULL;
}

static inline int64_t field_num(const struct running *r, struct expr *x, const char *name)
{
	struct expr *c = field(x, name);

	if (!c || c->kind != X_INT)
		script_fail(r->e->line, "%s: number %s is missing", r->e->call.name, name);
	return c->num;
}

/*
 * Control messages (control.c). `x` is msg_control, NULL: there is none. Those of sendmsg, made in `b`;
 * and what recvmsg has put into `m`, as far as the script says it.
 */
enum { MAX_CONTROL = 512 };
void control_make(const struct running *r, struct expr *x, struct msghdr *m, uint8_t *b);
void control_check(struct running *r, struct expr *x, struct msghdr *m);

/* Makes the call; for stack_call. */
void syscall_run(void *running);
/* NULL, or what differs from the script; static. */
const char *syscall_verdict(const struct running *r);
/* The descriptor that a check is about: the connection that the script got last. -1: none. */
int syscall_last_fd(void);

#endif
