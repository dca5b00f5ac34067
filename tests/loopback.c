/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loopback.c - what loopback.h declares. Whatever fails here aborts the test.
 */
#include "loopback.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "generation.h"
#include "memhs_peer.h"
#include "quota.h"
#include "tls.h"

static char *page_names[] = { "www.example.com" };
static char *relay_names[] = { "relay.example.com" };
static char *proxy_names[] = { "proxy.example.com" };
static char *page_alpn[] = { "http/1.1" };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void any_port(struct settings_address *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&address->addr;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address->len = sizeof(*in);
	snprintf(address->text, sizeof(address->text), "127.0.0.1:0");
}

static void write_pair(struct loopback *loopback)
{
	static struct memhs_pair pair;
	const unsigned char *cert = pair.cert, *key = pair.key;
	X509 *x509;
	EVP_PKEY *pkey;
	FILE *file;

	memhs_peer_certificate(&pair);
	x509 = d2i_X509(NULL, &cert, pair.cert_len);
	pkey = d2i_AutoPrivateKey(NULL, &key, pair.key_len);
	snprintf(loopback->dir, sizeof(loopback->dir), "/tmp/stek.XXXXXX");
	must(mkdtemp(loopback->dir) != NULL);
	snprintf(loopback->cert, sizeof(loopback->cert), "%s/cert",
		 loopback->dir);
	snprintf(loopback->key, sizeof(loopback->key), "%s/key",
		 loopback->dir);
	file = fopen(loopback->cert, "w");
	must(file && PEM_write_X509(file, x509));
	fclose(file);
	file = fopen(loopback->key, "w");
	must(file && PEM_write_PrivateKey(file, pkey, NULL, NULL, 0, NULL,
					  NULL));
	fclose(file);
	X509_free(x509);
	EVP_PKEY_free(pkey);
}

static void open_backend(struct loopback *loopback)
{
	struct settings_address *address = &loopback->hosts[1].backend_address;

	any_port(address);
	loopback->backend = socket(AF_INET, SOCK_STREAM, 0);
	must(!bind(loopback->backend, (struct sockaddr *)&address->addr,
		   address->len) && !listen(loopback->backend, 8));
	must(!getsockname(loopback->backend, (struct sockaddr *)&address->addr,
			  &address->len));
	loopback->hosts[2].backend_address = *address;
}

static void set_hosts(struct loopback *loopback)
{
	struct settings_host *hosts = loopback->hosts;
	size_t i;

	hosts[0].names = page_names;
	hosts[0].alpn = page_alpn;
	hosts[0].n_alpn = 1;
	hosts[1].names = relay_names;
	hosts[2].names = proxy_names;
	hosts[2].send_proxy = PROXY_FORM_TLS;
	for (i = 0; i < LOOPBACK_HOSTS; i++) {
		hosts[i].n_names = 1;
		hosts[i].group = hosts[i].names[0];
		hosts[i].certificate = loopback->cert;
		hosts[i].key = loopback->key;
		hosts[i].tickets = 2;
		hosts[i].backend = i ? BACKEND_SOCKET : BACKEND_BUILTIN;
	}
}

struct loopback *loopback_new(struct stek_ring *ring)
{
	struct loopback *loopback = calloc(1, sizeof(*loopback));
	struct settings *settings;

	must(loopback != NULL);
	settings = &loopback->settings;
	loopback->farm = memnode_new("node-1", ring, NULL);
	stek__ring_unref(ring);
	write_pair(loopback);
	set_hosts(loopback);
	open_backend(loopback);
	any_port(&loopback->listen[0].address);
	any_port(&loopback->listen[1].address);
	loopback->listen[1].proxy_protocol = true;
	must(!subnet_parse(&loopback->from, "127.0.0.0/8"));
	loopback->listen[1].proxy_from = &loopback->from;
	loopback->listen[1].n_proxy_from = 1;
	settings->listen = loopback->listen;
	settings->n_listen = 2;
	settings->hosts = loopback->hosts;
	settings->n_hosts = LOOPBACK_HOSTS;
	settings->tls12 = settings->tls13 = true;
	settings->records_per_key = 1 << 24;
	/* Longer than any machine stands still; who tests one sets its own. */
	settings->handshake_timeout_ms = 40000;
	settings->idle_timeout_ms = 40000;
	settings->drain_timeout_ms = 20000;
	settings->max_connections = 100;
	settings->address_ipv6_bits = 64;
	return loopback;
}

static void give_up(const char *why)
{
	fprintf(stderr, "%s\n", why);
	abort();
}

void loopback_make(struct loopback *loopback)
{
	struct node *node = &loopback->node;
	struct generation *first;
	char why[256] = "";

	log_setup(LOG_ERROR, LOG_LOGFMT, "node-1");
	node->fixed = &loopback->settings;
	node->farm = &loopback->farm->farm;
	node->workers = loopback->workers;
	node->quota = quota_new(node->fixed->max_connections);
	must(node->quota != NULL);
	if (generation_new(&first, node, node->fixed, NULL, why, sizeof(why)))
		give_up(why);
	if (generation_install(node, first, why, sizeof(why)))
		give_up(why);
	if (worker_new(&loopback->worker, node, 0, why, sizeof(why)))
		give_up(why);
	loopback->workers[0] = loopback->worker;
	node->n_workers = 1;
}

void loopback_start(struct loopback *loopback)
{
	loopback_make(loopback);
	must(!worker_start(loopback->worker));
}

void loopback_free(struct loopback *loopback)
{
	if (loopback->worker) {
		worker_drain(loopback->worker);
		worker_join(loopback->worker);
	}
	worker_free(loopback->worker);
	quota_free(loopback->node.quota);
	generation_end(&loopback->node);
	memnode_free(loopback->farm);
	if (loopback->backend >= 0)
		close(loopback->backend);
	unlink(loopback->cert);
	unlink(loopback->key);
	rmdir(loopback->dir);
	free(loopback);
}

static void bound_waiting(int fd)
{
	const struct timeval limit = { .tv_sec = 50 };
	int one = 1;

	must(!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	must(!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
	must(!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
}

int loopback_connect(const struct loopback *loopback, size_t listener)
{
	struct settings_address address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(!worker_address(loopback->worker, listener, &address));
	must(!connect(fd, (struct sockaddr *)&address.addr, address.len));
	bound_waiting(fd);
	return fd;
}

int loopback_accept(const struct loopback *loopback)
{
	int fd = accept(loopback->backend, NULL, NULL);

	must(fd >= 0);
	bound_waiting(fd);
	return fd;
}

struct counters loopback_counters(const struct loopback *loopback)
{
	struct counters sum;

	node_counters(&loopback->node, &sum);
	return sum;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct client *client = SSL_get_app_data(ssl);

	SSL_SESSION_free(client->session);
	client->session = session;
	client->tickets++;
	return 1;
}

struct client *client_new(int fd, const char *server_name, int version)
{
	struct client *client = calloc(1, sizeof(*client));

	must(client != NULL);
	client->fd = fd;
	client->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(client->ctx, SSL_SESS_CACHE_CLIENT |
				       SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client->ctx, keep_session);
	if (version) {
		SSL_CTX_set_min_proto_version(client->ctx, version);
		SSL_CTX_set_max_proto_version(client->ctx, version);
	}
	client->ssl = SSL_new(client->ctx);
	SSL_set_app_data(client->ssl, client);
	SSL_set_bio(client->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client->ssl);
	if (server_name)
		SSL_set_tlsext_host_name(client->ssl, server_name);
	return client;
}

void client_offer(struct client *client, SSL_SESSION *session)
{
	SSL_SESSION_set_time(session, (long)time(NULL));
	must(SSL_set_session(client->ssl, session) == 1);
}

void client_free(struct client *client)
{
	/* Or SSL_free() would declare the tickets unusable. */
	SSL_set_shutdown(client->ssl, SSL_SENT_SHUTDOWN |
			 SSL_RECEIVED_SHUTDOWN);
	SSL_SESSION_free(client->session);
	SSL_free(client->ssl);
	SSL_CTX_free(client->ctx);
	if (client->fd >= 0)
		close(client->fd);
	free(client);
}

static void send_all(int fd, const char *bytes, size_t len)
{
	ssize_t n;

	for (; len; bytes += n, len -= (size_t)n) {
		do
			n = send(fd, bytes, len, MSG_NOSIGNAL);
		while (n < 0 && errno == EINTR);
		must(n > 0);
	}
}

void client_send(struct client *client)
{
	char buf[16384];
	int n;

	while ((n = BIO_read(SSL_get_wbio(client->ssl), buf, sizeof(buf))) > 0)
		send_all(client->fd, buf, (size_t)n);
}

bool client_recv(struct client *client)
{
	char buf[16384];
	ssize_t n;

	do
		n = recv(client->fd, buf, sizeof(buf), 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		client->eof = true;
		BIO_set_mem_eof_return(SSL_get_rbio(client->ssl), 0);
		return false;
	}
	must(BIO_write(SSL_get_rbio(client->ssl), buf, (int)n) == n);
	return true;
}

static int received_alert(void)
{
	int reason = ERR_GET_REASON(ERR_peek_last_error());

	return reason > SSL_AD_REASON_OFFSET ?
		reason - SSL_AD_REASON_OFFSET : 0;
}

bool client_handshake(struct client *client, bool hold, int *alert)
{
	int ret;

	*alert = 0;
	ERR_clear_error();
	while ((ret = SSL_do_handshake(client->ssl)) != 1) {
		if (SSL_get_error(client->ssl, ret) != SSL_ERROR_WANT_READ) {
			*alert = received_alert();
			return false;
		}
		client_send(client);
		(void)client_recv(client);
	}
	if (!hold)
		client_send(client);
	return true;
}

size_t client_read(struct client *client, void *buf, size_t len, bool *clean)
{
	size_t have = 0;
	int n, error;

	*clean = false;
	ERR_clear_error();
	while (have < len) {
		n = SSL_read(client->ssl, (char *)buf + have,
			     (int)(len - have));
		if (n > 0) {
			have += (size_t)n;
			continue;
		}
		error = SSL_get_error(client->ssl, n);
		if (error == SSL_ERROR_ZERO_RETURN) {
			*clean = true;
			break;
		}
		if (error != SSL_ERROR_WANT_READ)
			break;
		client_send(client);
		(void)client_recv(client);
	}
	return have;
}

const char *client_ask(struct client *client)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n"
		"Accept: application/json\r\nConnection: close\r\n\r\n";
	static char answer[8192];
	size_t len;
	bool clean;

	must(SSL_write(client->ssl, request, sizeof(request) - 1) > 0);
	client_send(client);
	len = client_read(client, answer, sizeof(answer) - 1, &clean);
	must(clean);
	answer[len] = '\0';
	return strstr(answer, "\r\n\r\n") ? strstr(answer, "\r\n\r\n") + 4 :
		answer;
}
