/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stekprobe makes of a matrix: intervals, classes, strays. The matrices
 * are made here; check_probe_run.c measures real servers.
 */
#include "made_farm.h"

static const struct farm_finding *only_finding(void)
{
	ck_assert_uint_eq(farm.n_findings, 1);
	return &farm.findings[0];
}

/* Wilson's interval, against figures of the literature (Newcombe 1998, 3). */
START_TEST(test_interval)
{
	static const struct {
		unsigned part, whole;
		double low, high;
	} known[] = {
		{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605},
		{0, 20, 0, 0.1611},	   {1, 29, 0.0061, 0.1718},
		{29, 29, 0.8830, 1},	   {5, 10, 0.2366, 0.7634},
		{0, 0, 0, 1},		   {5, 5, 0.5655, 1},
		{0, 5, 0, 0.4345},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		double low, high;

		share_interval(known[i].part, known[i].whole, &low, &high);
		near_to(low, known[i].low);
		near_to(high, known[i].high);
	}
}
END_TEST

/* A good farm is one class, of which nothing is to be told. */
START_TEST(test_good_farm)
{
	make_farm(5, TRIES);
	judge();
	ck_assert_uint_eq(farm.n_findings, 0);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		ck_assert_uint_eq(farm.classes[v], 1);
		ck_assert(!farm.tied[v]);
	}
	for (size_t i = 0; i < 5; i++)
		ck_assert(!farm_is_stray(&farm, i));
	ck_assert_int_eq(farm_verdict(&farm, SHARE_WHOLE), 0);
}
END_TEST

/* Whichever node it is, the stray alone is named, with what was counted. */
START_TEST(test_one_stray)
{
	const struct farm_finding *finding;
	size_t stray = (size_t)_i;

	make_farm(5, TRIES);
	for (size_t i = 0; i < 5; i++) {
		if (i != stray)
			shut_both_ways(-1, stray, i);
	}
	judge();
	finding = only_finding();
	ck_assert_int_eq(finding->what, FARM_STRAY);
	ck_assert(!finding->pair);
	ck_assert_uint_eq(finding->row, stray);
	ck_assert(finding->versions[0] && finding->versions[1]);
	ck_assert_uint_eq(finding->given.tried, 2 * 4 * TRIES);
	ck_assert_uint_eq(finding->given.resumed, 0);
	ck_assert_uint_eq(finding->taken.resumed, 0);
	ck_assert_uint_eq(finding->own.resumed, 2 * TRIES);
	for (size_t i = 0; i < 5; i++)
		ck_assert(farm_is_stray(&farm, i) == (i == stray));
	ck_assert_uint_eq(farm.classes[TLS_V12], 2);
	ck_assert_uint_eq(farm.nodes[stray].class[TLS_V12], 1);
	ck_assert_int_eq(farm_verdict(&farm, SHARE_WHOLE), 1);
}
END_TEST

/* A stray in one version is told of that version. */
START_TEST(test_stray_in_one_version)
{
	const struct farm_finding *finding;

	make_farm(3, TRIES);
	shut_both_ways(TLS_V12, 1, 0);
	shut_both_ways(TLS_V12, 1, 2);
	judge();
	finding = only_finding();
	ck_assert_int_eq(finding->what, FARM_STRAY);
	ck_assert(finding->versions[TLS_V12] && !finding->versions[TLS_V13]);
	ck_assert_uint_eq(farm.classes[TLS_V13], 1);
	ck_assert_uint_eq(farm.classes[TLS_V12], 2);
}
END_TEST

/* Three classes of 3, 2 and 1: numbered by size, three nodes are astray. */
START_TEST(test_partition)
{
	static const int class_of[] = {1, 0, 2, 0, 1, 0};

	make_farm(6, TRIES);
	for (size_t a = 0; a < 6; a++) {
		for (size_t b = 0; b < a; b++) {
			if (class_of[a] != class_of[b])
				shut_both_ways(-1, a, b);
		}
	}
	judge();
	ck_assert_uint_eq(farm.classes[TLS_V13], 3);
	ck_assert(!farm.tied[TLS_V13]);
	ck_assert_uint_eq(farm.n_findings, 3);
	for (size_t i = 0; i < 6; i++) {
		ck_assert_uint_eq(farm.nodes[i].class[TLS_V13],
				  (size_t)class_of[i]);
		ck_assert(farm_is_stray(&farm, i) == (class_of[i] != 0));
	}
}
END_TEST

/* Of two halves none is the farm: all are told, and that it is a tie. */
START_TEST(test_halves)
{
	make_farm(4, TRIES);
	for (size_t a = 0; a < 2; a++) {
		for (size_t b = 2; b < 4; b++)
			shut_both_ways(-1, a, b);
	}
	judge();
	ck_assert(farm.tied[TLS_V12] && farm.tied[TLS_V13]);
	ck_assert_uint_eq(farm.n_findings, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert(farm_is_stray(&farm, i));
}
END_TEST

/* One direction alone: who is behind, and who is ahead. */
START_TEST(test_directions)
{
	make_farm(4, TRIES);
	for (size_t i = 0; i < 3; i++)
		shut(-1, i, 3);		/* 3 opens nobody's */
	judge();
	ck_assert_int_eq(only_finding()->what, FARM_BEHIND);
	ck_assert_uint_eq(only_finding()->row, 3);
	farm_clear(&farm);

	make_farm(4, TRIES);
	for (size_t i = 0; i < 3; i++)
		shut(-1, 3, i);		/* nobody opens those of 3 */
	judge();
	ck_assert_int_eq(only_finding()->what, FARM_AHEAD);
	ck_assert_uint_eq(only_finding()->row, 3);
	ck_assert(farm_is_stray(&farm, 3));
}
END_TEST

/* A node that resumes nothing is no class, and no stray class either. */
START_TEST(test_nothing)
{
	make_farm(3, TRIES);
	for (size_t i = 0; i < 3; i++)
		shut_both_ways(-1, 2, i);
	judge();
	ck_assert_int_eq(only_finding()->what, FARM_NOTHING);
	ck_assert_uint_eq(farm.nodes[2].class[TLS_V13], FARM_NO_CLASS);
	ck_assert_uint_eq(farm.classes[TLS_V13], 1);
}
END_TEST

/* No tickets, no handshake, nobody there: each by its name. */
START_TEST(test_out_of_order)
{
	static const enum farm_state due[] = {FARM_NO_TICKETS, FARM_FAILING,
					      FARM_UNREACHABLE};

	make_farm(4, TRIES);
	for (size_t i = 0; i < 4; i++) {
		for (int v = 0; v < TLS_VERSIONS; v++) {
			*cell(v, 3, i) = *cell(v, i, 3) = (struct farm_cell){0};
			farm.nodes[3].down[v] = _i > 0;
		}
	}
	for (int v = 0; v < TLS_VERSIONS; v++) {
		farm.nodes[3].tickets[v] = 0;
		for (size_t i = 0; i < 4 && _i == 0; i++)
			*cell(v, 3, i) = (struct farm_cell){
				.tried = TRIES, .none = TRIES};
	}
	farm.nodes[3].reached = _i < 2;
	judge();
	ck_assert_int_eq(only_finding()->what, due[_i]);
	ck_assert_uint_eq(only_finding()->row, 3);
	ck_assert(farm_is_stray(&farm, 3) == (due[_i] == FARM_NO_TICKETS));
	ck_assert_int_eq(farm_verdict(&farm, SHARE_WHOLE), 1);
}
END_TEST

/* Too few tries accuse nobody, though nothing resumed. */
START_TEST(test_undecided)
{
	make_farm(2, 1);
	shut_both_ways(-1, 0, 1);
	judge();
	ck_assert_uint_eq(farm.n_findings, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(farm.findings[i].what, FARM_UNDECIDED);
		ck_assert(!farm_is_stray(&farm, i));
	}
	ck_assert_int_eq(farm_verdict(&farm, SHARE_WHOLE), 1);
}
END_TEST

/* With few tries in a cell the sums decide: here 1 in each of 8 by 8. */
START_TEST(test_sparse)
{
	make_farm(8, 1);
	for (size_t i = 0; i < 8; i++) {
		for (int v = 0; v < TLS_VERSIONS; v++)
			cell(v, i, i)->tried = cell(v, i, i)->resumed = TRIES;
		if (i != 5)
			shut_both_ways(-1, 5, i);
	}
	/* What starts the sums: a pair that was measured well. */
	for (int v = 0; v < TLS_VERSIONS; v++)
		*cell(v, 0, 1) = *cell(v, 1, 0) = (struct farm_cell){
			.tried = TRIES, .resumed = TRIES};
	judge();
	ck_assert_uint_eq(farm.classes[TLS_V13], 2);
	ck_assert_int_eq(only_finding()->what, FARM_STRAY);
	ck_assert_uint_eq(only_finding()->row, 5);
}
END_TEST

/*
 * One direction was measured well and made a member; that the members refuse its
 * tickets is only seen by the sum of cells that say nothing each.
 */
START_TEST(test_expelled)
{
	make_farm(8, 1);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		for (size_t i = 0; i < 8; i++)
			*cell(v, 0, i) = *cell(v, i, i) = (struct farm_cell){
				.tried = 20, .resumed = 20};
		for (size_t i = 1; i < 8; i++)
			*cell(v, i, 0) = (struct farm_cell){0};
	}
	for (size_t i = 0; i < 8; i++) {
		if (i != 1)
			shut(-1, 1, i);
	}
	judge();
	for (int v = 0; v < TLS_VERSIONS; v++)
		ck_assert_uint_eq(farm.classes[v], 2);
	ck_assert_int_eq(only_finding()->what, FARM_AHEAD);
	ck_assert_uint_eq(only_finding()->row, 1);
}
END_TEST

/* A loss here and there splits nothing: the pair is named, as that. */
START_TEST(test_losses)
{
	make_farm(3, 20);
	cell(TLS_V13, 0, 2)->resumed = 18;
	judge();
	ck_assert_int_eq(only_finding()->what, FARM_LOSES);
	ck_assert(only_finding()->pair);
	ck_assert_uint_eq(only_finding()->row, 0);
	ck_assert_uint_eq(only_finding()->column, 2);
	ck_assert_uint_eq(farm.classes[TLS_V13], 1);
	ck_assert_int_eq(farm_verdict(&farm, SHARE_WHOLE), 1);
	ck_assert_int_eq(farm_verdict(&farm, 9000), 0);
	ck_assert_int_eq(farm_verdict(&farm, 9001), 1);
}
END_TEST

/* Noise: a tenth of all is lost at random, and the stray is still the one. */
START_TEST(test_noise)
{
	uint32_t random = 12345 + (uint32_t)_i;

	make_farm(5, 20);
	for (size_t i = 0; i < 25; i++) {
		for (int v = 0; v < TLS_VERSIONS; v++) {
			for (int t = 0; t < 20; t++) {
				random = random * 1664525 + 1013904223;
				farm.cells[v][i].resumed -= random >> 24 < 26;
			}
		}
	}
	for (size_t i = 0; i < 5; i++) {
		if (i != 2)
			shut_both_ways(-1, 2, i);
	}
	judge();
	for (int v = 0; v < TLS_VERSIONS; v++) {
		ck_assert_uint_eq(farm.classes[v], 2);
		for (size_t i = 0; i < 5; i++)
			ck_assert_uint_eq(farm.nodes[i].class[v], i == 2);
	}
	for (size_t i = 0; i < 5; i++)
		ck_assert(farm_is_stray(&farm, i) == (i == 2));
}
END_TEST

/* A pair that refuses, within a class that shares otherwise. */
START_TEST(test_one_way_pair)
{
	make_farm(8, TRIES);
	shut(-1, 6, 7);
	judge();
	ck_assert_uint_eq(farm.classes[TLS_V13], 1);
	ck_assert_int_eq(only_finding()->what, FARM_ONE_WAY);
	ck_assert(only_finding()->pair);
	ck_assert_uint_eq(only_finding()->row, 6);
	ck_assert_uint_eq(only_finding()->column, 7);
}
END_TEST

/* Connections that failed are no refusal. */
START_TEST(test_failures_are_no_refusal)
{
	make_farm(2, 10);
	*cell(TLS_V12, 0, 1) = (struct farm_cell){
		.tried = 10, .resumed = 5, .failed = 5};
	judge();
	ck_assert_uint_eq(farm.n_findings, 0);
	ck_assert_int_eq(farm_verdict(&farm, SHARE_WHOLE), 1);
}
END_TEST

/* Every state has a name and a text. */
START_TEST(test_causes)
{
	for (int state = 0; state < FARM_STATES; state++) {
		const struct farm_cause *cause =
			farm_cause((enum farm_state)state);

		ck_assert_ptr_nonnull(cause->name);
		ck_assert_ptr_nonnull(cause->what);
		ck_assert(state == FARM_SHARES || cause->check[0]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_farm");
	TCase *figures = tcase_create("figures"), *verdict = tcase_create("verdict");
	SRunner *runner;
	int failed;

	tcase_add_test(figures, test_interval);
	tcase_add_test(figures, test_causes);
	suite_add_tcase(suite, figures);
	tcase_add_checked_fixture(verdict, NULL, tear_down);
	tcase_add_test(verdict, test_good_farm);
	tcase_add_loop_test(verdict, test_one_stray, 0, 5);
	tcase_add_test(verdict, test_stray_in_one_version);
	tcase_add_test(verdict, test_partition);
	tcase_add_test(verdict, test_halves);
	tcase_add_test(verdict, test_directions);
	tcase_add_test(verdict, test_nothing);
	tcase_add_loop_test(verdict, test_out_of_order, 0, 3);
	tcase_add_test(verdict, test_undecided);
	tcase_add_test(verdict, test_sparse);
	tcase_add_test(verdict, test_expelled);
	tcase_add_test(verdict, test_losses);
	tcase_add_loop_test(verdict, test_noise, 0, 50);
	tcase_add_test(verdict, test_one_way_pair);
	tcase_add_test(verdict, test_failures_are_no_refusal);
	suite_add_tcase(suite, verdict);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
