/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_seed.c - deploy/deps.sh's -DWOLFSSL_GETRANDOM: a connection's random
 * generator is seeded without opening a file, so also when a process has no
 * descriptor left, and without three system calls.
 */
#include <wolfssl/options.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <wolfssl/wolfcrypt/random.h>

START_TEST(test_seeded_without_a_descriptor)
{
	struct rlimit before, none;
	uint8_t drawn[2][32];
	int opened, error, made[2];
	WC_RNG rng[2];

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	opened = open("/dev/urandom", O_RDONLY);
	error = errno;
	for (int i = 0; i < 2; i++)
		made[i] = wc_InitRng(&rng[i]);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);

	ck_assert_int_eq(opened, -1);
	ck_assert_int_eq(error, EMFILE);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(made[i], 0);
		ck_assert_int_eq(wc_RNG_GenerateBlock(&rng[i], drawn[i],
						      sizeof(drawn[i])), 0);
		wc_FreeRng(&rng[i]);
	}
	/* Each by a seed of its own. */
	ck_assert_mem_ne(drawn[0], drawn[1], sizeof(drawn[0]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seed");
	TCase *tcase = tcase_create("seed");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_seeded_without_a_descriptor);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
