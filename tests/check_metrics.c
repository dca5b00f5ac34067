// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_metrics.c - the Prometheus text: its form by a small reader of the
 * format, its names by the conventions, its figures against what was counted.
 */
#include <check.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "admin_farm.h"
#include "metrics.h"

#define SERIES_MAX 400

static struct admin_farm farm;
static struct counters counters;
static char *page;
static size_t page_len;

static void setup(void)
{
	memset(&counters, 0, sizeof(counters));
	admin_farm_open(&farm);
	page = NULL;
}

static void teardown(void)
{
	free(page);
	admin_farm_close(&farm);
}

static void render_counters(uint64_t open)
{
	FILE *out;

	free(page);
	out = open_memstream(&page, &page_len);
	metrics_write_counters(out, &farm.node, &counters, open);
	fclose(out);
}

static void render(void)
{
	FILE *out;

	free(page);
	out = open_memstream(&page, &page_len);
	metrics_write(out, &farm.node);
	fclose(out);
}

/* The value of the series that is written exactly so; NAN: there is none. */
static double value(const char *series)
{
	const char *at = page;
	size_t len = strlen(series);

	while ((at = strstr(at, series)) != NULL) {
		if ((at == page || at[-1] == '\n') && at[len] == ' ')
			return strtod(at + len, NULL);
		at += len;
	}
	return NAN;
}

#define is(series, wanted) \
	ck_assert_double_eq_tol(value(series), (wanted), 1e-9)

static bool ends(const char *text, const char *tail)
{
	size_t len = strlen(text), n = strlen(tail);

	return len >= n && strcmp(text + len - n, tail) == 0;
}

struct family {
	char name[96], type[16];
	unsigned samples;
};

/* "# HELP name text" or "# TYPE name type". */
static void read_comment(const char *line, struct family *family)
{
	char name[96], type[16];

	if (sscanf(line, "# HELP %95s %15s", name, type) == 2) {
		ck_assert_uint_ne(family->samples, 0);
		strcpy(family->name, name);
		family->samples = 0;
		ck_assert_msg(line[strlen(line) - 1] == '.', "%s", line);
		return;
	}
	ck_assert_msg(sscanf(line, "# TYPE %95s %15s", name, type) == 2, "%s",
		      line);
	ck_assert_str_eq(name, family->name);
	strcpy(family->type, type);
	ck_assert_int_eq(ends(name, "_total"), strcmp(type, "counter") == 0);
	ck_assert(strncmp(name, "stekd_", 6) == 0);
}

/* Exactly one label set, quoted; then one space and a finite number. */
static void read_sample(const char *line, struct family *family)
{
	size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_");
	const char *at = line + n;
	char *end;

	ck_assert_msg(strncmp(line, family->name, strlen(family->name)) == 0,
		      "%s is not of %s", line, family->name);
	if (n != strlen(family->name))
		ck_assert_str_eq(family->type, "histogram");
	if (*at == '{') {
		at = strchr(at, '}');
		ck_assert_msg(at != NULL && at[-1] == '"', "%s", line);
		at++;
	}
	ck_assert_msg(at[0] == ' ' && at[1] != ' ', "%s", line);
	ck_assert_msg(isfinite(strtod(at + 1, &end)) && *end == '\0', "%s",
		      line);
	family->samples++;
}

/* Reads the whole page; no series may come twice. Returns their number. */
static size_t read_page(void)
{
	static char series[SERIES_MAX][160];
	struct family family = { .samples = 1 };
	char *copy = strdup(page), *line, *rest = copy;
	size_t n = 0, i;

	ck_assert(page_len > 0 && page[page_len - 1] == '\n');
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		if (line[0] == '#') {
			read_comment(line, &family);
			continue;
		}
		read_sample(line, &family);
		ck_assert_uint_lt(n, SERIES_MAX);
		snprintf(series[n], sizeof(series[n]), "%.*s",
			 (int)(strrchr(line, ' ') - line), line);
		for (i = 0; i < n; i++)
			ck_assert_str_ne(series[i], series[n]);
		n++;
	}
	ck_assert_uint_ne(family.samples, 0);
	free(copy);
	return n;
}

/* A node that has counted nothing has a whole and valid page. */
START_TEST(test_page_is_valid)
{
	render();
	ck_assert_uint_ge(read_page(), 80);
	is("stekd_build_info{version=\"0.1.0\",farm=\"test\",node=\"node-1\"}",
	   1);
	is("stekd_workers", 0);
	is("stekd_can_seal", 0);
	is("stekd_store_up", 0);
	is("stekd_keys{state=\"active\"}", 0);
	is("stekd_key_next_activation_timestamp_seconds", 0);
}
END_TEST

/* Once the farm runs, the ring's figures are those of its keys. */
START_TEST(test_page_shows_ring)
{
	struct stek_ring_info ring;

	admin_farm_start(&farm);
	stek_farm_ring(farm.node.farm, &ring);
	render();
	read_page();
	is("stekd_can_seal", 1);
	is("stekd_store_up", 1);
	is("stekd_keys{state=\"active\"}", 1);
	is("stekd_keys{state=\"revoked\"}", 0);
	ck_assert_double_ge(value("stekd_ring_epoch"), 1);
	ck_assert_double_ge(value("stekd_keys_minted_total"), 3);
	ck_assert_double_gt(value("stekd_key_next_activation_timestamp_seconds"),
			    (double)ring.now_ms / 1e3);
}
END_TEST

/* What workers counted stands under its labels. */
START_TEST(test_counters_arrive)
{
	count_by(&counters.handshakes[TLS_KIND_13][STEK_RESUMED_ACTIVE], 7);
	count_by(&counters.handshakes[TLS_KIND_12][STEK_REFUSED_FORGED], 3);
	count_by(&counters.failures[FAIL_NOT_TLS], 2);
	count_by(&counters.tickets_issued[TLS_KIND_12], 5);
	count_by(&counters.tickets_blank, 4);
	count_by(&counters.accepted, 11);
	count_by(&counters.bytes_in, 1000);
	count_by(&counters.bytes_out, 2000);
	count_by(&counters.backend_errors, 6);
	render_counters(9);
	read_page();
	is("stekd_handshakes_total{version=\"TLSv1.3\","
	   "outcome=\"resumed_active\"}", 7);
	is("stekd_handshakes_total{version=\"TLSv1.2\","
	   "outcome=\"refused_forged\"}", 3);
	is("stekd_handshakes_total{version=\"TLSv1.3\","
	   "outcome=\"refused_forged\"}", 0);
	is("stekd_handshake_failures_total{reason=\"not_tls\"}", 2);
	is("stekd_tickets_issued_total{version=\"TLSv1.2\"}", 5);
	is("stekd_tickets_blank_total", 4);
	is("stekd_connections_accepted_total", 11);
	is("stekd_connections", 9);
	is("stekd_received_bytes_total", 1000);
	is("stekd_sent_bytes_total", 2000);
	is("stekd_backend_errors_total", 6);
}
END_TEST

/* Alerts stand both ways under the standard's names, the others as one. */
START_TEST(test_alerts_arrive)
{
	count_by(&counters.alerts_sent[alerts_slot(112)], 3);
	count_by(&counters.alerts_received[alerts_slot(48)], 4);
	count_by(&counters.alerts_received[alerts_slot(199)], 5);
	render_counters(0);
	read_page();
	is("stekd_alerts_total{direction=\"sent\",alert=\"unrecognized_name\"}",
	   3);
	is("stekd_alerts_total{direction=\"received\",alert=\"unknown_ca\"}",
	   4);
	is("stekd_alerts_total{direction=\"received\",alert=\"other\"}", 5);
	is("stekd_alerts_total{direction=\"sent\",alert=\"close_notify\"}",
	   0);
}
END_TEST

/* Every key of the ring has its series, and no other key has. */
START_TEST(test_tickets_by_key)
{
	const struct stek_rotate request = { .force = true, .who = "test" };
	struct stek_ring_info ring;
	struct stek_change change;
	char series[96];
	size_t i, n;

	admin_farm_start(&farm);
	render();
	n = read_page();
	stek_farm_ring(farm.node.farm, &ring);
	ck_assert_uint_ge(ring.n_keys, 3);
	for (i = 0; i < ring.n_keys; i++) {
		snprintf(series, sizeof(series),
			 "stekd_key_tickets_issued_total{key=\"%08x\"}",
			 counters_key_id(ring.keys[i].id));
		is(series, 0);
	}
	ck_assert_int_eq(stek_farm_rotate(farm.node.farm, &request, &change),
			 0);
	stek_change_clear(&change);
	render();
	ck_assert_uint_eq(read_page(), n + 1);
}
END_TEST

/* Each state's next event is that of its first key. */
START_TEST(test_next_events)
{
	struct stek_ring_info ring;
	size_t i;

	admin_farm_start(&farm);
	stek_farm_ring(farm.node.farm, &ring);
	render();
	for (i = 0; ring.keys[i].state != STEK_PENDING; i++)
		ck_assert_uint_lt(i, ring.n_keys);
	is("stekd_key_next_event_timestamp_seconds{state=\"pending\"}",
	   (double)ring.keys[i].activate_at_ms / 1e3);
	is("stekd_key_next_event_timestamp_seconds{state=\"active\"}",
	   (double)ring.keys[i].activate_at_ms / 1e3);
	is("stekd_key_next_event_timestamp_seconds{state=\"retired\"}", 0);
	is("stekd_key_next_event_timestamp_seconds{state=\"revoked\"}", 0);
	is("stekd_store_state{store=\"1\",state=\"ok\"}", 1);
	is("stekd_store_state{store=\"1\",state=\"unavailable\"}", 0);
}
END_TEST

/* Buckets are cumulative and end in the count. */
START_TEST(test_histograms_are_cumulative)
{
	counters_age(&counters, 500);
	counters_age(&counters, 4000);
	counters_age(&counters, INT64_C(1000) * 86400 * 6);
	counters_time(&counters.time_full, 1500);
	counters_time(&counters.time_resumed, 400);
	counters_time(&counters.time_resumed, 9000000);
	render_counters(0);
	read_page();
	is("stekd_ticket_age_seconds_bucket{le=\"1\"}", 1);
	is("stekd_ticket_age_seconds_bucket{le=\"5\"}", 2);
	is("stekd_ticket_age_seconds_bucket{le=\"43200\"}", 2);
	is("stekd_ticket_age_seconds_bucket{le=\"+Inf\"}", 3);
	is("stekd_ticket_age_seconds_count", 3);
	is("stekd_ticket_age_seconds_sum", 4.5 + 86400 * 6);
	is("stekd_handshake_duration_seconds_bucket{kind=\"full\","
	   "le=\"0.001\"}", 0);
	is("stekd_handshake_duration_seconds_bucket{kind=\"full\","
	   "le=\"0.002\"}", 1);
	is("stekd_handshake_duration_seconds_count{kind=\"full\"}", 1);
	is("stekd_handshake_duration_seconds_sum{kind=\"full\"}", 0.0015);
	is("stekd_handshake_duration_seconds_bucket{kind=\"resumed\","
	   "le=\"2.5\"}", 1);
	is("stekd_handshake_duration_seconds_count{kind=\"resumed\"}", 2);
}
END_TEST

/* However many nodes issue, the series are bounded. */
START_TEST(test_issuers_are_bounded)
{
	uint32_t id;
	size_t before;

	render_counters(0);
	before = read_page();
	for (id = 1; id <= 3 * ISSUERS_MAX; id++)
		counters_issuer(&counters, id);
	render_counters(0);
	ck_assert_uint_eq(read_page(), before + ISSUERS_MAX);
	is("stekd_resumptions_total{issuer_id=\"00000001\",issuer=\"\"}", 1);
	is("stekd_resumptions_total{issuer_id=\"other\",issuer=\"other\"}",
	   2 * ISSUERS_MAX);
}
END_TEST

/* No run of 32 hexadecimal digits: neither ids nor secrets are figures. */
START_TEST(test_page_names_no_key)
{
	size_t i, run = 0;

	admin_farm_start(&farm);
	render();
	for (i = 0; i < page_len; i++) {
		run = isxdigit((unsigned char)page[i]) ? run + 1 : 0;
		ck_assert_uint_lt(run, 32);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tcase = tcase_create("metrics_write");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_page_is_valid);
	tcase_add_test(tcase, test_page_shows_ring);
	tcase_add_test(tcase, test_counters_arrive);
	tcase_add_test(tcase, test_alerts_arrive);
	tcase_add_test(tcase, test_tickets_by_key);
	tcase_add_test(tcase, test_next_events);
	tcase_add_test(tcase, test_histograms_are_cumulative);
	tcase_add_test(tcase, test_issuers_are_bounded);
	tcase_add_test(tcase, test_page_names_no_key);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
