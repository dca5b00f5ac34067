// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_record.c - sealed documents and heartbeats: what goes in comes out, and
 * anything else - a flipped bit, a cut, another farm, another key - is refused
 * without a partial result. What a holder of the farm key could seal wrongly
 * stands in check_record_parse.c.
 */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "farmkey.h"
#include "fault.h"
#include "ring_maker.h"

#define HEAD 18
#define NONCE_END 42
#define FARM "farm-a"

static struct stek_farm_keys *keys;	/* first 1, second 2 */
static struct stek_farm_keys *other;	/* 3 alone */
static struct stek_ring *ring;
static struct stek_blob doc;
static struct stek_ring *opened;

static struct stek_farm_keys *farm_keys(unsigned first, unsigned n)
{
	struct stek_farm_keys *made = stek__secret_alloc(sizeof(*made));

	made->n = n;
	for (unsigned i = 0; i < n; i++) {
		memset(made->keys[i].id, (int)(first + i),
		       STEK_FARM_KEY_ID_LEN);
		memset(made->keys[i].secret, (int)(0x10 + first + i),
		       STEK_FARM_SECRET_LEN);
	}
	return made;
}

static void setup(void)
{
	struct stek_key *parts[3];
	struct stek_tombstone stones[2];
	uint64_t seed = 3;

	keys = farm_keys(1, 2);
	other = farm_keys(3, 1);
	for (unsigned i = 0; i < 3; i++)
		parts[i] = maker_key(i, i != 1);
	stones[0] = maker_tombstone(2, &seed);
	stones[1] = maker_tombstone(30, &seed);
	ring = NULL;
	ck_assert_int_eq(stek__ring_new(&ring, 0x0102030405060708, parts, 3,
					stones, 2, 12345), 0);
	for (unsigned i = 0; i < 3; i++)
		stek__key_unref(parts[i]);
	ck_assert_int_eq(stek__record_seal(&doc, keys, FARM, ring), 0);
	opened = NULL;
}

static void teardown(void)
{
	stek__ring_unref(opened);
	stek__blob_free(&doc);
	stek__ring_unref(ring);
	stek__farm_keys_free(keys);
	stek__farm_keys_free(other);
}

static int reopen(void)
{
	return stek__record_open(&opened, keys, FARM, doc.data, doc.len);
}

/* draft-irtf-cfrg-xchacha-03, A.3.1: our AEAD is the published one. */
START_TEST(test_xchacha_vector)
{
	static const char plain[] =
		"Ladies and Gentlemen of the class of '99: If I could offer "
		"you only one tip for the future, sunscreen would be it.";
	static const uint8_t aad[] = { 0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
				       0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7 };
	static const uint8_t start[] = { 0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83,
					 0xd4, 0x3b, 0x95, 0x76, 0x57, 0x94 };
	static const uint8_t tag[] = { 0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7,
				       0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8,
				       0x78, 0x0a, 0xcf, 0x49 };
	const size_t len = sizeof(plain) - 1;
	uint8_t key[32], nonce[24], out[160];

	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(0x80 + i);
	for (unsigned i = 0; i < sizeof(nonce); i++)
		nonce[i] = (uint8_t)(0x40 + i);
	ck_assert_uint_eq(len, 114);
	ck_assert_int_eq(wc_XChaCha20Poly1305_Encrypt(
		out, sizeof(out), (const uint8_t *)plain, len, aad, sizeof(aad),
		nonce, sizeof(nonce), key, sizeof(key)), 0);
	ck_assert_mem_eq(out, start, sizeof(start));
	ck_assert_mem_eq(out + len, tag, sizeof(tag));
}
END_TEST

/* A ring comes back whole: version, metadata, secrets, tombstones, floor. */
START_TEST(test_open_gives_back)
{
	ck_assert_int_eq(reopen(), 0);
	ck_assert(stek_version_equal(&opened->version, &ring->version));
	ck_assert_int_eq(opened->revoked_before_ms, 12345);
	ck_assert_uint_eq(opened->n_keys, 3);
	ck_assert_uint_eq(opened->n_tombstones, 2);
	for (size_t i = 0; i < 3; i++) {
		const struct stek_key *a = ring->keys[i];
		const struct stek_key *b = opened->keys[i];

		ck_assert_mem_eq(a->id, b->id, STEK_ID_LEN);
		ck_assert_str_eq(a->made_by, b->made_by);
		ck_assert(!a->secret == !b->secret);
		if (a->secret)
			ck_assert_mem_eq(a->secret, b->secret, STEK_SECRET_LEN);
	}
}
END_TEST

/* The largest ring fits, and so does the empty one. */
START_TEST(test_extremes_fit)
{
	static struct stek_tombstone stones[STEK_TOMBSTONES_MAX];
	struct stek_key *many[STEK_RING_KEYS_MAX];
	char name[STEK_NAME_MAX + 1];
	struct stek_ring *full = NULL;
	struct stek_blob blob;
	uint64_t seed = 4;

	memset(name, 'n', STEK_NAME_MAX);
	name[STEK_NAME_MAX] = '\0';
	for (unsigned i = 0; i < STEK_TOMBSTONES_MAX; i++)
		stones[i] = maker_tombstone(1000 + i, &seed);
	for (unsigned i = 0; i < STEK_RING_KEYS_MAX; i++)
		ck_assert_int_eq(stek__key_mint(&many[i], name,
						STEK_MADE_BY_ROTATE, 1, 2, 3),
				 0);
	ck_assert_int_eq(stek__ring_new(&full, UINT64_MAX, many,
					STEK_RING_KEYS_MAX, stones,
					STEK_TOMBSTONES_MAX, 1), 0);
	ck_assert_int_eq(stek__record_seal(&blob, keys, name, full), 0);
	ck_assert_uint_le(blob.len, STEK_RECORD_MAX);
	ck_assert_int_eq(stek__record_open(&opened, keys, name, blob.data,
					   blob.len), 0);
	ck_assert(stek_version_equal(&opened->version, &full->version));
	stek__ring_unref(opened);
	opened = NULL;
	stek__blob_free(&blob);
	ck_assert_ptr_null(blob.data);
	stek__ring_unref(full);
	for (unsigned i = 0; i < STEK_RING_KEYS_MAX; i++)
		stek__key_unref(many[i]);
	ck_assert_int_eq(stek__ring_new(&full, 0, NULL, 0, NULL, 0, 0), 0);
	ck_assert_int_eq(stek__record_seal(&blob, keys, "", full), 0);
	ck_assert_int_eq(stek__record_open(&opened, keys, "", blob.data,
					   blob.len), 0);
	stek__blob_free(&blob);
	stek__ring_unref(full);
}
END_TEST

/* Of the document every single bit counts; epoch and key id included. */
START_TEST(test_open_refuses_each_flipped_bit)
{
	for (size_t bit = 0; bit < 8 * doc.len; bit++) {
		int ret;

		doc.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ret = reopen();
		ck_assert_msg(ret == STEK_EAUTH ||
			      (bit < 16 && ret == STEK_EFORMAT),
			      "bit %zu: %d", bit, ret);
		ck_assert_ptr_null(opened);
		doc.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_eq(reopen(), 0);
}
END_TEST

/* Cut anywhere, or with bytes after its end, it is refused. */
START_TEST(test_open_refuses_each_length)
{
	for (size_t len = 0; len < doc.len; len++) {
		uint8_t *cut = malloc(len + 1);
		int ret;

		memcpy(cut, doc.data, len);
		ret = stek__record_open(&opened, keys, FARM, cut, len);
		ck_assert(ret == STEK_EFORMAT || ret == STEK_EAUTH);
		ret = stek__record_open(&opened, keys, FARM, doc.data, len);
		ck_assert(ret == STEK_EFORMAT || ret == STEK_EAUTH);
		free(cut);
	}
	doc.data = realloc(doc.data, doc.len + 1);
	doc.data[doc.len] = 0;
	ck_assert_int_eq(stek__record_open(&opened, keys, FARM, doc.data,
					   doc.len + 1), STEK_EAUTH);
	ck_assert_ptr_null(opened);
}
END_TEST

/* A document too long for any ring is refused before anything is tried. */
START_TEST(test_open_refuses_too_long)
{
	uint8_t *huge = calloc(1, STEK_RECORD_MAX + 1);

	memcpy(huge, doc.data, doc.len);
	ck_assert_int_eq(stek__record_open(&opened, keys, FARM, huge,
					   STEK_RECORD_MAX + 1), STEK_EFORMAT);
	free(huge);
}
END_TEST

/* Another farm's name, however near, does not open it. */
START_TEST(test_open_refuses_other_farm)
{
	static const char *const names[] = {
		"farm-b", "farm-", "farm-a ", "farm-aa", "", "Farm-a",
	};
	char longest[STEK_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_int_eq(stek__record_open(&opened, keys, names[i],
						   doc.data, doc.len),
				 STEK_EAUTH);
	memset(longest, 'a', sizeof(longest));
	longest[STEK_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(stek__record_open(&opened, keys, longest, doc.data,
					   doc.len), STEK_EINVAL);
	ck_assert_ptr_null(opened);
}
END_TEST

/* Another farm key does not open it, nor another secret under the same id. */
START_TEST(test_open_refuses_other_farm_key)
{
	struct stek_farm_keys *twin = farm_keys(1, 1);

	ck_assert_int_eq(stek__record_open(&opened, other, FARM, doc.data,
					   doc.len), STEK_EAUTH);
	twin->keys[0].secret[31] ^= 1;
	ck_assert_int_eq(stek__record_open(&opened, twin, FARM, doc.data,
					   doc.len), STEK_EAUTH);
	ck_assert_ptr_null(opened);
	stek__farm_keys_free(twin);
}
END_TEST

/* During a roll-over the second key opens too; the first one seals. */
START_TEST(test_second_farm_key_opens)
{
	struct stek_farm_keys *second = farm_keys(2, 1);
	struct stek_blob blob;

	ck_assert_mem_eq(doc.data + 2, keys->keys[0].id, STEK_FARM_KEY_ID_LEN);
	ck_assert_int_eq(stek__record_seal(&blob, second, FARM, ring), 0);
	ck_assert_int_eq(stek__record_open(&opened, keys, FARM, blob.data,
					   blob.len), 0);
	stek__blob_free(&blob);
	stek__farm_keys_free(second);
}
END_TEST

/* Two documents of one ring share neither nonce nor ciphertext. */
START_TEST(test_seal_is_fresh)
{
	struct stek_blob blob;

	ck_assert_int_eq(stek__record_seal(&blob, keys, FARM, ring), 0);
	ck_assert_uint_eq(blob.len, doc.len);
	ck_assert_mem_eq(blob.data, doc.data, HEAD);
	ck_assert_mem_ne(blob.data + HEAD, doc.data + HEAD, NONCE_END - HEAD);
	ck_assert_mem_ne(blob.data + NONCE_END, doc.data + NONCE_END, 16);
	stek__blob_free(&blob);
}
END_TEST

/* Head of one document, body of another: refused both ways. */
START_TEST(test_open_refuses_swapped_parts)
{
	struct stek_ring *later = NULL;
	struct stek_blob blob;
	uint8_t head[HEAD];

	ck_assert_int_eq(stek__ring_with_epoch(&later, ring,
					       ring->version.epoch + 1), 0);
	ck_assert_int_eq(stek__record_seal(&blob, keys, FARM, later), 0);
	memcpy(head, doc.data, HEAD);
	memcpy(doc.data, blob.data, HEAD);
	memcpy(blob.data, head, HEAD);
	ck_assert_int_eq(reopen(), STEK_EAUTH);
	ck_assert_int_eq(stek__record_open(&opened, keys, FARM, blob.data,
					   blob.len), STEK_EAUTH);
	ck_assert_ptr_null(opened);
	stek__blob_free(&blob);
	stek__ring_unref(later);
}
END_TEST

/* No secret stands in the document in the clear. */
START_TEST(test_document_hides_secrets)
{
	for (size_t i = 0; i < ring->n_keys; i++) {
		if (!ring->keys[i]->secret)
			continue;
		ck_assert_ptr_null(memmem(doc.data, doc.len,
					  ring->keys[i]->secret, 8));
		ck_assert_ptr_null(memmem(doc.data, doc.len, ring->keys[i]->id,
					  8));
	}
}
END_TEST

/* A process whose farm key was wiped by a fork neither seals nor opens. */
START_TEST(test_zero_farm_key_is_refused)
{
	struct stek_blob blob = { .data = NULL };

	memset(keys->keys[0].secret, 0, STEK_FARM_SECRET_LEN);
	ck_assert_int_eq(stek__record_seal(&blob, keys, FARM, ring),
			 STEK_ECRYPTO);
	ck_assert_ptr_null(blob.data);
	ck_assert_int_eq(reopen(), STEK_EAUTH);
}
END_TEST

/* Whichever allocation fails, sealing and opening say so and leak nothing. */
START_TEST(test_allocation_failures)
{
	for (unsigned n = 1; ; n++) {
		struct stek_blob blob = { .data = NULL };
		int ret;

		fault_arm(n);
		ret = stek__record_seal(&blob, keys, FARM, ring);
		if (!fault_disarm()) {
			ck_assert_int_eq(ret, 0);
			stek__blob_free(&blob);
			break;
		}
		ck_assert_int_eq(ret, STEK_ENOMEM);
		ck_assert_ptr_null(blob.data);
	}
	for (unsigned n = 1; ; n++) {
		int ret;

		fault_arm(n);
		ret = reopen();
		if (!fault_disarm()) {
			ck_assert_int_eq(ret, 0);
			ck_assert_uint_gt(n, 5);
			break;
		}
		ck_assert_int_eq(ret, STEK_ENOMEM);
		ck_assert_ptr_null(opened);
	}
}
END_TEST

static struct stek_beat beat;
static uint8_t sealed[STEK_BEAT_MAX];
static size_t sealed_len;

static void setup_beat(void)
{
	setup();
	memset(&beat, 0, sizeof(beat));
	beat.node_id = 0xa1b2c3d4;
	beat.started_at_ms = 1234567890123;
	beat.clock_offset_us = -123456;
	beat.version = ring->version;
	beat.payload_len = 5;
	memcpy(beat.payload, "stats", 5);
	ck_assert_int_eq(stek__beat_seal(sealed, &sealed_len, keys, FARM,
					 "node-1", &beat), 0);
}

static int beat_open(struct stek_beat *out)
{
	return stek__beat_open(out, keys, FARM, "node-1", sealed, sealed_len);
}

/* A heartbeat comes back whole, with and without payload. */
START_TEST(test_beat_gives_back)
{
	struct stek_beat out;

	ck_assert_int_eq(beat_open(&out), 0);
	ck_assert_uint_eq(out.node_id, beat.node_id);
	ck_assert_int_eq(out.started_at_ms, beat.started_at_ms);
	ck_assert_int_eq(out.clock_offset_us, -123456);
	ck_assert(stek_version_equal(&out.version, &beat.version));
	ck_assert_uint_eq(out.payload_len, 5);
	ck_assert_mem_eq(out.payload, "stats", 5);
	beat.payload_len = STEK_PAYLOAD_MAX;
	ck_assert_int_eq(stek__beat_seal(sealed, &sealed_len, keys, FARM,
					 "node-1", &beat), 0);
	ck_assert_uint_le(sealed_len, STEK_BEAT_MAX);
	ck_assert_int_eq(beat_open(&out), 0);
	ck_assert_uint_eq(out.payload_len, STEK_PAYLOAD_MAX);
	beat.payload_len = STEK_PAYLOAD_MAX + 1;
	ck_assert_int_eq(stek__beat_seal(sealed, &sealed_len, keys, FARM,
					 "node-1", &beat), STEK_EINVAL);
}
END_TEST

/* Another node's heartbeat, another farm's, a spoiled or cut one: refused. */
START_TEST(test_beat_refuses)
{
	struct stek_beat out = { .node_id = 9 };

	ck_assert_int_eq(stek__beat_open(&out, keys, FARM, "node-2", sealed,
					 sealed_len), STEK_EAUTH);
	ck_assert_int_eq(stek__beat_open(&out, keys, "farm-b", "node-1", sealed,
					 sealed_len), STEK_EAUTH);
	ck_assert_int_eq(stek__beat_open(&out, other, FARM, "node-1", sealed,
					 sealed_len), STEK_EAUTH);
	for (size_t bit = 0; bit < 8 * sealed_len; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_lt(beat_open(&out), 0);
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t len = 0; len < sealed_len; len++)
		ck_assert_int_lt(stek__beat_open(&out, keys, FARM, "node-1",
						 sealed, len), 0);
	ck_assert_int_lt(stek__beat_open(&out, keys, FARM, "node-1", sealed,
					 sizeof(sealed)), 0);
	ck_assert_uint_eq(out.node_id, 9);
}
END_TEST

/* A ring is no heartbeat and a heartbeat no ring, whatever the kind byte says. */
START_TEST(test_kinds_do_not_mix)
{
	struct stek_beat out;

	ck_assert_int_eq(stek__record_open(&opened, keys, FARM, sealed,
					   sealed_len), STEK_EFORMAT);
	ck_assert_int_eq(stek__beat_open(&out, keys, FARM, "node-1", doc.data,
					 doc.len), STEK_EFORMAT);
	sealed[1] = 1;
	doc.data[1] = 2;
	ck_assert_int_eq(stek__record_open(&opened, keys, FARM, sealed,
					   sealed_len), STEK_EAUTH);
	ck_assert_int_eq(stek__beat_open(&out, keys, FARM, "node-1", doc.data,
					 doc.len), STEK_EAUTH);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("record");
	TCase *sealing = tcase_create("seal and open");
	TCase *beats = tcase_create("beat");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(sealing, setup, teardown);
	tcase_set_timeout(sealing, 120);
	tcase_add_test(sealing, test_xchacha_vector);
	tcase_add_test(sealing, test_open_gives_back);
	tcase_add_test(sealing, test_extremes_fit);
	tcase_add_test(sealing, test_open_refuses_each_flipped_bit);
	tcase_add_test(sealing, test_open_refuses_each_length);
	tcase_add_test(sealing, test_open_refuses_too_long);
	tcase_add_test(sealing, test_open_refuses_other_farm);
	tcase_add_test(sealing, test_open_refuses_other_farm_key);
	tcase_add_test(sealing, test_second_farm_key_opens);
	tcase_add_test(sealing, test_seal_is_fresh);
	tcase_add_test(sealing, test_open_refuses_swapped_parts);
	tcase_add_test(sealing, test_document_hides_secrets);
	tcase_add_test(sealing, test_zero_farm_key_is_refused);
	tcase_add_test(sealing, test_allocation_failures);
	suite_add_tcase(suite, sealing);
	tcase_add_checked_fixture(beats, setup_beat, teardown);
	tcase_set_timeout(beats, 120);
	tcase_add_test(beats, test_beat_gives_back);
	tcase_add_test(beats, test_beat_refuses);
	tcase_add_test(beats, test_kinds_do_not_mix);
	suite_add_tcase(suite, beats);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
