/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_leak.c - looks for secrets where none may be: for the needles of
 * needles.h in files. Called by tests/farm_6_secrets.sh.
 *
 *	helper_leak FARM FARM_KEY_FILE KEPT_RING[,...] TEXT_FILE plant DIRECTORY
 *	helper_leak FARM FARM_KEY_FILE KEPT_RING[,...] TEXT_FILE search FILE...
 *
 * plant writes one file for each secret and form, which search must find.
 * search prints the findings; exit 0 none, 1 some, 2 could not look.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "needles.h"

struct finding {
	const char *path;
	bool any;
};

static uint8_t *slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t cap = 0;

	if (!f)
		needles_die(path, "cannot open");
	for (*len = 0;;) {
		size_t n;

		if (cap - *len < 65536)
			data = realloc(data, cap += 1 << 20);
		if (!data)
			needles_die(path, "no memory");
		n = fread(data + *len, 1, cap - *len, f);
		if (n == 0)
			break;
		*len += n;
	}
	fclose(f);
	return data;
}

static void print_finding(void *user, size_t at, size_t i, int form)
{
	struct finding *finding = user;

	printf("%s: %s %zu, form %d, at %zu\n", finding->path,
	       needles_name(needles_at(i)->kind), i, form, at);
	finding->any = true;
}

static bool search(const char *path)
{
	struct finding finding = { path, false };
	size_t len;
	uint8_t *data = slurp(path, &len);

	needles_search(data, len, print_finding, &finding);
	free(data);
	return finding.any;
}

static void plant_one(const char *dir, size_t i, int form)
{
	char path[4096], bytes[NEEDLE_FORM_MAX];
	size_t n = needles_form(bytes, i, form);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%zu.%d", dir, i, form);
	f = fopen(path, "wb");
	if (!f || fputs("some text before ", f) < 0 ||
	    fwrite(bytes, 1, n, f) != n || fputs(" and after", f) < 0 ||
	    fclose(f) != 0)
		needles_die(path, "cannot write");
}

int main(int argc, char **argv)
{
	bool found = false;

	if (argc < 7)
		needles_die("usage", "see the head of helper_leak.c");
	needles_read(argv[1], argv[2], argv[3], argv[4]);
	if (strcmp(argv[5], "plant") == 0) {
		for (size_t i = 0; i < needles_count(); i++) {
			for (int form = 0; form < NEEDLE_FORMS; form++)
				plant_one(argv[6], i, form);
		}
		printf("%zu secrets in %d forms\n", needles_count(),
		       NEEDLE_FORMS);
		return 0;
	}
	for (int i = 6; i < argc; i++)
		found = search(argv[i]) || found;
	printf("%d files searched for %zu secrets in %d forms\n", argc - 6,
	       needles_count(), NEEDLE_FORMS);
	return found;
}
