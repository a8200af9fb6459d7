/* SPDX-License-Identifier: BSD-2-Clause */
/* manager/send.c, recv.c, vector.c: the data path against a model of the firmware. */
#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "libtoe_calls.h"

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

/* What a flow was told of its send buffer; a write of `len` bytes takes so many. */
static ssize_t write_at(uint32_t limit, uint16_t burst, uint32_t open, uint64_t used, size_t len)
{
	static uint8_t buf[100000];
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);
	struct toe_flow_dev *d = &fake_block(flow)->dev;
	ssize_t n;

	CU_ASSERT_EQUAL(toe_send(fd, buf, used, 0), used);
	toe_store(&d->tx_limit, limit);
	toe_store(&d->tx_open, open);
	toe_store(&d->tx_burst, burst);
	n = toe_send(fd, buf, len, 0);
	if (n < 0)
		CU_ASSERT_EQUAL(errno, EAGAIN);
	toe_close(fd);
	fake_step();
	return n;
}

/* SO_SNDBUF is looked at before each burst: what leaves at once makes room for the one at its edge. */
static void send__beyond_a_set_limit(void)
{
	toe_store(&fake.keep, true);
	CU_ASSERT_EQUAL(write_at(42000, 0, 10000, 0, 100000), 42000); /* of no set size */
	CU_ASSERT_EQUAL(write_at(42000, 25000, 10000, 0, 100000), 60000);
	CU_ASSERT_EQUAL(write_at(42000, 25000, 10000, 0, 42000), 42000);
	CU_ASSERT_EQUAL(write_at(42000, 25000, 10000, 0, 42001), 42001);
	CU_ASSERT_EQUAL(write_at(50000, 16000, 10000, 0, 59000), 58000);
	CU_ASSERT_EQUAL(write_at(20000, 5000, 10000, 0, 100000), 20000);
	CU_ASSERT_EQUAL(write_at(8000, 4000, 20000, 0, 100000), 8000); /* all of it leaves */
	CU_ASSERT_EQUAL(write_at(9000, 4000, 20000, 0, 100000), 12000);
	CU_ASSERT_EQUAL(write_at(10000, 7000, 10000, 0, 100000), 17000);
	/* The windows let nothing more go. */
	CU_ASSERT_EQUAL(write_at(42000, 16000, 10000, 10000, 100000), 32000);
	CU_ASSERT_EQUAL(write_at(42000, 16000, 10000, 41999, 100000), 16000);
	CU_ASSERT_EQUAL(write_at(42000, 16000, 10000, 41999, 1), 1);
	CU_ASSERT_EQUAL(write_at(42000, 16000, 60000, 42000, 100000), -1);
	CU_ASSERT_EQUAL(write_at(42000, 16000, 60000, 50000, 1), -1);
	/* No further than the ring has room for whole ones. */
	CU_ASSERT_EQUAL(write_at(20000, 65000, 10000, 0, 100000), 65000);
	CU_ASSERT_EQUAL(write_at(42000, 65000, 10000, 30000, 100000), 35000);
	CU_ASSERT_EQUAL(write_at(20000, 7000, 40000, 19999, 100000), 7000);
	CU_ASSERT_EQUAL(write_at(42000, 30000, 10000, 0, 100000), 60000);
	CU_ASSERT_EQUAL(write_at(64000, 30000, 30000, 0, 100000), 64000);
	CU_ASSERT_EQUAL(write_at(65536, 30000, 30000, 0, 100000), 65536);
	toe_store(&fake.keep, false);
}

/* The mark bounds it as it bounds any write. */
static void send__beyond_a_set_limit_but_not_the_mark(void)
{
	static uint8_t buf[100000];
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK), mark = 1000;
	struct toe_flow_dev *d = &fake_block(flow)->dev;

	toe_store(&fake.keep, true);
	toe_setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &mark, sizeof(mark));
	toe_store(&d->tx_limit, 42000);
	toe_store(&d->tx_open, 10000);
	toe_store(&d->tx_burst, 16000);
	CU_ASSERT_EQUAL(toe_send(fd, buf, sizeof(buf), 0), 26000);
	toe_store(&fake.keep, false);
	toe_close(fd);
	fake_step();
}

/* Around the ring, always as much as it takes: nothing that is not acknowledged is written over. */
static void send__beyond_a_set_limit_wraps(void)
{
	static uint8_t buf[100000], back[TOE_BUF_DEFAULT];
	uint32_t flow, acked = 0, end = 0;
	int fd = fake_pair(&flow, SOCK_NONBLOCK);
	struct toe_flow_dev *d = &fake_block(flow)->dev;

	toe_store(&fake.keep, true);
	toe_store(&d->tx_limit, 20000);
	toe_store(&d->tx_burst, 30000);
	for (unsigned i = 0; i < 50; i++) {
		ssize_t n;

		toe_store(&d->tx_open, end + i * 977 % 20000);
		fill(buf, end, sizeof(buf));
		n = toe_send(fd, buf, sizeof(buf), 0);
		CU_ASSERT(end - acked < 20000 ? n >= (ssize_t)(20000 - (end - acked)) : n == -1);
		end += n > 0 ? (uint32_t)n : 0;
		CU_ASSERT(end - acked <= TOE_BUF_DEFAULT);
		fake_step();
		CU_ASSERT_EQUAL(fake.flow[flow].sent, end);
		fake_sent(flow, acked, back, end - acked);
		CU_ASSERT(is_pattern(back, acked, end - acked));
		acked += (end - acked) * (i % 4) / 3;
		toe_store_release(&d->tx_una, acked);
	}
	CU_ASSERT(end > 10 * TOE_BUF_DEFAULT);
	toe_store(&fake.keep, false);
	toe_close(fd);
	fake_step();
}

static void sendfile__beyond_a_set_limit(void)
{
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK), file = memfd_create("sendfile", MFD_CLOEXEC);
	struct toe_flow_dev *d = &fake_block(flow)->dev;

	CU_ASSERT_EQUAL(ftruncate(file, 100000), 0);
	toe_store(&fake.keep, true);
	toe_store(&d->tx_limit, 42000);
	toe_store(&d->tx_open, 10000);
	toe_store(&d->tx_burst, 25000);
	CU_ASSERT_EQUAL(toe_sendfile(fd, file, NULL, 100000), 60000);
	fake_step();
	CU_ASSERT(fake.flow[flow].want);
	toe_store(&fake.keep, false);
	toe_close(fd);
	close(file);
	fake_step();
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

/* Nothing is taken, but all is waited for. */
static void recv__peek_waits_for_all(void)
{
	uint32_t flow;
	int fd = fake_pair(&flow, 0);
	pthread_t t;
	char b[6];

	fake_start();
	pthread_create(&t, NULL, late_sender, &flow);
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

/* The same of everything else that a call takes by its address, and of lengths below 0. */
static void calls__null_is_a_bad_address(void)
{
	static struct iovec many[IOV_MAX + 1];
	struct msghdr no_iov = { .msg_iovlen = 1 };
	struct msghdr too_many = { .msg_iov = many, .msg_iovlen = IOV_MAX + 1 };
	struct sockaddr_in sa;
	struct epoll_event ev = { .events = EPOLLIN };
	socklen_t below = -1, none = 0;
	void *nowhere = NULL;
	uint32_t flow;
	int fd = fake_pair(&flow, SOCK_NONBLOCK), ep = toe_epoll_create1(0);

	CU_ASSERT_EQUAL(err((int)toe_readv(fd, NULL, 1)), EFAULT);
	CU_ASSERT_EQUAL(err((int)toe_writev(fd, NULL, 1)), EFAULT);
	CU_ASSERT_EQUAL(err((int)toe_recvmsg(fd, NULL, 0)), EFAULT);
	CU_ASSERT_EQUAL(err((int)toe_sendmsg(fd, NULL, 0)), EFAULT);
	CU_ASSERT_EQUAL(err((int)toe_recvmsg(fd, &no_iov, 0)), EFAULT);
	CU_ASSERT_EQUAL(err((int)toe_sendmsg(fd, &no_iov, 0)), EFAULT);
	CU_ASSERT_EQUAL(err((int)toe_recvmsg(fd, &too_many, 0)), EMSGSIZE);
	CU_ASSERT_EQUAL(err((int)toe_sendmsg(fd, &too_many, 0)), EMSGSIZE);
	CU_ASSERT_EQUAL(err((int)toe_readv(fd, many, IOV_MAX + 1)), EINVAL);
	CU_ASSERT_EQUAL(err(toe_connect(fd, (struct sockaddr *)&sa, below)), EINVAL);
	CU_ASSERT_EQUAL(err(toe_connect(fd, nowhere, sizeof(sa))), EFAULT);
	CU_ASSERT_EQUAL(err(toe_getsockname(fd, NULL, NULL)), EFAULT);
	CU_ASSERT_EQUAL(err(toe_getpeername(fd, (struct sockaddr *)&sa, NULL)), EFAULT);
	CU_ASSERT_EQUAL(err(toe_getpeername(fd, (struct sockaddr *)&sa, &below)), EINVAL);
	CU_ASSERT_EQUAL(toe_getpeername(fd, NULL, &none), 0);
	CU_ASSERT_EQUAL(none, sizeof(sa));
	CU_ASSERT_EQUAL(err(toe_accept(fake_listening, (struct sockaddr *)&sa, NULL)), EFAULT);
	CU_ASSERT_EQUAL(err(toe_ioctl(fd, FIONREAD, nowhere)), EFAULT);
	CU_ASSERT_EQUAL(err(toe_ioctl(fd, FIONBIO, nowhere)), EFAULT);
	CU_ASSERT_EQUAL(err(toe_ioctl(fd, 0x5555, nowhere)), ENOTTY);
	toe_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	CU_ASSERT_EQUAL(err(toe_epoll_wait(ep, NULL, 1, 0)), EFAULT);
	toe_close(ep);
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

FAKE_MAIN("libtoe_transfer", T(vector__null_is_a_bad_address), T(calls__null_is_a_bad_address),
	  T(inq__tells_what_is_left), T(recv__peek_waits_for_all), T(transfer__wraps),
	  T(recv__empty_fin_and_reset), T(send__after_shutdown_is_a_broken_pipe),
	  T(recv__peek_trunc_waitall), T(recv__tells_seldom), T(send__full_buffer),
	  T(send__takes_the_space_that_is_told_of), T(send__beyond_a_set_limit),
	  T(send__beyond_a_set_limit_but_not_the_mark), T(send__beyond_a_set_limit_wraps),
	  T(sendfile__beyond_a_set_limit), T(send__blocks_until_there_is_room),
	  T(recv__blocks_and_times_out), T(vector__scatter_gather), T(push__full_ring),
	  T(transfer__two_threads))
