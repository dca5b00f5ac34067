// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_secret_traces.c - after keys were minted, sealed, opened, merged and
 * freed, no byte string of them stands anywhere in the memory of this process
 * that another could read: stack, heap and data are searched through
 * /proc/self/mem. A planted copy must be found.
 */
#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "farmkey.h"
#include "sanitized.h"

#define CHUNK (32 * 1024)

/* Half a secret is as bad as a whole one. */
#define NEEDLE_LEN 16
/* The shadow memory of a sanitizer is larger than any machine. */
#define MAPPING_MAX (UINT64_C(64) << 20)

static struct stek_farm_keys *keys;
static uint8_t *needles[4];
static size_t n_needles;

/* `bytes` is copied within the arena, so that the search finds not itself. */
static void add_needle(const uint8_t *bytes)
{
	uint8_t *needle = stek__secret_alloc(NEEDLE_LEN);

	ck_assert_ptr_nonnull(needle);
	memcpy(needle, bytes, NEEDLE_LEN);
	needles[n_needles++] = needle;
}

static bool holds_needle(const uint8_t *chunk, size_t len)
{
	for (size_t i = 0; i + NEEDLE_LEN <= len; i++) {
		for (size_t n = 0; n < n_needles; n++) {
			if (chunk[i] == needles[n][0] &&
			    memcmp(chunk + i, needles[n], NEEDLE_LEN) == 0)
				return true;
		}
	}
	return false;
}

/* Chunks overlap, so that none hides between two. */
static bool search_range(int mem, uint64_t from, uint64_t to, uint8_t *chunk)
{
	for (uint64_t at = from; at < to; at += CHUNK - NEEDLE_LEN) {
		size_t want = to - at < CHUNK ? (size_t)(to - at) : CHUNK;
		ssize_t n = pread(mem, chunk, want, (off_t)at);

		if (n > 0 && holds_needle(chunk, (size_t)n))
			return true;
	}
	return false;
}

/* The arena itself, where the kernel has no memfd_secret(2) to hide it. */
static bool is_arena(uint64_t from, uint64_t to)
{
	const uint64_t at = (uintptr_t)needles[0];

	return at >= from && at < to;
}

static unsigned count_traces(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int mem = open("/proc/self/mem", O_RDONLY);
	uint8_t *chunk = stek__secret_alloc(CHUNK);
	unsigned traces = 0;
	char line[512];

	ck_assert_ptr_nonnull(maps);
	ck_assert_int_ge(mem, 0);
	ck_assert_ptr_nonnull(chunk);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t from, to;
		char mode[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to,
			   mode) != 3)
			continue;
		if (strncmp(mode, "rw", 2) != 0 || to - from > MAPPING_MAX)
			continue;
		if (is_arena(from, to) || ((uintptr_t)chunk >= from &&
					   (uintptr_t)chunk < to))
			continue;
		traces += search_range(mem, from, to, chunk);
	}
	stek__secret_free(chunk, CHUNK);
	close(mem);
	fclose(maps);
	return traces;
}

static void make_farm_key(void)
{
	char path[] = "/tmp/check_secret_traces.XXXXXX";
	uint8_t id[STEK_FARM_KEY_ID_LEN];

	close(mkstemp(path));
	unlink(path);
	ck_assert_int_eq(stek_farm_key_generate(path, id), 0);
	ck_assert_int_eq(stek__farm_keys_read(&keys, path, NULL, 0), 0);
	unlink(path);
	add_needle(keys->keys[0].secret);
	add_needle(keys->keys[0].secret + NEEDLE_LEN);
}

/* A life of a key: minted, in a ring, sealed, opened, merged, revoked. */
static void live(void)
{
	struct stek_key *key = NULL;
	struct stek_ring *ring = NULL;
	struct stek_ring *opened = NULL;
	struct stek_ring *merged = NULL;
	struct stek_ring *wiped = NULL;
	struct stek_blob blob = { .data = NULL };

	ck_assert_int_eq(stek__key_mint(&key, "n", STEK_MADE_BY_SCHEDULE, 1, 2,
					100), 0);
	add_needle(key->secret);
	add_needle(key->secret + NEEDLE_LEN);
	ck_assert_int_eq(stek__ring_new(&ring, 1, &key, 1, NULL, 0, 0), 0);
	ck_assert_int_eq(stek__record_seal(&blob, keys, "farm", ring), 0);
	ck_assert_int_eq(stek__record_open(&opened, keys, "farm", blob.data,
					   blob.len), 0);
	ck_assert_mem_eq(opened->keys[0]->secret, key->secret, STEK_SECRET_LEN);
	blob.data[blob.len - 1] ^= 1;
	ck_assert_int_eq(stek__record_open(&merged, keys, "farm", blob.data,
					   blob.len), STEK_EAUTH);
	ck_assert_int_eq(stek__ring_merge(&merged, ring, opened), 0);
	ck_assert_int_eq(stek__ring_wiped(&wiped, merged, 100), 0);
	stek__blob_free(&blob);
	stek__key_unref(key);
	stek__ring_unref(ring);
	stek__ring_unref(opened);
	stek__ring_unref(merged);
	stek__ring_unref(wiped);
}

static void setup(void)
{
	n_needles = 0;
	make_farm_key();
	live();
}

static void teardown(void)
{
	stek__farm_keys_free(keys);
	for (size_t i = 0; i < n_needles; i++)
		stek__secret_free(needles[i], NEEDLE_LEN);
}

/* Neither farm key nor ticket key leaves a trace outside the arena. */
START_TEST(test_no_trace_is_left)
{
	ck_assert_uint_eq(n_needles, 4);
	ck_assert_uint_eq(count_traces(), 0);
}
END_TEST

/* The control: half a secret on the heap is found, wiped it is not. */
START_TEST(test_planted_on_heap_is_found)
{
	uint8_t *on_heap = malloc(1000);
	unsigned before = count_traces();

	memcpy(on_heap + 77, needles[3], NEEDLE_LEN);
	ck_assert_uint_gt(count_traces(), before);
	stek__wipe(on_heap, 1000);
	if (!SANITIZED)
		ck_assert_uint_eq(count_traces(), before);
	free(on_heap);
}
END_TEST

/* So is one on the stack. */
START_TEST(test_planted_on_stack_is_found)
{
	uint8_t on_stack[NEEDLE_LEN];

	memcpy(on_stack, needles[0], NEEDLE_LEN);
	/* As if somebody read it: the compiler must really put it there. */
	__asm__ volatile("" : : "r"(on_stack) : "memory");
	ck_assert_uint_gt(count_traces(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("secret_traces");
	TCase *tcase = tcase_create("memory");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	if (!SANITIZED)
		tcase_add_test(tcase, test_no_trace_is_left);
	tcase_add_test(tcase, test_planted_on_heap_is_found);
	tcase_add_test(tcase, test_planted_on_stack_is_found);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
