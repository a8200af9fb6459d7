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

static struct env passive(uint32_t len, uint8_t fast)
{
	struct env e = { .now = ENV_T0 };
	struct toe_open how = env_how();
	struct toe_seg syn = env_syn(&e);

	syn.len = len;
	how.fast = fast;
	how.fo = (struct toe_fo_cookie){ 4, { 1, 2, 3, 4 } };
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

UNIT_MAIN("fastopen", T(cookie__belongs_to_an_address), T(passive__data_of_the_syn),
	  T(passive__without_a_cookie), T(passive__more_than_the_window),
	  T(passive__timeout_keeps_data_in_flight), T(passive__data_goes_again),
	  T(passive__gives_up), T(passive__reset), T(passive__unread_data_resets))
