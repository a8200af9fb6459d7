/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/timewait.c */
#include "tcp_env.h"

/* Peer's FIN is its byte 0, ours too: both streams stand at 1. */
static struct toe_tw entry(bool stamped)
{
	struct env e = env_time_wait();
	struct toe_tw w;

	e.t.flags |= stamped ? TOE_TCB_TS : 0;
	e.t.ts_recent = 5000;
	toe_tw_from_tcb(&w, &e.t, e.now);
	return w;
}

static void toe_tw_input__by_segment(void)
{
	static const struct {
		const char *what;
		bool stamped;
		uint8_t flags;
		uint32_t seq, len, tsval;
		enum toe_tw_verdict want;
	} row[] = {
		{ "the FIN again", false, TOE_FIN | TOE_ACK, 0, 0, 0, TOE_TW_ACK_RESTART },
		{ "with its data", false, TOE_FIN | TOE_ACK, (uint32_t)-10, 10, 0,
		  TOE_TW_ACK_RESTART },
		{ "an ACK", false, TOE_ACK, 1, 0, 0, TOE_TW_DROP },
		{ "old data", false, TOE_ACK, (uint32_t)-10, 10, 0, TOE_TW_ACK },
		{ "data beyond the FIN", false, TOE_ACK, 1, 10, 0, TOE_TW_ACK },
		{ "RST (RFC 1337)", false, TOE_RST, 1, 0, 0, TOE_TW_DROP },
		{ "new SYN", false, TOE_SYN, 2, 0, 0, TOE_TW_NEW_SYN },
		{ "old SYN", false, TOE_SYN, 0, 0, 0, TOE_TW_ACK },
		{ "SYN-ACK", false, TOE_SYN | TOE_ACK, 2, 0, 0, TOE_TW_ACK },
		{ "stamped: newer SYN, lower number (RFC 6191)", true, TOE_SYN, (uint32_t)-5000, 0,
		  5001, TOE_TW_NEW_SYN },
		{ "older SYN, higher number", true, TOE_SYN, 9000, 0, 4999, TOE_TW_ACK },
		{ "same tick, higher number", true, TOE_SYN, 9000, 0, 5000, TOE_TW_NEW_SYN },
		{ "same tick, lower number", true, TOE_SYN, 0, 0, 5000, TOE_TW_ACK },
		{ "a timestamp where there was none, lower number (RFC 6191)", false, TOE_SYN,
		  (uint32_t)-5000, 0, 7, TOE_TW_NEW_SYN },
		{ "no timestamp any more, higher number", true, TOE_SYN, 9000, 0, 0,
		  TOE_TW_NEW_SYN },
		{ "no timestamp any more, lower number", true, TOE_SYN, 0, 0, 0, TOE_TW_ACK },
		{ "PAWS", true, TOE_FIN | TOE_ACK, 0, 0, 4000, TOE_TW_ACK },
		{ "the FIN again, stamped", true, TOE_FIN | TOE_ACK, 0, 0, 5003,
		  TOE_TW_ACK_RESTART },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct toe_tw w = entry(row[i].stamped);
		struct toe_seg s = env_seg(NULL, row[i].flags, row[i].seq, row[i].len, 1);
		struct toe_out o;

		s.opts = row[i].tsval ? TOE_SEG_TS : 0;
		s.tsval = row[i].tsval;
		if (toe_tw_input(&w, &s, ENV_T0, &o) != row[i].want) {
			printf("wrong for: %s\n", row[i].what);
			CU_FAIL("verdict");
		}
	}
}

static void toe_tw_input__answer(void)
{
	struct toe_tw w = entry(true);
	struct toe_seg s = env_seg(NULL, TOE_FIN | TOE_ACK, 0, 0, 1), back = { 0 };
	struct toe_out o;

	s.opts = TOE_SEG_TS;
	s.tsval = 5010;
	CU_ASSERT_EQUAL(toe_tw_input(&w, &s, ENV_T0, &o), TOE_TW_ACK_RESTART);
	CU_ASSERT_EQUAL(o.flags, TOE_ACK);
	CU_ASSERT_EQUAL(o.seq, (uint32_t)(ENV_ISN + 2));
	CU_ASSERT_EQUAL(o.ack, (uint32_t)(ENV_IRS + 2));
	CU_ASSERT_TRUE(toe_opts_parse(o.opt, o.opt_len, &back));
	CU_ASSERT_EQUAL(back.tsecr, 5010);
}

/* RFC 7323 5.3: what is not acceptable (R2) leaves the timestamp alone (R3): anybody may have sent it. */
static void toe_tw_input__timestamp_of_old_data(void)
{
	struct toe_tw w = entry(true);
	struct toe_seg s = env_seg(NULL, TOE_ACK, (uint32_t)-1000, 10, 1);
	struct toe_out o;

	s.opts = TOE_SEG_TS;
	s.tsval = 5000 + 0x40000000;
	CU_ASSERT_EQUAL(toe_tw_input(&w, &s, ENV_T0, &o), TOE_TW_ACK);
	CU_ASSERT_EQUAL(w.ts_recent, 5000);
}

UNIT_MAIN("timewait", T(toe_tw_input__by_segment), T(toe_tw_input__answer),
	  T(toe_tw_input__timestamp_of_old_data))
