/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe rotate-test: what an answer of the farm says, under which event a
 * connection is counted, the verdicts, the options and the report, with time
 * passed in; then the loss of a process, among OpenSSL servers of this one.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "probe/options.h"
#include "probe/stop.h"
#include "probe/worker.h"
#include "probe_server.h"

static struct rotate_event read_answer(long status, const char *body,
				       int expected)
{
	struct rotate_event event = {0};
	struct ctl_reply reply = {
		.status = status, .body = json_loads(body, 0, NULL)};

	/* At 5 s of the measurement the farm's clock showed 1000000 ms. */
	ck_assert_int_eq(rotate_read(&event, &reply, 1000000, 5000000),
			 expected);
	ck_assert_int_eq(event.status, status);
	ctl_reply_clear(&reply);
	return event;
}

/* The key's moment is the farm's, told by our clock; nodes are counted. */
START_TEST(test_read_of_a_rotation)
{
	struct rotate_event event = read_answer(200,
		"{\"activate_at_ms\":1002500,\"nodes\":["
		"{\"name\":\"a\",\"acknowledged\":true,\"after_ms\":3},"
		"{\"name\":\"b\",\"acknowledged\":true,\"after_ms\":41},"
		"{\"name\":\"c\",\"acknowledged\":false,\"after_ms\":900}]}",
		0);

	ck_assert_int_eq(event.active_us, 7500000);
	ck_assert_uint_eq(event.nodes, 2);
	ck_assert_uint_eq(event.late, 1);
	ck_assert_int_eq(event.slowest_ms, 41);
}
END_TEST

static const struct {
	long status;
	const char *body, *detail;
} refusals[] = {
	{429, "{\"detail\":\"too soon\"}", "HTTP 429: too soon"},
	{504, "{\"detail\":\"late\",\"activate_at_ms\":1002500}",
	 "HTTP 504: late"},
	{404, "{}", "HTTP 404: no reason given"},
	{200, "{}", "the answer has no activate_at_ms; is that stekd?"},
	{200, "{\"activate_at_ms\":\"1\"}",
	 "the answer has no activate_at_ms; is that stekd?"},
	{200, "", "the answer has no activate_at_ms; is that stekd?"},
};

START_TEST(test_read_of_a_refusal)
{
	struct rotate_event event = read_answer(refusals[_i].status,
						refusals[_i].body, -1);

	ck_assert_str_eq(event.detail, refusals[_i].detail);
	ck_assert_int_eq(event.active_us, 0);
}
END_TEST

/* What tally_conn() makes of a resumption in `era` by a ticket of another. */
static struct moment used_in(unsigned era, unsigned ticket_era, bool resumed)
{
	struct tally how = {.wanted = true, .era = era,
			    .ticket_era = ticket_era};
	struct conn *conn = calloc(1, sizeof(*conn));
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct load_result result = {0};
	struct moment moment;

	conn->ssl = SSL_new(ctx);
	conn->resumed = resumed;
	conn->offered = SSL_SESSION_new();
	conn->hello_us = 1;
	ck_assert_int_eq(tally_conn(&result, conn, &how), 0);
	moment = result.eras.list[era];
	load_clear(&result);
	SSL_SESSION_free(conn->offered);
	SSL_free(conn->ssl);
	SSL_CTX_free(ctx);
	free(conn);
	return moment;
}

/*
 * Era 1: the first event was asked for; 2: it has happened; 3: it is settled; 4:
 * the second was asked for. Only what was given before the request, and used
 * after the answer, is old; only what was given and used while settled is fresh.
 */
START_TEST(test_what_is_old_and_fresh)
{
	static const struct {
		unsigned era, ticket;
		uint64_t old, fresh;
	} uses[] = {
		{0, 0, 0, 0}, {1, 0, 0, 0}, {1, 1, 0, 0}, {2, 0, 1, 0},
		{2, 1, 0, 0}, {2, 2, 0, 0}, {3, 0, 1, 0}, {3, 1, 0, 0},
		{3, 2, 0, 0}, {3, 3, 0, 1}, {4, 0, 1, 0}, {4, 3, 0, 0},
		{4, 4, 0, 0}, {5, 3, 1, 0}, {5, 4, 0, 0}, {6, 3, 1, 0},
		{6, 5, 0, 0}, {6, 6, 0, 1},
	};

	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		struct moment used = used_in(uses[i].era, uses[i].ticket, true);
		struct moment lost = used_in(uses[i].era, uses[i].ticket, false);

		ck_assert_uint_eq(used.old, uses[i].old);
		ck_assert_uint_eq(used.fresh, uses[i].fresh);
		ck_assert_uint_eq(used.fresh_lost, 0);
		ck_assert_uint_eq(lost.lost, 1);
		ck_assert_uint_eq(lost.fresh_lost, uses[i].fresh);
		ck_assert_uint_eq(lost.fresh + lost.old, 0);
	}
}
END_TEST

/* A session's era goes along with its copies. */
START_TEST(test_era_of_a_session)
{
	SSL_SESSION *session = SSL_SESSION_new(), *copy;

	ck_assert_uint_eq(tls_session_era(session), 0);
	tls_session_set_era(session, 7);
	copy = SSL_SESSION_dup(session);
	ck_assert_uint_eq(tls_session_era(copy), 7);
	SSL_SESSION_free(session);
	SSL_SESSION_free(copy);
}
END_TEST

/* One event at 2 s, 100 connections before it and 100 since; all resumed. */
static struct rotate_result good_result(void)
{
	struct rotate_result result = {
		.n = 1, .ended_us = 6000000,
		.events = {{.done = true, .asked_us = 2000000,
			    .answered_us = 2100000, .active_us = 3000000,
			    .status = 200, .nodes = 2}},
	};
	const struct moment whole = {.connections = 100, .resumed = 100};
	const struct moment at_once = {.connections = 91, .resumed = 91};
	const struct moment settled = {.connections = 9, .resumed = 9,
				       .fresh = 8};

	result.load.reached = true;
	*course_at(&result.load.eras, 0) = whole;
	*course_at(&result.load.eras, 2) = at_once;
	*course_at(&result.load.eras, 3) = settled;
	*course_at(&result.load.course, 1) = whole;
	*course_at(&result.load.course, 2) = whole;
	return result;
}

enum wrong {
	NOTHING, LOST, BARE, OLD, FAILED, REFUSED, FEWER, WARM, UNREACHED,
	STRAGGLER, FRESH_LOST, LATE_FAILED, LATE_BARE, NEVER_BACK,
};

static int judge(enum rotate_kind kind, enum wrong wrong, uint64_t most_failed)
{
	const struct rotate_plan plan = {
		.kind = kind, .times = 1, .settle_s = 2, .expect = SHARE_WHOLE,
		.most_failed = most_failed};
	struct rotate_result result = good_result();
	struct moment *since = &result.load.eras.list[2];
	struct moment *settled = &result.load.eras.list[3];
	int verdict;

	since->lost = wrong == LOST;
	since->bare = wrong == BARE;
	since->old = wrong == OLD;
	since->failed = wrong == FAILED ? 3 : 0;
	/* Only what was given since then needs to resume. */
	settled->lost = wrong == STRAGGLER;
	settled->fresh_lost = wrong == FRESH_LOST;
	settled->failed = wrong == LATE_FAILED;
	settled->bare = wrong == LATE_BARE;
	if (wrong == NEVER_BACK)
		settled->fresh = 0;
	result.events[0].done = wrong != REFUSED;
	if (wrong == FEWER)
		result.n = 0;
	result.load.warm_failed = wrong == WARM;
	result.load.reached = wrong != UNREACHED;
	verdict = rotate_verdict(&plan, &result);
	rotate_clear(&result);
	return verdict;
}

static const struct {
	enum wrong wrong;
	int expected[3];	/* by kind */
} verdicts[] = {
	{NOTHING, {0, 0, 0}},	{LOST, {1, 0, 1}},
	{BARE, {1, 0, 0}},	{OLD, {0, 1, 0}},
	{FAILED, {1, 1, 1}},	{REFUSED, {1, 1, 1}},
	{FEWER, {1, 1, 1}},	{WARM, {1, 1, 1}},
	{UNREACHED, {3, 3, 3}}, {STRAGGLER, {1, 0, 1}},
	{FRESH_LOST, {0, 1, 0}}, {LATE_FAILED, {0, 1, 0}},
	{LATE_BARE, {1, 1, 0}},
	{NEVER_BACK, {0, 1, 0}},
};

/* What is a fault depends on what was done to the farm. */
START_TEST(test_verdicts)
{
	for (int kind = 0; kind < 3; kind++)
		ck_assert_int_eq(judge((enum rotate_kind)kind,
				       verdicts[_i].wrong, 2),
				 verdicts[_i].expected[kind]);
}
END_TEST

/* As many may fail as are allowed, and not one more. */
START_TEST(test_verdict_on_failures)
{
	ck_assert_int_eq(judge(ROTATE_LOSE, FAILED, 3), 0);
	ck_assert_int_eq(judge(ROTATE_LOSE, FAILED, 2), 1);
}
END_TEST

/* Events are marked in their seconds, and each has its own connections. */
START_TEST(test_report)
{
	static const char *const expected[] = {
		"rotation 1: asked at 2.000 s, done at 2.100 s by 2 nodes",
		"\"asked_s\": 2.0",
		"2,100,0,0,100,0,0,rotation 1 asked; rotation 1 done\n",
	};
	struct rotate_plan plan = {.times = 1, .load.versions = {true, true}};
	struct rotate_result result = good_result();

	for (int format = REPORT_TEXT; format <= REPORT_CSV; format++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);

		rotate_print(&plan, &result, (enum report_format)format, out);
		fclose(out);
		ck_assert_msg(strstr(text, expected[format]) != NULL, "%s",
			      text);
		free(text);
	}
	ck_assert_uint_eq(rotate_before(&result).connections, 100);
	ck_assert_uint_eq(rotate_since(&result, 0).connections, 100);
	ck_assert_uint_eq(rotate_since(&result, 1).connections, 0);
	rotate_clear(&result);
}
END_TEST

static int parse(struct options *options, const char *line)
{
	static char text[512];
	char *argv[32] = {NULL}, *save = NULL;
	FILE *quiet = fopen("/dev/null", "w");
	int argc = 0, result;

	snprintf(text, sizeof(text), "stekprobe %s", line);
	for (char *word = strtok_r(text, " ", &save); word && argc < 31;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	result = options_parse(options, argc, argv, quiet);
	fclose(quiet);
	return result;
}

START_TEST(test_options)
{
	struct options options;

	unsetenv("STEKCTL_SOCKET");
	ck_assert_int_eq(parse(&options, "rotate-test --connect a:1 --rate 9"),
			 0);
	ck_assert_int_eq(options.rotate.kind, ROTATE_ROTATE);
	ck_assert_uint_eq(options.rotate.times, 3);
	ck_assert_uint_eq(options.rotate.expect, SHARE_WHOLE);
	ck_assert_uint_eq(options.rotate.most_failed, 0);
	ck_assert_uint_eq(options.rotate.load.rate, 9);
	ck_assert_uint_eq(options.rotate.load.n, 1);
	ck_assert_str_eq(options.rotate.target.socket,
			 "/run/stekd/admin.sock");
	options_clear(&options);
	ck_assert_int_eq(parse(&options, "rotate-test --connect a:1 --revoke"),
			 0);
	ck_assert_int_eq(options.rotate.kind, ROTATE_REVOKE);
	ck_assert_uint_eq(options.rotate.times, 1);
	options_clear(&options);
	ck_assert_int_eq(parse(&options, "rotate-test --connect a:1 "
			       "--kill-node 77 --settle 9"), 0);
	ck_assert_int_eq(options.rotate.kind, ROTATE_LOSE);
	ck_assert_int_eq(options.rotate.victim, 77);
	ck_assert_uint_eq(options.rotate.most_failed, UINT64_MAX);
	ck_assert_uint_eq(options.rotate.settle_s, 9);
	options_clear(&options);
}
END_TEST

START_TEST(test_options_refuses)
{
	static const char *const wrong[] = {
		"rotate-test", "load --connect a:1 --revoke",
		"farm a:1 --rotations 2", "rotate-test --connect a:1 --tries 2",
		"rotate-test --connect a:1 --connections 5",
		"rotate-test --connect a:1 --duration 5",
		"rotate-test --connect a:1 --rotations 0",
		"rotate-test --connect a:1 --rotations 101",
		"rotate-test --connect a:1 --kill-node 1",
		"rotate-test --connect a:1 --kill-node x",
		"rotate-test --connect a:1 --kill-node 7 --revoke",
		"rotate-test --connect a:1 --kill-node 7 --kill-command x",
		"rotate-test --connect a:1 --kill-node 7 --rotations 2",
		"rotate-test --connect a:1 --kill-node 7 --socket /s",
		"rotate-test --connect a:1 --revoke --force",
		"rotate-test --connect a:1 --token-file /dev/null",
		"rotate-test --connect a:1 --url http://192.0.2.1:1",
		"rotate-test --connect a:1 --url https://127.0.0.1:1",
		"rotate-test --connect a:1 --url http://127.0.0.1:1 --socket /s",
		"rotate-test --connect a:1 --url http://[::1]:1 --token-file /",
	};
	struct options options;
	char own[64];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(parse(&options, wrong[i]) == -1, "%s", wrong[i]);
		options_clear(&options);
	}
	snprintf(own, sizeof(own), "rotate-test --connect a:1 --kill-node %d",
		 (int)getpid());
	ck_assert_int_eq(parse(&options, own), -1);
	options_clear(&options);
}
END_TEST

static struct rotate_plan lose_plan(struct address *address)
{
	return (struct rotate_plan){
		.kind = ROTATE_LOSE, .times = 1, .lead_s = 1, .settle_s = 2,
		.expect = SHARE_WHOLE, .most_failed = 0,
		.load = {.addresses = address, .n = 1, .versions = {true, true},
			 .concurrency = 2, .threads = 1, .warmup = 2,
			 .rate = 100, .share = SHARE_WHOLE},
	};
}

/* The process named ends by SIGKILL, amid a load that goes on. */
START_TEST(test_run_kills_the_process)
{
	struct address address = start("n1", 0, GOOD)->address;
	struct rotate_plan plan = lose_plan(&address);
	struct rotate_result result;
	int status = 0;

	plan.victim = fork();
	if (plan.victim == 0) {
		pause();
		_exit(0);
	}
	ck_assert_int_eq(rotate_run(&plan, &result), 0);
	ck_assert_int_eq(waitpid(plan.victim, &status, 0), plan.victim);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_uint_eq(result.n, 1);
	ck_assert(result.events[0].done);
	ck_assert_int_ge(result.events[0].asked_us, 1000000);
	ck_assert_int_ge(result.ended_us,
			 result.events[0].answered_us + 2000000);
	ck_assert_uint_gt(rotate_before(&result).resumed, 0);
	ck_assert_uint_gt(rotate_since(&result, 0).resumed, 0);
	ck_assert_int_eq(rotate_verdict(&plan, &result), 0);
	rotate_clear(&result);
	/* It is gone now, and said so before any load. */
	ck_assert_int_eq(rotate_run(&plan, &result), -1);
}
END_TEST

/* A command that fails has not done it; one that succeeds has. */
START_TEST(test_run_of_a_command)
{
	struct address address = start("n1", 0, GOOD)->address;
	struct rotate_plan plan = lose_plan(&address);
	struct rotate_result result;

	plan.command = _i ? "exit 7" : "exit 0";
	ck_assert_int_eq(rotate_run(&plan, &result), 0);
	ck_assert_uint_eq(result.n, 1);
	ck_assert(result.events[0].done == (_i == 0));
	ck_assert_int_eq(result.events[0].status, _i ? 7 : 0);
	ck_assert_int_eq(rotate_verdict(&plan, &result), _i ? 1 : 0);
	rotate_clear(&result);
}
END_TEST

/* Where no connection ends well nothing is done to the farm. */
START_TEST(test_run_without_a_server)
{
	struct address address = dead_address();
	struct rotate_plan plan = lose_plan(&address);
	char path[] = "/tmp/check_rotate.XXXXXX", command[64];
	struct rotate_result result;
	struct stat st;

	ck_assert_ptr_nonnull(mkdtemp(path));
	snprintf(command, sizeof(command), "touch %s/done", path);
	plan.command = command;
	ck_assert_int_eq(rotate_run(&plan, &result), 0);
	ck_assert_uint_eq(result.n, 0);
	ck_assert_int_eq(rotate_verdict(&plan, &result), 3);
	snprintf(command, sizeof(command), "%s/done", path);
	ck_assert_int_ne(stat(command, &st), 0);
	rotate_clear(&result);
	rmdir(path);
}
END_TEST

/* No admin endpoint: the load ends, and the report says why. */
START_TEST(test_run_without_an_admin_endpoint)
{
	struct address address = start("n1", 0, GOOD)->address;
	struct rotate_plan plan = lose_plan(&address);
	struct rotate_result result;

	plan.kind = ROTATE_ROTATE;
	plan.target.socket = "/nonexistent/admin.sock";
	ck_assert_int_eq(rotate_run(&plan, &result), 0);
	ck_assert_uint_eq(result.n, 1);
	ck_assert(!result.events[0].done);
	ck_assert_ptr_nonnull(strstr(result.events[0].detail, "no such socket"));
	ck_assert_int_eq(rotate_verdict(&plan, &result), 1);
	rotate_clear(&result);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_rotate");
	TCase *pure = tcase_create("pure"), *run = tcase_create("run");
	SRunner *runner;
	int failed;

	tcase_add_test(pure, test_read_of_a_rotation);
	tcase_add_loop_test(pure, test_read_of_a_refusal, 0,
			    (int)(sizeof(refusals) / sizeof(refusals[0])));
	tcase_add_test(pure, test_what_is_old_and_fresh);
	tcase_add_test(pure, test_era_of_a_session);
	tcase_add_loop_test(pure, test_verdicts, 0,
			    (int)(sizeof(verdicts) / sizeof(verdicts[0])));
	tcase_add_test(pure, test_verdict_on_failures);
	tcase_add_test(pure, test_report);
	tcase_add_test(pure, test_options);
	tcase_add_test(pure, test_options_refuses);
	suite_add_tcase(suite, pure);
	tcase_add_checked_fixture(run, set_up, tear_down);
	tcase_set_timeout(run, 120);
	tcase_add_test(run, test_run_kills_the_process);
	tcase_add_loop_test(run, test_run_of_a_command, 0, 2);
	tcase_add_test(run, test_run_without_a_server);
	tcase_add_test(run, test_run_without_an_admin_endpoint);
	suite_add_tcase(suite, run);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
