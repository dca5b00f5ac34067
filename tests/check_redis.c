// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_redis.c - what only a real redis-server can do to the Redis store:
 * freeze, restart, refuse a user, lose its scripts, turn into a replica.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "redis_conn.h"
#include "redis_server.h"

#define HASTY_MS 200
#define PATIENT_MS 30000
#define PASSWORD "correct-horse-battery"

static struct redis_server server;
static char password_file[96];
static uint32_t timeout_ms = PATIENT_MS;

static void begin(void)
{
	redis_server_start(&server, true);
	snprintf(password_file, sizeof(password_file), "%s/password",
		 server.dir);
}

static void end(void)
{
	redis_server_stop(&server);
}

static void write_password(const char *text, mode_t mode)
{
	int fd = open(password_file, O_WRONLY | O_CREAT | O_TRUNC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static int try_open(struct stek_store **out, const char *url, const char *user,
		    bool password, char *why, size_t why_len)
{
	struct stek_store_options options = {
		.url = url, .farm = "farm", .user = user,
		.password_file = password ? password_file : NULL,
		.timeout_ms = timeout_ms,
	};

	why[0] = '\0';
	return stek__store_open(out, &options, why, why_len);
}

static struct stek_store *open_at(const char *url, const char *user,
				  bool password)
{
	struct stek_store *store = NULL;
	char why[256];

	ck_assert_msg(!try_open(&store, url, user, password, why, sizeof(why)),
		      "%s", why);
	return store;
}

static int pulse(struct stek_store *store)
{
	struct stek_pulse out;

	return store->ops->pulse(store, &out);
}

static int publish(struct stek_store *store, uint64_t epoch)
{
	struct stek_version before = { .epoch = epoch - 1 };
	struct stek_version next = { .epoch = epoch };

	return store->ops->publish(store, epoch > 1 ? &before : NULL, &next,
				   (const uint8_t *)"doc", 3);
}

static int64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Where the machine stands still a hasty store asks in vain. */
static void await_pulse(struct stek_store *store)
{
	int64_t until_ms = mono_ms() + PATIENT_MS;

	while (pulse(store))
		ck_assert_int_lt(mono_ms(), until_ms);
}

/* A server that is stopped in its tracks costs one time-out, then works on. */
START_TEST(test_frozen_server_is_unavailable)
{
	struct stek_store *store;
	int64_t before_ms;

	timeout_ms = HASTY_MS;
	store = open_at(server.url, NULL, false);
	await_pulse(store);
	ck_assert_int_eq(kill(server.pid, SIGSTOP), 0);
	before_ms = mono_ms();
	ck_assert_int_eq(pulse(store), STEK_EUNAVAILABLE);
	ck_assert_int_eq(publish(store, 1), STEK_EUNAVAILABLE);
	ck_assert_int_lt(mono_ms() - before_ms, 2 * HASTY_MS + 10000);
	ck_assert_int_eq(kill(server.pid, SIGCONT), 0);
	await_pulse(store);
	stek__store_close(store);
	timeout_ms = PATIENT_MS;
}
END_TEST

/* A killed server is unavailable; its successor is met, empty, anew. */
START_TEST(test_restarted_server)
{
	struct stek_store *store = open_at(server.url, NULL, false);
	struct stek_pulse out;

	ck_assert_int_eq(publish(store, 1), 0);
	redis_server_kill(&server);
	ck_assert_int_eq(pulse(store), STEK_EUNAVAILABLE);
	ck_assert_int_eq(pulse(store), STEK_EUNAVAILABLE);
	redis_server_restart(&server);
	ck_assert_int_eq(store->ops->pulse(store, &out), 0);
	ck_assert(!out.has_ring);
	stek__store_close(store);
}
END_TEST

/* Scripts that the server lost are sent again. */
START_TEST(test_lost_scripts)
{
	struct stek_store *store = open_at(server.url, NULL, false);

	ck_assert_int_eq(publish(store, 1), 0);
	redis_server_tell(&server, "SCRIPT FLUSH");
	ck_assert_int_eq(publish(store, 2), 0);
	ck_assert_int_eq(pulse(store), 0);
	stek__store_close(store);
}
END_TEST

/* TCP and another database number work as the Unix socket does. */
START_TEST(test_tcp_and_database)
{
	struct stek_store *store, *other;
	struct stek_pulse out;
	char url[160];

	snprintf(url, sizeof(url), "redis://127.0.0.1:%d/3", server.port);
	store = open_at(url, NULL, false);
	ck_assert_int_eq(publish(store, 1), 0);
	snprintf(url, sizeof(url), "%s?db=3", server.url);
	other = open_at(url, NULL, false);
	ck_assert_int_eq(other->ops->pulse(other, &out), 0);
	ck_assert(out.has_ring);
	stek__store_close(other);
	other = open_at(server.url, NULL, false);
	ck_assert_int_eq(other->ops->pulse(other, &out), 0);
	ck_assert(!out.has_ring);
	stek__store_close(other);
	snprintf(url, sizeof(url), "%s?db=99", server.url);
	other = open_at(url, NULL, false);
	ck_assert_int_eq(pulse(other), STEK_EREFUSED);
	stek__store_close(other);
	stek__store_close(store);
}
END_TEST

/* The user that the manual recommends may do all that a node does. */
START_TEST(test_least_user)
{
	struct stek_raw_member *members = NULL;
	struct stek_store *store;
	struct stek_pulse out;
	int64_t now_ms;
	size_t n;

	redis_server_tell(&server, "ACL SETUSER stekd on >" PASSWORD
			  " ~stek:{farm}:* &stek:{farm}:* -@all +eval +evalsha"
			  " +script|load +hget +hset +hmget +hgetall +hdel"
			  " +exists +time +publish +subscribe +xadd +xrevrange");
	write_password(PASSWORD "\n", 0600);
	store = open_at(server.url, "stekd", true);
	ck_assert_int_eq(store->ops->beat(store, "n", NULL, 0, &out), 0);
	ck_assert_int_eq(publish(store, 1), 0);
	ck_assert_int_eq(store->ops->members(store, &members, &n, &now_ms), 0);
	ck_assert_uint_eq(n, 1);
	free(members);
	ck_assert_int_eq(store->ops->audit(store, "", "line"), 0);
	ck_assert_int_eq(store->ops->forget(store, "n"), 0);
	ck_assert_int_ge(store->ops->hint_fd(store), 0);
	stek__store_close(store);
	/* Without the right to load scripts they travel in full. */
	redis_server_tell(&server, "ACL SETUSER stekd -script");
	store = open_at(server.url, "stekd", true);
	ck_assert_int_eq(publish(store, 2), 0);
	stek__store_close(store);
}
END_TEST

/* "No" is not "no answer": a user without rights, a wrong password, none. */
START_TEST(test_refusals)
{
	struct stek_store *store;
	struct stek_blob doc = { NULL, 0 };

	redis_server_tell(&server, "ACL SETUSER poor on >" PASSWORD
			  " ~other:* -@all +ping");
	write_password(PASSWORD, 0400);
	store = open_at(server.url, "poor", true);
	ck_assert_int_eq(pulse(store), STEK_EREFUSED);
	ck_assert_int_eq(publish(store, 1), STEK_EREFUSED);
	ck_assert_int_eq(store->ops->load(store, &doc), STEK_EREFUSED);
	ck_assert_ptr_nonnull(strstr(store->ops->detail(store), "NOPERM"));
	ck_assert_ptr_null(strstr(store->ops->detail(store), PASSWORD));
	stek__store_close(store);

	ck_assert_int_eq(unlink(password_file), 0);
	write_password("wrong-" PASSWORD, 0600);
	store = open_at(server.url, "poor", true);
	ck_assert_int_eq(pulse(store), STEK_EREFUSED);
	ck_assert_ptr_nonnull(strstr(store->ops->detail(store), "WRONGPASS"));
	ck_assert_ptr_null(strstr(store->ops->detail(store), PASSWORD));
	/* The file is read for each connection, so mending it is enough. */
	redis_server_tell(&server, "ACL SETUSER poor allkeys +@all");
	write_password(PASSWORD, 0600);
	ck_assert_int_eq(pulse(store), 0);
	stek__store_close(store);

	redis_server_tell(&server, "CONFIG SET requirepass " PASSWORD);
	store = open_at(server.url, NULL, false);
	ck_assert_int_eq(pulse(store), STEK_EREFUSED);
	ck_assert_ptr_nonnull(strstr(store->ops->detail(store), "NOAUTH"));
	stek__store_close(store);
	store = open_at(server.url, NULL, true);
	ck_assert_int_eq(pulse(store), 0);
	stek__store_close(store);
}
END_TEST

/* A replica cannot be written to: unavailable, as it may be promoted. */
START_TEST(test_replica_is_unavailable)
{
	struct stek_store *store = open_at(server.url, NULL, false);
	struct stek_pulse out;

	ck_assert_int_eq(publish(store, 1), 0);
	redis_server_tell(&server, "REPLICAOF 127.0.0.1 1");
	ck_assert_int_eq(publish(store, 2), STEK_EUNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(store->ops->detail(store), "READONLY"));
	ck_assert_int_eq(store->ops->beat(store, "n", NULL, 0, &out),
			 STEK_EUNAVAILABLE);
	redis_server_tell(&server, "REPLICAOF NO ONE");
	ck_assert_int_eq(publish(store, 2), 0);
	stek__store_close(store);
}
END_TEST

/* A server out of memory refuses the write and still answers. */
START_TEST(test_out_of_memory_is_refused)
{
	struct stek_store *store = open_at(server.url, NULL, false);

	ck_assert_int_eq(publish(store, 1), 0);
	redis_server_tell(&server, "CONFIG SET maxmemory 1");
	ck_assert_int_eq(publish(store, 2), STEK_EREFUSED);
	ck_assert_ptr_nonnull(strstr(store->ops->detail(store), "OOM"));
	redis_server_tell(&server, "CONFIG SET maxmemory 0");
	ck_assert_int_eq(publish(store, 2), 0);
	stek__store_close(store);
}
END_TEST

/* A password that others can read, or that is none, is told when opening. */
START_TEST(test_password_file)
{
	struct stek_store *store = NULL;
	char why[256], longest[600];

	ck_assert_int_eq(try_open(&store, server.url, "u", true, why,
				  sizeof(why)), STEK_EIO);
	ck_assert_ptr_nonnull(strstr(why, password_file));
	write_password(PASSWORD, 0640);
	ck_assert_int_eq(try_open(&store, server.url, "u", true, why,
				  sizeof(why)), STEK_EMODE);
	ck_assert_ptr_null(strstr(why, PASSWORD));
	unlink(password_file);
	write_password("\n", 0600);
	ck_assert_int_eq(try_open(&store, server.url, "u", true, why,
				  sizeof(why)), STEK_EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	write_password(longest, 0600);
	ck_assert_int_eq(try_open(&store, server.url, "u", true, why,
				  sizeof(why)), STEK_EINVAL);
	ck_assert_int_eq(try_open(&store, server.url, "u", false, why,
				  sizeof(why)), STEK_EINVAL);
	ck_assert_ptr_null(store);
}
END_TEST

/* Error replies of a server that is busy with itself, and all others. */
START_TEST(test_classify)
{
	static const char *const away[] = {
		"LOADING Redis is loading the dataset in memory",
		"READONLY You can't write against a read only replica.",
		"MASTERDOWN Link with MASTER is down",
		"CLUSTERDOWN The cluster is down", "BUSY script",
		"NOREPLICAS Not enough good replicas to write.",
		"MOVED 1 127.0.0.1:1", "TRYAGAIN",
		("ERR Error running script (call to f_0): @user_script: 1: "
		 "-READONLY You can't write"),
	};
	static const char *const no[] = {
		"ERR unknown command", "NOAUTH Authentication required.",
		"WRONGPASS invalid", "NOPERM this user", "OOM command",
		"WRONGTYPE Operation", "", "LOADINGX", "ERR LOADING",
		"ERR Error running script: @user_script: 1: -OOM command",
	};
	size_t i;

	for (i = 0; i < sizeof(away) / sizeof(away[0]); i++)
		ck_assert_int_eq(stek__redis_classify(away[i]),
				 STEK_EUNAVAILABLE);
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		ck_assert_int_eq(stek__redis_classify(no[i]), STEK_EREFUSED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis");
	TCase *real = tcase_create("real server");
	TCase *pure = tcase_create("pure");
	SRunner *runner;
	int failed;

	tcase_add_test(pure, test_classify);
	suite_add_tcase(suite, pure);
	tcase_set_timeout(real, 120);
	tcase_add_checked_fixture(real, begin, end);
	tcase_add_test(real, test_frozen_server_is_unavailable);
	tcase_add_test(real, test_restarted_server);
	tcase_add_test(real, test_lost_scripts);
	tcase_add_test(real, test_tcp_and_database);
	tcase_add_test(real, test_least_user);
	tcase_add_test(real, test_refusals);
	tcase_add_test(real, test_replica_is_unavailable);
	tcase_add_test(real, test_out_of_memory_is_refused);
	tcase_add_test(real, test_password_file);
	if (redis_server_exists())
		suite_add_tcase(suite, real);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (!failed && !redis_server_exists())
		return 77;
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
