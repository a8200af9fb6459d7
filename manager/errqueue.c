/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The error queue of a connection (MSG_ERRQUEUE). All that it holds are the notifications of
 * SO_ZEROCOPY, and those as one range of numbers: sends copy, so their memory is the application's
 * again when they return, and that is said by SO_EE_CODE_ZEROCOPY_COPIED.
 */
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* needs time.h */

#include "transfer.h"

void tm_put_cmsg(struct msghdr *msg, size_t room, int level, int type, const void *data, size_t n)
{
	struct cmsghdr *c = msg->msg_control;

	msg->msg_controllen = 0;
	if (room < CMSG_LEN(n)) {
		msg->msg_flags |= MSG_CTRUNC;
		return;
	}
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), data, n);
	msg->msg_controllen = room < CMSG_SPACE(n) ? room : CMSG_SPACE(n);
}

void tm_copied(struct tm_sock *s)
{
	if (tm_kind(s) != TM_FLOW)
		return;
	__atomic_fetch_add(&s->copies, 1, __ATOMIC_ACQ_REL);
	tm_set(s, TM_S_ERRQUEUE);
	tm_ep_event(s, EPOLLERR, tm_self);
}

int tm_rx_errqueue(struct tm_sock *s, struct msghdr *msg)
{
	struct {
		struct sock_extended_err ee;
		struct sockaddr_in6 offender; /* nobody */
	} e = { .ee = { .ee_origin = SO_EE_ORIGIN_ZEROCOPY,
			.ee_code = SO_EE_CODE_ZEROCOPY_COPIED } };
	bool v6 = s->family == AF_INET6;
	size_t n = sizeof(e.ee) + (v6 ? sizeof(e.offender) : sizeof(struct sockaddr_in));
	size_t room = msg->msg_controllen;
	uint32_t told = toe_load_acquire(&s->copies_told), copies;

	tm_clear(s, TM_S_ERRQUEUE); /* before the number is read: who adds sets it again */
	do { /* several threads may ask: each number is told once */
		copies = toe_load_acquire(&s->copies);
		if (told == copies)
			return -EAGAIN;
	} while (!__atomic_compare_exchange_n(&s->copies_told, &told, copies, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	e.ee.ee_info = told;
	e.ee.ee_data = copies - 1;
	msg->msg_namelen = 0;
	msg->msg_flags = MSG_ERRQUEUE;
	tm_put_cmsg(msg, room, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &e,
		    n);
	return 0;
}
