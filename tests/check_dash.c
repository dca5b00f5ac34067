/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_dash.c - the parts of stekctl dashboard: which requests pass, how long
 * the one-time token and its session live, the file for the browser, and whose
 * connections are taken. The whole of it: check_dashboard.sh.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include "dash.h"

/* ---- what passes ---------------------------------------------------------- */

#define PORT 4711
#define HOST "127.0.0.1:4711"
#define OWN "http://127.0.0.1:4711"
#define FORM "application/x-www-form-urlencoded"

struct judged {
	struct dash_ask ask;
	enum dash_verdict verdict;
};

#define GET_(uri_) .method = "GET", .uri = uri_, .host = HOST
#define POST_(uri_) .method = "POST", .uri = uri_, .host = HOST

static const struct judged judged[] = {
	{ { GET_("/") }, DASH_FILE },
	{ { GET_("/?x=1") }, DASH_FILE },
	{ { GET_("/dashboard.js") }, DASH_FILE },
	{ { .method = "HEAD", .uri = "/a.css", .host = HOST }, DASH_FILE },
	{ { GET_("/v1/stats") }, DASH_FORWARD },
	{ { GET_("/v1/evil.js") }, DASH_FORWARD },
	{ { GET_("/metrics") }, DASH_FORWARD },
	{ { GET_("/metrics?x=.js") }, DASH_FORWARD },
	{ { GET_("/.js") }, DASH_BAD_PATH },
	{ { GET_("/session") }, DASH_FORWARD },
	{ { POST_("/v1/rotate") }, DASH_FORWARD },
	{ { POST_("/dashboard.js") }, DASH_FORWARD },
	{ { POST_("/") }, DASH_FORWARD },
	{ { POST_("/"), .type = "text/plain" }, DASH_FORWARD },
	{ { POST_("/session") }, DASH_EXCHANGE },
	{ { POST_("/session"), .origin = OWN }, DASH_EXCHANGE },
	{ { POST_("/"), .type = FORM }, DASH_FORM },
	{ { POST_("/"), .type = FORM, .origin = "null",
	    .fetch_site = "cross-site" }, DASH_FORM },
	{ { POST_("/"), .type = FORM, .origin = OWN }, DASH_FORM },
	/* Other hosts. */
	{ { .method = "GET", .uri = "/", .host = "localhost:4711" },
	  DASH_FILE },
	{ { .method = "GET", .uri = "/", .host = NULL }, DASH_BAD_HOST },
	{ { .method = "GET", .uri = "/", .host = "127.0.0.1" },
	  DASH_BAD_HOST },
	{ { .method = "GET", .uri = "/", .host = "127.0.0.1:4712" },
	  DASH_BAD_HOST },
	{ { .method = "GET", .uri = "/", .host = "[::1]:4711" },
	  DASH_BAD_HOST },
	{ { .method = "GET", .uri = "/", .host = "evil.test:4711" },
	  DASH_BAD_HOST },
	{ { .method = "POST", .uri = "/", .type = FORM,
	    .host = "evil.test:4711" }, DASH_BAD_HOST },
	/* Other sites. */
	{ { GET_("/v1/stats"), .origin = "http://evil.test" }, DASH_BAD_SITE },
	{ { GET_("/v1/stats"), .origin = "null" }, DASH_BAD_SITE },
	{ { GET_("/v1/stats"), .origin = "http://localhost:4711" },
	  DASH_BAD_SITE },
	{ { GET_("/v1/stats"), .origin = "https://127.0.0.1:4711" },
	  DASH_BAD_SITE },
	{ { GET_("/v1/stats"), .fetch_site = "cross-site" }, DASH_BAD_SITE },
	{ { GET_("/v1/stats"), .fetch_site = "same-site" }, DASH_BAD_SITE },
	{ { GET_("/v1/stats"), .fetch_site = "same-origin" }, DASH_FORWARD },
	{ { GET_("/v1/stats"), .fetch_site = "none" }, DASH_FORWARD },
	{ { GET_("/v1/stats"), .fetch_site = "cross-site",
	    .fetch_mode = "navigate", .fetch_dest = "document" },
	  DASH_BAD_SITE },
	{ { POST_("/session"), .origin = "null" }, DASH_BAD_SITE },
	{ { POST_("/session"), .origin = "http://evil.test" }, DASH_BAD_SITE },
	{ { POST_("/"), .type = FORM, .origin = "http://evil.test" },
	  DASH_BAD_SITE },
	{ { POST_("/"), .type = FORM, .origin = "http://127.0.0.1:1" },
	  DASH_BAD_SITE },
	{ { GET_("/"), .fetch_site = "cross-site", .fetch_mode = "navigate",
	    .fetch_dest = "document" }, DASH_FILE },
	{ { GET_("/"), .fetch_site = "cross-site", .fetch_mode = "navigate",
	    .fetch_dest = "iframe" }, DASH_BAD_SITE },
	{ { GET_("/a.js"), .fetch_site = "cross-site", .fetch_mode = "no-cors",
	    .fetch_dest = "script" }, DASH_BAD_SITE },
	/* Other methods and paths. */
	{ { .method = "PUT", .uri = "/", .host = HOST }, DASH_BAD_METHOD },
	{ { .method = "OPTIONS", .uri = "/v1/rotate", .host = HOST },
	  DASH_BAD_METHOD },
	{ { .method = "get", .uri = "/", .host = HOST }, DASH_BAD_METHOD },
	{ { GET_("") }, DASH_BAD_PATH },
	{ { GET_("*") }, DASH_BAD_PATH },
	{ { GET_("http://evil.test/") }, DASH_BAD_PATH },
	{ { GET_("//evil.test/a.js") }, DASH_BAD_PATH },
	{ { GET_("/../x") }, DASH_BAD_PATH },
	{ { GET_("/v1/%2e%2e/x") }, DASH_BAD_PATH },
	{ { GET_("/v1/stats#x") }, DASH_BAD_PATH },
	{ { GET_("/v1/a b") }, DASH_BAD_PATH },
	{ { GET_("/\\evil.test") }, DASH_BAD_PATH },
};

START_TEST(test_gate_judges)
{
	const struct judged *j = &judged[_i];

	ck_assert_msg(dash_judge(&j->ask, PORT) == j->verdict,
		      "%s %s of %s, Origin %s: %d, not %d", j->ask.method,
		      j->ask.uri, j->ask.host, j->ask.origin,
		      dash_judge(&j->ask, PORT), j->verdict);
}
END_TEST

/* ---- the session ---------------------------------------------------------- */

#define T0 1000000

static struct dash_session *session;
static char once[DASH_TOKEN_LEN + 1], token[DASH_TOKEN_LEN + 1];
static int64_t next;

static void session_set_up(void)
{
	session = dash_session_new(once, T0);
	ck_assert_ptr_nonnull(session);
}

static void session_tear_down(void)
{
	dash_session_free(session);
}

static bool good_at(int64_t now)
{
	char header[DASH_TOKEN_LEN + 16];

	snprintf(header, sizeof(header), "Bearer %s", token);
	return dash_session_good(session, header, now);
}

/* The one-time token is 256 random bits, and no other is taken for it. */
START_TEST(test_only_the_once_opens)
{
	struct dash_session *other;
	char another[DASH_TOKEN_LEN + 1], text[DASH_TOKEN_LEN + 2];
	size_t i;

	ck_assert_uint_eq(strspn(once, "0123456789abcdef"), DASH_TOKEN_LEN);
	other = dash_session_new(another, T0);
	ck_assert_str_ne(once, another);
	dash_session_free(other);
	ck_assert(!dash_session_exchange(session, another, token, T0));
	ck_assert(!dash_session_exchange(session, "", token, T0));
	for (i = 0; i < DASH_TOKEN_LEN; i++) {
		memcpy(text, once, i);
		text[i] = '\0';
		ck_assert(!dash_session_exchange(session, text, token, T0));
		strcpy(text, once);
		text[i] ^= 1;
		ck_assert(!dash_session_exchange(session, text, token, T0));
	}
	snprintf(text, sizeof(text), "%s0", once);
	ck_assert(!dash_session_exchange(session, text, token, T0));
	ck_assert_int_eq(dash_session_state(session, T0, &next), DASH_WAITING);
	ck_assert(dash_session_exchange(session, once, token, T0));
	ck_assert_int_eq(dash_session_state(session, T0, &next), DASH_OPEN);
}
END_TEST

/* The session's token is another one; the one-time token opens nothing else. */
START_TEST(test_token_differs_from_once)
{
	char header[DASH_TOKEN_LEN + 16];

	snprintf(header, sizeof(header), "Bearer %s", once);
	ck_assert(!dash_session_good(session, header, T0));
	ck_assert(dash_session_exchange(session, once, token, T0));
	ck_assert_str_ne(once, token);
	ck_assert(!dash_session_good(session, header, T0));
	ck_assert(!dash_session_good(session, NULL, T0));
	ck_assert(!dash_session_good(session, "", T0));
	ck_assert(!dash_session_good(session, token, T0));
	ck_assert(good_at(T0));
}
END_TEST

/* Nothing opens a session that has not begun, not even an empty digest. */
START_TEST(test_nothing_before_the_exchange)
{
	strcpy(token, "");
	ck_assert(!good_at(T0));
	memset(token, '0', DASH_TOKEN_LEN);
	ck_assert(!good_at(T0));
}
END_TEST

/* A second use ends the session, whoever came first. */
START_TEST(test_second_use_ends)
{
	char second[DASH_TOKEN_LEN + 1] = "";

	ck_assert(dash_session_exchange(session, once, token, T0));
	ck_assert(good_at(T0 + 1));
	ck_assert(!dash_session_exchange(session, once, second, T0 + 2));
	ck_assert_str_eq(second, "");
	ck_assert(!good_at(T0 + 3));
	ck_assert_int_eq(dash_session_state(session, T0 + 3, &next),
			 DASH_TWICE);
	ck_assert(!dash_session_exchange(session, once, second, T0 + 4));
}
END_TEST

/* Unused it is worth nothing from the second minute's end on. */
START_TEST(test_unused_expires)
{
	ck_assert_int_eq(dash_session_state(session, T0 + DASH_UNUSED_MS - 1,
					    &next), DASH_WAITING);
	ck_assert_int_eq(next, T0 + DASH_UNUSED_MS);
	ck_assert(!dash_session_exchange(session, once, token,
					 T0 + DASH_UNUSED_MS));
	ck_assert_int_eq(dash_session_state(session, T0, &next), DASH_UNUSED);
	ck_assert(!dash_session_exchange(session, once, token, T0));
}
END_TEST

START_TEST(test_used_in_the_last_moment)
{
	ck_assert(dash_session_exchange(session, once, token,
					T0 + DASH_UNUSED_MS - 1));
}
END_TEST

/* Each request gives it another quarter of an hour; silence ends it. */
START_TEST(test_idle_ends)
{
	const int64_t later = T0 + DASH_IDLE_MS - 1;

	ck_assert(dash_session_exchange(session, once, token, T0));
	ck_assert(good_at(later));
	ck_assert(good_at(later + DASH_IDLE_MS - 1));
	ck_assert(!good_at(later + 2 * (int64_t)DASH_IDLE_MS));
	ck_assert_int_eq(dash_session_state(session, T0, &next), DASH_IDLE);
}
END_TEST

/* A wrong token keeps nothing open. */
START_TEST(test_wrong_token_is_no_use)
{
	ck_assert(dash_session_exchange(session, once, token, T0));
	ck_assert(!dash_session_good(session, "Bearer x",
				     T0 + DASH_IDLE_MS - 1));
	ck_assert_int_eq(dash_session_state(session, T0 + DASH_IDLE_MS, &next),
			 DASH_IDLE);
}
END_TEST

/* An open stream is use for as long as it is open, and then a while. */
START_TEST(test_stream_keeps_open)
{
	const int64_t end = T0 + 10 * (int64_t)DASH_IDLE_MS;

	ck_assert(dash_session_exchange(session, once, token, T0));
	dash_session_enter(session);
	ck_assert_int_eq(dash_session_state(session, end, &next), DASH_OPEN);
	ck_assert_int_gt(next, end);
	dash_session_leave(session, end);
	ck_assert_int_eq(dash_session_state(session, end + DASH_IDLE_MS - 1,
					    &next), DASH_OPEN);
	ck_assert_int_eq(dash_session_state(session, end + DASH_IDLE_MS,
					    &next), DASH_IDLE);
}
END_TEST

/* ---- the file, and the other end of a connection -------------------------- */

/* Only this user can read it, and it goes with its directory. */
START_TEST(test_file_is_private)
{
	char place[] = "/tmp/check_dash.XXXXXX", text[1024] = "", why[256];
	struct dash_hand hand = { .dir = "" };
	struct stat st;
	FILE *in;

	ck_assert_ptr_nonnull(mkdtemp(place));
	setenv("XDG_RUNTIME_DIR", place, 1);
	umask(0);
	ck_assert_int_eq(dash_hand_write(&hand, "0123abcd", PORT, why,
					 sizeof(why)), 0);
	ck_assert_int_eq(strncmp(hand.file, place, strlen(place)), 0);
	ck_assert_int_eq(stat(hand.dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(stat(hand.file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	in = fopen(hand.file, "r");
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, in), 0);
	fclose(in);
	ck_assert_ptr_nonnull(strstr(text, "method=\"post\""));
	ck_assert_ptr_nonnull(strstr(text, "action=\"" OWN "/\""));
	ck_assert_ptr_nonnull(strstr(text, "value=\"0123abcd\""));
	dash_hand_remove(&hand);
	ck_assert_int_ne(stat(hand.file, &st), 0);
	ck_assert_int_eq(rmdir(place), 0);
	dash_hand_remove(&hand);
}
END_TEST

/* Without a runtime directory that can be written it is in /tmp. */
START_TEST(test_file_elsewhere)
{
	struct dash_hand hand = { .dir = "" };
	char why[256];

	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	ck_assert_int_eq(dash_hand_write(&hand, "x", PORT, why, sizeof(why)),
			 0);
	ck_assert_int_eq(strncmp(hand.dir, "/tmp/stekctl.", 13), 0);
	dash_hand_remove(&hand);
}
END_TEST

static unsigned port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	ck_assert_int_eq(getsockname(fd, (void *)&address, &len), 0);
	return ntohs(address.sin_port);
}

static int listener(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (void *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 4), 0);
	return fd;
}

static int dialled(unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return connect(fd, (void *)&address, sizeof(address)) == 0 ? fd : -1;
}

/* Our own connection is taken; one that is not there is nobody's. */
START_TEST(test_peer_of_ours)
{
	int server = listener(), client = dialled(port_of(server));

	ck_assert_int_ge(client, 0);
	ck_assert(dash_peer_good(port_of(client), port_of(server)));
	ck_assert(!dash_peer_good(port_of(client), port_of(server) ^ 1));
	ck_assert(!dash_peer_good(port_of(client) ^ 1, port_of(server)));
	close(client);
	close(server);
}
END_TEST

/* Another user's connection is not taken. */
START_TEST(test_peer_of_another)
{
	int server = listener(), there[2], go[2], status;
	unsigned port;
	pid_t child;
	char byte;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(pipe(there) | pipe(go), 0);
	child = fork();
	if (child == 0) {
		int client = setgid(65534) == 0 && setuid(65534) == 0
			? dialled(port_of(server)) : -1;

		port = client >= 0 ? port_of(client) : 0;
		close(go[1]);
		if (write(there[1], &port, sizeof(port)) != sizeof(port))
			_exit(1);
		_exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(go[0]);
	ck_assert_int_eq(read(there[0], &port, sizeof(port)), sizeof(port));
	ck_assert_uint_ne(port, 0);
	ck_assert(!dash_peer_good(port, port_of(server)));
	close(go[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	close(server);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dash");
	TCase *gate = tcase_create("gate"), *life = tcase_create("session");
	TCase *hand = tcase_create("hand");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(gate, test_gate_judges, 0,
			    sizeof(judged) / sizeof(judged[0]));
	tcase_add_checked_fixture(life, session_set_up, session_tear_down);
	tcase_add_test(life, test_only_the_once_opens);
	tcase_add_test(life, test_token_differs_from_once);
	tcase_add_test(life, test_nothing_before_the_exchange);
	tcase_add_test(life, test_second_use_ends);
	tcase_add_test(life, test_unused_expires);
	tcase_add_test(life, test_used_in_the_last_moment);
	tcase_add_test(life, test_idle_ends);
	tcase_add_test(life, test_wrong_token_is_no_use);
	tcase_add_test(life, test_stream_keeps_open);
	tcase_add_test(hand, test_file_is_private);
	tcase_add_test(hand, test_file_elsewhere);
	tcase_add_test(hand, test_peer_of_ours);
	tcase_add_test(hand, test_peer_of_another);
	suite_add_tcase(suite, gate);
	suite_add_tcase(suite, life);
	suite_add_tcase(suite, hand);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
