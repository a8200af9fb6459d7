/* SPDX-License-Identifier: BSD-2-Clause */
/* The channel to toed: takes descriptors in, one message at a time (handover.h). */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port_linux.h"

static int map_whole(int fd, uint64_t size, void *out)
{
	void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (m == MAP_FAILED)
		return -errno;
	*(void **)out = m;
	close(fd); /* the mapping stays */
	return 0;
}

static int take_ctrl(struct toe_port *p, const struct lx_ho *h, int fd)
{
	int err = h->size < sizeof(*p->ctrl) ? -EINVAL : map_whole(fd, h->size, &p->ctrl);

	if (err)
		return err;
	if (p->ctrl->magic != TOE_CTRL_MAGIC || p->ctrl->version != TOE_ABI_VERSION ||
	    p->ctrl->nfpcs < 1 || p->ctrl->nfpcs > TOE_MAX_FPCS)
		return -EPROTO;
	p->nfpcs = p->ctrl->nfpcs;
	return 0;
}

static int take_umem(struct toe_port *p, const struct lx_ho *h, int fd)
{
	struct lx_umem *u = &p->umem[h->dev % TOE_MAX_DEVS];
	int err;

	if (h->dev >= TOE_MAX_DEVS || !p->nfpcs || h->frames % p->nfpcs || h->frames >= 1u << 24 ||
	    (h->frame_size & (h->frame_size - 1)) ||
	    h->size < lx_umem_size(h->frames, h->frame_size))
		return -EINVAL;
	err = map_whole(fd, h->size, &u->mem);
	if (err)
		return err;
	u->word = (uint64_t *)(u->mem + lx_umem_words_off(h->frames, h->frame_size));
	u->frames = h->frames;
	u->per_fpc = h->frames / p->nfpcs;
	u->shift = (uint32_t)__builtin_ctz(h->frame_size);
	return 0;
}

static int take_xsk(struct toe_port *p, const struct lx_ho *h, int fd)
{
	struct lx_fpc *c = &p->fpc[h->fpc % TOE_MAX_FPCS];

	if (h->dev >= TOE_MAX_DEVS || h->queue >= TOE_MAX_QUEUES || h->fpc >= p->nfpcs ||
	    c->nrx == TOE_MAX_DEVS * TOE_MAX_QUEUES)
		return -EINVAL;
	c->rx[c->nrx++] =
	    (struct lx_rx){ .fd = fd, .dev = (uint8_t)h->dev, .queue = (uint8_t)h->queue };
	if (h->owner == h->fpc)
		c->queue[c->nqueues++] = (struct lx_queue){ .fd = fd,
							    .dev = (uint8_t)h->dev,
							    .queue = (uint8_t)h->queue };
	return 0;
}

static int take_fpc(struct toe_port *p, const struct lx_ho *h, int fd)
{
	if (h->fpc >= p->nfpcs)
		return -EINVAL;
	p->fpc[h->fpc].event_fd = fd;
	p->fpc[h->fpc].cpu = h->cpu;
	return 0;
}

static int dispatch(struct toe_port *p, const struct lx_ho *h, int fd)
{
	switch (h->type) {
	case LX_HO_CTRL:
		return take_ctrl(p, h, fd);
	case LX_HO_STATE:
		p->state_size = h->size;
		return map_whole(fd, h->size, &p->state);
	case LX_HO_TCBS:
		return map_whole(fd, h->size, &p->tcbs);
	case LX_HO_INDEX:
		return map_whole(fd, h->size, &p->index);
	case LX_HO_STATS:
		return map_whole(fd, h->size, &p->stats);
	case LX_HO_UMEM:
		return take_umem(p, h, fd);
	case LX_HO_XSK:
		return take_xsk(p, h, fd);
	case LX_HO_FPC:
		return take_fpc(p, h, fd);
	case LX_HO_START:
		return p->ctrl && p->state && p->tcbs && p->index && p->stats ? 0 : -EPROTO;
	case LX_HO_APP:
		return lx_app_add(p, h->app, fd, h->size);
	case LX_HO_APP_GONE:
		return lx_app_gone(p, h->app);
	case LX_HO_CTX:
		return lx_ctx_add(p, h->app, h->ctx, fd);
	case LX_HO_CTX_GONE:
		return lx_ctx_gone(p, h->app, h->ctx);
	default:
		return -EPROTO;
	}
}

static int receive(int channel, struct lx_ho *h, int *fd)
{
	char ctl[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { h, sizeof(*h) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)
	};
	ssize_t n = recvmsg(channel, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	*fd = -1;
	if (n <= 0)
		return n ? -errno : 0;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	if (n != sizeof(*h) || h->version != LX_HO_VERSION || (m.msg_flags & MSG_CTRUNC))
		return -EPROTO;
	return 1;
}

int lx_channel_answer(struct toe_port *p, uint32_t type, uint32_t seq, int error)
{
	struct lx_ho h = { .type = type, .version = LX_HO_VERSION, .seq = seq, .error = error };

	return send(p->channel, &h, sizeof(h), MSG_NOSIGNAL) == sizeof(h) ? 0 : -errno;
}

int lx_channel_step(struct toe_port *p)
{
	struct lx_ho h;
	int fd, n, err;

	n = receive(p->channel, &h, &fd);
	if (n <= 0)
		return n;
	err = dispatch(p, &h, fd);
	if (err && fd >= 0)
		close(fd);
	if (h.seq)
		lx_channel_answer(p, LX_HO_DONE, h.seq, err);
	else if (err)
		return err; /* part of the start: cannot go on without it */
	return (int)h.type;
}
