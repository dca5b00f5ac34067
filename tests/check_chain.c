// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_chain.c - the audit's chain: a true one verifies, and what was edited,
 * cut, moved, repeated or forged is found at its place.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"

#define FARM "farm"
#define LINES 6

static struct stek_farm_keys *keys;
static char *lines[LINES + 1];
static struct stek_head head;
static char (*faults)[STEK_FAULT_MAX];
static char last[STEK_FAULT_MAX];
static size_t n;

static struct stek_farm_keys *make_keys(uint8_t fill, size_t count)
{
	struct stek_farm_keys *made = stek__secret_alloc(sizeof(*made));
	size_t i;

	ck_assert_ptr_nonnull(made);
	for (i = 0; i < count; i++) {
		memset(made->keys[i].id, fill + (int)i, STEK_FARM_KEY_ID_LEN);
		memset(made->keys[i].secret, fill + (int)i,
		       STEK_FARM_SECRET_LEN);
	}
	made->n = count;
	return made;
}

static char *seal(const struct stek_farm_keys *with, const char *farm,
		  struct stek_head *after, const char *json)
{
	const struct stek_entry_text text = { "-", "-", json };
	char *line = NULL;

	ck_assert_int_eq(stek__chain_seal(&line, with, farm, after, &text), 0);
	ck_assert_int_eq(stek__chain_link(after, after->seq + 1, line,
					  strlen(line)), 0);
	return line;
}

static void setup(void)
{
	char json[32];
	size_t i;

	keys = make_keys(1, 1);
	memset(&head, 0, sizeof(head));
	for (i = 0; i < LINES; i++) {
		snprintf(json, sizeof(json), "{\"n\":%zu}", i + 1);
		lines[i] = seal(keys, FARM, &head, json);
	}
	faults = NULL;
}

static void teardown(void)
{
	size_t i;

	for (i = 0; i < LINES; i++)
		free(lines[i]);
	free(faults);
	stek__farm_keys_free(keys);
}

/* Checks `count` lines as the whole store. */
static void verify(const struct stek_farm_keys *with, char **from, size_t count)
{
	struct stek_chain_ends ends = { .whole = true, .head = head };
	char *text = NULL;
	size_t i, len;
	FILE *f = open_memstream(&text, &len);

	for (i = 0; i < count; i++)
		fprintf(f, "%s\n", from[i]);
	fclose(f);
	free(faults);
	faults = NULL;
	ck_assert_int_eq(stek__chain_verify(with, FARM, &ends, text, &faults,
					    &n, last), 0);
	ck_assert_uint_eq(n, count);
	free(text);
}

/* The place of the first fault, from 1; 0: none. */
static size_t first(void)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (faults[i][0])
			return i + 1;
	}
	return last[0] ? n + 1 : 0;
}

static void assert_fault(size_t place, const char *word)
{
	ck_assert_uint_eq(first(), place);
	ck_assert_msg(strstr(place > n ? last : faults[place - 1], word) !=
		      NULL, "%s", place > n ? last : faults[place - 1]);
}

/* What was written verifies. */
START_TEST(test_good)
{
	verify(keys, lines, LINES);
	ck_assert_uint_eq(first(), 0);
}
END_TEST

/* Each single character that is changed is found, in the entry itself. */
START_TEST(test_edited)
{
	size_t i, len = strlen(lines[2]);

	for (i = 0; i < len; i++) {
		lines[2][i] ^= 1;
		if (lines[2][i] != '\n' && lines[2][i] != '\0') {
			verify(keys, lines, LINES);
			ck_assert_uint_le(first(), 3);
			ck_assert_uint_gt(first(), 0);
		}
		lines[2][i] ^= 1;
	}
}
END_TEST

/* A cut at the beginning, within and at the end. */
START_TEST(test_cut)
{
	char *some[LINES];

	verify(keys, lines + 1, LINES - 1);
	assert_fault(1, "entry 1 is missing before it");
	verify(keys, lines, LINES - 2);
	assert_fault(LINES - 1, "entries 5 to 6 are missing at the end");
	verify(keys, lines, 0);
	assert_fault(1, "entries 1 to 6 are missing at the end");
	memcpy(some, lines, sizeof(some));
	memmove(some + 2, some + 3, 3 * sizeof(some[0]));
	verify(keys, some, LINES - 1);
	assert_fault(3, "entry 3 is missing");
}
END_TEST

/* Two entries in each other's place, and one that comes twice. */
START_TEST(test_moved_and_repeated)
{
	char *some[LINES + 1];

	memcpy(some, lines, LINES * sizeof(some[0]));
	some[2] = lines[3];
	some[3] = lines[2];
	verify(keys, some, LINES);
	assert_fault(3, "missing before it");
	memcpy(some, lines, 3 * sizeof(some[0]));
	some[3] = lines[1];
	memcpy(some + 4, lines + 3, 3 * sizeof(some[0]));
	verify(keys, some, LINES + 1);
	assert_fault(4, "moved or repeated");
}
END_TEST

/* An entry of someone else's farm key, of that key's id, and of another farm. */
START_TEST(test_forged)
{
	struct stek_farm_keys *other = make_keys(9, 1);
	struct stek_head after;
	char *mine = lines[5];

	ck_assert_int_eq(stek__chain_link(&after, 5, lines[4],
					  strlen(lines[4])), 0);
	lines[5] = seal(other, FARM, &(struct stek_head){ after.seq, { 0 } },
			"{}");
	free(lines[5]);
	lines[5] = seal(other, FARM, &after, "{}");
	verify(keys, lines, LINES);
	assert_fault(6, "not held here");
	free(lines[5]);
	memcpy(other->keys[0].id, keys->keys[0].id, STEK_FARM_KEY_ID_LEN);
	after.seq = 5;
	ck_assert_int_eq(stek__chain_link(&after, 5, lines[4],
					  strlen(lines[4])), 0);
	lines[5] = seal(other, FARM, &after, "{}");
	verify(keys, lines, LINES);
	assert_fault(6, "tag is wrong");
	free(lines[5]);
	ck_assert_int_eq(stek__chain_link(&after, 5, lines[4],
					  strlen(lines[4])), 0);
	lines[5] = seal(keys, "other", &after, "{}");
	verify(keys, lines, LINES);
	assert_fault(6, "tag is wrong");
	free(lines[5]);
	lines[5] = mine;
	stek__farm_keys_free(other);
}
END_TEST

/* The whole chain rebuilt with a true key is not the one that was remembered. */
START_TEST(test_rebuilt)
{
	struct stek_head again = { .seq = 0 };
	char *other[LINES];
	size_t i;

	for (i = 0; i < LINES; i++)
		other[i] = seal(keys, FARM, &again, "{}");
	verify(keys, other, LINES);
	assert_fault(LINES, "remembers another entry");
	for (i = 0; i < LINES; i++)
		free(other[i]);
}
END_TEST

/* True entries of two chains: the place where they were joined is named. */
START_TEST(test_joined)
{
	struct stek_head again = { .seq = 0 }, none = { .seq = 0 };
	char *other[LINES], *mixed[LINES];
	size_t i;

	for (i = 0; i < LINES; i++) {
		other[i] = seal(keys, FARM, &again, "{}");
		mixed[i] = i < 3 ? other[i] : lines[i];
	}
	verify(keys, mixed, LINES);
	assert_fault(4, "it follows another entry 3");
	free(other[0]);
	memset(none.hash, 7, sizeof(none.hash));
	other[0] = seal(keys, FARM, &none, "{}");
	verify(keys, other, 1);
	assert_fault(1, "it is the first and names one before it");
	for (i = 0; i < LINES; i++)
		free(other[i]);
}
END_TEST

/* Entries under a farm key that is gone are vouched for by later ones. */
START_TEST(test_rolled_over)
{
	struct stek_farm_keys *both = make_keys(1, 2), *fresh = make_keys(2, 1);
	char *all[LINES + 1];

	memcpy(all, lines, LINES * sizeof(all[0]));
	both->seals = 1;
	all[LINES] = seal(both, FARM, &head, "{}");
	verify(fresh, all, LINES + 1);
	ck_assert_uint_eq(first(), 0);
	lines[3][strlen(lines[3]) - 2] ^= 1;
	verify(fresh, all, LINES + 1);
	ck_assert_uint_gt(first(), 0);
	ck_assert_uint_le(first(), 4);
	free(all[LINES]);
	stek__farm_keys_free(both);
	stek__farm_keys_free(fresh);
}
END_TEST

/* Lines that are no entries at all. */
START_TEST(test_not_an_entry)
{
	char none[] = "", json[] = "{\"at_ms\":1}", zero[] = "1 0 - - -";
	char *bad[] = { none, json, zero };
	struct stek_entry entry;
	size_t i;

	for (i = 0; i < 3; i++)
		ck_assert_int_eq(stek__chain_parse(&entry, bad[i],
						   strlen(bad[i])),
				 STEK_EFORMAT);
	verify(keys, bad, 3);
	assert_fault(1, "no audit entry");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chain");
	TCase *tcase = tcase_create("chain");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_good);
	tcase_add_test(tcase, test_edited);
	tcase_add_test(tcase, test_cut);
	tcase_add_test(tcase, test_moved_and_repeated);
	tcase_add_test(tcase, test_forged);
	tcase_add_test(tcase, test_rebuilt);
	tcase_add_test(tcase, test_joined);
	tcase_add_test(tcase, test_rolled_over);
	tcase_add_test(tcase, test_not_an_entry);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
