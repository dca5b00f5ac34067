// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * farmkey_file.c - makes farm keys: a file of its own, or one more line of a
 * file. The key passes through locked memory only. Called by the application.
 */
#include "disk.h"
#include "farmkey.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAG STEK_FARM_KEY_TAG
#define LINE_MAX_LEN \
	(sizeof(TAG) + 2 * STEK_FARM_KEY_ID_LEN + 2 * STEK_FARM_SECRET_LEN + 4)

static char *append(char *at, const char *string)
{
	size_t len = strlen(string);

	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): it goes on */
	memcpy(at, string, len);
	return at + len;
}

static char *append_hex(char *at, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
	}
	return at;
}

/* The name is durable only when its directory is. */
static int sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd;
	int ret = STEK_EIO;

	if (!copy)
		return STEK_ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		if (fsync(fd) == 0)
			ret = 0;
		close(fd);
	}
	free(copy);
	return ret;
}

static int write_file(const char *path, const char *data, size_t len)
{
	int ret;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
		      O_NOFOLLOW, S_IRUSR | S_IWUSR);

	if (fd < 0)
		return errno == EEXIST ? STEK_EREFUSED : STEK_EIO;
	ret = stek__disk_write(fd, (const uint8_t *)data, len) < 0 ?
		      STEK_EIO : 0;
	/* Whatever the umask left of it. */
	if (ret == 0 && fchmod(fd, S_IRUSR | S_IWUSR) != 0)
		ret = STEK_EIO;
	if (ret == 0 && fsync(fd) != 0)
		ret = STEK_EIO;
	if (close(fd) != 0 && ret == 0)
		ret = STEK_EIO;
	if (ret == 0)
		ret = sync_directory(path);
	if (ret < 0)
		unlink(path);
	return ret;
}

/* A new key's line at `at`; its id. */
static int make_line(char **at, uint8_t id[STEK_FARM_KEY_ID_LEN])
{
	struct stek_farm_key *key = stek__secret_alloc(sizeof(*key));
	int ret;

	if (!key)
		return STEK_ENOMEM;
	ret = stek__random(key, sizeof(*key));
	if (ret == 0) {
		*at = append(*at, TAG " ");
		*at = append_hex(*at, key->id, sizeof(key->id));
		*at = append(*at, " ");
		*at = append_hex(*at, key->secret, sizeof(key->secret));
		*at = append(*at, "\n");
		memcpy(id, key->id, sizeof(key->id));
	}
	stek__secret_free(key, sizeof(*key));
	return ret;
}

int stek_farm_key_generate(const char *path, uint8_t id[8])
{
	static const char comment[] =
		"# A stekd farm key. Who has it reads every ring of the farm:\n"
		"# keep it secret, the same on every node, out of Redis.\n";
	const size_t cap = sizeof(comment) + LINE_MAX_LEN;
	char *text = stek__secret_alloc(cap), *at = text;
	uint8_t made[STEK_FARM_KEY_ID_LEN];
	int ret;

	if (!text)
		return STEK_ENOMEM;
	at = append(at, comment);
	ret = make_line(&at, made);
	if (ret == 0)
		ret = write_file(path, text, (size_t)(at - text));
	if (ret == 0)
		memcpy(id, made, sizeof(made));
	stek__secret_free(text, cap);
	return ret;
}

/* The owner stays the same: often root appends for stekd's own user. */
static int replace_file(const char *path, const char *text, size_t len)
{
	char aside[PATH_MAX];
	struct stat st;
	int ret;

	if (stat(path, &st) != 0 ||
	    snprintf(aside, sizeof(aside), "%s.new", path) >= PATH_MAX)
		return STEK_EIO;
	ret = write_file(aside, text, len);
	if (ret < 0)
		return ret;
	if ((st.st_uid != geteuid() || st.st_gid != getegid()) &&
	    chown(aside, st.st_uid, st.st_gid) != 0)
		ret = STEK_EIO;
	if (ret == 0 && rename(aside, path) != 0)
		ret = STEK_EIO;
	if (ret < 0)
		unlink(aside);
	return ret < 0 ? ret : sync_directory(path);
}

int stek_farm_key_append(const char *path, uint8_t id[8], char *why,
			 size_t why_len)
{
	const size_t cap = STEK_FARM_KEY_FILE_MAX + 2 * LINE_MAX_LEN;
	struct stek_farm_keys *keys = NULL;
	uint8_t made[STEK_FARM_KEY_ID_LEN];
	char *text, *at;
	size_t len;
	int ret;

	ret = stek__farm_keys_read(&keys, path, why, why_len);
	if (ret < 0)
		return ret;
	ret = keys->n < STEK_FARM_KEYS_MAX ? 0 : STEK_EFULL;
	stek__farm_keys_free(keys);
	if (ret < 0) {
		snprintf(why, why_len, "%s: holds two keys already: end the "
			 "roll-over that is under way and remove its first "
			 "line", path);
		return ret;
	}
	text = stek__secret_alloc(cap);
	ret = !text ? STEK_ENOMEM :
	      stek__disk_read(AT_FDCWD, path, (uint8_t *)text,
			      STEK_FARM_KEY_FILE_MAX, &len) < 0 ? STEK_EIO : 0;
	if (ret == 0) {
		at = text + len;
		if (len > 0 && at[-1] != '\n')
			*at++ = '\n';
		ret = make_line(&at, made);
		if (ret == 0)
			ret = replace_file(path, text, (size_t)(at - text));
	}
	stek__secret_free(text, cap);
	if (ret == 0)
		memcpy(id, made, sizeof(made));
	else if (ret == STEK_EREFUSED)
		snprintf(why, why_len, "%s.new is in the way: of an attempt "
			 "that was cut short? Then remove it", path);
	else
		snprintf(why, why_len, "%s: %s", path, stek_strerror(ret));
	return ret;
}
