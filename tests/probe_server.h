/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe_server.h - small TLS servers for check_probe_run.c: each a thread that
 * serves one connection after the other, in the manner that the test asks for.
 */
#ifndef PROBE_SERVER_H
#define PROBE_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <check.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "probe/address.h"

enum manner {
	GOOD,
	LIES,		/* its page says the opposite of the truth */
	HANGS_UP,	/* closes after accept */
	MUTE,		/* handshakes, then closes without an answer */
	BROKEN,		/* answers 503 */
	TLS12_ONLY,
	NO_TICKETS,
	LATE,		/* good, and its clock says 2020 */
	STOPS_PROBE,	/* good, but the third request is our SIGINT */
	SLOW,		/* good, but each answer takes SLOW_MS */
	ONE_TICKET,	/* only its first connection gets tickets */
};

#define SLOW_MS 50

struct server {
	const char *name;
	enum manner manner;
	int fd;
	SSL_CTX *ctx;
	pthread_t thread;
	atomic_bool ending;
	unsigned served;
	struct address address;
};

static EVP_PKEY *key;
static X509 *certificate;
static uint8_t ticket_keys[2][80];
static struct server servers[5];
static size_t n_servers;

static void make_certificate(void)
{
	X509_NAME *name = X509_NAME_new();
	X509_EXTENSION *san;

	key = EVP_EC_gen("P-256");
	certificate = X509_new();
	ck_assert(key && certificate && name);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const unsigned char *)"test", -1, -1, 0);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_subject_name(certificate, name);
	X509_set_issuer_name(certificate, name);
	X509_set_pubkey(certificate, key);
	san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
				  "IP:127.0.0.1,DNS:www.example.test");
	ck_assert(san && X509_add_ext(certificate, san, -1) == 1);
	ck_assert_int_gt(X509_sign(certificate, key, EVP_sha256()), 0);
	X509_EXTENSION_free(san);
	X509_NAME_free(name);
}

static void answer(struct server *server, SSL *ssl)
{
	bool resumed = SSL_session_reused(ssl) == 1;
	char text[512], request[2048];

	if (SSL_read(ssl, request, sizeof(request)) <= 0 ||
	    server->manner == MUTE)
		return;
	if (server->manner == STOPS_PROBE && ++server->served == 3)
		raise(SIGINT);
	if (server->manner == SLOW)
		poll(NULL, 0, SLOW_MS);
	if (server->manner == LIES)
		resumed = !resumed;
	snprintf(text, sizeof(text),
		 "HTTP/1.1 %d X\r\nConnection: close\r\n%s\r\n"
		 "{\"node\":\"%s\",\"resumed\":%s,\"ticket\":%s}",
		 server->manner == BROKEN ? 503 : 200,
		 server->manner == LATE ?
		 "Date: Wed, 01 Jan 2020 12:00:00 GMT\r\n" : "", server->name,
		 resumed ? "true" : "false",
		 resumed ? "{\"issuer_id\":\"00000000\"}" : "null");
	SSL_write(ssl, text, (int)strlen(text));
	SSL_shutdown(ssl);
}

static void *serve(void *arg)
{
	struct server *server = arg;

	for (;;) {
		int fd = accept(server->fd, NULL, NULL);
		SSL *ssl;

		if (atomic_load(&server->ending)) {
			close(fd);
			return NULL;
		}
		if (fd < 0)
			continue;
		ssl = SSL_new(server->ctx);
		SSL_set_fd(ssl, fd);
		if (server->manner == ONE_TICKET && server->served++ > 0)
			SSL_set_num_tickets(ssl, 0);
		if (server->manner != HANGS_UP && SSL_accept(ssl) == 1)
			answer(server, ssl);
		SSL_free(ssl);
		close(fd);
	}
}

/* A socket that has a port of the loopback. */
static int bind_somewhere(struct address *address)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(addr);
	char text[32];

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
	getsockname(fd, (struct sockaddr *)&addr, &len);
	snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(addr.sin_port));
	ck_assert_int_eq(address_parse(address, text), 0);
	address_resolve(address);
	return fd;
}

static int listen_somewhere(struct address *address)
{
	int fd = bind_somewhere(address);

	ck_assert_int_eq(listen(fd, 128), 0);
	return fd;
}

static struct server *start(const char *name, unsigned keys, enum manner manner)
{
	struct server *server = &servers[n_servers++];

	*server = (struct server){.name = name, .manner = manner};
	server->fd = listen_somewhere(&server->address);
	server->ctx = SSL_CTX_new(TLS_server_method());
	ck_assert(SSL_CTX_use_certificate(server->ctx, certificate) == 1 &&
		  SSL_CTX_use_PrivateKey(server->ctx, key) == 1);
	SSL_CTX_set_session_cache_mode(server->ctx, SSL_SESS_CACHE_OFF);
	ck_assert(SSL_CTX_set_tlsext_ticket_keys(server->ctx, ticket_keys[keys],
						 sizeof(ticket_keys[keys])));
	if (manner == TLS12_ONLY)
		SSL_CTX_set_max_proto_version(server->ctx, TLS1_2_VERSION);
	if (manner == NO_TICKETS) {
		SSL_CTX_set_options(server->ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(server->ctx, 0);
	}
	ck_assert_int_eq(pthread_create(&server->thread, NULL, serve, server),
			 0);
	return server;
}

/* An accept() that waits is woken by a last connection. */
static void end_server(struct server *server)
{
	const struct address *address = &server->address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	atomic_store(&server->ending, true);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address->addr,
				 address->len), 0);
	pthread_join(server->thread, NULL);
	close(fd);
	close(server->fd);
	SSL_CTX_free(server->ctx);
}

static void set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	memset(ticket_keys[0], 'a', sizeof(ticket_keys[0]));
	memset(ticket_keys[1], 'b', sizeof(ticket_keys[1]));
	n_servers = 0;
	make_certificate();
}

static void tear_down(void)
{
	while (n_servers > 0)
		end_server(&servers[--n_servers]);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

/* An address where nobody listens, nor will: it stays taken. */
static struct address dead_address(void)
{
	struct address address;

	(void)bind_somewhere(&address);
	return address;
}

#endif
