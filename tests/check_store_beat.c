// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_store_beat.c - heartbeats, members, hints and the audit of both
 * stores; the loop's number chooses.
 */
#include <poll.h>
#include <time.h>

#include "audit.h"
#include "storebench.h"

#define DAY_MS (24 * 3600 * 1000LL)

static void plant_beat(const char *node, int64_t seen_at_ms)
{
	char value[12] = { 0 }, path[160];
	const char *argv[] = { "HSET", "stek:{farm}:nodes", node, value };
	const size_t lens[] = { 4, 17, strlen(node), sizeof(value) };
	FILE *f;
	int i;

	for (i = 0; i < 8; i++)
		value[i] = (char)((uint64_t)seen_at_ms >> (56 - 8 * i));
	if (kind == REDIS_STORE) {
		freeReplyObject(redis_server_do(&server, 4, argv, lens));
		return;
	}
	snprintf(path, sizeof(path), "%s/stek-farm/nodes/%s.beat", dir, node);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(value, 1, sizeof(value), f), sizeof(value));
	fclose(f);
}

/* Heartbeats come back with the store's time; of a node only the last. */
START_TEST(test_beat_and_members)
{
	struct stek_store *store = begin(_i);
	struct stek_raw_member *members = NULL;
	struct stek_version v = version(7, 'q');
	uint8_t data[STEK_BEAT_MAX];
	struct stek_pulse pulse;
	int64_t now_ms, began_ms;
	size_t i, n;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	ck_assert_int_eq(publish(store, NULL, v, "doc"), 0);
	/* A second less: a file's time may come from a coarser clock. */
	began_ms = (int64_t)(time(NULL) - 1) * 1000;
	ck_assert_int_eq(store->ops->beat(store, "..", data, 3, &pulse), 0);
	ck_assert_int_eq(store->ops->beat(store, "..", data, sizeof(data),
					  &pulse), 0);
	ck_assert(pulse.has_ring && stek_version_equal(&pulse.version, &v));
	ck_assert_int_ge(pulse.store_now_ms, began_ms);
	ck_assert_int_eq(store->ops->beat(store, "b", data, 0, &pulse), 0);
	/* Of a time that no store gave: its age would be any number. */
	plant_beat("never", INT64_MIN);
	ck_assert_int_eq(store->ops->members(store, &members, &n, &now_ms), 0);
	ck_assert_uint_eq(n, 2);
	i = strcmp(members[0].name, "..") != 0;
	ck_assert_str_eq(members[i].name, "..");
	ck_assert_str_eq(members[!i].name, "b");
	ck_assert_uint_eq(members[i].len, sizeof(data));
	ck_assert_mem_eq(members[i].data, data, sizeof(data));
	ck_assert_uint_eq(members[!i].len, 0);
	ck_assert_int_le(members[i].seen_at_ms, now_ms);
	ck_assert_int_ge(members[i].seen_at_ms, began_ms);
	free(members);
	stek__store_close(store);
}
END_TEST

/* A node that leaves is gone, one unseen for a day is removed; no other. */
START_TEST(test_members_are_forgotten)
{
	struct stek_store *store = begin(_i);
	struct stek_raw_member *members = NULL;
	int64_t now_ms = (int64_t)time(NULL) * 1000;
	struct stek_pulse pulse;
	size_t n;

	ck_assert_int_eq(store->ops->beat(store, "a", NULL, 0, &pulse), 0);
	ck_assert_int_eq(store->ops->beat(store, "b", NULL, 0, &pulse), 0);
	plant_beat("old", now_ms - DAY_MS - 60000);
	plant_beat("kept", now_ms - DAY_MS + 60000);
	ck_assert_int_eq(store->ops->forget(store, "a"), 0);
	ck_assert_int_eq(store->ops->forget(store, "unknown"), 0);
	ck_assert_int_eq(store->ops->members(store, &members, &n, &now_ms), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_ne(!strcmp(members[0].name, "b"),
			 !strcmp(members[0].name, "kept"));
	free(members);
	/* Removed, not only left out. */
	if (kind == REDIS_STORE) {
		const char *argv[] = { "HLEN", "stek:{farm}:nodes" };
		redisReply *reply = redis_server_do(&server, 2, argv, NULL);

		ck_assert_int_eq(reply->integer, 2);
		freeReplyObject(reply);
	}
	stek__store_close(store);
}
END_TEST

static bool hinted(struct stek_store *store, int timeout_ms)
{
	struct pollfd pfd = { .fd = store->ops->hint_fd(store),
			      .events = POLLIN };

	while (pfd.fd >= 0 && poll(&pfd, 1, timeout_ms) > 0) {
		if (store->ops->hint_take(store))
			return true;
		pfd.fd = store->ops->hint_fd(store);
	}
	return false;
}

/* What is published before a server knows of it is not told. */
static void await_subscribed(struct stek_store *store)
{
	struct pollfd pfd = { .fd = store->ops->hint_fd(store),
			      .events = POLLIN };

	if (kind == REDIS_STORE)
		ck_assert_int_eq(poll(&pfd, 1, PATIENT_MS), 1);
}

/* Publishing wakes the others; heartbeats and lost races do not. */
START_TEST(test_hint)
{
	struct stek_store *a = begin(_i), *b = open_as("farm");
	struct stek_version v1 = version(1, 'a'), v2 = version(2, 'a');
	struct stek_pulse pulse;

	pulse_of(a);
	pulse_of(b);
	await_subscribed(b);
	ck_assert(!hinted(b, 50));
	ck_assert_int_ge(b->ops->hint_fd(b), 0);
	ck_assert_int_eq(publish(a, NULL, v1, "1"), 0);
	ck_assert(hinted(b, PATIENT_MS));
	ck_assert(!hinted(b, 50));
	ck_assert_int_eq(publish(a, NULL, v2, "2"), STEK_ECONFLICT);
	ck_assert_int_eq(a->ops->beat(a, "a", NULL, 0, &pulse), 0);
	ck_assert(!hinted(b, 50));
	wipe();
	(void)hinted(b, 50);
	pulse_of(b);
	(void)hinted(b, 50);
	ck_assert_int_eq(publish(a, NULL, v1, "1"), 0);
	ck_assert(hinted(b, PATIENT_MS));
	stek__store_close(a);
	stek__store_close(b);
}
END_TEST

static bool before(struct stek_store *store, const char *text,
		   struct stek_pulse *pulse)
{
	memset(pulse, 0xff, sizeof(*pulse));
	ck_assert_int_eq(store->ops->beat(store, "n", (const uint8_t *)text,
					  strlen(text), pulse), 0);
	return pulse->has_before;
}

/* A heartbeat says what stood in its place, unless that was its own. */
START_TEST(test_beat_before)
{
	struct stek_store *a = begin(_i), *b = open_as("farm");
	struct stek_pulse pulse;
	int64_t seen_at_ms;

	ck_assert(!before(a, "one heartbeat of the first", &pulse));
	ck_assert(!before(a, "two heartbeats of the first", &pulse));
	seen_at_ms = pulse.store_now_ms;
	ck_assert(before(b, "one heartbeat of the second", &pulse));
	ck_assert_str_eq(pulse.before.name, "n");
	ck_assert_uint_eq(pulse.before.len, 27);
	ck_assert_mem_eq(pulse.before.data, "two heartbeats of the first", 27);
	ck_assert_int_le(pulse.before.seen_at_ms, seen_at_ms);
	ck_assert_int_gt(pulse.before.seen_at_ms, seen_at_ms - 60000);
	ck_assert(!before(b, "two heartbeats of the second", &pulse));
	ck_assert(before(a, "three heartbeats of the first", &pulse));
	ck_assert_mem_eq(pulse.before.data, "two heartbeats of the second", 28);
	wipe();
	ck_assert(!before(a, "four heartbeats of the first", &pulse));
	stek__store_close(a);
	stek__store_close(b);
}
END_TEST

/* Audit lines stay in order and whole. */
START_TEST(test_audit)
{
	struct stek_store *store = begin(_i);
	char text[64] = "", path[128];
	FILE *f;

	ck_assert_int_eq(store->ops->audit(store, "", "{\"n\":1}"), 0);
	ck_assert_int_eq(store->ops->audit(store, "{\"n\":1}",
					    "{\"n\":2}"), 0);
	if (kind == REDIS_STORE) {
		const char *argv[] = { "XRANGE", "stek:{farm}:audit", "-",
				       "+" };
		redisReply *reply = redis_server_do(&server, 4, argv, NULL);

		ck_assert_uint_eq(reply->elements, 2);
		ck_assert_str_eq(reply->element[1]->element[1]->element[1]->str,
				 "{\"n\":2}");
		freeReplyObject(reply);
	} else {
		snprintf(path, sizeof(path), "%s/stek-farm/audit", dir);
		f = fopen(path, "r");
		ck_assert_ptr_nonnull(f);
		ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, f), 0);
		fclose(f);
		ck_assert_str_eq(text, "{\"n\":1}\n{\"n\":2}\n");
	}
	stek__store_close(store);
}
END_TEST

/* What somebody else left as the last of the audit, perhaps a part of a line. */
static void plant_line(const char *line, size_t len)
{
	const char *argv[] = { "XADD", "stek:{farm}:audit", "*", "line", line };
	const size_t lens[] = { 4, 17, 1, 4, len };
	char path[128];
	FILE *f;

	if (kind == REDIS_STORE) {
		freeReplyObject(redis_server_do(&server, 5, argv, lens));
		return;
	}
	snprintf(path, sizeof(path), "%s/stek-farm/audit", dir);
	f = fopen(path, "a");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(line, 1, len, f), len);
	fclose(f);
}

/* The last line as a writer sees it, and how many there are. */
static char *last_of(struct stek_store *store, size_t *n)
{
	struct stek_blob tail = { NULL, 0 };
	size_t i;
	char *last;

	ck_assert_int_eq(store->ops->audit_read(store, 16, &tail), 0);
	ck_assert_uint_eq(strlen((char *)tail.data), tail.len);
	ck_assert_int_eq(tail.data[tail.len - 1], '\n');
	for (i = 0, *n = 0; i < tail.len; i++)
		*n += tail.data[i] == '\n';
	last = stek__audit_last(&tail);
	ck_assert_ptr_nonnull(last);
	stek__blob_free(&tail);
	return last;
}

/* Whatever stands last, the next line can be written after it. */
START_TEST(test_audit_after_odd_lines)
{
	static const struct { const char *line; size_t len; } odd[] = {
		{ "a\nb", 3 }, { "a\0b", 3 }, { "\0", 1 }, { "\n", 1 },
		{ "torn", 4 }, { "a\n", 2 }, { "\0\n", 2 }, { "\n\0", 2 },
	};
	struct stek_store *store = begin(_i);
	size_t i, n, before;
	char *last;

	ck_assert_int_eq(store->ops->audit(store, "", "{\"n\":1}"), 0);
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		plant_line(odd[i].line, odd[i].len);
		last = last_of(store, &before);
		ck_assert_int_eq(store->ops->audit(store, "{\"n\":1}",
						   "late"), STEK_ECONFLICT);
		ck_assert_int_eq(store->ops->audit(store, last, "{\"n\":1}"),
				 0);
		free(last);
		last = last_of(store, &n);
		ck_assert_str_eq(last, "{\"n\":1}");
		ck_assert(n == before + 1 || n == 16);
		free(last);
	}
	stek__store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_beat");
	TCase *both = tcase_create("both stores");
	int stores = redis_server_exists() ? STORES : REDIS_STORE;

	tcase_set_timeout(both, 120);
	tcase_add_checked_fixture(both, NULL, end);
	tcase_add_loop_test(both, test_beat_and_members, 0, stores);
	tcase_add_loop_test(both, test_members_are_forgotten, 0, stores);
	tcase_add_loop_test(both, test_hint, 0, stores);
	tcase_add_loop_test(both, test_beat_before, 0, stores);
	tcase_add_loop_test(both, test_audit, 0, stores);
	tcase_add_loop_test(both, test_audit_after_odd_lines, 0, stores);
	suite_add_tcase(suite, both);
	return bench_run(suite);
}
