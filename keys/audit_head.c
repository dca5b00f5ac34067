// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * audit_head.c - where the chain of each store ends: the head that this node
 * remembers, in its state directory too, so that a cut at the end shows, and
 * the entry that is tied to it. Called by audit.c, audit_spread.c, idem.c and
 * member.c.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "sync.h"

#define FILE_LEN_MAX 1024

int stek__audit_place(uint8_t out[STEK_PLACE_LEN], const char *url)
{
	struct stek_head link;
	int err = stek__chain_link(&link, 0, url, strlen(url));

	if (!err)
		memcpy(out, link.hash, STEK_PLACE_LEN);
	return err;
}

int stek__audit_tail(struct stek_sync *sync, struct stek_link *link,
		     size_t limit, struct stek_blob *out)
{
	int err = link->store->ops->audit_read(link->store, limit, out);

	stek__link_answered(sync, link, err);
	return err == STEK_EABSENT ? 0 : err;
}

char *stek__audit_last(const struct stek_blob *tail)
{
	size_t at, end = tail->len ? tail->len - 1 : 0;

	if (!tail->data)
		return strdup("");
	for (at = end; at > 0 && tail->data[at - 1] != '\n'; at--)
		;
	return strndup((const char *)tail->data + at, end - at);
}

/* "REQUEST OUTCOME JSON", as it stands in a line. */
static bool says(const struct stek_entry *entry,
		 const struct stek_entry_text *text)
{
	return entry->request_len == strlen(text->request) &&
	       entry->outcome_len == strlen(text->outcome) &&
	       entry->json_len == strlen(text->json) &&
	       !memcmp(entry->request, text->request, entry->request_len) &&
	       !memcmp(entry->outcome, text->outcome, entry->outcome_len) &&
	       !memcmp(entry->json, text->json, entry->json_len);
}

bool stek__audit_has(struct stek_sync *sync, const struct stek_blob *tail,
		     const struct stek_entry_text *text)
{
	const struct stek_farm *farm = sync->farm;
	const char *at = (const char *)tail->data;
	struct stek_entry entry;

	while (at && *at) {
		size_t len = strcspn(at, "\n");

		if (!stek__chain_parse(&entry, at, len) &&
		    says(&entry, text) &&
		    !stek__chain_check(&entry, farm->farm_keys, farm->name, at))
			return true;
		at += len + (at[len] == '\n');
	}
	return false;
}

/*
 * What the next entry follows: the store's last entry if it is true and not
 * older than what we remember. Otherwise what we remember: the store was
 * wiped, put back or tampered with, and the gap shall show.
 */
static struct stek_head follow(const struct stek_sync *sync,
			       const struct stek_link *link, const char *line)
{
	const struct stek_farm *farm = sync->farm;
	const struct stek_head *head = &link->audit_head;
	struct stek_head last;
	struct stek_entry entry;
	size_t len = strlen(line);
	int tag;

	if (!len || stek__chain_parse(&entry, line, len) ||
	    stek__chain_link(&last, entry.seq, line, len))
		return *head;
	tag = stek__chain_check(&entry, farm->farm_keys, farm->name, line);
	if (tag == 0 && last.seq > head->seq)
		return last;
	return *head;
}

/* A line for each store: its place, number and hash of its last entry. */
static char *heads_text(const struct stek_sync *sync, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);
	size_t i;

	if (!f)
		return NULL;
	for (i = 0; i < sync->n_links; i++) {
		const struct stek_link *link = &sync->links[i];

		if (link->audit_head.seq == 0)
			continue;
		stek__chain_hex(f, link->place, sizeof(link->place));
		fprintf(f, " %" PRIu64 " ", link->audit_head.seq);
		stek__chain_hex(f, link->audit_head.hash, STEK_DIGEST_LEN);
		fputc('\n', f);
	}
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static void keep_heads(struct stek_sync *sync)
{
	struct stek_part body = { NULL, 0 }, none = { NULL, 0 };
	char name[STEK_NAME_MAX + 16], aside[STEK_NAME_MAX + 24];
	char *text;
	int dir;

	if (!sync->state_dir)
		return;
	text = heads_text(sync, &body.len);
	if (!text)
		return;
	snprintf(name, sizeof(name), "audit.%s", sync->farm->name);
	snprintf(aside, sizeof(aside), "%s.new", name);
	body.data = (const uint8_t *)text;
	dir = open(sync->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* keep.c tells of a directory that cannot be written. */
	if (dir >= 0) {
		(void)stek__disk_replace(dir, aside, name, &none, &body, true);
		close(dir);
	}
	free(text);
}

/* Exactly `len` bytes; *text is left behind them. */
static bool take_hex(const char **text, uint8_t *out, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;
	size_t i;

	for (i = 0; i < 2 * len; i++, ++*text) {
		digit = **text ? strchr(digits, **text) : NULL;
		if (!digit)
			return false;
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit - digits));
	}
	return true;
}

/* One line; what is damaged or of a store that is no more says nothing. */
static void take_head(struct stek_sync *sync, const char *line)
{
	struct stek_head head = { .seq = 0 };
	uint8_t place[STEK_PLACE_LEN] = { 0 };
	char *end;
	size_t i;

	if (!take_hex(&line, place, sizeof(place)))
		return;
	head.seq = strtoull(line, &end, 10);
	if (end == line)
		return;
	line = end + strspn(end, " ");
	if (!take_hex(&line, head.hash, sizeof(head.hash)))
		return;
	for (i = 0; i < sync->n_links; i++) {
		if (!memcmp(sync->links[i].place, place, sizeof(place)))
			sync->links[i].audit_head = head;
	}
}

void stek__audit_open(struct stek_sync *sync)
{
	char name[STEK_NAME_MAX + 16];
	uint8_t buf[FILE_LEN_MAX] = { 0 };
	char *line, *rest = (char *)buf;
	size_t len;
	int dir;

	if (!sync->state_dir)
		return;
	snprintf(name, sizeof(name), "audit.%s", sync->farm->name);
	dir = open(sync->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	if (!stek__disk_read(dir, name, buf, sizeof(buf) - 1, &len)) {
		while ((line = strsep(&rest, "\n")))
			take_head(sync, line);
	}
	close(dir);
}

void stek__audit_learn(struct stek_sync *sync, struct stek_link *link,
		       uint64_t seq, const uint8_t hash[STEK_DIGEST_LEN])
{
	if (seq <= link->audit_head.seq)
		return;
	link->audit_head.seq = seq;
	memcpy(link->audit_head.hash, hash, STEK_DIGEST_LEN);
	keep_heads(sync);
}

int stek__audit_append(struct stek_sync *sync, struct stek_link *link,
		       char **last, const struct stek_entry_text *text)
{
	const struct stek_farm *farm = sync->farm;
	struct stek_head after = follow(sync, link, *last), head;
	char *line = NULL;
	int err;

	err = stek__chain_seal(&line, farm->farm_keys, farm->name, &after,
			       text);
	if (!err)
		err = stek__chain_link(&head, after.seq + 1, line,
				       strlen(line));
	if (!err) {
		err = link->store->ops->audit(link->store, *last, line);
		stek__link_answered(sync, link, err);
	}
	if (!err) {
		stek__audit_learn(sync, link, head.seq, head.hash);
		free(*last);
		*last = line;
		line = NULL;
	}
	free(line);
	return err;
}
