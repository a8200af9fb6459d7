/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pacing: pace_ns runs ahead of the clock by the time that what was sent takes at pacing_rate.
 * Output may run ahead by LEAD; a timer that comes late costs nothing, within bounds. Nothing here
 * depends on when it is asked.
 */
#include "rooms.h"

enum { LEAD_NS = 125000, LATE_US_MAX = 4000 };

/* A segment at the slowest rate must not last for ever: its time is counted up to this. */
#define SEGMENT_NS_MAX 60000000000ull

void toe_pace_set(struct toe_tcb *t, uint64_t rate)
{
	toe_tcb_cold(t);
	t->pacing_rate = rate;
	if (rate) {
		t->flags |= TOE_TCB_PACED;
		return;
	}
	t->flags &= ~(uint32_t)TOE_TCB_PACED;
	t->pace_at = 0;
}

/* A segment of `bytes` payload leaves. Headers do not count: rates are of what is delivered. */
void toe_pace_charge(struct toe_tcb *t, uint32_t bytes, uint64_t now)
{
	uint64_t ns = bytes * 1000000000ull / t->pacing_rate;
	uint64_t credit;

	toe_tcb_cold(t);
	ns = toe_min64(ns, SEGMENT_NS_MAX);
	credit = toe_max64(toe_max64(LEAD_NS, ns / 2), t->pace_late_us * 1000ull);
	t->pace_ns = toe_max64(t->pace_ns, toe_max64(now * 1000, credit) - credit) + ns;
}

/*
 * The timer fired, perhaps late, as a CPU that others use makes it: what the rate would have let go
 * meanwhile is not lost. Not so for a flow that had nothing to send.
 */
void toe_pace_due(struct toe_tcb *t, uint64_t now)
{
	toe_tcb_cold(t);
	t->pace_late_us = (uint32_t)toe_min64(now - t->pace_at, LATE_US_MAX);
	t->pace_at = 0;
}

/* Does what was sent so far use up the rate, and what may run ahead of it? */
bool toe_pace_ahead(const struct toe_tcb *t, uint64_t now)
{
	return t->pace_ns > now * 1000 + LEAD_NS;
}

/* Must the next segment wait? Then pace_at says until when. */
bool toe_pace_holds(struct toe_tcb *t, uint64_t now)
{
	toe_tcb_cold(t);
	t->pace_at = 0;
	if (!toe_pace_ahead(t, now))
		return false;
	t->pace_late_us = 0;
	if (toe_send_pending(t) || t->flags & TOE_TCB_LOSS_PROBE)
		t->pace_at = t->pace_ns / 1000 + 1;
	return true;
}
