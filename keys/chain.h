/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chain.h - the audit's chain of entries. An entry is one line of text:
 *
 *	1 SEQ BEFORE FARMKEY TAG REQUEST OUTCOME JSON
 *
 * SEQ counts from 1. BEFORE is the SHA-256 of the whole line before it (zeros
 * at the first), so that a cut or an edit shows. FARMKEY is the id of the farm
 * key from which the key of TAG is derived: HMAC-SHA-256 over the farm's name,
 * a zero byte and the line without TAG, so that nobody without the farm key
 * can write an entry. REQUEST names an idempotent request and OUTCOME keeps
 * its answer for a retry ("-" without). All but JSON are free of blanks.
 */
#ifndef STEK_CHAIN_H
#define STEK_CHAIN_H

#include <stdio.h>

#include "farmkey.h"
#include "store.h"

struct stek_head {
	uint64_t seq;		/* 0: before the first entry */
	uint8_t hash[STEK_DIGEST_LEN];	/* of the entry of that number */
};

/* The words of a line, pointing into it. */
struct stek_entry {
	uint64_t seq;
	uint8_t before[STEK_DIGEST_LEN];
	uint8_t key_id[STEK_FARM_KEY_ID_LEN];
	uint8_t tag[STEK_DIGEST_LEN];
	const char *request, *outcome, *json;
	size_t request_len, outcome_len, json_len;
	size_t tag_at;		/* where TAG stands in the line */
};

/* What an entry says; strings without a newline, "-" for no word. */
struct stek_entry_text {
	const char *request, *outcome, *json;
};

/* The line after `after`; *out is freed with free(). */
int stek__chain_seal(char **out, const struct stek_farm_keys *keys,
		     const char *farm, const struct stek_head *after,
		     const struct stek_entry_text *text) STEK_CHECKED;

/* STEK_EFORMAT when it is no entry. Says nothing about its tag. */
int stek__chain_parse(struct stek_entry *out, const char *line, size_t len)
	STEK_CHECKED;

/* 0, STEK_EAUTH: the tag is wrong, STEK_ENOKEY: that farm key is not held. */
int stek__chain_check(const struct stek_entry *entry,
		      const struct stek_farm_keys *keys, const char *farm,
		      const char *line) STEK_CHECKED;

/* Lower-case digits. */
void stek__chain_hex(FILE *out, const uint8_t *bytes, size_t len);

/* The link that an entry is for the one after it. */
int stek__chain_link(struct stek_head *out, uint64_t seq, const char *line,
		     size_t len) STEK_CHECKED;

/* What is known about the ends of a chain. */
struct stek_chain_ends {
	bool whole;		/* the text is all that the store keeps */
	struct stek_head head;	/* the last that this node remembers */
};

/*
 * Checks every line of `text`, as audit_read() gives it. *faults (freed with
 * free()) has a member for each line: "" or what is wrong with it; `last` what
 * is missing after the last. Returns their number through *n.
 */
#define STEK_FAULT_MAX 128
int stek__chain_verify(const struct stek_farm_keys *keys, const char *farm,
		       const struct stek_chain_ends *ends, const char *text,
		       char (**faults)[STEK_FAULT_MAX], size_t *n,
		       char last[STEK_FAULT_MAX]) STEK_CHECKED;

#endif
