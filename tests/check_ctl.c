/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekctl: the whole command against a small HTTP server in a thread, on a
 * Unix socket or on loopback TCP.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <check.h>

#include "ctl.h"

static char dir[64];
static char socket_path[128], out_path[128], err_path[128], token_path[128];

/* What the server answers, and what it was asked last. */
static struct {
	int fd;
	pthread_t thread;
	const char *status, *extra, *body;
	char request[4096];
} server;

static void path_in(char out[128], const char *name)
{
	snprintf(out, 128, "%s/%s", dir, name);
}

static void set_up(void)
{
	strcpy(dir, "/tmp/check_ctl.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	path_in(socket_path, "sock");
	path_in(out_path, "out");
	path_in(err_path, "err");
	path_in(token_path, "token");
	unsetenv("STEKCTL_SOCKET");
}

static void tear_down(void)
{
	unlink(socket_path);
	unlink(out_path);
	unlink(err_path);
	unlink(token_path);
	rmdir(dir);
}

/* Headers, and as many bytes as Content-Length says. */
static bool request_complete(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n");
	const char *length = strcasestr(request, "content-length:");

	if (!end)
		return false;
	return !length || strlen(end + 4) >= strtoul(length + 15, NULL, 10);
}

/* Answers one connection. */
static void *serve(void *arg)
{
	int fd = accept(server.fd, NULL, NULL);
	size_t len = 0;
	char head[512];

	(void)arg;
	while (!request_complete(server.request)) {
		ssize_t n = read(fd, server.request + len,
				 sizeof(server.request) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
		server.request[len] = '\0';
	}
	snprintf(head, sizeof(head),
		 "HTTP/1.1 %s\r\nConnection: close\r\n%s"
		 "Content-Length: %zu\r\n\r\n", server.status, server.extra,
		 strlen(server.body));
	(void)!write(fd, head, strlen(head));
	(void)!write(fd, server.body, strlen(server.body));
	close(fd);
	return NULL;
}

static void answer_with(const char *status, const char *extra, const char *body)
{
	server.status = status;
	server.extra = extra;
	server.body = body;
	memset(server.request, 0, sizeof(server.request));
	ck_assert_int_eq(listen(server.fd, 1), 0);
	ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void serve_unix(const char *status, const char *extra, const char *body)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(addr.sun_path, socket_path);
	unlink(socket_path);
	server.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(server.fd, (struct sockaddr *)&addr,
			      sizeof(addr)), 0);
	answer_with(status, extra, body);
}

static unsigned serve_tcp(const char *status, const char *body)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(server.fd, (struct sockaddr *)&addr, len), 0);
	getsockname(server.fd, (struct sockaddr *)&addr, &len);
	answer_with(status, "", body);
	return ntohs(addr.sin_port);
}

static void served(void)
{
	pthread_join(server.thread, NULL);
	close(server.fd);
}

/* Runs stekctl with its output in files; words are split at spaces. */
static enum ctl_exit ctl(const char *line)
{
	char text[512], *argv[24] = {NULL}, *save = NULL;
	int saved_out, saved_err, argc = 0;
	enum ctl_exit result;

	snprintf(text, sizeof(text), "stekctl %s", line);
	for (char *word = strtok_r(text, " ", &save); word && argc < 23;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	fflush(NULL);
	saved_out = dup(1);
	saved_err = dup(2);
	ck_assert_ptr_nonnull(freopen(out_path, "w", stdout));
	ck_assert_ptr_nonnull(freopen(err_path, "w", stderr));
	result = ctl_run(argc, argv);
	fflush(NULL);
	dup2(saved_out, 1);
	dup2(saved_err, 2);
	close(saved_out);
	close(saved_err);
	return result;
}

/* On the test's own socket. */
static enum ctl_exit ctl_here(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "--socket %s %s", socket_path, command);
	return ctl(line);
}

static bool file_has(const char *path, const char *text)
{
	static char all[65536];
	FILE *file = fopen(path, "r");
	size_t len;

	ck_assert_ptr_nonnull(file);
	len = fread(all, 1, sizeof(all) - 1, file);
	all[len] = '\0';
	fclose(file);
	return strstr(all, text) != NULL;
}

static void write_token(const char *text, mode_t mode)
{
	FILE *file = fopen(token_path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(chmod(token_path, mode), 0);
}

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
		   "\"failures\":{\"timeout\":2}},\"farm\":null,\"nodes\":[]}");
	ck_assert_int_eq(ctl_here("stats"), CTL_OK);
	served();
	ck_assert(file_has(out_path, "100.0%"));
	ck_assert(file_has(out_path, "resumed_active        3        0"));
	ck_assert(file_has(out_path, "timeout"));
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

START_TEST(test_rotate)
{
	serve_unix("200 OK", "",
		   "{\"key\":\"00aa\",\"epoch\":8,"
		   "\"activate_at_ms\":45296000,\"nodes\":[{\"name\":\"n1\","
		   "\"acknowledged\":true,\"after_ms\":12}]}");
	ck_assert_int_eq(ctl_here("rotate --force"), CTL_OK);
	served();
	ck_assert(strncmp(server.request, "POST /v1/rotate ", 16) == 0);
	ck_assert_ptr_nonnull(strstr(server.request, "{\"force\":true}"));
	ck_assert_ptr_nonnull(strcasestr(server.request,
					 "content-type: application/json"));
	ck_assert(file_has(out_path, "00aa, active at 12:34:56 UTC"));
	ck_assert(file_has(out_path, "after 12 ms"));
}
END_TEST

/* A refusal names the late nodes, and when to try again. */
START_TEST(test_rotate_refused)
{
	serve_unix("504 Gateway Timeout", "",
		   "{\"title\":\"late\",\"detail\":\"n2 has not answered\","
		   "\"instance\":\"urn:uuid:7\",\"nodes\":[{\"name\":\"n2\",\"acknowledged\":false}]}");
	ck_assert_int_eq(ctl_here("rotate"), CTL_REFUSED);
	served();
	ck_assert_ptr_nonnull(strstr(server.request, "\r\n\r\n{}"));
	ck_assert(file_has(err_path, "n2 has not answered"));
	ck_assert(file_has(err_path, "LATE"));
	ck_assert(file_has(err_path, "log names it urn:uuid:7\n"));
	serve_unix("429 Too Many Requests", "Retry-After: 41\r\n", "{}");
	ck_assert_int_eq(ctl_here("rotate"), CTL_REFUSED);
	served();
	ck_assert(file_has(err_path, "again in 41 s"));
	ck_assert(!file_has(err_path, "log"));
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

#define ID "00112233445566778899aabbccddeeff"

START_TEST(test_revoke)
{
	serve_unix("200 OK", "", "{\"revoked\":3,\"key\":\"00aa\"}");
	ck_assert_int_eq(ctl_here("revoke --all"), CTL_OK);
	served();
	ck_assert_ptr_nonnull(strstr(server.request, "{\"all\":true}"));
	ck_assert(file_has(out_path, "3 keys"));
	serve_unix("404 Not Found", "", "{\"title\":\"unknown key\"}");
	ck_assert_int_eq(ctl_here("revoke " ID), CTL_REFUSED);
	served();
	ck_assert_ptr_nonnull(strstr(server.request,
				     "{\"keys\":[\"" ID "\"]}"));
	ck_assert(file_has(err_path, "unknown key"));
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
		test_keys_nodes_stats, test_stats_rates, test_foreign_answers, test_rotate,
		test_rotate_refused, test_reload, test_revoke, test_deny,
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
