// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_torture_conn.c - a connection from its first byte to its last, full and
 * resumed, in both versions, with every single allocation of the server failed
 * in turn, wolfSSL's among them. It ends as it should or is dropped and counted;
 * nothing is left behind, and the next one resumes. The worker's loop is turned
 * here, between a client of OpenSSL that is not touched.
 */
#include <netinet/in.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "conn_client.h"
#include "torture.h"

#define END_S 60

static SSL_SESSION *sessions[2];
static int version;		/* 0: TLS 1.2, 1: 1.3 */
static const char *name = "www.example.com";

static struct client *enter(SSL_SESSION *session)
{
	struct sockaddr_storage from = { .ss_family = AF_INET };
	struct generation *present = generation_take(&loopback->node);
	struct client *client;
	int pair[2];

	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	client = client_new(pair[0], name, version_of[version]);
	/* Its own: OpenSSL gives one up that a connection failed with. */
	if (session) {
		session = SSL_SESSION_dup(session);
		client_offer(client, session);
		SSL_SESSION_free(session);
	}
	ck_assert(quota_take(loopback->node.quota, 100));
	torture_on();
	conn_open(loopback->worker, present, pair[1], false, &from);
	torture_off();
	generation_release(present);
	return client;
}

static void turn(void)
{
	torture_on();
	watches_turn(&loopback->worker->watches, false);
	torture_off();
}

static void move(struct client *client)
{
	char buf[16384];
	ssize_t n;

	/* What the server does not take any more is lost. */
	n = BIO_read(SSL_get_wbio(client->ssl), buf, sizeof(buf));
	if (n > 0)
		(void)send(client->fd, buf, (size_t)n, MSG_NOSIGNAL);
	turn();
	while ((n = recv(client->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		ck_assert_int_eq(BIO_write(SSL_get_rbio(client->ssl), buf,
					   (int)n), n);
	client->eof |= n == 0;
}

/* Until the client is told, one way or the other; true: by the page. */
static bool talk(struct client *client)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n"
		"Connection: close\r\n\r\n";
	char buf[4096];
	bool asked = false, told = false, over = false;

	while (!told && !over) {
		over = client->eof;
		ERR_clear_error();
		if (SSL_do_handshake(client->ssl) == 1 && !asked) {
			asked = true;
			SSL_write(client->ssl, request, sizeof(request) - 1);
		}
		told = asked && SSL_read(client->ssl, buf, sizeof(buf)) > 0 &&
			!memcmp(buf, "HTTP/1.1 200", 12);
		/* The server may be gone, and what it is told with it. */
		if (!over && !told)
			move(client);
	}
	return told;
}

static uint64_t sum(const counter *of, size_t n)
{
	uint64_t all = 0;

	while (n--)
		all += of[n];
	return all;
}

static uint64_t counted(void)
{
	const struct counters *counters = worker_counters(loopback->worker);

	return sum(counters->handshakes[0], TLS_KINDS * STEK_OUTCOMES) +
		sum(counters->failures, FAILURES);
}

/* The client is gone: all of its connection goes. */
static void leave(struct client *client)
{
	time_t until = time(NULL) + END_S;
	struct generation *present = loopback->node.present;
	const struct counters *counters = worker_counters(loopback->worker);

	close(client->fd);
	client->fd = -1;
	do {
		ck_assert_int_lt(time(NULL), until);
		turn();
	} while (loopback->worker->open || atomic_load(&present->refs) > 1);
	ck_assert_uint_eq(counters->accepted, counters->closed);
}

/* Nothing fails: the page, by a session of before when there is one. */
static void visit(bool keep)
{
	struct client *client = enter(sessions[version]);

	ck_assert(talk(client));
	ck_assert_int_eq(SSL_session_reused(client->ssl),
			 sessions[version] != NULL);
	leave(client);
	if (keep) {
		sessions[version] = client->session;
		client->session = NULL;
		ck_assert_ptr_nonnull(sessions[version]);
	}
	client_free(client);
}

static SSL_SESSION *offered;

static bool one(unsigned n)
{
	uint64_t before = counted();
	struct client *client;
	bool hit, told;

	torture_begin(n);
	client = enter(offered);
	told = talk(client);
	leave(client);
	hit = torture_end();
	client_free(client);
	ck_assert(told || hit);
	ck_assert_uint_ge(counted(), before + 1);
	visit(false);
	return hit;
}

START_TEST(test_every_allocation_of_a_connection)
{
	static const char *const what[] = { "TLS 1.2, full", "TLS 1.3, full",
		"TLS 1.2, resumed", "TLS 1.3, resumed" };

	loopback_make(loopback);
	log_setup(LOG_ERROR + 1, LOG_LOGFMT, "node-1");
	version = _i % 2;
	visit(true);
	offered = _i / 2 ? sessions[version] : NULL;
	torture(one, 20, what[_i]);
	SSL_SESSION_free(sessions[version]);
	sessions[version] = NULL;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("torture_conn");
	TCase *tcase = tcase_create("conn");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, test_every_allocation_of_a_connection, 0,
			    4);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
