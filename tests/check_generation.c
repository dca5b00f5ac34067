/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_generation.c - readings of the configuration that follow each other
 * under a worker that serves: who keeps which, and when it goes.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "conn_client.h"
#include "deny.h"
#include "generation.h"

#define WAIT_MS 30000
#define ROUNDS 40

static struct settings next;
static struct settings_host renamed[LOOPBACK_HOSTS];
static char *new_names[] = { "new.example.com" };

/* As loopback's, but that the page's host has another name. */
static void set_next(void)
{
	next = loopback->settings;
	memcpy(renamed, loopback->hosts, sizeof(renamed));
	renamed[0].names = new_names;
	next.hosts = renamed;
}

static void install(const struct settings *settings)
{
	struct generation *generation;
	char why[256] = "";

	ck_assert_msg(!generation_new(&generation, &loopback->node, settings,
				      NULL, why, sizeof(why)), "%s", why);
	ck_assert_msg(!generation_install(&loopback->node, generation, why,
					  sizeof(why)), "%s", why);
}

/* Without its list of denied certificates none is installed. */
START_TEST(test_no_generation_without_its_deny_list)
{
	struct generation *generation;
	uint64_t before;
	char why[256] = "";

	loopback_start(loopback);
	before = generation_number(&loopback->node);
	set_next();
	next.client_deny = "/nonexistent/denied";
	loopback->node.deny = deny_new();
	ck_assert_ptr_nonnull(loopback->node.deny);
	ck_assert_int_eq(generation_new(&generation, &loopback->node, &next,
					NULL, why, sizeof(why)), 0);
	ck_assert_int_eq(generation_install(&loopback->node, generation, why,
					    sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "/nonexistent/denied"));
	ck_assert_uint_eq(generation_number(&loopback->node), before);
	generation_free(generation);
	deny_free(loopback->node.deny);
	loopback->node.deny = NULL;
}
END_TEST

/* Frees what is not held until `left` are there. */
static void await_count(unsigned left)
{
	unsigned turns;

	for (turns = 0; turns < WAIT_MS / 5; turns++) {
		(void)generation_reap(&loopback->node);
		if (generation_count(&loopback->node) == left)
			return;
		(void)poll(NULL, 0, 5);
	}
	ck_abort_msg("%u generations are left, expected %u",
		     generation_count(&loopback->node), left);
}

static void await_accepted(uint64_t n)
{
	struct counters now;
	unsigned turns;

	for (turns = 0; turns < WAIT_MS / 5; turns++) {
		now = loopback_counters(loopback);
		if (now.accepted >= n)
			return;
		(void)poll(NULL, 0, 5);
	}
	ck_abort_msg("a connection was not accepted");
}

/* The first has number 1; each later one the next, and is what is taken. */
START_TEST(test_install_numbers_them)
{
	struct generation *first, *second;

	loopback_start(loopback);
	set_next();
	first = generation_take(&loopback->node);
	ck_assert_uint_eq(first->number, 1);
	ck_assert(generation_is_present(first));
	install(&next);
	ck_assert(!generation_is_present(first));
	second = generation_take(&loopback->node);
	ck_assert_uint_eq(second->number, 2);
	ck_assert_ptr_eq(second->settings, &next);
	generation_release(second);
	generation_release(first);
}
END_TEST

/* It goes when the last of its holders lets go, and not before. */
START_TEST(test_generation_goes_with_its_last_holder)
{
	struct generation *one, *two;

	loopback_start(loopback);
	one = generation_take(&loopback->node);
	two = generation_hold(one);
	install(&loopback->settings);
	ck_assert_uint_eq(generation_count(&loopback->node), 2);
	ck_assert_uint_eq(generation_reap(&loopback->node), 0);
	generation_release(one);
	ck_assert_uint_eq(generation_reap(&loopback->node), 0);
	ck_assert_uint_eq(two->number, 1);
	generation_release(two);
	ck_assert_uint_eq(generation_reap(&loopback->node), 1);
	ck_assert_uint_eq(generation_count(&loopback->node), 1);
}
END_TEST

/* Settings that it does not own are the caller's still. */
START_TEST(test_refused_settings_stay_the_callers)
{
	struct generation *generation = NULL;
	char why[256] = "";

	loopback_start(loopback);
	set_next();
	renamed[0].certificate = renamed[0].key = loopback->dir;
	ck_assert_int_eq(generation_new(&generation, &loopback->node, &next,
					&next, why, sizeof(why)), -1);
	ck_assert_ptr_null(generation);
	ck_assert_str_ne(why, "");
	ck_assert_uint_eq(generation_count(&loopback->node), 1);
}
END_TEST

/* An open connection goes on under what it began with. */
START_TEST(test_connection_keeps_its_generation)
{
	struct client *client;
	int version = version_of[_i];

	loopback_start(loopback);
	set_next();
	client = open_client("www.example.com", version);
	shake(client);
	install(&next);
	await_count(2);
	ck_assert(says(client_ask(client), "\"resumed\":false"));
	client_free(client);
	await_count(1);
}
END_TEST

/* A connection that comes after meets the new hosts, and only them. */
START_TEST(test_new_connection_meets_the_new_hosts)
{
	struct client *client;
	int alert;

	loopback_start(loopback);
	set_next();
	install(&next);
	client = open_client("new.example.com", version_of[_i]);
	shake(client);
	client_free(client);
	client = open_client("www.example.com", version_of[_i]);
	ck_assert(!client_handshake(client, false, &alert));
	ck_assert_int_eq(alert, SSL_AD_UNRECOGNIZED_NAME);
	client_free(client);
	await_count(1);
}
END_TEST

/* One that was accepted before but says hello only now meets them too. */
START_TEST(test_waiting_connection_meets_the_new_hosts)
{
	struct client *client;
	int alert;

	loopback_start(loopback);
	set_next();
	client = open_client("www.example.com", version_of[_i]);
	await_accepted(1);
	install(&next);
	ck_assert(!client_handshake(client, false, &alert));
	ck_assert_int_eq(alert, SSL_AD_UNRECOGNIZED_NAME);
	client_free(client);
	await_count(1);
}
END_TEST

/* One whose hello was answered finishes as it began. */
START_TEST(test_handshake_in_flight_finishes)
{
	struct client *client;
	int alert;

	loopback_start(loopback);
	set_next();
	client = open_client("www.example.com", version_of[_i]);
	ck_assert_int_ne(SSL_do_handshake(client->ssl), 1);
	client_send(client);
	ck_assert(client_recv(client));
	install(&next);
	ck_assert(client_handshake(client, false, &alert));
	ck_assert(says(client_ask(client), "\"resumed\":false"));
	client_free(client);
	await_count(1);
}
END_TEST

/* A ticket of before resumes after: the policy of the host is the same. */
START_TEST(test_ticket_resumes_under_the_next_generation)
{
	struct client *client;
	SSL_SESSION *session;

	loopback_start(loopback);
	session = full_handshake(version_of[_i]);
	install(&loopback->settings);
	client = open_client("www.example.com", version_of[_i]);
	client_offer(client, session);
	SSL_SESSION_free(session);
	shake(client);
	ck_assert(says(client_ask(client), "\"resumed\":true"));
	client_free(client);
}
END_TEST

/* Nor does it where the policy has changed meanwhile. */
START_TEST(test_ticket_of_another_policy_does_not)
{
	static char *alpn[] = { "h2" };
	struct client *client;
	SSL_SESSION *session;

	loopback_start(loopback);
	session = full_handshake(version_of[_i]);
	set_next();
	renamed[0].names = loopback->hosts[0].names;
	renamed[0].alpn = alpn;
	install(&next);
	client = open_client("www.example.com", version_of[_i]);
	client_offer(client, session);
	SSL_SESSION_free(session);
	shake(client);
	ck_assert(says(client_ask(client), "\"resumed\":false"));
	client_free(client);
}
END_TEST

static _Atomic bool enough;
static _Atomic unsigned done[2];	/* handshakes of each thread */

/* As client_ask(), whose answer is one for all threads. */
static void ask(struct client *client)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	char status[12];
	bool clean;

	ck_assert_int_gt(SSL_write(client->ssl, request, sizeof(request) - 1),
			 0);
	client_send(client);
	ck_assert_uint_eq(client_read(client, status, sizeof(status), &clean),
			  sizeof(status));
	ck_assert_mem_eq(status, "HTTP/1.1 200", sizeof(status));
}

static void *shake_on(void *user)
{
	int i = (int)((const int *)user - version_of);

	while (!atomic_load(&enough)) {
		struct client *client = open_client("www.example.com",
						    version_of[i]);

		shake(client);
		ask(client);
		client_free(client);
		atomic_fetch_add(&done[i], 1);
	}
	return NULL;
}

/* Handshakes of both versions go on while one reading follows another. */
START_TEST(test_handshakes_do_not_feel_reloads)
{
	pthread_t threads[2];
	int i;

	loopback_start(loopback);
	set_next();
	renamed[0].names = loopback->hosts[0].names;
	atomic_store(&enough, false);
	for (i = 0; i < 2; i++)
		ck_assert(!pthread_create(&threads[i], NULL, shake_on,
					  (void *)&version_of[i]));
	for (i = 0; i < ROUNDS || !atomic_load(&done[0]) ||
	     !atomic_load(&done[1]); i++) {
		install(i % 2 ? &loopback->settings : &next);
		(void)generation_reap(&loopback->node);
	}
	atomic_store(&enough, true);
	for (i = 0; i < 2; i++)
		ck_assert(!pthread_join(threads[i], NULL));
	await_count(1);
}
END_TEST

/* A loop that turns says so each time, one that does not only at first. */
START_TEST(test_worker_tells_whether_it_turns)
{
	struct worker *stuck = NULL;
	char why[256] = "";
	unsigned turns, seen = 0;

	loopback_start(loopback);
	for (turns = 0; turns < WAIT_MS / 5 && seen < 3; turns++) {
		seen += worker_turns(loopback->worker);
		(void)poll(NULL, 0, 5);
	}
	ck_assert_uint_eq(seen, 3);
	ck_assert(!worker_new(&stuck, &loopback->node, 1, why, sizeof(why)));
	ck_assert(worker_turns(stuck));
	ck_assert(!worker_turns(stuck));
	ck_assert(!worker_turns(stuck));
	worker_free(stuck);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("generation");
	TCase *tcase = tcase_create("generation_take");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_install_numbers_them);
	tcase_add_test(tcase, test_no_generation_without_its_deny_list);
	tcase_add_test(tcase, test_generation_goes_with_its_last_holder);
	tcase_add_test(tcase, test_refused_settings_stay_the_callers);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("connections");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_connection_keeps_its_generation, 0, 2);
	tcase_add_loop_test(tcase, test_new_connection_meets_the_new_hosts, 0,
			    2);
	tcase_add_loop_test(tcase, test_waiting_connection_meets_the_new_hosts,
			    0, 2);
	tcase_add_loop_test(tcase, test_handshake_in_flight_finishes, 0, 2);
	tcase_add_loop_test(tcase,
			    test_ticket_resumes_under_the_next_generation, 0,
			    2);
	tcase_add_loop_test(tcase, test_ticket_of_another_policy_does_not, 0,
			    2);
	tcase_add_test(tcase, test_handshakes_do_not_feel_reloads);
	tcase_add_test(tcase, test_worker_tells_whether_it_turns);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
