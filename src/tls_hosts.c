/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_hosts.c - the wolfSSL contexts of every host: certificate, suites,
 * groups, versions, and the join to the farm. stekd.c makes them before the
 * workers start; settings.c has certificates checked here.
 */
#include "tls_private.h"
#include "tls_client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Always explicit: the library's own lists have held NULL and RC4, a list
 * without TLS 1.3 names turns 1.3 off, and all nodes must prefer alike.
 */
static const char default_ciphers[] =
	"TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:"
	"TLS13-CHACHA20-POLY1305-SHA256:"
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/* P-256 first: its key exchange costs half of X25519's in this library. */
static const char default_groups[] = "P-256:X25519:P-384";

#define TLS13_FIRST_BYTE 0x13	/* of its suites, RFC 8446 B.4 */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_ready;

static void start_library(void)
{
	library_ready = wolfSSL_Init() == WOLFSSL_SUCCESS;
}

int tls__need_library(char *why, size_t why_len)
{
	pthread_once(&library_once, start_library);
	if (library_ready)
		return 0;
	snprintf(why, why_len, "wolfSSL does not start");
	return -1;
}

static int say(char *why, size_t why_len, const char *what, const char *file,
	       int error)
{
	char text[WOLFSSL_MAX_ERROR_SZ];

	wolfSSL_ERR_error_string_n((unsigned long)error, text, sizeof(text));
	snprintf(why, why_len, "%s: %s: %s", file, what, text);
	return -1;
}

static int load_pair(WOLFSSL_CTX *ctx, const char *cert, const char *key,
		     char *why, size_t why_len)
{
	int ret;

	ret = wolfSSL_CTX_use_certificate_chain_file(ctx, cert);
	if (ret != WOLFSSL_SUCCESS)
		return say(why, why_len, "no PEM certificate chain was read",
			   cert, ret);
	ret = wolfSSL_CTX_use_PrivateKey_file(ctx, key, WOLFSSL_FILETYPE_PEM);
	if (ret != WOLFSSL_SUCCESS)
		return say(why, why_len, "no PEM private key was read", key,
			   ret);
	if (wolfSSL_CTX_check_private_key(ctx) == WOLFSSL_SUCCESS)
		return 0;
	snprintf(why, why_len, "%s: does not belong to the certificate %s", key,
		 cert);
	return -1;
}

int tls_check_pair(const char *cert, const char *key, char *why,
		   size_t why_len)
{
	WOLFSSL_CTX *ctx;
	int ret;

	if (tls__need_library(why, why_len) < 0)
		return -1;
	ctx = wolfSSL_CTX_new(wolfTLS_server_method());
	if (!ctx) {
		snprintf(why, why_len, "no memory");
		return -1;
	}
	ret = load_pair(ctx, cert, key, why, why_len);
	wolfSSL_CTX_free(ctx);
	return ret;
}

static WOLFSSL_METHOD *versions(const struct settings *settings)
{
	if (!settings->tls13)
		return wolfTLSv1_2_server_method();
	if (!settings->tls12)
		return wolfTLSv1_3_server_method();
	return wolfTLS_server_method();
}

static const char *ciphers_of(const struct settings *settings)
{
	return settings->ciphers ? settings->ciphers : default_ciphers;
}

/*
 * The library drops names that it does not know without a word, and a list
 * without one of TLS 1.3 turns that version off.
 */
static int check_ciphers(const struct settings *settings, char *why,
			 size_t why_len)
{
	const char *at = ciphers_of(settings);
	bool tls13 = false, tls12 = false;
	char name[64];
	unsigned char first, second;
	int flags;

	while (*at) {
		size_t len = strcspn(at, ":");

		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		at += len + (at[len] == ':');
		if (len >= sizeof(name) ||
		    wolfSSL_get_cipher_suite_from_name(name, &first, &second,
						       &flags) != 0) {
			snprintf(why, why_len, "tls.ciphers: the library has "
				 "no suite \"%s\"", name);
			return -1;
		}
		if (first == TLS13_FIRST_BYTE)
			tls13 = true;
		else
			tls12 = true;
	}
	if (settings->tls13 > tls13 || settings->tls12 > tls12) {
		snprintf(why, why_len, "tls.ciphers: no suite for TLSv1.%d, "
			 "which tls.versions asks for",
			 settings->tls13 > tls13 ? 3 : 2);
		return -1;
	}
	return 0;
}

static const char *groups_of(const struct settings *settings)
{
	return settings->groups ? settings->groups : default_groups;
}

static int set_options(WOLFSSL_CTX *ctx, const struct settings *settings,
		       char *why, size_t why_len)
{
	const char *ciphers = ciphers_of(settings);
	const char *groups = groups_of(settings);

	if (settings->tls12 && settings->tls13 &&
	    wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) !=
	    WOLFSSL_SUCCESS) {
		snprintf(why, why_len, "the library refuses TLS 1.2");
		return -1;
	}
	if (wolfSSL_CTX_set_cipher_list(ctx, ciphers) != WOLFSSL_SUCCESS) {
		snprintf(why, why_len, "the library knows no suite of \"%s\"",
			 ciphers);
		return -1;
	}
	if (wolfSSL_CTX_set1_groups_list(ctx, groups) != WOLFSSL_SUCCESS) {
		snprintf(why, why_len, "the library refuses the groups \"%s\"",
			 groups);
		return -1;
	}
	wolfSSL_CTX_set_options(ctx, WOLFSSL_OP_CIPHER_SERVER_PREFERENCE);
	(void)wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
	return 0;
}

/*
 * The name that the library keeps from the hello is compared with the gate's
 * after the handshake; it keeps one only if some name is configured.
 */
static int keep_server_name(WOLFSSL_CTX *ctx, char *why, size_t why_len)
{
	static const char any[] = "stekd";

	if (wolfSSL_CTX_UseSNI(ctx, WOLFSSL_SNI_HOST_NAME, any,
			       sizeof(any) - 1) != WOLFSSL_SUCCESS) {
		snprintf(why, why_len, "the library refuses server names");
		return -1;
	}
	wolfSSL_CTX_SNI_SetOptions(ctx, WOLFSSL_SNI_HOST_NAME,
				   WOLFSSL_SNI_CONTINUE_ON_MISMATCH |
				   WOLFSSL_SNI_ANSWER_ON_MISMATCH);
	return 0;
}

static WOLFSSL_CTX *make_context(const struct tls_client *client,
				 const struct settings *settings,
				 const struct settings_host *host, char *why,
				 size_t why_len)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(versions(settings));
	const char *option;

	if (!ctx) {
		snprintf(why, why_len, "no memory for a TLS context");
		return NULL;
	}
	tls__wire_callbacks(ctx);
	(void)wolfSSL_CTX_own_alerts(ctx);
	if (set_options(ctx, settings, why, why_len) < 0 ||
	    keep_server_name(ctx, why, why_len) < 0 ||
	    load_pair(ctx, host->certificate, host->key, why, why_len) < 0 ||
	    tls_client_apply(client, ctx, &option, why, why_len) < 0) {
		wolfSSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static int join_alpn(struct tls_host *own, const struct settings_host *host)
{
	size_t len = 1, i;

	if (!host->n_alpn)
		return 0;
	for (i = 0; i < host->n_alpn; i++)
		len += strlen(host->alpn[i]) + 1;
	own->alpn = calloc(1, len);
	if (!own->alpn)
		return -1;
	for (i = 0; i < host->n_alpn; i++) {
		if (i)
			strcat(own->alpn, ",");
		strcat(own->alpn, host->alpn[i]);
	}
	return 0;
}

/* What two hosts must agree on to resume each other's sessions, as text. */
static char *policy_text(const struct tls_host *own,
			 const struct settings_host *host)
{
	const char *group = host->group;
	char *client = tls_client_policy(own->client);
	char *text = NULL;

	if (!group)
		group = host->n_names ? host->names[0] : "";
	if (client && asprintf(&text, "group=%s\n%salpn=%s\n", group, client,
			       own->alpn ? own->alpn : "") < 0)
		text = NULL;
	free(client);
	return text;
}

static int join_farm(struct tls_host *own, const struct settings *settings,
		     const struct settings_host *host, struct stek_farm *farm,
		     char *why, size_t why_len)
{
	char *policy = policy_text(own, host);
	struct stek_wolfssl_options options = { 0 };
	int ret;

	if (!policy) {
		snprintf(why, why_len, "no memory");
		return -1;
	}
	options.policy = policy;
	options.policy_len = strlen(policy);
	options.ciphers = ciphers_of(settings);
	options.admit = tls_client_admit;
	options.user = own->client;
	ret = stek_wolfssl_attach(&own->join, farm,
				  own->ticketed, &options,
				  why, why_len);
	free(policy);
	return ret < 0 ? -1 : 0;
}

static int fill_host(struct tls_host *own, const struct settings *settings,
		     const struct settings_host *host, struct stek_farm *farm,
		     char *why, size_t why_len)
{
	const char *option;

	if (join_alpn(own, host) < 0) {
		snprintf(why, why_len, "no memory");
		return -1;
	}
	if (tls_client_new(&own->client, host, &option, why, why_len) < 0)
		return -1;
	tls_client_warn(own->client, host->n_names ? host->names[0] : "");
	own->ticketed = make_context(own->client, settings, host, why,
				     why_len);
	own->plain = own->ticketed ?
		make_context(own->client, settings, host, why, why_len) : NULL;
	if (!own->plain)
		return -1;
	tls__describe_certificate(own, host->certificate);
	(void)wolfSSL_CTX_no_ticket_TLSv13(own->plain);
	(void)wolfSSL_CTX_NoTicketTLSv12(own->plain);
	/* tls.c sends them all. */
	(void)wolfSSL_CTX_set_num_tickets(own->ticketed, 0);
	/* RFC 9325 s3.4: never resume without a fresh key exchange. */
	(void)wolfSSL_CTX_only_dhe_psk(own->ticketed);
	return join_farm(own, settings, host, farm, why, why_len);
}

int tls_hosts_new(struct tls_hosts **out, const struct settings *settings,
		  struct stek_farm *farm, char *why, size_t why_len)
{
	struct tls_hosts *hosts;
	size_t i;

	if (tls__need_library(why, why_len) < 0 ||
	    check_ciphers(settings, why, why_len) < 0)
		return -1;
	hosts = calloc(1, sizeof(*hosts));
	if (hosts)
		hosts->host = calloc(settings->n_hosts + 1,
				     sizeof(*hosts->host));
	if (!hosts || !hosts->host) {
		free(hosts);
		snprintf(why, why_len, "no memory");
		return -1;
	}
	hosts->settings = settings;
	hosts->farm = farm;
	hosts->groups = tls__groups(groups_of(settings));
	for (i = 0; i < settings->n_hosts; i++) {
		if (fill_host(&hosts->host[i], settings, &settings->hosts[i],
			      farm, why, why_len) < 0) {
			tls_hosts_free(hosts);
			return -1;
		}
	}
	*out = hosts;
	return 0;
}

void tls_hosts_deny(struct tls_hosts *hosts, struct deny *deny)
{
	size_t i;

	for (i = 0; i < hosts->settings->n_hosts; i++)
		tls_client_deny(hosts->host[i].client, deny);
}

void tls_hosts_free(struct tls_hosts *hosts)
{
	size_t i;

	if (!hosts)
		return;
	for (i = 0; i < hosts->settings->n_hosts; i++) {
		struct tls_host *own = &hosts->host[i];

		stek_wolfssl_detach(own->join);
		if (own->ticketed)
			wolfSSL_CTX_free(own->ticketed);
		if (own->plain)
			wolfSSL_CTX_free(own->plain);
		tls_client_free(own->client);
		free(own->alpn);
	}
	free(hosts->host);
	free(hosts);
}
