/* SPDX-License-Identifier: BSD-2-Clause */
#include "hystart.h"

#include "sendmap.h"
#include "seq.h"

/* RFC 9406 4.3. */
enum {
	MIN_RTT_THRESH_US = 4000,
	MAX_RTT_THRESH_US = 16000,
	MIN_RTT_DIVISOR = 8,
	N_RTT_SAMPLE = 8,
	CSS_GROWTH_DIVISOR = 4,
	CSS_ROUNDS = 5,
	PARTS = 8, /* of a round: each has a least round trip of its own */
	/* At most between two ACKs of a train; and an eighth of a round trip. */
	TRAIN_GAP_US = 2000,
};

/*
 * RFC 9406 compares the least round trips of whole rounds, that is of their first segments. While the
 * window doubles, the queue goes from none to a full window between two of these. A part of a round
 * shows it sooner, and jitter is still the less what all of its segments share. What has arrived
 * divides a round, whether or not there are holes in it.
 */
static void begin_part(struct toe_hystart *h, const struct toe_tcb *t)
{
	h->part_end = (uint32_t)t->delivered + toe_pipe(t) / PARTS;
	h->least_rtt = toe_min32(h->least_rtt, h->this_rtt);
	h->this_rtt = UINT32_MAX;
	h->samples = 0;
}

static void begin_round(struct toe_hystart *h, const struct toe_tcb *t, uint64_t now)
{
	h->round_end = (uint32_t)t->delivered;
	h->round_at = h->train_at = (uint32_t)now;
	begin_part(h, t);
}

void toe_hystart_begin(struct toe_hystart *h, const struct toe_tcb *t, uint64_t now)
{
	h->least_rtt = h->this_rtt = h->css_rtt = UINT32_MAX;
	h->css_rounds = 0;
	begin_round(h, t, now);
}

static void sample(struct toe_hystart *h, uint32_t rtt)
{
	h->this_rtt = toe_min32(h->this_rtt, rtt);
	if (h->samples < N_RTT_SAMPLE)
		h->samples++;
}

/* By how much a round trip above `base` says that a queue stands: an eighth, 4 to 16 ms. */
static uint32_t threshold(uint32_t base)
{
	return toe_max32(MIN_RTT_THRESH_US, toe_min32(base / MIN_RTT_DIVISOR, MAX_RTT_THRESH_US));
}

/* Does the least round trip of this part exceed `base`, that of others, by that? */
static bool delay_grows(const struct toe_hystart *h, uint32_t base)
{
	return h->samples >= N_RTT_SAMPLE && h->this_rtt != UINT32_MAX && base != UINT32_MAX &&
	       h->this_rtt >= base + threshold(base);
}

/*
 * In CSS: did the round trip grow only for a moment? Then it is half the way back. Not at once when
 * it is less than when CSS began (RFC 9406 4.2): that was a part of the round, and where a window
 * leaves in bursts others have less of a queue.
 */
static bool false_alarm(const struct toe_hystart *h)
{
	return h->samples >= N_RTT_SAMPLE && h->this_rtt < h->css_rtt &&
	       h->this_rtt < h->least_rtt + threshold(h->least_rtt) / 2;
}

static void grow(const struct toe_hystart *h, struct toe_tcb *t, uint32_t acked)
{
	uint32_t by = toe_cc_slow_start(t, acked);

	t->cwnd += h->css_rounds && toe_hystart_on(t) ? by / CSS_GROWTH_DIVISOR : by;
}

/*
 * The first HyStart's other sign (Ha and Rhee 2011, 4.1): since this round began ACKs have come
 * without a gap for half a round trip, so what is sent now, twice as much, fills the path. It needs
 * no queue. What others have overtaken would fill the gaps.
 */
static bool train_is_long(struct toe_hystart *h, const struct toe_tcb *t, uint64_t now)
{
	uint32_t rtt = toe_min32(h->least_rtt, h->this_rtt);

	if (toe_seq_lt((uint32_t)t->first_sent_at, t->rack_at) ||
	    (uint32_t)now - h->train_at > toe_min32(rtt / 8, TRAIN_GAP_US))
		return false;
	h->train_at = (uint32_t)now;
	return h->train_at - h->round_at > rtt / 2;
}

/*
 * Where the path reorders, loss is found late and costs much (PAWS drops what comes behind a
 * retransmission), so there slow start does not wait for the queue to grow.
 */
static void watch(struct toe_hystart *h, struct toe_tcb *t, const struct toe_ack_sample *s)
{
	sample(h, s->rtt_us);
	if (t->reordered && train_is_long(h, t, s->now)) {
		t->ssthresh = t->cwnd;
	} else if (!h->css_rounds && delay_grows(h, h->least_rtt)) {
		h->css_rtt = h->this_rtt;
		h->css_rounds = 1;
	} else if (h->css_rounds && false_alarm(h)) {
		h->css_rtt = UINT32_MAX;
		h->css_rounds = 0;
	} else if (h->css_rounds && delay_grows(h, h->css_rtt)) {
		/*
		 * RFC 9406 4.2 stays up to five rounds, as the delay may have been jitter. Grown as
		 * much again it is none: it is our own queue, which growth by a quarter would soon
		 * overflow.
		 */
		t->ssthresh = t->cwnd;
	}
	if (!toe_seq_lt(s->prior_delivered, h->round_end)) {
		if (h->css_rounds && h->css_rounds++ == CSS_ROUNDS)
			t->ssthresh = t->cwnd;
		begin_round(h, t, s->now);
	} else if (h->samples >= N_RTT_SAMPLE && !toe_seq_lt((uint32_t)t->delivered, h->part_end)) {
		begin_part(h, t);
	}
}

void toe_hystart_ack(struct toe_hystart *h, struct toe_tcb *t, const struct toe_ack_sample *s,
		     bool grows)
{
	if (grows)
		grow(h, t, s->acked);
	if (toe_hystart_on(t) && s->rtt_us)
		watch(h, t, s);
}
