// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_conn_proxy.c - whose PROXY headers a listener believes, what a backend
 * is told of a connection, and which backend gets it: over whole connections.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn_client.h"
#include "proxy.h"

#define LINE "PROXY TCP4 192.0.2.7 192.0.2.1 12345 443\r\n"

static uint8_t got[4096];

static void send_line(int fd)
{
	ck_assert_int_eq(send(fd, LINE, sizeof(LINE) - 1, 0),
			 (ssize_t)sizeof(LINE) - 1);
}

static size_t recv_all(int fd)
{
	size_t have = 0;
	ssize_t n;

	while (have < sizeof(got) &&
	       (n = recv(fd, got + have, sizeof(got) - have, 0)) > 0)
		have += (size_t)n;
	return have;
}

/* What the backend read of a connection whose client said nothing. */
static size_t header_of(struct client *client)
{
	int backend = loopback_accept(loopback);
	size_t len;

	ck_assert_int_ge(SSL_shutdown(client->ssl), 0);
	client_send(client);
	len = recv_all(backend);
	close(backend);
	return len;
}

/* The value of a TLV, of a sub-TLV of PP2_TYPE_SSL too; NULL: not there. */
static const uint8_t *tlv(size_t len, uint8_t type, size_t *value_len)
{
	size_t at = 28;

	while (at + 3 <= len) {
		size_t body = (size_t)got[at + 1] << 8 | got[at + 2];

		*value_len = body;
		if (got[at] == type)
			return got + at + 3;
		/* Inside that one go on behind client and verify. */
		at += got[at] == 0x20 ? 3 + 5 : 3 + body;
	}
	return NULL;
}

static bool tlv_says(size_t len, uint8_t type, const char *text)
{
	size_t value_len = 0;
	const uint8_t *value = tlv(len, type, &value_len);

	return value && value_len == strlen(text) &&
		!memcmp(value, text, value_len);
}

/* A line of version 1 is as good as a binary header. */
START_TEST(test_a_line_travels_on)
{
	const struct sockaddr_in *from;
	struct proxy_in header;
	struct client *client;
	size_t len;
	int fd;

	loopback_start(loopback);
	fd = loopback_connect(loopback, 1);
	send_line(fd);
	client = client_new(fd, "proxy.example.com", version_of[_i]);
	shake(client);
	len = header_of(client);
	ck_assert_int_eq(proxy_parse(&header, got, len), PROXY_PASS);
	from = (const void *)&header.from;
	ck_assert_uint_eq(ntohl(from->sin_addr.s_addr), 0xc0000207);
	ck_assert_uint_eq(ntohs(from->sin_port), 12345);
	client_free(client);
}
END_TEST

/* Who is not configured is served as himself, and may not name another. */
START_TEST(test_strangers_are_not_believed)
{
	struct client *client;
	int fd;

	ck_assert_int_eq(subnet_parse(&loopback->from, "192.0.2.0/24"), 0);
	loopback_start(loopback);
	client = client_new(loopback_connect(loopback, 1), "www.example.com",
			    version_of[_i]);
	shake(client);
	ck_assert(says(client_ask(client), "\"node\":\"node-1\""));
	client_free(client);
	fd = loopback_connect(loopback, 1);
	send_line(fd);
	/* No answer: whoever sends this speaks no TLS. */
	ck_assert_int_eq(until_end(fd), 0);
	close(fd);
	ck_assert_uint_eq(loopback_counters(loopback).failures[FAIL_NOT_TLS],
			  1);
	ck_assert_uint_eq(loopback_counters(loopback).failures[FAIL_PROXY], 0);
}
END_TEST

static const char *const versions[] = { "TLSv1.2", "TLSv1.3" };

/* Every TLV of a first connection, then of one that resumes it. */
START_TEST(test_what_a_backend_is_told)
{
	struct client *client;
	SSL_SESSION *session;
	size_t len, n = 0;
	int connection;

	loopback_start(loopback);
	session = NULL;
	for (connection = 0; connection < 2; connection++) {
		client = client_new(loopback_connect(loopback, 0),
				    "proxy.example.com", version_of[_i]);
		ck_assert(SSL_set1_groups_list(client->ssl, "P-256"));
		if (session)
			client_offer(client, session);
		shake(client);
		len = header_of(client);
		/* TLS 1.3: the tickets come now. */
		(void)client_read(client, got + 2048, 1, &(bool){ false });
		ck_assert(tlv_says(len, 0x02, "proxy.example.com"));
		ck_assert(tlv_says(len, 0x21, versions[_i]));
		ck_assert(tlv_says(len, 0x23, SSL_CIPHER_standard_name(
				SSL_get_current_cipher(client->ssl))));
		ck_assert(tlv_says(len, 0x24, "ecdsa-with-SHA256"));
		ck_assert(tlv_says(len, 0x25, "EC256"));
		/* A resumption of TLS 1.2 exchanges no keys. */
		ck_assert(tlv_says(len, 0x26, "secp256r1") ==
			  (_i == 1 || !connection));
		ck_assert_uint_eq(*tlv(len, 0xe0, &n), connection);
		ck_assert_mem_eq(tlv(len, 0xe1, &n), "\0\0\0", 3);
		ck_assert_ptr_null(tlv(len, 0xe2, &n));
		ck_assert_ptr_null(tlv(len, 0x01, &n));
		ck_assert_mem_eq(tlv(len, 0x20, &n), "\x01\0\0\0\x01", 5);
		SSL_SESSION_free(session);
		session = client->session;
		client->session = NULL;
		client_free(client);
	}
	SSL_SESSION_free(session);
}
END_TEST

/*
 * ALPN chooses the backend, by the server's preference (RFC 7301 s3.2); what
 * has none of its own gets the usual one.
 */
START_TEST(test_alpn_chooses_the_backend)
{
	static char *both[] = { "h2", "http/1.1" };
	struct settings_backend h2 = { .alpn = "h2" };
	struct client *client;
	size_t len;

	h2.address = loopback->hosts[1].backend_address;
	loopback->hosts[0].alpn = both;
	loopback->hosts[0].n_alpn = 2;
	loopback->hosts[0].by_alpn = &h2;
	loopback->hosts[0].n_by_alpn = 1;
	loopback->hosts[0].send_proxy = PROXY_FORM_TLS;
	loopback_start(loopback);
	client = open_client("www.example.com", version_of[_i]);
	SSL_set_alpn_protos(client->ssl, (const void *)"\x08http/1.1\x02h2",
			    12);
	shake(client);
	len = header_of(client);
	ck_assert(tlv_says(len, 0x01, "h2"));
	client_free(client);
	client = open_client("www.example.com", version_of[_i]);
	SSL_set_alpn_protos(client->ssl, (const void *)"\x08http/1.1", 9);
	shake(client);
	ck_assert(says(client_ask(client), "\"node\":\"node-1\""));
	client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn_proxy");
	TCase *tcase = tcase_create("conn_proxy");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_a_line_travels_on, 0, 2);
	tcase_add_loop_test(tcase, test_strangers_are_not_believed, 0, 2);
	tcase_add_loop_test(tcase, test_what_a_backend_is_told, 0, 2);
	tcase_add_loop_test(tcase, test_alpn_chooses_the_backend, 0, 2);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
