/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe's pure parts: figures, addresses, the page, the command line and
 * the verdicts. check_probe_run.c measures real servers.
 */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "probe/options.h"

/* Nearest rank: of 1..100 the n-th percentile is n. */
START_TEST(test_percentile_is_nearest_rank)
{
	struct samples samples = {0};

	for (uint32_t i = 100; i >= 1; i--)
		ck_assert_int_eq(samples_add(&samples, i), 0);
	samples_sort(&samples);
	ck_assert_uint_eq(samples_percentile(&samples, 50), 50);
	ck_assert_uint_eq(samples_percentile(&samples, 99), 99);
	ck_assert_uint_eq(samples_percentile(&samples, 100), 100);
	ck_assert_uint_eq(samples_percentile(&samples, 0), 1);
	samples_clear(&samples);
	ck_assert_uint_eq(samples_percentile(&samples, 50), 0);
}
END_TEST

/* One sample is every percentile; merging keeps all samples. */
START_TEST(test_percentile_of_few)
{
	struct samples a = {0}, b = {0};

	ck_assert_int_eq(samples_add(&a, 7), 0);
	ck_assert_uint_eq(samples_percentile(&a, 1), 7);
	ck_assert_uint_eq(samples_percentile(&a, 99), 7);
	ck_assert_int_eq(samples_add(&b, 3), 0);
	ck_assert_int_eq(samples_merge(&a, &b), 0);
	samples_sort(&a);
	ck_assert_uint_eq(a.n, 2);
	ck_assert_uint_eq(samples_percentile(&a, 50), 3);
	samples_clear(&a);
	samples_clear(&b);
}
END_TEST

/* Of the first n connections exactly floor(n * share) are due, for every n. */
START_TEST(test_share_is_exact)
{
	static const unsigned shares[] = {0, 1, 3333, 5000, 9999, 10000};

	for (size_t s = 0; s < sizeof(shares) / sizeof(shares[0]); s++) {
		uint64_t due = 0;

		for (uint64_t i = 0; i < 30000; i++) {
			due += share_due(i, shares[s]);
			ck_assert_uint_eq(due, (i + 1) * shares[s] /
						       SHARE_WHOLE);
		}
	}
}
END_TEST

/* Percentages have at most two decimals and end at 100. */
START_TEST(test_share_parse)
{
	static const char *const wrong[] = {"",	   "-1",   "101", "100.01",
					    "1.234", "x",  "5x",  ".5",
					    "99999999999", "50%%"};
	unsigned share = 1;

	ck_assert_int_eq(share_parse("0", &share), 0);
	ck_assert_uint_eq(share, 0);
	ck_assert_int_eq(share_parse("99.5", &share), 0);
	ck_assert_uint_eq(share, 9950);
	ck_assert_int_eq(share_parse("33.33%", &share), 0);
	ck_assert_uint_eq(share, 3333);
	ck_assert_int_eq(share_parse("100", &share), 0);
	ck_assert_uint_eq(share, SHARE_WHOLE);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(share_parse(wrong[i], &share) == -1, "%s",
			      wrong[i]);
	ck_assert_uint_eq(share, SHARE_WHOLE);
}
END_TEST

/* A set of key names counts each once, however large it grows. */
START_TEST(test_key_names_are_distinct)
{
	struct key_names set = {0}, other = {0};
	uint8_t name[KEY_NAME_LEN] = {0};

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 1000; i++) {
			name[0] = (uint8_t)i;
			name[15] = (uint8_t)(i >> 8);
			ck_assert_int_eq(key_names_add(&set, name), 0);
		}
	}
	ck_assert_uint_eq(set.n, 1000);
	memset(name, 0xff, sizeof(name));
	ck_assert_int_eq(key_names_add(&other, name), 0);
	ck_assert_int_eq(key_names_merge(&set, &other), 0);
	ck_assert_int_eq(key_names_merge(&set, &other), 0);
	ck_assert_uint_eq(set.n, 1001);
	key_names_clear(&set);
	key_names_clear(&other);
}
END_TEST

/* Reasons add up by name; what does not fit is "other", and never lost. */
START_TEST(test_reasons_overflow_into_other)
{
	struct reasons reasons = {0};
	uint64_t sum = 0;
	char name[REASON_LEN];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "reason_%d", i);
		reasons_add(&reasons, name, 2);
	}
	for (size_t i = 0; i < reasons.n; i++)
		sum += reasons.list[i].count;
	ck_assert_uint_eq(sum, 200);
	ck_assert_uint_eq(reasons.n, REASONS_MAX);
	ck_assert_uint_eq(reasons_count(&reasons, "reason_0"), 2);
	ck_assert_uint_eq(reasons_count(&reasons, "other"),
			  2 * (100 - (REASONS_MAX - 1)));
	ck_assert_uint_eq(reasons_count(&reasons, "reason_99"), 0);
}
END_TEST

START_TEST(test_address_forms)
{
	struct address address;

	ck_assert_int_eq(address_parse(&address, "www.example.com:443"), 0);
	ck_assert_str_eq(address.host, "www.example.com");
	ck_assert_str_eq(address.port, "443");
	ck_assert(!address.literal);
	ck_assert_int_eq(address_parse(&address, "127.0.0.1:1"), 0);
	ck_assert(address.literal);
	ck_assert_int_eq(address_parse(&address, "[::1]:65535"), 0);
	ck_assert_str_eq(address.host, "::1");
	ck_assert(address.literal);
}
END_TEST

START_TEST(test_address_refuses_what_has_not_that_form)
{
	static const char *const wrong[] = {
		"", "host", ":443", "host:", "host:0", "host:65536", "host:x",
		"::1:443", "[::1]", "[::1:443", "[]:443", "[host]:443",
		"a b:443", "host:-1", "http://host:443",
	};
	struct address address;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(address_parse(&address, wrong[i]) == -1, "%s",
			      wrong[i]);
}
END_TEST

START_TEST(test_address_list)
{
	struct address *list = NULL;
	size_t n = 0;

	ck_assert_int_eq(address_list(&list, &n, "a:1,[::1]:2,b:3"), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(list[1].text, "[::1]:2");
	ck_assert_int_eq(address_list(&list, &n, "a:1,"), -1);
	ck_assert_int_eq(address_list(&list, &n, ",a:1"), -1);
	ck_assert_int_eq(address_list(&list, &n, "a:1,b"), -1);
	free(list);
}
END_TEST

#define PAGE(body) \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" body

/* The built-in page tells node, issuer's id and what the server thinks. */
START_TEST(test_page_of_stekd)
{
	static const char reply[] =
		PAGE("{\"node\":\"n1\",\"resumed\":true,"
		     "\"farm\":\"f\",\"outcome\":\"resumed_active\","
		     "\"ticket\":{\"issuer\":\"\",\"issuer_id\":\"deadbeef\"}}");
	static const char own[] =
		PAGE("{\"node\":\"node-1\",\"resumed\":true,"
		     "\"ticket\":{\"issuer_id\":\"35971be6\"}}");
	struct page page;

	page_parse(&page, reply, sizeof(reply) - 1);
	ck_assert_int_eq(page.status, 200);
	ck_assert(page.known && page.resumed);
	ck_assert_str_eq(page.node, "n1");
	ck_assert_str_eq(page.farm, "f");
	ck_assert_str_eq(page.outcome, "resumed_active");
	ck_assert(page.elsewhere);
	page_parse(&page, own, sizeof(own) - 1);
	ck_assert(page.known && !page.elsewhere);
}
END_TEST

/* Another server's answer tells nothing, and nothing of it is trusted. */
START_TEST(test_page_of_others)
{
	static const char *const replies[] = {
		PAGE("hello"),
		PAGE("{\"resumed\":\"yes\",\"node\":\"n1\"}"),
		PAGE("[true]"),
		PAGE("{\"resumed\":true"),
		"HTTP/1.1 200 OK\r\n",
		"220 smtp ready\r\n\r\n{\"resumed\":true}",
		"",
	};
	struct page page;

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		page_parse(&page, replies[i], strlen(replies[i]));
		ck_assert_msg(!page.known, "%s", replies[i]);
		ck_assert_str_eq(page.node, "");
	}
}
END_TEST

/* Types of other members may be anything; control characters are replaced. */
START_TEST(test_page_is_foreign)
{
	static const char reply[] =
		PAGE("{\"node\":\"\\u001b[2Jx\",\"resumed\":false,"
		     "\"ticket\":[1]}");
	struct page page;

	page_parse(&page, reply, sizeof(reply) - 1);
	ck_assert(page.known && !page.resumed);
	ck_assert_str_eq(page.node, "?[2Jx");
	ck_assert(!page.elsewhere);
}
END_TEST

/* A field by its name in any case; not of the status line, nor of the body. */
START_TEST(test_page_header)
{
	static const char reply[] =
		"HTTP/1.1 200 X: no\r\nX-Nodes: a\r\nx-NODE: \t n\001 1 \r\n"
		"X-Empty:\r\nX-Last:z\r\n\r\nX-Body: b\r\n";
	char out[PAGE_NAME_LEN];

	ck_assert(page_header(reply, sizeof(reply) - 1, "X-Node", out));
	ck_assert_str_eq(out, "n? 1");
	ck_assert(page_header(reply, sizeof(reply) - 1, "X-Last", out));
	ck_assert_str_eq(out, "z");
	ck_assert(!page_header(reply, sizeof(reply) - 1, "X-Empty", out));
	ck_assert(!page_header(reply, sizeof(reply) - 1, "X-Body", out));
	ck_assert(!page_header(reply, sizeof(reply) - 1, "HTTP/1.1 200 X",
			       out));
	ck_assert(!page_header(reply, 40, "X-Nodes", out));
}
END_TEST

/* Complete means headers and as many bytes as Content-Length says. */
START_TEST(test_page_complete)
{
	static const char five[] =
		"HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\n\r\nhello";
	static const char none[] = "HTTP/1.1 200 OK\r\n\r\nhello";
	static const char huge[] = "HTTP/1.1 200 OK\r\nContent-Length: "
				   "99999999999999999999999\r\n\r\n";

	ck_assert(page_complete(five, sizeof(five) - 1, sizeof(five) - 1));
	for (size_t len = 0; len < sizeof(five) - 1; len++)
		ck_assert(!page_complete(five, len, len));
	ck_assert(!page_complete(none, sizeof(none) - 1, sizeof(none) - 1));
	ck_assert(!page_complete(huge, sizeof(huge) - 1, sizeof(huge) - 1));
	ck_assert(page_started(none, sizeof(none) - 1));
	ck_assert(!page_started(none, 10));
}
END_TEST

static int parse(struct options *options, const char *line)
{
	static char text[512];
	char *argv[32] = {NULL}, *save = NULL;
	FILE *quiet = fopen("/dev/null", "w");
	int argc = 0, result;

	ck_assert_ptr_nonnull(quiet);
	snprintf(text, sizeof(text), "stekprobe %s", line);
	for (char *word = strtok_r(text, " ", &save); word && argc < 31;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	result = options_parse(options, argc, argv, quiet);
	fclose(quiet);
	return result;
}

START_TEST(test_options_defaults)
{
	struct options options;

	ck_assert_int_eq(parse(&options, "load --connect a:1,b:2"), 0);
	ck_assert_uint_eq(options.load.n, 2);
	ck_assert_uint_eq(options.load.connections, 1000);
	ck_assert_uint_eq(options.load.warmup, 10);
	ck_assert_uint_eq(options.load.share, SHARE_WHOLE);
	ck_assert(options.load.versions[TLS_V12]);
	ck_assert(options.load.versions[TLS_V13]);
	options_clear(&options);
	ck_assert_int_eq(parse(&options, "farm a:1 --tls 1.3 b:2 --tries 9"),
			 0);
	ck_assert_uint_eq(options.n_addresses, 2);
	ck_assert_uint_eq(options.farm.tries, 9);
	ck_assert(!options.versions[TLS_V12]);
	ck_assert(!options.farm.versions[TLS_V12]);
	ck_assert_uint_eq(options.farm.n, 2);
	ck_assert_uint_eq(options.expect, SHARE_WHOLE);
	options_clear(&options);
	ck_assert_int_eq(parse(&options, "farm a:1 --expect 0"), 0);
	ck_assert_uint_eq(options.expect, 0);
	options_clear(&options);
	ck_assert_int_eq(parse(&options, "farm a:1 --balanced --every 5 "
					 "--rounds 2 --node-header X-Node"), 0);
	ck_assert(options.farm.balanced);
	ck_assert_uint_eq(options.farm.most, 2000);
	ck_assert_uint_eq(options.farm.every_s, 5);
	ck_assert_uint_eq(options.farm.rounds, 2);
	ck_assert_str_eq(options.farm.node_header, "X-Node");
	options_clear(&options);
}
END_TEST

/* Without resumption nothing is to be warmed up, unless asked for. */
START_TEST(test_options_warmup)
{
	struct options options;

	ck_assert_int_eq(parse(&options, "load --connect a:1 --resume 0"), 0);
	ck_assert_uint_eq(options.load.warmup, 0);
	options_clear(&options);
	ck_assert_int_eq(parse(&options, "load --connect a:1 --warmup 3"), 0);
	ck_assert_uint_eq(options.load.warmup, 3);
	options_clear(&options);
}
END_TEST

START_TEST(test_options_refuses)
{
	static const char *const wrong[] = {
		"", "frob", "farm", "farm a", "load", "load a:1",
		"farm a:1 --concurrency 3", "load --connect a:1 --tries 3",
		"load --connect a:1 --connections 0",
		"load --connect a:1 --connections 5 --duration 5",
		"load --connect a:1 --concurrency 1 --threads 2",
		"load --connect a:1 --resume 101", "farm a:1 --tls 1.1",
		"farm a:1 --expect x", "farm a:1 --nonsense",
		"load --connect", "load --connect a:1 b:2",
		"farm a:1 b:2 --balanced", "farm a:1 --node-header a:b",
		"farm a:1 --every 5", "farm a:1 --rounds 5",
		"farm a:1 --every 5 --for 9 --rounds 2", "farm a:1 --most 0",
		"load --connect a:1 --every 5",
	};
	struct options options;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(parse(&options, wrong[i]) == -1, "%s", wrong[i]);
		options_clear(&options);
	}
}
END_TEST

/* A cell that fell short by one, failed, or was not tried, is exit 1. */
START_TEST(test_farm_verdict)
{
	struct farm_node nodes[1] = {{.reached = true}};
	struct farm_cell cell = {.tried = 100, .resumed = 99};
	struct farm_result result = {.n = 1, .nodes = nodes};

	result.cells[TLS_V13] = &cell;
	ck_assert_int_eq(farm_verdict(&result, 9900), 0);
	ck_assert_int_eq(farm_verdict(&result, 9901), 1);
	ck_assert_int_eq(farm_verdict(&result, 0), 0);
	cell.failed = 1;
	ck_assert_int_eq(farm_verdict(&result, 0), 1);
	cell = (struct farm_cell){0};
	ck_assert_int_eq(farm_verdict(&result, 0), 1);
	nodes[0].reached = false;
	ck_assert_int_eq(farm_verdict(&result, 0), 3);
}
END_TEST

/* Judged by those that were to resume, in each version on its own. */
START_TEST(test_load_verdict)
{
	struct load_result result = {.reached = true};

	result.counts[TLS_V12] = (struct load_counts){
		.connections = 1000, .wanted = 500, .offered = 500,
		.resumed = 500, .full = 500};
	ck_assert_int_eq(load_verdict(&result, SHARE_WHOLE), 0);
	result.counts[TLS_V13] = (struct load_counts){
		.connections = 10, .wanted = 10, .offered = 9, .resumed = 9,
		.full = 1};
	ck_assert_int_eq(load_verdict(&result, SHARE_WHOLE), 1);
	ck_assert_int_eq(load_verdict(&result, 9000), 0);
	result.counts[TLS_V12].failed = 1;
	ck_assert_int_eq(load_verdict(&result, 0), 1);
	result.counts[TLS_V12].failed = 0;
	result.warm_failed = 1;
	ck_assert_int_eq(load_verdict(&result, 0), 1);
	result.reached = false;
	ck_assert_int_eq(load_verdict(&result, 0), 3);
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *const *tests)
{
	TCase *tcase = tcase_create(name);

	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("probe");
	SRunner *runner;
	int failed;

	add(suite, "stats", (const TTest *const[]){
		test_percentile_is_nearest_rank, test_percentile_of_few,
		test_share_is_exact, test_share_parse,
		test_key_names_are_distinct, test_reasons_overflow_into_other,
		NULL});
	add(suite, "address", (const TTest *const[]){
		test_address_forms, test_address_refuses_what_has_not_that_form,
		test_address_list, NULL});
	add(suite, "page", (const TTest *const[]){
		test_page_of_stekd, test_page_of_others, test_page_is_foreign,
		test_page_header, test_page_complete, NULL});
	add(suite, "options", (const TTest *const[]){
		test_options_defaults, test_options_warmup,
		test_options_refuses, NULL});
	add(suite, "verdict", (const TTest *const[]){
		test_farm_verdict, test_load_verdict, NULL});
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
