/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion window validation (RFC 2861, 7661; RFC 5681 4.1): a window that is not used says less and
 * less about the path, so it shrinks towards what is.
 *
 * With that, a loss cuts cwnd, as RFC 9438 4.6 allows and Linux does. RFC 5681 (4) takes the flight of
 * the moment, which can be less than what was in flight just before: behind a burst, in slow start that
 * a buffer held up, or in a batch whose ACKs have moved snd_una while what they let go has not left.
 */
#include "cc.h"

#include "seq.h"

/* The window shrinks to `cwnd`; slow start leads back to three quarters of it (RFC 2861 3.2). */
static void shrink(struct toe_tcb *t, uint32_t cwnd)
{
	t->ssthresh = toe_max32(t->ssthresh, t->cwnd / 4 * 3);
	t->cwnd = cwnd;
}

/*
 * For an RTO less than cwnd was in flight: half way to that (RFC 2861 3.2). Not if the buffer was what
 * held data back: it grows.
 */
void toe_cwv_decay(struct toe_tcb *t, uint64_t now)
{
	uint32_t used = toe_max32(t->cwnd_used, toe_cc_initial_window(t));

	t->cwnd_full_at = (uint32_t)now;
	t->cwnd_full_end = (uint32_t)t->snd_una - 1; /* else numbers would come round to it */
	t->cwnd_used = 0;
	if (t->cwnd <= used || t->flags & (TOE_TCB_WANT_SPACE | TOE_TCB_RECOVERY))
		return;
	shrink(t, used + (t->cwnd - used) / 2);
}

/* RFC 5681 4.1, RFC 2861 3.2. Once: what leaves now ends the pause. */
void toe_cwv_idle(struct toe_tcb *t, uint64_t now)
{
	const struct toe_cc *cc = toe_cc(t);
	uint32_t restart = toe_cc_initial_window(t);

	if (!cc->own_recovery && t->cwnd > restart)
		shrink(t, restart);
	t->sent_at = now;
	if (cc->event)
		cc->event(t, TOE_CC_IDLE, now);
}
