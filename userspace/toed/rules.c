/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet filters of the host that look at incoming packets: they do not see what the TOE owns, and
 * people should know.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "rules.h"

struct chain {
	const char *table, *name;
	uint32_t hook, policy, use;
	bool base;
};

static void read_hook(const struct nlattr *nest, struct chain *c)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) != NFTA_HOOK_HOOKNUM)
			continue;
		c->hook = ntohl(mnl_attr_get_u32(attr));
		c->base = true;
	}
}

/* A base chain on the way in that has rules, or drops by default. */
static bool filters_input(const struct chain *c)
{
	return c->base && (c->hook == NF_INET_LOCAL_IN || c->hook == NF_INET_PRE_ROUTING) &&
	       (c->use || c->policy == NF_DROP);
}

static int read_chain(const struct nlmsghdr *h, void *list)
{
	struct chain c = { .table = "?", .name = "?", .policy = NF_ACCEPT };
	const struct nlattr *attr;
	char text[160];

	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
	{
		switch (mnl_attr_get_type(attr)) {
		case NFTA_CHAIN_TABLE:
			c.table = mnl_attr_get_str(attr);
			break;
		case NFTA_CHAIN_NAME:
			c.name = mnl_attr_get_str(attr);
			break;
		case NFTA_CHAIN_HOOK:
			read_hook(attr, &c);
			break;
		case NFTA_CHAIN_POLICY:
			c.policy = ntohl(mnl_attr_get_u32(attr));
			break;
		case NFTA_CHAIN_USE:
			c.use = ntohl(mnl_attr_get_u32(attr));
			break;
		}
	}
	if (!filters_input(&c))
		return MNL_CB_OK;
	snprintf(text, sizeof(text), "nftables: table %s, chain %s", c.table, c.name);
	json_array_append_new(list, json_string(text));
	return MNL_CB_OK;
}

static void list_nftables(json_t *list)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	int n;

	if (!s)
		return; /* a kernel without netfilter has no rules */
	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = 1;
	g->nfgen_family = NFPROTO_UNSPEC;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) || mnl_socket_sendto(s, h, h->nlmsg_len) < 0)
		goto out;
	do {
		n = (int)mnl_socket_recvfrom(s, buf, sizeof(buf));
	} while (n > 0 && mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(s), read_chain,
				     list) == MNL_CB_OK);
out:
	mnl_socket_close(s);
}

/* The older iptables: a table is listed once it was used. */
static void list_iptables(json_t *list)
{
	FILE *f = fopen("/proc/net/ip_tables_names", "re");
	char line[64], text[96];

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		snprintf(text, sizeof(text), "iptables: table %s", line);
		json_array_append_new(list, json_string(text));
	}
	fclose(f);
}

json_t *rules_list(void)
{
	json_t *list = json_array();

	list_nftables(list);
	list_iptables(list);
	return list;
}
