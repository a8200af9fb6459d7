/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local addresses of the served interfaces: wildcard listeners and the range of active opens follow
 * them. An IPv6 address counts once the kernel has found that nobody else has it (RFC 4862 5.4);
 * a deprecated one still does, the kernel only prefers others for new connections.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "netlink.h"

/*
 * The prefix lengths with which each is there, since addrs_load began: an IPv4 address may be
 * configured more than once, and goes with the last of them.
 */
static uint64_t prefixes[MAX_LOCALS];

static int find(const struct toed *t, const struct place *p)
{
	for (unsigned i = 0; i < t->nlocals; i++)
		if (same_place(&t->local[i], p))
			return (int)i;
	return -ENOENT;
}

bool place_is_local(const struct toed *t, const struct place *p)
{
	return find(t, p) >= 0;
}

static void add(struct toed *t, const struct place *p, uint64_t prefix)
{
	int i = find(t, p);

	if (i >= 0) {
		prefixes[i] |= prefix;
		return;
	}
	if (t->nlocals == MAX_LOCALS) {
		say("%s: more than %d addresses are not served: the rest stay with the kernel",
		    t->dev[p->dev].name, MAX_LOCALS);
		return;
	}
	prefixes[t->nlocals] = prefix;
	t->local[t->nlocals++] = *p;
	endpoint_range(t, p, true);
	listeners_addr(t, p, true);
}

static void del(struct toed *t, unsigned i)
{
	struct place gone = t->local[i];

	t->local[i] = t->local[--t->nlocals];
	prefixes[i] = prefixes[t->nlocals];
	endpoint_range(t, &gone, false);
	listeners_addr(t, &gone, false);
}

static void del_prefix(struct toed *t, const struct place *p, uint64_t prefix)
{
	int i = find(t, p);

	if (i < 0)
		return;
	prefixes[i] &= ~prefix;
	if (!prefixes[i])
		del(t, (unsigned)i);
}

/*
 * IFA_LOCAL is ours; IFA_ADDRESS is the other end's on a point-to-point link, but the only one that
 * IPv6 has on others.
 */
static bool read_addr(const struct nlmsghdr *h, uint8_t addr[16], uint32_t *flags)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr, *local = NULL, *address = NULL;

	*flags = m->ifa_flags;
	mnl_attr_for_each(attr, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFA_LOCAL:
			local = attr;
			break;
		case IFA_ADDRESS:
			address = attr;
			break;
		case IFA_FLAGS:
			*flags = mnl_attr_get_u32(attr);
			break;
		}
	}
	if (!local && m->ifa_family == AF_INET6)
		local = address;
	return local && netlink_addr(local, m->ifa_family, addr);
}

/* RTM_NEWADDR, RTM_DELADDR. */
void addrs_event(struct toed *t, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct place p = { 0 };
	struct link l;
	uint64_t prefix = 1ull << (m->ifa_family == AF_INET ? m->ifa_prefixlen % 64 : 0);
	uint32_t flags;

	if (!link_by_ifindex(t, (int)m->ifa_index, &l) || !read_addr(h, p.addr, &flags))
		return;
	p.dev = l.dev;
	p.vlan = l.vlan;
	if (h->nlmsg_type == RTM_DELADDR || flags & IFA_F_DADFAILED)
		del_prefix(t, &p, prefix);
	else if (!(flags & IFA_F_TENTATIVE) || flags & IFA_F_OPTIMISTIC)
		add(t, &p, prefix); /* tentative: announced again when it has been checked */
}

int addrs_load(struct toed *t)
{
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	int err;

	h->nlmsg_type = RTM_GETADDR;
	h->nlmsg_flags = NLM_F_DUMP;
	g->rtgen_family = AF_UNSPEC;
	memset(prefixes, 0, sizeof(prefixes));
	err = netlink_ask(h, addrs_event, t);
	for (unsigned i = t->nlocals; !err && i-- > 0;)
		if (!prefixes[i])
			del(t, i);
	return err;
}
