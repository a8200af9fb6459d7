/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A wire with a bottleneck: forwards frames between two devices, each way through
 *
 *	dice (loss, bursts) -> queue of a rate (tail drop, ECN mark) -> dice (late, twice) -> delay
 *
 * The dice are functions of seed, direction and the packet's number in it, so the same packets
 * suffer again. Only TCP is harmed; the rest (ARP, ping) is late as well, but never lost.
 * The queue is a calculation on the kernel's time of arrival: that this program sleeps between
 * batches changes neither rate nor drops, and a frame is late by a tick at most.
 *
 * The devices' peers must send frames as they go onto a wire: checksums filled in, no TSO. SIGTERM
 * ends it; the last line is JSON: what happened, each way.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"

enum {
	POOL = 1 << 16, /* frames under way, both ways together */
	RING_BYTES = 16 << 20, /* received frames not looked at yet, each way */
	BATCH = 64,
	TICK_NS = 100000, /* shortest sleep: what comes in between is one batch */
	RETRIES = 100, /* of a full device queue, before a frame is given up */
	IDLE_MS = 100,
};

#define NSEC 1000000000ull

struct option_values {
	uint64_t seed;
	double rate; /* bytes per ns, 0 = unlimited */
	uint64_t delay_ns, late_ns;
	uint64_t queue, ecn; /* bytes, 0 = unlimited, never */
	uint32_t loss, dup, reorder; /* chances in 2^32 */
	uint32_t burst_begin, burst_end;
	bool one_way; /* only frames from the first device meet dice */
};

struct slot {
	uint64_t due; /* when it leaves here, ns */
	uint32_t frame, len;
};

/* Frames in the order of their time. */
struct fifo {
	struct slot *slot;
	uint32_t head, tail;
};

struct stats {
	uint64_t received, forwarded, bytes, lost, burst_lost, queue_lost, repeated, late, marked;
	uint64_t other, oversized, unsent, ring_lost, max_backlog, max_behind_ns;
};

struct way {
	int in, out;
	uint8_t *ring;
	uint32_t ring_next;
	uint64_t number; /* of the next TCP packet */
	bool dice, in_burst;
	uint64_t busy_until; /* the bottleneck, ns */
	struct fifo on_time, late;
	struct stats st;
};

static struct option_values opt;
static struct way way[2];
static uint32_t frame_room, ring_frames;
static uint8_t *pool;
static uint32_t free_list[POOL], nfree;
static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	stop = 1;
}

static void __attribute__((noreturn)) fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

/* Which of the dice is thrown. */
enum die { DIE_LOSS, DIE_BURST, DIE_REORDER, DIE_DUP };

/* The die's fall for the packet of that number (splitmix64 as a hash). */
static bool strikes(const struct way *w, enum die die, uint32_t chance)
{
	uint64_t z = opt.seed * 0x9e3779b97f4a7c15ull + (w->number << 3) + ((uint64_t)die << 1) +
		     (w == &way[1]);

	if (!chance || !w->dice)
		return false;
	for (int i = 0; i < 2; i++) {
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ z >> 27) * 0x94d049bb133111ebull;
		z ^= z >> 31;
	}
	return (uint32_t)(z >> 16) < chance;
}

static bool lost_on_the_way(struct way *w)
{
	if (strikes(w, DIE_BURST, w->in_burst ? opt.burst_end : opt.burst_begin))
		w->in_burst = !w->in_burst;
	if (w->in_burst) {
		w->st.burst_lost++;
		return true;
	}
	if (strikes(w, DIE_LOSS, opt.loss)) {
		w->st.lost++;
		return true;
	}
	return false;
}

/* Through the bottleneck: the time at which the frame is on the wire, or 0 if the queue is full. */
static uint64_t pass_queue(struct way *w, uint64_t at, uint8_t *f, uint32_t n)
{
	uint64_t backlog;

	if (opt.rate == 0)
		return at;
	if (w->busy_until < at)
		w->busy_until = at;
	backlog = (uint64_t)((double)(w->busy_until - at) * opt.rate);
	if (opt.queue && backlog + n > opt.queue)
		return 0;
	if (opt.ecn && backlog > opt.ecn && frame_is_tcp(f, n) && frame_mark_ce(f))
		w->st.marked++;
	if (backlog > w->st.max_backlog)
		w->st.max_backlog = backlog;
	w->busy_until += (uint64_t)((double)n / opt.rate);
	return w->busy_until;
}

static void enqueue(struct way *w, struct fifo *q, const uint8_t *f, uint32_t n, uint64_t due)
{
	struct slot *s;

	if (!nfree) {
		w->st.unsent++;
		return;
	}
	s = &q->slot[q->tail++ % POOL];
	s->frame = free_list[--nfree];
	s->len = n;
	s->due = due;
	memcpy(pool + (size_t)s->frame * frame_room, f, n);
}

/* A frame that came in at `at` (ns). */
static void admit(struct way *w, uint8_t *f, uint32_t n, uint64_t at)
{
	bool tcp = frame_is_tcp(f, n), late;
	uint64_t due;

	if (!tcp) {
		w->st.other++;
		due = (w->busy_until > at ? w->busy_until : at) + opt.delay_ns;
		enqueue(w, &w->on_time, f, n, due);
		return;
	}
	w->st.received++;
	w->number++;
	if (lost_on_the_way(w))
		return;
	due = pass_queue(w, at, f, n);
	if (!due) {
		w->st.queue_lost++;
		return;
	}
	late = strikes(w, DIE_REORDER, opt.reorder);
	w->st.late += late;
	due += opt.delay_ns + (late ? opt.late_ns : 0);
	enqueue(w, late ? &w->late : &w->on_time, f, n, due);
	if (strikes(w, DIE_DUP, opt.dup)) {
		w->st.repeated++;
		enqueue(w, late ? &w->late : &w->on_time, f, n, due);
	}
}

/* Everything that the kernel has put into the ring. */
static void take(struct way *w)
{
	for (;;) {
		struct tpacket2_hdr *h = (void *)(w->ring + (size_t)w->ring_next * frame_room);
		uint32_t status = __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);

		if (!(status & TP_STATUS_USER))
			return;
		if (h->tp_snaplen != h->tp_len)
			w->st.oversized++;
		else
			admit(w, (uint8_t *)h + h->tp_mac, h->tp_len,
			      h->tp_sec * NSEC + h->tp_nsec);
		__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		w->ring_next = (w->ring_next + 1) % ring_frames;
	}
}

/* The fifo whose first frame leaves first; NULL: nothing is under way. */
static struct fifo *first(struct way *w)
{
	struct fifo *a = &w->on_time, *b = &w->late;

	if (b->head == b->tail)
		return a->head == a->tail ? NULL : a;
	if (a->head == a->tail)
		return b;
	return a->slot[a->head % POOL].due <= b->slot[b->head % POOL].due ? a : b;
}

static uint64_t next_due(struct way *w)
{
	struct fifo *q = first(w);

	return q ? q->slot[q->head % POOL].due : UINT64_MAX;
}

/* Give frames to the device. A full device queue empties by itself in microseconds. */
static void transmit(struct way *w, struct mmsghdr *m, unsigned n)
{
	unsigned done = 0;

	for (unsigned tries = 0; done < n && tries < RETRIES; tries++) {
		int k = sendmmsg(w->out, m + done, n - done, MSG_DONTWAIT);

		if (k > 0) {
			done += (unsigned)k;
			tries = 0;
		}
	}
	w->st.forwarded += done;
	w->st.unsent += n - done;
}

/* Send a batch of what is due by `now`. False: nothing is. */
static bool send_due(struct way *w, uint64_t now)
{
	struct mmsghdr m[BATCH] = { 0 };
	struct iovec v[BATCH];
	uint32_t used[BATCH];
	unsigned n = 0;
	struct fifo *q;

	while (n < BATCH && (q = first(w)) && q->slot[q->head % POOL].due <= now) {
		struct slot *s = &q->slot[q->head++ % POOL];

		if (now - s->due > w->st.max_behind_ns)
			w->st.max_behind_ns = now - s->due;
		v[n] = (struct iovec){ pool + (size_t)s->frame * frame_room, s->len };
		m[n].msg_hdr = (struct msghdr){ .msg_iov = &v[n], .msg_iovlen = 1 };
		w->st.bytes += s->len;
		used[n++] = s->frame;
	}
	if (n)
		transmit(w, m, n);
	for (unsigned i = 0; i < n; i++)
		free_list[nfree++] = used[i];
	return n == BATCH;
}

/*
 * Until something is due, or could be: what arrives in the meantime is due after its delay at the
 * earliest. At least a tick; when nothing is under way, until something comes.
 */
static void rest(void)
{
	uint64_t now = now_ns(), due = next_due(&way[0]), other = next_due(&way[1]);
	struct pollfd pf[2] = { { .fd = way[0].in, .events = POLLIN },
				{ .fd = way[1].in, .events = POLLIN } };
	struct timespec t;

	due = other < due ? other : due;
	if (due == UINT64_MAX) {
		if (poll(pf, 2, IDLE_MS) < 0 && errno != EINTR)
			fail("poll");
		return;
	}
	if (due > now + opt.delay_ns)
		due = now + opt.delay_ns;
	if (due < now + TICK_NS)
		due = now + TICK_NS;
	t = (struct timespec){ (time_t)(due / NSEC), (long)(due % NSEC) };
	clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
}

static int open_device(const char *dev)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

	a.sll_ifindex = (int)if_nametoindex(dev);
	if (fd < 0 || !a.sll_ifindex)
		fail(dev);
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &(int){ RING_BYTES }, sizeof(int));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
		fail(dev);
	return fd;
}

/* Room of a frame, its header in the ring included: a power of two, so that blocks are full. */
static uint32_t room_for(int fd, const char *dev)
{
	struct ifreq r = { 0 };
	uint32_t room = 2048;

	strncpy(r.ifr_name, dev, sizeof(r.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFMTU, &r))
		fail(dev);
	while (room < (uint32_t)r.ifr_mtu + 18 + 128)
		room *= 2;
	return room;
}

static void map_ring(struct way *w)
{
	struct tpacket_req req = { .tp_block_size = 1 << 18, .tp_frame_size = frame_room };
	int version = TPACKET_V2;

	req.tp_block_nr = RING_BYTES / req.tp_block_size;
	req.tp_frame_nr = RING_BYTES / frame_room;
	ring_frames = req.tp_frame_nr;
	if (setsockopt(w->in, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(w->in, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		fail("PACKET_RX_RING");
	w->ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, w->in, 0);
	if (w->ring == MAP_FAILED)
		fail("mmap");
}

static void set_up(const char *a, const char *b)
{
	uint32_t other;

	way[0].in = way[1].out = open_device(a);
	way[1].in = way[0].out = open_device(b);
	frame_room = room_for(way[0].in, a);
	other = room_for(way[1].in, b);
	frame_room = other > frame_room ? other : frame_room;
	pool = mmap(NULL, (size_t)POOL * frame_room, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool == MAP_FAILED)
		fail("mmap");
	/* The lowest frames are used first, so few of them are ever touched. */
	while (nfree < POOL) {
		free_list[nfree] = POOL - 1 - nfree;
		nfree++;
	}
	for (int i = 0; i < 2; i++) {
		way[i].dice = i == 0 || !opt.one_way;
		way[i].on_time.slot = calloc(POOL, sizeof(struct slot));
		way[i].late.slot = calloc(POOL, sizeof(struct slot));
		map_ring(&way[i]);
	}
}

static void print_way(struct way *w, const char *name, const char *end)
{
	struct tpacket_stats ts = { 0 };
	struct stats *s = &w->st;
	const struct {
		const char *name;
		const uint64_t *value;
	} field[] = {
		{ "received", &s->received },     { "forwarded", &s->forwarded },
		{ "bytes", &s->bytes },           { "lost", &s->lost },
		{ "burst_lost", &s->burst_lost }, { "queue_lost", &s->queue_lost },
		{ "repeated", &s->repeated },     { "late", &s->late },
		{ "marked", &s->marked },         { "other", &s->other },
		{ "oversized", &s->oversized },   { "unsent", &s->unsent },
		{ "ring_lost", &s->ring_lost },   { "max_backlog", &s->max_backlog },
	};
	socklen_t n = sizeof(ts);

	getsockopt(w->in, SOL_PACKET, PACKET_STATISTICS, &ts, &n);
	s->ring_lost = ts.tp_drops;
	printf("\"%s\": {", name);
	for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++)
		printf("\"%s\": %llu, ", field[i].name, (unsigned long long)*field[i].value);
	printf("\"max_behind_us\": %llu}%s", (unsigned long long)(s->max_behind_ns / 1000), end);
}

static const char usage[] =
    "usage: forwarder [OPTION...] DEVICE DEVICE\n"
    "  --seed N         of the dice (1)\n"
    "  --rate MBIT      of the bottleneck, each way (unlimited)\n"
    "  --queue BYTES    in front of it (unlimited)\n"
    "  --ecn BYTES      queue above which ECN-capable packets are marked (never)\n"
    "  --delay US       one way (0)\n"
    "  --loss PCT       of all TCP packets, independent\n"
    "  --burst PCT,LEN  chance that a burst of losses begins, its mean length in packets\n"
    "  --reorder PCT    are late by --late US\n"
    "  --dup PCT        come twice\n"
    "  --one-way        dice only for what comes from the first device\n";

/* Percent to a chance in 2^32. */
static uint32_t chance(double percent)
{
	return percent >= 100 ? UINT32_MAX : (uint32_t)(percent / 100 * 4294967296.0);
}

/* The options with a number, in the order of their names below. */
enum option_index {
	SEED,
	RATE,
	QUEUE,
	ECN,
	DELAY,
	LOSS,
	BURST,
	REORDER,
	LATE,
	DUP,
	ONE_WAY,
	NOPTS
};

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seed", 1, NULL, SEED },       { "rate", 1, NULL, RATE },
		{ "queue", 1, NULL, QUEUE },     { "ecn", 1, NULL, ECN },
		{ "delay", 1, NULL, DELAY },     { "loss", 1, NULL, LOSS },
		{ "burst", 1, NULL, BURST },     { "reorder", 1, NULL, REORDER },
		{ "late", 1, NULL, LATE },       { "dup", 1, NULL, DUP },
		{ "one-way", 0, NULL, ONE_WAY }, { 0 },
	};
	double v[NOPTS] = { 1 }, burst_len = 1;
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) >= 0 && c < NOPTS) {
		char *rest_of = NULL;

		v[c] = optarg ? strtod(optarg, &rest_of) : 1;
		if (c == BURST && *rest_of == ',')
			burst_len = strtod(rest_of + 1, &rest_of);
		if (optarg && (rest_of == optarg || *rest_of))
			break;
	}
	if (c >= 0 || argc - optind != 2) {
		fputs(usage, stderr);
		exit(2);
	}
	opt = (struct option_values){
		.seed = (uint64_t)v[SEED],
		.rate = v[RATE] / 8000,
		.queue = (uint64_t)v[QUEUE],
		.ecn = (uint64_t)v[ECN],
		.delay_ns = (uint64_t)(v[DELAY] * 1000),
		.late_ns = (uint64_t)(v[LATE] * 1000),
		.loss = chance(v[LOSS]),
		.dup = chance(v[DUP]),
		.reorder = chance(v[REORDER]),
		.burst_begin = chance(v[BURST]),
		.burst_end = chance(100 / burst_len),
		.one_way = v[ONE_WAY] > 0,
	};
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };
	struct sched_param prio = { .sched_priority = 1 };

	parse(argc, argv);
	set_up(argv[optind], argv[optind + 1]);
	sigaction(SIGTERM, &sa, NULL);
	/* It works in short batches, and being late is a property of the wire. */
	prctl(PR_SET_TIMERSLACK, 1);
	sched_setscheduler(0, SCHED_RR, &prio);
	printf("ready\n");
	fflush(stdout);
	while (!stop) {
		bool more = false;
		uint64_t now;

		for (int i = 0; i < 2; i++)
			take(&way[i]);
		now = now_ns() + (opt.delay_ns ? TICK_NS / 2 : 0);
		for (int i = 0; i < 2; i++)
			more |= send_due(&way[i], now);
		if (!more)
			rest();
	}
	printf("{");
	print_way(&way[0], "forth", ", ");
	print_way(&way[1], "back", "}\n");
	return 0;
}
