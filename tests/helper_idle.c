/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_idle.c - clients that take a node's room and no more: IDLE connections
 * that say nothing after their handshake, and SLOW ones that send a byte a
 * second, half of them of a ClientHello, half of a request within TLS, and that
 * come again when they are closed. Called by tests/node_5_slow.sh.
 *
 *	helper_idle PORT SNI IDLE SLOW
 *
 * Says "ready" when all are there, and goes on until its input ends. Then it
 * prints "held H of IDLE, B bytes trickled, R came again". Exit 0: all held.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define FULL_ONE_IN 10	/* of the idle ones; the others resume */
#define HELLO_MAX 2048

static const int version_of[2] = { TLS1_2_VERSION, TLS1_3_VERSION };
static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

struct slow {
	int fd;
	SSL *ssl;		/* NULL: it never gets that far */
	size_t sent;
};

static struct sockaddr_in node;
static const char *name;
static SSL_CTX *ctx[2];
static SSL_SESSION *session[2];
static uint8_t hello[HELLO_MAX];
static size_t hello_len;
static unsigned long trickled, again;

static void give_up(const char *what)
{
	fprintf(stderr, "helper_idle: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int keep_session(SSL *ssl, SSL_SESSION *fresh)
{
	int kind = SSL_version(ssl) == TLS1_3_VERSION;

	SSL_SESSION_free(session[kind]);
	session[kind] = fresh;
	return 1;
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&node, sizeof(node)) < 0)
		give_up("connect");
	return fd;
}

/* NULL when the server did not go along. */
static SSL *shake(int fd, int kind, bool resume)
{
	SSL *ssl = SSL_new(ctx[kind]);

	SSL_set_tlsext_host_name(ssl, name);
	SSL_set_fd(ssl, fd);
	if (resume && session[kind])
		SSL_set_session(ssl, session[kind]);
	if (SSL_connect(ssl) == 1)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

static void make_context(int kind)
{
	ctx[kind] = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(ctx[kind], version_of[kind]);
	SSL_CTX_set_max_proto_version(ctx[kind], version_of[kind]);
	SSL_CTX_set_session_cache_mode(ctx[kind], SSL_SESS_CACHE_CLIENT |
				       SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx[kind], keep_session);
}

/* One request, so that a ticket of TLS 1.3 is read too. */
static void get_ticket(int kind)
{
	static const char ask[] = "GET / HTTP/1.1\r\nHost: a\r\n"
		"Connection: close\r\n\r\n";
	int fd = open_socket();
	SSL *ssl = shake(fd, kind, false);
	char answer[4096];

	if (!ssl || SSL_write(ssl, ask, sizeof(ask) - 1) <= 0)
		give_up("the first handshake");
	while (SSL_read(ssl, answer, sizeof(answer)) > 0)
		;
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
	close(fd);
	if (!session[kind])
		give_up("no ticket came");
}

/* The client's memory goes; to the server nothing has happened. */
static int open_idle(size_t i)
{
	int fd = open_socket();
	SSL *ssl = shake(fd, i % 2, i % FULL_ONE_IN != 0);

	if (!ssl)
		give_up("an idle connection's handshake");
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
	return fd;
}

static void make_hello(void)
{
	SSL *ssl = SSL_new(ctx[1]);

	SSL_set_tlsext_host_name(ssl, name);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	(void)SSL_connect(ssl);
	hello_len = (size_t)BIO_read(SSL_get_wbio(ssl), hello, sizeof(hello));
	SSL_free(ssl);
}

static void open_slow(struct slow *slow, size_t i)
{
	slow->fd = open_socket();
	slow->sent = 0;
	slow->ssl = i % 2 ? shake(slow->fd, i / 2 % 2, true) : NULL;
	if (i % 2 && !slow->ssl)
		give_up("a slow connection's handshake");
}

static void close_slow(struct slow *slow)
{
	if (slow->ssl)
		SSL_set_shutdown(slow->ssl, SSL_SENT_SHUTDOWN |
				 SSL_RECEIVED_SHUTDOWN);
	SSL_free(slow->ssl);
	close(slow->fd);
}

/* False once the server has closed it. */
static bool is_open(int fd)
{
	char bytes[4096];
	ssize_t n;

	do {
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	} while (n > 0);
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void trickle(struct slow *slow, size_t i)
{
	bool sent = is_open(slow->fd);

	if (sent && slow->ssl)
		sent = SSL_write(slow->ssl,
				 request + slow->sent % (sizeof(request) - 1),
				 1) == 1;
	else if (sent)
		sent = slow->sent < hello_len - 1 &&
			send(slow->fd, hello + slow->sent, 1,
			     MSG_NOSIGNAL) == 1;
	if (sent) {
		slow->sent++;
		trickled++;
		return;
	}
	close_slow(slow);
	open_slow(slow, i);
	again++;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Until the input ends: each slow one has its turn once a second. */
static void go_on(struct slow *slow, size_t n)
{
	struct pollfd input = { .events = POLLIN };
	int64_t began = now_ms();
	uint64_t turns = 0, due;

	while (poll(&input, 1, 1) == 0) {
		due = (uint64_t)(now_ms() - began) * n / 1000;
		for (; turns < due; turns++)
			trickle(&slow[turns % n], turns % n);
	}
}

int main(int argc, char **argv)
{
	size_t idle, n_slow, held = 0, i;
	struct slow *slow;
	int *fds;

	if (argc != 5) {
		fprintf(stderr, "usage: helper_idle PORT SNI IDLE SLOW\n");
		return 2;
	}
	node.sin_family = AF_INET;
	node.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	node.sin_port = htons((uint16_t)atoi(argv[1]));
	name = argv[2];
	idle = (size_t)atol(argv[3]);
	n_slow = (size_t)atol(argv[4]);
	fds = calloc(idle, sizeof(*fds));
	slow = calloc(n_slow, sizeof(*slow));
	if (!fds || !slow)
		give_up("memory");
	for (i = 0; i < 2; i++) {
		make_context((int)i);
		get_ticket((int)i);
	}
	make_hello();
	for (i = 0; i < idle; i++)
		fds[i] = open_idle(i);
	for (i = 0; i < n_slow; i++)
		open_slow(&slow[i], i);
	printf("ready\n");
	fflush(stdout);
	go_on(slow, n_slow);
	for (i = 0; i < idle; i++)
		held += is_open(fds[i]);
	printf("held %zu of %zu, %lu bytes trickled, %lu came again\n", held,
	       idle, trickled, again);
	return held == idle ? 0 : 1;
}
