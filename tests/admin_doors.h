/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_doors.h - a farm of one node whose admin endpoint is asked over real
 * sockets, for check_admin.c and check_admin_web.c.
 */
#ifndef STEKD_TESTS_ADMIN_DOORS_H
#define STEKD_TESTS_ADMIN_DOORS_H

#include <check.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "admin_farm.h"
#include "admin_route.h"

#define BEARER "Authorization: Bearer " ADMIN_FARM_TOKEN

static struct admin_farm farm;
static struct admin *admin;
static char said[256 * 1024];	/* headers and body of the last answer */
static size_t said_len;

static inline void setup(void)
{
	admin = admin_farm_serve(&farm, ADMIN_DEADLINE_MS);
}

static inline void teardown(void)
{
	admin_stop(admin);
	admin_farm_close(&farm);
}

static inline size_t keep(char *data, size_t size, size_t n, void *user)
{
	(void)user;
	ck_assert_uint_lt(said_len + size * n, sizeof(said));
	memcpy(said + said_len, data, size * n);
	said_len += size * n;
	said[said_len] = '\0';
	return size * n;
}

enum door { DOOR_UNIX, DOOR_TCP, DOOR_OPEN };

struct question {
	const char *method, *path;
	const char *headers[4];
	const char *body;
	bool chunked;
};

static inline size_t feed(char *data, size_t size, size_t n, void *user)
{
	const char **body = user;
	size_t len = strlen(*body);

	if (len > size * n)
		len = size * n;
	memcpy(data, *body, len);
	*body += len;
	return len;
}

static inline void set_body(CURL *curl, const struct question *q,
			    const char **rest)
{
	if (q->body == NULL)
		return;
	if (!q->chunked) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, q->body);
		return;
	}
	*rest = q->body;
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, feed);
	curl_easy_setopt(curl, CURLOPT_READDATA, rest);
}

/* The status; 0 when no answer came. */
static inline long ask(enum door door, const struct question *q)
{
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = NULL;
	const char *rest = NULL;
	char url[128];
	long status = 0;
	size_t i;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s",
		 admin_port(admin, door == DOOR_OPEN), q->path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (door == DOOR_UNIX)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, farm.socket);
	for (i = 0; i < 4 && q->headers[i] != NULL; i++)
		headers = curl_slist_append(headers, q->headers[i]);
	set_body(curl, q, &rest);
	headers = curl_slist_append(headers, "Content-Type: application/json");
	if (q->chunked)
		headers = curl_slist_append(headers,
					    "Transfer-Encoding: chunked");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, q->method);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_HEADER, 1L);
	curl_easy_setopt(curl, CURLOPT_NOBODY,
			 (long)(strcmp(q->method, "HEAD") == 0));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
	said_len = 0;
	said[0] = '\0';
	if (curl_easy_perform(curl) == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return status;
}

static inline long get(enum door door, const char *path, const char *h1,
		       const char *h2)
{
	const struct question q = { .method = "GET", .path = path,
				    .headers = { h1, h2 } };

	return ask(door, &q);
}

/* Runs the tests that `add` names. */
static inline int run_tests(const char *name, void (*add)(TCase *tcase))
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	add(tcase);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	curl_global_cleanup();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
