// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_admin.c - the admin endpoint over real sockets: who may ask, from
 * where, and that no secret comes out. What the routes answer is proven in
 * check_admin_route.c, how long one may take in check_admin_deadline.c.
 */
#include <check.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin_farm.h"
#include "admin_route.h"

#define BEARER "Authorization: Bearer " ADMIN_FARM_TOKEN

static struct admin_farm farm;
static struct admin *admin;
static char said[256 * 1024];	/* headers and body of the last answer */
static size_t said_len;

static void setup(void)
{
	admin = admin_farm_serve(&farm, ADMIN_DEADLINE_MS);
}

static void teardown(void)
{
	admin_stop(admin);
	admin_farm_close(&farm);
}

static size_t keep(char *data, size_t size, size_t n, void *user)
{
	(void)user;
	ck_assert_uint_lt(said_len + size * n, sizeof(said));
	memcpy(said + said_len, data, size * n);
	said_len += size * n;
	said[said_len] = '\0';
	return size * n;
}

enum door { DOOR_UNIX, DOOR_TCP, DOOR_OPEN };

struct question {
	const char *method, *path;
	const char *headers[4];
	const char *body;
	bool chunked;
};

static size_t feed(char *data, size_t size, size_t n, void *user)
{
	const char **body = user;
	size_t len = strlen(*body);

	if (len > size * n)
		len = size * n;
	memcpy(data, *body, len);
	*body += len;
	return len;
}

static void set_body(CURL *curl, const struct question *q, const char **rest)
{
	if (q->body == NULL)
		return;
	if (!q->chunked) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, q->body);
		return;
	}
	*rest = q->body;
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, feed);
	curl_easy_setopt(curl, CURLOPT_READDATA, rest);
}

/* The status; 0 when no answer came. */
static long ask(enum door door, const struct question *q)
{
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = NULL;
	const char *rest = NULL;
	char url[128];
	long status = 0;
	size_t i;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s",
		 admin_port(admin, door == DOOR_OPEN), q->path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (door == DOOR_UNIX)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, farm.socket);
	for (i = 0; i < 4 && q->headers[i] != NULL; i++)
		headers = curl_slist_append(headers, q->headers[i]);
	set_body(curl, q, &rest);
	headers = curl_slist_append(headers, "Content-Type: application/json");
	if (q->chunked)
		headers = curl_slist_append(headers,
					    "Transfer-Encoding: chunked");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, q->method);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_HEADER, 1L);
	curl_easy_setopt(curl, CURLOPT_NOBODY,
			 (long)(strcmp(q->method, "HEAD") == 0));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
	said_len = 0;
	said[0] = '\0';
	if (curl_easy_perform(curl) == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return status;
}

static long get(enum door door, const char *path, const char *h1,
		const char *h2)
{
	const struct question q = { .method = "GET", .path = path,
				    .headers = { h1, h2 } };

	return ask(door, &q);
}

/* Root and stekd's own user ask by the Unix socket without a token. */
START_TEST(test_unix_socket_answers)
{
	struct stat st;

	ck_assert_int_eq(stat(farm.socket, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(get(DOOR_UNIX, "/v1/status", NULL, NULL), 200);
	ck_assert_ptr_nonnull(strstr(said, "Cache-Control: no-store"));
	ck_assert_ptr_nonnull(strstr(said, "Content-Type: application/json"));
	ck_assert_ptr_null(strstr(said, "Set-Cookie"));
	ck_assert_ptr_null(strstr(said, "Access-Control"));
}
END_TEST

/* Another user is refused even if the file's mode would let it through. */
START_TEST(test_unix_socket_refuses_other_user)
{
	int tell[2], status;
	char answer = '?';
	pid_t child;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(farm.dir, 0755), 0);
	ck_assert_int_eq(chmod(farm.socket, 0666), 0);
	ck_assert_int_eq(pipe(tell), 0);
	child = fork();
	if (child == 0) {
		if (setgid(65534) == 0 && setuid(65534) == 0)
			answer = get(DOOR_UNIX, "/v1/status", NULL, NULL) == 403 ?
				       'y' : 'n';
		/* What other threads held is not for valgrind to look for. */
		if (write(tell[1], &answer, 1) == 1)
			raise(SIGKILL);
		_exit(1);
	}
	close(tell[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_int_eq(read(tell[0], &answer, 1), 1);
	ck_assert_int_eq(answer, 'y');
	close(tell[0]);
}
END_TEST

/* The page needs no token, which it asks for; what it shows does. */
START_TEST(test_page_needs_no_token)
{
	const struct question post = { .method = "POST", .path = "/",
				       .body = "{}" };
	const struct question head = { .method = "HEAD", .path = "/" };

	ck_assert_int_eq(get(DOOR_TCP, "/", NULL, NULL), 200);
	ck_assert_ptr_nonnull(strstr(said, "Content-Type: text/html"));
	ck_assert_ptr_null(strstr(said, ADMIN_FARM_TOKEN));
	ck_assert_int_eq(get(DOOR_UNIX, "/dashboard.js", NULL, NULL), 200);
	ck_assert_int_eq(ask(DOOR_TCP, &head), 200);
	ck_assert_ptr_null(strstr(said, "<html"));
	ck_assert_int_eq(ask(DOOR_TCP, &post), 401);
	ck_assert_int_eq(get(DOOR_TCP, "/?x", "Host: evil.test", NULL), 403);
	ck_assert_int_eq(get(DOOR_TCP, "/", "Accept-Encoding: gzip", NULL),
			 200);
	ck_assert_ptr_nonnull(strstr(said, "Content-Encoding: gzip"));
}
END_TEST

/* Another site's link may open the page; nothing else of it may. */
START_TEST(test_page_opened_from_elsewhere)
{
	struct question q = { .method = "GET", .path = "/",
		.headers = { "Sec-Fetch-Site: cross-site",
			     "Sec-Fetch-Mode: navigate",
			     "Sec-Fetch-Dest: document" } };

	ck_assert_int_eq(ask(DOOR_TCP, &q), 200);
	q.path = "/v1/status";
	ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
	q.path = "/";
	q.headers[3] = "Origin: http://evil.test";
	ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
	q.headers[3] = NULL;
	q.headers[2] = "Sec-Fetch-Dest: iframe";
	ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
	q.headers[1] = "Sec-Fetch-Mode: no-cors";
	q.headers[2] = "Sec-Fetch-Dest: script";
	q.path = "/dashboard.js";
	ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
	q.headers[1] = "Sec-Fetch-Mode: cors";
	q.headers[2] = "Sec-Fetch-Dest: document";
	ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
}
END_TEST

/* The token opens the TCP listener, the scheme's case does not matter. */
START_TEST(test_token_opens)
{
	ck_assert_int_eq(get(DOOR_TCP, "/v1/keys", BEARER, NULL), 200);
	ck_assert_int_eq(get(DOOR_TCP, "/healthz", "authorization: bEARER  "
			     ADMIN_FARM_TOKEN, NULL), 200);
}
END_TEST

/* No token, every prefix of it, one byte more, and others: 401. */
START_TEST(test_token_refuses)
{
	static const char *const wrong[] = {
		"Authorization: Bearer", "Authorization: Bearer x",
		"Authorization: Basic " ADMIN_FARM_TOKEN,
		"Authorization: " ADMIN_FARM_TOKEN,
		"Authorization: Bearer " ADMIN_FARM_TOKEN "0",
		"Authorization: Bearer 0" ADMIN_FARM_TOKEN,
		"X-Authorization: Bearer " ADMIN_FARM_TOKEN,
	};
	char prefix[sizeof(BEARER)];
	size_t i;

	ck_assert_int_eq(get(DOOR_TCP, "/v1/status", NULL, NULL), 401);
	/* RFC 6750 s3.1: no error code where there was no token. */
	ck_assert_ptr_nonnull(strstr(said, "WWW-Authenticate: Bearer "
				     "realm=\"stekd\"\r\n"));
	ck_assert_ptr_nonnull(strstr(said, "urn:stekd:problem:unauthorized"));
	ck_assert_ptr_nonnull(strstr(said, "application/problem+json"));
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_eq(get(DOOR_TCP, "/v1/status", wrong[i], NULL),
				 401);
	ck_assert_int_eq(get(DOOR_TCP, "/v1/status", wrong[1], NULL), 401);
	ck_assert_ptr_nonnull(strstr(said, "error=\"invalid_token\""));
	ck_assert_int_eq(get(DOOR_TCP, "/v1/status", wrong[2], NULL), 401);
	ck_assert_ptr_null(strstr(said, "error="));
	for (i = strlen("Authorization: Bearer "); i < sizeof(BEARER) - 1; i++) {
		memcpy(prefix, BEARER, i);
		prefix[i] = '\0';
		ck_assert_int_eq(get(DOOR_TCP, "/v1/status", prefix, NULL),
				 401);
	}
	/* Whoever may not ask learns nothing of what there is to ask. */
	ck_assert_int_eq(get(DOOR_TCP, "/nothing", NULL, NULL), 401);
}
END_TEST

/* Only names that a browser cannot have resolved elsewhere are taken. */
START_TEST(test_host_allow_list)
{
	static const char *const names[] = { "127.0.0.1", "[::1]",
					     "localhost", "LocalHost" };
	static const char *const foreign[] = {
		"Host: evil.test", "Host: 127.0.0.1", "Host: localhost:1",
		"Host: localhost.evil.test", "Host: 127.0.0.1.evil.test",
		"Host: 127.0.0.2",
	};
	char host[128];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(host, sizeof(host), "Host: %s:%u", names[i],
			 admin_port(admin, false));
		ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER, host), 200);
	}
	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER, foreign[i]),
				 403);
		ck_assert_ptr_nonnull(strstr(said, ":forbidden-host\""));
		snprintf(host, sizeof(host), "%s:%u", foreign[i],
			 admin_port(admin, false) + 1);
		ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER, host), 403);
	}
}
END_TEST

/* A page of another site cannot ask, by any of the doors. */
START_TEST(test_cross_site_refused)
{
	static const char *const foreign[] = {
		"Origin: http://evil.test", "Origin: null",
		"Origin: https://127.0.0.1", "Origin: http://127.0.0.1:1",
		"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
	};
	char origin[128];
	size_t i;

	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		const struct question q = { .method = "POST",
			.path = "/v1/rotate", .body = "{}",
			.headers = { BEARER, foreign[i] } };

		ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
		ck_assert_ptr_nonnull(strstr(said, ":forbidden-origin\""));
		ck_assert_int_eq(ask(DOOR_UNIX, &q), 403);
	}
	ck_assert_uint_eq(farm.node.refused.counts[REFUSED_ORIGIN], 2 * i);
	snprintf(origin, sizeof(origin), "Origin: http://127.0.0.1:%u",
		 admin_port(admin, false));
	ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER, origin), 200);
	/* At ::1 another user may listen, and localhost may mean that. */
	snprintf(origin, sizeof(origin), "Origin: http://localhost:%u",
		 admin_port(admin, false));
	ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER, origin), 403);
	ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER,
			     "Sec-Fetch-Site: same-origin"), 200);
}
END_TEST

/* Methods, and a preflight that is not granted. */
START_TEST(test_methods_over_http)
{
	struct question q = { .method = "OPTIONS", .path = "/v1/rotate" };

	ck_assert_int_eq(ask(DOOR_UNIX, &q), 405);
	ck_assert_ptr_nonnull(strstr(said, "Allow: POST\r\n"));
	ck_assert_ptr_null(strstr(said, "Access-Control"));
	q.method = "GET";
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 405);
	q.method = "HEAD";
	q.path = "/v1/status";
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 200);
	q.method = "POST";
	q.body = "{}";
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 405);
	ck_assert_ptr_nonnull(strstr(said, "Allow: GET, HEAD\r\n"));
}
END_TEST

/* A big body is refused by its length, and while it comes in chunks. */
START_TEST(test_body_cap_over_http)
{
	char body[3 * ADMIN_BODY_MAX];
	struct question q = { .method = "POST", .path = "/v1/rotate",
			      .body = body, .headers = { "Expect:" } };

	memset(body, ' ', sizeof(body));
	memcpy(body, "{}", 2);
	body[sizeof(body) - 1] = '\0';
	q.chunked = true;
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 413);
	q.chunked = false;
	q.headers[0] = NULL;
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 413);
	body[ADMIN_BODY_MAX] = '\0';
	q.chunked = true;
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 200);
}
END_TEST

/* Entity tags go in and out as headers; 304 has no body. */
START_TEST(test_tags_over_http)
{
	char tag[128], none_match[160], match[160];
	const char *line;
	struct question q = { .method = "POST", .path = "/v1/rotate",
			      .body = "{}", .headers = { match } };

	ck_assert_int_eq(get(DOOR_UNIX, "/v1/ring", NULL, NULL), 200);
	line = strstr(said, "\r\nETag: \"");
	ck_assert_ptr_nonnull(line);
	ck_assert_int_eq(sscanf(line, " ETag: %127[^\r]", tag), 1);
	snprintf(none_match, sizeof(none_match), "If-None-Match: %s", tag);
	snprintf(match, sizeof(match), "If-Match: %s", tag);
	ck_assert_int_eq(get(DOOR_UNIX, "/v1/ring", none_match, NULL), 304);
	ck_assert_ptr_nonnull(strstr(said, tag));
	ck_assert_ptr_null(strstr(said, "\r\nContent-Type:"));
	ck_assert_str_eq(strstr(said, "\r\n\r\n"), "\r\n\r\n");
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 200);
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 412);
	ck_assert_int_eq(get(DOOR_UNIX, "/v1/ring", none_match, NULL), 200);
}
END_TEST

/* The tokenless listener serves three paths and takes no change. */
START_TEST(test_open_listener)
{
	struct question q = { .method = "POST", .path = "/v1/revoke",
			      .body = "{\"all\":true}",
			      .headers = { BEARER } };

	ck_assert_int_eq(get(DOOR_OPEN, "/metrics", NULL, NULL), 200);
	ck_assert_ptr_nonnull(strstr(said, "text/plain; version=0.0.4"));
	ck_assert_int_eq(get(DOOR_OPEN, "/healthz", NULL, NULL), 200);
	ck_assert_int_eq(get(DOOR_OPEN, "/readyz", NULL, NULL), 200);
	ck_assert_int_eq(get(DOOR_OPEN, "/v1/status", BEARER, NULL), 404);
	ck_assert_int_eq(get(DOOR_OPEN, "/v1/keys", NULL, NULL), 404);
	ck_assert_int_eq(ask(DOOR_OPEN, &q), 404);
}
END_TEST

/* A socket that outlived its process is replaced; nothing else is. */
START_TEST(test_socket_path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[96], why[256] = "";
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "%s/other.sock", farm.dir);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (void *)&address, sizeof(address)), 0);
	close(fd);
	fd = admin_socket_unix(path, why, sizeof(why));
	ck_assert_msg(fd >= 0, "%s", why);
	ck_assert_int_eq(admin_socket_unix(path, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "another process"));
	close(fd);
	unlink(path);
	f = fopen(path, "w");
	fclose(f);
	ck_assert_int_eq(admin_socket_unix(path, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "no socket"));
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(admin_socket_unix("/nonexistent/x", why, sizeof(why)),
			 -1);
}
END_TEST

static void farm_secret(char secret[65])
{
	char line[256] = "", id[32];
	FILE *f = fopen(farm.farm_key, "r");
	bool found = false;

	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "stek-farm-key-1 %31s %64s", id,
			       secret) == 2;
	fclose(f);
	ck_assert(found);
	ck_assert_uint_eq(strlen(secret), 64);
}

/* No answer holds the token or the farm key. */
START_TEST(test_answers_hold_no_secret)
{
	static const char *const paths[] = {
		"/v1/status", "/v1/keys", "/v1/nodes", "/v1/stats", "/metrics",
		"/healthz", "/readyz", "/none", "/v1/rotate",
	};
	char secret[65];
	size_t i;

	farm_secret(secret);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		ck_assert_int_ne(get(DOOR_TCP, paths[i], BEARER, NULL), 0);
		ck_assert_ptr_null(strstr(said, ADMIN_FARM_TOKEN));
		ck_assert_ptr_null(strstr(said, secret));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admin");
	TCase *tcase = tcase_create("admin");
	SRunner *runner;
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_unix_socket_answers);
	tcase_add_test(tcase, test_unix_socket_refuses_other_user);
	tcase_add_test(tcase, test_page_needs_no_token);
	tcase_add_test(tcase, test_page_opened_from_elsewhere);
	tcase_add_test(tcase, test_token_opens);
	tcase_add_test(tcase, test_token_refuses);
	tcase_add_test(tcase, test_host_allow_list);
	tcase_add_test(tcase, test_cross_site_refused);
	tcase_add_test(tcase, test_methods_over_http);
	tcase_add_test(tcase, test_body_cap_over_http);
	tcase_add_test(tcase, test_tags_over_http);
	tcase_add_test(tcase, test_open_listener);
	tcase_add_test(tcase, test_socket_path);
	tcase_add_test(tcase, test_answers_hold_no_secret);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	curl_global_cleanup();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
