/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wolfssl.c - joins a WOLFSSL_CTX to a farm: computes once what binds its
 * tickets, sets lifetime and cache, and installs the callback of
 * wolfssl_callback.c. Called by the application at set-up and around each
 * connection, never from within a handshake.
 */
#include "wolfssl_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secret.h"

static int explain(int error, char *why, size_t why_len, const char *text)
{
	if (why && why_len)
		snprintf(why, why_len, "%s", text);
	return error;
}

static void suites_read(struct stek_host *host, const char *list)
{
	byte first, second;
	char name[64];
	int flags;

	while (list && *list && host->n_suites < STEK_SUITES_MAX) {
		size_t len = strcspn(list, ":");

		if (len < sizeof(name)) {
			memcpy(name, list, len);
			name[len] = '\0';
			if (!wolfSSL_get_cipher_suite_from_name(
				    name, &first, &second, &flags))
				host->suites[host->n_suites++] =
					(uint16_t)(first << 8 | second);
		}
		list += len + (list[len] == ':');
	}
}

static int scopes_make(struct stek_host *host,
		       const struct stek_wolfssl_options *options)
{
	uint8_t layout[STEK_LAYOUT_NAME_LEN];
	struct stek_ticket_scope scope = {
		.farm = host->farm->name, .tls_version = STEK_TLS12,
		.layout = layout, .layout_len = sizeof(layout),
	};
	int ret;

	if (options) {
		scope.policy = options->policy;
		scope.policy_len = options->policy_len;
	}
	stek__layout_name(layout);
	ret = stek__ticket_aad(&host->aad12, &scope);
	if (ret)
		return ret;
	scope.tls_version = STEK_TLS13;
	return stek__ticket_aad(&host->aad13, &scope);
}

int stek_wolfssl_attach(struct stek_host **out, struct stek_farm *farm,
			struct WOLFSSL_CTX *ctx,
			const struct stek_wolfssl_options *options, char *why,
			size_t why_len)
{
	struct stek_host *host;
	int ret = stek__layout_prove(why, why_len);

	if (ret)
		return ret;
	ret = stek__layout_prepare(ctx, farm->policy.lifetime_s);
	if (ret == STEK_EINVAL)
		return explain(ret, why, why_len,
			       "lifetime_s: expected 1 to 604800 seconds");
	if (ret)
		return explain(ret, why, why_len,
			       "wolfSSL refused the ticket lifetime or the session cache mode");
	host = calloc(1, sizeof(*host));
	if (!host)
		return explain(STEK_ENOMEM, why, why_len, "out of memory");
	host->farm = farm;
	host->ctx = ctx;
	ret = scopes_make(host, options);
	if (ret) {
		free(host);
		return explain(ret, why, why_len, "SHA-256 failed");
	}
	if (options) {
		suites_read(host, options->ciphers);
		host->admit = options->admit;
		host->user = options->user;
	}
	if (wolfSSL_CTX_set_TicketEncCtx(ctx, host) != WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_set_TicketEncCb(ctx, stek__ticket_callback) !=
	    WOLFSSL_SUCCESS) {
		free(host);
		return explain(STEK_ELIBRARY, why, why_len,
			       "wolfSSL refused the ticket callback");
	}
	*out = host;
	return 0;
}

void stek_wolfssl_detach(struct stek_host *host)
{
	if (!host)
		return;
	(void)wolfSSL_CTX_set_TicketEncCb(host->ctx, NULL);
	(void)wolfSSL_CTX_set_TicketEncCtx(host->ctx, NULL);
	free(host);
}

int stek_wolfssl_session(struct WOLFSSL *ssl, struct stek_session *session)
{
	return stek__slot_set_session(ssl, session);
}

void stek_wolfssl_settle(struct WOLFSSL *ssl)
{
	struct stek_session *session = stek__slot_session(ssl);

	bool finished;

	if (!session)
		return;
	/* "Reused" is set before the client has proved that it holds a secret. */
	finished = wolfSSL_is_init_finished(ssl);
	stek__session_settle(session, true,
			     finished && wolfSSL_session_reused(ssl));
	if (!finished)
		stek__wipe(&session->identity, sizeof(session->identity));
}

size_t stek_wolfssl_ticket_len(void)
{
	return STEK_TICKET_LEN;
}
