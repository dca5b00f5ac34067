/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stekprobe farm prints of a matrix: text, JSON, CSV. The matrices are made
 * here.
 */
#include <jansson.h>

#include "made_farm.h"

/* The JSON tells it all: intervals, classes, strays, findings with checks. */
START_TEST(test_json)
{
	const json_t *v12, *finding;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_t *root;

	make_farm(3, TRIES);
	shut_both_ways(-1, 0, 1);
	shut_both_ways(-1, 0, 2);
	judge();
	farm_print(&farm, REPORT_JSON, out);
	fclose(out);
	root = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(root);
	ck_assert_uint_eq(json_array_size(json_object_get(root, "strays")), 1);
	ck_assert_str_eq(json_string_value(json_array_get(
			json_object_get(root, "strays"), 0)), "n1");
	v12 = json_object_get(json_object_get(root, "versions"), "TLSv1.2");
	ck_assert_uint_eq(json_array_size(json_object_get(v12, "classes")), 2);
	near_to(json_number_value(json_object_get(
			json_array_get(json_object_get(v12, "rows"), 1),
			"rate")), 2.0 / 3);
	near_to(json_number_value(json_object_get(json_array_get(
			json_array_get(json_object_get(v12, "cells"), 1), 1),
			"low")), 0.5655);
	finding = json_array_get(json_object_get(root, "findings"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(finding, "name")),
			 "stray");
	ck_assert_str_eq(json_string_value(json_object_get(finding, "node")),
			 "n1");
	ck_assert_uint_gt(json_array_size(json_object_get(finding, "check")),
			  0);
	json_decref(root);
	free(text);
}
END_TEST

/* One round of the farm that was made, as it is printed. */
static char *printed(enum report_format format)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	farm_print_round(&farm, format, out);
	farm_print(&farm, format, out);
	fclose(out);
	return text;
}

static void make_round(void)
{
	free(farm.rounds);
	farm.n_rounds = 1;
	farm.rounds = calloc(1, sizeof(*farm.rounds));
	ck_assert_ptr_nonnull(farm.rounds);
	farm.rounds[0].nodes = farm.n;
	farm.rounds[0].sums[TLS_V13] = farm_whole(&farm, TLS_V13);
	farm.rounds[0].old[TLS_V13] = (struct farm_cell){
		.tried = 4, .resumed = 3};
	farm.rounds[0].oldest_s = 60;
	farm.rounds[0].lost_s = 90;
}

/* CSV is a line for each cell, whatever a server calls itself. */
START_TEST(test_csv)
{
	char *text;

	make_farm(2, TRIES);
	strcpy(farm.nodes[1].name, "a,\"b");
	judge();
	make_round();
	text = printed(REPORT_CSV);
	ck_assert_int_eq(strncmp(text, "version,issued_address,issued_node,"
			"resumed_address,resumed_node,tried,resumed,failed,"
			"rate,low,high,round,at_s\nTLSv1.2,192.0.2.1:443,n1,"
			"192.0.2.1:443,n1,5,5,0,1.0000,0.5655,1.0000,1,0.000\n"
			"TLSv1.2,192.0.2.1:443,n1,192.0.2.1:443,\"a,\"\"b\",",
			219), 0);
	free(text);
}
END_TEST

/* The text says who it is, how sure that is, and what to check; old tickets. */
START_TEST(test_text)
{
	static const char *const due[] = {
		"TLSv1.3 15/45, old tickets 3/4 (to 60 s old) (lost from 90 s)"
		": not good; astray: n1, n2, n3\n",
		"resumed 15 of 45 (33.3%; 95 % interval 21.4 to 47.9 %)",
		"TLSv1.3: 3 classes share no keys with each other, and none is "
		"the largest\n",
		"n2: resumes its own tickets, and shares keys with no other "
		"class in both versions\n",
		"its tickets elsewhere 0/20 [0.0, 16.1]",
		"  it says: farm elsewhere, of the tickets it refused "
		"refused_unknown\n",
		"check (stray):\n  - its farm key",
	};
	char *text;

	make_farm(3, TRIES);
	for (size_t i = 0; i < 3; i++)
		shut_both_ways(-1, i, (i + 1) % 3);
	strcpy(farm.nodes[1].farm, "elsewhere");
	strcpy(farm.nodes[1].refusal, "refused_unknown");
	judge();
	make_round();
	text = printed(REPORT_TEXT);
	for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++)
		ck_assert_msg(strstr(text, due[i]), "%s\nin\n%s", due[i], text);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_farm_report");
	TCase *reports = tcase_create("reports");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(reports, NULL, tear_down);
	tcase_add_test(reports, test_json);
	tcase_add_test(reports, test_csv);
	tcase_add_test(reports, test_text);
	suite_add_tcase(suite, reports);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
