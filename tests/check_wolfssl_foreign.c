/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_wolfssl_foreign.c - tickets that are not ours, or no longer: of any
 * length, cut, with any bit flipped, of another host or version. Each must end
 * in a full handshake and never in a failed one (RFC 5077 s3.1, RFC 8446
 * s4.2.11).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memnode.h"

#define STATE_LEN_AT 32		/* enc_len, behind key_name and iv */
#define LONG_LEN 16384

static const int versions[] = { MEMHS_TLS12, MEMHS_TLS13 };

static struct memnode *node;
static struct memhs_result first, second;
static struct memhs_session altered;
static uint8_t bytes[LONG_LEN];

static void set_up(void)
{
	struct stek_ring *ring = memnode_ring_default();

	node = memnode_new("A", ring, NULL);
	stek__ring_unref(ring);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 13 + 1);
}

static void tear_down(void)
{
	memnode_free(node);
}

static void run_full(int version)
{
	const struct memhs_client client = { .version = version };

	memhs_run(node->ctx, &client, true, NULL, &first);
	ck_assert(first.done);
}

/* Offers `altered`; `offered` is the client's version, 0 for both. */
static void expect_full(int offered, const char *what, size_t n)
{
	const struct memhs_client client = { .version = offered,
					     .session = &altered };

	memhs_run(node->ctx, &client, true, NULL, &second);
	ck_assert_msg(second.done, "%s %zu: server error %d", what, n,
		      second.server_error);
	ck_assert_msg(!second.resumed && !second.server_resumed,
		      "%s %zu resumed", what, n);
	ck_assert_msg(second.n_sessions >= 1, "%s %zu: no new ticket", what, n);
}

static void offer_length(int version, size_t len)
{
	memhs_set_ticket(&altered, &first.sessions[0], bytes, len);
	expect_full(version, "length", len);
	/* A client of both versions, with the other server's TLS 1.2 ticket. */
	expect_full(0, "length, both versions", len);
}

/* REQ-7: another server's ticket of any length. */
START_TEST(test_foreign_ticket_of_any_length_is_a_full_handshake)
{
	static const size_t lengths[] = { 608,  1024, 1535,  1536, 1537,
					  2048, 4096, 12000, 16000, LONG_LEN };

	run_full(versions[_i]);
	for (size_t len = 0; len <= 300; len++)
		offer_length(versions[_i], len);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		offer_length(versions[_i], lengths[i]);
}
END_TEST

/* After a refusal the client holds a ticket that resumes. */
START_TEST(test_refused_ticket_is_followed_by_a_new_one)
{
	static const size_t lengths[] = { 1, 175, 207, 208, 1537 };
	struct memhs_client client = { .version = versions[_i] };

	run_full(versions[_i]);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memhs_set_ticket(&altered, &first.sessions[0], bytes,
				 lengths[i]);
		expect_full(versions[_i], "length", lengths[i]);
		altered = second.sessions[0];
		client.session = &altered;
		memhs_run(node->ctx, &client, true, NULL, &second);
		ck_assert(second.done);
		ck_assert(second.resumed);
	}
}
END_TEST

/* REQ-22: each bit of a ticket counts, and honest binders do not help. */
START_TEST(test_each_flipped_bit_is_refused)
{
	uint8_t ticket[512];
	size_t len;
	const uint8_t *sealed;

	run_full(versions[_i]);
	sealed = memhs_ticket(&first.sessions[0], &len);
	ck_assert_ptr_nonnull(sealed);
	ck_assert_uint_eq(len, stek_wolfssl_ticket_len());
	memcpy(ticket, sealed, len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		ticket[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memhs_set_ticket(&altered, &first.sessions[0], ticket, len);
		expect_full(versions[_i], "bit", bit);
		ticket[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* The unaltered one still resumes: nothing else was refused. */
	altered = first.sessions[0];
	memhs_run(node->ctx, &(struct memhs_client){ .version = versions[_i],
						     .session = &altered },
		  true, NULL, &second);
	ck_assert(second.resumed);
}
END_TEST

/*
 * REQ-22: nor does a refusal tell what was wrong: a ticket of another key, a
 * forged one, random bytes and another server's length are answered by the same
 * number of writes and of bytes, but for the signature's own 64 to 72.
 */
START_TEST(test_refusals_look_alike)
{
	size_t len, lengths[] = { 0, 40, 300, 1000 };
	size_t least = SIZE_MAX, most = 0, writes = 0;
	uint8_t ticket[1000];

	run_full(versions[_i]);
	lengths[0] = stek_wolfssl_ticket_len();
	for (size_t i = 0; i < 40 + 4; i++) {
		memcpy(ticket, bytes, sizeof(ticket));
		memcpy(ticket, memhs_ticket(&first.sessions[0], &len),
		       lengths[0]);
		/* The name first, the nonce, the state, the MAC. */
		if (i < 40)
			ticket[i * len / 40] ^= 1;
		len = i < 40 ? lengths[0] : lengths[i - 40];
		memhs_set_ticket(&altered, &first.sessions[0],
				 i < 40 ? ticket : bytes, len);
		expect_full(versions[_i], "ticket", i);
		writes = writes ? writes : second.writes;
		ck_assert_uint_eq(second.writes, writes);
		least = second.sent < least ? second.sent : least;
		most = second.sent > most ? second.sent : most;
	}
	ck_assert_uint_le(most - least, 8);
	/* What is resumed looks otherwise: the measure sees something. */
	memhs_run(node->ctx, &(struct memhs_client){
			.version = versions[_i], .session = &first.sessions[0] },
		  true, NULL, &second);
	ck_assert(second.resumed);
	ck_assert_uint_lt(second.sent + 100, least);
}
END_TEST

/* A ticket of ours cut short: its MAC would lie behind the message. */
START_TEST(test_cut_ticket_never_reaches_the_callback)
{
	uint8_t ticket[512];
	size_t len;

	run_full(versions[_i]);
	memcpy(ticket, memhs_ticket(&first.sessions[0], &len),
	       stek_wolfssl_ticket_len());
	for (size_t cut = 1; cut < len; cut++) {
		memhs_set_ticket(&altered, &first.sessions[0], ticket, cut);
		expect_full(versions[_i], "cut to", cut);
		ck_assert_int_eq(second.record.outcome, STEK_NONE_OFFERED);
	}
}
END_TEST

/* Whatever the inner length says, in a ticket of any length near ours. */
START_TEST(test_each_inner_length_is_refused)
{
	uint8_t ticket[512] = { 0 };
	const size_t len = stek_wolfssl_ticket_len();
	size_t own;

	run_full(versions[_i]);
	memcpy(ticket, memhs_ticket(&first.sessions[0], &own), len);
	own = (size_t)ticket[STATE_LEN_AT] << 8 | ticket[STATE_LEN_AT + 1];
	for (size_t inner = 0; inner < 300; inner++) {
		ticket[STATE_LEN_AT] = (uint8_t)(inner >> 8);
		ticket[STATE_LEN_AT + 1] = (uint8_t)inner;
		for (size_t n = len - 33; n <= len + 1; n += 17) {
			if (inner == own && n == len)
				continue;
			memhs_set_ticket(&altered, &first.sessions[0], ticket,
					 n);
			expect_full(versions[_i], "inner length", inner);
		}
	}
}
END_TEST

/* A TLS 1.2 ticket in a TLS 1.3 hello, and the other way round. */
START_TEST(test_ticket_of_the_other_version_is_refused)
{
	uint8_t ticket[512];
	size_t len;

	run_full(versions[1 - _i]);
	memcpy(ticket, memhs_ticket(&first.sessions[0], &len),
	       stek_wolfssl_ticket_len());
	run_full(versions[_i]);
	memhs_set_ticket(&altered, &first.sessions[0], ticket, len);
	expect_full(versions[_i], "version", (size_t)_i);
	ck_assert_int_eq(second.record.outcome, STEK_REFUSED_POLICY);
	ck_assert_uint_eq(second.record.opens, 0);
}
END_TEST

/* REQ-14: another policy, another farm: no AEAD attempt, a full handshake. */
START_TEST(test_ticket_of_another_scope_is_refused)
{
	static const struct stek_wolfssl_options one = {
		.policy = "mtls", .policy_len = 4,
	};
	static const struct stek_wolfssl_options two = {
		.policy = "mtl", .policy_len = 3,
	};
	static const struct stek_wolfssl_options *const others[] = {
		&two, NULL, &one,
	};
	struct stek_ring *ring = memnode_ring_default();
	struct memnode *host = memnode_new("A", ring, &one);

	for (size_t i = 0; i < 3; i++) {
		struct memnode *other = node;

		node = host;
		run_full(versions[_i]);
		altered = first.sessions[0];
		node = memnode_new("A", ring, others[i]);
		if (i == 2) {
			/* The same policy, but of another farm. */
			stek_wolfssl_detach(node->host);
			node->farm.name[0] = 'g';
			ck_assert_int_eq(stek_wolfssl_attach(&node->host,
							     &node->farm,
							     node->ctx, &one,
							     NULL, 0), 0);
		}
		expect_full(versions[_i], "scope", i);
		ck_assert_int_eq(second.record.outcome, STEK_REFUSED_POLICY);
		ck_assert_uint_eq(second.record.opens, 0);
		memnode_free(node);
		node = other;
	}
	memnode_free(host);
	stek__ring_unref(ring);
}
END_TEST

/* A ticket's suite that this host no longer offers is not resumed. */
START_TEST(test_ticket_of_a_suite_not_offered_is_refused)
{
	static const char *const suites[] = {
		"ECDHE-ECDSA-AES256-GCM-SHA384:TLS13-AES256-GCM-SHA384",
		"no-such-suite:ECDHE-ECDSA-AES128-GCM-SHA256:"
		"TLS13-AES128-GCM-SHA256",
	};
	struct memhs_client client = {
		.version = versions[_i],
		.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256",
		.suites = "TLS_AES_128_GCM_SHA256",
	};
	struct stek_wolfssl_options options = { .policy = NULL };

	memhs_run(node->ctx, &client, true, NULL, &first);
	ck_assert(first.done);
	client.session = &first.sessions[0];
	for (size_t i = 0; i < 2; i++) {
		options.ciphers = suites[i];
		stek_wolfssl_detach(node->host);
		ck_assert_int_eq(stek_wolfssl_attach(&node->host, &node->farm,
						     node->ctx, &options, NULL,
						     0), 0);
		memhs_run(node->ctx, &client, true, NULL, &second);
		ck_assert(second.done);
		ck_assert_int_eq(second.resumed, i == 1);
		ck_assert_int_eq(second.record.outcome,
				 i == 1 ? STEK_RESUMED_ACTIVE :
					  STEK_REFUSED_POLICY);
	}
}
END_TEST

/*
 * REQ-20: the library asks once for each identity and suite. Whatever the order
 * of the client's suites, a good ticket resumes and a forged one does not, for
 * the same number of AEAD attempts.
 */
START_TEST(test_suites_in_every_order)
{
	static const char *const suites[] = { "TLS_AES_128_GCM_SHA256",
					      "TLS_AES_256_GCM_SHA384",
					      "TLS_CHACHA20_POLY1305_SHA256" };
	struct memhs_client client = { .version = MEMHS_TLS13 };
	uint8_t ticket[512], opens[2] = { 0, 0 };
	char order[128];
	size_t len;

	client.suites = suites[_i];
	memhs_run(node->ctx, &client, true, NULL, &first);
	ck_assert(first.done);
	memcpy(ticket, memhs_ticket(&first.sessions[0], &len),
	       stek_wolfssl_ticket_len());
	ticket[STATE_LEN_AT + 10] ^= 1;	/* of the sealed state */
	client.suites = order;
	for (int i = 0; i < 9; i++) {
		if (i / 3 == i % 3)
			continue;
		snprintf(order, sizeof(order), "%s:%s:%s", suites[i / 3],
			 suites[i % 3], suites[3 - i / 3 - i % 3]);
		for (int forged = 0; forged < 2; forged++) {
			altered = first.sessions[0];
			if (forged)
				memhs_set_ticket(&altered, &first.sessions[0],
						 ticket, len);
			client.session = &altered;
			memhs_run(node->ctx, &client, true, NULL, &second);
			ck_assert_msg(second.done, "%s: %d", order,
				      second.server_error);
			ck_assert_msg(second.resumed == !forged, "%s", order);
			if (!opens[forged])
				opens[forged] = second.record.opens;
			ck_assert_uint_ge(second.record.opens, 1);
			ck_assert_uint_eq(second.record.opens, opens[forged]);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wolfssl_foreign");
	TCase *tc = tcase_create("foreign");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 600);
	tcase_add_loop_test(
		tc, test_foreign_ticket_of_any_length_is_a_full_handshake, 0, 2);
	tcase_add_loop_test(tc, test_refused_ticket_is_followed_by_a_new_one, 0,
			    2);
	tcase_add_loop_test(tc, test_each_flipped_bit_is_refused, 0, 2);
	tcase_add_loop_test(tc, test_refusals_look_alike, 0, 2);
	tcase_add_loop_test(tc, test_cut_ticket_never_reaches_the_callback, 0,
			    2);
	tcase_add_loop_test(tc, test_each_inner_length_is_refused, 0, 2);
	tcase_add_loop_test(tc, test_ticket_of_the_other_version_is_refused, 0,
			    2);
	tcase_add_loop_test(tc, test_ticket_of_another_scope_is_refused, 0, 2);
	tcase_add_loop_test(tc, test_ticket_of_a_suite_not_offered_is_refused,
			    0, 2);
	tcase_add_loop_test(tc, test_suites_in_every_order, 0, 3);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
