// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_dial.c - a socket that is connected by a deadline. The system's
 * resolver knows none, so a name is looked up on a thread that is left behind
 * when it takes too long. Called by redis_conn.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "redis_conn.h"

#define LOOKUPS_MAX 8		/* threads that wait for the resolver */
#define KEEPALIVE_S 15

/* A name that is being looked up. The second of caller and thread frees it. */
struct lookup {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done, abandoned;
	int result;
	struct addrinfo *list;
	struct stek_redis_addr addr;
};

static atomic_int lookups;

int64_t stek__redis_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool stek__redis_await(int fd, short events, int64_t deadline_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int64_t left;
	int n;

	do {
		left = deadline_ms - stek__redis_now_ms();
		if (left < 0)
			left = 0;
		n = poll(&pfd, 1, (int)left);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static int resolve(const struct stek_redis_addr *addr, int flags,
		   struct addrinfo **out)
{
	struct addrinfo hints = { 0 };
	char port[8];

	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = flags | AI_NUMERICSERV;
	snprintf(port, sizeof(port), "%d", addr->port);
	return getaddrinfo(addr->host, port, &hints, out);
}

static void lookup_free(struct lookup *lookup)
{
	if (lookup->list)
		freeaddrinfo(lookup->list);
	pthread_cond_destroy(&lookup->cond);
	pthread_mutex_destroy(&lookup->lock);
	free(lookup);
}

static void *look_up(void *arg)
{
	struct lookup *lookup = arg;
	struct addrinfo *list = NULL;
	bool abandoned;
	int result = resolve(&lookup->addr, AI_ADDRCONFIG, &list);

	pthread_mutex_lock(&lookup->lock);
	lookup->done = true;
	lookup->result = result;
	lookup->list = result ? NULL : list;
	abandoned = lookup->abandoned;
	pthread_cond_signal(&lookup->cond);
	pthread_mutex_unlock(&lookup->lock);
	atomic_fetch_sub(&lookups, 1);
	if (abandoned)
		lookup_free(lookup);
	return NULL;
}

static struct lookup *lookup_start(const struct stek_redis_addr *addr)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	pthread_condattr_t attr;
	pthread_t thread;

	if (!lookup)
		return NULL;
	lookup->addr = *addr;
	pthread_mutex_init(&lookup->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&lookup->cond, &attr);
	pthread_condattr_destroy(&attr);
	if (atomic_fetch_add(&lookups, 1) >= LOOKUPS_MAX ||
	    pthread_create(&thread, NULL, look_up, lookup)) {
		atomic_fetch_sub(&lookups, 1);
		lookup_free(lookup);
		return NULL;
	}
	pthread_detach(thread);
	return lookup;
}

/* The list or NULL with *result of getaddrinfo(); EAI_AGAIN when too late. */
static struct addrinfo *lookup_end(struct lookup *lookup, int64_t deadline_ms,
				   int *result)
{
	const struct timespec until = {
		.tv_sec = deadline_ms / 1000,
		.tv_nsec = deadline_ms % 1000 * 1000000,
	};
	struct addrinfo *list;
	int waited = 0;

	pthread_mutex_lock(&lookup->lock);
	while (!lookup->done && waited == 0)
		waited = pthread_cond_timedwait(&lookup->cond, &lookup->lock,
						&until);
	if (!lookup->done) {
		lookup->abandoned = true;
		pthread_mutex_unlock(&lookup->lock);
		*result = EAI_AGAIN;
		return NULL;
	}
	pthread_mutex_unlock(&lookup->lock);
	*result = lookup->result;
	list = lookup->list;
	lookup->list = NULL;
	lookup_free(lookup);
	return list;
}

static struct addrinfo *find(const struct stek_redis_addr *addr,
			     int64_t deadline_ms, char *detail,
			     size_t detail_len)
{
	struct addrinfo *list = NULL;
	struct lookup *lookup;
	int result;

	if (resolve(addr, AI_NUMERICHOST, &list) == 0)
		return list;
	lookup = lookup_start(addr);
	if (!lookup) {
		snprintf(detail, detail_len, "connect: too many names are"
			 " being looked up");
		return NULL;
	}
	list = lookup_end(lookup, deadline_ms, &result);
	if (!list)
		snprintf(detail, detail_len, "connect: %.100s: %s", addr->host,
			 gai_strerror(result));
	return list;
}

/* 0 or the error. */
static int connect_by(int fd, const struct sockaddr *to, socklen_t len,
		      int64_t deadline_ms)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (connect(fd, to, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (!stek__redis_await(fd, POLLOUT, deadline_ms))
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return errno;
	return error;
}

/* A peer that vanished without a word is noticed in the end. */
static void tune(int fd)
{
	const int on = 1, idle_s = KEEPALIVE_S, gap_s = KEEPALIVE_S / 3, n = 3;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &gap_s, sizeof(gap_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &n, sizeof(n));
}

int stek__redis_dial(int *out, const struct stek_redis_addr *addr,
		     int64_t deadline_ms, char *detail, size_t detail_len)
{
	struct addrinfo *list, *each;
	int fd = -1, error = 0;
	int64_t n = 0, left;

	list = find(addr, deadline_ms, detail, detail_len);
	if (!list)
		return STEK_EUNAVAILABLE;
	for (each = list; each; each = each->ai_next)
		n++;
	/* No address may use up the time of those after it. */
	for (each = list; each; each = each->ai_next, n--) {
		left = (deadline_ms - stek__redis_now_ms()) / n;
		fd = socket(each->ai_family, SOCK_STREAM | SOCK_NONBLOCK |
			    SOCK_CLOEXEC, 0);
		error = fd < 0 ? errno :
			connect_by(fd, each->ai_addr, each->ai_addrlen,
				   stek__redis_now_ms() + left);
		if (!error)
			break;
		if (fd >= 0)
			close(fd);
	}
	freeaddrinfo(list);
	if (error) {
		snprintf(detail, detail_len, "connect: %.100s:%d: %s",
			 addr->host, addr->port, strerror(error));
		return STEK_EUNAVAILABLE;
	}
	tune(fd);
	*out = fd;
	return 0;
}

int stek__redis_dial_unix(int *out, const char *path, int64_t deadline_ms,
			  char *detail, size_t detail_len)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, error;

	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	error = fd < 0 ? errno :
		connect_by(fd, (const struct sockaddr *)&to, sizeof(to),
			   deadline_ms);
	if (error) {
		snprintf(detail, detail_len, "connect: %s", strerror(error));
		if (fd >= 0)
			close(fd);
		return STEK_EUNAVAILABLE;
	}
	*out = fd;
	return 0;
}
