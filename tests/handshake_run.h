/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handshake_run.h - what the tests of stekprobe handshake share: a plan for one
 * address, a run of it with both reports, and the cause that it should find.
 */
#ifndef TESTS_HANDSHAKE_RUN_H
#define TESTS_HANDSHAKE_RUN_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include <check.h>

#include "probe/handshake.h"
#include "probe_server.h"

static struct handshake_plan plan_for(const struct address *address)
{
	return (struct handshake_plan){
		.offer = {.versions = {true, true}, .timeout_s = 30},
		.address = *address,
		.trials = true,
	};
}

/* Runs it, prints both reports, and finds no control character in them. */
static struct handshake_result run(const struct handshake_plan *plan)
{
	struct handshake_result result;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(handshake_run(plan, &result, stderr), 0);
	handshake_print(plan, &result, out);
	handshake_print_json(plan, &result, out);
	fclose(out);
	for (size_t i = 0; i < len; i++)
		ck_assert(text[i] == '\n' || isprint((unsigned char)text[i]));
	free(text);
	return result;
}

static void expect_cause(const struct handshake_plan *plan, const char *name,
			 int verdict)
{
	struct handshake_result result = run(plan);

	ck_assert_uint_gt(result.causes.n, 0);
	ck_assert_str_eq(result.causes.list[0]->name, name);
	ck_assert_int_eq(handshake_verdict(&result, false), verdict);
	handshake_clear(&result);
}

#endif
