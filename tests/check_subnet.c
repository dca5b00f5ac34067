// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_subnet.c - networks of addresses: what text means one, which addresses
 * it holds, and which count as one client.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "subnet.h"

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage out = { 0 };
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&out;

	out.ss_family = AF_INET;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		return out;
	out.ss_family = AF_INET6;
	ck_assert_int_eq(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
	return out;
}

static bool holds(const char *subnet, const char *text)
{
	struct sockaddr_storage addr = address(text);
	struct subnet parsed;

	ck_assert_msg(subnet_parse(&parsed, subnet) == 0, "%s", subnet);
	return subnet_holds(&parsed, &addr);
}

/* The first address, the last one, and their neighbours outside. */
START_TEST(test_holds_to_the_bit)
{
	ck_assert(holds("192.0.2.64/26", "192.0.2.64"));
	ck_assert(holds("192.0.2.64/26", "192.0.2.127"));
	ck_assert(!holds("192.0.2.64/26", "192.0.2.63"));
	ck_assert(!holds("192.0.2.64/26", "192.0.2.128"));
	ck_assert(holds("192.0.2.7", "192.0.2.7"));
	ck_assert(!holds("192.0.2.7", "192.0.2.6"));
	ck_assert(holds("192.0.2.7/24", "192.0.2.255"));
	ck_assert(holds("2001:db8:0:2::/63", "2001:db8:0:3:ffff::"));
	ck_assert(!holds("2001:db8:0:2::/63", "2001:db8:0:4::"));
	ck_assert(!holds("2001:db8::1", "2001:db8::2"));
}
END_TEST

/* All of one family is not all of the other; a mapped address is IPv4. */
START_TEST(test_families)
{
	ck_assert(holds("0.0.0.0/0", "203.0.113.9"));
	ck_assert(!holds("0.0.0.0/0", "2001:db8::1"));
	ck_assert(holds("::/0", "2001:db8::1"));
	ck_assert(!holds("::/0", "203.0.113.9"));
	ck_assert(!holds("::/0", "::ffff:203.0.113.9"));
	ck_assert(holds("203.0.113.0/24", "::ffff:203.0.113.9"));
	ck_assert(holds("::ffff:203.0.113.0/120", "203.0.113.9"));
}
END_TEST

/* A Unix socket is in no network. */
START_TEST(test_other_families_are_nowhere)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNIX };
	struct subnet all, of;

	ck_assert_int_eq(subnet_parse(&all, "0.0.0.0/0"), 0);
	ck_assert(!subnet_holds(&all, &addr));
	ck_assert(!subnet_of(&of, &addr, 64));
}
END_TEST

static const char *const refused[] = {
	"", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1",
	"192.0.2.0/+8", "192.0.2.0/08", "192.0.2.0/8 ", "192.0.2/24",
	"192.0.2.0/24/8", "::/129", "::g/64", "host.test", "192.0.2.0/1000",
	"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/64",
};

START_TEST(test_parse_refuses)
{
	struct subnet subnet;

	ck_assert_msg(subnet_parse(&subnet, refused[_i]) < 0, "%s",
		      refused[_i]);
}
END_TEST

static bool same_client(const char *a, const char *b, unsigned v6_bits)
{
	struct sockaddr_storage left = address(a), right = address(b);
	struct subnet first, second;

	ck_assert(subnet_of(&first, &left, v6_bits));
	ck_assert(subnet_of(&second, &right, v6_bits));
	return !memcmp(&first, &second, sizeof(first));
}

/* A site has many IPv6 addresses, and one of IPv4. */
START_TEST(test_who_is_one_client)
{
	ck_assert(same_client("2001:db8::1", "2001:db8::ffff:0:0:1", 64));
	ck_assert(!same_client("2001:db8::1", "2001:db8:0:1::1", 64));
	ck_assert(same_client("2001:db8::1", "2001:db8:0:1::1", 56));
	ck_assert(!same_client("2001:db8::1", "2001:db8::2", 128));
	ck_assert(!same_client("192.0.2.1", "192.0.2.2", 64));
	ck_assert(!same_client("192.0.2.1", "192.0.2.2", 1));
	ck_assert(same_client("192.0.2.1", "::ffff:192.0.2.1", 64));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("subnet");
	TCase *tcase = tcase_create("subnet");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_holds_to_the_bit);
	tcase_add_test(tcase, test_families);
	tcase_add_test(tcase, test_other_families_are_nowhere);
	tcase_add_loop_test(tcase, test_parse_refuses, 0,
			    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tcase, test_who_is_one_client);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
