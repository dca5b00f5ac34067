// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_admin_peer.c - who may ask over a host with backend: admin: what of its
 * certificate and of the configuration decides at the moment of a request, and
 * what a request says about where it comes from.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin_tls.h"
#include "deny.h"
#include "generation.h"
#include "loopback.h"
#include "pki.h"

#define NAME "www.example.com"
#define BLANK_NAME " " NAME
#define NO_PORT NAME ":"
#define LETTER_PORT NAME ":80x"
#define TWO_PORTS NAME ":443:443"
#define USER_NAME NAME "@evil.test"

static char names[] = "dns:ops.test\0";
static char ops[] = "dns:ops.test";
static struct role_entry roles[2];
static struct admin_peer peer;
static struct admin_grant grant;
static struct admin_answer answer;
static struct loopback *loopback;
static char ca_path[128];

static void write_ca(void)
{
	struct pki ca = pki_make(&(struct pki_wish){ .name = "CA",
						     .ca = true });
	const struct pki *anchors[] = { &ca };

	snprintf(ca_path, sizeof(ca_path), "%s/ca", loopback->dir);
	pki_write(ca_path, anchors, 1);
	pki_free(&ca);
}

static void set_up_peer(void)
{
	struct sockaddr_in *from = (void *)&peer.from;

	loopback = loopback_new(memnode_ring_default());
	write_ca();
	loopback->node.deny = deny_new();
	ck_assert_ptr_nonnull(loopback->node.deny);
	memset(roles, 0, sizeof(roles));
	roles[0] = (struct role_entry){ .certificate = ops,
					.role = ROLE_ROTATE };
	roles[1] = (struct role_entry){ .by_fingerprint = true,
					.role = ROLE_READ };
	memset(roles[1].fingerprint, 1, DENY_LEN);
	loopback->hosts[0].client_auth = CLIENT_REQUIRED;
	loopback->hosts[0].client_ca = ca_path;
	loopback->hosts[0].client_depth = 4;
	loopback->hosts[0].backend = BACKEND_ADMIN;
	loopback->hosts[0].roles = roles;
	loopback->hosts[0].n_roles = 2;
	loopback_start(loopback);
	memset(&peer, 0, sizeof(peer));
	peer.identity.status = 1;
	memset(peer.identity.fingerprint, 2, STEK_DIGEST_LEN);
	peer.identity.not_after_s =
		stek_farm_now_ms(loopback->node.farm) / 1000 + 60;
	peer.mark = tls_hosts_mark(
		atomic_load(&loopback->node.present)->hosts,
		&loopback->hosts[0]);
	strcpy(peer.server_name, NAME);
	memcpy(peer.names, names, sizeof(names));
	from->sin_family = AF_INET;
	from->sin_port = htons(4711);
	inet_pton(AF_INET, "192.0.2.7", &from->sin_addr);
}

static void tear_down_peer(void)
{
	struct deny *deny = loopback->node.deny;

	admin_answer_clear(&answer);
	unlink(ca_path);
	loopback_free(loopback);
	deny_free(deny);
}

static void judge(const char *host)
{
	memset(&grant, 0xff, sizeof(grant));
	admin_peer_judge(&loopback->node, &peer, host, &grant);
}

/* It is known by fingerprint and name, and by the address it came from. */
START_TEST(test_who)
{
	judge(NAME);
	ck_assert(!grant.gone);
	ck_assert_int_eq(grant.role, ROLE_ROTATE);
	ck_assert_str_eq(grant.from, "192.0.2.7:4711");
	ck_assert_str_eq(grant.who, "cert:02020202020202020202020202020202"
			 "02020202020202020202020202020202 dns:ops.test");
	memset(peer.identity.fingerprint, 1, STEK_DIGEST_LEN);
	judge(NAME);
	ck_assert_int_eq(grant.role, ROLE_READ);
	ck_assert_uint_eq(strlen(grant.who), 5 + 64);
	memset(peer.names, 0, sizeof(peer.names));
	memset(peer.identity.fingerprint, 3, STEK_DIGEST_LEN);
	judge(NAME);
	ck_assert(!grant.gone);
	ck_assert_int_eq(grant.role, ROLE_NONE);
}
END_TEST

/* Whatever the host would not let in now, it does not let ask either. */
START_TEST(test_gone)
{
	int64_t now_s = stek_farm_now_ms(loopback->node.farm) / 1000;
	char why[256];

	peer.identity.not_after_s = now_s - 1;
	judge(NAME);
	ck_assert(grant.gone);
	ck_assert_int_eq(grant.role, ROLE_NONE);
	peer.identity.not_after_s = now_s + 60;
	peer.identity.status = 0;
	judge(NAME);
	ck_assert(grant.gone);
	peer.identity.status = 1;
	peer.mark++;
	judge(NAME);
	ck_assert(grant.gone);
	peer.mark--;
	judge(NAME);
	ck_assert(!grant.gone);
	ck_assert_int_eq(deny_change(loopback->node.deny,
				     peer.identity.fingerprint, true, why,
				     sizeof(why)), DENY_DONE);
	judge(NAME);
	ck_assert(grant.gone);
	ck_assert_int_eq(grant.role, ROLE_NONE);
	ck_assert(!grant.named);
}
END_TEST

/* A host of another backend, or none, has no roles to give. */
START_TEST(test_other_hosts)
{
	strcpy(peer.server_name, "relay.example.com");
	judge("relay.example.com");
	ck_assert(grant.gone);
	strcpy(peer.server_name, "nowhere.example.com");
	judge("nowhere.example.com");
	ck_assert(grant.gone);
	peer.server_name[0] = '\0';
	judge(NAME);
	ck_assert(grant.gone);
}
END_TEST

/* Host is one of the names of that host, with any port. */
START_TEST(test_named)
{
	static const char *const good[] = {
		NAME, "WWW.example.com", "www.example.com:443",
		"www.example.com:1",
	};
	static const char *const bad[] = {
		"", ":443", "www.example.com.", "relay.example.com",
		"evil.test", NO_PORT, LETTER_PORT, TWO_PORTS,
		USER_NAME, "127.0.0.1", "[::1]:443", BLANK_NAME,
	};
	char big[300];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		judge(good[i]);
		ck_assert_msg(grant.named, "%s", good[i]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		judge(bad[i]);
		ck_assert_msg(!grant.named, "%s", bad[i]);
	}
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	judge(big);
	ck_assert(!grant.named);
	judge(NULL);
	ck_assert(!grant.named);
}
END_TEST

struct sent {
	bool good;
	struct admin_site site;
};

static const struct sent requests[] = {
	{ true, { .method = "GET", .host = NAME } },
	{ true, { .method = "GET", .host = NAME, .fetch_site = "none" } },
	{ true, { .method = "GET", .host = NAME, .fetch_site = "same-origin",
		  .origin = "https://" NAME } },
	{ false, { .method = "GET", .host = NAME ":444",
		   .origin = "https://" NAME } },
	{ false, { .method = "GET", .host = NAME, .origin = "http://" NAME } },
	{ false, { .method = "GET", .host = NAME, .origin = "null" } },
	{ false, { .method = "GET", .host = NAME, .origin = "" } },
	{ false, { .method = "GET", .host = NAME,
		   .origin = "https://" NAME ".evil.test" } },
	{ false, { .method = "GET", .host = NAME,
		   .fetch_site = "same-site" } },
	{ false, { .method = "GET", .host = NAME,
		   .fetch_site = "cross-site" } },
	{ false, { .method = "GET", .host = "evil.test",
		   .origin = "https://evil.test" } },
	/* A link to the page, but not to what it reads. */
	{ true, { .method = "GET", .host = NAME, .file = true,
		  .fetch_site = "cross-site", .fetch_mode = "navigate",
		  .fetch_dest = "document" } },
	{ false, { .method = "GET", .host = NAME, .file = true,
		   .fetch_site = "cross-site", .fetch_mode = "no-cors",
		   .fetch_dest = "script" } },
	{ false, { .method = "GET", .host = NAME, .file = true,
		   .fetch_site = "cross-site", .fetch_mode = "navigate",
		   .fetch_dest = "iframe" } },
	{ false, { .method = "GET", .host = NAME, .fetch_site = "cross-site",
		   .fetch_mode = "navigate", .fetch_dest = "document" } },
	/* What a form can send changes nothing. */
	{ false, { .method = "POST", .host = NAME } },
	{ true, { .method = "POST", .host = NAME,
		  .content_type = "application/json" } },
	{ true, { .method = "POST", .host = NAME, .request = "a" } },
	{ false, { .method = "POST", .host = NAME, .request = "a",
		   .content_type = "application/json",
		   .fetch_site = "cross-site" } },
	{ false, { .method = "POST", .host = NAME, .fetch_site = "none" } },
};

/* A page of another site gets nothing, though the browser has a certificate. */
START_TEST(test_sites)
{
	const struct sent *sent = &requests[_i];

	memset(&answer, 0, sizeof(answer));
	ck_assert_int_eq(admin_tls_may_ask(&loopback->node, &peer, &sent->site,
					   &grant, &answer), sent->good);
	ck_assert_uint_eq(answer.status, sent->good ? 0 : 403);
}
END_TEST

/* Without a role nothing, and whoever is gone learns no more than that. */
START_TEST(test_refusals_tell_their_kind)
{
	const struct admin_site site = { .method = "GET", .host = NAME };

	memset(peer.names, 0, sizeof(peer.names));
	memset(&answer, 0, sizeof(answer));
	ck_assert(!admin_tls_may_ask(&loopback->node, &peer, &site, &grant,
				     &answer));
	ck_assert_ptr_nonnull(strstr(answer.body, "forbidden-role"));
	ck_assert_ptr_nonnull(strstr(answer.body, "\"needs\":\"read\""));
	admin_answer_clear(&answer);
	peer.identity.not_after_s = 1;
	ck_assert(!admin_tls_may_ask(&loopback->node, &peer, &site, &grant,
				     &answer));
	ck_assert_ptr_nonnull(strstr(answer.body, "forbidden-certificate"));
}
END_TEST

/* It stands before what a client sends, all of it or nothing. */
START_TEST(test_handing_over)
{
	struct admin_peer got;
	char next;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(admin_peer_receive(&got, pair[1]), -1);
	ck_assert_int_eq(admin_peer_send(&peer, pair[0]), 0);
	ck_assert_int_eq((int)send(pair[0], "x", 1, 0), 1);
	ck_assert_int_eq(admin_peer_receive(&got, pair[1]), 0);
	ck_assert_mem_eq(&got, &peer, sizeof(peer));
	ck_assert_int_eq((int)recv(pair[1], &next, 1, 0), 1);
	ck_assert_int_eq(next, 'x');
	ck_assert_int_eq((int)send(pair[0], &peer, sizeof(peer) - 1, 0),
			 (int)sizeof(peer) - 1);
	ck_assert_int_eq(admin_peer_receive(&got, pair[1]), -1);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admin_peer");
	TCase *tcase = tcase_create("admin_peer");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up_peer, tear_down_peer);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_who);
	tcase_add_test(tcase, test_gone);
	tcase_add_test(tcase, test_other_hosts);
	tcase_add_test(tcase, test_named);
	tcase_add_loop_test(tcase, test_sites, 0,
			    sizeof(requests) / sizeof(requests[0]));
	tcase_add_test(tcase, test_refusals_tell_their_kind);
	tcase_add_test(tcase, test_handing_over);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
