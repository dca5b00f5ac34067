/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * https.c - a small wolfSSL server that joins a farm by libstek: it resumes the
 * sessions that stekd issued, and stekd those of this one. See README.md here.
 *
 *	https PORT CERTIFICATE KEY FARM NODE FARM_KEY STORE_URL GROUP
 */
#include <arpa/inet.h>
#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <stek_wolfssl.h>

#define TIMEOUT_S 10

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	(void)signal;
	stopping = 1;
}

static struct stek_farm *join(char **arg)
{
	const struct stek_farm_options options = {
		.farm = arg[0],
		.node = arg[1],
		.farm_key_file = arg[2],
		.store_url = arg[3],
	};
	struct stek_farm *farm;
	char why[256];

	if (stek_farm_open(&farm, &options, why, sizeof(why)) != 0)
		errx(1, "%s", why);
	if (stek_farm_start(farm) != 0)
		errx(1, "cannot start the farm's thread");
	return farm;
}

/* What a resumption must agree on: here as stekd's plain hosts have it. */
static struct stek_host *attach(struct stek_farm *farm, WOLFSSL_CTX *ctx,
				const char *group)
{
	char policy[256], why[256];
	const struct stek_wolfssl_options options = {
		.policy = policy,
		.policy_len = (size_t)snprintf(policy, sizeof(policy),
			"group=%s\nclient-auth=none\nalpn=\n", group),
	};
	struct stek_host *host;

	if (options.policy_len >= sizeof(policy))
		errx(1, "the group's name is too long");
	if (stek_wolfssl_attach(&host, farm, ctx, &options, why,
				sizeof(why)) != 0)
		errx(1, "%s", why);
	return host;
}

static WOLFSSL_CTX *make_context(const char *certificate, const char *key)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfSSLv23_server_method());

	if (ctx == NULL ||
	    wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_use_certificate_chain_file(ctx, certificate) !=
	    WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_use_PrivateKey_file(ctx, key, WOLFSSL_FILETYPE_PEM) !=
	    WOLFSSL_SUCCESS)
		errx(1, "%s or %s: cannot be used", certificate, key);
	/* Resumption never goes without a fresh key exchange. */
	if (wolfSSL_CTX_only_dhe_psk(ctx) != 0)
		errx(1, "this wolfSSL has no TLS 1.3 server");
	return ctx;
}

/* One request, whose answer says what became of the client's ticket. */
static void serve(WOLFSSL_CTX *ctx, int fd)
{
	const struct timeval timeout = { .tv_sec = TIMEOUT_S };
	struct stek_session session = { 0 };
	WOLFSSL *ssl = wolfSSL_new(ctx);
	char text[4096], body[128];
	bool done;
	int len;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (ssl == NULL || stek_wolfssl_session(ssl, &session) != 0)
		goto out;
	wolfSSL_set_fd(ssl, fd);
	done = wolfSSL_accept(ssl) == WOLFSSL_SUCCESS;
	stek_wolfssl_settle(ssl);
	if (!done || wolfSSL_read(ssl, text, sizeof(text)) <= 0)
		goto out;
	snprintf(body, sizeof(body),
		 "{\"outcome\":\"%s\",\"issuer_id\":\"%08" PRIx32 "\"}\n",
		 stek_outcome_name(session.outcome), session.issuer);
	len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n"
		       "Content-Type: application/json\r\nContent-Length: %zu\r\n"
		       "Connection: close\r\n\r\n%s", strlen(body), body);
	if (wolfSSL_write(ssl, text, len) == len)
		wolfSSL_shutdown(ssl);
out:
	wolfSSL_free(ssl);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct sigaction action = { .sa_handler = stop };
	struct stek_farm *farm;
	struct stek_host *host;
	WOLFSSL_CTX *ctx;
	int fd = socket(AF_INET, SOCK_STREAM, 0), client, one = 1;

	if (argc != 9 || atoi(argv[1]) < 1 || atoi(argv[1]) > UINT16_MAX)
		errx(2, "usage: https PORT CERTIFICATE KEY FARM NODE FARM_KEY "
		     "STORE_URL GROUP");
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	at.sin_port = htons((uint16_t)atoi(argv[1]));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(fd, 128) != 0)
		err(1, "port %s", argv[1]);
	farm = join(argv + 4);
	ctx = make_context(argv[2], argv[3]);
	host = attach(farm, ctx, argv[8]);
	while (!stopping)
		if ((client = accept(fd, NULL, NULL)) >= 0)
			serve(ctx, client);
	stek_wolfssl_detach(host);
	wolfSSL_CTX_free(ctx);
	stek_farm_close(farm);
	return 0;
}
