/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's ways on and off a device: by toed, by hand, two devices, leftovers of all kinds.
 * Devices: dev0 and dev2 here, their peers dev1 and dev3 in a second namespace are not needed.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "env.h"
#include "tests/harness/unit.h"
#include "userspace/toed/xdp.h"
#include "userspace/toed/xdp_find.h"

static int dev[2];
static struct toe_xdp x;

static uint32_t hook(int i)
{
	uint32_t id = 0;
	bool generic;

	toe_xdp_query(dev[i], &id, &generic);
	return id;
}

static int by_hand(int i, const char *section)
{
	return env_sh("ip link set dev dev%d xdp obj %s sec %s", 2 * i, env_object(), section);
}

static void clean(void)
{
	env_sh("ip link set dev dev0 xdp off; ip link set dev dev2 xdp off");
	env_sh("rm -rf %s %s/xdp/*", TOE_PIN_DIR, TOE_BPFFS);
}

static int start(unsigned ndevs)
{
	return toe_xdp_open(&x, env_object(), TOE_PIN_DIR, dev, ndevs);
}

/* toed was killed: nothing is detached or unpinned. */
static void die(void)
{
	toe_maps_close(&x.maps);
}

/* Does the device's program use our maps? */
static bool uses_our_maps(int i)
{
	struct toe_xdp_found f;
	uint32_t id;
	bool same;

	if (toe_xdp_find(dev[i], &f, &id) || f.fd < 0)
		return false;
	same = !toe_xdp_found_maps(&f);
	for (int m = 0; same && m < TOE_MAPS; m++)
		same = f.maps.fd[m] >= 0 && toe_same_map(f.maps.fd[m], x.maps.fd[m]);
	toe_xdp_found_close(&f);
	return same;
}

/* bpffs is not mounted when the first test begins. */
static void attach__detach_and_again(void)
{
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(start(1), 0);
		CU_ASSERT_FALSE(x.adopted);
		CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
		CU_ASSERT(x.dev[0].how == TOE_XDP_DIRECT || x.dev[0].how == TOE_XDP_DISPATCHER);
		CU_ASSERT(hook(0));
		CU_ASSERT(uses_our_maps(0));
		CU_ASSERT_EQUAL(toe_xdp_detach(&x, 0), 0);
		CU_ASSERT_FALSE(hook(0));
		toe_xdp_close(&x);
		CU_ASSERT(access(TOE_PIN_DIR, F_OK));
	}
	clean();
}

static void attach__two_devices(void)
{
	CU_ASSERT_EQUAL(start(2), 0);
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 1, false), 0);
	CU_ASSERT(uses_our_maps(0) && uses_our_maps(1));
	CU_ASSERT_EQUAL(toe_xdp_detach(&x, 0), 0);
	CU_ASSERT(!hook(0) && hook(1));
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
	CU_ASSERT(uses_our_maps(0));
	toe_xdp_detach(&x, 0);
	toe_xdp_detach(&x, 1);
	CU_ASSERT(!hook(0) && !hook(1));
	toe_xdp_close(&x);
	clean();
}

/* The requirement's own command, both sections: adopted, and left alone in the end. */
static void adopt__by_hand(void)
{
	static const char *const section[] = { "xdp", "xdp.frags" };

	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(by_hand(0, section[i]), 0);
		uint32_t id = hook(0);

		CU_ASSERT(id);
		CU_ASSERT_EQUAL(start(1), 0);
		CU_ASSERT(x.adopted);
		CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
		CU_ASSERT_EQUAL(x.dev[0].how, TOE_XDP_BY_HAND);
		CU_ASSERT_EQUAL(x.dev[0].frags, i == 1);
		CU_ASSERT(uses_our_maps(0));
		CU_ASSERT_EQUAL(toe_xdp_detach(&x, 0), 0);
		toe_xdp_close(&x);
		CU_ASSERT_EQUAL(hook(0), id);
		clean();
	}
}

/* Each `ip link` makes maps of its own: the second device is re-pointed at those of the first. */
static void adopt__two_by_hand(void)
{
	CU_ASSERT_EQUAL(by_hand(0, "xdp") | by_hand(1, "xdp"), 0);
	uint32_t id = hook(0);

	CU_ASSERT_EQUAL(start(2), 0);
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false) | toe_xdp_attach(&x, 1, false), 0);
	CU_ASSERT_EQUAL(hook(0), id);
	CU_ASSERT(uses_our_maps(0) && uses_our_maps(1));
	CU_ASSERT_EQUAL(x.dev[1].how, TOE_XDP_BY_HAND);
	toe_xdp_close(&x);
	clean();
}

/* Device 1 was attached by hand, device 0 was not: one set of maps all the same. */
static void adopt__second_only(void)
{
	CU_ASSERT_EQUAL(by_hand(1, "xdp"), 0);
	CU_ASSERT_EQUAL(start(2), 0);
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false) | toe_xdp_attach(&x, 1, false), 0);
	CU_ASSERT(uses_our_maps(0) && uses_our_maps(1));
	CU_ASSERT_EQUAL(x.dev[1].how, TOE_XDP_BY_HAND);
	toe_xdp_detach(&x, 0);
	toe_xdp_detach(&x, 1);
	CU_ASSERT(!hook(0) && hook(1));
	toe_xdp_close(&x);
	clean();
}

/*
 * After a crash the program is found again with what is in its maps, and still is toed's to take
 * away.
 */
static void adopt__after_crash(void)
{
	struct toe_config *cfg;
	uint32_t id;

	CU_ASSERT_EQUAL(start(1), 0);
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
	cfg = toe_map_mmap(TOE_MAP_CONFIG, x.maps.fd[TOE_MAP_CONFIG]);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cfg);
	cfg->nfpcs = 5;
	id = hook(0);
	die();
	CU_ASSERT_EQUAL(start(1), 0);
	CU_ASSERT(x.adopted);
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
	CU_ASSERT_EQUAL(hook(0), id);
	CU_ASSERT(uses_our_maps(0));
	cfg = toe_map_mmap(TOE_MAP_CONFIG, x.maps.fd[TOE_MAP_CONFIG]);
	CU_ASSERT_EQUAL(cfg->nfpcs, 5);
	CU_ASSERT_EQUAL(toe_maps_clear(&x.maps), 0);
	CU_ASSERT_EQUAL(cfg->nfpcs, 0);
	CU_ASSERT_EQUAL(toe_xdp_detach(&x, 0), 0);
	CU_ASSERT_FALSE(hook(0));
	toe_xdp_close(&x);
	clean();
}

/* Pins of a dead toed whose program is gone name maps that nothing uses. */
static void pin__stale(void)
{
	const char *tcbs = TOE_PIN_DIR "/toe_tcbs";
	int old;

	CU_ASSERT_EQUAL(start(1), 0);
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
	die();
	env_sh("ip link set dev dev0 xdp off");
	old = bpf_obj_get(tcbs);
	CU_ASSERT(old >= 0);
	CU_ASSERT_EQUAL(by_hand(0, "xdp"), 0);
	CU_ASSERT_EQUAL(start(1), 0);
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
	CU_ASSERT_EQUAL(x.dev[0].how, TOE_XDP_BY_HAND);
	CU_ASSERT_FALSE(toe_same_map(old, x.maps.fd[TOE_MAP_TCBS]));
	close(old);
	old = bpf_obj_get(tcbs);
	CU_ASSERT(toe_same_map(old, x.maps.fd[TOE_MAP_TCBS]));
	close(old);
	toe_xdp_close(&x);
	CU_ASSERT(bpf_obj_get(tcbs) < 0 && errno == ENOENT);
	clean();
}

/* A program that only passes, under any name. */
static int put_program(const char *name)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", pass, 2, NULL);
	int err = bpf_xdp_attach(dev[0], fd, XDP_FLAGS_DRV_MODE, NULL);

	close(fd);
	return err;
}

static void attach__hook_taken(void)
{
	CU_ASSERT_EQUAL(put_program("firewall"), 0);
	uint32_t id = hook(0);

	CU_ASSERT_EQUAL(start(1), 0);
	CU_ASSERT_FALSE(x.adopted);
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(x.error, "xdp off"));
	CU_ASSERT_EQUAL(x.dev[0].how, TOE_XDP_NONE);
	CU_ASSERT_EQUAL(toe_xdp_detach(&x, 0), 0);
	CU_ASSERT_EQUAL(hook(0), id);
	toe_xdp_close(&x);
	clean();
}

/* Programs in the device's dispatcher; 0 without one. */
static int dispatched(void)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(dev[0]);
	int n;

	if (libxdp_get_error(mp))
		return 0;
	n = xdp_multiprog__is_legacy(mp) ? 0 : xdp_multiprog__program_count(mp);
	xdp_multiprog__close(mp);
	return n;
}

/*
 * Another program came by libxdp. Where the kernel lets libxdp have its dispatcher, ours runs
 * beside it and leaves it in place; where not, the other has the hook to itself.
 */
static void attach__beside_another(void)
{
	struct xdp_program *other = xdp_program__find_file("xsk_def_xdp_prog.o", NULL, NULL);

	CU_ASSERT_FALSE_FATAL(libxdp_get_error(other));
	CU_ASSERT_EQUAL(xdp_program__attach(other, dev[0], XDP_MODE_NATIVE, 0), 0);
	CU_ASSERT_EQUAL(start(1), 0);
	if (dispatched() == 1) {
		printf("with a dispatcher ");
		CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
		CU_ASSERT_EQUAL(x.dev[0].how, TOE_XDP_DISPATCHER);
		CU_ASSERT_EQUAL(dispatched(), 2);
		CU_ASSERT(uses_our_maps(0));
		die();
		CU_ASSERT_EQUAL(start(1), 0);
		CU_ASSERT(x.adopted);
		CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
		CU_ASSERT_EQUAL(x.dev[0].how, TOE_XDP_DISPATCHER);
		CU_ASSERT_EQUAL(toe_xdp_detach(&x, 0), 0);
		CU_ASSERT_EQUAL(dispatched(), 1);
	} else {
		printf("no dispatcher on this kernel ");
		CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), -EBUSY);
	}
	toe_xdp_close(&x);
	CU_ASSERT_EQUAL(xdp_program__detach(other, dev[0], XDP_MODE_NATIVE, 0), 0);
	CU_ASSERT_FALSE(hook(0));
	xdp_program__close(other);
	clean();
}

/* A program of our name without our maps is another build's: it gives way. */
static void attach__other_build(void)
{
	CU_ASSERT_EQUAL(put_program("toe_xdp"), 0);
	CU_ASSERT_EQUAL(start(1), 0);
	CU_ASSERT_FALSE(x.adopted);
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
	CU_ASSERT(uses_our_maps(0));
	toe_xdp_close(&x);
	clean();
}

static void attach__generic(void)
{
	struct toe_xdp y;
	int bridge;

	CU_ASSERT_EQUAL_FATAL(env_sh("ip link add noxdp type bridge"), 0);
	bridge = (int)if_nametoindex("noxdp");
	CU_ASSERT_EQUAL(toe_xdp_open(&y, env_object(), TOE_PIN_DIR, &bridge, 1), 0);
	CU_ASSERT_EQUAL(toe_xdp_attach(&y, 0, false), -EOPNOTSUPP);
	CU_ASSERT_PTR_NOT_NULL(strstr(y.error, "generic"));
	CU_ASSERT_EQUAL(toe_xdp_attach(&y, 0, true), 0);
	CU_ASSERT(y.dev[0].generic);
	CU_ASSERT_EQUAL(toe_xdp_detach(&y, 0), 0);
	toe_xdp_close(&y);
	env_sh("ip link del noxdp");
	clean();
}

static void attach__jumbo(void)
{
	env_sh("ip link set dev0 mtu 9000; ip link set dev1 mtu 9000");
	CU_ASSERT_EQUAL(start(1), 0);
	CU_ASSERT_EQUAL(toe_xdp_attach(&x, 0, false), 0);
	CU_ASSERT(x.dev[0].frags);
	CU_ASSERT(uses_our_maps(0));
	toe_xdp_detach(&x, 0);
	toe_xdp_close(&x);
	env_sh("ip link set dev0 mtu 1500; ip link set dev1 mtu 1500");
	clean();
}

static void open__errors(void)
{
	const int many[TOE_MAX_DEVS + 1] = { 0 };
	const int gone = 9999;

	CU_ASSERT_EQUAL(toe_xdp_open(&x, env_object(), TOE_PIN_DIR, many, TOE_MAX_DEVS + 1),
			-EINVAL);
	CU_ASSERT_EQUAL(toe_xdp_open(&x, "/nowhere.o", TOE_PIN_DIR, dev, 1), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(x.error, "/nowhere.o"));
	CU_ASSERT_EQUAL(toe_xdp_open(&x, env_object(), TOE_PIN_DIR, &gone, 1), 0);
	CU_ASSERT(toe_xdp_attach(&x, 0, false) < 0);
	CU_ASSERT(x.error[0]);
	toe_xdp_close(&x);
	clean();
}

/* What a person sees. */
static void flows__dump_is_readable(void)
{
	struct toe_flow_view v = { .local = "192.0.2.1:80",
				   .remote = "[2001:db8::2]:40000",
				   .state = FIN_WAIT_2,
				   .tcb = spilled,
				   .fpc = 1 };
	uint32_t id = 77;

	CU_ASSERT_EQUAL(start(1), 0);
	CU_ASSERT_EQUAL(bpf_map_update_elem(x.maps.fd[TOE_MAP_FLOWS], &id, &v, BPF_ANY), 0);
	CU_ASSERT_EQUAL(
	    env_sh("bpftool map dump pinned %s/toe_flows >/tmp/dump.%d", TOE_PIN_DIR, getpid()), 0);
	static const char *const want[] = {
		"\"key\": 77",    "\"192.0.2.1:80\"", "\"[2001:db8::2]:40000\"",
		"\"FIN_WAIT_2\"", "\"spilled\"",      "\"fpc\": 1"
	};
	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++)
		CU_ASSERT_EQUAL(env_sh("grep -F '%s' /tmp/dump.%d", want[i], getpid()), 0);
	env_sh("rm /tmp/dump.%d", getpid());
	toe_xdp_close(&x);
	clean();
}

int main(void)
{
	static const struct unit_test tests[] = {
		T(attach__detach_and_again),
		T(attach__two_devices),
		T(adopt__by_hand),
		T(adopt__two_by_hand),
		T(adopt__second_only),
		T(adopt__after_crash),
		T(pin__stale),
		T(attach__hook_taken),
		T(attach__beside_another),
		T(attach__other_build),
		T(attach__generic),
		T(attach__jumbo),
		T(open__errors),
		T(flows__dump_is_readable),
	};

	env_enter("attach");
	if (env_sh("ip link add dev0 type veth peer name dev1 && ip link add dev2 type veth peer "
		   "name dev3 && for i in 0 1 2 3; do ip link set dev$i up; done")) {
		printf("attach: no veth devices\n# attach: 0 passed, 1 failed\n");
		return 1;
	}
	dev[0] = (int)if_nametoindex("dev0");
	dev[1] = (int)if_nametoindex("dev2");
	return unit_run("attach", tests, sizeof(tests) / sizeof(tests[0]));
}
