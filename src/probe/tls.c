/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only file besides conn.c that knows how OpenSSL behaves. It is a second
 * TLS implementation on purpose: a quirk of stekd's library cannot hide on both
 * ends of a connection.
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls.h"

#define SUITES_MAX 1000

const char *tls_version_name(enum tls_version version)
{
	return version == TLS_V12 ? "TLSv1.2" : "TLSv1.3";
}

/* As the two lists that OpenSSL wants. */
bool tls_set_suites(SSL_CTX *ctx, const char *list)
{
	char both[2][SUITES_MAX] = {"", ""};

	if (!*list || strlen(list) >= SUITES_MAX - 1)
		return false;
	while (*list) {
		size_t len = strcspn(list, ":");
		char *to = both[strncmp(list, "TLS_", 4) == 0];

		if (len == 0)
			return false;
		if (*to)
			strcat(to, ":");
		strncat(to, list, len);
		list += len + (list[len] == ':');
	}
	return (!both[0][0] || SSL_CTX_set_cipher_list(ctx, both[0]) == 1) &&
	       (!both[1][0] || SSL_CTX_set_ciphersuites(ctx, both[1]) == 1);
}

SSL_CTX *tls_context(enum tls_version version, const struct tls_options *options,
		     int (*on_ticket)(SSL *ssl, SSL_SESSION *session))
{
	int number = version == TLS_V12 ? TLS1_2_VERSION : TLS1_3_VERSION;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, number);
	SSL_CTX_set_max_proto_version(ctx, number);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
			      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
					    SSL_SESS_CACHE_NO_INTERNAL);
	/*
	 * The callback is not called for a ticket that renews a resumed TLS 1.2
	 * session, so that version asks for the session instead (conn.c).
	 */
	if (version == TLS_V13)
		SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	if (options->groups &&
	    SSL_CTX_set1_groups_list(ctx, options->groups) != 1) {
		fprintf(stderr, "stekprobe: unknown group in %s\n",
			options->groups);
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (options->suites && !tls_set_suites(ctx, options->suites)) {
		fprintf(stderr, "stekprobe: unknown suite in %s\n",
			options->suites);
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (!options->ca)
		return ctx;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_load_verify_file(ctx, options->ca) == 1)
		return ctx;
	fprintf(stderr, "stekprobe: %s: no CA certificates could be read\n",
		options->ca);
	SSL_CTX_free(ctx);
	return NULL;
}

bool tls_suites_valid(const char *suites)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool valid = ctx && tls_set_suites(ctx, suites);

	SSL_CTX_free(ctx);
	ERR_clear_error();
	return valid;
}

bool tls_groups_valid(const char *groups)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool valid = ctx && SSL_CTX_set1_groups_list(ctx, groups) == 1;

	SSL_CTX_free(ctx);
	ERR_clear_error();
	return valid;
}

const char *tls_group_name(SSL *ssl)
{
	/* TLS 1.2 resumes without one; OpenSSL tells that of the session. */
	bool none = !SSL_get_session(ssl) ||
		    (SSL_version(ssl) == TLS1_2_VERSION &&
		     SSL_session_reused(ssl) == 1);
	int id = none ? 0 : (int)SSL_get_negotiated_group(ssl);
	const char *name = id ? SSL_group_to_name(ssl, id) : NULL;

	return name ? name : "none";
}

SSL *tls_new(SSL_CTX *ctx, const struct tls_options *options,
	     const struct address *address)
{
	const char *name = options->sni ? options->sni : address->host;
	bool literal = !options->sni && address->literal;
	SSL *ssl = SSL_new(ctx);
	int good = 1;

	if (!ssl)
		return NULL;
	if (!literal)
		good = SSL_set_tlsext_host_name(ssl, name) == 1;
	if (options->ca && literal)
		good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	if (options->ca && !literal)
		good = good && SSL_set1_host(ssl, name) == 1;
	if (good)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

static void snake(char out[REASON_LEN], const char *prefix, const char *text)
{
	snprintf(out, REASON_LEN, "%s%s", prefix, text ? text : "unknown");
	for (char *p = out; *p; p++)
		*p = isalnum((unsigned char)*p) ? (char)tolower(*p) : '_';
}

void tls_failure(const SSL *ssl, int ret, int saved_errno,
		 char out[REASON_LEN])
{
	unsigned long error = ERR_peek_error();
	int kind = SSL_get_error(ssl, ret);
	int reason = ERR_GET_REASON(error);

	if (kind == SSL_ERROR_SYSCALL && saved_errno == ECONNRESET) {
		strcpy(out, "reset");
	} else if (kind != SSL_ERROR_SSL || error == 0 ||
		   reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		strcpy(out, "closed");
	} else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		strcpy(out, "certificate");
	} else if (reason > SSL_AD_REASON_OFFSET &&
		   reason <= SSL_AD_REASON_OFFSET + 255) {
		snake(out, "alert_", SSL_alert_desc_string_long(
					     reason - SSL_AD_REASON_OFFSET));
	} else {
		snake(out, "tls_", ERR_reason_error_string(error));
	}
	ERR_clear_error();
}

bool tls_ticket_name(const SSL_SESSION *session, uint8_t out[KEY_NAME_LEN])
{
	const unsigned char *ticket = NULL;
	size_t len = 0;

	SSL_SESSION_get0_ticket(session, &ticket, &len);
	if (!ticket || len < KEY_NAME_LEN)
		return false;
	memcpy(out, ticket, KEY_NAME_LEN);
	return true;
}

uint32_t tls_lifetime_s(const SSL_SESSION *session)
{
	unsigned long s = SSL_SESSION_get_ticket_lifetime_hint(session);

	return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

bool tls_same_ticket(const SSL_SESSION *a, const SSL_SESSION *b)
{
	const unsigned char *ta = NULL, *tb = NULL;
	size_t la = 0, lb = 0;

	SSL_SESSION_get0_ticket(a, &ta, &la);
	SSL_SESSION_get0_ticket(b, &tb, &lb);
	return la == lb && (la == 0 || memcmp(ta, tb, la) == 0);
}

static int era_index;
static pthread_once_t era_once = PTHREAD_ONCE_INIT;

static void era_init(void)
{
	era_index = SSL_SESSION_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

void tls_session_set_era(SSL_SESSION *session, unsigned era)
{
	pthread_once(&era_once, era_init);
	SSL_SESSION_set_ex_data(session, era_index, (void *)(uintptr_t)era);
}

unsigned tls_session_era(const SSL_SESSION *session)
{
	pthread_once(&era_once, era_init);
	return (unsigned)(uintptr_t)SSL_SESSION_get_ex_data(session, era_index);
}

bool tls_session_fresh(const SSL_SESSION *session, long now_s)
{
	unsigned long hint = SSL_SESSION_get_ticket_lifetime_hint(session);
	long age_s = now_s - (long)SSL_SESSION_get_time(session);

	/* Hint 0 leaves it to the client in TLS 1.2 (RFC 5077 s3.3). */
	return SSL_SESSION_is_resumable(session) == 1 &&
	       (hint == 0 || age_s < (long)hint);
}
