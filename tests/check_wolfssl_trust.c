/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_wolfssl_trust.c - what a resumed connection may be trusted for: whose
 * identity it carries, that nothing resumes past the keys, and what happens
 * when no key may seal.
 */
#include <wolfssl/options.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/ssl.h>

#include "memnode.h"

static const int versions[] = { MEMHS_TLS12, MEMHS_TLS13 };

static struct memnode *a, *b;
static struct memhs_result first, second, third;
static struct stek_identity alice;

static void set_up(void)
{
	struct stek_ring *ring = memnode_ring_default();

	a = memnode_new("A", ring, NULL);
	b = memnode_new("B", ring, NULL);
	stek__ring_unref(ring);
	alice.status = 1;
	alice.not_after_s = 1893456000;
	memset(alice.fingerprint, 0xa1, sizeof(alice.fingerprint));
	memset(alice.issuer_serial, 0x5e, sizeof(alice.issuer_serial));
}

static void tear_down(void)
{
	memnode_free(a);
	memnode_free(b);
}

static void run(struct memnode *node, struct memhs_client client,
		const struct stek_identity *identity, struct memhs_result *out)
{
	memhs_run(node->ctx, &client, true, identity, out);
	ck_assert_msg(out->done, "server error %d", out->server_error);
}

static void expect_identity(const struct stek_identity *is,
			    const struct stek_identity *expected)
{
	ck_assert_uint_eq(is->status, expected->status);
	ck_assert_mem_eq(is->fingerprint, expected->fingerprint,
			 sizeof(is->fingerprint));
	ck_assert_mem_eq(is->issuer_serial, expected->issuer_serial,
			 sizeof(is->issuer_serial));
	ck_assert_int_eq(is->not_after_s, expected->not_after_s);
}

/* The client's identity travels to the other node, and on from there. */
START_TEST(test_identity_travels)
{
	run(a, (struct memhs_client){ .version = versions[_i] }, &alice,
	    &first);
	b->now_ms += 4 * MEMNODE_HOUR_MS;
	memhs_age(&first.sessions[0], 4 * 3600);
	run(b, (struct memhs_client){ .version = versions[_i],
				      .session = &first.sessions[0] },
	    NULL, &second);
	ck_assert(second.resumed);
	expect_identity(&second.record.identity, &alice);
	ck_assert_uint_ge(second.n_sessions, 1);
	a->now_ms = b->now_ms;
	run(a, (struct memhs_client){ .version = versions[_i],
				      .session = &second.sessions[0] },
	    NULL, &third);
	ck_assert(third.resumed);
	expect_identity(&third.record.identity, &alice);
}
END_TEST

/* A certificate is good through its notAfter, in farm time, and no longer. */
START_TEST(test_expired_certificate_is_refused)
{
	struct memhs_client client = { .version = versions[_i] };

	alice.not_after_s = MEMNODE_NOW_MS / 1000 + 60;
	run(a, client, &alice, &first);
	client.session = &first.sessions[0];
	memhs_age(&first.sessions[0], 60);
	b->now_ms += 60 * 1000 + 999;
	run(b, client, NULL, &second);
	ck_assert(second.resumed);
	expect_identity(&second.record.identity, &alice);
	b->now_ms++;
	run(b, client, NULL, &second);
	ck_assert(!second.resumed);
	ck_assert_int_eq(second.record.outcome, STEK_REFUSED_IDENTITY);
	ck_assert_uint_eq(second.record.identity.status, 0);
}
END_TEST

struct asked {
	bool answer;
	unsigned calls;
	struct stek_identity identity;
	int64_t now_ms;
};

static bool on_admit(void *user, const struct stek_identity *identity,
		     int64_t now_ms)
{
	struct asked *asked = user;

	asked->calls++;
	asked->identity = *identity;
	asked->now_ms = now_ms;
	return asked->answer;
}

/* The application is asked whose ticket may resume, and its no is a no. */
START_TEST(test_application_admits)
{
	static const struct stek_identity nobody;
	struct asked asked = { .answer = true };
	struct stek_wolfssl_options options = { .admit = on_admit,
						.user = &asked };
	struct memhs_client client = { .version = versions[_i % 2] };
	struct stek_ring *ring = memnode_ring_default();
	struct memnode *c = memnode_new("C", ring, &options);
	const struct stek_identity *whose = _i < 2 ? &alice : &nobody;

	stek__ring_unref(ring);
	run(a, client, whose, &first);
	client.session = &first.sessions[0];
	c->now_ms += 1000;
	memhs_age(&first.sessions[0], 1);
	run(c, client, NULL, &second);
	ck_assert(second.resumed);
	ck_assert_uint_ge(asked.calls, 1);
	expect_identity(&asked.identity, whose);
	ck_assert_int_eq(asked.now_ms, MEMNODE_NOW_MS + 1000);
	asked.answer = false;
	run(c, client, NULL, &second);
	ck_assert(!second.resumed);
	ck_assert_int_eq(second.record.outcome, STEK_REFUSED_IDENTITY);
	expect_identity(&second.record.identity, &nobody);
	memnode_free(c);
}
END_TEST

/* Without a record nobody would be told: no resumption of an identity. */
START_TEST(test_identity_needs_a_record)
{
	struct memhs_client client = { .version = versions[_i] };

	run(a, client, &alice, &first);
	client.session = &first.sessions[0];
	memhs_run(b->ctx, &client, false, NULL, &second);
	ck_assert(second.done);
	ck_assert(!second.resumed);
}
END_TEST

/*
 * A ticket that the library did not choose gives no identity: the callback
 * opens it, then the suites do not agree and a full handshake follows, in which
 * the client proved nothing.
 */
START_TEST(test_unused_ticket_gives_no_identity)
{
	static const struct stek_identity nobody;

	run(a, (struct memhs_client){ .version = MEMHS_TLS13,
				      .suites = "TLS_AES_128_GCM_SHA256" },
	    &alice, &first);
	run(b, (struct memhs_client){
			.version = MEMHS_TLS13,
			.suites = "TLS_CHACHA20_POLY1305_SHA256",
			.session = &first.sessions[0] },
	    NULL, &second);
	ck_assert(!second.resumed);
	ck_assert_uint_eq(second.record.opens, 1);
	ck_assert_int_eq(second.record.outcome, STEK_REFUSED_EXPIRED);
	expect_identity(&second.record.identity, &nobody);
	/* Nor do the tickets that followed carry one. */
	run(a, (struct memhs_client){ .version = MEMHS_TLS13,
				      .session = &second.sessions[0] },
	    NULL, &third);
	ck_assert(third.resumed);
	expect_identity(&third.record.identity, &nobody);
}
END_TEST

/*
 * The library opens every identity offered and never says which one it chose.
 * A client with a ticket of its own and one seen on another's wire must not get
 * that other's identity, in either order of suites.
 */
START_TEST(test_stolen_ticket_gives_no_identity)
{
	static const struct stek_identity nobody;
	static uint8_t stolen[512];
	struct memhs_client attack = {
		.version = MEMHS_TLS13,
		.suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
		.stolen = stolen,
		.stolen_suite = "TLS_CHACHA20_POLY1305_SHA256",
	};
	struct memhs_client one = { .version = MEMHS_TLS13,
				    .suites = "TLS_CHACHA20_POLY1305_SHA256" };
	const uint8_t *seen;

	run(a, one, &alice, &first);
	seen = memhs_ticket(&first.sessions[0], &attack.stolen_len);
	memcpy(stolen, seen, attack.stolen_len);
	run(a, one, NULL, &second);
	attack.session = &second.sessions[0];
	run(b, attack, NULL, &third);
	ck_assert(third.resumed);
	expect_identity(&third.record.identity, &nobody);
	ck_assert_uint_eq(third.record.opens, 1);
}
END_TEST

/* A hello that had to be repeated opens the same ticket twice, and resumes. */
START_TEST(test_retried_hello_resumes)
{
	struct memhs_client client = { .version = MEMHS_TLS13 };

	run(a, client, &alice, &first);
	client.session = &first.sessions[0];
	client.groups = "X448:P-256";
	run(b, client, NULL, &second);
	ck_assert(second.resumed);
	ck_assert_uint_eq(second.record.opens, 2);
	expect_identity(&second.record.identity, &alice);
}
END_TEST

/* RFC 7627 s5.3, the four cases of EMS in session and hello. */
START_TEST(test_tls12_needs_extended_master_secret)
{
	struct memhs_client with = { .version = MEMHS_TLS12 };
	struct memhs_client without = { .version = MEMHS_TLS12,
					.no_ems = true };

	run(a, with, NULL, &first);
	with.session = &first.sessions[0];
	run(b, with, NULL, &second);
	ck_assert(second.resumed);
	/* The session had it, the hello has not: abort. */
	without.session = &first.sessions[0];
	memhs_run(b->ctx, &without, true, NULL, &second);
	ck_assert(!second.done);
	/* The session had none: its ticket is one that nothing opens. */
	without.session = NULL;
	run(a, without, NULL, &first);
	ck_assert_uint_eq(first.record.issued, 0);
	ck_assert_uint_eq(first.record.blank, 1);
	without.session = with.session = &first.sessions[0];
	run(b, without, NULL, &second);
	ck_assert(!second.resumed);
	run(b, with, NULL, &second);
	ck_assert(!second.resumed);
}
END_TEST

/* When no key may seal, handshakes go on and the tickets open nowhere. */
START_TEST(test_no_sealing_key_gives_blank_tickets)
{
	struct memhs_client client = { .version = versions[_i] };
	size_t len;

	run(a, client, NULL, &third);
	/* Key 3 seals until 11 h from now; at 11 h nobody may. */
	a->now_ms = b->now_ms = MEMNODE_NOW_MS + 11 * MEMNODE_HOUR_MS;
	run(a, client, NULL, &first);
	ck_assert_uint_eq(first.record.issued, 0);
	ck_assert_uint_eq(first.record.blank, first.n_sessions);
	ck_assert_uint_ge(first.n_sessions, 1);
	ck_assert_ptr_nonnull(memhs_ticket(&first.sessions[0], &len));
	ck_assert_uint_eq(len, stek_wolfssl_ticket_len());
	client.session = &first.sessions[0];
	run(b, client, NULL, &second);
	ck_assert(!second.resumed);
	ck_assert_int_eq(second.record.outcome, STEK_REFUSED_UNKNOWN);
	/* An older good ticket still resumes and, in 1.2, is not replaced. */
	memnode_install(b, memnode_ring((struct stek_key *[]){
					memnode_key(2, -7 * MEMNODE_HOUR_MS) },
					1));
	b->now_ms = MEMNODE_NOW_MS;
	client.session = &third.sessions[0];
	run(b, client, NULL, &second);
	ck_assert(second.resumed);
	ck_assert_int_eq(second.record.outcome, STEK_RESUMED_RETIRED);
	ck_assert_uint_eq(second.record.issued, 0);
	if (versions[_i] == MEMHS_TLS12)
		ck_assert_uint_eq(second.record.blank, 0);
}
END_TEST

/* REQ-16: with the keys gone nothing resumes by session id. */
START_TEST(test_no_session_id_resumes)
{
	struct memhs_client client = { .version = versions[_i],
				       .no_ticket = _i == 0 };
	struct stek_key *key = memnode_key(9, -1);

	run(a, client, NULL, &first);
	memnode_install(a, memnode_ring(&key, 1));
	if (first.n_sessions) {
		client.session = &first.sessions[0];
		run(a, client, NULL, &second);
		ck_assert(!second.resumed);
	} else {
		/* TLS 1.2 without tickets gave the client nothing to keep. */
		ck_assert_int_eq(_i, 0);
	}
}
END_TEST

/*
 * Nor by a PSK identity of 32 bytes, by which wolfSSL looks into the cache of
 * the whole process: contexts that are not attached may fill that.
 */
START_TEST(test_no_session_of_another_context_resumes)
{
	struct memhs_client client = { .version = MEMHS_TLS13 };
	WOLFSSL_CTX *other = memhs_server_ctx();
	size_t len;

	wolfSSL_CTX_set_options(other, WOLFSSL_OP_NO_TICKET);
	memhs_run(other, &client, false, NULL, &first);
	ck_assert(first.done);
	ck_assert_uint_ge(first.n_sessions, 1);
	memhs_ticket(&first.sessions[0], &len);
	ck_assert_uint_eq(len, 32);
	client.session = &first.sessions[0];
	run(a, client, NULL, &second);
	ck_assert(!second.resumed);
	ck_assert_int_eq(second.record.outcome, STEK_NONE_OFFERED);
	wolfSSL_CTX_free(other);
}
END_TEST

/* An application's session id context leaves no place for a fingerprint. */
START_TEST(test_session_id_context_gives_blank_tickets)
{
	wolfSSL_CTX_set_session_id_context(a->ctx, (const unsigned char *)"x",
					   1);
	run(a, (struct memhs_client){ .version = versions[_i] }, &alice,
	    &first);
	ck_assert_uint_eq(first.record.issued, 0);
	ck_assert_uint_ge(first.record.blank, 1);
}
END_TEST

/*
 * The library is the one that deps.sh builds: a binder under a wrong key fails
 * the handshake, and is compared in constant time.
 */
START_TEST(test_library_compares_binders_in_constant_time)
{
	struct memhs_client client = { .version = MEMHS_TLS13 };

	run(a, client, &alice, &first);
	memhs_spoil_secret(&first.sessions[0]);
	client.session = &first.sessions[0];
	memhs_run(b->ctx, &client, true, NULL, &second);
	ck_assert(!second.done);
	ck_assert_uint_eq(second.record.identity.status, 0);
#if LIBWOLFSSL_VERSION_HEX < 0x05008004 && !defined(WOLFSSL_STEKD_BINDER_COMPARE)
	ck_abort_msg("CVE-2025-11932: wolfSSL lacks deploy/wolfssl/0001");
#endif
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wolfssl_trust");
	TCase *tc = tcase_create("trust");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_identity_travels, 0, 2);
	tcase_add_loop_test(tc, test_expired_certificate_is_refused, 0, 2);
	tcase_add_loop_test(tc, test_application_admits, 0, 4);
	tcase_add_loop_test(tc, test_identity_needs_a_record, 0, 2);
	tcase_add_test(tc, test_unused_ticket_gives_no_identity);
	tcase_add_test(tc, test_stolen_ticket_gives_no_identity);
	tcase_add_test(tc, test_retried_hello_resumes);
	tcase_add_test(tc, test_tls12_needs_extended_master_secret);
	tcase_add_loop_test(tc, test_no_sealing_key_gives_blank_tickets, 0, 2);
	tcase_add_loop_test(tc, test_no_session_id_resumes, 0, 2);
	tcase_add_test(tc, test_no_session_of_another_context_resumes);
	tcase_add_loop_test(tc, test_session_id_context_gives_blank_tickets, 0,
			    2);
	tcase_add_test(tc, test_library_compares_binders_in_constant_time);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
