// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store_file.c - the store of one machine without Redis: a directory
 * DIR/stek-FARM with `ring` (version, then the sealed document), `nodes/`
 * (one heartbeat a file), `audit` and `lock`. Changes of the ring hold the
 * lock, are written aside, synced and renamed; inotify gives the hints. Called
 * by the sync thread through the table at the end.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file_dir.h"
#include "wire.h"

#define FORMAT 1
#define HEAD_LEN (1 + 8 + STEK_DIGEST_LEN)
#define TIME_LEN 8
#define SUFFIX ".beat"
#define FORGET_AFTER_MS (24 * 3600 * 1000LL)

static struct stek_file *of(struct stek_store *store)
{
	return (struct stek_file *)store;
}

/* The ring file, its head split off; *doc may be NULL for the version only. */
static int read_ring(struct stek_file *s, int dir,
		     struct stek_version *version, struct stek_blob *doc)
{
	const size_t cap = HEAD_LEN + STEK_RECORD_MAX + 1;
	uint8_t *buf = malloc(cap);
	struct stek_reader reader;
	size_t len = 0;
	int err;

	if (!buf)
		return STEK_ENOMEM;
	memset(version, 0, sizeof(*version));
	err = stek__file_read(s, dir, "ring", buf, cap, &len);
	if (!err && (len < HEAD_LEN || buf[0] != FORMAT))
		err = STEK_EFORMAT;
	if (err) {
		free(buf);
		return err;
	}
	stek__reader_init(&reader, buf + 1, HEAD_LEN - 1);
	version->epoch = stek__read_u64(&reader);
	stek__read_bytes(&reader, version->digest, STEK_DIGEST_LEN);
	if (!doc) {
		free(buf);
		return 0;
	}
	memmove(buf, buf + HEAD_LEN, len - HEAD_LEN);
	doc->data = buf;
	doc->len = len - HEAD_LEN;
	return 0;
}

static int file_load(struct stek_store *store, struct stek_blob *doc)
{
	struct stek_version version;
	int dir, err;

	err = stek__file_dir(of(store), &dir);
	if (err)
		return err;
	err = read_ring(of(store), dir, &version, doc);
	close(dir);
	return err;
}

static int publish_locked(struct stek_file *s, int dir,
			  const struct stek_version *expect,
			  const struct stek_version *next, const uint8_t *doc,
			  size_t len)
{
	struct stek_version held;
	uint8_t head[HEAD_LEN];
	struct stek_writer writer;
	int err;

	err = read_ring(s, dir, &held, NULL);
	if (err && err != STEK_EABSENT && err != STEK_EFORMAT)
		return err;
	if (expect ? err || !stek_version_equal(&held, expect) :
		     err != STEK_EABSENT)
		return STEK_ECONFLICT;
	stek__writer_init(&writer, head, sizeof(head));
	stek__write_u8(&writer, FORMAT);
	stek__write_u64(&writer, next->epoch);
	stek__write_bytes(&writer, next->digest, STEK_DIGEST_LEN);
	if (stek__disk_replace(dir, "ring.new", "ring",
			       &(struct stek_part){ head, sizeof(head) },
			       &(struct stek_part){ doc, len }, true) < 0)
		return stek__file_failed(s, "write the ring");
	return 0;
}

static int file_publish(struct stek_store *store,
			const struct stek_version *expect,
			const struct stek_version *next, const uint8_t *doc,
			size_t len)
{
	struct stek_file *s = of(store);
	int dir, held = -1, err;

	err = stek__file_dir(s, &dir);
	if (err)
		return err;
	err = stek__file_lock(s, dir, &held);
	if (!err) {
		err = publish_locked(s, dir, expect, next, doc, len);
		close(held);
	}
	close(dir);
	return err;
}

static int look(struct stek_file *s, int dir, struct stek_pulse *out)
{
	int64_t now_us = stek__file_clock_ns(CLOCK_REALTIME) / 1000;
	int err;

	memset(&out->version, 0, sizeof(out->version));
	out->store_now_ms = now_us / 1000;
	out->store_now_us_part = now_us % 1000;
	err = read_ring(s, dir, &out->version, NULL);
	/* A file that is no ring is there all the same. */
	out->has_ring = err != STEK_EABSENT;
	return err == STEK_EABSENT || err == STEK_EFORMAT ? 0 : err;
}

static int file_pulse(struct stek_store *store, struct stek_pulse *out)
{
	int dir, err;

	err = stek__file_dir(of(store), &dir);
	if (err)
		return err;
	err = look(of(store), dir, out);
	close(dir);
	return err;
}

/*
 * The heartbeat in the file `name`; STEK_EABSENT: it is none, but vanished or
 * odd. One that could not be read is an error: its node may live.
 */
static int read_member(struct stek_file *s, int nodes, const char *name,
		       struct stek_raw_member *out)
{
	const size_t tail = sizeof(SUFFIX) - 1;
	uint8_t buf[TIME_LEN + STEK_BEAT_MAX + 1];
	size_t stem = strlen(name), len;
	struct stek_reader reader;
	int err;

	if (stem <= tail || stem > STEK_NAME_MAX + tail ||
	    strcmp(name + stem - tail, SUFFIX))
		return STEK_EABSENT;
	err = stek__file_read(s, nodes, name, buf, sizeof(buf), &len);
	if (err == STEK_EUNAVAILABLE || err == STEK_ENOMEM)
		return err;
	if (err || len < TIME_LEN)
		return STEK_EABSENT;
	memset(out->name, 0, sizeof(out->name));
	memcpy(out->name, name, stem - tail);
	stek__reader_init(&reader, buf, TIME_LEN);
	out->seen_at_ms = stek__read_i64(&reader);
	if (out->seen_at_ms < 0)
		return STEK_EABSENT;
	out->len = len - TIME_LEN;
	memcpy(out->data, buf + TIME_LEN, out->len);
	return 0;
}

/* What stands in the place of the next heartbeat, if that is not ours. */
static void look_before(struct stek_file *s, int nodes, const char *name,
			struct stek_pulse *out)
{
	const struct stek_raw_member *before = &out->before;

	out->has_before = !read_member(s, nodes, name, &out->before) &&
			  !(before->len >= s->tail_len && s->tail_len &&
			    !memcmp(before->data + before->len - s->tail_len,
				    s->tail, s->tail_len));
}

static void keep_tail(struct stek_file *s, const uint8_t *data, size_t len)
{
	s->tail_len = len < STEK_BEAT_TAIL ? len : STEK_BEAT_TAIL;
	if (s->tail_len)
		memcpy(s->tail, data + len - s->tail_len, s->tail_len);
}

/* Heartbeats are not synced to the disk: the next one comes in a second. */
static int write_beat(struct stek_file *s, int dir, const char *node,
		      const uint8_t *data, size_t len,
		      struct stek_pulse *out)
{
	char name[STEK_NAME_MAX + 16], aside[STEK_NAME_MAX + 16];
	uint8_t head[TIME_LEN];
	struct stek_writer writer;
	int nodes, err = 0;

	snprintf(name, sizeof(name), "%s" SUFFIX, node);
	snprintf(aside, sizeof(aside), "%s.new", node);
	stek__writer_init(&writer, head, sizeof(head));
	stek__write_i64(&writer, stek__file_clock_ns(CLOCK_REALTIME) / 1000000);
	nodes = openat(dir, "nodes", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (nodes < 0)
		return stek__file_failed(s, "open nodes");
	look_before(s, nodes, name, out);
	keep_tail(s, data, len);
	if (stek__disk_replace(nodes, aside, name,
			       &(struct stek_part){ head, sizeof(head) },
			       &(struct stek_part){ data, len }, false) < 0)
		err = stek__file_failed(s, "write a heartbeat");
	close(nodes);
	return err;
}

static int file_beat(struct stek_store *store, const char *node,
		     const uint8_t *data, size_t len, struct stek_pulse *out)
{
	int dir, err;

	err = stek__file_dir(of(store), &dir);
	if (err)
		return err;
	err = write_beat(of(store), dir, node, data, len, out);
	if (!err)
		err = look(of(store), dir, out);
	close(dir);
	return err;
}

static int collect(struct stek_file *s, DIR *nodes, int64_t now_ms,
		   struct stek_raw_member **out, size_t *n)
{
	size_t used = 0, cap = 16;
	struct stek_raw_member *list = malloc(cap * sizeof(*list)), *more;
	struct dirent *entry;
	int err;

	if (!list)
		return STEK_ENOMEM;
	while (used < STEK_MEMBERS_MAX && (entry = readdir(nodes))) {
		if (used == cap) {
			more = realloc(list, 2 * cap * sizeof(*list));
			if (!more) {
				free(list);
				return STEK_ENOMEM;
			}
			list = more;
			cap *= 2;
		}
		err = read_member(s, dirfd(nodes), entry->d_name, &list[used]);
		if (err == STEK_EABSENT)
			continue;
		if (err) {
			free(list);
			return err;
		}
		if (now_ms - list[used].seen_at_ms <= FORGET_AFTER_MS)
			used++;
		else
			unlinkat(dirfd(nodes), entry->d_name, 0);
	}
	*out = list;
	*n = used;
	return 0;
}

static int file_members(struct stek_store *store, struct stek_raw_member **out,
			size_t *n, int64_t *store_now_ms)
{
	struct stek_file *s = of(store);
	int64_t now_ms = stek__file_clock_ns(CLOCK_REALTIME) / 1000000;
	int dir, fd, err;
	DIR *nodes;

	err = stek__file_dir(s, &dir);
	if (err)
		return err;
	fd = openat(dir, "nodes", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(dir);
	nodes = fd < 0 ? NULL : fdopendir(fd);
	if (!nodes) {
		err = stek__file_failed(s, "open nodes");
		if (fd >= 0)
			close(fd);
		return err;
	}
	err = collect(s, nodes, now_ms, out, n);
	closedir(nodes);
	if (!err)
		*store_now_ms = now_ms;
	return err;
}

static int file_forget(struct stek_store *store, const char *node)
{
	struct stek_file *s = of(store);
	char name[STEK_NAME_MAX + 32];
	int dir, err;

	err = stek__file_dir(s, &dir);
	if (err)
		return err;
	snprintf(name, sizeof(name), "nodes/%s" SUFFIX, node);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		err = stek__file_failed(s, "forget");
	close(dir);
	return err;
}

static int file_audit(struct stek_store *store, const char *after,
		      const char *line)
{
	return stek__file_audit(of(store), after, line);
}

static int file_audit_read(struct stek_store *store, size_t limit,
			   struct stek_blob *out)
{
	return stek__file_audit_read(of(store), limit, out);
}

static int file_hint_fd(struct stek_store *store)
{
	struct stek_file *s = of(store);
	char path[PATH_MAX + sizeof(s->farm_dir) + 2];

	if (s->hints >= 0)
		return s->hints;
	s->hints = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->hints < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", s->dir, s->farm_dir);
	if (inotify_add_watch(s->hints, path, IN_MOVED_TO | IN_ONLYDIR) < 0) {
		close(s->hints);
		s->hints = -1;
	}
	return s->hints;
}

static bool file_hint_take(struct stek_store *store)
{
	_Alignas(struct inotify_event) char buf[4096];
	struct stek_file *s = of(store);
	const struct inotify_event *event;
	bool hint = false, gone = false;
	ssize_t n, at;

	while (s->hints >= 0 && (n = read(s->hints, buf, sizeof(buf))) > 0) {
		for (at = 0; at < n;
		     at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const struct inotify_event *)(buf + at);
			gone = gone || (event->mask & IN_IGNORED);
			hint = hint || (event->mask & IN_Q_OVERFLOW) ||
			       (event->len && !strcmp(event->name, "ring"));
		}
		/* The directory went: watch the one that takes its place. */
		if (gone) {
			close(s->hints);
			s->hints = -1;
		}
	}
	return hint || gone;
}

static const char *file_detail(struct stek_store *store)
{
	return of(store)->detail;
}

static void file_close(struct stek_store *store)
{
	struct stek_file *s = of(store);

	if (s->hints >= 0)
		close(s->hints);
	free(s);
}

static const struct stek_store_ops file_ops = {
	.load = file_load,
	.publish = file_publish,
	.beat = file_beat,
	.pulse = file_pulse,
	.members = file_members,
	.forget = file_forget,
	.audit = file_audit,
	.audit_read = file_audit_read,
	.hint_fd = file_hint_fd,
	.hint_take = file_hint_take,
	.detail = file_detail,
	.close = file_close,
};

int stek__store_file_open(struct stek_store **out,
			  const struct stek_store_options *options, char *why,
			  size_t why_len)
{
	const char *path = options->url + 5;
	struct stek_file *s;

	if (path[0] != '/' || strlen(path) >= sizeof(s->dir)) {
		snprintf(why, why_len, "store url '%s': expected"
			 " file:/DIRECTORY, an absolute path", options->url);
		return STEK_EINVAL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return STEK_ENOMEM;
	s->base.ops = &file_ops;
	s->timeout_ms = options->timeout_ms;
	s->hints = -1;
	memcpy(s->dir, path, strlen(path) + 1);
	snprintf(s->farm_dir, sizeof(s->farm_dir), "stek-%s", options->farm);
	*out = &s->base;
	return 0;
}
