// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_admin_deadline.c - a request must be whole within a time of our own:
 * libmicrohttpd counts silence only, so one byte a second lives on (REQ-39).
 */
#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "admin_farm.h"

#define LIMIT_MS 300
#define PATIENCE_MS 30000

static struct admin_farm farm;
static struct admin *admin;

static void setup(void)
{
	admin = admin_farm_serve(&farm, LIMIT_MS);
}

static void teardown(void)
{
	admin_stop(admin);
	admin_farm_close(&farm);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int dial(unsigned port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (void *)&to, sizeof(to)), 0);
	return fd;
}

/*
 * Asks on a connection of its own, which is left open. A request that we could
 * not send within the limit, because the machine stood still, is sent again: it
 * says nothing about the endpoint.
 */
static int healthy(const char *request)
{
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int64_t until_ms = now_ms() + PATIENCE_MS, begun_ms;
	char answer[512] = "";
	ssize_t n;
	int fd;

	for (;;) {
		begun_ms = now_ms();
		fd = dial(admin_port(admin, true));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			   sizeof(patience));
		n = send(fd, request, strlen(request), MSG_NOSIGNAL);
		if (n == (ssize_t)strlen(request))
			n = recv(fd, answer, sizeof(answer) - 1, 0);
		if (n > 0)
			break;
		ck_assert_int_ge(now_ms() - begun_ms, LIMIT_MS - 50);
		ck_assert_int_lt(now_ms(), until_ms);
		close(fd);
	}
	ck_assert_ptr_nonnull(strstr(answer, " 200 OK"));
	return fd;
}

/* One whole request gets its answer. */
static void quick(void)
{
	close(healthy("GET /healthz HTTP/1.1\r\nHost: x\r\n"
		      "Connection: close\r\n\r\n"));
}

/* Sends `text` a byte at a time; true if the other side hung up early. */
static bool drip(int fd, const char *text, int64_t until_ms)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	char sink[512];

	while (now_ms() < until_ms) {
		if (*text != '\0' && send(fd, text, 1, MSG_NOSIGNAL) == 1)
			text++;
		if (poll(&poller, 1, 20) > 0 &&
		    recv(fd, sink, sizeof(sink), 0) <= 0)
			return true;
	}
	return false;
}

#define SLOW_HEADER "X-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *const slow[] = {
	"",				/* says nothing */
	"GET /healthz HTTP/1.1\r\nHost: x\r\n" SLOW_HEADER SLOW_HEADER,
	"POST /v1/rotate HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n"
		"\r\n" SLOW_HEADER SLOW_HEADER,
};

/* A request must be whole by the deadline, however busily it trickles. */
START_TEST(test_deadline_ends_slow_request)
{
	int64_t begun = now_ms();
	int fd = dial(admin_port(admin, true));

	ck_assert(drip(fd, slow[_i], begun + PATIENCE_MS));
	ck_assert_int_ge(now_ms() - begun, LIMIT_MS - 50);
	close(fd);
}
END_TEST

/* A hundred slow ones do not keep a quick one from its answer. */
START_TEST(test_deadline_serves_others)
{
	int fds[100], i;

	for (i = 0; i < 100; i++) {
		fds[i] = dial(admin_port(admin, true));
		ck_assert_int_eq(send(fds[i], "GET /", 5, MSG_NOSIGNAL), 5);
	}
	quick();
	for (i = 0; i < 100; i++) {
		ck_assert(drip(fds[i], "", now_ms() + PATIENCE_MS));
		close(fds[i]);
	}
	quick();
}
END_TEST

/* A connection that is kept open between requests ends by the limit, too. */
START_TEST(test_deadline_ends_idle)
{
	int fd = healthy("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");

	ck_assert(drip(fd, "", now_ms() + PATIENCE_MS));
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admin_deadline");
	TCase *tcase = tcase_create("admin_deadline");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, test_deadline_ends_slow_request, 0, 3);
	tcase_add_test(tcase, test_deadline_serves_others);
	tcase_add_test(tcase, test_deadline_ends_idle);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
