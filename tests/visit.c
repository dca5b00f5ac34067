// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * visit.c - what visit.h declares, with OpenSSL. Each connection is read to its
 * end: then the server has counted it, and the client has seen all of it.
 */
#include "visit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tally.h"

enum { RECORD_HEADER = 5, RECORD_ALERT = 21, MESSAGE_TICKET = 4 };

int visit_ports[VISIT_NODES + 1];

/* What the callback of a connection has seen besides what it tallied. */
struct seen {
	unsigned node;
	int alert;		/* the server's last fatal one; -1: none */
	bool ticketed;
	SSL_SESSION *ticket;
};

int visit_dial(unsigned node)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)visit_ports[node]),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (const void *)&to, sizeof(to)))
		tally_die("node %u does not listen", node);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	tally(node, 1, "stekd_connections_accepted_total");
	return fd;
}

int visit_say(unsigned node, const void *bytes, size_t len, bool last)
{
	int fd = visit_dial(node);

	if (len && send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		tally_die("node %u does not read", node);
	if (last)
		shutdown(fd, SHUT_WR);
	return fd;
}

size_t visit_hear(unsigned node, int fd)
{
	static uint8_t heard[65536];
	size_t len = 0, at = 0, rest = 0;
	ssize_t n;

	while ((n = recv(fd, heard + len, sizeof(heard) - len, 0)) > 0)
		len += (size_t)n;
	if (n < 0)
		tally_die("node %u does not end: %s", node, strerror(errno));
	while (at + RECORD_HEADER + 2 <= len && heard[at] == RECORD_ALERT) {
		tally_alert(node, "sent", heard[at + RECORD_HEADER + 1]);
		at += RECORD_HEADER + 2;
	}
	rest = len - at;
	close(fd);
	return rest;
}

void visit_count_ticket(unsigned node, bool tls13, const uint8_t *ticket)
{
	tally(node, 1, "stekd_tickets_issued_total{version=\"%s\"}",
	      tls13 ? "TLSv1.3" : "TLSv1.2");
	tally(node, 1, "stekd_key_tickets_issued_total{key=\"%02x%02x%02x%02x"
	      "\"}", ticket[0], ticket[1], ticket[2], ticket[3]);
}

/* RFC 5077 s3.3, RFC 8446 s4.6.1, with the message's header. */
static void see_ticket(unsigned node, bool tls13, const uint8_t *message,
		       size_t len)
{
	size_t at = 4 + 4;

	if (tls13 && len > at + 4)
		at += 4 + 1u + message[at + 4];
	if (len < at + 2)
		tally_die("a ticket is cut off");
	if (len >= at + 2 + 16)
		visit_count_ticket(node, tls13, message + at + 2);
}

static void on_message(int sent, int version, int type, const void *bytes,
		       size_t len, SSL *ssl, void *arg)
{
	struct seen *seen = arg;
	const uint8_t *message = bytes;

	(void)version;
	if (type == SSL3_RT_HANDSHAKE && !sent && len > 4 &&
	    message[0] == MESSAGE_TICKET) {
		see_ticket(seen->node, SSL_version(ssl) == TLS1_3_VERSION,
			   message, len);
		seen->ticketed = true;
	}
	if (type != SSL3_RT_ALERT || len != 2)
		return;
	tally_alert(seen->node, sent ? "received" : "sent", message[1]);
	if (!sent && message[0] == SSL3_AL_FATAL)
		seen->alert = message[1];
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct seen *seen = SSL_get_app_data(ssl);

	SSL_SESSION_free(seen->ticket);
	seen->ticket = session;
	return 1;
}

static SSL *open_ssl(const struct visit *visit, struct seen *seen)
{
	SSL *ssl = SSL_new(visit->ctx);
	SSL_SESSION *copy;

	SSL_set_app_data(ssl, seen);
	SSL_CTX_set_session_cache_mode(visit->ctx, SSL_SESS_CACHE_CLIENT |
				       SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(visit->ctx, on_session);
	SSL_set_min_proto_version(ssl, visit->version);
	SSL_set_max_proto_version(ssl, visit->version);
	SSL_set_tlsext_host_name(ssl, visit->name);
	SSL_set_alpn_protos(ssl, (const uint8_t *)"\010http/1.1", 9);
	SSL_set_msg_callback(ssl, on_message);
	SSL_set_msg_callback_arg(ssl, seen);
	if (visit->session) {
		/* OpenSSL gives one up as soon as a newer ticket comes. */
		copy = SSL_SESSION_dup(visit->session);
		if (!copy || SSL_set_session(ssl, copy) != 1)
			tally_die("not a session");
		SSL_SESSION_free(copy);
	}
	if (visit->prepare)
		visit->prepare(ssl);
	return ssl;
}

/* To the server's close_notify: what it said before it. */
static void read_end(const struct visit *visit, SSL *ssl)
{
	char text[8192];
	int n;

	while ((n = SSL_read(ssl, text, sizeof(text))) > 0)
		tally(visit->node, (uint64_t)n, "stekd_sent_bytes_total");
	if (SSL_get_error(ssl, n) != SSL_ERROR_ZERO_RETURN)
		tally_die("%s: no close_notify", visit->outcome);
}

static void talk(const struct visit *visit, SSL *ssl)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n"
		"Connection: close\r\n\r\n";
	int len = sizeof(request) - 1;

	if (visit->goodbye) {
		if (SSL_shutdown(ssl) < 0)
			tally_die("no goodbye");
	} else {
		if (SSL_write(ssl, request, len) != len)
			tally_die("cannot ask");
		tally(visit->node, (uint64_t)len, "stekd_received_bytes_total");
	}
	read_end(visit, ssl);
}

void visit_count_handshake(unsigned node, bool tls13, const char *outcome,
			   unsigned issuer)
{
	bool resumed = !strncmp(outcome, "resumed", 7);

	tally(node, 1, "stekd_handshakes_total{version=\"%s\",outcome=\"%s\"}",
	      tls13 ? "TLSv1.3" : "TLSv1.2", outcome);
	tally(node, 1, "stekd_handshake_duration_seconds_count{kind=\"%s\"}",
	      resumed ? "resumed" : "full");
	if (!resumed)
		return;
	tally(node, 1, "stekd_ticket_age_seconds_count");
	tally(node, 1, "stekd_resumptions_total{issuer=\"node-%u\"}", issuer);
}

static void succeed(const struct visit *visit, SSL *ssl)
{
	bool resumed = !strncmp(visit->outcome, "resumed", 7);

	if (SSL_session_reused(ssl) != resumed)
		tally_die("%s at node %u, but the client has%s resumed",
			  visit->outcome, visit->node, resumed ? " not" : "");
	visit_count_handshake(visit->node,
			      SSL_version(ssl) == TLS1_3_VERSION,
			      visit->outcome, visit->issuer);
	talk(visit, ssl);
}

/* In TLS 1.3 a client may have ended its part when it is refused. */
static void fail(const struct visit *visit, SSL *ssl, bool connected,
		 const struct seen *seen)
{
	char text[256];

	if (connected && SSL_read(ssl, text, sizeof(text)) > 0)
		tally_die("%s: the server speaks", visit->failure);
	tally(visit->node, 1, "stekd_handshake_failures_total{reason=\"%s\"}",
	      visit->failure);
	if (seen->alert != visit->alert)
		tally_die("%s: alert %d, not %d", visit->failure, seen->alert,
			  visit->alert);
}

void visit(struct visit *visit)
{
	struct seen seen = { .node = visit->node, .alert = -1 };
	SSL *ssl = open_ssl(visit, &seen);
	int fd = visit_dial(visit->node);
	char rest[256];
	bool connected;

	SSL_set_fd(ssl, fd);
	connected = SSL_connect(ssl) == 1;
	if (visit->failure)
		fail(visit, ssl, connected, &seen);
	else if (connected)
		succeed(visit, ssl);
	else
		tally_die("%s at node %u: no handshake, alert %d: %s",
			  visit->outcome, visit->node, seen.alert,
			  ERR_error_string(ERR_get_error(), NULL));
	shutdown(fd, SHUT_WR);
	while (recv(fd, rest, sizeof(rest), 0) > 0)
		;
	ERR_clear_error();
	/* OpenSSL tells of no new ticket in a resumption of TLS 1.2. */
	if (seen.ticketed && !seen.ticket && connected)
		seen.ticket = SSL_get1_session(ssl);
	/* Or SSL_free() would declare the tickets unusable. */
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
	close(fd);
	visit->ticket = seen.ticket;
}
