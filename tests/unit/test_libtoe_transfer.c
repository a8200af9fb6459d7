/* SPDX-License-Identifier: BSD-2-Clause */
/* manager/send.c, recv.c, vector.c, sendfile.c: the data path against a model of the firmware. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include "fake_toe.h"

static uint8_t pattern(uint64_t pos)
{
	return (uint8_t)(pos * 31 + pos / 251);
}

static void fill(uint8_t *p, uint64_t pos, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		p[i] = pattern(pos + i);
}

static bool is_pattern(const uint8_t *p, uint64_t pos, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (p[i] != pattern(pos + i))
			return false;
	return true;
}

/* Pieces of changing size, many times around both buffers. */
static void transfer__wraps(void)
{
	static uint8_t buf[50000], back[50000];
	uint32_t flow, n;
	uint64_t rx = 0, tx = 0;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);

	for (unsigned i = 0; i < 100; i++) {
		n = (i * 7919) % sizeof(buf) + 1;
		fill(buf, rx, n);
		fake_peer_send(flow, buf, n);
		CU_ASSERT_EQUAL(toe_recv(fd, back, sizeof(back), 0), n);
		CU_ASSERT(is_pattern(back, rx, n));
		rx += n;
		fill(buf, tx, n);
		CU_ASSERT_EQUAL(toe_send(fd, buf, n, 0), n);
		fake_step();
		CU_ASSERT_EQUAL(fake.flow[flow].sent, tx + n);
		fake_sent(flow, tx, back, n);
		CU_ASSERT(is_pattern(back, tx, n));
		tx += n;
	}
	toe_close(fd);
}

static void recv__empty_fin_and_reset(void)
{
	char b[16];
	int v = 0;
	socklen_t len = sizeof(v);
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);

	CU_ASSERT_EQUAL(toe_recv(fd, b, sizeof(b), 0), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	fake_peer_send(flow, "abc", 3);
	fake_peer_fin(flow);
	CU_ASSERT_EQUAL(toe_recv(fd, b, sizeof(b), 0), 3); /* data first */
	CU_ASSERT_EQUAL(toe_recv(fd, b, sizeof(b), 0), 0);
	CU_ASSERT_EQUAL(toe_recv(fd, b, sizeof(b), 0), 0);
	toe_close(fd);

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	fake_peer_send(flow, "abc", 3);
	fake_peer_rst(flow, ECONNRESET);
	CU_ASSERT_EQUAL(toe_recv(fd, b, sizeof(b), 0), 3);
	CU_ASSERT_EQUAL(toe_recv(fd, b, sizeof(b), 0), -1);
	CU_ASSERT_EQUAL(errno, ECONNRESET); /* once */
	CU_ASSERT_EQUAL(toe_recv(fd, b, sizeof(b), 0), 0);
	CU_ASSERT_EQUAL(toe_send(fd, b, 1, MSG_NOSIGNAL), -1);
	CU_ASSERT_EQUAL(errno, EPIPE);
	toe_close(fd);

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	fake_peer_fin(flow);
	fake_peer_rst(flow, EPIPE);
	CU_ASSERT_EQUAL(toe_recv(fd, b, sizeof(b), 0), 0); /* a stream that had its end */
	CU_ASSERT_EQUAL(toe_getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &len), 0);
	CU_ASSERT_EQUAL(v, EPIPE);
	toe_close(fd);
}

static volatile int sigpipes;

static void on_sigpipe(int sig)
{
	sigpipes++;
}

static void send__after_shutdown_is_a_broken_pipe(void)
{
	uint32_t flow;
	int fd = fake_pair(&flow, 0);

	signal(SIGPIPE, on_sigpipe);
	CU_ASSERT_EQUAL(toe_send(fd, "xy", 2, 0), 2);
	CU_ASSERT_EQUAL(toe_shutdown(fd, SHUT_WR), 0);
	fake_step();
	CU_ASSERT(fake.flow[flow].shut && fake.flow[flow].sent == 2);
	CU_ASSERT_EQUAL(toe_send(fd, "z", 1, MSG_NOSIGNAL), -1);
	CU_ASSERT_EQUAL(errno, EPIPE);
	CU_ASSERT_EQUAL(sigpipes, 0);
	CU_ASSERT_EQUAL(toe_write(fd, "z", 1), -1);
	CU_ASSERT_EQUAL(errno, EPIPE);
	CU_ASSERT_EQUAL(sigpipes, 1);
	toe_close(fd);
}

static void recv__peek_trunc_waitall(void)
{
	char b[16] = "";
	uint32_t flow;
	int fd = fake_pair(&flow, 0);

	fake_peer_send(flow, "abcdef", 6);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 3, MSG_PEEK), 3);
	CU_ASSERT_EQUAL(toe_recv(fd, b + 8, 2, MSG_TRUNC), 2); /* discards, stores nothing */
	CU_ASSERT_EQUAL(b[8], 0);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 1, 0), 1);
	CU_ASSERT_EQUAL(b[0], 'c');
	CU_ASSERT_EQUAL(toe_recv(fd, b, sizeof(b), MSG_WAITALL | MSG_DONTWAIT), 3);
	CU_ASSERT_EQUAL(toe_read(fd, b, 0), 0);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 0, MSG_DONTWAIT), -1); /* as Linux: it would wait */
	CU_ASSERT_EQUAL(errno, EAGAIN);
	toe_close(fd);
}

/*
 * The FPC hears of reading by quarters of the buffer, and sooner when the peer's window is nearly
 * shut.
 */
static void recv__tells_seldom(void)
{
	static uint8_t buf[TOE_BUF_DEFAULT];
	uint32_t flow;
	unsigned before;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);

	before = fake.count[TOE_SW_RECV];
	for (unsigned i = 0; i < 15; i++) {
		fake_peer_send(flow, buf, 1024);
		toe_recv(fd, buf, 1024, 0);
	}
	fake_step();
	CU_ASSERT_EQUAL(fake.count[TOE_SW_RECV], before);
	fake_peer_send(flow, buf, 1024);
	toe_recv(fd, buf, 1024, 0);
	fake_step();
	CU_ASSERT_EQUAL(fake.count[TOE_SW_RECV], before + 1);
	CU_ASSERT_EQUAL(fake.flow[flow].told, 16384);
	fake_peer_send(flow, buf, TOE_BUF_DEFAULT); /* full: window 0 */
	toe_recv(fd, buf, 3000, 0);
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].told, 16384 + 3000);
	toe_close(fd);
}

static void send__full_buffer(void)
{
	static uint8_t buf[TOE_BUF_DEFAULT + 1000];
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);

	toe_store(&fake.keep, true);
	CU_ASSERT_EQUAL(toe_send(fd, buf, sizeof(buf), 0), TOE_BUF_DEFAULT); /* partial */
	fake_step();
	CU_ASSERT(fake.flow[flow].want);
	CU_ASSERT_EQUAL(toe_send(fd, buf, 1, 0), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	fake_ack(flow);
	CU_ASSERT_EQUAL(toe_send(fd, buf, 1000, MSG_MORE), 1000);
	fake_step();
	CU_ASSERT(fake.flow[flow].send_flags & TOE_SEND_MORE);
	CU_ASSERT_EQUAL(toe_send(fd, buf, 0, 0), 0);
	toe_store(&fake.keep, false);
	toe_close(fd);
}

/* Space is told of, and used before anybody has heard: who waits for it must still be told. */
static void send__takes_the_space_that_is_told_of(void)
{
	static uint8_t buf[TOE_BUF_DEFAULT + 1];
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);

	toe_store(&fake.keep, true);
	CU_ASSERT_EQUAL(toe_send(fd, buf, sizeof(buf), 0), TOE_BUF_DEFAULT);
	fake_step();
	fake_ack(flow);
	CU_ASSERT_FALSE(fake.flow[flow].want);
	CU_ASSERT_EQUAL(toe_send(fd, buf, TOE_BUF_DEFAULT, 0), TOE_BUF_DEFAULT); /* all of it */
	fake_step();
	CU_ASSERT(fake.flow[flow].want);
	toe_store(&fake.keep, false);
	toe_close(fd);
}

static void *drain(void *arg)
{
	uint32_t flow = *(uint32_t *)arg;

	for (unsigned i = 0; i < 40; i++) {
		usleep(2000);
		fake_ack(flow);
	}
	return NULL;
}

static void send__blocks_until_there_is_room(void)
{
	static uint8_t buf[5 * TOE_BUF_DEFAULT];
	uint32_t flow;
	pthread_t t;
	int fd;

	fake_start();
	fd = fake_pair(&flow, 0);
	toe_store(&fake.keep, true);
	pthread_create(&t, NULL, drain, &flow);
	CU_ASSERT_EQUAL(toe_send(fd, buf, sizeof(buf), 0), sizeof(buf));
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(fake_sent_end(flow), sizeof(buf));
	toe_store(&fake.keep, false);
	toe_close(fd);
	fake_stop();
}

static void *late_sender(void *arg)
{
	usleep(20000);
	fake_peer_send(*(uint32_t *)arg, "abc", 3);
	usleep(20000);
	fake_peer_send(*(uint32_t *)arg, "def", 3);
	return NULL;
}

static void recv__blocks_and_times_out(void)
{
	struct timeval tv = { .tv_usec = 30000 };
	struct timespec a, b;
	uint32_t flow;
	pthread_t t;
	char buf[8];
	int fd;

	fake_start();
	fd = fake_pair(&flow, 0);
	pthread_create(&t, NULL, late_sender, &flow);
	CU_ASSERT_EQUAL(toe_recv(fd, buf, 6, MSG_WAITALL), 6);
	CU_ASSERT(!memcmp(buf, "abcdef", 6));
	pthread_join(t, NULL);
	toe_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	clock_gettime(CLOCK_MONOTONIC, &a);
	CU_ASSERT_EQUAL(toe_read(fd, buf, 1), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	clock_gettime(CLOCK_MONOTONIC, &b);
	CU_ASSERT((b.tv_sec - a.tv_sec) * 1000000000l + b.tv_nsec - a.tv_nsec >= 30000000l);
	toe_close(fd);
	fake_stop();
}

static void vector__scatter_gather(void)
{
	char a[4], b[3], c[8];
	struct iovec out[4] = { { "ab", 2 }, { "", 0 }, { "cdefg", 5 }, { "h", 1 } };
	struct iovec in[3] = { { a, 4 }, { b, 3 }, { c, 8 } };
	struct msghdr m = { .msg_iov = in, .msg_iovlen = 3 }, none = { 0 };
	uint32_t flow;
	char sent[8];
	int fd = fake_pair(&flow, SOCK_NONBLOCK);

	CU_ASSERT_EQUAL(toe_writev(fd, out, 4), 8);
	fake_step();
	fake_sent(flow, 0, sent, 8);
	CU_ASSERT(!memcmp(sent, "abcdefgh", 8));
	fake_peer_send(flow, "ABCDEFGHI", 9);
	CU_ASSERT_EQUAL(toe_recvmsg(fd, &none, 0), 0); /* there is something, and no place for it */
	CU_ASSERT_EQUAL(toe_recvmsg(fd, &m, 0), 9);
	CU_ASSERT(!memcmp(a, "ABCD", 4) && !memcmp(b, "EFG", 3) && !memcmp(c, "HI", 2));
	CU_ASSERT_EQUAL(toe_readv(fd, in, 3), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_EQUAL(toe_writev(fd, out, -1), -1);
	CU_ASSERT_EQUAL(errno, EINVAL);
	toe_close(fd);
}

static void sendfile__reads_into_the_buffer(void)
{
	static uint8_t buf[100000], sent[TOE_BUF_DEFAULT];
	int file = memfd_create("file", 0), fd;
	off_t off = 1000;
	uint32_t flow;

	fill(buf, 0, sizeof(buf));
	CU_ASSERT_EQUAL(write(file, buf, sizeof(buf)), sizeof(buf));
	toe_store(&fake.keep, true);
	fd = fake_pair(&flow, SOCK_NONBLOCK);
	CU_ASSERT_EQUAL(toe_sendfile(fd, file, &off, sizeof(buf)), TOE_BUF_DEFAULT);
	CU_ASSERT_EQUAL(off, 1000 + TOE_BUF_DEFAULT);
	fake_sent(flow, 0, sent, sizeof(sent));
	CU_ASSERT(is_pattern(sent, 1000, sizeof(sent)));
	CU_ASSERT_EQUAL(toe_sendfile(fd, file, &off, sizeof(buf)), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	fake_ack(flow);
	CU_ASSERT_EQUAL(toe_sendfile(fd, file, &off, sizeof(buf)),
			sizeof(buf) - 1000 - TOE_BUF_DEFAULT); /* to its end */
	CU_ASSERT_EQUAL(toe_sendfile(fd, file, &off, 10), 0);
	toe_store(&fake.keep, false);
	close(file);
	toe_close(fd);
}

static void splice__from_a_socket(void)
{
	static uint8_t buf[10000], got[10000];
	int p[2], fd;
	uint32_t flow;
	off_t off = 0;

	fill(buf, 0, sizeof(buf));
	CU_ASSERT_EQUAL(pipe(p), 0);
	fd = fake_pair(&flow, SOCK_NONBLOCK);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 100, 0), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	fake_peer_send(flow, buf, sizeof(buf));
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 9000, 0), 9000);
	CU_ASSERT_EQUAL(read(p[0], got, sizeof(got)), 9000);
	CU_ASSERT(is_pattern(got, 0, 9000));
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 9000, 0), 1000); /* what is there */
	CU_ASSERT_EQUAL(read(p[0], got, sizeof(got)), 1000);
	CU_ASSERT(is_pattern(got, 9000, 1000));
	/* A full pipe takes nothing, and nothing is lost. */
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	fake_peer_send(flow, buf, sizeof(buf));
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 9000, 0), 4096);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 9000, SPLICE_F_NONBLOCK), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_EQUAL(read(p[0], got, sizeof(got)), 4096);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 100, 0), 100);
	CU_ASSERT_EQUAL(read(p[0], got, sizeof(got)), 100);
	CU_ASSERT(is_pattern(got, 4096, 100));
	CU_ASSERT_EQUAL(toe_splice(fd, &off, p[1], NULL, 100, 0), -1);
	CU_ASSERT_EQUAL(errno, ESPIPE);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, fd, NULL, 100, 0), -1);
	CU_ASSERT_EQUAL(errno, EINVAL);
	close(p[0]);
	close(p[1]);
	toe_close(fd);
}

/* What cannot be waited for, or never comes, is not waited for: the alarm ends who does. */
static void splice__does_not_wait_in_vain(void)
{
	uint8_t buf[5000] = { 0 };
	uint32_t flow;
	int p[2], fd = fake_pair(&flow, 0);

	alarm(10);
	signal(SIGPIPE, on_sigpipe);
	sigpipes = 0;
	CU_ASSERT_EQUAL(pipe2(p, O_NONBLOCK), 0);
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	fake_peer_send(flow, buf, sizeof(buf));
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, sizeof(buf), 0), 4096);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 100, 0), -1); /* full */
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[0], NULL, 100, 0), -1); /* the wrong end */
	CU_ASSERT_EQUAL(errno, EBADF);
	CU_ASSERT_EQUAL(toe_splice(p[1], NULL, fd, NULL, 100, 0), -1);
	CU_ASSERT_EQUAL(errno, EBADF);
	CU_ASSERT_EQUAL(toe_recv(fd, buf, sizeof(buf), 0), 904);
	close(p[0]);
	CU_ASSERT_EQUAL(toe_splice(fd, NULL, p[1], NULL, 100, 0), -1); /* nobody reads */
	CU_ASSERT_EQUAL(errno, EPIPE);
	CU_ASSERT_EQUAL(sigpipes, 1);
	alarm(0);
	close(p[1]);
	toe_close(fd);
}

static void splice__to_a_socket(void)
{
	static uint8_t buf[60000], sent[60000];
	int p[2], fd;
	uint32_t flow;

	fill(buf, 0, sizeof(buf));
	CU_ASSERT_EQUAL(pipe(p), 0);
	fd = fake_pair(&flow, SOCK_NONBLOCK);
	CU_ASSERT_EQUAL(toe_splice(p[0], NULL, fd, NULL, 100, SPLICE_F_NONBLOCK), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_EQUAL(write(p[1], buf, sizeof(buf)), sizeof(buf));
	CU_ASSERT_EQUAL(toe_splice(p[0], NULL, fd, NULL, 1 << 20, SPLICE_F_MORE), sizeof(buf));
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].send_flags, TOE_SEND_MORE);
	fake_sent(flow, 0, sent, sizeof(sent));
	CU_ASSERT(is_pattern(sent, 0, sizeof(sent)));
	close(p[1]);
	CU_ASSERT_EQUAL(toe_splice(p[0], NULL, fd, NULL, 100, 0),
			0); /* nobody will write any more */
	close(p[0]);
	toe_close(fd);
}

/* What the error queue says of sends with MSG_ZEROCOPY: their numbers, 1 + the last << 32; or -errno. */
static int64_t told(int fd, bool room)
{
	char ctl[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in))];
	struct msghdr m = { .msg_control = ctl, .msg_controllen = room ? sizeof(ctl) : 0 };
	struct sock_extended_err e;

	if (toe_recvmsg(fd, &m, MSG_ERRQUEUE))
		return -errno;
	CU_ASSERT_EQUAL(m.msg_flags, room ? MSG_ERRQUEUE : MSG_ERRQUEUE | MSG_CTRUNC);
	if (!room)
		return 0;
	CU_ASSERT_EQUAL(CMSG_FIRSTHDR(&m)->cmsg_level, IPPROTO_IP);
	CU_ASSERT_EQUAL(CMSG_FIRSTHDR(&m)->cmsg_type, IP_RECVERR);
	memcpy(&e, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(e));
	CU_ASSERT(!e.ee_errno && e.ee_origin == SO_EE_ORIGIN_ZEROCOPY &&
		  e.ee_code == SO_EE_CODE_ZEROCOPY_COPIED);
	return (int64_t)e.ee_info | (int64_t)(e.ee_data + 1) << 32;
}

static void zerocopy__tells_that_it_has_copied(void)
{
	int one = 1, ep = toe_epoll_create1(0), fd;
	struct epoll_event ev = { .events = EPOLLET }, got;
	uint32_t flow;

	fd = fake_pair(&flow, SOCK_NONBLOCK);
	CU_ASSERT_EQUAL(toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, MSG_ZEROCOPY), 2); /* not asked for */
	CU_ASSERT_EQUAL(told(fd, true), -EAGAIN);
	CU_ASSERT_EQUAL(toe_setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)), 0);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 0);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, MSG_ZEROCOPY), 2);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, 0), 2);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, MSG_ZEROCOPY), 2);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 1);
	CU_ASSERT_EQUAL(got.events, EPOLLERR);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &got, 1, 0), 0);
	CU_ASSERT_EQUAL(told(fd, true), 0 | 2ll << 32);
	CU_ASSERT_EQUAL(told(fd, true), -EAGAIN);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, MSG_ZEROCOPY), 2);
	CU_ASSERT_EQUAL(told(fd, true), 2 | 3ll << 32);
	CU_ASSERT_EQUAL(toe_send(fd, "ab", 2, MSG_ZEROCOPY), 2);
	CU_ASSERT_EQUAL(told(fd, false), 0);
	toe_close(fd);
	toe_close(ep);
}

enum { COPIES = 20000 };

struct asked {
	int fd;
	bool over; /* nothing more will be sent */
	uint32_t n; /* that this thread was told of */
};

static void *ask(void *arg)
{
	struct asked *a = arg;
	int64_t r;
	bool over;

	do {
		over = toe_load_acquire(&a->over);
		r = told(a->fd, true);
		CU_ASSERT(r == -EAGAIN || (r & 0xffffffff) < r >> 32);
		a->n += r < 0 ? 0 : (uint32_t)((r >> 32) - (r & 0xffffffff));
	} while (r >= 0 || !over);
	return NULL;
}

/* However many threads ask, each number is told once. */
static void zerocopy__many_ask(void)
{
	int one = 1;
	uint32_t flow;
	struct asked a[2] = { 0 };
	pthread_t t[2];

	fake_start();
	a[0].fd = a[1].fd = fake_pair(&flow, SOCK_NONBLOCK);
	toe_setsockopt(a[0].fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, ask, &a[i]);
	for (unsigned i = 0; i < COPIES; i++)
		CU_ASSERT_EQUAL(toe_send(a[0].fd, "x", 1, MSG_ZEROCOPY), 1);
	for (unsigned i = 0; i < 2; i++)
		toe_store_release(&a[i].over, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(a[0].n + a[1].n, COPIES);
	toe_close(a[0].fd);
	fake_stop();
}

static void *unstick(void *arg)
{
	usleep(30000);
	toe_store(&fake.stuck, false);
	return NULL;
}

/*
 * More commands than the ring holds while the FPC takes none: nothing is lost, nothing overwritten.
 */
static void push__full_ring(void)
{
	uint32_t flow;
	pthread_t t;
	int fd;

	fake_start();
	fd = fake_pair(&flow, SOCK_NONBLOCK);
	toe_store(&fake.stuck, true);
	pthread_create(&t, NULL, unstick, NULL);
	for (unsigned i = 0; i < TOE_SW_RING + 500; i++)
		CU_ASSERT_EQUAL(toe_send(fd, "x", 1, 0), 1);
	pthread_join(t, NULL);
	for (unsigned i = 0; i < 1000 && fake_sent_end(flow) != TOE_SW_RING + 500; i++)
		usleep(1000);
	CU_ASSERT_EQUAL(fake_sent_end(flow), TOE_SW_RING + 500);
	toe_close(fd);
	fake_stop();
}

struct two_way {
	int fd;
	uint32_t flow;
};

static void *writer(void *arg)
{
	struct two_way *w = arg;
	static uint8_t buf[3000];

	for (unsigned i = 0; i < 1000; i++)
		if (toe_send(w->fd, buf, sizeof(buf), 0) != sizeof(buf))
			return arg;
	return NULL;
}

static void *feeder(void *arg)
{
	struct two_way *w = arg;
	struct toe_flow_block *b = fake_block(w->flow);
	uint64_t pos = 0;
	uint8_t buf[1000];

	while (pos < 2000000) {
		if (pos + sizeof(buf) - toe_load_acquire(&b->app.rx_read) > TOE_BUF_DEFAULT) {
			usleep(100);
			continue;
		}
		fill(buf, pos, sizeof(buf));
		fake_peer_send(w->flow, buf, sizeof(buf));
		pos += sizeof(buf);
	}
	fake_peer_fin(w->flow);
	return NULL;
}

/* One socket, a thread that reads and one that writes. */
static void transfer__two_threads(void)
{
	struct two_way w;
	pthread_t a, b;
	static uint8_t buf[8192];
	uint64_t pos = 0;
	void *failed;
	ssize_t n;

	fake_start();
	w.fd = fake_pair(&w.flow, 0);
	pthread_create(&a, NULL, writer, &w);
	pthread_create(&b, NULL, feeder, &w);
	while ((n = toe_recv(w.fd, buf, sizeof(buf), 0)) > 0) {
		if (!is_pattern(buf, pos, (uint32_t)n))
			break;
		pos += (uint64_t)n;
	}
	CU_ASSERT_EQUAL(n, 0);
	CU_ASSERT_EQUAL(pos, 2000000);
	pthread_join(a, &failed);
	pthread_join(b, NULL);
	CU_ASSERT_PTR_NULL(failed);
	toe_close(w.fd);
	fake_stop();
}

static void *in_two_parts(void *arg)
{
	usleep(10000);
	fake_peer_send(*(uint32_t *)arg, "abc", 3);
	usleep(30000);
	fake_peer_send(*(uint32_t *)arg, "def", 3);
	return NULL;
}

/* Nothing is taken, but all is waited for. */
static void recv__peek_waits_for_all(void)
{
	uint32_t flow;
	int fd = fake_pair(&flow, 0);
	pthread_t t;
	char b[6];

	fake_start();
	pthread_create(&t, NULL, in_two_parts, &flow);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 6, MSG_PEEK | MSG_WAITALL), 6);
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 6, 0), 6);
	fake_peer_send(flow, "gh", 2);
	fake_peer_fin(flow);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 6, MSG_PEEK | MSG_WAITALL), 2);
	toe_close(fd);
	fake_stop();
	fake_step();
}

static int at_mark(int fd)
{
	int v = -1;

	toe_ioctl(fd, SIOCATMARK, &v);
	return v;
}

/* Five bytes, the fourth is urgent. */
static int with_urgent(uint32_t *flow)
{
	int fd = fake_pair(flow, SOCK_NONBLOCK);

	toe_store(&fake_block(*flow)->dev.rx_urg, 4);
	fake_peer_send(*flow, "abcXd", 5);
	return fd;
}

static void oob__out_of_band(void)
{
	struct epoll_event ev = { .events = EPOLLPRI };
	int ep = toe_epoll_create1(0), n = 0;
	uint32_t flow;
	int fd = with_urgent(&flow);
	char b[8];

	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 1);
	CU_ASSERT_EQUAL(ev.events, EPOLLPRI);
	toe_ioctl(fd, FIONREAD, &n);
	CU_ASSERT_EQUAL(n, 3);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 8, 0), 3); /* stops at the mark */
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB | MSG_PEEK) == 1 && b[0] == 'X');
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) == 1 && b[0] == 'X');
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) < 0 && errno == EINVAL);
	CU_ASSERT_EQUAL(toe_epoll_wait(ep, &ev, 1, 0), 0);
	CU_ASSERT(toe_recv(fd, b, 8, 0) == 1 && b[0] == 'd'); /* without it */
	CU_ASSERT_EQUAL(at_mark(fd), 0);
	/* Announced, not there. */
	toe_store(&fake_block(flow)->dev.rx_urg, 7);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) < 0 && errno == EAGAIN);
	fake_peer_send(flow, "eY", 2);
	CU_ASSERT(toe_recv(fd, b, 8, 0) == 1 && b[0] == 'e');
	CU_ASSERT(toe_recv(fd, b, 8, 0) < 0 && errno == EAGAIN); /* passes it */
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) < 0 && errno == EINVAL);
	toe_close(fd);
	toe_close(ep);
	fake_step();
}

static void oob__inline_and_sent(void)
{
	uint32_t flow;
	int fd = with_urgent(&flow), one = 1;
	char b[8];

	toe_setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	CU_ASSERT_EQUAL(toe_recv(fd, b, 8, 0), 3);
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) < 0 && errno == EINVAL);
	CU_ASSERT(toe_recv(fd, b, 8, 0) == 2 && b[0] == 'X');
	CU_ASSERT_EQUAL(toe_send(fd, "hey", 3, MSG_OOB), 3);
	fake_step();
	CU_ASSERT_EQUAL(fake.flow[flow].send_flags, TOE_SEND_OOB);
	CU_ASSERT_EQUAL(fake.flow[flow].sent, 3);
	toe_close(fd);
	fake_step();
}

/* Looking leaves the urgent byte where it is; nothing reads across it. */
static void oob__mark_of_peek_and_waitall(void)
{
	struct timeval tv = { .tv_usec = 20000 };
	struct msghdr m = { .msg_iovlen = 1 };
	uint32_t flow;
	int fd = with_urgent(&flow);
	char b[8];

	m.msg_iov = &(struct iovec){ b, 1 };
	toe_fcntl(fd, F_SETFL, 0);
	toe_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	CU_ASSERT_EQUAL(toe_recv(fd, b, 5, MSG_PEEK | MSG_WAITALL), 3);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 4, MSG_WAITALL), 3);
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_PEEK) == 1 && b[0] == 'd');
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	CU_ASSERT(toe_recvmsg(fd, &m, MSG_OOB) == 1 && b[0] == 'X' && m.msg_flags == MSG_OOB);
	CU_ASSERT(toe_recv(fd, b, 8, 0) == 1 && b[0] == 'd');
	/* It alone is nothing to look at. */
	toe_store(&fake_block(flow)->dev.rx_urg, 6);
	fake_peer_send(flow, "Y", 1);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_PEEK) < 0 && errno == EAGAIN);
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	CU_ASSERT(toe_recv(fd, b, 8, MSG_OOB) == 1 && b[0] == 'Y');
	CU_ASSERT(toe_recv(fd, b, 8, 0) < 0 && errno == EAGAIN); /* passes it */
	/* One that comes while a read waits for more ends it. */
	toe_store(&fake_block(flow)->dev.rx_urg, 9);
	fake_peer_send(flow, "efZ", 3);
	CU_ASSERT_EQUAL(toe_recv(fd, b, 8, MSG_WAITALL), 2);
	CU_ASSERT_EQUAL(at_mark(fd), 1);
	toe_close(fd);
	fake_step();
}

static void vector__null_is_a_bad_address(void)
{
	struct iovec v[2] = { { NULL, 0 }, { "ab", 2 } }, bad[2] = { { "ab", 2 }, { NULL, 1 } };
	char b[8];
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);

	CU_ASSERT(toe_write(fd, NULL, 10) < 0 && errno == EFAULT);
	CU_ASSERT(toe_writev(fd, bad, 2) < 0 && errno == EFAULT);
	CU_ASSERT_EQUAL(toe_write(fd, NULL, 0), 0);
	CU_ASSERT_EQUAL(toe_writev(fd, v, 2), 2);
	fake_step();
	CU_ASSERT_EQUAL(fake_sent_end(flow), 2);
	CU_ASSERT(toe_read(fd, NULL, 8) < 0 && errno == EAGAIN);
	fake_peer_send(flow, "hello", 5);
	CU_ASSERT(toe_read(fd, NULL, 8) < 0 && errno == EFAULT);
	CU_ASSERT_EQUAL(toe_recv(fd, NULL, 2, MSG_TRUNC), 2); /* is thrown away */
	CU_ASSERT(toe_read(fd, b, 8) == 3 && !memcmp(b, "llo", 3));
	toe_close(fd);
	fake_step();
}

/* What TCP_CM_INQ says, -1 if nothing. */
static int inq_of(int fd, size_t n, size_t room, int *flags)
{
	char b[16], control[64];
	struct iovec v = { b, n };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room
	};
	struct cmsghdr *c;
	int inq = -1;

	CU_ASSERT(toe_recvmsg(fd, &m, 0) >= 0);
	*flags = m.msg_flags;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == IPPROTO_TCP && c->cmsg_type == TCP_CM_INQ)
		memcpy(&inq, CMSG_DATA(c), sizeof(inq));
	return inq;
}

static void inq__tells_what_is_left(void)
{
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK), two = 2, one = 1, flags;

	fake_peer_send(flow, "0123456789", 10);
	CU_ASSERT_EQUAL(inq_of(fd, 1, 64, &flags), -1);
	CU_ASSERT(toe_setsockopt(fd, IPPROTO_TCP, TCP_INQ, &two, sizeof(two)) < 0 &&
		  errno == EINVAL);
	CU_ASSERT_EQUAL(toe_setsockopt(fd, IPPROTO_TCP, TCP_INQ, &one, sizeof(one)), 0);
	CU_ASSERT_EQUAL(inq_of(fd, 2, 64, &flags), 7);
	CU_ASSERT_EQUAL(inq_of(fd, 2, CMSG_LEN(sizeof(int)) - 1, &flags), -1);
	CU_ASSERT(flags & MSG_CTRUNC);
	CU_ASSERT_EQUAL(inq_of(fd, 5, CMSG_LEN(sizeof(int)), &flags), 0);
	fake_peer_send(flow, "ab", 2);
	fake_peer_fin(flow);
	CU_ASSERT_EQUAL(inq_of(fd, 1, 64, &flags), 1);
	CU_ASSERT_EQUAL(inq_of(fd, 1, 64, &flags), 1); /* the end of the stream */
	toe_close(fd);
	fake_step();
}

FAKE_MAIN("libtoe_transfer", T(vector__null_is_a_bad_address), T(inq__tells_what_is_left),
	  T(recv__peek_waits_for_all), T(oob__out_of_band), T(oob__inline_and_sent),
	  T(oob__mark_of_peek_and_waitall), T(transfer__wraps), T(recv__empty_fin_and_reset),
	  T(send__after_shutdown_is_a_broken_pipe), T(recv__peek_trunc_waitall),
	  T(recv__tells_seldom), T(send__full_buffer), T(send__takes_the_space_that_is_told_of),
	  T(send__blocks_until_there_is_room), T(recv__blocks_and_times_out),
	  T(vector__scatter_gather), T(sendfile__reads_into_the_buffer), T(splice__from_a_socket),
	  T(splice__does_not_wait_in_vain), T(splice__to_a_socket),
	  T(zerocopy__tells_that_it_has_copied), T(zerocopy__many_ask), T(push__full_ring),
	  T(transfer__two_threads))
