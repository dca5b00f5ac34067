/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memhs_peer.c - the client's half of memhs.h, on OpenSSL. A file of its own
 * because wolfSSL's headers claim OpenSSL's names. Any failure of the set-up
 * itself aborts: only the handshake may fail.
 */
#include "memhs_peer.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

struct memhs_peer {
	SSL_CTX *ctx;
	SSL *ssl;
	SSL_SESSION *session;
	BIO *in;
	BIO *out;
	struct memhs_result *result;
	const struct memhs_client *client;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

void memhs_peer_certificate(struct memhs_pair *out)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	unsigned char *at;
	X509_NAME *name;
	int len;

	must(key && cert);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	name = X509_get_subject_name(cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	must(X509_sign(cert, key, EVP_sha256()) > 0);
	len = i2d_PrivateKey(key, NULL);
	must(len > 0 && (size_t)len <= sizeof(out->key));
	at = out->key;
	out->key_len = i2d_PrivateKey(key, &at);
	len = i2d_X509(cert, NULL);
	must(len > 0 && (size_t)len <= sizeof(out->cert));
	at = out->cert;
	out->cert_len = i2d_X509(cert, &at);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void session_write(struct memhs_session *out, SSL_SESSION *session)
{
	unsigned char *at = out->der;
	int len = i2d_SSL_SESSION(session, NULL);

	must(len > 0 && (size_t)len <= sizeof(out->der));
	out->len = (size_t)i2d_SSL_SESSION(session, &at);
}

static SSL_SESSION *session_read(const struct memhs_session *session)
{
	const unsigned char *at = session->der;
	SSL_SESSION *out = d2i_SSL_SESSION(NULL, &at, (long)session->len);

	must(out);
	return out;
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct memhs_peer *peer = SSL_get_app_data(ssl);
	struct memhs_result *out = peer->result;

	if (out->n_sessions < MEMHS_TICKETS_MAX)
		session_write(&out->sessions[out->n_sessions++], session);
	return 0;
}

static int use_stolen(SSL *ssl, const EVP_MD *md, const unsigned char **id,
		      size_t *id_len, SSL_SESSION **session)
{
	static const unsigned char secret[32] = { 1 };
	struct memhs_peer *peer = SSL_get_app_data(ssl);
	const struct memhs_client *client = peer->client;
	STACK_OF(SSL_CIPHER) *ciphers = SSL_get_ciphers(ssl);
	SSL_SESSION *made = SSL_SESSION_new();

	(void)md;
	must(made != NULL);
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

		if (!strcmp(SSL_CIPHER_get_name(cipher), client->stolen_suite))
			must(SSL_SESSION_set_cipher(made, cipher) == 1);
	}
	must(SSL_SESSION_set1_master_key(made, secret, sizeof(secret)) == 1);
	must(SSL_SESSION_set_protocol_version(made, TLS1_3_VERSION) == 1);
	*id = client->stolen;
	*id_len = client->stolen_len;
	*session = made;
	return 1;
}

static SSL_CTX *client_ctx(const struct memhs_client *client)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	must(ctx);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
						    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new_session);
	if (client->version) {
		SSL_CTX_set_min_proto_version(ctx, client->version);
		SSL_CTX_set_max_proto_version(ctx, client->version);
	}
	if (client->no_ems)
		SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	if (client->no_ticket)
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	if (client->stolen)
		SSL_CTX_set_psk_use_session_callback(ctx, use_stolen);
	if (client->groups)
		must(SSL_CTX_set1_groups_list(ctx, client->groups) == 1);
	if (client->ciphers)
		must(SSL_CTX_set_cipher_list(ctx, client->ciphers) == 1);
	if (client->suites)
		must(SSL_CTX_set_ciphersuites(ctx, client->suites) == 1);
	return ctx;
}

struct memhs_peer *memhs_peer_new(const struct memhs_client *client,
				  struct memhs_result *result)
{
	struct memhs_peer *peer = calloc(1, sizeof(*peer));

	must(peer != NULL);
	peer->result = result;
	peer->client = client;
	peer->ctx = client_ctx(client);
	peer->ssl = SSL_new(peer->ctx);
	peer->in = BIO_new(BIO_s_mem());
	peer->out = BIO_new(BIO_s_mem());
	must(peer->ssl && peer->in && peer->out);
	BIO_set_mem_eof_return(peer->in, -1);
	BIO_set_mem_eof_return(peer->out, -1);
	SSL_set_app_data(peer->ssl, peer);
	SSL_set_bio(peer->ssl, peer->in, peer->out);
	if (client->session) {
		peer->session = session_read(client->session);
		/* The nodes' clocks stand still, so a slow machine's must. */
		SSL_SESSION_set_time(peer->session, (long)(time(NULL) -
					client->session->age_s));
		must(SSL_set_session(peer->ssl, peer->session) == 1);
	}
	return peer;
}

void memhs_peer_free(struct memhs_peer *peer)
{
	/* Otherwise OpenSSL takes the connection for broken and the session. */
	SSL_set_shutdown(peer->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(peer->ssl);
	SSL_SESSION_free(peer->session);
	SSL_CTX_free(peer->ctx);
	free(peer);
}

int memhs_peer_connect(struct memhs_peer *peer)
{
	int ret = SSL_connect(peer->ssl);

	if (ret == 1)
		return 1;
	return SSL_get_error(peer->ssl, ret) == SSL_ERROR_WANT_READ ? 0 : -1;
}

int memhs_peer_take(struct memhs_peer *peer, void *buf, int len)
{
	return BIO_read(peer->out, buf, len);
}

int memhs_peer_give(struct memhs_peer *peer, const void *buf, int len)
{
	return BIO_write(peer->in, buf, len);
}

bool memhs_peer_read(struct memhs_peer *peer, char *byte)
{
	return SSL_read(peer->ssl, byte, 1) == 1;
}

bool memhs_peer_write(struct memhs_peer *peer, char byte)
{
	return SSL_write(peer->ssl, &byte, 1) == 1;
}

bool memhs_peer_reused(struct memhs_peer *peer)
{
	return SSL_session_reused(peer->ssl) == 1;
}

/*
 * OpenSSL calls on_new_session() for every ticket of TLS 1.3 and for one that
 * ends a full handshake, but not for one that renews a TLS 1.2 session.
 */
void memhs_peer_collect(struct memhs_peer *peer)
{
	struct memhs_result *out = peer->result;
	const unsigned char *old = NULL, *new = NULL;
	size_t old_len = 0, new_len = 0;

	if (!SSL_session_reused(peer->ssl) ||
	    SSL_version(peer->ssl) != TLS1_2_VERSION)
		return;
	SSL_SESSION_get0_ticket(peer->session, &old, &old_len);
	SSL_SESSION_get0_ticket(SSL_get_session(peer->ssl), &new, &new_len);
	if (old_len != new_len || memcmp(old, new, old_len) != 0)
		session_write(&out->sessions[out->n_sessions++],
			      SSL_get_session(peer->ssl));
}

int memhs_peer_version(struct memhs_peer *peer)
{
	return SSL_version(peer->ssl);
}

const uint8_t *memhs_ticket(const struct memhs_session *session, size_t *len)
{
	static uint8_t copy[MEMHS_SESSION_MAX];
	SSL_SESSION *read = session_read(session);
	const unsigned char *ticket = NULL;

	*len = 0;
	SSL_SESSION_get0_ticket(read, &ticket, len);
	if (ticket)
		memcpy(copy, ticket, *len);
	SSL_SESSION_free(read);
	return ticket ? copy : NULL;
}

/* Reads one DER header; returns its length and gives the content's. */
static size_t der_header(const uint8_t *at, size_t *content)
{
	if (at[1] < 0x80) {
		*content = at[1];
		return 2;
	}
	if (at[1] == 0x81) {
		*content = at[2];
		return 3;
	}
	must(at[1] == 0x82);
	*content = (size_t)at[2] << 8 | at[3];
	return 4;
}

static uint8_t *der_put_header(uint8_t *at, uint8_t tag, size_t len)
{
	*at++ = tag;
	*at++ = 0x82;
	*at++ = (uint8_t)(len >> 8);
	*at++ = (uint8_t)len;
	return at;
}

/* OpenSSL's ssl/ssl_asn1.c: the ticket is [10] EXPLICIT OCTET STRING. */
void memhs_set_ticket(struct memhs_session *out, const struct memhs_session *in,
		      const uint8_t *ticket, size_t len)
{
	static uint8_t body[MEMHS_SESSION_MAX];
	uint8_t *to = body;
	size_t content, n;
	const uint8_t *at = in->der;
	const uint8_t *end;
	bool put = len == 0;

	at += der_header(at, &content);
	end = at + content;
	while (at < end || !put) {
		/* Elements stand in the order of their tags. */
		if (!put && (at == end || (at[0] & 0xa0) == 0xa0) &&
		    (at == end || at[0] >= 0xaa)) {
			to = der_put_header(to, 0xaa, len + 4);
			to = der_put_header(to, 0x04, len);
			memcpy(to, ticket, len);
			to += len;
			put = true;
			continue;
		}
		n = der_header(at, &content) + content;
		if (at[0] != 0xaa) {
			memcpy(to, at, n);
			to += n;
		}
		at += n;
	}
	n = (size_t)(to - body);
	must(n + 4 <= sizeof(out->der));
	out->age_s = in->age_s;
	memcpy(der_put_header(out->der, 0x30, n), body, n);
	out->len = n + 4;
}

void memhs_age(struct memhs_session *session, int64_t seconds)
{
	SSL_SESSION *read = session_read(session);

	/* OpenSSL gives up a session itself once its own time-out is over. */
	SSL_SESSION_set_timeout(read, 30 * 86400);
	session_write(session, read);
	session->age_s += seconds;
	SSL_SESSION_free(read);
}

void memhs_spoil_secret(struct memhs_session *session)
{
	uint8_t *at = session->der;
	size_t content;

	at += der_header(at, &content);
	/* Version, protocol, cipher, session id; then the master secret. */
	for (int i = 0; i < 4; i++)
		at += der_header(at, &content) + content;
	at[der_header(at, &content)] ^= 1;
}

uint32_t memhs_age_add(const struct memhs_session *session)
{
	const uint8_t *at = session->der;
	const uint8_t *end;
	size_t content, head;
	uint32_t value = 0;

	at += der_header(at, &content);
	end = at + content;
	while (at < end) {
		head = der_header(at, &content);
		/* [14] EXPLICIT INTEGER: tick_age_add. */
		if (at[0] == 0xae) {
			at += head;
			head = der_header(at, &content);
			for (size_t i = 0; i < content; i++)
				value = value << 8 | at[head + i];
			return value;
		}
		at += head + content;
	}
	return 0;
}

unsigned long memhs_lifetime_hint(const struct memhs_session *session)
{
	SSL_SESSION *read = session_read(session);
	unsigned long hint = SSL_SESSION_get_ticket_lifetime_hint(read);

	SSL_SESSION_free(read);
	return hint;
}

bool memhs_early_data(const struct memhs_session *session)
{
	SSL_SESSION *read = session_read(session);
	bool allowed = SSL_SESSION_get_max_early_data(read) != 0;

	SSL_SESSION_free(read);
	return allowed;
}
