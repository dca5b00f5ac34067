/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ticket.c - keys/ticket.c: what is sealed comes back under the same key
 * and scope and nowhere else, no byte of a ticket is free, and no ticket is
 * ever sealed under something that is not a key.
 */
#include <wolfssl/options.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/chacha20_poly1305.h>

#include "secret.h"
#include "ticket.h"
#include "weak_keys.h"

#define STATE_LEN 109

static struct stek_key *key;
static struct stek_ticket_aad aad;
static struct stek_ticket ticket;
static struct stek_ticket_own own;
static uint8_t state[STATE_LEN];

static struct stek_key *make_key(const uint8_t *secret)
{
	static const uint8_t id[STEK_ID_LEN] = "a key's own name";
	struct stek_key *made = NULL;

	ck_assert_int_eq(stek__key_new(&made, id, secret, "A",
				       STEK_MADE_BY_SCHEDULE, 1, 2, 3), 0);
	return made;
}

static void set_up(void)
{
	static const struct stek_ticket_scope scope = { "farm", 0x0304, "p", 1,
							"layout", 6 };
	uint8_t secret[STEK_SECRET_LEN];

	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)(i * 37 + 5);
	key = make_key(secret);
	ck_assert_int_eq(stek__ticket_aad(&aad, &scope), 0);
	for (size_t i = 0; i < sizeof(state); i++)
		state[i] = (uint8_t)i;
	own = (struct stek_ticket_own){
		.status = 1, .issuer = 0x01020304,
		.sealed_at_ms = INT64_C(1800000000123),
		.chain_start_ms = INT64_C(1799999999999),
		.not_after_s = INT64_C(253402300799),
		.issuer_serial = { 8, 7, 6, 5, 4, 3, 2, 1 },
	};
	ck_assert_int_eq(stek__ticket_seal(&ticket, key, &aad, &own, state,
					   sizeof(state)), 0);
}

static void tear_down(void)
{
	stek__key_unref(key);
}

/* *out is all zeros after a failure. */
static int try_open(const struct stek_ticket *sealed,
		    const struct stek_key *with,
		    const struct stek_ticket_aad *scope)
{
	static const uint8_t zeros[STEK_TICKET_STATE_MAX];
	uint8_t out[STEK_TICKET_STATE_MAX];
	struct stek_ticket_own got;
	int ret;

	memset(out, 0xee, sizeof(out));
	ret = stek__ticket_open(sealed, with, scope, &got, out);
	if (ret)
		ck_assert_mem_eq(out, zeros, sizeof(out));
	return ret;
}

/* draft-irtf-cfrg-xchacha-03 A.3.1. */
START_TEST(test_aead_is_xchacha20_poly1305)
{
	static const char plain[] =
		"Ladies and Gentlemen of the class of '99: If I could offer "
		"you only one tip for the future, sunscreen would be it.";
	static const uint8_t ad[] = { 0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
				      0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7 };
	static const uint8_t head[] = { 0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83,
					0xd4, 0x3b, 0x95, 0x76, 0x57, 0x94,
					0x93, 0xc0, 0xe9, 0x39 };
	static const uint8_t tag[] = { 0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7,
				       0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8,
				       0x78, 0x0a, 0xcf, 0x49 };
	uint8_t secret[32], nonce[24], out[sizeof(plain) - 1 + 16];

	for (int i = 0; i < 32; i++)
		secret[i] = (uint8_t)(0x80 + i);
	for (int i = 0; i < 24; i++)
		nonce[i] = (uint8_t)(0x40 + i);
	ck_assert_int_eq(wc_XChaCha20Poly1305_Encrypt(
				 out, sizeof(out), (const uint8_t *)plain,
				 sizeof(plain) - 1, ad, sizeof(ad), nonce,
				 sizeof(nonce), secret, sizeof(secret)), 0);
	ck_assert_mem_eq(out, head, sizeof(head));
	ck_assert_mem_eq(out + sizeof(plain) - 1, tag, sizeof(tag));
}
END_TEST

/* What was sealed comes back, field by field. */
START_TEST(test_open_gives_back)
{
	uint8_t out[STEK_TICKET_STATE_MAX];
	struct stek_ticket_own got;

	ck_assert_uint_eq(ticket.body_len, STATE_LEN + STEK_TICKET_OWN_LEN);
	ck_assert_mem_eq(ticket.key_name, key->id, STEK_ID_LEN);
	ck_assert_int_eq(stek__ticket_open(&ticket, key, &aad, &got, out), 0);
	ck_assert_mem_eq(out, state, sizeof(state));
	ck_assert_uint_eq(got.status, own.status);
	ck_assert_uint_eq(got.issuer, own.issuer);
	ck_assert_int_eq(got.sealed_at_ms, own.sealed_at_ms);
	ck_assert_int_eq(got.chain_start_ms, own.chain_start_ms);
	ck_assert_int_eq(got.not_after_s, own.not_after_s);
	ck_assert_mem_eq(got.issuer_serial, own.issuer_serial, 8);
}
END_TEST

/* No bit of any part is free. */
START_TEST(test_open_refuses_each_flipped_bit)
{
	const struct {
		uint8_t *at;
		size_t len;
	} parts[] = {
		{ ticket.key_name, sizeof(ticket.key_name) },
		{ ticket.iv, sizeof(ticket.iv) },
		{ ticket.extra, sizeof(ticket.extra) },
		{ ticket.tag, sizeof(ticket.tag) },
		{ ticket.body, STATE_LEN + STEK_TICKET_OWN_LEN },
	};

	for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
		for (size_t bit = 0; bit < parts[p].len * 8; bit++) {
			parts[p].at[bit / 8] ^= (uint8_t)(1 << bit % 8);
			ck_assert_int_eq(try_open(&ticket, key, &aad),
					 STEK_EAUTH);
			parts[p].at[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	ck_assert_int_eq(try_open(&ticket, key, &aad), 0);
}
END_TEST

/* Every length but the sealed one is refused. */
START_TEST(test_open_refuses_each_other_length)
{
	for (size_t len = 0; len <= sizeof(ticket.body) + 1; len++) {
		ticket.body_len = len;
		if (len == STATE_LEN + STEK_TICKET_OWN_LEN)
			ck_assert_int_eq(try_open(&ticket, key, &aad), 0);
		else
			ck_assert_int_ne(try_open(&ticket, key, &aad), 0);
	}
}
END_TEST

/* Another scope: each of its five parts matters, and where one part ends. */
START_TEST(test_scope_binds)
{
	static const struct stek_ticket_scope others[] = {
		{ "garm", 0x0304, "p", 1, "layout", 6 },
		{ "farm", 0x0303, "p", 1, "layout", 6 },
		{ "farm", 0x0304, "q", 1, "layout", 6 },
		{ "farm", 0x0304, NULL, 0, "layout", 6 },
		{ "farm", 0x0304, "p", 1, "layouu", 6 },
		{ "farmp", 0x0304, NULL, 0, "layout", 6 },
		{ "farm", 0x0304, "pl", 2, "ayout", 5 },
	};
	struct stek_ticket_aad other;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ck_assert_int_eq(stek__ticket_aad(&other, &others[i]), 0);
		ck_assert(!stek__ticket_in_scope(&ticket, &other));
		ck_assert_int_eq(try_open(&ticket, key, &other), STEK_EAUTH);
		/* Nor does it help to claim the other scope in the clear. */
		memcpy(ticket.extra + 8, other.digest, 8);
		ck_assert(stek__ticket_in_scope(&ticket, &other));
		ck_assert_int_eq(try_open(&ticket, key, &other), STEK_EAUTH);
		memcpy(ticket.extra + 8, aad.digest, 8);
	}
	ck_assert(stek__ticket_in_scope(&ticket, &aad));
}
END_TEST

/* Another key of the same id does not open it. */
START_TEST(test_other_key_is_refused)
{
	uint8_t secret[STEK_SECRET_LEN];
	struct stek_key *other;

	memcpy(secret, key->secret, sizeof(secret));
	secret[31] ^= 0x80;
	other = make_key(secret);
	ck_assert_int_eq(try_open(&ticket, other, &aad), STEK_EAUTH);
	stek__key_unref(other);
}
END_TEST

/* A wiped key and memory that was never filled are not keys. */
START_TEST(test_seal_refuses_what_is_no_key)
{
	static const uint8_t fills[] = { 0x00, 0xff, 0xa5, 0xcd, 0xbe, 0x55 };
	struct stek_key *none = make_key(NULL);

	ck_assert_int_eq(stek__ticket_seal(&ticket, none, &aad, &own, state,
					   STATE_LEN), STEK_ENOKEY);
	ck_assert_int_eq(try_open(&ticket, none, &aad), STEK_ENOKEY);
	stek__key_unref(none);
	for (size_t i = 0; i < sizeof(fills); i++) {
		memset(key->secret, fills[i], STEK_SECRET_LEN);
		ck_assert_int_eq(stek__ticket_seal(&ticket, key, &aad, &own,
						   state, STATE_LEN),
				 STEK_ENOKEY);
	}
}
END_TEST

/* REQ-21: neither a real nor a blank ticket opens under a weak key. */
START_TEST(test_no_weak_key_opens)
{
	uint8_t secret[STEK_SECRET_LEN];
	struct stek_ticket blank;

	stek__ticket_blank(&blank, STATE_LEN);
	ck_assert_uint_eq(weak_opens(&ticket, &aad), 0);
	ck_assert_uint_eq(weak_opens(&blank, &aad), 0);
	/* The search itself works: the true key is found, and a weak one. */
	ck_assert_int_eq(weak_open(&ticket, &aad, key->secret), 0);
	ck_assert(weak_key(300, secret));
	memcpy(key->secret, secret, STEK_SECRET_LEN);
	ck_assert_int_eq(stek__ticket_seal(&ticket, key, &aad, &own, state,
					   STATE_LEN), 0);
	ck_assert_uint_eq(weak_opens(&ticket, &aad), 1);
}
END_TEST

static bool random_fails;

int __wrap_stek__random(void *p, size_t len);
int __real_stek__random(void *p, size_t len);

int __wrap_stek__random(void *p, size_t len)
{
	return random_fails ? STEK_ERANDOM : __real_stek__random(p, len);
}

/* Without random bytes nothing is sealed, and a blank ticket is still one. */
START_TEST(test_failing_generator_seals_nothing)
{
	static const uint8_t zeros[32];
	struct stek_ticket blank;

	random_fails = true;
	own.sealed_at_ms += STEK_NONCE_DRAW_MS;
	ck_assert_int_eq(stek__ticket_seal(&ticket, key, &aad, &own, state,
					   STATE_LEN), STEK_ERANDOM);
	memset(&blank, 0, sizeof(blank));
	stek__ticket_blank(&blank, STATE_LEN);
	random_fails = false;
	ck_assert_uint_eq(blank.body_len, STATE_LEN + STEK_TICKET_OWN_LEN);
	/* wolfSSL fails the handshake over an all-zero name, iv or MAC. */
	ck_assert_mem_ne(blank.key_name, zeros, STEK_ID_LEN);
	ck_assert_mem_ne(blank.iv, zeros, STEK_TICKET_IV_LEN);
	ck_assert_mem_ne(blank.tag, zeros, STEK_TICKET_TAG_LEN);
	ck_assert_int_ne(try_open(&blank, key, &aad), 0);
}
END_TEST

/* Times that do not fit in 48 bits are refused, not cut. */
START_TEST(test_seal_refuses_times_that_do_not_fit)
{
	struct stek_ticket_own bad = own;

	bad.sealed_at_ms = -1;
	ck_assert_int_eq(stek__ticket_seal(&ticket, key, &aad, &bad, state,
					   STATE_LEN), STEK_EINVAL);
	bad = own;
	bad.chain_start_ms = INT64_C(1) << 48;
	ck_assert_int_eq(stek__ticket_seal(&ticket, key, &aad, &bad, state,
					   STATE_LEN), STEK_EINVAL);
	bad = own;
	bad.not_after_s = (INT64_C(1) << 48) - 1;
	ck_assert_int_eq(stek__ticket_seal(&ticket, key, &aad, &bad, state,
					   STATE_LEN), 0);
	ck_assert_int_eq(stek__ticket_seal(&ticket, key, &aad, &own, state,
					   STEK_TICKET_STATE_MAX + 1),
			 STEK_EINVAL);
	/* A status that nobody knows is authentic but of another format. */
	bad.status = 3;
	ck_assert_int_eq(stek__ticket_seal(&ticket, key, &aad, &bad, state,
					   STATE_LEN), 0);
	ck_assert_int_eq(try_open(&ticket, key, &aad), STEK_EFORMAT);
}
END_TEST

#define NONCES 10000

static int compare_nonces(const void *x, const void *y)
{
	return memcmp(x, y, STEK_TICKET_NONCE_LEN);
}

/* REQ-19: no nonce repeats, and equal states look different. */
START_TEST(test_nonces_do_not_repeat)
{
	static uint8_t nonces[NONCES][STEK_TICKET_NONCE_LEN];

	for (size_t i = 0; i < NONCES; i++) {
		ck_assert_int_eq(stek__ticket_seal(&ticket, key, &aad, &own,
						   state, STATE_LEN), 0);
		memcpy(nonces[i], ticket.iv, STEK_TICKET_IV_LEN);
		memcpy(nonces[i] + STEK_TICKET_IV_LEN, ticket.extra, 8);
	}
	qsort(nonces, NONCES, sizeof(nonces[0]), compare_nonces);
	for (size_t i = 1; i < NONCES; i++)
		ck_assert_int_ne(compare_nonces(nonces[i - 1], nonces[i]), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ticket");
	TCase *tc = tcase_create("envelope");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_aead_is_xchacha20_poly1305);
	tcase_add_test(tc, test_open_gives_back);
	tcase_add_test(tc, test_open_refuses_each_flipped_bit);
	tcase_add_test(tc, test_open_refuses_each_other_length);
	tcase_add_test(tc, test_scope_binds);
	tcase_add_test(tc, test_other_key_is_refused);
	tcase_add_test(tc, test_seal_refuses_what_is_no_key);
	tcase_add_test(tc, test_no_weak_key_opens);
	tcase_add_test(tc, test_failing_generator_seals_nothing);
	tcase_add_test(tc, test_seal_refuses_times_that_do_not_fit);
	tcase_add_test(tc, test_nonces_do_not_repeat);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
