/* SPDX-License-Identifier: BSD-2-Clause */
/* firmware/tcp/check.c: a checker that never complains would make every other test worthless. */
#include "tcp_env.h"

#define BREAKS(change) \
	do { \
		struct env e = env_established(); \
		struct toe_tcb *t = &e.t; \
		CU_ASSERT_PTR_NULL(toe_tcb_check(t)); \
		change; \
		CU_ASSERT_PTR_NOT_NULL(toe_tcb_check(t)); \
	} while (0)

static void toe_tcb_check__sending(void)
{
	BREAKS(t->snd_una++);
	BREAKS(t->snd_nxt++);
	BREAKS(t->snd_max++);
	BREAKS(t->snd_una -= 2);
	BREAKS(t->snd_end += 70000);
	BREAKS(t->flags |= TOE_TCB_FIN_SENT);
	BREAKS(t->flags |= TOE_TCB_FIN_ACKED);
	BREAKS(t->mss = 10);
	BREAKS(t->cwnd = 10);
}

static void toe_tcb_check__receiving(void)
{
	BREAKS(t->rcv_nxt--);
	BREAKS(t->rcv_nxt = t->rcv_adv + 1);
	BREAKS(t->rcv_read++);
	BREAKS(t->rcv_adv += 2);
	BREAKS(t->flags |= TOE_TCB_FIN_OOO);
}

static void toe_tcb_check__holes(void)
{
	uint32_t at = ENV_IRS + 1;

	BREAKS(t->nholes = TOE_MAX_HOLES + 1);
	BREAKS((t->nholes = 1, toe_ooo(t)[0] = (struct toe_range){ at, at + 5 }));
	BREAKS((t->nholes = 1, toe_ooo(t)[0] = (struct toe_range){ at + 5, at + 5 }));
	BREAKS((t->nholes = 1, toe_ooo(t)[0] = (struct toe_range){ at + 5, at + 70000 }));
	BREAKS((t->nholes = 2, toe_ooo(t)[0] = (struct toe_range){ at + 5, at + 10 },
		toe_ooo(t)[1] = (struct toe_range){ at + 10, at + 15 }));
}

static void toe_tcb_check__timers(void)
{
	BREAKS((t->snd_end += 5, t->snd_nxt += 5, t->snd_max += 5));
	BREAKS(t->flags |= TOE_TCB_PERSIST);
	BREAKS(t->flags |= TOE_TCB_ACK_DELAYED);
	BREAKS(t->state = TOE_TCP_TIME_WAIT);
}

static void toe_tcb_check__limit(void)
{
	BREAKS(t->limit = TOE_LIMITS);
	BREAKS((t->limit = TOE_LIMIT_PATH, t->limit_at = 0));
}

UNIT_MAIN("check", T(toe_tcb_check__sending), T(toe_tcb_check__receiving), T(toe_tcb_check__holes),
	  T(toe_tcb_check__timers), T(toe_tcb_check__limit))
