/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scripts send packets that no link takes, as a sender with segmentation offload would hand them to
 * its device: what the device would do is done here.
 */
#include "offload.h"

#include <string.h>

#include "stack.h"
#include "wire/checksum.h"
#include "wire/endian.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum { FIN = 1, PSH = 8, IPPROTO_TCP_ = 6 };

static size_t ip_header(const uint8_t *ip)
{
	return *ip >> 4 == 6 ? sizeof(struct toe_ipv6) : (size_t)(*ip & 15) * 4;
}

/* Lengths and checksums of a packet whose headers are a copy of a larger one's. */
static void finish(uint8_t *ip, size_t hdr, size_t n)
{
	struct toe_ipv4 *v4 = (struct toe_ipv4 *)ip;
	struct toe_ipv6 *v6 = (struct toe_ipv6 *)ip;
	struct toe_tcph *tcp = (struct toe_tcph *)(ip + hdr);
	const bool six = *ip >> 4 == 6;
	uint8_t rest[4] = { 0, IPPROTO_TCP_, (uint8_t)((n - hdr) >> 8), (uint8_t)(n - hdr) };
	uint64_t sum = six ? toe_csum_add(0, v6->src, 32) : toe_csum_add(0, v4->src, 8);

	tcp->check = 0;
	sum = toe_csum_add(toe_csum_header(sum, rest, sizeof(rest)), tcp, n - hdr);
	tcp->check = (uint16_t)~toe_csum_fold(sum);
	if (six) {
		v6->len = toe_be16((uint16_t)(n - hdr));
		return;
	}
	v4->len = toe_be16((uint16_t)n);
	v4->check = 0;
	v4->check = (uint16_t)~toe_csum_fold(toe_csum_add(0, ip, hdr));
}

/* The piece of `len` bytes at `off` of the payload. */
static void inject_piece(const uint8_t *ip, size_t hdrs, size_t off, size_t len, bool last)
{
	uint8_t piece[STACK_PACKET];
	const size_t hdr = ip_header(ip);
	struct toe_tcph *tcp = (struct toe_tcph *)(piece + hdr);

	memcpy(piece, ip, hdrs);
	memcpy(piece + hdrs, ip + hdrs + off, len);
	tcp->seq = toe_be32(toe_be32(tcp->seq) + (uint32_t)off);
	if (!last)
		tcp->flags &= (uint8_t) ~(FIN | PSH);
	finish(piece, hdr, hdrs + len);
	stack_inject(piece, hdrs + len);
}

void offload_inject(const void *packet, size_t n, unsigned mtu, unsigned mss)
{
	const uint8_t *ip = (const uint8_t *)packet;
	size_t hdrs = ip_header(ip), len, piece;

	if (n <= mtu) {
		stack_inject(ip, n);
		return;
	}
	hdrs += (size_t)(ip[hdrs + 12] >> 4) * 4;
	len = n - hdrs;
	piece = mss ? mss : mtu - hdrs;
	stack_enter(); /* all of it at once */
	for (size_t off = 0; off < len; off += piece)
		inject_piece(ip, hdrs, off, len - off < piece ? len - off : piece,
			     len - off <= piece);
	stack_leave();
}
