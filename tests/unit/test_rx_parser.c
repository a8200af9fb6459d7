/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "../../firmware/core/rx_parser.h"
#include "../../firmware/wire/checksum.h"
#include "../../firmware/wire/endian.h"
#include "../../firmware/wire/eth.h"
#include "../../firmware/wire/ip.h"
#include "../../firmware/wire/tcp.h"
#include "../harness/unit.h"

struct spec {
	unsigned tags, ip_opt, tcp_opt, payload;
	bool v6;
	bool stag; /* 802.1ad */
	uint8_t exts, ext[8]; /* IPv6 extension headers, 8 bytes each */
	uint8_t ext_word; /* fourth byte of each: segments left, flags of a fragment */
};

static uint8_t memory[64 + 2048], *const data = memory + 64;
static struct toe_frame fr;
static struct toe_rx rx;

static uint8_t *put_eth(uint8_t *p, const struct spec *s)
{
	uint16_t type = s->v6 ? TOE_ETH_IPV6 : TOE_ETH_IPV4;

	memcpy(p, (uint8_t[]){ 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9 }, 12);
	p += 12;
	for (unsigned i = 0; i < s->tags; i++, p += 4)
		memcpy(p,
		       s->stag ? (uint8_t[]){ 0x88, 0xa8, 0x20, (uint8_t)(7 + i) }
			       : (uint8_t[]){ 0x81, 0, 0x20, (uint8_t)(7 + i) },
		       4);
	p[0] = (uint8_t)(type >> 8);
	p[1] = (uint8_t)type;
	return p + 2;
}

static uint64_t put_ip(uint8_t *p, const struct spec *s, unsigned tcp_len)
{
	struct toe_ipv4 *ip = (struct toe_ipv4 *)p;
	struct toe_ipv6 *ip6 = (struct toe_ipv6 *)p;
	uint64_t sum = (uint64_t)toe_be16(TOE_IP_TCP) + toe_be16((uint16_t)tcp_len);

	if (s->v6) {
		*ip6 = (struct toe_ipv6){ .ver_tc_flow = toe_be32(6u << 28),
					  .len = toe_be16((uint16_t)tcp_len) };
		ip6->next = TOE_IP_TCP;
		ip6->src[15] = 2;
		ip6->dst[15] = 1;
		return toe_csum_add(sum, ip6->src, 32);
	}
	*ip = (struct toe_ipv4){ .ver_ihl = (uint8_t)(0x45 + s->ip_opt / 4),
				 .len = toe_be16((uint16_t)(20 + s->ip_opt + tcp_len)),
				 .ttl = 64,
				 .proto = TOE_IP_TCP,
				 .src = { 10, 0, 0, 2 },
				 .dst = { 10, 0, 0, 1 } };
	memset(p + 20, 1, s->ip_opt);
	ip->check = (uint16_t)~toe_csum_fold(toe_csum_add(0, ip, 20 + s->ip_opt));
	return toe_csum_add(sum, ip->src, 8);
}

/* Behind the IPv6 header that ends at p. The sum over TCP does not change. */
static uint8_t *put_ext(uint8_t *p, const struct spec *s)
{
	struct toe_ipv6 *ip = (struct toe_ipv6 *)p - 1;
	uint8_t *next = &ip->next;

	for (unsigned i = 0; i < s->exts; i++, p += 8) {
		*next = s->ext[i];
		memcpy(p, (uint8_t[]){ TOE_IP_TCP, 0, 0, s->ext_word, 0, 0, 0, 0 }, 8);
		next = p;
		ip->len = toe_be16((uint16_t)(toe_be16(ip->len) + 8));
	}
	return p;
}

static void make(const struct spec *s)
{
	uint8_t *p = put_eth(data, s);
	unsigned hdr = 20 + s->tcp_opt, tcp_len = hdr + s->payload;
	uint64_t sum = put_ip(p, s, tcp_len);
	struct toe_tcph *th;

	p += s->v6 ? 40 : 20 + s->ip_opt;
	p = put_ext(p, s);
	th = (struct toe_tcph *)p;
	*th = (struct toe_tcph){ .sport = toe_be16(1234),
				 .dport = toe_be16(80),
				 .seq = toe_be32(77),
				 .flags = TOE_ACK };
	th->doff = (uint8_t)(hdr / 4 << 4);
	memset(p + 20, 1, s->tcp_opt);
	for (unsigned i = 0; i < s->payload; i++)
		p[hdr + i] = (uint8_t)(i * 7 + 1);
	th->check = (uint16_t)~toe_csum_fold(toe_csum_add(sum, p, tcp_len));
	fr = (struct toe_frame){ .data = data, .len = (uint32_t)(p + tcp_len - data) };
}

static const struct spec plain = { .payload = 100 };

static void parse__all_kinds(void)
{
	for (unsigned i = 0; i < 2 * 3 * 3 * 3; i++) {
		struct spec s = { .tags = i / 2 % 3 != 0,
				  .ip_opt = i / 6 % 3 * 8,
				  .tcp_opt = i / 18 % 3 * 12,
				  .payload = 61,
				  .v6 = i % 2,
				  .stag = i / 2 % 3 == 2 };
		uint16_t vlan = s.stag ? 7 | TOE_VLAN_STAG : 7;

		if (s.v6)
			s.ip_opt = 0;
		make(&s);
		CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), 0);
		CU_ASSERT_EQUAL(rx.seg.len, 61);
		CU_ASSERT_EQUAL(rx.payload[0], 1);
		CU_ASSERT_EQUAL(rx.seg.seq, 77);
		CU_ASSERT_EQUAL(rx.tuple.lport, toe_be16(80));
		CU_ASSERT_EQUAL(rx.tuple.raddr[15], 2);
		CU_ASSERT_EQUAL(rx.tuple.vlan, s.tags ? vlan : 0);
		CU_ASSERT(toe_rx_checksum(&rx, false));
	}
}

static void parse__ipv6_extension_headers(void)
{
	static const struct {
		struct spec s;
		bool ok;
	} row[] = {
		{ { .exts = 1, .ext = { TOE_IP_HOPOPTS } }, true },
		{ { .exts = 3, .ext = { TOE_IP_HOPOPTS, TOE_IP_DSTOPTS, TOE_IP_ROUTING } }, true },
		{ { .exts = 6, .ext = { 0, 60, 60, 60, 60, 60 } }, true },
		{ { .exts = 7, .ext = { 0, 60, 60, 60, 60, 60, 60 } }, false },
		{ { .exts = 1, .ext = { TOE_IP_ROUTING }, .ext_word = 1 }, false },
		{ { .exts = 1, .ext = { TOE_IP_FRAGMENT } }, true }, /* atomic, RFC 6946 */
		{ { .exts = 1, .ext = { TOE_IP_FRAGMENT }, .ext_word = TOE_IP6_MF }, false },
		{ { .exts = 1, .ext = { TOE_IP_FRAGMENT }, .ext_word = 8 }, false },
		{ { .exts = 1, .ext = { 51 } }, false }, /* AH */
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct spec s = row[i].s;

		s.v6 = true;
		s.payload = 33;
		make(&s);
		CU_ASSERT_EQUAL(!toe_rx_parse(&fr, &rx), row[i].ok);
		if (!row[i].ok)
			continue;
		CU_ASSERT(rx.seg.len == 33 && rx.payload[0] == 1 && toe_rx_checksum(&rx, false));
	}
}

/* The XDP program leaves them to the kernel. */
static void parse__two_tags_are_refused(void)
{
	struct spec s = { .tags = 2, .payload = 61 };

	make(&s);
	CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), TOE_CNT_drop_parse);
	s.stag = true;
	make(&s);
	CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), TOE_CNT_drop_parse);
}

/*
 * Every shorter frame is refused, and nothing behind its end is read (the copy ends where the frame
 * does).
 */
/* Answers would go to the whole link. */
static void parse__from_a_group(void)
{
	static const struct spec s = { 0 };

	make(&s);
	CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), 0);
	data[6] |= 1;
	CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), TOE_CNT_drop_parse);
}

static void parse__every_truncation(void)
{
	for (unsigned tags = 0; tags < 2; tags++) {
		struct spec s = { .tags = tags, .ip_opt = 4, .tcp_opt = 12, .payload = 50 };
		uint32_t full;

		make(&s);
		full = fr.len;
		for (uint32_t n = 0; n < full; n++) {
			uint8_t *exact = malloc(n ? n : 1);

			memcpy(exact, data, n);
			fr.data = exact;
			fr.len = n;
			CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), TOE_CNT_drop_parse);
			free(exact);
		}
	}
}

static void parse__padding_is_not_payload(void)
{
	struct spec s = { .payload = 1 };

	make(&s);
	fr.len += 30;
	CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), 0);
	CU_ASSERT_EQUAL(rx.seg.len, 1);
	CU_ASSERT(toe_rx_checksum(&rx, false));
}

static void parse__refused_headers(void)
{
	static const struct {
		unsigned at;
		uint8_t value;
		bool fix; /* make the IP checksum right again */
		int drop;
	} t[] = {
		{ 14, 0x44, true, TOE_CNT_drop_parse }, /* IHL 4 */
		{ 14, 0x55, true, TOE_CNT_drop_parse }, /* version 5 */
		{ 20, 0x20, true, TOE_CNT_drop_parse }, /* more fragments */
		{ 21, 3, true, TOE_CNT_drop_parse }, /* a later fragment */
		{ 23, 17, true, TOE_CNT_drop_parse }, /* UDP */
		{ 23, 1, true, TOE_CNT_drop_icmp },     { 24, 0xaa, false, TOE_CNT_drop_checksum },
		{ 46, 0x40, true, TOE_CNT_drop_parse }, /* TCP data offset 4 */
		{ 46, 0xf0, true, TOE_CNT_drop_parse }, /* beyond the segment */
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct toe_ipv4 *ip = (struct toe_ipv4 *)(data + 14);
		struct spec s = { .payload = 4 };

		make(&s);
		data[t[i].at] = t[i].value;
		if (t[i].fix) {
			ip->check = 0;
			ip->check = (uint16_t)~toe_csum_fold(toe_csum_add(0, ip, 20));
		}
		CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), t[i].drop);
	}
}

static void put_meta(uint16_t payload_off, uint16_t payload_len)
{
	struct toe_meta m = { .magic = TOE_META_WORD,
			      .flow = 5,
			      .gen = 3,
			      .flags = TOE_META_FLOW,
			      .payload_off = payload_off,
			      .payload_len = payload_len };

	memcpy(data - sizeof(m), &m, sizeof(m));
	fr.meta = 1;
}

static void meta__used_and_erased(void)
{
	make(&plain);
	put_meta(54, 100);
	CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), 0);
	CU_ASSERT_EQUAL(rx.flow, 5);
	CU_ASSERT_EQUAL(rx.gen, 3);
	CU_ASSERT_EQUAL(rx.reparsed, 0);
	/* The magic is gone: nobody takes it for a second frame's. */
	CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), 0);
	CU_ASSERT_EQUAL(rx.flow, TOE_FLOW_NONE);
	CU_ASSERT_EQUAL(rx.reparsed, 1);
}

static void meta__of_another_frame_is_ignored(void)
{
	make(&plain);
	put_meta(54, 99);
	CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), 0);
	CU_ASSERT_EQUAL(rx.flow, TOE_FLOW_NONE);
	make(&plain);
	put_meta(0xffff, 0xffff);
	CU_ASSERT_EQUAL(toe_rx_parse(&fr, &rx), 0);
	CU_ASSERT_EQUAL(rx.flow, TOE_FLOW_NONE);
}

static void checksum__every_bit_counts(void)
{
	make(&plain);
	for (unsigned i = 34; i < fr.len; i++) {
		if (i == 46)
			continue; /* data offset: the parser refuses first */
		data[i] ^= 4;
		if (!toe_rx_parse(&fr, &rx))
			CU_ASSERT(!toe_rx_checksum(&rx, false));
		data[i] ^= 4;
	}
}

static void checksum__partial_only_where_allowed(void)
{
	make(&plain);
	toe_rx_parse(&fr, &rx);
	((struct toe_tcph *)rx.tcp)->check = toe_csum_fold(rx.pseudo);
	CU_ASSERT(toe_rx_checksum(&rx, true));
	CU_ASSERT(!toe_rx_checksum(&rx, false));
	((struct toe_tcph *)rx.tcp)->check ^= 1;
	CU_ASSERT(!toe_rx_checksum(&rx, true));
}

/*
 * Spans at odd offsets, with gaps, around the buffer's end: stored where they belong, and the sum
 * is right.
 */
static void store__spans(void)
{
	static uint8_t buf[TOE_BUF_DEFAULT];
	struct toe_place to = { .arena = buf };

	make(&plain);
	toe_rx_parse(&fr, &rx);
	for (uint64_t pos = TOE_BUF_DEFAULT - 100; pos < TOE_BUF_DEFAULT + 10; pos++) {
		struct toe_span span[2] = { { pos + 3, 3, 20 }, { pos + 30, 30, 31 } };

		memset(buf, 0xee, sizeof(buf));
		CU_ASSERT(toe_rx_store(&rx, false, span, 2, &to));
		for (unsigned i = 0; i < 100; i++) {
			bool in = (i >= 3 && i < 23) || (i >= 30 && i < 61);

			CU_ASSERT_EQUAL(buf[(pos + i) % TOE_BUF_DEFAULT],
					in ? rx.payload[i] : 0xee);
		}
		rx.payload[99] ^= 1;
		CU_ASSERT(!toe_rx_store(&rx, false, span, 2, &to));
		rx.payload[99] ^= 1;
	}
}

/*
 * A packet in three pieces, cut at every place behind the headers: the same as in one. Pieces have
 * places of their own.
 */
static void store__pieces(void)
{
	static uint8_t buf[TOE_BUF_DEFAULT], second[256], third[256];
	struct toe_place to = { .arena = buf };
	struct toe_span span[2] = { { 3, 3, 40 }, { 50, 50, 49 } };
	struct toe_frame piece[3];
	uint8_t want[100];

	make(&plain);
	toe_rx_parse(&fr, &rx);
	memcpy(want, rx.payload, sizeof(want));
	for (uint32_t a = fr.len - 100; a < fr.len; a += 3) {
		for (uint32_t b = a + 1; b < fr.len; b += 5) {
			piece[0] = (struct toe_frame){ .data = data, .len = a, .more = 2 };
			piece[1] = (struct toe_frame){ .data = second, .len = b - a };
			piece[2] = (struct toe_frame){ .data = third, .len = fr.len - b };
			memcpy(second, data + a, b - a);
			memcpy(third, data + b, fr.len - b);
			memset(buf, 0xee, 100);
			CU_ASSERT_EQUAL_FATAL(toe_rx_parse(piece, &rx), 0);
			CU_ASSERT(rx.seg.len == 100 && toe_rx_checksum(&rx, false));
			CU_ASSERT(toe_rx_store(&rx, false, span, 2, &to));
			CU_ASSERT(!memcmp(buf + 3, want + 3, 40) && buf[43] == 0xee &&
				  !memcmp(buf + 50, want + 50, 49) && buf[99] == 0xee);
			third[0] ^= 1;
			CU_ASSERT(!toe_rx_store(&rx, false, span, 2, &to));
		}
	}
}

UNIT_MAIN("rx_parser", T(parse__all_kinds), T(parse__ipv6_extension_headers),
	  T(parse__two_tags_are_refused), T(parse__from_a_group), T(parse__every_truncation),
	  T(parse__padding_is_not_payload), T(parse__refused_headers), T(meta__used_and_erased),
	  T(meta__of_another_frame_is_ignored), T(checksum__every_bit_counts),
	  T(checksum__partial_only_where_allowed), T(store__spans), T(store__pieces))
