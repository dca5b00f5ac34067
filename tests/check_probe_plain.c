/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe handshake where there is no TLS: nobody, servers that hang up, and
 * servers that speak another protocol.
 */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "handshake_run.h"

START_TEST(test_run_closed_at_once)
{
	struct handshake_plan plan =
		plan_for(&start("n1", 0, HANGS_UP)->address);

	expect_cause(&plan, "silent_close", 1);
}
END_TEST

START_TEST(test_run_without_server)
{
	struct address address = dead_address();
	struct handshake_plan plan = plan_for(&address);

	expect_cause(&plan, "connect_refused", 3);
	plan.address.len = 0;
	expect_cause(&plan, "dns", 3);
}
END_TEST

/* A SYN that nobody answers: the queue of a server that accepts none is full. */
START_TEST(test_run_without_answer_to_syn)
{
	enum { FILL = 8 };
	struct address address;
	struct handshake_plan plan;
	int fd = listen_somewhere(&address), fill[FILL];

	ck_assert_int_eq(listen(fd, 0), 0);
	for (int i = 0; i < FILL; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fill[i], (struct sockaddr *)&address.addr,
			       address.len);
	}
	plan = plan_for(&address);
	plan.offer.timeout_s = 1;
	expect_cause(&plan, "filtered", 3);
	for (int i = 0; i < FILL; i++)
		close(fill[i]);
	close(fd);
}
END_TEST

/* A server without TLS that says `words` to whoever comes. */
struct talker {
	bool closes;	/* every time but the second */
	atomic_bool ending;
	int fd;
	const char *words;
	pthread_t thread;
	struct address address;
};

static void close_on_hello(struct talker *talker)
{
	int fd = accept(talker->fd, NULL, NULL);
	char spill[4096];

	recv(fd, spill, sizeof(spill), 0);
	close(fd);
}

static void *talk_plainly(void *arg)
{
	struct talker *talker = arg;
	char spill[4096];
	int fd;

	if (talker->closes)
		close_on_hello(talker);
	fd = accept(talker->fd, NULL, NULL);
	if (talker->words)
		send(fd, talker->words, strlen(talker->words), MSG_NOSIGNAL);
	while (recv(fd, spill, sizeof(spill), 0) > 0)
		;
	close(fd);
	while (talker->closes && !atomic_load(&talker->ending))
		close_on_hello(talker);
	return NULL;
}

static void expect_of_words(const char *words, const char *cause)
{
	struct talker talker = {.words = words};
	struct handshake_plan plan;

	talker.fd = listen_somewhere(&talker.address);
	pthread_create(&talker.thread, NULL, talk_plainly, &talker);
	plan = plan_for(&talker.address);
	plan.offer.timeout_s = words ? 30 : 1;
	expect_cause(&plan, cause, 1);
	pthread_join(talker.thread, NULL);
	close(talker.fd);
}

/* An HTTP server that only closes on a ClientHello is asked in its own words. */
START_TEST(test_run_with_silent_http)
{
	static const char *const words[] = {
		"HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.0 400 No TLS\r\n\r\n"};

	for (int i = 0; i < 2; i++) {
		struct talker talker = {.words = words[i], .closes = true};
		struct handshake_plan plan;
		int last;

		talker.fd = listen_somewhere(&talker.address);
		pthread_create(&talker.thread, NULL, talk_plainly, &talker);
		plan = plan_for(&talker.address);
		plan.offer.timeout_s = 30;
		expect_cause(&plan, i == 0 ? "plain_http" : "silent_close", 1);
		atomic_store(&talker.ending, true);
		last = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(connect(last, (const struct sockaddr *)
					 &talker.address.addr,
					 talker.address.len), 0);
		close(last);
		pthread_join(talker.thread, NULL);
		close(talker.fd);
	}
}
END_TEST

/* Whatever it is that is not TLS, it is named and cannot move the cursor. */
START_TEST(test_run_without_tls)
{
	expect_of_words("HTTP/1.1 400 Bad\033[2J Request\r\n\r\n", "plain_http");
	expect_of_words("220 mail\a.example.test ESMTP\r\n", "starttls");
	expect_of_words("* OK IMAP ready\r\n", "starttls");
	expect_of_words("SSH-2.0-x\r\n", "not_tls");
	expect_of_words("\033]0;owned\a", "not_tls");
	expect_of_words(NULL, "no_answer");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_plain");
	TCase *tcase = tcase_create("run");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_run_closed_at_once);
	tcase_add_test(tcase, test_run_without_server);
	tcase_add_test(tcase, test_run_without_answer_to_syn);
	tcase_add_test(tcase, test_run_with_silent_http);
	tcase_add_test(tcase, test_run_without_tls);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
