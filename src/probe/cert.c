/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates of the handshake command: the server's as they came, and the
 * client's own as its file has it. Names in them are foreign bytes, so all text
 * goes through clean_text().
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "alert.h"
#include "cert.h"

static void name_text(char *out, size_t size, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	out[0] = '\0';
	if (!bio)
		return;
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
	len = BIO_get_mem_data(bio, &text);
	if (len > 0)
		clean_text(out, size, text, (size_t)len);
	BIO_free(bio);
}

static int64_t seconds(const ASN1_TIME *time)
{
	struct tm tm;

	return time && ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
}

static void one_name(char *out, size_t size, const GENERAL_NAME *name)
{
	int type = 0;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
	const unsigned char *raw;
	int len, family;

	out[0] = '\0';
	if (type != GEN_DNS && type != GEN_IPADD)
		return;
	raw = ASN1_STRING_get0_data(value);
	len = ASN1_STRING_length(value);
	family = len == 4 ? AF_INET : AF_INET6;
	if (type == GEN_DNS)
		clean_text(out, size, raw, (size_t)len);
	else if (len == 4 || len == 16)
		inet_ntop(family, raw, out, (socklen_t)size);
}

static void alternative_names(char *out, size_t size, X509 *x509)
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	size_t at = 0;
	char one[260];

	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		one_name(one, sizeof(one), sk_GENERAL_NAME_value(names, i));
		if (one[0] == '\0' || at + strlen(one) + 3 > size)
			continue;
		at += (size_t)snprintf(out + at, size - at, "%s%s",
				       at ? ", " : "", one);
	}
	GENERAL_NAMES_free(names);
}

static void key_text(char *out, size_t size, X509 *x509)
{
	const EVP_PKEY *key = X509_get0_pubkey(x509);
	const char *type = key ? EVP_PKEY_get0_type_name(key) : NULL;
	char group[40] = "";

	if (!type) {
		snprintf(out, size, "unknown");
		return;
	}
	if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1)
		snprintf(out, size, "%s %s", type, group);
	else
		snprintf(out, size, "%s %d", type, EVP_PKEY_get_bits(key));
}

void cert_read(struct cert *out, X509 *x509)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	int nid = X509_get_signature_nid(x509);

	*out = (struct cert){
		.not_before_s = seconds(X509_get0_notBefore(x509)),
		.not_after_s = seconds(X509_get0_notAfter(x509)),
	};
	name_text(out->subject, sizeof(out->subject),
		  X509_get_subject_name(x509));
	name_text(out->issuer, sizeof(out->issuer), X509_get_issuer_name(x509));
	alternative_names(out->names, sizeof(out->names), x509);
	key_text(out->key, sizeof(out->key), x509);
	snprintf(out->signature, sizeof(out->signature), "%s",
		 nid == NID_undef ? "unknown" : OBJ_nid2ln(nid));
	if (X509_digest(x509, EVP_sha256(), digest, &len) == 1) {
		for (unsigned int i = 0; i < len && i < 32; i++)
			sprintf(out->fingerprint + 2 * i, "%02x", digest[i]);
	}
	ERR_clear_error();
}

int cert_own_read(struct cert_own *out, const char *path)
{
	FILE *file = fopen(path, "re");
	X509 *x509;

	*out = (struct cert_own){0};
	while (file && (x509 = PEM_read_X509(file, NULL, NULL, NULL))) {
		if (out->n++ == 0) {
			out->not_before_s =
				seconds(X509_get0_notBefore(x509));
			out->not_after_s = seconds(X509_get0_notAfter(x509));
			out->for_clients = X509_get_extended_key_usage(x509) &
					   XKU_SSL_CLIENT;
		}
		X509_free(x509);
	}
	if (file)
		fclose(file);
	ERR_clear_error();
	out->given = out->n > 0;
	return out->given ? 0 : -1;
}
