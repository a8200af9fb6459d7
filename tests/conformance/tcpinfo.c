/* SPDX-License-Identifier: BSD-2-Clause */
/* %{ assert tcpi_... }%: what TCP_INFO says. */
#include "tcpinfo.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "manager/toe.h"
#include "stack.h"

#define F(name) \
	{ \
#name, offsetof(struct tcp_info, name), sizeof(((struct tcp_info *)0)->name) \
	}

static const struct {
	const char *name;
	size_t offset, size;
} fields[] = {
	F(tcpi_state),
	F(tcpi_ca_state),
	F(tcpi_retransmits),
	F(tcpi_probes),
	F(tcpi_backoff),
	F(tcpi_options),
	F(tcpi_rto),
	F(tcpi_ato),
	F(tcpi_snd_mss),
	F(tcpi_rcv_mss),
	F(tcpi_unacked),
	F(tcpi_sacked),
	F(tcpi_lost),
	F(tcpi_retrans),
	F(tcpi_fackets),
	F(tcpi_last_data_sent),
	F(tcpi_last_data_recv),
	F(tcpi_last_ack_recv),
	F(tcpi_pmtu),
	F(tcpi_rcv_ssthresh),
	F(tcpi_rtt),
	F(tcpi_rttvar),
	F(tcpi_snd_ssthresh),
	F(tcpi_snd_cwnd),
	F(tcpi_advmss),
	F(tcpi_reordering),
	F(tcpi_rcv_rtt),
	F(tcpi_rcv_space),
	F(tcpi_total_retrans),
	F(tcpi_pacing_rate),
	F(tcpi_bytes_acked),
	F(tcpi_bytes_received),
	F(tcpi_segs_out),
	F(tcpi_segs_in),
	F(tcpi_notsent_bytes),
	F(tcpi_min_rtt),
	F(tcpi_data_segs_in),
	F(tcpi_data_segs_out),
	F(tcpi_delivery_rate),
	F(tcpi_delivered),
	F(tcpi_delivered_ce),
	F(tcpi_bytes_sent),
	F(tcpi_bytes_retrans),
	F(tcpi_dsack_dups),
	F(tcpi_reord_seen),
	F(tcpi_rcv_ooopack),
	F(tcpi_snd_wnd),
	F(tcpi_busy_time),
	F(tcpi_rwnd_limited),
	F(tcpi_sndbuf_limited),
};

/* Little-endian, as every machine that runs this. */
static bool value_of(const struct tcp_info *ti, const char *name, int64_t *v)
{
	uint8_t shifts, bits;

	memcpy(&shifts, (const uint8_t *)ti + 6, 1);
	memcpy(&bits, (const uint8_t *)ti + 7, 1);
	*v = 0;
	if (!strcmp(name, "tcpi_snd_wscale") || !strcmp(name, "tcpi_rcv_wscale")) {
		*v = name[5] == 's' ? shifts & 15 : shifts >> 4;
		return true;
	}
	if (!strcmp(name, "tcpi_delivery_rate_app_limited")) {
		*v = bits & 1;
		return true;
	}
	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].name, name))
			continue;
		memcpy(v, (const uint8_t *)ti + fields[i].offset, fields[i].size);
		return true;
	}
	return false;
}

static bool holds(int64_t a, const char *op, int64_t b)
{
	switch (op[0]) {
	case '=':
		return a == b;
	case '!':
		return a != b;
	case '<':
		return op[1] ? a <= b : a < b;
	default:
		return op[1] ? a >= b : a > b;
	}
}

const char *tcpinfo_check(const struct check *c, int fd)
{
	static char text[128];
	struct tcp_info ti;
	socklen_t len = sizeof(ti);
	int err;
	int64_t v;

	memset(&ti, 0, sizeof(ti));
	stack_enter();
	err = toe_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len);
	stack_leave();
	if (err)
		return "TCP_INFO cannot be had";
	for (; c; c = c->next) {
		if (!value_of(&ti, c->field, &v)) {
			snprintf(text, sizeof(text), "%s is no field of TCP_INFO", c->field);
			return text;
		}
		if (!holds(v, c->op, c->value->num)) {
			snprintf(text, sizeof(text), "%s: expected %s %lld, got %lld", c->field,
				 c->op, (long long)c->value->num, (long long)v);
			return text;
		}
	}
	return NULL;
}
