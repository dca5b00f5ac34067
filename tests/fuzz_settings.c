// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_settings.c - any bytes as configuration file: the schema's reader either
 * gives the structures or tells faults, one line each, and never both.
 */
#include <stdlib.h>
#include <string.h>

#include "settings_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int fact)
{
	if (!fact)
		abort();
}

/* Every fault begins with the file and a line, and is printable. */
static void must_be_lines(const char *said, size_t len, unsigned faults)
{
	unsigned lines = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (i == 0 || said[i - 1] == '\n') {
			must(strncmp(said + i, "f:", 2) == 0);
			must(said[i + 2] >= '1' && said[i + 2] <= '9');
		}
		must(said[i] == '\n' || (unsigned char)said[i] >= 0x20);
		lines += said[i] == '\n';
	}
	must(lines == faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *said = NULL;
	size_t said_len = 0;
	struct faults faults = { .path = "f" };
	struct doc *doc = NULL;
	struct file *file;
	size_t i;

	faults.err = open_memstream(&said, &said_len);
	if (faults.err == NULL)
		return 0;
	file = file_new((const char *)data, len, &doc, &faults);
	fclose(faults.err);
	must(file != NULL || faults.n > 0);
	must((file == NULL) == (doc == NULL));
	must_be_lines(said, said_len, faults.n);
	if (file != NULL && faults.n == 0) {
		must(file->farm != NULL);
		must(file->store.url != NULL || file->store.user == NULL);
		/* Whether one is named at all is asked in settings.c. */
		must(file->stores_count <= STEK_STORES_MAX);
		for (i = 0; i < file->stores_count; i++)
			must(file->stores[i].url != NULL);
		must(file->keys.pending >= 1 && file->keys.pending <= 8);
		must(doc_line(doc, "farm") > 0);
	}
	file_free(file);
	doc_free(doc);
	free(said);
	return 0;
}
