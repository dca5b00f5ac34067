/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_wolfssl.c - keys/wolfssl*.c by whole handshakes in memory: what resumes
 * on another node, and every reason why a ticket of our own does not.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "memnode.h"
#include "ticket.h"

static const int versions[] = { MEMHS_TLS12, MEMHS_TLS13 };

static struct memnode *a, *b;	/* two nodes of one farm */
static struct memhs_result first, second;

static void set_up(void)
{
	struct stek_ring *ring = memnode_ring_default();

	a = memnode_new("A", ring, NULL);
	b = memnode_new("B", ring, NULL);
	stek__ring_unref(ring);
}

static void tear_down(void)
{
	memnode_free(a);
	memnode_free(b);
}

static void run_full(struct memnode *node, int version)
{
	const struct memhs_client client = { .version = version };

	memhs_run(node->ctx, &client, true, NULL, &first);
	ck_assert(first.done);
	ck_assert(!first.resumed);
	ck_assert_uint_ge(first.n_sessions, 1);
}

/* Offers what `first` got last. Never may the handshake fail. */
static void run_again(struct memnode *node, int version)
{
	const struct memhs_client client = {
		.version = version,
		.session = &first.sessions[first.n_sessions - 1],
	};

	memhs_run(node->ctx, &client, true, NULL, &second);
	ck_assert_msg(second.done, "version %x: server error %d", version,
		      second.server_error);
	ck_assert_int_eq(second.resumed, second.server_resumed);
}

static void expect_refused(struct memnode *node, int version,
			   enum stek_outcome outcome)
{
	run_again(node, version);
	ck_assert(!second.resumed);
	ck_assert_int_eq(second.record.outcome, outcome);
	/* RFC 5077 s3.3: a refused ticket is followed by a new one. */
	ck_assert_uint_ge(second.n_sessions, 1);
}

/* A session made on one node resumes on the other, in both versions. */
START_TEST(test_ticket_resumes_on_another_node)
{
	int version = versions[_i];

	run_full(a, version);
	ck_assert_int_eq(first.record.outcome, STEK_NONE_OFFERED);
	ck_assert_uint_eq(first.record.issued, version == MEMHS_TLS12 ? 1 : 2);
	ck_assert_uint_eq(first.record.blank, 0);
	b->now_ms += 2000;
	run_again(b, version);
	ck_assert(second.resumed);
	ck_assert_int_eq(second.record.outcome, STEK_RESUMED_ACTIVE);
	ck_assert_uint_eq(second.record.issuer, 'A');
	ck_assert_uint_eq(second.record.key_id[0], 2);
	ck_assert_int_eq(second.record.age_ms, 2000);
	ck_assert_int_eq(second.record.sealed_at_ms, MEMNODE_NOW_MS);
	ck_assert_int_eq(second.record.chain_start_ms, MEMNODE_NOW_MS);
	ck_assert_uint_eq(second.record.opens, 1);
}
END_TEST

/* Without a record a connection resumes all the same. */
START_TEST(test_record_is_optional)
{
	struct memhs_client client = { .version = versions[_i] };

	memhs_run(a->ctx, &client, false, NULL, &first);
	ck_assert(first.done);
	client.session = &first.sessions[0];
	for (int i = 0; i < 3; i++) {
		memhs_run(b->ctx, &client, false, NULL, &second);
		ck_assert(second.done);
		ck_assert(second.resumed);
	}
}
END_TEST

/* Every ticket has the one length that the library announces. */
START_TEST(test_tickets_have_one_length)
{
	size_t len;

	for (int n = 0; n < 20; n++) {
		run_full(a, versions[_i]);
		for (size_t i = 0; i < first.n_sessions; i++) {
			ck_assert_ptr_nonnull(
				memhs_ticket(&first.sessions[i], &len));
			ck_assert_uint_eq(len, stek_wolfssl_ticket_len());
		}
	}
}
END_TEST

/* The lifetime hint is the policy's, and no ticket allows early data. */
START_TEST(test_hint_is_the_lifetime)
{
	run_full(a, versions[_i]);
	ck_assert_uint_eq(memhs_lifetime_hint(&first.sessions[0]), 21600);
	ck_assert(!memhs_early_data(&first.sessions[0]));
}
END_TEST

/* RFC 8446 s4.6.1: more than 7 days is refused at set-up, with the reason. */
START_TEST(test_attach_refuses_long_lifetime)
{
	struct stek_host *host = NULL;
	char why[100] = "";

	a->farm.policy.lifetime_s = 604801;
	ck_assert_int_eq(stek_wolfssl_attach(&host, &a->farm, a->ctx, NULL,
					     why, sizeof(why)), STEK_EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "lifetime_s"));
	ck_assert_ptr_null(host);
	a->farm.policy.lifetime_s = 604800;
	ck_assert_int_eq(stek_wolfssl_attach(&host, &a->farm, a->ctx, NULL,
					     NULL, 0), 0);
	run_full(a, versions[_i]);
	ck_assert_uint_eq(memhs_lifetime_hint(&first.sessions[0]), 604800);
	stek_wolfssl_detach(host);
}
END_TEST

/* A ticket under a retired key still resumes; TLS 1.2 renews it at once. */
START_TEST(test_retired_key_resumes_and_renews)
{
	int version = versions[_i];

	run_full(a, version);
	a->now_ms = b->now_ms = MEMNODE_NOW_MS + 5 * MEMNODE_HOUR_MS + 1000;
	memhs_age(&first.sessions[first.n_sessions - 1], 5 * 3600 + 1);
	run_again(b, version);
	ck_assert(second.resumed);
	ck_assert_int_eq(second.record.outcome, STEK_RESUMED_RETIRED);
	ck_assert_uint_ge(second.n_sessions, 1);
	ck_assert_uint_ge(second.record.issued, 1);
	first = second;
	run_again(a, version);
	ck_assert(second.resumed);
	ck_assert_int_eq(second.record.outcome, STEK_RESUMED_ACTIVE);
	ck_assert_uint_eq(second.record.key_id[0], 3);
	/* The chain's start has come along through the renewal. */
	ck_assert_int_eq(second.record.chain_start_ms, MEMNODE_NOW_MS);
}
END_TEST

/* In TLS 1.2 a ticket younger than half its life is not replaced. */
START_TEST(test_tls12_renews_after_half_the_lifetime)
{
	run_full(a, MEMHS_TLS12);
	run_again(b, MEMHS_TLS12);
	ck_assert(second.resumed);
	ck_assert_uint_eq(second.record.issued, 0);
	b->now_ms += 3 * MEMNODE_HOUR_MS + 1;
	run_again(b, MEMHS_TLS12);
	ck_assert(second.resumed);
	ck_assert_uint_eq(second.record.issued, 1);
}
END_TEST

/* A pending key opens: the issuing node's clock may be ahead of ours. */
START_TEST(test_pending_key_opens)
{
	a->now_ms += 5 * MEMNODE_HOUR_MS;
	b->now_ms += 5 * MEMNODE_HOUR_MS - 1000;
	run_full(a, versions[_i]);
	run_again(b, versions[_i]);
	ck_assert(second.resumed);
	ck_assert_int_eq(second.record.outcome, STEK_RESUMED_PENDING);
}
END_TEST

/* Revoked by tombstone, whether the key is still known or not. */
START_TEST(test_revoked_key_is_refused)
{
	struct stek_tombstone grave = { .activate_at_ms = MEMNODE_NOW_MS -
							  MEMNODE_HOUR_MS,
		.expire_at_ms = MEMNODE_NOW_MS + 12 * MEMNODE_HOUR_MS,
		.revoked_at_ms = MEMNODE_NOW_MS };
	struct stek_key *keys[] = { memnode_key(2, -MEMNODE_HOUR_MS),
				    memnode_key(4, -1) };
	struct stek_ring *known = NULL, *unknown = NULL;

	memset(grave.id, 2, sizeof(grave.id));
	ck_assert_int_eq(stek__ring_new(&known, 2, keys, 2, &grave, 1, 0), 0);
	ck_assert_int_eq(stek__ring_new(&unknown, 2, keys + 1, 1, &grave, 1, 0),
			 0);
	run_full(a, versions[_i]);
	memnode_install(b, known);
	expect_refused(b, versions[_i], STEK_REFUSED_REVOKED);
	ck_assert_uint_eq(second.record.opens, 0);
	memnode_install(b, unknown);
	expect_refused(b, versions[_i], STEK_REFUSED_REVOKED);
	stek__key_unref(keys[0]);
	stek__key_unref(keys[1]);
}
END_TEST

/* The floor revokes what was made before it. */
START_TEST(test_floor_revokes)
{
	struct stek_key *keys[] = { memnode_key(2, -MEMNODE_HOUR_MS),
				    memnode_key(4, -1) };
	struct stek_ring *ring = NULL;

	ck_assert_int_eq(stek__ring_new(&ring, 2, keys, 2, NULL, 0,
					MEMNODE_NOW_MS - MEMNODE_HOUR_MS - 1),
			 0);
	run_full(a, versions[_i]);
	memnode_install(b, ring);
	expect_refused(b, versions[_i], STEK_REFUSED_REVOKED);
	stek__key_unref(keys[0]);
	stek__key_unref(keys[1]);
}
END_TEST

/* An unknown key costs no AEAD attempt. */
START_TEST(test_unknown_key_is_refused)
{
	struct stek_key *key = memnode_key(9, -1);

	run_full(a, versions[_i]);
	memnode_install(b, memnode_ring(&key, 1));
	expect_refused(b, versions[_i], STEK_REFUSED_UNKNOWN);
	ck_assert_uint_eq(second.record.opens, 0);
}
END_TEST

/* Another secret under the same id: forged, after exactly one attempt. */
START_TEST(test_forged_ticket_is_refused)
{
	uint8_t secret[STEK_SECRET_LEN], id[STEK_ID_LEN];
	struct stek_key *key = NULL;

	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)i;
	memset(id, 2, sizeof(id));
	ck_assert_int_eq(stek__key_new(&key, id, secret, "B",
				       STEK_MADE_BY_SCHEDULE,
				       MEMNODE_NOW_MS - 2 * MEMNODE_HOUR_MS,
				       MEMNODE_NOW_MS - MEMNODE_HOUR_MS,
				       MEMNODE_NOW_MS + 11 * MEMNODE_HOUR_MS +
					       60000), 0);
	run_full(a, versions[_i]);
	memnode_install(b, memnode_ring(&key, 1));
	expect_refused(b, versions[_i], STEK_REFUSED_FORGED);
	ck_assert_uint_eq(second.record.opens, 1);
}
END_TEST

/* A ticket lives lifetime_s to the millisecond, on the farm's clock. */
START_TEST(test_lifetime_ends)
{
	struct memhs_session *session;

	run_full(a, versions[_i]);
	session = &first.sessions[first.n_sessions - 1];
	memhs_age(session, 21600);
	b->now_ms += 6 * MEMNODE_HOUR_MS;
	run_again(b, versions[_i]);
	ck_assert(second.resumed);
	b->now_ms++;
	expect_refused(b, versions[_i], STEK_REFUSED_EXPIRED);
	/* And one that is from too far in the future. */
	b->now_ms = MEMNODE_NOW_MS - 60001;
	expect_refused(b, versions[_i], STEK_REFUSED_EXPIRED);
}
END_TEST

/* A key past expire_at opens nothing, however young the ticket is. */
START_TEST(test_gone_key_is_refused)
{
	struct stek_key *keys[] = { memnode_key(2, -MEMNODE_HOUR_MS),
				    memnode_key(4, -1) };

	keys[0]->expire_at_ms = MEMNODE_NOW_MS + 1000;
	run_full(a, versions[_i]);
	memnode_install(b, memnode_ring(keys, 2));
	b->now_ms += 999;
	run_again(b, versions[_i]);
	ck_assert(second.resumed);
	b->now_ms++;
	expect_refused(b, versions[_i], STEK_REFUSED_EXPIRED);
	ck_assert_uint_eq(second.record.opens, 0);
}
END_TEST

/* Resumed hourly, a chain ends 24 h after its full handshake. */
START_TEST(test_chain_ends)
{
	int version = versions[_i];
	int hours = 0;

	run_full(a, version);
	a->farm.policy.chain_s = b->farm.policy.chain_s = 4 * 3600;
	for (;;) {
		a->now_ms += MEMNODE_HOUR_MS;
		b->now_ms += MEMNODE_HOUR_MS;
		memhs_age(&first.sessions[first.n_sessions - 1], 3600);
		run_again(b, version);
		if (!second.resumed)
			break;
		ck_assert_int_eq(second.record.chain_start_ms, MEMNODE_NOW_MS);
		hours++;
		/* TLS 1.2 may keep its ticket: the client's age goes on. */
		if (second.n_sessions)
			first = second;
	}
	ck_assert_int_eq(hours, 4);
	ck_assert_int_eq(second.record.outcome, STEK_REFUSED_CHAIN);
	/* The full handshake that followed began another chain. */
	first = second;
	run_again(a, version);
	ck_assert(second.resumed);
	ck_assert_int_eq(second.record.chain_start_ms, a->now_ms);
}
END_TEST

/* REQ-28: clocks up to 5 s apart resume, 10 s fall back in TLS 1.3. */
START_TEST(test_clock_offset_window)
{
	static const int offsets_ms[] = { -5000, -1500, -500, 500, 1500, 5000 };
	static const int outside_ms[] = { -12000, -10000, 10000, 12000 };

	run_full(a, versions[_i]);
	for (size_t i = 0; i < sizeof(offsets_ms) / sizeof(int); i++) {
		b->now_ms = MEMNODE_NOW_MS + offsets_ms[i];
		run_again(b, versions[_i]);
		ck_assert_msg(second.resumed, "offset %d", offsets_ms[i]);
	}
	for (size_t i = 0; i < sizeof(outside_ms) / sizeof(int); i++) {
		b->now_ms = MEMNODE_NOW_MS + outside_ms[i];
		run_again(b, versions[_i]);
		ck_assert_int_eq(second.resumed, versions[_i] == MEMHS_TLS12);
		if (!second.resumed)
			ck_assert_int_eq(second.record.outcome,
					 STEK_REFUSED_EXPIRED);
	}
}
END_TEST

/* The age that wraps 2^32 with ticket_age_add resumes too. */
START_TEST(test_age_wrap_resumes)
{
	const int64_t age_ms = INT64_C(604000) * 1000;
	unsigned wraps = 0;
	struct stek_key *key = memnode_key(5, -1);
	struct stek_ring *ring;

	key->expire_at_ms += 8 * 24 * MEMNODE_HOUR_MS;
	ring = memnode_ring(&key, 1);
	memnode_install(a, stek__ring_ref(ring));
	memnode_install(b, ring);
	a->farm.policy.lifetime_s = b->farm.policy.lifetime_s = 604800;
	a->farm.policy.chain_s = b->farm.policy.chain_s = 700000;
	stek_wolfssl_detach(a->host);
	ck_assert_int_eq(stek_wolfssl_attach(&a->host, &a->farm, a->ctx, NULL,
					     NULL, 0), 0);
	for (int n = 0; n < 1000 && wraps < 3; n++) {
		run_full(a, MEMHS_TLS13);
		if (memhs_age_add(&first.sessions[first.n_sessions - 1]) <=
		    UINT32_MAX - age_ms)
			continue;
		wraps++;
		memhs_age(&first.sessions[first.n_sessions - 1], 604000);
		b->now_ms = MEMNODE_NOW_MS + age_ms;
		run_again(b, MEMHS_TLS13);
		ck_assert_msg(second.resumed, "outcome %d",
			      second.record.outcome);
	}
	ck_assert_uint_eq(wraps, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wolfssl");
	TCase *tc = tcase_create("resume");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_ticket_resumes_on_another_node, 0, 2);
	tcase_add_loop_test(tc, test_record_is_optional, 0, 2);
	tcase_add_loop_test(tc, test_tickets_have_one_length, 0, 2);
	tcase_add_loop_test(tc, test_hint_is_the_lifetime, 0, 2);
	tcase_add_loop_test(tc, test_attach_refuses_long_lifetime, 0, 2);
	tcase_add_loop_test(tc, test_retired_key_resumes_and_renews, 0, 2);
	tcase_add_test(tc, test_tls12_renews_after_half_the_lifetime);
	tcase_add_loop_test(tc, test_pending_key_opens, 0, 2);
	tcase_add_loop_test(tc, test_revoked_key_is_refused, 0, 2);
	tcase_add_loop_test(tc, test_floor_revokes, 0, 2);
	tcase_add_loop_test(tc, test_unknown_key_is_refused, 0, 2);
	tcase_add_loop_test(tc, test_forged_ticket_is_refused, 0, 2);
	tcase_add_loop_test(tc, test_lifetime_ends, 0, 2);
	tcase_add_loop_test(tc, test_gone_key_is_refused, 0, 2);
	tcase_add_loop_test(tc, test_chain_ends, 0, 2);
	tcase_add_loop_test(tc, test_clock_offset_window, 0, 2);
	tcase_add_test(tc, test_age_wrap_resumes);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
