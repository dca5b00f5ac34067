/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_client.h - what a host demands of its clients' certificates. One for
 * each host, made with its contexts and immutable from then on.
 */
#ifndef STEKD_TLS_CLIENT_H
#define STEKD_TLS_CLIENT_H

#include "tls_hosts.h"

#include <stek_wolfssl.h>

struct tls_client;

/*
 * Reads the host's files. 0, or -1 with a line in `why` and in *option the
 * option at fault. A host without client authentication has NULL for *out.
 */
int tls_client_new(struct tls_client **out, const struct settings_host *host,
		   const char **option, char *why, size_t why_len);
void tls_client_free(struct tls_client *client);

/* Refuses whom `deny` has; before the first connection. NULL is legal. */
void tls_client_deny(struct tls_client *client, struct deny *deny);

/* Makes the context ask and judge as the host demands. 0, or -1 with `why`. */
int tls_client_apply(const struct tls_client *client, WOLFSSL_CTX *ctx,
		     const char **option, char *why, size_t why_len);

/*
 * What two hosts must agree on to resume each other's sessions: mode, anchors,
 * depth, and whether lists of revoked certificates are asked. Of a host
 * without client authentication too. The caller frees it; NULL without memory.
 */
char *tls_client_policy(const struct tls_client *client);

/*
 * The admit of stek_wolfssl_options: whether the owner of a ticket may still
 * resume. `user` is the host's struct tls_client, or NULL.
 */
bool tls_client_admit(void *user, const struct stek_identity *identity,
		      int64_t now_ms);

/* One connection's part; the library's verify callback fills it. */
struct tls_client_view {
	const struct tls_client *client;
	struct stek_session *session;
	bool again;		/* asked once more: by the same certificate */
	enum failure refused;	/* our own verdict on a certificate that the
				   library takes; FAIL_NONE: none */
	char *names;		/* in it, where they count: TLS_NAMES_MAX */
};

/* Logs what was passed over, so that clients are refused for it. */
void tls_client_warn(const struct tls_client *client, const char *host);

/*
 * Makes the connection judge the answer to a request after its handshake; with
 * `demand` no certificate is none.
 */
void tls_client_ask(struct tls_client_view *view, WOLFSSL *ssl, bool demand);

/* Right after wolfSSL_new(); `view` must outlive the handshake. */
void tls_client_watch(struct tls_client_view *view, WOLFSSL *ssl);

#endif
