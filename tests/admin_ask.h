/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_ask.h - a farm of one node whose admin routes are asked without
 * sockets, for the check programs that look at answers.
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

/* The kind of problem that its type names; it must be of the table. */
static inline enum admin_problem kind_of_problem(void)
{
	const char *type = json_string_value(json_object_get(json, "type"));
	size_t len = strlen(ADMIN_PROBLEM_TYPE);
	int kind;

	ck_assert_ptr_nonnull(type);
	ck_assert_int_eq(strncmp(type, ADMIN_PROBLEM_TYPE, len), 0);
	for (kind = 0; kind < PROBLEMS; kind++)
		if (strcmp(type + len,
			   admin_problem_name((enum admin_problem)kind)) == 0)
			return (enum admin_problem)kind;
	ck_abort_msg("no such kind: %s", type);
}

/* A problem of RFC 9457 that says the same status. */
static inline void is_problem(unsigned status)
{
	enum admin_problem kind = kind_of_problem();
	const char *instance = json_string_value(json_object_get(json,
								 "instance"));

	ck_assert_uint_eq(answer.status, status);
	ck_assert_str_eq(answer.type, "application/problem+json");
	ck_assert_uint_eq((unsigned)json_integer_value(
				  json_object_get(json, "status")), status);
	ck_assert_uint_eq(admin_problem_status(kind), status);
	ck_assert_str_eq(json_string_value(json_object_get(json, "title")),
			 admin_problem_title(kind));
	ck_assert_ptr_nonnull(json_string_value(
		json_object_get(json, "detail")));
	ck_assert_int_eq(instance != NULL, status >= 500);
	if (instance != NULL)
		ck_assert_str_eq(instance, answer.instance);
	ck_assert(status != 429 || answer.retry_after_s > 0);
}

/* The same, of exactly this kind. */
static inline void is_kind(enum admin_problem kind)
{
	is_problem(admin_problem_status(kind));
	ck_assert_int_eq(kind_of_problem(), kind);
	ck_assert_int_eq(answer.retry_after_s > 0,
			 kind == PROBLEM_RATE_LIMITED ||
			 kind == PROBLEM_UNAVAILABLE || kind == PROBLEM_BUSY);
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
