/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds out which node has answered, for balanced.c: by a header field or
 * stekd's page, which name it, else by certificate and ticket key. Nodes that
 * share their keys and certificate look the same that way, so what it tells
 * apart is a group of nodes, never said to be one.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>
#include <openssl/x509.h>

#include "who.h"

const char *who_evidence_name(enum who_evidence evidence)
{
	static const char *const names[] = {"address", "header", "page",
					    "certificate_and_key", "unknown"};

	return names[evidence];
}

/*
 * The certificate that came with this handshake. A resumed one brings none:
 * what OpenSSL shows then is that of the session, that is, of the issuer.
 */
static void read_certificate(struct who *out, const struct conn *conn)
{
	X509 *cert = conn->resumed ? NULL
				   : SSL_get0_peer_certificate(conn->ssl);
	unsigned char hash[SHA256_DIGEST_LENGTH];
	unsigned len = 0;

	if (!cert || X509_digest(cert, EVP_sha256(), hash, &len) != 1)
		return;
	memcpy(out->cert, hash, WHO_CERT_LEN);
	out->has_cert = true;
}

/*
 * The key's name in the tickets that came. Two of one connection that differ
 * mean that this server's tickets do not begin with such a name.
 */
static void read_key(struct who *out, const struct conn *conn)
{
	uint8_t other[KEY_NAME_LEN];

	if (conn->n_tickets == 0 ||
	    !tls_ticket_name(conn->tickets[0], out->key))
		return;
	for (size_t i = 1; i < conn->n_tickets; i++) {
		if (!tls_ticket_name(conn->tickets[i], other) ||
		    memcmp(out->key, other, KEY_NAME_LEN) != 0)
			return;
	}
	out->has_key = true;
}

void who_read(struct who *out, const struct conn *conn, const char *header)
{
	*out = (struct who){.evidence = WHO_UNKNOWN};
	read_certificate(out, conn);
	read_key(out, conn);
	if (header && page_header(conn->reply, conn->reply_len, header,
				  out->name)) {
		out->evidence = WHO_HEADER;
	} else if (conn->page.known && conn->page.node[0]) {
		out->evidence = WHO_PAGE;
		strcpy(out->name, conn->page.node);
	} else if (out->has_key || out->has_cert) {
		out->evidence = WHO_KEY;
		out->name[0] = '\0';
	}
}

bool who_same_group(const struct who *group, const struct who *seen)
{
	if (group->evidence != WHO_KEY || seen->evidence != WHO_KEY)
		return false;
	if (group->has_key != seen->has_key ||
	    (group->has_key &&
	     memcmp(group->key, seen->key, KEY_NAME_LEN) != 0))
		return false;
	if (!group->has_cert || !seen->has_cert)
		return group->has_key;
	return memcmp(group->cert, seen->cert, WHO_CERT_LEN) == 0;
}

void who_group_name(char out[PAGE_NAME_LEN], const struct who *who, bool both)
{
	const uint8_t *k = who->key, *c = who->cert;
	int len = 0;

	out[0] = '\0';
	if (who->has_key)
		len = snprintf(out, PAGE_NAME_LEN, "key-%02x%02x%02x%02x", k[0],
			       k[1], k[2], k[3]);
	if (who->has_cert && (both || !who->has_key))
		snprintf(out + len, PAGE_NAME_LEN - (size_t)len,
			 "%scert-%02x%02x%02x%02x", len ? "-" : "", c[0], c[1],
			 c[2], c[3]);
}
