// SPDX-License-Identifier: BSD-2-Clause
/*
 * Local addresses of the served devices: wildcard listeners and the range of active opens follow
 * them.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netlink.h"

static int find(const struct device *d, const uint8_t addr[16])
{
	for (unsigned i = 0; i < d->naddrs; i++)
		if (!memcmp(d->addr[i], addr, 16))
			return (int)i;
	return -ENOENT;
}

bool device_has(const struct device *d, const uint8_t addr[16])
{
	return find(d, addr) >= 0;
}

static void add(struct toed *t, struct device *d, const uint8_t addr[16])
{
	if (find(d, addr) >= 0)
		return;
	if (d->naddrs == MAX_ADDRS) {
		say("%s has more than %d addresses: the rest stay with the kernel", d->name,
		    MAX_ADDRS);
		return;
	}
	memcpy(d->addr[d->naddrs++], addr, 16);
	endpoint_range(t, d, addr, true);
	listeners_addr(t, d, addr, true);
}

static void del(struct toed *t, struct device *d, const uint8_t addr[16])
{
	int i = find(d, addr);

	if (i < 0)
		return;
	memcpy(d->addr[i], d->addr[--d->naddrs], 16);
	endpoint_range(t, d, addr, false);
	listeners_addr(t, d, addr, false);
}

/*
 * RTM_NEWADDR, RTM_DELADDR. IFA_LOCAL is ours; IFA_ADDRESS is the other end's on a point-to-point
 * link.
 */
void addrs_event(struct toed *t, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct device *d = device_by_ifindex(t, (int)m->ifa_index);
	const struct nlattr *attr;
	uint8_t addr[16];
	bool found = false;

	if (!d || m->ifa_family != AF_INET)
		return;
	mnl_attr_for_each(attr, h, sizeof(*m)) if (mnl_attr_get_type(attr) == IFA_LOCAL) found =
	    netlink_addr(attr, m->ifa_family, addr);
	if (!found)
		return;
	if (h->nlmsg_type == RTM_NEWADDR)
		add(t, d, addr);
	else
		del(t, d, addr);
}

int addrs_load(struct toed *t)
{
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));

	h->nlmsg_type = RTM_GETADDR;
	h->nlmsg_flags = NLM_F_DUMP;
	g->rtgen_family = AF_INET;
	return netlink_ask(h, addrs_event, t);
}
