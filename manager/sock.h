/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket object behind a descriptor, and the table that finds it.
 *
 * A descriptor without an object is the kernel's. Objects are never given back to the system and
 * never change their address, so a stale pointer is harmless: whoever waited looks again whether it
 * still is the descriptor's object, in the same life, and a new life begins only after some hundred
 * others have ended.
 */
#ifndef TM_SOCK_H
#define TM_SOCK_H

#include <sys/socket.h>

#include "epoll_set.h"
#include "proc.h"

enum tm_kind {
	TM_FREE = 0,
	/*
	 * socket() was called, nothing decided; with TM_S_KERNEL the descriptor is a kernel socket
	 */
	TM_FRESH,
	TM_LISTEN, /* kernel socket and TOE listener */
	TM_CONNECT, /* TOE_SW_CONNECT is out, the flow id is not known yet */
	TM_FLOW, /* a TOE connection, from SYN_SENT to its end */
	TM_EPOLL,
	TM_WATCH, /* not a socket: only its watch is used, a further one of some other object */
};

enum tm_sock_flags {
	TM_S_NONBLOCK = 1,
	TM_S_CORK = 2,
	TM_S_SHUT_RD = 4,
	TM_S_SHUT_WR = 8,
	TM_S_ERROR_TAKEN = 16, /* the flow's error has been reported */
	TM_S_CONNECTED = 32, /* connect has reported success (or accept made it) */
	TM_S_KERNEL = 64, /* the descriptor is a kernel socket */
	TM_S_KERNEL_ONLY = 128, /* has an option that only the kernel honours */
	TM_S_FAILED = 256, /* fresh again after a connect that failed */
	TM_S_WANT_SPACE = 512, /* the FPC was asked for TOE_HW_SEND_COMPLETE */
	TM_S_HINT_ANY = 1024, /* listener: entries hinted to others may be taken */
	TM_S_ORPHAN = 2048, /* closed while connecting: abort the flow when it is known */
	TM_S_BOUND = 4096, /* bind was called */
	TM_S_ANY_PORT = 8192, /* with port 0 */
	TM_S_ERRQUEUE = 16384, /* something lies in the error queue */
	TM_S_STAMPS = 32768, /* timestamps have been asked for (stamps.c) */
};

enum { TM_OPT_LEVELS = 4 }; /* tables of options (option.h) */

/* Options that the object keeps. An accepted socket inherits its listener's. */
struct tm_opts {
	uint32_t changed[TM_OPT_LEVELS]; /* rows of each table of options that were set */
	uint64_t rcvtimeo_us, sndtimeo_us; /* 0 = none */
	int32_t linger_s; /* -1 = off */
	uint32_t rcvlowat; /* SO_RCVLOWAT; 0 = 1 */
	uint8_t oobinline; /* SO_OOBINLINE */
	uint8_t delack; /* TCP_QUICKACK was switched off */
	uint8_t inq; /* TCP_INQ */
	uint8_t freebind; /* IP_FREEBIND */
	uint8_t zerocopy; /* SO_ZEROCOPY */
	uint8_t rcvstamp; /* SO_TIMESTAMP or SO_TIMESTAMPNS: its number; 0 = neither */
	uint32_t stamps; /* SO_TIMESTAMPING */
	uint32_t stamp_base; /* what OPT_ID counts from: stream position, low half */
	uint8_t reuseaddr, reuseport,
	    v6only; /* of the kernel socket beneath a listener, or told so */
	struct toe_sock_opts so; /* those that the firmware honours */
	struct toe_fo_keys fo_keys; /* TCP_FASTOPEN_KEY */
};

struct tm_sock {
	/* Line 0: the data path. */
	struct toe_flow_block *fb;
	uint32_t flow;
	uint32_t flags; /* enum tm_sock_flags; changed by atomics */
	uint16_t gen;
	uint8_t fpc;
	uint8_t kind; /* enum tm_kind; stored last */
	uint32_t rlock; /* among this process' readers */
	uint8_t tx_ctx; /* context that sent last */
	uint8_t bind_ctx; /* context whose ring took the last TOE_SW_BIND ... */
	uint8_t ev_flags; /* toe_flow_dev.flags and ... */
	uint8_t lowat; /* SO_RCVLOWAT is above 1 */
	uint32_t ev_rx; /* ... rx_end when events were last told */
	uint64_t waiters; /* contexts that wait for this socket alone */

	/* Line 1: the first watch; more hang on it. */
	struct tm_watch watch __attribute__((aligned(TOE_CACHELINE)));

	/* Rare. */
	uint32_t bind_pos; /* ... and that ring's head after it */
	uint32_t refs; /* descriptors of this process */
	uint32_t serial; /* life of the object, or of its connection: part of a connect's cookie */
	uint64_t oob_taken; /* rx_urg of the urgent byte that MSG_OOB has read */
	uint64_t oob_mark; /* rx_urg of the urgent byte that reading was seen to stand at */
	uint32_t copies, copies_told; /* sends with MSG_ZEROCOPY; those that were told of */
	int32_t error; /* errno of a connect that failed before it had a flow */
	struct tm_opts opt;
	uint16_t family;
	uint32_t listener; /* TM_LISTEN: index */
	uint64_t stale_entry; /* TM_LISTEN: an entry hinted to somebody else ... */
	uint64_t stale_at; /* ... and when it was first seen, us */
	struct tm_ep *ep; /* TM_EPOLL */
	uint8_t laddr[16], raddr[16]; /* TM_CONNECT */
	uint16_t lport, rport; /* network order */
	uint32_t ifindex; /* scope of the addresses, if they are link-local */
	struct tm_sock *next_free;
};

_Static_assert(offsetof(struct tm_sock, watch) == TOE_CACHELINE, "the data path is one line");
enum { TM_SOCK_KEPT = offsetof(struct tm_sock, flags) }; /* of an earlier life: fb and flow */

enum { TM_MAX_FD = 1 << 20, TM_MAX_SOCKS = 1 << 17 };

extern struct tm_sock *tm_fds[TM_MAX_FD];
extern struct tm_sock *tm_flows[TOE_MAX_FLOWS];
extern struct tm_sock *tm_listeners[TOE_MAX_LISTENERS];

/* The object of a descriptor; NULL: the kernel's. */
static inline struct tm_sock *tm_sock_of(int fd)
{
	return tm_likely((unsigned)fd < TM_MAX_FD) ? toe_load_acquire(&tm_fds[fd]) : NULL;
}

static inline bool tm_has(const struct tm_sock *s, uint32_t flag)
{
	return toe_load(&s->flags) & flag;
}

static inline void tm_set(struct tm_sock *s, uint32_t flag)
{
	__atomic_fetch_or(&s->flags, flag, __ATOMIC_ACQ_REL);
}

static inline void tm_clear(struct tm_sock *s, uint32_t flag)
{
	__atomic_fetch_and(&s->flags, ~flag, __ATOMIC_ACQ_REL);
}

/* Who clears it sees to what it asks for; of several, one does. */
static inline bool tm_take(struct tm_sock *s, uint32_t flag)
{
	return __atomic_fetch_and(&s->flags, ~flag, __ATOMIC_SEQ_CST) & flag;
}

static inline uint8_t tm_kind(const struct tm_sock *s)
{
	return toe_load_acquire(&s->kind);
}

/* The flow has failed, or both ends have closed: for calls about the connection there is none. */
static inline bool tm_ended(const struct tm_sock *s)
{
	uint8_t state = toe_load_acquire(&s->fb->dev.state);

	return toe_load_acquire(&s->fb->dev.flags) & (TOE_FLOW_ERROR | TOE_FLOW_CLOSED) ||
	       state == TOE_TCP_TIME_WAIT || state == TOE_TCP_CLOSED;
}

static inline uint64_t tm_rx_avail(const struct tm_sock *s)
{
	return toe_load_acquire(&s->fb->dev.rx_end) - toe_load(&s->fb->app.rx_read);
}

static inline uint64_t tm_tx_used(const struct tm_sock *s)
{
	return toe_load(&s->fb->app.tx_end) - toe_load_acquire(&s->fb->dev.tx_una);
}

/*
 * Position of an urgent byte that has come and was not passed by reading; UINT64_MAX: none.
 */
static inline uint64_t tm_urg_at(const struct tm_sock *s)
{
	uint64_t end = toe_load_acquire(&s->fb->dev.rx_end);
	uint64_t urg = toe_load(&s->fb->dev.rx_urg);

	return urg && urg <= end && urg > toe_load(&s->fb->app.rx_read) ? urg - 1 : UINT64_MAX;
}

/*
 * With rx_urg set: reading that stands at an urgent byte leaves it out when another comes, whether MSG_OOB
 * has had it or not; one farther on will be in line, as in Linux. Called where somebody reads or asks.
 */
void tm_urg_look(struct tm_sock *s);

/* There is something to read: a byte that is urgent and out of band is not. */
static inline bool tm_rx_any(const struct tm_sock *s)
{
	uint64_t avail = tm_rx_avail(s);

	if (tm_likely(avail != 1) || s->opt.oobinline)
		return avail;
	return tm_urg_at(s) == UINT64_MAX;
}

/*
 * SO_RCVLOWAT: so many bytes are worth a reader's while. Half of the buffer in any case, as the peer
 * may not be let send more.
 */
static inline uint32_t tm_rx_low(const struct tm_sock *s)
{
	uint32_t half = toe_load(&s->fb->dev.rx_limit) / 2;

	return s->opt.rcvlowat < half ? s->opt.rcvlowat : half;
}

/* What poll(2) calls readable. */
static inline bool tm_readable(const struct tm_sock *s)
{
	return tm_rx_any(s) && (tm_likely(!s->lowat) || tm_rx_avail(s) >= tm_rx_low(s));
}

static inline uint32_t tm_tx_space(const struct tm_sock *s)
{
	uint64_t used = tm_tx_used(s);
	uint32_t limit = toe_load_acquire(&s->fb->dev.tx_limit);

	return used > limit ? 0 : limit - (uint32_t)used;
}

/* Bytes that were written and that the windows do not let go yet, as far as the FPC tells. */
static inline uint32_t tm_tx_unsent(const struct tm_sock *s)
{
	int32_t n =
	    (int32_t)((uint32_t)toe_load(&s->fb->app.tx_end) - toe_load(&s->fb->dev.tx_open));

	return n > 0 ? (uint32_t)n : 0;
}

/* TCP_NOTSENT_LOWAT, where it is in force (UINT32_MAX: it is not). */
static inline uint32_t tm_tx_low(const struct tm_sock *s)
{
	uint32_t low = toe_load_acquire(&s->fb->dev.tx_burst) ? s->opt.so.notsent_lowat : 0;

	return tm_likely(!low) ? UINT32_MAX : low;
}

/*
 * Writable as poll(2) means it: a third of the buffer is free; and with TCP_NOTSENT_LOWAT less than
 * half of that waits, as Linux has it. The FPC tells by the same rule (toe_tcp_space).
 */
static inline bool tm_writable(const struct tm_sock *s)
{
	uint32_t low = tm_tx_low(s);

	return tm_tx_space(s) >= toe_load(&s->fb->dev.tx_limit) / 3 &&
	       (tm_likely(low == UINT32_MAX) || 2ull * tm_tx_unsent(s) < low);
}

/* Bytes that a SYN to come can still take (TCP Fast Open). */
static inline uint32_t tm_eager_space(const struct tm_sock *s)
{
	uint64_t end = toe_load(&s->fb->app.tx_end);
	uint32_t most = toe_load_acquire(&s->fb->dev.tx_open);

	return end < most ? most - (uint32_t)end : 0;
}

/*
 * Memory of the receive or send buffer from stream position `pos` on: *n becomes what of it lies in
 * one piece. After rx_end, or tx_una and tx_limit, were read (acquire).
 */
static inline void *tm_rx_at(const struct tm_sock *s, uint64_t pos, uint32_t *n)
{
	uint64_t off;

	*n = toe_ring_piece(toe_load(&s->fb->dev.rx_ring), s->flow, toe_arena_rx_off(s->flow), pos,
			    *n, &off);
	return tm_proc.arena + off;
}

static inline void *tm_tx_at(const struct tm_sock *s, uint64_t pos, uint32_t *n)
{
	uint64_t off;

	*n = toe_ring_piece(toe_load(&s->fb->dev.tx_ring), s->flow, toe_arena_tx_off(s->flow), pos,
			    *n, &off);
	return tm_proc.arena + off;
}

/*
 * Who writes the flow's send positions and binding: among all threads and processes that hold it
 * (flow_lock.c).
 */
void tm_flow_lock_slow(uint32_t *lock);
uint32_t tm_tid_make(void);
extern __thread uint32_t tm_tid __attribute__((tls_model("initial-exec")));

static inline void tm_flow_lock(struct tm_sock *s)
{
	uint32_t none = 0, me = tm_likely(tm_tid) ? tm_tid : tm_tid_make();

	if (tm_unlikely(!__atomic_compare_exchange_n(&s->fb->app.lock, &none, me, false,
						     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		tm_flow_lock_slow(&s->fb->app.lock);
}

static inline void tm_flow_unlock(struct tm_sock *s)
{
	toe_store_release(&s->fb->app.lock, 0);
}

/* Objects (fdtable.c). The new one has no descriptor yet; NULL: no memory. Under tm_big: */
struct tm_sock *tm_sock_new(enum tm_kind kind);
void tm_sock_free(struct tm_sock *s);
void tm_sock_reap(struct tm_sock *s); /* the same without tm_big */
/*
 * The object gets a number that the kernel has just handed out. Who had it before was closed by a plain
 * close(2), and is closed now as by toe_close.
 */
void tm_fd_install(int fd, struct tm_sock *s);
/* And loses one; the last one ends it. The contexts that are to be woken, as they wait for it. */
uint64_t tm_fd_remove(int fd, struct tm_sock *s);
struct tm_sock *tm_sock_at(uint32_t index);
uint32_t tm_sock_index(const struct tm_sock *s);
uint32_t tm_sock_count(void); /* objects that ever lived: bound for tm_sock_at */
bool tm_is_sock(const void *p); /* p points into the objects */
/* Without tm_big: a number that the kernel has just handed out for something of its own, or -1. */
int tm_fd_kernel(int fd);
/* Call f for every descriptor of s. */
void tm_each_fd(struct tm_sock *s, void (*f)(int fd, void *arg), void *arg);
/*
 * A descriptor for a TOE connection; flags SOCK_CLOEXEC. -errno. Until tm_fd_install under the same lock:
 * who finds no object takes it for the kernel's.
 */
int tm_placeholder(int flags);

/* With TM_S_STAMPS, as the flow begins: what an earlier life of its id left is nobody's (stamps.c). */
void tm_stamp_begin(struct tm_sock *s);

/* Life (socket.c). */
void tm_flow_begin(struct tm_sock *s, uint32_t flow, uint16_t gen, uint8_t ctx);
/*
 * A fresh one's descriptor becomes a kernel socket; and is the kernel's for good. Under tm_big, and who
 * calls it goes on under that. Another thread has closed it meanwhile: -EBADF; connected it: -EINVAL;
 * made a listener of it: -EISCONN, by tm_to_kernel.
 */
int tm_materialise(struct tm_sock *s, int fd);
int tm_to_kernel(struct tm_sock *s, int fd);
void tm_release(struct tm_sock *s, int fd); /* the last descriptor is gone; under tm_big */
int tm_unlisten(struct tm_sock *s);
/* It listens no more, and is undecided: a kernel socket that is bound. */
void tm_stop_listening(struct tm_sock *s, int fd);

/* Options (options.c): set on the kernel's socket what was set on the object. */
void tm_opts_to_kernel(struct tm_sock *s, int fd);

/* errno of the flow, once; 0: none. */
int tm_take_error(struct tm_sock *s);

/* An address as libtoe keeps it. */
struct tm_addr {
	uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port; /* network order */
	uint32_t ifindex; /* of a link-local address (sin6_scope_id), 0 = none */
};

/* To the application; `ifindex` is told with link-local addresses only. *len as getsockname's. */
void tm_addr_out(uint16_t family, const uint8_t addr[16], uint16_t port, uint32_t ifindex,
		 struct sockaddr *sa, socklen_t *len);
/* Whether there is a place for one. 0, -EFAULT, -EINVAL. */
int tm_addr_room(const struct sockaddr *sa, const socklen_t *len);
/* And from it. -EINVAL, -EAFNOSUPPORT. */
int tm_addr_in(uint16_t family, const struct sockaddr *sa, socklen_t len, struct tm_addr *a);

bool tm_addr_any(const uint8_t addr[16]);
bool tm_addr_is_v4(const uint8_t addr[16]);

/* Listeners (accept.c). */
bool tm_accept_ready(struct tm_sock *s, unsigned ctx);
void tm_accept_drain(struct toe_listener *l);
/* How many connections wait to be accepted, without those that the kernel has. */
uint32_t tm_accept_waiting(const struct tm_sock *s);

#endif
