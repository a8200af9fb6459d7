/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP Fast Open (RFC 7413): data that travels with the SYN, and behind it before the handshake is
 * done. Whose cookie is right is the core's matter (core/fastopen.c).
 *
 * The passive side is in SYN_RECEIVED, and its application may have the connection already
 * (toe_tcp_early): what it writes leaves as far as the initial window goes. So more than the SYN-ACK
 * may be in flight when its timer fires; then that alone goes again, and the data once the handshake
 * is done.
 */
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
	toe_cc(t)->init(t, false, now);
	return TOE_ACT_ACCEPT;
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
