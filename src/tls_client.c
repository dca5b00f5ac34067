/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_client.c - client certificates: who may sign them and what is revoked,
 * read from the host's files. tls_hosts.c makes one for each host,
 * settings_client.c has the files read before anything starts; tls_verify.c
 * judges by it.
 */
#include "tls_client_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "log.h"
#include "text.h"

/*
 * All names go into one record of a TLS 1.2 CertificateRequest, and a longer
 * one than the library keeps would be cut. Beyond that none is sent, which lets
 * a client choose by itself (RFC 5246 s7.4.4).
 */
#define NAMES_LEN_MAX 8192
#define NAME_LEN_MAX 256

static int no_memory(char *why, size_t why_len)
{
	snprintf(why, why_len, "no memory");
	return -1;
}

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, WC_SHA256_DIGEST_SIZE);
}

/* The anchors' digest does not depend on their order in the file. */
static int read_anchors(struct tls_client *client, char *why, size_t why_len)
{
	const struct tls_pem *cas = &client->cas;
	uint8_t (*digests)[WC_SHA256_DIGEST_SIZE];
	size_t i;
	int ret = -1;

	client->anchors = calloc(cas->n, sizeof(*client->anchors));
	digests = calloc(cas->n, sizeof(*digests));
	if (!client->anchors || !digests) {
		no_memory(why, why_len);
		goto out;
	}
	for (i = 0; i < cas->n; i++) {
		if (der_certificate(&client->anchors[i], cas->parts[i].der,
				    cas->parts[i].len) < 0 ||
		    wc_Sha256Hash(cas->parts[i].der,
				  (word32)cas->parts[i].len, digests[i])) {
			snprintf(why, why_len, "%s: part %zu is no certificate",
				 client->ca_path, i + 1);
			goto out;
		}
	}
	qsort(digests, cas->n, sizeof(*digests), compare_digests);
	ret = wc_Sha256Hash((const byte *)digests,
			    (word32)(cas->n * sizeof(*digests)), client->trust);
out:
	free(digests);
	return ret == 0 ? 0 : -1;
}

static int add_revoked(struct tls_client *client, struct der_span issuer,
		       struct der_span serial)
{
	size_t n = client->n_revoked;
	void *more;

	/* Doubled whenever it is full: at powers of two. */
	if ((n & (n - 1)) == 0) {
		more = realloc(client->revoked, (n ? 2 * n : 1) * TAG_LEN);
		if (!more)
			return -1;
		client->revoked = more;
	}
	if (tls__client_tag(client->revoked[n], issuer, serial) < 0)
		return -1;
	client->n_revoked++;
	return 0;
}

static int read_list(struct tls_client *client, const struct tls_pem_part *part)
{
	struct der_span serial;
	struct der_list list;
	int more;

	if (der_list(&list, part->der, part->len) < 0)
		return -1;
	if (list.next_update_s < client->lists_until_s)
		client->lists_until_s = list.next_update_s;
	while ((more = der_list_next(&list, &serial)) > 0)
		if (add_revoked(client, list.issuer, serial) < 0)
			return -1;
	return more;
}

static int read_lists(struct tls_client *client, const char *path, char *why,
		      size_t why_len)
{
	size_t i;

	client->lists_until_s = INT64_MAX;
	if (!path)
		return 0;
	if (tls_pem_read(&client->lists, path, CRL_TYPE, why, why_len) < 0)
		return -1;
	for (i = 0; i < client->lists.n; i++) {
		if (read_list(client, &client->lists.parts[i]) < 0) {
			snprintf(why, why_len, "%s: part %zu is no revocation "
				 "list", path, i + 1);
			return -1;
		}
	}
	if (client->n_revoked)
		qsort(client->revoked, client->n_revoked, TAG_LEN,
		      tls__compare_tags);
	return 0;
}

char *tls_client_policy(const struct tls_client *client)
{
	static const char *const modes[] = {
		"none", "optional", "required", "after-handshake",
	};
	char trust[2 * WC_SHA256_DIGEST_SIZE + 1];
	char *text = NULL;

	if (!client)
		return strdup("client-auth=none\n");
	text_hex(trust, client->trust, sizeof(client->trust));
	if (asprintf(&text, "client-auth=%s\nclient-ca=%s\nclient-depth=%u\n"
		     "client-crl=%s\n", modes[client->mode], trust,
		     client->depth, client->lists.n ? "yes" : "no") < 0)
		return NULL;
	return text;
}

static int make_mark(struct tls_client *client)
{
	char *policy = tls_client_policy(client);
	uint8_t digest[WC_SHA256_DIGEST_SIZE];
	int ret = -1;

	if (policy)
		ret = wc_Sha256Hash((const byte *)policy,
				    (word32)strlen(policy), digest);
	free(policy);
	if (ret != 0)
		return -1;
	memcpy(&client->mark, digest, sizeof(client->mark));
	client->mark |= 1;
	return 0;
}

int tls_client_new(struct tls_client **out, const struct settings_host *host,
		   const char **option, char *why, size_t why_len)
{
	struct tls_client *client;

	*out = NULL;
	*option = "client_ca";
	if (host->client_auth == CLIENT_NONE)
		return 0;
	client = calloc(1, sizeof(*client));
	if (!client)
		return no_memory(why, why_len);
	client->mode = host->client_auth;
	client->depth = host->client_depth;
	client->roles = (struct host_roles){ host->roles, host->n_roles };
	client->ca_path = strdup(host->client_ca);
	if (!client->ca_path) {
		no_memory(why, why_len);
		goto refuse;
	}
	if (tls_pem_read(&client->cas, host->client_ca, CERT_TYPE, why,
			 why_len) < 0 ||
	    read_anchors(client, why, why_len) < 0)
		goto refuse;
	*option = "client_crl";
	if (read_lists(client, host->client_crl, why, why_len) < 0)
		goto refuse;
	if (make_mark(client) < 0) {
		no_memory(why, why_len);
		goto refuse;
	}
	*out = client;
	return 0;
refuse:
	tls_client_free(client);
	return -1;
}

void tls_client_free(struct tls_client *client)
{
	if (!client)
		return;
	tls_pem_clear(&client->cas);
	tls_pem_clear(&client->lists);
	free(client->anchors);
	free(client->revoked);
	free(client->ca_path);
	free(client);
}

void tls_client_deny(struct tls_client *client, struct deny *deny)
{
	if (client)
		client->deny = deny;
}

/* The library would take anybody's certificate for an anchor. */
static int load_anchor(WOLFSSL_CTX *ctx, const struct tls_pem_part *part)
{
	WOLFSSL_X509 *cert = NULL;
	int is_ca;

	cert = wolfSSL_X509_d2i(&cert, part->der, (int)part->len);
	is_ca = cert && wolfSSL_X509_get_isCA(cert);
	wolfSSL_X509_free(cert);
	if (!is_ca)
		return NOT_CA_ERROR;
	return wolfSSL_CTX_load_verify_buffer(ctx, part->der, (long)part->len,
					      WOLFSSL_FILETYPE_ASN1);
}

/*
 * One whose time is over, or has not come, is passed over as if it was not in
 * the file: a bundle must not stop a node on the day its oldest member ends.
 */
static int load_anchors(const struct tls_client *client, WOLFSSL_CTX *ctx,
			char *why, size_t why_len)
{
	int64_t now_s = time(NULL);
	size_t i;
	int ret;

	for (i = 0; i < client->cas.n; i++) {
		if (!tls__in_time(&client->anchors[i], now_s))
			continue;
		ret = load_anchor(ctx, &client->cas.parts[i]);
		if (ret == WOLFSSL_SUCCESS)
			continue;
		snprintf(why, why_len, "%s: part %zu is not a CA: %s",
			 client->ca_path, i + 1,
			 wolfSSL_ERR_reason_error_string((unsigned long)ret));
		return -1;
	}
#ifdef WOLFSSL_TRUST_PEER_CERT
	/* REQ-17: a CA is no peer; a clone with another key passed for one. */
	if (wolfSSL_CTX_Unload_trust_peers(ctx) != WOLFSSL_SUCCESS) {
		snprintf(why, why_len, "the library keeps CAs as peers");
		return -1;
	}
#endif
	return 0;
}

/* Lists that have lapsed count as missing: certificates they are of fail. */
static int load_lists(const struct tls_client *client, WOLFSSL_CTX *ctx,
		      char *why, size_t why_len)
{
	int64_t now_s = time(NULL);
	struct der_list list;
	size_t i;
	int ret;

	if (!client->lists.n)
		return 0;
	if (wolfSSL_CTX_EnableCRL(ctx, WOLFSSL_CRL_CHECKALL |
				  WOLFSSL_CRL_CHECK) != WOLFSSL_SUCCESS) {
		snprintf(why, why_len, "the library checks no revocation");
		return -1;
	}
	for (i = 0; i < client->lists.n; i++) {
		const struct tls_pem_part *part = &client->lists.parts[i];

		if (der_list(&list, part->der, part->len) == 0 &&
		    list.next_update_s < now_s)
			continue;
		ret = wolfSSL_CTX_LoadCRLBuffer(ctx, part->der,
						(long)part->len,
						WOLFSSL_FILETYPE_ASN1);
		if (ret == WOLFSSL_SUCCESS)
			continue;
		snprintf(why, why_len, "revocation list %zu: %s", i + 1,
			 wolfSSL_ERR_reason_error_string((unsigned long)ret));
		return -1;
	}
	return 0;
}

static int add_name(WOLF_STACK_OF(WOLFSSL_X509_NAME) *names,
		    const struct tls_pem_part *part)
{
	WOLFSSL_X509 *cert = NULL;
	WOLFSSL_X509_NAME *name = NULL;

	cert = wolfSSL_X509_d2i(&cert, part->der, (int)part->len);
	if (cert)
		name = wolfSSL_X509_NAME_dup(
			wolfSSL_X509_get_subject_name(cert));
	wolfSSL_X509_free(cert);
	if (name && wolfSSL_sk_X509_NAME_push(names, name) > 0)
		return 0;
	wolfSSL_X509_NAME_free(name);
	return -1;
}

/* Tells clients which of their certificates to choose, RFC 8446 s4.2.4. */
static int send_names(const struct tls_client *client, WOLFSSL_CTX *ctx,
		      char *why, size_t why_len)
{
	WOLF_STACK_OF(WOLFSSL_X509_NAME) *names;
	size_t i, len = 0;

	for (i = 0; i < client->cas.n; i++) {
		len += 2 + client->anchors[i].subject.len;
		if (client->anchors[i].subject.len > NAME_LEN_MAX)
			return 0;
	}
	if (len > NAMES_LEN_MAX)
		return 0;
	names = wolfSSL_sk_X509_NAME_new(NULL);
	if (!names)
		return no_memory(why, why_len);
	/* Each is put before those that are there. */
	for (i = client->cas.n; i > 0; i--) {
		if (add_name(names, &client->cas.parts[i - 1]) < 0) {
			wolfSSL_sk_X509_NAME_pop_free(names, NULL);
			snprintf(why, why_len, "%s: part %zu: its name cannot "
				 "be sent", client->ca_path, i);
			return -1;
		}
	}
	wolfSSL_CTX_set_client_CA_list(ctx, names);
	return 0;
}

int tls_client_apply(const struct tls_client *client, WOLFSSL_CTX *ctx,
		     const char **option, char *why, size_t why_len)
{
	int mode = WOLFSSL_VERIFY_PEER;

	*option = "client_ca";
	if (!client) {
		wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
		return 0;
	}
	if (client->mode == CLIENT_REQUIRED)
		mode |= WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	/* Such a host asks nobody within the handshake: tls_ask.c. */
	if (client->mode == CLIENT_AFTER_HANDSHAKE)
		mode = WOLFSSL_VERIFY_NONE;
	wolfSSL_CTX_set_verify(ctx, mode, tls__on_certificate);
	wolfSSL_CTX_set_verify_depth(ctx, (int)client->depth);
	if (load_anchors(client, ctx, why, why_len) < 0 ||
	    send_names(client, ctx, why, why_len) < 0)
		return -1;
	*option = "client_crl";
	return load_lists(client, ctx, why, why_len);
}

void tls_client_warn(const struct tls_client *client, const char *host)
{
	int64_t now_s = time(NULL);
	size_t i;

	for (i = 0; client && i < client->cas.n; i++)
		if (!tls__in_time(&client->anchors[i], now_s))
			log_event(LOG_WARN, "client CA is out of its time",
				  "host", LOG_STR, host, "file", LOG_STR,
				  client->ca_path, "part", LOG_INT,
				  (int64_t)(i + 1), NULL);
	if (client && client->lists_until_s < now_s)
		log_event(LOG_WARN, "a revocation list has lapsed: its "
			  "clients are refused", "host", LOG_STR, host, NULL);
}

int tls_check_client(const struct settings_host *host, const char **option,
		     char *why, size_t why_len)
{
	struct tls_client *client;
	WOLFSSL_CTX *ctx;
	int ret;

	*option = "client_ca";
	if (tls__need_library(why, why_len) < 0)
		return -1;
	ctx = wolfSSL_CTX_new(wolfTLS_server_method());
	if (!ctx)
		return no_memory(why, why_len);
	ret = tls_client_new(&client, host, option, why, why_len);
	if (ret == 0)
		ret = tls_client_apply(client, ctx, option, why, why_len);
	tls_client_free(client);
	wolfSSL_CTX_free(ctx);
	return ret;
}
