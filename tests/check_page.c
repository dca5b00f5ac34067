// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_page.c - the built-in page: which requests it takes, what it answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <jansson.h>

#include "page.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static const uint8_t key_id[STEK_ID_LEN] = { 0xab, 1, 2, 3 };

static struct page_request parse(const char *text)
{
	struct page_request request;

	ck_assert_int_eq(page_parse(&request, text, strlen(text)), PAGE_READY);
	return request;
}

static struct page_facts facts(void)
{
	const struct page_facts all = {
		.node = "node-1", .farm = "example",
		.server_name = "www.example.com",
		.tls_version = "TLSv1.3",
		.cipher_suite = "TLS_AES_128_GCM_SHA256",
		.outcome = STEK_RESUMED_RETIRED, .resumed = true,
		.issuer = "node-2", .issuer_id = 0xa1b2c3d4, .age_ms = 123,
		.key_id = key_id, .key_state = "retired", .handshakes = 42,
	};

	return all;
}

static const char *answer(const struct page_request *request,
			  const struct page_facts *about)
{
	static char text[PAGE_ANSWER_MAX];

	ck_assert_uint_gt(page_write(text, sizeof(text), request, about), 0);
	return text;
}

/* Each is answered 200 and may be followed by another request. */
START_TEST(test_good_requests_pass)
{
	static const char *const good[] = {
		GET "\r\n",
		"HEAD /a/b?c HTTP/1.1\r\nhost:a\r\n\r\n",
		"\r\n\r\n" GET "\r\n",
		"GET / HTTP/1.1\nHost: a\n\n",
		GET "Content-Length: 0\r\n\r\n",
		GET "X: \t padded\t \r\nConnection: keep-alive\r\n\r\n",
	};
	struct page_request request = parse(good[_i]);

	ck_assert_uint_eq(request.status, 200);
	ck_assert_uint_eq(request.consumed, strlen(good[_i]));
	ck_assert(request.keep_alive);
	ck_assert(!request.json);
	ck_assert(request.head == (_i == 1));
}
END_TEST

/* A request is incomplete until its last byte. */
START_TEST(test_every_cut_request_is_incomplete)
{
	const char *text = GET "Accept: application/json\r\n\r\n";
	struct page_request request;
	size_t len;

	for (len = 0; len < strlen(text); len++)
		ck_assert_int_eq(page_parse(&request, text, len), PAGE_MORE);
	ck_assert(parse(text).json);
}
END_TEST

/* What is malformed is told so, and ends the connection. */
START_TEST(test_bad_requests_are_refused)
{
	static const struct {
		const char *text;
		unsigned status;
	} bad[] = {
		{ "GET /\r\n\r\n", 400 },
		{ "GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", 400 },
		{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "G\001T / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ " / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ GET "Host: b\r\n\r\n", 400 },
		{ GET "No colon\r\n\r\n", 400 },
		{ GET "Space : x\r\n\r\n", 400 },
		{ GET ": x\r\n\r\n", 400 },
		{ GET " folded: x\r\n\r\n", 400 },
		{ GET "X: a\rb\r\n\r\n", 400 },
		{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
	};
	struct page_request request = parse(bad[_i].text);

	ck_assert_uint_eq(request.status, bad[_i].status);
	ck_assert(!request.keep_alive);
}
END_TEST

/* Another method is refused; the connection goes on. */
START_TEST(test_other_methods_are_405)
{
	struct page_request request =
		parse("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");

	ck_assert_uint_eq(request.status, 405);
	ck_assert(request.keep_alive);
	ck_assert_ptr_nonnull(strstr(answer(&request, NULL),
				     "Allow: GET, HEAD\r\n"));
}
END_TEST

/* No body is read: the bytes after such a head must not pass for a request. */
START_TEST(test_a_body_ends_the_connection)
{
	static const char *const bodies[] = {
		GET "Content-Length: 5\r\n\r\n",
		GET "Content-Length: x\r\n\r\n",
		GET "Transfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
	};

	ck_assert(!parse(bodies[_i]).keep_alive);
}
END_TEST

/* Connection: close and HTTP/1.0 end it too. */
START_TEST(test_close_is_honoured)
{
	ck_assert(!parse(GET "Connection: foo, Close\r\n\r\n").keep_alive);
	ck_assert(!parse("GET / HTTP/1.0\r\n\r\n").keep_alive);
	ck_assert_uint_eq(parse("GET / HTTP/1.0\r\n\r\n").status, 200);
}
END_TEST

/* A pipelined request is left where it stands. */
START_TEST(test_a_second_request_is_left)
{
	const char *two = GET "\r\n" GET "\r\n";

	ck_assert_uint_eq(parse(two).consumed, strlen(two) / 2);
}
END_TEST

/* One byte over the bound is answered 431, in one line or in many. */
START_TEST(test_a_long_head_is_431)
{
	static char text[PAGE_REQUEST_MAX + 64];
	struct page_request request;
	int head = snprintf(text, sizeof(text), GET "X: ");

	memset(text + head, 'x', sizeof(text) - (size_t)head);
	memcpy(text + PAGE_REQUEST_MAX - 4, "\r\n\r\n", 4);
	ck_assert_int_eq(page_parse(&request, text, PAGE_REQUEST_MAX - 1),
			 PAGE_MORE);
	ck_assert_int_eq(page_parse(&request, text, PAGE_REQUEST_MAX),
			 PAGE_READY);
	ck_assert_uint_eq(request.status, 200);
	memcpy(text + PAGE_REQUEST_MAX - 4, "x\r\n\r\n", 5);
	ck_assert_int_eq(page_parse(&request, text, PAGE_REQUEST_MAX + 1),
			 PAGE_READY);
	ck_assert_uint_eq(request.status, 431);
	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(page_parse(&request, text, PAGE_REQUEST_MAX),
			 PAGE_READY);
	ck_assert_uint_eq(request.status, 431);
	ck_assert(!request.keep_alive);
}
END_TEST

/* Accept chooses; a refused type is not taken for a wanted one. */
START_TEST(test_accept_chooses_json)
{
	ck_assert(parse(GET "Accept: application/json\r\n\r\n").json);
	ck_assert(parse(GET "ACCEPT: text/html, Application/JSON;q=0.5\r\n"
			"\r\n").json);
	ck_assert(!parse(GET "Accept: */*\r\n\r\n").json);
	ck_assert(!parse(GET "Accept: application/json;q=0\r\n\r\n").json);
	ck_assert(!parse(GET "Accept: application/jsonx\r\n\r\n").json);
}
END_TEST

static json_t *body_of(const char *text)
{
	const char *body = strstr(text, "\r\n\r\n");
	json_t *all = body ? json_loads(body + 4, 0, NULL) : NULL;

	ck_assert_ptr_nonnull(all);
	return all;
}

/* The JSON form has every fact, and the ticket's. */
START_TEST(test_json_tells_all)
{
	struct page_request request =
		parse(GET "Accept: application/json\r\n\r\n");
	struct page_facts about = facts();
	json_t *all = body_of(answer(&request, &about));
	const char *issuer, *id, *key, *state, *outcome;
	int resumed, age, handshakes;

	ck_assert_int_eq(json_unpack(all, "{s:s,s:b,s:i,s:n,s:{s:s,s:s,s:i,"
				     "s:s,s:s}}", "outcome", &outcome,
				     "resumed", &resumed, "handshakes",
				     &handshakes, "alpn", "ticket", "issuer",
				     &issuer, "issuer_id", &id, "age_ms", &age,
				     "key_id", &key, "key_state", &state), 0);
	ck_assert_str_eq(issuer, "node-2");
	ck_assert_str_eq(id, "a1b2c3d4");
	ck_assert_str_eq(key, "ab010203000000000000000000000000");
	ck_assert_str_eq(state, "retired");
	ck_assert_str_eq(outcome, stek_outcome_name(STEK_RESUMED_RETIRED));
	ck_assert(resumed && age == 123 && handshakes == 42);
	json_decref(all);
}
END_TEST

/* The ends of what a number may be, and an id that begins with zeros. */
START_TEST(test_json_numbers)
{
	struct stek_identity identity = { .not_after_s = INT64_MIN };
	struct page_request request =
		parse(GET "Accept: application/json\r\n\r\n");
	struct page_facts about = facts();
	const char *id;
	json_int_t age, until;
	json_t *all;

	about.identity = &identity;
	about.issuer_id = 0x0f;
	about.age_ms = -1203;
	about.handshakes = 0;
	all = body_of(answer(&request, &about));
	ck_assert_int_eq(json_unpack(all, "{s:{s:I}, s:{s:s, s:I}}", "client",
				     "not_after", &until, "ticket",
				     "issuer_id", &id, "age_ms", &age), 0);
	ck_assert_str_eq(id, "0000000f");
	ck_assert_int_eq(age, -1203);
	ck_assert_int_eq(until, INT64_MIN);
	ck_assert_ptr_nonnull(strstr(answer(&request, &about),
				     ",\"handshakes\":0}\n"));
	json_decref(all);
	about.handshakes = UINT64_MAX;
	ck_assert_ptr_nonnull(strstr(answer(&request, &about),
				     ",\"handshakes\":18446744073709551615}\n"));
}
END_TEST

/* Who showed a certificate reads its fingerprint, in both forms. */
START_TEST(test_client_certificate)
{
	static const char hex[] = "c1000000000000000000000000000000"
		"000000000000000000000000000000c2";
	struct stek_identity identity = { .status = 1, .not_after_s = 77 };
	struct page_request json =
		parse(GET "Accept: application/json\r\n\r\n");
	struct page_request text = parse(GET "\r\n");
	struct page_facts about = facts();
	const char *fingerprint, *status;
	json_t *all = body_of(answer(&json, &about));
	int until;

	ck_assert(json_is_null(json_object_get(all, "client")));
	json_decref(all);
	ck_assert_ptr_nonnull(strstr(answer(&text, &about),
				     "client: none\nclient_fingerprint: \n"));
	identity.fingerprint[0] = 0xc1;
	identity.fingerprint[31] = 0xc2;
	about.identity = &identity;
	all = body_of(answer(&json, &about));
	ck_assert_int_eq(json_unpack(all, "{s:{s:s, s:s, s:i}}", "client",
				     "fingerprint", &fingerprint, "status",
				     &status, "not_after", &until), 0);
	ck_assert_str_eq(fingerprint, hex);
	ck_assert_str_eq(status, "verified");
	ck_assert_int_eq(until, 77);
	json_decref(all);
	ck_assert_ptr_nonnull(strstr(answer(&text, &about),
				     "client: verified\nclient_fingerprint: "
				     "c1000"));
}
END_TEST

/* Without a resumption there is no ticket, and no name if none was sent. */
START_TEST(test_json_has_null_where_nothing_is)
{
	struct page_request request =
		parse(GET "Accept: application/json\r\n\r\n");
	struct page_facts about = facts();
	json_t *all;

	about.resumed = false;
	about.outcome = STEK_NONE_OFFERED;
	about.server_name = NULL;
	about.alpn = "h2";
	all = body_of(answer(&request, &about));
	ck_assert(json_is_null(json_object_get(all, "ticket")));
	ck_assert(json_is_null(json_object_get(all, "server_name")));
	ck_assert_str_eq(json_string_value(json_object_get(all, "alpn")), "h2");
	json_decref(all);
}
END_TEST

/* Whatever a name holds, the answer is JSON, and ASCII. */
START_TEST(test_json_escapes)
{
	struct page_request request =
		parse(GET "Accept: application/json\r\n\r\n");
	struct page_facts about = facts();
	char every[256], bare[4200], room[8192];
	const char *text;
	json_t *all;

	for (int i = 0; i < 255; i++)
		every[i] = (char)(i + 1);
	every[255] = '\0';
	about.alpn = every;
	text = answer(&request, &about);
	for (size_t i = 0; text[i]; i++)
		ck_assert_int_ge(text[i], 0);
	all = body_of(text);
	text = json_string_value(json_object_get(all, "alpn"));
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(strncmp(text, every, 127), 0);
	ck_assert_str_eq(json_string_value(json_object_get(all, "node")),
			 about.node);
	json_decref(all);
	/* What has no room is no answer, and nothing is written past it. */
	memset(bare, 'x', sizeof(bare) - 1);
	bare[sizeof(bare) - 1] = '\0';
	about.alpn = bare;
	ck_assert_uint_eq(page_write(room, sizeof(room), &request, &about), 0);
	memset(bare, '"', 1000);
	bare[1000] = '\0';
	ck_assert_uint_eq(page_write(room, sizeof(room), &request, &about), 0);
}
END_TEST

/* The text form says the same; HEAD has its length and no body. */
START_TEST(test_text_and_head)
{
	struct page_request request = parse(GET "\r\n");
	struct page_facts about = facts();
	char *length, *body;
	const char *text = answer(&request, &about);

	ck_assert_ptr_nonnull(strstr(text, "\r\n\r\nnode: node-1\n"));
	ck_assert_ptr_nonnull(strstr(text, "issuer: node-2\n"));
	ck_assert_ptr_nonnull(strstr(text, "handshakes: 42\n"));
	body = strstr(text, "\r\n\r\n") + 4;
	length = strstr(text, "Content-Length: ") + 16;
	ck_assert_uint_eq(strtoul(length, NULL, 10), strlen(body));
	request.head = true;
	text = answer(&request, &about);
	ck_assert_ptr_nonnull(strstr(text, "Content-Length: "));
	ck_assert_str_eq(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}
END_TEST

/* An answer that does not fit is none. */
START_TEST(test_a_small_buffer_is_refused)
{
	struct page_request request = parse(GET "\r\n");
	struct page_facts about = facts();
	size_t len = strlen(answer(&request, &about));
	char text[PAGE_ANSWER_MAX];

	ck_assert_uint_eq(page_write(text, len, &request, &about), 0);
	ck_assert_uint_eq(page_write(text, len + 1, &request, &about), len);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("page");
	TCase *parsing = tcase_create("parse");
	TCase *writing = tcase_create("write");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(parsing, test_good_requests_pass, 0, 6);
	tcase_add_test(parsing, test_every_cut_request_is_incomplete);
	tcase_add_loop_test(parsing, test_bad_requests_are_refused, 0, 13);
	tcase_add_test(parsing, test_other_methods_are_405);
	tcase_add_loop_test(parsing, test_a_body_ends_the_connection, 0, 4);
	tcase_add_test(parsing, test_close_is_honoured);
	tcase_add_test(parsing, test_a_second_request_is_left);
	tcase_add_test(parsing, test_a_long_head_is_431);
	tcase_add_test(parsing, test_accept_chooses_json);
	suite_add_tcase(suite, parsing);
	tcase_add_test(writing, test_json_tells_all);
	tcase_add_test(writing, test_json_numbers);
	tcase_add_test(writing, test_json_has_null_where_nothing_is);
	tcase_add_test(writing, test_json_escapes);
	tcase_add_test(writing, test_client_certificate);
	tcase_add_test(writing, test_text_and_head);
	tcase_add_test(writing, test_a_small_buffer_is_refused);
	suite_add_tcase(suite, writing);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
