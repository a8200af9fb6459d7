/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ends of records (MSG_EOR): no segment reaches across one, also when it is sent again. The stream
 * stays a stream: what cannot be remembered, because there are too many or the TCB was spilled, is
 * joined as any data is.
 */
#include "rooms.h"

#include "../lib/mem.h"

void toe_record_end(struct toe_tcb *t, uint64_t end)
{
	if (t->neor < TOE_MAX_EOR)
		toe_eor(t)[t->neor++] = (uint32_t)end;
}

uint32_t toe_record_len(const struct toe_tcb *t, uint64_t seq, uint32_t len)
{
	for (unsigned i = 0; i < t->neor; i++)
		if (toe_seq_lt((uint32_t)seq, toe_eor(t)[i]))
			return toe_min32(len, toe_eor(t)[i] - (uint32_t)seq);
	return len;
}

bool toe_record_ends(const struct toe_tcb *t, uint64_t seq)
{
	for (unsigned i = 0; i < t->neor; i++)
		if (toe_eor(t)[i] == (uint32_t)seq)
			return true;
	return false;
}

uint32_t toe_record_tail(const struct toe_tcb *t, uint32_t len)
{
	const uint32_t end = (uint32_t)t->snd_max;

	for (unsigned i = t->neor; i-- > 0;)
		if (toe_seq_lt(toe_eor(t)[i], end))
			return toe_min32(len, end - toe_eor(t)[i]);
	return len;
}

void toe_record_acked(struct toe_tcb *t)
{
	unsigned n = 0;

	while (n < t->neor && toe_seq_leq(toe_eor(t)[n], (uint32_t)t->snd_una))
		n++;
	t->neor = (uint8_t)(t->neor - n);
	memmove(toe_eor(t), toe_eor(t) + n, t->neor * sizeof(uint32_t));
}
