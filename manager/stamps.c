/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timestamps: SO_TIMESTAMPING, by its flags or for one sendmsg; SO_TIMESTAMP and SO_TIMESTAMPNS. The FPC
 * knows the times and writes them into the flow's rings (struct toe_flow_stamps). All are the engine's
 * (SOF_TIMESTAMPING_SOFTWARE): those of hardware may be asked for, as of any device, and never come.
 */
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* needs time.h */
#include <linux/net_tstamp.h>

#include "option.h"
#include "transfer.h"

/* Of newer kernels than some headers are of. */
enum {
	OPT_ID_TCP = 1 << 16,
	OPT_RX_FILTER = 1 << 17,
	KNOWN = (1 << 19) - 1,
	TX = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE |
	     SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK,
	RX = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RX_SOFTWARE,
	REPORT = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_SYS_HARDWARE |
		 SOF_TIMESTAMPING_RAW_HARDWARE,
	SERVED = TX | RX | REPORT | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_CMSG |
		 SOF_TIMESTAMPING_OPT_TSONLY | SOF_TIMESTAMPING_OPT_TX_SWHW | OPT_ID_TCP |
		 OPT_RX_FILTER,
};

_Static_assert((int)TOE_STAMP_SND == SCM_TSTAMP_SND && (int)TOE_STAMP_SCHED == SCM_TSTAMP_SCHED &&
		   (int)TOE_STAMP_ACK == SCM_TSTAMP_ACK,
	       "Linux' numbers");

/* What the sendmsg that this thread is in says: TX flags, and CALL; 0: nothing. */
static __thread uint32_t call;
enum { CALL = 1u << 30 };

static struct toe_flow_stamps *rings(const struct tm_sock *s)
{
	return toe_arena_stamps(tm_proc.arena, s->flow);
}

void tm_stamp_begin(struct tm_sock *s)
{
	struct toe_doorbell *db = &rings(s)->tx_db;

	toe_store_release(&db->tail, toe_load_acquire(&db->head));
}

/* From now on there are some, or may be. */
static void ask(struct tm_sock *s)
{
	if (tm_has(s, TM_S_STAMPS))
		return;
	if (tm_kind(s) == TM_FLOW)
		tm_stamp_begin(s);
	tm_set(s, TM_S_STAMPS);
}

/* Options */

/* What comes is to be stamped or not. */
static int tell_rx(struct tm_sock *s)
{
	bool on = s->opt.rcvstamp || s->opt.stamps & SOF_TIMESTAMPING_RX_SOFTWARE;

	if (on == !!(s->opt.so.flags & TOE_SO_STAMP_RX))
		return 0;
	tm_opt_flag(s, TOE_SO_STAMP_RX, on);
	return tm_opt_tell(s, TOE_OPT_STAMP_RX, on);
}

/* OPT_ID counts bytes from what is acknowledged by now, with OPT_ID_TCP from what is written. */
static int set_base(struct tm_sock *s, uint32_t flags)
{
	if (!(flags & SOF_TIMESTAMPING_OPT_ID) || s->opt.stamps & SOF_TIMESTAMPING_OPT_ID)
		return 0;
	if (tm_kind(s) != TM_FLOW && tm_kind(s) != TM_CONNECT)
		return -EINVAL;
	s->opt.stamp_base = 0;
	if (tm_kind(s) == TM_FLOW)
		s->opt.stamp_base = (uint32_t)(flags & OPT_ID_TCP ? toe_load(&s->fb->app.tx_end)
								  : toe_load(&s->fb->dev.tx_una));
	return 0;
}

int tm_stamp_set(struct tm_sock *s, int64_t v)
{
	uint32_t flags = (uint32_t)v;
	int err;

	if (flags & ~(uint32_t)KNOWN ||
	    (flags & (OPT_ID_TCP | SOF_TIMESTAMPING_OPT_ID)) == OPT_ID_TCP)
		return -EINVAL;
	if (flags & ~(uint32_t)SERVED)
		return -ENOPROTOOPT;
	err = set_base(s, flags);
	if (err)
		return err;
	s->opt.stamps = flags;
	if (flags)
		ask(s);
	return tell_rx(s);
}

int64_t tm_stamp_get(struct tm_sock *s)
{
	return s->opt.stamps;
}

static int set_rcv(struct tm_sock *s, uint8_t name)
{
	s->opt.rcvstamp = name;
	if (name)
		ask(s);
	return tell_rx(s);
}

int tm_stamp_set_us(struct tm_sock *s, int64_t v)
{
	return set_rcv(s, v ? SO_TIMESTAMP : 0);
}

int64_t tm_stamp_get_us(struct tm_sock *s)
{
	return s->opt.rcvstamp == SO_TIMESTAMP;
}

int tm_stamp_set_ns(struct tm_sock *s, int64_t v)
{
	return set_rcv(s, v ? SO_TIMESTAMPNS : 0);
}

int64_t tm_stamp_get_ns(struct tm_sock *s)
{
	return s->opt.rcvstamp == SO_TIMESTAMPNS;
}

/* Sending */

int tm_stamp_call(struct tm_sock *s, const struct msghdr *msg)
{
	struct msghdr *m = (struct msghdr *)msg;
	uint32_t flags, said = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPING)
			continue;
		if (c->cmsg_len != CMSG_LEN(sizeof(flags)))
			return -EINVAL;
		memcpy(&flags, CMSG_DATA(c), sizeof(flags));
		if (flags & ~(uint32_t)TX)
			return -EINVAL;
		said = flags | CALL;
	}
	if (said)
		ask(s);
	call = said;
	return 0;
}

void tm_stamp_called(void)
{
	call = 0;
}

uint8_t tm_stamp_kinds(const struct tm_sock *s)
{
	uint32_t flags = call ? call : s->opt.stamps;
	uint32_t kinds = (flags & SOF_TIMESTAMPING_TX_SOFTWARE ? 1u << TOE_STAMP_SND : 0) |
			 (flags & SOF_TIMESTAMPING_TX_SCHED ? 1u << TOE_STAMP_SCHED : 0) |
			 (flags & SOF_TIMESTAMPING_TX_ACK ? 1u << TOE_STAMP_ACK : 0);

	return (uint8_t)(kinds << TOE_SEND_STAMP_SHIFT);
}

/* What is told */

/* A time of the engine's clock as one of day. */
static struct timespec real_time(uint64_t at_us)
{
	struct timespec real;
	int64_t ns;

	clock_gettime(CLOCK_REALTIME, &real);
	ns = (int64_t)(at_us - tm_now_us()) * 1000 + real.tv_nsec;
	real.tv_sec += ns / 1000000000;
	real.tv_nsec = ns % 1000000000;
	if (real.tv_nsec < 0) {
		real.tv_sec--;
		real.tv_nsec += 1000000000;
	}
	return real;
}

static void put_time(struct tm_sock *s, struct msghdr *msg, size_t room, uint64_t at_us)
{
	struct scm_timestamping t = { { real_time(at_us) } };

	if (s->opt.stamps & SOF_TIMESTAMPING_SOFTWARE)
		tm_put_cmsg(msg, room, SOL_SOCKET, SCM_TIMESTAMPING, &t, sizeof(t));
}

bool tm_stamp_any(const struct tm_sock *s)
{
	const struct toe_doorbell *db = &rings(s)->tx_db;

	return tm_has(s, TM_S_STAMPS) && toe_load_acquire(&db->head) != toe_load(&db->tail);
}

/* Several threads may ask: who moves the tail has the entry. */
static bool take(struct tm_sock *s, struct toe_stamp *t)
{
	struct toe_flow_stamps *r = rings(s);
	uint32_t tail = toe_load_acquire(&r->tx_db.tail);

	do {
		if (toe_load_acquire(&r->tx_db.head) == tail)
			return false;
		memcpy(t, &r->tx[tail & (TOE_STAMPS - 1)], sizeof(*t));
	} while (!__atomic_compare_exchange_n(&r->tx_db.tail, &tail, tail + 1, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

/* Without OPT_TSONLY the packet goes with it, which here is cut to nothing. */
int tm_stamp_take(struct tm_sock *s, struct msghdr *msg, size_t room)
{
	struct sock_extended_err ee = { .ee_errno = ENOMSG,
					.ee_origin = SO_EE_ORIGIN_TIMESTAMPING };
	struct toe_stamp t;

	do {
		if (!take(s, &t))
			return -EAGAIN;
	} while (t.gen != s->gen);
	ee.ee_info = t.kind;
	if (s->opt.stamps & SOF_TIMESTAMPING_OPT_ID)
		ee.ee_data = t.pos - 1 - s->opt.stamp_base;
	if (!(s->opt.stamps & SOF_TIMESTAMPING_OPT_TSONLY))
		msg->msg_flags |= MSG_TRUNC;
	put_time(s, msg, room, t.at);
	tm_put_error(s, msg, room, &ee);
	return 0;
}

/* When the byte before `end` came: of the batch that first reached as far. False: not known any more. */
static bool came(const struct tm_sock *s, uint32_t end, uint64_t *at)
{
	const struct toe_flow_stamps *r = rings(s);
	uint32_t head = toe_load_acquire(&r->rx_head), above = end, pos;
	bool found = false;

	/* The oldest entry may be written over just now. */
	for (uint32_t i = head - 1; i != head - TOE_STAMPS; i--, above = pos) {
		const struct toe_stamp *e = &r->rx[i & (TOE_STAMPS - 1)];

		pos = toe_load(&e->pos);
		if (toe_load(&e->gen) != s->gen || (int32_t)(pos - end) < 0 ||
		    (found && (int32_t)(above - pos) < 0))
			break;
		*at = toe_load(&e->at);
		found = true;
	}
	return found;
}

void tm_stamp_rx(struct tm_sock *s, struct msghdr *msg, size_t room, uint64_t end)
{
	uint64_t at = 0;
	struct timespec ns;
	struct timeval us;

	if (!(s->opt.so.flags & TOE_SO_STAMP_RX) || !came(s, (uint32_t)end, &at))
		return;
	ns = real_time(at);
	us = (struct timeval){ ns.tv_sec, ns.tv_nsec / 1000 };
	if (s->opt.rcvstamp == SO_TIMESTAMPNS)
		tm_put_cmsg(msg, room, SOL_SOCKET, SCM_TIMESTAMPNS, &ns, sizeof(ns));
	else if (s->opt.rcvstamp)
		tm_put_cmsg(msg, room, SOL_SOCKET, SCM_TIMESTAMP, &us, sizeof(us));
	if (s->opt.stamps & SOF_TIMESTAMPING_RX_SOFTWARE)
		put_time(s, msg, room, at);
}
