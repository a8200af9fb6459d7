/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One FPC, seen from inside the core. The pipeline's stages are rooms of their own and meet in this
 * struct; what each stage offers the others is declared here, in the order in which a packet or
 * command meets them.
 *
 * Nothing in here outlives the process: pointers are fine, and everything is rebuilt by
 * toe_fpc_init.
 */
#ifndef TOE_CORE_FPC_H
#define TOE_CORE_FPC_H

#include "../lib/atomics.h"
#include "../lib/mem.h"
#include "../lib/ring.h"
#include "../port/port.h"
#include "../tcp/tcp.h"
#include "engine.h"
#include "pacer.h"
#include "path.h"
#include "rx_parser.h"
#include "state.h"
#include "syn_cookie.h"
#include "tcb_cache.h"
#include "time_wait.h"
#include "timer.h"

enum {
	TOE_RX_BURST = 64, /* frames per batch */
	TOE_CMD_BURST = 64, /* commands per ring and batch */
	TOE_TIMER_BURST = 64, /* timers per batch */
	TOE_RETRY_BURST = 32, /* flows of the retry list per batch */
	TOE_BATCH_FLOWS = 64, /* flows open at once */
	TOE_FLOW_BURST = 32, /* frames per flow and batch */
	/* bytes of IP packet. A route may say less: then there is no room beside the headers */
	TOE_MTU_MIN = 128,
	TOE_ALLOWANCES = 256, /* a power of two */
	TOE_TAKEN = 64, /* rings whose tail waits for the commits */
	TOE_SWEEP_STEP = 4096, /* flow ids looked at per batch of a sweep */
	TOE_SWEEP_FLOWS = 32, /* flows aborted per batch of a sweep */
};

/* What the core adds to enum toe_act. */
enum toe_core_act {
	/* aborted: the flow ends with this batch, whether its RST can leave or not */
	TOE_ACT_END_NOW = 1u << 30,
	TOE_ACT_NOTIFY_ALL = 1u << 29, /* notify even if nothing new is known (rebind, takeover) */
};

/* A flow opened in this batch. */
struct toe_work {
	uint32_t flow; /* id */
	uint32_t slot;
	uint32_t act; /* enum toe_act, enum toe_core_act */
	bool cold; /* it may change what is cold in the TCB */
	struct toe_tcb *t; /* working copy */
	struct toe_flow_ent *e;
	struct toe_flow_block *b;
	uint8_t *arena;
};

/* What an FPC knows about a context's rings with it. */
struct toe_ctx_view {
	uint64_t since; /* when the first command was queued that the context was not woken for */
	uint32_t queued; /* commands since then */
	uint32_t tail; /* HW ring's tail when last looked at */
	uint32_t rung_tail; /* and when the context was last woken */
	uint64_t rung_at; /* microseconds */
	uint8_t rung;
	uint8_t listed; /* in bells[] */
};

/* What may still be sent to the addresses that share it. */
struct toe_allowance {
	uint32_t at; /* milliseconds, nearly: when it was last filled up */
	uint32_t left;
};

/* Big slots of an application that this FPC gives out: of its share, by number. */
struct toe_big {
	uint64_t clean[TOE_MAX_BIG_SLOTS / 64]; /* free, without memory */
	uint64_t dirty[TOE_MAX_BIG_SLOTS / 64]; /* free, but somebody had it */
	uint64_t flight[TOE_MAX_BIG_SLOTS / 64]; /* on its way through toe_port_trim */
	uint32_t ndirty;
	uint64_t bytes; /* of the rings in use */
};

struct toe_lst_view {
	uint32_t seen_tail; /* accept ring's tail at the last look */
	uint64_t hint_at; /* when to hint again, 0 = queue empty */
	uint8_t next_ctx; /* round robin */
};

/* A command that ends many flows is done in steps; it stays in its ring until it is finished. */
enum toe_sweep_kind {
	TOE_SWEEP_NONE = 0,
	TOE_SWEEP_LISTENER = 1,
	TOE_SWEEP_APP = 2,
	TOE_SWEEP_ALL = 3,
};
struct toe_sweep {
	uint8_t kind;
	uint8_t app, listener;
	uint32_t cursor; /* flow's number within the FPC */
	uint32_t batch; /* of its last step */
};

struct toe_fpc {
	struct toe_port *port;
	struct toe_ctrl *ctrl;
	struct toe_flow_ent *ent;
	struct toe_bucket *index;
	uint64_t *cnt; /* enum toe_counter */
	uint64_t now; /* of the batch */
	uint32_t batch; /* its number */
	uint32_t id, nfpcs, nbuckets;
	uint32_t first, nflows; /* flow ids owned */
	uint16_t ip_id; /* of packets that routers may fragment (pkt_gen.c) */
	uint8_t resetting; /* TOE_ADM_RESET_ALL was seen: no new flows */

	uint64_t
	    *cookie_until; /* primary: till then ACKs without a flow are tried as SYN cookies */
	uint32_t *listen; /* primary: backlog by app and listener, 0 = not listening */
	/*
	 * Of every FPC, by app and listener: flows that nobody has accepted yet. Each writes its
	 * own.
	 */
	struct toe_backlog *pending[TOE_MAX_FPCS];
	struct toe_cache cache;
	struct toe_tw_table tw;
	struct toe_wheel wheel;
	struct toe_pacer pacer;
	struct toe_soft *soft;
	struct toe_node *ids; /* free flow ids; heads: by application, then never used */
	struct toe_node *retry; /* flows with pend; heads: retry, next hop */
	uint32_t nfree; /* free flow ids */
	uint32_t nused; /* free ids whose buffers hold memory */
	uint32_t ntrim; /* ids on their way through toe_port_trim */
	uint64_t trim_at, nh_at;
	struct toe_big big[TOE_MAX_APPS];
	uint32_t big_flight; /* slots on their way through toe_port_trim */
	uint64_t big_at; /* when free slots are to be looked at, 0 = there are none */

	uint32_t nwork;
	struct toe_work work[TOE_BATCH_FLOWS];
	uint32_t nout;
	struct toe_frame out[TOE_FLOW_BURST];
	struct toe_spare {
		struct toe_frame f[TOE_FRAME_PIECES];
		uint32_t n, room; /* frames, and bytes that they hold */
	} spare[TOE_MAX_DEVS]; /* allocated, not used yet */
	uint8_t kick; /* frames were queued since the last kick */
	struct toe_frame rx[TOE_RX_BURST];

	struct toe_sweep sweep;
	struct toe_sweep next_sweep; /* asked for while that is under way: the next turn is its */
	uint8_t app_known[TOE_MAX_APPS];
	struct toe_lst_view lst[TOE_MAX_APPS][TOE_MAX_LISTENERS];
	uint32_t nhints; /* listeners with hint_at */
	uint64_t hints_at; /* next look at them */
	uint32_t blocked; /* SW CMD rings whose first command waits for room in the HW CMD ring */
	uint32_t ntaken;
	struct {
		struct toe_doorbell *db;
		uint32_t n;
	} taken[TOE_TAKEN];
	uint32_t endpoint_flows[TOE_MAX_ENDPOINTS];
	struct toe_ctx_view ctx[TOE_MAX_APPS * TOE_MAX_CTXS];
	uint16_t bells[TOE_MAX_APPS * TOE_MAX_CTXS]; /* contexts with queued commands */
	uint32_t nbells;
	struct toe_path path[TOE_PATHS];
	struct toe_fast_path fast[TOE_PATHS];
	struct toe_allowance allowance[TOE_ALLOWANCES]; /* of RSTs, by address */
	struct toe_tcb_whole scratch; /* of a connection that nothing is kept of (SYN cookies) */
};

static inline void toe_count(struct toe_fpc *f, enum toe_counter c)
{
	toe_store(&f->cnt[c], f->cnt[c] + 1);
}

static inline void toe_count_n(struct toe_fpc *f, enum toe_counter c, uint64_t n)
{
	toe_store(&f->cnt[c], f->cnt[c] + n);
}

static inline struct toe_soft *toe_soft(struct toe_fpc *f, uint32_t flow)
{
	return &f->soft[flow - f->first];
}

static inline bool toe_owns(const struct toe_fpc *f, uint32_t flow)
{
	return flow - f->first < f->nflows;
}

/* enum toe_nh_state of a valid next-hop index */
static inline unsigned toe_nh_state(const struct toe_fpc *f, uint16_t nh)
{
	return (unsigned)(toe_load(&f->ctrl->nh[nh]) >> 48) & 0xff;
}

/*
 * scheduler.c: a received frame to its flow, a listener, TIME_WAIT or another FPC. True: the frame
 * was handed on.
 */
bool toe_sched_frame(struct toe_fpc *f, struct toe_frame *fr);
/*
 * The flow is in SYN_RECEIVED. If the segment brings back a cookie that answered an earlier copy of
 * the SYN, the connection is the cookie's from now on.
 */
void toe_sched_reopen(struct toe_fpc *f, struct toe_work *w, const struct toe_rx *rx);
/* Active open by grant. 0 and *flow, or -errno. */
int toe_sched_connect(struct toe_fpc *f, unsigned app, unsigned ctx, uint32_t grant,
		      uint32_t cookie, uint32_t *flow);
/* TIME_WAIT entries whose time is over. Returns how many. */
unsigned toe_sched_time_wait(struct toe_fpc *f);
/* The work's connection goes on in the TIME_WAIT table. */
void toe_sched_enter_time_wait(struct toe_fpc *f, const struct toe_work *w);

/* The frame is for another FPC. True: it took it. */
bool toe_sched_hand_on(struct toe_fpc *f, const struct toe_frame *fr, unsigned to);

/* icmp.c: a frame that toe_rx_parse calls TOE_CNT_drop_icmp. True: the frame was handed on. */
bool toe_icmp_frame(struct toe_fpc *f, const struct toe_frame *fr, const struct toe_rx *rx);

/* fastopen.c: what a listener makes of the option in a SYN; `o` is filled in but for `fast`. */
void toe_fast_passive(const struct toe_fpc *f, const struct toe_rx *rx,
		      const struct toe_endpoint *ep, struct toe_open *o);
/* What an active open makes of what is known of its destination, in the same way. */
void toe_fast_active(struct toe_fpc *f, const struct toe_tuple *t, struct toe_open *o);
/* A SYN-ACK came for `t`, whose SYN had the option; a SYN that had it was not answered in time. */
/* The handshake of an active open that used the option is done, with this SYN-ACK ... */
void toe_fast_learn(struct toe_fpc *f, const struct toe_tuple *tuple, const struct toe_tcb *t,
		    const struct toe_seg *syn_ack);
/* ... or nobody has answered. */
void toe_fast_silent(struct toe_fpc *f, const struct toe_tuple *t);

/* path.c: a path's MTU was heard of; and what is known, at most `link`. */
void toe_path_learn(struct toe_fpc *f, const struct toe_tuple *t, uint16_t mtu);
uint16_t toe_path_mtu(struct toe_fpc *f, const struct toe_tuple *t, uint16_t link);

/* flow_index.c */
uint32_t toe_index_find(const struct toe_fpc *f, uint64_t hash, const struct toe_tuple *t);
bool toe_index_room(const struct toe_fpc *f, uint64_t hash);
bool toe_index_add(struct toe_fpc *f, uint64_t hash, uint16_t gen, uint32_t flow);
void toe_index_remove(struct toe_fpc *f, uint64_t hash, uint32_t flow);
void toe_index_tidy(struct toe_fpc *f);

/* flow_table.c: birth and death of flow ids. */
void toe_ids_init(struct toe_fpc *f);
uint32_t toe_id_alloc(struct toe_fpc *f, unsigned app);
void toe_id_free(struct toe_fpc *f, uint32_t flow, unsigned app);
void toe_ids_forget_app(struct toe_fpc *f, unsigned app);
/* Give buffers above the watermark back. Returns how many ids moved. */
unsigned toe_ids_trim(struct toe_fpc *f);
/*
 * An id, a slot and a place in the index, and a zeroed TCB opened as work; NULL when one is
 * missing. Nothing is committed yet.
 */
struct toe_work *toe_flow_new(struct toe_fpc *f, unsigned app, const struct toe_tuple *tuple,
			      uint64_t hash, uint16_t endpoint);
/* The TCB is filled in: the flow exists from here on. */
void toe_flow_born(struct toe_fpc *f, struct toe_work *w);
/* The TCB of a live flow as last committed. Only its head: the lists of a spilled TCB are packed. */
const struct toe_tcb *toe_flow_tcb(const struct toe_fpc *f, uint32_t flow);
/* Its connection is over (commits done): TIME_WAIT, wait for the application's close, or free. */
void toe_flow_over(struct toe_fpc *f, struct toe_work *w);
/* The id is free again. */
void toe_flow_free(struct toe_fpc *f, uint32_t flow);
/* Reset a flow; `by_app`: nobody will look at it any more. */
void toe_flow_abort(struct toe_fpc *f, uint32_t flow, int error, bool by_app);
void toe_endpoint_count(struct toe_fpc *f, uint16_t endpoint, int n);

/* big.c: rings beyond the default. */
void toe_big_init(struct toe_fpc *f, unsigned app, bool used); /* all free; with memory? */
void toe_big_adopt(struct toe_fpc *f, unsigned app, uint64_t ring);
void toe_big_give(struct toe_fpc *f, unsigned app, const struct toe_tcb *t); /* the flow is over */
void toe_big_grow(struct toe_fpc *f, struct toe_work *w); /* TOE_ACT_GROW */
void toe_big_settle(struct toe_tcb *t); /* forget rings that hold nothing any more */
uint32_t toe_big_free(const struct toe_fpc *f, unsigned app); /* slots that nobody has */
unsigned toe_big_trim(struct toe_fpc *f);
bool toe_big_mine(const struct toe_fpc *f, uint32_t id);
void toe_big_trimmed(struct toe_fpc *f, uint32_t id);

/*
 * fpc.c: open a flow's TCB for this batch (NULL: its application has gone), and finish all open
 * ones.
 */
struct toe_work *toe_fpc_open(struct toe_fpc *f, uint32_t flow);
/* The same for who changes nothing cold, unless by calls of TCP, or sets toe_work.cold. */
struct toe_work *toe_fpc_open_hot(struct toe_fpc *f, uint32_t flow);
struct toe_work *toe_fpc_open_new(struct toe_fpc *f, uint32_t flow, unsigned app);
void toe_fpc_flush(struct toe_fpc *f);
void toe_fpc_pend(struct toe_fpc *f, uint32_t flow, unsigned what);
/*
 * A segment of the flow. False: the flow's connection is over, though its application still holds it, and
 * once the batch so far is flushed the segment is one without a flow.
 */
bool toe_fpc_input(struct toe_fpc *f, uint32_t flow, struct toe_rx *rx);

/* pkt_gen.c: segments to frames. */
void toe_gen_output(struct toe_fpc *f, struct toe_work *w);
void toe_gen_transmit(struct toe_fpc *f);
/* A segment without a flow: RST or TIME_WAIT's ACK. It leaves with the batch. */
void toe_gen_reply(struct toe_fpc *f, const struct toe_rx *rx, const struct toe_out *o);

/* stamps.c: timestamps that are due by now, after output; of data that came in this batch. */
void toe_stamp_tx(struct toe_fpc *f, struct toe_work *w);
void toe_stamp_rx(struct toe_fpc *f, struct toe_work *w);

/* answer.c: the RST that answers a segment without a connection, if it has one. */
void toe_answer_reset(struct toe_fpc *f, const struct toe_rx *rx);

/* host_if.c: SW CMDs of all contexts. Returns how many were taken. */
unsigned toe_host_commands(struct toe_fpc *f);
bool toe_host_pending(struct toe_fpc *f);
void toe_host_taken(struct toe_fpc *f, struct toe_doorbell *db, uint32_t n);
void toe_host_release(struct toe_fpc *f);
void toe_host_sleeping(struct toe_fpc *f, uint32_t sleeping);
/* admin.c: toed's commands. */
unsigned toe_admin_commands(struct toe_fpc *f);
/* One step of ending many flows. True: finished. */
bool toe_sweep_step(struct toe_fpc *f, enum toe_sweep_kind kind, unsigned app, unsigned listener);

/* notify.c: flow blocks, HW CMDs and doorbells. */
void toe_host_publish(struct toe_work *w);
void toe_host_birth(struct toe_fpc *f, struct toe_work *w);
bool toe_hw_room(struct toe_fpc *f, unsigned app, unsigned ctx);
bool toe_hw_push(struct toe_fpc *f, unsigned app, unsigned ctx, const struct toe_cmd *c);
/* Tell the flow's context; publish came before, and a full fence in between. */
void toe_host_notify(struct toe_fpc *f, uint32_t flow, enum toe_hw_cmd type, bool again);
void toe_host_doorbells(struct toe_fpc *f);
/* accept_queue.c */
void toe_accept_push(struct toe_fpc *f, uint32_t flow);
void toe_accept_taken(struct toe_fpc *f, uint32_t flow);
bool toe_accept_claimed(struct toe_fpc *f, uint32_t flow);
void toe_accept_hints(struct toe_fpc *f);
/*
 * Flows that nobody has accepted, of one listener on all FPCs together: half-open ones, and those
 * in the accept queue, which the backlog bounds (listen(2)).
 */
void toe_backlog_enter(struct toe_fpc *f, uint32_t flow, bool half_open);
void toe_fast_enter(struct toe_fpc *f, uint32_t flow);
void toe_fast_reset(struct toe_fpc *f, uint32_t flow);
void toe_fast_leave(struct toe_fpc *f, uint32_t flow);
bool toe_fast_full(const struct toe_fpc *f, unsigned app, unsigned listener, uint32_t most);
void toe_backlog_established(struct toe_fpc *f, uint32_t flow);
void toe_backlog_clear(struct toe_fpc *f, unsigned app, unsigned listener);
bool toe_backlog_full(const struct toe_fpc *f, unsigned app, unsigned listener);
bool toe_half_open_full(const struct toe_fpc *f, unsigned app, unsigned listener);

#endif
