// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper_tamper.c - a relay that spoils one message of a client's handshake, so
 * that any TLS client makes the mistakes that no client makes. It reads the
 * client's key log, opens the client's records, spoils and seals them again;
 * what the server sends goes through untouched, its FIN and its RST too.
 *
 *	helper_tamper --to PORT --what ACTION [--keys FILE] [--after N]
 *
 * Both ends are on 127.0.0.1. Prints "listening PORT", serves N connections as
 * they are and one more with ACTION, prints "reset" if the server resets that
 * one, and exits 0; 1 if there was nothing to spoil. Suites: AES-128-GCM.
 *
 *	hello      the length of the ClientHello's extensions    (clear)
 *	binder     the last bit of the last PSK binder           (clear)
 *	key        the last bit of the ClientKeyExchange         (TLS 1.2, clear)
 *	signature  the last bit of the CertificateVerify
 *	finished   the last bit of the Finished
 *	short      the last byte of the Finished, left out
 *	type       the type of the Finished: one that nobody knows
 *	record     the last bit of the Finished's record, after sealing
 *	large      the length of the Finished's record: above what is allowed
 *	silent     all after the ClientHello: not passed on
 *	close      the same, and the connection is ended
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tamper.h"

enum {
	HEADER = TAMPER_HEADER, TAG = TAMPER_TAG, RANDOM = TAMPER_RANDOM,
	CHANGE_CIPHER = 20, HANDSHAKE = 22, DATA = 23,
	CLIENT_HELLO = 1, SERVER_HELLO = 2, CERTIFICATE_VERIFY = 15,
	KEY_EXCHANGE = 16, FINISHED = 20,
	PATIENCE_MS = 20000,
};

struct stream {
	uint8_t bytes[1 << 17];
	size_t len;
};

static struct stream from_client, from_server;
static const char *what;
static struct tamper tamper;
static bool spoilt, sealed, hushed;

/* ---- records --------------------------------------------------------------- */

static bool wants(const char *action)
{
	return !strcmp(what, action);
}

/* A handshake message; how many bytes are left of it. */
static size_t spoil_message(uint8_t *message, size_t len)
{
	uint8_t type = message[0];

	if ((type == CERTIFICATE_VERIFY && wants("signature")) ||
	    (type == KEY_EXCHANGE && wants("key")) ||
	    (type == FINISHED && wants("finished"))) {
		message[len - 1] ^= 1;
		spoilt = true;
	}
	if (type == FINISHED && wants("type")) {
		message[0] = 99;
		spoilt = true;
	}
	if (type == FINISHED && wants("short")) {
		tamper_put(message + 1, --len - 4, 3);
		spoilt = true;
	}
	return len;
}

/* All messages of a record; what is left of its bytes. */
static size_t spoil_messages(uint8_t *bytes, size_t len)
{
	size_t at = 0, message;

	while (at + 4 <= len) {
		message = 4 + tamper_number(bytes + at + 1, 3);
		if (at + message > len)
			break;
		if (spoil_message(bytes + at, message) < message) {
			memmove(bytes + at + message - 1, bytes + at + message,
				len - at - message);
			len--;
		}
		at += message;
	}
	return len;
}

static void spoil_hello(uint8_t *hello, size_t len)
{
	size_t at = 4 + 2 + RANDOM;

	memcpy(tamper.client_random, hello + 6, RANDOM);
	if (wants("binder"))
		hello[len - 1] ^= 1;
	if (wants("hello")) {
		at += 1u + hello[at];
		at += 2 + tamper_number(hello + at, 2);
		at += 1u + hello[at];
		tamper_put(hello + at, tamper_number(hello + at, 2) + 1, 2);
	}
	spoilt |= wants("binder") || wants("hello");
	hushed = wants("silent") || wants("close");
	spoilt |= hushed;
}

/* A sealed record of the client's handshake. Its new length. */
static size_t spoil_sealed(uint8_t *record, size_t len)
{
	size_t before = tamper.tls13 ? HEADER : HEADER + 8u;
	size_t text = len - before - TAG, kept = text;
	uint8_t *at = record + before;

	if (tamper.sequence == 0)
		tamper_keys(&tamper);
	if (!tamper_crypt(&tamper, false, record, at, text))
		tamper_die("a record does not open");
	/* In TLS 1.3 the type follows the messages. */
	if (tamper.tls13 ? at[text - 1] == HANDSHAKE : record[0] == HANDSHAKE)
		kept = spoil_messages(at, text - tamper.tls13) + tamper.tls13;
	if (tamper.tls13 && kept < text)
		at[kept - 1] = HANDSHAKE;
	len = before + kept + TAG;
	tamper_put(record + 3, len - HEADER, 2);
	tamper_crypt(&tamper, true, record, at, kept);
	tamper.sequence++;
	if (wants("record") && !spoilt) {
		record[len - 1] ^= 1;
		spoilt = true;
	}
	if (wants("large") && !spoilt) {
		tamper_put(record + 3, 16384 + 2049, 2);
		spoilt = true;
	}
	return len;
}

/* One whole record of the client's. Its new length; 0: it is not passed on. */
static size_t spoil_record(uint8_t *record, size_t len)
{
	if (hushed)
		return 0;
	if (sealed && !spoilt &&
	    record[0] == (tamper.tls13 ? DATA : HANDSHAKE))
		return spoil_sealed(record, len);
	if (record[0] == CHANGE_CIPHER && !tamper.tls13)
		sealed = true;
	if (record[0] != HANDSHAKE || sealed)
		return len;
	if (record[HEADER] == CLIENT_HELLO)
		spoil_hello(record + HEADER, len - HEADER);
	else
		spoil_messages(record + HEADER, len - HEADER);
	return len;
}

/* The random of a HelloRetryRequest, RFC 8446 s4.1.3, its first bytes. */
static const uint8_t retry_random[] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a };

/* Which version was agreed on, and its random. */
static void watch_server(const uint8_t *record, size_t len)
{
	size_t at = HEADER + 6 + RANDOM, end;

	if (record[0] != HANDSHAKE || record[HEADER] != SERVER_HELLO ||
	    sealed ||
	    !memcmp(record + HEADER + 6, retry_random, sizeof(retry_random)))
		return;
	memcpy(tamper.server_random, record + HEADER + 6, RANDOM);
	at += 1u + record[at] + 3u;
	end = HEADER + 4 + tamper_number(record + HEADER + 1, 3);
	for (at += 2; at + 4 <= end && end <= len;
	     at += 4 + tamper_number(record + at + 2, 2))
		tamper.tls13 |= tamper_number(record + at, 2) == 43;
	sealed = tamper.tls13;
}

/* ---- the relay ------------------------------------------------------------- */

static void put(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

static size_t whole_record(const struct stream *stream)
{
	size_t len;

	if (stream->len < HEADER)
		return 0;
	len = HEADER + tamper_number(stream->bytes + 3, 2);
	return len <= stream->len ? len : 0;
}

static void drop(struct stream *stream, size_t len)
{
	stream->len -= len;
	memmove(stream->bytes, stream->bytes + len, stream->len);
}

/* 1 when bytes came, 0 at the end, -1 at a reset. */
static int take(int fd, struct stream *stream)
{
	ssize_t n = recv(fd, stream->bytes + stream->len,
			 sizeof(stream->bytes) - stream->len, 0);

	if (n > 0)
		stream->len += (size_t)n;
	return n > 0 ? 1 : n == 0 ? 0 : -1;
}

/* False when the client will send no more. */
static bool from_client_on(int client, int server, bool spoil)
{
	static uint8_t record[1 << 17];
	int more = take(client, &from_client);
	size_t len;

	if (!spoil) {
		put(server, from_client.bytes, from_client.len);
		from_client.len = 0;
	}
	while (spoil && (len = whole_record(&from_client)) > 0) {
		memcpy(record, from_client.bytes, len);
		drop(&from_client, len);
		put(server, record, spoil_record(record, len));
	}
	if (more <= 0 && !(hushed && wants("silent")))
		shutdown(server, SHUT_WR);
	return more > 0;
}

/* False when the server will send no more; then the client is told the same. */
static bool from_server_on(int client, int server, bool spoil)
{
	struct linger at_once = { .l_onoff = 1 };
	struct stream *stream = &from_server;
	size_t had = stream->len, len;
	int more = take(server, stream);

	put(client, stream->bytes + had, stream->len - had);
	while ((len = whole_record(stream)) > 0) {
		watch_server(stream->bytes, len);
		drop(stream, len);
		if (hushed && wants("close"))
			shutdown(server, SHUT_WR);
	}
	if (more == 0)
		shutdown(client, SHUT_WR);
	if (more < 0) {
		if (spoil)
			printf("reset\n");
		setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once,
			   sizeof(at_once));
	}
	return more > 0;
}

static void serve(int client, int server, bool spoil)
{
	struct pollfd fds[2] = {
		{ .fd = client, .events = POLLIN },
		{ .fd = server, .events = POLLIN },
	};

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		if (poll(fds, 2, PATIENCE_MS) <= 0)
			tamper_die("nothing moves");
		/* The server first: what it said decides what follows. */
		if (fds[1].revents && !from_server_on(client, server, spoil)) {
			fds[1].fd = -1;
			/* A client that was told goes by itself. */
			if (hushed)
				fds[0].fd = -1;
		} else if (fds[0].revents &&
			   !from_client_on(client, server, spoil)) {
			fds[0].fd = -1;
		}
	}
	close(client);
	close(server);
	from_client.len = from_server.len = 0;
}

static struct sockaddr_in local(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	to.sin_port = htons((uint16_t)atoi(port));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return to;
}

static int listen_here(void)
{
	struct sockaddr_in here = local("0");
	socklen_t len = sizeof(here);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&here, len) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)&here, &len))
		tamper_die("no port");
	printf("listening %u\n", ntohs(here.sin_port));
	fflush(stdout);
	return fd;
}

static void next_connection(int listener, const char *port, bool spoil)
{
	struct sockaddr_in to = local(port);
	struct pollfd wait = { .fd = listener, .events = POLLIN };
	int client, server = socket(AF_INET, SOCK_STREAM, 0);

	if (poll(&wait, 1, PATIENCE_MS) <= 0)
		tamper_die("nobody comes");
	client = accept(listener, NULL, NULL);
	if (connect(server, (struct sockaddr *)&to, sizeof(to)))
		tamper_die("the server does not listen");
	serve(client, server, spoil);
}

int main(int argc, char **argv)
{
	const char *port = NULL;
	long after = 0;
	int listener;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--to"))
			port = argv[i + 1];
		else if (!strcmp(argv[i], "--what"))
			what = argv[i + 1];
		else if (!strcmp(argv[i], "--keys"))
			tamper.keys_path = argv[i + 1];
		else if (!strcmp(argv[i], "--after"))
			after = atol(argv[i + 1]);
		else
			tamper_die("what is that option?");
	}
	if (!port || !what)
		tamper_die("--to and --what are needed");
	listener = listen_here();
	while (after-- > 0)
		next_connection(listener, port, false);
	tamper.tls13 = sealed = false;
	next_connection(listener, port, true);
	return spoilt ? 0 : 1;
}
