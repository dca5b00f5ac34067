// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_redis_dial.c - a resolver that does not answer: whoever dials waits no
 * longer than it said, the threads left behind are few, and nothing is lost
 * when the answers come after all. This program has a getaddrinfo() of its own,
 * which hangs until it is told otherwise.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis_conn.h"

#define LOOKUPS_MAX 8		/* as in redis_dial.c */
#define HASTY_MS 50
#define PATIENT_MS 30000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool hangs;
static int waiting, lists;	/* in the resolver; not freed yet */
static int port;

int getaddrinfo(const char *restrict host, const char *restrict service,
		const struct addrinfo *restrict hints,
		struct addrinfo **restrict out)
{
	struct sockaddr_in *addr;
	struct in_addr binary;
	bool numeric = inet_pton(AF_INET, host, &binary) == 1;
	struct addrinfo *list;

	if (!numeric && (hints->ai_flags & AI_NUMERICHOST))
		return EAI_NONAME;
	pthread_mutex_lock(&lock);
	waiting += !numeric;
	pthread_cond_broadcast(&changed);
	while (!numeric && hangs)
		pthread_cond_wait(&changed, &lock);
	waiting -= !numeric;
	lists++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	list = calloc(1, sizeof(*list) + sizeof(*addr));
	if (!list)
		abort();
	addr = (struct sockaddr_in *)(list + 1);
	addr->sin_family = AF_INET;
	addr->sin_port = htons((uint16_t)atoi(service));
	addr->sin_addr.s_addr = numeric ? binary.s_addr :
					  htonl(INADDR_LOOPBACK);
	list->ai_family = AF_INET;
	list->ai_socktype = SOCK_STREAM;
	list->ai_addrlen = sizeof(*addr);
	list->ai_addr = (struct sockaddr *)addr;
	*out = list;
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	pthread_mutex_lock(&lock);
	lists--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	free(list);
}

static void set_hangs(bool value)
{
	pthread_mutex_lock(&lock);
	hangs = value;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* Until so many are in the resolver and so many answers are not freed. */
static void await(int in, int kept)
{
	pthread_mutex_lock(&lock);
	while (waiting != in || lists != kept)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static int in_resolver(void)
{
	int n;

	pthread_mutex_lock(&lock);
	n = waiting;
	pthread_mutex_unlock(&lock);
	return n;
}

static int listener = -1;

static void begin(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(listen(listener, 16), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &len),
			 0);
	port = ntohs(addr.sin_port);
}

static void end(void)
{
	set_hangs(false);
	await(0, 0);
	close(listener);
}

static int dial(const char *host, int64_t ms, char detail[160])
{
	struct stek_redis_addr addr = { .port = port };
	int64_t began_ms = stek__redis_now_ms();
	int fd = -1, err;

	strcpy(addr.host, host);
	detail[0] = '\0';
	err = stek__redis_dial(&fd, &addr, began_ms + ms, detail, 160);
	ck_assert_int_lt(stek__redis_now_ms() - began_ms, ms + 10000);
	if (!err)
		close(fd);
	return err;
}

/* A resolver that answers is waited for. */
START_TEST(test_answers)
{
	char detail[160];

	ck_assert_int_eq(dial("redis.test", PATIENT_MS, detail), 0);
	ck_assert_int_eq(dial("127.0.0.1", PATIENT_MS, detail), 0);
}
END_TEST

/* One that does not is no answer of the store, by the deadline. */
START_TEST(test_hangs)
{
	char detail[160];

	set_hangs(true);
	ck_assert_int_eq(dial("redis.test", HASTY_MS, detail),
			 STEK_EUNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(detail, "redis.test"));
	await(1, 0);
	/* Addresses need none. */
	ck_assert_int_eq(dial("127.0.0.1", PATIENT_MS, detail), 0);
}
END_TEST

/* Few threads are left behind, then nobody waits; later answers are freed. */
START_TEST(test_hangs_for_long)
{
	char detail[160];
	int round, i;

	for (round = 0; round < 3; round++) {
		set_hangs(true);
		/* A thread of before may still count as one for a moment. */
		for (i = 0; i < LOOKUPS_MAX || in_resolver() < LOOKUPS_MAX; i++)
			ck_assert_int_eq(dial("redis.test", HASTY_MS, detail),
					 STEK_EUNAVAILABLE);
		await(LOOKUPS_MAX, 0);
		for (i = 0; i < 100; i++) {
			ck_assert_int_eq(dial("redis.test", PATIENT_MS,
					      detail), STEK_EUNAVAILABLE);
			ck_assert_ptr_nonnull(strstr(detail, "too many"));
		}
		await(LOOKUPS_MAX, 0);
		set_hangs(false);
		await(0, 0);
		/* A thread says that it is done just after its answer. */
		while (dial("redis.test", PATIENT_MS, detail))
			ck_assert_ptr_nonnull(strstr(detail, "too many"));
	}
}
END_TEST

static void *release(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&lock);
	while (waiting == 0)
		pthread_cond_wait(&changed, &lock);
	hangs = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* An answer that is late, but in time, is taken. */
START_TEST(test_late)
{
	char detail[160];
	pthread_t other;

	set_hangs(true);
	ck_assert_int_eq(pthread_create(&other, NULL, release, NULL), 0);
	ck_assert_int_eq(dial("redis.test", PATIENT_MS, detail), 0);
	ck_assert_int_eq(pthread_join(other, NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis dial");
	TCase *names = tcase_create("names");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(names, 120);
	tcase_add_checked_fixture(names, begin, end);
	tcase_add_test(names, test_answers);
	tcase_add_test(names, test_hangs);
	tcase_add_test(names, test_hangs_for_long);
	tcase_add_test(names, test_late);
	suite_add_tcase(suite, names);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
