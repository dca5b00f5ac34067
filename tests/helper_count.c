// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper_count.c - the client of measure_1_counters.sh: makes the connections
 * that it is told to make, and counts by itself what it saw of them.
 *
 *	helper_count CA PORT...		(the ports of the nodes, from 1)
 *
 * Reads commands, a line each, and answers each by a line. VERSION is 12 or 13,
 * NODES some digits, which it takes in turn; tickets go into pools by name.
 *
 *	full POOL VERSION N NODES HOST [WHO]	offers none; keeps a ticket each
 *	offer POOL VERSION N NODES HOST OUTCOME [HOW [INTO]]
 *	psk N NODE NODE HOST		offered under psk_ke alone
 *	fail REASON VERSION N NODES HOST
 *	hang N NODES			begins and says no more
 *	collect				waits until those have ended
 *	tally				its figures, to begin anew, then "."
 *
 * WHO names certificate and key, WHO.pem and WHO.key beside the CA's file; HOW
 * says what becomes of the ticket, or of the hello. Exits when a client sees
 * what it should not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memhs.h"
#include "tally.h"
#include "visit.h"
#include "visit_psk.h"

enum { POOLS = 48, POOL_MAX = 1024, WORDS_MAX = 9, HANGING_MAX = 128 };

struct ticket {
	SSL_SESSION *session;
	unsigned issuer;
};

static struct pool {
	char name[32];
	struct ticket tickets[POOL_MAX];
	size_t n;
} pools[POOLS];

static struct hanging {
	unsigned node;
	int fd;
} hanging[HANGING_MAX];
static size_t n_hanging;

static const char *ca_file;
static SSL_CTX *nobody;
static unsigned turn;

static SSL_CTX *context_of(const char *who)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char dir[256], cert[300], key[300];
	char *slash;

	if (!ctx || SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1)
		tally_die("%s", ca_file);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (!who)
		return ctx;
	snprintf(dir, sizeof(dir), "%s", ca_file);
	slash = strrchr(dir, '/');
	if (!slash)
		tally_die("%s: whole paths, please", ca_file);
	*slash = '\0';
	snprintf(cert, sizeof(cert), "%s/%s.pem", dir, who);
	snprintf(key, sizeof(key), "%s/%s.key", dir, who);
	if (SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		tally_die("%s", cert);
	return ctx;
}

static struct pool *pool_of(const char *name)
{
	size_t i = 0;

	while (i < POOLS && pools[i].name[0] && strcmp(pools[i].name, name))
		i++;
	if (i == POOLS)
		tally_die("too many pools");
	snprintf(pools[i].name, sizeof(pools[i].name), "%s", name);
	return &pools[i];
}

/* "-" is no pool. */
static void keep(const char *name, SSL_SESSION *session, unsigned issuer)
{
	struct pool *pool;

	if (!strcmp(name, "-") || !session) {
		SSL_SESSION_free(session);
		return;
	}
	pool = pool_of(name);
	if (pool->n == POOL_MAX)
		tally_die("the pool %s is full", name);
	pool->tickets[pool->n++] = (struct ticket){ session, issuer };
}

static int version_of(const char *word)
{
	return !strcmp(word, "12") ? TLS1_2_VERSION : TLS1_3_VERSION;
}

static unsigned node_of(const char *nodes)
{
	return (unsigned)(nodes[turn++ % strlen(nodes)] - '0');
}

static SSL_SESSION *with_ticket(const SSL_SESSION *session,
				void (*change)(uint8_t *ticket, size_t *len))
{
	static struct memhs_session in, out;
	unsigned char *at = in.der;
	const unsigned char *der = out.der;
	SSL_SESSION *changed;
	const uint8_t *ticket;
	uint8_t bytes[1024];
	size_t len;

	in.len = (size_t)i2d_SSL_SESSION(
		(SSL_SESSION *)(uintptr_t)session, &at);
	ticket = memhs_ticket(&in, &len);
	if (!ticket || len > sizeof(bytes))
		tally_die("a session without a ticket");
	memcpy(bytes, ticket, len);
	change(bytes, &len);
	memhs_set_ticket(&out, &in, bytes, len);
	changed = d2i_SSL_SESSION(NULL, &der, (long)out.len);
	if (!changed)
		tally_die("not a session");
	return changed;
}

static void change_key(uint8_t *ticket, size_t *len)
{
	(void)len;
	ticket[3] ^= 1;
}

/* Behind the name and the iv stand a length and what is sealed. */
static void change_seal(uint8_t *ticket, size_t *len)
{
	ticket[16 + 16 + 2 + *len % 50] ^= 1;
}

static void change_length(uint8_t *ticket, size_t *len)
{
	(void)ticket;
	(*len)--;
}

/* The server lacks the first: it asks for another hello. */
static void be_retried(SSL *ssl)
{
	SSL_set1_groups_list(ssl, "P-521:P-256");
}

static void lack_ems(SSL *ssl)
{
	SSL_set_options(ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
}

static const struct how {
	const char *name;
	void (*change)(uint8_t *ticket, size_t *len);
	void (*prepare)(SSL *ssl);
} hows[] = {
	{ "as-is", NULL, NULL },
	{ "other-key", change_key, NULL },
	{ "other-seal", change_seal, NULL },
	{ "shorter", change_length, NULL },
	{ "retried", NULL, be_retried },
	{ "forged-retried", change_seal, be_retried },
};

static const struct how *how_of(const char *name)
{
	size_t i = 0;

	while (strcmp(hows[i].name, name))
		if (++i == sizeof(hows) / sizeof(hows[0]))
			tally_die("how, %s?", name);
	return &hows[i];
}

static void do_full(char **word)
{
	SSL_CTX *ctx = word[6] ? context_of(word[6]) : nobody;
	unsigned n = (unsigned)atoi(word[3]);

	for (unsigned i = 0; i < n; i++) {
		struct visit one = {
			.node = node_of(word[4]), .version = version_of(word[2]),
			.name = word[5], .ctx = ctx, .outcome = "none_offered",
			.goodbye = i % 2,
		};

		visit(&one);
		keep(word[1], one.ticket, one.node);
	}
	if (ctx != nobody)
		SSL_CTX_free(ctx);
}

static void do_offer(char **word)
{
	const struct how *how = how_of(word[7] ? word[7] : "as-is");
	struct pool *pool = pool_of(word[1]);
	unsigned n = (unsigned)atoi(word[3]);

	if (!pool->n)
		tally_die("the pool %s is empty", word[1]);
	for (unsigned i = 0; i < n; i++) {
		struct ticket *from = &pool->tickets[i % pool->n];
		struct visit one = {
			.node = node_of(word[4]), .version = version_of(word[2]),
			.name = word[5], .ctx = nobody, .outcome = word[6],
			.issuer = from->issuer, .goodbye = i % 2,
			.prepare = how->prepare,
		};

		one.session = how->change ?
			with_ticket(from->session, how->change) : from->session;
		visit(&one);
		if (how->change)
			SSL_SESSION_free(one.session);
		keep(word[7] && word[8] ? word[8] : "-", one.ticket, one.node);
	}
}

static void do_psk(char **word)
{
	for (int i = 0; i < atoi(word[1]); i++)
		visit_psk_ke((unsigned)atoi(word[2]), (unsigned)atoi(word[3]),
			     word[4], ca_file);
}

static void offer_foo(SSL *ssl)
{
	SSL_set_alpn_protos(ssl, (const uint8_t *)"\003foo", 4);
}

static void offer_p521(SSL *ssl)
{
	SSL_set1_groups_list(ssl, "P-521");
}

static void offer_odd_suites(SSL *ssl)
{
	SSL_set_cipher_list(ssl, "AES128-SHA");
	SSL_set_ciphersuites(ssl, "TLS_AES_128_CCM_SHA256");
}

static void offer_rsa(SSL *ssl)
{
	SSL_set1_sigalgs_list(ssl, SSL_get_min_proto_version(ssl) ==
			      TLS1_3_VERSION ? "RSA-PSS+SHA256" :
			      "RSA-PSS+SHA256:RSA+SHA256");
}

static void say_fallback(SSL *ssl)
{
	SSL_set_mode(ssl, SSL_MODE_SEND_FALLBACK_SCSV);
}

static void be_old(SSL *ssl)
{
	SSL_set_security_level(ssl, 0);
	SSL_set_min_proto_version(ssl, TLS1_1_VERSION);
	SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
}

static void trust_nobody(SSL *ssl)
{
	SSL_set0_verify_cert_store(ssl, X509_STORE_new());
}

/* What clients of OpenSSL do wrong, and what they are told. */
static const struct wrong {
	const char *reason, *name, *who;
	void (*prepare)(SSL *ssl);
	int alert, alert12;	/* alert12: in TLS 1.2, if it is another */
	const char *pool;	/* of tickets to offer */
} wrongs[] = {
	{ .reason = "unknown_host", .name = "nobody.example.test",
	  .alert = 112 },
	{ .reason = "alpn", .prepare = offer_foo, .alert = 120 },
	{ .reason = "group", .prepare = offer_p521, .alert = 40 },
	{ .reason = "suite", .prepare = offer_odd_suites, .alert = 40 },
	{ .reason = "signature_scheme", .prepare = offer_rsa, .alert = 40 },
	{ .reason = "fallback", .prepare = say_fallback, .alert = 86 },
	{ .reason = "version", .prepare = be_old, .alert = 70 },
	{ .reason = "alert", .prepare = trust_nobody, .alert = -1 },
	{ .reason = "master_secret", .prepare = lack_ems, .alert = 40,
	  .pool = "www12" },
	{ .reason = "no_certificate", .name = "required.example.test",
	  .alert = 116, .alert12 = 40 },
	{ .reason = "unknown_ca", .name = "required.example.test",
	  .who = "stranger", .alert = 48 },
	{ .reason = "certificate_denied", .name = "required.example.test",
	  .who = "alice", .alert = 49 },
};

/* What is not even a hello. */
static const struct noise {
	const char *reason, *bytes;
	size_t len;
} noises[] = {
	{ "closed", "", 0 },
	{ "not_tls", "SSH-2.0-OpenSSH_9.2\r\n", 21 },
	{ "plain_http", "GET / HTTP/1.1\r\n\r\n", 18 },
	{ "malformed", "\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", 11 },
};

static void make_noise(const struct noise *noise, char **word)
{
	for (int i = 0; i < atoi(word[3]); i++) {
		unsigned node = node_of(word[4]);

		(void)visit_hear(node, visit_say(node, noise->bytes,
						 noise->len, true));
		tally(node, 1, "stekd_handshake_failures_total{reason=\"%s\"}",
		      noise->reason);
	}
}

static void go_wrong(const struct wrong *wrong, char **word)
{
	SSL_CTX *ctx = wrong->who ? context_of(wrong->who) : nobody;
	struct pool *pool = wrong->pool ? pool_of(wrong->pool) : NULL;
	int version = version_of(word[2]);

	for (int i = 0; i < atoi(word[3]); i++) {
		struct visit one = {
			.node = node_of(word[4]), .version = version,
			.name = wrong->name ? wrong->name : word[5],
			.ctx = ctx, .failure = wrong->reason,
			.alert = version == TLS1_2_VERSION && wrong->alert12 ?
				wrong->alert12 : wrong->alert,
			.prepare = wrong->prepare,
		};

		if (pool)
			one.session = pool->tickets[(size_t)i % pool->n].session;
		visit(&one);
		SSL_SESSION_free(one.ticket);
	}
	if (ctx != nobody)
		SSL_CTX_free(ctx);
}

static void do_fail(char **word)
{
	for (size_t i = 0; i < sizeof(noises) / sizeof(noises[0]); i++)
		if (!strcmp(noises[i].reason, word[1])) {
			make_noise(&noises[i], word);
			return;
		}
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++)
		if (!strcmp(wrongs[i].reason, word[1])) {
			go_wrong(&wrongs[i], word);
			return;
		}
	tally_die("how to fail by %s?", word[1]);
}

/* Silent ones, and half a record's header. */
static void do_hang(char **word)
{
	for (int i = 0; i < atoi(word[1]); i++) {
		struct hanging *one = &hanging[n_hanging];

		if (n_hanging++ == HANGING_MAX)
			tally_die("too many hang");
		one->node = node_of(word[2]);
		one->fd = visit_say(one->node, "\x16\x03", i % 2 ? 2 : 0,
				    false);
	}
}

static void do_collect(char **word)
{
	(void)word;
	while (n_hanging) {
		struct hanging *one = &hanging[--n_hanging];

		(void)visit_hear(one->node, one->fd);
		tally(one->node, 1,
		      "stekd_handshake_failures_total{reason=\"timeout\"}");
	}
}

static void do_tally(char **word)
{
	(void)word;
	tally_write(stdout);
	tally_forget();
}

static const struct command {
	const char *name;
	int words;		/* at least */
	void (*run)(char **word);
} commands[] = {
	{ "full", 6, do_full }, { "offer", 7, do_offer },
	{ "psk", 5, do_psk }, { "fail", 6, do_fail },
	{ "hang", 3, do_hang }, { "collect", 1, do_collect },
	{ "tally", 1, do_tally },
};

static void obey(char *line)
{
	char *word[WORDS_MAX + 1] = { NULL }, *rest = NULL;
	int n = 0;

	for (char *at = strtok_r(line, " \n", &rest); at && n < WORDS_MAX;
	     at = strtok_r(NULL, " \n", &rest))
		word[n++] = at;
	for (size_t i = 0; n && i < sizeof(commands) / sizeof(commands[0]);
	     i++) {
		if (strcmp(commands[i].name, word[0]) || n < commands[i].words)
			continue;
		commands[i].run(word);
		puts(".");
		fflush(stdout);
		return;
	}
	tally_die("what is %s, with %d words?", n ? word[0] : "that", n);
}

int main(int argc, char **argv)
{
	char line[256];

	if (argc < 3 || argc - 2 > VISIT_NODES)
		return 2;
	ca_file = argv[1];
	for (int i = 2; i < argc; i++)
		visit_ports[i - 1] = atoi(argv[i]);
	nobody = context_of(NULL);
	while (fgets(line, sizeof(line), stdin))
		obey(line);
	SSL_CTX_free(nobody);
	return 0;
}
