/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any frame into the RX parser, and where its payload would go into the receive buffer of a
 * connection with holes. The first byte says how the frame is prepared: bit 0 puts XDP metadata
 * (from the input) before it, bit 1 mends the IPv4 checksum, so that the fuzzer gets past it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/rx_parser.h"
#include "wire/checksum.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);

enum { BUF = 4096, META = sizeof(struct toe_meta), IP = 14, MIN_IP = 20 };

static void mend_ip(uint8_t *f, size_t n)
{
	size_t hdr = n > IP ? (f[IP] & 15u) * 4u : 0;
	uint16_t sum;

	if (hdr < MIN_IP || IP + hdr > n)
		return;
	memset(f + IP + 10, 0, 2);
	sum = (uint16_t)~toe_csum_fold(toe_csum_add(0, f + IP, hdr));
	memcpy(f + IP + 10, &sum, 2);
}

/* Static, as it is large. */
static const struct toe_tcb *tcb_with_holes(uint32_t seq)
{
	static struct toe_tcb_whole w;
	struct toe_tcb *t = &w.t;

	*t = (struct toe_tcb){ .state = TOE_TCP_ESTABLISHED, .rcv_size = BUF, .nholes = 2 };

	t->rcv_nxt = (1ull << 32) + seq - 100;
	t->rcv_first = t->rcv_nxt - 5000;
	t->rcv_read = t->rcv_nxt - 50;
	t->rcv_adv = t->rcv_read + BUF;
	w.lists.ooo[0] =
	    (struct toe_range){ (uint32_t)t->rcv_nxt + 200, (uint32_t)t->rcv_nxt + 300 };
	w.lists.ooo[1] =
	    (struct toe_range){ (uint32_t)t->rcv_nxt + 1000, (uint32_t)t->rcv_nxt + 1001 };
	return t;
}

static void check_spans(const struct toe_span *s, unsigned n, const struct toe_rx *rx)
{
	for (unsigned i = 0; i < n; i++)
		if (!s[i].len || s[i].len > BUF || s[i].off > rx->seg.len ||
		    s[i].len > rx->seg.len - s[i].off)
			abort();
}

static void use(struct toe_rx *rx)
{
	static uint8_t buf[TOE_BUF_DEFAULT];
	struct toe_place to = { .arena = buf, .flow = 7 };
	const struct toe_tcb *t = tcb_with_holes(rx->seg.seq);
	struct toe_span span[TOE_MAX_SPANS];
	unsigned n = toe_tcp_place(t, &rx->seg, span);

	if (n > TOE_MAX_SPANS)
		abort();
	check_spans(span, n, rx);
	if (toe_rx_checksum(rx, true) != toe_rx_store(rx, true, span, n, &to))
		abort();
	if (toe_rx_checksum(rx, false) != toe_rx_store(rx, false, span, n, &to))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct toe_frame fr = { 0 };
	struct toe_rx rx = { 0 };
	size_t head;
	uint8_t *mem;

	if (!n)
		return 0;
	fr.meta = in[0] & 1;
	head = fr.meta ? META : 0;
	if (n - 1 < head)
		return 0;
	mem = malloc(n - 1 ? n - 1 : 1); /* of the exact size: one byte beyond is found */
	memcpy(mem, in + 1, n - 1);
	fr.data = mem + head;
	fr.len = (uint32_t)(n - 1 - head);
	if (in[0] & 2)
		mend_ip(fr.data, fr.len);
	if (!toe_rx_parse(&fr, &rx))
		use(&rx);
	free(mem);
	return 0;
}
