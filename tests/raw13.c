/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw13.c - the records and messages of raw13.h: the key schedule from the
 * traffic secrets on (RFC 8446 s7), the records (s5.2), and the answers to a
 * CertificateRequest (s4.4). Whatever fails here aborts the test.
 */
#include "raw13.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>

#include "raw13_who.h"

#define HASH_LEN 32
#define KEY_LEN 16
#define IV_LEN 12
#define TAG_LEN 16
#define HEADER_LEN 5
#define MESSAGE_HEADER 4
#define FINISHED_LEN (MESSAGE_HEADER + HASH_LEN)

struct direction {
	bool known;
	uint8_t secret[HASH_LEN], key[KEY_LEN], iv[IV_LEN];
	uint64_t sequence;
};

struct raw13 {
	SSL *ssl;
	struct direction ours, theirs, flight;
	uint8_t *handshake;	/* its messages, ClientHello to Finished */
	size_t handshake_len;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* HKDF-Expand-Label with an empty context (RFC 8446 s7.1). */
static void expand(const uint8_t *secret, const char *label, uint8_t *out,
		   size_t len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	uint8_t info[64];
	size_t n = 0, label_len = strlen(label);

	info[n++] = 0;
	info[n++] = (uint8_t)len;
	info[n++] = (uint8_t)(6 + label_len);
	memcpy(info + n, "tls13 ", 6);
	n += 6;
	memcpy(info + n, label, label_len);
	n += label_len;
	info[n++] = 0;
	must(ctx && EVP_PKEY_derive_init(ctx) > 0 &&
	     EVP_PKEY_CTX_hkdf_mode(ctx, EVP_PKEY_HKDEF_MODE_EXPAND_ONLY) > 0 &&
	     EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) > 0 &&
	     EVP_PKEY_CTX_set1_hkdf_key(ctx, secret, HASH_LEN) > 0 &&
	     EVP_PKEY_CTX_add1_hkdf_info(ctx, info, (int)n) > 0 &&
	     EVP_PKEY_derive(ctx, out, &len) > 0);
	EVP_PKEY_CTX_free(ctx);
}

static void set_keys(struct direction *way)
{
	expand(way->secret, "key", way->key, KEY_LEN);
	expand(way->secret, "iv", way->iv, IV_LEN);
	way->sequence = 0;
}

static void next_secret(struct direction *way)
{
	uint8_t secret[HASH_LEN];

	expand(way->secret, "traffic upd", secret, HASH_LEN);
	memcpy(way->secret, secret, HASH_LEN);
	set_keys(way);
}

static void read_secret(struct direction *way, const char *line,
			const char *name)
{
	const char *at = line + strlen(name) + 1 + 64 + 1;
	size_t i;

	if (strncmp(line, name, strlen(name)) != 0)
		return;
	for (i = 0; i < HASH_LEN; i++) {
		char hex[3] = { at[2 * i], at[2 * i + 1], '\0' };

		way->secret[i] = (uint8_t)strtoul(hex, NULL, 16);
	}
	way->known = true;
}

static struct raw13 *raw_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static void on_secret(const SSL *ssl, const char *line)
{
	struct raw13 *raw = raw_of(ssl);

	read_secret(&raw->ours, line, "CLIENT_TRAFFIC_SECRET_0");
	read_secret(&raw->theirs, line, "SERVER_TRAFFIC_SECRET_0");
	read_secret(&raw->flight, line, "CLIENT_HANDSHAKE_TRAFFIC_SECRET");
}

static void on_message(int ours, int version, int type, const void *bytes,
		       size_t len, SSL *ssl, void *user)
{
	struct raw13 *raw = raw_of(ssl);

	(void)ours;
	(void)version;
	(void)user;
	if (type != SSL3_RT_HANDSHAKE)
		return;
	raw->handshake = realloc(raw->handshake, raw->handshake_len + len);
	must(raw->handshake != NULL);
	memcpy(raw->handshake + raw->handshake_len, bytes, len);
	raw->handshake_len += len;
}

struct raw13 *raw13_new(SSL *ssl)
{
	struct raw13 *raw = calloc(1, sizeof(*raw));
	SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);

	must(raw != NULL);
	raw->ssl = ssl;
	SSL_CTX_set_app_data(ctx, raw);
	SSL_CTX_set_keylog_callback(ctx, on_secret);
	SSL_set_msg_callback(ssl, on_message);
	must(SSL_set_min_proto_version(ssl, TLS1_3_VERSION) &&
	     SSL_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256"));
	SSL_set_post_handshake_auth(ssl, 1);
	return raw;
}

void raw13_take_over(struct raw13 *raw)
{
	must(raw->ours.known && raw->theirs.known);
	SSL_set_msg_callback(raw->ssl, NULL);
	set_keys(&raw->ours);
	set_keys(&raw->theirs);
}

void raw13_take_over_flight(struct raw13 *raw)
{
	must(raw->flight.known && raw->handshake_len > FINISHED_LEN);
	raw13_take_over(raw);
	(void)BIO_reset(SSL_get_wbio(raw->ssl));
	raw->handshake_len -= FINISHED_LEN;
	raw->ours = raw->flight;
	set_keys(&raw->ours);
}

void raw13_free(struct raw13 *raw)
{
	if (!raw)
		return;
	free(raw->handshake);
	free(raw);
}

static void nonce_of(struct direction *way, uint8_t *nonce)
{
	uint64_t sequence = way->sequence++;
	size_t i;

	memcpy(nonce, way->iv, IV_LEN);
	for (i = 0; i < 8; i++)
		nonce[IV_LEN - 1 - i] ^= (uint8_t)(sequence >> 8 * i);
}

static void put_bytes(struct raw13 *raw, const void *bytes, size_t len)
{
	must(BIO_write(SSL_get_wbio(raw->ssl), bytes, (int)len) == (int)len);
}

static void write_header(uint8_t *header, uint8_t type, size_t len)
{
	header[0] = type;
	header[1] = header[2] = 3;
	header[3] = (uint8_t)(len >> 8);
	header[4] = (uint8_t)len;
}

void raw13_put_plain(struct raw13 *raw, uint8_t type, const void *bytes,
		     size_t len)
{
	uint8_t header[HEADER_LEN];

	write_header(header, type, len);
	put_bytes(raw, header, sizeof(header));
	put_bytes(raw, bytes, len);
}

void raw13_put(struct raw13 *raw, uint8_t type, const void *bytes, size_t len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	static uint8_t plain[RAW13_RECORD_MAX], out[RAW13_RECORD_MAX + 64];
	uint8_t nonce[IV_LEN];
	size_t body = len + 1 + TAG_LEN;
	int n = 0;

	memcpy(plain, bytes, len);
	plain[len] = type;
	write_header(out, RAW13_DATA, body);
	nonce_of(&raw->ours, nonce);
	must(ctx && EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL,
				       raw->ours.key, nonce) &&
	     EVP_EncryptUpdate(ctx, NULL, &n, out, HEADER_LEN) &&
	     EVP_EncryptUpdate(ctx, out + HEADER_LEN, &n, plain,
			       (int)len + 1) &&
	     EVP_EncryptFinal_ex(ctx, out + HEADER_LEN + n, &n) &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN,
				 out + HEADER_LEN + len + 1));
	EVP_CIPHER_CTX_free(ctx);
	put_bytes(raw, out, HEADER_LEN + body);
}

void raw13_put_update(struct raw13 *raw, bool wants_answer)
{
	const uint8_t message[] = { RAW13_KEY_UPDATE, 0, 0, 1, wants_answer };

	raw13_put(raw, RAW13_HANDSHAKE, message, sizeof(message));
	next_secret(&raw->ours);
}

static void open_record(struct raw13 *raw, const uint8_t *record, size_t len,
			uint8_t *buf)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t nonce[IV_LEN], tag[TAG_LEN];
	size_t sealed = len - HEADER_LEN - TAG_LEN;
	int n = 0;

	nonce_of(&raw->theirs, nonce);
	memcpy(tag, record + len - TAG_LEN, TAG_LEN);
	must(ctx && EVP_DecryptInit_ex(ctx, EVP_aes_128_gcm(), NULL,
				       raw->theirs.key, nonce) &&
	     EVP_DecryptUpdate(ctx, NULL, &n, record, HEADER_LEN) &&
	     EVP_DecryptUpdate(ctx, buf, &n, record + HEADER_LEN,
			       (int)sealed) &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) &&
	     EVP_DecryptFinal_ex(ctx, buf + n, &n) > 0);
	EVP_CIPHER_CTX_free(ctx);
}

bool raw13_next(struct raw13 *raw, uint8_t *type, uint8_t *buf, size_t *len)
{
	static uint8_t record[RAW13_RECORD_MAX];
	BIO *in = SSL_get_rbio(raw->ssl);
	char *waiting;
	size_t n, have = (size_t)BIO_get_mem_data(in, &waiting);

	if (have < HEADER_LEN)
		return false;
	n = HEADER_LEN + ((size_t)(uint8_t)waiting[3] << 8 |
			  (uint8_t)waiting[4]);
	must(n <= sizeof(record) && n > HEADER_LEN + TAG_LEN);
	if (have < n)
		return false;
	must(BIO_read(in, record, (int)n) == (int)n);
	open_record(raw, record, n, buf);
	n -= HEADER_LEN + TAG_LEN;
	while (n && !buf[n - 1])
		n--;
	must(n > 0);
	*type = buf[n - 1];
	*len = n - 1;
	if (*type == RAW13_HANDSHAKE && buf[0] == RAW13_KEY_UPDATE)
		next_secret(&raw->theirs);
	return true;
}

/* --- answers --- */

struct answer {
	struct raw13 *raw;
	const uint8_t *context;
	size_t context_len;
	uint8_t *out;
	size_t len;
	EVP_MD_CTX *transcript;
};

static void transcript_hash(const struct answer *a, uint8_t *hash)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();

	must(copy && EVP_MD_CTX_copy_ex(copy, a->transcript) &&
	     EVP_DigestFinal_ex(copy, hash, NULL));
	EVP_MD_CTX_free(copy);
}

static void add_message(struct answer *a, uint8_t type, const uint8_t *body,
			size_t len)
{
	uint8_t *at = a->out + a->len;

	must(a->len + MESSAGE_HEADER + len <= RAW13_ANSWER_MAX);
	at[0] = type;
	at[1] = 0;
	at[2] = (uint8_t)(len >> 8);
	at[3] = (uint8_t)len;
	memcpy(at + MESSAGE_HEADER, body, len);
	must(EVP_DigestUpdate(a->transcript, at, MESSAGE_HEADER + len));
	a->len += MESSAGE_HEADER + len;
}

static uint8_t *put24(uint8_t *at, size_t value)
{
	*at++ = 0;
	*at++ = (uint8_t)(value >> 8);
	*at++ = (uint8_t)value;
	return at;
}

static void add_certificate(struct answer *a, const struct raw13_answer *how)
{
	uint8_t body[4096], *at = body;
	size_t len = 0;
	const uint8_t *der = NULL;

	if (how->who != RAW13_NOBODY)
		der = raw13_certificate(how->who, &len);
	*at++ = (uint8_t)a->context_len;
	if (a->context_len)
		memcpy(at, a->context, a->context_len);
	if (how->spoil_context)
		at[0] ^= 1;
	at += a->context_len;
	at = put24(at, der ? len + 5 : 0);
	if (der) {
		at = put24(at, len);
		memcpy(at, der, len);
		at += len;
		*at++ = 0;
		*at++ = 0;
	}
	add_message(a, RAW13_CERTIFICATE, body, (size_t)(at - body));
}

/* RFC 8446 s4.4.3 */
static void add_verify(struct answer *a, const struct raw13_answer *how)
{
	static const char label[] = "TLS 1.3, client CertificateVerify";
	enum raw13_who signer = how->signer ? how->signer : how->who;
	uint8_t content[64 + sizeof(label) + HASH_LEN];
	uint8_t body[4 + 512];
	size_t len = sizeof(body) - 4;

	memset(content, ' ', 64);
	memcpy(content + 64, label, sizeof(label));
	transcript_hash(a, content + 64 + sizeof(label));
	raw13_sign(signer, content, sizeof(content), body + 4, &len);
	body[0] = signer == RAW13_RSA ? 0x08 : 0x04;
	body[1] = signer == RAW13_RSA ? 0x04 : 0x03;
	body[2] = (uint8_t)(len >> 8);
	body[3] = (uint8_t)len;
	if (how->spoil_verify)
		body[4 + len - 1] ^= 1;
	add_message(a, RAW13_VERIFY, body, 4 + len);
}

static void add_finished(struct answer *a, const struct raw13_answer *how)
{
	uint8_t key[HASH_LEN], hash[HASH_LEN], mac[HASH_LEN];

	expand(a->raw->ours.secret, "finished", key, sizeof(key));
	transcript_hash(a, hash);
	must(HMAC(EVP_sha256(), key, sizeof(key), hash, sizeof(hash), mac,
		  NULL) != NULL);
	if (how->spoil_finished)
		mac[0] ^= 1;
	add_message(a, RAW13_FINISHED, mac, sizeof(mac));
}

size_t raw13_answer(struct raw13 *raw, const uint8_t *request, size_t len,
		    const struct raw13_answer *how, uint8_t *out)
{
	struct answer a = { .raw = raw, .out = out };

	a.transcript = EVP_MD_CTX_new();
	must(a.transcript && EVP_DigestInit(a.transcript, EVP_sha256()) &&
	     EVP_DigestUpdate(a.transcript, raw->handshake,
			      raw->handshake_len));
	if (request) {
		must(len > MESSAGE_HEADER && request[0] == RAW13_REQUEST &&
		     EVP_DigestUpdate(a.transcript, request, len));
		a.context_len = request[MESSAGE_HEADER];
		a.context = request + MESSAGE_HEADER + 1;
	}
	if (!how->no_certificate)
		add_certificate(&a, how);
	if (!how->no_verify && how->who != RAW13_NOBODY)
		add_verify(&a, how);
	if (!how->no_finished)
		add_finished(&a, how);
	EVP_MD_CTX_free(a.transcript);
	return a.len;
}
