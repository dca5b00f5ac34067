// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_redis_tls.c - the Redis store by TLS against a real redis-server: what
 * it refuses, and what it makes of a server that dies, stalls, drips or is
 * garbled at any byte of the handshake and after. Every call ends in time, and
 * the next one at a good server works.
 */
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pki.h"
#include "redis_conn.h"
#include "redis_middle.h"
#include "redis_server.h"

#define NAME "redis.test"
#define PATIENT_MS 60000
#define HASTY_MS 400
#define SLACK_MS 30000		/* of a machine that is busy elsewhere */

static struct redis_server server;
static struct redis_middle middle;
static size_t passed;		/* of the server's bytes, in the last call */
static bool struck;		/* the fault was among them */

static void write_pair(const char *dir, const char *name,
		       const struct pki *pki, const struct pki *ca)
{
	const struct pki *both[] = { pki, ca };
	char path[128];

	snprintf(path, sizeof(path), "%s/%s.pem", dir, name);
	pki_write(path, both, 2);
	snprintf(path, sizeof(path), "%s/%s.key", dir, name);
	pki_write_key(path, pki);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

/* A CA with a server and a client, another CA with a client of its own. */
static void certify(const char *dir)
{
	struct pki ca = pki_make(&(struct pki_wish){ .name = "ca",
						     .ca = true });
	struct pki other = pki_make(&(struct pki_wish){ .name = "other",
							.ca = true });
	struct pki own = pki_make(&(struct pki_wish){
		.name = NAME, .issuer = &ca, .usage = "" });
	struct pki node = pki_make(&(struct pki_wish){ .name = "node",
						       .issuer = &ca });
	struct pki stranger = pki_make(&(struct pki_wish){
		.name = "stranger", .issuer = &other });
	const struct pki *one = &ca, *two = &other;
	char path[128];

	snprintf(path, sizeof(path), "%s/ca.pem", dir);
	pki_write(path, &one, 1);
	snprintf(path, sizeof(path), "%s/other.pem", dir);
	pki_write(path, &two, 1);
	write_pair(dir, "redis", &own, &ca);
	write_pair(dir, "node", &node, &ca);
	write_pair(dir, "stranger", &stranger, &other);
	pki_free(&ca);
	pki_free(&other);
	pki_free(&own);
	pki_free(&node);
	pki_free(&stranger);
}

static void begin(void)
{
	redis_server_start_tls(&server, certify);
	redis_middle_start(&middle, server.port);
}

static void end(void)
{
	redis_middle_stop(&middle);
	redis_server_stop(&server);
}

struct wish {
	const char *ca, *pair, *name;	/* NULL: the good one; "": none */
	uint32_t timeout_ms;
	int port;
};

static struct stek_store *open_as(const struct wish *wish)
{
	char url[64], ca[128], certificate[128], key[128], why[256] = "";
	const char *pair = wish->pair ? wish->pair : "node";
	struct stek_store_options options = {
		.url = url, .farm = "farm", .timeout_ms = wish->timeout_ms,
		.reach.ca = ca,
		.reach.server_name = wish->name ? wish->name : NAME,
		.reach.certificate = pair[0] ? certificate : NULL,
		.reach.key = pair[0] ? key : NULL,
	};
	struct stek_store *store = NULL;

	snprintf(url, sizeof(url), "rediss://127.0.0.1:%d", wish->port);
	snprintf(ca, sizeof(ca), "%s/%s.pem", server.dir,
		 wish->ca ? wish->ca : "ca");
	snprintf(certificate, sizeof(certificate), "%s/%s.pem", server.dir,
		 pair);
	snprintf(key, sizeof(key), "%s/%s.key", server.dir, pair);
	ck_assert_msg(!stek__store_open(&store, &options, why, sizeof(why)),
		      "%s", why);
	return store;
}

static int pulse(struct stek_store *store)
{
	struct stek_pulse out;

	return store->ops->pulse(store, &out);
}

/*
 * A call by a new connection through the middle; it ends in time. What passed
 * is read before the connection is closed, as a goodbye is part of no answer.
 */
static int pulse_through(enum middle_fault fault, size_t at,
			 uint32_t timeout_ms)
{
	struct stek_store *store = open_as(&(struct wish){
		.timeout_ms = timeout_ms, .port = middle.port });
	int64_t began_ms = stek__redis_now_ms();
	int err;

	atomic_store(&middle.at, at);
	atomic_store(&middle.fault, fault);
	err = pulse(store);
	passed = atomic_load(&middle.passed);
	struck = atomic_load(&middle.struck);
	ck_assert_int_lt(stek__redis_now_ms() - began_ms,
			 timeout_ms + SLACK_MS);
	if (err)
		ck_assert_str_ne(store->ops->detail(store), "");
	stek__store_close(store);
	return err;
}

/* The bytes of a whole conversation, which the faults go through. */
static size_t conversation(void)
{
	ck_assert_int_eq(pulse_through(MIDDLE_NONE, 0, PATIENT_MS), 0);
	ck_assert_uint_gt(passed, 1000);
	return passed;
}

/*
 * The fault at a byte fails the call. A conversation may be shorter than the
 * one before it, as the lengths of signatures and tickets differ: without the
 * byte, and so without the fault, it succeeds.
 */
static int fail_through(enum middle_fault fault, size_t at, size_t all,
			uint32_t timeout_ms)
{
	int err = pulse_through(fault, at, timeout_ms);

	/* Where the machine stands still, not even the byte comes in time. */
	while (err && !struck && timeout_ms < PATIENT_MS) {
		timeout_ms *= 2;
		err = pulse_through(fault, at, timeout_ms);
	}
	ck_assert_msg(struck || at + 200 > all, "byte %zu of %zu was never sent",
		      at, all);
	ck_assert_msg(struck == (err == STEK_EREFUSED ||
				 err == STEK_EUNAVAILABLE),
		      "byte %zu: %d", at, err);
	ck_assert(struck || err == 0);
	return err;
}

/* Documents of many records, hints and all go by TLS as they do without. */
START_TEST(test_works)
{
	struct stek_store *store = open_as(&(struct wish){
		.timeout_ms = PATIENT_MS, .port = server.port });
	const struct stek_version v1 = { .epoch = 1 };
	static uint8_t doc[STEK_RECORD_MAX];
	struct stek_blob back = { NULL, 0 };
	struct pollfd pfd = { .events = POLLIN };
	size_t i;

	for (i = 0; i < sizeof(doc); i++)
		doc[i] = (uint8_t)(i * 7 + i / 251);
	ck_assert_int_eq(pulse(store), 0);
	pfd.fd = store->ops->hint_fd(store);
	ck_assert_int_ge(pfd.fd, 0);
	ck_assert_int_eq(store->ops->publish(store, NULL, &v1, doc,
					     sizeof(doc)), 0);
	/* Tickets and the answer to SUBSCRIBE come before it. */
	do
		ck_assert_int_gt(poll(&pfd, 1, PATIENT_MS), 0);
	while (!store->ops->hint_take(store));
	ck_assert_int_eq(store->ops->load(store, &back), 0);
	ck_assert_uint_eq(back.len, sizeof(doc));
	ck_assert_mem_eq(back.data, doc, sizeof(doc));
	stek__blob_free(&back);
	stek__store_close(store);
}
END_TEST

/*
 * Who is not who it should be is refused, by the one side or the other. What a
 * server of TLS 1.3 thinks of a certificate it says when we are done already,
 * and its goodbye may overtake that: then it counts as away.
 */
START_TEST(test_refused)
{
	static const struct wish bad[] = {
		{ .ca = "other" }, { .name = "elsewhere.test" },
		{ .name = "127.0.0.1" }, { .pair = "" },
		{ .pair = "stranger" },
	};
	struct stek_store *store;
	struct wish wish;
	size_t i;
	int err;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wish = bad[i];
		wish.timeout_ms = PATIENT_MS;
		wish.port = server.port;
		store = open_as(&wish);
		err = pulse(store);
		ck_assert_msg(err == STEK_EREFUSED ||
			      (bad[i].pair && err == STEK_EUNAVAILABLE),
			      "%zu: %d", i, err);
		ck_assert_msg(err == STEK_EUNAVAILABLE ||
			      strstr(store->ops->detail(store), "TLS") != NULL,
			      "%zu: %s", i, store->ops->detail(store));
		ck_assert_int_ne(pulse(store), 0);
		stek__store_close(store);
	}
	ck_assert_int_eq(pulse_through(MIDDLE_NONE, 0, PATIENT_MS), 0);
}
END_TEST

/* A connection that ends at whichever byte is no answer, and no more. */
START_TEST(test_ends)
{
	static const enum middle_fault faults[] = { MIDDLE_END, MIDDLE_RESET };
	size_t at, all = conversation();

	for (at = 0; at < all; at += at < 12 ? 1 : 61)
		ck_assert_int_ne(fail_through(faults[_i], at, all, PATIENT_MS),
				 STEK_EREFUSED);
	ck_assert_int_eq(pulse_through(MIDDLE_NONE, 0, PATIENT_MS), 0);
}
END_TEST

/*
 * One bit, wherever it is, makes no answer: a record that is said to be longer
 * is waited for in vain, all else is refused.
 */
START_TEST(test_garbled)
{
	size_t at, all = conversation();

	for (at = 0; at < all; at += at < 12 ? 1 : 83)
		fail_through(MIDDLE_FLIP, at, all, 3000);
	ck_assert_int_eq(pulse_through(MIDDLE_NONE, 0, PATIENT_MS), 0);
}
END_TEST

/* A server that says nothing more costs the time of one call. */
START_TEST(test_stalls)
{
	size_t at, all = conversation();

	for (at = 0; at < all; at += all / 7)
		ck_assert_int_ne(fail_through(MIDDLE_STALL, at, all, HASTY_MS),
				 STEK_EREFUSED);
	ck_assert_int_eq(pulse_through(MIDDLE_NONE, 0, PATIENT_MS), 0);
}
END_TEST

/* Records in pieces of one byte are put together. */
START_TEST(test_drips)
{
	ck_assert_int_eq(pulse_through(MIDDLE_DRIP, 0, PATIENT_MS), 0);
}
END_TEST

static void *kill_soon(void *unused)
{
	(void)unused;
	poll(NULL, 0, 100);
	kill(server.pid, SIGKILL);
	return NULL;
}

/* Killed while a handshake or an answer is awaited; its successor is met. */
START_TEST(test_killed)
{
	struct stek_store *store = open_as(&(struct wish){
		.timeout_ms = PATIENT_MS, .port = server.port });
	pthread_t killer;

	if (_i)
		ck_assert_int_eq(pulse(store), 0);
	ck_assert_int_eq(kill(server.pid, SIGSTOP), 0);
	ck_assert_int_eq(pthread_create(&killer, NULL, kill_soon, NULL), 0);
	ck_assert_int_eq(pulse(store), STEK_EUNAVAILABLE);
	ck_assert_int_eq(pthread_join(killer, NULL), 0);
	redis_server_kill(&server);
	redis_server_restart(&server);
	ck_assert_int_eq(pulse(store), 0);
	stek__store_close(store);
}
END_TEST

static void *connect_often(void *unused)
{
	struct stek_store *store;
	int i;

	(void)unused;
	for (i = 0; i < 10; i++) {
		store = open_as(&(struct wish){ .timeout_ms = PATIENT_MS,
						.port = server.port });
		ck_assert_int_eq(pulse(store), 0);
		stek__store_close(store);
	}
	return NULL;
}

/* Several farms of one process connect at once. */
START_TEST(test_threads)
{
	pthread_t threads[4];
	size_t i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
						connect_often, NULL), 0);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis tls");
	TCase *real = tcase_create("real server");
	SRunner *runner;
	int failed;

	tcase_set_timeout(real, 240);
	tcase_add_checked_fixture(real, begin, end);
	tcase_add_test(real, test_works);
	tcase_add_test(real, test_refused);
	tcase_add_loop_test(real, test_ends, 0, 2);
	tcase_add_test(real, test_garbled);
	tcase_add_test(real, test_stalls);
	tcase_add_test(real, test_drips);
	tcase_add_loop_test(real, test_killed, 0, 2);
	tcase_add_test(real, test_threads);
	suite_add_tcase(suite, real);
	if (!redis_server_exists())
		return 77;
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
