/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_env.h"

#include "../../firmware/wire/checksum.h"
#include "../../firmware/wire/ip.h"
#include "../harness/unit.h"

enum { ICMP = 8, QUOTED_TCP = 8, MOST = SIM_ETH + 40 + ICMP + 40 + QUOTED_TCP };

static struct env e;
static bool v6; /* what the tests are run with */
static uint8_t frame[MOST];

static uint32_t ip_len(void)
{
	return v6 ? sizeof(struct toe_ipv6) : sizeof(struct toe_ipv4);
}

static uint32_t frame_len(void)
{
	return SIM_ETH + 2 * ip_len() + ICMP + QUOTED_TCP;
}

/* Addresses as in a tuple. */
static void put_ip(uint8_t *p, uint8_t proto, uint16_t len, const uint8_t src[16],
		   const uint8_t dst[16])
{
	struct toe_ipv4 *ip = (struct toe_ipv4 *)p;
	struct toe_ipv6 *ip6 = (struct toe_ipv6 *)p;

	if (v6) {
		*ip6 = (struct toe_ipv6){ .ver_tc_flow = toe_be32(6u << 28),
					  .len = toe_be16(len),
					  .next = proto,
					  .hops = 60 };
		memcpy(ip6->src, src, 16);
		memcpy(ip6->dst, dst, 16);
		return;
	}
	*ip = (struct toe_ipv4){ .ver_ihl = 0x45,
				 .len = toe_be16((uint16_t)(sizeof(*ip) + len)),
				 .ttl = 60,
				 .proto = proto };
	memcpy(ip->src, src + 12, 4);
	memcpy(ip->dst, dst + 12, 4);
	ip->check = (uint16_t)~toe_csum_fold(toe_csum_add(0, ip, sizeof(*ip)));
}

/* The checksum of the message in `frame`. */
static void seal(void)
{
	struct toe_ipv6 *ip6 = (struct toe_ipv6 *)(frame + SIM_ETH);
	uint32_t n = frame_len() - SIM_ETH - ip_len();
	uint8_t *icmp = frame + SIM_ETH + ip_len();
	uint64_t sum = 0;
	uint16_t check;

	if (v6)
		sum = toe_csum_add((uint64_t)toe_be16(TOE_IP_ICMPV6) + toe_be16((uint16_t)n),
				   ip6->src, 32);
	memset(icmp + 2, 0, 2);
	check = (uint16_t)~toe_csum_fold(toe_csum_add(sum, icmp, n));
	memcpy(icmp + 2, &check, 2);
}

/* Where the packet that the error quotes begins. */
static uint8_t *quoted(void)
{
	return frame + SIM_ETH + ip_len() + ICMP;
}

/* An ICMP error to the client about its connection, which quotes `seq`. */
static void make(const struct sim_conn *c, uint8_t type, uint8_t code, uint16_t mtu, uint32_t seq)
{
	static const uint8_t router[16] = { 0x20, 1, [12] = 192, 0, 2, 1 };
	const struct toe_tuple *t = &e.c->ent[c->flow].tuple;
	uint8_t *icmp = frame + SIM_ETH + ip_len(), *tcp = quoted() + ip_len();
	uint32_t words[2] = { toe_be32(mtu), toe_be32(seq) };

	memset(frame, 0, sizeof(frame));
	memcpy(frame, e.c->ctrl->dev[0].mac, 6);
	memcpy(frame + 12, v6 ? "\x86\xdd" : "\x08", 2);
	put_ip(frame + SIM_ETH, v6 ? TOE_IP_ICMPV6 : TOE_IP_ICMP,
	       (uint16_t)(ICMP + ip_len() + QUOTED_TCP), router, t->laddr);
	icmp[0] = type;
	icmp[1] = code;
	memcpy(icmp + 4, &words[0], 4);
	put_ip(quoted(), TOE_IP_TCP, (uint16_t)(1500 - ip_len()), t->laddr, t->raddr);
	memcpy(tcp, &t->lport, 2);
	memcpy(tcp + 2, &t->rport, 2);
	memcpy(tcp + 4, &words[1], 4);
	seal();
}

static void make_too_big(const struct sim_conn *c, uint32_t seq)
{
	make(c, v6 ? 2 : 3, v6 ? 0 : 4, 1300, seq);
}

static void arrive(uint32_t len)
{
	sim_receive(e.c, frame, len);
	env_pass(&e, 20, true);
}

static const struct toe_tcb *tcb(const struct sim_conn *c)
{
	return toe_engine_peek(e.c->state, e.c->ctrl, &e.c->ent[c->flow]);
}

/* A connection of the client, by a VLAN or 0, with a segment under way that never arrives. */
static struct sim_conn *waiting_on(uint16_t vlan)
{
	struct sim_conn *c;

	env_up_with(&e, 16, 2);
	e.c->conf.vlan = e.s->conf.vlan = vlan;
	e.c->conf.v6 = e.s->conf.v6 = v6;
	e.c->conf.steer = SIM_STEER_RAW;
	c = env_connection(&e);
	e.c->link.loss = 65536;
	c->tx_goal = 3000;
	c->look = 1;
	env_pass(&e, 100, true);
	CU_ASSERT(tcb(c)->snd_max > tcb(c)->snd_una);
	return c;
}

static struct sim_conn *waiting(void)
{
	return waiting_on(0);
}

/* And the next connection to the same address begins with that size. */
static void too_big__is_remembered(void)
{
	struct sim_conn *c = waiting();
	unsigned other;

	make_too_big(c, (uint32_t)tcb(c)->snd_una);
	for (int i = 0; i < 4; i++)
		arrive(frame_len());
	CU_ASSERT_EQUAL(tcb(c)->mtu, 1300);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_icmp_too_big), 1);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_drop_icmp), 3);
	e.c->link.loss = 0;
	for (other = 0; other < 8; other++) {
		struct sim_conn *d = sim_app_connect(e.ca, e.s, 80);

		env_pass(&e, 300, true);
		if (e.c->ent[d->flow].fpc == e.c->ent[c->flow].fpc)
			CU_ASSERT_EQUAL(tcb(d)->mtu, 1300);
	}
	env_down(&e);
}

static void error__wrong_number(void)
{
	struct sim_conn *c = waiting();

	make_too_big(c, (uint32_t)tcb(c)->snd_una - 1);
	arrive(frame_len());
	make_too_big(c, (uint32_t)tcb(c)->snd_max);
	arrive(frame_len());
	CU_ASSERT_EQUAL(tcb(c)->mtu, 1500);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_drop_icmp), 2);
	env_down(&e);
}

/* What comes by a VLAN interface that is down is not heard, as with segments. */
static void error__interface_is_down(void)
{
	struct sim_conn *c = waiting_on(100);
	uint8_t tagged[MOST + 4];

	e.c->ctrl->vif[0] = (struct toe_vif){ .ifindex = 9, .mtu = 1500, .vlan = 100, .down = 1 };
	make_too_big(c, (uint32_t)tcb(c)->snd_una);
	memcpy(tagged, frame, 12);
	memcpy(tagged + 12, (uint8_t[]){ 0x81, 0, 0, 100 }, 4);
	memcpy(tagged + 16, frame + 12, frame_len() - 12);
	for (uint8_t down = 2; down--;) {
		e.c->ctrl->vif[0].down = e.c->ctrl->vifs_down = down;
		sim_receive(e.c, tagged, frame_len() + 4);
		env_pass(&e, 20, true);
		CU_ASSERT_EQUAL(tcb(c)->mtu, down ? 1500 : 1300);
	}
	env_down(&e);
}

/* Bytes of an IPv6 header that no checksum covers, and that may be anything. */
static bool unchecked(unsigned at)
{
	return (at > 0 && at < 4) || at == 7;
}

static void error__malformed(void)
{
	struct sim_conn *c = waiting();

	for (uint32_t n = SIM_ETH; n < frame_len(); n++) {
		make_too_big(c, (uint32_t)tcb(c)->snd_una);
		arrive(n);
	}
	for (unsigned i = SIM_ETH; i < frame_len(); i++) {
		if (v6 && unchecked(i - SIM_ETH))
			continue;
		make_too_big(c, (uint32_t)tcb(c)->snd_una);
		frame[i] ^= 0x40;
		arrive(frame_len());
	}
	CU_ASSERT_EQUAL(tcb(c)->mtu, 1500);
	env_down(&e);
}

/* Sealed well, but what is quoted was not sent by us, is no TCP, or (IPv4) a later fragment. */
static void error__quotes_another(void)
{
	const struct {
		uint8_t v4, v6;
	} at[] = { { 15, 23 }, { 9, 6 }, { 0, 0 }, { 7, 0 } };
	struct sim_conn *c = waiting();

	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		make_too_big(c, (uint32_t)tcb(c)->snd_una);
		quoted()[v6 ? at[i].v6 : at[i].v4] ^= 0x10;
		seal();
		arrive(frame_len());
		CU_ASSERT_EQUAL(tcb(c)->mtu, 1500);
		CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_drop_icmp), i + 1);
	}
	env_down(&e);
}

static void error__source_quench_and_unknown(void)
{
	struct sim_conn *c = waiting();

	make(c, v6 ? 100 : 4, 0, 0, (uint32_t)tcb(c)->snd_una); /* source quench */
	arrive(frame_len());
	make(c, v6 ? 1 : 3, 77, 0, (uint32_t)tcb(c)->snd_una);
	arrive(frame_len());
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_drop_icmp), 2);
	CU_ASSERT_EQUAL(c->error, 0);
	env_down(&e);
}

static void unreachable__while_connecting(void)
{
	static const struct {
		bool v6;
		uint8_t type, code, error;
	} told[] = {
		{ false, 3, 0, ENETUNREACH },   { false, 3, 1, EHOSTUNREACH },
		{ false, 3, 2, ENOPROTOOPT },   { false, 3, 3, ECONNREFUSED },
		{ false, 3, 13, EHOSTUNREACH }, { false, 11, 0, EHOSTUNREACH },
		{ false, 12, 0, EPROTO },       { true, 1, 0, ENETUNREACH },
		{ true, 1, 1, EACCES },         { true, 1, 3, EHOSTUNREACH },
		{ true, 1, 4, ECONNREFUSED },   { true, 1, 5, EACCES },
		{ true, 3, 0, EHOSTUNREACH },   { true, 4, 1, EPROTO },
	};

	for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct sim_conn *c;

		if (told[i].v6 != v6)
			continue;
		env_up(&e);
		e.c->conf.v6 = e.s->conf.v6 = v6;
		e.c->link.loss = 65536;
		c = sim_app_connect(e.ca, e.s, 80);
		env_pass(&e, 50, true);
		make(c, told[i].type, told[i].code, 0, (uint32_t)tcb(c)->snd_una);
		arrive(frame_len());
		CU_ASSERT_EQUAL(c->error, told[i].error);
		env_down(&e);
	}
}

#define BOTH(test) \
	static void test##_v6(void) \
	{ \
		v6 = true; \
		test(); \
		v6 = false; \
	}
BOTH(too_big__is_remembered)
BOTH(error__wrong_number)
BOTH(error__interface_is_down)
BOTH(error__malformed)
BOTH(error__quotes_another)
BOTH(error__source_quench_and_unknown)
BOTH(unreachable__while_connecting)

UNIT_MAIN("icmp", T(too_big__is_remembered), T(too_big__is_remembered_v6), T(error__wrong_number),
	  T(error__wrong_number_v6), T(error__interface_is_down), T(error__interface_is_down_v6),
	  T(error__malformed), T(error__malformed_v6), T(error__quotes_another),
	  T(error__quotes_another_v6), T(error__source_quench_and_unknown),
	  T(error__source_quench_and_unknown_v6), T(unreachable__while_connecting),
	  T(unreachable__while_connecting_v6))
