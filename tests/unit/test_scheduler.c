/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_env.h"
#include "raw_frame.h"

#include "../harness/unit.h"

static struct env e;

static void connect_and_wait(uint64_t us)
{
	CU_ASSERT_PTR_NOT_NULL(sim_app_connect(e.ca, e.s, 80));
	env_pass(&e, us, true);
}

static void syn__no_endpoint_is_refused(void)
{
	env_up(&e);
	connect_and_wait(200);
	CU_ASSERT_EQUAL(e.ca->conn[0].error, 111);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_drop_no_endpoint), 1);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_tx_rst), 1);
	env_down(&e);
}

static void syn__endpoint_without_listen_is_refused(void)
{
	struct toe_cmd none;

	env_up(&e);
	sim_app_listen(e.sa, 0, 80, 8);
	/* The endpoint is there, the command not. */
	toe_arena_ctx(e.sa->arena, 0)->fpc[0].sw.db.head = 0;
	memset(&none, 0, sizeof(none));
	toe_arena_ctx(e.sa->arena, 0)->fpc[0].sw.cmd[0] = none;
	connect_and_wait(200);
	CU_ASSERT_EQUAL(e.ca->conn[0].error, 111);
	env_down(&e);
}

/* Its listener goes on at another address: the SYN is not answered, and comes again. */
static void syn__address_that_comes_back(void)
{
	struct toe_endpoint *ep;

	env_up(&e);
	sim_app_listen(e.sa, 0, 80, 8);
	ep = e.s->ctrl->endpoint;
	ep[1] = ep[0];
	ep[1].addr[15] ^= 1;
	ep[0].state = TOE_EP_CLOSING;
	connect_and_wait(200);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_drop_no_endpoint), 1);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_tx_rst), 0);
	CU_ASSERT_EQUAL(e.ca->conn[0].error, 0);
	ep[1].state = TOE_EP_FREE; /* nor there: now it is closed */
	env_pass(&e, 1100000, true);
	CU_ASSERT_EQUAL(e.ca->conn[0].error, 111);
	env_down(&e);
}

/* One host, listening at port 80, and a segment to it from nowhere. */
struct alone {
	struct sim_world *w;
	struct toe_port *h;
	struct sim_app *a;
	struct toe_tuple t;
};

static struct alone alone_up(bool v6, unsigned nflows, uint32_t backlog)
{
	struct sim_conf conf = {
		.nfpcs = 1, .tcb_cache = 8, .nflows = nflows, .mtu = 1500, .addr = 2, .v6 = v6
	};
	static const struct sim_manner silent = { .goal = 0 };
	struct alone o = { .w = sim_new(1) };

	o.h = sim_host(o.w, &conf);
	o.a = sim_app_new(o.h, 0, &silent);
	sim_app_listen(o.a, 0, 80, backlog);
	sim_step(o.w);
	memcpy(o.t.laddr, o.h->ctrl->endpoint[0].addr, 16);
	memcpy(o.t.raddr, o.t.laddr, 15);
	o.t.raddr[13] = 1; /* else one would be the host itself */
	o.t.lport = toe_be16(80);
	o.t.rport = toe_be16(4000);
	return o;
}

static void alone_down(struct alone *o)
{
	sim_app_free(o->a);
	sim_free(o->w);
}

static void hears(struct alone *o, uint8_t flags)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0x66 };
	struct toe_seg seg = { .flags = flags, .seq = 1000, .wnd = 500 };
	uint8_t frame[RAW_MAX];

	sim_receive(o->h, frame, raw_frame(frame, o->h->ctrl->dev[0].mac, mac, &o->t, &seg));
	sim_step(o->w);
}

/* Frames that a listening host sends when a SYN comes from `src`, the end of an address. */
static uint64_t answers_to(bool v6, const uint8_t *src, unsigned n)
{
	struct alone o = alone_up(v6, 16, 8);
	uint64_t sent;

	memset(o.t.raddr, 0, v6 ? 16 : 10);
	memcpy(o.t.raddr + 16 - n, src, n);
	hears(&o, TOE_SYN);
	sent = sim_count(o.h, TOE_CNT_tx_frames);
	alone_down(&o);
	return sent;
}

/* RFC 1122 3.2.1.3 (g), RFC 4291 2.5.2, 2.5.3: on a link these are nobody's, whoever sends them. */
static void syn__from_no_host(void)
{
	static const uint8_t v4[][4] = { { 127, 0, 0, 1 },
					 { 127, 9, 9, 9 },
					 { 0, 0, 0, 0 },
					 { 224, 0, 0, 1 },
					 { 255, 255, 255, 255 } };
	static const uint8_t host[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 }, loopback = 1;
	static const uint8_t group[16] = { 0xff, 2, [15] = 1 }, none = 0;

	CU_ASSERT_EQUAL(answers_to(false, (uint8_t[]){ 10, 0, 0, 9 }, 4), 1);
	for (unsigned i = 0; i < sizeof(v4) / sizeof(v4[0]); i++)
		CU_ASSERT_EQUAL(answers_to(false, v4[i], 4), 0);
	CU_ASSERT_EQUAL(answers_to(true, host, 16), 1);
	CU_ASSERT_EQUAL(answers_to(true, &loopback, 1), 0);
	CU_ASSERT_EQUAL(answers_to(true, &none, 1), 0);
	CU_ASSERT_EQUAL(answers_to(true, group, 16), 0);
}

/* RSTs for 600 segments to a closed port from addresses that differ in the two bytes from `at` on. */
static uint64_t resets_to(bool v6, unsigned at)
{
	struct alone o = alone_up(v6, 16, 8);
	uint64_t sent;

	o.t.lport = toe_be16(81);
	for (unsigned i = 1; i <= 600; i++) {
		o.t.raddr[at] = (uint8_t)(i >> 8);
		o.t.raddr[at + 1] = (uint8_t)i;
		hears(&o, TOE_ACK);
	}
	sent = sim_count(o.h, TOE_CNT_tx_rst);
	CU_ASSERT_EQUAL(sent + sim_count(o.h, TOE_CNT_answers_held_back), 600);
	alone_down(&o);
	return sent;
}

/* Whoever has an IPv6 address has a /64 of them: they share what one IPv4 address gets. */
static void reset__an_allowance_for_each_host(void)
{
	CU_ASSERT_EQUAL(resets_to(false, 14), 600);
	CU_ASSERT_EQUAL(resets_to(true, 14), 500);
	CU_ASSERT_EQUAL(resets_to(true, 8), 500);
	CU_ASSERT_EQUAL(resets_to(true, 6), 600);
}

/* Cookies for 300 SYNs, where flow ids are plenty. */
static uint64_t cookies_for(bool v6, uint32_t backlog)
{
	struct alone o = alone_up(v6, 1024, backlog);
	uint64_t sent;

	o.t.raddr[15] = 9;
	for (unsigned i = 0; i < 300; i++) {
		o.t.rport = toe_be16((uint16_t)(4000 + i));
		hears(&o, TOE_SYN);
	}
	CU_ASSERT_EQUAL(sim_count(o.h, TOE_CNT_tx_frames), 300);
	sent = sim_count(o.h, TOE_CNT_cookies_sent);
	alone_down(&o);
	return sent;
}

/* Half-open connections of a listener: 128, or its backlog if that is more. The others get cookies. */
static void syn__beyond_the_half_open(void)
{
	CU_ASSERT_EQUAL(cookies_for(false, 8), 300 - 128);
	CU_ASSERT_EQUAL(cookies_for(true, 8), 300 - 128);
	CU_ASSERT_EQUAL(cookies_for(false, 200), 300 - 200);
}

/*
 * The queue holds what nobody has accepted. The last ACK beyond is dropped in silence, and comes
 * again with the SYN-ACK; a SYN that finds the queue full is dropped.
 */
static void syn__beyond_the_backlog(void)
{
	env_up(&e);
	sim_app_listen(e.sa, 0, 80, 2);
	env_pass(&e, 20, false);
	for (int i = 0; i < 3; i++)
		sim_app_connect(e.ca, e.s, 80);
	for (int i = 0; i < 40; i++) {
		env_pass(&e, 10, false);
		sim_app_run(e.ca);
	}
	CU_ASSERT_EQUAL(e.ca->connected, 3);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_passive_opens), 2);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_drop_backlog), 1);
	sim_app_connect(e.ca, e.s, 80);
	for (int i = 0; i < 40; i++) {
		env_pass(&e, 10, false);
		sim_app_run(e.ca);
	}
	CU_ASSERT_EQUAL(e.ca->connected, 3);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_drop_backlog), 2);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_tx_rst), 0);
	env_pass(&e, 2500000, true);
	CU_ASSERT_EQUAL(e.ca->connected, 4);
	CU_ASSERT_EQUAL(e.sa->accepted, 4);
	env_down(&e);
}

static void syn__no_flow_id_left(void)
{
	env_up(&e);
	sim_app_listen(e.sa, 0, 80, 100);
	env_pass(&e, 20, true);
	for (int i = 0; i < 16; i++)
		sim_app_connect(e.ca, e.s, 80);
	env_pass(&e, 500, true);
	CU_ASSERT_EQUAL(e.sa->accepted, 16);
	CU_ASSERT_PTR_NOT_NULL(sim_app_connect(e.ca, e.s, 80));
	env_pass(&e, 100, true);
	CU_ASSERT_EQUAL(e.ca->conn[16].error, 105);
	env_down(&e);
}

static void set_vlan(struct toe_port *h, uint8_t is_down)
{
	h->conf.vlan = 100;
	h->ctrl->vif[0] =
	    (struct toe_vif){ .ifindex = 9, .mtu = 1500, .vlan = 100, .down = is_down };
	h->ctrl->vifs_down = is_down;
}

/* A VLAN interface that is set down hears and says nothing; up again, its connections go on. */
static void vlan__down_and_up(void)
{
	struct sim_conn *c;

	env_up(&e);
	set_vlan(e.c, 0);
	set_vlan(e.s, 0);
	c = env_connection(&e);
	CU_ASSERT_EQUAL(e.sa->accepted, 1);
	set_vlan(e.s, 1);
	c->tx_goal = 100;
	c->look = 1;
	env_pass(&e, 100, true);
	CU_ASSERT_EQUAL(e.sa->conn[0].rx_read, 0);
	CU_ASSERT(sim_count(e.s, TOE_CNT_drop_link_down) > 0);
	set_vlan(e.c, 1);
	set_vlan(e.s, 0);
	env_pass(&e, 3000000, true);
	CU_ASSERT_EQUAL(e.sa->conn[0].rx_read, 0);
	CU_ASSERT(sim_count(e.c, TOE_CNT_drop_link_down) > 0);
	set_vlan(e.c, 0);
	env_pass(&e, 4000000, true);
	CU_ASSERT_EQUAL(e.sa->conn[0].rx_read, 100);
	env_down(&e);
}

static void connect__waits_for_the_next_hop(void)
{
	env_up(&e);
	sim_app_listen(e.sa, 0, 80, 8);
	e.c->ctrl->nh[2] = toe_nh_word(e.s->ctrl->dev[0].mac, TOE_NH_INCOMPLETE, 0);
	connect_and_wait(30000);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_tx_frames), 0);
	e.c->ctrl->nh[2] = toe_nh_word(e.s->ctrl->dev[0].mac, TOE_NH_VALID, 0);
	env_pass(&e, 11000, true);
	CU_ASSERT_EQUAL(e.ca->connected, 1);
	env_down(&e);
}

/*
 * A flow that the index has no place for could never receive: it is not begun. Its cookie is still
 * good when there is room again, though the firmware is another one.
 */
static void index__full(void)
{
	uint32_t part;

	env_up(&e);
	part = e.s->ctrl->nbuckets;
	sim_app_listen(e.sa, 0, 80, 8);
	env_pass(&e, 20, false);
	for (uint32_t b = 0; b < part; b++)
		for (unsigned i = 0; i < TOE_BUCKET_SLOTS; i++)
			e.s->index[b].slot[i] = TOE_SLOT_USED | 0xffff;
	connect_and_wait(200);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_cookies_sent), 1);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_drop_no_flow_id), 1);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_tx_rst), 0);
	CU_ASSERT_EQUAL(e.ca->connected, 1);
	CU_ASSERT_EQUAL(e.sa->accepted, 0);
	CU_ASSERT_EQUAL(sim_restart(e.s), 0);
	e.ca->conn[0].tx_goal = 1;
	e.ca->conn[0].look = 1;
	env_pass(&e, 1500000, true);
	CU_ASSERT_EQUAL(e.sa->accepted, 1);
	env_down(&e);
}

/*
 * More wait for a dead neighbour than one look takes: who waits for another one must not wait for
 * them.
 */
static void connect__others_wait_for_another_next_hop(void)
{
	struct toe_work *w;

	env_up_with(&e, 64, 1);
	sim_app_listen(e.sa, 0, 80, 100);
	env_pass(&e, 20, false);
	e.c->ctrl->nh[2] = toe_nh_word(e.s->ctrl->dev[0].mac, TOE_NH_INCOMPLETE, 0);
	e.c->ctrl->nh[3] = e.c->ctrl->nh[2];
	for (int i = 0; i < 40; i++)
		sim_app_connect(e.ca, e.s, 80);
	env_pass(&e, 50, true);
	w = toe_fpc_open(e.c->fpc[0], e.ca->conn[39].flow);
	w->t->nh = 3;
	toe_fpc_flush(e.c->fpc[0]);
	e.c->ctrl->nh[3] = toe_nh_word(e.s->ctrl->dev[0].mac, TOE_NH_VALID, 0);
	env_pass(&e, 31000, true);
	CU_ASSERT_EQUAL(e.ca->connected, 1);
	env_down(&e);
}

/*
 * The application was not told the flow yet when the firmware died: its block still speaks of the
 * one before.
 */
static void connect__context_after_a_restart(void)
{
	env_up(&e);
	sim_app_listen(e.sa, 0, 80, 8);
	env_pass(&e, 20, true);
	for (uint32_t i = 0; i < e.c->conf.nflows; i++)
		toe_arena_flow(e.ca->arena, i)->app.ctx = 7;
	sim_app_connect(e.ca, e.s, 80);
	env_pass(&e, 5, false);
	CU_ASSERT_EQUAL(sim_restart(e.c), 0);
	for (uint32_t i = 0; i < e.c->conf.nflows; i++)
		if (e.c->ent[i].life == TOE_LIFE_LIVE)
			CU_ASSERT_EQUAL(toe_soft(e.c->fpc[0], i)->ctx, 0);
	env_down(&e);
}

static void connect__next_hop_fails(void)
{
	env_up(&e);
	e.c->ctrl->nh[2] = toe_nh_word(e.s->ctrl->dev[0].mac, TOE_NH_FAILED, 0);
	connect_and_wait(30000);
	CU_ASSERT_EQUAL(e.ca->conn[0].error, 113);
	CU_ASSERT_EQUAL(sim_count(e.c, TOE_CNT_tx_frames), 0);
	env_pass(&e, 100, true);
	CU_ASSERT_PTR_NULL(sim_leak(e.c));
	env_down(&e);
}

/* A peer in TIME_WAIT takes a new SYN of the same tuple, above what the old connection used. */
static void time_wait__reused_by_syn(void)
{
	uint32_t port;

	env_up(&e);
	e.ca->hold = e.sa->hold = false;
	sim_app_listen(e.sa, 0, 80, 8);
	port = e.ca->next_port;
	/* The server closes first, so the TIME_WAIT is its. */
	e.ca->hold = true;
	connect_and_wait(300);
	sim_app_release(e.ca);
	env_pass(&e, 2000, true);
	CU_ASSERT_EQUAL(sim_count(e.s, TOE_CNT_time_wait_entered) +
			    sim_count(e.c, TOE_CNT_time_wait_entered),
			1);
	env_pass(&e, 1500000, true);
	e.ca->next_port = port;
	connect_and_wait(500);
	CU_ASSERT_EQUAL(e.ca->connected, 2);
	CU_ASSERT_EQUAL(
	    sim_count(e.s, TOE_CNT_time_wait_reused) + sim_count(e.c, TOE_CNT_time_wait_reused), 1);
	env_down(&e);
}

/* Closing a listener resets what nobody accepted, and only that. */
static void listener__closed(void)
{
	struct sim_conn *kept;

	env_up(&e);
	kept = env_connection(&e);
	for (int i = 0; i < 3; i++)
		sim_app_connect(e.ca, e.s, 80);
	for (int i = 0; i < 30; i++) {
		env_pass(&e, 10, false);
		sim_app_run(e.ca);
	}
	CU_ASSERT_EQUAL(e.ca->connected, 4);
	sim_app_unlisten(e.sa, 0);
	for (int i = 0; i < 30; i++) {
		env_pass(&e, 10, false);
		sim_app_run(e.ca);
	}
	CU_ASSERT_EQUAL(e.ca->errors, 3);
	CU_ASSERT_EQUAL(sim_block(e.ca, kept)->dev.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_EQUAL(e.s->ctrl->endpoint[0].flows[0], 1);
	env_down(&e);
}

static void admin__app_gone(void)
{
	struct toe_cmd gone = { .type = TOE_ADM_APP_GONE, .flow = 0 };

	env_up(&e);
	env_connection(&e);
	e.s->ctrl->app_state[0] = TOE_APP_GOING;
	sim_admin(e.s, 0, &gone);
	env_pass(&e, 200, false);
	CU_ASSERT_EQUAL(e.s->ctrl->app_gone[0][0], 1);
	CU_ASSERT_PTR_NULL(sim_leak(e.s));
	sim_app_run(e.ca);
	CU_ASSERT_EQUAL(e.ca->conn[0].error, 104);
	env_down(&e);
}

/* A restart repeats what was answered: the number may be another application's by then. */
static void admin__app_gone_twice(void)
{
	struct toe_cmd gone = { .type = TOE_ADM_APP_GONE, .flow = 0 };

	env_up(&e);
	env_connection(&e);
	sim_admin(e.s, 0, &gone);
	env_pass(&e, 200, true);
	CU_ASSERT_EQUAL(e.s->ctrl->app_gone[0][0], 0);
	CU_ASSERT_EQUAL(e.sa->conn[0].error, 0);
	env_down(&e);
}

/*
 * The application went in the middle of closing a listener, which takes some batches: nobody waits
 * for that.
 */
static void admin__sweep_without_an_owner(void)
{
	struct toe_cmd gone = { .type = TOE_ADM_APP_GONE, .flow = 0 };

	env_up(&e);
	env_connection(&e);
	e.s->fpc[0]->sweep.kind = TOE_SWEEP_LISTENER;
	e.s->ctrl->app_state[0] = TOE_APP_GOING;
	sim_admin(e.s, 0, &gone);
	env_pass(&e, 200, false);
	CU_ASSERT_EQUAL(e.s->ctrl->app_gone[0][0], 1);
	env_down(&e);
}

/*
 * An application whose ring never runs out of commands that close listeners, each of which takes
 * some batches: neither toed's commands nor those of others wait for ever.
 */
static void admin__sweeps_take_turns(void)
{
	struct toe_cmd gone = { .type = TOE_ADM_APP_GONE, .flow = 2 };
	struct toe_sw_ring *r;
	struct sim_app *other;

	env_up_with(&e, 2 * TOE_SWEEP_STEP, 1);
	other = sim_app_new(e.s, 1, &(const struct sim_manner){ .goal = 0 });
	sim_app_listen(other, 0, 81, 8);
	env_pass(&e, 50, false);
	r = &toe_arena_ctx(e.sa->arena, 0)->fpc[0].sw;
	for (unsigned i = 0; i < TOE_SW_RING; i++)
		r->cmd[i] = (struct toe_cmd){ .type = TOE_SW_LISTEN, .flow = i % 2 };
	r->db.head = r->db.tail + 0x7fffffff;
	env_pass(&e, 50, false);
	e.s->ctrl->app_state[2] = TOE_APP_GOING;
	sim_admin(e.s, 0, &gone);
	sim_app_unlisten(other, 0);
	env_pass(&e, 500, false);
	CU_ASSERT_EQUAL(e.s->ctrl->app_gone[2][0], 1);
	r = &toe_arena_ctx(other->arena, 0)->fpc[0].sw;
	CU_ASSERT_EQUAL(r->db.head, r->db.tail);
	sim_app_free(other);
	env_down(&e);
}

static void admin__reset_all(void)
{
	struct toe_cmd all = { .type = TOE_ADM_RESET_ALL };

	env_up(&e);
	env_connection(&e);
	sim_admin(e.s, 0, &all);
	env_pass(&e, 200, true);
	CU_ASSERT_EQUAL(e.s->ctrl->reset_done[0], 1);
	CU_ASSERT_EQUAL(e.ca->conn[0].error, 104);
	CU_ASSERT_EQUAL(e.sa->conn[0].error, 104);
	env_down(&e);
}

/* Of the two commands that reset one flow, ABORT is for those that nobody holds any more. */
static void admin__reset_is_told(void)
{
	for (unsigned type = 0; type < 2; type++) {
		struct toe_cmd c = { .type = type ? TOE_ADM_RESET : TOE_ADM_ABORT };

		env_up(&e);
		env_connection(&e);
		c.flow = e.sa->conn[0].flow;
		c.gen = e.s->ent[c.flow].gen;
		sim_admin(e.s, 0, &c);
		env_pass(&e, 200, true);
		CU_ASSERT_EQUAL(e.ca->conn[0].error, 104);
		CU_ASSERT_EQUAL(e.sa->conn[0].error, type ? 104 : 0);
		env_down(&e);
	}
}

UNIT_MAIN("scheduler", T(syn__no_endpoint_is_refused), T(syn__endpoint_without_listen_is_refused),
	  T(syn__address_that_comes_back), T(syn__from_no_host),
	  T(reset__an_allowance_for_each_host), T(syn__beyond_the_half_open),
	  T(syn__beyond_the_backlog), T(syn__no_flow_id_left), T(vlan__down_and_up),
	  T(connect__waits_for_the_next_hop), T(connect__next_hop_fails), T(index__full),
	  T(connect__others_wait_for_another_next_hop), T(connect__context_after_a_restart),
	  T(time_wait__reused_by_syn), T(listener__closed), T(admin__app_gone),
	  T(admin__app_gone_twice), T(admin__sweep_without_an_owner), T(admin__sweeps_take_turns),
	  T(admin__reset_all), T(admin__reset_is_told))
