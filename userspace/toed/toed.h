/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toed's state, one struct for the process, and the functions by which its parts call each other.
 * Everything runs in one thread, from the loop.
 *
 * Functions that fail return -errno; those of the start have said why by then.
 */
#ifndef TOE_TOED_H
#define TOE_TOED_H

#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#include "../../manager/admission.h"
#include "abi/arena.h"
#include "abi/ctrl.h"
#include "log.h"
#include "loop.h"
#include "lib/atomics.h"
#include "options.h"
#include "port/linux/handover.h"
#include "xdp.h"

/* An AF_XDP socket: (queue, FPC) of a device. */
struct xsk {
	int fd;
	uint8_t queue, fpc, owner; /* owner: FPC that fills the queue and sends through it */
	bool zerocopy;
};

enum { TOED_PORT_STEPS = 256 };

enum { MAX_XSKS = TOE_MAX_QUEUES * TOE_MAX_FPCS, MAX_LOCALS = 256 };

struct device {
	char name[16];
	char driver[32];
	int ifindex;
	unsigned mtu;
	uint8_t mac[6];
	bool software; /* veth and the like: partial checksums are possible */
	unsigned nqueues;
	unsigned queues_were; /* to be restored, 0 = left alone */
	bool pieces; /* packets may span several frames: multi-buffer XDP, XDP_USE_SG */
	bool rxvlan_was; /* to be switched on again */
	bool up, gone;
	unsigned frame_size, frames;
	int umem_fd;
	void *umem;
	uint64_t umem_size;
	struct xsk xsk[MAX_XSKS];
	unsigned nxsks;
};

/* An interface that TCP is served on: a device, or a VLAN on it (then toe_ctrl.vif has it). */
struct link {
	int ifindex;
	unsigned mtu;
	uint16_t vlan; /* as in toe_tuple, 0 = the device itself */
	uint8_t dev;
};

/* A local address at an interface. */
struct place {
	uint8_t addr[16];
	uint16_t vlan;
	uint8_t dev;
};

/* A kernel listening socket that an application passed in: it keeps the port taken. */
struct hold {
	int fd;
	unsigned refs;
};

struct listener {
	bool used;
	bool leaving; /* the FPCs have been told; the index is free once they have listened */
	bool wildcard;
	bool v4, v6; /* which addresses a wildcard covers */
	int ifindex; /* only this interface (link-local, SO_BINDTODEVICE), 0 = all */
	uint8_t addr[16];
	uint16_t port; /* network order */
	struct hold *hold;
};

enum proc_state { PROC_NONE, PROC_ATTACHED, PROC_DRAINING };

struct proc {
	enum proc_state state;
	uint64_t until; /* draining: give up at */
};

struct context {
	bool used;
	uint8_t proc;
	int event_fd;
};

enum app_life {
	APP_NONE,
	APP_STARTING, /* the firmware maps its arena */
	APP_RUNNING,
	APP_ORPHANED, /* no process is attached, but one announced a fork */
	APP_LINGERING, /* no process; orderly closes go on */
	APP_RESETTING, /* TOE_ADM_APP_GONE is out */
	APP_LEAVING, /* the firmware lets go of the arena */
};

struct app {
	enum app_life life;
	uint64_t until; /* orphaned, lingering: go on at */
	uint64_t token; /* who has it may join; too long to be guessed */
	pid_t pid; /* of the first process */
	uid_t uid;
	int arena_fd;
	void *arena;
	uint32_t seq; /* LX_HO_APP_GONE that must be answered */
	uint64_t unborn,
	    unborn_until; /* slots of children that have not attached: free them then */
	uint64_t claims_at; /* look at suspect claims again at; 0 = there are none */
	bool claims_again; /* a process died meanwhile */
	struct proc proc[TOE_MAX_PROCS];
	struct context ctx[TOE_MAX_CTXS];
	struct listener listener[TOE_MAX_LISTENERS];
};

/* toe-fw, as a process. */
struct firmware {
	struct io io; /* channel; fd -1 = not running */
	struct io pidio; /* pidfd */
	pid_t pid;
	bool ready;
	unsigned restarts;
	unsigned backoff_ms;
	unsigned short_runs; /* in a row */
	uint64_t ready_at; /* loop_now */
	uint32_t seq; /* last sequence number used */
	uint32_t last_exit; /* wait status */
};

/* The next hop towards a destination: entry of toe_ctrl.nh. */
struct next_hop {
	bool used;
	bool managed; /* we installed the neighbour */
	bool permanent; /* an administrator did: it needs no resolving (ip-neighbour(8)) */
	uint8_t dst[16], src[16], gw[16];
	int ifindex; /* a connection stays on its interface */
	uint8_t dev;
};

struct nlmsghdr;

struct toed {
	struct options opt;
	struct loop loop;
	bool quit;
	bool failed; /* not because of a signal */
	unsigned nfpcs;
	unsigned ndevs;
	struct device dev[TOE_MAX_DEVS];
	struct place local[MAX_LOCALS];
	unsigned nlocals;
	struct toe_xdp xdp;
	char pin_dir[64];
	struct toe_config *config;
	struct toe_flow_ent *tcbs;
	struct toe_bucket *index;
	struct toe_stats_row *stats;
	int ctrl_fd, state_fd;
	struct toe_ctrl *ctrl;
	void *state;
	uint64_t state_size;
	int fpc_event[TOE_MAX_FPCS];
	struct firmware fw;
	struct app app[TOE_MAX_APPS];
	struct hold *ep_hold[TOE_MAX_ENDPOINTS];
	uint64_t ep_closed[TOE_MAX_ENDPOINTS]; /* loop_now at which it began to close */
	uint64_t grant_at[TOE_MAX_GRANTS];
	/* of ports for active opens: how far each group of destinations is (RFC 6056 3.3.4) */
	uint32_t port_step[TOED_PORT_STEPS];
	struct next_hop nh[TOE_MAX_NEXT_HOPS];
	uint16_t port_lo, port_hi;
	uint64_t started;
};

/* memory.c: control region, engine state, eventfds. */
int memory_make(struct toed *t);
/* A memfd of `size` bytes, mapped. Descriptor or -errno. */
int memory_fd(const char *name, uint64_t size, void **map);
/* Random bytes from the kernel. */
void random_bytes(void *p, size_t n);

/* device.c */
int device_open(struct toed *t, unsigned i, const char *name);
/* Queue counts and offloads as the FPCs need them; device_restore puts them back. */
int device_prepare(struct toed *t, struct device *d);
void device_restore(struct device *d);
/* Its link state, MTU and link address (netlink; 0, NULL: not told). */
void device_link(struct toed *t, int ifindex, bool up, unsigned mtu, const uint8_t *mac);
/* RST to the connections of a device, or of one VLAN of it (NULL: all). */
void device_reset_flows(struct toed *t, unsigned dev, const uint16_t *vlan);
/* It was deleted or moved away: its connections are reset. Without any device toed ends. */
void device_gone(struct toed *t, int ifindex);
struct device *device_by_ifindex(struct toed *t, int ifindex);
static inline unsigned device_index(const struct toed *t, const struct device *d)
{
	return (unsigned)(d - t->dev);
}

/* vlan.c: VLAN interfaces come and go. The same for a device is said by device.c. links_load also finds what has gone. */
bool link_by_ifindex(struct toed *t, int ifindex, struct link *l);
int links_load(struct toed *t);
void link_event(struct toed *t, const struct nlmsghdr *h);

/* addrs.c */
bool place_is_local(const struct toed *t, const struct place *p);
static inline bool same_place(const struct place *a, const struct place *b)
{
	return a->dev == b->dev && a->vlan == b->vlan && !memcmp(a->addr, b->addr, 16);
}

/* xsk.c: UMEM and sockets of a device, placed in toe_xsks. */
int xsk_make(struct toed *t, struct device *d);
void xsk_remove(struct toed *t, struct device *d);

/* supervise.c: start toe-fw, start it again when it dies. */
int fw_start(struct toed *t);
void fw_stop(struct toed *t);
void fw_restart(struct toed *t);
/* A message to toe-fw with an optional descriptor (-1: none). -ENOTCONN while it is not running. */
int fw_send(struct toed *t, struct lx_ho *h, int fd);

/* handover.c: everything, to a toe-fw that has just started. */
int handover_all(struct toed *t);
/* Single messages; they return the sequence number that will be answered. */
uint32_t handover_app(struct toed *t, unsigned app);
uint32_t handover_ctx(struct toed *t, unsigned app, unsigned ctx);
uint32_t handover_app_gone(struct toed *t, unsigned app);
void handover_ctx_gone(struct toed *t, unsigned app, unsigned ctx);

/* admin.c: toed's own commands to FPCs; queued when the ring is full. */
void admin_send(struct toed *t, unsigned fpc, uint8_t type, uint32_t flow, uint16_t gen,
		uint64_t pos);
void admin_send_all(struct toed *t, uint8_t type, uint32_t flow, uint64_t pos);
void admin_flush(struct toed *t);
/* The FPCs have taken every command. */
bool admin_idle(const struct toed *t);
void fpc_wake(struct toed *t, unsigned fpc);
void fpc_wake_all(struct toed *t);

/* admission.c: the UNIX socket. */
int admission_open(struct toed *t);
void admission_close(struct toed *t);
/* toe-fw answered message `seq`; `all`: it was restarted with everything up to seq. */
void admission_fw_done(struct toed *t, uint32_t seq, int error, bool all);

/* apps.c: applications, their processes and contexts. */
int app_new(struct toed *t, pid_t pid, uid_t uid, uint32_t *seq); /* its index */
int app_attach(struct toed *t, unsigned app, uint32_t proc, uint64_t token); /* its process slot */
void app_ready(struct toed *t, unsigned app);
int ctx_new(struct toed *t, unsigned app, unsigned proc, uint32_t *seq); /* its index */
void ctx_ready(struct toed *t, unsigned app, unsigned ctx);
int ctx_free(struct toed *t, unsigned app, unsigned proc, unsigned ctx);
void app_proc_gone(struct toed *t, unsigned app, unsigned proc);
void app_fw_done(struct toed *t, uint32_t seq, bool all);

/* reap.c: TIMER_REAP. */
void apps_reap(struct toed *t);

/* claims.c: connections taken from an accept queue by a process that died before it held them. */
void claims_look(struct toed *t, unsigned app);
/* Milliseconds until the next call, 0 = nothing to do. */
unsigned claims_reap(struct toed *t, unsigned app);

/* listeners.c */
int listener_new(struct toed *t, unsigned app, unsigned proc,
		 int fd); /* index; -ENOENT: not for the TOE */
int listener_close(struct toed *t, unsigned app, unsigned index);
/* An address appeared on a device or left it: wildcard listeners follow. */
void listeners_addr(struct toed *t, const struct place *p, bool there);
/* A place has become free: a listener that also listens there (SO_REUSEPORT) gets it. */
void listeners_take_over(struct toed *t, const struct place *p, uint16_t port);
void hold_put(struct hold *h);

/* endpoints.c */
int endpoint_open(struct toed *t, unsigned app, unsigned listener, const struct place *p,
		  uint16_t port, struct hold *h);
/* Those of a listener, at one place or (NULL) all. */
void endpoints_close(struct toed *t, unsigned app, unsigned listener, const struct place *p);
void endpoints_sweep(struct toed *t);
/* The ports for active opens, at a local address. */
void endpoint_range(struct toed *t, const struct place *p, bool own);

/* grants.c */
int grant_new(struct toed *t, unsigned app, unsigned proc, const struct toe_adm_req *r,
	      struct toe_adm_ans *a);
/* Did this process ask for the connection? */
bool grant_was_for(const struct toe_flow_ent *e, unsigned app, unsigned proc);
void grants_app_gone(struct toed *t, unsigned app);

/* netlink.c: one socket for events, one for questions. */
int netlink_open(struct toed *t);
void netlink_close(struct toed *t);
/* Send a request, hand each answer to `cb` (may be NULL). 0 or -errno of the kernel. */
int netlink_ask(struct nlmsghdr *h, void (*cb)(struct toed *, const struct nlmsghdr *),
		struct toed *t);

/* addrs.c */
int addrs_load(struct toed *t);
void addrs_event(struct toed *t, const struct nlmsghdr *h);

/* route.c */
struct route {
	bool unicast; /* else the kernel's own business: local, broadcast */
	int ifindex;
	uint8_t gw[16]; /* the destination itself when on link */
	uint8_t src[16];
	unsigned mtu; /* 0 = the device's */
};
/* `src` NULL: any; ifindex 0: over any interface. */
int route_lookup(struct toed *t, const uint8_t dst[16], const uint8_t *src, int ifindex,
		 struct route *r);

/* neigh.c: toe_ctrl.nh */
/* Its index, or -ENOSPC. */
int next_hop_get(struct toed *t, const uint8_t dst[16], const struct link *l,
		 const struct route *r);
void neigh_event(struct toed *t, const struct nlmsghdr *h);
void next_hops_reroute(struct toed *t);
/* TIMER_RESYNC: what is known of links, addresses, neighbours and routes may be wrong: look again. */
void netlink_resync(struct toed *t);
/* Ask for the state of every neighbour in use. */
int next_hops_refresh(struct toed *t);
void next_hops_drop(struct toed *t);
/* At the start: managed neighbours that a killed toed left on our devices. */
void next_hops_clean(struct toed *t);

/* reserve.c: the port range of active opens. */
int reserve_ports(struct toed *t);
void reserve_restore(struct toed *t);

void reserve_give_back(uint16_t lo, uint16_t hi);

/* undo.c: what a killed toed left behind is put back by the next one. */
void undo_begin(void);
/* A line for the next toed: "ports LO-HI", "queues DEV N", "rxvlan DEV". Before the change. */
__attribute__((format(printf, 1, 2))) void undo_note(const char *fmt, ...);
/* Everything has been put back. */
void undo_end(void);
/* Cookie of the network namespace of a socket. */
uint64_t netns_cookie(int fd);

/* flows_view.c: toe_flows, for people. */
void flows_view_refresh(struct toed *t);
void flow_view_fill(struct toed *t, uint32_t flow, struct toe_flow_view *v);

/*
 * status.c: JSON for toectl as a memfd; `type` is TOE_ADM_REQ_STATUS, _FLOWS or _STATS. Descriptor
 * or -errno.
 */
int status_make(struct toed *t, uint32_t type);

#endif
