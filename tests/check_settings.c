// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_settings.c - the configuration file: what a good one gives, and which
 * host a name chooses. What is refused is check_settings_wrong.c's.
 */
#include "settings_maker.h"

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
	ck_assert(!settings->pin_workers);
	ck_assert_int_eq(settings->log_level, LOG_INFO);
	ck_assert_uint_eq(settings->n_listen, 0);
	ck_assert_uint_eq(settings->n_hosts, 0);
	ck_assert(settings->tls12 && settings->tls13);
	ck_assert_uint_eq(settings->records_per_key, 16777216);
	ck_assert_uint_eq(settings->handshake_timeout_ms, 10000);
	ck_assert_uint_eq(settings->max_connections, 10000);
	ck_assert_uint_eq(settings->total_timeout_ms, 0);
	ck_assert_uint_eq(settings->address_connections, 0);
	ck_assert_uint_eq(settings->address_ipv6_bits, 64);
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

static const char everything[] =
	BASE "  user: stekd\n  password_file: password\n"
	"  ca: a.pem\n  certificate: a.pem\n  key: password\n"
	"  server_name: r.test\n  sentinel_user: s\n"
	"  sentinel_password_file: password\n"
	"  wait_replicas: 2\n  wait_ms: 300\n"
	"state_dir: state\n"
	"keys: { period_s: 60, lifetime_s: 70, chain_s: 80, pending: 3,\n"
	"  rotate_delay_ms: 500, revoke_delay_ms: 600,\n"
	"  rotate_interval_s: 7, beat_ms: 200 }\n"
	"workers: 1\npin_workers: true\nlog: { level: debug, format: json }\n"
	"tls: { versions: [TLSv1.3], ciphers: C, groups: G,\n"
	"  records_per_key: 16 }\n"
	"listen:\n  - address: \"[::1]:0\"\n    proxy_protocol: true\n"
	"    proxy_from: [192.0.2.0/24, \"2001:db8::1\"]\n"
	"  - { address: 127.0.0.1:8443 }\n"
	"hosts:\n  - names: [WWW.a.test, \"*.a.test\"]\n"
	"    default: true\n    certificate: a.pem\n    key: a.key\n"
	"    group: web\n    alpn: [h2, http/1.1]\n    tickets: 0\n"
	"    backend: tcp:[::1]:80\n    send_proxy: true\n"
	"    backends: [ { alpn: h2, backend: \"tcp:[::1]:81\" } ]\n"
	"limits: { handshake_timeout_ms: 1000, idle_timeout_ms: 2000,\n"
	"  drain_timeout_ms: 0, max_connections: 5,\n"
	"  total_timeout_ms: 3000, connections_per_address: 4,\n"
	"  address_ipv6_bits: 56 }\n"
	"admin: { socket: admin.sock, listen: \"127.0.0.1:0\",\n"
	"  token_file: token }\n"
	"metrics: { listen: \"0.0.0.0:9105\" }\n";

/* Everything that the manual page shows arrives where it belongs. */
START_TEST(test_read_takes_everything)
{
	good(everything);
	ck_assert_uint_eq(settings->records_per_key, 16);
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
	ck_assert_uint_eq(settings->workers, 1);
	ck_assert(settings->pin_workers);
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
	ck_assert_int_eq(settings->hosts[0].send_proxy, PROXY_FORM_TLS);
	ck_assert_uint_eq(settings->hosts[0].n_by_alpn, 1);
	ck_assert_uint_eq(settings->listen[0].n_proxy_from, 2);
	ck_assert_uint_eq(settings->listen[0].proxy_from[0].bits, 96 + 24);
	ck_assert_uint_eq(settings->drain_timeout_ms, 0);
	ck_assert_uint_eq(settings->max_connections, 5);
	ck_assert_uint_eq(settings->total_timeout_ms, 3000);
	ck_assert_uint_eq(settings->address_connections, 4);
	ck_assert_uint_eq(settings->address_ipv6_bits, 56);
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
	ck_assert_int_eq(settings->hosts[0].client_auth, CLIENT_NONE);
}
END_TEST

/* Client certificates: paths of the file's directory, a depth of four. */
START_TEST(test_read_takes_client_certificates)
{
	good(BASE HOST "    client_auth: required\n    client_ca: ca.pem\n");
	ck_assert_int_eq(settings->hosts[0].client_auth, CLIENT_REQUIRED);
	ck_assert_str_eq(settings->hosts[0].client_ca, in_dir("ca.pem"));
	ck_assert_ptr_null(settings->hosts[0].client_crl);
	ck_assert_uint_eq(settings->hosts[0].client_depth, 4);
	ck_assert_uint_eq(settings->hosts[0].n_roles, 0);
	good(BASE HOST "    client_auth: optional\n    client_ca: ca.pem\n"
	     "    client_crl: ca.crl\n    client_depth: 0\n");
	ck_assert_int_eq(settings->hosts[0].client_auth, CLIENT_OPTIONAL);
	ck_assert_str_eq(settings->hosts[0].client_crl, in_dir("ca.crl"));
	ck_assert_int_eq(settings->hosts[0].client_decline, CLIENT_CLOSE);
	ck_assert_uint_eq(settings->hosts[0].client_depth, 0);
	good(BASE HOST "    client_auth: after-handshake\n"
	     "    client_ca: ca.pem\n    client_decline: continue\n"
	     "    client_reauth_s: 3600\n");
	ck_assert_uint_eq(settings->hosts[0].client_reauth_s, 3600);
	ck_assert_int_eq(settings->hosts[0].client_auth,
			 CLIENT_AFTER_HANDSHAKE);
	ck_assert_int_eq(settings->hosts[0].client_decline, CLIENT_CONTINUE);
}
END_TEST

/* The admin host: HTTP/1.1 by ALPN, whatever the file says, and who may what. */
START_TEST(test_read_takes_roles)
{
	const struct settings_host *host;

	good(BASE "hosts:\n  - names: [a.test, \"*.b.test\"]\n"
	     "    certificate: a.pem\n    key: a.key\n    default: true\n"
	     "    backend: admin\n    client_auth: required\n"
	     "    client_ca: ca.pem\n    roles:\n"
	     "      - { certificate: \"sha256:" TOKEN "\", role: read }\n"
	     "      - { certificate: \"dns:x.test\", role: rotate }\n"
	     "      - { certificate: \"cn:Bob Doe\", role: revoke, "
	     "name: bob }\n");
	host = &settings->hosts[0];
	ck_assert_int_eq(host->backend, BACKEND_ADMIN);
	ck_assert_ptr_null(settings_backend(host, "http/1.1"));
	ck_assert_uint_eq(host->n_alpn, 1);
	ck_assert_str_eq(host->alpn[0], "http/1.1");
	ck_assert_uint_eq(host->n_roles, 3);
	ck_assert(host->roles[0].by_fingerprint);
	ck_assert_int_eq(host->roles[0].fingerprint[1], 0x23);
	ck_assert_int_eq(host->roles[0].role, ROLE_READ);
	ck_assert_str_eq(host->roles[1].certificate, "dns:x.test");
	ck_assert_int_eq(host->roles[1].role, ROLE_ROTATE);
	ck_assert_ptr_null(host->roles[1].name);
	ck_assert_int_eq(host->roles[2].role, ROLE_REVOKE);
	ck_assert_str_eq(host->roles[2].name, "bob");
}
END_TEST

/* A default host answers to all names, but they are not its own. */
START_TEST(test_host_has_its_own_names)
{
	const struct settings_host *host;

	good(BASE "hosts:\n  - names: [a.test, \"*.b.test\"]\n"
	     "    certificate: a.pem\n    key: a.key\n    default: true\n");
	host = &settings->hosts[0];
	ck_assert_ptr_eq(settings_host(settings, "evil.test"), host);
	ck_assert(settings_host_has(host, "a.test"));
	ck_assert(settings_host_has(host, "x.b.test"));
	ck_assert(!settings_host_has(host, "evil.test"));
	ck_assert(!settings_host_has(host, "b.test"));
	ck_assert(!settings_host_has(host, "x.y.b.test"));
	ck_assert(!settings_host_has(host, "*.b.test"));
	ck_assert(!settings_host_has(host, ".b.test"));
	ck_assert(!settings_host_has(host, ""));
}
END_TEST

static const char *backend_for(const char *alpn)
{
	const struct settings_address *found =
		settings_backend(&settings->hosts[0], alpn);

	return found != NULL ? found->text : "builtin";
}

/* A protocol may have a backend of its own; the others share the usual one. */
START_TEST(test_backend_by_alpn)
{
	good(BASE HOST "    alpn: [h2, http/1.1]\n"
	     "    backend: tcp:127.0.0.1:80\n    send_proxy: v2\n    backends:\n"
	     "      - { alpn: h2, backend: unix:/run/h2 }\n");
	ck_assert_str_eq(backend_for("h2"), "unix:/run/h2");
	ck_assert_str_eq(backend_for("http/1.1"), "tcp:127.0.0.1:80");
	ck_assert_str_eq(backend_for(""), "tcp:127.0.0.1:80");
	ck_assert_int_eq(settings->hosts[0].send_proxy, PROXY_FORM_V2);
	/* The page beside an application that speaks HTTP/2 alone. */
	good(BASE HOST "    alpn: [h2, http/1.1]\n    backends:\n"
	     "      - { alpn: h2, backend: unix:/run/h2 }\n");
	ck_assert_str_eq(backend_for("h2"), "unix:/run/h2");
	ck_assert_str_eq(backend_for("http/1.1"), "builtin");
}
END_TEST

static const char *const forms[] = {
	"false", "v1", "v2", "v2-tls", "v2-tls-crc32c",
};

/* Each form by its name. */
START_TEST(test_send_proxy)
{
	char text[512];

	snprintf(text, sizeof(text), BASE HOST "    backend: unix:/a\n"
		 "    send_proxy: %s\n", forms[_i]);
	good(text);
	ck_assert_int_eq(settings->hosts[0].send_proxy, _i);
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

int main(void)
{
	Suite *suite = suite_create("settings");
	TCase *tcase = tcase_create("settings_read");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_read_gives_defaults);
	tcase_add_test(tcase, test_read_takes_host_name);
	tcase_add_test(tcase, test_read_takes_everything);
	tcase_add_test(tcase, test_read_gives_host_defaults);
	tcase_add_test(tcase, test_read_takes_client_certificates);
	tcase_add_test(tcase, test_read_takes_roles);
	tcase_add_test(tcase, test_host_has_its_own_names);
	tcase_add_test(tcase, test_backend_by_alpn);
	tcase_add_loop_test(tcase, test_send_proxy, 0, 5);
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
