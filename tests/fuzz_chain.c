// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_chain.c - what a store gives for the audit. The first byte chooses:
 * 0 entries as they come from a store, which anybody may have written; 1 an
 * answer that an entry keeps for a retry; 2 true entries, one for each line of
 * the rest, of which then one byte is changed: that must be found, and without
 * a change nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "idem_answer.h"
#include "sync.h"

#define FARM "fuzz"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int fact)
{
	if (!fact)
		abort();
}

static struct stek_farm_keys *farm_keys(void)
{
	static struct stek_farm_keys *keys;

	if (keys)
		return keys;
	keys = stek__secret_alloc(sizeof(*keys));
	must(keys != NULL);
	keys->n = 1;
	memset(keys->keys[0].id, 'i', sizeof(keys->keys[0].id));
	memset(keys->keys[0].secret, 's', sizeof(keys->keys[0].secret));
	return keys;
}

/* How many faults there are; each is a string within its bounds. */
static size_t verify(const char *text, const struct stek_head *head)
{
	const struct stek_chain_ends ends = { .whole = true, .head = *head };
	char (*faults)[STEK_FAULT_MAX] = NULL;
	char last[STEK_FAULT_MAX];
	size_t i, n = 0, found;

	must(stek__chain_verify(farm_keys(), FARM, &ends, text, &faults, &n,
				last) == 0);
	found = last[0] != '\0';
	for (i = 0; i < n; i++) {
		must(memchr(faults[i], '\0', STEK_FAULT_MAX) != NULL);
		found += faults[i][0] != '\0';
		text = strchr(text, '\n');
		must(text++ != NULL);
	}
	must(!strchr(text, '\n'));
	free(faults);
	return found;
}

static char *as_text(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	must(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	return text;
}

static void foreign_entries(const uint8_t *data, size_t len)
{
	static const struct stek_head none;
	char *text = as_text(data, len);

	(void)verify(text, &none);
	free(text);
}

/* What is taken comes back from its own word. */
static void kept_answer(const uint8_t *data, size_t len)
{
	static struct stek_command command, again;
	char *word, *second;

	memset(&command, 0, sizeof(command));
	memset(&again, 0, sizeof(again));
	command.result = stek__answer_read(&command, (const char *)data, len);
	if (command.result != STEK_EFORMAT) {
		word = stek__answer_write(&command);
		must(word != NULL);
		again.result = stek__answer_read(&again, word, strlen(word));
		must(again.result == command.result);
		second = stek__answer_write(&again);
		must(second && !strcmp(word, second));
		free(word);
		free(second);
	}
	stek_change_clear(&command.change);
	stek_change_clear(&again.change);
}

/* `place`, 2 bytes, and `change` make one byte of the chain another. */
static void true_entries(size_t place, uint8_t change, char *json)
{
	struct stek_head head = { .seq = 0 };
	struct stek_entry_text entry = { "-", "-", NULL };
	char *text = NULL, *line;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	must(out != NULL);
	for (entry.json = strtok(json, "\n"); entry.json && head.seq < 32;
	     entry.json = strtok(NULL, "\n")) {
		must(!stek__chain_seal(&line, farm_keys(), FARM, &head,
				       &entry));
		must(!stek__chain_link(&head, head.seq + 1, line,
				       strlen(line)));
		fprintf(out, "%s\n", line);
		free(line);
	}
	fclose(out);
	must(verify(text, &head) == 0);
	if (len > 0 && change) {
		text[place % len] = (char)(text[place % len] ^ change);
		must(verify(text, &head) > 0);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *json;

	if (len < 1 || len > 65536)
		return 0;
	if (data[0] == 0) {
		foreign_entries(data + 1, len - 1);
	} else if (data[0] == 1) {
		kept_answer(data + 1, len - 1);
	} else if (len >= 4) {
		json = as_text(data + 4, len - 4);
		true_entries((size_t)data[1] << 8 | data[2], data[3], json);
		free(json);
	}
	return 0;
}
