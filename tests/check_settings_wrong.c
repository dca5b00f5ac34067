// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_settings_wrong.c - for everything that can be wrong with a
 * configuration file the line, and what was expected there.
 */
#include <sched.h>

#include "settings_maker.h"

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

/* Twelve lines, and the list of roles two more. */
#define ADMIN BASE HOST "    backend: admin\n    client_auth: required\n" \
	"    client_ca: ca.pem\n"
#define ROLES "    roles:\n      - { certificate: \"dns:a.test\", role: read }\n"

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
	{ BASE "pin_workers: 2\n", 6, "'2' for pin_workers" },
	{ BASE "workers: 4294967296\n", 6, "'4294967296'" },
	{ BASE "keys: { period_s: 0 }\n", 6, "keys.period_s" },
	{ BASE "keys: { lifetime_s: 604801 }\n", 6, "604801" },
	{ BASE "keys: { pending: 9 }\n", 6, "1 to 8" },
	{ BASE "keys: { lifetime_s: 100, chain_s: 99 }\n", 6, "chain_s 99" },
	{ BASE "limits: { address_ipv6_bits: 31 }\n", 6, "32 to 128" },
	{ BASE "limits: { total_timeout_ms: 604800001 }\n", 6, "0 to" },
	{ BASE "log: { level: loud }\n", 6, "debug, info, warn or error" },
	{ BASE "tls: { versions: [TLSv1.1] }\n", 6, "'TLSv1.1'" },
	{ BASE "tls: { records_per_key: 15 }\n", 6, "16 to 16777216" },
	{ BASE "tls: { records_per_key: 16777217 }\n", 6, "16 to 16777216" },
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
	{ BASE HOST "    send_proxy: v3\n", 10,
	  "'v3' for send_proxy, expected false, true, v1, v2, v2-tls or" },
	{ BASE HOST "    alpn: [h2]\n", 10, "expected http/1.1" },
	{ BASE HOST "    alpn: [http/1.1]\n    backends:\n"
	  "      - { alpn: h2, backend: unix:/a }\n", 12,
	  "expected one of the host's own list" },
	{ BASE HOST "    alpn: [h2]\n    backends:\n"
	  "      - { alpn: h2, backend: builtin }\n", 12, "expected a tcp:" },
	{ BASE HOST "    alpn: [h2]\n    backends:\n"
	  "      - { alpn: h2, backend: unix:/a }\n"
	  "      - { alpn: h2, backend: unix:/b }\n", 13, "a second time" },
	{ BASE HOST "    alpn: [h2]\n    backends:\n"
	  "      - { alpn: h2 }\n", 12, "no 'backend'" },
	{ BASE "listen:\n  - address: 127.0.0.1:1\n"
	  "    proxy_protocol: true\n" HOST, 8, "without proxy_from" },
	{ BASE "listen:\n  - address: 127.0.0.1:1\n"
	  "    proxy_from: [127.0.0.1]\n" HOST, 8, "without proxy_protocol" },
	{ BASE "listen:\n  - address: 127.0.0.1:1\n"
	  "    proxy_protocol: true\n"
	  "    proxy_from: [127.0.0.1/33]\n" HOST, 9, "IPV4/BITS" },
	{ BASE HOST "    tickets: 5\n", 10, "0 to 4" },
	{ BASE "client_deny: nowhere\n", 6, "No such file" },
	{ BASE "client_deny: farm.key\n", 6,
	  "farm.key:1: found 'it is read later'" },
	{ BASE HOST "    client_auth: maybe\n", 10,
	  "none, optional, required or after-handshake" },
	{ BASE HOST "    client_auth: after-handshake\n", 10,
	  "without client_ca" },
	{ BASE "tls:\n  versions: [TLSv1.2]\n" HOST
	  "    client_auth: after-handshake\n    client_ca: ca.pem\n", 12,
	  "after-handshake without TLSv1.3" },
	{ BASE HOST "    client_auth: required\n    client_ca: ca.pem\n"
	  "    client_decline: close\n", 12, "client_decline without" },
	{ BASE HOST "    client_auth: required\n    client_ca: ca.pem\n"
	  "    client_reauth_s: 60\n", 12, "client_reauth_s without" },
	{ BASE HOST "    client_auth: after-handshake\n"
	  "    client_ca: ca.pem\n    client_reauth_s: 86401\n", 12,
	  "0 to 86400" },
	{ BASE HOST "    client_decline: close\n", 10,
	  "client_decline without" },
	{ BASE HOST "    client_auth: after-handshake\n"
	  "    client_ca: ca.pem\n    client_decline: ask\n", 12,
	  "close or continue" },
	{ BASE HOST "    client_auth: required\n", 10, "without client_ca" },
	{ BASE HOST "    client_ca: ca.pem\n", 10, "client_ca without" },
	{ BASE HOST "    client_auth: none\n    client_crl: ca.crl\n", 11,
	  "client_crl without" },
	{ BASE HOST "    client_depth: 4\n", 10, "client_depth without" },
	{ BASE HOST "    client_auth: optional\n    client_ca: ca.pem\n"
	  "    client_depth: 9\n", 12, "0 to 8" },
	{ BASE HOST "    client_auth: optional\n    client_ca: none\n", 11,
	  "No such file" },
	{ BASE HOST "    client_auth: optional\n    client_ca: farm.key\n",
	  11, "no PEM part" },
	{ BASE HOST "    client_auth: optional\n    client_ca: a.pem\n", 11,
	  "part 1 is not a CA" },
	{ BASE HOST "    client_auth: optional\n    client_ca: ca.pem\n"
	  "    client_crl: ca.pem\n", 12, "X509 CRL" },
	{ BASE HOST "    client_auth: optional\n    client_ca: ca.pem\n"
	  "    client_crl: other.crl\n", 12, "revocation list 1" },
	{ BASE HOST "    backend: admin\n", 10, "without client_auth" },
	{ BASE HOST "    backend: admin\n", 10, "without roles" },
	{ BASE HOST "    backend: admin\n    client_auth: optional\n"
	  "    client_ca: ca.pem\n" ROLES, 11, "client_auth: required" },
	{ BASE HOST "    backend: admin\n    client_auth: after-handshake\n"
	  "    client_ca: ca.pem\n" ROLES, 11, "client_auth: required" },
	{ BASE HOST "    backend: admin\n    client_auth: required\n" ROLES, 11,
	  "without client_ca" },
	{ ADMIN, 10, "without roles" },
	{ ADMIN "    roles: []\n", 13, "0 entries for roles" },
	{ BASE HOST "    client_auth: required\n    client_ca: ca.pem\n" ROLES,
	  13, "roles without the admin backend" },
	{ ADMIN "    roles:\n      - { certificate: a.test, role: read }\n",
	  14, "'a.test' for certificate, expected sha256:" },
	{ ADMIN "    roles:\n      - { certificate: \"sha256:00\", "
	  "role: read }\n", 14, "'sha256:00' for certificate" },
	{ ADMIN "    roles:\n      - { certificate: \"dns:a\", "
	  "role: write }\n", 14, "'write' for role, expected read, rotate or "
	  "revoke" },
	{ ADMIN "    roles:\n      - { certificate: \"dns:a\" }\n", 14,
	  "no 'role'" },
	{ ADMIN "    roles:\n      - { role: read }\n", 14,
	  "no 'certificate'" },
	{ ADMIN ROLES "      - { certificate: \"dns:A.TEST\", role: read }\n",
	  15, "'dns:A.TEST' a second time" },
	{ ADMIN "    roles:\n      - { certificate: \"dns:a\", role: read, "
	  "name: 'a b' }\n", 14, "'a b' for name" },
	{ ADMIN ROLES "    alpn: [h2, http/1.1]\n", 15,
	  "the admin backend speaks no other" },
	{ ADMIN ROLES "    send_proxy: true\n", 15, "the admin backend" },
	{ ADMIN ROLES "    alpn: [http/1.1]\n    backends:\n"
	  "      - { alpn: http/1.1, backend: unix:/a }\n", 17,
	  "backends with the admin backend" },
	{ BASE HOST "    alpn: [h2]\n    backends:\n"
	  "      - { alpn: h2, backend: admin }\n", 12, "expected a tcp:" },
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

#define PINNED BASE "workers: 2\npin_workers: true\n"

/*
 * Two workers cannot have a processor each where only one is left; but who was
 * started with two goes on to reload.
 */
START_TEST(test_read_refuses_more_pinned)
{
	struct settings *again = NULL, *fixed;
	cpu_set_t before, one;
	int i = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(i, &before))
		i++;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	bad(PINNED, 7, "pin_workers with 2 workers, expected at most 1, ");
	ck_assert_int_eq(read_bytes(BASE "workers: 2\n",
				    strlen(BASE "workers: 2\n")), 0);
	fixed = settings;
	fixed->pin_workers = true;
	write_file("stekd.yaml", PINNED, 0600);
	ck_assert_int_eq(settings_read_again(&again, conf, fixed, stderr), 0);
	ck_assert(again->pin_workers);
	settings_free(again);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(before), &before), 0);
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
	snprintf(text, sizeof(text), BASE HOST "    alpn: [h2]\n"
		 "    backends: [ { alpn: h2, backend: unix:%s/x.sock } ]\n"
		 "admin:\n  socket: x.sock\n", dir);
	bad(text, 11, "admin socket");
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
	Suite *suite = suite_create("settings_wrong");
	TCase *tcase = tcase_create("settings_read");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_read_refuses_shape, 0, LEN(shapes));
	tcase_add_loop_test(tcase, test_read_refuses_value, 0, LEN(values));
	tcase_add_test(tcase, test_read_refuses_more_pinned);
	tcase_add_test(tcase, test_read_tells_all_faults);
	tcase_add_test(tcase, test_read_refuses_open_secrets);
	tcase_add_test(tcase, test_read_hides_password);
	tcase_add_test(tcase, test_read_refuses_admin_backend);
	tcase_add_loop_test(tcase, test_read_refuses_host_name, 0,
			    LEN(names_refused));
	tcase_add_test(tcase, test_read_refuses_file);
	tcase_add_test(tcase, test_read_survives_truncation);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
