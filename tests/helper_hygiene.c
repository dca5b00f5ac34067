// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper_hygiene.c - a TLS server of OpenSSL's with faults in its tickets, for
 * hygiene_audit.sh. Without an option it is as clean as OpenSSL can be. It
 * serves one connection after another and says "listening" when it does.
 *
 *	helper_hygiene --port PORT --host NAME CERT KEY... [FAULT...]
 *
 *	--auth NAME CA     (none) that host demands a client certificate
 *	--share            one session id context for all hosts
 *	--lifetime S       hint so many seconds; it is kept to
 *	--rotate S         (none) a new key every so many seconds; the last opens
 *	--ecb              tickets are encrypted block by block
 *	--fatal            a ticket under an unknown key ends the handshake
 *	--big N            N bytes more in each ticket
 *	--psk-ke           resumes without a key exchange
 *	--legacy           resumes without extended_master_secret
 *	--early            early data, and as often as it comes
 *	--secret WORD      (random) what the keys of tickets are made from
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#define HOSTS_MAX 4
#define WAIT_S 10

struct host {
	const char *name;
	SSL_CTX *ctx;
	bool demands;
};

static struct host hosts[HOSTS_MAX];
static size_t n_hosts;
static bool share, ecb, fatal, psk_ke, legacy, early;
static long lifetime_s = 7200, rotate_s;
static size_t big;
static uint8_t secret[32];

static void die(const char *what)
{
	fprintf(stderr, "helper_hygiene: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

/* ---- tickets ---------------------------------------------------------------- */

/* The key of a period: derived, so that none has to be kept. */
static void key_of(long period, uint8_t out[64])
{
	uint8_t in[sizeof(secret) + sizeof(period)];

	memcpy(in, secret, sizeof(secret));
	memcpy(in + sizeof(secret), &period, sizeof(period));
	if (!EVP_Digest(in, sizeof(in), out, NULL, EVP_sha512(), NULL))
		die("no digest");
}

static long period_now(void)
{
	return rotate_s ? (long)time(NULL) / rotate_s : 0;
}

static const EVP_CIPHER *cipher(void)
{
	return ecb ? EVP_aes_128_ecb() : EVP_aes_128_cbc();
}

static int use_key(const uint8_t key[64], uint8_t *iv, EVP_CIPHER_CTX *ctx,
		   EVP_MAC_CTX *mac, int seal)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
						  (void *)(key + 32), 32),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						 (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	       EVP_CipherInit_ex(ctx, cipher(), NULL, key + 16, iv, seal) == 1;
}

static int on_key(SSL *ssl, unsigned char *name, unsigned char *iv,
		  EVP_CIPHER_CTX *ctx, EVP_MAC_CTX *mac, int seal)
{
	long now = period_now();
	uint8_t key[64];

	(void)ssl;
	if (seal) {
		key_of(now, key);
		memcpy(name, key, 16);
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
			return -1;
		return use_key(key, iv, ctx, mac, 1) ? 1 : -1;
	}
	for (long p = now; p >= 0 && p + 1 >= now; p--) {
		key_of(p, key);
		if (memcmp(name, key, 16) == 0)
			return use_key(key, iv, ctx, mac, 0) ? 1 : -1;
	}
	return fatal ? -1 : 0;
}

/* More in the ticket. */
static int on_make(SSL *ssl, void *arg)
{
	static uint8_t more[16000];

	(void)arg;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), more,
					       big);
}

/* OpenSSL itself lets a session of TLS 1.3 outlive its hint by some time. */
static SSL_TICKET_RETURN on_open(SSL *ssl, SSL_SESSION *session,
				 const unsigned char *name, size_t name_len,
				 SSL_TICKET_STATUS status, void *arg)
{
	(void)ssl;
	(void)name;
	(void)name_len;
	(void)arg;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (time(NULL) - SSL_SESSION_get_time(session) > lifetime_s)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	/* A new one tells the client at once that it is in. */
	return SSL_TICKET_RETURN_USE_RENEW;
}

/* ---- hosts ------------------------------------------------------------------ */

/* The server name of a ClientHello, RFC 6066 s3; "" if there is none. */
static void name_of(SSL *ssl, char out[256])
{
	const unsigned char *at = NULL;
	size_t len = 0;

	out[0] = '\0';
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at,
				       &len) ||
	    len < 5 || len - 5 > 255)
		return;
	memcpy(out, at + 5, len - 5);
	out[len - 5] = '\0';
}

/* Before a session is looked for, so that it is that of the host. */
static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct host *host = &hosts[0];
	const unsigned char *at = NULL;
	char name[256];
	size_t len = 0;

	(void)alert;
	(void)arg;
	name_of(ssl, name);
	for (size_t i = 0; i < n_hosts; i++) {
		if (strcmp(hosts[i].name, name) == 0)
			host = &hosts[i];
	}
	SSL_set_SSL_CTX(ssl, host->ctx);
	SSL_set_session_id_context(ssl, share ? (const uint8_t *)"all" :
				   (const uint8_t *)host->name,
				   share ? 3 : (unsigned)strlen(host->name));
	if (host->demands)
		SSL_set_verify(ssl, SSL_VERIFY_PEER |
				    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	/* A session that is not to be resumed gets no ticket. */
	if (!legacy && !SSL_client_hello_get0_ext(
			       ssl, TLSEXT_TYPE_extended_master_secret, &at,
			       &len))
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
	return SSL_CLIENT_HELLO_SUCCESS;
}

static void add_host(const char *name, const char *cert, const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || n_hosts == HOSTS_MAX ||
	    SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		die("no such host");
	hosts[n_hosts++] = (struct host){.name = name, .ctx = ctx};
}

static void demand(const char *name, const char *ca)
{
	for (size_t i = 0; i < n_hosts; i++) {
		if (strcmp(hosts[i].name, name) != 0)
			continue;
		if (SSL_CTX_load_verify_file(hosts[i].ctx, ca) != 1)
			die("no CA");
		hosts[i].demands = true;
		return;
	}
	die("--auth names no --host");
}

static void set_up(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, lifetime_s);
	SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_key);
	SSL_CTX_set_session_ticket_cb(ctx, big ? on_make : NULL, on_open, NULL);
	if (psk_ke) {
		SSL_CTX_set_options(ctx, SSL_OP_ALLOW_NO_DHE_KEX);
		if (SSL_CTX_set1_groups_list(ctx, "X25519:P-256") != 1)
			die("no groups");
	}
	if (early) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_ANTI_REPLAY);
		SSL_CTX_set_max_early_data(ctx, 4096);
		SSL_CTX_set_recv_max_early_data(ctx, 4096);
	}
}

/* ---- connections ------------------------------------------------------------ */

static void serve(int fd)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
				     "Connection: close\r\n\r\nok";
	struct timeval patience = {.tv_sec = WAIT_S};
	SSL *ssl = SSL_new(hosts[0].ctx);
	char request[4096];
	size_t n = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!ssl || SSL_set_fd(ssl, fd) != 1)
		die("no connection");
	if (early && SSL_read_early_data(ssl, request, sizeof(request), &n) ==
		     SSL_READ_EARLY_DATA_SUCCESS)
		printf("early %zu\n", n);
	if (SSL_accept(ssl) == 1 &&
	    (n > 0 || SSL_read(ssl, request, sizeof(request)) > 0) &&
	    SSL_write(ssl, answer, sizeof(answer) - 1) > 0)
		SSL_shutdown(ssl);
	ERR_print_errors_fp(stdout);
	fflush(stdout);
	SSL_free(ssl);
	close(fd);
}

static void listen_on(const char *port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	addr.sin_port = htons((uint16_t)atoi(port));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(fd, 64) != 0)
		die("cannot listen");
	puts("listening");
	fflush(stdout);
	for (;;) {
		int one_fd = accept(fd, NULL, NULL);

		if (one_fd >= 0)
			serve(one_fd);
	}
}

/* ---- options ---------------------------------------------------------------- */

static bool flag(const char *text)
{
	static const struct { const char *name; bool *to; } flags[] = {
		{"--share", &share}, {"--ecb", &ecb}, {"--fatal", &fatal},
		{"--psk-ke", &psk_ke}, {"--legacy", &legacy},
		{"--early", &early},
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(text, flags[i].name) != 0)
			continue;
		*flags[i].to = true;
		return true;
	}
	return false;
}

/* How many words the option takes; 0: it is none. */
static int take(char **at, const char **port)
{
	if (flag(at[0]))
		return 1;
	if (!at[1])
		return 0;
	if (strcmp(at[0], "--port") == 0)
		*port = at[1];
	else if (strcmp(at[0], "--lifetime") == 0)
		lifetime_s = atol(at[1]);
	else if (strcmp(at[0], "--rotate") == 0)
		rotate_s = atol(at[1]);
	else if (strcmp(at[0], "--secret") == 0)
		EVP_Digest(at[1], strlen(at[1]), secret, NULL, EVP_sha256(),
			   NULL);
	else if (strcmp(at[0], "--big") == 0)
		big = (size_t)atol(at[1]);
	else if (strcmp(at[0], "--auth") == 0 && at[2])
		return demand(at[1], at[2]), 3;
	else if (strcmp(at[0], "--host") == 0 && at[2] && at[3])
		return add_host(at[1], at[2], at[3]), 4;
	else
		return 0;
	return 2;
}

int main(int argc, char **argv)
{
	const char *port = NULL;
	int n;

	signal(SIGPIPE, SIG_IGN);
	if (RAND_bytes(secret, sizeof(secret)) != 1)
		die("no random bytes");
	for (int i = 1; i < argc; i += n) {
		n = take(argv + i, &port);
		if (n == 0)
			die("wrong usage");
	}
	if (!port || n_hosts == 0 || big > 16000)
		die("wrong usage");
	for (size_t i = 0; i < n_hosts; i++)
		set_up(hosts[i].ctx);
	listen_on(port);
}
