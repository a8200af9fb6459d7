/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port/linux/frames: what a successor concludes from owner words and ring indices, for a kill at
 * each step of a frame's way. One FPC with frames 0..7, queue 0.
 */
#include "port/linux/frames.h"

#include <string.h>

#include "tests/harness/unit.h"

enum { N = 8 };

static uint64_t word[N];
static uint8_t waiting[N];
static struct lx_frames_in in;
static uint32_t free_ids[N], in_fill[LX_FRAME_QUEUES];

static void setup(uint32_t fill_prod, uint32_t tx_prod)
{
	memset(word, 0, sizeof(word));
	memset(waiting, 0, sizeof(waiting));
	in = (struct lx_frames_in){ .word = word, .lo = 0, .hi = N, .waiting = waiting };
	in.fill_prod[0] = fill_prod;
	in.tx_prod[0] = tx_prod;
}

static uint32_t recover(void)
{
	return lx_frames_recover(&in, free_ids, in_fill);
}

static int is_free(uint32_t id, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (free_ids[i] == id)
			return 1;
	return 0;
}

static void frames_recover__zeroed_words_are_a_new_umem(void)
{
	setup(0, 0);
	CU_ASSERT_EQUAL(recover(), N);
	CU_ASSERT_EQUAL(in_fill[0], 0);
	for (uint32_t i = 0; i < N; i++)
		CU_ASSERT(is_free(i, N));
}

/* The word is written first: without the index the kernel never saw the entry. */
static void frames_recover__killed_before_fill_index_moved(void)
{
	setup(10, 0);
	word[3] = lx_word(LX_OWNER_FILL, 0, 10);
	CU_ASSERT_EQUAL(recover(), N);
	CU_ASSERT_EQUAL(in_fill[0], 0);
}

static void frames_recover__filled_frame_is_the_kernels(void)
{
	uint32_t n;

	setup(11, 0);
	word[3] = lx_word(LX_OWNER_FILL, 0, 10);
	n = recover();
	CU_ASSERT_EQUAL(n, N - 1);
	CU_ASSERT(!is_free(3, n));
	CU_ASSERT_EQUAL(in_fill[0], 1);
}

/*
 * The word already says FPC, but the RX consumer index has not moved: the ring will give it out
 * again.
 */
static void frames_recover__killed_before_rx_index_moved(void)
{
	uint32_t n;

	setup(11, 0);
	waiting[3] = LX_WAIT_RX + 0;
	n = recover();
	CU_ASSERT_EQUAL(n, N - 1);
	CU_ASSERT(!is_free(3, n));
	CU_ASSERT_EQUAL(in_fill[0], 1);
}

static void frames_recover__received_and_being_handled_is_free(void)
{
	setup(11, 0);
	word[3] = lx_word(LX_OWNER_FPC, 0, 0);
	CU_ASSERT_EQUAL(recover(), N);
}

static void frames_recover__killed_before_tx_index_moved(void)
{
	setup(0, 20);
	word[5] = lx_word(LX_OWNER_TX, 0, 20);
	word[6] = lx_word(LX_OWNER_TX, 0, 21);
	CU_ASSERT_EQUAL(recover(), N);
}

static void frames_recover__sent_frame_comes_by_completion(void)
{
	uint32_t n;

	setup(0, 21);
	word[5] = lx_word(LX_OWNER_TX, 0, 20);
	word[6] = lx_word(LX_OWNER_FPC, 0, 0);
	waiting[6] = LX_WAIT_COMPLETION; /* reaped, but the index did not move */
	n = recover();
	CU_ASSERT_EQUAL(n, N - 2);
	CU_ASSERT(!is_free(5, n) && !is_free(6, n));
	CU_ASSERT_EQUAL(in_fill[0], 0);
}

static void frames_recover__indices_wrap(void)
{
	uint32_t n;

	setup(3, 0);
	word[0] = lx_word(LX_OWNER_FILL, 0, 0xfffffffe); /* submitted before the wrap */
	word[1] = lx_word(LX_OWNER_FILL, 0, 3); /* staged after it */
	n = recover();
	CU_ASSERT_EQUAL(n, N - 1);
	CU_ASSERT(!is_free(0, n));
	CU_ASSERT_EQUAL(in_fill[0], 1);
}

static void frames_recover__queues_count_apart(void)
{
	setup(5, 0);
	in.fill_prod[2] = 1;
	word[0] = lx_word(LX_OWNER_FILL, 0, 4);
	word[1] = lx_word(LX_OWNER_FILL, 2, 0);
	word[2] = lx_word(LX_OWNER_FILL, 2, 1); /* staged */
	waiting[4] = LX_WAIT_RX + 2;
	CU_ASSERT_EQUAL(recover(), N - 3);
	CU_ASSERT_EQUAL(in_fill[0], 1);
	CU_ASSERT_EQUAL(in_fill[2], 2);
}

static void frames_recover__only_its_own_share(void)
{
	setup(0, 0);
	in.lo = 4;
	CU_ASSERT_EQUAL(recover(), 4);
	CU_ASSERT(!is_free(3, 4) && is_free(4, 4));
}

/* Positions that were staged by a predecessor are passed later, by other frames. */
static void frames_recover__second_kill_finds_them_too(void)
{
	setup(10, 20);
	word[3] = lx_word(LX_OWNER_FILL, 0, 10);
	word[4] = lx_word(LX_OWNER_TX, 0, 21);
	CU_ASSERT_EQUAL(recover(), N);
	in.fill_prod[0] = 15;
	in.tx_prod[0] = 30;
	CU_ASSERT_EQUAL(recover(), N);
}

UNIT_MAIN("frames", T(frames_recover__zeroed_words_are_a_new_umem),
	  T(frames_recover__killed_before_fill_index_moved),
	  T(frames_recover__filled_frame_is_the_kernels),
	  T(frames_recover__killed_before_rx_index_moved),
	  T(frames_recover__received_and_being_handled_is_free),
	  T(frames_recover__killed_before_tx_index_moved),
	  T(frames_recover__second_kill_finds_them_too),
	  T(frames_recover__sent_frame_comes_by_completion), T(frames_recover__indices_wrap),
	  T(frames_recover__queues_count_apart), T(frames_recover__only_its_own_share))
