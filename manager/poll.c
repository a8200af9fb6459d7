/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What poll(2) says about a TOE socket, after Linux' tcp_poll; and how news reach the sets that
 * watch it.
 */
#include "ctx.h"

/* What has come. */
static inline uint32_t poll_rx(struct tm_sock *s)
{
	bool urgent = tm_unlikely(toe_load(&s->fb->dev.rx_urg));
	uint32_t ev;

	if (urgent)
		tm_urg_look(s);
	ev = tm_readable(s) ? EPOLLIN | EPOLLRDNORM : 0;
	if (urgent && tm_urg_at(s) != UINT64_MAX &&
	    toe_load(&s->oob_taken) != toe_load(&s->fb->dev.rx_urg))
		ev |= EPOLLPRI;
	return ev;
}

/* Before both directions are open, when one of them is no more, and with an error queue. */
static tm_cold uint32_t poll_edges(struct tm_sock *s, uint8_t fl)
{
	bool over = fl & (TOE_FLOW_ERROR | TOE_FLOW_CLOSED);
	bool rd = over || fl & TOE_FLOW_RX_FIN || tm_has(s, TM_S_SHUT_RD);
	bool wr = over || fl & TOE_FLOW_TX_SHUT || tm_has(s, TM_S_SHUT_WR);
	uint32_t ev = 0;

	if (!(fl & (TOE_FLOW_ESTABLISHED | TOE_FLOW_EAGER)) && !over)
		return 0;
	if (rd)
		ev |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (rd && wr)
		ev |= EPOLLHUP;
	ev |= poll_rx(s);
	if (wr || (fl & TOE_FLOW_ESTABLISHED ? tm_writable(s) : tm_eager_space(s)))
		ev |= EPOLLOUT | EPOLLWRNORM;
	if ((fl & TOE_FLOW_ERROR && !tm_has(s, TM_S_ERROR_TAKEN)) || tm_has(s, TM_S_ERRQUEUE))
		ev |= EPOLLERR;
	return ev;
}

static uint32_t poll_flow(struct tm_sock *s)
{
	uint8_t fl = toe_load_acquire(&s->fb->dev.flags);

	if (tm_unlikely((fl | TOE_FLOW_EAGER) != (TOE_FLOW_ESTABLISHED | TOE_FLOW_EAGER) ||
			tm_has(s, TM_S_SHUT_RD | TM_S_SHUT_WR | TM_S_ERRQUEUE)))
		return poll_edges(s, fl);
	return poll_rx(s) | (tm_writable(s) ? EPOLLOUT | EPOLLWRNORM : 0);
}

static tm_cold uint32_t poll_fresh(const struct tm_sock *s)
{
	uint32_t ev = EPOLLOUT | EPOLLWRNORM | EPOLLHUP;

	if (tm_has(s, TM_S_FAILED))
		ev |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	return s->error ? ev | EPOLLERR : ev;
}

tm_hot uint32_t tm_poll(struct tm_sock *s, unsigned ctx)
{
	switch (tm_kind(s)) {
	case TM_FLOW:
		return poll_flow(s);
	case TM_LISTEN:
		return tm_accept_ready(s, ctx) ? EPOLLIN | EPOLLRDNORM : 0;
	case TM_EPOLL: /* perhaps: who harvests looks closer (epoll_wait.c) */
		return EPOLLIN | EPOLLRDNORM;
	case TM_FRESH:
		return poll_fresh(s);
	default:
		return 0;
	}
}

/* True: the watch has joined the ready list. */
static bool queue(struct tm_watch *w, struct tm_ep *ep, uint32_t key, uint64_t *waiters)
{
	bool joined = false;

	tm_spin_lock(&ep->lock);
	if (w->ep == ep && !w->ready_next && tm_interest(w->events) & key) {
		tm_ready_add(ep, w);
		joined = true;
	}
	*waiters = toe_load(&ep->waiters);
	tm_spin_unlock(&ep->lock);
	return joined;
}

void tm_ep_event(struct tm_sock *s, uint32_t key, struct tm_ctx *c)
{
	uint64_t me = c ? 1ull << c->id : 0, waiters;

	for (struct tm_watch *w = &s->watch; w; w = toe_load_acquire(&w->more)) {
		struct tm_ep *ep = toe_load_acquire(&w->ep);

		if (!ep || !(tm_interest(toe_load(&w->events)) & key))
			continue;
		/* Whoever waits itself hands on what it leaves. */
		if (queue(w, ep, key, &waiters) && waiters && !(waiters & me))
			tm_ctx_wake(waiters);
		/* Also if it was on the list: a set around this one may have found nothing there. */
		if (toe_load_acquire(&ep->sock->watch.ep))
			tm_ep_event(ep->sock, EPOLLIN | EPOLLRDNORM, c);
	}
}

/*
 * Before the handshake is done there is space that nobody may use, and the FPC would say so at once,
 * again and again: its end is news by itself.
 */
bool tm_may_ask(const struct tm_sock *s)
{
	return tm_kind(s) == TM_FLOW && !tm_has(s, TM_S_WANT_SPACE) &&
	       toe_load_acquire(&s->fb->dev.flags) & TOE_FLOW_ESTABLISHED;
}

void tm_ask_space(struct tm_ctx *c, struct tm_sock *s)
{
	if (!tm_may_ask(s))
		return;
	tm_set(s, TM_S_WANT_SPACE);
	tm_push_flow(c, s, TOE_SW_SEND, TOE_SEND_WANT_SPACE, toe_load(&s->fb->app.tx_end));
}

unsigned tm_ep_wants(struct tm_sock *s)
{
	for (struct tm_watch *w = &s->watch; w; w = toe_load_acquire(&w->more)) {
		struct tm_ep *ep = toe_load_acquire(&w->ep);

		if (ep && toe_load(&ep->owner) != TM_NO_CTX)
			return toe_load(&ep->owner);
	}
	return TM_NO_CTX;
}
