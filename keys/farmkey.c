// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * farmkey.c - reads the farm key's file; farmkey_file.c writes it. The key never
 * leaves locked memory, and no message quotes what the file holds.
 */
#include "farmkey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret_file.h"

#define TAG STEK_FARM_KEY_TAG

struct text {
	const char *path;
	const char *at;
	const char *end;	/* of the line */
	unsigned line;
	char *why;
	size_t why_len;
};

__attribute__((format(printf, 3, 4)))
static void explain(char *why, size_t why_len, const char *format, ...)
{
	va_list args;

	if (!why || why_len == 0)
		return;
	va_start(args, format);
	vsnprintf(why, why_len, format, args);
	va_end(args);
}

static int complain(struct text *text, const char *found, const char *expected)
{
	explain(text->why, text->why_len, "%s:%u: found %s, expected %s",
		text->path, text->line, found, expected);
	return STEK_EFORMAT;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct text *text)
{
	while (text->at < text->end && is_blank(*text->at))
		text->at++;
}

/* The next word of the line; its length, 0 at the end. */
static size_t next_word(struct text *text, const char **word)
{
	skip_blanks(text);
	*word = text->at;
	while (text->at < text->end && !is_blank(*text->at))
		text->at++;
	return (size_t)(text->at - *word);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool unhex(uint8_t *out, size_t len, const char *hex)
{
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(hex[2 * i]);
		int low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static int parse_hex(struct text *text, uint8_t *out, size_t len,
		     const char *expected)
{
	const char *word;
	char found[48];
	size_t n = next_word(text, &word);

	if (n != 2 * len) {
		snprintf(found, sizeof(found), "%zu characters", n);
		return complain(text, found, expected);
	}
	if (!unhex(out, len, word))
		return complain(text, "a character that is no hexadecimal "
				"digit", expected);
	if (stek__is_zero(out, len))
		return complain(text, "nothing but zeros", expected);
	return 0;
}

static int parse_line(struct text *text, struct stek_farm_keys *keys)
{
	struct stek_farm_key *key;
	const char *word;
	size_t n = next_word(text, &word);
	int ret;

	if (n == 0 || *word == '#')
		return 0;
	if (n != strlen(TAG) || memcmp(word, TAG, n) != 0)
		return complain(text, "another first word",
				"\"" TAG " ID SECRET\" or a comment");
	if (keys->n == STEK_FARM_KEYS_MAX)
		return complain(text, "a third key", "one key or two");
	key = &keys->keys[keys->n];
	ret = parse_hex(text, key->id, sizeof(key->id),
			"an id of 16 hexadecimal digits");
	if (ret < 0)
		return ret;
	ret = parse_hex(text, key->secret, sizeof(key->secret),
			"a secret of 64 hexadecimal digits");
	if (ret < 0)
		return ret;
	if (next_word(text, &word) != 0)
		return complain(text, "more words", "the end of the line");
	if (keys->n == 1 &&
	    memcmp(keys->keys[0].id, key->id, sizeof(key->id)) == 0)
		return complain(text, "the first key's id again",
				"another id");
	keys->n++;
	return 0;
}

static int parse_lines(struct text *text, struct stek_farm_keys *keys,
		       const char *end)
{
	while (text->at < end) {
		const char *newline = memchr(text->at, '\n',
					     (size_t)(end - text->at));
		int ret;

		text->line++;
		text->end = newline ? newline : end;
		ret = parse_line(text, keys);
		if (ret < 0)
			return ret;
		text->at = newline ? newline + 1 : end;
	}
	if (keys->n > 0)
		return 0;
	text->line++;
	return complain(text, "no key", "\"" TAG " ID SECRET\"");
}

int stek__farm_keys_parse(struct stek_farm_keys **out, const char *path,
			  const char *text, size_t len, char *why,
			  size_t why_len)
{
	struct text cursor = {
		.path = path, .at = text, .why = why, .why_len = why_len,
	};
	struct stek_farm_keys *keys = stek__secret_alloc(sizeof(*keys));
	int ret;

	if (!keys) {
		explain(why, why_len, "%s: %s", path,
			stek_strerror(STEK_ENOMEM));
		return STEK_ENOMEM;
	}
	ret = parse_lines(&cursor, keys, text + len);
	if (ret < 0) {
		stek__farm_keys_free(keys);
		return ret;
	}
	*out = keys;
	return 0;
}

void stek__farm_keys_free(struct stek_farm_keys *keys)
{
	stek__secret_free(keys, sizeof(*keys));
}

/* Only what the owner alone can read is a secret. */
static int check_mode(int fd, const char *path, char *why, size_t why_len)
{
	struct stat st;

	if (fstat(fd, &st) != 0) {
		explain(why, why_len, "%s: %s", path, strerror(errno));
		return STEK_EIO;
	}
	if (!S_ISREG(st.st_mode)) {
		explain(why, why_len, "%s: found no regular file, "
			"expected a farm key made by \"stekctl keygen\"", path);
		return STEK_EIO;
	}
	if (!stek__secret_file_good(&st, path)) {
		explain(why, why_len, "%s: found mode %04o, expected 0600 or "
			"0400", path, (unsigned)(st.st_mode & 07777));
		return STEK_EMODE;
	}
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		explain(why, why_len, "%s: found owner %lu, expected %lu or "
			"root", path, (unsigned long)st.st_uid,
			(unsigned long)geteuid());
		return STEK_EMODE;
	}
	return 0;
}

/* Reads to the end or to `cap` bytes. */
static ssize_t read_all(int fd, char *buf, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, buf + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

int stek__farm_keys_read(struct stek_farm_keys **out, const char *path,
			 char *why, size_t why_len)
{
	char *text = NULL;
	ssize_t len;
	int ret;
	/* O_NONBLOCK: a FIFO must be refused, not waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		explain(why, why_len, "%s: %s", path, strerror(errno));
		return STEK_EIO;
	}
	ret = check_mode(fd, path, why, why_len);
	if (ret < 0)
		goto out;
	text = stek__secret_alloc(STEK_FARM_KEY_FILE_MAX);
	if (!text) {
		explain(why, why_len, "%s: %s", path,
			stek_strerror(STEK_ENOMEM));
		ret = STEK_ENOMEM;
		goto out;
	}
	len = read_all(fd, text, STEK_FARM_KEY_FILE_MAX);
	if (len < 0) {
		explain(why, why_len, "%s: %s", path, strerror(errno));
		ret = STEK_EIO;
		goto out;
	}
	if (len == STEK_FARM_KEY_FILE_MAX) {
		explain(why, why_len, "%s: found %d bytes or more, expected a "
			"farm key", path, STEK_FARM_KEY_FILE_MAX);
		ret = STEK_EFORMAT;
		goto out;
	}
	ret = stek__farm_keys_parse(out, path, text, (size_t)len, why, why_len);
out:
	stek__secret_free(text, STEK_FARM_KEY_FILE_MAX);
	close(fd);
	return ret;
}
