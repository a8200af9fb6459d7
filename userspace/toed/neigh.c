/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next hops (toe_ctrl.nh), one for each destination in use, source address and interface: all that
 * the kernel's routing looks at. Neighbours are found by ARP or by neighbour discovery (RFC 4861),
 * both the kernel's. The kernel resolves and keeps the neighbour alive for us (NTF_EXT_MANAGED):
 * traffic of the TOE alone would never confirm it. Route changes re-point the entry, so established
 * connections follow.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "core/engine.h"
#include "core/tcb.h"
#include "lib/flow_hash.h"
#include "netlink.h"

#ifndef NTF_EXT_MANAGED
#define NTF_EXT_MANAGED 1 /* Linux 5.16 */
#endif

/* Who made a neighbour entry (as rtm_protocol of routes, of the numbers free for anyone). */
enum { NEIGH_PROTOCOL = 214 };

static struct nlmsghdr *neigh_message(char *buf, uint16_t type, int ifindex, const uint8_t gw[16])
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ndmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	h->nlmsg_type = type;
	m->ndm_family = toe_addr_is_v4(gw) ? AF_INET : AF_INET6;
	m->ndm_ifindex = ifindex;
	m->ndm_state = NUD_NONE;
	netlink_put_addr(h, NDA_DST, gw);
	return h;
}

static void store(struct toed *t, unsigned i, const uint8_t *mac, enum toe_nh_state state)
{
	static const uint8_t none[6];

	toe_store_release(&t->ctrl->nh[i], toe_nh_word(mac ? mac : none, state, t->nh[i].dev));
}

static enum toe_nh_state state_of(uint16_t nud, bool has_mac)
{
	const uint16_t valid =
	    NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;

	if (nud & NUD_FAILED)
		return TOE_NH_FAILED;
	return nud & valid && has_mac ? TOE_NH_VALID : TOE_NH_INCOMPLETE;
}

/* The neighbour's present state becomes the entry's. -ENOENT: there is none. */
static int look(struct toed *t, unsigned i)
{
	char buf[256];

	return netlink_ask(neigh_message(buf, RTM_GETNEIGH, t->nh[i].ifindex, t->nh[i].gw),
			   neigh_event, t);
}

/* Begin to resolve the neighbour, also if that has failed before. 0 or -errno. */
static int resolve(struct toed *t, const struct next_hop *n)
{
	char buf[256];
	struct nlmsghdr *h = neigh_message(buf, RTM_NEWNEIGH, n->ifindex, n->gw);

	h->nlmsg_flags |= NLM_F_CREATE;
	((struct ndmsg *)mnl_nlmsg_get_payload(h))->ndm_flags = NTF_USE;
	return netlink_ask(h, NULL, t);
}

/* Let the kernel keep it resolved. 0 or -errno: -EINVAL before Linux 5.16. */
static int manage(struct toed *t, const struct next_hop *n)
{
	char buf[256];
	struct nlmsghdr *h = neigh_message(buf, RTM_NEWNEIGH, n->ifindex, n->gw);

	h->nlmsg_flags |= NLM_F_CREATE;
	mnl_attr_put_u32(h, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	mnl_attr_put_u8(h, NDA_PROTOCOL, NEIGH_PROTOCOL);
	return netlink_ask(h, NULL, t);
}

/*
 * The neighbour's present state comes as an event or by the query. It is to be resolved before it is
 * managed: that makes an event of its state, which we read after the query, and the kernel may have
 * found nobody there a while ago. A permanent one is left as it is: either would make the kernel
 * ask for what an administrator has told it.
 */
static void install(struct toed *t, unsigned i)
{
	struct next_hop *n = &t->nh[i];
	int err, kept;

	n->managed = n->permanent = false;
	if (!look(t, i) && n->permanent)
		return;
	err = resolve(t, n);
	kept = manage(t, n);
	n->managed = !kept;
	if (kept && kept != -EINVAL)
		err = kept;
	if (err && err != -EEXIST)
		say("%s: the kernel does not resolve a next hop: %s", t->dev[n->dev].name,
		    strerror(-err));
	look(t, i);
}

int next_hops_refresh(struct toed *t)
{
	int err = 0;

	for (unsigned i = 0; i < TOE_MAX_NEXT_HOPS && !err; i++) {
		if (!t->nh[i].used)
			continue;
		err = look(t, i);
		if (err == -ENOENT) { /* deleted: TIMER_ROUTES makes it anew */
			store(t, i, NULL, TOE_NH_INCOMPLETE);
			err = 0;
		}
	}
	return err;
}

void neigh_event(struct toed *t, const struct nlmsghdr *h)
{
	const struct ndmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	const uint8_t *mac = NULL;
	uint8_t addr[16] = { 0 };
	bool found = false;

	mnl_attr_for_each(attr, h, sizeof(*m))
	{
		if (mnl_attr_get_type(attr) == NDA_DST)
			found = netlink_addr(attr, m->ndm_family, addr);
		if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6)
			mac = mnl_attr_get_payload(attr);
	}
	for (unsigned i = 0; found && i < TOE_MAX_NEXT_HOPS; i++) {
		struct next_hop *n = &t->nh[i];

		if (!n->used || n->ifindex != m->ndm_ifindex || memcmp(n->gw, addr, 16))
			continue;
		n->permanent = h->nlmsg_type == RTM_NEWNEIGH && m->ndm_state & NUD_PERMANENT;
		n->managed &= !n->permanent; /* an administrator has taken its place */
		if (h->nlmsg_type == RTM_NEWNEIGH) {
			store(t, i, mac, state_of(m->ndm_state, mac));
		} else { /* somebody deleted it (ip neigh flush): begin anew */
			store(t, i, NULL, TOE_NH_INCOMPLETE);
			loop_after(&t->loop, TIMER_ROUTES, 10);
		}
	}
}

/* The kernel need not keep the neighbour any longer, unless another entry leads over it. */
static void release(struct toed *t, unsigned i)
{
	struct next_hop *n = &t->nh[i];
	char buf[256];

	if (!n->managed)
		return;
	n->managed = false;
	for (unsigned k = 0; k < TOE_MAX_NEXT_HOPS; k++)
		if (t->nh[k].used && t->nh[k].managed && t->nh[k].ifindex == n->ifindex &&
		    !memcmp(t->nh[k].gw, n->gw, 16))
			return;
	netlink_ask(neigh_message(buf, RTM_DELNEIGH, n->ifindex, n->gw), NULL, t);
}

/* Entries that neither a connection nor a grant uses. Rare: only when the table is full. */
static void collect(struct toed *t)
{
	static bool live[TOE_MAX_NEXT_HOPS];

	memset(live, 0, sizeof(live));
	for (unsigned i = 0; i < TOE_MAX_GRANTS; i++)
		if (t->ctrl->grant[i].state == TOE_GRANT_READY)
			live[t->ctrl->grant[i].nh % TOE_MAX_NEXT_HOPS] = true;
	for (uint32_t id = 0; id < t->ctrl->nflows; id++) {
		const struct toe_tcb *tcb;

		if (t->tcbs[id].life != TOE_LIFE_LIVE)
			continue;
		tcb = toe_engine_peek(t->state, t->ctrl, &t->tcbs[id]);
		if (tcb && tcb->nh < TOE_MAX_NEXT_HOPS)
			live[tcb->nh] = true;
	}
	for (unsigned i = 0; i < TOE_MAX_NEXT_HOPS; i++) {
		if (t->nh[i].used && !live[i]) {
			t->nh[i].used = false;
			release(t, i);
			toe_store_release(&t->ctrl->nh[i], 0);
		}
	}
}

static int find(struct toed *t, const uint8_t dst[16], const uint8_t src[16], int ifindex)
{
	for (unsigned i = 0; i < TOE_MAX_NEXT_HOPS; i++)
		if (t->nh[i].used && t->nh[i].ifindex == ifindex &&
		    !memcmp(t->nh[i].dst, dst, 16) && !memcmp(t->nh[i].src, src, 16))
			return (int)i;
	return -ENOENT;
}

static int take_free(struct toed *t)
{
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < TOE_MAX_NEXT_HOPS; i++)
			if (!t->nh[i].used)
				return (int)i;
		collect(t);
	}
	return -ENOSPC;
}

static void point(struct toed *t, unsigned i, const uint8_t gw[16])
{
	if (memcmp(t->nh[i].gw, gw, 16))
		release(t, i);
	memcpy(t->nh[i].gw, gw, 16);
	store(t, i, NULL, TOE_NH_INCOMPLETE);
	install(t, i);
}

int next_hop_get(struct toed *t, const uint8_t dst[16], const struct link *l, const struct route *r)
{
	int i = find(t, dst, r->src, l->ifindex);

	if (i >= 0) {
		enum toe_nh_state s = (enum toe_nh_state)(t->ctrl->nh[i] >> 48 & 0xff);

		if (memcmp(t->nh[i].gw, r->gw, 16) || s == TOE_NH_FAILED)
			point(t, (unsigned)i, r->gw);
		return i;
	}
	i = take_free(t);
	if (i < 0)
		return i;
	t->nh[i] = (struct next_hop){ .used = true, .ifindex = l->ifindex, .dev = l->dev };
	memcpy(t->nh[i].dst, dst, 16);
	memcpy(t->nh[i].src, r->src, 16);
	point(t, (unsigned)i, r->gw);
	return i;
}

/* Connections outlive their address, from which the kernel knows no route then. */
static int look_up(struct toed *t, const struct next_hop *n, struct route *r)
{
	int err = route_lookup(t, n->dst, n->src, n->ifindex, r);

	return err == -EINVAL ? route_lookup(t, n->dst, NULL, n->ifindex, r) : err;
}

/* TIMER_ROUTES: routes changed, or a neighbour was deleted. */
void next_hops_reroute(struct toed *t)
{
	for (unsigned i = 0; i < TOE_MAX_NEXT_HOPS; i++) {
		struct next_hop *n = &t->nh[i];
		struct route r;

		if (!n->used)
			continue;
		if (look_up(t, n, &r) || !r.unicast || r.ifindex != n->ifindex) {
			store(t, i, NULL, TOE_NH_FAILED);
			continue;
		}
		if (memcmp(n->gw, r.gw, 16) || (t->ctrl->nh[i] >> 48 & 0xff) != TOE_NH_VALID)
			point(t, i, r.gw);
	}
}

/* At the end. */
void next_hops_drop(struct toed *t)
{
	for (unsigned i = 0; i < TOE_MAX_NEXT_HOPS; i++)
		release(t, i);
}

static struct {
	int ifindex;
	uint8_t gw[16];
} left[TOE_MAX_NEXT_HOPS];
static unsigned nleft;

static void note_left(struct toed *t, const struct nlmsghdr *h)
{
	const struct ndmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	bool ours = false, found = false;
	struct link l;

	if (h->nlmsg_type != RTM_NEWNEIGH || nleft == TOE_MAX_NEXT_HOPS)
		return;
	left[nleft].ifindex = m->ndm_ifindex;
	mnl_attr_for_each(attr, h, sizeof(*m))
	{
		if (mnl_attr_get_type(attr) == NDA_DST)
			found = netlink_addr(attr, m->ndm_family, left[nleft].gw);
		if (mnl_attr_get_type(attr) == NDA_PROTOCOL)
			ours = mnl_attr_get_u8(attr) == NEIGH_PROTOCOL;
	}
	nleft += ours && found && !(m->ndm_state & NUD_PERMANENT) &&
		 link_by_ifindex(t, m->ndm_ifindex, &l);
}

void next_hops_clean(struct toed *t)
{
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ndmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	h->nlmsg_type = RTM_GETNEIGH;
	h->nlmsg_flags = NLM_F_DUMP;
	m->ndm_family = AF_UNSPEC;
	netlink_ask(h, note_left, t);
	while (nleft--)
		netlink_ask(neigh_message(buf, RTM_DELNEIGH, left[nleft].ifindex, left[nleft].gw),
			    NULL, t);
}
