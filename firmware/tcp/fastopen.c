/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP Fast Open (RFC 7413): data that travels with the SYN, and behind it before the handshake is
 * done. Whose cookie is right is the core's matter (core/fastopen.c).
 *
 * The passive side is in SYN_RECEIVED, and its application may have the connection already
 * (toe_tcp_early): what it writes leaves as far as the initial window goes. So more than the SYN-ACK
 * may be in flight when its timer fires; then that alone goes again, and the data once the handshake
 * is done.
 *
 * The active side with a cookie holds its SYN back until the application writes, and what it writes
 * first goes along. More waits for the SYN-ACK. A SYN that was not answered in time is repeated
 * without cookie and data: there are paths that drop the one or the other (RFC 7413 4.1.3, 4.2.1).
 */
#include "opts.h"
#include "rto.h"
#include "sendmap.h"

uint32_t toe_fo_passive(struct toe_tcb *t, const struct toe_open *o, const struct toe_seg *syn,
			uint64_t now)
{
	if (o->fast & TOE_FAST_OPTION) {
		t->opts |= TOE_TCB_FO_OPTION;
		t->fo = o->fo;
	}
	if (!(o->fast & TOE_FAST_DATA))
		return 0;
	t->opts |= TOE_TCB_FASTOPEN;
	t->rcv_nxt += toe_min64(syn->len, t->rcv_adv - t->rcv_nxt);
	t->opts |= t->rcv_nxt > t->rcv_first ? TOE_TCB_SYN_DATA : 0;
	toe_cc(t)->init(t, false, now);
	/* Our SYN has no part in the windows, which are counted from snd_una. */
	t->snd_wnd++;
	t->cwnd++;
	return TOE_ACT_ACCEPT;
}

/* RFC 7413 4.1.3: ask for a cookie, or show the one that is known and wait for data. */
void toe_fo_active(struct toe_tcb *t, const struct toe_open *o)
{
	if (!(o->fast & TOE_FAST_OPTION))
		return;
	t->opts |= TOE_TCB_FO_OPTION | TOE_TCB_FO_ASKED;
	t->opts |= o->fast & TOE_FAST_NO_COOKIE ? TOE_TCB_FO_NO_COOKIE : 0;
	t->fo = o->fo;
	if (!(o->fast & TOE_FAST_DATA))
		return;
	t->opts |= TOE_TCB_FASTOPEN | TOE_TCB_SYN_HELD;
	t->mss_peer = (uint16_t)toe_max32(o->fo_mss, TOE_MSS_MIN);
}

/* The SYN waits no longer: there is data, or an end of it, or the application does not wait to write. */
uint32_t toe_fo_release(struct toe_tcb *t)
{
	if (!(t->opts & TOE_TCB_SYN_HELD))
		return 0;
	t->opts &= ~(uint32_t)TOE_TCB_SYN_HELD;
	return TOE_ACT_OUTPUT;
}

/*
 * Bytes of data that the SYN may take along (RFC 7413 4.2.1). All options that TCP has room for are
 * counted: on the way some may come to ours.
 */
static uint32_t syn_room(const struct toe_tcb *t)
{
	uint32_t most = toe_min32(t->mss_peer, t->mtu - t->ip_hdr - 20u);

	if (t->maxseg)
		most = toe_min32(most, t->maxseg);
	return most > TOE_TCP_MAX_OPT ? most - TOE_TCP_MAX_OPT : 0;
}

uint32_t toe_fo_syn_len(const struct toe_tcb *t)
{
	return (uint32_t)toe_min64(syn_room(t), t->snd_end - t->snd_first);
}

uint32_t toe_tcp_eager_len(const struct toe_tcb *t)
{
	if (t->opts & TOE_TCB_SYN_HELD)
		return syn_room(t);
	return t->snd_max > t->snd_first ? (uint32_t)(t->snd_max - t->snd_first) : 0;
}

/* Our SYN or SYN-ACK must leave again; what is in flight behind it stays where it is. */
void toe_fo_syn_due(struct toe_tcb *t)
{
	if (t->snd_max > t->snd_first)
		t->opts |= TOE_TCB_SYN_DUE;
	else
		t->snd_nxt = t->snd_una;
}

/*
 * Our SYN was too large for the path with its data: it goes again without, at once. That says nothing
 * about paths that drop such SYNs in silence.
 */
uint32_t toe_fo_too_big(struct toe_tcb *t, uint64_t now)
{
	if (t->snd_max <= t->snd_first || toe_sent_first(t)->times > 1)
		return 0;
	t->opts &= ~(uint32_t)TOE_TCB_FO_ASKED;
	toe_fo_syn_due(t);
	t->rto_at = now + toe_rto(t);
	return TOE_ACT_OUTPUT;
}

/*
 * The handshake took more than one SYN or SYN-ACK, or the peer did not want the SYN's data: what was
 * sent beside them is taken for lost, and goes again at once.
 */
uint32_t toe_fo_established(struct toe_tcb *t)
{
	t->opts &= ~(uint32_t)TOE_TCB_SYN_DUE;
	if (t->snd_una == t->snd_max || t->state < TOE_TCP_ESTABLISHED)
		return 0;
	toe_recovery_again(t);
	return TOE_ACT_OUTPUT;
}
