/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What bpf/maps.h defines: an adopted map must agree. */
static const struct toe_map_def {
	const char *name;
	uint32_t type, key_size, value_size, entries, flags;
} defs[TOE_MAPS] = {
	[TOE_MAP_CONFIG] = { "toe_config", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct toe_config), 1,
			     BPF_F_MMAPABLE },
	[TOE_MAP_PORTS] = { "toe_ports", BPF_MAP_TYPE_HASH, sizeof(struct toe_port_key),
			    sizeof(struct toe_port_val), TOE_MAX_PORTS, 0 },
	[TOE_MAP_FLOW_INDEX] = { "toe_flow_index", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct toe_bucket),
				 TOE_BUCKETS, BPF_F_MMAPABLE },
	[TOE_MAP_TCBS] = { "toe_tcbs", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct toe_flow_ent),
			   TOE_MAX_FLOWS, BPF_F_MMAPABLE },
	[TOE_MAP_FLOWS] = { "toe_flows", BPF_MAP_TYPE_HASH, 4, sizeof(struct toe_flow_view),
			    TOE_MAX_FLOWS, BPF_F_NO_PREALLOC },
	[TOE_MAP_XSKS] = { "toe_xsks", BPF_MAP_TYPE_XSKMAP, 4, 4, TOE_XSKS, 0 },
	[TOE_MAP_STATS] = { "toe_stats", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct toe_stats_row),
			    TOE_STATS_ROWS, BPF_F_MMAPABLE },
};

void toe_maps_init(struct toe_maps *m)
{
	for (int i = 0; i < TOE_MAPS; i++)
		m->fd[i] = -1;
}

void toe_maps_close(struct toe_maps *m)
{
	for (int i = 0; i < TOE_MAPS; i++)
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	toe_maps_init(m);
}

const char *toe_map_name(enum toe_map_id id)
{
	return defs[id].name;
}

int toe_map_by_name(const char *name)
{
	for (int i = 0; i < TOE_MAPS; i++)
		if (!strcmp(defs[i].name, name))
			return i;
	return -ENOENT;
}

int toe_map_check(enum toe_map_id id, int fd)
{
	const struct toe_map_def *d = &defs[id];
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.type != d->type || info.key_size != d->key_size ||
	    info.value_size != d->value_size || info.max_entries != d->entries ||
	    info.map_flags != d->flags)
		return -EINVAL;
	return 0;
}

size_t toe_map_bytes(enum toe_map_id id)
{
	if (!(defs[id].flags & BPF_F_MMAPABLE))
		return 0;
	return (size_t)((defs[id].value_size + 7) & ~7u) * defs[id].entries;
}

void *toe_map_mmap(enum toe_map_id id, int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = toe_map_bytes(id);
	void *p;

	if (!bytes) {
		errno = EINVAL;
		return NULL;
	}
	bytes = (bytes + page - 1) / page * page;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

int toe_maps_port_set(const struct toe_maps *m, const struct toe_port_key *k, uint32_t endpoint)
{
	struct toe_port_val v = { .endpoint = endpoint };

	return bpf_map_update_elem(m->fd[TOE_MAP_PORTS], k, &v, BPF_ANY) ? -errno : 0;
}

/* Removing what is not there is no error. */
static int del(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key) && errno != ENOENT && errno != EINVAL ? -errno : 0;
}

int toe_maps_port_del(const struct toe_maps *m, const struct toe_port_key *k)
{
	return del(m->fd[TOE_MAP_PORTS], k);
}

int toe_maps_xsk_set(const struct toe_maps *m, unsigned dev, unsigned queue, unsigned fpc, int xsk)
{
	uint32_t key = toe_xsk_index(dev, queue, fpc);

	return bpf_map_update_elem(m->fd[TOE_MAP_XSKS], &key, &xsk, BPF_ANY) ? -errno : 0;
}

int toe_maps_xsk_del(const struct toe_maps *m, unsigned dev, unsigned queue, unsigned fpc)
{
	uint32_t key = toe_xsk_index(dev, queue, fpc);

	return del(m->fd[TOE_MAP_XSKS], &key);
}

/* All entries of a hash map whose key has at most 24 bytes. */
static int clear_hash(int fd)
{
	uint8_t key[sizeof(struct toe_port_key)];
	int err;

	while (!bpf_map_get_next_key(fd, NULL, key)) {
		err = del(fd, key);
		if (err)
			return err;
	}
	return errno == ENOENT ? 0 : -errno;
}

/* Zero a mappable map; of toe_tcbs the commit words are enough. */
static int clear_array(const struct toe_maps *m, enum toe_map_id id)
{
	void *p = toe_map_mmap(id, m->fd[id]);
	struct toe_flow_ent *ent = p;

	if (!p)
		return -errno;
	if (id == TOE_MAP_TCBS)
		for (uint32_t i = 0; i < defs[id].entries; i++)
			ent[i].word = 0;
	else
		memset(p, 0, toe_map_bytes(id));
	munmap(p, toe_map_bytes(id));
	return 0;
}

int toe_maps_clear(const struct toe_maps *m)
{
	int err = clear_array(m, TOE_MAP_CONFIG);

	if (!err)
		err = clear_hash(m->fd[TOE_MAP_PORTS]);
	for (uint32_t i = 0; !err && i < TOE_XSKS; i++)
		err = del(m->fd[TOE_MAP_XSKS], &i);
	if (!err)
		err = clear_hash(m->fd[TOE_MAP_FLOWS]);
	if (!err)
		err = clear_array(m, TOE_MAP_FLOW_INDEX);
	if (!err)
		err = clear_array(m, TOE_MAP_TCBS);
	if (!err)
		err = clear_array(m, TOE_MAP_STATS);
	return err;
}

int toe_bpffs_mount(void)
{
	struct statfs fs;

	if (!statfs(TOE_BPFFS, &fs) && fs.f_type == BPF_FS_MAGIC)
		return 0;
	return mount("bpffs", TOE_BPFFS, "bpf", 0, "mode=0700") ? -errno : 0;
}

static void pin_path(char *path, size_t n, const char *dir, enum toe_map_id id)
{
	snprintf(path, n, "%s/%s", dir, defs[id].name);
}

int toe_maps_pin(const struct toe_maps *m, const char *dir)
{
	char path[256];

	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	for (int i = 0; i < TOE_MAPS; i++) {
		pin_path(path, sizeof(path), dir, i);
		if (unlink(path) && errno != ENOENT)
			return -errno;
		if (bpf_obj_pin(m->fd[i], path))
			return -errno;
	}
	return 0;
}

void toe_maps_unpin(const char *dir)
{
	char path[256];

	for (int i = 0; i < TOE_MAPS; i++) {
		pin_path(path, sizeof(path), dir, i);
		unlink(path);
	}
	rmdir(dir);
}
