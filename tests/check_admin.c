// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_admin.c - the admin endpoint over real sockets: who may ask, by which
 * door, and that no secret comes out. What a browser may ask is proven in
 * check_admin_web.c, what the routes answer in check_admin_route.c, how long
 * one may take in check_admin_deadline.c.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin_doors.h"

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

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, test_unix_socket_answers);
	tcase_add_test(tcase, test_unix_socket_refuses_other_user);
	tcase_add_test(tcase, test_token_opens);
	tcase_add_test(tcase, test_token_refuses);
	tcase_add_test(tcase, test_open_listener);
	tcase_add_test(tcase, test_socket_path);
	tcase_add_test(tcase, test_answers_hold_no_secret);
}

int main(void)
{
	return run_tests("admin", add_tests);
}
