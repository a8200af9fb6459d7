/* SPDX-License-Identifier: BSD-2-Clause */
/* The invariants of a TCB between events. */
#include <stddef.h>

#include "opts.h"

#define HOLDS(condition) \
	do { \
		if (!(condition)) \
			return #condition; \
	} while (0)

static const char *check_sending(const struct toe_tcb *t)
{
	HOLDS(t->snd_una <= t->snd_nxt);
	HOLDS(t->snd_nxt <= t->snd_max);
	/* Only a SYN that is due again, or the byte of a window probe, lies between them. */
	HOLDS(t->snd_nxt == t->snd_max ||
	      (t->snd_nxt == t->snd_una && t->snd_max == t->snd_nxt + 1));
	HOLDS(t->snd_una + 1 >= t->snd_first);
	HOLDS(t->snd_end >= t->snd_first);
	HOLDS(t->snd_max <= t->snd_end + !!(t->flags & TOE_TCB_FIN_SENT));
	HOLDS(t->snd_una > t->snd_end ||
	      t->snd_end - t->snd_una <= toe_max32(t->snd_size, toe_ring_size(t->snd_ring)) + 1ull);
	HOLDS(!(t->flags & TOE_TCB_FIN_SENT) || t->flags & TOE_TCB_FIN_QUEUED);
	HOLDS(!(t->flags & TOE_TCB_FIN_SENT) || t->snd_max == t->snd_end + 1);
	HOLDS(!(t->flags & TOE_TCB_FIN_ACKED) || t->snd_una == t->snd_end + 1);
	HOLDS(t->mss >= TOE_MSS_MIN - TOE_TS_OPT_LEN);
	HOLDS(t->state < TOE_TCP_ESTABLISHED || t->cwnd >= t->mss);
	return NULL;
}

static const char *check_receiving(const struct toe_tcb *t)
{
	bool fin = t->flags & TOE_TCB_FIN_RCVD;

	if (t->state == TOE_TCP_SYN_SENT || !t->rcv_first)
		return NULL;
	HOLDS(t->rcv_nxt >= t->rcv_first + fin);
	HOLDS(t->rcv_read >= t->rcv_first);
	HOLDS(t->rcv_read + fin <= t->rcv_nxt);
	HOLDS(t->rcv_nxt <= t->rcv_adv + fin);
	HOLDS(t->rcv_adv <= t->rcv_read + toe_max32(t->rcv_size, toe_ring_size(t->rcv_ring)));
	HOLDS(!(t->flags & TOE_TCB_FIN_OOO) || t->rcv_nxt < t->fin_at);
	HOLDS(!fin || !t->nholes);
	return NULL;
}

static const char *check_holes(const struct toe_tcb *t)
{
	uint32_t before = (uint32_t)t->rcv_nxt;

	HOLDS(t->nholes <= TOE_MAX_HOLES);
	HOLDS(t->nce <= TOE_MAX_CE_EDGES);
	HOLDS(t->ndsack <= TOE_MAX_DSACK);
	HOLDS(t->ndsack <= t->dup_due);
	for (unsigned i = 0; i < t->nholes; i++) {
		HOLDS(toe_seq_lt(before, toe_ooo(t)[i].lo));
		HOLDS(toe_seq_lt(toe_ooo(t)[i].lo, toe_ooo(t)[i].hi));
		before = toe_ooo(t)[i].hi;
	}
	HOLDS(!t->nholes || toe_seq_leq(before, (uint32_t)t->rcv_adv));
	return NULL;
}

/* The send map covers [snd_una, snd_max), and the counters are its sums. */
static const char *check_sent(const struct toe_tcb *t)
{
	const struct toe_sent *e = toe_sents(t) + t->sent_lo;
	uint32_t from = (uint32_t)t->snd_una, sacked = 0, lost = 0;

	HOLDS(t->sent_lo + t->nsent <= toe_sent_room(t));
	for (unsigned i = 0; i < t->nsent; i++, e++) {
		uint32_t len = e->end - from;

		HOLDS((int32_t)len > 0);
		HOLDS(e->times);
		HOLDS(e->seg_len);
		HOLDS(!(e->flags & TOE_SENT_SACKED) || !(e->flags & TOE_SENT_LOST));
		sacked += e->flags & TOE_SENT_SACKED ? len : 0;
		lost += e->flags & TOE_SENT_LOST ? len : 0;
		from = e->end;
	}
	HOLDS(from == (uint32_t)t->snd_max);
	HOLDS(t->neor <= TOE_MAX_EOR);
	for (unsigned i = 0; i < t->neor; i++)
		HOLDS(toe_seq_lt(i ? toe_eor(t)[i - 1] : (uint32_t)t->snd_una, toe_eor(t)[i]) &&
		      toe_seq_leq(toe_eor(t)[i], (uint32_t)t->snd_end));
	HOLDS(t->nmark <= TOE_MAX_MARKS);
	for (unsigned i = 0; i < t->nmark; i++)
		HOLDS((!i || toe_seq_lt(toe_marks(t)[i - 1].end, toe_marks(t)[i].end)) &&
		      toe_seq_leq(toe_marks(t)[i].end, (uint32_t)t->snd_end));
	HOLDS(t->lost == lost);
	HOLDS(t->flags & TOE_TCB_SACK ? t->sacked == sacked : !sacked);
	HOLDS(t->snd_max - t->snd_una >= (uint64_t)t->sacked + t->lost);
	return NULL;
}

static const char *check_recovery(const struct toe_tcb *t)
{
	const uint32_t in = TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY;

	if (t->state == TOE_TCP_CLOSED || t->state == TOE_TCP_TIME_WAIT)
		return NULL;
	HOLDS(!t->lost || t->flags & in);
	HOLDS((t->flags & in) != in);
	HOLDS(!(t->flags & TOE_TCB_FRTO) || t->flags & TOE_TCB_RTO_RECOVERY);
	HOLDS(!(t->sacked || t->reo_at || t->tlp_end) || t->flags & (in | TOE_TCB_DISORDER));
	HOLDS(!(t->flags & in) || t->snd_una < t->recover);
	HOLDS(!t->tlp_end || t->snd_una <= t->tlp_end);
	return NULL;
}

/* Whatever waits for the peer has a timer, or nothing would ever happen again. */
static const char *check_timers(const struct toe_tcb *t)
{
	HOLDS(t->state == TOE_TCP_CLOSED || t->state == TOE_TCP_TIME_WAIT ||
	      t->snd_una == t->snd_max || t->rto_at);
	HOLDS(!(t->flags & TOE_TCB_PERSIST) || t->state == TOE_TCP_CLOSED || t->rto_at);
	HOLDS(!(t->flags & TOE_TCB_PERSIST) || !(t->flags & TOE_TCB_TLP));
	HOLDS(!(t->flags & TOE_TCB_ACK_DELAYED) || t->state == TOE_TCP_CLOSED || t->ack_at);
	HOLDS(t->state != TOE_TCP_TIME_WAIT || t->life_at);
	HOLDS(!(t->opts & TOE_TCB_KEEPALIVE) || t->state < TOE_TCP_ESTABLISHED ||
	      t->state == TOE_TCP_TIME_WAIT || t->keep_at);
	return NULL;
}

static const char *check_limit(const struct toe_tcb *t)
{
	HOLDS(t->limit < TOE_LIMITS);
	HOLDS(t->limit == TOE_LIMIT_IDLE || t->limit_at);
	return NULL;
}

const char *toe_tcb_check(const struct toe_tcb *t)
{
	const char *broken = check_sending(t);

	if (!broken)
		broken = check_receiving(t);
	if (!broken)
		broken = check_holes(t);
	if (!broken)
		broken = check_sent(t);
	if (!broken)
		broken = check_recovery(t);
	if (!broken)
		broken = check_timers(t);
	if (!broken)
		broken = check_limit(t);
	return broken;
}
