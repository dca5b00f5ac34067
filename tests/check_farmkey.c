// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_farmkey.c - the farm key's file: made once with mode 0600, read only
 * when nobody else can, and never quoted in a message.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "farmkey.h"

#define ID1 "0011223344556677"
#define ID2 "8899aabbccddeeff"
#define SECRET1 \
	"5ec2e7015ec2e7015ec2e7015ec2e7015ec2e7015ec2e7015ec2e7015ec2e701"
#define SECRET2 \
	"5ec2e7025ec2e7025ec2e7025ec2e7025ec2e7025ec2e7025ec2e7025ec2e702"
#define LINE1 "stek-farm-key-1 " ID1 " " SECRET1 "\n"
#define LINE2 "stek-farm-key-1 " ID2 " " SECRET2 "\n"

static char directory[64];
static char path[128];
static char why[256];
static struct stek_farm_keys *keys;

static void setup(void)
{
	snprintf(directory, sizeof(directory), "/tmp/check_farmkey.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/farm.key", directory);
	keys = NULL;
	why[0] = '\0';
}

static void teardown(void)
{
	stek__farm_keys_free(keys);
	unlink(path);
	rmdir(directory);
}

static void write_file(const char *text, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static int read_file(void)
{
	return stek__farm_keys_read(&keys, path, why, sizeof(why));
}

static int parse(const char *text)
{
	return stek__farm_keys_parse(&keys, "farm.key", text, strlen(text),
				     why, sizeof(why));
}

/* A generated key is read back under its id, from a file for its owner only. */
START_TEST(test_generate_and_read)
{
	uint8_t id[STEK_FARM_KEY_ID_LEN] = { 0 };
	struct stat st;

	umask(0);
	ck_assert_int_eq(stek_farm_key_generate(path, id), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(read_file(), 0);
	ck_assert_uint_eq(keys->n, 1);
	ck_assert_mem_eq(keys->keys[0].id, id, sizeof(id));
	ck_assert(!stek__is_zero(keys->keys[0].secret, STEK_FARM_SECRET_LEN));
}
END_TEST

/* A umask that takes everything away does not make a file of no use. */
START_TEST(test_generate_despite_umask)
{
	uint8_t id[STEK_FARM_KEY_ID_LEN];
	struct stat st;

	umask(0777);
	ck_assert_int_eq(stek_farm_key_generate(path, id), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

/* No two keys are alike, and an existing file, or link, is never touched. */
START_TEST(test_generate_never_overwrites)
{
	uint8_t first[STEK_FARM_KEY_ID_LEN] = { 0 };
	uint8_t second[STEK_FARM_KEY_ID_LEN] = { 0 };
	struct stek_farm_keys *before;

	ck_assert_int_eq(stek_farm_key_generate(path, first), 0);
	ck_assert_int_eq(read_file(), 0);
	before = keys;
	keys = NULL;
	ck_assert_int_eq(stek_farm_key_generate(path, second), STEK_EREFUSED);
	ck_assert(stek__is_zero(second, sizeof(second)));
	ck_assert_int_eq(read_file(), 0);
	ck_assert_mem_eq(keys, before, sizeof(*keys));
	unlink(path);
	ck_assert_int_eq(symlink("/tmp/check_farmkey.nowhere", path), 0);
	ck_assert_int_eq(stek_farm_key_generate(path, second), STEK_EREFUSED);
	unlink(path);
	ck_assert_int_eq(stek_farm_key_generate(path, second), 0);
	ck_assert_mem_ne(first, second, sizeof(first));
	stek__farm_keys_free(before);
}
END_TEST

/* Where there is no directory there is no key. */
START_TEST(test_generate_without_directory)
{
	uint8_t id[STEK_FARM_KEY_ID_LEN];

	snprintf(path, sizeof(path), "%s/none/farm.key", directory);
	ck_assert_int_eq(stek_farm_key_generate(path, id), STEK_EIO);
}
END_TEST

/* Every bit for group or others is one too many. */
START_TEST(test_read_refuses_mode)
{
	for (mode_t bit = 1; bit <= 040; bit <<= 1) {
		write_file(LINE1, strlen(LINE1), 0600 | bit);
		ck_assert_int_eq(read_file(), STEK_EMODE);
		ck_assert_ptr_null(keys);
		ck_assert_ptr_nonnull(strstr(why, "expected 0600"));
	}
	write_file(LINE1, strlen(LINE1), 0400);
	ck_assert_int_eq(read_file(), 0);
}
END_TEST

/*
 * systemd.exec(5), LoadCredential=: the service's user reads by an access
 * control list, which shows as the group's bits. Nowhere else are they taken.
 */
START_TEST(test_read_takes_a_credential)
{
	char elsewhere[80];

	write_file(LINE1, strlen(LINE1), 0440);
	ck_assert_int_eq(chmod(directory, 0550), 0);
	ck_assert_int_eq(read_file(), STEK_EMODE);

	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
	ck_assert_int_eq(read_file(), 0);
	stek__farm_keys_free(keys);
	keys = NULL;

	/* A name that only begins alike, and a directory above. */
	snprintf(elsewhere, sizeof(elsewhere), "%.*s",
		 (int)strlen(directory) - 1, directory);
	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", elsewhere, 1), 0);
	ck_assert_int_eq(read_file(), STEK_EMODE);
	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", "/tmp", 1), 0);
	ck_assert_int_eq(read_file(), STEK_EMODE);

	/* More rights than systemd gives, to the file or to its directory. */
	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
	for (mode_t bit = 1; bit <= 020; bit <<= 1) {
		ck_assert_int_eq(chmod(path, 0440 | bit), 0);
		ck_assert_int_eq(read_file(), STEK_EMODE);
	}
	ck_assert_int_eq(chmod(path, 0440), 0);
	ck_assert_int_eq(chmod(directory, 0551), 0);
	ck_assert_int_eq(read_file(), STEK_EMODE);
	ck_assert_int_eq(chmod(directory, 0570), 0);
	ck_assert_int_eq(read_file(), STEK_EMODE);
	ck_assert_int_eq(chmod(directory, 0700), 0);
	ck_assert_int_eq(read_file(), 0);
}
END_TEST

/* A directory, a FIFO without a writer, a device, nothing: no key, no wait. */
START_TEST(test_read_refuses_irregular)
{
	ck_assert_int_eq(read_file(), STEK_EIO);
	ck_assert_ptr_nonnull(strstr(why, "farm.key: No such file"));
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(read_file(), STEK_EIO);
	ck_assert_ptr_nonnull(strstr(why, "no regular file"));
	ck_assert_int_eq(stek__farm_keys_read(&keys, directory, why,
					      sizeof(why)), STEK_EIO);
	ck_assert_int_eq(stek__farm_keys_read(&keys, "/dev/zero", why,
					      sizeof(why)), STEK_EIO);
	ck_assert_ptr_null(keys);
}
END_TEST

/* Another user's file is his secret, not ours (needs root to arrange). */
START_TEST(test_read_refuses_foreign_owner)
{
	write_file(LINE1, strlen(LINE1), 0600);
	if (chown(path, 12345, (gid_t)-1) != 0)
		return;
	ck_assert_int_eq(read_file(), STEK_EMODE);
	ck_assert_ptr_nonnull(strstr(why, "owner 12345"));
}
END_TEST

/* A file of 4095 bytes is read, one of 4096 is not. */
START_TEST(test_read_refuses_long)
{
	char text[STEK_FARM_KEY_FILE_MAX];

	memset(text, '#', sizeof(text));
	memcpy(text + sizeof(text) - 1 - strlen("\n" LINE1), "\n" LINE1,
	       strlen("\n" LINE1));
	write_file(text, sizeof(text) - 1, 0600);
	ck_assert_int_eq(read_file(), 0);
	stek__farm_keys_free(keys);
	keys = NULL;
	text[sizeof(text) - 1] = '\n';
	write_file(text, sizeof(text), 0600);
	ck_assert_int_eq(read_file(), STEK_EFORMAT);
	ck_assert_ptr_null(keys);
}
END_TEST

/* Comments, blank lines, tabs, CRLF and upper case are all the same. */
START_TEST(test_parse_takes_variants)
{
	static const char *const texts[] = {
		LINE1,
		"stek-farm-key-1 " ID1 " " SECRET1,
		"# one\n\n   # two\n" LINE1 "\n",
		"\tstek-farm-key-1\t" ID1 " \t" SECRET1 " \r\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ck_assert_msg(parse(texts[i]) == 0, "%zu: %s", i, why);
		ck_assert_uint_eq(keys->n, 1);
		ck_assert_uint_eq(keys->keys[0].id[7], 0x77);
		ck_assert_uint_eq(keys->keys[0].secret[0], 0x5e);
		stek__farm_keys_free(keys);
		keys = NULL;
	}
	ck_assert_int_eq(parse("stek-farm-key-1 8899AABBCCDDEEFF "
			       SECRET2 "\n"), 0);
	ck_assert_uint_eq(keys->keys[0].id[7], 0xff);
}
END_TEST

/* Two keys keep their order: the first seals. */
START_TEST(test_parse_takes_two)
{
	ck_assert_int_eq(parse(LINE2 "# the old one\n" LINE1), 0);
	ck_assert_uint_eq(keys->n, 2);
	ck_assert_uint_eq(keys->keys[0].id[0], 0x88);
	ck_assert_uint_eq(keys->keys[1].id[0], 0x00);
	ck_assert_uint_eq(keys->keys[1].secret[31], 0x01);
}
END_TEST

static const struct bad {
	const char *text;
	const char *why;
} bads[] = {
	{ "", "farm.key:1: found no key" },
	{ "# only a comment\n", "farm.key:2: found no key" },
	{ SECRET1 "\n", "farm.key:1: found another first word" },
	{ "\nstek-farm-key-2 " ID1 " " SECRET1 "\n",
	  "farm.key:2: found another first word" },
	{ "stek-farm-key-1\n", "farm.key:1: found 0 characters, expected an id" },
	{ "stek-farm-key-1 " SECRET1 "\n",
	  "farm.key:1: found 64 characters, expected an id of 16" },
	{ "stek-farm-key-1 001122334455667 " SECRET1 "\n",
	  "found 15 characters, expected an id of 16" },
	{ "stek-farm-key-1 001122334455667g " SECRET1 "\n",
	  "no hexadecimal digit, expected an id" },
	{ "stek-farm-key-1 0000000000000000 " SECRET1 "\n",
	  "found nothing but zeros, expected an id" },
	{ "stek-farm-key-1 " ID1 "\n",
	  "found 0 characters, expected a secret of 64" },
	{ "stek-farm-key-1 " ID1 " " SECRET1 "0\n",
	  "found 65 characters, expected a secret of 64" },
	{ "stek-farm-key-1 " ID1 " x" SECRET1 "\n",
	  "found 65 characters, expected a secret of 64" },
	{ "stek-farm-key-1 " ID1 " 00000000000000000000000000000000"
	  "00000000000000000000000000000000\n",
	  "found nothing but zeros, expected a secret" },
	{ "stek-farm-key-1 " ID1 " " SECRET1 " " SECRET2 "\n",
	  "found more words, expected the end of the line" },
	{ LINE1 LINE1, "farm.key:2: found the first key's id again" },
	{ LINE1 LINE2 LINE1, "farm.key:3: found a third key" },
};

/* Each fault is named with its line, without a digit of the secret. */
START_TEST(test_parse_refuses)
{
	ck_assert_int_eq(parse(bads[_i].text), STEK_EFORMAT);
	ck_assert_ptr_null(keys);
	ck_assert_msg(strstr(why, bads[_i].why) != NULL, "%s", why);
	ck_assert_ptr_null(strstr(why, "5ec2e7"));
}
END_TEST

/* A zero byte ends nothing: the word that holds it is wrong. */
START_TEST(test_parse_refuses_zero_byte)
{
	char text[] = LINE1;

	text[strlen("stek-farm-key-1 " ID1 " 5ec2")] = '\0';
	ck_assert_int_eq(stek__farm_keys_parse(&keys, "farm.key", text,
					       sizeof(text) - 1, NULL, 0),
			 STEK_EFORMAT);
	ck_assert_ptr_null(keys);
}
END_TEST

int main(void)
{
	const int n_bads = sizeof(bads) / sizeof(bads[0]);
	Suite *suite = suite_create("farmkey");
	TCase *files = tcase_create("file");
	TCase *text = tcase_create("text");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(files, setup, teardown);
	tcase_add_test(files, test_generate_and_read);
	tcase_add_test(files, test_generate_despite_umask);
	tcase_add_test(files, test_generate_never_overwrites);
	tcase_add_test(files, test_generate_without_directory);
	tcase_add_test(files, test_read_refuses_mode);
	tcase_add_test(files, test_read_takes_a_credential);
	tcase_add_test(files, test_read_refuses_irregular);
	tcase_add_test(files, test_read_refuses_foreign_owner);
	tcase_add_test(files, test_read_refuses_long);
	suite_add_tcase(suite, files);
	tcase_add_checked_fixture(text, setup, teardown);
	tcase_add_test(text, test_parse_takes_variants);
	tcase_add_test(text, test_parse_takes_two);
	tcase_add_loop_test(text, test_parse_refuses, 0, n_bads);
	tcase_add_test(text, test_parse_refuses_zero_byte);
	suite_add_tcase(suite, text);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
