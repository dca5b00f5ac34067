// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conn_world.c - what conn_world.h declares. Both libraries' random numbers and
 * the monotonic clock are this file's, the former by the linker's --wrap.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "conn_world.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"

#define TURNS 3

struct world world;

/* --- what would differ from run to run --- */

struct WC_RNG;
int __wrap_wc_RNG_GenerateBlock(struct WC_RNG *rng, uint8_t *out,
				uint32_t len);
int __wrap_wc_RNG_GenerateByte(struct WC_RNG *rng, uint8_t *out);
int __wrap_stek__random(void *out, size_t len);

static uint64_t dice = 1;
static int64_t clock_ns = INT64_C(1000000000000);

static int roll(uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		dice ^= dice << 13;
		dice ^= dice >> 7;
		dice ^= dice << 17;
		out[i] = (uint8_t)(dice >> 32);
	}
	return 0;
}

int __wrap_wc_RNG_GenerateBlock(struct WC_RNG *rng, uint8_t *out, uint32_t len)
{
	(void)rng;
	return roll(out, len);
}

int __wrap_wc_RNG_GenerateByte(struct WC_RNG *rng, uint8_t *out)
{
	(void)rng;
	return roll(out, 1);
}

int __wrap_stek__random(void *out, size_t len)
{
	return roll(out, len);
}

static int roll_openssl(unsigned char *out, int len)
{
	return roll(out, (size_t)len) == 0;
}

static int dice_are_there(void)
{
	return 1;
}

/* libuv's clock is the input's; what asks for the date gets it. */
int clock_gettime(clockid_t id, struct timespec *out)
{
	if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE)
		return (int)syscall(SYS_clock_gettime, id, out);
	out->tv_sec = clock_ns / 1000000000;
	out->tv_nsec = clock_ns % 1000000000;
	return 0;
}

void world_must(int fact)
{
	if (!fact)
		abort();
}

/* --- the farm: one node, five hosts --- */

static struct loopback *loopback;
static struct settings_host hosts[WORLD_HOSTS];
static struct stek_ring *rings[2];	/* the usual one, and none to seal */
static SSL_SESSION *kept[2][WORLD_HOSTS];	/* of TLS 1.2 and 1.3 */
static char ca_path[96];
static char *names[WORLD_HOSTS] = { "www.example.com", "relay.example.com",
	"proxy.example.com", "must.example.com", "after.example.com" };
static const int version_of[] = { TLS1_2_VERSION, TLS1_3_VERSION, 0,
	TLS1_3_VERSION };

enum { PAGE, RELAY, ANNOUNCED, MTLS, AFTER };

static void at_unix_socket(struct settings_address *address, int *fd)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&address->addr;

	/* It had another address. */
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	/* In the abstract name space: it goes with the process. */
	snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, "stekd-fuzz-%d",
		 (int)getpid());
	address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				   strlen(un->sun_path + 1));
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	world_must(!bind(*fd, (struct sockaddr *)un, address->len));
	world_must(!listen(*fd, 8));
}

static int unix_backend = -1;

static void set_hosts(void)
{
	for (size_t i = 0; i < WORLD_HOSTS; i++) {
		hosts[i] = loopback->hosts[i < 3 ? i : 0];
		hosts[i].names = &names[i];
		hosts[i].group = names[i];
		hosts[i].client_ca = i >= ANNOUNCED ? ca_path : NULL;
		hosts[i].client_depth = 4;
	}
	at_unix_socket(&hosts[RELAY].backend_address, &unix_backend);
	hosts[ANNOUNCED].client_auth = CLIENT_OPTIONAL;
	hosts[ANNOUNCED].send_proxy = PROXY_FORM_TLS_CRC;
	hosts[MTLS].client_auth = CLIENT_REQUIRED;
	hosts[AFTER].client_auth = CLIENT_AFTER_HANDSHAKE;
	hosts[AFTER].client_decline = CLIENT_CONTINUE;
	hosts[AFTER].client_reauth_s = 5;
}

void world_make(void)
{
	static RAND_METHOD method;

	method.bytes = method.pseudorand = roll_openssl;
	method.status = dice_are_there;
	world_must(RAND_set_rand_method(&method));
	rings[0] = memnode_ring_default();
	rings[1] = memnode_ring(NULL, 0);
	loopback = loopback_new(stek__ring_ref(rings[0]));
	snprintf(ca_path, sizeof(ca_path), "%s/ca", loopback->dir);
	raw13_write_ca(ca_path);
	set_hosts();
	loopback->settings.hosts = hosts;
	loopback->settings.n_hosts = WORLD_HOSTS;
	loopback->settings.records_per_key = 8;
	loopback->settings.total_timeout_ms = 60000;
	loopback_make(loopback);
	log_setup(LOG_ERROR, LOG_LOGFMT, "fuzz");
	world_must(!fcntl(loopback->backend, F_SETFL, O_NONBLOCK));
	/* All of it is read: a target that ends leaves nothing behind. */
	unlink(ca_path);
	unlink(loopback->cert);
	unlink(loopback->key);
	rmdir(loopback->dir);
}

/* --- one connection --- */

/* What `way` has sent and the other end has not seen yet begins so. */
#define ARRIVES(way, buf, n) do { \
	world_must((n) <= (way)->len - (way)->arrived); \
	world_must(!memcmp((buf), (way)->bytes + (way)->arrived, (n))); \
	(way)->arrived += (n); \
} while (0)

static void read_backend(void)
{
	static uint8_t buf[32768];
	ssize_t n;

	if (world.backend < 0 && world.listens) {
		world.backend = accept4(world.host == RELAY ? unix_backend :
				      loopback->backend, NULL, NULL,
				      SOCK_NONBLOCK);
		world.listens = world.backend < 0;
	}
	if (world.backend < 0)
		return;
	/* The header before them is fuzz_proxy's. */
	while ((n = recv(world.backend, buf, sizeof(buf), 0)) > 0)
		if (world.host == RELAY)
			ARRIVES(&world.up, buf, (size_t)n);
}

static void hear_by_hand(void)
{
	static uint8_t buf[RAW13_RECORD_MAX];
	uint8_t type;
	size_t n;

	while (raw13_next(world.raw, &type, buf, &n)) {
		if (type == RAW13_DATA && world.host == RELAY)
			ARRIVES(&world.down, buf, n);
		if (type == RAW13_HANDSHAKE && buf[0] == RAW13_REQUEST &&
		    n <= sizeof(world.request)) {
			memcpy(world.request, buf, n);
			world.request_len = n;
		}
	}
}

static void hear(void)
{
	static uint8_t buf[16384];
	int n;

	ERR_clear_error();
	if (world.by_hand) {
		hear_by_hand();
		return;
	}
	while (world.shaken &&
	       (n = SSL_read(world.client->ssl, buf, sizeof(buf))) > 0)
		if (world.host == RELAY)
			ARRIVES(&world.down, buf, (size_t)n);
}

static void read_client(void)
{
	static uint8_t buf[32768];
	ssize_t n;

	while (!world.stalled && world.client->fd >= 0 &&
	       (n = recv(world.client->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		world_must(BIO_write(SSL_get_rbio(world.client->ssl), buf,
				     (int)n) == n);
	hear();
}

void world_pass_ms(int64_t ms)
{
	clock_ns += ms * 1000000;
}

void world_drain(void)
{
	if (loopback->worker->conns)
		conn_drain(loopback->worker->conns);
}

void world_turn(void)
{
	for (int i = 0; i < TURNS; i++) {
		watches_turn(&loopback->worker->watches, false);
		read_backend();
		read_client();
	}
}

void world_put(const uint8_t *bytes, size_t len, size_t piece)
{
	int refused = 0;

	while (len && refused < 8) {
		ssize_t n = send(world.client->fd, bytes,
				 len < piece ? len : piece,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			return;
		refused = n < 0 ? refused + 1 : 0;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
		world_turn();
	}
}

void world_flush(size_t piece, size_t spoil_at, uint8_t spoil_with)
{
	static uint8_t buf[2 * WORLD_SENT_MAX];
	int n = BIO_read(SSL_get_wbio(world.client->ssl), buf, sizeof(buf));

	if (n <= 0 || world.client->fd < 0)
		return;
	buf[spoil_at % (size_t)n] ^= spoil_with;
	world_put(buf, (size_t)n, piece);
}

void world_shake(void)
{
	ERR_clear_error();
	if (world.shaken || SSL_do_handshake(world.client->ssl) != 1)
		return;
	world.shaken = true;
	world.by_hand = world.raw != NULL;
	if (world.by_hand)
		raw13_take_over(world.raw);
}

/* --- its beginning and its end --- */

static struct counters before;

static void choose_client(uint8_t first, uint8_t second)
{
	SSL *ssl;
	unsigned version = first >> 3 & 3;

	world.host = first & 7;
	if (world.host >= WORLD_HOSTS)
		world.host = RELAY;
	world.client = client_new(-1, names[world.host], version_of[version]);
	ssl = world.client->ssl;
	SSL_set_post_handshake_auth(ssl, second >> 3 & 1);
	/* One whose share the server does not take: HelloRetryRequest. */
	if (second & 16)
		world_must(SSL_set1_groups_list(ssl, "X448:P-256"));
	if (second & 32) {
		static const unsigned char alpn[] = "\x08http/1.1\x02h2";

		world_must(!SSL_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1));
	}
	if (second & 64)
		SSL_set_tlsext_host_name(ssl, "nobody.example.com");
	if (version == 3)
		world.raw = raw13_new(ssl);
	else if (second & 7)
		raw13_be(ssl, (enum raw13_who)((second & 7) % RAW13_WHO));
	if (first & 32 && kept[version != 0][world.host]) {
		SSL_SESSION *session =
			SSL_SESSION_dup(kept[version != 0][world.host]);

		client_offer(world.client, session);
		SSL_SESSION_free(session);
	}
}

void world_open(uint8_t first, uint8_t second, uint8_t third)
{
	struct sockaddr_storage from = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&from;
	struct generation *present = generation_take(&loopback->node);
	int small = 4096, pair[2];

	node_counters(&loopback->node, &before);
	dice = 1;
	world.backend = -1;
	world.listens = true;
	choose_client(first, second);
	world_must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	if (third & 1)
		world_must(!setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small,
				 sizeof(small)));
	world.client->fd = pair[0];
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memnode_install(loopback->farm, stek__ring_ref(rings[third >> 1 & 1]));
	world_must(quota_take(loopback->node.quota, 100));
	conn_open(loopback->worker, present, pair[1], first & 64, &from);
	generation_release(present);
}

static uint64_t sum(const counter *of, size_t n)
{
	uint64_t all = 0;

	while (n--)
		all += of[n];
	return all;
}

/* All is over when nobody says anything more and a minute has passed. */
void world_close(void)
{
	struct generation *present = loopback->node.present;
	const struct counters *now = &loopback->worker->counters;
	uint64_t done, lost;

	backend_reset(world.client->fd);
	world.client->fd = -1;
	if (world.backend >= 0)
		backend_reset(world.backend);
	world.backend = -1;
	for (int i = 0; i < 64; i++) {
		world_pass_ms(1000);
		watches_turn(&loopback->worker->watches, false);
	}
	world_must(loopback->worker->open == 0 && !loopback->worker->conns);
	world_must(atomic_load(&present->refs) == 1);
	world_must(now->accepted == now->closed);
	done = sum(now->handshakes[0], TLS_KINDS * STEK_OUTCOMES) -
		sum(before.handshakes[0], TLS_KINDS * STEK_OUTCOMES);
	lost = sum(now->failures, FAILURES) - sum(before.failures, FAILURES);
	world_must(done <= 1 && done + lost >= 1);
	/* Of one that nobody took in time. */
	world.listens = true;
	read_backend();
	if (world.backend >= 0)
		backend_reset(world.backend);
}

void world_keep(int host, bool tls13)
{
	world_must(world.client->session != NULL);
	kept[tls13][host] = world.client->session;
	world.client->session = NULL;
}

void world_forget(void)
{
	if (world.client->fd >= 0)
		close(world.client->fd);
	world.client->fd = -1;
	client_free(world.client);
	raw13_free(world.raw);
	world.client = NULL;
	world.raw = NULL;
	world.by_hand = world.shaken = world.stalled = false;
	world.request_len = 0;
	world.up.len = world.up.arrived = 0;
	world.down.len = world.down.arrived = 0;
}
