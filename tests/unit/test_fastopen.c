/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP Fast Open: cookies, and the TCB between SYN and the handshake's end. */
#include "tcp_env.h"

#include "firmware/core/fastopen.h"

static const uint64_t key[2] = { 0x0123456789abcdefull, 0xfedcba9876543210ull };

static struct toe_tuple from(uint8_t host, uint16_t port)
{
	return (struct toe_tuple){ .laddr = { [10] = 0xff, 0xff, 10, 0, 0, 1 },
				   .raddr = { [10] = 0xff, 0xff, 10, 0, 0, host },
				   .lport = 80,
				   .rport = port };
}

static void cookie__belongs_to_an_address(void)
{
	struct toe_tuple a = from(2, 1), b = from(2, 2), c = from(3, 1);
	struct toe_fo_cookie x, y;

	toe_fast_cookie(key, &a, 7, &x);
	CU_ASSERT_EQUAL(x.len, 8);
	toe_fast_cookie(key, &b, 7, &y);
	CU_ASSERT(!memcmp(x.b, y.b, 8));
	toe_fast_cookie(key, &c, 7, &y);
	CU_ASSERT(memcmp(x.b, y.b, 8));
	toe_fast_cookie(key, &a, 8, &y);
	CU_ASSERT(memcmp(x.b, y.b, 8));
}

static void cookie__belongs_to_all_of_an_ipv6_address(void)
{
	struct toe_tuple a = { .laddr = { 0x20, 1 }, .raddr = { 0x20, 1, [15] = 2 } }, b;
	struct toe_fo_cookie x, y;

	toe_fast_cookie(key, &a, 7, &x);
	for (unsigned i = 0; i < 16; i++) {
		b = a;
		b.raddr[i] ^= 4;
		toe_fast_cookie(key, &b, 7, &y);
		CU_ASSERT(memcmp(x.b, y.b, 8));
	}
}

/* Those that Linux makes: SipHash-2-4 of the addresses as they are on the wire. */
static void cookie__of_a_listeners_key(void)
{
	const uint8_t bytes[TOE_FO_KEY] = "0123456789abcdef";
	struct toe_tuple a = from(2, 1), b = from(2, 1);
	struct toe_fo_cookie c;
	uint64_t k[2];

	memcpy(k, bytes, sizeof(k));
	toe_fast_cookie_keyed(k, &a, &c);
	CU_ASSERT(c.len == 8 && !memcmp(c.b, "\xba\x9c\x4f\x91\xcc\x4e\x45\x94", 8));
	b.laddr[15] = 9;
	toe_fast_cookie_keyed(k, &b, &c);
	CU_ASSERT(memcmp(c.b, "\xba\x9c\x4f\x91\xcc\x4e\x45\x94", 8));
	memcpy(a.raddr, "\xfd\x3d\xfa\x7b\xd1\x7d\0\0\0\0\0\0\0\0\0\1", 16);
	memcpy(a.laddr, "\xfd\x3d\x0a\x0b\x17\xd6\0\0\0\0\0\0\0\0\0\1", 16);
	toe_fast_cookie_keyed(k, &a, &c);
	CU_ASSERT(!memcmp(c.b, "\xb8\x9b\xd7\x45\x81\xa3\xed\xc7", 8));
}

static struct env passive(uint32_t len, uint8_t fast)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	syn.len = len;
	how.fast = fast;
	how.fo = (struct toe_fo_cookie){ .len = 4, .b = { 1, 2, 3, 4 } };
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	return e;
}

static void passive__data_of_the_syn(void)
{
	struct env e = passive(100, TOE_FAST_DATA);

	CU_ASSERT(e.act & TOE_ACT_ACCEPT);
	CU_ASSERT(toe_tcp_early(&e.t));
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 100);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(env_out_ack(&e, 0), 100);
	CU_ASSERT_EQUAL(e.o[0].wnd, 65535 - 100);
	env_in(&e, TOE_ACK, 100, 0, 0);
	CU_ASSERT(e.act & TOE_ACT_ESTABLISHED);
	CU_ASSERT_FALSE(toe_tcp_early(&e.t));
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 100);
}

static void passive__without_a_cookie(void)
{
	struct env e = passive(100, TOE_FAST_OPTION);

	CU_ASSERT_FALSE(e.act & TOE_ACT_ACCEPT);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 0);
	CU_ASSERT_EQUAL(env_out_ack(&e, 0), 0);
	CU_ASSERT_EQUAL(e.o[0].opt_len, 12);
	CU_ASSERT(!memcmp(e.o[0].opt + 4, "\x22\x06\x01\x02\x03\x04\x01\x01", 8));
	env_timer(&e); /* the option may be what got lost */
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].opt_len, 4);
}

/* What a SYN may bring is what the window takes. */
static void passive__more_than_the_window(void)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	how.rcv_size = 4096;
	how.fast = TOE_FAST_DATA;
	syn.len = 5000;
	env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 4096);
	CU_ASSERT_EQUAL(e.o[0].wnd, 0);
}

static void passive__timeout_keeps_data_in_flight(void)
{
	struct env e = passive(100, TOE_FAST_DATA);
	uint64_t max;

	env_write(&e, 500);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 500);
	max = e.t.snd_max;
	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN | TOE_ACK);
	CU_ASSERT_EQUAL(e.t.snd_max, max);
	/* The data had arrived: nothing goes again. */
	env_in(&e, TOE_ACK, 100, 0, 500);
	CU_ASSERT_EQUAL(e.n, 0);
	CU_ASSERT_EQUAL(toe_tcp_tx_una(&e.t), 500);
}

static void passive__data_goes_again(void)
{
	struct env e = passive(100, TOE_FAST_DATA);

	env_write(&e, 500);
	env_timer(&e);
	env_in(&e, TOE_ACK, 100, 0, 0);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 500);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 0);
	CU_ASSERT(e.o[0].rexmit);
	env_in(&e, TOE_ACK, 100, 0, 500);
	CU_ASSERT_EQUAL(toe_tcp_tx_una(&e.t), 500);
}

static void passive__gives_up(void)
{
	struct env e = passive(100, TOE_FAST_DATA);

	for (unsigned i = 0; i < 20 && !(e.act & TOE_ACT_FREE); i++)
		env_timer(&e);
	CU_ASSERT(e.act & TOE_ACT_ERROR);
	CU_ASSERT_EQUAL(e.t.error, ETIMEDOUT);
}

static void passive__reset(void)
{
	struct env e = passive(100, TOE_FAST_DATA);

	env_in(&e, TOE_RST, 100, 0, 0);
	CU_ASSERT(e.act & TOE_ACT_ERROR);
	CU_ASSERT_EQUAL(e.t.error, ECONNRESET);
}

static void passive__unread_data_resets(void)
{
	struct env e = passive(100, TOE_FAST_DATA);

	env_run(&e, toe_tcp_close(&e.t, e.now));
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(e.o[0].flags & TOE_RST);
}

/* An active open; `fast` as toe_open's. */
static struct env active(uint8_t fast)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();

	how.fast = fast;
	how.fo = (struct toe_fo_cookie){ .len = fast & TOE_FAST_DATA ? 4 : 0, .b = { 1, 2, 3, 4 } };
	how.fo_mss = 700;
	env_run(&e, toe_tcp_open_active(&e.t, &how, e.now));
	return e;
}

static void syn_ack(struct env *e, uint32_t acked)
{
	struct toe_seg s = env_syn(e);

	s.flags |= TOE_ACK;
	s.ack = ENV_ISN + 1 + acked;
	env_run(e, toe_tcp_input(&e->t, &s, e->now));
}

static void active__asks_for_a_cookie(void)
{
	struct env e = active(TOE_FAST_OPTION);

	CU_ASSERT_FALSE(toe_tcp_eager(&e.t));
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].opt_len, 24);
	CU_ASSERT(!memcmp(e.o[0].opt + 20, "\x22\x02\x01\x01", 4));
	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].opt_len, 20);
}

static struct env active_sent(uint32_t len)
{
	struct env e = active(TOE_FAST_OPTION | TOE_FAST_DATA);

	CU_ASSERT(toe_tcp_eager(&e.t));
	CU_ASSERT_EQUAL(e.n, 0);
	env_write(&e, len);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN);
	CU_ASSERT_EQUAL(e.o[0].pos, 0);
	return e;
}

static void active__data_with_the_syn(void)
{
	struct env e = active_sent(500);

	CU_ASSERT_EQUAL(e.o[0].len, 500);
	CU_ASSERT_EQUAL(toe_tcp_eager_len(&e.t), 500);
	CU_ASSERT(!memcmp(e.o[0].opt + 20, "\x22\x06\x01\x02\x03\x04\x01\x01", 8));
	syn_ack(&e, 500);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_ESTABLISHED);
	CU_ASSERT_EQUAL(toe_tcp_tx_una(&e.t), 500);
	CU_ASSERT(env_only_ack(&e, 0));
}

/* The MSS known, without all options that may be; the rest once the handshake is done. */
static void active__more_than_the_syn_takes(void)
{
	struct env e = active_sent(2000);

	CU_ASSERT_EQUAL(e.o[0].len, 700 - 40);
	CU_ASSERT_EQUAL(toe_tcp_eager_len(&e.t), 700 - 40);
	env_write(&e, 2100);
	CU_ASSERT_EQUAL(e.n, 0);
	syn_ack(&e, 700 - 40);
	CU_ASSERT_EQUAL(e.n, 2);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 700 - 40);
}

static void active__only_the_syn_acknowledged(void)
{
	struct env e = active_sent(500);

	syn_ack(&e, 0);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 0);
	CU_ASSERT_EQUAL(e.o[0].len, 500);
	CU_ASSERT(e.o[0].rexmit);
	env_in(&e, TOE_ACK, 0, 0, 500);
	CU_ASSERT_EQUAL(toe_tcp_tx_una(&e.t), 500);
	CU_ASSERT_EQUAL(e.n, 0);
}

static void active__a_part_acknowledged(void)
{
	struct env e = active_sent(500);

	syn_ack(&e, 200);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 200);
	CU_ASSERT_EQUAL(e.o[0].len, 300);
}

static void active__lost(void)
{
	struct env e = active_sent(500);

	env_timer(&e);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN);
	CU_ASSERT_EQUAL(e.o[0].len, 0);
	CU_ASSERT_EQUAL(e.o[0].opt_len, 20);
	syn_ack(&e, 0);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].len, 500);
}

static void active__nothing_written(void)
{
	struct env e = active(TOE_FAST_OPTION | TOE_FAST_DATA);

	CU_ASSERT_EQUAL(e.n, 0);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), 0); /* for as long as the application likes */
	env_write(&e, 0);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN);
	CU_ASSERT_EQUAL(e.o[0].len, 0);
	CU_ASSERT_EQUAL(e.t.rexmits, 0);
	syn_ack(&e, 0);
	CU_ASSERT(env_only_ack(&e, 0));
}

static void active__too_big(void)
{
	struct env e = active(TOE_FAST_OPTION | TOE_FAST_DATA);

	env_write(&e, 600);
	CU_ASSERT(e.n == 1 && e.o[0].len == 600);
	e.now += 10000;
	env_run(&e, toe_tcp_too_big(&e.t, ENV_ISN, 600, 672, e.now));
	CU_ASSERT(e.n == 1 && e.o[0].flags == TOE_SYN && !e.o[0].len && e.o[0].opt_len == 20);
	CU_ASSERT_EQUAL(toe_tcp_deadline(&e.t), e.now + TOE_RTO_INIT_US);
	/* Once: what is lost now was not too large. */
	env_run(&e, toe_tcp_too_big(&e.t, ENV_ISN, 580, 600, e.now));
	CU_ASSERT_EQUAL(e.n, 0);
	syn_ack(&e, 0);
	CU_ASSERT(e.n == 2 && e.o[0].len == 540 && e.o[0].rexmit && e.o[1].len == 60);
}

/* What comes with a SYN-ACK lies where it belongs, as far as the window of our SYN goes. */
static void active__data_with_the_syn_ack(void)
{
	struct env e = active(0);
	struct toe_span span[TOE_MAX_SPANS];
	struct toe_seg s = env_syn(&e);

	e.t.rcv_size = e.t.rcv_want = 4096;
	s.len = 5000;
	CU_ASSERT_EQUAL(toe_tcp_place(&e.t, &s, span), 0); /* a SYN alone */
	s.flags |= TOE_ACK;
	s.ack = ENV_ISN + 1;
	CU_ASSERT_EQUAL(toe_tcp_place(&e.t, &s, span), 1);
	CU_ASSERT(span[0].pos == 0 && span[0].off == 0 && span[0].len == 4096);
	env_run(&e, toe_tcp_input(&e.t, &s, e.now));
	CU_ASSERT(e.act & TOE_ACT_RX && e.act & TOE_ACT_ESTABLISHED);
	CU_ASSERT_EQUAL(toe_tcp_rx_end(&e.t), 4096);
	CU_ASSERT(e.n == 1 && env_out_ack(&e, 0) == 4096);
}

static void active__closed_with_data(void)
{
	struct env e = active_sent(500);

	env_run(&e, toe_tcp_close(&e.t, e.now));
	CU_ASSERT_FALSE(e.act & TOE_ACT_FREE);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_SYN_SENT);
	syn_ack(&e, 500);
	CU_ASSERT_EQUAL(e.t.state, TOE_TCP_FIN_WAIT_1);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT(e.o[0].flags & TOE_FIN);
	e = active(TOE_FAST_OPTION | TOE_FAST_DATA);
	env_run(&e, toe_tcp_close(&e.t, e.now));
	CU_ASSERT(e.act & TOE_ACT_FREE);
	CU_ASSERT_EQUAL(e.n, 0);
}

static void active__refused(void)
{
	struct env e = active_sent(500);

	env_in(&e, TOE_RST | TOE_ACK, 0, 0, 500);
	CU_ASSERT(e.act & TOE_ACT_ERROR);
	CU_ASSERT_EQUAL(e.t.error, ECONNREFUSED);
}

/* Both ends open at once: the peer's SYN acknowledges nothing of ours. */
static void active__crossed_by_a_syn(void)
{
	struct env e = active_sent(500);
	struct toe_seg syn = env_syn(&e);

	env_run(&e, toe_tcp_input(&e.t, &syn, e.now));
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN | TOE_ACK);
	CU_ASSERT_EQUAL(e.o[0].len, 0);
	env_in(&e, TOE_ACK, 0, 0, 0);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(env_out_seq(&e, 0), 0);
	CU_ASSERT_EQUAL(e.o[0].len, 500);
	e = active(TOE_FAST_OPTION | TOE_FAST_DATA);
	env_run(&e, toe_tcp_input(&e.t, &syn, e.now));
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN | TOE_ACK);
}

/* The application has the connection: what routers say of it is no more than a reason, as later on. */
static void passive__unreachable_is_soft(void)
{
	struct env e = passive(100, TOE_FAST_DATA);

	env_run(&e, toe_tcp_unreachable(&e.t, ENV_ISN, EHOSTUNREACH, e.now));
	CU_ASSERT_FALSE(e.act & TOE_ACT_FREE);
	CU_ASSERT_FALSE(e.t.flags & TOE_TCB_CLOSED_BY_APP);
	while (e.t.state != TOE_TCP_CLOSED)
		env_timer(&e);
	CU_ASSERT(e.act & TOE_ACT_ERROR);
	CU_ASSERT_EQUAL(e.t.error, EHOSTUNREACH);
}

/* A smaller buffer takes nothing back, and the SYN-ACK that goes again does not say so either. */
static void passive__smaller_buffer_meanwhile(void)
{
	struct env e = passive(5000, TOE_FAST_DATA);

	CU_ASSERT(toe_tcp_option(&e.t, TOE_OPT_RCVBUF, 4096, e.now) >= 0);
	env_timer(&e);
	CU_ASSERT_EQUAL(e.o[0].flags, TOE_SYN | TOE_ACK);
	CU_ASSERT(e.o[0].wnd <= e.t.rcv_adv - e.t.rcv_nxt);
}

UNIT_MAIN("fastopen", T(active__asks_for_a_cookie), T(active__data_with_the_syn),
	  T(active__more_than_the_syn_takes), T(active__only_the_syn_acknowledged),
	  T(active__a_part_acknowledged), T(active__lost), T(active__nothing_written),
	  T(active__too_big), T(active__data_with_the_syn_ack), T(active__closed_with_data),
	  T(active__refused), T(active__crossed_by_a_syn), T(cookie__belongs_to_an_address),
	  T(cookie__belongs_to_all_of_an_ipv6_address), T(cookie__of_a_listeners_key),
	  T(passive__data_of_the_syn), T(passive__without_a_cookie),
	  T(passive__more_than_the_window), T(passive__timeout_keeps_data_in_flight),
	  T(passive__data_goes_again), T(passive__gives_up), T(passive__reset),
	  T(passive__unread_data_resets), T(passive__unreachable_is_soft),
	  T(passive__smaller_buffer_meanwhile))
