// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_event.c - the farm's events as lines of the log: a sentence for people,
 * the event's own name for programs, and nothing that is empty.
 */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "log.h"

static int ends[2], saved = -1;
static char line[8192];

/* A pipe of packets: one read returns what one write(2) wrote. */
static void setup(void)
{
	ck_assert_int_eq(pipe2(ends, O_DIRECT | O_NONBLOCK), 0);
	saved = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	log_setup(LOG_INFO, LOG_LOGFMT, "node-1");
}

static void teardown(void)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
}

static void log_it(const struct stek_event *event)
{
	ssize_t n;

	event_log(event);
	n = read(ends[0], line, sizeof(line) - 1);
	ck_assert_int_gt(n, 0);
	line[n] = '\0';
}

/* Without a key, a detail and an error their names are not there either. */
START_TEST(test_no_key_may_seal)
{
	const struct stek_event event = {
		.kind = STEK_EVENT_NO_ACTIVE_KEY, .version.epoch = 7,
		.detail = "",
	};

	log_it(&event);
	ck_assert_ptr_nonnull(strstr(line, " level=warn node=node-1 "
		"msg=\"no key may seal now\" event=no_active_key epoch=7\n"));
}
END_TEST

/* With them they are. */
START_TEST(test_all_that_is_known)
{
	const struct stek_event event = {
		.kind = STEK_EVENT_STATE_FILE, .version.epoch = 8,
		.error = STEK_EIO, .key_id = { 0xab, [STEK_ID_LEN - 1] = 1 },
		.detail = "ring.bin: disk full",
	};

	log_it(&event);
	ck_assert_ptr_nonnull(strstr(line, "event=state_file epoch=8 key=ab00"));
	ck_assert_ptr_nonnull(strstr(line, "01 detail=\"ring.bin: disk full\" "
				     "error="));
}
END_TEST

/* Each has a sentence of its own; a kind that we do not know is told too. */
START_TEST(test_every_event_reads)
{
	const struct stek_event event = {
		.kind = (enum stek_event_kind)_i, .detail = "",
	};
	const char *name = stek_event_name(event.kind);
	const char *message;

	log_it(&event);
	message = strstr(line, "msg=\"");
	ck_assert_ptr_nonnull(message);
	ck_assert_ptr_null(strstr(line, "=\"\""));
	ck_assert_ptr_nonnull(strstr(line, name));
	ck_assert_int_eq(strstr(message, "something happened") != NULL,
			 !strcmp(name, "unknown"));
	ck_assert_ptr_null(memchr(message, '_',
				  strcspn(message, " ")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("event");
	TCase *tcase = tcase_create("event_log");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_no_key_may_seal);
	tcase_add_test(tcase, test_all_that_is_known);
	tcase_add_loop_test(tcase, test_every_event_reads, 0,
			    STEK_EVENT_LAGGING + 2);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
