/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer of the admission protocol on its way: toed's side, and that of whoever plays it. */
#ifndef TM_ADMISSION_ANSWER_H
#define TM_ADMISSION_ANSWER_H

#include <string.h>
#include <sys/socket.h>

#include "admission.h"

enum { TOE_ADM_ANSWER_FDS = 1 + TOE_MAX_FPCS };

/*
 * `n` descriptors, TOE_ADM_ANSWER_FDS at most, go along. What sendmsg gave: a client that does not read
 * its one answer has itself to blame.
 */
static inline ssize_t toe_adm_answer(int sock, const struct toe_adm_ans *ans, const int *fds,
				     unsigned n)
{
	char ctl[CMSG_SPACE(TOE_ADM_ANSWER_FDS * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { (void *)(uintptr_t)ans, sizeof(*ans) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *h;

	if (n) {
		m.msg_control = ctl;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

#endif
