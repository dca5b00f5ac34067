/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_verify.c - whose certificate a handshake has brought, and whether it is
 * good here: what the library's verify callback adds to its own checks, and
 * what a ticket's owner is asked again. Uses what tls_client.c has read.
 */
#include "tls_client_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wolfssl/wolfcrypt/sha256.h>

int tls__compare_tags(const void *a, const void *b)
{
	return memcmp(a, b, TAG_LEN);
}

/* What a ticket keeps of a certificate for revocation lists to come. */
int tls__client_tag(uint8_t out[TAG_LEN], struct der_span issuer,
		    struct der_span serial)
{
	uint8_t digest[WC_SHA256_DIGEST_SIZE];
	wc_Sha256 sha;
	int ret = wc_InitSha256(&sha);

	if (ret != 0)
		return -1;
	ret = wc_Sha256Update(&sha, issuer.at, (word32)issuer.len);
	if (ret == 0)
		ret = wc_Sha256Update(&sha, serial.at, (word32)serial.len);
	if (ret == 0)
		ret = wc_Sha256Final(&sha, digest);
	wc_Sha256Free(&sha);
	if (ret != 0)
		return -1;
	memcpy(out, digest, TAG_LEN);
	return 0;
}

bool tls__in_time(const struct der_certificate *cert, int64_t now_s)
{
	return cert->not_before_s <= now_s && now_s <= cert->not_after_s;
}

static bool same_name(struct der_span a, struct der_span b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

/* Of several anchors of one name the last to end counts. */
static bool is_anchored(const struct tls_client *client,
			struct der_span issuer, int64_t now_s,
			int64_t *until_s)
{
	size_t i;

	*until_s = INT64_MIN;
	for (i = 0; i < client->cas.n; i++)
		if (same_name(client->anchors[i].subject, issuer) &&
		    tls__in_time(&client->anchors[i], now_s) &&
		    client->anchors[i].not_after_s > *until_s)
			*until_s = client->anchors[i].not_after_s;
	return *until_s != INT64_MIN;
}

/*
 * The library has checked all signatures, but it keeps every intermediate
 * certificate that it has seen and never looks at the dates of a CA again. So
 * a chain must be whole as it was sent, up to an anchor whose time is not over.
 * *until_s: when the first of them ends, and with it every resumption.
 */
static bool is_whole(const struct tls_client *client,
		     const WOLFSSL_BUFFER_INFO *certs, int n, int64_t *until_s)
{
	struct der_certificate cert, next;
	int64_t now_s = time(NULL), anchor_s;
	int i;

	if (n < 1 || der_certificate(&cert, certs[0].buffer,
				     certs[0].length) < 0)
		return false;
	*until_s = cert.not_after_s;
	for (i = 1; !is_anchored(client, cert.issuer, now_s, &anchor_s); i++) {
		if (i >= n || der_certificate(&next, certs[i].buffer,
					      certs[i].length) < 0 ||
		    !same_name(next.subject, cert.issuer) ||
		    !tls__in_time(&next, now_s))
			return false;
		cert = next;
		if (cert.not_after_s < *until_s)
			*until_s = cert.not_after_s;
	}
	if (anchor_s < *until_s)
		*until_s = anchor_s;
	return true;
}

static int identify(struct stek_identity *out, const WOLFSSL_BUFFER_INFO *leaf,
		    int64_t until_s)
{
	struct der_certificate cert;

	if (der_certificate(&cert, leaf->buffer, leaf->length) < 0 ||
	    tls__client_tag(out->issuer_serial, cert.issuer, cert.serial) < 0 ||
	    wc_Sha256Hash(leaf->buffer, leaf->length, out->fingerprint) != 0)
		return -1;
	out->not_after_s = until_s;
	out->status = 1;
	return 0;
}

/* Only where they count: at hosts with roles. */
static int note_names(struct tls_client_view *view,
		      const WOLFSSL_BUFFER_INFO *leaf)
{
	if (!view->client->roles.n)
		return 0;
	free(view->names);
	view->names = malloc(TLS_NAMES_MAX);
	if (!view->names)
		return -1;
	return der_names(view->names, TLS_NAMES_MAX, leaf->buffer,
			 leaf->length);
}

/* Called for each certificate of a chain, the client's own as the last. */
int tls__on_certificate(int good, WOLFSSL_X509_STORE_CTX *store)
{
	struct tls_client_view *view = store->userCtx;
	struct stek_identity identity = { 0 };
	int64_t until_s;

	if (!good || !view || !view->client)
		return 0;
	if (store->error_depth > 0)
		return 1;
	if (store->totalCerts == 0) {	/* asked as well when none was sent */
		if (view->client->mode != CLIENT_REQUIRED)
			return 1;
		view->refused = FAIL_CERT_NONE;
		return 0;
	}
	if (!is_whole(view->client, store->certs, store->totalCerts,
		      &until_s)) {
		view->refused = FAIL_CERT_UNKNOWN_CA;
		store->error = ASN_NO_SIGNER_E;
		return 0;
	}
	if (identify(&identity, &store->certs[0], until_s) < 0 ||
	    note_names(view, &store->certs[0]) < 0) {
		view->refused = FAIL_OTHER;
		return 0;
	}
	if (view->again && memcmp(identity.fingerprint,
				  view->session->identity.fingerprint,
				  sizeof(identity.fingerprint)) != 0) {
		view->refused = FAIL_CERT_BAD;
		store->error = ASN_SIG_CONFIRM_E;
		return 0;
	}
	if (deny_has(view->client->deny, identity.fingerprint)) {
		view->refused = FAIL_CERT_DENIED;
		return 0;
	}
	view->session->identity = identity;
	return 1;
}

/* What may have changed since the certificate was verified. */
static bool is_good_still(const struct tls_client *client,
			  const struct stek_identity *identity, int64_t now_ms)
{
	if (identity->status != 1)
		return false;
	/* Which list it is that lapsed, a ticket cannot tell. */
	if (now_ms / 1000 > client->lists_until_s)
		return false;
	if (deny_has(client->deny, identity->fingerprint))
		return false;
	return !client->n_revoked ||
		!bsearch(identity->issuer_serial, client->revoked,
			 client->n_revoked, TAG_LEN, tls__compare_tags);
}

bool tls_client_admit(void *user, const struct stek_identity *identity,
		      int64_t now_ms)
{
	const struct tls_client *client = user;

	if (!client)
		return identity->status == 0;
	if (identity->status == 0)
		return client->mode != CLIENT_REQUIRED;
	/* A ticket holds no names: where a name decides, the certificate is to
	   be shown again. */
	if (client->roles.n &&
	    !role_is_by_fingerprint(client->roles, identity->fingerprint))
		return false;
	return is_good_still(client, identity, now_ms);
}

static const struct tls_client *client_of(const struct tls_hosts *hosts,
					  const struct settings_host *host)
{
	return hosts->host[host - hosts->settings->hosts].client;
}

uint64_t tls_hosts_mark(const struct tls_hosts *hosts,
			const struct settings_host *host)
{
	const struct tls_client *client = client_of(hosts, host);

	return client ? client->mark : 0;
}

bool tls_hosts_take_still(const struct tls_hosts *hosts,
			  const struct settings_host *host,
			  const struct stek_identity *identity, uint64_t mark,
			  int64_t now_ms)
{
	const struct tls_client *client = client_of(hosts, host);

	return client && client->mark == mark &&
		now_ms / 1000 <= identity->not_after_s &&
		is_good_still(client, identity, now_ms);
}

void tls_client_ask(struct tls_client_view *view, WOLFSSL *ssl, bool demand)
{
	int mode = WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_POST_HANDSHAKE;

	view->refused = FAIL_NONE;
	if (demand)
		mode |= WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	wolfSSL_set_verify(ssl, mode, tls__on_certificate);
}

void tls_client_watch(struct tls_client_view *view, WOLFSSL *ssl)
{
	wolfSSL_SetCertCbCtx(ssl, view);
}

