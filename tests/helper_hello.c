// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper_hello.c - sends one ClientHello that no TLS library would build, and
 * prints what the server makes of it, one line: "server_hello version=0x0304
 * retry=no key_share=yes psk=no", "alert N", "closed", or "silent" after the
 * time given. Exit 0 whenever an answer was understood.
 *
 *	helper_hello --connect ADDRESS:PORT --tls 1.2|1.3 [--sni NAME]
 *		[--ticket N] [--psk N] [--modes ke|dhe|both] [--early]
 *		[--no-share] [--split N] [--repeat-extension] [--wait MS]
 *
 * --ticket and --psk put N random bytes there (a binder that cannot be right
 * goes with the latter), --split cuts the hello into records of N bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "dial.h"
#include "hello.h"

#define NOT_GIVEN (-1L)

struct options {
	char *host;
	const char *port, *sni;
	bool tls13, early, no_share, repeat;
	const char *modes;
	long ticket, psk, split, wait_ms;
};

static void put_random(struct hello *h, size_t len)
{
	uint8_t bytes[256];

	while (len > 0) {
		size_t n = len < sizeof(bytes) ? len : sizeof(bytes);

		if (getrandom(bytes, n, 0) != (ssize_t)n)
			abort();
		hello_put(h, bytes, n);
		len -= n;
	}
}

/* Begins an extension whose body follows. */
static size_t extension(struct hello *h, uint16_t type)
{
	hello_extension(h, type, "", 0);
	return h->len;
}

static void put_sni(struct hello *h, const char *name)
{
	size_t len = strlen(name);
	size_t at = extension(h, 0);

	hello_number(h, len + 3, 2);
	hello_number(h, 0, 1);
	hello_number(h, len, 2);
	hello_put(h, name, len);
	hello_close(h, at, 2);
}

static void put_psk(struct hello *h, size_t len)
{
	size_t at = extension(h, 41);

	hello_number(h, len + 6, 2);
	hello_number(h, len, 2);
	put_random(h, len);
	hello_number(h, 0x12345678, 4);
	hello_number(h, 33, 2);
	hello_number(h, 32, 1);
	put_random(h, 32);
	hello_close(h, at, 2);
}

static void put_tls13(struct hello *h, const struct options *options)
{
	size_t at;

	hello_extension(h, 43, "\x02\x03\x04", 3);
	at = extension(h, 51);
	hello_number(h, options->no_share ? 0 : 36, 2);
	if (!options->no_share) {
		hello_number(h, 29, 2);
		hello_number(h, 32, 2);
		put_random(h, 32);
	}
	hello_close(h, at, 2);
	if (!strcmp(options->modes, "ke"))
		hello_extension(h, 45, "\x01\x00", 2);
	else if (!strcmp(options->modes, "both"))
		hello_extension(h, 45, "\x02\x00\x01", 3);
	else
		hello_extension(h, 45, "\x01\x01", 2);
	if (options->early)
		hello_extension(h, 42, "", 0);
}

static void build(struct hello *h, const struct options *options)
{
	static const char suites[] = "\x13\x01\x13\x02\x13\x03"
		"\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30";
	static const char algorithms[] = "\x00\x0a\x04\x03\x08\x04\x04\x01"
		"\x05\x03\x08\x05";
	size_t at;

	hello_begin(h, 0x0303, 32);
	hello_suites(h, suites, sizeof(suites) - 1);
	hello_compression(h, "\0", 1);
	if (options->sni)
		put_sni(h, options->sni);
	hello_extension(h, 10, "\x00\x04\x00\x1d\x00\x17", 6);
	hello_extension(h, 13, algorithms, sizeof(algorithms) - 1);
	hello_extension(h, 23, "", 0);
	hello_extension(h, 11, "\x01\x00", 2);
	if (options->repeat)
		hello_extension(h, 23, "", 0);
	if (options->ticket != NOT_GIVEN) {
		at = extension(h, 35);
		put_random(h, (size_t)options->ticket);
		hello_close(h, at, 2);
	}
	if (options->tls13)
		put_tls13(h, options);
	if (options->psk != NOT_GIVEN)
		put_psk(h, (size_t)options->psk);
	hello_end(h);
}

/* 1 when all is there, 0 at the end of the stream, -1 when nothing comes. */
static int receive(int fd, uint8_t *out, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, out, len, 0);

		if (n <= 0)
			return n < 0 ? -1 : 0;
		out += n;
		len -= (size_t)n;
	}
	return 1;
}

static size_t number(const uint8_t *at, size_t width)
{
	size_t value = 0;

	while (width-- > 0)
		value = value << 8 | *at++;
	return value;
}

/* The value of HelloRetryRequest's random, RFC 8446 s4.1.3, its first bytes. */
static const uint8_t retry_random[] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a,
					0x61, 0x11 };

static int print_server_hello(const uint8_t *body, size_t len)
{
	size_t version, at, end, session;
	bool share = false, psk = false, ticket = false;

	if (len < 40 || body[0] != 2)
		return -1;
	version = number(body + 4, 2);
	session = body[38];
	at = 39 + session + 3;
	end = 4 + number(body + 1, 3);
	if (end > len || at > end)
		return -1;
	for (at += 2; at + 4 <= end; at += 4 + number(body + at + 2, 2)) {
		size_t type = number(body + at, 2);

		if (type == 43 && at + 6 <= end)
			version = number(body + at + 4, 2);
		share |= type == 51;
		psk |= type == 41;
		ticket |= type == 35;
	}
	printf("server_hello version=0x%04zx retry=%s key_share=%s psk=%s "
	       "ticket=%s session_id=%zu\n", version,
	       memcmp(body + 6, retry_random, sizeof(retry_random)) ?
	       "no" : "yes", share ? "yes" : "no", psk ? "yes" : "no",
	       ticket ? "yes" : "no", session);
	return 0;
}

static int answer(int fd)
{
	static uint8_t record[5 + 65536];
	size_t len = 0;
	int rc = receive(fd, record, 5);

	if (rc > 0) {
		len = number(record + 3, 2);
		rc = receive(fd, record + 5, len);
	}
	if (rc < 0) {
		printf("silent\n");
		return 0;
	}
	if (rc == 0) {
		printf("closed\n");
		return 0;
	}
	if (record[0] == 21 && len == 2) {
		printf("alert %u\n", record[6]);
		return 0;
	}
	if (record[0] == 22)
		return print_server_hello(record + 5, len);
	return -1;
}

static bool parse_flag(struct options *options, const char *name)
{
	if (!strcmp(name, "--early"))
		options->early = true;
	else if (!strcmp(name, "--no-share"))
		options->no_share = true;
	else if (!strcmp(name, "--repeat-extension"))
		options->repeat = true;
	else
		return false;
	return true;
}

static bool parse_value(struct options *options, const char *name, char *value)
{
	if (!strcmp(name, "--connect"))
		options->host = value;
	else if (!strcmp(name, "--sni"))
		options->sni = value;
	else if (!strcmp(name, "--tls"))
		options->tls13 = !strcmp(value, "1.3");
	else if (!strcmp(name, "--modes"))
		options->modes = value;
	else if (!strcmp(name, "--ticket"))
		options->ticket = atol(value);
	else if (!strcmp(name, "--psk"))
		options->psk = atol(value);
	else if (!strcmp(name, "--split"))
		options->split = atol(value);
	else if (!strcmp(name, "--wait"))
		options->wait_ms = atol(value);
	else
		return false;
	return true;
}

static bool parse_options(struct options *options, int argc, char **argv)
{
	char *colon;

	for (int i = 1; i < argc; i++) {
		if (parse_flag(options, argv[i]))
			continue;
		if (i + 1 == argc ||
		    !parse_value(options, argv[i], argv[i + 1]))
			return false;
		i++;
	}
	colon = options->host ? strrchr(options->host, ':') : NULL;
	if (!colon || options->split < 1 || options->ticket > 20000 ||
	    options->psk > 20000)
		return false;
	*colon = '\0';
	options->port = colon + 1;
	return true;
}

int main(int argc, char **argv)
{
	static struct hello hello;
	static uint8_t framed[6 * HELLO_CAP];
	struct options options = {
		.modes = "dhe", .ticket = NOT_GIVEN, .psk = NOT_GIVEN,
		.split = 16384, .wait_ms = 5000,
	};
	size_t len;
	int fd, rc = 1;

	if (!parse_options(&options, argc, argv)) {
		fprintf(stderr, "usage: helper_hello --connect ADDRESS:PORT "
			"--tls 1.2|1.3 [options]\n");
		return 2;
	}
	build(&hello, &options);
	len = hello_frame(hello.bytes, hello.len, (size_t)options.split,
			  framed);
	fd = dial(options.host, options.port, options.wait_ms);
	if (fd < 0) {
		perror("connect");
		return 3;
	}
	if (send(fd, framed, len, MSG_NOSIGNAL) == (ssize_t)len)
		rc = answer(fd) ? 1 : 0;
	close(fd);
	return rc;
}
