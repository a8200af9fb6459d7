/* SPDX-License-Identifier: BSD-2-Clause */
/* rtnetlink: a socket on which the kernel tells what changes, and one on which it is asked. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "lib/flow_hash.h"
#include "netlink.h"

static struct mnl_socket *events, *questions;
static struct io events_io;
static unsigned sequence;

enum { MAX_QUEUED = 4096 }; /* events that may wait in the socket: its buffer holds less */

struct answer {
	struct toed *t;
	void (*cb)(struct toed *, const struct nlmsghdr *);
};

static int give(const struct nlmsghdr *h, void *arg)
{
	struct answer *a = arg;

	if (a->cb)
		a->cb(a->t, h);
	return MNL_CB_OK;
}

int netlink_ask(struct nlmsghdr *h, void (*cb)(struct toed *, const struct nlmsghdr *),
		struct toed *t)
{
	struct answer a = { t, cb };
	char buf[MNL_SOCKET_BUFFER_SIZE];
	int n, more = MNL_CB_OK;

	h->nlmsg_seq = ++sequence;
	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (mnl_socket_sendto(questions, h, h->nlmsg_len) < 0)
		return -errno;
	while (more == MNL_CB_OK) {
		n = (int)mnl_socket_recvfrom(questions, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		more = mnl_cb_run(buf, (size_t)n, sequence, mnl_socket_get_portid(questions), give,
				  &a);
	}
	return more < 0 ? -errno : 0;
}

static void event(struct toed *t, const struct nlmsghdr *h)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		link_event(t, h);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		addrs_event(t, h);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		neigh_event(t, h);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		loop_after(&t->loop, TIMER_ROUTES, 10); /* they come in swarms */
		break;
	}
}

static void events_ready(struct toed *t, struct io *io)
{
	struct answer a = { t, event };
	char buf[MNL_SOCKET_BUFFER_SIZE];
	ssize_t n = mnl_socket_recvfrom(events, buf, sizeof(buf));

	if (n > 0)
		mnl_cb_run(buf, (size_t)n, 0, 0, give, &a);
	else if (n < 0 && errno == ENOBUFS) /* some were lost */
		loop_after(&t->loop, TIMER_RESYNC, 0);
}

/*
 * Events that are queued are older than what is looked at now: with some of them lost, the others would
 * bring back what has gone.
 */
void netlink_resync(struct toed *t)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	int err;

	for (unsigned i = 0; i < MAX_QUEUED; i++)
		if (recv(mnl_socket_get_fd(events), buf, sizeof(buf), MSG_DONTWAIT) < 0 &&
		    errno != ENOBUFS)
			break;
	err = links_load(t);
	if (!err)
		err = addrs_load(t);
	if (!err)
		err = next_hops_refresh(t);
	if (err) {
		say("netlink: %s; trying again", strerror(-err));
		loop_after(&t->loop, TIMER_RESYNC, 100);
	}
	loop_after(&t->loop, TIMER_ROUTES, 10);
}

int netlink_open(struct toed *t)
{
	static const int groups[] = { RTNLGRP_LINK,       RTNLGRP_NEIGH,       RTNLGRP_IPV4_IFADDR,
				      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE };

	events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	questions = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!events || !questions || mnl_socket_bind(events, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_bind(questions, 0, MNL_SOCKET_AUTOPID))
		return -errno;
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (mnl_socket_setsockopt(events, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i],
					  sizeof(groups[i])))
			return -errno;
	events_io = (struct io){ mnl_socket_get_fd(events), events_ready };
	return loop_add(&t->loop, &events_io);
}

void netlink_close(struct toed *t)
{
	if (events)
		mnl_socket_close(events);
	if (questions)
		mnl_socket_close(questions);
	events = questions = NULL;
}

bool netlink_addr(const struct nlattr *attr, uint8_t family, uint8_t out[16])
{
	memset(out, 0, 16);
	if (family == AF_INET && mnl_attr_get_payload_len(attr) == 4) {
		out[10] = out[11] = 0xff;
		memcpy(out + 12, mnl_attr_get_payload(attr), 4);
		return true;
	}
	if (family == AF_INET6 && mnl_attr_get_payload_len(attr) == 16) {
		memcpy(out, mnl_attr_get_payload(attr), 16);
		return true;
	}
	return false;
}

void netlink_put_addr(struct nlmsghdr *h, uint16_t type, const uint8_t addr[16])
{
	if (toe_addr_is_v4(addr))
		mnl_attr_put(h, type, 4, addr + 12);
	else
		mnl_attr_put(h, type, 16, addr);
}
