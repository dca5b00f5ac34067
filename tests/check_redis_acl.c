// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_redis_acl.c - proves that deploy/redis/users.acl allows exactly what a
 * node uses: all of it works and nothing is refused, and without any one of the
 * commands something is. Real servers, one of them a Sentinel and two of them a
 * Cluster, for some commands are used only there.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "redis_conn.h"
#include "redis_server.h"
#include "redis_slots.h"

#define PASSWORD "correct-horse-battery"
#define PATIENT_MS 30000

static struct redis_server server, other, sentinel;
static char password_file[96], rules[1024];

/* The commands of the ACL file's line for nodes: "+select +eval ...". */
static void read_rules(void)
{
	const char *top = getenv("srcdir");
	char path[512], line[2048], *at;
	FILE *f;

	snprintf(path, sizeof(path), "%s/deploy/redis/users.acl",
		 top ? top : ".");
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	rules[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, "-@all ");
		if (strncmp(line, "user stekd ", 11) || !at)
			continue;
		at[strcspn(at, "\n")] = '\0';
		snprintf(rules, sizeof(rules), "%s", at + 6);
	}
	fclose(f);
	ck_assert_msg(rules[0], "no rules in %s", path);
}

static void allow(struct redis_server *at)
{
	char text[1280];

	snprintf(text, sizeof(text), "ACL SETUSER stekd reset on >" PASSWORD
		 " ~stek:{farm}:* &stek:{farm}:* -@all %s", rules);
	redis_server_tell(at, text);
}

static void begin(void)
{
	int fd;

	read_rules();
	redis_server_start(&server, true);
	snprintf(password_file, sizeof(password_file), "%s/password",
		 server.dir);
	fd = open(password_file, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, PASSWORD, strlen(PASSWORD)),
			 (int)strlen(PASSWORD));
	close(fd);
}

static void end(void)
{
	redis_server_stop(&sentinel);
	redis_server_stop(&other);
	redis_server_stop(&server);
}

static struct stek_store *open_at(const char *url, uint32_t wait_replicas)
{
	const struct stek_store_options options = {
		.url = url, .farm = "farm", .user = "stekd",
		.password_file = password_file, .timeout_ms = PATIENT_MS,
		.reach.wait_replicas = wait_replicas,
		.reach.wait_ms = wait_replicas,
	};
	struct stek_store *store = NULL;
	char why[256] = "";

	ck_assert_msg(!stek__store_open(&store, &options, why, sizeof(why)),
		      "%s", why);
	return store;
}

/* True once the server has nothing more to say on the hint's connection. */
static bool hinted(struct stek_store *store)
{
	struct pollfd pfd = { .fd = store->ops->hint_fd(store),
			      .events = POLLIN };

	/* The answer to SUBSCRIBE; a refusal ends the connection. */
	if (pfd.fd < 0 || poll(&pfd, 1, PATIENT_MS) <= 0)
		return false;
	(void)store->ops->hint_take(store);
	return store->ops->hint_fd(store) == pfd.fd;
}

/* Everything that a node does; false when something of it is refused. */
static bool use(struct redis_server *at, const char *url)
{
	const struct stek_version v1 = { .epoch = 1 }, v2 = { .epoch = 2 };
	struct stek_store *store = open_at(url, 1);
	struct stek_raw_member *members = NULL;
	struct stek_blob doc = { NULL, 0 };
	struct stek_pulse pulse;
	bool good;
	int64_t now_ms;
	size_t n;

	good = !store->ops->pulse(store, &pulse) &&
	       !store->ops->beat(store, "n", NULL, 0, &pulse) &&
	       !store->ops->publish(store, NULL, &v1, (const void *)"a", 1);
	/* A server that has lost the scripts gets them in full. */
	redis_server_tell(at, "SCRIPT FLUSH");
	good = good &&
	       !store->ops->publish(store, &v1, &v2, (const void *)"b", 1) &&
	       !store->ops->load(store, &doc) &&
	       !store->ops->members(store, &members, &n, &now_ms) &&
	       !store->ops->audit(store, "", "line") && hinted(store) &&
	       !store->ops->forget(store, "n");
	stek__blob_free(&doc);
	if (good)
		good = !store->ops->audit_read(store, 9, &doc);
	stek__blob_free(&doc);
	free(members);
	stek__store_close(store);
	return good;
}

/* How often the user was refused a command, a script's included. */
static size_t refusals(struct redis_server *at)
{
	const char *log[] = { "ACL", "LOG" };
	redisReply *reply = redis_server_do(at, 2, log, NULL);
	size_t n = reply->elements;

	ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
	freeReplyObject(reply);
	return n;
}

/* One try, with an empty database: good, and nothing refused. */
static bool serves(struct redis_server *at, const char *url)
{
	bool good;

	redis_server_tell(at, "FLUSHALL");
	redis_server_tell(at, "SCRIPT FLUSH");
	redis_server_tell(at, "ACL LOG RESET");
	good = use(at, url);
	return refusals(at) == 0 && good;
}

/* Calls `each` with every command of the file, "+script|load" as it stands. */
static size_t for_each_rule(bool (*each)(const char *rule))
{
	char copy[sizeof(rules)], *rule, *rest = NULL;
	size_t n = 0;

	memcpy(copy, rules, sizeof(copy));
	for (rule = strtok_r(copy, " ", &rest); rule;
	     rule = strtok_r(NULL, " ", &rest)) {
		ck_assert_int_eq(rule[0], '+');
		if (each(rule + 1))
			n++;
	}
	return n;
}

static char url_of_server[160], url_of_sentinel[160];

static void deny(struct redis_server *at, const char *rule)
{
	char text[128];

	allow(at);
	snprintf(text, sizeof(text), "ACL SETUSER stekd -%s", rule);
	redis_server_tell(at, text);
}

/* Without the command, something is refused: it is needed. */
static bool needed_here(const char *rule)
{
	bool role = !strcmp(rule, "role");

	if (!strcmp(rule, "asking"))
		return false;
	deny(&server, rule);
	/* Behind Sentinels everything is used; ROLE only there. */
	ck_assert_msg(!serves(&server, role ? url_of_sentinel :
					      url_of_server),
		      "+%s is not needed", rule);
	return true;
}

static bool knows_primary(void)
{
	redisContext *conn = redisConnectUnix(sentinel.socket);
	redisReply *reply = NULL;
	bool known = false;

	if (conn && !conn->err)
		reply = redisCommand(conn, "SENTINEL get-master-addr-by-name "
				     "stekd");
	if (reply)
		known = reply->type == REDIS_REPLY_ARRAY;
	freeReplyObject(reply);
	if (conn)
		redisFree(conn);
	return known;
}

/* All but ASKING, at a server of its own and behind a Sentinel. */
START_TEST(test_commands)
{
	char monitor[96];

	redis_server_start_sentinel(&sentinel);
	snprintf(monitor, sizeof(monitor),
		 "SENTINEL MONITOR stekd 127.0.0.1 %d 1", server.port);
	redis_server_tell(&sentinel, monitor);
	ck_assert(knows_primary());
	snprintf(url_of_server, sizeof(url_of_server),
		 "redis://127.0.0.1:%d/1", server.port);
	snprintf(url_of_sentinel, sizeof(url_of_sentinel),
		 "sentinel://127.0.0.1:%d/stekd/1", sentinel.port);
	allow(&server);
	ck_assert(serves(&server, url_of_server));
	ck_assert(serves(&server, url_of_sentinel));
	ck_assert_uint_ge(for_each_rule(needed_here), 16);
}
END_TEST

static void cluster_start(void)
{
	redis_server_stop(&server);
	begin();
	redis_server_kill(&server);
	server.cluster = true;
	redis_server_restart(&server);
	redis_server_start_cluster(&other);
	redis_slots_join(&server, &other);
}

/* Both keys that a heartbeat needs, here; then their slot on its way there. */
static void cluster_migrate(void)
{
	const struct stek_version v1 = { .epoch = 1 };
	struct stek_store *store;
	struct stek_pulse pulse;
	char url[64];

	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", other.port);
	store = open_at(url, 0);
	ck_assert_int_eq(store->ops->beat(store, "n", NULL, 0, &pulse), 0);
	ck_assert_int_eq(store->ops->publish(store, NULL, &v1,
					     (const void *)"a", 1), 0);
	stek__store_close(store);
	redis_slots_begin(&server, &other);
	redis_slots_move(&server, &other, "ring");
	redis_slots_move(&server, &other, "nodes");
}

/*
 * Told of the server that may not answer yet: MOVED to the other, ASK back,
 * and there the slot is served only to who says ASKING.
 */
START_TEST(test_asking)
{
	struct stek_store *store;
	struct stek_pulse pulse;
	char url[64];

	cluster_start();
	allow(&server);
	allow(&other);
	cluster_migrate();
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", other.port);
	store = open_at(url, 0);
	ck_assert_int_eq(store->ops->pulse(store, &pulse), 0);
	ck_assert(pulse.has_ring);
	ck_assert_uint_eq(refusals(&server), 0);
	ck_assert_uint_eq(refusals(&other), 0);
	deny(&other, "asking");
	ck_assert_int_ne(store->ops->pulse(store, &pulse), 0);
	ck_assert_uint_gt(refusals(&other), 0);
	stek__store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis acl");
	TCase *real = tcase_create("real servers");
	SRunner *runner;
	int failed;

	tcase_set_timeout(real, 240);
	tcase_add_checked_fixture(real, begin, end);
	tcase_add_test(real, test_commands);
	tcase_add_test(real, test_asking);
	suite_add_tcase(suite, real);
	if (!redis_server_exists())
		return 77;
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
