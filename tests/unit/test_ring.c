/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the bytes of a buffer lie (toe_ring_*, abi/arena.h). */
#include "abi/arena.h"
#include "tests/harness/unit.h"

static uint64_t where(uint64_t ring, uint64_t pos)
{
	uint64_t off;

	toe_ring_piece(ring, 5, toe_arena_rx_off(5), pos, 1, &off);
	return off;
}

static void word__says_what_was_put_in(void)
{
	uint64_t ring = toe_ring_word(1023, 24, 17, 0x123456789aull);

	CU_ASSERT(toe_ring_slot(ring) == 1023 && toe_ring_now(ring) == 24);
	CU_ASSERT_EQUAL(toe_ring_before(ring), 17);
	CU_ASSERT_EQUAL(toe_ring_left(ring, 0x1234567890), 10);
	CU_ASSERT_EQUAL(toe_ring_left(ring, 0x123456789a), 0);
	CU_ASSERT_EQUAL(toe_ring_size(ring), 1 << 24);
	CU_ASSERT_EQUAL(toe_ring_size(0), TOE_BUF_DEFAULT);
}

/* Every byte of a range has a place of its own, before and behind a change of rings. */
static void piece__covers_a_change_of_rings(void)
{
	const uint64_t from = 1000000;
	uint64_t ring = toe_ring_word(3, 18, 17, from), off, pos = from - (1 << 17);
	unsigned pieces = 0;

	for (uint32_t left = (1 << 17) + (1 << 18), n; left; left -= n, pos += n) {
		n = toe_ring_piece(ring, 5, toe_arena_rx_off(5), pos, left, &off);
		CU_ASSERT(n > 0 && n <= left);
		for (uint32_t i = 0; i < n; i += 997)
			CU_ASSERT_EQUAL(where(ring, pos + i), off + i);
		CU_ASSERT(pos >= from || pos + n <= from);
		CU_ASSERT(off - TOE_ARENA_BIG_OFF - (3ull << TOE_BIG_SLOT_SHIFT) >= 1 << 17);
		pieces++;
	}
	CU_ASSERT(pieces >= 3 && pieces <= 4);
	CU_ASSERT_EQUAL(where(ring, from), where(ring, from + (1 << 18)));
	CU_ASSERT_EQUAL(where(ring, from - 1), where(ring, from - 1 - (1 << 17)));
}

/* Who does not know the change yet and who does agree on all that both may touch. */
static void piece__old_word_and_new_agree(void)
{
	uint64_t first = toe_ring_word(9, 17, 16, 70000);
	uint64_t second = toe_ring_word(9, 20, 17, 70000 + (1 << 17));

	for (uint64_t pos = 0; pos < 70000; pos += 13)
		CU_ASSERT_EQUAL(where(0, pos), where(first, pos));
	for (uint64_t pos = 70000; pos < 70000 + (1 << 17); pos += 13)
		CU_ASSERT_EQUAL(where(first, pos), where(second, pos));
}

static void piece__rings_of_slots_are_apart(void)
{
	for (unsigned shift = 17; shift <= TOE_RING_SHIFT_MAX; shift++) {
		uint64_t lo = TOE_ARENA_BIG_OFF + (7ull << TOE_BIG_SLOT_SHIFT) + (1ull << shift);
		uint64_t ring = toe_ring_word(7, shift, shift, 0);

		for (uint64_t pos = 0; pos < 1u << shift; pos += 4099)
			CU_ASSERT(where(ring, pos) >= lo && where(ring, pos) < lo + (1u << shift));
	}
	CU_ASSERT_EQUAL(toe_arena_size(8) - TOE_ARENA_BIG_OFF, 8ull << TOE_BIG_SLOT_SHIFT);
}

/* Streams are longer than the position in the word. */
static void piece__positions_beyond_2_to_42(void)
{
	const uint64_t from = (1ull << 42) + 5;
	uint64_t ring = toe_ring_word(1, 20, 18, from);

	CU_ASSERT_EQUAL(toe_ring_left(ring, from - 10), 10);
	CU_ASSERT_EQUAL(toe_ring_left(ring, from + (1ull << 40)), 0);
	CU_ASSERT_NOT_EQUAL(where(ring, from - 1) + 1, where(ring, from));
}

UNIT_MAIN("ring", T(word__says_what_was_put_in), T(piece__covers_a_change_of_rings),
	  T(piece__old_word_and_new_agree), T(piece__rings_of_slots_are_apart),
	  T(piece__positions_beyond_2_to_42))
