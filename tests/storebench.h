/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storebench.h - one store for a test, a directory or a real redis-server as
 * the loop's number says.
 */
#ifndef STEK_TESTS_STOREBENCH_H
#define STEK_TESTS_STOREBENCH_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store.h"

enum { FILE_STORE, REDIS_STORE, STORES };

/* To see it pass; and for all that is to be answered. */
#define HASTY_MS 300
#define PATIENT_MS 30000

static struct redis_server server;
static char dir[64];
static char url[160];
static int kind;

static inline struct stek_store *open_within(const char *farm,
					     uint32_t timeout_ms)
{
	struct stek_store_options options = {
		.url = url, .farm = farm, .timeout_ms = timeout_ms,
	};
	struct stek_store *store = NULL;
	char why[256] = "";

	ck_assert_msg(!stek__store_open(&store, &options, why, sizeof(why)),
		      "%s", why);
	return store;
}

static inline struct stek_store *open_as(const char *farm)
{
	return open_within(farm, PATIENT_MS);
}

static inline struct stek_store *begin(int which)
{
	kind = which;
	if (kind == REDIS_STORE) {
		redis_server_start(&server, false);
		snprintf(url, sizeof(url), "%s", server.url);
	} else {
		strcpy(dir, "/tmp/stek-store-XXXXXX");
		ck_assert_ptr_nonnull(mkdtemp(dir));
		snprintf(url, sizeof(url), "file:%s", dir);
	}
	return open_as("farm");
}

static inline void shell(const char *command)
{
	ck_assert_int_eq(system(command), 0);
}

static inline void end(void)
{
	char command[128];

	redis_server_stop(&server);
	if (!dir[0])
		return;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	shell(command);
}

static inline struct stek_version version(uint64_t epoch, uint8_t fill)
{
	struct stek_version v = { .epoch = epoch };

	memset(v.digest, fill, sizeof(v.digest));
	return v;
}

static inline int publish(struct stek_store *store, const struct stek_version *expect,
		   struct stek_version next, const char *doc)
{
	return store->ops->publish(store, expect, &next, (const uint8_t *)doc,
				   strlen(doc));
}

static inline struct stek_pulse pulse_of(struct stek_store *store)
{
	struct stek_pulse pulse;

	ck_assert_int_eq(store->ops->pulse(store, &pulse), 0);
	return pulse;
}

static inline void wipe(void)
{
	char command[128];

	if (kind == REDIS_STORE) {
		redis_server_tell(&server, "FLUSHALL");
		return;
	}
	snprintf(command, sizeof(command), "rm -rf %s/stek-farm", dir);
	shell(command);
}

/* Runs the suite; 77 when there is no redis-server for half of it. */
static inline int bench_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (!failed && !redis_server_exists())
		return 77;
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
