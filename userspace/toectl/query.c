/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../manager/admission.h"
#include "toectl.h"

static int dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof(a))) {
		int err = errno;

		fprintf(stderr, "toectl: %s: %s; %s\n", path, strerror(err),
			err == EACCES ? "run as root or as a member of the socket's group"
				      : "is toed running? (--socket PATH if it has another)");
		if (s >= 0)
			close(s);
		return -1;
	}
	return s;
}

/* The answer and the memfd that comes along. */
static int receive(int s, struct toe_adm_ans *ans)
{
	char ctl[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { ans, sizeof(*ans) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)
	};
	struct cmsghdr *h;
	int fd = -1;

	if (recvmsg(s, &m, MSG_CMSG_CLOEXEC) != sizeof(*ans))
		return -1;
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	return fd;
}

json_t *query(const char *path, uint32_t type)
{
	struct toe_adm_req q = { .type = type, .version = TOE_ABI_VERSION };
	struct toe_adm_ans ans = { .error = EPROTO };
	int s = dial(path), fd = -1;
	json_error_t e;
	json_t *j = NULL;

	if (s < 0)
		return NULL;
	if (send(s, &q, sizeof(q), MSG_NOSIGNAL) == sizeof(q))
		fd = receive(s, &ans);
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) == 0)
		j = json_loadfd(fd, 0, &e);
	if (!j)
		fprintf(stderr, "toectl: %s does not answer as expected: %s\n", path,
			strerror(ans.error ? ans.error : EPROTO));
	if (fd >= 0)
		close(fd);
	close(s);
	return j;
}

long long num(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_boolean(v) ? json_is_true(v) : json_integer_value(v);
}

const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}
