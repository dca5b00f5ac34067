/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that OpenSSL tells by callbacks during a talk: records, messages,
 * the first bytes of the peer, its certificates, new sessions, secrets for the
 * key log. And what it can be asked afterwards.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "alert.h"
#include "conn.h"
#include "watch.h"

/* Record headers only: a peer that does not speak TLS has none. */
static bool is_record(const uint8_t *header, size_t len)
{
	return len == 5 && header[0] >= RECORD_CHANGE &&
	       header[0] <= RECORD_DATA && header[1] == 3;
}

static void on_message(int sent, int version, int content, const void *bytes,
		       size_t len, SSL *ssl, void *arg)
{
	struct watch *watch = arg;
	struct flight *flight = &watch->talk->flight;
	int64_t at_us = conn_now_us() - watch->begun_us;
	const uint8_t *first = bytes;

	(void)version;
	(void)ssl;
	if (content == SSL3_RT_HEADER && is_record(bytes, len))
		flight_record(flight, !sent, bytes, at_us);
	else if (content == SSL3_RT_INNER_CONTENT_TYPE && len == 1)
		flight_inner(flight, !sent, *first, at_us);
	else if (content < SSL3_RT_HEADER)
		flight_message(flight, !sent, content, bytes, len, at_us);
	if (!sent && content == SSL3_RT_HANDSHAKE &&
	    watch->talk->stage == TALK_HELLO)
		watch->talk->stage = TALK_HANDSHAKE;
}

static long on_bytes(BIO *bio, int oper, const char *bytes, size_t len, int argi,
		     long argl, int ret, size_t *processed)
{
	struct watch *watch = (struct watch *)BIO_get_callback_arg(bio);
	struct talk *talk = watch->talk;
	size_t room = sizeof(talk->first) - talk->n_first;

	(void)len;
	(void)argi;
	(void)argl;
	if (oper == (BIO_CB_READ | BIO_CB_RETURN) && ret > 0 && processed) {
		size_t n = *processed < room ? *processed : room;

		memcpy(talk->first + talk->n_first, bytes, n);
		talk->n_first += n;
	}
	return ret;
}

static void take_chain(struct talk *talk, X509_STORE_CTX *store,
		       const struct watch *watch)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(store);
	X509 *first = X509_STORE_CTX_get0_cert(store);

	talk->name_matches = watch->literal ?
		X509_check_ip_asc(first, watch->name, 0) == 1 :
		X509_check_host(first, watch->name, 0, 0, NULL) == 1;
	for (int i = 0; i < sk_X509_num(chain) && i < CERT_CHAIN_MAX; i++)
		cert_read(&talk->certs[talk->n_certs++],
			  sk_X509_value(chain, i));
}

static int on_verify(int good, X509_STORE_CTX *store)
{
	int index = SSL_get_ex_data_X509_STORE_CTX_idx();
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, index);
	struct watch *watch = SSL_get_app_data(ssl);
	struct talk *talk = watch->talk;

	if (talk->n_certs == 0)
		take_chain(talk, store, watch);
	if (!good && talk->verify_error == X509_V_OK) {
		talk->verify_error = X509_STORE_CTX_get_error(store);
		talk->verify_depth = X509_STORE_CTX_get_error_depth(store);
	}
	return good || !watch->must_verify;
}

void watch_keep(struct talk *talk, SSL_SESSION *session)
{
	if (!session)
		return;
	if (!SSL_SESSION_has_ticket(session)) {
		SSL_SESSION_free(session);
		return;
	}
	SSL_SESSION_free(talk->session);
	talk->session = session;
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct watch *watch = SSL_get_app_data(ssl);

	/* TLS 1.2 sessions are asked for; see tls_context(). */
	if (SSL_version(ssl) != TLS1_3_VERSION)
		return 0;
	watch_keep(watch->talk, session);
	return 1;
}

static void on_secret(const SSL *ssl, const char *line)
{
	const struct watch *watch = SSL_get_app_data(ssl);
	char text[512];
	int len = snprintf(text, sizeof(text), "%s\n", line);

	/* One write: others may append to the same file. */
	if (watch->keylog >= 0 && len > 0 && (size_t)len < sizeof(text) &&
	    write(watch->keylog, text, (size_t)len) != len)
		fputs("stekprobe: --keylog: cannot be written\n", stderr);
	OPENSSL_cleanse(text, sizeof(text));
}

void watch_context(SSL_CTX *ctx, const struct offer *offer)
{
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	if (offer->keylog)
		SSL_CTX_set_keylog_callback(ctx, on_secret);
}

void watch_start(struct watch *watch, SSL *ssl)
{
	SSL_set_app_data(ssl, watch);
	SSL_set_msg_callback(ssl, on_message);
	SSL_set_msg_callback_arg(ssl, watch);
	SSL_set_verify(ssl, watch->must_verify ? SSL_VERIFY_PEER :
		       SSL_VERIFY_NONE, on_verify);
	BIO_set_callback_arg(SSL_get_rbio(ssl), (char *)watch);
	BIO_set_callback_ex(SSL_get_rbio(ssl), on_bytes);
}

static void signature_name(char *out, size_t size, SSL *ssl)
{
	int type = NID_undef, hash = NID_undef;
	const char *type_name, *hash_name;

	out[0] = '\0';
	if (SSL_get_peer_signature_type_nid(ssl, &type) != 1 ||
	    type == NID_undef)
		return;
	type_name = OBJ_nid2sn(type);
	if (type == EVP_PKEY_EC)
		type_name = "ECDSA";
	if (type == EVP_PKEY_RSA)
		type_name = "RSA-PKCS1";
	SSL_get_peer_signature_nid(ssl, &hash);
	hash_name = hash == NID_undef ? NULL : OBJ_nid2sn(hash);
	snprintf(out, size, "%s%s%s", type_name, hash_name ? "+" : "",
		 hash_name ? hash_name : "");
}

/* Nothing is resumed without one, but a full handshake may have none, either. */
static void group_name(char *out, size_t size, SSL *ssl)
{
	int id = (int)SSL_get_negotiated_group(ssl);
	const char *name = id ? SSL_group_to_name(ssl, id) : NULL;

	snprintf(out, size, "%s", name ? name : "");
}

void watch_negotiated(struct talk *talk, SSL *ssl)
{
	const unsigned char *protocol = NULL;
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	unsigned int len = 0;

	snprintf(talk->version, sizeof(talk->version), "%s",
		 SSL_get_version(ssl));
	snprintf(talk->suite, sizeof(talk->suite), "%s",
		 cipher ? SSL_CIPHER_standard_name(cipher) : "");
	group_name(talk->group, sizeof(talk->group), ssl);
	signature_name(talk->scheme, sizeof(talk->scheme), ssl);
	SSL_get0_alpn_selected(ssl, &protocol, &len);
	clean_text(talk->alpn, sizeof(talk->alpn), protocol, len);
	talk->resumed = SSL_session_reused(ssl) == 1;
	talk->ems = SSL_version(ssl) == TLS1_3_VERSION ||
		    SSL_get_extms_support(ssl) == 1;
}

void watch_ca_list(struct talk *talk, SSL *ssl)
{
	const STACK_OF(X509_NAME) *asked = SSL_get0_peer_CA_list(ssl);
	STACK_OF(X509) *above = NULL;
	X509 *own = SSL_get_certificate(ssl);
	const X509_NAME *top;

	if (!own || sk_X509_NAME_num(asked) <= 0)
		return;
	SSL_get0_chain_certs(ssl, &above);
	if (!above || sk_X509_num(above) == 0)
		SSL_CTX_get0_chain_certs(SSL_get_SSL_CTX(ssl), &above);
	if (above && sk_X509_num(above) > 0)
		own = sk_X509_value(above, sk_X509_num(above) - 1);
	top = X509_get_issuer_name(own);
	talk->ca_known = true;
	for (int i = 0; i < sk_X509_NAME_num(asked); i++) {
		if (X509_NAME_cmp(sk_X509_NAME_value(asked, i), top) == 0)
			talk->ca_listed = true;
	}
}
