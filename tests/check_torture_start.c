// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_torture_start.c - a node's start, with every single allocation failed in
 * turn, wolfSSL's among them: the configuration is read, the farm opened, and
 * the contexts of every host made. What fails says why and leaves nothing; the
 * next try goes well.
 */
#include "generation.h"
#include "memnode.h"
#include "settings_maker.h"
#include "torture.h"

#define CONFIG BASE "state_dir: state\n" \
	"listen: [{ address: \"127.0.0.1:0\", proxy_protocol: true, " \
	"proxy_from: [127.0.0.0/8] }]\n" HOST \
	"    alpn: [http/1.1, h2]\n    backend: tcp:127.0.0.1:9\n" \
	"    client_auth: optional\n    client_ca: ca.pem\n" \
	"    client_crl: ca.crl\n" \
	"  - names: [b.test, \"*.b.test\"]\n    certificate: b.pem\n" \
	"    key: b.key\n    default: true\n"

static struct node node;
static struct memnode *member;

static bool read_settings(unsigned n)
{
	char text[512] = "";
	FILE *err = fmemopen(text, sizeof(text), "w");
	struct settings *out = NULL;
	int result;
	bool hit;

	ck_assert_ptr_nonnull(err);
	torture_begin(n);
	torture_on();
	result = settings_read(&out, conf, err);
	torture_off();
	hit = torture_end();
	fclose(err);
	ck_assert_int_eq(result == 0, out != NULL);
	ck_assert_int_eq(result == 0, text[0] == '\0');
	ck_assert(hit || result == 0);
	settings_free(out);
	good(CONFIG);
	return hit;
}

static bool make_generation(unsigned n)
{
	struct generation *out = NULL;
	char why[256] = "";
	int result;
	bool hit;

	torture_begin(n);
	torture_on();
	result = generation_new(&out, &node, settings, NULL, why, sizeof(why));
	torture_off();
	hit = torture_end();
	ck_assert_int_eq(result == 0, out != NULL);
	ck_assert(result == 0 || (hit && why[0]));
	generation_free(out);
	out = NULL;
	ck_assert_int_eq(generation_new(&out, &node, settings, NULL, why,
					sizeof(why)), 0);
	generation_free(out);
	return hit;
}

START_TEST(test_every_allocation_of_the_settings)
{
	good(CONFIG);
	torture(read_settings, 50, "settings");
}
END_TEST

START_TEST(test_every_allocation_of_a_generation)
{
	struct stek_ring *ring = memnode_ring_default();

	log_setup(LOG_ERROR + 1, LOG_LOGFMT, "node-1");
	good(CONFIG);
	member = memnode_new("node-1", ring, NULL);
	node.farm = &member->farm;
	node.fixed = settings;
	torture(make_generation, 50, "generation");
	memnode_free(member);
	stek__ring_unref(ring);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("torture_start");
	TCase *tcase = tcase_create("start");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, test_every_allocation_of_the_settings);
	tcase_add_test(tcase, test_every_allocation_of_a_generation);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
