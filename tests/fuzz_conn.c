// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_conn.c - a whole connection of a worker, wolfSSL included, between a
 * client and a backend that do what the input says. A real client of OpenSSL
 * (or one by hand, raw13.h) brings it behind the handshake; from there, and on
 * the way, the input cuts, spoils, delays, floods, resets, and puts its own
 * bytes in the place of records, on either side. The worker's loop is turned
 * here, its clock is the input's, and both libraries' random numbers repeat, so
 * that an input is the same connection each time. Whatever happens: what
 * arrives is what was sent, in order; every connection is counted once; it ends
 * when time passes, and gives all back.
 *
 * An input is three bytes that say who the client is, then steps: a byte for
 * what, a byte for how, and where bytes are needed their number in two.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
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
#include "loopback.h"
#include "raw13.h"

#define HOSTS 5
#define SENT_MAX (512 * 1024)
#define TURNS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

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

static void must(int fact)
{
	if (!fact)
		abort();
}

/* --- the input --- */

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t byte_of(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}

static const uint8_t *bytes_of(struct input *input, size_t *len)
{
	size_t wanted = (size_t)byte_of(input) << 8;
	const uint8_t *bytes;

	wanted |= byte_of(input);
	*len = wanted < input->left ? wanted : input->left;
	bytes = input->at;
	input->at += *len;
	input->left -= *len;
	return bytes;
}

/* --- the farm: one node, five hosts --- */

static struct loopback *loopback;
static struct settings_host hosts[HOSTS];
static struct stek_ring *rings[2];	/* the usual one, and none to seal */
static SSL_SESSION *kept[2][HOSTS];	/* of TLS 1.2 and 1.3 */
static char ca_path[96];
static char *names[HOSTS] = { "www.example.com", "relay.example.com",
	"proxy.example.com", "must.example.com", "after.example.com" };
static const int version_of[] = { TLS1_2_VERSION, TLS1_3_VERSION, 0,
	TLS1_3_VERSION };

enum { PAGE, RELAY, ANNOUNCED, MTLS, AFTER };

static void at_unix_socket(struct settings_address *address, int *fd)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&address->addr;

	un->sun_family = AF_UNIX;
	/* In the abstract name space: it goes with the process. */
	snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, "stekd-fuzz-%d",
		 (int)getpid());
	address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				   strlen(un->sun_path + 1));
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	must(!bind(*fd, (struct sockaddr *)un, address->len));
	must(!listen(*fd, 8));
}

static int unix_backend = -1;

static void set_hosts(void)
{
	for (size_t i = 0; i < HOSTS; i++) {
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

static void set_up(void)
{
	static RAND_METHOD method;

	method.bytes = method.pseudorand = roll_openssl;
	method.status = dice_are_there;
	must(RAND_set_rand_method(&method));
	rings[0] = memnode_ring_default();
	rings[1] = memnode_ring(NULL, 0);
	loopback = loopback_new(stek__ring_ref(rings[0]));
	snprintf(ca_path, sizeof(ca_path), "%s/ca", loopback->dir);
	raw13_write_ca(ca_path);
	set_hosts();
	loopback->settings.hosts = hosts;
	loopback->settings.n_hosts = HOSTS;
	loopback->settings.records_per_key = 8;
	loopback->settings.total_timeout_ms = 60000;
	loopback_make(loopback);
	log_setup(LOG_ERROR, LOG_LOGFMT, "fuzz");
	must(!fcntl(loopback->backend, F_SETFL, O_NONBLOCK));
	/* All of it is read: a target that ends leaves nothing behind. */
	unlink(ca_path);
	unlink(loopback->cert);
	unlink(loopback->key);
	rmdir(loopback->dir);
}

/* --- one connection --- */

static struct run {
	struct client *client;
	struct raw13 *raw;
	bool by_hand;		/* the client's records are the input's */
	bool shaken;		/* the client's handshake is done */
	bool stalled;		/* it does not read */
	int host, backend;
	bool listens;		/* for the backend; once */
	uint8_t request[4096];	/* CertificateRequest, by hand */
	size_t request_len;
	struct {
		uint8_t bytes[SENT_MAX];
		size_t len, arrived;
	} up, down;
} run;

/* What `way` has sent and the other end has not seen yet begins so. */
#define ARRIVES(way, buf, n) do { \
	must((n) <= (way)->len - (way)->arrived); \
	must(!memcmp((buf), (way)->bytes + (way)->arrived, (n))); \
	(way)->arrived += (n); \
} while (0)

static void read_backend(void)
{
	static uint8_t buf[32768];
	ssize_t n;

	if (run.backend < 0 && run.listens) {
		run.backend = accept4(run.host == RELAY ? unix_backend :
				      loopback->backend, NULL, NULL,
				      SOCK_NONBLOCK);
		run.listens = run.backend < 0;
	}
	if (run.backend < 0)
		return;
	/* The header before them is fuzz_proxy's. */
	while ((n = recv(run.backend, buf, sizeof(buf), 0)) > 0)
		if (run.host == RELAY)
			ARRIVES(&run.up, buf, (size_t)n);
}

static void hear_by_hand(void)
{
	static uint8_t buf[RAW13_RECORD_MAX];
	uint8_t type;
	size_t n;

	while (raw13_next(run.raw, &type, buf, &n)) {
		if (type == RAW13_DATA && run.host == RELAY)
			ARRIVES(&run.down, buf, n);
		if (type == RAW13_HANDSHAKE && buf[0] == RAW13_REQUEST &&
		    n <= sizeof(run.request)) {
			memcpy(run.request, buf, n);
			run.request_len = n;
		}
	}
}

static void hear(void)
{
	static uint8_t buf[16384];
	int n;

	ERR_clear_error();
	if (run.by_hand) {
		hear_by_hand();
		return;
	}
	while (run.shaken &&
	       (n = SSL_read(run.client->ssl, buf, sizeof(buf))) > 0)
		if (run.host == RELAY)
			ARRIVES(&run.down, buf, (size_t)n);
}

static void read_client(void)
{
	static uint8_t buf[32768];
	ssize_t n;

	while (!run.stalled && run.client->fd >= 0 &&
	       (n = recv(run.client->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		must(BIO_write(SSL_get_rbio(run.client->ssl), buf, (int)n) ==
		     n);
	hear();
}

static void turn(void)
{
	for (int i = 0; i < TURNS; i++) {
		uv_run(&loopback->worker->loop, UV_RUN_NOWAIT);
		read_backend();
		read_client();
	}
}

/* As much as the socket takes; what it does not is lost, as on a cut line. */
static void put(int fd, const uint8_t *bytes, size_t len, size_t piece)
{
	int refused = 0;

	while (len && refused < 8) {
		ssize_t n = send(fd, bytes, len < piece ? len : piece,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			return;
		refused = n < 0 ? refused + 1 : 0;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
		turn();
	}
}

/* What OpenSSL has for the server, in pieces, one bit of it changed. */
static void flush(size_t piece, size_t spoil_at, uint8_t spoil_with)
{
	static uint8_t buf[2 * SENT_MAX];
	int n = BIO_read(SSL_get_wbio(run.client->ssl), buf, sizeof(buf));

	if (n <= 0 || run.client->fd < 0)
		return;
	buf[spoil_at % (size_t)n] ^= spoil_with;
	put(run.client->fd, buf, (size_t)n, piece);
}

static void shake(void)
{
	ERR_clear_error();
	if (run.shaken || SSL_do_handshake(run.client->ssl) != 1)
		return;
	run.shaken = true;
	run.by_hand = run.raw != NULL;
	if (run.by_hand)
		raw13_take_over(run.raw);
}

/* --- the steps --- */

static void step_shake(struct input *input, uint8_t how)
{
	(void)input;
	shake();
	flush(how ? how : SENT_MAX, 0, 0);
	turn();
}

static void step_spoil(struct input *input, uint8_t how)
{
	size_t at = (size_t)byte_of(input) << 8;

	at |= byte_of(input);
	shake();
	flush(SENT_MAX, at, how);
	turn();
}

/* In the place of records. */
static void step_raw(struct input *input, uint8_t how)
{
	size_t len;
	const uint8_t *bytes = bytes_of(input, &len);

	if (run.client->fd >= 0)
		put(run.client->fd, bytes, len, how ? how : SENT_MAX);
	turn();
}

/* Plaintext of one's own: `how` times over. Returns its length, or 0. */
static size_t add_text(struct input *input, uint8_t how, uint8_t *out,
		       size_t room)
{
	size_t len, n = 0;
	const uint8_t *bytes = bytes_of(input, &len);

	for (unsigned i = 0; i <= how && len && n + len <= room; i++) {
		memcpy(out + n, bytes, len);
		n += len;
	}
	return n;
}

static void step_data(struct input *input, uint8_t how)
{
	uint8_t *out = run.up.bytes + run.up.len;
	size_t n = add_text(input, how, out, SENT_MAX - run.up.len);
	size_t at, one;

	if (!run.shaken || !n)
		return;
	for (at = 0; run.by_hand && at < n; at += one) {
		one = n - at < 16384 ? n - at : 16384;
		raw13_put(run.raw, RAW13_DATA, out + at, one);
	}
	if (!run.by_hand && SSL_write(run.client->ssl, out, (int)n) <= 0)
		return;
	run.up.len += n;
	flush(SENT_MAX, 0, 0);
	turn();
}

/* By hand: any bytes in a record of any type, under the right keys. */
static void step_record(struct input *input, uint8_t how)
{
	size_t len;
	const uint8_t *bytes = bytes_of(input, &len);

	if (!run.by_hand || how == RAW13_DATA)
		return;
	raw13_put(run.raw, how, bytes, len < 16384 ? len : 16384);
	flush(SENT_MAX, 0, 0);
	turn();
}

static void step_update(struct input *input, uint8_t how)
{
	(void)input;
	for (int i = 0; run.shaken && i <= how % 64; i++) {
		if (run.by_hand)
			raw13_put_update(run.raw, how & 64);
		else if (!SSL_key_update(run.client->ssl, how & 64 ?
					 SSL_KEY_UPDATE_REQUESTED :
					 SSL_KEY_UPDATE_NOT_REQUESTED) ||
			 SSL_do_handshake(run.client->ssl) != 1)
			break;
	}
	flush(SENT_MAX, 0, 0);
	turn();
}

static void step_answer(struct input *input, uint8_t how)
{
	static uint8_t out[RAW13_ANSWER_MAX];
	uint8_t faults = byte_of(input);
	const struct raw13_answer answer = {
		.who = how % RAW13_WHO, .signer = (how >> 4) % RAW13_WHO,
		.no_certificate = faults & 1, .no_verify = faults & 2,
		.no_finished = faults & 4, .spoil_context = faults & 8,
		.spoil_verify = faults & 16, .spoil_finished = faults & 32,
	};
	bool signs = answer.who || answer.signer;

	if (!run.by_hand || !run.request_len || (!signs && !(faults & 2)))
		return;
	raw13_put(run.raw, RAW13_HANDSHAKE, out,
		  raw13_answer(run.raw, run.request, run.request_len, &answer,
			       out));
	flush(SENT_MAX, 0, 0);
	turn();
}

/* Its end: by close_notify, by a FIN, by going away. */
static void step_end(struct input *input, uint8_t how)
{
	(void)input;
	if (how % 3 == 0 && run.shaken && !run.by_hand)
		(void)SSL_shutdown(run.client->ssl);
	flush(SENT_MAX, 0, 0);
	if (how % 3 == 1 && run.client->fd >= 0)
		(void)shutdown(run.client->fd, SHUT_WR);
	if (how % 3 == 2 && run.client->fd >= 0) {
		backend_reset(run.client->fd);
		run.client->fd = -1;
	}
	turn();
}

static void step_backend(struct input *input, uint8_t how)
{
	uint8_t *out = run.down.bytes + run.down.len;
	size_t n = add_text(input, how, out, SENT_MAX - run.down.len);
	ssize_t sent;

	if (run.backend < 0 || !n)
		return;
	sent = send(run.backend, out, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0)
		run.down.len += (size_t)sent;
	turn();
}

static void step_backend_ends(struct input *input, uint8_t how)
{
	(void)input;
	if (run.backend < 0)
		return;
	if (how % 3 == 0)
		(void)shutdown(run.backend, SHUT_WR);
	if (how % 3 == 1)
		(void)shutdown(run.backend, SHUT_RD);
	if (how % 3 == 2) {
		backend_reset(run.backend);
		run.backend = -1;
	}
	turn();
}

static void step_wait(struct input *input, uint8_t how)
{
	(void)input;
	clock_ns += (int64_t)how * 100 * 1000000;
	turn();
}

static void step_stall(struct input *input, uint8_t how)
{
	(void)input;
	run.stalled = how & 1;
	turn();
}

static void step_drain(struct input *input, uint8_t how)
{
	(void)input;
	(void)how;
	if (loopback->worker->conns)
		conn_drain(loopback->worker->conns);
	turn();
}

static void (*const steps[])(struct input *input, uint8_t how) = {
	step_shake, step_spoil, step_raw, step_data, step_record, step_update,
	step_answer, step_end, step_backend, step_backend_ends, step_wait,
	step_stall, step_drain,
};

/* --- its beginning and its end --- */

static void choose_client(uint8_t first, uint8_t second)
{
	SSL *ssl;
	unsigned version = first >> 3 & 3;

	run.host = first & 7;
	if (run.host >= HOSTS)
		run.host = RELAY;
	run.client = client_new(-1, names[run.host], version_of[version]);
	ssl = run.client->ssl;
	SSL_set_post_handshake_auth(ssl, second >> 3 & 1);
	/* One whose share the server does not take: HelloRetryRequest. */
	if (second & 16)
		must(SSL_set1_groups_list(ssl, "X448:P-256"));
	if (second & 32) {
		static const unsigned char alpn[] = "\x08http/1.1\x02h2";

		must(!SSL_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1));
	}
	if (second & 64)
		SSL_set_tlsext_host_name(ssl, "nobody.example.com");
	if (version == 3)
		run.raw = raw13_new(ssl);
	else if (second & 7)
		raw13_be(ssl, (enum raw13_who)((second & 7) % RAW13_WHO));
	if (first & 32 && kept[version != 0][run.host]) {
		SSL_SESSION *session =
			SSL_SESSION_dup(kept[version != 0][run.host]);

		must(SSL_set_session(ssl, session));
		SSL_SESSION_free(session);
	}
}

static void open_connection(uint8_t first, uint8_t second, uint8_t third)
{
	struct sockaddr_storage from = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&from;
	struct generation *present = generation_take(&loopback->node);
	int small = 4096, pair[2];

	dice = 1;
	run.backend = -1;
	run.listens = true;
	choose_client(first, second);
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	if (third & 1)
		must(!setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small,
				 sizeof(small)));
	run.client->fd = pair[0];
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memnode_install(loopback->farm, stek__ring_ref(rings[third >> 1 & 1]));
	must(quota_take(loopback->node.quota, 100));
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
static void close_connection(const struct counters *before)
{
	struct generation *present = loopback->node.present;
	const struct counters *now = &loopback->worker->counters;
	uint64_t done, lost;

	backend_reset(run.client->fd);
	run.client->fd = -1;
	if (run.backend >= 0)
		backend_reset(run.backend);
	run.backend = -1;
	for (int i = 0; i < 64; i++) {
		clock_ns += 1000000000;
		uv_run(&loopback->worker->loop, UV_RUN_NOWAIT);
	}
	must(loopback->worker->open == 0 && !loopback->worker->conns);
	must(atomic_load(&present->refs) == 1);
	must(now->accepted == now->closed);
	done = sum(now->handshakes[0], TLS_KINDS * STEK_OUTCOMES) -
		sum(before->handshakes[0], TLS_KINDS * STEK_OUTCOMES);
	lost = sum(now->failures, FAILURES) - sum(before->failures, FAILURES);
	must(done <= 1 && done + lost >= 1);
	/* Of one that nobody took in time. */
	run.listens = true;
	read_backend();
	if (run.backend >= 0)
		backend_reset(run.backend);
}

static void forget(void)
{
	if (run.client->fd >= 0)
		close(run.client->fd);
	run.client->fd = -1;
	client_free(run.client);
	raw13_free(run.raw);
	run.client = NULL;
	run.raw = NULL;
	run.by_hand = run.shaken = run.stalled = false;
	run.request_len = 0;
	run.up.len = run.up.arrived = run.down.len = run.down.arrived = 0;
}

static void run_input(struct input *input)
{
	static struct counters before;
	uint8_t first = byte_of(input), second = byte_of(input);

	node_counters(&loopback->node, &before);
	open_connection(first, second, byte_of(input));
	while (input->left >= 2) {
		uint8_t what = byte_of(input);

		steps[what % (sizeof(steps) / sizeof(steps[0]))](
			input, byte_of(input));
	}
	close_connection(&before);
}

/* A session of every host and version, for inputs that resume. */
static void keep_sessions(void)
{
	static const uint8_t visit[] = "\0\0\0\0\0\0\0\0\0\0";

	for (unsigned i = 0; i < 2 * HOSTS; i++) {
		uint8_t bytes[3 + sizeof(visit)] = { (uint8_t)(i / 2 |
			(i % 2) << 3), RAW13_ALICE | 8, 0 };
		struct input input = { bytes, sizeof(bytes) };

		memcpy(bytes + 3, visit, sizeof(visit));
		run_input(&input);
		must(run.shaken && run.client->session);
		kept[i % 2][i / 2] = run.client->session;
		run.client->session = NULL;
		forget();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input input = { data, len };

	if (!loopback) {
		set_up();
		keep_sessions();
	}
	run_input(&input);
	forget();
	return 0;
}
