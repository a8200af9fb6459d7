/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sizes of the buffers: what the application asked for, or what the connection turns out to need.
 * Here they are limits; rings that hold as much are the core's matter (TOE_ACT_GROW).
 *
 * Receiving follows the application (dynamic right-sizing): the window is to be twice what it read
 * in a round trip, so that it never is what bounds a sender whose own window grows by doubling. A
 * slow reader thus gets no more memory, however fast the peer is. Sending follows cwnd: a window in
 * flight, and another one written meanwhile.
 */
#include "recv.h"

enum {
	RTT_UNKNOWN_US = 200000,
	RTT_MAX_TICKS = 60000, /* longer ago than any round trip: not an echo of ours */
	SLACK_SEGS = 16, /* the sender's initial window, and some */
};

static uint32_t clamp(uint64_t bytes, uint32_t least)
{
	return (uint32_t)toe_min64(toe_max64(bytes, least), TOE_BUF_MAX);
}

/*
 * What the send buffer holds. One that was set ends where a segment does, or a short one would leave
 * each time that it is full. Two segments are the least: the ACK for one the peer may delay.
 */
static uint32_t send_limit(const struct toe_tcb *t)
{
	uint32_t ring = toe_ring_size(t->snd_ring), most = toe_min32(t->snd_want, ring), whole;

	if (t->snd_most || !t->mss)
		return most;
	whole = toe_max32((most + t->mss - 1) / t->mss, 2) * t->mss;
	return whole <= ring ? whole : most;
}

void toe_buf_whole(struct toe_tcb *t)
{
	if (t->snd_want < toe_ring_size(t->snd_ring))
		t->snd_size = send_limit(t);
}

void toe_buf_open(struct toe_tcb *t, const struct toe_open *o)
{
	t->rcv_size = t->rcv_want = o->rcv_size;
	t->snd_size = t->snd_want = o->snd_size;
	t->rcv_most = o->rcv_most;
	t->snd_most = o->snd_most;
	if (o->opts.rcvbuf)
		toe_buf_set_rcv(t, o->opts.rcvbuf);
	if (o->opts.sndbuf)
		toe_buf_set_snd(t, o->opts.sndbuf);
}

uint32_t toe_buf_window_max(const struct toe_tcb *t)
{
	return t->rcv_most ? TOE_BUF_MAX - 1 : t->rcv_want;
}

uint32_t toe_buf_wants(const struct toe_tcb *t)
{
	return t->rcv_want > t->rcv_size || t->snd_want > t->snd_size ? TOE_ACT_GROW : 0;
}

uint32_t toe_tcp_fit(struct toe_tcb *t)
{
	uint32_t act = 0;

	t->rcv_size = toe_min32(t->rcv_want, toe_ring_size(t->rcv_ring));
	t->snd_size = send_limit(t);
	if (t->state < TOE_TCP_ESTABLISHED)
		return 0;
	if (toe_recv_can(t) && t->rcv_nxt > t->rcv_first && toe_recv_window_news(t))
		act |= toe_ack_now(t);
	if (t->flags & TOE_TCB_WANT_SPACE && toe_send_roomy(t)) {
		t->flags &= ~(uint32_t)TOE_TCB_WANT_SPACE;
		act |= TOE_ACT_TX_SPACE;
	}
	return act;
}

uint32_t toe_buf_set_rcv(struct toe_tcb *t, uint64_t bytes)
{
	t->rcv_most = 0;
	t->rcv_want = clamp(bytes, TOE_RCVBUF_MIN);
	return toe_tcp_fit(t) | toe_buf_wants(t);
}

uint32_t toe_buf_set_snd(struct toe_tcb *t, uint64_t bytes)
{
	t->snd_most = 0;
	t->opts |= TOE_TCB_TX_TOLD | TOE_TCB_SND_SET;
	t->snd_want = clamp(bytes, TOE_SNDBUF_MIN);
	return toe_tcp_fit(t) | toe_buf_wants(t);
}

/*
 * Without timestamps: the time that a whole window takes is a round trip at least, as its end is not
 * sent before the peer has heard of it. A peer that pauses makes it long, so the shortest counts, and
 * none beyond what is assumed when nothing is known. The handshake's alone would be too short where
 * the data itself makes a queue.
 */
static void rtt_by_window(struct toe_tcb *t, uint64_t now)
{
	uint32_t us = toe_min32((uint32_t)now - t->rtt_at, RTT_UNKNOWN_US);

	if (!t->rcv_rtt_us)
		t->tune_bytes = 0; /* of another round trip: their difference is no growth */
	if (t->rtt_at)
		t->rcv_rtt_us = t->rcv_rtt_us ? toe_min32(t->rcv_rtt_us, us) : toe_max32(us, 1);
	t->rtt_at = (uint32_t)now | 1;
	t->rtt_mark = (uint32_t)toe_max64(t->rcv_adv, t->rcv_nxt + t->mss);
}

/*
 * A round trip as a receiver sees it: since the peer heard the timestamp that it echoes. Their
 * clock is too coarse for short ones: there the handshake's, or our own data's, is better.
 */
void toe_tune_rtt(struct toe_tcb *t, const struct toe_seg *seg, uint64_t now)
{
	uint32_t ticks = toe_ts_now(t, now) - seg->tsecr, rtt;

	if (!(t->flags & TOE_TCB_TS)) {
		rtt_by_window(t, now);
		return;
	}
	t->rtt_mark = (uint32_t)t->rcv_nxt + toe_max32(t->rcv_size / 4, t->mss);
	if (!t->rcv_most || !(seg->opts & TOE_SEG_TS) || !seg->tsecr || ticks > RTT_MAX_TICKS)
		return;
	rtt = toe_max32(ticks, 1) * TOE_TS_TICK_US;
	if (ticks < 2 && t->srtt_us)
		rtt = toe_min32(t->srtt_us, rtt);
	t->rcv_rtt_us = t->rcv_rtt_us ? t->rcv_rtt_us - t->rcv_rtt_us / 4 + rtt / 4 : rtt;
}

/* What the window should be when the application takes `bytes` in a round trip. */
static uint32_t window_for(const struct toe_tcb *t, uint64_t bytes)
{
	uint64_t want = 2 * bytes + SLACK_SEGS * t->mss;

	/* A sender in slow start is ahead of us by what we have grown since. */
	if (t->tune_bytes)
		want += 2 * want * (bytes - t->tune_bytes) / t->tune_bytes;
	return (uint32_t)toe_min64(want, toe_min64(t->rcv_most, 65535ull << t->rcv_wscale));
}

static uint64_t receiver_rtt(const struct toe_tcb *t)
{
	if (t->flags & TOE_TCB_TS && t->rcv_rtt_us)
		return t->rcv_rtt_us;
	return t->rcv_rtt_us | t->srtt_us ? toe_max32(t->rcv_rtt_us, t->srtt_us) : RTT_UNKNOWN_US;
}

/* The application has read. */
uint32_t toe_tune_recv(struct toe_tcb *t, uint64_t now)
{
	uint64_t rtt = receiver_rtt(t);
	uint64_t bytes = t->rcv_read - t->tune_read, time = now - t->tune_at;

	if (!t->rcv_most)
		return toe_buf_wants(t);
	if (t->tune_at && time < rtt)
		return toe_buf_wants(t);
	if (t->tune_at)
		bytes = bytes * rtt / time;
	else
		bytes = 0;
	t->tune_at = now;
	t->tune_read = t->rcv_read;
	if (bytes <= t->tune_bytes)
		return toe_buf_wants(t);
	t->rcv_want = toe_max32(t->rcv_want, window_for(t, bytes));
	t->tune_bytes = (uint32_t)bytes;
	return toe_tcp_fit(t) | toe_buf_wants(t);
}

/*
 * What a full pipe makes use of: two windows. What was SACKed, or is lost, takes space until all before
 * it has arrived, but nothing of cwnd.
 */
static uint64_t two_windows(const struct toe_tcb *t)
{
	uint64_t held = (uint64_t)t->sacked + t->lost, two = 2ull * t->cwnd;

	/*
	 * A ring is replaced when all is acknowledged that the last one had promised. By then cwnd has
	 * doubled in slow start; what is written too late leaves in bursts.
	 */
	if (t->cwnd < t->ssthresh)
		two = toe_min64(2 * two, 2ull * t->ssthresh);
	return two + held;
}

uint32_t toe_tcp_snd_ring(const struct toe_tcb *t)
{
	uint64_t soft = (uint64_t)t->snd_want + toe_half_window(t);

	if (!(t->opts & TOE_TCB_SND_SET))
		return t->snd_want;
	soft = toe_min64(toe_min64(soft, TOE_BUF_MAX), two_windows(t));
	return toe_max32(t->snd_want, (uint32_t)soft);
}

/* The application waits for space: is it the buffer, or its ring, that holds the connection back? */
uint32_t toe_tune_send(struct toe_tcb *t)
{
	uint32_t want;

	if (t->opts & TOE_TCB_SND_SET) {
		want = toe_tcp_snd_ring(t);
		return toe_buf_wants(t) | (want > toe_ring_size(t->snd_ring) ? TOE_ACT_GROW : 0);
	}
	want = (uint32_t)toe_min64(two_windows(t), t->snd_most);
	if (want > t->snd_want) {
		t->snd_want = want;
		return toe_tcp_fit(t) | toe_buf_wants(t);
	}
	return toe_buf_wants(t);
}
