/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own route look-up, so that rules, tables and metrics count as for everybody else. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "lib/flow_hash.h"
#include "netlink.h"

static struct route *answer;

static void read_metrics(const struct nlattr *metrics)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, metrics) if (mnl_attr_get_type(attr) == RTAX_MTU)
	    answer->mtu = mnl_attr_get_u32(attr);
}

static void read_route(struct toed *t, const struct nlmsghdr *h)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;

	if (h->nlmsg_type != RTM_NEWROUTE)
		return;
	answer->unicast = m->rtm_type == RTN_UNICAST;
	mnl_attr_for_each(attr, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			answer->ifindex = (int)mnl_attr_get_u32(attr);
			break;
		case RTA_GATEWAY:
			netlink_addr(attr, m->rtm_family, answer->gw);
			break;
		case RTA_PREFSRC:
			netlink_addr(attr, m->rtm_family, answer->src);
			break;
		case RTA_VIA: /* a gateway of another family: left to the kernel */
			answer->unicast = false;
			break;
		case RTA_METRICS:
			read_metrics(attr);
			break;
		}
	}
}

/*
 * `src` NULL: any; ifindex 0: any interface. 0, or the error that the kernel's connect would give:
 * -ENETUNREACH and so on.
 */
int route_lookup(struct toed *t, const uint8_t dst[16], const uint8_t *src, int ifindex,
		 struct route *r)
{
	bool v4 = toe_addr_is_v4(dst);
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	int err;

	h->nlmsg_type = RTM_GETROUTE;
	m->rtm_family = v4 ? AF_INET : AF_INET6;
	m->rtm_dst_len = v4 ? 32 : 128;
	netlink_put_addr(h, RTA_DST, dst);
	if (src) {
		m->rtm_src_len = m->rtm_dst_len;
		netlink_put_addr(h, RTA_SRC, src);
	}
	if (ifindex)
		mnl_attr_put_u32(h, RTA_OIF, (uint32_t)ifindex);
	memset(r, 0, sizeof(*r));
	memcpy(r->gw, dst, 16);
	answer = r;
	err = netlink_ask(h, read_route, t);
	answer = NULL;
	if (src)
		memcpy(r->src, src, 16);
	return err;
}
