/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The error queue of a connection (MSG_ERRQUEUE): timestamps of what was sent (stamps.c), and the
 * notifications of SO_ZEROCOPY, those as one range of numbers: sends copy, so their memory is the
 * application's again when they return, and that is said by SO_EE_CODE_ZEROCOPY_COPIED.
 */
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* needs time.h */

#include "transfer.h"

void tm_put_cmsg(struct msghdr *msg, size_t room, int level, int type, const void *data, size_t n)
{
	size_t used = msg->msg_controllen;
	struct cmsghdr *c;

	if (!msg->msg_control || room < used + CMSG_LEN(n)) {
		msg->msg_flags |= MSG_CTRUNC;
		return;
	}
	c = (struct cmsghdr *)((char *)msg->msg_control + used);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), data, n);
	used += CMSG_SPACE(n);
	msg->msg_controllen = room < used ? room : used;
}

void tm_put_error(struct tm_sock *s, struct msghdr *msg, size_t room,
		  const struct sock_extended_err *ee)
{
	struct {
		struct sock_extended_err ee;
		struct sockaddr_in6 offender; /* nobody */
	} e = { .ee = *ee };
	bool v6 = s->family == AF_INET6;
	size_t n = sizeof(e.ee) + (v6 ? sizeof(e.offender) : sizeof(struct sockaddr_in));

	tm_put_cmsg(msg, room, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &e,
		    n);
}

void tm_copied(struct tm_sock *s)
{
	if (tm_kind(s) != TM_FLOW)
		return;
	__atomic_fetch_add(&s->copies, 1, __ATOMIC_ACQ_REL);
	tm_set(s, TM_S_ERRQUEUE);
	tm_ep_event(s, EPOLLERR, tm_self);
}

static int take_copies(struct tm_sock *s, struct msghdr *msg, size_t room)
{
	struct sock_extended_err ee = { .ee_origin = SO_EE_ORIGIN_ZEROCOPY,
					.ee_code = SO_EE_CODE_ZEROCOPY_COPIED };
	uint32_t told = toe_load_acquire(&s->copies_told), copies;

	do { /* several threads may ask: each number is told once */
		copies = toe_load_acquire(&s->copies);
		if (told == copies)
			return -EAGAIN;
	} while (!__atomic_compare_exchange_n(&s->copies_told, &told, copies, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	ee.ee_info = told;
	ee.ee_data = copies - 1;
	tm_put_error(s, msg, room, &ee);
	return 0;
}

int tm_rx_errqueue(struct tm_sock *s, struct msghdr *msg)
{
	struct msghdr m = { .msg_control = msg->msg_control, .msg_flags = MSG_ERRQUEUE };
	size_t room = msg->msg_controllen;
	int r;

	tm_clear(s, TM_S_ERRQUEUE); /* before looking: who adds sets it again */
	r = tm_has(s, TM_S_STAMPS) ? tm_stamp_take(s, &m, room) : -EAGAIN;
	if (r)
		r = take_copies(s, &m, room);
	if (toe_load(&s->copies_told) != toe_load(&s->copies) || tm_stamp_any(s))
		tm_set(s, TM_S_ERRQUEUE);
	if (r)
		return r;
	msg->msg_namelen = 0;
	msg->msg_controllen = m.msg_controllen;
	msg->msg_flags = m.msg_flags;
	return 0;
}
