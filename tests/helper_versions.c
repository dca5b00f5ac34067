/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_versions.c - says which versions of its libraries a program of this
 * build runs with, as they say it themselves: "NAME VERSION" a line. Called by
 * tests/check_cves.sh.
 */
#include <stdio.h>

#include <curl/curl.h>
#include <cyaml/cyaml.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <uv.h>

/* Of <wolfssl/ssl.h>, which does not stand beside OpenSSL's headers. */
const char *wolfSSL_lib_version(void);

int main(void)
{
	printf("wolfssl %s\n", wolfSSL_lib_version());
	/* Linked statically, and has no call for it. */
	printf("hiredis %d.%d.%d\n", HIREDIS_MAJOR, HIREDIS_MINOR,
	       HIREDIS_PATCH);
	printf("libmicrohttpd %s\n", MHD_get_version());
	printf("libuv %s\n", uv_version_string());
	printf("libcyaml %s\n", cyaml_version_str);
	printf("jansson %s\n", jansson_version_str());
	printf("libcurl %s\n", curl_version_info(CURLVERSION_NOW)->version);
	printf("openssl %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
	return 0;
}
