// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * chain_verify.c - checks a piece of the audit's chain: what was edited,
 * forged, cut out, moved or repeated. An entry whose farm key has been rolled
 * over and removed since is vouched for by the entries after it. Called by
 * audit_read.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "store.h"

struct seen {
	struct stek_entry entry;
	struct stek_head link;
	int parsed;	/* 0 or STEK_EFORMAT */
	int tag;	/* of stek__chain_check() */
	bool vouched;	/* by its own tag or by a later entry's */
};

static size_t count(const char *text)
{
	size_t n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

static int look(struct seen *seen, const struct stek_farm_keys *keys,
		const char *farm, const char *line, size_t len)
{
	seen->parsed = stek__chain_parse(&seen->entry, line, len);
	if (seen->parsed)
		return 0;
	seen->tag = stek__chain_check(&seen->entry, keys, farm, line);
	if (seen->tag && seen->tag != STEK_EAUTH && seen->tag != STEK_ENOKEY)
		return seen->tag;
	return stek__chain_link(&seen->link, seen->entry.seq, line, len);
}

static bool follows(const struct seen *before, const struct seen *after)
{
	return !before->parsed && !after->parsed &&
	       after->entry.seq == before->entry.seq + 1 &&
	       !memcmp(after->entry.before, before->link.hash,
		       STEK_DIGEST_LEN);
}

/*
 * An entry that leads to a broken one is not named: the broken one is, and a
 * row of entries ends at one whose tag can be checked, or at a broken one.
 */
static void vouch(struct seen *seen, size_t n)
{
	size_t i;

	for (i = n; i-- > 0;)
		seen[i].vouched = !seen[i].parsed &&
			(seen[i].tag == 0 ||
			 (i + 1 < n && seen[i].tag == STEK_ENOKEY &&
			  follows(&seen[i], &seen[i + 1])));
}

static void missing(char *out, uint64_t first, uint64_t last, const char *where)
{
	if (first == last)
		snprintf(out, STEK_FAULT_MAX, "entry %" PRIu64 " is missing %s",
			 first, where);
	else
		snprintf(out, STEK_FAULT_MAX, "entries %" PRIu64 " to %" PRIu64
			 " are missing %s", first, last, where);
}

/* What one entry is by itself. */
static void judge(char *out, const struct seen *seen,
		  const struct stek_head *head)
{
	const char *what = "";

	if (seen->parsed)
		what = "it is no audit entry";
	else if (seen->tag == STEK_EAUTH)
		what = "it was edited or forged: its tag is wrong";
	else if (!seen->vouched)
		what = "its farm key is not held here and no later entry "
		       "vouches for it";
	else if (head->seq == seen->entry.seq &&
		 memcmp(head->hash, seen->link.hash, STEK_DIGEST_LEN))
		what = "this node remembers another entry of that number";
	snprintf(out, STEK_FAULT_MAX, "%s", what);
}

/* What it is beside the one before it. */
static void compare(char *out, const struct seen *before,
		    const struct seen *seen)
{
	uint64_t seq = before->entry.seq;

	if (out[0] || before->parsed || follows(before, seen))
		return;
	if (seen->entry.seq > seq + 1)
		missing(out, seq + 1, seen->entry.seq - 1, "before it");
	else if (seen->entry.seq <= seq)
		snprintf(out, STEK_FAULT_MAX, "it stands after entry %" PRIu64
			 ": moved or repeated", seq);
	/* If the one before was edited, that one has been named. */
	else if (before->vouched)
		snprintf(out, STEK_FAULT_MAX, "it follows another entry %"
			 PRIu64, seq);
}

static void judge_start(char *out, const struct seen *first, size_t n)
{
	static const uint8_t none[STEK_DIGEST_LEN];

	if (out[0])
		return;
	if (first->entry.seq > 1 && n < STEK_AUDIT_KEPT)
		missing(out, 1, first->entry.seq - 1, "before it");
	else if (first->entry.seq == 1 &&
		 memcmp(first->entry.before, none, sizeof(none)))
		snprintf(out, STEK_FAULT_MAX, "it is the first and names one "
			 "before it");
}

static void judge_end(char *out, const struct seen *last,
		      const struct stek_head *head)
{
	uint64_t seq = last && !last->parsed ? last->entry.seq : 0;

	if (last && last->parsed)
		return;
	if (seq < head->seq)
		missing(out, seq + 1, head->seq, "at the end");
}

int stek__chain_verify(const struct stek_farm_keys *keys, const char *farm,
		       const struct stek_chain_ends *ends, const char *text,
		       char (**faults)[STEK_FAULT_MAX], size_t *n,
		       char last[STEK_FAULT_MAX])
{
	size_t i, lines = count(text);
	struct seen *seen = calloc(lines + 1, sizeof(*seen));
	char (*said)[STEK_FAULT_MAX] = calloc(lines + 1, sizeof(*said));
	int err = seen && said ? 0 : STEK_ENOMEM;

	last[0] = '\0';
	for (i = 0; i < lines && !err; i++) {
		size_t len = strcspn(text, "\n");

		err = look(&seen[i], keys, farm, text, len);
		text += len + 1;
	}
	if (err)
		goto out;
	vouch(seen, lines);
	for (i = 0; i < lines; i++) {
		judge(said[i], &seen[i], &ends->head);
		if (i > 0)
			compare(said[i], &seen[i - 1], &seen[i]);
	}
	if (lines && ends->whole)
		judge_start(said[0], &seen[0], lines);
	judge_end(last, lines ? &seen[lines - 1] : NULL, &ends->head);
	*faults = said;
	*n = lines;
	said = NULL;
out:
	free(seen);
	free(said);
	return err;
}
