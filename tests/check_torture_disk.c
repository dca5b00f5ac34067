// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_torture_disk.c - every single call about a file fails in turn, and every
 * single allocation, while a farm key is made or added to, and while a store does
 * each thing that it can. Either the thing is done or it is told why not; never
 * is half a file left, another's key lost, or what cannot be read taken for what
 * is not there. Calls that are interrupted, or do but a part, do the rest.
 */
#include "farmkey.h"
#include "fault_disk.h"
#include "storebench.h"
#include "torture.h"

/* As enum disk_fault, and one more. */
enum { ALLOCATION = DISK_FAULTS, FAULTS };

static const char *const fault_name[] = { "EIO", "EINTR", "short", "memory" };
static int fault;
static char key_file[96];
static unsigned made;

static void arm(unsigned n)
{
	if (fault == ALLOCATION) {
		torture_begin(n);
		torture_on();
	} else {
		disk_begin((enum disk_fault)fault, n);
		disk_on();
	}
}

static bool disarm(void)
{
	return fault == ALLOCATION ? torture_end() : disk_end();
}

/* Whether one may fail at all. */
static bool may_fail(bool hit)
{
	return hit && (fault == DISK_EIO || fault == ALLOCATION);
}

/* ---- the farm key's file ------------------------------------------------------ */

static bool exists(const char *suffix)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", key_file, suffix);
	return lstat(path, &st) == 0;
}

/* How many keys there are, and that the first is `id`. */
static size_t keys_in_file(const uint8_t id[STEK_FARM_KEY_ID_LEN])
{
	struct stek_farm_keys *keys = NULL;
	char why[256] = "";
	size_t n;

	ck_assert_msg(!stek__farm_keys_read(&keys, key_file, why, sizeof(why)),
		      "%s", why);
	ck_assert_mem_eq(keys->keys[0].id, id, STEK_FARM_KEY_ID_LEN);
	n = keys->n;
	stek__farm_keys_free(keys);
	return n;
}

static void new_key_file(void)
{
	snprintf(key_file, sizeof(key_file), "%s/key-%u", dir, made++);
}

static bool generate(unsigned n)
{
	uint8_t id[STEK_FARM_KEY_ID_LEN] = { 0 };
	bool hit;
	int err;

	new_key_file();
	arm(n);
	err = stek_farm_key_generate(key_file, id);
	hit = disarm();
	ck_assert(!err || may_fail(hit));
	if (err) {
		ck_assert(!exists(""));
		ck_assert_int_eq(stek_farm_key_generate(key_file, id), 0);
	}
	ck_assert_uint_eq(keys_in_file(id), 1);
	return hit;
}

static bool append(unsigned n)
{
	uint8_t first[STEK_FARM_KEY_ID_LEN], id[STEK_FARM_KEY_ID_LEN];
	char why[256] = "";
	bool hit;
	int err;

	new_key_file();
	ck_assert_int_eq(stek_farm_key_generate(key_file, first), 0);
	arm(n);
	err = stek_farm_key_append(key_file, id, why, sizeof(why));
	hit = disarm();
	ck_assert(!err || (may_fail(hit) && why[0]));
	ck_assert(!exists(".new"));
	/* It may have got there, and its directory not to the disk. */
	ck_assert_uint_ge(keys_in_file(first), err ? 1 : 2);
	return hit;
}

/* A file key.new that somebody left is not overwritten, and is named. */
START_TEST(test_append_finds_another)
{
	uint8_t first[STEK_FARM_KEY_ID_LEN], id[STEK_FARM_KEY_ID_LEN];
	char why[256] = "", path[128];
	FILE *f;

	stek__store_close(begin(FILE_STORE));
	new_key_file();
	ck_assert_int_eq(stek_farm_key_generate(key_file, first), 0);
	snprintf(path, sizeof(path), "%s.new", key_file);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
	ck_assert_int_eq(stek_farm_key_append(key_file, id, why, sizeof(why)),
			 STEK_EREFUSED);
	ck_assert_ptr_nonnull(strstr(why, path));
	ck_assert(exists(".new"));
	ck_assert_uint_eq(keys_in_file(first), 1);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(stek_farm_key_append(key_file, id, why, sizeof(why)),
			 0);
	ck_assert_uint_eq(keys_in_file(first), 2);
	/* A third one is not for now. */
	ck_assert_int_eq(stek_farm_key_append(key_file, id, why, sizeof(why)),
			 STEK_EFULL);
	ck_assert_ptr_nonnull(strstr(why, "two keys"));
	end();
}
END_TEST

/* ---- a store ------------------------------------------------------------------ */

#define OTHERS 20	/* heartbeats, more than there is room for at first */

static struct stek_store *store;

/* As begin(), but for the same server each time. */
static void fill_store(void)
{
	struct stek_version v1 = version(1, 'a');
	struct stek_pulse pulse;
	char name[16], command[192];
	int i;

	wipe();
	store = open_as("farm");
	ck_assert_int_eq(publish(store, NULL, v1, "one"), 0);
	for (i = 0; i < OTHERS; i++) {
		snprintf(name, sizeof(name), "other-%d", i);
		ck_assert_int_eq(store->ops->beat(store, name,
						  (const uint8_t *)"beat", 4,
						  &pulse), 0);
	}
	ck_assert_int_eq(store->ops->audit(store, "", "{\"n\":1}"), 0);
	if (kind == FILE_STORE) {
		snprintf(command, sizeof(command),
			 "mv %s/stek-farm/audit %s/stek-farm/audit.1", dir,
			 dir);
		shell(command);
	}
}

/* What a node asks of a store, one after the other. */
enum { LOAD, PULSE, MEMBERS, READ, BEAT, ENTER, PUBLISH, FORGET, CALLS };

static struct {
	int err[CALLS];
	struct stek_blob doc, tail;
	struct stek_pulse pulse;
	struct stek_raw_member *members;
	size_t n_members;
} got;

static void call_all(void)
{
	const struct stek_version v1 = version(1, 'a'), v2 = version(2, 'b');
	const struct stek_store_ops *ops = store->ops;
	struct stek_pulse pulse;
	int64_t now_ms;

	memset(&got, 0, sizeof(got));
	got.err[LOAD] = ops->load(store, &got.doc);
	got.err[PULSE] = ops->pulse(store, &got.pulse);
	got.err[MEMBERS] = ops->members(store, &got.members, &got.n_members,
					&now_ms);
	got.err[READ] = ops->audit_read(store, 16, &got.tail);
	got.err[BEAT] = ops->beat(store, "node", (const uint8_t *)"beat", 4,
				  &pulse);
	got.err[ENTER] = ops->audit(store, "{\"n\":1}", "{\"n\":2}");
	got.err[PUBLISH] = ops->publish(store, &v1, &v2,
					(const uint8_t *)"second", 6);
	got.err[FORGET] = ops->forget(store, "other-0");
}

/* One fault is one failure at most, and no wrong answer. */
static void judge_answers(bool hit)
{
	const struct stek_version v1 = version(1, 'a');
	int i, failed = 0;

	for (i = 0; i < CALLS; i++) {
		ck_assert_msg(!got.err[i] || may_fail(hit), "call %d: %d", i,
			      got.err[i]);
		ck_assert_msg(got.err[i] != STEK_EABSENT &&
			      got.err[i] != STEK_ECONFLICT &&
			      got.err[i] != STEK_EFORMAT, "call %d: %d", i,
			      got.err[i]);
		failed += got.err[i] != 0;
	}
	ck_assert_int_le(failed, 1);
	if (!got.err[LOAD]) {
		ck_assert_uint_eq(got.doc.len, 3);
		ck_assert_mem_eq(got.doc.data, "one", 3);
	}
	if (!got.err[PULSE])
		ck_assert(got.pulse.has_ring &&
			  stek_version_equal(&got.pulse.version, &v1));
	if (!got.err[MEMBERS])
		ck_assert_uint_eq(got.n_members, OTHERS);
	if (!got.err[READ])
		ck_assert_str_eq((char *)got.tail.data, "{\"n\":1}\n");
	stek__blob_free(&got.doc);
	stek__blob_free(&got.tail);
	free(got.members);
}

/* What was written is there whole; what failed is there whole, or not at all. */
static void judge_store(void)
{
	const struct stek_version v1 = version(1, 'a'), v2 = version(2, 'b');
	struct stek_blob doc = { NULL, 0 }, tail = { NULL, 0 };
	struct stek_pulse pulse = pulse_of(store);
	bool second;

	ck_assert_int_eq(store->ops->load(store, &doc), 0);
	second = doc.len == 6 && !memcmp(doc.data, "second", 6);
	ck_assert(second || (got.err[PUBLISH] && doc.len == 3 &&
			     !memcmp(doc.data, "one", 3)));
	ck_assert(stek_version_equal(&pulse.version, second ? &v2 : &v1));
	ck_assert_int_eq(store->ops->audit_read(store, 16, &tail), 0);
	if (got.err[ENTER] && !strcmp((char *)tail.data, "{\"n\":1}\n"))
		ck_assert_int_eq(store->ops->audit(store, "{\"n\":1}",
						   "{\"n\":2}"), 0);
	else
		ck_assert_str_eq((char *)tail.data, "{\"n\":1}\n{\"n\":2}\n");
	ck_assert_int_eq(store->ops->audit(store, "{\"n\":2}", "{\"n\":3}"),
			 0);
	stek__blob_free(&doc);
	stek__blob_free(&tail);
}

static bool call(unsigned n)
{
	bool hit;

	fill_store();
	arm(n);
	call_all();
	hit = disarm();
	judge_answers(hit);
	judge_store();
	stek__store_close(store);
	return hit;
}

/* ---- all of them -------------------------------------------------------------- */

static void run(bool (*what)(unsigned n), unsigned least, const char *name)
{
	char text[64];

	snprintf(text, sizeof(text), "%s, %s", name, fault_name[fault]);
	torture(what, least, text);
}

START_TEST(test_farm_key_file)
{
	fault = _i;
	stek__store_close(begin(FILE_STORE));
	run(generate, fault == DISK_EIO ? 5 : 1, "keygen");
	run(append, fault == DISK_EIO ? 8 : 2, "keygen --append");
	end();
}
END_TEST

START_TEST(test_file_store)
{
	fault = _i;
	stek__store_close(begin(FILE_STORE));
	run(call, fault == DISK_EIO ? 100 : 5, "file");
	end();
}
END_TEST

START_TEST(test_redis_store)
{
	fault = ALLOCATION;
	stek__store_close(begin(REDIS_STORE));
	run(call, 50, "Redis");
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("torture_disk");
	TCase *tcase = tcase_create("disk");

	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, test_farm_key_file, 0, FAULTS);
	tcase_add_loop_test(tcase, test_file_store, 0, FAULTS);
	tcase_add_test(tcase, test_redis_store);
	tcase_add_test(tcase, test_append_finds_another);
	suite_add_tcase(suite, tcase);
	return bench_run(suite);
}
