/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_pem.c - reads PEM files of several parts for tls_client.c. The library
 * would stop after the first list of a file, and skip a broken certificate
 * without a word.
 */
#include "tls_pem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/asn_public.h>

#define FILE_LEN_MAX (64L * 1024 * 1024)

static char *slurp(const char *path, size_t *len, char *why, size_t why_len)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	long size = -1;

	if (file && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	if (size < 0 || size > FILE_LEN_MAX) {
		snprintf(why, why_len, "%s: %s", path,
			 size < 0 ? strerror(errno) : "over 64 MiB");
		goto out;
	}
	rewind(file);
	text = calloc(1, (size_t)size + 1);
	if (!text || fread(text, 1, (size_t)size, file) != (size_t)size) {
		snprintf(why, why_len, "%s: cannot be read", path);
		free(text);
		text = NULL;
	}
	*len = (size_t)size;
out:
	if (file)
		fclose(file);
	return text;
}

static int add(struct tls_pem *pem, const char *text, size_t len, int type)
{
	struct tls_pem_part *parts;
	DerBuffer *der = NULL;
	int ret = wc_PemToDer((const unsigned char *)text, (long)len, type,
			      &der, NULL, NULL, NULL);

	if (ret != 0)
		return ret;
	parts = realloc(pem->parts, (pem->n + 1) * sizeof(*parts));
	if (parts) {
		pem->parts = parts;
		parts[pem->n].len = der->length;
		parts[pem->n].der = malloc(der->length);
	}
	if (!parts || !parts[pem->n].der) {
		wc_FreeDer(&der);
		return MEMORY_E;
	}
	memcpy(parts[pem->n].der, der->buffer, der->length);
	pem->n++;
	wc_FreeDer(&der);
	return 0;
}

int tls_pem_read(struct tls_pem *out, const char *path, int type, char *why,
		 size_t why_len)
{
	const char *begin = type == CRL_TYPE ? "-----BEGIN X509 CRL-----"
					     : "-----BEGIN CERTIFICATE-----";
	const char *at, *next;
	size_t len = 0;
	char *text = slurp(path, &len, why, why_len);
	int ret = 0;

	memset(out, 0, sizeof(*out));
	if (!text)
		return -1;
	for (at = strstr(text, begin); at && ret == 0; at = next) {
		next = strstr(at + 1, begin);
		ret = add(out, at, next ? (size_t)(next - at)
					: len - (size_t)(at - text), type);
		if (ret != 0)
			snprintf(why, why_len, "%s: part %zu is broken: %s",
				 path, out->n + 1,
				 wolfSSL_ERR_reason_error_string(
					(unsigned long)ret));
	}
	free(text);
	if (ret == 0 && out->n > 0)
		return 0;
	if (ret == 0)
		snprintf(why, why_len, "%s: no PEM part that begins with \"%s\"",
			 path, begin);
	tls_pem_clear(out);
	return -1;
}

void tls_pem_clear(struct tls_pem *pem)
{
	size_t i;

	for (i = 0; i < pem->n; i++)
		free(pem->parts[i].der);
	free(pem->parts);
	memset(pem, 0, sizeof(*pem));
}
