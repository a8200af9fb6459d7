/* SPDX-License-Identifier: BSD-2-Clause */
/* Network devices: which kinds can be served, and the settings that AF_XDP needs of them. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "toed.h"

enum { MAX_MTU = 9000 };

static int ifr_call(const char *name, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	memcpy(ifr->ifr_name, name, IFNAMSIZ);
	err = ioctl(fd, request, ifr) ? -errno : 0;
	close(fd);
	return err;
}

static int ethtool(const struct device *d, void *cmd)
{
	struct ifreq ifr = { .ifr_data = cmd };

	return ifr_call(d->name, SIOCETHTOOL, &ifr);
}

/* Kinds that cannot be served, by driver, and what to do instead. */
static const struct {
	const char *driver, *remedy;
} refused[] = {
	{ "bonding", "a bond has no AF_XDP queues of its own; give its member devices" },
	{ "team", "a team has no AF_XDP queues of its own; give its member devices" },
	{ "bridge", "give the bridge's ports, or take the device out of the bridge" },
	{ "802.1Q VLAN Support", "give the device below the VLAN" },
	{ "macvlan", "give the device below it" },
	{ "ipvlan", "give the device below it" },
};

static bool is_software(const char *driver)
{
	return !strcmp(driver, "veth") || !strcmp(driver, "tun") || !strcmp(driver, "dummy");
}

static int read_link(struct device *d)
{
	struct ifreq ifr = { 0 };
	int err;

	err = ifr_call(d->name, SIOCGIFMTU, &ifr);
	if (err)
		return err;
	d->mtu = (unsigned)ifr.ifr_mtu;
	err = ifr_call(d->name, SIOCGIFHWADDR, &ifr);
	if (err)
		return err;
	memcpy(d->mac, ifr.ifr_hwaddr.sa_data, 6);
	err = ifr_call(d->name, SIOCGIFFLAGS, &ifr);
	d->up = ifr.ifr_flags & IFF_UP;
	if (!err && ifr.ifr_flags & IFF_LOOPBACK)
		return -EOPNOTSUPP;
	return err;
}

static int check_kind(struct device *d)
{
	struct ethtool_drvinfo drv = { .cmd = ETHTOOL_GDRVINFO };

	if (ethtool(d, &drv))
		strcpy(drv.driver, "unknown");
	memcpy(d->driver, drv.driver, sizeof(d->driver));
	d->software = is_software(d->driver);
	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (!strcmp(d->driver, refused[i].driver)) {
			say("%s cannot be served: %s", d->name, refused[i].remedy);
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

/*
 * One toed per device: the name of an abstract socket is unique in the network namespace, and goes
 * with the process.
 */
static int take_lock(const struct device *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "toed-%s", d->name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !bind(fd, (struct sockaddr *)&a,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)))
		return 0;
	say("%s: %s", d->name,
	    errno == EADDRINUSE ? "another toed serves this device" : strerror(errno));
	return -errno;
}

int device_open(struct toed *t, unsigned i, const char *name)
{
	struct device *d = &t->dev[i];
	int err;

	d->umem_fd = -1;
	strncpy(d->name, name, sizeof(d->name) - 1);
	d->ifindex = (int)if_nametoindex(name);
	if (!d->ifindex) {
		say("--dev %s: there is no such device in this network namespace", name);
		return -ENODEV;
	}
	err = read_link(d);
	if (err) {
		say("--dev %s: %s", name,
		    err == -EOPNOTSUPP ? "loopback stays with the kernel" : strerror(-err));
		return err;
	}
	if (d->mtu > MAX_MTU) {
		say("%s has MTU %u: lower it to %d or less (ip link set %s mtu %d)", name, d->mtu,
		    MAX_MTU, name, MAX_MTU);
		return -EMSGSIZE;
	}
	d->pieces = d->mtu > TOE_XDP_MAX_LINEAR_MTU;
	err = check_kind(d);
	return err ? err : take_lock(d);
}

/* Drivers count combined queues, or receive and transmit queues apart (veth). */
static int set_queues(struct device *d, struct ethtool_channels *ch, unsigned n)
{
	ch->cmd = ETHTOOL_SCHANNELS;
	if (ch->max_combined) {
		ch->combined_count = n;
	} else {
		ch->rx_count = n;
		ch->tx_count = n;
	}
	return ethtool(d, ch);
}

static int prepare_queues(struct toed *t, struct device *d)
{
	struct ethtool_channels ch = { .cmd = ETHTOOL_GCHANNELS };
	unsigned want = d->nqueues;

	d->nqueues = 1;
	if (!ethtool(d, &ch)) {
		d->nqueues = ch.combined_count + ch.rx_count;
		want = d->nqueues;
		if (d->nqueues < t->nfpcs || d->nqueues > TOE_MAX_QUEUES)
			want = t->nfpcs;
		if (want != d->nqueues)
			undo_note("queues %s %u\n", d->name, d->nqueues);
		if (want != d->nqueues && !set_queues(d, &ch, want)) {
			d->queues_were = d->nqueues;
			d->nqueues = want;
			say("%s: %u queues (were %u)", d->name, want, d->queues_were);
		}
	}
	if (d->nqueues >= t->nfpcs && d->nqueues <= TOE_MAX_QUEUES)
		return 0;
	if (d->nqueues > TOE_MAX_QUEUES)
		say("%s has %u queues and cannot be set to less; at most %d can be served", d->name,
		    d->nqueues, TOE_MAX_QUEUES);
	else
		say("%s has %u queue%s, too few for --fpcs %u: use --fpcs %u, or give it more (for "
		    "veth: "
		    "ip link add NAME numrxqueues %u numtxqueues %u type veth ...)",
		    d->name, d->nqueues, d->nqueues == 1 ? "" : "s", t->nfpcs, d->nqueues, t->nfpcs,
		    t->nfpcs);
	return -ENOSPC;
}

/* A tag that the device strips never shows up in XDP. */
static void prepare_vlan(struct device *d)
{
	struct ethtool_value v = { .cmd = ETHTOOL_GFLAGS };

	if (ethtool(d, &v) || !(v.data & ETH_FLAG_RXVLAN))
		return;
	v.cmd = ETHTOOL_SFLAGS;
	v.data &= ~(uint32_t)ETH_FLAG_RXVLAN;
	undo_note("rxvlan %s\n", d->name);
	if (!ethtool(d, &v))
		d->rxvlan_was = true;
	else if (strcmp(d->driver, "veth"))
		say("%s: rxvlan cannot be switched off: VLAN traffic is left to the kernel",
		    d->name);
}

int device_prepare(struct toed *t, struct device *d)
{
	int err = prepare_queues(t, d);

	if (err)
		return err;
	prepare_vlan(d);
	if (!d->up)
		say("%s is down: ip link set %s up", d->name, d->name);
	return 0;
}

void device_restore(struct device *d)
{
	struct ethtool_channels ch = { .cmd = ETHTOOL_GCHANNELS };
	struct ethtool_value v = { .cmd = ETHTOOL_GFLAGS };

	if (d->queues_were && !ethtool(d, &ch))
		set_queues(d, &ch, d->queues_were);
	if (d->rxvlan_was && !ethtool(d, &v)) {
		v.cmd = ETHTOOL_SFLAGS;
		v.data |= ETH_FLAG_RXVLAN;
		ethtool(d, &v);
	}
	d->queues_were = 0;
	d->rxvlan_was = false;
}

struct device *device_by_ifindex(struct toed *t, int ifindex)
{
	for (unsigned i = 0; i < t->ndevs; i++)
		if (t->dev[i].ifindex == ifindex)
			return &t->dev[i];
	return NULL;
}

/* Bytes of IP packet that fit a frame of the device: its MTU may grow while we run. */
static unsigned fitting_mtu(const struct device *d, unsigned mtu)
{
	unsigned most = d->pieces ? MAX_MTU : d->frame_size - LX_FRAME_HEADROOM - 64;

	if (mtu <= most)
		return mtu;
	say("%s: MTU %u is more than the frames hold, which are made at the start: %u is used",
	    d->name, mtu, most);
	return most;
}

/*
 * Frames carry it from now on. A VLAN interface whose address is the device's no longer, or is now, is
 * looked at again.
 */
static void new_mac(struct toed *t, struct device *d, const uint8_t *mac)
{
	struct toe_dev *c = &t->ctrl->dev[device_index(t, d)];
	struct toe_dev now = { .word = toe_load(&c->word) };

	say("%s: link address %02x:%02x:%02x:%02x:%02x:%02x", d->name, mac[0], mac[1], mac[2],
	    mac[3], mac[4], mac[5]);
	memcpy(d->mac, mac, 6);
	memcpy(now.mac, mac, 6);
	toe_store_release(&c->word, now.word);
	loop_after(&t->loop, TIMER_RESYNC, 10);
}

void device_link(struct toed *t, int ifindex, bool up, unsigned mtu, const uint8_t *mac)
{
	struct device *d = device_by_ifindex(t, ifindex);

	if (!d)
		return;
	if (mtu && mtu != d->mtu)
		mtu = fitting_mtu(d, mtu);
	if (d->up != up)
		say("%s is %s", d->name, up ? "up" : "down");
	d->up = up;
	if (mac && memcmp(mac, d->mac, 6))
		new_mac(t, d, mac);
	if (mtu && mtu != d->mtu) {
		say("%s: MTU %u (was %u)", d->name, mtu, d->mtu);
		d->mtu = mtu;
		toe_store(&t->ctrl->dev[device_index(t, d)].mtu, mtu);
	}
}

void device_reset_flows(struct toed *t, unsigned dev, const uint16_t *vlan)
{
	for (uint32_t id = 0; id < t->ctrl->nflows; id++) {
		struct toe_flow_ent e = { .word = toe_load_acquire(&t->tcbs[id].word) };
		const struct toe_tuple *u = &t->tcbs[id].tuple;

		if (e.life == TOE_LIFE_LIVE && u->dev == dev && (!vlan || u->vlan == *vlan) &&
		    e.fpc < t->nfpcs)
			admin_send(t, e.fpc, TOE_ADM_RESET, id, e.gen, 0);
	}
	admin_flush(t);
}

void device_gone(struct toed *t, int ifindex)
{
	struct device *d = device_by_ifindex(t, ifindex);
	bool left = false;

	if (!d || d->gone)
		return;
	say("%s has gone: its connections are reset; when it is back, start toed again", d->name);
	d->gone = true;
	d->up = false;
	device_reset_flows(t, device_index(t, d), NULL);
	for (unsigned i = 0; i < t->ndevs; i++)
		left |= !t->dev[i].gone;
	if (left)
		return;
	say("no device is left to serve");
	t->quit = t->failed = true;
}
