// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * idem.c - recognises a rotation or revocation that was asked for before, here
 * or, while the store answers, at another node. idem_answer.c writes and reads
 * the answers. Called by change.c.
 */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idem_answer.h"
#include "sync.h"

#define KEPT_MS (24 * 3600 * 1000LL)
#define LOOK_BACK 256		/* entries of the audit */
#define TRIES_MAX 16

static void name_of(uint8_t out[STEK_REQUEST_ID_LEN], const char *request)
{
	uint8_t digest[STEK_DIGEST_LEN] = { 0 };

	if (wc_Sha256Hash((const byte *)request, (word32)strlen(request),
			  digest))
		memset(digest, 0, sizeof(digest));
	memcpy(out, digest, STEK_REQUEST_ID_LEN);
}

/* What is asked for, in one form. */
static void body_of(uint8_t out[STEK_REQUEST_ID_LEN],
		    const struct stek_command *command)
{
	uint8_t data[64 + STEK_RING_KEYS_MAX * STEK_ID_LEN] = { 0 };
	uint8_t digest[STEK_DIGEST_LEN] = { 0 };
	size_t len = 48;

	data[0] = (uint8_t)command->kind;
	data[1] = command->force;
	data[2] = command->all;
	data[3] = (uint8_t)(command->has_expect | command->epoch_only << 1);
	if (command->has_expect)
		memcpy(data + 4, &command->expect.epoch, 8);
	if (command->has_expect && !command->epoch_only)
		memcpy(data + 12, command->expect.digest, STEK_DIGEST_LEN);
	if (command->n_ids)
		memcpy(data + len, command->ids, command->n_ids * STEK_ID_LEN);
	len += command->n_ids * STEK_ID_LEN;
	if (wc_Sha256Hash(data, (word32)len, digest))
		memset(digest, 0, sizeof(digest));
	memcpy(out, digest, STEK_REQUEST_ID_LEN);
}

static void hex_of(char *out, const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* Whether the farm is another one than before the command. */
static bool changed(const struct stek_command *command)
{
	return command->change.published || command->applied;
}

char *stek__idem_request(struct stek_sync *sync,
			 const struct stek_command *command, bool done)
{
	uint8_t id[STEK_REQUEST_ID_LEN], body[STEK_REQUEST_ID_LEN];
	char *word;

	(void)sync;
	if (!command->request[0])
		return NULL;
	word = malloc(4 * STEK_REQUEST_ID_LEN + 4);
	if (!word)
		return NULL;
	name_of(id, command->request);
	body_of(body, command);
	hex_of(word, id, sizeof(id));
	word[2 * sizeof(id)] = ':';
	hex_of(word + 2 * sizeof(id) + 1, body, sizeof(body));
	strcat(word, !done ? ":a" : changed(command) ? ":d" : ":n");
	return word;
}

char *stek__idem_outcome(const struct stek_command *command)
{
	if (!command->request[0] || !changed(command))
		return NULL;
	return stek__answer_write(command);
}

static int reused(struct stek_command *command)
{
	snprintf(command->change.detail, sizeof(command->change.detail),
		 "the idempotency key was used for another request");
	return STEK_EREUSED;
}

static int copy_answer(struct stek_command *command,
		       const struct stek_answer *answer)
{
	struct stek_change change = answer->change;

	change.acks = calloc(change.n_acks + 1, sizeof(*change.acks));
	if (!change.acks)
		return STEK_ENOMEM;
	if (change.n_acks)
		memcpy(change.acks, answer->change.acks,
		       change.n_acks * sizeof(*change.acks));
	change.replayed = true;
	stek_change_clear(&command->change);
	command->change = change;
	return answer->result;
}

static const struct stek_answer *remembered(struct stek_sync *sync,
					    const uint8_t *id)
{
	int64_t now_ms = stek__sync_farm_ms(sync);
	size_t i;

	for (i = 0; i < STEK_ANSWERS_MAX; i++) {
		const struct stek_answer *answer = &sync->idem.answers[i];

		if (answer->until_ms > now_ms &&
		    !memcmp(answer->id, id, STEK_REQUEST_ID_LEN))
			return answer;
	}
	return NULL;
}

/*
 * The newest true entry of one store that names the request and is not the one
 * that we enter ourselves (`own`), when it is newer than *newest_ms, which is
 * set. By its time, not its place: an entry may have been handed on from
 * another store. False: no such.
 */
static bool find(struct stek_sync *sync, const struct stek_blob *tail,
		 const char *id, const char *own, struct stek_entry *out,
		 int64_t *newest_ms)
{
	const struct stek_farm *farm = sync->farm;
	const char *at = (const char *)tail->data, *line;
	struct stek_entry entry;
	bool found = false;
	int64_t at_ms;

	while (at && *at) {
		size_t len = strcspn(at, "\n");

		line = at;
		at += len + (at[len] == '\n');
		if (stek__chain_parse(&entry, line, len) ||
		    entry.request_len != 4 * STEK_REQUEST_ID_LEN + 3 ||
		    memcmp(entry.request, id, 2 * STEK_REQUEST_ID_LEN) ||
		    stek__chain_check(&entry, farm->farm_keys, farm->name,
				      line) ||
		    strncmp(entry.json, "{\"at_ms\":", 9) ||
		    (entry.json_len == strlen(own) &&
		     !memcmp(entry.json, own, entry.json_len)))
			continue;
		at_ms = strtoll(entry.json + 9, NULL, 10);
		if (at_ms < *newest_ms)
			continue;
		*newest_ms = at_ms;
		*out = entry;
		found = true;
	}
	return found;
}

static int answer_from(struct stek_command *command,
		       const struct stek_entry *entry, const char *word,
		       bool *answered)
{
	char phase = entry->request[entry->request_len - 1];

	if (phase == 'n')
		return 0;
	if (memcmp(entry->request, word, 4 * STEK_REQUEST_ID_LEN + 1))
		return reused(command);
	if (phase == 'a') {
		snprintf(command->change.detail,
			 sizeof(command->change.detail), "that request is "
			 "under way, or its node died with it: see the audit");
		return STEK_EBUSY;
	}
	*answered = true;
	command->change.replayed = true;
	return stek__answer_read(command, entry->outcome, entry->outcome_len);
}

/* What every store is told of the request; the same, so it is one entry. */
static char *asked_for(struct stek_sync *sync,
		       const struct stek_command *command)
{
	char *json = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&json, &len);

	if (!out)
		return NULL;
	stek__audit_who(out, sync, command->who, command->from,
			command->kind == STEK_COMMAND_ROTATE ? "rotate" :
							       "revoke");
	fputs(",\"result\":\"asked for\"}", out);
	if (!fclose(out))
		return json;
	free(json);
	return NULL;
}

/* What the stores say of the request, each tail read in `tails`. */
static int look(struct stek_sync *sync, struct stek_command *command,
		const char *word, const char *own,
		struct stek_blob tails[STEK_STORES_MAX], bool *answered)
{
	int64_t newest_ms = stek__sync_farm_ms(sync) - KEPT_MS;
	struct stek_entry entry = { 0 };
	bool found = false;
	size_t i;
	int err;

	for (i = 0; i < sync->n_links; i++) {
		if (sync->links[i].state != STEK_STORE_OK)
			continue;
		err = stek__audit_tail(sync, &sync->links[i], LOOK_BACK,
				       &tails[i]);
		if (err == STEK_ENOMEM)
			return err;
		found = (!err && find(sync, &tails[i], word, own,
				      &entry, &newest_ms)) || found;
	}
	return found ? answer_from(command, &entry, word, answered) : 0;
}

/* Looks, and enters the request where it is not; STEK_ECONFLICT: again. */
static int enter(struct stek_sync *sync, struct stek_command *command,
		 const char *word, const char *json, bool *answered)
{
	const struct stek_entry_text text = { word, "-", json };
	struct stek_blob tails[STEK_STORES_MAX] = { { NULL, 0 } };
	struct stek_link *link = NULL;
	int err = look(sync, command, word, json, tails, answered);
	size_t i;

	while (!err && !*answered && (link = stek__link_next(sync, link))) {
		struct stek_blob *tail = &tails[link - sync->links];
		char *last;

		if (link->state != STEK_STORE_OK ||
		    stek__audit_has(sync, tail, &text))
			continue;
		last = stek__audit_last(tail);
		err = last ? stek__audit_append(sync, link, &last, &text) :
			     STEK_ENOMEM;
		free(last);
		/* One that takes none must not stop a revocation. */
		if (err == STEK_EREFUSED || err == STEK_EUNAVAILABLE)
			err = 0;
	}
	for (i = 0; i < STEK_STORES_MAX; i++)
		free(tails[i].data);
	return err;
}

int stek__idem_begin(struct stek_sync *sync, struct stek_command *command,
		     bool *answered)
{
	uint8_t id[STEK_REQUEST_ID_LEN], body[STEK_REQUEST_ID_LEN];
	const struct stek_answer *answer;
	int err = STEK_ECONFLICT;
	char *word, *json;
	unsigned tries;

	*answered = false;
	if (!command->request[0])
		return 0;
	name_of(id, command->request);
	body_of(body, command);
	answer = remembered(sync, id);
	if (answer) {
		if (memcmp(answer->body, body, sizeof(body)))
			return reused(command);
		*answered = true;
		return copy_answer(command, answer);
	}
	/* Without the store this node alone recognises the request. */
	if (sync->state != STEK_STORE_OK)
		return 0;
	word = stek__idem_request(sync, command, false);
	json = asked_for(sync, command);
	stek__audit_flush(sync);
	if (!word || !json)
		err = STEK_ENOMEM;
	for (tries = 0; err == STEK_ECONFLICT && tries < TRIES_MAX; tries++)
		err = enter(sync, command, word, json, answered);
	free(json);
	free(word);
	if (*answered || err == STEK_EREUSED || err == STEK_EBUSY ||
	    err == STEK_ENOMEM)
		return err;
	/* A store that has no audit for us must not stop a revocation. */
	return 0;
}

void stek__idem_keep(struct stek_sync *sync,
		     const struct stek_command *command)
{
	struct stek_idem *idem = &sync->idem;
	struct stek_answer *answer = &idem->answers[idem->next];
	struct stek_ack *acks;

	if (!command->request[0] || !changed(command))
		return;
	acks = calloc(command->change.n_acks + 1, sizeof(*acks));
	if (!acks)
		return;
	if (command->change.n_acks)
		memcpy(acks, command->change.acks,
		       command->change.n_acks * sizeof(*acks));
	stek_change_clear(&answer->change);
	name_of(answer->id, command->request);
	body_of(answer->body, command);
	answer->until_ms = stek__sync_farm_ms(sync) + KEPT_MS;
	answer->result = command->result;
	answer->change = command->change;
	answer->change.acks = acks;
	idem->next = (idem->next + 1) % STEK_ANSWERS_MAX;
}

void stek__idem_close(struct stek_sync *sync)
{
	size_t i;

	for (i = 0; i < STEK_ANSWERS_MAX; i++)
		stek_change_clear(&sync->idem.answers[i].change);
}
