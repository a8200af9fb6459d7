/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command path between an application (host) and an FPC (device).
 *
 * A context (an application thread) has one pair of rings with each FPC:
 *
 *   SW CMD ring   context -> FPC
 *   HW CMD ring   FPC -> context
 *
 * Every ring has one producer and one consumer. Only aligned loads and stores of at most eight
 * bytes cross this interface, because device memory behind PCIe offers nothing else.
 *
 * Commands carry absolute stream positions, so one that is repeated is harmless. Position 0 is the
 * first byte after the SYN.
 */
#ifndef TOE_ABI_CMD_H
#define TOE_ABI_CMD_H

#include "limits.h"

/* One command: 128 bits. */
struct toe_cmd {
	uint8_t type; /* enum toe_sw_cmd or enum toe_hw_cmd */
	uint8_t flags; /* by type, see below */
	uint16_t gen; /* the flow's generation: a command of an earlier life of the id is refused */
	uint32_t
	    /* flow id; for TOE_SW_LISTEN the listener's index, for TOE_SW_CONNECT the grant */
	    flow;
	uint64_t pos; /* stream position, or the parameter named below */
};
_Static_assert(sizeof(struct toe_cmd) == 16, "a command is 128 bits");

/*
 * Host to device. If you add one, also extend toe_sw_cmd's dispatch in core/host_if.c, the fuzzer
 * of the command ring and the table in firmware/README.md.
 */
enum toe_sw_cmd {
	/* flow = listener index, pos = backlog; 0 closes: flows not yet accepted are reset */
	TOE_SW_LISTEN = 1,
	TOE_SW_CONNECT = 2, /* flow = grant id, pos = cookie that TOE_HW_FLOW_ASSIGNED gives back */
	TOE_SW_SEND = 3, /* pos = end of the data written so far; flags TOE_SEND_* */
	TOE_SW_RECV = 4, /* pos = end of the data read so far: opens the window */
	/*
	 * pos = end of the data; last descriptor closed: FIN after the data, unread data resets
	 * (RFC 2525 2.17)
	 */
	TOE_SW_CLOSE = 5,
	TOE_SW_SHUTDOWN = 6, /* pos = end of the data; FIN after it; flags TOE_SHUT_* */
	TOE_SW_ABORT = 7, /* RST now, drop everything (SO_LINGER 0) */
	TOE_SW_OPTION = 8, /* flags = enum toe_option, pos = value */
	TOE_SW_BIND = 9, /* pos = context that takes the flow's notifications; marks it accepted */
	TOE_SW_INFO = 10, /* pos = token; the answer is the context's toe_ctx.info */
};

enum { TOE_SEND_STAMP_SHIFT = 5 };
enum toe_send_flags {
	/* tell me (TOE_HW_SEND_COMPLETE) when a third of the buffer is free */
	TOE_SEND_WANT_SPACE = 1,
	TOE_SEND_OOB = 4, /* the last byte is urgent (MSG_OOB) */
	/* MSG_MORE: what was written goes on: hold back a partial segment, until an ACK comes */
	TOE_SEND_MORE = 2,
	TOE_SEND_EOR = 16, /* no segment reaches across the end of this (MSG_EOR) */
	TOE_SEND_CORKED = 8, /* TCP_CORK: hold it back until a send says otherwise */
	/* the times of its last byte that are wanted: 1 << enum toe_stamp_kind each (abi/arena.h) */
	TOE_SEND_STAMPS = 7 << TOE_SEND_STAMP_SHIFT,
};

enum toe_shut_flags {
	/* Nobody will read what has not come yet: it resets. Else receiving goes on. */
	TOE_SHUT_BOTH = 1,
};

enum toe_option {
	TOE_OPT_NODELAY = 1, /* pos = 0 or 1 */
	TOE_OPT_QUICKACK = 3,
	TOE_OPT_LINGER2 =
	    4, /* pos = milliseconds in FIN_WAIT_2 after close, 0 = default, -1 = none */
	TOE_OPT_KEEPALIVE = 5, /* pos = 0 or 1 */
	TOE_OPT_KEEPIDLE = 6, /* pos = seconds */
	TOE_OPT_KEEPINTVL = 7, /* pos = seconds */
	TOE_OPT_KEEPCNT = 8, /* pos = probes */
	TOE_OPT_USER_TIMEOUT = 9, /* pos = milliseconds, 0 = none */
	TOE_OPT_MAXSEG = 10, /* pos = bytes */
	TOE_OPT_CC = 11, /* pos = enum toe_cc_id */
	TOE_OPT_RCVBUF = 12, /* pos = bytes */
	TOE_OPT_SNDBUF = 13, /* pos = bytes */
	TOE_OPT_SYNCNT = 14, /* pos = retransmissions of a SYN */
	TOE_OPT_TOS = 15, /* pos = the byte in the IP header */
	TOE_OPT_TTL = 16, /* pos = hops, 0 = default */
	TOE_OPT_NOTSENT_LOWAT = 17, /* pos = bytes, 0 = none */
	TOE_OPT_PMTUDISC = 18, /* pos = enum toe_pmtudisc */
	TOE_OPT_STAMP_RX = 19, /* pos = 0 or 1 */
};

/* IP_MTU_DISCOVER, IPV6_MTU_DISCOVER: is the path's MTU heeded, may routers fragment? Linux' numbers. */
enum toe_pmtudisc {
	TOE_PMTUDISC_DONT, /* no; IPv4: yes */
	TOE_PMTUDISC_WANT, /* yes; no, but where IPv4 has it below 552: the default */
	TOE_PMTUDISC_DO, /* yes; no */
	TOE_PMTUDISC_PROBE, /* no; no */
	TOE_PMTUDISC_INTERFACE, /* no; no */
	TOE_PMTUDISC_OMIT, /* no; IPv4: yes */
	TOE_PMTUDISC_COUNT
};

/* Congestion controls, for toe_ctrl, sockets and TCBs. */
enum toe_cc_id {
#define TOE_CC(id, object, name) TOE_CC_##id,
#include "cc.def"
#undef TOE_CC
	TOE_CC_COUNT
};

/* When connections use ECN (RFC 3168). A congestion control that needs it has it in any case. */
enum toe_ecn_policy {
	TOE_ECN_OFF = 0,
	TOE_ECN_PASSIVE = 1, /* when the peer asks */
	TOE_ECN_ON = 2, /* ask for it too */
};

/*
 * Device to host. What happened is written to the flow's block first (abi/arena.h); the command
 * says "look there". A flow has at most one notification on its way (toe_flow_dev.notify_seq).
 */
enum toe_hw_cmd {
	/* flow = listener index, pos = TOE_HINT_*: look at its accept queue */
	TOE_HW_LISTEN_ESTABLISHED = 65,
	TOE_HW_CONNECT_ESTABLISHED = 66,
	TOE_HW_DATA_RECEIVED = 67, /* pos = end of the received data */
	TOE_HW_SEND_COMPLETE = 68, /* pos = end of the acknowledged data */
	TOE_HW_CLOSE = 69, /* the peer sent FIN; pos = its position */
	TOE_HW_RESET = 70, /* pos = errno; the flow has ended or could not begin */
	/* answer to TOE_SW_CONNECT: pos = cookie; flags = errno, 0 = flow is valid */
	TOE_HW_FLOW_ASSIGNED = 71,
};

enum toe_hint {
	TOE_HINT_YOURS = 0,
	TOE_HINT_ANY = 1
}; /* ANY: its first addressee did not take it */

enum { TOE_SW_RING = 1024, TOE_HW_RING = 2048 }; /* entries, powers of two */

/*
 * Free-running indices, each on a line of its own. The producer stores entries, then head
 * (release); the consumer loads head (acquire), copies entries out, then stores tail (release),
 * which pairs with the producer's acquire load of tail.
 */
struct toe_doorbell {
	uint32_t head __attribute__((aligned(TOE_CACHELINE))); /* producer's */
	uint32_t tail __attribute__((aligned(TOE_CACHELINE))); /* consumer's */
};
_Static_assert(sizeof(struct toe_doorbell) == 2 * TOE_CACHELINE, "one line per side");

struct toe_sw_ring {
	struct toe_doorbell db;
	struct toe_cmd cmd[TOE_SW_RING];
};

struct toe_hw_ring {
	struct toe_doorbell db;
	struct toe_cmd cmd[TOE_HW_RING];
};

/*
 * Sleep protocol, the same on both sides (Dekker): the sleeper stores sleeping = 1, issues a full
 * fence, looks at its rings once more, and only then waits on its eventfd; the producer stores
 * head, issues a full fence, reads sleeping, and if set writes the eventfd. The sleeper stores 0
 * when it is back.
 */
struct toe_sleep {
	uint32_t sleeping __attribute__((aligned(TOE_CACHELINE)));
	uint32_t
	    /*
	     * an FPC's, from toed: 1 + the CPU that it is pinned to, 0 = none. Who waits there need
	     * not spin
	     */
	    cpu;
};

#endif
