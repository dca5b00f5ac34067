/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_ask.h - a farm of one node whose admin routes are asked without
 * sockets, for check_admin_route.c and check_admin_refuse.c.
 */
#ifndef STEKD_TESTS_ADMIN_ASK_H
#define STEKD_TESTS_ADMIN_ASK_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "admin_farm.h"
#include "admin_route.h"

#define ID32 "00112233445566778899aabbccddeeff"

static struct admin_farm farm;
static struct admin_answer answer;
static json_t *json;

static inline void setup(void)
{
	admin_farm_open(&farm);
	admin_farm_start(&farm);
}

static inline void forget(void)
{
	json_decref(json);
	json = NULL;
	admin_answer_clear(&answer);
}

static inline void teardown(void)
{
	forget();
	admin_farm_close(&farm);
}

/* Asks; the status comes back, the document is in `json`. */
static inline unsigned ask_type(const char *method, const char *path,
			 const char *type, const char *body)
{
	const struct admin_request request = {
		.method = method,
		.path = path,
		.content_type = type,
		.body = body,
		.body_len = body != NULL ? strlen(body) : 0,
		.who = "uid:0",
	};

	forget();
	admin_route(&farm.node, &request, &answer);
	ck_assert_ptr_nonnull(answer.body);
	ck_assert_uint_eq(answer.len, strlen(answer.body));
	json = json_loads(answer.body, JSON_REJECT_DUPLICATES, NULL);
	return answer.status;
}

static inline unsigned ask(const char *method, const char *path, const char *body)
{
	return ask_type(method, path, NULL, body);
}

/* A problem of RFC 9457 that says the same status. */
static inline void is_problem(unsigned status)
{
	ck_assert_uint_eq(answer.status, status);
	ck_assert_str_eq(answer.type, "application/problem+json");
	ck_assert_uint_eq((unsigned)json_integer_value(
				  json_object_get(json, "status")), status);
	ck_assert_str_ne(json_string_value(json_object_get(json, "title")),
			 "Error");
	ck_assert_ptr_nonnull(json_string_value(
		json_object_get(json, "detail")));
	ck_assert_str_eq(json_string_value(json_object_get(json, "type")),
			 "about:blank");
}

static inline const char *text(const char *name)
{
	const char *value = json_string_value(json_object_get(json, name));

	ck_assert_msg(value != NULL, "no %s in %s", name, answer.body);
	return value;
}

static inline json_int_t integer(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_integer(value), "no %s in %s", name,
		      answer.body);
	return json_integer_value(value);
}

#endif
