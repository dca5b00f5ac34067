// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_settings.c - the configuration file: what a good one gives, and for
 * everything that can be wrong with one the line and what was expected there.
 */
#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings.h"

/* Five lines, so that what a test adds begins at line 6. */
#define BASE "farm: example\nnode: node-1\nfarm_key: farm.key\n" \
	"store:\n  url: file:/tmp\n"
#define HOST "hosts:\n  - names: [a.test]\n    certificate: a.pem\n" \
	"    key: a.key\n"
#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[64];
static char conf[96];
static char *said;
static size_t said_len;
static struct settings *settings;

static const char *in_dir(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(in_dir(name), mode), 0);
}

static void make_pair(const char *cert, const char *key)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	X509 *x509 = X509_new();
	FILE *f;

	X509_set_version(x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), -60);
	X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
	X509_set_pubkey(x509, pkey);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN",
				   MBSTRING_ASC, (const void *)"a.test", -1,
				   -1, 0);
	X509_set_issuer_name(x509, X509_get_subject_name(x509));
	ck_assert_int_gt(X509_sign(x509, pkey, EVP_sha256()), 0);
	f = fopen(in_dir(cert), "w");
	PEM_write_X509(f, x509);
	fclose(f);
	f = fopen(in_dir(key), "w");
	PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(x509);
	EVP_PKEY_free(pkey);
}

static void setup(void)
{
	strcpy(dir, "/tmp/check_settings.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	strcpy(conf, in_dir("stekd.yaml"));
	make_pair("a.pem", "a.key");
	make_pair("b.pem", "b.key");
	write_file("farm.key", "it is read later\n", 0600);
	write_file("token", TOKEN "\n", 0600);
	write_file("password", "secret\n", 0600);
	ck_assert_int_eq(mkdir(in_dir("state"), 0700), 0);
	settings = NULL;
	said = NULL;
}

static void teardown(void)
{
	static const char *const names[] = {
		"a.pem", "a.key", "b.pem", "b.key", "farm.key", "token",
		"password", "stekd.yaml", "open", "short", "junk",
	};
	size_t i;

	settings_free(settings);
	free(said);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	rmdir(in_dir("state"));
	rmdir(dir);
}

/* Reads `text` as configuration; what it says is in `said`. */
static int read_bytes(const char *text, size_t len)
{
	FILE *f = fopen(conf, "w"), *err;
	int result;

	ck_assert_ptr_nonnull(f);
	fwrite(text, 1, len, f);
	fclose(f);
	settings_free(settings);
	settings = NULL;
	free(said);
	said = NULL;
	err = open_memstream(&said, &said_len);
	result = settings_read(&settings, conf, err);
	fclose(err);
	/* Either it is given, or something was said. */
	ck_assert_int_eq(result == 0, settings != NULL);
	ck_assert_int_eq(result == 0, said_len == 0);
	return result;
}

static void good(const char *text)
{
	ck_assert_msg(read_bytes(text, strlen(text)) == 0, "refused: %s",
		      said);
}

/* `text` is refused at `line` with a message that contains `what`. */
static void bad(const char *text, unsigned line, const char *what)
{
	char where[128];

	snprintf(where, sizeof(where), "%s:%u: ", conf, line);
	ck_assert_msg(read_bytes(text, strlen(text)) == -1, "taken: %s", text);
	ck_assert_msg(strstr(said, where) != NULL, "not line %u: %s%s", line,
		      said, text);
	ck_assert_msg(strstr(said, what) != NULL, "not '%s': %s%s", what, said,
		      text);
	ck_assert_msg(strstr(said, "expected") != NULL, "%s", said);
}

/* Five lines are enough for a key keeper, and the rest has defaults. */
START_TEST(test_read_gives_defaults)
{
	good(BASE);
	ck_assert_str_eq(settings->farm, "example");
	ck_assert_str_eq(settings->node, "node-1");
	ck_assert_str_eq(settings->stores[0].url, "file:/tmp");
	ck_assert_str_eq(settings->farm_key, in_dir("farm.key"));
	ck_assert_ptr_null(settings->state_dir);
	ck_assert_uint_eq(settings->policy.period_s, 21600);
	ck_assert_uint_eq(settings->policy.lifetime_s, 21600);
	ck_assert_uint_eq(settings->policy.chain_s, 86400);
	ck_assert_uint_eq(settings->policy.pending, 2);
	ck_assert_uint_eq(settings->policy.beat_ms, 1000);
	ck_assert_uint_ge(settings->workers, 1);
	ck_assert_int_eq(settings->log_level, LOG_INFO);
	ck_assert_uint_eq(settings->n_listen, 0);
	ck_assert_uint_eq(settings->n_hosts, 0);
	ck_assert(settings->tls12 && settings->tls13);
	ck_assert_uint_eq(settings->handshake_timeout_ms, 10000);
	ck_assert_uint_eq(settings->max_connections, 10000);
	ck_assert_ptr_null(settings->admin_socket);
	ck_assert_uint_eq(settings->admin_listen.len, 0);
	ck_assert_uint_eq(settings->metrics_listen.len, 0);
}
END_TEST

/* Without `node` the host name is the node's. */
START_TEST(test_read_takes_host_name)
{
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	if (host[0] == '\0' || strlen(host) > STEK_NAME_MAX)
		return;
	good("farm: example\nfarm_key: farm.key\nstore: { url: file:/tmp }\n");
	ck_assert_str_eq(settings->node, host);
}
END_TEST

/* Everything that the manual page shows arrives where it belongs. */
START_TEST(test_read_takes_everything)
{
	good(BASE "  user: stekd\n  password_file: password\n"
	     "  ca: a.pem\n  certificate: a.pem\n  key: password\n"
	     "  server_name: r.test\n  sentinel_user: s\n"
	     "  sentinel_password_file: password\n"
	     "  wait_replicas: 2\n  wait_ms: 300\n"
	     "state_dir: state\n"
	     "keys: { period_s: 60, lifetime_s: 70, chain_s: 80, pending: 3,\n"
	     "  rotate_delay_ms: 500, revoke_delay_ms: 600,\n"
	     "  rotate_interval_s: 7, beat_ms: 200 }\n"
	     "workers: 3\nlog: { level: debug, format: json }\n"
	     "tls: { versions: [TLSv1.3], ciphers: C, groups: G }\n"
	     "listen:\n  - address: \"[::1]:0\"\n    proxy_protocol: true\n"
	     "  - { address: 127.0.0.1:8443 }\n"
	     "hosts:\n  - names: [WWW.a.test, \"*.a.test\"]\n"
	     "    default: true\n    certificate: a.pem\n    key: a.key\n"
	     "    group: web\n    alpn: [h2, http/1.1]\n    tickets: 0\n"
	     "    backend: tcp:[::1]:80\n    send_proxy: true\n"
	     "limits: { handshake_timeout_ms: 1000, idle_timeout_ms: 2000,\n"
	     "  drain_timeout_ms: 0, max_connections: 5 }\n"
	     "admin: { socket: admin.sock, listen: \"127.0.0.1:0\",\n"
	     "  token_file: token }\n"
	     "metrics: { listen: \"0.0.0.0:9105\" }\n");
	ck_assert_str_eq(settings->stores[0].user, "stekd");
	ck_assert_str_eq(settings->stores[0].ca, in_dir("a.pem"));
	ck_assert_str_eq(settings->stores[0].key, in_dir("password"));
	ck_assert_str_eq(settings->stores[0].server_name, "r.test");
	ck_assert_str_eq(settings->stores[0].sentinel_user, "s");
	ck_assert_uint_eq(settings->stores[0].wait_replicas, 2);
	ck_assert_uint_eq(settings->stores[0].wait_ms, 300);
	ck_assert_str_eq(settings->state_dir, in_dir("state"));
	ck_assert_uint_eq(settings->policy.chain_s, 80);
	ck_assert_uint_eq(settings->policy.rotate_interval_s, 7);
	ck_assert_uint_eq(settings->workers, 3);
	ck_assert_int_eq(settings->log_format, LOG_JSON);
	ck_assert(!settings->tls12 && settings->tls13);
	ck_assert_uint_eq(settings->n_listen, 2);
	ck_assert_int_eq(settings->listen[0].address.addr.ss_family, AF_INET6);
	ck_assert(settings->listen[0].proxy_protocol);
	ck_assert(!settings->listen[1].proxy_protocol);
	ck_assert_str_eq(settings->hosts[0].names[0], "www.a.test");
	ck_assert_str_eq(settings->hosts[0].certificate, in_dir("a.pem"));
	ck_assert_uint_eq(settings->hosts[0].n_alpn, 2);
	ck_assert_uint_eq(settings->hosts[0].tickets, 0);
	ck_assert_int_eq(settings->hosts[0].backend, BACKEND_SOCKET);
	ck_assert(settings->hosts[0].send_proxy);
	ck_assert_uint_eq(settings->drain_timeout_ms, 0);
	ck_assert_str_eq(settings->admin_socket, in_dir("admin.sock"));
	ck_assert_uint_ne(settings->admin_listen.len, 0);
	ck_assert_uint_ne(settings->metrics_listen.len, 0);
}
END_TEST

/* A host without a group resumes alone, with two tickets, at the page. */
START_TEST(test_read_gives_host_defaults)
{
	good(BASE HOST);
	ck_assert_str_eq(settings->hosts[0].group, "a.test");
	ck_assert_uint_eq(settings->hosts[0].tickets, 2);
	ck_assert_int_eq(settings->hosts[0].backend, BACKEND_BUILTIN);
}
END_TEST

struct wrong {
	const char *text;
	unsigned line;
	const char *what;
};

static const struct wrong shapes[] = {
	{ "", 1, "empty file" },
	{ "- a\n", 1, "a list for the file" },
	{ "farm: [\n", 2, "expected YAML" },
	{ "farm: x\n\tnode: y\n", 2, "expected YAML" },
	{ BASE "---\nfarm: y\n", 6, "second document" },
	{ BASE "bogus: 1\n", 6, "unknown key 'bogus'" },
	{ BASE "\n\nkeys:\n  perod_s: 1\n", 9, "unknown key 'perod_s' in keys" },
	{ BASE "farm: x\n", 6, "'farm' a second time" },
	{ "node: x\n", 1, "no 'farm'" },
	{ "farm: x\nfarm_key: farm.key\nstore: { user: x }\n", 3, "no 'url'" },
	{ BASE "state_dir: [a]\n", 6, "a list for state_dir" },
	{ BASE "keys:\n", 6, "nothing for keys, expected a mapping" },
	{ BASE "hosts: { a: 1 }\n", 6, "a mapping for hosts" },
	{ BASE "workers: many\n", 6, "'many' for workers" },
	{ BASE "workers: 12abc\n", 6, "'12abc'" },
	{ BASE "workers: 0x10\n", 6, "'0x10'" },
	{ BASE "workers: 010\n", 6, "'010'" },
	{ BASE "workers: -1\n", 6, "'-1'" },
	{ BASE "workers: 65\n", 6, "65 for workers, expected 0 to 64" },
	{ BASE "workers: 4294967296\n", 6, "'4294967296'" },
	{ BASE "keys: { period_s: 0 }\n", 6, "keys.period_s" },
	{ BASE "keys: { lifetime_s: 604801 }\n", 6, "604801" },
	{ BASE "keys: { pending: 9 }\n", 6, "1 to 8" },
	{ BASE "keys: { lifetime_s: 100, chain_s: 99 }\n", 6, "chain_s 99" },
	{ BASE "log: { level: loud }\n", 6, "debug, info, warn or error" },
	{ BASE "tls: { versions: [TLSv1.1] }\n", 6, "'TLSv1.1'" },
	{ BASE "tls: { versions: [] }\n", 6, "0 entries for versions" },
	{ BASE "listen:\n  - address: 127.0.0.1:1\n    proxy_protocol: maybe\n",
	  8, "'maybe' for proxy_protocol, expected true or false" },
	{ "farm: &a x\nnode: *a\nfarm_key: farm.key\nstore: { url: file:/ }\n",
	  1, "an alias" },
	{ "farm: ''\nfarm_key: farm.key\nstore: { url: file:/ }\n", 1,
	  "0 characters for farm" },
	{ "farm: \"a\\0b\"\nfarm_key: farm.key\nstore: { url: file:/ }\n", 1,
	  "a zero byte" },
};

/* What does not fit the schema is told with its line. */
START_TEST(test_read_refuses_shape)
{
	bad(shapes[_i].text, shapes[_i].line, shapes[_i].what);
}
END_TEST

static const struct wrong values[] = {
	{ "farm: a b\nfarm_key: farm.key\nstore: { url: file:/ }\n", 1,
	  "'a b' for farm" },
	{ "farm: x\nfarm_key: none\nstore: { url: file:/ }\n", 2,
	  "No such file" },
	{ "farm: x\nfarm_key: state\nstore: { url: file:/ }\n", 2,
	  "a regular file" },
	{ "farm: x\nfarm_key: farm.key\nstore: { url: http://x/ }\n", 3,
	  "redis://HOST" },
	{ BASE "  password_file: none\n", 6, "No such file" },
	{ BASE "  password_file: a.pem\n", 6, "expected 0600" },
	{ BASE "  ca: none\n", 6, "No such file" },
	{ BASE "  key: a.pem\n", 6, "expected 0600" },
	{ BASE "  sentinel_password_file: a.pem\n", 6, "expected 0600" },
	{ BASE "  wait_replicas: 17\n", 6, "at most 16" },
	{ BASE "  wait_ms: 801\n", 6, "at most 800" },
	{ BASE "state_dir: none\n", 6, "No such file" },
	{ BASE "state_dir: farm.key\n", 6, "a directory" },
	{ BASE "listen:\n  - address: localhost:80\n" HOST, 7, "IPV4:PORT" },
	{ BASE "listen:\n  - address: \"80\"\n" HOST, 7, "IPV4:PORT" },
	{ BASE "listen:\n  - address: 127.1:80\n" HOST, 7, "IPV4:PORT" },
	{ BASE "listen:\n  - address: 127.0.0.1:\n" HOST, 7, "mapping" },
	{ BASE "listen:\n  - address: 127.0.0.1:65536\n" HOST, 7, "65536" },
	{ BASE "listen:\n  - address: \"::1:80\"\n" HOST, 7, "IPV4:PORT" },
	{ BASE "listen:\n  - address: \"[::1]\"\n" HOST, 7, "IPV4:PORT" },
	{ BASE "listen:\n  - address: \"[::g]:1\"\n" HOST, 7, "IPV4:PORT" },
	{ BASE "listen:\n  - address: 127.0.0.1:80\n", 7, "no hosts" },
	{ BASE HOST "    backend: ftp:x\n", 10, "'ftp:x' for backend" },
	{ BASE HOST "    backend: unix:app\n", 10, "unix:/PATH" },
	{ BASE HOST "    send_proxy: true\n", 10, "builtin backend" },
	{ BASE HOST "    alpn: [h2]\n", 10, "expected http/1.1" },
	{ BASE HOST "    tickets: 5\n", 10, "0 to 4" },
	{ BASE HOST "  - names: [b.test, A.test]\n    certificate: a.pem\n"
	  "    key: a.key\n", 10, "'a.test' a second time" },
	{ BASE HOST "    default: true\n  - names: [b.test]\n"
	  "    default: true\n    certificate: a.pem\n    key: a.key\n", 12,
	  "second default host" },
	{ BASE "hosts:\n  - names: [a.test]\n    certificate: none\n"
	  "    key: a.key\n", 8, "No such file" },
	{ BASE "hosts:\n  - names: [a.test]\n    certificate: a.pem\n"
	  "    key: none\n", 9, "No such file" },
	{ BASE "hosts:\n  - names: [a.test]\n    certificate: a.pem\n"
	  "    key: b.key\n", 8, "certificate chain and its key" },
	{ BASE "hosts:\n  - names: [a.test]\n    certificate: token\n"
	  "    key: a.key\n", 8, "certificate chain and its key" },
	{ BASE "admin: { listen: \"127.0.0.1:0\" }\n", 6, "without" },
	{ BASE "admin:\n  listen: 0.0.0.0:1\n  token_file: token\n", 7,
	  "127.0.0.1 or [::1]" },
	{ BASE "admin:\n  listen: \"[::]:1\"\n  token_file: token\n", 7,
	  "127.0.0.1 or [::1]" },
	{ BASE "admin:\n  listen: \"[::1]:1\"\n  token_file: none\n", 8,
	  "No such file" },
	{ BASE "metrics: { listen: here }\n", 6, "IPV4:PORT" },
};

/* What fits the schema but not the machine, or itself, is told too. */
START_TEST(test_read_refuses_value)
{
	bad(values[_i].text, values[_i].line, values[_i].what);
}
END_TEST

/* One run tells all faults, not the first. */
START_TEST(test_read_tells_all_faults)
{
	bad(BASE "workers: x\nbogus: 1\n", 6, "workers");
	ck_assert_ptr_nonnull(strstr(said, ":7: found unknown key"));
	bad(BASE "state_dir: none\nmetrics: { listen: x }\n", 6, "state_dir");
	ck_assert_ptr_nonnull(strstr(said, ":7: found 'x'"));
}
END_TEST

/* A secret that others may read is refused, and so is a short token. */
START_TEST(test_read_refuses_open_secrets)
{
	static const mode_t modes[] = { 0640, 0604, 0660 };
	size_t i;

	for (i = 0; i < 3; i++) {
		write_file("open", TOKEN "\n", modes[i]);
		bad("farm: x\nfarm_key: open\nstore: { url: file:/ }\n", 2,
		    "expected 0600");
		bad(BASE "admin:\n  listen: 127.0.0.1:1\n  token_file: open\n",
		    8, "expected 0600");
	}
	write_file("short", "0123456789abcdef\n", 0600);
	bad(BASE "admin:\n  listen: 127.0.0.1:1\n  token_file: short\n", 8,
	    "64 hexadecimal");
	/* 63 of hexadecimal are long enough for base64, but only 252 bits. */
	write_file("short", &TOKEN "\n"[1], 0600);
	bad(BASE "admin:\n  listen: 127.0.0.1:1\n  token_file: short\n", 8,
	    "64 hexadecimal");
	ck_assert_ptr_null(strstr(said, "123456789abcdef0123"));
	write_file("junk", "two words, but long enough to be a token, really!",
		   0600);
	bad(BASE "admin:\n  listen: 127.0.0.1:1\n  token_file: junk\n", 8,
	    "64 hexadecimal");
}
END_TEST

/* A password in the URL is refused and not repeated. */
START_TEST(test_read_hides_password)
{
	bad("farm: x\nfarm_key: farm.key\n"
	    "store:\n  url: redis://me:hunter2@127.0.0.1/0\n", 4,
	    "store.password_file");
	ck_assert_ptr_null(strstr(said, "hunter2"));
}
END_TEST

/* A host must not lead its visitors to the admin socket. */
START_TEST(test_read_refuses_admin_backend)
{
	char text[1024];

	snprintf(text, sizeof(text), BASE HOST "    backend: unix:%s/x.sock\n"
		 "admin:\n  socket: x.sock\n", dir);
	bad(text, 10, "admin socket");
}
END_TEST

static const char *const names_refused[] = {
	"a..test", ".test", "a.test.", "*.", "*", "a.*.test", "*a.test",
	"a b", "192.0.2.1", "-\\x.test", "[a]", "\"\\u00e4.test\"", "\"*.*.a\"",
};

/* Host names are DNS names; a wildcard stands for the first label only. */
START_TEST(test_read_refuses_host_name)
{
	char text[1024];

	snprintf(text, sizeof(text), BASE "hosts:\n  - names:\n      - %s\n"
		 "    certificate: a.pem\n    key: a.key\n",
		 names_refused[_i]);
	bad(text, 8, "expected");
}
END_TEST

/* The file itself: missing, a directory, too long. */
START_TEST(test_read_refuses_file)
{
	char *big = malloc(1024 * 1024 + 2);
	FILE *err = open_memstream(&said, &said_len);

	ck_assert_int_eq(settings_read(&settings, in_dir("none"), err), -1);
	ck_assert_int_eq(settings_read(&settings, dir, err), -1);
	fclose(err);
	ck_assert_ptr_nonnull(strstr(said, "none:1: found no file"));
	memset(big, '\n', 1024 * 1024 + 1);
	ck_assert_int_eq(read_bytes(big, 1024 * 1024 + 1), -1);
	free(big);
}
END_TEST

static const char *chosen(const char *name)
{
	const struct settings_host *host = settings_host(settings, name);

	return host != NULL ? host->names[0] : "none";
}

#define TAIL "    certificate: a.pem\n    key: a.key\n"

/* Exact name, then wildcard of one label, then the default or nothing. */
START_TEST(test_host_choice)
{
	good(BASE "hosts:\n  - names: [\"*.a.test\"]\n" TAIL
	     "  - names: [www.a.test]\n" TAIL);
	ck_assert_str_eq(chosen("www.a.test"), "www.a.test");
	ck_assert_str_eq(chosen("api.a.test"), "*.a.test");
	ck_assert_str_eq(chosen("x.api.a.test"), "none");
	ck_assert_str_eq(chosen("a.test"), "none");
	ck_assert_str_eq(chosen(".a.test"), "none");
	ck_assert_str_eq(chosen("*.a.test"), "none");
	ck_assert_str_eq(chosen("wwww.a.test"), "*.a.test");
	ck_assert_str_eq(chosen(""), "none");
	ck_assert_str_eq(chosen(NULL), "none");
	good(BASE "hosts:\n  - names: [\"*.a.test\"]\n" TAIL
	     "  - names: [b.test]\n    default: true\n" TAIL);
	ck_assert_str_eq(chosen("c.test"), "b.test");
	ck_assert_str_eq(chosen(NULL), "b.test");
	ck_assert_str_eq(chosen("x.a.test"), "*.a.test");
}
END_TEST

/* Cut anywhere, a good file is refused or good, never fatal. */
START_TEST(test_read_survives_truncation)
{
	static const char text[] = BASE "listen: [{ address: \"[::1]:0\" }]\n"
		HOST "    alpn: [http/1.1]\nadmin: { socket: s }\n";
	size_t len;

	for (len = 0; len < sizeof(text); len++)
		read_bytes(text, len);
}
END_TEST

#define LEN(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *suite = suite_create("settings");
	TCase *tcase = tcase_create("settings_read");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_read_gives_defaults);
	tcase_add_test(tcase, test_read_takes_host_name);
	tcase_add_test(tcase, test_read_takes_everything);
	tcase_add_test(tcase, test_read_gives_host_defaults);
	tcase_add_loop_test(tcase, test_read_refuses_shape, 0, LEN(shapes));
	tcase_add_loop_test(tcase, test_read_refuses_value, 0, LEN(values));
	tcase_add_test(tcase, test_read_tells_all_faults);
	tcase_add_test(tcase, test_read_refuses_open_secrets);
	tcase_add_test(tcase, test_read_hides_password);
	tcase_add_test(tcase, test_read_refuses_admin_backend);
	tcase_add_loop_test(tcase, test_read_refuses_host_name, 0,
			    LEN(names_refused));
	tcase_add_test(tcase, test_read_refuses_file);
	tcase_add_test(tcase, test_read_survives_truncation);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("settings_host");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_host_choice);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
