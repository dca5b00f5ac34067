// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper_foreign.c - a client with another server's ticket. It takes a session
 * from the server under test, puts random bytes of a chosen length in place of
 * the ticket, and connects with it: the server must answer by a full handshake.
 * OpenSSL, so that no fault of wolfSSL hides on both ends.
 *
 *	helper_foreign --connect ADDRESS:PORT [--sni NAME] [--known-key]
 *		       [--lengths 0-300,608,16384] [--modes 1.2,1.3,...]
 *
 * Modes: "1.2" and "1.3" clients of that version alone; "both-1.3" and
 * "both-1.2" clients that offer both versions and hold a session of the one.
 * --known-key leaves the key name (16 bytes) as it was. One line a mode; exit 1
 * when a connection failed or resumed.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "dial.h"

#define LENGTH_MAX 65000
#define DEFAULT_LENGTHS "0-300,608,1535-1537,4096,16384"
#define DEFAULT_MODES "1.2,1.3,both-1.3,both-1.2"

struct mode {
	const char *name;
	int least, most;	/* versions that the client offers */
	int session;		/* version of the session that it holds */
};

static const struct mode modes[] = {
	{ "1.2", TLS1_2_VERSION, TLS1_2_VERSION, TLS1_2_VERSION },
	{ "1.3", TLS1_3_VERSION, TLS1_3_VERSION, TLS1_3_VERSION },
	{ "both-1.3", TLS1_2_VERSION, TLS1_3_VERSION, TLS1_3_VERSION },
	{ "both-1.2", TLS1_2_VERSION, TLS1_3_VERSION, TLS1_2_VERSION },
};

struct options {
	char *host;
	const char *port;
	const char *sni;
	const char *lengths;
	const char *modes;
	bool known_key;
};

struct tally {
	unsigned full, resumed, failed;
};

static SSL_SESSION *caught;

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(caught);
	caught = session;
	return 1;	/* kept */
}

/* One request, so that a server that gives up after its Finished is seen. */
static bool converse(SSL *ssl)
{
	static const char request[] =
		"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	char answer[4096];
	bool answered = false;

	if (SSL_write(ssl, request, sizeof(request) - 1) <= 0)
		return false;
	while (SSL_read(ssl, answer, sizeof(answer)) > 0)
		answered = true;
	return answered;
}

/* 0 after a full handshake, 1 after a resumption, -1 when it failed. */
static int attempt(const struct options *options, SSL_CTX *ctx,
		   SSL_SESSION *session, char *why, size_t why_len)
{
	int fd = dial(options->host, options->port, 15000);
	SSL *ssl = SSL_new(ctx);
	int rc = -1;

	ERR_clear_error();
	snprintf(why, why_len, "cannot connect: %s", strerror(errno));
	if (fd < 0 || !ssl)
		goto out;
	SSL_set_fd(ssl, fd);
	if (options->sni)
		SSL_set_tlsext_host_name(ssl, options->sni);
	if (session && !SSL_set_session(ssl, session)) {
		snprintf(why, why_len, "OpenSSL refuses the session");
		goto out;
	}
	if (SSL_connect(ssl) != 1 || !converse(ssl)) {
		unsigned long error = ERR_peek_error();

		snprintf(why, why_len, "%s", error ?
			 ERR_reason_error_string(error) : "closed");
		goto out;
	}
	rc = SSL_session_reused(ssl) ? 1 : 0;
	SSL_shutdown(ssl);
out:
	SSL_free(ssl);
	if (fd >= 0)
		close(fd);
	return rc;
}

static SSL_CTX *context(int least, int most)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, least);
	SSL_CTX_set_max_proto_version(ctx, most);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
				       SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	return ctx;
}

/* The length of a DER element's header at `at`; its body's length in *body. */
static size_t der_header(const unsigned char *at, size_t *body)
{
	size_t n = at[1] & 0x7f;

	if (!(at[1] & 0x80)) {
		*body = at[1];
		return 2;
	}
	*body = 0;
	for (size_t i = 0; i < n; i++)
		*body = *body << 8 | at[2 + i];
	return 2 + n;
}

static size_t der_put_header(unsigned char *out, unsigned char tag, size_t len)
{
	out[0] = tag;
	out[1] = 0x83;
	out[2] = (unsigned char)(len >> 16);
	out[3] = (unsigned char)(len >> 8);
	out[4] = (unsigned char)len;
	return 5;
}

/*
 * The session with another ticket: the element [10] of OpenSSL's ASN.1 form is
 * replaced. `der` comes from the library itself, so it is well-formed.
 */
static SSL_SESSION *with_ticket(SSL_SESSION *session,
				const unsigned char *ticket, size_t len)
{
	unsigned char *der = NULL;
	unsigned char *made = NULL;
	const unsigned char *at;
	SSL_SESSION *out = NULL;
	size_t body, head, n = 5;
	int total = i2d_SSL_SESSION(session, &der);
	const unsigned char *end;

	if (total <= 0)
		return NULL;
	made = malloc((size_t)total + len + 64);
	if (!made)
		goto out;
	end = der + total;
	for (at = der + der_header(der, &body); at < end; at += head + body) {
		head = der_header(at, &body);
		/* Tags stand in rising order; ours goes before [11]. */
		if (at[0] == 0xaa)
			continue;
		if (len > 0 && (at[0] & 0xe0) == 0xa0 && (at[0] & 31) > 10) {
			n += der_put_header(made + n, 0xaa, len + 5);
			n += der_put_header(made + n, 0x04, len);
			memcpy(made + n, ticket, len);
			n += len;
			len = 0;
		}
		memcpy(made + n, at, head + body);
		n += head + body;
	}
	if (len > 0) {
		n += der_put_header(made + n, 0xaa, len + 5);
		n += der_put_header(made + n, 0x04, len);
		memcpy(made + n, ticket, len);
		n += len;
	}
	der_put_header(made, 0x30, n - 5);
	at = made;
	out = d2i_SSL_SESSION(NULL, &at, (long)n);
out:
	free(made);
	OPENSSL_free(der);
	return out;
}

static void try_length(const struct options *options, const struct mode *mode,
		       SSL_CTX *ctx, SSL_SESSION *session, size_t len,
		       struct tally *tally)
{
	static unsigned char ticket[LENGTH_MAX];
	const unsigned char *own = NULL;
	SSL_SESSION *foreign;
	size_t own_len = 0;
	char why[256];
	int rc;

	RAND_bytes(ticket, (int)len);
	SSL_SESSION_get0_ticket(session, &own, &own_len);
	if (options->known_key && own_len >= 16 && len >= 16)
		memcpy(ticket, own, 16);
	foreign = with_ticket(session, ticket, len);
	if (!foreign) {
		fprintf(stderr, "length %zu: no session was made\n", len);
		tally->failed++;
		return;
	}
	rc = attempt(options, ctx, foreign, why, sizeof(why));
	if (rc < 0) {
		fprintf(stderr, "mode %s length %zu: %s\n", mode->name, len,
			why);
		tally->failed++;
	} else if (rc > 0) {
		fprintf(stderr, "mode %s length %zu: resumed\n", mode->name,
			len);
		tally->resumed++;
	} else {
		tally->full++;
	}
	SSL_SESSION_free(foreign);
}

/* "0-300,608": each number and each range in turn. False on a wrong list. */
static bool try_lengths(const struct options *options, const struct mode *mode,
			SSL_CTX *ctx, SSL_SESSION *session, struct tally *tally)
{
	const char *at = options->lengths;
	char *end;

	for (;;) {
		unsigned long first = strtoul(at, &end, 10);
		unsigned long last = first;

		if (end == at)
			return false;
		if (*end == '-') {
			at = end + 1;
			last = strtoul(at, &end, 10);
		}
		if (end == at || first > last || last > LENGTH_MAX)
			return false;
		for (; first <= last; first++)
			try_length(options, mode, ctx, session, first, tally);
		if (*end != ',')
			return *end == '\0';
		at = end + 1;
	}
}

/* 0, 1 when something failed or resumed, 2 on a usage error. */
static int run_mode(const struct options *options, const struct mode *mode)
{
	SSL_CTX *first = context(mode->session, mode->session);
	SSL_CTX *ctx = context(mode->least, mode->most);
	SSL_SESSION *session = NULL;
	struct tally tally = { 0 };
	char why[256];
	int rc = 1;

	if (!first || !ctx)
		goto out;
	if (attempt(options, first, NULL, why, sizeof(why)) < 0 || !caught) {
		fprintf(stderr, "mode %s: no session to begin with: %s\n",
			mode->name, caught ? why : "none was given");
		goto out;
	}
	session = caught;
	caught = NULL;
	if (!try_lengths(options, mode, ctx, session, &tally)) {
		fprintf(stderr, "--lengths %s is not a list\n",
			options->lengths);
		rc = 2;
		goto out;
	}
	printf("mode=%s full=%u resumed=%u failed=%u\n", mode->name, tally.full,
	       tally.resumed, tally.failed);
	rc = tally.failed || tally.resumed || !tally.full;
out:
	SSL_SESSION_free(session);
	SSL_SESSION_free(caught);
	caught = NULL;
	SSL_CTX_free(ctx);
	SSL_CTX_free(first);
	return rc;
}

/* True if `name` is an element of the comma-separated list. */
static bool is_listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, name, len) &&
		    (at[len] == ',' || at[len] == '\0'))
			return true;
	}
	return false;
}

static bool parse_options(struct options *options, int argc, char **argv)
{
	char *colon;

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(argv[i], "--known-key")) {
			options->known_key = true;
			continue;
		}
		if (!value)
			return false;
		if (!strcmp(argv[i], "--connect"))
			options->host = argv[i + 1];
		else if (!strcmp(argv[i], "--sni"))
			options->sni = value;
		else if (!strcmp(argv[i], "--lengths"))
			options->lengths = value;
		else if (!strcmp(argv[i], "--modes"))
			options->modes = value;
		else
			return false;
		i++;
	}
	colon = options->host ? strrchr(options->host, ':') : NULL;
	if (!colon)
		return false;
	*colon = '\0';
	options->port = colon + 1;
	return true;
}

int main(int argc, char **argv)
{
	struct options options = {
		.lengths = DEFAULT_LENGTHS, .modes = DEFAULT_MODES,
	};
	int rc = 0;

	if (!parse_options(&options, argc, argv)) {
		fprintf(stderr, "usage: helper_foreign --connect ADDRESS:PORT "
			"[--sni NAME] [--lengths LIST] [--modes LIST] "
			"[--known-key]\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]) && rc < 2; i++)
		if (is_listed(options.modes, modes[i].name)) {
			int one = run_mode(&options, &modes[i]);

			rc = one > rc ? one : rc;
		}
	return rc;
}
