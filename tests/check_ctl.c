/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl.c - stekctl, the whole command, against the answers of a server:
 * what it asks and shows. Rotate and revoke: check_ctl_change.c.
 */
#include "ctl_server.h"

#define STATUS(ready) \
	"{\"node\":\"node-1\",\"node_id\":\"a1b2c3d4\",\"farm\":\"f\"," \
	"\"version\":\"0.1.0\",\"uptime_s\":61,\"now_ms\":1000000," \
	"\"ready\":" ready ",\"not_ready\":[\"draining\"]," \
	"\"degraded\":[\"no ring\"]," \
	"\"ring\":{\"epoch\":7,\"keys\":3,\"digest\":\"00ff\"," \
	"\"active\":\"abcd\",\"active_until_ms\":8980000}," \
	"\"store\":{\"url\":\"file:/x\",\"state\":\"ok\"}}"

START_TEST(test_status)
{
	serve_unix("200 OK", "", STATUS("true"));
	ck_assert_int_eq(ctl_here("status"), CTL_OK);
	served();
	ck_assert(strncmp(server.request, "GET /v1/status ", 15) == 0);
	ck_assert(file_has(out_path, "node-1"));
	ck_assert(file_has(out_path, "epoch 7"));
	ck_assert(file_has(out_path, "seals until in 2h13m"));
}
END_TEST

/* Not ready is a status of its own, with the reason. */
START_TEST(test_status_not_ready)
{
	serve_unix("200 OK", "", STATUS("false"));
	ck_assert_int_eq(ctl_here("status"), CTL_NOT_READY);
	served();
	ck_assert(file_has(out_path, "no: draining; degraded: no ring"));
}
END_TEST

START_TEST(test_json_passes_through)
{
	serve_unix("200 OK", "", "{\"keys\":[],\"later\":1}");
	ck_assert_int_eq(ctl_here("--json keys"), CTL_OK);
	served();
	ck_assert(file_has(out_path, "\"later\": 1"));
}
END_TEST

START_TEST(test_keys_nodes_stats)
{
	serve_unix("200 OK", "",
		   "{\"now_ms\":600000,\"keys\":[{\"id\":\"00aa\",\"state\":"
		   "\"retired\",\"activate_at_ms\":420000}]}");
	ck_assert_int_eq(ctl_here("keys"), CTL_OK);
	served();
	ck_assert(file_has(out_path, "00aa  retired"));
	ck_assert(file_has(out_path, "3m ago"));
	serve_unix("200 OK", "",
		   "{\"nodes\":[{\"name\":\"n1\",\"live\":false,\"self\":true,"
		   "\"age_ms\":5000,\"in_sync\":false}]}");
	ck_assert_int_eq(ctl_here("nodes"), CTL_OK);
	served();
	ck_assert(file_has(out_path, "n1 *"));
	ck_assert(file_has(out_path, "away"));
	serve_unix("200 OK", "",
		   "{\"node\":{\"resumed\":3,\"full\":1,\"resumption_rate\":1,"
		   "\"handshakes\":{\"TLSv1.2\":{\"resumed_active\":3},"
		   "\"TLSv1.3\":{\"none_offered\":1}},"
		   "\"alerts\":{\"sent\":{\"unknown_ca\":4},\"received\":"
		   "{\"close_notify\":5}},\"tickets_by_key\":[{\"key\":"
		   "\"0123abcd\",\"issued\":6}],"
		   "\"failures\":{\"timeout\":2}},\"farm\":null,\"nodes\":[]}");
	ck_assert_int_eq(ctl_here("stats"), CTL_OK);
	served();
	ck_assert(file_has(out_path, "100.0%"));
	ck_assert(file_has(out_path, "resumed_active        3        0"));
	ck_assert(file_has(out_path, "timeout"));
	ck_assert(file_has(out_path, "ALERT SENT  COUNT\nunknown_ca      4"));
	ck_assert(file_has(out_path, "ALERT RECEIVED  COUNT\nclose_notify"));
	ck_assert(file_has(out_path, "TICKETS UNDER  ISSUED\n0123abcd            6"));
	ck_assert(!file_has(out_path, "RATES"));
	ck_assert(!file_has(out_path, "late"));
}
END_TEST

#define RATE(over, shakes, share) \
	"{\"over_s\":" over ",\"handshakes_per_s\":" shakes \
	",\"resumption_rate\":" share ",\"by_version\":{\"TLSv1.3\":" \
	"{\"handshakes_per_s\":7.5,\"resumption_rate\":null}}}"

/* Rates of the nodes and of the farm; whose figures are old is told. */
START_TEST(test_stats_rates)
{
	serve_unix("200 OK", "",
		   "{\"node\":{},\"farm\":{\"rates\":{\"1m\":"
		   RATE("60.0", "20.25", "0.9999")
		   "}},\"nodes\":[{\"name\":\"n1\",\"state\":\"late\","
		   "\"rates\":{\"1m\":" RATE("60.0", "2", "1")
		   ",\"5m\":" RATE("0", "0", "null") "}}],"
		   "\"late\":[\"n1\"],\"missing\":[\"n2\",3]}");
	ck_assert_int_eq(ctl_here("stats"), CTL_OK);
	served();
	ck_assert(file_has(out_path, "n1             late           2.0   -    -"
			   "      100.0%"));
	ck_assert(file_has(out_path, "farm           -             20.2  "));
	ck_assert(file_has(out_path, "99.9%"));
	ck_assert(file_has(out_path, "farm, TLSv1.3  -              7.5  "));
	ck_assert(file_has(out_path, "heartbeats said): n1\n"));
	ck_assert(file_has(out_path, "no longer in the farm: n2\n"));
}
END_TEST

#define PRINT "00112233445566778899aabbccddeeff" \
	"00112233445566778899aabbccddeeff"

/* What is denied is listed and changed, and what is meant is checked first. */
START_TEST(test_deny)
{
	serve_unix("200 OK", "", "{\"file\":\"/etc/deny\",\"n\":1,"
		   "\"fingerprints\":[\"" PRINT "\"]}");
	ck_assert_int_eq(ctl_here("deny"), CTL_OK);
	served();
	ck_assert(strncmp(server.request, "GET /v1/deny ", 13) == 0);
	ck_assert(file_has(out_path, PRINT));
	ck_assert(file_has(out_path, "kept in /etc/deny"));
	serve_unix("200 OK", "", "{\"fingerprint\":\"" PRINT "\",\"denied\":"
		   "true,\"changed\":true}");
	ck_assert_int_eq(ctl_here("deny add " PRINT), CTL_OK);
	served();
	ck_assert(strncmp(server.request, "POST /v1/deny ", 14) == 0);
	ck_assert_ptr_nonnull(strstr(server.request, "{\"add\":\"" PRINT));
	ck_assert(file_has(out_path, "is now refused"));
	serve_unix("200 OK", "", "{\"fingerprint\":\"" PRINT "\",\"denied\":"
		   "false,\"changed\":false}");
	ck_assert_int_eq(ctl_here("deny remove " PRINT), CTL_OK);
	served();
	ck_assert_ptr_nonnull(strstr(server.request, "{\"remove\":"));
	ck_assert(file_has(out_path, "is already not refused"));
	ck_assert_int_eq(ctl_here("deny add"), CTL_USAGE);
	ck_assert_int_eq(ctl_here("deny drop " PRINT), CTL_USAGE);
}
END_TEST

/* Answers of another shape do not confuse it. */
START_TEST(test_foreign_answers)
{
	static const char *const commands[] = {"status", "keys", "nodes",
					       "stats", "rotate"};

	for (size_t i = 0; i < 5; i++) {
		serve_unix("200 OK", "", "{\"nodes\":3,\"keys\":[1,{\"id\":2}],"
					 "\"ring\":[],\"node\":\"x\"}");
		ck_assert_int_ne(ctl_here(commands[i]), CTL_REFUSED);
		served();
		serve_unix("200 OK", "", "<html>");
		ck_assert_int_eq(ctl_here(commands[i]), CTL_REFUSED);
		served();
	}
}
END_TEST

/* A reload names the configuration in force, a refusal each fault. */
START_TEST(test_reload)
{
	serve_unix("200 OK", "", "{\"generation\":7,\"took_ms\":12}");
	ck_assert_int_eq(ctl_here("reload"), CTL_OK);
	served();
	ck_assert(strncmp(server.request, "POST /v1/reload ", 16) == 0);
	ck_assert(file_has(out_path, "configuration 7"));
	serve_unix("409 Conflict", "",
		   "{\"title\":\"Conflict\",\"detail\":\"refused\","
		   "\"errors\":[\"/a.yaml:3: found x\",\"/a.yaml:9: y\"]}");
	ck_assert_int_eq(ctl_here("reload"), CTL_REFUSED);
	served();
	ck_assert(file_has(err_path, "/a.yaml:3: found x"));
	ck_assert(file_has(err_path, "/a.yaml:9: y"));
	ck_assert_int_eq(ctl_here("reload now"), CTL_USAGE);
}
END_TEST

/* Over TCP the token travels in the header, and a wrong one is explained. */
START_TEST(test_token_travels_in_a_header)
{
	char line[256];

	write_token("s3cret\n", 0600);
	snprintf(line, sizeof(line),
		 "--url http://127.0.0.1:%u --token-file %s keys",
		 serve_tcp("401 Unauthorized", "{\"title\":\"no\"}"),
		 token_path);
	ck_assert_int_eq(ctl(line), CTL_REFUSED);
	served();
	ck_assert_ptr_nonnull(strstr(server.request,
				     "\r\nAuthorization: Bearer s3cret\r\n"));
	ck_assert(file_has(err_path, "--token-file"));
	ck_assert(!file_has(err_path, "s3cret"));
	ck_assert(!file_has(out_path, "s3cret"));
}
END_TEST

START_TEST(test_unreachable)
{
	ck_assert_int_eq(ctl_here("status"), CTL_UNREACHABLE);
	ck_assert(file_has(err_path, "no such socket"));
	ck_assert(!file_has(err_path, "port 80"));
	ck_assert_int_eq(ctl_here("watch --count 1"), CTL_UNREACHABLE);
	ck_assert(file_has(err_path, socket_path));
}
END_TEST

START_TEST(test_usage)
{
	static const char *const wrong[] = {
		"", "frob", "status extra", "rotate --all", "revoke",
		"revoke --all " ID, "revoke 00", "revoke " ID "0", "keygen",
		"keys --force", "status --count 1", "watch --interval 0",
		"--url http://example.com status", "--token-file /x status",
		"--nonsense status", "--socket", "status --dry-run",
		"rotate --idempotency-key", "keys --idempotency-key a",
		"audit --limit", "audit --limit x", "audit --limit 10001",
		"keys --limit 5", "rotate --verify", "audit --dry-run",
		"audit extra", "farm-key roll", "farm-key status extra",
		"farm-key reload --dry-run",
		"--url https://a.test status", "--cert /x status",
		"--key /x status", "--ca /x status",
		"--passphrase-file /x status",
		"--url http://127.0.0.1:1 --cert /x status",
		"--url https://a.test/v1 --cert /x status",
		"--url https://u@a.test --cert /x status",
		"--url https://u:p@a.test --cert /x status",
		"--url https://a.test/?x --cert /x status",
		"--url https://a.test/#x --cert /x status",
		"--url ftp://a.test --cert /x status",
		"--url https://a.test --cert /x --token-file /x status",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(ctl(wrong[i]) == CTL_USAGE, "%s", wrong[i]);
	ck_assert_int_eq(ctl("--help"), CTL_OK);
	ck_assert(file_has(out_path, "usage: stekctl"));
	ck_assert_int_eq(ctl("--version"), CTL_OK);
}
END_TEST

/*
 * A farm key is made for its owner alone, once; only its id is told, in a
 * sentence or as JSON.
 */
START_TEST(test_keygen)
{
	char line[256], id[17] = "", said[512];
	struct stat st;
	FILE *file;

	snprintf(line, sizeof(line), "keygen %s%s", token_path,
		 _i ? " --json" : "");
	ck_assert_int_eq(ctl(line), CTL_OK);
	ck_assert_int_eq(stat(token_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	file = fopen(out_path, "r");
	ck_assert_ptr_nonnull(fgets(said, sizeof(said), file));
	fclose(file);
	ck_assert_int_eq(sscanf(said, _i ? "{\"id\":\"%16[0-9a-f]\"}\n" :
				"farm key %16[0-9a-f] written to ", id), 1);
	ck_assert_uint_eq(strlen(id), 16);
	ck_assert(_i || strstr(said, token_path));
	ck_assert(file_has(token_path, id));
	ck_assert_int_eq(ctl(line), CTL_REFUSED);
	ck_assert(file_has(err_path, "never overwritten"));
	ck_assert(file_has(token_path, id));
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *const *tests)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("ctl");
	TCase *keygen;
	SRunner *runner;
	int failed;

	add(suite, "command", (const TTest *const[]){
		test_status, test_status_not_ready, test_json_passes_through,
		test_keys_nodes_stats, test_stats_rates, test_foreign_answers,
		test_reload, test_deny,
		test_token_travels_in_a_header, test_unreachable, test_usage,
		NULL});
	keygen = tcase_create("keygen");
	tcase_add_checked_fixture(keygen, set_up, tear_down);
	tcase_add_loop_test(keygen, test_keygen, 0, 2);
	suite_add_tcase(suite, keygen);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
