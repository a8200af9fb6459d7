/* SPDX-License-Identifier: BSD-2-Clause */
#include "xdp.h"

#include "xdp_find.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xdp/libxdp.h>

/*
 * The last thing that libbpf or libxdp complained about: most of their calls only return a number.
 */
static char complaint[160];

static int remember(const char *fmt, va_list ap)
{
	vsnprintf(complaint, sizeof(complaint), fmt, ap);
	complaint[strcspn(complaint, "\n")] = 0;
	return 0;
}

static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? remember(fmt, ap) : 0;
}

static int on_libxdp(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	return level == LIBXDP_WARN ? remember(fmt, ap) : 0;
}

/* Leave the sentence, return err. */
__attribute__((format(printf, 3, 4))) static int fail(struct toe_xdp *x, int err, const char *fmt,
						      ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(x->error, sizeof(x->error), fmt, ap);
	va_end(ap);
	return err;
}

static const char *dev_name(int ifindex)
{
	static char name[IF_NAMESIZE];

	if (!if_indextoname((unsigned)ifindex, name))
		snprintf(name, sizeof(name), "if%d", ifindex);
	return name;
}

/* Bytes; 0 when the device is gone. */
static int dev_mtu(int ifindex)
{
	struct ifreq ifr = { 0 };
	int mtu = 0, fd;

	if (!if_indextoname((unsigned)ifindex, ifr.ifr_name))
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	if (!ioctl(fd, SIOCGIFMTU, &ifr))
		mtu = ifr.ifr_mtu;
	close(fd);
	return mtu;
}

/*
 * Open the object so that only `prog` will be loaded, over the maps that x has. NULL with errno
 * and x->error.
 */
static struct bpf_object *open_object(struct toe_xdp *x, const char *prog)
{
	struct bpf_object *obj = bpf_object__open_file(x->obj_path, NULL);
	int err = errno;
	struct bpf_program *p;
	struct bpf_map *map;
	char why[96];
	int id;

	if (!obj) {
		libbpf_strerror(err, why, sizeof(why));
		fail(x, -err, "%s: %s: run make, or make install", x->obj_path, why);
		errno = err;
		return NULL;
	}
	bpf_object__for_each_program(p, obj)
	    bpf_program__set_autoload(p, !strcmp(bpf_program__name(p), prog));
	bpf_object__for_each_map(map, obj)
	{
		id = toe_map_by_name(bpf_map__name(map));
		if (id < 0 || x->maps.fd[id] < 0)
			continue;
		if (!bpf_map__reuse_fd(map, x->maps.fd[id]))
			continue;
		err = errno;
		fail(x, -err, "%s: map %s does not fit: %s", x->obj_path, toe_map_name(id),
		     strerror(err));
		bpf_object__close(obj);
		errno = err;
		return NULL;
	}
	return obj;
}

static int load_failed(struct toe_xdp *x, int err)
{
	if (err == -EPERM)
		return fail(x, err,
			    "not allowed to load BPF programs: root is needed (CAP_BPF, "
			    "CAP_NET_ADMIN), and the kernel must not forbid it");
	if (err == -ENOSYS)
		return fail(x, err,
			    "no BPF: the kernel needs CONFIG_BPF_SYSCALL and CONFIG_BPF_JIT");
	return fail(x, err, "the XDP program does not load: %s (%s)", strerror(-err), complaint);
}

/* Load the object once: it must pass the verifier, and makes the maps that are missing. */
static int make_maps(struct toe_xdp *x)
{
	struct bpf_object *obj = open_object(x, TOE_XDP_PROG);
	struct bpf_map *map;
	int err = 0;

	if (!obj)
		return -errno;
	err = bpf_object__load(obj);
	if (err) {
		err = load_failed(x, err);
		goto out;
	}
	for (int i = 0; i < TOE_MAPS; i++) {
		if (x->maps.fd[i] >= 0)
			continue;
		map = bpf_object__find_map_by_name(obj, toe_map_name(i));
		err = map ? toe_map_check(i, bpf_map__fd(map)) : -ENOENT;
		if (err) {
			err = fail(x, err, "%s: map %s is of another build: run make", x->obj_path,
				   toe_map_name(i));
			goto out;
		}
		x->maps.fd[i] = dup(bpf_map__fd(map));
	}
out:
	bpf_object__close(obj);
	return err;
}

/*
 * Take over the maps of the first program of ours. One of another build is left for attach to
 * replace.
 */
static int adopt_maps(struct toe_xdp *x)
{
	struct toe_xdp_found f;
	uint32_t hook;
	int err;

	for (unsigned i = 0; i < x->ndevs && !x->adopted; i++) {
		err = toe_xdp_find(x->dev[i].ifindex, &f, &hook);
		if (err)
			return fail(x, err, "%s: cannot be asked for its XDP program: %s",
				    dev_name(x->dev[i].ifindex), strerror(-err));
		if (f.fd >= 0 && !toe_xdp_found_maps(&f)) {
			x->maps = f.maps;
			toe_maps_init(&f.maps);
			x->adopted = true;
		}
		toe_xdp_found_close(&f);
	}
	return 0;
}

int toe_xdp_open(struct toe_xdp *x, const char *obj_path, const char *pin_dir, const int *ifindex,
		 unsigned ndevs)
{
	int err;

	memset(x, 0, sizeof(*x));
	x->obj_path = obj_path;
	x->pin_dir = pin_dir;
	toe_maps_init(&x->maps);
	if (ndevs > TOE_MAX_DEVS)
		return fail(x, -EINVAL, "at most %d devices", TOE_MAX_DEVS);
	libbpf_set_print(on_libbpf);
	libxdp_set_print(on_libxdp);
	x->ndevs = ndevs;
	for (unsigned i = 0; i < ndevs; i++)
		x->dev[i].ifindex = ifindex[i];
	err = toe_bpffs_mount();
	if (err)
		return fail(x, err, "no BPF file system: mount -t bpf bpffs " TOE_BPFFS ": %s",
			    strerror(-err));
	err = adopt_maps(x);
	if (!err)
		err = make_maps(x);
	if (err)
		goto out;
	err = toe_maps_pin(&x->maps, pin_dir);
	if (err)
		fail(x, err, "maps cannot be pinned in %s: %s", pin_dir, strerror(-err));
out:
	if (err)
		toe_maps_close(&x->maps);
	return err;
}

/* Where it is remembered that toed, not a person, attached to the device. */
static void prog_pin_path(const struct toe_xdp *x, int ifindex, char *path, size_t n)
{
	snprintf(path, n, "%s/prog-%d", x->pin_dir, ifindex);
}

static void prog_pin(const struct toe_xdp *x, int ifindex, int fd)
{
	char path[256];

	prog_pin_path(x, ifindex, path, sizeof(path));
	unlink(path);
	bpf_obj_pin(fd, path);
}

/* A pin left by an earlier toed counts only for the very program that is attached now. */
static bool prog_is_pinned(const struct toe_xdp *x, int ifindex, uint32_t id)
{
	struct bpf_prog_info info = { 0 };
	bool same = false;
	char path[256];
	int fd;

	prog_pin_path(x, ifindex, path, sizeof(path));
	fd = bpf_obj_get(path);
	if (fd < 0)
		return false;
	same = !toe_prog_info(fd, &info) && info.id == id;
	close(fd);
	if (!same)
		unlink(path);
	return same;
}

/* Make toe_flows findable by program id, too: the program itself does not use it. */
static void bind_flows(const struct toe_xdp *x, int prog_fd)
{
	bpf_prog_bind_map(prog_fd, x->maps.fd[TOE_MAP_FLOWS], NULL);
}

static void set_dev(struct toe_xdp_dev *d, enum toe_xdp_how how, uint32_t id, bool generic,
		    bool frags)
{
	d->how = how;
	d->prog_id = id;
	d->generic = generic;
	d->frags = frags;
}

static uint32_t mode_flags(bool generic)
{
	return generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

static int attach_failed(struct toe_xdp *x, const struct toe_xdp_dev *d, int err)
{
	const char *name = dev_name(d->ifindex);

	if (err == -EOPNOTSUPP)
		return fail(x, err, "%s: the driver has no XDP: use the generic mode", name);
	if (err == -EBUSY || err == -EEXIST)
		return fail(x, -EBUSY, "%s runs another XDP program: ip link set dev %s xdp off",
			    name, name);
	return fail(x, err, "%s: the XDP program does not attach: %s (%s)", name, strerror(-err),
		    complaint);
}

/* On the hook alone; `old` (or -1) is what must be there now and is replaced in one step. */
static int attach_direct(struct toe_xdp *x, struct toe_xdp_dev *d, bool generic, bool frags,
			 int old, enum toe_xdp_how how)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, o, .old_prog_fd = old);
	const char *name = frags ? TOE_XDP_PROG_FRAGS : TOE_XDP_PROG;
	struct bpf_object *obj = open_object(x, name);
	struct bpf_prog_info info = { 0 };
	int fd, err;

	if (!obj)
		return -errno;
	err = bpf_object__load(obj);
	if (err) {
		err = load_failed(x, err);
		goto out;
	}
	fd = bpf_program__fd(bpf_object__find_program_by_name(obj, name));
	err = bpf_xdp_attach(d->ifindex, fd,
			     mode_flags(generic) |
				 (old < 0 ? XDP_FLAGS_UPDATE_IF_NOEXIST : XDP_FLAGS_REPLACE),
			     old < 0 ? NULL : &o);
	if (!err)
		err = toe_prog_info(fd, &info);
	if (err) {
		err = attach_failed(x, d, err);
		goto out;
	}
	bind_flows(x, fd);
	if (how == TOE_XDP_DIRECT)
		prog_pin(x, d->ifindex, fd);
	set_dev(d, how, info.id, generic, frags);
out:
	bpf_object__close(obj);
	return err;
}

/*
 * Through libxdp. It takes the hook without a dispatcher by itself where the kernel cannot do
 * dispatchers: what came of it is read back.
 */
static int attach_libxdp(struct toe_xdp *x, struct toe_xdp_dev *d, bool generic, bool frags)
{
	const char *name = frags ? TOE_XDP_PROG_FRAGS : TOE_XDP_PROG;
	struct bpf_object *obj = open_object(x, name);
	DECLARE_LIBXDP_OPTS(xdp_program_opts, o, .obj = obj, .prog_name = name);
	struct xdp_program *p;
	uint32_t hook = 0;
	bool skb;
	int err;

	if (!obj)
		return -errno;
	p = xdp_program__create(&o);
	err = (int)libxdp_get_error(p);
	if (err) {
		bpf_object__close(obj);
		return attach_failed(x, d, err);
	}
	err = xdp_program__attach(p, d->ifindex, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
	if (err) {
		err = attach_failed(x, d, err);
		goto out;
	}
	toe_xdp_query(d->ifindex, &hook, &skb);
	bind_flows(x, xdp_program__fd(p));
	set_dev(d, hook == xdp_program__id(p) ? TOE_XDP_DIRECT : TOE_XDP_DISPATCHER,
		xdp_program__id(p), generic, frags);
	if (d->how == TOE_XDP_DIRECT)
		prog_pin(x, d->ifindex, xdp_program__fd(p));
out:
	xdp_program__close(p);
	bpf_object__close(obj);
	return err;
}

/* Take program `id` out of the device's dispatcher. */
static int dispatcher_remove(int ifindex, uint32_t id, bool generic)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *p = NULL;
	int err = (int)libxdp_get_error(mp);

	if (err)
		return err;
	err = -ENOENT;
	while ((p = xdp_multiprog__next_prog(p, mp)))
		if (xdp_program__id(p) == id) {
			err = xdp_program__detach(p, ifindex,
						  generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
			break;
		}
	xdp_multiprog__close(mp);
	return err;
}

/* A program of ours is there already. */
static int attach_over(struct toe_xdp *x, struct toe_xdp_dev *d, struct toe_xdp_found *f)
{
	enum toe_xdp_how how = TOE_XDP_BY_HAND;
	int err;

	if (f->dispatcher)
		how = TOE_XDP_DISPATCHER;
	else if (prog_is_pinned(x, d->ifindex, f->id))
		how = TOE_XDP_DIRECT;
	if (!toe_xdp_found_maps(f) &&
	    toe_same_map(f->maps.fd[TOE_MAP_CONFIG], x->maps.fd[TOE_MAP_CONFIG])) {
		bind_flows(x, f->fd);
		set_dev(d, how, f->id, f->generic, f->frags);
		return 0;
	}
	if (!f->dispatcher)
		return attach_direct(x, d, f->generic, f->frags, f->fd, how);
	err = dispatcher_remove(d->ifindex, f->id, f->generic);
	if (err)
		return fail(x, err, "%s: an older program cannot be taken out of the dispatcher",
			    dev_name(d->ifindex));
	return attach_libxdp(x, d, f->generic, f->frags);
}

int toe_xdp_attach(struct toe_xdp *x, unsigned dev, bool generic)
{
	struct toe_xdp_dev *d = &x->dev[dev];
	struct toe_xdp_found f;
	uint32_t hook;
	bool frags;
	int err = toe_xdp_find(d->ifindex, &f, &hook);

	if (err)
		return attach_failed(x, d, err);
	if (f.fd >= 0) {
		err = attach_over(x, d, &f);
		toe_xdp_found_close(&f);
		return err;
	}
	frags = dev_mtu(d->ifindex) > TOE_XDP_MAX_LINEAR_MTU;
	err = attach_libxdp(x, d, generic, frags);
	if (err && err != -EBUSY && err != -EOPNOTSUPP && !hook)
		err = attach_direct(x, d, generic, frags, -1, TOE_XDP_DIRECT);
	return err;
}

/* From the hook, only if it is still our program. */
static int detach_direct(struct toe_xdp *x, const struct toe_xdp_dev *d)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, o);
	char path[256];
	int fd, err;

	prog_pin_path(x, d->ifindex, path, sizeof(path));
	unlink(path);
	fd = bpf_prog_get_fd_by_id(d->prog_id);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	o.old_prog_fd = fd;
	err = bpf_xdp_detach(d->ifindex, mode_flags(d->generic) | XDP_FLAGS_REPLACE, &o);
	close(fd);
	return err == -ENODEV || err == -EEXIST ? 0 : err;
}

int toe_xdp_detach(struct toe_xdp *x, unsigned dev)
{
	struct toe_xdp_dev *d = &x->dev[dev];
	int err = 0;

	if (d->how == TOE_XDP_DIRECT)
		err = detach_direct(x, d);
	else if (d->how == TOE_XDP_DISPATCHER)
		err = dispatcher_remove(d->ifindex, d->prog_id, d->generic);
	set_dev(d, TOE_XDP_NONE, 0, false, false);
	if (err)
		return fail(x, err, "%s: the XDP program does not detach: %s", dev_name(d->ifindex),
			    strerror(-err));
	return 0;
}

void toe_xdp_close(struct toe_xdp *x)
{
	toe_maps_close(&x->maps);
	toe_maps_unpin(x->pin_dir);
}

const char *toe_xdp_how_name(enum toe_xdp_how how)
{
	static const char *const name[] = { "none", "dispatcher", "direct", "by hand" };

	return name[how];
}
