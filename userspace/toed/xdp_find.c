/* SPDX-License-Identifier: BSD-2-Clause */
#include "xdp_find.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>
#include <xdp/libxdp.h>

int toe_prog_info(int fd, struct bpf_prog_info *info)
{
	uint32_t len = sizeof(*info);

	return bpf_obj_get_info_by_fd(fd, info, &len) ? -errno : 0;
}

bool toe_same_map(int a, int b)
{
	struct bpf_map_info ia = { 0 }, ib = { 0 };
	uint32_t la = sizeof(ia), lb = sizeof(ib);

	return !bpf_obj_get_info_by_fd(a, &ia, &la) && !bpf_obj_get_info_by_fd(b, &ib, &lb) &&
	       ia.id == ib.id;
}

/* The ABI version that the object carries as its only read-only datum. */
static bool abi_matches(int fd, uint32_t value_size)
{
	uint32_t zero = 0, version = 0;

	return value_size == sizeof(version) && !bpf_map_lookup_elem(fd, &zero, &version) &&
	       version == TOE_ABI_VERSION;
}

/* Sort one map of the program into f. -EINVAL when it is one of ours, but defined otherwise. */
static int take_map(struct toe_xdp_found *f, uint32_t id, bool *abi)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);
	int which, err = 0;

	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len)) {
		err = -errno;
		goto out;
	}
	if (strstr(info.name, ".rodata"))
		*abi = abi_matches(fd, info.value_size);
	which = toe_map_by_name(info.name);
	if (which < 0 || f->maps.fd[which] >= 0)
		goto out;
	err = toe_map_check(which, fd);
	if (err)
		goto out;
	f->maps.fd[which] = fd;
	return 0;
out:
	close(fd);
	return err;
}

int toe_xdp_found_maps(struct toe_xdp_found *f)
{
	uint32_t ids[2 * TOE_MAPS] = { 0 };
	struct bpf_prog_info info = { .nr_map_ids = 2 * TOE_MAPS, .map_ids = (uintptr_t)ids };
	bool abi = false;
	int err = toe_prog_info(f->fd, &info);

	for (uint32_t i = 0; !err && i < info.nr_map_ids && i < 2 * TOE_MAPS; i++)
		err = take_map(f, ids[i], &abi);
	if (err)
		return err;
	for (int i = 0; i < TOE_MAPS; i++)
		if (f->maps.fd[i] < 0 && i != TOE_MAP_FLOWS)
			return -EINVAL;
	return abi ? 0 : -EINVAL;
}

void toe_xdp_found_close(struct toe_xdp_found *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	toe_maps_close(&f->maps);
}

/* Is program `id` ours? Then it is kept in f. */
static bool take_prog(struct toe_xdp_found *f, uint32_t id)
{
	struct bpf_prog_info info = { 0 };
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0)
		return false;
	if (toe_prog_info(fd, &info) || strncmp(info.name, TOE_XDP_PROG, strlen(TOE_XDP_PROG))) {
		close(fd);
		return false;
	}
	f->fd = fd;
	f->id = id;
	f->frags = !strcmp(info.name, TOE_XDP_PROG_FRAGS);
	return true;
}

int toe_xdp_query(int ifindex, uint32_t *id, bool *generic)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	int err = bpf_xdp_query(ifindex, 0, &q);

	*id = q.prog_id ? q.prog_id : q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id;
	*generic = q.attach_mode == XDP_ATTACHED_SKB;
	return err;
}

int toe_xdp_find(int ifindex, struct toe_xdp_found *f, uint32_t *hook)
{
	struct xdp_multiprog *mp;
	struct xdp_program *p = NULL;
	int err;

	f->fd = -1;
	f->dispatcher = false;
	toe_maps_init(&f->maps);
	err = toe_xdp_query(ifindex, hook, &f->generic);
	if (err || !*hook || take_prog(f, *hook))
		return err;
	mp = xdp_multiprog__get_from_ifindex(ifindex);
	if (libxdp_get_error(mp))
		return 0;
	while (f->fd < 0 && (p = xdp_multiprog__next_prog(p, mp)))
		f->dispatcher = take_prog(f, xdp_program__id(p));
	xdp_multiprog__close(mp);
	return 0;
}
