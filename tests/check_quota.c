// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_quota.c - the node's shared counts: never one too many, none lost by
 * workers that count at once, and addresses that do not get into each other's
 * way.
 */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "quota.h"

#define V6_BITS 64

static struct quota *quota;

static void set_up(void)
{
	quota = quota_new(10000);
	ck_assert_ptr_nonnull(quota);
}

static void tear_down(void)
{
	quota_free(quota);
}

static struct sockaddr_storage v4(uint32_t address)
{
	struct sockaddr_storage out = { .ss_family = AF_INET };

	((struct sockaddr_in *)&out)->sin_addr.s_addr = htonl(address);
	return out;
}

static struct sockaddr_storage v6(const char *text)
{
	struct sockaddr_storage out = { .ss_family = AF_INET6 };

	ck_assert_int_eq(inet_pton(AF_INET6, text,
				   &((struct sockaddr_in6 *)&out)->sin6_addr),
			 1);
	return out;
}

static bool enter(struct quota_place *place, struct sockaddr_storage addr,
		  uint32_t most)
{
	return quota_enter(quota, place, &addr, most, V6_BITS);
}

/* The last one is refused, and let in when another one has gone. */
START_TEST(test_connections_of_the_node)
{
	int i;

	for (i = 0; i < 3; i++)
		ck_assert(quota_take(quota, 3));
	ck_assert(!quota_take(quota, 3));
	ck_assert(!quota_take(quota, 3));
	quota_give(quota);
	ck_assert(quota_take(quota, 3));
	ck_assert(!quota_take(quota, 3));
	/* A reload may allow more, or less. */
	ck_assert(quota_take(quota, 4));
	ck_assert(!quota_take(quota, 2));
}
END_TEST

START_TEST(test_connections_of_an_address)
{
	struct quota_place place[4], other;
	int i;

	for (i = 0; i < 3; i++)
		ck_assert(enter(&place[i], v4(0xc0000201), 3));
	ck_assert(!enter(&place[3], v4(0xc0000201), 3));
	ck_assert(!place[3].held);
	ck_assert(enter(&other, v4(0xc0000202), 3));
	quota_leave(quota, &place[0]);
	/* Leaving twice counts once. */
	quota_leave(quota, &place[0]);
	ck_assert(enter(&place[0], v4(0xc0000201), 3));
	ck_assert(!enter(&place[3], v4(0xc0000201), 3));
}
END_TEST

/* Whoever has a network of IPv6 has no more than one of IPv4. */
START_TEST(test_networks_of_ipv6)
{
	struct quota_place place[2], other;

	ck_assert(enter(&place[0], v6("2001:db8::1"), 1));
	ck_assert(!enter(&place[1], v6("2001:db8::2"), 1));
	ck_assert(enter(&other, v6("2001:db8:0:1::1"), 1));
}
END_TEST

/* No limit, and no address: nothing is counted. */
START_TEST(test_nobody_is_not_counted)
{
	struct sockaddr_storage unknown = { .ss_family = AF_UNSPEC };
	struct quota_place place;
	int i;

	for (i = 0; i < 5; i++) {
		ck_assert(enter(&place, unknown, 1));
		ck_assert(!place.held);
		ck_assert(enter(&place, v4(1), 0));
		ck_assert(!place.held);
	}
}
END_TEST

#define CROWD 10000

/*
 * 10,000 addresses at their limit fill the node. Of 10,000 others, who are
 * counted on top of that, hardly any is refused for sharing both counters:
 * (10000/65536)^2 of them would be 233.
 */
START_TEST(test_a_crowd_does_not_lock_others_out)
{
	struct quota_place place, other;
	unsigned i, refused = 0;

	for (i = 0; i < CROWD; i++)
		(void)enter(&place, v4(0x0a000000 + i), 1);
	for (i = 0; i < CROWD; i++) {
		if (enter(&other, v4(0x14000000 + i * 7), 1))
			quota_leave(quota, &other);
		else
			refused++;
	}
	ck_assert_uint_lt(refused, 400);
}
END_TEST

#define THREADS 4
#define TURNS 20000

static _Atomic unsigned inside, most_inside, entered;

static void *visit(void *user)
{
	struct sockaddr_storage addr = v4(0xc0000207);
	unsigned i, now, seen;

	(void)user;
	for (i = 0; i < TURNS; i++) {
		struct quota_place place;

		if (!quota_enter(quota, &place, &addr, 2, V6_BITS))
			continue;
		now = ++inside;
		seen = most_inside;
		while (now > seen && !__atomic_compare_exchange_n(
				(unsigned *)&most_inside, &seen, now, false,
				__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
		entered++;
		inside--;
		quota_leave(quota, &place);
		if (quota_take(quota, 1))
			quota_give(quota);
	}
	return NULL;
}

/* What threads add and take at once comes out at nothing. */
START_TEST(test_workers_lose_no_count)
{
	pthread_t threads[THREADS];
	struct quota_place place[2], third;
	unsigned i;

	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, visit,
						NULL), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_gt(entered, 0);
	ck_assert_uint_le(most_inside, 2 + THREADS - 1);
	ck_assert(enter(&place[0], v4(0xc0000207), 2));
	ck_assert(enter(&place[1], v4(0xc0000207), 2));
	ck_assert(!enter(&third, v4(0xc0000207), 2));
	ck_assert(quota_take(quota, 1));
	ck_assert(!quota_take(quota, 1));
}
END_TEST

/* The highest descriptors are not for clients; an eighth, but 4 to 512. */
START_TEST(test_descriptors_are_kept)
{
	struct rlimit files;

	ck_assert_uint_eq(quota_reserve(20), 4);
	ck_assert_uint_eq(quota_reserve(64), 8);
	ck_assert_uint_eq(quota_reserve(1024), 128);
	ck_assert_uint_eq(quota_reserve(1000000), 512);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	quota_free(quota);
	set_up();
	ck_assert(quota_may_use(quota, 55));
	ck_assert(!quota_may_use(quota, 56));
	ck_assert_uint_eq(quota_admin_share(), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quota");
	TCase *tcase = tcase_create("quota");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_connections_of_the_node);
	tcase_add_test(tcase, test_connections_of_an_address);
	tcase_add_test(tcase, test_networks_of_ipv6);
	tcase_add_test(tcase, test_nobody_is_not_counted);
	tcase_add_test(tcase, test_a_crowd_does_not_lock_others_out);
	tcase_add_test(tcase, test_workers_lose_no_count);
	tcase_add_test(tcase, test_descriptors_are_kept);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
