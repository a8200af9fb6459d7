/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening sockets that applications pass in: checked, kept, and made endpoints of at every
 * address they cover.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/flow_hash.h"
#include "toed.h"

static int int_option(int fd, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, name, &v, &len) ? -errno : v;
}

/* A listening TCP socket of our own network namespace, and nothing else. */
static int check_socket(struct toed *t, int fd)
{
	int domain = int_option(fd, SO_DOMAIN);
	int mine, err = 0;

	if (domain != AF_INET && domain != AF_INET6)
		return -ENOTSOCK;
	if (int_option(fd, SO_TYPE) != SOCK_STREAM || int_option(fd, SO_PROTOCOL) != IPPROTO_TCP ||
	    int_option(fd, SO_ACCEPTCONN) != 1)
		return -EINVAL;
	mine = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (mine < 0)
		return -errno;
	if (netns_cookie(fd) != netns_cookie(mine))
		err = -EXDEV;
	close(mine);
	return err;
}

union name {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/*
 * Where it listens. An IPv6 wildcard covers IPv4 too (RFC 3493 5.3), unless IPV6_V6ONLY is set or a
 * socket of AF_INET has the port there: then the kernel would not have let both listen.
 */
static int read_address(int fd, struct listener *l)
{
	union name a;
	socklen_t len = sizeof(a);
	int v6only = 0, ifindex = int_option(fd, SO_BINDTOIFINDEX);

	memset(l->addr, 0, 16);
	if (getsockname(fd, &a.sa, &len))
		return -errno;
	l->ifindex = ifindex > 0 ? ifindex : 0;
	if (a.sa.sa_family == AF_INET) {
		l->port = a.v4.sin_port;
		l->wildcard = a.v4.sin_addr.s_addr == INADDR_ANY;
		l->addr[10] = l->addr[11] = 0xff;
		memcpy(l->addr + 12, &a.v4.sin_addr, 4);
		l->v4 = true;
		l->v6 = false;
		return 0;
	}
	len = sizeof(v6only);
	if (getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &len))
		return -errno;
	l->port = a.v6.sin6_port;
	memcpy(l->addr, &a.v6.sin6_addr, 16);
	l->wildcard = IN6_IS_ADDR_UNSPECIFIED(&a.v6.sin6_addr);
	l->v4 = !v6only;
	l->v6 = true;
	return 0;
}

static bool covers(struct toed *t, const struct listener *l, const struct place *p)
{
	if (l->ifindex && (uint32_t)l->ifindex != toe_link_ifindex(t->ctrl, p->dev, p->vlan))
		return false;
	if (l->wildcard)
		return toe_addr_is_v4(p->addr) ? l->v4 : l->v6;
	return !memcmp(l->addr, p->addr, 16);
}

/*
 * Where another listener is already, the kernel must have allowed both (SO_REUSEPORT, or one socket
 * passed in twice). The first has the endpoint; the next takes over when it closes.
 */
static int open_all(struct toed *t, unsigned app, unsigned index)
{
	struct listener *l = &t->app[app].listener[index];
	unsigned n = 0;
	struct link at;
	int err;

	for (unsigned i = 0; i < t->nlocals; i++) {
		if (!covers(t, l, &t->local[i]))
			continue;
		err = endpoint_open(t, app, index, &t->local[i], l->port, l->hold);
		if (err < 0 && err != -EADDRINUSE)
			return err;
		n++;
	}
	/* A wildcard waits for addresses, on an interface that may have some. */
	if (!n && (!l->wildcard || (l->ifindex && !link_by_ifindex(t, l->ifindex, &at))))
		return -ENOENT;
	return 0;
}

static int free_index(struct toed *t, struct app *a)
{
	for (unsigned i = 0; i < TOE_MAX_LISTENERS; i++) {
		struct listener *l = &a->listener[i];

		if (l->leaving && admin_idle(t))
			l->used = l->leaving = false;
		if (!l->used)
			return (int)i;
	}
	return -EMFILE;
}

void hold_put(struct hold *h)
{
	if (h && --h->refs == 0) {
		close(h->fd);
		free(h);
	}
}

int listener_new(struct toed *t, unsigned app, unsigned proc, int fd)
{
	struct app *a = &t->app[app];
	struct toe_listener *shared;
	struct listener *l;
	int err, i;

	err = check_socket(t, fd);
	if (err)
		goto out;
	err = i = free_index(t, a);
	if (i < 0)
		goto out;
	l = &a->listener[i];
	err = read_address(fd, l);
	if (err)
		goto out;
	l->hold = malloc(sizeof(*l->hold));
	if (!l->hold) {
		err = -ENOMEM;
		goto out;
	}
	*l->hold = (struct hold){ fd, 1 };
	l->used = true;
	shared = toe_arena_listener(a->arena, (unsigned)i);
	__atomic_store_n(&shared->holders, 1ull << proc, __ATOMIC_SEQ_CST);
	shared->waiters = 0;
	shared->in_use = 1;
	err = open_all(t, app, (unsigned)i);
	if (!err)
		return i;
	l->used = false;
	endpoints_close(t, app, (unsigned)i, NULL);
	shared->in_use = 0;
	hold_put(l->hold);
	return err;
out:
	close(fd);
	return err;
}

/*
 * No longer listening, but the port stays taken, as it is while a kernel socket is in TIME_WAIT. One
 * that bind was told stays with its socket. One that the kernel chose goes with the shutdown, and can
 * be had again: by a socket of our own, as the application may have other plans with its.
 */
static void stop_listening(int fd)
{
	union name a;
	socklen_t len = sizeof(a), size = sizeof(int);
	int one = 1, v6only = 0, own, err = getsockname(fd, &a.sa, &len);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	shutdown(fd, SHUT_RD);
	if (err)
		return;
	own = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &size))
		setsockopt(own, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
	if (!bind(own, &a.sa, len)) { /* who has SO_REUSEADDR set would get it a second time */
		setsockopt(own, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		dup3(own, fd, O_CLOEXEC);
	}
	close(own);
}

int listener_close(struct toed *t, unsigned app, unsigned index)
{
	struct app *a = &t->app[app];
	struct listener *l;

	if (index >= TOE_MAX_LISTENERS || !a->listener[index].used || a->listener[index].leaving)
		return -EINVAL;
	l = &a->listener[index];
	stop_listening(l->hold->fd);
	l->leaving = true;
	endpoints_close(t, app, index, NULL);
	toe_arena_listener(a->arena, index)->in_use = 0;
	admin_send_all(t, TOE_ADM_LISTENER_GONE, index, app);
	hold_put(l->hold);
	l->hold = NULL;
	return 0;
}

/* At an address that came later. */
static bool open_at(struct toed *t, unsigned app, unsigned index, const struct place *p)
{
	struct listener *l = &t->app[app].listener[index];
	int err = endpoint_open(t, app, index, p, l->port, l->hold);

	if (err < 0 && err != -EADDRINUSE)
		say("port %u of application %u is not served at an address of %s: %s",
		    ntohs(l->port), app, t->dev[p->dev].name, strerror(-err));
	return err >= 0;
}

void listeners_addr(struct toed *t, const struct place *p, bool there)
{
	for (unsigned a = 0; a < TOE_MAX_APPS; a++) {
		for (unsigned i = 0; i < TOE_MAX_LISTENERS; i++) {
			struct listener *l = &t->app[a].listener[i];

			if (!l->used || l->leaving || !covers(t, l, p))
				continue;
			if (!there)
				endpoints_close(t, a, i, p);
			else
				open_at(t, a, i, p);
		}
	}
}

void listeners_take_over(struct toed *t, const struct place *p, uint16_t port)
{
	if (!place_is_local(t, p))
		return;
	for (unsigned a = 0; a < TOE_MAX_APPS; a++) {
		for (unsigned i = 0; i < TOE_MAX_LISTENERS; i++) {
			struct listener *l = &t->app[a].listener[i];

			if (l->used && !l->leaving && l->port == port && covers(t, l, p) &&
			    open_at(t, a, i, p))
				return;
		}
	}
}
