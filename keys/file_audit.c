// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file_audit.c - the audit of a file store: `audit`, one line an entry, and
 * `audit.1`, what was before it. Appended under the store's lock, and only if
 * the last line is still the one that the new line follows. Called by
 * store_file.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_dir.h"

/* Far more than STEK_AUDIT_KEPT lines of the usual length. */
#define FILE_MAX (256 * 1024 * 1024)

/* A whole file, zero-terminated; STEK_EABSENT when there is none. */
static int slurp(struct stek_file *s, int dir, const char *name,
		 struct stek_blob *out)
{
	struct stek_blob text;
	struct stat st;
	size_t cap;
	int err;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? STEK_EABSENT :
					 stek__file_failed(s, name);
	if (st.st_size > FILE_MAX)
		return STEK_EFORMAT;
	cap = (size_t)st.st_size + STEK_AUDIT_LINE_MAX + 2;
	text.data = malloc(cap);
	if (!text.data)
		return STEK_ENOMEM;
	err = stek__file_read(s, dir, name, text.data, cap - 2, &text.len);
	if (err) {
		free(text.data);
		return err;
	}
	text.data[text.len] = '\0';
	*out = text;
	return 0;
}

/*
 * A writer may have died within its line, and what others put there may be
 * anything: whatever it is, it is ended lines of text, so that the next entry
 * has something to follow. True if the last line had no end.
 */
static bool tidy(struct stek_blob *text)
{
	size_t i;

	for (i = 0; i < text->len; i++) {
		if (text->data[i] == '\0')
			text->data[i] = '?';
	}
	if (!text->len || text->data[text->len - 1] == '\n')
		return false;
	text->data[text->len++] = '\n';
	text->data[text->len] = '\0';
	return true;
}

static size_t lines_in(const struct stek_blob *text)
{
	const uint8_t *at = text->data, *end;
	size_t n = 0;

	if (!text->len)
		return 0;
	end = at + text->len;
	while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
		at++;
		n++;
	}
	return n;
}

/* Where the last `limit` lines begin. */
static size_t tail_of(const struct stek_blob *text, size_t limit)
{
	size_t at = text->len, seen = 0;

	while (at > 0) {
		if (text->data[at - 1] == '\n' && seen++ == limit)
			break;
		at--;
	}
	return at;
}

static bool ends_with(const struct stek_blob *text, const char *line)
{
	size_t at = tail_of(text, 1), len = strlen(line);

	/* None at all, or one that says nothing. */
	if (text->len == 0)
		return len == 0;
	return text->len - at == len + 1 &&
	       !memcmp(text->data + at, line, len);
}

/* Both files as one text: none of them is a text of no length. */
static int both(struct stek_file *s, int dir, struct stek_blob *out)
{
	struct stek_blob old = { NULL, 0 }, now = { NULL, 0 };
	int err = slurp(s, dir, "audit", &now);

	if (err && err != STEK_EABSENT)
		return err;
	err = slurp(s, dir, "audit.1", &old);
	if (err && err != STEK_EABSENT)
		goto out;
	(void)tidy(&now);
	(void)tidy(&old);
	err = STEK_ENOMEM;
	out->data = malloc(old.len + now.len + 1);
	if (!out->data)
		goto out;
	if (old.len)
		memcpy(out->data, old.data, old.len);
	if (now.len)
		memcpy(out->data + old.len, now.data, now.len);
	out->len = old.len + now.len;
	out->data[out->len] = '\0';
	err = 0;
out:
	free(old.data);
	free(now.data);
	return err;
}

/* `torn`: the line before has no end yet. */
static int write_line(struct stek_file *s, int dir, const char *line, bool torn)
{
	size_t len = strlen(line) + torn + 1;
	char *text = malloc(len + 1);
	int fd, err = 0;

	if (!text)
		return STEK_ENOMEM;
	snprintf(text, len + 1, "%s%s\n", torn ? "\n" : "", line);
	fd = openat(dir, "audit", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
		    O_NOFOLLOW, 0600);
	if (fd < 0 ||
	    stek__disk_write(fd, (const uint8_t *)text, len) < 0 ||
	    fsync(fd) < 0)
		err = stek__file_failed(s, "audit");
	if (fd >= 0)
		close(fd);
	free(text);
	return err;
}

static int append_locked(struct stek_file *s, int dir, const char *after,
			 const char *line)
{
	struct stek_blob now = { NULL, 0 }, old = { NULL, 0 };
	bool last, torn;
	int err = slurp(s, dir, "audit", &now);

	if (err && err != STEK_EABSENT)
		return err;
	torn = tidy(&now);
	if (now.len > 0) {
		last = ends_with(&now, after);
	} else {
		/* What cannot be read is not nothing. */
		err = slurp(s, dir, "audit.1", &old);
		if (err && err != STEK_EABSENT) {
			free(now.data);
			return err;
		}
		(void)tidy(&old);
		last = ends_with(&old, after);
		free(old.data);
	}
	err = last ? 0 : STEK_ECONFLICT;
	if (!err && lines_in(&now) >= STEK_AUDIT_KEPT) {
		torn = false;
		if (renameat(dir, "audit", dir, "audit.1") < 0)
			err = stek__file_failed(s, "set the audit aside");
	}
	free(now.data);
	return err ? err : write_line(s, dir, line, torn);
}

int stek__file_audit(struct stek_file *s, const char *after, const char *line)
{
	int dir, held = -1, err;

	err = stek__file_dir(s, &dir);
	if (err)
		return err;
	err = stek__file_lock(s, dir, &held);
	if (!err) {
		err = append_locked(s, dir, after, line);
		close(held);
	}
	close(dir);
	return err;
}

int stek__file_audit_read(struct stek_file *s, size_t limit,
			  struct stek_blob *out)
{
	struct stek_blob text = { NULL, 0 };
	int dir, held = -1, err;
	size_t at;

	err = stek__file_dir(s, &dir);
	if (err)
		return err;
	err = stek__file_lock(s, dir, &held);
	if (!err) {
		err = both(s, dir, &text);
		close(held);
	}
	close(dir);
	if (!err && text.len == 0)
		err = STEK_EABSENT;
	if (err) {
		free(text.data);
		return err;
	}
	at = tail_of(&text, limit);
	memmove(text.data, text.data + at, text.len - at + 1);
	text.len -= at;
	*out = text;
	return 0;
}
