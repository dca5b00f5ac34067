// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_late_shown.c - a key that came late is pending though its turn has
 * come (keys/late.c): status, stream and metrics name what comes next, not what
 * lies behind. stek_farm_ring() is made to tell of such a key.
 */
#include "admin_ask.h"
#include "admin_stream.h"
#include "metrics.h"

#define BEHIND_MS 1000

void __wrap_stek_farm_ring(struct stek_farm *farm, struct stek_ring_info *out);
void __real_stek_farm_ring(struct stek_farm *farm, struct stek_ring_info *out);

/* The key that came late, and the next one, which has not. */
static struct stek_key_info *late, *next;
static struct stek_ring_info shown;
static bool alone;	/* the one that came late is the only one that waits */

static struct stek_key_info *pending_after(struct stek_ring_info *ring,
					   size_t i)
{
	while (i < ring->n_keys && ring->keys[i].state != STEK_PENDING)
		i++;
	ck_assert_uint_lt(i, ring->n_keys);
	return &ring->keys[i];
}

void __wrap_stek_farm_ring(struct stek_farm *from, struct stek_ring_info *out)
{
	struct stek_key_info *key;

	__real_stek_farm_ring(from, out);
	if (out->n_keys == 0)
		return;
	key = pending_after(out, 0);
	key->activate_at_ms = out->now_ms - BEHIND_MS;
	while (alone && ++key < out->keys + out->n_keys)
		if (key->state == STEK_PENDING)
			key->state = STEK_GONE;
}

static void begin(void)
{
	setup();
	stek_farm_ring(farm.node.farm, &shown);
	late = pending_after(&shown, 0);
	next = pending_after(&shown, (size_t)(late - shown.keys) + 1);
	ck_assert_int_lt(late->activate_at_ms, shown.now_ms);
	ck_assert_int_gt(next->activate_at_ms, shown.now_ms);
}

START_TEST(test_status)
{
	ck_assert_uint_eq(ask("GET", "/v1/status", NULL), 200);
	ck_assert_int_eq(json_integer_value(json_object_get(
				 json_object_get(json, "ring"),
				 "next_activation_ms")),
			 next->activate_at_ms);
}
END_TEST

/* What comes is ahead, and the late key's turn is not told as what comes. */
START_TEST(test_stream)
{
	size_t len, i, n = 0;
	char *line = admin_feed_line(&farm.node, true, 1, &len);
	const char *kind, *key;
	json_t *event, *list;
	char hex[2 * STEK_ID_LEN + 1];

	ck_assert_ptr_nonnull(line);
	json = json_loadb(line, len, 0, NULL);
	free(line);
	for (i = 0; i < STEK_ID_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", late->id[i]);
	list = json_object_get(json_object_get(json, "ring"), "next");
	json_array_foreach(list, i, event) {
		kind = json_string_value(json_object_get(event, "kind"));
		key = json_string_value(json_object_get(event, "key"));
		ck_assert_int_gt(json_integer_value(json_object_get(event,
								    "at_ms")),
				 shown.now_ms);
		ck_assert(strcmp(kind, "activate") || strcmp(key, hex));
		n++;
	}
	ck_assert_uint_gt(n, 0);
}
END_TEST

static double value(const char *page, const char *series)
{
	const char *at = strstr(page, series);

	ck_assert_ptr_nonnull(at);
	return strtod(at + strlen(series), NULL);
}

static char *metrics_page(void)
{
	char *page = NULL;
	size_t len;
	FILE *out = open_memstream(&page, &len);

	ck_assert_ptr_nonnull(out);
	metrics_write(out, &farm.node);
	fclose(out);
	return page;
}

/* The active key's next event, the end of its sealing, lies ahead. */
static void active_goes_on(const char *page)
{
	ck_assert_double_gt(
		value(page, "\nstekd_key_next_event_timestamp_seconds"
			    "{state=\"active\"} "),
		(double)shown.now_ms / 1e3);
}

START_TEST(test_metrics)
{
	char *page = metrics_page();

	ck_assert_double_eq(
		value(page, "\nstekd_key_next_activation_timestamp_seconds "),
		(double)next->activate_at_ms / 1e3);
	ck_assert_double_gt(
		value(page, "\nstekd_key_next_event_timestamp_seconds"
			    "{state=\"pending\"} "),
		(double)shown.now_ms / 1e3);
	active_goes_on(page);
	free(page);
}
END_TEST

/* Nothing is known to come but the end of its time, and of the active one's. */
START_TEST(test_alone)
{
	char *page;

	alone = true;
	ck_assert_uint_eq(ask("GET", "/v1/status", NULL), 200);
	ck_assert(json_is_null(json_object_get(json_object_get(json, "ring"),
					       "next_activation_ms")));
	page = metrics_page();
	ck_assert_double_eq(
		value(page, "\nstekd_key_next_activation_timestamp_seconds "),
		0);
	ck_assert_double_eq(
		value(page, "\nstekd_key_next_event_timestamp_seconds"
			    "{state=\"pending\"} "),
		(double)late->seal_until_ms / 1e3);
	active_goes_on(page);
	free(page);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("late_shown");
	TCase *tcase = tcase_create("late_shown");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, begin, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_status);
	tcase_add_test(tcase, test_stream);
	tcase_add_test(tcase, test_metrics);
	tcase_add_test(tcase, test_alone);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
