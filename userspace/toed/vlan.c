/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces: the served devices, and VLANs (802.1Q, 802.1ad) on top of them, which come and go.
 * The firmware puts the tag into its frames itself; what it needs to know is in toe_ctrl.vif.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "netlink.h"

/* What a link message tells. */
struct seen {
	int ifindex, below; /* below: the interface that it lies on, 0 = none here */
	unsigned mtu;
	bool up, is_vlan;
	uint16_t vlan; /* as in toe_tuple */
	const uint8_t *mac;
	const char *name;
};

static bool vif_seen[TOE_MAX_VIFS], dev_seen[TOE_MAX_DEVS]; /* since links_load began */

static struct toe_vif *find(struct toed *t, int ifindex)
{
	for (unsigned i = 0; ifindex && i < TOE_MAX_VIFS; i++)
		if (t->ctrl->vif[i].ifindex == (uint32_t)ifindex)
			return &t->ctrl->vif[i];
	return NULL;
}

bool link_by_ifindex(struct toed *t, int ifindex, struct link *l)
{
	struct device *d = device_by_ifindex(t, ifindex);
	const struct toe_vif *v;

	if (d) {
		*l = (struct link){ ifindex, d->mtu, 0, (uint8_t)device_index(t, d) };
		return true;
	}
	v = find(t, ifindex);
	if (v)
		*l = (struct link){ ifindex, toe_link_mtu(t->ctrl, v->dev, v->vlan), v->vlan,
				    v->dev };
	return v;
}

static void read_vlan(const struct nlattr *data, struct seen *s)
{
	uint16_t id = 0, proto = htons(ETH_P_8021Q);
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, data)
	{
		if (mnl_attr_get_type(attr) == IFLA_VLAN_ID)
			id = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) == IFLA_VLAN_PROTOCOL)
			proto = mnl_attr_get_u16(attr);
	}
	s->vlan = (uint16_t)(id | (proto == htons(ETH_P_8021AD) ? TOE_VLAN_STAG : 0));
}

static void read_info(const struct nlattr *info, struct seen *s)
{
	const struct nlattr *attr, *data = NULL;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			s->is_vlan = !strcmp(mnl_attr_get_str(attr), "vlan");
		if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
			data = attr;
	}
	if (s->is_vlan && data)
		read_vlan(data, s);
}

static void read_link(const struct nlmsghdr *h, struct seen *s)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	bool elsewhere = false;

	*s = (struct seen){ .ifindex = m->ifi_index, .up = m->ifi_flags & IFF_UP, .name = "?" };
	mnl_attr_for_each(attr, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_MTU:
			s->mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_IFNAME:
			s->name = mnl_attr_get_str(attr);
			break;
		case IFLA_LINK:
			s->below = (int)mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK_NETNSID: /* the interface below has its number there */
			elsewhere = true;
			break;
		case IFLA_ADDRESS:
			s->mac =
			    mnl_attr_get_payload_len(attr) == 6 ? mnl_attr_get_payload(attr) : NULL;
			break;
		case IFLA_LINKINFO:
			read_info(attr, s);
			break;
		}
	}
	if (elsewhere)
		s->below = 0;
}

static void set_down(struct toed *t, struct toe_vif *v, bool down)
{
	if (v->down == down)
		return;
	toe_store(&v->down, down);
	toe_store(&t->ctrl->vifs_down, (uint8_t)(t->ctrl->vifs_down + (down ? 1 : -1)));
}

static void vlan_gone(struct toed *t, struct toe_vif *v)
{
	say("VLAN %u of %s has gone: its connections are reset", v->vlan & 0xfff,
	    t->dev[v->dev].name);
	set_down(t, v, false); /* who deletes it sets it down first; the peers are to be told */
	device_reset_flows(t, v->dev, &v->vlan);
	toe_store_release(&v->ifindex, 0);
}

/* Our frames carry the device's. */
static bool same_mac(const struct seen *s, const struct device *d)
{
	return !s->mac || !memcmp(s->mac, d->mac, 6);
}

static void vlan_new(struct toed *t, const struct seen *s, const struct device *d)
{
	unsigned i = 0;

	if (!same_mac(s, d)) {
		say("%s has another link address than %s: it stays with the kernel", s->name,
		    d->name);
		return;
	}
	while (i < TOE_MAX_VIFS && t->ctrl->vif[i].ifindex)
		i++;
	if (i == TOE_MAX_VIFS) {
		say("%s: more than %d VLANs: it stays with the kernel", s->name, TOE_MAX_VIFS);
		return;
	}
	vif_seen[i] = true;
	t->ctrl->vif[i].mtu = s->mtu;
	t->ctrl->vif[i].vlan = s->vlan;
	t->ctrl->vif[i].dev = (uint8_t)device_index(t, d);
	set_down(t, &t->ctrl->vif[i], !s->up);
	toe_store_release(&t->ctrl->vif[i].ifindex, (uint32_t)s->ifindex);
	loop_after(&t->loop, TIMER_RESYNC, 10); /* it may have addresses already */
	say("%s: VLAN %u of %s%s%s", s->name, s->vlan & 0xfff, d->name,
	    s->vlan & TOE_VLAN_STAG ? " (802.1ad)" : "", s->up ? "" : ", down");
	if (!strcmp(d->driver, "veth"))
		say("%s is a veth: its VLANs are the kernel's unless its peer has VLAN offload off "
		    "(ethtool -K PEER txvlan off tx-vlan-stag-hw-insert off)",
		    d->name);
}

/*
 * Linux keeps the connections and IPv4 addresses of an interface that is down: they go on when it is
 * up again.
 */
static void vlan_changed(struct toed *t, struct toe_vif *v, const struct seen *s)
{
	if (v->down == s->up)
		say("%s is %s", s->name, s->up ? "up" : "down");
	set_down(t, v, !s->up);
	toe_store(&v->mtu, s->mtu);
}

static void vlan_link(struct toed *t, const struct seen *s)
{
	const struct device *d = s->is_vlan ? device_by_ifindex(t, s->below) : NULL;
	struct toe_vif *v = find(t, s->ifindex);

	if (v)
		vif_seen[v - t->ctrl->vif] = true;
	if (v && d && !same_mac(s, d)) {
		vlan_gone(t, v);
		loop_after(&t->loop, TIMER_RESYNC, 10); /* its addresses are still there */
	} else if (v)
		vlan_changed(t, v, s);
	else if (d && s->vlan & 0xfff)
		vlan_new(t, s, d);
}

/* RTM_NEWLINK, RTM_DELLINK. A bridge that a device leaves says DELLINK, too, in its own family. */
void link_event(struct toed *t, const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	struct toe_vif *v = find(t, m->ifi_index);
	struct device *d = device_by_ifindex(t, m->ifi_index);
	struct seen s;

	if (m->ifi_family != AF_UNSPEC)
		return;
	read_link(h, &s);
	if (h->nlmsg_type == RTM_NEWLINK) {
		device_link(t, s.ifindex, s.up, s.mtu, s.mac);
		if (d)
			dev_seen[device_index(t, d)] = true;
		vlan_link(t, &s);
	} else if (v) {
		vlan_gone(t, v);
	} else {
		device_gone(t, s.ifindex);
	}
}

/* What the kernel did not name has gone unnoticed. */
static void sweep(struct toed *t)
{
	for (unsigned i = 0; i < TOE_MAX_VIFS; i++)
		if (t->ctrl->vif[i].ifindex && !vif_seen[i])
			vlan_gone(t, &t->ctrl->vif[i]);
	for (unsigned i = 0; i < t->ndevs; i++)
		if (!dev_seen[i])
			device_gone(t, t->dev[i].ifindex);
}

int links_load(struct toed *t)
{
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	int err;

	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_DUMP;
	memset(vif_seen, 0, sizeof(vif_seen));
	memset(dev_seen, 0, sizeof(dev_seen));
	err = netlink_ask(h, link_event, t);
	if (!err)
		sweep(t);
	return err;
}
