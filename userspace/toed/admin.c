/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toed's own commands to the FPCs. Many may fall due at once (a dead process with 10,000 flows):
 * what does not fit waits here.
 */
#include "toed.h"

#include <stdlib.h>
#include <unistd.h>

struct backlog {
	struct toe_cmd *cmd;
	size_t n, done, room;
};

static struct backlog backlog[TOE_MAX_FPCS];

static bool ring_put(struct toe_admin_ring *r, const struct toe_cmd *c)
{
	uint32_t head = r->db.head;

	if (head - toe_load_acquire(&r->db.tail) >= TOE_SW_RING)
		return false;
	r->cmd[head % TOE_SW_RING] = *c;
	toe_store_release(&r->db.head, head + 1);
	return true;
}

static void event_signal(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n;
}

void fpc_wake(struct toed *t, unsigned fpc)
{
	toe_fence_full();
	if (toe_load(&t->ctrl->fpc[fpc].sleeping))
		event_signal(t->fpc_event[fpc]);
}

void fpc_wake_all(struct toed *t)
{
	for (unsigned i = 0; i < t->nfpcs; i++)
		event_signal(t->fpc_event[i]);
}

void admin_flush(struct toed *t)
{
	for (unsigned i = 0; i < t->nfpcs; i++) {
		struct backlog *b = &backlog[i];

		while (b->done < b->n && ring_put(&t->ctrl->admin[i], &b->cmd[b->done]))
			b->done++;
		if (b->done == b->n)
			b->done = b->n = 0;
		else
			loop_after(&t->loop, TIMER_ADMIN, 1);
		fpc_wake(t, i);
	}
}

void admin_send(struct toed *t, unsigned fpc, uint8_t type, uint32_t flow, uint16_t gen,
		uint64_t pos)
{
	struct backlog *b = &backlog[fpc];

	if (b->n == b->room) {
		size_t room = b->room ? 2 * b->room : 1024;
		struct toe_cmd *cmd = realloc(b->cmd, room * sizeof(*cmd));

		if (!cmd) {
			say("out of memory: a command to FPC %u is lost", fpc);
			return;
		}
		b->cmd = cmd;
		b->room = room;
	}
	b->cmd[b->n++] = (struct toe_cmd){ .type = type, .gen = gen, .flow = flow, .pos = pos };
	loop_after(&t->loop, TIMER_ADMIN, 0);
}

void admin_send_all(struct toed *t, uint8_t type, uint32_t flow, uint64_t pos)
{
	for (unsigned i = 0; i < t->nfpcs; i++)
		admin_send(t, i, type, flow, 0, pos);
	admin_flush(t);
}

bool admin_idle(const struct toed *t)
{
	for (unsigned i = 0; i < t->nfpcs; i++) {
		const struct toe_doorbell *db = &t->ctrl->admin[i].db;

		if (backlog[i].n || toe_load_acquire(&db->tail) != toe_load(&db->head))
			return false;
	}
	return true;
}
