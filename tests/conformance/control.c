/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control messages: msg_control=[{cmsg_level=..., cmsg_type=..., cmsg_data=...}, ...], where the data is a
 * number or the members of a struct. Times are since the beginning.
 */
#include "syscalls.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>

#include <linux/errqueue.h> /* needs time.h */

void control_make(const struct running *r, struct expr *x, struct msghdr *m, uint8_t *b)
{
	struct cmsghdr *c = (struct cmsghdr *)b;
	int value;

	if (!x)
		return;
	m->msg_control = b;
	memset(b, 0, MAX_CONTROL);
	for (x = x->child; x; x = x->next) {
		value = (int)field_num(r, x, "cmsg_data");
		c->cmsg_level = (int)field_num(r, x, "cmsg_level");
		c->cmsg_type = (int)field_num(r, x, "cmsg_type");
		c->cmsg_len = CMSG_LEN(sizeof(value));
		memcpy(CMSG_DATA(c), &value, sizeof(value));
		m->msg_controllen += CMSG_SPACE(sizeof(value));
		c = (struct cmsghdr *)(b + m->msg_controllen);
	}
}

static void same(struct running *r, struct expr *x, const char *name, int64_t got)
{
	if (field(x, name) && field_num(r, x, name) != got)
		wrong(r, "%s: expected %lld, got %lld", name, (long long)field_num(r, x, name),
		      (long long)got);
}

static void check_error(struct running *r, struct expr *x, const struct cmsghdr *c)
{
	struct sock_extended_err e;

	memcpy(&e, CMSG_DATA(c), sizeof(e));
	same(r, x, "ee_errno", e.ee_errno);
	same(r, x, "ee_origin", e.ee_origin);
	same(r, x, "ee_type", e.ee_type);
	same(r, x, "ee_code", e.ee_code);
	same(r, x, "ee_info", e.ee_info);
	same(r, x, "ee_data", e.ee_data);
}

/* Of SCM_TIMESTAMPING and SCM_TIMESTAMPNS, whose first member is the time that counts; or SCM_TIMESTAMP. */
static void check_time(struct running *r, struct expr *x, const struct cmsghdr *c)
{
	int64_t v[2], got, expected;

	memcpy(v, CMSG_DATA(c), sizeof(v));
	got =
	    (v[0] - STACK_EPOCH_S) * 1000000 + (c->cmsg_type == SO_TIMESTAMP ? v[1] : v[1] / 1000);
	expected = field_num(r, x, "scm_sec") * 1000000 + field_num(r, x, "scm_nsec") / 1000;
	if ((uint64_t)llabs(got - expected) > r->script->tolerance)
		wrong(r, "time: expected %lld us, got %lld", (long long)expected, (long long)got);
}

static void check_one(struct running *r, struct expr *x, const struct cmsghdr *c)
{
	struct expr *data = field(x, "cmsg_data");
	int value;

	same(r, x, "cmsg_level", c->cmsg_level);
	same(r, x, "cmsg_type", c->cmsg_type);
	if (r->why[0] || !data)
		return;
	if (c->cmsg_level != SOL_SOCKET && data->kind == X_STRUCT) {
		check_error(r, data, c);
	} else if (data->kind == X_STRUCT) {
		check_time(r, data, c);
	} else {
		memcpy(&value, CMSG_DATA(c), sizeof(value));
		same(r, x, "cmsg_data", value);
	}
}

void control_check(struct running *r, struct expr *x, struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	unsigned n = 0;

	if (!x)
		return;
	for (x = x->child; x && c; x = x->next, c = CMSG_NXTHDR(m, c), n++)
		check_one(r, x, c);
	if (x || c)
		wrong(r, "control messages: %s than %u", x ? "no more" : "more", n);
}
