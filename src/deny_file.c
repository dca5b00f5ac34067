/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deny_file.c - the file of refused fingerprints, and sets of them. People
 * write the file too, so a change leaves all other lines as they stand. Called
 * by deny.c, under its lock.
 */
#include "deny_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

#define FILE_LEN_MAX (128L * 1024 * 1024)

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, DENY_LEN);
}

bool deny_set_has(const struct deny_set *set,
		  const uint8_t fingerprint[DENY_LEN])
{
	return set->n > 0 && bsearch(fingerprint, set->all, set->n, DENY_LEN,
				     compare) != NULL;
}

void deny_set_clear(struct deny_set *set)
{
	free(set->all);
	memset(set, 0, sizeof(*set));
}

static int set_add(struct deny_set *set, const uint8_t *fingerprint)
{
	void *more;

	if (set->n >= DENY_MAX)
		return -1;
	/* Doubled whenever it is full: at powers of two. */
	if ((set->n & (set->n - 1)) == 0) {
		more = realloc(set->all, (set->n ? 2 * set->n : 1) * DENY_LEN);
		if (!more)
			return -1;
		set->all = more;
	}
	memcpy(set->all[set->n++], fingerprint, DENY_LEN);
	return 0;
}

static void set_sort(struct deny_set *set)
{
	size_t i, n = 0;

	if (set->n == 0)
		return;
	qsort(set->all, set->n, DENY_LEN, compare);
	for (i = 1; i < set->n; i++)
		if (compare(set->all[i], set->all[n]) != 0)
			memmove(set->all[++n], set->all[i], DENY_LEN);
	set->n = n + 1;
}

int deny_set_copy(struct deny_set *out, const struct deny_set *from,
		  const uint8_t fingerprint[DENY_LEN], bool add)
{
	size_t i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < from->n; i++)
		if (compare(from->all[i], fingerprint) != 0 &&
		    set_add(out, from->all[i]) != 0)
			goto refuse;
	if (add && set_add(out, fingerprint) != 0)
		goto refuse;
	set_sort(out);
	return 0;
refuse:
	deny_set_clear(out);
	return -1;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool deny_parse(uint8_t out[DENY_LEN], const char *text, size_t len)
{
	bool colons = len == 3 * DENY_LEN - 1;
	size_t step = colons ? 3 : 2, i;

	if (!colons && len != 2 * DENY_LEN)
		return false;
	for (i = 0; i < DENY_LEN; i++) {
		int high = nibble(text[step * i]);
		int low = nibble(text[step * i + 1]);

		if (high < 0 || low < 0 ||
		    (colons && i > 0 && text[step * i - 1] != ':'))
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* 1: a fingerprint; 0: nothing but blanks and a comment; -1: neither. */
static int parse_line(uint8_t out[DENY_LEN], const char *line, size_t len)
{
	const char *comment = memchr(line, '#', len);

	if (comment)
		len = (size_t)(comment - line);
	while (len > 0 && strchr(" \t\r", line[len - 1]) && line[len - 1])
		len--;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	if (len == 0)
		return 0;
	return deny_parse(out, line, len) ? 1 : -1;
}

static size_t line_len(const char *at, const char *end)
{
	const char *stop = memchr(at, '\n', (size_t)(end - at));

	return stop ? (size_t)(stop - at) : (size_t)(end - at);
}

static int parse_text(struct deny_set *out, const char *path, const char *text,
		      size_t len, char *why, size_t why_len)
{
	const char *at = text, *end = text + len;
	uint8_t fingerprint[DENY_LEN];
	size_t number, n;
	int found;

	memset(out, 0, sizeof(*out));
	for (number = 1; at < end; number++, at += n + (at + n < end)) {
		n = line_len(at, end);
		found = parse_line(fingerprint, at, n);
		if (found == 0)
			continue;
		if (found > 0 && set_add(out, fingerprint) == 0)
			continue;
		if (found > 0)
			snprintf(why, why_len, "%s:%zu: no memory, or over %d "
				 "fingerprints", path, number, DENY_MAX);
		else
			snprintf(why, why_len, "%s:%zu: found '%.*s', expected "
				 "a SHA-256 fingerprint of 64 hexadecimal "
				 "digits", path, number, n > 80 ? 80 : (int)n,
				 at);
		deny_set_clear(out);
		return -1;
	}
	set_sort(out);
	return 0;
}

/* NULL, with why. */
static char *slurp(const char *path, size_t *len, mode_t *mode, char *why,
		   size_t why_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *text = NULL;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(why, why_len, "%s: %s", path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_LEN_MAX) {
		snprintf(why, why_len, "%s: not a regular file, or over 128 "
			 "MiB", path);
		goto out;
	}
	*mode = st.st_mode & 07777;
	text = malloc((size_t)st.st_size + 1);
	for (*len = 0; text && *len < (size_t)st.st_size; *len += (size_t)n) {
		n = read(fd, text + *len, (size_t)st.st_size - *len);
		if (n <= 0)
			break;
	}
	if (!text || n < 0) {
		snprintf(why, why_len, "%s: cannot be read", path);
		free(text);
		text = NULL;
	}
out:
	if (fd >= 0)
		close(fd);
	return text;
}

int deny_file_read(struct deny_set *out, const char *path, char *why,
		   size_t why_len)
{
	mode_t mode;
	size_t len = 0;
	char *text = slurp(path, &len, &mode, why, why_len);
	int ret;

	if (!text)
		return -1;
	ret = parse_text(out, path, text, len, why, why_len);
	free(text);
	return ret;
}

/* The file's text without the fingerprint's lines, then perhaps with one. */
static int write_lines(FILE *out, const char *text, size_t len,
		       const uint8_t *fingerprint, bool add)
{
	const char *at = text, *end = text + len;
	char hex[2 * DENY_LEN + 1];
	uint8_t found[DENY_LEN];
	size_t n;

	for (; at < end; at += n + (at + n < end)) {
		n = line_len(at, end);
		if (parse_line(found, at, n) > 0 &&
		    compare(found, fingerprint) == 0)
			continue;
		fwrite(at, 1, n, out);
		fputc('\n', out);
	}
	text_hex(hex, fingerprint, DENY_LEN);
	if (add)
		fprintf(out, "%s\n", hex);
	return fflush(out) != 0 || ferror(out) ? -1 : 0;
}

/* A rename counts once the directory is written. */
static void sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1)
			  : strdup(".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(dir);
}

static int replace(const char *path, mode_t mode, const char *text, size_t len,
		   const uint8_t *fingerprint, bool add)
{
	char *aside = NULL;
	FILE *out = NULL;
	int fd = -1, ret = -1;

	if (asprintf(&aside, "%s.XXXXXX", path) < 0)
		return -1;
	fd = mkostemp(aside, O_CLOEXEC);
	if (fd < 0)
		goto out;
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
	} else {
		if (write_lines(out, text, len, fingerprint, add) == 0 &&
		    fchmod(fd, mode) == 0 && fsync(fd) == 0)
			ret = 0;
		if (fclose(out) != 0)
			ret = -1;
	}
	if (ret == 0)
		ret = rename(aside, path);
	if (ret == 0)
		sync_directory(path);
	else
		(void)unlink(aside);
out:
	free(aside);
	return ret;
}

int deny_file_change(struct deny_set *out, const char *path,
		     const uint8_t fingerprint[DENY_LEN], bool add, char *why,
		     size_t why_len)
{
	struct deny_set before = { 0 };
	mode_t mode = 0600;
	size_t len = 0;
	char *text = slurp(path, &len, &mode, why, why_len);
	int ret = -1;

	memset(out, 0, sizeof(*out));
	if (!text)
		return -1;
	if (parse_text(&before, path, text, len, why, why_len) != 0)
		goto out;
	if (deny_set_copy(out, &before, fingerprint, add) != 0) {
		snprintf(why, why_len, "out of memory, or over %d "
			 "fingerprints", DENY_MAX);
		goto out;
	}
	ret = 0;
	if (deny_set_has(&before, fingerprint) == add)
		goto out;
	ret = replace(path, mode, text, len, fingerprint, add);
	if (ret != 0) {
		snprintf(why, why_len, "%s: cannot be written: %s", path,
			 strerror(errno));
		deny_set_clear(out);
	}
out:
	deny_set_clear(&before);
	free(text);
	return ret;
}
