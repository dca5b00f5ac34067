// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * offer.c - what offer.h declares. The binder of TLS 1.3 is computed here from
 * the session's secret (RFC 8446 s4.2.11.2, s7.1), so that OpenSSL's own order
 * of extensions binds nobody.
 */
#include "offer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "hello.h"
#include "memhs.h"
#include "offer_hello.h"

static void must(bool fact, const char *what)
{
	if (fact)
		return;
	fprintf(stderr, "offer: %s\n", what);
	exit(1);
}

static int dial(int port)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	must(fd >= 0 && !connect(fd, (const void *)&to, sizeof(to)),
	     "nobody listens");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static bool receive(int fd, uint8_t *out, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, out, len, 0);

		if (n <= 0)
			return false;
		out += n;
		len -= (size_t)n;
	}
	return true;
}

/* One record; its type, or 0 at the end. */
static uint8_t next_record(int fd, uint8_t *body, size_t *len)
{
	uint8_t head[5];

	if (!receive(fd, head, sizeof(head)))
		return 0;
	*len = (size_t)head[3] << 8 | head[4];
	return receive(fd, body, *len) ? head[0] : 0;
}

/* In TLS 1.3 the ServerHello alone tells; -1: it does not say. */
static int selected_psk(const uint8_t *hello, size_t len)
{
	size_t at = 4 + 2 + 32, end;

	if (len < at + 1)
		return -1;
	at += 1 + hello[at] + 3;
	if (at + 2 > len)
		return -1;
	end = at + 2 + ((size_t)hello[at] << 8 | hello[at + 1]);
	for (at += 2; at + 4 <= end && end <= len;
	     at += 4 + ((size_t)hello[at + 2] << 8 | hello[at + 3]))
		if (hello[at] == 0 && hello[at + 1] == 41)
			return hello[at + 4] << 8 | hello[at + 5];
	return -1;
}

/* Behind TLS 1.2's ServerHello: a certificate, or what ends a resumption. */
static enum offer_answer after_hello(int fd, uint8_t *body, size_t len)
{
	size_t at = 4 + ((size_t)body[1] << 16 | (size_t)body[2] << 8 |
			 body[3]);
	uint8_t type = 22;

	if (at >= len) {
		type = next_record(fd, body, &len);
		at = 0;
	}
	if (type == 20 || (type == 22 && body[at] == 4))
		return OFFER_RESUMED;
	return type == 22 && body[at] == 11 ? OFFER_FULL : OFFER_REFUSED;
}

static enum offer_answer judge(int fd, bool tls13, unsigned *selected)
{
	static uint8_t body[65536];
	size_t len = 0;
	uint8_t type = next_record(fd, body, &len);
	int psk;

	if (type != 22 || len < 4 || body[0] != 2)
		return OFFER_REFUSED;
	if (!tls13)
		return after_hello(fd, body, len);
	psk = selected_psk(body, len);
	*selected = psk > 0 ? (unsigned)psk : 0;
	return psk < 0 ? OFFER_FULL : OFFER_RESUMED;
}

enum offer_answer offer(const struct offer *what, unsigned *selected)
{
	static struct hello hello;
	static uint8_t wire[HELLO_CAP + 1024];
	unsigned ignored;
	bool tls13 = offer_build(&hello, what);
	size_t len = hello_frame(hello.bytes, hello.len, 16384, wire);
	enum offer_answer answer;
	int fd = dial(what->port);

	must(send(fd, wire, len, MSG_NOSIGNAL) == (ssize_t)len, "cannot send");
	answer = judge(fd, tls13, selected ? selected : &ignored);
	close(fd);
	return answer;
}

SSL_CTX *offer_context(const char *ca, const char *cert, const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	must(ctx && SSL_CTX_load_verify_locations(ctx, ca, NULL) == 1, ca);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
				       SSL_SESS_CACHE_NO_INTERNAL);
	/* The suites of which offer_hello.c knows the hash. */
	SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256");
	if (cert)
		must(SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM)
		     == 1 && SSL_CTX_use_PrivateKey_file(ctx, key,
							 SSL_FILETYPE_PEM) == 1,
		     cert);
	return ctx;
}

/* What the callbacks of one connection share. */
struct run {
	const struct offer_client *client;
	struct offer_trace *trace;
	SSL_SESSION *newest;
};

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct run *run = SSL_get_app_data(ssl);

	SSL_SESSION_free(run->newest);
	run->newest = session;
	return 1;
}

static int on_second(SSL *ssl, const EVP_MD *md, const unsigned char **id,
		     size_t *id_len, SSL_SESSION **session)
{
	struct run *run = SSL_get_app_data(ssl);
	SSL_SESSION *second = run->client->second;

	(void)md;
	*session = NULL;
	if (!second)
		return 1;
	SSL_SESSION_get0_ticket(second, id, id_len);
	SSL_SESSION_up_ref(second);
	*session = second;
	return 1;
}

static void on_message(int sent, int version, int type, const void *bytes,
		       size_t len, SSL *ssl, void *arg)
{
	struct run *run = arg;
	const uint8_t *hello = bytes;

	(void)version;
	(void)ssl;
	if (!run->trace || type != SSL3_RT_HANDSHAKE || len < 39)
		return;
	/* The server's id is what could be looked up in its cache. */
	if ((sent && hello[0] == 1) || (!sent && hello[0] == 2)) {
		run->trace->id_len = hello[38];
		memcpy(run->trace->id, hello + 39, hello[38]);
	}
}

static long on_bio(BIO *bio, int op, const char *bytes, size_t len, int argi,
		   long argl, int ret, size_t *done)
{
	struct offer_trace *trace = (void *)BIO_get_callback_arg(bio);

	(void)len;
	(void)argi;
	(void)argl;
	if (op == (BIO_CB_WRITE | BIO_CB_RETURN) && ret > 0 &&
	    *done <= sizeof(trace->bytes) - trace->len) {
		memcpy(trace->bytes + trace->len, bytes, *done);
		trace->len += *done;
	}
	return ret;
}

/* A copy: OpenSSL gives up a session as soon as a newer ticket comes. */
static void set_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION *copy = SSL_SESSION_dup(session);

	must(copy && SSL_set_session(ssl, copy) == 1, "session");
	SSL_SESSION_free(copy);
}

static SSL *open_ssl(struct run *run, int fd)
{
	const struct offer_client *client = run->client;
	SSL *ssl = SSL_new(client->ctx);

	must(ssl != NULL, "no memory");
	SSL_set_app_data(ssl, run);
	SSL_set_min_proto_version(ssl, client->version);
	SSL_set_max_proto_version(ssl, client->version);
	SSL_CTX_sess_set_new_cb(client->ctx, on_session);
	if (client->second)
		SSL_set_psk_use_session_callback(ssl, on_second);
	if (client->session)
		set_session(ssl, client->session);
	SSL_set_tlsext_host_name(ssl, client->name);
	SSL_set_alpn_protos(ssl, (const uint8_t *)"\010http/1.1", 9);
	SSL_set_msg_callback(ssl, on_message);
	SSL_set_msg_callback_arg(ssl, run);
	SSL_set_fd(ssl, fd);
	if (run->trace) {
		run->trace->len = 0;
		BIO_set_callback_ex(SSL_get_wbio(ssl), on_bio);
		BIO_set_callback_arg(SSL_get_wbio(ssl), (char *)run->trace);
	}
	return ssl;
}

const char *offer_page(const struct offer_client *client, SSL_SESSION **ticket,
		       struct offer_trace *trace)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n"
		"Accept: application/json\r\nConnection: close\r\n\r\n";
	static char answer[8192];
	struct run run = { client, trace, NULL };
	int fd = dial(client->port), n;
	SSL *ssl = open_ssl(&run, fd);
	size_t len = 0;

	if (SSL_connect(ssl) == 1 &&
	    SSL_write(ssl, request, sizeof(request) - 1) > 0)
		while (len < sizeof(answer) - 1 &&
		       (n = SSL_read(ssl, answer + len,
				     (int)(sizeof(answer) - 1 - len))) > 0)
			len += (size_t)n;
	answer[len] = '\0';
	if (ticket)
		*ticket = run.newest;
	else
		SSL_SESSION_free(run.newest);
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
	close(fd);
	return len ? strstr(answer, "\r\n\r\n") : NULL;
}

size_t offer_replay(int port, const struct offer_trace *trace)
{
	static uint8_t body[65536];
	size_t len, data = 0;
	bool finished = false;
	uint8_t type;
	int fd = dial(port);

	must(send(fd, trace->bytes, trace->len, MSG_NOSIGNAL) > 0, "replay");
	shutdown(fd, SHUT_WR);
	/*
	 * In TLS 1.3 the server's flight is of this type too, but for a client
	 * that has proved nothing it ends there.
	 */
	while ((type = next_record(fd, body, &len)) != 0) {
		finished |= type == 20;
		data += type == 23 && !finished;
	}
	close(fd);
	return data;
}
