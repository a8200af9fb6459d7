/* SPDX-License-Identifier: BSD-2-Clause */
/* toed's applications and contexts, without a firmware. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "userspace/toed/toed.h"

#include "tests/harness/unit.h"

enum { APP = 3, PROC = 1, CTX = 5 };

static struct toed *t;
static struct app *a;

static void up(void)
{
	t = calloc(1, sizeof(*t));
	t->nfpcs = 1;
	t->fw.io.fd = -1;
	a = &t->app[APP];
	a->life = APP_RUNNING;
	a->arena = mmap(NULL, toe_arena_size(0), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	a->ctx[CTX] = (struct context){ true, PROC, eventfd(0, EFD_CLOEXEC) };
	((struct toe_arena_hdr *)a->arena)->ctxs = 1ull << CTX | 1;
}

static void down(void)
{
	munmap(a->arena, toe_arena_size(0));
	free(t);
}

static void ctx_free__of_its_process_only(void)
{
	up();
	CU_ASSERT_EQUAL(ctx_free(t, APP, PROC + 1, CTX), -EINVAL);
	CU_ASSERT_EQUAL(ctx_free(t, APP, PROC, CTX + 1), -EINVAL);
	CU_ASSERT_EQUAL(ctx_free(t, APP, PROC, TOE_MAX_CTXS), -EINVAL);
	CU_ASSERT_EQUAL(ctx_free(t, APP, PROC, CTX), 0);
	CU_ASSERT_EQUAL(((struct toe_arena_hdr *)a->arena)->ctxs, 1);
	CU_ASSERT_EQUAL(ctx_free(t, APP, PROC, CTX), -EINVAL);
	down();
}

/* Killed while it waited for connections, it gets no hints any more; the others do. */
static void ctx_free__waits_no_more(void)
{
	up();
	toe_arena_listener(a->arena, 0)->waiters = 1ull << CTX | 1;
	toe_arena_listener(a->arena, TOE_MAX_LISTENERS - 1)->waiters = 1ull << CTX;
	CU_ASSERT_EQUAL(ctx_free(t, APP, PROC, CTX), 0);
	CU_ASSERT_EQUAL(toe_arena_listener(a->arena, 0)->waiters, 1);
	CU_ASSERT_EQUAL(toe_arena_listener(a->arena, TOE_MAX_LISTENERS - 1)->waiters, 0);
	down();
}

UNIT_MAIN("apps", T(ctx_free__of_its_process_only), T(ctx_free__waits_no_more))
