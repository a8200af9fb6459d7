/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_env.h"

#include "../../firmware/wire/checksum.h"
#include "../../firmware/wire/ip.h"
#include "../harness/unit.h"

enum { QUOTED = 28, LEN = 20 + 8 + QUOTED };

static struct env e;
static uint8_t frame[SIM_ETH + LEN];

/* An ICMP error to the client about its connection, which quotes `seq`. */
static void make(const struct sim_conn *c, uint8_t type, uint8_t code, uint16_t mtu, uint32_t seq)
{
	const struct toe_tuple *t = &e.c->ent[c->flow].tuple;
	struct toe_ipv4 *ip = (struct toe_ipv4 *)(frame + SIM_ETH), *q;
	uint8_t *icmp = (uint8_t *)(ip + 1), *tcp;
	uint16_t sum;

	memset(frame, 0, sizeof(frame));
	memcpy(frame, e.c->ctrl->dev[0].mac, 6);
	frame[12] = 8;
	*ip = (struct toe_ipv4){ .ver_ihl = 0x45,
				 .len = toe_be16(LEN),
				 .ttl = 60,
				 .proto = TOE_IP_ICMP,
				 .src = { 192, 0, 2, 1 } };
	memcpy(ip->dst, t->laddr + 12, 4);
	ip->check = (uint16_t)~toe_csum_fold(toe_csum_add(0, ip, 20));
	icmp[0] = type;
	icmp[1] = code;
	icmp[6] = (uint8_t)(mtu >> 8);
	icmp[7] = (uint8_t)mtu;
	q = (struct toe_ipv4 *)(icmp + 8);
	*q = (struct toe_ipv4){
		.ver_ihl = 0x45, .len = toe_be16(1500), .ttl = 60, .proto = TOE_IP_TCP
	};
	memcpy(q->src, t->laddr + 12, 4);
	memcpy(q->dst, t->raddr + 12, 4);
	tcp = (uint8_t *)(q + 1);
	memcpy(tcp, &t->lport, 2);
	memcpy(tcp + 2, &t->rport, 2);
	seq = toe_be32(seq);
	memcpy(tcp + 4, &seq, 4);
	sum = (uint16_t)~toe_csum_fold(toe_csum_add(0, icmp, 8 + QUOTED));
	memcpy(icmp + 2, &sum, 2);
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

	make(c, 3, 4, 1300, (uint32_t)tcb(c)->snd_una);
	for (int i = 0; i < 4; i++)
		arrive(sizeof(frame));
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

	make(c, 3, 4, 1300, (uint32_t)tcb(c)->snd_una - 1);
	arrive(sizeof(frame));
	make(c, 3, 4, 1300, (uint32_t)tcb(c)->snd_max);
	arrive(sizeof(frame));
	CU_ASSERT_EQUAL(tcb(c)->mtu, 1500);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_drop_icmp), 2);
	env_down(&e);
}

/* What comes by a VLAN interface that is down is not heard, as with segments. */
static void error__interface_is_down(void)
{
	struct sim_conn *c = waiting_on(100);
	uint8_t tagged[sizeof(frame) + 4];

	e.c->ctrl->vif[0] = (struct toe_vif){ .ifindex = 9, .mtu = 1500, .vlan = 100, .down = 1 };
	make(c, 3, 4, 1300, (uint32_t)tcb(c)->snd_una);
	memcpy(tagged, frame, 12);
	memcpy(tagged + 12, (uint8_t[]){ 0x81, 0, 0, 100 }, 4);
	memcpy(tagged + 16, frame + 12, sizeof(frame) - 12);
	for (uint8_t down = 2; down--;) {
		e.c->ctrl->vif[0].down = e.c->ctrl->vifs_down = down;
		sim_receive(e.c, tagged, sizeof(tagged));
		env_pass(&e, 20, true);
		CU_ASSERT_EQUAL(tcb(c)->mtu, down ? 1500 : 1300);
	}
	env_down(&e);
}

static void error__malformed(void)
{
	struct sim_conn *c = waiting();

	for (uint32_t n = SIM_ETH; n < sizeof(frame); n++) {
		make(c, 3, 4, 1300, (uint32_t)tcb(c)->snd_una);
		arrive(n);
	}
	for (unsigned i = SIM_ETH; i < sizeof(frame); i++) {
		make(c, 3, 4, 1300, (uint32_t)tcb(c)->snd_una);
		frame[i] ^= 0x40;
		arrive(sizeof(frame));
	}
	CU_ASSERT_EQUAL(tcb(c)->mtu, 1500);
	env_down(&e);
}

static void error__source_quench_and_unknown(void)
{
	struct sim_conn *c = waiting();

	make(c, 4, 0, 0, (uint32_t)tcb(c)->snd_una);
	arrive(sizeof(frame));
	make(c, 3, 77, 0, (uint32_t)tcb(c)->snd_una);
	arrive(sizeof(frame));
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_drop_icmp), 2);
	CU_ASSERT_EQUAL(c->error, 0);
	env_down(&e);
}

static void unreachable__while_connecting(void)
{
	static const struct {
		uint8_t type, code, error;
	} told[] = { { 3, 0, 101 }, { 3, 1, 113 }, { 3, 3, 111 }, { 3, 13, 113 }, { 11, 0, 113 } };

	for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct sim_conn *c;

		env_up(&e);
		e.c->link.loss = 65536;
		c = sim_app_connect(e.ca, e.s, 80);
		env_pass(&e, 50, true);
		make(c, told[i].type, told[i].code, 0, (uint32_t)tcb(c)->snd_una);
		arrive(sizeof(frame));
		CU_ASSERT_EQUAL(c->error, told[i].error);
		env_down(&e);
	}
}

UNIT_MAIN("icmp", T(too_big__is_remembered), T(error__wrong_number), T(error__interface_is_down),
	  T(error__malformed), T(error__source_quench_and_unknown),
	  T(unreachable__while_connecting))
