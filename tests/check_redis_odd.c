// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_redis_odd.c - a server that answers what no Redis answers, or what one
 * does on its worst days: each is told by the right error and in words, nothing
 * is believed, and the next call finds the server again.
 */
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "redis_odd.h"
#include "store.h"

#define PATIENT_MS 30000

#define SHA "$40\r\n0123456789012345678901234567890123456789\r\n"
#define PULSE(epoch) \
	"*6\r\n$4\r\n1000\r\n$4\r\n2500\r\n:1\r\n" epoch "$0\r\n\r\n"
#define NAMELESS PULSE("$0\r\n\r\n$0\r\n\r\n")

static struct redis_odd odd;
static struct stek_store *store;
static char url[96], password[32];

static void setup(void)
{
	int fd;

	strcpy(password, "/tmp/stek-odd-XXXXXX");
	fd = mkstemp(password);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "secret word\n", 12), 12);
	close(fd);
	redis_odd_start(&odd);
}

static void teardown(void)
{
	redis_odd_stop(&odd);
	unlink(password);
}

enum place { PLAIN, LOGIN, NUMBERED, WAITS, SENTINEL };

static void open_at(enum place place)
{
	struct stek_store_options options = {
		.url = url, .farm = "farm", .timeout_ms = PATIENT_MS,
	};
	char why[256] = "";

	snprintf(url, sizeof(url), place == SENTINEL ?
		 "sentinel://127.0.0.1:%d/main" : place == NUMBERED ?
		 "redis://127.0.0.1:%d/3" : "redis://127.0.0.1:%d", odd.port);
	if (place == LOGIN) {
		options.user = "stekd";
		options.password_file = password;
	}
	if (place == WAITS)
		options.reach.wait_replicas = 1;
	ck_assert_msg(!stek__store_open(&store, &options, why, sizeof(why)),
		      "%s", why);
}

/* ---- one call, one answer ----------------------------------------------------- */

static int load(void)
{
	struct stek_blob doc = { NULL, 0 };
	int err = store->ops->load(store, &doc);

	stek__blob_free(&doc);
	return err;
}

static int publish(void)
{
	const struct stek_version next = { .epoch = 1 };

	return store->ops->publish(store, NULL, &next, (const uint8_t *)"x", 1);
}

static int beat(void)
{
	struct stek_pulse pulse;
	int err = store->ops->beat(store, "node", (const uint8_t *)"x", 1,
				   &pulse);

	/* No version that is written in another way is one. */
	if (!err)
		ck_assert(pulse.store_now_ms == 1000002 && pulse.has_ring &&
			  pulse.version.epoch == 0);
	return err;
}

static int members(void)
{
	struct stek_raw_member *list = NULL;
	int64_t now_ms;
	size_t n = 9;
	int err = store->ops->members(store, &list, &n, &now_ms);

	if (!err)
		ck_assert_uint_eq(n, 0);
	free(list);
	return err;
}

static int append(void)
{
	return store->ops->audit(store, "", "{}");
}

static int tail(void)
{
	struct stek_blob text = { NULL, 0 };
	int err = store->ops->audit_read(store, 4, &text);

	if (!err)
		ck_assert_str_eq((char *)text.data, "\n\nline\n");
	stek__blob_free(&text);
	return err;
}

static int forget(void)
{
	return store->ops->forget(store, "node");
}

static const struct odd_case {
	enum place place;
	int (*call)(void);
	struct odd_rule rules[ODD_RULES];
	int err;
	const char *detail;	/* a part of it; NULL: none is needed */
} cases[] = {
	{ PLAIN, load, { { "HGET", ":1\r\n" } }, STEK_EREFUSED,
	  "HGET: unexpected reply of type 3" },
	{ PLAIN, load, { { "HGET", ODD_HANGS_UP } }, STEK_EUNAVAILABLE,
	  "HGET: " },
	{ PLAIN, load, { { "HGET", "?what\r\n" } }, STEK_EUNAVAILABLE,
	  "HGET: Protocol error" },
	{ PLAIN, load, { { "HGET", "-ERR two\033[2J lines\r\n" } },
	  STEK_EREFUSED, "HGET: ERR two?[2J lines" },
	{ PLAIN, load, { { "HGET", "-READONLY of a replica\r\n" } },
	  STEK_EUNAVAILABLE, "HGET: READONLY" },
	{ PLAIN, load, { { "HGET", "$-1\r\n" } }, STEK_EABSENT, NULL },
	{ PLAIN, load, { { "HGET", "-MOVED 1 127.0.0.1:%d\r\n" } },
	  STEK_EUNAVAILABLE, "HGET: sent from node to node 4 times" },
	{ PLAIN, load, { { "HGET", "-ASK 1 127.0.0.1:%d\r\n" },
			 { "ASKING", ODD_HANGS_UP } },
	  STEK_EUNAVAILABLE, "ASKING: no answer" },
	{ PLAIN, load, { { "HGET", "-ASK 1 127.0.0.1:%d\r\n" },
			 { "ASKING", "-ERR not here\r\n" } },
	  STEK_EREFUSED, "ERR not here" },

	{ LOGIN, load, { { "AUTH", "-WRONGPASS for stekd secret word\r\n" } },
	  STEK_EREFUSED, "AUTH: WRONGPASS" },
	{ LOGIN, load, { { "AUTH", ODD_HANGS_UP } }, STEK_EUNAVAILABLE,
	  "AUTH: " },
	{ NUMBERED, load, { { "SELECT", "-ERR DB index\r\n" } },
	  STEK_EREFUSED, "SELECT: ERR" },
	{ NUMBERED, load, { { "SELECT", ODD_HANGS_UP } }, STEK_EUNAVAILABLE,
	  "SELECT: " },

	{ PLAIN, publish, { { "SCRIPT", ":1\r\n" } }, STEK_EREFUSED,
	  "SCRIPT: unexpected" },
	{ PLAIN, publish, { { "SCRIPT", ODD_HANGS_UP } }, STEK_EUNAVAILABLE,
	  "SCRIPT: " },
	{ PLAIN, publish, { { "SCRIPT", "-NOPERM no\r\n" },
			    { "EVAL", ":1\r\n" } }, 0, NULL },
	{ PLAIN, publish, { { "SCRIPT", SHA }, { "EVALSHA", "+x\r\n" } },
	  STEK_EREFUSED, "publish: unexpected" },
	{ PLAIN, publish, { { "SCRIPT", SHA }, { "EVALSHA", "-NOSCRIPT\r\n" },
			    { "EVAL", ":0\r\n" } }, STEK_ECONFLICT, NULL },
	{ PLAIN, publish, { { "SCRIPT", SHA }, { "EVALSHA", "-OOM now\r\n" } },
	  STEK_EREFUSED, "EVALSHA: OOM" },

	{ PLAIN, beat, { { "SCRIPT", SHA }, { "EVALSHA", "*0\r\n" } },
	  STEK_EREFUSED, "beat: unexpected" },
	{ PLAIN, beat, { { "SCRIPT", SHA },
			 { "EVALSHA", PULSE(":1\r\n$0\r\n\r\n") } },
	  STEK_EREFUSED, "beat: unexpected" },
	{ PLAIN, beat, { { "SCRIPT", SHA }, { "EVALSHA", NAMELESS } }, 0,
	  NULL },
	{ PLAIN, beat, { { "SCRIPT", SHA },
			 { "EVALSHA", PULSE("$2\r\n07\r\n$32\r\n01234567890"
					    "123456789012345678901\r\n") } },
	  0, NULL },
	{ PLAIN, members, { { "HGETALL", ":1\r\n" } }, STEK_EREFUSED,
	  "HGETALL: unexpected" },
	{ PLAIN, members, { { "HGETALL", "*4\r\n$1\r\na\r\n:1\r\n:2\r\n"
					 "$1\r\nb\r\n" },
			    { "SCRIPT", SHA }, { "EVALSHA", NAMELESS } }, 0,
	  NULL },
	{ PLAIN, members, { { "HGETALL", "*0\r\n" }, { "SCRIPT", SHA },
			    { "EVALSHA", ODD_HANGS_UP } },
	  STEK_EUNAVAILABLE, "EVALSHA: " },

	{ PLAIN, append, { { "SCRIPT", SHA }, { "EVALSHA", "+x\r\n" } },
	  STEK_EREFUSED, "audit: unexpected" },
	{ PLAIN, append, { { "SCRIPT", SHA }, { "EVALSHA", ":0\r\n" } },
	  STEK_ECONFLICT, NULL },
	{ PLAIN, tail, { { "XREVRANGE", ":1\r\n" } }, STEK_EREFUSED,
	  "XREVRANGE: unexpected" },
	{ PLAIN, tail, { { "XREVRANGE", "*0\r\n" } }, STEK_EABSENT, NULL },
	{ PLAIN, tail, { { "XREVRANGE", "*3\r\n"
			   "*2\r\n$1\r\n1\r\n*2\r\n$4\r\nline\r\n$4\r\nline\r\n"
			   "*2\r\n$1\r\n1\r\n*1\r\n$4\r\nline\r\n:1\r\n" } },
	  0, NULL },
	{ PLAIN, forget, { { "HDEL", "-NOPERM no\r\n" } }, STEK_EREFUSED,
	  "HDEL: NOPERM" },

	{ SENTINEL, load, { { "SENTINEL", ODD_HANGS_UP } }, STEK_EUNAVAILABLE,
	  "no answer" },
	{ SENTINEL, load, { { "SENTINEL", "-NOAUTH first\r\n" } },
	  STEK_EREFUSED, ": NOAUTH" },
	{ SENTINEL, load, { { "SENTINEL", "*-1\r\n" } }, STEK_EUNAVAILABLE,
	  "knows no primary 'main'" },
	{ SENTINEL, load, { { "SENTINEL", "*2\r\n:1\r\n:2\r\n" } },
	  STEK_EUNAVAILABLE, "knows no primary" },
	{ SENTINEL, load, { { "SENTINEL", "*2\r\n$9\r\n127.0.0.1\r\n"
					  "$5\r\n70000\r\n" } },
	  STEK_EUNAVAILABLE, "knows no primary" },
	{ SENTINEL, load, { { "SENTINEL", "*2\r\n$0\r\n\r\n$2\r\n80\r\n" } },
	  STEK_EUNAVAILABLE, "knows no primary" },
};

START_TEST(test_answers)
{
	const struct odd_case *c = &cases[_i];
	const char *detail;
	int err, again;

	open_at(c->place);
	redis_odd_tell(&odd, c->rules);
	err = c->call();
	detail = store->ops->detail(store);
	ck_assert_msg(err == c->err, "%d, not %d: %s", err, c->err, detail);
	ck_assert_msg(!c->detail || strstr(detail, c->detail), "%s", detail);
	/* What a server repeats is not to be trusted with a password. */
	ck_assert_ptr_null(strstr(detail, "secret"));
	ck_assert_uint_gt(redis_odd_answered(&odd), 0);
	if (c->place == SENTINEL)
		goto out;
	/* And the next call is answered. */
	redis_odd_tell(&odd, (const struct odd_rule[]){
		       { "HGET", "$-1\r\n" }, { NULL, NULL } });
	again = load();
	ck_assert_msg(again == STEK_EABSENT, "%d: %s", again,
		      store->ops->detail(store));
out:
	stek__store_close(store);
}
END_TEST

/* ---- who says that it is the primary ------------------------------------------ */

START_TEST(test_roles)
{
	static const struct { const char *role; int err; const char *says; }
	roles[] = {
		{ "*1\r\n$6\r\nmaster\r\n", STEK_EABSENT, NULL },
		{ "*1\r\n$5\r\nslave\r\n", STEK_EUNAVAILABLE,
		  "ROLE: slave, expected master" },
		{ "-NOPERM no\r\n", STEK_EREFUSED, "ROLE: NOPERM" },
		{ "*0\r\n", STEK_EREFUSED, "ROLE: nothing, expected" },
		{ ODD_HANGS_UP, STEK_EUNAVAILABLE, "ROLE: no answer" },
	};
	char primary[64];
	int err;

	snprintf(primary, sizeof(primary), "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d"
		 "\r\n", snprintf(NULL, 0, "%d", odd.port), odd.port);
	open_at(SENTINEL);
	redis_odd_tell(&odd, (const struct odd_rule[]){
		       { "SENTINEL", primary }, { "ROLE", roles[_i].role },
		       { "HGET", "$-1\r\n" }, { NULL, NULL } });
	err = load();
	ck_assert_msg(err == roles[_i].err, "%d: %s", err,
		      store->ops->detail(store));
	ck_assert(!roles[_i].says || strstr(store->ops->detail(store),
					    roles[_i].says));
	stek__store_close(store);
}
END_TEST

/* ---- replicas ----------------------------------------------------------------- */

/* The ring stands whatever WAIT says; it only counts. */
START_TEST(test_wait)
{
	static const struct { const char *answer; uint32_t confirmed; } waits[] = {
		{ ":1\r\n", 1 }, { ":0\r\n", 0 }, { "+x\r\n", 0 },
		{ "-ERR no\r\n", 0 }, { ODD_HANGS_UP, 0 },
	};
	struct stek_replicas replicas = { 9, 9 };

	open_at(WAITS);
	redis_odd_tell(&odd, (const struct odd_rule[]){
		       { "SCRIPT", SHA }, { "EVALSHA", ":1\r\n" },
		       { "WAIT", waits[_i].answer }, { NULL, NULL } });
	ck_assert_int_eq(publish(), 0);
	store->ops->replicas(store, &replicas);
	ck_assert_uint_eq(replicas.wanted, 1);
	ck_assert_uint_eq(replicas.confirmed, waits[_i].confirmed);
	stek__store_close(store);
}
END_TEST

/* ---- hints -------------------------------------------------------------------- */

#define SUBSCRIBED "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"
#define MESSAGE "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n1\r\n"

START_TEST(test_hints)
{
	/* Does a hint come, and is the connection of use afterwards? */
	static const struct { const char *answer; bool hint, stays; } hints[] = {
		{ SUBSCRIBED, false, true },
		{ SUBSCRIBED MESSAGE, true, true },
		{ SUBSCRIBED ":1\r\n", false, true },
		{ "-NOPERM no\r\n", false, false },
		{ MESSAGE "-ERR gone\r\n", true, false },
		{ "?what\r\n", false, false },
		/* Whoever ends it may have something to hide: look. */
		{ ODD_HANGS_UP, true, false },
	};
	struct pollfd pfd = { .events = POLLIN };
	bool hint;

	open_at(PLAIN);
	redis_odd_tell(&odd, (const struct odd_rule[]){
		       { "HGET", "$-1\r\n" },
		       { "SUBSCRIBE", hints[_i].answer }, { NULL, NULL } });
	ck_assert_int_eq(store->ops->hint_fd(store), -1);
	ck_assert(!store->ops->hint_take(store));
	ck_assert_int_eq(load(), STEK_EABSENT);
	pfd.fd = store->ops->hint_fd(store);
	ck_assert_int_ge(pfd.fd, 0);
	ck_assert_int_eq(poll(&pfd, 1, PATIENT_MS), 1);
	hint = store->ops->hint_take(store);
	ck_assert_int_eq(hint, hints[_i].hint);
	ck_assert_int_eq(store->ops->hint_fd(store) >= 0, hints[_i].stays);
	stek__store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis_odd");
	TCase *tcase = tcase_create("odd");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, test_answers, 0,
			    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_loop_test(tcase, test_roles, 0, 5);
	tcase_add_loop_test(tcase, test_wait, 0, 5);
	tcase_add_loop_test(tcase, test_hints, 0, 7);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
