/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toed's interfaces and local addresses, from netlink messages: kernels without 802.1Q support can
 * be told of VLANs here.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/toed/netlink.h"

#include "tests/harness/unit.h"

enum { DEV = 7, VLAN = 9 }; /* interface indices */

static struct toed *t;
static char buf[1024];
static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

static void up(void)
{
	t = calloc(1, sizeof(*t));
	t->ctrl = calloc(1, sizeof(*t->ctrl));
	t->ndevs = t->nfpcs = 1;
	t->dev[0].ifindex = DEV;
	t->dev[0].mtu = t->ctrl->dev[0].mtu = 1500;
	t->dev[0].up = true;
	t->dev[0].frame_size = 2048;
	strcpy(t->dev[0].name, "eth0");
	memcpy(t->dev[0].mac, mac, 6);
	t->ctrl->dev[0].ifindex = DEV;
	toe_maps_init(&t->xdp.maps);
}

static void down(void)
{
	free(t->ctrl);
	free(t);
}

static unsigned flags_now = IFF_UP; /* of the VLAN interface in link_is */

static void link_is(uint16_t type, const uint8_t *addr, uint32_t below, uint16_t id, uint16_t proto,
		    uint32_t mtu, bool elsewhere)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	struct nlattr *info, *data;

	h->nlmsg_type = type;
	m->ifi_index = VLAN;
	m->ifi_flags = flags_now;
	mnl_attr_put_strz(h, IFLA_IFNAME, "eth0.100");
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	mnl_attr_put(h, IFLA_ADDRESS, 6, addr);
	mnl_attr_put_u32(h, IFLA_LINK, below);
	if (elsewhere)
		mnl_attr_put_u32(h, IFLA_LINK_NETNSID, 3);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "vlan");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u16(h, IFLA_VLAN_ID, id);
	mnl_attr_put_u16(h, IFLA_VLAN_PROTOCOL, htons(proto));
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	link_event(t, h);
}

static uint8_t prefix_now = 24; /* of the address in addr_is */

static void addr_is(uint16_t type, int ifindex, const char *local, const char *address,
		    uint32_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	const char *text[2] = { local, address };
	static const uint16_t attr[2] = { IFA_LOCAL, IFA_ADDRESS };
	uint8_t a[16];

	h->nlmsg_type = type;
	m->ifa_index = (uint32_t)ifindex;
	m->ifa_family = strchr(address, ':') ? AF_INET6 : AF_INET;
	m->ifa_prefixlen = prefix_now;
	for (int i = 0; i < 2; i++)
		if (text[i] && inet_pton(m->ifa_family, text[i], a) == 1)
			mnl_attr_put(h, attr[i], m->ifa_family == AF_INET ? 4 : 16, a);
	mnl_attr_put_u32(h, IFA_FLAGS, flags);
	addrs_event(t, h);
}

static bool has(const char *text, uint16_t vlan)
{
	struct place p = { .vlan = vlan };

	inet_pton(AF_INET6, text, p.addr);
	return place_is_local(t, &p);
}

static void link_event__vlan_of_a_device(void)
{
	struct link l;

	up();
	CU_ASSERT(!link_by_ifindex(t, VLAN, &l));
	link_is(RTM_NEWLINK, mac, DEV, 100, ETH_P_8021Q, 1400, false);
	CU_ASSERT_FATAL(link_by_ifindex(t, VLAN, &l));
	CU_ASSERT(l.vlan == 100 && l.mtu == 1400 && l.dev == 0);
	CU_ASSERT_EQUAL(toe_link_ifindex(t->ctrl, 0, 100), VLAN);
	CU_ASSERT_EQUAL(toe_link_ifindex(t->ctrl, 0, 0), DEV);
	link_is(RTM_NEWLINK, mac, DEV, 100, ETH_P_8021Q, 1300, false);
	CU_ASSERT_EQUAL(toe_link_mtu(t->ctrl, 0, 100), 1300);
	/* Never more than the device's frames carry. */
	link_is(RTM_NEWLINK, mac, DEV, 100, ETH_P_8021Q, 9000, false);
	CU_ASSERT_EQUAL(toe_link_mtu(t->ctrl, 0, 100), 1500);
	link_is(RTM_DELLINK, mac, DEV, 100, ETH_P_8021Q, 1300, false);
	CU_ASSERT(!link_by_ifindex(t, VLAN, &l));
	down();
}

static void vlan_is(bool up)
{
	flags_now = up ? IFF_UP : 0;
	link_is(RTM_NEWLINK, mac, DEV, 100, ETH_P_8021Q, 1500, false);
	flags_now = IFF_UP;
}

static bool vlan_up(void)
{
	return toe_link_up(t->ctrl, 0, 100);
}

/* Set down and up, made down; its end leaves nothing behind for the next one. */
static void link_event__vlan_down(void)
{
	up();
	vlan_is(true);
	CU_ASSERT(vlan_up());
	vlan_is(false);
	vlan_is(false);
	CU_ASSERT(!vlan_up() && toe_link_up(t->ctrl, 0, 0) && toe_link_up(t->ctrl, 0, 200));
	CU_ASSERT_EQUAL(t->ctrl->vifs_down, 1);
	vlan_is(true);
	CU_ASSERT(vlan_up());
	CU_ASSERT_EQUAL(t->ctrl->vifs_down, 0);
	vlan_is(false);
	link_is(RTM_DELLINK, mac, DEV, 100, ETH_P_8021Q, 1500, false);
	CU_ASSERT_EQUAL(t->ctrl->vifs_down, 0);
	CU_ASSERT(vlan_up()); /* resets to its peers are sent */
	vlan_is(false);
	CU_ASSERT(!vlan_up());
	vlan_is(true);
	CU_ASSERT(vlan_up());
	down();
}

/*
 * It takes a link address of its own, and gives it up again: nobody announces the addresses that
 * it has all the time.
 */
static void link_event__vlan_with_its_own_address(void)
{
	static const uint8_t other[6] = { 2, 0, 0, 0, 0, 2 };
	struct link l;

	up();
	vlan_is(true);
	t->loop.at[TIMER_RESYNC] = 0;
	link_is(RTM_NEWLINK, other, DEV, 100, ETH_P_8021Q, 1500, false);
	CU_ASSERT(!link_by_ifindex(t, VLAN, &l) && t->loop.at[TIMER_RESYNC]);
	t->loop.at[TIMER_RESYNC] = 0;
	vlan_is(true);
	CU_ASSERT(link_by_ifindex(t, VLAN, &l) && t->loop.at[TIMER_RESYNC]);
	down();
}

static void link_event__service_tag(void)
{
	struct link l;

	up();
	link_is(RTM_NEWLINK, mac, DEV, 100, ETH_P_8021AD, 1500, false);
	CU_ASSERT_FATAL(link_by_ifindex(t, VLAN, &l));
	CU_ASSERT_EQUAL(l.vlan, 100 | TOE_VLAN_STAG);
	down();
}

static void link_event__not_ours(void)
{
	static const uint8_t other[6] = { 2, 0, 0, 0, 0, 2 };
	struct link l;

	up();
	link_is(RTM_NEWLINK, mac, DEV + 1, 100, ETH_P_8021Q, 1500, false); /* of another device */
	CU_ASSERT(!link_by_ifindex(t, VLAN, &l));
	link_is(RTM_NEWLINK, mac, DEV, 100, ETH_P_8021Q, 1500, true); /* number 7 elsewhere */
	CU_ASSERT(!link_by_ifindex(t, VLAN, &l));
	link_is(RTM_NEWLINK, other, DEV, 100, ETH_P_8021Q, 1500, false); /* our frames say mac */
	CU_ASSERT(!link_by_ifindex(t, VLAN, &l));
	link_is(RTM_NEWLINK, mac, DEV, 0, ETH_P_8021Q, 1500, false); /* priority tags only */
	CU_ASSERT(!link_by_ifindex(t, VLAN, &l));
	down();
}

static void addrs_event__families_and_interfaces(void)
{
	up();
	link_is(RTM_NEWLINK, mac, DEV, 100, ETH_P_8021Q, 1500, false);
	addr_is(RTM_NEWADDR, DEV, "192.0.2.1", "192.0.2.1", 0);
	addr_is(RTM_NEWADDR, DEV, NULL, "fe80::1", 0);
	addr_is(RTM_NEWADDR, VLAN, NULL, "fe80::1", 0);
	addr_is(RTM_NEWADDR, VLAN, NULL, "2001:db8::1", 0);
	addr_is(RTM_NEWADDR, 99, NULL, "2001:db8::99", 0);
	CU_ASSERT(has("::ffff:192.0.2.1", 0) && has("fe80::1", 0) && has("fe80::1", 100));
	CU_ASSERT(has("2001:db8::1", 100) && !has("2001:db8::1", 0) && !has("2001:db8::99", 0));
	addr_is(RTM_DELADDR, DEV, NULL, "fe80::1", 0);
	CU_ASSERT(!has("fe80::1", 0) && has("fe80::1", 100));
	CU_ASSERT_EQUAL(t->nlocals, 3);
	down();
}

/* An IPv4 address that is there twice, as when its prefix changes, goes with the second. */
static void addrs_event__two_prefixes(void)
{
	up();
	addr_is(RTM_NEWADDR, DEV, "192.0.2.1", "192.0.2.1", 0);
	addr_is(RTM_NEWADDR, DEV, "192.0.2.2", "192.0.2.2", 0);
	prefix_now = 32;
	addr_is(RTM_NEWADDR, DEV, "192.0.2.1", "192.0.2.1", 0);
	addr_is(RTM_NEWADDR, DEV, "192.0.2.1", "192.0.2.1", 0);
	prefix_now = 24;
	addr_is(RTM_DELADDR, DEV, "192.0.2.1", "192.0.2.1", 0);
	CU_ASSERT(has("::ffff:192.0.2.1", 0) && has("::ffff:192.0.2.2", 0));
	prefix_now = 32;
	addr_is(RTM_DELADDR, DEV, "192.0.2.1", "192.0.2.1", 0);
	CU_ASSERT(!has("::ffff:192.0.2.1", 0) && has("::ffff:192.0.2.2", 0));
	prefix_now = 24;
	down();
}

/* On a point-to-point link IFA_ADDRESS is the other end's. */
static void addrs_event__peer(void)
{
	up();
	addr_is(RTM_NEWADDR, DEV, "2001:db8::1", "2001:db8::2", 0);
	CU_ASSERT(has("2001:db8::1", 0) && !has("2001:db8::2", 0));
	down();
}

static void addrs_event__tentative_and_deprecated(void)
{
	up();
	addr_is(RTM_NEWADDR, DEV, NULL, "2001:db8::1", IFA_F_TENTATIVE);
	CU_ASSERT(!has("2001:db8::1", 0));
	addr_is(RTM_NEWADDR, DEV, NULL, "2001:db8::1", 0);
	CU_ASSERT(has("2001:db8::1", 0));
	addr_is(RTM_NEWADDR, DEV, NULL, "2001:db8::1", IFA_F_DEPRECATED);
	CU_ASSERT(has("2001:db8::1", 0));
	addr_is(RTM_NEWADDR, DEV, NULL, "2001:db8::2", IFA_F_TENTATIVE | IFA_F_OPTIMISTIC);
	CU_ASSERT(has("2001:db8::2", 0));
	addr_is(RTM_NEWADDR, DEV, NULL, "2001:db8::2", IFA_F_TENTATIVE | IFA_F_DADFAILED);
	CU_ASSERT(!has("2001:db8::2", 0));
	down();
}

/* What a dump does not name has gone, though nobody said so. A device that goes takes toed along. */
static void links_load__finds_what_has_gone(void)
{
	struct link l;

	up();
	if (loop_init(&t->loop) || netlink_open(t)) {
		CU_FAIL_FATAL("no netlink socket");
	}
	t->dev[0].ifindex = 1 << 24; /* the machine has none of these */
	t->ctrl->dev[0].ifindex = 1 << 24;
	link_is(RTM_NEWLINK, mac, 1 << 24, 100, ETH_P_8021Q, 1500, false);
	t->ctrl->vif[0].ifindex = 1 << 25;
	CU_ASSERT_FATAL(link_by_ifindex(t, 1 << 25, &l));
	CU_ASSERT_EQUAL(links_load(t), 0);
	CU_ASSERT(!link_by_ifindex(t, 1 << 25, &l));
	CU_ASSERT(t->dev[0].gone && t->quit);
	netlink_close(t);
	down();
}

/* A device's new address is in its frames at once; a VLAN that keeps the old one is the kernel's. */
static void device_link__new_address(void)
{
	static const uint8_t other[6] = { 2, 0, 0, 0, 0, 2 };
	struct link l;

	up();
	t->ctrl->dev[0].software = 1;
	t->ctrl->dev[0].nqueues = 3;
	link_is(RTM_NEWLINK, mac, DEV, 100, ETH_P_8021Q, 1500, false);
	CU_ASSERT(link_by_ifindex(t, VLAN, &l));
	device_link(t, DEV, true, 1500, other);
	CU_ASSERT(!memcmp(t->ctrl->dev[0].mac, other, 6) && t->loop.at[TIMER_RESYNC]);
	CU_ASSERT(t->ctrl->dev[0].software == 1 && t->ctrl->dev[0].nqueues == 3);
	link_is(RTM_NEWLINK, mac, DEV, 100, ETH_P_8021Q, 1500, false);
	CU_ASSERT(!link_by_ifindex(t, VLAN, &l));
	link_is(RTM_NEWLINK, other, DEV, 100, ETH_P_8021Q, 1500, false);
	CU_ASSERT(link_by_ifindex(t, VLAN, &l));
	down();
}

UNIT_MAIN("toed_links", T(link_event__vlan_of_a_device), T(link_event__vlan_down),
	  T(link_event__vlan_with_its_own_address), T(link_event__service_tag),
	  T(link_event__not_ours), T(addrs_event__families_and_interfaces),
	  T(addrs_event__two_prefixes), T(addrs_event__peer),
	  T(addrs_event__tentative_and_deprecated), T(links_load__finds_what_has_gone),
	  T(device_link__new_address))
