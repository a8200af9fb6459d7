/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/opts.c */
#include "tcp_env.h"

static bool parse(const void *bytes, unsigned n, struct toe_seg *seg)
{
	uint8_t exact[40]; /* so that a sanitizer sees a read beyond the end */

	memset(seg, 0xee, sizeof(*seg));
	memcpy(exact + 40 - n, bytes, n);
	return toe_opts_parse(exact + 40 - n, n, seg);
}

static void toe_opts_parse__none(void)
{
	struct toe_seg s;

	CU_ASSERT_TRUE(parse("", 0, &s));
	CU_ASSERT_EQUAL(s.opts, 0);
	CU_ASSERT_EQUAL(s.nsack, 0);
}

static void toe_opts_parse__syn_of_linux(void)
{
	static const uint8_t b[] = {
		2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 9, 1, 3, 3, 7
	};
	struct toe_seg s;

	CU_ASSERT_TRUE(parse(b, sizeof(b), &s));
	CU_ASSERT_EQUAL(s.opts, TOE_SEG_MSS | TOE_SEG_SACK_OK | TOE_SEG_TS | TOE_SEG_WSCALE);
	CU_ASSERT_EQUAL(s.mss, 1460);
	CU_ASSERT_EQUAL(s.tsval, 0x01020304);
	CU_ASSERT_EQUAL(s.tsecr, 9);
	CU_ASSERT_EQUAL(s.wscale, 7);
}

static void toe_opts_parse__timestamp_alone(void)
{
	static const uint8_t b[] = { 1, 1, 8, 10, 0xff, 0, 0, 1, 0x80, 0, 0, 2 };
	struct toe_seg s;

	CU_ASSERT_TRUE(parse(b, sizeof(b), &s));
	CU_ASSERT_EQUAL(s.opts, TOE_SEG_TS);
	CU_ASSERT_EQUAL(s.tsval, 0xff000001);
	CU_ASSERT_EQUAL(s.tsecr, 0x80000002);
}

static void toe_opts_parse__sack_blocks(void)
{
	static const uint8_t b[] = { 1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 9 };
	struct toe_seg s;

	CU_ASSERT_TRUE(parse(b, sizeof(b), &s));
	CU_ASSERT_EQUAL(s.nsack, 2);
	CU_ASSERT_EQUAL(s.sack[1].lo, 5);
	CU_ASSERT_EQUAL(s.sack[1].hi, 9);
}

static void toe_opts_parse__stops_at_end(void)
{
	static const uint8_t b[] = { 0, 2, 4, 5 }; /* after END anything may stand */
	struct toe_seg s;

	CU_ASSERT_TRUE(parse(b, sizeof(b), &s));
	CU_ASSERT_EQUAL(s.opts, 0);
}

static void toe_opts_parse__unknown_is_skipped(void)
{
	static const uint8_t b[] = { 30, 4, 9, 9, 2, 4, 1, 0 };
	struct toe_seg s;

	CU_ASSERT_TRUE(parse(b, sizeof(b), &s));
	CU_ASSERT_EQUAL(s.mss, 256);
}

static void toe_opts_parse__malformed(void)
{
	static const struct {
		const char *what;
		uint8_t n, b[8];
	} row[] = {
		{ "length 0 would loop for ever", 4, { 8, 0, 1, 1 } },
		{ "length 1", 4, { 8, 1, 1, 1 } },
		{ "length beyond the header", 4, { 2, 5, 1, 1 } },
		{ "kind without length", 4, { 1, 1, 1, 2 } },
		{ "255", 4, { 8, 255, 0, 0 } },
	};
	struct toe_seg s;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		CU_ASSERT_FALSE(parse(row[i].b, row[i].n, &s));
}

static void toe_opts_parse__known_kind_of_wrong_length_is_unknown(void)
{
	static const uint8_t b[] = { 2, 3, 5, 3, 4, 7, 7, 1 };
	struct toe_seg s;

	CU_ASSERT_TRUE(parse(b, sizeof(b), &s));
	CU_ASSERT_EQUAL(s.opts, 0);
}

static void toe_opts_parse__any_bytes(void)
{
	uint64_t x = 88172645463325252ull;
	uint8_t b[40];
	struct toe_seg s;

	for (unsigned i = 0; i < 200000; i++) {
		for (unsigned j = 0; j < 40; j++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			b[j] = (uint8_t)(x >> 40) % (i & 1 ? 12 : 255);
		}
		if (parse(b, (i % 11) * 4, &s))
			CU_ASSERT(s.nsack <= TOE_MAX_SACK);
	}
}

static void toe_opts_syn__offers_all(void)
{
	struct env e = env_syn_sent();
	struct toe_seg s;

	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_TRUE(parse(e.o[0].opt, e.o[0].opt_len, &s));
	CU_ASSERT_EQUAL(s.opts, TOE_SEG_MSS | TOE_SEG_WSCALE | TOE_SEG_TS | TOE_SEG_SACK_OK);
	CU_ASSERT_EQUAL(s.mss, ENV_MSS);
	CU_ASSERT_EQUAL(s.wscale, 1); /* 65536 is just too much for 16 bits */
	CU_ASSERT_EQUAL(e.o[0].opt_len, 20); /* SACK-permitted in the padding of the timestamp */
}

static void toe_opts_syn__answers_only_what_was_offered(void)
{
	static const uint8_t offer[] = { 0, TOE_SEG_TS, TOE_SEG_WSCALE, TOE_SEG_SACK_OK,
					 TOE_SEG_TS | TOE_SEG_WSCALE | TOE_SEG_SACK_OK };

	for (unsigned i = 0; i < sizeof(offer); i++) {
		struct env e = { .now = ENV_T0 };
		struct toe_open how = env_how();
		struct toe_seg syn = env_syn(&e), s;

		syn.opts = TOE_SEG_MSS | offer[i];
		env_run(&e, toe_tcp_open_passive(&e.t, &how, &syn, e.now));
		CU_ASSERT_TRUE(parse(e.o[0].opt, e.o[0].opt_len, &s));
		CU_ASSERT_EQUAL(s.opts, TOE_SEG_MSS | offer[i]);
		CU_ASSERT_EQUAL(e.t.mss, offer[i] & TOE_SEG_TS ? ENV_MSS - 12 : ENV_MSS);
	}
}

/* RFC 2018 4: the first block holds the segment that caused the ACK. */
static void toe_opts_sack__newest_first(void)
{
	struct env e = env_established();
	struct toe_seg s;

	e.t.flags |= TOE_TCB_SACK;
	env_in(&e, TOE_ACK, 1000, 100, 0);
	env_in(&e, TOE_ACK, 5000, 100, 0);
	env_in(&e, TOE_ACK, 3000, 100, 0);
	CU_ASSERT_EQUAL(e.n, 1);
	CU_ASSERT_TRUE(parse(e.o[0].opt, e.o[0].opt_len, &s));
	CU_ASSERT_EQUAL(s.nsack, 3);
	CU_ASSERT_EQUAL(s.sack[0].lo - ENV_IRS - 1, 3000);
	CU_ASSERT_EQUAL(s.sack[0].hi - ENV_IRS - 1, 3100);
	CU_ASSERT_EQUAL(s.sack[1].lo - ENV_IRS - 1, 5000);
	CU_ASSERT_EQUAL(s.sack[2].lo - ENV_IRS - 1, 1000);
}

static void toe_opts_sack__fits_with_timestamps(void)
{
	struct env e = env_established();
	struct toe_seg s = env_seg(&e, TOE_ACK, 0, 10, 0);

	e.t.flags |= TOE_TCB_SACK | TOE_TCB_TS;
	s.opts = TOE_SEG_TS;
	for (unsigned i = 1; i < 8; i++) {
		s.seq += 100;
		env_run(&e, toe_tcp_input(&e.t, &s, e.now));
		CU_ASSERT(e.n == 1 && e.o[0].opt_len <= 40);
	}
	CU_ASSERT_TRUE(parse(e.o[0].opt, e.o[0].opt_len, &s));
	CU_ASSERT_EQUAL(s.nsack, 3);
	CU_ASSERT_EQUAL(s.opts, TOE_SEG_TS | TOE_SEG_SACK);
}

UNIT_MAIN("opts", T(toe_opts_parse__none), T(toe_opts_parse__syn_of_linux),
	  T(toe_opts_parse__timestamp_alone), T(toe_opts_parse__sack_blocks),
	  T(toe_opts_parse__stops_at_end), T(toe_opts_parse__unknown_is_skipped),
	  T(toe_opts_parse__malformed), T(toe_opts_parse__known_kind_of_wrong_length_is_unknown),
	  T(toe_opts_parse__any_bytes), T(toe_opts_syn__offers_all),
	  T(toe_opts_syn__answers_only_what_was_offered), T(toe_opts_sack__newest_first),
	  T(toe_opts_sack__fits_with_timestamps))
