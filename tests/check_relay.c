// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_relay.c - plaintext between clients and a backend: both directions,
 * each end, back-pressure, and the PROXY header in and out.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"
#include "proxy.h"

#define MUCH (4 << 20)

static struct loopback *loopback;
static int version_of[] = { TLS1_2_VERSION, TLS1_3_VERSION };
static uint8_t bytes[MUCH], got[MUCH];

static void set_up(void)
{
	size_t i;

	loopback = loopback_new(memnode_ring_default());
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
}

static void tear_down(void)
{
	loopback_free(loopback);
}

static struct client *open_client(const char *name, int version)
{
	struct client *client = client_new(loopback_connect(loopback, 0), name,
					   version);
	int alert;

	ck_assert(client_handshake(client, false, &alert));
	return client;
}

static void send_all(int fd, const uint8_t *from, size_t len)
{
	while (len) {
		ssize_t n = send(fd, from, len, MSG_NOSIGNAL);

		ck_assert_int_gt(n, 0);
		from += n;
		len -= (size_t)n;
	}
}

static size_t recv_all(int fd, uint8_t *to, size_t len)
{
	size_t have = 0;
	ssize_t n;

	while (have < len && (n = recv(fd, to + have, len - have, 0)) > 0)
		have += (size_t)n;
	return have;
}

/* close_notify becomes FIN, FIN becomes close_notify, in that order. */
START_TEST(test_the_client_ends_first)
{
	struct client *client;
	int backend;
	bool clean;
	char answer[8];

	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	backend = loopback_accept(loopback);
	ck_assert_int_eq(SSL_write(client->ssl, "ask", 3), 3);
	ck_assert_int_ge(SSL_shutdown(client->ssl), 0);
	client_send(client);
	ck_assert_uint_eq(recv_all(backend, got, sizeof(got)), 3);
	/* The other direction lives on. */
	send_all(backend, (const uint8_t *)"answer", 6);
	close(backend);
	ck_assert_uint_eq(client_read(client, answer, 8, &clean), 6);
	ck_assert(clean);
	ck_assert(!memcmp(answer, "answer", 6));
	client_free(client);
}
END_TEST

/* The backend's end comes after its last byte, and the client may go on. */
START_TEST(test_the_backend_ends_first)
{
	struct client *client;
	int backend;
	bool clean;
	char answer[8];

	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	backend = loopback_accept(loopback);
	send_all(backend, (const uint8_t *)"hello", 5);
	ck_assert_int_eq(shutdown(backend, SHUT_WR), 0);
	ck_assert_uint_eq(client_read(client, answer, 8, &clean), 5);
	ck_assert(clean);
	ck_assert_int_eq(SSL_write(client->ssl, "more", 4), 4);
	ck_assert_int_ge(SSL_shutdown(client->ssl), 0);
	client_send(client);
	ck_assert_uint_eq(recv_all(backend, got, sizeof(got)), 4);
	close(backend);
	client_free(client);
}
END_TEST

/* A key is good for no fewer (stekd.yaml(5)). */
#define RECORDS_PER_KEY 16

/* What comes until the server's FIN; the client says nothing. */
static ssize_t read_to_fin(int fd)
{
	ssize_t n;

	do
		n = recv(fd, got, sizeof(got), 0);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n;
}

/*
 * The FIN follows the last bytes whatever these are: a KeyUpdate, when the
 * close_notify was the key's last record. One of these numbers of records
 * before it makes it so.
 */
START_TEST(test_the_fin_comes_by_itself)
{
	struct client *client;
	int backend, i, n = RECORDS_PER_KEY - 4 + _i;
	bool clean;
	char byte;

	loopback->settings.records_per_key = RECORDS_PER_KEY;
	/* Or its end would bring the FIN, before the client has waited. */
	loopback->settings.idle_timeout_ms = 600000;
	loopback_start(loopback);
	client = open_client("relay.example.com", TLS1_3_VERSION);
	backend = loopback_accept(loopback);
	for (i = 0; i < n; i++) {
		send_all(backend, bytes, 1);
		if (i == n - 1)
			ck_assert_int_eq(shutdown(backend, SHUT_WR), 0);
		ck_assert_uint_eq(client_read(client, &byte, 1, &clean), 1);
	}
	ck_assert_uint_eq(client_read(client, &byte, 1, &clean), 0);
	ck_assert(clean);
	ck_assert_int_eq(read_to_fin(client->fd), 0);
	close(backend);
	client_free(client);
}
END_TEST

/* A cut is no end: the backend is reset, it must not act on half a request. */
START_TEST(test_a_cut_connection_resets_the_backend)
{
	struct client *client;
	int backend;
	ssize_t n;

	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	backend = loopback_accept(loopback);
	ck_assert_int_eq(SSL_write(client->ssl, "half", 4), 4);
	client_send(client);
	ck_assert_uint_eq(recv_all(backend, got, 4), 4);
	client_free(client);
	n = recv(backend, got, 1, 0);
	ck_assert_int_eq(n, -1);
	ck_assert_int_eq(errno, ECONNRESET);
	close(backend);
}
END_TEST

struct slow_sender {
	int fd;
	pthread_t thread;
};

static void *send_much(void *user)
{
	struct slow_sender *sender = user;

	send_all(sender->fd, bytes, sizeof(bytes));
	shutdown(sender->fd, SHUT_WR);
	return NULL;
}

/* Megabytes down to a client that only reads when all the rest is blocked. */
START_TEST(test_much_comes_down)
{
	struct slow_sender sender;
	struct client *client;
	bool clean;

	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	sender.fd = loopback_accept(loopback);
	ck_assert_int_eq(pthread_create(&sender.thread, NULL, send_much,
					&sender), 0);
	ck_assert_uint_eq(client_read(client, got, sizeof(got), &clean),
			  sizeof(got));
	ck_assert(!memcmp(got, bytes, sizeof(got)));
	ck_assert_uint_eq(client_read(client, got, 1, &clean), 0);
	ck_assert(clean);
	pthread_join(sender.thread, NULL);
	close(sender.fd);
	client_free(client);
}
END_TEST

static void *read_much(void *user)
{
	struct slow_sender *reader = user;
	size_t n = recv_all(reader->fd, got, sizeof(got));

	return n == sizeof(got) ? user : NULL;
}

/* More than all the sockets on the way hold. */
#define MORE 8

static void *send_more(void *user)
{
	struct slow_sender *sender = user;
	unsigned i;

	for (i = 0; i < MORE; i++)
		send_all(sender->fd, bytes, sizeof(bytes));
	return NULL;
}

/* Megabytes up, through a backend's full socket. */
START_TEST(test_much_goes_up)
{
	struct slow_sender reader;
	struct client *client;
	size_t at;
	void *whole;

	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	reader.fd = loopback_accept(loopback);
	/* Nobody reads yet; then somebody does. */
	for (at = 0; at < sizeof(bytes) / 8; at += 16384)
		ck_assert_int_eq(SSL_write(client->ssl, bytes + at, 16384),
				 16384);
	client_send(client);
	ck_assert_int_eq(pthread_create(&reader.thread, NULL, read_much,
					&reader), 0);
	for (; at < sizeof(bytes); at += 16384) {
		ck_assert_int_eq(SSL_write(client->ssl, bytes + at, 16384),
				 16384);
		client_send(client);
	}
	pthread_join(reader.thread, &whole);
	ck_assert_ptr_nonnull(whole);
	ck_assert(!memcmp(got, bytes, sizeof(got)));
	close(reader.fd);
	client_free(client);
}
END_TEST

/* What the client does not read yet keeps nothing from going up. */
START_TEST(test_up_goes_on_while_down_is_blocked)
{
	struct slow_sender sender, reader;
	struct client *client;
	size_t at;
	void *whole;
	bool clean;

	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	sender.fd = reader.fd = loopback_accept(loopback);
	ck_assert_int_eq(pthread_create(&sender.thread, NULL, send_more,
					&sender), 0);
	ck_assert_int_eq(pthread_create(&reader.thread, NULL, read_much,
					&reader), 0);
	for (at = 0; at < sizeof(bytes); at += 16384) {
		ck_assert_int_eq(SSL_write(client->ssl, bytes + at, 16384),
				 16384);
		client_send(client);
	}
	pthread_join(reader.thread, &whole);
	ck_assert_ptr_nonnull(whole);
	ck_assert(!memcmp(got, bytes, sizeof(got)));
	for (at = 0; at < MORE; at++)
		ck_assert_uint_eq(client_read(client, got, sizeof(got),
					      &clean), sizeof(got));
	ck_assert(!memcmp(got, bytes, sizeof(got)));
	pthread_join(sender.thread, NULL);
	close(sender.fd);
	client_free(client);
}
END_TEST

/* Without its backend a host ends the connection politely, and counts. */
START_TEST(test_an_absent_backend_is_told_by_close_notify)
{
	struct settings_address *to = &loopback->hosts[1].backend_address;
	struct sockaddr_in *in = (struct sockaddr_in *)&to->addr;
	int nobody = socket(AF_INET, SOCK_STREAM, 0);
	struct counters counters;
	struct client *client;
	char byte;
	bool clean;

	/* A port that is taken, lest somebody else come to listen there. */
	in->sin_port = 0;
	ck_assert(!bind(nobody, (struct sockaddr *)in, to->len));
	ck_assert(!getsockname(nobody, (struct sockaddr *)in, &to->len));
	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	ck_assert_uint_eq(client_read(client, &byte, 1, &clean), 0);
	ck_assert(clean);
	node_counters(&loopback->node, &counters);
	ck_assert_uint_eq(counters.backend_errors, 1);
	client_free(client);
	close(nobody);
}
END_TEST

static void balancer_header(int fd, bool local)
{
	static const uint8_t from_client[] = "\r\n\r\n\0\r\nQUIT\n"
		"\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\x30\x39"
		"\x01\xbb";
	static const uint8_t health_check[] = "\r\n\r\n\0\r\nQUIT\n"
		"\x20\x00\x00\x00";

	if (local)
		send_all(fd, health_check, sizeof(health_check) - 1);
	else
		send_all(fd, from_client, sizeof(from_client) - 1);
}

/* The backend learns the client's address from the balancer's header. */
START_TEST(test_the_address_travels_to_the_backend)
{
	int fd, backend, alert;
	struct client *client;
	struct proxy_in header;
	const struct sockaddr_in *from = (const void *)&header.from;
	size_t len;

	loopback_start(loopback);
	fd = loopback_connect(loopback, 1);
	balancer_header(fd, _i == 1);
	client = client_new(fd, "proxy.example.com", 0);
	ck_assert(client_handshake(client, false, &alert));
	backend = loopback_accept(loopback);
	ck_assert_int_ge(SSL_shutdown(client->ssl), 0);
	client_send(client);
	len = recv_all(backend, got, sizeof(got));
	ck_assert_int_eq(proxy_parse(&header, got, len), PROXY_PASS);
	ck_assert_uint_eq(header.consumed, len);
	ck_assert_int_eq(from->sin_family, AF_INET);
	ck_assert_uint_eq(ntohl(from->sin_addr.s_addr),
			  _i ? INADDR_LOOPBACK : 0xc0000207);
	if (!_i)
		ck_assert_uint_eq(ntohs(from->sin_port), 12345);
	ck_assert_ptr_nonnull(memmem(got, len, "TLSv1.3", 7));
	ck_assert_ptr_nonnull(memmem(got, len, "proxy.example.com", 17));
	close(backend);
	client_free(client);
}
END_TEST

/* A client that speaks TLS at once is not let past a required header. */
START_TEST(test_a_missing_header_is_refused)
{
	struct client *client;
	struct counters counters;
	int alert;

	loopback_start(loopback);
	client = client_new(loopback_connect(loopback, 1), "www.example.com",
			    0);
	ck_assert(!client_handshake(client, false, &alert));
	ck_assert_int_eq(alert, 0);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.failures[FAIL_PROXY], 1);
	client_free(client);
}
END_TEST

/* A relay that is neither done nor silent is cut at the drain's bound. */
START_TEST(test_draining_is_bounded)
{
	struct client *client;
	char byte;
	bool clean;
	int backend;

	loopback->settings.drain_timeout_ms = 50;
	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	backend = loopback_accept(loopback);
	worker_drain(loopback->worker);
	ck_assert_uint_eq(client_read(client, &byte, 1, &clean), 0);
	worker_join(loopback->worker);
	close(backend);
	client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("relay");
	TCase *ends = tcase_create("ends");
	TCase *proxy = tcase_create("proxy");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(ends, set_up, tear_down);
	tcase_set_timeout(ends, 60);
	tcase_add_loop_test(ends, test_the_client_ends_first, 0, 2);
	tcase_add_loop_test(ends, test_the_backend_ends_first, 0, 2);
	tcase_add_loop_test(ends, test_the_fin_comes_by_itself, 0, 6);
	tcase_add_loop_test(ends, test_a_cut_connection_resets_the_backend, 0,
			    2);
	tcase_add_loop_test(ends, test_much_comes_down, 0, 2);
	tcase_add_loop_test(ends, test_much_goes_up, 0, 2);
	tcase_add_loop_test(ends, test_up_goes_on_while_down_is_blocked, 0, 2);
	tcase_add_loop_test(ends,
			    test_an_absent_backend_is_told_by_close_notify, 0,
			    2);
	tcase_add_loop_test(ends, test_draining_is_bounded, 0, 2);
	suite_add_tcase(suite, ends);
	tcase_add_checked_fixture(proxy, set_up, tear_down);
	tcase_set_timeout(proxy, 60);
	tcase_add_loop_test(proxy, test_the_address_travels_to_the_backend, 0,
			    2);
	tcase_add_test(proxy, test_a_missing_header_is_refused);
	suite_add_tcase(suite, proxy);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
