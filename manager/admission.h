/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between libtoe and toed over the UNIX SOCK_SEQPACKET control socket: one request, one
 * answer, in order. Descriptors travel as SCM_RIGHTS. A process is attached for as long as its
 * connection is open: when it ends, toed releases what only that process held.
 */
#ifndef TOE_ADMISSION_H
#define TOE_ADMISSION_H

#include "../firmware/abi/limits.h"

#define TOE_SOCKET_PATH "/run/toe/toed.sock"

enum toe_adm_type {
	/*
	 * new app (app = TOE_ADM_NEW) or another process of app `app` in slot `proc` (after fork)
	 */
	TOE_ADM_REQ_ATTACH = 1,
	TOE_ADM_REQ_CTX = 2, /* a context for a thread: answer has ctx and its eventfd */
	TOE_ADM_REQ_CTX_FREE = 3, /* ctx: thread ended */
	/*
	 * kernel socket, bound and listening, as SCM_RIGHTS; answer has the listener index, or
	 * TOE_ADM_KERNEL: none of its addresses is the TOE's
	 */
	TOE_ADM_REQ_LISTEN = 4,
	TOE_ADM_REQ_UNLISTEN = 5, /* listener: last descriptor closed */
	/*
	 * addr, port: answer has a grant, or ENETUNREACH, EHOSTUNREACH; -EAFNOSUPPORT & co;
	 * TOE_ADM_KERNEL in flags: use the kernel
	 */
	TOE_ADM_REQ_CONNECT = 6,
	/* For toectl: JSON in a memfd, as SCM_RIGHTS. */
	TOE_ADM_REQ_STATUS = 7,
	TOE_ADM_REQ_FLOWS = 8,
	TOE_ADM_REQ_STATS = 9,
};

#define TOE_ADM_NEW 0xffffffffu
enum toe_adm_flags { TOE_ADM_KERNEL = 1 };

struct toe_adm_req {
	uint32_t type, version;
	uint32_t app, proc;
	uint32_t ctx;
	uint32_t listener;
	uint8_t addr[16]; /* CONNECT: remote address (IPv4 as ::ffff:a.b.c.d) */
	uint8_t laddr[16]; /* CONNECT: bound local address, all zero = any */
	uint64_t token; /* ATTACH to an existing app: its secret from the first answer */
	uint16_t port, lport; /* network order; lport 0 = any */
	uint32_t
	    ifindex; /* CONNECT: the interface to use (scope of a link-local address), 0 = any */
};

struct toe_adm_ans {
	int32_t error; /* 0 or an errno value */
	uint32_t flags;
	/*
	 * ATTACH: the memfd of the arena, then nfpcs eventfds that wake the FPCs, follow as
	 * SCM_RIGHTS.
	 */
	uint32_t app, proc;
	uint64_t token;
	uint64_t arena_size;
	uint32_t nfpcs;
	/* CTX: its eventfd follows as SCM_RIGHTS. */
	uint32_t ctx;
	/* LISTEN */
	uint32_t listener;
	/* CONNECT: grant index and the FPC to give TOE_SW_CONNECT to; the source chosen. */
	uint32_t grant, fpc;
	uint8_t laddr[16];
	uint16_t lport;
	uint16_t pad;
	uint32_t ifindex;
};

#endif
