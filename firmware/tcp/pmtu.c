/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the path says: its MTU (RFC 1191, RFC 8201), and that something cannot be reached (RFC 5461).
 *
 *   mtu_link   what the link and the route allow: never exceeded
 *   mtu        what is used, and offered to the peer; lower if a router said so, or if only smaller
 *              segments arrive
 *   mtu_at     when a larger one is tried again
 *   mtu_probe  the size of the next full segment, once, or of the one up to probe_end that is under
 *              way (RFC 4821): it arrives, and mtu is raised; or it is sent again, smaller
 *   mtu_tries  how many in a row did not arrive, though everything else did
 *
 * Who cannot see the connection cannot know its sequence numbers, so only an error that quotes one
 * of those under way is believed (RFC 5927 4.1).
 */
#include "opts.h"
#include "rto.h"

#include "../lib/errno.h"

enum {
	LEAST_V4 = 552, /* below, the claim is more likely false than true */
	LEAST_V6 = 1280, /* RFC 8200 5 */
	RAISE_US = 600 * 1000000, /* RFC 1191 6.3, RFC 8201 4 */
	HOLE_US = 10 * 1000000, /* a probe that was lost: it may have been the path's load */
	MAX_PROBES = 3, /* lost in a row, before the path gets RAISE_US of rest (RFC 8899 5.1.2) */
	NEXT_US = 1000000, /* a probe arrived: the next one; or says nothing: again */
	/* Timeouts in a row that look like a black hole; two may be a burst of losses. */
	HOLE_REXMITS = 3,
	IN_DOUBT = 0x80, /* in mtu_tries: data from before the probe under way was lost */
};

/* Sizes that paths have (RFC 1191 7.1, brought up to date), to climb and to fall. */
static const uint16_t plateau[] = { LEAST_V4, 1006, LEAST_V6, 1400, 1492, 1500, 4352, 9000 };
enum { NPLATEAU = sizeof(plateau) / sizeof(plateau[0]) };

static uint32_t least(const struct toe_tcb *t)
{
	return toe_min32(t->ip_hdr == 20 ? LEAST_V4 : LEAST_V6, t->mtu_link);
}

/* The largest plateau below `mtu`. */
static uint32_t below(uint32_t mtu)
{
	for (unsigned i = NPLATEAU; i--;)
		if (plateau[i] < mtu)
			return plateau[i];
	return 0;
}

static uint32_t above(uint32_t mtu)
{
	for (unsigned i = 0; i < NPLATEAU; i++)
		if (plateau[i] > mtu)
			return plateau[i];
	return UINT16_MAX;
}

/* Payload of a full segment, as both ends have it, in a packet of `mtu` bytes at most. */
static uint32_t full_segment(const struct toe_tcb *t, uint32_t mtu)
{
	uint32_t mss = toe_min32(t->mss_peer, mtu - t->ip_hdr - 20u);

	if (t->maxseg)
		mss = toe_min32(mss, t->maxseg);
	return mss - (t->flags & TOE_TCB_TS ? TOE_TS_OPT_LEN : 0);
}

/* The peer's SYN has come. */
void toe_pmtu_begin(struct toe_tcb *t, uint64_t now)
{
	t->mss = (uint16_t)full_segment(t, t->mtu);
	toe_buf_whole(t);
	if (t->mtu < t->mtu_link)
		t->mtu_at = now + RAISE_US;
}

static void use(struct toe_tcb *t, uint32_t mtu)
{
	t->mtu = (uint16_t)mtu;
	t->mtu_probe = 0;
	t->probe_end = 0;
	if (!t->mss_peer)
		return;
	t->mss = (uint16_t)full_segment(t, mtu);
	toe_buf_whole(t);
	t->cwnd = toe_max32(t->cwnd, t->mss);
	if (t->ssthresh) /* the least of it (RFC 5681 3.1) is two of the new ones */
		t->ssthresh = toe_max32(t->ssthresh, 2u * t->mss);
}

/*
 * IP_MTU_DISCOVER. Who does without discovery sends what the link takes: routers may fragment that, or
 * somebody else knows the path. IPv6's do not fragment, nor do we, so there DONT and OMIT are WANT.
 */
void toe_pmtu_choose(struct toe_tcb *t, enum toe_pmtudisc how)
{
	bool fragment = how == TOE_PMTUDISC_DONT || how == TOE_PMTUDISC_OMIT, v4 = t->ip_hdr == 20;
	bool fixed = fragment ? v4 : how == TOE_PMTUDISC_PROBE || how == TOE_PMTUDISC_INTERFACE;

	t->opts &= ~(uint32_t)(TOE_TCB_NO_PMTU | TOE_TCB_FRAGMENT | TOE_TCB_DF);
	t->opts |= how == TOE_PMTUDISC_DO ? TOE_TCB_DF : 0;
	if (!fixed)
		return;
	t->opts |= TOE_TCB_NO_PMTU | (fragment ? TOE_TCB_FRAGMENT : 0);
	t->mtu_at = 0;
	use(t, t->mtu_link);
}

/*
 * What is under way was too large for the path, which says nothing about its load: all goes again,
 * with cwnd as it is.
 */
static uint32_t resend(struct toe_tcb *t, uint64_t now)
{
	toe_recovery_again(t);
	t->rto_at = now + toe_rto(t);
	return TOE_ACT_OUTPUT;
}

/*
 * The claim is below the least. It may be true all the same: routers of an IPv4 path can fragment, if DF
 * lets them (RFC 1191 3). Until a larger size is tried they may, unless the application wants DF always.
 */
static bool may_fragment(struct toe_tcb *t, uint32_t mtu)
{
	if (mtu >= least(t) || t->ip_hdr != 20 || t->opts & (TOE_TCB_FRAGMENT | TOE_TCB_DF))
		return false;
	t->opts |= TOE_TCB_FRAGMENT;
	return true;
}

static bool under_way(const struct toe_tcb *t, uint32_t seq)
{
	uint64_t at = toe_seq_expand(t->snd_una, seq);

	return at >= t->snd_una && at < t->snd_max;
}

uint32_t toe_tcp_too_big(struct toe_tcb *t, uint32_t seq, uint32_t mtu, uint32_t quoted,
			 uint64_t now)
{
	bool fragment;

	if (!under_way(t, seq) || t->state < TOE_TCP_SYN_SENT || t->opts & TOE_TCB_NO_PMTU)
		return TOE_ACT_C_UNACCEPTABLE;
	/*
	 * Routers older than RFC 1191 say nothing; others what cannot be. By the length that is quoted, as of one
	 * flight each packet is reported; it may be more than was sent (RFC 1191 5).
	 */
	if (!mtu || (mtu >= quoted && mtu >= t->mtu))
		mtu = below(toe_min32(quoted, t->mtu_link));
	fragment = may_fragment(t, mtu);
	mtu = toe_max32(mtu, least(t));
	if (t->probe_end && mtu >= t->mtu && mtu < t->mtu_probe) {
		use(t, mtu); /* the probe was too large, but it says how much is not */
		t->mtu_at = now + RAISE_US;
		return t->state >= TOE_TCP_ESTABLISHED ? resend(t, now) : TOE_ACT_OUTPUT;
	}
	if (mtu >= t->mtu && !fragment)
		return TOE_ACT_C_UNACCEPTABLE;
	use(t, toe_min32(mtu, t->mtu));
	t->mtu_at = now + RAISE_US;
	if (t->state == TOE_TCP_SYN_SENT)
		return toe_fo_too_big(t, now);
	return t->state >= TOE_TCP_ESTABLISHED && !(t->flags & TOE_TCB_PERSIST) ? resend(t, now)
										: 0;
}

/* Keepalive's probes have the number below what is under way (keepalive.c). */
static bool of_a_probe(const struct toe_tcb *t, uint32_t seq)
{
	return t->keep_probes && seq == (uint32_t)t->snd_una - 1;
}

uint32_t toe_tcp_unreachable(struct toe_tcb *t, uint32_t seq, int error, uint64_t now)
{
	if (!under_way(t, seq) && !of_a_probe(t, seq))
		return TOE_ACT_C_UNACCEPTABLE;
	switch (t->state) {
	case TOE_TCP_CLOSED:
		return TOE_ACT_C_UNACCEPTABLE;
	case TOE_TCP_SYN_RECEIVED:
		if (toe_tcp_early(t))
			break;
		if (t->flags & TOE_TCB_PASSIVE) /* the application never saw it */
			t->flags |= TOE_TCB_CLOSED_BY_APP;
		return toe_fsm_fail(t, error);
	case TOE_TCP_SYN_SENT:
		return toe_fsm_fail(t, error);
	default:
		break;
	}
	t->soft_error = (uint8_t)error;
	return 0;
}

uint32_t toe_tcp_link_mtu(struct toe_tcb *t, uint32_t mtu, uint64_t now)
{
	bool limited = t->mtu < t->mtu_link;

	t->mtu_link = (uint16_t)mtu;
	if (t->mtu_probe > mtu) { /* whether it arrives says nothing any more */
		t->mtu_probe = 0;
		t->probe_end = 0;
	}
	if (t->mtu > mtu || !limited) {
		use(t, mtu);
		t->mtu_at = 0;
	} else if (!t->mtu_at) {
		t->mtu_at = now + NEXT_US;
	}
	return TOE_ACT_OUTPUT;
}

/* IP packet of the segment that is sent again first. */
static uint32_t segment_size(const struct toe_tcb *t)
{
	uint32_t len = (uint32_t)toe_min64(t->snd_max - t->snd_una, t->mss);

	return len + t->ip_hdr + 20u + (t->flags & TOE_TCB_TS ? TOE_TS_OPT_LEN : 0);
}

/*
 * A timeout. Full segments that never arrive may be those that are too long for a path that does
 * not say so (RFC 2923 2.1): try shorter ones. That these arrive proves nothing, as a burst of losses
 * ends some time, too: the first new segment has the old size again.
 */
void toe_pmtu_timeout(struct toe_tcb *t, uint64_t now)
{
	uint32_t mtu = toe_max32(below(segment_size(t)), least(t)),
		 was = toe_max32(t->mtu, t->mtu_probe);

	if (t->rexmits == 1)
		t->soft_error = 0; /* of an earlier trouble */
	if (t->opts & TOE_TCB_NO_PMTU)
		return;
	if (t->rexmits >= HOLE_REXMITS && mtu < segment_size(t)) {
		/* One large step first: what is common is a tunnel. */
		if (mtu > LEAST_V6 && t->rexmits == HOLE_REXMITS)
			mtu = LEAST_V6;
		use(t, mtu);
		t->mtu_probe = (uint16_t)was;
		t->mtu_at = 0;
	}
	if (t->mtu_at) /* not before this trouble is over */
		t->mtu_at = toe_max64(t->mtu_at, t->rto_at + HOLE_US);
}

/* Time to try a larger segment, with the next data. One under way (the link changed) goes on. */
void toe_pmtu_timer(struct toe_tcb *t)
{
	t->mtu_at = 0;
	t->opts &= ~(uint32_t)TOE_TCB_FRAGMENT; /* else all sizes would seem to pass */
	if (t->mtu < t->mtu_link && !t->probe_end)
		t->mtu_probe = (uint16_t)toe_min32(above(t->mtu), t->mtu_link);
}

static bool recovering(const struct toe_tcb *t)
{
	return t->lost || t->flags & (TOE_TCB_RECOVERY | TOE_TCB_RTO_RECOVERY);
}

/*
 * A full segment of `len` is about to leave, of `left` bytes that there are and `may` that the
 * windows let go: is it the probe? Not while losses are made up for (RFC 4821 7.4). If ACKs alone
 * can make room for it, nothing leaves until they have.
 */
uint32_t toe_pmtu_probe(struct toe_tcb *t, uint32_t len, uint64_t left, uint64_t may)
{
	uint32_t probe = full_segment(t, t->mtu_probe);

	if (t->probe_end)
		return len; /* one is under way */
	if (probe <= t->mss) {
		t->mtu_probe = 0; /* the peer or the application want no more */
		return len;
	}
	if (len < t->mss || left < probe || t->snd_nxt < t->snd_max || recovering(t))
		return len;
	if (may < probe)
		return toe_min32(t->cwnd, t->snd_wnd) < probe || t->snd_una == t->snd_max ? len : 0;
	t->probe_end = (uint32_t)(t->snd_nxt + probe);
	t->mtu_tries &= (uint8_t)~IN_DOUBT;
	return probe;
}

/* It may have been the path's load, not its size: more than the probe, `len` bytes, is lost. */
static bool in_doubt(const struct toe_tcb *t, uint32_t len)
{
	if (t->mtu_tries & IN_DOUBT)
		return true;
	return !(t->flags & TOE_TCB_RTO_RECOVERY) && t->lost > len; /* a timeout means all by it */
}

/*
 * Something is sent again, from `seq` on: the probe is lost if that is in it. With other losses about,
 * that says nothing, and it is tried again behind them (RFC 4821 7.6.4).
 */
void toe_pmtu_resent(struct toe_tcb *t, uint64_t seq, uint64_t now)
{
	uint32_t len = full_segment(t, t->mtu_probe);

	if (!toe_seq_lt((uint32_t)seq, t->probe_end))
		return;
	if (toe_seq_lt((uint32_t)seq, t->probe_end - len)) {
		t->mtu_tries |= IN_DOUBT;
		return;
	}
	t->mtu_probe = 0;
	t->probe_end = 0;
	if (in_doubt(t, len)) {
		t->mtu_tries &= (uint8_t)~IN_DOUBT;
		t->mtu_at = now + NEXT_US;
		return;
	}
	t->mtu_tries = (uint8_t)((t->mtu_tries + 1) % MAX_PROBES);
	t->mtu_at = now + (t->mtu_tries ? HOLE_US : RAISE_US);
}

/* Everything up to snd_una has arrived: the probe too? */
void toe_pmtu_acked(struct toe_tcb *t, uint64_t now)
{
	if (toe_seq_lt((uint32_t)t->snd_una, t->probe_end))
		return;
	toe_tcb_cold(t);
	use(t, t->mtu_probe);
	t->mtu_tries = 0;
	t->mtu_at = t->mtu < t->mtu_link ? now + NEXT_US : 0;
}
