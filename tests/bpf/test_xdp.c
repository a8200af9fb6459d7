/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program under BPF_PROG_TEST_RUN: a table of (description, frame, verdict, counter,
 * metadata flags), then what does not fit a row. Every row runs on both programs, xdp and
 * xdp.frags.
 *
 * The world: device index 1 is dev0. Port 80 at host 1 is owned (IPv4, IPv6, VLAN 100, service
 * VLAN 100), and ports 50000-50010 there for active opens. Flows with port 80: from port 40001
 * (ours), 40002 (the kernel's).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "frame.h"
#include "lib/flow_hash.h"
#include "tests/harness/unit.h"
#include "userspace/toed/maps.h"

enum { DEV = 1, FPCS = 2, FLOW_PORT = 40001, KERNEL_PORT = 40002, ENDPOINT = 7 };
enum { FLOW4 = 42, FLOW6 = 43, FLOW_VLAN = 44, FLOW_KERNEL = 45, FLOW_GEN = 3 };
enum { Q = ETH_P_8021Q, AD = ETH_P_8021AD };

static struct toe_maps maps;
static struct toe_config *cfg;
static struct toe_bucket *flow_index;
static struct toe_flow_ent *ents;
static struct toe_stats_row *rows;
static int prog[2], ifindex;

/* What one run gave. */
struct result {
	int verdict;
	unsigned meta_len;
	struct toe_meta meta;
	uint8_t data[FRAME_MAX];
	unsigned len, ns;
};

static uint64_t count(enum toe_counter c)
{
	uint64_t n = 0;

	for (unsigned i = TOE_MAX_FPCS; i < TOE_STATS_ROWS; i++)
		n += rows[i].count[c];
	return n;
}

/* Run program `which` on the frame; `before` bytes of metadata lie in front of it already. */
static void run_with(struct result *r, int which, const struct frame *f, unsigned before,
		     unsigned queue, unsigned repeat)
{
	static uint8_t in[FRAME_MAX + 64], out[FRAME_MAX + 256];
	struct xdp_md md = { .ingress_ifindex = (unsigned)ifindex, .rx_queue_index = queue }, mo;
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = in, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &md, .ctx_size_in = sizeof(md),
		    .ctx_out = &mo, .ctx_size_out = sizeof(mo), .repeat = (int)repeat);

	memset(in, 0xee, before);
	memcpy(in + before, f->b, f->len);
	md.data = before;
	md.data_end = o.data_size_in = f->len + before;
	memset(r, 0, sizeof(*r));
	r->verdict = -1;
	if (bpf_prog_test_run_opts(prog[which], &o))
		return;
	r->verdict = (int)o.retval;
	r->ns = o.duration;
	r->meta_len = mo.data - mo.data_meta;
	r->len = o.data_size_out - r->meta_len;
	memcpy(r->data, out + r->meta_len, r->len);
	if (r->meta_len == sizeof(r->meta))
		memcpy(&r->meta, out, sizeof(r->meta));
}

static void run(struct result *r, int which, const struct frame *f)
{
	run_with(r, which, f, 0, 0, 1);
}

static bool untouched(const struct result *r, const struct frame *f)
{
	return !r->meta_len && r->len == f->len && !memcmp(r->data, f->b, f->len);
}

/* ---- the world ---- */

static void address(uint8_t out[16], bool ip6, unsigned host)
{
	memcpy(out,
	       ip6 ? "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0"
		   : "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\0",
	       16);
	out[15] = (uint8_t)host;
}

static struct toe_tuple tuple(bool ip6, unsigned vlan, unsigned lport, unsigned rport)
{
	struct toe_tuple t = { .lport = htons((uint16_t)lport),
			       .rport = htons((uint16_t)rport),
			       .vlan = (uint16_t)vlan,
			       .dev = DEV };

	address(t.laddr, ip6, 1);
	address(t.raddr, ip6, 2);
	return t;
}

static int own(bool ip6, unsigned vlan, unsigned port, uint32_t endpoint)
{
	struct toe_port_key k = { .ifindex = (uint32_t)ifindex,
				  .vlan = (uint16_t)vlan,
				  .port = htons((uint16_t)port) };

	address(k.addr, ip6, 1);
	return toe_maps_port_set(&maps, &k, endpoint);
}

static struct toe_bucket *bucket(uint64_t hash, unsigned choice)
{
	return &flow_index[toe_hash_bucket(hash, choice, TOE_BUCKETS, FPCS)];
}

static void put_flow(uint32_t flow, enum toe_flow_life life, struct toe_tuple t, unsigned choice)
{
	uint64_t hash = toe_flow_hash(cfg->key, &t);

	ents[flow].tuple = t;
	ents[flow].life = life;
	ents[flow].gen = FLOW_GEN;
	ents[flow].fpc = (uint8_t)toe_hash_fpc(hash, FPCS);
	bucket(hash, choice)->slot[flow % TOE_BUCKET_SLOTS] = toe_slot(hash, FLOW_GEN, flow);
}

/* Sockets for both FPCs on queues 0 and 1. They stay open: a closed one leaves the map. */
static int put_sockets(void)
{
	static int xsk[2 * FPCS];
	int err = 0;

	for (unsigned i = 0; i < 2 * FPCS && !err; i++) {
		if (!xsk[i])
			xsk[i] = env_xsk();
		err = toe_maps_xsk_set(&maps, DEV, i / FPCS, i % FPCS, xsk[i]);
	}
	return err;
}

static int world(void)
{
	int err = toe_maps_clear(&maps);

	*cfg = (struct toe_config){ .magic = TOE_CONFIG_MAGIC,
				    .version = TOE_ABI_VERSION,
				    .nfpcs = FPCS,
				    .nbuckets = TOE_BUCKETS,
				    .key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 },
				    .port_lo = 50000,
				    .port_hi = 50010 };
	cfg->dev_ifindex[DEV] = (uint32_t)ifindex;
	err |= own(false, 0, 80, ENDPOINT) | own(true, 0, 80, ENDPOINT);
	err |= own(false, 100, 80, ENDPOINT) | own(false, TOE_VLAN_STAG | 100, 80, ENDPOINT);
	err |= own(false, 0, 0, TOE_FLOW_NONE);
	put_flow(FLOW4, TOE_LIFE_LIVE, tuple(false, 0, 80, FLOW_PORT), 0);
	put_flow(FLOW6, TOE_LIFE_LIVE, tuple(true, 0, 80, FLOW_PORT), 1);
	put_flow(FLOW_VLAN, TOE_LIFE_LIVE, tuple(false, 100, 80, FLOW_PORT), 1);
	put_flow(FLOW_KERNEL, TOE_LIFE_KERNEL, tuple(false, 0, 80, KERNEL_PORT), 0);
	return err | put_sockets();
}

/* ---- the table ---- */

enum verdict { PASS = XDP_PASS, DROP = XDP_DROP, TO_FPC = XDP_REDIRECT };
#define NEW TOE_META_ENDPOINT
#define HIT TOE_META_FLOW
#define SIX TOE_META_IPV6
#define ICMP TOE_META_ICMP
#define CNT(name) TOE_CNT_##name

static const struct row {
	const char *what;
	struct shape s;
	enum verdict verdict;
	enum toe_counter counter;
	uint8_t flags; /* of the metadata, for TO_FPC */
} table[] = {
#include "table.h"
};

static void check_meta(const struct row *w, const struct frame *f, const struct result *r)
{
	const struct toe_meta *m = &r->meta;

	CU_ASSERT_EQUAL(r->meta_len, sizeof(*m));
	CU_ASSERT_EQUAL(m->magic, TOE_META_WORD);
	CU_ASSERT_EQUAL(m->flags, w->flags);
	CU_ASSERT_EQUAL(m->l3_off, f->l3);
	CU_ASSERT_EQUAL(m->l4_off, f->l4);
	CU_ASSERT_EQUAL(m->payload_off, f->payload);
	CU_ASSERT_EQUAL(m->payload_len, f->payload_len);
	if (!(w->flags & ICMP))
		CU_ASSERT_EQUAL(m->tcp_flags, f->b[f->l4 + 13]);
	if (w->flags & HIT) {
		CU_ASSERT_EQUAL(m->gen, FLOW_GEN);
		CU_ASSERT_EQUAL(m->flow, w->flags & SIX ? FLOW6 : w->s.tpid[0] ? FLOW_VLAN : FLOW4);
		CU_ASSERT_EQUAL(m->hash_hi, toe_flow_hash(cfg->key, &ents[m->flow].tuple) >> 32);
		CU_ASSERT_EQUAL(m->hash_lo,
				(uint32_t)toe_flow_hash(cfg->key, &ents[m->flow].tuple));
	} else {
		CU_ASSERT_EQUAL(m->flow, w->flags & NEW ? ENDPOINT : TOE_FLOW_NONE);
	}
}

static void table__both_programs(void)
{
	struct result r;
	struct frame f;
	uint64_t before;
	unsigned bad;

	for (unsigned i = 0; i < 2 * sizeof(table) / sizeof(*table); i++) {
		const struct row *w = &table[i / 2];

		bad = CU_get_number_of_failures();
		frame_build(&f, &w->s);
		before = count(w->counter);
		run(&r, i % 2, &f);
		CU_ASSERT_EQUAL(r.verdict, (int)w->verdict);
		CU_ASSERT_EQUAL(count(w->counter), before + 1);
		if (w->verdict == PASS)
			CU_ASSERT(untouched(&r, &f));
		if (w->verdict == TO_FPC)
			check_meta(w, &f, &r);
		if (CU_get_number_of_failures() != bad)
			printf("\n    row \"%s\": verdict %d", w->what, r.verdict);
	}
}

/*
 * Cut a good frame at every length. Until the ports can be seen it is nobody's; then it is ours
 * and too short for what IP promised.
 */
static void cut(const struct shape *s, unsigned see)
{
	struct frame f, whole;
	struct result r;
	uint64_t before;

	frame_build(&whole, s);
	see += whole.l4 + 4;
	for (unsigned n = ETH_HLEN; n < 2 * whole.len; n++) {
		f = whole;
		f.len = n / 2;
		if (f.len < ETH_HLEN)
			continue; /* BPF_PROG_TEST_RUN refuses those */
		before = count(CNT(drop_xdp_ip_length));
		run(&r, n % 2, &f);
		CU_ASSERT_EQUAL(r.verdict, f.len < see ? XDP_PASS : XDP_DROP);
		CU_ASSERT_EQUAL(count(CNT(drop_xdp_ip_length)), before + (f.len >= see));
		if (f.len < see)
			CU_ASSERT(untouched(&r, &f));
	}
}

static void truncated__every_length(void)
{
	cut(&(struct shape){ .payload = 40 }, 0);
	cut(&(struct shape){ .rport = FLOW_PORT, .tcp_options = 12, .payload = 5 }, 0);
	cut(&(struct shape){ .ip_options = 40, .payload = 9 }, 0);
	cut(&(struct shape){ .tpid = { Q }, .tci = { 100 }, .payload = 9 }, 0);
	cut(&(struct shape){ .ip6 = true, .exts = 2, .ext = { EXT_HOP, EXT_DEST }, .payload = 9 },
	    0);
	cut(&(struct shape){ .icmp_error = true, .icmp_type = 3 }, 8 + 20);
	cut(&(struct shape){ .ip6 = true, .icmp_error = true, .icmp_type = 2 }, 8 + 40);
}

/* ---- what the index says, and what else decides ---- */

static int verdict_of(const struct shape *s, struct result *r)
{
	struct frame f;

	frame_build(&f, s);
	run(r, 0, &f);
	return r->verdict;
}

/* Slots that are out of date never decide: the endpoint does. */
static void index__stale_slots(void)
{
	const struct shape s = { .rport = FLOW_PORT };
	struct toe_tuple t = ents[FLOW4].tuple;
	struct result r;

	ents[FLOW4].gen++;
	CU_ASSERT_EQUAL(verdict_of(&s, &r), XDP_REDIRECT);
	CU_ASSERT_EQUAL(r.meta.flags, NEW);
	ents[FLOW4].gen = FLOW_GEN;
	ents[FLOW4].tuple.rport ^= 1;
	CU_ASSERT_EQUAL(verdict_of(&s, &r), XDP_REDIRECT);
	CU_ASSERT_EQUAL(r.meta.flags, NEW);
	ents[FLOW4].tuple = t;
	ents[FLOW4].life = TOE_LIFE_TRIM;
	CU_ASSERT_EQUAL(verdict_of(&s, &r), XDP_REDIRECT);
	CU_ASSERT_EQUAL(r.meta.flags, NEW);
	ents[FLOW4].life = TOE_LIFE_LIVE;
	ents[FLOW4].fpc = 200;
	CU_ASSERT_EQUAL(verdict_of(&s, &r), XDP_REDIRECT);
	CU_ASSERT_EQUAL(r.meta.flags, NEW);
	ents[FLOW4].fpc = 0;
	CU_ASSERT_EQUAL(verdict_of(&s, &r), XDP_REDIRECT);
	CU_ASSERT_EQUAL(r.meta.flags, HIT);
	world();
}

/* Any slot may hold an id beyond the table, and other flows with the same tag. */
static void index__same_tag(void)
{
	struct toe_tuple t = tuple(false, 0, 80, FLOW_PORT);
	uint64_t hash = toe_flow_hash(cfg->key, &t);
	struct result r;

	for (unsigned i = 0; i < TOE_BUCKET_SLOTS; i++) {
		bucket(hash, 0)->slot[i] = toe_slot(hash, FLOW_GEN, i % 2 ? 0xfffffff0 : FLOW6);
		bucket(hash, 1)->slot[i] = toe_slot(hash, FLOW_GEN, 1000 + i);
	}
	bucket(hash, 1)->slot[7] = toe_slot(hash, FLOW_GEN, FLOW4);
	CU_ASSERT_EQUAL(verdict_of(&(struct shape){ .rport = FLOW_PORT }, &r), XDP_REDIRECT);
	CU_ASSERT_EQUAL(r.meta.flags, HIT);
	CU_ASSERT_EQUAL(r.meta.flow, FLOW4);
	memset(bucket(hash, 0), 0, sizeof(struct toe_bucket));
	memset(bucket(hash, 1), 0, sizeof(struct toe_bucket));
	world();
}

/*
 * A flow that the endpoint table does not know is ours all the same: its listener may be closed by
 * now.
 */
static void index__without_endpoint(void)
{
	struct result r;

	put_flow(99, TOE_LIFE_LIVE, tuple(false, 0, 8080, 1234), 1);
	CU_ASSERT_EQUAL(verdict_of(&(struct shape){ .lport = 8080, .rport = 1234 }, &r),
			XDP_REDIRECT);
	CU_ASSERT_EQUAL(verdict_of(&(struct shape){ .lport = 8080, .rport = 1235 }, &r), XDP_PASS);
	world();
}

/* Everything passes until the configuration is complete, and on devices that it does not name. */
static void config__inert(void)
{
	const struct shape s = { .rport = FLOW_PORT };
	struct result r;

	cfg->magic = 0;
	CU_ASSERT_EQUAL(verdict_of(&s, &r), XDP_PASS);
	cfg->magic = TOE_CONFIG_MAGIC;
	cfg->version++;
	CU_ASSERT_EQUAL(verdict_of(&s, &r), XDP_PASS);
	cfg->version--;
	cfg->nfpcs = 0;
	CU_ASSERT_EQUAL(verdict_of(&s, &r), XDP_PASS);
	cfg->nfpcs = TOE_MAX_FPCS + 1;
	CU_ASSERT_EQUAL(verdict_of(&s, &r), XDP_PASS);
	cfg->nfpcs = FPCS;
	cfg->dev_ifindex[DEV] = 0;
	CU_ASSERT_EQUAL(verdict_of(&s, &r), XDP_PASS);
	CU_ASSERT_EQUAL(count(CNT(xdp_pass)), 0);
	world();
	CU_ASSERT_EQUAL(verdict_of(&s, &r), XDP_REDIRECT);
}

/* ---- sockets ---- */

static void sockets__none(void)
{
	struct result r;
	struct frame f;

	frame_build(&f, &(struct shape){ .rport = FLOW_PORT, .payload = 10 });
	for (unsigned q = 2; q < 12; q++) { /* queues without sockets, and beyond those served */
		run_with(&r, q % 2, &f, 0, q, 1);
		CU_ASSERT_EQUAL(r.verdict, XDP_PASS);
		CU_ASSERT(untouched(&r, &f));
	}
	CU_ASSERT_EQUAL(count(CNT(xdp_no_socket)), 10);
	world();
}

/* Each FPC's socket on each queue is reached; with only the other's there, that one. */
static void sockets__choice(void)
{
	unsigned fpc = ents[FLOW4].fpc;
	struct result r;
	struct frame f;

	frame_build(&f, &(struct shape){ .rport = FLOW_PORT });
	toe_maps_xsk_del(&maps, DEV, 1, !fpc);
	run_with(&r, 0, &f, 0, 1, 1);
	CU_ASSERT_EQUAL(r.verdict, XDP_REDIRECT);
	CU_ASSERT_EQUAL(count(CNT(xdp_other_fpc)), 0);
	toe_maps_xsk_del(&maps, DEV, 0, fpc);
	run_with(&r, 0, &f, 0, 0, 1);
	CU_ASSERT_EQUAL(r.verdict, XDP_REDIRECT);
	CU_ASSERT_EQUAL(r.meta_len, sizeof(r.meta));
	CU_ASSERT_EQUAL(count(CNT(xdp_other_fpc)), 1);
	world();
}

/* Metadata of an earlier program in a dispatcher: ours must still lie right before the frame. */
static void meta__room_taken(void)
{
	struct result r;
	struct frame f;

	for (unsigned n = 0; n <= 32; n += 4) {
		frame_build(&f, &(struct shape){ .rport = FLOW_PORT });
		run_with(&r, 0, &f, n, 0, 1);
		CU_ASSERT_EQUAL(r.verdict, XDP_REDIRECT);
		CU_ASSERT_EQUAL(r.meta_len, sizeof(r.meta));
		CU_ASSERT_EQUAL(r.meta.magic, TOE_META_WORD);
		frame_build(&f, &(struct shape){ .lport = 81 });
		run_with(&r, 0, &f, n, 0, 1);
		CU_ASSERT_EQUAL(r.verdict, XDP_PASS);
		CU_ASSERT_EQUAL(r.meta_len, n);
		frame_build(&f, &(struct shape){ .rport = FLOW_PORT });
		run_with(&r, 0, &f, n, 5, 1); /* no socket */
		CU_ASSERT_EQUAL(r.verdict, XDP_PASS);
		CU_ASSERT_EQUAL(r.meta_len, n);
	}
	world();
}

/* A jumbo frame lies in several buffers: only the sum of them tells whether IP's length is true. */
static void frags__jumbo(void)
{
	struct result r;
	struct frame f;

	frame_build(&f, &(struct shape){ .rport = FLOW_PORT, .payload = 8900 });
	run(&r, 1, &f);
	CU_ASSERT_EQUAL(r.verdict, XDP_REDIRECT);
	CU_ASSERT_EQUAL(r.meta.payload_len, 8900);
	f.len--;
	run(&r, 1, &f);
	CU_ASSERT_EQUAL(r.verdict, XDP_DROP);
	CU_ASSERT_EQUAL(count(CNT(drop_xdp_ip_length)), 1);
	world();
}

/* ---- garbage ---- */

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)((seed >> 32) * below >> 32);
}

/*
 * Whatever comes in, a verdict is one of three, what passes is untouched, and metadata points into
 * the frame.
 */
static void check_sane(const struct frame *f, const struct result *r)
{
	const struct toe_meta *m = &r->meta;

	CU_ASSERT(r->verdict == XDP_PASS || r->verdict == XDP_DROP || r->verdict == XDP_REDIRECT);
	if (r->verdict == XDP_PASS)
		CU_ASSERT(untouched(r, f));
	if (r->verdict != XDP_REDIRECT)
		return;
	CU_ASSERT_EQUAL(r->meta_len, sizeof(*m));
	CU_ASSERT(m->l3_off < m->l4_off && m->l4_off < m->payload_off);
	CU_ASSERT((unsigned)m->payload_off + m->payload_len <= f->len);
	CU_ASSERT(!memcmp(r->data, f->b, f->len));
}

static void garbage__random_and_bent(void)
{
	enum { ROUNDS = 20000 };
	unsigned seen[8] = { 0 };
	struct result r;
	struct frame f;

	seed = 1;
	for (unsigned i = 0; i < ROUNDS; i++) {
		frame_build(&f, &table[rnd(sizeof(table) / sizeof(*table))].s);
		if (rnd(8) == 0)
			for (unsigned n = 12; n < f.len; n++)
				f.b[n] = (uint8_t)rnd(256);
		for (unsigned n = rnd(4); n > 0; n--)
			f.b[12 + rnd(f.len - 12)] = (uint8_t)rnd(256);
		if (rnd(4) == 0)
			f.len = ETH_HLEN + rnd(f.len - ETH_HLEN + 1);
		run(&r, i % 2, &f);
		check_sane(&f, &r);
		seen[r.verdict & 7]++;
	}
	CU_ASSERT(seen[XDP_PASS] && seen[XDP_DROP] && seen[XDP_REDIRECT]);
	world();
}

/* ---- cost: printed, and far from unreasonable ---- */

static void cost__ns(void)
{
	static const struct {
		const char *what;
		struct shape s;
	} kinds[] = {
		{ "flow hit, IPv4", { .rport = FLOW_PORT, .payload = 64 } },
		{ "flow hit, IPv6", { .ip6 = true, .rport = FLOW_PORT, .payload = 64 } },
		{ "new connection", { .tcp_flags = TCP_SYN } },
		{ "not ours, TCP", { .lport = 22, .payload = 64 } },
		{ "not ours, ARP", { .ethertype = ETH_P_ARP } },
	};
	struct result r;
	struct frame f;

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		frame_build(&f, &kinds[i].s);
		run_with(&r, 0, &f, 0, 0, 500000);
		printf("\n    %-16s %u ns", kinds[i].what, r.ns);
		CU_ASSERT(r.verdict >= 0 && r.ns < 5000);
	}
}

static int load(void)
{
	struct bpf_object *obj = bpf_object__open_file(env_object(), NULL);
	int err = obj ? bpf_object__load(obj) : -errno;

	toe_maps_init(&maps);
	for (int i = 0; i < TOE_MAPS && !err; i++)
		maps.fd[i] = bpf_object__find_map_fd_by_name(obj, toe_map_name(i));
	if (err)
		return err;
	prog[0] = bpf_program__fd(bpf_object__find_program_by_name(obj, "toe_xdp"));
	prog[1] = bpf_program__fd(bpf_object__find_program_by_name(obj, "toe_xdp_frags"));
	cfg = toe_map_mmap(TOE_MAP_CONFIG, maps.fd[TOE_MAP_CONFIG]);
	flow_index = toe_map_mmap(TOE_MAP_FLOW_INDEX, maps.fd[TOE_MAP_FLOW_INDEX]);
	ents = toe_map_mmap(TOE_MAP_TCBS, maps.fd[TOE_MAP_TCBS]);
	rows = toe_map_mmap(TOE_MAP_STATS, maps.fd[TOE_MAP_STATS]);
	return cfg && flow_index && ents && rows ? 0 : -errno;
}

int main(void)
{
	static const struct unit_test tests[] = {
		T(table__both_programs), T(truncated__every_length),  T(index__stale_slots),
		T(index__same_tag),      T(index__without_endpoint),  T(config__inert),
		T(sockets__none),        T(sockets__choice),          T(meta__room_taken),
		T(frags__jumbo),         T(garbage__random_and_bent), T(cost__ns),
	};
	int err;

	env_enter("bpf");
	err = env_sh("ip link add dev0 numrxqueues 16 type veth peer name dev1");
	ifindex = (int)if_nametoindex("dev0");
	if (!err)
		err = load();
	if (!err)
		err = world();
	if (err) {
		printf("bpf: cannot set up: %s\n# bpf: 0 passed, 1 failed\n", strerror(abs(err)));
		return 1;
	}
	return unit_run("bpf", tests, sizeof(tests) / sizeof(tests[0]));
}
