/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_facts.c - what a finished handshake has agreed on, for the log, the page
 * and the backend.
 */
#include "tls_private.h"

#include <ctype.h>
#include <string.h>

static void copy_lower(char *to, size_t cap, const void *from, size_t len)
{
	const unsigned char *bytes = from;
	size_t i;

	if (len >= cap)
		len = cap - 1;
	for (i = 0; i < len; i++)
		to[i] = (char)tolower(bytes[i]);
	to[len] = '\0';
}

void tls_facts(const struct tls *tls, struct tls_facts *out)
{
	bool tls13 = wolfSSL_version(tls->ssl) == TLS1_3_VERSION;
	int suite = wolfSSL_get_current_cipher_suite(tls->ssl);
	const char *group;
	void *name = NULL;
	char *alpn = NULL;
	word16 len = 0;

	memset(out, 0, sizeof(*out));
	out->kind = tls13 ? TLS_KIND_13 : TLS_KIND_12;
	out->version = tls13 ? "TLSv1.3" : "TLSv1.2";
	out->suite = wolfSSL_get_cipher_name_iana_from_suite(
		(unsigned char)(suite >> 8), (unsigned char)suite);
	if (wolfSSL_ALPN_GetProtocol(tls->ssl, &alpn, &len) == WOLFSSL_SUCCESS)
		/* Not lower-cased: protocol names are bytes (RFC 7301). */
		memcpy(out->alpn, alpn, len < sizeof(out->alpn) ?
		       len : sizeof(out->alpn) - 1);
	group = wolfSSL_get_curve_name(tls->ssl);
	if (group)
		/* Of its names the case alone is not the standard's. */
		copy_lower(out->group, sizeof(out->group), group,
			   strlen(group));
	out->signature = tls->own->signature;
	out->key = tls->own->key[0] ? tls->own->key : NULL;
	len = wolfSSL_SNI_GetRequest(tls->ssl, WOLFSSL_SNI_HOST_NAME, &name);
	if (name)
		copy_lower(out->server_name, sizeof(out->server_name), name,
			   len);
}

void tls_client_names(const struct tls *tls, char out[TLS_NAMES_MAX])
{
	if (tls->client.names)
		memcpy(out, tls->client.names, TLS_NAMES_MAX);
	else
		memset(out, 0, TLS_NAMES_MAX);
}
