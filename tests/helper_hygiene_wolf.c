// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper_hygiene_wolf.c - a TLS server of wolfSSL's whose tickets have the faults
 * that OpenSSL does not let its servers have, for hygiene_audit.sh. It serves one
 * connection after another and says "listening" when it does.
 *
 *	helper_hygiene_wolf --port PORT --host CERT KEY [FAULT...]
 *
 *	--lifetime S	(3600) hint so many seconds, in TLS 1.3 too
 *	--clear		tickets are authenticated, but not encrypted
 *	--no-mac	tickets are encrypted, but not authenticated
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/random.h>

#define WAIT_S 10

struct faults {
	bool clear, no_mac;
};

static WC_RNG rng;
static byte cipher_key[16], mac_key[32], own_name[WOLFSSL_TICKET_NAME_SZ];

static void die(const char *what)
{
	fprintf(stderr, "helper_hygiene_wolf: %s\n", what);
	exit(1);
}

/* The key stream of GCM is the same both ways; nobody looks at its tag. */
static int scramble(const byte *iv, byte *ticket, int len)
{
	byte tag[AES_BLOCK_SIZE];
	Aes aes;
	int rc;

	if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
		return -1;
	rc = wc_AesGcmSetKey(&aes, cipher_key, sizeof(cipher_key));
	if (rc == 0)
		rc = wc_AesGcmEncrypt(&aes, ticket, ticket, (word32)len, iv,
				      GCM_NONCE_MID_SZ, tag, sizeof(tag), NULL,
				      0);
	wc_AesFree(&aes);
	return rc;
}

/* wolfSSL takes back no ticket that is as it was: one bit is changed. */
static int hide(const struct faults *faults, const byte *iv, byte *ticket,
		int len)
{
	if (!faults->clear)
		return scramble(iv, ticket, len);
	ticket[0] ^= 1;
	return 0;
}

static int mac_of(const byte *iv, const byte *ticket, int len, byte out[32])
{
	Hmac hmac;
	int rc = wc_HmacInit(&hmac, NULL, INVALID_DEVID);

	if (rc != 0)
		return rc;
	rc = wc_HmacSetKey(&hmac, WC_SHA256, mac_key, sizeof(mac_key));
	if (rc == 0)
		rc = wc_HmacUpdate(&hmac, iv, WOLFSSL_TICKET_IV_SZ);
	if (rc == 0)
		rc = wc_HmacUpdate(&hmac, ticket, (word32)len);
	if (rc == 0)
		rc = wc_HmacFinal(&hmac, out);
	wc_HmacFree(&hmac);
	return rc;
}

static int seal(const struct faults *faults, byte *iv, byte *mac, byte *ticket,
		int len)
{
	if (wc_RNG_GenerateBlock(&rng, iv, WOLFSSL_TICKET_IV_SZ) != 0 ||
	    hide(faults, iv, ticket, len) != 0 ||
	    mac_of(iv, ticket, len, mac) != 0)
		return WOLFSSL_TICKET_RET_FATAL;
	return WOLFSSL_TICKET_RET_OK;
}

static int on_ticket(WOLFSSL *ssl, byte name[WOLFSSL_TICKET_NAME_SZ],
		     byte iv[WOLFSSL_TICKET_IV_SZ],
		     byte mac[WOLFSSL_TICKET_MAC_SZ], int sealing, byte *ticket,
		     int len, int *out_len, void *arg)
{
	const struct faults *faults = arg;
	byte due[32];

	(void)ssl;
	*out_len = len;
	if (sealing) {
		memcpy(name, own_name, sizeof(own_name));
		return seal(faults, iv, mac, ticket, len);
	}
	if (memcmp(name, own_name, sizeof(own_name)) != 0)
		return WOLFSSL_TICKET_RET_REJECT;
	if (!faults->no_mac && (mac_of(iv, ticket, len, due) != 0 ||
				memcmp(mac, due, sizeof(due)) != 0))
		return WOLFSSL_TICKET_RET_REJECT;
	if (hide(faults, iv, ticket, len) != 0)
		return WOLFSSL_TICKET_RET_REJECT;
	return WOLFSSL_TICKET_RET_OK;
}

static void serve(WOLFSSL_CTX *ctx, int fd)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
				     "Connection: close\r\n\r\nok";
	struct timeval patience = {.tv_sec = WAIT_S};
	WOLFSSL *ssl = wolfSSL_new(ctx);
	char request[4096];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!ssl || wolfSSL_set_fd(ssl, fd) != WOLFSSL_SUCCESS)
		die("no connection");
	if (wolfSSL_accept(ssl) == WOLFSSL_SUCCESS &&
	    wolfSSL_read(ssl, request, sizeof(request)) > 0 &&
	    wolfSSL_write(ssl, answer, sizeof(answer) - 1) > 0)
		wolfSSL_shutdown(ssl);
	wolfSSL_free(ssl);
	close(fd);
}

static void listen_on(WOLFSSL_CTX *ctx, const char *port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	addr.sin_port = htons((uint16_t)atoi(port));
	if (fd < 0)
		die("no socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(fd, 64) != 0)
		die("cannot listen");
	puts("listening");
	fflush(stdout);
	for (;;) {
		int one_fd = accept(fd, NULL, NULL);

		if (one_fd >= 0)
			serve(ctx, one_fd);
	}
}

static WOLFSSL_CTX *context(const char *cert, const char *key, int lifetime_s,
			    struct faults *faults)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfSSLv23_server_method());

	if (!ctx || !cert || !key ||
	    wolfSSL_CTX_use_certificate_chain_file(ctx, cert) !=
		    WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_use_PrivateKey_file(ctx, key, WOLFSSL_FILETYPE_PEM) !=
		    WOLFSSL_SUCCESS)
		die("no such host");
	wolfSSL_CTX_set_TicketEncCb(ctx, on_ticket);
	wolfSSL_CTX_set_TicketEncCtx(ctx, faults);
	wolfSSL_CTX_set_TicketHint(ctx, lifetime_s);
	return ctx;
}

int main(int argc, char **argv)
{
	static struct faults faults;
	const char *port = NULL, *cert = NULL, *key = NULL;
	int lifetime_s = 3600;

	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--clear") == 0)
			faults.clear = true;
		else if (strcmp(argv[i], "--no-mac") == 0)
			faults.no_mac = true;
		else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc)
			port = argv[++i];
		else if (strcmp(argv[i], "--lifetime") == 0 && i + 1 < argc)
			lifetime_s = atoi(argv[++i]);
		else if (strcmp(argv[i], "--host") == 0 && i + 2 < argc) {
			cert = argv[++i];
			key = argv[++i];
		} else
			die("wrong usage");
	}
	if (!port || wolfSSL_Init() != WOLFSSL_SUCCESS ||
	    wc_InitRng(&rng) != 0 ||
	    wc_RNG_GenerateBlock(&rng, cipher_key, sizeof(cipher_key)) != 0 ||
	    wc_RNG_GenerateBlock(&rng, mac_key, sizeof(mac_key)) != 0 ||
	    wc_RNG_GenerateBlock(&rng, own_name, sizeof(own_name)) != 0)
		die("wrong usage");
	listen_on(context(cert, key, lifetime_s, &faults), port);
}
