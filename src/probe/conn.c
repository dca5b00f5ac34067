/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe's connection, a small state machine over a non-blocking socket.
 * The answer is read to its end even though its content hardly matters: TLS 1.3
 * tickets come after the handshake (RFC 8446 s4.6.1), and a client that leaves
 * first would miss them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "conn.h"

/* PROXY protocol, version 2, command LOCAL, no addresses. */
static const uint8_t proxy_local[16] = {
	0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51,
	0x55, 0x49, 0x54, 0x0a, 0x20, 0x00, 0x00, 0x00,
};

int64_t conn_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int conn_on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct conn *conn = SSL_get_app_data(ssl);

	if (!conn || conn->n_tickets == CONN_TICKETS_MAX)
		return 0;
	conn->tickets[conn->n_tickets++] = session;
	return 1;
}

static enum conn_want finish(struct conn *conn, const char *failure)
{
	if (conn->failure[0] == '\0')
		snprintf(conn->failure, sizeof(conn->failure), "%s", failure);
	conn->stage = CONN_ENDED;
	return CONN_DONE;
}

static enum conn_want finish_errno(struct conn *conn, int error)
{
	switch (error) {
	case ECONNREFUSED:
		return finish(conn, "connect_refused");
	case ETIMEDOUT:
		return finish(conn, "timeout");
	case ENETUNREACH:
	case EHOSTUNREACH:
		return finish(conn, "connect_unreachable");
	case EMFILE:
	case ENFILE:
		return finish(conn, "too_many_open_files");
	default:
		return finish(conn, "connect_failed");
	}
}

void conn_start(struct conn *conn, SSL_CTX *ctx, enum tls_version version,
		const struct tls_options *options,
		const struct address *address, SSL_SESSION *offer,
		int64_t now_us)
{
	const struct sockaddr *addr = (const struct sockaddr *)&address->addr;
	int one = 1;

	memset(conn, 0, offsetof(struct conn, reply));
	conn->stage = CONN_CONNECTING;
	conn->version = version;
	conn->fd = -1;
	conn->offered = offer;
	conn->options = options;
	conn->address = address;
	conn->deadline_us = now_us + CONN_DEADLINE_US;
	if (address->len == 0) {
		finish(conn, "unknown_host");
		return;
	}
	conn->fd = socket(addr->sa_family,
			  SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (conn->fd < 0) {
		finish_errno(conn, errno);
		return;
	}
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	conn->ssl = tls_new(ctx, options, address);
	if (!conn->ssl || SSL_set_fd(conn->ssl, conn->fd) != 1) {
		finish(conn, "out_of_memory");
		return;
	}
	SSL_set_app_data(conn->ssl, conn);
	if (offer && SSL_set_session(conn->ssl, offer) != 1) {
		finish(conn, "session_unusable");
		return;
	}
	if (connect(conn->fd, addr, address->len) != 0 && errno != EINPROGRESS)
		finish_errno(conn, errno);
}

/* What OpenSSL waits for, or the end of the connection. */
static enum conn_want wait_or_fail(struct conn *conn, int ret)
{
	int saved = errno;

	switch (SSL_get_error(conn->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return CONN_READ;
	case SSL_ERROR_WANT_WRITE:
		return CONN_WRITE;
	default:
		tls_failure(conn->ssl, ret, saved, conn->failure);
		return finish(conn, "tls");
	}
}

static enum conn_want step_connecting(struct conn *conn)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int error = 0;

	if (getpeername(conn->fd, (struct sockaddr *)&peer, &len) != 0) {
		len = sizeof(error);
		getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		return error ? finish_errno(conn, error) : CONN_WRITE;
	}
	conn->reached = true;
	/* A fresh socket takes 16 bytes at once, or it is broken. */
	if (conn->options->send_proxy &&
	    send(conn->fd, proxy_local, sizeof(proxy_local), MSG_NOSIGNAL) !=
		    (ssize_t)sizeof(proxy_local))
		return finish(conn, "closed");
	conn->stage = CONN_HANDSHAKE;
	return CONN_READ;
}

/* Keeps the TLS 1.2 session if it brought a ticket that is new to us. */
static void keep_tls12(struct conn *conn)
{
	SSL_SESSION *session = SSL_get1_session(conn->ssl);

	if (!session)
		return;
	if (!SSL_SESSION_has_ticket(session) ||
	    (conn->resumed && conn->offered &&
	     tls_same_ticket(session, conn->offered))) {
		SSL_SESSION_free(session);
		return;
	}
	conn->tickets[conn->n_tickets++] = session;
}

static enum conn_want step_handshake(struct conn *conn)
{
	int64_t taken_us;
	int ret;

	if (conn->hello_us == 0)
		conn->hello_us = conn_now_us();
	ret = SSL_connect(conn->ssl);
	if (ret != 1)
		return wait_or_fail(conn, ret);
	taken_us = conn_now_us() - conn->hello_us;
	conn->handshake_us = taken_us > 0 ? (uint32_t)taken_us : 1;
	conn->resumed = SSL_session_reused(conn->ssl) == 1;
	if (conn->version == TLS_V12)
		keep_tls12(conn);
	conn->stage = CONN_REQUEST;
	return CONN_WRITE;
}

static enum conn_want step_request(struct conn *conn)
{
	const char *host = conn->options->sni ? conn->options->sni
					      : conn->address->host;
	bool v6 = !conn->options->sni && conn->address->literal &&
		  strchr(host, ':');
	char request[512];
	int len, ret;

	len = snprintf(request, sizeof(request),
		       "GET / HTTP/1.1\r\nHost: %s%s%s\r\n"
		       "User-Agent: stekprobe\r\nAccept: application/json\r\n"
		       "Connection: close\r\n\r\n",
		       v6 ? "[" : "", host, v6 ? "]" : "");
	ret = SSL_write(conn->ssl, request, len);
	if (ret <= 0)
		return wait_or_fail(conn, ret);
	conn->stage = CONN_REPLY;
	return CONN_READ;
}

/* The server has closed, or has had its time to close. */
static enum conn_want judge(struct conn *conn)
{
	char status[REASON_LEN];

	page_parse(&conn->page, conn->reply, conn->reply_len);
	if (conn->page.status >= 500) {
		snprintf(status, sizeof(status), "http_%d", conn->page.status);
		return finish(conn, status);
	}
	if (conn->page.known && conn->page.resumed != conn->resumed)
		return finish(conn, "page_disagrees");
	return finish(conn, "");
}

static enum conn_want step_reply(struct conn *conn, int64_t now_us)
{
	char spill[4096];

	for (;;) {
		size_t room = CONN_REPLY_MAX - conn->reply_len;
		/* SSL_read() only writes there. */
		/* cppcheck-suppress legacyUninitvar */
		char *to = room ? conn->reply + conn->reply_len : spill;
		int ret = SSL_read(conn->ssl, to,
				   room ? (int)room : (int)sizeof(spill));

		if (ret <= 0) {
			int kind = SSL_get_error(conn->ssl, ret);
			bool wait = kind == SSL_ERROR_WANT_READ ||
				    kind == SSL_ERROR_WANT_WRITE;

			if (wait || !page_started(conn->reply, conn->reply_len))
				return wait_or_fail(conn, ret);
			ERR_clear_error();
			return judge(conn);
		}
		conn->reply_total += (size_t)ret;
		if (room)
			conn->reply_len += (size_t)ret;
		if (page_complete(conn->reply, conn->reply_len,
				  conn->reply_total) &&
		    conn->deadline_us > now_us + CONN_CLOSE_US)
			conn->deadline_us = now_us + CONN_CLOSE_US;
	}
}

enum conn_want conn_step(struct conn *conn, int64_t now_us)
{
	enum conn_want want = CONN_READ;

	ERR_clear_error();
	if (conn->stage != CONN_ENDED && now_us >= conn->deadline_us) {
		if (page_complete(conn->reply, conn->reply_len,
				  conn->reply_total))
			return judge(conn);
		return finish(conn, "timeout");
	}
	if (conn->stage == CONN_CONNECTING)
		want = step_connecting(conn);
	if (conn->stage == CONN_HANDSHAKE)
		want = step_handshake(conn);
	if (conn->stage == CONN_REQUEST)
		want = step_request(conn);
	if (conn->stage == CONN_REPLY)
		want = step_reply(conn, now_us);
	return conn->stage == CONN_ENDED ? CONN_DONE : want;
}

void conn_end(struct conn *conn)
{
	if (conn->stage == CONN_IDLE)
		return;
	if (conn->ssl) {
		if (conn->handshake_us != 0 && conn->failure[0] == '\0')
			SSL_shutdown(conn->ssl);
		/* Or SSL_free() would declare the tickets unusable. */
		SSL_set_shutdown(conn->ssl, SSL_SENT_SHUTDOWN |
						    SSL_RECEIVED_SHUTDOWN);
		SSL_free(conn->ssl);
	}
	if (conn->fd >= 0)
		close(conn->fd);
	for (size_t i = 0; i < conn->n_tickets; i++)
		SSL_SESSION_free(conn->tickets[i]);
	SSL_SESSION_free(conn->offered);
	ERR_clear_error();
	conn->ssl = NULL;
	conn->offered = NULL;
	conn->fd = -1;
	conn->n_tickets = 0;
	conn->stage = CONN_IDLE;
}
